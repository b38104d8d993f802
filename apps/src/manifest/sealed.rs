//! Sealed envelopes: what nobody reads before its time, and then only several together.

use std::collections::BTreeSet;

use super::{
    case::Case,
    check::wanted,
    effect_check::{fields_of, of_state},
    mistake::What,
    module::Module,
    more::Checked,
    reader::{At, Placed, Table},
};
use crate::{
    envelope::MOST_HOLDERS,
    formula::{Scope, Type},
};

/// Envelopes that are deposited in a matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub at: At,
    pub name: String,
    /// The case in whose things they are deposited.
    pub of: String,
    /// Who holds keys, and how many of them open an envelope.
    pub holders: Placed,
    pub k: u32,
    /// From when on nothing is deposited or taken back, and before when no share is given.
    pub before: Placed,
    /// Whether whoever has deposited one may deposit another in its place, and take it back.
    pub replace: bool,
    pub withdraw: bool,
    /// What is known of them before they are opened.
    pub shown: Shows,
    /// With fewer than that none is opened.
    pub least: u32,
    pub law: String,
}

/// What is known of envelopes before they are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shows {
    Nothing,
    Number,
    Names,
}

impl Sealed {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let name = table.must("sealed")?;
        for key in ["holders", "k", "before"] {
            if !table.has(key) {
                table.mistake(What::MissingKey { key: key.into() });
            }
        }
        let words = ["nothing", "number", "names"];
        let shown = match table.must("shown").as_deref() {
            Some("nothing") | None => Shows::Nothing,
            Some("number") => Shows::Number,
            Some("names") => Shows::Names,
            Some(word) => {
                let (word, known) = (word.to_owned(), words.map(str::to_owned).into());
                table.mistake(What::Word { key: "shown", word, known });
                Shows::Nothing
            }
        };
        let k = table.count("k").unwrap_or(2);
        if k < 2 || k as usize >= MOST_HOLDERS {
            table.mistake(What::Kind { key: "k".into(), wanted: "2 … 6" });
        }
        let (holders, before) = (table.formula("holders"), table.formula("before"));
        Some(Self {
            at: table.at(),
            of: table.must("of").unwrap_or_default(),
            holders: holders?,
            k,
            before: before?,
            replace: table.bool("replace"),
            withdraw: table.bool("withdraw"),
            shown,
            least: table.count("least").unwrap_or(1),
            law: super::case::law(table),
            name,
        })
    }

    pub(super) fn check(&self, checking: &Checked<'_>, texts: &mut BTreeSet<String>) {
        let module = checking.module;
        texts.insert(format!("sealed-{}", self.name));
        checking.law(&self.at, &self.name, &self.law);
        let cases = module.cases.keys().map(String::as_str);
        checking.declared(&self.at, "case", &self.of, cases);
        let case: Option<&Case> = module.cases.get(&self.of);
        let scope = Own { module, own: case.map_or(Type::Any, fields_of) };
        let check = |placed: &Placed, name, kinds: &[Type]| {
            wanted(placed, &scope, checking.mistakes, name, kinds);
            checking.names(placed);
        };
        check(&self.holders, "list of names", &[Type::list(Type::Text)]);
        check(&self.before, "instant", &[Type::Instant]);
    }
}

/// What the formulas of envelopes speak of: the thing in which they are deposited.
struct Own<'a> {
    module: &'a Module,
    own: Type,
}

impl Scope for Own<'_> {
    fn root(&self, name: &str) -> Option<Type> {
        match name {
            "own" => Some(self.own.clone()),
            "home" => Some(Type::Text),
            _ => None,
        }
    }
    fn roots(&self) -> Vec<String> {
        ["own", "home"].map(str::to_owned).into()
    }
    fn call(&self, name: &str, first: Option<&str>) -> Type {
        of_state(self.module, name, first)
    }
}

/// What `envelopes('NAME')` gives.
pub(super) fn all() -> Type {
    Type::map([
        ("count", Type::Int),
        ("names", Type::list(Type::Text)),
        ("opened", Type::Int),
        ("failed", Type::Int),
        ("not_opened", Type::Int),
    ])
}

/// What `envelope('NAME', sender)` gives.
pub(super) fn one() -> Type {
    Type::map([("outcome", Type::Text), ("content", Type::Text), ("reason", Type::Text)])
}
