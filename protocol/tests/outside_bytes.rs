//! Every parser of outside bytes, given anything: no panic, and nothing altered is accepted as what
//! it was.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    io::{Cursor, Write as _},
    sync::LazyLock,
};

use chancery_certs::{
    AgencyCard, AgencyName, Certificate, CertificateRequest, Credential, Directory, DirectoryMore,
    EncryptionKeyStatement, Issuer, KnownCrl, Previous, Profile, RevocationCheck, RevocationReason,
    Revoked, SignedCms, SignerName, Subject, TimeStampAuthority, TimeStampRequest, TimeStampToken,
    TrustStore, ber_to_der, decode_crls, decode_pem_chain, encode_pem_chain, sign_cades,
};
use chancery_crypto::{
    Algorithm, Commitment, ContentKey, CoseMessage, CoseSign, Digest, Kem, KemPrivateKey,
    SignatureAt, SigningKey, UnsignedElement,
};
use chancery_protocol::{
    ASIC_DOCUMENT, ASIC_E, ASIC_HEADER, Archive, Checkpoint, ContentOpener, DocumentHeader,
    EnvelopeHeader, Event, Evidence, FileOpener, FileSealer, ForkProof, Indication, KeptCheckpoint,
    Leaf, LedgerAudit, LogKey, Manifest, Part, PartContent, PeerMessage, ProtocolError, Receipt,
    Recipient, RecipientPart, RecipientParts, SealedNote, SeenCheckpoint, SignedCheckpoint,
    SignedDocument, Urgency, Validation, WitnessStatement, asic_manifest_name, asic_signature_name,
    decode_frame, encode_frame, encrypted_head_len, merkle, recipient_info, sign_document,
    tile::{self, Tile},
    verify_cms, verify_container, verify_cose_receipt, verify_document,
};
use proptest::prelude::*;

const NOW: i64 = 1_790_000_000;

/// One good example of each kind of outside bytes.
struct Good {
    trust: TrustStore,
    log_key: LogKey,
    chain: Vec<Certificate>,
    seeds: Vec<(Kind, Vec<u8>)>,
    tsa: TimeStampAuthority,
    asked: TimeStampRequest,
    encryption: KemPrivateKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Certificate,
    Pem,
    Key,
    Document,
    Envelope,
    Statement,
    Card,
    Directory,
    Checkpoint,
    Evidence,
    Leaf,
    Frame,
    Content,
    Entries,
    Tile,
    Crl,
    Request,
    Cms,
    TimeStamp,
    StampRequest,
    StampAnswer,
    Manifest,
    EncryptedFile,
    LongLived,
    Receipt,
    Witness,
    Fork,
    Seen,
    Kept,
    Container,
    Ber,
}

fn make() -> Good {
    let root = Issuer::new_root("Root", &["gov.cn".parse().unwrap()], Algorithm::EdDsa, NOW);
    let root = root.unwrap();
    let trust = TrustStore::new([root.certificate().clone()]).unwrap();
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let agency = "a.gov.cn".parse().unwrap();
    let subject = Subject::agency(Profile::Seal, agency, "A");
    let certificate = root.issue(&subject, &key.public_key(), NOW).unwrap();
    let pem = key.to_pem(None).unwrap();
    let seal = Credential::new(key, vec![certificate.clone()]).unwrap();

    let part = b"some text".to_vec();
    let header = DocumentHeader {
        kind: "通知".into(),
        number: Some("1".into()),
        title: "A title".into(),
        from: "a.gov.cn".parse().unwrap(),
        to: vec!["b.gov.cn".parse().unwrap()],
        cc: Vec::new(),
        classification: None,
        secrecy_period: None,
        urgency: Urgency::Flash,
        created: NOW,
        deadline: None,
        in_reply_to: None,
        module: "official-documents".into(),
        fields: [("note".to_owned(), "text".to_owned())].into(),
        crit: Vec::new(),
        filing: None,
        form: Default::default(),
        parts: vec![Part {
            name: "a.txt".into(),
            media_type: "text/plain".into(),
            size: part.len() as u64,
            digest: Digest::of(&part),
        }],
        nonce: Digest::of(b"nonce"),
    };
    let document = sign_document(&header, &seal, Commitment::Origin, NOW).unwrap();

    let encryption = KemPrivateKey::generate(Kem::X25519);
    let (from, to) = ("a.gov.cn".parse().unwrap(), "b.gov.cn".parse().unwrap());
    let content_key = ContentKey::generate().unwrap();
    let public = encryption.public_key();
    let info = recipient_info(&from, &to);
    let (wrapped, sealer) = public.prepare().unwrap().wrap_with_part(&content_key, &info).unwrap();
    let envelope = EnvelopeHeader {
        sender: from,
        recipients: vec![Recipient { agency: to, key: wrapped }],
        size: 100,
        root: Digest::of(b"root"),
        commitment: Digest::of(b"commitment"),
        urgency: Urgency::Routine,
        created: NOW,
        expires: NOW + 100,
    };
    let told = PartContent { copy: Some(7) };
    let told = RecipientPart::seal(&told, &envelope.id().unwrap(), sealer).unwrap();
    let parts = RecipientParts::new(vec![Some(told)]);
    let sealed = envelope.seal_with(&parts, &seal, NOW).unwrap();
    let statement = EncryptionKeyStatement {
        agency: "a.gov.cn".parse().unwrap(),
        key: public,
        not_before: NOW,
        not_after: NOW + 100,
    };
    let statement = statement.seal(&seal, NOW).unwrap();
    let card = AgencyCard {
        agency: "a.gov.cn".parse().unwrap(),
        display: "A".into(),
        address: "127.0.0.1:1".into(),
        via: Some("b.gov.cn".parse().unwrap()),
        encryption_key: statement.clone(),
    };
    let card = card.seal(&seal, NOW).unwrap();
    let directory = Directory {
        registrar: "a.gov.cn".parse().unwrap(),
        version: 1,
        issued: NOW,
        expires: NOW + 100,
        agencies: vec![card.clone().into()],
        crls: Vec::new(),
    };
    let agency = || "a.gov.cn".parse::<AgencyName>().unwrap();
    let more = DirectoryMore {
        previous: Some(Previous { version: 0, digest: Digest::of(b"before") }),
        witnesses: [(agency(), [agency()].into())].into(),
        independent: [agency()].into(),
        authorities: vec![certificate.der().to_vec().into()],
    };
    let directory = directory.seal_with(&more, &seal, NOW).unwrap();

    let leaf = Leaf {
        event: Event::ContentConsignment,
        envelope: envelope.id().unwrap(),
        commitment: envelope.commitment,
        counterpart: "b.gov.cn".parse().unwrap(),
        time: NOW,
        evidence: None,
    };
    let leaf = leaf.encode().unwrap();
    let other = merkle::leaf_hash(b"other");
    let checkpoint = Checkpoint {
        origin: "a.gov.cn/ledger".into(),
        size: 2,
        root: merkle::node_hash(&merkle::leaf_hash(&leaf), &other),
    };
    let note = checkpoint.sign(&seal).unwrap();
    let receipt = Receipt {
        leaf: leaf.clone(),
        index: 0,
        proof: vec![other],
        checkpoint: note.clone(),
        cose: Some(checkpoint.sign_cose(&seal).unwrap().into()),
    };
    let evidence = Evidence {
        agency: "a.gov.cn".parse().unwrap(),
        receipt: receipt.clone(),
        chain: vec![certificate.der().to_vec().into()],
        salt: Some(Digest::of(b"salt")),
    };
    let frame = encode_frame(&PeerMessage::Evidence { receipt }).unwrap();

    let length = u32::try_from(document.bytes().len()).unwrap().to_be_bytes();
    let salt = Digest::of(b"salt");
    let head = [b"CHYDOC\x00\x01", &salt.as_bytes()[..], &length, document.bytes(), &part];
    let mut entries = Vec::new();
    tile::push_entry(&mut entries, &leaf).unwrap();
    tile::push_entry(&mut entries, b"other").unwrap();
    let hashes = [merkle::leaf_hash(&leaf), other].map(|h| *h.as_bytes()).concat();

    let revoked =
        Revoked { serial: "0123".into(), time: NOW, reason: RevocationReason::KeyCompromise };
    let crl = root.crl(&[revoked], 1, NOW, NOW + 100).unwrap();
    let asking = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let name = SignerName::Agency("a.gov.cn".parse().unwrap());
    let request = CertificateRequest::make(&asking, &name, "A").unwrap().into_bytes();

    let tsa = SigningKey::generate(Algorithm::Es256).unwrap();
    let subject = Subject::agency(Profile::Timestamp, "tsa.gov.cn".parse().unwrap(), "TSA");
    let made = root.issue(&subject, &tsa.public_key(), NOW).unwrap();
    let tsa = TimeStampAuthority::new(Credential::new(tsa, vec![made]).unwrap(), "1.2.3").unwrap();
    let at = SignatureAt::Signature(0);
    let asked = TimeStampRequest::new(&document.cose().signature_value(at).unwrap()).unwrap();
    let answer = tsa.answer(asked.der(), NOW).unwrap().der;
    let token = asked.accept(&answer).unwrap().der().to_vec();
    let manifest = Manifest::of_document(&document, 0).unwrap().to_xml().into_bytes();
    let cms = sign_cades(&manifest, &seal, NOW).unwrap();
    let long_lived = document
        .clone()
        .countersign(0, &seal, NOW)
        .and_then(|d| d.add_unsigned(at, &UnsignedElement::SignatureTimeStamp(vec![token.clone()])))
        .and_then(|d| d.add_unsigned(at, &UnsignedElement::Crls(vec![crl.clone()])))
        .and_then(|d| d.add_unsigned(at, &UnsignedElement::Cades(cms.clone())))
        .unwrap();
    let to = [("a.gov.cn".parse().unwrap(), encryption.public_key())];
    let (mut sealer, mut encrypted) = FileSealer::new(&to, 9).unwrap();
    sealer.seal(&mut b"some text".to_vec(), true, &mut encrypted).unwrap();

    let chain = vec![certificate.clone()];
    let other = Checkpoint { root: Digest::of(b"another history"), ..checkpoint.clone() };
    let other = SignedCheckpoint { note: other.sign(&seal).unwrap(), checkpoint: other };
    let first = SealedNote::new(&note, &chain);
    let seen = SeenCheckpoint { agency: "a.gov.cn".parse().unwrap(), sealed: first.clone() };
    let fork = ForkProof::of_one_size("a.gov.cn".parse().unwrap(), first, &other, &chain);
    let cose = checkpoint.sign_cose(&seal).unwrap();
    let kept = KeptCheckpoint { note: note.clone(), cose: Some(cose.into()) };
    let witness = WitnessStatement::seal(&asking.public_key(), &seal, NOW).unwrap();
    let container = container(&[
        ("mimetype", ASIC_E.as_bytes()),
        (ASIC_HEADER, document.cose().payload()),
        ("parts/a.txt", &part),
        (&asic_manifest_name(0), &manifest),
        (&asic_signature_name(0), &cms),
        (ASIC_DOCUMENT, document.bytes()),
    ]);
    // The outermost two in indefinite length.
    let (_, rest) = cms.split_at(4 + 11 + 4);
    let ber = [&[0x30, 0x80][..], &cms[4..15], &[0xa0, 0x80], rest, &[0; 4]].concat();
    let seeds = vec![
        (Kind::Certificate, certificate.der().to_vec()),
        (Kind::Pem, encode_pem_chain(&chain).into_bytes()),
        (Kind::Key, pem.as_bytes().to_vec()),
        (Kind::Document, document.bytes().to_vec()),
        (Kind::Envelope, sealed),
        (Kind::Statement, statement),
        (Kind::Card, card),
        (Kind::Directory, directory),
        (Kind::Checkpoint, note.into_bytes()),
        (Kind::Evidence, evidence.encode().unwrap()),
        (Kind::Leaf, leaf),
        (Kind::Frame, frame[4..].to_vec()),
        (Kind::Content, head.concat()),
        (Kind::Entries, entries),
        (Kind::Tile, hashes),
        (Kind::Crl, crl),
        (Kind::Request, request),
        (Kind::Cms, cms),
        (Kind::TimeStamp, token),
        (Kind::StampRequest, asked.der().to_vec()),
        (Kind::StampAnswer, answer),
        (Kind::Manifest, manifest),
        (Kind::EncryptedFile, encrypted),
        (Kind::LongLived, long_lived.bytes().to_vec()),
        (Kind::Receipt, evidence.to_cose().unwrap()),
        (Kind::Witness, witness),
        (Kind::Fork, fork.encode().unwrap()),
        (Kind::Seen, seen.encode().unwrap()),
        (Kind::Kept, kept.encode().unwrap()),
        (Kind::Container, container),
        (Kind::Ber, ber),
    ];
    let log_key = LogKey::of_seal(&certificate).unwrap();
    Good { trust, log_key, chain, seeds, tsa, asked, encryption }
}

fn container(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, bytes) in files {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

static GOOD: LazyLock<Good> = LazyLock::new(make);

/// Reads bytes as a kind. Returns whether they are accepted as genuine: for what is signed or
/// digested that is a claim about every byte; for the rest only that they can be read.
fn accepted(kind: Kind, bytes: &[u8]) -> bool {
    let good = &*GOOD;
    let by = Validation::new(&good.trust, NOW);
    let registrar = "a.gov.cn".parse().unwrap();
    match kind {
        Kind::Certificate => Certificate::from_der(bytes).is_ok_and(|c| {
            drop((c.signer_name(), c.agency_name(), c.public_key().is_some()));
            by.scrutiny().check(&c, &[], chancery_certs::Purpose::Sign).is_ok()
        }),
        Kind::Pem => decode_pem_chain(bytes).is_ok(),
        Kind::Key => {
            std::str::from_utf8(bytes).is_ok_and(|text| SigningKey::from_pem(text, None).is_ok())
        }
        Kind::Document => SignedDocument::decode(bytes).is_ok_and(|document| {
            verify_document(&document, &good.trust, NOW).indication == Indication::TotalPassed
        }),
        Kind::Envelope => {
            drop(EnvelopeHeader::reopen(bytes));
            EnvelopeHeader::open(bytes, &by.scrutiny()).is_ok()
        }
        Kind::Statement => EncryptionKeyStatement::open(bytes, &by.scrutiny()).is_ok(),
        Kind::Card => AgencyCard::open(bytes, &by.scrutiny()).is_ok(),
        Kind::Directory => Directory::open(bytes, &registrar, &by.scrutiny()).is_ok(),
        Kind::Checkpoint => {
            let note = String::from_utf8_lossy(bytes);
            drop(LedgerAudit::begin(&good.chain, &note, Vec::new(), &by));
            SignedCheckpoint::open(&note, &good.log_key).is_ok()
        }
        Kind::Receipt => verify_cose_receipt(bytes, &by).is_ok(),
        Kind::Witness => WitnessStatement::open(bytes, &by.scrutiny()).is_ok(),
        Kind::Fork => ForkProof::decode(bytes).is_ok_and(|p| p.verify(&by.scrutiny()).is_ok()),
        Kind::Seen => SeenCheckpoint::decode(bytes)
            .is_ok_and(|seen| seen.sealed.open_then(&seen.agency, &by).is_ok()),
        Kind::Kept => KeptCheckpoint::open(bytes, std::slice::from_ref(&good.log_key)).is_ok(),
        Kind::Evidence => Evidence::decode(bytes).is_ok_and(|e| e.verify(&by).is_ok()),
        Kind::Leaf => Leaf::decode(bytes).is_ok(),
        Kind::Frame => decode_frame::<PeerMessage>(bytes).is_ok(),
        Kind::Content => {
            let mut opener = ContentOpener::default();
            let read = opener.push(bytes, |_| Ok::<_, ProtocolError>(()));
            read.is_ok() && opener.finish().is_ok()
        }
        Kind::Entries => {
            let mut audit = LedgerAudit::begin(
                &good.chain,
                &String::from_utf8_lossy(&good.seeds[8].1),
                Vec::new(),
                &by,
            )
            .unwrap();
            let Ok(entries) = tile::entries(bytes) else { return false };
            entries.iter().for_each(|leaf| audit.push_leaf(leaf));
            audit.finish();
            true
        }
        Kind::Tile => Tile::decode(bytes).is_ok(),
        Kind::Crl => decode_crls(bytes).is_ok_and(|crls| {
            let seal = &good.chain[0];
            let purpose = chancery_certs::Purpose::Any;
            let known: Vec<_> = crls.iter().map(|crl| KnownCrl { crl, since: NOW }).collect();
            let check = RevocationCheck::Current(&known);
            good.trust.validate_by(seal, &[], &check, NOW, purpose).is_ok()
        }),
        Kind::Request => CertificateRequest::open(bytes).is_ok(),
        Kind::Cms => SignedCms::from_der(bytes).is_ok_and(|cms| {
            let report = verify_cms(&cms, b"content", &Validation::new(&good.trust, NOW));
            drop(report);
            let manifest = &good.seeds.iter().find(|(kind, _)| *kind == Kind::Manifest).unwrap().1;
            let report = verify_cms(&cms, manifest, &Validation::new(&good.trust, NOW));
            report.indication == Indication::TotalPassed
        }),
        Kind::TimeStamp => TimeStampToken::from_der(bytes).is_ok_and(|token| {
            let check = RevocationCheck::None;
            token.verify(&good.trust, &[], &check, NOW + 1).is_ok()
        }),
        Kind::StampRequest => good.tsa.answer(bytes, NOW).unwrap().serial.is_some(),
        Kind::StampAnswer => good.asked.accept(bytes).is_ok(),
        Kind::Manifest => Manifest::from_xml(bytes).is_ok(),
        Kind::EncryptedFile => {
            let Ok(Some(head)) = encrypted_head_len(bytes) else { return false };
            let Some((head, body)) = bytes.split_at_checked(head) else { return false };
            FileOpener::new(head, bytes.len() as u64, &good.encryption)
                .is_ok_and(|mut opener| opener.open(&mut body.to_vec()).is_ok())
        }
        Kind::Ber => ber_to_der(bytes).is_ok_and(|der| {
            assert_eq!(ber_to_der(&der).unwrap(), der);
            true
        }),
        Kind::Container => {
            let Ok(mut archive) = Archive::read(Cursor::new(bytes)) else { return false };
            let Ok(verified) = verify_container(&mut archive, &by) else { return false };
            let passed = verified.report.indication == Indication::TotalPassed;
            // What passes holds the files that were signed, and no others.
            let files: Vec<_> = verified.files.iter().map(|(n, d)| (n.as_str(), *d)).collect();
            let genuine = verified.document.as_ref().is_some_and(|document| {
                let header = Digest::of(document.cose().payload());
                files == [(ASIC_HEADER, header), ("parts/a.txt", Digest::of(b"some text"))]
            });
            assert!(!passed || genuine, "{files:?}");
            passed
        }
        Kind::LongLived => SignedDocument::decode(bytes).is_ok_and(|document| {
            let report = verify_document(&document, &good.trust, NOW + 1);
            report.indication == Indication::TotalPassed
        }),
    }
}

/// Whether every byte of a kind is bound by a signature or digest of ours.
fn bound(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Document
            | Kind::Envelope
            | Kind::Statement
            | Kind::Card
            | Kind::Directory
            | Kind::EncryptedFile
            | Kind::Witness
            | Kind::Fork
            | Kind::Seen
    )
}

#[test]
fn the_examples_are_good() {
    for (kind, bytes) in &GOOD.seeds {
        assert!(accepted(*kind, bytes), "{kind:?}");
        // Where the fuzz targets start from (see fuzz/README.md).
        if let Some(folder) = std::env::var_os("CHANCERY_WRITE_SEEDS") {
            let path = std::path::Path::new(&folder).join(format!("{kind:?}"));
            std::fs::write(path, bytes).unwrap();
        }
    }
}

#[derive(Debug, Clone)]
enum Damage {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Copy(prop::sample::Index, prop::sample::Index, usize),
    Splice(prop::sample::Index, prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => (at(), 0u8..8).prop_map(|(i, bit)| Damage::Flip(i, bit)),
        1 => at().prop_map(Damage::Cut),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(i, b)| Damage::Insert(i, b)),
        1 => (at(), 1usize..9).prop_map(|(i, n)| Damage::Remove(i, n)),
        1 => (at(), at(), 1usize..40).prop_map(|(i, j, n)| Damage::Copy(i, j, n)),
        1 => (at(), at()).prop_map(|(i, j)| Damage::Splice(i, j)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    if bytes.is_empty() {
        return;
    }
    let len = bytes.len();
    match damage {
        Damage::Flip(i, bit) => bytes[i.index(len)] ^= 1 << bit,
        Damage::Cut(i) => bytes.truncate(i.index(len)),
        Damage::Insert(i, more) => {
            let at = i.index(len);
            bytes.splice(at..at, more.iter().copied());
        }
        Damage::Remove(i, n) => {
            let at = i.index(len);
            bytes.drain(at..(at + n).min(len));
        }
        Damage::Copy(i, j, n) => {
            let (from, to) = (i.index(len), j.index(len));
            let piece = bytes[from..(from + n).min(len)].to_vec();
            bytes.splice(to..to, piece);
        }
        Damage::Splice(i, j) => {
            // Not from a document whose unsigned elements may change unnoticed.
            let sources = GOOD.seeds.iter().filter(|(kind, _)| !matches!(kind, Kind::LongLived));
            let sources: Vec<_> = sources.collect();
            let (other, at) = (i.get(&sources).1.clone(), j.index(len));
            bytes.truncate(at);
            bytes.extend(&other[at.min(other.len())..]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn damaged_bytes_are_refused_or_read_and_never_panic(
        which in any::<prop::sample::Index>(), damages in prop::collection::vec(damage(), 1..4)
    ) {
        let (kind, good) = which.get(&GOOD.seeds);
        let mut bytes = good.clone();
        damages.iter().for_each(|damage| apply(&mut bytes, damage));
        let taken = accepted(*kind, &bytes);
        // A splice can turn one good example into another, whole.
        let whole = GOOD.seeds.iter().any(|(_, seed)| *seed == bytes);
        if bound(*kind) && !whole {
            prop_assert!(!taken, "altered bytes were taken as genuine");
        }
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (kind, _) in &GOOD.seeds {
            accepted(*kind, &bytes);
        }
        drop((CoseSign::decode(&bytes), CoseMessage::decode(&bytes, &[])));
    }
}
