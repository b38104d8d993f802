//! Large contents as objects: kept before the commit that speaks of them, read by ranges, gone when they are purged.

use chancery_store::{ObjectSettings, StoreSettings, contents_conformance};
use chancery_tests::{Objects, World};

fn settings(objects: &Objects, folder: &std::path::Path, prefix: &str) -> ObjectSettings {
    ObjectSettings {
        endpoint: objects.endpoint(),
        bucket: objects.bucket().into(),
        region: "us-east-1".into(),
        prefix: prefix.into(),
        credentials: objects.credentials(folder),
        ca: None,
    }
}

#[test]
fn objects_do_what_a_place_of_contents_must() {
    let (objects, folder) = (Objects::start(), tempfile::tempdir().expect("a folder"));
    for prefix in ["", "a.gov.cn/"] {
        let objects = Some(settings(&objects, folder.path(), prefix));
        let store = StoreSettings { objects, ..StoreSettings::default() };
        let place = store.open_contents(folder.path()).expect("it opens");
        contents_conformance(&*place, folder.path());
        // Agencies that share a bucket do not see each other's.
        place.remove(&"a".repeat(64)).expect("it is removed");
    }
}

#[test]
fn what_is_wrong_with_the_settings_is_said() {
    let (objects, folder) = (Objects::start(), tempfile::tempdir().expect("a folder"));
    let fault = |change: &dyn Fn(&mut ObjectSettings)| {
        let mut settings = settings(&objects, folder.path(), "");
        change(&mut settings);
        let store = StoreSettings { objects: Some(settings), ..StoreSettings::default() };
        let place = store.open_contents(folder.path());
        let error = match place {
            Ok(place) => place.has("x").expect_err("it is wrong"),
            Err(error) => error,
        };
        format!("{} {error}", error.code())
    };
    assert!(
        fault(&|s| s.endpoint = "nowhere".into()).starts_with("CHY-4063 store.objects.endpoint")
    );
    assert!(fault(&|s| s.endpoint = "ftp://x".into()).contains("https://"));
    assert!(fault(&|s| s.endpoint = "http://k:s@127.0.0.1".into()).contains("credentials"));
    assert!(fault(&|s| s.prefix = "a b".into()).contains("store.objects.prefix"));
    // Another secret: it is refused, and neither the keys nor the signed address stand in what is said.
    let other = folder.path().join("other.key");
    std::fs::write(&other, "AKTESTTESTTEST\nwrong-secret\n").expect("it is written");
    assert!(
        fault(&|s| s.credentials.clone_from(&other)).starts_with("CHY-4003"),
        "others may read it"
    );
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o600)).expect("it is set");
    let said = fault(&|s| s.credentials.clone_from(&other));
    assert!(said.starts_with("CHY-4063 store.objects.credentials"), "{said}");
    assert!(!said.contains("wrong-secret") && !said.contains("Signature="), "{said}");
    objects.answers(false);
    let said = fault(&|_| {});
    assert!(said.starts_with("CHY-4060"), "{said}");
    assert!(!said.contains("AKTEST"), "{said}");
}

/// Has an agency's node keep its large contents as objects.
fn as_objects(world: &mut World, label: &str, objects: &Objects) {
    let credentials = objects.credentials(&world.path(label));
    world.set(label, "store.objects.endpoint", &objects.endpoint());
    world.set(label, "store.objects.bucket", objects.bucket());
    world.set(label, "store.objects.prefix", &format!("'{label}/'"));
    world.set(label, "store.objects.credentials", &format!("'{}'", credentials.display()));
}

#[test]
fn large_documents_go_through_objects_and_wait_while_the_store_is_away() {
    let objects = Objects::start();
    let mut world = World::new();
    for label in ["a", "b"] {
        as_objects(&mut world, label, &objects);
    }
    let large: Vec<u8> = (0..20_000_003_u32).map(|n| (n % 251) as u8).collect();
    world.write("large.bin", &large);
    world.write("small.txt", b"text");
    world.start("a");
    world.start("b");
    let sent = world.send("a", "b", "large.bin", "large", &["--wait", "30"]);
    world.clerk("b", &format!("open {sent} --out opened")).ok();
    assert!(std::fs::read(world.path("opened/parts/large.bin")).expect("it is here") == large);
    for prefix in ["a/", "b/"] {
        assert_eq!(objects.files(prefix).len(), 1, "it is an object");
    }
    // The store goes away: what is small goes on, what is large waits, nothing is lost.
    objects.answers(false);
    world.send("a", "b", "small.txt", "small", &["--wait", "20"]);
    let away = "send large.bin --to b.zj.gov.cn --type 通知 --title away";
    world.clerk("a", away).refused(3, "CHY-4060");
    objects.answers(true);
    world.send("a", "b", "large.bin", "again", &["--wait", "60"]);
    assert_eq!(world.list("b", "inbox").len(), 3);
    // Whoever runs the object store can alter what is there, and nobody takes that for the document.
    for file in objects.files("b/") {
        let mut bytes = std::fs::read(&file).expect("it is read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&file, bytes).expect("it is written");
    }
    let opened = world.clerk("b", &format!("open {sent} --out altered"));
    assert_ne!(opened.code, 0, "{}", opened.stdout);
    assert!(!world.path("altered").exists());
    for label in ["a", "b"] {
        assert_eq!(world.stop(label), 0);
    }
}
