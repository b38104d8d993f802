//! Modules at a node: installed by an officer's act, filed by command, decided, recorded, and decided again elsewhere.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::path::PathBuf;

use chancery_tests::{Answer, World, package};
use serde_json::Value;

/// A module that comes with Chancery.
fn built_in(name: &str) -> PathBuf {
    package().parent().unwrap().join("apps/modules").join(name)
}

/// An agency whose clerk may appoint, with the officers of a press office.
struct Press {
    world: World,
}

impl Press {
    fn new() -> Self {
        let mut world = World::new();
        world.set("a", "access.appointer", "clerk@a.zj.gov.cn");
        for officer in ["wang", "li", "zhang", "chen"] {
            world.issue("officer", &format!("{officer}@a.zj.gov.cn"), "certs-a", "p256");
        }
        world.start("a");
        Self { world }
    }

    /// Runs a command as an officer.
    fn by(&self, officer: &str, words: &[&str]) -> Answer {
        let (key, cert) = (format!("certs-a/{officer}.key"), format!("certs-a/{officer}.pem"));
        self.world.clerk_words("a", &[words, &["--key", &key, "--cert", &cert]].concat())
    }

    fn appoint(&self, officer: &str, role: &str) {
        let officer = format!("{officer}@a.zj.gov.cn");
        let words = ["module", "appoint", &officer, "--role", role, "--of", "news"];
        self.world.clerk_words("a", &words).ok();
    }

    /// News is in force, and everybody has a role.
    fn installed() -> Self {
        let press = Self::new();
        press.world.clerk("a", "module appoint clerk@a.zj.gov.cn --role appointer").ok();
        press.world.clerk("a", "module appoint clerk@a.zj.gov.cn --role module-keeper").ok();
        press.world.clerk("a", &format!("module install {}", built_in("news").display())).ok();
        for (officer, role) in
            [("wang", "editor"), ("li", "reviewer"), ("zhang", "chief"), ("chen", "publisher")]
        {
            press.appoint(officer, role);
        }
        press
    }

    /// Does an act, and gives what was decided.
    fn act(&self, officer: &str, words: &[&str]) -> Value {
        self.by(officer, &[&["--json", "app", "do", "news"], words].concat()).ok().json()
    }

    fn draft(&self, headline: &str) -> String {
        let headline = format!("headline={headline}");
        let words =
            ["item/draft", "--set", &headline, "--set", "column=work", "--set", "text=正文"];
        self.act("wang", &words)["matter"].as_str().unwrap().to_owned()
    }

    /// Takes an item through its three reviews.
    fn publish(&self, id: &str) -> Value {
        self.act("wang", &["submit", "--on", id]);
        self.act("li", &["review", "--on", id]);
        self.act("zhang", &["approve", "--on", id]);
        self.act("chen", &["release", "--on", id])
    }

    fn state(&self, module: &str) -> String {
        let all = self.world.clerk("a", "--json module list").ok().json();
        let found = all.as_array().unwrap().iter().find(|view| view["name"] == module).unwrap();
        found["state"].as_str().unwrap().to_owned()
    }

    fn replay(&self, export: &str) -> Answer {
        self.world.run(&format!("--json module replay {export} --anchor root/ca.pem"))
    }
}

fn state_of(replayed: &Value, module: &str) -> String {
    let all = replayed["modules"].as_array().unwrap();
    let found = all.iter().find(|head| head["module"] == module).unwrap();
    found["state"].as_str().unwrap().to_owned()
}

/// What a replay gives in a process of a user who has the program, an export and the anchor, and nothing else: no home, no
/// variable, one processor. None, which is said, where users cannot be changed.
fn as_nobody(world: &World, export: &str) -> Option<Value> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can run a replay as another user");
        return None;
    }
    let place = tempfile::Builder::new().prefix("elsewhere").tempdir().unwrap();
    chancery_tests::copy_dir(&world.path(export), &place.path().join("export"));
    std::fs::copy(world.path("root/ca.pem"), place.path().join("ca.pem")).unwrap();
    std::fs::copy(chancery_tests::binary(), place.path().join("chancery")).unwrap();
    let open = std::process::Command::new("chmod").arg("-R").arg("a+rX").arg(place.path()).status();
    assert!(open.unwrap().success());
    let words = "--reuid=65534 --regid=65534 --clear-groups taskset -c 0 env -i TZ=Asia/Kathmandu LANG=tr_TR.UTF-8 \
                 ./chancery --json module replay export --anchor ca.pem";
    let mut command = std::process::Command::new("setpriv");
    let output = command.args(words.split_whitespace()).current_dir(place.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// A matter is printed, and what is written on the paper can be read again.
fn printed(world: &World, id: &str, title: &str) {
    let words =
        |template: &str| format!("app print {id} --template {template} --out {template}.pdf");
    world.clerk("a", &words("nothing")).refused(4, "CHY-7113");
    assert!(!world.path("nothing.pdf").exists());
    if !std::path::Path::new("/usr/share/fonts/opentype/noto/NotoSerifCJK-Regular.ttc").exists() {
        eprintln!("SKIPPED: the fonts are not here (scripts/setup.sh tests installs them)");
        return;
    }
    let said = world.clerk("a", &format!("--json {}", words("notice"))).ok().json();
    assert_eq!(said["warnings"], serde_json::json!([]), "{said}");
    world.clerk("a", &words("notice")).refused(2, "CHY-6015");
    let text =
        std::process::Command::new("pdftotext").arg(world.path("notice.pdf")).arg("-").output();
    let text = String::from_utf8(text.unwrap().stdout).unwrap();
    let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    assert!(bare.contains(title), "{text}");
}

#[test]
fn what_is_filed_by_command_is_decided_recorded_and_decided_again_with_the_same_digest() {
    let press = Press::installed();
    let id = press.draft("市政府召开常务会议");
    let released = press.publish(&id);
    assert_eq!(
        (released["state"].as_str(), released["sequence"].as_u64()),
        (Some("published"), Some(5))
    );
    let number = released["numbers"][0].as_str().unwrap();
    assert!(number.ends_with("-00001"), "{number}");
    let shown = press.world.clerk("a", &format!("--json app show {}", &id[..12])).ok().json();
    assert_eq!(
        (shown["state"].as_str(), shown["title"].as_str()),
        (Some("published"), Some("市政府召开常务会议"))
    );
    printed(&press.world, &id[..12], "市政府召开常务会议");
    // Elsewhere, from the export and the anchor alone.
    press.world.clerk("a", "module export --out decisions").ok();
    let replayed = press.replay("decisions").ok().json();
    assert_eq!(state_of(&replayed, "news"), press.state("news"));
    assert_eq!(
        (replayed["later"].as_u64(), replayed["unproved"].as_u64()),
        (Some(0), Some(0)),
        "{replayed}"
    );
    // Also in another language, another zone, and with other hashes.
    let strange = [
        ("TZ", "Pacific/Apia"),
        ("LC_ALL", "zh_CN.UTF-8"),
        ("LANGUAGE", "tr"),
        ("RUST_MIN_STACK", "8388608"),
    ];
    let again = press
        .world
        .run_env("--json module replay decisions --anchor root/ca.pem", &strange)
        .ok()
        .json();
    assert_eq!(again["modules"], replayed["modules"]);
    if let Some(elsewhere) = as_nobody(&press.world, "decisions") {
        assert_eq!(elsewhere["modules"], replayed["modules"]);
    }
    // It is an ordinary ledger, and the data folder agrees with it.
    press.world.run("audit decisions --anchor root/ca.pem").ok();
    let mut press = press;
    press.world.stop("a");
    press.world.run("audit a/data --anchor root/ca.pem").ok();
    // After a restart it goes on where it was.
    press.world.start("a");
    let next = press.draft("第二篇");
    assert!(press.publish(&next)["numbers"][0].as_str().unwrap().ends_with("-00002"));
}

#[test]
fn a_refusal_names_rule_and_article_and_changes_nothing() {
    let press = Press::installed();
    let id = press.draft("一篇");
    press.act("wang", &["submit", "--on", &id]);
    let before = press.state("news");
    let refused = press.by("wang", &["app", "do", "news", "review", "--on", &id]);
    refused.refused(4, "CHY-7103");
    assert!(refused.stderr.contains("reviewer"), "{refused:?}");
    let early = press.by("zhang", &["app", "do", "news", "withdraw", "--on", &id, "--reason", "x"]);
    early.refused(4, "CHY-7102");
    let form = [
        "app",
        "do",
        "news",
        "item/draft",
        "--set",
        "headline=x",
        "--set",
        "column=other",
        "--set",
        "text=x",
    ];
    press.by("wang", &form).refused(4, "CHY-7105");
    let silent = press.by("zhang", &["app", "do", "news", "return", "--on", &id]);
    silent.refused(4, "CHY-7105");
    let moved = press.by("li", &["app", "do", "news", "review", "--on", &id, "--seen", "1"]);
    moved.refused(4, "CHY-7108");
    press.by("li", &["app", "do", "news", "review", "--on", "ffffffff"]).refused(1, "CHY-4011");
    // In Chinese, as a clerk reads it.
    let zh = press.by("wang", &["--lang", "zh", "app", "do", "news", "review", "--on", &id]);
    assert!(
        zh.stderr.contains("初审人") && zh.stderr.contains("政府网站发展指引 三审三校"),
        "{zh:?}"
    );
    assert_eq!(press.state("news"), before);
    press.act("li", &["review", "--on", &id, "--seen", "2"]);
}

#[test]
fn nobody_without_a_role_installs_appoints_or_decides() {
    let press = Press::new();
    let folder = built_in("news");
    let install = ["module", "install", folder.to_str().unwrap()];
    press.by("clerk", &install).refused(4, "CHY-7103");
    press
        .by("li", &["module", "appoint", "li@a.zj.gov.cn", "--role", "appointer"])
        .refused(4, "CHY-7103");
    // The one whom the settings name appoints, once: from then on the ledger says who may.
    press.by("clerk", &["module", "appoint", "li@a.zj.gov.cn", "--role", "appointer"]).ok();
    press
        .by("clerk", &["module", "appoint", "clerk@a.zj.gov.cn", "--role", "module-keeper"])
        .refused(4, "CHY-7103");
    press.by("li", &["module", "appoint", "wang@a.zj.gov.cn", "--role", "module-keeper"]).ok();
    press.by("wang", &install).ok();
    press.by("li", &["module", "dismiss", "wang@a.zj.gov.cn", "--role", "module-keeper"]).ok();
    press.by("wang", &install).refused(4, "CHY-7103");
    let draft = [
        "app",
        "do",
        "news",
        "item/draft",
        "--set",
        "headline=x",
        "--set",
        "column=work",
        "--set",
        "text=x",
    ];
    press.by("wang", &draft).refused(4, "CHY-7103");
    let roles = press.world.clerk("a", "--json module roles").ok().json();
    let all = roles.as_array().unwrap();
    let wang = all.iter().find(|one| one["officer"] == "wang@a.zj.gov.cn").unwrap();
    assert!(wang["until"].is_i64(), "{roles}");
}

#[test]
fn a_folder_with_a_mistake_is_named_by_file_and_line_and_never_installed() {
    let press = Press::installed();
    press.world.run("module new leave --into leave").ok();
    press.world.run("module check leave").ok();
    press.world.run("module test leave").ok();
    let case = press.world.path("leave/cases/request.toml");
    let text = std::fs::read_to_string(&case).unwrap();
    std::fs::write(&case, text.replace("to     = \"granted\"", "to     = \"grnated\"")).unwrap();
    let checked = press.world.run("--json module check leave");
    assert_eq!(checked.code, 1, "{checked:?}");
    let mistakes = checked.json()["mistakes"].clone();
    let named = |mistake: &Value| {
        let (file, line) = (mistake["file"].as_str(), mistake["line"].as_u64());
        mistake["code"] == "undeclared" && (file, line) == (Some("cases/request.toml"), Some(18))
    };
    assert!(mistakes.as_array().unwrap().iter().any(named), "{mistakes}");
    press.by("clerk", &["module", "install", "leave"]).refused(1, "CHY-7111");
    std::fs::write(&case, text.replace("need.quantity", "need.amount")).unwrap();
    let checked = press.world.run("module check leave");
    assert!(
        checked.code == 1 && checked.stdout.contains("need-request-request-amount"),
        "{checked:?}"
    );
    std::fs::write(&case, text).unwrap();
    press.by("clerk", &["module", "install", "leave"]).ok();
}

#[test]
fn a_folder_is_read_file_by_file_and_nothing_in_it_is_followed_or_passed_over() {
    let world = World::new();
    world.run("module new gov.docs --into docs").ok();
    world.run("module test docs").ok();
    let refused = |name: &str| {
        let checked = world.run("module check docs");
        assert!(checked.code != 0 && checked.stderr.contains(name), "{name}: {checked:?}");
        std::fs::remove_file(world.path(&format!("docs/{name}"))).unwrap();
        world.run("module check docs").ok();
    };
    for name in ["forms/more.json", "cases/more.toml", "more.toml"] {
        let path = world.path(&format!("docs/{name}"));
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        refused(name);
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        refused(name);
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        refused(name);
        std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        refused(name);
    }
    std::fs::create_dir_all(world.path("docs/docs/a")).unwrap();
    for name in ["forms/more.exe", "docs/a/more.png"] {
        std::fs::write(world.path(&format!("docs/{name}")), "x").unwrap();
        refused(name);
    }
    std::fs::write(world.path("docs/docs/a/more.md"), "x").unwrap();
    world.run("module check docs").ok();
}

#[test]
fn whoever_changes_drops_or_swaps_a_record_is_told_which_entry_it_was() {
    let press = Press::installed();
    let id = press.draft("一篇");
    press.publish(&id);
    press.world.clerk("a", "module export --out decisions").ok();
    press.replay("decisions").ok();
    let file = press.world.path("decisions/decisions/000000000");
    let whole = std::fs::read(&file).unwrap();
    let entry = |answer: &Answer| {
        assert_eq!(answer.code, 1, "{answer:?}");
        let wrong = answer.json()["wrong"].clone();
        assert!(wrong["entry"].is_u64(), "{answer:?}");
        wrong
    };
    // A byte of one record.
    let at = whole.windows(9).position(|bytes| bytes == b"published").unwrap();
    let mut changed = whole.clone();
    changed[at] = b'P';
    std::fs::write(&file, &changed).unwrap();
    entry(&press.replay("decisions"));
    // One dropped, two swapped.
    let all: Vec<chancery_desk_decision::Exported> = chancery_desk_decision::read(&whole);
    let dropped: Vec<_> = all.iter().take(3).chain(all.iter().skip(4)).cloned().collect();
    std::fs::write(&file, chancery_desk_decision::write(&dropped)).unwrap();
    entry(&press.replay("decisions"));
    let mut swapped = all.clone();
    swapped.swap(5, 6);
    std::fs::write(&file, chancery_desk_decision::write(&swapped)).unwrap();
    entry(&press.replay("decisions"));
    std::fs::write(&file, chancery_desk_decision::write(&all[..all.len() - 1])).unwrap();
    entry(&press.replay("decisions"));
    // What was decided by another module than that which was installed.
    std::fs::write(&file, &whole).unwrap();
    press.replay("decisions").ok();
    let folder = std::fs::read_dir(press.world.path("decisions/modules"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let text = std::fs::read(&folder).unwrap();
    let at = text.windows(8).position(|bytes| bytes == b"reviewer").unwrap();
    let mut other = text.clone();
    other[at] = b'R';
    std::fs::write(&folder, other).unwrap();
    entry(&press.replay("decisions"));
}

/// Decisions as an export holds them.
mod chancery_desk_decision {
    pub(crate) use chancery_desk::matters::ExportedDecision as Exported;

    pub(crate) fn read(bytes: &[u8]) -> Vec<Exported> {
        chancery_crypto::cbor::decode_within(bytes, bytes.len()).unwrap()
    }

    pub(crate) fn write(all: &[Exported]) -> Vec<u8> {
        chancery_crypto::cbor::encode(&all).unwrap()
    }
}

#[test]
fn a_deadline_passes_by_itself_and_is_an_entry() {
    let mut press = Press::installed();
    // An embargo of a few seconds.
    let soon =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 4;
    let soon = chancery_certs::rfc3339(i64::try_from(soon).unwrap());
    let embargo = format!("embargo={soon}");
    let words = [
        "item/draft",
        "--set",
        "headline=x",
        "--set",
        "column=work",
        "--set",
        "text=x",
        "--set",
        &embargo,
    ];
    let id = press.act("wang", &words)["matter"].as_str().unwrap().to_owned();
    assert_eq!(press.publish(&id)["state"], "ready");
    // Nobody else has said what time it is: one clock alone elapses nothing.
    press.world.wait("deadlines stand still", 30, |world| {
        let status = world.clerk("a", "--json node status").ok().json();
        status["clock"]["deadlines"].is_string()
    });
    let shown = press.world.clerk("a", &format!("--json app show {id}")).ok().json();
    assert_eq!(shown["state"], "ready");
    press.world.start("b");
    press.world.wait("the embargo is over", 30, |world| {
        let shown = world.clerk("a", &format!("--json app show {id}")).ok().json();
        shown["state"] == "published"
    });
    press.world.clerk("a", "module export --out decisions").ok();
    let replayed = press.replay("decisions").ok().json();
    assert_eq!(state_of(&replayed, "news"), press.state("news"));
}

#[test]
fn what_is_to_be_done_is_listed_for_those_who_can_do_it() {
    let press = Press::installed();
    let id = press.draft("一篇");
    press.act("wang", &["submit", "--on", &id]);
    let tasks = |of: &str| {
        let all =
            press.world.clerk("a", &format!("--json tasks --of {of}@a.zj.gov.cn")).ok().json();
        all.as_array().unwrap().len()
    };
    assert_eq!(
        (tasks("li"), tasks("wang"), tasks("zhang")),
        (1, 1, 1),
        "the editor may recall it, the chief may send it back"
    );
    press.act("li", &["review", "--on", &id]);
    assert_eq!(tasks("zhang"), 1);
}

#[test]
fn what_was_begun_under_a_version_ends_under_it() {
    let press = Press::installed();
    press.world.run("module new leave --into leave").ok();
    press.by("clerk", &["module", "install", "leave"]).ok();
    for (officer, role) in [("wang", "clerk"), ("li", "chief")] {
        let officer = format!("{officer}@a.zj.gov.cn");
        let words = ["module", "appoint", &officer, "--role", role, "--of", "leave"];
        press.world.clerk_words("a", &words).ok();
    }
    let open = || {
        let words = [
            "--json",
            "app",
            "do",
            "leave",
            "request/request",
            "--set",
            "subject=x",
            "--set",
            "quantity=1",
        ];
        press.by("wang", &words).ok().json()["matter"].as_str().unwrap().to_owned()
    };
    let old = open();
    // A condition that does not hold says what it has read.
    let none =
        ["app", "do", "leave", "request/request", "--set", "subject=x", "--set", "quantity=0"];
    let refused = press.by("wang", &none);
    refused.refused(4, "CHY-7101");
    assert!(refused.stderr.contains("[doc.quantity = 0]"), "{refused:?}");
    // In the second version nobody grants without a remark.
    let (case, module) =
        (press.world.path("leave/cases/request.toml"), press.world.path("leave/module.toml"));
    let text = std::fs::read_to_string(&case).unwrap();
    let need = "law    = \"38\"\nneed.remark = { that = \"has(doc.remark)\", law = \"38\" }\n\n[act.refuse]";
    std::fs::write(&case, text.replacen("law    = \"38\"\n\n[act.refuse]", need, 1)).unwrap();
    let text = std::fs::read_to_string(&module).unwrap();
    std::fs::write(&module, text.replace("version = \"1\"", "version = \"2\"")).unwrap();
    for language in ["zh-CN", "en"] {
        let path = press.world.path(&format!("leave/texts/{language}.ftl"));
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text + "need-request-grant-remark = a remark\n").unwrap();
    }
    // A condition is touched: what one officer proposes, another confirms.
    let keeper = ["module", "appoint", "li@a.zj.gov.cn", "--role", "module-keeper"];
    press.world.clerk_words("a", &keeper).ok();
    let proposed = press.by("clerk", &["--json", "module", "install", "leave"]).ok().json();
    assert_eq!(proposed["state"], "proposed");
    let digest = press.world.run("--json module check leave").ok().json()["digest"].clone();
    let confirm = ["module", "confirm", "leave", "--digest", digest.as_str().unwrap()];
    press.by("clerk", &confirm).refused(4, "CHY-7103");
    press.by("li", &confirm).ok();
    let new = open();
    let grant = |id: &str| press.by("li", &["app", "do", "leave", "grant", "--on", id]);
    grant(&old).ok();
    grant(&new).refused(4, "CHY-7101");
    press.by("li", &["app", "do", "leave", "grant", "--on", &new, "--set", "remark=x"]).ok();
    press.world.clerk("a", "module export --out decisions").ok();
    let replayed = press.replay("decisions").ok().json();
    assert_eq!(state_of(&replayed, "leave"), press.state("leave"));
}

/// The node is killed at any moment: what was answered is decided, nothing is decided twice, numbers have no gap, and all of it
/// is decided again with the same digest.
#[test]
fn a_node_that_is_killed_loses_no_decision_and_doubles_none() {
    let mut press = Press::installed();
    let mut answered = Vec::new();
    for round in 0..6u64 {
        let headline = format!("headline=第{round}篇");
        let mut acting: Vec<_> = (0..4)
            .map(|_| {
                std::process::Command::new(chancery_tests::binary())
                    .current_dir(press.world.dir.path())
                    .args(["--json", "app", "do", "news", "item/draft", "--set", &headline])
                    .args(["--set", "column=work", "--set", "text=x"])
                    .args(["--key", "certs-a/wang.key", "--cert", "certs-a/wang.pem"])
                    .env("CHANCERY_SOCKET", "a/node.sock")
                    .stdout(std::process::Stdio::piped())
                    .stderr(std::process::Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        std::thread::sleep(std::time::Duration::from_millis(4 + round * 5));
        press.world.kill("a");
        for child in acting.drain(..) {
            let output = child.wait_with_output().unwrap();
            if output.status.success() {
                let said: Value = serde_json::from_slice(&output.stdout).unwrap();
                answered.push(said["matter"].as_str().unwrap().to_owned());
            }
        }
        press.world.start("a");
    }
    let listed = press.world.clerk("a", "--json app list news --limit 100").ok().json();
    let listed: Vec<_> =
        listed.as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect();
    assert!(answered.iter().all(|id| listed.contains(id)), "{answered:?} {listed:?}");
    let id = listed.first().cloned().unwrap_or_else(|| press.draft("x"));
    assert!(press.publish(&id)["numbers"][0].as_str().unwrap().ends_with("-00001"));
    press.world.clerk("a", "module export --out decisions").ok();
    let replayed = press.replay("decisions").ok().json();
    assert_eq!(state_of(&replayed, "news"), press.state("news"));
}

#[test]
fn registries_answer_children_are_told_and_nothing_is_booked_twice() {
    let press = Press::new();
    for role in ["appointer", "module-keeper"] {
        let words = format!("module appoint clerk@a.zj.gov.cn --role {role}");
        press.world.clerk("a", &words).ok();
    }
    press.world.clerk("a", &format!("module install {}", built_in("desk").display())).ok();
    for (officer, role) in [("wang", "staff"), ("li", "staff"), ("chen", "motor")] {
        let officer = format!("{officer}@a.zj.gov.cn");
        let words = ["module", "appoint", &officer, "--role", role, "--of", "desk"];
        press.world.clerk_words("a", &words).ok();
    }
    let act = |officer: &str, words: &[&str]| -> Answer {
        press.by(officer, &[&["--json", "app", "do", "desk"], words].concat())
    };
    let set = |pairs: &[&str]| -> Vec<String> {
        pairs.iter().flat_map(|pair| ["--set".to_owned(), (*pair).to_owned()]).collect()
    };
    let with = |act: &str, pairs: &[&str]| -> Vec<String> {
        std::iter::once(act.to_owned()).chain(set(pairs)).collect()
    };
    let run = |officer: &str, all: Vec<String>| {
        act(officer, &all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let refused = |answer: Answer, code: &str| {
        assert!(answer.code == 4 && answer.stderr.contains(code), "{code}: {answer:?}");
    };
    let card = ["plate=浙A00001", "kind=sedan", "frame=F1", "seats=4"];
    let asset = run("chen", with("asset/card", &card)).ok().json();
    let asset = asset["matter"].as_str().unwrap().to_owned();
    // One frame is one vehicle.
    let other = ["plate=浙A00002", "kind=sedan", "frame=F1", "seats=4"];
    refused(run("chen", with("asset/card", &other)), "CHY-7107");
    // A question has a purpose, and its answer is for whoever asks.
    let asked = ["kind=sedan", "purpose=dispatch"];
    let answer = run("li", with("vehicle/fleet", &asked)).ok().json();
    assert_eq!(answer["records"][0]["plate"], "浙A00001", "{answer}");
    let asked = ["kind=sedan", "purpose=curiosity"];
    refused(run("li", with("vehicle/fleet", &asked)), "CHY-7105");
    // One car, one slot.
    let at = ["vehicle=浙A00001", "from=2026-12-03T09:00:00+08:00", "to=2026-12-03T12:00:00+08:00"];
    run("wang", with("car/ask", &at)).ok();
    refused(run("li", with("car/ask", &at)), "CHY-7112");
    // Whom it is given to signs for it.
    std::fs::write(
        press.world.path("give.json"),
        r#"{ "people": ["wang@a.zj.gov.cn", "li@a.zj.gov.cn"] }"#,
    )
    .unwrap();
    act("chen", &["give", "--on", &asset, "--form", "give.json"]).ok();
    let told = press.world.clerk("a", "--json app notices --of li@a.zj.gov.cn").ok().json();
    let handover = told[0]["notice"]["thing"].as_str().unwrap().to_owned();
    assert_eq!(told[0]["notice"]["say"], "handover-waits", "{told}");
    // What is not his to read is not there for him.
    refused(act("wang", &["sign", "--on", &handover]), "CHY-7100");
    act("li", &["sign", "--on", &handover]).ok();
    press.world.clerk("a", "module export --out decisions").ok();
    let replayed = press.replay("decisions").ok().json();
    assert_eq!(state_of(&replayed, "desk"), press.state("desk"));
}

/// Two agencies over one module, whose nodes are killed while something is owed: what one asks is decided at the other, once, and its reply here; each
/// ledger is decided again by itself.
#[test]
fn an_inquiry_crosses_two_nodes_that_are_killed_and_each_ledger_is_decided_again() {
    let mut world = World::new();
    for agency in ["a", "b"] {
        let clerk = format!("clerk@{agency}.zj.gov.cn");
        world.set(agency, "access.appointer", &clerk);
        world.start(agency);
        for role in ["appointer", "module-keeper"] {
            world.clerk(agency, &format!("module appoint {clerk} --role {role}")).ok();
        }
        world.clerk(agency, &format!("module install {}", built_in("inquiry").display())).ok();
        let words = ["module", "appoint", &clerk, "--role", "clerk", "--of", "inquiry"];
        world.clerk_words(agency, &words).ok();
    }
    let matters = |world: &World, agency: &str, case: &str| -> Vec<Value> {
        let all = world.clerk(agency, "--json app list inquiry --limit 100").ok().json();
        all.as_array().unwrap().iter().filter(|one| one["case"] == case).cloned().collect()
    };
    let of_kind = |world: &World, agency: &str, kind: &str| {
        world.list(agency, "inbox").into_iter().filter(|one| one["kind"] == kind).count()
    };
    let ask = |world: &World, subject: &str| {
        let subject = format!("subject={subject}");
        let words =
            ["--json", "app", "do", "inquiry", "question/ask", "--set", "agency=b.zj.gov.cn"];
        let more = ["--set", subject.as_str(), "--set", "text=请协查"];
        let asked = world.clerk_words("a", &[&words[..], &more].concat()).ok().json();
        asked["matter"].as_str().unwrap().to_owned()
    };
    let asked = ask(&world, "某批货物");
    for agency in ["a", "b"] {
        world.kill(agency);
    }
    for agency in ["a", "b"] {
        world.start(agency);
    }
    world.wait("the inquiry is decided there", 60, |w| matters(w, "b", "inquiry").len() == 1);
    let inquiry = matters(&world, "b", "inquiry")[0]["id"].as_str().unwrap().to_owned();
    let answer = ["app", "do", "inquiry", "answer", "--on", &inquiry, "--set", "text=查无此批"];
    world.clerk_words("b", &answer).ok();
    world.kill("b");
    world.start("b");
    world.wait("the reply is decided here", 60, |w| {
        let shown = w.clerk("a", &format!("--json app show {asked}")).ok().json();
        shown["state"] == "answered"
    });
    // A fourth that is open is refused there, and its matter here goes on.
    for subject in ["一", "二", "三"] {
        ask(&world, subject);
    }
    world.wait("three are open", 60, |w| matters(w, "b", "inquiry").len() == 4);
    let fourth = ask(&world, "四");
    world.wait("the fourth is refused", 60, |w| {
        let shown = w.clerk("a", &format!("--json app show {fourth}")).ok().json();
        shown["state"] == "declined"
    });
    world.wait("each is answered once", 60, |w| of_kind(w, "a", "办理答复") == 5);
    world.wait("and so is the reply", 60, |w| of_kind(w, "b", "办理答复") == 1);
    assert_eq!((of_kind(&world, "b", "inquire"), of_kind(&world, "a", "reply")), (5, 1));
    assert_eq!(matters(&world, "b", "inquiry").len(), 4);
    for agency in ["a", "b"] {
        let listed = world.clerk(agency, "--json module list").ok().json();
        let out = format!("decisions-{agency}");
        world.clerk(agency, &format!("module export --out {out}")).ok();
        let replayed = world.run(&format!("--json module replay {out} --anchor root/ca.pem")).ok();
        let replayed = replayed.json();
        let all = listed.as_array().unwrap();
        let live = all.iter().find(|view| view["name"] == "inquiry").unwrap();
        assert_eq!(live["state"].as_str().unwrap(), state_of(&replayed, "inquiry"), "{agency}");
        world.run(&format!("audit {out} --anchor root/ca.pem")).ok();
    }
}
