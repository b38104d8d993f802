//! When an entry was made, by those who do not profit from it. A ledger's owner writes the times of its entries; witnesses
//! say, with their cosignatures, when they saw it that large. What the middle of at least three of them contradicts is
//! not proved.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chancery_certs::AgencyName;

use crate::{Finding, SubIndication, TimesFact, WitnessKey};

/// By how many seconds clocks, and so times, may differ.
pub const CLOCK_TOLERANCE: i64 = 60;
/// How many witnesses prove a time: of fewer, one alone could decide.
pub const WITNESSES_NEEDED: usize = 3;
/// So many seconds after it last cosigned a ledger that has not grown, a witness does so again: until then it had not grown.
pub const COSIGN_AGAIN: i64 = 600;

/// Why a witness does not cosign what it found consistent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// The newest entry is later than the witness's clock, by so many seconds.
    Ahead(i64),
    /// The newest entry was not there when the witness looked last, and claims to be so many seconds older than that.
    Behind(i64),
    /// The ledger's owner has another time, by so many seconds (ours is ahead of it when positive).
    Clocks(i64),
}

/// Whether a witness whose clock says `now` may cosign a ledger whose newest entry has the time `newest` and whose owner
/// says that it is `theirs`. `looked` is when the witness last saw the ledger without that entry, if it did. A quiet
/// ledger's newest entry may be of any age; neither is said by releases before.
///
/// # Errors
/// [`Unfit`], by how much it does not fit.
pub fn may_cosign(
    newest: Option<i64>,
    theirs: Option<i64>,
    looked: Option<i64>,
    now: i64,
) -> Result<(), Unfit> {
    let beyond = |seconds: i64| Some(seconds).filter(|seconds| *seconds > CLOCK_TOLERANCE);
    if let Some(apart) = theirs.map(|theirs| now.saturating_sub(theirs))
        && beyond(apart.saturating_abs()).is_some()
    {
        return Err(Unfit::Clocks(apart));
    }
    let Some(newest) = newest else { return Ok(()) };
    if let Some(ahead) = beyond(newest.saturating_sub(now)) {
        return Err(Unfit::Ahead(ahead));
    }
    match looked.and_then(|looked| beyond(looked.saturating_sub(newest))) {
        Some(behind) => Err(Unfit::Behind(behind)),
        None => Ok(()),
    }
}

/// What the witnesses' middle says of an entry's time, each when at least three of them say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeBounds {
    /// The ledger did not have it yet then.
    pub after: Option<i64>,
    /// The ledger had it by then.
    pub before: Option<i64>,
}

impl TimeBounds {
    /// Whether a time fits, but for what clocks may differ.
    pub fn fit(&self, time: i64) -> bool {
        let early = self.after.is_some_and(|after| time < after.saturating_sub(CLOCK_TOLERANCE));
        let late = self.before.is_some_and(|before| time > before.saturating_add(CLOCK_TOLERANCE));
        !early && !late
    }
}

/// The verified cosignatures of one ledger.
#[derive(Debug, Clone)]
pub struct TimeProof {
    owner: AgencyName,
    /// The only ones that count, if somebody has named them.
    named: Option<BTreeSet<AgencyName>>,
    /// Whose a key is: two names with one key are one witness.
    keys: HashMap<WitnessKeyId, AgencyName>,
    /// When each saw the ledger how large.
    seen: BTreeMap<AgencyName, Vec<(u64, i64)>>,
}

/// The key alone, without the name that stands in [`WitnessKey`].
type WitnessKeyId = Vec<u8>;

impl TimeProof {
    /// No cosignature yet. The owner is no witness of its own ledger; of others, all count or only those that are named.
    pub fn new(owner: AgencyName, named: Option<BTreeSet<AgencyName>>) -> Self {
        Self { owner, named, keys: HashMap::new(), seen: BTreeMap::new() }
    }

    /// Whether this agency, with this key, counts as a witness.
    pub fn counts(&mut self, witness: &AgencyName, key: &WitnessKey) -> bool {
        if *witness == self.owner || self.named.as_ref().is_some_and(|all| !all.contains(witness)) {
            return false;
        }
        *self.keys.entry(key.raw().to_vec()).or_insert_with(|| witness.clone()) == *witness
    }

    /// Takes in a verified cosignature of the tree of a size. Says whether it counts.
    pub fn add(&mut self, witness: &AgencyName, key: &WitnessKey, size: u64, time: i64) -> bool {
        let counts = self.counts(witness, key);
        if counts {
            self.see(witness, size, time);
        }
        counts
    }

    fn see(&mut self, witness: &AgencyName, size: u64, time: i64) {
        self.seen.entry(witness.clone()).or_default().push((size, time));
    }

    /// The witnesses that count and have cosigned.
    pub fn witnesses(&self) -> usize {
        self.seen.len()
    }

    /// All sizes that were cosigned, in order, once each: between two of them all entries have the same bounds.
    pub fn sizes(&self) -> Vec<u64> {
        let all: BTreeSet<_> = self.seen.values().flatten().map(|(size, _)| *size).collect();
        all.into_iter().collect()
    }

    /// Makes it answer. What is asked about many entries is worked out once.
    pub fn settle(self) -> SettledTimes {
        let rows = self.seen.into_values().map(|mut rows| {
            rows.sort_unstable();
            // Whatever a liar's order: the latest time up to each size, and the earliest from it on.
            let mut latest = i64::MIN;
            let until = rows.iter().map(|(size, time)| {
                latest = latest.max(*time);
                (*size, latest)
            });
            let until = until.collect();
            let mut earliest = i64::MAX;
            let from = rows.iter().rev().map(|(size, time)| {
                earliest = earliest.min(*time);
                (*size, earliest)
            });
            let mut from: Vec<_> = from.collect();
            from.reverse();
            Rows { until, from }
        });
        SettledTimes(rows.collect())
    }
}

/// One witness's cosignatures by size.
#[derive(Debug, Clone)]
struct Rows {
    until: Vec<(u64, i64)>,
    from: Vec<(u64, i64)>,
}

/// A [`TimeProof`] that has all its cosignatures.
#[derive(Debug, Clone)]
pub struct SettledTimes(Vec<Rows>);

impl SettledTimes {
    /// The bounds of an entry's time. An entry is contradicted only when more than half of the witnesses contradict it; one
    /// that says nothing of it does not. So with less than half of them lying, the bounds are never stricter than an
    /// honest one's, and with more than half honest and saying something, never laxer than theirs.
    pub fn bounds(&self, index: u64) -> TimeBounds {
        let count = self.0.len();
        if count < WITNESSES_NEEDED {
            return TimeBounds::default();
        }
        let mut before: Vec<_> = self
            .0
            .iter()
            .map(|rows| {
                let at = rows.from.partition_point(|(size, _)| *size <= index);
                rows.from.get(at).map_or(i64::MAX, |(_, time)| *time)
            })
            .collect();
        let mut after: Vec<_> = self
            .0
            .iter()
            .map(|rows| {
                let at = rows.until.partition_point(|(size, _)| *size <= index);
                let last = at.checked_sub(1).and_then(|at| rows.until.get(at));
                last.map_or(i64::MIN, |(_, time)| *time)
            })
            .collect();
        before.sort_unstable();
        after.sort_unstable();
        TimeBounds {
            after: after.get((count - 1) / 2).copied().filter(|time| *time != i64::MIN),
            before: before.get(count / 2).copied().filter(|time| *time != i64::MAX),
        }
    }
}

/// The earliest and the latest of some entries that follow each other: index and time.
#[derive(Debug, Clone, Copy)]
struct Extremes {
    earliest: (u64, i64),
    latest: (u64, i64),
}

/// How many entries are so, and the first of them.
#[derive(Debug, Clone, Copy, Default)]
struct Those {
    count: u64,
    first: Option<(u64, i64)>,
}

impl Those {
    fn add(&mut self, index: u64, time: i64) {
        self.count += 1;
        self.first.get_or_insert((index, time));
    }
}

/// The times of a ledger's entries as an audit reads them, in order: of all entries between two cosigned sizes, only the
/// earliest and the latest are kept.
#[derive(Debug, Clone)]
pub(crate) struct TimesFound {
    /// When the audit is made.
    at: i64,
    /// From when the first seal of the ledger is valid.
    not_before: Option<i64>,
    /// The sizes that were cosigned.
    cuts: BTreeSet<u64>,
    spans: Vec<Extremes>,
    last: Option<i64>,
    back: Those,
    future: Those,
    past: Those,
    /// By how much entries are earlier than those before them, at most.
    farthest: i64,
}

impl TimesFound {
    /// No entry yet.
    pub(crate) fn new(at: i64) -> Self {
        Self {
            at,
            not_before: None,
            cuts: BTreeSet::new(),
            spans: Vec::new(),
            last: None,
            back: Those::default(),
            future: Those::default(),
            past: Those::default(),
            farthest: 0,
        }
    }

    /// A seal of the ledger is valid from then on.
    pub(crate) fn not_before(&mut self, time: i64) {
        self.not_before = Some(self.not_before.map_or(time, |known| known.min(time)));
    }

    /// The ledger was cosigned at this size.
    pub(crate) fn cut(&mut self, size: u64) {
        self.cuts.insert(size);
    }

    /// The next entry.
    pub(crate) fn entry(&mut self, index: u64, time: i64) {
        let here = (index, time);
        match self.spans.last_mut().filter(|_| !self.cuts.contains(&index)) {
            None => self.spans.push(Extremes { earliest: here, latest: here }),
            Some(span) => {
                if time < span.earliest.1 {
                    span.earliest = here;
                }
                if time > span.latest.1 {
                    span.latest = here;
                }
            }
        }
        if let Some(back) = self.last.map(|last| last.saturating_sub(time)).filter(|b| *b > 0) {
            self.back.add(index, time);
            self.farthest = self.farthest.max(back);
        }
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
        if time > self.at.saturating_add(CLOCK_TOLERANCE) {
            self.future.add(index, time);
        }
        if self.not_before.is_some_and(|start| time < start.saturating_sub(CLOCK_TOLERANCE)) {
            self.past.add(index, time);
        }
    }

    /// What is to be said of them. Nothing of it says that something was forged.
    pub(crate) fn judge(&self, by: &SettledTimes) -> Vec<Finding> {
        let mut findings = Vec::new();
        let open = |fact: TimesFact| Finding::open(SubIndication::TimeNotProven, fact);
        if let Some((index, time)) = self.back.first {
            let (count, seconds) = (self.back.count, self.farthest);
            let fact = TimesFact::TimesFall { count, seconds, index, time };
            // Ledgers of earlier releases have entries that overtook each other within one commit.
            findings.push(match seconds > CLOCK_TOLERANCE {
                true => open(fact),
                false => Finding::passed(fact),
            });
        }
        if let Some((index, time)) = self.future.first {
            let (count, now) = (self.future.count, self.at);
            findings.push(open(TimesFact::TimesAhead { count, now, index, time }));
        }
        if let Some((index, time)) = self.past.first {
            let count = self.past.count;
            findings.push(open(TimesFact::TimesBeforeSeal { count, index, time }));
        }
        for span in &self.spans {
            let bounds = by.bounds(span.earliest.0);
            if let Some(after) = bounds.after
                && !bounds.fit(span.earliest.1)
                && span.earliest.1 < after
            {
                let (index, time) = span.earliest;
                findings.push(open(TimesFact::NotThereYet { index, time, after }));
            }
            if let Some(before) = bounds.before
                && !bounds.fit(span.latest.1)
                && span.latest.1 > before
            {
                let (index, time) = span.latest;
                findings.push(open(TimesFact::ThereAlready { index, time, before }));
            }
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use chancery_crypto::{Algorithm, SigningKey};
    use proptest::prelude::*;

    use super::*;

    fn name(n: usize) -> AgencyName {
        format!("w{n}.gov.cn").parse().expect("a name")
    }

    fn proof(rows: &[Vec<(u64, i64)>]) -> SettledTimes {
        let mut proof = TimeProof::new("a.gov.cn".parse().expect("a name"), None);
        for (n, rows) in rows.iter().enumerate() {
            rows.iter().for_each(|(size, time)| proof.see(&name(n), *size, *time));
        }
        proof.settle()
    }

    /// A ledger that grows by one entry every ten seconds, and what an honest witness with a clock that is off by less
    /// than a minute says of it.
    fn honest(looks: &[i64], off: i64) -> Vec<(u64, i64)> {
        looks.iter().map(|at| (u64::try_from(at / 10 + 1).expect("later"), at + off)).collect()
    }

    proptest! {
        /// However fewer than half of them lie, an honest ledger is never contradicted.
        #[test]
        fn less_than_half_of_the_witnesses_cannot_condemn_an_honest_ledger(
            (n, lies) in (3usize..8).prop_flat_map(|n| (
                Just(n),
                prop::collection::vec(
                    prop::collection::vec((0u64..120, -5000i64..5000), 0..12), 0..=(n - 1) / 2),
            )),
            looks in prop::collection::vec(prop::collection::vec(0i64..1000, 0..20), 8),
            off in prop::collection::vec(-60i64..=60, 8),
        ) {
            let mut rows = lies.clone();
            for (looks, off) in looks.iter().zip(&off).take(n - lies.len()) {
                rows.push(honest(looks, *off));
            }
            rows.retain(|rows| !rows.is_empty());
            // Liars may be more than half of those who said anything: then nothing is promised.
            prop_assume!(2 * lies.iter().filter(|l| !l.is_empty()).count() < rows.len().max(1));
            let proof = proof(&rows);
            for index in 0..100u64 {
                let time = 10 * i64::try_from(index).expect("small");
                prop_assert!(proof.bounds(index).fit(time), "{index}: {:?}", proof.bounds(index));
            }
        }

        /// However fewer than half of them lie, a time that the honest ones exclude is not proved.
        #[test]
        fn less_than_half_of_the_witnesses_cannot_prove_a_time_that_the_others_exclude(
            (n, lies) in (3usize..8).prop_flat_map(|n| (
                Just(n),
                prop::collection::vec(
                    prop::collection::vec((0u64..120, -5000i64..5000), 1..12), 0..=(n - 1) / 2),
            )),
            off in prop::collection::vec(-60i64..=60, 8),
            claimed in -4000i64..4000,
        ) {
            let mut rows = lies.clone();
            let looks: Vec<_> = (0..100).map(|n| 10 * n).collect();
            rows.extend(off.iter().take(n - lies.len()).map(|off| honest(&looks, *off)));
            let proof = proof(&rows);
            // Entry 50 was made at 500. Two minutes beyond, no honest clock allows for it.
            let excluded = (claimed - 500).abs() > 2 * CLOCK_TOLERANCE + 10;
            prop_assert!(!excluded || !proof.bounds(50).fit(claimed));
        }
    }

    #[test]
    fn fewer_than_three_prove_nothing_and_a_majority_of_liars_can() {
        let late = vec![(1, 0), (20, 900)];
        assert_eq!(proof(&[late.clone(), late.clone()]).bounds(5), TimeBounds::default());
        let bounds = proof(&[late.clone(), late.clone(), vec![(1, 5000), (20, 5900)]]).bounds(5);
        assert_eq!(bounds, TimeBounds { after: Some(0), before: Some(900) });
        assert!(bounds.fit(-60) && bounds.fit(960) && !bounds.fit(-61) && !bounds.fit(961));
        let lie = vec![(1, 5000), (20, 5900)];
        let bounds = proof(&[late.clone(), lie.clone(), lie]).bounds(5);
        assert!(bounds.fit(5100) && !bounds.fit(100), "it is said in docs/security.md");
        // What none has seen yet is not contradicted, nor what none saw without it.
        assert_eq!(proof(&[late.clone(), late.clone(), late.clone()]).bounds(20).before, None);
        assert_eq!(proof(&[late.clone(), late.clone(), late]).bounds(0).after, None);
    }

    #[test]
    fn the_owner_and_a_key_under_two_names_and_who_is_not_named_do_not_count() {
        let owner: AgencyName = "a.gov.cn".parse().expect("a name");
        let key = || SigningKey::generate(Algorithm::EdDsa).expect("random bytes").public_key();
        let as_witness =
            |agency: &AgencyName, key: &_| WitnessKey::new(agency, key).expect("Ed25519");
        let (one, two) = (key(), key());
        let mut proof = TimeProof::new(owner.clone(), None);
        assert!(!proof.add(&owner, &as_witness(&owner, &one), 1, 1));
        assert!(proof.add(&name(1), &as_witness(&name(1), &one), 1, 1));
        assert!(!proof.add(&name(2), &as_witness(&name(2), &one), 1, 1));
        // A witness may have a new key.
        assert!(proof.add(&name(1), &as_witness(&name(1), &two), 2, 2));
        assert_eq!((proof.witnesses(), proof.sizes()), (1, vec![1, 2]));
        let mut named = TimeProof::new(owner, Some(BTreeSet::from([name(1)])));
        assert!(named.add(&name(1), &as_witness(&name(1), &one), 1, 1));
        assert!(!named.add(&name(2), &as_witness(&name(2), &two), 1, 1));
    }

    #[test]
    fn a_witness_cosigns_what_fits_its_clock_and_a_quiet_ledger_of_any_age() {
        let now = 1_790_000_000;
        assert_eq!(may_cosign(None, None, None, now), Ok(()));
        assert_eq!(may_cosign(Some(now - 10_000_000), Some(now), None, now), Ok(()));
        assert_eq!(may_cosign(Some(now + 60), Some(now + 60), None, now), Ok(()));
        assert_eq!(may_cosign(Some(now + 61), Some(now), None, now), Err(Unfit::Ahead(61)));
        assert_eq!(may_cosign(Some(now), Some(now - 61), None, now), Err(Unfit::Clocks(61)));
        assert_eq!(may_cosign(Some(now), Some(now + 61), None, now), Err(Unfit::Clocks(-61)));
        // It was not there ten seconds ago.
        let looked = Some(now - 10);
        assert_eq!(may_cosign(Some(now - 70), Some(now), looked, now), Ok(()));
        assert_eq!(may_cosign(Some(now - 71), Some(now), looked, now), Err(Unfit::Behind(61)));
        assert_eq!(
            may_cosign(Some(i64::MIN), None, Some(i64::MAX), 0),
            Err(Unfit::Behind(i64::MAX))
        );
        assert_eq!(may_cosign(Some(i64::MAX), None, None, i64::MIN), Err(Unfit::Ahead(i64::MAX)));
    }
}
