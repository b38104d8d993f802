use chancery_certs::{CertError, PathError, SealError};
use chancery_crypto::{CborError, CryptoError, Digest, Unknown};
use thiserror::Error;

use crate::{
    CheckpointFault, ClassificationFault, ContainerFault, ContentFault, EncryptedFileError,
    EnvelopeFault, HeaderFault, MessageFault, OrderFault, ProofFault, ReceiptFault, TimeFault,
    UnsupportedFault,
};

/// What is wrong with a document, envelope, receipt, checkpoint or message. What people read is made of it by
/// [`ProtocolError::say`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A document header says what it may not say.
    Header(HeaderFault),
    /// A classification is none of those that there are, or has a term that it cannot have.
    Classification(ClassificationFault),
    /// The content stream is not as its header says.
    Content(ContentFault),
    /// A part does not have the digest that was signed.
    PartDigest {
        /// The part.
        name: String,
        /// The digest in the signed header.
        signed: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// An envelope header says what it may not say.
    Envelope(EnvelopeFault),
    /// A checkpoint note is malformed or not signed by the ledger's key.
    Checkpoint(CheckpointFault),
    /// An inclusion or consistency proof does not hold.
    Proof(ProofFault),
    /// A receipt does not say what it should.
    Receipt(ReceiptFault),
    /// Evidence is genuine, and the time that it gives cannot be right here: whose clock is wrong, it does not show.
    Time(TimeFault),
    /// A peer or client sent a message that does not belong here.
    Message(MessageFault),
    /// An order to remove content says what it may not say.
    Order(OrderFault),
    /// An ASiC container is not as it should be.
    Container(ContainerFault),
    /// A container holds or asks for what is not read here; it may be right.
    Unsupported(UnsupportedFault),
    /// An encrypted file does not open.
    EncryptedFile(#[from] EncryptedFileError),
    /// A sealed statement is not accepted.
    Seal(#[from] SealError),
    /// A certificate is not accepted.
    Certificate(#[from] CertError),
    /// A certificate path is not valid.
    Path(#[from] PathError),
    /// A cryptographic operation failed.
    Crypto(#[from] CryptoError),
}

impl ProtocolError {
    /// Its stable code: 1xxx cryptography, 2xxx certificates, 3xxx documents.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Crypto(error) => error.code(),
            Self::Certificate(error) => error.code(),
            Self::Path(error) => error.code(),
            Self::Seal(error) => error.code(),
            Self::Header(_) => "CHY-3001",
            Self::Classification(_) => "CHY-3050",
            Self::Content(_) => "CHY-3002",
            Self::PartDigest { .. } => "CHY-3003",
            Self::Envelope(_) => "CHY-3004",
            Self::Checkpoint(_) => "CHY-3005",
            Self::Proof(_) => "CHY-3006",
            Self::Receipt(_) => "CHY-3007",
            Self::Time(_) => "CHY-3040",
            Self::Message(_) => "CHY-3008",
            // As of every statement under a seal that says what cannot hold.
            Self::Order(_) => "CHY-2013",
            Self::Container(_) => "CHY-3009",
            Self::Unsupported(_) => "CHY-3020",
            Self::EncryptedFile(error) => error.code(),
        }
    }

    /// Whether a newer version would understand what this one cannot.
    pub fn needs_newer(&self) -> bool {
        let (Self::Crypto(error) | Self::Seal(SealError::Crypto(error))) = self else {
            return false;
        };
        matches!(error, CryptoError::Cbor(CborError::Newer(_)))
    }

    /// What is of a newer version than is known here.
    pub(crate) fn newer(what: Unknown) -> Self {
        CborError::Newer(what).into()
    }
}

impl From<CborError> for ProtocolError {
    fn from(error: CborError) -> Self {
        Self::Crypto(CryptoError::Cbor(error))
    }
}

/// What each kind of fault is a [`ProtocolError`] by.
macro_rules! faults {
    ($($kind:ident($fault:ty)),+ $(,)?) => {$(
        impl From<$fault> for ProtocolError {
            fn from(fault: $fault) -> Self {
                Self::$kind(fault)
            }
        }
    )+};
}
faults!(
    Header(HeaderFault),
    Classification(ClassificationFault),
    Content(ContentFault),
    Envelope(EnvelopeFault),
    Checkpoint(CheckpointFault),
    Proof(ProofFault),
    Receipt(ReceiptFault),
    Time(TimeFault),
    Message(MessageFault),
    Order(OrderFault),
    Container(ContainerFault),
    Unsupported(UnsupportedFault),
);
