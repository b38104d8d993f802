//! What one peer may ask of this node. Over a limit it is told so, and when to come again.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chancery_certs::AgencyName;
use chancery_protocol::{RateLimit, Rejection};

use chancery_store::StoreError;

use crate::{Bus, NodeConfig, NodeError, accept::open_files};

/// Seconds of offers that a peer may save up.
const SAVED: u32 = 10;
/// For how long the free room on the disk is believed.
const LOOK: Duration = Duration::from_secs(1);

/// What the peers have asked lately.
#[derive(Debug)]
pub(crate) struct PeerLimits {
    start: Instant,
    rate: u32,
    rates: Mutex<HashMap<AgencyName, RateLimit>>,
    /// What is arriving from each peer.
    arriving: Arc<Mutex<HashMap<AgencyName, Arrivals>>>,
    /// Contents that may be arriving at once, each of which is an open file: of one peer, and of all.
    files: (usize, usize),
    /// Bytes of each sender that are carried on, and gone once they are delivered.
    transit: Mutex<HashMap<AgencyName, u64>>,
    free: Mutex<Option<(Instant, u64)>>,
}

/// What is arriving from a peer.
#[derive(Debug, Default)]
struct Arrivals {
    bytes: u64,
    contents: usize,
}

/// A place among what is arriving; it is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Arriving {
    all: Arc<Mutex<HashMap<AgencyName, Arrivals>>>,
    peer: AgencyName,
    bytes: u64,
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let mut all = lock(&self.all);
        if let Some(own) = all.get_mut(&self.peer) {
            own.bytes = own.bytes.saturating_sub(self.bytes);
            own.contents = own.contents.saturating_sub(1);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a peer is told when there is no room: to come again.
pub(crate) fn full(error: &NodeError) -> Rejection {
    match error {
        NodeError::Store(StoreError::Full(_)) => Rejection::NoRoom,
        error => Rejection::Passing(error.to_string()),
    }
}

/// Whether `bytes` more leave what is to stay free.
fn enough(data: &Path, free: u64, stays: u64, bytes: u64) -> Result<(), NodeError> {
    if free.checked_sub(stays).is_some_and(|left| left >= bytes) {
        return Ok(());
    }
    let data = data.display();
    Err(NodeError::Store(StoreError::Full(format!(
        "{data} has {free} bytes free; {bytes} more are to come, and limits.free_bytes keeps {stays}"
    ))))
}

impl PeerLimits {
    /// Nobody has asked for anything yet.
    pub(crate) fn new(config: &NodeConfig) -> Self {
        // As many as a peer may have streams, however many connections it makes; and of the files that may be open, an
        // eighth for one and a quarter for all.
        let (streams, files) = (config.limits.peer_streams as usize, open_files());
        Self {
            files: (streams.min(files / 8), files / 4),
            start: Instant::now(),
            rate: config.limits.peer_rate,
            rates: Mutex::default(),
            arriving: Arc::default(),
            transit: Mutex::default(),
            free: Mutex::default(),
        }
    }

    /// Counts an offer. The map has only certified peers in it, so it cannot be made to grow without bound.
    pub(crate) fn offer(&self, peer: &AgencyName) -> Result<(), Rejection> {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut rates = lock(&self.rates);
        let limit = rates.entry(peer.clone());
        let limit = limit.or_insert_with(|| RateLimit::new(self.rate, SAVED, now));
        limit.take(now).map_err(|wait| {
            let again = u32::try_from(wait.div_ceil(1000)).unwrap_or(u32::MAX).max(1);
            Rejection::TooOften { rate: self.rate, again }
        })
    }

    /// Makes room for an envelope of `sender`, of whom `stored` bytes are kept, that `peer` hands over.
    pub(crate) fn admit(
        &self,
        bus: &Bus,
        peer: &AgencyName,
        sender: &AgencyName,
        stored: u64,
        bytes: u64,
    ) -> Result<Arriving, Rejection> {
        let limits = &bus.config.limits;
        self.room(bus, bytes).map_err(|error| full(&error))?;
        let transit = lock(&self.transit).get(sender).copied().unwrap_or_default();
        let most = limits.peer_stored_bytes;
        if stored.saturating_add(transit).saturating_add(bytes) > most {
            let sender = sender.clone();
            return Err(Rejection::MuchKept { sender, bytes: stored, limit: most });
        }
        let mut all = lock(&self.arriving);
        let contents: usize = all.values().map(|own| own.contents).sum();
        let arriving = all.entry(peer.clone()).or_default();
        let (most_own, most_all) = self.files;
        if arriving.contents >= most_own || contents >= most_all {
            return Err(Rejection::ManyArriving { own: arriving.contents, all: contents });
        }
        let most = limits.peer_arriving_bytes;
        // One alone may be as large as an envelope may be.
        if arriving.bytes > 0 && arriving.bytes.saturating_add(bytes) > most {
            return Err(Rejection::MuchArriving { bytes: arriving.bytes, limit: most });
        }
        arriving.bytes = arriving.bytes.saturating_add(bytes);
        arriving.contents += 1;
        Ok(Arriving { all: self.arriving.clone(), peer: peer.clone(), bytes })
    }

    /// Whether so many bytes more may be taken from anybody, peers and own clerks alike. What is kept free is for the entries
    /// about what is here already.
    ///
    /// # Errors
    /// [`StoreError::Full`].
    pub(crate) fn room(&self, bus: &Bus, bytes: u64) -> Result<(), NodeError> {
        if let Some(why) = bus.ledger.full() {
            return Err(StoreError::Full(why).into());
        }
        let data = &bus.config.files.data;
        enough(data, self.free(data)?, bus.config.limits.free_bytes, bytes)
    }

    /// Counts what is carried on, or is not any more.
    pub(crate) fn carry(&self, sender: &AgencyName, more: i64) {
        let mut transit = lock(&self.transit);
        let bytes = transit.entry(sender.clone()).or_default();
        *bytes = bytes.saturating_add_signed(more);
    }

    /// The bytes that are free where the data is.
    pub(crate) fn free(&self, data: &Path) -> Result<u64, NodeError> {
        let mut known = lock(&self.free);
        if let Some((at, free)) = *known
            && at.elapsed() < LOOK
        {
            return Ok(free);
        }
        let disk = rustix::fs::statvfs(data).map_err(|e| NodeError::file(data)(e.into()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        *known = Some((Instant::now(), free));
        Ok(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_stay_free_stays_free_whoever_sends() {
        let room = |free, bytes| enough(Path::new("/data"), free, 1000, bytes);
        room(1000, 0).expect("it is free");
        room(1500, 500).expect("just enough");
        for (free, bytes) in [(999, 0), (1500, 501), (0, u64::MAX), (u64::MAX, u64::MAX)] {
            let error = room(free, bytes).expect_err("too little");
            assert_eq!(error.code(), "CHY-4040");
            let refusal = full(&error);
            assert!(refusal.retry_after().is_some() && refusal.code() == "CHY-5012", "{refusal:?}");
            assert!(!refusal.to_string().contains("/data"), "{refusal:?}");
        }
    }
}
