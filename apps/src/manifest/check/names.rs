//! Names stand for what is declared, rules cite an article, lists are not empty.

use std::collections::BTreeSet;

use super::{
    CaseCheck,
    kinds::{COUNTS, ROOTS},
};
use crate::{
    formula::Type,
    manifest::{
        case::{Act, Ending, Target},
        mistake::What,
        module::Module,
        reader::{At, Mistakes, Placed},
    },
    nearest::nearest,
};

/// Has the roles that a formula asks for be roles, and notes them.
pub(super) fn roles_of(
    module: &Module,
    placed: &Placed,
    mistakes: &Mistakes,
    roles: &mut BTreeSet<String>,
) {
    for name in placed.formula.words_of("has_role", 1) {
        if module.roles.contains_key(&name) {
            roles.insert(name);
        } else {
            let known = module.roles.keys().map(String::as_str);
            let nearest = nearest(&name, known).map(str::to_owned);
            mistakes.add(&placed.at, What::Undeclared { kind: "role", name, nearest });
        }
    }
}

impl CaseCheck<'_> {
    pub(super) fn names(&self, texts: &mut BTreeSet<String>, roles: &mut BTreeSet<String>) {
        let case = self.case;
        let (c, states) = (&case.name, || case.states.iter().map(|state| state.name.as_str()));
        let acts = || case.acts.iter().map(|act| act.name.as_str());
        let dues = || case.dues.iter().map(|due| due.name.as_str());
        let rounds = || case.rounds.iter().map(|round| round.name.as_str());
        let who = || case.who.iter().map(|(name, _)| name.as_str());
        // Whoever is asked in a round is somebody, too.
        let asked = (!case.rounds.is_empty()).then_some("asked");
        let people = || who().chain(self.module.roles.keys().map(String::as_str)).chain(asked);
        texts.insert(format!("case-{c}"));
        if let Some(parent) = &case.parent {
            let cases = self.module.cases.keys().map(String::as_str);
            self.declared(&case.at, "case", parent, cases.filter(|name| name != c));
        }
        for (name, placed) in &case.indexes {
            if matches!(name.as_str(), "state" | "who" | "parent") {
                self.add(&placed.at, What::Twice(name.clone()));
            }
        }
        for state in &case.states {
            texts.insert(format!("state-{c}-{}", state.name));
            if let Some(round) = &state.round {
                self.declared(&state.at, "round", round, rounds());
            }
        }
        let mut named = BTreeSet::new();
        for (name, placed) in case.who.iter().chain(&case.lets) {
            let own = ROOTS.contains(&name.as_str())
                || COUNTS.contains(&name.as_str())
                || matches!(name.as_str(), "who_yes" | "who_no");
            if own || self.module.roles.contains_key(name) || !named.insert(name) {
                self.add(&placed.at, What::Twice(name.clone()));
            }
        }
        for placed in case.formulas() {
            roles_of(self.module, placed, self.mistakes, roles);
        }
        for act in &case.acts {
            self.both(act);
            self.special(act);
            texts.insert(format!("act-{c}-{}", act.name));
            if let Some(shape) = &act.shape {
                self.declared(&act.at, "form", shape, self.module.forms.keys().map(String::as_str));
            }
            if let Some(form) = &act.form {
                self.declared(&act.at, "form", form, self.module.forms.keys().map(String::as_str));
                if act.by.is_empty() {
                    self.add(&act.at, What::MissingKey { key: "by".into() });
                }
            }
            for name in act.from.iter().chain(&act.to.states()) {
                self.declared(&act.at, "state", name, states());
            }
            if let Target::Formula(placed) = &act.to
                && placed.formula.leaves().is_none()
            {
                let text = placed.formula.text().to_owned();
                self.add(
                    &placed.at,
                    What::Result { text, wanted: "state ? state : state", found: Type::Text },
                );
            }
            for name in act.by.iter().chain(&act.not_by) {
                if self.declared(&act.at, "role", name, people()) {
                    roles.insert(name.clone());
                }
            }
            for name in act.after.iter().chain(&act.before) {
                self.declared(&act.at, "due", name, dues());
            }
            if let Some(number) = &act.number {
                let numbers = case.numbers.iter().map(|number| number.name.as_str());
                self.declared(&act.at, "number", number, numbers);
            }
            if act.vote.is_some() && case.rounds.iter().all(|round| round.act != act.name) {
                self.add(
                    &act.at,
                    What::Undeclared { kind: "round", name: act.name.clone(), nearest: None },
                );
            }
            for need in &act.needs {
                let name = need
                    .say
                    .clone()
                    .unwrap_or_else(|| format!("need-{c}-{}-{}", act.name, need.name));
                texts.insert(name);
                self.law(&need.at, &need.name, &need.law);
                self.varies(&need.name, &need.that);
            }
        }
        let uniques = case.acts.iter().flat_map(|act| &act.uniques).chain(&case.uniques);
        for unique in uniques {
            self.law(&unique.at, &unique.name, &unique.law);
            if unique.of.is_empty() {
                self.add(&unique.at, What::Empty { key: "of".into() });
            }
            for placed in &unique.of {
                self.varies(&unique.name, placed);
            }
        }
        for number in &case.numbers {
            if number.start < 0 {
                let wanted = "0, 1, 2, …";
                self.add(&number.at, What::Kind { key: "start".into(), wanted });
            }
            for placed in &number.keys {
                self.varies(&number.name, placed);
            }
            if !is_pattern(&number.pattern, number.keys.len()) {
                self.add(&number.at, What::NumberPattern(number.pattern.clone()));
            }
        }
        for round in &case.rounds {
            self.declared(&round.at, "act", &round.act, acts());
            self.ending(&round.at, round.agreed.as_ref());
            self.ending(&round.at, round.failed.as_ref());
            if case.act(&round.act).is_some_and(|act| act.vote.is_none()) {
                self.add(&round.at, What::MissingKey { key: format!("act.{}.vote", round.act) });
            }
        }
        for due in &case.dues {
            texts.insert(format!("due-{c}-{}", due.name));
            self.law(&due.at, &due.name, &due.law);
            if let Some(owes) = &due.owes
                && self.declared(&due.at, "role", owes, people())
            {
                roles.insert(owes.clone());
            }
            let paused = due.pause.iter().flat_map(|pause| [&pause.from, &pause.to]);
            let extended = due.extend.iter().map(|extend| &extend.act);
            for name in due.until.iter().chain(&due.restart).chain(paused).chain(extended) {
                self.declared(&due.at, "act", name, acts());
            }
            self.ending(&due.at, due.then.as_ref());
        }
    }

    /// Nobody may and may not do the same, and nothing is too early and too late by the same deadline.
    fn both(&self, act: &Act) {
        let pairs =
            [(&act.by, &act.not_by, "by, not_by"), (&act.after, &act.before, "after, before")];
        for (some, others, keys) in pairs {
            for name in some.iter().filter(|name| others.contains(name)) {
                self.add(&act.at, What::Both { name: name.clone(), keys });
            }
        }
    }

    fn ending(&self, at: &At, ending: Option<&Ending>) {
        if let Some(Ending::Act(name)) = ending {
            let inner = self.case.acts.iter().filter(|act| act.inner());
            self.declared(at, "inner act", name, inner.map(|act| act.name.as_str()));
        }
    }

    /// A rule cites an article of a text that is named.
    fn law(&self, at: &At, rule: &str, law: &str) {
        if law.is_empty() {
            self.add(at, What::NoLaw(rule.to_owned()));
        } else if let Some(param) = law.strip_prefix("param.") {
            self.declared(at, "param", param, self.module.params.keys().map(String::as_str));
        } else if let Some((alias, _)) = law.split_once(' ')
            && alias.is_ascii()
            && alias.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            self.declared(at, "law", alias, self.module.laws.keys().map(String::as_str));
        }
    }
}

/// Whether a pattern names each key once or more, the number once, and nothing else in braces: `{0}-{n:04}`.
fn is_pattern(pattern: &str, keys: usize) -> bool {
    let (mut rest, mut numbers, mut named) = (pattern, 0, BTreeSet::new());
    while let Some((before, after)) = rest.split_once('{') {
        let Some((inside, behind)) = after.split_once('}') else { return false };
        if before.contains('}') {
            return false;
        }
        let width = inside.strip_prefix("n:0").map(|width| width.parse::<u32>());
        match (inside, width) {
            ("n", _) => numbers += 1,
            (_, Some(Ok(1..=18))) => numbers += 1,
            (key, _) => match key.parse::<usize>() {
                Ok(key) if key < keys => drop(named.insert(key)),
                _ => return false,
            },
        }
        rest = behind;
    }
    !rest.contains('}') && numbers == 1 && named.len() == keys
}
