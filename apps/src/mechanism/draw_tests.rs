//! Experts who judge a bid: drawn by nobody, so that whoever made the list cannot have chosen them.

use std::collections::BTreeMap;

use chancery_crypto::{Digest, Hasher};
use chancery_protocol::FormValue;

use super::{
    DrawResult, RollHead, draw_commitment, draw_order, draw_seed,
    world::{World, each_is_found, name, text},
};
use crate::record::Checkpoint;

const FILES: [(&str, &str); 8] = [
    (
        "module.toml",
        "module = \"bid\"\nversion = \"1\"\nlaw = \"政府采购法\"\nnames = { \"zh-CN\" = \"评审\", en = \"Panels\" }\n\
         [role.clerk]\n",
    ),
    (
        "cases/enrol.toml",
        "case = \"enrol\"\n[state]\ndone = { end = true }\n[act.enrol]\nto = \"done\"\nby = [\"clerk\"]\n\
         then.record = { each = \"doc.people\", record = \"expert\", with = \"x\" }\n",
    ),
    (
        "cases/panel.toml",
        "case = \"panel\"\n[state]\nopen = {}\nlisted = {}\ndrawn = {}\nended = { end = true }\n\
         [act.begin]\nto = \"open\"\nby = [\"clerk\"]\nform = \"note\"\n\
         [act.commit]\nfrom = \"open\"\nto = \"open\"\nby = [\"clerk\"]\nform = \"note\"\n\
         then.commit = { commit = \"panel-draw\", by = \"me.name\", value = \"doc.note\" }\n\
         [act.list]\nfrom = [\"open\", \"listed\"]\nto = \"listed\"\nby = [\"clerk\"]\nform = \"note\"\n\
         [act.reveal]\nfrom = [\"open\", \"listed\"]\nby = [\"clerk\"]\nform = \"note\"\n\
         then.reveal = { reveal = \"panel-draw\", by = \"me.name\", value = \"doc.note\" }\n\
         [act.draw]\nfrom = [\"listed\", \"drawn\"]\nto = \"drawn\"\nby = [\"clerk\"]\nform = \"note\"\n\
         then.draw = { draw = \"panel-draw\" }\n\
         [act.refuse]\nfrom = \"drawn\"\nby = [\"clerk\"]\nform = \"refuse\"\n\
         then.next = { replace = \"panel-draw\", of = \"doc.who\", reason = \"doc.why\" }\n\
         [act.end]\nfrom = \"drawn\"\nto = \"ended\"\nby = [\"clerk\"]\nform = \"note\"\n\
         need.full = { that = \"drawn('panel-draw').size() == 5\", law = \"38\" }\n",
    ),
    ("registries/expert.toml", "registry = \"expert\"\nkey = [\"it.id\"]\n"),
    (
        "rolls/pool.toml",
        "roll = \"pool\"\nfrom = \"expert\"\nclose = \"panel/list\"\nfields = [\"trade\"]\nlaw = \"12\"\n\
         [not.kin]\nthat = \"has(it.kin) && it.kin\"\nlaw = \"12\"\n",
    ),
    (
        "draws/panel-draw.toml",
        "draw = \"panel-draw\"\nfrom = \"roll.pool\"\nn = \"stratum == 'law' ? 2 : 3\"\nspare = \"2\"\nstrata = \"trade\"\n\
         contributors = \"['li@a.gov.cn', 'wang@a.gov.cn']\"\nwitnesses = 2\nlaw = \"12\"\n",
    ),
    (
        "forms/enrol.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["people"], "properties": {
  "people": { "type": "array", "maxItems": 100, "items": { "type": "object", "additionalProperties": false, "required": ["id", "trade"],
  "properties": { "id": { "type": "string", "maxLength": 20 }, "trade": { "type": "string", "maxLength": 20 }, "kin": { "type": "boolean" } } } } } }"#,
    ),
    (
        "forms/note.json",
        r#"{ "type": "object", "additionalProperties": false, "properties": { "note": { "type": "string", "maxLength": 200 } } }"#,
    ),
];

const MORE: [(&str, &str); 2] = [
    (
        "forms/expert.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["id", "trade"], "properties": {
  "id": { "type": "string", "maxLength": 20 }, "trade": { "type": "string", "maxLength": 20 }, "kin": { "type": "boolean" } } }"#,
    ),
    (
        "forms/refuse.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["who", "why"], "properties": {
  "who": { "type": "string", "maxLength": 50 }, "why": { "type": "string", "maxLength": 50 } } }"#,
    ),
];

fn files() -> Vec<(&'static str, &'static str)> {
    FILES.into_iter().chain(MORE).collect()
}

const LI: &str = "li: 7d0e3c5f9a1b4d2e8f6071829394a5b6";
const WANG: &str = "wang: 00112233445566778899aabbccddeeff";

/// Twenty experts of two trades, of whom one is kin; a panel that is begun.
fn begun() -> (World, String) {
    let officers = [("li", "clerk"), ("wang", "clerk"), ("zhao", "clerk")];
    let mut world = World::new(&files(), &officers);
    let people = (0..20).map(|n: i64| {
        let mut fields = BTreeMap::from([
            ("id".to_owned(), text(&format!("e{n:02}"))),
            ("trade".to_owned(), text(if n % 2 == 0 { "law" } else { "works" })),
        ]);
        if n == 4 {
            fields.insert("kin".into(), FormValue::Bool(true));
        }
        FormValue::Map(fields)
    });
    let form = [("people", FormValue::List(people.collect()))];
    world.file("li", "enrol/enrol", None, form).expect("they are enrolled");
    let panel = world.file("li", "panel/begin", None, []).expect("it is begun");
    (world, panel)
}

fn commitment(panel: &str, who: &str, secret: &str) -> FormValue {
    text(&draw_commitment("bid", "panel-draw", panel, &name(who), secret).to_string())
}

fn act(world: &mut World, who: &str, act: &str, on: &str, say: FormValue) {
    let done = world.file(who, &format!("panel/{act}"), Some(on), [("note", say)]);
    done.unwrap_or_else(|reasons| panic!("{act}: {reasons:?}"));
}

fn said(world: &mut World, who: &str, act: &str, on: &str, say: &str) -> String {
    world.refused(who, &format!("panel/{act}"), Some(on), [("note", text(say))]).1
}

fn checkpoint(decisions: u64, witnesses: &[&str]) -> Checkpoint {
    let witnesses = witnesses.iter().map(|name| (*name).to_owned()).collect();
    Checkpoint { decisions, size: decisions + 3, root: Digest::of(b"a root"), witnesses }
}

#[test]
fn what_is_drawn_follows_from_what_each_committed_to_and_anybody_can_work_it_out() {
    let (mut world, panel) = begun();
    act(&mut world, "li", "commit", &panel, commitment(&panel, "li", LI));
    act(&mut world, "wang", "commit", &panel, commitment(&panel, "wang", WANG));
    act(&mut world, "zhao", "list", &panel, text("x"));
    act(&mut world, "wang", "reveal", &panel, text(WANG));
    act(&mut world, "li", "reveal", &panel, text(LI));
    let head = RollHead::of(&world.state, "bid", "pool", &panel).expect("read").expect("frozen");
    assert_eq!((head.count, head.excluded), (19, 1));
    // No checkpoint, one from before the list, one with too few witnesses: nothing is drawn.
    for given in [
        None,
        Some(checkpoint(head.number, &["w1", "w2"])),
        Some(checkpoint(head.number + 1, &["w1"])),
    ] {
        world.facts.checkpoint = given;
        assert!(said(&mut world, "zhao", "draw", &panel, "x").starts_with("CHY-7102"));
    }
    world.facts.checkpoint = Some(checkpoint(head.number + 1, &["w1", "w2"]));
    act(&mut world, "zhao", "draw", &panel, text("x"));
    let result = DrawResult::of(&world.state, "bid", "panel-draw", &panel);
    let result = result.expect("it can be read").expect("it is drawn");
    // Worked out again from what is public, by docs/formats.md and nothing else.
    let mut seed = Hasher::new();
    seed.update(b"chancery/1 draw seed\0");
    let root = Digest::of(b"a root");
    let (li, wang) = (name("li"), name("wang"));
    let parts: [&[u8]; 9] = [
        b"bid",
        b"panel-draw",
        panel.as_bytes(),
        head.digest.as_bytes(),
        li.as_bytes(),
        LI.as_bytes(),
        wang.as_bytes(),
        WANG.as_bytes(),
        root.as_bytes(),
    ];
    for part in parts {
        seed.update(&(part.len() as u64).to_be_bytes());
        seed.update(part);
    }
    assert_eq!(seed.finish(), result.seed);
    let members = head.members(&world.state, "bid", "pool", &panel).expect("members");
    for (stratum, n) in [("law", 2), ("works", 3)] {
        let own = members.iter().filter(|one| one.fields["trade"].to_string() == stratum);
        let order = draw_order(&result.seed, own.map(|one| one.key.as_str()));
        let of = |all: &[super::Drawn]| {
            let own = all.iter().filter(|one| one.stratum == stratum);
            own.map(|one| one.key.clone()).collect::<Vec<_>>()
        };
        assert_eq!(of(&result.chosen), order[..n]);
        assert_eq!(of(&result.spare), order[n..n + 2]);
    }
    // A member refuses: the first who stands by in his stratum comes, and after the second there is nobody.
    let gone = result.chosen.iter().find(|one| one.stratum == "law").expect("one").key.clone();
    let form = |who: &str| [("who", text(who)), ("why", text("ill"))];
    world.file("zhao", "panel/refuse", Some(&panel), form(&gone)).expect("he is replaced");
    let now = DrawResult::of(&world.state, "bid", "panel-draw", &panel).expect("read").expect("it");
    let by = &result.spare.iter().find(|one| one.stratum == "law").expect("one").key;
    assert_eq!((&now.replaced[0].key, &now.replaced[0].by), (&gone, by));
    assert!(now.chosen.iter().any(|one| one.key == *by) && now.chosen.len() == 5);
    let (_, why) = world.refused("zhao", "panel/refuse", Some(&panel), form(&gone));
    assert!(why.starts_with("CHY-7103"), "he is not drawn any more: {why}");
    world.file("zhao", "panel/refuse", Some(&panel), form(by)).expect("he is replaced");
    let third =
        DrawResult::of(&world.state, "bid", "panel-draw", &panel).expect("read").expect("it");
    let third = third.replaced[1].by.clone();
    let (_, why) = world.refused("zhao", "panel/refuse", Some(&panel), form(&third));
    assert!(why.starts_with("CHY-7106"), "nobody stands by: {why}");
    act(&mut world, "zhao", "end", &panel, text("x"));
    world.replay();
}

#[test]
fn whoever_knows_the_seed_chooses_no_members() {
    let (mut world, panel) = begun();
    act(&mut world, "li", "commit", &panel, commitment(&panel, "li", LI));
    // He wants to see the other's value first, and cannot: nothing is revealed before the list is frozen.
    assert!(said(&mut world, "li", "reveal", &panel, LI).starts_with("CHY-7102"));
    // He cannot take over a commitment of another as his own, nor commit as somebody who is not asked, nor twice.
    let stolen = draw_commitment("bid", "panel-draw", &panel, &name("li"), LI).to_string();
    assert!(said(&mut world, "zhao", "commit", &panel, &stolen).starts_with("CHY-7103"));
    assert!(said(&mut world, "li", "commit", &panel, &stolen).starts_with("CHY-7107"));
    assert!(said(&mut world, "wang", "commit", &panel, "abc").starts_with("CHY-7105"));
    act(&mut world, "wang", "commit", &panel, text(&stolen));
    act(&mut world, "zhao", "list", &panel, text("x"));
    act(&mut world, "li", "reveal", &panel, text(LI));
    assert!(
        said(&mut world, "wang", "reveal", &panel, LI).starts_with("CHY-7105"),
        "it is not his"
    );
    // He knows his own value now, and would like another list, or another value.
    assert!(said(&mut world, "zhao", "list", &panel, "x").starts_with("CHY-7102"));
    assert!(said(&mut world, "li", "commit", &panel, &stolen).starts_with("CHY-7102"));
    assert!(said(&mut world, "li", "reveal", &panel, WANG).starts_with("CHY-7107"));
    // Whoever keeps his value to himself draws nobody.
    world.facts.checkpoint = Some(checkpoint(1_000, &["w1", "w2"]));
    let why = said(&mut world, "zhao", "draw", &panel, "x");
    assert!(why.contains("wang@a.gov.cn"), "{why}");
    // A new expert, of whom he knows how he would be drawn, is on no list that is frozen.
    let late = BTreeMap::from([("id".to_owned(), text("e99")), ("trade".to_owned(), text("law"))]);
    let form = [("people", FormValue::List(vec![FormValue::Map(late)]))];
    world.file("li", "enrol/enrol", None, form).expect("he is enrolled");
    let head = RollHead::of(&world.state, "bid", "pool", &panel).expect("read").expect("frozen");
    assert_eq!(head.count, 19);
    world.replay();
    // Another panel: all is in order, and a second draw of the list is none.
    let (mut world, panel) = begun();
    act(&mut world, "li", "commit", &panel, commitment(&panel, "li", LI));
    act(&mut world, "wang", "commit", &panel, commitment(&panel, "wang", WANG));
    act(&mut world, "zhao", "list", &panel, text("x"));
    act(&mut world, "li", "reveal", &panel, text(LI));
    act(&mut world, "wang", "reveal", &panel, text(WANG));
    world.facts.checkpoint = Some(checkpoint(1_000, &["w1", "w2"]));
    act(&mut world, "zhao", "draw", &panel, text("x"));
    world.facts.checkpoint = Some(checkpoint(1_001, &["w1", "w2"]));
    assert!(said(&mut world, "zhao", "draw", &panel, "x").starts_with("CHY-7102"));
    world.replay();
}

#[test]
fn another_value_of_one_contributor_draws_others() {
    let list = Digest::of(b"list");
    let revealed = |secret: &str| {
        vec![("li".to_owned(), LI.to_owned()), ("wang".to_owned(), secret.to_owned())]
    };
    let seed = |secret: &str| draw_seed(("bid", "d", "t"), &list, &revealed(secret), None);
    assert_ne!(seed("a"), seed("b"));
    // Where one part ends and the next begins is part of it.
    let parts = |a: &str, b: &str| vec![(a.to_owned(), b.to_owned())];
    let of = |parts: &[(String, String)]| draw_seed(("bid", "d", "t"), &list, parts, None);
    assert_ne!(of(&parts("ab", "c")), of(&parts("a", "bc")));
    // Over many seeds, each is drawn about as often as each other.
    let keys: Vec<_> = (0..10).map(|n| format!("m{n}")).collect();
    let mut drawn = BTreeMap::new();
    for n in 0..3_000u32 {
        let order = draw_order(&Digest::of(&n.to_be_bytes()), keys.iter().map(String::as_str));
        *drawn.entry(order[0].to_owned()).or_insert(0u32) += 1;
    }
    assert!(drawn.len() == 10 && drawn.values().all(|n| (220..=380).contains(n)), "{drawn:?}");
}

#[test]
fn each_mistake_of_a_draw_is_found() {
    let (file, case) = ("draws/panel-draw.toml", "cases/panel.toml");
    each_is_found(
        &files(),
        &[
            (file, "roll.pool", "roll.pol", "undeclared", "pool"),
            (file, "roll.pool", "pool", "kind", "roll.NAME"),
            (file, "strata = \"trade\"", "strata = \"trad\"", "undeclared", "trade"),
            (file, "n = \"stratum == 'law' ? 2 : 3\"", "n = \"stratum\"", "result", "stratum"),
            (file, "n = \"stratum == 'law' ? 2 : 3\"\n", "", "missing-key", "\"n\""),
            (file, "strata = \"trade\"\n", "", "kinds", "stratum"),
            (file, "witnesses = 2", "witnesses = 0", "kind", "witnesses"),
            (file, "witnesses = 2", "witnesses = 90", "kind", "witnesses"),
            (file, "witnesses = 2\nlaw = \"12\"", "witnesses = 2", "no-law", "panel-draw"),
            (file, "spare", "spares", "unknown-key", "spares"),
            (file, "draw = \"panel-draw\"", "draw = \"panel\"", "twice", "panel"),
            (case, "{ draw = \"panel-draw\" }", "{ draw = \"panel\" }", "undeclared", "panel"),
            (
                case,
                "{ commit = \"panel-draw\", by = \"me.name\", value",
                "{ commit = \"panel-draw\", value",
                "missing-key",
                "by",
            ),
            (
                case,
                "of = \"doc.who\", reason = \"doc.why\"",
                "of = \"doc.who\"",
                "missing-key",
                "reason",
            ),
            (case, "drawn('panel-draw')", "drawn('panel')", "undeclared", "panel"),
        ],
    );
    // The act that freezes the list draws from it, too: the list and the seed would be one entry.
    let changed = files().into_iter().map(|(path, text)| match path {
        "cases/panel.toml" => {
            let act = "by = [\"clerk\"]\nform = \"note\"\n[act.reveal]";
            let both = "by = [\"clerk\"]\nform = \"note\"\nthen.too = { draw = \"panel-draw\" }\n[act.reveal]";
            assert!(text.contains(act));
            (path, text.replacen(act, both, 1))
        }
        _ => (path, text.to_owned()),
    });
    let changed: Vec<_> = changed.collect();
    let changed: Vec<_> = changed.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let found = super::world::mistakes(&changed);
    assert!(found.iter().any(|one| one.starts_with("one-entry cases/panel.toml:")), "{found:#?}");
}
