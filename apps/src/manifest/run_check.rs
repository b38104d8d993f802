//! What must hold of the effects by which mechanisms work.

use std::collections::BTreeMap;

use super::{
    case::{Act, Case},
    check::{CaseScope, wanted},
    data,
    fault::MechanismFault as Fault,
    mistake::What,
    module::Module,
    reader::{At, Mistakes},
    run::{OfExam, OfInspection, Run},
};
use crate::{
    formula::{KindFault, Scope, Type},
    manifest::{Effect, Verb},
    nearest::nearest,
};

pub(super) fn declared<'n>(
    mistakes: &Mistakes,
    at: &At,
    kind: &'static str,
    name: &str,
    known: impl Iterator<Item = &'n str> + Clone,
) -> bool {
    let is = known.clone().any(|known| known == name);
    if !is {
        let nearest = nearest(name, known).map(str::to_owned);
        mistakes.add(at, What::Undeclared { kind, name: name.to_owned(), nearest });
    }
    is
}

/// Names by kinds, and what state and tables say.
pub(super) struct Roots<'a> {
    module: &'a Module,
    known: BTreeMap<&'static str, Type>,
}

impl<'a> Roots<'a> {
    pub(super) fn of(module: &'a Module, known: BTreeMap<&'static str, Type>) -> Self {
        Self { module, known }
    }
}

impl Scope for Roots<'_> {
    fn root(&self, name: &str) -> Option<Type> {
        self.known.get(name).cloned()
    }
    fn roots(&self) -> Vec<String> {
        self.known.keys().map(|name| (*name).to_owned()).collect()
    }
    fn call(&self, name: &str, first: Option<&str>) -> Type {
        super::effect_check::of_state(self.module, name, first)
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

/// One effect.
pub(super) fn check(
    module: &Module,
    case: &Case,
    (at, run): (&At, &Run),
    scope: &CaseScope<'_>,
    mistakes: &Mistakes,
) {
    match run {
        Run::Report { report, as_of } => {
            let known = module.reports.keys().map(String::as_str);
            declared(mistakes, at, "report", report, known);
            wanted(as_of, scope, mistakes, "date", &[Type::Date, Type::Instant]);
        }
        Run::Exam { exam, what } => {
            let known = module.exams.keys().map(String::as_str);
            if !declared(mistakes, at, "exam", exam, known) {
                return;
            }
            let Some(exam) = module.exams.get(exam) else { return };
            let (of, name) = match what {
                OfExam::Paper => (&exam.sitting, "paper"),
                OfExam::Grade => (&exam.sitting, "grade"),
                OfExam::Regrade => (&exam.sitting, "regrade"),
                OfExam::Answer(answers) => {
                    wanted(answers, scope, mistakes, "list", &[Type::list(Type::Text)]);
                    (&exam.script, "answer")
                }
                OfExam::Mark { points, .. } => {
                    wanted(points, scope, mistakes, "int", &[Type::Int]);
                    (&exam.script, "mark")
                }
            };
            of_case(mistakes, at, case, of, name);
        }
        Run::Inspection { inspection, what } => {
            let known = module.inspections.keys().map(String::as_str);
            if !declared(mistakes, at, "inspection", inspection, known) {
                return;
            }
            let Some(one) = module.inspections.get(inspection) else { return };
            let (of, name) = match what {
                OfInspection::Draw => (&one.plan, "draw"),
                OfInspection::Close => (&one.visit, "close"),
                OfInspection::Note { device, seen, entries } => {
                    wanted(device, scope, mistakes, "text", &[Type::Text]);
                    wanted(seen, scope, mistakes, "int", &[Type::Int]);
                    wanted(entries, scope, mistakes, "list", &[Type::list(Type::Any)]);
                    (&one.visit, "note")
                }
                OfInspection::Settle { item, value } => {
                    wanted(item, scope, mistakes, "text", &[Type::Text]);
                    wanted(value, scope, mistakes, "", &[]);
                    (&one.visit, "settle")
                }
            };
            of_case(mistakes, at, case, of, name);
        }
        Run::Match { matching } => {
            let known = module.matchings.keys().map(String::as_str);
            if declared(mistakes, at, "matching", matching, known)
                && let Some(matching) = module.matchings.get(matching)
            {
                // It matches the children of its own thing, and those of no other.
                for side in [&matching.left, &matching.right] {
                    let of = module.cases.get(side).and_then(|side| side.parent.as_ref());
                    if of != Some(&case.name) {
                        let fault =
                            Fault::OtherParent { side: side.clone(), of: case.name.clone() };
                        mistakes.add(at, What::Mechanism(fault));
                    }
                }
            }
        }
    }
}

fn of_case(mistakes: &Mistakes, at: &At, case: &Case, of: &str, what: &str) {
    if case.name != of {
        let fault = Fault::OtherCase { what: what.to_owned(), of: of.to_owned() };
        mistakes.add(at, What::Mechanism(fault));
    }
}

/// All effects by which mechanisms work, with the acts that they are of.
pub(super) fn all(module: &Module) -> impl Iterator<Item = (&Case, &Act, &Effect, &Run)> {
    let acts = module.cases.values().flat_map(|case| case.acts.iter().map(move |act| (case, act)));
    let effects =
        acts.flat_map(|(case, act)| act.effects.iter().map(move |effect| (case, act, effect)));
    effects.filter_map(|(case, act, effect)| match &effect.verb {
        Verb::Run(run) => Some((case, act, effect, run)),
        _ => None,
    })
}
