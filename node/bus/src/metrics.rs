//! What a node counts and measures, for Prometheus.

use std::{fmt, sync::Mutex, time::Duration};

use chancery_protocol::EnvelopeHeader;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::{Bus, NodeError};
use chancery_ledger::{clock::Moment, unix_now};

/// Bounds of the buckets of durations, in seconds.
const SECONDS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 3600.0, 86_400.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Code {
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct What {
    what: &'static str,
}

/// All of it.
pub struct Metrics {
    registry: Mutex<Registry>,
    accepted: Counter,
    received: Counter,
    received_bytes: Counter,
    refused: Family<Code, Counter>,
    receipts: Family<Code, Counter>,
    ended: Family<State, Counter>,
    delivery: Histogram,
    requests: Family<Status, Counter>,
    entries: Gauge,
    pending: Gauge,
    connected: Gauge,
    free: Gauge,
    ends: Family<What, Gauge>,
    skew: Gauge,
    two_directories: Counter,
    wrong: Gauge,
    times: Family<What, Counter>,
    rollbacks: Counter,
    full: Gauge,
    behind: Gauge,
    verified: Counter,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("chancery")),
            accepted: Counter::default(),
            received: Counter::default(),
            received_bytes: Counter::default(),
            refused: Family::default(),
            receipts: Family::default(),
            ended: Family::default(),
            delivery: Histogram::new(SECONDS),
            requests: Family::default(),
            entries: Gauge::default(),
            pending: Gauge::default(),
            connected: Gauge::default(),
            free: Gauge::default(),
            ends: Family::default(),
            skew: Gauge::default(),
            two_directories: Counter::default(),
            wrong: Gauge::default(),
            times: Family::default(),
            rollbacks: Counter::default(),
            full: Gauge::default(),
            behind: Gauge::default(),
            verified: Counter::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&self) {
        let mut registry = self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let r = &mut *registry;
        let text = "Documents taken in from clerks and systems";
        r.register("documents_accepted", text, self.accepted.clone());
        r.register("envelopes_received", "Envelopes taken from peers", self.received.clone());
        let text = "Bytes of ciphertext taken from peers";
        r.register_with_unit("received", text, Unit::Bytes, self.received_bytes.clone());
        let text = "Offers of peers that were refused or put off, by code";
        r.register("offers_refused", text, self.refused.clone());
        let text = "Receipts of peers that were not taken, by code";
        r.register("receipts_not_taken", text, self.receipts.clone());
        let text = "Deliveries that have ended, by how";
        r.register("deliveries_ended", text, self.ended.clone());
        let text = "From taking a document in to the recipient's evidence";
        r.register_with_unit("delivery", text, Unit::Seconds, self.delivery.clone());
        let text = "Requests by HTTP, by status";
        r.register("http_requests", text, self.requests.clone());
        r.register("ledger_entries", "Entries in the ledger", self.entries.clone());
        let text = "Deliveries that are not over";
        r.register("deliveries_pending", text, self.pending.clone());
        r.register("peers_connected", "Peers that are connected", self.connected.clone());
        let text = "Free room where the data is";
        r.register_with_unit("disk_free", text, Unit::Bytes, self.free.clone());
        let text = "Until the directory, a certificate or a key runs out";
        r.register_with_unit("expires_in", text, Unit::Seconds, self.ends.clone());
        let text = "How far this clock is ahead of the peers' clocks, in the middle";
        r.register_with_unit("clock_skew", text, Unit::Seconds, self.skew.clone());
        let text = "Times that two different directories of one version were seen";
        r.register("directory_conflicts", text, self.two_directories.clone());
        let text = "1 while this clock is known to be wrong, so that nothing is sealed";
        r.register("clock_wrong", text, self.wrong.clone());
        let text = "What was put off because a peer's time does not fit, by what";
        r.register("times_unfit", text, self.times.clone());
        let text = "Times that a peer's ledger was found smaller than it had been";
        r.register("peer_rollbacks", text, self.rollbacks.clone());
        let text =
            "1 while nothing is taken, as the disk is full or has less free than is to stay free";
        r.register("disk_full", text, self.full.clone());
        let text = "1 while nothing is sealed, as this is not known to be the newest ledger";
        r.register("ledger_behind", text, self.behind.clone());
        let text = "Signatures that this process has verified, or found bad";
        r.register("signatures_verified", text, self.verified.clone());
    }

    /// The registrar has signed two directories of one version.
    pub fn two_directories(&self) {
        self.two_directories.inc();
    }

    /// A document was taken in.
    pub fn accepted(&self) {
        self.accepted.inc();
    }

    /// An envelope was taken from a peer.
    pub fn received(&self, header: &EnvelopeHeader) {
        self.received.inc();
        self.received_bytes.inc_by(header.size);
    }

    /// An offer was not taken.
    pub fn refused(&self, code: &str) {
        self.refused.get_or_create(&Code { code: code.to_owned() }).inc();
    }

    /// A peer's receipt was not in order.
    pub fn receipt_not_taken(&self, code: &str) {
        self.receipts.get_or_create(&Code { code: code.to_owned() }).inc();
    }

    /// A time that a peer says does not fit: of its `receipt`, its `ledger`, its `cosignature`.
    pub fn unfit(&self, what: &'static str) {
        self.times.get_or_create(&What { what }).inc();
    }

    /// A peer's ledger was larger before.
    pub fn rolled_back(&self) {
        self.rollbacks.inc();
    }

    /// A delivery has ended, after so many seconds if with evidence.
    pub fn ended(&self, state: &'static str, after: Option<Duration>) {
        self.ended.get_or_create(&State { state }).inc();
        if let Some(after) = after {
            self.delivery.observe(after.as_secs_f64());
        }
    }

    /// A request by HTTP was answered.
    pub fn answered(&self, status: u16) {
        self.requests.get_or_create(&Status { status }).inc();
    }

    /// The text that Prometheus reads (OpenMetrics).
    ///
    /// # Errors
    /// [`NodeError::Store`] when the store cannot be read.
    pub fn encode(&self, bus: &Bus, pending: usize) -> Result<String, NodeError> {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.entries.set(signed(bus.ledger.checkpoint().checkpoint.size));
        self.pending.set(signed(pending as u64));
        let verified = chancery_crypto::verified_signatures();
        self.verified.inc_by(verified.saturating_sub(self.verified.get()));
        self.connected.set(signed(bus.connections.peers().len() as u64));
        self.free.set(signed(bus.limits.free(&bus.config.files.data)?));
        self.skew.set(bus.clocks.ahead(Moment::now()));
        self.wrong.set(i64::from(bus.ledger.check_clock().is_err()));
        self.full.set(i64::from(bus.limits.room(bus, 0).is_err()));
        self.behind.set(i64::from(bus.ledger.continuity().check().is_err()));
        let now = unix_now();
        for (what, end) in bus.ends() {
            self.ends.get_or_create(&What { what }).set(end - now);
        }
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Writing into a string does not fail.
        encode(&mut text, &registry).map_err(NodeError::broken)?;
        Ok(text)
    }
}
