//! What the documents of one peer may cost this node in signature checks. What is usual costs nothing of it; who sends what
//! is made to be dear has the rest of it looked at later.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chancery_certs::AgencyName;

/// What a document costs without being counted, in units of [`chancery_certs::SignatureBudget`]: two signatures, with chains,
/// lists and time-stamps.
const USUAL: u32 = 32;
/// What a peer may have saved up: part of a second of one processor.
const SAVED: u32 = 8192;
/// What it earns in a second: a twentieth of one.
const EARNED: u32 = 512;
/// The most peers that are remembered. Beyond, the one that owes least makes room.
const MAX_PEERS: usize = 4096;

/// What peers have spent lately, and not earned back.
#[derive(Debug, Default)]
pub struct CheckBudget(Mutex<HashMap<AgencyName, Owed>>);

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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a document of a peer may be looked at now. One that is dearer than what is left may be, too: nothing is too
    /// dear for ever.
    pub fn may(&self, peer: &AgencyName, now: Instant) -> bool {
        self.lock().get(peer).is_none_or(|owed| owed.left(now) < earning(SAVED))
    }

    /// A document of a peer has cost so much.
    pub fn charge(&self, peer: &AgencyName, units: u32, now: Instant) {
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

    #[test]
    fn the_memory_is_bounded_and_who_owes_most_stays_in_it() {
        let (budget, now) = (CheckBudget::default(), Instant::now());
        budget.charge(&name(0), 10 * SAVED, now);
        (1..=MAX_PEERS + 10).for_each(|n| budget.charge(&name(n), 2 * USUAL, now));
        assert_eq!(budget.lock().len(), MAX_PEERS);
        assert!(!budget.may(&name(0), now));
    }
}
