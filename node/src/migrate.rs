//! Bringing a store of an older version up to this program's. Every step can be repeated: a migration that
//! was interrupted starts again, and the version is raised by the last batch only.

use chancery_certs::AgencyName;
use chancery_crypto::cbor;
use chancery_protocol::{Checkpoint, KeptCheckpoint, Receipt, SealedNote};

use crate::{
    NodeError,
    store::{Batch, Entry, Read, RocksStore, SCHEMA, SCHEMA_KEY, Store, Table},
    witness::waiting_key,
};

/// Entries that are rewritten in one batch.
const STEP: usize = 1000;

/// Runs all migrations from `from` on.
///
/// # Errors
/// [`NodeError::Store`] or [`NodeError::Damaged`], naming what cannot be read; the store keeps its version
/// then.
pub fn run(store: &RocksStore, from: u64) -> Result<(), NodeError> {
    if from == SCHEMA {
        return Ok(());
    }
    tracing::info!(from, to = SCHEMA, "bringing the store up to a newer schema");
    if from < 2 {
        to_version_2(store)?;
    }
    // Versions 3 and 4 added tables, and entries that programs before them cannot read. Version 5 reads what is
    // there: it writes the last tile only when it is full, and of the newest checkpoint only size and root.
    let mut batch = Batch::default();
    batch.put(Table::Meta, SCHEMA_KEY, SCHEMA.to_be_bytes());
    store.write(batch)?;
    tracing::info!(version = SCHEMA, "the store has the newer schema");
    Ok(())
}

/// Version 1 kept whole receipts, where an index is enough; plain notes of checkpoints, which now have a
/// COSE signature beside them; and one note per peer, where there now is what was proved of it.
fn to_version_2(store: &RocksStore) -> Result<(), NodeError> {
    rewrite(store, Table::Receipts, |_, value| {
        // A receipt is a map and longer than an index.
        if value.len() == 8 {
            return Ok(None);
        }
        let receipt: Receipt = cbor::decode(value)?;
        Ok(Some(receipt.index.to_be_bytes().to_vec()))
    })?;
    rewrite(store, Table::Checkpoints, |_, value| {
        if cbor::decode::<KeptCheckpoint>(value).is_ok() {
            return Ok(None);
        }
        let kept = KeptCheckpoint { note: text(value)?, cose: None };
        Ok(Some(cbor::encode(&kept)?))
    })?;
    let mut batch = Batch::default();
    for (key, value) in Read::scan(store, Table::Peers, &[], &[], usize::MAX)? {
        // A name alone was the key; now more stands behind it.
        let Some(peer) = text(&key).ok().and_then(|name| name.parse::<AgencyName>().ok()) else {
            continue;
        };
        let sealed = SealedNote { note: text(&value)?, chain: Vec::new() };
        let size = Checkpoint::read_unverified(&sealed.note)?.size;
        batch.put(Table::Peers, waiting_key(&peer, size), cbor::encode(&sealed)?);
        batch.delete(Table::Peers, key);
    }
    store.write(batch)
}

fn text(bytes: &[u8]) -> Result<String, NodeError> {
    let text = std::str::from_utf8(bytes);
    text.map(str::to_owned).map_err(|_| NodeError::Damaged("a note is no text".into()))
}

/// Gives the entries of a table new values, step by step; `None` leaves one as it is.
fn rewrite(
    store: &RocksStore,
    table: Table,
    change: impl Fn(&[u8], &[u8]) -> Result<Option<Vec<u8>>, NodeError>,
) -> Result<(), NodeError> {
    let mut from = Vec::new();
    loop {
        let entries: Vec<Entry> = Read::scan(store, table, &from, &[], STEP)?;
        let Some((last, _)) = entries.last() else { return Ok(()) };
        from = [last.as_slice(), &[0]].concat();
        let mut batch = Batch::default();
        for (key, value) in entries {
            if let Some(value) = change(&key, &value)? {
                batch.put(table, key, value);
            }
        }
        store.write(batch)?;
    }
}
