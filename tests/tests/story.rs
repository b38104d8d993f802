//! The main job, end to end, with an assertion on each verdict.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use chancery_tests::{World, copy_dir, flip, noise};
use serde_json::Value;

const LARGE: usize = 200_000_000;

#[track_caller]
fn verdict(
    answer: &chancery_tests::Answer,
    exit: i32,
    indication: &str,
    sub: Option<&str>,
) -> Value {
    assert_eq!(answer.code, exit, "{answer:?}");
    let value = answer.json();
    assert_eq!(value["indication"], indication, "{value:#}");
    let items = value["documents"].as_array().or_else(|| value["ledgers"].as_array());
    let worst = items.unwrap().iter().find(|item| item["indication"] == indication).unwrap();
    assert_eq!(worst["sub_indication"].as_str(), sub, "{value:#}");
    value
}

#[test]
fn a_document_survives_a_crash_is_signed_for_audited_and_its_forgeries_are_caught() {
    let mut world = World::new();
    world.start("a");
    world.start("b");
    world.write("notice.md", "关于开展专项检查的通知\n".repeat(50).as_bytes());
    let large = world.write("large.bin", &noise(LARGE, 7));

    // A first, small document goes through at once.
    world.send("a", "b", "notice.md", "First", &["--wait", "30"]);

    // The receiver dies in the middle of a large one.
    let more = ["large.bin", "--urgency", "urgent", "--deadline", "2026-01-02T00:00:00Z"];
    let id = world.send("a", "b", "notice.md", "关于开展专项检查的通知", &more);
    let arriving = |world: &World| {
        let entries = std::fs::read_dir(world.path("b/data/content")).unwrap();
        let sizes = entries.map(|e| e.unwrap().metadata().map_or(0, |m| m.len()));
        sizes.max().unwrap_or(0)
    };
    world.wait("the transfer to be under way", 30, |w| arriving(w) > 20_000_000);
    world.kill("b");
    let had = arriving(&world);
    assert!(had < LARGE as u64, "the transfer was over before the kill");
    copy_dir(&world.path("b/data"), &world.path("before"));
    world.start("b");
    world.wait("the delivery", 60, |w| w.pending("a") == 0);
    let log = world.log("b");
    let resumed = log.lines().find(|l| l.contains("resuming an envelope"));
    let from = resumed.and_then(|l| l.rsplit("from=").next()).expect("it resumes");
    assert!(from.trim().parse::<u64>().unwrap() > 0, "it resumes at a chunk");

    // The recipient's clerk finds, opens and signs for it.
    let inbox = world.list("b", "inbox");
    assert_eq!(inbox.len(), 2, "{inbox:#?}");
    assert_eq!(inbox[0]["document"], id.as_str());
    assert_eq!(inbox[0]["indication"], "TOTAL-PASSED");
    assert_eq!(inbox[0]["deadline"], 1_767_312_000);
    let shown = world.clerk("b", "inbox").ok().stdout;
    assert!(shown.contains("answer wanted by 2026-01-02") && shown.contains("(over)"), "{shown}");
    world.clerk("b", &format!("open {id} --out received")).ok();
    let got = std::fs::read(world.path("received/parts/large.bin")).unwrap();
    assert!(got == std::fs::read(&large).unwrap(), "the attachment arrived altered");
    world.clerk("b", &format!("receive {id} --note 收文第12号")).ok();
    world.wait("the receipt", 30, |w| w.list("a", "inbox").len() == 1);

    // The sender sees the whole journey.
    let trace = world.clerk("a", &format!("--json trace {id}")).ok().json();
    let steps: Vec<_> =
        trace["steps"].as_array().unwrap().iter().map(|s| s["event"].as_str().unwrap()).collect();
    for event in ["Created", "SubmissionAcceptance", "ContentConsignment", "签收"] {
        assert!(steps.contains(&event), "{event} is not in {steps:?}");
    }
    let signed = trace["steps"].as_array().unwrap().iter().find(|s| s["event"] == "签收").unwrap();
    assert_eq!(signed["by"], "clerk@b.zj.gov.cn");
    assert_eq!(signed["indication"], "TOTAL-PASSED");

    // An auditor needs the root certificate and nothing else.
    world.export("a", "ledger-a");
    world.export("b", "ledger-b");
    let verify =
        |w: &World, folder: &str| w.run(&format!("--json verify {folder} --anchor root/ca.pem"));
    let report = verdict(&verify(&world, "received"), 0, "TOTAL-PASSED", None);
    let document = &report["documents"][0];
    assert_eq!(document["signatures"].as_array().unwrap().len(), 2);
    assert_eq!(document["signatures"][0]["commitment"], "approval");
    assert_eq!(document["signatures"][1]["commitment"], "origin");
    assert_eq!(document["evidence"].as_array().unwrap().len(), 2, "consignment and handover");
    let audit = |w: &World, line: &str| w.run(&format!("--json audit {line} --anchor root/ca.pem"));
    let report = verdict(&audit(&world, "ledger-a ledger-b"), 0, "TOTAL-PASSED", None);
    assert_eq!(report["ledgers"][0]["evidence"], 2, "{report:#}");
    assert_eq!(report["ledgers"][1]["held_receipts"], 2, "{report:#}");

    // Forgery: a byte of the content.
    copy_dir(&world.path("received"), &world.path("forged"));
    flip(&world.path("forged/parts/notice.md"), 100);
    verdict(&verify(&world, "forged"), 1, "TOTAL-FAILED", Some("HASH_FAILURE"));

    // Forgery: a file that nobody signed lies with the parts.
    copy_dir(&world.path("received"), &world.path("stuffed"));
    world.write("stuffed/parts/annex.pdf", b"unsigned");
    verdict(&verify(&world, "stuffed"), 5, "INDETERMINATE", Some("UNSIGNED_CONTENT"));

    // Forgery: a byte of the signed header (inside the title's text).
    copy_dir(&world.path("received"), &world.path("forged-header"));
    let cose = world.path("forged-header/document.cose");
    let title = "关于开展专项检查的通知".as_bytes();
    let bytes = std::fs::read(&cose).unwrap();
    let at = bytes.windows(title.len()).position(|w| w == title).unwrap();
    flip(&cose, at as u64 + 2);
    verdict(&verify(&world, "forged-header"), 1, "TOTAL-FAILED", Some("SIG_CRYPTO_FAILURE"));

    // Forgery: a signer outside the name constraints of its CA.
    let rogue = "ca issue --ca zj --profile officer --name wang@court.sh.gov.cn --display Wang \
                 --out rogue --no-passphrase";
    world.run(rogue).refused(2, "CHY-2005");
    assert!(!world.path("rogue").exists(), "a refused certificate leaves nothing behind");
    world.run(&format!("{rogue} --unsafe-skip-checks")).ok();
    world
        .run(
            "doc sign notice.md --to b.zj.gov.cn --type 通知 --title Rogue --key rogue/wang.key \
             --cert rogue/wang.pem --out rogue-document",
        )
        .ok();
    let sub = Some("CHAIN_CONSTRAINTS_FAILURE");
    verdict(&verify(&world, "rogue-document"), 5, "INDETERMINATE", sub);

    // Forgery: the receiver's ledger is rolled back. By itself it is consistent; the receipt that
    // the sender holds gives it away.
    assert_eq!(world.stop("b"), 0, "SIGTERM ends a node cleanly");
    std::fs::rename(world.path("b/data"), world.path("b/after")).unwrap();
    std::fs::rename(world.path("before"), world.path("b/data")).unwrap();
    world.start("b");
    world.export("b", "ledger-rolled-back");
    verdict(&audit(&world, "ledger-rolled-back"), 0, "TOTAL-PASSED", None);
    let against = audit(&world, "ledger-rolled-back --against ledger-a");
    verdict(&against, 1, "TOTAL-FAILED", Some("LEDGER_ROLLED_BACK"));
}

#[test]
fn an_auditor_sees_every_kind_of_damage_to_an_export() {
    let mut world = World::new();
    world.start("a");
    world.start("b");
    world.write("n.txt", b"text");
    for i in 0..3 {
        world.send("a", "b", "n.txt", &format!("Title {i}"), &["--wait", "30"]);
    }
    world.export("a", "good");
    let audit = |folder: &str| world.run(&format!("--json audit {folder} --anchor root/ca.pem"));
    verdict(&audit("good"), 0, "TOTAL-PASSED", None);
    let damage = |name: &str, work: &dyn Fn(&std::path::Path)| {
        copy_dir(&world.path("good"), &world.path(name));
        work(&world.path(name));
        audit(name)
    };
    let evidence = |folder: &std::path::Path| {
        let entry = std::fs::read_dir(folder.join("evidence")).unwrap().next().unwrap();
        entry.unwrap().path()
    };
    let entries = "tile/entries/000.p/6";

    // A digest inside an entry: the entry is still well-formed, the root is not.
    let answer = damage("entry", &|f| flip(&f.join(entries), 120));
    assert_eq!(answer.code, 1, "{answer:?}");
    // The last entry is cut off.
    let answer = damage("cut", &|f| {
        let bytes = std::fs::read(f.join(entries)).unwrap();
        let leaves = chancery_protocol::tile::entries(&bytes).unwrap();
        let mut less = Vec::new();
        for leaf in &leaves[..5] {
            chancery_protocol::tile::push_entry(&mut less, leaf).unwrap();
        }
        std::fs::write(f.join(entries), less).unwrap();
    });
    verdict(&answer, 1, "TOTAL-FAILED", Some("LEDGER_ALTERED"));
    // The seal's signature on the checkpoint.
    let answer = damage("note", &|f| {
        let note = std::fs::read_to_string(f.join("checkpoint")).unwrap();
        std::fs::write(f.join("checkpoint"), note.replacen("\n6\n", "\n5\n", 1)).unwrap();
    });
    verdict(&answer, 1, "TOTAL-FAILED", Some("SIG_CRYPTO_FAILURE"));
    // A hash in a tile, which other log clients would read.
    let answer = damage("tile", &|f| flip(&f.join("tile/0/000.p/6"), 70));
    verdict(&answer, 1, "TOTAL-FAILED", Some("LEDGER_ALTERED"));
    // Evidence that is missing, and evidence that nothing speaks of.
    let answer = damage("missing", &|f| std::fs::remove_file(evidence(f)).unwrap());
    verdict(&answer, 1, "TOTAL-FAILED", Some("LEDGER_GAP"));
    let answer = damage("altered", &|f| {
        let path = evidence(f);
        let mut evidence =
            chancery_protocol::Evidence::decode(&std::fs::read(&path).unwrap()).unwrap();
        evidence.receipt.index += 1;
        std::fs::write(&path, evidence.encode().unwrap()).unwrap();
    });
    verdict(&answer, 1, "TOTAL-FAILED", Some("LEDGER_ALTERED"));
    // Another root: nobody knows whose seal this is.
    world.run("ca init --dir other --display Other --no-passphrase").ok();
    let stranger = world.run("--json audit good --anchor other/ca.pem");
    verdict(&stranger, 5, "INDETERMINATE", Some("NO_CERTIFICATE_CHAIN_FOUND"));
    // Years later, without time-stamps, the seal's validity is over.
    let late = world.run("--json audit good --anchor root/ca.pem --at 2032-01-01T00:00:00Z");
    verdict(&late, 5, "INDETERMINATE", Some("OUT_OF_BOUNDS_NO_POE"));
}

#[test]
fn nothing_of_a_document_lies_in_the_clear_at_rest() {
    let mut world = World::new();
    world.start("a");
    world.start("b");
    let (inside, title) = (b"WORDS-INSIDE-THE-PART".as_slice(), "TITLE-OF-THE-NOTICE");
    world.write("PART-NAME.txt", inside);
    let id = world.send("a", "b", "PART-NAME.txt", title, &["--wait", "30"]);
    // Indexed, listed and opened on both sides: none of that may leave traces.
    world.clerk("b", &format!("open {id} --out got")).ok();
    world.clerk("a", &format!("trace {id}")).ok();
    world.stop("a");
    world.stop("b");
    let mut seen = 0;
    for agency in ["a", "b"] {
        let mut folders = vec![world.path(&format!("{agency}/data"))];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let bytes = std::fs::read(&path).unwrap();
                let has = |what: &[u8]| bytes.windows(what.len()).any(|w| w == what);
                // Who writes to whom is no secret of the disk; it shows that we look aright.
                seen += usize::from(has(b"b.zj.gov.cn"));
                for secret in [inside, title.as_bytes(), b"PART-NAME", b"clerk@"] {
                    assert!(
                        !has(secret),
                        "{} in {}",
                        String::from_utf8_lossy(secret),
                        path.display()
                    );
                }
            }
        }
    }
    assert!(seen > 0);
}
