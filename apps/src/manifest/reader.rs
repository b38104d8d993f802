//! Reading TOML so that every mistake is named with its file and line, and no key is passed over.

use std::{cell::RefCell, collections::BTreeSet, ops::Range};

use chancery_protocol::text::{check_line, check_lines};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::mistake::{Mistake, What};
use crate::{formula::Formula, nearest::nearest};

/// Where the mistakes of a folder are gathered.
#[derive(Debug, Default)]
pub(super) struct Mistakes(RefCell<Vec<Mistake>>);

/// How many mistakes are named. Nobody mends more at a time, and to look for each has its cost.
const MOST_MISTAKES: usize = 1_000;

impl Mistakes {
    pub(super) fn is_full(&self) -> bool {
        self.0.borrow().len() >= MOST_MISTAKES
    }

    pub(super) fn add(&self, at: &At, what: What) {
        if self.is_full() {
            return;
        }
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

/// The most characters of a name or title that people read.
const MOST_TEXT: usize = 400;

/// The most bytes of a file that is read.
const MOST_FILE: usize = 256 << 10;

/// A file that is being read.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'a> {
    pub path: &'a str,
    pub text: &'a str,
    /// Where each line after the first begins.
    pub lines: &'a [usize],
    pub mistakes: &'a Mistakes,
}

/// Where each line of a text after the first begins.
pub(super) fn lines(text: &str) -> Vec<usize> {
    text.match_indices('\n').map(|(at, _)| at + 1).collect()
}

impl<'a> File<'a> {
    pub(super) fn at(&self, span: &Range<usize>) -> At {
        let line = 1 + self.lines.partition_point(|begin| *begin <= span.start);
        At { file: self.path.to_owned(), line }
    }

    /// What a text that people read may not have: characters that are not seen or change what is, and more than they read.
    fn seen(&self, span: &Range<usize>, key: &str, text: &str, lines: bool) {
        let checked = if lines { check_lines(text) } else { check_line(text) };
        if let Err(fault) = checked {
            self.mistakes.add(&self.at(span), What::Text { key: key.to_owned(), fault });
        } else if !lines && text.chars().count() > MOST_TEXT {
            let (key, most) = (key.to_owned(), MOST_TEXT);
            self.mistakes.add(&self.at(span), What::TextLength { key, most });
        }
    }

    /// Says where a file has characters that are not seen or change what is: in comments and texts alike, and which it is
    /// too long to be read.
    pub(super) fn check_characters(&self) -> bool {
        if self.text.len() > MOST_FILE {
            let at = At { file: self.path.to_owned(), line: 1 };
            self.mistakes.add(&at, What::Excess { what: "byte", most: MOST_FILE });
            return false;
        }
        // Spreadsheets begin what they write with a byte order mark.
        let text = match self.path.ends_with(".csv") {
            true => self.text.strip_prefix('\u{feff}').unwrap_or(self.text),
            false => self.text,
        };
        for (number, line) in (1..).zip(text.lines()) {
            if let Err(fault) = check_lines(line) {
                let at = At { file: self.path.to_owned(), line: number };
                self.mistakes.add(&at, What::Text { key: String::new(), fault });
            }
        }
        true
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

/// What stands in a table under a key.
pub(super) struct Entry<'a> {
    pub name: String,
    pub at: At,
    pub value: &'a DeValue<'a>,
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

    /// What stands somewhere below it, of which somebody else asks for the keys.
    pub(super) fn value_at(&self, path: &[&str]) -> Option<&'a DeValue<'a>> {
        let (last, above) = path.split_last()?;
        let mut table = self.table;
        for key in above {
            match table.get(*key)?.get_ref() {
                DeValue::Table(inner) => table = inner,
                _ => return None,
            }
        }
        table.get(*last).map(Spanned::get_ref)
    }

    /// A text that stands for something in this file, to be read as if it were part of it.
    pub(super) fn inner_file<'t>(&self, text: &'t str, lines: &'t [usize]) -> File<'t>
    where
        'a: 't,
    {
        File { path: self.file.path, text, lines, mistakes: self.file.mistakes }
    }

    pub(super) fn mistake(&self, what: What) {
        self.file.mistakes.add(&self.at(), what);
    }

    pub(super) fn value(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
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
            DeValue::String(text) => {
                self.file.seen(&value.span(), key, text, false);
                Some(text.to_string())
            }
            _ => {
                self.wrong(value, key, "text");
                None
            }
        }
    }

    /// A text that may be anything, also blank: what somebody writes into a form.
    pub(super) fn raw(&self, key: &'static str) -> Option<String> {
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
        let Some(each) = each else {
            self.wrong(value, key, "name, list of names");
            return Vec::new();
        };
        let at = self.file.at(&value.span());
        if each.is_empty() {
            self.file.mistakes.add(&at, What::Empty { key: key.to_owned() });
        }
        // An act that opens says so by the state "".
        for name in each.iter().filter(|name| key != "from" || !name.is_empty()) {
            self.file.seen(&value.span(), key, name, false);
        }
        let mut seen = BTreeSet::new();
        for name in each.iter().filter(|name| !seen.insert(name.as_str())) {
            self.file.mistakes.add(&at, What::Twice(name.clone()));
        }
        each
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
                if list.is_empty() {
                    let at = self.file.at(&value.span());
                    self.file.mistakes.add(&at, What::Empty { key: key.to_owned() });
                }
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
        self.file.seen(&value.span(), key, text, true);
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

    /// Formulas by their names: all that stands in it.
    pub(super) fn each_formula(&self) -> Vec<(String, Placed)> {
        self.asked.borrow_mut().insert(ANY);
        let each = self.table.iter().filter_map(|(name, value)| {
            Some((name.get_ref().to_string(), self.formula_of(value, name.get_ref())?))
        });
        each.collect()
    }

    /// A formula that gives a map, or a table of formulas.
    pub(super) fn fields_or_formula(&self, key: &'static str) -> Option<Fields> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Table(_) => Some(Fields::Each(self.named_formulas(key))),
            _ => self.formula_of(value, key).map(Fields::Whole),
        }
    }

    /// Whether a key holds a table.
    pub(super) fn is_table(&self, key: &'static str) -> bool {
        self.value(key).is_some_and(|value| matches!(value.get_ref(), DeValue::Table(_)))
    }

    /// Names, each with one of some words.
    pub(super) fn words(&self, key: &'static str, known: &[&str]) -> Vec<(String, String)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong(value, key, "table of words");
            return Vec::new();
        };
        let mut found: Vec<_> = table.iter().collect();
        found.sort_by_key(|(name, _)| name.span().start);
        let each = found.into_iter().filter_map(|(name, value)| {
            self.check_name(name);
            match value.get_ref() {
                DeValue::String(word) if known.contains(&word.as_ref()) => {
                    Some((name.get_ref().to_string(), word.to_string()))
                }
                DeValue::String(word) => {
                    let known = known.iter().map(|word| (*word).to_owned()).collect();
                    let what = What::Word { key, word: word.to_string(), known };
                    self.file.mistakes.add(&self.file.at(&value.span()), what);
                    None
                }
                _ => {
                    self.wrong(value, name.get_ref(), "text");
                    None
                }
            }
        });
        each.collect()
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

    /// The keys of a table whose keys may be anything, with their places.
    pub(super) fn keys(&self, key: &'static str) -> Vec<(String, At)> {
        let Some(table) = self.table(key) else { return Vec::new() };
        table.asked.borrow_mut().insert(ANY);
        let each = table.table.keys();
        each.map(|key| (key.get_ref().to_string(), self.file.at(&key.span()))).collect()
    }

    /// Tables by keys that are no names: years.
    pub(super) fn tables_by_any(&self, key: &'static str) -> Vec<(String, Table<'a>)> {
        let Some(table) = self.table(key) else { return Vec::new() };
        table.asked.borrow_mut().insert(ANY);
        let each = table.table.iter().filter_map(|(name, value)| match value.get_ref() {
            DeValue::Table(inner) => {
                Some((name.get_ref().to_string(), Table::new(self.file, inner, name.span())))
            }
            _ => {
                table.wrong(value, name.get_ref(), "table");
                None
            }
        });
        each.collect()
    }

    /// Whether there is no fraction anywhere below a key.
    pub(super) fn check_floats(&self, key: &'static str) {
        fn look(table: &Table<'_>, key: &str, value: &Spanned<DeValue<'_>>) {
            match value.get_ref() {
                DeValue::Float(_) => table.wrong(value, key, "text"),
                DeValue::Array(list) => list.iter().for_each(|value| look(table, key, value)),
                DeValue::Table(inner) => {
                    inner.iter().for_each(|(key, value)| look(table, key.get_ref(), value));
                }
                _ => {}
            }
        }
        if let Some(value) = self.value(key) {
            look(self, key, value);
        }
    }

    /// Named texts with their places.
    pub(super) fn texts_at(&self, key: &'static str) -> Vec<(String, String, At)> {
        let Some(table) = self.table(key) else { return Vec::new() };
        table.asked.borrow_mut().insert(ANY);
        let each = table.table.iter().filter_map(|(name, value)| match value.get_ref() {
            DeValue::String(text) => {
                let at = self.file.at(&name.span());
                Some((name.get_ref().to_string(), text.to_string(), at))
            }
            _ => {
                table.wrong(value, name.get_ref(), "text");
                None
            }
        });
        each.collect()
    }

    /// Names, of which there may be none.
    pub(super) fn names_or_none(&self, key: &'static str) -> Vec<String> {
        self.texts_of(key).into_iter().map(|(name, _)| name).collect()
    }

    /// The place of a key, or of the table.
    pub(super) fn at_key(&self, key: &'static str) -> At {
        self.table.get(key).map_or_else(|| self.at(), |value| self.file.at(&value.span()))
    }

    /// The texts of a list, each with its place; it may be empty.
    pub(super) fn texts_of(&self, key: &'static str) -> Vec<(String, At)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(list) = value.get_ref() else {
            self.wrong(value, key, "list of texts");
            return Vec::new();
        };
        let each = list.iter().filter_map(|value| match value.get_ref() {
            DeValue::String(text) => Some((text.to_string(), self.file.at(&value.span()))),
            _ => {
                self.wrong(value, key, "text");
                None
            }
        });
        each.collect()
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

    /// All that stands in it, in its order, whatever it is called: for whoever knows the keys only when it is read.
    pub(super) fn entries(&self) -> Vec<Entry<'a>> {
        self.asked.borrow_mut().insert(ANY);
        let mut found: Vec<_> = self.table.iter().collect();
        found.sort_by_key(|(name, _)| name.span().start);
        let each = found.into_iter().map(|(name, value)| Entry {
            name: name.get_ref().to_string(),
            at: self.file.at(&name.span()),
            value: value.get_ref(),
        });
        each.collect()
    }

    /// What stands under a key, whatever it is.
    pub(super) fn plain_at(&self, key: &'static str) -> Option<&'a DeValue<'a>> {
        self.value(key).map(Spanned::get_ref)
    }

    /// The table that an entry is; nothing of any other.
    pub(super) fn inside(&self, entry: &Entry<'a>) -> Option<Table<'a>> {
        let (name, value) = self.table.iter().find(|(name, _)| *name.get_ref() == *entry.name)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Table::new(self.file, table, name.span())),
            _ => None,
        }
    }

    /// Says what is wrong at a place in it.
    pub(super) fn mistake_at(&self, at: &At, what: What) {
        self.file.mistakes.add(at, what);
    }

    /// Named texts.
    pub(super) fn texts(&self, key: &'static str) -> Vec<(String, String)> {
        let Some(table) = self.table(key) else { return Vec::new() };
        table.asked.borrow_mut().insert(ANY);
        let each = table.table.iter().filter_map(|(name, value)| match value.get_ref() {
            DeValue::String(text) => {
                table.file.seen(&value.span(), name.get_ref(), text, false);
                Some((name.get_ref().to_string(), text.to_string()))
            }
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

/// Named values: each by a formula of its own, or all by one that gives a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fields {
    Each(Vec<(String, Placed)>),
    Whole(Placed),
}

impl Fields {
    pub(crate) fn formulas(&self) -> Vec<&Placed> {
        match self {
            Self::Each(each) => each.iter().map(|(_, placed)| placed).collect(),
            Self::Whole(placed) => vec![placed],
        }
    }
}
