//! Two agencies over one module: what one owes the other, what comes of it there, and what each is told.

use std::collections::BTreeMap;

use chancery_certs::AgencyName;
use chancery_crypto::{Digest, cbor};
use chancery_protocol::{
    Act, DocumentHeader, DocumentId, Filing, Form, FormValue, OUTCOME, Urgency,
};
use proptest::prelude::*;

use crate::{
    between::{Answered, MOST_DEFERRED},
    civil::Instant,
    folder::Folder,
    input::{Document, Input, Signer},
    kernel::{Decision, Kernel, Salt},
    manifest::Module,
    mechanism::{OwedDocument, owed_documents},
    office::{self, Installed},
    record::{Applied, Facts, Outcome},
    replay::Replay,
    state::{MemoryState, Writes},
    thing::Thing,
};

const A: &str = "market.hz.gov.cn";
const B: &str = "customs.hz.gov.cn";
const BEGIN: i64 = 1_772_413_200;

fn folder() -> Folder {
    Folder::of_this_crate("inquiry")
}

/// The ledger of an agency, as the kernel sees it.
struct Home {
    name: AgencyName,
    kernel: Kernel,
    first: MemoryState,
    state: MemoryState,
    made: Vec<(Decision, Document)>,
    now: i64,
    nonce: u64,
}

impl Home {
    fn new(name: &str, installed: bool) -> Self {
        let mut home = Self {
            name: name.parse().expect("a name"),
            kernel: Kernel::default(),
            first: MemoryState::default(),
            state: MemoryState::default(),
            made: Vec::new(),
            now: BEGIN,
            nonce: 0,
        };
        if installed {
            home.install();
        }
        home.first = home.state.clone();
        home
    }

    /// Puts the module into force, with `clerk` as its clerk.
    fn install(&mut self) {
        let (folder, mut writes) = (folder(), Writes::new());
        let module = Module::read(&folder).unwrap_or_else(|all| panic!("{all:?}"));
        let installed = Installed {
            second: None,
            digest: module.digest(),
            version: "1".into(),
            since: BEGIN,
            by: String::new(),
            document: String::new(),
        };
        writes.insert(office::folder(&module.digest()), Some(folder.encode()));
        writes.insert(office::in_force("inquiry"), Some(cbor::encode(&installed).expect("plain")));
        let held = office::Appointment { from: 0, until: None, document: String::new() };
        let clerk = format!("clerk@{}", self.name);
        let key = office::appointment("inquiry", "clerk", &clerk, None);
        writes.insert(key, Some(cbor::encode(&held).expect("plain")));
        self.state.apply(&writes);
    }

    fn header(&mut self, kind: &str, act: &str, about: Option<&str>, form: Form) -> DocumentHeader {
        self.nonce += 1;
        let filing = Filing {
            behalf: None,
            home: self.name.clone(),
            act: act.into(),
            about: about.map(str::to_owned),
            seen: None,
            reason: None,
            version: None,
            until: self.now + 86_400,
        };
        DocumentHeader {
            kind: kind.into(),
            number: None,
            title: kind.into(),
            from: self.name.clone(),
            to: Vec::new(),
            cc: Vec::new(),
            classification: None,
            secrecy_period: None,
            urgency: Urgency::Routine,
            created: self.now,
            deadline: None,
            in_reply_to: None,
            module: "inquiry".into(),
            fields: BTreeMap::new(),
            crit: Vec::new(),
            filing: Some(filing),
            form,
            parts: Vec::new(),
            nonce: Digest::of(format!("{} {}", self.name, self.nonce).as_bytes()),
        }
    }

    fn input(&self, header: DocumentHeader, signers: &[&str], open: Option<&str>) -> Input {
        let bytes = cbor::encode(&header).expect("plain");
        let id = DocumentId::from_slice(Digest::of(&bytes).as_bytes()).expect("an id");
        let signers = signers.iter().map(|name| Signer::named(name)).collect();
        let mut input = Input {
            at: Instant(self.now),
            lodged: Instant(self.now),
            home: self.name.to_string(),
            salt: Salt::Fresh(Digest::of(&bytes)),
            facts: Facts { open: open.map(str::to_owned), ..Facts::default() },
            document: Document { id, header, signers, part: None },
        };
        input.facts.form = self.kernel.judge_form(&self.state, &input).expect("reads");
        input
    }

    /// Decides, and keeps what comes of it as a node keeps it: what was filed here and refused leaves nothing.
    fn decide(&mut self, input: &Input) -> Vec<Outcome> {
        let made = self.kernel.decide(&self.state, input).expect("decides");
        let own = input.document.header.from == self.name;
        let mut outcomes = Vec::new();
        for decision in made {
            outcomes.push(decision.record.outcome.clone());
            if own && !matches!(decision.record.outcome, Outcome::Applied(_)) {
                continue;
            }
            self.keep(decision, input);
        }
        outcomes
    }

    fn keep(&mut self, decision: Decision, input: &Input) {
        self.state.apply(&decision.writes);
        self.made.push((decision, input.document.clone()));
    }

    fn clerk(&mut self, kind: &str, act: &str, about: Option<&str>, form: Form) -> Outcome {
        let header = self.header(kind, act, about, form);
        let clerk = format!("clerk@{}", self.name);
        let input = self.input(header, &[&clerk], None);
        self.decide(&input).pop().expect("it is decided")
    }

    fn owes(&self) -> Vec<(Digest, OwedDocument)> {
        owed_documents(&self.state, "", 100).expect("reads")
    }

    /// Seals what is owed first, which is an entry from now on. Gives the document.
    fn seals(&mut self) -> Document {
        let (name, owed) = self.owes().remove(0);
        let header = owed.header(&name, &self.name.clone(), self.now);
        let input = self.input(header, &[self.name.as_str()], None);
        let outcomes = self.decide(&input);
        assert!(matches!(outcomes.as_slice(), [Outcome::Applied(_)]), "{outcomes:?}");
        input.document
    }

    /// What comes from another agency.
    fn takes(&mut self, document: &Document, open: Option<&str>) -> Vec<Outcome> {
        let signers: Vec<_> = document.signers.iter().map(|one| one.name.as_str()).collect();
        let input = self.input(document.header.clone(), &signers, open);
        self.decide(&input)
    }

    fn answer(&mut self, to: &Document, said: Answered) -> Document {
        let mut header = self.header(Act::Decision.kind(), "", None, Form::new());
        header.filing = None;
        header.in_reply_to = Some(to.id);
        header.fields = BTreeMap::from([(OUTCOME.to_owned(), said.name().to_owned())]);
        self.input(header, &[self.name.as_str()], None).document
    }

    fn thing(&self, applied: &Applied) -> Thing {
        let found = Thing::get(&self.state, "inquiry", &applied.case, &applied.thing);
        found.expect("reads").expect("it is there")
    }

    /// Decides all of it again.
    fn again(&self) {
        let mut replay = Replay::from(self.name.as_str(), self.first.clone());
        for (decision, document) in &self.made {
            let step =
                replay.step(&decision.record.encode(), &decision.salt, Some(document.clone()));
            assert!(step.is_ok(), "{step:?}");
        }
        assert_eq!(*replay.state(), self.state);
    }
}

fn text(text: &str) -> FormValue {
    FormValue::Text(text.into())
}

fn ask(agency: &str) -> Form {
    [("agency", agency), ("subject", "某批货物"), ("text", "请协查")]
        .map(|(name, value)| (name.to_owned(), text(value)))
        .into()
}

fn applied(outcome: Outcome) -> Applied {
    match outcome {
        Outcome::Applied(applied) => applied,
        other => panic!("{other:?}"),
    }
}

fn refused_by(outcomes: &[Outcome]) -> &str {
    match outcomes {
        [Outcome::Refused(reasons)] => &reasons[0].rule,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_one_asks_the_other_answers_and_both_are_decided_again() {
    let (mut a, mut b) = (Home::new(A, true), Home::new(B, true));
    let asked = applied(a.clerk("ask", "question/ask", None, ask(B)));
    let inquiry = a.seals();
    assert!(a.owes().is_empty(), "it is owed once");
    let received = applied(b.takes(&inquiry, None).remove(0));
    assert_eq!((received.case.as_str(), received.state.as_str()), ("inquiry", "received"));
    // The agency answers for it, whoever signed there.
    assert_eq!(b.thing(&received).authors["inquire"], [A]);
    // It has come a second time, in another envelope: nothing is decided, and nobody is answered.
    assert_eq!(b.takes(&inquiry, None), []);
    let form = Form::from([("text".to_owned(), text("查无此批"))]);
    b.clerk("answer", "inquiry/answer", Some(&received.thing), form);
    let reply = b.seals();
    let answered = applied(a.takes(&reply, None).remove(0));
    assert_eq!((answered.thing, answered.state.as_str()), (asked.thing, "answered"));
    // That the request was taken changes nothing of the matter.
    let told = b.answer(&inquiry, Answered::Applied);
    assert_eq!(applied(a.takes(&told, None).remove(0)).sequence, 2);
    assert_eq!(a.takes(&told, None), [], "it is told once");
    a.again();
    b.again();
}

#[test]
fn a_request_that_is_refused_is_recorded_and_its_sender_goes_on() {
    let (mut a, mut b) = (Home::new(A, true), Home::new(B, true));
    let mut inquiries = Vec::new();
    for _ in 0..4 {
        let asked = applied(a.clerk("ask", "question/ask", None, ask(B)));
        inquiries.push((asked, a.seals()));
    }
    let (last, first) = inquiries.split_last().expect("four");
    for (_, document) in first {
        applied(b.takes(document, None).remove(0));
    }
    let decisions = b.made.len();
    assert_eq!(refused_by(&b.takes(&last.1, None)), "inquiry/inquiry/inquire/open");
    assert_eq!(b.made.len(), decisions + 1, "it is recorded");
    // Nobody else's word for it, and no clerk's.
    let told = b.answer(&last.1, Answered::Refused);
    let mut others = told.clone();
    others.header.from = "tax.hz.gov.cn".parse().expect("a name");
    others.signers = vec![Signer::named("tax.hz.gov.cn")];
    let mut clerks = told.clone();
    clerks.signers.insert(0, Signer::named(&format!("clerk@{B}")));
    for wrong in [others, clerks] {
        assert_eq!(a.takes(&wrong, None), []);
    }
    assert_eq!(applied(a.takes(&told, None).remove(0)).state, "declined");
    assert_eq!(a.thing(&last.0).state, "declined");
    a.again();
    b.again();
}

#[test]
fn a_refusal_that_comes_when_the_matter_has_ended_marks_it() {
    let (mut a, mut b) = (Home::new(A, true), Home::new(B, true));
    let asked = applied(a.clerk("ask", "question/ask", None, ask(B)));
    let inquiry = a.seals();
    let received = applied(b.takes(&inquiry, None).remove(0));
    let form = Form::from([("text".to_owned(), text("x"))]);
    b.clerk("answer", "inquiry/answer", Some(&received.thing), form);
    let reply = b.seals();
    a.takes(&reply, None);
    let told = b.answer(&inquiry, Answered::Refused);
    assert_eq!(applied(a.takes(&told, None).remove(0)).state, "answered");
    assert_eq!(a.thing(&asked).flags, ["refused/ask/inquire"]);
    a.again();
}

#[test]
fn what_comes_from_elsewhere_does_no_act_of_ours_and_ours_none_of_theirs() {
    let (mut a, mut b) = (Home::new(A, true), Home::new(B, true));
    let asked = applied(a.clerk("ask", "question/ask", None, ask(B)));
    // An act of the agency itself, from another one; with the name of an officer who may.
    let mut foreign = a.header("ask", "question/ask", None, ask(B));
    foreign.from = B.parse().expect("a name");
    let clerk = format!("clerk@{A}");
    let input = a.input(foreign, &[&clerk, B], None);
    assert_eq!(refused_by(&a.decide(&input)), "inquiry");
    // What others are to send, from an officer here.
    let form = Form::from([("text".to_owned(), text("x"))]);
    let own = a.clerk("reply", "question/reply", Some(&asked.thing), form.clone());
    assert!(matches!(own, Outcome::Refused(_)), "{own:?}");
    // Without the seal of its agency; and from one that was not asked.
    let mut reply = a.header("reply", "question/reply", Some(&asked.thing), form);
    reply.from = B.parse().expect("a name");
    let officer = format!("clerk@{B}");
    let input = a.input(reply.clone(), &[&officer], None);
    assert_eq!(refused_by(&a.decide(&input)), "inquiry");
    reply.from = "tax.hz.gov.cn".parse().expect("a name");
    let input = a.input(reply, &["tax.hz.gov.cn"], None);
    assert_eq!(refused_by(&a.decide(&input)), "inquiry/question/reply/by");
    // The office is nobody else's.
    let mut install = b.header("install", "install", None, Form::new());
    install.module = "office".into();
    install.from = A.parse().expect("a name");
    let input = b.input(install, &[A], None);
    assert_eq!(refused_by(&b.decide(&input)), "office");
    assert_eq!(a.thing(&asked).state, "asked");
    a.again();
    b.again();
}

#[test]
fn what_cannot_be_decided_yet_waits_by_an_entry_and_is_decided_as_of_its_arrival() {
    let (mut a, mut b) = (Home::new(A, true), Home::new(B, false));
    a.clerk("ask", "question/ask", None, ask(B));
    let inquiry = a.seals();
    let open = b.takes(&inquiry, Some("the list is out of date"));
    let [Outcome::Deferred(deferral)] = open.as_slice() else { panic!("{open:?}") };
    assert_eq!(deferral.until, BEGIN + MOST_DEFERRED);
    assert_eq!(b.takes(&inquiry, Some("the list is out of date")), [], "it is said once");
    // It holds, and there is no such module.
    let waits = b.takes(&inquiry, None);
    assert!(matches!(waits.as_slice(), [Outcome::Deferred(_)]), "{waits:?}");
    b.again();
    let mut installed = Home { first: MemoryState::default(), ..Home::new(B, false) };
    std::mem::swap(&mut installed, &mut b);
    let mut b = installed;
    b.install();
    b.now += 3 * 86_400;
    let signers = [A];
    let mut input = b.input(inquiry.header.clone(), &signers, None);
    input.lodged = Instant(BEGIN);
    let received = applied(b.decide(&input).remove(0));
    assert_eq!(b.thing(&received).when("inquire"), Some(Instant(BEGIN)), "it counts from then");
}

#[test]
fn what_waited_in_vain_is_refused() {
    let (mut a, mut b) = (Home::new(A, true), Home::new(B, false));
    a.clerk("ask", "question/ask", None, ask(B));
    let inquiry = a.seals();
    assert!(matches!(b.takes(&inquiry, None).as_slice(), [Outcome::Deferred(_)]));
    let mut input = b.input(inquiry.header.clone(), &[A], None);
    input.at = Instant(BEGIN + MOST_DEFERRED);
    assert_eq!(refused_by(&b.decide(&input)), "inquiry");
    input.at = Instant(BEGIN + MOST_DEFERRED + 1);
    assert_eq!(b.decide(&input), [], "it is decided once");
    b.again();
}

#[test]
fn what_a_program_fails_at_is_set_apart_once_and_stays_so() {
    let (mut a, mut b) = (Home::new(A, true), Home::new(B, true));
    a.clerk("ask", "question/ask", None, ask(B));
    let inquiry = a.seals();
    let input = b.input(inquiry.header.clone(), &[A], None);
    let apart = b.kernel.quarantine(&b.state, &input, "chancery 0.1").expect("writes");
    b.keep(apart, &input);
    assert_eq!(b.takes(&inquiry, None), [], "it is not tried again");
    b.again();
}

#[test]
fn what_is_sealed_must_be_what_is_owed() {
    let mut a = Home::new(A, true);
    a.clerk("ask", "question/ask", None, ask(B));
    let (name, owed) = a.owes().remove(0);
    let right = owed.header(&name, &a.name, a.now);
    let others = [
        DocumentHeader { nonce: Digest::of(b"another"), ..right.clone() },
        DocumentHeader { kind: "reply".into(), ..right.clone() },
        DocumentHeader { form: Form::new(), ..right.clone() },
        DocumentHeader { to: vec!["tax.hz.gov.cn".parse().expect("a name")], ..right.clone() },
    ];
    for wrong in others {
        let input = a.input(wrong, &[A], None);
        assert!(matches!(a.decide(&input).as_slice(), [Outcome::Refused(_)]));
    }
    // Nor is an officer the seal.
    let clerk = format!("clerk@{A}");
    let input = a.input(right, &[&clerk, A], None);
    assert!(matches!(a.decide(&input).as_slice(), [Outcome::Refused(_)]));
    assert_eq!(a.owes().len(), 1);
    a.seals();
    assert!(a.owes().is_empty());
    a.again();
}

proptest! {
    /// In whatever order, and however often, documents of two agencies arrive: each is decided once, nothing stays owed that was sealed, and
    /// both ledgers come out the same again.
    #[test]
    fn whatever_comes_in_whatever_order_is_decided_once(steps in prop::collection::vec((0u8..6, any::<prop::sample::Index>()), 1..25)) {
        let (mut a, mut b) = (Home::new(A, true), Home::new(B, true));
        let (mut to_b, mut to_a): (Vec<Document>, Vec<Document>) = Default::default();
        let mut received: Vec<Applied> = Vec::new();
        for (what, which) in steps {
            a.now += 60;
            b.now = a.now;
            match what {
                0 => drop(a.clerk("ask", "question/ask", None, ask(B))),
                1 if !a.owes().is_empty() => to_b.push(a.seals()),
                2 if !to_b.is_empty() => {
                    let document = to_b[which.index(to_b.len())].clone();
                    let seen = b.made.iter().any(|(_, known)| known.id == document.id);
                    let outcomes = b.takes(&document, None);
                    prop_assert_eq!(outcomes.is_empty(), seen);
                    for outcome in outcomes {
                        let said = match outcome {
                            Outcome::Applied(applied) => { received.push(applied); Answered::Applied }
                            _ => Answered::Refused,
                        };
                        to_a.push(b.answer(&document, said));
                    }
                }
                3 if !received.is_empty() => {
                    let thing = received[which.index(received.len())].thing.clone();
                    let form = Form::from([("text".to_owned(), text("x"))]);
                    b.clerk("answer", "inquiry/answer", Some(&thing), form);
                }
                4 if !b.owes().is_empty() => to_a.push(b.seals()),
                5 if !to_a.is_empty() => {
                    let document = to_a[which.index(to_a.len())].clone();
                    let seen = a.made.iter().any(|(_, known)| known.id == document.id);
                    let outcomes = a.takes(&document, None);
                    prop_assert_eq!(outcomes.is_empty(), seen);
                }
                _ => {}
            }
        }
        a.again();
        b.again();
    }
}
