//! What must hold of matchings; above all, that what is forbidden is read by no formula, however far away.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    case::{Act, Case},
    check::{self, wanted},
    data,
    effect::Verb,
    fault::MechanismFault as Fault,
    matching::Matching,
    mistake::What,
    module::Module,
    reader::{Fields, Mistakes, Placed},
    run::Run,
    run_check::{Roots, all, declared},
};
use crate::formula::{Formula, Type};

pub(super) fn check(module: &Module, mistakes: &Mistakes, texts: &mut BTreeSet<String>) {
    for matching in module.matchings.values() {
        texts.insert(format!("matching-{}", matching.name));
        let rules = matching.musts.iter().chain(&matching.scores);
        texts.extend(rules.map(|rule| format!("matching-{}-{}", matching.name, rule.name)));
        one(module, matching, mistakes);
    }
}

fn one(module: &Module, matching: &Matching, mistakes: &Mistakes) {
    data::cite(module, mistakes, &matching.at, &matching.law);
    let used = all(module)
        .any(|(.., run)| matches!(run, Run::Match { matching: of } if *of == matching.name));
    if !used {
        let fault = Fault::NeverRun { name: matching.name.clone() };
        mistakes.add(&matching.at, What::Mechanism(fault));
    }
    let mut known = BTreeMap::from([("lodged", Type::Instant)]);
    for (root, name) in [("left", &matching.left), ("right", &matching.right)] {
        let cases = module.cases.keys().map(String::as_str);
        if !declared(mistakes, &matching.at, "case", name, cases) {
            return;
        }
        if let Some(case) = module.cases.get(name) {
            let mut fields = check::set_kinds(module, case);
            fields.extend(["id", "state", "title"].map(|name| (name.to_owned(), Type::Text)));
            known.insert(root, Type::Map(fields));
        }
    }
    if matching.left == matching.right {
        mistakes.add(&matching.at, What::Twice(matching.left.clone()));
    }
    let one_side = |root: &'static str| {
        let others = known.iter().filter(|(name, _)| **name != root);
        Roots::of(module, others.map(|(name, of)| (*name, of.clone())).collect())
    };
    let (left, right) = (one_side("right"), one_side("left"));
    let both = Roots::of(module, known.clone());
    let numbers = [Type::Int, Type::Decimal];
    let text = [Type::Text, Type::Int];
    wanted(&matching.left_name, &left, mistakes, "text, int", &text);
    wanted(&matching.right_name, &right, mistakes, "text, int", &text);
    for must in &matching.musts {
        data::cite(module, mistakes, &must.at, &must.law);
        wanted(&must.is, &both, mistakes, "bool", &[Type::Bool]);
    }
    for score in &matching.scores {
        data::cite(module, mistakes, &score.at, &score.law);
        wanted(&score.is, &both, mistakes, "int, decimal", &numbers);
    }
    let ordered = [Type::Int, Type::Decimal, Type::Text, Type::Date, Type::Instant];
    wanted(&matching.tie, &both, mistakes, "number, text, date, instant", &ordered);
    if let Some(prefer) = &matching.prefer {
        wanted(prefer, &left, mistakes, "list", &[Type::list(Type::Any)]);
    }
    if let Some(capacity) = &matching.capacity {
        wanted(capacity, &right, mistakes, "int", &[Type::Int]);
    }
    for attribute in &matching.forbid {
        let forms = module.forms.values().map(|form| form.kind());
        let set = module.cases.values().flat_map(|case| &case.acts).flat_map(|act| &act.set);
        let is = forms.into_iter().any(|kind| has_inside(&kind, attribute))
            || set.into_iter().any(|(name, _)| name == attribute);
        if !is {
            let fault = Fault::ForbidsNothing { attribute: attribute.clone() };
            mistakes.add(&matching.at, What::Mechanism(fault));
        }
        let look = Look { module, attribute, seen: RefCell::default() };
        for placed in matching.formulas() {
            // Of each formula by itself: what one way has seen, another may not pass over.
            look.seen.borrow_mut().clear();
            if let Some(way) = look.of_sides(matching, &placed.formula) {
                let fault = Fault::Forbidden { attribute: attribute.clone(), way };
                mistakes.add(&placed.at, What::Mechanism(fault));
            }
        }
    }
}

/// Whether a kind has a field of this name, however deep.
fn has_inside(kind: &Type, attribute: &str) -> bool {
    match kind {
        Type::Map(fields) => {
            fields.iter().any(|(name, of)| name == attribute || has_inside(of, attribute))
        }
        Type::List(of) | Type::Names(of) => has_inside(of, attribute),
        _ => false,
    }
}

/// Looks for the ways on which something forbidden comes into a formula. What cannot be told apart is taken to be it.
struct Look<'a> {
    module: &'a Module,
    attribute: &'a str,
    seen: RefCell<BTreeSet<(String, String)>>,
}

type Way = Option<Vec<String>>;

impl<'a> Look<'a> {
    fn of_sides(&self, matching: &Matching, formula: &Formula) -> Way {
        if let Some(way) = self.itself(formula) {
            return Some(way);
        }
        let text = || formula.text().to_owned();
        for path in formula.paths() {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let (case, rest) = match path.as_slice() {
                ["left", rest @ ..] => (&matching.left, rest),
                ["right", rest @ ..] => (&matching.right, rest),
                _ => continue,
            };
            if let Some(way) = self.of_thing(self.module.cases.get(case)?, rest.first().copied()) {
                return Some([vec![text()], way].concat());
            }
        }
        None
    }

    /// Whether a formula names it, or reads the whole of a record that has it.
    fn itself(&self, formula: &Formula) -> Way {
        let text = || Some(vec![formula.text().to_owned()]);
        if formula.mentions(self.attribute) {
            return text();
        }
        let whole = formula.whole_calls().into_iter().any(|(name, first)| {
            matches!(name.as_str(), "find" | "find_on")
                && match first.and_then(|of| self.module.registries.get(&of)) {
                    Some(registry) => {
                        let form = self.module.forms.get(&registry.form);
                        form.is_some_and(|form| has_inside(&form.kind(), self.attribute))
                    }
                    None => false,
                }
        });
        if whole { text() } else { None }
    }

    /// A field of a thing of a case; all of them, where none is named.
    fn of_thing(&self, case: &'a Case, field: Option<&str>) -> Way {
        match field {
            Some("id" | "state") => None,
            Some("title") => {
                case.title.as_ref().and_then(|placed| self.of_case(case, None, placed))
            }
            Some(field) => self.of_field(case, field),
            None => case.fields().into_iter().find_map(|field| self.of_thing(case, Some(field))),
        }
    }

    fn of_field(&self, case: &'a Case, field: &str) -> Way {
        let name = format!("{}.{field}", case.name);
        if field == self.attribute {
            return Some(vec![name]);
        }
        if !self.seen.borrow_mut().insert((case.name.clone(), field.to_owned())) {
            return None;
        }
        let sets = case.acts.iter().flat_map(|act| {
            act.set.iter().filter(|(name, _)| name == field).map(move |(_, placed)| (act, placed))
        });
        let mut ways = sets.filter_map(|(act, placed)| self.of_case(case, Some(act), placed));
        Some([vec![name], ways.next()?].concat())
    }

    /// A formula of a case.
    fn of_case(&self, case: &'a Case, act: Option<&'a Act>, placed: &'a Placed) -> Way {
        let formula = &placed.formula;
        if let Some(way) = self.itself(formula) {
            return Some(way);
        }
        let text = || formula.text().to_owned();
        for path in formula.paths() {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let way = match path.as_slice() {
                ["doc", rest @ ..] => act.and_then(|act| {
                    self.of_form(act, rest.first().copied())
                        .or_else(|| self.of_given(case, act, rest.first().copied()))
                }),
                ["filed", name, rest @ ..] => {
                    case.act(name).and_then(|act| self.of_form(act, rest.first().copied()))
                }
                ["filed"] => case.acts.iter().find_map(|act| self.of_form(act, None)),
                ["it", rest @ ..] => self.of_thing(case, rest.first().copied()),
                ["parent", rest @ ..] => case
                    .parent
                    .as_ref()
                    .and_then(|parent| self.module.cases.get(parent))
                    .and_then(|parent| self.of_thing(parent, rest.first().copied())),
                ["kids", kid, ..] => {
                    self.module.cases.get(*kid).and_then(|kid| self.of_thing(kid, None))
                }
                [name, ..] => {
                    let named = case.who.iter().chain(&case.lets);
                    let named = named.filter(|(known, _)| known == name).map(|(_, placed)| placed);
                    let key = (format!("let {}", case.name), (*name).to_owned());
                    let mut named = named.filter(|_| self.seen.borrow_mut().insert(key.clone()));
                    named.next().and_then(|placed| self.of_case(case, act, placed))
                }
                [] => None,
            };
            if let Some(way) = way {
                return Some([vec![text()], way].concat());
            }
        }
        None
    }

    /// A field of an act's form; all of them, where none is named.
    fn of_form(&self, act: &Act, field: Option<&str>) -> Way {
        let form = act.form.as_ref().or(act.shape.as_ref());
        let form = form.and_then(|form| self.module.forms.get(form))?;
        let fields = form.fields.iter().filter(|one| field.is_none_or(|field| field == one.name));
        let mut bad = fields.filter(|field| {
            field.name == self.attribute || has_inside(&field.kind, self.attribute)
        });
        bad.next().map(|field| vec![format!("{}.{}", act.name, field.name)])
    }

    /// What an inner act is given by whoever runs it.
    fn of_given(&self, case: &Case, act: &Act, field: Option<&str>) -> Way {
        if !act.inner() {
            return None;
        }
        let key = (format!("with {}/{}", case.name, act.name), field.unwrap_or("*").to_owned());
        if !self.seen.borrow_mut().insert(key) {
            return None;
        }
        let all = self.module.cases.values().flat_map(|from| {
            from.acts.iter().flat_map(move |by| by.effects.iter().map(move |one| (from, by, one)))
        });
        for (from, by, effect) in all {
            let with = match &effect.verb {
                Verb::Open { case: to, with } if *to == case.name && act.opens => with,
                Verb::Tell { case: to, act: told, with, .. }
                    if *to == case.name && *told == act.name =>
                {
                    with
                }
                _ => continue,
            };
            // What is gone through is read with each of it.
            let each = effect.each.iter().find_map(|each| self.of_case(from, Some(by), each));
            let given = match with {
                Some(Fields::Whole(placed)) => self.of_case(from, Some(by), placed),
                Some(Fields::Each(fields)) => fields
                    .iter()
                    .filter(|(name, _)| field.is_none_or(|field| field == name))
                    .find_map(|(_, placed)| self.of_case(from, Some(by), placed)),
                None => None,
            };
            if let Some(way) = given.or(each) {
                return Some(way);
            }
        }
        None
    }
}
