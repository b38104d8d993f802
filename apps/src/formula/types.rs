//! What kind of value a formula has, found before it is ever worked out, so that a folder that was checked has no formula that
//! fails on a Monday.

use std::{collections::BTreeMap, fmt, ops::Range};

use super::{Each, Kind, Node, Operator, functions};
use crate::{nearest::nearest, value::Value};

/// The most parts that the kind of one value may have: a map has its fields and those in them.
const MOST_PARTS: usize = 500;

/// The most parts that all kinds on the way through one formula may have together.
const MOST_PARTS_ON_THE_WAY: usize = 10_000;

/// A kind of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Not known here: anything goes.
    Any,
    /// Yes or no.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Decimal,
    /// An amount.
    Money,
    /// Text or a name.
    Text,
    /// A civil date.
    Date,
    /// A moment.
    Instant,
    /// A length of time.
    Period,
    /// A list of one kind.
    List(Box<Type>),
    /// Named values, and no others.
    Map(BTreeMap<String, Type>),
    /// Values of one kind by whatever name.
    Names(Box<Type>),
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Decimal => "decimal",
            Self::Money => "money",
            Self::Text => "text",
            Self::Date => "date",
            Self::Instant => "instant",
            Self::Period => "period",
            Self::List(of) => return write!(f, "list of {of}"),
            Self::Map(_) | Self::Names(_) => "map",
        })
    }
}

impl Type {
    /// A list of one kind.
    pub fn list(of: Self) -> Self {
        Self::List(Box::new(of))
    }

    /// Named values.
    pub fn map<N: Into<String>>(of: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::Map(of.into_iter().map(|(name, of)| (name.into(), of)).collect())
    }

    /// How many parts it has, if these are no more than so many.
    fn parts(&self, most: usize) -> Option<usize> {
        let inside = |of: &Self, sum: usize| Some(sum + of.parts(most.checked_sub(sum)?)?);
        let parts = match self {
            Self::List(of) | Self::Names(of) => inside(of, 1),
            Self::Map(fields) => fields.values().try_fold(1, |sum, of| inside(of, sum)),
            _ => Some(1),
        };
        parts.filter(|parts| *parts <= most)
    }

    pub(crate) fn is(&self, wanted: &[Self]) -> bool {
        *self == Self::Any || wanted.contains(self)
    }

    fn is_number(&self) -> bool {
        self.is(&[Self::Int, Self::Decimal])
    }

    /// What both are.
    pub(crate) fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, other) | (other, Self::Any) => Some(other),
            (Self::Int, Self::Decimal) | (Self::Decimal, Self::Int) => Some(Self::Decimal),
            (Self::List(a), Self::List(b)) => a.with(*b).map(Self::list),
            (Self::Map(a), Self::Map(b)) => {
                let mut both = a;
                for (name, of) in b {
                    let joined = match both.remove(&name) {
                        Some(known) => known.with(of)?,
                        None => of,
                    };
                    both.insert(name, joined);
                }
                Some(Self::Map(both))
            }
            (a, b) => (a == b).then_some(a),
        }
    }
}

/// What a formula may speak of, by kinds.
pub trait Scope {
    /// The kind of what a name stands for.
    fn root(&self, name: &str) -> Option<Type>;

    /// The kind of a field of what a name stands for, or of a field of that, where the whole is dearer: `["filed", "ask", "sum"]`.
    /// None leaves it to be found in the whole.
    fn field(&self, _path: &[&str]) -> Option<Type> {
        None
    }

    /// The names that there are, for a hint.
    fn roots(&self) -> Vec<String>;

    /// The kind of what a function of state gives; its first argument, if that is a text.
    fn call(&self, name: &str, first: Option<&str>) -> Type;

    /// The kind of what a function of data by date gives: of tables and code lists. Its first argument, if that is a text, and
    /// the kinds of all. Nothing of any other function.
    ///
    /// # Errors
    /// [`KindFault`] where there is no such table, or it is asked otherwise.
    fn data(
        &self,
        _name: &str,
        _first: Option<&str>,
        _given: &[Type],
    ) -> Result<Option<Type>, KindFault> {
        Ok(None)
    }
}

/// What is wrong with the kinds in a formula, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What.
    pub fault: KindFault,
    /// The bytes of the text.
    pub at: Range<usize>,
}

/// What can be wrong with kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KindFault {
    /// A name stands for nothing here.
    Name {
        /// The name.
        name: String,
        /// The nearest that there is.
        nearest: Option<String>,
    },
    /// There is no such field.
    Field {
        /// Of what.
        of: String,
        /// The name.
        name: String,
        /// The nearest that there is.
        nearest: Option<String>,
    },
    /// An operator or function does not take this.
    Takes {
        /// The operator, function or macro.
        what: String,
        /// What it is given.
        given: Vec<Type>,
    },
    /// The two ends of a choice, or the elements of a list, are of different kinds.
    Unlike(Type, Type),
    /// There is no such table, no such code list.
    NoData {
        /// Which of them.
        kind: &'static str,
        /// The name.
        name: String,
        /// The nearest that there is.
        nearest: Option<String>,
    },
    /// A function is to name what it asks as a text in quotes.
    NotWritten(String),
    /// A table is asked by another function, or with others.
    AskedBy {
        /// The table.
        table: String,
        /// How it is asked.
        by: String,
    },
    /// A text that is no period, no unit, no way of rounding.
    Word(String),
    /// A value that would have more parts than anybody can check.
    Size,
}

pub(super) fn infer(text: &str, tree: &Node, scope: &dyn Scope) -> Result<Type, Mismatch> {
    Inference { text, scope, bound: Vec::new(), parts: 0 }.of(tree)
}

struct Inference<'a> {
    text: &'a str,
    scope: &'a dyn Scope,
    bound: Vec<(&'a str, Type)>,
    /// How many parts the kinds on the way had.
    parts: usize,
}

impl<'a> Inference<'a> {
    fn of(&mut self, node: &'a Node) -> Result<Type, Mismatch> {
        let found = self.of_node(node)?;
        // A map of two maps of two maps … has no end that one could wait for.
        let sum = found.parts(MOST_PARTS).map(|parts| self.parts + parts);
        match sum.filter(|sum| *sum <= MOST_PARTS_ON_THE_WAY) {
            Some(sum) => {
                self.parts = sum;
                Ok(found)
            }
            None => Err(Mismatch { fault: KindFault::Size, at: node.span.clone() }),
        }
    }

    /// The kind of a field, without that of the whole where the scope can say it.
    fn field(&self, mut of: &'a Node, name: &'a str) -> Option<Type> {
        let mut path = vec![name];
        while let Kind::Field(outer, name) = &of.kind {
            path.push(name);
            of = outer;
        }
        let Kind::Name(root) = &of.kind else { return None };
        if self.bound.iter().any(|(known, _)| known == root) {
            return None;
        }
        path.push(root);
        path.reverse();
        self.scope.field(&path)
    }

    fn of_node(&mut self, node: &'a Node) -> Result<Type, Mismatch> {
        let wrong = |fault| Err(Mismatch { fault, at: node.span.clone() });
        let takes =
            |what: &str, given: Vec<Type>| wrong(KindFault::Takes { what: what.to_owned(), given });
        Ok(match &node.kind {
            Kind::Literal(value) => of_literal(value),
            Kind::Name(name) => match self.bound.iter().rev().find(|(known, _)| known == name) {
                Some((_, of)) => of.clone(),
                None => self.scope.root(name).ok_or_else(|| {
                    let nearest = nearest_of(name, self.scope.roots());
                    let fault = KindFault::Name { name: name.clone(), nearest };
                    Mismatch { fault, at: node.span.clone() }
                })?,
            },
            Kind::Field(of, name) => {
                if let Some(found) = self.field(of, name) {
                    return Ok(found);
                }
                match self.of(of)? {
                    Type::Any => Type::Any,
                    Type::Names(of) => *of,
                    Type::Map(fields) => match fields.get(name) {
                        Some(of) => of.clone(),
                        None => {
                            let nearest = nearest_of(name, fields.into_keys().collect());
                            let of = self.text.get(of.span.clone()).unwrap_or_default().to_owned();
                            return wrong(KindFault::Field { of, name: name.clone(), nearest });
                        }
                    },
                    other => return takes(&format!(".{name}"), vec![other]),
                }
            }
            Kind::Index(of, index) => match (self.of(of)?, self.of(index)?) {
                (Type::Any, _) => Type::Any,
                (Type::List(of), Type::Int | Type::Any) => *of,
                (Type::Names(of), Type::Text | Type::Any) => *of,
                (Type::Map(_), Type::Text | Type::Any) => Type::Any,
                (of, index) => return takes("[ ]", vec![of, index]),
            },
            Kind::Call(name, arguments) => self.call(node, name, arguments)?,
            Kind::Each(each, list, variable, body) => {
                let element = match self.of(list)? {
                    Type::Any => Type::Any,
                    Type::List(of) => *of,
                    other => return takes(&format!("{each:?}").to_lowercase(), vec![other]),
                };
                self.bound.push((variable, element.clone()));
                let result = self.of(body);
                self.bound.pop();
                let result = result?;
                match each_of(*each, element, &result) {
                    Some(of) => of,
                    None => return takes(&format!("{each:?}").to_lowercase(), vec![result]),
                }
            }
            Kind::Not(of) => match self.of(of)? {
                of if of.is(&[Type::Bool]) => Type::Bool,
                other => return takes("!", vec![other]),
            },
            Kind::Negative(of) => match self.of(of)? {
                of if of.is(&[Type::Int, Type::Decimal, Type::Money]) => of,
                other => return takes("-", vec![other]),
            },
            Kind::Binary(operator, a, b) => {
                let (a, b) = (self.of(a)?, self.of(b)?);
                match of_binary(*operator, &a, &b) {
                    Some(of) => of,
                    None => return takes(operator.text(), vec![a, b]),
                }
            }
            Kind::Choice(condition, yes, no) => {
                let condition = self.of(condition)?;
                if !condition.is(&[Type::Bool]) {
                    return takes("?", vec![condition]);
                }
                let (yes, no) = (self.of(yes)?, self.of(no)?);
                match yes.clone().with(no.clone()) {
                    Some(of) => of,
                    None => return wrong(KindFault::Unlike(yes, no)),
                }
            }
            Kind::List(of) => {
                let mut all = Type::Any;
                for node in of {
                    let next = self.of(node)?;
                    if all == next {
                        continue;
                    }
                    all = match all.clone().with(next.clone()) {
                        Some(of) => of,
                        None => return wrong(KindFault::Unlike(all, next)),
                    };
                }
                Type::list(all)
            }
            Kind::Map(of) => {
                let mut fields = BTreeMap::new();
                for (name, node) in of {
                    fields.insert(name.clone(), self.of(node)?);
                }
                Type::Map(fields)
            }
        })
    }

    fn call(
        &mut self,
        node: &'a Node,
        name: &str,
        arguments: &'a [Node],
    ) -> Result<Type, Mismatch> {
        let mut given = Vec::new();
        for node in arguments {
            given.push(self.of(node)?);
        }
        let literal = |place: usize| match arguments.get(place).map(|node| &node.kind) {
            Some(Kind::Literal(Value::Text(text))) => Some(text.as_str()),
            _ => None,
        };
        if let Some(word) = wrong_word(name, literal) {
            let fault = KindFault::Word(word.to_owned());
            return Err(Mismatch { fault, at: node.span.clone() });
        }
        match self.scope.data(name, literal(0), &given) {
            Ok(None) => {}
            Ok(Some(found)) => return Ok(found),
            Err(fault) => return Err(Mismatch { fault, at: node.span.clone() }),
        }
        let found = match of_function(name, &given) {
            Some(Type::Any) if functions::is_of_state(name) => {
                Some(self.scope.call(name, literal(0)))
            }
            found => found,
        };
        found.ok_or_else(|| {
            let fault = KindFault::Takes { what: name.to_owned(), given };
            Mismatch { fault, at: node.span.clone() }
        })
    }
}

fn nearest_of(name: &str, known: Vec<String>) -> Option<String> {
    nearest(name, known.iter().map(String::as_str)).map(str::to_owned)
}

fn of_literal(value: &Value) -> Type {
    match value {
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Decimal(_) => Type::Decimal,
        Value::Text(_) => Type::Text,
        _ => Type::Any,
    }
}

/// A word in the place of a period, a unit or a way of rounding that is none.
fn wrong_word<'a>(name: &str, literal: impl Fn(usize) -> Option<&'a str>) -> Option<&'a str> {
    let good = |text: &str| match name {
        "plus" | "due_day" => text.parse::<crate::civil::Period>().is_ok(),
        "period" => crate::civil::Unit::named(text).is_some(),
        "round" => functions::rounding(text).is_some(),
        _ => true,
    };
    let place = match name {
        "round" => 2,
        _ => 1,
    };
    literal(place).filter(|text| !good(text))
}

fn each_of(each: Each, element: Type, result: &Type) -> Option<Type> {
    let truth = result.is(&[Type::Bool]);
    let sums = result.is(&[Type::Int, Type::Decimal, Type::Money]);
    Some(match each {
        Each::All | Each::Exists => truth.then_some(Type::Bool)?,
        Each::Count => truth.then_some(Type::Int)?,
        Each::Filter => truth.then(|| Type::list(element))?,
        Each::Map => Type::list(result.clone()),
        Each::Flat => match result {
            Type::List(of) => Type::List(of.clone()),
            other => Type::list(other.clone()),
        },
        Each::Sum => sums.then(|| result.clone())?,
        Each::Avg if *result == Type::Int => Type::Decimal,
        Each::Avg => sums.then(|| result.clone())?,
        Each::Min | Each::Max => orders(result).then(|| result.clone())?,
        Each::Sort | Each::SortDesc => orders(result).then(|| Type::list(element))?,
    })
}

fn orders(of: &Type) -> bool {
    !matches!(of, Type::Map(_) | Type::Names(_) | Type::Period)
}

fn of_binary(operator: Operator, a: &Type, b: &Type) -> Option<Type> {
    use Operator::*;
    let both = |wanted: &[Type]| a.is(wanted) && b.is(wanted);
    let joined = || a.clone().with(b.clone());
    match operator {
        Or | And => both(&[Type::Bool]).then_some(Type::Bool),
        Equal | Unequal => joined().map(|_| Type::Bool),
        Less | AtMost | More | AtLeast => {
            let joined = joined()?;
            (orders(&joined) && joined != Type::Bool).then_some(Type::Bool)
        }
        In => match b {
            Type::Any => Some(Type::Bool),
            Type::List(of) => a.clone().with((**of).clone()).map(|_| Type::Bool),
            Type::Map(_) | Type::Names(_) => a.is(&[Type::Text]).then_some(Type::Bool),
            _ => None,
        },
        Plus | Minus | Times | Divided | Rest => {
            if *a == Type::Any || *b == Type::Any {
                // One of them may be an amount.
                return Some(Type::Any);
            }
            match (operator, a, b) {
                (Plus, Type::Text, Type::Text) => Some(Type::Text),
                (Plus, Type::List(_), Type::List(_)) => joined(),
                (Plus | Minus | Rest, Type::Money, Type::Money) => Some(Type::Money),
                (Divided, Type::Money, Type::Money) => Some(Type::Decimal),
                (Times | Divided, Type::Money, n) if n.is_number() => Some(Type::Money),
                (Times, n, Type::Money) if n.is_number() => Some(Type::Money),
                (_, a, b) if a.is_number() && b.is_number() => joined(),
                _ => None,
            }
        }
    }
}

/// What a function gives for these, if it takes them. [`Type::Any`] for what state says.
fn of_function(name: &str, given: &[Type]) -> Option<Type> {
    let day = [Type::Date, Type::Instant];
    let length = [Type::Period, Type::Text];
    let is = |place: usize, wanted: &[Type]| given.get(place).is_none_or(|of| of.is(wanted));
    let numbers = |from: usize| given.iter().skip(from).all(Type::is_number);
    let amount = [Type::Int, Type::Decimal, Type::Money];
    let all_joined = || {
        let mut each = given.iter().cloned();
        let first = each.next()?;
        each.try_fold(first, Type::with).filter(orders)
    };
    let first = || given.first().cloned().unwrap_or(Type::Any);
    match name {
        "has" => Some(Type::Bool),
        "size" => {
            let counted = matches!(
                given,
                [Type::Any | Type::Text | Type::List(_) | Type::Map(_) | Type::Names(_)]
            );
            counted.then_some(Type::Int)
        }
        "take" => {
            (matches!(given, [Type::Any | Type::List(_), _]) && is(1, &[Type::Int])).then(first)
        }
        "with" => match given {
            [Type::Map(a), Type::Map(b)] => {
                let both = a.iter().chain(b).map(|(name, of)| (name.clone(), of.clone()));
                Some(Type::Map(both.collect()))
            }
            [Type::Any, Type::Map(_) | Type::Any] | [Type::Map(_), Type::Any] => Some(Type::Any),
            _ => None,
        },
        "min" | "max" | "clamp" => all_joined(),
        "round" => match given {
            [Type::Money, Type::Text, ..] => Some(Type::Money),
            [Type::Any, ..] => Some(Type::Any),
            [n, Type::Int, ..] if n.is_number() => Some(Type::Decimal),
            _ => None,
        },
        "floor" | "ceil" => numbers(0).then_some(Type::Int),
        "int" => is(0, &[Type::Int, Type::Decimal, Type::Text]).then_some(Type::Int),
        "decimal" => is(0, &[Type::Int, Type::Decimal, Type::Text]).then_some(Type::Decimal),
        "abs" => is(0, &amount).then(first),
        "yuan" => numbers(0).then_some(Type::Money),
        "date" => is(0, &[Type::Date, Type::Instant, Type::Text]).then_some(Type::Date),
        "day" => (0..3).all(|place| is(place, &[Type::Int])).then_some(Type::Date),
        "year" | "month" => is(0, &day).then_some(Type::Int),
        "plus" => (is(0, &day) && is(1, &length)).then(first),
        "due_day" => (is(0, &day) && is(1, &length)).then_some(Type::Date),
        "period" => (is(0, &[Type::Int]) && is(1, &[Type::Text])).then_some(Type::Period),
        "years" | "months" => is(0, &[Type::Int]).then_some(Type::Period),
        "days_in" | "workdays_in" | "age" => {
            (is(0, &[Type::Date]) && is(1, &[Type::Date])).then_some(Type::Int)
        }
        "end" => is(0, &[Type::Date]).then_some(Type::Instant),
        "lower" => is(0, &[Type::Text]).then_some(Type::Text),
        "starts" | "has_part" => {
            (is(0, &[Type::Text]) && is(1, &[Type::Text])).then_some(Type::Bool)
        }
        "digest" => Some(Type::Text),
        "check_id" | "check_uscc" => is(0, &[Type::Text]).then_some(Type::Bool),
        "has_role" => is(1, &[Type::Text]).then_some(Type::Bool),
        _ => Some(Type::Any),
    }
}
