//! What a checker asks of a formula: what stands in it, and how deep.

use super::{Formula, Kind, Node, Operator, children, functions};
use crate::value::Value;

impl Formula {
    /// How deep it nests.
    pub(crate) fn depth(&self) -> usize {
        fn depth(node: &Node) -> usize {
            1 + children(node).into_iter().map(depth).max().unwrap_or(0)
        }
        depth(&self.tree)
    }

    /// The texts that stand as some argument of a function, wherever it is called: `has_role(me, 'chief')`.
    pub(crate) fn words_of(&self, function: &str, place: usize) -> Vec<String> {
        fn look(node: &Node, function: &str, place: usize, found: &mut Vec<String>) {
            if let Kind::Call(name, arguments) = &node.kind
                && name == function
                && let Some(Kind::Literal(Value::Text(text))) =
                    arguments.get(place).map(|node| &node.kind)
            {
                found.push(text.clone());
            }
            for child in children(node) {
                look(child, function, place, found);
            }
        }
        let mut found = Vec::new();
        look(&self.tree, function, place, &mut found);
        found
    }

    /// The texts that its value may be, where it is one that is written out; there may be other ends.
    pub(crate) fn written(&self) -> Vec<String> {
        fn look(node: &Node, found: &mut Vec<String>) {
            match &node.kind {
                Kind::Literal(Value::Text(text)) => found.push(text.clone()),
                Kind::Choice(_, yes, no) => [yes, no].into_iter().for_each(|end| look(end, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        look(&self.tree, &mut found);
        found
    }

    /// Whether it calls a function that reads state.
    pub(crate) fn reads_state(&self) -> bool {
        self.calls().iter().any(|(name, _)| functions::is_of_state(name))
    }

    /// Whether a function reads state.
    pub(crate) fn reads_state_by(&self, function: &str) -> bool {
        functions::is_of_state(function)
    }

    /// Whether its value is an amount of whole fen, or of whole yuan, by how it is written: rounded by name, or made of what is.
    /// `named` says so of a name.
    pub(crate) fn is_whole(&self, yuan: bool, named: &dyn Fn(&str) -> bool) -> bool {
        fn look(node: &Node, yuan: bool, named: &dyn Fn(&str) -> bool) -> bool {
            let all = |of: &[Node]| of.iter().all(|node| look(node, yuan, named));
            match &node.kind {
                Kind::Name(name) => named(name),
                Kind::Negative(of) => look(of, yuan, named),
                Kind::Binary(Operator::Plus | Operator::Minus, a, b) => {
                    look(a, yuan, named) && look(b, yuan, named)
                }
                Kind::Choice(_, a, b) => look(a, yuan, named) && look(b, yuan, named),
                Kind::Call(name, of) => match (name.as_str(), of.as_slice()) {
                    // The way of rounding is written, too: a text of law has its own.
                    ("round", [_, place, _]) => match &place.kind {
                        Kind::Literal(Value::Text(unit)) => unit == "yuan" || !yuan,
                        _ => false,
                    },
                    ("yuan", [of]) => matches!(of.kind, Kind::Literal(Value::Int(_))),
                    ("min" | "max" | "clamp", of) => all(of),
                    _ => false,
                },
                _ => false,
            }
        }
        look(&self.tree, yuan, named)
    }

    /// Whether it speaks of a field of this name anywhere, by whatever way.
    pub(crate) fn mentions(&self, field: &str) -> bool {
        fn look(node: &Node, field: &str) -> bool {
            let own = match &node.kind {
                Kind::Field(_, name) => name == field,
                Kind::Index(_, by) => match &by.kind {
                    Kind::Literal(Value::Text(text)) => text == field,
                    // Which field it is comes out only then.
                    Kind::Literal(_) => false,
                    _ => true,
                },
                Kind::Map(of) => of.iter().any(|(name, _)| name == field),
                _ => false,
            };
            own || children(node).into_iter().any(|child| look(child, field))
        }
        look(&self.tree, field)
    }

    /// The functions whose value is used otherwise than by one of its fields, each with its first argument where that is a text.
    pub(crate) fn whole_calls(&self) -> Vec<(String, Option<String>)> {
        fn look(node: &Node, whole: bool, found: &mut Vec<(String, Option<String>)>) {
            if let (Kind::Call(name, arguments), true) = (&node.kind, whole) {
                let first = match arguments.first().map(|node| &node.kind) {
                    Some(Kind::Literal(Value::Text(text))) => Some(text.clone()),
                    _ => None,
                };
                found.push((name.clone(), first));
            }
            // Whether something is there is said by it as a whole, and says nothing of what is in it.
            let whole = !matches!(&node.kind, Kind::Field(..))
                && !matches!(&node.kind, Kind::Call(name, _) if name == "has");
            children(node).into_iter().for_each(|child| look(child, whole, found));
        }
        let mut found = Vec::new();
        look(&self.tree, true, &mut found);
        found
    }

    /// The tree of it.
    pub(crate) fn tree(&self) -> &Node {
        &self.tree
    }
}
