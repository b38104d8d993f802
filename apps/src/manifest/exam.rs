//! An exam: items, a paper that is drawn from them and sealed until its time, marks, and what is done when a key was wrong.

use super::{
    case::law,
    mistake::What,
    reader::{At, Placed, Table},
};

/// An exam, as a file of `exams/` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exam {
    pub at: At,
    pub name: String,
    pub law: String,
    /// The case of a sitting, and that of its children: what one candidate hands in.
    pub sitting: String,
    pub script: String,
    /// The registry of items, and of each, over `item`, its right answer and its points.
    pub items: String,
    pub key: Placed,
    pub points: Placed,
    pub blueprint: Vec<Part>,
    /// When the paper is opened: of the sitting.
    pub opens: Placed,
    /// How long there is: of the script.
    pub time: Placed,
    pub extra_time: Option<Placed>,
    /// Who sits: of the script.
    pub candidate: Placed,
    pub marks: Vec<Marks>,
    /// Whether one has passed, over `score`.
    pub pass: Placed,
    /// How often one may sit again who has failed.
    pub resit: Option<(u32, String)>,
    /// The article by which marks are made again.
    pub regrade: Option<String>,
}

/// A part of the paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub at: At,
    pub name: String,
    pub which: Placed,
    pub n: u32,
}

/// What people mark: two, and a third where they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marks {
    pub at: At,
    pub name: String,
    pub by: Vec<String>,
    pub most: u32,
    pub differ: u32,
    pub law: String,
}

impl Exam {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let name = table.must("exam")?;
        let must = |table: &Table<'_>, key: &'static str| {
            if !table.has(key) {
                table.mistake(What::MissingKey { key: key.into() });
            }
            table.formula(key)
        };
        let count = |table: &Table<'_>, key: &'static str| {
            if !table.has(key) {
                table.mistake(What::MissingKey { key: key.into() });
            }
            table.count(key)
        };
        let blueprint = table.tables("blueprint").into_iter().filter_map(|(name, table)| {
            let (which, n) = (must(&table, "where"), count(&table, "n"));
            Some(Part { at: table.at(), name, which: which?, n: n? })
        });
        let blueprint: Vec<_> = blueprint.collect();
        if blueprint.is_empty() {
            table.mistake(What::MissingKey { key: "blueprint".into() });
        }
        let marks = table.tables("marks").into_iter().filter_map(|(name, table)| {
            let (most, differ) = (count(&table, "most"), count(&table, "differ"));
            let (by, law) = (table.names("by"), law(&table));
            if by.is_empty() {
                table.mistake(What::MissingKey { key: "by".into() });
            }
            Some(Marks { at: table.at(), name, by, most: most?, differ: differ?, law })
        });
        let marks: Vec<_> = marks.collect();
        let resit = table.table("resit").and_then(|table| {
            let law = law(&table);
            Some((count(&table, "most")?, law))
        });
        let regrade = table.table("regrade").map(|table| law(&table));
        let item = table.table("item");
        if item.is_none() && !table.has("item") {
            table.mistake(What::MissingKey { key: "item".into() });
        }
        let item = item.map(|item| (must(&item, "key"), must(&item, "points")));
        let (sitting, script, items) =
            (table.must("sitting"), table.must("script"), table.must("items"));
        let (opens, time, pass) =
            (must(table, "opens"), table.period_or_formula("time"), must(table, "pass"));
        if time.is_none() && !table.has("time") {
            table.mistake(What::MissingKey { key: "time".into() });
        }
        let (candidate, law) = (must(table, "candidate"), law(table));
        let extra_time = table.formula("extra_time");
        let (key, points) = item?;
        Some(Self {
            at: table.at(),
            name,
            law,
            sitting: sitting?,
            script: script?,
            items: items?,
            key: key?,
            points: points?,
            blueprint,
            opens: opens?,
            time: time?,
            extra_time,
            candidate: candidate?,
            marks,
            pass: pass?,
            resit,
            regrade,
        })
    }
}
