//! Versions of a module: what needs two officers, what takes effect at its date, who publishes.

use std::collections::BTreeMap;

use chancery_crypto::{Digest, Language, cbor};
use chancery_protocol::{DocumentHeader, DocumentId, Filing, Form, FormValue, Part, Urgency};

use crate::{
    Decision, Document, Facts, Folder, Input, Instant, Kernel, MEDIA_TYPE, MemoryState, Module,
    Outcome, Refusal, Replay, Salt, Signer, State as _, Thing, coming, installed, proposed,
    record::{Applied, Subject},
    state::{Family, Key},
};

pub(crate) const HOME: &str = "news.hangzhou.gov.cn";

pub(crate) fn news() -> Folder {
    Folder::of_this_crate("news")
}

pub(crate) fn hangzhou() -> Folder {
    Folder::of_this_crate("news-hangzhou")
}

/// A folder with some of its text in other words.
pub(crate) fn with(folder: &Folder, changes: &[(&str, &str, &str)]) -> Folder {
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

pub(crate) fn mistakes(folder: &Folder) -> Vec<String> {
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

/// A ledger's modules in memory; all of it is decided again at the end.
pub(crate) struct Bench {
    pub kernel: Kernel,
    pub state: MemoryState,
    pub at: Instant,
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

pub(crate) fn text(text: &str) -> FormValue {
    FormValue::Text(text.to_owned())
}

impl Bench {
    pub(crate) fn new() -> Self {
        let (kernel, state, kept) = Default::default();
        let mut bench = Self { kernel, state, at: Instant(1_772_500_000), made: 0, kept };
        for (who, role) in
            [("root", "appointer"), ("root", "module-keeper"), ("second", "module-keeper")]
        {
            bench.appoint(who, role, "office");
        }
        bench
    }

    pub(crate) fn appoint(&mut self, who: &str, role: &str, of: &str) {
        let who = format!("{who}@{HOME}");
        let form = [("officer", text(&who)), ("role", text(role)), ("of", text(of))];
        self.office("appoint", &form, None, &["root"]).expect("is appointed");
    }

    pub(crate) fn file(
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
            behalf: None,
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
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn office(
        &mut self,
        act: &str,
        form: &[(&str, FormValue)],
        part: Option<(&str, &[u8])>,
        by: &[&str],
    ) -> Result<Applied, Refusal> {
        self.file(("office", act, act), None, form, part, by)
    }

    pub(crate) fn install(
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

    pub(crate) fn draft(&mut self, headline: &str, column: &str) -> String {
        let form = [("headline", text(headline)), ("column", text(column)), ("text", text("……"))];
        let made = self.file(("news", "article", "item/draft"), None, &form, None, &["wang"]);
        made.expect("is drafted").thing
    }

    pub(crate) fn act(&mut self, act: &str, thing: &str, by: &str) -> Result<Applied, Refusal> {
        let act = format!("item/{act}");
        self.file(("news", "remark", &act), Some(thing), &[], None, &[by])
    }

    pub(crate) fn thing(&self, id: &str) -> Thing {
        Thing::get(&self.state, "news", "item", id).expect("reads").expect("is there")
    }

    pub(crate) fn of_state(&self, state: &str) -> Vec<String> {
        let key = Key::new(Family::Index, "news").name("item/state").value(state);
        let rows = self.state.scan(&key, "", 100).expect("reads");
        rows.into_iter().map(|(key, _)| key.id).collect()
    }
}

/// The second version of the news: one state has another name, what was one read of the draft is kept, a term is shorter.
pub(crate) fn second() -> Folder {
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
            ("scenarios/P5-1.toml", "state = \"first\"", "state = \"reading\""),
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
fn a_module_that_names_its_publisher_is_installed_where_that_is_one() {
    let own = "version = \"1\"\npublisher = \"mof.gov.cn\"";
    let folder = with(&news(), &[("module.toml", "version = \"1\"", own)]);
    let mut bench = Bench::new();
    let nobody = Err(Refusal::NoPublisher { name: "mof.gov.cn".into(), of: "news".into() });
    assert_eq!(bench.install(&folder, None, &["root"]), nobody);
    let name = |bench: &mut Bench, of: &str, by: &str| {
        let form = [("agency", text("mof.gov.cn")), ("rank", FormValue::Int(90)), ("of", text(of))];
        bench.office("publisher", &form, None, &[by])
    };
    let keeper = name(&mut bench, "news", "second");
    assert!(matches!(keeper, Err(Refusal::NotEntitled { .. })), "{keeper:?}");
    // It speaks for another module.
    name(&mut bench, "tax", "root").expect("is named");
    assert_eq!(bench.install(&folder, None, &["root"]), nobody);
    name(&mut bench, "news", "root").expect("is named");
    assert_eq!(bench.install(&folder, None, &["root"]).expect("it").state, "in-force");
    // An order of the calendar of whoever stands higher is not replaced from below.
    let order = |publisher: Option<&str>| {
        let mut form = vec![
            ("year", FormValue::Int(2026)),
            ("source", text("x")),
            ("off", FormValue::List(vec![text("2026-05-01")])),
            ("work", FormValue::List(Vec::new())),
        ];
        form.extend(publisher.map(|name| ("publisher", text(name))));
        form
    };
    let form = [("agency", text("gov.cn")), ("rank", FormValue::Int(99))];
    bench.office("publisher", &form, None, &["root"]).expect("is named");
    bench.office("calendar", &order(None), None, &["root"]).expect("the agency's own");
    bench.office("calendar", &order(Some("gov.cn")), None, &["root"]).expect("is higher");
    bench.office("calendar", &order(Some("gov.cn")), None, &["root"]).expect("changes its own");
    let lower = bench.office("calendar", &order(None), None, &["root"]);
    assert_eq!(lower, Err(Refusal::LowerRank { publisher: "gov.cn".into(), rank: 99 }));
}
