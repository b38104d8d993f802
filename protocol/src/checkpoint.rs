use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use chancery_certs::{AgencyName, Certificate, Credential};
use chancery_crypto::{CoseReceipt, Digest, Hasher, PublicKey, SigningKey, cbor};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{CheckpointFault, ProtocolError, ReceiptFault};

/// The longest checkpoint note that is read: witnesses may be many, and post-quantum signatures take kilobytes.
const MAX_NOTE: usize = 1024 * 1024;
/// The most signature lines that are read (C2SP signed-note asks for at least 16).
const MAX_LINES: usize = 1024;
/// The signature type of a timestamped Ed25519 cosignature (C2SP signed-note).
const COSIGNATURE: u8 = 0x04;

/// The state of a ledger at one size (C2SP tlog-checkpoint).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The ledger's name: `<agency>/ledger`.
    pub origin: String,
    /// The number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

fn bad(fault: CheckpointFault) -> ProtocolError {
    ProtocolError::Checkpoint(fault)
}

impl Checkpoint {
    /// The origin of an agency's ledger.
    pub fn origin_of(agency: &AgencyName) -> String {
        format!("{agency}/ledger")
    }

    pub(crate) fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root))
    }

    /// Signs the checkpoint by an agency's seal: a signed note (C2SP signed-note) of type 0x01 for
    /// Ed25519 or 0x02 for ECDSA.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] when signing fails.
    pub fn sign(&self, by: &Credential) -> Result<String, ProtocolError> {
        let text = self.text();
        let key = LogKey::new(&self.origin, &by.key().public_key())?;
        let mut line = key.id.to_vec();
        line.extend(by.key().sign_der(text.as_bytes())?);
        Ok(format!("{text}\n\u{2014} {} {}\n", self.origin, BASE64.encode(line)))
    }
}

impl Checkpoint {
    /// Signs the root alone, in the form of a COSE receipt that has no proof yet (RFC 9942).
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] when signing fails.
    pub fn sign_cose(&self, by: &Credential) -> Result<Vec<u8>, ProtocolError> {
        Ok(CoseReceipt::sign(&self.root, self.origin.as_bytes(), by.key())?.encode()?)
    }

    /// What a note says, without asking who signed it.
    ///
    /// # Errors
    /// [`ProtocolError::Checkpoint`] when it is malformed.
    pub fn read_unverified(note: &str) -> Result<Self, ProtocolError> {
        parse(note).map(|(_, checkpoint, _)| checkpoint)
    }
}

/// The key that a ledger's checkpoints are checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey {
    name: String,
    id: [u8; 4],
    key: PublicKey,
}

impl LogKey {
    /// The key named `name` (the ledger's origin).
    ///
    /// # Errors
    /// [`ProtocolError::Checkpoint`] when the key is of no kind that signs notes.
    pub fn new(name: &str, key: &PublicKey) -> Result<Self, ProtocolError> {
        let mut hasher = Hasher::new();
        match key {
            PublicKey::Ed25519(bytes) => {
                hasher.update(name.as_bytes());
                hasher.update(b"\n\x01");
                hasher.update(bytes);
            }
            _ => {
                let spki = key.spki_der().ok_or_else(|| bad(CheckpointFault::RsaKey))?;
                hasher.update(&spki);
            }
        }
        let [a, b, c, d, ..] = *hasher.finish().as_bytes();
        Ok(Self { name: name.to_owned(), id: [a, b, c, d], key: key.clone() })
    }

    /// Verifies the signature of a COSE receipt over a root, and that it names this ledger.
    ///
    /// # Errors
    /// [`ProtocolError::Receipt`], saying what does not hold.
    pub fn verify_cose(&self, receipt: &CoseReceipt, root: &Digest) -> Result<(), ProtocolError> {
        if receipt.key_id() != self.name.as_bytes() {
            let found = String::from_utf8_lossy(receipt.key_id()).into_owned();
            return Err(ReceiptFault::CoseOrigin { found, want: self.name.clone() }.into());
        }
        receipt.verify(root, &self.key).map_err(|_| ReceiptFault::CoseSignature.into())
    }

    /// The key of an agency's ledger, from the agency's seal certificate.
    ///
    /// # Errors
    /// [`ProtocolError`] when the certificate names no agency or its key signs no notes.
    pub fn of_seal(seal: &Certificate) -> Result<Self, ProtocolError> {
        let origin = Checkpoint::origin_of(&seal.agency_name()?);
        let key = seal.public_key().ok_or_else(|| bad(CheckpointFault::UnknownKeyKind))?;
        Self::new(&origin, key)
    }
}

/// A checkpoint as a ledger keeps it for its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCheckpoint {
    /// The COSE signature over the root; ledgers of the first version have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cose: Option<ByteBuf>,
    /// The signed note.
    pub note: String,
}

impl KeptCheckpoint {
    /// The kept form.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] never in practice; the form is plain.
    pub fn encode(&self) -> Result<Vec<u8>, ProtocolError> {
        Ok(cbor::encode(self)?)
    }

    /// Reads the kept form without asking who signed it.
    ///
    /// # Errors
    /// [`ProtocolError`] when it is malformed.
    pub fn read_unverified(bytes: &[u8]) -> Result<Checkpoint, ProtocolError> {
        Checkpoint::read_unverified(&cbor::decode_open::<Self>(bytes, cbor::MAX_BYTES)?.note)
    }

    /// Reads the kept form and verifies both signatures by one of the keys that the ledger has had.
    ///
    /// # Errors
    /// [`ProtocolError`], saying what does not hold, by the last key tried.
    pub fn open(bytes: &[u8], keys: &[LogKey]) -> Result<Checkpoint, ProtocolError> {
        let kept: Self = cbor::decode_open(bytes, cbor::MAX_BYTES)?;
        let mut why = bad(CheckpointFault::NoKey);
        for key in keys {
            match SignedCheckpoint::open(&kept.note, key) {
                Err(error) => why = error,
                Ok(signed) => {
                    if let Some(cose) = &kept.cose {
                        key.verify_cose(&CoseReceipt::decode(cose)?, &signed.checkpoint.root)?;
                    }
                    return Ok(signed.checkpoint);
                }
            }
        }
        Err(why)
    }
}

/// A checkpoint whose signature by its ledger's key was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// The note as it was signed.
    pub note: String,
}

impl SignedCheckpoint {
    /// Parses a note and verifies its signature by `key`.
    ///
    /// # Errors
    /// [`ProtocolError::Checkpoint`], saying what is wrong.
    pub fn open(note: &str, key: &LogKey) -> Result<Self, ProtocolError> {
        let (text, checkpoint, signatures) = parse(note)?;
        if checkpoint.origin != key.name {
            let (found, want) = (checkpoint.origin, key.name.clone());
            return Err(bad(CheckpointFault::Origin { found, want }));
        }
        let scheme = key.key.own_scheme().ok_or_else(|| bad(CheckpointFault::KeySignsNone))?;
        for (name, signature) in signatures {
            let Some((id, signature)) = signature.split_first_chunk::<4>() else { continue };
            // Signatures of others are ignored; one that claims to be this key's must verify.
            if name == key.name && *id == key.id {
                key.key
                    .verify_der(scheme, text.as_bytes(), signature)
                    .map_err(|_| bad(CheckpointFault::SealSignature))?;
                return Ok(Self { checkpoint, note: note.to_owned() });
            }
        }
        Err(bad(CheckpointFault::NotSealed))
    }
}

impl LogKey {
    /// The key in the form in which transparency-log clients take it (`vkey` of C2SP signed-note), if
    /// there is one for its kind: for Ed25519.
    pub fn vkey(&self) -> Option<String> {
        match &self.key {
            PublicKey::Ed25519(bytes) => Some(vkey(&self.name, self.id, 0x01, bytes)),
            _ => None,
        }
    }
}

fn vkey(name: &str, id: [u8; 4], kind: u8, key: &[u8]) -> String {
    let key: Vec<u8> = std::iter::once(kind).chain(key.iter().copied()).collect();
    format!("{name}+{}+{}", hex::encode(id), BASE64.encode(key))
}

/// The key that a witness cosigns checkpoints of other ledgers with (C2SP tlog-cosignature).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessKey {
    name: String,
    id: [u8; 4],
    key: PublicKey,
}

impl WitnessKey {
    /// The key of an agency as a witness.
    ///
    /// # Errors
    /// [`ProtocolError::Checkpoint`] when it is not an Ed25519 key: cosignatures know no other.
    pub fn new(agency: &AgencyName, key: &PublicKey) -> Result<Self, ProtocolError> {
        let name = format!("{agency}/witness");
        let PublicKey::Ed25519(bytes) = key else {
            return Err(bad(CheckpointFault::WitnessKeyKind));
        };
        let mut hasher = Hasher::new();
        hasher.update(name.as_bytes());
        hasher.update(&[b'\n', COSIGNATURE]);
        hasher.update(bytes);
        let [a, b, c, d, ..] = *hasher.finish().as_bytes();
        Ok(Self { name, id: [a, b, c, d], key: key.clone() })
    }

    /// The witness's name: `<agency>/witness`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key in the form in which transparency-log clients take it.
    pub fn vkey(&self) -> String {
        match &self.key {
            PublicKey::Ed25519(bytes) => vkey(&self.name, self.id, COSIGNATURE, bytes),
            // It is made from no other.
            _ => String::new(),
        }
    }

    /// The raw public key, without the name.
    pub fn raw(&self) -> &[u8] {
        match &self.key {
            PublicKey::Ed25519(bytes) => bytes,
            // It is made from no other.
            _ => &[],
        }
    }

    /// The time that a cosignature's line says, without asking whether it holds.
    pub fn time_of(line: &str) -> Option<i64> {
        let (_, base64) = line.trim_end().strip_prefix("\u{2014} ")?.split_once(' ')?;
        let decoded = BASE64.decode(base64).ok()?;
        let (time, _) = decoded.get(4..)?.split_first_chunk::<8>()?;
        i64::try_from(u64::from_be_bytes(*time)).ok()
    }

    /// When this witness cosigned a checkpoint with a signature line that stands alone.
    ///
    /// # Errors
    /// As [`WitnessKey::cosigned`], and when the line is none of this witness's.
    pub fn cosigned_line(&self, of: &Checkpoint, line: &str) -> Result<i64, ProtocolError> {
        let note = format!("{}\n{line}", of.text());
        let alone = SignedCheckpoint { checkpoint: of.clone(), note };
        let time = self.cosigned(&alone)?;
        time.ok_or_else(|| bad(CheckpointFault::NotCosigned { witness: self.name.clone() }))
    }

    /// Cosigns a checkpoint at `time` (seconds since 1970 UTC): a signature line. The witness says with
    /// it that this is the newest checkpoint of its log that it knows, and consistent with all before.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] when signing fails, [`ProtocolError::Checkpoint`] for another key or a
    /// time before 1970.
    pub fn cosign(
        &self,
        checkpoint: &SignedCheckpoint,
        key: &SigningKey,
        time: i64,
    ) -> Result<String, ProtocolError> {
        let time = u64::try_from(time).map_err(|_| bad(CheckpointFault::Before1970))?;
        if key.public_key() != self.key {
            return Err(bad(CheckpointFault::NotWitnessKey));
        }
        let signed = cosigned_text(&checkpoint.checkpoint.text(), time);
        let mut line = self.id.to_vec();
        line.extend(time.to_be_bytes());
        line.extend(key.sign(signed.as_bytes())?);
        Ok(format!("\u{2014} {} {}\n", self.name, BASE64.encode(line)))
    }

    /// When this witness cosigned the checkpoint, or `None` when it did not.
    ///
    /// # Errors
    /// [`ProtocolError::Checkpoint`] when a signature that claims to be this witness's is wrong.
    pub fn cosigned(&self, checkpoint: &SignedCheckpoint) -> Result<Option<i64>, ProtocolError> {
        let (text, _, signatures) = parse(&checkpoint.note)?;
        for (name, signature) in signatures {
            let Some((id, rest)) = signature.split_first_chunk::<4>() else { continue };
            if name != self.name || *id != self.id {
                continue;
            }
            let (time, signature) = rest
                .split_first_chunk::<8>()
                .ok_or_else(|| bad(CheckpointFault::CosignatureCut { name: name.to_owned() }))?;
            let time = u64::from_be_bytes(*time);
            let scheme =
                self.key.own_scheme().ok_or_else(|| bad(CheckpointFault::KeySignsNothing))?;
            self.key
                .verify_der(scheme, cosigned_text(text, time).as_bytes(), signature)
                .map_err(|_| bad(CheckpointFault::CosignatureWrong { name: name.to_owned() }))?;
            return Ok(i64::try_from(time).ok());
        }
        Ok(None)
    }
}

/// What a cosignature covers (C2SP tlog-cosignature).
fn cosigned_text(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

impl SignedCheckpoint {
    /// The checkpoint with a witness's signature line, after those that it has.
    ///
    /// # Errors
    /// [`ProtocolError::Checkpoint`] when it cannot hold more or the line is malformed.
    pub fn with_line(&self, line: &str) -> Result<Self, ProtocolError> {
        let note = format!("{}{line}", self.note);
        parse(&note)?;
        Ok(Self { checkpoint: self.checkpoint.clone(), note })
    }

    /// The checkpoint with each of its signature lines alone that are not by the ledger's own name, and whose each is.
    pub fn others(&self) -> Vec<(String, Self)> {
        let Some((text, lines)) = self.note.rsplit_once("\n\n") else { return Vec::new() };
        let named = lines.lines().filter_map(|line| {
            let (name, _) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
            Some((name, line)).filter(|(name, _)| *name != self.checkpoint.origin)
        });
        let alone = named.map(|(name, line)| {
            let (checkpoint, note) = (self.checkpoint.clone(), format!("{text}\n\n{line}\n"));
            (name.to_owned(), Self { checkpoint, note })
        });
        alone.collect()
    }

    /// The names of all that signed the note, the log's own and witnesses, verified or not.
    pub fn signers(&self) -> Vec<String> {
        let signatures = parse(&self.note).map_or_else(|_| Vec::new(), |(_, _, s)| s);
        signatures.into_iter().map(|(name, _)| name.to_owned()).collect()
    }
}

type Parsed<'a> = (&'a str, Checkpoint, Vec<(&'a str, Vec<u8>)>);

fn parse(note: &str) -> Result<Parsed<'_>, ProtocolError> {
    if note.len() > MAX_NOTE || note.chars().any(|c| c < ' ' && c != '\n') {
        return Err(bad(CheckpointFault::TooLongOrControl));
    }
    let (head, lines) =
        note.rsplit_once("\n\n").ok_or_else(|| bad(CheckpointFault::NoSignatures))?;
    let text = note.get(..head.len() + 1).ok_or_else(|| bad(CheckpointFault::Cut))?;
    let mut signatures = Vec::new();
    for line in lines.strip_suffix('\n').ok_or_else(|| bad(CheckpointFault::Cut))?.split('\n') {
        let line = line.strip_prefix("\u{2014} ").and_then(|l| l.split_once(' '));
        let (name, base64) = line.ok_or_else(|| bad(CheckpointFault::SignatureLine))?;
        let decoded = BASE64.decode(base64).map_err(|_| bad(CheckpointFault::SignatureBase64))?;
        signatures.push((name, decoded));
    }
    if signatures.len() > MAX_LINES {
        return Err(bad(CheckpointFault::TooManySignatures));
    }
    let mut lines = text.lines();
    let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
        return Err(bad(CheckpointFault::TooFewLines));
    };
    // One way to write a size: no sign, no leading zero.
    let parsed: u64 = size.parse().map_err(|_| bad(CheckpointFault::Size))?;
    if parsed.to_string() != size || origin.is_empty() {
        return Err(bad(CheckpointFault::PlainForm));
    }
    let root = BASE64.decode(root).ok().and_then(|root| Digest::from_slice(&root));
    let root = root.ok_or_else(|| bad(CheckpointFault::Root))?;
    let checkpoint = Checkpoint { origin: origin.to_owned(), size: parsed, root };
    Ok((text, checkpoint, signatures))
}
