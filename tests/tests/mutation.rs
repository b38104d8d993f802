//! Mutated documents, certificates, containers and exports, thousands of each: none ends a command otherwise than by a verdict, and
//! none passes that means anything else than the original did. `MUTATIONS` says how many of each (`make soak`: 100,000); a mutant that
//! breaks a rule is named by its seed, and made again alone by `MUTATION_SEED=… MUTATIONS=1`.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        LazyLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use chancery_certs::{
    Certificate, Issuer, Profile, Purpose, Scrutiny, Subject, TrustStore, rfc3339,
};
use chancery_crypto::{Algorithm, SigningKey, cbor};
use chancery_ledger::unix_now;
use chancery_protocol::{Evidence, KeptCheckpoint, tile};
use chancery_tests::{
    Answer, World,
    mutate::{self, Dice, Entry, Notation},
};
use serde_json::Value;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

/// The seeds to try: so many, unless the environment says otherwise.
fn seeds(usually: u64) -> std::ops::Range<u64> {
    let first = setting("MUTATION_SEED").unwrap_or(1);
    first..first + setting("MUTATIONS").unwrap_or(usually)
}

/// Gives every seed to `work`, some at a time, on all cores; `work` says how many of its mutants passed.
fn each(what: &str, usually: u64, some: usize, work: impl Fn(&[u64], &str) -> usize + Sync) {
    let seeds: Vec<u64> = seeds(usually).collect();
    eprintln!("{what}: seeds {}..{}", seeds[0], seeds[seeds.len() - 1]);
    let batches: Vec<_> = seeds.chunks(some).collect();
    let (next, passed) = (AtomicUsize::new(0), AtomicU64::new(0));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for core in 0..cores {
            let (next, passed, batches, work) = (&next, &passed, &batches, &work);
            scope.spawn(move || {
                while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let took = work(batch, &format!("mutants-{core}"));
                    passed.fetch_add(took as u64, Ordering::Relaxed);
                }
            });
        }
    });
    eprintln!(
        "{what}: {} mutants, {} passed unchanged in meaning",
        seeds.len(),
        passed.into_inner()
    );
}

/// How a broken rule is shown.
fn broken(what: &str, seed: u64, why: &str, shown: &dyn std::fmt::Debug) -> ! {
    panic!("{what}, MUTATION_SEED={seed} MUTATIONS=1: {why}: {shown:?}")
}

fn judged(answer: &Answer) -> bool {
    matches!(answer.code, 0 | 1 | 2 | 5) && !answer.stderr.contains("panicked")
}

/// The reports of one command about many files. When it ends without them, each file is asked about alone.
fn reports(world: &World, what: &str, files: &[(u64, String)]) -> Vec<Value> {
    // Later than every time-stamp, and the same for all.
    static LATER: LazyLock<String> = LazyLock::new(|| rfc3339(unix_now() + 3_600));
    let verify = |paths: &str| {
        world.run(&format!("--json verify --anchor root/ca.pem --at {} {paths}", *LATER))
    };
    let paths: Vec<_> = files.iter().map(|(_, path)| path.as_str()).collect();
    let answer = verify(&paths.join(" "));
    if judged(&answer)
        && let Some(reports) = answer.json()["documents"].as_array()
    {
        assert_eq!(reports.len(), files.len());
        return reports.clone();
    }
    let one = |(seed, path): &(u64, String)| {
        let answer = verify(path);
        if !judged(&answer) {
            broken(what, *seed, "no verdict", &answer);
        }
        let report = serde_json::from_str::<Value>(&answer.stdout).unwrap_or_default();
        report["documents"][0].clone()
    };
    files.iter().map(one).collect()
}

/// Who signed, what they declared, when they say so, of a signature and what countersigns it.
fn signers(report: &Value, out: &mut BTreeSet<String>, times: &mut BTreeSet<i64>) {
    let lists = ["signatures", "countersignatures"].map(|list| report[list].as_array());
    // One that does not hold is shown, and counts for nothing.
    let holds = |one: &&Value| one["indication"] == "TOTAL-PASSED";
    for signature in lists.into_iter().flatten().flatten().filter(holds) {
        let words = ["signer", "display", "commitment", "algorithm", "signing_time"];
        out.insert(words.map(|word| signature[word].to_string()).join(" "));
        times.extend(signature["best_signature_time"].as_i64());
        signers(signature, out, times);
    }
}

/// What a report says that somebody may rely on.
#[derive(Debug)]
struct Meaning {
    document: Value,
    level: String,
    signers: BTreeSet<String>,
    times: BTreeSet<i64>,
    findings: BTreeSet<String>,
    evidence: BTreeSet<String>,
}

impl Meaning {
    fn of(report: &Value) -> Self {
        let (mut who, mut times) = (BTreeSet::new(), BTreeSet::new());
        signers(report, &mut who, &mut times);
        let sentences = |list: &str| {
            let list = report[list].as_array().into_iter().flatten();
            let holds = list.filter(|finding| finding["indication"] == "TOTAL-PASSED");
            holds.map(|finding| finding["sentence"].to_string()).collect()
        };
        Self {
            document: report["document"].clone(),
            level: report["level"].as_str().unwrap_or_default().to_owned(),
            signers: who,
            times,
            findings: sentences("findings"),
            evidence: sentences("evidence"),
        }
    }

    /// Why a report that passed says more than this one, or something else.
    fn exceeded_by(&self, other: &Self) -> Option<&'static str> {
        let rank = |level: &str| ["B", "T", "LT", "LTA"].iter().position(|name| *name == level);
        [
            (other.signers.is_empty(), "nobody signed it"),
            (!other.signers.is_subset(&self.signers), "another signature counts"),
            (!other.times.is_subset(&self.times), "another time is proved"),
            (!other.evidence.is_subset(&self.evidence), "other evidence counts"),
            (rank(&other.level) > rank(&self.level), "its level is higher"),
        ]
        .into_iter()
        .find_map(|(wrong, why)| wrong.then_some(why))
    }
}

/// Every file below a folder, by its path in it.
fn files_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn collect(folder: &Path, below: &Path, out: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = below.join(path.file_name().unwrap());
            match path.is_dir() {
                true => collect(&path, &name, out),
                false => {
                    let bytes = std::fs::read(&path).unwrap();
                    drop(out.insert(name.to_str().unwrap().to_owned(), bytes));
                }
            }
        }
    }
    let mut out = BTreeMap::new();
    collect(folder, Path::new(""), &mut out);
    out
}

fn write_below(folder: &Path, files: &BTreeMap<String, Vec<u8>>) {
    for (name, bytes) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn emptied(world: &World, name: &str) -> PathBuf {
    let folder = world.path(name);
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir(&folder).unwrap();
    folder
}

/// One mutant of a file: one change mostly, two or three sometimes.
fn mutant_of(dice: &mut Dice, good: &[u8], other: &[u8], notation: Option<Notation>) -> Vec<u8> {
    let mut mutant = good.to_vec();
    for _ in 0..[1, 1, 1, 2, 3][dice.below(5)] {
        match notation {
            Some(notation) if !dice.one_in(3) => {
                mutate::structure(dice, notation, &mut mutant, other);
            }
            _ => mutate::bytes(dice, &mut mutant, other),
        }
    }
    mutant
}

/// A world with a time-stamped document in its folder, one in a single file, and a container.
fn with_documents() -> World {
    let world = World::new();
    let tsa = world.tsa();
    world.write("a.txt", b"text of the first part");
    world.write("b.txt", b"text of another");
    world.run("ca crl --ca root --out root.crl").ok();
    world.run("ca crl --ca zj --out zj.crl").ok();
    let new = "--to b.zj.gov.cn --type 通知 --title 标题";
    let sign = |line: &str| world.clerk("a", &format!("doc sign {line}")).ok();
    sign(&format!("a.txt b.txt {new} --attached --out one.chy"));
    world.clerk("b", "doc countersign one.chy").ok();
    let stamp = format!("--with-cades --tsa {}", tsa.url);
    sign(&format!("a.txt b.txt {new} {stamp} --out doc"));
    let seal = "--key certs-a/seal.key --cert certs-a/seal.pem --commitment origin";
    world.run(&format!("doc sign doc {seal} {stamp}")).ok();
    world.run("export asic doc --out doc.asice").ok();
    let lists = "--crl root.crl --crl zj.crl";
    world.run(&format!("doc timestamp doc --tsa {} {lists} --level lta", tsa.url)).ok();
    // What pieces are taken from.
    sign(&format!("b.txt --to b.zj.gov.cn --type 函 --title 另 {stamp} --out other"));
    world.run("export asic other --out other.asice").ok();
    world
}

/// The report on a good example, which must pass.
fn passed(world: &World, path: &str) -> Meaning {
    let report = reports(world, path, &[(0, path.to_owned())]).remove(0);
    assert_eq!(report["indication"], "TOTAL-PASSED", "{path}: {report}");
    Meaning::of(&report)
}

#[test]
fn no_mutated_document_passes_for_another_or_stops_the_verifier() {
    let world = with_documents();
    let read = |path: &str| std::fs::read(world.path(path)).unwrap();
    let (attached, folder) = (read("one.chy"), read("doc/document.cose"));
    let other = read("other/document.cose");
    let originals = [passed(&world, "one.chy"), passed(&world, "doc")];
    each("documents", 3_000, 50, |seeds, place| {
        let room = emptied(&world, place);
        let mut files = Vec::new();
        for seed in seeds {
            let mut dice = Dice::new(*seed);
            let mut path = format!("{place}/{seed}");
            if seed % 3 == 0 {
                path += ".chy";
                // The document stands in the file as CBOR, the parts behind it.
                let mutant = mutant_of(&mut dice, &attached, &other, None);
                std::fs::write(world.path(&path), mutant).unwrap();
            } else {
                let mutant = mutant_of(&mut dice, &folder, &other, Some(Notation::Cbor));
                let document = room.join(seed.to_string());
                // A link to the folder would hold no parts.
                std::fs::create_dir_all(document.join("parts")).unwrap();
                for part in ["parts/a.txt", "parts/b.txt"] {
                    std::fs::hard_link(world.path("doc").join(part), document.join(part)).unwrap();
                }
                std::fs::write(document.join("document.cose"), mutant).unwrap();
            }
            files.push((*seed, path));
        }
        let mut took = 0;
        for ((seed, _), report) in files.iter().zip(reports(&world, "documents", &files)) {
            if report["indication"] == "TOTAL-PASSED" {
                took += 1;
                let (original, now) =
                    (&originals[usize::from(seed % 3 != 0)], Meaning::of(&report));
                let why = match original.exceeded_by(&now) {
                    None if now.document != original.document => Some("another document"),
                    None if now.findings != original.findings => Some("other parts"),
                    why => why,
                };
                if let Some(why) = why {
                    broken("documents", *seed, why, &(now, original));
                }
            }
        }
        took
    });
}

/// Changes the entries of a container.
fn mutate_entries(dice: &mut Dice, entries: &mut Vec<Entry>, other: &[Entry]) {
    let (at, to) = (dice.below(entries.len()), dice.below(entries.len()));
    let donor = dice.pick(other).clone();
    let notation = match entries[at].name.rsplit('.').next() {
        Some("p7s") => Some(Notation::Der),
        Some("cose" | "cbor") => Some(Notation::Cbor),
        _ => None,
    };
    let renamed = |dice: &mut Dice, name: &str| match dice.below(8) {
        0 => format!("./{name}"),
        1 => name.to_uppercase(),
        2 => format!("{name} "),
        3 => name.replace('/', "\\"),
        4 => format!("../{name}"),
        5 => format!("META-INF/{name}"),
        6 => name.replace("META-INF", "meta-inf"),
        _ => donor.name.clone(),
    };
    match dice.below(11) {
        0 => drop(entries.remove(at)),
        1 => entries.swap(at, to),
        2 => entries[at].name = renamed(dice, &entries[at].name.clone()),
        3 => entries[at].local = renamed(dice, &entries[at].local.clone()),
        4 => {
            let name = renamed(dice, &entries[at].name.clone());
            entries[at] = Entry { local: name.clone(), name, ..entries[at].clone() };
        }
        // The same name twice, with the same content or with another.
        5 => {
            let mut twice = entries[at].clone();
            if !dice.one_in(4) {
                twice.content = mutant_of(dice, &twice.content, &donor.content, notation);
            }
            entries.insert(to, twice);
        }
        6 => entries.insert(to, donor),
        7 => entries[at].content = donor.content,
        8 => {
            let content = entries[to].content.clone();
            entries[at].content = content;
        }
        _ => {
            let content = &entries[at].content;
            entries[at].content = mutant_of(dice, content, &donor.content, notation);
        }
    }
}

#[test]
fn no_mutated_container_passes_with_other_files_or_stops_the_verifier() {
    let world = with_documents();
    let good = std::fs::read(world.path("doc.asice")).unwrap();
    let other = std::fs::read(world.path("other.asice")).unwrap();
    let entries = mutate::unzip(&good).unwrap();
    let others = mutate::unzip(&other).unwrap();
    // What the mutants are made by makes a good container out of the same entries.
    world.write("again.asice", &mutate::zip(&entries));
    let original = passed(&world, "doc.asice");
    assert_eq!(original.exceeded_by(&passed(&world, "again.asice")), None);
    let import = |file: &str, out: &str| {
        world.run(&format!("import asic {file} --anchor root/ca.pem --out {out}"))
    };
    import("doc.asice", "taken").ok();
    let taken = files_below(&world.path("taken"));
    each("containers", 3_000, 50, |seeds, place| {
        let room = emptied(&world, place);
        let mut files = Vec::new();
        for seed in seeds {
            let mut dice = Dice::new(*seed);
            let mutant = if dice.one_in(5) {
                mutant_of(&mut dice, &good, &other, None)
            } else {
                let mut entries = entries.clone();
                for _ in 0..[1, 1, 2, 3][dice.below(4)] {
                    if entries.is_empty() {
                        break;
                    }
                    mutate_entries(&mut dice, &mut entries, &others);
                }
                mutate::zip(&entries)
            };
            std::fs::write(room.join(format!("{seed}.asice")), mutant).unwrap();
            files.push((*seed, format!("{place}/{seed}.asice")));
        }
        let mut took = 0;
        for ((seed, path), report) in files.iter().zip(reports(&world, "containers", &files)) {
            if report["indication"] != "TOTAL-PASSED" {
                continue;
            }
            took += 1;
            let now = Meaning::of(&report);
            let why = match original.exceeded_by(&now) {
                None if !now.document.is_null() && now.document != original.document => {
                    Some("another document")
                }
                why => why,
            };
            if let Some(why) = why {
                broken("containers", *seed, why, &(now, &original));
            }
            // What it gives out: every file that was signed, whole, under its name, and nothing that is another.
            let out = format!("{place}/{seed}");
            let answer = import(path, &out);
            if !judged(&answer) {
                broken("containers", *seed, "it is not taken out", &answer);
            }
            if answer.code == 0 {
                let now = files_below(&world.path(&out));
                // What stands unsigned in signatures may differ: whose they are was compared above.
                let signatures = |name: &str| name == "document.cose" || name.ends_with(".p7s");
                for (name, bytes) in &now {
                    let was = taken.get(name);
                    if was.is_none() || was != Some(bytes) && !signatures(name) {
                        broken("containers", *seed, "another file", name);
                    }
                }
                for name in taken.keys().filter(|name| name.starts_with("parts/")) {
                    if !now.contains_key(name) {
                        broken("containers", *seed, "a file less", name);
                    }
                }
            }
        }
        took
    });
}

/// What an export may leave out and still passes: what others have said of this ledger or shown of theirs. Nobody can miss what
/// was kept back; what is there must hold.
const OF_OTHERS: [&str; 4] = ["witness/", "seen/", "statements/", "cosigned/"];

/// What of a file may not change. Not among it: a witness's line in the checkpoint; the second form of a signature in the history, as
/// ledgers of the first version have none (the note says the same, under the same seal); certificates above the seal's own, and
/// fields of versions to come, beside evidence: nothing follows from them.
fn bound(name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    if OF_OTHERS.iter().any(|folder| name.starts_with(folder)) {
        return None;
    }
    if name == "checkpoint" {
        let end = bytes.windows(2).position(|two| two == b"\n\n").unwrap_or(bytes.len());
        return Some(bytes[..end].to_vec());
    }
    if name.starts_with("history/") {
        let notes = tile::entries(bytes).ok()?.into_iter().map(|entry| {
            let kept: KeptCheckpoint = cbor::decode_open(entry, cbor::MAX_BYTES).ok()?;
            Some(kept.note + "\n")
        });
        return notes.collect::<Option<String>>().map(String::into_bytes);
    }
    if name.starts_with("evidence/") {
        let evidence = Evidence::decode(bytes).ok()?;
        let own = evidence.chain.first().cloned();
        return cbor::encode(&(evidence.agency, evidence.receipt, own)).ok();
    }
    if name.ends_with(".pem") {
        // Text around the certificates says nothing (RFC 7468 §2).
        let chain = chancery_certs::decode_pem_chain(bytes).ok()?;
        return Some(chain.iter().flat_map(|one| one.der().to_vec()).collect());
    }
    Some(bytes.to_vec())
}

/// Two nodes have exchanged documents and are witnesses of each other: what b's ledger exported is in `good`, what it had before in
/// `before`, and a's in `other`.
fn with_exports() -> World {
    let mut world = World::new();
    for agency in ["a", "b"] {
        world.set(agency, "limits.witness_seconds", "1");
    }
    world.write("n.txt", b"text");
    world.start("a");
    world.start("b");
    world.send("a", "b", "n.txt", "one", &["--wait", "20"]);
    world.export("b", "before");
    let document = world.send("b", "a", "n.txt", "two", &["--wait", "20"]);
    world.clerk("a", &format!("receive {document}")).ok();
    world.send("a", "b", "n.txt", "three", &["--wait", "20"]);
    world.wait("a cosigns b", 30, |w| {
        w.export("b", "try");
        let found = w.path("try/witness").exists();
        std::fs::remove_dir_all(w.path("try")).unwrap();
        found
    });
    world.export("b", "good");
    world.export("a", "other");
    world.stop("a");
    world.stop("b");
    world
}

/// Every file and folder of an export, by its path in it.
fn places(folder: &Path) -> BTreeSet<PathBuf> {
    let files = files_below(folder);
    let all = files.keys().flat_map(|name| Path::new(name).ancestors().map(Path::to_owned));
    all.filter(|place| !place.as_os_str().is_empty()).collect()
}

#[test]
fn whatever_stands_in_a_place_of_an_export_ends_in_a_verdict() {
    let world = with_exports();
    let good = world.path("good");
    let folders = ["witness", "cosigned", "statements", "seen", "evidence", "history"];
    let more = ["forks", "orders", "seals"].map(PathBuf::from);
    let places: Vec<_> = places(&good).into_iter().chain(more).collect();
    for folder in folders {
        assert!(places.iter().any(|place| place.starts_with(folder)), "no {folder}: {places:?}");
    }
    for (number, place) in places.iter().enumerate() {
        for form in ["link", "nowhere", "loop", "folder", "file", "fifo"] {
            let room = world.path("odd");
            drop(std::fs::remove_dir_all(&room));
            chancery_tests::copy_dir(&good, &room);
            let path = room.join(place);
            let was_folder = path.is_dir();
            if was_folder {
                std::fs::remove_dir_all(&path).unwrap();
            } else if path.exists() {
                std::fs::remove_file(&path).unwrap();
            }
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let link = |to: &Path| std::os::unix::fs::symlink(to, &path).unwrap();
            match form {
                // To the very file or folder, elsewhere.
                "link" => link(&good.join(place)),
                "nowhere" => link(Path::new("/nowhere")),
                "loop" => link(path.file_name().unwrap().as_ref()),
                "folder" => std::fs::create_dir(&path).unwrap(),
                "file" => std::fs::write(&path, b"").unwrap(),
                _ => {
                    let made = std::process::Command::new("mkfifo").arg(&path).status();
                    assert!(made.unwrap().success());
                }
            }
            for line in ["audit odd", "audit good --against odd"] {
                let answer = world.run(&format!("--json {line} --anchor root/ca.pem"));
                let what = format!("{number}, {} as {form}: {line}: {answer:?}", place.display());
                // Without a seal it cannot be said whose ledger it is.
                let judged = match place.to_str() {
                    Some("seal.pem") => judged(&answer),
                    _ => judged(&answer) && answer.stdout.contains("\"agency\""),
                };
                assert!(judged, "{what}");
                // An empty folder, and a file in the place of a link to nothing, may be as good as nothing there.
                if line == "audit odd" && form != "folder" {
                    assert_ne!(answer.code, 0, "{what}");
                }
            }
        }
    }
}

#[test]
fn no_mutated_export_passes_with_other_entries_or_stops_the_audit() {
    let world = with_exports();
    let [good, before, other] =
        ["good", "before", "other"].map(|name| files_below(&world.path(name)));
    let audit = |path: &str| world.run(&format!("--json audit {path} --anchor root/ca.pem"));
    let report = audit("good").ok().json()["ledgers"][0].clone();
    assert!(!report["witnesses"].as_array().unwrap().is_empty(), "{report}");
    // `MUTATION_OF=history` mutates nothing else.
    let only = std::env::var("MUTATION_OF").unwrap_or_default();
    let names: Vec<_> = good.keys().filter(|name| name.starts_with(&only)).cloned().collect();
    each("exports", 1_500, 1, |seeds, place| {
        let seed = seeds[0];
        let mut dice = Dice::new(seed);
        let mut files = good.clone();
        for _ in 0..[1, 1, 1, 2][dice.below(4)] {
            let (name, second) = (dice.pick(&names).clone(), dice.pick(&names).clone());
            let donors = if dice.one_in(2) { &before } else { &other };
            let donor = *dice.pick(&donors.iter().collect::<Vec<_>>());
            let bytes = files.get(&name).cloned().unwrap_or_default();
            match dice.below(10) {
                0 => drop(files.remove(&name)),
                1 => drop(files.insert(name, files.get(&second).cloned().unwrap_or_default())),
                2 => drop(files.insert(donor.0.clone(), donor.1.clone())),
                3 => drop(files.insert(name.clone(), donors.get(&name).unwrap_or(donor.1).clone())),
                4 => {
                    files.remove(&name);
                    files.insert(second, bytes);
                }
                _ => {
                    let cbor = name.contains("evidence/") || name.contains("witness/");
                    let cbor = cbor.then_some(Notation::Cbor);
                    files.insert(name, mutant_of(&mut dice, &bytes, donor.1, cbor));
                }
            }
        }
        let room = emptied(&world, place);
        write_below(&room, &files);
        let answer = audit(place);
        if !judged(&answer) {
            broken("exports", seed, "no verdict", &answer);
        }
        if answer.code != 0 {
            return 0;
        }
        let now = answer.json()["ledgers"][0].clone();
        for word in ["agency", "size", "entries", "evidence", "checkpoints"] {
            if now[word] != report[word] {
                broken("exports", seed, word, &(&now, &report));
            }
        }
        let witnesses = |report: &Value| report["witnesses"].as_array().unwrap().clone();
        if witnesses(&now).iter().any(|witness| !witnesses(&report).contains(witness)) {
            broken("exports", seed, "another witness", &now);
        }
        for (name, bytes) in &good {
            let kept = files.get(name).and_then(|bytes| bound(name, bytes));
            if bound(name, bytes) != kept {
                let now = files.get(name).map(hex::encode);
                let shown = (name, hex::encode(bytes), now);
                broken("exports", seed, "nobody misses what was there", &shown);
            }
        }
        1
    });
}

/// A certificate of the authority's over other contents.
fn certified(issuer: &Issuer, contents: &[u8], algorithm: &[u8]) -> Vec<u8> {
    let signature = [&[0], issuer.key().sign_der(contents).unwrap().as_slice()].concat();
    mutate::der(0x30, &[contents, algorithm, &mutate::der(0x03, &signature)].concat())
}

/// The identifiers of a certificate's extensions, as a parser that is not ours finds them.
fn extensions(certificate: &[u8]) -> Vec<Vec<u8>> {
    let contents = mutate::der_children(certificate).into_iter().next().unwrap_or_default();
    let explicit = mutate::der_children(&contents).into_iter().find(|field| field[0] == 0xa3);
    let list = mutate::der_children(&explicit.unwrap_or_default()).into_iter().next();
    let each = mutate::der_children(&list.unwrap_or_default()).into_iter();
    each.filter_map(|extension| mutate::der_children(&extension).into_iter().next()).collect()
}

const NOW: i64 = 1_790_000_000;

#[test]
fn no_mutated_certificate_passes_and_none_that_a_province_signs_speaks_for_others() {
    let name = |text: &str| text.parse().unwrap();
    let root = Issuer::new_root("Root", &[name("gov.cn")], Algorithm::Es256, NOW).unwrap();
    let province = |place: &str| {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let subject = Subject::authority(place, &[name(&format!("{place}.gov.cn"))], Some(0));
        let certificate = root.issue(&subject, &key.public_key(), NOW).unwrap();
        Issuer::new(key, vec![certificate, root.certificate().clone()]).unwrap()
    };
    let (ours, theirs) = (province("zj"), province("sh"));
    let leaf = |by: &Issuer, subject: &Subject| {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        by.issue(subject, &key.public_key(), NOW).unwrap().der().to_vec()
    };
    let agency =
        |by: &Issuer, profile, who: &str| leaf(by, &Subject::agency(profile, name(who), who));
    let officer = Subject::officer("li@a.zj.gov.cn".parse().unwrap(), "Li");
    let good = [
        agency(&ours, Profile::Seal, "a.zj.gov.cn"),
        agency(&ours, Profile::Node, "a.zj.gov.cn"),
        leaf(&ours, &officer),
    ];
    // Names that are not the province's to give.
    let stranger = Subject::officer("wang@a.sh.gov.cn".parse().unwrap(), "Wang");
    let others = [
        agency(&root, Profile::Seal, "registry.gov.cn"),
        agency(&root, Profile::Timestamp, "tsa.gov.cn"),
        agency(&theirs, Profile::Seal, "a.sh.gov.cn"),
        leaf(&theirs, &stranger),
        ours.certificate().der().to_vec(),
        root.certificate().der().to_vec(),
    ];
    let between = [ours.certificate().clone(), theirs.certificate().clone()];
    let purposes = [
        Purpose::Sign,
        Purpose::Node,
        Purpose::Server,
        Purpose::Client,
        Purpose::TimeStamp,
        Purpose::Cades,
        Purpose::Any,
    ];
    let at = NOW + 60;
    each("certificates", 20_000, 500, |seeds, _| {
        // What was found valid is remembered, so that each batch has a store of its own.
        let trust = TrustStore::new([root.certificate().clone()]).unwrap();
        let valid = |der: &[u8]| {
            let certificate = Certificate::from_der(der).ok()?;
            let valid = |purpose| {
                Scrutiny::without_lists(&trust, at).check(&certificate, &between, purpose).is_ok()
            };
            let passed = purposes.map(valid).contains(&true);
            passed.then_some(certificate)
        };
        good.iter().for_each(|der| assert!(valid(der).is_some()));
        let mut took = 0;
        for seed in seeds {
            let mut dice = Dice::new(*seed);
            let (original, other) = (dice.pick(&good), dice.pick(&others));
            if dice.one_in(3) {
                let mutant = mutant_of(&mut dice, original, other, Some(Notation::Der));
                if mutant != *original && !others.contains(&mutant) && valid(&mutant).is_some() {
                    broken(
                        "certificates",
                        *seed,
                        "what nobody signed passes",
                        &hex::encode(mutant),
                    );
                }
                continue;
            }
            // The province's own authority signs whatever it is.
            let [contents, algorithm, _] = &mutate::der_children(original)[..] else {
                unreachable!()
            };
            let contents = mutant_of(&mut dice, contents, other, Some(Notation::Der));
            let mutant = certified(&ours, &contents, algorithm);
            let Some(certificate) = valid(&mutant) else { continue };
            took += 1;
            let below = |name: &str| name == "zj.gov.cn" || name.ends_with(".zj.gov.cn");
            let signer = certificate.signer_name().map(|name| name.agency().as_str().to_owned());
            let agency = certificate.agency_name().map(|name| name.as_str().to_owned());
            let dns = certificate.dns_names().iter().cloned();
            let hosts = certificate
                .emails()
                .iter()
                .map(|email| email.rsplit('@').next().unwrap_or_default().to_owned());
            let names: Vec<_> = signer.into_iter().chain(agency).chain(dns).chain(hosts).collect();
            if let Some(name) = names.iter().find(|name| !below(&name.to_ascii_lowercase())) {
                broken(
                    "certificates",
                    *seed,
                    &format!("it speaks for {name}"),
                    &hex::encode(&mutant),
                );
            }
            let mut once = BTreeSet::new();
            if !extensions(&mutant).into_iter().all(|identifier| once.insert(identifier)) {
                broken("certificates", *seed, "an extension stands twice", &hex::encode(&mutant));
            }
        }
        took
    });
}
