//! Disks that fill, and disks that are lost: a node refuses what it cannot keep and goes on with the rest, and never begins a
//! second history of its ledger.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use chancery_crypto::Digest;
use chancery_ledger::unix_now;
use chancery_protocol::{
    Checkpoint, EnvelopeHeader, Event, Leaf, PeerMessage, Receipt, SealedNote, merkle,
};
use chancery_tests::{
    Answer, World, copy_dir, free_address, noise, package,
    peer::{address, client, exchange, lying_node, seal_of},
};

#[test]
fn the_three_traps_of_a_lost_disk_catch_nobody() {
    let script = package().join("../demo/lost-disk.sh");
    let output = Command::new(script).arg(chancery_tests::binary()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("No document was lost"), "{said}");
}

/// Answers of the node's monitor.
fn monitor(address: &str, path: &str) -> (u16, String) {
    let url = format!("http://{address}{path}");
    let mut answer = ureq::get(&url).config().http_status_as_error(false).build().call().unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

/// Fills the disk that a file is on, up to so many bytes.
fn fill(ballast: &Path, leave: u64) {
    let disk = || {
        let output =
            Command::new("stat").args(["-f", "-c", "%a %S"]).arg(ballast).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (blocks, size) = text.trim().split_once(' ').unwrap();
        blocks.parse::<u64>().unwrap() * size.parse::<u64>().unwrap()
    };
    let mut file = std::fs::File::options().append(true).create(true).open(ballast).unwrap();
    while let Some(left) = disk().checked_sub(leave).filter(|left| *left > 0) {
        let piece = usize::try_from(left.min(1 << 20)).unwrap();
        if file.write_all(&vec![0; piece]).is_err() {
            return;
        }
    }
}

#[test]
fn a_node_whose_disk_is_full_refuses_goes_on_read_only_and_takes_up_again_by_itself() {
    let mut world = World::new();
    // RocksDB goes on when there is room for what it holds in memory.
    if !world.on_small_disk("b", "450m") {
        return;
    }
    let probe = free_address().to_string();
    world.set("b", "monitor.listen", &format!("'{probe}'"));
    world.set("b", "limits.free_bytes", "0");
    world.start("a");
    world.start("b");
    world.write("n.txt", b"text");
    world.write("small.bin", &noise(200_000, 1));
    world.write("large.bin", &noise(30_000_000, 2));
    let first = world.send("a", "b", "n.txt", "before", &["--wait", "30"]);
    assert_eq!(monitor(&probe, "/readyz").0, 200);

    let ballast = world.path_of("b", "b/data/ballast");
    // By what is free there is room for one more, again and again: RocksDB has some set aside, and then finds none.
    fill(&ballast, 400_000);
    let own = |world: &World, file: &str, n: usize| -> Answer {
        let title = format!("own {n}");
        let words = ["send", file, "--to", "a.zj.gov.cn", "--type", "notice", "--title", &title];
        world.clerk_words("b", &words)
    };
    let refused = (0..500).map(|n| own(&world, "small.bin", n)).find(|answer| answer.code != 0);
    let refused = refused.expect("there is no room for five hundred");
    refused.refused(3, "CHY-4040");
    assert!(refused.stderr.contains("No space left on device"), "a write failed: {refused:?}");
    // A peer's documents, small and large, and a clerk's own: whatever finds no room is not taken, and loses nothing.
    for (n, file) in ["large.bin", "small.bin", "small.bin"].iter().enumerate() {
        world.send("a", "b", file, &format!("peer {n}"), &[]);
    }
    own(&world, "large.bin", 99).refused(3, "CHY-4040");
    world.wait("the sender is put off", 30, |w| w.log("b").contains("CHY-5012"));
    assert_eq!(world.ended("b"), None, "it goes on");
    // What is here can be read, followed, verified and handed to auditors.
    assert_eq!(world.list("b", "inbox").len(), 1);
    world.clerk("b", &format!("trace {first}")).ok();
    world.export("b", "out-full");
    world.run("audit out-full --anchor root/ca.pem").ok();
    let status = world.clerk("b", "--json node status").ok().json();
    assert!(status["disk"]["full"].as_str().is_some_and(|why| why.contains("room")), "{status}");
    assert!(world.clerk("b", "node status").ok().stdout.contains("✗"));
    assert_eq!(monitor(&probe, "/healthz").0, 200, "nobody is to restart it");
    let (code, said) = monitor(&probe, "/readyz");
    assert!(code == 503 && said.contains("full"), "{code} {said}");
    assert!(monitor(&probe, "/metrics").1.contains("chancery_disk_full 1"));

    std::fs::remove_file(&ballast).unwrap();
    world.wait("everything arrives", 120, |w| w.pending("a") == 0);
    assert_eq!(world.ended("b"), None);
    let outbox = world.list("a", "outbox");
    assert!(outbox.iter().all(|d| d["deliveries"][0]["state"] == "delivered"), "{outbox:#?}");
    assert_eq!(world.list("b", "inbox").len(), 4);
    own(&world, "large.bin", 100).ok();
    world.wait("what was taken in is delivered", 60, |w| w.pending("b") == 0);
    let status = world.clerk("b", "--json node status").ok().json();
    assert!(status["disk"]["full"].is_null(), "{status}");
    assert_eq!(monitor(&probe, "/readyz").0, 200);
    for agency in ["a", "b"] {
        world.export(agency, &format!("out-{agency}"));
    }
    world.run("audit out-a out-b --anchor root/ca.pem").ok();
    assert_eq!(world.stop("b"), 0);
}

#[test]
fn what_is_to_stay_free_binds_own_clerks_and_systems_as_well() {
    let mut world = World::new();
    let probe = free_address().to_string();
    world.set("b", "monitor.listen", &format!("'{probe}'"));
    world.start("a");
    world.start("b");
    world.write("n.txt", b"text");
    world.send("b", "a", "n.txt", "before", &["--wait", "30"]);
    assert_eq!(world.stop("b"), 0);
    // More than any disk has.
    world.set("b", "limits.free_bytes", "1152921504606846976");
    world.start("b");
    let words = ["send", "n.txt", "--to", "a.zj.gov.cn", "--type", "notice", "--title", "x"];
    let answer = world.clerk_words("b", &words);
    answer.refused(3, "CHY-4040");
    assert!(answer.stderr.contains("limits.free_bytes"), "{answer:?}");
    world.send("a", "b", "n.txt", "put off", &[]);
    world.wait("a peer is put off", 30, |w| w.log("b").contains("CHY-5012"));
    // An act about what is here is a document of its own, too; what is here can be read.
    assert_eq!(world.list("b", "outbox").len(), 1);
    let (code, said) = monitor(&probe, "/readyz");
    assert!(code == 503 && said.contains("full"), "{code} {said}");
    assert!(world.clerk("b", "node status").ok().stdout.contains("limits.free_bytes"));
}

/// The ledger of an agency that is not a node, with the entries that it gives receipts for.
#[derive(Default)]
struct Entries(Vec<Vec<u8>>);

impl Entries {
    fn node(&self, level: u32, index: u64) -> Digest {
        match level {
            0 => merkle::leaf_hash(&self.0[usize::try_from(index).unwrap()]),
            _ => merkle::node_hash(
                &self.node(level - 1, 2 * index),
                &self.node(level - 1, 2 * index + 1),
            ),
        }
    }

    /// Appends an entry and gives its receipt.
    fn receipt(&mut self, leaf: &Leaf, seal: &chancery_certs::Credential) -> Receipt {
        self.0.push(leaf.encode().unwrap());
        let (size, leaf) = (self.0.len() as u64, self.0.last().unwrap().clone());
        let node = |level, index| Ok::<_, chancery_bus::NodeError>(self.node(level, index));
        let root = merkle::root(size, node).unwrap();
        let proof = merkle::inclusion_proof(size - 1, size, node).unwrap().unwrap();
        let origin = Checkpoint::origin_of(seal.name().agency());
        let note = Checkpoint { origin, size, root }.sign(seal).unwrap();
        Receipt { leaf, index: size - 1, proof, checkpoint: note, cose: None }
    }
}

fn arrival(header: &EnvelopeHeader) -> Leaf {
    Leaf {
        event: Event::ContentConsignment,
        envelope: header.id().unwrap(),
        commitment: header.commitment,
        counterpart: header.sender.clone(),
        time: unix_now(),
        evidence: None,
    }
}

/// A recipient that begins a new ledger where it had one (an older release does, and one that lies): its receipts attest what
/// is gone when the disk is back.
#[test]
fn a_receipt_of_a_ledger_that_was_begun_anew_delivers_nothing() {
    let mut world = World::new();
    world.add_agency("c", "p256");
    world.publish(2, &["a", "b", "c"]);
    let probe = free_address().to_string();
    world.set("a", "monitor.listen", &format!("'{probe}'"));
    let seal = seal_of(&world, "c");
    let ledgers = Mutex::new((Entries::default(), Entries::default()));
    lying_node(&world, move |n, header| {
        let mut ledgers = ledgers.lock().unwrap();
        let (old, new) = &mut *ledgers;
        let receipt = match n {
            // Others have sent to it before.
            0 => {
                for other in 0..5u8 {
                    let envelope = chancery_protocol::EnvelopeId::from_slice(&[other; 32]).unwrap();
                    old.receipt(&Leaf { envelope, ..arrival(&header) }, &seal);
                }
                old.receipt(&arrival(&header), &seal)
            }
            // The disk is not mounted …
            1 | 2 => new.receipt(&arrival(&header), &seal),
            // … and is again.
            _ => old.receipt(&arrival(&header), &seal),
        };
        PeerMessage::Evidence { receipt }
    });
    world.start("a");
    world.write("n.txt", b"text");
    world.send("a", "c", "n.txt", "before", &["--wait", "30"]);
    let lost = world.send("a", "c", "n.txt", "while it was away", &[]);
    world.wait("the receipt is refused", 30, |w| w.log("a").contains("CHY-4044"));
    assert_eq!(world.pending("a"), 1, "it is not delivered");
    let metrics = monitor(&probe, "/metrics").1;
    assert!(metrics.contains("chancery_receipts_not_taken_total{code=\"CHY-4044\"}"), "{metrics}");
    let alarms = metrics.lines().find(|l| l.starts_with("chancery_peer_rollbacks_total"));
    assert!(alarms.is_some_and(|l| !l.ends_with(" 0")), "{alarms:?}");
    world.wait("it is delivered when the ledger is back", 60, |w| w.pending("a") == 0);
    let trace = world.clerk("a", &format!("--json trace {lost}")).ok().json();
    assert_eq!(trace["document"]["deliveries"][0]["state"], "delivered", "{trace:#}");
    assert!(!world.log("a").contains("two different histories"), "{}", world.log("a"));
    world.export("a", "out");
    world.run("audit out --anchor root/ca.pem").ok();
}

fn part(title: &str) -> impl Fn(&serde_json::Value) -> bool + '_ {
    move |document| document["title"] == title
}

/// Nobody but the one peer could say that the ledger was larger.
#[test]
fn a_restored_node_whose_peers_are_away_waits_and_one_that_never_comes_keeps_it_out_no_longer_than_its_operator()
 {
    let mut world = World::new();
    world.start("a");
    world.start("b");
    world.write("n.txt", b"text");
    world.send("a", "b", "n.txt", "one", &["--wait", "30"]);
    let backup = world.clerk("b", "--json ledger backup").ok().json();
    copy_dir(Path::new(backup["path"].as_str().unwrap()), &world.path("backup"));
    for agency in ["a", "b"] {
        assert_eq!(world.stop(agency), 0);
    }
    std::fs::remove_dir_all(world.path("b/data")).unwrap();
    world.run("ledger restore backup --into b/data").ok();
    world.start("b");
    let status = |w: &World| w.clerk("b", "--json node status").ok().json()["not_sealing"].clone();
    world.wait("it says what it waits for", 30, |w| status(w).is_string());
    let words = ["send", "n.txt", "--to", "a.zj.gov.cn", "--type", "notice", "--title", "x"];
    world.clerk_words("b", &words).refused(3, "CHY-4043");
    assert_eq!(world.list("b", "inbox").len(), 1, "what is here can be read");
    // A peer that says so is enough.
    world.start("a");
    world.wait("the peer says so", 60, |w| status(w).is_null());
    world.clerk_words("b", &words).ok();
    world.wait("the delivery", 30, |w| w.pending("b") == 0);
    assert!(!world.path("b/data/restored").exists());

    // The same once more, and nobody comes.
    let backup = world.clerk("b", "--json ledger backup").ok().json();
    let kept = PathBuf::from(backup["path"].as_str().unwrap());
    for agency in ["a", "b"] {
        assert_eq!(world.stop(agency), 0);
    }
    std::fs::rename(kept, world.path("newer")).unwrap();
    std::fs::remove_dir_all(world.path("b/data")).unwrap();
    world.run("ledger restore newer --into b/data").ok();
    world.start("b");
    world.wait("it waits", 30, |w| status(w).is_string());
    world.clerk("b", "node alone").ok();
    world.wait("its operator answers for it", 10, |w| status(w).is_null());
    world.clerk_words("b", &words).ok();
    world.start("a");
    world.wait("the delivery", 30, |w| w.pending("b") == 0);
    assert!(world.list("a", "inbox").iter().any(part("x")));
    for agency in ["a", "b"] {
        world.export(agency, &format!("out-{agency}"));
    }
    world.run("audit out-a out-b --anchor root/ca.pem").ok();
}

#[test]
fn only_what_this_agency_has_sealed_proves_that_its_ledger_was_larger() {
    let mut world = World::new();
    world.add_agency("c", "p256");
    world.publish(2, &["a", "b", "c"]);
    world.start("a");
    world.start("b");
    world.write("n.txt", b"text");
    world.send("a", "b", "n.txt", "one", &["--wait", "30"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // What a peer is told of its own ledger; and what somebody else is told of his.
    let asked = |world: &World, who: &str| {
        runtime.block_on(async {
            let endpoint = client(world, Some(&format!("certs-{who}")), "root/ca.pem");
            let connection =
                endpoint.connect(address(world, "a"), "a.zj.gov.cn").unwrap().await.unwrap();
            let frame = chancery_protocol::encode_frame(&PeerMessage::AskSeen).unwrap();
            let answer = exchange(&connection, &frame).await.unwrap();
            let PeerMessage::Seen { sealed } =
                chancery_protocol::decode_frame(&answer[4..]).unwrap()
            else {
                panic!("another answer")
            };
            sealed
        })
    };
    let seen: SealedNote = asked(&world, "b").expect("it has seen b's");
    let seen = Checkpoint::read_unverified(&seen.note).unwrap();
    assert_eq!((seen.origin.as_str(), seen.size), ("b.zj.gov.cn/ledger", 1));
    assert_eq!(asked(&world, "c"), None);
}

/// A world in which `c` is reached through `r` only.
fn behind_a_relay() -> World {
    let world = World::new();
    for agency in ["r", "c"] {
        world.add_agency(agency, "p256");
    }
    let path = world.path("c/node.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("relay = \"r.zj.gov.cn\"\n{text}")).unwrap();
    std::fs::remove_file(world.path("c/agency.card")).unwrap();
    world.run("node card --config c/node.toml --out c/agency.card").ok();
    world
}

#[test]
fn a_recipient_whose_directory_is_old_puts_off_and_fetches_it() {
    let mut world = behind_a_relay();
    // In the directory of b there is neither c nor its relay.
    world.start("b");
    world.stop("b");
    world.publish(2, &["a", "b", "r", "c"]);
    std::fs::remove_file(world.path("b/directory.cose")).unwrap();
    for agency in ["r", "c"] {
        world.start(agency);
    }
    world.write("n.txt", b"text");
    let sent = world.send("c", "b", "n.txt", "by a relay that b does not know", &[]);
    world.wait("it is at the relay", 30, |w| w.pending("r") == 1);
    world.start("b");
    world.wait("the delivery", 90, |w| w.pending("c") == 0);
    let trace = world.clerk("c", &format!("--json trace {sent}")).ok().json();
    assert_eq!(trace["document"]["deliveries"][0]["state"], "delivered", "{trace:#}");
    let log = world.log("b");
    let put_off = log.contains("CHY-5001") && log.contains("by directory 1");
    assert!(put_off, "it was not put to the test: {log}");
}

#[test]
fn a_recipient_without_a_directory_knows_its_own_relay() {
    let mut world = behind_a_relay();
    world.publish(2, &["a", "r", "c"]);
    std::fs::remove_file(world.path("c/directory.cose")).unwrap();
    for agency in ["a", "r", "c"] {
        world.start(agency);
    }
    world.write("n.txt", b"text");
    world.send("a", "c", "n.txt", "first", &["--wait", "30"]);
    assert!(!world.log("c").contains("CHY-5001"), "{}", world.log("c"));
}
