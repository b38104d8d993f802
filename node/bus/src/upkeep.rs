//! What a bus does by itself, again and again.

use std::{sync::Arc, time::Duration};

use chancery_ledger::{Commit, unix_now};
use chancery_store::{Blocking, Table, blocking, files::read_file};

use crate::{
    NodeError,
    bus::{Bus, DIRECTORY},
    clock, continuity,
    continuity::Mark,
    listener, outbound,
    tasks::Tasks,
    witness,
};

/// Days before something runs out in which the log says so.
const WARN_DAYS: i64 = 14;

/// Between two looks at whether there is room on the disk.
const ROOM_EVERY: Duration = Duration::from_secs(1);

/// How often those who are connected are judged again.
const JUDGE_EVERY: Duration = Duration::from_secs(10);

/// How often it is said.
const WARN_EVERY: Duration = Duration::from_secs(6 * 3600);

/// Returns when it is proved that the ledger was lost, and nothing of it is here. What has entries can be read, and stays up for that.
pub async fn lost(bus: &Bus) -> NodeError {
    let error = bus.ledger.continuity().behind().await;
    if bus.ledger.checkpoint().checkpoint.size > 0 {
        std::future::pending::<()>().await;
    }
    error.into()
}

/// Tries, while the disk is full, whether there is room again, and says when what is to stay free is used up.
async fn keep_room(bus: Arc<Bus>) {
    let mut stop = bus.stop.subscribe();
    let mut short = false;
    loop {
        if bus.ledger.full().is_some() {
            let mut probe = Commit::default();
            probe.batch.put(Table::Meta, *b"room", []);
            // Whether it finds room is noted, and said, where it is written.
            drop(bus.ledger.commit(probe).await);
        } else if let Err(error) = bus.limits.room(&bus, 0) {
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

/// Judges again, from time to time, all who are connected: certificates end, lists run out, clocks are set.
async fn keep_judging(bus: Arc<Bus>) {
    let mut stop = bus.stop.subscribe();
    loop {
        tokio::select! {
            () = tokio::time::sleep(JUDGE_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let work = bus.clone();
        let judged = blocking(move |_| -> Result<(), NodeError> {
            work.judge_connected();
            Ok(())
        });
        if let Err(error) = judged.await {
            tracing::error!(%error, "those who are connected could not be judged");
        }
    }
}

/// Says in time what will run out: the directory, certificates, the encryption key.
async fn warn_of_ends(bus: Arc<Bus>) {
    let mut stop = bus.stop.subscribe();
    loop {
        for (what, end) in bus.ends() {
            let days = (end - unix_now()) / 86_400;
            if end < unix_now() {
                tracing::error!(what, expired = %chancery_certs::rfc3339(end), "it has expired");
            } else if days < WARN_DAYS {
                tracing::warn!(what, days, expires = %chancery_certs::rfc3339(end), "it runs out soon");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(WARN_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Takes the newest directory there is: the one kept in the store, or the file.
fn load_directory(here: &Blocking, bus: &Bus) -> Result<(), NodeError> {
    if let Some(kept) = bus.store.on(here).get(Table::Meta, DIRECTORY)?
        && let Err(error) = bus.install_directory(here, &kept)
    {
        tracing::warn!(%error, "the directory that was kept is not usable any more");
    }
    let path = &bus.config.files.directory;
    if path.exists() {
        match bus.install_directory(here, &read_file(path)?) {
            Ok(_) | Err(NodeError::OldDirectory { .. }) => {}
            Err(error) => tracing::warn!(%error, file = %path.display(), "directory not usable"),
        }
    }
    Ok(())
}

impl Bus {
    /// Takes up what is there before anybody is let in: whether the ledger may go on, the directory, what is pending. Gives how
    /// many deliveries are.
    ///
    /// # Errors
    /// [`NodeError`], when what is there cannot be read.
    pub fn take_up(self: &Arc<Self>, here: &Blocking, mark: &Mark) -> Result<usize, NodeError> {
        continuity::begin(here, self, mark)?;
        load_directory(here, self)?;
        outbound::recover(here, self)
    }

    /// Has everything run that a bus does by itself.
    pub fn run_in(self: &Arc<Self>, tasks: &mut Tasks, mark: Mark) {
        let asking = continuity::keep_asking(self.clone(), mark);
        tasks.add("the task that asks what was seen", asking);
        tasks.add("the task that keeps the mark", continuity::keep_mark(self.clone()));
        tasks.add("the task that looks for room", keep_room(self.clone()));
        tasks.add("the couriers' task", outbound::supervise(self.clone()));
        tasks.add("the task that lets peers in", listener::accept(self.clone()));
        tasks.add("the task that knows peers' addresses", listener::keep_named(self.clone()));
        tasks.add("the witness", witness::watch(self.clone()));
        tasks.add("the task that keeps the superior", outbound::keep_superior(self.clone()));
        tasks.add("the task that warns of ends", warn_of_ends(self.clone()));
        tasks.add("the task that judges who is connected", keep_judging(self.clone()));
        tasks.add("the clock", clock::watch(self.clone()));
    }
}
