//! What goes over the interface and nowhere else.

use super::problem::Problem;
use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use chancery_bus::NodeError;
use chancery_certs::AgencyName;
use chancery_crypto::Digest;
use chancery_protocol::{DocumentId, EnvelopeId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::{IntoParams, IntoResponses, ToSchema};

use crate::http::problem::Denied;

/// The most documents, or entries, in one answer.
pub(super) const MAX_LIMIT: u32 = 1000;

/// Parameters of the query, whose mistakes are answered as problem details.
pub(super) struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Denied;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Denied> {
        let Query(params) = Query::from_request_parts(parts, state)
            .await
            .map_err(|error| NodeError::Request(error.body_text()))?;
        Ok(Self(params))
    }
}

/// Checks how many are asked for.
pub(super) fn limit(given: Option<u32>) -> Result<u32, NodeError> {
    let limit = given.unwrap_or(20);
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    Err(NodeError::Request(format!("limit is {limit}; it may be 1 to {MAX_LIMIT}")))
}

/// Checks the number of an entry. Numbers in JSON go as far as signed ones do in most languages.
pub(super) fn number(given: Option<u64>) -> Result<u64, NodeError> {
    let number = given.unwrap_or_default();
    if i64::try_from(number).is_ok() {
        return Ok(number);
    }
    Err(NodeError::Request(format!("{number} is too large for the number of an entry")))
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// At most so many, newest first.
    #[param(minimum = 1, maximum = 1000, default = 20)]
    pub limit: Option<u32>,
    /// Only what came, or went, before this envelope; the `Link` of an answer has it.
    #[param(value_type = Option<String>, pattern = "^[0-9a-f]{64}$")]
    pub before: Option<EnvelopeId>,
}

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchParams {
    /// The text; upper and lower case are one.
    #[param(min_length = 1, max_length = 200)]
    pub text: String,
    /// At most so many, newest first.
    #[param(minimum = 1, maximum = 1000, default = 20)]
    pub limit: Option<u32>,
}

/// Which entries of the ledger.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EntryParams {
    /// The first.
    #[param(minimum = 0, default = 0)]
    pub from: Option<u64>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000, default = 20)]
    pub limit: Option<u32>,
}

/// From where events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventParams {
    /// The ledger entry to begin with; without it, what happens from now on. `Last-Event-ID` goes before it.
    #[param(minimum = 0)]
    pub from: Option<u64>,
}

/// A document that was taken in, durably.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Submitted {
    /// The document's id.
    #[schema(value_type = String)]
    pub document: DocumentId,
    /// The envelope in which it travels.
    #[schema(value_type = String)]
    pub envelope: EnvelopeId,
    /// To whom.
    #[schema(value_type = Vec<String>)]
    pub recipients: Vec<AgencyName>,
    /// The matter that a module has moved by it, if it was an act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matter: Option<String>,
    /// The state of that matter from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The numbers that were given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<String>,
}

/// A piece of evidence about a document.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EvidenceItem {
    /// Its file name, under which it can be fetched.
    pub file: String,
    /// The event, by its name in EN 319 522.
    pub event: String,
    /// Whose word it is.
    #[schema(value_type = String)]
    pub agency: AgencyName,
    /// When, in seconds since 1970 UTC.
    pub time: i64,
    /// The entry in that agency's ledger.
    pub entry: u64,
}

/// An entry of the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LedgerEntry {
    /// Its number.
    pub entry: u64,
    /// The event, by its name in EN 319 522.
    pub event: String,
    /// The envelope.
    #[schema(value_type = String)]
    pub envelope: EnvelopeId,
    /// The salted commitment to the document's id.
    #[schema(value_type = String)]
    pub commitment: Digest,
    /// The other agency.
    #[schema(value_type = String)]
    pub counterpart: AgencyName,
    /// When, in seconds since 1970 UTC.
    pub time: i64,
    /// The digest of the evidence or order that it is about.
    #[schema(value_type = Option<String>)]
    pub evidence: Option<Digest>,
    /// In events: the document, if it can be opened here and the caller may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub document: Option<DocumentId>,
}

/// Some entries of the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LedgerEntries {
    /// The entries, in order.
    pub entries: Vec<LedgerEntry>,
    /// Whether there are more.
    pub more: bool,
}

/// A sealed state of the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CheckpointView {
    /// How many entries it covers.
    pub size: u64,
    /// The tree's root.
    #[schema(value_type = String)]
    pub root: Digest,
    /// The signed note (C2SP tlog-checkpoint), with the cosignatures of witnesses.
    pub note: String,
    /// The chain of the seal, PEM.
    pub seal: String,
}

/// Proof that an entry is in the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProofView {
    /// The entry's number.
    pub entry: u64,
    /// Its bytes, in hexadecimal.
    pub leaf: String,
    /// The audit path (RFC 6962 §2.1.1), in hexadecimal.
    pub proof: Vec<String>,
    /// The signed note under which it is.
    pub checkpoint: String,
}

/// A directory that is in use from now on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DirectoryView {
    /// Its version.
    pub version: u64,
    /// How many agencies it lists.
    pub agencies: u64,
}

/// What every request may be answered.
#[derive(Debug, IntoResponses)]
#[expect(dead_code, reason = "it describes what problem.rs answers")]
pub(super) enum Problems {
    /// The request is not of the form that it should have.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(Problem),
    /// It is not known who asks.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Problem),
    /// A rule does not permit it; the answer names the rule.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// There is no such thing.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// Another state is in the way: an id that is not unique, a directory that is older.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// It was withdrawn or purged.
    #[response(status = 410, content_type = "application/problem+json")]
    Gone(Problem),
    /// It is understood and not accepted.
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(Problem),
    /// As many requests of this caller are under way as may be.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(Problem),
    /// The node cannot do it.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
    /// The node is stopping.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}
