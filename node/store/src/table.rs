//! The tables, and what an engine may know of them.

/// How large the values of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// They are of the order of their keys.
    Small,
    /// They are large beside their keys, and their keys come in no order.
    Large,
}

/// What an engine may go by when it lays a table out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableSpec {
    /// How large its values are.
    pub values: Values,
    /// Whether its values become smaller by compression.
    pub compresses: bool,
}

/// The tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Schema version, ledger size, directory.
    Meta,
    /// Ledger entries by index.
    Leaves,
    /// Ledger tiles by tile level and index.
    Tiles,
    /// Sealed checkpoints by size.
    Checkpoints,
    /// Envelope records by id.
    Envelopes,
    /// Ciphertext of small envelopes by id.
    Content,
    /// The index of the entry by event, envelope and counterpart: the receipt is made from it.
    Receipts,
    /// Deliveries by envelope and recipient.
    Deliveries,
    /// Deliveries that are not over, same keys.
    Pending,
    /// Envelope ids in order of their first entry: `i` in, `o` out.
    Journal,
    /// Envelopes by the document in them.
    Documents,
    /// Envelopes by the document that they answer.
    Answers,
    /// Envelopes that came in and are not in those two yet.
    Unindexed,
    /// Receipts of others by digest.
    Evidence,
    /// What was seen of each peer's ledger.
    Peers,
    /// The newest cosignature of this ledger's checkpoints, by witness.
    Cosignatures,
    /// Cosignatures of this ledger's history, by witness and number, and witnesses' statements.
    Cosigned,
    /// Proofs that a peer's ledger was forked, by peer and size.
    Forks,
    /// Signed orders to remove content, by digest.
    Orders,
    /// The state of application modules, by module and a key of its own: what follows from verified documents, kept
    /// so that it need not be worked out anew.
    Modules,
    /// Requests with an idempotency key that were done, by caller and key.
    Requests,
    /// Envelopes whose content is to be removed from the disk: the ledger says already that it is gone.
    Erasing,
    /// What modules keep: sealed rows, by their keys.
    State,
    /// The records of modules' decisions, sealed, by number.
    Decisions,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::Meta,
        Self::Leaves,
        Self::Tiles,
        Self::Checkpoints,
        Self::Envelopes,
        Self::Content,
        Self::Receipts,
        Self::Deliveries,
        Self::Pending,
        Self::Journal,
        Self::Documents,
        Self::Answers,
        Self::Unindexed,
        Self::Evidence,
        Self::Peers,
        Self::Cosignatures,
        Self::Cosigned,
        Self::Forks,
        Self::Orders,
        Self::Modules,
        Self::Requests,
        Self::Erasing,
        Self::State,
        Self::Decisions,
    ];

    /// What an engine may go by when it lays the table out.
    pub fn spec(self) -> TableSpec {
        let values = match self {
            Self::Content | Self::Envelopes | Self::Evidence => Values::Large,
            _ => Values::Small,
        };
        // Hashes and ciphertext.
        let compresses =
            !matches!(self, Self::Tiles | Self::Content | Self::State | Self::Decisions);
        TableSpec { values, compresses }
    }

    /// Its number, which never changes: engines with one table for all keep it in each row.
    pub fn number(self) -> i16 {
        let place = Self::ALL.iter().position(|table| *table == self);
        // There are 24, and it is one of them.
        place.and_then(|place| i16::try_from(place).ok()).unwrap_or(i16::MAX)
    }

    /// The name of its column family, and what errors call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Leaves => "leaves",
            Self::Tiles => "tiles",
            Self::Checkpoints => "checkpoints",
            Self::Envelopes => "envelopes",
            Self::Content => "content",
            Self::Receipts => "receipts",
            Self::Deliveries => "deliveries",
            Self::Pending => "pending",
            Self::Journal => "journal",
            Self::Documents => "documents",
            Self::Answers => "answers",
            Self::Unindexed => "unindexed",
            Self::Evidence => "evidence",
            Self::Peers => "peers",
            Self::Cosignatures => "cosignatures",
            Self::Cosigned => "cosigned",
            Self::Forks => "forks",
            Self::Orders => "orders",
            Self::Modules => "modules",
            Self::Requests => "requests",
            Self::Erasing => "erasing",
            Self::State => "state",
            Self::Decisions => "decisions",
        }
    }
}
