//! A small time-stamping authority over HTTP (RFC 3161 §3.4), so that an island network has
//! time-stamps too.

use std::{convert::Infallible, io::Write as _, net::SocketAddr, path::PathBuf, sync::Arc};

use bytes::Bytes;
use chancery_bus::NodeError;
use chancery_certs::{MAX_TIME_STAMP_REQUEST, TimeStampAuthority};
use chancery_ledger::unix_now;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header, service::service_fn};
use sd_notify::NotifyState;
use tokio::{
    net::TcpListener,
    time::{Duration, timeout},
};

use crate::{
    door::{self, HEAD_TIMEOUT},
    monitor,
};

/// How long a connection may last in all.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

const QUERY: &str = "application/timestamp-query";

const REPLY: &str = "application/timestamp-reply";

/// A running authority.
#[derive(Debug)]
pub struct TimeStampServer {
    authority: Arc<TimeStampAuthority>,
    listener: TcpListener,
    log: Option<Arc<PathBuf>>,
}

impl TimeStampServer {
    /// Listens. Every token given is appended to `log`, one JSON object a line, before it goes out.
    ///
    /// # Errors
    /// [`NodeError::Listen`] when the address cannot be used.
    pub async fn bind(
        authority: TimeStampAuthority,
        address: SocketAddr,
        log: Option<PathBuf>,
    ) -> Result<Self, NodeError> {
        let listener = crate::monitor::listen(address).await?;
        Ok(Self { authority: Arc::new(authority), listener, log: log.map(Arc::new) })
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// [`NodeError::Network`] when the operating system does not say.
    pub fn address(&self) -> Result<SocketAddr, NodeError> {
        self.listener
            .local_addr()
            .map_err(|e| NodeError::Network { peer: "-".into(), why: e.to_string() })
    }

    /// Answers until `stop` is ready. Tells systemd of both.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        monitor::notify(&[NotifyState::Ready]);
        door::receive(&self.listener, "the authority", stop, |stream, peer, _visitor| {
            let (authority, log) = (self.authority.clone(), self.log.clone());
            let service = service_fn(move |request| {
                let (authority, log) = (authority.clone(), log.clone());
                async move { Ok::<_, Infallible>(answer(request, authority, log, peer).await) }
            });
            async move {
                // However long it is, it ends.
                drop(timeout(CONNECTION_TIMEOUT, door::converse(stream, service)).await);
            }
        })
        .await;
        monitor::notify(&[NotifyState::Stopping]);
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

async fn answer(
    request: Request<Incoming>,
    authority: Arc<TimeStampAuthority>,
    log: Option<Arc<PathBuf>>,
    peer: SocketAddr,
) -> Response<Full<Bytes>> {
    if request.method() == Method::GET && request.uri().path() == "/healthz" {
        return plain(StatusCode::OK, "ok\n");
    }
    if request.method() != Method::POST {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "POST a timestamp-query (RFC 3161 3.4)\n");
    }
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    if kind.is_none_or(|kind| kind.split(';').next().map(str::trim) != Some(QUERY)) {
        return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "want application/timestamp-query\n");
    }
    let body = Limited::new(request.into_body(), MAX_TIME_STAMP_REQUEST);
    let body = match timeout(HEAD_TIMEOUT, body.collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large\n"),
        Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "the request did not come\n"),
    };
    let made = tokio::task::spawn_blocking(move || {
        let now = unix_now();
        let made = authority.answer(&body, now)?;
        if let (Some(serial), Some(log)) = (&made.serial, log) {
            let line = serde_json::json!({ "time": now, "serial": serial });
            let mut file = chancery_store::files::open_log(&log)?;
            let written = writeln!(file, "{line}").and_then(|()| file.sync_data());
            written.map_err(NodeError::file(log.as_path()))?;
        }
        Ok::<_, NodeError>(made)
    });
    match made.await {
        Ok(Ok(made)) => {
            match &made.serial {
                Some(serial) => tracing::info!(%peer, %serial, "time-stamp given"),
                None => tracing::warn!(%peer, "request refused"),
            }
            let mut response = Response::new(Full::new(Bytes::from(made.der)));
            let kind = header::HeaderValue::from_static(REPLY);
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        Ok(Err(error)) => {
            tracing::error!(%peer, %error, "no time-stamp could be given");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "no time-stamp can be given now\n")
        }
        Err(error) => {
            tracing::error!(%peer, %error, "no time-stamp could be given");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "no time-stamp can be given now\n")
        }
    }
}
