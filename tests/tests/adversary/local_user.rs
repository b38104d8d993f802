//! Somebody with an account on the same machine, or who hands over a folder: what he lays in the way of a command is
//! neither followed nor waited for, taken over or destroyed, and what he writes steers no terminal.

use std::{
    collections::VecDeque,
    ffi::OsStr,
    io::{Read as _, Write as _},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, symlink},
        net::UnixStream,
    },
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use chancery_tests::{Answer, World, binary, copy_dir};

use crate::meanwhile::{Doors, all_goes_on, little_memory, worst};

/// Runs a command that must end by itself.
fn ends(world: &World, line: &str) -> Answer {
    let mut command = Command::new("timeout");
    command.arg("60").arg(binary()).args(line.split_whitespace());
    let output = command.current_dir(world.dir.path()).stdin(Stdio::null()).env("LANG", "C.UTF-8");
    let output = output.output().unwrap();
    let answer = Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    assert_ne!(answer.code, 124, "{line} does not end");
    answer
}

fn mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o777
}

/// A world with a signed document in the folder `doc`.
fn signed() -> World {
    let world = World::new();
    world.write("a.txt", b"text");
    let line = "doc sign a.txt --to b.zj.gov.cn --type 通知 --title t --with-cades \
                --key certs-a/clerk.key --cert certs-a/clerk.pem --out doc";
    world.run(line).ok();
    world
}

#[test]
fn pipes_devices_and_links_are_neither_waited_for_nor_followed() {
    let world = signed();
    world.run("verify doc --anchor root/ca.pem").ok();
    for (place, name) in
        [("document.cose", "c"), ("parts/a.txt", "p"), ("evidence/x.evidence", "e")]
    {
        for kind in ["fifo", "zero", "link"] {
            let folder = format!("doc-{name}-{kind}");
            copy_dir(&world.path("doc"), &world.path(&folder));
            let path = world.path(&folder).join(place);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            drop(std::fs::remove_file(&path));
            match kind {
                "fifo" => mkfifo(&path),
                "zero" => symlink("/dev/zero", &path).unwrap(),
                // To the very file, elsewhere.
                _ => symlink(world.path("doc").join(place), &path).unwrap(),
            }
            let answer = ends(&world, &format!("--json verify {folder} --anchor root/ca.pem"));
            let (code, why) = match name {
                "c" => (1, "FORMAT_FAILURE"),
                "p" => (5, "SIGNED_DATA_NOT_FOUND"),
                _ => (1, "FORMAT_FAILURE"),
            };
            assert_eq!(answer.code, code, "{answer:?}");
            assert_eq!(answer.json()["documents"][0]["sub_indication"], why, "{answer:?}");
            assert!(answer.stdout.contains(place.rsplit('/').next().unwrap()), "{answer:?}");
        }
    }
    // What somebody names may be a link; still it must be a plain file.
    symlink("doc/document.cose", world.path("named")).unwrap();
    assert!(!ends(&world, "verify named --anchor root/ca.pem").stderr.contains("CHY-4001"));
    mkfifo(&world.path("fifo"));
    symlink("/dev/zero", world.path("zero")).unwrap();
    for path in ["fifo", "zero"] {
        for line in [
            "verify F --anchor root/ca.pem",
            "verify doc --anchor F",
            "doc show F",
            "doc sign F --to b.zj.gov.cn --type 通知 --title t --key certs-a/clerk.key \
             --cert certs-a/clerk.pem --out x",
            "doc new F --to b.zj.gov.cn --type 通知 --title t --from a.zj.gov.cn --out x",
            "doc extract F --out x",
            "import asic F --anchor root/ca.pem --out x",
            "cose verify --key root/ca.pem F",
            "decrypt --key a/encryption.key --out x F",
            "cert show F",
            "audit F --anchor root/ca.pem",
        ] {
            let answer = ends(&world, &line.replace('F', path));
            answer.refused(3, "CHY-4001");
            assert!(!world.path("x").exists(), "{line}");
        }
    }
}

#[test]
fn what_lies_beside_is_neither_taken_over_nor_removed() {
    let mut world = signed();
    world.start("a");
    world.start("b");
    let id = world.send("a", "b", "a.txt", "t", &["--wait", "20"]);
    world
        .run(
            "doc sign a.txt --to b.zj.gov.cn --type 通知 --title t --key certs-a/clerk.key \
               --cert certs-a/clerk.pem --attached --out one",
        )
        .ok();
    world.run("export asic doc --out ok.asice").ok();
    let lines = [
        ("x1", format!("open {id} --out x1")),
        ("x2", "import asic ok.asice --anchor root/ca.pem --out x2".to_owned()),
        ("x3", "doc extract one --out x3".to_owned()),
        ("x4", "ledger export --out x4".to_owned()),
    ];
    for (out, line) in &lines {
        for name in [format!("{out}.partial"), format!(".{out}.new")] {
            std::fs::create_dir_all(world.path(&name).join("parts")).unwrap();
            world.write(&format!("{name}/parts/thesis.txt"), b"years");
        }
        // A link that leads nowhere is something that is there.
        symlink("nowhere", world.path(out)).unwrap();
        world.clerk("b", line).refused(2, "CHY-6015");
        std::fs::remove_file(world.path(out)).unwrap();
        world.clerk("b", line).ok();
        for name in [format!("{out}.partial"), format!(".{out}.new")] {
            let thesis = std::fs::read(world.path(&name).join("parts/thesis.txt")).unwrap();
            assert_eq!(thesis, b"years", "{line}");
        }
        assert!(!world.path(out).join("parts/thesis.txt").exists(), "{line}");
        assert_eq!(mode(&world.path(out)), 0o700, "{line}");
    }
    // For the reader's eyes also when it is moved elsewhere.
    for file in ["x1/document.cose", "x1/parts/a.txt"] {
        assert_eq!(mode(&world.path(file)), 0o600, "{file}");
    }
    // A failed import leaves everything as it was.
    let before = std::fs::read_dir(world.dir.path()).unwrap().count();
    let bytes = std::fs::read(world.path("ok.asice")).unwrap();
    world.write("cut.asice", &bytes[..bytes.len() / 2]);
    assert_ne!(world.run("import asic cut.asice --anchor root/ca.pem --out x9").code, 0);
    assert_eq!(std::fs::read_dir(world.dir.path()).unwrap().count(), before + 1);
}

#[test]
fn a_file_of_somebody_is_not_taken_for_the_notes_of_an_audit() {
    let mut world = World::new();
    world.start("a");
    world.export("a", "out");
    let root = std::fs::read(world.path("root/ca.pem")).unwrap();
    world.write("r", &root);
    let audit = "audit out --anchor root/ca.pem --at 2036-01-01T00:00:00Z --resume";
    world.run(&format!("{audit} r")).refused(2, "CHY-6015");
    assert_eq!(std::fs::read(world.path("r")).unwrap(), root);
    symlink("r", world.path("link")).unwrap();
    world.run(&format!("{audit} link")).refused(3, "CHY-4001");
    assert_eq!(std::fs::read(world.path("r")).unwrap(), root);
    world.write("empty", b"");
    for _ in 0..2 {
        let answer = world.run(&format!("{audit} empty"));
        assert!(!answer.stderr.contains("CHY-"), "{answer:?}");
        let notes = std::fs::read(world.path("empty")).unwrap();
        assert!(notes.starts_with(b"chancery audit notes, version 1\n"));
    }
}

#[test]
fn strays_and_line_ends_mean_nothing_and_names_that_look_alike_are_not_the_same() {
    let world = signed();
    for stray in [".DS_Store", "Thumbs.db", "._a.txt", "desktop.ini"] {
        world.write(&format!("doc/parts/{stray}"), b"left by a system");
        std::fs::create_dir_all(world.path("doc/evidence")).unwrap();
        world.write(&format!("doc/evidence/{stray}"), b"left by a system");
    }
    world.run("verify doc --anchor root/ca.pem").ok();
    // The replacement character is what a name that is no text would be shown with: nothing is signed under such a name.
    world.write("b\u{fffd}.txt", b"text");
    world.write("b.txt", b"text");
    let words = |name: &str| {
        format!(
            "doc sign {name} --to b.zj.gov.cn --type 通知 --title t --key certs-a/clerk.key \
             --cert certs-a/clerk.pem --out alike"
        )
    };
    world.run(&words("b\u{fffd}.txt")).refused(2, "CHY-3001");
    world.run(&words("b.txt")).ok();
    world.run("verify alike --anchor root/ca.pem").ok();
    let other = world.path("alike/parts").join(OsStr::from_bytes(b"b\xff.txt"));
    std::fs::write(other, b"not signed").unwrap();
    assert_eq!(world.run("verify alike --anchor root/ca.pem").code, 5, "it is unsigned content");

    let windows = |name: &str| {
        let text = std::fs::read_to_string(world.path(name)).unwrap();
        world.write(
            &format!("{name}.win"),
            format!("\u{feff}{}", text.replace('\n', "\r\n")).as_bytes(),
        );
    };
    windows("root/ca.pem");
    windows("certs-a/clerk.pem");
    windows("certs-a/clerk.key");
    world.run("verify doc --anchor root/ca.pem.win").ok();
    world
        .run(
            "doc sign a.txt --to b.zj.gov.cn --type 通知 --title t --key certs-a/clerk.key.win \
               --cert certs-a/clerk.pem.win --out win",
        )
        .ok();
    windows("a/node.toml");
    std::fs::rename(world.path("a/node.toml.win"), world.path("a/node.toml")).unwrap();
    windows("a/encryption.key");
    let key = std::fs::read(world.path("a/encryption.key.win")).unwrap();
    world.write("a/encryption.key", &key);
    world.run("node check --config a/node.toml").ok();
}

#[test]
fn what_cannot_be_seen_is_not_signed_into_titles_numbers_and_names() {
    let world = World::new();
    world.write("a.txt", b"text");
    world.write("a\u{200f}b.txt", b"text");
    let sign = |file: &str, title: &str, number: &str| {
        let mut words = vec!["doc", "new", file, "--from", "a.zj.gov.cn", "--to", "b.zj.gov.cn"];
        words.extend(["--type", "通知", "--out", "x", "--title", title, "--number", number]);
        world.clerk_words("a", &words)
    };
    for (file, title, number) in [
        ("a.txt", "", "1"),
        ("a.txt", "　", "1"),
        ("a.txt", "t\u{200b}", "1"),
        ("a.txt", "t\u{2028}u", "1"),
        ("a.txt", "\u{202e}t", "1"),
        ("a.txt", "t", "　"),
        ("a.txt", "t", "1\u{feff}"),
        ("a\u{200f}b.txt", "t", "1"),
    ] {
        let answer = sign(file, title, number);
        answer.refused(2, "CHY-3001");
        assert!(!world.path("x").exists());
        let hidden =
            |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}' | '\u{202e}' | '\u{feff}');
        assert!(!answer.stderr.contains(hidden), "{answer:?}");
    }
    sign("a.txt", "芦\u{e0100}田𬱖同志任职的通知", "浙司〔2026〕1号").ok();
    let named = ["ca", "init", "--dir", "r2", "--permit", "gov.cn", "--no-passphrase", "--display"];
    let answer = world.clerk_words("a", &[named.as_slice(), &["a\u{200b}b"]].concat());
    answer.refused(2, "CHY-6050");
}

#[test]
fn a_classification_that_nobody_knows_is_not_sent_and_every_notation_is_read() {
    let world = World::new();
    world.write("a.txt", b"text");
    let make = |out: &str, more: &[&str]| {
        let mut words = vec!["doc", "new", "a.txt", "--from", "a.zj.gov.cn", "--to", "b.zj.gov.cn"];
        words.extend(["--type", "通知", "--title", "t", "--out", out]);
        words.extend(more);
        world.clerk_words("a", &words)
    };
    for wrong in ["机秘", "secret", "TOP SECRET", "绝密（核心）", "特急", "内部★10年"]
    {
        let answer = make("x", &["--classification", wrong]);
        answer.refused(2, "CHY-3050");
    }
    make("x", &["--secrecy-period", "10年"]).refused(2, "CHY-3050");
    make("x", &["--classification", "机密★1年", "--secrecy-period", "2年"]).refused(2, "CHY-3050");
    for (out, words) in [
        ("c1", vec!["--classification", "机密★10年"]),
        ("c2", vec!["--classification", "機密 ", "--secrecy-period", "１０年"]),
        ("c3", vec!["--classification", "机密（10年）"]),
    ] {
        make(out, &words).ok();
        let header = std::fs::read(world.path(out).join("header.cbor")).unwrap();
        let header = chancery_protocol::unsigned_header::decode(&header).unwrap();
        assert_eq!(header.classification.as_deref(), Some("机密"), "{words:?}");
        assert_eq!(header.secrecy_period.as_deref(), Some("10年"), "{words:?}");
    }
}

#[test]
fn a_reader_who_goes_ends_a_command_quietly() {
    let mut world = World::new();
    world.start("a");
    world.start("b");
    world.write("n.txt", b"text");
    for number in 0..3 {
        world.send("a", "b", "n.txt", &format!("t{number}"), &["--wait", "20"]);
    }
    world.export("a", "out");
    for line in [
        "outbox --limit 1000",
        "--json outbox",
        "explain CHY-4001",
        "ledger show",
        "node settings",
        "node policies",
        "node status",
        "search t",
        "audit out --anchor root/ca.pem",
        "completions bash",
        "--help",
        "cert show root/ca.pem",
    ] {
        let mut child = Command::new(binary())
            .args(line.split_whitespace())
            .current_dir(world.dir.path())
            .env("CHANCERY_SOCKET", "a/node.sock")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(0 | 141)), "{line}: {code:?} {said}");
        assert_eq!(said, "", "{line}");
        // Whoever cannot be told because a disk is full is no reader who has gone.
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let full = Command::new(binary())
            .args(line.split_whitespace())
            .current_dir(world.dir.path())
            .env("CHANCERY_SOCKET", "a/node.sock")
            .stdout(full)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&full.stderr);
        assert!(!said.contains("panicked"), "{line}: {said}");
        if line != "--help" {
            assert_eq!(full.status.code(), Some(3), "{line}: {said}");
        }
    }
}

#[test]
fn a_user_with_thousands_of_connections_keeps_no_clerk_out() {
    let mut world = World::new();
    let (doors, _) = Doors::of(&mut world, "b", &["erp"]);
    world.start("a");
    world.start("b");
    let socket = world.path("b/node.sock");
    // Connections that say nothing, and that announce a frame as long as may be and never send it.
    let announced = (4_u32 << 20).to_be_bytes();
    for first in [&[][..], &[&announced[..], &vec![0; 100_000]].concat()] {
        let end = Instant::now() + worst();
        std::thread::scope(|scope| {
            let crowd = scope.spawn(|| {
                let (mut crowd, mut made) = (VecDeque::new(), 0);
                while Instant::now() < end {
                    let mut stream = UnixStream::connect(&socket).unwrap();
                    stream.set_nonblocking(true).unwrap();
                    // What the node does not take now, it is not sent.
                    drop(stream.write(first));
                    crowd.push_back(stream);
                    made += 1;
                    if crowd.len() > 4000 {
                        crowd.pop_front();
                    }
                    // There is one machine for all.
                    std::thread::sleep(Duration::from_micros(500));
                }
                made
            });
            all_goes_on(&world, end, &|| doors.look_up());
            let made = crowd.join().unwrap();
            assert!(made > 3000, "{made} connections were made");
        });
        little_memory(&world, "b");
    }
}
