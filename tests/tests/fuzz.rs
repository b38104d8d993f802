//! The fuzz targets (`fuzz/src/lib.rs`) without a fuzzer: everything of the corpus, and mutants of it, through each of them. So they are
//! compiled and hold in `make test`; `scripts/fuzz.sh --stable SECONDS` gives each of them that long, with no other compiler than
//! that of the build (`FUZZ_ONLY=ber,cms`: only these). What libFuzzer has more of is coverage: it keeps the mutants that reach something new.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

#[rustfmt::skip]
#[allow(unreachable_pub, reason = "the fuzzer's targets call them from outside")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::{Duration, Instant},
};

use chancery_tests::{
    mutate::{self, Dice, Notation},
    package,
};

/// A target: its name, what it calls, how its input is written, and whose corpus it starts from besides its own.
type Target = (&'static str, fn(&[u8]), Option<Notation>, &'static [&'static str]);

const DER: Option<Notation> = Some(Notation::Der);
const CBOR: Option<Notation> = Some(Notation::Cbor);
const TARGETS: &[Target] = &[
    ("ber", targets::ber, DER, &["cms"]),
    ("cbor", targets::cbor, CBOR, &[]),
    ("certificate", targets::certificate, DER, &[]),
    ("cms", targets::cms, DER, &[]),
    ("container", targets::container, None, &[]),
    ("content", targets::content, None, &[]),
    ("cose", targets::cose, CBOR, &[]),
    ("crl", targets::crl, DER, &[]),
    ("decision", targets::decision, CBOR, &[]),
    ("directory", targets::directory, CBOR, &[]),
    ("document", targets::document, CBOR, &[]),
    ("encrypted_file", targets::encrypted_file, None, &[]),
    ("envelope", targets::envelope, CBOR, &[]),
    ("evidence", targets::evidence, CBOR, &["ledger"]),
    ("export", targets::export, None, &["ledger"]),
    ("formula", targets::formula, None, &[]),
    ("frame", targets::frame, CBOR, &[]),
    ("kem", targets::kem, None, &["encrypted_file"]),
    ("key", targets::key, DER, &[]),
    ("ledger", targets::ledger, CBOR, &[]),
    ("manifest", targets::manifest, None, &[]),
    ("module", targets::module, None, &[]),
    ("note", targets::note, None, &["ledger"]),
    ("order", targets::order, CBOR, &["envelope"]),
    ("pem", targets::pem, None, &["key", "certificate"]),
    ("request", targets::request, DER, &[]),
    ("timestamp", targets::timestamp, DER, &[]),
    ("timestamp_request", targets::timestamp_request, DER, &[]),
];

/// The corpus: inputs by the name of their target.
fn corpus() -> BTreeMap<String, Vec<Vec<u8>>> {
    let folder = tempfile::TempDir::new().unwrap();
    let archive = package().join("../fuzz/corpus.tar.xz");
    let mut tar = std::process::Command::new("tar");
    let unpacked = tar.arg("-xJf").arg(archive).arg("-C").arg(folder.path()).status();
    assert!(unpacked.unwrap().success(), "tar cannot read the corpus");
    let list = |folder: &Path| {
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let one = |folder: std::path::PathBuf| {
        let inputs = list(&folder).iter().map(|file| std::fs::read(file).unwrap()).collect();
        (folder.file_name().unwrap().to_str().unwrap().to_owned(), inputs)
    };
    list(&folder.path().join("corpus")).into_iter().map(one).collect()
}

/// Gives an input to a target; says which it was when that ends in a panic.
fn run(name: &str, target: fn(&[u8]), input: &[u8]) {
    let done = catch_unwind(AssertUnwindSafe(|| target(input)));
    assert!(done.is_ok(), "the target {name} panicked over {}", hex::encode(input));
}

fn mutant(dice: &mut Dice, notation: Option<Notation>, inputs: &[Vec<u8>]) -> Vec<u8> {
    let (mut input, other) = (dice.pick(inputs).clone(), dice.pick(inputs));
    for _ in 0..=dice.below(3) {
        match notation {
            Some(notation) if !dice.one_in(3) => {
                mutate::structure(dice, notation, &mut input, other);
            }
            _ => mutate::bytes(dice, &mut input, other),
        }
    }
    input
}

#[test]
fn every_fuzz_target_stands_its_corpus_and_mutants_of_it() {
    let seconds = std::env::var("FUZZ_SECONDS").ok().map(|text| text.parse().expect("a number"));
    let limit = seconds.map(Duration::from_secs);
    let only = std::env::var("FUZZ_ONLY").ok();
    let wanted =
        |name: &str| only.as_ref().is_none_or(|only| only.split(',').any(|one| one == name));
    let corpus = corpus();
    for (name, target, notation, besides) in TARGETS.iter().filter(|target| wanted(target.0)) {
        let from = std::iter::once(name).chain(*besides);
        let mut inputs: Vec<_> = from.filter_map(|n| corpus.get(*n)).flatten().cloned().collect();
        inputs.extend([Vec::new(), chancery_tests::noise(1216, 1), chancery_tests::noise(1200, 2)]);
        inputs.iter().for_each(|input| run(name, *target, input));
        let (start, mut seed) = (Instant::now(), 0);
        while limit.map_or(seed < 300, |limit| start.elapsed() < limit) {
            let mut dice = Dice::new(seed);
            run(name, *target, &mutant(&mut dice, *notation, &inputs));
            seed += 1;
        }
        eprintln!("{name}: {} of the corpus, {seed} mutants", inputs.len());
    }
}

#[test]
fn every_target_of_the_fuzzer_is_run_here_too() {
    let manifest = std::fs::read_to_string(package().join("../fuzz/Cargo.toml")).unwrap();
    let mut names: Vec<_> = manifest
        .split("[[bin]]")
        .skip(1)
        .filter_map(|bin| bin.split("name = \"").nth(1)?.split('"').next())
        .collect();
    names.sort_unstable();
    assert_eq!(names, TARGETS.iter().map(|target| target.0).collect::<Vec<_>>());
}
