//! A CA, or nobody, who makes revocation lists for certificates of others.

use std::time::Duration;

use chancery_certs::{
    Credential, Issuer, RevocationReason, Revoked, decode_crls, decode_pem_chain, encode_crl,
};
use chancery_crypto::{SignatureAt, SigningKey, UnsignedElement};
use chancery_desk::asking::{LocalReply, LocalRequest};
use chancery_doors::LocalClient;
use chancery_ledger::unix_now;
use chancery_protocol::SignedDocument;
use chancery_tests::{
    World,
    forge::{self, Forger},
};

/// A CA of the world, with its key in hand.
pub(crate) fn ca(world: &World, dir: &str) -> Issuer {
    let read = |name: &str| std::fs::read(world.path(name)).unwrap();
    let key = String::from_utf8(read(&format!("{dir}/ca.key"))).unwrap();
    let mut chain = decode_pem_chain(&read(&format!("{dir}/ca.pem"))).unwrap();
    if !chain.last().unwrap().is_self_issued() {
        chain.extend(decode_pem_chain(&read("root/ca.pem")).unwrap());
    }
    Issuer::new(SigningKey::from_pem(&key, None).unwrap(), chain).unwrap()
}

/// A signer of the world.
pub(crate) fn signer(world: &World, name: &str) -> Credential {
    let read = |ending: &str| std::fs::read(world.path(&format!("{name}.{ending}"))).unwrap();
    let key = String::from_utf8(read("key")).unwrap();
    let chain = decode_pem_chain(&read("pem")).unwrap();
    Credential::new(SigningKey::from_pem(&key, None).unwrap(), chain).unwrap()
}

/// Signs a file as a document to `b`, in a folder.
pub(crate) fn sign(world: &World, who: &str, out: &str) {
    world.write("text.txt", b"text");
    world
        .run(&format!(
            "doc sign text.txt --to b.zj.gov.cn --type 通知 --title t --out {out} --key {who}.key --cert {who}.pem"
        ))
        .ok();
}

/// The verdict on a document: exit code, indication, sub-indication.
pub(crate) fn verdict(world: &World, line: &str) -> (i32, String, String) {
    let answer = world.run(&format!("--json verify {line}"));
    let json = answer.json();
    let text = |name: &str| json["documents"][0][name].as_str().unwrap_or_default().to_owned();
    (answer.code, text("indication"), text("sub_indication"))
}

pub(crate) fn passed() -> (i32, String, String) {
    (0, "TOTAL-PASSED".into(), String::new())
}

pub(crate) fn open(why: &str) -> (i32, String, String) {
    (5, "INDETERMINATE".into(), why.into())
}

/// Hangs something unsigned on the first signature of a document in a folder.
pub(crate) fn hang(world: &World, folder: &str, element: &UnsignedElement) {
    let path = world.path(&format!("{folder}/document.cose"));
    let document = SignedDocument::decode(&std::fs::read(&path).unwrap()).unwrap();
    let document = document.add_unsigned(SignatureAt::Signature(0), element).unwrap();
    std::fs::write(path, document.bytes()).unwrap();
}

/// The newest list of a CA, as a file of its name.
fn list(world: &World, ca: &str) {
    drop(std::fs::remove_file(world.path(&format!("{ca}.crl"))));
    world.run(&format!("ca crl --ca {ca} --out {ca}.crl")).ok();
}

/// Gives a document to a node, as it is.
fn submit(world: &World, agency: &str, folder: &str) -> LocalReply {
    let document = std::fs::read(world.path(&format!("{folder}/document.cose"))).unwrap();
    let mut client = LocalClient::connect(&world.path(&format!("{agency}/node.sock"))).unwrap();
    match client.ask(&LocalRequest::Submit { document }).unwrap() {
        LocalReply::Ready => {}
        other => return other,
    }
    client.send_raw(b"text").unwrap();
    client.reply().unwrap()
}

#[track_caller]
fn refused(reply: &LocalReply) {
    match reply {
        LocalReply::Failed { message, .. } => assert!(message.contains("revoked"), "{reply:?}"),
        other => panic!("it was taken: {other:?}"),
    }
}

#[test]
fn a_namesake_of_a_ca_neither_frees_nor_condemns_whom_that_ca_certified() {
    let world = World::new();
    let issue = |what: &str| drop(world.run(&format!("ca issue {what} --no-passphrase")).ok());
    issue(
        "--ca root --profile intermediate --display Jiangsu --permit js.gov.cn --path-len 0 --out js",
    );
    issue("--ca js --profile officer --name li@d.js.gov.cn --display li --out certs-d");
    issue("--ca js --profile seal --name d.js.gov.cn --display d --out certs-d");
    issue(
        "--ca root --profile intermediate --display Rival --permit rival.gov.cn --path-len 1 --out rival",
    );
    // Nothing constrains what a CA below calls itself: it bears the very name of the other province's.
    issue(
        "--ca rival --profile intermediate --display Jiangsu --permit rival.gov.cn --path-len 0 --out twin",
    );
    sign(&world, "certs-d/li", "revoked");
    sign(&world, "certs-d/seal", "innocent");
    world.run("ca revoke --ca js --reason key-compromise certs-d/li.pem").ok();
    list(&world, "root");
    list(&world, "js");
    let (twin, now) = (ca(&world, "twin"), unix_now() + 200);
    let frees = twin.crl(&[], 99, now, now + 86_400).unwrap();
    let seal = signer(&world, "certs-d/seal").chain()[0].serial().to_owned();
    let entry = Revoked { serial: seal, time: now - 900, reason: RevocationReason::KeyCompromise };
    let condemns = twin.crl(&[entry], 99, now, now + 86_400).unwrap();
    world.write("frees.crl", encode_crl(&frees).as_bytes());
    world.write("condemns.crl", encode_crl(&condemns).as_bytes());

    let anchor = "--anchor root/ca.pem --crl root.crl --crl js.crl";
    let with = "--intermediate twin/ca.pem --intermediate rival/ca.pem";
    assert_eq!(verdict(&world, &format!("revoked {anchor}")), open("REVOKED_NO_POE"));
    assert_eq!(verdict(&world, &format!("innocent {anchor}")), passed());
    // Brought along by the auditor …
    let freed = verdict(&world, &format!("revoked {anchor} --crl frees.crl {with}"));
    assert_eq!(freed, open("REVOKED_NO_POE"));
    let condemned = verdict(&world, &format!("innocent {anchor} --crl condemns.crl {with}"));
    assert_eq!(condemned, passed());
    // … or hung on the document.
    for (folder, crl) in [("revoked", frees), ("innocent", condemns)] {
        let chain = twin.chain().take(2).map(|c| c.der().to_vec()).collect();
        let rival = ca(&world, "rival").certificate().der().to_vec();
        hang(&world, folder, &UnsignedElement::Certificates(chain));
        hang(&world, folder, &UnsignedElement::Certificates(vec![rival]));
        hang(&world, folder, &UnsignedElement::Crls(vec![crl]));
    }
    assert_eq!(verdict(&world, &format!("revoked {anchor}")), open("REVOKED_NO_POE"));
    assert_eq!(verdict(&world, &format!("innocent {anchor}")), passed());
}

#[test]
fn what_anybody_can_hang_on_a_document_adds_no_doubt_and_taken_away_helps_nobody() {
    let world = World::new();
    world.run("ca init --dir evil --display Root --no-passphrase").ok();
    let issue =
        "ca issue --ca evil --profile officer --name clerk@a.zj.gov.cn --display x --out evil-a";
    world.run(&format!("{issue} --no-passphrase")).ok();
    sign(&world, "certs-a/clerk", "plain");
    chancery_tests::copy_dir(&world.path("plain"), &world.path("hung"));
    let forged = ca(&world, "evil").crl(&[], 9, unix_now(), unix_now() + 86_400).unwrap();
    hang(&world, "hung", &UnsignedElement::Crls(vec![b"junk".to_vec(), forged]));
    hang(&world, "hung", &UnsignedElement::Cades(b"junk".to_vec()));
    hang(&world, "hung", &UnsignedElement::SignatureTimeStamp(vec![b"junk".to_vec()]));
    world
        .run("doc countersign hung --signature 1 --key evil-a/clerk.key --cert evil-a/clerk.pem")
        .ok();
    let both = |line: &str, want: (i32, String, String)| {
        for folder in ["plain", "hung"] {
            assert_eq!(
                verdict(&world, &format!("{folder} --anchor root/ca.pem {line}")),
                want,
                "{folder} {line}"
            );
        }
    };
    list(&world, "root");
    list(&world, "zj");
    let lists = "--crl root.crl --crl zj.crl";
    both("", passed());
    both(lists, passed());
    // What does not hold is said, and counts where it is asked for.
    let said = world.run("verify hung --anchor root/ca.pem").ok().stdout;
    assert!(said.contains("CAdES"), "{said}");
    let asked = verdict(&world, "hung --anchor root/ca.pem --require-countersignatures");
    assert_eq!(asked, open("NO_CERTIFICATE_CHAIN_FOUND"));
    // Whether revocation is looked at is the verifier's word: a list that names the signer does not decide it by
    // being there or not.
    world.run("ca revoke --ca zj --reason key-compromise certs-a/clerk.pem").ok();
    list(&world, "zj");
    let names = decode_crls(&std::fs::read(world.path("zj.crl")).unwrap()).unwrap();
    hang(&world, "hung", &UnsignedElement::Crls(vec![names[0].der().to_vec()]));
    both("", passed());
    both(lists, open("REVOKED_NO_POE"));
    let said = world.run("verify hung --anchor root/ca.pem").ok().stdout;
    assert!(said.contains("a list that came along says"), "{said}");
}

#[test]
fn a_list_that_is_not_der_is_no_list_and_no_answer() {
    let world = World::new();
    list(&world, "root");
    list(&world, "zj");
    let zj = decode_crls(&std::fs::read(world.path("zj.crl")).unwrap()).unwrap();
    let der = zj[0].der();
    let head = usize::from(der[1] & 0x7f) + 2;
    let length = u32::try_from(der.len() - head).unwrap().to_be_bytes();
    let bent = [
        ("long.crl", [&[0x30, 0x84], &length[..], &der[head..]].concat()),
        ("endless.crl", [&[0x30, 0x80], &der[head..], &[0, 0]].concat()),
        ("more.crl", [der, b"x"].concat()),
        ("junk.crl", b"junk".to_vec()),
    ];
    let line = "cert verify --anchor root/ca.pem --intermediate zj/ca.pem --crl root.crl";
    world.run(&format!("{line} --crl zj.crl certs-a/seal.pem")).ok();
    sign(&world, "certs-a/clerk", "d");
    for (name, bytes) in bent {
        world.write(name, &bytes);
        world.run(&format!("{line} --crl {name} certs-a/seal.pem")).refused(2, "CHY-2020");
        let verify = format!("verify d --anchor root/ca.pem --crl root.crl --crl {name}");
        world.run(&verify).refused(2, "CHY-2020");
    }
}

#[test]
fn a_delta_revokes_whom_it_names_though_the_list_that_it_builds_on_is_not_at_hand() {
    let world = World::new();
    list(&world, "root");
    sign(&world, "certs-a/clerk", "doc");
    let zj = Forger::of(&world, "zj");
    let serial = hex::decode(signer(&world, "certs-a/clerk").chain()[0].serial()).unwrap();
    // Complete and empty, and older than the one that the delta builds on.
    world.write("zj.crl", &zj.list(&[]).sign(&zj.key));
    let delta = |serials: &[&[u8]]| {
        let mut list = zj.list(serials);
        list.extensions = vec![
            zj.key_identifier(),
            forge::extension("2.5.29.20", false, &forge::tlv(0x02, &[0x70])),
            forge::extension("2.5.29.27", true, &forge::tlv(0x02, &[0x60])),
        ];
        list.sign(&zj.key)
    };
    world.write("none.crl", &delta(&[]));
    world.write("delta.crl", &delta(&[&serial]));
    let by =
        |lists: &str| verdict(&world, &format!("doc --anchor root/ca.pem --crl root.crl {lists}"));
    assert_eq!(by("--crl zj.crl"), passed());
    assert_eq!(by("--crl zj.crl --crl none.crl"), passed());
    assert_eq!(by("--crl zj.crl --crl delta.crl"), open("REVOKED_NO_POE"));
    assert_eq!(by("--crl delta.crl"), open("REVOKED_NO_POE"));
    // It frees nobody, and says nothing of those whom it does not name.
    assert_eq!(by("--crl none.crl").0, 5);
    // One by another key does not count.
    let evil = Forger::new(
        SigningKey::generate(chancery_crypto::Algorithm::Es256).unwrap(),
        zj.chain.clone(),
    );
    world.write("delta.crl", &{
        let mut list = zj.list(&[&serial]);
        list.extensions.push(forge::extension("2.5.29.27", true, &forge::tlv(0x02, &[0x60])));
        list.algorithm = forge::algorithm(&evil.key);
        list.sign(&evil.key)
    });
    assert_eq!(by("--crl zj.crl --crl delta.crl"), passed());
}

#[test]
fn who_is_revoked_stays_so_beside_others_when_lists_run_out_and_when_they_are_forgotten() {
    let mut world = World::new();
    let issue = |what: &str| drop(world.run(&format!("ca issue {what} --no-passphrase")).ok());
    issue(
        "--ca root --profile intermediate --display Jiangsu --permit js.gov.cn --path-len 0 --out js",
    );
    issue("--ca js --profile officer --name li@d.js.gov.cn --display li --out certs-d");
    sign(&world, "certs-a/clerk", "alone");
    chancery_tests::copy_dir(&world.path("alone"), &world.path("beside"));
    // An officer of whom no list says anything stands beside it.
    world
        .run("doc countersign beside --signature 1 --key certs-d/li.key --cert certs-d/li.pem")
        .ok();
    list(&world, "root");
    let serial = signer(&world, "certs-a/clerk").chain()[0].serial().to_owned();
    let now = unix_now();
    let gone = Revoked { serial, time: now, reason: RevocationReason::KeyCompromise };
    let zj = ca(&world, "zj").crl(&[gone], 5, now, now + 4).unwrap();
    world.write("zj.crl", encode_crl(&zj).as_bytes());
    let publish = |version: u32, lists: &str| {
        let seal = "--key registry/seal.key --cert registry/seal.pem --anchor root/ca.pem";
        world
            .run(&format!(
                "directory publish {seal} --version-number {version} --out d{version}.cose {lists} \
                 a/agency.card b/agency.card"
            ))
            .ok();
    };
    publish(2, "--crl root.crl --crl zj.crl");
    publish(3, "");
    std::fs::copy(world.path("d2.cose"), world.path("a/directory.cose")).unwrap();
    world.start("a");
    refused(&submit(&world, "a", "alone"));
    refused(&submit(&world, "a", "beside"));
    // The list has run out.
    std::thread::sleep(Duration::from_millis(4500));
    refused(&submit(&world, "a", "alone"));
    refused(&submit(&world, "a", "beside"));
    let later = chancery_certs::rfc3339(unix_now() + 3 * 86_400);
    let stale = format!("alone --anchor root/ca.pem --crl root.crl --crl zj.crl --at {later}");
    assert_eq!(verdict(&world, &stale), open("REVOKED_NO_POE"));
    // The registrar forgets it, and the node starts again.
    world.clerk("a", "directory install d3.cose").ok();
    refused(&submit(&world, "a", "alone"));
    world.kill("a");
    world.start("a");
    refused(&submit(&world, "a", "beside"));
    // Who is in no list goes on working.
    world.start("b");
    world.send("b", "a", "text.txt", "one", &["--wait", "20"]);
}
