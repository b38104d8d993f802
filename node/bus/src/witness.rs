//! Witnessing: this node watches the ledgers of its peers grow, cosigns what it found consistent, and
//! keeps the proof when one was forked. Peers do the same for this node's ledger.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use chancery_certs::{AgencyName, Certificate, MAX_DIRECTORY, Scrutiny};

use chancery_crypto::{Algorithm, Digest, SigningKey, cbor};

use chancery_protocol::{
    CLOCK_TOLERANCE, COSIGN_AGAIN, CheckpointFault, Consistency, Evidence, ForkProof, Growth,
    LedgerSeal, LogKey, MessageFault, OpenedRoot, PeerMessage, ProtocolError, SealedNote,
    SignedCheckpoint, Validation, VerifiedReceipt, WitnessKey, WitnessStatement, decode_frame,
    encode_frame, may_cosign, merkle,
};

use quinn::{Connection, RecvStream, SendStream};

use serde_bytes::ByteBuf;

use tokio::{sync::Semaphore, task::JoinSet};

use zeroize::Zeroizing;

use crate::{
    Bus, NodeError,
    directory::Peer,
    endpoint::write,
    frames::{FrameBudget, FrameKind, read_frame},
};
use chancery_ledger::{
    KeptCosignature,
    clock::{Moment, PROMPT},
    fork_key, proven_key, split_key, unix_now, waiting_key, wrong_key,
};
use chancery_store::{
    Batch, Blocking, Read, Table, blocking,
    files::{check_private, read_file, sync_directory, write_new, write_private},
    in_place,
};

/// The most checkpoints of one peer that wait to be proved consistent. Beyond, a new one is not followed up:
/// the receipt that brought it is kept with its evidence, where an audit finds it.
const MAX_WAITING: usize = 64;

/// The most fork proofs that are kept of one peer: one says it all, and a peer must not fill the disk.
const MAX_FORKS: usize = 64;

/// Peers whose last sealed root is remembered.
const MAX_OPENED: usize = 1024;

/// For how many seconds a seal whose path was validated is taken for valid.
const SEAL_VALID: i64 = 60;

/// The most peers that are being asked at once.
const MAX_ASKED: usize = 256;

/// The most directories that are arriving at once: reading one takes several times its size.
const MAX_DOWNLOADS: usize = 1;

/// For how long a peer whose directory could not be used is not asked for another.
const AVOIDED: Duration = Duration::from_secs(600);

/// How long a peer may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is known of a peer's ledger.
#[derive(Debug, Clone, Default)]
pub struct PeerLedger {
    /// The newest checkpoint that was proved consistent with all before it.
    proven: Option<Known>,
    /// Checkpoints seen in receipts, by size, that are still to be proved consistent with it.
    waiting: BTreeMap<u64, Known>,
    /// What was found when it was asked for last.
    look: Option<Look>,
}

/// What a look at a peer's ledger showed.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// When it was asked for.
    at: i64,
    /// How large it was.
    size: u64,
    /// When it was asked for last and was smaller.
    smaller: Option<i64>,
    /// When it was cosigned at this size.
    cosigned: Option<i64>,
    /// Whether it was said that it is not.
    said: bool,
}

impl Look {
    /// The next look, which shows another size or the same.
    fn next(before: Option<Self>, at: i64, size: u64) -> Self {
        match before {
            Some(before) if before.size == size => Self { at, ..before },
            before => Self {
                at,
                size,
                smaller: before.map(|before| before.at),
                cosigned: None,
                said: false,
            },
        }
    }

    /// Whether the ledger is to be cosigned: it has grown, or has been quiet for ten minutes.
    fn is_due(&self, now: i64) -> bool {
        let since = |last: i64| now.saturating_sub(last);
        self.size > 0 && self.cosigned.is_none_or(|last| !(0..COSIGN_AGAIN).contains(&since(last)))
    }
}

#[derive(Debug, Clone)]
struct Known {
    signed: SignedCheckpoint,
    sealed: SealedNote,
}

impl PeerLedger {
    /// Reads what the store holds. Notes are our own records: their signatures were verified when they came.
    fn load(store: &(impl Read + ?Sized), peer: &AgencyName) -> Result<Self, NodeError> {
        let read = |bytes: &[u8]| {
            let sealed: SealedNote = cbor::decode(bytes)?;
            let checkpoint = chancery_protocol::Checkpoint::read_unverified(&sealed.note)?;
            let signed = SignedCheckpoint { checkpoint, note: sealed.note.clone() };
            Ok::<_, NodeError>(Known { signed, sealed })
        };
        let proven = store.get(Table::Peers, &proven_key(peer))?;
        let mut known =
            Self { proven: proven.as_deref().map(read).transpose()?, ..Self::default() };
        let prefix = [peer.as_str().as_bytes(), &[1]].concat();
        for (_, bytes) in store.scan(Table::Peers, &prefix, &prefix, MAX_WAITING)? {
            let waiting = read(&bytes)?;
            known.waiting.insert(waiting.signed.checkpoint.size, waiting);
        }
        Ok(known)
    }

    /// The checkpoint of a size that is known.
    fn of_size(&self, size: u64) -> Option<&Known> {
        let proven = self.proven.as_ref().filter(|k| k.signed.checkpoint.size == size);
        proven.or_else(|| self.waiting.get(&size))
    }

    fn all(&self) -> impl Iterator<Item = &Known> {
        self.proven.iter().chain(self.waiting.values())
    }
}

/// The sealed root of each peer that was opened last, with the seal by which it was. The receipts of one batch come one
/// after the other under one root, whose signatures are verified once; so is the path of a seal, for a while.
#[derive(Debug, Default)]
pub struct OpenedRoots(Mutex<HashMap<Vec<u8>, Opened>>);

#[derive(Debug, Clone)]
struct Opened {
    seal: LedgerSeal,
    /// When the seal's path was validated, and by which directory's revocation lists.
    since: i64,
    directory: u64,
    root: Option<OpenedRoot>,
}

impl OpenedRoots {
    /// Judges a peer's receipt as an auditor will, under the seal that the directory names.
    ///
    /// # Errors
    /// [`ProtocolError`], saying what does not hold.
    pub fn judge(
        &self,
        bus: &Bus,
        evidence: &Evidence,
        peer: &Peer,
    ) -> Result<VerifiedReceipt, ProtocolError> {
        let (now, directory) = (unix_now(), bus.directory_version());
        // A renewed seal has another certificate: nothing that the old one signed is taken for it.
        let key = peer.seal_chain.first().map(|seal| seal.der().to_vec()).unwrap_or_default();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let valid = known.filter(|known| {
            known.directory == directory && (0..SEAL_VALID).contains(&(now - known.since))
        });
        let mut opened = match valid {
            Some(known) => known,
            None => {
                let crls = bus.crls();
                let by = Validation { crls: &crls, ..Validation::new(&bus.identity.trust, now) };
                let seal = match LedgerSeal::judge(&peer.seal_chain, &by)? {
                    // Lists that do not cover it, or are out of date, leave it open for an auditor; delivery goes on.
                    seal if seal.is_open() => {
                        let by = Validation::new(&bus.identity.trust, now);
                        LedgerSeal::judge(&peer.seal_chain, &by)?
                    }
                    seal => seal,
                };
                Opened { seal, since: now, directory, root: None }
            }
        };
        let root = match opened.root.take().filter(|root| root.is_of(&evidence.receipt)) {
            Some(root) => root,
            None => OpenedRoot::open(&evidence.receipt, opened.seal.key())?,
        };
        opened.root = Some(root.clone());
        let verified = evidence.judge(&opened.seal, root, now);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_OPENED {
            all.clear();
        }
        all.insert(key, opened);
        verified
    }
}

/// What is known of all peers' ledgers, read from the store when it is first asked for.
pub type PeerLedgers = HashMap<AgencyName, PeerLedger>;

fn ledger_of<'a>(
    bus: &Bus,
    ledgers: &'a mut PeerLedgers,
    peer: &AgencyName,
) -> Result<&'a mut PeerLedger, NodeError> {
    if !ledgers.contains_key(peer) {
        ledgers.insert(
            peer.clone(),
            bus.store.briefly(|here| PeerLedger::load(bus.store.on(here), peer))?,
        );
    }
    Ok(ledgers.entry(peer.clone()).or_default())
}

/// The peers of whose ledgers something is known, at most so many.
///
/// # Errors
/// [`NodeError::Store`].
pub fn known_peers(
    store: &(impl Read + ?Sized),
    limit: usize,
) -> Result<Vec<AgencyName>, NodeError> {
    peers_in(store, Table::Peers, limit)
}

/// The peers whose ledgers were proved forked, at most so many.
///
/// # Errors
/// [`NodeError::Store`].
pub fn forked_peers(
    store: &(impl Read + ?Sized),
    limit: usize,
) -> Result<Vec<AgencyName>, NodeError> {
    peers_in(store, Table::Forks, limit)
}

/// The peers in a table whose keys begin with their names.
fn peers_in(
    store: &(impl Read + ?Sized),
    table: Table,
    limit: usize,
) -> Result<Vec<AgencyName>, NodeError> {
    let (mut names, mut from) = (Vec::new(), Vec::new());
    while names.len() < limit
        && let Some((key, _)) = store.scan(table, &from, &[], 1)?.pop()
    {
        let (name, _) = split_key(&key).ok_or_else(wrong_key)?;
        // Behind all of its keys.
        from = [name.as_str().as_bytes(), &[2]].concat();
        names.push(name);
    }
    Ok(names)
}

/// How large a peer's ledger was seen to be: by a proof, or by a receipt.
///
/// # Errors
/// [`NodeError::Store`].
pub fn seen_size(bus: &Bus, peer: &AgencyName) -> Result<Option<u64>, NodeError> {
    let mut ledgers = bus.seen.lock().unwrap_or_else(PoisonError::into_inner);
    let known = ledger_of(bus, &mut ledgers, peer)?;
    Ok(known.all().map(|known| known.signed.checkpoint.size).max())
}

/// The newest checkpoint of a peer's ledger that was seen, for that peer.
///
/// # Errors
/// [`NodeError::Store`].
pub fn newest_seen(bus: &Bus, peer: &AgencyName) -> Result<Option<SealedNote>, NodeError> {
    let mut ledgers = bus.seen.lock().unwrap_or_else(PoisonError::into_inner);
    let known = ledger_of(bus, &mut ledgers, peer)?;
    let newest = known.all().max_by_key(|known| known.signed.checkpoint.size);
    let Some(newest) = newest.map(|known| known.sealed.clone()) else { return Ok(None) };
    Ok(match bus.directory().and_then(|directory| directory.peer(peer)) {
        Ok(entry) => Some(with_chain(newest, &entry.seal_chain)),
        Err(_) => Some(newest).filter(|newest| !newest.chain.is_empty()),
    })
}

/// Looks at a verified checkpoint that came with a receipt. Two roots of one size are a fork, at once; any
/// other size waits until the peer has shown how its ledger grew, unless the receipt is not `fit` to be taken. Puts what is to
/// be kept into `batch`.
///
/// # Errors
/// [`NodeError::Forked`]; the proof is kept then. Else why it is not fit.
pub fn remember(
    bus: &Bus,
    peer: &AgencyName,
    chain: &[Certificate],
    new: &SignedCheckpoint,
    fit: Result<(), NodeError>,
    batch: &mut Batch,
) -> Result<(), NodeError> {
    let mut ledgers = bus.seen.lock().unwrap_or_else(PoisonError::into_inner);
    let known = ledger_of(bus, &mut ledgers, peer)?;
    let size = new.checkpoint.size;
    if let Some(old) = known.of_size(size) {
        if old.signed.checkpoint.root == new.checkpoint.root {
            return fit;
        }
        let first = old.sealed.clone();
        let proof = ForkProof::of_one_size(peer.clone(), with_chain(first, chain), new, chain);
        return Err(in_place(|here| forked(here, bus, peer, &proof)));
    }
    fit?;
    if known.waiting.len() >= MAX_WAITING {
        return Ok(());
    }
    let sealed = SealedNote::new(&new.note, chain);
    batch.put(Table::Peers, waiting_key(peer, size), cbor::encode(&sealed)?);
    known.waiting.insert(size, Known { signed: new.clone(), sealed });
    Ok(())
}

/// Notes kept by the first version have no chain; theirs was the one in the directory.
fn with_chain(note: SealedNote, chain: &[Certificate]) -> SealedNote {
    match note.chain.is_empty() {
        true => SealedNote::new(&note.note, chain),
        false => note,
    }
}

/// Keeps the proof of a fork, in the store and as a file, and says so.
fn forked(here: &Blocking, bus: &Bus, peer: &AgencyName, proof: &ForkProof) -> NodeError {
    let size = proof.growth.old_size;
    let prefix = [peer.as_str().as_bytes(), &[0]].concat();
    let key = fork_key(proof);
    let keep = || {
        let kept = bus.store.on(here).scan(Table::Forks, &prefix, &prefix, MAX_FORKS)?;
        if kept.len() == MAX_FORKS || kept.iter().any(|(held, _)| *held == key) {
            return Ok(None);
        }
        let bytes = proof.encode()?;
        let folder = bus.config.files.data.join("forks");
        std::fs::create_dir_all(&folder).map_err(NodeError::file(&folder))?;
        let file = folder.join(format!("{peer}-{size}.fork"));
        if !file.exists() {
            write_new(&file, &bytes)?;
            sync_directory(&folder)?;
        }
        let mut batch = Batch::default();
        batch.put(Table::Forks, key.clone(), bytes);
        bus.store.on(here).write(batch)?;
        Ok::<_, NodeError>(Some(file))
    };
    match keep() {
        Ok(Some(file)) => tracing::error!(
            %peer, size, proof = %file.display(),
            "the peer has sealed two different histories of its ledger; the proof is kept"
        ),
        // It was said, and proved, before.
        Ok(None) => {}
        Err(error) => {
            tracing::error!(%peer, size, %error, "a fork was found, and its proof not kept");
        }
    }
    NodeError::Forked(peer.clone())
}

/// The key that this node cosigns with, and the statement that says so.
pub struct Witness {
    key: SigningKey,
    public: WitnessKey,
    statement: RwLock<Vec<u8>>,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Witness({})", self.public.name())
    }
}

impl Witness {
    /// Reads the key from a file, or makes one there.
    pub fn open(path: &Path, seal: &chancery_certs::Credential) -> Result<Self, NodeError> {
        let key = if path.exists() {
            check_private(path)?;
            let bytes = Zeroizing::new(read_file(path)?);
            let wrong =
                || NodeError::Config { path: path.to_owned(), why: "it is no PEM text".into() };
            SigningKey::from_pem(std::str::from_utf8(&bytes).map_err(|_| wrong())?, None)?
        } else {
            let key = SigningKey::generate(Algorithm::EdDsa)?;
            write_private(path, key.to_pem(None)?.as_bytes())?;
            key
        };
        let public = WitnessKey::new(seal.name().agency(), &key.public_key())?;
        let statement = WitnessStatement::seal(&key.public_key(), seal, unix_now())?;
        Ok(Self { key, public, statement: RwLock::new(statement) })
    }

    /// Has a new seal say whose the key is.
    ///
    /// # Errors
    /// [`NodeError::Protocol`] when it cannot sign.
    pub fn renew(&self, seal: &chancery_certs::Credential) -> Result<(), NodeError> {
        let statement = WitnessStatement::seal(&self.key.public_key(), seal, unix_now())?;
        *self.statement.write().unwrap_or_else(PoisonError::into_inner) = statement;
        Ok(())
    }

    fn statement(&self) -> ByteBuf {
        self.statement.read().unwrap_or_else(PoisonError::into_inner).clone().into()
    }
}

/// Asks every connected peer, now and then, how its ledger grew.
pub async fn watch(bus: Arc<Bus>) {
    let pause = Duration::from_secs(u64::from(bus.config.limits.witness_seconds));
    let mut ticks = tokio::time::interval(pause);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stop = bus.stop.subscribe();
    let downloads = Arc::new(Semaphore::new(MAX_DOWNLOADS));
    // Each peer is asked by itself: one that does not answer keeps nobody waiting.
    let mut asking: JoinSet<Used> = JoinSet::new();
    let mut asked: HashMap<tokio::task::Id, AgencyName> = HashMap::new();
    let mut bad: HashMap<AgencyName, Instant> = HashMap::new();
    // Peers that hold another directory of a version that is held here. That is known, and said; what they hold next is
    // wanted all the same, as it may be what ends the contradiction.
    let mut contradicts: HashMap<AgencyName, u64> = HashMap::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            Some(done) = asking.join_next_with_id(), if !asking.is_empty() => {
                let (task, used) = done.unwrap_or_else(|error| {
                    tracing::error!(%error, "asking a peer ended badly");
                    (error.id(), Used::Yes)
                });
                match (asked.remove(&task), used) {
                    (Some(peer), Used::No) => drop(bad.insert(peer, Instant::now())),
                    (Some(peer), Used::Contradicts(version)) => {
                        contradicts.insert(peer, version);
                    }
                    _ => {}
                }
                continue;
            }
            _ = stop.wait_for(|stop| *stop) => break,
        }
        bad.retain(|_, since| since.elapsed() < AVOIDED);
        for peer in bus.connections.peers() {
            let Some(connection) = bus.connections.get(&peer) else { continue };
            if asked.len() >= MAX_ASKED || asked.values().any(|one| *one == peer) {
                continue;
            }
            let downloads = (!bad.contains_key(&peer)).then(|| downloads.clone());
            let known = contradicts.get(&peer).copied();
            let task =
                asking.spawn(ask_all(bus.clone(), peer.clone(), connection, downloads, known));
            asked.insert(task.id(), peer);
        }
    }
    asking.shutdown().await;
}

/// Whether a peer's directory, if it had one, could be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Used {
    Yes,
    No,
    /// It is another of a version that is held here.
    Contradicts(u64),
}

/// Asks one peer for its directory, if it is to be asked, and how its ledger grew. It is known which version of its
/// directory is another than the one of that version that is held here.
async fn ask_all(
    bus: Arc<Bus>,
    peer: AgencyName,
    connection: Connection,
    downloads: Option<Arc<Semaphore>>,
    contradicts: Option<u64>,
) -> Used {
    let mut used = Used::Yes;
    if let Some(downloads) = downloads
        && let Err(error) = ask_directory(&bus, &peer, &connection, &downloads, contradicts).await
    {
        used = match error {
            NodeError::TwoDirectories { version } => Used::Contradicts(version),
            _ => Used::No,
        };
        tracing::warn!(%peer, %error, code = error.code(), "its directory is not used");
    }
    match tokio::time::timeout(PATIENCE, ask(&bus, &peer, &connection)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%peer, %error, code = error.code(), "not witnessed"),
        Err(_) => tracing::warn!(%peer, "not witnessed: it fell silent"),
    }
    used
}

/// Asks a peer for a newer directory than the one held: it spreads along the connections there are.
async fn ask_directory(
    bus: &Arc<Bus>,
    peer: &AgencyName,
    connection: &Connection,
    downloads: &Semaphore,
    contradicts: Option<u64>,
) -> Result<(), NodeError> {
    let lost = |e: quinn::ConnectionError| NodeError::Network {
        peer: peer.to_string(),
        why: e.to_string(),
    };
    let held = bus.directory_digest();
    let (version, digest) = held.map_or((0, None), |(version, digest)| (version, Some(digest)));
    // The one that it has of this version was here, and is kept as a proof: only a newer one is asked for.
    let digest = digest.filter(|_| contradicts != Some(version));
    let silent = |_| NodeError::Network { peer: peer.to_string(), why: "it fell silent".into() };
    let question = async {
        let (mut send, mut recv) = connection.open_bi().await.map_err(lost)?;
        let asked = PeerMessage::AskDirectory { version, digest };
        write(&mut send, &encode_frame(&asked)?, peer).await?;
        // It only fails when the peer has gone, and then it is asked again.
        drop(send.finish());
        let budget = bus.frames.of(peer);
        let (body, _) = read_frame(&mut recv, peer, FrameKind::Directory, &budget).await?;
        Ok::<_, NodeError>((body, recv))
    };
    let (body, mut recv) = tokio::time::timeout(PATIENCE, question).await.map_err(silent)??;
    let PeerMessage::Directory { size } = decode_frame(&body)? else {
        return Err(unexpected());
    };
    let Some(size) = size else { return Ok(()) };
    let size = usize::try_from(size).ok().filter(|size| *size <= MAX_DIRECTORY);
    let size = size.ok_or_else(|| NodeError::Network {
        peer: peer.to_string(),
        why: "its directory is larger than any may be".into(),
    })?;
    // There are few such in memory at once, and each grows with what has arrived. Whoever finds no place asks again: the wait
    // for one that is slow is nobody else's silence.
    let Ok(_place) = downloads.try_acquire() else { return Ok(()) };
    if bus.directory_version() > version {
        // Another peer has brought one meanwhile.
        return Ok(());
    }
    let directory = tokio::time::timeout(PATIENCE, recv.read_to_end(size)).await.map_err(silent)?;
    let directory =
        directory.map_err(|e| NodeError::Network { peer: peer.to_string(), why: e.to_string() })?;
    let work = bus.clone();
    blocking(move |here| work.install_directory(here, &directory)).await.map(drop)
}

/// Asks a peer now how its ledger grew since what is known of it.
///
/// # Errors
/// [`NodeError`], when it is not what it was, or does not answer.
pub async fn confirm(
    bus: &Arc<Bus>,
    peer: &AgencyName,
    connection: &Connection,
) -> Result<(), NodeError> {
    let silent = |_| NodeError::Network { peer: peer.to_string(), why: "it fell silent".into() };
    tokio::time::timeout(PATIENCE, ask(bus, peer, connection)).await.map_err(silent)?
}

/// Asks a peer how its ledger grew since what is known of it, and cosigns what it finds consistent.
async fn ask(bus: &Arc<Bus>, peer: &AgencyName, connection: &Connection) -> Result<(), NodeError> {
    let known = {
        let mut ledgers = bus.seen.lock().unwrap_or_else(PoisonError::into_inner);
        ledger_of(bus, &mut ledgers, peer)?.clone()
    };
    let sizes = known.all().map(|k| k.signed.checkpoint.size).collect();
    let lost = |e: quinn::ConnectionError| NodeError::Network {
        peer: peer.to_string(),
        why: e.to_string(),
    };
    let (mut send, mut recv) = connection.open_bi().await.map_err(lost)?;
    let asked = Moment::now();
    let question = PeerMessage::AskGrowth { now: Some(asked.wall), sizes };
    write(&mut send, &encode_frame(&question)?, peer).await?;
    let budget = bus.frames.of(peer);
    let (body, _permit) = read_frame(&mut recv, peer, FrameKind::Growth, &budget).await?;
    let PeerMessage::Growth { now: theirs, note, newest, growths, range } = decode_frame(&body)?
    else {
        return Err(unexpected());
    };
    if let Some(theirs) = theirs.filter(|_| asked.steady.elapsed() < PROMPT) {
        bus.clocks.heard(peer, theirs, Moment::now());
    }
    let chain = bus.directory()?.peer(peer)?.seal_chain.clone();
    let answer = Answer { asked: asked.wall, note, range, growths, newest, theirs };
    let (work, peer_) = (bus.clone(), peer.clone());
    let line = blocking(move |here| judge(here, &work, &peer_, &chain, &known, &answer)).await?;
    if let Some(line) = line {
        let statement = bus.witness.statement();
        write(&mut send, &encode_frame(&PeerMessage::Cosignature { line, statement })?, peer)
            .await?;
    }
    // It only fails when the peer has gone, and then it is asked again.
    drop(send.finish());
    Ok(())
}

/// What a peer has answered.
struct Answer {
    /// When it was asked, by this clock.
    asked: i64,
    note: String,
    /// The compact range of the note's tree.
    range: Option<Vec<Digest>>,
    growths: Vec<Growth>,
    /// The time of its newest entry, as it says.
    newest: Option<i64>,
    /// What its clock says.
    theirs: Option<i64>,
}

fn unexpected() -> NodeError {
    ProtocolError::from(MessageFault::NotTheAnswer).into()
}

/// Judges a peer's answer. Gives the cosignature of its newest checkpoint if that is due, consistent with all that is known,
/// and its times fit this clock.
fn judge(
    here: &Blocking,
    bus: &Bus,
    peer: &AgencyName,
    chain: &[Certificate],
    known: &PeerLedger,
    answer: &Answer,
) -> Result<Option<String>, NodeError> {
    let seal = chain.first().ok_or_else(unexpected)?;
    let new = SignedCheckpoint::open(&answer.note, &LogKey::of_seal(seal)?)?;
    let size = new.checkpoint.size;
    if let Some(range) = &answer.range {
        merkle::verify_range(size, range, &new.checkpoint.root)?;
    }
    for old in known.all() {
        let old_size = old.signed.checkpoint.size;
        if old_size > size {
            tracing::error!(%peer, size, sealed = old_size, "the peer's ledger was rolled back");
            bus.metrics.rolled_back();
            let fault = CheckpointFault::RolledBack { size, sealed: old_size };
            return Err(ProtocolError::from(fault).into());
        }
        let growth = answer.growths.iter().find(|g| g.old_size == old_size);
        let growth = growth.ok_or_else(unexpected)?;
        if growth.judge(&old.signed, &new)? == Consistency::Forked {
            let first = with_chain(old.sealed.clone(), chain);
            let second = SealedNote::new(&new.note, chain);
            let proof = ForkProof::new(peer.clone(), first, second, growth.clone());
            return Err(forked(here, bus, peer, &proof));
        }
    }
    let known_size = known.proven.as_ref().map(|proven| proven.signed.checkpoint.size);
    if size > 0 && known_size != Some(size) {
        let sealed = SealedNote::new(&new.note, chain);
        let mut batch = Batch::default();
        batch.put(Table::Peers, proven_key(peer), cbor::encode(&sealed)?);
        for waiting in known.waiting.keys() {
            batch.delete(Table::Peers, waiting_key(peer, *waiting));
        }
        // Durable before a cosignature leaves: a witness that forgets could be shown another history.
        bus.store.on(here).write(batch)?;
        let mut ledgers = bus.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let ledger = ledger_of(bus, &mut ledgers, peer)?;
        ledger.waiting.retain(|size, _| !known.waiting.contains_key(size));
        ledger.proven = Some(Known { signed: new.clone(), sealed });
    }
    let now = unix_now();
    let mut look = Look::next(known.look, answer.asked, size);
    let mut line = None;
    if look.is_due(now) {
        let fit = may_cosign(answer.newest, answer.theirs, look.smaller, now);
        match (bus.clocks.check(Moment::now()), fit) {
            // After a restore, what is remembered of others is as old as the rest.
            _ if !bus.ledger.continuity().is_open() => {
                tracing::debug!(%peer, size, "not cosigned: it is not known whether this is the newest ledger");
            }
            (Ok(()), Ok(())) => {
                line = Some(bus.witness.public.cosign(&new, &bus.witness.key, now)?);
                (look.cosigned, look.said) = (Some(now), false);
                tracing::info!(%peer, size, "cosigned the peer's ledger");
            }
            (Err(_), _) => tracing::debug!(%peer, size, "not cosigned: this clock is wrong"),
            (_, Err(unfit)) => {
                bus.metrics.unfit("ledger");
                if !std::mem::replace(&mut look.said, true) {
                    tracing::warn!(%peer, size, ?unfit, "not cosigned: its times do not fit this clock");
                }
            }
        }
    }
    let mut ledgers = bus.seen.lock().unwrap_or_else(PoisonError::into_inner);
    ledger_of(bus, &mut ledgers, peer)?.look = Some(look);
    Ok(line)
}

/// Answers a witness that asks how this ledger grew, and keeps its cosignature.
pub async fn answer(
    bus: &Arc<Bus>,
    peer: &AgencyName,
    theirs: Option<i64>,
    sizes: Vec<u64>,
    budget: &FrameBudget,
    send: &mut SendStream,
    recv: &mut RecvStream,
) -> Result<(), NodeError> {
    if sizes.len() > MAX_WAITING + 1 {
        let fault = MessageFault::Sizes { count: sizes.len() };
        return Err(ProtocolError::from(fault).into());
    }
    if let Some(theirs) = theirs {
        bus.clocks.heard(peer, theirs, Moment::now());
    }
    bus.ledger.continuity().asked_about(peer, sizes.iter().copied().max().unwrap_or(0));
    let work = bus.clone();
    let asked = blocking(move |here| {
        let (growths, signed) = work.ledger.view(here).growth(&sizes)?;
        let range = work.ledger.view(here).compact_range(signed.checkpoint.size)?;
        Ok::<_, NodeError>((growths, signed, range))
    });
    let (growths, signed, range) = asked.await?;
    let (now, newest) = (Some(unix_now()), bus.ledger.newest_time());
    let (note, range) = (signed.note.clone(), Some(range));
    let reply = PeerMessage::Growth { now, note, newest, growths, range };
    write(send, &encode_frame(&reply)?, peer).await?;
    drop(send.finish());
    // It cosigns what is new to it, or ends the stream.
    let read = read_frame(recv, peer, FrameKind::Cosignature, budget);
    let read = tokio::time::timeout(PATIENCE, read).await;
    let Ok(Ok((body, _permit))) = read else { return Ok(()) };
    let PeerMessage::Cosignature { line, statement } = decode_frame(&body)? else {
        return Err(unexpected());
    };
    let crls = bus.crls();
    let by = Scrutiny::by(&bus.identity.trust, &crls, unix_now());
    let (agency, key) = WitnessStatement::open(&statement, &by)?;
    let cosigned = signed.with_line(&line)?;
    let time = match key.cosigned(&cosigned)? {
        Some(time) if agency == *peer => time,
        _ => {
            let fault = CheckpointFault::ForeignCosignature { peer: peer.clone() };
            return Err(ProtocolError::from(fault).into());
        }
    };
    // It was made just now.
    let now = Moment::now();
    bus.clocks.heard(peer, time, now);
    let apart = now.wall.saturating_sub(time);
    if apart.saturating_abs() > CLOCK_TOLERANCE || bus.clocks.check(now).is_err() {
        bus.metrics.unfit("cosignature");
        tracing::warn!(%peer, ahead_seconds = apart, "a cosignature is not taken: the clocks differ");
        return Ok(());
    }
    let size = signed.checkpoint.size;
    let kept = KeptCosignature { note: signed.note, line, statement };
    let work = bus.clone();
    blocking(move |here| work.ledger.add_cosignature(here, &agency, &kept, size, time)).await?;
    tracing::info!(%peer, size, "the ledger was cosigned");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chancery_ledger::{Commit, ContinuityState, Ledger, Outcome};
    use chancery_protocol::{EnvelopeId, Event, Leaf};
    use chancery_store::MemoryStore;
    use chancery_test_domain::{Agency, Domain};

    use super::*;
    use crate::testing::{bus, name};

    /// A peer's ledger with entries about these.
    async fn ledger_of(peer: &Agency, entries: std::ops::Range<u8>) -> Ledger {
        let seal = SigningKey::from_pem(&peer.seal.key().to_pem(None).expect("a key"), None);
        let seal =
            chancery_certs::Credential::new(seal.expect("a key"), peer.seal.chain().to_vec());
        let store = Arc::new(MemoryStore::default());
        let ledger = Ledger::open(store, Arc::new(seal.expect("they fit"))).expect("it opens");
        ledger.continuity().set(ContinuityState::Open);
        grow(&ledger, entries).await;
        ledger
    }

    async fn grow(ledger: &Ledger, entries: std::ops::Range<u8>) {
        for n in entries {
            let leaf = Leaf {
                event: Event::ContentConsignment,
                envelope: EnvelopeId::from_slice(&[n; 32]).expect("32 bytes"),
                commitment: Digest::of(&[n]),
                counterpart: name("a.cn"),
                time: unix_now(),
                evidence: None,
            };
            let done = ledger.commit(Commit { leaves: vec![leaf], ..Commit::default() }).await;
            assert!(matches!(done, Ok(Outcome::Committed(_))));
        }
    }

    /// What a peer with this ledger answers to what is known of it.
    fn answered(ledger: &Ledger, known: &PeerLedger) -> Answer {
        let sizes: Vec<_> = known.all().map(|known| known.signed.checkpoint.size).collect();
        in_place(|here| {
            let view = ledger.view(here);
            let (growths, signed) = view.growth(&sizes).expect("it is read");
            let range = view.compact_range(signed.checkpoint.size).expect("it is read");
            let (asked, newest) = (unix_now(), ledger.newest_time());
            Answer {
                asked,
                note: signed.note,
                range: Some(range),
                growths,
                newest,
                theirs: Some(asked),
            }
        })
    }

    fn known(bus: &Bus, peer: &AgencyName) -> PeerLedger {
        let mut ledgers = bus.seen.lock().expect("nobody panicked");
        ledger_of_peer(bus, &mut ledgers, peer)
    }

    fn ledger_of_peer(bus: &Bus, ledgers: &mut PeerLedgers, peer: &AgencyName) -> PeerLedger {
        super::ledger_of(bus, ledgers, peer).expect("it is read").clone()
    }

    /// Asks, and judges the answer.
    fn look(bus: &Bus, domain: &Domain, ledger: &Ledger) -> Result<Option<String>, NodeError> {
        let peer = name("b.cn");
        let known = known(bus, &peer);
        let answer = answered(ledger, &known);
        let chain = domain.agency("b.cn").seal.chain();
        in_place(|here| judge(here, bus, &peer, chain, &known, &answer))
    }

    fn domain() -> Domain {
        Domain::new(&[("a.cn", None), ("b.cn", None)])
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_has_grown_out_of_what_was_seen_is_cosigned_and_remembered() {
        let (domain, peer) = (domain(), name("b.cn"));
        let bus = bus(&domain, "a.cn");
        let ledger = ledger_of(domain.agency("b.cn"), 0..3).await;
        assert!(look(&bus, &domain, &ledger).expect("it fits").is_some());
        assert_eq!(seen_size(&bus, &peer).expect("it is read"), Some(3));
        assert!(look(&bus, &domain, &ledger).expect("it fits").is_none(), "cosigned a moment ago");
        grow(&ledger, 3..5).await;
        assert!(look(&bus, &domain, &ledger).expect("it fits").is_some());
        // It is in the store: after a restart it is known as well.
        bus.seen.lock().expect("nobody panicked").clear();
        assert_eq!(seen_size(&bus, &peer).expect("it is read"), Some(5));
        let shown = newest_seen(&bus, &peer).expect("it is read").expect("it was seen");
        assert_eq!(shown.note, ledger.checkpoint().note);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_ledger_that_was_rolled_back_is_not_cosigned_and_what_was_seen_stays() {
        let domain = domain();
        let bus = bus(&domain, "a.cn");
        let ledger = ledger_of(domain.agency("b.cn"), 0..3).await;
        look(&bus, &domain, &ledger).expect("it fits");
        let older = ledger_of(domain.agency("b.cn"), 0..2).await;
        assert!(look(&bus, &domain, &older).is_err());
        assert_eq!(seen_size(&bus, &name("b.cn")).expect("it is read"), Some(3));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_histories_are_a_fork_whose_proof_is_kept_once() {
        let (domain, peer) = (domain(), name("b.cn"));
        let bus = bus(&domain, "a.cn");
        let ledger = ledger_of(domain.agency("b.cn"), 0..3).await;
        look(&bus, &domain, &ledger).expect("it fits");
        // Entries that it has not had before, in place of those that it had.
        let other = ledger_of(domain.agency("b.cn"), 7..12).await;
        for _ in 0..2 {
            let forked = look(&bus, &domain, &other).expect_err("it is a fork");
            assert!(matches!(forked, NodeError::Forked(ref who) if *who == peer), "{forked}");
        }
        in_place(|here| {
            let forks = forked_peers(bus.store.on(here), 10).expect("it is read");
            assert_eq!(forks, std::slice::from_ref(&peer));
            let rows = bus.store.on(here).scan(Table::Forks, &[], &[], 10).expect("it is read");
            assert_eq!(rows.len(), 1);
        });
        // A receipt under the other root of that size proves it as well.
        let of_three = ledger_of(domain.agency("b.cn"), 7..10).await.checkpoint();
        let chain = domain.agency("b.cn").seal.chain();
        let mut batch = Batch::default();
        let seen = remember(&bus, &peer, chain, &of_three, Ok(()), &mut batch);
        assert!(matches!(seen, Err(NodeError::Forked(_))));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_receipt_shows_waits_until_its_ledger_has_shown_how_it_grew() {
        let (domain, peer) = (domain(), name("b.cn"));
        let bus = bus(&domain, "a.cn");
        let ledger = ledger_of(domain.agency("b.cn"), 0..3).await;
        let chain = domain.agency("b.cn").seal.chain();
        let mut batch = Batch::default();
        remember(&bus, &peer, chain, &ledger.checkpoint(), Ok(()), &mut batch).expect("it is new");
        in_place(|here| bus.store.on(here).write(batch)).expect("it is written");
        assert_eq!(known(&bus, &peer).waiting.len(), 1);
        grow(&ledger, 3..4).await;
        look(&bus, &domain, &ledger).expect("it fits");
        let after = known(&bus, &peer);
        assert_eq!(
            (after.waiting.len(), after.proven.map(|k| k.signed.checkpoint.size)),
            (0, Some(4))
        );
        // What is not fit to be taken is not remembered.
        let (mut batch, unfit) = (Batch::default(), NodeError::damaged("x"));
        grow(&ledger, 4..5).await;
        let seen = remember(&bus, &peer, chain, &ledger.checkpoint(), Err(unfit), &mut batch);
        assert!(seen.is_err() && batch.changes().is_empty());
    }

    #[test]
    fn a_ledger_is_cosigned_when_it_has_grown_and_every_ten_minutes_while_it_is_quiet() {
        let empty = Look::next(None, 1000, 0);
        assert!(!empty.is_due(1000), "there is nothing to cosign");
        let mut look = Look::next(Some(empty), 1010, 5);
        assert_eq!((look.is_due(1010), look.smaller), (true, Some(1000)));
        look.cosigned = Some(1010);
        let quiet = Look::next(Some(look), 1600, 5);
        assert!(!quiet.is_due(1609) && quiet.is_due(1610));
        assert_eq!((quiet.at, quiet.smaller), (1600, Some(1000)), "its entries are of before");
        assert!(quiet.is_due(900), "this clock was set back: what it says now counts");
        let grown = Look::next(Some(quiet), 1610, 6);
        assert_eq!((grown.is_due(1610), grown.smaller), (true, Some(1600)));
        // Seen for the first time, nothing is known of when it was smaller.
        assert_eq!(Look::next(None, 1000, 5).smaller, None);
    }
}
