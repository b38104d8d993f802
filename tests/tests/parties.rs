//! Enterprises and citizens file at an agency's node, over HTTPS and with their own certificates, and keep what shows it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::{net::SocketAddr, path::Path};

use chancery_tests::{Answer, World, copy_dir, free_address};

const FIRM: &str = "91350100m000100y43@party.zj.gov.cn";
const MOTHER: &str = "p-1111111111111111@party.zj.gov.cn";
const CHILD: &str = "p-2222222222222222@party.zj.gov.cn";
const OTHER: &str = "p-3333333333333333@party.zj.gov.cn";

/// A node at which parties file for licences.
struct Window {
    world: World,
    at: SocketAddr,
}

fn local(name: &str) -> &str {
    name.split('@').next().unwrap()
}

impl Window {
    fn new() -> Self {
        let mut world = World::new();
        let at = free_address();
        world.set("a", "api.listen", &at.to_string());
        world.set("a", "api.officer_certificates", "true");
        world.set("a", "access.appointer", "clerk@a.zj.gov.cn");
        for party in [FIRM, MOTHER, CHILD, OTHER] {
            world.issue("party", party, "parties", "p256");
        }
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../apps/modules/licence");
        copy_dir(&own, &world.path("licence"));
        world.start("a");
        for role in ["appointer", "module-keeper", "party-registrar", "counter"] {
            world.clerk("a", &format!("module appoint clerk@a.zj.gov.cn --role {role}")).ok();
        }
        world.clerk("a", "module install licence").ok();
        world.clerk("a", "module appoint clerk@a.zj.gov.cn --role officer --of licence").ok();
        Self { world, at }
    }

    /// A command of a party, at the agency's node.
    fn by(&self, party: &str, line: &str) -> Answer {
        let (name, at) = (local(party), self.at);
        self.world.run(&format!(
            "{line} --node a.zj.gov.cn --connect {at} --anchor root/ca.pem --key parties/{name}.key \
             --cert parties/{name}.pem"
        ))
    }

    fn listed(&self, party: &str) -> usize {
        self.by(party, "--json app list licence").ok().json().as_array().unwrap().len()
    }
}

fn id(answer: &Answer) -> String {
    answer.json()["matter"].as_str().unwrap().to_owned()
}

#[test]
fn parties_file_at_an_agencys_node_and_keep_receipts_that_hold_offline() {
    let mut window = Window::new();
    let filed = window
        .by(FIRM, "--json app do licence apply --set what=食品经营许可 --receipt firm.receipt")
        .ok();
    let own = id(&filed);
    assert_eq!(filed.json()["state"], "applied");
    assert_eq!(filed.json()["receipt"]["one_copy"], true);
    // Nobody else's is there for him, by no door.
    assert_eq!((window.listed(FIRM), window.listed(OTHER)), (1, 0));
    window.by(FIRM, &format!("app show {own}")).ok();
    window.by(OTHER, &format!("app show {own}")).refused(1, "CHY-4011");
    window
        .by(OTHER, &format!("app do licence supplement --on {own} --set remark=x"))
        .refused(1, "CHY-4011");
    // What officers do is refused to parties, and what is wrong in a form too.
    window.by(FIRM, &format!("app do licence grant --on {own}")).refused(4, "CHY-7103");
    window.by(FIRM, "app do licence apply").refused(4, "CHY-7105");
    // A mother acts for her child once an officer has recorded her, and not before.
    let apply =
        format!("--json app do licence apply --set what=演出许可 --for {CHILD} --as guardian");
    window.by(MOTHER, &apply["--json ".len()..]).refused(4, "CHY-7103");
    let record = format!("party guardian {MOTHER} --of {CHILD} --basis 民法典27");
    window.by(MOTHER, &record).refused(4, "CHY-7103");
    window.world.clerk("a", &record).ok();
    let childs = id(&window.by(MOTHER, &format!("{apply} --receipt child.receipt")).ok());
    window.by(OTHER, &apply["--json ".len()..]).refused(4, "CHY-7103");
    for (party, sees) in [(MOTHER, 1), (CHILD, 1), (OTHER, 0), (FIRM, 1)] {
        assert_eq!(window.listed(party), sees, "{party}");
    }
    let shown = window.by(CHILD, &format!("--json app show {childs}")).ok().json();
    assert_eq!(shown["done"][0]["by"][0], CHILD);
    assert_eq!(shown["done"][0]["hand"], MOTHER);
    // At the counter an officer files for whoever stands there, and says so.
    let helped = window
        .world
        .clerk(
            "a",
            &format!("--json app do licence apply --set what=养犬登记 --for {OTHER} --as assisted"),
        )
        .ok();
    let shown = window.by(OTHER, &format!("--json app show {}", id(&helped))).ok().json();
    assert_eq!(
        (&shown["done"][0]["hand"], &shown["done"][0]["how"]),
        (&"clerk@a.zj.gov.cn".into(), &"assisted".into())
    );
    window.world.clerk("a", &format!("app do licence grant --on {own}")).ok();
    assert_eq!(window.by(FIRM, &format!("--json app show {own}")).ok().json()["state"], "granted");
    // The receipt needs no node.
    window.world.stop("a");
    for receipt in ["firm.receipt", "child.receipt"] {
        let verdict =
            window.world.run(&format!("--json verify {receipt} --anchor root/ca.pem")).ok();
        let verdict = verdict.json();
        assert_eq!(verdict["indication"], "TOTAL-PASSED", "{verdict}");
        assert_eq!(verdict["documents"][0]["receipt"]["agency"], "a.zj.gov.cn");
    }
    let said = window.world.run("verify firm.receipt --anchor root/ca.pem").ok();
    assert!(said.stdout.contains("one copy") || said.stdout.contains("仅有一份"), "{said:?}");
    // With one byte changed it shows nothing.
    let mut bytes = std::fs::read(window.world.path("firm.receipt")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    window.world.write("bad.receipt", &bytes);
    let verdict = window.world.run("verify bad.receipt --anchor root/ca.pem");
    assert_ne!(verdict.code, 0, "{verdict:?}");
    // Whoever has an export decides it again, for whom and by whose hand.
    window.world.start("a");
    window.world.clerk("a", "module export --out decisions").ok();
    let replayed =
        window.world.run("--json module replay decisions --anchor root/ca.pem").ok().json();
    assert_eq!(replayed["wrong"], serde_json::Value::Null, "{replayed}");
    assert!(replayed["replayed"].as_u64() > Some(4), "{replayed}");
}

#[test]
fn a_power_of_attorney_is_given_and_taken_back_over_the_same_door() {
    let window = Window::new();
    let apply = format!("--json app do licence apply --set what=x --for {FIRM} --as agent");
    window.by(OTHER, &apply["--json ".len()..]).refused(4, "CHY-7103");
    let given = window
        .by(
            FIRM,
            &format!(
                "--json party empower {OTHER} --scope licence/application/apply --until 2099-12-31"
            ),
        )
        .ok();
    let power = given.json()["mandate"].as_str().unwrap().to_owned();
    let matter = id(&window.by(OTHER, &apply).ok());
    window.by(FIRM, &format!("app show {matter}")).ok();
    window
        .by(OTHER, &format!("app do licence withdraw --on {matter} --for {FIRM} --as agent"))
        .refused(4, "CHY-7103");
    window.by(FIRM, &format!("party revoke {power} --of {OTHER}")).ok();
    window.by(OTHER, &apply["--json ".len()..]).refused(4, "CHY-7103");
    window.by(OTHER, &format!("app show {matter}")).refused(1, "CHY-4011");
}

#[test]
fn a_party_is_no_officer_and_sends_no_letters() {
    let window = Window::new();
    // The profile holds what it says: the check digit, and no identity number.
    let line = "ca issue --ca zj --profile party --display x --out bad --no-passphrase --name";
    for name in ["91350100m000100y44@party.zj.gov.cn", "11010519491231002x@party.zj.gov.cn"] {
        window.world.run(&format!("{line} {name}")).refused(2, "CHY-2001");
    }
    // Outside of the issuer's constraints no party is certified either.
    let outside = window.world.run(&format!("{line} 91350100m000100y43@party.sd.gov.cn"));
    assert_ne!(outside.code, 0, "{outside:?}");
    let shown = window.world.run("--json cert show parties/91350100m000100y43.pem").ok();
    assert!(shown.stdout.contains(FIRM), "{shown:?}");
    // By its key nothing is sent, and nothing of the node is seen.
    window.world.write("n.txt", b"text");
    let key = "--key parties/91350100m000100y43.key --cert parties/91350100m000100y43.pem";
    let sent = window
        .world
        .clerk("a", &format!("send n.txt --to b.zj.gov.cn --type 通知 --title x {key}"));
    assert_ne!(sent.code, 0, "{sent:?}");
}
