//! What an operator's tools ask: is it alive, is it ready, how does it do? And what systemd is told.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use sd_notify::NotifyState;
use tokio::net::TcpListener;

use crate::{NodeError, api, files::blocking, shared::Shared, store::Table, unix_now};

/// How long the store may take to answer before the node counts as stuck.
const PATIENCE: Duration = Duration::from_secs(10);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers `/healthz`, `/readyz` and `/metrics` until the node stops.
pub async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(shared.clone());
    api::serve_plain(shared, "the monitor", listener, router).await;
}

/// Whether the process does its work: the store answers, and the ledger can be written.
async fn alive(shared: &Arc<Shared>) -> Result<(), String> {
    if let Some(why) = shared.ledger.failure().borrow().clone() {
        return Err(format!("the store failed: {why}"));
    }
    let work = shared.clone();
    let look = blocking(move || work.store.get(Table::Meta, b"schema").map(drop));
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the store does not answer".to_owned()),
    }
}

/// Whether work can be given to it.
async fn ready(shared: &Arc<Shared>) -> Result<(), String> {
    alive(shared).await?;
    if *shared.stop.borrow() {
        return Err("the node is stopping".into());
    }
    shared.ledger.continuity().check().map_err(|error| error.to_string())?;
    shared.directory().map_err(|_| "no valid directory is held".to_owned())?;
    for (what, end) in shared.ends() {
        if end < unix_now() {
            return Err(format!("the {what} has expired"));
        }
    }
    shared.limits.room(shared, 0).map_err(|error| match error {
        // Who may ask how the node does need not be told where its data is.
        NodeError::Full(_) => "the disk is full, or nearly".to_owned(),
        error => error.to_string(),
    })
}

fn verdict(checked: Result<(), String>) -> Response {
    match checked {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn healthz(State(shared): State<Arc<Shared>>) -> Response {
    verdict(alive(&shared).await)
}

async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    verdict(ready(&shared).await)
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let text = async {
        let work = shared.clone();
        blocking(move || work.metrics.encode(&work, work.outbound.pending())).await
    };
    match text.await {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// Says something to systemd, when it is there to hear it.
pub fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}

/// Keeps systemd's watchdog quiet for as long as the node does its work.
pub async fn watchdog(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    let Some(within) = sd_notify::watchdog_enabled() else { return };
    loop {
        match alive(&shared).await {
            Ok(()) => notify(&[NotifyState::Watchdog]),
            Err(why) => tracing::error!(why, "the node does not do its work"),
        }
        tokio::select! {
            () = tokio::time::sleep(within / 3) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Listens for HTTP.
pub async fn listen(address: std::net::SocketAddr) -> Result<TcpListener, NodeError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| NodeError::Network { peer: address.to_string(), why: error.to_string() })
}
