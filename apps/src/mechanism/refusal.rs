//! Why mechanisms refuse, beyond what every act is refused for.

use serde::{Deserialize, Serialize};

/// Why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum MechanismRefusal {
    /// It is not time yet.
    TooEarly {
        /// From when, in seconds since 1970 UTC.
        from: i64,
    },
    /// It is too late.
    TooLate {
        /// Until when it was possible, in seconds since 1970 UTC.
        until: i64,
    },
    /// No paper was drawn.
    NoPaper,
    /// The paper was drawn before.
    PaperDrawn,
    /// There are fewer items than the blueprint wants.
    Bank {
        /// Which part of it.
        part: String,
        /// How many it wants.
        wanted: u64,
        /// How many there are.
        there: u64,
    },
    /// Nothing was handed in.
    NotAnswered,
    /// It was graded, and stands.
    Graded,
    /// It was not graded yet.
    NotGraded,
    /// Whoever has passed does not sit again.
    Passed,
    /// It was sat again as often as may be.
    Tries {
        /// How often one may sit again.
        most: u32,
    },
    /// It was marked by the same one before, or by whoever wrote it.
    MarkedBefore {
        /// By whom.
        who: String,
    },
    /// Marks do not differ by more than they may: there is nothing to decide.
    Settled {
        /// Of what.
        part: String,
    },
    /// Marks are missing, or differ, and nobody has decided.
    NotSettled {
        /// Of whom, and of what.
        what: String,
    },
    /// More points than there are.
    Points {
        /// The most.
        most: u32,
    },
    /// An entry was made longer ago than one may work without the ledger, or later than now.
    Offline {
        /// Which.
        item: String,
        /// How many days one may.
        days: u32,
    },
    /// Two have found different things, and nobody has decided.
    Conflict {
        /// Of what.
        items: String,
    },
    /// Something was not looked at.
    NotLooked {
        /// What.
        items: String,
    },
    /// It is closed.
    Closed,
    /// There are fewer than are to be drawn.
    TooFew {
        /// Of what.
        of: String,
        /// How many are to be drawn.
        wanted: u64,
        /// How many there are.
        there: u64,
    },
}

impl MechanismRefusal {
    /// The code that programs go by.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooEarly { .. } | Self::TooLate { .. } | Self::Offline { .. } => "CHY-7104",
            Self::MarkedBefore { .. } => "CHY-7103",
            Self::Points { .. } => "CHY-7105",
            Self::Conflict { .. } => "CHY-7108",
            Self::NotSettled { .. } | Self::NotLooked { .. } => "CHY-7110",
            _ => "CHY-7102",
        }
    }
}
