//! Somebody who speaks in the registrar's place, or with a key that was revoked.

use std::{net::SocketAddr, time::Duration};

use chancery_certs::{AgencyName, rfc3339};
use chancery_crypto::Digest;
use chancery_ledger::unix_now;
use chancery_protocol::{Checkpoint, ForkProof, SealedNote, SignedCheckpoint};
use chancery_tests::{World, free_address};
use ureq::{
    Agent,
    tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig},
};

use crate::list_maker::signer;

fn list(world: &World, ca: &str) {
    drop(std::fs::remove_file(world.path(&format!("{ca}.crl"))));
    world.run(&format!("ca crl --ca {ca} --out {ca}.crl")).ok();
}

fn publish(world: &World, by: &str, version: u32, lists: &str) -> String {
    let out = format!("directory-of-{by}-{version}.cose");
    world
        .run(&format!(
            "directory publish --key {by}/seal.key --cert {by}/seal.pem --anchor root/ca.pem \
             --version-number {version} --out {out} {lists} a/agency.card b/agency.card"
        ))
        .ok();
    out
}

#[test]
fn a_directory_of_a_revoked_registrar_is_refused_and_the_same_one_is_installed_once() {
    let mut world = World::new();
    world.start("a");
    world.clerk("a", "directory install directory-1.cose").ok();
    world.clerk("a", "directory install directory-1.cose").ok();
    let installed = || world.log("a").matches("directory in use").count();
    assert_eq!(installed(), 1, "{}", world.log("a"));
    // The registrar's seal is stolen, revoked, and replaced.
    let issue =
        "ca issue --ca zj --profile seal --name registry.zj.gov.cn --display r --out registry-2";
    world.run(&format!("{issue} --no-passphrase")).ok();
    list(&world, "root");
    list(&world, "zj");
    let old = "--crl root.crl --crl zj.crl";
    let early = publish(&world, "registry", 2, old);
    world.run("ca revoke --ca zj --reason key-compromise registry/seal.pem").ok();
    world.run("ca crl --ca zj --out new.crl").ok();
    let new = "--crl root.crl --crl new.crl";
    // One that names its own signer is none, even where nothing else is known.
    let own = publish(&world, "registry", 3, new);
    world.clerk("a", &format!("directory install {own}")).refused(2, "CHY-2010");
    let show = |file: &str| {
        world.run(&format!(
            "directory show --anchor root/ca.pem --registrar registry.zj.gov.cn {file}"
        ))
    };
    show(&own).refused(2, "CHY-2010");
    show(&early).ok();
    let right = publish(&world, "registry-2", 4, new);
    world.clerk("a", &format!("directory install {right}")).ok();
    // The thief's is newer, and brings lists from before.
    for lists in [old, ""] {
        let version = if lists.is_empty() { 9 } else { 8 };
        let stolen = publish(&world, "registry", version, lists);
        world.clerk("a", &format!("directory install {stolen}")).refused(2, "CHY-2010");
    }
    assert_eq!(world.clerk("a", "--json node status").ok().json()["directory_version"], 4);
}

#[test]
fn an_order_of_a_revoked_officer_is_not_carried_out() {
    let mut world = World::new();
    world.set("b", "purge.officers", "['clerk@b.zj.gov.cn']");
    world.write("text.txt", b"text");
    world.start("a");
    world.start("b");
    let id = world.send("a", "b", "text.txt", "one", &["--wait", "20"]);
    world.run("ca revoke --ca zj --reason key-compromise certs-b/clerk.pem").ok();
    list(&world, "root");
    list(&world, "zj");
    let directory = publish(&world, "registry", 2, "--crl root.crl --crl zj.crl");
    world.clerk("b", &format!("directory install {directory}")).ok();
    let refused = world.clerk_words("b", &["ledger", "purge", &id, "--reason", "law"]);
    refused.refused(2, "CHY-2010");
    assert_eq!(world.list("b", "inbox").len(), 1);
}

#[test]
fn a_fork_proof_made_with_a_revoked_seal_says_nothing_against_the_agency() {
    let world = World::new();
    let seal = signer(&world, "certs-a/seal");
    let agency: AgencyName = "a.zj.gov.cn".parse().unwrap();
    let sealed = |root: &[u8]| {
        let origin = "a.zj.gov.cn/ledger".to_owned();
        let checkpoint = Checkpoint { origin, size: 7, root: Digest::of(root) };
        let note = checkpoint.sign(&seal).unwrap();
        SignedCheckpoint { checkpoint, note }
    };
    let (first, second) = (sealed(b"one"), sealed(b"other"));
    let note = SealedNote::new(&first.note, seal.chain());
    let proof = ForkProof::of_one_size(agency, note, &second, seal.chain());
    world.write("x.fork", &proof.encode().unwrap());
    list(&world, "root");
    list(&world, "zj");
    let lists = "--crl root.crl --crl zj.crl";
    let verify =
        |lists: &str| world.run(&format!("verify x.fork --anchor root/ca.pem {lists}")).code;
    assert_eq!((verify(""), verify(lists)), (1, 1));
    world.run("ca revoke --ca zj --reason key-compromise certs-a/seal.pem").ok();
    list(&world, "zj");
    assert_eq!(verify(lists), 5);
    let later = rfc3339(unix_now() + 30 * 86_400);
    assert_eq!(
        verify(&format!("{lists} --at {later}")),
        5,
        "the list has run out, the theft has not"
    );
}

#[test]
fn a_key_statement_and_a_card_of_a_revoked_seal_are_not_used() {
    let world = World::new();
    let statement = "key statement --encryption-key b/encryption.key --key certs-b/seal.key --cert certs-b/seal.pem";
    let made = world.run(&format!("{statement} --out b.statement"));
    assert_eq!(made.code, 0, "{made:?}");
    world.write("text.txt", b"text");
    world.run("ca revoke --ca zj --reason key-compromise certs-b/seal.pem").ok();
    list(&world, "zj");
    let line = "encrypt --to b.statement --anchor root/ca.pem --out x.chyenc text.txt";
    world.run(&format!("{line} --crl zj.crl")).refused(2, "CHY-2010");
    world.run(line).ok();
    let publish = "directory publish --key registry/seal.key --cert registry/seal.pem --anchor root/ca.pem \
                   --version-number 5 --out d5.cose b/agency.card";
    world.run(&format!("{publish} --crl zj.crl")).refused(2, "CHY-2010");
}

fn certs(world: &World, file: &str) -> Vec<Certificate<'static>> {
    let pem = std::fs::read(world.path(file)).unwrap();
    let items = ureq::tls::parse_pem(&pem).map(Result::unwrap);
    items
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect()
}

#[derive(Debug)]
struct Loopback(SocketAddr);

impl ureq::unversioned::resolver::Resolver for Loopback {
    fn resolve(
        &self,
        _: &ureq::http::Uri,
        _: &ureq::config::Config,
        _: ureq::unversioned::transport::NextTimeout,
    ) -> Result<ureq::unversioned::resolver::ResolvedSocketAddrs, ureq::Error> {
        let mut found = self.empty();
        found.push(self.0);
        Ok(found)
    }
}

#[test]
fn a_revoked_officer_goes_on_over_no_connection_that_stands() {
    let mut world = World::new();
    let address = free_address();
    world.set("b", "api.listen", &address.to_string());
    world.set("b", "api.officer_certificates", "true");
    world.start("b");
    let key =
        PrivateKey::from_pem(&std::fs::read(world.path("certs-b/clerk.key")).unwrap()).unwrap();
    let chain = certs(&world, "certs-b/clerk.pem");
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&certs(&world, "root/ca.pem")))
        .client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    let config = Agent::config_builder().http_status_as_error(false).tls_config(tls.build());
    let agent = Agent::with_parts(
        config.build(),
        ureq::unversioned::transport::DefaultConnector::default(),
        Loopback(address),
    );
    let base = format!("https://b.zj.gov.cn:{}", address.port());
    let mut first = agent.get(format!("{base}/v1/inbox")).call().unwrap();
    assert_eq!(first.status(), 200);
    first.body_mut().read_to_string().unwrap();
    // A stream that tells of what happens, as long as the officer may be told.
    let stream = agent.get(format!("{base}/v1/events")).call().unwrap();
    assert_eq!(stream.status(), 200);
    let (ended, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut stream = stream;
        drop(stream.body_mut().read_to_string());
        let _ = ended.send(());
    });
    world.run("ca revoke --ca zj --reason key-compromise certs-b/clerk.pem").ok();
    list(&world, "root");
    list(&world, "zj");
    let directory = publish(&world, "registry", 2, "--crl root.crl --crl zj.crl");
    world.clerk("b", &format!("directory install {directory}")).ok();
    let again = agent.get(format!("{base}/v1/inbox")).call();
    assert!(again.as_ref().map_or(true, |answer| answer.status() == 401), "{again:?}");
    wait.recv_timeout(Duration::from_secs(20)).expect("the stream ends");
}
