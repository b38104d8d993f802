//! Ledgers under the eyes of others: witnesses, forks, proofs that travel, and stores of older versions.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::PathBuf;

use chancery_tests::{World, copy_dir, flip};

/// A world whose nodes look at each other's ledgers every second.
fn watchful() -> World {
    let world = World::new();
    for agency in ["a", "b"] {
        let path = world.path(&format!("{agency}/node.toml"));
        let text = std::fs::read_to_string(&path).unwrap();
        let (key, set) = ("witness_seconds = 10", "witness_seconds = 1");
        assert!(text.contains(key), "{text}");
        std::fs::write(&path, text.replace(key, set)).unwrap();
    }
    world
}

fn witnesses(world: &World, export: &str) -> Vec<String> {
    let answer = world.run(&format!("--json audit {export} --anchor root/ca.pem"));
    assert_eq!(answer.code, 0, "{answer:?}");
    let report = answer.json();
    let names = report["ledgers"][0]["witnesses"].as_array().unwrap().iter();
    names.map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn peers_cosign_each_others_ledgers_and_the_audit_checks_it() {
    let mut world = watchful();
    world.write("n.txt", b"text");
    world.start("a");
    world.start("b");
    world.send("a", "b", "n.txt", "one", &["--wait", "20"]);
    world.wait("a witness of b", 20, |w| w.log("b").contains("the ledger was cosigned"));
    world.wait("a witness of a", 20, |w| w.log("a").contains("the ledger was cosigned"));
    let answer = world.clerk("b", "--json ledger checkpoint").ok().json();
    let signers = answer["signers"].as_array().unwrap();
    assert!(signers.iter().any(|s| s == "a.zj.gov.cn/witness"), "{answer}");
    // b has an Ed25519 seal, so that transparency-log clients can be given its key.
    let vkey = world.clerk("b", "ledger checkpoint --keys").ok().stdout;
    assert!(vkey.starts_with("b.zj.gov.cn/ledger+"), "{vkey}");
    world.clerk("a", "ledger checkpoint --keys").refused(2, "CHY-6014");

    world.export("b", "out");
    assert_eq!(witnesses(&world, "out"), ["a.zj.gov.cn"]);
    let html = world.run("audit out --anchor root/ca.pem --report html").ok().stdout;
    assert!(html.contains("TOTAL-PASSED") && !html.contains("http"), "{html}");
    // An audit that is taken up again does not verify twice, and finds the same.
    let tomorrow = chancery_certs::rfc3339(chancery_ledger::unix_now() + 86_400);
    let at = format!("--at {tomorrow}");
    let first = world.run(&format!("audit out --anchor root/ca.pem {at} --resume state")).ok();
    let marks = std::fs::metadata(world.path("state")).unwrap().len();
    assert!(marks > 0 && marks.is_multiple_of(32), "{first:?}");
    let again = world.run(&format!("audit out --anchor root/ca.pem {at} --resume state"));
    assert_eq!((again.code, again.stdout), (first.code, first.stdout));
    assert_eq!(std::fs::metadata(world.path("state")).unwrap().len(), marks);

    // Any byte of any file of the export: the audit does not pass, and says where.
    for file in files_below(world.path("out")) {
        let good = std::fs::read(&file).unwrap();
        let shown = file.strip_prefix(world.path("out")).unwrap().display().to_string();
        for at in [0, good.len() / 2, good.len() - 1] {
            flip(&file, at as u64);
            let answer = world.run("audit out --anchor root/ca.pem");
            assert_ne!(answer.code, 0, "byte {at} of {shown} went unnoticed: {answer:?}");
            assert!(!answer.stderr.contains("panicked"), "{answer:?}");
            std::fs::write(&file, &good).unwrap();
        }
        // A file that is gone is missed too; only what somebody once cosigned, or was seen of others, can be kept back.
        if !shown.starts_with("witness") && !shown.starts_with("seen") {
            std::fs::remove_file(&file).unwrap();
            let answer = world.run("audit out --anchor root/ca.pem");
            assert_ne!(answer.code, 0, "nobody misses {shown}: {answer:?}");
            std::fs::write(&file, &good).unwrap();
        }
    }
    world.run("audit out --anchor root/ca.pem").ok();
    // What was noted without a look at revocation does not stand in for one.
    let strict = format!("audit out --anchor root/ca.pem {at} --resume state --require-revocation");
    let answer = world.run(&strict);
    assert_eq!(answer.code, 5, "{answer:?}");
}

fn files_below(folder: PathBuf) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => out.extend(files_below(path)),
            false => out.push(path),
        }
    }
    out
}

#[test]
fn a_ledger_that_was_rolled_back_and_grew_otherwise_is_proved_forked() {
    let mut world = watchful();
    world.write("n.txt", b"text");
    world.start("a");
    world.start("b");
    world.send("a", "b", "n.txt", "one", &["--wait", "20"]);
    world.wait("a cosigns b", 20, |w| w.log("a").contains("cosigned the peer's ledger"));
    world.stop("b");
    copy_dir(&world.path("b/data"), &world.path("kept"));
    world.start("b");
    world.send("a", "b", "n.txt", "two", &["--wait", "20"]);
    world.stop("b");

    // An operator puts an older copy back, as if the second document had never come, and sees to it that his node does not
    // learn of it. The ledger then grows past what a saw, by entries that give a no receipt, so that only the question how
    // it grew can tell.
    world.stop("a");
    std::fs::remove_dir_all(world.path("b/data")).unwrap();
    std::fs::remove_file(world.path("b/ledger.mark")).unwrap();
    copy_dir(&world.path("kept"), &world.path("b/data"));
    world.start("b");
    world.send("b", "a", "n.txt", "three", &[]);
    world.send("b", "a", "n.txt", "four", &[]);
    world.start("a");
    world.wait("a finds the fork", 30, |w| w.path("a/data/forks").exists());
    world.wait("the proof is whole", 5, |w| files_below(w.path("a/data/forks")).len() == 1);
    let proof = files_below(world.path("a/data/forks")).remove(0);
    let shown = proof.display().to_string();

    // Anybody with the anchors can judge it, without either node.
    world.stop("a");
    world.stop("b");
    let answer = world.run(&format!("--json verify {shown} --anchor root/ca.pem"));
    assert_eq!(answer.code, 1, "{answer:?}");
    let verdict = &answer.json()["documents"][0];
    assert_eq!(verdict["sub_indication"], "LEDGER_FORKED", "{verdict}");
    assert_eq!(verdict["agency"], "b.zj.gov.cn", "{verdict}");
    let words = world.run(&format!("verify {shown} --anchor root/ca.pem"));
    assert!(words.stdout.contains("two histories"), "{words:?}");
    // Bent in any place it shows nothing against b.
    for at in 0..20 {
        let copy = world.path("bent.fork");
        std::fs::copy(&proof, &copy).unwrap();
        let length = std::fs::metadata(&copy).unwrap().len();
        flip(&copy, at * length / 20);
        let answer = world.run("--json verify bent.fork --anchor root/ca.pem");
        assert_ne!(answer.json()["documents"][0]["sub_indication"], "LEDGER_FORKED", "{answer:?}");
    }
}

#[test]
fn proofs_of_entries_travel_as_evidence_and_as_cose_receipts() {
    let mut world = World::new();
    world.write("n.txt", b"text");
    world.start("a");
    world.start("b");
    for n in 0..5 {
        world.send("a", "b", "n.txt", &format!("{n}"), &["--wait", "20"]);
    }
    let entries = world.clerk("a", "--json ledger show --from 2 --limit 3").ok().json();
    let numbers: Vec<_> = entries.as_array().unwrap().iter().map(|e| e["entry"].clone()).collect();
    assert_eq!(numbers, [2, 3, 4]);
    let all = world.clerk("a", "ledger show").ok().stdout;
    assert_eq!(all.lines().count(), 10, "{all}");
    for agency in ["a", "b"] {
        world.clerk(agency, &format!("ledger prove --entry 3 --out {agency}.evidence")).ok();
        world.clerk(agency, &format!("ledger prove --entry 3 --out {agency}.cose --cose")).ok();
    }
    let line = "--json ledger check-proof a.evidence a.cose b.evidence b.cose --anchor root/ca.pem";
    let checked = world.run(line).ok().json();
    for one in checked.as_array().unwrap() {
        assert_eq!((&one["holds"], &one["entry"]), (&true.into(), &3.into()), "{one}");
    }
    world.clerk("a", "ledger prove --entry 3 --out a.cose --cose").refused(2, "CHY-4001");
    // The salt is not there and the chain proves itself: every other byte counts.
    let length = std::fs::metadata(world.path("a.cose")).unwrap().len();
    for at in 0..40 {
        std::fs::copy(world.path("a.cose"), world.path("bent.cose")).unwrap();
        flip(&world.path("bent.cose"), at * length / 40);
        let answer = world.run("ledger check-proof bent.cose --anchor root/ca.pem");
        assert_eq!(answer.code, 1, "byte {}: {answer:?}", at * length / 40);
    }
}

/// Puts the nodes that an older version left behind in place of a world's own, and starts them.
fn older(sample: &str) -> World {
    let mut world = World::new();
    let sample = chancery_tests::package().join("samples").join(sample);
    let status = std::process::Command::new("tar")
        .args(["-xJf", sample.to_str().unwrap(), "--one-top-level=old", "-C"])
        .arg(world.dir.path())
        .status()
        .unwrap();
    assert!(status.success());
    for agency in ["a", "b"] {
        std::fs::remove_dir_all(world.path(agency)).unwrap();
        std::fs::rename(world.path(&format!("old/{agency}")), world.path(agency)).unwrap();
        std::fs::remove_dir_all(world.path(&format!("certs-{agency}"))).unwrap();
        let certs = format!("certs-{agency}");
        std::fs::rename(world.path(&format!("old/{certs}")), world.path(&certs)).unwrap();
        world.start(agency);
        assert!(world.log(agency).contains("the store has the newer schema"));
    }
    world
}

/// Both nodes have so many entries and documents in their inboxes, of which every `step`-th opens.
fn has_everything(world: &World, expected: [(&str, u64, usize); 2], step: usize) {
    for (agency, size, inbox) in expected {
        let status = world.clerk(agency, "--json ledger status").ok().json();
        assert_eq!(status["size"], size, "{status}");
        let list = world.list(agency, "inbox");
        assert_eq!(list.len(), inbox);
        for (n, document) in list.iter().enumerate().step_by(step) {
            let id = document["document"].as_str().unwrap();
            let out = format!("got-{agency}-{n}");
            world.clerk(agency, &format!("open {id} --out {out}")).ok();
            world.run(&format!("verify {out} --anchor old/root/ca.pem")).ok();
        }
        world.export(agency, &format!("out-{agency}"));
    }
    let answer = world.run("audit out-a out-b --anchor old/root/ca.pem");
    assert_eq!(answer.code, 0, "{answer:?}");
}

/// A world of two nodes that the first version wrote: 20 and 13 entries, small and large contents.
#[test]
fn a_store_of_the_first_version_is_brought_up_and_loses_nothing() {
    let mut world = older("store-v1.tar.xz");
    // Every document opens, with evidence that was given before there were COSE signatures.
    has_everything(&world, [("a", 20, 2), ("b", 13, 9)], 1);
    // Started again there is nothing to bring up.
    world.stop("a");
    std::fs::remove_file(world.path("a.log")).unwrap();
    world.start("a");
    assert!(!world.log("a").contains("newer schema"));
}

/// A world of two nodes of the fourth schema, which stored the tiles at the edge of the tree: here of 13 and 139
/// hashes.
#[test]
fn a_store_of_the_fourth_schema_goes_on_from_the_edge_of_its_tree() {
    let mut world = older("store-v4.tar.xz");
    has_everything(&world, [("a", 269, 3), ("b", 139, 133)], 13);
    // The tiles grow beyond what was stored; what is stored then fills them.
    world.write("n.txt", b"text");
    for n in 0..60 {
        world.send("a", "b", "n.txt", &format!("more {n}"), &[]);
        world.send("b", "a", "n.txt", &format!("back {n}"), &[]);
    }
    world.wait("all documents", 60, |w| w.pending("a") == 0 && w.pending("b") == 0);
    for agency in ["a", "b"] {
        world.stop(agency);
        world.start(agency);
        world.export(agency, &format!("later-{agency}"));
    }
    assert!(world.path("later-b/tile/0/000").exists());
    let answer = world.run("audit later-a later-b --anchor old/root/ca.pem");
    assert_eq!(answer.code, 0, "{answer:?}");
}

/// The tiles of an export, as Cloudflare's port of Go's `sumdb/tlog` asks for them.
struct Exported(PathBuf);

impl tlog_tiles::TileReader for Exported {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = tiles.iter().map(|tile| {
            // C2SP tlog-tiles fixes the height and leaves it out of the path.
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            std::fs::read(self.0.join(&path)).map_err(|_| tlog_tiles::Error::InvalidTile)
        });
        read.collect()
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

#[test]
fn a_transparency_log_client_of_others_reads_and_verifies_an_export() {
    use tlog_tiles::{Hash, TileHashReader, check_record, check_tree, prove_record, prove_tree};
    let mut world = watchful();
    world.start("a");
    world.start("b");
    world.write("n.txt", b"text");
    // More than a tile of entries, so that there are full and partial ones on two levels.
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let world = &world;
            scope.spawn(move || {
                for n in 0..68 {
                    world.send("a", "b", "n.txt", &format!("{worker}-{n}"), &[]);
                }
            });
        }
    });
    world.wait("all documents", 60, |w| w.pending("a") == 0);
    world.wait("a cosignature", 20, |w| {
        let note = w.clerk("b", "ledger checkpoint").ok().stdout;
        note.starts_with("b.zj.gov.cn/ledger\n272\n") && note.contains("a.zj.gov.cn/witness")
    });
    world.export("b", "out");
    let folder = world.path("out");

    // The note, under the ledger's key; the cosignature is there for whoever knows the witness.
    let vkey = world.clerk("b", "ledger checkpoint --keys").ok().stdout;
    let verifier = signed_note::StandardVerifier::new(vkey.trim()).unwrap();
    let known = signed_note::VerifierList::new(vec![Box::new(verifier)]);
    let note = std::fs::read(folder.join("checkpoint")).unwrap();
    let note = signed_note::Note::from_bytes(&note).unwrap();
    let (verified, unverified) = note.verify(&known).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 1));
    let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!((checkpoint.origin(), checkpoint.size()), ("b.zj.gov.cn/ledger", 272));

    // Every entry is proved from the tiles alone, and older trees are prefixes of the newest.
    let (size, root) = (checkpoint.size(), *checkpoint.hash());
    let tiles = Exported(folder.clone());
    let reader = TileHashReader::new(size, root, &tiles);
    for bundle in ["tile/entries/000", "tile/entries/001.p/16"] {
        let bytes = std::fs::read(folder.join(bundle)).unwrap();
        let first = if bundle.ends_with("000") { 0 } else { 256 };
        for (n, leaf) in chancery_protocol::tile::entries(&bytes).unwrap().iter().enumerate() {
            let (at, hash) = (first + n as u64, tlog_tiles::record_hash(leaf));
            let proof = prove_record(size, at, &reader).unwrap();
            check_record(&proof, size, root, at, hash).unwrap();
            let other = tlog_tiles::record_hash(b"another");
            assert!(check_record(&proof, size, root, at, other).is_err());
        }
    }
    let first = std::fs::read(folder.join("history/000")).unwrap();
    let history = chancery_protocol::tile::entries(&first).unwrap();
    assert!(history.len() > 1);
    for kept in history {
        let old = chancery_protocol::KeptCheckpoint::read_unverified(kept).unwrap();
        let proof = prove_tree(size, old.size, &reader).unwrap();
        check_tree(&proof, size, root, old.size, Hash(*old.root.as_bytes())).unwrap();
    }
    // A changed tile is refused by the client.
    flip(&folder.join("tile/0/000"), 40);
    assert!(prove_record(size, 1, &TileHashReader::new(size, root, &tiles)).is_err());
}

#[test]
fn a_backup_of_a_running_node_is_whole_and_is_restored_or_refused() {
    let mut world = World::new();
    world.write("n.txt", b"text");
    world.write("large.bin", &chancery_tests::noise(600_000, 3));
    world.start("a");
    world.start("b");
    world.send("a", "b", "n.txt", "small", &["--wait", "20"]);
    let id = world.send("a", "b", "large.bin", "large", &["--wait", "20"]);
    let made = world.clerk("b", "--json ledger backup").ok().json();
    // Also of a node where nothing has happened yet.
    world.add_agency("c", "p256");
    world.start("c");
    let empty = world.clerk("c", "--json ledger backup").ok().json();
    assert_eq!(empty["entries"], 0, "{empty}");
    let path = empty["path"].as_str().unwrap();
    world.run(&format!("ledger restore {path} --into fresh")).ok();
    assert_eq!(made["entries"], 2, "{made}");
    copy_dir(std::path::Path::new(made["path"].as_str().unwrap()), &world.path("kept"));
    world.run("ledger restore kept --check").ok();

    // A byte of any file, a file too few, a file too many: named, and nothing is put in place.
    for file in files_below(world.path("kept")) {
        let good = std::fs::read(&file).unwrap();
        if !good.is_empty() {
            flip(&file, good.len() as u64 / 2);
            let answer = world.run("ledger restore kept --into new");
            answer.refused(2, "CHY-4017");
            std::fs::write(&file, &good).unwrap();
        }
        std::fs::rename(&file, world.path("away")).unwrap();
        assert_ne!(world.run("ledger restore kept --into new").code, 0, "{}", file.display());
        std::fs::rename(world.path("away"), &file).unwrap();
    }
    world.write("kept/store/extra", b"x");
    world.run("ledger restore kept --into new").refused(2, "CHY-4017");
    std::fs::remove_file(world.path("kept/store/extra")).unwrap();
    assert!(!world.path("new").exists() && !world.path("new.partial").exists());

    // The data is lost; the backup takes its place, and the node goes on from it.
    world.run("ledger restore kept --into b/data").refused(2, "CHY-4001");
    world.kill("b");
    let witness = std::fs::read(world.path("b/data/witness.key")).unwrap();
    std::fs::remove_dir_all(world.path("b/data")).unwrap();
    world.run("ledger restore kept --into b/data").ok();
    world.start("b");
    assert_ne!(
        std::fs::read(world.path("b/data/witness.key")).unwrap(),
        witness,
        "keys stay apart"
    );
    world.clerk("b", &format!("open {id} --out got")).ok();
    world.run("verify got --anchor root/ca.pem").ok();
    world.send("a", "b", "n.txt", "after", &["--wait", "20"]);
    world.export("b", "out");
    world.run("audit out --anchor root/ca.pem").ok();
}
