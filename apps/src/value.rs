//! What formulas work with, and what state is made of. There are no floats: amounts are whole fen, rates are decimals.

use std::{cmp::Ordering, collections::BTreeMap, fmt};

use chancery_crypto::Digest;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::civil::{Date, Instant, Period};

/// A value. [`Value::None`] and [`Value::Unknown`] are two: that a form has no such field is a fact, that something cannot be
/// known here is none. Neither ever becomes zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The form has no such field.
    None,
    /// It cannot be known.
    Unknown(Why),
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A number of up to 28 digits.
    Decimal(Decimal),
    /// An amount in fen. One that is not whole must be rounded before it is kept, moved or printed.
    Money(Decimal),
    /// Text, or a name: of an agency, an officer, a party, a document.
    Text(String),
    /// A civil date.
    Date(Date),
    /// A moment.
    Instant(Instant),
    /// A length of time.
    Period(Period),
    /// Values in order.
    List(Vec<Value>),
    /// Named values.
    Map(BTreeMap<String, Value>),
}

/// Why something cannot be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// This is not there, and something rests on it.
    Missing(String),
    /// It was removed by law.
    Purged(String),
    /// It is not opened yet.
    Sealed(String),
    /// The arithmetic has no result: an overflow, a division by zero, a date that there is not.
    NoResult(String),
    /// There is no such row, or no version of the table at that time.
    NoRow(String),
    /// It would cost more steps than a decision may.
    Cost,
    /// The operands are of kinds that do not go together; a folder that was checked has none.
    Kinds(String),
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Texts in order.
    pub fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// A named value of a map; none when there is none, or this is none.
    pub fn field(&self, name: &str) -> Self {
        match self {
            Self::Map(map) => map.get(name).cloned().unwrap_or(Self::None),
            Self::None => Self::None,
            Self::Unknown(why) => Self::Unknown(why.clone()),
            other => Self::Unknown(Why::Kinds(format!("{}.{name}", other.kind()))),
        }
    }

    /// What kind it is, as messages say it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Unknown(_) => "unknown",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Decimal(_) => "decimal",
            Self::Money(_) => "money",
            Self::Text(_) => "text",
            Self::Date(_) => "date",
            Self::Instant(_) => "instant",
            Self::Period(_) => "period",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    /// Whether it is there.
    pub fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The names in it: of a text that one, of a list all of them.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            Self::List(list) => list.iter().filter_map(Self::as_text).collect(),
            _ => Vec::new(),
        }
    }

    /// The number, where both kinds of numbers are taken.
    pub fn number(&self) -> Option<Decimal> {
        match self {
            Self::Int(n) => Decimal::try_from_i128_with_scale(*n, 0).ok(),
            Self::Decimal(n) => Some(*n),
            _ => None,
        }
    }

    /// How it compares with another of its kind; numbers compare with each other. None where there is no order.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Money(a), Self::Money(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Date(a), Self::Date(b)) => Some(a.cmp(b)),
            (Self::Instant(a), Self::Instant(b)) => Some(a.cmp(b)),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::List(a), Self::List(b)) => {
                let each = a.iter().zip(b).map(|(a, b)| a.order(b));
                let first = each.into_iter().find(|order| *order != Some(Ordering::Equal));
                first.unwrap_or(Some(a.len().cmp(&b.len())))
            }
            (a, b) => Some(a.number()?.cmp(&b.number()?)),
        }
    }

    /// Whether it is the same as another: numbers by what they are, whatever their kind.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(a), Self::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
            }
            (Self::Map(a), Self::Map(b)) => {
                let pair =
                    |((k, a), (l, b)): ((&String, &Self), (&String, &Self))| k == l && a.same(b);
                a.len() == b.len() && a.iter().zip(b).all(pair)
            }
            (Self::Int(_) | Self::Decimal(_), Self::Int(_) | Self::Decimal(_)) => {
                self.order(other) == Some(Ordering::Equal)
            }
            _ => self == other,
        }
    }

    /// The first thing in it that cannot be known, or is an amount that is not whole: then it is not kept.
    pub fn unkept(&self) -> Option<Why> {
        match self {
            Self::Unknown(why) => Some(why.clone()),
            Self::Money(fen) if !fen.is_integer() => Some(Why::NoResult("fen".into())),
            Self::List(list) => list.iter().find_map(Self::unkept),
            Self::Map(map) => map.values().find_map(Self::unkept),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Unknown(why) => write!(f, "unknown({why})"),
            Self::Bool(yes) => write!(f, "{yes}"),
            Self::Int(n) => write!(f, "{n}"),
            Self::Decimal(n) => write!(f, "{}", n.normalize()),
            Self::Money(fen) => match fen.checked_div(Decimal::ONE_HUNDRED) {
                Some(yuan) if fen.is_integer() => write!(f, "{yuan:.2}"),
                _ => write!(f, "{fen} fen"),
            },
            Self::Text(text) => f.write_str(text),
            Self::Date(date) => write!(f, "{date}"),
            Self::Instant(at) => f.write_str(&crate::civil::Zone::CHINA.show(*at)),
            Self::Period(period) => write!(f, "{period}"),
            Self::List(list) => {
                f.write_str("[")?;
                for (n, value) in list.iter().enumerate() {
                    write!(f, "{}{value}", if n == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Map(map) => {
                f.write_str("{")?;
                for (n, (name, value)) in map.iter().enumerate() {
                    write!(f, "{}{name}: {value}", if n == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => write!(f, "missing: {what}"),
            Self::Purged(when) => write!(f, "purged: {when}"),
            Self::Sealed(what) => write!(f, "sealed: {what}"),
            Self::NoResult(what) => write!(f, "no result: {what}"),
            Self::NoRow(what) => write!(f, "no row: {what}"),
            Self::Cost => f.write_str("cost"),
            Self::Kinds(what) => write!(f, "kinds: {what}"),
        }
    }
}

/// How a value stands in state and records: one form for each, so that the same value has the same bytes.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Kept {
    None,
    Bool(bool),
    Int(String),
    Decimal(String),
    /// Fen.
    Money(String),
    Text(String),
    Date(Date),
    /// Seconds since 1970 UTC.
    Instant(i64),
    Period(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kept = match self.clone() {
            Self::Unknown(_) => {
                return Err(serde::ser::Error::custom("what is not known is not kept"));
            }
            Self::None => Kept::None,
            Self::Bool(yes) => Kept::Bool(yes),
            Self::Int(n) => Kept::Int(n.to_string()),
            Self::Decimal(n) => Kept::Decimal(n.normalize().to_string()),
            Self::Money(fen) => Kept::Money(fen.normalize().to_string()),
            Self::Text(text) => Kept::Text(text),
            Self::Date(date) => Kept::Date(date),
            Self::Instant(at) => Kept::Instant(at.0),
            Self::Period(period) => Kept::Period(period.to_string()),
            Self::List(list) => Kept::List(list),
            Self::Map(map) => Kept::Map(map),
        };
        kept.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bad = |what: &str| serde::de::Error::custom(format!("it is no {what}"));
        Ok(match Kept::deserialize(deserializer)? {
            Kept::None => Self::None,
            Kept::Bool(yes) => Self::Bool(yes),
            Kept::Int(n) => Self::Int(n.parse().map_err(|_| bad("number"))?),
            Kept::Decimal(n) => Self::Decimal(n.parse().map_err(|_| bad("decimal"))?),
            Kept::Money(fen) => Self::Money(fen.parse().map_err(|_| bad("amount"))?),
            Kept::Text(text) => Self::Text(text),
            Kept::Date(date) => Self::Date(date),
            Kept::Instant(at) => Self::Instant(Instant(at)),
            Kept::Period(period) => Self::Period(period.parse().map_err(|_| bad("period"))?),
            Kept::List(list) => Self::List(list),
            Kept::Map(map) => Self::Map(map),
        })
    }
}

/// The digest of a value's one form, for what is compared and never shown. None of what cannot be known.
pub(crate) fn digest(value: &Value) -> Option<Digest> {
    chancery_crypto::cbor::encode(value).ok().map(|bytes| Digest::of(&bytes))
}
