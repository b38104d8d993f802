//! What all tasks of a node share.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use chancery_certs::{AgencyName, Certificate, Crl, Purpose, Scrutiny, TrustStore, Uncovered};
use chancery_crypto::{Digest, cbor};
use chancery_protocol::{
    DocumentBudget, EnvelopeId, JudgedDocument, Lists, ProtocolError, SignedDocument, Urgency,
    Validation,
};
use serde_bytes::ByteBuf;
use tokio::{
    sync::{broadcast, watch},
    task::JoinSet,
};

use crate::{
    NodeConfig, NodeError,
    checks::CheckBudget,
    content::ContentFiles,
    continuity::Mark,
    directories,
    directory::{DirectoryView, HeldDirectory},
    endpoint::{self, Connections, QuicEndpoint},
    frames::FrameBudgets,
    fresh::{FreshEnvelope, FreshEnvelopes},
    handshakes::Handshakes,
    identity::Identity,
    limits::PeerLimits,
    metrics::Metrics,
    opening::Arrivals,
    queue::Outbound,
    refused::RefusedBudget,
    standing::Standing,
    tasks::Tasks,
    witness::{OpenedRoots, PeerLedgers, Witness},
};
use chancery_ledger::{
    Ledger, bring_up,
    clock::PeerClocks,
    clock::{Difference, Moment},
    records::{DIRECTIONS, journal_time},
    unix_now,
};
use chancery_store::{
    Batch, Blocking, SharedStore, Store, StoreError, Table, blocking, check_not_moved,
    files::create_private,
};

/// The key of the directory in use, in [`Table::Meta`].
pub(crate) const DIRECTORY: &[u8] = b"directory";
/// The key of the revocation lists in use: those of the directory, and older ones that it has no newer for.
const REVOCATION_LISTS: &[u8] = b"revocation lists";
/// The key of the newest version that was ever in use.
const DIRECTORY_VERSION: &[u8] = b"directory version";

/// A node's bus: what its tasks share. Each lock stands beside what it guards; whoever stands above asks by the methods.
#[derive(Debug)]
pub struct Bus {
    pub(crate) config: NodeConfig,
    pub(crate) identity: Identity,
    pub(crate) store: SharedStore,
    pub(crate) ledger: Ledger,
    pub(crate) content: ContentFiles,
    pub(crate) endpoint: QuicEndpoint,
    pub(crate) limits: PeerLimits,
    /// What peers may still have refused.
    pub(crate) refused: RefusedBudget,
    pub(crate) metrics: Metrics,
    /// What peers' clocks have shown.
    pub(crate) clocks: Arc<PeerClocks>,
    /// Moves when the node's certificate was renewed.
    pub(crate) renewed: watch::Sender<u64>,
    pub(crate) connections: Connections,
    /// Whose handshakes are under way.
    handshakes: Mutex<Handshakes>,
    /// What peers' frames may take of memory.
    pub(crate) frames: FrameBudgets,
    pub(crate) outbound: Outbound,
    /// What went out a moment ago.
    pub(crate) fresh: FreshEnvelopes,
    /// The peers' sealed roots that were opened last.
    pub(crate) opened: OpenedRoots,
    /// What is known of the peers' ledgers.
    pub(crate) seen: Mutex<PeerLedgers>,
    /// What this node cosigns with.
    pub(crate) witness: Witness,
    /// Says which delivery has ended, to those who wait for it.
    pub(crate) concluded: broadcast::Sender<(EnvelopeId, AgencyName)>,
    /// Moves when a peer has connected.
    pub(crate) arrivals: watch::Sender<u64>,
    /// Held while it is decided whether a relayed content stays.
    pub(crate) relaying: Mutex<()>,
    /// What the peers' documents may cost in signature checks.
    pub(crate) checks: CheckBudget,
    /// Turns true when the node is to stop.
    pub(crate) stop: watch::Sender<bool>,
    /// Who was judged lately.
    pub(crate) standing: Standing,
    /// Moves when those who are connected are to be judged again.
    pub(crate) judged: watch::Sender<u64>,
    /// Held while a directory is taken up.
    installing: Mutex<()>,
    directory: HeldDirectory,
    /// Lists of an earlier run, until a directory is in use.
    kept_lists: Lists,
    arriving: Mutex<HashSet<EnvelopeId>>,
    last_micros: AtomicI64,
    /// Who is told of what comes in.
    pub(crate) indexer: Box<dyn Arrivals>,
    /// The tasks that serve connections.
    pub(crate) serving: Mutex<JoinSet<()>>,
}

/// The key that is there while large contents lie elsewhere than beside the tables.
pub const ELSEWHERE: &[u8] = b"contents elsewhere";

/// How many bytes are hashed in the time that a signature check takes.
const HASHED_PER_UNIT: usize = 64 << 10;
/// Between two attempts at a database that does not answer.
const OPEN_AGAIN: Duration = Duration::from_secs(2);
/// The most that kept revocation lists may be together, in bytes.
const MAX_LISTS: usize = 64 << 20;

/// The revocation lists that an earlier run held.
fn kept_lists(store: &dyn Store) -> Result<Lists, NodeError> {
    let Some(kept) = store.get(Table::Meta, REVOCATION_LISTS)? else { return Ok(Lists::default()) };
    let lists: Vec<ByteBuf> = cbor::decode_within(&kept, MAX_LISTS)?;
    let lists: Vec<_> = lists.iter().filter_map(|der| Crl::from_der(der).ok()).collect();
    Ok(lists.into())
}

/// The newest time in the journal. What comes stands after it, also when the clock was ahead and was set back.
fn newest_micros(store: &dyn Store) -> Result<i64, NodeError> {
    let mut newest = 0;
    for direction in DIRECTIONS {
        let last = store.scan_back(Table::Journal, &[direction], None, 1)?;
        newest = last.iter().filter_map(|(key, _)| journal_time(key)).fold(newest, i64::max);
    }
    Ok(newest)
}

/// Opens the store. A database that does not answer is waited for: whoever starts while it is away stands by.
fn open_store(config: &NodeConfig) -> Result<Arc<dyn Store>, NodeError> {
    loop {
        match config.store.open(&config.files.data.join("store")) {
            Err(error @ StoreError::Away(_)) => {
                tracing::error!(%error, code = error.code(), "the store cannot be opened yet; it is tried again");
                std::thread::sleep(OPEN_AGAIN);
            }
            opened => return Ok(opened?),
        }
    }
}

/// Notes whether large contents lie elsewhere than beside the tables: who audits a copy of the folder cannot miss them there.
fn note_elsewhere(store: &dyn Store, elsewhere: bool) -> Result<(), NodeError> {
    if elsewhere != store.get(Table::Meta, ELSEWHERE)?.is_some() {
        let mut batch = Batch::default();
        match elsewhere {
            true => batch.put(Table::Meta, ELSEWHERE, []),
            false => batch.delete(Table::Meta, ELSEWHERE),
        }
        store.write(batch)?;
    }
    Ok(())
}

impl Bus {
    /// Opens what a node's bus stands on: its identity, store and ledger, contents and socket. Nothing runs yet. Gives also what
    /// the node has noted of its ledger. Where several machines may write, it returns only when this one does; `stands_by` is
    /// called before.
    ///
    /// # Errors
    /// [`NodeError`], naming the file or setting that is not right.
    pub fn open(
        here: &Blocking,
        config: NodeConfig,
        indexer: Box<dyn Arrivals>,
        stands_by: impl FnOnce(),
    ) -> Result<(Arc<Self>, Mark), NodeError> {
        let identity = Identity::load(&config)?;
        let data = &config.files.data;
        let mark = Mark::read(&config.files.mark)?;
        // Before anything is made where a disk may not be mounted.
        if !config.store.is_shared() {
            mark.require(&config.files.mark, data)?;
        }
        create_private(data)?;
        if config.store.is_shared() {
            stands_by();
        }
        let store = open_store(&config)?;
        // A standby waits here, until whoever writes ends or hangs.
        let who = hex::encode(chancery_crypto::random::<8>()?);
        store.lead(&format!("{} {who}", config.agency), &AtomicBool::new(false))?;
        check_not_moved(&*store)?;
        bring_up(&*store)?;
        let bus = Self::over(here, config, identity, store, indexer)?;
        Ok((Arc::new(bus), mark))
    }

    /// A bus over a store that is open and up to date, whatever its engine, and that this process may write. Its socket is bound,
    /// and nothing runs yet.
    ///
    /// # Errors
    /// [`NodeError`], naming the file or setting that is not right.
    pub fn over(
        here: &Blocking,
        config: NodeConfig,
        identity: Identity,
        store: Arc<dyn Store>,
        indexer: Box<dyn Arrivals>,
    ) -> Result<Self, NodeError> {
        let ledger = Ledger::open(store.clone(), identity.seal())?;
        let store = SharedStore::new(store);
        let place = config.store.open_contents(&config.contents())?;
        let content = ContentFiles::open(config.contents(), place)?;
        let endpoint = endpoint::open(&config, &identity)?;
        let witness = Witness::open(&config.files.data.join("witness.key"), &identity.seal())?;
        note_elsewhere(store.on(here), config.contents_elsewhere())?;
        let limits = PeerLimits::new(&config);
        let kept_lists = kept_lists(store.on(here))?;
        let last_micros = newest_micros(store.on(here))?;
        let refused = RefusedBudget::new(config.limits.peer_refused);
        let clocks = ledger.clocks().clone();
        Ok(Self {
            config,
            identity,
            store,
            ledger,
            content,
            endpoint,
            limits,
            metrics: Metrics::default(),
            clocks,
            refused,
            renewed: watch::Sender::new(0),
            connections: Connections::default(),
            handshakes: Mutex::default(),
            frames: FrameBudgets::default(),
            outbound: Outbound::default(),
            fresh: FreshEnvelopes::default(),
            opened: OpenedRoots::default(),
            seen: Mutex::default(),
            witness,
            concluded: broadcast::Sender::new(4096),
            arrivals: watch::Sender::new(0),
            relaying: Mutex::default(),
            checks: CheckBudget::default(),
            stop: watch::Sender::new(false),
            standing: Standing::default(),
            judged: watch::Sender::new(0),
            installing: Mutex::default(),
            directory: HeldDirectory::default(),
            kept_lists,
            arriving: Mutex::default(),
            last_micros: AtomicI64::new(last_micros),
            indexer,
            serving: Mutex::default(),
        })
    }

    /// Whose handshakes are under way.
    pub fn handshakes(&self) -> MutexGuard<'_, Handshakes> {
        // Every change is whole, so it is sound even after a panic elsewhere.
        self.handshakes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the node is to stop.
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stop = self.stop.subscribe();
        async move { drop(stop.wait_for(|stop| *stop).await) }
    }

    /// The directory in use.
    pub fn directory(&self) -> Result<Arc<DirectoryView>, NodeError> {
        self.directory.valid(unix_now()).ok_or_else(|| {
            NodeError::UnknownAgency("any agency (no valid directory is held)".into())
        })
    }

    /// The directory that is held, also one that has expired.
    pub fn held_directory(&self) -> &HeldDirectory {
        &self.directory
    }

    /// Verifies a directory and uses it from now on, unless a newer one is held.
    pub fn install_directory(
        &self,
        here: &Blocking,
        bytes: &[u8],
    ) -> Result<Arc<DirectoryView>, NodeError> {
        let now = unix_now();
        // The very one that is in use: nothing to verify, to write or to say.
        if let Some(same) = self.directory.valid(now).filter(|held| *held.bytes == *bytes) {
            return Ok(same);
        }
        let (registrar, trust) = (&self.config.registrar, &self.identity.trust);
        let new = DirectoryView::open(bytes, registrar, trust, &self.crls(), now)?;
        // One at a time; those who only look into the one that is held do not wait for the disk.
        let _one = self.installing.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.directory.newest();
        // The newest version that was ever in use counts, not only the one that is valid now: an
        // older directory may outlive a newer one.
        let newest = self.store.on(here).get(Table::Meta, DIRECTORY_VERSION)?;
        let newest = newest.and_then(|v| Some(u64::from_be_bytes(v.try_into().ok()?)));
        if let Some(old) = held.as_ref() {
            directories::compare(self, old, &new)?;
        }
        if let Some(newest) = newest.filter(|newest| *newest > new.version) {
            return Err(NodeError::OldDirectory { offered: new.version, held: newest });
        }
        let mut batch = Batch::default();
        batch.put(Table::Meta, DIRECTORY, &*new.bytes);
        batch.put(Table::Meta, DIRECTORY_VERSION, new.version.to_be_bytes());
        let lists: Vec<_> = new.crls.iter().map(|crl| ByteBuf::from(crl.der())).collect();
        batch.put(Table::Meta, REVOCATION_LISTS, cbor::encode_within(&lists, MAX_LISTS)?);
        self.store.on(here).write(batch)?;
        let new = Arc::new(new);
        self.directory.replace(new.clone());
        // What is revoked by it is cut off now.
        self.standing.renew();
        self.judge_connected();
        // Who was no relay on the way may be one by it.
        self.refused.forget();
        tracing::info!(version = new.version, agencies = new.peers().count(), "directory in use");
        Ok(new)
    }

    /// Takes up the seal and the node certificate that lie in the files now. Connections that stand go on; what was
    /// given under the old ones stays valid.
    pub fn reload(&self, here: &Blocking) -> Result<(), NodeError> {
        self.identity.renew(&self.config, &self.crls())?;
        endpoint::renew(&self.endpoint, &self.config, &self.identity)?;
        let seal = self.identity.seal();
        self.witness.renew(&seal)?;
        self.ledger.use_seal(here, seal)?;
        self.renewed.send_modify(|count| *count += 1);
        tracing::info!("seal and node certificate are those in the files now");
        Ok(())
    }

    /// The version of the directory that is held, also of one that has expired; 0 without one.
    pub fn directory_version(&self) -> u64 {
        self.directory_digest().map_or(0, |(version, _)| version)
    }

    /// The version and the digest of the directory that is held, also of one that has expired.
    pub fn directory_digest(&self) -> Option<(u64, Digest)> {
        let held = self.directory.newest();
        held.as_ref().map(|directory| (directory.version, directory.digest))
    }

    /// The signed directory, if it is newer than a version, or another of that version than the one with a digest.
    pub fn newer_directory(&self, version: u64, digest: Option<&Digest>) -> Option<Arc<[u8]>> {
        let held = self.directory.newest();
        let other = |d: &DirectoryView| {
            d.version == version && digest.is_some_and(|digest| *digest != d.digest)
        };
        held.as_ref().filter(|d| d.version > version || other(d)).map(|d| d.bytes.clone())
    }

    /// The revocation lists that are held: of the newest directory, also of one that has expired, and older ones that
    /// it has no newer for. Who was revoked stays so.
    pub fn crls(&self) -> Lists {
        let held = self.directory.newest();
        held.as_ref().map_or_else(|| self.kept_lists.clone(), |directory| directory.crls.clone())
    }

    /// Who is believed: by the node's own configuration and, in time, by the directory.
    fn trust(&self) -> Option<Arc<TrustStore>> {
        let held = self.directory.newest();
        held.as_ref().map(|directory| directory.trust.clone())
    }

    /// The agency at the other end of a connection, unless its certificate is not valid or is revoked.
    pub fn peer_of(&self, connection: &quinn::Connection) -> Result<AgencyName, NodeError> {
        let chain = endpoint::peer_chain(connection)?;
        self.stands(&chain, Purpose::Node)?;
        Ok(chain.first().ok_or(chancery_certs::CertError::NoCertificate)?.agency_name()?)
    }

    /// Whether whoever has shown this chain may still be connected.
    pub fn stands(&self, chain: &[Certificate], purpose: Purpose) -> Result<(), NodeError> {
        let generation = self.standing.generation();
        let crls = self.crls();
        let by = Scrutiny::by(&self.identity.trust, &crls, unix_now());
        let stands = self.standing.check(generation, &by, chain, purpose);
        Ok(stands.map_err(ProtocolError::from)?)
    }

    /// Judges again all who are connected, and cuts off who may not be any more.
    pub fn judge_connected(&self) {
        self.connections.close_unless(|connection| self.peer_of(connection).map(drop));
        self.judged.send_modify(|count| *count += 1);
    }

    /// The verdict on a document. By the revocation lists that are held, certificate by certificate: who is named is
    /// revoked; who is not covered leaves it open for an auditor, while a clerk's work goes on.
    pub fn verify(&self, document: SignedDocument) -> JudgedDocument {
        self.verify_counting(document).0
    }

    /// The verdict on a document that came from a peer: as [`Bus::verify`], as far as its documents have not cost too much
    /// lately. Then there is none yet. Each envelope is charged to its sender once, not each time that it is looked at.
    ///
    /// # Errors
    /// The document, when it is to be looked at another time.
    pub fn judge(
        &self,
        from: &AgencyName,
        envelope: &EnvelopeId,
        document: SignedDocument,
    ) -> Result<JudgedDocument, Box<SignedDocument>> {
        if !self.checks.may_open(from, envelope, Instant::now()) {
            return Err(Box::new(document));
        }
        let (judged, cost) = self.verify_counting(document);
        self.checks.charge_once(from, envelope, cost, Instant::now());
        Ok(judged)
    }

    /// The verdict on a document, and what it has cost: checks, and what had to be hashed for each signature.
    fn verify_counting(&self, document: SignedDocument) -> (JudgedDocument, u32) {
        let (lists, of_directory) = (self.crls(), self.trust());
        let trust = of_directory.as_deref().unwrap_or(&self.identity.trust);
        let budget = DocumentBudget::new(&lists);
        let by = Validation {
            budget: Some(&budget),
            uncovered: Uncovered::Passes,
            ..Validation::new(trust, unix_now())
        };
        let signatures = document.cose().signatures().len();
        let hashed = signatures.saturating_mul(document.bytes().len()) / HASHED_PER_UNIT;
        let judged = JudgedDocument::judge(document, &by, &lists);
        (judged, budget.spent().saturating_add(u32::try_from(hashed).unwrap_or(u32::MAX)))
    }

    /// What runs out, and when.
    pub fn ends(&self) -> Vec<(&'static str, i64)> {
        let first = |chain: &[Certificate]| chain.first().map(Certificate::not_after);
        let directory = self.directory.newest();
        let own = directory.as_ref().and_then(|d| d.peer(&self.identity.agency).ok());
        [
            ("directory", directory.map(|d| d.expires)),
            ("node certificate", first(&self.identity.node().chain)),
            ("seal certificate", first(self.identity.seal().chain())),
            ("encryption key", own.map(|own| own.encryption_expires)),
        ]
        .into_iter()
        .filter_map(|(what, end)| Some((what, end?)))
        .collect()
    }

    /// Claims an arriving envelope for one stream.
    pub fn claim(&self, id: &EnvelopeId) -> bool {
        self.arriving.lock().unwrap_or_else(PoisonError::into_inner).insert(*id)
    }

    /// Gives up a claim.
    pub fn release(&self, id: &EnvelopeId) {
        self.arriving.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Microseconds since 1970 UTC, never the same twice, so that the journal has an order.
    pub fn micros(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX));
        let next = |last: i64| Some(now.max(last.saturating_add(1)));
        let update = self.last_micros.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        // The closure never declines, so this is the value before; ours is the one after.
        next(update.unwrap_or_else(|last| last)).unwrap_or(now)
    }
}

/// What whoever stands above the bus asks of it.
impl Bus {
    /// The settings.
    pub fn config(&self) -> &NodeConfig {
        &self.config
    }

    /// Who this node is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The tables, for whoever may wait.
    pub fn store<'a>(&'a self, here: &'a Blocking) -> &'a dyn Store {
        self.store.on(here)
    }

    /// Says why nothing can be written any more: see [`Store::lost`].
    pub fn lost(&self) -> Option<watch::Receiver<Option<String>>> {
        self.store.lost()
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Contents that are files.
    pub fn content(&self) -> &ContentFiles {
        &self.content
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Turns true when the node is to stop.
    pub fn stop_signal(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Whether the node is to stop.
    pub fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Moves when the node's certificate was renewed.
    pub fn renewed(&self) -> watch::Receiver<u64> {
        self.renewed.subscribe()
    }

    /// Moves when those who are connected are to be judged again.
    pub fn judged(&self) -> watch::Receiver<u64> {
        self.judged.subscribe()
    }

    /// The peers that are connected.
    pub fn connected(&self) -> Vec<AgencyName> {
        self.connections.peers()
    }

    /// How many deliveries are not over.
    pub fn pending(&self) -> usize {
        self.outbound.pending()
    }

    /// How far this clock is ahead of each peer's that was heard.
    pub fn clock_differences(&self, now: Moment) -> Vec<Difference> {
        self.clocks.differences(now)
    }

    /// The bytes that are free where the data is.
    ///
    /// # Errors
    /// [`NodeError::Store`] when that cannot be asked.
    pub fn free(&self) -> Result<u64, NodeError> {
        self.limits.free(&self.config.files.data)
    }

    /// Whether so many bytes more may be taken from anybody, peers and own clerks alike.
    ///
    /// # Errors
    /// [`StoreError::Full`](chancery_store::StoreError::Full).
    pub fn room(&self, bytes: u64) -> Result<(), NodeError> {
        self.limits.room(self, bytes)
    }

    /// Takes up the delivery of an envelope that was just committed; what is small goes out from memory.
    pub fn deliver(
        &self,
        id: EnvelopeId,
        fresh: Option<FreshEnvelope>,
        recipients: &[AgencyName],
        urgency: Urgency,
    ) {
        self.metrics.accepted();
        if let Some(fresh) = fresh {
            self.fresh.put(id, fresh, recipients.len());
        }
        for agency in recipients {
            self.outbound.enqueue(id, agency.clone(), urgency);
        }
    }

    /// Counts that something of a peer was refused, which costs it.
    pub fn charge_refused(&self, peer: &AgencyName) {
        self.refused.put(peer, Instant::now());
    }

    /// Whether an envelope of a peer may be opened now, as far as its documents have not cost too much lately.
    pub fn may_open(&self, peer: &AgencyName, envelope: &EnvelopeId) -> bool {
        self.checks.may_open(peer, envelope, Instant::now())
    }

    /// The metrics in the text format of Prometheus.
    ///
    /// # Errors
    /// [`NodeError`] when something cannot be measured.
    pub fn measure(&self) -> Result<String, NodeError> {
        self.metrics.encode(self, self.outbound.pending())
    }

    /// Tells everything to stop, and waits until `tasks` and what serves connections have ended, as long as `patience` lasts. Then
    /// the connections and the ledger are closed.
    pub async fn close(self: &Arc<Self>, tasks: &mut Tasks, patience: Duration) {
        self.stop.send_replace(true);
        let mut serving = {
            // It is replaced whole, so it is sound even after a panic elsewhere.
            let mut serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *serving)
        };
        let drain = async {
            tasks.join().await;
            while serving.join_next().await.is_some() {}
        };
        if tokio::time::timeout(patience, drain).await.is_err() {
            tracing::warn!("some work did not end in time; it goes on after the next start");
        }
        self.endpoint.close(quinn::VarInt::from_u32(0), b"stopping");
        self.endpoint.wait_idle().await;
        let bus = self.clone();
        let closed = blocking(move |here| -> Result<(), StoreError> {
            bus.ledger.close(here);
            Ok(())
        });
        if let Err(error) = closed.await {
            tracing::error!(%error, "the ledger could not be closed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_store::MemoryStore;

    #[test]
    fn what_comes_stands_after_what_is_in_the_journal_whatever_the_clock_said() {
        let store = MemoryStore::default();
        assert_eq!(newest_micros(&store).expect("reads"), 0);
        let ahead = 4_102_444_800_000_000_i64;
        for (direction, time) in [(b'i', ahead), (b'i', 5), (b'o', ahead - 1), (b't', ahead + 7)] {
            let key = [&[direction][..], &time.to_be_bytes(), &[7; 32]].concat();
            let mut batch = Batch::default();
            batch.put(Table::Journal, key, []);
            store.write(batch).expect("writes");
        }
        assert_eq!(newest_micros(&store).expect("reads"), ahead + 7);
    }
}
