//! The kinds of all formulas of a case.

use std::collections::{BTreeMap, BTreeSet};

use super::{CaseCheck, rests::of_due, wanted};
use crate::{
    environment::MOST_DEEP,
    formula::{KindFault, Scope, Type},
    manifest::{
        Act, Case, DueEnd, Form, Module, Target, data, effect_check,
        mistake::What,
        reader::{Mistakes, Placed},
    },
};

/// The names that a case's formulas may speak of, by kinds.
#[derive(Clone)]
pub(in crate::manifest) struct CaseScope<'a> {
    case: &'a Case,
    module: &'a Module,
    /// The act whose document `doc` is.
    act: Option<&'a Act>,
    named: &'a BTreeMap<String, Type>,
    set: &'a BTreeMap<String, Type>,
    /// Counts of a round.
    counts: bool,
    /// What `x` is, of a list that an effect goes through.
    element: Option<Type>,
}

impl CaseScope<'_> {
    /// The same, where `x` is of this kind.
    pub(in crate::manifest) fn with_element(&self, element: Option<Type>) -> Self {
        Self { element, ..self.clone() }
    }
}

/// Names of a round's counts.
pub(super) const COUNTS: [&str; 5] = ["yes", "no", "abstain", "open", "all"];

/// What every formula of a case may speak of, by names that nothing else has.
pub(super) const ROOTS: [&str; 19] = [
    "doc", "head", "me", "at", "lodged", "home", "it", "filed", "when", "author", "authors",
    "count", "due", "kids", "parent", "param", "last", "asked", "duty",
];

/// How deep formulas may nest, with all that they rest on: they are worked out by recursion.
const MOST_NESTED: usize = 300;

/// The kind of a field of a form.
pub(super) fn of_field(form: &Form, name: &str) -> Option<Type> {
    form.fields.iter().find(|field| field.name == name).map(|field| field.kind.clone())
}

impl Scope for CaseScope<'_> {
    fn root(&self, name: &str) -> Option<Type> {
        let acts = || self.case.acts.iter();
        let forms = || acts().filter(|act| !act.inner());
        let form = |act: &Act| act.form.as_ref().and_then(|form| self.module.forms.get(form));
        Some(match name {
            "doc" => match self.act {
                Some(act) => {
                    let shape = || self.module.forms.get(act.shape.as_ref()?);
                    form(act).or_else(shape).map_or(Type::Any, |form| form.kind())
                }
                None => Type::Any,
            },
            "head" => head(),
            "me" => super::me(),
            "at" | "lodged" => Type::Instant,
            "home" => Type::Text,
            "param" => self.module.param_kinds(),
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
            "kids" => {
                let kids = self.module.cases.values();
                let kids = kids.filter(|kid| kid.parent.as_ref() == Some(&self.case.name));
                let of = |kid: &Case| Type::list(effect_check::fields_of(kid));
                Type::map(kids.map(|kid| (kid.name.clone(), of(kid))))
            }
            "parent" => {
                let parent = self.case.parent.as_ref()?;
                effect_check::fields_of(self.module.cases.get(parent)?)
            }
            "last" => Type::map([("act", Type::Text), ("from", Type::Text)]),
            "asked" | "duty" => Type::list(Type::Text),
            "x" if self.element.is_some() => self.element.clone()?,
            name if self.counts && COUNTS.contains(&name) => Type::Int,
            "who_yes" | "who_no" if self.counts => Type::list(Type::Text),
            name => return self.named.get(name).cloned(),
        })
    }

    fn field(&self, path: &[&str]) -> Option<Type> {
        let form = |act: &Act| self.module.forms.get(act.form.as_ref()?);
        match path {
            ["doc", name] => {
                let act = self.act?;
                let shape = || self.module.forms.get(act.shape.as_ref()?);
                of_field(form(act).or_else(shape)?, name)
            }
            ["param", name] => Some(self.module.params.get(*name)?.kind.kind()),
            ["it", name] => self.set.get(*name).cloned(),
            ["filed", act, name] => of_field(form(self.case.act(act)?)?, name),
            ["filed", act] => Some(form(self.case.act(act)?)?.kind()),
            [root, name] if !ROOTS.contains(root) && !COUNTS.contains(root) => {
                match self.named.get(*root)? {
                    Type::Map(fields) => fields.get(*name).cloned(),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn roots(&self) -> Vec<String> {
        let counts = COUNTS.into_iter().chain(["who_yes", "who_no"]).filter(|_| self.counts);
        let fixed = ROOTS.into_iter().chain(counts).map(str::to_owned);
        fixed.chain(self.named.keys().cloned()).collect()
    }

    fn call(&self, name: &str, first: Option<&str>) -> Type {
        effect_check::of_state(self.module, name, first)
    }

    fn data(
        &self,
        name: &str,
        first: Option<&str>,
        given: &[Type],
    ) -> Result<Option<Type>, KindFault> {
        data::kind(self.module, name, first, given)
    }
}

pub(super) fn head() -> Type {
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
    /// The kinds of names, and of what acts set: each once, after those on which it rests. What rests on itself, as a sum that
    /// acts add to, may be anything while it is looked at.
    pub(super) fn known(&self) -> (BTreeMap<String, Type>, BTreeMap<String, Type>) {
        let case = self.case;
        let formulas: BTreeMap<_, _> =
            case.who.iter().chain(&case.lets).map(|(name, placed)| (name, placed)).collect();
        let mut named: BTreeMap<_, _> =
            formulas.keys().map(|name| ((*name).clone(), Type::Any)).collect();
        let mut setting: BTreeMap<&String, Vec<(&Act, &Placed)>> = BTreeMap::new();
        for act in &case.acts {
            for (name, placed) in &act.set {
                setting.entry(name).or_default().push((act, placed));
            }
        }
        let texts = ["id", "state"].map(str::to_owned).into_iter();
        let texts = texts.chain(case.numbers.iter().map(|number| number.name.clone()));
        let mut set: BTreeMap<_, _> = texts.map(|name| (name, Type::Text)).collect();
        set.extend(setting.keys().map(|name| ((*name).clone(), Type::Any)));
        let silent = Mistakes::default();
        for key in self.rests.order() {
            if let Some(field) = key.strip_prefix("it.") {
                let field = field.to_owned();
                let mut of = Type::Any;
                for (act, placed) in setting.get(&field).into_iter().flatten() {
                    let scope = self.scope(Some(act), &named, &set);
                    let next = wanted(placed, &scope, &silent, "", &[]);
                    of = match of.clone().with(next.clone()) {
                        Some(both) => both,
                        None => {
                            let text = placed.formula.text().to_owned();
                            let fault = KindFault::Unlike(of, next);
                            self.add(&placed.at, What::Kinds { text, fault });
                            Type::Any
                        }
                    };
                }
                set.insert(field, of);
            } else if let Some(placed) = formulas.get(&key.to_owned()) {
                let scope = self.scope(None, &named, &set);
                let of = wanted(placed, &scope, &silent, "", &[]);
                named.insert(key.to_owned(), of);
            }
        }
        (named, set)
    }

    /// Whether a name or a deadline rests on more than can be worked out by recursion.
    pub(super) fn deep(&self) -> bool {
        let case = self.case;
        let named = case.who.iter().chain(&case.lets);
        let named = named.map(|(name, placed)| (name.clone(), vec![placed]));
        let dues = case.dues.iter().map(|due| (format!("due.{}", due.name), of_due(&due.end)));
        let own: BTreeMap<_, _> = named
            .chain(dues)
            .map(|(name, formulas)| {
                (name, formulas.iter().map(|placed| placed.formula.depth()).max().unwrap_or(0))
            })
            .collect();
        let mut deep: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for key in self.rests.order() {
            // What is set was worked out before.
            let Some(own) = own.get(key) else { continue };
            let on = self.rests.on(key).filter_map(|on| deep.get(on));
            let (names, nested) = on.fold((0, 0), |a, b| (a.0.max(b.0), a.1.max(b.1)));
            let found = (names + 1, nested + own);
            if found.0 > MOST_DEEP || found.1 > MOST_NESTED {
                self.add(&case.at, What::Deep(key.to_owned()));
                return true;
            }
            deep.insert(key, found);
        }
        false
    }

    /// The kinds in all formulas.
    pub(super) fn kinds(&self, texts: &mut BTreeSet<String>) {
        let case = self.case;
        let (named, set) = self.known();
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
        for (_, placed) in &case.indexes {
            check(placed, &scope, "", &[]);
        }
        effect_check::names(self.module, case, self.mistakes);
        for act in &case.acts {
            let scope = self.scope(Some(act), &named, &set);
            effect_check::effects(self.module, case, act, &scope, self.mistakes, texts);
            self.special_kinds(act, &scope, &named);
            for need in &act.needs {
                check(&need.that, &scope, "bool", &[Type::Bool]);
            }
            for placed in act.uniques.iter().flat_map(|unique| &unique.of) {
                check(placed, &scope, "", &[]);
            }
            for (_, placed) in &act.set {
                check(placed, &scope, "", &[]);
            }
            if let Some(vote) = &act.vote {
                check(vote, &scope, "text", &[Type::Text]);
            }
            if let Target::Formula(placed) = &act.to {
                check(placed, &scope, "text", &[Type::Text]);
            }
            // The keys of a number are those of the act that is given one.
            let numbers = case.numbers.iter().filter(|n| act.number.as_ref() == Some(&n.name));
            for placed in numbers.flat_map(|number| &number.keys) {
                check(placed, &scope, "text, int", &[Type::Text, Type::Int]);
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

    pub(super) fn scope<'s>(
        &'s self,
        act: Option<&'s Act>,
        named: &'s BTreeMap<String, Type>,
        set: &'s BTreeMap<String, Type>,
    ) -> CaseScope<'s> {
        CaseScope {
            case: self.case,
            module: self.module,
            act,
            named,
            set,
            counts: false,
            element: None,
        }
    }
}
