//! What a checker asks of a formula: what stands in it, and how deep.

use super::{Formula, Kind, Node, children, functions};
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

    /// The tree of it.
    pub(crate) fn tree(&self) -> &Node {
        &self.tree
    }
}
