//! Effects that have a mechanism of their own work: a report made, a pool matched.

use super::{
    mistake::What,
    reader::{Placed, Table},
};

/// What a mechanism is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a module has few of them")]
pub(crate) enum Run {
    /// Makes an edition of a report, as of a day.
    Report { report: String, as_of: Placed },
    /// Matches the children of the thing.
    Match { matching: String },
    /// Does something with an exam.
    Exam { exam: String, what: OfExam },
    /// Does something with an inspection.
    Inspection { inspection: String, what: OfInspection },
}

/// What is done with an exam.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OfExam {
    /// Draws the paper of a sitting.
    Paper,
    /// Takes what a candidate hands in.
    Answer(Placed),
    /// Marks a part of it.
    Mark { part: String, points: Placed },
    /// Grades all of a sitting.
    Grade,
    /// Grades all of it again, by the keys as they are now.
    Regrade,
}

/// What is done with an inspection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OfInspection {
    /// Draws what is inspected and by whom.
    Draw,
    /// Merges what was noted on a laptop: a list of `{ item, value, at }`, and how many lists it had seen.
    Note { device: Placed, seen: Placed, entries: Placed },
    /// Decides what holds of an item.
    Settle { item: Placed, value: Placed },
    /// Ends it, and opens the orders that follow.
    Close,
}

/// The verbs.
pub(super) const RUNS: [&str; 4] = ["report", "match", "exam", "inspection"];

impl Run {
    pub(super) fn read(verb: &str, table: &Table<'_>) -> Option<Self> {
        let must = |key: &'static str| {
            if !table.has(key) {
                table.mistake(What::MissingKey { key: key.into() });
            }
            table.formula(key)
        };
        Some(match verb {
            "report" => Self::Report { report: table.must("report")?, as_of: must("as_of")? },
            "match" => Self::Match { matching: table.must("match")? },
            "exam" => {
                let exam = table.must("exam")?;
                let known = ["paper", "answer", "mark", "grade", "regrade"];
                let what = match one_of(table, &known)? {
                    "paper" => OfExam::Paper,
                    "answer" => OfExam::Answer(must("answers")?),
                    "mark" => OfExam::Mark { part: table.must("part")?, points: must("points")? },
                    "grade" => OfExam::Grade,
                    _ => OfExam::Regrade,
                };
                Self::Exam { exam, what }
            }
            _ => {
                let inspection = table.must("inspection")?;
                let known = ["draw", "note", "settle", "close"];
                let what = match one_of(table, &known)? {
                    "draw" => OfInspection::Draw,
                    "note" => OfInspection::Note {
                        device: must("device")?,
                        seen: must("seen")?,
                        entries: must("entries")?,
                    },
                    "settle" => OfInspection::Settle { item: must("item")?, value: must("value")? },
                    _ => OfInspection::Close,
                };
                Self::Inspection { inspection, what }
            }
        })
    }

    pub(crate) fn formulas(&self) -> Vec<&Placed> {
        match self {
            Self::Report { as_of, .. } => vec![as_of],
            Self::Match { .. } => Vec::new(),
            Self::Exam { what, .. } => match what {
                OfExam::Answer(answers) => vec![answers],
                OfExam::Mark { points, .. } => vec![points],
                OfExam::Paper | OfExam::Grade | OfExam::Regrade => Vec::new(),
            },
            Self::Inspection { what, .. } => match what {
                OfInspection::Note { device, seen, entries } => vec![device, seen, entries],
                OfInspection::Settle { item, value } => vec![item, value],
                OfInspection::Draw | OfInspection::Close => Vec::new(),
            },
        }
    }
}

fn one_of(table: &Table<'_>, known: &[&'static str]) -> Option<&'static str> {
    let word = table.must("do")?;
    let found = known.iter().find(|known| **known == word).copied();
    if found.is_none() {
        let known = known.iter().map(|word| (*word).to_owned()).collect();
        table.mistake(What::Word { key: "do", word, known });
    }
    found
}
