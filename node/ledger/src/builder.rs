//! Putting a ledger together again.

use std::sync::Arc;

use chancery_protocol::{KeptCheckpoint, Leaf, SignedCheckpoint, merkle};
use chancery_store::{Batch, Store, Table};
use serde_bytes::ByteBuf;

use crate::{
    LedgerError,
    checkpoint::{CLOSED, StoredCheckpoint},
    tree::Tree,
    view::receipt_key,
    writer::MAX_GROUP_BYTES,
};

/// Puts a ledger together in a store of its own from entries that somebody else kept.
pub struct LedgerBuilder {
    tree: Tree,
    batch: Batch,
}

impl std::fmt::Debug for LedgerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LedgerBuilder({})", self.tree.size)
    }
}

impl LedgerBuilder {
    /// A ledger without entries.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { tree: Tree::new(store, 0), batch: Batch::default() }
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// [`LedgerError::Store`], or [`LedgerError::Protocol`] when the bytes are no entry.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), LedgerError> {
        let index = self.tree.size;
        self.tree.push(merkle::leaf_hash(bytes))?;
        self.batch.put(Table::Leaves, index.to_be_bytes(), bytes);
        self.batch.put(Table::Receipts, receipt_key(&Leaf::decode(bytes)?), index.to_be_bytes());
        self.write_some()
    }

    /// Puts something beside the entries.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), LedgerError> {
        self.batch.put(table, key, value);
        self.write_some()
    }

    /// Puts all of a batch beside the entries.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub fn append(&mut self, batch: Batch) -> Result<(), LedgerError> {
        self.batch.append(batch);
        self.write_some()
    }

    fn write_some(&mut self) -> Result<(), LedgerError> {
        if self.batch.size() < MAX_GROUP_BYTES {
            return Ok(());
        }
        self.write()
    }

    fn write(&mut self) -> Result<(), LedgerError> {
        self.tree.put_grown(&mut self.batch)?;
        self.tree.grown.clear();
        Ok(self.tree.store.write(std::mem::take(&mut self.batch))?)
    }

    /// Seals it with the checkpoint that came along, which must be that of the entries.
    ///
    /// # Errors
    /// [`StoreError::Damaged`](chancery_store::StoreError::Damaged) when it is not.
    pub fn finish(
        mut self,
        signed: &SignedCheckpoint,
        cose: Option<ByteBuf>,
    ) -> Result<(), LedgerError> {
        let SignedCheckpoint { checkpoint, note } = signed.clone();
        let size = checkpoint.size;
        let stored = StoredCheckpoint { checkpoint, kept: KeptCheckpoint { note, cose } };
        if self.tree.size != size {
            let why = format!("it has {} entries, sealed are {size}", self.tree.size);
            return Err(LedgerError::damaged(why));
        }
        stored.check(&mut self.tree)?;
        stored.put(&mut self.batch)?;
        self.batch.put(Table::Meta, CLOSED, []);
        self.write()
    }
}
