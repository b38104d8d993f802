use chancery_certs::{CertError, SealError};
use chancery_crypto::{CborError, CryptoError};
use chancery_protocol::{ProtocolError, protocol_code, protocol_remedy};
use chancery_store::StoreError;
use thiserror::Error;

/// What can go wrong with a ledger. Each variant has a stable code and a remedy.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The store failed, or what is in it is not what was stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is kept cannot be read, or nothing could be signed.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The clock is known to be wrong, so that nothing can be sealed. It passes.
    #[error("this node's clock says {own}, and {who} {others}: nothing is sealed until they agree")]
    Clock {
        /// What it says.
        own: String,
        /// What others say.
        others: String,
        /// Who they are.
        who: String,
    },
    /// The ledger is older than what it was seen to be, or another. Nothing is sealed.
    #[error("nothing is sealed: {0}")]
    Behind(String),
    /// It is not known yet how far this ledger was seen to go. It passes.
    #[error("nothing is sealed yet: {0}")]
    Unheard(String),
    /// The node is shutting down.
    #[error("the node is shutting down")]
    Stopping,
}

impl LedgerError {
    /// What is stored cannot be what was stored.
    pub fn damaged(why: impl Into<String>) -> Self {
        Self::Store(StoreError::Damaged(why.into()))
    }

    /// The same for somebody else whom it concerns as well. What only one can be told becomes a failure of the store.
    pub fn again(&self) -> Self {
        match self {
            Self::Store(error) => Self::Store(error.again()),
            Self::Behind(why) => Self::Behind(why.clone()),
            Self::Unheard(why) => Self::Unheard(why.clone()),
            Self::Clock { own, others, who } => {
                Self::Clock { own: own.clone(), others: others.clone(), who: who.clone() }
            }
            Self::Stopping => Self::Stopping,
            other => Self::Store(StoreError::Broken(other.to_string())),
        }
    }

    /// Whether it is this node's own reason, and passes: whatever it was about can be done later as it is.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Clock { .. } | Self::Behind(_) | Self::Unheard(_) => true,
            Self::Store(error) => error.is_passing(),
            _ => false,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Protocol(error) => protocol_code(error),
            Self::Stopping => "CHY-4006",
            Self::Clock { .. } => "CHY-4030",
            Self::Behind(_) => "CHY-4042",
            Self::Unheard(_) => "CHY-4043",
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Store(error) => error.remedy(),
            Self::Protocol(error) => protocol_remedy(error),
            Self::Stopping => "Try again once the node is up.",
            Self::Clock { .. } => {
                "Set the clock of the machine that is wrong (`chronyc tracking`, `timedatectl`; `chancery node status` shows each peer's); the node goes on by itself."
            }
            Self::Behind(_) => {
                "Put the newest data folder back (the lost disk's, or a newer backup); see \"A lost disk\" in docs/operators.md."
            }
            Self::Unheard(_) => {
                "Connect the node to one of its peers; it goes on by itself. See \"A lost disk\" in docs/operators.md."
            }
        }
    }
}

impl From<CryptoError> for LedgerError {
    fn from(error: CryptoError) -> Self {
        Self::Protocol(error.into())
    }
}

impl From<CborError> for LedgerError {
    fn from(error: CborError) -> Self {
        Self::Protocol(error.into())
    }
}

impl From<CertError> for LedgerError {
    fn from(error: CertError) -> Self {
        Self::Protocol(error.into())
    }
}

impl From<SealError> for LedgerError {
    fn from(error: SealError) -> Self {
        Self::Protocol(error.into())
    }
}
