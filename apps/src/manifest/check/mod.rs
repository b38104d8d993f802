//! What must hold of a module before it may be used, beyond what reading it found.

mod dues;
mod kinds;
mod names;
mod rests;
mod rounds;
mod special;
mod states;
mod templates;
mod times;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use self::kinds::CaseScope;
use self::rests::Rests;
use super::{
    case::Case,
    computation_check, data, effect_check,
    form::Form,
    mistake::What,
    module::Module,
    param,
    reader::{At, Mistakes, Placed},
    reading_check, side,
};
use crate::{
    formula::{KindFault, Scope, Type},
    nearest::nearest,
    office::OFFICE,
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

/// The kinds of what the acts of a case set; anything, where they rest on each other in a circle.
pub(super) fn set_kinds(module: &Module, case: &Case) -> BTreeMap<String, Type> {
    let (mistakes, rests) = (Mistakes::default(), Rests::of(case));
    let circle = rests.circle().is_some();
    let check = CaseCheck { module, case, mistakes: &mistakes, rests };
    match circle || check.deep() {
        true => case.fields().into_iter().map(|name| (name.to_owned(), Type::Any)).collect(),
        false => check.known().1,
    }
}

pub(super) fn module(module: &Module, mistakes: &Mistakes) {
    let mut texts = BTreeSet::from(["module".to_owned()]);
    texts.extend(data::texts(module));
    texts.extend(computation_check::texts(module));
    let mut roles = BTreeSet::new();
    for case in module.cases.values() {
        let check = CaseCheck { module, case, mistakes, rests: Rests::of(case) };
        check.run(&mut texts, &mut roles);
    }
    param::check(module, mistakes, &mut texts);
    effect_check::mechanisms(module, mistakes, &mut texts, &mut roles);
    side::check(module, mistakes);
    templates::check(module, mistakes);
    for (name, form) in &module.forms {
        texts.insert(format!("form-{name}"));
        for field in &form.fields {
            texts.insert(format!("form-{name}-{}", field.name));
            let scope = FormScope(form, module);
            for placed in [&field.visible, &field.needed].into_iter().flatten() {
                wanted(placed, &scope, mistakes, "bool", &[Type::Bool]);
                names::roles_of(module, placed, mistakes, &mut roles);
            }
        }
    }
    let top = At { file: "module.toml".into(), line: 1 };
    if module.name == OFFICE {
        mistakes.add(&top, What::Twice(OFFICE.into()));
    }
    for (name, at) in &module.roles {
        texts.insert(format!("role-{name}"));
        if !roles.contains(name) {
            mistakes.add(at, What::UnusedRole(name.clone()));
        }
    }
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

/// What is known of whoever has signed: in whose name, and by whose hand.
pub(super) fn me() -> Type {
    Type::map(["name", "agency", "by", "how"].map(|name| (name, Type::Text)))
}

/// Has a formula be of one of some kinds.
pub(super) fn wanted(
    placed: &Placed,
    scope: &dyn Scope,
    mistakes: &Mistakes,
    name: &'static str,
    kinds: &[Type],
) -> Type {
    // Who has made so many mistakes is not told of more.
    if mistakes.is_full() {
        return Type::Any;
    }
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

/// What the formulas of a form speak of.
pub(super) struct FormScope<'a>(pub &'a Form, pub &'a Module);

impl Scope for FormScope<'_> {
    fn root(&self, name: &str) -> Option<Type> {
        match name {
            "doc" => Some(self.0.kind()),
            "lodged" => Some(Type::Instant),
            _ => None,
        }
    }
    fn field(&self, path: &[&str]) -> Option<Type> {
        match path {
            ["doc", name] => kinds::of_field(self.0, name),
            _ => None,
        }
    }
    fn roots(&self) -> Vec<String> {
        vec!["doc".into(), "lodged".into()]
    }
    fn call(&self, _: &str, _: Option<&str>) -> Type {
        Type::Any
    }
    fn data(
        &self,
        name: &str,
        first: Option<&str>,
        given: &[Type],
    ) -> Result<Option<Type>, KindFault> {
        data::kind(self.1, name, first, given)
    }
}

struct CaseCheck<'a> {
    module: &'a Module,
    case: &'a Case,
    mistakes: &'a Mistakes,
    rests: Rests,
}

/// The most that a case may have of a kind. What the checks compare with each other must stay few.
const MOST: usize = 300;
const MOST_NAMES: usize = 1_000;

impl CaseCheck<'_> {
    fn run(&self, texts: &mut BTreeSet<String>, roles: &mut BTreeSet<String>) {
        let case = self.case;
        for (what, count, most) in [
            ("state", case.states.len(), MOST),
            ("act", case.acts.len(), MOST),
            ("due", case.dues.len(), MOST),
            ("round", case.rounds.len(), MOST),
            ("number", case.numbers.len(), MOST),
            ("unique", case.uniques.len(), MOST),
            ("let", case.who.len() + case.lets.len(), MOST_NAMES),
        ] {
            if count > most {
                self.add(&case.at, What::Excess { what, most });
                return;
            }
        }
        self.names(texts, roles);
        reading_check::case(self.module, case, &kinds::head(), self.mistakes, roles);
        self.states();
        // What rests on itself has no kind and no end.
        if let Some(way) = self.rests.circle() {
            self.add(&case.at, What::Circle(way));
            return;
        }
        if self.deep() {
            return;
        }
        self.kinds(texts);
        self.rounds();
        self.bound();
        self.times();
        self.dues();
    }

    fn add(&self, at: &At, what: What) {
        self.mistakes.add(at, what);
    }

    /// A formula that must not be the same whatever is filed.
    fn varies(&self, rule: &str, placed: &Placed) {
        if self.rests.is_constant(self.case, placed) {
            self.add(&placed.at, What::Constant(rule.to_owned()));
        }
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
}
