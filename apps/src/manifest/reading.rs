//! Who may read what a case keeps: of which office a thing is, whose matter it is, which roles read it, and what is hidden how long.

use std::collections::BTreeSet;

use chancery_certs::PartyKind;
use chancery_protocol::Hand;

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

/// Where a role is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RoleScope {
    /// In the whole agency, or in offices.
    Agency,
    /// In offices, and never in the whole agency.
    Office,
    /// Parties have it, or those of one kind: nobody is appointed to it.
    Party(Option<PartyKind>),
}

/// Where a role is held, and of parties, by which.
pub(super) fn role_scope(table: &Table<'_>) -> RoleScope {
    let word = |key, word: String, known: &[&str]| {
        let known = known.iter().map(|&known| known.to_owned()).collect();
        table.mistake(What::Word { key, word, known });
    };
    let kind = match table.text("of").as_deref() {
        None => None,
        Some("legal") => Some(PartyKind::Legal),
        Some("natural") => Some(PartyKind::Natural),
        Some(other) => {
            word("of", other.to_owned(), &["legal", "natural"]);
            None
        }
    };
    let scope = match table.text("scope").as_deref() {
        None | Some("agency") => RoleScope::Agency,
        Some("office") => RoleScope::Office,
        Some("party") => return RoleScope::Party(kind),
        Some(other) => {
            word("scope", other.to_owned(), &["office", "agency", "party"]);
            RoleScope::Agency
        }
    };
    // Only parties are of a kind.
    if table.has("of") {
        table.mistake(What::UnknownKey { key: "of".into(), nearest: None });
    }
    scope
}

/// As what somebody may act for a party in an act: all, if it says nothing.
pub(super) fn proxies(table: &Table<'_>) -> Vec<Hand> {
    if !table.has("proxy") {
        return Hand::ALL.into();
    }
    let mut all = Vec::new();
    for name in table.names_or_none("proxy") {
        match Hand::ALL.into_iter().find(|hand| hand.name() == name) {
            Some(hand) => all.push(hand),
            None => {
                let known = Hand::ALL.map(|hand| hand.name().to_owned()).into();
                table.mistake(What::Word { key: "proxy", word: name, known });
            }
        }
    }
    all
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
