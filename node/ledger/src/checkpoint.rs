//! The newest sealed checkpoint, as it is shown and as it is stored.

use std::sync::Arc;

use chancery_certs::Credential;
use chancery_crypto::{Digest, cbor};
use chancery_protocol::{
    Checkpoint, KeptCheckpoint, Leaf, Receipt, SignedCheckpoint, merkle, tile::TILE_WIDTH,
};
use chancery_store::{Batch, Read, Store, Table};
use serde::Deserialize;
use serde_bytes::ByteBuf;

use crate::{LedgerError, tree::Tree};

/// The key of the newest checkpoint in [`Table::Meta`].
pub(crate) const NEWEST: &[u8] = b"checkpoint";

/// The key in [`Table::Meta`] that is there when the ledger was closed properly.
pub(crate) const CLOSED: &[u8] = b"closed";

/// The newest checkpoint, and the COSE signature over its root.
#[derive(Debug, Clone)]
pub(crate) struct Newest {
    pub(crate) signed: SignedCheckpoint,
    pub(crate) cose: Option<ByteBuf>,
}

impl Newest {
    /// The same under another seal.
    pub(crate) fn signed_by(&self, seal: &Credential) -> Result<Self, LedgerError> {
        let checkpoint = self.signed.checkpoint.clone();
        let (note, cose) = (checkpoint.sign(seal)?, checkpoint.sign_cose(seal)?);
        Ok(Self { signed: SignedCheckpoint { checkpoint, note }, cose: Some(cose.into()) })
    }
}

/// The newest checkpoint as it is stored. Under [`NEWEST`] there are its size and root, on which the next commit
/// rests; the rest of it is in [`Table::Checkpoints`] anyway.
pub(crate) struct StoredCheckpoint {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) kept: KeptCheckpoint,
}

/// As versions of the store before the fifth kept it under [`NEWEST`].
#[derive(Deserialize)]
pub(crate) struct WholeCheckpoint {
    pub(crate) origin: String,
    pub(crate) size: u64,
    pub(crate) root: Digest,
    pub(crate) note: String,
    #[serde(default)]
    pub(crate) cose: Option<ByteBuf>,
}

/// What is stored under [`NEWEST`] for a checkpoint.
pub(crate) fn newest_value(size: u64, root: &Digest) -> Vec<u8> {
    [&size.to_be_bytes()[..], root.as_bytes()].concat()
}

impl StoredCheckpoint {
    /// Reads the newest checkpoint; none in a ledger without entries.
    pub(crate) fn read(tables: &(impl Read + ?Sized)) -> Result<Option<Self>, LedgerError> {
        let Some(newest) = tables.get(Table::Meta, NEWEST)? else { return Ok(None) };
        let fixed = newest.split_first_chunk::<8>().filter(|(_, root)| root.len() == Digest::LEN);
        let Some((size, _)) = fixed else {
            let WholeCheckpoint { origin, size, root, note, cose } = cbor::decode(&newest)?;
            let checkpoint = Checkpoint { origin, size, root };
            return Ok(Some(Self { checkpoint, kept: KeptCheckpoint { note, cose } }));
        };
        let kept = tables.get(Table::Checkpoints, size)?;
        let missing = || LedgerError::damaged("the newest checkpoint is missing");
        let kept: KeptCheckpoint = cbor::decode(&kept.ok_or_else(missing)?)?;
        let checkpoint = Checkpoint::read_unverified(&kept.note)?;
        if newest_value(checkpoint.size, &checkpoint.root) != newest {
            let why = "the newest checkpoint is not the one that the last commit has sealed";
            return Err(LedgerError::damaged(why));
        }
        Ok(Some(Self { checkpoint, kept }))
    }

    /// Puts it as the newest. Gives what is under [`NEWEST`] then.
    pub(crate) fn put(&self, batch: &mut Batch) -> Result<Vec<u8>, LedgerError> {
        let Checkpoint { size, root, .. } = &self.checkpoint;
        let newest = newest_value(*size, root);
        batch.put(Table::Checkpoints, size.to_be_bytes(), cbor::encode(&self.kept)?);
        batch.put(Table::Meta, NEWEST, newest.as_slice());
        Ok(newest)
    }

    /// Refuses a tree that does not give the sealed root.
    pub(crate) fn check(&self, tree: &mut Tree) -> Result<(), LedgerError> {
        let Checkpoint { size, root, .. } = &self.checkpoint;
        if merkle::root(*size, |level, index| tree.node(level, index))? != *root {
            return Err(LedgerError::damaged(format!(
                "the tree of {size} entries does not give the root of its checkpoint"
            )));
        }
        Ok(())
    }
}

/// The entries under the last tile must be there and have its hashes: with the root, that shows that tree,
/// entries and checkpoint were written together.
pub(crate) fn check_edge(store: &dyn Store, tree: &mut Tree) -> Result<(), LedgerError> {
    let Some(last) = tree.size.checked_sub(1) else { return Ok(()) };
    let first = last / TILE_WIDTH as u64 * TILE_WIDTH as u64;
    for index in first..=last {
        let leaf = store.get(Table::Leaves, &index.to_be_bytes())?;
        if leaf.map(|leaf| merkle::leaf_hash(&leaf)) != Some(tree.node(0, index)?) {
            return Err(LedgerError::damaged(format!("entry {index} does not fit the tree")));
        }
    }
    if store.get(Table::Leaves, &tree.size.to_be_bytes())?.is_some() {
        return Err(LedgerError::damaged(format!("entry {} is not in the checkpoint", tree.size)));
    }
    Ok(())
}

/// The root that a store's tree has at the size of its newest checkpoint, and that checkpoint's note; none
/// in a ledger without entries.
///
/// # Errors
/// [`StoreError::Damaged`](chancery_store::StoreError::Damaged) when tiles are missing.
pub fn stored_tree(store: Arc<dyn Store>) -> Result<Option<(Digest, String)>, LedgerError> {
    let Some(stored) = StoredCheckpoint::read(&*store)? else { return Ok(None) };
    let size = stored.checkpoint.size;
    let mut tree = Tree::new(store, size);
    let root = merkle::root(size, |level, index| tree.node(level, index))?;
    Ok(Some((root, stored.kept.note)))
}

/// The time of the newest entry; the least there is without entries.
pub(crate) fn newest_time(store: &dyn Store, size: u64) -> Result<i64, LedgerError> {
    let Some(last) = size.checked_sub(1) else { return Ok(i64::MIN) };
    let leaf = store.get(Table::Leaves, &last.to_be_bytes())?;
    let leaf = leaf.ok_or_else(|| LedgerError::damaged(format!("entry {last} is missing")))?;
    Ok(Leaf::decode(&leaf)?.time)
}

/// What a receipt carries of a checkpoint's COSE signature: with the compact range of its tree. The history keeps it
/// without, since the range follows from the entries.
pub(crate) fn with_range(
    cose: Option<ByteBuf>,
    range: Vec<Digest>,
) -> Result<Option<ByteBuf>, LedgerError> {
    let Some(cose) = cose else { return Ok(None) };
    Ok(Some(Receipt::cose_with_range(&cose, range)?.into()))
}
