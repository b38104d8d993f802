//! The store: a narrow trait over ordered tables, its engines, and the files that lie beside it.
//!
//! A store is an ordered map of bytes for each [`Table`]. What is written together is a [`Batch`]: atomic, durable when the call
//! returns, and only if its conditions hold. Nothing here knows what the bytes mean. [`conformance`] is what every engine
//! must do; each engine's name stands in its own file and nowhere else.

mod batch;
pub mod conformance;
mod contents;
mod engine;
mod error;
pub mod files;
mod memory;
mod objects;
mod postgres;
mod rocks;
mod s3;
mod table;
mod work;

use std::{path::Path, sync::atomic::AtomicBool};

use tokio::sync::watch;

pub use self::{
    batch::{Batch, Change, Condition},
    contents::{
        ContentReader, Contents, FolderContents, Listed, conformance as contents_conformance,
    },
    engine::{Engine, StoreSettings, copy, open, open_read_only},
    error::StoreError,
    memory::MemoryStore,
    objects::ObjectSettings,
    table::{Table, TableSpec, Values},
    work::{Blocking, Feed, SharedStore, Source, blocking, in_place, thread},
};

/// The version of what the tables hold. A store of a newer version is refused; an older one is brought up to it by the ledger.
pub const SCHEMA: u64 = 5;
/// The key of the version in [`Table::Meta`].
pub const SCHEMA_KEY: &[u8] = b"schema";

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Entries that are read at a time, where all are.
const PAGE: usize = 1024;

/// Reading tables: as they are now, or as they were at one instant.
pub trait Read: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// [`StoreError`].
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The values of several keys, in their order: one question for engines that are asked over a network.
    ///
    /// # Errors
    /// [`StoreError`].
    fn get_many(&self, table: Table, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        keys.iter().map(|key| self.get(table, key)).collect()
    }

    /// Up to `limit` entries from `from` on, ascending, as long as keys start with `prefix`. `from` starts with it.
    ///
    /// # Errors
    /// [`StoreError`].
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// Up to `limit` entries with a prefix, descending from the last, or from the last before `before`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn scan_back(
        &self,
        table: Table,
        prefix: &[u8],
        before: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;
}

/// All entries with a prefix, in order, read page by page: what is written meanwhile may be seen or not, unless a snapshot is
/// read.
pub fn all<'a, R: Read + ?Sized>(
    tables: &'a R,
    table: Table,
    prefix: &'a [u8],
) -> impl Iterator<Item = Result<Entry, StoreError>> + use<'a, R> {
    let mut from = Some(prefix.to_vec());
    let mut page = Vec::new().into_iter();
    std::iter::from_fn(move || {
        loop {
            if let Some(entry) = page.next() {
                return Some(Ok(entry));
            }
            match tables.scan(table, &from.take()?, prefix, PAGE) {
                Ok(entries) => {
                    if entries.len() == PAGE
                        && let Some((last, _)) = entries.last()
                    {
                        from = Some([last.as_slice(), &[0]].concat());
                    }
                    page = entries.into_iter();
                }
                Err(error) => return Some(Err(error)),
            }
        }
    })
}

/// What a node needs of its store: an ordered map per table, batches that are atomic, ordered, durable
/// and conditional, snapshots, and a signal when something has changed.
///
/// Errors are told apart. [`StoreError::Conflict`]: a condition does not hold. [`StoreError::Full`] and [`StoreError::Away`] pass: the
/// same can be tried again. Of both nothing is visible. After anything else it is not known what the store holds, and
/// whoever writes to it stops.
pub trait Store: Read + 'static {
    /// All tables as they are at this instant, whatever is written later.
    ///
    /// # Errors
    /// [`StoreError`].
    fn snapshot(&self) -> Result<Box<dyn Read>, StoreError>;

    /// Writes a batch; when this returns, it survives a power cut.
    ///
    /// # Errors
    /// [`StoreError`], as said above.
    fn write(&self, batch: Batch) -> Result<(), StoreError>;

    /// Whether a few reads take less time than stepping aside for them: so for what lies in memory or in files of this machine.
    fn reads_at_once(&self) -> bool {
        false
    }

    /// A counter that moves after every batch that was written.
    fn watch(&self) -> watch::Receiver<u64>;

    /// Waits until this process may write, and keeps that from then on; at once for an engine that only one can open. `who` is
    /// said to others who wait. False when `stop` has turned true before.
    ///
    /// # Errors
    /// [`StoreError::Setting`] when a failover could lose what is acknowledged; [`StoreError`] when the engine fails.
    fn lead(&self, _who: &str, _stop: &AtomicBool) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Says why nothing can be written any more, once another process has taken over; none for an engine that only one can open.
    fn lost(&self) -> Option<watch::Receiver<Option<String>>> {
        None
    }

    /// What the engine can do for whoever looks after it; none for one that has no files of its own.
    fn maintenance(&self) -> Option<&dyn Maintenance>;
}

/// What is done to the files of an engine that has them. Others are looked after with their own tools.
pub trait Maintenance {
    /// Copies the whole store, as it is at one instant, into a new folder.
    ///
    /// # Errors
    /// [`StoreError`].
    fn copy_to(&self, folder: &Path) -> Result<(), StoreError>;

    /// Rewrites tables so that nothing of what was deleted or overwritten in them stays in the store's
    /// files. It takes time, and room for the largest of them once more.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is lost then.
    fn scrub(&self, tables: &[Table]) -> Result<(), StoreError>;
}

impl std::fmt::Debug for dyn Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

/// The version of what the tables hold; none in a store that was being made when its process ended.
///
/// # Errors
/// [`StoreError`]; [`StoreError::Damaged`] when there is none, but something else is.
pub fn schema(tables: &(impl Read + ?Sized)) -> Result<Option<u64>, StoreError> {
    let damaged = || StoreError::Damaged("it has no schema version".into());
    match tables.get(Table::Meta, SCHEMA_KEY)? {
        Some(found) => Ok(Some(u64::from_be_bytes(found.try_into().map_err(|_| damaged())?))),
        // The version is the first thing that is ever written.
        None => {
            for table in Table::ALL {
                if !tables.scan(table, &[], &[], 1)?.is_empty() {
                    return Err(damaged());
                }
            }
            Ok(None)
        }
    }
}

/// Refuses a store whose schema is another than this program reads: one that is opened for reading only is not brought up.
///
/// # Errors
/// [`StoreError::Schema`].
pub fn check_known(tables: &(impl Read + ?Sized)) -> Result<(), StoreError> {
    match schema(tables)? {
        // What was added or moved since version 2 is read in both forms.
        Some(2..=SCHEMA) => Ok(()),
        found => Err(StoreError::Schema { found: found.unwrap_or_default(), known: SCHEMA }),
    }
}

/// The key that is there once a store was copied to another: which.
const MOVED: &[u8] = b"moved";

/// Refuses a store that was copied to another: two of one ledger that both go on are a fork.
///
/// # Errors
/// [`StoreError::Fenced`], naming the other.
pub fn check_not_moved(tables: &(impl Read + ?Sized)) -> Result<(), StoreError> {
    let Some(to) = tables.get(Table::Meta, MOVED)? else { return Ok(()) };
    let to = String::from_utf8_lossy(&to);
    Err(StoreError::Fenced(format!("it was copied to {to}, where the ledger goes on")))
}

/// Notes that a store was copied to another: nothing goes on in it from now on.
///
/// # Errors
/// [`StoreError`].
pub fn note_moved(store: &dyn Store, to: &str) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    batch.put(Table::Meta, MOVED, to.as_bytes());
    store.write(batch)
}

/// Writes the version into a new store. Gives the version of one that is there, which may be older.
///
/// # Errors
/// [`StoreError::Schema`] when a newer program wrote it; as [`schema`].
fn begin(store: &dyn Store) -> Result<(), StoreError> {
    match schema(store)? {
        Some(found) if found > SCHEMA => Err(StoreError::Schema { found, known: SCHEMA }),
        Some(_) => Ok(()),
        None => {
            let mut batch = Batch::default();
            batch.put(Table::Meta, SCHEMA_KEY, SCHEMA.to_be_bytes());
            store.write(batch)
        }
    }
}
