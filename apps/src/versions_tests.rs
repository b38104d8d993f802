//! Versions of a module: an agency's own variant, what needs two officers, parameters, and running things that go over.

use std::collections::BTreeMap;

use chancery_crypto::{Digest, Language, cbor};
use chancery_protocol::{DocumentHeader, DocumentId, Filing, Form, FormValue, Part, Urgency};

use crate::{
    Coming, Decision, Document, Facts, Folder, How, Input, Instant, Kernel, Loosens, MEDIA_TYPE,
    MemoryState, Module, Outcome, Refusal, Replay, Salt, Signer, State as _, TABLE_MEDIA_TYPE,
    Thing, Touches, coming, installed, proposed,
    record::{Applied, Subject},
    state::{Family, Key},
    stories::tell,
};

const HOME: &str = "news.hangzhou.gov.cn";

/// The files of a folder that is built in.
macro_rules! files {
    ($base:literal: $($path:literal),* $(,)?) => {
        Folder::of([$(($path, include_str!(concat!("../modules/", $base, "/", $path)))),*])
            .expect("a folder")
    };
}

fn news() -> Folder {
    files!("news": "module.toml", "cases/item.toml", "forms/article.json", "forms/change.json",
        "forms/remark.json", "scenarios/P5-1.toml", "scenarios/P5-2.toml", "texts/en.ftl",
        "texts/zh-CN.ftl")
}

fn hangzhou() -> Folder {
    files!("news-hangzhou": "module.toml", "cases/item.toml", "scenarios/1.toml", "texts/en.ftl",
        "texts/zh-CN.ftl")
}

/// A folder with some of its text in other words.
fn with(folder: &Folder, changes: &[(&str, &str, &str)]) -> Folder {
    let files = folder.files().map(|(path, text)| {
        let own = changes.iter().filter(|(of, ..)| *of == path);
        let text = own.fold(text.to_owned(), |text, (_, from, to)| {
            assert!(text.contains(from), "{path}: {from}");
            text.replace(from, to)
        });
        (path.to_owned(), text)
    });
    let there = |path: &str| folder.file(path).is_some();
    let new = changes.iter().filter(|(path, ..)| !there(path));
    let new = new.map(|(path, _, text)| ((*path).to_owned(), (*text).to_owned()));
    let made = Folder::of(files.chain(new)).expect("a folder");
    match folder.above() {
        Some(above) => made.over(above.clone()),
        None => made,
    }
}

fn mistakes(folder: &Folder) -> Vec<String> {
    let all = match Module::read_with_warnings(folder) {
        Ok((_, warnings)) => warnings,
        Err(mistakes) => mistakes,
    };
    let say = |one: &crate::Mistake| {
        assert!(!one.say(Language::Zh).is_empty());
        format!("{} {}", one.what.code(), one.say(Language::En))
    };
    all.iter().map(say).collect()
}

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
    assert_eq!((module.name(), module.acts("item").len()), ("news-hangzhou", 10));
    let tales = tell(&child, &module);
    let shown: Vec<_> =
        tales.iter().map(|tale| (tale.path.as_str(), tale.told.is_ok(), tale.is_good())).collect();
    assert_eq!(
        shown,
        [
            ("scenarios/1.toml", true, true),
            ("news:scenarios/P5-1.toml", true, true),
            ("news:scenarios/P5-2.toml", false, true),
        ]
    );
    // What is said to come out otherwise and does not is no change.
    let needless = with(&child, &[("module.toml", "P5-2", "P5-1")]);
    let tales = tell(&needless, &Module::read(&needless).expect("sound"));
    assert_eq!(tales.iter().map(|tale| tale.is_good()).collect::<Vec<_>>(), [true, false, false]);
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

/// A ledger's modules in memory; all of it is decided again at the end.
struct Bench {
    kernel: Kernel,
    state: MemoryState,
    at: Instant,
    made: u64,
    kept: Vec<(Decision, Option<Document>)>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut replay = Replay::of(HOME);
        for (decision, document) in &self.kept {
            let record = decision.record.encode();
            replay.step(&record, &decision.salt, document.clone()).expect("the same");
        }
        let rows = |state: &MemoryState| {
            let rows = state.rows().filter(|(key, _)| !key.family.derived());
            rows.map(|(key, value)| (key.clone(), value.to_vec())).collect::<Vec<_>>()
        };
        assert_eq!(rows(replay.state()), rows(&self.state));
    }
}

fn text(text: &str) -> FormValue {
    FormValue::Text(text.to_owned())
}

impl Bench {
    fn new() -> Self {
        let (kernel, state, kept) = Default::default();
        let mut bench = Self { kernel, state, at: Instant(1_772_500_000), made: 0, kept };
        for (who, role) in
            [("root", "appointer"), ("root", "module-keeper"), ("second", "module-keeper")]
        {
            bench.appoint(who, role, "office");
        }
        bench
    }

    fn appoint(&mut self, who: &str, role: &str, of: &str) {
        let who = format!("{who}@{HOME}");
        let form = [("officer", text(&who)), ("role", text(role)), ("of", text(of))];
        self.office("appoint", &form, None, &["root"]).expect("is appointed");
    }

    fn file(
        &mut self,
        (module, kind, act): (&str, &str, &str),
        about: Option<&str>,
        form: &[(&str, FormValue)],
        part: Option<(&str, &[u8])>,
        by: &[&str],
    ) -> Result<Applied, Refusal> {
        self.made += 1;
        self.at = Instant(self.at.0 + 60);
        let form: Form =
            form.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let filing = Filing {
            home: HOME.parse().expect("a name"),
            act: act.to_owned(),
            about: about.map(str::to_owned),
            seen: None,
            reason: Some("x".into()),
            version: None,
            until: self.at.0 + 86_400,
        };
        let part_of = |(media_type, bytes): (&str, &[u8])| Part {
            name: "part".into(),
            media_type: media_type.into(),
            size: bytes.len() as u64,
            digest: Digest::of(bytes),
        };
        let header = DocumentHeader {
            kind: kind.to_owned(),
            number: None,
            title: act.to_owned(),
            from: HOME.parse().expect("a name"),
            to: Vec::new(),
            cc: Vec::new(),
            classification: None,
            secrecy_period: None,
            urgency: Urgency::Routine,
            created: self.at.0,
            deadline: None,
            in_reply_to: None,
            module: module.to_owned(),
            fields: BTreeMap::new(),
            crit: Vec::new(),
            filing: Some(filing),
            form,
            parts: part.map(part_of).into_iter().collect(),
            nonce: Digest::of(&self.made.to_be_bytes()),
        };
        let id = Digest::of(&cbor::encode(&header).expect("encodes"));
        let signers =
            by.iter().map(|by| Signer { name: format!("{by}@{HOME}"), agency: HOME.into() });
        let document = Document {
            id: DocumentId::from_slice(id.as_bytes()).expect("an id"),
            header,
            signers: signers.collect(),
            part: part.map(|(_, bytes)| bytes.to_vec()),
        };
        let mut input = Input {
            at: self.at,
            lodged: self.at,
            home: HOME.to_owned(),
            salt: Salt::Fresh(id),
            facts: Facts { first: Some(format!("root@{HOME}")), ..Facts::default() },
            document,
        };
        input.facts.form = self.kernel.judge_form(&self.state, &input).expect("reads");
        let made = self.kernel.decide(&self.state, &input).expect("reads");
        let outcome = made.last().expect("something").record.outcome.clone();
        for decision in made {
            self.state.apply(&decision.writes);
            let own = matches!(decision.record.subject, Subject::Document(_));
            self.kept.push((decision, own.then(|| input.document.clone())));
        }
        match outcome {
            Outcome::Applied(applied) => Ok(applied),
            Outcome::Refused(reasons) => {
                assert!(!reasons[0].say_plainly(Language::Zh).is_empty());
                assert!(!reasons[0].say_plainly(Language::En).is_empty());
                Err(reasons[0].why.clone())
            }
        }
    }

    fn office(
        &mut self,
        act: &str,
        form: &[(&str, FormValue)],
        part: Option<(&str, &[u8])>,
        by: &[&str],
    ) -> Result<Applied, Refusal> {
        self.file(("office", act, act), None, form, part, by)
    }

    fn install(
        &mut self,
        folder: &Folder,
        from: Option<&str>,
        by: &[&str],
    ) -> Result<Applied, Refusal> {
        let mut form = vec![("digest", text(&folder.digest().to_string()))];
        form.extend(from.map(|from| ("from", text(from))));
        let bytes = folder.encode();
        self.office("install", &form, Some((MEDIA_TYPE, &bytes)), by)
    }

    fn confirm(&mut self, of: &str, folder: &Folder, by: &str) -> Result<Applied, Refusal> {
        let form = [("of", text(of)), ("digest", text(&folder.digest().to_string()))];
        self.office("confirm", &form, None, &[by])
    }

    fn in_force(&self, module: &str) -> Option<Digest> {
        installed(&self.state, module).expect("reads").map(|installed| installed.digest)
    }

    fn draft(&mut self, headline: &str, column: &str) -> String {
        let form = [("headline", text(headline)), ("column", text(column)), ("text", text("……"))];
        let made = self.file(("news", "article", "item/draft"), None, &form, None, &["wang"]);
        made.expect("is drafted").thing
    }

    fn act(&mut self, act: &str, thing: &str, by: &str) -> Result<Applied, Refusal> {
        let act = format!("item/{act}");
        self.file(("news", "remark", &act), Some(thing), &[], None, &[by])
    }

    fn thing(&self, id: &str) -> Thing {
        Thing::get(&self.state, "news", "item", id).expect("reads").expect("is there")
    }

    fn of_state(&self, state: &str) -> Vec<String> {
        let key = Key::new(Family::Index, "news").name("item/state").value(state);
        let rows = self.state.scan(&key, "", 100).expect("reads");
        rows.into_iter().map(|(key, _)| key.id).collect()
    }
}

/// The second version of the news: one state has another name, what was one read of the draft is kept, a term is shorter.
fn second() -> Folder {
    let item = "cases/item.toml";
    with(
        &news(),
        &[
            ("module.toml", "version = \"1\"", "version = \"2\""),
            (item, "first     = {}", "reading   = {}"),
            (item, "to   = \"first\"", "to   = \"reading\""),
            (item, "[\"first\"", "[\"reading\""),
            (
                item,
                "set  = { shown = \"false\",",
                "set  = { shown = \"false\", desk = \"doc.column\",",
            ),
            (
                item,
                "law    = \"site 三审三校\"\n\n[act.approve]",
                "law    = \"site 三审三校\"\nneed.desk = { that = \"it.desk == filed.draft.column && filed.draft.source != 'x'\", law = \"6\" }\n\n[act.approve]",
            ),
            (item, "in    = \"3 d\"", "in    = \"2 d\""),
            (
                "texts/zh-CN.ftl",
                "state-item-first",
                "need-item-review-desk = 栏目\nstate-item-reading",
            ),
            (
                "texts/en.ftl",
                "state-item-first",
                "need-item-review-desk = desk\nstate-item-reading",
            ),
        ],
    )
}

fn plan(from: &Digest) -> String {
    format!(
        "migration = \"from-1\"\nfrom = \"{from}\"\nlaw = \"6\"\n[case.item]\nstate = {{ first = \"reading\" }}\n\
         [case.item.field]\ndesk = \"it.column\"\n[case.item.filed.draft]\ncolumn = \"it.column\"\n\
         source = \"it.column == 'work' ? 'city' : it.nothing\"\n"
    )
}

#[test]
fn what_touches_a_guard_of_an_installed_module_waits_for_a_second_officer() {
    let (first, next) = (news(), second());
    let mut bench = Bench::new();
    assert_eq!(bench.install(&first, None, &["root"]).expect("first").state, "in-force");
    // Other words alone need nobody else.
    let words = with(&first, &[("texts/en.ftl", "case-item = item", "case-item = article")]);
    assert_eq!(bench.install(&words, None, &["root"]).expect("words").state, "in-force");
    assert_eq!(bench.install(&next, None, &["root"]).expect("is proposed").state, "proposed");
    assert_eq!(bench.in_force("news"), Some(words.digest()));
    let waiting = proposed(&bench.state, "news").expect("reads").expect("waits");
    assert_eq!(waiting.touches, ["guard", "deadline"]);
    let all = crate::waiting(&bench.state).expect("reads");
    assert_eq!(all, [("news".to_owned(), waiting)]);
    let excluded = bench.confirm("news", &next, "root");
    assert!(matches!(excluded, Err(Refusal::Excluded { .. })), "{excluded:?}");
    let nobody = bench.confirm("news", &next, "wang");
    assert!(matches!(nobody, Err(Refusal::NotEntitled { .. })), "{nobody:?}");
    let other = bench.confirm("news", &first, "second");
    assert_eq!(other, Err(Refusal::Field { field: "digest".into() }));
    assert_eq!(bench.confirm("news", &next, "second").expect("is confirmed").state, "in-force");
    let now = installed(&bench.state, "news").expect("reads").expect("in force");
    assert_eq!((now.digest, now.second), (next.digest(), Some(format!("second@{HOME}"))));
    assert_eq!(bench.confirm("news", &next, "second"), Err(Refusal::NoThing));
    assert!(crate::waiting(&bench.state).expect("reads").is_empty());
    // Two signatures under one document do as well; what was proposed against something else is proposed again.
    bench.install(&first, None, &["root"]).expect("is proposed");
    assert_eq!(bench.install(&words, None, &["root", "second"]).expect("both").state, "in-force");
    assert_eq!(bench.confirm("news", &first, "second"), Err(Refusal::NoThing));
}

#[test]
fn a_version_takes_effect_at_its_date_by_a_decision_of_its_own() {
    let (first, next) = (news(), second());
    let mut bench = Bench::new();
    bench.install(&first, None, &["root"]).expect("first");
    bench.appoint("wang", "editor", "news");
    let past = bench.install(&next, Some("2026-01-01"), &["root", "second"]);
    assert_eq!(past, Err(Refusal::Field { field: "from".into() }));
    bench.install(&next, Some("2026-04-01"), &["root"]).expect("is proposed");
    assert_eq!(bench.confirm("news", &next, "second").expect("is confirmed").state, "coming");
    assert_eq!(
        coming(&bench.state, "news").expect("reads").map(|one| one.digest),
        Some(next.digest())
    );
    let before = bench.draft("前", "work");
    assert_eq!(bench.thing(&before).version, Some(first.digest()));
    bench.at = "2026-04-01T00:00:00+08:00".parse().expect("a moment");
    let after = bench.draft("后", "work");
    assert_eq!(bench.thing(&after).version, Some(next.digest()));
    let now = installed(&bench.state, "news").expect("reads").expect("in force");
    assert_eq!(now.since, "2026-04-01T00:00:00+08:00".parse::<Instant>().expect("a moment").0);
    assert!(coming(&bench.state, "news").expect("reads").is_none());
    let (decision, _) = &bench.kept[bench.kept.len() - 2];
    assert!(matches!(&decision.record.subject, Subject::Elapsed { due, .. } if due == "effective"));
    // The sweep finds it by itself as well.
    bench.install(&first, Some("2026-05-01"), &["root", "second"]).expect("is to come");
    let at: Instant = "2026-05-02T09:00:00+08:00".parse().expect("a moment");
    let (found, _) = bench.kernel.coming(&bench.state, at, "", 10).expect("reads");
    let one = found.iter().find(|one| one.module == "office").expect("it comes");
    let salt = Salt::Fresh(Digest::of(b"sweep"));
    let (made, _) = bench.kernel.due(&bench.state, one, at, HOME, salt).expect("reads");
    let [decision] = made.as_slice() else { panic!("{made:?}") };
    bench.state.apply(&decision.writes);
    bench.kept.push((decision.clone(), None));
    assert_eq!(bench.in_force("news"), Some(first.digest()));
}

#[test]
fn a_variant_is_installed_over_what_it_extends_and_by_two_officers() {
    let (parent, child) = (news(), hangzhou());
    let mut bench = Bench::new();
    let alone = bench.install(&child, None, &["root"]);
    assert_eq!(alone, Err(Refusal::NoParent { name: "news".into() }));
    bench.install(&parent, None, &["root"]).expect("the parent");
    // What it changes of an installed module, two answer for.
    assert_eq!(bench.install(&child, None, &["root"]).expect("is proposed").state, "proposed");
    assert_eq!(bench.in_force("news-hangzhou"), None);
    bench.confirm("news-hangzhou", &child, "second").expect("is confirmed");
    bench.appoint("wang", "editor", "news-hangzhou");
    bench.appoint("li", "reviewer", "news-hangzhou");
    let form = [("headline", text("停水")), ("column", text("notice")), ("text", text("……"))];
    let made = bench.file(("news-hangzhou", "article", "item/draft"), None, &form, None, &["wang"]);
    let thing = made.expect("is drafted").thing;
    let mut act = |act: &str, by: &str| {
        bench.file(("news-hangzhou", "remark", act), Some(&thing), &[], None, &[by])
    };
    act("item/submit", "wang").expect("is submitted");
    let refused = act("item/review", "li");
    assert_eq!(refused, Err(Refusal::Need { say: "need-item-review-source".into() }));
    // Whoever has the rows has the folder with all that it extends.
    let whole =
        crate::whole_folder(&bench.state, &child.digest()).expect("reads").expect("is there");
    assert_eq!(whole, child.over(parent));
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

const PARAMS: &str = r#"
[param.most]
type = "int"
default = 10
min = 1
max = 100
law = "7"
[param.quick]
type = "bool"
default = false
law = "site 8"
"#;

fn varied() -> Folder {
    let module = news().file("module.toml").expect("it").to_owned() + PARAMS;
    let item = "cases/item.toml";
    let texts = "\nparam-most = x\nparam-quick = x\nvariant-plain = x\nvariant-penal = x\nneed-item-draft-short = x\n";
    let files = news();
    let files = files.files().map(|(path, text)| {
        let text = match path {
            "module.toml" => module.clone(),
            "texts/en.ftl" | "texts/zh-CN.ftl" => format!("{text}{texts}"),
            path if path == item => text.replace(
                "[act.submit]",
                "[act.draft.need.short]\nthat = \"size(doc.headline) <= param.most\"\nlaw = \"param.most\"\n[act.submit]",
            ),
            _ => text.to_owned(),
        };
        (path.to_owned(), text)
    });
    let variants = [
        (
            "variants/plain.toml",
            "variant = \"plain\"\nwhen = \"doc.column != 'penalty'\"\nlaw = \"7\"\n",
        ),
        (
            "variants/penal.toml",
            "variant = \"penal\"\nwhen = \"doc.column == 'penalty'\"\nlaw = \"penalty 48\"\n[param]\nmost = 4\n",
        ),
    ];
    let stories = files.filter(|(path, _)| !path.starts_with("scenarios/"));
    let all = stories.chain(variants.map(|(path, text)| (path.to_owned(), text.to_owned())));
    Folder::of(all).expect("a folder")
}

#[test]
fn parameters_are_fixed_by_the_one_variant_that_matches_when_a_thing_opens() {
    let folder = varied();
    assert_eq!(mistakes(&folder), Vec::<String>::new());
    let mut bench = Bench::new();
    bench.install(&folder, None, &["root"]).expect("is installed");
    bench.appoint("wang", "editor", "news");
    let mut draft = |headline: &str, column: &str| {
        let decision = (column == "penalty").then(|| ("decision", text("1号")));
        let form = [("headline", text(headline)), ("column", text(column)), ("text", text("……"))];
        let form: Vec<_> = form.into_iter().chain(decision).collect();
        bench.file(("news", "article", "item/draft"), None, &form, None, &["wang"])
    };
    let long = Err(Refusal::Need { say: "need-item-draft-short".into() });
    assert_eq!(draft("五个字标题", "penalty"), long);
    let plain = draft("五个字标题", "work").expect("is short enough").thing;
    let penal = draft("四字标题", "penalty").expect("is short enough").thing;
    assert_eq!(draft("一二三四五六七八九十一", "work"), long);
    let (plain, penal) = (bench.thing(&plain), bench.thing(&penal));
    assert_eq!((plain.variant.as_str(), penal.variant.as_str()), ("plain", "penal"));
    assert_eq!(plain.params["most"], crate::Value::Int(10));
    assert_eq!(penal.params["most"], crate::Value::Int(4));
    let module = Module::read(&folder).expect("it is sound");
    assert_eq!(module.cite("param.quick"), "政府网站发展指引 8");
}

#[test]
fn a_thing_of_no_variant_or_of_two_is_refused_and_the_checker_says_so_before() {
    let both = with(
        &varied(),
        &[("variants/plain.toml", "doc.column != 'penalty'", "doc.column != 'work'")],
    );
    let found = mistakes(&both);
    assert!(found.iter().any(|one| one.starts_with("variant-gap variants/")), "{found:#?}");
    assert!(found.iter().any(|one| one.starts_with("variant-overlap variants/")), "{found:#?}");
    let mut bench = Bench::new();
    bench.install(&both, None, &["root"]).expect("is installed");
    bench.appoint("wang", "editor", "news");
    let mut draft = |column: &str| {
        let form = [
            ("headline", text("题")),
            ("column", text(column)),
            ("text", text("……")),
            ("decision", text("1号")),
        ];
        let fields = if column == "penalty" { 4 } else { 3 };
        bench.file(("news", "article", "item/draft"), None, &form[..fields], None, &["wang"])
    };
    assert_eq!(draft("work"), Err(Refusal::Variant { matching: Vec::new() }));
    let two = vec!["penal".to_owned(), "plain".to_owned()];
    assert_eq!(draft("penalty"), Err(Refusal::Variant { matching: two }));
    draft("notice").expect("is of one");
    for (path, from, to, code) in [
        ("variants/penal.toml", "most = 4", "most = 400", "param-range"),
        ("variants/penal.toml", "most = 4", "mst = 4", "undeclared"),
        ("variants/penal.toml", "most = 4", "most = \"4\"", "kind"),
        ("variants/penal.toml", "doc.column", "doc.colum", "kinds"),
        ("variants/penal.toml", "law = \"penalty 48\"", "", "no-law"),
        ("module.toml", "default = 10\n", "", "no-param"),
        ("module.toml", "default = 10\n", "default = 0\n", "param-range"),
        ("module.toml", "law = \"7\"", "", "no-law"),
        ("cases/item.toml", "param.most\"\nlaw", "param.mst\"\nlaw", "kinds"),
        ("cases/item.toml", "law = \"param.most\"", "law = \"param.mst\"", "undeclared"),
        // With the headline as short as that, nothing is ever opened.
        (
            "cases/item.toml",
            "size(doc.headline) <= param.most",
            "param.most > 4 && size(doc.headline) > 0",
            "variant-never",
        ),
    ] {
        let found = mistakes(&with(&varied(), &[(path, from, to)]));
        assert!(found.iter().any(|one| one.starts_with(code)), "{code}: {found:#?}");
    }
}
