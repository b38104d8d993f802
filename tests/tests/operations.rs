//! What an operator does with a node: watch it, reload it, renew its certificates and keys, say who may do what.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::{
    os::unix::net::UnixDatagram,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use chancery_tests::{World, free_address, tool};

fn signal(world: &World, agency: &str, name: &str) {
    let pid = world.pid(agency).to_string();
    assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
}

/// Puts another certificate, or key, in the place of one.
fn replace(world: &World, from: &str, to: &str) {
    let fresh = world.path(&format!("{to}.new"));
    std::fs::copy(world.path(from), &fresh).unwrap();
    std::fs::rename(fresh, world.path(to)).unwrap();
}

#[test]
fn health_readiness_and_metrics_say_how_a_node_is() {
    let mut world = World::new();
    let address = free_address();
    world.set("a", "monitor.listen", &address.to_string());
    world.write("n.txt", b"text");
    std::fs::rename(world.path("a/directory.cose"), world.path("directory.kept")).unwrap();
    world.start("a");
    world.start("b");
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let get = |path: &str| {
        let mut answer = agent.get(format!("http://{address}{path}")).call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    };
    assert_eq!(get("/healthz"), (200, "ok\n".into()));
    let (status, why) = get("/readyz");
    assert_eq!(status, 503, "{why}");
    assert!(why.contains("directory"), "{why}");
    world.clerk("a", "directory install directory.kept").ok();
    assert_eq!(get("/readyz"), (200, "ok\n".into()));
    world.send("a", "b", "n.txt", "one", &["--wait", "20"]);
    let (_, metrics) = get("/metrics");
    for line in [
        "chancery_documents_accepted_total 1",
        "chancery_deliveries_ended_total{state=\"delivered\"} 1",
        "chancery_deliveries_pending 0",
        "chancery_peers_connected 1",
        "chancery_ledger_entries 2",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line}: {metrics}");
    }
    assert!(
        metrics.contains("chancery_expires_in_seconds{what=\"node certificate\"}"),
        "{metrics}"
    );
    assert!(metrics.ends_with("# EOF\n"));
    // A disk that is nearly full: not ready, and peers are put off until there is room.
    world.stop("a");
    world.set("a", "limits.free_bytes", &(1u64 << 60).to_string());
    world.start("a");
    assert!(get("/readyz").1.contains("disk"), "{}", get("/readyz").1);
    world.send("b", "a", "n.txt", "put off", &[]);
    world.wait("it is put off", 20, |w| w.log("a").contains("CHY-5012"));
    assert_eq!(world.pending("b"), 1);
    assert!(get("/metrics").1.contains("chancery_offers_refused_total{code=\"CHY-5012\"}"));
    world.stop("a");
    world.set("a", "limits.free_bytes", "0");
    world.start("a");
    world.wait("it arrives", 60, |w| w.pending("b") == 0);
}

#[test]
fn systemd_is_told_when_the_node_is_ready_alive_reloading_and_stopping() {
    let mut world = World::new();
    let path = world.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let next = || {
        let mut buffer = [0; 4096];
        let read = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    };
    let path = path.to_string_lossy().into_owned();
    world.node_env =
        vec![("NOTIFY_SOCKET".into(), path), ("WATCHDOG_USEC".into(), "600000".into())];
    world.spawn("a");
    assert!(next().contains("READY=1"));
    // Asked for every 600 ms, it is told in time.
    for _ in 0..3 {
        assert!(next().contains("WATCHDOG=1"));
    }
    signal(&world, "a", "HUP");
    let mut said = String::new();
    while !said.contains("READY=1") {
        said += &next();
    }
    assert!(said.contains("RELOADING=1\nMONOTONIC_USEC="), "{said}");
    assert_eq!(world.stop("a"), 0);
    let mut said = String::new();
    while !said.contains("STOPPING=1") {
        said = next();
    }
}

#[test]
fn certificates_seal_and_keys_are_renewed_under_load_without_a_lost_document() {
    let mut world = World::new();
    for agency in ["a", "b"] {
        world.set(agency, "limits.witness_seconds", "1");
    }
    world.write("n.txt", b"text");
    world.start("a");
    world.start("b");
    let before = world.send("a", "b", "n.txt", "before", &["--wait", "20"]);
    let own = world.send("b", "a", "n.txt", "before, from b", &["--wait", "20"]);
    let (done, world_) = (AtomicBool::new(false), &world);
    let version = |n: u64| {
        let args = format!(
            "directory add-agency b/new-{n}.card --to directory-{}.cose --out directory-{n}.cose --key \
             registry/seal.key --cert registry/seal.pem --anchor root/ca.pem",
            n - 1
        );
        world_.run(&args).ok();
        world_.clerk("a", &format!("directory install directory-{n}.cose")).ok();
        world_.wait("the directory spreads", 20, |w| {
            w.clerk("b", "--json node status").ok().json()["directory_version"].as_u64() == Some(n)
        });
    };
    let sent = std::thread::scope(|scope| {
        let clerk = scope.spawn(|| {
            let mut sent = Vec::new();
            while !done.load(Ordering::Relaxed) {
                sent.push(world_.send("a", "b", "n.txt", "under way", &[]));
            }
            sent
        });
        // The node's certificate, with another key.
        world_.issue("node", "b.zj.gov.cn", "renewed-b", "p256");
        replace(world_, "renewed-b/node.key", "b/node.key");
        replace(world_, "renewed-b/node.pem", "b/node.pem");
        signal(world_, "b", "HUP");
        world_.wait("taken up", 10, |w| w.log("b").contains("are those in the files now"));
        // The seal, with another key: first at the node, then in the directory.
        world_.issue("seal", "b.zj.gov.cn", "renewed-b", "p384");
        replace(world_, "renewed-b/seal.key", "b/seal.key");
        replace(world_, "renewed-b/seal.pem", "b/seal.pem");
        world_.clerk("b", "node reload").ok();
        std::thread::sleep(Duration::from_millis(500));
        world_.run("node card --config b/node.toml --out b/new-2.card").ok();
        version(2);
        // The encryption key.
        world_.run("node rotate-key --config b/node.toml --out b/new-3.card").ok();
        world_.clerk("b", "node reload").ok();
        version(3);
        std::thread::sleep(Duration::from_millis(500));
        done.store(true, Ordering::Relaxed);
        clerk.join().unwrap()
    });
    world.wait("all is delivered", 60, |w| w.pending("a") == 0);
    assert!(sent.len() > 10, "{}", sent.len());
    let inbox = world.list("b", "inbox");
    assert_eq!(inbox.len(), sent.len() + 1);
    assert!(inbox.iter().all(|v| v["error"].is_null()), "all of it can be read");
    // At their start both may have dialled.
    let ended = world.log("a").matches("connection ended peer=b").count();
    assert_eq!(ended, 0, "no connection was dropped: {}", world.log("a"));
    // What was encrypted to the old key, or under the key derived from it, opens after a restart, too.
    world.stop("b");
    world.start("b");
    for (id, out) in [(&before, "out-1"), (sent.last().unwrap(), "out-2"), (&own, "out-3")] {
        world.clerk("b", &format!("open {id} --out {out}")).ok();
        world.run(&format!("verify {out} --anchor root/ca.pem")).ok();
    }
    for agency in ["a", "b"] {
        world.export(agency, &format!("ledger-{agency}"));
    }
    world.run("audit ledger-a ledger-b --anchor root/ca.pem").ok();
    // Without any list it stays open who is revoked: also of the seal before, and nothing is called forged for that.
    let open = world.run("--json audit ledger-b --anchor root/ca.pem --require-revocation");
    assert_eq!(open.code, 5, "{open:?}");
    assert_eq!(open.json()["ledgers"][0]["indication"], "INDETERMINATE");
    // What does not fit is not taken up, and all goes on as it was.
    replace(&world, "certs-a/node.pem", "b/node.pem");
    world.clerk("b", "node reload").refused(3, "CHY-4002");
    world.send("a", "b", "n.txt", "after", &["--wait", "20"]);
    world.run("node check --config b/node.toml").refused(2, "CHY-4002");
    world.run("node check --config a/node.toml").ok();
}

#[test]
fn roles_and_rules_decide_who_may_do_what_and_refusals_name_the_rule() {
    let mut world = World::new();
    world.issue("officer", "chief@a.zj.gov.cn", "certs-a", "p256");
    world.set("a", "access.roles.clerk", "['clerk@a.zj.gov.cn', 'chief@a.zj.gov.cn', 'unix:*']");
    world.set("a", "access.roles.cleared", "['chief@a.zj.gov.cn']");
    world.write("n.txt", b"text");
    world.start("a");
    world.start("b");
    let send = |world: &World, level: &str, who: &str| {
        let key = [format!("certs-a/{who}.key"), format!("certs-a/{who}.pem")];
        world.clerk_words(
            "a",
            &[
                "send",
                "n.txt",
                "--to",
                "b.zj.gov.cn",
                "--type",
                "通知",
                "--title",
                "t",
                "--classification",
                level,
                "--key",
                &key[0],
                "--cert",
                &key[1],
                "--wait",
                "20",
            ],
        )
    };
    send(&world, "内部", "clerk").ok();
    let refused = send(&world, "机密", "clerk");
    refused.refused(4, "CHY-4018");
    assert!(refused.stderr.contains("rule secrets-are-for-the-cleared"), "{refused:?}");
    assert!(refused.stderr.contains("clerk@a.zj.gov.cn (roles: clerk)"), "{refused:?}");
    // The refusal is in the ledger, and its journey names the rule.
    let digits = refused.stderr.split("(recorded: chancery trace ").nth(1).unwrap();
    let trace = world.clerk("a", &format!("trace {}", &digits[..12])).ok();
    assert!(trace.stdout.contains("SubmissionRejection  a.zj.gov.cn #"), "{trace:?}");
    assert!(trace.stdout.contains("(CHY-4018: rule secrets-are-for-the-cleared)"), "{trace:?}");
    send(&world, "机密", "chief").ok();
    let list = world.list("a", "outbox");
    assert_eq!(list.len(), 2);
    assert_eq!(list[0]["classification"], "机密");
    // This machine's users are not cleared: they see that there is such a document, and cannot open it.
    let id = list[0]["document"].as_str().unwrap();
    world.clerk("a", &format!("open {id} --out x")).refused(4, "CHY-4018");

    // Rules of one's own.
    let rules = world.run("node policies").ok().stdout;
    let own = format!(
        "{rules}\n@id(\"no-letters-on-paper\")\nforbid (principal, action == Action::\"send\", resource)\n\
         when {{ resource.kind == \"函\" }};\n"
    );
    world.write("a/own.cedar", own.as_bytes());
    world.stop("a");
    world.set("a", "access.policies", "own.cedar");
    world.start("a");
    let words = ["send", "n.txt", "--to", "b.zj.gov.cn", "--title", "t", "--type"];
    let letter = world.clerk_words("a", &[words.as_slice(), &["函"]].concat());
    letter.refused(4, "CHY-4018");
    assert!(letter.stderr.contains("rule no-letters-on-paper"), "{letter:?}");
    world.clerk_words("a", &[words.as_slice(), &["通知"]].concat()).ok();

    // Nobody is a clerk: nothing is shown, nothing goes out, and the operator still operates.
    world.stop("a");
    world.set("a", "access.roles.clerk", "[]");
    world.start("a");
    world.clerk_words("a", &[words.as_slice(), &["通知"]].concat()).refused(4, "CHY-4018");
    for list in ["inbox", "outbox", "search t"] {
        world.clerk("a", list).refused(4, "CHY-4018");
    }
    world.clerk("a", "node status").ok();
    world.clerk("a", "ledger backup").ok();

    // A rule that cannot mean what it says stops the start, with its place.
    world.write(
        "a/own.cedar",
        b"@id(\"x\") permit (principal in Role::\"clerk\", action, resource) when {",
    );
    let check = world.run_env(
        "node check --config a/node.toml",
        &[("CHANCERY_NODE__ACCESS__POLICIES", "own.cedar")],
    );
    check.refused(2, "CHY-4002");
    assert!(check.stderr.contains("own.cedar"), "{check:?}");
}

/// The library that gives a process another time, where it is installed.
fn faketime(world: &World) -> Option<String> {
    tool(world, "faketime", "--version")?;
    let places = std::fs::read_dir("/usr/lib").ok()?;
    let place = places.map(|place| place.unwrap().path().join("faketime/libfaketime.so.1"));
    Some(place.into_iter().find(|path| path.exists())?.to_string_lossy().into_owned())
}

#[test]
fn a_clock_that_is_wrong_is_said() {
    let mut world = World::new();
    let Some(library) = faketime(&world) else { return };
    world.write("n.txt", b"text");
    world.start("b");
    world.node_env = vec![("LD_PRELOAD".into(), library), ("FAKETIME".into(), "-150s".into())];
    world.start("a");
    world.send("a", "b", "n.txt", "late", &[]);
    world.wait("it is said", 10, |w| w.log("a").contains("this clock and the peer's differ"));
    assert!(world.log("a").contains("ahead_seconds=-1"), "{}", world.log("a"));
    // A receipt from the future is no evidence yet. It is taken when the clock is right.
    assert_eq!(world.pending("a"), 1);
    world.stop("a");
    world.node_env.clear();
    world.start("a");
    world.wait("the delivery", 30, |w| w.pending("a") == 0);
    for agency in ["a", "b"] {
        world.export(agency, &format!("ledger-{agency}"));
    }
    world.run("audit ledger-a ledger-b --anchor root/ca.pem").ok();
}

#[test]
fn a_clock_that_jumps_loses_nothing_and_is_said() {
    let mut world = World::new();
    let Some(library) = faketime(&world) else { return };
    let file = world.path("clock").to_string_lossy().into_owned();
    let set = |world: &World, offset: &str| {
        world.write("clock", offset.as_bytes());
    };
    set(&world, "+0s");
    world.node_env = [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", file.as_str()),
        ("FAKETIME_NO_CACHE", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    world.write("n.txt", b"text");
    world.start("a");
    world.node_env.clear();
    world.start("b");
    let mut sent = 0;
    for offset in ["+0s", "+3600s", "-90s", "+0s"] {
        set(&world, offset);
        for n in 0..3 {
            // The node may think that a signature comes from the future: that is said, and nothing is promised.
            let title = format!("{offset} {n}");
            let words =
                ["send", "n.txt", "--to", "b.zj.gov.cn", "--type", "通知", "--title", &title];
            sent += usize::from(world.clerk_words("a", &words).code == 0);
        }
    }
    assert!(sent >= 6, "{sent}");
    world.wait("all deliveries", 30, |w| w.pending("a") == 0);
    assert_eq!(world.list("b", "inbox").len(), sent);
    world.wait("it is said", 40, |w| {
        w.log("a").contains("the clock of this machine was set") || {
            set(w, if w.log("a").len() % 2 == 0 { "+600s" } else { "-600s" });
            std::thread::sleep(Duration::from_secs(11));
            false
        }
    });
    set(&world, "+0s");
    for agency in ["a", "b"] {
        world.export(agency, &format!("ledger-{agency}"));
    }
    world.run("audit ledger-a ledger-b --anchor root/ca.pem").ok();
}

#[test]
fn settings_are_checked_and_their_mistakes_explained() {
    let world = World::new();
    let text = std::fs::read_to_string(world.path("a/node.toml")).unwrap();
    world.write("a/bad.toml", text.replace("peer_streams", "peer_stream").as_bytes());
    let refused = world.run("node run --config a/bad.toml");
    refused.refused(2, "CHY-4002");
    assert!(refused.stderr.contains("did you mean `peer_streams`?"), "{refused:?}");
    let env = [("CHANCERY_NODE__LIMITS__PEER_STREAM", "1")];
    world.run_env("node check --config a/node.toml", &env).refused(2, "CHY-4002");
    let env = [("CHANCERY_NODE__LIMITS__PEER_STREAMS", "9")];
    world.run_env("node check --config a/node.toml", &env).ok();
    let sample = world.run("node settings").ok().stdout;
    assert!(sample.contains("[limits]") && sample.contains("peer_rate"), "{sample}");
    world.run("man --out man").ok();
    let page = std::fs::read_to_string(world.path("man/chancery-send.1")).unwrap();
    assert!(page.contains("chancery send"), "{page}");
}
