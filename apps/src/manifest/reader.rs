//! Reading TOML so that every mistake is named with its file and line, and no key is passed over.

use std::{cell::RefCell, collections::BTreeSet, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::mistake::{Mistake, What};
use crate::{formula::Formula, nearest::nearest};

/// Where the mistakes of a folder are gathered.
#[derive(Debug, Default)]
pub(super) struct Mistakes(RefCell<Vec<Mistake>>);

impl Mistakes {
    pub(super) fn add(&self, at: &At, what: What) {
        self.0.borrow_mut().push(Mistake { at: at.clone(), what });
    }

    pub(super) fn into_vec(self) -> Vec<Mistake> {
        let mut all = self.0.into_inner();
        all.sort_by(|a, b| (&a.at.file, a.at.line).cmp(&(&b.at.file, b.at.line)));
        all
    }
}

/// A place in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct At {
    /// The file.
    pub file: String,
    /// The line, from 1 on.
    pub line: usize,
}

/// A file that is being read.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'a> {
    pub path: &'a str,
    pub text: &'a str,
    pub mistakes: &'a Mistakes,
}

impl<'a> File<'a> {
    pub(super) fn at(&self, span: &Range<usize>) -> At {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        At { file: self.path.to_owned(), line: 1 + before.matches('\n').count() }
    }

    /// Reads the whole, and gives it to somebody.
    pub(super) fn read(&self, give: impl FnOnce(Table<'_>)) {
        match DeTable::parse(self.text) {
            Err(error) => {
                let at = self.at(&error.span().unwrap_or(0..0));
                self.mistakes.add(&at, What::Toml(error.message().to_owned()));
            }
            Ok(table) => {
                let span = table.span();
                let table = Table::new(*self, table.get_ref(), span);
                give(table);
            }
        }
    }
}

/// A table of a file, of which each key must be asked for.
pub(super) struct Table<'a> {
    file: File<'a>,
    table: &'a DeTable<'a>,
    span: Range<usize>,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl Drop for Table<'_> {
    /// Whoever has read a table has asked for all that there may be in it.
    fn drop(&mut self) {
        let asked = self.asked.borrow();
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if !asked.contains(name) && !asked.contains(ANY) {
                let nearest = nearest(name, asked.iter().copied()).map(str::to_owned);
                let what = What::UnknownKey { key: name.to_owned(), nearest };
                self.file.mistakes.add(&self.file.at(&key.span()), what);
            }
        }
    }
}

/// Stands for all keys of a table whose keys are names.
const ANY: &str = "";

impl<'a> Table<'a> {
    fn new(file: File<'a>, table: &'a DeTable<'a>, span: Range<usize>) -> Self {
        Self { file, table, span, asked: RefCell::default() }
    }

    pub(super) fn at(&self) -> At {
        self.file.at(&self.span)
    }

    pub(super) fn mistake(&self, what: What) {
        self.file.mistakes.add(&self.at(), what);
    }

    fn value(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().insert(key);
        self.table.get(key)
    }

    pub(super) fn has(&self, key: &'static str) -> bool {
        self.value(key).is_some()
    }

    fn wrong(&self, value: &Spanned<DeValue<'_>>, key: &str, wanted: &'static str) {
        let what = match value.get_ref() {
            DeValue::Float(_) => What::Float { key: key.to_owned() },
            _ => What::Kind { key: key.to_owned(), wanted },
        };
        self.file.mistakes.add(&self.file.at(&value.span()), what);
    }

    pub(super) fn text(&self, key: &'static str) -> Option<String> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            _ => {
                self.wrong(value, key, "text");
                None
            }
        }
    }

    /// A text that must be there.
    pub(super) fn must(&self, key: &'static str) -> Option<String> {
        if !self.has(key) {
            self.mistake(What::MissingKey { key: key.to_owned() });
        }
        self.text(key)
    }

    pub(super) fn bool(&self, key: &'static str) -> bool {
        let Some(value) = self.value(key) else { return false };
        match value.get_ref() {
            DeValue::Boolean(yes) => *yes,
            _ => {
                self.wrong(value, key, "true, false");
                false
            }
        }
    }

    pub(super) fn int(&self, key: &'static str) -> Option<i64> {
        let value = self.value(key)?;
        let found = match value.get_ref() {
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).ok(),
            _ => None,
        };
        if found.is_none() {
            self.wrong(value, key, "integer");
        }
        found
    }

    /// How often something may be: at least once.
    pub(super) fn count(&self, key: &'static str) -> Option<u32> {
        let given = self.int(key)?;
        let count = u32::try_from(given).ok().filter(|count| *count > 0);
        if count.is_none() {
            self.mistake(What::Kind { key: key.to_owned(), wanted: "1, 2, 3, …" });
        }
        count
    }

    /// A name, or a list of names; with the place.
    pub(super) fn names(&self, key: &'static str) -> Vec<String> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let each: Option<Vec<_>> = match value.get_ref() {
            DeValue::String(text) => Some(vec![text.to_string()]),
            DeValue::Array(list) => {
                let text = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
                    DeValue::String(text) => Some(text.to_string()),
                    _ => None,
                };
                list.iter().map(text).collect()
            }
            _ => None,
        };
        if each.is_none() {
            self.wrong(value, key, "name, list of names");
        }
        each.unwrap_or_default()
    }

    /// A formula.
    pub(super) fn formula(&self, key: &'static str) -> Option<Placed> {
        let value = self.value(key)?;
        self.formula_of(value, key)
    }

    /// A period as it is written, `30 d`, or a formula that gives one.
    pub(super) fn period_or_formula(&self, key: &'static str) -> Option<Placed> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::String(text) if text.parse::<crate::civil::Period>().is_ok() => {
                let formula = Formula::parse(&format!("'{text}'")).ok()?;
                Some(Placed { formula, at: self.file.at(&value.span()) })
            }
            _ => self.formula_of(value, key),
        }
    }

    /// A formula, or a list of them.
    pub(super) fn formulas(&self, key: &'static str) -> Vec<Placed> {
        let Some(value) = self.value(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(list) => {
                list.iter().filter_map(|value| self.formula_of(value, key)).collect()
            }
            _ => self.formula_of(value, key).into_iter().collect(),
        }
    }

    fn formula_of(&self, value: &Spanned<DeValue<'_>>, key: &str) -> Option<Placed> {
        let DeValue::String(text) = value.get_ref() else {
            self.wrong(value, key, "formula");
            return None;
        };
        let at = self.file.at(&value.span());
        match Formula::parse(text) {
            Ok(formula) => Some(Placed { formula, at }),
            Err(error) => {
                let what =
                    What::Formula { text: text.to_string(), fault: error.fault, byte: error.at };
                self.file.mistakes.add(&at, what);
                None
            }
        }
    }

    /// Named formulas, in the order in which they stand.
    pub(super) fn named_formulas(&self, key: &'static str) -> Vec<(String, Placed)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong(value, key, "table of formulas");
            return Vec::new();
        };
        let mut found: Vec<_> = table.iter().collect();
        found.sort_by_key(|(name, _)| name.span().start);
        let named = found.into_iter().filter_map(|(name, value)| {
            self.check_name(name);
            Some((name.get_ref().to_string(), self.formula_of(value, name.get_ref())?))
        });
        named.collect()
    }

    fn check_name(&self, name: &Spanned<toml::de::DeString<'_>>) {
        if !is_name(name.get_ref()) {
            let what = What::Name(name.get_ref().to_string());
            self.file.mistakes.add(&self.file.at(&name.span()), what);
        }
    }

    /// A table.
    pub(super) fn table(&self, key: &'static str) -> Option<Table<'a>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Table::new(self.file, table, value.span())),
            _ => {
                self.wrong(value, key, "table");
                None
            }
        }
    }

    /// Named tables, in the order in which they stand.
    pub(super) fn tables(&self, key: &'static str) -> Vec<(String, Table<'a>)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong(value, key, "table of tables");
            return Vec::new();
        };
        let mut found: Vec<_> = table.iter().collect();
        found.sort_by_key(|(name, _)| name.span().start);
        let named = found.into_iter().filter_map(|(name, value)| {
            self.check_name(name);
            match value.get_ref() {
                DeValue::Table(table) => {
                    Some((name.get_ref().to_string(), Table::new(self.file, table, name.span())))
                }
                _ => {
                    self.wrong(value, name.get_ref(), "table");
                    None
                }
            }
        });
        named.collect()
    }

    /// A list of tables.
    pub(super) fn list(&self, key: &'static str) -> Vec<Table<'a>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(list) = value.get_ref() else {
            self.wrong(value, key, "list of tables");
            return Vec::new();
        };
        let each = list.iter().filter_map(|value| match value.get_ref() {
            DeValue::Table(table) => Some(Table::new(self.file, table, value.span())),
            _ => {
                self.wrong(value, key, "table");
                None
            }
        });
        each.collect()
    }

    /// Named texts.
    pub(super) fn texts(&self, key: &'static str) -> Vec<(String, String)> {
        let Some(table) = self.table(key) else { return Vec::new() };
        table.asked.borrow_mut().insert(ANY);
        let each = table.table.iter().filter_map(|(name, value)| match value.get_ref() {
            DeValue::String(text) => Some((name.get_ref().to_string(), text.to_string())),
            _ => {
                table.wrong(value, name.get_ref(), "text");
                None
            }
        });
        each.collect()
    }
}

/// Names are ASCII, so that everybody can type them: lower case, digits, `_` and, for people's eyes, `-`.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    name.len() <= 60
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(plain)
}

/// A formula, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub formula: Formula,
    pub at: At,
}
