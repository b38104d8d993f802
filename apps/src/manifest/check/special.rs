//! What acts do to the course of a thing: names that there are, kinds that fit, and nothing that leads nowhere.

use std::collections::BTreeMap;

use super::{CaseCheck, CaseScope, wanted};
use crate::{
    formula::Type,
    manifest::{case::Act, mistake::What, reader::Placed, stock::StockFault},
};

/// How a return goes on.
const AGAIN: [&str; 2] = ["same", "again"];

impl CaseCheck<'_> {
    /// The names in it.
    pub(super) fn special(&self, act: &Act) {
        let (case, special) = (self.case, &act.special);
        if let Some(undone) = &special.undoes {
            let known = case.acts.iter().filter(|act| !act.inner()).map(|act| act.name.as_str());
            self.declared(&act.at, "act", undone, known);
        }
        for series in &special.annul {
            let known = case.numbers.iter().map(|number| number.name.as_str());
            self.declared(&act.at, "number", series, known);
        }
        if let Some(change) = &special.change {
            let known = case.rounds.iter().map(|round| round.name.as_str());
            self.declared(&act.at, "round", &change.round, known);
        }
        for name in special.sign.iter().filter(|name| *name != "agency") {
            let known = case.who.iter().map(|(name, _)| name.as_str());
            self.declared(&act.at, "role", name, known);
        }
        if let Some(again) = &special.again {
            for word in again.formula.written() {
                if !AGAIN.contains(&word.as_str()) {
                    let known = AGAIN.map(str::to_owned).into();
                    self.add(&again.at, What::Word { key: "again", word, known });
                }
            }
            if act.to.states().is_empty() {
                // A return leads somewhere.
                self.add(&act.at, What::MissingKey { key: "to".into() });
            }
        }
        if special.reopen {
            for from in &act.from {
                if case.state(from).is_some_and(|state| !state.end) {
                    self.add(&act.at, What::Stock(StockFault::NotEnded(from.clone())));
                }
            }
        }
        if special.resume && case.acts.iter().all(|act| act.special.suspend.is_none()) {
            self.add(&act.at, What::Stock(StockFault::NeverSuspended));
        }
    }

    /// Votes that are bound to a text say for which one they are.
    pub(super) fn bound(&self) {
        for round in self.case.rounds.iter().filter(|round| round.bind) {
            if !self.case.text {
                self.add(&round.at, What::Stock(StockFault::NoText(round.name.clone())));
            }
            let form = self.case.act(&round.act).and_then(|act| act.form.as_ref());
            let fields = form.and_then(|form| self.module.forms.get(form));
            let says = fields.is_none_or(|form| form.fields.iter().any(|f| f.name == "text"));
            if let (false, Some(form)) = (says, form) {
                self.add(&round.at, What::Stock(StockFault::NoTextField(form.clone())));
            }
        }
    }

    /// The kinds of its formulas.
    pub(super) fn special_kinds(
        &self,
        act: &Act,
        scope: &CaseScope<'_>,
        named: &BTreeMap<String, Type>,
    ) {
        let special = &act.special;
        let check = |placed: &Placed, name, kinds: &[Type]| {
            wanted(placed, scope, self.mistakes, name, kinds);
        };
        if let Some(again) = &special.again {
            check(again, "text", &[Type::Text]);
        }
        if let Some(hand) = &special.hand {
            check(&hand.to, "name", &[Type::Text]);
        }
        if let Some(suspend) = &special.suspend {
            check(suspend, "date, instant", &[Type::Date, Type::Instant]);
        }
        if let Some(change) = &special.change {
            check(
                change.how.formula(),
                "name, list of names",
                &[Type::Text, Type::list(Type::Text)],
            );
        }
        for name in &special.sign {
            // Several people who are one name cannot be told from one who has signed for all.
            if matches!(named.get(name), Some(Type::List(_))) {
                self.add(&act.at, What::Stock(StockFault::Several(name.clone())));
            }
        }
    }
}
