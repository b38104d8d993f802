//! What can be wrong with what is read or made here, down to the leaf. What people read is made of it in `wording`.

use chancery_certs::AgencyName;
use chancery_crypto::CborError;

use crate::text::TextFault;

/// Which line of a document header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderLine {
    /// The document's type.
    Type,
    /// Its title.
    Title,
    /// Its module.
    Module,
    /// Its number.
    Number,
    /// The name of one of its fields.
    Field,
    /// The media type of one of its parts.
    MediaType,
}

/// What is wrong with a document header.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum HeaderFault {
    /// A text is no document id.
    NoId { given: String },
    /// A line of it is none for people.
    Line { line: HeaderLine, text: String, fault: TextFault },
    /// The value of one of its fields cannot be seen whole.
    Field { name: String, value: String, fault: TextFault },
    /// The name of a part is no line for people.
    PartLine { part: String, fault: TextFault },
    /// The name of a part is that of another, to some systems.
    PartTwin { part: String },
    /// The name of a part is no plain file name.
    PartName { part: String },
    /// Two parts have one name.
    PartTwice { part: String },
    /// It names no recipient.
    NoRecipient,
    /// It names too many recipients.
    Recipients { most: usize },
    /// It has too many parts.
    Parts { most: usize },
    /// A text in it is too long.
    TextLength { most: usize },
    /// A text in it holds control or direction characters.
    Misleading,
    /// Its parts are larger than any content can be.
    PartsSize,
    /// A field without which it cannot be understood is not among those that it lists as such.
    NotCritical { field: String },
    /// Its form is too large.
    FormLength { most: usize },
    /// What is signed is something else.
    ContentType { found: String },
}

/// What is wrong with a classification.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum ClassificationFault {
    /// There is no such classification.
    Unknown { given: String },
    /// It has a secrecy period and is not secret.
    TermWithoutSecret,
    /// It has two secrecy periods.
    TwoTerms { first: String, second: String },
    /// Its secrecy period is no line for people.
    TermLine(TextFault),
    /// Its secrecy period is too long.
    TermLength { most: usize },
    /// Its secrecy period names a level.
    TermNamesLevel { term: String },
    /// Its secrecy period has more than one star.
    TermStars { term: String },
}

/// What is wrong with a content.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum ContentFault {
    /// The signed document is too large without its parts.
    DocumentLength { length: usize },
    /// Its head claims a signed document that is too large.
    ClaimedLength { length: usize },
    /// Bytes follow the last part.
    Trailing,
    /// A position lies outside of what is at hand.
    OutOfRange,
    /// A part is cut off.
    PartCut { part: String },
    /// It does not start as a content does.
    Magic,
    /// It is cut off.
    Cut,
    /// It is cut off before the document ends.
    CutInDocument,
}

/// What is wrong with an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum EnvelopeFault {
    /// A text is no envelope id.
    NoId { given: String },
    /// The part of a recipient is too large.
    PartLength { most: usize },
    /// The part of the recipient is cut off.
    PartCut,
    /// The part of the recipient is not the one that it commits to.
    PartCommitment,
    /// It does not have one place for a part for each recipient.
    PartPlaces,
    /// No content has a ciphertext of its size.
    Size { size: u64 },
    /// It holds no key for an agency.
    NoKey { agency: AgencyName },
    /// More ciphertext comes than its header says.
    Overrun,
    /// The document inside is not the one that it commits to.
    OtherDocument,
    /// The document inside is another sender's.
    OtherSender { sender: AgencyName, from: AgencyName },
    /// The document inside is not for its recipient.
    OtherRecipient { from: AgencyName, recipient: AgencyName },
}

/// What is wrong with a checkpoint, a cosignature of it, or what shows one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum CheckpointFault {
    /// The key of a witness is of another kind than cosignatures know.
    WitnessKeyKind,
    /// There is no certificate.
    NoCertificate,
    /// It is sealed by somebody else.
    Sealer { subject: String, agency: AgencyName },
    /// It is not in the form in which it is written.
    Form,
    /// It is no fork proof.
    NoForkProof { kind: String },
    /// The fork proof is not in the form in which it is written.
    ForkProofForm,
    /// An RSA key signs no checkpoints.
    RsaKey,
    /// The seal's key is of an unknown kind.
    UnknownKeyKind,
    /// There is no key to check it with.
    NoKey,
    /// It is of another ledger.
    Origin { found: String, want: String },
    /// The key signs no checkpoints.
    KeySignsNone,
    /// The key signs nothing.
    KeySignsNothing,
    /// The signature of the ledger's seal is wrong.
    SealSignature,
    /// It is not signed by the ledger's seal.
    NotSealed,
    /// A witness has not cosigned it.
    NotCosigned { witness: String },
    /// A time lies before 1970.
    Before1970,
    /// A private key is not the witness's.
    NotWitnessKey,
    /// A cosignature is cut off.
    CosignatureCut { name: String },
    /// A cosignature is wrong.
    CosignatureWrong { name: String },
    /// It is too long or holds control characters.
    TooLongOrControl,
    /// It has no signatures.
    NoSignatures,
    /// It is cut off.
    Cut,
    /// A signature line is malformed.
    SignatureLine,
    /// A signature is not base64.
    SignatureBase64,
    /// It has too many signatures.
    TooManySignatures,
    /// It has fewer than three lines.
    TooFewLines,
    /// Its size is no number.
    Size,
    /// Its origin or size is not in plain form.
    PlainForm,
    /// Its root is no digest.
    Root,
    /// The ledger has no chain of its seal.
    NoSealChain,
    /// The ledger has no key.
    LedgerWithoutKey,
    /// A cosignature says something else than is kept beside it.
    SaysElse,
    /// A ledger has fewer entries than it had sealed before.
    RolledBack { size: u64, sealed: u64 },
    /// A peer gives a cosignature that is not its own.
    ForeignCosignature { peer: AgencyName },
}

/// What is wrong with a proof in a tree, or with what holds one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum ProofFault {
    /// It is for other checkpoints.
    OtherCheckpoints,
    /// The two checkpoints are consistent, and show no fork.
    NoFork,
    /// A tile is no list of hashes.
    Tile { bytes: usize },
    /// An entry is too long.
    EntryLength,
    /// A bundle of entries is cut off.
    BundleCut,
    /// A compact range has not as many hashes as its tree has subtrees.
    RangeLength,
    /// A compact range does not join to the root.
    RangeRoot,
    /// An inclusion proof does not lead to the root.
    InclusionRoot,
    /// The leaf lies outside the tree.
    OutsideTree,
    /// An inclusion proof is too long.
    InclusionLong,
    /// An inclusion proof is too short.
    InclusionShort,
    /// The newer tree is smaller than the older.
    Smaller,
    /// Two trees of one size have different roots.
    TwoRoots,
    /// A consistency proof should be empty.
    ConsistencyNotEmpty,
    /// A consistency proof is too long.
    ConsistencyLong,
    /// A consistency proof is too short.
    ConsistencyShort,
    /// A consistency proof does not join the two roots.
    ConsistencyRoots,
}

/// What is wrong with a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum ReceiptFault {
    /// Its proof is too long.
    ProofLength,
    /// It is too large.
    Size { bytes: usize },
    /// It has no certificate.
    NoCertificate,
    /// It is for something else.
    SomethingElse,
    /// It speaks for one agency with the seal of another.
    OtherSeal { agency: AgencyName, seal: AgencyName },
    /// It is under another checkpoint.
    OtherCheckpoint,
    /// The ledger gave no COSE signature with it.
    NoCose,
    /// It has no entry.
    NoEntry,
    /// It has no inclusion proof.
    NoInclusion,
    /// Its COSE signature is of another ledger.
    CoseOrigin { found: String, want: String },
    /// Its COSE signature is wrong.
    CoseSignature,
}

/// Why a time cannot be right, in seconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum TimeFault {
    /// It lies before what it is about was made.
    Before { time: i64, created: i64 },
    /// It lies after the time at which it is looked at.
    After { time: i64, at: i64 },
}

/// What is wrong with a message of a peer or client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum MessageFault {
    /// It makes too large a frame.
    FrameLength { bytes: usize },
    /// A frame claims to be larger than one may be.
    FrameClaim { bytes: usize },
    /// The peer's answer does not fit the offer.
    NotTheOffers,
    /// It does not answer what was asked.
    NotTheAnswer,
    /// It asks about too many sizes at once.
    Sizes { count: usize },
    /// A stream starts with something else than an offer or a question.
    StreamStart,
    /// A frame does not belong here.
    NotHere,
    /// A fact about an envelope does not fit what was asked of it: the node's own fault.
    FactMisfit,
    /// A directory is too large.
    DirectoryLength { most: usize },
}

/// Why a name is none that a container may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFault {
    /// It is empty or too long.
    Length,
    /// It is absolute.
    Absolute,
    /// It begins with a drive letter.
    Drive,
    /// It holds a backslash.
    Backslash,
    /// It holds characters that are not seen.
    Unseen,
    /// It has a part that is empty or too long.
    PartLength,
    /// It has a part that begins with a dot.
    Dot,
    /// It is META-INF in other letters.
    MetaInf,
    /// It is a folder's.
    Folder,
}

/// What is wrong with one entry of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryFault {
    /// It is not there.
    Missing,
    /// It cannot be read.
    Unreadable,
    /// It cannot be unpacked.
    Packing,
    /// It unpacks to more than the directory says.
    Longer,
    /// It does not unpack to what the directory says.
    Differs,
    /// It is larger than is read.
    Size(u64),
    /// It is encrypted.
    Encrypted,
    /// It is packed by a method that is not known.
    Method(u16),
    /// It has two sizes.
    TwoSizes,
    /// It is another entry by its own header.
    OwnHeader,
    /// Bytes stand behind it.
    BytesBehind,
    /// It is a folder and holds something itself.
    FullFolder,
    /// It is a link, a device or a folder.
    Special,
    /// It stands in the container twice.
    Twice,
    /// It is a file and a folder.
    FileAndFolder,
    /// It is nothing that META-INF may hold.
    NotOfMetaInf,
    /// It is a signature that lies outside of META-INF.
    OutsideMetaInf,
    /// It is a signature that is to be over two manifests.
    OverTwo,
    /// It was changed while it was taken out.
    Changed,
}

/// What is wrong with the ZIP of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZipFault {
    /// A header is cut off.
    HeaderCut,
    /// An extra field stands twice.
    ExtraTwice,
    /// The extra fields are cut off.
    ExtraCut,
    /// A size of 64 bits is not there.
    NoWideSize,
    /// An entry has two sizes.
    TwoSizes,
    /// The directory holds more than it says.
    DirectoryLonger,
    /// Entries overlap, or bytes stand between them.
    Overlap,
    /// Entries overlap.
    EntriesOverlap,
    /// Bytes stand before the directory.
    BeforeDirectory,
    /// It is cut off.
    Cut,
    /// It is no ZIP file.
    NoZip,
    /// Bytes follow its end.
    Trailing,
    /// The end of 64 bits is not where it should be.
    WideEndPlace,
    /// The two ends say different things.
    TwoEnds,
    /// It is one of several volumes.
    Volumes,
    /// It has too many entries, or a huge directory.
    Entries(u64),
    /// Bytes stand before it, or between directory and end.
    AroundDirectory,
    /// The directory is malformed.
    Directory,
    /// The name of an entry in Unicode is another.
    UnicodeName,
    /// An entry has two names.
    TwoNames,
    /// A name is not UTF-8.
    NameEncoding,
}

/// What is wrong with the manifest of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum ManifestFault {
    /// It is larger than 1 MiB.
    Size,
    /// It is not UTF-8.
    Encoding,
    /// It is no XML, as its reader says.
    Xml { detail: String },
    /// It is no ASiCManifest.
    Root,
    /// It names two signatures.
    TwoSignatures,
    /// It names no signature.
    NoSignature,
    /// It lists too many files.
    Objects { most: usize },
    /// It lists no file.
    NoObject,
    /// It holds something else.
    Holds { element: String },
    /// A reference has no name that can be read.
    Reference,
    /// The digest of a file is no text.
    DigestText { file: String },
    /// A file has two digests.
    TwoDigests { file: String },
    /// A file has no digest.
    NoDigest { file: String },
    /// It is cut off.
    Cut,
    /// It declares a document type.
    DocumentType,
    /// A tag is too long.
    TagLength,
    /// It is nested too deeply, or has too many namespaces.
    Depth,
}

/// What is wrong with a container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum ContainerFault {
    /// A name in it is none that it may hold.
    Name { name: String, fault: NameFault },
    /// An entry of it.
    Entry { name: String, fault: EntryFault },
    /// Its ZIP.
    Zip(ZipFault),
    /// Its manifest.
    Manifest(ManifestFault),
    /// It has too many manifests.
    Manifests { most: usize },
    /// Its manifests list too many files.
    References { most: usize },
    /// It has too many signers.
    Signers { most: usize },
    /// It holds no signature.
    NoSignature,
    /// It cannot be read or written, as the system or a library says.
    Io { detail: String },
}

/// What a container holds or asks for that is not read here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum UnsupportedFault {
    /// Its manifest is in another namespace.
    Namespace { found: String, known: &'static str },
    /// Its manifest has a critical extension.
    Extension { name: String },
    /// A file has a digest by another algorithm.
    Digest { file: String, algorithm: String },
    /// Its mimetype is another.
    Mimetype { stated: String, known: &'static str },
    /// XAdES signatures.
    Xades { file: String },
    /// A signature without a manifest.
    NoManifest { file: String },
    /// An evidence record, and no signature.
    EvidenceRecord { file: String },
}

/// What is wrong with the form of an encrypted file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum EncryptedFormatFault {
    /// It has no recipient, or too many.
    Recipients { most: usize },
    /// It is larger than any file can be.
    TooLarge,
    /// It does not start as one.
    Magic,
    /// Its header is too large.
    HeaderLength,
    /// Its header is cut off.
    HeaderCut,
    /// Its header cannot be read.
    Header(CborError),
    /// Its header says what it may not say.
    HeaderContent,
    /// Its size cannot be.
    Size,
}

/// What is wrong with an order to remove content.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
pub enum OrderFault {
    /// It names no envelope, or too many.
    Envelopes { most: usize },
    /// It gives no reason, or too long a one.
    Reason { most: usize },
    /// Its reason holds control characters.
    Control,
}
