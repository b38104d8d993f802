//! What all tasks of a node share.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use chancery_certs::{AgencyName, Certificate, Crl, Purpose, Scrutiny, TrustStore, Uncovered};
use chancery_crypto::{Digest, cbor};
use chancery_protocol::{
    DocumentBudget, EnvelopeId, ProtocolError, SignedDocument, Validation, VerificationReport,
    verify_document_by,
};
use serde_bytes::ByteBuf;
use tokio::{
    sync::{broadcast, watch},
    task::JoinSet,
};

use crate::{
    NodeConfig, NodeError,
    access::{Access, Action, Caller, Object},
    checks::CheckBudget,
    clock::PeerClocks,
    content::ContentFiles,
    directories,
    directory::{DirectoryView, HeldDirectory},
    door::Callers,
    endpoint::{self, Connections, QuicEndpoint},
    frames::FrameBudgets,
    fresh::FreshEnvelopes,
    handshakes::Handshakes,
    heads::OpenedHeads,
    identity::Identity,
    ledger::Ledger,
    limits::PeerLimits,
    metrics::Metrics,
    queue::Outbound,
    records::{DIRECTIONS, journal_time},
    refused::RefusedBudget,
    standing::Standing,
    store::{Batch, Store, Table},
    unix_now,
    witness::{OpenedRoots, PeerLedgers, Witness},
};

/// The key of the directory in use, in [`Table::Meta`].
pub const DIRECTORY: &[u8] = b"directory";
/// The key of the revocation lists in use: those of the directory, and older ones that it has no newer for.
const REVOCATION_LISTS: &[u8] = b"revocation lists";
/// The key of the newest version that was ever in use.
const DIRECTORY_VERSION: &[u8] = b"directory version";

/// What all tasks of a node share.
#[derive(Debug)]
pub struct Shared {
    pub config: NodeConfig,
    pub identity: Identity,
    pub store: Arc<dyn Store>,
    pub ledger: Ledger,
    pub content: ContentFiles,
    pub endpoint: QuicEndpoint,
    pub access: Access,
    pub limits: PeerLimits,
    /// What peers may still have refused.
    pub refused: RefusedBudget,
    pub metrics: Metrics,
    /// What peers' clocks have shown.
    pub clocks: Arc<PeerClocks>,
    /// Moves when the node's certificate was renewed.
    pub renewed: watch::Sender<u64>,
    pub connections: Connections,
    /// Whose handshakes are under way.
    handshakes: Mutex<Handshakes>,
    /// What peers' frames may take of memory.
    pub frames: FrameBudgets,
    /// What those who ask by HTTP have under way.
    pub callers: Callers,
    pub outbound: Outbound,
    /// What went out a moment ago.
    pub fresh: FreshEnvelopes,
    pub heads: OpenedHeads,
    /// The peers' sealed roots that were opened last.
    pub opened: OpenedRoots,
    /// What is known of the peers' ledgers.
    pub seen: Mutex<PeerLedgers>,
    /// What this node cosigns with.
    pub witness: Witness,
    /// Says which delivery has ended, to those who wait for it.
    pub concluded: broadcast::Sender<(EnvelopeId, AgencyName)>,
    /// Moves when a peer has connected.
    pub arrivals: watch::Sender<u64>,
    /// Held while it is decided whether a relayed content stays.
    pub relaying: Mutex<()>,
    /// What the peers' documents may cost in signature checks.
    pub checks: CheckBudget,
    /// Held while the sender of a withdrawal is answered.
    pub answering: Mutex<()>,
    /// Held while content is purged.
    pub purging: tokio::sync::Mutex<()>,
    /// Turns true when the node is to stop.
    pub stop: watch::Sender<bool>,
    /// Who was judged lately.
    pub standing: Standing,
    /// Moves when those who are connected are to be judged again.
    pub judged: watch::Sender<u64>,
    /// Held while a directory is taken up.
    installing: Mutex<()>,
    directory: HeldDirectory,
    /// Lists of an earlier run, until a directory is in use.
    kept_lists: Arc<[Crl]>,
    arriving: Mutex<HashSet<EnvelopeId>>,
    last_micros: AtomicI64,
    /// The tasks that serve connections.
    pub serving: Mutex<JoinSet<()>>,
}

/// How many bytes are hashed in the time that a signature check takes.
const HASHED_PER_UNIT: usize = 64 << 10;
/// The most that kept revocation lists may be together, in bytes.
const MAX_LISTS: usize = 64 << 20;

/// The revocation lists that an earlier run held.
fn kept_lists(store: &dyn Store) -> Result<Arc<[Crl]>, NodeError> {
    let Some(kept) = store.get(Table::Meta, REVOCATION_LISTS)? else { return Ok(Arc::new([])) };
    let lists: Vec<ByteBuf> = cbor::decode_within(&kept, MAX_LISTS)?;
    Ok(lists.iter().filter_map(|der| Crl::from_der(der).ok()).collect())
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

impl std::fmt::Debug for dyn Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Shared {
    /// A node's state at its start; nothing runs yet.
    pub fn new(
        config: NodeConfig,
        identity: Identity,
        store: Arc<dyn Store>,
        ledger: Ledger,
        content: ContentFiles,
        endpoint: QuicEndpoint,
        witness: Witness,
    ) -> Result<Self, NodeError> {
        let access = Access::load(&config)?;
        let limits = PeerLimits::new(&config);
        let kept_lists = kept_lists(&*store)?;
        let last_micros = newest_micros(&*store)?;
        let refused = RefusedBudget::new(config.limits.peer_refused);
        let clocks = ledger.clocks().clone();
        Ok(Self {
            config,
            identity,
            store,
            ledger,
            content,
            endpoint,
            access,
            limits,
            metrics: Metrics::default(),
            clocks,
            refused,
            renewed: watch::Sender::new(0),
            connections: Connections::default(),
            handshakes: Mutex::default(),
            frames: FrameBudgets::default(),
            callers: Callers::default(),
            outbound: Outbound::default(),
            fresh: FreshEnvelopes::default(),
            heads: OpenedHeads::default(),
            opened: OpenedRoots::default(),
            seen: Mutex::default(),
            witness,
            concluded: broadcast::Sender::new(4096),
            arrivals: watch::Sender::new(0),
            relaying: Mutex::default(),
            checks: CheckBudget::default(),
            answering: Mutex::default(),
            purging: tokio::sync::Mutex::default(),
            stop: watch::Sender::new(false),
            standing: Standing::default(),
            judged: watch::Sender::new(0),
            installing: Mutex::default(),
            directory: HeldDirectory::default(),
            kept_lists,
            arriving: Mutex::default(),
            last_micros: AtomicI64::new(last_micros),
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
    pub fn install_directory(&self, bytes: &[u8]) -> Result<Arc<DirectoryView>, NodeError> {
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
        let newest = self.store.get(Table::Meta, DIRECTORY_VERSION)?;
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
        self.store.write(batch)?;
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

    /// Asks whether somebody who came in by a door of this node may do this.
    pub fn permit(
        &self,
        caller: &Caller,
        action: Action,
        object: Object<'_>,
    ) -> Result<(), NodeError> {
        self.access.check(caller, caller, action, object)
    }

    /// Takes up the seal and the node certificate that lie in the files now. Connections that stand go on; what was
    /// given under the old ones stays valid.
    pub fn reload(&self) -> Result<(), NodeError> {
        self.identity.renew(&self.config, &self.crls())?;
        endpoint::renew(&self.endpoint, &self.config, &self.identity)?;
        let seal = self.identity.seal();
        self.witness.renew(&seal)?;
        self.ledger.use_seal(seal)?;
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
    pub fn crls(&self) -> Arc<[Crl]> {
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
    pub fn verify(&self, document: &SignedDocument) -> VerificationReport {
        self.verify_counting(document).0
    }

    /// The verdict on a document that came from a peer: as [`Shared::verify`], as far as its documents have not cost too much
    /// lately. Then there is none yet. Each envelope is charged to its sender once, not each time that it is looked at.
    pub fn judge(
        &self,
        from: &AgencyName,
        envelope: &EnvelopeId,
        document: &SignedDocument,
    ) -> Option<VerificationReport> {
        if !self.checks.may_open(from, envelope, Instant::now()) {
            return None;
        }
        let (report, cost) = self.verify_counting(document);
        self.checks.charge_once(from, envelope, cost, Instant::now());
        Some(report)
    }

    /// The verdict on a document, and what it has cost: checks, and what had to be hashed for each signature.
    fn verify_counting(&self, document: &SignedDocument) -> (VerificationReport, u32) {
        let (crls, of_directory) = (self.crls(), self.trust());
        let trust = of_directory.as_deref().unwrap_or(&self.identity.trust);
        let budget = DocumentBudget::new(&crls);
        let plain = Validation { budget: Some(&budget), ..Validation::new(trust, unix_now()) };
        let by = Validation { crls: &crls, uncovered: Uncovered::Passes, ..plain };
        let report = verify_document_by(document, &by);
        let signatures = document.cose().signatures().len();
        let hashed = signatures.saturating_mul(document.bytes().len()) / HASHED_PER_UNIT;
        (report, budget.spent().saturating_add(u32::try_from(hashed).unwrap_or(u32::MAX)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;

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
