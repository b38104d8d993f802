//! What waits to be delivered, by peer. What is pending is durable in the store; the queues are only
//! its order.

use std::{
    collections::{BinaryHeap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use chancery_certs::AgencyName;
use chancery_protocol::{EnvelopeId, Urgency};
use tokio::sync::Notify;

/// One delivery in a queue. Urgent ones first, then in order of submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    urgency: Urgency,
    order: u64,
    pub envelope: EnvelopeId,
    /// How often it was tried.
    pub attempt: u32,
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |item: &Self| (item.urgency.priority(), std::cmp::Reverse(item.order));
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What waits for one peer.
#[derive(Debug, Default)]
pub struct Queue {
    ready: Mutex<BinaryHeap<Item>>,
    /// Told when something was queued.
    pub more: Notify,
}

impl Queue {
    /// Queues a delivery.
    pub fn push(&self, item: Item) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).push(item);
        self.more.notify_one();
    }

    /// The most urgent delivery, if any waits.
    pub fn pop(&self) -> Option<Item> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// The queues of all peers.
#[derive(Debug, Default)]
pub struct Outbound {
    queues: Mutex<HashMap<AgencyName, Arc<Queue>>>,
    order: std::sync::atomic::AtomicU64,
    /// Told when there is a queue for a peer that had none.
    pub new_peer: Notify,
}

impl Outbound {
    /// Queues a delivery whose pending record is durable.
    pub fn enqueue(&self, envelope: EnvelopeId, agency: AgencyName, urgency: Urgency) {
        let order = self.order.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.entry(agency).or_insert_with(|| {
            self.new_peer.notify_one();
            Arc::default()
        });
        queue.push(Item { urgency, order, envelope, attempt: 0 });
    }

    /// All queues.
    pub fn queues(&self) -> Vec<(AgencyName, Arc<Queue>)> {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.iter().map(|(agency, queue)| (agency.clone(), queue.clone())).collect()
    }
}
