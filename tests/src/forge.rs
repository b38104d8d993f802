//! Certificates and revocation lists of an adversary: DER put together by hand, so that nothing is too odd to
//! be made, signed by whatever key is at hand.

use std::path::Path;

use chancery_certs::{Certificate, decode_pem_chain};
use chancery_crypto::{PublicKey, SigningKey};

use crate::World;

/// A tag, the shortest length, the content.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    match length.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | long.len() as u8);
            out.extend(long);
        }
    }
    out.extend(content);
    out
}

/// A SEQUENCE of what is already encoded.
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// An OBJECT IDENTIFIER; arcs may be as large as a UUID.
pub fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u128> = dotted.split('.').map(|arc| arc.parse().expect("a number")).collect();
    let mut out = Vec::new();
    for arc in std::iter::once(arcs[0] * 40 + arcs[1]).chain(arcs[2..].iter().copied()) {
        let mut digits = vec![(arc & 0x7f) as u8];
        let mut rest = arc >> 7;
        while rest > 0 {
            digits.push(0x80 | (rest & 0x7f) as u8);
            rest >>= 7;
        }
        out.extend(digits.into_iter().rev());
    }
    tlv(0x06, &out)
}

/// An extension with any value.
pub fn extension(id: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let flag: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    sequence(&[&oid(id), flag, &tlv(0x04, value)])
}

/// A dNSName.
pub fn dns(name: impl AsRef<[u8]>) -> Vec<u8> {
    tlv(0x82, name.as_ref())
}

/// An rfc822Name.
pub fn email(name: impl AsRef<[u8]>) -> Vec<u8> {
    tlv(0x81, name.as_ref())
}

/// A uniformResourceIdentifier.
pub fn uri(name: impl AsRef<[u8]>) -> Vec<u8> {
    tlv(0x86, name.as_ref())
}

/// GeneralNames of what is already encoded.
pub fn names(names: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &names.concat())
}

/// A subjectAltName extension, not critical.
pub fn alternative_names(value: &[u8]) -> Vec<u8> {
    extension("2.5.29.17", false, value)
}

/// A critical keyUsage extension of these named bits, as the first byte of the BIT STRING.
pub fn key_usage(bits: u8) -> Vec<u8> {
    let unused = if bits == 0 { 0 } else { bits.trailing_zeros() as u8 };
    extension("2.5.29.15", true, &[0x03, 0x02, unused, bits])
}

/// keyUsage digitalSignature.
pub const DIGITAL_SIGNATURE: u8 = 0x80;
/// keyUsage contentCommitment.
pub const CONTENT_COMMITMENT: u8 = 0x40;
/// keyUsage keyCertSign and cRLSign.
pub const CERTIFIES: u8 = 0x06;

/// An extKeyUsage extension.
pub fn extended_key_usage(critical: bool, usages: &[&str]) -> Vec<u8> {
    let usages: Vec<_> = usages.iter().map(|usage| oid(usage)).collect();
    extension("2.5.29.37", critical, &tlv(0x30, &usages.concat()))
}

/// The critical basicConstraints of a CA.
pub fn authority(path_len: Option<u8>) -> Vec<u8> {
    let depth = path_len.map(|depth| tlv(0x02, &[depth])).unwrap_or_default();
    extension("2.5.29.19", true, &sequence(&[&[0x01, 0x01, 0xff], &depth]))
}

/// A Name of one common name, in UTF8String.
pub fn common_name(text: &str) -> Vec<u8> {
    let attribute = sequence(&[&oid("2.5.4.3"), &tlv(0x0c, text.as_bytes())]);
    sequence(&[&tlv(0x31, &attribute)])
}

/// A time as RFC 5280 §4.1.2.5 wants it.
pub fn time(at: i64) -> Vec<u8> {
    let text = chancery_certs::rfc3339(at);
    let digits: String = text.chars().filter(char::is_ascii_digit).take(14).collect();
    match digits.as_str() {
        late if late >= "2050" => tlv(0x18, format!("{late}Z").as_bytes()),
        early => tlv(0x17, format!("{}Z", &early[2..]).as_bytes()),
    }
}

/// The AlgorithmIdentifier of what [`SigningKey::sign_der`] makes.
pub fn algorithm(key: &SigningKey) -> Vec<u8> {
    sequence(&[&oid(match key.public_key() {
        PublicKey::P256(_) => "1.2.840.10045.4.3.2",
        PublicKey::P384(_) => "1.2.840.10045.4.3.3",
        PublicKey::Ed25519(_) | PublicKey::Rsa(_) => "1.3.101.112",
    })])
}

fn signed(content: Vec<u8>, algorithm: &[u8], key: &SigningKey) -> Vec<u8> {
    let signature = key.sign_der(&content).expect("signs");
    sequence(&[&content, algorithm, &tlv(0x03, &[&[0], signature.as_slice()].concat())])
}

/// Whoever signs certificates and lists: a CA that went astray, or one that is none.
pub struct Forger {
    /// Its key.
    pub key: SigningKey,
    /// Its Name.
    pub name: Vec<u8>,
    /// Its key identifier.
    pub key_id: Vec<u8>,
    /// Its own certificate first, and those above it.
    pub chain: Vec<Certificate>,
}

impl Forger {
    /// The CA in a folder that `chancery ca` made, such as `zj`.
    pub fn of(world: &World, folder: &str) -> Self {
        let read = |file: &str| std::fs::read(world.path(folder).join(file)).expect("reads");
        let chain = decode_pem_chain(&read("ca.pem")).expect("certificates");
        let key = String::from_utf8(read("ca.key")).expect("PEM");
        let key = SigningKey::from_pem(&key, None).expect("a key");
        Self::new(key, chain)
    }

    /// A CA from its key and chain.
    pub fn new(key: SigningKey, chain: Vec<Certificate>) -> Self {
        let own = chain.first().expect("a certificate");
        let name = own.subject_der().to_vec();
        let key_id = own.subject_key_id().unwrap_or_default().to_vec();
        Self { key, name, key_id, chain }
    }

    /// The authorityKeyIdentifier of what it signs.
    pub fn key_identifier(&self) -> Vec<u8> {
        extension("2.5.29.35", false, &sequence(&[&tlv(0x80, &self.key_id)]))
    }

    /// A certificate of a key: serial number, subject and validity are usual, extensions are those given.
    pub fn certificate(&self, key: &PublicKey, extensions: &[Vec<u8>]) -> ForgedCertificate {
        let now = chancery_ledger::unix_now();
        ForgedCertificate {
            version: tlv(0xa0, &tlv(0x02, &[2])),
            serial: tlv(0x02, &[0x40, 1, 2, 3, 4, 5, 6, 7, 8]),
            algorithm: algorithm(&self.key),
            issuer: self.name.clone(),
            validity: sequence(&[&time(now - 3600), &time(now + 30 * 86_400)]),
            subject: common_name("Forged"),
            key: key.spki_der().expect("a key that can be written"),
            extensions: extensions.to_vec(),
        }
    }

    /// An end entity with these alternative names (the whole extension value) that signs documents.
    pub fn signer(&self, key: &PublicKey, names: &[u8]) -> Vec<u8> {
        let usual =
            [key_usage(CONTENT_COMMITMENT), self.key_identifier(), alternative_names(names)];
        self.certificate(key, &usual).sign(&self.key)
    }

    /// A revocation list of these serial numbers.
    pub fn list(&self, serials: &[&[u8]]) -> ForgedList {
        let now = chancery_ledger::unix_now();
        ForgedList {
            algorithm: algorithm(&self.key),
            issuer: self.name.clone(),
            this_update: time(now - 3600),
            next_update: Some(time(now + 7 * 86_400)),
            entries: serials
                .iter()
                .map(|serial| sequence(&[&tlv(0x02, serial), &time(now - 3600)]))
                .collect(),
            extensions: vec![
                self.key_identifier(),
                extension("2.5.29.20", false, &tlv(0x02, &[0x40])),
            ],
        }
    }

    /// A PEM text of a certificate and the chain above it, without the root.
    pub fn pem(&self, der: &[u8]) -> String {
        let above = self.chain.iter().filter(|c| !c.is_self_issued()).map(Certificate::der);
        std::iter::once(der).chain(above).map(|der| pem("CERTIFICATE", der)).collect()
    }
}

/// PEM of anything.
pub fn pem(label: &str, der: &[u8]) -> String {
    use std::fmt::Write as _;
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in der.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let at = bits >> (18 - 6 * digit) & 0x3f;
            text.push(if digit <= chunk.len() { DIGITS[at as usize] as char } else { '=' });
        }
    }
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        writeln!(out, "{}", String::from_utf8_lossy(line)).expect("a string");
    }
    out + &format!("-----END {label}-----\n")
}

/// A certificate before it is signed: every part is DER, or whatever an attacker puts in its place.
#[derive(Debug, Clone)]
pub struct ForgedCertificate {
    /// `[0] EXPLICIT` version.
    pub version: Vec<u8>,
    /// The serial number.
    pub serial: Vec<u8>,
    /// The algorithm, inside and outside.
    pub algorithm: Vec<u8>,
    /// The issuer's Name.
    pub issuer: Vec<u8>,
    /// Validity.
    pub validity: Vec<u8>,
    /// The subject's Name.
    pub subject: Vec<u8>,
    /// SubjectPublicKeyInfo.
    pub key: Vec<u8>,
    /// Extensions.
    pub extensions: Vec<Vec<u8>>,
}

impl ForgedCertificate {
    /// Signs it.
    pub fn sign(&self, by: &SigningKey) -> Vec<u8> {
        let extensions = match self.extensions.as_slice() {
            [] => Vec::new(),
            some => tlv(0xa3, &tlv(0x30, &some.concat())),
        };
        let content = sequence(&[
            &self.version,
            &self.serial,
            &self.algorithm,
            &self.issuer,
            &self.validity,
            &self.subject,
            &self.key,
            &extensions,
        ]);
        signed(content, &self.algorithm, by)
    }
}

/// A revocation list before it is signed.
#[derive(Debug, Clone)]
pub struct ForgedList {
    /// The algorithm, inside and outside.
    pub algorithm: Vec<u8>,
    /// The issuer's Name.
    pub issuer: Vec<u8>,
    /// When it was made.
    pub this_update: Vec<u8>,
    /// When the next one comes.
    pub next_update: Option<Vec<u8>>,
    /// Entries.
    pub entries: Vec<Vec<u8>>,
    /// Extensions.
    pub extensions: Vec<Vec<u8>>,
}

impl ForgedList {
    /// Signs it.
    pub fn sign(&self, by: &SigningKey) -> Vec<u8> {
        let entries = match self.entries.as_slice() {
            [] => Vec::new(),
            some => tlv(0x30, &some.concat()),
        };
        let extensions = match self.extensions.as_slice() {
            [] => Vec::new(),
            some => tlv(0xa0, &tlv(0x30, &some.concat())),
        };
        let content = sequence(&[
            &tlv(0x02, &[1]),
            &self.algorithm,
            &self.issuer,
            &self.this_update,
            self.next_update.as_deref().unwrap_or_default(),
            &entries,
            &extensions,
        ]);
        signed(content, &self.algorithm, by)
    }
}

/// Writes a key where `--key` finds it.
pub fn write_key(path: &Path, key: &SigningKey) {
    std::fs::write(path, key.to_pem(None).expect("encodes").as_bytes()).expect("writes");
}
