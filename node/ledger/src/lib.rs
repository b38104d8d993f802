//! The ledger of a node: an append-only Merkle log over a store, its one writer, and what can be read of it.
//!
//! [`Ledger::open`] checks what is stored and starts the writer; [`Ledger::commit`] makes entries durable, with the records that
//! belong to them, in one batch under one sealed checkpoint. [`LedgerView::feed`] gives what happened, in order.

mod builder;
mod checkpoint;
pub mod clock;
mod continuity;
mod cosignatures;
mod error;
mod export;
mod keys;
mod migrate;
pub mod records;
mod seals;
mod tree;
mod view;
mod writer;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use chancery_certs::{AgencyName, Certificate, Credential};
use chancery_crypto::{Digest, cbor};
use chancery_protocol::{
    CLOCK_TOLERANCE, Checkpoint, LogKey, Receipt, SignedCheckpoint, WitnessKey, merkle,
};
use chancery_store::{Batch, Blocking, Store, StoreError, Table};
use tokio::sync::{mpsc, oneshot, watch};

pub use self::{
    builder::LedgerBuilder,
    checkpoint::stored_tree,
    clock::unix_now,
    continuity::{Continuity, State as ContinuityState},
    cosignatures::{
        CosignedRow, KeptCosignature, PastCosignature, cosignatures, put_past, put_statement,
    },
    error::LedgerError,
    export::{LedgerFiles, keys, rows},
    keys::{fork_key, forks, proven_key, seen, split_key, waiting_key, wrong_key},
    migrate::{bring_up, open_store},
    seals::{all_seals, put_seal},
    view::{Cosigner, LedgerView, receipt_key},
    writer::{Commit, Outcome},
};
use self::{
    checkpoint::{CLOSED, NEWEST, Newest, StoredCheckpoint, check_edge, newest_time},
    clock::{Moment, PeerClocks, WrongClock},
    cosignatures::{STATEMENTS, past_cosignatures, past_key, superseded},
    seals::{log_key, seal_key},
    tree::Tree,
    writer::{Reply, Writer},
};

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What the locks guard is replaced whole, so it is sound even after a panic elsewhere.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The ledger as the rest of the node sees it: a [`LedgerView`] that also grows.
pub struct Ledger {
    queue: Mutex<Option<mpsc::Sender<(Commit, Reply)>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    view: LedgerView,
    failure: watch::Receiver<Option<String>>,
    full: watch::Receiver<Option<String>>,
    continuity: Arc<Continuity>,
    seal: Arc<Mutex<Arc<Credential>>>,
    expected: Arc<AtomicUsize>,
    clocks: Arc<PeerClocks>,
    last: Arc<AtomicI64>,
    grown: watch::Receiver<u64>,
}

/// A commit that is being made. While there are many, batches wait for each other's commits.
#[derive(Debug)]
pub struct Expected(Arc<AtomicUsize>);

impl Drop for Expected {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ledger({})", self.checkpoint().checkpoint.size)
    }
}

/// By how many seconds a ledger may be ahead of the clock and still be added to.
const MAX_AHEAD: i64 = 86_400;

/// Whether an entry may be made now: others' clocks agree with this one, and the newest entry is not days later than it. A
/// ledger that is less ahead, because the clock was, goes on with its newest time until the clock has come up to it: no
/// witness cosigns that before.
fn fit_clock(clocks: &PeerClocks, now: Moment, newest: i64) -> Result<(), WrongClock> {
    clocks.check(now)?;
    match newest.saturating_sub(now.wall) > MAX_AHEAD {
        true => Err(WrongClock::Ledger { own: now.wall, newest }),
        false => Ok(()),
    }
}

/// Commits that may wait before callers do.
const QUEUE: usize = 1024;

impl Ledger {
    /// Opens the ledger: checks that the stored tree gives the root of the newest sealed
    /// checkpoint, and starts the writer.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the tree and the checkpoint do not agree.
    pub fn open(store: Arc<dyn Store>, seal: Arc<Credential>) -> Result<Self, LedgerError> {
        let origin = Checkpoint::origin_of(seal.name().agency());
        let mut tree = Tree::new(store.clone(), 0);
        let kept = store.get(Table::Meta, NEWEST)?;
        let newest = match StoredCheckpoint::read(&*store)? {
            None => {
                let empty = Checkpoint { origin, size: 0, root: merkle::empty_root() };
                let (note, cose) = (empty.sign(&seal)?, empty.sign_cose(&seal)?);
                let signed = SignedCheckpoint { checkpoint: empty, note };
                Newest { signed, cose: Some(cose.into()) }
            }
            Some(stored) => {
                tree.size = stored.checkpoint.size;
                stored.check(&mut tree)?;
                let StoredCheckpoint { checkpoint, kept } = stored;
                if checkpoint.origin != origin {
                    let why = format!("it is the ledger {}, not {origin}", checkpoint.origin);
                    return Err(LedgerError::damaged(why));
                }
                check_edge(&*store, &mut tree)?;
                // The seal may have been renewed since, and a first version made no COSE signatures: what
                // is shown from now on is by the key in use. History keeps what was given.
                let (note, cose) =
                    match (SignedCheckpoint::open(&kept.note, &log_key(&seal)?), kept.cose) {
                        (Ok(signed), Some(cose)) => (signed.note, cose),
                        (Ok(signed), None) => (signed.note, checkpoint.sign_cose(&seal)?.into()),
                        (Err(_), _) => {
                            (checkpoint.sign(&seal)?, checkpoint.sign_cose(&seal)?.into())
                        }
                    };
                Newest { signed: SignedCheckpoint { checkpoint, note }, cose: Some(cose) }
            }
        };
        let size = tree.size;
        let mut batch = Batch::default();
        if let Some(own) = seal.chain().first()
            && store.get(Table::Meta, &seal_key(own))?.is_none()
        {
            // Checkpoints outlive their seal: whoever audits them later needs its chain.
            put_seal(seal.chain(), &mut batch)?;
        }
        let closed = store.get(Table::Meta, CLOSED)?.is_some();
        batch.delete(Table::Meta, CLOSED);
        store.write(batch)?;
        if !closed && size > 0 {
            tracing::warn!(
                entries = size,
                "the ledger was not closed properly; the store has replayed its write-ahead log, and the \
                 tree, its last entries and the sealed checkpoint agree"
            );
        }
        let reader = Tree::new(store.clone(), size);
        let newest = Arc::new(Mutex::new(newest));
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (failed, failure) = watch::channel(None);
        let (no_room, full) = watch::channel(None);
        let continuity = Arc::new(Continuity::default());
        let seal = Arc::new(Mutex::new(seal));
        let expected = Arc::new(AtomicUsize::new(0));
        let last = Arc::new(AtomicI64::new(newest_time(&*store, size)?));
        let (grows, grown) = watch::channel(size);
        let clocks = Arc::new(PeerClocks::default());
        for (witness, kept) in cosignatures(&*store)? {
            // Our own record: it was verified when it came.
            if let Some(time) = WitnessKey::time_of(&kept.line) {
                clocks.cosigned(&witness, time);
            }
        }
        let writer = Writer {
            clocks: clocks.clone(),
            last: last.clone(),
            tree,
            kept,
            failed,
            no_room,
            continuity: continuity.clone(),
            seal: seal.clone(),
            newest: newest.clone(),
            grows,
            store: store.clone(),
            stored: HashMap::new(),
            expected: expected.clone(),
        };
        let writer = std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || writer.run(receiver))
            .map_err(|e| StoreError::Broken(e.to_string()))?;
        Ok(Self {
            queue: Mutex::new(Some(sender)),
            writer: Mutex::new(Some(writer)),
            view: LedgerView { reader: Mutex::new(reader), newest, store },
            failure,
            full,
            continuity,
            seal,
            expected,
            clocks,
            last,
            grown,
        })
    }

    /// What can be read of it, for whoever may wait.
    pub fn view<'a>(&'a self, _here: &'a Blocking) -> &'a LedgerView {
        &self.view
    }

    /// The newest sealed checkpoint.
    pub fn checkpoint(&self) -> SignedCheckpoint {
        self.view.checkpoint()
    }

    /// What others' clocks have shown: the writer goes by them.
    pub fn clocks(&self) -> &Arc<PeerClocks> {
        &self.clocks
    }

    /// Whether an entry would be sealed now.
    ///
    /// # Errors
    /// [`LedgerError::Clock`]: it passes when the clocks agree.
    pub fn check_clock(&self) -> Result<(), LedgerError> {
        Ok(fit_clock(&self.clocks, Moment::now(), self.last.load(Ordering::Relaxed))?)
    }

    /// As [`Ledger::check_clock`], for an entry that says when somebody else did something: then the ledger must not be ahead
    /// of the clock either.
    ///
    /// # Errors
    /// As [`Ledger::check_clock`].
    pub fn check_clock_for_others(&self) -> Result<(), LedgerError> {
        self.check_clock()?;
        let now = Moment::now();
        match self.ahead(now) > CLOCK_TOLERANCE {
            true => {
                let newest = self.last.load(Ordering::Relaxed);
                Err(WrongClock::Ledger { own: now.wall, newest }.into())
            }
            false => Ok(()),
        }
    }

    /// By how many seconds the newest entry is later than the clock.
    pub fn ahead(&self, now: Moment) -> i64 {
        self.last.load(Ordering::Relaxed).saturating_sub(now.wall).max(0)
    }

    /// The time of the newest entry, if there is one.
    pub fn newest_time(&self) -> Option<i64> {
        Some(self.last.load(Ordering::Relaxed)).filter(|time| *time != i64::MIN)
    }

    /// Says that a commit is being made, until what this gives is dropped.
    pub fn expect(&self) -> Expected {
        self.expected.fetch_add(1, Ordering::Relaxed);
        Expected(self.expected.clone())
    }

    /// Makes a commit durable. Returns when it is.
    ///
    /// # Errors
    /// [`LedgerError::Store`] when it could not be written (nothing of it is visible then), or
    /// [`LedgerError::Stopping`].
    pub async fn commit(&self, commit: Commit) -> Result<Outcome, LedgerError> {
        let queue = lock(&self.queue).clone().ok_or(LedgerError::Stopping)?;
        let (reply, answer) = oneshot::channel();
        queue.send((commit, reply)).await.map_err(|_| LedgerError::Stopping)?;
        answer.await.map_err(|_| LedgerError::Stopping)?
    }

    /// As [`Ledger::commit`], from a thread that may block.
    ///
    /// # Errors
    /// As [`Ledger::commit`].
    pub fn commit_blocking(&self, _: &Blocking, commit: Commit) -> Result<Outcome, LedgerError> {
        let queue = lock(&self.queue).clone().ok_or(LedgerError::Stopping)?;
        let (reply, answer) = oneshot::channel();
        queue.blocking_send((commit, reply)).map_err(|_| LedgerError::Stopping)?;
        answer.blocking_recv().map_err(|_| LedgerError::Stopping)?
    }

    /// The number of entries, which moves when there are more. What is read after it has moved holds them.
    pub fn grown(&self) -> watch::Receiver<u64> {
        self.grown.clone()
    }

    /// Lets the writer finish what waits, joins it, and notes that all is well.
    pub fn close(&self, here: &Blocking) {
        drop(lock(&self.queue).take());
        self.continuity.stop();
        let Some(writer) = lock(&self.writer).take() else { return };
        if writer.join().is_err() {
            tracing::error!("the ledger's writer ended in a panic");
            return;
        }
        let mut batch = Batch::default();
        batch.put(Table::Meta, CLOSED, []);
        // With everything in its tables, the next start has no write-ahead log to replay.
        let flush =
            || self.view(here).store.maintenance().map_or(Ok(()), |engine| engine.scrub(&[]));
        if let Err(error) = self.view(here).store.write(batch).and_then(|()| flush()) {
            tracing::error!(%error, "the ledger could not be closed properly");
        }
    }

    /// Why the store failed for good, once it has: then the node is to stop, since it cannot keep its word.
    pub fn failure(&self) -> watch::Receiver<Option<String>> {
        self.failure.clone()
    }

    /// Why nothing can be written for want of room, as long as that is so: what was found last.
    pub fn full(&self) -> Option<String> {
        self.full.borrow().clone()
    }

    /// Whether entries may be made: whether this is the ledger that it was seen to be.
    pub fn continuity(&self) -> &Arc<Continuity> {
        &self.continuity
    }

    /// Keeps a witness's cosignature of a size, made at a time, verified: as its newest, in place of its last, and for
    /// the history.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub fn add_cosignature(
        &self,
        here: &Blocking,
        witness: &AgencyName,
        kept: &KeptCosignature,
        size: u64,
        time: i64,
    ) -> Result<(), LedgerError> {
        let statement = Digest::of(&kept.statement);
        let line = kept.line.clone();
        let new = PastCosignature { line, size, time, witness: witness.clone(), statement };
        let mut batch = Batch::default();
        batch.put(Table::Cosignatures, witness.as_str().as_bytes(), cbor::encode(kept)?);
        let known = past_cosignatures(&*self.view(here).store, witness, 2)?;
        if let Some(number) = superseded(&known, &new) {
            batch.delete(Table::Cosigned, past_key(witness, number));
        }
        let next = known.last().map_or(0, |(number, _)| number + 1);
        // Two at once would be the same cosignature twice: one of them is enough.
        batch.require(Table::Cosigned, past_key(witness, next), None);
        batch.put(Table::Cosigned, past_key(witness, next), cbor::encode(&new)?);
        let key = [STATEMENTS, statement.as_bytes()].concat();
        batch.put(Table::Cosigned, key, kept.statement.as_slice());
        self.view(here).store.write(batch)?;
        self.clocks.cosigned(witness, time);
        Ok(())
    }

    /// The seal in use.
    pub fn seal(&self) -> Arc<Credential> {
        lock(&self.seal).clone()
    }

    /// Seals with another key from now on. What was given stays as it is.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub fn use_seal(&self, here: &Blocking, seal: Arc<Credential>) -> Result<(), LedgerError> {
        let mut batch = Batch::default();
        put_seal(seal.chain(), &mut batch)?;
        self.view(here).store.write(batch)?;
        // Under this lock, so that the writer cannot put what the old seal signed in its place afterwards.
        let mut newest = lock(&self.view(here).newest);
        *newest = newest.signed_by(&seal)?;
        *lock(&self.seal) = seal;
        Ok(())
    }

    /// The chain of the seal under which a receipt of this ledger was given, if it is not the one in use.
    ///
    /// # Errors
    /// [`LedgerError::Store`], or [`StoreError::Damaged`] when no seal that it has had gave it.
    pub fn former_seal(
        &self,
        here: &Blocking,
        receipt: &Receipt,
    ) -> Result<Option<Vec<Certificate>>, LedgerError> {
        let seal = self.seal();
        if SignedCheckpoint::open(&receipt.checkpoint, &log_key(&seal)?).is_ok() {
            return Ok(None);
        }
        let origin = Checkpoint::origin_of(seal.name().agency());
        for chain in all_seals(&*self.view(here).store)? {
            if let Some(key) = chain.first().and_then(Certificate::public_key)
                && SignedCheckpoint::open(&receipt.checkpoint, &LogKey::new(&origin, key)?).is_ok()
            {
                return Ok(Some(chain));
            }
        }
        let why = format!("entry {} was sealed by a seal that is not known", receipt.index);
        Err(LedgerError::damaged(why))
    }

    /// The receipt that was given for the entry with a key. If that was under a seal that is not in use any more,
    /// it is under the newest checkpoint: peers go by the seal in their directory.
    ///
    /// # Errors
    /// [`LedgerError::Store`] or [`StoreError::Damaged`].
    pub fn held_receipt(
        &self,
        here: &Blocking,
        key: &[u8],
    ) -> Result<Option<Receipt>, LedgerError> {
        let Some(given) = self.view(here).given_for(key)? else { return Ok(None) };
        match SignedCheckpoint::open(&given.checkpoint, &log_key(&self.seal())?) {
            Ok(_) => Ok(Some(given)),
            Err(_) => self.view(here).prove(given.index),
        }
    }
}

#[cfg(test)]
mod tests;
