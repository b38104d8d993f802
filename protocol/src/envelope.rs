use std::{fmt, str::FromStr};

use chancery_certs::{AgencyName, Certificate, Credential, Scrutiny, SealError, SignerName};
use chancery_certs::{open_sealed, seal};
use chancery_crypto::{CHUNK_SIZE, CryptoError, Digest, WrappedKey, cbor, plaintext_len};
use serde::{Deserialize, Serialize};

use crate::{ProtocolError, Urgency};

const ENVELOPE: &str = "application/vnd.chancery.envelope+cbor";

/// The identity of an envelope: the SHA-256 of its deterministic outer header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EnvelopeId(Digest);

impl EnvelopeId {
    /// The digest.
    pub fn digest(&self) -> &Digest {
        &self.0
    }

    /// An id from its 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Digest::from_slice(bytes).map(Self)
    }
}

impl fmt::Display for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvelopeId({})", self.0)
    }
}

impl FromStr for EnvelopeId {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        let digest = Digest::from_hex(text);
        digest.map(Self).ok_or_else(|| bad(format!("{text:?} is no envelope id")))
    }
}

/// One recipient of an envelope, and the content key under its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    /// The wrapped content key.
    pub key: WrappedKey,
    /// The agency.
    pub agency: AgencyName,
}

/// The use that a content key is wrapped for: it binds sender and recipient (`info` of RFC 9180).
pub fn recipient_info(sender: &AgencyName, recipient: &AgencyName) -> Vec<u8> {
    format!("chancery/1 envelope\n{sender}\n{recipient}").into_bytes()
}

/// The outer header: what a node must know to carry an envelope. Nothing of the content shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeHeader {
    /// The Merkle root over the ciphertext chunks.
    pub root: Digest,
    /// Bytes of ciphertext.
    pub size: u64,
    /// The sending agency.
    pub sender: AgencyName,
    /// When it was sealed, in seconds since 1970 UTC.
    pub created: i64,
    /// Until when delivery is tried.
    pub expires: i64,
    /// The urgency.
    pub urgency: Urgency,
    /// The salted commitment to the document inside.
    pub commitment: Digest,
    /// The recipients.
    pub recipients: Vec<Recipient>,
}

/// An envelope header whose seal and path were verified.
#[derive(Debug, Clone)]
pub struct OpenedEnvelope {
    /// Its identity.
    pub id: EnvelopeId,
    /// The header.
    pub header: EnvelopeHeader,
    /// The chain of the seal, own certificate first.
    pub chain: Vec<Certificate>,
    /// Lists were asked, and none of them says whether the certificate of this one is revoked.
    pub uncovered: Option<String>,
}

pub(crate) fn bad(what: impl Into<String>) -> ProtocolError {
    ProtocolError::Envelope(what.into())
}

impl EnvelopeHeader {
    /// The envelope's identity.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] never in practice; the form is plain.
    pub fn id(&self) -> Result<EnvelopeId, ProtocolError> {
        Ok(EnvelopeId(Digest::of(&cbor::encode(self)?)))
    }

    /// The number of ciphertext chunks.
    pub fn chunks(&self) -> u64 {
        self.size.div_ceil(CHUNK_SIZE as u64)
    }

    /// Whether `agency` is a recipient.
    pub fn is_for(&self, agency: &AgencyName) -> bool {
        self.recipients.iter().any(|recipient| recipient.agency == *agency)
    }

    /// The content key as wrapped for `agency`.
    pub fn key_for(&self, agency: &AgencyName) -> Option<&WrappedKey> {
        self.recipients.iter().find(|r| r.agency == *agency).map(|r| &r.key)
    }

    /// Seals the header by the sending agency.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] when signing fails.
    pub fn seal(&self, by: &Credential, now: i64) -> Result<Vec<u8>, ProtocolError> {
        Ok(seal(ENVELOPE, self, by, now)?)
    }

    /// Verifies a sealed header: signed by the very agency that it names as sender, and with a
    /// size that a content can have.
    ///
    /// # Errors
    /// [`ProtocolError`], saying why it is not accepted.
    pub fn open(bytes: &[u8], by: &Scrutiny<'_>) -> Result<OpenedEnvelope, ProtocolError> {
        let opened = open_sealed::<Self>(ENVELOPE, bytes, by)?;
        let header = opened.value;
        if opened.signer != SignerName::Agency(header.sender.clone()) {
            let (want, found) = (header.sender.to_string(), opened.signer.to_string());
            return Err(SealError::Signer { want, found }.into());
        }
        if header.size == 0 || plaintext_len(header.size).is_none() {
            return Err(bad(format!("no content has a ciphertext of {} bytes", header.size)));
        }
        // Of the bytes that were signed, not of how we would write them.
        let id = EnvelopeId(opened.digest);
        Ok(OpenedEnvelope { id, header, chain: opened.chain, uncovered: opened.uncovered })
    }

    /// Reads a sealed header that was verified before it was stored.
    ///
    /// # Errors
    /// [`ProtocolError`] when it cannot be read.
    pub fn reopen(bytes: &[u8]) -> Result<(EnvelopeId, Self), ProtocolError> {
        let cose = chancery_crypto::CoseSign::decode(bytes)?;
        if cose.content_type() != ENVELOPE {
            return Err(CryptoError::Cose("it is no envelope".into()).into());
        }
        let header: Self = cbor::decode(cose.payload())?;
        Ok((EnvelopeId(Digest::of(cose.payload())), header))
    }
}
