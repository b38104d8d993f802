//! Whether this machine's clock is right, as far as others' clocks tell. While it is known to be wrong, nothing is sealed,
//! and nothing is taken that would have to be.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chancery_certs::{AgencyName, rfc3339};
use chancery_protocol::CLOCK_TOLERANCE;

use crate::LedgerError;

/// Seconds since 1970 UTC, by this machine's clock.
pub fn unix_now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// How many must contradict a clock, and more than half of those who speak: one liar stops nobody.
const VOICES: usize = 2;

/// For how long a peer that is not heard any more is believed.
const BELIEVED: Duration = Duration::from_secs(3600);

/// The most peers that are remembered.
const MAX_PEERS: usize = 4096;

/// What is not said exactly does not replace what was, for so long.
const EXACT: Duration = Duration::from_secs(60);

/// An answer that took so long does not tell what time it is.
pub const PROMPT: Duration = Duration::from_secs(10);

/// How long it is said once only.
const QUIET: Duration = Duration::from_secs(3600);

/// An instant by this machine: what its clock says, and by a clock that nobody sets.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Seconds since 1970 UTC.
    pub wall: i64,
    /// Steadily.
    pub steady: Instant,
}

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self { wall: unix_now(), steady: Instant::now() }
    }

    /// What a clock says now that said `wall` then, when nobody has set it since.
    pub fn since(self, then: Self) -> i64 {
        let passed = self.steady.saturating_duration_since(then.steady).as_secs();
        then.wall.saturating_add_unsigned(passed)
    }
}

/// Why nothing is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongClock {
    /// More than half of the others say so, and at least two.
    Others {
        /// What this clock says.
        own: i64,
        /// What theirs say, in the middle.
        theirs: i64,
        /// How many say so.
        voices: usize,
    },
    /// The ledger has a later entry.
    Ledger {
        /// What this clock says.
        own: i64,
        /// The newest entry's time.
        newest: i64,
    },
}

impl From<WrongClock> for LedgerError {
    fn from(wrong: WrongClock) -> Self {
        let (own, others, who) = match wrong {
            WrongClock::Others { own, theirs, voices } => {
                (own, theirs, format!("{voices} others say"))
            }
            WrongClock::Ledger { own, newest } => {
                (own, newest, "the ledger's newest entry says".to_owned())
            }
        };
        Self::Clock { own: rfc3339(own), others: rfc3339(others), who }
    }
}

/// How far this clock is ahead of a peer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The peer.
    pub peer: AgencyName,
    /// In seconds; negative when it is behind.
    pub ahead: i64,
}

/// What others' clocks have shown. It is believed for an hour, on the assumption that theirs goes on.
#[derive(Debug)]
pub struct PeerClocks(Mutex<Clocks>);

#[derive(Debug)]
struct Clocks {
    peers: HashMap<AgencyName, Seen>,
    /// When witnesses cosigned last: it is later than that, whoever has not been heard since.
    cosigned: HashMap<AgencyName, i64>,
    /// What this clock said when it was last agreed with, or when the node started.
    anchor: Moment,
}

#[derive(Debug)]
struct Seen {
    /// What its clock said, and when that was.
    theirs: Moment,
    exact: bool,
    said: Option<Instant>,
}

impl Default for PeerClocks {
    fn default() -> Self {
        Self::starting(Moment::now())
    }
}

impl PeerClocks {
    /// Nobody has been heard yet.
    pub fn starting(now: Moment) -> Self {
        let (peers, cosigned) = (HashMap::new(), HashMap::new());
        Self(Mutex::new(Clocks { peers, cosigned, anchor: now }))
    }

    fn lock(&self) -> MutexGuard<'_, Clocks> {
        // Every change of it is whole, so it is sound even after a panic elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A peer has just said what time it is there.
    pub fn heard(&self, peer: &AgencyName, theirs: i64, now: Moment) {
        self.note(peer, theirs, now, true);
    }

    /// A peer has just said a time that may differ from its clock's a little: an entry's. It counts for peers that say
    /// nothing better.
    pub fn heard_about(&self, peer: &AgencyName, theirs: i64, now: Moment) {
        self.note(peer, theirs, now, false);
    }

    fn note(&self, peer: &AgencyName, theirs: i64, now: Moment, exact: bool) {
        let mut clocks = self.lock();
        if clocks.peers.len() >= MAX_PEERS && !clocks.peers.contains_key(peer) {
            return;
        }
        let theirs = Moment { wall: theirs, steady: now.steady };
        let seen = clocks.peers.entry(peer.clone());
        let seen = seen.or_insert(Seen { theirs, exact, said: None });
        let age = now.steady.saturating_duration_since(seen.theirs.steady);
        if seen.exact && !exact && age < EXACT {
            return;
        }
        (seen.theirs, seen.exact) = (theirs, exact);
        let ahead = now.wall.saturating_sub(theirs.wall);
        if ahead.saturating_abs() > CLOCK_TOLERANCE
            && seen.said.is_none_or(|said| now.steady.saturating_duration_since(said) > QUIET)
        {
            seen.said = Some(now.steady);
            tracing::warn!(
                %peer, ahead_seconds = ahead,
                "this clock and the peer's differ; one of them is wrong (chrony, systemd-timesyncd)"
            );
        }
        clocks.agree(now);
    }

    /// A witness has cosigned this ledger at a time, so it is not earlier now.
    pub fn cosigned(&self, witness: &AgencyName, time: i64) {
        let mut clocks = self.lock();
        if clocks.cosigned.len() < MAX_PEERS || clocks.cosigned.contains_key(witness) {
            let known = clocks.cosigned.entry(witness.clone()).or_insert(time);
            *known = time.max(*known);
        }
    }

    /// Whether the clock is known to be wrong: at least two others, and more than half of all who speak, differ by more
    /// than a minute in the same direction. The others are the peers that were heard, the witnesses that have cosigned at
    /// a later time than it is said to be, and this very clock from before it was set. Without any, it goes on.
    ///
    /// # Errors
    /// [`WrongClock`].
    pub fn check(&self, now: Moment) -> Result<(), WrongClock> {
        let voices = self.lock().voices(now);
        let off = |sign: i64| {
            let off = |ahead: &&i64| ahead.saturating_mul(sign) > CLOCK_TOLERANCE;
            voices.iter().filter(off).count()
        };
        let most = off(1).max(off(-1));
        if most < VOICES || 2 * most <= voices.len() {
            return Ok(());
        }
        let theirs = now.wall.saturating_sub(middle(&voices));
        Err(WrongClock::Others { own: now.wall, theirs, voices: most })
    }

    /// The latest moment that has come for sure: this clock says so, and so many others besides, each by itself. None while
    /// fewer were heard within the last hour.
    pub fn confirmed(&self, now: Moment, others: usize) -> Option<i64> {
        let Some(place) = others.checked_sub(1) else { return Some(now.wall) };
        let clocks = self.lock();
        let theirs = clocks.believed(now).map(|(_, ahead)| now.wall.saturating_sub(ahead));
        let mut theirs: Vec<_> = theirs.collect();
        theirs.sort_unstable();
        theirs.iter().rev().nth(place).map(|time| now.wall.min(*time))
    }

    /// By how many seconds this clock is ahead of the peers', in the middle of them.
    pub fn ahead(&self, now: Moment) -> i64 {
        let mut all: Vec<_> = self.differences(now).into_iter().map(|seen| seen.ahead).collect();
        all.sort_unstable();
        middle(&all)
    }

    /// How far this clock is ahead of each peer's that was heard.
    pub fn differences(&self, now: Moment) -> Vec<Difference> {
        let clocks = self.lock();
        let mut all: Vec<_> = clocks
            .believed(now)
            .map(|(peer, ahead)| Difference { peer: peer.clone(), ahead })
            .collect();
        all.sort_by(|a, b| a.peer.cmp(&b.peer));
        all
    }
}

/// The one in the middle of what is in order; of two, the one that accuses less.
fn middle(sorted: &[i64]) -> i64 {
    let at = |place: usize| sorted.get(place).copied().unwrap_or_default();
    let (low, high) = (at(sorted.len().saturating_sub(1) / 2), at(sorted.len() / 2));
    if low.saturating_abs() < high.saturating_abs() { low } else { high }
}

impl Clocks {
    /// By how much this clock is ahead of each peer's that is believed.
    fn believed(&self, now: Moment) -> impl Iterator<Item = (&AgencyName, i64)> {
        let fresh = move |seen: &&Seen| {
            now.steady.saturating_duration_since(seen.theirs.steady) <= BELIEVED
        };
        self.peers
            .iter()
            .filter(move |(_, seen)| fresh(seen))
            .map(move |(peer, seen)| (peer, now.wall.saturating_sub(now.since(seen.theirs))))
    }

    /// By how much this clock is ahead of everything that tells, in order.
    fn voices(&self, now: Moment) -> Vec<i64> {
        let mut voices = Vec::new();
        let mut heard = std::collections::HashSet::new();
        for (peer, ahead) in self.believed(now) {
            heard.insert(peer);
            voices.push(ahead);
        }
        // What says no more than "not before" speaks only when that is contradicted.
        let late = self.cosigned.iter().filter(|(witness, _)| !heard.contains(witness));
        let late = late.map(|(_, time)| now.wall.saturating_sub(*time));
        voices.extend(late.filter(|ahead| *ahead < -CLOCK_TOLERANCE));
        let set = now.wall.saturating_sub(now.since(self.anchor));
        voices.extend(Some(set).filter(|set| set.saturating_abs() > CLOCK_TOLERANCE));
        voices.sort_unstable();
        voices
    }

    /// Takes this clock as it is now for what it was, when more than half of the peers agree with it.
    fn agree(&mut self, now: Moment) {
        let (mut agree, mut all) = (0, 0);
        for (_, ahead) in self.believed(now) {
            all += 1;
            agree += usize::from(ahead.saturating_abs() <= CLOCK_TOLERANCE);
        }
        if 2 * agree > all {
            self.anchor = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_790_000_000;

    fn name(n: usize) -> AgencyName {
        format!("p{n}.cn").parse().expect("a name")
    }

    fn start() -> Moment {
        Moment { wall: NOW, steady: Instant::now() }
    }

    #[test]
    fn a_moment_has_come_when_two_others_say_so_and_this_clock() {
        let clocks = PeerClocks::starting(start());
        let now = start();
        assert_eq!(clocks.confirmed(now, 0), Some(NOW));
        assert_eq!(clocks.confirmed(now, 2), None);
        // One liar, far ahead.
        clocks.heard(&name(0), NOW + 1_000_000, now);
        assert_eq!(clocks.confirmed(now, 2), None);
        assert_eq!(clocks.confirmed(now, 1), Some(NOW));
        clocks.heard(&name(1), NOW - 5, now);
        assert_eq!(clocks.confirmed(now, 2), Some(NOW - 5));
        // Theirs go on, and are believed for an hour.
        assert_eq!(clocks.confirmed(later(now, 600, 0), 2), Some(NOW + 595));
        assert_eq!(clocks.confirmed(later(now, 3601, 0), 2), None);
        // This clock was set ahead by a day: what it says has not come.
        assert_eq!(clocks.confirmed(later(now, 60, 86_400), 2), Some(NOW + 55));
        clocks.heard(&name(2), NOW + 1, now);
        assert_eq!(clocks.confirmed(now, 2), Some(NOW));
    }

    /// So many seconds later, with the clock set by `set`.
    fn later(start: Moment, seconds: u64, set: i64) -> Moment {
        let steady = start.steady + Duration::from_secs(seconds);
        Moment { wall: start.wall.saturating_add_unsigned(seconds) + set, steady }
    }

    /// Peers that are so far ahead of this clock.
    fn with(start: Moment, ahead: &[i64]) -> PeerClocks {
        let clocks = PeerClocks::starting(start);
        for (n, ahead) in ahead.iter().enumerate() {
            clocks.heard(&name(n), start.wall + ahead, start);
        }
        clocks
    }

    #[test]
    fn the_middle_of_the_peers_tells_how_far_this_clock_is_ahead() {
        let now = start();
        assert_eq!(with(now, &[]).ahead(now), 0);
        assert_eq!(with(now, &[0, -5, 98_999]).ahead(now), 0, "one far off does not matter");
        assert_eq!(with(now, &[7]).ahead(now), -7);
        assert_eq!(with(now, &[-4000, 3]).ahead(now), -3, "of two, the one that accuses less");
    }

    #[test]
    fn at_least_two_and_more_than_half_of_those_who_speak_stop_a_node() {
        let now = start();
        let wrong = |peers: &[i64]| with(now, peers).check(now).is_err();
        assert!(!wrong(&[]), "without a known peer it goes on");
        assert!(!wrong(&[9000]), "one may be the one that is wrong");
        assert!(wrong(&[9000, 9000]) && wrong(&[-61, -3600]));
        assert!(!wrong(&[60, 60, 60]) && !wrong(&[-60, -60]));
        assert!(!wrong(&[9000, -9000]), "they contradict each other");
        assert!(!wrong(&[9000, 9000, 0, 0]) && wrong(&[9000, 9000, 0]));
        let found = with(now, &[10_800, 10_801, 0]).check(now);
        let want = WrongClock::Others { own: NOW, theirs: NOW + 10_800, voices: 2 };
        assert_eq!(found, Err(want));
        let error = LedgerError::from(want);
        let text = error.to_string();
        assert!(text.contains(&rfc3339(NOW)) && text.contains(&rfc3339(NOW + 10_800)), "{text}");
        assert_eq!(error.code(), "CHY-4030");
    }

    #[test]
    fn it_goes_on_by_itself_when_its_clock_or_theirs_is_set_right_or_nobody_is_heard_any_more() {
        let begin = start();
        let clocks = with(begin, &[10_800, 10_800]);
        assert!(clocks.check(later(begin, 100, 0)).is_err(), "theirs go on");
        clocks.check(later(begin, 100, 10_790)).expect("ours was set right");
        clocks.check(later(begin, 3601, 0)).expect("nobody was heard for an hour");
        let then = later(begin, 200, 0);
        clocks.heard(&name(0), then.wall, then);
        clocks.check(then).expect("one of theirs was set right");
    }

    #[test]
    fn a_clock_that_was_set_is_contradicted_by_what_it_was_and_one_peer() {
        let begin = start();
        let clocks = with(begin, &[0]);
        assert!(clocks.check(later(begin, 5, 3600)).is_err());
        clocks.check(later(begin, 5, 59)).expect("not more than a minute");
        // With nobody known it goes on, and with a peer that agrees it is what it is now.
        let alone = PeerClocks::starting(begin);
        let set = later(begin, 5, 3600);
        alone.check(set).expect("nobody is known");
        alone.heard(&name(0), set.wall, set);
        alone.check(later(begin, 9, 3600)).expect("a peer agrees");
        assert!(alone.check(later(begin, 9, 0)).is_err(), "it was set again");
    }

    #[test]
    fn what_was_cosigned_is_not_in_the_future_also_after_a_restart() {
        let clocks = PeerClocks::starting(start());
        let (now, late) = (start(), NOW + 3600);
        clocks.cosigned(&name(0), late);
        clocks.check(now).expect("one alone may lie");
        clocks.cosigned(&name(1), late);
        assert!(clocks.check(now).is_err());
        clocks.check(later(now, 3600, 0)).expect("it is so late now");
        // Those who are heard now are asked for what they say now.
        clocks.heard(&name(0), NOW, now);
        clocks.heard(&name(1), NOW, now);
        clocks.check(now).expect("they say otherwise now");
    }

    #[test]
    fn an_entrys_time_does_not_replace_what_a_clock_says() {
        let begin = start();
        let clocks = with(begin, &[0]);
        let soon = later(begin, 5, 0);
        clocks.heard_about(&name(0), soon.wall + 55, soon);
        assert_eq!(clocks.ahead(soon), 0);
        let late = later(begin, 65, 0);
        clocks.heard_about(&name(0), late.wall + 55, late);
        assert_eq!(clocks.ahead(late), -55);
        let one = clocks.differences(late);
        assert_eq!(one, [Difference { peer: name(0), ahead: -55 }]);
    }

    proptest! {
        /// One liar stops nobody, whatever it says, among however many.
        #[test]
        fn one_liar_never_stops_a_node(
            honest in prop::collection::vec(-60i64..=60, 0..9), lie in any::<i64>(), at in 0usize..9
        ) {
            let now = start();
            let clocks = with(now, &honest);
            clocks.heard(&name(100 + at), lie, now);
            prop_assert!(clocks.check(now).is_ok());
        }

        /// Two or more that agree, and are more than the others, do.
        #[test]
        fn the_majority_stops_a_node_that_is_off(
            right in prop::collection::vec(3000i64..3060, 2..9), wrong in prop::collection::vec(any::<i32>(), 0..8)
        ) {
            prop_assume!(wrong.len() < right.len());
            let now = start();
            let all: Vec<_> = right.into_iter().chain(wrong.into_iter().map(i64::from)).collect();
            prop_assert!(with(now, &all).check(now).is_err());
        }
    }
}
