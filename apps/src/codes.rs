//! Code lists: what a code stands for, by date.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    civil::Date,
    formula::Type,
    manifest::{At, Both},
    value::{Value, Why},
};

/// A code list, as a file of `codes/` gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Codes {
    pub at: At,
    pub name: String,
    /// What each code stood for, in the order of time.
    pub codes: BTreeMap<String, Vec<Code>>,
}

/// What a code stands for, for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code {
    pub at: At,
    pub names: Both,
    pub parent: Option<String>,
    /// From this day on; nothing if it always did.
    pub from: Option<Date>,
    /// Up to this day, which is its last; nothing if it goes on.
    pub until: Option<Date>,
}

impl Code {
    pub(crate) fn holds(&self, on: Date) -> bool {
        self.from.is_none_or(|from| from <= on) && self.until.is_none_or(|until| on <= until)
    }

    /// Whether there is a day on which it and another hold.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let before = |a: Option<Date>, b: Option<Date>| a.zip(b).is_some_and(|(a, b)| a < b);
        !before(self.until, other.from) && !before(other.until, self.from)
    }
}

impl Codes {
    /// What a code stands for on a day.
    pub(crate) fn on(&self, code: &str, on: Date) -> Option<&Code> {
        self.codes.get(code)?.iter().find(|known| known.holds(on))
    }

    /// As formulas see it: `{ code, name, en, parent }`.
    pub(crate) fn value(&self, code: &str, on: Date) -> Value {
        let Some(found) = self.on(code, on) else {
            return Value::Unknown(Why::NoRow(format!("{}({code}, {on})", self.name)));
        };
        let fields = [("code", code), ("name", &found.names.zh), ("en", &found.names.en)];
        let parent = found.parent.as_deref().map(|parent| ("parent", parent));
        let each = fields.into_iter().chain(parent);
        Value::Map(each.map(|(name, text)| (name.to_owned(), Value::text(text))).collect())
    }

    /// The kind of [`Codes::value`].
    pub(crate) fn kind() -> Type {
        Type::map(["code", "name", "en", "parent"].map(|name| (name, Type::Text)))
    }

    /// The codes that are above a code on a day, nearest first; and whether they lead back to it.
    pub(crate) fn above(&self, code: &str, on: Date) -> (Vec<String>, bool) {
        let (mut way, mut seen) = (Vec::new(), BTreeSet::from([code]));
        let mut next = self.on(code, on).and_then(|found| found.parent.as_deref());
        while let Some(parent) = next {
            way.push(parent.to_owned());
            if !seen.insert(parent) {
                return (way, true);
            }
            next = self.on(parent, on).and_then(|found| found.parent.as_deref());
        }
        (way, false)
    }
}
