use chancery_crypto::Language;

use super::record;
use crate::{
    civil::Instant,
    folder::Folder,
    manifest::{Module, What},
    scenario::Scenario,
    thing::Thing,
};

const MODULE: &str = r#"
module  = "wait"
version = "1"
names   = { "zh-CN" = "期限", en = "Terms" }
law     = "法"
count   = "working"
[role.clerk]
"#;

const CASE: &str = r#"
case = "matter"

[state]
open = {}
done = { end = true }

[act]
file   = { form = "note", from = [""], to = "open", by = ["clerk"] }
hold   = { form = "note", from = ["open"], by = ["clerk"] }
resume = { form = "note", from = ["open"], by = ["clerk"] }
halt   = { form = "note", from = ["open"], by = ["clerk"] }
go_on  = { form = "note", from = ["open"], by = ["clerk"] }
reply  = { form = "note", from = ["open"], by = ["clerk"] }
more   = { form = "much", from = ["open"], by = ["clerk"] }
longer = { form = "much", from = ["open"], by = ["clerk"] }
begin  = { form = "much", from = ["open"], by = ["clerk"] }
close  = { form = "note", from = ["open"], to = "done", by = ["clerk"] }

[due.days]
start  = "when.file"
in     = "5 d"
pause  = [{ from = "hold", to = "resume", law = "2" }, { from = "halt", to = "go_on", law = "2" }]
extend = { act = "more", by = "doc.by", most = "3" }
until  = ["reply"]
then   = "breach"
law    = "1"

[due.hours]
start  = "when.file"
in     = "24 h"
pause  = [{ from = "hold", to = "resume", law = "2" }]
extend = { act = "more", by = "doc.by", most = "3" }
then   = "breach"
law    = "1"

[due.month]
start  = "when.file"
in     = "1 m"
pause  = [{ from = "hold", to = "resume", law = "2" }]
extend = { act = "longer", by = "doc.by", most = "1000000000" }
law    = "3"

[due.far]
start  = "when.begin"
in     = "period(filed.begin.by, 'y')"
law    = "4"
"#;

fn form(fields: &str) -> String {
    format!(
        r#"{{ "type": "object", "additionalProperties": false, "properties": {{ {fields} }} }}"#
    )
}

/// The module with these texts, and with all that are missing.
fn folder() -> Folder {
    let (much, note) = (form(r#""by": { "type": "integer" }"#), form(""));
    let mut texts = String::new();
    loop {
        let folder = Folder::of([
            ("module.toml".to_owned(), MODULE.to_owned()),
            ("cases/matter.toml".to_owned(), CASE.to_owned()),
            ("forms/much.json".to_owned(), much.clone()),
            ("forms/note.json".to_owned(), note.clone()),
            ("texts/zh-CN.ftl".to_owned(), texts.clone()),
            ("texts/en.ftl".to_owned(), texts.clone()),
        ]);
        let folder = folder.expect("a folder");
        let Err(mistakes) = Module::read(&folder) else { return folder };
        let missing = mistakes.iter().filter_map(|mistake| match &mistake.what {
            What::NoText { name, language } if *language == "en" => {
                Some(format!("{name} = {name}\n"))
            }
            What::NoText { .. } => Some(String::new()),
            _ => None,
        });
        let missing: Vec<_> = missing.collect();
        let said = mistakes.iter().map(|mistake| mistake.say(Language::En)).collect::<Vec<_>>();
        assert_eq!(missing.len(), mistakes.len(), "{said:#?}");
        texts.extend(missing);
    }
}

/// A story of one matter: when, which act, with how much, and what is to be: deadlines, or a refusal.
fn story(steps: &[(&str, &str, i64, &str)]) {
    let mut text = String::from(
        "scenario = \"1\"\ntitle = \"-\"\nhome = \"a.gov.cn\"\nstart = \"2026-03-02T08:00:00+08:00\"\nofficer.li = { roles = [\"clerk\"] }\n",
    );
    for (at, act, by, expect) in steps {
        let (on, act) = match *act {
            "file" => ("as", "matter/file"),
            act => ("on", act),
        };
        text += &format!("[[step]]\nat = \"2026-{at}+08:00\"\n{on} = \"m\"\n");
        if !act.is_empty() {
            text += &format!("by = \"li\"\nact = \"{act}\"\n");
        }
        if matches!(act, "more" | "longer" | "begin") {
            text += &format!("form = {{ by = {by} }}\n");
        }
        text += &format!("{expect}\n");
    }
    let folder = folder();
    let module = Module::read(&folder).expect("it has no mistake");
    let told = Scenario::read(&text).expect("a story").run(&module, &folder.encode());
    assert!(told.is_ok(), "{told:?}\n{text}");
}

#[test]
fn what_stood_still_is_given_back_once_whoever_held_it_how_often() {
    story(&[
        (
            "03-02T09:00:00",
            "file",
            0,
            r#"expect.due = { days = "2026-03-09", hours = "2026-03-03T09:00:00+08:00", month = "2026-04-02" }"#,
        ),
        ("03-02T12:00:00", "hold", 0, ""),
        // It stands still already.
        ("03-03T12:00:00", "hold", 0, "expect.flags = []"),
        ("03-03T15:00:00", "halt", 0, ""),
        ("03-04T12:00:00", "resume", 0, r#"expect.due = { hours = "2026-03-05T09:00:00+08:00" }"#),
        // Three days stood still of the working days, two of the month.
        (
            "03-05T10:00:00",
            "go_on",
            0,
            r#"expect = { due = { days = "2026-03-12", month = "2026-04-06" }, flags = ["breach/hours"] }"#,
        ),
        // It stands still no more.
        (
            "03-05T11:00:00",
            "resume",
            0,
            r#"expect.due = { days = "2026-03-12", month = "2026-04-06" }"#,
        ),
        // On its last day, in time.
        ("03-12T16:00:00", "hold", 0, ""),
        ("03-15T12:00:00", "", 0, r#"expect.flags = ["breach/hours"]"#),
        (
            "03-16T10:00:00",
            "resume",
            0,
            r#"expect = { due = { days = "2026-03-16", month = "2026-04-08" }, flags = ["breach/hours"] }"#,
        ),
        ("03-16T23:59:59", "", 0, r#"expect.flags = ["breach/hours"]"#),
        ("03-17T00:00:00", "", 0, r#"expect.flags = ["breach/hours", "breach/days"]"#),
        // What is over is not held, and does not pass again.
        ("03-17T10:00:00", "hold", 0, ""),
        ("03-19T10:00:00", "resume", 0, r#"expect.due = { days = "2026-03-16" }"#),
        ("03-30T10:00:00", "", 0, r#"expect.flags = ["breach/hours", "breach/days"]"#),
    ]);
}

#[test]
fn what_was_met_stays_met_after_a_pause() {
    story(&[
        ("03-02T09:00:00", "file", 0, ""),
        ("03-02T10:00:00", "hold", 0, ""),
        ("03-02T11:00:00", "reply", 0, ""),
        ("03-02T12:00:00", "resume", 0, r#"expect.due = { hours = "2026-03-03T11:00:00+08:00" }"#),
        ("03-30T10:00:00", "", 0, r#"expect.flags = ["breach/hours"]"#),
    ]);
}

#[test]
fn a_deadline_is_extended_in_its_own_unit_in_time_and_within_its_limit() {
    let refused = |by: &str, says: &str| {
        format!(r#"refused = {{ rule = "wait/matter/{by}", says = "{says}" }}"#)
    };
    story(&[
        ("03-02T09:00:00", "file", 0, ""),
        ("03-02T10:00:00", "more", 0, &refused("more/extend", "最多还可延长 3 wd")),
        ("03-02T10:00:00", "more", -1, &refused("more/extend", "最多还可延长 3 wd")),
        (
            "03-02T10:00:00",
            "more",
            2,
            r#"expect.due = { days = "2026-03-11", hours = "2026-03-03T11:00:00+08:00" }"#,
        ),
        ("03-02T11:00:00", "more", 2, &refused("more/extend", "最多还可延长 1 wd，每次至少为 1")),
        ("03-02T11:00:00", "more", i64::MAX, &refused("more/extend", "最多还可延长 1 wd")),
        (
            "03-02T12:00:00",
            "more",
            1,
            r#"expect.due = { days = "2026-03-12", hours = "2026-03-03T12:00:00+08:00" }"#,
        ),
        ("03-02T13:00:00", "longer", 1, r#"expect.due = { month = "2026-05-04" }"#),
        // Held on its last day, it may still be extended.
        ("03-02T14:00:00", "longer", 200_000, &refused("longer/due-month", "due.month")),
        ("03-02T14:00:00", "longer", 99_990, &refused("longer/due-month", "due.month")),
        ("05-04T10:00:00", "hold", 0, ""),
        ("05-06T10:00:00", "longer", 1, ""),
        ("05-06T11:00:00", "resume", 0, r#"expect.due = { month = "2026-06-04" }"#),
        ("06-05T00:00:00", "longer", 1, &refused("longer/extend", "已于 2026-06-04 届满")),
    ]);
}

#[test]
fn an_act_that_begins_a_deadline_without_an_end_is_refused() {
    let unknown =
        r#"refused = { rule = "wait/matter/begin/due-far", law = "法 4", says = "due.far" }"#;
    story(&[
        ("03-02T09:00:00", "file", 0, ""),
        ("03-02T10:00:00", "begin", 9_000, unknown),
        ("03-02T10:00:00", "begin", 900_000, unknown),
        ("03-02T10:00:00", "begin", 1, r#"expect.due = { far = "2027-03-02" }"#),
        ("03-02T11:00:00", "hold", 0, ""),
    ]);
}

#[test]
fn pauses_are_noted_each_for_itself() {
    let module = Module::read(&folder()).expect("it has no mistake");
    let case = module.cases.get("matter").expect("the case");
    let mut thing = Thing::default();
    for (act, at) in [
        ("resume", 5),
        ("hold", 10),
        ("hold", 20),
        ("halt", 30),
        ("resume", 40),
        ("resume", 50),
        ("hold", 60),
        // Lodged before the hold was: it ends nothing.
        ("resume", 55),
    ] {
        record(case, &mut thing, act, Instant(at));
    }
    let stood = thing.stood.get("days").expect("it stood still");
    let spans: Vec<_> = stood.iter().map(|span| (span.pause, span.from, span.to)).collect();
    assert_eq!(spans, [(0, 10, Some(40)), (1, 30, None), (0, 60, None)]);
    assert_eq!(Thing::decode(&thing.encode()).expect("it is read"), thing);
    assert!(!thing.stood.contains_key("far"));
}
