//! An agency's own variant of a module: what it changes, and where its mistakes are named.

use crate::{
    Folder, How, Loosens, Module, Touches,
    stories::tell,
    versions_tests::{hangzhou, mistakes, news, with},
};

#[test]
fn a_variant_says_what_is_other_and_copies_nothing() {
    let parent = news();
    let wanted = hangzhou().extends().expect("it extends").digest;
    // Whoever changes the one writes its new digest into the other.
    assert_eq!(wanted, Some(parent.digest()), "extends = \"news@{}\"", parent.digest());
    let child = hangzhou().over(parent.clone());
    assert_eq!(mistakes(&child), Vec::<String>::new());
    let module = Module::read(&child).expect("it is sound");
    assert_eq!(module.digest(), hangzhou().digest());
    assert_eq!((module.name(), module.acts("item").len()), ("news-hangzhou", 12));
    let tales = tell(&child, &module);
    let shown: Vec<_> =
        tales.iter().map(|tale| (tale.path.as_str(), tale.told.is_ok(), tale.is_good())).collect();
    assert_eq!(
        shown,
        [
            ("scenarios/1.toml", true, true),
            ("news:scenarios/P5-1.toml", true, true),
            ("news:scenarios/P5-2.toml", false, true),
            ("news:scenarios/P5-3.toml", true, true),
            ("news:scenarios/P5-4.toml", true, true),
        ]
    );
    // What is said to come out otherwise and does not is no change.
    let needless = with(&child, &[("module.toml", "P5-2", "P5-1")]);
    let tales = tell(&needless, &Module::read(&needless).expect("sound"));
    assert_eq!(
        tales.iter().map(|tale| tale.is_good()).collect::<Vec<_>>(),
        [true, false, false, true, true]
    );
}

#[test]
fn what_an_override_changes_is_named_with_what_it_touches_and_whether_it_loosens() {
    let child = hangzhou().over(news());
    let all = child.overrides();
    let found: Vec<_> = all
        .iter()
        .filter(|one| one.touches != Touches::Other)
        .map(|one| (one.path.as_str(), one.how, one.touches, one.loosens, one.at.file.as_str()))
        .collect();
    let own = "cases/item.toml";
    assert_eq!(
        found,
        [
            ("cases/item/act.review.need.source", How::Added, Touches::Guard, Loosens::No, own),
            ("cases/item/act.drop.by", How::Changed, Touches::Policy, Loosens::Yes, own),
            ("cases/item/due.take_back.in", How::Changed, Touches::Deadline, Loosens::No, own),
            ("cases/item/due.take_back.law", How::Changed, Touches::Deadline, Loosens::No, own),
        ]
    );
    for (text, path, loosens) in [
        (
            "[act.correct.need.same_column]\noff = true\nlaw = \"hz 3\"",
            "act.correct.need.same_column",
            Loosens::Yes,
        ),
        (
            "[act.correct.need.same_column]\nthat = \"doc.column == it.column || it.shown\"",
            "act.correct.need.same_column.that",
            Loosens::Perhaps,
        ),
        (
            "[act.correct.need.same_column]\nelse = \"flag\"",
            "act.correct.need.same_column.else",
            Loosens::Yes,
        ),
        ("[act.release]\nnot_by = [\"writer\"]", "act.release.not_by", Loosens::Yes),
        ("[act.changed]\nat_most = 3", "act.changed.at_most", Loosens::Yes),
        ("[act.return]\nreason = false", "act.return.reason", Loosens::Yes),
        ("[act.withdraw]\nfrom = [\"published\", \"ready\"]", "act.withdraw.from", Loosens::Yes),
        ("[due.take_back]\nin = \"5 d\"", "due.take_back.in", Loosens::Yes),
        ("[due.take_back]\noff = true", "due.take_back", Loosens::Yes),
        (
            "[act.skip]\nform = \"remark\"\nfrom = [\"first\"]\nto = \"published\"\nby = [\"reviewer\"]",
            "act.skip",
            Loosens::Yes,
        ),
    ] {
        let text = format!("{text}\n");
        let own = Folder::of([
            ("module.toml", hangzhou().file("module.toml").expect("it").to_owned()),
            ("cases/item.toml", text.clone()),
        ]);
        let changed = own.expect("a folder").over(news()).overrides();
        let path = format!("cases/item/{path}");
        let one = changed.iter().find(|one| one.path == path);
        assert_eq!(one.map(|one| one.loosens), Some(loosens), "{text}: {changed:#?}");
    }
    // Of what is public, and of nothing that is the same.
    let public = with(&news(), &[("cases/item.toml", "public = \"it.shown\"\n", "")]);
    let widened = news().changes(&public);
    assert_eq!(widened.len(), 1);
    assert_eq!((widened[0].touches, widened[0].loosens), (Touches::Publicity, Loosens::Yes));
    assert!(news().changes(&news()).is_empty());
    assert!(news().overrides().is_empty());
}

#[test]
fn each_mistake_of_a_variant_is_named_where_it_stands() {
    let child = hangzhou().over(news());
    let (module, item) = ("module.toml", "cases/item.toml");
    for (change, code, place) in [
        ((module, "news@", "new@"), "other-parent", "module.toml:4"),
        ((module, "extends = \"news@", "extends = \"news@0"), "other-parent", "module.toml:4"),
        ((module, "[laws]", "law = \"另一文\"\n[laws]"), "parent-law", "module.toml:7"),
        ((item, "that = \"it.column", "that = \"it.colum"), "kinds", "cases/item.toml:3"),
        ((item, "law  = \"hz 12\"", "law = \"zz 12\""), "undeclared", "cases/item.toml:2"),
        ((item, "in  = \"2 d\"", "of = 1"), "unknown-key", "cases/item.toml:11"),
        (
            (item, "[due.take_back]", "[due.taken]\noff = true\n[due.take_back]"),
            "nothing-off",
            "cases/item.toml:10",
        ),
        (
            (item, "[due.take_back]", "[act.changed.need.penalty]\noff = true\n[due.take_back]"),
            "no-law",
            "cases/item.toml:10",
        ),
        (
            (item, "[due.take_back]", "[due.embargo]\noff = true\nin = \"1 d\"\n[due.take_back]"),
            "unknown-key",
            "cases/item.toml:12",
        ),
        // What is the parent's is named there.
        (
            (item, "[due.take_back]", "[state.third]\noff = true\n[due.take_back]"),
            "undeclared",
            "news:cases/item.toml",
        ),
        (
            ("texts/en.ftl", "need-item-review-source = a notice names its source", "x = y"),
            "no-text",
            "module.toml:1",
        ),
    ] {
        let found = mistakes(&with(&child, &[change]));
        let named = found.iter().any(|one| one.starts_with(&format!("{code} {place}")));
        assert!(named, "{change:?}: {found:#?}");
    }
    let alone = mistakes(&hangzhou());
    assert!(alone[0].starts_with("no-parent module.toml:4"), "{alone:#?}");
    assert_eq!(alone.len(), 1);
}

#[test]
fn a_child_that_says_everything_again_changes_nothing() {
    let parent = news();
    let extends = format!("version = \"1\"\nextends = \"news@{}\"", parent.digest());
    let child = with(&parent, &[("module.toml", "version = \"1\"", &extends)]).over(parent.clone());
    assert_eq!(mistakes(&child), Vec::<String>::new());
    assert_eq!(child.overrides(), Vec::new());
    let (old, new) = (Module::read(&parent).expect("sound"), Module::read(&child).expect("sound"));
    assert_eq!(old.authorities(), new.authorities());
    assert_eq!(old.states("item"), new.states("item"));
    let tales = tell(&child, &new);
    assert!(tales.len() == 8 && tales.iter().all(crate::Tale::is_good), "{tales:#?}");
    // Above one another, each in turn.
    let extends = format!("version = \"1\"\nextends = \"news@{}\"", child.digest());
    let third = with(&parent, &[("module.toml", "version = \"1\"", &extends)]).over(child);
    assert_eq!(mistakes(&third), Vec::<String>::new());
    let third = Module::read(&third).expect("sound");
    assert_eq!(old.authorities(), third.authorities());
}
