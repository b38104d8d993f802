//! Works, and what is read of them on which day.

use std::fmt::Write as _;

use super::*;
use crate::{
    civil::Instant,
    folder::Folder,
    manifest::{Module, What},
    scenario::Scenario,
    state::MemoryState,
    statute::{Change, Citation},
};
use chancery_crypto::Language;

const MODULE: &str = "module = \"laws\"\nversion = \"1\"\nlaw = \"立法法\"\nnames = { \"zh-CN\" = \"法规\", en = \"Laws\" }\n[role.editor]\n";

const CASE: &str = r#"case = "order"
[state]
done = { end = true }
[act.publish]
form = "text"
to = "done"
by = ["editor"]
then.publish = { publish = "law", as = "publish", work = "doc.work", form = "doc", from = "has(doc.from) ? doc.from : none" }
[act.amend]
form = "text"
to = "done"
by = ["editor"]
then.publish = { publish = "law", as = "amend", work = "doc.work", form = "doc", from = "doc.from" }
[act.correct]
form = "text"
to = "done"
by = ["editor"]
reason = true
then.publish = { publish = "law", as = "correct", work = "doc.work", form = "doc" }
[act.commence]
form = "event"
to = "done"
by = ["editor"]
then.publish = { publish = "law", as = "commence", work = "doc.work", from = "doc.from", parts = "doc.parts" }
[act.suspend]
form = "event"
to = "done"
by = ["editor"]
reason = true
then.publish = { publish = "law", as = "suspend", work = "doc.work", from = "doc.from", parts = "doc.parts" }
[act.resume]
form = "event"
to = "done"
by = ["editor"]
then.publish = { publish = "law", as = "resume", work = "doc.work", from = "doc.from", parts = "doc.parts" }
[act.repeal]
form = "event"
to = "done"
by = ["editor"]
then.publish = { publish = "law", as = "repeal", work = "doc.work", from = "doc.from", parts = "doc.parts" }
[act.withdraw]
form = "event"
to = "done"
by = ["editor"]
reason = true
then.publish = { publish = "law", as = "withdraw", work = "doc.work" }
[act.cite]
form = "cite"
to = "done"
by = ["editor"]
need.there = { that = "cited('law', doc.on, doc.text).found", law = "61" }
set = { status = "cited('law', doc.on, doc.text).status", version = "cited('law', doc.on, doc.text).version", text = "cited('law', doc.on, doc.text).text", known = "find_on('law', doc.on, cited('law', doc.on, doc.text).work).title" }
"#;

const PUBLICATION: &str = r#"publication = "law"
form = "text"
title = "it.title"
text = "it.text"
parts = "article/paragraph/item/point"
events = ["publish", "commence", "amend", "correct", "suspend", "resume", "repeal", "withdraw"]
embargo = "it.embargo"
supersede = "it.repeals"
search = { type = "it.sort", issuer = "it.issuer" }
feed = true
law = "61"
"#;

const TEXT: &str = r#"{ "type": "object", "additionalProperties": false, "required": ["work", "title", "text"], "properties": {
  "work": { "type": "string", "maxLength": 200 }, "title": { "type": "string", "maxLength": 200 },
  "text": { "type": "string", "maxLength": 60000 }, "from": { "type": "string", "format": "date" },
  "sort": { "type": "string", "maxLength": 40 }, "issuer": { "type": "string", "maxLength": 80 },
  "embargo": { "type": "string", "x-type": "instant", "maxLength": 25 },
  "repeals": { "type": "array", "maxItems": 20, "items": { "type": "string", "maxLength": 200 } } } }"#;

const EVENT: &str = r#"{ "type": "object", "additionalProperties": false, "required": ["work", "from", "parts"], "properties": {
  "work": { "type": "string", "maxLength": 200 }, "from": { "type": "string", "format": "date" },
  "parts": { "type": "array", "maxItems": 20, "items": { "type": "string", "maxLength": 40 } } } }"#;

const CITE: &str = r#"{ "type": "object", "additionalProperties": false, "required": ["text", "on"], "properties": {
  "text": { "type": "string", "maxLength": 200 }, "on": { "type": "string", "format": "date" } } }"#;

fn folder(publication: &str, case: &str, story: Option<&str>) -> Folder {
    let forms = [("forms/text.json", TEXT), ("forms/event.json", EVENT), ("forms/cite.json", CITE)];
    folder_of(publication, case, story, &forms)
}

fn folder_of(publication: &str, case: &str, story: Option<&str>, forms: &[(&str, &str)]) -> Folder {
    let files = [
        ("module.toml", MODULE),
        ("cases/order.toml", case),
        ("publications/law.toml", publication),
    ];
    let files = files.into_iter().chain(forms.iter().copied());
    let mut texts = [String::new(), String::new()];
    let make = |texts: &[String; 2]| {
        let own = [("texts/zh-CN.ftl", texts[0].as_str()), ("texts/en.ftl", &texts[1])];
        let story = story.map(|story| ("scenarios/1.toml", story));
        Folder::of(files.clone().chain(own).chain(story)).expect("a folder")
    };
    for mistake in Module::read(&make(&texts)).err().into_iter().flatten() {
        if let What::NoText { name, language } = &mistake.what {
            writeln!(texts[usize::from(*language == "en")], "{name} = {name}").expect("a text");
        }
    }
    make(&texts)
}

fn mistakes(publication: &str, case: &str) -> Vec<What> {
    let found = Module::read(&folder(publication, case, None)).err().unwrap_or_default();
    found.into_iter().map(|mistake| mistake.what).collect()
}

/// A story of steps: moment, act, form, reason, and what must come of it.
fn story(steps: &[(&str, &str, &str, &str, &str)]) -> String {
    let mut story = "scenario = \"1\"\ntitle = \"t\"\nhome = \"a.gov.cn\"\nstart = \"2020-01-01T08:00:00+08:00\"\n\
        [officer.li]\nroles = [\"editor\"]\n"
        .to_owned();
    for (number, (at, act, form, reason, then)) in steps.iter().enumerate() {
        let reason =
            if reason.is_empty() { String::new() } else { format!("reason = \"{reason}\"\n") };
        let label = if then.starts_with("refused") {
            String::new()
        } else {
            format!("as = \"s{number}\"\n")
        };
        let acted = match act.is_empty() {
            true => "on = \"s0\"\n".to_owned(),
            false => {
                format!("by = \"li\"\nact = \"order/{act}\"\nform = {{ {form} }}\n{label}{reason}")
            }
        };
        writeln!(story, "[[step]]\nat = \"{at}T09:00:00+08:00\"\n{acted}{then}").expect("a text");
    }
    story
}

fn told(story: &str) -> (Module, MemoryState) {
    let folder = folder(PUBLICATION, CASE, Some(story));
    let module = Module::read(&folder).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    let told = Scenario::read(story).expect("a story").run_to(&module, &folder.encode());
    let (_, state) = told.unwrap_or_else(|broken| panic!("{broken:?}"));
    (module, state)
}

fn seen(what: &str) -> String {
    format!("expect = {{ published = {{ law = {{ {what} }} }} }}")
}

const OLD: &str =
    "work = \"o\", title = \"中华人民共和国增值税暂行条例\", text = \"第一条 甲。\\n第二条 乙。\"";
const NEW: &str = "work = \"n\", title = \"中华人民共和国增值税法\", text = \"第一条 子。\\n第二条 丑：\\n（一）寅；\\n（二）卯。\", sort = \"法律\", issuer = \"全国人大常委会\"";

/// 增值税：2025-12-31 条例有效、法尚未施行；2026-01-01 反转。
#[test]
fn a_new_law_takes_the_place_of_an_old_one_on_its_day() {
    let old = |on: &str, status: &str| {
        seen(&format!("work = \"o\", on = \"{on}\", status = \"{status}\""))
    };
    let new = |on: &str, status: &str| {
        seen(&format!("work = \"n\", on = \"{on}\", status = \"{status}\""))
    };
    let (o, n) = (
        format!("{OLD}, from = \"2020-02-01\""),
        format!("{NEW}, from = \"2026-01-01\", repeals = [\"o\"]"),
    );
    let (before, after) = (old("2025-12-31", "in-force"), old("2026-01-01", "repealed"));
    let (not_yet, in_force) = (new("2025-12-31", "not-yet"), new("2026-01-01", "in-force"));
    let steps = [
        ("2020-01-02", "publish", o.as_str(), "", old("2020-01-31", "not-yet")),
        ("2024-12-25", "publish", &n, "", before),
        ("2024-12-25", "", "", "", after),
        ("2024-12-25", "", "", "", not_yet),
        ("2024-12-25", "", "", "", in_force),
        // What was not published before it was.
        ("2024-12-25", "", "", "", seen("work = \"n\", on = \"2024-12-24\", seen = false, count = 1")),
        ("2025-01-01", "cite", "text = \"《增值税法》第二条第一款第一项\", on = \"2025-06-01\"", "", "expect = { set = { status = \"not-yet\", text = \"寅；\", version = \"1\", known = \"中华人民共和国增值税法\" } }".into()),
        ("2025-01-01", "cite", "text = \"《增值税暂行条例》第二条\", on = \"2026-06-01\"", "", "expect = { set = { status = \"repealed\" } }".into()),
        ("2025-01-01", "cite", "text = \"《增值税法》第三条\", on = \"2025-06-01\"", "", "refused = { rule = \"laws/order/cite/there\", law = \"立法法 61\" }".into()),
        // The second that takes its place changes nothing of it any more, and one that is not there is no work.
        ("2026-02-01", "repeal", "work = \"o\", from = \"2026-02-01\", parts = []", "", "refused = { rule = \"laws/order/repeal/publish\", law = \"立法法 61\", says = \"已废止\" }".into()),
        ("2026-02-01", "repeal", "work = \"x\", from = \"2026-02-01\", parts = []", "", "refused = { rule = \"laws/order/repeal/publish\", says = \"x\" }".into()),
        ("2026-02-01", "publish", &n, "", "refused = { rule = \"laws/order/publish/publish\", says = \"n\" }".into()),
    ];
    let steps: Vec<_> = steps.iter().map(|(a, b, c, d, e)| (*a, *b, *c, *d, e.as_str())).collect();
    let (module, state) = told(&story(&steps));
    let at = Instant(1_800_000_000);
    let published = Published::new(&state, &module, at);
    let opened = published.open("law", "o", published.today()).expect("reads").expect("there");
    let last = opened.of.events.last().expect("an event");
    assert_eq!((last.by.as_deref(), last.on.to_string().as_str()), (Some("n"), "2026-01-01"));
}

#[test]
fn parts_are_suspended_resumed_and_repealed_and_versions_follow_each_other() {
    let part = |on: &str, address: &str, what: &str| {
        seen(&format!("work = \"n\", on = \"{on}\", parts = {{ \"{address}\" = \"{what}\" }}"))
    };
    let n = format!("{NEW}, from = \"2021-01-01\"");
    let two = "work = \"n\", title = \"中华人民共和国增值税法\", text = \"第一条 子。\\n第二条 丑二。\\n第三条 新。\", from = \"2023-01-01\"";
    let e = |from: &str, parts: &str| format!("work = \"n\", from = \"{from}\", parts = [{parts}]");
    let all: Vec<(&str, &str, String, &str, String)> = vec![
        ("2020-06-01", "publish", n, "", part("2021-01-01", "2.1.1", "寅；")),
        ("2021-02-01", "suspend", e("2021-03-01", "\"2.1\""), "试点", part("2021-03-01", "2.1.1", "[suspended] 寅；")),
        ("2021-02-02", "", String::new(), "", part("2021-03-01", "1.1", "子。")),
        ("2021-02-02", "resume", e("2021-02-20", "\"2.1\""), "", "refused = { rule = \"laws/order/resume/publish\", says = \"2021-02-20\" }".into()),
        ("2021-05-01", "resume", e("2021-06-01", "\"2.1\""), "", part("2021-06-01", "2.1.1", "寅；")),
        ("2021-07-01", "repeal", e("2021-08-01", "\"2.1.2\""), "", part("2021-08-01", "2.1.2", "[repealed] 卯。")),
        ("2021-07-01", "repeal", e("2021-08-01", "\"9.9\""), "", "refused = { rule = \"laws/order/repeal/publish\", says = \"9.9\" }".into()),
        // Of several on one day the declared order holds, whatever came first: amended, then suspended.
        ("2022-12-01", "suspend", e("2023-01-01", "\"1\""), "试点", part("2023-01-01", "1.1", "[suspended] 子。")),
        ("2022-12-02", "amend", two.to_owned(), "", part("2023-01-01", "3.1", "新。")),
        ("2022-12-02", "", String::new(), "", part("2023-01-01", "1.1", "[suspended] 子。")),
        ("2022-12-02", "", String::new(), "", seen("work = \"n\", on = \"2022-12-31\", version = 1")),
        ("2022-12-02", "", String::new(), "", seen("work = \"n\", on = \"2023-01-01\", version = 2, status = \"in-force\"")),
        ("2023-02-01", "correct", "work = \"n\", title = \"中华人民共和国增值税法\", text = \"第一条 子。\\n第二条 丑二更。\\n第三条 新。\"".into(), "漏字", part("2023-02-01", "2.1", "丑二更。")),
        ("2023-02-01", "correct", "work = \"n\", title = \"中华人民共和国增值税法\", text = \"第一条 子。\"".into(), "", "refused = { rule = \"laws/order/correct/reason\", says = \"必须说明理由\" }".into()),
    ];
    let steps: Vec<_> =
        all.iter().map(|(a, b, c, d, e)| (*a, *b, c.as_str(), *d, e.as_str())).collect();
    let (module, state) = told(&story(&steps));
    let published = Published::new(&state, &module, Instant(1_680_000_000));
    let today = published.today();
    let first = published.open_version("law", "n", 1, today).expect("reads").expect("there");
    assert_eq!(first.status, Status::Amended);
    let changes = published.compare("law", "n", 1, 2).expect("reads").expect("both");
    let said: Vec<_> = changes
        .iter()
        .map(|change| (change.address(), matches!(change, Change::Repealed(_))))
        .collect();
    assert_eq!(
        said,
        [("2.1", false), ("3", false), ("3.1", false), ("2.1.1", true), ("2.1.2", true)]
    );
    let citation = Citation::read("《增值税法》第二条第一款第二项").expect("a citation");
    let on = |day: &str| {
        let found = published
            .cited("law", &citation, day.parse().expect("a day"))
            .expect("reads")
            .expect("there");
        (found.opened.version, found.parts.first().map(|(_, status)| *status))
    };
    assert_eq!(on("2021-07-31"), (1, Some(Status::InForce)));
    assert_eq!(on("2021-08-01"), (1, Some(Status::Repealed)));
    assert_eq!(on("2023-01-01"), (2, None));
}

#[test]
fn what_is_under_embargo_is_nowhere_and_what_is_taken_back_has_no_words() {
    let n = format!("{NEW}, from = \"2021-01-01\", embargo = \"2020-06-10T08:00:00+08:00\"");
    let steps = [
        ("2020-06-01", "publish", n.as_str(), "", seen("work = \"n\", seen = false, count = 0")),
        (
            "2020-07-01",
            "withdraw",
            "work = \"n\", from = \"2020-07-01\", parts = []",
            "文本有误",
            seen(
                "work = \"n\", status = \"withdrawn\", reason = \"文本有误\", count = 1, parts = { \"1.1\" = \"\" }",
            ),
        ),
        (
            "2020-07-02",
            "withdraw",
            "work = \"n\", from = \"2020-07-01\", parts = []",
            "又",
            "refused = { rule = \"laws/order/withdraw/publish\", says = \"已撤回\" }".into(),
        ),
        (
            "2020-07-02",
            "amend",
            n.as_str(),
            "",
            "refused = { rule = \"laws/order/amend/publish\", says = \"已撤回\" }".into(),
        ),
    ];
    let steps: Vec<_> = steps.iter().map(|(a, b, c, d, e)| (*a, *b, *c, *d, e.as_str())).collect();
    let (module, state) = told(&story(&steps));
    let end: Instant = "2020-06-10T08:00:00+08:00".parse().expect("a moment");
    let citation = Citation::read("《增值税法》").expect("a citation");
    for (at, there) in [(Instant(end.0 - 1), false), (end, true)] {
        let published = Published::new(&state, &module, at);
        let day = published.today();
        assert_eq!(published.open("law", "n", day).expect("reads").is_some(), there);
        assert_eq!(published.cited("law", &citation, day).expect("reads").is_some(), there);
        assert_eq!(published.count("law", day).expect("reads"), usize::from(there));
        assert_eq!(published.newest("law", 10).expect("reads").len(), usize::from(there));
        assert_eq!(published.entries("law", "n").expect("reads").len(), usize::from(there));
        let feed = feed(&published, "law", "https://a.gov.cn", Language::Zh)
            .expect("reads")
            .expect("a feed");
        assert_eq!(String::from_utf8(feed).expect("text").contains("增值税"), there);
        let next = published.next_shown("law").expect("reads");
        // Later it is taken back, which is another thing to come.
        let taken_back = "2020-07-01T09:00:00+08:00".parse().expect("a moment");
        assert_eq!(next, Some(if there { taken_back } else { end }));
    }
    // Whoever reads today as of a day on which it was there reads no words either.
    let later = Published::new(&state, &module, Instant(end.0 + 40 * 86_400));
    let opened = later
        .open("law", "n", "2020-06-20".parse().expect("a day"))
        .expect("reads")
        .expect("there");
    assert_eq!((opened.status, opened.parts.len(), opened.digest), (Status::Withdrawn, 0, None));
    assert_eq!(later.entries("law", "n").expect("reads"), []);
    assert_eq!(later.compare("law", "n", 1, 1).expect("reads"), None);
}

#[test]
fn fields_are_parts_under_their_names_and_events_have_a_module_s_own_words() {
    let publication = PUBLICATION
        .replace("text = \"it.text\"\nparts = \"article/paragraph/item/point\"", "unit = \"fields\"")
        .replace(
            "events = [\"publish\", \"commence\", \"amend\", \"correct\", \"suspend\", \"resume\", \"repeal\", \"withdraw\"]",
            "events = { tender = \"publish\", award = \"amend\", off = \"withdraw\", gone = \"repeal\" }",
        );
    let begin = CASE.split("[act.amend]").next().expect("a case");
    let case = begin.replace("as = \"publish\"", "as = \"tender\"")
        + "[act.award]\nform = \"text\"\nto = \"done\"\nby = [\"editor\"]\n\
           then.publish = { publish = \"law\", as = \"award\", work = \"doc.work\", form = \"doc\" }\n";
    let n = "work = \"n\", title = \"招标公告\", text = \"采购电脑\"";
    let seen = seen("work = \"n\", title = \"招标公告\", parts = { text = \"采购电脑\" }");
    let steps = [("2020-06-01", "publish", n, "", seen.as_str())];
    let story = story(&steps);
    let folder = folder_of(&publication, &case, Some(&story), &[("forms/text.json", TEXT)]);
    let module = Module::read(&folder).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    let told = Scenario::read(&story).expect("a story").run(&module, &folder.encode());
    assert!(told.is_ok(), "{told:?}");
}

#[test]
fn a_folder_says_what_is_wrong_with_a_publication() {
    let with = |from: &str, to: &str| mistakes(&PUBLICATION.replace(from, to), CASE);
    let has = |found: Vec<What>, code: &str, word: &str| {
        let there =
            found.iter().any(|what| what.code() == code && format!("{what:?}").contains(word));
        assert!(there, "{code} {word}: {found:#?}");
    };
    assert_eq!(mistakes(PUBLICATION, CASE), []);
    has(with("\"publish\", ", ""), "missing-key", "events: publish");
    has(with("\"commence\"", "\"comence\""), "word", "comence");
    has(with("article/paragraph/item/point", "chapter"), "word", "chapter");
    has(with("title = \"it.title\"\n", ""), "missing-key", "title");
    has(with("text = \"it.text\"\n", ""), "missing-key", "text");
    has(with("form = \"text\"", "form = \"txt\""), "undeclared", "txt");
    has(with("\"it.embargo\"", "\"it.title\""), "result", "instant");
    has(with("\"it.title\"", "\"it.titel\""), "kinds", "titel");
    has(with("law = \"61\"", "law = \"\""), "no-law", "law");
    has(with("parts =", "unit = \"fields\"\nparts ="), "both", "parts");
    has(with("\"repeal\", ", ""), "missing-key", "events: repeal");
    let personal = TEXT.replace("\"sort\": {", "\"sort\": { \"x-personal\": true,");
    let forms = [
        ("forms/text.json", personal.as_str()),
        ("forms/event.json", EVENT),
        ("forms/cite.json", CITE),
    ];
    let folder = folder_of(PUBLICATION, CASE, None, &forms);
    let found = Module::read(&folder).err().unwrap_or_default();
    has(found.into_iter().map(|mistake| mistake.what).collect(), "personal", "sort");
    let case = |from: &str, to: &str| mistakes(PUBLICATION, &CASE.replace(from, to));
    has(case("as = \"suspend\"", "as = \"suspended\""), "undeclared", "suspended");
    has(
        case("publish = \"law\", as = \"amend\"", "publish = \"lex\", as = \"amend\""),
        "undeclared",
        "lex",
    );
    has(
        case(
            "reason = true\nthen.publish = { publish = \"law\", as = \"withdraw\"",
            "then.publish = { publish = \"law\", as = \"withdraw\"",
        ),
        "missing-key",
        "reason",
    );
    has(
        case(
            "as = \"withdraw\", work = \"doc.work\"",
            "as = \"withdraw\", work = \"doc.work\", from = \"doc.from\"",
        ),
        "needless",
        "from",
    );
    has(
        case(
            "as = \"publish\", work = \"doc.work\", form = \"doc\"",
            "as = \"publish\", work = \"doc.work\"",
        ),
        "missing-key",
        "form",
    );
    has(
        case(
            "form = \"doc\", from = \"doc.from\"",
            "form = { titel = \"doc.title\" }, from = \"doc.from\"",
        ),
        "undeclared",
        "titel",
    );
    has(
        case("cited('law', doc.on, doc.text).found", "cited('lex', doc.on, doc.text).found"),
        "undeclared",
        "lex",
    );
}

const HOSTILE: &str = "work = \"n\", title = \"<script>alert(1)</script>\\\"'&\", text = \"第一条 <img src=x onerror=alert(1)>\\n]]>&amp;\", issuer = \"</dd><script>\", sort = \"a\"";

#[test]
fn nothing_that_somebody_wrote_is_markup_in_a_feed_or_copy() {
    let steps = [("2020-06-01", "publish", HOSTILE, "", seen("work = \"n\", seen = true"))];
    let steps: Vec<_> = steps.iter().map(|(a, b, c, d, e)| (*a, *b, *c, *d, e.as_str())).collect();
    let (module, state) = told(&story(&steps));
    let published = Published::new(&state, &module, Instant(1_600_000_000));
    let copy =
        copy(&published, "law", "https://a.gov.cn/\"><script>", Language::Zh).expect("reads");
    assert_eq!(copy.files.len(), 4);
    for (path, bytes) in &copy.files {
        assert!(
            path.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-'),
            "{path}"
        );
        let text = String::from_utf8(bytes.clone()).expect("text");
        for never in ["<script", "<img", "onerror=alert(1)>", "&amp;amp;amp;"] {
            assert!(!text.contains(never), "{path}: {never}\n{text}");
        }
        // Whoever reads it as XML finds it whole, with the words as they were.
        let xml = text.replace("<!DOCTYPE html>\n", "").replace("<meta charset=\"utf-8\">", "");
        assert_eq!(xml.matches('<').count(), xml.matches('>').count(), "{path}");
    }
}

/// The bytes of a feed, a page, an index and a manifest: others rest on their form.
#[test]
fn a_feed_and_a_copy_are_the_same_bytes_every_time() {
    let n = format!("{NEW}, from = \"2021-01-01\", repeals = [\"o\"]");
    let o = format!("{OLD}, from = \"2020-02-01\"");
    let steps = [
        ("2020-01-02", "publish", o.as_str(), "", seen("work = \"o\", seen = true")),
        ("2020-06-01", "publish", n.as_str(), "", seen("work = \"n\", seen = true")),
        (
            "2020-07-01",
            "suspend",
            "work = \"n\", from = \"2021-02-01\", parts = [\"2\"]",
            "试点 <一>",
            seen("work = \"n\", seen = true"),
        ),
    ];
    let steps: Vec<_> = steps.iter().map(|(a, b, c, d, e)| (*a, *b, *c, *d, e.as_str())).collect();
    let (module, state) = told(&story(&steps));
    let published = Published::new(&state, &module, Instant(1_614_000_000));
    let made = copy(&published, "law", "https://a.gov.cn/fg/", Language::Zh).expect("reads");
    assert_eq!(made, copy(&published, "law", "https://a.gov.cn/fg", Language::Zh).expect("reads"));
    let mut all = String::new();
    for (path, bytes) in &made.files {
        let text = String::from_utf8(bytes.clone()).expect("text");
        writeln!(all, "==== {path}\n{text}").expect("a text");
    }
    all.push_str(&String::from_utf8(made.manifest).expect("text"));
    // The version of the module is the digest of this test's folder.
    let all = all.replace(&module.digest().to_string(), "MODULE");
    if std::env::var_os("CHANCERY_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/mechanism/publication/copy.snapshot");
        std::fs::write(path, &all).expect("writes");
    }
    assert_eq!(all, include_str!("copy.snapshot"));
}
