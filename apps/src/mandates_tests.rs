//! Who acts for whom, by date, and what each sees: kernel and state alone.

use std::collections::BTreeMap;

use chancery_crypto::{Digest, cbor};
use chancery_protocol::{
    Behalf, DocumentHeader, DocumentId, Filing, FormValue, Hand, Part, Urgency,
};

use crate::{
    Readable, Reader,
    civil::Instant,
    folder::{Folder, MEDIA_TYPE},
    input::{Document, Input, Signer},
    kernel::{Coming, Kernel, Salt},
    mandates::mandates,
    reason::{Reason, Refusal},
    record::{Acted, Applied, Facts, Outcome},
    replay::Replay,
    state::MemoryState,
};

const HOME: &str = "licences.gov.cn";
const FIRM: &str = "91350100m000100y43@party.gov.cn";
const LAWYER: &str = "p-7hq2m4k9x3v6t5wa@party.gov.cn";
const MOTHER: &str = "p-1111111111111111@party.gov.cn";
const CHILD: &str = "p-2222222222222222@party.gov.cn";
const OTHER: &str = "p-3333333333333333@party.gov.cn";
const DAY: i64 = 86_400;

fn folder() -> Folder {
    Folder::of_this_crate("licence")
}

fn text(text: &str) -> FormValue {
    FormValue::Text(text.to_owned())
}

fn list(texts: &[&str]) -> FormValue {
    FormValue::List(texts.iter().map(|one| text(one)).collect())
}

struct Bench {
    kernel: Kernel,
    state: MemoryState,
    at: Instant,
    made: u64,
    kept: Vec<(crate::Decision, Document)>,
}

type Outcomes = Result<Applied, Vec<Reason>>;

impl Bench {
    fn new() -> Self {
        let mut bench = Self {
            kernel: Kernel::default(),
            state: MemoryState::default(),
            at: "2026-03-02T09:00:00+08:00".parse().expect("a time"),
            made: 0,
            kept: Vec::new(),
        };
        for role in ["appointer", "module-keeper", "party-registrar"] {
            bench.appoint("root", role, "office");
        }
        let folder = folder();
        let (digest, bytes) = (folder.digest().to_string(), folder.encode());
        let part = Part {
            name: "module.cbor".into(),
            media_type: MEDIA_TYPE.into(),
            size: bytes.len() as u64,
            digest: Digest::of(&bytes),
        };
        let root = format!("root@{HOME}");
        let mut document =
            bench.document(&root, "office", "install", None, [("digest", text(&digest))]);
        document.header.parts = vec![part];
        document.part = Some(bytes);
        bench.decide(document).expect("is installed");
        bench.appoint("an", "officer", "licence");
        bench
    }

    fn document<const N: usize>(
        &mut self,
        by: &str,
        module: &str,
        act: &str,
        about: Option<&str>,
        form: [(&str, FormValue); N],
    ) -> Document {
        self.made += 1;
        self.at = Instant(self.at.0 + 60);
        let form: BTreeMap<_, _> =
            form.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let kind = match act.split_once('/') {
            Some((_, "apply")) => "apply",
            Some(_) => "remark",
            None => act,
        };
        let filing = Filing {
            home: HOME.parse().expect("a name"),
            act: act.to_owned(),
            about: about.map(str::to_owned),
            seen: None,
            reason: None,
            version: None,
            until: self.at.0 + DAY,
            behalf: None,
        };
        let header = DocumentHeader {
            kind: kind.to_owned(),
            number: None,
            title: act.to_owned(),
            from: HOME.parse().expect("a name"),
            to: Vec::new(),
            cc: Vec::new(),
            classification: None,
            secrecy_period: None,
            urgency: Urgency::Routine,
            created: self.at.0,
            deadline: None,
            in_reply_to: None,
            module: module.to_owned(),
            fields: BTreeMap::new(),
            crit: Vec::new(),
            filing: Some(filing),
            form,
            parts: Vec::new(),
            nonce: Digest::of(&self.made.to_be_bytes()),
        };
        let id = Digest::of(&cbor::encode(&header).expect("encodes"));
        let id = DocumentId::from_slice(id.as_bytes()).expect("an id");
        Document { id, header, signers: vec![Signer::named(by)], part: None }
    }

    /// Decides it now, as lodged some seconds ago.
    fn decide_late(&mut self, document: Document, ago: i64) -> Outcomes {
        let mut input = Input {
            at: self.at,
            lodged: Instant(self.at.0 - ago),
            home: HOME.to_owned(),
            salt: Salt::Fresh(Digest::of(&self.made.to_be_bytes())),
            facts: Facts { first: Some(format!("root@{HOME}")), ..Facts::default() },
            document,
        };
        input.facts.form = self.kernel.judge_form(&self.state, &input).expect("reads");
        let made = self.kernel.decide(&self.state, &input).expect("reads");
        let [decision] = made.as_slice() else { panic!("{made:?}") };
        self.state.apply(&decision.writes);
        self.kept.push((decision.clone(), input.document));
        match &decision.record.outcome {
            Outcome::Applied(applied) => Ok(applied.clone()),
            Outcome::Refused(reasons) => Err(reasons.clone()),
            other => panic!("{other:?}"),
        }
    }

    fn decide(&mut self, document: Document) -> Outcomes {
        self.decide_late(document, 0)
    }

    fn office<const N: usize>(
        &mut self,
        by: &str,
        act: &str,
        form: [(&str, FormValue); N],
    ) -> Outcomes {
        let document = self.document(by, "office", act, None, form);
        self.decide(document)
    }

    fn appoint(&mut self, who: &str, role: &str, of: &str) {
        let officer = text(&format!("{who}@{HOME}"));
        let form = [("officer", officer), ("role", text(role)), ("of", text(of))];
        self.office(&format!("root@{HOME}"), "appoint", form).expect("is appointed");
    }

    fn empower(&mut self, scope: &[&str], from: &str, until: &str) -> Outcomes {
        let form = [
            ("agent", text(LAWYER)),
            ("scope", list(scope)),
            ("from", text(from)),
            ("until", text(until)),
        ];
        self.office(FIRM, "empower", form)
    }

    fn guardian(&mut self, by: &str) -> Outcomes {
        let basis = text("民法典 27");
        let form = [("ward", text(CHILD)), ("guardian", text(MOTHER)), ("basis", basis)];
        self.office(by, "guardian", form)
    }

    fn filed(
        &mut self,
        by: &str,
        act: &str,
        about: Option<&str>,
        behalf: Option<(&str, Hand)>,
    ) -> Document {
        let form = if act.ends_with("apply") { "what" } else { "remark" };
        let mut document = self.document(by, "licence", act, about, [(form, text("x"))]);
        let filing = document.header.filing.as_mut().expect("it is filed");
        filing.behalf = behalf.map(|(party, how)| Behalf { party: party.parse().expect("x"), how });
        document
    }

    fn act(
        &mut self,
        by: &str,
        act: &str,
        about: Option<&str>,
        behalf: Option<(&str, Hand)>,
    ) -> Outcomes {
        let document = self.filed(by, act, about, behalf);
        self.decide(document)
    }

    fn reads(&self, who: &str, id: &str) -> bool {
        let reader = Reader::Named(who.to_owned());
        let reading = self.kernel.reading(&self.state, &reader, HOME, self.at).expect("reads");
        let coming =
            Coming { module: "licence".into(), case: "application".into(), thing: id.to_owned() };
        reading.readable(&coming).expect("reads") != Readable::No
    }

    fn sees_document(&self, who: &str, document: &Document) -> bool {
        let reader = Reader::Named(who.to_owned());
        let reading = self.kernel.reading(&self.state, &reader, HOME, self.at).expect("reads");
        reading.document(document).expect("reads")
    }
}

/// Why it was refused, and by which rule.
#[track_caller]
fn refused(outcome: Outcomes, rule: &str) -> Refusal {
    let reasons = outcome.expect_err("it is refused");
    assert_eq!(reasons[0].rule, rule, "{reasons:?}");
    reasons[0].why.clone()
}

#[test]
fn a_power_is_for_what_it_names_as_long_as_it_lasts_and_not_before_it_was_given() {
    let mut bench = Bench::new();
    let apply = "licence/application/apply/proxy";
    let as_agent = Some((FIRM, Hand::Agent));
    let no_mandate =
        Refusal::NoMandate { who: LAWYER.to_owned(), party: FIRM.to_owned(), how: Hand::Agent };
    let without = bench.act(LAWYER, "application/apply", None, as_agent);
    assert_eq!(refused(without, apply), no_mandate);
    // It was made when there was no power yet, and is decided when there is one.
    let early = bench.filed(LAWYER, "application/apply", None, as_agent);
    let power = bench.empower(&["licence"], "2026-03-01", "2026-03-10").expect("is given").thing;
    assert_eq!(refused(bench.decide_late(early, 100), apply), no_mandate);
    let applied = bench.act(LAWYER, "application/apply", None, as_agent).expect("by a power");
    let acted = Acted {
        party: FIRM.to_owned(),
        by: LAWYER.to_owned(),
        how: Hand::Agent,
        mandate: Some(power.clone()),
    };
    assert_eq!(applied.behalf, Some(acted));
    // As a guardian he is nothing, for another neither, and whoever has no power has none by his.
    for (by, behalf) in [
        (LAWYER, (FIRM, Hand::Guardian)),
        (LAWYER, (CHILD, Hand::Agent)),
        (OTHER, (FIRM, Hand::Agent)),
        (LAWYER, (FIRM, Hand::Assisted)),
    ] {
        refused(bench.act(by, "application/apply", None, Some(behalf)), apply);
    }
    // Others cannot end it, and do not learn of it; he can give it back.
    let end = |by: &'static str| (by, [("of", text(LAWYER)), ("mandate", text(&power))]);
    let (by, form) = end(OTHER);
    assert_eq!(refused(bench.office(by, "revoke", form), "office/revoke"), Refusal::NoThing);
    bench.at = "2026-03-10T23:50:00+08:00".parse().expect("a time");
    bench.act(LAWYER, "application/apply", None, as_agent).expect("on the last day");
    let last = bench.filed(LAWYER, "application/apply", None, as_agent);
    bench.at = "2026-03-11T00:00:30+08:00".parse().expect("a time");
    // It was lodged in time, and is not in force any more when it would take effect.
    assert_eq!(refused(bench.decide_late(last, 120), apply), no_mandate);
    let power = bench.empower(&["licence/application/apply"], "2026-03-11", "2026-06-01");
    let power = power.expect("is given").thing;
    bench.act(LAWYER, "application/apply", None, as_agent).expect("is in force");
    let form = [("of", text(LAWYER)), ("mandate", text(&power))];
    bench.office(FIRM, "revoke", form).expect("is revoked");
    assert_eq!(refused(bench.act(LAWYER, "application/apply", None, as_agent), apply), no_mandate);
    assert_eq!(mandates(&bench.state, LAWYER).expect("reads").len(), 2);
    assert_eq!(mandates(&bench.state, FIRM).expect("reads").len(), 2);
    assert_eq!(mandates(&bench.state, OTHER).expect("reads"), []);
}

#[test]
fn a_power_says_what_for_and_until_when_and_a_party_gives_its_own() {
    let mut bench = Bench::new();
    for (scope, until) in [
        (&[][..], "2026-06-01"),
        (&["licence//x"], "2026-06-01"),
        (&["a/b/c/d"], "2026-06-01"),
        (&["licence"], "2026-02-01"),
        (&["licence"], "tomorrow"),
    ] {
        refused(bench.empower(scope, "2026-03-01", until), "office/empower");
    }
    let form = [("agent", text(LAWYER)), ("scope", list(&["licence"]))];
    refused(bench.office(FIRM, "empower", form.clone()), "office/empower");
    let [agent, scope] = form;
    let by_officer = [agent, scope, ("until", text("2026-06-01"))];
    let an = format!("an@{HOME}");
    refused(bench.office(&an, "empower", by_officer.clone()), "office/empower");
    // Nor is it given for another.
    let mut document = bench.document(FIRM, "office", "empower", None, by_officer);
    let behalf = Behalf { party: OTHER.parse().expect("x"), how: Hand::Agent };
    document.header.filing.as_mut().expect("it is filed").behalf = Some(behalf);
    let why = refused(bench.decide(document), "office/empower");
    assert_eq!(why, Refusal::NoProxy { how: Hand::Agent });
    // Nobody appoints a party, or to what parties are by themselves.
    let root = format!("root@{HOME}");
    for (who, role) in [(FIRM, "officer"), (an.as_str(), "firm")] {
        let form = [("officer", text(who)), ("role", text(role)), ("of", text("licence"))];
        refused(bench.office(&root, "appoint", form), "office/appoint");
    }
}

#[test]
fn a_guardian_is_recorded_by_an_officer_who_may_and_ends_by_one() {
    let mut bench = Bench::new();
    let (root, an) = (format!("root@{HOME}"), format!("an@{HOME}"));
    refused(bench.guardian(&an), "office/guardian");
    refused(bench.guardian(MOTHER), "office/guardian");
    let as_guardian = Some((CHILD, Hand::Guardian));
    let apply = "licence/application/apply/proxy";
    refused(bench.act(MOTHER, "application/apply", None, as_guardian), apply);
    let record = bench.guardian(&root).expect("is recorded").thing;
    let applied = bench.act(MOTHER, "application/apply", None, as_guardian).expect("as guardian");
    let id = applied.thing;
    for (who, reads) in [(CHILD, true), (MOTHER, true), (&*an, true), (OTHER, false), (FIRM, false)]
    {
        assert_eq!(bench.reads(who, &id), reads, "{who}");
    }
    let form = [("of", text(MOTHER)), ("mandate", text(&record))];
    refused(bench.office(MOTHER, "end-guardian", form.clone()), "office/end-guardian");
    // It is no power that could be given back.
    refused(bench.office(MOTHER, "revoke", form.clone()), "office/revoke");
    bench.office(&root, "end-guardian", form).expect("is ended");
    refused(bench.act(MOTHER, "application/apply", None, as_guardian), apply);
    // What was the child's is not hers to read any more.
    assert!(bench.reads(CHILD, &id) && !bench.reads(MOTHER, &id));
    bench.act(CHILD, "application/withdraw", Some(&id), None).expect("the child's own");
}

#[test]
fn a_party_sees_its_own_matters_and_those_for_whom_it_acts_and_no_others() {
    let mut bench = Bench::new();
    let own = bench.act(FIRM, "application/apply", None, None).expect("is filed").thing;
    let document = bench.kept.last().expect("it is kept").1.clone();
    let theirs = bench.act(OTHER, "application/apply", None, None).expect("is filed").thing;
    assert!(bench.reads(FIRM, &own) && !bench.reads(FIRM, &theirs));
    assert!(bench.reads(OTHER, &theirs) && !bench.reads(OTHER, &own));
    // Being a citizen lets nobody see what citizens file, nor being of the registrar's domain.
    for who in [LAWYER, "clerk@party.gov.cn", "party.gov.cn"] {
        assert!(!bench.reads(who, &own) && !bench.reads(who, &theirs), "{who}");
    }
    assert!(bench.sees_document(FIRM, &document) && !bench.sees_document(OTHER, &document));
    // A power shows what it is for, and nothing of another case.
    let power = bench.empower(&["other"], "2026-03-01", "2026-06-01").expect("is given").thing;
    assert!(!bench.reads(LAWYER, &own));
    let given = bench.kept.last().expect("it is kept").1.clone();
    bench.empower(&["licence/application/apply"], "2026-03-01", "2026-06-01").expect("is given");
    assert!(bench.reads(LAWYER, &own) && !bench.reads(LAWYER, &theirs));
    // Of a power those know who have it and who record such things.
    assert_eq!(given.id.to_string(), power);
    for (who, sees) in
        [(FIRM, true), (LAWYER, true), (OTHER, false), (&*format!("root@{HOME}"), true)]
    {
        assert_eq!(bench.sees_document(who, &given), sees, "{who}");
    }
}

#[test]
fn the_record_says_by_whose_hand_and_a_replay_comes_to_the_same() {
    let mut bench = Bench::new();
    bench.appoint("hui", "counter", "office");
    let assisted = Some((OTHER, Hand::Assisted));
    let hui = format!("hui@{HOME}");
    let applied = bench.act(&hui, "application/apply", None, assisted).expect("at the counter");
    let acted = applied.behalf.expect("it is said");
    assert_eq!((acted.by, acted.how, acted.mandate), (hui.clone(), Hand::Assisted, None));
    let thing = crate::Thing::get(&bench.state, "licence", "application", &applied.thing);
    let thing = thing.expect("reads").expect("it is there");
    assert_eq!(thing.authors["apply"], [OTHER]);
    assert_eq!(
        (thing.hands["apply"].by.as_str(), thing.hands["apply"].how),
        (&*hui, Hand::Assisted)
    );
    // It is his, and not hers who has helped.
    assert!(bench.reads(OTHER, &applied.thing) && !bench.reads(&hui, &applied.thing));
    // An officer of another agency helps nobody here, nor one who calls himself agent.
    let apply = "licence/application/apply/proxy";
    refused(bench.act("hui@b.gov.cn", "application/apply", None, assisted), apply);
    refused(bench.act(&hui, "application/apply", None, Some((OTHER, Hand::Agent))), apply);
    let mut replay = Replay::of(HOME);
    for (decision, document) in &bench.kept {
        let record = decision.record.encode();
        replay.step(&record, &decision.salt, Some(document.clone())).expect("the same");
    }
}
