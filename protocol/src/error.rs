use chancery_certs::{CertError, PathError, SealError};
use chancery_crypto::{CborError, CryptoError};
use thiserror::Error;

use crate::EncryptedFileError;

/// What is wrong with a document, envelope, receipt, checkpoint or message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A document header says what it may not say.
    #[error("the document header is not acceptable: {0}")]
    Header(String),
    /// A classification is none of those that there are, or has a term that it cannot have.
    #[error("the classification is not acceptable: {0}")]
    Classification(String),
    /// The content stream is not as its header says.
    #[error("the content is not as its header says: {0}")]
    Content(String),
    /// A part does not have the digest that was signed.
    #[error("part {name:?} was altered: its SHA-256 is {found}, signed was {signed}")]
    PartDigest {
        /// The part.
        name: String,
        /// The digest in the signed header.
        signed: String,
        /// The digest of the bytes.
        found: String,
    },
    /// An envelope header says what it may not say.
    #[error("the envelope is not acceptable: {0}")]
    Envelope(String),
    /// A checkpoint note is malformed or not signed by the ledger's key.
    #[error("the checkpoint is not acceptable: {0}")]
    Checkpoint(String),
    /// An inclusion or consistency proof does not hold.
    #[error("the proof does not hold: {0}")]
    Proof(String),
    /// A receipt does not say what it should.
    #[error("the receipt is not acceptable: {0}")]
    Receipt(String),
    /// Evidence is genuine, and the time that it gives cannot be right here: whose clock is wrong, it does not show.
    #[error("the time is not proven: {0}")]
    Time(String),
    /// A peer or client sent a message that does not belong here.
    #[error("the message is not acceptable: {0}")]
    Message(String),
    /// An ASiC container is not as it should be.
    #[error("the container is not acceptable: {0}")]
    Container(String),
    /// A container holds or asks for what is not read here; it may be right.
    #[error("the container holds what is not read here: {0}")]
    Unsupported(String),
    /// An encrypted file does not open.
    #[error(transparent)]
    EncryptedFile(#[from] EncryptedFileError),
    /// A sealed statement is not accepted.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A certificate is not accepted.
    #[error(transparent)]
    Certificate(#[from] CertError),
    /// A certificate path is not valid.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A cryptographic operation failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl ProtocolError {
    /// Whether a newer version would understand what this one cannot.
    pub fn needs_newer(&self) -> bool {
        let (Self::Crypto(error) | Self::Seal(SealError::Crypto(error))) = self else {
            return false;
        };
        matches!(error, CryptoError::Cbor(CborError::Newer(_)))
    }

    /// What is of a newer version than is known here.
    pub(crate) fn newer(what: impl Into<String>) -> Self {
        CborError::Newer(what.into()).into()
    }
}

impl From<CborError> for ProtocolError {
    fn from(error: CborError) -> Self {
        Self::Crypto(CryptoError::Cbor(error))
    }
}
