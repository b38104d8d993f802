//! SIGKILL and power cuts in the middle of everything: what was acknowledged is there, what was not is there
//! whole or not at all, and the checkpoint never goes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    collections::{BTreeMap, HashSet},
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use chancery_certs::{Credential, Issuer, Profile, Subject, decode_pem_chain, encode_pem_chain};
use chancery_crypto::{Algorithm, Digest, SigningKey};
use chancery_ledger::{Commit, Ledger, Outcome};
use chancery_protocol::{Checkpoint, EnvelopeId, Event, Leaf, LogKey, merkle};
use chancery_store::{Store, Table, in_place};
use chancery_tests::noise;

/// How often the process is killed.
const KILLS: u64 = 300;
/// Tells the child where to work.
const CHILD: &str = "CHANCERY_KILL_TEST";

fn seal(dir: &Path) -> Arc<Credential> {
    let key = std::fs::read_to_string(dir.join("seal.key")).unwrap();
    let chain = decode_pem_chain(&std::fs::read(dir.join("seal.pem")).unwrap()).unwrap();
    Arc::new(Credential::new(SigningKey::from_pem(&key, None).unwrap(), chain).unwrap())
}

fn make_seal(dir: &Path) {
    let now = 1_790_000_000;
    let root = Issuer::new_root("Root", &[], Algorithm::Es256, now).unwrap();
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let subject = Subject::agency(Profile::Seal, "a.gov.cn".parse().unwrap(), "A");
    let made = root.issue(&subject, &key.public_key(), now).unwrap();
    std::fs::write(dir.join("seal.key"), key.to_pem(None).unwrap().as_bytes()).unwrap();
    std::fs::write(dir.join("seal.pem"), encode_pem_chain(&[made])).unwrap();
}

fn leaf(name: &[u8]) -> Leaf {
    let digest = Digest::of(name);
    Leaf {
        event: Event::ContentConsignment,
        envelope: EnvelopeId::from_slice(digest.as_bytes()).unwrap(),
        commitment: digest,
        counterpart: "b.gov.cn".parse().unwrap(),
        time: 1_790_000_000,
        evidence: None,
    }
}

/// The process that is killed: many callers append, and every receipt is printed once it is there.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let dir = Path::new(&dir);
    let ledger = chancery_ledger::open_store(&dir.join("store"))
        .and_then(|store| Ledger::open(store, seal(dir)));
    let ledger = match ledger {
        Ok(ledger) => Arc::new(ledger),
        Err(error) => {
            println!("child: refused {error}");
            std::process::exit(7);
        }
    };
    println!("child: opened {}", ledger.checkpoint().checkpoint.size);
    // Not the number of the process: the kernel gives the same one again after 32,768.
    let run = u64::from_ne_bytes(chancery_crypto::random().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..16u32 {
            let ledger = ledger.clone();
            callers.spawn(async move {
                for n in 0u32.. {
                    let names: Vec<_> =
                        (0..=n % 3).map(|k| format!("{run}/{caller}/{n}/{k}")).collect();
                    let mut commit = Commit::default();
                    for name in &names {
                        commit.leaves.push(leaf(name.as_bytes()));
                        commit.batch.put(Table::Envelopes, name.as_bytes(), *b"record");
                    }
                    match ledger.commit(commit).await {
                        Ok(Outcome::Committed(receipts)) => {
                            for (name, receipt) in names.iter().zip(receipts) {
                                let root =
                                    Checkpoint::read_unverified(&receipt.checkpoint).unwrap();
                                println!(
                                    "ack {} {name} {} {}",
                                    receipt.index, root.size, root.root
                                );
                            }
                        }
                        Ok(Outcome::Stale(..)) => {
                            unreachable!("nothing was required to be absent")
                        }
                        Err(error) => {
                            println!("child: failed {error}");
                            return;
                        }
                    }
                }
            });
        }
        callers.join_next().await
    });
    in_place(|here| ledger.close(here));
    println!("child: closed");
}

fn start(dir: &Path, preload: &[(&str, String)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, dir)
        .envs(preload.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// How long it takes here, as busy as the machine is, until the first promise, in microseconds.
fn until_first_promise() -> u64 {
    let dir = tempfile::TempDir::new().unwrap();
    make_seal(dir.path());
    let begun = std::time::Instant::now();
    let mut child = start(dir.path(), &[]);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.starts_with("ack ")));
    let took = begun.elapsed();
    child.kill().unwrap();
    child.wait().unwrap();
    u64::try_from(took.as_micros()).unwrap()
}

/// What the ledger has promised so far.
#[derive(Default)]
struct Promised {
    /// Names of acknowledged entries by index.
    entries: BTreeMap<u64, String>,
    /// Acknowledged checkpoints: root by size.
    roots: BTreeMap<u64, String>,
}

impl Promised {
    /// Takes in a line of the child. A last line may be cut off by the kill: it has no newline then.
    fn take(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        if words.next() != Some("ack") {
            return;
        }
        let mut next = || words.next().unwrap().to_owned();
        let (index, name, size, root) = (next(), next(), next(), next());
        let before = self.entries.insert(index.parse().unwrap(), name.clone());
        assert!(before.is_none_or(|b| b == name), "entry {index} was given twice");
        self.roots.insert(size.parse().unwrap(), root);
    }

    /// Reads all that a child has said.
    fn listen(&mut self, child: &mut Child) -> String {
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (mut line, mut last) = (String::new(), String::new());
        while out.read_line(&mut line).unwrap() > 0 {
            if line.ends_with('\n') {
                self.take(&line);
                // The test harness prints around what the child says. What went wrong counts more than
                // how it ended.
                if let Some((_, said)) = line.split_once("child: ")
                    && !last.starts_with("failed")
                {
                    last = said.trim().to_owned();
                }
            }
            line.clear();
        }
        last
    }

    /// Checks the store against all promises, from nothing but what is on the disk.
    fn check(&self, dir: &Path) -> u64 {
        let store: Arc<dyn Store> = chancery_store::open(&dir.join("store")).unwrap();
        let seal = seal(dir);
        let key = LogKey::of_seal(&seal.chain()[0]).unwrap();
        let ledger = Ledger::open(store.clone(), seal).unwrap();
        let newest = ledger.checkpoint();
        let size = newest.checkpoint.size;
        let mut range = merkle::CompactRange::default();
        for index in 0..size {
            let bytes = in_place(|here| ledger.view(here).leaf(index))
                .unwrap()
                .expect("an entry below the checkpoint");
            if let Some(name) = self.entries.get(&index) {
                assert_eq!(bytes, leaf(name.as_bytes()).encode().unwrap(), "entry {index}");
                // The record that was committed with it is there too.
                assert!(store.get(Table::Envelopes, name.as_bytes()).unwrap().is_some());
            }
            range.push(merkle::leaf_hash(&bytes));
            if let Some(root) = self.roots.get(&(index + 1)) {
                assert_eq!(range.root().to_string(), *root, "the root at {}", index + 1);
            }
        }
        assert_eq!(range.root(), newest.checkpoint.root);
        // Nothing half-written is visible: no entry beyond, and every record has its entry.
        assert_eq!(in_place(|here| ledger.view(here).leaf(size)).unwrap(), None);
        let records = store.scan(Table::Envelopes, &[], &[], usize::MAX).unwrap();
        let of_record = |(name, _): &(Vec<u8>, _)| leaf(name).encode().unwrap();
        let recorded: HashSet<_> = records.iter().map(of_record).collect();
        let lone = |index: &u64| {
            !recorded.contains(&in_place(|here| ledger.view(here).leaf(*index)).unwrap().unwrap())
        };
        let lone: Vec<_> = (0..size).filter(lone).collect();
        assert!(lone.is_empty(), "entries without a record: {lone:?}");
        assert_eq!(
            records.len() as u64,
            size,
            "records without an entry, or entries that are there twice"
        );
        let promised = self.entries.keys().next_back().copied().unwrap_or(0);
        assert!(size > promised || self.entries.is_empty(), "{size} entries, {promised} promised");
        if size > 0 {
            let receipt = in_place(|here| ledger.view(here).given_receipt(size - 1)).unwrap();
            receipt.verify(&key).unwrap();
        }
        in_place(|here| ledger.close(here));
        size
    }
}

#[test]
fn hundreds_of_kills_lose_nothing_that_was_acknowledged() {
    let dir = tempfile::TempDir::new().unwrap();
    make_seal(dir.path());
    let mut promised = Promised::default();
    let mut size = 0;
    let instants = noise(8 * KILLS as usize, 7);
    let first = until_first_promise();
    for (n, instant) in instants.chunks(8).enumerate() {
        let mut child = start(dir.path(), &[]);
        // From before the store is open to long into the load.
        let micros = u64::from_le_bytes(instant.try_into().unwrap()) % (2 * first + 100_000);
        std::thread::sleep(Duration::from_micros(micros));
        child.kill().unwrap();
        child.wait().unwrap();
        let last = promised.listen(&mut child);
        assert!(!last.starts_with("refused"), "kill {n}: {last}");
        if n % 10 == 9 {
            let now = promised.check(dir.path());
            assert!(now >= size, "kill {n}: the checkpoint went back from {size} to {now}");
            size = now;
        }
    }
    assert!(promised.entries.len() > 1000, "only {} entries", promised.entries.len());
}

/// The disk that fails, compiled. None, with a line that says so, when there is no C compiler.
fn faulty_disk(dir: &Path) -> Option<String> {
    let source = chancery_tests::package().join("third-party/faulty-disk.c");
    let library = dir.join("faulty-disk.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-w", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status();
    match built {
        Ok(status) => {
            assert!(status.success(), "the faulty disk does not compile");
            Some(library.to_str().unwrap().to_owned())
        }
        Err(_) => {
            eprintln!("skipped: cc is not installed");
            None
        }
    }
}

/// Takes away what was not synced, as a power cut may: of every file all, some or none of its unsynced end,
/// and files whose folder was not synced since they were made.
fn cut_power(store: &Path, log: &Path, random: &mut impl FnMut() -> u64) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let (mut sizes, mut names) = (BTreeMap::new(), BTreeMap::new());
    for line in std::fs::read_to_string(log).unwrap_or_default().lines() {
        let (kind, rest) = line.split_once(' ').unwrap();
        let (inode, rest) = rest.split_once(' ').unwrap();
        let inode: u64 = inode.parse().unwrap();
        match kind {
            "S" => drop(sizes.insert(inode, rest.parse::<u64>().unwrap())),
            _ => drop(names.insert(inode, rest.to_owned())),
        }
    }
    let mut lost = 0;
    for entry in std::fs::read_dir(store).unwrap() {
        let path = entry.unwrap().path();
        let meta = path.metadata().unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !meta.is_file() {
            continue;
        }
        let synced = sizes.get(&meta.ino()).copied().unwrap_or(0).min(meta.len());
        if names.get(&meta.ino()).is_none_or(|n| *n != name) && synced == 0 {
            lost += meta.len();
            std::fs::remove_file(&path).unwrap();
            continue;
        }
        let unsynced = meta.len() - synced;
        let keep = synced + random().checked_rem(unsynced + 1).unwrap_or(0);
        lost += meta.len() - keep;
        std::fs::File::options().write(true).open(&path).unwrap().set_len(keep).unwrap();
    }
    lost
}

#[test]
fn power_cuts_that_drop_what_was_not_synced_lose_nothing_that_was_acknowledged() {
    let dir = tempfile::TempDir::new().unwrap();
    make_seal(dir.path());
    let Some(library) = faulty_disk(dir.path()) else { return };
    let log = dir.path().join("disk.log");
    let shown = log.to_str().unwrap().to_owned();
    let mut promised = Promised::default();
    let (mut size, mut lost) = (0, 0);
    let numbers = noise(8 * 4096, 11);
    let mut numbers = numbers.chunks(8).map(|b| u64::from_le_bytes(b.try_into().unwrap())).cycle();
    let mut random = || numbers.next().unwrap();
    let first = until_first_promise();
    for n in 0..40 {
        let preload = [("LD_PRELOAD", library.clone()), ("DISK_LOG", shown.clone())];
        let mut child = start(dir.path(), &preload);
        std::thread::sleep(Duration::from_micros(20_000 + random() % (2 * first + 80_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let last = promised.listen(&mut child);
        assert!(!last.starts_with("refused"), "power cut {n}: {last}");
        if !dir.path().join("store").exists() {
            continue;
        }
        lost += cut_power(&dir.path().join("store"), &log, &mut random);
        let now = promised.check(dir.path());
        assert!(now >= size, "power cut {n}: the checkpoint went back from {size} to {now}");
        size = now;
        // What the check itself wrote is not under the faulty disk: it counts as synced.
        std::fs::remove_file(&log).unwrap();
        sync_all(&dir.path().join("store"), &log);
    }
    assert!(lost > 0, "nothing was ever unsynced: the cuts have tested nothing");
    assert!(promised.entries.len() > 100, "only {} entries", promised.entries.len());
}

/// Notes all files as they are as synced.
fn sync_all(store: &Path, log: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let mut text = String::new();
    for entry in std::fs::read_dir(store).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        text += &format!("S {} {}\n", meta.ino(), meta.len());
        text += &format!("E {} {}\n", meta.ino(), entry.file_name().to_str().unwrap());
    }
    std::fs::write(log, text).unwrap();
}

#[test]
fn a_full_or_read_only_disk_is_a_clear_error_and_harms_nothing() {
    let dir = tempfile::TempDir::new().unwrap();
    make_seal(dir.path());
    let Some(library) = faulty_disk(dir.path()) else { return };
    let preload = |name: &'static str, value: &str| {
        [("LD_PRELOAD", library.clone()), (name, value.to_owned())]
    };
    let mut promised = Promised::default();
    let mut size = 0;
    // Full at once, soon, and later; each time there is room again afterwards.
    for room in [0, 1000, 50_000, 300_000, 3_000_000] {
        let mut child = start(dir.path(), &preload("DISK_FULL_AFTER", &room.to_string()));
        let last = promised.listen(&mut child);
        child.wait().unwrap();
        assert!(last.contains("No space left on device"), "{room}: {last}");
        if dir.path().join("store/CURRENT").exists() {
            let now = promised.check(dir.path());
            assert!(now >= size, "{room}: the checkpoint went back from {size} to {now}");
            size = now;
        }
    }
    assert!(size > 0);
    let mut child = start(dir.path(), &preload("DISK_READ_ONLY", "1"));
    let last = promised.listen(&mut child);
    child.wait().unwrap();
    assert!(last.starts_with("refused") && last.contains("Read-only file system"), "{last}");
    assert_eq!(promised.check(dir.path()), size);
}

/// The node says what it cannot keep and goes on, and what it has acknowledged is there when it is started again.
#[test]
fn a_node_whose_disk_is_full_says_so_goes_on_and_keeps_what_it_has_acknowledged() {
    let mut world = chancery_tests::World::new();
    let Some(library) = faulty_disk(world.dir.path()) else { return };
    world.write("n.txt", &noise(20_000, 5));
    world.node_env =
        vec![("LD_PRELOAD".into(), library), ("DISK_FULL_AFTER".into(), "1000000".into())];
    world.start("a");
    let send = "send n.txt --to b.zj.gov.cn --type 函 --title full";
    let accepted = (0..500).take_while(|_| world.clerk("a", send).code == 0).count();
    assert!((1..500).contains(&accepted), "{accepted} were accepted");
    for _ in 0..20 {
        let refused = world.clerk("a", send);
        refused.refused(3, "CHY-4040");
        assert!(refused.stderr.contains("No space left on device"), "{refused:?}");
    }
    assert_eq!(world.list("a", "outbox").len(), accepted);
    assert_eq!(world.ended("a"), None, "it goes on: {}", world.log("a"));
    // Its log has no room either.
    let status = world.clerk("a", "node status").ok().stdout;
    assert!(status.contains("No space left on device"), "{status}");
    assert!(!world.log("a").contains("panicked"), "{}", world.log("a"));
    world.kill("a");
    world.node_env.clear();
    world.start("a");
    assert_eq!(world.list("a", "outbox").len(), accepted);
}
