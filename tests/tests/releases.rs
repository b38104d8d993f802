//! Two releases read each other: what the one before wrote is kept in `tests/samples`, and its program is run beside
//! this one where there is one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use chancery_certs::{AgencyCard, Formats, Scrutiny, TrustStore, decode_pem_chain};
use chancery_crypto::{CHUNK_SIZE, Kem, KemPrivateKey, StreamOpener, cbor, unwrap_key};
use chancery_protocol::{
    ContentOpener, EnvelopeHeader, Evidence, ForkProof, Leaf, Opening, ProtocolError, Validation,
    commit_to_document, recipient_info,
};
use chancery_store::Table;
use chancery_tests::{World, noise, package};

/// All files in a folder and those in it.
fn files_below(folder: PathBuf) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// What a release wrote, in a folder `old`, and when: `--at TIME` for whoever verifies it.
fn recorded(world: &World, release: &str) -> String {
    let archive = package().join(format!("samples/{release}.tar.xz"));
    std::fs::create_dir(world.path("old")).unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-xJf").arg(&archive).arg("-C").arg(world.path("old"));
    assert!(tar.status().expect("tar and xz").success(), "{}", archive.display());
    let time = std::fs::read_to_string(world.path("old/time")).unwrap();
    format!("--anchor old/root/ca.pem --at {}", time.trim())
}

fn seconds(world: &World) -> i64 {
    let time = std::fs::read_to_string(world.path("old/time")).unwrap();
    let line = format!("-d {} +%s", time.trim());
    let answer = Command::new("date").args(line.split(' ')).output().unwrap();
    String::from_utf8(answer.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn what_the_release_before_wrote_is_read_verified_and_audited() {
    let world = World::new();
    let at = recorded(&world, "release-0");
    for document in ["document-one", "document-two", "document-three", "document-two.asice"] {
        let verdict = world.run(&format!("--json verify old/{document} {at}")).ok().json();
        assert_eq!(verdict["documents"][0]["indication"], "TOTAL-PASSED", "{verdict}");
    }
    world.run(&format!("ledger check-proof old/entry.evidence old/entry.cose {at}")).ok();
    let shown =
        format!("--json directory show old/directory.cose --registrar registry.zj.gov.cn {at}");
    let shown = world.run(&shown).ok().json();
    assert_eq!(shown["agencies"].as_array().unwrap().len(), 2);
    assert!(shown["previous"].is_null() && shown["digest"].is_string(), "{shown}");
    // Each with what the others hold against it.
    let report = world.run(&format!("--json audit old/ledger-a old/ledger-b {at}")).ok().json();
    for ledger in report["ledgers"].as_array().unwrap() {
        assert_eq!(ledger["indication"], "TOTAL-PASSED", "{ledger}");
        assert!(ledger["held_receipts"].as_u64().unwrap() > 0, "{ledger}");
    }
    // The proof that b was forked is read as one, and is a finding against b.
    let audit = world.run(&format!("audit old/ledger-a-fork {at}")).ok().stdout;
    assert!(audit.contains("the ledger of b.zj.gov.cn was forked"), "{audit}");
    let fork = files_below(world.path("old/ledger-a-fork/forks")).remove(0);
    let proof = ForkProof::decode(&std::fs::read(&fork).unwrap()).unwrap();
    assert_eq!(proof.encode().unwrap(), std::fs::read(&fork).unwrap());
    let verdict = world.run(&format!("--json verify {} {at}", fork.display()));
    assert_eq!(verdict.json()["documents"][0]["sub_indication"], "LEDGER_FORKED", "{verdict:?}");
    // One with another form is of a newer version, and not an error of this one's maker.
    let kind = b"chancery-fork-proof-1";
    let mut newer = std::fs::read(&fork).unwrap();
    let place = newer.windows(kind.len()).position(|bytes| bytes == kind).unwrap();
    newer[place + kind.len() - 1] = b'2';
    assert!(ForkProof::decode(&newer).is_err_and(|error| error.needs_newer()));
    // A folder of data, at rest.
    world.run(&format!("audit old/data-b {at}")).ok();
}

#[test]
fn envelopes_cards_and_receipts_of_the_release_before_are_read_to_the_last_byte() {
    let world = World::new();
    recorded(&world, "release-0");
    let read = |name: &str| std::fs::read(world.path(&format!("old/{name}"))).unwrap();
    let now = seconds(&world);
    let trust = TrustStore::new(decode_pem_chain(&read("root/ca.pem")).unwrap()).unwrap();
    let by = Scrutiny::without_lists(&trust, now);
    for agency in ["a", "b"] {
        let card = AgencyCard::open(&read(&format!("{agency}.card")), &by).unwrap();
        assert_eq!(card.formats().unwrap(), Formats::default(), "it is of the first release");
    }
    // The envelopes that b has taken, and what is in them.
    let seed = String::from_utf8(read("b.encryption.key")).unwrap();
    let key = KemPrivateKey::from_bytes(Kem::XWing, &hex::decode(seed.trim()).unwrap()).unwrap();
    let store = chancery_store::open_read_only(&world.path("old/data-b/store")).unwrap();
    let own = "b.zj.gov.cn".parse().unwrap();
    let mut titles = Vec::new();
    for (id, record) in store.scan(Table::Envelopes, &[], &[], usize::MAX).unwrap() {
        let sealed = cbor::field(&record, "sealed").unwrap();
        let sealed: serde_bytes::ByteBuf = cbor::decode(sealed).unwrap();
        let opened = EnvelopeHeader::open(&sealed, &by).unwrap();
        assert_eq!(opened.id.digest().as_bytes().as_slice(), id);
        assert!(opened.parts.is_empty());
        let header = &opened.header;
        assert_eq!(header.id().unwrap(), opened.id, "the same is written today");
        let Some(wrapped) = header.key_for(&own) else { continue };
        let info = recipient_info(&header.sender, &own);
        let content_key = unwrap_key(&key, wrapped, &info).unwrap();
        let Some(content) = store.get(Table::Content, &id).unwrap() else { continue };
        let (opener, mut reader) =
            (StreamOpener::new(&content_key, header.size).unwrap(), ContentOpener::default());
        for (n, chunk) in (0..).zip(content.chunks(CHUNK_SIZE)) {
            let mut chunk = chunk.to_vec();
            opener.open(n, &mut chunk).unwrap();
            reader
                .push(&chunk, |event| {
                    if let Opening::Document(document) = event {
                        titles.push(document.header().title.clone());
                    }
                    Ok::<(), ProtocolError>(())
                })
                .unwrap();
        }
        let (salt, document) = reader.finish().unwrap();
        assert_eq!(commit_to_document(&salt, &document.id()), header.commitment);
    }
    titles.sort();
    assert_eq!(titles.first().map(String::as_str), Some("The first"), "{titles:?}");
    assert!(titles.len() >= 4, "{titles:?}");
    // Evidence and entries are written as they were read.
    let mut events = std::collections::BTreeSet::new();
    let beside = ["document-one", "document-two", "document-three", "ledger-a/evidence"];
    let files = beside.iter().flat_map(|name| files_below(world.path(&format!("old/{name}"))));
    let evidence = files.filter(|file| {
        file.extension().is_some_and(|end| end == "evidence")
            || file.parent().is_some_and(|folder| folder.ends_with("evidence"))
    });
    for file in evidence {
        let bytes = std::fs::read(&file).unwrap();
        let evidence = Evidence::decode(&bytes).unwrap();
        assert_eq!(evidence.encode().unwrap(), bytes, "{}", file.display());
        evidence.verify(&Validation::new(&trust, now)).unwrap();
        assert_eq!(evidence.receipt.range().unwrap(), None);
        let leaf = Leaf::decode(&evidence.receipt.leaf).unwrap();
        assert_eq!(leaf.encode().unwrap(), evidence.receipt.leaf);
        assert!(leaf.event.is_known());
        events.insert(leaf.event.name().to_owned());
    }
    assert!(events.contains("ContentConsignment") && events.len() > 1, "{events:?}");
}

/// The program of the release before: CHANCERY_PREVIOUS names it; `scripts/previous.sh` builds it.
fn previous() -> Option<PathBuf> {
    let program = std::env::var_os("CHANCERY_PREVIOUS").map(PathBuf::from);
    if program.is_none() {
        eprintln!("skipped: CHANCERY_PREVIOUS does not name the program of the release before");
    }
    program
}

/// Puts an agency behind a relay.
fn behind(world: &World, program: &Path, agency: &str, relay: &str) {
    let path = world.path(&format!("{agency}/node.toml"));
    let text = std::fs::read_to_string(&path).unwrap();
    let line = format!("relay = \"{relay}.zj.gov.cn\"\nadvertise = \"127.0.0.1:9\"");
    std::fs::write(&path, format!("{line}\n{text}")).unwrap();
    std::fs::remove_file(world.path(&format!("{agency}/agency.card"))).unwrap();
    let line = format!("node card --config {agency}/node.toml --out {agency}/agency.card");
    world.run_by(program, &line).ok();
}

/// `a`, `s` and `d` run this release; `c`, `r` and `e` the one before. `r` relays for `d`, and `s` for `e`.
#[test]
#[ignore = "it needs the program of the release before: make soak"]
fn soak_two_releases_exchange_everything_and_audit_each_other() {
    let Some(old) = previous() else { return };
    let new = chancery_tests::binary();
    let mut world = World::new();
    for agency in ["c", "r", "e"] {
        world.use_program(agency, &old);
    }
    for agency in ["c", "r", "e", "s", "d"] {
        world.add_agency(agency, "p256");
    }
    behind(&world, &new, "d", "r");
    behind(&world, &old, "e", "s");
    let all = ["a", "c", "d", "e", "r", "s"];
    for agency in all {
        world.set(agency, "limits.witness_seconds", "1");
    }
    // The registrar runs this release, and says more than the one before knows.
    let cards: Vec<_> = all.iter().map(|agency| format!("{agency}/agency.card")).collect();
    let publish = format!(
        "directory publish --key registry/seal.key --cert registry/seal.pem --anchor root/ca.pem \
         --version-number 2 --previous directory-1.cose --out directory-2.cose {} \
         --witness a.zj.gov.cn=c.zj.gov.cn,r.zj.gov.cn,s.zj.gov.cn --independent c.zj.gov.cn",
        cards.join(" ")
    );
    world.run(&publish).ok();
    for agency in all {
        let to = world.path(&format!("{agency}/directory.cose"));
        std::fs::copy(world.path("directory-2.cose"), to).unwrap();
        world.start(agency);
    }
    world.write("n.txt", b"a few words");
    world.write("large.bin", &noise(3_000_000, 5));
    // Everybody to everybody, small and large, by whichever way.
    let mut sent = Vec::new();
    for from in ["a", "c", "d", "e"] {
        for to in ["a", "c", "d", "e"].into_iter().filter(|to| *to != from) {
            for file in ["n.txt", "large.bin"] {
                let title = format!("{file} {from} {to}");
                sent.push((to, world.send(from, to, file, &title, &["--wait", "60"])));
            }
        }
    }
    // Numbered copies: to those who read them, also through a relay that does not.
    let to = ["c.zj.gov.cn", "d.zj.gov.cn"];
    let words = [&["--json", "send", "n.txt", "--to"][..], &to, &["--type", "通知"]].concat();
    let words =
        [&words[..], &["--title", "numbered", "--copies-from", "7", "--wait", "60"]].concat();
    let numbered = world.clerk_words("a", &words).ok().json();
    assert!(numbered["copies"]["c.zj.gov.cn"].is_null(), "{numbered}");
    assert_eq!(numbered["copies"]["d.zj.gov.cn"], 8);
    assert_eq!(world.list("d", "inbox")[0]["copy"], 8);
    assert_eq!(world.list("c", "inbox")[0]["title"], "numbered");

    for (n, (to, id)) in sent.iter().enumerate() {
        world.clerk(to, &format!("open {id} --out got-{n}")).ok();
        for program in [&old, &new] {
            world.run_by(program, &format!("verify got-{n} --anchor root/ca.pem")).ok();
        }
    }
    // Acts, across releases and relays.
    for (to, id) in sent.iter().step_by(5) {
        world.clerk(to, &format!("receive {id}")).ok();
    }
    for (from, to) in [("a", "c"), ("c", "d"), ("d", "e"), ("e", "a")] {
        let id = world.send(from, to, "n.txt", "mistaken", &["--wait", "60"]);
        world.clerk(from, &format!("withdraw {id} --reason mistaken")).ok();
        world.wait("it is withdrawn", 60, |w| {
            let view = &w.list(to, "inbox");
            view.iter().any(|view| view["document"] == id.as_str() && view["act"] == "撤回")
        });
    }
    for agency in all {
        world.wait("all deliveries", 90, |w| w.pending(agency) == 0);
    }
    // Each is witnessed by the others, whatever they run.
    for agency in ["a", "c", "r", "s"] {
        world.wait("it is cosigned", 60, |w| w.log(agency).contains("the ledger was cosigned"));
    }
    // A directory of the release before is taken by all, too.
    let line = "directory add-agency --to directory-2.cose --out directory-3.cose --key \
                registry/seal.key --cert registry/seal.pem --anchor root/ca.pem";
    world.run_by(&old, line).ok();
    world.clerk("c", "directory install directory-3.cose").ok();
    for agency in all {
        world.wait("the directory spreads", 60, |w| {
            let status = w.clerk(agency, "--json node status");
            status.code == 0 && status.json()["directory_version"] == 3
        });
    }
    for agency in all {
        world.export(agency, &format!("out-{agency}"));
    }
    let folders: Vec<_> = all.iter().map(|agency| format!("out-{agency}")).collect();
    for program in [&new, &old] {
        let line = format!("audit {} --anchor root/ca.pem", folders.join(" "));
        world.run_by(program, &line).ok();
    }
    for agency in all {
        assert!(!world.log(agency).contains("panicked"), "{}", world.log(agency));
    }
    eprintln!(
        "{} documents between two releases, and {} ledgers by both",
        sent.len() + 5,
        all.len()
    );
}
