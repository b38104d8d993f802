//! Requests between two desks over the memory store, which meet on the loopback.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use chancery_apps::{
    Applied, Document, Folder, MEDIA_TYPE, Module, Outcome, Record, Replay, Thing, owed_documents,
};
use chancery_bus::tasks::Tasks;
use chancery_certs::Credential;
use chancery_crypto::Digest;
use chancery_protocol::{DocumentHeader, Event, Filing, Form, FormValue, OUTCOME, Part};
use chancery_store::in_place;
use chancery_test_domain::{Domain, now};

use super::*;
use crate::{
    submit::Refused,
    testing::{envelope_of, events, hand_in, header, rows, running_with, signed, until},
};

const A: &str = "a.gov.cn";
const B: &str = "b.gov.cn";

fn text(text: &str) -> FormValue {
    FormValue::Text(text.into())
}

fn form<const N: usize>(fields: [(&str, &str); N]) -> Form {
    fields.map(|(name, value)| (name.to_owned(), text(value))).into()
}

/// The module of inquiries between agencies.
fn folder() -> Folder {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../apps/modules/inquiry");
    let mut folder = Folder::default();
    for sub in ["", "forms", "cases", "texts"] {
        for file in std::fs::read_dir(root.join(sub)).expect("a folder").flatten() {
            if file.path().is_file() {
                let name = file.file_name().into_string().expect("a name");
                let path = if sub.is_empty() { name } else { format!("{sub}/{name}") };
                let text = std::fs::read_to_string(file.path()).expect("text");
                folder.add(&path, text).expect("a file");
            }
        }
    }
    folder
}

/// A desk of an agency, with its officer.
struct Desk {
    name: &'static str,
    office: Arc<Office>,
    officer: Credential,
    _tasks: Tasks,
}

impl Desk {
    async fn new(domain: &Domain, name: &'static str, officer: &str, installed: bool) -> Self {
        let first = Some(officer.to_owned());
        let (office, tasks) = running_with(domain, name, |config| config.access.appointer = first);
        let desk = Self { name, office, officer: domain.officer(officer), _tasks: tasks };
        for role in ["appointer", "module-keeper"] {
            desk.appoint(officer, role, "office").await;
        }
        desk.appoint(officer, "clerk", "inquiry").await;
        if installed {
            desk.install().await;
        }
        desk
    }

    fn act(
        &self,
        module: &str,
        kind: &str,
        act: &str,
        about: Option<&str>,
        form: Form,
    ) -> DocumentHeader {
        let filing = Filing {
            behalf: None,
            home: self.name.parse().expect("a name"),
            act: act.into(),
            about: about.map(str::to_owned),
            seen: None,
            reason: None,
            version: None,
            until: now() + 3600,
        };
        let mut header = DocumentHeader {
            to: Vec::new(),
            module: module.into(),
            title: "一件".into(),
            filing: Some(filing),
            form,
            fields: BTreeMap::new(),
            ..header(self.name, B, kind)
        };
        header.crit = header.critical();
        header
    }

    async fn file(
        &self,
        header: &DocumentHeader,
        part: &[u8],
    ) -> Result<Option<Applied>, NodeError> {
        let taken =
            hand_in(&self.office, &self.officer, &signed(header, &self.officer), part).await;
        Ok(taken.map_err(|refused: Refused| refused.error)?.accepted.applied)
    }

    async fn appoint(&self, officer: &str, role: &str, of: &str) {
        let form = form([("officer", officer), ("role", role), ("of", of)]);
        self.file(&self.act("office", "appoint", "appoint", None, form), &[])
            .await
            .expect("is appointed");
    }

    async fn install(&self) {
        let bytes = folder().encode();
        let module = Module::read(&folder()).unwrap_or_else(|all| panic!("{all:?}"));
        let digest = module.digest().to_string();
        let mut install =
            self.act("office", "install", "install", None, form([("digest", digest.as_str())]));
        install.parts = vec![Part {
            name: "module.cbor".into(),
            media_type: MEDIA_TYPE.into(),
            size: bytes.len() as u64,
            digest: Digest::of(&bytes),
        }];
        self.file(&install, &bytes).await.expect("is installed");
    }

    async fn ask(&self, agency: &str, subject: &str) -> Applied {
        let form = form([("agency", agency), ("subject", subject), ("text", "请协查")]);
        let asked = self.file(&self.act("inquiry", "ask", "question/ask", None, form), &[]).await;
        asked.expect("is taken").expect("is decided")
    }

    fn thing(&self, case: &str, id: &str) -> Option<Thing> {
        in_place(|here| {
            let look = decider::looking(here, &self.office);
            look.with(|_, state| Thing::get(state, "inquiry", case, id)).expect("reads")
        })
    }

    /// What was decided, in order.
    fn decided(&self) -> Vec<(Record, Option<EnvelopeId>)> {
        in_place(|here| {
            let look = decider::looking(here, &self.office);
            let count = look.with(|_, state| chancery_apps::decisions(state)).expect("reads");
            let each = (0..count).map(|number| {
                let kept =
                    decider::kept(here, &self.office, number).expect("reads").expect("is there");
                (Record::decode(&kept.record).expect("a record"), kept.envelope)
            });
            each.collect()
        })
    }

    /// The outcomes of what has come from elsewhere.
    fn outcomes(&self) -> Vec<Outcome> {
        let all = self.decided().into_iter();
        let from_others = all.filter(|(_, envelope)| {
            envelope.is_some_and(|id| {
                let record = crate::testing::record(&self.office, &id);
                record.is_some_and(|record| record.incoming)
            })
        });
        from_others.map(|(record, _)| record.outcome).collect()
    }

    fn owes(&self) -> usize {
        in_place(|here| {
            let look = decider::looking(here, &self.office);
            look.with(|_, state| owed_documents(state, "", 100)).expect("reads").len()
        })
    }

    /// What was answered to a document that was sent.
    fn answers(&self, document: &DocumentId) -> Vec<BTreeMap<String, String>> {
        let found = in_place(|here| crate::lookup::answers(here, &self.office, document));
        let found = found.expect("reads").into_iter().map(|head| head.document.header().clone());
        found.filter(|header| header.kind == "办理答复").map(|header| header.fields).collect()
    }

    /// Decides everything again, from the documents that are kept, as whoever has an export does.
    fn again(&self) {
        in_place(|here| {
            let look = decider::looking(here, &self.office);
            let mut replay = Replay::of(self.name);
            for number in 0..look.with(|_, state| chancery_apps::decisions(state)).expect("reads") {
                let kept =
                    decider::kept(here, &self.office, number).expect("reads").expect("is there");
                let document = kept.envelope.map(|envelope| {
                    let (_, document) = inside(here, &self.office, &envelope).expect("opens");
                    let part = (document.header().kind == "install").then(|| folder().encode());
                    let verified = self.office.verify(document).passed().expect("it holds");
                    Document::of(&verified, part)
                });
                let step = replay.step(&kept.record, &kept.salt, document);
                assert!(step.is_ok(), "decision {number}: {step:?}");
            }
            let mut heads = replay.heads().expect("reads");
            let mut live = decider::heads(&look).expect("reads");
            heads.sort_by(|a, b| a.0.cmp(&b.0));
            live.sort_by(|a, b| a.0.cmp(&b.0));
            live.retain(|(_, head)| head.decisions > 0);
            assert_eq!(heads, live);
        });
    }

    fn put_off(&self) -> usize {
        in_place(|here| {
            self.office
                .store(here)
                .scan(Table::Modules, WAITING, WAITING, 100)
                .expect("reads")
                .len()
        })
    }
}

async fn two(installed: bool) -> (Domain, Desk, Desk) {
    let domain = Domain::new(&[(A, None), (B, None)]);
    let a = Desk::new(&domain, A, "li@a.gov.cn", true).await;
    let b = Desk::new(&domain, B, "wang@b.gov.cn", installed).await;
    (domain, a, b)
}

/// The document that was sent to discharge what a thing owed.
fn sent(desk: &Desk) -> DocumentId {
    let all = desk.decided();
    let last = all.iter().rev().find_map(|(record, envelope)| {
        let Subject::Document(id) = record.subject else { return None };
        let (_, document) = in_place(|here| inside(here, &desk.office, &(*envelope)?).ok())?;
        let filing = document.header().filing.clone()?;
        (filing.home.as_str() != desk.name).then_some(id)
    });
    last.expect("something was sent")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inquiry_goes_to_another_agency_is_decided_there_and_its_reply_here() {
    let (_domain, a, b) = two(true).await;
    let asked = a.ask(B, "某批货物").await;
    until("the inquiry is decided there", || !b.outcomes().is_empty()).await;
    let outcomes = b.outcomes();
    let [Outcome::Applied(received)] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    let inquiry = sent(&a);
    // What was sent is what opened the matter, and the arrival is an entry before the decision.
    assert_eq!(received.thing, inquiry.to_string());
    let there = b.thing("inquiry", &received.thing).expect("it is there");
    assert_eq!(
        (there.title.as_str(), there.authors["inquire"].as_slice()),
        ("某批货物", &[A.to_owned()][..])
    );
    let events = events(&b.office);
    let at = events.iter().position(|event| *event == Event::ContentConsignment).expect("it came");
    assert_eq!(events[at + 1], Event::Decided);
    // Its sender is told once, as of the entry there.
    until("its sender is told", || !a.answers(&inquiry).is_empty()).await;
    let told = a.answers(&inquiry);
    assert_eq!((told.len(), told[0][OUTCOME].as_str()), (1, "applied"));
    assert_eq!(told[0]["entry"], (at + 1).to_string());
    let form = form([("text", "查无此批")]);
    let answer = b.act("inquiry", "answer", "inquiry/answer", Some(&received.thing), form);
    b.file(&answer, &[]).await.expect("it is answered");
    until("the reply has come", || {
        a.thing("question", &asked.thing).is_some_and(|thing| thing.state == "answered")
    })
    .await;
    until("nothing is owed", || a.owes() + b.owes() == 0).await;
    a.again();
    b.again();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arrival_that_breaks_a_rule_is_recorded_as_refused_and_its_sender_is_told_once() {
    let (_domain, a, b) = two(true).await;
    for subject in ["一", "二", "三"] {
        a.ask(B, subject).await;
    }
    until("three are taken", || b.outcomes().len() == 3).await;
    let asked = a.ask(B, "四").await;
    until("the fourth is decided", || b.outcomes().len() == 4).await;
    let refused = b.outcomes().pop().expect("four");
    assert!(matches!(refused, Outcome::Refused(_)), "{refused:?}");
    until("the matter here goes on", || {
        a.thing("question", &asked.thing).is_some_and(|thing| thing.state == "declined")
    })
    .await;
    let told = a.answers(&sent(&a));
    assert_eq!((told.len(), told[0][OUTCOME].as_str()), (1, "refused"));
    // What the other agency keeps does not show in it.
    assert_eq!(told[0]["code"], "CHY-7101");
    assert!(!told[0].contains_key("matter") && !told[0]["reason"].contains("三件"), "{told:?}");
    // Answers are never answered: nothing more comes of it.
    until("nothing is owed", || a.owes() + b.owes() == 0).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let answers = in_place(|here| {
        a.office.store(here).scan(Table::Modules, ANSWERS, ANSWERS, 9).expect("reads").len()
    });
    assert_eq!((answers, b.outcomes().len()), (0, 4));
    a.again();
    b.again();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_its_module_and_is_decided_as_of_its_arrival() {
    let (_domain, a, b) = two(false).await;
    a.ask(B, "某批货物").await;
    until("it waits, by an entry", || !b.outcomes().is_empty()).await;
    assert!(matches!(b.outcomes().as_slice(), [Outcome::Deferred(_)]), "{:?}", b.outcomes());
    assert_eq!(b.put_off(), 1);
    let inquiry = sent(&a);
    assert_eq!(a.answers(&inquiry).len(), 0, "it is not answered yet");
    b.install().await;
    until("it is decided", || b.outcomes().len() == 2).await;
    assert!(matches!(b.outcomes().as_slice(), [_, Outcome::Applied(_)]), "{:?}", b.outcomes());
    let lodged: Vec<_> = b.decided().iter().rev().map(|(record, _)| record.lodged).collect();
    let came = b
        .decided()
        .iter()
        .find(|(one, _)| matches!(one.outcome, Outcome::Deferred(_)))
        .map(|(one, _)| one.lodged);
    assert_eq!(Some(lodged[0]), came, "it loses no time");
    assert_eq!(b.put_off(), 0);
    until("its sender is told", || a.answers(&inquiry).len() == 1).await;
    b.again();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_program_fails_at_is_set_apart_by_an_entry_and_what_comes_after_goes_on() {
    let (_domain, a, b) = two(true).await;
    *b.office.decider.failing.lock().expect("nobody fails") = Some("坏的".into());
    let bad = a.ask(B, "坏的").await;
    until("it is set apart", || !b.outcomes().is_empty()).await;
    let outcomes = b.outcomes();
    let [Outcome::Quarantined { program }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!(program, decider::PROGRAM);
    a.ask(B, "好的").await;
    until("the next is decided", || b.outcomes().len() == 2).await;
    assert!(matches!(b.outcomes().as_slice(), [_, Outcome::Applied(_)]));
    // What is filed here likewise: it is refused, and others go on.
    *b.office.decider.failing.lock().expect("nobody fails") = Some("一件".into());
    let open = b.outcomes().pop();
    let Some(Outcome::Applied(open)) = open else { panic!("{open:?}") };
    let answer = |title: &str| {
        let form = form([("text", "x")]);
        let header = b.act("inquiry", "answer", "inquiry/answer", Some(&open.thing), form);
        DocumentHeader { title: title.into(), ..header }
    };
    let refused = b.file(&answer("一件"), &[]).await.expect_err("the program fails");
    assert_eq!(refused.code(), "CHY-7110");
    b.file(&answer("另一件"), &[]).await.expect("others go on");
    // Its sender was told that it came to nothing.
    until("its sender is told", || {
        a.thing("question", &bad.thing).is_some_and(|thing| thing.state == "declined")
    })
    .await;
    a.again();
    b.again();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_whose_home_is_another_ledger_is_decided_there_alone() {
    let (_domain, a, b) = two(true).await;
    // An officer's own request: it goes there, and nothing is decided here.
    let request = |home: &str| {
        let form = form([("subject", "自拟"), ("text", "请协查"), ("ours", "x")]);
        let mut header = a.act("inquiry", "inquire", "inquiry/inquire", None, form);
        header.filing.as_mut().expect("it is filed").home = home.parse().expect("a name");
        header.to = vec![B.parse().expect("a name")];
        header
    };
    let before = a.decided().len();
    assert!(a.file(&request(B), &[]).await.expect("it is sent").is_none());
    assert_eq!(a.decided().len(), before);
    until("it is decided there", || b.outcomes().len() == 1).await;
    assert!(matches!(b.outcomes().as_slice(), [Outcome::Applied(_)]), "{:?}", b.outcomes());
    // To a ledger to which it does not go.
    let refused = a.file(&request("c.gov.cn"), &[]).await.expect_err("it does not go there");
    assert_eq!(refused.code(), "CHY-4010");
    // What is decided here and goes to others is a copy there.
    let form = form([("agency", B), ("subject", "抄送"), ("text", "x")]);
    let mut copied = a.act("inquiry", "ask", "question/ask", None, form);
    copied.cc = vec![B.parse().expect("a name")];
    copied.to = vec![B.parse().expect("a name")];
    copied.cc.clear();
    let document = signed(&copied, &a.officer);
    hand_in(&a.office, &a.officer, &document, &[]).await.expect("it is taken");
    until("the copy has come", || envelope_of(&b.office, &document.id()).is_some()).await;
    until("what it owes is decided there", || b.outcomes().len() == 2).await;
    assert_eq!(b.outcomes().len(), 2, "the copy decides nothing");
    let left = in_place(|here| rows(here, &b.office, Table::Unindexed));
    assert_eq!(left, 0);
    b.again();
}
