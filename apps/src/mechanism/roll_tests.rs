//! A month's pensions: a roll of 3,000, each paid by an entry of its own, through faults.

use std::collections::{BTreeMap, BTreeSet};

use chancery_protocol::FormValue;

use super::{
    RollHead, refused_members,
    roll::digest_of,
    world::{World, each_is_found, text},
};
use crate::{
    record::{Outcome, Subject},
    scenario::Scenario,
    value::Value,
};

const FILES: [(&str, &str); 9] = [
    (
        "module.toml",
        "module = \"pension\"\nversion = \"1\"\nlaw = \"社会保险法\"\nnames = { \"zh-CN\" = \"养老金\", en = \"Pensions\" }\n\
         [role.clerk]\n",
    ),
    (
        "cases/enrol.toml",
        "case = \"enrol\"\n[state]\ndone = { end = true }\n[act.enrol]\nto = \"done\"\nby = [\"clerk\"]\n\
         then.record = { each = \"doc.people\", record = \"person\", with = \"x\" }\n",
    ),
    (
        "cases/month.toml",
        "case = \"month\"\n[state]\nopen = {}\nclosed = {}\nended = { end = true }\n\
         [act.begin]\nto = \"open\"\nby = [\"clerk\"]\nset = { least = \"doc.least\" }\n\
         [act.close]\nfrom = \"open\"\nto = \"closed\"\nby = [\"clerk\"]\nform = \"note\"\n\
         then.pay = { for_each = \"roll.entitled\", open = \"payment\", with = { who = \"x.key\", amount = \"x.amount + it.least - it.least\" } }\n\
         [act.again]\nfrom = \"closed\"\nto = \"closed\"\nby = [\"clerk\"]\nform = \"note\"\n\
         then.tell = { for_each = \"roll.entitled\", if = \"x.amount >= 3990\", notify = \"x.key\", say = \"paid\" }\n\
         [act.end]\nfrom = \"closed\"\nto = \"ended\"\nby = [\"clerk\"]\nform = \"note\"\n\
         need.paid = { that = \"roll('entitled').left == 0\", law = \"17\" }\n\
         need.his = { that = \"has(member('entitled', 'p0007').amount)\", law = \"17\" }\n",
    ),
    (
        "cases/payment.toml",
        "case = \"payment\"\nparent = \"month\"\n[state]\npaid = { end = true }\n\
         [unique.once]\nof = [\"it.who\"]\nlaw = \"17\"\n\
         [act.pay]\ninner = true\nfrom = \"\"\nform = \"payment\"\nto = \"paid\"\nset = { who = \"doc.who\", amount = \"doc.amount\" }\n\
         need.sane = { that = \"doc.amount != 1013\", law = \"18\" }\n",
    ),
    (
        "registries/person.toml",
        "registry = \"person\"\nkey = [\"it.id\"]\nvalid = { to = \"it.died\" }\n",
    ),
    (
        "rolls/entitled.toml",
        "roll = \"entitled\"\nfrom = \"person\"\nclose = \"month/close\"\nwhere = \"it.amount >= own.least\"\nfields = [\"amount\"]\nlaw = \"16\"\n\
         [not.abroad]\nthat = \"has(it.abroad) && it.abroad\"\nlaw = \"16\"\n",
    ),
    (
        "forms/person.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["id", "amount"], "properties": {
  "id": { "type": "string", "maxLength": 20 }, "amount": { "type": "integer" }, "abroad": { "type": "boolean" },
  "died": { "type": "string", "format": "date", "x-type": "date" } } }"#,
    ),
    (
        "forms/enrol.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["people"], "properties": {
  "people": { "type": "array", "maxItems": 1000, "items": { "type": "object", "additionalProperties": false, "required": ["id", "amount"],
  "properties": { "id": { "type": "string", "maxLength": 20 }, "amount": { "type": "integer" }, "abroad": { "type": "boolean" },
  "died": { "type": "string", "format": "date", "x-type": "date" } } } } } }"#,
    ),
    (
        "forms/note.json",
        r#"{ "type": "object", "additionalProperties": false, "properties": { "note": { "type": "string", "maxLength": 20 } } }"#,
    ),
];

const MORE: [(&str, &str); 2] = [
    (
        "forms/begin.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["least"], "properties": { "least": { "type": "integer" } } }"#,
    ),
    (
        "forms/payment.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["who", "amount"], "properties": {
  "who": { "type": "string", "maxLength": 50 }, "amount": { "type": "integer" } } }"#,
    ),
];

fn files() -> Vec<(&'static str, &'static str)> {
    FILES.into_iter().chain(MORE).collect()
}

fn person(n: usize) -> FormValue {
    let mut fields = BTreeMap::from([
        ("id".to_owned(), text(&format!("p{n:04}"))),
        ("amount".to_owned(), FormValue::Int(1_000 + i64::try_from(n).expect("few"))),
    ]);
    if n == 5 {
        fields.insert("abroad".into(), FormValue::Bool(true));
    }
    if n == 6 {
        fields.insert("died".into(), text("2020-01-01"));
    }
    FormValue::Map(fields)
}

fn enrolled(count: usize) -> World {
    let mut world = World::new(&files(), &[("li", "clerk")]);
    let all: Vec<_> = (0..count).map(person).collect();
    for some in all.chunks(1_000) {
        let form = [("people", FormValue::List(some.to_vec()))];
        world.file("li", "enrol/enrol", None, form).expect("they are enrolled");
    }
    world
}

#[test]
fn each_of_three_thousand_is_paid_once_whoever_goes_on() {
    let mut world = enrolled(3_004);
    let form = [("least", FormValue::Int(1_002))];
    let month = world.file("li", "month/begin", None, form).expect("it begins");
    world.file("li", "month/close", Some(&month), []).expect("it is closed");
    let head = RollHead::of(&world.state, "pension", "entitled", &month);
    let head = head.expect("it can be read").expect("it is frozen");
    // Two have too little, one is abroad, one has died.
    assert_eq!((head.count, head.excluded), (3_000, 1));
    let members = head.members(&world.state, "pension", "entitled", &month).expect("members");
    let bytes: Vec<_> =
        members.iter().map(|one| chancery_crypto::cbor::encode(one).expect("plain")).collect();
    assert_eq!(digest_of(&bytes), head.digest, "anybody can work out the digest");
    let out = head.left_out(&world.state, "pension", "entitled", &month).expect("left out");
    assert_eq!(
        (out[0].key.as_str(), out[0].by.as_slice()),
        ("p0005", ["abroad".to_owned()].as_slice())
    );
    // Not all are paid, and it cannot be ended; who comes later is not on the roll.
    let (rule, _) = world.refused("li", "month/end", Some(&month), []);
    assert_eq!(rule, "pension/month/end/paid");
    let late = FormValue::List(vec![person(9_000)]);
    world.file("li", "enrol/enrol", None, [("people", late)]).expect("he is enrolled");
    // Each round is by a kernel of its own, which knows no more than the rows. Whoever stops after some of them has lost nothing;
    // what was decided and not written has not been.
    let mut rounds = 0;
    loop {
        let before = world.state.clone();
        if rounds == 3 {
            let made = world.decisions().count();
            world.due_once();
            assert!(world.decisions().count() > made);
            world.forget(made, before);
        }
        rounds += 1;
        if world.due_once() == 0 {
            break;
        }
    }
    assert!(rounds > 10, "{rounds} rounds");
    let owed = world.decisions().filter_map(|decision| match &decision.record.subject {
        Subject::Owed { member, .. } => Some((*member, &decision.record.outcome)),
        _ => None,
    });
    let owed: Vec<_> = owed.collect();
    let each: BTreeSet<_> = owed.iter().map(|(member, _)| *member).collect();
    assert_eq!((owed.len(), each.len()), (3_000, 3_000));
    // One is refused, which holds up nobody, and is known by name.
    let refused = owed.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Refused(_)));
    assert_eq!(refused.count(), 1);
    let named = refused_members(&world.state, "pension", "entitled", &month, "", 10);
    let named = named.expect("they can be read");
    assert_eq!(named.iter().map(|(_, who)| who.as_str()).collect::<Vec<_>>(), ["p0013"]);
    let paid = world
        .state
        .rows()
        .filter(|(key, _)| key.family == crate::Family::Thing && key.name == "payment");
    let paid: BTreeSet<_> = paid
        .map(|(_, bytes)| crate::Thing::decode(bytes).expect("a thing").set["who"].to_string())
        .collect();
    assert_eq!(paid.len(), 2_999);
    assert!(paid.contains("p0002") && paid.contains("p3003") && !paid.contains("p9000"));
    let shown = super::show_roll(&world.state, "pension", "entitled", &month, "refused", "");
    assert_eq!(shown.expect("it can be read"), "1");
    world.file("li", "month/end", Some(&month), []).expect("it is ended");
    world.replay();
}

#[test]
fn a_roll_is_made_once_and_by_no_record_of_which_something_is_missing() {
    let mut world = enrolled(10);
    let month =
        world.file("li", "month/begin", None, [("least", FormValue::Int(0))]).expect("begun");
    world.file("li", "month/close", Some(&month), []).expect("it is closed");
    let (_, said) = world.refused("li", "month/close", Some(&month), []);
    assert!(said.starts_with("CHY-7102"), "{said}");
    let found = super::roll::member(&world.state, "pension", "entitled", &month, "p0003");
    let found = found.expect("it can be read").expect("a member");
    assert_eq!(found.fields, BTreeMap::from([("amount".to_owned(), Value::Int(1_003))]));
    let nobody = super::roll::member(&world.state, "pension", "entitled", &month, "p0005");
    assert_eq!(nobody.expect("it can be read"), None);
    // The same roll can owe again, and what it owes is another thing.
    assert_eq!(world.due(), 8);
    world.file("li", "month/again", Some(&month), []).expect("they are told");
    assert_eq!(world.due(), 8);
    world.file("li", "month/end", Some(&month), []).expect("it is ended");
    world.replay();
}

#[test]
fn each_mistake_of_a_roll_is_found() {
    let (file, case) = ("rolls/entitled.toml", "cases/month.toml");
    each_is_found(
        &files(),
        &[
            (file, "from = \"person\"", "from = \"persons\"", "undeclared", "person"),
            (file, "month/close", "month/shut", "undeclared", "shut"),
            (file, "month/close", "months/close", "undeclared", "months"),
            (file, "month/close", "close", "kind", "close"),
            (file, "where = \"it.amount", "where = \"it.amonut", "kinds", "amonut"),
            (
                file,
                "where = \"it.amount >= own.least\"",
                "where = \"it.amount\"",
                "result",
                "it.amount",
            ),
            (file, "where = \"it.amount >= own.least\"", "where = \"1 < 2\"", "constant", "where"),
            (file, "where = \"it.amount", "where = \"doc.amount", "kinds", "doc"),
            (file, "\"amount\"]", "\"amonut\"]", "undeclared", "amonut"),
            (
                file,
                "fields = [\"amount\"]\nlaw = \"16\"",
                "fields = [\"amount\"]",
                "no-law",
                "entitled",
            ),
            (file, "it.abroad\"\nlaw = \"16\"", "it.abroad\"", "no-law", "abroad"),
            (file, "that = \"has(it.abroad) && it.abroad\"", "", "missing-key", "that"),
            (file, "close = ", "closes = ", "unknown-key", "closes"),
            (file, "roll = \"entitled\"", "roll = \"person\"", "twice", "person"),
            (case, "roll.entitled\", open", "roll.entitle\", open", "undeclared", "entitle"),
            (case, "roll.entitled\", open", "entitled\", open", "kind", "roll.NAME"),
            (case, "\"x.amount + it", "\"x.amonut + it", "kinds", "amonut"),
            (case, "\"x.amount + it", "\"doc.note == '' ? 1 : it", "not-here", "doc"),
            (
                case,
                "{ for_each = \"roll.entitled\", if",
                "{ for_each = \"roll.entitled\", each = \"[1]\", if",
                "both",
                "for_each",
            ),
            (case, "roll('entitled')", "roll('entitles')", "undeclared", "entitles"),
            (
                case,
                "member('entitled', 'p0007').amount",
                "member('entitled', 'p0007').id",
                "kinds",
                "id",
            ),
        ],
    );
}

#[test]
fn a_story_speaks_of_rolls() {
    let story = "scenario = \"1\"\ntitle = \"t\"\nhome = \"a.gov.cn\"\nstart = \"2026-03-02T08:00:00+08:00\"\n[officer]\nli = { roles = [\"clerk\"] }\n\
        [[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"li\"\nact = \"enrol/enrol\"\nform = { people = [{ id = \"a\", amount = 5 }, { id = \"b\", amount = 6, abroad = true }] }\n\
        [[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"li\"\nact = \"month/begin\"\nas = \"m\"\nform = { least = 1 }\n\
        [[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"li\"\nact = \"close\"\non = \"m\"\n\
        [[step]]\nat = \"2026-03-02T09:01:00+08:00\"\non = \"m\"\n\
        expect = { kids = { payment = 1 }, roll = { \"entitled/count\" = \"1\", \"entitled/excluded\" = \"1\", \"entitled/left\" = \"0\", \"entitled/member/a\" = \"WANTED\", \"entitled/member/b\" = \"nobody\" } }\n";
    let run = |wanted: &str| {
        let story = story.replace("WANTED", wanted);
        let all: Vec<_> =
            files().into_iter().chain([("scenarios/1.toml", story.as_str())]).collect();
        let folder = super::world::folder(&all);
        let module =
            crate::Module::read(&folder).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
        Scenario::read(&story).expect("a story").run(&module, &folder.encode())
    };
    let told = run("{amount: 5}");
    assert!(told.is_ok(), "{told:?}");
    assert!(run("{amount: 6}").is_err(), "a story that says otherwise fails");
}
