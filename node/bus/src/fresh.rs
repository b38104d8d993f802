//! What was accepted a moment ago and is not with everybody yet: a courier need not read back, and take apart, what was
//! written just now. Behind a backlog that reading was a fifth of a sender's time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chancery_protocol::{EnvelopeHeader, EnvelopeId, RecipientParts};

/// The most bytes that are held.
const ROOM: usize = 8 << 20;
/// After so long without any progress, what is held makes room.
const STALE: Duration = Duration::from_secs(10);

/// A small envelope of this agency.
#[derive(Debug)]
pub struct FreshEnvelope {
    /// Its outer header.
    pub header: EnvelopeHeader,
    /// What it tells each recipient alone.
    pub parts: RecipientParts,
    /// The sealed outer header.
    pub sealed: Vec<u8>,
    /// The ciphertext.
    pub content: Vec<u8>,
}

impl FreshEnvelope {
    /// The bytes that it takes, about: the header has most of what it is sealed as.
    fn size(&self) -> usize {
        2 * self.sealed.len() + self.content.len()
    }
}

/// The envelopes of which no delivery has failed yet.
#[derive(Debug)]
pub struct FreshEnvelopes(Mutex<Held>);

#[derive(Debug)]
struct Held {
    /// With each, how many deliveries are not over.
    envelopes: HashMap<EnvelopeId, (Arc<FreshEnvelope>, usize)>,
    bytes: usize,
    /// When a delivery of one of them has ended last.
    moved: Instant,
}

impl Default for FreshEnvelopes {
    fn default() -> Self {
        Self(Mutex::new(Held { envelopes: HashMap::new(), bytes: 0, moved: Instant::now() }))
    }
}

impl Held {
    fn remove(&mut self, id: &EnvelopeId) {
        if let Some((envelope, _)) = self.envelopes.remove(id) {
            self.bytes = self.bytes.saturating_sub(envelope.size());
        }
        self.moved = Instant::now();
    }
}

impl FreshEnvelopes {
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        // Every change of it is whole, so it is sound even after a panic elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds an envelope that is to go to so many recipients, if there is room. Those that came before stay: they are
    /// carried first.
    pub fn put(&self, id: EnvelopeId, envelope: FreshEnvelope, recipients: usize) {
        let mut held = self.held();
        if held.bytes + envelope.size() > ROOM {
            if held.moved.elapsed() < STALE {
                return;
            }
            (held.envelopes, held.bytes) = (HashMap::new(), 0);
        }
        held.bytes += envelope.size();
        held.envelopes.insert(id, (Arc::new(envelope), recipients));
    }

    /// The envelope, if it is held.
    pub fn get(&self, id: &EnvelopeId) -> Option<Arc<FreshEnvelope>> {
        self.held().envelopes.get(id).map(|(envelope, _)| envelope.clone())
    }

    /// One of its deliveries is over. After the last it is not held any more.
    pub fn over(&self, id: &EnvelopeId) {
        let mut held = self.held();
        match held.envelopes.get_mut(id) {
            Some((_, left)) if *left > 1 => *left -= 1,
            Some(_) => held.remove(id),
            None => {}
        }
    }

    /// It is not held any more: from now on, what the store says of its deliveries counts.
    pub fn forget(&self, id: &EnvelopeId) {
        self.held().remove(id);
    }
}

#[cfg(test)]
mod tests {
    use chancery_crypto::Digest;
    use chancery_protocol::Urgency;

    use super::*;

    fn id(n: u8) -> EnvelopeId {
        EnvelopeId::from_slice(&[n; 32]).expect("32 bytes")
    }

    fn envelope(size: usize) -> FreshEnvelope {
        let header = EnvelopeHeader {
            root: Digest::of(b"root"),
            size: size as u64,
            sender: "a.gov.cn".parse().expect("a name"),
            created: 0,
            expires: 1,
            urgency: Urgency::Routine,
            commitment: Digest::of(b"document"),
            recipients: Vec::new(),
        };
        let parts = RecipientParts::default();
        FreshEnvelope { header, parts, sealed: Vec::new(), content: vec![0; size] }
    }

    #[test]
    fn an_envelope_is_held_until_its_last_delivery_or_its_first_failure() {
        let fresh = FreshEnvelopes::default();
        fresh.put(id(1), envelope(10), 2);
        fresh.over(&id(1));
        assert!(fresh.get(&id(1)).is_some());
        fresh.over(&id(1));
        assert!(fresh.get(&id(1)).is_none());
        fresh.put(id(2), envelope(10), 2);
        fresh.forget(&id(2));
        assert!(fresh.get(&id(2)).is_none());
        fresh.over(&id(2));
        assert_eq!(fresh.held().bytes, 0);
    }

    #[test]
    fn what_is_held_is_bounded_and_makes_room_when_nothing_moves() {
        let fresh = FreshEnvelopes::default();
        for n in 0..4 {
            fresh.put(id(n), envelope(ROOM / 3), 1);
        }
        assert!(fresh.get(&id(0)).is_some() && fresh.get(&id(3)).is_none());
        let long_ago = Instant::now().checked_sub(2 * STALE).expect("the clock is older");
        fresh.held().moved = long_ago;
        fresh.put(id(4), envelope(ROOM / 3), 1);
        assert!(fresh.get(&id(0)).is_none() && fresh.get(&id(4)).is_some());
    }
}
