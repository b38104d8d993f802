//! Witnesses' cosignatures of a ledger: the newest of each, and its history.

use chancery_certs::AgencyName;
use chancery_crypto::{Digest, cbor};
use chancery_protocol::{COSIGN_AGAIN, Checkpoint, SignedCheckpoint};
use chancery_store::{Batch, Entry, Read, Table, all};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::LedgerError;

/// The most cosignatures that a note is shown with.
pub(crate) const MAX_COSIGNATURES: usize = 16;

/// A witness's cosignature of one of this ledger's checkpoints, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeptCosignature {
    /// The checkpoint's note, as this ledger signed it.
    pub note: String,
    /// The signature line.
    pub line: String,
    /// The witness's sealed statement of its key.
    pub statement: ByteBuf,
}

/// A cosignature of the ledger's history, as it is kept. The checkpoint is the tree's at that size, so that it need not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastCosignature {
    /// The signature line.
    pub line: String,
    /// The size of the tree.
    pub size: u64,
    /// When it was cosigned, by the line.
    pub time: i64,
    /// The witness.
    pub witness: AgencyName,
    /// The digest of the witness's sealed statement of its key.
    pub statement: Digest,
}

/// The key of a cosignature in [`Table::Cosigned`]: in the order in which a witness gave them.
pub(crate) fn past_key(witness: &AgencyName, number: u64) -> Vec<u8> {
    [witness.as_str().as_bytes(), &[0], &number.to_be_bytes()].concat()
}

/// The prefix of keys in [`Table::Cosigned`] under which witnesses' statements are kept, by digest. No name starts so.
pub(crate) const STATEMENTS: &[u8] = &[0];

/// Which of the last two of a witness's cosignatures makes room for a new one. Of any three that follow each other the first
/// and the last are at least ten minutes apart, so that they do not grow beyond what there is to prove; of one size,
/// the first and the last are kept: the ledger had grown by the one, and not beyond it by the other.
pub(crate) fn superseded(kept: &[(u64, PastCosignature)], new: &PastCosignature) -> Option<u64> {
    let [.., (_, before), (number, last)] = kept else { return None };
    let close = new.time.saturating_sub(before.time) < COSIGN_AGAIN;
    let quiet = before.size == last.size && last.size == new.size;
    (close || quiet).then_some(*number)
}

/// A checkpoint with the cosignatures that are kept for its size.
///
/// # Errors
/// [`LedgerError::Store`].
pub(crate) fn cosigned(
    store: &(impl Read + ?Sized),
    signed: SignedCheckpoint,
) -> Result<SignedCheckpoint, LedgerError> {
    let mut out = signed;
    let mut room = MAX_COSIGNATURES;
    for (_, kept) in cosignatures(store)? {
        if room > 0 && Checkpoint::read_unverified(&kept.note)? == out.checkpoint {
            out = out.with_line(&kept.line)?;
            room -= 1;
        }
    }
    Ok(out)
}

/// The newest cosignature of every witness.
///
/// # Errors
/// [`LedgerError::Store`].
pub fn cosignatures(
    store: &(impl Read + ?Sized),
) -> Result<Vec<(AgencyName, KeptCosignature)>, LedgerError> {
    let read = all(store, Table::Cosignatures, &[]).map(|row| {
        let (witness, kept) = row?;
        let witness = std::str::from_utf8(&witness).ok().and_then(|w| w.parse().ok());
        let witness = witness.ok_or_else(|| LedgerError::damaged("a witness has no name"))?;
        Ok((witness, cbor::decode(&kept)?))
    });
    read.collect()
}

/// A witness's last cosignatures of the history, oldest first, each with its number.
pub(crate) fn past_cosignatures(
    store: &(impl Read + ?Sized),
    witness: &AgencyName,
    limit: usize,
) -> Result<Vec<(u64, PastCosignature)>, LedgerError> {
    let prefix = past_key(witness, 0);
    let prefix = prefix.get(..prefix.len().saturating_sub(8)).unwrap_or_default();
    let mut found = store.scan_back(Table::Cosigned, prefix, None, limit)?;
    found.reverse();
    let read = found.into_iter().map(|(key, kept)| {
        let number = key.last_chunk::<8>().map(|number| u64::from_be_bytes(*number));
        let number = number.ok_or_else(|| LedgerError::damaged("a cosignature has no key"))?;
        Ok((number, cbor::decode(&kept)?))
    });
    read.collect()
}

/// What a row of [`Table::Cosigned`] holds.
#[derive(Debug)]
pub enum CosignedRow {
    /// A witness's sealed statement of its key.
    Statement(Vec<u8>),
    /// The encoded form of a [`PastCosignature`].
    Cosignature(Vec<u8>),
}

/// Reads a row of [`Table::Cosigned`].
pub(crate) fn cosigned_row((key, value): Entry) -> CosignedRow {
    match key.starts_with(STATEMENTS) {
        true => CosignedRow::Statement(value),
        false => CosignedRow::Cosignature(value),
    }
}

/// Puts an exported cosignature of the history where a node has it. Those of a witness come in their order, as numbers go up.
///
/// # Errors
/// [`LedgerError::Protocol`] when it cannot be read.
pub fn put_past(number: u64, kept: &[u8], batch: &mut Batch) -> Result<(), LedgerError> {
    let past: PastCosignature = cbor::decode(kept)?;
    batch.put(Table::Cosigned, past_key(&past.witness, number), kept);
    Ok(())
}

/// Puts a witness's exported statement where a node has it.
pub fn put_statement(statement: &[u8], batch: &mut Batch) {
    let key = [STATEMENTS, Digest::of(statement).as_bytes()].concat();
    batch.put(Table::Cosigned, key, statement);
}
