use chancery_certs::AgencyName;
use chancery_crypto::{Digest, cbor};
use serde::{Deserialize, Serialize};

use crate::{EnvelopeId, ProtocolError};

/// What a leaf records: the events of ETSI EN 319 522-1 §6, and the evidence a node received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// This agency accepted a document from its own clerk for sending.
    SubmissionAcceptance,
    /// This agency refused a document of its own clerk: there is no envelope, and its commitment stands in place of
    /// one.
    SubmissionRejection,
    /// This agency took an envelope addressed to it into its keeping.
    ContentConsignment,
    /// An officer of this agency opened the document.
    ContentHandover,
    /// This agency took an envelope into its keeping to carry it on to another.
    RelayAcceptance,
    /// The recipient refused the envelope for good.
    RelayRejection,
    /// The envelope could not be delivered before it expired.
    RelayFailure,
    /// This agency received another's evidence, whose digest the leaf holds.
    EvidenceReceived,
    /// Ours: this agency received a relay's evidence, whose digest the leaf holds.
    RelayEvidenceReceived,
    /// Ours: the sender's withdrawal, which is in this envelope, came before the document was received.
    WithdrawalAcceptance,
    /// Ours: the sender's withdrawal, which is in this envelope, came too late.
    WithdrawalRejection,
    /// Ours: the content was removed for good, by the order whose digest the leaf holds.
    ContentPurged,
}

impl Event {
    /// The event's name in the terms of the standard.
    pub fn name(self) -> &'static str {
        match self {
            Self::SubmissionAcceptance => "SubmissionAcceptance",
            Self::SubmissionRejection => "SubmissionRejection",
            Self::ContentConsignment => "ContentConsignment",
            Self::ContentHandover => "ContentHandover",
            Self::RelayAcceptance => "RelayAcceptance",
            Self::RelayRejection => "RelayRejection",
            Self::RelayFailure => "RelayFailure",
            Self::EvidenceReceived => "EvidenceReceived",
            Self::RelayEvidenceReceived => "RelayEvidenceReceived",
            Self::WithdrawalAcceptance => "WithdrawalAcceptance",
            Self::WithdrawalRejection => "WithdrawalRejection",
            Self::ContentPurged => "ContentPurged",
        }
    }
}

/// One entry of a ledger. It holds digests only: content can be purged by law and every proof
/// stays; the document shows only as a salted commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// When, in seconds since 1970 UTC, by this node's clock.
    pub time: i64,
    /// What happened.
    pub event: Event,
    /// To which envelope.
    pub envelope: EnvelopeId,
    /// The digest of the evidence that came with it, or of the order that it follows, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Digest>,
    /// The salted commitment to the document inside; see [`crate::commit_to_document`].
    pub commitment: Digest,
    /// The other agency: the sender of what came in, the recipient of what went out.
    pub counterpart: AgencyName,
}

impl Leaf {
    /// The leaf's deterministic CBOR, which is what the tree hashes.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] never in practice; the form is plain.
    pub fn encode(&self) -> Result<Vec<u8>, ProtocolError> {
        Ok(cbor::encode(self)?)
    }

    /// Reads a leaf.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] when the bytes are no leaf.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        Ok(cbor::decode(bytes)?)
    }
}
