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

mod act;
mod asic;
mod audit;
mod checkpoint;
mod classification;
mod codes;
mod content;
mod courier;
mod delivery;
mod document;
mod encrypted_file;
mod envelope;
mod error;
mod evidence;
mod fact;
mod fault;
mod filing_receipt;
mod form;
mod inbound;
mod inspection;
mod leaf;
mod limit;
pub mod merkle;
mod parties;
mod purge;
mod rejection;
mod routes;
pub mod text;
pub mod tile;
mod time_proof;
mod validation;
mod verdict;
mod verified;
mod wire;
mod witness;
mod wording;

pub use chancery_crypto::Language;

pub use act::{Act, OUTCOME, REASON};
pub use asic::{
    ASIC_DOCUMENT, ASIC_E, ASIC_HEADER, Archive, Entry, EntryName, MAX_MANIFEST, Manifest,
    ManifestObject, VerifiedContainer, asic_manifest_name, asic_signature_name, verify_container,
};
pub use audit::{AuditReport, CheckedEvidence, Held, HeldItem, LedgerAudit};
pub use checkpoint::{Checkpoint, KeptCheckpoint, LogKey, SignedCheckpoint, WitnessKey};
pub use classification::{Classification, SecrecyLevel};
pub use codes::{
    cert_code, cert_remedy, crypto_code, crypto_remedy, protocol_code, protocol_remedy,
};
pub use content::{
    CONTENT_MAGIC, ContentOpener, ContentSealer, MAX_DOCUMENT, Opening, SealedContent, content_head,
};
pub use courier::{AttemptEnd, Courier, Flight};
pub use delivery::{OutboundAction, on_reply, retry_delay};
pub use document::{
    Behalf, DocumentHeader, DocumentId, Filing, Hand, Part, SignedDocument, Urgency,
    commit_to_document, sign_document, unsigned_header,
};
pub use encrypted_file::{
    ENCRYPTED_CHUNK, ENCRYPTED_FILE_CHUNK_PLAINTEXT, ENCRYPTED_FILE_MAGIC, EncryptedFileError,
    FileOpener, FileSealer, encrypted_head_len,
};
pub use envelope::{
    EnvelopeHeader, EnvelopeId, MAX_PART, OpenedEnvelope, OpenedPart, PartContent, Recipient,
    RecipientPart, RecipientParts, recipient_info,
};
pub use error::ProtocolError;
pub use evidence::{
    Awaited, Evidence, EvidenceVerifier, LedgerSeal, MAX_RECEIPT, OpenedRoot, Receipt,
    VerifiedCoseReceipt, VerifiedReceipt, verify_cose_receipt,
};
pub use fact::{
    Caveat, ContainerFact, DocumentFact, EntryFact, EvidenceFact, Fact, FileFact, LedgerFact,
    SignatureFact, StampFact, TimesFact, Unread, Whose,
};
pub use fault::{
    CheckpointFault, ClassificationFault, ContainerFault, ContentFault, EncryptedFormatFault,
    EntryFault, EnvelopeFault, HeaderFault, HeaderLine, ManifestFault, MessageFault, NameFault,
    OrderFault, ProofFault, ReceiptFault, TimeFault, UnsupportedFault, ZipFault,
};
pub use filing_receipt::{FilingReceipt, FilingReceiptFile};
pub use form::{Form, FormValue, MAX_FORM};
pub use inbound::{
    Arrived, Checked, Entrance, Holding, Inbound, InboundAnswer, InboundFact, InboundStep,
};
pub use inspection::{ContentInspection, InspectedContent, check_inside};
pub use leaf::{Event, EventName, Leaf};
pub use limit::RateLimit;
pub use purge::{MAX_PURGED, OpenedPurgeOrder, PurgeOrder};
pub use rejection::Rejection;
pub use routes::Routes;
pub use time_proof::{
    CLOCK_TOLERANCE, COSIGN_AGAIN, SettledTimes, TimeBounds, TimeProof, Unfit, WITNESSES_NEEDED,
    may_cosign,
};
pub use validation::{DocumentBudget, Validation, verify_cms, verify_document, verify_document_by};
pub use verdict::{
    Finding, Indication, Level, SignatureReport, SubIndication, TimeStampReport, VerificationReport,
};
pub use verified::{JudgedDocument, Lists, VerifiedDocument};
pub use wire::{MAX_FRAME, MAX_INLINE, PeerMessage, Refusal, decode_frame, encode_frame};
pub use witness::{Consistency, ForkProof, Growth, SealedNote, SeenCheckpoint, WitnessStatement};
