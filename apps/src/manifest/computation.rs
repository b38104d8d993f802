//! A computation: a pure function over what it is given and tables by date, with tests that are data.

use chancery_protocol::FormValue;
use rust_decimal::Decimal;
use toml::de::DeValue;

use super::{
    case::law,
    mistake::What,
    reader::{At, Placed, Table},
};
use crate::{civil::Date, formula::Type, table::Column, value::Value};

/// A computation, as a file of `computations/` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Computation {
    pub at: At,
    pub name: String,
    pub law: String,
    pub inputs: Vec<Given>,
    pub lets: Vec<(String, Placed)>,
    pub outs: Vec<Out>,
    pub tests: Vec<Test>,
    /// What it gives, by kinds: found when it is checked.
    pub gives: Type,
}

/// What it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub at: At,
    pub name: String,
    pub kind: Type,
    /// What a number counts, for people.
    pub unit: Option<String>,
    /// What it is where it is not given; else it is unknown then.
    pub default: Option<Placed>,
    /// The most elements of a list, or the greatest number.
    pub max: Option<FormValue>,
}

/// What it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Out {
    pub at: At,
    pub name: String,
    pub is: Placed,
    pub unit: Option<String>,
    pub law: String,
}

/// A test: given this on that day, that comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Test {
    pub at: At,
    pub name: String,
    pub on: Date,
    pub given: Vec<(String, FormValue, At)>,
    pub wanted: Vec<(String, FormValue, At)>,
    /// Results that cannot be known, each with the input that is missing.
    pub unknown: Vec<(String, String, At)>,
    /// How far a number may be off.
    pub margin: Decimal,
}

/// The most inputs, names, results, and tests of a computation.
const MOST_NAMES: usize = 200;
const MOST_TESTS: usize = 500;

/// The most elements of a list that it is given.
const MOST_ELEMENTS: i64 = 1_000;

impl Computation {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let name = table.must("computation")?;
        let law_of_all = law(table);
        let inputs = table.tables("in").into_iter().filter_map(|(n, t)| Given::read(n, &t));
        let inputs: Vec<_> = inputs.collect();
        let lets = table.named_formulas("let");
        let outs = table.tables("out").into_iter().filter_map(|(name, t)| {
            if !t.has("is") {
                t.mistake(What::MissingKey { key: "is".into() });
            }
            let law = t.text("law").unwrap_or_else(|| law_of_all.clone());
            Some(Out { at: t.at(), name, is: t.formula("is")?, unit: t.text("unit"), law })
        });
        let outs: Vec<_> = outs.collect();
        if !table.has("out") {
            table.mistake(What::MissingKey { key: "out".into() });
        }
        let tests = table.tables("test").into_iter().filter_map(|(n, t)| Test::read(n, &t));
        let tests: Vec<_> = tests.collect();
        for (what, count, most) in [
            ("name", inputs.len() + lets.len() + outs.len(), MOST_NAMES),
            ("test", tests.len(), MOST_TESTS),
        ] {
            if count > most {
                table.mistake(What::Excess { what, most });
                return None;
            }
        }
        let (at, law, gives) = (table.at(), law_of_all, Type::Any);
        Some(Self { at, name, law, inputs, lets, outs, tests, gives })
    }

    pub(crate) fn input(&self, name: &str) -> Option<&Given> {
        self.inputs.iter().find(|input| input.name == name)
    }

    /// The formula by which a name is worked out: of an input that is not given its default.
    pub(crate) fn formula(&self, name: &str) -> Option<&Placed> {
        let lets = self.lets.iter().find(|(known, _)| known == name).map(|(_, placed)| placed);
        let out = || self.outs.iter().find(|out| out.name == name).map(|out| &out.is);
        lets.or_else(out).or_else(|| self.input(name)?.default.as_ref())
    }

    /// All names that it declares, in their order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let inputs = self.inputs.iter().map(|input| input.name.as_str());
        let lets = self.lets.iter().map(|(name, _)| name.as_str());
        inputs.chain(lets).chain(self.outs.iter().map(|out| out.name.as_str()))
    }

    pub(crate) fn formulas(&self) -> impl Iterator<Item = &Placed> {
        self.names().filter_map(|name| self.formula(name))
    }
}

impl Given {
    fn read(name: String, table: &Table<'_>) -> Option<Self> {
        let word = table.must("type")?;
        let of = table.words("of", &Column::ALL.map(|(_, name)| name));
        let kind = match (word.as_str(), Column::named(&word)) {
            ("list", _) => {
                if of.is_empty() {
                    table.mistake(What::MissingKey { key: "of".into() });
                }
                let each = of
                    .iter()
                    .filter_map(|(name, word)| Some((name.clone(), Column::named(word)?.kind())));
                Type::list(Type::map(each))
            }
            (_, Some(column)) if of.is_empty() => column.kind(),
            (_, Some(_)) => {
                table.mistake(What::UnknownKey { key: "of".into(), nearest: None });
                return None;
            }
            (_, None) => {
                let known = Column::ALL.map(|(_, name)| name.to_owned());
                let known = known.into_iter().chain(["list".to_owned()]).collect();
                table.mistake(What::Word { key: "type", word, known });
                return None;
            }
        };
        let max = table.given("max");
        let bounded = match (&kind, &max) {
            (Type::List(_), Some(FormValue::Int(1..=MOST_ELEMENTS))) => true,
            // A list without an end has no cost that anybody could say.
            (Type::List(_), None) => {
                table.mistake(What::MissingKey { key: "max".into() });
                true
            }
            (Type::Int | Type::Decimal | Type::Money, Some(max)) => value_of(&kind, max).is_some(),
            (_, max) => max.is_none(),
        };
        if !bounded {
            table.mistake(What::Kind { key: "max".into(), wanted: "1 … 1000, number" });
        }
        let (unit, default) = (table.text("unit"), table.formula("default"));
        Some(Self { at: table.at(), name, kind, unit, default, max })
    }
}

impl Test {
    fn read(name: String, table: &Table<'_>) -> Option<Self> {
        let on = match table.given("period") {
            Some(FormValue::Text(text)) => text.parse::<Date>().ok(),
            _ => None,
        };
        if on.is_none() {
            table.mistake(What::Kind { key: "period".into(), wanted: "YYYY-MM-DD" });
        }
        let margin = match table.text("margin") {
            None => Some(Decimal::ZERO),
            Some(text) => Decimal::from_str_exact(&text).ok().filter(|n| !n.is_sign_negative()),
        };
        if margin.is_none() {
            table.mistake(What::Kind { key: "margin".into(), wanted: "\"0.01\"" });
        }
        let (given, wanted) = (table.all_given("in"), table.all_given("out"));
        let unknown = table.texts_at("unknown");
        if wanted.is_empty() && unknown.is_empty() {
            table.mistake(What::MissingKey { key: "out".into() });
        }
        let (at, on, margin) = (table.at(), on?, margin?);
        Some(Self { at, name, on, given, wanted, unknown, margin })
    }
}

impl Table<'_> {
    /// A value of whatever kind, as somebody would fill it in.
    fn given(&self, key: &'static str) -> Option<FormValue> {
        let found = self.plain_at(key)?;
        let value = form_value(found);
        if value.is_none() {
            self.mistake(What::Float { key: key.to_owned() });
        }
        value
    }

    /// Named values of whatever kinds.
    fn all_given(&self, key: &'static str) -> Vec<(String, FormValue, At)> {
        let Some(table) = self.table(key) else { return Vec::new() };
        let each = table.entries().into_iter().filter_map(|entry| {
            let value = form_value(entry.value);
            if value.is_none() {
                table.mistake_at(&entry.at, What::Float { key: entry.name.clone() });
            }
            Some((entry.name, value?, entry.at))
        });
        each.collect()
    }
}

fn form_value(value: &DeValue<'_>) -> Option<FormValue> {
    Some(match value {
        DeValue::String(text) => FormValue::Text(text.to_string()),
        DeValue::Integer(n) => FormValue::Int(i64::from_str_radix(n.as_str(), n.radix()).ok()?),
        DeValue::Float(_) => return None,
        DeValue::Boolean(yes) => FormValue::Bool(*yes),
        DeValue::Datetime(at) => FormValue::Text(at.to_string()),
        DeValue::Array(list) => {
            let each = list.iter().map(|value| form_value(value.get_ref()));
            FormValue::List(each.collect::<Option<_>>()?)
        }
        DeValue::Table(table) => {
            let each = table.iter().map(|(name, value)| {
                Some((name.get_ref().to_string(), form_value(value.get_ref())?))
            });
            FormValue::Map(each.collect::<Option<_>>()?)
        }
    })
}

/// What somebody fills in, as a value of a kind: an amount is in yuan. Nothing where it is of another.
pub(crate) fn value_of(kind: &Type, given: &FormValue) -> Option<Value> {
    let number = |given: &FormValue| match given {
        FormValue::Int(n) => Some(Decimal::from(*n)),
        FormValue::Text(text) => Decimal::from_str_exact(text).ok(),
        _ => None,
    };
    Some(match (kind, given) {
        (Type::Int, FormValue::Int(n)) => Value::Int((*n).into()),
        (Type::Decimal, given) => Value::Decimal(number(given)?),
        (Type::Money, given) => {
            let fen = number(given)?.checked_mul(Decimal::ONE_HUNDRED)?.normalize();
            Value::Money(Some(fen).filter(Decimal::is_integer)?)
        }
        (Type::Text, FormValue::Text(text)) => Value::text(text),
        (Type::Date, FormValue::Text(text)) => Value::Date(text.parse().ok()?),
        (Type::Period, FormValue::Text(text)) => Value::Period(text.parse().ok()?),
        (Type::Bool, FormValue::Bool(yes)) => Value::Bool(*yes),
        (Type::List(of), FormValue::List(list)) => {
            Value::List(list.iter().map(|given| value_of(of, given)).collect::<Option<_>>()?)
        }
        (Type::Map(fields), FormValue::Map(map)) => {
            let each = map
                .iter()
                .map(|(name, given)| Some((name.clone(), value_of(fields.get(name)?, given)?)));
            Value::Map(each.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}
