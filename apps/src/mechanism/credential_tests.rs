//! A licence that is revoked, and found to be so by whoever holds a signed list and no line to the node.

use chancery_crypto::{Algorithm, Digest, SigningKey};
use chancery_protocol::FormValue;

use super::{
    CredentialStatus, Issued, Offline, PlainCredential, StatusList,
    world::{HOME, World, each_is_found, text},
};
use crate::civil::{Instant, Zone};

const FILES: [(&str, &str); 7] = [
    (
        "module.toml",
        "module = \"licence\"\nversion = \"1\"\nlaw = \"行政许可法\"\nnames = { \"zh-CN\" = \"许可证\", en = \"Licences\" }\n\
         [role.clerk]\n",
    ),
    (
        "cases/grant.toml",
        "case = \"grant\"\n[state]\nopen = {}\nheld = {}\nended = { end = true }\n\
         [number.no]\nas = \"L-{n:04}\"\n\
         [act.apply]\nto = \"open\"\nby = [\"clerk\"]\nnumber = \"no\"\nset = { who = \"doc.holder\", area = \"doc.area\" }\n\
         [act.give]\nfrom = \"open\"\nto = \"held\"\nby = [\"clerk\"]\nform = \"note\"\n\
         then.issue = { issue = \"permit\", id = \"it.no\", to = \"it.who\", with = { holder = \"it.who\", area = \"it.area\" } }\n\
         [act.stop]\nfrom = \"held\"\nto = \"held\"\nby = [\"clerk\"]\nform = \"note\"\n\
         then.stop = { status = \"permit\", of = \"it.no\", now = \"suspended\", reason = \"doc.note\" }\n\
         [act.resume]\nfrom = \"held\"\nto = \"held\"\nby = [\"clerk\"]\nform = \"note\"\n\
         then.go = { status = \"permit\", of = \"it.no\", now = \"valid\" }\n\
         [act.revoke]\nfrom = \"held\"\nto = \"ended\"\nby = [\"clerk\"]\nform = \"note\"\n\
         then.end = { status = \"permit\", of = \"it.no\", now = \"revoked\", reason = \"doc.note\" }\n\
         [act.lost]\nfrom = \"held\"\nto = \"held\"\nby = [\"clerk\"]\nform = \"note\"\n\
         need.valid = { that = \"credential('permit', it.no).valid && credential('permit', it.no).it.area > 0\", law = \"50\" }\n\
         then.again = { issue = \"permit\", id = \"doc.note\", to = \"it.who\", with = { holder = \"it.who\", area = \"it.area\" }, replaces = \"it.no\" }\n",
    ),
    (
        "credentials/permit.toml",
        "credential = \"permit\"\nform = \"apply\"\nterm = \"1 y\"\nreplace = true\nlaw = \"39\"\n\
         [condition.room]\nthat = \"it.area >= 20\"\nlaw = \"12\"\n",
    ),
    (
        "forms/apply.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["holder", "area"], "properties": {
  "holder": { "type": "string", "maxLength": 100 }, "area": { "type": "integer" } } }"#,
    ),
    (
        "forms/note.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["note"], "properties": { "note": { "type": "string", "maxLength": 50 } } }"#,
    ),
    ("README.md", "A licence.\n"),
    ("docs/more.txt", "For people.\n"),
];

fn applied(world: &mut World, who: &str, area: i64) -> String {
    let form = [("holder", text(who)), ("area", FormValue::Int(area))];
    world.file("li", "grant/apply", None, form).expect("it is applied for")
}

fn note(world: &mut World, act: &str, on: &str, say: &str) {
    let done = world.file("li", &format!("grant/{act}"), Some(on), [("note", text(say))]);
    done.unwrap_or_else(|reasons| panic!("{act}: {reasons:?}"));
}

fn list(world: &World) -> StatusList {
    let until = Instant(world.now + 86_400);
    let list = StatusList::of(&world.state, HOME, ("licence", "permit"), Instant(world.now), until);
    list.expect("it can be read").expect("something was decided")
}

fn shown(world: &World, id: &str) -> PlainCredential {
    let found = PlainCredential::of(&world.state, HOME, ("licence", "permit"), id, Zone::CHINA);
    found.expect("it can be read").expect("it was issued")
}

#[test]
fn what_is_revoked_is_found_to_be_so_without_the_node() {
    let mut world = World::new(&FILES, &[("li", "clerk")]);
    let all: Vec<_> = (0..9).map(|n| applied(&mut world, &format!("shop {n}"), 20 + n)).collect();
    for thing in &all {
        note(&mut world, "give", thing, "x");
    }
    let old = list(&world);
    let permits: Vec<_> = (1..=9).map(|n| shown(&world, &format!("L-{n:04}"))).collect();
    let now = Instant(world.now + 600);
    assert!(permits.iter().all(|permit| old.check(permit, now) == Offline::Valid));
    note(&mut world, "revoke", &all[4], "fire safety");
    note(&mut world, "stop", &all[5], "unpaid");
    let newest = applied(&mut world, "late", 30);
    note(&mut world, "give", &newest, "x");
    // What travels: bytes, and the agency's signature over them.
    let key = SigningKey::generate(Algorithm::EdDsa).expect("a key");
    let new = list(&world);
    let (bytes, paper) = (new.encode(), permits[4].encode());
    let sign = |bytes: &[u8]| key.sign(bytes).expect("it is signed");
    let scheme = Algorithm::EdDsa;
    let holds = |bytes: &[u8], by: &[u8]| key.public_key().verify(scheme, bytes, by).is_ok();
    let (by_list, by_paper) = (sign(&bytes), sign(&paper));
    assert!(holds(&bytes, &by_list) && holds(&paper, &by_paper));
    let read = StatusList::decode(&bytes).expect("a list");
    let permit = PlainCredential::decode(&paper).expect("a credential");
    assert_eq!((&read, &permit), (&new, &permits[4]));
    assert_eq!(read.check(&permit, now), Offline::Revoked);
    assert_eq!(read.check(&permits[5], now), Offline::Suspended);
    assert_eq!(read.check(&permits[6], now), Offline::Valid);
    // The list says as of what it is; an older one knows no better, and says nothing once it is too old.
    assert!(old.entry < new.entry && old.state != new.state);
    assert_eq!(old.check(&permits[4], now), Offline::Valid);
    assert_eq!(old.check(&permits[4], Instant(old.until)), Offline::StaleList);
    assert_eq!(new.check(&permits[4], Instant(new.until)), Offline::Revoked);
    assert_eq!(old.check(&permits[4], Instant(old.at - 1)), Offline::StaleList);
    assert_eq!(old.check(&shown(&world, "L-0010"), now), Offline::NewerThanList);
    let year = Instant(permits[6].until.expect("a term"));
    let mut long = new.clone();
    long.until = year.0 + 10;
    assert_eq!(long.check(&permits[6], Instant(year.0 - 1)), Offline::Valid);
    assert_eq!(long.check(&permits[6], year), Offline::Expired);
    let mut other = permits[4].clone();
    other.credential = "card".into();
    assert_eq!(read.check(&other, now), Offline::OtherList);
    // Whoever makes it as of the same decision for the same time comes to the same bytes.
    assert_eq!(list(&world).encode(), bytes);
    world.replay();
}

#[test]
fn nobody_who_holds_the_paper_makes_it_valid_again() {
    let mut world = World::new(&FILES, &[("li", "clerk")]);
    let thing = applied(&mut world, "shop", 30);
    note(&mut world, "give", &thing, "x");
    note(&mut world, "stop", &thing, "unpaid");
    let key = SigningKey::generate(Algorithm::EdDsa).expect("a key");
    let scheme = Algorithm::EdDsa;
    let bytes = list(&world).encode();
    let by = key.sign(&bytes).expect("it is signed");
    let place = bytes.windows(8).position(|some| some == b"\"list\":\"").expect("the list") + 8;
    // The bits of his own, another term, the same in other bytes: none of it is what was signed, and what is written otherwise
    // does not even read.
    for at in [place, place + 1] {
        let mut forged = bytes.clone();
        forged[at] = b'0';
        assert!(forged == bytes || key.public_key().verify(scheme, &forged, &by).is_err());
    }
    let json = String::from_utf8(bytes.clone()).expect("JSON");
    for other in [
        json.replacen(',', ", ", 1),
        json.replacen("\"at\"", "\"then\"", 1),
        json.replacen("\"count\":1", "\"count\":9", 1),
        json.replacen("\"list\":\"", "\"list\":\"AA", 1),
        format!("{json} "),
    ] {
        assert!(StatusList::decode(other.as_bytes()).is_err(), "{other}");
    }
    let paper = shown(&world, "L-0001").encode();
    let twice = String::from_utf8(paper).expect("JSON").replacen("{", "{\"number\":7,", 1);
    assert!(PlainCredential::decode(twice.as_bytes()).is_err());
    // At the node: no reason, no way back from revoked, none for one that there is not, none where a condition does not hold.
    let (_, said) = world.refused("li", "grant/stop", Some(&thing), [("note", text(" "))]);
    assert!(said.starts_with("CHY-7102"), "it is suspended already: {said}");
    note(&mut world, "resume", &thing, "x");
    let (_, said) = world.refused("li", "grant/stop", Some(&thing), [("note", text(" "))]);
    assert!(said.starts_with("CHY-7105"), "{said}");
    let (_, said) = world.refused("li", "grant/resume", Some(&thing), [("note", text("x"))]);
    assert!(said.starts_with("CHY-7102") && said.contains("有效"), "{said}");
    let small = applied(&mut world, "kiosk", 3);
    let (rule, said) = world.refused("li", "grant/give", Some(&small), [("note", text("x"))]);
    assert_eq!(rule, "licence/permit/room");
    assert!(said.starts_with("CHY-7101"), "{said}");
    // The paper is lost: another is issued in its place, by which the first ends for ever.
    note(&mut world, "lost", &thing, "L-0001-B");
    let first = Issued::of(&world.state, "licence", "permit", "L-0001").expect("read").expect("it");
    assert_eq!(first.status, CredentialStatus::Revoked);
    assert_eq!(first.reason.as_deref(), Some("replaced: L-0001-B"));
    let second = shown(&world, "L-0001-B");
    assert_eq!(list(&world).check(&second, Instant(world.now)), Offline::Valid);
    assert_eq!(list(&world).check(&shown(&world, "L-0001"), Instant(world.now)), Offline::Revoked);
    let (_, said) = world.refused("li", "grant/resume", Some(&thing), [("note", text("x"))]);
    assert!(said.starts_with("CHY-7102"), "{said}");
    assert_ne!(Digest::of(&bytes), Digest::of(&list(&world).encode()));
    world.replay();
}

#[test]
fn each_mistake_of_a_credential_is_found() {
    let (file, case) = ("credentials/permit.toml", "cases/grant.toml");
    each_is_found(
        &FILES,
        &[
            (file, "form = \"apply\"", "form = \"aply\"", "undeclared", "apply"),
            (file, "it.area >= 20", "it.aera >= 20", "kinds", "aera"),
            (file, "it.area >= 20", "1 < 2", "constant", "room"),
            (file, "it.area >= 20", "it.area", "result", "it.area"),
            (file, "\"1 y\"", "\"it.area\"", "kinds", "it.area"),
            (file, "that = \"it.area >= 20\"\n", "", "missing-key", "that"),
            (file, "law = \"12\"", "", "no-law", "room"),
            (file, "law = \"39\"", "", "no-law", "permit"),
            (file, "replace = true\n", "", "missing-key", "replace"),
            (file, "term", "terms", "unknown-key", "terms"),
            (file, "credential = \"permit\"", "credential = \"grant\"", "twice", "grant"),
            (
                case,
                "issue = \"permit\", id = \"it.no\"",
                "issue = \"permits\", id = \"it.no\"",
                "undeclared",
                "permit",
            ),
            (
                case,
                "issue = \"permit\", id = \"it.no\", ",
                "issue = \"permit\", ",
                "missing-key",
                "id",
            ),
            (
                case,
                "id = \"it.no\", to = \"it.who\", with = { holder",
                "id = \"it.no\", to = \"it.who\", with = { keeper",
                "undeclared",
                "keeper",
            ),
            (case, "now = \"suspended\"", "now = \"stopped\"", "word", "stopped"),
            (
                case,
                "now = \"suspended\", reason = \"doc.note\"",
                "now = \"suspended\"",
                "missing-key",
                "reason",
            ),
            (
                case,
                "now = \"suspended\", reason = \"doc.note\"",
                "now = \"suspended\", reason = \"it.area\"",
                "result",
                "it.area",
            ),
            (
                case,
                "credential('permit', it.no).valid",
                "credential('permits', it.no).valid",
                "undeclared",
                "permits",
            ),
            (
                case,
                "credential('permit', it.no).valid",
                "credential('permit', it.no).vaild",
                "kinds",
                "vaild",
            ),
        ],
    );
}
