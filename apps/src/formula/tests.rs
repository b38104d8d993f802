use std::{cell::Cell, collections::BTreeMap};

use proptest::prelude::*;

use super::*;
use crate::{
    calendar::{Calendar, Rule},
    civil::Zone,
    value::Why,
};

/// Names with values, and nothing else.
struct Names {
    values: BTreeMap<&'static str, Value>,
    calendar: Calendar,
    steps: Cell<u64>,
}

impl Environment for Names {
    fn root(&self, name: &str) -> Value {
        self.values.get(name).cloned().unwrap_or(Value::None)
    }
    fn call(&self, name: &str, _: &[Value]) -> Value {
        Value::Unknown(Why::NoRow(name.to_owned()))
    }
    fn calendar(&self) -> &Calendar {
        &self.calendar
    }
    fn rule(&self) -> Rule {
        Rule::Civil
    }
    fn zone(&self) -> Zone {
        Zone::CHINA
    }
    fn step(&self) -> bool {
        self.steps.set(self.steps.get() + 1);
        self.steps.get() <= MOST_STEPS
    }
}

fn names() -> Names {
    let line = |amount: i64, kind: &str| {
        let fields =
            [("amount".into(), Value::Money(amount.into())), ("kind".into(), Value::text(kind))];
        Value::Map(fields.into())
    };
    let doc = [
        ("days".into(), Value::Int(4)),
        ("lines".into(), Value::List(vec![line(100, "a"), line(250, "b"), line(33, "a")])),
        ("on".into(), Value::Date("2026-03-02".parse().expect("a date"))),
        ("to".into(), Value::texts(["b.gov.cn", "c.gov.cn"])),
    ];
    let values = [
        ("doc", Value::Map(doc.into())),
        ("gone", Value::Unknown(Why::Purged("2041".into()))),
        ("at", Value::Instant("2026-03-02T23:30:00+08:00".parse().expect("an instant"))),
    ];
    Names { values: values.into(), calendar: Calendar::default(), steps: Cell::new(0) }
}

fn value(text: &str) -> Value {
    Formula::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}")).value(&names())
}

fn shown(text: &str) -> String {
    value(text).to_string()
}

#[test]
fn values_are_those_of_the_law_and_not_of_floats() {
    for (text, wanted) in [
        ("36001 * 0.1 - 2520", "1080.1"),
        ("round(yuan(36001) * 0.1 - yuan(2520), 'fen', 'half_up')", "1080.10"),
        ("0.1 + 0.2 == 0.3", "true"),
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("7 % 2 + 1", "2"),
        ("7.0 / 2", "3.5"),
        ("1 + 2 * 3 - 4", "3"),
        ("(1 + 2) * 3", "9"),
        ("round(2.5, 0, 'half_even')", "2"),
        ("round(2.345, 2)", "2.35"),
        ("round(yuan(1) / 3, 'fen', 'up')", "0.34"),
        ("1 == 1.0", "true"),
        ("'a' < 'b' && !(2 > 3)", "true"),
        ("doc.lines.sum(l, l.amount)", "3.83"),
        ("doc.lines.filter(l, l.kind == 'a').size()", "2"),
        ("doc.lines.map(l, l.amount).max(a, a)", "2.50"),
        ("doc.lines.sort_desc(l, l.amount)[0].kind", "b"),
        ("doc.lines.all(l, l.amount > yuan(0))", "true"),
        ("doc.lines.exists(l, l.kind == 'c')", "false"),
        ("doc.lines.count(l, l.kind == 'a')", "2"),
        ("[1, 2].avg(n, n)", "1.5"),
        ("[[1], [2, 3]].flat(l, l)", "[1, 2, 3]"),
        ("'c.gov.cn' in doc.to", "true"),
        ("date(at)", "2026-03-02"),
        ("plus(doc.on, '30 d')", "2026-04-01"),
        ("plus(day(2026, 3, 6), '1 wd')", "2026-03-09"),
        ("plus(day(2026, 3, 7), '-2 wd')", "2026-03-05"),
        ("plus(end(day(2026, 3, 6)), '1 wd')", "2026-03-09T00:00:00+08:00"),
        ("take([1, 2], 99999999999999999999999)", "[1, 2]"),
        ("take([1, 2], 1)", "[1]"),
        ("take([1, 2], 0)", "[]"),
        ("due_day(doc.on, '5 d')", "2026-03-09"),
        ("plus(date('2026-01-31'), '1 m')", "2026-02-28"),
        ("days_in(doc.on, day(2026, 3, 3))", "2"),
        ("workdays_in(day(2026, 3, 6), day(2026, 3, 9))", "2"),
        ("age(day(2008, 2, 29), day(2026, 2, 28))", "17"),
        ("age(day(2008, 2, 29), day(2026, 3, 1))", "18"),
        ("clamp(12, 0, 10)", "10"),
        ("min(3, 2.5, 4)", "2.5"),
        ("{ a: 1, b: doc.nothing }", "{a: 1}"),
        ("doc.lines[0].with({ kind: 'z' }).kind", "z"),
        ("doc.days > 3 ? 'long' : 'short'", "long"),
        ("has(doc.days) && !has(doc.nothing)", "true"),
        ("doc.nothing == none", "true"),
        ("'x' + \"'y'\"", "x'y'"),
    ] {
        assert_eq!(shown(text), wanted, "{text}");
    }
}

#[test]
fn what_is_not_there_and_what_is_not_known_never_become_zero() {
    for (text, why) in [
        ("doc.nothing + 1", Why::Missing("doc.nothing".into())),
        ("doc.lines.sum(l, l.rebate)", Why::Missing("l.rebate".into())),
        ("1 / 0", Why::NoResult("/".into())),
        ("1.0 / 0", Why::NoResult("/".into())),
        ("170141183460469231731687303715884105727 + 1", Why::NoResult("+".into())),
        ("day(2026, 2, 29)", Why::NoResult("day".into())),
        ("take([1, 2], -1)", Why::NoResult("take".into())),
        ("end(day(9999, 12, 31))", Why::NoResult("end".into())),
        ("plus(day(9999, 12, 31), '1 wd')", Why::NoResult("plus".into())),
        ("plus(end(day(9999, 12, 30)), '24 h')", Why::NoResult("plus".into())),
        ("plus(day(9999, 12, 31), '1 h')", Why::NoResult("plus".into())),
        ("9999999999999999999999999999 + 0.1", Why::NoResult("+".into())),
        ("1.00000000000001 * 1.00000000000001", Why::NoResult("*".into())),
        ("yuan(9999999999999999999999999999)", Why::NoResult("yuan".into())),
        ("yuan(0.01) * 0.0000000000000000000000000001 * 0.1", Why::NoResult("*".into())),
        ("[9999999999999999999999999999, 0.1].sum(x, x)", Why::NoResult("+".into())),
        ("100000000000000000000000000000000 + 0.5", Why::NoResult("+".into())),
        ("gone > 3", Why::Purged("2041".into())),
        ("has(gone)", Why::Purged("2041".into())),
        ("true && gone", Why::Purged("2041".into())),
        ("doc.to[9]", Why::Missing("[9]".into())),
        ("find('x', 1)", Why::NoRow("find".into())),
        ("[].avg(x, x)", Why::NoRow("avg".into())),
    ] {
        assert_eq!(value(text), Value::Unknown(why), "{text}");
    }
    // What decides alone decides, whatever the other is.
    assert_eq!(shown("false && gone"), "false");
    assert_eq!(shown("gone || true"), "true");
    assert_eq!(shown("[1, 2].exists(x, x == 2 || gone)"), "true");
}

#[test]
fn a_text_that_is_no_formula_is_told_with_the_place() {
    for (text, at) in [
        ("", 0),
        ("1 +", 3),
        ("a b", 2),
        ("a == b == c", 7),
        ("f(1)", 0),
        ("size(1, 2)", 0),
        ("'open", 0),
        ("1x", 0),
        ("a . 1", 4),
        ("x # y", 2),
        ("[1, 2", 6),
        ("{ a: 1, a: 2 }", 8),
        ("doc.lines.sum(1, 2)", 10),
    ] {
        let error = Formula::parse(text).expect_err(text);
        assert!(error.at == at || at == 6 && error.at == 5, "{text}: {error:?}");
    }
    let hint = Formula::parse("fetch(a, b)").expect_err("no such function");
    assert!(matches!(hint.fault, Fault::Function { nearest: None, .. }), "{hint:?}");
    let hint = Formula::parse("work_days_in(a, b)").expect_err("no such function");
    assert!(matches!(hint.fault, Fault::Function { nearest: Some("workdays_in"), .. }), "{hint:?}");
    let deep = format!("{}1{}", "(".repeat(40), ")".repeat(40));
    assert_eq!(Formula::parse(&deep).expect_err("too deep").fault, Fault::Depth);
    assert_eq!(Formula::parse(&"!".repeat(99)).expect_err("too deep").fault, Fault::Depth);
    assert_eq!(
        Formula::parse(&format!("1{}", "+1".repeat(500))).expect_err("too deep").fault,
        Fault::Depth
    );
    assert_eq!(Formula::parse(&" ".repeat(2001)).expect_err("too long").fault, Fault::Length);
}

#[test]
fn a_formula_that_costs_too_much_is_unknown_and_ends() {
    let list = format!("[{}]", vec!["1"; 100].join(","));
    let text = format!("{list}.map(a, {list}.map(b, {list}.map(c, a + b + c)))");
    assert_eq!(value(&text), Value::Unknown(Why::Cost));
}

/// Kinds of some names.
struct Kinds;

impl Scope for Kinds {
    fn root(&self, name: &str) -> Option<Type> {
        let line = Type::map([("amount", Type::Money), ("kind", Type::Text)]);
        Some(match name {
            "doc" => Type::map([
                ("days", Type::Int),
                ("lines", Type::list(line)),
                ("on", Type::Date),
                ("to", Type::list(Type::Text)),
            ]),
            "at" => Type::Instant,
            "gone" => Type::Any,
            _ => return None,
        })
    }
    fn roots(&self) -> Vec<String> {
        ["doc", "at", "gone"].map(str::to_owned).into()
    }
    fn call(&self, _: &str, _: Option<&str>) -> Type {
        Type::Any
    }
}

#[test]
fn kinds_that_do_not_go_together_are_found_before_anything_is_worked_out() {
    let kind = |text: &str| Formula::parse(text).expect("a formula").types(&Kinds);
    for (text, wanted) in [
        ("doc.days + 1 > 3", Type::Bool),
        ("doc.lines.sum(l, l.amount) * 0.1", Type::Money),
        ("doc.on < date(at)", Type::Bool),
        ("plus(at, '24 h')", Type::Instant),
        ("doc.lines.map(l, l.kind)", Type::list(Type::Text)),
        ("gone + 1", Type::Any),
        ("doc.days > 3 ? 1 : 2.5", Type::Decimal),
    ] {
        assert_eq!(kind(text), Ok(wanted), "{text}");
    }
    for bad in [
        "doc.on < at",
        "doc.days + 'a'",
        "doc.days && true",
        "doc.dayz",
        "docs.days",
        "doc.lines.sum(l, l.kind)",
        "doc.lines.amount",
        "plus(doc.on, '30 days')",
        "round(doc.days, 0, 'somehow')",
        "doc.days > 3 ? 'a' : 1",
        "[1, 'a']",
        "yuan(1) * yuan(1)",
        "yuan(1) > 1",
        "!doc.days",
        "doc.days in doc.to",
    ] {
        assert!(kind(bad).is_err(), "{bad}");
    }
    let field = kind("doc.dayz").expect_err("no such field").fault;
    assert!(
        matches!(field, KindFault::Field { nearest: Some(ref n), .. } if n == "days"),
        "{field:?}"
    );
}

#[test]
fn a_value_is_explained_by_what_it_rests_on() {
    let formula =
        Formula::parse("doc.days <= 3 || doc.lines.sum(l, l.amount) > yuan(3)").expect("a formula");
    let explained = formula.explain(&names());
    assert_eq!(explained.value, Value::Bool(true));
    let steps: Vec<_> =
        explained.steps.iter().map(|s| format!("{} = {}", s.text, s.value)).collect();
    assert_eq!(steps, ["doc.days <= 3 = false", "doc.lines.sum(l, l.amount) > yuan(3) = true"]);
    let below: Vec<_> =
        explained.steps[1].steps.iter().map(|s| format!("{} = {}", s.text, s.value)).collect();
    assert_eq!(below, ["doc.lines.sum(l, l.amount) = 3.83", "yuan(3) = 3.00"]);
}

#[test]
fn what_a_formula_speaks_of_is_found_and_what_a_macro_binds_is_not() {
    let formula = Formula::parse(
        "doc.lines.all(l, l.kind == filed.apply.kind && find('trip', doc.trip).state == x)",
    );
    let formula = formula.expect("a formula");
    let paths: Vec<_> = formula.paths().iter().map(|path| path.join(".")).collect();
    assert_eq!(paths, ["doc.lines", "filed.apply.kind", "doc.trip", "x"]);
    assert_eq!(formula.calls(), [("find".to_owned(), Some("trip".to_owned()))]);
    let choice = Formula::parse("a ? 'x' : b ? 'y' : 'z'").expect("a formula");
    assert_eq!(choice.leaves().expect("texts"), ["x", "y", "z"]);
    assert_eq!(Formula::parse("a ? 'x' : b").expect("a formula").leaves(), None);
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (0i64..1000).prop_map(|n| n.to_string()),
        "[0-9]{1,3}\\.[0-9]{1,3}",
        Just("doc.days".to_owned()),
        Just("doc.lines".to_owned()),
        Just("doc.nothing".to_owned()),
        Just("gone".to_owned()),
        Just("'a'".to_owned()),
        Just("true".to_owned()),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let operator =
            prop::sample::select(vec!["+", "-", "*", "/", "%", "==", "<", "&&", "||", "in"]);
        prop_oneof![
            (inner.clone(), operator, inner.clone())
                .prop_map(|(a, o, b)| format!("({a}) {o} ({b})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a}) ? ({b}) : ({c})")),
            inner.clone().prop_map(|a| format!("doc.lines.sum(x, {a})")),
            inner.clone().prop_map(|a| format!("[{a}].map(x, x)")),
            inner.prop_map(|a| format!("has({a})")),
        ]
    })
}

proptest! {
    /// What has a kind by inference has a value of that kind, or is unknown for another reason than kinds.
    #[test]
    fn what_has_a_kind_has_no_value_of_another(text in expression()) {
        let Ok(formula) = Formula::parse(&text) else { return Ok(()) };
        let Ok(kind) = formula.types(&Holding) else { return Ok(()) };
        let value = formula.value(&names());
        prop_assert!(!matches!(value, Value::Unknown(Why::Kinds(_))) || text.contains("gone") || text.contains("nothing"), "{text}: {value:?}");
        if kind == Type::Bool && !matches!(value, Value::Unknown(_) | Value::None) {
            prop_assert!(matches!(value, Value::Bool(_)), "{text}: {value:?}");
        }
        let _ = formula.explain(&names());
    }

    #[test]
    fn no_text_makes_it_panic(text in "[a-z0-9.()\\[\\]{}'\",+*/%<>=!&|?: -]{0,80}") {
        if let Ok(formula) = Formula::parse(&text) {
            let _ = (formula.value(&names()), formula.types(&Kinds), formula.paths());
        }
    }
}

/// As [`Kinds`], with what is not there.
struct Holding;

impl Scope for Holding {
    fn root(&self, name: &str) -> Option<Type> {
        match Kinds.root(name)? {
            Type::Map(mut fields) => {
                fields.insert("nothing".into(), Type::Any);
                Some(Type::Map(fields))
            }
            other => Some(other),
        }
    }
    fn roots(&self) -> Vec<String> {
        Kinds.roots()
    }
    fn call(&self, _: &str, _: Option<&str>) -> Type {
        Type::Any
    }
}
