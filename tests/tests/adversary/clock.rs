//! A node whose clock, or whose peer's clock, does not tell the time; and an operator who turns it.

use std::{collections::HashMap, path::PathBuf};

use chancery_certs::{AgencyName, Credential};
use chancery_crypto::{Algorithm, Digest, SigningKey, cbor};
use chancery_desk::asking::{LocalReply, LocalRequest};
use chancery_doors::LocalClient;
use chancery_ledger::{PastCosignature, unix_now};
use chancery_protocol::{
    Checkpoint, EnvelopeId, Event, KeptCheckpoint, Leaf, SignedCheckpoint, WitnessKey,
    WitnessStatement, merkle,
    tile::{Tile, cosigned_path, entries_path, history_path, push_entry, tile_path},
};
use chancery_tests::{Answer, World, tool};
use serde_json::Value;

const HOUR: i64 = 3600;

/// The library that gives a process another time, where it is installed.
fn faketime(world: &World) -> Option<String> {
    tool(world, "faketime", "--version")?;
    let places = std::fs::read_dir("/usr/lib").ok()?;
    let place = places.map(|place| place.unwrap().path().join("faketime/libfaketime.so.1"));
    Some(place.into_iter().find(|path| path.exists())?.to_string_lossy().into_owned())
}

/// Agencies whose nodes have clocks that can be set.
struct Clocks {
    world: World,
    library: String,
}

impl Clocks {
    /// These agencies, in one directory; no node runs yet. None where clocks cannot be set.
    fn new(agencies: &[&str]) -> Option<Self> {
        let mut world = World::new();
        let library = faketime(&world)?;
        for agency in agencies {
            if !["a", "b"].contains(agency) {
                world.add_agency(agency, "ed25519");
            }
            world.set(agency, "limits.witness_seconds", "1");
        }
        world.publish(2, agencies);
        world.write("n.txt", b"text");
        Some(Self { world, library })
    }

    fn set(&self, agency: &str, ahead: i64) {
        self.world.write(&format!("clock-{agency}"), format!("{ahead:+}s").as_bytes());
    }

    /// Starts an agency's node with a clock that is so far ahead.
    fn start(&mut self, agency: &str, ahead: i64) {
        self.set(agency, ahead);
        let file = self.world.path(&format!("clock-{agency}")).to_string_lossy().into_owned();
        self.world.node_env = [
            ("LD_PRELOAD", self.library.as_str()),
            ("FAKETIME_TIMESTAMP_FILE", file.as_str()),
            ("FAKETIME_NO_CACHE", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        self.world.start(agency);
        self.world.node_env.clear();
    }

    fn status(&self, agency: &str) -> Value {
        self.world.clerk(agency, "--json node status").ok().json()
    }

    /// By how many seconds an agency's node thinks that it is ahead of each peer.
    fn differences(&self, agency: &str) -> HashMap<String, i64> {
        let peers = self.status(agency)["clock"]["peers"].as_array().unwrap().clone();
        let one = |peer: &Value| {
            let name = peer["agency"].as_str().unwrap().split('.').next().unwrap().to_owned();
            (name, peer["ahead_seconds"].as_i64().unwrap())
        };
        peers.iter().map(one).collect()
    }

    fn is_wrong(&self, agency: &str) -> bool {
        !self.status(agency)["clock"]["wrong"].is_null()
    }

    fn submit(&self, from: &str, to: &str) -> Answer {
        let to = format!("{to}.zj.gov.cn");
        let words = ["send", "n.txt", "--to", &to, "--type", "通知", "--title", "T"];
        self.world.clerk_words(from, &words)
    }

    /// The times of all entries of an agency's ledger.
    fn times(&self, agency: &str) -> Vec<i64> {
        let all = self.world.clerk(agency, "--json ledger show --limit 1000").ok().json();
        let all = all.as_array().unwrap().clone();
        all.iter().map(|entry| entry["leaf"]["time"].as_i64().unwrap()).collect()
    }

    fn audit(&self, agencies: &[&str]) -> Answer {
        let folders: Vec<_> = agencies
            .iter()
            .map(|agency| {
                let folder = format!("ledger-{agency}-{}", self.times(agency).len());
                self.world.export(agency, &folder);
                folder
            })
            .collect();
        self.world.run(&format!("--json audit {} --anchor root/ca.pem", folders.join(" ")))
    }
}

#[test]
fn a_clock_that_runs_away_seals_nothing_until_it_is_right_and_nothing_is_lost() {
    let Some(mut clocks) = Clocks::new(&["a", "b", "c"]) else { return };
    ["a", "b", "c"].iter().for_each(|agency| clocks.start(agency, 0));
    for from in ["a", "c"] {
        clocks.world.send(from, "b", "n.txt", "before", &["--wait", "30"]);
    }
    clocks.world.wait("b knows both clocks", 30, |_| clocks.differences("b").len() == 2);
    let before = clocks.times("b");

    clocks.set("b", 3 * HOUR);
    assert!(clocks.is_wrong("b"));
    let refused = clocks.submit("b", "a");
    refused.refused(3, "CHY-4030");
    // It says what both say.
    let years = refused.stderr.matches("20").count();
    assert!(years >= 2 && refused.stderr.contains("others say"), "{refused:?}");
    let check = clocks.world.run("node check --config b/node.toml");
    check.refused(3, "CHY-4030");
    assert!(check.stdout.contains("this node's is ahead by 3 h"), "{check:?}");
    let id = clocks.world.send("a", "b", "n.txt", "meanwhile", &[]);
    clocks.world.wait("b says so", 30, |w| w.log("b").contains("nothing is sealed"));
    assert_eq!(clocks.world.pending("a"), 1, "it is put off, and not refused");
    assert_eq!(clocks.times("b"), before, "no entry was sealed");

    clocks.set("b", 0);
    assert!(!clocks.is_wrong("b"));
    clocks.world.wait("what was put off", 60, |w| w.pending("a") == 0);
    clocks.world.clerk("b", &format!("open {id} --out got")).ok();
    clocks.submit("b", "a").ok();
    clocks.world.wait("the answer", 30, |w| w.pending("b") == 0);
    let answer = clocks.audit(&["a", "b", "c"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(clocks.times("b").is_sorted());
}

#[test]
fn a_receipt_from_three_hours_ahead_is_put_off_and_its_giver_never_goes_back_in_time() {
    let Some(mut clocks) = Clocks::new(&["a", "b"]) else { return };
    clocks.start("b", 3 * HOUR);
    clocks.start("a", 0);
    clocks.submit("a", "b").ok();
    clocks
        .world
        .wait("it is said", 30, |w| w.log("a").contains("it is taken when that has passed"));
    assert_eq!(clocks.world.pending("a"), 1);
    clocks.world.wait("a knows", 30, |_| {
        clocks.differences("a").get("b").is_some_and(|ahead| (-10_860..-10_740).contains(ahead))
    });
    assert!(!clocks.is_wrong("a") && !clocks.is_wrong("b"), "with one peer, who knows which?");
    // The innocent's ledger passes; the other's times are not proven, and it is not called forged.
    assert_eq!(clocks.audit(&["a"]).code, 0);
    let audit = clocks.audit(&["b"]);
    assert_eq!(audit.code, 5, "{audit:?}");
    assert_eq!(audit.json()["ledgers"][0]["sub_indication"], "TIME_NOT_PROVEN");

    // Set right, it has a ledger that is ahead. What its clerks file goes on from there; what others send waits.
    clocks.set("b", 0);
    clocks.submit("b", "a").ok();
    assert!(clocks.times("b").is_sorted());
    let ahead = clocks.status("b")["clock"]["ledger_ahead_seconds"].as_i64().unwrap();
    assert!((10_000..=3 * HOUR).contains(&ahead), "{ahead}");
    clocks.submit("a", "b").ok();
    let states = || {
        let all = clocks.world.list("a", "outbox");
        all.iter().map(|v| v["deliveries"][0]["state"].clone()).collect::<Vec<_>>()
    };
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(states(), ["pending", "pending"]);
    // Also after a restart.
    clocks.world.stop("b");
    clocks.start("b", 0);
    clocks.submit("b", "a").ok();
    assert!(clocks.times("b").is_sorted());
}

#[test]
fn a_clock_that_was_set_back_while_the_node_was_stopped_is_known_without_any_peer() {
    let Some(mut clocks) = Clocks::new(&["a", "b", "c"]) else { return };
    ["a", "b", "c"].iter().for_each(|agency| clocks.start(agency, 3 * HOUR));
    for to in ["b", "c"] {
        clocks.world.send("a", to, "n.txt", "before", &["--wait", "30"]);
    }
    clocks.world.wait("both have cosigned", 60, |_| {
        let seen = clocks.status("a")["witnesses"].as_array().unwrap().clone();
        seen.len() == 2 && seen.iter().all(|witness| witness["size"] == 4)
    });
    ["a", "b", "c"].iter().for_each(|agency| assert_eq!(clocks.world.stop(agency), 0));
    clocks.start("a", HOUR);
    let before = clocks.times("a");
    let refused = clocks.submit("a", "b");
    refused.refused(3, "CHY-4030");
    assert_eq!(clocks.times("a"), before);
    clocks.set("a", 3 * HOUR);
    clocks.submit("a", "b").ok();
    assert!(clocks.times("a").is_sorted());
}

#[test]
fn one_peer_that_lies_about_the_time_stops_nobody_and_its_cosignatures_are_not_taken() {
    let Some(mut clocks) = Clocks::new(&["a", "b", "c", "d"]) else { return };
    ["a", "b", "c"].iter().for_each(|agency| clocks.start(agency, 0));
    clocks.start("d", 3 * HOUR);
    for from in ["a", "c"] {
        clocks.world.send(from, "b", "n.txt", "first", &["--wait", "30"]);
    }
    clocks.submit("d", "b").ok();
    clocks.world.wait("b knows all clocks", 30, |_| clocks.differences("b").len() == 3);
    assert!(clocks.differences("b")["d"] < -10_000);
    assert!(!clocks.is_wrong("b"));
    clocks.world.send("a", "b", "n.txt", "second", &["--wait", "30"]);
    clocks.submit("b", "a").ok();
    let witnesses = |clocks: &Clocks| {
        let all = clocks.status("b")["witnesses"].as_array().unwrap().clone();
        all.iter().map(|w| w["agency"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    clocks.world.wait("the others cosign", 30, |_| witnesses(&clocks).len() == 2);
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(witnesses(&clocks), ["a.zj.gov.cn", "c.zj.gov.cn"]);
    let found = clocks.world.clerk("b", "node status").ok().stdout;
    assert!(found.contains("d.zj.gov.cn  this node's is behind by"), "{found}");
}

#[test]
fn a_peer_whose_documents_are_refused_again_and_again_is_put_off_and_others_are_not() {
    let mut world = World::new();
    world.add_agency("c", "ed25519");
    world.publish(2, &["a", "b", "c"]);
    world.set("b", "limits.envelope_bytes", "20000");
    world.set("b", "limits.peer_refused", "3");
    ["a", "b", "c"].iter().for_each(|agency| world.start(agency));
    world.write("n.txt", b"text");
    world.write("large.bin", &chancery_tests::noise(60_000, 5));
    // Each is refused for good, and costs the other signature checks.
    for n in 0..3 {
        world.send("a", "b", "large.bin", &format!("large {n}"), &[]);
    }
    world.wait("they are refused", 30, |w| w.pending("a") == 0);
    let entries = world.clerk("b", "--json node status").ok().json()["entries"].clone();
    let checks = world.log("b").matches("offer refused").count();
    world.send("a", "b", "large.bin", "one more", &[]);
    world.send("a", "b", "n.txt", "and a small one", &[]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(world.pending("a"), 2, "both are put off, and none is lost");
    assert_eq!(world.log("b").matches("offer refused").count(), checks, "nothing is looked at");
    assert_eq!(world.clerk("b", "--json node status").ok().json()["entries"], entries);
    world.send("c", "b", "n.txt", "from another", &["--wait", "30"]);
}

#[test]
fn two_nodes_answer_a_withdrawal_once_and_go_on_no_further_by_themselves() {
    let mut world = World::new();
    world.start("a");
    world.start("b");
    world.write("n.txt", b"text");
    let id = world.send("a", "b", "n.txt", "Withdrawn", &["--wait", "30"]);
    world.clerk_words("a", &["withdraw", &id, "--reason", "wrong number"]).ok();
    world.wait("the answer", 30, |w| w.list("a", "inbox").len() == 1);
    world.wait("all is delivered", 30, |w| w.pending("a") == 0 && w.pending("b") == 0);
    let sizes = |world: &World| {
        let of = |agency| world.clerk(agency, "--json node status").ok().json()["entries"].clone();
        [of("a"), of("b")]
    };
    let before = sizes(&world);
    std::thread::sleep(std::time::Duration::from_secs(12));
    assert_eq!(sizes(&world), before);
    assert_eq!((world.list("a", "outbox").len(), world.list("b", "outbox").len()), (2, 1));
}

/// An agency that makes its ledger by itself, with the seal that it has, and its witnesses.
struct Forged {
    world: World,
    seal: Credential,
    keys: HashMap<String, (Credential, SigningKey)>,
    entries: Vec<Vec<u8>>,
    cosigned: Vec<PastCosignature>,
    statements: HashMap<Digest, Vec<u8>>,
    /// When it begins.
    begin: i64,
}

fn credential(world: &World, folder: &str) -> Credential {
    let read = |name: &str| std::fs::read(world.path(&format!("{folder}/{name}"))).unwrap();
    let key = String::from_utf8(read("seal.key")).unwrap();
    let chain = chancery_certs::decode_pem_chain(&read("seal.pem")).unwrap();
    Credential::new(SigningKey::from_pem(&key, None).unwrap(), chain).unwrap()
}

impl Forged {
    /// With these witnesses. A key may be that of another.
    fn new(witnesses: &[&str]) -> Self {
        let world = World::new();
        let seal = credential(&world, "certs-a");
        let mut keys = HashMap::new();
        for witness in witnesses {
            let folder = format!("certs-{witness}");
            if !world.path(&folder).exists() {
                world.issue("seal", &format!("{witness}.zj.gov.cn"), &folder, "ed25519");
            }
            let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
            keys.insert((*witness).to_owned(), (credential(&world, &folder), key));
        }
        let (entries, cosigned, statements) = (Vec::new(), Vec::new(), HashMap::new());
        Self { world, seal, keys, entries, cosigned, statements, begin: unix_now() }
    }

    /// Files an entry that claims a time, in seconds from the beginning.
    fn file(&mut self, claimed: i64) {
        let commitment = Digest::of(&self.entries.len().to_be_bytes());
        let leaf = Leaf {
            time: self.begin + claimed,
            event: Event::SubmissionRejection,
            envelope: EnvelopeId::from_slice(commitment.as_bytes()).unwrap(),
            evidence: None,
            commitment,
            counterpart: self.seal.name().agency().clone(),
        };
        self.entries.push(leaf.encode().unwrap());
    }

    fn checkpoint(&self) -> SignedCheckpoint {
        let mut range = merkle::CompactRange::default();
        self.entries.iter().for_each(|entry| range.push(merkle::leaf_hash(entry)));
        let origin = Checkpoint::origin_of(self.seal.name().agency());
        let checkpoint = Checkpoint { origin, size: range.size(), root: range.root() };
        let note = checkpoint.sign(&self.seal).unwrap();
        SignedCheckpoint { checkpoint, note }
    }

    /// Witnesses cosign the ledger as it is, by clocks that show these seconds from the beginning.
    fn cosign(&mut self, witnesses: &[&str], at: i64) {
        let signed = self.checkpoint();
        for name in witnesses {
            let (seal, key) = &self.keys[*name];
            let agency = seal.name().agency().clone();
            let time = self.begin + at;
            let witness = WitnessKey::new(&agency, &key.public_key()).unwrap();
            let line = witness.cosign(&signed, key, time).unwrap();
            let sealed = WitnessStatement::seal(&key.public_key(), seal, self.begin).unwrap();
            let known = self.cosigned.iter().find(|past| past.witness == agency);
            let statement = known.map_or_else(|| Digest::of(&sealed), |past| past.statement);
            self.statements.entry(statement).or_insert(sealed);
            let size = signed.checkpoint.size;
            self.cosigned.push(PastCosignature { line, size, time, witness: agency, statement });
        }
    }

    /// Writes the ledger as a node exports it, and audits it with the real command a day after its beginning.
    fn audit(&self, folder: &str) -> Answer {
        self.audit_by(folder, "--anchor root/ca.pem")
    }

    fn audit_by(&self, folder: &str, trust: &str) -> Answer {
        let write = |path: String, bytes: Vec<u8>| {
            let path: PathBuf = self.world.path(folder).join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        let signed = self.checkpoint();
        write("checkpoint".into(), signed.note.clone().into_bytes());
        write("seal.pem".into(), chancery_certs::encode_pem_chain(self.seal.chain()).into_bytes());
        let (mut bundle, mut tile) = (Vec::new(), Tile::default());
        for entry in &self.entries {
            push_entry(&mut bundle, entry).unwrap();
            tile.push(merkle::leaf_hash(entry));
        }
        write(entries_path(0, tile.width()), bundle);
        write(tile_path(0, 0, tile.width()), tile.encode());
        let mut history = Vec::new();
        let kept = KeptCheckpoint { cose: None, note: signed.note };
        push_entry(&mut history, &kept.encode().unwrap()).unwrap();
        write(history_path(0), history);
        let mut cosigned = Vec::new();
        for past in &self.cosigned {
            push_entry(&mut cosigned, &cbor::encode(past).unwrap()).unwrap();
        }
        write(cosigned_path(0), cosigned);
        for (digest, statement) in &self.statements {
            write(format!("statements/{digest}"), statement.clone());
        }
        let at = chancery_certs::rfc3339(self.begin + 24 * HOUR);
        self.world.run(&format!("--json audit {folder} {trust} --at {at}"))
    }

    /// A ledger with some entries, cosigned, then quiet for six hours, in which it is cosigned again; then an entry that
    /// claims to be five hours old, and is cosigned.
    fn dated_back(mut self, honest: &[&str]) -> Self {
        (0..5).for_each(|n| self.file(10 * n));
        self.cosign(honest, 50);
        self.cosign(honest, 6 * HOUR);
        self.file(HOUR);
        self.cosign(honest, 6 * HOUR + 20);
        self
    }
}

#[track_caller]
fn not_proven(answer: &Answer, said: &str) {
    assert_eq!(answer.code, 5, "{answer:?}");
    let report = answer.json()["ledgers"][0].clone();
    assert_eq!(report["sub_indication"], "TIME_NOT_PROVEN", "{report}");
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|f| f["sentence"].as_str().unwrap().contains(said));
    assert!(found.is_some_and(|f| f["indication"] == "INDETERMINATE"), "{report}");
    assert!(findings.iter().all(|f| f["indication"] != "TOTAL-FAILED"), "{report}");
}

#[track_caller]
fn passes(answer: &Answer, said: Option<&str>) {
    assert_eq!(answer.code, 0, "{answer:?}");
    if let Some(said) = said {
        assert!(answer.stdout.contains(said), "{answer:?}");
    }
}

const THREE: [&str; 3] = ["w1", "w2", "w3"];

#[test]
fn an_entry_that_an_operator_dates_back_into_a_quiet_time_is_not_proven_and_not_forged() {
    let forged = Forged::new(&THREE).dated_back(&THREE);
    not_proven(&forged.audit("back"), "entry 5 says");
    // The same ledger, filed when it says.
    let mut honest = Forged::new(&THREE);
    (0..5).for_each(|n| honest.file(10 * n));
    honest.cosign(&THREE, 50);
    honest.cosign(&THREE, 6 * HOUR);
    honest.file(6 * HOUR + 10);
    honest.cosign(&THREE, 6 * HOUR + 20);
    passes(&honest.audit("honest"), None);
    let report = honest.audit("honest").json()["ledgers"][0].clone();
    assert_eq!(report["cosignatures"], 9, "{report}");
}

#[test]
fn one_lying_witness_of_three_neither_condemns_nor_excuses_and_two_can() {
    // It says that it was there from the beginning.
    let mut forged = Forged::new(&THREE).dated_back(&["w1", "w2"]);
    forged.cosign(&["w3"], HOUR);
    not_proven(&forged.audit("excused"), "entry 5 says");
    // It says of an honest ledger that it has entries which it should not have had for hours, or should have had.
    for lie in [-5 * HOUR, 5 * HOUR] {
        let mut honest = Forged::new(&THREE);
        for n in 0..6 {
            honest.file(HOUR * n);
            honest.cosign(&["w1", "w2"], HOUR * n + 10);
            honest.cosign(&["w3"], HOUR * n + lie);
        }
        passes(&honest.audit("condemned"), None);
    }
    // What two of three say counts: docs/security.md says so.
    let mut forged = Forged::new(&THREE).dated_back(&["w1"]);
    forged.cosign(&["w2", "w3"], HOUR + 10);
    passes(&forged.audit("majority"), None);
}

#[test]
fn a_later_time_than_that_of_the_first_cosignature_is_not_proven_either() {
    let mut forged = Forged::new(&THREE);
    forged.file(0);
    forged.file(3 * HOUR);
    forged.cosign(&THREE, 20);
    not_proven(&forged.audit("ahead"), "entry 1 says");
}

#[test]
fn fewer_than_three_witnesses_prove_no_times_and_the_agency_is_none_of_its_own() {
    let note = "not enough witnesses to prove times";
    passes(&Forged::new(&["w1", "w2"]).dated_back(&["w1", "w2"]).audit("two"), Some(note));
    let own = ["a", "w1", "w2"];
    passes(&Forged::new(&own).dated_back(&own).audit("own"), Some(note));
    // One key under two names is one witness.
    let mut doubled = Forged::new(&THREE);
    let pem = doubled.keys["w1"].1.to_pem(None).unwrap();
    doubled.keys.get_mut("w2").unwrap().1 = SigningKey::from_pem(&pem, None).unwrap();
    passes(&doubled.dated_back(&THREE).audit("doubled"), Some(note));
}

#[test]
fn only_the_witnesses_that_the_directory_of_the_trust_file_names_prove_times() {
    let forged = Forged::new(&THREE).dated_back(&THREE);
    let by = |file: &str, named: &str| {
        let line = "directory publish --key registry/seal.key --cert registry/seal.pem --anchor \
                    root/ca.pem --version-number 2 a/agency.card";
        forged.world.run(&format!("{line} --out {file}.cose {named}")).ok();
        let text = format!(
            "anchors = [\"root/ca.pem\"]\nregistrar = \"registry.zj.gov.cn\"\n\
             directory = \"{file}.cose\"\n"
        );
        forged.world.write(&format!("{file}.toml"), text.as_bytes());
        forged.audit_by(file, &format!("--trust {file}.toml"))
    };
    let all = "--witness a.zj.gov.cn=w1.zj.gov.cn,w2.zj.gov.cn,w3.zj.gov.cn";
    not_proven(&by("all", all), "entry 5 says");
    not_proven(&by("none", ""), "entry 5 says");
    // The third is none of those that the registrar has named.
    let others = "--witness a.zj.gov.cn=w1.zj.gov.cn,w2.zj.gov.cn,b.zj.gov.cn";
    passes(&by("others", others), Some("not enough witnesses to prove times"));
}

#[test]
fn entries_that_go_back_or_lie_before_the_seal_or_after_the_audit_are_not_proven() {
    let with = |times: &[i64]| {
        let mut forged = Forged::new(&[]);
        times.iter().for_each(|time| forged.file(*time));
        forged.audit("odd")
    };
    // Of earlier releases: within one commit, callers overtook each other.
    passes(
        &with(&[0, 40, 20, 30]),
        Some("2 entries are earlier than one before them, by up to 20 s"),
    );
    not_proven(&with(&[0, 7000, 20]), "1 entries are earlier than one before them");
    not_proven(&with(&[-50 * 365 * 24 * HOUR, 0]), "older than the ledger's first seal");
    not_proven(&with(&[0, 4 * 365 * 24 * HOUR]), "lie after the time of validation");
}

#[test]
fn a_cosignature_of_the_history_that_does_not_hold_or_is_of_more_than_there_is_fails_the_audit() {
    let mut forged = Forged::new(&THREE).dated_back(&THREE);
    forged.cosigned[0].size = 4;
    assert_eq!(forged.audit("moved").code, 1);
    forged.cosigned[0].size = 7;
    let answer = forged.audit("more");
    assert_eq!(answer.json()["ledgers"][0]["sub_indication"], "LEDGER_ROLLED_BACK", "{answer:?}");
    forged.cosigned[0].size = 5;
    let name: AgencyName = "w1.zj.gov.cn".parse().unwrap();
    let from = forged.cosigned.iter().find(|past| past.witness != name).unwrap().line.clone();
    forged.cosigned[0].line = from;
    assert_eq!(forged.audit("exchanged").code, 1);
}

#[test]
fn a_clerk_who_watches_is_told_of_what_comes_after_the_clock_was_set_back() {
    let Some(mut clocks) = Clocks::new(&["a", "b"]) else { return };
    clocks.start("a", 0);
    // Less than what others would notice.
    clocks.start("b", 40);
    let send = |clocks: &Clocks, title: &str| {
        drop(clocks.world.send("a", "b", "n.txt", title, &["--wait", "20"]));
    };
    send(&clocks, "ahead 1");
    send(&clocks, "ahead 2");
    clocks.world.stop("b");
    clocks.start("b", 0);
    let mut clerk = LocalClient::connect(&clocks.world.path("b/node.sock")).unwrap();
    clerk.send(&LocalRequest::Watch).unwrap();
    assert!(matches!(clerk.reply().unwrap(), LocalReply::Ready));
    let titles = ["new 1", "new 2", "new 3"];
    titles.iter().for_each(|title| send(&clocks, title));
    // They have come; now one goes out, of which it is told in any case: nothing is waited for in vain.
    let words = ["send", "n.txt", "--to", "a.zj.gov.cn", "--type", "通知", "--title", "last"];
    clocks.world.clerk_words("b", &words).ok();
    let mut told = Vec::new();
    while told.last().is_none_or(|title| title != "last") {
        match clerk.reply().unwrap() {
            LocalReply::Document(view) => told.push(view.title),
            other => panic!("{other:?}"),
        }
    }
    told.pop();
    assert_eq!(told, titles);
    let inbox = clocks.world.list("b", "inbox");
    let order: Vec<_> = inbox.iter().map(|one| one["title"].as_str().unwrap()).collect();
    assert_eq!(order, ["new 3", "new 2", "new 1", "ahead 2", "ahead 1"], "newest first");
}
