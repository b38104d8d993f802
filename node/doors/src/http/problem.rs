//! Errors as problem details (RFC 9457).

use axum::{
    Json,
    http::{Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use chancery_bus::NodeError;
use chancery_ledger::LedgerError;
use chancery_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

/// The media type (RFC 9457 §3).
const PROBLEM: &str = "application/problem+json";

/// Why a request was not done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// `urn:chancery:` and the code.
    #[serde(rename = "type")]
    #[schema(rename = "type")]
    kind: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What was wrong with this request.
    detail: String,
    /// The stable code, which `chancery explain` explains.
    code: String,
    /// What to do.
    remedy: String,
}

fn status(error: &NodeError) -> StatusCode {
    match error {
        NodeError::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        NodeError::NotPermitted { .. } => StatusCode::FORBIDDEN,
        NodeError::NotFound(_) => StatusCode::NOT_FOUND,
        NodeError::Ambiguous(_)
        | NodeError::OldDirectory { .. }
        | NodeError::TwoDirectories { .. } => StatusCode::CONFLICT,
        NodeError::Purged(_) | NodeError::Withdrawn { .. } => StatusCode::GONE,
        NodeError::RequestReused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        NodeError::NotAccepted(_) | NodeError::UnknownAgency(_) | NodeError::Declined { .. } => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        NodeError::Request(_) | NodeError::Protocol(_) => StatusCode::BAD_REQUEST,
        NodeError::Ledger(
            LedgerError::Stopping | LedgerError::Behind(_) | LedgerError::Unheard(_),
        ) => StatusCode::SERVICE_UNAVAILABLE,
        NodeError::Store(StoreError::Full(_)) => StatusCode::INSUFFICIENT_STORAGE,
        NodeError::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Why a request is not done.
#[derive(Debug)]
pub(super) struct Denied(NodeError);

impl<E: Into<NodeError>> From<E> for Denied {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let status = status(&error);
        if status.is_server_error() {
            tracing::error!(%error, code = error.code(), "a request by HTTP failed");
        }
        let mut response = response(status, error.code(), error.to_string(), error.remedy());
        if status == StatusCode::UNAUTHORIZED {
            let bearer = header::HeaderValue::from_static("Bearer realm=\"chancery\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            let soon = header::HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, soon);
        }
        response
    }
}

fn response(status: StatusCode, code: &str, detail: String, remedy: &str) -> Response {
    let problem = Problem {
        kind: format!("urn:chancery:{}", code.to_ascii_lowercase()),
        title: status.canonical_reason().unwrap_or_default().to_owned(),
        status: status.as_u16(),
        detail,
        code: code.to_owned(),
        remedy: remedy.to_owned(),
    };
    (status, [(header::CONTENT_TYPE, PROBLEM)], Json(problem).into_response().into_body())
        .into_response()
}

/// The answer to a path that does not exist.
pub(super) async fn no_such_path(uri: Uri) -> Response {
    let error = NodeError::Request(format!("there is no {}", uri.path()));
    response(StatusCode::NOT_FOUND, error.code(), error.to_string(), error.remedy())
}

/// The answer to a method that a path does not know.
pub(super) async fn no_such_method(method: Method, uri: Uri) -> Response {
    let error = NodeError::Request(format!("{} does not know {method}", uri.path()));
    response(StatusCode::METHOD_NOT_ALLOWED, error.code(), error.to_string(), error.remedy())
}
