//! One document to a thousand agencies.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use chancery_certs::{
    AgencyCard, Credential, Directory, EncryptionKeyStatement, Issuer, Profile, Subject,
    decode_pem_chain,
};
use chancery_crypto::{Algorithm, Kem, KemPrivateKey, SigningKey};
use chancery_ledger::unix_now;
use chancery_protocol::Urgency;
use chancery_tests::{Clerk, World, noise};

/// More than a thousand: with so many a directory does not fit a frame.
const AGENCIES: usize = 1200;

fn read_key(world: &World, file: &str) -> SigningKey {
    SigningKey::from_pem(&std::fs::read_to_string(world.path(file)).unwrap(), None).unwrap()
}

fn credential(world: &World, cert: &str, key: &str) -> Credential {
    let chain = decode_pem_chain(&std::fs::read(world.path(cert)).unwrap()).unwrap();
    Credential::new(read_key(world, key), chain).unwrap()
}

/// The card of an agency that nobody runs a node for.
fn card(issuer: &Issuer, name: &str, now: i64) -> Vec<u8> {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let subject = Subject::agency(Profile::Seal, name.parse().unwrap(), name);
    let certificate = issuer.issue(&subject, &key.public_key(), now).unwrap();
    let chain = std::iter::once(&certificate).chain(issuer.chain()).cloned().collect();
    let seal = Credential::new(key, chain).unwrap();
    let encryption = KemPrivateKey::generate(Kem::XWing);
    let statement = EncryptionKeyStatement {
        agency: name.parse().unwrap(),
        key: encryption.public_key(),
        not_before: now - 300,
        not_after: now + 86_400,
    };
    let card = AgencyCard {
        agency: name.parse().unwrap(),
        display: name.to_owned(),
        // The discard port: nobody answers.
        address: "127.0.0.1:9".into(),
        via: None,
        encryption_key: statement.seal(&seal, now).unwrap(),
    };
    card.seal(&seal, now).unwrap()
}

#[test]
fn one_document_to_a_thousand_agencies_is_encrypted_once_and_reaches_those_that_are_up() {
    let mut world = World::new();
    let now = unix_now();
    let chain = decode_pem_chain(&std::fs::read(world.path("zj/ca.pem")).unwrap()).unwrap();
    let issuer = Issuer::new(read_key(&world, "zj/ca.key"), chain).unwrap();
    let names: Vec<_> = (2..AGENCIES).map(|n| format!("n{n}.zj.gov.cn")).collect();
    let mut agencies: Vec<_> = names.iter().map(|name| card(&issuer, name, now).into()).collect();
    for agency in ["a", "b"] {
        agencies.push(std::fs::read(world.path(&format!("{agency}/agency.card"))).unwrap().into());
    }
    let registrar = credential(&world, "registry/seal.pem", "registry/seal.key");
    let directory = Directory {
        registrar: "registry.zj.gov.cn".parse().unwrap(),
        version: 2,
        issued: now,
        expires: now + 86_400,
        agencies,
        crls: Vec::new(),
    };
    let directory = directory.seal(&registrar, now).unwrap();
    assert!(directory.len() > 4 << 20, "{}", directory.len());
    world.write("directory-2.cose", &directory);
    for agency in ["a", "b"] {
        world.set(agency, "limits.witness_seconds", "1");
    }
    world.start("a");
    world.start("b");
    world.clerk("a", "directory install directory-2.cose").ok();
    let mut clerk = Clerk::new(world.dir.path(), "a");
    // It spreads from node to node, too.
    clerk.send(&["b.zj.gov.cn"], "meet", b"text", Urgency::Routine).unwrap();
    world.wait("the directory spreads", 30, |w| {
        w.clerk("b", "--json node status").ok().json()["directory_version"] == 2
    });

    // A content that is a file: it can be counted on the disk.
    let text = noise(2_000_000, 1);
    let mut to: Vec<_> = names.iter().map(String::as_str).collect();
    to.push("b.zj.gov.cn");
    let id = clerk.send(&to, "to all", &text, Urgency::Routine).unwrap().to_string();
    world.wait("b has it", 60, |w| {
        w.list("b", "inbox").iter().any(|v| v["document"] == id.as_str())
    });
    let contents = std::fs::read_dir(world.path("a/data/content")).unwrap().count();
    assert_eq!(contents, 1, "encrypted once, kept once");
    let outbox = &world.list("a", "outbox")[0];
    let deliveries = outbox["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), AGENCIES - 1);
    let delivered = |outbox: &serde_json::Value| {
        let deliveries = outbox["deliveries"].as_array().unwrap().clone();
        deliveries.into_iter().filter(|d| d["state"] == "delivered").count()
    };
    world.wait("b's receipt", 20, |w| delivered(&w.list("a", "outbox")[0]) == 1);
    world.clerk("b", &format!("open {id} --out got")).ok();
    assert!(std::fs::read(world.path("got/parts/text.txt")).unwrap() == text);
    world.run("verify got --anchor root/ca.pem").ok();
    // A thousand that do not answer harm nobody else.
    let other = clerk.send(&["b.zj.gov.cn"], "after", b"text", Urgency::Routine).unwrap();
    world.wait("b has the next", 30, |w| {
        w.list("b", "inbox").iter().any(|v| v["document"] == other.to_string())
    });
    let peak = world.peak_mib("a");
    assert!(peak < 400, "a took {peak} MiB");
    eprintln!("peak memory of the sender: {peak} MiB, directory: {} MiB", directory.len() >> 20);
    assert_eq!(world.stop("a"), 0, "it stops in time");
}
