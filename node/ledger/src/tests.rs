//! The ledger as a whole, over a store in memory.

use chancery_certs::{AgencyName, Issuer, Profile, Subject};
use chancery_crypto::{Algorithm, SigningKey};
use chancery_protocol::{EnvelopeId, Event};

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use chancery_protocol::{COSIGN_AGAIN, Leaf};
use serde_bytes::ByteBuf;

use super::*;
use crate::{
    cosignatures::cosigned_row,
    tree::tile_key,
    writer::{FOLLOWED, FOLLOWING, Group, SIBLINGS},
};
use chancery_store::{Condition, MemoryStore, Read as _, in_place};

const NOW: i64 = 1_790_000_000;

fn seal() -> Arc<Credential> {
    let agency: AgencyName = "a.gov.cn".parse().expect("a name");
    let root = Issuer::new_root("Root", &[], Algorithm::EdDsa, NOW).expect("a root");
    let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
    let subject = Subject::agency(Profile::Seal, agency, "A");
    let cert = root.issue(&subject, &key.public_key(), NOW).expect("a seal");
    Arc::new(Credential::new(key, vec![cert]).expect("a credential"))
}

fn leaf(n: u64) -> Leaf {
    let digest = Digest::of(&n.to_be_bytes());
    Leaf {
        event: Event::SubmissionAcceptance,
        envelope: EnvelopeId::from_slice(digest.as_bytes()).expect("32 bytes"),
        commitment: digest,
        counterpart: "b.gov.cn".parse().expect("a name"),
        time: began(),
        evidence: None,
    }
}

/// When the tests began, by the clock that the writer goes by.
fn began() -> i64 {
    static BEGAN: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
    *BEGAN.get_or_init(crate::unix_now)
}

fn commit(leaves: std::ops::Range<u64>) -> Commit {
    Commit { leaves: leaves.map(leaf).collect(), ..Commit::default() }
}

/// The root by the definition of RFC 6962 §2.1.
fn naive_root(hashes: &[Digest]) -> Digest {
    match hashes {
        [] => merkle::empty_root(),
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len().next_power_of_two() / 2);
            merkle::node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

fn leaf_hashes(size: u64) -> Vec<Digest> {
    (0..size).map(|n| merkle::leaf_hash(&leaf(n).encode().expect("plain"))).collect()
}

async fn receipts(ledger: &Ledger, commit: Commit) -> Vec<Receipt> {
    match ledger.commit(commit).await.expect("commits") {
        Outcome::Committed(receipts) => receipts,
        Outcome::Stale(table, _) => panic!("it exists in {table:?}"),
    }
}

/// Two commits, the second still in the queue.
fn one_of_two(patient: bool) -> (Group, mpsc::Receiver<(Commit, Reply)>) {
    let (sender, queue) = mpsc::channel(2);
    let commit = || (Commit { patient, ..commit(0..1) }, oneshot::channel().0);
    sender.try_send(commit()).expect("room");
    (Group::of(commit()), queue)
}

#[test]
fn a_batch_waits_for_others_only_while_many_are_being_made() {
    for (expected, taken) in [(0, 1), (SIBLINGS, 1), (SIBLINGS + 1, 2)] {
        let (mut group, mut queue) = one_of_two(false);
        group.gather(&mut queue, &AtomicUsize::new(expected));
        assert_eq!(group.commits.len(), taken, "{expected} are being made");
    }
}

#[test]
fn only_what_nobody_waits_for_keeps_a_distance_and_only_to_many_batches() {
    // In the future, so that a slow machine gives the same.
    let soon = Instant::now() + Duration::from_millis(100);
    let cases = [(true, FOLLOWING, 2), (true, FOLLOWING - 1, 1), (false, FOLLOWING, 1)];
    for (patient, batches, taken) in cases {
        let (mut group, mut queue) = one_of_two(patient);
        group.space(&mut queue, &vec![soon; batches].into());
        assert_eq!(group.commits.len(), taken, "patient: {patient}, after {batches}");
    }
    let (mut group, mut queue) = one_of_two(true);
    std::thread::sleep(2 * FOLLOWED);
    let long_ago = Instant::now().checked_sub(2 * FOLLOWED).expect("the machine runs longer");
    group.space(&mut queue, &vec![long_ago; FOLLOWING].into());
    assert_eq!(group.commits.len(), 1, "the last batches are long ago");
}

#[test]
fn what_is_expected_is_so_until_it_is_over() {
    let ledger = Ledger::open(Arc::new(MemoryStore::default()), seal()).expect("opens");
    let first = ledger.expect();
    drop((ledger.expect(), first));
    assert_eq!(ledger.expected.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_large_and_small_give_the_rfc_6962_root_and_true_receipts() {
    let store = Arc::new(MemoryStore::default());
    let seal = seal();
    let key = log_key(&seal).expect("a log key");
    let ledger = Ledger::open(store.clone(), seal.clone()).expect("opens");
    // More new tiles in one batch than are cached: none may be forgotten before it is written.
    let sizes = [1, 1, 254, 1, 30_000, 3, 255];
    let mut size = 0;
    let mut kept = Vec::new();
    for more in sizes {
        let given = receipts(&ledger, commit(size..size + more)).await;
        size += more;
        for receipt in given.into_iter().step_by(997) {
            let verified = receipt.verify(&key).expect("a true receipt");
            assert_eq!(verified.checkpoint.checkpoint.size, size);
            kept.push(receipt);
        }
    }
    // Made anew later, under a larger tree, a receipt is the one that was given.
    for receipt in kept {
        assert_eq!(ledger.view.given_receipt(receipt.index).expect("is there"), receipt);
    }
    let hashes = leaf_hashes(size);
    assert_eq!(ledger.checkpoint().checkpoint.root, naive_root(&hashes));
    in_place(|here| ledger.close(here));

    // Started again, from what is stored alone.
    let ledger = Ledger::open(store, seal).expect("opens again");
    assert_eq!(ledger.checkpoint().checkpoint.size, size);
    for index in (0..size).step_by(611).chain([size - 1]) {
        let receipt = ledger.view.prove(index).expect("reads").expect("there is such an entry");
        assert_eq!(receipt.verify(&key).expect("holds").index, index);
    }
    assert_eq!(ledger.view.prove(size).expect("reads"), None);
    for old in [1, 256, 257, 30_000, size] {
        let (growths, new) = ledger.view.growth(&[old]).expect("reads");
        let [growth] = &growths[..] else { panic!("it was that small") };
        let old_hashes = hashes.get(..usize::try_from(old).expect("small")).expect("smaller");
        assert_eq!(growth.old_root, naive_root(old_hashes));
        let (new, root) = (new.checkpoint, &growth.old_root);
        merkle::verify_consistency((old, root), (new.size, &new.root), &growth.proof)
            .expect("holds");
    }
    assert_eq!(ledger.view.growth(&[size + 1]).expect("reads").0, []);
    in_place(|here| ledger.close(here));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_leaves_no_trace_and_what_exists_is_not_doubled() {
    let store = Arc::new(MemoryStore::default());
    let ledger = Ledger::open(store.clone(), seal()).expect("opens");
    receipts(&ledger, commit(0..3)).await;
    let before = ledger.checkpoint();

    store.set_full(true);
    let sender: AgencyName = "a.zj.gov.cn".parse().expect("a name");
    let keeping = || Commit { stored: vec![(sender.clone(), 100)], ..commit(3..5) };
    for _ in 0..2 {
        let failed = ledger.commit(keeping()).await.expect_err("the disk is full");
        assert_eq!(failed.code(), "CHY-4040");
        assert_eq!(ledger.checkpoint(), before);
        assert!(ledger.full().is_some_and(|why| why.contains("told so")));
        assert_eq!(*ledger.failure().borrow(), None, "it passes: the node goes on");
        assert!(ledger.view.prove(2).expect("reads").is_some(), "what is there can be read");
    }
    store.set_full(false);
    // Room again: it goes on as if nothing had been.
    receipts(&ledger, keeping()).await;
    assert_eq!(
        ledger.view.stored_of(&sender).expect("reads"),
        100,
        "what was not kept counts nothing"
    );
    assert_eq!(ledger.full(), None);
    assert_eq!(ledger.checkpoint().checkpoint.root, naive_root(&leaf_hashes(5)));

    let once = || {
        let mut commit = commit(5..6);
        commit.batch.put(Table::Envelopes, *b"id", *b"record");
        commit.absent(Table::Envelopes, *b"id");
        commit
    };
    // Both wait at the same time: in one group or in two, one of them wins.
    let (one, two) = tokio::join!(ledger.commit(once()), ledger.commit(once()));
    let exists = [one, two].into_iter().filter(|r| matches!(r, Ok(Outcome::Stale(..))));
    let exists = exists.count();
    assert_eq!(exists, 1);
    assert_eq!(ledger.checkpoint().checkpoint.size, 6);

    in_place(|here| ledger.close(here));
    let stopped = ledger.commit(commit(6..7)).await.expect_err("closed");
    assert_eq!(stopped.code(), "CHY-4006");
}

/// A commit of one entry that asks for these keys in [`Table::Modules`] to be absent, and sets them.
fn asking(n: u64, keys: &[&str]) -> Commit {
    let mut commit = commit(n..n + 1);
    for key in keys {
        commit.batch.put(Table::Modules, key.as_bytes(), n.to_be_bytes());
        commit.absent(Table::Modules, key.as_bytes().to_vec());
    }
    commit
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_written_only_if_all_that_it_asks_for_holds_and_else_says_what_does_not() {
    let exists = |key: &str| Outcome::Stale(Table::Modules, key.as_bytes().to_vec());
    let store = Arc::new(MemoryStore::default());
    let ledger = Ledger::open(store.clone(), seal()).expect("opens");
    receipts(&ledger, asking(0, &["a", "b"])).await;
    // The first key that does not hold is named, whichever it is.
    for (keys, held) in [(&["x", "b"][..], "b"), (&["a", "x"], "a"), (&["x", "y", "b", "a"], "b")] {
        let outcome = ledger.commit(asking(1, keys)).await.expect("it is no error");
        assert_eq!(outcome, exists(held), "{keys:?}");
    }
    assert_eq!(ledger.checkpoint().checkpoint.size, 1, "nothing was written");
    for key in ["x", "y"] {
        assert_eq!(store.get(Table::Modules, key.as_bytes()).expect("reads"), None);
    }
    // What was refused asks for nothing any more: its other keys are free.
    receipts(&ledger, asking(1, &["x"])).await;
    receipts(&ledger, asking(2, &["y"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_commits_that_share_any_key_and_come_at_once_one_is_written() {
    let store = Arc::new(MemoryStore::default());
    let ledger = Arc::new(Ledger::open(store.clone(), seal()).expect("opens"));
    for round in 0..50u64 {
        // A request with its act, another act under the same request, and another request for the same act: in one
        // group or in several.
        let keys = [["r", "p"], ["r", "q"], ["s", "p"], ["p", "r"]];
        let mut all = tokio::task::JoinSet::new();
        for (n, keys) in (0..).zip(keys) {
            let keys = keys.map(|key| format!("{key}{round}"));
            let ledger = ledger.clone();
            all.spawn(async move {
                let keys = [keys[0].as_str(), keys[1].as_str()];
                ledger.commit(asking(10 * round + n, &keys)).await.expect("it is no error")
            });
        }
        let outcomes = all.join_all().await;
        let done = outcomes.iter().filter(|one| matches!(one, Outcome::Committed(_))).count();
        // The second and the third share nothing with each other.
        assert!((1..=2).contains(&done), "{outcomes:?}");
        let value = |key: &str| {
            let key = format!("{key}{round}");
            store.get(Table::Modules, key.as_bytes()).expect("reads")
        };
        let by = [value("r"), value("p"), value("q"), value("s")];
        // No key is of a commit whose other key is somebody else's.
        let whole = match done {
            1 => by[0] == by[1] && by[2].is_none() && by[3].is_none(),
            _ => by[0] == by[2] && by[1] == by[3] && by[0] != by[1],
        };
        assert!(whole, "{outcomes:?}: {by:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_batch_of_a_commit_asks_for_is_asked_of_the_commit_and_harms_no_other() {
    let ledger = Ledger::open(Arc::new(MemoryStore::default()), seal()).expect("opens");
    let mut bad = commit(0..1);
    bad.batch.require(Table::Meta, *b"x", Some(b"y".to_vec()));
    let (bad, good) = tokio::join!(ledger.commit(bad), ledger.commit(commit(1..2)));
    assert_eq!(bad.expect("it is answered"), Outcome::Stale(Table::Meta, b"x".to_vec()));
    assert!(matches!(good, Ok(Outcome::Committed(_))), "{good:?}");
    assert_eq!(*ledger.failure().borrow(), None, "it is no reason to stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_rests_on_what_the_store_holds_and_on_what_its_group_has_written_before() {
    let store = Arc::new(MemoryStore::default());
    let ledger = Ledger::open(store.clone(), seal()).expect("opens");
    let step = |n: u64, want: Option<&[u8]>| {
        let mut commit = commit(n..n + 1);
        let want = want.map(<[u8]>::to_vec);
        commit.conditions.push(Condition { table: Table::Modules, key: b"k".to_vec(), want });
        commit.batch.put(Table::Modules, *b"k", n.to_be_bytes());
        commit
    };
    // They wait at the same time, and are in one group or in several: each rests on the one before.
    let outcomes = tokio::join!(
        ledger.commit(step(0, None)),
        ledger.commit(step(1, Some(&0u64.to_be_bytes()))),
        ledger.commit(step(2, Some(&0u64.to_be_bytes()))),
        ledger.commit(step(3, Some(&1u64.to_be_bytes()))),
    );
    let stale = Outcome::Stale(Table::Modules, b"k".to_vec());
    assert!(matches!(outcomes.0, Ok(Outcome::Committed(_))), "{outcomes:?}");
    assert!(matches!(outcomes.1, Ok(Outcome::Committed(_))), "{outcomes:?}");
    assert_eq!(outcomes.2.as_ref().expect("it is answered"), &stale, "another has changed it");
    assert!(matches!(outcomes.3, Ok(Outcome::Committed(_))), "{outcomes:?}");
    let kept = store.get(Table::Modules, b"k").expect("reads");
    assert_eq!(kept.as_deref(), Some(&3u64.to_be_bytes()[..]));
    assert_eq!(ledger.checkpoint().checkpoint.size, 3, "what was stale made no entry");
}

/// Entries that are added while somebody follows.
const MORE: u64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_the_feed_is_told_of_every_entry_once_and_in_order() {
    let ledger = Arc::new(Ledger::open(Arc::new(MemoryStore::default()), seal()).expect("opens"));
    receipts(&ledger, commit(0..3)).await;
    let follow = |limit: usize| {
        let ledger = ledger.clone();
        let mut grown = ledger.grown();
        let first = *grown.borrow_and_update();
        tokio::spawn(async move {
            let (mut next, mut told) = (first, Vec::new());
            while told.len() < usize::try_from(MORE).expect("small") {
                let entries = ledger.view.feed(next, limit).expect("reads");
                if entries.is_empty() {
                    grown.changed().await.expect("the writer lives");
                }
                for (index, leaf) in entries {
                    assert_eq!(index, next, "none is left out, and none comes twice");
                    next = index + 1;
                    told.push(leaf.commitment);
                }
            }
            told
        })
    };
    let followers = [follow(1), follow(7), follow(10_000)];
    // From several sides at once, by clocks that do not agree.
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let ledger = ledger.clone();
        writers.spawn(async move {
            for n in 0..MORE / 4 {
                let number = 1000 * (writer + 1) + n;
                let behind = i64::try_from(writer).expect("small") * 7;
                receipts(&ledger, at(began() - behind, number)).await;
            }
        });
    }
    writers.join_all().await;
    let mut all = Vec::new();
    for follower in followers {
        let told = tokio::time::timeout(Duration::from_secs(60), follower).await;
        all.push(told.expect("nobody waits for ever").expect("ends"));
    }
    assert!(all[0] == all[1] && all[1] == all[2]);
    let distinct: HashSet<_> = all[0].iter().collect();
    assert_eq!(distinct.len(), usize::try_from(MORE).expect("small"));
    assert_eq!(ledger.view.feed(MORE + 3, 5).expect("reads"), [], "there is no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_for_good_stops_the_node() {
    let store = Arc::new(MemoryStore::default());
    let ledger = Ledger::open(store.clone(), seal()).expect("opens");
    receipts(&ledger, commit(0..1)).await;
    store.break_down();
    let failed = ledger.commit(commit(1..2)).await.expect_err("the disk is broken");
    assert_eq!((failed.code(), ledger.full()), ("CHY-4004", None));
    let why = ledger.failure().borrow().clone().expect("the node is to stop");
    assert!(why.contains("told so"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_does_not_fit_its_checkpoint_is_refused() {
    let store = Arc::new(MemoryStore::default());
    let seal = seal();
    let ledger = Ledger::open(store.clone(), seal.clone()).expect("opens");
    receipts(&ledger, commit(0..300)).await;
    in_place(|here| ledger.close(here));
    // A hash in a tile, and an entry whose hash is in no stored tile yet.
    for (table, key) in
        [(Table::Tiles, tile_key(1, 0)), (Table::Leaves, 299u64.to_be_bytes().to_vec())]
    {
        let true_one = store.get(table, &key).expect("reads").expect("it is there");
        let mut bent = true_one.clone();
        if let Some(byte) = bent.first_mut() {
            *byte ^= 1;
        }
        for (value, fits) in [(Some(bent), false), (None, false), (Some(true_one), true)] {
            let mut batch = Batch::default();
            match value {
                Some(value) => batch.put(table, key.clone(), value),
                None => batch.delete(table, key.clone()),
            }
            store.write(batch).expect("writes");
            match Ledger::open(store.clone(), seal.clone()) {
                Ok(ledger) => in_place(|here| ledger.close(here)),
                Err(error) => assert_eq!(error.code(), "CHY-4005"),
            }
            assert_eq!(Ledger::open(store.clone(), seal.clone()).is_ok(), fits);
        }
    }
}

fn at(time: i64, n: u64) -> Commit {
    Commit { leaves: vec![Leaf { time, ..leaf(n) }], ..Commit::default() }
}

fn times(ledger: &Ledger) -> Vec<i64> {
    let leaves = ledger.view.leaves(0, 100).expect("reads");
    leaves.iter().map(|leaf| Leaf::decode(leaf).expect("a leaf").time).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_did_is_not_recorded_while_the_ledger_is_ahead_of_the_clock() {
    let ledger = Ledger::open(Arc::new(MemoryStore::default()), seal()).expect("opens");
    receipts(&ledger, at(crate::unix_now() + 30, 0)).await;
    ledger.check_clock_for_others().expect("less than a minute");
    receipts(&ledger, at(crate::unix_now() + 10_800, 1)).await;
    ledger.check_clock().expect("it goes on");
    let refused = ledger.check_clock_for_others().expect_err("three hours ahead");
    assert_eq!(refused.code(), "CHY-4030");
    assert!(ledger.ahead(Moment::now()) > 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn entry_times_never_decrease_also_within_a_commit_and_after_a_restart() {
    let (store, seal) = (Arc::new(MemoryStore::default()), seal());
    let now = began();
    let ledger = Ledger::open(store.clone(), seal.clone()).expect("opens");
    assert_eq!(ledger.newest_time(), None);
    receipts(&ledger, at(now + 40, 0)).await;
    receipts(&ledger, at(now - 5000, 1)).await;
    let both = [(now + 41, 2), (now, 3)];
    let leaves = both.map(|(time, n)| Leaf { time, ..leaf(n) }).into();
    let given = receipts(&ledger, Commit { leaves, ..Commit::default() }).await;
    // The receipt is of the entry as it stands there.
    let last = Leaf::decode(&given.last().expect("two").leaf).expect("a leaf");
    assert_eq!(last.time, now + 41);
    in_place(|here| ledger.close(here));
    let ledger = Ledger::open(store, seal).expect("opens again");
    assert_eq!(ledger.newest_time(), Some(now + 41));
    receipts(&ledger, at(now - 9, 4)).await;
    assert_eq!(times(&ledger), [now + 40, now + 40, now + 41, now + 41, now + 41]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_ledger_whose_times_decrease_is_opened_and_goes_on_from_its_last() {
    let store = Arc::new(MemoryStore::default());
    let mut builder = LedgerBuilder::new(store.clone());
    let (now, seal) = (began(), seal());
    let mut range = merkle::CompactRange::default();
    for (n, time) in [(0, now - 10), (1, now - 8000), (2, now - 7000)] {
        let bytes = Leaf { time, ..leaf(n) }.encode().expect("plain");
        range.push(merkle::leaf_hash(&bytes));
        builder.push(&bytes).expect("writes");
    }
    let origin = Checkpoint::origin_of(seal.name().agency());
    let checkpoint = Checkpoint { origin, size: 3, root: range.root() };
    let note = checkpoint.sign(&seal).expect("signs");
    builder.finish(&SignedCheckpoint { checkpoint, note }, None).expect("writes");
    let ledger = Ledger::open(store, seal).expect("opens");
    receipts(&ledger, at(now - 7500, 3)).await;
    assert_eq!(times(&ledger).last(), Some(&(now - 7000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_entry_is_sealed_while_the_clock_is_known_to_be_wrong_and_all_else_is_written() {
    let ledger = Ledger::open(Arc::new(MemoryStore::default()), seal()).expect("opens");
    let names = ["x.cn", "y.cn"].map(|name| name.parse::<AgencyName>().expect("a name"));
    let set = |ahead: i64| {
        let now = Moment::now();
        names.iter().for_each(|name| ledger.clocks().heard(name, now.wall - ahead, now));
    };
    set(7200);
    let before = ledger.checkpoint();
    let refused = ledger.commit(commit(0..1)).await.expect_err("two hours ahead of both");
    assert_eq!((refused.code(), ledger.checkpoint()), ("CHY-4030", before));
    assert!(ledger.check_clock().is_err());
    assert_eq!(*ledger.failure().borrow(), None, "it is no reason to stop");
    let mut plain = Commit::default();
    plain.batch.put(Table::Meta, *b"x", *b"y");
    ledger.commit(plain).await.expect("it makes no entry");
    set(0);
    receipts(&ledger, commit(0..1)).await;
}

#[test]
fn a_ledger_that_is_more_than_a_day_ahead_of_the_clock_waits() {
    let (clocks, now) = (PeerClocks::default(), Moment::now());
    let fits = |newest| fit_clock(&clocks, now, newest);
    assert_eq!(fits(i64::MIN), Ok(()));
    assert_eq!(fits(now.wall + MAX_AHEAD), Ok(()));
    let newest = now.wall + MAX_AHEAD + 1;
    assert_eq!(fits(newest), Err(WrongClock::Ledger { own: now.wall, newest }));
}

#[test]
fn cosignatures_are_kept_ten_minutes_apart_and_at_both_ends_of_a_quiet_time() {
    let ledger = Ledger::open(Arc::new(MemoryStore::default()), seal()).expect("opens");
    let witness: AgencyName = "w.cn".parse().expect("a name");
    let add = |size: u64, time: i64| {
        let statement = ByteBuf::from(b"statement".to_vec());
        let kept = KeptCosignature { note: String::new(), line: time.to_string(), statement };
        in_place(|here| ledger.add_cosignature(here, &witness, &kept, size, time)).expect("writes");
    };
    let kept = || {
        let all = past_cosignatures(&*ledger.view.store, &witness, usize::MAX).expect("reads");
        all.into_iter().map(|(_, past)| (past.size, past.time)).collect::<Vec<_>>()
    };
    // A day of activity, a cosignature every ten seconds.
    (0..8640).for_each(|n: u64| add(n, 10 * i64::try_from(n).expect("small")));
    let busy = kept();
    assert!(busy.len() <= 2 * 144 + 2, "{}", busy.len());
    assert!(busy.windows(2).all(|two| two[1].1 - two[0].1 <= COSIGN_AGAIN), "{busy:?}");
    // A quiet day after it.
    (1..=144).for_each(|n| add(8639, 86_390 + n * COSIGN_AGAIN));
    let quiet = kept();
    let of_last: Vec<_> = quiet.iter().filter(|(size, _)| *size == 8639).collect();
    assert_eq!(of_last, [&(8639, 86_390), &(8639, 86_390 + 144 * COSIGN_AGAIN)]);
    // The last of the quiet time stays when it grows again at once.
    add(8640, 86_400 + 144 * COSIGN_AGAIN);
    assert!(kept().contains(&(8639, 86_390 + 144 * COSIGN_AGAIN)));
    let rows = ledger.view.store.scan(Table::Cosigned, &[], &[], usize::MAX).expect("reads");
    let statements = rows.into_iter().map(cosigned_row);
    let statements = statements.filter(|row| matches!(row, CosignedRow::Statement(_)));
    assert_eq!(statements.count(), 1, "one statement is kept once");
}
