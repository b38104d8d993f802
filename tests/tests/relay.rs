//! Agencies that are reached through their superior only, directories that spread by themselves, and nodes
//! that are cut off when they are revoked.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use chancery_tests::{World, noise};

/// Puts a setting of its own into an agency's node.toml, before the tables.
fn set(world: &World, agency: &str, line: &str) {
    let path = world.path(&format!("{agency}/node.toml"));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{line}\n{text}")).unwrap();
}

fn watchful(world: &World, agencies: &[&str]) {
    for agency in agencies {
        let path = world.path(&format!("{agency}/node.toml"));
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.replace("witness_seconds = 10", "witness_seconds = 1");
        std::fs::write(&path, text).unwrap();
    }
}

fn new_card(world: &World, agency: &str) {
    std::fs::remove_file(world.path(&format!("{agency}/agency.card"))).unwrap();
    world.run(&format!("node card --config {agency}/node.toml --out {agency}/agency.card")).ok();
}

/// `a` stands free; `c` is behind `r`, which nobody but `c` itself can bridge: `c` has no address that
/// works.
fn hierarchy() -> World {
    let world = World::new();
    for agency in ["r", "c"] {
        world.add_agency(agency, "p256");
    }
    set(&world, "c", "relay = \"r.zj.gov.cn\"\nadvertise = \"127.0.0.1:9\"");
    new_card(&world, "c");
    watchful(&world, &["a", "r", "c"]);
    world.publish(2, &["a", "r", "c"]);
    world
}

fn spread(world: &World) -> String {
    world.run("audit out-a out-r out-c --anchor root/ca.pem").ok().stdout
}

#[test]
fn a_relay_carries_both_ways_what_it_cannot_read() {
    let mut world = hierarchy();
    world.write("n.txt", b"for c only");
    let large = noise(700_000, 4);
    world.write("large.bin", &large);
    for agency in ["a", "r", "c"] {
        world.start(agency);
    }
    let small = world.send("a", "c", "n.txt", "small", &["--wait", "20"]);
    let big = world.send("a", "c", "large.bin", "large", &["--wait", "30"]);
    for (id, out) in [(&small, "got-small"), (&big, "got-large")] {
        world.clerk("c", &format!("open {id} --out {out}")).ok();
        world.run(&format!("verify {out} --anchor root/ca.pem")).ok();
    }
    assert_eq!(std::fs::read(world.path("got-large/parts/large.bin")).unwrap(), large);
    // Back the same way: the act of receiving reaches the sender.
    world.clerk("c", &format!("receive {small}")).ok();
    world.wait("签收", 20, |w| w.list("a", "inbox").len() == 1);

    // The relay has evidence and nothing else.
    assert_eq!(world.list("r", "inbox").len() + world.list("r", "outbox").len(), 0);
    let sent = &world.list("a", "outbox")[0];
    let envelope = sent["envelope"].as_str().unwrap();
    world.clerk("r", &format!("open {envelope} --out x")).refused(1, "CHY-4011");
    assert_eq!(std::fs::read_dir(world.path("r/data/content")).unwrap().count(), 0);
    let trace = world.clerk("a", &format!("--json trace {small}")).ok().json();
    let relayed = trace["steps"].as_array().unwrap().iter();
    let relayed: Vec<_> = relayed.filter(|s| s["event"] == "RelayAcceptance").collect();
    assert_eq!(relayed.len(), 1, "{trace}");
    assert_eq!(relayed[0]["agency"], "r.zj.gov.cn");
    // No way goes past it.
    assert!(!world.log("a").contains("peer=c.zj.gov.cn address"), "{}", world.log("a"));
    for agency in ["a", "r", "c"] {
        world.export(agency, &format!("out-{agency}"));
    }
    spread(&world);
    for agency in ["a", "r", "c"] {
        world.stop(agency);
        world.run(&format!("audit {agency}/data --anchor root/ca.pem")).ok();
    }
}

#[test]
fn what_a_relay_has_taken_survives_kills_and_waits_for_its_recipient() {
    let mut world = hierarchy();
    world.write("n.txt", &noise(9000, 1));
    world.write("large.bin", &noise(3_000_000, 2));
    world.start("a");
    world.start("r");
    let mut sent = Vec::new();
    for n in 0..4 {
        sent.push(world.send("a", "c", "n.txt", &format!("{n}"), &[]));
    }
    sent.push(world.send("a", "c", "large.bin", "large", &[]));
    world.wait("all is at the relay", 20, |w| w.pending("r") == 5);
    assert_eq!(world.pending("a"), 5, "the sender waits for the recipient's word");
    world.kill("r");
    world.kill("a");
    world.start("r");
    assert_eq!(world.pending("r"), 5);
    world.start("c");
    world.wait("c has all", 30, |w| w.list("c", "inbox").len() == 5);
    world.start("a");
    world.wait("a knows", 30, |w| w.pending("a") == 0);
    assert_eq!(world.pending("r"), 0);
    let outbox = world.list("a", "outbox");
    let delivered = |v: &serde_json::Value| v["deliveries"][0]["state"] == "delivered";
    assert!(outbox.iter().all(delivered), "{outbox:?}");
    // The relay being a recipient itself changes nothing for the other, nor the other for it.
    for to in [["r.zj.gov.cn", "c.zj.gov.cn"], ["c.zj.gov.cn", "r.zj.gov.cn"]] {
        let words = [
            "send",
            "large.bin",
            "--to",
            to[0],
            to[1],
            "--type",
            "通知",
            "--title",
            "both",
            "--wait",
            "30",
        ];
        world.clerk_words("a", &words).ok();
    }
    assert_eq!(world.list("r", "inbox").len(), 2);
    assert_eq!(world.list("c", "inbox").len(), 7);
    for agency in ["a", "r", "c"] {
        world.export(agency, &format!("out-{agency}"));
    }
    spread(&world);
    for agency in ["a", "r", "c"] {
        world.stop(agency);
        world.run(&format!("audit {agency}/data --anchor root/ca.pem")).ok();
    }
}

#[test]
fn a_node_relays_for_those_below_it_only() {
    let mut world = hierarchy();
    // b tells its own node that r is its relay; the directory, which r goes by, does not say so.
    world.write("n.txt", b"text");
    set(&world, "b", "relay = \"r.zj.gov.cn\"");
    new_card(&world, "b");
    world.publish(3, &["a", "b", "r", "c"]);
    let other = world.path("directory-3.cose");
    for agency in ["a", "r", "c"] {
        std::fs::copy(
            world.path("directory-2.cose"),
            world.path(&format!("{agency}/directory.cose")),
        )
        .unwrap();
    }
    std::fs::copy(other, world.path("b/directory.cose")).unwrap();
    watchful(&world, &["b"]);
    let text = std::fs::read_to_string(world.path("r/node.toml")).unwrap();
    let slow = text.replace("witness_seconds = 1", "witness_seconds = 3600");
    std::fs::write(world.path("r/node.toml"), slow).unwrap();
    for agency in ["a", "r", "b"] {
        world.start(agency);
    }
    world.send("b", "a", "n.txt", "by a false way", &[]);
    world.wait("refusal", 20, |w| w.log("r").contains("CHY-5008"));
    assert_eq!(world.pending("b"), 1, "a newer directory may still come");
    assert_eq!(world.list("a", "inbox").len(), 0);
}

#[test]
fn a_newer_directory_spreads_and_what_it_revokes_is_cut_off() {
    let mut world = World::new();
    watchful(&world, &["a", "b"]);
    world.write("n.txt", b"text");
    world.start("a");
    world.start("b");
    world.send("b", "a", "n.txt", "before", &["--wait", "20"]);
    let version = |w: &World, agency: &str| {
        w.clerk(agency, "--json node status").ok().json()["directory_version"].as_u64()
    };

    // Given to one node, it reaches the other by itself.
    world.run("ca crl --ca root --out root-1.crl").ok();
    world.run("ca crl --ca zj --out zj-1.crl").ok();
    let publish = |w: &World, n: u64, crl: &str| {
        w.run(&format!(
            "directory publish --key registry/seal.key --cert registry/seal.pem --version-number {n} \
             --out dir-{n}.cose --anchor root/ca.pem --crl root-1.crl --crl {crl} a/agency.card \
             b/agency.card"
        ))
        .ok();
        w.clerk("a", &format!("directory install dir-{n}.cose")).ok();
    };
    publish(&world, 2, "zj-1.crl");
    world.wait("the directory spreads", 20, |w| version(w, "b") == Some(2));
    world.send("b", "a", "n.txt", "still", &["--wait", "20"]);

    // b's node certificate is revoked: its connection ends, and there is no other.
    world.run("ca revoke --ca zj --reason key-compromise certs-b/node.pem").ok();
    world.run("ca crl --ca zj --out zj-2.crl").ok();
    publish(&world, 3, "zj-2.crl");
    world.wait("b is cut off", 20, |w| w.log("a").contains("peer not accepted any more"));
    world.send("b", "a", "n.txt", "after", &[]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(world.pending("b"), 1);
    assert_eq!(world.list("a", "inbox").len(), 2);
    let status = world.clerk("a", "--json node status").ok().json();
    assert_eq!(status["connected"].as_array().unwrap().len(), 0, "{status}");

    // A new certificate, and it goes on; the document was not lost.
    world
        .run(
            "ca issue --ca zj --profile node --name b.zj.gov.cn --display b --out renewed-b \
         --algorithm ed25519 --no-passphrase",
        )
        .ok();
    world.stop("b");
    for file in ["node.pem", "node.key"] {
        std::fs::copy(world.path(&format!("renewed-b/{file}")), world.path(&format!("b/{file}")))
            .unwrap();
    }
    world.start("b");
    world.wait("it arrives", 30, |w| w.pending("b") == 0);

    // An officer whose certificate is revoked cannot send.
    world.run("ca revoke --ca zj --reason key-compromise certs-a/clerk.pem").ok();
    world.run("ca crl --ca zj --out zj-3.crl").ok();
    publish(&world, 4, "zj-3.crl");
    let words = ["send", "n.txt", "--to", "b.zj.gov.cn", "--type", "通知", "--title", "x"];
    world.clerk_words("a", &words).refused(2, "CHY-4010");
}
