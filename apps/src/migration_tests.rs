//! Running things go over to another version.

use chancery_crypto::Digest;
use chancery_protocol::FormValue;

use crate::{
    Coming, Refusal, Salt, TABLE_MEDIA_TYPE, Thing,
    versions_tests::{Bench, HOME, news, second, text},
};

fn plan(from: &Digest) -> String {
    format!(
        "migration = \"from-1\"\nfrom = \"{from}\"\nlaw = \"6\"\n[case.item]\nstate = {{ first = \"reading\" }}\n\
         [case.item.field]\ndesk = \"it.column\"\n[case.item.filed.draft]\ncolumn = \"it.column\"\n\
         source = \"it.column == 'work' ? 'city' : it.nothing\"\n"
    )
}

#[test]
fn running_things_go_over_by_a_plan_that_lists_what_it_could_not_map() {
    let (first, next) = (news(), second());
    let mut bench = Bench::new();
    bench.install(&first, None, &["root"]).expect("first");
    for (who, role) in [("wang", "editor"), ("li", "reviewer"), ("zhang", "chief")] {
        bench.appoint(who, role, "news");
    }
    let (work, notice, ended) =
        (bench.draft("会议", "work"), bench.draft("停水", "notice"), bench.draft("旧闻", "work"));
    for thing in [&work, &notice] {
        bench.act("submit", thing, "wang").expect("is submitted");
    }
    bench.act("drop", &ended, "wang").expect("is dropped");
    bench.install(&next, None, &["root", "second"]).expect("second");
    let plan = plan(&first.digest());
    // It is tried before it is signed.
    let cover =
        bench.kernel.try_migration(&bench.state, "news", &plan).expect("reads").expect("sound");
    assert_eq!((cover.mapped, cover.ended), (1, 1));
    let [one] = cover.unmapped.as_slice() else { panic!("{cover:?}") };
    assert_eq!(
        (one.thing.as_str(), one.why.as_slice()),
        (notice.as_str(), ["filed.draft.source".to_owned()].as_slice())
    );
    let migrate = |bench: &mut Bench, plan: &str, to: &Digest, things: &[&String]| {
        let list = things.iter().map(|thing| {
            let fields =
                [("case", text("item")), ("thing", text(thing)), ("reason", text("来源不明"))];
            FormValue::Map(fields.map(|(name, value)| (name.to_owned(), value)).into())
        });
        let form = [
            ("of", text("news")),
            ("from", text(&first.digest().to_string())),
            ("to", text(&to.to_string())),
            ("digest", text(&Digest::of(plan.as_bytes()).to_string())),
            ("unmapped", FormValue::List(list.collect())),
        ];
        bench.office("migrate", &form, Some((TABLE_MEDIA_TYPE, plan.as_bytes())), &["root"])
    };
    let (to, other) = (next.digest(), first.digest());
    // Nobody signs away a matter unseen, or one that goes on.
    match migrate(&mut bench, &plan, &to, &[]) {
        Err(Refusal::Unmapped { count: 1, left_out, .. }) => {
            assert_eq!(left_out, [format!("item/{notice}: filed.draft.source")]);
        }
        other => panic!("{other:?}"),
    }
    match migrate(&mut bench, &plan, &to, &[&notice, &work]) {
        Err(Refusal::Unmapped { count: 1, needless, .. }) => {
            assert_eq!(needless, [format!("item/{work}")]);
        }
        other => panic!("{other:?}"),
    }
    let refused = migrate(&mut bench, &plan, &other, &[&notice]);
    assert_eq!(refused, Err(Refusal::OtherVersion { holds: to.to_string() }));
    let bad = plan.replace("\"reading\"", "\"reding\"");
    let refused = migrate(&mut bench, &bad, &to, &[&notice]);
    assert!(
        matches!(&refused, Err(Refusal::Folder { first, .. }) if first.ends_with("undeclared")),
        "{refused:?}"
    );
    migrate(&mut bench, &plan, &to, &[&notice]).expect("is migrated");
    let again = migrate(&mut bench, &plan, &to, &[&notice]);
    assert!(matches!(again, Err(Refusal::MigratedBefore { .. })), "{again:?}");
    // It is read through the plan, and nothing of it was written.
    let stored = Thing::stored(&bench.state, "news", "item", &work).expect("reads").expect("it");
    assert_eq!((stored.state.as_str(), stored.version), ("first", Some(first.digest())));
    let read = bench.thing(&work);
    assert_eq!((read.state.as_str(), read.version), ("reading", Some(next.digest())));
    assert_eq!(read.set["desk"], crate::Value::text("work"));
    assert_eq!(read.when("reading"), stored.when("first"));
    assert_eq!(bench.thing(&notice).state, "first");
    assert_eq!(bench.thing(&ended).version, Some(first.digest()));
    // By what it is found, the sweep works out again.
    assert_eq!(bench.of_state("reading"), Vec::<String>::new());
    let mut rounds = 0;
    loop {
        let (found, _) = bench.kernel.coming(&bench.state, bench.at, "", 10).expect("reads");
        let Some(one) = found.into_iter().find(|one| one.case == "migration") else { break };
        let salt = Salt::Fresh(Digest::of(b"sweep"));
        let (made, writes) =
            bench.kernel.due(&bench.state, &one, bench.at, HOME, salt).expect("reads");
        assert!(made.is_empty() && writes.keys().all(|key| key.family.derived()));
        bench.state.apply(&writes);
        rounds += 1;
        assert!(rounds < 10, "it comes to an end");
    }
    assert_eq!(bench.of_state("reading"), std::slice::from_ref(&work));
    assert_eq!(bench.of_state("first"), std::slice::from_ref(&notice));
    // Each goes on under its own version, and what it does is by that.
    assert_eq!(bench.act("review", &work, "li").expect("the new rule").state, "second");
    assert_eq!(bench.act("review", &notice, "li").expect("the old rule").state, "second");
    let stored = Thing::stored(&bench.state, "news", "item", &work).expect("reads").expect("it");
    assert_eq!(stored.version, Some(next.digest()));
    assert_eq!(bench.thing(&notice).version, Some(first.digest()));
    assert_eq!(bench.of_state("reading"), Vec::<String>::new());
}

#[test]
fn a_deadline_that_runs_follows_its_thing_to_another_version() {
    let (first, next) = (news(), second());
    let mut bench = Bench::new();
    bench.install(&first, None, &["root"]).expect("first");
    for (who, role) in
        [("wang", "editor"), ("li", "reviewer"), ("zhang", "chief"), ("chen", "publisher")]
    {
        bench.appoint(who, role, "news");
    }
    let form = [
        ("headline", text("处罚")),
        ("column", text("penalty")),
        ("text", text("……")),
        ("decision", text("1号")),
    ];
    let made = bench.file(("news", "article", "item/draft"), None, &form, None, &["wang"]);
    let thing = made.expect("is drafted").thing;
    for (act, by) in
        [("submit", "wang"), ("review", "li"), ("approve", "zhang"), ("release", "chen")]
    {
        bench.act(act, &thing, by).expect(act);
    }
    let form = [("how", text("revoked"))];
    bench
        .file(("news", "change", "item/changed"), Some(&thing), &form, None, &["wang"])
        .expect("it");
    let one = Coming { module: "news".into(), case: "item".into(), thing: thing.clone() };
    let last = |bench: &Bench| {
        let all = bench.kernel.deadlines(&bench.state, &one, HOME, bench.at).expect("reads");
        all.into_iter().find(|due| due.name == "take_back").expect("runs").moment.end
    };
    let before = last(&bench);
    bench.install(&next, None, &["root", "second"]).expect("second");
    let plan = plan(&first.digest()).replace("it.column == 'work' ? 'city' : it.nothing", "'city'");
    let form = [
        ("of", text("news")),
        ("from", text(&first.digest().to_string())),
        ("to", text(&next.digest().to_string())),
        ("digest", text(&Digest::of(plan.as_bytes()).to_string())),
    ];
    bench
        .office("migrate", &form, Some((TABLE_MEDIA_TYPE, plan.as_bytes())), &["root"])
        .expect("it");
    assert_eq!(last(&bench).0, before.0 - 86_400);
}
