use std::{fmt::Write as _, time::Instant};

use chancery_crypto::Language;
use proptest::prelude::*;

use crate::{
    folder::Folder,
    manifest::{Module, What},
    scenario::{Broken, Scenario, Told},
};

const MODULE: &str = "module = \"m.test\"\nversion = \"1\"\nlaw = \"法\"\nnames = { \"zh-CN\" = \"模块\", en = \"module\" }\n[role.clerk]\n[role.chief]\n";

const FORM: &str = r#"{ "type": "object", "additionalProperties": false, "properties": {
  "n": { "type": "integer" }, "t": { "type": "string", "maxLength": 100 },
  "on": { "type": "string", "format": "date" }, "gap": { "type": "string", "maxLength": 20, "x-type": "period" } } }"#;

/// A case to begin with: it is opened, goes on, and ends.
const CASE: &str = r#"
case = "c"
[state]
open = {}
busy = {}
shut = { end = true }
[act.begin]
form = "f"
to = "open"
by = ["clerk", "chief"]
[act.work]
form = "f"
from = ["open", "busy"]
to = "busy"
by = "clerk"
[act.close]
form = "f"
from = ["open", "busy"]
to = "shut"
by = "chief"
"#;

const STORY: &str = "scenario = \"1\"\ntitle = \"t\"\nhome = \"a.gov.cn\"\nstart = \"2026-03-02T08:00:00+08:00\"\n\
[officer]\nli = { roles = [\"clerk\", \"chief\"] }\n";

/// A folder of a case, with every text that it wants.
fn folder(case: &str, story: Option<&str>) -> Folder {
    let mut texts = [String::new(), String::new()];
    let make = |texts: &[String; 2]| {
        let files = [
            ("module.toml", MODULE),
            ("forms/f.json", FORM),
            ("cases/c.toml", case),
            ("texts/zh-CN.ftl", &texts[0]),
            ("texts/en.ftl", &texts[1]),
        ];
        let story = story.map(|story| ("scenarios/1.toml", story));
        Folder::of(files.into_iter().chain(story)).expect("a folder")
    };
    for mistake in Module::read(&make(&texts)).err().into_iter().flatten() {
        if let What::NoText { name, language } = &mistake.what {
            let text = &mut texts[usize::from(*language == "en")];
            writeln!(text, "{name} = x").expect("a text");
        }
    }
    make(&texts)
}

/// The names of what is wrong with a case, each with its sentence.
fn found(case: &str) -> Vec<String> {
    found_in(&folder(case, None))
}

fn found_in(folder: &Folder) -> Vec<String> {
    let found = match Module::read_with_warnings(folder) {
        Ok((_, warnings)) => warnings,
        Err(mistakes) => mistakes,
    };
    let each = found.iter().map(|mistake| {
        assert!(!mistake.say(Language::Zh).is_empty());
        format!("{} {}", mistake.what.code(), mistake.say(Language::En))
    });
    each.collect()
}

/// The case with something more at its end.
fn with(more: &str) -> String {
    format!("{CASE}{more}\n")
}

fn story(case: &str, steps: &str) -> Result<Told, Broken> {
    let text = format!("{STORY}{steps}");
    let folder = folder(case, Some(&text));
    let module = Module::read(&folder).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    Scenario::read(&text).expect("a story").run(&module, &folder.encode())
}

fn has(code: &str, place: &str, case: &str) {
    let found = found(case);
    let is = found.iter().any(|one| one.split(' ').next() == Some(code) && one.contains(place));
    assert!(is, "{code} {place:?} of {case}: {found:#?}");
}

#[test]
fn an_inner_act_is_held_to_what_it_needs_and_a_number_to_its_parts() {
    let late = "[due.d]\nlaw = \"1\"\nstart = \"when.open\"\nin = \"1 h\"\nthen = \"tick\"\n";
    let tick = "[act.tick]\ninner = true\nfrom = [\"open\"]\nto = \"busy\"\n";
    let need = "need.worked = { that = \"count.work > 0\", law = \"1\" }\n";
    let steps = |state: &str, flags: &str| {
        format!(
            "[[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"li\"\nact = \"c/begin\"\nas = \"x\"\n\
             [[step]]\nat = \"2026-03-02T11:00:00+08:00\"\non = \"x\"\nexpect = {{ state = \"{state}\", flags = [{flags}] }}\n"
        )
    };
    let done = story(&with(&format!("{late}{tick}")), &steps("busy", ""));
    assert!(done.is_ok(), "{done:?}");
    let held = story(
        &with(&format!("{late}{tick}{need}")),
        &steps("open", "\"due/d: m.test/c/tick/worked\""),
    );
    assert!(held.is_ok(), "{held:?}");
    has("unknown-key", "\"by\"", &with(&format!("{late}{tick}by = \"clerk\"\n")));
    let number = "[number.no]\nkey = [\"doc.t\"]\nas = \"{0}-{n}\"\n";
    let case = CASE.replacen("to = \"shut\"", "to = \"shut\"\nnumber = \"no\"", 1);
    let steps = |form: &str, then: &str| {
        format!(
            "[[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"li\"\nact = \"c/begin\"\nas = \"x\"\n\
             [[step]]\nat = \"2026-03-02T09:30:00+08:00\"\nby = \"li\"\nact = \"close\"\non = \"x\"\nform = {{ {form} }}\n{then}\n"
        )
    };
    let given =
        story(&format!("{case}{number}"), &steps("t = \"A\"", "expect = { number = \"A-1\" }"));
    assert!(given.is_ok(), "{given:?}");
    let missing = steps("", "refused = { rule = \"m.test/c/number-no\", says = \"doc.t\" }");
    let missing = story(&format!("{case}{number}"), &missing);
    assert!(missing.is_ok(), "{missing:?}");
}

#[test]
fn a_case_to_begin_with_is_sound() {
    assert_eq!(found(CASE), Vec::<String>::new());
}

/// So many names, each made of the one before.
fn chain(first: &str, each: &str, most: usize) -> String {
    let mut text = format!("[let]\nv0 = \"{first}\"\n");
    for n in 1..most {
        writeln!(text, "v{n} = \"{}\"", each.replace('@', &format!("v{}", n - 1))).expect("a text");
    }
    text
}

#[test]
fn names_that_double_are_checked_soon() {
    let begun = Instant::now();
    for (first, each, code) in [
        ("it.state", "@ + @", ""),
        ("it.id", "has(@) ? @ : @", ""),
        ("1", "{a: @, b: @}", "kinds"),
        ("[1]", "[[@], [@]]", ""),
        ("when.open", "@ > @ ? @ : @", ""),
    ] {
        let found = found(&with(&chain(first, each, 40)));
        let is = found.iter().any(|one| one.starts_with(code));
        assert!(if code.is_empty() { found.is_empty() } else { is }, "{each}: {found:#?}");
    }
    // Within one formula, by the variable of a macro.
    let doubled = "[1]".to_owned() + &".map(x, {a: x, b: x})".repeat(28);
    has("kinds", "more parts", &with(&format!("[let]\nv = \"{doubled}\"")));
    // As many as a file takes.
    has("excess", "1000", &with(&chain("1", "@ + 1", 3_000)));
    has("deep", "v64", &with(&chain("1", "@ + 1", 900)));
    let wide: String = (0..900).map(|n| format!("w{n} = \"v9 + v8 + zzz{n}\"\n")).collect();
    has("kinds", "zzz7", &with(&(chain("1", "@ + 1", 10) + &wide)));
    has("circle", "v0 -> v39", &with(&chain("v39", "@ + @", 40)));
    // A file of many lines has the line of each mistake.
    let lines: String = (0..9_000).map(|n| format!("u{n} = 1.5\n")).collect();
    has("float", ":2", &with(&format!("[let]\n{lines}")));
    has("excess", "byte", &with(&"# \n".repeat(100_000)));
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
}

#[test]
fn what_doubles_costs_what_it_is_made_of() {
    let begun = Instant::now();
    for (first, each) in [
        ("filed.begin.t", "@ + @"),
        ("[filed.begin.n]", "@ + @"),
        ("[filed.begin.n]", "@.flat(x, [x, x])"),
    ] {
        let need = "[act.work.need.small]\nthat = \"size(v60) > 0\"\nlaw = \"1\"\n";
        let case = with(&format!("{need}{}", chain(first, each, 61)));
        let broken = story(
            &case,
            "[[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"li\"\nact = \"c/begin\"\nas = \"x\"\nform = { t = \"abcdefgh\", n = 1 }\n\
             [[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"li\"\nact = \"work\"\non = \"x\"\n",
        );
        let why = broken.expect_err("it costs too much").why;
        assert!(why.contains("steps"), "{each}: {why}");
    }
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    // And what is only mentioned often is worked out once.
    let need = "[act.work.need.small]\nthat = \"v60 > 0\"\nlaw = \"1\"\n";
    let case = with(&format!("{need}{}", chain("filed.begin.n", "@ > 0 && @ > 0 ? @ : @", 61)));
    let told = story(
        &case,
        "[[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"li\"\nact = \"c/begin\"\nas = \"x\"\nform = { n = 1 }\n\
         [[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"li\"\nact = \"work\"\non = \"x\"\nexpect = { state = \"busy\" }\n",
    );
    assert!(told.is_ok(), "{told:?}");
}

#[test]
fn deadlines_that_begin_again_at_once_are_refused() {
    let due = |name: &str, rest: &str| format!("[due.{name}]\nlaw = \"1\"\n{rest}\n");
    let tick = "[act.tick]\ninner = true\nfrom = [\"open\", \"busy\"]\n";
    for (code, text) in [
        ("endless", due("d", "start = \"when.open\"\nin = \"0 h\"\nthen = \"open\"")),
        ("endless", due("d", "start = \"when.open\"\nin = \"0 d\"\nthen = \"open\"")),
        ("endless", due("d", "start = \"when.open\"\nin = \"-1 h\"\nthen = \"open\"")),
        ("endless", due("d", "at = \"when.open\"\nthen = \"open\"")),
        ("endless", due("d", "at = \"plus(when.open, '-1 d')\"\nthen = \"open\"")),
        ("endless", due("d", "start = \"plus(when.open, '-2 d')\"\nin = \"1 d\"\nthen = \"open\"")),
        ("endless", due("d", "start = \"when.tick\"\nin = \"0 min\"\nthen = \"tick\"") + tick),
        (
            "endless",
            due("d", "start = \"when.begin\"\nin = \"0 min\"\nthen = \"tick\"\nrestart = \"tick\"")
                + tick,
        ),
        (
            "endless",
            due("d", "start = \"from\"\nin = \"0 h\"\nthen = \"open\"")
                + "[let]\nfrom = \"has(when.busy) ? when.busy : when.open\"\n",
        ),
        (
            "endless",
            due("a", "start = \"when.open\"\nin = \"0 h\"\nthen = \"busy\"")
                + &due("b", "start = \"when.busy\"\nin = \"0 h\"\nthen = \"open\""),
        ),
        (
            "endless",
            due("a", "start = \"when.open\"\nin = \"1 d\"\nthen = \"busy\"")
                + &due("b", "start = \"when.busy\"\nin = \"-1 d\"\nthen = \"open\""),
        ),
        (
            "perhaps-endless",
            due("d", "start = \"when.open\"\nin = \"filed.begin.gap\"\nthen = \"open\""),
        ),
        ("perhaps-endless", due("d", "at = \"plus(when.open, filed.begin.gap)\"\nthen = \"open\"")),
        ("fixed", due("d", "at = \"when.open\"\nthen = \"breach\"\nrestart = \"tick\"") + tick),
        ("", due("d", "start = \"when.open\"\nin = \"1 h\"\nthen = \"open\"")),
        ("", due("d", "start = \"when.open\"\nin = \"0 h\"\nthen = \"busy\"")),
        ("", due("d", "start = \"when.open\"\nin = \"0 h\"\nthen = \"shut\"")),
        ("", due("d", "start = \"when.open\"\nin = \"0 h\"\nthen = \"breach\"")),
        ("", due("d", "start = \"when.tick\"\nin = \"1 m\"\nthen = \"tick\"") + tick),
        ("", due("d", "at = \"filed.begin.on\"\nthen = \"busy\"")),
        (
            "",
            due("a", "start = \"when.open\"\nin = \"2 d\"\nthen = \"busy\"")
                + &due("b", "start = \"when.busy\"\nin = \"-1 d\"\nthen = \"open\""),
        ),
    ] {
        // A tick that begins by itself never begins.
        let found: Vec<_> =
            found(&with(&text)).into_iter().filter(|one| !one.starts_with("never-done")).collect();
        match code.is_empty() {
            true => assert_eq!(found, Vec::<String>::new(), "{text}"),
            false => assert!(
                found.iter().any(|one| one.split(' ').next() == Some(code)),
                "{text}: {found:#?}"
            ),
        }
    }
}

#[test]
fn a_story_says_when_a_deadline_begins_again_at_once() {
    let case = with(
        "[due.d]\nlaw = \"1\"\nstart = \"when.open\"\nin = \"filed.begin.gap\"\nthen = \"open\"\n",
    );
    let tell = |gap: &str, until: &str| {
        story(
            &case,
            &format!(
                "[[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"li\"\nact = \"c/begin\"\nas = \"x\"\nform = {{ gap = \"{gap}\" }}\n\
                 [[step]]\nat = \"{until}T09:00:00+08:00\"\non = \"x\"\nexpect = {{ state = \"open\" }}\n"
            ),
        )
    };
    for gap in ["0 h", "-1 h"] {
        let broken = tell(gap, "2026-03-03").expect_err("without end");
        assert_eq!(broken.step, 2);
        assert!(broken.why.contains("due.d") && broken.why.contains("at once"), "{broken:?}");
    }
    assert!(tell("1 d", "2026-03-20").is_ok());
    let broken = tell("1 min", "2026-03-20").expect_err("too often");
    assert!(broken.why.contains("more than 10000 times"), "{broken:?}");
}

#[test]
fn nothing_that_decides_rests_on_when_it_is_decided() {
    let need = |that: &str| format!("[act.work.need.n]\nthat = \"{that}\"\nlaw = \"1\"\n");
    for text in [
        need("lodged < at"),
        need("late") + "[let]\nlate = \"at > when.open\"\n",
        need("late") + "[let]\nlate = \"now > when.open\"\nnow = \"at\"\n",
        need("has_role(clock, 'clerk')") + "[who]\nclock = \"year(at) > 2000 ? 'a' : 'b'\"\n",
        need("it.t > when.open") + "[act.begin.set]\nt = \"at\"\n",
        need("due.d.end > lodged") + "[due.d]\nlaw = \"1\"\nat = \"plus(at, '1 d')\"\n",
        "[act.more]\nform = \"f\"\nfrom = \"open\"\nby = \"clerk\"\nto = \"at > when.open ? 'busy' : 'open'\"\n".into(),
        "[act.more]\nform = \"f\"\nfrom = \"open\"\nby = \"lucky\"\n[who]\nlucky = \"at > when.open ? 'a' : 'b'\"\n".into(),
    ] {
        has("decided-time", "reads \"at\"", &with(&text));
    }
    assert_eq!(found(&with("[act.begin.set]\nt = \"at\"\n")), Vec::<String>::new());
}

#[test]
fn what_can_never_be_is_found() {
    let act = |name: &str, rest: &str| format!("[act.{name}]\nform = \"f\"\n{rest}\n");
    let round = |rest: &str| {
        format!(
            "[state.asked]\nround = \"r\"\n[round.r]\nact = \"say\"\nagreed = \"shut\"\n{rest}\n{}{}",
            act("say", "by = \"clerk\"\nvote = \"doc.n > 0 ? 'yes' : 'no'\""),
            act("ask", "from = \"open\"\nto = \"asked\"\nby = \"clerk\"")
        )
    };
    for (code, place, text) in [
        ("undeclared", "role \"cleric\"; did you mean \"clerk\"", "[let]\nv = \"has_role(me, 'cleric')\"\n".into()),
        ("both", "\"clerk\" stands in both of: by, not_by", act("x", "from = \"open\"\nby = [\"clerk\", \"chief\"]\nnot_by = \"clerk\"")),
        ("both", "after, before", act("x", "from = \"open\"\nby = \"clerk\"\nafter = \"d\"\nbefore = \"d\"") + "[due.d]\nlaw = \"1\"\nstart = \"when.open\"\nin = \"1 d\"\n"),
        ("never-done", "\"x\"", "[act.x]\ninner = true\n".into()),
        ("never-done", "\"x\"", act("x", "by = \"writer\"\nto = \"open\"") + "[who]\nwriter = \"author.begin\"\n"),
        ("never-done", "\"x\"", act("x", "from = \"open\"\nby = \"clerk\"\nafter = \"d\"") + "[due.d]\nlaw = \"1\"\nstart = \"when.x\"\nin = \"1 d\"\n"),
        ("never-done", "\"x\"", act("x", "by = \"clerk\"\nto = \"open\"\nbefore = \"d\"") + "[due.d]\nlaw = \"1\"\nstart = \"when.open\"\nin = \"1 d\"\n"),
        ("constant", "need \"n\"", "[act.work.need.n]\nthat = \"no\"\nlaw = \"1\"\n[let]\nno = \"1 > 2\"\n".into()),
        ("constant", "\"u\"", "[unique.u]\nof = [\"filed.begin.n\", \"'a'\"]\nlaw = \"1\"\n".into()),
        ("constant", "\"u\"", "[unique.u]\nof = \"one\"\nlaw = \"1\"\n[let]\none = \"1\"\n".into()),
        ("constant", "\"no\"", "[number.no]\nkey = \"'a'\"\nas = \"{0}-{n}\"\n".into()),
        ("kind", "\"start\"", "[number.no]\nas = \"{n}\"\nstart = -1\n".into()),
        ("not-here", "\"doc\"", "[unique.u]\nof = \"doc.n\"\nlaw = \"1\"\n".into()),
        ("not-here", "\"doc\"", "[due.d]\nlaw = \"1\"\nat = \"doc.on\"\n".into()),
        ("not-here", "\"me\"", "[due.d]\nlaw = \"1\"\nstart = \"when.open\"\nin = \"1 d\"\nthen = \"t\"\n[act.t]\ninner = true\nset = { who = \"me.name\" }\n".into()),
        ("empty", "\"until\"", "[due.d]\nlaw = \"1\"\nstart = \"when.open\"\nin = \"1 d\"\nuntil = []\n".into()),
        ("empty", "\"by\"", act("x", "from = \"open\"\nby = []")),
        ("empty", "\"from\"", act("x", "from = []\nby = \"clerk\"")),
        ("empty", "\"of\"", "[unique.u]\nof = []\nlaw = \"1\"\n".into()),
        ("twice", "\"clerk\"", act("x", "from = \"open\"\nby = [\"clerk\", \"clerk\"]")),
        ("twice", "\"doc\"", "[let]\ndoc = \"1\"\n".into()),
        ("twice", "\"a\"", "[let]\na = \"home\"\n[who]\na = \"home\"\n".into()),
        ("constant", "\"r\"", round("of = \"author.begin\"\ndone = \"true\"")),
        ("constant", "\"r\"", round("of = \"author.begin\"\ndone = \"yes == all\"\nfail = \"count.work > 3\"")),
        ("never-holds", "r/done", round("of = \"author.begin\"\ndone = \"yes > all\"")),
        ("never-holds", "r/done", round("of = \"author.begin\"\ndone = \"yes == all\"\nfail = \"yes > 0\"")),
        ("never-holds", "r/fail", round("of = \"author.begin\"\ndone = \"yes == all\"\nfail = \"no > yes + no\"")),
        ("kinds", "did you mean \"yes\"", round("of = \"author.begin\"\ndone = \"yess == all\"")),
        ("nobody", "\"r\"", round("of = \"[]\"\ndone = \"yes == all\"")),
        ("word", "\"ja\"", round("of = \"author.begin\"\ndone = \"yes == all\"").replace("'yes'", "'ja'")),
    ] {
        let case: String = text;
        // Tables of the case come before those of its acts, as TOML has it.
        has(code, place, &with(&case));
    }
    let good = round(
        "of = \"author.begin\"\ndone = \"yes * 2 > all\"\nfail = \"no * 2 >= all\"\nfailed = \"open\"",
    );
    assert_eq!(found(&with(&good)), Vec::<String>::new());
}

#[test]
fn what_people_read_has_nothing_that_they_do_not_see() {
    let law = |law: &str| format!("[act.work.need.n]\nthat = \"doc.n > 0\"\nlaw = \"{law}\"\n");
    has("text", "direction", &with(&law("1\u{202e}2")));
    has("text", "direction", &with(&law("1\\u202E2")));
    has("text", "direction", &with("[let]\nv = \"it.state == 'a\\u200Bb'\"\n"));
    has("text", ":21", &with("# a comment\u{2066}\n"));
    has("text", "blank", &with(&law("　")));
    has("text-length", "400", &with(&law(&"长".repeat(401))));
    let own = folder(CASE, None);
    for (path, from, to, code) in [
        ("module.toml", "version = \"1\"", "version = \"\"", "text"),
        ("module.toml", "en = \"module\"", "en = \"mod\u{200b}ule\"", "text"),
        ("module.toml", "law = \"法\"", "law = \" \"", "text"),
        ("module.toml", "m.test", "m..test", "name"),
        ("module.toml", "m.test", "office", "twice"),
        ("texts/en.ftl", "case-c = x", "case-c = \u{202d}x", "text"),
        ("texts/en.ftl", "case-c = x", "case-c = \u{2800}", "text"),
    ] {
        let files = own.files().map(|(name, text)| {
            let text = if name == path { text.replacen(from, to, 1) } else { text.to_owned() };
            (name.to_owned(), text)
        });
        let found = found_in(&Folder::of(files.collect::<Vec<_>>()).expect("a folder"));
        assert!(found.iter().any(|one| one.split(' ').next() == Some(code)), "{to}: {found:#?}");
    }
}

#[test]
fn a_chain_as_deep_as_is_taken_is_worked_out() {
    let deep = format!("{}@ + 1{}", "(".repeat(2), ")".repeat(2));
    let need = "[act.work.need.n]\nthat = \"v59 > 0\"\nlaw = \"1\"\n";
    let told = story(
        &with(&format!("{need}{}", chain("filed.begin.n", &deep, 60))),
        "[[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"li\"\nact = \"c/begin\"\nas = \"x\"\nform = { n = 1 }\n\
         [[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"li\"\nact = \"work\"\non = \"x\"\nexpect = { state = \"busy\" }\n",
    );
    assert!(told.is_ok(), "{told:?}");
}

#[test]
fn a_story_speaks_of_what_there_is_and_goes_forward() {
    let case = with(
        "[act.work.need.some]\nthat = \"doc.n > 0\"\nlaw = \"1\"\n[act.tick]\ninner = true\n\
         [due.d]\nlaw = \"1\"\nstart = \"when.open\"\nin = \"9 d\"\nthen = \"tick\"\n",
    );
    let told = "[calendar.2026]\nsource = \"x\"\noff = [\"2026-05-01\"]\nwork = [\"2026-05-09\"]\n\
        [[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"li\"\nact = \"c/begin\"\nas = \"x\"\nform = { n = 1 }\n\
        expect = { state = \"open\", due = { d = \"2026-03-11\" } }\n\
        [[step]]\nat = \"2026-03-02T10:00:00+08:00\"\nby = \"li\"\nact = \"work\"\non = \"x\"\n\
        refused = { rule = \"m.test/c/work/some\", law = \"法 1\" }\n";
    let text = format!("{STORY}{told}");
    let change = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        found_in(&folder(&case, Some(&text.replacen(from, to, 1))))
    };
    assert_eq!(change("title", "title"), Vec::<String>::new());
    assert!(story(&case, told).is_ok());
    for (from, to, code, place) in [
        ("title = \"t\"\n", "", "missing-key", ":1: the key \"title\""),
        ("title = \"t\"", "title = \"\"", "text", ":2: \"title\": it is blank"),
        ("title = ", "titel = ", "unknown-key", "did you mean \"title\""),
        ("a.gov.cn", "no agency", "no-agency", ":3: \"no agency\""),
        ("start = \"2026-03-02T08", "start = \"2026-03-32T08", "no-time", ":4:"),
        ("start = \"2026-03-02T08", "start = \"2026-03-02T20", "backwards", ":12:"),
        (
            "\"clerk\", ",
            "\"clark\", ",
            "undeclared",
            ":6: there is no role \"clark\"; did you mean",
        ),
        ("[calendar.2026]", "[calendar.26]", "no-time", "\"26\""),
        ("2026-05-09", "2026-05-01", "both", "2026-05-01\" stands in both of: off, work"),
        ("2026-05-09", "2027-05-09", "other-year", ":10: 2027-05-09 is no day of 2026"),
        ("2026-05-09", "05-09", "no-time", ":10: \"05-09\""),
        ("work = [", "works = [", "unknown-key", "\"works\""),
        (
            "by = \"li\"",
            "by = \"lu\"",
            "undeclared",
            ":13: there is no officer \"lu\"; did you mean \"li\"",
        ),
        ("by = \"li\"\n", "", "missing-key", "\"by\""),
        (
            "c/begin",
            "c/begun",
            "undeclared",
            ":14: there is no act \"begun\"; did you mean \"begin\"",
        ),
        ("c/begin", "d/begin", "undeclared", "case \"d\""),
        ("\"work\"\non", "\"tick\"\non", "undeclared", ":21: there is no act \"tick\""),
        (
            "{ n = 1 }",
            "{ m = 1 }",
            "undeclared",
            ":16: there is no field \"m\"; did you mean \"n\"",
        ),
        ("{ n = 1 }", "{ n = 1.5 }", "float", ":16:"),
        (
            "state = \"open\"",
            "state = \"opened\"",
            "undeclared",
            "state \"opened\"; did you mean \"open\"",
        ),
        ("due = { d =", "due = { e =", "undeclared", "due \"e\""),
        ("2026-03-11", "2026-02-30", "no-time", "\"2026-02-30\""),
        ("due = { d = \"2026-03-11\" }", "set = { k = \"1\" }", "undeclared", "\"k\""),
        ("on = \"x\"", "on = \"y\"", "undeclared", "label \"y\""),
        ("as = \"x\"\n", "", "undeclared", "label \"x\""),
        ("as = \"x\"\n", "", "missing-key", "\"on\""),
        ("03-02T10:00", "03-02T08:30", "backwards", "2026-03-02T08:30"),
        ("work/some", "work/sone", "undeclared", "rule \"m.test/c/work/sone\"; did you mean"),
        ("rule = \"m.test/c/work/some\", ", "", "missing-key", "\"rule\""),
        ("on = \"x\"", "on = \"x\"\nwhom = \"li\"", "unknown-key", "\"whom\""),
    ] {
        let found = change(from, to);
        let is = found.iter().any(|one| {
            one.split(' ').next() == Some(code)
                && one.contains("scenarios/1.toml")
                && one.contains(place)
        });
        assert!(is, "{to:?} is to give {code} {place:?}: {found:#?}");
    }
    let none = found_in(&folder(&case, Some(STORY)));
    assert!(none.iter().any(|one| one.starts_with("empty") && one.contains("step")), "{none:?}");
}

/// Some states, acts and deadlines.
fn cases() -> impl Strategy<Value = String> {
    let state = || prop::sample::select(vec!["open", "busy", "shut"]);
    let event = || prop::sample::select(vec!["open", "busy", "begin", "work", "tick", "tock"]);
    let period = prop::sample::select(vec![
        "0 h", "1 h", "-1 h", "0 d", "2 d", "-3 d", "1 m", "-1 wd", "10 min",
    ]);
    let then = prop::sample::select(vec!["open", "busy", "shut", "tick", "tock", "breach"]);
    let due = (event(), period, then, prop::option::of(event()), any::<bool>()).prop_map(
        |(start, period, then, restart, at)| {
            let end = match at {
                true => format!("at = \"plus(when.{start}, '{period}')\"\n"),
                false => format!("start = \"when.{start}\"\nin = \"{period}\"\n"),
            };
            let restart = restart
                .filter(|act| !matches!(*act, "open" | "busy"))
                .map(|act| format!("restart = \"{act}\"\n"));
            format!("law = \"1\"\n{end}then = \"{then}\"\n{}", restart.unwrap_or_default())
        },
    );
    let inner = (prop::collection::btree_set(state(), 0..3), prop::option::of(state())).prop_map(
        |(from, to)| {
            let from: Vec<_> = from.into_iter().filter(|state| *state != "shut").collect();
            let from = if from.is_empty() { String::new() } else { format!("from = {from:?}\n") };
            let to = to.map(|to| format!("to = \"{to}\"\n")).unwrap_or_default();
            format!("inner = true\n{from}{to}")
        },
    );
    let opened = prop::sample::select(vec!["open", "busy"]);
    let dues = prop::collection::vec(due, 0..5);
    (dues, inner.clone(), inner, opened).prop_map(|(dues, tick, tock, opened)| {
        let mut text = format!("[act.tick]\n{tick}[act.tock]\n{tock}");
        // Something that leads to each of them.
        for act in ["tick", "tock"] {
            let due =
                format!("law = \"1\"\nstart = \"when.close\"\nin = \"9 d\"\nthen = \"{act}\"\n");
            write!(text, "[due.to_{act}]\n{due}").expect("a text");
        }
        for (n, due) in dues.into_iter().enumerate() {
            write!(text, "[due.d{n}]\n{due}").expect("a text");
        }
        with(&text).replacen("to = \"open\"", &format!("to = \"{opened}\""), 1)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Whatever is called sound comes to rest: no deadline of it passes again and again at one moment.
    #[test]
    fn what_is_sound_comes_to_rest(case in cases()) {
        let steps = "[[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"li\"\nact = \"c/begin\"\nas = \"x\"\n\
            [[step]]\nat = \"2026-03-06T09:00:00+08:00\"\n";
        let text = format!("{STORY}{steps}");
        let folder = folder(&case, Some(&text));
        let read = Module::read_with_warnings(&folder);
        // An act of which nothing comes is another mistake, and makes nothing endless.
        let Ok((module, warnings)) = read else { return Ok(()) };
        let told = Scenario::read(&text).expect("a story").run(&module, &folder.encode());
        if warnings.is_empty() {
            prop_assert!(told.is_ok(), "{told:?} of {case}");
        }
    }
}
