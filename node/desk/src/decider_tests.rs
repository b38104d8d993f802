use std::{collections::BTreeMap, sync::Arc};

use chancery_apps::{Document, Folder, MEDIA_TYPE, Module, Record, Replay, Signer};
use chancery_certs::Credential;
use chancery_crypto::Digest;
use chancery_protocol::{DocumentHeader, Event, Filing, Form, FormValue, Part};
use chancery_store::in_place;
use chancery_test_domain::{Domain, now};

use super::*;
use crate::testing::{events, hand_in, header, office, signed};

const A: &str = "a.gov.cn";

fn text(text: &str) -> FormValue {
    FormValue::Text(text.into())
}

fn form<const N: usize>(fields: [(&str, FormValue); N]) -> Form {
    fields.map(|(name, value)| (name.to_owned(), value)).into()
}

/// An act on what a module keeps.
fn act(module: &str, kind: &str, act: &str, about: Option<&str>, form: Form) -> DocumentHeader {
    let filing = Filing {
        home: A.parse().expect("a name"),
        act: act.into(),
        about: about.map(str::to_owned),
        seen: None,
        reason: None,
        version: None,
        until: now() + 3600,
        behalf: None,
    };
    let mut header = DocumentHeader {
        to: Vec::new(),
        module: module.into(),
        kind: kind.into(),
        title: "一件".into(),
        filing: Some(filing),
        form,
        fields: BTreeMap::new(),
        ..header(A, "b.gov.cn", kind)
    };
    header.crit = header.critical();
    header
}

/// A module of one case: something is asked for, and granted or not. Each grant has a number, and of each subject there is one
/// at a time.
fn folder() -> Folder {
    let case = r#"
case = "request"
[state]
filed = {}
granted = { end = true }
[number.no]
key = ["year(lodged)"]
as = "{0}-{n}"
[unique.subject]
of = "it.subject"
law = "1"
[act.request]
to = "filed"
by = "clerk"
set = { subject = "doc.subject" }
[act.grant]
form = "answer"
from = "filed"
to = "granted"
by = "clerk"
number = "no"
"#;
    let form = r#"{ "type": "object", "additionalProperties": false, "required": ["subject"],
        "properties": { "subject": { "type": "string", "maxLength": 40 } } }"#;
    let answer = r#"{ "type": "object", "additionalProperties": false, "properties": {} }"#;
    let names = "role-clerk case-request state-request-filed state-request-granted act-request-request \
                 act-request-grant form-request form-request-subject form-answer";
    let words: String = names.split_whitespace().map(|name| format!("{name} = x\n")).collect();
    let module = "module = \"asks\"\nversion = \"1\"\nlaw = \"法\"\n\
                  names = { \"zh-CN\" = \"x\", en = \"x\" }\n[role.clerk]\n";
    let files = [
        ("module.toml", module),
        ("cases/request.toml", case),
        ("forms/request.json", form),
        ("forms/answer.json", answer),
        ("texts/zh-CN.ftl", &words),
        ("texts/en.ftl", &words),
    ];
    Folder::of(files).expect("a folder")
}

async fn file(
    desk: &Office,
    by: &Credential,
    header: &DocumentHeader,
    part: &[u8],
) -> Result<Applied, NodeError> {
    let taken = hand_in(desk, by, &signed(header, by), part).await;
    let accepted = taken.map_err(|refused| refused.error)?.accepted;
    Ok(accepted.applied.expect("it was decided"))
}

/// A desk at which the module is in force, and `li` is its clerk.
async fn desk(domain: &Domain) -> (Arc<Office>, Credential) {
    let desk = office(domain, A, |config| {
        config.access.appointer = Some("li@a.gov.cn".into());
    });
    let li = domain.officer("li@a.gov.cn");
    for (role, of) in [("appointer", "office"), ("module-keeper", "office"), ("clerk", "asks")] {
        let fields =
            form([("officer", text("li@a.gov.cn")), ("role", text(role)), ("of", text(of))]);
        file(&desk, &li, &act("office", "appoint", "appoint", None, fields), &[])
            .await
            .expect("is appointed");
    }
    let bytes = folder().encode();
    let digest = Module::read(&folder()).expect("a module").digest().to_string();
    let mut install = act("office", "install", "install", None, form([("digest", text(&digest))]));
    install.parts = vec![Part {
        name: "module.cbor".into(),
        media_type: MEDIA_TYPE.into(),
        size: bytes.len() as u64,
        digest: Digest::of(&bytes),
    }];
    file(&desk, &li, &install, &bytes).await.expect("is installed");
    (desk, li)
}

fn request(subject: &str) -> DocumentHeader {
    act("asks", "request", "request/request", None, form([("subject", text(subject))]))
}

fn grant(matter: &str) -> DocumentHeader {
    act("asks", "answer", "request/grant", Some(matter), Form::new())
}

/// Decides everything again, in the order of the ledger. Gives the heads of all modules.
fn again(desk: &Office) -> Vec<(String, Head)> {
    in_place(|here| {
        let look = looking(here, desk);
        let count = look.with(|_, state| decisions(state)).expect("reads");
        let feed = desk.ledger().view(here).feed(0, usize::MAX).expect("reads");
        let entries = feed.into_iter().filter(|(_, leaf)| leaf.event == Event::Decided);
        let entries: Vec<_> = entries.map(|(_, leaf)| leaf.commitment).collect();
        assert_eq!(entries.len() as u64, count);
        let mut replay = Replay::of(A);
        for (number, commitment) in (0..count).zip(entries) {
            let kept = kept(here, desk, number).expect("reads").expect("it is there");
            assert_eq!(
                Record::commitment(&kept.record, &kept.salt),
                commitment,
                "decision {number}"
            );
            let document = kept.envelope.map(|envelope| {
                let (_, document) = crate::opening::inside(here, desk, &envelope).expect("opens");
                let header = document.header().clone();
                let part = (header.kind == "install").then(|| folder().encode());
                let signer = Signer { name: "li@a.gov.cn".into(), agency: A.into() };
                Document { id: document.id(), header, signers: vec![signer], part }
            });
            replay.step(&kept.record, &kept.salt, document).expect("it comes out the same");
        }
        let mut heads = replay.heads().expect("reads");
        heads.sort_by(|a, b| a.0.cmp(&b.0));
        heads
    })
}

fn live(desk: &Office) -> Vec<(String, Head)> {
    in_place(|here| {
        let mut heads = heads(&looking(here, desk)).expect("reads");
        heads.sort_by(|a, b| a.0.cmp(&b.0));
        heads
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn arrival_and_decision_are_two_entries_and_a_refusal_is_none() {
    let domain = Domain::new(&[(A, None), ("b.gov.cn", None)]);
    let (desk, li) = desk(&domain).await;
    let before = events(&desk);
    let applied = file(&desk, &li, &request("a"), &[]).await.expect("is taken");
    let after = events(&desk);
    assert_eq!(after[before.len()..], [Event::SubmissionAcceptance, Event::Decided]);
    let state = live(&desk);
    // Of a subject there is one at a time.
    let refused = file(&desk, &li, &request("a"), &[]).await.expect_err("is refused");
    assert_eq!(refused.code(), "CHY-7107");
    assert_eq!(live(&desk), state);
    let granted = file(&desk, &li, &grant(&applied.thing), &[]).await.expect("is taken");
    assert_eq!(granted.state, "granted");
    file(&desk, &li, &request("a"), &[]).await.expect("the other has ended");
    assert_eq!(again(&desk), live(&desk));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_document_is_decided_once_however_it_is_handed_in() {
    let domain = Domain::new(&[(A, None), ("b.gov.cn", None)]);
    let (desk, li) = desk(&domain).await;
    let document = signed(&request("a"), &li);
    let (first, second) =
        tokio::join!(hand_in(&desk, &li, &document, &[]), hand_in(&desk, &li, &document, &[]));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let again_later = hand_in(&desk, &li, &document, &[]).await.expect_err("was decided");
    assert_eq!(again_later.error.code(), "CHY-7100");
}

/// Whatever comes at once on real threads: the state is that which the order of the ledger gives, numbers have no gap, and of
/// what may stand once one stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn whatever_comes_at_once_the_state_is_what_the_ledgers_order_gives() {
    let domain = Domain::new(&[(A, None), ("b.gov.cn", None)]);
    let (desk, li) = desk(&domain).await;
    let li = Arc::new(li);
    let mut all = tokio::task::JoinSet::new();
    for worker in 0..8u32 {
        let (desk, li) = (desk.clone(), li.clone());
        all.spawn(async move {
            let (mut granted, mut refused) = (Vec::new(), 0);
            for round in 0..6u32 {
                // Two of each four ask for the same.
                let subject = format!("s{}-{round}", worker / 2);
                match file(&desk, &li, &request(&subject), &[]).await {
                    Ok(applied) => {
                        let done = file(&desk, &li, &grant(&applied.thing), &[]).await;
                        granted.extend(done.expect("is granted").numbers);
                    }
                    Err(error) => {
                        assert_eq!(error.code(), "CHY-7107", "{error}");
                        refused += 1;
                    }
                }
            }
            (granted, refused)
        });
    }
    let (mut numbers, mut refused) = (Vec::new(), 0);
    while let Some(done) = all.join_next().await {
        let (granted, not) = done.expect("it ends");
        numbers.extend(granted);
        refused += not;
    }
    assert_eq!(numbers.len() + refused, 48);
    let mut counted: Vec<u32> = numbers
        .iter()
        .map(|n| n.rsplit_once('-').expect("a number").1.parse().expect("digits"))
        .collect();
    counted.sort_unstable();
    assert_eq!(counted, (1..=u32::try_from(numbers.len()).expect("few")).collect::<Vec<_>>());
    assert_eq!(again(&desk), live(&desk));
}

/// Nothing of what modules keep can be read on the disk, and a row in another place is no row.
#[tokio::test(flavor = "multi_thread")]
async fn rows_are_sealed_for_their_places() {
    let domain = Domain::new(&[(A, None), ("b.gov.cn", None)]);
    let (desk, li) = desk(&domain).await;
    let applied = file(&desk, &li, &request("秘密的事项"), &[]).await.expect("is taken");
    in_place(|here| {
        let store = desk.store(here);
        let rows: Vec<_> =
            chancery_store::all(store, Table::State, &[]).map(|row| row.expect("reads")).collect();
        assert!(rows.len() > 5);
        for (key, value) in &rows {
            for bytes in [key, value] {
                let clear =
                    |secret: &str| bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
                assert!(
                    !clear("秘密的事项") && !clear("li@a.gov.cn"),
                    "{}",
                    String::from_utf8_lossy(bytes)
                );
            }
        }
        let of = |thing: &str| {
            rows.iter().find(|(key, _)| key.starts_with(b"t") && key.ends_with(thing.as_bytes()))
        };
        let (place, row) = of(&applied.thing).expect("the matter").clone();
        let other: Vec<u8> = [&place[..place.len() - 4], b"0000"].concat();
        let mut batch = Batch::default();
        batch.put(Table::State, other.clone(), row);
        store.write(batch).expect("writes");
        let id = String::from_utf8(other[other.len() - 64..].to_vec()).expect("digits");
        let read = looking(here, &desk).with(|_, state| Thing::get(state, "asks", "request", &id));
        assert!(read.is_err(), "a row that was moved is read");
    });
}
