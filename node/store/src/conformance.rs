//! What every engine must do. Each engine's own tests run it; so may whoever writes another one.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{Batch, MemoryStore, Read, SCHEMA, Store, StoreError, Table, all, schema};

/// Threads that write at once.
const WRITERS: usize = 4;
/// How often each of them does.
const TIMES: usize = 12;

/// Runs everything, each part on a store of its own without any entries.
///
/// # Panics
/// When the engine does something else.
pub fn run(fresh: &mut dyn FnMut() -> Arc<dyn Store>) {
    is_an_ordered_map(&*fresh());
    keeps_what_is_put(&*fresh());
    guards_a_batch_by_its_conditions(&*fresh());
    lets_one_of_several_writers_win(&*fresh());
    has_snapshots_that_stand_still(fresh());
    reads_all_page_by_page(&*fresh());
}

/// Checks that what was written is there when the same store is opened again. `open` opens one that is new at first.
///
/// # Panics
/// When it is not, or a store of a newer version is opened.
pub fn run_durable(open: &mut dyn FnMut() -> Result<Arc<dyn Store>, StoreError>) {
    let store = open().expect("opens");
    assert_eq!(schema(&*store).expect("reads"), Some(SCHEMA));
    let mut batch = Batch::default();
    batch.put(Table::Peers, *b"k", *b"v");
    store.write(batch).expect("writes");
    drop(store);
    let store = open().expect("opens again");
    assert_eq!(store.get(Table::Peers, b"k").expect("reads").as_deref(), Some(&b"v"[..]));
    let mut batch = Batch::default();
    batch.put(Table::Meta, crate::SCHEMA_KEY, (SCHEMA + 1).to_be_bytes());
    store.write(batch).expect("writes");
    drop(store);
    let Err(refused) = open() else { unreachable!("it is newer") };
    let newer = SCHEMA + 1;
    assert!(
        matches!(refused, StoreError::Schema { found, known: SCHEMA } if found == newer),
        "{refused}"
    );
}

/// Numbers that look random, the same each time (Marsaglia's xorshift64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or_default() % below
    }

    /// Few bytes, so that keys share prefixes and meet again; 0xff is the edge of a prefix.
    fn bytes(&mut self, longest: usize) -> Vec<u8> {
        let length = self.next(longest + 1);
        let mut one = || *[0, 1, 0xfe, 0xff].get(self.next(4)).unwrap_or(&0);
        (0..length).map(|_| one()).collect()
    }
}

fn is_an_ordered_map(store: &dyn Store) {
    let model = MemoryStore::default();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for _ in 0..40 {
        let writes: Vec<_> = (0..numbers.next(12))
            .map(|_| (numbers.bytes(4), (numbers.next(4) > 0).then(|| numbers.bytes(6))))
            .collect();
        for store in [store, &model] {
            let mut batch = Batch::default();
            // Of several changes of one key the last counts.
            for (key, value) in &writes {
                match value {
                    Some(value) => batch.put(Table::Leaves, key.clone(), value.clone()),
                    None => batch.delete(Table::Leaves, key.clone()),
                }
            }
            // Other tables' keys must not show.
            batch.put(Table::Tiles, *b"x", *b"y");
            batch.put(Table::Meta, *b"x", *b"y");
            store.write(batch).expect("writes");
        }
        for _ in 0..8 {
            let (prefix, more) = (numbers.bytes(3), numbers.bytes(3));
            let from = [prefix.as_slice(), more.as_slice()].concat();
            let limit = *[0, 1, 2, 5, 1000].get(numbers.next(5)).unwrap_or(&3);
            let table = Table::Leaves;
            assert_eq!(
                store.get(table, &from).expect("reads"),
                Read::get(&model, table, &from).expect("reads"),
                "{from:x?}"
            );
            assert_eq!(
                store.scan(table, &from, &prefix, limit).expect("scans"),
                model.scan(table, &from, &prefix, limit).expect("scans"),
                "from {from:x?}, {prefix:x?}, {limit}"
            );
            for before in [None, Some(from.as_slice())] {
                assert_eq!(
                    store.scan_back(table, &prefix, before, limit).expect("scans"),
                    model.scan_back(table, &prefix, before, limit).expect("scans"),
                    "before {before:x?}, {prefix:x?}, {limit}"
                );
            }
            let keys = [from, prefix, b"nothing".to_vec()];
            assert_eq!(
                store.get_many(table, &keys).expect("reads"),
                model.get_many(table, &keys).expect("reads")
            );
        }
    }
}

fn keeps_what_is_put(store: &dyn Store) {
    let mut changed = store.watch();
    changed.mark_unchanged();
    let large: Vec<u8> = (0..3 << 20).map(|n: u32| n.to_le_bytes()[0]).collect();
    let mut batch = Batch::default();
    batch.put(Table::Content, *b"large", large.clone());
    batch.put(Table::Content, *b"empty", *b"");
    for n in 0..5000u32 {
        batch.put(Table::Receipts, n.to_be_bytes(), [1; 40]);
    }
    store.write(batch).expect("writes");
    assert!(changed.has_changed().expect("the store is there"), "it says that it has changed");
    assert!(store.get(Table::Content, b"large").expect("reads") == Some(large));
    assert_eq!(store.get(Table::Content, b"empty").expect("reads").as_deref(), Some(&[][..]));
    assert_eq!(store.scan(Table::Receipts, &[], &[], 9999).expect("scans").len(), 5000);
    store.write(Batch::default()).expect("nothing is a batch, too");
}

fn guards_a_batch_by_its_conditions(store: &dyn Store) {
    let write = |value: &[u8], wants: &[(Table, Option<&[u8]>)]| {
        let mut batch = Batch::default();
        batch.put(Table::Meta, *b"k", value);
        batch.put(Table::Peers, *b"k", value);
        for (table, want) in wants {
            batch.require(*table, *b"k", want.map(<[u8]>::to_vec));
        }
        store.write(batch)
    };
    let mut changed = store.watch();
    write(b"1", &[(Table::Meta, None), (Table::Peers, None), (Table::Forks, None)])
        .expect("all were absent");
    assert!(changed.has_changed().expect("the store is there"));
    changed.mark_unchanged();
    let held = (Table::Peers, Some(&b"1"[..]));
    for want in [None, Some(&b"2"[..]), Some(&b""[..]), Some(&b"1 "[..])] {
        // One that does not hold is enough, wherever it stands.
        for wants in [[held, (Table::Meta, want)], [(Table::Meta, want), held]] {
            let refused = write(b"3", &wants).expect_err("another value");
            assert!(
                matches!(&refused, StoreError::Conflict { table: Table::Meta, key } if key == b"k"),
                "{refused}"
            );
        }
    }
    assert!(!changed.has_changed().expect("the store is there"), "nothing was written");
    for table in [Table::Meta, Table::Peers] {
        assert_eq!(store.get(table, b"k").expect("reads").as_deref(), Some(&b"1"[..]));
    }
    write(b"4", &[held]).expect("it was 1");
}

fn lets_one_of_several_writers_win(store: &dyn Store) {
    // Who adds one to what he has read loses nothing of what others add; and of several who want to be the first, one is.
    let (firsts, tries) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let add = |who: usize| {
        for n in 0..TIMES {
            loop {
                let before = store.get(Table::Meta, b"count").expect("reads");
                let value = before.as_ref().map_or(0, |bytes| bytes.len());
                let mut batch = Batch::default();
                batch.put(Table::Meta, *b"count", vec![b'x'; value + 1]);
                batch.put(Table::Journal, format!("{who} {n}"), []);
                batch.require(Table::Meta, *b"count", before);
                tries.fetch_add(1, Ordering::Relaxed);
                match store.write(batch) {
                    Ok(()) => break,
                    Err(StoreError::Conflict { .. } | StoreError::Away(_)) => {}
                    Err(error) => unreachable!("{error}"),
                }
            }
            loop {
                let mut batch = Batch::default();
                batch.put(Table::Requests, n.to_be_bytes(), []);
                batch.require(Table::Requests, n.to_be_bytes(), None);
                match store.write(batch) {
                    Ok(()) => drop(firsts.fetch_add(1, Ordering::Relaxed)),
                    Err(StoreError::Conflict { .. }) => {}
                    Err(StoreError::Away(_)) => continue,
                    Err(error) => unreachable!("{error}"),
                }
                break;
            }
        }
    };
    std::thread::scope(|scope| {
        for who in 0..WRITERS {
            scope.spawn(move || add(who));
        }
    });
    let count = store.get(Table::Meta, b"count").expect("reads").map_or(0, |bytes| bytes.len());
    assert_eq!((count, firsts.into_inner()), (WRITERS * TIMES, TIMES));
    let rows = store.scan(Table::Journal, &[], &[], 9999).expect("scans");
    assert_eq!(rows.len(), WRITERS * TIMES, "in {} tries", tries.into_inner());
}

fn has_snapshots_that_stand_still(store: Arc<dyn Store>) {
    let write = |value: &[u8]| {
        let mut batch = Batch::default();
        batch.put(Table::Meta, *b"k", value);
        batch.put(Table::Peers, value, value);
        store.write(batch).expect("writes");
    };
    write(b"1");
    let first = store.snapshot().expect("a snapshot");
    write(b"2");
    let second = store.snapshot().expect("another beside it");
    let mut batch = Batch::default();
    batch.delete(Table::Meta, *b"k");
    batch.delete(Table::Peers, *b"1");
    store.write(batch).expect("writes");
    assert!(store.get(Table::Meta, b"k").expect("reads").is_none());
    // They are owned: they can be taken along, and stay when the store has gone.
    let (first, second) = std::thread::spawn(move || (first, second)).join().expect("ends");
    drop(store);
    for (snapshot, value, rows) in [(first, b"1", 1), (second, b"2", 2)] {
        assert_eq!(snapshot.get(Table::Meta, b"k").expect("reads").as_deref(), Some(&value[..]));
        assert_eq!(snapshot.scan(Table::Peers, &[], &[], 9).expect("scans").len(), rows);
        assert_eq!(snapshot.scan_back(Table::Peers, &[], None, 9).expect("scans").len(), rows);
    }
}

fn reads_all_page_by_page(store: &dyn Store) {
    let mut batch = Batch::default();
    let mut model = BTreeMap::new();
    for n in 0..2 * crate::PAGE + 7 {
        for prefix in [&b"a"[..], b"b", b"b\xff"] {
            let key = [prefix, &n.to_be_bytes()[6..]].concat();
            model.insert(key.clone(), n.to_be_bytes().to_vec());
            batch.put(Table::Journal, key, n.to_be_bytes());
        }
    }
    store.write(batch).expect("writes");
    for prefix in [&b""[..], b"a", b"b", b"b\xff", b"c"] {
        let read: Result<Vec<_>, _> = all(store, Table::Journal, prefix).collect();
        let own = model.iter().filter(|(key, _)| key.starts_with(prefix));
        let want: Vec<_> = own.map(|(key, value)| (key.clone(), value.clone())).collect();
        assert!(read.expect("reads") == want, "{prefix:x?}");
    }
    let shared: Arc<dyn Read> = Arc::from(store.snapshot().expect("a snapshot"));
    assert_eq!(all(&*shared, Table::Journal, b"a").count(), 2 * crate::PAGE + 7);
}
