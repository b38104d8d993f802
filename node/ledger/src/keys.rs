//! The keys under which it is kept what was seen of other ledgers.

use std::collections::BTreeMap;

use chancery_certs::AgencyName;
use chancery_crypto::cbor;
use chancery_protocol::{ForkProof, SealedNote, SeenCheckpoint};
use chancery_store::{Read, Table};

use crate::{LedgerError, export::rows};

/// The key under which what was proved of a peer's ledger is kept.
pub fn proven_key(peer: &AgencyName) -> Vec<u8> {
    [peer.as_str().as_bytes(), &[0]].concat()
}

/// The key under which a checkpoint of a peer waits to be proved.
pub fn waiting_key(peer: &AgencyName, size: u64) -> Vec<u8> {
    [peer.as_str().as_bytes(), &[1], &size.to_be_bytes()].concat()
}

/// The key of a fork's proof in [`Table::Forks`].
pub fn fork_key(proof: &ForkProof) -> Vec<u8> {
    let size = proof.growth.old_size.to_be_bytes();
    [proof.agency.as_str().as_bytes(), &[0], &size].concat()
}

/// The proofs of forks that are kept, as file names and bytes.
pub fn forks(store: &(impl Read + ?Sized)) -> Result<Vec<(String, Vec<u8>)>, LedgerError> {
    let named = rows(store, Table::Forks).map(|row| {
        let (_, bytes) = row?;
        let proof = ForkProof::decode(&bytes)?;
        Ok((format!("{}-{}.fork", proof.agency, proof.growth.old_size), bytes))
    });
    named.collect()
}

/// The checkpoints of other ledgers that were seen, as file names and bytes: the newest of each that was proved and
/// cosigned, and those of receipts that are not proved yet.
pub fn seen(store: &(impl Read + ?Sized)) -> Result<Vec<(String, Vec<u8>)>, LedgerError> {
    let mut all = BTreeMap::new();
    for row in rows(store, Table::Peers) {
        let (key, value) = row?;
        let (agency, _) = split_key(&key).ok_or_else(wrong_key)?;
        let sealed: SealedNote = cbor::decode(&value)?;
        // Notes kept by the first version have no chain, and prove nothing to others.
        if sealed.chain.is_empty() {
            continue;
        }
        let seen = SeenCheckpoint { agency, sealed };
        let name = format!("{}-{}.seen", seen.agency, seen.size()?);
        all.insert(name, seen.encode()?);
    }
    Ok(all.into_iter().collect())
}

/// What is said of a key in [`Table::Peers`] or [`Table::Forks`] that is none.
pub fn wrong_key() -> LedgerError {
    LedgerError::damaged("what was seen of a peer has a wrong key")
}

/// The peer of a key in [`Table::Peers`], and what follows its name.
pub fn split_key(key: &[u8]) -> Option<(AgencyName, &[u8])> {
    let end = key.iter().position(|byte| *byte <= 1)?;
    let (agency, rest) = key.split_at(end);
    Some((std::str::from_utf8(agency).ok()?.parse().ok()?, rest))
}
