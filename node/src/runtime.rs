use std::{
    collections::{HashMap, HashSet},
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chancery_certs::AgencyName;
use chancery_protocol::{EnvelopeId, SignedCheckpoint};
use quinn::{Connection, Endpoint, VarInt};
use tokio::{net::UnixListener, sync::watch, task::JoinSet};

use crate::{
    NodeConfig, NodeError,
    content::ContentFiles,
    directory::DirectoryView,
    documents::{self, OpenedHeads},
    endpoint::{self, Connections},
    identity::Identity,
    inbound,
    ledger::Ledger,
    outbound::{self, Outbound},
    read_file, server,
    store::{Batch, RocksStore, Store, Table},
    unix_now,
};

/// How long shutting down may take.
const DRAIN: Duration = Duration::from_secs(10);
/// Handshakes that may be under way at once.
const MAX_HANDSHAKES: usize = 256;
/// How long the ledger must be quiet before arrivals are indexed.
const INDEX_PAUSE: Duration = Duration::from_millis(250);
/// Arrivals that are indexed before it is looked again whether the node is quiet.
const INDEX_STEP: usize = 64;

/// The key of the directory in use, in [`Table::Meta`], and that of its version.
const DIRECTORY: &[u8] = b"directory";
const DIRECTORY_VERSION: &[u8] = b"directory version";

/// What all tasks of a node share.
#[derive(Debug)]
pub struct Shared {
    pub config: NodeConfig,
    pub identity: Identity,
    pub store: Arc<dyn Store>,
    pub ledger: Ledger,
    pub content: ContentFiles,
    pub endpoint: Endpoint,
    pub connections: Connections,
    pub outbound: Outbound,
    pub heads: OpenedHeads,
    /// The newest checkpoint seen of each peer.
    pub seen: Mutex<HashMap<AgencyName, SignedCheckpoint>>,
    /// Turns true when the node is to stop.
    pub stop: watch::Sender<bool>,
    directory: RwLock<Option<Arc<DirectoryView>>>,
    arriving: Mutex<HashSet<EnvelopeId>>,
    last_micros: AtomicI64,
    serving: Mutex<JoinSet<()>>,
}

impl std::fmt::Debug for dyn Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Shared {
    /// The directory in use.
    pub fn directory(&self) -> Result<Arc<DirectoryView>, NodeError> {
        let held = self.directory.read().unwrap_or_else(PoisonError::into_inner).clone();
        held.filter(|d| unix_now() <= d.expires).ok_or_else(|| {
            NodeError::UnknownAgency("any agency (no valid directory is held)".into())
        })
    }

    /// Verifies a directory and uses it from now on, unless a newer one is held.
    pub fn install_directory(&self, bytes: &[u8]) -> Result<Arc<DirectoryView>, NodeError> {
        let now = unix_now();
        let new = DirectoryView::open(bytes, &self.config.registrar, &self.identity, now)?;
        let mut held = self.directory.write().unwrap_or_else(PoisonError::into_inner);
        // The newest version that was ever in use counts, not only the one that is valid now: an
        // older directory may outlive a newer one.
        let newest = self.store.get(Table::Meta, DIRECTORY_VERSION)?;
        let newest = newest.and_then(|v| Some(u64::from_be_bytes(v.try_into().ok()?)));
        if let Some(newest) = newest.filter(|newest| *newest > new.version) {
            return Err(NodeError::OldDirectory { offered: new.version, held: newest });
        }
        if held.as_ref().is_some_and(|old| old.version == new.version && old.bytes != new.bytes) {
            let why = format!("two different directories have version {}", new.version);
            return Err(chancery_certs::SealError::Content(why).into());
        }
        let mut batch = Batch::default();
        batch.put(Table::Meta, DIRECTORY, new.bytes.as_slice());
        batch.put(Table::Meta, DIRECTORY_VERSION, new.version.to_be_bytes());
        self.store.write(batch)?;
        let new = Arc::new(new);
        *held = Some(new.clone());
        tracing::info!(version = new.version, agencies = new.peers().count(), "directory in use");
        Ok(new)
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

    /// Uses a connection for both directions.
    pub fn adopt(self: &Arc<Self>, peer: AgencyName, connection: Connection) {
        self.connections.put(peer.clone(), connection.clone());
        let mut serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        while serving.try_join_next().is_some() {}
        serving.spawn(inbound::serve(self.clone(), connection, peer));
    }
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

impl Node {
    /// Opens the store, checks the ledger, takes up what is pending and starts listening.
    ///
    /// # Errors
    /// [`NodeError`], naming the file or setting that is not right.
    pub async fn start(config: NodeConfig) -> Result<Self, NodeError> {
        let identity = Identity::load(&config)?;
        let data = &config.files.data;
        std::fs::create_dir_all(data).map_err(NodeError::file(data))?;
        let owner = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(data, owner).map_err(NodeError::file(data))?;
        let store: Arc<dyn Store> = Arc::new(RocksStore::open(&data.join("store"))?);
        let ledger = Ledger::open(store.clone(), identity.seal.clone())?;
        let content = ContentFiles::open(data.join("content"))?;
        let endpoint = endpoint::open(&config, &identity)?;
        let shared = Arc::new(Shared {
            config,
            identity,
            store,
            ledger,
            content,
            endpoint,
            connections: Connections::default(),
            outbound: Outbound::default(),
            heads: OpenedHeads::default(),
            seen: Mutex::default(),
            stop: watch::Sender::new(false),
            directory: RwLock::default(),
            arriving: Mutex::default(),
            last_micros: AtomicI64::new(0),
            serving: Mutex::default(),
        });
        load_directory(&shared)?;
        let socket = listen(&shared.config)?;
        let pending = outbound::recover(&shared)?;
        tracing::info!(
            agency = %shared.identity.agency,
            listen = %shared.config.listen,
            entries = shared.ledger.checkpoint().checkpoint.size,
            pending,
            "node is up"
        );
        let mut tasks = JoinSet::new();
        tasks.spawn(outbound::supervise(shared.clone()));
        tasks.spawn(accept(shared.clone()));
        tasks.spawn(index(shared.clone()));
        tasks.spawn(server::serve(shared.clone(), socket));
        Ok(Self { shared, tasks })
    }

    /// Runs until `stop` resolves, then drains: no new work is taken, commits under way end.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = stop => {}
            Some(ended) = self.tasks.join_next() => {
                tracing::error!(?ended, "a task of the node ended; stopping");
            }
        }
        tracing::info!("stopping");
        self.shared.stop.send_replace(true);
        let serving = std::mem::take(
            &mut *self.shared.serving.lock().unwrap_or_else(PoisonError::into_inner),
        );
        let drain = async {
            while self.tasks.join_next().await.is_some() {}
            let mut serving = serving;
            while serving.join_next().await.is_some() {}
        };
        if tokio::time::timeout(DRAIN, drain).await.is_err() {
            tracing::warn!("some work did not end in time; it goes on after the next start");
        }
        self.shared.endpoint.close(VarInt::from_u32(0), b"stopping");
        self.shared.endpoint.wait_idle().await;
        let shared = self.shared.clone();
        if tokio::task::spawn_blocking(move || shared.ledger.close()).await.is_err() {
            tracing::error!("the ledger could not be closed");
        }
        // A socket that is gone already is what we want.
        drop(std::fs::remove_file(&self.shared.config.files.socket));
        tracing::info!("stopped");
    }
}

/// Opens what has come in as far as its document and puts it into the index, when nothing more
/// urgent is going on. Whoever looks something up before that waits for the rest of it.
async fn index(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    let mut seen = 0;
    loop {
        tokio::select! {
            () = tokio::time::sleep(INDEX_PAUSE) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let size = shared.ledger.checkpoint().checkpoint.size;
        if std::mem::replace(&mut seen, size) != size {
            continue;
        }
        let work = shared.clone();
        if let Err(error) =
            inbound::blocking(move || documents::index_arrivals(&work, INDEX_STEP)).await
        {
            tracing::error!(%error, "the index could not be brought up to date");
        }
    }
}

/// Takes the newest directory there is: the one kept in the store, or the file.
fn load_directory(shared: &Shared) -> Result<(), NodeError> {
    if let Some(kept) = shared.store.get(Table::Meta, DIRECTORY)?
        && let Err(error) = shared.install_directory(&kept)
    {
        tracing::warn!(%error, "the directory that was kept is not usable any more");
    }
    let path = &shared.config.files.directory;
    if path.exists() {
        match shared.install_directory(&read_file(path)?) {
            Ok(_) | Err(NodeError::OldDirectory { .. }) => {}
            Err(error) => tracing::warn!(%error, file = %path.display(), "directory not usable"),
        }
    }
    Ok(())
}

/// Opens the Unix socket, for its owner and, if so configured, its group. A socket of a node that has died is replaced.
fn listen(config: &NodeConfig) -> Result<UnixListener, NodeError> {
    let path = &config.files.socket;
    if path.exists() {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            let error = std::io::Error::other("another node is listening there");
            return Err(NodeError::file(path)(error));
        }
        std::fs::remove_file(path).map_err(NodeError::file(path))?;
    }
    let listener = UnixListener::bind(path).map_err(NodeError::file(path))?;
    let mode = if config.files.socket_group { 0o660 } else { 0o600 };
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, mode).map_err(NodeError::file(path))?;
    Ok(listener)
}

/// Accepts connections from peers.
async fn accept(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    let mut handshakes = JoinSet::new();
    loop {
        let incoming = tokio::select! {
            incoming = shared.endpoint.accept() => incoming,
            Some(_) = handshakes.join_next(), if !handshakes.is_empty() => continue,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let Some(incoming) = incoming else { return };
        // Handshakes cost signatures. Under load a peer must first show that its address is its own
        // (RFC 9000 §8.1.2), and there are never more than so many at once.
        if handshakes.len() >= MAX_HANDSHAKES {
            incoming.refuse();
            continue;
        }
        if handshakes.len() >= MAX_HANDSHAKES / 4 && incoming.may_retry() {
            // It fails only where no retry is possible, which was just asked.
            drop(incoming.retry());
            continue;
        }
        let shared = shared.clone();
        handshakes.spawn(async move {
            let address = incoming.remote_address();
            match incoming.await {
                Ok(connection) => match endpoint::peer_agency(&connection, &shared.identity) {
                    Ok(peer) => {
                        tracing::info!(%peer, %address, "peer connected");
                        shared.adopt(peer, connection);
                    }
                    Err(error) => {
                        tracing::warn!(%address, %error, "peer not accepted");
                        connection.close(endpoint::NOT_ACCEPTED, b"not accepted");
                    }
                },
                Err(error) => tracing::warn!(%address, %error, "handshake failed"),
            }
        });
    }
}
