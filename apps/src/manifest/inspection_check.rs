//! What must hold of inspections: each finding leads to an order with a deadline, and what is declared is done.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    check::wanted,
    data,
    fault::MechanismFault as Fault,
    inspection::{Finding, Inspection},
    mistake::What,
    module::Module,
    reader::Mistakes,
    run::{OfInspection, Run},
    run_check::{Roots, all, declared},
};
use crate::formula::Type;

/// What a checklist says.
pub(super) fn checks(module: &Module, inspection: Option<&str>) -> Type {
    let found = inspection.and_then(|name| module.inspections.get(name));
    found.map_or(Type::Any, of_list)
}

fn of_list(inspection: &Inspection) -> Type {
    let each = inspection.checklist.iter();
    Type::map(each.map(|check| (check.name.clone(), check.kind.clone())))
}

pub(super) fn check(module: &Module, mistakes: &Mistakes, texts: &mut BTreeSet<String>) {
    for inspection in module.inspections.values() {
        texts.insert(format!("inspection-{}", inspection.name));
        let names = inspection.checklist.iter().map(|check| &check.name);
        let names = names.chain(inspection.findings.iter().map(|finding| &finding.name));
        texts.extend(names.map(|name| format!("inspection-{}-{name}", inspection.name)));
        one(module, inspection, mistakes);
    }
}

fn one(module: &Module, one: &Inspection, mistakes: &Mistakes) {
    let laws = one.checklist.iter().map(|check| &check.law);
    let laws = laws.chain(one.findings.iter().map(|finding| &finding.law)).chain([&one.law]);
    laws.for_each(|law| data::cite(module, mistakes, &one.at, law));
    let runs = all(module).filter_map(|(.., run)| match run {
        Run::Inspection { inspection, what } if *inspection == one.name => Some(what),
        _ => None,
    });
    let runs: Vec<_> = runs.collect();
    for (name, done) in [
        ("draw", runs.iter().any(|what| **what == OfInspection::Draw)),
        ("note", runs.iter().any(|what| matches!(what, OfInspection::Note { .. }))),
        // Who merges may come to differ, and then somebody must be able to decide.
        ("settle", runs.iter().any(|what| matches!(what, OfInspection::Settle { .. }))),
        ("close", runs.iter().any(|what| **what == OfInspection::Close)),
    ] {
        if !done {
            let name = format!("{}: {name}", one.name);
            mistakes.add(&one.at, What::Mechanism(Fault::NeverRun { name }));
        }
    }
    let mut names = BTreeSet::new();
    for check in &one.checklist {
        if !names.insert(&check.name) {
            mistakes.add(&check.at, What::Twice(check.name.clone()));
        }
    }
    let cases = || module.cases.keys().map(String::as_str);
    for name in [&one.plan, &one.visit] {
        declared(mistakes, &one.at, "case", name, cases());
    }
    let parent = module.cases.get(&one.visit).and_then(|visit| visit.parent.as_ref());
    if parent != Some(&one.plan) {
        let fault = Fault::OtherParent { side: one.visit.clone(), of: one.plan.clone() };
        mistakes.add(&one.at, What::Mechanism(fault));
    }
    for name in [&one.object, &one.inspectors] {
        let registries = module.registries.keys().map(String::as_str);
        declared(mistakes, &one.at, "registry", name, registries);
    }
    let form = module.registries.get(&one.object).and_then(|of| module.forms.get(&of.form));
    let object = form.map_or(Type::Any, |form| form.kind());
    let object = Roots::of(module, BTreeMap::from([("object", object)]));
    wanted(&one.which, &object, mistakes, "bool", &[Type::Bool]);
    let checks = Roots::of(module, BTreeMap::from([("checks", of_list(one))]));
    for finding in &one.findings {
        wanted(&finding.when, &checks, mistakes, "bool", &[Type::Bool]);
        if !is_ordered(module, one, finding) {
            let (due, finding_name) = (finding.due.clone(), finding.name.clone());
            let fault = Fault::FindingDue { finding: finding_name, due };
            mistakes.add(&finding.at, What::Mechanism(fault));
        }
    }
}

/// Whether an order can be opened by the kernel, says for what, and is owed by somebody until a day.
fn is_ordered(module: &Module, one: &Inspection, finding: &Finding) -> bool {
    let Some(order) = module.cases.get(&finding.order) else { return false };
    let Some(opening) = order.opening() else { return false };
    let form = opening.shape.as_ref().and_then(|form| module.forms.get(form));
    let takes = |name: &str| {
        let field = form.and_then(|form| form.fields.iter().find(|field| field.name == name));
        field.is_some_and(|field| field.kind == Type::Text)
    };
    let others = form.is_some_and(|form| {
        form.fields.iter().all(|f| !f.required || matches!(f.name.as_str(), "finding" | "law"))
    });
    order.parent.as_ref() == Some(&one.visit)
        && takes("finding")
        && takes("law")
        && others
        && order.due(&finding.due).is_some_and(|due| due.owes.is_some())
}
