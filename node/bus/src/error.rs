use std::path::PathBuf;

use chancery_certs::{CertError, SealError};
use chancery_crypto::{CborError, CryptoError};
use chancery_ledger::LedgerError;
use chancery_protocol::{ProtocolError, cert_code, cert_remedy, protocol_code, protocol_remedy};
use chancery_store::StoreError;
use thiserror::Error;

use crate::UnacceptedFault;

/// What can go wrong in a node. Each variant has a stable code and a remedy.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The store or a file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger takes nothing.
    #[error(transparent)]
    Ledger(LedgerError),
    /// The configuration says what it may not say.
    #[error("{path}: {why}", path = path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The ledger that this node has begun is not where it should be.
    #[error(
        "there is no ledger in {data}, and this node has begun one: {mark} says that it had {entries} entries",
        data = data.display(), mark = mark.display()
    )]
    LedgerMissing {
        /// The data folder.
        data: PathBuf,
        /// The file that says so.
        mark: PathBuf,
        /// How many entries it had.
        entries: u64,
    },
    /// A peer's receipt speaks of an entry below what its ledger was seen to have before. The delivery is put off.
    #[error(
        "{peer} gives a receipt for its entry {entry}, and its ledger had {sealed} entries before the envelope was made: \
         it was rolled back, or begun anew"
    )]
    RolledBack {
        /// The peer.
        peer: chancery_certs::AgencyName,
        /// The entry.
        entry: u64,
        /// How many it had.
        sealed: u64,
    },
    /// A peer's ledger was forked.
    #[error("the ledger of {0} is forked: it has sealed two histories")]
    Forked(chancery_certs::AgencyName),
    /// A backup is not whole.
    #[error("the backup is not whole: {0}")]
    Backup(String),
    /// A peer's clock is ahead: what it says now is not taken yet. It passes.
    #[error(
        "{peer} says that it was {theirs}, and this node's clock says {own}: it is taken when that has passed"
    )]
    PeerClock {
        /// The peer.
        peer: chancery_certs::AgencyName,
        /// What it says.
        theirs: String,
        /// What is said here.
        own: String,
    },
    /// A task of the node ended that never should.
    #[error("{task} of the node ended unasked: {why}")]
    Ended {
        /// Which.
        task: &'static str,
        /// How.
        why: String,
    },
    /// Somebody has as many requests under way as one may have.
    #[error("{who} has as many requests under way as one may have")]
    Busy {
        /// Who.
        who: String,
    },
    /// A port cannot be listened on.
    #[error("{address} cannot be listened on: {why}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        why: String,
    },
    /// The network failed.
    #[error("the connection to {peer} failed: {why}")]
    Network {
        /// The peer, or its address.
        peer: String,
        /// Why.
        why: String,
    },
    /// No directory is known, or it does not list an agency.
    #[error("{0} is not in the directory")]
    UnknownAgency(String),
    /// The directory is older than the one that is held.
    #[error("the directory has version {offered}, but version {held} is held already")]
    OldDirectory {
        /// The version that was offered.
        offered: u64,
        /// The version that is held.
        held: u64,
    },
    /// The registrar has signed two directories of one version.
    #[error("two different directories have version {version}; the one that is held stays in use")]
    TwoDirectories {
        /// The version.
        version: u64,
    },
    /// A document from a clerk is not accepted.
    #[error("the document is not accepted: {0}")]
    NotAccepted(UnacceptedFault),
    /// A module does not take a document: by its rules, or by what it keeps. It is said as it stands.
    #[error("the module does not take it: {en}")]
    Declined {
        /// The code of the first reason.
        code: &'static str,
        /// The rules, and why, in English.
        en: String,
        /// The same in Chinese.
        zh: String,
        /// The rules, one after the other.
        rules: String,
    },
    /// No document or envelope has the id.
    #[error("no document or envelope here has an id that starts with {0:?}")]
    NotFound(String),
    /// More than one document or envelope has the id.
    #[error("more than one document or envelope here has an id that starts with {0:?}")]
    Ambiguous(String),
    /// The node's rules do not allow it.
    #[error("not permitted by {rule}: {why}")]
    NotPermitted {
        /// The rule's name.
        rule: String,
        /// What it looked at.
        why: String,
    },
    /// The sender has taken the document back.
    #[error("its sender withdrew the document {document} at {time}")]
    Withdrawn {
        /// The document.
        document: String,
        /// When it took effect here.
        time: String,
    },
    /// A request's key was used before, for something else.
    #[error("the idempotency key was used before, for the document {0}")]
    RequestReused(String),
    /// A request by HTTP is not of the form that it should have.
    #[error("the request is not understood: {0}")]
    Request(String),
    /// It is not known who asks.
    #[error("it is not known who asks: {0}")]
    Unauthenticated(String),
    /// The content was removed for good.
    #[error("the content of {0} was purged by order; only its entries in the ledger remain")]
    Purged(String),
    /// The TLS stack refused its configuration.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// A document, envelope or message is not acceptable.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// A file of certificates is not right.
    #[error("{}: {error}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        error: CertError,
    },
}

impl NodeError {
    /// An I/O error at a path.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let failed = StoreError::file(path);
        |source| Self::Store(failed(source))
    }

    /// What is stored cannot be what was stored.
    pub fn damaged(why: impl Into<String>) -> Self {
        Self::Store(StoreError::Damaged(why.into()))
    }

    /// The store, or what stands on it, failed for good.
    pub fn broken(why: impl ToString) -> Self {
        Self::Store(StoreError::Broken(why.to_string()))
    }

    /// The node is shutting down.
    pub fn stopping() -> Self {
        Self::Ledger(LedgerError::Stopping)
    }

    /// Whether what stands at the place of a file or folder is something else; see [`StoreError::is_out_of_place`].
    pub fn is_out_of_place(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_out_of_place())
    }

    /// Whether there is nothing at the place of a file.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_not_found())
    }

    /// Whether it is this node's own reason, and passes: whatever it was about can be done later as it is.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Store(error) => error.is_passing(),
            Self::Ledger(error) => error.is_passing(),
            _ => false,
        }
    }

    /// What is wrong, without the place.
    pub fn reason(&self) -> String {
        match self {
            Self::Store(error) => error.reason(),
            other => other.to_string(),
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config { .. } => "CHY-4002",
            Self::Network { .. } => "CHY-4007",
            Self::UnknownAgency(_) => "CHY-4008",
            Self::OldDirectory { .. } => "CHY-4009",
            Self::NotAccepted(_) => "CHY-4010",
            Self::Declined { code, .. } => code,
            Self::NotFound(_) => "CHY-4011",
            Self::Ambiguous(_) => "CHY-4012",
            Self::Tls(_) => "CHY-4013",
            Self::Forked(_) => "CHY-4016",
            Self::Backup(_) => "CHY-4017",
            Self::NotPermitted { .. } => "CHY-4018",
            Self::Purged(_) => "CHY-4019",
            Self::Withdrawn { .. } => "CHY-4020",
            Self::RequestReused(_) => "CHY-4021",
            Self::Request(_) => "CHY-4022",
            Self::Unauthenticated(_) => "CHY-4023",
            Self::TwoDirectories { .. } => "CHY-4026",
            Self::Ended { .. } => "CHY-4050",
            Self::Busy { .. } => "CHY-4051",
            Self::Listen { .. } => "CHY-4052",
            Self::PeerClock { .. } => "CHY-4031",
            Self::LedgerMissing { .. } => "CHY-4041",
            Self::RolledBack { .. } => "CHY-4044",
            Self::Store(error) => error.code(),
            Self::Ledger(error) => error.code(),
            Self::Protocol(error) => protocol_code(error),
            Self::Certificates { error, .. } => cert_code(error),
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Config { .. } => "Correct the file; docs/operators.md lists all settings.",
            Self::LedgerMissing { .. } => {
                "Mount the disk that holds it, or see \"A lost disk\" in docs/operators.md; nothing was begun or changed."
            }
            Self::RolledBack { .. } => {
                "Tell the operator of that agency's node; the document is delivered when its ledger is back."
            }
            Self::Declined { .. } => {
                "Nothing has changed. Put right what it says and file it again; `chancery explain` says more about the code."
            }
            Self::Ended { .. } => {
                "Start the node again (systemd does it by itself), and report it with the node's log."
            }
            Self::Listen { .. } => "See who uses the port (`ss -lptun`), or set another address.",
            Self::Busy { .. } => "Let some of them end, and try again.",
            Self::Network { .. } => {
                "Check the address and the network; delivery goes on by itself."
            }
            Self::UnknownAgency(_) => {
                "Check the name with `chancery node status`, or ask the registrar for a newer directory."
            }
            Self::OldDirectory { .. } => "Ask the registrar for the newest directory.",
            Self::TwoDirectories { .. } => {
                "Keep both (they are in data/directories), and ask the registrar and its superior which one is right."
            }
            Self::NotAccepted(_) => "Correct the document or the signer and send it again.",
            Self::NotFound(_) => "Look the id up with `chancery inbox` or `chancery outbox`.",
            Self::Ambiguous(_) => "Give more digits of the id.",
            Self::Tls(_) => "Check the node's certificate and key.",
            Self::Forked(_) => {
                "Keep the proof in data/forks, stop trusting the ledger, and tell the registrar."
            }
            Self::Backup(_) => "Use another backup; nothing was restored.",
            Self::NotPermitted { .. } => {
                "Ask somebody who may, or the operator to change the rule: node.toml, or the policies that it names."
            }
            Self::Withdrawn { .. } => "Do not act on it; ask the sender if that is not understood.",
            Self::RequestReused(_) => "Use a new key for a new request.",
            Self::Request(_) => "Correct the request; /v1/openapi.json describes every one.",
            Self::Unauthenticated(_) => {
                "Send `Authorization: Bearer TOKEN`; the operator makes one with `chancery node token`."
            }
            Self::PeerClock { .. } => {
                "Tell the operator of the one whose clock is wrong; delivery goes on by itself."
            }
            Self::Purged(_) => {
                "See who ordered it and why with `chancery ledger export` and `chancery audit`."
            }
            Self::Store(error) => error.remedy(),
            Self::Ledger(error) => error.remedy(),
            Self::Protocol(error) => protocol_remedy(error),
            Self::Certificates { error, .. } => cert_remedy(error),
        }
    }
}

impl From<LedgerError> for NodeError {
    /// What is of the store, or of the protocol, is the same wherever it was found.
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Store(error) => Self::Store(error),
            LedgerError::Protocol(error) => Self::Protocol(error),
            error => Self::Ledger(error),
        }
    }
}

impl From<CryptoError> for NodeError {
    fn from(error: CryptoError) -> Self {
        Self::Protocol(error.into())
    }
}

impl From<CborError> for NodeError {
    fn from(error: CborError) -> Self {
        Self::Protocol(error.into())
    }
}

impl From<CertError> for NodeError {
    fn from(error: CertError) -> Self {
        Self::Protocol(error.into())
    }
}

impl From<SealError> for NodeError {
    fn from(error: SealError) -> Self {
        Self::Protocol(error.into())
    }
}
