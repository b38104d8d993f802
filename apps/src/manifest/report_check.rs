//! What must hold of reports: figures have kinds, what anybody may read shows nobody, and what is declared is made.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    check::{self, wanted},
    data,
    fault::MechanismFault as Fault,
    mistake::What,
    module::Module,
    reader::Mistakes,
    report::{Figure, Report},
    run::Run,
    run_check::{Roots, all, declared},
};
use crate::formula::Type;

pub(super) fn check(module: &Module, mistakes: &Mistakes, texts: &mut BTreeSet<String>) {
    for report in module.reports.values() {
        texts.insert(format!("report-{}", report.name));
        let names = report.groups.iter().map(|(name, _)| name);
        let names = names.chain(report.measures.iter().map(|measure| &measure.name));
        texts.extend(names.map(|name| format!("report-{}-{name}", report.name)));
        one(module, report, mistakes);
    }
}

fn one(module: &Module, report: &Report, mistakes: &Mistakes) {
    let add = |fault| mistakes.add(&report.at, What::Mechanism(fault));
    data::cite(module, mistakes, &report.at, &report.law);
    let made = |wanted: &str| {
        all(module).any(|(_, act, _, run)| {
            let this = matches!(run, Run::Report { report: of, .. } if *of == report.name);
            this && (wanted.is_empty() || act.name == wanted)
        })
    };
    if !made("") {
        add(Fault::NeverRun { name: report.name.clone() });
    }
    let known = module.cases.keys().chain(module.registries.keys()).map(String::as_str);
    if !declared(mistakes, &report.at, "case", &report.of, known) {
        return;
    }
    let mut roots = BTreeMap::from([("as_of", Type::Date), ("lodged", Type::Instant)]);
    let (case, registry) = (module.cases.get(&report.of), module.registries.get(&report.of));
    if let Some(case) = case {
        let mut it = check::set_kinds(module, case);
        it.extend(["id", "state"].map(|name| (name.to_owned(), Type::Text)));
        roots.insert("it", Type::Map(it));
        let names = case.acts.iter().map(|act| &act.name);
        let names = names.chain(case.states.iter().map(|state| &state.name));
        roots.insert("when", Type::map(names.map(|name| (name.clone(), Type::Instant))));
    } else if let Some(registry) = registry {
        let form = module.forms.get(&registry.form);
        roots.insert("it", form.map_or(Type::Any, |form| form.kind()));
        // Records are read by questions alone, each noted.
        if !report.public {
            add(Fault::RegistryReport);
        }
    }
    let fields: Vec<String> = match (case.is_some(), roots.get("it")) {
        (true, Some(Type::Map(fields))) => fields.keys().cloned().collect(),
        _ => Vec::new(),
    };
    let row = Roots::of(module, roots);
    if let Some(which) = &report.which {
        wanted(which, &row, mistakes, "bool", &[Type::Bool]);
    }
    for (_, placed) in &report.groups {
        let kinds = [Type::Text, Type::Int, Type::Bool, Type::Date];
        wanted(placed, &row, mistakes, "text, int, bool, date", &kinds);
    }
    for measure in &report.measures {
        let of = &measure.of;
        let numbers = [Type::Int, Type::Decimal, Type::Money];
        match measure.how {
            Figure::Count | Figure::Share => wanted(of, &row, mistakes, "bool", &[Type::Bool]),
            Figure::Sum => wanted(of, &row, mistakes, "int, decimal, money", &numbers),
            Figure::Min | Figure::Max => {
                // The least of many is one of them.
                if report.least.is_some() {
                    let figure = measure.name.clone();
                    mistakes.add(&measure.at, What::Mechanism(Fault::ShowsOne { figure }));
                }
                let dates = numbers.into_iter().chain([Type::Date, Type::Instant]);
                wanted(of, &row, mistakes, "number, date", &dates.collect::<Vec<_>>())
            }
        };
    }
    let mut names = BTreeSet::from(["all", "changes"]);
    for measure in &report.measures {
        if !names.insert(&measure.name) {
            mistakes.add(&measure.at, What::Twice(measure.name.clone()));
        }
    }
    for field in &report.drill {
        declared(mistakes, &report.at, "field", field, fields.iter().map(String::as_str));
    }
    if let Some(name) = &report.due {
        let found = name
            .split_once('/')
            .and_then(|(case, due)| module.cases.get(case).and_then(|case| case.due(due)));
        match found {
            None => {
                let (kind, name) = ("due", name.clone());
                mistakes.add(&report.at, What::Undeclared { kind, name, nearest: None });
            }
            // The duty is somebody's, and is met by nothing but that the report is made.
            Some(due) if due.owes.is_none() || !due.until.iter().any(|act| made(act)) => {
                add(Fault::ReportDue { due: name.clone() });
            }
            Some(_) => {}
        }
    }
}
