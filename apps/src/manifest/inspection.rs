//! An inspection: what is drawn, what is looked at, what follows from what is found, and how long one may work without the ledger.

use super::{
    case::law,
    mistake::What,
    reader::{At, Placed, Table},
};
use crate::{formula::Type, table::Column};

/// An inspection, as a file of `inspections/` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inspection {
    pub at: At,
    pub name: String,
    pub law: String,
    /// The case of a plan, and that of its children: one object looked at.
    pub plan: String,
    pub visit: String,
    /// The registry of objects, which of them (over `object`), and how many are drawn.
    pub object: String,
    pub which: Placed,
    pub n: u32,
    /// The registry of inspectors, and how many go to each.
    pub inspectors: String,
    pub each: u32,
    pub checklist: Vec<Check>,
    pub findings: Vec<Finding>,
    /// How many days one may work without the ledger.
    pub days: u32,
}

/// Something that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    pub at: At,
    pub name: String,
    pub kind: Type,
    pub law: String,
}

/// What follows from what is found: an order, with its deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub at: At,
    pub name: String,
    pub when: Placed,
    /// The child case of the visit that is opened, and the deadline by which it is to be mended.
    pub order: String,
    pub due: String,
    pub law: String,
}

/// The longest that one may work without the ledger.
const MOST_DAYS: u32 = 90;

/// The most objects that one plan draws, and inspectors that go to each.
const MOST_OBJECTS: u32 = 1_000;
const MOST_INSPECTORS: u32 = 20;

/// The most things that are looked at, and findings.
const MOST: usize = 200;

impl Inspection {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let name = table.must("inspection")?;
        let missing = |table: &Table<'_>, key: &'static str| {
            if !table.has(key) {
                table.mistake(What::MissingKey { key: key.into() });
            }
        };
        let count = |table: &Table<'_>, key: &'static str| {
            missing(table, key);
            table.count(key)
        };
        let checklist = table.tables("checklist").into_iter().filter_map(|(name, table)| {
            let (word, law) = (table.must("type")?, law(&table));
            let column = Column::named(&word).filter(|column| {
                matches!(column, Column::Bool | Column::Int | Column::Text | Column::Date)
            });
            if column.is_none() {
                let known = ["bool", "int", "text", "date"].map(str::to_owned).into();
                table.mistake(What::Word { key: "type", word, known });
            }
            Some(Check { at: table.at(), name, kind: column?.kind(), law })
        });
        let checklist: Vec<_> = checklist.collect();
        let findings = table.tables("finding").into_iter().filter_map(|(name, table)| {
            missing(&table, "when");
            let (when, order, due) =
                (table.formula("when"), table.must("order"), table.must("due"));
            let law = law(&table);
            Some(Finding { at: table.at(), name, when: when?, order: order?, due: due?, law })
        });
        let findings: Vec<_> = findings.collect();
        for key in ["checklist", "draw", "offline"] {
            missing(table, key);
        }
        if checklist.len() > MOST || findings.len() > MOST {
            table.mistake(What::Excess { what: "name", most: MOST });
            return None;
        }
        let draw = table.table("draw").map(|draw| {
            missing(&draw, "where");
            let (objects, inspectors) = (count(&draw, "objects"), count(&draw, "inspectors"));
            if objects.is_some_and(|n| n > MOST_OBJECTS) {
                draw.mistake(What::Kind { key: "objects".into(), wanted: "1 … 1000" });
            }
            if inspectors.is_some_and(|n| n > MOST_INSPECTORS) {
                draw.mistake(What::Kind { key: "inspectors".into(), wanted: "1 … 20" });
            }
            (draw.formula("where"), objects, inspectors)
        });
        let days = table.table("offline").and_then(|offline| count(&offline, "days"));
        if days.is_some_and(|days| days > MOST_DAYS) {
            table.mistake(What::Kind { key: "offline.days".into(), wanted: "1 … 90" });
        }
        let (plan, visit) = (table.must("plan"), table.must("visit"));
        let (object, inspectors) = (table.must("object"), table.must("inspector"));
        let law = law(table);
        let (which, n, each) = draw?;
        Some(Self {
            at: table.at(),
            name,
            law,
            plan: plan?,
            visit: visit?,
            object: object?,
            which: which?,
            n: n?,
            inspectors: inspectors?,
            each: each?,
            checklist,
            findings,
            days: days?,
        })
    }
}
