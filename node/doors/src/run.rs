//! Starting and stopping a node.

use std::{
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chancery_bus::{Bus, NodeConfig, NodeError, tasks::Tasks, upkeep};
use chancery_desk::{Office, arrivals::Indexer};
use chancery_store::{StoreError, blocking, in_place};
use sd_notify::NotifyState;
use tokio::{net::UnixListener, runtime::Handle};

use crate::{http, monitor, socket};

/// How long shutting down may take.
const DRAIN: Duration = Duration::from_secs(10);

/// A running node.
#[derive(Debug)]
pub struct Node {
    office: Arc<Office>,
    tasks: Tasks,
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
        let waits = Arc::new(AtomicBool::new(true));
        let opened =
            in_place(|here| Bus::open(here, config, Box::new(Indexer), || stand_by(waits.clone())));
        waits.store(false, Ordering::Relaxed);
        let (bus, mark) = opened?;
        let office = Arc::new(Office::new(bus)?);
        let pending = in_place(|here| office.bus().take_up(here, &mark))?;
        let socket = listen(office.config())?;
        let config = office.config();
        let api = match config.api.listen {
            Some(address) => Some(monitor::listen(address).await?),
            None => None,
        };
        let watched = match config.monitor.listen {
            Some(address) => Some(monitor::listen(address).await?),
            None => None,
        };
        in_place(|here| chancery_desk::arrivals::index_waiting(here, &office))?;
        tracing::info!(
            agency = %office.identity().agency,
            listen = %office.config().listen,
            entries = office.ledger().checkpoint().checkpoint.size,
            pending,
            "node is up"
        );
        let mut tasks = Tasks::default();
        office.bus().run_in(&mut tasks, mark);
        office.run_in(&mut tasks);
        tasks.add("the task that reloads", reload_on_signal(office.clone()));
        if let Some(listener) = api {
            tasks.add_on(desk, "the HTTP interface", http::serve(office.clone(), listener));
        }
        if let Some(listener) = watched {
            tasks.add("the monitor", monitor::serve(office.clone(), listener));
        }
        tasks.add_on(desk, "the local server", socket::serve(office.clone(), socket));
        monitor::notify(&[NotifyState::Ready]);
        // It is not alive before it is ready.
        if sd_notify::watchdog_enabled().is_some() {
            tasks.add("the watchdog's task", monitor::watchdog(office.clone()));
        }
        Ok(Self { office, tasks })
    }

    /// Runs until `stop` resolves, then drains: no new work is taken, commits under way end.
    ///
    /// # Errors
    /// [`NodeError::Store`] when it stopped because the store failed: it cannot keep its word then. [`NodeError::Ledger`] when its
    /// ledger is empty, and peers have shown that it was not.
    /// [`NodeError::Ended`] when a part of it ended unasked: what is left would only seem to be a node.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), NodeError> {
        let mut failure = self.office.ledger().failure();
        let mut failed = None;
        tokio::select! {
            () = stop => {}
            why = failure.wait_for(Option::is_some) => {
                let why = why.ok().and_then(|why| why.clone());
                tracing::error!(why, "the store failed; stopping");
                failed = why.map(|why| NodeError::Store(StoreError::Broken(why)));
            }
            why = taken_over(&self.office) => {
                tracing::error!(why, "another process has taken over the writing; stopping");
                failed = Some(NodeError::Store(StoreError::Fenced(why)));
            }
            error = upkeep::lost(&self.office) => {
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
        self.office.bus().close(&mut self.tasks, DRAIN).await;
        // A socket that is gone already is what we want.
        drop(std::fs::remove_file(&self.office.config().files.socket));
        tracing::info!("stopped");
        failed.map_or(Ok(()), Err)
    }
}

/// Tells systemd that the unit is up, and alive, as long as it waits for another process to end: nothing else will come of it until
/// then.
fn stand_by(waits: Arc<AtomicBool>) {
    let status = NotifyState::Status("another process may write; this one stands by");
    monitor::notify(&[NotifyState::Ready, status]);
    let Some(within) = sd_notify::watchdog_enabled() else { return };
    std::thread::spawn(move || {
        while waits.load(Ordering::Relaxed) {
            monitor::notify(&[NotifyState::Watchdog]);
            std::thread::sleep(within / 3);
        }
    });
}

/// Returns when another process has taken over the writing of the store.
async fn taken_over(office: &Office) -> String {
    let Some(mut lost) = office.bus().lost() else { return std::future::pending().await };
    let why = lost.wait_for(Option::is_some).await;
    why.ok().and_then(|why| why.clone()).unwrap_or_default()
}

/// Takes up new certificates on SIGHUP.
async fn reload_on_signal(office: Arc<Office>) {
    use tokio::signal::unix::{SignalKind, signal};
    let mut stop = office.stop_signal();
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
        let work = office.clone();
        if let Err(error) = blocking(move |here| work.reload(here)).await {
            tracing::error!(%error, code = error.code(), "the files are not taken up; all goes on as it was");
        }
        monitor::notify(&[NotifyState::Ready]);
    }
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
