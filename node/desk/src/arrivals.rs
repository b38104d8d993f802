//! What has come in: it is indexed with its receipt, what acts is taken up, what was never indexed is indexed.

use chancery_bus::{NodeError, opening::Arrivals};
use chancery_ledger::{
    LedgerError,
    records::{EnvelopeRecord, index, indexed_envelope},
};
use chancery_protocol::{Act, DocumentHeader, DocumentId, EnvelopeId, SignedDocument};
use chancery_store::{Batch, Blocking, Store, StoreError, Table, all};

use crate::{Office, acts, agencies, lookup::MAX_FOUND, opening::inside};

/// Puts what comes in into the index, in the commit of its receipt: whoever looks something up waits for nothing, and looking
/// changes nothing. A withdrawal acts besides, and is verified before it does: it waits for [`take_up`]. A request to a module waits
/// for the decider, in the order in which it came.
#[derive(Debug)]
pub struct Indexer;

impl Arrivals for Indexer {
    fn arrived(&self, id: &EnvelopeId, document: &SignedDocument, time: i64, batch: &mut Batch) {
        index(batch, id, document.header(), &document.id());
        if chancery_apps::is_for_modules(document.header()) {
            agencies::arrived(id, time, batch);
        }
        if calls_for_an_answer(document.header()) {
            batch.put(Table::Unindexed, *id.digest().as_bytes(), []);
        }
    }
}

/// Whether a document that has come calls for an answer of this node: a withdrawal of a document does. Answers and all other
/// acts do not, whatever they name, so that two nodes never go on by themselves.
pub(crate) fn calls_for_an_answer(header: &DocumentHeader) -> bool {
    match Act::of(&header.kind) {
        Some(Act::Withdraw) => header.in_reply_to.is_some(),
        Some(Act::Receive | Act::Return | Act::WithdrawalAnswer | Act::Decision) | None => false,
    }
}

/// What became of some of the envelopes that wait.
#[derive(Debug, Default)]
pub struct TakenUp {
    /// From which key to go on.
    pub next: Vec<u8>,
    /// How many were looked at.
    pub looked: usize,
    /// How many of them are done.
    pub done: usize,
}

/// Takes up to `limit` envelopes up that wait, from a key on: puts them into the index, if an earlier version has not, and
/// has withdrawals take effect. What cannot be done now stays, whatever the reason, and those behind it go on: only when the
/// store itself fails, or the node stops, the round ends. Nothing is locked meanwhile: a withdrawal that somebody else takes
/// up at the same time takes effect once.
///
/// # Errors
/// [`NodeError::Store`] and [`NodeError::Ledger`], once what was done before is written.
pub fn take_up(
    here: &Blocking,
    office: &Office,
    from: &[u8],
    limit: usize,
) -> Result<TakenUp, NodeError> {
    take_each(office.store(here), from, limit, |id, batch| take_one(here, office, id, batch))
}

/// Does something with each that waits, and writes it together. It says whether one is done.
fn take_each(
    store: &dyn Store,
    from: &[u8],
    limit: usize,
    mut take: impl FnMut(&EnvelopeId, &mut Batch) -> Result<bool, NodeError>,
) -> Result<TakenUp, NodeError> {
    let waiting = store.scan(Table::Unindexed, from, &[], limit)?;
    let full = waiting.len() == limit;
    let (mut batch, mut taken, mut ended) = (Batch::default(), TakenUp::default(), Ok(()));
    for (key, _) in waiting {
        taken.looked += 1;
        taken.next = if full { [key.as_slice(), &[0]].concat() } else { Vec::new() };
        if let Some(id) = EnvelopeId::from_slice(&key) {
            match take(&id, &mut batch) {
                Ok(true) => {}
                Ok(false) => continue,
                // It is nothing of this envelope: the next would fare no better.
                Err(
                    error @ (NodeError::Store(StoreError::Broken(_))
                    | NodeError::Ledger(LedgerError::Stopping)),
                ) => {
                    ended = Err(error);
                    break;
                }
                Err(error) => {
                    tracing::error!(envelope = %id, %error, code = error.code(), "an envelope cannot be taken up; it waits");
                    continue;
                }
            }
        }
        batch.delete(Table::Unindexed, key);
        taken.done += 1;
    }
    if taken.done > 0 {
        store.write(batch)?;
    }
    ended.map(|()| taken)
}

/// Takes one envelope up that waits. Says whether that is done.
fn take_one(
    here: &Blocking,
    office: &Office,
    id: &EnvelopeId,
    batch: &mut Batch,
) -> Result<bool, NodeError> {
    // The sender stands over the envelope: what is put off costs nothing.
    let record = EnvelopeRecord::get(office.store(here), id)?;
    let header = record.and_then(|record| record.header().ok());
    if header.is_some_and(|(_, h)| !office.may_open(&h.sender, id)) {
        return Ok(false);
    }
    let found = match inside(here, office, id) {
        Ok(found) => found,
        // The disk's fault is not the envelope's: it waits for the next time.
        Err(error @ NodeError::Store(StoreError::File { .. } | StoreError::Broken(_))) => {
            return Err(error);
        }
        // It stays in the inbox, where it is shown with its error.
        Err(error) => {
            tracing::warn!(envelope = %id, %error, "envelope cannot be opened");
            return Ok(true);
        }
    };
    let header = found.1.header();
    index(batch, id, header, &found.1.id());
    // Before it leaves the queue: after a crash it is done again.
    match calls_for_an_answer(header) {
        true => acts::take_up(here, office, id, found),
        false => Ok(true),
    }
}

/// Puts into the index what an earlier version has left for later. What this one takes in is in it at once.
pub fn index_waiting(here: &Blocking, office: &Office) -> Result<(), NodeError> {
    let mut batch = Batch::default();
    for row in all(office.store(here), Table::Unindexed, &[]) {
        let (key, _) = row?;
        let Some(id) = EnvelopeId::from_slice(&key) else { continue };
        if let Ok((_, document)) = inside(here, office, &id) {
            index(&mut batch, &id, document.header(), &document.id());
        }
    }
    Ok(office.store(here).write(batch)?)
}

/// The envelopes that answer a document and wait for [`take_up`].
pub fn waiting_answers(
    here: &Blocking,
    office: &Office,
    document: &DocumentId,
) -> Result<Vec<EnvelopeId>, NodeError> {
    let prefix = document.digest().as_bytes();
    let found = office.store(here).scan(Table::Answers, prefix, prefix, MAX_FOUND)?;
    let mut waiting = Vec::new();
    for id in found.iter().filter_map(|(key, _)| indexed_envelope(key)) {
        if office.store(here).get(Table::Unindexed, id.digest().as_bytes())?.is_some() {
            waiting.push(id);
        }
    }
    Ok(waiting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_protocol::ProtocolError;
    use chancery_store::{MemoryStore, Read as _};

    fn waiting(store: &MemoryStore) -> Vec<u8> {
        let left = store.scan(Table::Unindexed, &[], &[], usize::MAX).expect("reads");
        left.iter().map(|(key, _)| key[0]).collect()
    }

    fn five() -> MemoryStore {
        let store = MemoryStore::default();
        let mut batch = Batch::default();
        (1..=5).for_each(|n: u8| batch.put(Table::Unindexed, [n; 32], []));
        store.write(batch).expect("writes");
        store
    }

    #[test]
    fn what_cannot_be_taken_up_waits_and_what_stands_behind_it_goes_on() {
        let store = five();
        let take = |id: &EnvelopeId, batch: &mut Batch| match id.digest().as_bytes()[0] {
            1 => Err(NodeError::damaged("it cannot be read")),
            3 => Err(ProtocolError::from(chancery_certs::CertError::NoCertificate).into()),
            4 => Ok(false),
            n => {
                batch.put(Table::Meta, [n], []);
                Ok(true)
            }
        };
        let taken = take_each(&store, &[], 10, take).expect("the round goes on");
        assert_eq!((taken.looked, taken.done), (5, 2));
        assert_eq!(waiting(&store), [1, 3, 4]);
        assert!(store.get(Table::Meta, &[2]).expect("reads").is_some());
        assert!(store.get(Table::Meta, &[5]).expect("reads").is_some());
    }

    #[test]
    fn when_the_store_fails_what_was_done_before_is_written() {
        let store = five();
        let take = |id: &EnvelopeId, _: &mut Batch| match id.digest().as_bytes()[0] {
            3 => Err(NodeError::broken("the disk is gone")),
            n => Ok(n != 1),
        };
        let ended = take_each(&store, &[], 10, take);
        assert!(matches!(ended, Err(NodeError::Store(StoreError::Broken(_)))), "{ended:?}");
        assert_eq!(waiting(&store), [1, 3, 4, 5]);
    }
}
