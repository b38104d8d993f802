//! Documents, envelopes, evidence, the ledger's tree and proofs, wire messages and the delivery
//! state machines of Chancery.
//!
//! Everything here is sans-I/O: bytes and times come in as arguments, bytes and decisions go out as
//! values. A verifier can be built on this crate alone:
//!
//! ```no_run
//! use chancery_certs::{TrustStore, decode_pem_chain};
//! use chancery_protocol::{Indication, SignedDocument, verify_document};
//! let anchors = decode_pem_chain(&std::fs::read("root.pem")?)?;
//! let trust = TrustStore::new(anchors)?;
//! let document = SignedDocument::decode(&std::fs::read("document.cose")?)?;
//! let report = verify_document(&document, &trust, 1_790_000_000);
//! assert_eq!(report.indication, Indication::TotalPassed, "{report:?}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod audit;
mod checkpoint;
mod content;
mod delivery;
mod document;
mod envelope;
mod error;
mod evidence;
mod leaf;
pub mod merkle;
pub mod tile;
mod verdict;
mod wire;

pub use audit::{AuditReport, HeldReceipt, LedgerAudit};
pub use checkpoint::{Checkpoint, LogKey, SignedCheckpoint};
pub use content::{ContentOpener, ContentSealer, Opening, SealedContent};
pub use delivery::{
    InboundDecision, LocalState, OutboundAction, decide_offer, on_reply, retry_delay,
};
pub use document::{
    DocumentHeader, DocumentId, Part, SignedDocument, Urgency, commit_to_document, sign_document,
};
pub use envelope::{EnvelopeHeader, EnvelopeId, OpenedEnvelope, Recipient, recipient_info};
pub use error::ProtocolError;
pub use evidence::{Evidence, Receipt, VerifiedReceipt};
pub use leaf::{Event, Leaf};
pub use verdict::{
    Finding, Indication, SignatureReport, SubIndication, VerificationReport, verify_document,
};
pub use wire::{MAX_FRAME, MAX_INLINE, PeerMessage, Refusal, decode_frame, encode_frame};
