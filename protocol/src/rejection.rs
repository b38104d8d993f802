//! Why a node does not take what it is offered: a value for each reason, its code and when to come again beside it.

use chancery_certs::{AgencyName, PathError};

use crate::{ProtocolError, Refusal};

/// Seconds after which a sender asks again a node that does not relay for it yet.
const RELAY_AGAIN: u32 = 30;
/// Seconds after which a sender asks again a node that does not know yet whether its ledger is the newest, or knows that it is not.
const LEDGER_AGAIN: u32 = 30;
/// Seconds after which a sender asks again a node whose clock is wrong.
const CLOCK_AGAIN: u32 = 30;
/// Seconds after which a peer asks again: when much of it is arriving, when much of it is kept, when the disk is full.
const ARRIVING_AGAIN: u32 = 5;
const STORED_AGAIN: u32 = 600;
const DISK_AGAIN: u32 = 30;

/// Why a node does not take an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// Whoever offers it is neither its sender nor on its way, as far as is known. `again`: seconds until a newer directory
    /// will have been asked for.
    Stranger {
        /// Who offers it.
        peer: AgencyName,
        /// Whose it is.
        sender: AgencyName,
        /// The version of the directory that is held and valid.
        directory: Option<u64>,
        /// When to come again.
        again: u32,
    },
    /// It is not for the agency that it is handed over for.
    NotFor(AgencyName),
    /// Its time is over.
    Expired,
    /// It expired on its way to a recipient.
    ExpiredOnTheWay(AgencyName),
    /// It is larger than is taken here.
    TooLarge {
        /// Bytes of ciphertext.
        bytes: u64,
        /// The most that are taken.
        limit: u64,
    },
    /// It is arriving on another stream.
    Arriving,
    /// Its ciphertext does not have the root that its header seals. `torn`: part of it had come before, and may have been torn
    /// here by a power cut.
    OtherRoot {
        /// Whether it is to be sent afresh.
        torn: bool,
    },
    /// Its seal, or a certificate above it, is revoked.
    Revoked(PathError),
    /// This agency does not relay from the sender to the recipient, by the directory that is held.
    NotRelayed {
        /// This agency.
        own: AgencyName,
        /// Whose it is.
        sender: AgencyName,
        /// Whom it is for.
        recipient: AgencyName,
    },
    /// More is offered in a second than is looked at.
    TooOften {
        /// Envelopes a second.
        rate: u32,
        /// When to come again.
        again: u32,
    },
    /// Too many contents of a peer, or of all, are arriving.
    ManyArriving {
        /// Of this peer.
        own: usize,
        /// Of all.
        all: usize,
    },
    /// Too many bytes of a peer are arriving.
    MuchArriving {
        /// Bytes of this peer.
        bytes: u64,
        /// The most.
        limit: u64,
    },
    /// As much of a sender is kept as may be.
    MuchKept {
        /// Whose.
        sender: AgencyName,
        /// Bytes that are kept.
        bytes: u64,
        /// The most.
        limit: u64,
    },
    /// There is no room. Where the data lies here is not a peer's business.
    NoRoom,
    /// Something here does not work for now, in its own words.
    Passing(String),
    /// This node's clock is wrong, in the words of what found it.
    Clock(String),
    /// More documents of whom it is charged to had to be refused lately than are looked at.
    ManyRefused {
        /// Documents in an hour.
        most: u32,
        /// When to come again.
        again: u32,
    },
    /// What was sealed does not open here, or is something else than its envelope says.
    NotAsSealed(ProtocolError),
    /// This ledger is not the newest, or that is not known.
    Ledger(String),
    /// A recipient refused it, and gave no reason that was kept.
    ByRecipient(AgencyName),
    /// It cannot be read, or is not acceptable.
    Unacceptable(ProtocolError),
}

impl Rejection {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stranger { .. } => "CHY-5001",
            Self::NotFor(_) => "CHY-5002",
            Self::Expired | Self::ExpiredOnTheWay(_) => "CHY-5003",
            Self::TooLarge { .. } => "CHY-5004",
            Self::Arriving => "CHY-5005",
            Self::OtherRoot { .. } => "CHY-5006",
            Self::Revoked(_) => "CHY-5007",
            Self::NotRelayed { .. } => "CHY-5008",
            Self::TooOften { .. } => "CHY-5009",
            Self::ManyArriving { .. } | Self::MuchArriving { .. } => "CHY-5010",
            Self::MuchKept { .. } => "CHY-5011",
            Self::NoRoom | Self::Passing(_) => "CHY-5012",
            Self::Clock(_) => "CHY-5030",
            Self::ManyRefused { .. } => "CHY-5031",
            Self::NotAsSealed(_) => "CHY-5040",
            Self::Ledger(_) => "CHY-5041",
            Self::ByRecipient(_) => "CHY-5000",
            Self::Unacceptable(error) => error.code(),
        }
    }

    /// Seconds after which to come again; none when that is of no use, and the sender is to give up. Only what can never be
    /// otherwise is final: no directory, clock, disk or limit of this node is.
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Stranger { again, .. }
            | Self::TooOften { again, .. }
            | Self::ManyRefused { again, .. } => Some(*again),
            Self::Arriving => Some(1),
            Self::OtherRoot { torn } => torn.then_some(1),
            Self::NotRelayed { .. } => Some(RELAY_AGAIN),
            Self::ManyArriving { .. } | Self::MuchArriving { .. } => Some(ARRIVING_AGAIN),
            Self::MuchKept { .. } => Some(STORED_AGAIN),
            Self::NoRoom | Self::Passing(_) => Some(DISK_AGAIN),
            Self::Clock(_) => Some(CLOCK_AGAIN),
            Self::Ledger(_) => Some(LEDGER_AGAIN),
            Self::NotFor(_)
            | Self::Expired
            | Self::ExpiredOnTheWay(_)
            | Self::TooLarge { .. }
            | Self::Revoked(_)
            | Self::NotAsSealed(_)
            | Self::ByRecipient(_)
            | Self::Unacceptable(_) => None,
        }
    }

    /// Whether it counts against whom it is charged to: a final refusal does, and one for which he is no relay on the way,
    /// which cost as much to find out. What has expired on its way is nobody's fault.
    pub fn is_charged(&self) -> bool {
        match self {
            Self::Stranger { .. } => true,
            Self::Expired | Self::ExpiredOnTheWay(_) => false,
            other => other.retry_after().is_none(),
        }
    }

    /// As a peer is told: its reason is English, and the peer's own node says the code in its reader's language.
    pub fn refusal(&self) -> Refusal {
        let (code, retry_after) = (self.code().to_owned(), self.retry_after());
        Refusal { code, reason: self.to_string(), retry_after }
    }
}
