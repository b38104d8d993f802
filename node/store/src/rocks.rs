//! RocksDB behind the trait. Nothing else in Chancery names it.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, BottommostLevelCompaction, Cache,
    ColumnFamilyDescriptor, CompactOptions, DB, DBCompactionStyle, DBCompressionType,
    DBRecoveryMode, Direction, IteratorMode, Options, ReadOptions, SnapshotWithThreadMode,
    WriteBatch, WriteOptions,
};
use tokio::sync::watch;

use crate::{
    Batch, Change, Entry, Maintenance, Read, SCHEMA, Store, StoreError, Table, Values, schema,
};

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

/// RocksDB, one column family per table, with a synced write-ahead log.
pub(crate) struct RocksStore {
    db: Arc<DB>,
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
fn failed(error: impl std::fmt::Display) -> StoreError {
    let text = error.to_string();
    match NO_ROOM.iter().any(|words| text.contains(words)) {
        true => StoreError::Full(text),
        false => StoreError::Broken(text),
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
    let spec = table.spec();
    options.set_compression_type(match spec.compresses {
        true => DBCompressionType::Lz4,
        false => DBCompressionType::None,
    });
    if spec.values == Values::Large {
        // Values go to blob files, so that compaction does not copy them again and again.
        options.set_enable_blob_files(true);
        options.set_min_blob_size(MIN_BLOB);
        if spec.compresses {
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
    /// Opens the store in a directory, or makes a new one there. One of an older version is opened as it is: the ledger brings
    /// it up.
    ///
    /// # Errors
    /// [`StoreError::Store`], also when another process has it open;
    /// [`StoreError::Schema`] when it was written by a newer version, which leaves it as it is.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        // Looked at before anything is created or changed: a newer store stays untouched.
        if path.join("CURRENT").exists() {
            match Self::open_read_only(path) {
                Ok(store) => {
                    if let Some(found) = schema(&store)?.filter(|found| *found > SCHEMA) {
                        return Err(StoreError::Schema { found, known: SCHEMA });
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
        let db = DB::open_cf_descriptors(&options, path, families).map_err(|error| {
            let text = error.to_string();
            // Nothing is wrong with the disk: it says who has the folder by its lock alone.
            match text.contains("While lock file") || text.contains("lock hold by current process")
            {
                true => StoreError::Fenced(format!("{} is in use", path.display())),
                false => failed(text),
            }
        })?;
        let store = Self::over(db);
        crate::begin(&store)?;
        Ok(store)
    }

    /// Opens the store for reading only. Nothing on the disk is changed, so that a copy can be audited
    /// as it was found, also on a medium that cannot be written.
    ///
    /// # Errors
    /// [`StoreError::Store`], when there is none or it cannot be read.
    pub(crate) fn open_read_only(path: &Path) -> Result<Self, StoreError> {
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

    fn over(db: DB) -> Self {
        Self { db: Arc::new(db), writing: Mutex::default(), changed: watch::Sender::new(0) }
    }

    fn family(&self, table: Table) -> Result<&rocksdb::ColumnFamily, StoreError> {
        let name = table.name();
        self.db.cf_handle(name).ok_or_else(|| failed(format!("there is no table {name}")))
    }

    fn read(&self) -> View<'_> {
        View { db: &self.db, snapshot: None }
    }
}

/// The tables now, or at the instant of a snapshot.
struct View<'a> {
    db: &'a DB,
    snapshot: Option<SnapshotWithThreadMode<'a, DB>>,
}

self_cell::self_cell!(
    /// A view that keeps its database open.
    struct Snapshot {
        owner: Arc<DB>,
        #[covariant]
        dependent: View,
    }
);

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
    ) -> Result<Vec<Entry>, StoreError> {
        let mut out = Vec::new();
        // A store that was opened for reading may lack tables that came later.
        let Some(family) = self.db.cf_handle(table.name()) else { return Ok(out) };
        let entries = self.db.iterator_cf_opt(family, self.options(), mode);
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
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(family) = self.db.cf_handle(table.name()) else { return Ok(None) };
        self.db.get_cf_opt(family, key, &self.options()).map_err(failed)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.collect(table, IteratorMode::From(from, Direction::Forward), prefix, None, limit)
    }

    fn scan_back(
        &self,
        table: Table,
        prefix: &[u8],
        before: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        // Every key with the prefix is below the prefix followed by 0xff bytes.
        let end: Vec<u8> = prefix.iter().copied().chain([0xff; 64]).collect();
        let from = IteratorMode::From(before.unwrap_or(&end), Direction::Reverse);
        self.collect(table, from, prefix, before, limit)
    }
}

/// What is read of one is read of its view.
macro_rules! reads {
    ($who:ty, $view:expr) => {
        impl Read for $who {
            fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
                $view(self).get(table, key)
            }

            fn scan(
                &self,
                table: Table,
                from: &[u8],
                prefix: &[u8],
                limit: usize,
            ) -> Result<Vec<Entry>, StoreError> {
                $view(self).scan(table, from, prefix, limit)
            }

            fn scan_back(
                &self,
                table: Table,
                prefix: &[u8],
                before: Option<&[u8]>,
                limit: usize,
            ) -> Result<Vec<Entry>, StoreError> {
                $view(self).scan_back(table, prefix, before, limit)
            }
        }
    };
}

reads!(RocksStore, RocksStore::read);
reads!(Snapshot, Snapshot::borrow_dependent);

impl Store for RocksStore {
    fn snapshot(&self) -> Result<Box<dyn Read>, StoreError> {
        Ok(Box::new(Snapshot::new(self.db.clone(), |db| View {
            db,
            snapshot: Some(db.snapshot()),
        })))
    }

    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        batch.check(self)?;
        let mut write = WriteBatch::default();
        for Change { table, key, value } in batch.changes {
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

    fn reads_at_once(&self) -> bool {
        true
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn maintenance(&self) -> Option<&dyn Maintenance> {
        Some(self)
    }
}

impl Maintenance for RocksStore {
    fn copy_to(&self, folder: &Path) -> Result<(), StoreError> {
        // What is in the write-ahead log is part of the copy.
        let checkpoint = rocksdb::checkpoint::Checkpoint::new(&*self.db).map_err(failed)?;
        checkpoint.create_checkpoint(folder).map_err(failed)
    }

    fn scrub(&self, tables: &[Table]) -> Result<(), StoreError> {
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
            if table.spec().values == Values::Large {
                blobs("1.0")?;
            }
            let mut options = CompactOptions::default();
            options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
            options.set_exclusive_manual_compaction(true);
            self.db.compact_range_cf_opt(family, None::<&[u8]>, None::<&[u8]>, &options);
            if table.spec().values == Values::Large {
                blobs("0.0")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SCHEMA_KEY, conformance};

    #[test]
    fn it_does_what_every_engine_does() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let mut n = 0;
        conformance::run(&mut || {
            n += 1;
            Arc::new(RocksStore::open(&dir.path().join(n.to_string())).expect("opens"))
        });
        let open = || RocksStore::open(&dir.path().join("durable"));
        conformance::run_durable(&mut || Ok(Arc::new(open()?)));
    }

    #[test]
    fn what_is_opened_for_reading_cannot_be_written() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let write = |store: &RocksStore| {
            let mut batch = Batch::default();
            batch.put(Table::Meta, *b"k", *b"v");
            store.write(batch)
        };
        write(&RocksStore::open(dir.path()).expect("opens")).expect("writes");
        let read = RocksStore::open_read_only(dir.path()).expect("opens");
        assert_eq!(read.get(Table::Meta, b"k").expect("reads").as_deref(), Some(&b"v"[..]));
        assert!(write(&read).is_err());
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
            matches!(refused, StoreError::Schema { found, known: SCHEMA } if found == SCHEMA + 1),
            "{refused}"
        );
        assert_eq!(files(), before);
    }
}
