//! Who reads what: kernel and state alone.

use chancery_protocol::FormValue;

use crate::{
    Hidden, Readable, Reader, Shown,
    input::Signer,
    kernel::Coming,
    office_tests::{Bench, HOME, coming, officer, text},
};

fn named(name: &str) -> Reader {
    Reader::Named(officer(name))
}

impl Bench {
    fn readable(&self, who: &Reader, coming: &Coming) -> Readable {
        let reading = self.kernel.reading(&self.state, who, HOME, self.at).expect("reads");
        reading.readable(coming).expect("reads")
    }

    fn reads(&self, who: &str, coming: &Coming) -> bool {
        self.readable(&named(who), coming) != Readable::No
    }

    fn shown(&self, who: &Reader, coming: &Coming) -> Shown {
        let reading = self.kernel.reading(&self.state, who, HOME, self.at).expect("reads");
        reading.thing(coming).expect("reads").expect("it is there for him")
    }

    /// For those beside.
    pub(crate) fn draw_panel(&mut self, id: &str) {
        self.draw(id);
    }

    fn draw(&mut self, id: &str) {
        let panel = FormValue::List(vec![text(&officer("chen")), text(&officer("zhou"))]);
        self.act("zhang", "permit/draw", Some(id), [("panel", panel)]).expect("is drawn");
    }
}

/// Two counties with their officers, and a permit of the first.
fn counties() -> (Bench, Coming) {
    let mut bench = Bench::new();
    for (who, role, office) in [
        ("li", "clerk", "xihu"),
        ("zhang", "chief", "xihu"),
        ("sun", "clerk", "gongshu"),
        ("qian", "chief", "gongshu"),
        ("wu", "clerk", "xihu/gulou"),
        ("zheng", "inspector", "xihu"),
        ("feng", "inspector", ""),
    ] {
        bench.appoint(who, role, office);
    }
    let id = bench.apply("li", "xihu").expect("is opened");
    (bench, coming("permit", &id))
}

#[test]
fn a_thing_is_read_in_its_office_and_over_it_and_by_whom_it_names() {
    let (mut bench, of) = counties();
    for (who, reads) in [
        ("li", true),
        ("zhang", true),
        ("zheng", true),
        ("feng", true),
        ("zhao@people.cn", true),
        // Of its agency, and of the county beside; below it; and whoever is nobody here.
        ("sun", false),
        ("qian", false),
        ("wu", false),
        ("root", false),
        ("zhao", false),
        ("", false),
        ("people.cn", false),
    ] {
        assert_eq!(bench.reads(who, &of), reads, "{who}");
    }
    assert_eq!(bench.readable(&Reader::Full, &of), Readable::Yes(Hidden::default()));
    assert_eq!(bench.readable(&Reader::Public, &of), Readable::No);
    // What is not there is as what may not be read.
    assert_eq!(bench.readable(&Reader::Full, &coming("permit", "none")), Readable::No);
    assert_eq!(bench.readable(&Reader::Full, &coming("none", &of.thing)), Readable::No);
    let reading = bench.kernel.reading(&bench.state, &Reader::Public, HOME, bench.at);
    assert!(reading.expect("reads").thing(&of).expect("reads").is_none());
    bench.draw(&of.thing);
    bench.act("chen", "permit/grant", Some(&of.thing), []).expect("he is of the panel");
    assert!(bench.reads("sun", &of) && bench.readable(&Reader::Public, &of) != Readable::No);
}

#[test]
fn who_is_dismissed_or_not_named_any_more_reads_nothing() {
    let (mut bench, of) = counties();
    let before = bench.at;
    assert!(bench.reads("li", &of), "he opened it, by his role");
    bench.dismiss("li", "clerk", "xihu");
    assert!(!bench.reads("li", &of));
    // What is asked of an earlier moment is answered as of then.
    let zheng = named("zheng");
    bench.dismiss("zheng", "inspector", "xihu");
    assert!(!bench.reads("zheng", &of));
    let then = bench.kernel.reading(&bench.state, &zheng, HOME, before).expect("reads");
    assert_ne!(then.readable(&of).expect("reads"), Readable::No);
    // Appointed elsewhere he reads what is there.
    bench.appoint("li", "clerk", "gongshu");
    assert!(!bench.reads("li", &of));
}

#[test]
fn what_belongs_to_the_whole_agency_is_read_by_whom_it_is_his() {
    let mut bench = Bench::new();
    bench.appoint("feng", "inspector", "");
    bench.appoint("li", "clerk", "xihu");
    let note = bench.act("feng", "note/open", None, []).expect("opens").thing;
    let of = coming("note", &note);
    assert!(bench.reads("feng", &of) && !bench.reads("li", &of));
}

#[test]
fn what_is_hidden_is_seen_by_whose_it_is_until_it_is_over() {
    let (mut bench, of) = counties();
    bench.draw(&of.thing);
    // Whose acts set it, and those whom it names, see it.
    for who in ["zhang", "chen"] {
        assert_eq!(bench.readable(&named(who), &of), Readable::Yes(Hidden::default()), "{who}");
    }
    let chen = officer("chen");
    for who in ["li", "zheng", "zhao@people.cn"] {
        let Shown { thing, hidden, .. } = bench.shown(&named(who), &of);
        assert!(hidden.fields.contains("panel") && hidden.fields.contains("experts"), "{who}");
        assert!(hidden.people.contains(&chen) && hidden.acts.contains("draw"), "{who}");
        assert!(hidden.dues.contains("drawing"), "its end would tell who is in it");
        let whole =
            format!("{:?}{:?}{:?}{:?}", thing.set, thing.people, thing.filed, thing.authors);
        assert!(!whole.contains("chen") && !whole.contains("zhou"), "{who}: {whole}");
        assert!(!thing.documents.contains_key("draw"), "{who}");
        assert!(thing.documents.contains_key("apply"), "{who}");
    }
    bench.act("chen", "permit/grant", Some(&of.thing), []).expect("he is of the panel");
    let Shown { thing, hidden, .. } = bench.shown(&named("li"), &of);
    assert!(hidden.is_empty() && thing.set.contains_key("panel"));
}

#[test]
fn a_document_is_read_as_its_thing_is() {
    let (mut bench, of) = counties();
    bench.draw(&of.thing);
    bench.appoint("wang", "clerk", "gongshu");
    let filed = bench.filed();
    let reads = |who: &Reader, act: &str| -> Vec<bool> {
        let reading = bench.kernel.reading(&bench.state, who, HOME, bench.at).expect("reads");
        let of_act =
            filed.iter().filter(|document| document.filing().is_some_and(|f| f.act == act));
        of_act.map(|document| reading.document(document).expect("reads")).collect()
    };
    for (who, apply, draw) in [
        ("li", true, false),
        ("zhang", true, true),
        ("zhao@people.cn", true, false),
        ("sun", false, false),
        ("nobody", false, false),
    ] {
        assert_eq!(reads(&named(who), "permit/apply"), [apply], "{who}");
        assert_eq!(reads(&named(who), "permit/draw"), [draw], "{who}");
        assert_eq!(reads(&named(who), "install"), [true], "{who}");
    }
    assert!(reads(&Reader::Full, "appoint").into_iter().all(|reads| reads));
    assert!(reads(&Reader::Public, "appoint").into_iter().all(|reads| !reads));
    // The two of gongshu before, and that of wang.
    assert_eq!(reads(&named("sun"), "appoint").into_iter().filter(|reads| *reads).count(), 3);
    // What was refused has no thing: whoever signed it reads it.
    let mut refused = filed.iter().find(|one| one.header.kind == "apply").expect("one").clone();
    refused.id = chancery_protocol::DocumentId::from_slice(&[7; 32]).expect("an id");
    refused.signers = vec![Signer::named(&officer("wang"))];
    for (who, is) in [("wang", true), ("li", false)] {
        let who = named(who);
        let reading = bench.kernel.reading(&bench.state, &who, HOME, bench.at).expect("reads");
        assert_eq!(reading.document(&refused).expect("reads"), is);
    }
}

#[test]
fn appointments_are_seen_where_one_holds_a_role_and_by_whoever_appoints() {
    let (bench, _) = counties();
    let seen = |who: &Reader| -> Vec<String> {
        let reading = bench.kernel.reading(&bench.state, who, HOME, bench.at).expect("reads");
        let all = reading.appointed("permits").expect("reads");
        let name = |name: String| name.split_once('@').map(|(name, _)| name.to_owned());
        all.into_iter().filter_map(|one| name(one.officer)).collect()
    };
    assert_eq!(seen(&named("sun")), ["qian", "sun"]);
    assert_eq!(seen(&named("li")), ["zhang", "li", "wu", "zheng"]);
    assert_eq!(seen(&named("wu")), ["wu"]);
    assert_eq!(seen(&named("feng")).len(), 7);
    assert_eq!(seen(&named("root")).len(), 7);
    assert_eq!(seen(&Reader::Full).len(), 7);
    assert!(seen(&named("nobody")).is_empty() && seen(&Reader::Public).is_empty());
}
