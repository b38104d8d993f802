//! Where our formulas and CEL speak of the same things, they come to the same: whole numbers, truth values, texts and lists.

use std::cell::Cell;

use proptest::prelude::*;

use super::*;
use crate::{
    calendar::{Calendar, Rule},
    civil::Zone,
};

struct Empty(Cell<u64>, Calendar);

impl Environment for Empty {
    fn root(&self, name: &str) -> Value {
        match name {
            "n" => Value::Int(7),
            "t" => Value::text("text"),
            "xs" => Value::List([3, 1, 2].map(Value::Int).into()),
            _ => Value::None,
        }
    }
    fn call(&self, _: &str, _: &[Value]) -> Value {
        Value::None
    }
    fn calendar(&self) -> &Calendar {
        &self.1
    }
    fn rule(&self) -> Rule {
        Rule::Civil
    }
    fn zone(&self) -> Zone {
        Zone::UTC
    }
    fn step(&self) -> bool {
        self.0.set(self.0.get() + 1);
        true
    }
}

/// Expressions of kind `int`, `bool`, `string` and `list(int)`, so that both understand them.
fn int() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        (0i64..100).prop_map(|n| n.to_string()),
        Just("n".to_owned()),
        Just("xs[1]".to_owned())
    ];
    leaf.prop_recursive(3, 20, 2, |inner| {
        let operator = prop::sample::select(vec!["+", "-", "*", "/", "%"]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, o, b)| format!("({a} {o} {b})")),
            inner.clone().prop_map(|a| format!("-({a})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a} < {b} ? {a} : {b})")),
        ]
    })
    .boxed()
}

fn text() -> BoxedStrategy<String> {
    let leaf = prop_oneof!["[a-z]{0,5}".prop_map(|text| format!("'{text}'")), Just("t".to_owned())];
    leaf.prop_recursive(2, 6, 2, |inner| {
        (inner.clone(), inner).prop_map(|(a, b)| format!("({a} + {b})"))
    })
    .boxed()
}

fn list() -> BoxedStrategy<String> {
    prop_oneof![
        Just("xs".to_owned()),
        prop::collection::vec(int(), 0..4).prop_map(|all| format!("[{}]", all.join(", "))),
        int().prop_map(|a| format!("xs.map(x, x + {a})")),
        int().prop_map(|a| format!("xs.filter(x, x > {a})")),
    ]
    .boxed()
}

fn truth() -> BoxedStrategy<String> {
    let compare = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        (int(), compare.clone(), int()).prop_map(|(a, o, b)| format!("{a} {o} {b}")),
        (text(), compare, text()).prop_map(|(a, o, b)| format!("{a} {o} {b}")),
        (int(), list()).prop_map(|(a, l)| format!("{a} in {l}")),
        (int(), list()).prop_map(|(a, l)| format!("{l}.all(x, x > {a})")),
        (int(), list()).prop_map(|(a, l)| format!("{l}.exists(x, x == {a})")),
        (list(), list()).prop_map(|(a, b)| format!("{a} == {b}")),
        list().prop_map(|l| format!("{l}.size() > 2")),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        let operator = prop::sample::select(vec!["&&", "||"]);
        prop_oneof![
            (inner.clone(), operator, inner.clone())
                .prop_map(|(a, o, b)| format!("({a}) {o} ({b})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
    .boxed()
}

fn ours(text: &str) -> Value {
    let formula = Formula::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    formula.value(&Empty(Cell::new(0), Calendar::default()))
}

fn theirs(text: &str) -> Option<Value> {
    let program = cel::Program::compile(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    let mut context = cel::Context::default();
    context.add_variable_from_value("n", 7i64);
    context.add_variable_from_value("t", "text".to_owned());
    context.add_variable_from_value("xs", vec![3i64, 1, 2]);
    program.execute(&context).ok().and_then(|value| converted(&value))
}

fn converted(value: &cel::Value) -> Option<Value> {
    Some(match value {
        cel::Value::Int(n) => Value::Int((*n).into()),
        cel::Value::Bool(yes) => Value::Bool(*yes),
        cel::Value::String(text) => Value::text(text.to_string()),
        cel::Value::List(list) => Value::List(list.iter().map(converted).collect::<Option<_>>()?),
        _ => return None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn where_both_speak_they_say_the_same(text in prop_oneof![truth(), int(), list(), text()]) {
        let (ours, theirs) = (ours(&text), theirs(&text));
        match (&ours, &theirs) {
            // What has no value in the one has none in the other; ours may count further than 64 bits.
            (Value::Unknown(_), None) => {}
            (_, None) => prop_assert!(text.contains('*') || text.contains('/') || text.contains('%'), "{text}: {ours:?}"),
            (ours, Some(theirs)) => prop_assert!(ours.same(theirs), "{text}: {ours:?} and {theirs:?}"),
        }
    }
}
