//! What must hold of a module before it may be used, beyond what reading it found.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    case::{Act, Case, DueEnd, Ending, Target},
    mistake::What,
    module::Module,
    reader::{At, Mistakes, Placed},
};
use crate::{
    formula::{Scope, Type},
    nearest::nearest,
};

/// Who may do what, from which state to which: what a module gives away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The case.
    pub case: String,
    /// The act.
    pub act: String,
    /// From these states; none of an act that opens.
    pub from: Vec<String>,
    /// To these; none where it stays.
    pub to: Vec<String>,
    /// Who.
    pub by: Vec<String>,
    /// Who not.
    pub not_by: Vec<String>,
}

impl Module {
    /// Who can move what where.
    pub fn authorities(&self) -> Vec<Authority> {
        let acts =
            self.cases.values().flat_map(|case| case.acts.iter().map(move |act| (case, act)));
        let each = acts.map(|(case, act)| Authority {
            case: case.name.clone(),
            act: act.name.clone(),
            from: act.from.clone(),
            to: act.to.states(),
            by: act.by.clone(),
            not_by: act.not_by.clone(),
        });
        each.collect()
    }
}

pub(super) fn module(module: &Module, mistakes: &Mistakes) {
    let mut texts = BTreeSet::from(["module".to_owned()]);
    let mut roles = BTreeSet::new();
    for case in module.cases.values() {
        CaseCheck { module, case, mistakes }.run(&mut texts, &mut roles);
    }
    for (name, form) in &module.forms {
        texts.insert(format!("form-{name}"));
        for field in &form.fields {
            texts.insert(format!("form-{name}-{}", field.name));
            let scope = FormScope(form.kind());
            for placed in [&field.visible, &field.needed].into_iter().flatten() {
                wanted(placed, &scope, mistakes, "bool", &[Type::Bool]);
            }
        }
    }
    for (name, at) in &module.roles {
        texts.insert(format!("role-{name}"));
        if !roles.contains(name) {
            mistakes.add(at, What::UnusedRole(name.clone()));
        }
    }
    let top = At { file: "module.toml".into(), line: 1 };
    for (language, words) in [("zh-CN", &module.zh), ("en", &module.en)] {
        for name in &texts {
            if name != "module" && words.get(name).is_none() {
                mistakes.add(&top, What::NoText { name: name.clone(), language });
            }
        }
        for name in words.names().filter(|name| !texts.contains(*name)) {
            let file = format!("texts/{language}.ftl");
            mistakes.add(&At { file, line: 1 }, What::UnusedText(name.to_owned()));
        }
    }
}

/// Has a formula be of one of some kinds.
pub(super) fn wanted(
    placed: &Placed,
    scope: &dyn Scope,
    mistakes: &Mistakes,
    name: &'static str,
    kinds: &[Type],
) -> Type {
    let text = placed.formula.text().to_owned();
    match placed.formula.types(scope) {
        Err(error) => {
            mistakes.add(&placed.at, What::Kinds { text, fault: error.fault });
            Type::Any
        }
        Ok(found) => {
            let fits = |kind: &Type| match (kind, &found) {
                (Type::List(_), Type::List(_)) | (Type::Map(_), Type::Map(_)) => true,
                (kind, found) => kind == found,
            };
            if !kinds.is_empty() && found != Type::Any && !kinds.iter().any(fits) {
                let found = found.clone();
                mistakes.add(&placed.at, What::Result { text, wanted: name, found });
            }
            found
        }
    }
}

struct FormScope(Type);

impl Scope for FormScope {
    fn root(&self, name: &str) -> Option<Type> {
        match name {
            "doc" => Some(self.0.clone()),
            "lodged" => Some(Type::Instant),
            _ => None,
        }
    }
    fn roots(&self) -> Vec<String> {
        vec!["doc".into(), "lodged".into()]
    }
    fn call(&self, _: &str, _: Option<&str>) -> Type {
        Type::Any
    }
}

struct CaseCheck<'a> {
    module: &'a Module,
    case: &'a Case,
    mistakes: &'a Mistakes,
}

/// The names that a case's formulas may speak of, by kinds.
struct CaseScope<'a> {
    case: &'a Case,
    module: &'a Module,
    /// The act whose document `doc` is.
    act: Option<&'a Act>,
    named: &'a BTreeMap<String, Type>,
    set: &'a BTreeMap<String, Type>,
    /// Counts of a round.
    counts: bool,
}

/// Names of a round's counts.
const COUNTS: [&str; 5] = ["yes", "no", "abstain", "open", "all"];

impl Scope for CaseScope<'_> {
    fn root(&self, name: &str) -> Option<Type> {
        let acts = || self.case.acts.iter();
        let forms = || acts().filter(|act| !act.inner());
        let form = |act: &Act| act.form.as_ref().and_then(|form| self.module.forms.get(form));
        Some(match name {
            "doc" => match self.act {
                Some(act) => form(act).map_or(Type::Any, |form| form.kind()),
                None => Type::Any,
            },
            "head" => head(),
            "me" => Type::map([("name", Type::Text), ("agency", Type::Text)]),
            "at" | "lodged" => Type::Instant,
            "home" => Type::Text,
            "it" => Type::Map(self.set.clone()),
            "filed" => Type::map(
                forms()
                    .map(|act| (act.name.clone(), form(act).map_or(Type::Any, |form| form.kind()))),
            ),
            "when" => {
                let names = acts().map(|act| &act.name);
                let names = names.chain(self.case.states.iter().map(|state| &state.name));
                Type::map(names.map(|name| (name.clone(), Type::Instant)))
            }
            "author" => Type::map(forms().map(|act| (act.name.clone(), Type::Text))),
            "authors" => Type::map(forms().map(|act| (act.name.clone(), Type::list(Type::Text)))),
            "count" => Type::map(acts().map(|act| (act.name.clone(), Type::Int))),
            "due" => {
                let moment = || Type::map([("day", Type::Date), ("end", Type::Instant)]);
                Type::map(self.case.dues.iter().map(|due| (due.name.clone(), moment())))
            }
            name if self.counts && COUNTS.contains(&name) => Type::Int,
            "who_yes" | "who_no" if self.counts => Type::list(Type::Text),
            name => return self.named.get(name).cloned(),
        })
    }

    fn roots(&self) -> Vec<String> {
        let fixed = [
            "doc", "head", "me", "at", "lodged", "home", "it", "filed", "when", "author",
            "authors", "count", "due",
        ];
        fixed.map(str::to_owned).into_iter().chain(self.named.keys().cloned()).collect()
    }

    fn call(&self, _: &str, _: Option<&str>) -> Type {
        Type::Any
    }
}

fn head() -> Type {
    Type::map([
        ("title", Type::Text),
        ("number", Type::Text),
        ("class", Type::Text),
        ("urgency", Type::Text),
        ("to", Type::list(Type::Text)),
        ("cc", Type::list(Type::Text)),
        ("parts", Type::list(Type::map([("name", Type::Text), ("digest", Type::Text)]))),
    ])
}

impl CaseCheck<'_> {
    fn run(&self, texts: &mut BTreeSet<String>, roles: &mut BTreeSet<String>) {
        self.names(texts, roles);
        super::reading_check::case(self.module, self.case, &head(), self.mistakes, roles);
        self.states();
        self.circles();
        self.kinds();
    }

    fn add(&self, at: &At, what: What) {
        self.mistakes.add(at, what);
    }

    /// Says when a name is not declared.
    fn declared<'n>(
        &self,
        at: &At,
        kind: &'static str,
        name: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) -> bool {
        let is = known.clone().any(|known| known == name);
        if !is {
            let nearest = nearest(name, known).map(str::to_owned);
            self.add(at, What::Undeclared { kind, name: name.to_owned(), nearest });
        }
        is
    }

    fn names(&self, texts: &mut BTreeSet<String>, roles: &mut BTreeSet<String>) {
        let case = self.case;
        let (c, states) = (&case.name, || case.states.iter().map(|state| state.name.as_str()));
        let acts = || case.acts.iter().map(|act| act.name.as_str());
        let dues = || case.dues.iter().map(|due| due.name.as_str());
        let rounds = || case.rounds.iter().map(|round| round.name.as_str());
        let who = || case.who.iter().map(|(name, _)| name.as_str());
        let people = || who().chain(self.module.roles.keys().map(String::as_str));
        texts.insert(format!("case-{c}"));
        for state in &case.states {
            texts.insert(format!("state-{c}-{}", state.name));
            if let Some(round) = &state.round {
                self.declared(&state.at, "round", round, rounds());
            }
        }
        for (name, placed) in &case.who {
            if self.module.roles.contains_key(name) {
                self.add(&placed.at, What::Twice(name.clone()));
            }
        }
        for act in &case.acts {
            texts.insert(format!("act-{c}-{}", act.name));
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
                if need.that.formula.is_constant() {
                    self.add(&need.at, What::Constant(need.name.clone()));
                }
                if need
                    .that
                    .formula
                    .paths()
                    .iter()
                    .any(|path| path.first().is_some_and(|root| root == "at"))
                {
                    self.add(&need.at, What::DecidedTime(need.name.clone()));
                }
            }
            for unique in &act.uniques {
                self.law(&unique.at, &unique.name, &unique.law);
            }
        }
        for unique in &case.uniques {
            self.law(&unique.at, &unique.name, &unique.law);
        }
        for number in &case.numbers {
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
        } else if let Some((alias, _)) = law.split_once(' ')
            && alias.is_ascii()
            && alias.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            self.declared(at, "law", alias, self.module.laws.keys().map(String::as_str));
        }
    }

    /// Every state is reached, and from every state but an end something leads on.
    fn states(&self) {
        let case = self.case;
        if case.acts.iter().all(|act| !act.opens) {
            self.add(&case.at, What::NeverOpened);
        }
        let endings = |from: &str| {
            let rounds = case.rounds.iter().filter(|round| {
                case.states
                    .iter()
                    .any(|state| state.name == from && state.round.as_ref() == Some(&round.name))
            });
            let ends =
                rounds.flat_map(|round| [round.agreed.as_ref(), round.failed.as_ref()]).flatten();
            let ends = ends.chain(case.dues.iter().filter_map(|due| due.then.as_ref()));
            let states = ends.filter_map(|ending| match ending {
                Ending::State(name) => Some(name.clone()),
                _ => None,
            });
            states.collect::<Vec<_>>()
        };
        let mut reached: BTreeSet<String> =
            case.acts.iter().filter(|act| act.opens).flat_map(|act| act.to.states()).collect();
        let mut waiting: Vec<_> = reached.iter().cloned().collect();
        while let Some(from) = waiting.pop() {
            if case.state(&from).is_none_or(|state| state.end) {
                continue;
            }
            let acts = case.acts.iter().filter(|act| act.from.contains(&from));
            for to in acts.flat_map(|act| act.to.states()).chain(endings(&from)) {
                if reached.insert(to.clone()) {
                    waiting.push(to);
                }
            }
        }
        for state in &case.states {
            let leaves = case.acts.iter().find(|act| act.from.contains(&state.name));
            match (state.end, leaves) {
                (true, Some(act)) => {
                    let (act, state_name) = (act.name.clone(), state.name.clone());
                    self.add(&state.at, What::EndLeft { act, state: state_name });
                }
                (false, None) if state.round.is_none() && !self.due_leads_on() => {
                    self.add(&state.at, What::Stuck(state.name.clone()));
                }
                _ => {}
            }
            if !reached.contains(&state.name) {
                self.add(&state.at, What::Unreachable(state.name.clone()));
            }
        }
    }

    fn due_leads_on(&self) -> bool {
        self.case.dues.iter().any(|due| matches!(due.then, Some(Ending::State(_))))
    }

    /// Names rest on each other, and never in a circle.
    fn circles(&self) {
        let mut rests: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let named = self.case.who.iter().chain(&self.case.lets);
        let mut read = |name: String, formulas: &[&Placed]| {
            let paths = formulas.iter().flat_map(|placed| placed.formula.paths());
            let on = paths.filter_map(|path| match path.as_slice() {
                [root, due, ..] if root == "due" => Some(format!("due.{due}")),
                [root, ..] => Some(root.clone()),
                [] => None,
            });
            rests.insert(name, on.collect());
        };
        for (name, placed) in named {
            read(name.clone(), &[placed]);
        }
        for due in &self.case.dues {
            let formulas = match &due.end {
                DueEnd::At(at) => vec![at],
                DueEnd::After { start, length } => vec![start, length],
            };
            read(format!("due.{}", due.name), &formulas);
        }
        for name in rests.keys() {
            let mut way = vec![name.clone()];
            if circle(&rests, &mut way, name) {
                self.add(&self.case.at, What::Circle(way));
                return;
            }
        }
    }

    /// The kinds in all formulas.
    fn kinds(&self) {
        let case = self.case;
        let (mut named, mut set) = (BTreeMap::new(), BTreeMap::new());
        for (name, _) in case.who.iter().chain(&case.lets) {
            named.insert(name.clone(), Type::Any);
        }
        for (name, kind) in [("id", Type::Text), ("state", Type::Text)] {
            set.insert(name.to_owned(), kind);
        }
        for number in &case.numbers {
            set.insert(number.name.clone(), Type::Text);
        }
        for (name, _) in case.acts.iter().flat_map(|act| &act.set) {
            set.insert(name.clone(), Type::Any);
        }
        // Twice, since what is set may rest on what else is set, and names on each other; what is not found by then may be
        // anything.
        let silent = Mistakes::default();
        for _ in 0..2 {
            for act in &case.acts {
                let scope = self.scope(Some(act), &named, &set);
                let found: Vec<_> = act
                    .set
                    .iter()
                    .map(|(name, placed)| (name.clone(), wanted(placed, &scope, &silent, "", &[])))
                    .collect();
                set.extend(found);
            }
            let scope = self.scope(None, &named, &set);
            let found: Vec<_> = case
                .who
                .iter()
                .chain(&case.lets)
                .map(|(name, placed)| (name.clone(), wanted(placed, &scope, &silent, "", &[])))
                .collect();
            named.extend(found);
        }
        let scope = self.scope(None, &named, &set);
        let check = |placed: &Placed, scope: &CaseScope<'_>, name, kinds: &[Type]| {
            wanted(placed, scope, self.mistakes, name, kinds);
        };
        let people = [Type::Text, Type::list(Type::Text)];
        let day = [Type::Date, Type::Instant];
        for (_, placed) in &case.who {
            check(placed, &scope, "name, list of names", &people);
        }
        for (_, placed) in &case.lets {
            check(placed, &scope, "", &[]);
        }
        if let Some(placed) = &case.reading.subject {
            check(placed, &scope, "name, list of names", &people);
        }
        if let Some(placed) = &case.title {
            check(placed, &scope, "text", &[Type::Text]);
        }
        if let Some(placed) = &case.public {
            check(placed, &scope, "bool", &[Type::Bool]);
        }
        for placed in case.uniques.iter().flat_map(|unique| &unique.of) {
            check(placed, &scope, "", &[]);
        }
        for placed in case.numbers.iter().flat_map(|number| &number.keys) {
            check(placed, &scope, "text, int", &[Type::Text, Type::Int]);
        }
        for act in &case.acts {
            let scope = self.scope(Some(act), &named, &set);
            for need in &act.needs {
                check(&need.that, &scope, "bool", &[Type::Bool]);
            }
            for placed in act.uniques.iter().flat_map(|unique| &unique.of) {
                check(placed, &scope, "", &[]);
            }
            for placed in act.set.iter().map(|(_, placed)| placed).chain(&act.vote) {
                check(placed, &scope, "", &[]);
            }
            if let Target::Formula(placed) = &act.to {
                check(placed, &scope, "text", &[Type::Text]);
            }
        }
        for round in &case.rounds {
            check(&round.of, &scope, "list of names", &people);
            let scope = CaseScope { counts: true, ..self.scope(None, &named, &set) };
            for placed in [Some(&round.done), round.fail.as_ref()].into_iter().flatten() {
                check(placed, &scope, "bool", &[Type::Bool]);
            }
        }
        for due in &case.dues {
            let moment = Type::map([("day", Type::Date), ("end", Type::Instant)]);
            let start = [Type::Date, Type::Instant, moment];
            match &due.end {
                DueEnd::At(at) => check(at, &scope, "date, instant", &day),
                DueEnd::After { start: from, length } => {
                    check(from, &scope, "date, instant, due", &start);
                    check(length, &scope, "period", &[Type::Period, Type::Text]);
                }
            }
            if let Some(extend) = &due.extend {
                let scope = self.scope(case.act(&extend.act), &named, &set);
                check(&extend.by, &scope, "int", &[Type::Int]);
                check(&extend.most, &scope, "int", &[Type::Int]);
            }
        }
    }

    fn scope<'s>(
        &'s self,
        act: Option<&'s Act>,
        named: &'s BTreeMap<String, Type>,
        set: &'s BTreeMap<String, Type>,
    ) -> CaseScope<'s> {
        CaseScope { case: self.case, module: self.module, act, named, set, counts: false }
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

fn circle(rests: &BTreeMap<String, Vec<String>>, way: &mut Vec<String>, first: &str) -> bool {
    let Some(last) = way.last().and_then(|last| rests.get(last)) else { return false };
    for next in last {
        if next == first {
            return true;
        }
        if rests.contains_key(next) && !way.contains(next) {
            way.push(next.clone());
            if circle(rests, way, first) {
                return true;
            }
            way.pop();
        }
    }
    false
}
