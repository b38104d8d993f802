//! Peers that do not behave: a certified one that lies, and ones that are not certified at all.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use chancery_certs::{
    AgencyCard, Credential, EncryptionKeyStatement, TrustStore, decode_pem_chain,
};
use chancery_crypto::{CHUNK_SIZE, Commitment, ContentKey, Digest, SigningKey, wrap_key};
use chancery_node::{NodeConfig, unix_now};
use chancery_protocol::{
    Checkpoint, ContentSealer, DocumentHeader, EnvelopeHeader, EnvelopeId, Event, Leaf,
    PeerMessage, Receipt, Recipient, Urgency, commit_to_document, decode_frame, encode_frame,
    merkle, recipient_info, sign_document,
};
use chancery_tests::{World, noise};
use quinn::{
    ClientConfig, Connection, Endpoint,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// A client with the node certificate in a folder, or without any.
fn client(world: &World, identity: Option<&str>, root: &str) -> Endpoint {
    let mut roots = RootCertStore::empty();
    let anchor = CertificateDer::from_pem_file(world.path(root)).unwrap();
    roots.add(anchor).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut tls = match identity {
        None => builder.with_no_client_auth(),
        Some(dir) => {
            let chain = CertificateDer::pem_file_iter(world.path(&format!("{dir}/node.pem")));
            let chain: Vec<_> = chain.unwrap().map(Result::unwrap).take(2).collect();
            let key = PrivateKeyDer::from_pem_file(world.path(&format!("{dir}/node.key")));
            builder.with_client_auth_cert(chain, key.unwrap()).unwrap()
        }
    };
    tls.alpn_protocols = vec![b"chancery/1".to_vec()];
    let mut endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = QuicClientConfig::try_from(tls).unwrap();
    endpoint.set_default_client_config(ClientConfig::new(Arc::new(config)));
    endpoint
}

fn address(world: &World, agency: &str) -> SocketAddr {
    NodeConfig::load(&world.path(&format!("{agency}/node.toml"))).unwrap().listen
}

fn credential(world: &World, cert: &str, key: &str) -> Credential {
    let chain = decode_pem_chain(&std::fs::read(world.path(cert)).unwrap()).unwrap();
    let key = std::fs::read_to_string(world.path(key)).unwrap();
    Credential::new(SigningKey::from_pem(&key, None).unwrap(), chain).unwrap()
}

/// Sends raw bytes on a stream and reads what comes back.
async fn exchange(connection: &Connection, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let (mut send, mut recv) = connection.open_bi().await.map_err(|e| e.to_string())?;
    send.write_all(bytes).await.map_err(|e| e.to_string())?;
    send.finish().map_err(|e| e.to_string())?;
    let read = tokio::time::timeout(Duration::from_secs(10), recv.read_to_end(1 << 20));
    read.await.map_err(|_| "silent".to_owned())?.map_err(|e| e.to_string())
}

async fn offer(connection: &Connection, envelope: Vec<u8>, content: &[u8]) -> PeerMessage {
    let content = Some(content.to_vec().into());
    let frame = encode_frame(&PeerMessage::Offer { envelope, content, recipient: None }).unwrap();
    let answer = exchange(connection, &frame).await.expect("an answer");
    decode_frame(&answer[4..]).unwrap()
}

#[track_caller]
fn refused(message: &PeerMessage, code: &str) {
    match message {
        PeerMessage::Refuse(refusal) => assert_eq!(refusal.code, code, "{refusal:?}"),
        other => panic!("want a refusal with {code}, got {other:?}"),
    }
}

/// What a lying peer starts from: a good envelope header from `c` to `b` with junk content.
fn header(world: &World, content: &[u8]) -> EnvelopeHeader {
    header_with(world, content, &ContentKey::generate().unwrap())
}

fn header_with(world: &World, content: &[u8], content_key: &ContentKey) -> EnvelopeHeader {
    let anchors = decode_pem_chain(&std::fs::read(world.path("root/ca.pem")).unwrap()).unwrap();
    let trust = TrustStore::new(anchors).unwrap();
    let now = unix_now();
    let card = std::fs::read(world.path("b/agency.card")).unwrap();
    let card = AgencyCard::open(&card, &trust, now).unwrap().value;
    let key = EncryptionKeyStatement::open(&card.encryption_key, &trust, now).unwrap().key;
    let (sender, agency) = ("c.zj.gov.cn".parse().unwrap(), "b.zj.gov.cn".parse().unwrap());
    let info = recipient_info(&sender, &agency);
    let wrapped = wrap_key(&key, content_key, &info).unwrap();
    let mut tree = merkle::CompactRange::default();
    content.chunks(CHUNK_SIZE).for_each(|c| tree.push(merkle::leaf_hash(c)));
    EnvelopeHeader {
        sender,
        recipients: vec![Recipient { agency, key: wrapped }],
        size: content.len() as u64,
        root: tree.root(),
        commitment: Digest::of(b"anything"),
        urgency: Urgency::Routine,
        created: now,
        expires: now + 3600,
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
    let content = vec![9u8; 1000];
    let good = header(&world, &content);
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
        refused(&offer(&connection, send(&good, &seal), &[8u8; 1000]).await, "CHY-5006");
        let mut altered = send(&good, &seal);
        let last = altered.len() - 1;
        altered[last] ^= 1;
        refused(&offer(&connection, altered, &content).await, "CHY-1006");

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
    // What does not decrypt is listed with its error and does not hide the rest.
    world.write("n.txt", b"text");
    world.send("a", "b", "n.txt", "Honest", &["--wait", "30"]);
    let inbox = world.list("b", "inbox");
    assert_eq!(inbox.len(), 2, "{inbox:#?}");
    assert_eq!(inbox[0]["title"], "Honest");
    assert!(inbox[1]["error"].as_str().unwrap().contains("CHY-1011"), "{inbox:#?}");
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
    let document = DocumentHeader {
        kind: "通知".into(),
        number: None,
        title: "Pay at once".into(),
        from: "c.zj.gov.cn".parse().unwrap(),
        to: vec!["b.zj.gov.cn".parse().unwrap()],
        cc: Vec::new(),
        classification: None,
        secrecy_period: None,
        urgency: Urgency::Flash,
        created: now,
        deadline: None,
        in_reply_to: None,
        module: "official-documents".into(),
        fields: std::collections::BTreeMap::new(),
        parts: Vec::new(),
        nonce: Digest::of(b"nonce"),
    };
    let document = sign_document(&document, &officer, Commitment::Approval, now).unwrap();
    let (key, salt) = (ContentKey::generate().unwrap(), Digest::of(b"salt"));
    let mut content = Vec::new();
    let sealer = ContentSealer::new(&key, &salt, &document, &mut content).unwrap();
    sealer.finish(&mut content).unwrap();
    let mut header = header_with(&world, &content, &key);
    header.commitment = commit_to_document(&salt, &document.id());
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

/// A node of agency `c` that says what it is told to say: each offer gets the next answer.
fn lying_node(world: &World, say: impl Fn(usize, EnvelopeHeader) -> PeerMessage + Send + 'static) {
    let chain = CertificateDer::pem_file_iter(world.path("certs-c/node.pem")).unwrap();
    let chain: Vec<_> = chain.map(Result::unwrap).take(2).collect();
    let key = PrivateKeyDer::from_pem_file(world.path("certs-c/node.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    tls.alpn_protocols = vec![b"chancery/1".to_vec()];
    let tls = QuicServerConfig::try_from(tls).unwrap();
    let config = quinn::ServerConfig::with_crypto(Arc::new(tls));
    let address = address(world, "c");
    std::thread::spawn(move || {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let endpoint = Endpoint::server(config, address).unwrap();
            let mut offers = 0;
            while let Some(incoming) = endpoint.accept().await {
                let Ok(connection) = incoming.await else { continue };
                while let Ok((mut send, mut recv)) = connection.accept_bi().await {
                    let body = recv.read_to_end(1 << 20).await.unwrap();
                    let offer = decode_frame(&body[4..]).unwrap();
                    let PeerMessage::Offer { envelope, .. } = offer else { panic!("{offer:?}") };
                    let (_, header) = EnvelopeHeader::reopen(&envelope).unwrap();
                    let answer = encode_frame(&say(offers, header)).unwrap();
                    offers += 1;
                    send.write_all(&answer).await.unwrap();
                    send.finish().unwrap();
                }
            }
        });
    });
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
    let good = header(&world, &[7; 1000]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let slow = runtime.block_on(async {
        let endpoint = client(&world, Some("certs-c"), "root/ca.pem");
        let connection =
            endpoint.connect(address(&world, "b"), "b.zj.gov.cn").unwrap().await.unwrap();
        let mut slow = Vec::new();
        for index in 0..SLOW {
            let (root, size) = (Digest::of(&index.to_be_bytes()), 16 << 20);
            let envelope = EnvelopeHeader { root, size, ..good.clone() };
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
            send.write_all(&vec![7; 5 * CHUNK_SIZE / 2]).await.unwrap();
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
    use chancery_node::{LocalClient, LocalReply, LocalRequest};
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
        let content = vec![7u8; CHUNK_SIZE * 2];
        let mut good = header(&world, &content);
        good.size = content.len() as u64;
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
    for (n, from) in ["a.zj.gov.cn", "c.zj.gov.cn"].into_iter().enumerate() {
        let own = ["certs-a", "certs-c"][n];
        let signer = credential(&world, &format!("{own}/clerk.pem"), &format!("{own}/clerk.key"));
        let header_ = DocumentHeader {
            kind: "通知".into(),
            number: None,
            title: "for c alone".into(),
            from: from.parse().unwrap(),
            to: vec![["c.zj.gov.cn", "a.zj.gov.cn"][n].parse().unwrap()],
            cc: Vec::new(),
            classification: None,
            secrecy_period: None,
            urgency: Urgency::Routine,
            created: now,
            deadline: None,
            in_reply_to: None,
            module: "official-documents".into(),
            fields: std::collections::BTreeMap::new(),
            parts: Vec::new(),
            nonce: Digest::of(b"nonce"),
        };
        let document = sign_document(&header_, &signer, Commitment::Approval, now).unwrap();
        let (key, salt) = (ContentKey::generate().unwrap(), Digest::of(b"salt"));
        let mut content = Vec::new();
        let sealer = ContentSealer::new(&key, &salt, &document, &mut content).unwrap();
        sealer.finish(&mut content).unwrap();
        let mut outer = header_with(&world, &content, &key);
        outer.commitment = commit_to_document(&salt, &document.id());
        let envelope = outer.seal(&seal, now).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let endpoint = client(&world, Some("certs-c"), "root/ca.pem");
            let connection =
                endpoint.connect(address(&world, "b"), "b.zj.gov.cn").unwrap().await.unwrap();
            let answer = offer(&connection, envelope, &content).await;
            assert!(matches!(answer, PeerMessage::Evidence { .. }), "{answer:?}");
        });
        let inbox = world.list("b", "inbox");
        assert_eq!(inbox.len(), n + 1);
        assert!(inbox[0]["error"].as_str().unwrap().contains("CHY-3004"), "{inbox:#?}");
        let id = document.id();
        world.clerk("b", &format!("receive {id}")).refused(1, "CHY-4011");
    }
}
