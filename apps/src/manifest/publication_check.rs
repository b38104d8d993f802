//! What must hold of publications, and of the effects that publish.

use std::collections::BTreeSet;

use super::{
    case::Act,
    check::{CaseScope, wanted},
    effect::{Effect, Verb},
    effect_check::of_state,
    mistake::What,
    module::Module,
    publication::{Cutting, EventKind},
    reader::Mistakes,
};
use crate::formula::{Scope, Type};

/// What the formulas of a publication speak of.
struct WorkScope<'a> {
    module: &'a Module,
    it: Type,
}

impl Scope for WorkScope<'_> {
    fn root(&self, name: &str) -> Option<Type> {
        match name {
            "it" => Some(self.it.clone()),
            "lodged" => Some(Type::Instant),
            "home" => Some(Type::Text),
            _ => None,
        }
    }
    fn roots(&self) -> Vec<String> {
        ["it", "lodged", "home"].map(str::to_owned).into()
    }
    fn call(&self, name: &str, first: Option<&str>) -> Type {
        of_state(self.module, name, first)
    }
}

/// Each publication for itself.
pub(super) fn publications(module: &Module, mistakes: &Mistakes, texts: &mut BTreeSet<String>) {
    for publication in module.publications.values() {
        texts.insert(format!("publication-{}", publication.name));
        for (name, _) in &publication.events {
            texts.insert(format!("event-{}-{name}", publication.name));
        }
        if publication.law.is_empty() {
            mistakes.add(&publication.at, What::NoLaw(publication.name.clone()));
        }
        let form = module.forms.get(&publication.form);
        if form.is_none() {
            let (kind, name) = ("form", publication.form.clone());
            let known = module.forms.keys().map(String::as_str);
            let nearest = crate::nearest::nearest(&name, known).map(str::to_owned);
            mistakes.add(&publication.at, What::Undeclared { kind, name, nearest });
        }
        for field in form.into_iter().flat_map(|form| form.personal()) {
            let (publication_name, field) = (publication.name.clone(), field.to_owned());
            let what = What::Personal { publication: publication_name, field };
            mistakes.add(&publication.at, what);
        }
        let it = form.map_or(Type::Any, |form| form.kind());
        let scope = WorkScope { module, it };
        let check = |placed: &super::Placed, name, kinds: &[Type]| {
            wanted(placed, &scope, mistakes, name, kinds);
        };
        check(&publication.title, "text", &[Type::Text]);
        if let Some(text) = &publication.text {
            check(text, "text, list of texts", &[Type::Text, Type::list(Type::Text)]);
        }
        if let Some(embargo) = &publication.embargo {
            check(embargo, "instant", &[Type::Instant]);
        }
        if let Some(supersede) = &publication.supersede {
            check(supersede, "text, list of texts", &[Type::Text, Type::list(Type::Text)]);
            if publication.event("repeal").is_none()
                && publication.events.iter().all(|(_, kind)| *kind != EventKind::Repeal)
            {
                mistakes.add(&supersede.at, What::MissingKey { key: "events: repeal".into() });
            }
        }
        for placed in publication.search.iter().flat_map(|s| s.sort.iter().chain(&s.issuer)) {
            check(placed, "text", &[Type::Text]);
        }
    }
}

/// An effect that publishes: its event is declared, and it has what that event needs and nothing that it does not take.
pub(super) fn effect(
    module: &Module,
    act: &Act,
    effect: &Effect,
    scope: &CaseScope<'_>,
    mistakes: &Mistakes,
) -> Option<Type> {
    let Verb::Publish { publication, event, work, form, parts, from, reason } = &effect.verb else {
        return None;
    };
    let at = &effect.at;
    let check = |placed: &super::Placed, name, kinds: &[Type]| {
        wanted(placed, scope, mistakes, name, kinds);
    };
    check(work, "text", &[Type::Text]);
    if let Some(from) = from {
        check(from, "date", &[Type::Date]);
    }
    if let Some(reason) = reason {
        check(reason, "text", &[Type::Text]);
    }
    let undeclared = |kind, name: &str, known: Vec<&str>| {
        let nearest = crate::nearest::nearest(name, known).map(str::to_owned);
        mistakes.add(at, What::Undeclared { kind, name: name.to_owned(), nearest });
    };
    let Some(found) = module.publications.get(publication) else {
        let known = module.publications.keys().map(String::as_str).collect();
        undeclared("publication", publication, known);
        return None;
    };
    let Some(kind) = found.event(event) else {
        let known = found.events.iter().map(|(name, _)| name.as_str()).collect();
        undeclared("event", event, known);
        return None;
    };
    let key = |key: &str| format!("{key} (as = \"{event}\")");
    if kind.brings_text() && form.is_none() {
        mistakes.add(at, What::MissingKey { key: key("form") });
    }
    if !kind.brings_text() && form.is_some() {
        mistakes.add(at, What::Needless { key: "form".into(), of: event.clone() });
    }
    if matches!(kind, EventKind::Correct | EventKind::Withdraw) && from.is_some() {
        // What was wrong is set right at once, from when it was said on.
        mistakes.add(at, What::Needless { key: "from".into(), of: event.clone() });
    }
    if kind.needs_reason() && !act.reason && reason.is_none() {
        mistakes.add(at, What::MissingKey { key: key("reason") });
    }
    if let Some(parts) = parts {
        match kind {
            kind if kind.brings_text() => {
                let list = Type::list(Type::map([("digest", Type::Text), ("name", Type::Text)]));
                check(parts, "head.parts", &[list]);
            }
            kind if kind.of_parts() => {
                let texts = [Type::Text, Type::list(Type::Text)];
                check(parts, "address, list of addresses", &texts);
                if found.cutting == Cutting::Fields {
                    mistakes.add(at, What::Needless { key: "parts".into(), of: event.clone() });
                }
            }
            _ => mistakes.add(at, What::Needless { key: "parts".into(), of: event.clone() }),
        }
    }
    let form = module.forms.get(&found.form).filter(|_| kind.brings_text());
    form.map(|form| form.kind())
}

/// What a formula gets that looks for a work.
pub(super) fn kind() -> Type {
    Type::map([
        ("work", Type::Text),
        ("title", Type::Text),
        ("version", Type::Int),
        ("status", Type::Text),
        ("digest", Type::Text),
        ("reason", Type::Text),
    ])
}

/// What a formula gets that follows a citation.
pub(super) fn cited() -> Type {
    Type::map([
        ("work", Type::Text),
        ("title", Type::Text),
        ("version", Type::Int),
        ("status", Type::Text),
        ("address", Type::Text),
        ("found", Type::Bool),
        ("text", Type::Text),
    ])
}
