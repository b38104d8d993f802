//! What was checked and what was found, as values. A [`Finding`](crate::Finding) holds one of these and the verdict on it;
//! what people read is made of it by [`Fact::say`].

use chancery_certs::{AgencyName, CertError, CmsFault, OfficerName, PathError};
use chancery_crypto::{CborError, CryptoError, Digest};

use crate::{EnvelopeId, Event, EventName, ProtocolError, TimeFault};

/// What was found. Times are in seconds since 1970 UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact {
    /// Of a document and its parts.
    Document(DocumentFact),
    /// Of a signature.
    Signature(SignatureFact),
    /// Of a time-stamp.
    Stamp(StampFact),
    /// Of the path of a certificate.
    Path(PathError),
    /// Of evidence.
    Evidence(EvidenceFact),
    /// Of a container.
    Container(ContainerFact),
    /// Of a ledger.
    Ledger(LedgerFact),
    /// Of an entry of a ledger.
    Entry(EntryFact),
    /// Of the times of entries.
    Times(TimesFact),
    /// Of a file of a ledger, or of what somebody holds of it.
    File(FileFact),
    /// What another room found, in its own words.
    Told {
        /// In English.
        en: String,
        /// In Chinese.
        zh: String,
    },
}

/// Why something cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// By our own judgement.
    Error(Box<ProtocolError>),
    /// In the words of whoever tried.
    Told(String),
}

/// Whose evidence it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// An agency's, as it says itself.
    Agency(AgencyName),
    /// That of a receipt that a document carries: without a path it is not known whose it is.
    Carried,
}

/// What was found of a document and its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum DocumentFact {
    /// It is not looked at now: its sender's documents have cost too much lately.
    PutOff,
    /// A part is the one that was signed.
    PartSame { part: String },
    /// A part was changed.
    PartChanged { part: String, found: Digest, signed: Digest },
    /// A part is not there.
    PartMissing { part: String },
    /// A file of a container is the one that was signed.
    FileSame { file: String },
    /// A file of a container was changed.
    FileChanged { file: String },
    /// A file of a container is not there.
    FileMissing { file: String },
    /// A file lies with the parts which is none of them.
    NoPart { file: String },
    /// The sender or an officer of it has signed.
    SignedBySender { sender: AgencyName },
    /// No valid signature is the sender's or an officer's of it.
    NotSignedBySender { sender: AgencyName },
}

/// What was found of a signature. `who` is its signer by name, or by what the certificate says in place of one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum SignatureFact {
    /// It carries no certificate.
    NoCertificate,
    /// Its certificate cannot be read.
    CertificateUnreadable(CertError),
    /// What it would cost to look at it is more than one document may cost.
    TooDear,
    /// A CMS structure holds another content.
    OtherContent,
    /// A CMS signature is by an algorithm that is not known here.
    UnknownAlgorithm(CmsFault),
    /// A CMS signature is wrong.
    CmsWrong(CryptoError),
    /// A CMS structure is not acceptable.
    CmsRefused(CertError),
    /// It does not bind its certificate.
    NotBound,
    /// It is valid.
    Valid { who: String, caveat: Option<Caveat> },
    /// It was valid when a time-stamp shows that it existed; what is wrong now.
    ValidThen { who: String, then: i64, now: PathError },
    /// Its certificate names no agency or officer.
    NamesNobody { who: String },
    /// It claims a time in the future.
    ClaimsFuture { who: String },
    /// It claims a time after the one that a time-stamp proves.
    ClaimsLater { who: String },
    /// The certificate's key is of a kind that is not used here.
    KeyKind { kind: String },
    /// Its value is wrong.
    Wrong { subject: String, error: CryptoError },
    /// Its structure is not acceptable.
    Structure(CryptoError),
    /// A CAdES signature that came along is another signer's, or of another document.
    OtherCades,
}

/// What else is to be said of a signature that is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caveat {
    /// A list that came along, and does not count by the policy, says that a certificate is revoked.
    Listed(PathError),
    /// No list at hand says whether the certificate of this one is revoked.
    Uncovered(String),
}

/// What was found of a time-stamp. `kind` is what it covers, as [`crate::TimeStampReport`] has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum StampFact {
    /// It cannot be read.
    Unreadable(CertError),
    /// It is of something else.
    Elsewhere { kind: &'static str },
    /// Its time has not come yet.
    Future { time: i64 },
    /// It confirms that something existed.
    Confirms { authority: String, kind: &'static str, time: i64 },
    /// It is not accepted.
    Refused { time: i64, error: CertError },
    /// Its manifest lists a signature in another state.
    OtherState { stamp: String, over: String },
    /// Its manifest does not list the signature.
    NotListed { stamp: String, over: String },
}

/// What was found of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum EvidenceFact {
    /// It is of another document.
    OtherDocument { agency: AgencyName },
    /// An agency has recorded an event.
    Recorded { agency: AgencyName, event: Event, time: i64, index: u64 },
    /// The file cannot be read.
    Unreadable { file: String, why: Unread },
    /// Its seal is not believed.
    Path { whose: Whose, error: PathError },
    /// It is genuine, and its time is not proven.
    Time { whose: Whose, why: TimeFault },
    /// It does not hold.
    Broken { whose: Whose, error: Box<ProtocolError> },
    /// An agency has no part in the document's journey by which it could attest an event.
    NoPart { agency: AgencyName, event: Event },
    /// An agency attests an event with one who has no such part in it.
    OtherPart { agency: AgencyName, event: Event, other: AgencyName },
}

/// What was found of a container. `over` is the file that holds a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum ContainerFact {
    /// No signature is right, so the files were not looked at.
    Hopeless,
    /// A signature that a manifest names is not there.
    SignatureMissing { over: String, manifest: String },
    /// A signature cannot be read.
    SignatureUnreadable { over: String, error: CertError },
    /// Its mimetype is written in another form.
    MimetypeForm { stated: String },
    /// Its mimetype stands in the comment of the ZIP only.
    MimetypeInComment,
    /// It has no mimetype.
    NoMimetype,
    /// It holds time-stamps and no signature.
    NobodySigned,
    /// A file is the one that a time-stamp is over.
    Stamped { file: String },
    /// A signature does not cover a file.
    NotCovered { over: String, file: String },
    /// No manifest names a signature.
    Unplaced { file: String },
    /// A signature is of a form that is not read here.
    OtherForm { file: String },
    /// No manifest names a time-stamp.
    UnplacedStamp { file: String },
    /// A signature is not that of a signer of the document inside.
    ForeignSigner { over: String },
    /// The header of a document is there without its own signatures.
    HeaderAlone,
}

/// What was found of a ledger: its checkpoints, its seals and its witnesses. `size` is a number of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum LedgerFact {
    /// The checkpoint is sealed.
    Sealed { size: u64 },
    /// The checkpoint is not acceptable.
    CheckpointRefused(ProtocolError),
    /// The ledger's seal is valid.
    SealValid { agency: AgencyName },
    /// An older seal is another agency's.
    OldSealElsewhere { subject: String },
    /// A checkpoint stands at the wrong place of the history.
    HistoryOrder { size: u64 },
    /// A checkpoint of the history does not hold.
    HistoryBroken { after: u64, error: ProtocolError },
    /// An agency has cosigned its own ledger.
    OwnWitness { witness: AgencyName },
    /// A witness's certificate is not believed.
    WitnessPath(PathError),
    /// A witness's cosignature does not hold.
    CosignatureBroken(ProtocolError),
    /// A witness of the history is not believed.
    PastWitness(ProtocolError),
    /// The statement of a witness's key is not there.
    StatementMissing { witness: AgencyName, size: u64 },
    /// A cosignature of the history does not hold.
    PastCosignatureBroken { size: u64, witness: AgencyName, error: ProtocolError },
    /// The root is not that of a checkpoint of the history.
    PastRoot { size: u64 },
    /// The root is not the one that a witness cosigned.
    CosignedRoot { size: u64, witness: AgencyName },
    /// The root is not that of a checkpoint that somebody holds.
    HeldRoot { size: u64, root: Digest, holder: String, held: Digest },
    /// A signature line of the checkpoint does not hold.
    LineBroken(ProtocolError),
    /// A signature line of the checkpoint is of another key of its name.
    LineOfOtherKey { name: String },
    /// Signature lines of the checkpoint are of keys that are not here.
    UnknownLines { count: usize, first: String },
    /// Other entries are there than the checkpoint seals.
    SizeDiffers { sealed: u64, read: u64 },
    /// The entries give another root than the checkpoint seals.
    RootDiffers { root: Digest, sealed: Digest },
    /// All entries give the sealed root.
    RootHolds { size: u64 },
    /// A witness has cosigned more entries than there are.
    CosignedMore { read: u64, witness: AgencyName, size: u64 },
    /// A witness has cosigned more entries of the history than there are.
    PastCosignedMore { read: u64, size: u64 },
    /// The history ends before the checkpoint.
    HistoryEnds { through: u64, size: u64 },
    /// The history seals more entries than there are.
    HistorySealsMore { read: u64, size: u64 },
    /// Somebody holds a receipt for an entry that is not there.
    ReceiptBeyond { read: u64, holder: String, index: u64, hash: Digest, size: u64 },
    /// Somebody has seen a checkpoint of more entries than there are.
    SeenBeyond { read: u64, holder: String, size: u64 },
}

/// What was found of an entry of a ledger, `index`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum EntryFact {
    /// An entry is not the one that a receipt was given for.
    NotTheReceipted { index: u64 },
    /// An entry cannot be read.
    EntryUnreadable { index: u64, error: ProtocolError },
    /// An envelope is purged a second time.
    PurgedTwice { index: u64, envelope: EnvelopeId, first: u64 },
    /// A delivery ends a second time.
    EndedTwice { index: u64, envelope: EnvelopeId, other: AgencyName, event: Event, first: u64 },
    /// An event is recorded a second time.
    RecordedTwice { index: u64, envelope: EnvelopeId, event: Event, first: u64 },
    /// An envelope has another document in it than before.
    OtherDocument { index: u64, envelope: EnvelopeId },
    /// A refused submission names an envelope.
    RefusedEnvelope { index: u64 },
    /// A delivery ends that never began.
    NeverSubmitted { index: u64, envelope: EnvelopeId },
    /// An entry names no evidence.
    NoEvidence { index: u64 },
    /// An event is recorded of an envelope that never came in.
    NeverArrived { index: u64, envelope: EnvelopeId, event: Event },
    /// An envelope is purged that was never here.
    NeverHere { index: u64, envelope: EnvelopeId },
    /// An entry names no order.
    NoOrder { index: u64 },
    /// An event is not known here.
    UnknownEvent { index: u64, event: EventName },
    /// An entry does not have the hash in its tile.
    WrongEntry { index: u64 },
    /// An entry rests on evidence of something else.
    EvidenceElsewhere { index: u64 },
    /// An entry follows an order that does not speak of its envelope.
    OrderElsewhere { index: u64 },
    /// The signer of the order that an entry follows is not believed.
    OrderPath { index: u64, error: PathError },
    /// The order that an entry follows does not hold.
    OrderBroken { index: u64, error: ProtocolError },
    /// The order that an entry follows is not there.
    OrderMissing { index: u64 },
    /// The evidence that an entry speaks of is not there.
    EvidenceMissing { index: u64 },
}

/// What was found of the times of entries. Nothing of it says that something was forged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum TimesFact {
    /// Too few witnesses prove times.
    FewWitnesses { witnesses: usize },
    /// Entries are earlier than one before them.
    TimesFall { count: u64, seconds: i64, index: u64, time: i64 },
    /// Entries lie after the time of validation.
    TimesAhead { count: u64, now: i64, index: u64, time: i64 },
    /// Entries claim to be older than the ledger's first seal.
    TimesBeforeSeal { count: u64, index: u64, time: i64 },
    /// Witnesses saw the ledger without an entry after the time that it says.
    NotThereYet { index: u64, time: i64, after: i64 },
    /// Witnesses saw an entry before the time that it says.
    ThereAlready { index: u64, time: i64, before: i64 },
}

/// What was found of files of a ledger, and of what others hold of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum FileFact {
    /// A file is there that nothing in the ledger explains.
    Unexplained { what: String },
    /// A file ends in the middle of something.
    CutOff { file: String },
    /// It holds the proof that another ledger was forked.
    HoldsFork { agency: AgencyName, size: u64 },
    /// A copy of it is later.
    LaterCopy { holder: String, size: u64 },
    /// Somebody holds the proof that it was forked.
    Forked { proof: String, holder: String, first: u64, second: u64 },
    /// What somebody holds cannot be read.
    HeldUnreadable { file: String, holder: String, why: Unread },
    /// A checkpoint of another ledger that it has seen does not hold.
    SeenBroken { file: String, error: ProtocolError },
    /// A file rests on a seal that is not believed.
    Disbelieved { file: String, error: PathError },
    /// A file cannot be read.
    Unreadable { file: String, why: Unread },
    /// A tile does not fit the entries.
    WrongTile { path: String },
    /// An evidence file cannot be read.
    EvidenceUnreadable { file: String, error: ProtocolError },
    /// A file is a second copy of an evidence.
    EvidenceTwice { file: String },
    /// No entry speaks of an evidence.
    EvidenceUnasked { file: String },
    /// A file is a second copy of an order.
    OrderTwice { file: String },
    /// No entry follows an order.
    OrderUnasked { file: String },
    /// A content was removed by a valid order.
    Purged { envelope: EnvelopeId, time: i64, officer: OfficerName },
    /// It was made from an export.
    FromExport,
}

/// What each kind of fact is a [`Fact`] by.
macro_rules! facts {
    ($($kind:ident($from:ty)),+ $(,)?) => {$(
        impl From<$from> for Fact {
            fn from(fact: $from) -> Self {
                Self::$kind(fact)
            }
        }
    )+};
}
facts!(
    Document(DocumentFact),
    Signature(SignatureFact),
    Stamp(StampFact),
    Path(PathError),
    Evidence(EvidenceFact),
    Container(ContainerFact),
    Ledger(LedgerFact),
    Entry(EntryFact),
    Times(TimesFact),
    File(FileFact),
);

impl From<ProtocolError> for Unread {
    fn from(error: ProtocolError) -> Self {
        Self::Error(Box::new(error))
    }
}

impl From<CborError> for Unread {
    fn from(error: CborError) -> Self {
        ProtocolError::from(error).into()
    }
}

impl From<String> for Unread {
    fn from(why: String) -> Self {
        Self::Told(why)
    }
}

impl From<&str> for Unread {
    fn from(why: &str) -> Self {
        Self::Told(why.to_owned())
    }
}
