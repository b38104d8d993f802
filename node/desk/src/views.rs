//! What is shown of documents, deliveries and the node.

use chancery_certs::AgencyName;
use chancery_ledger::{Cosigner, records::DeliveryState};
use chancery_protocol::{DocumentId, EnvelopeId, Indication, Refusal, Urgency};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a node is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StatusView {
    #[schema(value_type = String)]
    pub agency: AgencyName,
    pub display: String,
    pub version: String,
    pub listen: String,
    pub entries: u64,
    #[schema(value_type = String)]
    pub root: chancery_crypto::Digest,
    pub pending: u64,
    #[schema(value_type = Vec<String>)]
    pub connected: Vec<AgencyName>,
    #[serde(default)]
    pub directory_version: Option<u64>,
    #[serde(default)]
    pub directory_expires: Option<i64>,
    pub agencies: Vec<AgencyView>,
    /// The witnesses that the directory names for this agency, and what is missing in them.
    #[serde(default)]
    pub named_witnesses: u64,
    /// Whether one of them is independent of it.
    #[serde(default)]
    pub independent_witness: bool,
    pub node_certificate_expires: i64,
    pub seal_certificate_expires: i64,
    /// When the use of the node's encryption key ends, by the directory.
    pub encryption_key_expires: Option<i64>,
    /// How this node's clock does.
    pub clock: ClockView,
    /// How many signatures this process has verified since it began.
    #[serde(default)]
    pub signatures_verified: u64,
    /// Who has cosigned the ledger last.
    pub witnesses: Vec<WitnessView>,
    /// Why nothing is sealed: this is not the newest ledger, or that is not known yet.
    #[serde(default)]
    pub not_sealing: Option<String>,
    /// How the disk does.
    #[serde(default)]
    pub disk: Option<DiskView>,
    /// Peers whose ledgers are proved forked; the proofs are in `data/forks`.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub forked: Vec<AgencyName>,
}

/// How the disk does on which a node's data is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DiskView {
    /// What is free.
    pub free_bytes: u64,
    /// What is to stay free: below that nothing is taken.
    pub keeps_bytes: u64,
    /// Why nothing is taken.
    pub full: Option<String>,
}

/// How a node's clock does.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClockView {
    /// Why nothing is sealed, while the clock is known to be wrong.
    pub wrong: Option<String>,
    /// By how many seconds the ledger's newest entry is later than the clock.
    pub ledger_ahead_seconds: i64,
    /// Why deadlines of modules stand still that have passed by this clock, while they do.
    #[serde(default)]
    pub deadlines: Option<String>,
    /// What the peers' clocks have shown within the last hour.
    pub peers: Vec<PeerClockView>,
}

/// How far this node's clock is ahead of a peer's.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PeerClockView {
    /// The peer.
    #[schema(value_type = String)]
    pub agency: AgencyName,
    /// In seconds; negative when it is behind.
    pub ahead_seconds: i64,
}

/// A witness's newest cosignature of this node's ledger.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WitnessView {
    /// The witness.
    #[schema(value_type = String)]
    pub agency: AgencyName,
    /// How many entries it has cosigned.
    pub size: u64,
    /// When, by its clock.
    pub time: i64,
}

impl From<Cosigner> for WitnessView {
    fn from(Cosigner { agency, size, time }: Cosigner) -> Self {
        Self { agency, size, time }
    }
}

/// An agency in the directory.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AgencyView {
    /// Its name.
    #[schema(value_type = String)]
    pub agency: AgencyName,
    /// Its name for people.
    pub display: String,
}

/// A part of a document.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PartView {
    /// Its file name.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
}

/// A document in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DocumentView {
    #[schema(value_type = String)]
    pub envelope: EnvelopeId,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub document: Option<DocumentId>,
    pub incoming: bool,
    /// When it came to this node, in seconds since 1970 UTC.
    pub arrived: i64,
    pub kind: String,
    #[serde(default)]
    pub number: Option<String>,
    pub title: String,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub from: Option<AgencyName>,
    #[schema(value_type = Vec<String>)]
    pub to: Vec<AgencyName>,
    #[schema(value_type = Vec<String>)]
    pub cc: Vec<AgencyName>,
    /// Its level and secrecy period, as they are written over it.
    #[serde(default)]
    pub classification: Option<String>,
    /// Whether it is too secret for who asks: title, number, parts and signers are left out.
    #[serde(default)]
    pub masked: bool,
    /// `routine`, `urgent` or `flash`.
    #[schema(value_type = String)]
    pub urgency: Urgency,
    /// Until when an answer is wanted, in seconds since 1970 UTC.
    #[serde(default)]
    pub deadline: Option<i64>,
    pub parts: Vec<PartView>,
    pub signers: Vec<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub in_reply_to: Option<DocumentId>,
    /// The node's own verdict on the signatures, in the words of EN 319 102-1.
    pub indication: String,
    pub deliveries: Vec<DeliveryView>,
    /// Of a document that came in: the act that took effect on it.
    #[serde(default)]
    pub act: Option<String>,
    /// Of a document that came in: the number of this copy, if its sender gave it one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<u64>,
    /// Why it cannot be opened.
    #[serde(default)]
    pub error: Option<String>,
}

impl DocumentView {
    /// An envelope in the place of a document that cannot be shown.
    pub(crate) fn unopened(envelope: EnvelopeId, incoming: bool, error: String) -> Self {
        Self {
            envelope,
            document: None,
            incoming,
            arrived: 0,
            kind: String::new(),
            number: None,
            title: String::new(),
            from: None,
            to: Vec::new(),
            cc: Vec::new(),
            classification: None,
            masked: false,
            urgency: Urgency::Routine,
            deadline: None,
            parts: Vec::new(),
            signers: Vec::new(),
            in_reply_to: None,
            indication: "TOTAL-FAILED".into(),
            deliveries: Vec::new(),
            act: None,
            copy: None,
            error: Some(error),
        }
    }
}

/// A document's delivery to one recipient.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DeliveryView {
    #[schema(value_type = String)]
    pub agency: AgencyName,
    /// `pending`, `delivered`, `refused` or `expired`.
    #[schema(value_type = String)]
    pub state: DeliveryState,
    pub since: i64,
    #[serde(default)]
    #[schema(value_type = Option<RefusalSchema>)]
    pub refusal: Option<Refusal>,
}

/// An opened document, before its parts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct OpenedView {
    pub envelope: EnvelopeId,
    pub incoming: bool,
    #[serde(with = "serde_bytes")]
    pub document: Vec<u8>,
    /// The node's own verdict on the signatures.
    pub indication: Indication,
    /// The number of this copy, if its sender gave it one.
    #[serde(default)]
    pub copy: Option<u64>,
}

/// The journey of a document.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TraceView {
    pub document: DocumentView,
    pub steps: Vec<TraceStep>,
}

/// A step of that journey.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TraceStep {
    pub time: i64,
    /// The event, by its name in EN 319 522, or the type of the answering document.
    pub event: String,
    /// Where it happened.
    #[schema(value_type = String)]
    pub agency: AgencyName,
    #[serde(default)]
    pub entry: Option<u64>,
    #[serde(default)]
    pub by: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub indication: Option<Indication>,
    #[serde(default)]
    pub note: Option<String>,
}

/// A file of an exported ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExportedFile {
    /// A relative path.
    pub path: String,
    /// Its bytes.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

/// Why a peer does not take an envelope.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes what protocol serializes")]
pub struct RefusalSchema {
    code: String,
    reason: String,
    retry_after: Option<u32>,
}
