//! Crashes, lost syncs and damaged disks: nothing acknowledged is lost, nothing is doubled.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    collections::BTreeSet,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use chancery_tests::{World, flip, noise};

#[test]
fn sigkill_of_either_node_under_load_loses_and_doubles_nothing() {
    let mut world = World::new();
    world.start("a");
    world.start("b");
    world.write("small.txt", &noise(10_000, 1));
    // Above the inline limit: these travel as files and resume.
    world.write("large.bin", &noise(3_000_000, 2));
    let mut accepted = BTreeSet::new();
    for round in 0..12u64 {
        let victim = if round % 2 == 0 { "b" } else { "a" };
        let stop = AtomicBool::new(false);
        let ids = std::thread::scope(|scope| {
            let sender = scope.spawn(|| {
                let mut ids = Vec::new();
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) && n < 40 {
                    let file = if n % 8 == 0 { "large.bin" } else { "small.txt" };
                    let title = format!("round {round} number {n}");
                    let words = [
                        "--json",
                        "send",
                        file,
                        "--to",
                        "b.zj.gov.cn",
                        "--type",
                        "notice",
                        "--title",
                        &title,
                    ];
                    let answer = world.clerk_words("a", &words);
                    // Exit 0 is the promise; anything else promises nothing.
                    if answer.code == 0 {
                        ids.push(answer.json()["document"].as_str().unwrap().to_owned());
                    }
                    n += 1;
                }
                ids
            });
            // A moment that differs from round to round.
            std::thread::sleep(Duration::from_millis(60 + (round * 97) % 331));
            stop.store(true, Ordering::Relaxed);
            if victim == "b" {
                // In the thick of it: the clerk is still sending.
                // The shell's own `kill`: a small machine has no other.
                let kill = format!("kill -9 {}", world.pid("b"));
                Command::new("sh").args(["-c", &kill]).status().unwrap();
            }
            sender.join().unwrap()
        });
        assert!(!ids.is_empty(), "nothing was accepted in round {round}");
        accepted.extend(ids);
        world.kill(victim);
        world.start(victim);
    }
    world.wait("all deliveries", 120, |w| w.pending("a") == 0);
    let came: Vec<_> = world
        .list("b", "inbox")
        .iter()
        .map(|d| d["document"].as_str().unwrap().to_owned())
        .collect();
    let distinct: BTreeSet<_> = came.iter().cloned().collect();
    assert_eq!(came.len(), distinct.len(), "doubled");
    let lost: Vec<_> = accepted.difference(&distinct).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    for document in world.list("a", "outbox") {
        assert_eq!(document["deliveries"][0]["state"], "delivered", "{document:#}");
    }
    world.export("a", "ledger-a");
    world.export("b", "ledger-b");
    world.run("audit ledger-a ledger-b --anchor root/ca.pem").ok();
}

#[test]
fn a_transfer_torn_by_a_power_cut_starts_afresh_and_is_not_refused() {
    let mut world = World::new();
    world.start("a");
    world.start("b");
    world.write("large.bin", &noise(100_000_000, 5));
    let id = world.send("a", "b", "large.bin", "Large", &[]);
    let part = |world: &World| {
        let entries = std::fs::read_dir(world.path("b/data/content")).unwrap();
        let mut parts = entries.map(|e| e.unwrap().path());
        parts.find(|p| p.extension().is_some_and(|e| e == "part"))
    };
    let long = |p: std::path::PathBuf| p.metadata().is_ok_and(|m| m.len() > 5_000_000);
    world.wait("the transfer to be under way", 30, |w| part(w).is_some_and(long));
    world.kill("b");
    // What was written and never synced may come back as anything.
    flip(&part(&world).expect("the transfer was over before the kill"), 1_000_000);
    world.start("b");
    world.wait("the delivery", 60, |w| w.pending("a") == 0);
    let sent = &world.list("a", "outbox")[0];
    assert_eq!(sent["deliveries"][0]["state"], "delivered", "{sent:#}");
    assert!(world.log("b").contains("resuming an envelope"));
    world.clerk("b", &format!("open {id} --out got")).ok();
    let same = std::fs::read(world.path("got/parts/large.bin")).unwrap()
        == std::fs::read(world.path("large.bin")).unwrap();
    assert!(same, "the attachment arrived altered");
}

/// A library that writes the name of every file that is synced to a log, before the sync returns.
const SYNC_LOG: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void note(const char *call, int fd) {
    char link[64], path[4096], line[4300];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return;
    path[n] = 0;
    int out = open(getenv("SYNC_LOG"), O_WRONLY | O_APPEND | O_CREAT, 0600);
    int len = snprintf(line, sizeof line, "%s %s\n", call, path);
    if (out >= 0) { if (write(out, line, len) < 0) abort(); close(out); }
}
int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    note("fsync", fd);
    return real(fd);
}
int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    note("fdatasync", fd);
    return real(fd);
}
"#;

#[test]
fn what_is_acknowledged_was_synced_before() {
    let mut world = World::new();
    let source = world.write("synclog.c", SYNC_LOG.as_bytes());
    let library = world.path("synclog.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .arg("-ldl")
        .status()
        .unwrap();
    assert!(built.success(), "cc builds a small library");
    let log = world.path("synced");
    world.node_env = vec![
        ("LD_PRELOAD".into(), library.to_str().unwrap().into()),
        ("SYNC_LOG".into(), log.to_str().unwrap().into()),
    ];
    world.start("a");
    world.start("b");
    let synced = || std::fs::read_to_string(&log).unwrap_or_default();
    let wal = |agency: &str| {
        let log = synced();
        let of = format!("/{agency}/data/store/");
        log.lines().filter(|l| l.contains(&of) && l.ends_with(".log")).count()
    };
    world.write("small.txt", b"text");
    world.write("large.bin", &noise(3_000_000, 2));

    let before = (wal("a"), wal("b"));
    world.send("a", "b", "small.txt", "Small", &[]);
    assert!(wal("a") > before.0, "the sender's log was not synced before `send` returned");
    world.wait("delivery", 30, |w| w.pending("a") == 0);
    assert!(wal("b") > before.1, "the receiver's log was not synced before its evidence came");

    std::fs::write(&log, "").unwrap();
    world.send("a", "b", "large.bin", "Large", &["--wait", "30"]);
    let log = synced();
    let has = |start: &str, agency: &str, end: &str| {
        let of = format!("/{agency}/data/content");
        log.lines().any(|l| l.starts_with(start) && l.contains(&of) && l.ends_with(end))
    };
    assert!(has("fsync", "a", ".tmp"), "the sealed file was not synced:\n{log}");
    assert!(has("fsync", "a", "/content"), "its new name was not synced:\n{log}");
    assert!(has("fsync", "b", ".part"), "the received file was not synced:\n{log}");
    assert!(has("fsync", "b", "/content"), "its new name was not synced:\n{log}");
}

#[test]
fn damaged_data_is_named_and_never_handed_out() {
    let mut world = World::new();
    world.start("a");
    world.start("b");
    world.write("large.bin", &noise(1_000_000, 3));
    let id = world.send("a", "b", "large.bin", "Large", &["--wait", "30"]);

    // A bit of the ciphertext at rest, far behind the head.
    let content = std::fs::read_dir(world.path("b/data/content")).unwrap().next().unwrap();
    let content = content.unwrap().path();
    flip(&content, 700_000);
    world.clerk("b", &format!("open {id} --out got")).refused(2, "CHY-1011");
    assert!(!world.path("got").exists() && !world.path("got.partial").exists());
    flip(&content, 700_000);
    world.clerk("b", &format!("open {id} --out got")).ok();

    // The newest checkpoint does not fit the tree any more: the node refuses to start on it.
    world.stop("b");
    let store = chancery_store::open(&world.path("b/data/store")).unwrap();
    use chancery_store::{Batch, Table};
    let (key, entry) = store.scan(Table::Leaves, &[], &[], 1).unwrap().remove(0);
    let mut bad = entry.clone();
    bad[5] ^= 1;
    let mut batch = Batch::default();
    batch.put(Table::Leaves, key.clone(), bad);
    store.write(batch).unwrap();
    drop(store);
    let answer = world.run("node run --config b/node.toml");
    answer.refused(3, "CHY-4005");

    // A store of a newer version is not touched.
    let store = chancery_store::open(&world.path("b/data/store")).unwrap();
    let mut batch = Batch::default();
    batch.put(Table::Leaves, key, entry);
    batch.put(Table::Meta, *b"schema", 99u64.to_be_bytes());
    store.write(batch).unwrap();
    drop(store);
    world.run("node run --config b/node.toml").refused(3, "CHY-4014");
}

#[test]
fn two_nodes_on_one_store_or_one_socket_are_refused() {
    let mut world = World::new();
    world.start("a");
    let answer = world.run("node run --config a/node.toml");
    assert_eq!(answer.code, 3, "{answer:?}");
    world.clerk("a", "node status").ok();
}
