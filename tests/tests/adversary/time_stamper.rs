//! A CA below the root, or its holder, who makes time for others.

use chancery_certs::{
    Credential, Issuer, Profile, RevocationReason, Revoked, Subject, TimeStampAuthority,
    TimeStampRequest, encode_pem_chain,
};
use chancery_crypto::{Algorithm, SignatureAt, SigningKey, UnsignedElement};
use chancery_ledger::unix_now;
use chancery_protocol::SignedDocument;
use chancery_tests::{
    World, copy_dir,
    forge::{self, Forger},
};

use crate::list_maker::{ca, hang, open, passed, sign, verdict};

/// An authority `tsa.gov.cn` that a CA has certified, whatever it may certify, and its chain.
fn authority(world: &World, issuer: &Issuer, file: &str) -> TimeStampAuthority {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let name = "tsa.gov.cn".parse().unwrap();
    let subject = Subject::agency(Profile::Timestamp, name, "TSA");
    let subject = Subject { skip_checks: true, ..subject };
    let made = issuer.issue(&subject, &key.public_key(), unix_now()).unwrap();
    let chain: Vec<_> = std::iter::once(made).chain(issuer.chain().cloned()).collect();
    world.write(file, encode_pem_chain(&chain[..1]).as_bytes());
    TimeStampAuthority::new(Credential::new(key, chain).unwrap(), "1.2.3.4").unwrap()
}

/// Stamps the first signature of a document in a folder, as of some seconds ago.
fn stamp(world: &World, folder: &str, tsa: &TimeStampAuthority, ago: i64) {
    let bytes = std::fs::read(world.path(&format!("{folder}/document.cose"))).unwrap();
    let document = SignedDocument::decode(&bytes).unwrap();
    let value = document.cose().signature_value(SignatureAt::Signature(0)).unwrap();
    let request = TimeStampRequest::new(&value).unwrap();
    let answer = tsa.answer(request.der(), unix_now() - ago).unwrap();
    let token = request.accept(&answer.der).unwrap().der().to_vec();
    hang(world, folder, &UnsignedElement::SignatureTimeStamp(vec![token]));
}

#[test]
fn time_is_made_by_those_who_are_named_and_by_no_ca_below_the_root() {
    let world = World::new();
    world.run("ca init --dir time --display Time --no-passphrase").ok();
    sign(&world, "certs-a/clerk", "plain");
    for folder in ["below", "direct", "foreign"] {
        copy_dir(&world.path("plain"), &world.path(folder));
    }
    world.run("ca revoke --ca zj --reason key-compromise certs-a/clerk.pem").ok();
    for ca in ["root", "zj", "time"] {
        world.run(&format!("ca crl --ca {ca} --out {ca}.crl")).ok();
    }
    // Each says that the signature is from before the revocation, by a clock that is set back.
    stamp(&world, "below", &authority(&world, &ca(&world, "zj"), "below.pem"), 120);
    stamp(&world, "direct", &authority(&world, &ca(&world, "root"), "direct.pem"), 120);
    stamp(&world, "foreign", &authority(&world, &ca(&world, "time"), "foreign.pem"), 120);
    let lists = "--crl root.crl --crl zj.crl --crl time.crl";
    let by = |folder: &str, trust: &str| verdict(&world, &format!("{folder} {trust} {lists}"));
    let revoked = || open("REVOKED_NO_POE");
    assert_eq!(by("plain", "--anchor root/ca.pem"), revoked());
    assert_eq!(by("below", "--anchor root/ca.pem"), revoked());
    assert_eq!(by("direct", "--anchor root/ca.pem"), passed());
    assert_eq!(by("foreign", "--anchor root/ca.pem"), revoked());
    let said = world.run(&format!("verify below --anchor root/ca.pem {lists}")).stdout;
    assert!(said.contains("time-stamp") && said.contains("not accepted"), "{said}");
    assert_eq!(by("foreign", "--anchor root/ca.pem --tsa time/ca.pem"), passed());

    // By a trust file only those count that it names: by certificate, by name and CA, or by the registrar's
    // directory.
    let trust = |more: &str| {
        let text =
            format!("anchors = [\"root/ca.pem\"]\nregistrar = \"registry.zj.gov.cn\"\n{more}");
        world.write("trust.toml", text.as_bytes());
    };
    let file = "--trust trust.toml";
    trust("");
    for folder in ["below", "direct", "foreign"] {
        assert_eq!(by(folder, file), revoked(), "{folder}");
    }
    trust("[[time_stamping]]\ncertificate = \"direct.pem\"\n");
    assert_eq!(by("direct", file), passed());
    assert_eq!(by("foreign", file), revoked());
    trust("[[time_stamping]]\nname = \"tsa.gov.cn\"\nissuer = \"root/ca.pem\"\n");
    assert_eq!(by("direct", file), passed());
    assert_eq!(by("below", file), revoked());
    let publish = "directory publish --key registry/seal.key --cert registry/seal.pem --anchor root/ca.pem \
                   --version-number 2 --out named.cose --time-stamping direct.pem a/agency.card";
    world.run(publish).ok();
    trust("directory = \"named.cose\"\n");
    assert_eq!(by("direct", file), passed());
    assert_eq!(by("foreign", file), revoked());
    // The short form and the environment say the same.
    let env = [("CHANCERY_TRUST", "trust.toml")];
    assert_eq!(world.run_env(&format!("verify direct {lists}"), &env).code, 0);
    // What is not known in it is refused, and so is a directory of somebody else.
    trust("tsa = \"direct.pem\"\n");
    world.run("verify direct --trust trust.toml").refused(2, "CHY-4002");
    trust("directory = \"named.cose\"\n");
    let text = std::fs::read_to_string(world.path("trust.toml")).unwrap();
    world.write("trust.toml", text.replace("registry.zj", "other.zj").as_bytes());
    world.run("verify direct --trust trust.toml").refused(2, "CHY-4002");
    assert_eq!(world.run("verify direct").code, 2, "it is said who is believed");
}

#[test]
fn a_named_authority_of_time_is_believed_until_an_anchor_has_revoked_it() {
    let world = World::new();
    // A CA for time-stamping authorities below the root, which those that `ca issue` makes cannot be.
    let root = Forger::of(&world, "root");
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let id = forge::extension("2.5.29.14", false, &forge::tlv(4, b"time"));
    let extensions =
        [forge::key_usage(forge::CERTIFIES), root.key_identifier(), id, forge::authority(Some(0))];
    let made = root.certificate(&key.public_key(), &extensions).sign(&root.key);
    std::fs::create_dir(world.path("time")).unwrap();
    forge::write_key(&world.path("time/ca.key"), &key);
    world.write("time/ca.pem", forge::pem("CERTIFICATE", &made).as_bytes());
    let time = ca(&world, "time");
    world.write("time.crl", &time.crl(&[], 1, unix_now() - 9, unix_now() + 86_400).unwrap());
    sign(&world, "certs-a/clerk", "doc");
    stamp(&world, "doc", &authority(&world, &time, "tsa.pem"), 120);
    // The signature must rest on its time-stamp.
    world.run("ca revoke --ca zj --reason key-compromise certs-a/clerk.pem").ok();
    for ca in ["root", "zj"] {
        world.run(&format!("ca crl --ca {ca} --out {ca}.crl")).ok();
    }
    let trust = "anchors = [\"root/ca.pem\"]\n[[time_stamping]]\nname = \"tsa.gov.cn\"\nissuer = \"time/ca.pem\"\n";
    world.write("trust.toml", trust.as_bytes());
    let line = "doc --trust trust.toml --crl root.crl --crl zj.crl --crl time.crl";
    assert_eq!(verdict(&world, line), passed());
    let (serial, now) = (time.certificate().serial().to_owned(), unix_now());
    let gone = Revoked { serial, time: now, reason: RevocationReason::KeyCompromise };
    world.write("root.crl", &ca(&world, "root").crl(&[gone], 9, now, now + 86_400).unwrap());
    assert_eq!(verdict(&world, line), open("REVOKED_NO_POE"));
}

#[test]
fn an_audit_and_a_node_go_by_the_trust_file() {
    let mut world = World::new();
    world.write("trust.toml", b"anchors = [\"root/ca.pem\"]\nregistrar = \"registry.zj.gov.cn\"\n");
    let absolute = world.path("trust.toml");
    world.set("a", "files.trust", absolute.to_str().unwrap());
    world.write("text.txt", b"text");
    world.start("a");
    world.start("b");
    world.send("a", "b", "text.txt", "one", &["--wait", "20"]);
    world.export("a", "ledger-a");
    world.run("audit ledger-a --trust trust.toml").ok();
    world.run("cert verify --trust trust.toml --intermediate zj/ca.pem certs-a/seal.pem").ok();
    // A trust file of another registrar is not the node's.
    world.kill("a");
    world.write("trust.toml", b"anchors = [\"root/ca.pem\"]\nregistrar = \"other.zj.gov.cn\"\n");
    world.spawn("a");
    world.wait("it says why it does not start", 20, |w| w.log("a").contains("other.zj.gov.cn"));
}
