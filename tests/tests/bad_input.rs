//! Bad input for each command: a coded error that says what, where and how to mend it; the right
//! exit code; and nothing lost or changed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt as _, path::Path};

use chancery_tests::{World, noise};

/// Every file below a folder and its size, but for logs and what the nodes' stores hold.
fn tree(folder: &Path) -> BTreeMap<String, u64> {
    let mut out = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.ends_with("data/store") {
                    open.push(path);
                }
            } else if !name.ends_with(".log") {
                out.insert(name, path.metadata().unwrap().len());
            }
        }
    }
    out
}

#[test]
fn bad_input_gets_a_coded_error_and_changes_nothing() {
    let mut world = World::new();
    world.add_agency("c", "p256");
    world.start("a");
    world.start("b");
    let text = world.write("n.txt", b"text");
    world.write("junk.bin", &noise(2000, 5));
    std::fs::create_dir(world.path("other")).unwrap();
    std::fs::copy(&text, world.path("other/n.txt")).unwrap();
    let id = world.send("a", "b", "n.txt", "Good", &["--wait", "30"]);
    world.export("a", "ledger-a");
    world.clerk("b", &format!("open {id} --out received")).ok();
    world.write("pass", b"right\n");
    world.write("wrong", b"wrong\n");
    world.write("empty", b"");
    world.run("ca init --dir locked --display Locked --new-passphrase-file pass").ok();
    let config = std::fs::read_to_string(world.path("a/node.toml")).unwrap();
    world.write("a/typo.toml", config.replace("listen", "listn").as_bytes());
    let large = config.replace("inline_bytes = 262144", "inline_bytes = 99999999");
    world.write("a/large.toml", large.as_bytes());

    let a = format!("{id} --socket a/node.sock");
    let b = format!("{id} --socket b/node.sock");
    let send =
        "send --socket a/node.sock --key certs-a/clerk.key --cert certs-a/clerk.pem --title T";
    let init = "node init --display x --listen 127.0.0.1:1 --anchor root/ca.pem --registrar \
                registry.zj.gov.cn --dir new --agency c.zj.gov.cn";
    let c_seal = "--seal-cert certs-c/seal.pem --seal-key certs-c/seal.key";
    let c_node = "--node-cert certs-c/node.pem --node-key certs-c/node.key";
    let issue = "ca issue --display x --out new --no-passphrase";
    let publish = "directory publish --out new.cose --version-number 2 --anchor root/ca.pem";
    let registry = "--key registry/seal.key --cert registry/seal.pem";
    let before = tree(world.dir.path());
    let entries = |w: &World| {
        ["a", "b"].map(|x| w.clerk(x, "--json ledger status").ok().json()["size"].clone())
    };
    let sizes = entries(&world);

    let cases: Vec<(String, i32, &str)> = vec![
        // The command line itself.
        ("frobnicate".into(), 2, "CHY-6000"),
        ("send n.txt".into(), 2, "CHY-6000"),
        ("verify received --anchor root/ca.pem --at yesterday".into(), 2, "CHY-6000"),
        (format!("{send} n.txt --to Bad_Name --type 通知"), 2, "CHY-6000"),
        // CAs and certificates.
        ("ca init --dir root --display x --no-passphrase".into(), 2, "CHY-6015"),
        ("ca init --dir new --display x".into(), 2, "CHY-6004"),
        ("ca init --dir new --display x --new-passphrase-file empty".into(), 2, "CHY-6002"),
        ("ca init --dir new --display x --new-passphrase-file nowhere".into(), 2, "CHY-4001"),
        (format!("{issue} --ca nowhere --profile seal --name a.zj.gov.cn"), 2, "CHY-4001"),
        (format!("{issue} --ca locked --profile seal --name a.zj.gov.cn"), 2, "CHY-1003"),
        (
            format!("{issue} --ca locked --profile seal --name a.b --passphrase-file wrong"),
            2,
            "CHY-1004",
        ),
        (format!("{issue} --ca zj --profile seal"), 2, "CHY-6005"),
        (format!("{issue} --ca zj --profile seal --name UPPER.gov.cn"), 2, "CHY-2001"),
        (format!("{issue} --ca zj --profile officer --name a.zj.gov.cn"), 2, "CHY-2001"),
        (format!("{issue} --ca zj --profile seal --name a.sh.gov.cn"), 2, "CHY-2005"),
        (format!("{issue} --ca zj --profile seal --name a.zj.gov.cn --days 99999"), 2, "CHY-2004"),
        (format!("{issue} --ca zj --profile intermediate --permit hz.zj.gov.cn"), 2, "CHY-2004"),
        (format!("{issue} --ca root --profile intermediate"), 2, "CHY-2004"),
        ("cert show junk.bin".into(), 2, "CHY-2003"),
        ("cert show nowhere.pem".into(), 2, "CHY-4001"),
        ("cert verify --anchor junk.bin certs-a/seal.pem".into(), 2, "CHY-2003"),
        // Directories and nodes.
        (format!("{publish} {registry} junk.bin"), 2, "CHY-1009"),
        (
            format!("{publish} --key certs-a/clerk.key --cert certs-a/clerk.pem a/agency.card"),
            2,
            "CHY-6010",
        ),
        (
            format!("{publish} --key certs-a/seal.key --cert certs-b/seal.pem a/agency.card"),
            2,
            "CHY-6011",
        ),
        (
            "directory show --registrar b.zj.gov.cn --anchor root/ca.pem directory-1.cose".into(),
            2,
            "CHY-2012",
        ),
        ("directory install junk.bin --socket a/node.sock".into(), 2, "CHY-1009"),
        (
            format!("{init} {c_seal} --node-cert certs-a/node.pem --node-key certs-a/node.key"),
            2,
            "CHY-6011",
        ),
        (
            format!("{init} {c_node} --seal-cert certs-c/seal.pem --seal-key locked/ca.key"),
            2,
            "CHY-1003",
        ),
        (format!("{init} --dir a {c_seal} {c_node}").replace("--dir new ", ""), 2, "CHY-6015"),
        ("node run --config nowhere.toml".into(), 2, "CHY-4001"),
        ("node run --config a/typo.toml".into(), 2, "CHY-4002"),
        ("node run --config a/large.toml".into(), 2, "CHY-4002"),
        ("node status --socket nowhere.sock".into(), 3, "CHY-4001"),
        // Clerks.
        (format!("{send} n.txt --to b.zj.gov.cn --type 便条"), 2, "CHY-7001"),
        (format!("{send} nowhere.txt --to b.zj.gov.cn --type 通知"), 2, "CHY-4001"),
        (format!("{send} other --to b.zj.gov.cn --type 通知"), 3, "CHY-4001"),
        (format!("{send} n.txt other/n.txt --to b.zj.gov.cn --type 通知"), 2, "CHY-3001"),
        (format!("{send} n.txt --to nobody.zj.gov.cn --type 通知"), 2, "CHY-4008"),
        (format!("{send} n.txt --to a.zj.gov.cn --type 通知"), 2, "CHY-4010"),
        (
            format!("{send} n.txt --to b.zj.gov.cn --type 通知")
                .replace("certs-a/clerk", "certs-b/clerk"),
            2,
            "CHY-4010",
        ),
        (
            format!("{send} n.txt --to b.zj.gov.cn --type 通知")
                .replace("a/clerk.key", "b/clerk.key"),
            2,
            "CHY-6011",
        ),
        ("inbox --socket nowhere.sock".into(), 3, "CHY-4001"),
        ("open 00000000 --socket b/node.sock --out new".into(), 1, "CHY-4011"),
        ("open zzz --socket b/node.sock --out new".into(), 1, "CHY-4011"),
        (format!("open {b} --out received"), 2, "CHY-6015"),
        ("trace 00000000 --socket a/node.sock".into(), 1, "CHY-4011"),
        (format!("receive {a} --key certs-a/clerk.key --cert certs-a/clerk.pem"), 2, "CHY-6009"),
        // Ledgers and verdicts.
        ("ledger prove --entry 99999 --socket a/node.sock".into(), 1, "CHY-4011"),
        ("ledger prove --since 99999 --socket a/node.sock".into(), 1, "CHY-4011"),
        ("ledger export --out ledger-a --socket a/node.sock".into(), 2, "CHY-6015"),
        ("verify nowhere --anchor root/ca.pem".into(), 2, "CHY-4001"),
        ("verify received --anchor nowhere.pem".into(), 2, "CHY-4001"),
        ("audit received --anchor root/ca.pem".into(), 2, "CHY-4001"),
        ("bench exchange --clerks 0".into(), 2, "CHY-6021"),
    ];
    for (line, exit, code) in &cases {
        let answer = world.run(line);
        assert!(answer.code == *exit, "chancery {line}\n{answer:#?}");
        answer.refused(*exit, code);
        assert!(answer.stdout.is_empty(), "chancery {line}\n{answer:#?}");
    }
    assert_eq!(tree(world.dir.path()), before);
    // Nothing but that a's node refused what its own officer had signed: an agency that it does not know, and an act
    // that it does not take.
    let shown = world.clerk("a", "ledger show").ok().stdout;
    assert_eq!(shown.matches("SubmissionRejection").count(), 2, "{shown}");
    let after: Vec<_> = entries(&world).iter().map(|n| n.as_u64().unwrap()).collect();
    assert_eq!(after, [sizes[0].as_u64().unwrap() + 2, sizes[1].as_u64().unwrap()]);

    // Verdicts on what is no document are answers, not errors.
    let answer = world.run("--json verify junk.bin --anchor root/ca.pem");
    assert_eq!(answer.code, 1, "{answer:?}");
    assert_eq!(answer.json()["documents"][0]["sub_indication"], "FORMAT_FAILURE");
    assert_eq!(world.run("cert verify --anchor locked/ca.pem certs-b/seal.pem").code, 1);

    // A key that others may read is refused by the daemon.
    world.stop("a");
    let key = world.path("a/seal.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    world.run("node run --config a/node.toml").refused(3, "CHY-4003");
}

#[test]
fn secrets_are_kept_from_other_users_and_out_of_logs() {
    let mut world = World::new();
    world.start("a");
    world.start("b");
    world.write("n.txt", b"text");
    world.send("a", "b", "n.txt", "A very secret title", &["--wait", "30"]);
    for name in [
        "root/ca.key",
        "zj/ca.key",
        "certs-a/clerk.key",
        "a/seal.key",
        "a/node.key",
        "a/encryption.key",
        "a/node.sock",
    ] {
        let mode = world.path(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name} has mode {mode:o}");
    }
    let mode = world.path("a/data").metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
    let seed = std::fs::read_to_string(world.path("b/encryption.key")).unwrap();
    for agency in ["a", "b"] {
        let log = world.log(agency);
        assert!(log.contains("node is up"));
        for secret in ["secret title", "n.txt", seed.trim(), "PRIVATE KEY"] {
            assert!(!log.contains(secret), "the log of {agency} holds {secret:?}");
        }
    }
    // At rest, nothing of the content is in the clear.
    world.stop("b");
    let grep = std::process::Command::new("grep")
        .args(["-r", "-l", "-a", "secret title"])
        .arg(world.path("b/data"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&grep.stdout), "");
}

#[test]
fn help_and_errors_read_as_they_should() {
    let world = World::new();
    let help = |line: &str| world.run(line).ok().stdout;
    insta::assert_snapshot!("help", help("--help"));
    insta::assert_snapshot!("help-send", help("send --help"));
    insta::assert_snapshot!("help-verify", help("verify --help"));
    insta::assert_snapshot!("error", world.run("cert show nowhere.pem").stderr);
    insta::assert_snapshot!("error-zh", world.run("--lang zh cert show nowhere.pem").stderr);
    insta::assert_snapshot!("error-json", world.run("--json cert show nowhere.pem").stderr);
    for command in [
        "send",
        "open",
        "receive",
        "trace",
        "verify",
        "audit",
        "ca init",
        "ca issue",
        "node init",
        "node run",
        "ledger export",
        "doc sign",
    ] {
        let text = help(&format!("{command} --help"));
        assert!(text.contains("Example"), "`{command} --help` shows no example:\n{text}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(help(&format!("completions {shell}")).contains("chancery"));
    }
}
