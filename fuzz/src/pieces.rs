//! Targets of what is read piece by piece, or by two libraries.

use std::sync::LazyLock;

use chancery_certs::{
    Certificate, Profile, Scrutiny, Subject, certificate_blocks, decode_crls, decode_pem_chain,
};
use chancery_crypto::{
    Algorithm, CoseReceipt, Kem, KemPrivateKey, KemPublicKey, PublicKey, SigningKey, WrappedKey,
    XWingBy, cbor, unwrap_key,
};
use chancery_protocol::{
    CheckedEvidence, Checkpoint, Evidence, EvidenceVerifier, Held, HeldItem, Indication,
    KeptCheckpoint, LedgerAudit, PurgeOrder, SignedCheckpoint, Validation, WitnessKey, tile,
    verify_cose_receipt,
};

use super::{LOG, NOW, ROOT, TRUST};

static SEAL: LazyLock<Certificate> = LazyLock::new(|| {
    let key = SigningKey::generate(Algorithm::EdDsa).expect("a key");
    let subject = Subject::agency(Profile::Seal, "a.gov.cn".parse().expect("a name"), "A");
    ROOT.issue(&subject, &key.public_key(), NOW).expect("a seal")
});
static WITNESS: LazyLock<PublicKey> =
    LazyLock::new(|| SigningKey::generate(Algorithm::EdDsa).expect("a key").public_key());

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
    assert!(PurgeOrder::open(data, &Scrutiny::without_lists(&TRUST, NOW)).is_err());
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
    let witness = WitnessKey::new(&name, &WITNESS).expect("a key");
    for note in [text.clone().into_owned(), format!("a.gov.cn/ledger\n1\n{text}")] {
        let Ok(checkpoint) = Checkpoint::read_unverified(&note) else {
            continue;
        };
        let signed = SignedCheckpoint { checkpoint, note };
        drop((signed.signers(), witness.cosigned(&signed), signed.with_line(&text)));
    }
}
