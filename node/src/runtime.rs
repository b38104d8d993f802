//! Starting and stopping a node.

use std::{
    collections::HashMap,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use quinn::VarInt;
use sd_notify::NotifyState;
use tokio::{
    net::{UnixListener, lookup_host},
    runtime::Handle,
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::timeout,
};

use crate::{
    Commit, NodeConfig, NodeError, acts, api, clock,
    content::ContentFiles,
    continuity::{self, Mark},
    directory::HeldDirectory,
    documents, endpoint,
    files::{blocking, create_private, on_thread},
    handshakes::{Place, Verdict},
    identity::Identity,
    inbound,
    ledger::Ledger,
    monitor, outbound,
    places::Seldom,
    purge, read_file, server,
    shared::{DIRECTORY, Shared},
    store::{RocksStore, Store, Table},
    witness::{self, Witness},
};

/// How long shutting down may take.
const DRAIN: Duration = Duration::from_secs(10);
/// How long is waited after the withdrawals that have come were taken up, so that many are taken up together.
const TAKE_UP_PAUSE: Duration = Duration::from_millis(100);
/// When those that were put off are looked at again.
const TAKE_UP_AGAIN: Duration = Duration::from_secs(2);
/// How often it is said that somebody was not let in, who need not be anybody.
const SAY_EVERY: Duration = Duration::from_secs(1);
/// How often the names in the directory are looked up again, how long one may take, and how many are at once.
const LOOK_UP_EVERY: Duration = Duration::from_secs(600);
const LOOK_UP: Duration = Duration::from_secs(5);
const LOOK_UPS: usize = 16;
/// Days before something runs out in which the log says so.
const WARN_DAYS: i64 = 14;
/// Between two looks at whether there is room on the disk.
const ROOM_EVERY: Duration = Duration::from_secs(1);
/// How often those who are connected are judged again.
const JUDGE_EVERY: Duration = Duration::from_secs(10);
/// How often it is said.
const WARN_EVERY: Duration = Duration::from_secs(6 * 3600);
/// For how long a request with an idempotency key is remembered, in seconds.
const REQUESTS_KEPT: i64 = 7 * 86_400;
/// Envelopes that are looked at before it is looked whether the node stops.
const TAKEN_AT_ONCE: usize = 64;

/// A running node.
#[derive(Debug)]
pub struct Node {
    shared: Arc<Shared>,
    tasks: Tasks,
}

/// Tasks that go on until the node stops, by name.
#[derive(Debug, Default)]
struct Tasks {
    running: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    fn add(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let task = self.running.spawn(task);
        self.names.insert(task.id(), name);
    }

    /// Adds one that runs elsewhere.
    fn add_on(
        &mut self,
        desk: &Handle,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let task = self.running.spawn_on(task, desk);
        self.names.insert(task.id(), name);
    }

    /// Waits until one ends, though none was told to.
    async fn ended(&mut self) -> NodeError {
        let Some(ended) = self.running.join_next_with_id().await else {
            return std::future::pending().await;
        };
        let (id, why) = match ended {
            Ok((id, ())) => (id, "it has nothing more to do".to_owned()),
            Err(error) => (error.id(), how(error)),
        };
        let task = self.names.remove(&id).unwrap_or("a task");
        NodeError::Ended { task, why }
    }

    /// Waits until all have ended.
    async fn join(&mut self) {
        while self.running.join_next().await.is_some() {}
    }
}

/// How a task ended that did not end by itself.
fn how(error: JoinError) -> String {
    let text = error.to_string();
    let Ok(panic) = error.try_into_panic() else { return text };
    let said = panic.downcast_ref::<String>().map(String::as_str);
    said.or_else(|| panic.downcast_ref::<&str>().copied())
        .map_or(text, |said| format!("panic: {said}"))
}

impl Node {
    /// Opens the store, checks the ledger, takes up what is pending and starts listening.
    ///
    /// `desk` are the threads that serve clerks and the agency's own systems. Sealing is work for the processor; on the
    /// threads of the caller, every step of every delivery would wait behind it in the scheduler's queue, and deliveries
    /// would fall behind what is accepted.
    ///
    /// # Errors
    /// [`NodeError`], naming the file or setting that is not right.
    pub async fn start(config: NodeConfig, desk: &Handle) -> Result<Self, NodeError> {
        let identity = Identity::load(&config)?;
        let data = &config.files.data;
        let mark = Mark::read(&config.files.mark)?;
        // Before anything is made where a disk may not be mounted.
        mark.require(&config.files.mark, data)?;
        create_private(data)?;
        let store: Arc<dyn Store> = Arc::new(RocksStore::open(&data.join("store"))?);
        let ledger = Ledger::open(store.clone(), identity.seal())?;
        let content = ContentFiles::open(data.join("content"))?;
        let endpoint = endpoint::open(&config, &identity)?;
        let witness = Witness::open(&data.join("witness.key"), &identity.seal())?;
        let shared = Shared::new(config, identity, store, ledger, content, endpoint, witness)?;
        let shared = Arc::new(shared);
        continuity::begin(&shared, &mark)?;
        load_directory(&shared)?;
        let socket = listen(&shared.config)?;
        let config = &shared.config;
        let api = match config.api.listen {
            Some(address) => Some(monitor::listen(address).await?),
            None => None,
        };
        let watched = match config.monitor.listen {
            Some(address) => Some(monitor::listen(address).await?),
            None => None,
        };
        documents::index_waiting(&shared)?;
        let pending = outbound::recover(&shared)?;
        tracing::info!(
            agency = %shared.identity.agency,
            listen = %shared.config.listen,
            entries = shared.ledger.checkpoint().checkpoint.size,
            pending,
            "node is up"
        );
        let mut tasks = Tasks::default();
        tasks
            .add("the task that asks what was seen", continuity::keep_asking(shared.clone(), mark));
        tasks.add("the task that keeps the mark", continuity::keep_mark(shared.clone()));
        tasks.add("the task that looks for room", keep_room(shared.clone()));
        tasks.add("the couriers' task", outbound::supervise(shared.clone()));
        tasks.add("the task that lets peers in", accept(shared.clone()));
        tasks.add("the task that knows peers' addresses", keep_named(shared.clone()));
        tasks.add("the task that takes withdrawals up", keep_taking_up(shared.clone()));
        tasks.add("the task that answers withdrawals", acts::keep_answering(shared.clone()));
        tasks.add("the witness", witness::watch(shared.clone()));
        tasks.add("the task that purges", purge::resume(shared.clone()));
        tasks.add("the task that keeps the superior", outbound::keep_superior(shared.clone()));
        tasks.add("the task that warns of ends", warn_of_ends(shared.clone()));
        tasks.add("the task that judges who is connected", keep_judging(shared.clone()));
        tasks.add("the clock", clock::watch(shared.clone()));
        tasks.add("the task that reloads", reload_on_signal(shared.clone()));
        if let Some(listener) = api {
            tasks.add_on(desk, "the HTTP interface", api::serve(shared.clone(), listener));
        }
        if let Some(listener) = watched {
            tasks.add("the monitor", monitor::serve(shared.clone(), listener));
        }
        tasks.add_on(desk, "the local server", server::serve(shared.clone(), socket));
        monitor::notify(&[NotifyState::Ready]);
        // It is not alive before it is ready.
        if sd_notify::watchdog_enabled().is_some() {
            tasks.add("the watchdog's task", monitor::watchdog(shared.clone()));
        }
        Ok(Self { shared, tasks })
    }

    /// Runs until `stop` resolves, then drains: no new work is taken, commits under way end.
    ///
    /// # Errors
    /// [`NodeError::Store`] when it stopped because the store failed: it cannot keep its word then. [`NodeError::Behind`] when its
    /// ledger is empty, and peers have shown that it was not.
    /// [`NodeError::Ended`] when a part of it ended unasked: what is left would only seem to be a node.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), NodeError> {
        let mut failure = self.shared.ledger.failure();
        let mut failed = None;
        tokio::select! {
            () = stop => {}
            why = failure.wait_for(Option::is_some) => {
                let why = why.ok().and_then(|why| why.clone());
                tracing::error!(why, "the store failed; stopping");
                failed = why.map(NodeError::Store);
            }
            error = lost(&self.shared) => {
                tracing::error!(%error, code = error.code(), "there is nothing here that could be gone on with; stopping");
                failed = Some(error);
            }
            ended = self.tasks.ended() => {
                tracing::error!(error = %ended, code = ended.code(), "stopping");
                failed = Some(ended);
            }
        }
        tracing::info!("stopping");
        monitor::notify(&[NotifyState::Stopping]);
        self.shared.stop.send_replace(true);
        let serving = std::mem::take(
            &mut *self.shared.serving.lock().unwrap_or_else(PoisonError::into_inner),
        );
        let drain = async {
            self.tasks.join().await;
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
        failed.map_or(Ok(()), Err)
    }
}

/// Returns when it is proved that the ledger was lost, and nothing of it is here. What has entries can be read, and stays up for that.
async fn lost(shared: &Shared) -> NodeError {
    let error = shared.ledger.continuity().behind().await;
    if shared.ledger.checkpoint().checkpoint.size > 0 {
        std::future::pending::<()>().await;
    }
    error
}

/// Tries, while the disk is full, whether there is room again, and says when what is to stay free is used up.
async fn keep_room(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    let mut short = false;
    loop {
        if shared.ledger.full().is_some() {
            let mut probe = Commit::default();
            probe.batch.put(Table::Meta, *b"room", []);
            // Whether it finds room is noted, and said, where it is written.
            drop(shared.ledger.commit(probe).await);
        } else if let Err(error) = shared.limits.room(&shared, 0) {
            if !std::mem::replace(&mut short, true) {
                tracing::error!(%error, code = error.code(), "nothing more is taken, of peers or of clerks");
            }
        } else if std::mem::replace(&mut short, false) {
            tracing::info!("there is room on the disk again");
        }
        tokio::select! {
            () = tokio::time::sleep(ROOM_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Takes up the withdrawals that have come. Nobody who looks something up waits for it.
async fn keep_taking_up(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    let mut grown = shared.ledger.grown();
    loop {
        let mut from = Vec::new();
        loop {
            let work = shared.clone();
            let step = on_thread(move |here| documents::take_up(here, &work, &from, TAKEN_AT_ONCE));
            match step.await {
                Ok(taken) if !taken.next.is_empty() && !*shared.stop.borrow() => from = taken.next,
                Ok(_) => break,
                Err(error) => {
                    tracing::error!(%error, "what waits could not be taken up; it is tried again");
                    break;
                }
            }
        }
        // What came meanwhile, and what was put off, is taken up together.
        let more = async {
            tokio::time::sleep(TAKE_UP_PAUSE).await;
            drop(tokio::time::timeout(TAKE_UP_AGAIN, grown.changed()).await);
        };
        tokio::select! {
            () = more => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Takes up new certificates on SIGHUP.
async fn reload_on_signal(shared: Arc<Shared>) {
    use tokio::signal::unix::{SignalKind, signal};
    let mut stop = shared.stop.subscribe();
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => return tracing::error!(%error, "SIGHUP cannot be caught"),
    };
    loop {
        tokio::select! {
            _ = hangup.recv() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        // The unit is of the type notify-reload: systemd waits until it is told that this is done.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => monitor::notify(&[NotifyState::Reloading, now]),
            Err(error) => tracing::debug!(%error, "the time is not known"),
        }
        let work = shared.clone();
        if let Err(error) = blocking(move || work.reload()).await {
            tracing::error!(%error, code = error.code(), "the files are not taken up; all goes on as it was");
        }
        monitor::notify(&[NotifyState::Ready]);
    }
}

/// Judges again, from time to time, all who are connected: certificates end, lists run out, clocks are set.
async fn keep_judging(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    loop {
        tokio::select! {
            () = tokio::time::sleep(JUDGE_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let work = shared.clone();
        let judged = blocking(move || {
            work.judge_connected();
            Ok(())
        });
        if let Err(error) = judged.await {
            tracing::error!(%error, "those who are connected could not be judged");
        }
    }
}

/// Says in time what will run out: the directory, certificates, the encryption key.
async fn warn_of_ends(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    loop {
        for (what, end) in shared.ends() {
            let days = (end - crate::unix_now()) / 86_400;
            if end < crate::unix_now() {
                tracing::error!(what, expired = %chancery_certs::rfc3339(end), "it has expired");
            } else if days < WARN_DAYS {
                tracing::warn!(what, days, expires = %chancery_certs::rfc3339(end), "it runs out soon");
            }
        }
        let work = shared.clone();
        let before = crate::unix_now() - REQUESTS_KEPT;
        if let Err(error) = blocking(move || documents::forget_requests(&work, before)).await {
            tracing::error!(%error, "old requests could not be forgotten");
        }
        tokio::select! {
            () = tokio::time::sleep(WARN_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
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

/// Gives a handshake's place back when it ends, however it does.
struct Handshake {
    shared: Arc<Shared>,
    place: Place,
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.shared.handshakes().ends(&self.place);
    }
}

/// Accepts connections from peers. It ends only when the socket is lost.
async fn accept(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    let mut handshakes: JoinSet<Result<(), (SocketAddr, String)>> = JoinSet::new();
    let mut going: HashMap<Place, AbortHandle> = HashMap::new();
    let (mut refused, mut ignored) = (Seldom::new(SAY_EVERY), Seldom::new(SAY_EVERY));
    loop {
        let incoming = tokio::select! {
            incoming = shared.endpoint.accept() => incoming,
            Some(ended) = handshakes.join_next(), if !handshakes.is_empty() => {
                if let Ok(Err((address, why))) = ended
                    && let Some(unsaid) = refused.happened(Instant::now())
                {
                    tracing::warn!(%address, why, unsaid, "handshake failed");
                }
                continue;
            }
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let Some(incoming) = incoming else { return };
        let (address, now) = (incoming.remote_address(), Instant::now());
        let validated = incoming.remote_address_validated() || !incoming.may_retry();
        let verdict = shared.handshakes().begins(address, validated, now);
        let (place, patience, gives_way) = match verdict {
            Verdict::Goes { place, patience, gives_way } => (place, patience, gives_way),
            Verdict::Retry => {
                // It fails only where no retry is possible, which was just asked.
                drop(incoming.retry());
                continue;
            }
            Verdict::Ignore => {
                if let Some(unsaid) = ignored.happened(now) {
                    tracing::warn!(%address, unsaid, "too many handshakes are begun");
                }
                incoming.ignore();
                continue;
            }
        };
        if let Some(other) = gives_way.and_then(|place| going.remove(&place)) {
            other.abort();
            if let Some(unsaid) = refused.happened(now) {
                let why = "one was not ended, and gave way to another";
                tracing::warn!(%address, why, unsaid, "handshake failed");
            }
        }
        let handshake = Handshake { shared: shared.clone(), place };
        let task = handshakes.spawn(async move {
            let shared = &handshake.shared;
            let failed = |why: String| (address, why);
            let connected = timeout(patience, incoming.into_future()).await;
            let connected = connected.map_err(|_| failed("it was not ended in time".into()))?;
            let connection = connected.map_err(|e| failed(e.to_string()))?;
            match shared.peer_of(&connection) {
                Ok(peer) => {
                    tracing::info!(%peer, %address, "peer connected");
                    inbound::adopt(shared, peer, connection);
                    Ok(())
                }
                Err(error) => {
                    connection.close(endpoint::NOT_ACCEPTED, b"not accepted");
                    Err(failed(format!("peer not accepted: {error}")))
                }
            }
        });
        going.insert(place, task);
        going.retain(|_, task| !task.is_finished());
    }
}

/// Tells the handshakes which addresses the directory names.
async fn keep_named(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    // Moves also when a directory is taken into use.
    let mut judged = shared.judged.subscribe();
    let mut done = None;
    loop {
        let digest = shared.directory_digest().map(|(_, digest)| digest);
        let due = |(of, at): (_, Instant)| of != digest || at.elapsed() >= LOOK_UP_EVERY;
        if done.is_none_or(due) {
            tokio::select! {
                addresses = addresses(shared.held_directory()) => shared.handshakes().name(addresses),
                _ = stop.wait_for(|stop| *stop) => return,
            }
            done = Some((digest, Instant::now()));
        }
        tokio::select! {
            changed = judged.changed() => if changed.is_err() { return },
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// The addresses that the directory names, as far as their names can be looked up. Peers are still where they were when it
/// expires, and must not be among strangers while a newer one is waited for.
async fn addresses(held: &HeldDirectory) -> Vec<SocketAddr> {
    let Some(directory) = held.newest() else { return Vec::new() };
    let mut found = Vec::new();
    let mut looking: JoinSet<Vec<SocketAddr>> = JoinSet::new();
    for (_, peer) in directory.peers() {
        let address = peer.address.clone();
        if let Ok(address) = address.parse() {
            found.push(address);
            continue;
        }
        if looking.len() >= LOOK_UPS
            && let Some(Ok(some)) = looking.join_next().await
        {
            found.extend(some);
        }
        looking.spawn(async move {
            // What cannot be looked up is no address; its agency is a stranger until it has been here.
            let Ok(Ok(some)) = timeout(LOOK_UP, lookup_host(address)).await else {
                return Vec::new();
            };
            some.collect()
        });
    }
    while let Some(some) = looking.join_next().await {
        found.extend(some.unwrap_or_default());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::tests::view;

    #[tokio::test]
    async fn peers_are_no_strangers_when_the_directory_has_expired() {
        let held = HeldDirectory::default();
        assert!(addresses(&held).await.is_empty());
        held.replace(Arc::new(view(&[("a.gov.cn", None)])));
        assert!(held.valid(crate::unix_now()).is_none(), "it has expired");
        assert_eq!(addresses(&held).await, ["192.0.2.1:7400".parse().expect("an address")]);
    }

    #[tokio::test]
    async fn a_task_that_ends_unasked_or_panics_is_an_error_that_names_it() {
        let mut tasks = Tasks::default();
        tasks.add("the one that goes on", std::future::pending());
        tasks.add("the one that panics", async { panic!("index {} is too large", 7) });
        let error = tasks.ended().await;
        assert_eq!(error.code(), "CHY-4050");
        let said = "the one that panics of the node ended unasked: panic: index 7 is too large";
        assert_eq!(error.to_string(), said);
        tasks.add_on(&Handle::current(), "the one that returns", async {});
        let said = tasks.ended().await.to_string();
        assert!(said.starts_with("the one that returns of the node ended unasked"), "{said}");
        let none = timeout(Duration::from_millis(50), tasks.ended()).await;
        assert!(none.is_err(), "nothing else has ended");
    }
}
