//! An agency that would deceive its auditor: it has its seal, and writes its ledger and its export as it likes. And what
//! honest exports meet on their way to an auditor.

use std::path::Path;

use chancery_certs::Credential;
use chancery_crypto::{Digest, cbor};
use chancery_ledger::unix_now;
use chancery_protocol::{
    Checkpoint, EnvelopeId, Event, Evidence, ForkProof, KeptCheckpoint, Leaf, LogKey, Receipt,
    SealedNote, SignedCheckpoint, WitnessKey, WitnessStatement, merkle,
    tile::{TileEdge, entries, entries_path, history_path, push_entry, tile_path},
};
use chancery_tests::{World, copy_dir, flip, peer::seal_of};
use serde_json::Value;

/// Writes an export of these entries, sealed as they are.
fn export(folder: &Path, leaves: &[Vec<u8>], seal: &Credential) {
    let write = |path: &str, bytes: &[u8]| {
        let file = folder.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    };
    let (mut edge, mut range) = (TileEdge::default(), merkle::CompactRange::default());
    let (mut bundle, mut history) = (Vec::new(), Vec::new());
    let mut note = String::new();
    for leaf in leaves {
        push_entry(&mut bundle, leaf).unwrap();
        range.push(merkle::leaf_hash(leaf));
        edge.push(merkle::leaf_hash(leaf), |_, _, _| panic!("few entries"));
        let origin = Checkpoint::origin_of(seal.name().agency());
        let checkpoint = Checkpoint { origin, size: range.size(), root: range.root() };
        note = checkpoint.sign(seal).unwrap();
        let cose = Some(checkpoint.sign_cose(seal).unwrap().into());
        let kept = KeptCheckpoint { note: note.clone(), cose };
        push_entry(&mut history, &kept.encode().unwrap()).unwrap();
    }
    write("checkpoint", note.as_bytes());
    write("seal.pem", chancery_certs::encode_pem_chain(seal.chain()).as_bytes());
    write(&entries_path(0, leaves.len()), &bundle);
    write(&history_path(0), &history);
    for (level, index, tile) in edge.partial() {
        write(&tile_path(level, index, tile.width()), &tile.encode());
    }
}

/// A leaf, its bytes.
fn leaf(event: Event, n: u8, other: &str, evidence: Option<Digest>) -> Leaf {
    Leaf {
        event,
        envelope: EnvelopeId::from_slice(&[n; 32]).unwrap(),
        commitment: Digest::of(&[n]),
        counterpart: format!("{other}.zj.gov.cn").parse().unwrap(),
        time: unix_now(),
        evidence,
    }
}

/// A receipt for an entry, in a ledger that has this one; and its digest.
fn evidence(seal: &Credential, of: &Leaf) -> (Evidence, Digest) {
    let bytes = of.encode().unwrap();
    let origin = Checkpoint::origin_of(seal.name().agency());
    let checkpoint = Checkpoint { origin, size: 1, root: merkle::leaf_hash(&bytes) };
    let note = checkpoint.sign(seal).unwrap();
    let receipt =
        Receipt { leaf: bytes, index: 0, proof: Vec::new(), checkpoint: note, cose: None };
    let digest = Digest::of(&cbor::encode(&receipt).unwrap());
    let chain = seal.chain().iter().map(|c| c.der().to_vec().into()).collect();
    (Evidence { agency: seal.name().agency().clone(), receipt, chain, salt: None }, digest)
}

/// The verdict on an export, with what is said in it.
struct Said {
    code: i32,
    findings: String,
    ledger: Value,
}

fn audit(world: &World, line: &str) -> Said {
    let answer = world.run(&format!("--json audit {line} --anchor root/ca.pem"));
    assert!(!answer.stderr.contains("panicked"), "{answer:?}");
    let ledger = answer.json()["ledgers"][0].clone();
    let findings = serde_json::to_string_pretty(&ledger["findings"]).unwrap();
    Said { code: answer.code, findings, ledger }
}

impl Said {
    #[track_caller]
    fn failed(&self, why: &str, sentence: &str) {
        assert_eq!(
            (self.code, self.ledger["sub_indication"].as_str()),
            (1, Some(why)),
            "{}",
            self.findings
        );
        assert!(self.findings.contains(sentence), "{}", self.findings);
    }

    #[track_caller]
    fn passed(&self, sentence: &str) {
        assert_eq!(self.code, 0, "{}", self.findings);
        assert!(self.findings.contains(sentence), "{}", self.findings);
    }
}

#[test]
fn each_entry_rests_on_evidence_of_its_own_and_nothing_is_concluded_twice() {
    let world = World::new();
    let (a, b) = (seal_of(&world, "a"), seal_of(&world, "b"));
    let sent = |n| leaf(Event::SubmissionAcceptance, n, "b", None);
    let taken = |n| leaf(Event::ContentConsignment, n, "a", None);
    let (first, digest) = evidence(&b, &taken(1));
    let (_, second) = evidence(&b, &taken(2));
    let received = |n, digest| leaf(Event::EvidenceReceived, n, "b", Some(digest));
    let forged = |name: &str, leaves: &[Leaf], held: &[&Evidence]| {
        let folder = world.path(name);
        let leaves: Vec<_> = leaves.iter().map(|leaf| leaf.encode().unwrap()).collect();
        export(&folder, &leaves, &a);
        std::fs::create_dir_all(folder.join("evidence")).unwrap();
        for evidence in held {
            let digest = Digest::of(&cbor::encode(&evidence.receipt).unwrap());
            let file = folder.join(format!("evidence/{digest}"));
            std::fs::write(file, evidence.encode().unwrap()).unwrap();
        }
        audit(&world, name)
    };
    let good = forged("good", &[sent(1), received(1, digest)], &[&first]);
    good.passed("all 2 entries give the sealed root");

    // One receipt for two deliveries, in either order; a receipt that is not there.
    for order in [[1, 2], [2, 1]] {
        let leaves = [sent(1), sent(2), received(order[0], digest), received(order[1], digest)];
        let said = forged(&format!("shared-{}", order[0]), &leaves, &[&first]);
        said.failed("EVIDENCE_FAILURE", "rests on evidence of something else");
    }
    let leaves = [sent(1), sent(2), received(1, digest), received(2, second)];
    forged("missing", &leaves, &[&first])
        .failed("LEDGER_GAP", "the evidence that entry 3 speaks of");
    // Evidence that is genuine, and of another event, or given to somebody else.
    for (name, theirs) in [
        ("handed", leaf(Event::ContentHandover, 1, "a", None)),
        ("to-others", leaf(Event::ContentConsignment, 1, "b", None)),
    ] {
        let (held, digest) = evidence(&b, &theirs);
        let said = forged(name, &[sent(1), received(1, digest)], &[&held]);
        said.failed("EVIDENCE_FAILURE", "entry 1 rests on evidence of something else");
    }
    // A delivery ends once: delivered and refused, twice delivered; and to whom it was sent.
    let refused = leaf(Event::RelayRejection, 1, "b", None);
    let ends = "ends the delivery of";
    forged("both", &[sent(1), received(1, digest), refused.clone()], &[&first])
        .failed("LEDGER_ALTERED", ends);
    forged("twice", &[sent(1), received(1, digest), received(1, digest)], &[&first])
        .failed("LEDGER_ALTERED", ends);
    let elsewhere = leaf(Event::RelayFailure, 1, "c", None);
    forged("elsewhere", &[sent(1), elsewhere], &[]).failed("LEDGER_GAP", "never submitted");
    // Submitted twice, taken in twice, handed over twice; and one envelope with two documents.
    forged("again", &[sent(1), sent(1)], &[]).failed("LEDGER_ALTERED", "a second time");
    let taken_b = leaf(Event::ContentConsignment, 7, "b", None);
    forged("in", &[taken_b.clone(), taken_b.clone()], &[])
        .failed("LEDGER_ALTERED", "records ContentConsignment");
    let over = leaf(Event::ContentHandover, 7, "b", None);
    forged("over", &[taken_b.clone(), over.clone(), over], &[])
        .failed("LEDGER_ALTERED", "records ContentHandover");
    let mut other = leaf(Event::ContentHandover, 7, "b", None);
    other.commitment = Digest::of(b"another");
    forged("other", &[taken_b, other], &[]).failed("LEDGER_ALTERED", "has another document in");
}

#[test]
fn nobody_is_the_witness_of_its_own_ledger_and_the_lines_of_a_checkpoint_are_looked_at() {
    let world = World::new();
    let (a, b) = (seal_of(&world, "a"), seal_of(&world, "b"));
    let leaves = [leaf(Event::SubmissionAcceptance, 1, "b", None).encode().unwrap()];
    let folder = world.path("out");
    export(&folder, &leaves, &a);
    let note = std::fs::read_to_string(folder.join("checkpoint")).unwrap();
    let signed = SignedCheckpoint::open(&note, &LogKey::of_seal(&a.chain()[0]).unwrap()).unwrap();
    let witness = |by: &Credential| {
        let key = chancery_crypto::SigningKey::generate(chancery_crypto::Algorithm::EdDsa).unwrap();
        let statement = WitnessStatement::seal(&key.public_key(), by, unix_now()).unwrap();
        let agency = by.name().agency();
        let witness = WitnessKey::new(agency, &key.public_key()).unwrap();
        let line = witness.cosign(&signed, &key, unix_now()).unwrap();
        let kept = chancery_ledger::KeptCosignature {
            note: note.clone(),
            line: line.clone(),
            statement: statement.into(),
        };
        std::fs::create_dir_all(folder.join("witness")).unwrap();
        let file = folder.join(format!("witness/{agency}.cosignature"));
        std::fs::write(&file, cbor::encode(&kept).unwrap()).unwrap();
        (file, line)
    };
    let (file, _) = witness(&a);
    let said = audit(&world, "out");
    assert_eq!(
        (said.code, &said.ledger["witnesses"]),
        (5, &serde_json::json!([])),
        "{}",
        said.findings
    );
    assert!(said.findings.contains("that is no witness"), "{}", said.findings);
    std::fs::remove_file(file).unwrap();

    let (_, line) = witness(&b);
    let checkpoint = folder.join("checkpoint");
    std::fs::write(&checkpoint, format!("{note}{line}")).unwrap();
    let said = audit(&world, "out");
    said.passed("sealed root");
    assert_eq!(said.ledger["witnesses"], serde_json::json!(["b.zj.gov.cn"]));
    // Any bit of b's line: it does not hold, or is of another key than b's.
    let start = note.len() + "\u{2014} b.zj.gov.cn/witness ".len();
    for at in (start..note.len() + line.len() - 2).step_by(7) {
        flip(&checkpoint, at as u64);
        let said = audit(&world, "out");
        assert_ne!(said.code, 0, "byte {at}: {}", said.findings);
        flip(&checkpoint, at as u64);
    }
    // Signatures of others, as many and as large as they come, change nothing.
    let grease = |n: usize, bytes: usize| {
        let text = "QUJD".repeat(bytes.div_ceil(3));
        format!("\u{2014} grease{n}.invalid {text}\n")
    };
    let many: String = (0..60).map(|n| grease(n, 72)).collect();
    let large: String = (0..3).map(|n| grease(n, 5000)).collect();
    for more in [many, large] {
        std::fs::write(&checkpoint, format!("{note}{line}{more}")).unwrap();
        audit(&world, "out").passed("were not looked at");
    }
}

/// A world whose nodes look at each other's ledgers often, and two deliveries in it.
fn delivered() -> World {
    let mut world = World::new();
    for agency in ["a", "b"] {
        world.set(agency, "limits.witness_seconds", "1");
        world.start(agency);
    }
    world.write("n.txt", b"text");
    world.send("a", "b", "n.txt", "one", &["--wait", "20"]);
    world.send("a", "b", "n.txt", "two", &["--wait", "20"]);
    for (by, of) in [("b", "a"), ("a", "b")] {
        let size = world.clerk(of, "--json node status").ok().json()["entries"].clone();
        let line = format!("size={size}");
        let cosigned = |w: &World| {
            let log = w.log(by);
            log.lines().any(|l| l.contains("cosigned the peer's ledger") && l.contains(&line))
        };
        world.wait("a cosignature", 30, cosigned);
    }
    world
}

#[test]
fn a_ledger_that_was_rolled_back_is_seen_by_what_its_peers_have_seen_of_it() {
    let world = delivered();
    world.export("a", "out-a");
    world.export("b", "out-b");
    let both = audit(&world, "out-a --against out-b");
    both.passed("sealed root");
    // b has given receipts to a, and holds none of a's: what it has seen of a is all there is.
    assert!(both.ledger["held_checkpoints"].as_u64().unwrap() > 0, "{}", both.ledger);
    assert!(both.ledger["seen"].as_u64().unwrap() > 0, "{}", both.ledger);

    // The first two entries alone, sealed anew; and as many as there were, of which the last is another.
    let bundle = std::fs::read_dir(world.path("out-a/tile/entries/000.p")).unwrap();
    let bundle = std::fs::read(bundle.last().unwrap().unwrap().path()).unwrap();
    let leaves: Vec<_> = entries(&bundle).unwrap().into_iter().map(<[u8]>::to_vec).collect();
    let seal = seal_of(&world, "a");
    export(&world.path("back"), &leaves[..1], &seal);
    audit(&world, "back").passed("sealed root");
    audit(&world, "back --against out-b")
        .failed("LEDGER_ROLLED_BACK", "has seen its sealed checkpoint of");
    let mut other = leaves.clone();
    let evidence: Vec<_> = std::fs::read_dir(world.path("out-a/evidence")).unwrap().collect();
    *other.last_mut().unwrap() = leaf(Event::SubmissionAcceptance, 9, "b", None).encode().unwrap();
    export(&world.path("forked"), &other, &seal);
    copy_dir(&world.path("out-a/evidence"), &world.path("forked/evidence"));
    assert!(!evidence.is_empty());
    let said = audit(&world, "forked --against out-b");
    assert!(said.findings.contains("LEDGER_FORKED"), "{}", said.findings);
    // Two copies of one ledger must not tell two histories. An earlier one is only an earlier one.
    for line in ["forked --against out-a", "out-a --against forked"] {
        let said = audit(&world, line);
        assert!(said.findings.contains("LEDGER_FORKED"), "{line}: {}", said.findings);
    }
    audit(&world, "back --against out-a").passed("a later copy of this ledger");
    // Whoever has the proof of that shows it, by itself or in an export.
    let note = |folder: &str| {
        std::fs::read_to_string(world.path(&format!("{folder}/checkpoint"))).unwrap()
    };
    let second = note("forked");
    let second = SignedCheckpoint::open(&second, &LogKey::of_seal(&seal.chain()[0]).unwrap());
    let first = SealedNote::new(&note("out-a"), seal.chain());
    let agency = seal.name().agency().clone();
    let proof = ForkProof::of_one_size(agency, first, &second.unwrap(), seal.chain());
    let proof = proof.encode().unwrap();
    world.write("proof.fork", &proof);
    copy_dir(&world.path("out-b"), &world.path("shown"));
    std::fs::create_dir_all(world.path("shown/forks")).unwrap();
    world.write("shown/forks/a.fork", &proof);
    for against in ["proof.fork", "shown"] {
        let said = audit(&world, &format!("out-a --against {against}"));
        said.failed("LEDGER_FORKED", "proves that this ledger was forked");
    }
    audit(&world, "out-b --against proof.fork").passed("sealed root");
    // Bent, it proves nothing, against nobody.
    let mut bent = proof;
    let at = bent.len() - 40;
    bent[at] ^= 1;
    world.write("shown/forks/a.fork", &bent);
    let said = audit(&world, "out-a --against shown");
    assert_ne!(said.ledger["sub_indication"], "LEDGER_FORKED", "{}", said.findings);
    // Imported and exported again, what was seen is still there.
    world.run("ledger import out-b --into kept --anchor root/ca.pem").ok();
    world.run("ledger export --data kept --out again").ok();
    audit(&world, "back --against again")
        .failed("LEDGER_ROLLED_BACK", "has seen its sealed checkpoint of");
    audit(&world, "back --against kept")
        .failed("LEDGER_ROLLED_BACK", "has seen its sealed checkpoint of");

    // What was seen holds, or is said not to.
    for entry in std::fs::read_dir(world.path("out-b/seen")).unwrap() {
        let file = entry.unwrap().path();
        let length = std::fs::metadata(&file).unwrap().len();
        for at in (0..length).step_by(97) {
            flip(&file, at);
            assert_ne!(audit(&world, "out-b").code, 0, "byte {at} of {length}");
            flip(&file, at);
        }
    }
}

#[test]
fn what_exports_meet_on_their_way_is_said_and_is_no_alteration() {
    let world = delivered();
    world.export("a", "out");
    audit(&world, "out").passed("sealed root");
    let changed = |change: &dyn Fn(&Path)| {
        drop(std::fs::remove_dir_all(world.path("copy")));
        copy_dir(&world.path("out"), &world.path("copy"));
        change(&world.path("copy"));
        audit(&world, "copy")
    };
    let rewritten = |name: &'static str, change: &'static dyn Fn(String) -> String| {
        changed(&move |folder: &Path| {
            let file = folder.join(name);
            let text = change(std::fs::read_to_string(&file).unwrap());
            std::fs::write(file, text).unwrap();
        })
    };
    let pem = "seal.pem holds more than its certificates";
    rewritten("seal.pem", &|text| text.replace('\n', "\r\n")).passed(pem);
    rewritten("seal.pem", &|text| format!("\u{feff}{text}")).passed(pem);
    rewritten("seal.pem", &|text| text.replace('\n', "\n\n")).passed(pem);
    rewritten("seal.pem", &|text| format!("subject=CN = a\n{text}\n")).passed(pem);
    let note = "checkpoint has other line ends";
    rewritten("checkpoint", &|text| text.replace('\n', "\r\n")).passed(note);
    rewritten("checkpoint", &|text| format!("\u{feff}{text}\n\n")).passed(note);
    for folder in ["evidence", "witness", "forks", "seals", "seen", "orders"] {
        for name in [".DS_Store", "Thumbs.db", "desktop.ini", "._x"] {
            let said = changed(&|copy: &Path| {
                std::fs::create_dir_all(copy.join(folder)).unwrap();
                std::fs::write(copy.join(folder).join(name), b"x").unwrap();
            });
            said.passed(&format!("{folder}/{name} is no file of the ledger"));
        }
        // What is none of these is a finding that says where it lies, never an audit without a verdict.
        let said = changed(&|copy: &Path| {
            std::fs::create_dir_all(copy.join(folder)).unwrap();
            std::fs::write(copy.join(folder).join("unknown"), b"x").unwrap();
        });
        assert_eq!(said.code, 1, "{folder}: {}", said.findings);
        assert!(said.findings.contains(&format!("{folder}/unknown")), "{}", said.findings);
        let said = changed(&|copy: &Path| {
            std::fs::create_dir_all(copy.join(folder).join("a folder")).unwrap();
        });
        assert_eq!(said.code, 1, "{folder}: {}", said.findings);
        assert!(said.findings.contains(&format!("{folder}/a folder")), "{}", said.findings);
    }
    changed(&|copy: &Path| {
        let first = std::fs::read_dir(copy.join("evidence")).unwrap().next().unwrap().unwrap();
        std::fs::copy(first.path(), copy.join("evidence/copy of it")).unwrap();
    })
    .passed("is a second copy of an evidence");
    // A checkpoint that is no text at all has a verdict, too.
    let said = changed(&|copy: &Path| std::fs::write(copy.join("checkpoint"), [0xff; 90]).unwrap());
    assert_eq!(said.code, 1, "{}", said.findings);
}
