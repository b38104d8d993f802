//! A node of another release, and messages that no release writes.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use chancery_bus::NodeConfig;
use chancery_certs::{
    AgencyCard, AgencyName, Credential, EncryptionKeyStatement, Scrutiny, TrustStore,
    decode_pem_chain, seal_with,
};
use chancery_crypto::{Commitment, ContentKey, Digest, PartSealer, RecipientKey, SigningKey, cbor};
use chancery_ledger::unix_now;
use chancery_protocol::{
    ContentSealer, DocumentHeader, EnvelopeHeader, Evidence, Leaf, MAX_PART, PartContent,
    PeerMessage, Receipt, Recipient, RecipientPart, RecipientParts, Refusal, SignedDocument,
    Urgency, commit_to_document, decode_frame, encode_frame, merkle, recipient_info, sign_document,
};
use chancery_tests::World;
use quinn::{ClientConfig, Connection, Endpoint, crypto::rustls::QuicClientConfig};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde::Serialize;

const ENVELOPE: &str = "application/vnd.chancery.envelope+cbor";
const DOCUMENT: &str = "application/vnd.chancery.document+cbor";

fn name(agency: &str) -> AgencyName {
    format!("{agency}.zj.gov.cn").parse().unwrap()
}

fn credential(world: &World, agency: &str, who: &str) -> Credential {
    let read =
        |end: &str| std::fs::read(world.path(&format!("certs-{agency}/{who}.{end}"))).unwrap();
    let chain = decode_pem_chain(&read("pem")).unwrap();
    let key = String::from_utf8(read("key")).unwrap();
    Credential::new(SigningKey::from_pem(&key, None).unwrap(), chain).unwrap()
}

fn trust(world: &World) -> TrustStore {
    TrustStore::new(decode_pem_chain(&std::fs::read(world.path("root/ca.pem")).unwrap()).unwrap())
        .unwrap()
}

fn encryption_key(world: &World, agency: &str) -> RecipientKey {
    let (trust, now) = (trust(world), unix_now());
    let card = std::fs::read(world.path(&format!("{agency}/agency.card"))).unwrap();
    let by = Scrutiny::without_lists(&trust, now);
    let card = AgencyCard::open(&card, &by).unwrap().value;
    let key = EncryptionKeyStatement::open(&card.encryption_key, &by).unwrap().key;
    key.prepare().unwrap()
}

/// A document of `c`, sealed for some agencies, as a well-behaved node of `c` would.
struct Made {
    header: EnvelopeHeader,
    content: Vec<u8>,
    sealers: Vec<PartSealer>,
}

fn document_header(to: &[&str], title: &str) -> DocumentHeader {
    DocumentHeader {
        kind: "通知".into(),
        number: None,
        title: title.into(),
        from: name("c"),
        to: to.iter().map(|agency| name(agency)).collect(),
        cc: Vec::new(),
        classification: None,
        secrecy_period: None,
        urgency: Urgency::Routine,
        created: unix_now(),
        deadline: None,
        in_reply_to: None,
        module: "official-documents".into(),
        fields: BTreeMap::new(),
        crit: Vec::new(),
        filing: None,
        form: Default::default(),
        parts: Vec::new(),
        nonce: Digest::from_bytes(chancery_crypto::random().unwrap()),
    }
}

fn made(world: &World, to: &[&str], title: &str) -> Made {
    let (officer, now) = (credential(world, "c", "clerk"), unix_now());
    let header = document_header(to, title);
    made_of(world, to, sign_document(&header, &officer, Commitment::Approval, now).unwrap())
}

fn made_of(world: &World, to: &[&str], document: SignedDocument) -> Made {
    let (seal, now) = (credential(world, "c", "seal"), unix_now());
    let document = document.add_signature(&seal, Commitment::Origin, now).unwrap();
    let (key, salt) = (ContentKey::generate().unwrap(), Digest::of(b"salt"));
    let mut content = Vec::new();
    let sealer = ContentSealer::new(&key, &salt, &document, &mut content).unwrap();
    let sealed = sealer.finish(&mut content).unwrap();
    let (mut recipients, mut sealers) = (Vec::new(), Vec::new());
    for agency in to {
        let info = recipient_info(&name("c"), &name(agency));
        let wrapped = encryption_key(world, agency).wrap_with_part(&key, &info).unwrap();
        recipients.push(Recipient { agency: name(agency), key: wrapped.0 });
        sealers.push(wrapped.1);
    }
    let header = EnvelopeHeader {
        sender: name("c"),
        recipients,
        size: sealed.size,
        root: sealed.root,
        commitment: commit_to_document(&salt, &document.id()),
        urgency: Urgency::Routine,
        created: now,
        expires: now + 3600,
    };
    Made { header, content, sealers }
}

impl Made {
    /// The part of each recipient: copies from 1 on.
    fn parts(&mut self) -> Vec<Option<RecipientPart>> {
        let id = self.header.id().unwrap();
        let sealers = std::mem::take(&mut self.sealers);
        let parts = (1..).zip(sealers).map(|(copy, sealer)| {
            RecipientPart::seal(&PartContent { copy: Some(copy) }, &id, sealer).unwrap()
        });
        parts.map(Some).collect()
    }

    fn seal(&self, world: &World, parts: Vec<Option<RecipientPart>>) -> Vec<u8> {
        let parts = RecipientParts::new(parts);
        self.header.seal_with(&parts, &credential(world, "c", "seal"), unix_now()).unwrap()
    }
}

/// A peer with the certificate of `c`, and its connection to an agency's node.
async fn connect(world: &World, to: &str) -> (Endpoint, Connection) {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(world.path("root/ca.pem")).unwrap()).unwrap();
    let chain = CertificateDer::pem_file_iter(world.path("certs-c/node.pem")).unwrap();
    let chain: Vec<_> = chain.map(Result::unwrap).take(2).collect();
    let key = PrivateKeyDer::from_pem_file(world.path("certs-c/node.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut tls = builder.with_client_auth_cert(chain, key).unwrap();
    tls.alpn_protocols = vec![b"chancery/1".to_vec()];
    let mut endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = QuicClientConfig::try_from(tls).unwrap();
    endpoint.set_default_client_config(ClientConfig::new(Arc::new(config)));
    let config = NodeConfig::load(&world.path(&format!("{to}/node.toml"))).unwrap();
    let address: SocketAddr = config.listen;
    let connecting = endpoint.connect(address, &format!("{to}.zj.gov.cn")).unwrap();
    (endpoint, connecting.await.unwrap())
}

/// Says something on a stream of its own and reads the answer; none when the other side gives it up.
async fn say<T: Serialize>(connection: &Connection, message: &T) -> Option<PeerMessage> {
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    send.write_all(&encode_frame(message).unwrap()).await.unwrap();
    send.finish().unwrap();
    let read = tokio::time::timeout(Duration::from_secs(20), recv.read_to_end(1 << 20));
    let answer = read.await.expect("it does not fall silent").ok()?;
    answer.get(4..).map(|body| decode_frame(body).unwrap())
}

async fn offer(connection: &Connection, envelope: Vec<u8>, content: &[u8]) -> PeerMessage {
    let content = Some(content.to_vec().into());
    let offer = PeerMessage::Offer { envelope, content, recipient: None };
    say(connection, &offer).await.expect("an answer")
}

#[track_caller]
fn refused(answer: Option<PeerMessage>, code: &str) -> Refusal {
    match answer {
        Some(PeerMessage::Refuse(refusal)) if refusal.code == code => refusal,
        other => panic!("want a refusal with {code}, got {other:?}"),
    }
}

/// What was offered is not what its envelope says: no receipt is given for it, and it is not shown.
#[track_caller]
fn not_shown(world: &World, answer: PeerMessage, title: &str) {
    refused(Some(answer), "CHY-5040");
    let inbox = world.list("b", "inbox");
    assert!(inbox.iter().all(|view| view["title"] != title), "{inbox:#?}");
}

/// All files in a folder and those in it.
fn files_below(folder: std::path::PathBuf) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(path)) } else { files.push(path) }
    }
    files
}

fn three() -> World {
    let mut world = World::new();
    world.add_agency("c", "p256");
    world.publish(2, &["a", "b", "c"]);
    world.write("n.txt", b"text");
    world.start("b");
    world
}

#[test]
fn messages_of_a_newer_release_are_read_or_refused_by_name() {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    enum Newer {
        AskMood {
            since: u64,
        },
        Offer {
            #[serde(with = "serde_bytes")]
            envelope: Vec<u8>,
            content: serde_bytes::ByteBuf,
            mood: &'static str,
        },
    }
    #[derive(Serialize)]
    struct NewerEnvelope {
        #[serde(flatten)]
        header: EnvelopeHeader,
        mood: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        crit: Option<[&'static str; 1]>,
        #[serde(skip_serializing_if = "Option::is_none")]
        format: Option<u64>,
    }
    #[derive(Serialize)]
    struct NewerDocument {
        #[serde(flatten)]
        header: DocumentHeader,
        mood: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        crit: Option<[&'static str; 1]>,
    }
    let world = three();
    let (seal, officer, now) =
        (credential(&world, "c", "seal"), credential(&world, "c", "clerk"), unix_now());
    let newer = |header: &EnvelopeHeader, crit, format| {
        let newer = NewerEnvelope { header: header.clone(), mood: "fine", crit, format };
        seal_with(ENVELOPE, &newer, None, &seal, now, cbor::MAX_BYTES).unwrap()
    };
    let document = |title: &str, crit| {
        let newer = NewerDocument { header: document_header(&["b"], title), mood: "fine", crit };
        seal_with(DOCUMENT, &newer, None, &officer, now, cbor::MAX_BYTES).unwrap()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let strange = runtime.block_on(async {
        let (_endpoint, connection) = connect(&world, "b").await;
        // A message that is not known is refused for good, and the connection goes on.
        let refusal = refused(say(&connection, &Newer::AskMood { since: 7 }).await, "CHY-1016");
        assert!(refusal.reason.contains("ask-mood"), "{refusal:?}");
        assert_eq!(refusal.retry_after, None);
        // What is added and need not be known, is no matter.
        let good = made(&world, &["b"], "newer envelope");
        let envelope = newer(&good.header, None, None);
        let content = good.content.clone().into();
        let message = Newer::Offer { envelope, content, mood: "fine" };
        let answer = say(&connection, &message).await;
        assert!(matches!(answer, Some(PeerMessage::Evidence { .. })), "{answer:?}");
        let plain = SignedDocument::decode(&document("newer document", None)).unwrap();
        let id = plain.id();
        let good = made_of(&world, &["b"], plain);
        let answer = offer(&connection, good.seal(&world, Vec::new()), &good.content).await;
        assert!(matches!(answer, PeerMessage::Evidence { .. }), "{answer:?}");
        // What must be known is named.
        let bad = made(&world, &["b"], "critical envelope");
        let answer =
            offer(&connection, newer(&bad.header, Some(["mood"]), None), &bad.content).await;
        let refusal = refused(Some(answer), "CHY-1016");
        assert!(refusal.reason.contains("the critical field \"mood\""), "{refusal:?}");
        let answer = offer(&connection, newer(&bad.header, None, Some(2)), &bad.content).await;
        let refusal = refused(Some(answer), "CHY-1016");
        assert!(refusal.reason.contains("form 2"), "{refusal:?}");
        id
    });
    let inbox = world.list("b", "inbox");
    let titles: Vec<_> = inbox.iter().map(|view| view["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["newer document", "newer envelope"]);
    assert!(inbox.iter().all(|view| view["indication"] == "TOTAL-PASSED"), "{inbox:#?}");
    // What was added to a document is part of what was signed, and goes along.
    world.clerk("b", &format!("open {strange} --out got")).ok();
    let kept = std::fs::read(world.path("got/document.cose")).unwrap();
    assert!(kept.windows(8).any(|bytes| bytes == b"mood\x64fin"), "it is not in the bytes");
    world.run("verify got --anchor root/ca.pem").ok();
    // A document that must not be read by this release is not.
    let critical = document("critical document", Some(["mood"]));
    world.write("critical.cose", &critical);
    let answer = world.run("verify critical.cose --anchor root/ca.pem");
    assert_ne!(answer.code, 0, "{answer:?}");
    let said = [answer.stdout, answer.stderr].concat();
    assert!(said.contains("the critical field \"mood\""), "{said}");
}

#[test]
fn copies_are_numbered_for_those_who_can_read_it_and_receipts_name_them() {
    let mut world = World::new();
    world.add_agency("c", "p256");
    world.add_agency("d", "p256");
    // The card of `d` is one of the first release.
    let (trust, seal, now) = (trust(&world), credential(&world, "d", "seal"), unix_now());
    let card = std::fs::read(world.path("d/agency.card")).unwrap();
    let by = Scrutiny::without_lists(&trust, now);
    let card = AgencyCard::open(&card, &by).unwrap().value;
    world.write("d/agency.card", &card.seal_with(None, &seal, now).unwrap());
    world.publish(2, &["a", "b", "c", "d"]);
    world.write("n.txt", b"text");
    for agency in ["a", "b", "c", "d"] {
        world.start(agency);
    }
    let to = ["b.zj.gov.cn", "d.zj.gov.cn", "c.zj.gov.cn"];
    let words = [&["--json", "send", "n.txt", "--to"][..], &to, &["--type", "通知"]].concat();
    let words =
        [&words[..], &["--title", "numbered", "--copies-from", "7", "--wait", "30"]].concat();
    let sent = world.clerk_words("a", &words).ok().json();
    assert_eq!(sent["copies"]["b.zj.gov.cn"], 7, "{sent}");
    assert_eq!(sent["copies"]["c.zj.gov.cn"], 9, "{sent}");
    assert!(sent["copies"]["d.zj.gov.cn"].is_null(), "its node does not read that: {sent}");
    let id = sent["document"].as_str().unwrap();
    for (agency, copy) in [("b", Some(7)), ("c", Some(9)), ("d", None)] {
        assert_eq!(world.list(agency, "inbox")[0]["copy"].as_u64(), copy, "{agency}");
        let opened = world.clerk(agency, &format!("--json open {id} --out got-{agency}")).ok();
        assert_eq!(opened.json()["copy"].as_u64(), copy);
        world.run(&format!("verify got-{agency} --anchor root/ca.pem")).ok();
        let evidence = files_below(world.path(&format!("got-{agency}")));
        let evidence: Vec<_> = evidence
            .iter()
            .filter(|f| f.to_string_lossy().contains("ContentConsignment"))
            .collect();
        let evidence = Evidence::decode(&std::fs::read(evidence[0]).unwrap()).unwrap();
        let leaf = Leaf::decode(&evidence.receipt.leaf).unwrap();
        assert_eq!(leaf.evidence.is_some(), copy.is_some(), "{leaf:?}");
        // Each receipt carries the compact range of its checkpoint.
        assert!(evidence.receipt.range().unwrap().is_some());
    }
    let shown = world.clerk("b", "inbox").ok().stdout;
    assert!(shown.contains("copy 7"), "{shown}");
    // Without being asked for, nothing is numbered.
    world.send("a", "b", "n.txt", "plain", &["--wait", "20"]);
    assert!(world.list("b", "inbox")[0]["copy"].is_null());
    for agency in ["a", "b", "c", "d"] {
        world.export(agency, &format!("out-{agency}"));
    }
    world.run("audit out-a out-b out-c out-d --anchor root/ca.pem").ok();
}

#[test]
fn parts_of_other_recipients_and_envelopes_are_told_to_nobody() {
    let world = three();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (_endpoint, connection) = connect(&world, "b").await;
        // Each with its own: as it should be.
        let mut good = made(&world, &["a", "b"], "good");
        let parts = good.parts();
        let answer = offer(&connection, good.seal(&world, parts.clone()), &good.content).await;
        let PeerMessage::Evidence { receipt } = answer else { panic!("{answer:?}") };
        let leaf = Leaf::decode(&receipt.leaf).unwrap();
        assert_eq!(leaf.evidence, parts[1].as_ref().map(|part| part.commitment));
        let inbox = world.list("b", "inbox");
        assert_eq!((&inbox[0]["title"], &inbox[0]["copy"]), (&"good".into(), &2.into()));

        // Swapped between recipients; of another envelope; committing to something else.
        let mut swapped = made(&world, &["a", "b"], "swapped");
        let mut wrong = swapped.parts();
        wrong.swap(0, 1);
        let answer = offer(&connection, swapped.seal(&world, wrong), &swapped.content).await;
        not_shown(&world, answer, "swapped");
        let moved = made(&world, &["a", "b"], "moved");
        let answer = offer(&connection, moved.seal(&world, parts), &moved.content).await;
        not_shown(&world, answer, "moved");
        let mut false_one = made(&world, &["a", "b"], "false");
        let mut wrong = false_one.parts();
        wrong[1].as_mut().unwrap().commitment = Digest::of(b"copy 1");
        let answer = offer(&connection, false_one.seal(&world, wrong), &false_one.content).await;
        not_shown(&world, answer, "false");

        // Too many, too few, too large: refused before anything is kept.
        let mut odd = made(&world, &["a", "b"], "odd");
        let parts = odd.parts();
        let one = vec![parts[0].clone()];
        let three = vec![parts[0].clone(), parts[1].clone(), None];
        let sealed = vec![0; MAX_PART + 1].into();
        let large = RecipientPart { sealed, commitment: Digest::of(b"x") };
        for parts in [one, three, vec![None, Some(large)]] {
            let answer = offer(&connection, odd.seal(&world, parts), &odd.content).await;
            refused(Some(answer), "CHY-3004");
        }
    });
}

#[test]
fn a_compact_range_that_is_not_the_trees_spoils_a_receipt() {
    let mut world = World::new();
    world.write("n.txt", b"text");
    world.start("a");
    world.start("b");
    for n in 0..3 {
        world.send("a", "b", "n.txt", &format!("{n}"), &["--wait", "20"]);
    }
    world.clerk("a", "ledger prove --entry 3 --out good.evidence").ok();
    world.run("ledger check-proof good.evidence --anchor root/ca.pem").ok();
    let good = Evidence::decode(&std::fs::read(world.path("good.evidence")).unwrap()).unwrap();
    let range = good.receipt.range().unwrap().expect("a range");
    let checkpoint =
        chancery_protocol::Checkpoint::read_unverified(&good.receipt.checkpoint).unwrap();
    merkle::verify_range(checkpoint.size, &range, &checkpoint.root).unwrap();
    let other = Digest::of(b"other");
    let longer = [range.clone(), vec![other]].concat();
    for (n, wrong) in
        [vec![], vec![other; range.len()], longer, range[1..].to_vec()].iter().enumerate()
    {
        let mut bad = good.clone();
        let cose = Receipt::cose_with_range(good.receipt.cose.as_ref().unwrap(), wrong.clone());
        bad.receipt.cose = Some(cose.unwrap().into());
        let file = format!("bad-{n}.evidence");
        world.write(&file, &bad.encode().unwrap());
        let answer = world.run(&format!("ledger check-proof {file} --anchor root/ca.pem"));
        assert_eq!(answer.code, 1, "{wrong:?}: {answer:?}");
        assert!(answer.stdout.contains("compact range") || answer.stderr.contains("compact range"));
    }
}

#[test]
fn two_directories_of_one_version_are_seen_said_and_kept() {
    let mut world = World::new();
    world.write("n.txt", b"text");
    for agency in ["a", "b"] {
        world.set(agency, "limits.witness_seconds", "1");
    }
    // The registrar tells `b` that nobody but the two is there, and `a` that there is a third.
    world.add_agency("c", "p256");
    world.publish(2, &["a", "b", "c"]);
    let first = world.path("directory-2.cose");
    std::fs::rename(&first, world.path("first.cose")).unwrap();
    world.publish(2, &["a", "b"]);
    std::fs::copy(world.path("first.cose"), world.path("a/directory.cose")).unwrap();
    world.start("a");
    world.start("b");
    world.send("a", "b", "n.txt", "they meet", &["--wait", "20"]);
    for agency in ["a", "b"] {
        let said = "two different directories of one version";
        world.wait("the conflict is said", 20, |w| w.log(agency).contains(said));
        let kept = files_below(world.path(&format!("{agency}/data/directories")));
        assert_eq!(kept.len(), 2, "{kept:?}");
        // Whoever holds the anchors sees that the registrar signed both.
        let mut digests = Vec::new();
        for file in kept {
            let file = file.display().to_string();
            let line = format!("--json directory show {file} --registrar registry.zj.gov.cn");
            let shown = world.run(&format!("{line} --anchor root/ca.pem")).ok().json();
            assert_eq!(shown["version"], 2);
            digests.push(shown["digest"].clone());
        }
        assert_ne!(digests[0], digests[1]);
    }
    // By hand it is the same, and the one that is held stays in use.
    world.clerk("a", "directory install directory-2.cose").refused(2, "CHY-4026");
    let status = world.clerk("a", "--json node status").ok().json();
    assert_eq!(status["agencies"].as_array().unwrap().len(), 3, "{status}");
    // The next one names the one before it, and another one before is a conflict, too.
    let line = "directory publish --key registry/seal.key --cert registry/seal.pem --anchor \
                root/ca.pem --version-number 3 --previous directory-2.cose --out directory-3.cose \
                a/agency.card b/agency.card";
    world.run(line).ok();
    let before = world.log("a").matches("two different directories").count();
    world.clerk("a", "directory install directory-3.cose").ok();
    world.wait("it is said", 20, |w| {
        w.log("a").matches("two different directories").count() > before
    });
    // It ends the contradiction, so it reaches whoever holds the other one, from whom he had it.
    world.wait("the next one spreads", 20, |w| {
        w.clerk("b", "--json node status").ok().json()["directory_version"] == 3
    });
    // The same once more, signed again, is no other one.
    std::fs::remove_file(world.path("directory-3.cose")).unwrap();
    world.run(line).ok();
}

#[test]
fn missing_witnesses_are_warned_of_and_never_refused() {
    let world = World::new();
    world.add_agency("c", "p256");
    world.add_agency("d", "p256");
    let publish = |version: u64, more: &str| {
        let line = format!(
            "--json directory publish --key registry/seal.key --cert registry/seal.pem --anchor \
             root/ca.pem --version-number {version} --out w{version}.cose a/agency.card \
             b/agency.card c/agency.card d/agency.card {more}"
        );
        let answer = world.run(&line).ok().json();
        std::fs::copy(world.path(&format!("w{version}.cose")), world.path("a/directory.cose"))
            .unwrap();
        let check = world.run("node check --config a/node.toml").ok().stdout;
        (answer["warnings"].as_array().unwrap().len(), check)
    };
    let (warnings, check) = publish(2, "");
    assert_eq!(warnings, 4);
    assert!(check.contains("✗ a.zj.gov.cn has 0 witnesses of at least 3"), "{check}");
    // All of them stand under the province: nobody is independent but by the registrar's word.
    let three = "--witness a.zj.gov.cn=b.zj.gov.cn,c.zj.gov.cn,d.zj.gov.cn";
    let (warnings, check) = publish(3, three);
    assert_eq!(warnings, 4);
    assert!(check.contains("✗ no witness of a.zj.gov.cn is independent of it"), "{check}");
    let (warnings, check) = publish(4, &format!("{three} --independent c.zj.gov.cn"));
    assert_eq!(warnings, 3);
    assert!(!check.contains('✗'), "{check}");
    let shown = "--json directory show w4.cose --registrar registry.zj.gov.cn --anchor root/ca.pem";
    let shown = world.run(shown).ok().json();
    assert_eq!(shown["independent"][0], "c.zj.gov.cn");
    assert_eq!(shown["agencies"][0]["witnesses"].as_array().unwrap().len(), 3);
    // What is said stays said when an agency is added; the next directory names this one.
    let line = "directory add-agency --to w4.cose --remove d.zj.gov.cn --out w5.cose --key \
                registry/seal.key --cert registry/seal.pem --anchor root/ca.pem";
    world.run(line).ok();
    let next = "--json directory show w5.cose --registrar registry.zj.gov.cn --anchor root/ca.pem";
    let next = world.run(next).ok().json();
    assert_eq!(next["previous"]["version"], 4);
    assert_eq!(next["previous"]["digest"], shown["digest"]);
    assert_eq!(next["agencies"][0]["witnesses"].as_array().unwrap().len(), 3);
    for wrong in ["a.zj.gov.cn", "a.zj.gov.cn=", "a.zj.gov.cn=a.zj.gov.cn", "=b.zj.gov.cn"] {
        let line = format!(
            "directory publish --key registry/seal.key --cert registry/seal.pem --anchor root/ca.pem \
             --version-number 9 --out w9.cose a/agency.card --witness {wrong}"
        );
        assert_eq!(world.run(&line).code, 2, "{wrong}");
    }
}
