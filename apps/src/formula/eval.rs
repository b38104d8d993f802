//! Working a formula out. Nothing here fails: what has no value is unknown, and says why.

use rust_decimal::Decimal;

use super::{Each, Explained, Kind, Node, Operator, functions};
use crate::{
    calendar::{Calendar, Rule},
    civil::{Period, Zone},
    look_up::Looked,
    value::{Value, Why},
};

/// How many steps the formulas of one decision may take together. They are counted, not timed, so that everybody who decides
/// again comes to the same end.
pub(crate) const MOST_STEPS: u64 = 100_000;

/// What a formula may speak of.
pub trait Environment {
    /// What a name stands for.
    fn root(&self, name: &str) -> Value;

    /// A field of what a name stands for, where the whole is dearer.
    fn field(&self, root: &str, name: &str) -> Value {
        self.root(root).field(name)
    }

    /// A function that reads state: `find`, `count`, `balance`, `org.rank` …
    fn call(&self, name: &str, arguments: &[Value]) -> Value;

    /// The steps of what a function works out by formulas of its own.
    fn inside(&self, _name: &str, _arguments: &[Value]) -> Vec<Explained> {
        Vec::new()
    }

    /// What was looked up in tables since this was asked last.
    fn looked(&self) -> Vec<Looked> {
        Vec::new()
    }

    /// The calendar in force.
    fn calendar(&self) -> &Calendar;

    /// The counting rule where none is named.
    fn rule(&self) -> Rule;

    /// The zone of civil dates.
    fn zone(&self) -> Zone;

    /// Takes a step of the decision's budget. False when there is none left.
    fn step(&self) -> bool;

    /// Takes several steps.
    fn steps(&self, count: u64) -> bool {
        (0..count).all(|_| self.step())
    }
}

/// How many bytes of a text cost a step.
const BYTES: usize = 64;

/// What is read is copied, which is so many times cheaper than to make it.
const READ: u64 = 8;

/// How many days of a calendar are looked at in a step.
const DAYS: u64 = 64;

/// How large a value is: each part of it counts, and so does each 64 bytes of a text.
fn size(value: &Value) -> u64 {
    let text = |text: &str| (text.len() / BYTES) as u64;
    match value {
        Value::Text(of) => 1 + text(of),
        Value::List(list) => 1 + list.iter().map(size).sum::<u64>(),
        Value::Map(map) => 1 + map.iter().map(|(name, of)| text(name) + size(of)).sum::<u64>(),
        _ => 1,
    }
}

pub(super) struct Evaluation<'a> {
    environment: &'a dyn Environment,
    text: &'a str,
    bound: Vec<(&'a str, Value)>,
}

pub(super) fn unknown(why: Why) -> Value {
    Value::Unknown(why)
}

pub(super) fn kinds(what: impl Into<String>) -> Value {
    unknown(Why::Kinds(what.into()))
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(environment: &'a dyn Environment, text: &'a str) -> Self {
        Self { environment, text, bound: Vec::new() }
    }

    pub(super) fn value(&mut self, node: &'a Node) -> Value {
        if !self.environment.step() {
            return unknown(Why::Cost);
        }
        let value = self.of(node);
        // A small value is paid for by its step. A large one costs what it is made of, so that no doubling of texts and lists
        // goes on for long.
        let parts = size(&value) - 1;
        let cost = match &node.kind {
            Kind::Literal(_) | Kind::Name(_) | Kind::Field(..) | Kind::Index(..) => parts / READ,
            Kind::Choice(..) => 0,
            _ => parts,
        };
        match self.environment.steps(cost) {
            true => value,
            false => unknown(Why::Cost),
        }
    }

    fn of(&mut self, node: &'a Node) -> Value {
        match &node.kind {
            Kind::Literal(value) => value.clone(),
            Kind::Name(name) => self.name(name),
            Kind::Field(of, name) => self.field(of, name),
            Kind::Index(of, index) => self.index(of, index),
            Kind::Call(name, arguments) => self.call(name, arguments),
            Kind::Each(each, list, variable, body) => self.each(*each, list, variable, body),
            Kind::Not(of) => match self.there(of) {
                Value::Bool(yes) => Value::Bool(!yes),
                Value::Unknown(why) => unknown(why),
                other => kinds(format!("!{}", other.kind())),
            },
            Kind::Negative(of) => functions::negative(&self.there(of)),
            Kind::Binary(operator, a, b) => self.binary(*operator, a, b),
            Kind::Choice(condition, yes, no) => match self.there(condition) {
                Value::Bool(true) => self.value(yes),
                Value::Bool(false) => self.value(no),
                Value::Unknown(why) => unknown(why),
                other => kinds(format!("{} ?", other.kind())),
            },
            Kind::List(of) => Value::List(of.iter().map(|node| self.value(node)).collect()),
            Kind::Map(of) => {
                let named = of.iter().map(|(name, node)| (name.clone(), self.value(node)));
                // What is not there is not in it.
                Value::Map(named.filter(|(_, value)| value.is_some()).collect())
            }
        }
    }

    /// The value of what must be there: what is not makes what rests on it unknown, and is named.
    fn there(&mut self, node: &'a Node) -> Value {
        match self.value(node) {
            Value::None => {
                let what = self.text.get(node.span.clone()).unwrap_or_default();
                unknown(Why::Missing(what.to_owned()))
            }
            value => value,
        }
    }

    fn name(&self, name: &str) -> Value {
        let bound = self.bound.iter().rev().find(|(known, _)| *known == name);
        bound.map_or_else(|| self.environment.root(name), |(_, value)| value.clone())
    }

    fn field(&mut self, of: &'a Node, name: &str) -> Value {
        match &of.kind {
            Kind::Name(root) if self.bound.iter().all(|(known, _)| known != root) => {
                self.environment.field(root, name)
            }
            _ => self.value(of).field(name),
        }
    }

    fn index(&mut self, of: &'a Node, index: &'a Node) -> Value {
        match (self.there(of), self.there(index)) {
            (Value::Unknown(why), _) | (_, Value::Unknown(why)) => unknown(why),
            (Value::List(list), Value::Int(place)) => {
                let found = usize::try_from(place).ok().and_then(|place| list.get(place).cloned());
                found.unwrap_or_else(|| unknown(Why::Missing(format!("[{place}]"))))
            }
            (Value::Map(map), Value::Text(name)) => map.get(&name).cloned().unwrap_or(Value::None),
            (of, index) => kinds(format!("{}[{}]", of.kind(), index.kind())),
        }
    }

    fn call(&mut self, name: &'a str, arguments: &'a [Node]) -> Value {
        if name == "has" {
            let value = arguments.first().map_or(Value::None, |node| self.value(node));
            return match value {
                Value::Unknown(why) => unknown(why),
                value => Value::Bool(value.is_some()),
            };
        }
        let mut values = Vec::with_capacity(arguments.len());
        for node in arguments {
            match self.there(node) {
                Value::Unknown(why) => return unknown(why),
                value => values.push(value),
            }
        }
        if !self.environment.steps(days(name, &values) / DAYS) {
            return unknown(Why::Cost);
        }
        functions::call(self.environment, name, &values)
    }

    fn binary(&mut self, operator: Operator, a: &'a Node, b: &'a Node) -> Value {
        match operator {
            Operator::And => self.both(a, b, false),
            Operator::Or => self.both(a, b, true),
            // What is not there may be compared with, and is the same as nothing else.
            Operator::Equal | Operator::Unequal => match (self.value(a), self.value(b)) {
                (Value::Unknown(why), _) | (_, Value::Unknown(why)) => unknown(why),
                (a, b) => Value::Bool(a.same(&b) == (operator == Operator::Equal)),
            },
            _ => match (self.there(a), self.there(b)) {
                (Value::Unknown(why), _) | (_, Value::Unknown(why)) => unknown(why),
                (a, b) => functions::binary(operator, &a, &b),
            },
        }
    }

    /// `&&` and `||` by Kleene: what decides alone decides, whatever the other is.
    fn both(&mut self, a: &'a Node, b: &'a Node, decides: bool) -> Value {
        let mut first = None;
        for node in [a, b] {
            match self.there(node) {
                Value::Bool(yes) if yes == decides => return Value::Bool(decides),
                Value::Bool(_) => {}
                Value::Unknown(why) => first = first.or(Some(why)),
                other => first = first.or(Some(Why::Kinds(other.kind().into()))),
            }
        }
        first.map_or(Value::Bool(!decides), unknown)
    }

    fn each(&mut self, each: Each, list: &'a Node, variable: &'a str, body: &'a Node) -> Value {
        let list = match self.there(list) {
            Value::List(list) => list,
            Value::Unknown(why) => return unknown(why),
            other => return kinds(format!("{}: list", other.kind())),
        };
        let mut results = Vec::with_capacity(list.len());
        for element in &list {
            self.bound.push((variable, element.clone()));
            let result = self.there(body);
            self.bound.pop();
            match (each, &result) {
                (Each::All, Value::Bool(false)) => return Value::Bool(false),
                (Each::Exists, Value::Bool(true)) => return Value::Bool(true),
                // A cost that is spent is spent for all that follows.
                (_, Value::Unknown(Why::Cost)) => return result,
                _ => results.push(result),
            }
        }
        if let Some(Value::Unknown(why)) = results.iter().find(|r| matches!(r, Value::Unknown(_))) {
            return unknown(why.clone());
        }
        gather(each, list, results)
    }
}

/// About how many days of the calendar a function looks at, one after the other.
fn days(name: &str, values: &[Value]) -> u64 {
    let days = match (name, values) {
        ("workdays_in", [Value::Date(from), Value::Date(to)]) => from.days_to(*to),
        ("due_day", [_, Value::Period(period)]) => period.count,
        ("due_day", [_, Value::Text(text)]) => {
            text.parse::<Period>().map_or(0, |period| period.count)
        }
        _ => 0,
    };
    days.unsigned_abs().into()
}

/// What the results of a macro's body come to.
fn gather(each: Each, list: Vec<Value>, results: Vec<Value>) -> Value {
    let yes = |result: &Value| matches!(result, Value::Bool(true));
    match each {
        Each::All => Value::Bool(true),
        Each::Exists => Value::Bool(false),
        Each::Filter => {
            let kept = list.into_iter().zip(&results).filter(|(_, result)| yes(result));
            Value::List(kept.map(|(element, _)| element).collect())
        }
        Each::Count => Value::Int(results.iter().filter(|r| yes(r)).count() as i128),
        Each::Map => Value::List(results),
        Each::Flat => {
            let inside = results.into_iter().flat_map(|result| match result {
                Value::List(list) => list,
                one => vec![one],
            });
            Value::List(inside.collect())
        }
        Each::Sum => functions::sum(&results),
        Each::Avg => match results.len() {
            0 => unknown(Why::NoRow("avg".into())),
            n => functions::binary(
                Operator::Divided,
                &decimal(functions::sum(&results)),
                &Value::Decimal(Decimal::from(n as u64)),
            ),
        },
        Each::Min => functions::extreme(&results, std::cmp::Ordering::Less),
        Each::Max => functions::extreme(&results, std::cmp::Ordering::Greater),
        Each::Sort | Each::SortDesc => {
            let mut paired: Vec<_> = results.into_iter().zip(list).collect();
            let mut orders = true;
            // A stable sort: what is equal stays in the order in which it was.
            paired.sort_by(|(a, _), (b, _)| {
                let order = a.order(b);
                orders &= order.is_some();
                let order = order.unwrap_or(std::cmp::Ordering::Equal);
                if each == Each::SortDesc { order.reverse() } else { order }
            });
            match orders {
                true => Value::List(paired.into_iter().map(|(_, element)| element).collect()),
                false => kinds("sort"),
            }
        }
    }
}

/// A mean of whole numbers is no whole number.
fn decimal(value: Value) -> Value {
    match (&value, value.number()) {
        (Value::Int(_), Some(number)) => Value::Decimal(number),
        _ => value,
    }
}
