//! What has expired is not used: directories, keys, deliveries, certificates.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use chancery_tests::World;

/// Long enough for a time in whole seconds to be past.
const PAST: Duration = Duration::from_millis(2100);

fn publish(world: &World, version: u64, more: &str) {
    world
        .run(&format!(
            "directory publish --key registry/seal.key --cert registry/seal.pem --version-number \
             {version} --out directory-{version}.cose --anchor root/ca.pem {more}"
        ))
        .ok();
}

#[test]
fn an_expired_directory_stops_sending_until_a_newer_one_comes_and_an_older_one_is_refused() {
    let mut world = World::new();
    world.start("a");
    world.start("b");
    world.write("n.txt", b"text");
    world.send("a", "b", "n.txt", "First", &["--wait", "30"]);
    // It expires within the second, so it may come too late; then once more.
    let short = (2..12).find(|version| {
        publish(&world, *version, "--days 0 a/agency.card b/agency.card");
        world.clerk("a", &format!("directory install directory-{version}.cose")).code == 0
    });
    let short = format!("directory-{}.cose", short.expect("one of them is in time"));
    std::thread::sleep(PAST);
    let send = "send n.txt --to b.zj.gov.cn --type notice --title Second";
    world.clerk("a", send).refused(2, "CHY-4008");
    // The one before is still within its time, but it is older.
    world.clerk("a", "directory install directory-1.cose").refused(2, "CHY-4009");
    world.clerk("a", send).refused(2, "CHY-4008");
    // Nobody takes it in any more, and a reader is told.
    world.clerk("b", &format!("directory install {short}")).refused(2, "CHY-2013");
    let show = "directory show --registrar registry.zj.gov.cn --anchor root/ca.pem";
    world.run(&format!("{show} directory-1.cose")).ok();
    world.run(&format!("{show} {short}")).refused(2, "CHY-2013");
    // A restart does not bring the older one back either.
    world.stop("a");
    world.start("a");
    world.clerk("a", send).refused(2, "CHY-4008");
    publish(&world, 20, "a/agency.card b/agency.card");
    world.clerk("a", "directory install directory-20.cose").ok();
    world.clerk("a", &format!("{send} --wait 30")).ok();
}

#[test]
fn an_encryption_key_is_not_used_after_its_time_and_a_new_card_renews_it() {
    let mut world = World::new();
    world.clerk("b", "node card --config b/node.toml --key-days 0 --out short.card").ok();
    publish(&world, 2, "a/agency.card short.card");
    world.start("a");
    world.start("b");
    world.write("n.txt", b"text");
    std::thread::sleep(PAST);
    let send = "send n.txt --to b.zj.gov.cn --type notice --title Title";
    let install = world.clerk("a", "directory install directory-2.cose").ok();
    // A card whose key has run out counts for nothing when the directory comes in …
    assert!(install.stdout.contains("(1)"), "{install:?}");
    world.clerk("a", send).refused(2, "CHY-4008");
    // … and one whose key runs out later counts until then. (It runs out within the second, so
    // the directory may come too late for it; then once more.)
    let used = (3..13).any(|version| {
        world
            .clerk(
                "b",
                &format!("node card --config b/node.toml --key-days 0 --out {version}.card"),
            )
            .ok();
        publish(&world, version, &format!("a/agency.card {version}.card"));
        let install = world.clerk("a", &format!("directory install directory-{version}.cose"));
        install.ok().stdout.contains("(2)")
    });
    assert!(used, "the card was never within its time");
    std::thread::sleep(PAST);
    world.clerk("a", send).refused(2, "CHY-4010");
    world.clerk("b", "node card --config b/node.toml --out long.card").ok();
    publish(&world, 20, "a/agency.card long.card");
    world.clerk("a", "directory install directory-20.cose").ok();
    world.clerk("a", &format!("{send} --wait 30")).ok();
}

#[test]
fn a_delivery_that_cannot_be_made_in_time_is_recorded_as_failed() {
    let mut world = World::new();
    let config = world.path("a/node.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let short = text.replace("expiry_hours = 336", "expiry_hours = 0");
    assert_ne!(text, short);
    std::fs::write(&config, short).unwrap();
    world.start("a");
    world.write("n.txt", b"text");
    // Nobody listens at b.
    let id = world.send("a", "b", "n.txt", "Late", &[]);
    world.wait("the expiry", 60, |w| w.pending("a") == 0);
    assert_eq!(world.list("a", "outbox")[0]["deliveries"][0]["state"], "expired");
    let trace = world.clerk("a", &format!("--json trace {id}")).ok().json();
    let steps = trace["steps"].as_array().unwrap();
    assert!(steps.iter().any(|s| s["event"] == "RelayFailure"), "{steps:#?}");
    // It stays so, also after a restart and with b there.
    world.stop("a");
    world.start("b");
    world.start("a");
    assert_eq!(world.pending("a"), 0);
    assert!(world.list("b", "inbox").is_empty());
    world.export("a", "ledger-a");
    world.run("audit ledger-a --anchor root/ca.pem").ok();
}

#[test]
fn a_signature_by_a_certificate_out_of_its_time_is_not_accepted() {
    let world = World::new();
    world.write("n.txt", b"text");
    // Two years and a day from now the officer's certificate is over, the CA's are not.
    world
        .run(
            "doc sign n.txt --to b.zj.gov.cn --type notice --title T --key certs-a/clerk.key \
             --cert certs-a/clerk.pem --out signed",
        )
        .ok();
    world.run("verify signed --anchor root/ca.pem").ok();
    let later = chancery_certs::rfc3339(chancery_ledger::unix_now() + (2 * 365 + 1) * 86_400);
    let answer = world.run(&format!("--json verify signed --anchor root/ca.pem --at {later}"));
    assert_eq!(answer.code, 5, "{answer:?}");
    assert_eq!(answer.json()["documents"][0]["sub_indication"], "OUT_OF_BOUNDS_NO_POE");
    let certificate = "cert verify --purpose sign --anchor root/ca.pem certs-a/clerk.pem";
    world.run(certificate).ok();
    let answer = world.run(&format!("{certificate} --at {later}"));
    assert_eq!(answer.code, 1, "{answer:?}");
}

#[test]
fn a_withdrawal_that_cannot_be_answered_when_it_comes_is_answered_later() {
    let mut world = World::new();
    world.start("a");
    world.start("b");
    world.write("n.txt", b"text");
    let id = world.send("a", "b", "n.txt", "Withdrawn", &["--wait", "30"]);
    // b knows a, and no key of a's that could still be used.
    let used = (2..12).any(|version| {
        let card = "node card --config a/node.toml --key-days 0";
        world.clerk("a", &format!("{card} --out {version}.card")).ok();
        publish(&world, version, &format!("{version}.card b/agency.card"));
        let install = world.clerk("b", &format!("directory install directory-{version}.cose"));
        install.ok().stdout.contains("(2)")
    });
    assert!(used, "the card was never within its time");
    std::thread::sleep(PAST);
    world.clerk_words("a", &["withdraw", &id, "--reason", "wrong number"]).ok();
    world.wait("it takes effect", 20, |w| w.list("b", "inbox").iter().any(|v| v["act"] == "撤回"));
    world.wait("b says so", 20, |w| w.log("b").contains("cannot be answered yet"));
    assert!(world.list("b", "outbox").is_empty(), "nothing can go to a");
    // What is due outlives the node that owes it.
    world.kill("b");
    world.start("b");
    world.clerk("a", "node card --config a/node.toml --out long.card").ok();
    publish(&world, 20, "long.card b/agency.card");
    world.clerk("b", "directory install directory-20.cose").ok();
    world.wait("the answer", 30, |w| w.list("a", "inbox").len() == 1);
    assert!(world.log("b").contains("the sender of a withdrawal is answered"));
    // It is given once.
    std::thread::sleep(Duration::from_secs(11));
    assert_eq!(world.list("b", "outbox").len(), 1);
    assert_eq!(world.list("a", "inbox")[0]["kind"], "撤回答复");
}
