//! What happens, as server-sent events. An event is an entry of the ledger, and its id the entry's number: whoever was
//! away goes on after the last one that he has seen, and misses nothing.

use std::{convert::Infallible, sync::Arc, time::Duration};

use super::{
    Answer,
    ledger::entry,
    views::{EventParams, LedgerEntry, Params, Problems, number},
};
use axum::{
    Extension,
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse as _, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use chancery_bus::NodeError;
use chancery_desk::{
    Office,
    access::{Action, Caller, Object},
    finding,
};
use chancery_store::{Blocking, blocking};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::door::Callers;

/// Entries that are read at once.
const STEP: usize = 64;

/// How often a quiet connection is kept alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What happens here, as it happens: `event` is its name in EN 319 522, `id` the entry's number. Resumes after
/// `Last-Event-ID`. Whoever may not read the ledger is told of the documents that he may see, and of nothing else.
#[utoipa::path(get, path = "/v1/events", tag = "ledger",
    params(EventParams, ("Last-Event-ID" = Option<String>, Header, description = "The last event that was seen",
        pattern = "^[0-9]{1,18}$")),
    responses((status = 200, description = "Events, whose data is a LedgerEntry", body = LedgerEntry,
        content_type = "text/event-stream"), Problems))]
pub(super) async fn events(
    State(node): State<Arc<Office>>,
    Extension(caller): Extension<Caller>,
    Extension(callers): Extension<Arc<Callers>>,
    headers: HeaderMap,
    Params(params): Params<EventParams>,
) -> Answer<Response> {
    node.permit(&caller, Action::WATCH, Object::Node)?;
    let from = match headers.get("last-event-id") {
        Some(last) => {
            let last = last.to_str().ok().and_then(|last| last.parse::<u64>().ok());
            let wrong = || NodeError::Request("Last-Event-ID is no number of an entry".into());
            number(Some(last.ok_or_else(wrong)?))? + 1
        }
        None if params.from.is_some() => number(params.from)?,
        None => node.ledger().checkpoint().checkpoint.size,
    };
    let busy = || NodeError::Busy { who: caller.to_string() };
    let stream = callers.stream(&caller).ok_or_else(busy)?;
    let (events, taken) = mpsc::channel::<Result<Event, Infallible>>(STEP);
    tokio::spawn(async move {
        if let Err(error) = tell(&node, &caller, from, &events).await {
            tracing::warn!(%error, "events are not told any more");
        }
        drop(stream);
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(ReceiverStream::new(taken)).keep_alive(keep_alive).into_response())
}

/// Tells of every entry from one on, until the client or the node goes.
async fn tell(
    node: &Arc<Office>,
    caller: &Caller,
    mut from: u64,
    events: &mpsc::Sender<Result<Event, Infallible>>,
) -> Result<(), NodeError> {
    let mut grown = node.ledger().grown();
    let mut stop = node.stop_signal();
    loop {
        let (work, who) = (node.clone(), caller.clone());
        // What is committed from now on moves it again.
        grown.mark_unchanged();
        let (next, entries) = blocking(move |here| read(here, &work, &who, from)).await?;
        if next == from {
            tokio::select! {
                grown = grown.changed() => if grown.is_err() { return Ok(()) },
                () = events.closed() => return Ok(()),
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            }
        }
        from = next;
        for entry in entries {
            let event = Event::default().id(entry.entry.to_string()).event(entry.event.clone());
            let event = event.json_data(&entry).map_err(NodeError::broken)?;
            if events.send(Ok(event)).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// The next entries of which the caller may be told, and where to go on.
fn read(
    here: &Blocking,
    node: &Office,
    caller: &Caller,
    from: u64,
) -> Result<(u64, Vec<LedgerEntry>), NodeError> {
    let audits = node.permit(caller, Action::AUDIT, Object::Node).is_ok();
    let (mut next, mut out) = (from, Vec::new());
    for (index, leaf) in node.ledger().view(here).feed(from, STEP)? {
        next = index.saturating_add(1);
        let mut entry = entry(index, &leaf);
        // What was purged, is only carried on, or cannot be opened has no document.
        let head = chancery_desk::opening::open_head(here, node, &entry.envelope).ok();
        let head = head.filter(|head| finding::is_there(here, node, caller, head));
        entry.document = head.map(|head| head.document.id());
        // That there is one that he may not see, and with whom, is not for him.
        if audits || entry.document.is_some() {
            out.push(entry);
        }
    }
    Ok((next, out))
}
