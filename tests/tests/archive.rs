//! What the law removes, what auditors keep, and data folders that are audited as they lie.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::{Path, PathBuf};

use chancery_tests::{World, copy_dir, flip, noise};

/// Lets an agency's clerk purge.
fn permit(world: &World, agency: &str, keep_days: u32) {
    let path = world.path(&format!("{agency}/node.toml"));
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, _) = text.split_once("[purge]").unwrap_or((&text, ""));
    let rule = format!(
        "{before}\n[purge]\nofficers = [\"clerk@{agency}.zj.gov.cn\"]\nkeep_days = {keep_days}\n"
    );
    std::fs::write(&path, rule).unwrap();
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => out.extend(files_below(&path)),
            false => out.push(path),
        }
    }
    out.sort();
    out
}

/// The files of a folder that hold some bytes.
fn holding(folder: &Path, needle: &[u8]) -> Vec<String> {
    let holds = |file: &PathBuf| {
        let bytes = std::fs::read(file).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle)
    };
    files_below(folder).iter().filter(|f| holds(f)).map(|f| f.display().to_string()).collect()
}

/// A piece of an envelope's ciphertext, from the only store that still has it whole.
fn ciphertext(world: &World, agency: &str, content: &str) -> Vec<u8> {
    let file = world.path(&format!("{agency}/data/content/{content}"));
    std::fs::read(file).unwrap()[5000..5064].to_vec()
}

#[test]
fn purged_content_is_off_the_disk_and_every_proof_still_holds() {
    let mut world = World::new();
    world.write("small.txt", &noise(9000, 7));
    world.write("large.bin", &noise(600_000, 3));
    world.start("a");
    world.start("b");
    let small = world.send("a", "b", "small.txt", "small", &["--wait", "20"]);
    let large = world.send("a", "b", "large.bin", "large", &["--wait", "20"]);
    let stays = world.send("a", "b", "small.txt", "stays", &["--wait", "20"]);
    let inbox = world.list("b", "inbox");
    let envelope = |id: &str| {
        let view = inbox.iter().find(|v| v["document"] == id).unwrap();
        view["envelope"].as_str().unwrap().to_owned()
    };
    world.clerk("b", &format!("open {small} --out before")).ok();
    world.run("verify before --anchor root/ca.pem").ok();
    let (small_envelope, large_envelope) = (envelope(&small), envelope(&large));

    // Nobody may by default; and a rule that keeps everything for a year is no suggestion.
    let purge = |w: &World, id: &str| {
        w.clerk_words("b", &["ledger", "purge", id, "--reason", "archives act, s. 27"])
    };
    purge(&world, &small).refused(4, "CHY-4018");
    world.stop("b");
    permit(&world, "b", 365);
    world.start("b");
    let refused = purge(&world, &small);
    refused.refused(4, "CHY-4018");
    assert!(refused.stderr.contains("purge.keep_days"), "{refused:?}");
    world.stop("b");
    permit(&world, "b", 0);
    world.start("b");
    let needle = ciphertext(&world, "b", &large_envelope);
    assert_eq!(holding(&world.path("b/data"), &needle).len(), 1);
    // An order of an agency's officer counts at that agency only.
    let words = ["ledger", "purge", small.as_str(), "--reason", "x", "--key", "certs-a/clerk.key"];
    let foreign = world.clerk_words("b", &[&words[..], &["--cert", "certs-a/clerk.pem"]].concat());
    assert_ne!(foreign.code, 0, "{foreign:?}");
    world.clerk("b", &format!("open {small} --out still-there")).ok();

    for id in [&small, &large] {
        let done = purge(&world, id).ok().stdout;
        assert!(done.contains("off the disk") && done.contains('#'), "{done}");
        world.clerk("b", &format!("open {id} --out gone")).refused(1, "CHY-4011");
    }
    world.clerk("b", &format!("open {small_envelope} --out gone")).refused(1, "CHY-4019");
    world.clerk("b", &format!("ledger purge {small_envelope} --reason x")).refused(1, "CHY-4019");
    assert_eq!(holding(&world.path("b/data"), &needle), [""; 0]);
    // Nor does the store still name the document, once RocksDB has begun a new manifest.
    world.stop("b");
    world.start("b");
    let id = hex::decode(&small).unwrap();
    assert_eq!(holding(&world.path("b/data"), &id), [""; 0]);
    world.clerk("b", &format!("open {stays} --out stays")).ok();
    world.run("verify stays --anchor root/ca.pem").ok();
    let list = world.list("b", "inbox");
    let gone = |v: &&serde_json::Value| v["error"].as_str().is_some_and(|e| e.contains("purged"));
    assert_eq!(list.iter().filter(gone).count(), 2, "{list:?}");

    // The evidence that was given holds, and the audits know what happened, and by whom.
    world.run("verify before --anchor root/ca.pem").ok();
    world.export("b", "out-b");
    world.export("a", "out-a");
    let report = world.run("--json audit out-b --against out-a --anchor root/ca.pem").ok().json();
    assert_eq!(report["ledgers"][0]["purged"], 2, "{report}");
    let words = world.run("audit out-b --anchor root/ca.pem").ok().stdout;
    assert!(words.contains("by order of clerk@b.zj.gov.cn"), "{words}");
    world.stop("b");
    let report = world.run("--json audit b/data --anchor root/ca.pem").ok().json();
    let ledger = &report["ledgers"][0];
    assert_eq!((&ledger["purged"], &ledger["contents"]), (&2.into(), &1.into()), "{report}");

    // Content that is gone without an order, or an order that is gone, is missed.
    for order in files_below(&world.path("out-b/orders")) {
        let kept = std::fs::read(&order).unwrap();
        std::fs::remove_file(&order).unwrap();
        assert_eq!(world.run("audit out-b --anchor root/ca.pem").code, 1);
        std::fs::write(&order, &kept).unwrap();
        flip(&order, 200);
        assert_eq!(world.run("audit out-b --anchor root/ca.pem").code, 1);
        std::fs::write(&order, &kept).unwrap();
    }
    world.stop("a");
    std::fs::remove_file(world.path(&format!("a/data/content/{large_envelope}"))).unwrap();
    let answer = world.run("audit a/data --anchor root/ca.pem");
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stdout.contains("nothing says that it was purged"), "{answer:?}");
    // What was purged does not come back: the sender's node has its evidence, and the receiver its entry.
    world.start("b");
    assert_eq!(world.list("b", "inbox").len(), 3);
}

/// The record of a refusal says which document an entry is about, which the entry itself does not.
#[test]
fn refusals_and_their_entries_must_explain_each_other() {
    use chancery_store::{Batch, Table};
    let mut world = World::new();
    world.write("n.txt", b"text");
    world.start("a");
    for title in ["one", "two"] {
        let words = ["send", "n.txt", "--to", "nobody.zj.gov.cn", "--type", "函", "--title", title];
        let refused = world.clerk_words("a", &words);
        assert!(refused.stderr.contains("recorded: chancery trace"), "{refused:?}");
    }
    world.stop("a");
    let audit = |world: &World| world.run("audit a/data --anchor root/ca.pem");
    audit(&world).ok();

    let prefix = b"official-documents/rejected/";
    let store = |world: &World| chancery_store::open(&world.path("a/data/store")).unwrap();
    let records = store(&world).scan(Table::Modules, prefix, prefix, 10).unwrap();
    assert_eq!(records.len(), 2);
    let (mut key, value) = records[0].clone();
    let mut batch = Batch::default();
    batch.delete(Table::Modules, key.clone());
    store(&world).write(batch).unwrap();
    let answer = audit(&world);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stdout.contains("1 refused submissions"), "{answer:?}");
    // Another document under the same salt is not what the entry commits to.
    key[prefix.len()] ^= 1;
    let mut batch = Batch::default();
    batch.put(Table::Modules, key, value);
    store(&world).write(batch).unwrap();
    let answer = audit(&world);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(
        answer.stdout.contains("no entry says what the record of a refusal says"),
        "{answer:?}"
    );
}

#[test]
fn what_is_not_delivered_yet_is_not_purged() {
    let mut world = World::new();
    world.write("n.txt", b"text");
    permit(&world, "a", 0);
    world.start("a");
    let id = world.send("a", "b", "n.txt", "waits", &[]);
    let refused = world.clerk_words("a", &["ledger", "purge", &id, "--reason", "x"]);
    refused.refused(4, "CHY-4018");
    assert!(refused.stderr.contains("purge.pending"), "{refused:?}");
    world.start("b");
    world.wait("delivery", 20, |w| w.pending("a") == 0);
    world.clerk_words("a", &["ledger", "purge", &id, "--reason", "x"]).ok();
    world.clerk("b", &format!("open {id} --out got")).ok();
    world.run("verify got --anchor root/ca.pem").ok();
    world.stop("a");
    world.run("audit a/data --anchor root/ca.pem").ok();
}

#[test]
fn an_imported_export_answers_as_its_node_did_and_a_false_one_is_not_taken() {
    let mut world = World::new();
    world.write("n.txt", b"text");
    world.start("a");
    world.start("b");
    for n in 0..4 {
        world.send("a", "b", "n.txt", &format!("{n}"), &["--wait", "20"]);
    }
    for agency in ["a", "b"] {
        world.export(agency, &format!("out-{agency}"));
        let line = format!("ledger import out-{agency} --into kept-{agency} --anchor root/ca.pem");
        world.run(&line).ok();
        for ask in [
            "ledger status",
            "ledger show",
            "ledger checkpoint",
            "ledger prove --entry 2",
            "ledger prove --since 2",
        ] {
            let live = world.clerk(agency, &format!("--json {ask}")).ok().stdout;
            let kept = world.run(&format!("--json {ask} --data kept-{agency}")).ok().stdout;
            assert_eq!(live, kept, "{ask}");
        }
        // It holds no documents, and an audit of it misses none.
        world.run(&format!("audit kept-{agency} --anchor root/ca.pem")).ok();
        // What comes out again is what went in.
        world.run(&format!("ledger export --data kept-{agency} --out again-{agency}")).ok();
        let (one, two) =
            (world.path(&format!("out-{agency}")), world.path(&format!("again-{agency}")));
        let names = |folder: &Path| {
            let below = files_below(folder).into_iter();
            below.map(|f| f.strip_prefix(folder).unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&one), names(&two));
        for name in names(&one) {
            assert_eq!(
                std::fs::read(one.join(&name)).unwrap(),
                std::fs::read(two.join(&name)).unwrap(),
                "{}",
                name.display()
            );
        }
    }
    world.run("ledger import out-a --into kept-a --anchor root/ca.pem").refused(2, "CHY-4001");
    flip(&world.path("out-a/tile/entries/000.p/8"), 60);
    world.run("ledger import out-a --into new --anchor root/ca.pem").refused(1, "CHY-6038");
    assert!(!world.path("new").exists() && !world.path("new.partial").exists());
    // No node runs on an archive as if it were its own agency's.
    world.run("ledger status --data nowhere").refused(3, "CHY-4004");
}

/// Flips a bit in each file of a data folder, at many places: the audit fails or says the same as before,
/// because the byte was in a log or an index that nothing reads; contents and entries are never such.
#[test]
fn a_changed_byte_in_a_data_folder_is_named_by_the_audit() {
    let mut world = World::new();
    world.write("n.txt", &noise(20_000, 9));
    world.write("large.bin", &noise(400_000, 5));
    world.start("a");
    world.start("b");
    for n in 0..6 {
        world.send("a", "b", "n.txt", &format!("{n}"), &["--wait", "20"]);
    }
    world.send("a", "b", "large.bin", "large", &["--wait", "20"]);
    // A kill leaves everything in the write-ahead log, a backup everything in tables.
    world.clerk("b", "ledger backup").ok();
    let backup = files_below(&world.path("b/data/backups")).remove(0);
    let backup = backup.ancestors().find(|p| p.join("manifest.json").exists()).unwrap();
    copy_dir(backup, &world.path("tables"));
    world.kill("b");
    std::fs::remove_dir_all(world.path("b/data/backups")).unwrap();
    copy_dir(&world.path("b/data"), &world.path("log"));

    let (mut tried, mut noticed) = (0, 0);
    for folder in ["log", "tables"] {
        let line = format!("audit {folder} --anchor root/ca.pem --at 2026-12-31T00:00:00Z");
        let at = chancery_certs::rfc3339(chancery_ledger::unix_now() + 3600);
        let line = line.replace("2026-12-31T00:00:00Z", &at);
        let good = world.run(&line).ok();
        for file in files_below(&world.path(folder)) {
            let name = file.strip_prefix(world.path(folder)).unwrap().display().to_string();
            let bytes = std::fs::read(&file).unwrap();
            let length = bytes.len() as u64;
            let holds_data = name.starts_with("content/")
                || name.ends_with(".blob")
                || (name.ends_with(".log") && length > 0);
            if length == 0 || name == "witness.key" || name == "manifest.json" {
                continue;
            }
            for part in 0..8 {
                flip(&file, part * length / 8);
                let answer = world.run(&line);
                assert!(!answer.stderr.contains("panicked"), "{answer:?}");
                let same = answer.code == 0 && answer.stdout == good.stdout;
                tried += 1;
                noticed += usize::from(!same);
                assert!(
                    !same || !holds_data,
                    "byte {} of {folder}/{name} of {length}: {answer:?}",
                    part * length / 8
                );
                std::fs::write(&file, &bytes).unwrap();
            }
        }
        assert_eq!(world.run(&line).ok().stdout, good.stdout);
    }
    eprintln!("{noticed} of {tried} changed bytes were noticed");
    assert!(noticed > 40, "{noticed} of {tried}");
    // The node itself starts again on what it had.
    world.start("b");
    assert_eq!(world.list("b", "inbox").len(), 7);
}
