//! How often somebody may do something.

/// A token bucket: so many a second, and what was not used is saved up to a bound. Time comes in as milliseconds of a
/// clock that does not go back.
#[derive(Debug, Clone)]
pub struct RateLimit {
    /// Thousandths of a token that come in a millisecond: tokens a second.
    rate: u64,
    /// Thousandths of a token at most.
    most: u64,
    left: u64,
    at: u64,
}

impl RateLimit {
    /// `rate` a second, with what comes in `seconds` saved up at most. It begins full.
    pub fn new(rate: u32, seconds: u32, now: u64) -> Self {
        let rate = u64::from(rate.max(1));
        let most = rate * 1000 * u64::from(seconds.max(1));
        Self { rate, most, left: most, at: now }
    }

    /// Takes one.
    ///
    /// # Errors
    /// The milliseconds until there is one again.
    pub fn take(&mut self, now: u64) -> Result<(), u64> {
        // A clock that went back gives nothing, and takes nothing either.
        let passed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        self.left = self.left.saturating_add(passed.saturating_mul(self.rate)).min(self.most);
        match self.left.checked_sub(1000) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err((1000 - self.left).div_ceil(self.rate)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_more_is_given_than_the_rate_and_what_was_saved(
            rate in 1u32..2000, seconds in 1u32..20, steps in prop::collection::vec(0u64..300, 1..400)
        ) {
            let mut limit = RateLimit::new(rate, seconds, 1000);
            let (mut now, mut given) = (1000, 0u64);
            for step in steps {
                now += step;
                if limit.take(now).is_ok() { given += 1; }
            }
            let earned = u64::from(rate) * (now - 1000) / 1000;
            prop_assert!(given <= u64::from(rate) * u64::from(seconds) + earned);
        }

        #[test]
        fn what_it_says_to_wait_is_enough_and_not_too_much(rate in 1u32..5000, now in 0u64..1 << 40) {
            let mut limit = RateLimit::new(rate, 1, now);
            while limit.take(now).is_ok() {}
            let wait = limit.take(now).expect_err("empty");
            prop_assert!(wait <= 1000);
            if wait > 1 { prop_assert!(limit.clone().take(now + wait - 1).is_err()); }
            prop_assert!(limit.take(now + wait).is_ok());
        }
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let mut limit = RateLimit::new(1, 1, 10_000);
        assert_eq!(limit.take(10_000), Ok(()));
        assert!(limit.take(0).is_err());
        assert!(limit.take(10_500).is_err(), "what passed before is not counted twice");
        assert_eq!(limit.take(11_000), Ok(()));
    }
}
