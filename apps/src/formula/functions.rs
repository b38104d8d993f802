//! The functions and operators of formulas.

use std::cmp::Ordering;

use rust_decimal::{Decimal, RoundingStrategy};

use super::{
    Operator,
    eval::{Environment, kinds, unknown},
    exact::{decimals, hundredth},
};
use crate::{
    checks,
    civil::{Date, Period, Unit},
    value::{Value, Why},
};

/// A function that there is.
pub(super) struct Function {
    pub name: &'static str,
    /// The least and the most arguments, a method's receiver being the first.
    pub arguments: (usize, usize),
}

const fn function(name: &'static str, least: usize, most: usize) -> Function {
    Function { name, arguments: (least, most) }
}

pub(super) const FUNCTIONS: &[Function] = &[
    function("has", 1, 1),
    function("size", 1, 1),
    function("take", 2, 2),
    function("with", 2, 2),
    function("min", 2, 8),
    function("max", 2, 8),
    function("round", 2, 3),
    function("floor", 1, 1),
    function("ceil", 1, 1),
    function("abs", 1, 1),
    function("clamp", 3, 3),
    function("yuan", 1, 1),
    function("int", 1, 1),
    function("decimal", 1, 1),
    function("date", 1, 1),
    function("day", 3, 3),
    function("year", 1, 1),
    function("month", 1, 1),
    function("plus", 2, 2),
    function("due_day", 2, 2),
    function("period", 2, 2),
    function("days_in", 2, 2),
    function("workdays_in", 2, 2),
    function("age", 2, 2),
    function("years", 1, 1),
    function("months", 1, 1),
    function("end", 1, 1),
    function("lower", 1, 1),
    function("starts", 2, 2),
    function("has_part", 2, 2),
    function("digest", 1, 1),
    function("check_id", 1, 1),
    function("check_uscc", 1, 1),
    function("has_role", 2, 2),
    function("bracket", 3, 3),
    function("row", 3, 8),
    function("value", 2, 2),
    function("code", 3, 3),
    function("calc", 3, 3),
    function("find", 2, 8),
    function("find_on", 3, 8),
    function("cited", 3, 3),
    function("things", 3, 3),
    function("balance", 2, 10),
    function("free", 4, 4),
    function("roll", 1, 2),
    function("member", 2, 3),
    function("credential", 2, 2),
    function("drawn", 1, 2),
    function("tally", 1, 2),
    function("envelopes", 1, 1),
    function("envelope", 2, 2),
    function("matched", 3, 3),
    function("paper", 2, 2),
    function("graded", 3, 3),
    function("checks", 2, 2),
    function("assigned", 2, 2),
    function("org.head", 1, 2),
    function("org.parent", 1, 2),
    function("org.rank", 1, 2),
    function("org.related", 2, 3),
];

/// Functions that read state.
const OF_STATE: &[&str] = &[
    "has_role",
    "bracket",
    "row",
    "value",
    "code",
    "calc",
    "find",
    "find_on",
    "cited",
    "things",
    "balance",
    "free",
    "roll",
    "member",
    "credential",
    "drawn",
    "tally",
    "envelopes",
    "envelope",
    "matched",
    "paper",
    "graded",
    "checks",
    "assigned",
    "org.head",
    "org.parent",
    "org.rank",
    "org.related",
];

/// Whether a function reads state.
pub(super) fn is_of_state(name: &str) -> bool {
    OF_STATE.contains(&name)
}

fn overflow(what: &str) -> Value {
    unknown(Why::NoResult(what.to_owned()))
}

/// The value of a function of values that are there.
pub(super) fn call(environment: &dyn Environment, name: &str, values: &[Value]) -> Value {
    if is_of_state(name) {
        return environment.call(name, values);
    }
    match (name, values) {
        ("size", [Value::List(list)]) => Value::Int(list.len() as i128),
        ("size", [Value::Text(text)]) => Value::Int(text.chars().count() as i128),
        ("size", [Value::Map(map)]) => Value::Int(map.len() as i128),
        ("take", [Value::List(_), Value::Int(n)]) if *n < 0 => overflow("take"),
        ("take", [Value::List(list), Value::Int(n)]) => {
            let most = usize::try_from(*n).unwrap_or(usize::MAX);
            Value::List(list.iter().take(most).cloned().collect())
        }
        ("with", [Value::Map(map), Value::Map(more)]) => {
            let both = map.iter().chain(more).map(|(name, value)| (name.clone(), value.clone()));
            Value::Map(both.collect())
        }
        ("min", of) => extreme(of, Ordering::Less),
        ("max", of) => extreme(of, Ordering::Greater),
        ("clamp", [value, least, most]) => {
            let raised = extreme(&[value.clone(), least.clone()], Ordering::Greater);
            extreme(&[raised, most.clone()], Ordering::Less)
        }
        ("round", [value, place]) => round(value, place, "half_up"),
        ("round", [value, place, Value::Text(mode)]) => round(value, place, mode),
        ("floor", [value]) => whole(value, RoundingStrategy::ToNegativeInfinity),
        ("ceil", [value]) => whole(value, RoundingStrategy::ToPositiveInfinity),
        ("abs", [value]) => {
            let below = value.order(&zero(value)) == Some(Ordering::Less);
            if below { negative(value) } else { value.clone() }
        }
        ("yuan", [value]) => {
            let fen =
                value.number().and_then(|n| decimals(Operator::Times, n, Decimal::ONE_HUNDRED));
            fen.map_or_else(|| overflow("yuan"), Value::Money)
        }
        ("int", [Value::Text(text)]) => text.parse().map_or_else(|_| overflow("int"), Value::Int),
        ("int", [value]) => whole(value, RoundingStrategy::ToZero),
        ("decimal", [Value::Text(text)]) => {
            Decimal::from_str_exact(text).map_or_else(|_| overflow("decimal"), Value::Decimal)
        }
        ("decimal", [value]) => value.number().map_or_else(|| overflow("decimal"), Value::Decimal),
        ("lower", [Value::Text(text)]) => Value::Text(text.to_ascii_lowercase()),
        ("starts", [Value::Text(text), Value::Text(with)]) => {
            Value::Bool(text.starts_with(with.as_str()))
        }
        ("has_part", [Value::Text(text), Value::Text(part)]) => {
            Value::Bool(text.contains(part.as_str()))
        }
        ("digest", [value]) => match crate::value::digest(value) {
            Some(digest) => Value::Text(digest.to_string()),
            None => overflow("digest"),
        },
        ("check_id", [Value::Text(text)]) => Value::Bool(checks::is_identity_number(text)),
        ("check_uscc", [Value::Text(text)]) => Value::Bool(chancery_certs::is_credit_code(text)),
        _ => time(environment, name, values),
    }
}

/// Functions of dates, periods and the calendar.
fn time(environment: &dyn Environment, name: &str, values: &[Value]) -> Value {
    let calendar = environment.calendar();
    let found = match (name, values) {
        ("date", [Value::Date(date)]) => Some(Value::Date(*date)),
        ("date", [Value::Instant(at)]) => environment.zone().day(*at).map(Value::Date),
        ("date", [Value::Text(text)]) => text.parse().ok().map(Value::Date),
        ("day", [Value::Int(year), Value::Int(month), Value::Int(day)]) => {
            let parts = i32::try_from(*year).ok().zip(u32::try_from(*month).ok());
            let parts = parts.zip(u32::try_from(*day).ok());
            parts.and_then(|((y, m), d)| Date::new(y, m, d)).map(Value::Date)
        }
        ("year", [Value::Date(date)]) => Some(Value::Int(date.parts().0.into())),
        ("year", [Value::Instant(at)]) => {
            environment.zone().day(*at).map(|date| Value::Int(date.year().into()))
        }
        ("month", [Value::Date(date)]) => Some(Value::Int(date.parts().1.into())),
        ("month", [Value::Instant(at)]) => {
            environment.zone().day(*at).map(|date| Value::Int(date.parts().1.into()))
        }
        ("plus", [Value::Date(date), by]) => {
            period(by).and_then(|by| calendar.plus(*date, by)).map(Value::Date)
        }
        ("plus", [Value::Instant(at), by]) => {
            let by = period(by);
            by.and_then(|by| calendar.plus_instant(*at, by, environment.zone())).map(Value::Instant)
        }
        ("due_day", [from, by]) => {
            let from = match from {
                Value::Date(date) => Some(*date),
                Value::Instant(at) => environment.zone().day(*at),
                _ => None,
            };
            let due = from
                .zip(period(by))
                .and_then(|(from, by)| calendar.due(environment.rule(), from, by));
            due.map(|due| Value::Date(due.last))
        }
        ("period", [Value::Int(count), Value::Text(unit)]) => {
            let count = i32::try_from(*count).ok();
            let period =
                count.zip(Unit::named(unit)).and_then(|(count, unit)| Period::new(count, unit));
            period.map(Value::Period)
        }
        ("years" | "months", [Value::Int(count)]) => {
            let unit = if name == "years" { Unit::Year } else { Unit::Month };
            let count = i32::try_from(*count).ok();
            count.and_then(|count| Period::new(count, unit)).map(Value::Period)
        }
        ("days_in", [Value::Date(from), Value::Date(to)]) => {
            Some(Value::Int(i128::from(from.days_to(*to).saturating_add(1).max(0))))
        }
        ("workdays_in", [Value::Date(from), Value::Date(to)]) => {
            let days = if from > to { Some(0) } else { calendar.working_days(*from, *to) };
            days.map(|days| Value::Int(days.into()))
        }
        ("age", [Value::Date(born), Value::Date(on)]) => age(*born, *on).map(Value::Int),
        // The last day of all has no moment after it.
        ("end", [Value::Date(date)]) => {
            date.next().map(|next| Value::Instant(environment.zone().begin(next)))
        }
        _ => {
            let kinds_of: Vec<_> = values.iter().map(Value::kind).collect();
            return kinds(format!("{name}({})", kinds_of.join(", ")));
        }
    };
    found.unwrap_or_else(|| overflow(name))
}

fn period(value: &Value) -> Option<Period> {
    match value {
        Value::Period(period) => Some(*period),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

/// Whole years of age: one is a year older at the beginning of one's birthday, and whoever was born on 29 February on 1 March.
fn age(born: Date, on: Date) -> Option<i128> {
    let ((year, month, day), (to_year, to_month, to_day)) = (born.parts(), on.parts());
    let years = to_year - year - i32::from((to_month, to_day) < (month, day));
    (born <= on).then_some(years.into())
}

fn zero(like: &Value) -> Value {
    match like {
        Value::Money(_) => Value::Money(Decimal::ZERO),
        _ => Value::Int(0),
    }
}

pub(super) fn negative(value: &Value) -> Value {
    match value {
        Value::Int(n) => n.checked_neg().map_or_else(|| overflow("-"), Value::Int),
        Value::Decimal(n) => Value::Decimal(-n),
        Value::Money(fen) => Value::Money(-fen),
        Value::Unknown(why) => unknown(why.clone()),
        other => kinds(format!("-{}", other.kind())),
    }
}

/// The rounding of a name.
pub(super) fn rounding(mode: &str) -> Option<RoundingStrategy> {
    match mode {
        "half_up" => Some(RoundingStrategy::MidpointAwayFromZero),
        "half_even" => Some(RoundingStrategy::MidpointNearestEven),
        "up" => Some(RoundingStrategy::AwayFromZero),
        "down" => Some(RoundingStrategy::ToZero),
        _ => None,
    }
}

fn round(value: &Value, place: &Value, mode: &str) -> Value {
    let Some(mode) = rounding(mode) else { return kinds(format!("round: {mode}")) };
    match (value, place) {
        (Value::Money(fen), Value::Text(unit)) if unit == "fen" => {
            Value::Money(fen.round_dp_with_strategy(0, mode))
        }
        (Value::Money(fen), Value::Text(unit)) if unit == "yuan" => {
            let yuan = hundredth(*fen).map(|yuan| yuan.round_dp_with_strategy(0, mode));
            let fen = yuan.and_then(|yuan| decimals(Operator::Times, yuan, Decimal::ONE_HUNDRED));
            fen.map_or_else(|| overflow("round"), Value::Money)
        }
        (value, Value::Int(places)) => match (value.number(), u32::try_from(*places)) {
            (Some(number), Ok(places)) if places <= 18 => {
                Value::Decimal(number.round_dp_with_strategy(places, mode))
            }
            (None, _) if numeric(value) => overflow("round"),
            _ => kinds(format!("round({})", value.kind())),
        },
        _ => kinds(format!("round({}, {})", value.kind(), place.kind())),
    }
}

/// A number, or an amount in yuan, made whole.
fn whole(value: &Value, mode: RoundingStrategy) -> Value {
    match value {
        Value::Int(n) => Value::Int(*n),
        Value::Decimal(n) => {
            let whole = n.round_dp_with_strategy(0, mode);
            Value::Int(whole.mantissa() / 10i128.pow(whole.scale()))
        }
        other => kinds(format!("int({})", other.kind())),
    }
}

/// The sum of numbers or amounts; of none it is zero.
pub(super) fn sum(values: &[Value]) -> Value {
    let mut total = values.first().map_or(Value::Int(0), zero);
    for value in values {
        total = binary(Operator::Plus, &total, value);
    }
    total
}

/// The least or the greatest.
pub(super) fn extreme(values: &[Value], wanted: Ordering) -> Value {
    let mut values = values.iter();
    let Some(mut best) = values.next() else { return unknown(Why::NoRow("min, max".into())) };
    for value in values {
        if let Value::Unknown(why) = value {
            return unknown(why.clone());
        }
        match value.order(best) {
            Some(order) if order == wanted => best = value,
            Some(_) => {}
            None => return kinds(format!("{}, {}", best.kind(), value.kind())),
        }
    }
    best.clone()
}

/// An operator between values that are there, other than equality and the logical ones.
pub(super) fn binary(operator: Operator, a: &Value, b: &Value) -> Value {
    match operator {
        Operator::In => within(a, b),
        Operator::Less | Operator::AtMost | Operator::More | Operator::AtLeast => {
            let Some(order) = a.order(b).filter(|_| !matches!(a, Value::Bool(_))) else {
                return mismatch(operator, a, b);
            };
            Value::Bool(match operator {
                Operator::Less => order.is_lt(),
                Operator::AtMost => order.is_le(),
                Operator::More => order.is_gt(),
                _ => order.is_ge(),
            })
        }
        _ => arithmetic(operator, a, b),
    }
}

fn within(a: &Value, b: &Value) -> Value {
    match b {
        Value::List(list) => {
            if list.iter().any(|element| element.same(a)) {
                return Value::Bool(true);
            }
            match list
                .iter()
                .find_map(|e| if let Value::Unknown(why) = e { Some(why) } else { None })
            {
                Some(why) => unknown(why.clone()),
                None => Value::Bool(false),
            }
        }
        Value::Map(map) => match a {
            Value::Text(name) => Value::Bool(map.contains_key(name)),
            _ => mismatch(Operator::In, a, b),
        },
        _ => mismatch(Operator::In, a, b),
    }
}

fn mismatch(operator: Operator, a: &Value, b: &Value) -> Value {
    kinds(format!("{} {} {}", a.kind(), operator.text(), b.kind()))
}

fn numeric(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Decimal(_))
}

fn arithmetic(operator: Operator, a: &Value, b: &Value) -> Value {
    use Operator::{Divided, Minus, Plus, Rest, Times};
    let found = match (operator, a, b) {
        (_, Value::Unknown(why), _) | (_, _, Value::Unknown(why)) => return unknown(why.clone()),
        (_, Value::Int(a), Value::Int(b)) => match operator {
            Plus => a.checked_add(*b),
            Minus => a.checked_sub(*b),
            Times => a.checked_mul(*b),
            Divided => a.checked_div(*b),
            Rest => a.checked_rem(*b),
            _ => return mismatch(operator, &Value::Int(*a), &Value::Int(*b)),
        }
        .map(Value::Int),
        (Plus, Value::Text(a), Value::Text(b)) => Some(Value::Text(format!("{a}{b}"))),
        (Plus, Value::List(a), Value::List(b)) => {
            Some(Value::List(a.iter().chain(b).cloned().collect()))
        }
        (Plus | Minus | Rest, Value::Money(a), Value::Money(b)) => {
            decimals(operator, *a, *b).map(Value::Money)
        }
        (Divided, Value::Money(a), Value::Money(b)) => {
            decimals(Divided, *a, *b).map(Value::Decimal)
        }
        (Times | Divided, Value::Money(fen), n) => match n.number() {
            Some(n) => decimals(operator, *fen, n).map(Value::Money),
            None if numeric(n) => None,
            None => return mismatch(operator, a, b),
        },
        (Times, n, Value::Money(fen)) => match n.number() {
            Some(n) => decimals(operator, n, *fen).map(Value::Money),
            None if numeric(n) => None,
            None => return mismatch(operator, a, b),
        },
        _ => match (a.number(), b.number()) {
            (Some(a), Some(b)) => decimals(operator, a, b).map(Value::Decimal),
            // A whole number of more digits than decimals have.
            _ if numeric(a) && numeric(b) => None,
            _ => return mismatch(operator, a, b),
        },
    };
    found.unwrap_or_else(|| overflow(operator.text()))
}
