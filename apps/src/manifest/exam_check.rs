//! What must hold of exams.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    check::{self, wanted},
    data,
    exam::Exam,
    fault::MechanismFault as Fault,
    mistake::What,
    module::Module,
    reader::Mistakes,
    run::{OfExam, Run},
    run_check::{Roots, all, declared},
};
use crate::formula::Type;

pub(super) fn check(module: &Module, mistakes: &Mistakes, texts: &mut BTreeSet<String>) {
    for exam in module.exams.values() {
        texts.insert(format!("exam-{}", exam.name));
        let parts = exam.blueprint.iter().map(|part| &part.name);
        let parts = parts.chain(exam.marks.iter().map(|marks| &marks.name));
        texts.extend(parts.map(|name| format!("exam-{}-{name}", exam.name)));
        one(module, exam, mistakes);
    }
}

fn one(module: &Module, exam: &Exam, mistakes: &Mistakes) {
    let laws = exam.marks.iter().map(|marks| &marks.law).chain(&exam.regrade);
    let laws = laws.chain(exam.resit.iter().map(|(_, law)| law)).chain([&exam.law]);
    laws.for_each(|law| data::cite(module, mistakes, &exam.at, law));
    let runs = all(module).filter_map(|(_, act, effect, run)| match run {
        Run::Exam { exam: of, what } if *of == exam.name => Some((act, effect, what)),
        _ => None,
    });
    let runs: Vec<_> = runs.collect();
    // What is declared is done by some act.
    let does = |wanted: &dyn Fn(&OfExam) -> bool| runs.iter().any(|(.., what)| wanted(what));
    let mut needed = vec![
        ("paper".to_owned(), does(&|what| *what == OfExam::Paper)),
        ("answer".to_owned(), does(&|what| matches!(what, OfExam::Answer(_)))),
        ("grade".to_owned(), does(&|what| *what == OfExam::Grade)),
    ];
    if exam.regrade.is_some() {
        needed.push(("regrade".into(), does(&|what| *what == OfExam::Regrade)));
    }
    for marks in &exam.marks {
        let marked = does(&|what| matches!(what, OfExam::Mark { part, .. } if *part == marks.name));
        needed.push((format!("mark {}", marks.name), marked));
    }
    for (what, _) in needed.into_iter().filter(|(_, done)| !done) {
        let name = format!("{}: {what}", exam.name);
        mistakes.add(&exam.at, What::Mechanism(Fault::NeverRun { name }));
    }
    for (act, effect, what) in runs {
        match what {
            OfExam::Regrade if exam.regrade.is_none() => {
                mistakes.add(&effect.at, What::Mechanism(Fault::NoRegrade));
            }
            OfExam::Mark { part, .. } => {
                let known = exam.marks.iter().map(|marks| marks.name.as_str());
                if !declared(mistakes, &effect.at, "part", part, known) {
                    continue;
                }
                let marks = exam.marks.iter().find(|marks| marks.name == *part);
                let by = marks.map(|marks| marks.by.as_slice()).unwrap_or_default();
                for role in act.by.iter().filter(|role| !by.contains(role)) {
                    let fault = Fault::OtherMarker { part: part.clone(), role: role.clone() };
                    mistakes.add(&effect.at, What::Mechanism(fault));
                }
            }
            _ => {}
        }
    }
    for marks in &exam.marks {
        for role in &marks.by {
            let known = module.roles.keys().map(String::as_str);
            declared(mistakes, &marks.at, "role", role, known);
        }
    }
    let cases = || module.cases.keys().map(String::as_str);
    let sides = [&exam.sitting, &exam.script].map(|name| {
        declared(mistakes, &exam.at, "case", name, cases()).then(|| module.cases.get(name))
    });
    let registries = module.registries.keys().map(String::as_str);
    let items = declared(mistakes, &exam.at, "registry", &exam.items, registries);
    let [Some(Some(sitting)), Some(Some(script))] = sides else { return };
    if script.parent.as_ref() != Some(&sitting.name) {
        let fault = Fault::OtherParent { side: script.name.clone(), of: sitting.name.clone() };
        mistakes.add(&exam.at, What::Mechanism(fault));
    }
    let of_case = |case| {
        let fields = check::set_kinds(module, case);
        Roots::of(module, BTreeMap::from([("it", Type::Map(fields)), ("lodged", Type::Instant)]))
    };
    let (of_sitting, of_script) = (of_case(sitting), of_case(script));
    wanted(&exam.opens, &of_sitting, mistakes, "instant", &[Type::Instant]);
    for placed in [Some(&exam.time), exam.extra_time.as_ref()].into_iter().flatten() {
        wanted(placed, &of_script, mistakes, "period", &[Type::Period, Type::Text]);
    }
    wanted(&exam.candidate, &of_script, mistakes, "text", &[Type::Text]);
    let score = Roots::of(module, BTreeMap::from([("score", Type::Decimal)]));
    wanted(&exam.pass, &score, mistakes, "bool", &[Type::Bool]);
    if !items {
        return;
    }
    let form = module.registries.get(&exam.items).and_then(|one| module.forms.get(&one.form));
    let item = form.map_or(Type::Any, |form| form.kind());
    let item = Roots::of(module, BTreeMap::from([("item", item)]));
    wanted(&exam.key, &item, mistakes, "text", &[Type::Text]);
    wanted(&exam.points, &item, mistakes, "int, decimal", &[Type::Int, Type::Decimal]);
    for part in &exam.blueprint {
        wanted(&part.which, &item, mistakes, "bool", &[Type::Bool]);
    }
}
