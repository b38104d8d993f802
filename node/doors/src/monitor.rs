//! What an operator's tools ask: is it alive, is it ready, how does it do? And what systemd is told.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use chancery_bus::NodeError;
use chancery_desk::Office;
use chancery_ledger::unix_now;
use chancery_store::{StoreError, Table, blocking};
use sd_notify::NotifyState;
use tokio::net::TcpListener;

/// How long the store may take to answer before the node counts as stuck.
const PATIENCE: Duration = Duration::from_secs(10);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers `/healthz`, `/readyz` and `/metrics` until the node stops.
pub(crate) async fn serve(office: Arc<Office>, listener: TcpListener) {
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(office.clone());
    crate::http::serve_plain(office, "the monitor", listener, router).await;
}

/// Whether the process does its work: the store answers, and the ledger can be written.
async fn alive(office: &Arc<Office>) -> Result<(), String> {
    if let Some(why) = office.ledger().failure().borrow().clone() {
        return Err(format!("the store failed: {why}"));
    }
    let work = office.clone();
    let look = blocking(move |here| work.store(here).get(Table::Meta, b"schema").map(drop));
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the store does not answer".to_owned()),
    }
}

/// Whether work can be given to it.
async fn ready(office: &Arc<Office>) -> Result<(), String> {
    alive(office).await?;
    if office.is_stopping() {
        return Err("the node is stopping".into());
    }
    office.ledger().continuity().check().map_err(|error| error.to_string())?;
    office.directory().map_err(|_| "no valid directory is held".to_owned())?;
    for (what, end) in office.ends() {
        if end < unix_now() {
            return Err(format!("the {what} has expired"));
        }
    }
    office.room(0).map_err(|error| match error {
        // Who may ask how the node does need not be told where its data is.
        NodeError::Store(StoreError::Full(_)) => "the disk is full, or nearly".to_owned(),
        error => error.to_string(),
    })
}

fn verdict(checked: Result<(), String>) -> Response {
    match checked {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn healthz(State(office): State<Arc<Office>>) -> Response {
    verdict(alive(&office).await)
}

async fn readyz(State(office): State<Arc<Office>>) -> Response {
    verdict(ready(&office).await)
}

async fn metrics(State(office): State<Arc<Office>>) -> Response {
    let text = async {
        let work = office.clone();
        blocking(move |_| work.measure()).await
    };
    match text.await {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// Says something to systemd, when it is there to hear it.
pub(crate) fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}

/// Keeps systemd's watchdog quiet for as long as the node does its work.
pub(crate) async fn watchdog(office: Arc<Office>) {
    let mut stop = office.stop_signal();
    let Some(within) = sd_notify::watchdog_enabled() else { return };
    loop {
        match alive(&office).await {
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
pub(crate) async fn listen(address: std::net::SocketAddr) -> Result<TcpListener, NodeError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| NodeError::Listen { address: address.to_string(), why: error.to_string() })
}
