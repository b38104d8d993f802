//! What must hold of what a case says of reading.

use std::collections::BTreeSet;

use super::{
    case::Case,
    mistake::What,
    module::Module,
    reader::{At, Mistakes},
    reading::Until,
};
use crate::{
    formula::{Scope, Type},
    nearest::nearest,
};

/// What stands at hand when a thing is being opened: the document, and nothing that comes of it.
struct OpeningScope {
    doc: Type,
    head: Type,
}

impl Scope for OpeningScope {
    fn root(&self, name: &str) -> Option<Type> {
        Some(match name {
            "doc" => self.doc.clone(),
            "head" => self.head.clone(),
            "me" => super::check::me(),
            "lodged" => Type::Instant,
            "home" => Type::Text,
            _ => return None,
        })
    }

    fn roots(&self) -> Vec<String> {
        ["doc", "head", "me", "lodged", "home"].map(str::to_owned).into()
    }

    fn call(&self, _: &str, _: Option<&str>) -> Type {
        Type::Any
    }
}

/// Checks it. The roles that read are used by that.
pub(super) fn case(
    module: &Module,
    case: &Case,
    head: &Type,
    mistakes: &Mistakes,
    roles: &mut BTreeSet<String>,
) {
    let reading = &case.reading;
    let declared =
        |at: &At, kind: &'static str, name: &str, known: &mut dyn Iterator<Item = &str>| {
            let known: Vec<_> = known.collect();
            if !known.contains(&name) {
                let nearest = nearest(name, known).map(str::to_owned);
                mistakes.add(at, What::Undeclared { kind, name: name.to_owned(), nearest });
            }
        };
    for role in &reading.readers {
        declared(&case.at, "role", role, &mut module.roles.keys().map(String::as_str));
        roles.insert(role.clone());
    }
    if let Some(placed) = &reading.office {
        for act in case.acts.iter().filter(|act| act.opens) {
            let form = act.form.as_ref().and_then(|form| module.forms.get(form));
            let doc = form.map_or(Type::Any, |form| form.kind());
            let scope = OpeningScope { doc, head: head.clone() };
            super::check::wanted(placed, &scope, mistakes, "text", &[Type::Text]);
        }
    }
    for hide in &reading.hides {
        if hide.law.is_empty() {
            mistakes.add(&hide.at, What::NoLaw(format!("hide.{}", hide.name)));
        }
        let set = case.acts.iter().flat_map(|act| act.set.iter().map(|(name, _)| name.as_str()));
        let numbers = case.numbers.iter().map(|number| number.name.as_str());
        let who = case.who.iter().map(|(name, _)| name.as_str());
        declared(&hide.at, "field", &hide.name, &mut set.chain(numbers).chain(who));
        match &hide.until {
            Until::State(name) => {
                let mut states = case.states.iter().map(|state| state.name.as_str());
                declared(&hide.at, "state", name, &mut states);
            }
            Until::Due(name) => {
                let mut dues = case.dues.iter().map(|due| due.name.as_str());
                declared(&hide.at, "due", name, &mut dues);
            }
        }
        // What everybody reads who may read anything does not say what is hidden.
        if let Some(title) = &case.title
            && case.shows(&title.formula, &hide.name)
        {
            mistakes.add(&title.at, What::HiddenShown(hide.name.clone()));
        }
    }
    // Whoever is one of an office is entitled where things have one: by the formula, or that of whoever opens them by a role.
    let mut opening = case.acts.iter().filter(|act| act.opens).flat_map(|act| &act.by);
    let has_office =
        reading.office.is_some() || opening.any(|role| module.roles.contains_key(role));
    let mut acting = case.acts.iter().flat_map(|act| act.by.iter().map(move |role| (act, role)));
    if !has_office && let Some((act, role)) = acting.find(|(_, role)| module.is_of_an_office(role))
    {
        mistakes.add(&act.at, What::NoOffice(role.clone()));
    }
}
