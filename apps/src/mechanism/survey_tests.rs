//! Whether a road is closed: each on the list answers once, and small numbers are not shown.

use std::collections::BTreeMap;

use chancery_protocol::FormValue;

use super::{
    survey::Shown,
    token_digest,
    world::{World, each_is_found, text},
};
use crate::state::Family;

const FILES: [(&str, &str); 9] = [
    (
        "module.toml",
        "module = \"voice\"\nversion = \"1\"\nlaw = \"重大行政决策程序暂行条例\"\nnames = { \"zh-CN\" = \"公众参与\", en = \"Consultation\" }\n\
         [role.clerk]\n",
    ),
    (
        "cases/enrol.toml",
        "case = \"enrol\"\n[state]\ndone = { end = true }\n[act.enrol]\nto = \"done\"\nby = [\"clerk\"]\n\
         then.record = { each = \"doc.tokens\", record = \"invitation\", with = { token = \"x\" } }\n",
    ),
    (
        "cases/road.toml",
        "case = \"road\"\n[state]\nopen = {}\nasking = {}\nended = { end = true }\n\
         [act.begin]\nto = \"open\"\nby = [\"clerk\"]\nform = \"note\"\n\
         [act.ask]\nfrom = \"open\"\nto = \"asking\"\nby = [\"clerk\"]\nform = \"note\"\n\
         [act.answer]\nfrom = [\"open\", \"asking\"]\nby = [\"clerk\"]\nform = \"answer\"\n\
         then.count = { answer = \"close\", token = \"doc.token\", with = \"doc.answers\" }\n\
         [act.end]\nfrom = \"asking\"\nto = \"ended\"\nby = [\"clerk\"]\nform = \"note\"\n\
         set = { yes = \"tally('close').view.yes\", all = \"tally('close').answers\" }\n\
         need.enough = { that = \"tally('close').answers >= 8\", law = \"15\" }\n",
    ),
    ("registries/invitation.toml", "registry = \"invitation\"\nkey = [\"it.token\"]\n"),
    (
        "rolls/asked.toml",
        "roll = \"asked\"\nfrom = \"invitation\"\nkey = \"it.token\"\nclose = \"road/ask\"\nfields = [\"token\"]\nlaw = \"14\"\n",
    ),
    (
        "surveys/close.toml",
        "survey = \"close\"\nform = \"views\"\ninvited = \"roll.asked\"\ntoken = \"list\"\nleast = 3\nlaw = \"14\"\n\
         [quota.traders]\nthat = \"doc.trader\"\nmost = 4\nlaw = \"16\"\n",
    ),
    (
        "forms/views.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["view", "trader"], "properties": {
  "view": { "type": "string", "enum": ["yes", "no", "none"], "maxLength": 10 }, "trader": { "type": "boolean" },
  "words": { "type": "string", "maxLength": 200 } } }"#,
    ),
    (
        "forms/answer.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["token", "answers"], "properties": {
  "token": { "type": "string", "maxLength": 300 },
  "answers": { "type": "object", "additionalProperties": false, "required": ["trader"], "properties": {
    "view": { "type": "string", "enum": ["yes", "no", "none"], "maxLength": 10 }, "trader": { "type": "boolean" },
    "words": { "type": "string", "maxLength": 200 } } } } }"#,
    ),
    (
        "forms/note.json",
        r#"{ "type": "object", "additionalProperties": false, "properties": { "note": { "type": "string", "maxLength": 20 } } }"#,
    ),
];

const MORE: [(&str, &str); 2] = [
    (
        "forms/enrol.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["tokens"], "properties": {
  "tokens": { "type": "array", "maxItems": 1000, "items": { "type": "string", "maxLength": 64 } } } }"#,
    ),
    (
        "forms/invitation.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["token"], "properties": { "token": { "type": "string", "maxLength": 64 } } }"#,
    ),
];

fn files() -> Vec<(&'static str, &'static str)> {
    FILES.into_iter().chain(MORE).collect()
}

fn token(n: usize) -> String {
    format!("T-{n:03}-4b1e9c")
}

fn begun() -> (World, String) {
    let mut world = World::new(&files(), &[("li", "clerk")]);
    let digests = (0..30).map(|n| text(&token_digest("voice", "close", &token(n)).to_string()));
    let form = [("tokens", FormValue::List(digests.collect()))];
    world.file("li", "enrol/enrol", None, form).expect("they are enrolled");
    let road = world.file("li", "road/begin", None, []).expect("it is begun");
    (world, road)
}

fn answer(token: &str, view: &str, trader: bool) -> [(&'static str, FormValue); 2] {
    let answers = BTreeMap::from([
        ("view".to_owned(), text(view)),
        ("trader".to_owned(), FormValue::Bool(trader)),
        ("words".to_owned(), text("a word of my own")),
    ]);
    [("token", text(token)), ("answers", FormValue::Map(answers))]
}

fn shown(world: &World, road: &str) -> Shown {
    let survey = world.module.more.surveys.get("close").expect("a survey");
    Shown::of(&world.state, "voice", survey, road).expect("it can be read")
}

#[test]
fn each_token_answers_once_and_small_numbers_are_not_shown() {
    let (mut world, road) = begun();
    world.file("li", "road/ask", Some(&road), []).expect("it is asked");
    for n in 0..9 {
        let view = if n < 7 { "yes" } else { "no" };
        world
            .file("li", "road/answer", Some(&road), answer(&token(n), view, false))
            .expect("taken");
    }
    // Two say no: that is not shown, and neither is what would give it away.
    let now = shown(&world, &road);
    assert_eq!((now.answers, now.hidden), (9, 2));
    assert!(now.fields["view"].is_empty(), "{:?}", now.fields);
    for n in 9..12 {
        world
            .file("li", "road/answer", Some(&road), answer(&token(n), "no", false))
            .expect("taken");
    }
    let now = shown(&world, &road);
    let counted = BTreeMap::from([("no".to_owned(), 5), ("yes".to_owned(), 7)]);
    assert_eq!((&now.fields["view"], now.hidden), (&counted, 0));
    // Free text is in no table.
    assert!(!now.fields.contains_key("words"));
    world.file("li", "road/end", Some(&road), []).expect("it is ended");
    let thing = crate::Thing::get(&world.state, "voice", "road", &road).expect("read").expect("it");
    assert_eq!(
        (thing.set["yes"].to_string(), thing.set["all"].to_string()),
        ("7".into(), "12".into())
    );
    world.replay();
}

#[test]
fn nobody_answers_twice_or_for_another_or_beyond_a_quota() {
    let (mut world, road) = begun();
    let refused = |world: &mut World, token: &str, trader| {
        world.refused("li", "road/answer", Some(&road), answer(token, "yes", trader))
    };
    // Before the list is closed nobody answers; afterwards nobody comes onto it.
    assert!(refused(&mut world, &token(0), false).1.starts_with("CHY-7102"));
    world.file("li", "road/ask", Some(&road), []).expect("it is asked");
    let late = token_digest("voice", "close", "late").to_string();
    let form = [("tokens", FormValue::List(vec![text(&late)]))];
    world.file("li", "enrol/enrol", None, form).expect("he is enrolled");
    assert!(refused(&mut world, "late", false).1.starts_with("CHY-7103"));
    // Whoever has the list has digests alone: those are no tokens, and neither is one of another survey.
    let digest = token_digest("voice", "close", &token(1)).to_string();
    for other in [digest.as_str(), "T-001", "", &"x".repeat(300)] {
        let (_, said) = refused(&mut world, other, false);
        assert!(said.starts_with("CHY-7103") || said.starts_with("CHY-7105"), "{said}");
    }
    assert_ne!(token_digest("voice", "close", "a"), token_digest("voice", "open", "a"));
    for n in 0..4 {
        world
            .file("li", "road/answer", Some(&road), answer(&token(n), "yes", true))
            .expect("taken");
    }
    let (rule, said) = refused(&mut world, &token(2), false);
    assert!(said.starts_with("CHY-7107"), "{rule} {said}");
    let (rule, said) = refused(&mut world, &token(9), true);
    assert_eq!(rule, "voice/close/traders");
    assert!(said.starts_with("CHY-7106"), "{said}");
    // Whose token was refused for a quota has not answered, and may answer otherwise.
    world.file("li", "road/answer", Some(&road), answer(&token(9), "no", false)).expect("taken");
    // The rows say which tokens were used and what was counted, and not together.
    let rows = world.state.rows().filter(|(key, _)| key.family == Family::Survey);
    let (used, counts): (Vec<_>, Vec<_>) = rows.partition(|(key, _)| key.id.starts_with("used/"));
    assert_eq!((used.len(), counts.len()), (5, 1));
    assert!(used.iter().all(|(_, value)| value.is_empty()));
    world.replay();
}

#[test]
fn each_mistake_of_a_survey_is_found() {
    let (file, case) = ("surveys/close.toml", "cases/road.toml");
    each_is_found(
        &files(),
        &[
            (file, "roll.asked", "roll.askd", "undeclared", "asked"),
            (file, "roll.asked", "asked", "kind", "roll.NAME"),
            (file, "form = \"views\"", "form = \"vews\"", "undeclared", "views"),
            (file, "form = \"views\"", "form = \"invitation\"", "nothing-to-count", "invitation"),
            (file, "token = \"list\"", "token = \"blind\"", "word", "blind"),
            (file, "token = \"list\"\n", "", "missing-key", "token"),
            (file, "least = 3\n", "", "missing-key", "least"),
            (file, "least = 3", "least = 0", "kind", "least"),
            (file, "doc.trader", "doc.traders", "kinds", "traders"),
            (file, "doc.trader", "doc.view", "result", "doc.view"),
            (file, "most = 4\n", "", "missing-key", "most"),
            (file, "most = 4\nlaw = \"16\"", "most = 4", "no-law", "traders"),
            (file, "least = 3\nlaw = \"14\"", "least = 3", "no-law", "close"),
            (file, "least", "lest", "unknown-key", "lest"),
            (file, "survey = \"close\"", "survey = \"asked\"", "twice", "asked"),
            (case, "answer = \"close\"", "answer = \"clse\"", "undeclared", "close"),
            (case, "token = \"doc.token\", ", "", "missing-key", "token"),
            (case, "tally('close').view", "tally('clos').view", "undeclared", "close"),
            (case, "tally('close').view", "tally('close').words", "kinds", "words"),
        ],
    );
}
