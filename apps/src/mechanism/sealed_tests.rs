//! Bids that nobody reads before their time, and two of three holders together after it.

use std::collections::BTreeMap;

use chancery_crypto::{Digest, Kem, KemPrivateKey};
use chancery_protocol::FormValue;

use super::{
    Opening, openings,
    status_list::hex,
    world::{START, World, each_is_found, name, text},
};
use crate::{
    envelope::{Envelope, EnvelopeFault, MOST_ENVELOPE, MOST_SEALED, envelope_context},
    state::Family,
};

const FILES: [(&str, &str); 7] = [
    (
        "module.toml",
        "module = \"tender\"\nversion = \"1\"\nlaw = \"政府采购法\"\nnames = { \"zh-CN\" = \"招标\", en = \"Tenders\" }\n\
         [role.clerk]\n[role.bidder]\n",
    ),
    (
        "cases/tender.toml",
        "case = \"tender\"\n[state]\nopen = {}\nread = {}\nended = { end = true }\n\
         [act.begin]\nto = \"open\"\nby = [\"clerk\"]\nset = { closes = \"doc.closes\", holders = \"doc.holders\" }\n\
         [act.bid]\nfrom = \"open\"\nby = [\"bidder\"]\nform = \"bid\"\n\
         then.put = { deposit = \"price\", by = \"me.name\", envelope = \"doc.envelope\" }\n\
         [act.back]\nfrom = \"open\"\nby = [\"bidder\"]\nform = \"note\"\n\
         then.back = { take_back = \"price\", by = \"me.name\" }\n\
         [act.share]\nfrom = \"open\"\nby = [\"clerk\"]\nform = \"share\"\n\
         then.share = { share = \"price\", each = \"doc.shares\", by = \"me.name\", of = \"x.of\", value = \"x.value\" }\n\
         [act.peek]\nfrom = \"open\"\nby = [\"clerk\"]\nform = \"note\"\n\
         need.cheap = { that = \"envelope('price', 'b1@a.gov.cn').content == 'CNY 100'\", law = \"42\" }\n\
         [act.unseal]\nfrom = [\"open\", \"read\"]\nto = \"read\"\nby = [\"clerk\"]\nform = \"note\"\n\
         then.unseal = { unseal = \"price\" }\n\
         [act.award]\nfrom = \"read\"\nto = \"ended\"\nby = [\"clerk\"]\nform = \"note\"\n\
         need.won = { that = \"envelope('price', doc.note).content == 'CNY 90' && envelopes('price').count >= 2\", law = \"42\" }\n",
    ),
    (
        "envelopes/price.toml",
        "sealed = \"price\"\nof = \"tender\"\nholders = \"own.holders\"\nk = 2\nbefore = \"own.closes\"\nreplace = true\nwithdraw = true\n\
         shown = \"number\"\nleast = 2\nlaw = \"40\"\n",
    ),
    (
        "forms/begin.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["closes", "holders"], "properties": {
  "closes": { "type": "string", "format": "date-time", "maxLength": 40, "x-type": "instant" },
  "holders": { "type": "array", "maxItems": 7, "items": { "type": "string", "maxLength": 100 } } } }"#,
    ),
    (
        "forms/bid.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["envelope"], "properties": { "envelope": { "type": "string", "maxLength": 65536 } } }"#,
    ),
    (
        "forms/share.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["shares"], "properties": {
  "shares": { "type": "array", "maxItems": 300, "items": { "type": "object", "additionalProperties": false, "required": ["of", "value"],
  "properties": { "of": { "type": "string", "maxLength": 100 }, "value": { "type": "string", "maxLength": 100 } } } } } }"#,
    ),
    (
        "forms/note.json",
        r#"{ "type": "object", "additionalProperties": false, "properties": { "note": { "type": "string", "maxLength": 100 } } }"#,
    ),
];

const HOLDERS: [&str; 3] = ["h1", "h2", "h3"];

struct Tender {
    world: World,
    id: String,
    keys: BTreeMap<String, KemPrivateKey>,
    sealed: BTreeMap<String, Envelope>,
}

impl Tender {
    fn begun() -> Self {
        let officers = [
            ("li", "clerk"),
            ("h1", "clerk"),
            ("h2", "clerk"),
            ("h3", "clerk"),
            ("b1", "bidder"),
            ("b2", "bidder"),
            ("b3", "bidder"),
        ];
        let mut world = World::new(&FILES, &officers);
        let holders = HOLDERS.iter().map(|who| text(&name(who))).collect();
        let closes = "2026-03-02T06:20:00+08:00";
        let form = [("closes", text(closes)), ("holders", FormValue::List(holders))];
        let id = world.file("li", "tender/begin", None, form).expect("it is begun");
        let keys = HOLDERS.iter().map(|who| (name(who), KemPrivateKey::generate(Kem::X25519)));
        Self { world, id, keys: keys.collect(), sealed: BTreeMap::new() }
    }

    fn context(&self, who: &str) -> Digest {
        envelope_context("tender", "price", &self.id, &name(who))
    }

    /// A bidder seals what he asks, with the public keys of the holders and nothing else.
    fn seal(&self, who: &str, content: &[u8]) -> Envelope {
        let holders = self.keys.iter().map(|(name, key)| (name.clone(), key.public_key()));
        Envelope::seal(content, &holders.collect(), 2, &self.context(who)).expect("it is sealed")
    }

    fn deposit(&mut self, who: &str, envelope: &Envelope) -> Result<String, Vec<crate::Reason>> {
        let form = [("envelope", text(&hex(&envelope.encode())))];
        let done = self.world.file(who, "tender/bid", Some(&self.id.clone()), form);
        if done.is_ok() {
            self.sealed.insert(name(who), envelope.clone());
        }
        done
    }

    /// A holder's shares of all envelopes.
    fn shares(&self, holder: &str) -> [(&'static str, FormValue); 1] {
        let key = &self.keys[&name(holder)];
        let each = self.sealed.iter().filter_map(|(sender, envelope)| {
            let context = envelope_context("tender", "price", &self.id, sender);
            let share = envelope.share(&name(holder), key, &context).ok()?;
            let fields = [("of", text(sender)), ("value", text(&share.to_string()))];
            Some(FormValue::Map(fields.map(|(name, value)| (name.to_owned(), value)).into()))
        });
        [("shares", FormValue::List(each.collect()))]
    }

    fn refused(
        &mut self,
        who: &str,
        act: &str,
        form: impl IntoIterator<Item = (&'static str, FormValue)>,
    ) -> String {
        self.world.refused(who, &format!("tender/{act}"), Some(&self.id.clone()), form).1
    }

    fn done(
        &mut self,
        who: &str,
        act: &str,
        form: impl IntoIterator<Item = (&'static str, FormValue)>,
    ) {
        let done = self.world.file(who, &format!("tender/{act}"), Some(&self.id.clone()), form);
        done.unwrap_or_else(|reasons| panic!("{act}: {reasons:?}"));
    }
}

#[test]
fn two_of_three_holders_open_what_one_cannot() {
    let mut tender = Tender::begun();
    let (first, dear) = (tender.seal("b1", b"CNY 120"), tender.seal("b2", b"CNY 95"));
    tender.deposit("b1", &first).expect("deposited");
    let better = tender.seal("b1", b"CNY 90");
    tender.deposit("b1", &better).expect("another in its place");
    tender.deposit("b2", &dear).expect("deposited");
    // Whoever copies another's envelope has nothing: it is bound to who deposited it.
    let copied = tender.seal("b3", b"x");
    tender.deposit("b3", &copied).expect("deposited");
    tender.done("b3", "back", []);
    tender.sealed.remove(&name("b3"));
    tender.deposit("b3", &better).expect("its bytes are an envelope");
    // Before its time no condition knows what is in it, no holder gives a share, and nobody opens.
    assert!(tender.refused("li", "peek", []).starts_with("CHY-7110"));
    let shares = tender.shares("h1");
    assert!(tender.refused("h1", "share", shares).starts_with("CHY-7104"));
    assert!(tender.refused("li", "unseal", []).starts_with("CHY-7104"));
    tender.world.now = START + 3_600;
    let late = tender.seal("b1", b"CNY 1");
    let form = [("envelope", text(&hex(&late.encode())))];
    assert!(tender.refused("b1", "bid", form).starts_with("CHY-7104"), "it is late");
    assert!(tender.refused("b1", "back", []).starts_with("CHY-7104"));
    // One of three is not enough for anything.
    let shares = tender.shares("h1");
    tender.done("h1", "share", shares);
    assert!(tender.refused("li", "unseal", []).starts_with("CHY-7102"));
    let shares = tender.shares("h3");
    tender.done("h3", "share", shares);
    tender.done("li", "unseal", []);
    let found = openings(&tender.world.state, "tender", "price", &tender.id);
    let found = found.expect("it can be read").expect("they are opened");
    let opened = |content: &str| Opening::Opened { content: content.to_owned() };
    assert_eq!(found[&name("b1")], opened("CNY 90"));
    assert_eq!(found[&name("b2")], opened("CNY 95"));
    assert_eq!(found[&name("b3")], Opening::NotOpened { shares: 0, k: 2 });
    // It is done once, and no share comes after it.
    assert!(tender.refused("li", "unseal", []).starts_with("CHY-7102"));
    assert!(tender.refused("li", "award", [("note", text(&name("b2")))]).starts_with("CHY-7101"));
    tender.done("li", "award", [("note", text(&name("b1")))]);
    tender.world.replay();
}

#[test]
fn less_than_k_shares_open_nothing() {
    let tender = Tender::begun();
    let context = tender.context("b1");
    let envelope = tender.seal("b1", b"CNY 90");
    let share = |holder: &str| {
        let key = &tender.keys[&name(holder)];
        (name(holder), envelope.share(&name(holder), key, &context).expect("a share"))
    };
    for holder in HOLDERS {
        let one = BTreeMap::from([share(holder)]);
        assert_eq!(envelope.open(&one, &context), Err(EnvelopeFault::TooFew));
        // With shares of his own making besides, he has one right key and no second.
        for other in HOLDERS {
            let mut forged = one.clone();
            forged.entry(name(other)).or_insert(Digest::of(b"a guess"));
            assert_eq!(envelope.open(&forged, &context), Err(EnvelopeFault::TooFew));
        }
    }
    for pair in [["h1", "h2"], ["h1", "h3"], ["h2", "h3"]] {
        let two = BTreeMap::from(pair.map(share));
        assert_eq!(envelope.open(&two, &context).as_deref(), Ok(b"CNY 90".as_slice()));
        assert!(envelope.open(&two, &tender.context("b2")).is_err(), "it is nobody else's");
    }
    // Every layer is under two keys: with one of them alone, what is under it is still sealed.
    let bytes = envelope.encode();
    assert!(!bytes.windows(6).any(|some| some == b"CNY 90"));
    let names: Vec<_> = HOLDERS.iter().map(|who| name(who)).collect();
    assert_eq!(Envelope::decode(&bytes, &names, 2), Ok(envelope.clone()));
    assert_eq!(Envelope::decode(&bytes, &names, 3), Err(EnvelopeFault::Holders));
    assert_eq!(Envelope::decode(&bytes, &names[..2], 2), Err(EnvelopeFault::Holders));
    // A whole one of seven holders, with keys that quantum computers do not read, goes into a field of a form.
    let seven =
        (0..7).map(|n| (name(&format!("k{n}")), KemPrivateKey::generate(Kem::XWing).public_key()));
    let seven: BTreeMap<_, _> = seven.collect();
    let full = vec![b'x'; MOST_SEALED];
    let whole = Envelope::seal(&full, &seven, 4, &context).expect("it is sealed").encode();
    assert!(whole.len() <= MOST_ENVELOPE && hex(&whole).len() <= 65_536, "{}", whole.len());
    let long = vec![b'x'; MOST_SEALED + 1];
    assert_eq!(Envelope::seal(&long, &seven, 4, &context), Err(EnvelopeFault::Length));
    assert_eq!(Envelope::seal(b"x", &seven, 7, &context), Err(EnvelopeFault::Holders));
    assert_eq!(Envelope::seal(b"x", &seven, 1, &context), Err(EnvelopeFault::Holders));
    // Whoever is no holder has no share, and one changed byte is no envelope that opens otherwise.
    assert!(envelope.share("x@a.gov.cn", &KemPrivateKey::generate(Kem::X25519), &context).is_err());
    let two = BTreeMap::from(["h1", "h2"].map(share));
    for at in (0..bytes.len()).step_by(7) {
        let mut other = bytes.clone();
        other[at] ^= 1;
        if let Ok(read) = Envelope::decode(&other, &names, 2) {
            let opened = read.open(&two, &context);
            assert!(opened.is_err() || opened.as_deref() == Ok(b"CNY 90".as_slice()));
        }
    }
}

#[test]
fn a_bad_share_is_refused_and_a_bad_envelope_is_said_to_be_one() {
    let mut tender = Tender::begun();
    let (one, two) = (tender.seal("b1", b"CNY 90"), tender.seal("b2", &[0xff, 0xfe]));
    tender.deposit("b1", &one).expect("deposited");
    tender.deposit("b2", &two).expect("deposited");
    let bad = [("envelope", text("00ff"))];
    assert!(tender.refused("b3", "bid", bad).starts_with("CHY-7105"));
    tender.world.now = START + 3_600;
    let wrong = |of: &str, value: &str| {
        let fields = [("of", text(of)), ("value", text(value))];
        let one = FormValue::Map(fields.map(|(name, value)| (name.to_owned(), value)).into());
        [("shares", FormValue::List(vec![one]))]
    };
    let guess = Digest::of(b"a guess").to_string();
    assert!(tender.refused("h1", "share", wrong(&name("b1"), &guess)).starts_with("CHY-7105"));
    assert!(tender.refused("h1", "share", wrong(&name("b1"), "zz")).starts_with("CHY-7105"));
    assert!(tender.refused("h1", "share", wrong(&name("b9"), &guess)).starts_with("CHY-7100"));
    assert!(tender.refused("li", "share", wrong(&name("b1"), &guess)).starts_with("CHY-7103"));
    for holder in ["h1", "h2"] {
        let shares = tender.shares(holder);
        tender.done(holder, "share", shares);
    }
    tender.done("li", "unseal", []);
    let found = openings(&tender.world.state, "tender", "price", &tender.id);
    let found = found.expect("it can be read").expect("they are opened");
    assert_eq!(found[&name("b2")], Opening::Failed { why: EnvelopeFault::Unread });
    assert!(matches!(found[&name("b1")], Opening::Opened { .. }));
    assert!(tender.world.state.rows().any(|(key, _)| key.family == Family::Sealed));
    tender.world.replay();
}

#[test]
fn each_mistake_of_envelopes_is_found() {
    let (file, case) = ("envelopes/price.toml", "cases/tender.toml");
    each_is_found(
        &FILES,
        &[
            (file, "of = \"tender\"", "of = \"tenders\"", "undeclared", "tender"),
            (file, "own.holders", "own.holder", "kinds", "holder"),
            (file, "own.closes", "own.id", "result", "own.id"),
            (file, "k = 2\n", "", "missing-key", "\"k\""),
            (file, "k = 2", "k = 1", "kind", "\"k\""),
            (file, "k = 2", "k = 7", "kind", "\"k\""),
            (file, "before = \"own.closes\"\n", "", "missing-key", "before"),
            (file, "shown = \"number\"", "shown = \"all\"", "word", "all"),
            (file, "shown = \"number\"\n", "", "missing-key", "shown"),
            (file, "least = 2\nlaw = \"40\"", "least = 2", "no-law", "price"),
            (file, "replace", "replaces", "unknown-key", "replaces"),
            (file, "withdraw = true\n", "", "missing-key", "withdraw"),
            (file, "sealed = \"price\"", "sealed = \"tender\"", "twice", "tender"),
            (case, "deposit = \"price\"", "deposit = \"prize\"", "undeclared", "price"),
            (
                case,
                "{ deposit = \"price\", by = \"me.name\",",
                "{ deposit = \"price\",",
                "missing-key",
                "by",
            ),
            (case, "of = \"x.of\", ", "", "missing-key", "of"),
            (case, "envelopes('price')", "envelopes('prize')", "undeclared", "price"),
            (
                case,
                "envelope('price', doc.note).content",
                "envelope('price', doc.note).text",
                "kinds",
                "text",
            ),
        ],
    );
}
