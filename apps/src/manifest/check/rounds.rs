//! Rounds that ask somebody, take votes that there are, and can come to an end.

use std::{cell::Cell, collections::BTreeMap};

use super::{CaseCheck, kinds::COUNTS};
use crate::{
    calendar::{Calendar, Rule},
    civil::Zone,
    formula::{Environment, MOST_STEPS},
    manifest::{Round, mistake::What, reader::Placed},
    value::{Value, Why},
};

/// What may be said in a round.
const VOTES: [&str; 3] = ["yes", "no", "abstain"];

/// Up to so many people every way of voting is tried; of more, those in which all say the same.
const MOST_TRIED: i128 = 6;
const TRIED: [i128; 9] = [7, 8, 9, 10, 12, 20, 50, 100, 1000];

impl CaseCheck<'_> {
    pub(super) fn rounds(&self) {
        for act in &self.case.acts {
            let Some(vote) = &act.vote else { continue };
            for word in vote.formula.written() {
                if !VOTES.contains(&word.as_str()) {
                    let known = VOTES.map(str::to_owned).into();
                    self.add(&vote.at, What::Word { key: "vote", word, known });
                }
            }
        }
        for round in &self.case.rounds {
            self.ends(round);
        }
        let named = self.case.who.iter().map(|(name, placed)| (name, placed));
        let asked = self.case.rounds.iter().map(|round| (&round.name, &round.of));
        for (name, placed) in named.chain(asked) {
            if placed.formula.is_constant()
                && placed.formula.value(&Counts::of([0; 5])).names().is_empty()
            {
                self.add(&placed.at, What::Nobody(name.clone()));
            }
        }
    }

    /// Whether votes can bring it to its end.
    fn ends(&self, round: &Round) {
        let counted = |placed: &&Placed| {
            let paths = placed.formula.paths();
            let known = |path: &Vec<String>| path.first().is_some_and(|root| is_count(root));
            paths.iter().any(known)
        };
        let ways = [Some(&round.done), round.fail.as_ref()];
        for placed in ways.into_iter().flatten().filter(|placed| !counted(placed)) {
            // Nobody's vote would change it.
            self.add(&placed.at, What::Constant(round.name.clone()));
        }
        if !is_of_counts(&round.done) {
            return;
        }
        let fail = round.fail.as_ref().filter(|fail| is_of_counts(fail));
        let holds = |placed: &Placed, counts| {
            placed.formula.value(&Counts::of(counts)) == Value::Bool(true)
        };
        let done = |counts| holds(&round.done, counts) && !fail.is_some_and(|f| holds(f, counts));
        if !counts().any(done) {
            self.add(&round.done.at, What::NeverHolds(format!("{}/done", round.name)));
        }
        if let Some(fail) = fail
            && !counts().any(|counts| holds(fail, counts))
        {
            self.add(&fail.at, What::NeverHolds(format!("{}/fail", round.name)));
        }
    }
}

fn is_count(name: &str) -> bool {
    COUNTS.contains(&name)
}

/// Whether a formula reads counts and nothing else, so that it can be tried.
fn is_of_counts(placed: &Placed) -> bool {
    let paths = placed.formula.paths();
    placed.formula.calls().is_empty()
        && paths.iter().all(|path| matches!(path.as_slice(), [name] if is_count(name)))
}

/// Ways in which people may have voted: yes, no, abstained, not yet, all.
fn counts() -> impl Iterator<Item = [i128; 5]> {
    let few = (1..=MOST_TRIED).flat_map(|all| {
        (0..=all).flat_map(move |yes| {
            (0..=all - yes).flat_map(move |no| {
                (0..=all - yes - no)
                    .map(move |abstain| [yes, no, abstain, all - yes - no - abstain, all])
            })
        })
    });
    let many = TRIED
        .into_iter()
        .flat_map(|all| [[all, 0, 0, 0, all], [0, all, 0, 0, all], [0, 0, all, 0, all]]);
    // It is looked at after a vote.
    few.chain(many).filter(|[.., open, all]| open < all)
}

/// Nothing but the counts of a round.
struct Counts(BTreeMap<&'static str, Value>, Calendar, Cell<u64>);

impl Counts {
    fn of(counts: [i128; 5]) -> Self {
        let counts = COUNTS.into_iter().zip(counts.map(Value::Int));
        Self(counts.collect(), Calendar::default(), Cell::new(0))
    }
}

impl Environment for Counts {
    fn root(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or(Value::None)
    }
    fn call(&self, name: &str, _: &[Value]) -> Value {
        Value::Unknown(Why::NoRow(name.to_owned()))
    }
    fn calendar(&self) -> &Calendar {
        &self.1
    }
    fn rule(&self) -> Rule {
        Rule::Civil
    }
    fn zone(&self) -> Zone {
        Zone::CHINA
    }
    fn step(&self) -> bool {
        self.2.set(self.2.get() + 1);
        self.2.get() <= MOST_STEPS / 20
    }
}
