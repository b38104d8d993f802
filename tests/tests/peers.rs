//! Peers that do not behave: a certified one that lies, and ones that are not certified at all.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::time::Duration;

use chancery_certs::Credential;
use chancery_crypto::{CHUNK_SIZE, Commitment, ContentKey, Digest};
use chancery_ledger::unix_now;
use chancery_protocol::{
    Checkpoint, ContentSealer, EnvelopeHeader, EnvelopeId, Event, Leaf, PeerMessage, Receipt,
    commit_to_document, decode_frame, encode_frame, merkle, sign_document,
};
use chancery_tests::{
    World, noise,
    peer::{Sealed, address, client, credential, document, envelope, exchange, lying_node, offer},
};

#[track_caller]
fn refused(message: &PeerMessage, code: &str) {
    match message {
        PeerMessage::Refuse(refusal) => assert_eq!(refusal.code, code, "{refusal:?}"),
        other => panic!("want a refusal with {code}, got {other:?}"),
    }
}

#[test]
fn a_certified_peer_that_lies_is_refused_with_a_code_and_harms_nobody() {
    let mut world = World::new();
    world.add_agency("c", "p256");
    world.publish(2, &["a", "b", "c"]);
    world.start("a");
    world.start("b");
    let seal = credential(&world, "certs-c/seal.pem", "certs-c/seal.key");
    let officer = credential(&world, "certs-c/clerk.pem", "certs-c/clerk.key");
    let foreign = credential(&world, "certs-a/seal.pem", "certs-a/seal.key");
    let now = unix_now();
    let sealed = Sealed::new(&world, &document("c", "b", "In order", &[]), &[]);
    let content = sealed.content.clone();
    let good = sealed.header(&world, "c", "b");
    // What is as sealed, and opens for nobody.
    let junk = vec![9; 1000];
    let shut = envelope(&world, "c", "b", &junk, &sealed.key, sealed.commitment());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let endpoint = client(&world, Some("certs-c"), "root/ca.pem");
        let connection =
            endpoint.connect(address(&world, "b"), "b.zj.gov.cn").unwrap().await.unwrap();

        // Junk in place of a frame, a frame that claims too much, and one that never comes whole.
        for junk in [&b"\xff\xff\xff\xff junk"[..], b"\x00\x00\x00\x05 junk", b"\x00\x00\x10\x00x"]
        {
            assert!(exchange(&connection, junk).await.is_err(), "{junk:?}");
        }
        let send = |header: &EnvelopeHeader, by: &Credential| header.seal(by, now).unwrap();

        // Another agency's envelope, replayed; and one that is sealed by somebody else.
        let mut theirs = good.clone();
        theirs.sender = "a.zj.gov.cn".parse().unwrap();
        refused(&offer(&connection, send(&theirs, &foreign), &content).await, "CHY-5001");
        refused(&offer(&connection, send(&theirs, &seal), &content).await, "CHY-2012");
        refused(&offer(&connection, send(&good, &officer), &content).await, "CHY-2012");
        // Not for this agency, expired, too large, of a size that nothing has.
        let mut other = good.clone();
        other.recipients[0].agency = "a.zj.gov.cn".parse().unwrap();
        refused(&offer(&connection, send(&other, &seal), &content).await, "CHY-5002");
        let mut late = good.clone();
        late.expires = now - 10;
        refused(&offer(&connection, send(&late, &seal), &content).await, "CHY-5003");
        let mut large = good.clone();
        large.size = chancery_crypto::ciphertext_len(1 << 50).unwrap();
        refused(&offer(&connection, send(&large, &seal), &content).await, "CHY-5004");
        let mut odd = good.clone();
        odd.size = CHUNK_SIZE as u64 + 3;
        refused(&offer(&connection, send(&odd, &seal), &content).await, "CHY-3004");
        // Other content than the header seals, and a header altered after sealing.
        refused(&offer(&connection, send(&good, &seal), &vec![8; content.len()]).await, "CHY-5006");
        let mut altered = send(&good, &seal);
        let last = altered.len() - 1;
        altered[last] ^= 1;
        refused(&offer(&connection, altered, &content).await, "CHY-1006");

        refused(&offer(&connection, send(&shut, &seal), &junk).await, "CHY-5040");

        // In order at last: it is taken once, and the second time gives the same evidence.
        let envelope = send(&good, &seal);
        let first = offer(&connection, envelope.clone(), &content).await;
        let PeerMessage::Evidence { receipt } = first else { panic!("{first:?}") };
        let again = offer(&connection, envelope, &content).await;
        assert_eq!(again, PeerMessage::Have { receipt });

        // More streams than a peer may have at once: the rest waits, nothing breaks.
        let mut idle = Vec::new();
        for _ in 0..200 {
            let open = tokio::time::timeout(Duration::from_millis(200), connection.open_bi());
            match open.await {
                Ok(stream) => idle.push(stream.unwrap()),
                Err(_) => break,
            }
        }
        assert!((1..200).contains(&idle.len()), "{} streams were allowed", idle.len());
    });
    // What does not open is not here at all, and what is in order is.
    world.write("n.txt", b"text");
    world.send("a", "b", "n.txt", "Honest", &["--wait", "30"]);
    let inbox = world.list("b", "inbox");
    assert_eq!(inbox.len(), 2, "{inbox:#?}");
    assert_eq!(inbox[0]["title"], "Honest");
    assert_eq!(inbox[1]["title"], "In order");
}

#[test]
fn a_document_whose_signer_is_not_trusted_is_shown_as_such_and_not_registered_by_mistake() {
    let mut world = World::new();
    world.add_agency("c", "p256");
    world.publish(2, &["a", "b", "c"]);
    world.start("b");
    // An officer of c by the word of a root that nobody trusts.
    world.run("ca init --dir evil --display Evil --no-passphrase").ok();
    world
        .run(
            "ca issue --ca evil --profile officer --name clerk@c.zj.gov.cn --display Clerk \
             --out certs-evil --no-passphrase",
        )
        .ok();
    let officer = credential(&world, "certs-evil/clerk.pem", "certs-evil/clerk.key");
    let seal = credential(&world, "certs-c/seal.pem", "certs-c/seal.key");
    let now = unix_now();
    let header = document("c", "b", "Pay at once", &[]);
    let document = sign_document(&header, &officer, Commitment::Approval, now).unwrap();
    let (key, salt) = (ContentKey::generate().unwrap(), Digest::of(b"salt"));
    let mut content = Vec::new();
    let sealer = ContentSealer::new(&key, &salt, &document, &mut content).unwrap();
    sealer.finish(&mut content).unwrap();
    let commitment = commit_to_document(&salt, &document.id());
    let header = envelope(&world, "c", "b", &content, &key, commitment);
    let envelope = header.seal(&seal, now).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let endpoint = client(&world, Some("certs-c"), "root/ca.pem");
        let connection =
            endpoint.connect(address(&world, "b"), "b.zj.gov.cn").unwrap().await.unwrap();
        let answer = offer(&connection, envelope, &content).await;
        assert!(matches!(answer, PeerMessage::Evidence { .. }), "{answer:?}");
    });
    let inbox = world.list("b", "inbox");
    assert_eq!(inbox[0]["indication"], "INDETERMINATE", "{inbox:#?}");
    let id = document.id();
    world.clerk("b", &format!("receive {id}")).refused(2, "CHY-6018");
    assert!(world.list("b", "outbox").is_empty(), "nothing was signed");
    world.clerk("b", &format!("open {id} --out got")).ok();
    let verdict = world.run("--json verify got --anchor root/ca.pem");
    assert_eq!(verdict.code, 5, "{verdict:?}");
    let why = &verdict.json()["documents"][0]["sub_indication"];
    assert_eq!(why, "NO_CERTIFICATE_CHAIN_FOUND");
    world.clerk("b", &format!("receive {id} --unverified")).ok();
}

#[test]
fn only_a_true_receipt_for_this_very_envelope_ends_a_delivery_and_a_fork_is_seen() {
    let mut world = World::new();
    world.add_agency("c", "p256");
    world.publish(2, &["a", "b", "c"]);
    let seal = credential(&world, "certs-c/seal.pem", "certs-c/seal.key");
    let foreign = credential(&world, "certs-b/seal.pem", "certs-b/seal.key");
    let leaf = |header: &EnvelopeHeader| Leaf {
        event: Event::ContentConsignment,
        envelope: header.id().unwrap(),
        commitment: header.commitment,
        counterpart: "a.zj.gov.cn".parse().unwrap(),
        time: unix_now(),
        evidence: None,
    };
    let receipt = |before: &[Digest], leaf: &Leaf, by: &Credential| {
        let leaf = leaf.encode().unwrap();
        let hash = merkle::leaf_hash(&leaf);
        let root = before.first().map_or(hash, |first| merkle::node_hash(first, &hash));
        let (index, proof) = (before.len() as u64, before.to_vec());
        let origin = "c.zj.gov.cn/ledger".to_owned();
        let checkpoint = Checkpoint { origin, size: index + 1, root }.sign(by).unwrap();
        PeerMessage::Evidence {
            receipt: Receipt { leaf: leaf.clone(), index, proof, checkpoint, cose: None },
        }
    };
    let first = std::sync::Mutex::new(None);
    lying_node(&world, move |n, header| {
        let good = leaf(&header);
        let mut first = first.lock().unwrap();
        match n {
            // Of another envelope, of another event, for another sender, by another seal.
            0 => receipt(
                &[],
                &Leaf { envelope: EnvelopeId::from_slice(&[7; 32]).unwrap(), ..good },
                &seal,
            ),
            1 => receipt(&[], &Leaf { event: Event::RelayFailure, ..good }, &seal),
            2 => receipt(&[], &Leaf { counterpart: "b.zj.gov.cn".parse().unwrap(), ..good }, &seal),
            3 => receipt(&[], &good, &foreign),
            // An answer that does not belong to the offer.
            4 => PeerMessage::Want { from_chunk: 0 },
            5 => {
                *first = Some(merkle::leaf_hash(&good.encode().unwrap()));
                receipt(&[], &good, &seal)
            }
            // The second document: a ledger of one entry again, with another root, is a fork.
            6 => receipt(&[], &good, &seal),
            _ => receipt(&[first.unwrap()], &good, &seal),
        }
    });
    world.start("a");
    world.write("n.txt", b"text");
    let refused = |w: &World| w.log("a").matches("delivery failed").count();
    world.send("a", "c", "n.txt", "First", &[]);
    world.wait("four refused receipts", 60, |w| refused(w) >= 5);
    world.wait("the delivery", 60, |w| w.pending("a") == 0);
    assert_eq!(refused(&world), 5, "the first true receipt ends it, and no other");
    assert_eq!(world.list("a", "outbox")[0]["deliveries"][0]["state"], "delivered");
    world.send("a", "c", "n.txt", "Second", &[]);
    world.wait("the second delivery", 60, |w| w.pending("a") == 0);
    assert!(world.log("a").contains("sealed two different histories of its ledger"));
    assert_eq!(refused(&world), 6);
}

#[test]
fn a_certified_peer_that_floods_costs_little_memory_and_harms_nobody() {
    let mut world = World::new();
    world.add_agency("c", "p256");
    world.publish(2, &["a", "b", "c"]);
    world.start("a");
    world.start("b");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let endpoint = runtime.block_on(async {
        let endpoint = client(&world, Some("certs-c"), "root/ca.pem");
        let mut flood = Vec::new();
        for _ in 0..6 {
            let connection =
                endpoint.connect(address(&world, "b"), "b.zj.gov.cn").unwrap().await.unwrap();
            // Each stream claims 4 MiB, the most there may be, and sends half of it.
            for _ in 0..100 {
                let connection = connection.clone();
                tokio::spawn(async move {
                    let (mut send, _recv) = connection.open_bi().await.unwrap();
                    let claim = (4u32 << 20).to_be_bytes();
                    // Cut off, or waiting for room: either is as it should be.
                    drop(send.write_all(&claim).await);
                    drop(send.write_all(&vec![0; 2 << 20]).await);
                    std::future::pending::<()>().await;
                });
            }
            flood.push(connection);
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        let replaced = flood.iter().filter(|c| c.close_reason().is_some()).count();
        assert_eq!(replaced, 2, "four connections are enough for one peer");
        endpoint
    });
    world.write("n.txt", b"text");
    world.send("a", "b", "n.txt", "Honest", &["--wait", "30"]);
    let peak = world.peak_mib("b");
    assert!(peak < 200, "the flood took {peak} MiB");
    drop(endpoint);
}

/// There are 512 threads for what waits for the disk. Were one held for each of these, no other document would come in.
#[test]
fn six_hundred_documents_that_arrive_slowly_keep_nobody_waiting() {
    const SLOW: u32 = 600;
    let mut world = World::new();
    world.add_agency("c", "p256");
    world.publish(2, &["a", "b", "c"]);
    world.set("b", "limits.peer_streams", &(SLOW + 8).to_string());
    world.start("a");
    world.start("b");
    let seal = credential(&world, "certs-c/seal.pem", "certs-c/seal.key");
    let part = noise(16 << 20, 4);
    let sealed = document("c", "b", "Slow", &[("part", &part)]);
    let sealed = Sealed::new(&world, &sealed, &[&part]);
    let good = sealed.header(&world, "c", "b");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let slow = runtime.block_on(async {
        let endpoint = client(&world, Some("certs-c"), "root/ca.pem");
        let connection =
            endpoint.connect(address(&world, "b"), "b.zj.gov.cn").unwrap().await.unwrap();
        let mut slow = Vec::new();
        for index in 0..SLOW {
            let root = Digest::of(&index.to_be_bytes());
            let envelope = EnvelopeHeader { root, ..good.clone() };
            let envelope = envelope.seal(&seal, unix_now()).unwrap();
            let ask = PeerMessage::Offer { envelope, content: None, recipient: None };
            let (mut send, mut recv) = connection.open_bi().await.unwrap();
            send.write_all(&encode_frame(&ask).unwrap()).await.unwrap();
            let mut length = [0; 4];
            let answer =
                tokio::time::timeout(Duration::from_secs(20), recv.read_exact(&mut length));
            answer.await.expect("an answer in time").unwrap();
            let mut want = vec![0; u32::from_be_bytes(length) as usize];
            recv.read_exact(&mut want).await.unwrap();
            let want = decode_frame(&want).unwrap();
            assert!(matches!(want, PeerMessage::Want { .. }), "{want:?}");
            // Enough that some of it is written.
            send.write_all(&sealed.content[..5 * CHUNK_SIZE / 2]).await.unwrap();
            slow.push((send, recv));
        }
        (endpoint, connection, slow)
    });
    world.write("large.bin", &noise(2_000_000, 5));
    let id = world.send("a", "b", "large.bin", "Honest", &["--wait", "30"]);
    world.clerk("b", &format!("open {id} --out got")).ok();
    let peak = world.peak_mib("b");
    assert!(peak < 250, "the slow ones took {peak} MiB");
    drop(slow);
}

/// As above, with clerks who begin to open a document and do not go on.
#[test]
fn six_hundred_clerks_who_stop_reading_keep_nobody_waiting() {
    use chancery_desk::asking::{LocalReply, LocalRequest};
    use chancery_doors::LocalClient;
    let mut world = World::new();
    world.start("a");
    world.start("b");
    world.write("large.bin", &noise(8_000_000, 5));
    let id = world.send("a", "b", "large.bin", "Large", &["--wait", "30"]);
    let slow: Vec<_> = (0..600)
        .map(|_| {
            let mut client = LocalClient::connect(&world.path("b/node.sock")).unwrap();
            let ask = LocalRequest::Open { id: id.clone(), parts: true };
            assert!(!matches!(client.ask(&ask).unwrap(), LocalReply::Failed { .. }));
            client
        })
        .collect();
    world.clerk("b", &format!("open {id} --out got")).ok();
    assert_eq!(std::fs::read(world.path("got/parts/large.bin")).unwrap(), noise(8_000_000, 5));
    drop(slow);
}

#[test]
fn peers_without_a_certificate_of_the_trust_domain_do_not_get_in() {
    let mut world = World::new();
    world.start("b");
    world.run("ca init --dir evil --display Evil --no-passphrase").ok();
    for profile in ["node", "seal"] {
        world
            .run(&format!(
                "ca issue --ca evil --profile {profile} --name a.zj.gov.cn --display a \
                 --out certs-evil --no-passphrase"
            ))
            .ok();
    }
    // A seal is genuine, but not for TLS.
    std::fs::create_dir(world.path("certs-seal")).unwrap();
    for ending in ["pem", "key"] {
        let from = world.path(&format!("certs-a/seal.{ending}"));
        std::fs::copy(from, world.path(&format!("certs-seal/node.{ending}"))).unwrap();
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for identity in [None, Some("certs-evil"), Some("certs-seal")] {
            let endpoint = client(&world, identity, "root/ca.pem");
            let connecting = endpoint.connect(address(&world, "b"), "b.zj.gov.cn").unwrap();
            // TLS 1.3: the client may believe it is in until the server has seen its certificate.
            let got_in = match connecting.await {
                Err(_) => false,
                Ok(connection) => {
                    tokio::time::timeout(Duration::from_secs(5), connection.closed()).await.is_err()
                }
            };
            assert!(!got_in, "{identity:?} got in");
        }
        // And a node that is not who the directory says is not talked to.
        let endpoint = client(&world, Some("certs-a"), "root/ca.pem");
        let connecting = endpoint.connect(address(&world, "b"), "a.zj.gov.cn").unwrap();
        assert!(connecting.await.is_err(), "the name in the certificate was not checked");
    });
    assert!(world.log("b").contains("handshake failed"));
}

#[test]
fn an_agency_that_is_cut_off_catches_up_and_an_older_directory_is_refused() {
    let mut world = World::new();
    world.start("a");
    world.write("n.txt", b"text");
    // The recipient is down: the submission is accepted all the same, and survives our restart.
    let id = world.send("a", "b", "n.txt", "Late", &[]);
    assert_eq!(world.pending("a"), 1);
    world.kill("a");
    world.start("a");
    assert_eq!(world.pending("a"), 1);
    world.start("b");
    world.wait("delivery", 60, |w| w.pending("a") == 0);
    assert_eq!(world.list("b", "inbox")[0]["document"], id.as_str());

    world.publish(7, &["a", "b"]);
    world.clerk("a", "directory install directory-7.cose").ok();
    world.clerk("a", "directory install directory-1.cose").refused(2, "CHY-4009");
    world.run("ca issue --ca zj --profile seal --name c.zj.gov.cn --display c --out c --no-passphrase").ok();
    world
        .run(
            "directory publish --key c/seal.key --cert c/seal.pem --version-number 9 --out forged.cose \
             --anchor root/ca.pem b/agency.card",
        )
        .ok();
    world.clerk("a", "directory install forged.cose").refused(2, "CHY-2012");
    let status = world.clerk("a", "--json node status").ok().json();
    assert_eq!(status["directory_version"], 7);
}

#[test]
fn a_peer_that_drips_talks_out_of_turn_or_brings_old_directories_harms_nobody() {
    let mut world = World::new();
    world.add_agency("c", "p256");
    world.publish(2, &["a", "b", "c"]);
    world.set("b", "limits.witness_seconds", "1");
    world.start("a");
    world.start("b");
    world.write("n.txt", b"text");
    let seal = credential(&world, "certs-c/seal.pem", "certs-c/seal.key");
    let old = std::fs::read(world.path("directory-1.cose")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let endpoint = client(&world, Some("certs-c"), "root/ca.pem");
        let connection =
            endpoint.connect(address(&world, "b"), "b.zj.gov.cn").unwrap().await.unwrap();
        // Slow loris: each begins to say something, and never ends it.
        let mut dripping = Vec::new();
        for _ in 0..60 {
            let (mut send, recv) = connection.open_bi().await.unwrap();
            send.write_all(&[0, 0]).await.unwrap();
            dripping.push((send, recv));
        }
        // What b asks is answered with an old directory.
        let asked = connection.clone();
        tokio::spawn(async move {
            while let Ok((mut send, mut recv)) = asked.accept_bi().await {
                let Ok(body) = recv.read_to_end(1 << 20).await else { return };
                let Ok(PeerMessage::AskDirectory { .. }) = decode_frame(&body[4..]) else {
                    continue;
                };
                let size = Some(old.len() as u64);
                let answer = encode_frame(&PeerMessage::Directory { size }).unwrap();
                drop(send.write_all(&answer).await);
                drop(send.write_all(&old).await);
                drop(send.finish());
            }
        });
        // Out of turn, and no message at all.
        for bytes in [
            encode_frame(&PeerMessage::Want { from_chunk: 0 }).unwrap(),
            encode_frame(&PeerMessage::Directory { size: Some(5) }).unwrap(),
            [5u32.to_be_bytes().as_slice(), b"junk!"].concat(),
            [u32::MAX.to_be_bytes().as_slice(), b"junk!"].concat(),
        ] {
            exchange(&connection, &bytes).await.expect_err("it is given up");
        }
        // More, or less, than was announced; then as it was announced, in the same envelope.
        let part = vec![7; CHUNK_SIZE * 3 / 2];
        let sealed = document("c", "b", "Two chunks", &[("part", &part)]);
        let sealed = Sealed::new(&world, &sealed, &[&part]);
        let (content, good) = (&sealed.content, sealed.header(&world, "c", "b"));
        let envelope = good.seal(&seal, unix_now()).unwrap();
        let ask = PeerMessage::Offer { envelope, content: None, recipient: None };
        let ask = encode_frame(&ask).unwrap();
        for (bytes, taken) in [
            (content[..CHUNK_SIZE + 9].to_vec(), false),
            ([&content[..], &content[..]].concat(), false),
            (content[CHUNK_SIZE..].to_vec(), true),
        ] {
            let (mut send, mut recv) = connection.open_bi().await.unwrap();
            send.write_all(&ask).await.unwrap();
            let mut length = [0; 4];
            recv.read_exact(&mut length).await.unwrap();
            let mut want = vec![0; u32::from_be_bytes(length) as usize];
            recv.read_exact(&mut want).await.unwrap();
            let want = decode_frame(&want).unwrap();
            assert!(matches!(want, PeerMessage::Want { .. }), "{want:?}");
            drop(send.write_all(&bytes).await);
            drop(send.finish());
            let answer = recv.read_to_end(1 << 20).await;
            let answer = answer.ok().filter(|a| a.len() > 4);
            let answer = answer.map(|a| decode_frame::<PeerMessage>(&a[4..]).unwrap());
            let evidence = matches!(answer, Some(PeerMessage::Evidence { .. }));
            assert_eq!(evidence, taken, "{answer:?} to {} bytes", bytes.len());
        }
        world.send("a", "b", "n.txt", "Honest", &["--wait", "20"]);
        // Who drips is given up in time, and the log says so.
        for (_, mut recv) in dripping {
            let ended = tokio::time::timeout(Duration::from_secs(40), recv.read_to_end(100)).await;
            assert!(ended.expect("it is given up").is_err());
        }
        connection.close(0u32.into(), b"");
    });
    let log = world.log("b");
    for line in [
        "a stream starts with an offer or a question",
        "a frame claims 4294967295 bytes",
        "it fell silent",
        "its directory is not used",
        "CHY-4009",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    let status = world.clerk("b", "--json node status").ok().json();
    assert_eq!(status["directory_version"], 2);
    assert!(world.peak_mib("b") < 150, "{} MiB", world.peak_mib("b"));
}

#[test]
fn a_genuine_document_of_another_agency_in_an_envelope_of_ones_own_is_not_taken_for_its_sending() {
    let mut world = World::new();
    world.add_agency("c", "p256");
    world.publish(2, &["a", "b", "c"]);
    world.start("b");
    let seal = credential(&world, "certs-c/seal.pem", "certs-c/seal.key");
    let now = unix_now();
    // What `a` has sent to `c`, and only to `c`; and a document of `c` itself for somebody else.
    for (n, from) in ["a", "c"].into_iter().enumerate() {
        let to = ["c", "a"][n];
        let sealed = Sealed::new(&world, &document(from, to, "for c alone", &[]), &[]);
        let envelope = sealed.header(&world, "c", "b").seal(&seal, now).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let endpoint = client(&world, Some("certs-c"), "root/ca.pem");
            let connection =
                endpoint.connect(address(&world, "b"), "b.zj.gov.cn").unwrap().await.unwrap();
            refused(&offer(&connection, envelope, &sealed.content).await, "CHY-5040");
        });
        assert!(world.list("b", "inbox").is_empty());
        let id = sealed.document.id();
        world.clerk("b", &format!("receive {id}")).refused(1, "CHY-4011");
    }
}
