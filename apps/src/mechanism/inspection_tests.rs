//! Premises looked at by two without the ledger: what both have noted is merged, what differs is kept and decided, and what was found
//! is ordered to be mended.

use super::seat_tests::{INT, TEXT, changed, faults, form, tell};
use crate::manifest::MechanismFault as Fault;

const INSPECTION: &str = "inspection = \"site\"
law = \"54\"
plan = \"plan\"
visit = \"visit\"
object = \"premises\"
inspector = \"inspector\"
draw = { where = \"object.risk >= 2\", objects = 2, inspectors = 2 }
offline = { days = 7 }
[checklist.exits]
type = \"bool\"
law = \"28\"
[checklist.hoses]
type = \"int\"
law = \"16\"
[finding.blocked]
when = \"!checks.exits\"
order = \"order\"
due = \"mend\"
law = \"60\"
[finding.few]
when = \"checks.hoses < 2\"
order = \"order\"
due = \"mend\"
law = \"60\"
";

fn files() -> Vec<(&'static str, String)> {
    vec![
        (
            "module.toml",
            "module = \"fire\"\nversion = \"1\"\nlaw = \"消防法\"\nnames = { \"zh-CN\" = \"消防\", en = \"Fire\" }\n[role.chief]\n[role.guard]\n".into(),
        ),
        (
            "cases/plan.toml",
            "case = \"plan\"\n[state]\nopen = {}\nout = { end = true }\n[act.begin]\nform = \"none\"\nto = \"open\"\nby = [\"chief\"]\n\
             [act.draw]\nform = \"none\"\nfrom = \"open\"\nby = [\"chief\"]\nthen.draw = { inspection = \"site\", do = \"draw\" }\n\
             [act.send]\nform = \"none\"\nfrom = \"open\"\nto = \"out\"\nby = [\"chief\"]\n\
             then.visit = { open = \"visit\", each = \"assigned('site', it.id)\", with = { object = \"x.object\", who = \"x.inspectors\" } }\n"
                .into(),
        ),
        (
            "cases/visit.toml",
            "case = \"visit\"\nparent = \"plan\"\n[state]\non = {}\nover = {}\nfiled = { end = true }\n\
             [act.go]\ninner = true\nfrom = \"\"\nform = \"go\"\nto = \"on\"\nset = { object = \"doc.object\", who = \"doc.who\" }\n\
             [act.note]\nfrom = [\"on\", \"over\"]\nby = [\"guard\"]\n\
             then.note = { inspection = \"site\", do = \"note\", device = \"doc.device\", seen = \"doc.seen\", entries = \"doc.entries\" }\n\
             [act.decide]\nfrom = \"on\"\nby = [\"chief\"]\nthen.settle = { inspection = \"site\", do = \"settle\", item = \"doc.item\", value = \"doc.value\" }\n\
             [act.file]\nform = \"none\"\nfrom = \"over\"\nto = \"filed\"\nby = [\"chief\"]\n\
             [act.close]\nform = \"none\"\nfrom = \"on\"\nto = \"over\"\nby = [\"chief\"]\nthen.close = { inspection = \"site\", do = \"close\" }\n"
                .into(),
        ),
        (
            "cases/order.toml",
            "case = \"order\"\nparent = \"visit\"\n[state]\nopen = {}\nmended = { end = true }\n\
             [act.order]\ninner = true\nfrom = \"\"\nform = \"order\"\nto = \"open\"\nset = { finding = \"doc.finding\", law = \"doc.law\" }\n\
             [act.mend]\nform = \"none\"\nfrom = \"open\"\nto = \"mended\"\nby = [\"guard\"]\n\
             [due]\nmend = { start = \"when.order\", in = \"30 d\", owes = \"guard\", until = [\"mend\"], then = \"breach\", law = \"60\" }\n"
                .into(),
        ),
        (
            "cases/list.toml",
            "case = \"list\"\n[state]\non = { end = true }\n[act.add]\nform = \"premises\"\nto = \"on\"\nby = [\"chief\"]\nthen.add = { record = \"premises\", with = \"doc\" }\n\
             [act.hire]\nform = \"inspector\"\nto = \"on\"\nby = [\"chief\"]\nthen.add = { record = \"inspector\", with = \"doc\" }\n"
                .into(),
        ),
        ("registries/premises.toml", "registry = \"premises\"\nkey = [\"it.no\"]\n".into()),
        ("registries/inspector.toml", "registry = \"inspector\"\nkey = [\"it.no\"]\n".into()),
        ("inspections/site.toml", INSPECTION.into()),
        ("forms/premises.json", form(&[("no!", TEXT), ("risk!", INT)])),
        ("forms/inspector.json", form(&[("no!", TEXT)])),
        ("forms/none.json", form(&[])),
        ("forms/go.json", form(&[("object!", TEXT), ("who!", "\"type\": \"array\", \"maxItems\": 9, \"items\": { \"type\": \"string\", \"maxLength\": 40 }")])),
        (
            "forms/note.json",
            form(&[
                ("device!", TEXT), ("seen!", INT),
                ("entries!", "\"type\": \"array\", \"maxItems\": 20, \"items\": { \"type\": \"object\", \"additionalProperties\": false, \"required\": [\"item\", \"at\"], \"properties\": { \
                  \"item\": { \"type\": \"string\", \"maxLength\": 20 }, \"yes\": { \"type\": \"boolean\" }, \"number\": { \"type\": \"integer\" }, \"at\": { \"type\": \"string\", \"maxLength\": 30 } } }"),
            ]),
        ),
        ("forms/decide.json", form(&[("item!", TEXT), ("value!", "\"type\": \"boolean\"")])),
        ("forms/order.json", form(&[("finding!", TEXT), ("law!", TEXT)])),
    ]
}

fn at(day: u8, by: &str, act: &str, more: &str) -> String {
    format!(
        "[[step]]\nat = \"2026-03-{day:02}T09:00:00+08:00\"\nby = \"{by}\"\nact = \"{act}\"\n{more}\n"
    )
}

fn note(day: u8, device: &str, seen: u8, entries: &[(&str, &str, u8)], more: &str) -> String {
    let entries = entries.iter().map(|(item, value, day)| {
        format!("{{ item = \"{item}\", {value}, at = \"2026-03-{day:02}T08:00:00+08:00\" }}")
    });
    let entries = entries.collect::<Vec<_>>().join(", ");
    let form = format!("device = \"{device}\", seen = {seen}, entries = [{entries}]");
    at(day, "guard", "note", &format!("on = \"p/visit/0\"\nform = {{ {form} }}\n{more}"))
}

fn story(then: &str) -> String {
    let premises =
        |no: u8| at(2, "chief", "list/add", &format!("form = {{ no = \"{no}\", risk = {no} }}"));
    let mut all = "scenario = \"B3-9\"\ntitle = \"t\"\nhome = \"a.gov.cn\"\nstart = \"2026-03-02T08:00:00+08:00\"\n[officer]\n\
        chief = { roles = [\"chief\"] }\nguard = { roles = [\"guard\"] }\n"
        .to_owned();
    all += &(premises(1) + &premises(2) + &at(2, "chief", "plan/begin", "as = \"p\"\nform = {}"));
    let draw = |more: &str| at(2, "chief", "draw", &format!("on = \"p\"\nform = {{}}\n{more}"));
    // One object is of risk enough, and there is nobody to go.
    all += &draw(
        "refused = { rule = \"fire/plan/draw/draw\", law = \"消防法 54\", says = \"premises\" }",
    );
    all += &premises(3);
    for no in 1..4 {
        all += &at(2, "chief", "list/hire", &format!("form = {{ no = \"{no}\" }}"));
    }
    all += &draw("");
    all += &draw("refused = { rule = \"fire/plan/draw/draw\" }");
    all += &at(2, "chief", "send", "on = \"p\"\nform = {}\nexpect = { kids = { visit = 2 } }");
    all + then
}

fn shows(of: &[(&str, &str)]) -> String {
    let each = of.iter().map(|(path, value)| format!("\"inspection/site/{path}\" = \"{value}\"\n"));
    format!("[step.expect.shows]\n{}", each.collect::<String>())
}

#[test]
fn two_laptops_are_merged_and_what_differs_is_kept_until_somebody_decides() {
    let a = |day, seen, more: &str| {
        note(
            day,
            "a",
            seen,
            &[("exits", "yes = true", 3), ("hoses", "number = 1", 3), ("exits", "yes = false", 4)],
            more,
        )
    };
    let b = |day, seen, more: &str| {
        note(day, "b", seen, &[("hoses", "number = 1", 3), ("exits", "yes = true", 4)], more)
    };
    // Whichever comes first: a has thought better of the exits, b says otherwise; both say the same of the hoses.
    let both = shows(&[
        ("exits", "false (a) | true (b)"),
        ("exits/all", "3"),
        ("hoses", "1"),
        ("hoses/all", "2"),
    ]);
    for lists in [a(5, 0, "") + &b(6, 0, &both), b(5, 0, "") + &a(6, 0, &both)] {
        let on = "on = \"p/visit/0\"\n";
        let close = |more: &str| at(7, "chief", "close", &format!("{on}form = {{}}\n{more}"));
        let then = lists
            + &close("refused = { rule = \"fire/visit/close/close\", says = \"exits\" }")
            + &at(7, "chief", "decide", &format!("{on}form = {{ item = \"exits\", value = false }}\n{}", shows(&[("exits", "false"), ("exits/all", "4")])))
            // Two findings, each with its order and the day by which it is mended.
            + &close("expect = { state = \"over\", kids = { order = 2 } }")
            + &at(8, "guard", "note", &format!("{on}form = {{ device = \"c\", seen = 0, entries = [{{ item = \"exits\", yes = true, at = \"2026-03-07T08:00:00+08:00\" }}] }}\nrefused = {{ rule = \"fire/visit/note/note\" }}"));
        let told = tell(&files(), &story(&then));
        assert!(told.is_ok(), "{told:?}");
    }
}

#[test]
fn whoever_was_at_the_ledger_in_between_knows_what_was_there() {
    let then = note(3, "a", 0, &[("exits", "yes = true", 3)], "")
        + &note(
            4,
            "b",
            1,
            &[("exits", "yes = false", 4)],
            &shows(&[("exits", "false"), ("exits/all", "2")]),
        );
    let told = tell(&files(), &story(&then));
    assert!(told.is_ok(), "{told:?}");
}

/// A laptop that claims to have seen what has not come, notes of last month or tomorrow, of what is in no list, or of another kind.
#[test]
fn no_list_overrules_what_it_cannot_have_seen() {
    let refused = "refused = { rule = \"fire/visit/note/note\" }";
    let then = note(3, "a", 0, &[("exits", "yes = false", 3)], "")
        + &note(4, "b", 9, &[("exits", "yes = true", 4)], refused)
        + &note(12, "b", 0, &[("exits", "yes = true", 4)], refused)
        + &note(12, "b", 0, &[("exits", "yes = true", 13)], refused)
        + &note(12, "b", 0, &[("exit", "yes = true", 12)], refused)
        + &note(12, "b", 0, &[("exits", "number = 1", 12)], refused)
        // One bad entry keeps the whole list out, and it is the same as before.
        + &note(12, "b", 0, &[("hoses", "number = 4", 12), ("exits", "yes = true", 1)], refused)
        + &at(12, "chief", "decide", &format!("on = \"p/visit/0\"\nform = {{ item = \"exits\", value = true }}\n{}", shows(&[("exits", "true"), ("hoses", "nothing")])));
    let told = tell(&files(), &story(&then));
    assert!(told.is_ok(), "{told:?}");
}

#[test]
fn each_finding_has_an_order_with_a_deadline() {
    let path = "inspections/site.toml";
    let due = changed(&files(), "cases/order.toml", "owes = \"guard\", ", "");
    let fault =
        |finding: &str, due: &str| Fault::FindingDue { finding: finding.into(), due: due.into() };
    let found: Vec<_> = faults(&due).into_iter().map(|(.., fault)| fault).collect();
    assert_eq!(found, [fault("blocked", "mend"), fault("few", "mend")]);
    let other = changed(&files(), path, "due = \"mend\"", "due = \"mends\"");
    assert_eq!(faults(&other), [(path.into(), 15, fault("blocked", "mends"))]);
    let never = changed(
        &files(),
        "cases/visit.toml",
        "then.settle = { inspection = \"site\", do = \"settle\", item = \"doc.item\", value = \"doc.value\" }\n",
        "",
    );
    let name = "site: settle".to_owned();
    assert_eq!(faults(&never), [(path.into(), 1, Fault::NeverRun { name })]);
}
