//! Carrying out what mechanisms are to do.

use super::{exam, exam_seen, inspection, matching, report};
use crate::{
    case::{Decided, Deciding},
    civil::{Date, Instant},
    environment::CaseEnvironment,
    formula::Environment as _,
    input::Document,
    manifest::{Module, OfExam, OfInspection, Placed, Run},
    reason::Refusal,
    state::{Overlay, State, StateError},
    value::{Value, Why},
};

/// What a mechanism is to do, with the values that it has.
#[derive(Debug, Clone)]
pub(crate) enum Ran {
    Report { report: String, as_of: Date },
    Match { matching: String },
    Exam { exam: String, deed: exam::Deed },
    Inspection { inspection: String, deed: inspection::Deed },
}

fn known(placed: &Placed, environment: &CaseEnvironment<'_>) -> Result<Value, Refusal> {
    match placed.formula.value(environment) {
        Value::Unknown(Why::Cost) => Err(Refusal::Cost),
        Value::Unknown(why) => Err(Refusal::Unknown { what: why.to_string() }),
        Value::None => {
            let what = Why::Missing(placed.formula.text().to_owned()).to_string();
            Err(Refusal::Unknown { what })
        }
        value => Ok(value),
    }
}

fn day(placed: &Placed, environment: &CaseEnvironment<'_>) -> Result<Date, Refusal> {
    match known(placed, environment)? {
        Value::Date(day) => Ok(day),
        Value::Instant(at) => Ok(environment.zone().date(at)),
        other => Err(Refusal::Unknown { what: other.kind().to_owned() }),
    }
}

/// A whole number that is not below nothing.
fn number(placed: &Placed, environment: &CaseEnvironment<'_>) -> Result<u32, Refusal> {
    match known(placed, environment)? {
        Value::Int(n) => u32::try_from(n).map_err(|_| Refusal::Unknown { what: format!("{n}") }),
        other => Err(Refusal::Unknown { what: other.kind().to_owned() }),
    }
}

fn text(placed: &Placed, environment: &CaseEnvironment<'_>) -> Result<String, Refusal> {
    match known(placed, environment)? {
        // What somebody decides comes from no laptop.
        Value::Text(text) if !text.is_empty() => Ok(text),
        other => Err(Refusal::Unknown { what: other.to_string() }),
    }
}

/// The entries of a laptop's list. A form has one kind in each field, so that a value may also come as `yes` or `number`.
fn noted(value: &Value) -> Result<Vec<inspection::Entry>, Refusal> {
    let Value::List(list) = value else {
        return Err(Refusal::Unknown { what: value.kind().to_owned() });
    };
    let each = list.iter().map(|entry| {
        let values = ["value", "yes", "number"].map(|name| entry.field(name));
        let mut values = values.into_iter().filter(Value::is_some);
        let at = match entry.field("at") {
            Value::Text(at) => at.parse().ok().map(Value::Instant),
            at => Some(at),
        };
        match (entry.field("item"), values.next(), values.next(), at) {
            (Value::Text(item), Some(value), None, Some(Value::Instant(at))) => {
                Ok(inspection::Entry { item, value, at })
            }
            _ => Err(Refusal::Field { field: "entries".into() }),
        }
    });
    each.collect()
}

impl Ran {
    /// Works out what is to be done.
    pub(super) fn plan(run: &Run, environment: &CaseEnvironment<'_>) -> Result<Self, Refusal> {
        Ok(match run {
            Run::Report { report, as_of } => {
                Self::Report { report: report.clone(), as_of: day(as_of, environment)? }
            }
            Run::Match { matching } => Self::Match { matching: matching.clone() },
            Run::Exam { exam, what } => {
                let deed = match what {
                    OfExam::Paper => exam::Deed::Paper,
                    OfExam::Answer(answers) => match known(answers, environment)? {
                        Value::List(list) => {
                            exam::Deed::Answer(list.iter().map(ToString::to_string).collect())
                        }
                        other => return Err(Refusal::Unknown { what: other.kind().to_owned() }),
                    },
                    OfExam::Mark { part, points } => {
                        let points = number(points, environment)?;
                        exam::Deed::Mark { part: part.clone(), points }
                    }
                    OfExam::Grade => exam::Deed::Grade,
                    OfExam::Regrade => exam::Deed::Regrade,
                };
                Self::Exam { exam: exam.clone(), deed }
            }
            Run::Inspection { inspection, what } => {
                let deed = match what {
                    OfInspection::Draw => inspection::Deed::Draw,
                    OfInspection::Note { device, seen, entries } => inspection::Deed::Note {
                        device: text(device, environment)?,
                        seen: number(seen, environment)?,
                        entries: noted(&known(entries, environment)?)?,
                    },
                    OfInspection::Settle { item, value } => inspection::Deed::Settle {
                        item: text(item, environment)?,
                        value: known(value, environment)?,
                    },
                    OfInspection::Close => inspection::Deed::Close,
                };
                Self::Inspection { inspection: inspection.clone(), deed }
            }
        })
    }

    /// Does it; what is given is what is to be opened then, each with what it is given.
    pub(super) fn carry_out(
        self,
        deciding: &Deciding<'_>,
        overlay: &mut Overlay<'_>,
        rule: &str,
        document: Option<&Document>,
    ) -> Decided<Vec<(String, Value)>> {
        let done = match self {
            Self::Report { report, as_of } => {
                report::make(deciding, overlay, rule, (&report, as_of), document)
            }
            Self::Match { matching } => matching::run(deciding, overlay, rule, &matching),
            Self::Exam { exam, deed } => {
                exam::run(deciding, overlay, rule, (&exam, deed), document)
            }
            Self::Inspection { inspection, deed } => {
                return inspection::run(deciding, overlay, rule, (&inspection, deed), document);
            }
        };
        Ok(done?.map(|()| Vec::new()))
    }
}

/// What a mechanism keeps, as stories name it; none where there is nothing.
pub(crate) fn shown(
    state: &dyn State,
    module: &Module,
    (thing, at): (&str, Instant),
    path: &str,
) -> Result<Option<String>, StateError> {
    let parts: Vec<_> = path.split('/').collect();
    match parts.as_slice() {
        ["report", path @ ..] => report::shown(state, module.name(), path),
        ["match", path @ ..] => matching::shown(state, module.name(), thing, path),
        ["exam", path @ ..] => exam_seen::shown(state, module, thing, path, at),
        ["inspection", path @ ..] => inspection::shown(state, module, thing, path),
        _ => Ok(None),
    }
}
