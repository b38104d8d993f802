//! Parameter tables: values that a text of law gives, by the date of the fact. They are data, with their article and source, and
//! never a number in a formula.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chancery_crypto::{Digest, cbor};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    civil::Date,
    formula::Type,
    manifest::At,
    value::{Value, Why},
};

/// How a table is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// One value.
    Value,
    /// Rows by their keys.
    Rows,
    /// Parts of an amount, each with its rate.
    Bracket,
    /// Rows by ranges, of which exactly one is hit.
    Grid,
}

impl Kind {
    pub(crate) const ALL: [(Self, &'static str); 4] = [
        (Self::Value, "value"),
        (Self::Rows, "rows"),
        (Self::Bracket, "bracket"),
        (Self::Grid, "grid"),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(kind, _)| kind)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// The function that asks it.
    pub(crate) fn function(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Rows | Self::Grid => "row",
            Self::Bracket => "bracket",
        }
    }
}

/// What stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Column {
    Int,
    Decimal,
    Money,
    Text,
    Date,
    Period,
    Bool,
}

impl Column {
    pub(crate) const ALL: [(Self, &'static str); 7] = [
        (Self::Int, "int"),
        (Self::Decimal, "decimal"),
        (Self::Money, "money"),
        (Self::Text, "text"),
        (Self::Date, "date"),
        (Self::Period, "period"),
        (Self::Bool, "bool"),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(column, _)| column)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(column, _)| *column == self).map_or("", |(_, name)| name)
    }

    /// The kind of its values in formulas.
    pub(crate) fn kind(self) -> Type {
        match self {
            Self::Int => Type::Int,
            Self::Decimal => Type::Decimal,
            Self::Money => Type::Money,
            Self::Text => Type::Text,
            Self::Date => Type::Date,
            Self::Period => Type::Period,
            Self::Bool => Type::Bool,
        }
    }

    /// The kinds with which it may be asked: a whole number is a number too.
    pub(crate) fn asked(self) -> Vec<Type> {
        match self {
            Self::Decimal => vec![Type::Decimal, Type::Int],
            other => vec![other.kind()],
        }
    }

    /// Whether a value is of this column.
    fn takes(self, value: &Value) -> bool {
        matches!(
            (self, value),
            (Self::Int | Self::Decimal, Value::Int(_))
                | (Self::Decimal, Value::Decimal(_))
                | (Self::Money, Value::Money(_))
                | (Self::Text, Value::Text(_))
                | (Self::Date, Value::Date(_))
                | (Self::Period, Value::Period(_))
                | (Self::Bool, Value::Bool(_))
        )
    }

    /// Whether it has an order in which ranges can be.
    pub(crate) fn ranges(self) -> bool {
        matches!(self, Self::Int | Self::Decimal | Self::Money | Self::Date)
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Decimal)
    }
}

/// To which row of a bracket an edge belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Edge {
    /// What is over it is of the row: 超过36000元至144000元的部分.
    Over,
    /// What is at it is, too: 36000元以上不满144000元.
    From,
}

/// What two versions of a table must share, so that the same formulas can ask both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Shape {
    pub kind: Kind,
    pub columns: BTreeMap<String, Column>,
    /// The columns by which a row is found, in the order in which they are asked.
    pub key: Vec<String>,
    /// Those of the key that hold ranges.
    pub ranges: BTreeSet<String>,
    pub edge: Edge,
    /// Whether the amount may jump from a row to the next.
    pub jump: bool,
}

impl Shape {
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&cbor::encode(self).expect("a shape is plain"))
    }

    /// The kind of what a row gives.
    pub(crate) fn row_kind(&self) -> Type {
        let plain = self.columns.iter().filter(|(name, _)| !self.ranges.contains(*name));
        let each = plain.map(|(name, column)| (name.clone(), column.kind()));
        match self.kind {
            Kind::Bracket => {
                let amount = match self.columns.get(OVER) {
                    Some(Column::Money) => Type::Money,
                    _ => Type::Decimal,
                };
                let more = [("row".to_owned(), Type::Int), ("amount".to_owned(), amount)];
                Type::map(each.chain(more))
            }
            _ => Type::map(each),
        }
    }
}

/// The columns of a bracket: its lower edge, its rate, and what is deducted from the product of rate and whole amount.
pub(crate) const OVER: &str = "over";
pub(crate) const RATE: &str = "rate";
pub(crate) const DEDUCT: &str = "deduct";
/// The one column of a table of kind `value`.
pub(crate) const VALUE: &str = "value";

/// A place between values: just before one, or just after it. Ranges go from a cut to a cut, so that no two of them can be unsure
/// about an edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cut {
    pub at: Value,
    pub after: bool,
}

impl Cut {
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let values = self.at.order(&other.at).unwrap_or(Ordering::Equal);
        values.then(self.after.cmp(&other.after))
    }
}

/// Values from a cut to a cut; nothing on a side where it has no end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Range {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<Cut>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<Cut>,
}

impl Range {
    /// Whether all that lies between two cuts that stand beside each other is in it.
    pub(crate) fn covers(&self, from: Option<&Cut>, to: Option<&Cut>) -> bool {
        let begins = match (&self.lower, from) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(lower), Some(from)) => lower.order(from).is_le(),
        };
        let ends = match (&self.upper, to) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(upper), Some(to)) => to.order(upper).is_le(),
        };
        begins && ends
    }

    fn has(&self, value: &Value) -> bool {
        let before = Cut { at: value.clone(), after: false };
        let after = Cut { at: value.clone(), after: true };
        let begun = self.lower.as_ref().is_none_or(|lower| lower.order(&before).is_le());
        // Whole numbers and days end before the next of them.
        begun && self.upper.as_ref().is_none_or(|upper| after.order(upper).is_le())
    }
}

/// What stands in a row's column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Cell {
    Is(Value),
    Within(Range),
}

impl Cell {
    pub(crate) fn value(&self) -> Option<&Value> {
        match self {
            Self::Is(value) => Some(value),
            Self::Within(_) => None,
        }
    }

    fn hit(&self, asked: &Value) -> bool {
        match self {
            Self::Is(value) => value.same(asked),
            Self::Within(range) => range.has(asked),
        }
    }
}

pub(crate) type Row = BTreeMap<String, Cell>;

/// A table as it is from a date on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Version {
    /// The article, as its module cites it.
    pub law: String,
    /// Where the numbers were found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    pub rows: Vec<Row>,
}

impl Version {
    /// Its one form.
    pub(crate) fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("what a table holds is plain")
    }

    /// What it is known by.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.encode())
    }
}

/// A table, as a file of `tables/` describes it.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub at: At,
    pub name: String,
    pub law: String,
    pub shape: Shape,
    /// The columns that its rows write, in their order.
    pub columns: Vec<String>,
    /// What its numbers count, for people.
    pub units: BTreeMap<String, String>,
    /// Whether somebody who stands lower may have numbers of his own: what came into force last holds then, whoever's it is.
    pub lower: bool,
    /// From each date on.
    pub versions: BTreeMap<Date, (Digest, Arc<Version>)>,
}

/// What was found: the value, and in which row, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub value: Value,
    pub row: Option<u64>,
}

impl Found {
    fn none(why: Why) -> Self {
        Self { value: Value::Unknown(why), row: None }
    }
}

/// Asks a version of a table.
pub(crate) fn ask(name: &str, shape: &Shape, version: &Version, asked: &[Value]) -> Found {
    let shown = || {
        let each: Vec<_> = asked.iter().map(ToString::to_string).collect();
        format!("{name}({})", each.join(", "))
    };
    let columns = shape.key.iter().map(|key| shape.columns.get(key));
    let fits = |(column, value): (Option<&Column>, &Value)| {
        column.is_some_and(|column| column.takes(value))
    };
    let kinds = || Found::none(Why::Kinds(shown()));
    match shape.kind {
        Kind::Value => {
            let value = version.rows.first().and_then(|row| row.get(VALUE)?.value());
            let value = value.cloned().unwrap_or_else(|| Value::Unknown(Why::NoRow(shown())));
            Found { value, row: None }
        }
        Kind::Rows | Kind::Grid => {
            if asked.len() != shape.key.len() || !columns.zip(asked).all(fits) {
                return kinds();
            }
            let hit = |row: &Row| {
                let mut each = shape.key.iter().zip(asked);
                each.all(|(key, asked)| row.get(key).is_some_and(|cell| cell.hit(asked)))
            };
            match (1u64..).zip(&version.rows).find(|(_, row)| hit(row)) {
                Some((place, row)) => {
                    Found { value: Value::Map(values(row).collect()), row: Some(place) }
                }
                None => Found::none(Why::NoRow(shown())),
            }
        }
        Kind::Bracket => match (asked, shape.columns.get(OVER)) {
            ([x], Some(over)) if fits((Some(bracket_asked(over)), x)) => {
                bracket(shape, version, x).unwrap_or_else(|| Found::none(Why::NoRow(shown())))
            }
            _ => kinds(),
        },
    }
}

/// What a bracket may be asked with, by its edges.
pub(crate) fn bracket_asked(over: &Column) -> &Column {
    match over {
        Column::Int => &Column::Decimal,
        other => other,
    }
}

fn values(row: &Row) -> impl Iterator<Item = (String, Value)> {
    row.iter().filter_map(|(name, cell)| Some((name.clone(), cell.value()?.clone())))
}

/// The row in which an amount ends, and the amount by all rows up to there. What is at the edge of the first is of the first.
fn bracket(shape: &Shape, version: &Version, x: &Value) -> Option<Found> {
    let over = |row: &Row| row.get(OVER).and_then(|cell| x.order(cell.value()?));
    let within = |place: usize, row: &Row| match over(row)? {
        Ordering::Greater => Some(()),
        Ordering::Equal => (shape.edge == Edge::From || place == 0).then_some(()),
        Ordering::Less => None,
    };
    let mut rows = version.rows.iter().enumerate();
    let (place, row) = rows.rfind(|(place, row)| within(*place, row).is_some())?;
    let mut value: BTreeMap<_, _> = values(row).collect();
    let amount = amount(row, x);
    let place = u64::try_from(place).ok()?.checked_add(1)?;
    value.insert("row".into(), Value::Int(place.into()));
    value.insert("amount".into(), amount.unwrap_or(Value::Unknown(Why::NoResult(RATE.into()))));
    Some(Found { value: Value::Map(value), row: Some(place) })
}

/// The amount by a row: rate times all of it, less what is deducted.
pub(crate) fn amount(row: &Row, x: &Value) -> Option<Value> {
    let number = |name| row.get(name).and_then(Cell::value).and_then(plain);
    let product = plain(x)?.checked_mul(number(RATE)?)?;
    let amount = product.checked_sub(number(DEDUCT)?)?;
    Some(match x {
        Value::Money(_) => Value::Money(amount),
        _ => Value::Decimal(amount),
    })
}

/// A number, or an amount in fen.
pub(crate) fn plain(value: &Value) -> Option<Decimal> {
    match value {
        Value::Money(fen) => Some(*fen),
        other => other.number(),
    }
}
