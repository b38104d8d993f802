//! The store: a narrow trait over ordered tables, and RocksDB behind it. Nothing else in Chancery
//! names RocksDB.

use std::path::Path;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, Direction,
    IteratorMode, Options, WriteBatch, WriteOptions,
};

use crate::NodeError;

/// The version of what the tables hold. A store of a newer version is refused.
const SCHEMA: u64 = 1;

/// Bytes that all tables together may hold in memory before they are flushed.
const WRITE_BUFFERS: usize = 24 << 20;
/// Bytes of blocks that all tables together keep in memory.
const BLOCK_CACHE: usize = 16 << 20;

/// The tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// Receipts of this ledger by event, envelope and counterpart.
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
    /// The newest checkpoint seen of each peer.
    Peers,
}

impl Table {
    const ALL: [Self; 15] = [
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
    ];

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
        }
    }
}

/// Changes that become visible, and durable, all or none.
#[derive(Debug, Default)]
pub struct Batch {
    changes: Vec<(Table, Vec<u8>, Option<Vec<u8>>)>,
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

    /// Takes over another batch's changes.
    pub fn append(&mut self, mut other: Self) {
        self.changes.append(&mut other.changes);
    }

    /// The bytes of all keys and values.
    pub fn size(&self) -> usize {
        self.changes.iter().map(|(_, k, v)| k.len() + v.as_ref().map_or(0, Vec::len)).sum()
    }
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// What a node needs of its store.
pub trait Store: Send + Sync + 'static {
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

    /// Up to `limit` entries with a prefix, descending from the last.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    fn scan_back(&self, table: Table, prefix: &[u8], limit: usize)
    -> Result<Vec<Entry>, NodeError>;

    /// Writes a batch; when this returns, it survives a power cut.
    ///
    /// # Errors
    /// [`NodeError::Store`]; nothing of the batch is visible then.
    fn write(&self, batch: Batch) -> Result<(), NodeError>;
}

/// RocksDB, one column family per table, with a synced write-ahead log.
pub struct RocksStore {
    db: DB,
}

impl std::fmt::Debug for RocksStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RocksStore({})", self.db.path().display())
    }
}

fn failed(error: impl std::fmt::Display) -> NodeError {
    NodeError::Store(error.to_string())
}

impl RocksStore {
    /// Opens the store in a directory, or makes a new one there.
    ///
    /// # Errors
    /// [`NodeError::Store`], also when another process has it open;
    /// [`NodeError::Damaged`] when it was written by a newer version.
    pub fn open(path: &Path) -> Result<Self, NodeError> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_max_background_jobs(2);
        options.set_keep_log_file_num(4);
        options.set_max_total_wal_size(64 << 20);
        options.set_paranoid_checks(true);
        // Memory stays bounded however many tables there are: one cache, one budget for what is
        // not flushed yet.
        options.set_db_write_buffer_size(WRITE_BUFFERS);
        let cache = Cache::new_lru_cache(BLOCK_CACHE);
        let families = Table::ALL.map(|table| {
            let mut options = Options::default();
            let mut blocks = BlockBasedOptions::default();
            blocks.set_block_cache(&cache);
            blocks.set_cache_index_and_filter_blocks(true);
            blocks.set_bloom_filter(10.0, false);
            options.set_block_based_table_factory(&blocks);
            options.set_compression_type(match table {
                // Hashes and ciphertext do not compress.
                Table::Tiles | Table::Content => DBCompressionType::None,
                _ => DBCompressionType::Lz4,
            });
            if table == Table::Content {
                // Values go to blob files, so that compaction does not copy them again and again.
                options.set_enable_blob_files(true);
                options.set_min_blob_size(4096);
                options.set_enable_blob_gc(true);
            }
            options.set_write_buffer_size(8 << 20);
            ColumnFamilyDescriptor::new(table.name(), options)
        });
        let db = DB::open_cf_descriptors(&options, path, families).map_err(failed)?;
        let store = Self { db };
        match store.get(Table::Meta, b"schema")? {
            None => {
                let mut batch = Batch::default();
                batch.put(Table::Meta, *b"schema", SCHEMA.to_be_bytes());
                store.write(batch)?;
            }
            Some(found) if found == SCHEMA.to_be_bytes() => {}
            Some(found) => {
                let found = found.iter().fold(0u64, |n, b| (n << 8) | u64::from(*b));
                return Err(NodeError::Damaged(format!(
                    "it has schema version {found}; this program knows version {SCHEMA}"
                )));
            }
        }
        Ok(store)
    }

    fn family(&self, table: Table) -> Result<&rocksdb::ColumnFamily, NodeError> {
        let name = table.name();
        self.db.cf_handle(name).ok_or_else(|| failed(format!("there is no table {name}")))
    }

    /// Up to `limit` entries in the order of `mode`, as long as keys start with `prefix`.
    fn collect(
        &self,
        table: Table,
        mode: IteratorMode<'_>,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, NodeError> {
        let mut out = Vec::new();
        for entry in self.db.iterator_cf(self.family(table)?, mode).take(limit) {
            let (key, value) = entry.map_err(failed)?;
            if !key.starts_with(prefix) {
                break;
            }
            out.push((key.into_vec(), value.into_vec()));
        }
        Ok(out)
    }
}

impl Store for RocksStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, NodeError> {
        self.db.get_cf(self.family(table)?, key).map_err(failed)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, NodeError> {
        self.collect(table, IteratorMode::From(from, Direction::Forward), prefix, limit)
    }

    fn scan_back(
        &self,
        table: Table,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, NodeError> {
        // Every key with the prefix is below the prefix followed by 0xff bytes.
        let end: Vec<u8> = prefix.iter().copied().chain([0xff; 64]).collect();
        self.collect(table, IteratorMode::From(&end, Direction::Reverse), prefix, limit)
    }

    fn write(&self, batch: Batch) -> Result<(), NodeError> {
        let mut write = WriteBatch::default();
        for (table, key, value) in batch.changes {
            match value {
                Some(value) => write.put_cf(self.family(table)?, key, value),
                None => write.delete_cf(self.family(table)?, key),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.db.write_opt(write, &options).map_err(failed)
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

    use super::{Batch, Entry, NodeError, Store, Table};

    type Tables = BTreeMap<(&'static str, Vec<u8>), Vec<u8>>;

    #[derive(Debug, Default)]
    pub struct MemoryStore {
        tables: Mutex<Tables>,
        pub full: AtomicBool,
    }

    impl Store for MemoryStore {
        fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, NodeError> {
            let tables = self.tables.lock().expect("not poisoned");
            Ok(tables.get(&(table.name(), key.to_vec())).cloned())
        }

        fn scan(
            &self,
            table: Table,
            from: &[u8],
            prefix: &[u8],
            limit: usize,
        ) -> Result<Vec<Entry>, NodeError> {
            let tables = self.tables.lock().expect("not poisoned");
            let from = (table.name(), from.to_vec());
            let own = tables
                .range(from..)
                .take_while(|((name, key), _)| *name == table.name() && key.starts_with(prefix));
            Ok(own.take(limit).map(|((_, key), value)| (key.clone(), value.clone())).collect())
        }

        fn scan_back(
            &self,
            table: Table,
            prefix: &[u8],
            limit: usize,
        ) -> Result<Vec<Entry>, NodeError> {
            let mut all = self.scan(table, prefix, prefix, usize::MAX)?;
            all.reverse();
            all.truncate(limit);
            Ok(all)
        }

        fn write(&self, batch: Batch) -> Result<(), NodeError> {
            if self.full.load(Ordering::Relaxed) {
                return Err(NodeError::Store("no space left on device".into()));
            }
            let mut tables = self.tables.lock().expect("not poisoned");
            for (table, key, value) in batch.changes {
                match value {
                    Some(value) => drop(tables.insert((table.name(), key), value)),
                    None => drop(tables.remove(&(table.name(), key))),
                }
            }
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
                    prop_assert_eq!(
                        rocks.scan_back(Table::Leaves, prefix, limit).expect("scans"),
                        model.scan_back(Table::Leaves, prefix, limit).expect("scans")
                    );
                }
            }
        }
    }

    #[test]
    fn a_store_of_a_newer_schema_is_refused_and_left_alone() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let store = RocksStore::open(dir.path()).expect("opens");
        let mut batch = Batch::default();
        batch.put(Table::Meta, *b"schema", (SCHEMA + 1).to_be_bytes());
        store.write(batch).expect("writes");
        drop(store);
        let refused = RocksStore::open(dir.path()).expect_err("newer");
        assert!(
            matches!(&refused, NodeError::Damaged(why) if why.contains("version 2")),
            "{refused}"
        );
    }
}
