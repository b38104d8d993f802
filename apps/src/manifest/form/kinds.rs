//! The kinds of fields, and of the values that are filled in.

use std::collections::BTreeMap;

use chancery_protocol::FormValue;
use rust_decimal::Decimal;
use serde_json::Value as Json;

use crate::{
    formula::Type,
    value::{Value, Why},
};

/// What `x-type` may say.
pub(super) const X_TYPES: [&str; 11] = [
    "money", "decimal", "date", "instant", "period", "party", "officer", "agency", "doc", "place",
    "digest",
];

/// The kind of a text by its `x-type`, and by its `format` where it has none.
pub(super) fn of_text(x_type: Option<&str>, format: Option<&str>) -> Type {
    match x_type.or(format.filter(|format| *format == "date")) {
        Some("money") => Type::Money,
        Some("decimal") => Type::Decimal,
        Some("date") => Type::Date,
        Some("instant") => Type::Instant,
        Some("period") => Type::Period,
        _ => Type::Text,
    }
}

/// Whether a text can be of an `x-type` and have a `format`.
pub(super) fn go_together(x_type: &str, format: &str) -> bool {
    match (x_type, format) {
        ("date", "date") | ("instant", "date-time") => true,
        // It would be a date, or a name of somebody.
        (_, "date") => false,
        ("money" | "decimal" | "date" | "instant" | "period", _) => false,
        _ => true,
    }
}

/// How long texts of an `x-type` or a `format` are: none is shorter, and none longer where a length is given.
pub(super) fn length(word: &str) -> (i128, Option<i128>) {
    match word {
        "date" => (10, Some(10)),
        "uuid" => (36, Some(36)),
        "instant" | "date-time" => (20, None),
        "time" => (9, None),
        "period" | "email" => (3, None),
        "money" | "decimal" => (1, None),
        _ => (0, None),
    }
}

/// A value by its kind. What is of another kind is unknown, and its place and what it is to be are told.
pub(super) fn value(
    given: &FormValue,
    kind: &Type,
    at: &str,
    wrong: &mut Vec<(String, Type)>,
) -> Value {
    let found = match (kind, given) {
        (Type::Bool, FormValue::Bool(yes)) => Some(Value::Bool(*yes)),
        (Type::Int, FormValue::Int(n)) => Some(Value::Int((*n).into())),
        (_, FormValue::Text(text)) => of_kind(text, kind),
        (Type::List(of), FormValue::List(list)) => {
            let each = list.iter().enumerate();
            let each = each.map(|(place, one)| value(one, of, &format!("{at}/{place}"), wrong));
            Some(Value::List(each.collect()))
        }
        (Type::Map(of), FormValue::Map(map)) => {
            let nothing = Type::Any;
            let each = map.iter().map(|(name, one)| {
                let kind = of.get(name).unwrap_or(&nothing);
                (name.clone(), value(one, kind, &format!("{at}/{}", step(name)), wrong))
            });
            Some(Value::Map(each.collect::<BTreeMap<_, _>>()))
        }
        _ => None,
    };
    found.unwrap_or_else(|| {
        wrong.push((at.to_owned(), kind.clone()));
        Value::Unknown(Why::Kinds(at.to_owned()))
    })
}

fn of_kind(text: &str, kind: &Type) -> Option<Value> {
    Some(match kind {
        Type::Text => Value::Text(text.to_owned()),
        Type::Money => {
            let fen = Value::Money(canonical(text)?.checked_mul(Decimal::ONE_HUNDRED)?);
            fen.unkept().is_none().then_some(fen)?
        }
        Type::Decimal => Value::Decimal(canonical(text)?),
        Type::Date => Value::Date(text.parse().ok()?),
        Type::Instant => Value::Instant(text.parse().ok()?),
        Type::Period => Value::Period(text.parse().ok()?),
        _ => return None,
    })
}

/// A name as a step of a JSON Pointer (RFC 6901).
pub(super) fn step(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A form as JSON, which schemas judge.
pub(super) fn json(value: &FormValue) -> Json {
    match value {
        FormValue::Bool(yes) => Json::Bool(*yes),
        FormValue::Int(n) => Json::from(*n),
        FormValue::Text(text) => Json::String(text.clone()),
        FormValue::List(list) => list.iter().map(json).collect(),
        FormValue::Map(map) => {
            Json::Object(map.iter().map(|(name, value)| (name.clone(), json(value))).collect())
        }
    }
}

/// JSON as a value of a form. None where forms have no such value: null, and numbers that are not whole or too large.
pub(super) fn form_value(json: &Json) -> Option<FormValue> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(yes) => FormValue::Bool(*yes),
        Json::Number(n) => FormValue::Int(n.as_i64()?),
        Json::String(text) => FormValue::Text(text.clone()),
        Json::Array(list) => FormValue::List(list.iter().map(form_value).collect::<Option<_>>()?),
        Json::Object(map) => {
            let each = map.iter().map(|(name, one)| Some((name.clone(), form_value(one)?)));
            FormValue::Map(each.collect::<Option<_>>()?)
        }
    })
}

/// A decimal in its one form: digits, a point where digits follow, no sign but a minus, no zeros in front.
fn canonical(text: &str) -> Option<Decimal> {
    let plain = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = plain.split_once('.').map_or((plain, None), |(w, f)| (w, Some(f)));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let good = digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(|part| digits(part) && part.len() <= 18);
    good.then(|| Decimal::from_str_exact(text).ok())?
}
