//! The Debian package: made, installed into a root of its own, upgraded and removed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{path::PathBuf, process::Command};

use chancery_tests::{World, binary};

/// Runs a program and gives what it said.
#[track_caller]
fn run(program: &str, args: &[&str], env: &[(&str, &str)]) -> String {
    let output = Command::new(program).args(args).envs(env.iter().copied()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {said}");
    said
}

/// Whether this machine makes Debian packages; if not, that is said.
fn can_make() -> bool {
    let can = Command::new("dpkg-deb").arg("--version").output().is_ok();
    if !can {
        eprintln!("skipped: dpkg-deb is not installed");
    }
    can
}

/// Makes the package in a folder of the world, and gives its path.
fn make(world: &World, folder: &str, revision: &str) -> String {
    let script = chancery_tests::package().join("../scripts/deb.sh");
    let script = script.to_string_lossy().into_owned();
    let program = binary().to_string_lossy().into_owned();
    let out = world.path(folder).to_string_lossy().into_owned();
    let said = run(&script, &[&program, &out], &[("DEB_REVISION", revision)]);
    said.lines().last().unwrap().to_owned()
}

/// The exit code that says that the machine lacks what the test needs.
const CANNOT: i32 = 77;

#[test]
fn under_systemd_the_node_starts_reloads_recovers_upgrades_and_stops() {
    if !can_make() {
        return;
    }
    let world = World::new();
    make(&world, "first", "1");
    make(&world, "second", "2");
    world.write("note.txt", b"the text");
    let stamps = "ca issue --ca root --profile timestamp --name tsa.gov.cn --display TSA --out tsa";
    world.run(&format!("{stamps} --no-passphrase")).ok();
    let boot = chancery_tests::package().join("systemd/boot.sh");
    let output = Command::new(boot).arg(world.dir.path()).output().unwrap();
    if output.status.code() == Some(CANNOT) {
        eprintln!("skipped: no systemd can be booted here (root, namespaces, overlay)");
        return;
    }
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("== done"), "{said}");
}

#[test]
fn the_debian_package_installs_upgrades_and_leaves_the_ledger_when_it_goes() {
    if !can_make() {
        return;
    }
    let world = World::new();
    let make = |revision: &str| make(&world, "deb", revision);
    // A root in which nothing is installed; what the package depends on is this machine's.
    let root = world.path("root");
    std::fs::create_dir_all(root.join("var/lib/dpkg/info")).unwrap();
    std::fs::create_dir_all(root.join("var/lib/dpkg/updates")).unwrap();
    std::fs::create_dir_all(root.join("etc")).unwrap();
    std::fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    let at = format!("--root={}", root.display());
    let dpkg = |words: &[&str]| {
        let force = ["--force-script-chrootless", "--force-depends", "--force-not-root"];
        run("dpkg", &[&[at.as_str()], force.as_slice(), words].concat(), &[])
    };
    dpkg(&["-i", &make("1")]);
    let inside = |path: &str| -> PathBuf { root.join(path) };
    let installed = inside("usr/bin/chancery").to_string_lossy().into_owned();
    assert!(run(&installed, &["--version"], &[]).starts_with("chancery "));
    let users = std::fs::read_to_string(inside("etc/passwd")).unwrap();
    assert!(users.contains("chancery:"), "{users}");
    let mode = std::os::unix::fs::MetadataExt::mode(&inside("etc/chancery").metadata().unwrap());
    assert_eq!(mode & 0o777, 0o700);
    for path in [
        "usr/share/man/man1/chancery-send.1.gz",
        "usr/share/bash-completion/completions/chancery",
        "usr/share/doc/chancery/examples/node.toml",
        "usr/share/doc/chancery/copyright",
    ] {
        assert!(inside(path).exists(), "{path}");
    }
    let unit = std::fs::read_to_string(inside("lib/systemd/system/chancery.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/chancery node run"), "{unit}");
    let unit = inside("lib/systemd/system/chancery.service").to_string_lossy().into_owned();
    if Command::new("systemd-analyze").arg("--version").output().is_ok() {
        let judged = run("systemd-analyze", &["security", "--offline=true", &unit], &[]);
        let level = judged.lines().rev().find(|line| line.contains("exposure level")).unwrap();
        let level: f64 =
            level.split(": ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        assert!(level < 2.0, "the unit is exposed: {judged}");
    }
    // The node's data is nobody's but the operator's: an upgrade, a removal and a purge leave it.
    std::fs::create_dir_all(inside("var/lib/chancery/store")).unwrap();
    std::fs::write(inside("var/lib/chancery/store/x"), "a ledger").unwrap();
    std::fs::write(inside("etc/chancery/seal.key"), "a key").unwrap();
    let said = dpkg(&["-i", &make("2")]);
    assert!(said.contains("-2) over ("), "{said}");
    dpkg(&["-r", "chancery"]);
    assert!(!inside("usr/bin/chancery").exists());
    dpkg(&["-P", "chancery"]);
    assert!(
        inside("var/lib/chancery/store/x").exists() && inside("etc/chancery/seal.key").exists()
    );
}
