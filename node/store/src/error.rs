use std::{io::ErrorKind, path::PathBuf};

use thiserror::Error;

use crate::Table;

/// What can go wrong with what is stored. Each variant has a stable code and a remedy.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key file can be read by others.
    #[error("{path} holds a private key and may be read by others (mode {mode:o})", path = path.display())]
    KeyExposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The store failed, and what it holds of the last write is not known.
    #[error("the store failed: {0}")]
    Broken(String),
    /// There is no room on a disk. It passes.
    #[error("there is no room on the disk: {0}")]
    Full(String),
    /// The database or the object store cannot be reached, or asks to try again. Nothing was written; it passes.
    #[error("what the node keeps its data in does not answer: {0}")]
    Away(String),
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
    #[error("the store was changed by another writer (table {})", table.name())]
    Conflict {
        /// The table.
        table: Table,
        /// The key.
        key: Vec<u8>,
    },
    /// Another process has taken over the writing of this store.
    #[error("another process writes to this store: {0}")]
    Fenced(String),
    /// A setting of the store is wrong.
    #[error("{what}: {why}")]
    Setting {
        /// Which.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The engine does not do that.
    #[error("the engine {engine} does not do that: {why}")]
    Declined {
        /// Which.
        engine: &'static str,
        /// Why, and what does it instead.
        why: &'static str,
    },
}

impl StoreError {
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
    pub fn again(&self) -> Self {
        match self {
            Self::Full(why) => Self::Full(why.clone()),
            Self::Away(why) => Self::Away(why.clone()),
            Self::Fenced(why) => Self::Fenced(why.clone()),
            Self::Broken(why) => Self::Broken(why.clone()),
            other => Self::Broken(other.to_string()),
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

    /// Whether there is nothing at the place of a file.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::File { source, .. } if source.kind() == ErrorKind::NotFound)
    }

    /// Whether it passes: nothing was written, and the same can be done later as it is.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Full(_) | Self::Away(_))
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
            Self::KeyExposed { .. } => "CHY-4003",
            Self::Broken(_) => "CHY-4004",
            Self::Damaged(_) => "CHY-4005",
            Self::Schema { .. } => "CHY-4014",
            Self::Conflict { .. } => "CHY-4015",
            Self::Full(_) => "CHY-4040",
            Self::Away(_) => "CHY-4060",
            Self::Fenced(_) => "CHY-4061",
            Self::Declined { .. } => "CHY-4062",
            Self::Setting { .. } => "CHY-4063",
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::File { .. } => "Check that the path exists and that you may use it.",
            Self::KeyExposed { .. } => "Run `chmod 600` on it.",
            Self::Broken(_) => {
                "Check the disk (space, permissions); nothing unacknowledged was kept."
            }
            Self::Full(_) => {
                "Make room on the disk that is named; nothing of this was kept. A node goes on by itself."
            }
            Self::Away(_) => {
                "Check it and the network to it; nothing of this was kept. A node goes on by itself."
            }
            Self::Damaged(_) => "Stop the node, keep the data as it is, and restore from a backup.",
            Self::Schema { .. } => "Use the newer program; the store was left as it is.",
            Self::Conflict { .. } => "Make sure that only one node uses the store, and try again.",
            Self::Fenced(_) => {
                "Nothing is wrong when a standby was to take over; else see which other process has this agency's configuration, or start the node with the one that it was copied to."
            }
            Self::Setting { .. } => "Correct the setting; docs/operators.md has the whole set-up.",
            Self::Declined { .. } => "Use what the message names instead.",
        }
    }
}
