//! The ledger's one writer. Whatever waits is one batch: the entries, the records that belong to
//! them, the tree and one sealed checkpoint, written and synced together (group commit). A lone
//! caller waits for nobody.

use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::Entry},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use chancery_certs::{AgencyName, Certificate, Credential};
use chancery_crypto::{Digest, cbor};
use chancery_protocol::{
    CLOCK_TOLERANCE, COSIGN_AGAIN, Checkpoint, Growth, KeptCheckpoint, Leaf, LogKey, Receipt,
    SignedCheckpoint, WitnessKey, merkle,
    tile::{TILE_WIDTH, Tile, locate},
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    NodeError,
    clock::{Moment, PeerClocks, WrongClock},
    continuity::Continuity,
    files::Blocking,
    local::WitnessView,
    store::{Batch, Read, Store, Table},
};

/// Commits that may wait before callers do.
const QUEUE: usize = 1024;
/// The most commits in one batch.
const MAX_GROUP: usize = 1024;
/// The most entries in one batch, beyond its first commit.
const MAX_GROUP_LEAVES: usize = 4096;
/// The most bytes in one batch, beyond its first commit.
const MAX_GROUP_BYTES: usize = 16 << 20;
/// While so many more commits are being made, waiting a little for them saves each of them a sync, two signatures and a write
/// of the log. With fewer, whoever waits for an answer before sending the next document would only be slowed.
const SIBLINGS: usize = 5;
/// How long is waited at a time, while more commits come.
const GATHER: Duration = Duration::from_millis(1);
/// How often at most: after these the batch is written in any case.
const GATHERINGS: u32 = 4;
/// Commits for which nobody waits make no batch of their own sooner than this after the last one, when batches have been
/// following each other.
const SPACING: Duration = Duration::from_millis(2);
/// So many batches within so long are following each other. What one document brings about are fewer.
const FOLLOWING: usize = 4;
const FOLLOWED: Duration = Duration::from_millis(8);
/// Tiles kept in memory for proofs.
const CACHED_TILES: usize = 64;

/// The key of the newest checkpoint in [`Table::Meta`].
const NEWEST: &[u8] = b"checkpoint";
/// The key in [`Table::Meta`] that is there when the ledger was closed properly.
const CLOSED: &[u8] = b"closed";
/// The prefix of keys in [`Table::Meta`] under which the seals' chains are kept.
const SEALS: &[u8] = b"seal ";
/// By how many seconds a ledger may be ahead of the clock and still be added to.
const MAX_AHEAD: i64 = 86_400;
/// The most cosignatures that a note is shown with.
const MAX_COSIGNATURES: usize = 16;

/// What is to become durable together.
#[derive(Debug, Default)]
pub struct Commit {
    /// The entries; each gets a receipt.
    pub leaves: Vec<Leaf>,
    /// The records that go with them.
    pub batch: Batch,
    /// Keys that must not exist yet, neither in the store nor among those that commits of the same group ask for. If one
    /// does, nothing is written, and [`Outcome::Exists`] names the first that does.
    pub absent: Vec<(Table, Vec<u8>)>,
    /// How many more (or fewer) bytes of which senders are kept with it.
    pub stored: Vec<(AgencyName, i64)>,
    /// Whether it can wait a moment for others: no clerk waits for its answer.
    pub patient: bool,
}

/// The key in [`Table::Meta`] of how many bytes of a sender are kept.
fn stored_key(sender: &AgencyName) -> Vec<u8> {
    [b"stored ", sender.as_str().as_bytes()].concat()
}

fn read_stored(store: &(impl Read + ?Sized), sender: &AgencyName) -> Result<u64, NodeError> {
    let kept = store.get(Table::Meta, &stored_key(sender))?;
    Ok(kept.and_then(|kept| kept.try_into().ok()).map_or(0, u64::from_be_bytes))
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable; the receipts of its entries, in order.
    Committed(Vec<Receipt>),
    /// Nothing was written: this key, which should be absent, is there.
    Exists(Table, Vec<u8>),
}

type Reply = oneshot::Sender<Result<Outcome, NodeError>>;

/// The key under which a receipt of this ledger is kept.
pub fn receipt_key(leaf: &Leaf) -> Vec<u8> {
    let mut key = leaf.envelope.digest().as_bytes().to_vec();
    key.extend(leaf.event.name().as_bytes());
    key.push(0);
    key.extend(leaf.counterpart.as_str().as_bytes());
    key
}

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
fn past_key(witness: &AgencyName, number: u64) -> Vec<u8> {
    [witness.as_str().as_bytes(), &[0], &number.to_be_bytes()].concat()
}

/// The prefix of keys in [`Table::Cosigned`] under which witnesses' statements are kept, by digest. No name starts so.
const STATEMENTS: &[u8] = &[0];

/// Which of the last two of a witness's cosignatures makes room for a new one. Of any three that follow each other the first
/// and the last are at least ten minutes apart, so that they do not grow beyond what there is to prove; of one size,
/// the first and the last are kept: the ledger had grown by the one, and not beyond it by the other.
fn superseded(kept: &[(u64, PastCosignature)], new: &PastCosignature) -> Option<u64> {
    let [.., (_, before), (number, last)] = kept else { return None };
    let close = new.time.saturating_sub(before.time) < COSIGN_AGAIN;
    let quiet = before.size == last.size && last.size == new.size;
    (close || quiet).then_some(*number)
}

/// The tree over the store: reads nodes through cached tiles. The last tile of the lowest level is not stored
/// before it is full: its hashes are those of the last entries, which are. (It would be written anew with every
/// commit, up to 8 KB of it, when a lone commit is 1 KB.)
struct Tree {
    store: Arc<dyn Store>,
    size: u64,
    tiles: HashMap<(u32, u64), Tile>,
    /// Tiles that have grown and are not written yet. They must stay in memory.
    grown: HashSet<(u32, u64)>,
}

/// The key of a tile in [`Table::Tiles`].
fn tile_key(level: u32, index: u64) -> Vec<u8> {
    let mut key = level.to_be_bytes().to_vec();
    key.extend(index.to_be_bytes());
    key
}

/// A tile as it is stored: full tiles, and on the higher levels those that grow.
fn stored_tile(
    tables: &(impl Read + ?Sized),
    level: u32,
    index: u64,
) -> Result<Option<Tile>, NodeError> {
    let stored = tables.get(Table::Tiles, &tile_key(level, index))?;
    Ok(stored.map(|bytes| Tile::decode(&bytes)).transpose()?)
}

/// Completes a tile of the lowest level with the hashes of entries until it has `width` hashes.
fn complete(
    tables: &(impl Read + ?Sized),
    tile: &mut Tile,
    index: u64,
    width: usize,
) -> Result<(), NodeError> {
    let Some(more) = width.checked_sub(tile.width()).filter(|more| *more > 0) else {
        return Ok(());
    };
    let from = index * TILE_WIDTH as u64 + tile.width() as u64;
    let leaves = tables.scan(Table::Leaves, &from.to_be_bytes(), &[], more)?;
    for (at, (key, leaf)) in (from..).zip(&leaves) {
        if *key != at.to_be_bytes() {
            return Err(NodeError::Damaged(format!("entry {at} is missing")));
        }
        tile.push(merkle::leaf_hash(leaf));
    }
    match tile.width() < width {
        true => Err(NodeError::Damaged(format!("entry {} is missing", from + leaves.len() as u64))),
        false => Ok(()),
    }
}

/// The first `width` hashes of a tile in a store's tables, if it has so many.
///
/// # Errors
/// [`NodeError::Store`], or [`NodeError::Damaged`] when entries are missing.
pub fn tile(
    tables: &(impl Read + ?Sized),
    level: u32,
    index: u64,
    width: usize,
) -> Result<Option<Vec<u8>>, NodeError> {
    let stored = tables.get(Table::Tiles, &tile_key(level, index))?;
    let first = |bytes: &[u8]| bytes.get(..width * Digest::LEN).map(<[u8]>::to_vec);
    let found = stored.as_deref().and_then(first);
    if found.is_some() || level > 0 {
        return Ok(found);
    }
    let mut tile = stored.map(|bytes| Tile::decode(&bytes)).transpose()?.unwrap_or_default();
    complete(tables, &mut tile, index, width)?;
    Ok(first(&tile.encode()))
}

impl Tree {
    fn new(store: Arc<dyn Store>, size: u64) -> Self {
        Self { store, size, tiles: HashMap::new(), grown: HashSet::new() }
    }

    fn load(&mut self, level: u32, index: u64) -> Result<&mut Tile, NodeError> {
        if self.tiles.len() > CACHED_TILES + self.grown.len() {
            // The growing edge stays; older tiles can be read again.
            let (size, grown) = (self.size, &self.grown);
            self.tiles.retain(|key, _| {
                let (level, index) = key;
                let edge = size.checked_shr(8 * (level + 1)).unwrap_or(0);
                index + 1 >= edge || grown.contains(key)
            });
        }
        let tile = match self.tiles.entry((level, index)) {
            Entry::Occupied(tile) => tile.into_mut(),
            Entry::Vacant(slot) => {
                slot.insert(stored_tile(&*self.store, level, index)?.unwrap_or_default())
            }
        };
        if level == 0 {
            let entries = self.size.saturating_sub(index * TILE_WIDTH as u64);
            let width = usize::try_from(entries).unwrap_or(TILE_WIDTH).min(TILE_WIDTH);
            complete(&*self.store, tile, index, width)?;
        }
        Ok(tile)
    }

    fn node(&mut self, level: u32, index: u64) -> Result<Digest, NodeError> {
        let (tile_level, tile, inner, at) = locate(level, index);
        let node = self.load(tile_level, tile)?.node(inner, at);
        node.ok_or_else(|| NodeError::Damaged(format!("tree node {level}/{index} is missing")))
    }

    /// Appends a leaf.
    fn push(&mut self, hash: Digest) -> Result<(), NodeError> {
        let (mut level, mut index, mut carry) = (0, self.size, Some(hash));
        while let Some(hash) = carry {
            let tile = index / TILE_WIDTH as u64;
            let place = index % TILE_WIDTH as u64;
            let edge = self.load(level, tile)?;
            if edge.width() as u64 != place {
                return Err(NodeError::Damaged(format!("tile {level}/{tile} has a wrong width")));
            }
            carry = edge.push(hash);
            self.grown.insert((level, tile));
            (level, index) = (level + 1, tile);
        }
        self.size += 1;
        Ok(())
    }

    /// Forgets what a failed write would have added.
    fn reset(&mut self, size: u64) {
        self.size = size;
        self.tiles.clear();
        self.grown.clear();
    }

    /// Puts the tiles that have grown into a batch.
    fn put_grown(&mut self, batch: &mut Batch) -> Result<(), NodeError> {
        for (level, index) in self.grown.clone() {
            let tile = self.load(level, index)?;
            if level > 0 || tile.width() == TILE_WIDTH {
                batch.put(Table::Tiles, tile_key(level, index), tile.encode());
            }
        }
        Ok(())
    }

    /// Goes on with a tree that has grown in the store: full tiles never change, and the lowest level grows by
    /// what is read of the entries.
    fn follow(&mut self, size: u64) {
        self.size = size;
        self.tiles.retain(|(level, _), tile| *level == 0 || tile.width() == TILE_WIDTH);
    }
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

/// What can be read of a ledger: of a running node's, or of one in a data folder at rest.
pub struct LedgerView {
    reader: Mutex<Tree>,
    newest: Arc<Mutex<Newest>>,
    store: Arc<dyn Store>,
}

/// The newest checkpoint, and the COSE signature over its root.
#[derive(Debug, Clone)]
struct Newest {
    signed: SignedCheckpoint,
    cose: Option<ByteBuf>,
}

impl Newest {
    /// The same under another seal.
    fn signed_by(&self, seal: &Credential) -> Result<Self, NodeError> {
        let checkpoint = self.signed.checkpoint.clone();
        let (note, cose) = (checkpoint.sign(seal)?, checkpoint.sign_cose(seal)?);
        Ok(Self { signed: SignedCheckpoint { checkpoint, note }, cose: Some(cose.into()) })
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ledger({})", self.checkpoint().checkpoint.size)
    }
}

impl std::fmt::Debug for LedgerView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LedgerView({})", self.checkpoint().checkpoint.size)
    }
}

impl std::ops::Deref for Ledger {
    type Target = LedgerView;

    fn deref(&self) -> &LedgerView {
        &self.view
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What the locks guard is replaced whole, so it is sound even after a panic elsewhere.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    /// Opens the ledger: checks that the stored tree gives the root of the newest sealed
    /// checkpoint, and starts the writer.
    ///
    /// # Errors
    /// [`NodeError::Damaged`] when the tree and the checkpoint do not agree.
    pub fn open(store: Arc<dyn Store>, seal: Arc<Credential>) -> Result<Self, NodeError> {
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
                    return Err(NodeError::Damaged(why));
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
            .map_err(|e| NodeError::Store(e.to_string()))?;
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

    /// What others' clocks have shown: the writer goes by them.
    pub fn clocks(&self) -> &Arc<PeerClocks> {
        &self.clocks
    }

    /// Whether an entry would be sealed now.
    ///
    /// # Errors
    /// [`NodeError::Clock`]: it passes when the clocks agree.
    pub fn check_clock(&self) -> Result<(), NodeError> {
        Ok(fit_clock(&self.clocks, Moment::now(), self.last.load(Ordering::Relaxed))?)
    }

    /// As [`Ledger::check_clock`], for an entry that says when somebody else did something: then the ledger must not be ahead
    /// of the clock either.
    ///
    /// # Errors
    /// As [`Ledger::check_clock`].
    pub fn check_clock_for_others(&self) -> Result<(), NodeError> {
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
    /// [`NodeError::Store`] when it could not be written (nothing of it is visible then), or
    /// [`NodeError::Stopping`].
    pub async fn commit(&self, commit: Commit) -> Result<Outcome, NodeError> {
        let queue = lock(&self.queue).clone().ok_or(NodeError::Stopping)?;
        let (reply, answer) = oneshot::channel();
        queue.send((commit, reply)).await.map_err(|_| NodeError::Stopping)?;
        answer.await.map_err(|_| NodeError::Stopping)?
    }

    /// As [`Ledger::commit`], from a thread that may block.
    ///
    /// # Errors
    /// As [`Ledger::commit`].
    pub fn commit_blocking(&self, _: &Blocking, commit: Commit) -> Result<Outcome, NodeError> {
        let queue = lock(&self.queue).clone().ok_or(NodeError::Stopping)?;
        let (reply, answer) = oneshot::channel();
        queue.blocking_send((commit, reply)).map_err(|_| NodeError::Stopping)?;
        answer.blocking_recv().map_err(|_| NodeError::Stopping)?
    }

    /// The number of entries, which moves when there are more. What is read after it has moved holds them.
    pub fn grown(&self) -> watch::Receiver<u64> {
        self.grown.clone()
    }

    /// Lets the writer finish what waits, joins it, and notes that all is well.
    pub fn close(&self) {
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
        if let Err(error) = self.store.write(batch).and_then(|()| self.store.scrub(&[])) {
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
    /// [`NodeError::Store`].
    pub fn add_cosignature(
        &self,
        witness: &AgencyName,
        kept: &KeptCosignature,
        size: u64,
        time: i64,
    ) -> Result<(), NodeError> {
        let statement = Digest::of(&kept.statement);
        let line = kept.line.clone();
        let new = PastCosignature { line, size, time, witness: witness.clone(), statement };
        let mut batch = Batch::default();
        batch.put(Table::Cosignatures, witness.as_str().as_bytes(), cbor::encode(kept)?);
        let known = past_cosignatures(&*self.store, witness, 2)?;
        if let Some(number) = superseded(&known, &new) {
            batch.delete(Table::Cosigned, past_key(witness, number));
        }
        let next = known.last().map_or(0, |(number, _)| number + 1);
        // Two at once would be the same cosignature twice: one of them is enough.
        batch.require(Table::Cosigned, past_key(witness, next), None);
        batch.put(Table::Cosigned, past_key(witness, next), cbor::encode(&new)?);
        let key = [STATEMENTS, statement.as_bytes()].concat();
        batch.put(Table::Cosigned, key, kept.statement.as_slice());
        self.store.write(batch)?;
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
    /// [`NodeError::Store`].
    pub fn use_seal(&self, seal: Arc<Credential>) -> Result<(), NodeError> {
        let mut batch = Batch::default();
        put_seal(seal.chain(), &mut batch)?;
        self.store.write(batch)?;
        // Under this lock, so that the writer cannot put what the old seal signed in its place afterwards.
        let mut newest = lock(&self.newest);
        *newest = newest.signed_by(&seal)?;
        *lock(&self.seal) = seal;
        Ok(())
    }

    /// The chain of the seal under which a receipt of this ledger was given, if it is not the one in use.
    ///
    /// # Errors
    /// [`NodeError::Store`], or [`NodeError::Damaged`] when no seal that it has had gave it.
    pub fn former_seal(&self, receipt: &Receipt) -> Result<Option<Vec<Certificate>>, NodeError> {
        let seal = self.seal();
        if SignedCheckpoint::open(&receipt.checkpoint, &log_key(&seal)?).is_ok() {
            return Ok(None);
        }
        let origin = Checkpoint::origin_of(seal.name().agency());
        for chain in all_seals(&*self.store)? {
            if let Some(key) = chain.first().and_then(Certificate::public_key)
                && SignedCheckpoint::open(&receipt.checkpoint, &LogKey::new(&origin, key)?).is_ok()
            {
                return Ok(Some(chain));
            }
        }
        let why = format!("entry {} was sealed by a seal that is not known", receipt.index);
        Err(NodeError::Damaged(why))
    }

    /// The receipt that was given for the entry with a key. If that was under a seal that is not in use any more,
    /// it is under the newest checkpoint: peers go by the seal in their directory.
    ///
    /// # Errors
    /// [`NodeError::Store`] or [`NodeError::Damaged`].
    pub fn held_receipt(&self, key: &[u8]) -> Result<Option<Receipt>, NodeError> {
        let Some(given) = self.given_for(key)? else { return Ok(None) };
        match SignedCheckpoint::open(&given.checkpoint, &log_key(&self.seal())?) {
            Ok(_) => Ok(Some(given)),
            Err(_) => self.prove(given.index),
        }
    }
}

impl LedgerView {
    /// Looks at the ledger in a store that nobody writes to.
    ///
    /// # Errors
    /// [`NodeError::Damaged`] when the tree and the checkpoint do not agree.
    pub fn open(store: Arc<dyn Store>) -> Result<Self, NodeError> {
        let empty = || NodeError::Damaged("there is no sealed ledger in it".into());
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
    /// [`NodeError::Store`].
    pub fn cosigned_checkpoint(&self) -> Result<SignedCheckpoint, NodeError> {
        cosigned(&*self.store, self.checkpoint())
    }

    /// Who has cosigned it last, how large, and when.
    ///
    /// # Errors
    /// [`NodeError::Store`], or [`NodeError::Protocol`] when what is kept cannot be read.
    pub fn witnesses(&self) -> Result<Vec<WitnessView>, NodeError> {
        let seen = cosignatures(&*self.store)?.into_iter().map(|(agency, kept)| {
            let size = Checkpoint::read_unverified(&kept.note)?.size;
            let time = WitnessKey::time_of(&kept.line).unwrap_or_default();
            Ok(WitnessView { agency, size, time })
        });
        seen.collect()
    }

    /// How many bytes of a sender are kept.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    pub fn stored_of(&self, sender: &AgencyName) -> Result<u64, NodeError> {
        read_stored(&*self.store, sender)
    }

    /// An entry's bytes.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    pub fn leaf(&self, index: u64) -> Result<Option<Vec<u8>>, NodeError> {
        self.store.get(Table::Leaves, &index.to_be_bytes())
    }

    /// Up to `limit` entries' bytes from one on.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    pub fn leaves(&self, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, NodeError> {
        let found = self.store.scan(Table::Leaves, &from.to_be_bytes(), &[], limit)?;
        Ok(found.into_iter().map(|(_, leaf)| leaf).collect())
    }

    /// What has happened from an entry on, in the order in which it was committed, each with its number: up to `limit` sealed
    /// entries. Clocks have no part in that order, so that whoever goes on after the last entry that he has seen
    /// misses nothing and is told nothing twice.
    ///
    /// # Errors
    /// [`NodeError::Store`], or [`NodeError::Protocol`] when an entry cannot be read.
    pub fn feed(&self, from: u64, limit: usize) -> Result<Vec<(u64, Leaf)>, NodeError> {
        let size = self.checkpoint().checkpoint.size;
        let sealed = usize::try_from(size.saturating_sub(from)).unwrap_or(usize::MAX);
        let leaves = self.leaves(from, limit.min(sealed))?;
        (from..).zip(leaves).map(|(index, leaf)| Ok((index, Leaf::decode(&leaf)?))).collect()
    }

    /// The receipt of an entry under the newest checkpoint, if there is such an entry.
    ///
    /// # Errors
    /// [`NodeError::Store`] or [`NodeError::Damaged`].
    pub fn prove(&self, index: u64) -> Result<Option<Receipt>, NodeError> {
        let Newest { signed, cose } = lock(&self.newest).clone();
        self.receipt(index, signed.checkpoint.size, signed.note, cose)
    }

    /// The receipt that was given for an entry when it was committed: under the first checkpoint that
    /// covers it. It is made anew from the tree, the same each time.
    ///
    /// # Errors
    /// [`NodeError::Store`] or [`NodeError::Damaged`].
    pub fn given_receipt(&self, index: u64) -> Result<Receipt, NodeError> {
        let lost =
            |what: &str| NodeError::Damaged(format!("the {what} of entry {index} is missing"));
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
    /// [`NodeError::Store`] or [`NodeError::Damaged`].
    pub fn given_for(&self, key: &[u8]) -> Result<Option<Receipt>, NodeError> {
        let index = self.store.get(Table::Receipts, key)?;
        index.map(|index| self.given_receipt(read_index(&index)?)).transpose()
    }

    /// The receipts that were given for an envelope's entries.
    ///
    /// # Errors
    /// [`NodeError::Store`] or [`NodeError::Damaged`].
    pub fn given_receipts(&self, key_prefix: &[u8]) -> Result<Vec<Receipt>, NodeError> {
        let found = self.store.scan(Table::Receipts, key_prefix, key_prefix, usize::MAX)?;
        found.iter().map(|(_, index)| self.given_receipt(read_index(index)?)).collect()
    }

    fn receipt(
        &self,
        index: u64,
        size: u64,
        checkpoint: String,
        cose: Option<ByteBuf>,
    ) -> Result<Option<Receipt>, NodeError> {
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
    /// [`NodeError::Store`] or [`NodeError::Damaged`].
    pub fn compact_range(&self, size: u64) -> Result<Vec<Digest>, NodeError> {
        self.read(size, |tree| merkle::compact_range(size, |level, at| tree.node(level, at)))
    }

    /// How the trees of some smaller sizes grew into the newest checkpoint's. Sizes that are larger than it
    /// are left out.
    ///
    /// # Errors
    /// [`NodeError::Store`] or [`NodeError::Damaged`].
    pub fn growth(&self, old: &[u64]) -> Result<(Vec<Growth>, SignedCheckpoint), NodeError> {
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
        work: impl FnOnce(&mut Tree) -> Result<T, NodeError>,
    ) -> Result<T, NodeError> {
        let mut tree = lock(&self.reader);
        // Tiles at the edge may have grown since they were read. A receipt under an older checkpoint is
        // read from the same tiles.
        if tree.size < size {
            tree.follow(size);
        }
        work(&mut tree)
    }
}

/// A checkpoint with the cosignatures that are kept for its size.
///
/// # Errors
/// [`NodeError::Store`].
pub fn cosigned(
    store: &(impl Read + ?Sized),
    signed: SignedCheckpoint,
) -> Result<SignedCheckpoint, NodeError> {
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
/// [`NodeError::Store`].
pub fn cosignatures(
    store: &(impl Read + ?Sized),
) -> Result<Vec<(AgencyName, KeptCosignature)>, NodeError> {
    let all = store.scan(Table::Cosignatures, &[], &[], usize::MAX)?.into_iter();
    let read = all.map(|(witness, kept)| {
        let witness = std::str::from_utf8(&witness).ok().and_then(|w| w.parse().ok());
        let witness = witness.ok_or_else(|| NodeError::Damaged("a witness has no name".into()))?;
        Ok((witness, cbor::decode(&kept)?))
    });
    read.collect()
}

/// A witness's last cosignatures of the history, oldest first, each with its number.
fn past_cosignatures(
    store: &(impl Read + ?Sized),
    witness: &AgencyName,
    limit: usize,
) -> Result<Vec<(u64, PastCosignature)>, NodeError> {
    let prefix = past_key(witness, 0);
    let prefix = prefix.get(..prefix.len().saturating_sub(8)).unwrap_or_default();
    let mut found = store.scan_back(Table::Cosigned, prefix, None, limit)?;
    found.reverse();
    let read = found.into_iter().map(|(key, kept)| {
        let number = key.last_chunk::<8>().map(|number| u64::from_be_bytes(*number));
        let number = number.ok_or_else(|| NodeError::Damaged("a cosignature has no key".into()))?;
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
pub fn cosigned_row((key, value): crate::Entry) -> CosignedRow {
    match key.starts_with(STATEMENTS) {
        true => CosignedRow::Statement(value),
        false => CosignedRow::Cosignature(value),
    }
}

/// Puts an exported cosignature of the history where a node has it. Those of a witness come in their order, as numbers go up.
///
/// # Errors
/// [`NodeError::Protocol`] when it cannot be read.
pub fn put_past(number: u64, kept: &[u8], batch: &mut Batch) -> Result<(), NodeError> {
    let past: PastCosignature = cbor::decode(kept)?;
    batch.put(Table::Cosigned, past_key(&past.witness, number), kept);
    Ok(())
}

/// Puts a witness's exported statement where a node has it.
pub fn put_statement(statement: &[u8], batch: &mut Batch) {
    let key = [STATEMENTS, Digest::of(statement).as_bytes()].concat();
    batch.put(Table::Cosigned, key, statement);
}

/// The time of the newest entry; the least there is without entries.
fn newest_time(store: &dyn Store, size: u64) -> Result<i64, NodeError> {
    let Some(last) = size.checked_sub(1) else { return Ok(i64::MIN) };
    let leaf = store.get(Table::Leaves, &last.to_be_bytes())?;
    let leaf = leaf.ok_or_else(|| NodeError::Damaged(format!("entry {last} is missing")))?;
    Ok(Leaf::decode(&leaf)?.time)
}

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

/// The root that a store's tree has at the size of its newest checkpoint, and that checkpoint's note; none
/// in a ledger without entries.
///
/// # Errors
/// [`NodeError::Damaged`] when tiles are missing.
pub fn stored_tree(store: Arc<dyn Store>) -> Result<Option<(Digest, String)>, NodeError> {
    let Some(stored) = StoredCheckpoint::read(&*store)? else { return Ok(None) };
    let size = stored.checkpoint.size;
    let mut tree = Tree::new(store, size);
    let root = merkle::root(size, |level, index| tree.node(level, index))?;
    Ok(Some((root, stored.kept.note)))
}

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
    /// [`NodeError::Store`], or [`NodeError::Protocol`] when the bytes are no entry.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), NodeError> {
        let index = self.tree.size;
        self.tree.push(merkle::leaf_hash(bytes))?;
        self.batch.put(Table::Leaves, index.to_be_bytes(), bytes);
        self.batch.put(Table::Receipts, receipt_key(&Leaf::decode(bytes)?), index.to_be_bytes());
        self.write_some()
    }

    /// Puts something beside the entries.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), NodeError> {
        self.batch.put(table, key, value);
        self.write_some()
    }

    /// Puts all of a batch beside the entries.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    pub fn append(&mut self, batch: Batch) -> Result<(), NodeError> {
        self.batch.append(batch);
        self.write_some()
    }

    fn write_some(&mut self) -> Result<(), NodeError> {
        if self.batch.size() < MAX_GROUP_BYTES {
            return Ok(());
        }
        self.write()
    }

    fn write(&mut self) -> Result<(), NodeError> {
        self.tree.put_grown(&mut self.batch)?;
        self.tree.grown.clear();
        self.tree.store.write(std::mem::take(&mut self.batch))
    }

    /// Seals it with the checkpoint that came along, which must be that of the entries.
    ///
    /// # Errors
    /// [`NodeError::Damaged`] when it is not.
    pub fn finish(
        mut self,
        signed: &SignedCheckpoint,
        cose: Option<ByteBuf>,
    ) -> Result<(), NodeError> {
        let SignedCheckpoint { checkpoint, note } = signed.clone();
        let size = checkpoint.size;
        let stored = StoredCheckpoint { checkpoint, kept: KeptCheckpoint { note, cose } };
        if self.tree.size != size {
            let why = format!("it has {} entries, sealed are {size}", self.tree.size);
            return Err(NodeError::Damaged(why));
        }
        stored.check(&mut self.tree)?;
        stored.put(&mut self.batch)?;
        self.batch.put(Table::Meta, CLOSED, []);
        self.write()
    }
}

/// The key in [`Table::Meta`] of a seal that this ledger has had.
fn seal_key(seal: &Certificate) -> Vec<u8> {
    [SEALS, Digest::of(seal.der()).as_bytes()].concat()
}

/// The chains of all seals that the ledger has had.
///
/// # Errors
/// [`NodeError::Store`].
pub fn all_seals(store: &(impl Read + ?Sized)) -> Result<Vec<Vec<Certificate>>, NodeError> {
    let all = store.scan(Table::Meta, SEALS, SEALS, usize::MAX)?.into_iter();
    let chains = all.map(|(_, chain)| {
        let chain: Vec<ByteBuf> = cbor::decode(&chain)?;
        let chain = chain.iter().map(|der| Certificate::from_der(der));
        Ok(chain.collect::<Result<Vec<_>, _>>()?)
    });
    chains.collect()
}

/// Puts a seal's chain where [`all_seals`] finds it.
///
/// # Errors
/// [`NodeError::Protocol`] never in practice; the form is plain.
pub fn put_seal(chain: &[Certificate], batch: &mut Batch) -> Result<(), NodeError> {
    let Some(own) = chain.first() else { return Ok(()) };
    let chain: Vec<_> = chain.iter().map(|c| ByteBuf::from(c.der())).collect();
    batch.put(Table::Meta, seal_key(own), cbor::encode(&chain)?);
    Ok(())
}

/// Reads the index in [`Table::Receipts`].
fn read_index(value: &[u8]) -> Result<u64, NodeError> {
    let index = value.try_into().map(u64::from_be_bytes);
    index.map_err(|_| NodeError::Damaged("an entry's index cannot be read".into()))
}

/// The entries under the last tile must be there and have its hashes: with the root, that shows that tree,
/// entries and checkpoint were written together.
fn check_edge(store: &dyn Store, tree: &mut Tree) -> Result<(), NodeError> {
    let Some(last) = tree.size.checked_sub(1) else { return Ok(()) };
    let first = last / TILE_WIDTH as u64 * TILE_WIDTH as u64;
    for index in first..=last {
        let leaf = store.get(Table::Leaves, &index.to_be_bytes())?;
        if leaf.map(|leaf| merkle::leaf_hash(&leaf)) != Some(tree.node(0, index)?) {
            return Err(NodeError::Damaged(format!("entry {index} does not fit the tree")));
        }
    }
    if store.get(Table::Leaves, &tree.size.to_be_bytes())?.is_some() {
        return Err(NodeError::Damaged(format!("entry {} is not in the checkpoint", tree.size)));
    }
    Ok(())
}

fn log_key(seal: &Credential) -> Result<LogKey, NodeError> {
    let origin = Checkpoint::origin_of(seal.name().agency());
    Ok(LogKey::new(&origin, &seal.key().public_key())?)
}

/// The newest checkpoint as it is stored. Under [`NEWEST`] there are its size and root, on which the next commit
/// rests; the rest of it is in [`Table::Checkpoints`] anyway.
struct StoredCheckpoint {
    checkpoint: Checkpoint,
    kept: KeptCheckpoint,
}

/// As versions of the store before the fifth kept it under [`NEWEST`].
#[derive(Deserialize)]
struct WholeCheckpoint {
    origin: String,
    size: u64,
    root: Digest,
    note: String,
    #[serde(default)]
    cose: Option<ByteBuf>,
}

/// What is stored under [`NEWEST`] for a checkpoint.
fn newest_value(size: u64, root: &Digest) -> Vec<u8> {
    [&size.to_be_bytes()[..], root.as_bytes()].concat()
}

impl StoredCheckpoint {
    /// Reads the newest checkpoint; none in a ledger without entries.
    fn read(tables: &(impl Read + ?Sized)) -> Result<Option<Self>, NodeError> {
        let Some(newest) = tables.get(Table::Meta, NEWEST)? else { return Ok(None) };
        let fixed = newest.split_first_chunk::<8>().filter(|(_, root)| root.len() == Digest::LEN);
        let Some((size, _)) = fixed else {
            let WholeCheckpoint { origin, size, root, note, cose } = cbor::decode(&newest)?;
            let checkpoint = Checkpoint { origin, size, root };
            return Ok(Some(Self { checkpoint, kept: KeptCheckpoint { note, cose } }));
        };
        let kept = tables.get(Table::Checkpoints, size)?;
        let missing = || NodeError::Damaged("the newest checkpoint is missing".into());
        let kept: KeptCheckpoint = cbor::decode(&kept.ok_or_else(missing)?)?;
        let checkpoint = Checkpoint::read_unverified(&kept.note)?;
        if newest_value(checkpoint.size, &checkpoint.root) != newest {
            let why = "the newest checkpoint is not the one that the last commit has sealed";
            return Err(NodeError::Damaged(why.into()));
        }
        Ok(Some(Self { checkpoint, kept }))
    }

    /// Puts it as the newest. Gives what is under [`NEWEST`] then.
    fn put(&self, batch: &mut Batch) -> Result<Vec<u8>, NodeError> {
        let Checkpoint { size, root, .. } = &self.checkpoint;
        let newest = newest_value(*size, root);
        batch.put(Table::Checkpoints, size.to_be_bytes(), cbor::encode(&self.kept)?);
        batch.put(Table::Meta, NEWEST, newest.as_slice());
        Ok(newest)
    }

    /// Refuses a tree that does not give the sealed root.
    fn check(&self, tree: &mut Tree) -> Result<(), NodeError> {
        let Checkpoint { size, root, .. } = &self.checkpoint;
        if merkle::root(*size, |level, index| tree.node(level, index))? != *root {
            return Err(NodeError::Damaged(format!(
                "the tree of {size} entries does not give the root of its checkpoint"
            )));
        }
        Ok(())
    }
}

struct Writer {
    tree: Tree,
    /// What stands under [`NEWEST`], on which the next batch rests.
    kept: Option<Vec<u8>>,
    failed: watch::Sender<Option<String>>,
    no_room: watch::Sender<Option<String>>,
    continuity: Arc<Continuity>,
    seal: Arc<Mutex<Arc<Credential>>>,
    newest: Arc<Mutex<Newest>>,
    /// Told of the number of entries once they can be read.
    grows: watch::Sender<u64>,
    store: Arc<dyn Store>,
    /// How many bytes of each sender are kept, as far as it was asked for.
    stored: HashMap<AgencyName, u64>,
    /// How many commits are being made.
    expected: Arc<AtomicUsize>,
    clocks: Arc<PeerClocks>,
    /// The time of the newest entry.
    last: Arc<AtomicI64>,
}

/// A commit on its way into the batch: its reply and the places of its entries.
struct Placed {
    reply: Reply,
    leaves: Vec<(u64, Leaf, Vec<u8>)>,
}

/// The commits of one batch.
struct Group {
    commits: Vec<(Commit, Reply)>,
    leaves: usize,
    bytes: usize,
}

impl Group {
    fn of(first: (Commit, Reply)) -> Self {
        let mut group = Self { commits: Vec::new(), leaves: 0, bytes: 0 };
        group.push(first);
        group
    }

    fn push(&mut self, next: (Commit, Reply)) {
        self.bytes += next.0.batch.size();
        self.leaves += next.0.leaves.len();
        self.commits.push(next);
    }

    fn is_full(&self) -> bool {
        self.commits.len() >= MAX_GROUP
            || self.leaves >= MAX_GROUP_LEAVES
            || self.bytes >= MAX_GROUP_BYTES
    }

    /// Takes what waits in the queue, as far as there is room. Says whether anything did.
    fn fill(&mut self, queue: &mut mpsc::Receiver<(Commit, Reply)>) -> bool {
        let before = self.commits.len();
        while !self.is_full()
            && let Ok(next) = queue.try_recv()
        {
            self.push(next);
        }
        self.commits.len() > before
    }

    /// Waits for more, while many are being made and some come.
    fn gather(&mut self, queue: &mut mpsc::Receiver<(Commit, Reply)>, expected: &AtomicUsize) {
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
    fn space(&mut self, queue: &mut mpsc::Receiver<(Commit, Reply)>, written: &VecDeque<Instant>) {
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
    fn run(mut self, mut queue: mpsc::Receiver<(Commit, Reply)>) {
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
        let mut claimed = HashSet::new();
        let mut exists = Vec::new();
        for (mut commit, reply) in group {
            if commit.batch.is_conditional() {
                // It would fail all of the group: what a commit asks for stands in the commit.
                drop(reply.send(Err(NodeError::Conflict("a commit"))));
                continue;
            }
            match self.place(&mut commit, &mut claimed, &mut last) {
                Ok(Ok(leaves)) => {
                    for (sender, more) in commit.stored.drain(..) {
                        self.count(sender, more, &mut batch);
                    }
                    batch.append(std::mem::take(&mut commit.batch));
                    placed.push(Placed { reply, leaves });
                }
                Ok(Err(key)) => exists.push((reply, key)),
                Err(error) => {
                    // The tree in memory may be half grown: nothing of this group is written.
                    tracing::error!(%error, "a commit could not be placed in the tree");
                    self.tree.reset(before);
                    // What is kept of whom is counted anew from what is there.
                    self.stored.clear();
                    drop(reply.send(Err(error)));
                    let why = NodeError::Store("another commit of the group failed".into());
                    return fail_all(placed, &why);
                }
            }
        }
        if placed.is_empty() {
            return answer_exists(exists);
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
                for (reply, _) in exists.drain(..) {
                    drop(reply.send(Err(error.again())));
                }
            }
        }
        // Only now: the key may be one that this very group has made durable.
        answer_exists(exists);
    }

    /// What a write that failed means for the rest of the node. For want of room it goes on read-only, and the next write tries
    /// again: nothing of what failed is in the store, and what is in the tree is as before. After anything else it is not known
    /// what the store holds, and it takes nothing more.
    fn failed(&self, error: &NodeError) {
        match error {
            NodeError::Full(why) => {
                if self.no_room.send_replace(Some(why.clone())).is_none() {
                    tracing::error!(%error, "nothing is taken until there is room; what is here can be read");
                }
            }
            error => {
                tracing::error!(%error, "a group of commits could not be written");
                let why = match error {
                    NodeError::Store(why) => why.clone(),
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

    /// Gives a commit's entries their places, or the first key that is there although it should not be.
    #[expect(clippy::type_complexity, reason = "it is local to the writer")]
    fn place(
        &mut self,
        commit: &mut Commit,
        claimed: &mut HashSet<(Table, Vec<u8>)>,
        last: &mut i64,
    ) -> Result<Result<Vec<(u64, Leaf, Vec<u8>)>, (Table, Vec<u8>)>, NodeError> {
        for absent in &commit.absent {
            let (table, key) = absent;
            if claimed.contains(absent) || self.store.get(*table, key)?.is_some() {
                return Ok(Err(absent.clone()));
            }
        }
        claimed.extend(commit.absent.drain(..));
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
    ) -> Result<(Newest, Vec<Vec<Receipt>>), NodeError> {
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
                let proof = proof.ok_or_else(|| NodeError::Damaged("a leaf is lost".into()))?;
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

/// What a receipt carries of a checkpoint's COSE signature: with the compact range of its tree. The history keeps it
/// without, since the range follows from the entries.
fn with_range(cose: Option<ByteBuf>, range: Vec<Digest>) -> Result<Option<ByteBuf>, NodeError> {
    let Some(cose) = cose else { return Ok(None) };
    Ok(Some(Receipt::cose_with_range(&cose, range)?.into()))
}

fn fail_all(placed: Vec<Placed>, why: &NodeError) {
    for placed in placed {
        drop(placed.reply.send(Err(why.again())));
    }
}

fn answer_exists(replies: Vec<(Reply, (Table, Vec<u8>))>) {
    for (reply, (table, key)) in replies {
        drop(reply.send(Ok(Outcome::Exists(table, key))));
    }
}

#[cfg(test)]
mod tests {
    use chancery_certs::{AgencyName, Issuer, Profile, Subject};
    use chancery_crypto::{Algorithm, SigningKey};
    use chancery_protocol::{EnvelopeId, Event};

    use super::*;
    use crate::store::memory::MemoryStore;

    const NOW: i64 = 1_790_000_000;

    fn seal() -> Arc<Credential> {
        let agency: AgencyName = "a.gov.cn".parse().expect("a name");
        let root = Issuer::new_root("Root", &[], Algorithm::EdDsa, NOW).expect("a root");
        let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
        let subject = Subject::agency(Profile::Seal, agency, "A");
        let cert = root.issue(&subject, &key.public_key(), NOW).expect("a seal");
        Arc::new(Credential::new(key, vec![cert]).expect("a credential"))
    }

    fn leaf(n: u64) -> Leaf {
        let digest = Digest::of(&n.to_be_bytes());
        Leaf {
            event: Event::SubmissionAcceptance,
            envelope: EnvelopeId::from_slice(digest.as_bytes()).expect("32 bytes"),
            commitment: digest,
            counterpart: "b.gov.cn".parse().expect("a name"),
            time: began(),
            evidence: None,
        }
    }

    /// When the tests began, by the clock that the writer goes by.
    fn began() -> i64 {
        static BEGAN: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
        *BEGAN.get_or_init(crate::unix_now)
    }

    fn commit(leaves: std::ops::Range<u64>) -> Commit {
        Commit { leaves: leaves.map(leaf).collect(), ..Commit::default() }
    }

    /// The root by the definition of RFC 6962 §2.1.
    fn naive_root(hashes: &[Digest]) -> Digest {
        match hashes {
            [] => merkle::empty_root(),
            [one] => *one,
            _ => {
                let (left, right) = hashes.split_at(hashes.len().next_power_of_two() / 2);
                merkle::node_hash(&naive_root(left), &naive_root(right))
            }
        }
    }

    fn leaf_hashes(size: u64) -> Vec<Digest> {
        (0..size).map(|n| merkle::leaf_hash(&leaf(n).encode().expect("plain"))).collect()
    }

    async fn receipts(ledger: &Ledger, commit: Commit) -> Vec<Receipt> {
        match ledger.commit(commit).await.expect("commits") {
            Outcome::Committed(receipts) => receipts,
            Outcome::Exists(table, _) => panic!("it exists in {table:?}"),
        }
    }

    /// Two commits, the second still in the queue.
    fn one_of_two(patient: bool) -> (Group, mpsc::Receiver<(Commit, Reply)>) {
        let (sender, queue) = mpsc::channel(2);
        let commit = || (Commit { patient, ..commit(0..1) }, oneshot::channel().0);
        sender.try_send(commit()).expect("room");
        (Group::of(commit()), queue)
    }

    #[test]
    fn a_batch_waits_for_others_only_while_many_are_being_made() {
        for (expected, taken) in [(0, 1), (SIBLINGS, 1), (SIBLINGS + 1, 2)] {
            let (mut group, mut queue) = one_of_two(false);
            group.gather(&mut queue, &AtomicUsize::new(expected));
            assert_eq!(group.commits.len(), taken, "{expected} are being made");
        }
    }

    #[test]
    fn only_what_nobody_waits_for_keeps_a_distance_and_only_to_many_batches() {
        // In the future, so that a slow machine gives the same.
        let soon = Instant::now() + Duration::from_millis(100);
        let cases = [(true, FOLLOWING, 2), (true, FOLLOWING - 1, 1), (false, FOLLOWING, 1)];
        for (patient, batches, taken) in cases {
            let (mut group, mut queue) = one_of_two(patient);
            group.space(&mut queue, &vec![soon; batches].into());
            assert_eq!(group.commits.len(), taken, "patient: {patient}, after {batches}");
        }
        let (mut group, mut queue) = one_of_two(true);
        std::thread::sleep(2 * FOLLOWED);
        let long_ago = Instant::now().checked_sub(2 * FOLLOWED).expect("the machine runs longer");
        group.space(&mut queue, &vec![long_ago; FOLLOWING].into());
        assert_eq!(group.commits.len(), 1, "the last batches are long ago");
    }

    #[test]
    fn what_is_expected_is_so_until_it_is_over() {
        let ledger = Ledger::open(Arc::new(MemoryStore::default()), seal()).expect("opens");
        let first = ledger.expect();
        drop((ledger.expect(), first));
        assert_eq!(ledger.expected.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn commits_large_and_small_give_the_rfc_6962_root_and_true_receipts() {
        let store = Arc::new(MemoryStore::default());
        let seal = seal();
        let key = log_key(&seal).expect("a log key");
        let ledger = Ledger::open(store.clone(), seal.clone()).expect("opens");
        // More new tiles in one batch than are cached: none may be forgotten before it is written.
        let sizes = [1, 1, 254, 1, 30_000, 3, 255];
        let mut size = 0;
        let mut kept = Vec::new();
        for more in sizes {
            let given = receipts(&ledger, commit(size..size + more)).await;
            size += more;
            for receipt in given.into_iter().step_by(997) {
                let verified = receipt.verify(&key).expect("a true receipt");
                assert_eq!(verified.checkpoint.checkpoint.size, size);
                kept.push(receipt);
            }
        }
        // Made anew later, under a larger tree, a receipt is the one that was given.
        for receipt in kept {
            assert_eq!(ledger.given_receipt(receipt.index).expect("is there"), receipt);
        }
        let hashes = leaf_hashes(size);
        assert_eq!(ledger.checkpoint().checkpoint.root, naive_root(&hashes));
        ledger.close();

        // Started again, from what is stored alone.
        let ledger = Ledger::open(store, seal).expect("opens again");
        assert_eq!(ledger.checkpoint().checkpoint.size, size);
        for index in (0..size).step_by(611).chain([size - 1]) {
            let receipt = ledger.prove(index).expect("reads").expect("there is such an entry");
            assert_eq!(receipt.verify(&key).expect("holds").index, index);
        }
        assert_eq!(ledger.prove(size).expect("reads"), None);
        for old in [1, 256, 257, 30_000, size] {
            let (growths, new) = ledger.growth(&[old]).expect("reads");
            let [growth] = &growths[..] else { panic!("it was that small") };
            let old_hashes = hashes.get(..usize::try_from(old).expect("small")).expect("smaller");
            assert_eq!(growth.old_root, naive_root(old_hashes));
            let (new, root) = (new.checkpoint, &growth.old_root);
            merkle::verify_consistency((old, root), (new.size, &new.root), &growth.proof)
                .expect("holds");
        }
        assert_eq!(ledger.growth(&[size + 1]).expect("reads").0, []);
        ledger.close();
    }

    #[tokio::test]
    async fn what_cannot_be_written_leaves_no_trace_and_what_exists_is_not_doubled() {
        let store = Arc::new(MemoryStore::default());
        let ledger = Ledger::open(store.clone(), seal()).expect("opens");
        receipts(&ledger, commit(0..3)).await;
        let before = ledger.checkpoint();

        store.full.store(true, Ordering::Relaxed);
        let sender: AgencyName = "a.zj.gov.cn".parse().expect("a name");
        let keeping = || Commit { stored: vec![(sender.clone(), 100)], ..commit(3..5) };
        for _ in 0..2 {
            let failed = ledger.commit(keeping()).await.expect_err("the disk is full");
            assert_eq!(failed.code(), "CHY-4040");
            assert_eq!(ledger.checkpoint(), before);
            assert!(ledger.full().is_some_and(|why| why.contains("No space left")));
            assert_eq!(*ledger.failure().borrow(), None, "it passes: the node goes on");
            assert!(ledger.prove(2).expect("reads").is_some(), "what is there can be read");
        }
        store.full.store(false, Ordering::Relaxed);
        // Room again: it goes on as if nothing had been.
        receipts(&ledger, keeping()).await;
        assert_eq!(
            ledger.stored_of(&sender).expect("reads"),
            100,
            "what was not kept counts nothing"
        );
        assert_eq!(ledger.full(), None);
        assert_eq!(ledger.checkpoint().checkpoint.root, naive_root(&leaf_hashes(5)));

        let once = || {
            let mut commit = commit(5..6);
            commit.batch.put(Table::Envelopes, *b"id", *b"record");
            commit.absent = vec![(Table::Envelopes, b"id".to_vec())];
            commit
        };
        // Both wait at the same time: in one group or in two, one of them wins.
        let (one, two) = tokio::join!(ledger.commit(once()), ledger.commit(once()));
        let exists = [one, two].into_iter().filter(|r| matches!(r, Ok(Outcome::Exists(..))));
        let exists = exists.count();
        assert_eq!(exists, 1);
        assert_eq!(ledger.checkpoint().checkpoint.size, 6);

        ledger.close();
        let stopped = ledger.commit(commit(6..7)).await.expect_err("closed");
        assert_eq!(stopped.code(), "CHY-4006");
    }

    /// A commit of one entry that asks for these keys in [`Table::Modules`] to be absent, and sets them.
    fn asking(n: u64, keys: &[&str]) -> Commit {
        let mut commit = commit(n..n + 1);
        for key in keys {
            commit.batch.put(Table::Modules, key.as_bytes(), n.to_be_bytes());
            commit.absent.push((Table::Modules, key.as_bytes().to_vec()));
        }
        commit
    }

    #[tokio::test]
    async fn a_commit_is_written_only_if_all_that_it_asks_for_holds_and_else_says_what_does_not() {
        let exists = |key: &str| Outcome::Exists(Table::Modules, key.as_bytes().to_vec());
        let store = Arc::new(MemoryStore::default());
        let ledger = Ledger::open(store.clone(), seal()).expect("opens");
        receipts(&ledger, asking(0, &["a", "b"])).await;
        // The first key that does not hold is named, whichever it is.
        for (keys, held) in
            [(&["x", "b"][..], "b"), (&["a", "x"], "a"), (&["x", "y", "b", "a"], "b")]
        {
            let outcome = ledger.commit(asking(1, keys)).await.expect("it is no error");
            assert_eq!(outcome, exists(held), "{keys:?}");
        }
        assert_eq!(ledger.checkpoint().checkpoint.size, 1, "nothing was written");
        for key in ["x", "y"] {
            assert_eq!(store.get(Table::Modules, key.as_bytes()).expect("reads"), None);
        }
        // What was refused asks for nothing any more: its other keys are free.
        receipts(&ledger, asking(1, &["x"])).await;
        receipts(&ledger, asking(2, &["y"])).await;
    }

    #[tokio::test]
    async fn of_commits_that_share_any_key_and_come_at_once_one_is_written() {
        let store = Arc::new(MemoryStore::default());
        let ledger = Arc::new(Ledger::open(store.clone(), seal()).expect("opens"));
        for round in 0..50u64 {
            // A request with its act, another act under the same request, and another request for the same act: in one
            // group or in several.
            let keys = [["r", "p"], ["r", "q"], ["s", "p"], ["p", "r"]];
            let mut all = tokio::task::JoinSet::new();
            for (n, keys) in (0..).zip(keys) {
                let keys = keys.map(|key| format!("{key}{round}"));
                let ledger = ledger.clone();
                all.spawn(async move {
                    let keys = [keys[0].as_str(), keys[1].as_str()];
                    ledger.commit(asking(10 * round + n, &keys)).await.expect("it is no error")
                });
            }
            let outcomes = all.join_all().await;
            let done = outcomes.iter().filter(|one| matches!(one, Outcome::Committed(_))).count();
            // The second and the third share nothing with each other.
            assert!((1..=2).contains(&done), "{outcomes:?}");
            let value = |key: &str| {
                let key = format!("{key}{round}");
                store.get(Table::Modules, key.as_bytes()).expect("reads")
            };
            let by = [value("r"), value("p"), value("q"), value("s")];
            // No key is of a commit whose other key is somebody else's.
            let whole = match done {
                1 => by[0] == by[1] && by[2].is_none() && by[3].is_none(),
                _ => by[0] == by[2] && by[1] == by[3] && by[0] != by[1],
            };
            assert!(whole, "{outcomes:?}: {by:?}");
        }
    }

    #[tokio::test]
    async fn what_a_commit_asks_for_stands_in_the_commit_and_harms_no_other() {
        let ledger = Ledger::open(Arc::new(MemoryStore::default()), seal()).expect("opens");
        let mut bad = commit(0..1);
        bad.batch.require(Table::Meta, *b"x", Some(b"y".to_vec()));
        let (bad, good) = tokio::join!(ledger.commit(bad), ledger.commit(commit(1..2)));
        assert_eq!(bad.expect_err("it is refused").code(), "CHY-4015");
        assert!(matches!(good, Ok(Outcome::Committed(_))), "{good:?}");
        assert_eq!(*ledger.failure().borrow(), None, "it is no reason to stop");
    }

    /// Entries that are added while somebody follows.
    const MORE: u64 = 400;

    #[tokio::test]
    async fn whoever_follows_the_feed_is_told_of_every_entry_once_and_in_order() {
        let ledger =
            Arc::new(Ledger::open(Arc::new(MemoryStore::default()), seal()).expect("opens"));
        receipts(&ledger, commit(0..3)).await;
        let follow = |limit: usize| {
            let ledger = ledger.clone();
            let mut grown = ledger.grown();
            let first = *grown.borrow_and_update();
            tokio::spawn(async move {
                let (mut next, mut told) = (first, Vec::new());
                while told.len() < usize::try_from(MORE).expect("small") {
                    let entries = ledger.feed(next, limit).expect("reads");
                    if entries.is_empty() {
                        grown.changed().await.expect("the writer lives");
                    }
                    for (index, leaf) in entries {
                        assert_eq!(index, next, "none is left out, and none comes twice");
                        next = index + 1;
                        told.push(leaf.commitment);
                    }
                }
                told
            })
        };
        let followers = [follow(1), follow(7), follow(10_000)];
        // From several sides at once, by clocks that do not agree.
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..4 {
            let ledger = ledger.clone();
            writers.spawn(async move {
                for n in 0..MORE / 4 {
                    let number = 1000 * (writer + 1) + n;
                    let behind = i64::try_from(writer).expect("small") * 7;
                    receipts(&ledger, at(began() - behind, number)).await;
                }
            });
        }
        writers.join_all().await;
        let mut all = Vec::new();
        for follower in followers {
            let told = tokio::time::timeout(Duration::from_secs(60), follower).await;
            all.push(told.expect("nobody waits for ever").expect("ends"));
        }
        assert!(all[0] == all[1] && all[1] == all[2]);
        let distinct: HashSet<_> = all[0].iter().collect();
        assert_eq!(distinct.len(), usize::try_from(MORE).expect("small"));
        assert_eq!(ledger.feed(MORE + 3, 5).expect("reads"), [], "there is no more");
    }

    #[tokio::test]
    async fn a_store_that_fails_for_good_stops_the_node() {
        let store = Arc::new(MemoryStore::default());
        let ledger = Ledger::open(store.clone(), seal()).expect("opens");
        receipts(&ledger, commit(0..1)).await;
        store.broken.store(true, Ordering::Relaxed);
        let failed = ledger.commit(commit(1..2)).await.expect_err("the disk is broken");
        assert_eq!((failed.code(), ledger.full()), ("CHY-4004", None));
        let why = ledger.failure().borrow().clone().expect("the node is to stop");
        assert!(why.contains("Input/output error"), "{why}");
    }

    #[tokio::test]
    async fn a_tree_that_does_not_fit_its_checkpoint_is_refused() {
        let store = Arc::new(MemoryStore::default());
        let seal = seal();
        let ledger = Ledger::open(store.clone(), seal.clone()).expect("opens");
        receipts(&ledger, commit(0..300)).await;
        ledger.close();
        // A hash in a tile, and an entry whose hash is in no stored tile yet.
        for (table, key) in
            [(Table::Tiles, tile_key(1, 0)), (Table::Leaves, 299u64.to_be_bytes().to_vec())]
        {
            let true_one = store.get(table, &key).expect("reads").expect("it is there");
            let mut bent = true_one.clone();
            if let Some(byte) = bent.first_mut() {
                *byte ^= 1;
            }
            for (value, fits) in [(Some(bent), false), (None, false), (Some(true_one), true)] {
                let mut batch = Batch::default();
                match value {
                    Some(value) => batch.put(table, key.clone(), value),
                    None => batch.delete(table, key.clone()),
                }
                store.write(batch).expect("writes");
                match Ledger::open(store.clone(), seal.clone()) {
                    Ok(ledger) => ledger.close(),
                    Err(error) => assert_eq!(error.code(), "CHY-4005"),
                }
                assert_eq!(Ledger::open(store.clone(), seal.clone()).is_ok(), fits);
            }
        }
    }

    fn at(time: i64, n: u64) -> Commit {
        Commit { leaves: vec![Leaf { time, ..leaf(n) }], ..Commit::default() }
    }

    fn times(ledger: &Ledger) -> Vec<i64> {
        let leaves = ledger.leaves(0, 100).expect("reads");
        leaves.iter().map(|leaf| Leaf::decode(leaf).expect("a leaf").time).collect()
    }

    #[tokio::test]
    async fn what_others_did_is_not_recorded_while_the_ledger_is_ahead_of_the_clock() {
        let ledger = Ledger::open(Arc::new(MemoryStore::default()), seal()).expect("opens");
        receipts(&ledger, at(crate::unix_now() + 30, 0)).await;
        ledger.check_clock_for_others().expect("less than a minute");
        receipts(&ledger, at(crate::unix_now() + 10_800, 1)).await;
        ledger.check_clock().expect("it goes on");
        let refused = ledger.check_clock_for_others().expect_err("three hours ahead");
        assert_eq!(refused.code(), "CHY-4030");
        assert!(ledger.ahead(Moment::now()) > 10_000);
    }

    #[tokio::test]
    async fn entry_times_never_decrease_also_within_a_commit_and_after_a_restart() {
        let (store, seal) = (Arc::new(MemoryStore::default()), seal());
        let now = began();
        let ledger = Ledger::open(store.clone(), seal.clone()).expect("opens");
        assert_eq!(ledger.newest_time(), None);
        receipts(&ledger, at(now + 40, 0)).await;
        receipts(&ledger, at(now - 5000, 1)).await;
        let both = [(now + 41, 2), (now, 3)];
        let leaves = both.map(|(time, n)| Leaf { time, ..leaf(n) }).into();
        let given = receipts(&ledger, Commit { leaves, ..Commit::default() }).await;
        // The receipt is of the entry as it stands there.
        let last = Leaf::decode(&given.last().expect("two").leaf).expect("a leaf");
        assert_eq!(last.time, now + 41);
        ledger.close();
        let ledger = Ledger::open(store, seal).expect("opens again");
        assert_eq!(ledger.newest_time(), Some(now + 41));
        receipts(&ledger, at(now - 9, 4)).await;
        assert_eq!(times(&ledger), [now + 40, now + 40, now + 41, now + 41, now + 41]);
    }

    #[tokio::test]
    async fn an_old_ledger_whose_times_decrease_is_opened_and_goes_on_from_its_last() {
        let store = Arc::new(MemoryStore::default());
        let mut builder = LedgerBuilder::new(store.clone());
        let (now, seal) = (began(), seal());
        let mut range = merkle::CompactRange::default();
        for (n, time) in [(0, now - 10), (1, now - 8000), (2, now - 7000)] {
            let bytes = Leaf { time, ..leaf(n) }.encode().expect("plain");
            range.push(merkle::leaf_hash(&bytes));
            builder.push(&bytes).expect("writes");
        }
        let origin = Checkpoint::origin_of(seal.name().agency());
        let checkpoint = Checkpoint { origin, size: 3, root: range.root() };
        let note = checkpoint.sign(&seal).expect("signs");
        builder.finish(&SignedCheckpoint { checkpoint, note }, None).expect("writes");
        let ledger = Ledger::open(store, seal).expect("opens");
        receipts(&ledger, at(now - 7500, 3)).await;
        assert_eq!(times(&ledger).last(), Some(&(now - 7000)));
    }

    #[tokio::test]
    async fn no_entry_is_sealed_while_the_clock_is_known_to_be_wrong_and_all_else_is_written() {
        let ledger = Ledger::open(Arc::new(MemoryStore::default()), seal()).expect("opens");
        let names = ["x.cn", "y.cn"].map(|name| name.parse::<AgencyName>().expect("a name"));
        let set = |ahead: i64| {
            let now = Moment::now();
            names.iter().for_each(|name| ledger.clocks().heard(name, now.wall - ahead, now));
        };
        set(7200);
        let before = ledger.checkpoint();
        let refused = ledger.commit(commit(0..1)).await.expect_err("two hours ahead of both");
        assert_eq!((refused.code(), ledger.checkpoint()), ("CHY-4030", before));
        assert!(ledger.check_clock().is_err());
        assert_eq!(*ledger.failure().borrow(), None, "it is no reason to stop");
        let mut plain = Commit::default();
        plain.batch.put(Table::Meta, *b"x", *b"y");
        ledger.commit(plain).await.expect("it makes no entry");
        set(0);
        receipts(&ledger, commit(0..1)).await;
    }

    #[test]
    fn a_ledger_that_is_more_than_a_day_ahead_of_the_clock_waits() {
        let (clocks, now) = (PeerClocks::default(), Moment::now());
        let fits = |newest| fit_clock(&clocks, now, newest);
        assert_eq!(fits(i64::MIN), Ok(()));
        assert_eq!(fits(now.wall + MAX_AHEAD), Ok(()));
        let newest = now.wall + MAX_AHEAD + 1;
        assert_eq!(fits(newest), Err(WrongClock::Ledger { own: now.wall, newest }));
    }

    #[test]
    fn cosignatures_are_kept_ten_minutes_apart_and_at_both_ends_of_a_quiet_time() {
        let ledger = Ledger::open(Arc::new(MemoryStore::default()), seal()).expect("opens");
        let witness: AgencyName = "w.cn".parse().expect("a name");
        let add = |size: u64, time: i64| {
            let statement = ByteBuf::from(b"statement".to_vec());
            let kept = KeptCosignature { note: String::new(), line: time.to_string(), statement };
            ledger.add_cosignature(&witness, &kept, size, time).expect("writes");
        };
        let kept = || {
            let all = past_cosignatures(&*ledger.store, &witness, usize::MAX).expect("reads");
            all.into_iter().map(|(_, past)| (past.size, past.time)).collect::<Vec<_>>()
        };
        // A day of activity, a cosignature every ten seconds.
        (0..8640).for_each(|n: u64| add(n, 10 * i64::try_from(n).expect("small")));
        let busy = kept();
        assert!(busy.len() <= 2 * 144 + 2, "{}", busy.len());
        assert!(busy.windows(2).all(|two| two[1].1 - two[0].1 <= COSIGN_AGAIN), "{busy:?}");
        // A quiet day after it.
        (1..=144).for_each(|n| add(8639, 86_390 + n * COSIGN_AGAIN));
        let quiet = kept();
        let of_last: Vec<_> = quiet.iter().filter(|(size, _)| *size == 8639).collect();
        assert_eq!(of_last, [&(8639, 86_390), &(8639, 86_390 + 144 * COSIGN_AGAIN)]);
        // The last of the quiet time stays when it grows again at once.
        add(8640, 86_400 + 144 * COSIGN_AGAIN);
        assert!(kept().contains(&(8639, 86_390 + 144 * COSIGN_AGAIN)));
        let rows = ledger.store.scan(Table::Cosigned, &[], &[], usize::MAX).expect("reads");
        let statements = rows.into_iter().map(cosigned_row);
        let statements = statements.filter(|row| matches!(row, CosignedRow::Statement(_)));
        assert_eq!(statements.count(), 1, "one statement is kept once");
    }
}
