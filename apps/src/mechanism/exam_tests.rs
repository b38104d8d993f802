//! A driver's theory: a paper that nobody sees before its time, marks by two and a third, and a key that was wrong.

use std::collections::BTreeMap;

use super::seat_tests::{INT, TEXT, changed, end, faults, form, tell};
use crate::{
    civil::Instant,
    kernel::Kernel,
    manifest::MechanismFault as Fault,
    mechanism::{PaperSeen, Regraded},
    state::{Family, Key, MemoryState, State},
};

const EXAM: &str = "exam = \"theory\"
law = \"28\"
sitting = \"sitting\"
script = \"script\"
items = \"item\"
opens = \"it.opens\"
time = \"90 min\"
extra_time = \"it.extra == 1 ? period(30, 'min') : period(0, 'min')\"
candidate = \"it.who\"
pass = \"score >= 30\"
[item]
key = \"item.key\"
points = \"item.points\"
[blueprint.signs]
where = \"item.topic == 'signs'\"
n = 1
[blueprint.law]
where = \"item.topic == 'law'\"
n = 1
[marks.essay]
by = [\"marker\"]
most = 40
differ = 5
law = \"29\"
[resit]
most = 1
law = \"30\"
[regrade]
law = \"31\"
";

fn files() -> Vec<(&'static str, String)> {
    vec![
        (
            "module.toml",
            "module = \"drive\"\nversion = \"1\"\nlaw = \"驾驶证规定\"\nnames = { \"zh-CN\" = \"驾考\", en = \"Driving\" }\n\
             [role.office]\n[role.marker]\n[role.pupil]\n"
                .into(),
        ),
        (
            "cases/sitting.toml",
            "case = \"sitting\"\n[state]\nset = {}\ngraded = {}\nover = { end = true }\n\
             [act.plan]\nto = \"set\"\nby = [\"office\"]\nset = { opens = \"doc.opens\" }\n\
             [act.draw]\nform = \"none\"\nfrom = \"set\"\nby = [\"office\"]\nthen.paper = { exam = \"theory\", do = \"paper\" }\n\
             [act.grade]\nform = \"none\"\nfrom = \"set\"\nto = \"graded\"\nby = [\"office\"]\nthen.all = { exam = \"theory\", do = \"grade\" }\n\
             [act.mend]\nform = \"item\"\nfrom = \"graded\"\nby = [\"office\"]\nthen.a = { exam = \"theory\", do = \"regrade\" }\n\
             then.item = { revise = \"item\", with = \"doc\" }\n\
             [act.peek]\nform = \"none\"\nfrom = \"set\"\nby = [\"office\"]\nset = { seen = \"size(paper('theory', it.id))\" }\n\
             [act.end]\nform = \"none\"\nfrom = \"graded\"\nto = \"over\"\nby = [\"office\"]\n"
                .into(),
        ),
        (
            "cases/script.toml",
            "case = \"script\"\nparent = \"sitting\"\n[state]\nin = {}\nout = { end = true }\n\
             [act.enter]\nto = \"in\"\nby = [\"office\"]\nset = { who = \"doc.who\", extra = \"doc.extra\" }\n\
             [act.answer]\nfrom = \"in\"\nby = [\"pupil\"]\nthen.take = { exam = \"theory\", do = \"answer\", answers = \"doc.answers\" }\n\
             [act.mark]\nfrom = \"in\"\nby = [\"marker\"]\nthen.mark = { exam = \"theory\", do = \"mark\", part = \"essay\", points = \"doc.points\" }\n\
             [act.leave]\nform = \"none\"\nfrom = \"in\"\nto = \"out\"\nby = [\"office\"]\n\
             need.passed = { that = \"graded('theory', parent.id, it.id).passed\", law = \"28\" }\n"
                .into(),
        ),
        (
            "cases/bank.toml",
            "case = \"bank\"\n[state]\non = { end = true }\n[act.add]\nform = \"item\"\nto = \"on\"\nby = [\"office\"]\n\
             then.item = { record = \"item\", with = \"doc\" }\n"
                .into(),
        ),
        ("registries/item.toml", "registry = \"item\"\nkey = [\"it.no\"]\n".into()),
        ("exams/theory.toml", EXAM.into()),
        (
            "forms/item.json",
            form(&[("no!", TEXT), ("topic!", TEXT), ("key!", TEXT), ("points!", INT)]),
        ),
        ("forms/plan.json", form(&[("opens!", "\"type\": \"string\", \"x-type\": \"instant\", \"maxLength\": 30")])),
        ("forms/none.json", form(&[])),
        ("forms/enter.json", form(&[("who!", TEXT), ("extra!", INT)])),
        (
            "forms/answer.json",
            form(&[("answers!", "\"type\": \"array\", \"maxItems\": 9, \"items\": { \"type\": \"string\", \"maxLength\": 9 }")]),
        ),
        ("forms/mark.json", form(&[("points!", INT)])),
    ]
}

fn at(time: &str, by: &str, act: &str, more: &str) -> String {
    format!(
        "[[step]]\nat = \"2026-03-02T{time}:00+08:00\"\nby = \"{by}\"\nact = \"{act}\"\n{more}\n"
    )
}

fn refused(rule: &str) -> String {
    format!("refused = {{ rule = \"drive/{rule}\" }}")
}

/// A sitting of three up to where all is marked.
fn story(then: &str) -> String {
    let item = |no: &str, topic: &str| {
        at(
            "08:00",
            "office",
            "bank/add",
            &format!("form = {{ no = \"{no}\", topic = \"{topic}\", key = \"a\", points = 10 }}"),
        )
    };
    let enter = |who: &str, extra: u8| {
        at(
            "08:00",
            "office",
            "script/enter",
            &format!(
                "on = \"s\"\nas = \"{who}\"\nform = {{ who = \"{who}@a.gov.cn\", extra = {extra} }}"
            ),
        )
    };
    let answer = |time: &str, who: &str, a: &str, more: &str| {
        at(time, who, "answer", &format!("on = \"{who}\"\nform = {{ answers = [{a}] }}\n{more}"))
    };
    let mark = |by: &str, of: &str, points: u32, more: &str| {
        at("11:00", by, "mark", &format!("on = \"{of}\"\nform = {{ points = {points} }}\n{more}"))
    };
    let on = |time: &str, act: &str, more: &str| {
        at(time, "office", act, &format!("on = \"s\"\nform = {{}}\n{more}"))
    };
    let mut all = "scenario = \"G6-2\"\ntitle = \"t\"\nhome = \"a.gov.cn\"\nstart = \"2026-03-02T07:00:00+08:00\"\n[officer]\n\
        office = { roles = [\"office\"] }\nx = { roles = [\"marker\"] }\ny = { roles = [\"marker\"] }\nz = { roles = [\"marker\"] }\n\
        li = { roles = [\"pupil\"] }\nwang = { roles = [\"pupil\"] }\nzhao = { roles = [\"pupil\", \"marker\"] }\n"
        .to_owned();
    all += &at(
        "07:30",
        "office",
        "sitting/plan",
        "as = \"s\"\nform = { opens = \"2026-03-02T09:00:00+08:00\" }",
    );
    all += &item("1", "signs");
    // The bank has no item of law yet.
    all += &on("08:00", "draw", &refused("sitting/draw/paper"));
    all += &(item("2", "law") + &item("3", "law") + &item("4", "signs"));
    all += &on("08:00", "draw", "");
    all += &on("08:00", "draw", &refused("sitting/draw/paper"));
    all += &(enter("li", 0) + &enter("wang", 1) + &enter("zhao", 0));
    // Nobody sees it before its time, and nobody answers.
    all += &on(
        "08:59",
        "peek",
        "refused = { rule = \"drive/sitting/peek/set-seen\", says = \"sealed\" }",
    );
    all += &answer("08:59", "li", "\"a\", \"a\"", &refused("script/answer/take"));
    all += &on("09:00", "peek", "expect = { set = { seen = \"2\" } }");
    all += &answer("09:10", "li", "\"b\", \"a\"", "");
    all += &answer("09:11", "zhao", "\"a\", \"a\"", "");
    // What came later holds; what comes too late does not, but for whoever has more time.
    all += &answer("10:29", "li", "\"b\", \"b\"", "");
    all += &answer("10:30", "li", "\"a\", \"a\"", &refused("script/answer/take"));
    all += &answer("10:59", "wang", "\"a\", \"b\"", "");
    all += &mark("zhao", "zhao", 40, &refused("script/mark/mark"));
    all += &mark("x", "li", 20, "");
    all += &mark("x", "li", 30, &refused("script/mark/mark"));
    all +=
        &on("11:00", "grade", "refused = { rule = \"drive/sitting/grade/all\", says = \"essay\" }");
    all += &mark("y", "li", 26, "");
    all += &mark("z", "li", 24, "");
    all += &mark("x", "li", 24, &refused("script/mark/mark"));
    all += &(mark("x", "wang", 20, "") + &mark("y", "wang", 25, ""));
    all += &mark("z", "wang", 40, &refused("script/mark/mark"));
    all += &mark("x", "zhao", 41, &refused("script/mark/mark"));
    all += &(mark("x", "zhao", 0, "") + &mark("y", "zhao", 0, ""));
    all += &on(
        "11:00",
        "grade",
        "[step.expect.shows]\n\"exam/theory/li@a.gov.cn/points\" = \"24\"\n\"exam/theory/wang@a.gov.cn/points\" = \"32.5\"\n\
        \"exam/theory/wang@a.gov.cn/passed\" = \"true\"\n\"exam/theory/zhao@a.gov.cn/points\" = \"20\"\n",
    );
    all += &mark("z", "zhao", 40, &refused("script/mark/mark"));
    all + then
}

fn keys(state: &MemoryState) -> (String, Vec<String>) {
    let things = Key::new(Family::Thing, "drive").name("sitting");
    let sitting = state.scan(&things, "", 2).expect("reads")[0].0.id.clone();
    let late = Instant(2_000_000_000);
    let seen = Kernel::default().paper(state, "drive", "theory", &sitting, late).expect("reads");
    let Some(PaperSeen::Open(paper)) = seen else { panic!("{seen:?}") };
    (sitting, paper.items)
}

fn tried(state: &MemoryState, item: &str, key: &str) -> Vec<Regraded> {
    let (sitting, _) = keys(state);
    let instead = BTreeMap::from([(item.to_owned(), key.to_owned())]);
    let late = Instant(2_000_000_000);
    Kernel::default()
        .try_regrade(state, "drive", "theory", &sitting, &instead, "a.gov.cn", late)
        .expect("reads")
        .expect("it is graded")
}

#[test]
fn a_wrong_key_is_tried_first_and_then_mended_for_all_at_once() {
    let state = end(&files(), &story(""));
    let (_, items) = keys(&state);
    let second = items.last().expect("two items");
    // Were the second answer b, li would pass, wang would have more, and zhao less.
    let found = tried(&state, second, "b");
    let said: Vec<_> = found
        .iter()
        .map(|one| {
            let name = one.who.split('@').next().unwrap_or_default().to_owned();
            (
                name,
                one.before.points.to_string(),
                one.after.points.to_string(),
                one.before.passed,
                one.after.passed,
            )
        })
        .collect();
    let row =
        |who: &str, a: &str, b: &str, x, y| (who.to_owned(), a.to_owned(), b.to_owned(), x, y);
    let mut said_by_name = said.clone();
    said_by_name.sort();
    assert_eq!(
        said_by_name,
        [
            row("li", "24", "34", false, true),
            row("wang", "32.5", "42.5", true, true),
            row("zhao", "20", "10", false, false),
        ]
    );
    // To try it has changed nothing.
    assert_eq!(tried(&state, second, "a"), []);
    // Done, it comes to what was tried, in one decision with the correction, which stands after it in the file.
    let no = plain(second);
    let mend = |key: &str, more: &str| {
        at(
            "12:00",
            "office",
            "mend",
            &format!(
                "on = \"s\"\nform = {{ no = \"{no}\", topic = \"law\", key = \"{key}\", points = 10 }}\n{more}"
            ),
        )
    };
    let then = mend(
        "b",
        "[step.expect.shows]\n\"exam/theory/li@a.gov.cn/points\" = \"34\"\n\"exam/theory/li@a.gov.cn/passed\" = \"true\"\n\
            \"exam/theory/wang@a.gov.cn/points\" = \"42.5\"\n\"exam/theory/zhao@a.gov.cn/points\" = \"10\"\n",
    ) + &at(
        "12:00",
        "office",
        "leave",
        "on = \"li\"\nform = {}\nexpect = { state = \"out\" }",
    );
    let told = tell(&files(), &story(&then));
    assert!(told.is_ok(), "{told:?}");
}

/// The plain text in the name of a record: `["2"]`.
fn plain(record: &str) -> String {
    record.chars().filter(char::is_ascii_digit).collect()
}

#[test]
fn whoever_has_failed_sits_again_once_and_whoever_has_passed_does_not() {
    let again = |n: u8, opens: &str| {
        at(
            "13:00",
            "office",
            "sitting/plan",
            &format!("as = \"s{n}\"\nform = {{ opens = \"2026-03-02T{opens}:00+08:00\" }}"),
        ) + &at("13:00", "office", "draw", &format!("on = \"s{n}\"\nform = {{}}"))
    };
    let sit = |n: u8, who: &str, time: &str, more: &str| {
        at(
            "13:00",
            "office",
            "script/enter",
            &format!(
                "on = \"s{n}\"\nas = \"{who}{n}\"\nform = {{ who = \"{who}@a.gov.cn\", extra = 0 }}"
            ),
        ) + &at(
            time,
            who,
            "answer",
            &format!("on = \"{who}{n}\"\nform = {{ answers = [\"a\", \"a\"] }}\n{more}"),
        )
    };
    let law = "refused = { rule = \"drive/script/answer/take\", law = \"驾驶证规定 30\" }";
    let first = again(2, "14:00") + &sit(2, "li", "14:05", "");
    let told = tell(&files(), &story(&first));
    assert!(told.is_ok(), "{told:?}");
    let passed = again(2, "14:00") + &sit(2, "wang", "14:05", law);
    let told = tell(&files(), &story(&passed));
    assert!(told.is_ok(), "{told:?}");
}

/// Before its time, a paper is a digest; and what is drawn is the same for whoever draws it again.
#[test]
fn a_paper_is_sealed_until_its_time() {
    let state = end(&files(), &story(""));
    let (sitting, items) = keys(&state);
    assert_eq!(items.len(), 2);
    let seen = |at: i64| {
        let seen = Kernel::default().paper(&state, "drive", "theory", &sitting, Instant(at));
        seen.expect("reads").expect("a paper")
    };
    let opens: Instant = "2026-03-02T09:00:00+08:00".parse().expect("a moment");
    let PaperSeen::Sealed { until, .. } = seen(opens.0 - 1) else { panic!("it is open") };
    assert_eq!(until, opens.0);
    assert!(matches!(seen(opens.0), PaperSeen::Open(_)));
    assert_eq!(keys(&end(&files(), &story(""))).1, items);
}

#[test]
fn each_mistake_is_named() {
    let (exam, case) = ("exams/theory.toml", "cases/script.toml");
    let no = changed(&files(), exam, "[regrade]\nlaw = \"31\"\n", "");
    assert!(
        faults(&no)
            .iter()
            .any(|(file, _, fault)| file == "cases/sitting.toml" && *fault == Fault::NoRegrade)
    );
    let other = changed(&files(), case, "by = [\"marker\"]", "by = [\"office\"]");
    let fault = Fault::OtherMarker { part: "essay".into(), role: "office".into() };
    assert!(faults(&other).iter().any(|(.., found)| *found == fault), "{:?}", faults(&other));
    let never = changed(
        &files(),
        case,
        "then.mark = { exam = \"theory\", do = \"mark\", part = \"essay\", points = \"doc.points\" }\n",
        "",
    );
    let name = "theory: mark essay".to_owned();
    assert_eq!(faults(&never), [(exam.into(), 1, Fault::NeverRun { name })]);
    let place =
        changed(&files(), case, "do = \"answer\", answers = \"doc.answers\"", "do = \"grade\"");
    let fault = Fault::OtherCase { what: "grade".into(), of: "sitting".into() };
    assert!(faults(&place).iter().any(|(.., found)| *found == fault));
}
