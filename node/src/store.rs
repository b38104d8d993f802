//! The store: a narrow trait over ordered tables, and RocksDB behind it. Nothing else in Chancery
//! names RocksDB.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, BottommostLevelCompaction, Cache,
    ColumnFamilyDescriptor, CompactOptions, DB, DBCompactionStyle, DBCompressionType,
    DBRecoveryMode, Direction, IteratorMode, Options, ReadOptions, SnapshotWithThreadMode,
    WriteBatch, WriteOptions,
};
use tokio::sync::watch;

use crate::{NodeError, migrate};

/// The version of what the tables hold. A store of a newer version is refused; an older one is brought
/// up to it (see `migrate.rs`).
pub const SCHEMA: u64 = 5;
/// The key of the version in [`Table::Meta`].
pub const SCHEMA_KEY: &[u8] = b"schema";

/// Files of the store that are open at once. Tables that only grow have thousands of small ones, and a shell's limit on open
/// files is 1,024.
const MAX_OPEN_FILES: i32 = 512;
/// Bytes that all tables together may hold in memory before they are flushed.
const WRITE_BUFFERS: usize = 24 << 20;
/// Bytes of blocks that all tables together keep in memory.
const BLOCK_CACHE: usize = 16 << 20;
/// Bytes of a piece of a file's index or filter.
const METADATA_BLOCK: usize = 4 << 10;
/// Sorted runs of a table that are merged when there are so many.
const SORTED_RUNS: i32 = 8;
/// Values of at least so many bytes are blobs, in the tables that have them.
const MIN_BLOB: u64 = 512;
/// For how long erasing waits for snapshots to end.
const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at whether they have.
const SNAPSHOT_STEP: Duration = Duration::from_millis(100);

/// The tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// Schema version, ledger size, directory.
    Meta,
    /// Ledger entries by index.
    Leaves,
    /// Ledger tiles by tile level and index.
    Tiles,
    /// Sealed checkpoints by size; see [`chancery_protocol::KeptCheckpoint`].
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
    /// What was seen of each peer's ledger; see `witness.rs`.
    Peers,
    /// The newest cosignature of this ledger's checkpoints, by witness.
    Cosignatures,
    /// Cosignatures of this ledger's history, by witness and number, and witnesses' statements; see `ledger.rs`.
    Cosigned,
    /// Proofs that a peer's ledger was forked, by peer and size.
    Forks,
    /// Signed orders to remove content, by digest.
    Orders,
    /// The state of application modules, by module and a key of its own: what follows from verified documents, kept
    /// so that it need not be worked out anew. See `acts.rs` for the first.
    Modules,
    /// Requests with an idempotency key that were done, by caller and key.
    Requests,
    /// Envelopes whose content is to be removed from the disk: the ledger says already that it is gone.
    Erasing,
}

impl Table {
    const ALL: [Self; 22] = [
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
    ];

    /// Whether its values are large beside their keys, and its keys come in no order.
    fn has_blobs(self) -> bool {
        matches!(self, Self::Content | Self::Envelopes | Self::Evidence)
    }

    fn name(self) -> &'static str {
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
        }
    }
}

/// Changes that become visible, and durable, all or none, and only if what they rest on still holds.
#[derive(Debug, Default)]
pub struct Batch {
    changes: Vec<(Table, Vec<u8>, Option<Vec<u8>>)>,
    conditions: Vec<(Table, Vec<u8>, Option<Vec<u8>>)>,
}

impl Batch {
    /// Sets a key.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.changes.push((table, key.into(), Some(value.into())));
    }

    /// Removes a key.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.changes.push((table, key.into(), None));
    }

    /// Asks that a key has this value, or is absent, before any of the batch is written.
    pub fn require(&mut self, table: Table, key: impl Into<Vec<u8>>, value: Option<Vec<u8>>) {
        self.conditions.push((table, key.into(), value));
    }

    /// Takes over another batch's changes and conditions.
    pub fn append(&mut self, mut other: Self) {
        self.changes.append(&mut other.changes);
        self.conditions.append(&mut other.conditions);
    }

    /// Whether it asks for anything.
    pub fn is_conditional(&self) -> bool {
        !self.conditions.is_empty()
    }

    /// The bytes of all keys and values.
    pub fn size(&self) -> usize {
        self.changes.iter().map(|(_, k, v)| k.len() + v.as_ref().map_or(0, Vec::len)).sum()
    }

    /// Checks the conditions against a state that cannot change meanwhile.
    fn check(&self, state: &(impl Read + ?Sized)) -> Result<(), NodeError> {
        for (table, key, value) in &self.conditions {
            if state.get(*table, key)? != *value {
                return Err(NodeError::Conflict(table.name()));
            }
        }
        Ok(())
    }
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Reading tables: as they are now, or as they were at one instant.
pub trait Read: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, NodeError>;

    /// Up to `limit` entries from `from` on, ascending, as long as keys start with `prefix`.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, NodeError>;

    /// Up to `limit` entries with a prefix, descending from the last, or from the last before `before`.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    fn scan_back(
        &self,
        table: Table,
        prefix: &[u8],
        before: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, NodeError>;
}

/// What a node needs of its store: an ordered map per table, batches that are atomic, ordered, durable
/// and conditional, snapshots, and a signal when something has changed. An engine that several nodes
/// share can stand behind it: the condition on the newest checkpoint, which every ledger commit carries,
/// lets only one of several writers win.
pub trait Store: Read + 'static {
    /// All tables as they are at this instant, whatever is written later.
    fn snapshot(&self) -> Box<dyn Read + '_>;

    /// Writes a batch; when this returns, it survives a power cut.
    ///
    /// # Errors
    /// [`NodeError::Conflict`] when a condition does not hold, [`NodeError::Store`]; nothing of the batch
    /// is visible then.
    fn write(&self, batch: Batch) -> Result<(), NodeError>;

    /// A counter that moves after every batch that was written.
    fn watch(&self) -> watch::Receiver<u64>;

    /// Copies the whole store, as it is at one instant, into a new folder.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    fn copy_to(&self, folder: &Path) -> Result<(), NodeError>;

    /// Rewrites tables so that nothing of what was deleted or overwritten in them stays in the store's
    /// files. It takes time, and room for the largest of them once more.
    ///
    /// # Errors
    /// [`NodeError::Store`]; nothing is lost then.
    fn scrub(&self, tables: &[Table]) -> Result<(), NodeError>;
}

/// RocksDB, one column family per table, with a synced write-ahead log.
pub struct RocksStore {
    db: DB,
    /// Held while conditions are checked and their batch is written.
    writing: Mutex<()>,
    changed: watch::Sender<u64>,
}

impl std::fmt::Debug for RocksStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RocksStore({})", self.db.path().display())
    }
}

/// What RocksDB says when there is no room (`rocksdb/util/status.cc`), in every error that comes of it: of the write that found
/// none, and of all others until it has recovered, which it tries every five seconds.
const NO_ROOM: [&str; 3] =
    ["No space left on device", "Disk quota exceeded", "Space limit reached"];

/// Tells what passes from what does not: RocksDB goes on by itself when there is room again, and never after anything else
/// that made a write fail.
fn failed(error: impl std::fmt::Display) -> NodeError {
    let text = error.to_string();
    match NO_ROOM.iter().any(|words| text.contains(words)) {
        true => NodeError::Full(text),
        false => NodeError::Store(text),
    }
}

fn options() -> Options {
    let mut options = Options::default();
    // One flushes, two compact: while a large table is merged, the others go on.
    options.set_max_background_jobs(3);
    options.set_keep_log_file_num(4);
    options.set_max_total_wal_size(64 << 20);
    options.set_paranoid_checks(true);
    options.set_max_open_files(MAX_OPEN_FILES);
    // Memory stays bounded however many tables there are: one cache, one budget for what is
    // not flushed yet.
    options.set_db_write_buffer_size(WRITE_BUFFERS);
    options
}

fn family_options(table: Table, cache: &Cache) -> Options {
    let mut options = Options::default();
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_bloom_filter(10.0, false);
    // Index and filter of a large file have megabytes. In pieces, a look-up takes a few kilobytes of them into the cache;
    // whole, each would push out the others.
    blocks.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    blocks.set_partition_filters(true);
    blocks.set_metadata_block_size(METADATA_BLOCK);
    options.set_block_based_table_factory(&blocks);
    options.set_compression_type(match table {
        // Hashes and ciphertext do not compress.
        Table::Tiles | Table::Content => DBCompressionType::None,
        _ => DBCompressionType::Lz4,
    });
    if table.has_blobs() {
        // Values go to blob files, so that compaction does not copy them again and again.
        options.set_enable_blob_files(true);
        options.set_min_blob_size(MIN_BLOB);
        if table != Table::Content {
            options.set_blob_compression_type(DBCompressionType::Lz4);
        }
        // Only when content is erased (see `scrub`): a file of blobs goes by itself when nothing in it is needed
        // any more, and moving those of the oldest files at every compaction cost 3 % of a sender's time.
        options.set_enable_blob_gc(true);
        options.set_blob_gc_age_cutoff(0.0);
    }
    options.set_write_buffer_size(8 << 20);
    // What is flushed of one table is small: all share the buffers. By levels, every fourth of those pieces would have
    // the whole table rewritten, as its keys come in no order (and tables in order would come to thousands of files).
    options.set_compaction_style(DBCompactionStyle::Universal);
    options.set_level_zero_file_num_compaction_trigger(SORTED_RUNS);
    options.set_level_zero_slowdown_writes_trigger(5 * SORTED_RUNS);
    options.set_level_zero_stop_writes_trigger(8 * SORTED_RUNS);
    options
}

impl RocksStore {
    /// Opens the store in a directory, or makes a new one there. One of an older version is brought up
    /// to this program's.
    ///
    /// # Errors
    /// [`NodeError::Store`], also when another process has it open;
    /// [`NodeError::Schema`] when it was written by a newer version, which leaves it as it is.
    pub fn open(path: &Path) -> Result<Self, NodeError> {
        // Looked at before anything is created or changed: a newer store stays untouched.
        if path.join("CURRENT").exists() {
            match Self::open_read_only(path) {
                Ok(store) => {
                    if let Some(found) = store.schema()?.filter(|found| *found > SCHEMA) {
                        return Err(NodeError::Schema { found, known: SCHEMA });
                    }
                }
                // A power cut can leave this; so can a disk that loses what it has acknowledged.
                Err(error) => tracing::error!(
                    %error,
                    "the store cannot be read to its end; it goes on from what can be read. Compare \
                     `chancery ledger status` with what the witnesses have cosigned"
                ),
            }
        }
        let mut options = options();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        let cache = Cache::new_lru_cache(BLOCK_CACHE);
        let families = Table::ALL
            .map(|table| ColumnFamilyDescriptor::new(table.name(), family_options(table, &cache)));
        let db = DB::open_cf_descriptors(&options, path, families).map_err(failed)?;
        let store = Self::over(db);
        match store.schema()? {
            None => {
                let mut batch = Batch::default();
                batch.put(Table::Meta, SCHEMA_KEY, SCHEMA.to_be_bytes());
                store.write(batch)?;
            }
            Some(found) => migrate::run(&store, found)?,
        }
        Ok(store)
    }

    /// Opens the store for reading only. Nothing on the disk is changed, so that a copy can be audited
    /// as it was found, also on a medium that cannot be written.
    ///
    /// # Errors
    /// [`NodeError::Store`], when there is none or it cannot be read.
    pub fn open_read_only(path: &Path) -> Result<Self, NodeError> {
        let mut options = options();
        // Only a last record that was cut off may be missing; a damaged one before it must not pass for
        // the end.
        options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
        let cache = Cache::new_lru_cache(BLOCK_CACHE);
        // An older store has fewer tables; those that are not there are empty.
        let there = DB::list_cf(&options, path).map_err(failed)?;
        let families = Table::ALL.into_iter().filter(|t| there.iter().any(|n| n == t.name()));
        let families = families
            .map(|table| ColumnFamilyDescriptor::new(table.name(), family_options(table, &cache)));
        let db = DB::open_cf_descriptors_read_only(&options, path, families, false);
        Ok(Self::over(db.map_err(failed)?))
    }

    /// The store, unless its schema is another than this program reads: one that is opened for reading only is
    /// not brought up.
    ///
    /// # Errors
    /// [`NodeError::Schema`].
    pub fn known(self) -> Result<Self, NodeError> {
        match self.schema()? {
            // What was added or moved since version 2 is read in both forms.
            Some(2..=SCHEMA) => Ok(self),
            found => Err(NodeError::Schema { found: found.unwrap_or_default(), known: SCHEMA }),
        }
    }

    fn over(db: DB) -> Self {
        Self { db, writing: Mutex::default(), changed: watch::Sender::new(0) }
    }

    /// The version of what the tables hold; none in a store that was being made when its process ended.
    ///
    /// # Errors
    /// [`NodeError::Store`]; [`NodeError::Damaged`] when there is none, but something else is.
    pub fn schema(&self) -> Result<Option<u64>, NodeError> {
        let damaged = || NodeError::Damaged("it has no schema version".into());
        match self.get(Table::Meta, SCHEMA_KEY)? {
            Some(found) => Ok(Some(u64::from_be_bytes(found.try_into().map_err(|_| damaged())?))),
            // The version is the first thing that is ever written.
            None => {
                for table in Table::ALL {
                    if !self.scan(table, &[], &[], 1)?.is_empty() {
                        return Err(damaged());
                    }
                }
                Ok(None)
            }
        }
    }

    fn family(&self, table: Table) -> Result<&rocksdb::ColumnFamily, NodeError> {
        let name = table.name();
        self.db.cf_handle(name).ok_or_else(|| failed(format!("there is no table {name}")))
    }

    fn read(&self) -> View<'_> {
        View { store: self, snapshot: None }
    }
}

/// The tables now, or at the instant of a snapshot.
struct View<'a> {
    store: &'a RocksStore,
    snapshot: Option<SnapshotWithThreadMode<'a, DB>>,
}

impl View<'_> {
    fn options(&self) -> ReadOptions {
        let mut options = ReadOptions::default();
        if let Some(snapshot) = &self.snapshot {
            options.set_snapshot(snapshot);
        }
        options
    }

    /// Up to `limit` entries in the order of `mode`, as long as keys start with `prefix`, without the key `but`.
    fn collect(
        &self,
        table: Table,
        mode: IteratorMode<'_>,
        prefix: &[u8],
        but: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, NodeError> {
        let mut out = Vec::new();
        // A store that was opened for reading may lack tables that came later.
        let Some(family) = self.store.db.cf_handle(table.name()) else { return Ok(out) };
        let entries = self.store.db.iterator_cf_opt(family, self.options(), mode);
        let passed = |entry: &Result<(Box<[u8]>, _), _>| {
            entry.as_ref().is_ok_and(|(key, _)| but == Some(&**key))
        };
        for entry in entries.skip_while(passed).take(limit) {
            let (key, value) = entry.map_err(failed)?;
            if !key.starts_with(prefix) {
                break;
            }
            out.push((key.into_vec(), value.into_vec()));
        }
        Ok(out)
    }
}

impl Read for View<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, NodeError> {
        let Some(family) = self.store.db.cf_handle(table.name()) else { return Ok(None) };
        self.store.db.get_cf_opt(family, key, &self.options()).map_err(failed)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, NodeError> {
        self.collect(table, IteratorMode::From(from, Direction::Forward), prefix, None, limit)
    }

    fn scan_back(
        &self,
        table: Table,
        prefix: &[u8],
        before: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, NodeError> {
        // Every key with the prefix is below the prefix followed by 0xff bytes.
        let end: Vec<u8> = prefix.iter().copied().chain([0xff; 64]).collect();
        let from = IteratorMode::From(before.unwrap_or(&end), Direction::Reverse);
        self.collect(table, from, prefix, before, limit)
    }
}

impl Read for RocksStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, NodeError> {
        self.read().get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, NodeError> {
        self.read().scan(table, from, prefix, limit)
    }

    fn scan_back(
        &self,
        table: Table,
        prefix: &[u8],
        before: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, NodeError> {
        self.read().scan_back(table, prefix, before, limit)
    }
}

impl Store for RocksStore {
    fn snapshot(&self) -> Box<dyn Read + '_> {
        Box::new(View { store: self, snapshot: Some(self.db.snapshot()) })
    }

    fn write(&self, batch: Batch) -> Result<(), NodeError> {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        batch.check(self)?;
        let mut write = WriteBatch::default();
        for (table, key, value) in batch.changes {
            match value {
                Some(value) => write.put_cf(self.family(table)?, key, value),
                None => write.delete_cf(self.family(table)?, key),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.db.write_opt(write, &options).map_err(failed)?;
        drop(writing);
        self.changed.send_modify(|count| *count += 1);
        Ok(())
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn copy_to(&self, folder: &Path) -> Result<(), NodeError> {
        // What is in the write-ahead log is part of the copy.
        let checkpoint = rocksdb::checkpoint::Checkpoint::new(&self.db).map_err(failed)?;
        checkpoint.create_checkpoint(folder).map_err(failed)
    }

    fn scrub(&self, tables: &[Table]) -> Result<(), NodeError> {
        // What a snapshot still sees is kept by a compaction.
        let mut patience = SNAPSHOT_PATIENCE;
        while !tables.is_empty()
            && self.db.property_int_value("rocksdb.num-snapshots").map_err(failed)? > Some(0)
        {
            if patience.is_zero() {
                return Err(failed("somebody reads the store (an export?); nothing is erased yet"));
            }
            std::thread::sleep(SNAPSHOT_STEP);
            patience = patience.saturating_sub(SNAPSHOT_STEP);
        }
        // The write-ahead log holds what was written lately; its files go once every table is flushed.
        for table in Table::ALL {
            self.db.flush_cf(self.family(table)?).map_err(failed)?;
        }
        for table in tables {
            let family = self.family(*table)?;
            let blobs = |cutoff| {
                let set = [("blob_garbage_collection_age_cutoff", cutoff)];
                self.db.set_options_cf(family, &set).map_err(failed)
            };
            if table.has_blobs() {
                blobs("1.0")?;
            }
            let mut options = CompactOptions::default();
            options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
            options.set_exclusive_manual_compaction(true);
            self.db.compact_range_cf_opt(family, None::<&[u8]>, None::<&[u8]>, &options);
            if table.has_blobs() {
                blobs("0.0")?;
            }
        }
        Ok(())
    }
}

/// A store in memory that can be told to fail, for the tests of what stands on it.
#[cfg(test)]
pub mod memory {
    use std::{
        collections::BTreeMap,
        sync::{
            Mutex,
            atomic::{AtomicBool, Ordering},
        },
    };

    use tokio::sync::watch;

    use super::{Batch, Entry, NodeError, Path, Read, Store, Table};

    type Tables = BTreeMap<(&'static str, Vec<u8>), Vec<u8>>;

    #[derive(Debug, Default)]
    pub struct MemoryStore {
        tables: Mutex<Tables>,
        pub full: AtomicBool,
        pub broken: AtomicBool,
        changed: watch::Sender<u64>,
    }

    impl Read for Tables {
        fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, NodeError> {
            Ok(BTreeMap::get(self, &(table.name(), key.to_vec())).cloned())
        }

        fn scan(
            &self,
            table: Table,
            from: &[u8],
            prefix: &[u8],
            limit: usize,
        ) -> Result<Vec<Entry>, NodeError> {
            let from = (table.name(), from.to_vec());
            let own = self
                .range(from..)
                .take_while(|((name, key), _)| *name == table.name() && key.starts_with(prefix));
            Ok(own.take(limit).map(|((_, key), value)| (key.clone(), value.clone())).collect())
        }

        fn scan_back(
            &self,
            table: Table,
            prefix: &[u8],
            before: Option<&[u8]>,
            limit: usize,
        ) -> Result<Vec<Entry>, NodeError> {
            let mut all = self.scan(table, prefix, prefix, usize::MAX)?;
            all.retain(|(key, _)| before.is_none_or(|before| key.as_slice() < before));
            all.reverse();
            all.truncate(limit);
            Ok(all)
        }
    }

    impl Read for MemoryStore {
        fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, NodeError> {
            Read::get(&*self.tables.lock().expect("not poisoned"), table, key)
        }

        fn scan(
            &self,
            table: Table,
            from: &[u8],
            prefix: &[u8],
            limit: usize,
        ) -> Result<Vec<Entry>, NodeError> {
            self.tables.lock().expect("not poisoned").scan(table, from, prefix, limit)
        }

        fn scan_back(
            &self,
            table: Table,
            prefix: &[u8],
            before: Option<&[u8]>,
            limit: usize,
        ) -> Result<Vec<Entry>, NodeError> {
            self.tables.lock().expect("not poisoned").scan_back(table, prefix, before, limit)
        }
    }

    impl Store for MemoryStore {
        fn snapshot(&self) -> Box<dyn Read + '_> {
            Box::new(self.tables.lock().expect("not poisoned").clone())
        }

        fn write(&self, batch: Batch) -> Result<(), NodeError> {
            if self.full.load(Ordering::Relaxed) {
                return Err(super::failed("IO error: No space left on device: While appending"));
            }
            if self.broken.load(Ordering::Relaxed) {
                return Err(super::failed("IO error: Input/output error: While appending"));
            }
            let mut tables = self.tables.lock().expect("not poisoned");
            batch.check(&*tables)?;
            for (table, key, value) in batch.changes {
                match value {
                    Some(value) => drop(tables.insert((table.name(), key), value)),
                    None => drop(tables.remove(&(table.name(), key))),
                }
            }
            self.changed.send_modify(|count| *count += 1);
            Ok(())
        }

        fn watch(&self) -> watch::Receiver<u64> {
            self.changed.subscribe()
        }

        fn copy_to(&self, _: &Path) -> Result<(), NodeError> {
            Err(NodeError::Store("a store in memory has no files".into()))
        }

        fn scrub(&self, _: &[Table]) -> Result<(), NodeError> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{memory::MemoryStore, *};

    fn bytes(longest: usize) -> impl Strategy<Value = Vec<u8>> {
        // Few values, so that keys share prefixes and meet again; 0xff is the edge of a prefix.
        prop::collection::vec(prop::sample::select(vec![0, 1, 0xfe, 0xff]), 0..longest)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// RocksDB behind the trait does what a sorted map does.
        #[test]
        fn rocksdb_is_an_ordered_map(
            writes in prop::collection::vec((bytes(4), prop::option::of(bytes(6))), 1..40),
            questions in prop::collection::vec((bytes(4), bytes(3), 0usize..6), 1..20),
        ) {
            let dir = tempfile::TempDir::new().expect("a folder");
            let rocks = RocksStore::open(dir.path()).expect("opens");
            let model = MemoryStore::default();
            let mut last = BTreeMap::new();
            for half in writes.chunks(20) {
                for store in [&rocks as &dyn Store, &model] {
                    let mut batch = Batch::default();
                    for (key, value) in half {
                        match value {
                            Some(value) => batch.put(Table::Leaves, key.clone(), value.clone()),
                            None => batch.delete(Table::Leaves, key.clone()),
                        }
                    }
                    // Another table's keys must not show.
                    batch.put(Table::Tiles, *b"x", *b"y");
                    store.write(batch).expect("writes");
                }
                last.extend(half.iter().cloned());
            }
            for (key, value) in &last {
                prop_assert_eq!(&rocks.get(Table::Leaves, key).expect("reads"), value);
            }
            for (from, prefix, limit) in &questions {
                let from: Vec<u8> = prefix.iter().chain(from).copied().collect();
                for limit in [*limit, usize::MAX] {
                    prop_assert_eq!(
                        rocks.scan(Table::Leaves, &from, prefix, limit).expect("scans"),
                        model.scan(Table::Leaves, &from, prefix, limit).expect("scans")
                    );
                    for before in [None, Some(from.as_slice())] {
                        prop_assert_eq!(
                            rocks.scan_back(Table::Leaves, prefix, before, limit).expect("scans"),
                            model.scan_back(Table::Leaves, prefix, before, limit).expect("scans")
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn conditions_guard_a_batch_and_a_snapshot_stands_still() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let rocks = RocksStore::open(&dir.path().join("store")).expect("opens");
        let model = MemoryStore::default();
        let write = |store: &dyn Store, value: &[u8], want: Option<&[u8]>| {
            let mut batch = Batch::default();
            batch.put(Table::Meta, *b"k", value);
            batch.put(Table::Peers, *b"k", value);
            batch.require(Table::Meta, *b"k", want.map(<[u8]>::to_vec));
            store.write(batch)
        };
        for store in [&rocks as &dyn Store, &model] {
            let mut watch = store.watch();
            write(store, b"1", None).expect("it was absent");
            assert!(watch.has_changed().expect("open"));
            watch.mark_unchanged();
            for want in [None, Some(&b"2"[..])] {
                let refused = write(store, b"3", want).expect_err("another value");
                assert!(matches!(refused, NodeError::Conflict("meta")), "{refused}");
            }
            assert!(!watch.has_changed().expect("open"));
            assert_eq!(store.get(Table::Peers, b"k").expect("reads").as_deref(), Some(&b"1"[..]));
        }
        let before = rocks.snapshot();
        write(&rocks, b"2", Some(b"1")).expect("it was 1");
        assert_eq!(before.get(Table::Meta, b"k").expect("reads").as_deref(), Some(&b"1"[..]));
        assert_eq!(before.scan(Table::Peers, b"", b"", 9).expect("scans").len(), 1);
        assert_eq!(rocks.get(Table::Meta, b"k").expect("reads").as_deref(), Some(&b"2"[..]));
        drop(before);
        // What is opened for reading cannot be written.
        drop(rocks);
        let read = RocksStore::open_read_only(&dir.path().join("store")).expect("opens");
        assert_eq!(read.get(Table::Meta, b"k").expect("reads").as_deref(), Some(&b"2"[..]));
        assert!(write(&read, b"5", Some(b"2")).is_err());
    }

    #[test]
    fn a_store_of_a_newer_schema_is_refused_and_left_alone() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let store = RocksStore::open(dir.path()).expect("opens");
        let mut batch = Batch::default();
        batch.put(Table::Meta, SCHEMA_KEY, (SCHEMA + 1).to_be_bytes());
        store.write(batch).expect("writes");
        drop(store);
        let files = || {
            let mut files: Vec<_> = std::fs::read_dir(dir.path())
                .expect("a folder")
                .map(|f| f.expect("a file"))
                .map(|f| (f.file_name(), f.metadata().expect("a file").len()))
                .collect();
            files.sort();
            files
        };
        let before = files();
        let refused = RocksStore::open(dir.path()).expect_err("newer");
        assert!(
            matches!(refused, NodeError::Schema { found, known: SCHEMA } if found == SCHEMA + 1),
            "{refused}"
        );
        assert_eq!(files(), before);
    }
}
