//! What is handed to the couriers. What is pending is durable in the store; their order is
//! [`chancery_protocol::Courier`]'s business.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use chancery_certs::AgencyName;
use chancery_protocol::{EnvelopeId, Urgency};
use tokio::sync::Notify;

/// What was handed to one courier, and not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    new: Mutex<Vec<(EnvelopeId, Urgency)>>,
    /// Told when something was queued.
    pub more: Notify,
}

impl Queue {
    /// Takes what was queued since the last time.
    pub(crate) fn take(&self) -> Vec<(EnvelopeId, Urgency)> {
        std::mem::take(&mut self.new.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The queues of all recipients.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    queues: Mutex<HashMap<AgencyName, Arc<Queue>>>,
    /// Deliveries that are not over: counting them in the store would cost more the more there are.
    pending: AtomicUsize,
    /// Told when there is a queue for a recipient that had none.
    pub new_peer: Notify,
}

impl Outbound {
    /// Queues a delivery whose pending record is durable.
    pub(crate) fn enqueue(&self, envelope: EnvelopeId, agency: AgencyName, urgency: Urgency) {
        self.pending.fetch_add(1, Ordering::Relaxed);
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.entry(agency).or_insert_with(|| {
            self.new_peer.notify_one();
            Arc::default()
        });
        queue.new.lock().unwrap_or_else(PoisonError::into_inner).push((envelope, urgency));
        queue.more.notify_one();
    }

    /// Counts a delivery whose end is durable.
    pub(crate) fn over(&self) {
        self.pending.fetch_sub(1, Ordering::Relaxed);
    }

    /// The number of deliveries that are not over.
    pub(crate) fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// All queues.
    pub(crate) fn queues(&self) -> Vec<(AgencyName, Arc<Queue>)> {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.iter().map(|(agency, queue)| (agency.clone(), queue.clone())).collect()
    }
}
