//! What must hold of templates: every value that one prints is there and is something that can be read on paper.

use std::collections::{BTreeMap, BTreeSet};

use super::{CaseCheck, CaseScope, Rests, wanted};
use crate::{
    formula::{KindFault, Scope, Type},
    manifest::{
        Block, Body, Case, Form, Module, Placed, Template, mistake::What, reader::Mistakes,
    },
    nearest::nearest,
};

/// What a paper speaks of. There is no document that is being judged, and nobody who signs it.
struct PaperScope<'a> {
    of: Of<'a>,
    element: Option<Type>,
}

/// What is printed.
enum Of<'a> {
    Thing(CaseScope<'a>),
    Record(&'a Form),
}

/// What belongs to a document that is being judged.
const OF_A_DOCUMENT: [&str; 4] = ["doc", "head", "me", "lodged"];

impl Scope for PaperScope<'_> {
    fn root(&self, name: &str) -> Option<Type> {
        match (&self.of, name) {
            (_, "x") if self.element.is_some() => self.element.clone(),
            (Of::Thing(scope), name) if !OF_A_DOCUMENT.contains(&name) => scope.root(name),
            (Of::Record(form), "it") => Some(form.kind()),
            _ => None,
        }
    }

    fn field(&self, path: &[&str]) -> Option<Type> {
        match &self.of {
            Of::Thing(scope) if !path.first().is_some_and(|root| OF_A_DOCUMENT.contains(root)) => {
                scope.field(path)
            }
            _ => None,
        }
    }

    fn roots(&self) -> Vec<String> {
        match &self.of {
            Of::Thing(scope) => {
                let all = scope.roots().into_iter();
                let all = all.filter(|root| !OF_A_DOCUMENT.contains(&root.as_str()));
                all.chain(self.element.iter().map(|_| "x".to_owned())).collect()
            }
            Of::Record(_) => vec!["it".into()],
        }
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
        match &self.of {
            Of::Thing(scope) => scope.data(name, first, given),
            Of::Record(_) => Ok(None),
        }
    }
}

/// Functions that ask what a module keeps elsewhere, for which those who print were not entitled.
const OF_STATE: [&str; 6] = ["find", "find_on", "things", "balance", "free", "has_role"];

/// Functions that ask tables, which an answer of a registry comes without.
const OF_DATA: [&str; 4] = ["value", "row", "bracket", "code"];

pub(super) fn check(module: &Module, mistakes: &Mistakes) {
    for template in module.templates.values() {
        if let Some(case) = module.cases.get(&template.of) {
            of_case(module, case, template, mistakes);
        } else if let Some(registry) = module.registries.get(&template.of) {
            // That the form is not there is said elsewhere.
            if let Some(form) = module.forms.get(&registry.form) {
                let scope = |element| PaperScope { of: Of::Record(form), element };
                blocks(template, mistakes, &scope, &|placed| {
                    let mut calls = placed.formula.calls().into_iter().map(|(name, _)| name);
                    calls.find(|name| {
                        OF_STATE.contains(&name.as_str()) || OF_DATA.contains(&name.as_str())
                    })
                });
            }
        } else {
            let known = module.cases.keys().chain(module.registries.keys());
            let nearest = nearest(&template.of, known.map(String::as_str)).map(str::to_owned);
            let (kind, name) = ("case or registry", template.of.clone());
            mistakes.add(&template.at, What::Undeclared { kind, name, nearest });
        }
    }
}

fn of_case(module: &Module, case: &Case, template: &Template, mistakes: &Mistakes) {
    // What is wrong with the case is said of the case.
    let silent = Mistakes::default();
    let check = CaseCheck { module, case, mistakes: &silent, rests: Rests::of(case) };
    if check.rests.circle().is_some() || check.deep() {
        return;
    }
    let (named, set) = check.known();
    let scope = |element| PaperScope { of: Of::Thing(check.scope(None, &named, &set)), element };
    let not_here = |placed: &Placed| Spoken { case, seen: BTreeSet::new() }.not_here(placed);
    blocks(template, mistakes, &scope, &not_here);
    // A paper shows of others no more than their case shows to everybody who reads it.
    let of: BTreeMap<_, _> = check.case.parent.iter().map(|parent| ("parent", parent)).collect();
    let all = template.blocks.iter().flat_map(|block| [block.formulas(), block.in_rows()].concat());
    for placed in all.chain(template.title.formulas()) {
        for path in (Spoken { case, seen: BTreeSet::new() }).paths(placed) {
            let other = match path.as_slice() {
                [root, ..] if root == "parent" => of.get("parent").copied(),
                [root, kid, ..] if root == "kids" => Some(kid),
                _ => None,
            };
            let other = other.and_then(|name| module.cases.get(name));
            if let Some(hide) = other.and_then(|other| other.reading.hides.first()) {
                mistakes.add(&placed.at, What::PaperShows(hide.name.clone()));
            }
        }
    }
}

/// What a formula speaks of, with what the names in it rest on.
struct Spoken<'a> {
    case: &'a Case,
    seen: BTreeSet<String>,
}

impl Spoken<'_> {
    fn under(&mut self, placed: &Placed) -> Vec<Placed> {
        let named = self.case.who.iter().chain(&self.case.lets);
        let paths = placed.formula.paths();
        let roots: BTreeSet<_> = paths.iter().filter_map(|path| path.first()).collect();
        let found = named.filter(|(name, _)| roots.contains(name));
        found
            .filter(|(name, _)| self.seen.insert(name.clone()))
            .map(|(_, placed)| placed.clone())
            .collect()
    }

    /// The formula, and all that it rests on by names.
    fn all(mut self, placed: &Placed) -> Vec<Placed> {
        let (mut found, mut waiting) = (Vec::new(), vec![placed.clone()]);
        while let Some(next) = waiting.pop() {
            waiting.extend(self.under(&next));
            found.push(next);
        }
        found
    }

    fn paths(self, placed: &Placed) -> Vec<Vec<String>> {
        self.all(placed).iter().flat_map(|placed| placed.formula.paths()).collect()
    }

    /// A name that stands for nothing on paper, or a function that asks beyond the thing.
    fn not_here(self, placed: &Placed) -> Option<String> {
        self.all(placed).into_iter().find_map(|under| {
            let calls = under.formula.calls().into_iter().map(|(name, _)| name);
            let mut calls = calls.filter(|name| OF_STATE.contains(&name.as_str()));
            let paths = under.formula.paths();
            // Those that the formula itself speaks of, its kinds say.
            let mut roots = paths.iter().filter_map(|path| path.first()).filter(|root| {
                under.formula != placed.formula && OF_A_DOCUMENT.contains(&root.as_str())
            });
            calls.next().or_else(|| roots.next().cloned())
        })
    }
}

/// What can be read on paper.
fn can_be_read(of: &Type) -> bool {
    match of {
        Type::Map(_) | Type::Names(_) => false,
        Type::List(of) => can_be_read(of),
        _ => true,
    }
}

fn blocks<'s>(
    template: &Template,
    mistakes: &Mistakes,
    scope: &dyn Fn(Option<Type>) -> PaperScope<'s>,
    not_here: &dyn Fn(&Placed) -> Option<String>,
) {
    let plain = scope(None);
    let here = |placed: &Placed| match not_here(placed) {
        Some(name) => {
            let text = placed.formula.text().to_owned();
            mistakes.add(&placed.at, What::NotHere { text, name });
            false
        }
        None => true,
    };
    let said = |placed: &Placed, scope: &PaperScope<'_>| {
        if !here(placed) {
            return;
        }
        let found = wanted(placed, scope, mistakes, "", &[]);
        if !can_be_read(&found) {
            let text = placed.formula.text().to_owned();
            let wanted = "text, number, amount, date, list of these";
            mistakes.add(&placed.at, What::Result { text, wanted, found });
        }
    };
    template.title.formulas().for_each(|placed| said(placed, &plain));
    for block in &template.blocks {
        let Block { when, body, .. } = block;
        if let Some(placed) = when
            && here(placed)
        {
            wanted(placed, &plain, mistakes, "bool", &[Type::Bool]);
        }
        let each = match body {
            Body::Table { each, .. } => Some(each),
            _ => None,
        };
        for placed in block.formulas() {
            if when.as_ref() != Some(placed) && each != Some(placed) {
                said(placed, &plain);
            }
        }
        let Some(each) = each.filter(|placed| here(placed)) else { continue };
        let element = match wanted(each, &plain, mistakes, "list", &[Type::list(Type::Any)]) {
            Type::List(of) => *of,
            _ => Type::Any,
        };
        let row = scope(Some(element));
        block.in_rows().into_iter().for_each(|placed| said(placed, &row));
    }
}
