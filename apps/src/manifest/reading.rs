//! Who may read what a case keeps: of which office a thing is, whose matter it is, which roles read it, and what is hidden how long.

use std::collections::BTreeSet;

use super::{
    case::{Act, Case},
    mistake::What,
    reader::{At, Placed, Table},
};
use crate::formula::Formula;

/// What a case says of reading.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Reading {
    /// The office of a thing, from the document that opens it.
    pub office: Option<Placed>,
    /// Whose matter it is.
    pub subject: Option<Placed>,
    /// Roles that read besides those that act.
    pub readers: Vec<String>,
    pub hides: Vec<Hide>,
}

/// A field, or a name of `who`, that only those see who have to do with it, until something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hide {
    pub at: At,
    pub name: String,
    pub until: Until,
    pub law: String,
}

/// Until when something is hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Until {
    /// This state was entered.
    State(String),
    /// This deadline has ended.
    Due(String),
}

impl Reading {
    pub(super) fn read(table: &Table<'_>) -> Self {
        let hides = table.tables("hide").into_iter();
        Self {
            office: table.formula("office"),
            subject: table.formula("subject"),
            readers: table.names("readers"),
            hides: hides.filter_map(|(name, table)| Hide::read(name, &table)).collect(),
        }
    }
}

impl Hide {
    fn read(name: String, table: &Table<'_>) -> Option<Self> {
        let law = table.text("law").unwrap_or_default();
        let given = table.must("until")?;
        let until = match given.split_once(':') {
            Some(("state", state)) => Until::State(state.to_owned()),
            Some(("due", due)) => Until::Due(due.to_owned()),
            _ => {
                let wanted = "state:NAME, due:NAME";
                table.mistake(What::Kind { key: "until".into(), wanted });
                return None;
            }
        };
        Some(Self { at: table.at(), name, until, law })
    }
}

/// Whether a role is held in offices, and never in the whole agency: its scope.
pub(super) fn is_of_an_office(table: &Table<'_>) -> bool {
    match table.text("scope").as_deref() {
        None | Some("agency") => false,
        Some("office") => true,
        Some(other) => {
            let known = ["office", "agency"].map(str::to_owned).into();
            table.mistake(What::Word { key: "scope", word: other.to_owned(), known });
            false
        }
    }
}

impl Case {
    /// The roles and names of `who` that may do something, owe something, or read.
    pub(crate) fn read_by(&self) -> impl Iterator<Item = &str> {
        let acting = self.acts.iter().flat_map(|act| &act.by);
        let owing = self.dues.iter().filter_map(|due| due.owes.as_ref());
        acting.chain(owing).chain(&self.reading.readers).map(String::as_str)
    }

    /// Whether what a formula gives may show a field that was set, or a name of `who`: it reads it, itself or by what it names.
    pub(crate) fn shows(&self, formula: &Formula, hidden: &str) -> bool {
        self.reads(formula, hidden, &mut BTreeSet::new())
    }

    fn reads<'c>(&'c self, formula: &Formula, hidden: &str, seen: &mut BTreeSet<&'c str>) -> bool {
        formula.paths().iter().any(|path| match path.as_slice() {
            [root] if root == "it" => true,
            [root, field, ..] if root == "it" => field == hidden,
            [root, due, ..] if root == "due" => self.due(due).is_some_and(|due| {
                // Each is looked into once: they may rest on each other as they like.
                seen.insert(&due.name)
                    && due.formulas().iter().any(|placed| self.reads(&placed.formula, hidden, seen))
            }),
            [root, ..] if root == hidden => true,
            [root, ..] => {
                let mut named = self.who.iter().chain(&self.lets);
                named.find(|(name, _)| name == root).is_some_and(|(name, placed)| {
                    seen.insert(name) && self.reads(&placed.formula, hidden, seen)
                })
            }
            [] => false,
        })
    }

    /// The acts from which something that is hidden comes: they set it, or their documents say it.
    pub(crate) fn comes_of(&self, hidden: &str) -> impl Iterator<Item = &Act> {
        let who = self.who.iter().find(|(name, _)| name == hidden);
        let paths = who.map(|(_, placed)| placed.formula.paths()).unwrap_or_default();
        self.acts.iter().filter(move |act| {
            let sets = act.set.iter().any(|(name, _)| name == hidden);
            let says = paths.iter().any(|path| match path.as_slice() {
                [root, name, ..] if matches!(root.as_str(), "filed" | "author" | "authors") => {
                    *name == act.name
                }
                [root, field, ..] if root == "it" => act.set.iter().any(|(name, _)| name == field),
                _ => false,
            });
            sets || says
        })
    }
}
