//! How many documents of a peer may be refused. Every one costs this node signature checks, and some of them entries; who
//! goes on with it is put off before anything of it is looked at.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chancery_certs::AgencyName;
use chancery_protocol::Rejection;

/// The time over which refusals are counted.
const HOUR: Duration = Duration::from_secs(3600);
/// The most peers that are remembered. Beyond, the one that has been refused least makes room.
const MAX_PEERS: usize = 4096;

/// What peers may still have refused: so much an hour each, and an hour's worth saved up.
#[derive(Debug)]
pub(crate) struct RefusedBudget {
    /// Documents in an hour.
    rate: u32,
    spent: Mutex<HashMap<AgencyName, Spent>>,
}

/// What a peer has spent, in what it costs to earn it back.
#[derive(Debug, Clone, Copy)]
struct Spent {
    owed: Duration,
    at: Instant,
}

impl Spent {
    /// What is still owed then.
    fn owed(self, now: Instant) -> Duration {
        self.owed.saturating_sub(now.saturating_duration_since(self.at))
    }
}

impl RefusedBudget {
    /// So many documents an hour, of each peer.
    pub(crate) fn new(rate: u32) -> Self {
        Self { rate: rate.max(1), spent: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AgencyName, Spent>> {
        // Every change of it is whole, so it is sound even after a panic elsewhere.
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something of a peer may be looked at. It costs nothing.
    ///
    /// # Errors
    /// The refusal to be sent, which says when to come again.
    pub(crate) fn take(&self, peer: &AgencyName, now: Instant) -> Result<(), Rejection> {
        let owed = self.lock().get(peer).map_or(Duration::ZERO, |spent| spent.owed(now));
        let one = HOUR / self.rate;
        let Some(over) = (owed + one).checked_sub(HOUR).filter(|over| !over.is_zero()) else {
            return Ok(());
        };
        let again = u32::try_from(over.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        Err(Rejection::ManyRefused { most: self.rate, again })
    }

    /// What was refused may have been so for want of what has come now.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    /// A document of a peer was refused.
    pub(crate) fn put(&self, peer: &AgencyName, now: Instant) {
        let mut all = self.lock();
        if all.len() >= MAX_PEERS && !all.contains_key(peer) {
            all.retain(|_, spent| !spent.owed(now).is_zero());
            let least = all.iter().min_by_key(|(_, spent)| spent.owed(now));
            if let Some(least) =
                least.map(|(peer, _)| peer.clone()).filter(|_| all.len() >= MAX_PEERS)
            {
                all.remove(&least);
            }
        }
        let spent = all.entry(peer.clone()).or_insert(Spent { owed: Duration::ZERO, at: now });
        let owed = spent.owed(now).saturating_add(HOUR / self.rate).min(HOUR);
        *spent = Spent { owed, at: now };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(n: usize) -> AgencyName {
        format!("p{n}.cn").parse().expect("a name")
    }

    #[test]
    fn who_was_refused_too_often_is_put_off_until_an_hour_has_made_it_good() {
        let (budget, now) = (RefusedBudget::new(4), Instant::now());
        let peer = name(0);
        for _ in 0..4 {
            budget.take(&peer, now).expect("within the budget");
            budget.put(&peer, now);
        }
        let refusal = budget.take(&peer, now).expect_err("beyond it");
        assert_eq!((refusal.code(), refusal.retry_after()), ("CHY-5031", Some(901)));
        budget.take(&name(1), now).expect("others are not concerned");
        // It says when to come again, and it may then: once.
        let later = now + Duration::from_secs(901);
        budget.take(&peer, later).expect("a quarter of an hour has passed");
        budget.put(&peer, later);
        assert!(budget.take(&peer, later).is_err());
        // What is not spent is saved up for an hour, not for longer.
        let day = now + 24 * HOUR;
        for _ in 0..4 {
            budget.take(&peer, day).expect("within the budget");
            budget.put(&peer, day);
        }
        assert!(budget.take(&peer, day).is_err());
    }

    #[test]
    fn looking_costs_nothing_and_the_memory_is_bounded() {
        let (budget, now) = (RefusedBudget::new(2), Instant::now());
        (0..100).for_each(|_| budget.take(&name(0), now).expect("nothing was refused"));
        budget.put(&name(0), now);
        budget.put(&name(0), now);
        (1..=MAX_PEERS + 10).for_each(|n| budget.put(&name(n), now));
        assert_eq!(budget.lock().len(), MAX_PEERS);
        assert!(budget.take(&name(0), now).is_err(), "the one that was refused most stays");
        budget.put(&name(0), now + 2 * HOUR);
        (1..20).for_each(|n| budget.put(&name(9999 + n), now + 2 * HOUR));
        assert!(budget.lock().len() < 100, "those who have made it good are forgotten");
    }

    proptest! {
        /// In no hour more than twice the rate (what was saved up, and what came in) is looked at and refused.
        #[test]
        fn no_more_is_refused_than_an_hours_worth_and_what_has_come_in(
            rate in 1u32..50, steps in prop::collection::vec(0u64..600, 1..300)
        ) {
            let (budget, begin) = (RefusedBudget::new(rate), Instant::now());
            let (mut passed, mut refused) = (0, 0u64);
            for step in steps {
                passed += step;
                let now = begin + Duration::from_secs(passed);
                if budget.take(&name(0), now).is_ok() {
                    budget.put(&name(0), now);
                    refused += 1;
                }
            }
            prop_assert!(refused <= u64::from(rate) + u64::from(rate) * passed / 3600 + 1);
        }
    }
}
