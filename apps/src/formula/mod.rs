//! Formulas: guards, computed fields, scores. A subset of CEL in syntax and meaning, with decimals, dates and calendars; total,
//! bounded in cost, without effects, and explained step by step.
//!
//! [`Formula::parse`] reads one, [`Formula::types`] checks it against what it may speak of, [`Formula::value`] works it out.

mod eval;
mod exact;
mod explain;
mod functions;
mod lex;
mod look;
mod parse;
mod types;

#[cfg(test)]
mod cel_tests;
#[cfg(test)]
mod tests;

use std::{fmt, ops::Range};

pub(crate) use self::eval::MOST_STEPS;
pub use self::{
    eval::Environment,
    explain::Explained,
    types::{KindFault, Mismatch, Scope, Type},
};
use crate::value::Value;

/// The longest formula, in bytes of its text.
pub(crate) const MAX_TEXT: usize = 2000;

/// How deep one may nest.
pub(crate) const MAX_DEPTH: usize = 32;

/// A formula that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formula {
    text: String,
    tree: Node,
}

/// A node of a formula, and where it stands in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub kind: Kind,
    pub span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Literal(Value),
    Name(String),
    Field(Box<Node>, String),
    Index(Box<Node>, Box<Node>),
    /// A function, of its arguments; a method's receiver is the first.
    Call(String, Vec<Node>),
    /// A macro over a list: its name, the list, the variable, the body.
    Each(Each, Box<Node>, String, Box<Node>),
    Not(Box<Node>),
    Negative(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    Choice(Box<Node>, Box<Node>, Box<Node>),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// What is done with each element of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Each {
    All,
    Exists,
    Filter,
    Map,
    Flat,
    Sum,
    Min,
    Max,
    Avg,
    Count,
    Sort,
    SortDesc,
}

impl Each {
    const ALL: [(Self, &'static str); 12] = [
        (Self::All, "all"),
        (Self::Exists, "exists"),
        (Self::Filter, "filter"),
        (Self::Map, "map"),
        (Self::Flat, "flat"),
        (Self::Sum, "sum"),
        (Self::Min, "min"),
        (Self::Max, "max"),
        (Self::Avg, "avg"),
        (Self::Count, "count"),
        (Self::Sort, "sort"),
        (Self::SortDesc, "sort_desc"),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(each, _)| each)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
    In,
    Plus,
    Minus,
    Times,
    Divided,
    Rest,
}

impl Operator {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::In => "in",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::Divided => "/",
            Self::Rest => "%",
        }
    }
}

/// Why a text is no formula, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoFormula {
    /// What is wrong.
    pub fault: Fault,
    /// The byte of the text.
    pub at: usize,
}

/// What can be wrong with the text of a formula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is longer than 2,000 bytes.
    Length,
    /// It nests deeper than 32.
    Depth,
    /// A character that means nothing here.
    Character(char),
    /// A text in quotes does not end, or has an escape that there is not.
    Quotes,
    /// A number that is too large or has too many digits.
    Number(String),
    /// Something else was expected.
    Expected {
        /// What.
        wanted: String,
        /// What stands there; nothing at the end.
        found: String,
    },
    /// There is no such function; the nearest that there is.
    Function {
        /// The name.
        name: String,
        /// The nearest known one.
        nearest: Option<&'static str>,
    },
    /// A function takes another number of arguments.
    Arguments {
        /// The name.
        name: String,
        /// How many it takes, as a range.
        takes: (usize, usize),
        /// How many there are.
        given: usize,
    },
}

impl Formula {
    /// Reads a formula.
    ///
    /// # Errors
    /// [`NoFormula`], with the place in the text.
    pub fn parse(text: &str) -> Result<Self, NoFormula> {
        let tree = parse::parse(text)?;
        Ok(Self { text: text.to_owned(), tree })
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its value.
    pub fn value(&self, environment: &dyn Environment) -> Value {
        eval::Evaluation::new(environment, &self.text).value(&self.tree)
    }

    /// Its value, and how it came about.
    pub fn explain(&self, environment: &dyn Environment) -> Explained {
        explain::explain(&self.text, &self.tree, environment)
    }

    /// The kind of its value, given the kinds of what it speaks of.
    ///
    /// # Errors
    /// [`Mismatch`], with the place in the text.
    pub fn types(&self, scope: &dyn Scope) -> Result<Type, Mismatch> {
        types::infer(&self.text, &self.tree, scope)
    }

    /// What it speaks of: each name that no macro binds, with the fields that are read of it.
    pub fn paths(&self) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        paths(&self.tree, &mut Vec::new(), &mut found);
        found
    }

    /// The functions that it calls, with the first argument where that is a text: `find('vehicle', …)`.
    pub fn calls(&self) -> Vec<(String, Option<String>)> {
        let mut found = Vec::new();
        calls(&self.tree, &mut found);
        found
    }

    /// The names that its value may be when it is a choice of texts: `a ? 'x' : 'y'`. None when it may be something else.
    pub fn leaves(&self) -> Option<Vec<String>> {
        let mut found = Vec::new();
        leaves(&self.tree, &mut found).then_some(found)
    }

    /// What it demands to be equal, of all that must hold together: the text of one side and the other, both ways.
    pub(crate) fn equalities(&self) -> Vec<(&str, Self)> {
        let mut found = Vec::new();
        let mut waiting = vec![&self.tree];
        while let Some(node) = waiting.pop() {
            match &node.kind {
                Kind::Binary(Operator::And, a, b) => waiting.extend([&**a, &**b]),
                Kind::Binary(Operator::Equal, a, b) => {
                    for (one, other) in [(a, b), (b, a)] {
                        let text = self.text.get(one.span.clone()).unwrap_or_default();
                        let formula = Self { text: self.text.clone(), tree: (**other).clone() };
                        found.push((text, formula));
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// Whether it is the same whatever it speaks of.
    pub fn is_constant(&self) -> bool {
        self.paths().is_empty() && self.calls().is_empty()
    }
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn children(node: &Node) -> Vec<&Node> {
    match &node.kind {
        Kind::Literal(_) | Kind::Name(_) => Vec::new(),
        Kind::Field(of, _) | Kind::Not(of) | Kind::Negative(of) => vec![of],
        Kind::Index(a, b) | Kind::Binary(_, a, b) | Kind::Each(_, a, _, b) => vec![a, b],
        Kind::Choice(a, b, c) => vec![a, b, c],
        Kind::Call(_, of) | Kind::List(of) => of.iter().collect(),
        Kind::Map(of) => of.iter().map(|(_, node)| node).collect(),
    }
}

fn paths(node: &Node, bound: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let (mut at, mut fields) = (node, Vec::new());
    while let Kind::Field(of, name) = &at.kind {
        fields.insert(0, name.clone());
        at = of;
    }
    if let Kind::Name(name) = &at.kind {
        if !bound.contains(name) {
            fields.insert(0, name.clone());
            found.push(fields);
        }
        return;
    }
    match &at.kind {
        Kind::Each(_, list, variable, body) => {
            paths(list, bound, found);
            bound.push(variable.clone());
            paths(body, bound, found);
            bound.pop();
        }
        _ => children(at).into_iter().for_each(|child| paths(child, bound, found)),
    }
}

fn calls(node: &Node, found: &mut Vec<(String, Option<String>)>) {
    if let Kind::Call(name, arguments) = &node.kind {
        let first = match arguments.first().map(|node| &node.kind) {
            Some(Kind::Literal(Value::Text(text))) => Some(text.clone()),
            _ => None,
        };
        found.push((name.clone(), first));
    }
    children(node).into_iter().for_each(|child| calls(child, found));
}

fn leaves(node: &Node, found: &mut Vec<String>) -> bool {
    match &node.kind {
        Kind::Literal(Value::Text(text)) => {
            found.push(text.clone());
            true
        }
        Kind::Choice(_, yes, no) => leaves(yes, found) && leaves(no, found),
        _ => false,
    }
}
