//! What the documents of one peer may cost this node in signature checks. What is usual costs nothing of it; who sends what
//! is made to be dear has the rest of it looked at later.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chancery_certs::AgencyName;
use chancery_protocol::EnvelopeId;

/// What a document costs without being counted, in units of [`chancery_certs::SignatureBudget`]: two signatures, with chains,
/// lists and time-stamps.
const USUAL: u32 = 32;
/// What a peer may have saved up: part of a second of one processor.
const SAVED: u32 = 8192;
/// What it earns in a second: a twentieth of one.
const EARNED: u32 = 512;
/// The most peers that are remembered. Beyond, the one that owes least makes room.
const MAX_PEERS: usize = 4096;
/// The most envelopes of which it is remembered that they were paid for.
const MAX_PAID: usize = 64 * 1024;

/// What peers have spent lately, and not earned back.
#[derive(Debug, Default)]
pub(crate) struct CheckBudget {
    owed: Mutex<HashMap<AgencyName, Owed>>,
    paid: Mutex<Paid>,
}

/// The dear envelopes that were paid for. However often somebody here looks at one, its sender has sent it once.
#[derive(Debug, Default)]
struct Paid {
    all: HashSet<EnvelopeId>,
    /// The same by their senders, the oldest first.
    of: HashMap<AgencyName, VecDeque<EnvelopeId>>,
}

impl Paid {
    /// Remembers an envelope. Says whether it is new. Beyond the most, the oldest of whoever has the most makes room, so
    /// that nobody has what others have paid for forgotten.
    fn insert(&mut self, peer: &AgencyName, envelope: EnvelopeId) -> bool {
        if !self.all.insert(envelope) {
            return false;
        }
        self.of.entry(peer.clone()).or_default().push_back(envelope);
        if self.all.len() > MAX_PAID
            && let Some(most) = self.of.values_mut().max_by_key(|of| of.len())
            && let Some(oldest) = most.pop_front()
        {
            self.all.remove(&oldest);
            self.of.retain(|_, of| !of.is_empty());
        }
        true
    }
}

#[derive(Debug, Clone, Copy)]
struct Owed {
    /// In what it takes to earn it back.
    time: Duration,
    at: Instant,
}

impl Owed {
    fn left(self, now: Instant) -> Duration {
        self.time.saturating_sub(now.saturating_duration_since(self.at))
    }
}

/// How long it takes to earn so much.
fn earning(units: u32) -> Duration {
    Duration::from_secs(1) * units / EARNED
}

impl CheckBudget {
    fn lock(&self) -> MutexGuard<'_, HashMap<AgencyName, Owed>> {
        // Every change of it is whole, so it is sound even after a panic elsewhere.
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn paid(&self) -> MutexGuard<'_, Paid> {
        self.paid.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the document in an envelope of a peer may be looked at now: what was paid for may be again.
    pub(crate) fn may_open(&self, peer: &AgencyName, envelope: &EnvelopeId, now: Instant) -> bool {
        self.may(peer, now) || self.paid().all.contains(envelope)
    }

    /// The document in an envelope of a peer has cost so much. It is paid for once.
    pub(crate) fn charge_once(
        &self,
        peer: &AgencyName,
        envelope: &EnvelopeId,
        units: u32,
        now: Instant,
    ) {
        if units > USUAL && self.paid().insert(peer, *envelope) {
            self.charge(peer, units, now);
        }
    }

    /// Whether a document of a peer may be looked at now. One that is dearer than what is left may be, too: nothing is too
    /// dear for ever.
    pub(crate) fn may(&self, peer: &AgencyName, now: Instant) -> bool {
        self.lock().get(peer).is_none_or(|owed| owed.left(now) < earning(SAVED))
    }

    /// A document of a peer has cost so much.
    fn charge(&self, peer: &AgencyName, units: u32, now: Instant) {
        let Some(over) = units.checked_sub(USUAL).filter(|over| *over > 0) else { return };
        let mut all = self.lock();
        if all.len() >= MAX_PEERS && !all.contains_key(peer) {
            all.retain(|_, owed| !owed.left(now).is_zero());
            let least = all.iter().min_by_key(|(_, owed)| owed.left(now));
            if let Some(least) =
                least.map(|(peer, _)| peer.clone()).filter(|_| all.len() >= MAX_PEERS)
            {
                all.remove(&least);
            }
        }
        let owed = all.entry(peer.clone()).or_insert(Owed { time: Duration::ZERO, at: now });
        *owed = Owed { time: owed.left(now).saturating_add(earning(over)), at: now };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: usize) -> AgencyName {
        format!("p{n}.cn").parse().expect("a name")
    }

    #[test]
    fn what_is_usual_is_never_put_off_and_what_is_dear_is_until_it_is_earned() {
        let (budget, now) = (CheckBudget::default(), Instant::now());
        let (usual, dear) = (name(0), name(1));
        for _ in 0..100_000 {
            assert!(budget.may(&usual, now));
            budget.charge(&usual, USUAL, now);
        }
        let mut looked = 0;
        while budget.may(&dear, now) {
            budget.charge(&dear, USUAL + 1000, now);
            looked += 1;
        }
        assert_eq!(looked, SAVED.div_ceil(1000), "so many are looked at");
        assert!(budget.may(&usual, now), "others are not concerned");
        assert!(!budget.may(&dear, now));
        let minute = now + Duration::from_secs(60);
        assert!(budget.may(&dear, minute), "it is earned back");
        budget.charge(&dear, u32::MAX, minute);
        assert!(!budget.may(&dear, minute));
    }

    fn envelope(n: u32) -> EnvelopeId {
        let bytes = [&n.to_be_bytes()[..], &[0; 28]].concat();
        EnvelopeId::from_slice(&bytes).expect("32 bytes")
    }

    #[test]
    fn an_envelope_is_paid_for_once_however_often_it_is_looked_at() {
        let (budget, now, peer) = (CheckBudget::default(), Instant::now(), name(0));
        for _ in 0..1000 {
            for n in 0..4 {
                assert!(budget.may_open(&peer, &envelope(n), now));
                budget.charge_once(&peer, &envelope(n), USUAL + 1000, now);
            }
        }
        assert_eq!(budget.lock()[&peer].left(now), earning(4000));
        assert!(budget.may(&peer, now));
        // What is new is charged, and what was paid for is looked at all the same when too much is owed.
        budget.charge_once(&peer, &envelope(4), USUAL + SAVED, now);
        assert!(!budget.may(&peer, now) && !budget.may_open(&peer, &envelope(5), now));
        assert!(budget.may_open(&peer, &envelope(0), now));
    }

    #[test]
    fn what_was_paid_for_is_not_forgotten_for_a_flood_of_another() {
        let (mut paid, most) = (Paid::default(), u32::try_from(MAX_PAID).expect("small"));
        assert!(paid.insert(&name(0), envelope(0)));
        for n in 1..most + 10 {
            assert!(paid.insert(&name(1), envelope(n)));
        }
        assert_eq!(paid.all.len(), MAX_PAID);
        assert_eq!(paid.of.values().map(VecDeque::len).sum::<usize>(), MAX_PAID);
        assert!(!paid.insert(&name(0), envelope(0)) && paid.insert(&name(1), envelope(1)));
    }

    #[test]
    fn the_memory_is_bounded_and_who_owes_most_stays_in_it() {
        let (budget, now) = (CheckBudget::default(), Instant::now());
        budget.charge(&name(0), 10 * SAVED, now);
        (1..=MAX_PEERS + 10).for_each(|n| budget.charge(&name(n), 2 * USUAL, now));
        assert_eq!(budget.lock().len(), MAX_PEERS);
        assert!(!budget.may(&name(0), now));
    }
}
