//! Bringing a store of an older version up to this program's. Every step can be repeated: a migration that
//! was interrupted starts again, and the version is raised by the last batch only.

use chancery_certs::AgencyName;
use chancery_crypto::cbor;
use chancery_protocol::{Checkpoint, KeptCheckpoint, Receipt, SealedNote};

use std::{path::Path, sync::Arc};

use chancery_store::{Batch, Entry, SCHEMA, SCHEMA_KEY, Store, Table, all, schema};

use crate::{LedgerError, waiting_key};

/// Entries that are rewritten in one batch.
const STEP: usize = 1000;

/// Opens the store in a folder, or makes a new one, and brings one of an older version up to this program's.
///
/// # Errors
/// As [`chancery_store::open`] and [`bring_up`].
pub fn open_store(folder: &Path) -> Result<Arc<dyn Store>, LedgerError> {
    let store = chancery_store::open(folder)?;
    bring_up(&*store)?;
    Ok(store)
}

/// Brings a store of an older version up to this program's.
///
/// # Errors
/// [`LedgerError::Store`], naming what cannot be read; the store keeps its version then.
pub fn bring_up(store: &dyn Store) -> Result<(), LedgerError> {
    match schema(store)? {
        Some(from) => run(store, from),
        None => Ok(()),
    }
}

/// Runs all migrations from `from` on.
///
/// # Errors
/// [`LedgerError::Store`] or [`StoreError::Damaged`](chancery_store::StoreError::Damaged), naming what cannot be read; the store keeps its version
/// then.
fn run(store: &dyn Store, from: u64) -> Result<(), LedgerError> {
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
fn to_version_2(store: &dyn Store) -> Result<(), LedgerError> {
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
    for row in all(store, Table::Peers, &[]) {
        let (key, value) = row?;
        // A name alone was the key; now more stands behind it.
        let Some(peer) = text(&key).ok().and_then(|name| name.parse::<AgencyName>().ok()) else {
            continue;
        };
        let sealed = SealedNote { note: text(&value)?, chain: Vec::new() };
        let size = Checkpoint::read_unverified(&sealed.note)?.size;
        batch.put(Table::Peers, waiting_key(&peer, size), cbor::encode(&sealed)?);
        batch.delete(Table::Peers, key);
    }
    Ok(store.write(batch)?)
}

fn text(bytes: &[u8]) -> Result<String, LedgerError> {
    let text = std::str::from_utf8(bytes);
    text.map(str::to_owned).map_err(|_| LedgerError::damaged("a note is no text"))
}

/// Gives the entries of a table new values, step by step; `None` leaves one as it is.
fn rewrite(
    store: &dyn Store,
    table: Table,
    change: impl Fn(&[u8], &[u8]) -> Result<Option<Vec<u8>>, LedgerError>,
) -> Result<(), LedgerError> {
    let mut from = Vec::new();
    loop {
        let entries: Vec<Entry> = store.scan(table, &from, &[], STEP)?;
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
