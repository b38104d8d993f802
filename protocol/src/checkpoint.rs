use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use chancery_certs::{AgencyName, Certificate, Credential};
use chancery_crypto::{Digest, Hasher, PublicKey};

use crate::ProtocolError;

/// The longest checkpoint note that is read.
const MAX_NOTE: usize = 16 * 1024;
/// The most signature lines that are looked at (C2SP signed-note asks for at least 16).
const MAX_LINES: usize = 32;

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

fn bad(what: impl Into<String>) -> ProtocolError {
    ProtocolError::Checkpoint(what.into())
}

impl Checkpoint {
    /// The origin of an agency's ledger.
    pub fn origin_of(agency: &AgencyName) -> String {
        format!("{agency}/ledger")
    }

    fn text(&self) -> String {
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
                let spki = key.spki_der().ok_or_else(|| bad("an RSA key signs no checkpoints"))?;
                hasher.update(&spki);
            }
        }
        let [a, b, c, d, ..] = *hasher.finish().as_bytes();
        Ok(Self { name: name.to_owned(), id: [a, b, c, d], key: key.clone() })
    }

    /// The key of an agency's ledger, from the agency's seal certificate.
    ///
    /// # Errors
    /// [`ProtocolError`] when the certificate names no agency or its key signs no notes.
    pub fn of_seal(seal: &Certificate) -> Result<Self, ProtocolError> {
        let origin = Checkpoint::origin_of(&seal.agency_name()?);
        let key = seal.public_key().ok_or_else(|| bad("the seal's key is of an unknown kind"))?;
        Self::new(&origin, key)
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
            let found = &checkpoint.origin;
            return Err(bad(format!("it is of the ledger {found:?}, not {:?}", key.name)));
        }
        let scheme = key.key.own_scheme().ok_or_else(|| bad("the key signs no checkpoints"))?;
        for (name, signature) in signatures {
            let Some((id, signature)) = signature.split_first_chunk::<4>() else { continue };
            // Signatures of others are ignored; one that claims to be this key's must verify.
            if name == key.name && *id == key.id {
                key.key
                    .verify_der(scheme, text.as_bytes(), signature)
                    .map_err(|_| bad("the signature of the ledger's seal is wrong"))?;
                return Ok(Self { checkpoint, note: note.to_owned() });
            }
        }
        Err(bad("it is not signed by the ledger's seal"))
    }
}

type Parsed<'a> = (&'a str, Checkpoint, Vec<(&'a str, Vec<u8>)>);

fn parse(note: &str) -> Result<Parsed<'_>, ProtocolError> {
    if note.len() > MAX_NOTE || note.chars().any(|c| c < ' ' && c != '\n') {
        return Err(bad("it is too long or holds control characters"));
    }
    let (head, lines) = note.rsplit_once("\n\n").ok_or_else(|| bad("it has no signatures"))?;
    let text = note.get(..head.len() + 1).ok_or_else(|| bad("it is cut off"))?;
    let mut signatures = Vec::new();
    for line in lines.strip_suffix('\n').ok_or_else(|| bad("it is cut off"))?.split('\n') {
        let line = line.strip_prefix("\u{2014} ").and_then(|l| l.split_once(' '));
        let (name, base64) = line.ok_or_else(|| bad("a signature line is malformed"))?;
        let decoded = BASE64.decode(base64).map_err(|_| bad("a signature is not base64"))?;
        signatures.push((name, decoded));
    }
    if signatures.len() > MAX_LINES {
        return Err(bad("it has too many signatures"));
    }
    let mut lines = text.lines();
    let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
        return Err(bad("it has fewer than three lines"));
    };
    // One way to write a size: no sign, no leading zero.
    let parsed: u64 = size.parse().map_err(|_| bad("its size is no number"))?;
    if parsed.to_string() != size || origin.is_empty() {
        return Err(bad("its origin or size is not in plain form"));
    }
    let root = BASE64.decode(root).ok().and_then(|root| Digest::from_slice(&root));
    let root = root.ok_or_else(|| bad("its root is no SHA-256 in base64"))?;
    let checkpoint = Checkpoint { origin: origin.to_owned(), size: parsed, root };
    Ok((text, checkpoint, signatures))
}
