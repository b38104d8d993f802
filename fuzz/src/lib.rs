//! What the fuzz targets call: every parser of bytes that come from outside, and what is done with what it
//! gives. None may panic, hang, or take memory beyond its input's measure.

use std::sync::LazyLock;

use chancery_certs::{
    AgencyCard, Certificate, CertificateRequest, Credential, Directory, EncryptionKeyStatement,
    Issuer, KnownCrl, Profile, Purpose, RevocationCheck, Scrutiny, SignedCms, Subject,
    TimeStampAuthority, TimeStampRequest, TimeStampToken, TrustStore, Uncovered,
    certificate_blocks, decode_crls, decode_pem_chain, decode_public_key,
};
use chancery_crypto::{
    Algorithm, CoseMessage, CoseReceipt, CoseSign, Kem, KemPrivateKey, KemPublicKey, SigningKey,
    WrappedKey, XWingBy, cbor, unwrap_key,
};
use chancery_protocol::{
    CheckedEvidence, ContentOpener, EnvelopeHeader, Evidence, EvidenceVerifier, FileOpener,
    ForkProof, Held, HeldItem, Indication, KeptCheckpoint, Leaf, LedgerAudit, LogKey, Manifest,
    ProtocolError, PurgeOrder, SeenCheckpoint, SignedCheckpoint, SignedDocument, Validation,
    WitnessKey, WitnessStatement, decode_frame, encrypted_head_len,
    tile::{self, Tile},
    verify_cms, verify_cose_receipt, verify_document,
};

/// The time at which everything is looked at.
const NOW: i64 = 1_790_000_000;

static ROOT: LazyLock<Issuer> =
    LazyLock::new(|| Issuer::new_root("Root", &[], Algorithm::EdDsa, NOW).expect("a root"));
static TRUST: LazyLock<TrustStore> =
    LazyLock::new(|| TrustStore::new([ROOT.certificate().clone()]).expect("an anchor"));
static SEAL: LazyLock<Certificate> = LazyLock::new(|| {
    let key = SigningKey::generate(Algorithm::EdDsa).expect("a key");
    let name = "a.gov.cn".parse().expect("a name");
    let subject = Subject::agency(Profile::Seal, name, "A");
    ROOT.issue(&subject, &key.public_key(), NOW).expect("a seal")
});
static LOG: LazyLock<LogKey> = LazyLock::new(|| LogKey::of_seal(&SEAL).expect("a key"));
static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate(Algorithm::Es256).expect("a key"));
static KEM: LazyLock<KemPrivateKey> = LazyLock::new(|| KemPrivateKey::generate(Kem::X25519));
static ASKED: LazyLock<TimeStampRequest> =
    LazyLock::new(|| TimeStampRequest::new(b"data").expect("a request"));
static TSA: LazyLock<TimeStampAuthority> = LazyLock::new(|| {
    let key = SigningKey::generate(Algorithm::EdDsa).expect("a key");
    let name = "tsa.gov.cn".parse().expect("a name");
    let subject = Subject::agency(Profile::Timestamp, name, "TSA");
    let made = ROOT.issue(&subject, &key.public_key(), NOW).expect("a certificate");
    let credential = Credential::new(key, vec![made]).expect("fits");
    TimeStampAuthority::new(credential, "1.2.3").expect("an authority")
});

/// By what the signers of statements are judged.
fn by() -> Scrutiny<'static> {
    Scrutiny::without_lists(&TRUST, NOW)
}

/// Fuzzes the parsers of one kind: certificate.
pub fn certificate(data: &[u8]) {
    let Ok(certificate) = Certificate::from_der(data) else { return };
    drop((certificate.signer_name(), certificate.agency_name(), decode_pem_chain(data)));
    drop(by().check(&certificate, std::slice::from_ref(&certificate), Purpose::Sign));
    drop(by().check(&certificate, &[], Purpose::Server));
    if let Ok(own) = TrustStore::new([certificate.clone()]) {
        drop(Scrutiny::without_lists(&own, NOW).check(&certificate, &[], Purpose::Any));
    }
}

/// Fuzzes the parsers of one kind: crl.
pub fn crl(data: &[u8]) {
    let Ok(crls) = decode_crls(data) else { return };
    let known: Vec<_> = crls.iter().map(|crl| KnownCrl { crl, since: NOW }).collect();
    let root = ROOT.certificate();
    for check in
        [RevocationCheck::Current(&known), RevocationCheck::Past { crls: &known, fresh: 1, uncovered: Uncovered::Open }]
    {
        drop(TRUST.validate_by(root, std::slice::from_ref(root), &check, NOW, Purpose::Any));
    }
}

/// Fuzzes the parsers of one kind: request.
pub fn request(data: &[u8]) {
    drop(CertificateRequest::open(data));
}

/// Fuzzes the parsers of one kind: key.
pub fn key(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        drop(SigningKey::from_pem(text, None));
    }
    drop((SigningKey::from_pkcs8_der(data.to_vec().into()), decode_public_key(data)));
}

/// Fuzzes the parsers of one kind: document.
pub fn document(data: &[u8]) {
    let Ok(document) = SignedDocument::decode(data) else { return };
    let report = verify_document(&document, &TRUST, NOW);
    assert_ne!(report.indication, Indication::TotalPassed);
    drop((Manifest::of_document(&document, 0).to_xml(), document.signatures()));
}

/// Fuzzes the parsers of one kind: cose.
pub fn cose(data: &[u8]) {
    drop(CoseSign::decode(data));
    let Ok(message) = CoseMessage::decode(data, &[]) else { return };
    for index in 0..message.signatures().len() {
        drop(message.verify(index, &KEY.public_key(), b"", None));
        drop(message.verify(index, &KEY.public_key(), b"", Some(b"payload")));
    }
}

/// Fuzzes the parsers of one kind: cbor.
pub fn cbor(data: &[u8]) {
    if cbor::check(data).is_ok() {
        drop(cbor::decode::<chancery_protocol::PeerMessage>(data));
    }
}

/// Fuzzes the parsers of one kind: cms.
pub fn cms(data: &[u8]) {
    let Ok(cms) = SignedCms::from_der(data) else { return };
    drop(verify_cms(&cms, b"content", &Validation::new(&TRUST, NOW)));
    drop(cms.with_time_stamp(0, data));
}

/// Fuzzes the parsers of one kind: timestamp.
pub fn timestamp(data: &[u8]) {
    drop(ASKED.accept(data));
    let Ok(token) = TimeStampToken::from_der(data) else { return };
    drop((token.time(), token.serial(), token.covers(b"data")));
    drop(token.verify(&TRUST, &[], &RevocationCheck::None, NOW));
}

/// Fuzzes the parsers of one kind: timestamp request.
pub fn timestamp_request(data: &[u8]) {
    drop(TSA.answer(data, NOW).expect("an answer, if only a refusal"));
}

/// Fuzzes the parsers of one kind: manifest.
pub fn manifest(data: &[u8]) {
    if let Ok(manifest) = Manifest::from_xml(data) {
        assert_eq!(Manifest::from_xml(manifest.to_xml().as_bytes()), Ok(manifest));
    }
}

/// Fuzzes the parsers of one kind: encrypted file.
pub fn encrypted_file(data: &[u8]) {
    let Ok(Some(length)) = encrypted_head_len(data) else { return };
    let Some((head, body)) = data.split_at_checked(length) else { return };
    if let Ok(mut opener) = FileOpener::new(head, data.len() as u64, &KEM) {
        drop(opener.open(&mut body.to_vec()));
    }
}

/// Fuzzes the parsers of one kind: content.
pub fn content(data: &[u8]) {
    let mut opener = ContentOpener::default();
    for piece in data.chunks(97) {
        if opener.push(piece, |_| Ok::<_, ProtocolError>(())).is_err() {
            return;
        }
    }
    drop(opener.finish());
}

/// Fuzzes the parsers of one kind: envelope.
pub fn envelope(data: &[u8]) {
    drop((EnvelopeHeader::reopen(data), EnvelopeHeader::open(data, &by())));
}

/// Fuzzes the parsers of one kind: directory.
pub fn directory(data: &[u8]) {
    let registrar = "a.gov.cn".parse().expect("a name");
    drop(Directory::open(data, &registrar, &by()));
    drop((AgencyCard::open(data, &by()), EncryptionKeyStatement::open(data, &by())));
}

/// Fuzzes the parsers of one kind: frame.
pub fn frame(data: &[u8]) {
    drop(decode_frame::<chancery_protocol::PeerMessage>(data));
}

/// Fuzzes the parsers of one kind: ledger.
pub fn ledger(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    drop((SignedCheckpoint::open(&text, &LOG), Leaf::decode(data), Tile::decode(data)));
    drop((tile::entries(data), KeptCheckpoint::open(data, std::slice::from_ref(&LOG))));
    drop((WitnessStatement::open(data, &by()), verify_cose_receipt(data, &Validation::new(&TRUST, NOW))));
    if let Ok(proof) = ForkProof::decode(data) {
        assert!(proof.verify(&by()).is_err());
    }
    if let Ok(seen) = SeenCheckpoint::decode(data) {
        drop(seen.sealed.open_then(&seen.agency, &Validation::new(&TRUST, NOW)));
    }
    if let Ok(evidence) = Evidence::decode(data) {
        drop(evidence.verify(&Validation::new(&TRUST, NOW)));
    }
}

/// Fuzzes the parsers of one kind: PEM, of certificates and of revocation lists.
pub fn pem(data: &[u8]) {
    drop((decode_pem_chain(data), certificate_blocks(data), decode_crls(data)));
    if let Ok(text) = std::str::from_utf8(data) {
        drop(SigningKey::from_pem(text, Some(b"passphrase")));
    }
}

/// Fuzzes the parsers of one kind: key encapsulation, by two libraries, which must agree in everything.
pub fn kem(data: &[u8]) {
    let ways = [XWingBy::here(), XWingBy::Reference];
    let public = KemPublicKey { kem: Kem::XWing, key: data.to_vec() };
    let [one, other] = ways.map(|by| public.prepare_by(by).is_ok());
    assert_eq!(one, other);
    let Some((seed, rest)) = data.split_at_checked(32) else { return };
    let Some((ct, enc)) = rest.split_at_checked(48) else { return };
    let wrapped = WrappedKey { ct: ct.to_vec(), enc: enc.to_vec(), kem: Kem::XWing };
    let keys = ways.map(|by| KemPrivateKey::from_bytes_by(Kem::XWing, seed, by).expect("32 bytes"));
    assert_eq!(keys[0].public_key(), keys[1].public_key());
    let opened = keys.map(|key| unwrap_key(&key, &wrapped, b"").map(|key| key.expose().to_vec()));
    assert_eq!(opened[0], opened[1]);
}

/// Fuzzes the parsers of one kind: orders to remove contents.
pub fn order(data: &[u8]) {
    assert!(PurgeOrder::open(data, &by()).is_err());
}

/// Fuzzes the parsers of one kind: evidence, as an opened document or an export holds it.
pub fn evidence(data: &[u8]) {
    let by = Validation::new(&TRUST, NOW);
    let verifier = EvidenceVerifier::new(&by);
    assert!(!CheckedEvidence::check("evidence", data, &verifier).holds());
    drop((
        verify_cose_receipt(data, &by),
        CoseReceipt::decode(data),
        cbor::decode::<WrappedKey>(data),
    ));
    let Ok(evidence) = Evidence::decode(data) else { return };
    assert!(verifier.verify(&evidence).is_err());
    drop((evidence.encode(), evidence.to_cose()));
}

/// Pieces of the input, each behind two bytes that say its length.
fn pieces(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = data.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (piece, rest) = rest.split_at(length);
        data = rest;
        Some(piece)
    })
}

/// Fuzzes the parsers of one kind: a whole export, piece by piece.
pub fn export(data: &[u8]) {
    let by = Validation::new(&TRUST, NOW);
    let mut pieces = pieces(data);
    let note = String::from_utf8_lossy(pieces.next().unwrap_or_default()).into_owned();
    let held = Evidence::decode(pieces.next().unwrap_or_default());
    let held = held.into_iter().map(|evidence| Held {
        holder: "B".into(),
        what: HeldItem::Receipt(evidence),
    });
    let chain = [SEAL.clone()];
    let mut audit =
        LedgerAudit::begin(&chain, &note, held.collect(), &by).expect("its seal is one");
    let keys = audit.keys();
    let verifier = EvidenceVerifier::new(&by);
    while let Some(piece) = pieces.next() {
        let (kind, piece) = piece.split_first().unwrap_or((&0, &[]));
        match kind % 6 {
            0 => drop(
                tile::entries(piece).map(|all| all.iter().for_each(|leaf| audit.push_leaf(leaf))),
            ),
            1 => audit.push_leaf(piece),
            2 => audit.push_history(KeptCheckpoint::open(piece, &keys)),
            3 => audit.push_history(KeptCheckpoint::read_unverified(piece)),
            4 => {
                let line = String::from_utf8_lossy(piece).into_owned();
                audit.add_cosignature(&note, &line, pieces.next().unwrap_or_default());
            }
            _ => {
                audit.push_order("order", piece);
                audit.push_evidence(CheckedEvidence::check("evidence", piece, &verifier));
            }
        }
    }
    assert_ne!(audit.finish().indication, Indication::TotalPassed);
}

/// Fuzzes the parsers of one kind: notes of checkpoints and the lines of witnesses.
pub fn note(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    drop(LOG.vkey());
    let name = "w.gov.cn".parse().expect("a name");
    let witness = WitnessKey::new(&name, &KEY_OF_WITNESS).expect("a key");
    for note in [text.clone().into_owned(), format!("a.gov.cn/ledger\n1\n{text}")] {
        let Ok(checkpoint) = chancery_protocol::Checkpoint::read_unverified(&note) else {
            continue;
        };
        let signed = SignedCheckpoint { checkpoint, note };
        drop((signed.signers(), witness.cosigned(&signed), signed.with_line(&text)));
    }
}
static KEY_OF_WITNESS: LazyLock<chancery_crypto::PublicKey> =
    LazyLock::new(|| SigningKey::generate(Algorithm::EdDsa).expect("a key").public_key());
