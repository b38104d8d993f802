//! What the desk does by itself, again and again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chancery_bus::{NodeError, tasks::Tasks};
use chancery_ledger::unix_now;
use chancery_store::blocking;

use crate::{Office, acts, agencies, arrivals, decider, purge, request_key::forget_requests};

/// Between two looks for requests that are to be forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(6 * 3600);
/// How long is waited after the withdrawals that have come were taken up, so that many are taken up together.
const TAKE_UP_PAUSE: Duration = Duration::from_millis(100);

/// When those that were put off are looked at again.
const TAKE_UP_AGAIN: Duration = Duration::from_secs(2);

/// For how long a request with an idempotency key is remembered, in seconds.
const REQUESTS_KEPT: i64 = 7 * 86_400;

/// Envelopes that are looked at before it is looked whether the node stops.
const TAKEN_AT_ONCE: usize = 64;

/// Takes up the withdrawals that have come. Nobody who looks something up waits for it.
async fn keep_taking_up(office: Arc<Office>) {
    let mut stop = office.stop_signal();
    let mut grown = office.ledger().grown();
    loop {
        let mut from = Vec::new();
        loop {
            let work = office.clone();
            let step = blocking(move |here| arrivals::take_up(here, &work, &from, TAKEN_AT_ONCE));
            match step.await {
                Ok(taken) if !taken.next.is_empty() && !office.is_stopping() => from = taken.next,
                Ok(_) => break,
                Err(error) => {
                    tracing::error!(%error, "what waits could not be taken up; it is tried again");
                    break;
                }
            }
        }
        // What came meanwhile, and what was put off, is taken up together.
        let more = async {
            tokio::time::sleep(TAKE_UP_PAUSE).await;
            drop(tokio::time::timeout(TAKE_UP_AGAIN, grown.changed()).await);
        };
        tokio::select! {
            () = more => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Between two looks for deadlines that have passed.
const DUE_EVERY: Duration = Duration::from_secs(2);

/// When it is said again that deadlines stand still.
const SAY_AGAIN: Duration = Duration::from_secs(600);

/// Has the deadlines of modules come to pass.
async fn keep_passing(office: Arc<Office>) {
    let mut stop = office.stop_signal();
    let mut said: Option<Instant> = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(DUE_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let work = office.clone();
        let step = blocking(move |here| {
            let passed = decider::pass(here, &work)?;
            Ok::<_, NodeError>((passed, decider::standing(here, &work)?))
        });
        match step.await {
            Ok((_, Some(standing))) if said.is_none_or(|said| said.elapsed() > SAY_AGAIN) => {
                said = Some(Instant::now());
                tracing::warn!(
                    heard = standing.heard,
                    needed = standing.needed,
                    "deadlines stand still: too few other agencies' clocks confirm that their time has come"
                );
            }
            Ok((_, Some(_))) => {}
            Ok((_, None)) => {
                if said.take().is_some() {
                    tracing::info!("others' clocks confirm the time again; deadlines go on");
                }
            }
            Err(error) if error.is_passing() => {
                tracing::debug!(%error, "deadlines stand still; they are looked at again");
            }
            Err(error) => tracing::error!(%error, "deadlines could not be looked at"),
        }
    }
}

/// Forgets requests that nobody will repeat any more.
async fn keep_forgetting(office: Arc<Office>) {
    let mut stop = office.stop_signal();
    loop {
        let work = office.clone();
        let before = unix_now() - REQUESTS_KEPT;
        if let Err(error) = blocking(move |here| forget_requests(here, &work, before)).await {
            tracing::error!(%error, "old requests could not be forgotten");
        }
        tokio::select! {
            () = tokio::time::sleep(FORGET_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

impl Office {
    /// Has everything run that a desk does by itself.
    pub fn run_in(self: &Arc<Self>, tasks: &mut Tasks) {
        tasks.add("the task that takes withdrawals up", keep_taking_up(self.clone()));
        tasks.add("the task that answers withdrawals", acts::keep_answering(self.clone()));
        tasks.add("the task that decides requests", agencies::keep_deciding(self.clone()));
        tasks.add("the task that sends what is owed", agencies::keep_sending(self.clone()));
        tasks.add("the task that has deadlines pass", keep_passing(self.clone()));
        tasks.add("the task that purges", purge::resume(self.clone()));
        tasks.add("the task that forgets requests", keep_forgetting(self.clone()));
    }
}
