//! How a value came about, step by step: what was read, and what each part of a condition came to.

use super::{
    Kind, Node, Operator,
    eval::{Environment, Evaluation},
};
use crate::{look_up::Looked, value::Value};

/// A step, and those that it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The part of the formula.
    pub text: String,
    /// What it came to.
    pub value: Value,
    /// What it rests on.
    pub steps: Vec<Explained>,
    /// What was looked up for it in tables, and for none of the steps that it rests on.
    pub looked: Vec<Looked>,
}

impl Explained {
    /// What was read, each thing once: `doc.quantity = 0`, and which rows of which tables: `iit-annual 2019-01-01 #2`.
    pub fn read(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.gather(&mut found);
        found
    }

    fn has_looked(&self, looked: &Looked) -> bool {
        self.looked.contains(looked) || self.steps.iter().any(|step| step.has_looked(looked))
    }

    fn gather(&self, found: &mut Vec<String>) {
        if self.steps.is_empty() || !self.looked.is_empty() {
            let value: String = self.value.to_string().chars().take(MOST_SHOWN).collect();
            let mut add = |read| {
                if !found.contains(&read) {
                    found.push(read);
                }
            };
            add(format!("{} = {value}", self.text));
            for looked in &self.looked {
                let row = looked.row.map(|row| format!(" #{row}")).unwrap_or_default();
                add(format!("{} {}{row} ({})", looked.table, looked.from, looked.law));
            }
        }
        self.steps.iter().for_each(|step| step.gather(found));
    }
}

/// Characters of a value that are shown.
const MOST_SHOWN: usize = 80;

pub(super) fn explain(text: &str, tree: &Node, environment: &dyn Environment) -> Explained {
    let mut steps = Vec::new();
    for part in parts(tree) {
        let below = explain(text, part, environment);
        // What is written out says what it is.
        if !matches!(part.kind, Kind::Literal(_)) {
            steps.push(below);
        }
    }
    if let Kind::Call(name, arguments) = &tree.kind
        && name == "calc"
    {
        let given = |node| Evaluation::new(environment, text).value(node);
        let given: Vec<_> = arguments.iter().map(given).collect();
        steps.extend(environment.inside(name, &given));
    }
    environment.looked();
    let value = Evaluation::new(environment, text).value(tree);
    let mut looked = environment.looked();
    looked.retain(|looked| steps.iter().all(|step| !step.has_looked(looked)));
    let text = text.get(tree.span.clone()).unwrap_or_default().to_owned();
    Explained { text, value, steps, looked }
}

/// The parts of a node that are steps of their own. Arithmetic says what it is made of, and not each sum on the way.
fn parts(node: &Node) -> Vec<&Node> {
    match &node.kind {
        Kind::Binary(Operator::And | Operator::Or, a, b) => vec![a, b],
        Kind::Choice(condition, yes, no) => vec![condition, yes, no],
        Kind::Not(of) => vec![of],
        _ => read(node),
    }
}

/// What is read inside a node: names with their fields, calls, and macros, outermost first.
fn read(node: &Node) -> Vec<&Node> {
    match &node.kind {
        Kind::Name(_) | Kind::Literal(_) => Vec::new(),
        // A field of what is read is read with it; one of what is looked up rests on that.
        Kind::Field(of, _) => {
            let mut of = of;
            while let Kind::Field(inner, _) = &of.kind {
                of = inner;
            }
            leaf_of_field(of)
        }
        Kind::Index(a, b) | Kind::Binary(_, a, b) => leaf(a).into_iter().chain(leaf(b)).collect(),
        Kind::Negative(of) => leaf(of),
        Kind::Call(_, of) | Kind::List(of) => of.iter().flat_map(leaf).collect(),
        // What stands in the body is another for each element.
        Kind::Each(_, list, _, _) => leaf(list),
        Kind::Map(of) => of.iter().flat_map(|(_, node)| leaf(node)).collect(),
        Kind::Choice(..) | Kind::Not(_) => vec![node],
    }
}

fn leaf_of_field(of: &Node) -> Vec<&Node> {
    match &of.kind {
        Kind::Name(_) => Vec::new(),
        _ => leaf(of),
    }
}

fn leaf(node: &Node) -> Vec<&Node> {
    match &node.kind {
        Kind::Binary(..) | Kind::Negative(_) => read(node),
        Kind::Literal(_) => Vec::new(),
        _ => vec![node],
    }
}
