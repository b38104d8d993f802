//! What a bus does by itself, again and again.

use std::{sync::Arc, time::Duration};

use chancery_ledger::{Commit, records::EnvelopeRecord, unix_now};
use chancery_protocol::EnvelopeId;
use chancery_store::{Blocking, Listed, Table, blocking, files::read_file};

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

/// Removes, now and then, contents that nothing speaks of: of a commit that was never made. Others may be on their way to theirs, so
/// only what has lain there for days is, and only by whoever writes this ledger.
async fn keep_collecting(bus: Arc<Bus>) {
    let mut stop = bus.stop.subscribe();
    loop {
        tokio::select! {
            () = tokio::time::sleep(COLLECT_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if !bus.ledger.continuity().is_open() {
            continue;
        }
        let work = bus.clone();
        match blocking(move |here| collect(here, &work, UNSPOKEN)).await {
            Ok(0) => {}
            Ok(contents) => {
                tracing::info!(contents, "contents were removed that nothing speaks of")
            }
            Err(error) => {
                tracing::warn!(%error, code = error.code(), "contents that nothing speaks of could not be looked for");
            }
        }
    }
}

/// Removes contents that have been there for so long and have no record. Gives how many.
fn collect(here: &Blocking, bus: &Bus, unspoken: Duration) -> Result<u64, NodeError> {
    let mut removed = 0;
    for Listed { name, age } in bus.content.whole()? {
        let id = hex::decode(&name).ok().and_then(|bytes| EnvelopeId::from_slice(&bytes));
        // What has another name is not ours.
        let Some(id) = id.filter(|_| age >= unspoken) else { continue };
        if EnvelopeRecord::get(bus.store.on(here), &id)?.is_none() && bus.claim(&id) {
            let gone = bus.content.remove(&id);
            bus.release(&id);
            gone?;
            removed += 1;
        }
    }
    Ok(removed)
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

/// Between two looks for contents that nothing speaks of, and how long they must have lain there.
const COLLECT_EVERY: Duration = Duration::from_secs(6 * 3600);
const UNSPOKEN: Duration = Duration::from_secs(7 * 86_400);

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
        tasks.add("the task that collects contents", keep_collecting(self.clone()));
        tasks.add("the clock", clock::watch(self.clone()));
    }
}

#[cfg(test)]
mod tests {
    use chancery_test_domain::Domain;

    use super::*;
    use crate::testing::{bus, sealed};

    #[tokio::test(flavor = "multi_thread")]
    async fn contents_that_nothing_speaks_of_are_removed_once_they_have_lain_there() {
        let domain = Domain::new(&[("a.cn", None), ("b.cn", None)]);
        let bus = bus(&domain, "a.cn");
        let (kept, gone) = (
            sealed(&domain, "b.cn", &["a.cn"], |_| {}),
            sealed(&domain, "b.cn", &["a.cn"], |_| {}),
        );
        kept.keep(&bus, false);
        let folder = bus.config.contents();
        for id in [kept.opened.id, gone.opened.id] {
            std::fs::write(folder.join(id.to_string()), b"x").expect("it is written");
        }
        std::fs::write(folder.join("notes"), b"x").expect("it is written");
        let days = Duration::from_secs(7 * 86_400);
        let collect = |unspoken| {
            tokio::task::block_in_place(|| {
                chancery_store::in_place(|here| collect(here, &bus, unspoken))
            })
        };
        assert_eq!(collect(days).expect("it is looked"), 0);
        // One that is arriving is somebody's.
        assert!(bus.claim(&gone.opened.id));
        assert_eq!(collect(Duration::ZERO).expect("it is looked"), 0);
        bus.release(&gone.opened.id);
        assert_eq!(collect(Duration::ZERO).expect("it is looked"), 1);
        assert!(bus.content.has_whole(&kept.opened.id).expect("it is looked for"));
        assert!(folder.join("notes").exists());
    }
}
