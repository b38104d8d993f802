//! What can be read of a ledger.

use std::sync::{Arc, Mutex};

use chancery_certs::AgencyName;
use chancery_crypto::{Digest, cbor};
use chancery_protocol::{
    Checkpoint, Growth, KeptCheckpoint, Leaf, Receipt, SignedCheckpoint, WitnessKey, merkle,
};
use chancery_store::{Read, Store, Table, all};
use serde_bytes::ByteBuf;

use crate::{
    LedgerError,
    checkpoint::{Newest, StoredCheckpoint, with_range},
    cosignatures::{cosignatures, cosigned},
    lock,
    tree::Tree,
};

/// A witness's newest cosignature of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigner {
    /// The witness.
    pub agency: AgencyName,
    /// How many entries it has cosigned.
    pub size: u64,
    /// When, by its clock, in seconds since 1970 UTC.
    pub time: i64,
}

/// What can be read of a ledger: of a running node's, or of one in a data folder at rest.
pub struct LedgerView {
    pub(crate) reader: Mutex<Tree>,
    pub(crate) newest: Arc<Mutex<Newest>>,
    pub(crate) store: Arc<dyn Store>,
}

impl std::fmt::Debug for LedgerView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LedgerView({})", self.checkpoint().checkpoint.size)
    }
}

impl LedgerView {
    /// Looks at the ledger in a store that nobody writes to.
    ///
    /// # Errors
    /// [`StoreError::Damaged`](chancery_store::StoreError::Damaged) when the tree and the checkpoint do not agree.
    pub fn open(store: Arc<dyn Store>) -> Result<Self, LedgerError> {
        let empty = || LedgerError::damaged("there is no sealed ledger in it");
        let stored = StoredCheckpoint::read(&*store)?.ok_or_else(empty)?;
        let mut tree = Tree::new(store.clone(), stored.checkpoint.size);
        stored.check(&mut tree)?;
        let StoredCheckpoint { checkpoint, kept: KeptCheckpoint { note, cose } } = stored;
        let signed = SignedCheckpoint { checkpoint, note };
        let newest = Arc::new(Mutex::new(Newest { signed, cose }));
        Ok(Self { reader: Mutex::new(tree), newest, store })
    }

    /// The newest sealed checkpoint.
    pub fn checkpoint(&self) -> SignedCheckpoint {
        lock(&self.newest).signed.clone()
    }

    /// The newest sealed checkpoint with the cosignatures that it has.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub fn cosigned_checkpoint(&self) -> Result<SignedCheckpoint, LedgerError> {
        cosigned(&*self.store, self.checkpoint())
    }

    /// Who has cosigned it last, how large, and when.
    ///
    /// # Errors
    /// [`LedgerError::Store`], or [`LedgerError::Protocol`] when what is kept cannot be read.
    pub fn witnesses(&self) -> Result<Vec<Cosigner>, LedgerError> {
        let seen = cosignatures(&*self.store)?.into_iter().map(|(agency, kept)| {
            let size = Checkpoint::read_unverified(&kept.note)?.size;
            let time = WitnessKey::time_of(&kept.line).unwrap_or_default();
            Ok(Cosigner { agency, size, time })
        });
        seen.collect()
    }

    /// How many bytes of a sender are kept.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub fn stored_of(&self, sender: &AgencyName) -> Result<u64, LedgerError> {
        read_stored(&*self.store, sender)
    }

    /// An entry's bytes.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub fn leaf(&self, index: u64) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.store.get(Table::Leaves, &index.to_be_bytes())?)
    }

    /// Up to `limit` entries' bytes from one on.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub fn leaves(&self, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, LedgerError> {
        let found = self.store.scan(Table::Leaves, &from.to_be_bytes(), &[], limit)?;
        Ok(found.into_iter().map(|(_, leaf)| leaf).collect())
    }

    /// What has happened from an entry on, in the order in which it was committed, each with its number: up to `limit` sealed
    /// entries. Clocks have no part in that order, so that whoever goes on after the last entry that he has seen
    /// misses nothing and is told nothing twice.
    ///
    /// # Errors
    /// [`LedgerError::Store`], or [`LedgerError::Protocol`] when an entry cannot be read.
    pub fn feed(&self, from: u64, limit: usize) -> Result<Vec<(u64, Leaf)>, LedgerError> {
        let size = self.checkpoint().checkpoint.size;
        let sealed = usize::try_from(size.saturating_sub(from)).unwrap_or(usize::MAX);
        let leaves = self.leaves(from, limit.min(sealed))?;
        (from..).zip(leaves).map(|(index, leaf)| Ok((index, Leaf::decode(&leaf)?))).collect()
    }

    /// The receipt of an entry under the newest checkpoint, if there is such an entry.
    ///
    /// # Errors
    /// [`LedgerError::Store`] or [`StoreError::Damaged`](chancery_store::StoreError::Damaged).
    pub fn prove(&self, index: u64) -> Result<Option<Receipt>, LedgerError> {
        let Newest { signed, cose } = lock(&self.newest).clone();
        self.receipt(index, signed.checkpoint.size, signed.note, cose)
    }

    /// The receipt that was given for an entry when it was committed: under the first checkpoint that
    /// covers it. It is made anew from the tree, the same each time.
    ///
    /// # Errors
    /// [`LedgerError::Store`] or [`StoreError::Damaged`](chancery_store::StoreError::Damaged).
    pub fn given_receipt(&self, index: u64) -> Result<Receipt, LedgerError> {
        let lost =
            |what: &str| LedgerError::damaged(format!("the {what} of entry {index} is missing"));
        let from = index.saturating_add(1).to_be_bytes();
        let found = self.store.scan(Table::Checkpoints, &from, &[], 1)?;
        let (size, kept) = found.into_iter().next().ok_or_else(|| lost("checkpoint"))?;
        let size = size.try_into().map_err(|_| lost("checkpoint"))?;
        let kept: KeptCheckpoint = cbor::decode(&kept)?;
        let receipt = self.receipt(index, u64::from_be_bytes(size), kept.note, kept.cose)?;
        receipt.ok_or_else(|| lost("leaf"))
    }

    /// The receipt that was given for the entry with a key, if there is one; see `receipt_key`.
    ///
    /// # Errors
    /// [`LedgerError::Store`] or [`StoreError::Damaged`](chancery_store::StoreError::Damaged).
    pub fn given_for(&self, key: &[u8]) -> Result<Option<Receipt>, LedgerError> {
        let index = self.store.get(Table::Receipts, key)?;
        index.map(|index| self.given_receipt(read_index(&index)?)).transpose()
    }

    /// The receipts that were given for an envelope's entries.
    ///
    /// # Errors
    /// [`LedgerError::Store`] or [`StoreError::Damaged`](chancery_store::StoreError::Damaged).
    pub fn given_receipts(&self, key_prefix: &[u8]) -> Result<Vec<Receipt>, LedgerError> {
        let found = all(&*self.store, Table::Receipts, key_prefix);
        found.map(|row| self.given_receipt(read_index(&row?.1)?)).collect()
    }

    fn receipt(
        &self,
        index: u64,
        size: u64,
        checkpoint: String,
        cose: Option<ByteBuf>,
    ) -> Result<Option<Receipt>, LedgerError> {
        let proof = self.read(size, |tree| {
            merkle::inclusion_proof(index, size, |level, at| tree.node(level, at))
        })?;
        let Some((proof, leaf)) = proof.zip(self.leaf(index)?) else { return Ok(None) };
        let cose = with_range(cose, self.compact_range(size)?)?;
        Ok(Some(Receipt { leaf, index, proof, checkpoint, cose }))
    }

    /// The compact range of the tree's first `size` entries.
    ///
    /// # Errors
    /// [`LedgerError::Store`] or [`StoreError::Damaged`](chancery_store::StoreError::Damaged).
    pub fn compact_range(&self, size: u64) -> Result<Vec<Digest>, LedgerError> {
        self.read(size, |tree| merkle::compact_range(size, |level, at| tree.node(level, at)))
    }

    /// How the trees of some smaller sizes grew into the newest checkpoint's. Sizes that are larger than it
    /// are left out.
    ///
    /// # Errors
    /// [`LedgerError::Store`] or [`StoreError::Damaged`](chancery_store::StoreError::Damaged).
    pub fn growth(&self, old: &[u64]) -> Result<(Vec<Growth>, SignedCheckpoint), LedgerError> {
        let signed = self.checkpoint();
        let size = signed.checkpoint.size;
        let growths = self.read(size, |tree| {
            let mut growths = Vec::new();
            for old_size in old.iter().copied().filter(|old| *old <= size) {
                let old_root = merkle::root(old_size, |level, at| tree.node(level, at))?;
                let proof =
                    merkle::consistency_proof(old_size, size, |level, at| tree.node(level, at))?;
                growths.push(Growth { old_size, old_root, proof: proof.unwrap_or_default() });
            }
            Ok(growths)
        })?;
        Ok((growths, signed))
    }

    fn read<T>(
        &self,
        size: u64,
        work: impl FnOnce(&mut Tree) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let mut tree = lock(&self.reader);
        // Tiles at the edge may have grown since they were read. A receipt under an older checkpoint is
        // read from the same tiles.
        if tree.size < size {
            tree.follow(size);
        }
        work(&mut tree)
    }
}

/// The key under which a receipt of this ledger is kept.
pub fn receipt_key(leaf: &Leaf) -> Vec<u8> {
    let mut key = leaf.envelope.digest().as_bytes().to_vec();
    key.extend(leaf.event.name().as_bytes());
    key.push(0);
    key.extend(leaf.counterpart.as_str().as_bytes());
    key
}

/// Reads the index in [`Table::Receipts`].
pub(crate) fn read_index(value: &[u8]) -> Result<u64, LedgerError> {
    let index = value.try_into().map(u64::from_be_bytes);
    index.map_err(|_| LedgerError::damaged("an entry's index cannot be read"))
}

/// The key in [`Table::Meta`] of how many bytes of a sender are kept.
pub(crate) fn stored_key(sender: &AgencyName) -> Vec<u8> {
    [b"stored ", sender.as_str().as_bytes()].concat()
}

pub(crate) fn read_stored(
    store: &(impl Read + ?Sized),
    sender: &AgencyName,
) -> Result<u64, LedgerError> {
    let kept = store.get(Table::Meta, &stored_key(sender))?;
    Ok(kept.and_then(|kept| kept.try_into().ok()).map_or(0, u64::from_be_bytes))
}
