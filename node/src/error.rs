use std::{io::ErrorKind, path::PathBuf};

use chancery_certs::{CertError, SealError};
use chancery_crypto::{CborError, CryptoError};
use chancery_protocol::{EncryptedFileError, ProtocolError};
use thiserror::Error;

/// What can go wrong in a node. Each variant has a stable code and a remedy.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NodeError {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The configuration says what it may not say.
    #[error("{path}: {why}", path = path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A key file can be read by others.
    #[error("{path} holds a private key and may be read by others (mode {mode:o})", path = path.display())]
    KeyExposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(String),
    /// There is no room on a disk. It passes.
    #[error("there is no room on the disk: {0}")]
    Full(String),
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
    /// The ledger is older than what it was seen to be, or another. Nothing is sealed.
    #[error("nothing is sealed: {0}")]
    Behind(String),
    /// It is not known yet how far this ledger was seen to go. It passes.
    #[error("nothing is sealed yet: {0}")]
    Unheard(String),
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
    /// What is stored cannot be what was stored.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The store was written by a newer program.
    #[error("the store has schema version {found}; this program knows version {known}")]
    Schema {
        /// The store's version.
        found: u64,
        /// The newest version that is known here.
        known: u64,
    },
    /// Something else has written what a batch rests on.
    #[error("the store was changed by another writer (table {0})")]
    Conflict(&'static str),
    /// A peer's ledger was forked.
    #[error("the ledger of {0} is forked: it has sealed two histories")]
    Forked(chancery_certs::AgencyName),
    /// A backup is not whole.
    #[error("the backup is not whole: {0}")]
    Backup(String),
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
    /// The node is shutting down.
    #[error("the node is shutting down")]
    Stopping,
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
    NotAccepted(String),
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
    /// An I/O error at a path. Every file goes through here: for want of room is something else than a file that is wrong.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        |source| match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                Self::Full(format!("{}: {source}", path.display()))
            }
            _ => Self::File { path, source },
        }
    }

    /// The same for somebody else whom it concerns as well. What only one can be told becomes a failure of the store.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Full(why) => Self::Full(why.clone()),
            Self::Behind(why) => Self::Behind(why.clone()),
            Self::Unheard(why) => Self::Unheard(why.clone()),
            Self::Clock { own, others, who } => {
                Self::Clock { own: own.clone(), others: others.clone(), who: who.clone() }
            }
            Self::Store(why) => Self::Store(why.clone()),
            Self::Stopping => Self::Stopping,
            other => Self::Store(other.to_string()),
        }
    }

    /// Whether what stands at the place of a file or folder is something else (a link, a folder, a FIFO, …), or far too large
    /// for it. Nothing is wrong with the disk then: it is for a verdict to say.
    pub fn is_out_of_place(&self) -> bool {
        let Self::File { source, .. } = self else { return false };
        matches!(
            source.kind(),
            ErrorKind::InvalidInput | ErrorKind::NotADirectory | ErrorKind::FileTooLarge
        )
    }

    /// Whether it is this node's own reason, and passes: whatever it was about can be done later as it is.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Clock { .. } | Self::Full(_) | Self::Behind(_) | Self::Unheard(_))
    }

    /// What is wrong, without the place.
    pub fn reason(&self) -> String {
        match self {
            Self::File { source, .. } => source.to_string(),
            other => other.to_string(),
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "CHY-4001",
            Self::Config { .. } => "CHY-4002",
            Self::KeyExposed { .. } => "CHY-4003",
            Self::Store(_) => "CHY-4004",
            Self::Damaged(_) => "CHY-4005",
            Self::Stopping => "CHY-4006",
            Self::Network { .. } => "CHY-4007",
            Self::UnknownAgency(_) => "CHY-4008",
            Self::OldDirectory { .. } => "CHY-4009",
            Self::NotAccepted(_) => "CHY-4010",
            Self::NotFound(_) => "CHY-4011",
            Self::Ambiguous(_) => "CHY-4012",
            Self::Tls(_) => "CHY-4013",
            Self::Schema { .. } => "CHY-4014",
            Self::Conflict(_) => "CHY-4015",
            Self::Forked(_) => "CHY-4016",
            Self::Backup(_) => "CHY-4017",
            Self::NotPermitted { .. } => "CHY-4018",
            Self::Purged(_) => "CHY-4019",
            Self::Withdrawn { .. } => "CHY-4020",
            Self::RequestReused(_) => "CHY-4021",
            Self::Request(_) => "CHY-4022",
            Self::Unauthenticated(_) => "CHY-4023",
            Self::TwoDirectories { .. } => "CHY-4026",
            Self::Clock { .. } => "CHY-4030",
            Self::Ended { .. } => "CHY-4050",
            Self::Busy { .. } => "CHY-4051",
            Self::PeerClock { .. } => "CHY-4031",
            Self::Full(_) => "CHY-4040",
            Self::LedgerMissing { .. } => "CHY-4041",
            Self::Behind(_) => "CHY-4042",
            Self::Unheard(_) => "CHY-4043",
            Self::RolledBack { .. } => "CHY-4044",
            Self::Protocol(error) => protocol_code(error),
            Self::Certificates { error, .. } => cert_code(error),
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::File { .. } => "Check that the path exists and that you may use it.",
            Self::Config { .. } => "Correct the file; docs/operators.md lists all settings.",
            Self::KeyExposed { .. } => "Run `chmod 600` on it.",
            Self::Store(_) => {
                "Check the disk (space, permissions); nothing unacknowledged was kept."
            }
            Self::Full(_) => {
                "Make room on the disk that is named; nothing of this was kept. A node goes on by itself."
            }
            Self::LedgerMissing { .. } => {
                "Mount the disk that holds it, or see \"A lost disk\" in docs/operators.md; nothing was begun or changed."
            }
            Self::Behind(_) => {
                "Put the newest data folder back (the lost disk's, or a newer backup); see \"A lost disk\" in docs/operators.md."
            }
            Self::Unheard(_) => {
                "Connect the node to one of its peers; it goes on by itself. See \"A lost disk\" in docs/operators.md."
            }
            Self::RolledBack { .. } => {
                "Tell the operator of that agency's node; the document is delivered when its ledger is back."
            }
            Self::Damaged(_) => "Stop the node, keep the data as it is, and restore from a backup.",
            Self::Stopping => "Try again once the node is up.",
            Self::Ended { .. } => {
                "Start the node again (systemd does it by itself), and report it with the node's log."
            }
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
            Self::Schema { .. } => "Use the newer program; the store was left as it is.",
            Self::Conflict(_) => "Make sure that only one node uses the store, and try again.",
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
            Self::Clock { .. } => {
                "Set the clock of the machine that is wrong (`chronyc tracking`, `timedatectl`; `chancery node status` shows each peer's); the node goes on by itself."
            }
            Self::PeerClock { .. } => {
                "Tell the operator of the one whose clock is wrong; delivery goes on by itself."
            }
            Self::Purged(_) => {
                "See who ordered it and why with `chancery ledger export` and `chancery audit`."
            }
            Self::Protocol(error) => protocol_remedy(error),
            Self::Certificates { error, .. } => cert_remedy(error),
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

/// The stable code of a protocol error: 1xxx cryptography, 2xxx certificates, 3xxx documents.
pub fn protocol_code(error: &ProtocolError) -> &'static str {
    match error {
        ProtocolError::Crypto(e) => crypto_code(e),
        ProtocolError::Certificate(e) => cert_code(e),
        ProtocolError::Path(_) => "CHY-2010",
        ProtocolError::Seal(e) => match e {
            SealError::Crypto(e) => crypto_code(e),
            SealError::Certificate(e) => cert_code(e),
            SealError::Path(_) => "CHY-2010",
            SealError::ContentType { .. } => "CHY-2011",
            SealError::Signer { .. } => "CHY-2012",
            _ => "CHY-2013",
        },
        ProtocolError::Header(_) => "CHY-3001",
        ProtocolError::Classification(_) => "CHY-3050",
        ProtocolError::Content(_) => "CHY-3002",
        ProtocolError::PartDigest { .. } => "CHY-3003",
        ProtocolError::Envelope(_) => "CHY-3004",
        ProtocolError::Checkpoint(_) => "CHY-3005",
        ProtocolError::Proof(_) => "CHY-3006",
        ProtocolError::Receipt(_) => "CHY-3007",
        ProtocolError::Time(_) => "CHY-3040",
        ProtocolError::Container(_) => "CHY-3009",
        ProtocolError::Unsupported(_) => "CHY-3020",
        ProtocolError::EncryptedFile(e) => match e {
            EncryptedFileError::Format(_) => "CHY-3010",
            EncryptedFileError::Truncated { .. } => "CHY-3011",
            EncryptedFileError::Trailing { .. } => "CHY-3012",
            EncryptedFileError::Reordered { .. } => "CHY-3013",
            EncryptedFileError::Spliced { .. } => "CHY-3014",
            EncryptedFileError::Altered { .. } => "CHY-3015",
            EncryptedFileError::NotARecipient => "CHY-3016",
            EncryptedFileError::HeaderAltered => "CHY-3017",
        },
        _ => "CHY-3008",
    }
}

/// The stable code of a certificate error.
pub fn cert_code(error: &CertError) -> &'static str {
    match error {
        CertError::Name { .. } => "CHY-2001",
        CertError::Malformed(_) => "CHY-2002",
        CertError::NoCertificate => "CHY-2003",
        CertError::Crl(_) => "CHY-2020",
        CertError::Refused(_) => "CHY-2004",
        CertError::Mismatch(_) => "CHY-6011",
        CertError::Unverifiable(_) => "CHY-2005",
        CertError::Cms(_) => "CHY-2007",
        CertError::TimeStamp(_) => "CHY-2008",
        CertError::Path(_) => "CHY-2010",
        CertError::Crypto(e) => crypto_code(e),
        _ => "CHY-2006",
    }
}

/// The stable code of a cryptographic error.
pub fn crypto_code(error: &CryptoError) -> &'static str {
    match error {
        CryptoError::Random => "CHY-1001",
        CryptoError::PrivateKey(_) => "CHY-1002",
        CryptoError::PassphraseNeeded => "CHY-1003",
        CryptoError::WrongPassphrase => "CHY-1004",
        CryptoError::PublicKey(_) => "CHY-1005",
        CryptoError::BadSignature => "CHY-1006",
        CryptoError::AlgorithmMismatch(_) => "CHY-1007",
        CryptoError::Cose(_) => "CHY-1008",
        CryptoError::Cbor(CborError::Depth(_)) => "CHY-1013",
        CryptoError::Cbor(CborError::TooLarge(..)) => "CHY-1014",
        CryptoError::Cbor(CborError::Newer(_)) => "CHY-1016",
        CryptoError::TooMany { .. } => "CHY-1015",
        CryptoError::Cbor(_) => "CHY-1009",
        CryptoError::Hpke(_) => "CHY-1010",
        CryptoError::Chunk(_) => "CHY-1011",
        _ => "CHY-1012",
    }
}

/// What to do about a protocol error.
pub fn protocol_remedy(error: &ProtocolError) -> &'static str {
    match error {
        ProtocolError::Crypto(e) | ProtocolError::Seal(SealError::Crypto(e)) => crypto_remedy(e),
        ProtocolError::Certificate(e) | ProtocolError::Seal(SealError::Certificate(e)) => {
            cert_remedy(e)
        }
        ProtocolError::Path(_) | ProtocolError::Seal(_) => {
            "Check the certificates and the trust anchor; ask the signer's CA if they are right."
        }
        ProtocolError::Header(_) => "Correct the document's header.",
        ProtocolError::Classification(_) => {
            "Write 绝密, 机密, 秘密, 内部 or none, and the secrecy period apart from it or behind a star: 机密★10年."
        }
        ProtocolError::Content(_) | ProtocolError::PartDigest { .. } => {
            "Do not rely on the content; ask the sender for it again."
        }
        ProtocolError::Envelope(_) | ProtocolError::Message(_) => {
            "Report it to the operator of the sending node."
        }
        ProtocolError::Time(_) => {
            "Compare the clocks of the agencies; nothing is taken for false by it."
        }
        ProtocolError::Container(_) | ProtocolError::Unsupported(_) => {
            "Ask for the container again, or for the documents in another form."
        }
        ProtocolError::EncryptedFile(error) => match error {
            EncryptedFileError::Format(_) => "Give a file that `chancery encrypt` made.",
            EncryptedFileError::NotARecipient => {
                "Give the key of an agency that it was encrypted to, or ask the sender who that is."
            }
            _ => "Nothing was written. Ask the sender for the file again.",
        },
        _ => "Keep it as proof and report it to the agency whose ledger it is.",
    }
}

/// What to do about a certificate error.
pub fn cert_remedy(error: &CertError) -> &'static str {
    match error {
        CertError::Name { .. } => {
            "Write agencies as justice.gov.cn, officers as li@justice.gov.cn."
        }
        CertError::Malformed(_) | CertError::NoCertificate => {
            "Give an X.509 certificate in PEM or DER."
        }
        CertError::Crl(_) => "Give a revocation list as its CA made it, in PEM or DER.",
        CertError::Cms(_) | CertError::TimeStamp(_) => {
            "Ask the signer or the time-stamping authority for it again."
        }
        CertError::Path(_) => {
            "Check the certificates and the trust anchor; ask the signer's CA if they are right."
        }
        CertError::Refused(_) | CertError::Unverifiable(_) => {
            "Ask for a name, depth and validity that lie within the CA's own."
        }
        CertError::Mismatch(_) => {
            "Give key and certificate that were issued together, for this agency."
        }
        CertError::Crypto(e) => crypto_remedy(e),
        _ => "Check the display name and the other values that were given.",
    }
}

/// What to do about a cryptographic error.
pub fn crypto_remedy(error: &CryptoError) -> &'static str {
    match error {
        CryptoError::Random => "The operating system is not sound; try again later.",
        CryptoError::PrivateKey(_) => {
            "Give a PKCS#8 file, PEM or DER, with a P-256, P-384 or Ed25519 key."
        }
        CryptoError::PassphraseNeeded => {
            "Give --passphrase-file FILE, or set CHANCERY_PASSPHRASE, or use a terminal."
        }
        CryptoError::WrongPassphrase => "Check the passphrase.",
        CryptoError::Hpke(_) => "It is not for this recipient, or was altered on the way.",
        CryptoError::Cbor(CborError::Newer(_)) => {
            "Use a newer version of chancery; nothing is wrong with what was given."
        }
        CryptoError::Cose(_) | CryptoError::Cbor(_) | CryptoError::TooMany { .. } => {
            "Check that this is the right file; if it is, ask for it again."
        }
        _ => "Do not rely on it; ask the sender for it again.",
    }
}
