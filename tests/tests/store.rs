//! PostgreSQL as the store: it does what every engine does, one process at a time writes, and what was acknowledged survives
//! the primary.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use chancery_store::{Batch, Engine, Store, StoreError, StoreSettings, Table, conformance};
use chancery_tests::Database;

fn settings(url: &str) -> StoreSettings {
    let url = Some(url.to_owned());
    let engine = Engine::Database;
    StoreSettings { engine, url, unreplicated: true, contents_shared: true, ..Default::default() }
}

fn opened(settings: &StoreSettings) -> Result<Arc<dyn Store>, StoreError> {
    settings.open(Path::new("nowhere"))
}

fn led(settings: &StoreSettings, who: &str) -> Result<Arc<dyn Store>, StoreError> {
    let store = opened(settings)?;
    assert!(store.lead(who, &AtomicBool::new(false))?);
    Ok(store)
}

fn put(store: &dyn Store, key: &str, value: &str) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    batch.put(Table::Peers, key.as_bytes(), value.as_bytes());
    store.write(batch)
}

fn get(store: &dyn Store, key: &str) -> Option<String> {
    let value = store.get(Table::Peers, key.as_bytes()).expect("reads");
    value.map(|value| String::from_utf8(value).expect("text"))
}

#[test]
fn postgresql_does_what_every_engine_does() {
    let Some(server) = Database::start() else { return };
    let mut n = 0;
    conformance::run(&mut || {
        n += 1;
        server.make(&format!("d{n}"));
        let url = server.url_of(&format!("d{n}"));
        led(&settings(&url), "one").expect("opens")
    });
    server.make("durable");
    let durable = settings(&server.url_of("durable"));
    conformance::run_durable(&mut || led(&durable, "one"));
}

#[test]
fn a_setting_that_is_missing_or_gives_a_secret_away_is_refused() {
    let of = |change: &dyn Fn(&mut StoreSettings)| {
        let mut settings = settings("postgres://node@127.0.0.1:1/node");
        change(&mut settings);
        opened(&settings).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let password = of(&|s| s.url = Some("postgres://node:secret@127.0.0.1:1/node".into()));
    assert!(password.contains("password_file") && !password.contains("secret"), "{password}");
    assert!(of(&|s| s.url = None).contains("store.url"));
    assert!(of(&|s| s.contents_shared = false).contains("store.contents_shared"));
    assert!(of(&|s| s.engine = Engine::Embedded).contains("store.url"));
    assert!(of(&|s| s.password_file = Some("/nowhere".into())).contains("/nowhere"));
}

#[test]
fn one_process_writes_and_another_takes_over_within_ten_seconds() {
    let Some(server) = Database::start() else { return };
    let settings = settings(&server.url());
    let first = led(&settings, "first").expect("opens");
    put(&*first, "k", "1").expect("it leads");
    // Who does not lead can read, and writes nothing.
    let second = opened(&settings).expect("opens");
    assert_eq!(get(&*second, "k").as_deref(), Some("1"));
    assert!(matches!(put(&*second, "k", "2"), Err(StoreError::Fenced(_))));
    // The first hangs: it does not renew. (It is leaked; its lease runs out as if it were stopped.)
    let until =
        "UPDATE chancery_lease SET until = clock_timestamp() + interval '3 s', epoch = epoch";
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let standby = scope.spawn(|| {
            assert!(second.lead("second", &stop).expect("it takes over"));
            Instant::now()
        });
        std::thread::sleep(Duration::from_secs(3));
        assert!(!standby.is_finished(), "the first leads as long as it renews");
        put(&*first, "k", "2").expect("it leads still");
        // From here on nothing of it reaches the database.
        let begun = Instant::now();
        server.query_in(
            "node",
            "CREATE OR REPLACE FUNCTION chancery_renew(own bigint, seconds double precision) \
                      RETURNS bigint LANGUAGE sql AS 'SELECT epoch FROM chancery_lease'",
        );
        server.query_in("node", until);
        let took = standby.join().expect("ends").duration_since(begun);
        assert!(took < Duration::from_secs(10), "it took {took:?}");
    });
    put(&*second, "k", "3").expect("it leads now");
    // The first writes nothing more, and says why.
    assert!(matches!(put(&*first, "k", "4"), Err(StoreError::Fenced(_))));
    assert!(first.lost().expect("it can be lost").borrow().is_some());
    assert_eq!(get(&*first, "k").as_deref(), Some("3"));
    // Who ends gives the lease back at once.
    drop(second);
    let begun = Instant::now();
    let third = led(&settings, "third").expect("opens");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    put(&*third, "k", "5").expect("it leads");
}

#[test]
fn commits_that_are_not_replicated_are_refused_unless_that_is_wanted() {
    let Some(server) = Database::start() else { return };
    let strict = StoreSettings { unreplicated: false, ..settings(&server.url()) };
    let refused = led(&strict, "one").expect_err("nothing is replicated");
    assert!(matches!(&refused, StoreError::Setting { .. }), "{refused}");
    assert!(refused.to_string().contains("synchronous_standby_names"), "{refused}");
    let _standby = server.standby("two");
    server.set("synchronous_standby_names", "'ANY 1 (two)'");
    let store = led(&strict, "one").expect("it is replicated");
    put(&*store, "k", "1").expect("writes");
    // When somebody takes that away, nothing is written any more.
    server.set("synchronous_standby_names", "''");
    let waited = Instant::now();
    let refused = loop {
        match put(&*store, "k", "2") {
            Err(error) => break error,
            Ok(()) => assert!(waited.elapsed() < Duration::from_secs(10), "it goes on writing"),
        }
    };
    assert!(matches!(&refused, StoreError::Away(why) if why.contains("replicated")), "{refused}");
}

#[test]
fn what_was_acknowledged_survives_the_primary() {
    let Some(mut primary) = Database::start() else { return };
    let standby = primary.standby("two");
    primary.set("synchronous_standby_names", "'ANY 1 (two)'");
    let url =
        format!("postgres://node@127.0.0.1:{},127.0.0.1:{}/node", primary.port(), standby.port());
    let strict = StoreSettings { unreplicated: false, ..settings(&url) };
    let store = led(&strict, "one").expect("opens");
    let over = AtomicBool::new(false);
    let acknowledged = std::thread::scope(|scope| {
        let writes = scope.spawn(|| {
            let mut acknowledged = Vec::new();
            for n in 0..u32::MAX {
                match put(&*store, &format!("{n:08}"), "x") {
                    Ok(()) => acknowledged.push(n),
                    Err(StoreError::Away(_)) => std::thread::sleep(Duration::from_millis(50)),
                    Err(error) => panic!("{error}"),
                }
                if over.load(std::sync::atomic::Ordering::Relaxed) {
                    return acknowledged;
                }
            }
            acknowledged
        });
        std::thread::sleep(Duration::from_millis(700));
        primary.kill();
        std::thread::sleep(Duration::from_millis(300));
        standby.promote();
        // It is the only one now: nothing is replicated any more, and the new primary would be refused.
        standby.query("ALTER SYSTEM RESET synchronous_standby_names");
        std::thread::sleep(Duration::from_secs(3));
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        writes.join().expect("ends")
    });
    assert!(acknowledged.len() > 20, "{} were acknowledged", acknowledged.len());
    let kept = store.scan(Table::Peers, &[], &[], usize::MAX).expect("reads");
    let kept: Vec<_> =
        kept.iter().map(|(key, _)| std::str::from_utf8(key).expect("text")).collect();
    for n in &acknowledged {
        assert!(kept.contains(&format!("{n:08}").as_str()), "{n} was acknowledged and is lost");
    }
    // Of what was refused as passing nothing is there.
    let unsaid = kept.iter().filter(|key| !acknowledged.contains(&key.parse().expect("a number")));
    let unsaid: Vec<_> = unsaid.collect();
    assert!(unsaid.is_empty(), "{unsaid:?} are there and were not acknowledged");
}
