use chancery_certs::{AgencyName, CertError, CmsFault, OfficerName, PathError, SealError};
use chancery_crypto::{CborError, CryptoError, Digest, Language};

use crate::{
    Caveat, CheckpointFault, ClassificationFault, ContainerFact, ContainerFault, ContentFault,
    DocumentFact, EncryptedFileError, EncryptedFormatFault, EntryFact, EntryFault, EnvelopeFault,
    EnvelopeId, Event, EventName, EvidenceFact, FileFact, HeaderFault, HeaderLine, LedgerFact,
    ManifestFault, MessageFault, NameFault, OrderFault, ProofFault, ProtocolError, ReceiptFault,
    SignatureFact, StampFact, TimeFault, TimesFact, UnsupportedFault, Whose, ZipFault,
    text::TextFault,
};

/// One value of each variant of an enum. The match is there for the compiler: it insists that no variant is missing.
macro_rules! each {
    ($kind:ident: $($variant:ident $({ $($fields:tt)* })? $(($($inner:tt)*))?,)+) => {{
        let complete = |one: &$kind| match one {
            $($kind::$variant { .. } => {})+
        };
        let all = vec![$($kind::$variant $({ $($fields)* })? $(($($inner)*))?),+];
        all.iter().for_each(complete);
        all
    }};
}

fn text() -> String {
    "x".to_owned()
}

fn agency() -> AgencyName {
    "a.gov.cn".parse().expect("a name")
}

fn officer() -> OfficerName {
    "li@a.gov.cn".parse().expect("a name")
}

fn envelope() -> EnvelopeId {
    EnvelopeId::from_slice(&[7; 32]).expect("32 bytes")
}

fn event_name() -> EventName {
    match Event::of("ContentForgotten") {
        Some(Event::Unknown(name)) => name,
        other => panic!("{other:?}"),
    }
}

/// That a sentence is there in both languages, and that the Chinese one is Chinese: what stands in it of Latin letters is
/// names and terms, never three words of English in a row.
fn check(what: &dyn std::fmt::Debug, say: impl Fn(Language) -> String) {
    let (en, zh) = (say(Language::En), say(Language::Zh));
    assert!(en.chars().any(char::is_alphabetic), "{what:?}: {en:?}");
    assert!(zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{what:?}: {zh:?}");
    let plain = |word: &&str| word.len() > 1 && word.bytes().all(|b| b.is_ascii_lowercase());
    let words: Vec<_> =
        zh.split(|c: char| !c.is_ascii_graphic()).filter(|w| !w.is_empty()).collect();
    let english = words.windows(3).any(|three| three.iter().all(plain));
    assert!(!english, "{what:?}: {zh:?}");
}

macro_rules! check_each {
    ($($kind:ident { $($all:tt)* })+) => {$(
        for one in each!($kind: $($all)*) {
            check(&one, |language| one.say(language));
        }
    )+};
}

#[test]
fn every_finding_is_said_in_both_languages() {
    check_each! {
        DocumentFact { PutOff, PartSame { part: text() },
            PartChanged { part: text(), found: Digest::of(b"x"), signed: Digest::of(b"x") },
            PartMissing { part: text() }, FileSame { file: text() }, FileChanged { file: text() },
            FileMissing { file: text() }, NoPart { file: text() }, SignedBySender { sender: agency() },
            NotSignedBySender { sender: agency() }, }
        SignatureFact { NoCertificate, CertificateUnreadable(CertError::NoCertificate), TooDear,
            OtherContent, UnknownAlgorithm(CmsFault::NoSignedData), CmsWrong(CryptoError::BadSignature),
            CmsRefused(CertError::NoCertificate), NotBound,
            Valid { who: text(), caveat: Some(Caveat::Uncovered(text())) },
            ValidThen { who: text(), then: 1_790_000_000, now: PathError::too_dear() },
            NamesNobody { who: text() }, ClaimsFuture { who: text() }, ClaimsLater { who: text() },
            KeyKind { kind: text() }, Wrong { subject: text(), error: CryptoError::BadSignature },
            Structure(CryptoError::BadSignature), OtherCades, }
        StampFact { Unreadable(CertError::NoCertificate), Elsewhere { kind: "archive" },
            Future { time: 1_790_000_000 },
            Confirms { authority: text(), kind: "archive", time: 1_790_000_000 },
            Refused { time: 1_790_000_000, error: CertError::NoCertificate },
            OtherState { stamp: text(), over: text() }, NotListed { stamp: text(), over: text() }, }
        EvidenceFact { OtherDocument { agency: agency() },
            Recorded { agency: agency(), event: Event::ContentConsignment, time: 1_790_000_000, index: 7 },
            Unreadable { file: text(), why: ProtocolError::from(ProofFault::NoFork).into() },
            Path { whose: Whose::Carried, error: PathError::too_dear() },
            Time { whose: Whose::Carried, why: TimeFault::After { time: 2, at: 1 } },
            Broken { whose: Whose::Carried, error: Box::new(ProofFault::NoFork.into()) },
            NoPart { agency: agency(), event: Event::ContentConsignment },
            OtherPart { agency: agency(), event: Event::ContentConsignment, other: agency() }, }
        ContainerFact { Hopeless, SignatureMissing { over: text(), manifest: text() },
            SignatureUnreadable { over: text(), error: CertError::NoCertificate },
            MimetypeForm { stated: text() }, MimetypeInComment, NoMimetype, NobodySigned,
            Stamped { file: text() }, NotCovered { over: text(), file: text() }, Unplaced { file: text() },
            OtherForm { file: text() }, UnplacedStamp { file: text() }, ForeignSigner { over: text() },
            HeaderAlone, }
        LedgerFact { Sealed { size: 7 }, CheckpointRefused(ProofFault::NoFork.into()),
            SealValid { agency: agency() }, OldSealElsewhere { subject: text() }, HistoryOrder { size: 7 },
            HistoryBroken { after: 7, error: ProofFault::NoFork.into() }, OwnWitness { witness: agency() },
            WitnessPath(PathError::too_dear()), CosignatureBroken(ProofFault::NoFork.into()),
            PastWitness(ProofFault::NoFork.into()), StatementMissing { witness: agency(), size: 7 },
            PastCosignatureBroken { size: 7, witness: agency(), error: ProofFault::NoFork.into() },
            PastRoot { size: 7 }, CosignedRoot { size: 7, witness: agency() },
            HeldRoot { size: 7, root: Digest::of(b"x"), holder: text(), held: Digest::of(b"x") },
            LineBroken(ProofFault::NoFork.into()), LineOfOtherKey { name: text() },
            UnknownLines { count: 7, first: text() }, SizeDiffers { sealed: 7, read: 7 },
            RootDiffers { root: Digest::of(b"x"), sealed: Digest::of(b"x") }, RootHolds { size: 7 },
            CosignedMore { read: 7, witness: agency(), size: 7 }, PastCosignedMore { read: 7, size: 7 },
            HistoryEnds { through: 7, size: 7 }, HistorySealsMore { read: 7, size: 7 },
            ReceiptBeyond { read: 7, holder: text(), index: 7, hash: Digest::of(b"x"), size: 7 },
            SeenBeyond { read: 7, holder: text(), size: 7 }, }
        EntryFact { NotTheReceipted { index: 7 },
            EntryUnreadable { index: 7, error: ProofFault::NoFork.into() },
            PurgedTwice { index: 7, envelope: envelope(), first: 7 },
            EndedTwice { index: 7, envelope: envelope(), other: agency(), event: Event::ContentConsignment, first: 7 },
            RecordedTwice { index: 7, envelope: envelope(), event: Event::ContentConsignment, first: 7 },
            OtherDocument { index: 7, envelope: envelope() }, RefusedEnvelope { index: 7 },
            NeverSubmitted { index: 7, envelope: envelope() }, NoEvidence { index: 7 },
            NeverArrived { index: 7, envelope: envelope(), event: Event::ContentConsignment },
            NeverHere { index: 7, envelope: envelope() }, NoOrder { index: 7 },
            UnknownEvent { index: 7, event: event_name() }, WrongEntry { index: 7 },
            EvidenceElsewhere { index: 7 }, OrderElsewhere { index: 7 },
            OrderPath { index: 7, error: PathError::too_dear() },
            OrderBroken { index: 7, error: ProofFault::NoFork.into() }, OrderMissing { index: 7 },
            EvidenceMissing { index: 7 }, }
        TimesFact { FewWitnesses { witnesses: 7 },
            TimesFall { count: 7, seconds: 1_790_000_000, index: 7, time: 1_790_000_000 },
            TimesAhead { count: 7, now: 1_790_000_000, index: 7, time: 1_790_000_000 },
            TimesBeforeSeal { count: 7, index: 7, time: 1_790_000_000 },
            NotThereYet { index: 7, time: 1_790_000_000, after: 1_790_000_000 },
            ThereAlready { index: 7, time: 1_790_000_000, before: 1_790_000_000 }, }
        FileFact { Unexplained { what: text() }, CutOff { file: text() },
            HoldsFork { agency: agency(), size: 7 }, LaterCopy { holder: text(), size: 7 },
            Forked { proof: text(), holder: text(), first: 7, second: 7 },
            HeldUnreadable { file: text(), holder: text(), why: ProtocolError::from(ProofFault::NoFork).into() },
            SeenBroken { file: text(), error: ProofFault::NoFork.into() },
            Disbelieved { file: text(), error: PathError::too_dear() },
            Unreadable { file: text(), why: ProtocolError::from(ProofFault::NoFork).into() },
            WrongTile { path: text() },
            EvidenceUnreadable { file: text(), error: ProofFault::NoFork.into() },
            EvidenceTwice { file: text() }, EvidenceUnasked { file: text() }, OrderTwice { file: text() },
            OrderUnasked { file: text() },
            Purged { envelope: envelope(), time: 1_790_000_000, officer: officer() }, FromExport, }
    }
}

#[test]
fn every_fault_is_said_in_both_languages() {
    check_each! {
        HeaderFault { NoId { given: text() },
            Line { line: HeaderLine::Title, text: text(), fault: TextFault::Blank },
            Field { name: text(), value: text(), fault: TextFault::Blank },
            PartLine { part: text(), fault: TextFault::Blank }, PartTwin { part: text() },
            PartName { part: text() }, PartTwice { part: text() }, NoRecipient, Recipients { most: 7 },
            NotCritical { field: text() }, FormLength { most: 7 },
            Parts { most: 7 }, TextLength { most: 7 }, Misleading, PartsSize, ContentType { found: text() },
            }
        ClassificationFault { Unknown { given: text() }, TermWithoutSecret,
            TwoTerms { first: text(), second: text() }, TermLine(TextFault::Blank), TermLength { most: 7 },
            TermNamesLevel { term: text() }, TermStars { term: text() }, }
        ContentFault { DocumentLength { length: 7 }, ClaimedLength { length: 7 }, Trailing, OutOfRange,
            PartCut { part: text() }, Magic, Cut, CutInDocument, }
        EnvelopeFault { NoId { given: text() }, PartLength { most: 7 }, PartCut, PartCommitment, PartPlaces,
            Size { size: 7 }, NoKey { agency: agency() }, Overrun, OtherDocument,
            OtherSender { sender: agency(), from: agency() },
            OtherRecipient { from: agency(), recipient: agency() }, }
        CheckpointFault { WitnessKeyKind, NoCertificate, Sealer { subject: text(), agency: agency() }, Form,
            NoForkProof { kind: text() }, ForkProofForm, RsaKey, UnknownKeyKind, NoKey,
            Origin { found: text(), want: text() }, KeySignsNone, KeySignsNothing, SealSignature, NotSealed,
            NotCosigned { witness: text() }, Before1970, NotWitnessKey, CosignatureCut { name: text() },
            CosignatureWrong { name: text() }, TooLongOrControl, NoSignatures, Cut, SignatureLine,
            SignatureBase64, TooManySignatures, TooFewLines, Size, PlainForm, Root, NoSealChain,
            LedgerWithoutKey, SaysElse, RolledBack { size: 7, sealed: 7 },
            ForeignCosignature { peer: agency() }, }
        ProofFault { OtherCheckpoints, NoFork, Tile { bytes: 7 }, EntryLength, BundleCut, RangeLength,
            RangeRoot, InclusionRoot, OutsideTree, InclusionLong, InclusionShort, Smaller, TwoRoots,
            ConsistencyNotEmpty, ConsistencyLong, ConsistencyShort, ConsistencyRoots, }
        ReceiptFault { ProofLength, Size { bytes: 7 }, NoCertificate, SomethingElse,
            OtherSeal { agency: agency(), seal: agency() }, OtherCheckpoint, NoCose, NoEntry, NoInclusion,
            CoseOrigin { found: text(), want: text() }, CoseSignature, }
        TimeFault { Before { time: 1_790_000_000, created: 1_790_000_000 },
            After { time: 1_790_000_000, at: 1_790_000_000 }, }
        MessageFault { FrameLength { bytes: 7 }, FrameClaim { bytes: 7 }, NotTheOffers, NotTheAnswer,
            Sizes { count: 7 }, StreamStart, NotHere, FactMisfit, DirectoryLength { most: 7 }, }
        NameFault { Length, Absolute, Drive, Backslash, Unseen, PartLength, Dot, MetaInf, Folder, }
        ZipFault { HeaderCut, ExtraTwice, ExtraCut, NoWideSize, TwoSizes, DirectoryLonger, Overlap,
            EntriesOverlap, BeforeDirectory, Cut, NoZip, Trailing, WideEndPlace, TwoEnds, Volumes,
            Entries(7), AroundDirectory, Directory, UnicodeName, TwoNames, NameEncoding, }
        ManifestFault { Size, Encoding, Xml { detail: text() }, Root, TwoSignatures, NoSignature,
            Objects { most: 7 }, NoObject, Holds { element: text() }, Reference, DigestText { file: text() },
            TwoDigests { file: text() }, NoDigest { file: text() }, Cut, DocumentType, TagLength, Depth, }
        ContainerFault { Name { name: text(), fault: NameFault::Dot },
            Entry { name: text(), fault: EntryFault::Missing }, Zip(ZipFault::Cut),
            Manifest(ManifestFault::Root), Manifests { most: 7 }, References { most: 7 },
            Signers { most: 7 }, NoSignature, Io { detail: text() }, }
        OrderFault { Envelopes { most: 7 }, Reason { most: 7 }, Control, }
        UnsupportedFault { Namespace { found: text(), known: "archive" }, Extension { name: text() },
            Digest { file: text(), algorithm: text() }, Mimetype { stated: text(), known: "archive" },
            Xades { file: text() }, NoManifest { file: text() }, EvidenceRecord { file: text() }, }
        EncryptedFormatFault { Recipients { most: 7 }, TooLarge, Magic, HeaderLength, HeaderCut,
            Header(CborError::Utf8(3)), HeaderContent, Size, }
        TextFault { Blank, Hidden('\u{200b}'), }
    }
    for one in each!(EntryFault: Missing, Unreadable, Packing, Longer, Differs, Size(7), Encrypted,
        Method(8), TwoSizes, OwnHeader, BytesBehind, FullFolder, Special, Twice, FileAndFolder, NotOfMetaInf,
        OutsideMetaInf, OverTwo, Changed, )
    {
        let fault = ContainerFault::Entry { name: text(), fault: one };
        check(&fault, |language| fault.say(language));
    }
}

#[test]
fn every_error_is_said_in_both_languages_with_a_remedy_and_has_a_code_of_its_own() {
    let damaged = each!(EncryptedFileError: Format(EncryptedFormatFault::Magic),
        Truncated { found: 7, want: 7 }, Trailing { more: 7 }, Reordered { found: 7, want: 7 },
        Spliced { chunk: 7 }, Altered { chunk: 7 }, HeaderAltered, NotARecipient, );
    let errors = each!(ProtocolError: Order(OrderFault::Control), Header(HeaderFault::NoRecipient),
        Classification(ClassificationFault::TermWithoutSecret), Content(ContentFault::Cut),
        PartDigest { name: text(), signed: Digest::of(b"x"), found: Digest::of(b"x") },
        Envelope(EnvelopeFault::PartCut), Checkpoint(CheckpointFault::Cut), Proof(ProofFault::NoFork),
        Receipt(ReceiptFault::NoEntry), Time(TimeFault::After { time: 2, at: 1 }),
        Message(MessageFault::NotHere), Container(ContainerFault::NoSignature),
        Unsupported(UnsupportedFault::Xades { file: text() }),
        EncryptedFile(EncryptedFileError::HeaderAltered), Seal(SealError::Path(PathError::too_dear())),
        Certificate(CertError::NoCertificate), Path(PathError::too_dear()),
        Crypto(CryptoError::BadSignature), );
    for one in &damaged {
        check(one, |language| one.say(language));
    }
    let mut codes = std::collections::BTreeSet::new();
    for one in damaged.into_iter().map(ProtocolError::from).chain(errors) {
        check(&one, |language| one.say(language));
        check(&one, |language| one.remedy(language).to_owned());
        assert_eq!(one.to_string(), one.say(Language::En));
        // Those of other rooms have the codes of their own errors.
        let own = one.code().starts_with("CHY-3") && one.code() != "CHY-3017";
        assert!(!own || codes.insert(one.code()), "{one:?}: {}", one.code());
    }
}
