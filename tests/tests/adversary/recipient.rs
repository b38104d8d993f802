//! A recipient's node that lies about what it was given, and one that would have others lie for it.

use chancery_certs::Credential;
use chancery_crypto::{CHUNK_PLAINTEXT, CHUNK_SIZE, ContentKey, Digest, StreamSealer};
use chancery_ledger::unix_now;
use chancery_protocol::{
    Checkpoint, EnvelopeHeader, EnvelopeId, Event, Evidence, Leaf, PeerMessage, Receipt,
    content_head, merkle,
};
use chancery_tests::{
    World, noise,
    peer::{Sealed, address, client, document, envelope, lying_node, offer, offer_large, seal_of},
};

/// A world with a third agency, which does not behave.
fn world() -> World {
    let world = World::new();
    world.add_agency("c", "p256");
    world.publish(2, &["a", "b", "c"]);
    world
}

/// Seals any bytes under a key, as a content is sealed.
fn seal_bytes(key: &ContentKey, plain: &[u8]) -> Vec<u8> {
    let (mut sealer, mut out) = (StreamSealer::new(key), Vec::new());
    let mut pieces = plain.chunks(CHUNK_PLAINTEXT).peekable();
    while let Some(piece) = pieces.next() {
        let mut chunk = piece.to_vec();
        sealer.seal(&mut chunk, pieces.peek().is_none()).unwrap();
        out.extend(chunk);
    }
    out
}

/// The receipt of a ledger that has this one entry.
fn receipt(leaf: &Leaf, by: &Credential, cose: Option<Vec<u8>>) -> Receipt {
    let leaf = leaf.encode().unwrap();
    let root = merkle::leaf_hash(&leaf);
    let origin = Checkpoint::origin_of(by.name().agency());
    let checkpoint = Checkpoint { origin, size: 1, root };
    let note = checkpoint.sign(by).unwrap();
    let cose = cose.map(Into::into);
    Receipt { leaf, index: 0, proof: Vec::new(), checkpoint: note, cose }
}

/// Entries in an agency's ledger.
fn entries(world: &World, agency: &str) -> u64 {
    world.clerk(agency, "--json node status").ok().json()["entries"].as_u64().unwrap()
}

#[test]
fn no_receipt_is_given_for_what_does_not_open_or_is_something_else() {
    let mut world = world();
    world.start("b");
    let (seal, now) = (seal_of(&world, "c"), unix_now());
    let part = noise(200_000, 3);
    let notice = document("c", "b", "Notice to vacate by Friday", &[("notice", &part)]);
    let good = Sealed::new(&world, &notice, &[&part]);
    let commitment = good.commitment();
    let honest =
        |content: &[u8], key: &ContentKey| envelope(&world, "c", "b", content, key, commitment);

    // Noise; the right content under a key that is not wrapped; noise in the last chunk alone; and all of it sealed as it
    // should be, with a part that is not the one that was signed, a part that is cut off, and one too many.
    let other = ContentKey::generate().unwrap();
    let mut late = good.content.clone();
    late[3 * CHUNK_SIZE + 7] ^= 1;
    let head = content_head(&good.salt, &good.document).unwrap();
    let with = |part: &[u8]| seal_bytes(&good.key, &[&head[..], part].concat());
    let altered = with(&noise(200_000, 4));
    let short = with(&part[..100_000]);
    let long = with(&[&part[..], b"more"].concat());
    let mut forged = vec![
        (honest(&noise(1000, 1), &good.key), noise(1000, 1)),
        (honest(&noise(300_000, 2), &good.key), noise(300_000, 2)),
        (honest(&good.content, &other), good.content.clone()),
        (honest(&late, &good.key), late),
        (honest(&altered, &good.key), altered),
        (honest(&short, &good.key), short),
        (honest(&long, &good.key), long),
    ];
    // In order, and not what the envelope commits to; of another sender; for another recipient.
    let mut header = good.header(&world, "c", "b");
    header.commitment = Digest::of(b"another document");
    forged.push((header, good.content.clone()));
    for (from, to) in [("a", "b"), ("c", "a")] {
        let sealed = Sealed::new(&world, &document(from, to, "not yours", &[]), &[]);
        forged.push((sealed.header(&world, "c", "b"), sealed.content));
    }
    let before = entries(&world, "b");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let endpoint = client(&world, Some("certs-c"), "root/ca.pem");
        let connection =
            endpoint.connect(address(&world, "b"), "b.zj.gov.cn").unwrap().await.unwrap();
        for (n, (header, content)) in forged.iter().enumerate() {
            let sealed = header.seal(&seal, now).unwrap();
            for answer in [
                offer(&connection, sealed.clone(), content).await,
                offer_large(&connection, sealed, content).await,
            ] {
                let PeerMessage::Refuse(refusal) = answer else { panic!("{n}: {answer:?}") };
                assert_eq!((&*refusal.code, refusal.retry_after), ("CHY-5040", None), "{n}");
            }
        }
        let sealed = good.header(&world, "c", "b").seal(&seal, now).unwrap();
        let answer = offer_large(&connection, sealed, &good.content).await;
        assert!(matches!(answer, PeerMessage::Evidence { .. }), "{answer:?}");
    });
    assert_eq!(entries(&world, "b"), before + 1, "what was refused is in no ledger");
    let inbox = world.list("b", "inbox");
    assert_eq!(inbox.len(), 1, "{inbox:#?}");
    let content = std::fs::read_dir(world.path("b/data/content")).unwrap().count();
    assert!(content <= 1, "{content} contents are kept");
    world.clerk("b", &format!("open {} --out got", good.document.id())).ok();
    assert_eq!(std::fs::read(world.path("got/parts/notice")).unwrap(), part);
}

#[test]
fn a_document_that_leaves_no_room_for_receipts_is_opened_with_them_beside_it() {
    let mut world = world();
    world.start("b");
    let seal = seal_of(&world, "c");
    let sealed = |bytes: usize| {
        let mut header = document("c", "b", "Large", &[]);
        for n in 0..bytes / 4000 {
            header.fields.insert(format!("f{n:05}"), "x".repeat(3990));
        }
        Sealed::new(&world, &header, &[])
    };
    // Within what may come in, beyond it, and at the very limit of what is read.
    let most = chancery_protocol::MAX_DOCUMENT;
    let fits = sealed(most - 8000);
    assert!((most - 16_000..most).contains(&fits.document.bytes().len()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let endpoint = client(&world, Some("certs-c"), "root/ca.pem");
        let connection =
            endpoint.connect(address(&world, "b"), "b.zj.gov.cn").unwrap().await.unwrap();
        let sealed = fits.header(&world, "c", "b").seal(&seal, unix_now()).unwrap();
        let answer = offer_large(&connection, sealed, &fits.content).await;
        assert!(matches!(answer, PeerMessage::Evidence { .. }), "{answer:?}");
        // One that is larger is sealed by hand: nobody's node would.
        let mut header = fits.document.header().clone();
        for n in 0..5 {
            header.fields.insert(format!("more{n}"), "x".repeat(4000));
        }
        let officer = chancery_tests::peer::officer_of(&world, "c");
        let commitment = chancery_crypto::Commitment::Approval;
        let large =
            chancery_protocol::sign_document(&header, &officer, commitment, unix_now()).unwrap();
        assert!(large.bytes().len() > most);
        let length = u32::try_from(large.bytes().len()).unwrap().to_be_bytes();
        let plain =
            [&chancery_protocol::CONTENT_MAGIC[..], fits.salt.as_bytes(), &length, large.bytes()];
        let content = seal_bytes(&fits.key, &plain.concat());
        let commitment = chancery_protocol::commit_to_document(&fits.salt, &large.id());
        let header = envelope(&world, "c", "b", &content, &fits.key, commitment);
        let sealed = header.seal(&seal, unix_now()).unwrap();
        let answer = offer_large(&connection, sealed, &content).await;
        assert!(matches!(&answer, PeerMessage::Refuse(r) if r.code == "CHY-5040"), "{answer:?}");
    });
    world.clerk("b", &format!("open {} --out got", fits.document.id())).ok();
    let beside = std::fs::read_dir(world.path("got/evidence")).unwrap().count();
    assert!(beside >= 2, "{beside} receipts lie beside it");
    world.run("verify got --anchor root/ca.pem").ok();
}

#[test]
fn a_receipt_that_no_auditor_would_accept_does_not_end_a_delivery_and_harms_no_ledger() {
    let mut world = world();
    let (seal, foreign) = (seal_of(&world, "c"), seal_of(&world, "b"));
    lying_node(&world, move |n, header| {
        let good = Leaf {
            event: Event::ContentConsignment,
            envelope: header.id().unwrap(),
            commitment: header.commitment,
            counterpart: "a.zj.gov.cn".parse().unwrap(),
            time: unix_now(),
            evidence: None,
        };
        let root = merkle::leaf_hash(&good.encode().unwrap());
        let checkpoint = Checkpoint { origin: "c.zj.gov.cn/ledger".into(), size: 1, root };
        let over = |by: &Credential, root| Checkpoint { root, ..checkpoint.clone() }.sign_cose(by);
        let receipt = match n {
            0 => receipt(&Leaf { time: 4_102_444_800, ..good }, &seal, None),
            1 => receipt(&good, &seal, Some(b"junk".to_vec())),
            2 => receipt(&good, &seal, over(&seal, Digest::of(b"another root")).ok()),
            3 => {
                receipt(&Leaf { counterpart: "b.zj.gov.cn".parse().unwrap(), ..good }, &seal, None)
            }
            4 => receipt(&good, &foreign, None),
            _ => receipt(&good, &seal, over(&seal, root).ok()),
        };
        PeerMessage::Evidence { receipt }
    });
    world.start("a");
    world.write("n.txt", b"text");
    let id = world.send("a", "c", "n.txt", "Once", &[]);
    world.wait("the delivery", 120, |w| w.pending("a") == 0);
    let log = world.log("a");
    assert_eq!(log.matches("receipt is not taken").count(), 5, "{log}");
    assert!(log.matches("code=\"CHY-3040\"").count() == 1, "its time is not proven: {log}");
    assert_eq!(world.list("a", "outbox")[0]["deliveries"][0]["state"], "delivered");
    // What it took in, everybody accepts: for what it holds, and of its ledger.
    world.clerk("a", &format!("open {id} --out got")).ok();
    world.run("verify got --anchor root/ca.pem").ok();
    world.export("a", "out");
    world.run("audit out --anchor root/ca.pem").ok();
    assert!(std::fs::read_dir(world.path("out/seen")).unwrap().count() > 0, "what it saw of c");
    // Before it was given, it proves nothing; that is nobody's fault.
    let before = chancery_certs::rfc3339(unix_now() - 120);
    for command in ["verify got", "audit out"] {
        let answer = world.run(&format!("{command} --anchor root/ca.pem --at {before}"));
        assert_eq!(answer.code, 5, "{answer:?}");
    }
}

#[test]
fn who_has_no_part_in_a_document_attests_nothing_of_it() {
    let mut world = world();
    world.start("a");
    world.start("b");
    world.write("n.txt", b"text");
    let id = world.send("a", "b", "n.txt", "For b", &["--wait", "30"]);
    world.clerk("b", &format!("open {id} --out got")).ok();
    world.run("verify got --anchor root/ca.pem").ok();
    let file = world.path("got/evidence/ContentConsignment.b.zj.gov.cn.evidence");
    let true_one = Evidence::decode(&std::fs::read(&file).unwrap()).unwrap();
    let leaf = Leaf::decode(&true_one.receipt.leaf).unwrap();
    let evidence = |agency: &str, leaf: &Leaf| {
        let seal = seal_of(&world, agency);
        let chain = seal.chain().iter().map(|c| c.der().to_vec().into()).collect();
        let agency = seal.name().agency().clone();
        let receipt = receipt(leaf, &seal, None);
        Evidence { agency, receipt, chain, salt: true_one.salt }.encode().unwrap()
    };
    let name = |agency: &str| format!("{agency}.zj.gov.cn").parse().unwrap();
    let of = |event, other: &str| Leaf { event, counterpart: name(other), ..leaf.clone() };
    let forged = world.path("got/evidence/forged.evidence");
    let verdict = |agency: &str, leaf: Leaf| {
        std::fs::write(&forged, evidence(agency, &leaf)).unwrap();
        let answer = world.run("--json verify got --anchor root/ca.pem");
        std::fs::remove_file(&forged).unwrap();
        let sub = answer.json()["documents"][0]["sub_indication"].clone();
        (answer.code, sub.as_str().unwrap_or_default().to_owned())
    };
    let failed = (1, "EVIDENCE_FAILURE".to_owned());
    for (agency, leaf) in [
        // A stranger, and the sender itself, that they took it in; the recipient, from somebody else.
        ("c", of(Event::ContentConsignment, "a")),
        ("a", of(Event::ContentConsignment, "a")),
        ("b", of(Event::ContentConsignment, "c")),
        ("c", of(Event::ContentHandover, "a")),
        ("c", of(Event::WithdrawalAcceptance, "a")),
        // That it was submitted, or refused, elsewhere; and for somebody it is not for.
        ("b", of(Event::SubmissionAcceptance, "b")),
        ("a", of(Event::SubmissionAcceptance, "c")),
        ("b", of(Event::SubmissionRejection, "b")),
        // That its delivery to a stranger ended; by the very one that it went to; and a relay that is the sender.
        ("a", of(Event::RelayRejection, "c")),
        ("b", of(Event::EvidenceReceived, "b")),
        ("a", of(Event::RelayAcceptance, "a")),
        ("c", of(Event::ContentPurged, "b")),
    ] {
        assert_eq!(verdict(agency, leaf.clone()), failed, "{agency}: {leaf:?}");
    }
    // Of 1970, and of the year 2100: somebody's clock is wrong.
    for time in [0, 4_102_444_800] {
        let leaf = Leaf { time, ..leaf.clone() };
        assert_eq!(verdict("b", leaf), (5, "TIME_NOT_PROVEN".to_owned()));
    }
    // A relay stands in no header; what it may say, it may.
    assert_eq!(verdict("c", of(Event::RelayAcceptance, "a")).0, 0);
    assert_eq!(verdict("c", of(Event::RelayFailure, "b")).0, 0);
    let elsewhere = Leaf { envelope: EnvelopeId::from_slice(&[7; 32]).unwrap(), ..leaf.clone() };
    assert_eq!(verdict("b", elsewhere).0, 0, "the same document in another envelope");
}

/// What the header of an envelope says is kept as it was sealed.
#[test]
fn an_envelope_that_names_a_recipient_without_a_key_for_it_is_refused() {
    let mut world = world();
    world.start("b");
    let seal = seal_of(&world, "c");
    let sealed = Sealed::new(&world, &document("c", "b", "x", &[]), &[]);
    let good = sealed.header(&world, "c", "b");
    let mut header: EnvelopeHeader = good.clone();
    header.recipients[0].key.ct[0] ^= 1;
    let mut swapped = good;
    swapped.recipients[0].key.enc.truncate(5);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let endpoint = client(&world, Some("certs-c"), "root/ca.pem");
        let connection =
            endpoint.connect(address(&world, "b"), "b.zj.gov.cn").unwrap().await.unwrap();
        for header in [header, swapped] {
            let envelope = header.seal(&seal, unix_now()).unwrap();
            // It is said before a byte of the content is asked for.
            let answer = offer_large(&connection, envelope, &sealed.content).await;
            let refused = matches!(&answer, PeerMessage::Refuse(r) if r.code == "CHY-5040");
            assert!(refused, "{answer:?}");
        }
    });
}
