//! A node whose tables are in PostgreSQL: another process takes over when the one that writes dies or hangs, another server when
//! the database does; what was acknowledged stays, once, in a ledger that is not forked.

use std::{
    collections::BTreeSet,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use chancery_protocol::Urgency;
use chancery_tests::{Clerk, Database, World, copy_dir, free_address};

/// Documents that are sent through all of it, one way; `STANDBY_DOCUMENTS` says otherwise (`make soak`).
fn documents() -> usize {
    let asked = std::env::var("STANDBY_DOCUMENTS").ok();
    asked.map_or(60, |asked| asked.parse().expect("a number"))
}

/// Has an agency's node keep its tables in a database, and its large contents in a folder that all see.
fn on_database(world: &mut World, label: &str, url: &str, replicated: bool) {
    world.set(label, "store.engine", "postgres");
    world.set(label, "store.url", &format!("'{url}'"));
    world.set(label, "store.unreplicated", if replicated { "false" } else { "true" });
    world.set(label, "store.contents", "'../contents-b'");
    world.set(label, "store.contents_shared", "true");
    world.set(label, "limits.witness_seconds", "1");
}

/// A second process of b's, in a folder of its own, which stands by.
fn second_of_b(world: &mut World) {
    for (from, to) in [("b", "b2"), ("certs-b", "certs-b2")] {
        copy_dir(&world.path(from), &world.path(to));
    }
    let socket = world.path("b2/node.sock");
    if socket.exists() {
        std::fs::remove_file(socket).expect("removes");
    }
    let address = free_address().to_string();
    world.set("b2", "listen", &format!("'{address}'"));
}

fn answers(world: &World, label: &str) -> bool {
    world.clerk(label, "node status").code == 0
}

fn signal(world: &World, label: &str, signal: &str) {
    let kill = Command::new("kill").args([signal, &world.pid(label).to_string()]).status();
    assert!(kill.expect("runs").success());
}

/// Both ledgers are sound, neither is a fork of what the other has seen.
fn audited(world: &World, of_b: &str) {
    world.export("a", "export-a");
    world.export(of_b, "export-b");
    let line = "audit export-a export-b --anchor root/ca.pem --against export-a --against export-b";
    world.run(line).ok();
}

#[test]
fn a_standby_takes_over_from_a_writer_that_dies_or_hangs() {
    let Some(server) = Database::start() else { return };
    let mut world = World::new();
    second_of_b(&mut world);
    for label in ["b", "b2"] {
        on_database(&mut world, label, &server.url(), false);
    }
    world.write("n.txt", b"text");
    world.start("a");
    world.start("b");
    let mut sent = BTreeSet::new();
    sent.insert(world.send("a", "b", "n.txt", "to the first", &["--wait", "20"]));
    world.spawn("b2");
    world.wait("it stands by", 20, |w| w.log("b2").contains("this one stands by"));
    assert!(!answers(&world, "b2"), "one process answers at a time");
    sent.insert(world.send("a", "b", "n.txt", "beside the second", &["--wait", "20"]));
    // The writer dies.
    world.kill("b");
    let died = Instant::now();
    sent.insert(world.send("a", "b", "n.txt", "to nobody", &[]));
    world.wait("the standby answers", 10, |w| answers(w, "b2"));
    eprintln!("the standby answered after {:?}", died.elapsed());
    world.wait("all is delivered", 20, |w| w.pending("a") == 0);
    // It comes back, and stands by; then the other hangs.
    world.spawn("b");
    world.wait("it stands by", 20, |w| w.log("b").matches("this one stands by").count() == 1);
    signal(&world, "b2", "-STOP");
    let hung = Instant::now();
    world.wait("the first answers again", 10, |w| answers(w, "b"));
    eprintln!("the first answered after {:?}", hung.elapsed());
    sent.insert(world.send("a", "b", "n.txt", "to the first again", &["--wait", "30"]));
    // Who hung finds that it is over, writes nothing, and ends.
    signal(&world, "b2", "-CONT");
    let mut code = None;
    let end = Instant::now() + Duration::from_secs(20);
    while code.is_none() && Instant::now() < end {
        code = world.ended("b2");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(code, Some(3), "{}", world.log("b2"));
    assert!(world.log("b2").contains("another process has taken over"), "{}", world.log("b2"));
    let came: BTreeSet<_> = world
        .list("b", "inbox")
        .iter()
        .map(|one| one["document"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(came, sent);
    audited(&world, "b");
    assert_eq!(world.stop("b"), 0);
}

#[test]
fn through_kills_of_the_writer_and_of_the_database_nothing_is_lost_doubled_or_forked() {
    let Some(mut primary) = Database::start() else { return };
    let second = primary.standby("two");
    primary.set("synchronous_standby_names", "'ANY 1 (two)'");
    let mut world = World::new();
    second_of_b(&mut world);
    let (one, two) = (primary.port(), second.port());
    let url = format!("postgres://node@127.0.0.1:{one},127.0.0.1:{two}/node");
    for label in ["b", "b2"] {
        on_database(&mut world, label, &url, true);
    }
    world.start("a");
    world.start("b");
    world.spawn("b2");
    world.wait("it stands by", 20, |w| w.log("b2").contains("this one stands by"));
    let count = documents();
    let mut clerk_a = Clerk::new(world.dir.path(), "a");
    let mut promised = BTreeSet::new();
    let (mut writer, mut other) = ("b", "b2");
    for n in 0..count {
        let title = format!("document {n}");
        // What is not promised is sent again, under another name.
        let id =
            clerk_a.send(&["b.zj.gov.cn"], &title, b"text", Urgency::Routine).expect("a is up");
        promised.insert(id.to_string());
        if n == count / 4 {
            // The writer dies in the middle of it.
            world.kill(writer);
            std::mem::swap(&mut writer, &mut other);
            world.wait("the standby answers", 10, |w| answers(w, writer));
            world.spawn(other);
        }
        if n == count / 2 {
            // The database dies, and its standby is made the primary. It has no standby of its own any more: the operator
            // says so, as he must.
            primary.kill();
            std::thread::sleep(Duration::from_millis(500));
            second.promote();
            second
                .query("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (\"chancery none\")'");
        }
        if n == 3 * count / 4 {
            // Both die at once, and one is started while the new primary has not been told yet to whom it replicates.
            world.kill(writer);
            world.kill(other);
            std::mem::swap(&mut writer, &mut other);
            world.spawn(writer);
            world.wait("it says what is missing", 20, |w| {
                w.log(writer).contains("nothing can be written; it is asked again")
            });
        }
    }
    // Commits wait for a standby that is not there: nothing more is acknowledged until there is one.
    let third = second.standby("three");
    second.set("synchronous_standby_names", "'ANY 1 (three)'");
    world.wait("a process answers", 40, |w| answers(w, writer));
    world.wait("all is delivered", 60 + count as u64 / 10, |w| w.pending("a") == 0);
    let came: Vec<_> = world
        .list(writer, "inbox")
        .iter()
        .map(|one| one["document"].as_str().expect("an id").to_owned())
        .collect();
    let distinct: BTreeSet<_> = came.iter().cloned().collect();
    assert_eq!(came.len(), distinct.len(), "none came twice");
    assert_eq!(distinct, promised, "none is lost, and none came from nowhere");
    audited(&world, writer);
    drop(third);
}

#[test]
fn tables_are_copied_from_one_engine_to_the_other_and_back() {
    let Some(server) = Database::start() else { return };
    let mut world = World::new();
    world.write("n.txt", b"text");
    world.write("large.bin", &chancery_tests::noise(700_000, 7));
    world.start("a");
    world.start("b");
    world.send("a", "b", "n.txt", "small", &["--wait", "20"]);
    let large = world.send("a", "b", "large.bin", "large", &["--wait", "20"]);
    world.export("b", "before");
    assert_eq!(world.stop("b"), 0);
    // A second configuration, of the same agency, with the other engine and the same contents.
    let text = std::fs::read_to_string(world.path("b/node.toml")).expect("reads");
    let store = format!(
        "\n[store]\nengine = \"postgres\"\nurl = \"{}\"\nunreplicated = true\ncontents = \"data/content\"\n\
         contents_shared = true\n",
        server.url()
    );
    let text: String = text.split("\n[store]").next().expect("a first part").to_owned() + &store;
    std::fs::write(world.path("b/database.toml"), text).expect("writes");
    let copied =
        world.run("--json store copy --config b/node.toml --to b/database.toml").ok().json();
    assert_eq!(copied["same"], true, "{copied}");
    assert!(copied["entries"].as_u64() > Some(1), "{copied}");
    // Into what is not empty nothing is copied, and what was copied goes on nowhere else.
    let back = world.run("store copy --config b/database.toml --to b/node.toml");
    back.refused(3, "CHY-4063");
    let again = world.run("store copy --config b/node.toml --to b/database.toml");
    again.refused(3, "CHY-4061");
    world.run("node run --config b/node.toml").refused(3, "CHY-4061");
    // It goes on in the database.
    let files = std::fs::read(world.path("b/node.toml")).expect("reads");
    std::fs::copy(world.path("b/database.toml"), world.path("b/node.toml")).expect("copies");
    world.start("b");
    world.send("a", "b", "n.txt", "in the database", &["--wait", "20"]);
    world.clerk("b", &format!("open {large} --out got")).ok();
    world.export("b", "there");
    world.run("audit there --anchor root/ca.pem --against before").ok();
    world.run("store copy --config b/node.toml --to b/files.toml").refused(2, "CHY-4001");
    assert_eq!(world.stop("b"), 0);
    // And back, into a new folder.
    let text =
        String::from_utf8(files).expect("text").replace("data = \"data\"", "data = \"data2\"");
    let text = match text.contains("data2") {
        true => text,
        false => text.replacen("[files]", "[files]\ndata = \"data2\"", 1),
    };
    std::fs::write(world.path("b/node.toml"), &text).expect("writes");
    world.run("store copy --config b/database.toml --to b/node.toml").ok();
    copy_dir(&world.path("b/data/content"), &world.path("b/data2/content"));
    world.start("b");
    world.send("a", "b", "n.txt", "in files again", &["--wait", "20"]);
    world.clerk("b", &format!("open {large} --out got2")).ok();
    assert_eq!(world.list("b", "inbox").len(), 4);
    audited(&world, "b");
    assert!(Path::new(&world.path("b/data2/store/CURRENT")).exists());
    assert_eq!(world.stop("b"), 0);
}
