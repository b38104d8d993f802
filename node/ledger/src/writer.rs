//! The ledger's one writer. Whatever waits is one batch: the entries, the records that belong to
//! them, the tree and one sealed checkpoint, written and synced together (group commit). A lone
//! caller waits for nobody.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use chancery_certs::{AgencyName, Credential};
use chancery_protocol::{Checkpoint, KeptCheckpoint, Leaf, Receipt, SignedCheckpoint, merkle};
use chancery_store::{Batch, Condition, Store, StoreError, Table};
use serde_bytes::ByteBuf;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    Continuity, LedgerError,
    checkpoint::{NEWEST, Newest, StoredCheckpoint, with_range},
    clock::{Moment, PeerClocks},
    fit_clock, lock,
    tree::Tree,
    view::{read_stored, receipt_key, stored_key},
};

/// The most commits in one batch.
pub(crate) const MAX_GROUP: usize = 1024;

/// The most entries in one batch, beyond its first commit.
pub(crate) const MAX_GROUP_LEAVES: usize = 4096;

/// The most bytes in one batch, beyond its first commit.
pub(crate) const MAX_GROUP_BYTES: usize = 16 << 20;

/// While so many more commits are being made, waiting a little for them saves each of them a sync, two signatures and a write
/// of the log. With fewer, whoever waits for an answer before sending the next document would only be slowed.
pub(crate) const SIBLINGS: usize = 5;

/// How long is waited at a time, while more commits come.
pub(crate) const GATHER: Duration = Duration::from_millis(1);

/// How often at most: after these the batch is written in any case.
pub(crate) const GATHERINGS: u32 = 4;

/// Commits for which nobody waits make no batch of their own sooner than this after the last one, when batches have been
/// following each other.
pub(crate) const SPACING: Duration = Duration::from_millis(2);

/// So many batches within so long are following each other. What one document brings about are fewer.
pub(crate) const FOLLOWING: usize = 4;

pub(crate) const FOLLOWED: Duration = Duration::from_millis(8);

/// What is to become durable together.
#[derive(Debug, Default)]
pub struct Commit {
    /// The entries; each gets a receipt.
    pub leaves: Vec<Leaf>,
    /// The records that go with them.
    pub batch: Batch,
    /// What must hold, of the store and of what commits before it in the same group write. A key that one of them requires to be
    /// absent is taken by it. If something does not hold, nothing of this commit is written, and [`Outcome::Stale`] names
    /// the first.
    pub conditions: Vec<Condition>,
    /// How many more (or fewer) bytes of which senders are kept with it.
    pub stored: Vec<(AgencyName, i64)>,
    /// Whether it can wait a moment for others: no clerk waits for its answer.
    pub patient: bool,
}

impl Commit {
    /// Asks that a key is not there yet.
    pub fn absent(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.conditions.push(Condition { table, key: key.into(), want: None });
    }
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable; the receipts of its entries, in order.
    Committed(Vec<Receipt>),
    /// Nothing was written: this key is not what the commit rests on.
    Stale(Table, Vec<u8>),
}

pub(crate) type Reply = oneshot::Sender<Result<Outcome, LedgerError>>;

pub(crate) struct Writer {
    pub(crate) tree: Tree,
    /// What stands under [`NEWEST`], on which the next batch rests.
    pub(crate) kept: Option<Vec<u8>>,
    pub(crate) failed: watch::Sender<Option<String>>,
    pub(crate) no_room: watch::Sender<Option<String>>,
    pub(crate) continuity: Arc<Continuity>,
    pub(crate) seal: Arc<Mutex<Arc<Credential>>>,
    pub(crate) newest: Arc<Mutex<Newest>>,
    /// Told of the number of entries once they can be read.
    pub(crate) grows: watch::Sender<u64>,
    pub(crate) store: Arc<dyn Store>,
    /// How many bytes of each sender are kept, as far as it was asked for.
    pub(crate) stored: HashMap<AgencyName, u64>,
    /// How many commits are being made.
    pub(crate) expected: Arc<AtomicUsize>,
    pub(crate) clocks: Arc<PeerClocks>,
    /// The time of the newest entry.
    pub(crate) last: Arc<AtomicI64>,
}

/// A commit on its way into the batch: its reply and the places of its entries.
pub(crate) struct Placed {
    pub(crate) reply: Reply,
    pub(crate) leaves: Vec<(u64, Leaf, Vec<u8>)>,
}

/// What the commits of a group that have their places write and claim.
#[derive(Debug, Default)]
struct Written {
    /// Where in the group's batch the newest change of a key stands.
    changes: HashMap<(Table, Vec<u8>), usize>,
    claimed: HashSet<(Table, Vec<u8>)>,
}

impl Written {
    /// Whether a condition holds: of what the group writes, or else of the store.
    fn fits(
        &self,
        store: &dyn Store,
        batch: &Batch,
        condition: &Condition,
    ) -> Result<bool, StoreError> {
        let Condition { table, key, want } = condition;
        let at = (*table, key.clone());
        if want.is_none() && self.claimed.contains(&at) {
            return Ok(false);
        }
        let change = self.changes.get(&at).and_then(|place| batch.changes().get(*place));
        match change {
            Some(change) => Ok(change.value == *want),
            None => Ok(store.get(*table, key)? == *want),
        }
    }

    /// Takes keys that are required to be absent.
    fn claim(&mut self, conditions: impl Iterator<Item = Condition>) {
        let absent = conditions.filter(|condition| condition.want.is_none());
        self.claimed.extend(absent.map(|condition| (condition.table, condition.key)));
    }

    /// Moves a commit's changes to the end of the group's.
    fn append(&mut self, own: Batch, batch: &mut Batch) {
        for (place, change) in (batch.changes().len()..).zip(own.changes()) {
            self.changes.insert((change.table, change.key.clone()), place);
        }
        batch.append(own);
    }
}

/// The commits of one batch.
pub(crate) struct Group {
    pub(crate) commits: Vec<(Commit, Reply)>,
    pub(crate) leaves: usize,
    pub(crate) bytes: usize,
}

impl Group {
    pub(crate) fn of(first: (Commit, Reply)) -> Self {
        let mut group = Self { commits: Vec::new(), leaves: 0, bytes: 0 };
        group.push(first);
        group
    }

    pub(crate) fn push(&mut self, next: (Commit, Reply)) {
        self.bytes += next.0.batch.size();
        self.leaves += next.0.leaves.len();
        self.commits.push(next);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.commits.len() >= MAX_GROUP
            || self.leaves >= MAX_GROUP_LEAVES
            || self.bytes >= MAX_GROUP_BYTES
    }

    /// Takes what waits in the queue, as far as there is room. Says whether anything did.
    pub(crate) fn fill(&mut self, queue: &mut mpsc::Receiver<(Commit, Reply)>) -> bool {
        let before = self.commits.len();
        while !self.is_full()
            && let Ok(next) = queue.try_recv()
        {
            self.push(next);
        }
        self.commits.len() > before
    }

    /// Waits for more, while many are being made and some come.
    pub(crate) fn gather(
        &mut self,
        queue: &mut mpsc::Receiver<(Commit, Reply)>,
        expected: &AtomicUsize,
    ) {
        for _ in 0..GATHERINGS {
            let others = expected.load(Ordering::Relaxed).saturating_sub(self.commits.len());
            if others < SIBLINGS || self.is_full() {
                return;
            }
            std::thread::sleep(GATHER);
            if !self.fill(queue) {
                return;
            }
        }
    }

    /// Keeps a distance to the batches before, as long as nobody waits for any of the commits.
    pub(crate) fn space(
        &mut self,
        queue: &mut mpsc::Receiver<(Commit, Reply)>,
        written: &VecDeque<Instant>,
    ) {
        let (Some(earliest), Some(last)) = (written.front(), written.back()) else { return };
        if written.len() < FOLLOWING || earliest.elapsed() > FOLLOWED {
            return;
        }
        while !self.is_full() && self.commits.iter().all(|(commit, _)| commit.patient) {
            let left = SPACING.saturating_sub(last.elapsed());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(SPACING / 8));
            self.fill(queue);
        }
    }
}

impl Writer {
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<(Commit, Reply)>) {
        let mut written = VecDeque::with_capacity(FOLLOWING);
        while let Some(first) = queue.blocking_recv() {
            let mut group = Group::of(first);
            group.fill(&mut queue);
            group.gather(&mut queue, &self.expected);
            group.space(&mut queue, &written);
            self.write(group.commits);
            if written.len() == FOLLOWING {
                written.pop_front();
            }
            written.push_back(Instant::now());
        }
    }

    /// Takes those out that would make entries, when none may be made now, and tells them.
    fn admit(&self, group: &mut Vec<(Commit, Reply)>) {
        if group.iter().all(|(commit, _)| commit.leaves.is_empty()) {
            return;
        }
        // At a start, peers are asked first; that takes a moment, and then whoever came meanwhile is served.
        let fits = self.continuity.wait();
        let fits = fits.and_then(|()| Ok(fit_clock(&self.clocks, Moment::now(), self.last())?));
        let Err(error) = fits else { return };
        for (commit, reply) in std::mem::take(group) {
            match commit.leaves.is_empty() {
                true => group.push((commit, reply)),
                false => drop(reply.send(Err(error.again()))),
            }
        }
    }

    fn last(&self) -> i64 {
        self.last.load(Ordering::Relaxed)
    }

    fn write(&mut self, mut group: Vec<(Commit, Reply)>) {
        self.admit(&mut group);
        let before = self.tree.size;
        let mut last = self.last();
        let mut batch = Batch::default();
        let mut placed = Vec::with_capacity(group.len());
        let mut written = Written::default();
        let mut stale = Vec::new();
        for (mut commit, reply) in group {
            // In the group's batch it would fail all of the group: what a commit asks for is asked of it alone.
            commit.conditions.append(&mut commit.batch.take_conditions());
            match self.place(&mut commit, &mut written, &batch, &mut last) {
                Ok(Ok(leaves)) => {
                    for (sender, more) in commit.stored.drain(..) {
                        self.count(sender, more, &mut batch);
                    }
                    written.append(std::mem::take(&mut commit.batch), &mut batch);
                    placed.push(Placed { reply, leaves });
                }
                Ok(Err(key)) => stale.push((reply, key)),
                Err(error) => {
                    // The tree in memory may be half grown: nothing of this group is written.
                    tracing::error!(%error, "a commit could not be placed in the tree");
                    self.tree.reset(before);
                    // What is kept of whom is counted anew from what is there.
                    self.stored.clear();
                    drop(reply.send(Err(error)));
                    let why = LedgerError::from(StoreError::Broken(
                        "another commit of the group failed".into(),
                    ));
                    return fail_all(placed, &why);
                }
            }
        }
        if placed.is_empty() {
            return answer_stale(stale);
        }
        let seal = lock(&self.seal).clone();
        match self.seal_and_write(batch, &placed, &seal) {
            Ok((newest, receipts)) => {
                self.last.store(last, Ordering::Relaxed);
                self.has_room();
                self.show(newest, &seal);
                self.grows.send_replace(self.tree.size);
                for (placed, receipts) in placed.into_iter().zip(receipts) {
                    drop(placed.reply.send(Ok(Outcome::Committed(receipts))));
                }
            }
            Err(error) => {
                self.tree.reset(before);
                self.stored.clear();
                self.failed(&error);
                fail_all(placed, &error);
                // What was in their way may have been of this very group, and is not there either.
                for (reply, _) in stale.drain(..) {
                    drop(reply.send(Err(error.again())));
                }
            }
        }
        // Only now: the key may be one that this very group has made durable.
        answer_stale(stale);
    }

    /// What a write that failed means for the rest of the node. For want of room it goes on read-only, and the next write tries
    /// again: nothing of what failed is in the store, and what is in the tree is as before. After anything else it is not known
    /// what the store holds, and it takes nothing more.
    fn failed(&self, error: &LedgerError) {
        match error {
            LedgerError::Store(StoreError::Full(why) | StoreError::Away(why)) => {
                if self.no_room.send_replace(Some(why.clone())).is_none() {
                    tracing::error!(%error, "nothing is taken until there is room; what is here can be read");
                }
            }
            error => {
                tracing::error!(%error, "a group of commits could not be written");
                let why = match error {
                    LedgerError::Store(StoreError::Broken(why)) => why.clone(),
                    other => other.to_string(),
                };
                self.failed.send_replace(Some(why));
            }
        }
    }

    /// A write found room.
    fn has_room(&self) {
        if self.no_room.borrow().is_some() {
            self.no_room.send_replace(None);
            tracing::info!("there is room again; the node goes on");
        }
    }

    /// Shows the newest checkpoint from now on, under the seal in use, which may have changed meanwhile.
    fn show(&self, made: Newest, by: &Arc<Credential>) {
        let mut newest = lock(&self.newest);
        let seal = lock(&self.seal).clone();
        *newest = match Arc::ptr_eq(&seal, by) {
            true => made,
            // Signing fails only where no signature could be made at all.
            false => made.signed_by(&seal).unwrap_or(made),
        };
    }

    /// Counts what is kept of a sender. It is for limits: what cannot be read counts from nothing.
    fn count(&mut self, sender: AgencyName, more: i64, batch: &mut Batch) {
        let key = stored_key(&sender);
        let store = &self.store;
        let kept = self.stored.entry(sender);
        let kept = kept.or_insert_with_key(|name| read_stored(&**store, name).unwrap_or_default());
        *kept = kept.saturating_add_signed(more);
        batch.put(Table::Meta, key, kept.to_be_bytes());
    }

    /// Gives a commit's entries their places, or the first key that is not what it rests on.
    #[expect(clippy::type_complexity, reason = "it is local to the writer")]
    fn place(
        &mut self,
        commit: &mut Commit,
        written: &mut Written,
        batch: &Batch,
        last: &mut i64,
    ) -> Result<Result<Vec<(u64, Leaf, Vec<u8>)>, (Table, Vec<u8>)>, LedgerError> {
        for condition in &commit.conditions {
            if !written.fits(&*self.store, batch, condition)? {
                return Ok(Err((condition.table, condition.key.clone())));
            }
        }
        written.claim(commit.conditions.drain(..));
        let mut leaves = Vec::with_capacity(commit.leaves.len());
        for mut leaf in commit.leaves.drain(..) {
            // Callers overtake each other, and a clock may have been set: entry times never decrease.
            leaf.time = leaf.time.max(*last);
            *last = leaf.time;
            let bytes = leaf.encode()?;
            let index = self.tree.size;
            self.tree.push(merkle::leaf_hash(&bytes))?;
            leaves.push((index, leaf, bytes));
        }
        Ok(Ok(leaves))
    }

    fn seal_and_write(
        &mut self,
        mut batch: Batch,
        placed: &[Placed],
        seal: &Credential,
    ) -> Result<(Newest, Vec<Vec<Receipt>>), LedgerError> {
        let tree = &mut self.tree;
        let size = tree.size;
        let root = merkle::root(size, |level, index| tree.node(level, index))?;
        let origin = Checkpoint::origin_of(seal.name().agency());
        let checkpoint = Checkpoint { origin, size, root };
        let note = checkpoint.sign(seal)?;
        let cose = Some(ByteBuf::from(checkpoint.sign_cose(seal)?));
        let range = merkle::compact_range(size, |level, index| tree.node(level, index))?;
        let given = with_range(cose.clone(), range)?;
        let mut receipts = Vec::with_capacity(placed.len());
        for commit in placed {
            let mut own = Vec::with_capacity(commit.leaves.len());
            for (index, leaf, bytes) in &commit.leaves {
                let proof = merkle::inclusion_proof(*index, size, |l, i| tree.node(l, i))?;
                let proof = proof.ok_or_else(|| LedgerError::damaged("a leaf is lost"))?;
                batch.put(Table::Leaves, index.to_be_bytes(), bytes.as_slice());
                batch.put(Table::Receipts, receipt_key(leaf), index.to_be_bytes());
                own.push(Receipt {
                    leaf: bytes.clone(),
                    index: *index,
                    proof,
                    checkpoint: note.clone(),
                    cose: given.clone(),
                });
            }
            receipts.push(own);
        }
        tree.put_grown(&mut batch)?;
        let kept = KeptCheckpoint { note, cose };
        let stored = StoredCheckpoint { checkpoint, kept };
        let newest = stored.put(&mut batch)?;
        // Whoever else might write to this store has not: there is one history.
        batch.require(Table::Meta, NEWEST, self.kept.clone());
        self.store.write(batch)?;
        self.kept = Some(newest);
        tree.grown.clear();
        let StoredCheckpoint { checkpoint, kept: KeptCheckpoint { note, cose } } = stored;
        Ok((Newest { signed: SignedCheckpoint { checkpoint, note }, cose }, receipts))
    }
}

pub(crate) fn fail_all(placed: Vec<Placed>, why: &LedgerError) {
    for placed in placed {
        drop(placed.reply.send(Err(why.again())));
    }
}

pub(crate) fn answer_stale(replies: Vec<(Reply, (Table, Vec<u8>))>) {
    for (reply, (table, key)) in replies {
        drop(reply.send(Ok(Outcome::Stale(table, key))));
    }
}
