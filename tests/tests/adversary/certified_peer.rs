//! A peer with good certificates that sends what is made to be dear, or comes at the worst moment.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use chancery_crypto::{Algorithm, Commitment, CoseSign, ProtectedAttributes, SigningKey, cbor};
use chancery_desk::asking::{LocalReply, LocalRequest};
use chancery_doors::LocalClient;
use chancery_ledger::unix_now;
use chancery_protocol::{DocumentHeader, DocumentId, PeerMessage, SignedDocument, sign_document};
use chancery_tests::{
    World,
    forge::{
        CERTIFIES, CONTENT_COMMITMENT, Forger, alternative_names, authority, common_name, email,
        extension, key_usage, names, tlv,
    },
    peer::{Sealed, address, client, document, offer, offer_large, officer_of, seal_of},
};
use quinn::Connection;
use serde_json::Value;

use crate::meanwhile::worst;

/// What a clerk waits at most for a look-up.
const LOOK_UP: Duration = Duration::from_secs(2);
/// What a delivery takes at most.
const DELIVERY: Duration = Duration::from_secs(10);

/// A world with a third agency, whose node is made by hand.
fn world() -> World {
    let mut world = World::new();
    world.add_agency("c", "p256");
    world.publish(2, &["a", "b", "c"]);
    world.write("n.txt", b"text");
    world.start("b");
    world
}

async fn connect(world: &World, agency: &str) -> Connection {
    let endpoint = client(world, Some("certs-c"), "root/ca.pem");
    let name = format!("{agency}.zj.gov.cn");
    endpoint.connect(address(world, agency), &name).unwrap().await.unwrap()
}

/// Gives a document of `c` to `b`, which gives its receipt or puts it off.
async fn give(world: &World, connection: &Connection, sealed: &Sealed) -> PeerMessage {
    let envelope = sealed.header(world, "c", "b").seal(&seal_of(world, "c"), unix_now()).unwrap();
    match sealed.content.len() < 400_000 {
        true => offer(connection, envelope, &sealed.content).await,
        false => offer_large(connection, envelope, &sealed.content).await,
    }
}

fn act(from: &str, to: &str, kind: &str, on: DocumentId) -> DocumentHeader {
    let mut header = document(from, to, kind, &[]);
    header.kind = kind.into();
    header.in_reply_to = Some(on);
    header.fields.insert("reason".into(), "x".into());
    header
}

/// What the node of `b` answers to a document of its clerk.
fn submit(world: &World, header: &DocumentHeader) -> LocalReply {
    let officer = officer_of(world, "b");
    let signed = sign_document(header, &officer, Commitment::Approval, unix_now()).unwrap();
    let mut clerk = LocalClient::connect(&world.path("b/node.sock")).unwrap();
    clerk.send(&LocalRequest::Submit { document: signed.bytes().to_vec() }).unwrap();
    match clerk.reply().expect("an answer, whatever it is") {
        LocalReply::Ready => clerk.reply().expect("an answer"),
        other => other,
    }
}

#[test]
fn a_withdrawal_that_came_first_counts_for_a_clerk_who_acts_at_that_very_moment() {
    let world = world();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let connection = connect(&world, "b").await;
        for n in 0..12 {
            let mut ids = Vec::new();
            for title in ["withdrawn", "not withdrawn"] {
                let sealed = Sealed::new(&world, &document("c", "b", title, &[]), &[]);
                let answer = give(&world, &connection, &sealed).await;
                assert!(matches!(answer, PeerMessage::Evidence { .. }), "{answer:?}");
                ids.push(sealed.document.id());
            }
            let withdrawal = Sealed::new(&world, &act("c", "b", "撤回", ids[0]), &[]);
            let answer = give(&world, &connection, &withdrawal).await;
            assert!(matches!(answer, PeerMessage::Evidence { .. }), "{answer:?}");
            // The receipt says that it is there: nothing that is done from now on comes before it.
            let order = if n % 2 == 0 { [0, 1] } else { [1, 0] };
            for which in order {
                let answer = tokio::task::block_in_place(|| {
                    submit(&world, &act("b", "c", "签收", ids[which]))
                });
                match (which, &answer) {
                    (0, LocalReply::Failed { code, .. }) => assert_eq!(code, "CHY-4020"),
                    (1, LocalReply::Submitted { .. }) => {}
                    _ => panic!("{which}: {answer:?}"),
                }
            }
            let opened = tokio::task::block_in_place(|| {
                world.clerk("b", &format!("open {} --out got-{n}", ids[0]))
            });
            opened.refused(4, "CHY-4020");
        }
    });
    let log = world.log("b");
    assert!(!log.contains("panicked"), "{log}");
    let shown = world.clerk("b", "ledger show --limit 1000").ok().stdout;
    assert_eq!(shown.matches("WithdrawalAcceptance").count(), 12, "each takes effect once");
    assert_eq!(shown.matches("WithdrawalRejection").count(), 0);
}

/// A document of `c` with 64 signatures by keys that nobody certified, each with a chain of seven certificates that all
/// might have issued each other, by their names and keys.
fn bomb(world: &World, header: &DocumentHeader) -> SignedDocument {
    let now = unix_now();
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let root = Forger::of(world, "root");
    let again = SigningKey::from_pem(&key.to_pem(None).unwrap(), None).unwrap();
    let forger = Forger { key: again, ..Forger::of(world, "root") };
    let serial = |n: usize| tlv(0x02, &[0x40, (n >> 8) as u8, n as u8]);
    let fakes: Vec<_> = (0..7)
        .map(|n| {
            let identifier = extension("2.5.29.14", false, &tlv(0x04, &root.key_id));
            let usual = [authority(None), key_usage(CERTIFIES), identifier];
            let mut fake = forger.certificate(&key.public_key(), &usual);
            (fake.subject, fake.serial) = (root.name.clone(), serial(n));
            fake.sign(&key)
        })
        .collect();
    let content_type = "application/vnd.chancery.document+cbor";
    let mut builder = CoseSign::builder(content_type, cbor::encode(header).unwrap());
    for n in 0..64 {
        let name = alternative_names(&names(&[email("clerk@c.zj.gov.cn")]));
        let mut leaf =
            forger.certificate(&key.public_key(), &[key_usage(CONTENT_COMMITMENT), name]);
        (leaf.subject, leaf.serial) = (common_name(&format!("L{n}")), serial(1000 + n));
        let x5chain = std::iter::once(leaf.sign(&key)).chain(fakes.iter().cloned()).collect();
        let commitment = Some(Commitment::Approval);
        let attributes = ProtectedAttributes { x5chain, signing_time: Some(now), commitment };
        builder = builder.sign(&key, attributes).unwrap();
    }
    SignedDocument::decode(&builder.encode().unwrap()).unwrap()
}

/// What must be done in time, again and again, while something else goes on.
fn in_time(what: &str, most: Duration, work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    let took = begin.elapsed();
    assert!(took < most, "{what} took {took:?}");
    took
}

#[test]
fn clerks_and_honest_peers_wait_for_no_signatures_that_are_made_to_be_dear() {
    let mut world = world();
    world.start("a");
    let known = world.send("a", "b", "n.txt", "honest", &["--wait", "20"]);
    let over = AtomicBool::new(false);
    let world = &world;
    std::thread::scope(|scope| {
        // It gives what it can for ten seconds: bombs that are withdrawals, bombs that are not, and withdrawals in order.
        let attacker = scope.spawn(|| {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let connection = connect(world, "b").await;
                let target = Sealed::new(world, &document("c", "b", "target", &[]), &[]);
                give(world, &connection, &target).await;
                let (begin, mut taken, mut put_off) = (Instant::now(), 0, 0);
                for n in 0.. {
                    if begin.elapsed() > worst() && taken >= 40 {
                        break;
                    }
                    let header = match n % 3 {
                        0 => document("c", "b", &format!("bomb {n}"), &[]),
                        1 => act("c", "b", "撤回", DocumentId::from_slice(&[n as u8; 32]).unwrap()),
                        _ => act("c", "b", "撤回", target.document.id()),
                    };
                    let sealed = match n % 3 {
                        2 => Sealed::new(world, &header, &[]),
                        _ => Sealed::of(bomb(world, &header), &[]),
                    };
                    match give(world, &connection, &sealed).await {
                        PeerMessage::Evidence { .. } => taken += 1,
                        PeerMessage::Refuse(refusal) => {
                            assert!(refusal.retry_after.is_some(), "{refusal:?}");
                            put_off += 1;
                            tokio::time::sleep(Duration::from_millis(50)).await;
                            if put_off > 100 {
                                break;
                            }
                        }
                        other => panic!("{other:?}"),
                    }
                }
                over.store(true, Ordering::Relaxed);
                taken
            })
        });
        let clerks = scope.spawn(|| {
            let mut slowest = Duration::ZERO;
            for n in 0.. {
                if over.load(Ordering::Relaxed) && n > 10 {
                    break;
                }
                let lines = [
                    "inbox --limit 200".to_owned(),
                    format!("open {known} --out got-{n}"),
                    "search honest".to_owned(),
                    format!("trace {known}"),
                ];
                for line in lines {
                    let took = in_time(&line, LOOK_UP, || drop(world.clerk("b", &line).ok()));
                    slowest = slowest.max(took);
                }
            }
            slowest
        });
        let peers = scope.spawn(|| {
            let mut n = 0;
            while !over.load(Ordering::Relaxed) {
                in_time("a delivery", DELIVERY, || {
                    drop(world.send("a", "b", "n.txt", &format!("honest {n}"), &["--wait", "20"]));
                });
                n += 1;
            }
        });
        let taken = attacker.join().unwrap();
        let slowest = clerks.join().unwrap();
        peers.join().unwrap();
        println!("{taken} documents were taken; the slowest look-up took {slowest:?}");
        assert!(taken >= 40, "{taken} were taken");
    });
    // What was taken is kept and shown, whatever it is worth.
    let inbox = world.list("b", "inbox");
    assert!(
        inbox.iter().filter(|one| one["title"].as_str().unwrap().contains("bomb")).count() > 10
    );
    assert!(
        inbox.iter().all(|one| one["from"] == "a.zj.gov.cn" || one["indication"] != Value::Null)
    );
}
