//! Nothing that decides rests on when it is decided, and nothing is worked out where what it reads is never there.

use std::collections::BTreeSet;

use super::{CaseCheck, rests::of_due};
use crate::manifest::{
    case::{Act, Target},
    mistake::What,
    reader::Placed,
};

/// What comes with a document alone.
const OF_A_DOCUMENT: [&str; 3] = ["doc", "me", "head"];

impl CaseCheck<'_> {
    pub(super) fn times(&self) {
        let case = self.case;
        let mut by = BTreeSet::new();
        for act in &case.acts {
            for need in &act.needs {
                self.decided(&need.name, &need.that);
            }
            if let Target::Formula(placed) = &act.to {
                self.decided("to", placed);
            }
            if let Some(placed) = &act.vote {
                self.decided("vote", placed);
            }
            by.extend(act.by.iter().chain(&act.not_by));
            if act.inner() {
                self.inner(act);
            }
        }
        for (name, placed) in case.who.iter().filter(|(name, _)| by.contains(name)) {
            self.decided(name, placed);
        }
        for unique in &case.uniques {
            unique.of.iter().for_each(|placed| self.without(placed));
        }
        for placed in case.title.iter().chain(&case.public) {
            self.without(placed);
        }
        for round in &case.rounds {
            for placed in [&round.of, &round.done].into_iter().chain(&round.fail) {
                self.decided(&round.name, placed);
                self.without(placed);
            }
        }
        for due in &case.dues {
            for placed in of_due(&due.end) {
                self.decided(&due.name, placed);
                self.without(placed);
            }
        }
    }

    /// Says when what decides rests on when it is decided.
    fn decided(&self, rule: &str, placed: &Placed) {
        if self.rests.far(placed).contains("at") {
            self.add(&placed.at, What::DecidedTime(rule.to_owned()));
        }
    }

    /// No document makes an inner act.
    fn inner(&self, act: &Act) {
        let set = act.set.iter().map(|(_, placed)| placed);
        let uniques = act.uniques.iter().flat_map(|unique| &unique.of);
        let target = match &act.to {
            Target::Formula(placed) => Some(placed),
            _ => None,
        };
        let numbers = self.case.numbers.iter().filter(|n| act.number.as_ref() == Some(&n.name));
        let keys = numbers.flat_map(|number| &number.keys);
        let effects = act.effects.iter().flat_map(|effect| effect.formulas());
        let all = set.chain(uniques).chain(target).chain(keys).chain(effects);
        // Whoever runs an act that has a form gives it the values of one.
        let given = act.shape.is_some();
        for placed in all {
            let of_form = |path: &Vec<String>| path.first().is_some_and(|root| root == "doc");
            if !given || !placed.formula.paths().iter().any(of_form) {
                self.without(placed);
            }
        }
    }

    /// Says when a formula that is worked out without a document speaks of one. Whoever asks with `has` knows that.
    fn without(&self, placed: &Placed) {
        if placed.formula.calls().iter().any(|(name, _)| name == "has") {
            return;
        }
        let paths = placed.formula.paths();
        let mut roots = paths.iter().filter_map(|path| path.first());
        if let Some(name) = roots.find(|root| OF_A_DOCUMENT.contains(&root.as_str())) {
            let (text, name) = (placed.formula.text().to_owned(), name.clone());
            self.add(&placed.at, What::NotHere { text, name });
        }
    }
}
