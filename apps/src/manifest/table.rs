//! Reading a parameter table, and holding it to be whole: dates rise, keys stand once, and nothing lies in two rows or in none.

use std::{collections::BTreeMap, sync::Arc};

use rust_decimal::Decimal;
use toml::de::DeValue;

use super::{
    mistake::{Mistake, What},
    reader::{At, Entry, File, Mistakes, Table as Toml, is_name, lines},
    table_check,
};
use crate::{
    civil::Date,
    nearest::nearest,
    table::{
        Cell, Column, Cut, DEDUCT, Edge, Kind, OVER, RATE, Range, Row, Shape, Table, VALUE, Version,
    },
    value::Value,
};

/// The most columns, rows of a version, and versions of a table.
const MOST_COLUMNS: usize = 40;
const MOST_ROWS: usize = 1_000;
const MOST_VERSIONS: usize = 200;

/// The most cells of all versions together: a change of one row has all of them once more.
const MOST_CELLS: usize = 100_000;

/// The most columns of a key: a formula asks with so many.
const MOST_KEYS: usize = 6;

impl Table {
    /// Reads the text of one table.
    ///
    /// # Errors
    /// All mistakes that there are.
    pub(crate) fn read(path: &str, text: &str) -> Result<Self, Vec<Mistake>> {
        let mistakes = Mistakes::default();
        let mut found = None;
        let lines = lines(text);
        File { path, text, lines: &lines, mistakes: &mistakes }.read(|toml| found = table(&toml));
        let mistakes = mistakes.into_vec();
        match found {
            Some(table) if mistakes.is_empty() => Ok(table),
            _ => Err(mistakes),
        }
    }
}

/// A table of a file.
pub(super) fn table(toml: &Toml<'_>) -> Option<Table> {
    let name = toml.must("table")?;
    if !is_name(&name) {
        toml.mistake(What::Name(name.clone()));
    }
    let law = toml.text("law").unwrap_or_default();
    if law.trim().is_empty() {
        toml.mistake(What::NoLaw(name.clone()));
    }
    let source_of_all = toml.text("source");
    let lower = toml.bool("lower");
    let (shape, columns) = shape(toml).unzip();
    let columns: Vec<String> = columns.unwrap_or_default();
    let deducted = columns.iter().any(|name| name == DEDUCT);
    let units = units(toml, shape.as_ref());
    let Some(from) = toml.table("from") else {
        if !toml.has("from") {
            toml.mistake(What::MissingKey { key: "from".into() });
        }
        return None;
    };
    let entries = from.entries();
    if entries.is_empty() {
        from.mistake(What::MissingKey { key: "from.DATE".into() });
    }
    if entries.len() > MOST_VERSIONS {
        from.mistake(What::TableSize { table: name.clone(), most: MOST_VERSIONS });
        return None;
    }
    let mut versions: BTreeMap<Date, (_, Arc<Version>)> = BTreeMap::new();
    // What changes a version that could not be read cannot be judged.
    let (mut cells, mut broken) = (0, false);
    for entry in &entries {
        let dated = entry.name.parse::<Date>();
        let (Ok(date), Some(inside)) = (dated, from.inside(entry)) else {
            let what = What::Kind { key: entry.name.clone(), wanted: "[from.YYYY-MM-DD]" };
            from.mistake_at(&entry.at, what);
            continue;
        };
        let last = versions.last_key_value();
        if last.is_some_and(|(last, _)| *last >= date) {
            from.mistake_at(&entry.at, What::Order(date.to_string()));
        }
        let before = last.map(|(_, (_, version))| version.clone());
        let Some(shape) = shape.as_ref().filter(|_| !(broken && inside.has("change"))) else {
            drop(inside.entries());
            continue;
        };
        let own = inside.text("law");
        if own.as_ref().is_some_and(|law| law.trim().is_empty()) {
            inside.mistake(What::NoLaw(name.clone()));
        }
        let (law, source) = (own.unwrap_or_else(|| law.clone()), inside.text("source"));
        let source = source.or_else(|| source_of_all.clone());
        let reading = Reading { name: &name, shape, deducted, toml: &inside, at: &entry.at };
        let rows = reading.rows(before.as_deref());
        broken = rows.is_none();
        let Some(rows) = rows else { continue };
        cells += rows.len() * shape.columns.len();
        if cells > MOST_CELLS {
            from.mistake_at(&entry.at, What::TableSize { table: name.clone(), most: MOST_CELLS });
            break;
        }
        let version = Version { law, source, rows };
        versions.insert(date, (version.digest(), Arc::new(version)));
    }
    Some(Table { at: toml.at(), name, law, shape: shape?, columns, units, lower, versions })
}

/// What all versions share, and the columns that rows write, in their order.
fn shape(toml: &Toml<'_>) -> Option<(Shape, Vec<String>)> {
    let kind = one_of(toml, "kind", &Kind::ALL.map(|(_, name)| name), Kind::named);
    let edge = match toml.text("edge").as_deref() {
        None | Some("over") => Edge::Over,
        Some("from") => Edge::From,
        Some(other) => {
            word(toml, "edge", other, &["over", "from"]);
            Edge::Over
        }
    };
    let jump = toml.bool("jump");
    let key = toml.names("key");
    let ranges = toml.names("ranges");
    let (mut columns, mut written, mut whole) = (BTreeMap::new(), Vec::new(), true);
    match toml.table("columns") {
        None => toml.mistake(What::MissingKey { key: "columns".into() }),
        Some(table) => {
            for entry in table.entries() {
                let known = Column::ALL.map(|(_, name)| name);
                let column = match entry.value {
                    DeValue::String(text) => Column::named(text),
                    _ => None,
                };
                if !is_name(&entry.name) {
                    table.mistake_at(&entry.at, What::Name(entry.name.clone()));
                }
                match (column, entry.value) {
                    (Some(column), _) => {
                        written.push(entry.name.clone());
                        columns.insert(entry.name, column);
                    }
                    (None, DeValue::String(word)) => {
                        whole = false;
                        let (word, known) = (word.to_string(), known.map(str::to_owned).into());
                        table.mistake_at(&entry.at, What::Word { key: "columns", word, known });
                    }
                    (None, _) => {
                        whole = false;
                        let wanted = "int, decimal, money, text, date, period, bool";
                        table.mistake_at(&entry.at, What::Kind { key: entry.name, wanted });
                    }
                }
            }
            if columns.len() > MOST_COLUMNS {
                table.mistake(What::TableSize { table: "columns".into(), most: MOST_COLUMNS });
            }
        }
    }
    let kind = kind.filter(|_| whole)?;
    let mut good = true;
    let mut wrong = |what| {
        toml.mistake(what);
        good = false;
    };
    // A key that this kind of table does not have.
    let idle = [
        ("key", !key.is_empty(), matches!(kind, Kind::Rows | Kind::Grid)),
        ("ranges", !ranges.is_empty(), kind == Kind::Grid),
        ("edge", toml.has("edge"), kind == Kind::Bracket),
        ("jump", toml.has("jump"), kind == Kind::Bracket),
    ];
    for (name, given, taken) in idle {
        if given && !taken {
            wrong(What::UnknownKey { key: name.into(), nearest: None });
        }
        if taken && !given && matches!(name, "key" | "ranges") {
            wrong(What::MissingKey { key: name.into() });
        }
    }
    if key.len() > MOST_KEYS {
        wrong(What::TableSize { table: "key".into(), most: MOST_KEYS });
    }
    for (place, name) in key.iter().enumerate() {
        if key.iter().take(place).any(|before| before == name) {
            wrong(What::Twice(name.clone()));
        }
    }
    let known = || columns.keys().map(String::as_str);
    for name in key.iter().chain(&ranges) {
        if !columns.contains_key(name) {
            let nearest = nearest(name, known()).map(str::to_owned);
            wrong(What::Undeclared { kind: "column", name: name.clone(), nearest });
        }
    }
    for name in &ranges {
        if !key.contains(name) {
            let nearest = nearest(name, key.iter().map(String::as_str)).map(str::to_owned);
            wrong(What::Undeclared { kind: "key", name: name.clone(), nearest });
        }
        if columns.get(name).is_some_and(|column| !column.ranges()) {
            wrong(What::Kind { key: name.clone(), wanted: "int, decimal, money, date" });
        }
    }
    match kind {
        Kind::Value if columns.len() != 1 || !columns.contains_key(VALUE) => {
            wrong(What::Kind { key: "columns".into(), wanted: "{ value = \"…\" }" });
        }
        Kind::Bracket => {
            for reserved in ["row", "amount"].into_iter().filter(|name| columns.contains_key(*name))
            {
                wrong(What::Twice(reserved.into()));
            }
            let over = columns.get(OVER).copied();
            match over {
                Some(Column::Money | Column::Int | Column::Decimal) => {}
                Some(_) => {
                    wrong(What::Kind { key: OVER.into(), wanted: "money, decimal, int" });
                }
                None => wrong(What::MissingKey { key: format!("columns.{OVER}") }),
            }
            match columns.get(RATE) {
                Some(Column::Decimal) => {}
                Some(_) => wrong(What::Kind { key: RATE.into(), wanted: "decimal" }),
                None => wrong(What::MissingKey { key: format!("columns.{RATE}") }),
            }
            let money = over == Some(Column::Money);
            let own = if money { Column::Money } else { Column::Decimal };
            // What is not declared follows from the edges and rates.
            let deduct = *columns.entry(DEDUCT.into()).or_insert(own);
            let fits = deduct == own || (!money && deduct.is_number());
            if !fits {
                wrong(What::Kind { key: DEDUCT.into(), wanted: "as over" });
            }
        }
        _ => {}
    }
    let ranges = ranges.into_iter().collect();
    good.then_some((Shape { kind, columns, key, ranges, edge, jump }, written))
}

/// What the numbers count. An amount is in yuan, so that no number of one table is ten thousand times that of another.
fn units(toml: &Toml<'_>, shape: Option<&Shape>) -> BTreeMap<String, String> {
    let units: BTreeMap<_, _> = toml.texts("units").into_iter().collect();
    let Some(shape) = shape else { return units };
    for (name, unit) in &units {
        match shape.columns.get(name) {
            None => {
                let nearest = nearest(name, shape.columns.keys().map(String::as_str));
                let (name, nearest) = (name.clone(), nearest.map(str::to_owned));
                toml.mistake(What::Undeclared { kind: "column", name, nearest });
            }
            Some(Column::Money) if unit != "yuan" => word(toml, "units", unit, &["yuan"]),
            // Written as "3%", it is what it says.
            Some(_) if unit.contains(['%', '‰']) => {
                toml.mistake(What::Kind { key: format!("units.{name}"), wanted: "\"3%\"" });
            }
            Some(_) => {}
        }
    }
    units
}

fn word(toml: &Toml<'_>, key: &'static str, word: &str, known: &[&str]) {
    let known = known.iter().map(|name| (*name).to_owned()).collect();
    toml.mistake(What::Word { key, word: word.to_owned(), known });
}

fn one_of<T>(
    toml: &Toml<'_>,
    key: &'static str,
    known: &[&str],
    named: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let given = toml.must(key)?;
    let found = named(&given);
    if found.is_none() {
        word(toml, key, &given, known);
    }
    found
}

/// A version that is being read.
struct Reading<'a, 'f> {
    name: &'a str,
    shape: &'a Shape,
    /// Whether the rows of a bracket write what is deducted.
    deducted: bool,
    toml: &'a Toml<'f>,
    at: &'a At,
}

/// A row, and where it stands.
pub(super) type Placed = (At, Row);

impl Reading<'_, '_> {
    fn wrong(&self, at: &At, what: What) {
        self.toml.mistake_at(at, what);
    }

    /// The rows of a version: all of them, or those before it with some changed. Nothing if they cannot be used.
    fn rows(&self, before: Option<&Version>) -> Option<Vec<Row>> {
        if self.shape.kind == Kind::Value {
            return self.one_value();
        }
        let (rows, change) = (self.list("rows"), self.list("change"));
        let mut given = match (rows, change, before) {
            (Some(rows), None, _) => rows?,
            // A grid's rows hang together: who changes one must see all.
            (None, Some(change), Some(before)) if self.shape.kind != Kind::Grid => {
                self.changed(before, change?)?
            }
            _ => {
                self.wrong(self.at, What::MissingKey { key: "rows".into() });
                return None;
            }
        };
        let mistakes = match self.shape.kind {
            Kind::Bracket => table_check::bracket(self.name, self.shape, &mut given),
            Kind::Grid => table_check::grid(self.name, self.shape, &given),
            _ => table_check::rows(self.shape, &given),
        };
        for (at, what) in mistakes {
            self.wrong(&at, what);
        }
        Some(given.into_iter().map(|(_, row)| row).collect())
    }

    /// The rows of a list; nothing within if one of them cannot be used, and nothing at all if there is no such list.
    fn list(&self, key: &'static str) -> Option<Option<Vec<Placed>>> {
        if !self.toml.has(key) {
            return None;
        }
        let list = self.toml.list(key);
        if list.is_empty() {
            self.wrong(self.at, What::MissingKey { key: key.to_owned() });
            return Some(None);
        }
        if list.len() > MOST_ROWS {
            let what = What::TableSize { table: self.name.to_owned(), most: MOST_ROWS };
            self.wrong(self.at, what);
            list.iter().for_each(|row| drop(row.entries()));
            return Some(None);
        }
        let rows: Vec<_> = list.iter().map(|row| self.row(row)).collect();
        Some(rows.into_iter().collect())
    }

    fn one_value(&self) -> Option<Vec<Row>> {
        let entries = self.toml.entries();
        let mut found = None;
        for entry in &entries {
            match entry.name.as_str() {
                VALUE => found = self.cell(entry),
                "law" | "source" => {}
                other => {
                    let nearest = nearest(other, [VALUE, "law", "source"]).map(str::to_owned);
                    self.wrong(&entry.at, What::UnknownKey { key: other.to_owned(), nearest });
                }
            }
        }
        if entries.iter().all(|entry| entry.name != VALUE) {
            self.wrong(self.at, What::MissingKey { key: VALUE.into() });
        }
        Some(vec![Row::from([(VALUE.to_owned(), found?)])])
    }

    /// The rows before with some of them in other words: a row is found by its key, and must be there.
    fn changed(&self, before: &Version, changes: Vec<Placed>) -> Option<Vec<Placed>> {
        let mut rows: Vec<Placed> =
            before.rows.iter().map(|row| (self.at.clone(), row.clone())).collect();
        if self.follows() {
            // It followed from what was before.
            rows.iter_mut().for_each(|(_, row)| drop(row.remove(DEDUCT)));
        }
        let mut good = true;
        let mut seen: Vec<String> = Vec::new();
        for (at, change) in changes {
            let key = shown(self.shape, &change);
            if seen.contains(&key) {
                self.wrong(&at, What::Twice(key));
                good = false;
                continue;
            }
            match rows.iter_mut().find(|(_, row)| same(self.shape, row, &change)) {
                Some(place) => *place = (at, change),
                None => {
                    let what = What::Undeclared { kind: "row", name: key.clone(), nearest: None };
                    self.wrong(&at, what);
                    good = false;
                }
            }
            seen.push(key);
        }
        good.then_some(rows)
    }

    /// Whether what is deducted follows from the edges and rates.
    fn follows(&self) -> bool {
        self.shape.kind == Kind::Bracket && !self.deducted
    }

    /// A row: each of the columns once, and no other.
    fn row(&self, toml: &Toml<'_>) -> Option<Placed> {
        let (mut row, mut good) = (Row::new(), true);
        for entry in toml.entries() {
            match self.cell_of(toml, &entry) {
                Some(cell) => drop(row.insert(entry.name, cell)),
                None => good = false,
            }
        }
        if !good {
            return None;
        }
        for name in self.shape.columns.keys() {
            if row.contains_key(name) {
                continue;
            }
            match name {
                // No end on either side.
                name if self.shape.ranges.contains(name) => {
                    row.insert(name.clone(), Cell::Within(Range::default()));
                }
                name if name == DEDUCT && self.follows() => {}
                name => {
                    self.wrong(&toml.at(), What::MissingKey { key: name.clone() });
                    good = false;
                }
            }
        }
        good.then(|| (toml.at(), row))
    }

    fn cell_of(&self, toml: &Toml<'_>, entry: &Entry<'_>) -> Option<Cell> {
        if self.shape.ranges.contains(&entry.name) {
            let column = *self.shape.columns.get(&entry.name)?;
            return self.range(toml, entry, column).map(Cell::Within);
        }
        self.cell(entry)
    }

    fn cell(&self, entry: &Entry<'_>) -> Option<Cell> {
        let declared = |name: &&String| !(*name == DEDUCT && self.follows());
        let column = self.shape.columns.get(&entry.name).filter(|_| declared(&&entry.name));
        let Some(column) = column else {
            let known = self.shape.columns.keys().filter(declared).map(String::as_str);
            let nearest = nearest(&entry.name, known).map(str::to_owned);
            self.wrong(&entry.at, What::UnknownKey { key: entry.name.clone(), nearest });
            return None;
        };
        self.value(entry, *column).map(Cell::Is)
    }

    fn value(&self, entry: &Entry<'_>, column: Column) -> Option<Value> {
        let found = value(entry.value, column);
        if found.is_none() {
            let key = entry.name.clone();
            let what = match entry.value {
                DeValue::Float(_) => What::Float { key },
                _ => What::Kind { key, wanted: column.name() },
            };
            self.wrong(&entry.at, what);
        }
        found
    }

    /// A range: `{ from = 20, under = 300 }`, `{ over = 36000, to = 144000 }`.
    fn range(&self, toml: &Toml<'_>, entry: &Entry<'_>, column: Column) -> Option<Range> {
        let wanted = "{ from, over, to, under }";
        let Some(inside) = toml.inside(entry) else {
            self.wrong(&entry.at, What::Kind { key: entry.name.clone(), wanted });
            return None;
        };
        let (mut range, mut good) = (Range::default(), true);
        for end in inside.entries() {
            let (place, after) = match end.name.as_str() {
                "from" => (&mut range.lower, false),
                "over" => (&mut range.lower, true),
                "under" => (&mut range.upper, false),
                "to" => (&mut range.upper, true),
                other => {
                    let known = ["from", "over", "under", "to"];
                    let nearest = nearest(other, known).map(str::to_owned);
                    self.wrong(&end.at, What::UnknownKey { key: other.to_owned(), nearest });
                    good = false;
                    continue;
                }
            };
            let found = self.value(&end, column).and_then(|at| cut(at, after));
            good &= found.is_some() && place.is_none();
            if place.is_some() {
                self.wrong(&end.at, What::Twice(end.name.clone()));
            }
            *place = found;
        }
        let empty = match (&range.lower, &range.upper) {
            (Some(lower), Some(upper)) => lower.order(upper).is_ge(),
            _ => false,
        };
        if good && empty {
            self.wrong(&entry.at, What::Kind { key: entry.name.clone(), wanted });
        }
        (good && !empty).then_some(range)
    }
}

/// Whole numbers and days have a next one, so that `to = 19` and `from = 20` leave nothing between them.
fn cut(at: Value, after: bool) -> Option<Cut> {
    Some(match (after, at) {
        (true, Value::Int(n)) => Cut { at: Value::Int(n.checked_add(1)?), after: false },
        (true, Value::Date(day)) => Cut { at: Value::Date(day.next()?), after: false },
        (after, at) => Cut { at, after },
    })
}

/// The key of a row, as it is said.
pub(super) fn shown(shape: &Shape, row: &Row) -> String {
    let each = names(shape).filter_map(|name| Some(row.get(name)?.value()?.to_string()));
    each.collect::<Vec<_>>().join(", ")
}

/// Whether two rows have the same key.
fn same(shape: &Shape, a: &Row, b: &Row) -> bool {
    names(shape).all(|name| match (a.get(name), b.get(name)) {
        (Some(Cell::Is(a)), Some(Cell::Is(b))) => a.same(b),
        (a, b) => a == b,
    })
}

fn names(shape: &Shape) -> impl Iterator<Item = &str> {
    let bracket = (shape.kind == Kind::Bracket).then_some(OVER);
    shape.key.iter().map(String::as_str).chain(bracket)
}

/// A value of a column. Amounts are in yuan; a rate may be written as `"3%"`.
pub(super) fn value(given: &DeValue<'_>, column: Column) -> Option<Value> {
    let int = match given {
        DeValue::Integer(n) => Some(i64::from_str_radix(n.as_str(), n.radix()).ok()?),
        _ => None,
    };
    let text = match given {
        DeValue::String(text) => Some(text.as_ref()),
        _ => None,
    };
    let number = || int.map(Decimal::from).or_else(|| number(text?));
    Some(match column {
        Column::Int => Value::Int(int?.into()),
        Column::Decimal => match text.and_then(|text| text.strip_suffix('%')) {
            Some(percent) => {
                Value::Decimal(self::number(percent)?.checked_div(Decimal::ONE_HUNDRED)?)
            }
            None => Value::Decimal(number()?.normalize()),
        },
        Column::Money => {
            let fen = Value::Money(number()?.checked_mul(Decimal::ONE_HUNDRED)?.normalize());
            fen.unkept().is_none().then_some(fen)?
        }
        Column::Text => Value::text(text?),
        Column::Date => match given {
            DeValue::Datetime(date) => Value::Date(date.to_string().parse().ok()?),
            _ => Value::Date(text?.parse().ok()?),
        },
        Column::Period => Value::Period(text?.parse().ok()?),
        Column::Bool => match given {
            DeValue::Boolean(yes) => Value::Bool(*yes),
            _ => return None,
        },
    })
}

/// A number in its one form: digits, a point where digits follow, no sign but a minus, no zeros in front.
fn number(text: &str) -> Option<Decimal> {
    let plain = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = plain.split_once('.').map_or((plain, None), |(w, f)| (w, Some(f)));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let good = digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(|part| digits(part) && part.len() <= 18);
    good.then(|| Decimal::from_str_exact(text).ok())?
}
