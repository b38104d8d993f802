//! Mechanisms beside cases, one a file: registries, accounts, bookings.

use super::{
    case::{Case, Need, Unique, law, uniques},
    mistake::What,
    reader::{At, Placed, Table},
};
use crate::calendar::Rule;

/// Records under a key, with the time in which each is valid and that in which it was known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registry {
    pub at: At,
    pub name: String,
    /// The form that a record has.
    pub form: String,
    /// What a record is found by.
    pub key: Vec<Placed>,
    /// Whom it is about: he may ask for it, and sees who has.
    pub subject: Option<Placed>,
    /// From and until which day it is valid; always, where nothing is said.
    pub from: Option<Placed>,
    pub to: Option<Placed>,
    /// By what else records are found.
    pub indexes: Vec<(String, Placed)>,
    /// Of records in force, one has this value.
    pub uniques: Vec<Unique>,
    /// When two records are of one and the same.
    pub duplicates: Vec<Duplicate>,
    /// Records of which those who may not know get no hint.
    pub seals: Vec<Seal>,
    pub asks: Vec<Ask>,
    /// What its formulas stand in.
    pub case: Case,
}

/// Records that agree in all of this are of one and the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Duplicate {
    pub at: At,
    pub name: String,
    pub same: Vec<Placed>,
    pub law: String,
    /// Whether it is recorded and marked; else it is refused.
    pub flag: bool,
}

/// Records that are as if they were not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seal {
    pub at: At,
    pub name: String,
    pub when: Placed,
    /// When they are there all the same; over `ask`.
    pub open: Option<Placed>,
    pub law: String,
}

/// A question that may be put to a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    pub at: At,
    pub name: String,
    /// The form of the question.
    pub form: String,
    pub by: Vec<String>,
    /// The purposes for which it may be put; its form has one of them in `purpose`.
    pub purposes: Vec<String>,
    pub needs: Vec<Need>,
    /// Which records answer it.
    pub which: Placed,
    pub give: Give,
    /// The most records that are given.
    pub limit: usize,
    pub law: String,
}

/// What is given of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Give {
    All,
    Fields(Vec<String>),
    /// Whether there is one.
    YesNo,
    /// How many there are.
    Count,
}

/// The most records that an answer may give.
const MOST_GIVEN: u32 = 1_000;

impl Registry {
    pub(super) fn read(table: &Table<'_>, rule: Rule) -> Option<Self> {
        let name = table.must("registry")?;
        let form = table.text("form").unwrap_or_else(|| name.clone());
        if !table.has("key") {
            table.mistake(What::MissingKey { key: "key".into() });
        }
        let valid = table.table("valid");
        let edge = |key| valid.as_ref().and_then(|valid| valid.formula(key));
        let (from, to) = (edge("from"), edge("to"));
        let duplicates = table.tables("duplicate").into_iter().map(|(name, table)| Duplicate {
            at: table.at(),
            name,
            same: table.formulas("same"),
            law: law(&table),
            flag: one_of(&table, "else", &["refuse", "flag"]) == Some(1),
        });
        let duplicates = duplicates.collect();
        let seals = table.tables("seal").into_iter().filter_map(|(name, table)| {
            let (when, open, law) = (table.formula("when"), table.formula("open"), law(&table));
            if when.is_none() {
                table.mistake(What::MissingKey { key: "when".into() });
            }
            Some(Seal { at: table.at(), name, when: when?, open, law })
        });
        let seals = seals.collect();
        let asks = table.tables("ask").into_iter().filter_map(|(name, t)| Ask::read(name, &t));
        let case = Case::nothing(table.at(), &name, rule);
        Some(Self {
            at: table.at(),
            case,
            name,
            form,
            key: table.formulas("key"),
            subject: table.formula("subject"),
            from,
            to,
            indexes: table.named_formulas("index"),
            uniques: uniques(table),
            duplicates,
            seals,
            asks: asks.collect(),
        })
    }

    pub(crate) fn ask(&self, name: &str) -> Option<&Ask> {
        self.asks.iter().find(|ask| ask.name == name)
    }
}

/// Which of some words a key has; none when it is not there.
fn one_of(table: &Table<'_>, key: &'static str, known: &[&str]) -> Option<usize> {
    let word = table.text(key)?;
    let found = known.iter().position(|known| *known == word);
    if found.is_none() {
        let known = known.iter().map(|known| (*known).to_owned()).collect();
        table.mistake(What::Word { key, word, known });
    }
    found
}

impl Ask {
    fn read(name: String, table: &Table<'_>) -> Option<Self> {
        if !table.has("where") {
            table.mistake(What::MissingKey { key: "where".into() });
        }
        let give = match table.names("give") {
            given if given.is_empty() => {
                table.mistake(What::MissingKey { key: "give".into() });
                Give::Count
            }
            given => match given.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                ["all"] => Give::All,
                ["yes-no"] => Give::YesNo,
                ["count"] => Give::Count,
                fields => Give::Fields(fields.iter().map(|field| (*field).to_owned()).collect()),
            },
        };
        let needs = table.tables("need").into_iter().filter_map(|(name, t)| Need::read(name, &t));
        let needs = needs.collect();
        let limit = table.count("limit").unwrap_or(100);
        if limit > MOST_GIVEN {
            table.mistake(What::Kind { key: "limit".into(), wanted: "1 … 1000" });
        }
        Some(Self {
            at: table.at(),
            form: table.text("form").unwrap_or_else(|| name.clone()),
            name,
            by: table.names("by"),
            purposes: table.names("purpose"),
            needs,
            which: table.formula("where")?,
            give,
            limit: limit.min(MOST_GIVEN) as usize,
            law: law(table),
        })
    }
}

/// Quantities at places, by dimensions: money, days of leave, seats. What leaves one place comes to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub at: At,
    pub name: String,
    pub unit: String,
    pub dims: Vec<String>,
    /// The places, and what each is: what comes into being at a source may go below nothing there.
    pub places: Vec<(String, String)>,
    pub limits: Vec<Limit>,
}

/// What must hold of the balances of one set of dimensions after all moves of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limit {
    pub at: At,
    pub name: String,
    pub that: Placed,
    pub law: String,
    pub say: Option<String>,
}

impl Account {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let name = table.must("account")?;
        let places = table.words("places", &["source", "stock", "held", "sink"]);
        if places.len() < 2 {
            table.mistake(What::MissingKey { key: "places".into() });
        }
        let limits = table.tables("limit").into_iter().filter_map(|(name, table)| {
            if !table.has("that") {
                table.mistake(What::MissingKey { key: "that".into() });
            }
            let (law, say) = (law(&table), table.text("say"));
            Some(Limit { at: table.at(), name, that: table.formula("that")?, law, say })
        });
        Some(Self {
            at: table.at(),
            name,
            unit: table.must("unit").unwrap_or_default(),
            dims: table.names("dims"),
            places,
            limits: limits.collect(),
        })
    }

    pub(crate) fn place(&self, name: &str) -> Option<&str> {
        self.places.iter().find(|(known, _)| known == name).map(|(_, kind)| kind.as_str())
    }
}

/// Something of which so many units can be had at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Booking {
    pub at: At,
    pub name: String,
    /// How many units a resource has: of a plain number, or over `resource`, its name.
    pub units: Placed,
    /// How many free slots a refusal names.
    pub offer: usize,
    /// What times are rounded to.
    pub slot: crate::civil::Period,
    pub law: String,
}

impl Booking {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let name = table.must("booking")?;
        if !table.has("units") {
            table.mistake(What::MissingKey { key: "units".into() });
        }
        let slot = table.text("slot").and_then(|slot| slot.parse::<crate::civil::Period>().ok());
        let slot = slot.filter(|slot| slot.seconds().is_some_and(|seconds| seconds > 0));
        if slot.is_none() {
            table.mistake(What::Kind { key: "slot".into(), wanted: "30 min, 1 h" });
        }
        let (at, law) = (table.at(), law(table));
        let offer = table.count("offer").unwrap_or(3).min(20) as usize;
        Some(Self { at, name, units: table.formula("units")?, offer, slot: slot?, law })
    }
}
