//! Appointments to offices, and what they entitle to: kernel and state alone.

use std::collections::BTreeMap;

use chancery_crypto::{Digest, Language, cbor};
use chancery_protocol::{DocumentHeader, DocumentId, Filing, FormValue, Part, Urgency};

use crate::{
    civil::Instant,
    folder::{Folder, MEDIA_TYPE},
    input::{Document, Input, Signer},
    kernel::{Coming, Kernel, Salt},
    manifest::Module,
    office::appointed,
    reason::Reason,
    record::{Applied, Facts, Outcome},
    replay::Replay,
    state::MemoryState,
    thing::Thing,
};

pub(crate) const HOME: &str = "permits.gov.cn";

const MODULE: &str = r#"
module = "permits"
version = "1"
names = { "zh-CN" = "许可", en = "Permits" }
law = "行政许可法"
[role.clerk]
scope = "office"
[role.chief]
scope = "office"
[role.inspector]
"#;

const PERMIT: &str = r#"
case = "permit"
title = "filed.apply.subject"
office = "doc.county"
subject = "filed.apply.applicant"
readers = ["inspector"]
public = "it.state == 'granted' && filed.apply.open"
[state]
applied = {}
drawn = {}
granted = { end = true }
[who]
experts = "it.panel"
[act.apply]
to = "applied"
by = ["clerk", "chief"]
[act.draw]
from = ["applied"]
to = "drawn"
by = ["chief"]
set = { panel = "doc.panel", copied = "doc.panel" }
[act.grant]
from = ["drawn"]
to = "granted"
by = ["clerk", "experts"]
need.heard = { that = "!has_role(me, 'chief')", law = "38" }
[due.drawing]
start = "it.panel == ['x'] ? lodged : when.apply"
in = "20 d"
law = "42"
[hide.panel]
until = "state:granted"
law = "37"
[hide.experts]
until = "state:granted"
law = "37"
"#;

const NOTE: &str = r#"
case = "note"
[state]
open = {}
done = { end = true }
[act.open]
form = "remark"
to = "open"
by = ["clerk", "inspector"]
[act.close]
form = "remark"
from = ["open"]
to = "done"
by = ["clerk", "inspector"]
not_by = ["chief"]
"#;

const TEXTS: &str = "\
case-permit = x
case-note = x
state-permit-applied = x
state-permit-drawn = x
state-permit-granted = x
state-note-open = x
state-note-done = x
act-permit-apply = x
act-permit-draw = x
act-permit-grant = x
act-note-open = x
act-note-close = x
need-permit-grant-heard = x
due-permit-drawing = x
form-apply = x
form-apply-county = x
form-apply-subject = x
form-apply-applicant = x
form-apply-open = x
form-draw = x
form-draw-panel = x
form-grant = x
form-remark = x
role-clerk = clerk
role-chief = chief
role-inspector = inspector
";

fn form(properties: &str, required: &str) -> String {
    format!(
        r#"{{ "type": "object", "additionalProperties": false, "required": [{required}],
            "properties": {{ {properties} }} }}"#
    )
}

/// The folder of a module whose roles are held in counties.
pub(crate) fn folder() -> Folder {
    let text = r#"{ "type": "string", "maxLength": 100 }"#;
    let apply = form(
        &format!(
            r#""county": {text}, "subject": {text}, "applicant": {text}, "open": {{ "type": "boolean" }}"#
        ),
        r#""county", "subject", "applicant", "open""#,
    );
    let panel = format!(r#""panel": {{ "type": "array", "maxItems": 9, "items": {text} }}"#);
    let files = [
        ("module.toml", MODULE.to_owned()),
        ("cases/permit.toml", PERMIT.to_owned()),
        ("cases/note.toml", NOTE.to_owned()),
        ("forms/apply.json", apply),
        ("templates/permit.toml", template("permit", "{it.state}")),
        ("templates/panel.toml", template("panel", "{it.panel}")),
        ("templates/drawing.toml", template("drawing", "{due.drawing.day}")),
        ("forms/draw.json", form(&panel, r#""panel""#)),
        ("forms/grant.json", form("", "")),
        ("forms/remark.json", form("", "")),
        ("texts/zh-CN.ftl", TEXTS.to_owned()),
        ("texts/en.ftl", TEXTS.to_owned()),
    ];
    Folder::of(files.map(|(path, text)| (path.to_owned(), text))).expect("a folder")
}

fn template(name: &str, text: &str) -> String {
    let head = format!("template = \"{name}\"\nof = \"permit\"\ntitle = \"{{it.id}}\"\n");
    format!("{head}[block.only]\ntext = \"{text}\"\n")
}

pub(crate) fn text(text: &str) -> FormValue {
    FormValue::Text(text.to_owned())
}

/// A ledger's modules in memory, with a clock that goes on by a minute with each act; all of it is decided again at the end.
pub(crate) struct Bench {
    pub kernel: Kernel,
    pub state: MemoryState,
    pub at: Instant,
    made: u64,
    kept: Vec<(crate::Decision, Document)>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut replay = Replay::of(HOME);
        for (decision, document) in &self.kept {
            let record = decision.record.encode();
            replay.step(&record, &decision.salt, Some(document.clone())).expect("the same");
        }
        let rows = |state: &MemoryState| {
            state.rows().map(|(key, value)| (key.clone(), value.to_vec())).collect::<Vec<_>>()
        };
        assert_eq!(rows(replay.state()), rows(&self.state));
    }
}

impl Bench {
    /// `root` appoints and installs; the module is in force.
    pub(crate) fn new() -> Self {
        let (kernel, state, kept) = Default::default();
        let mut bench = Self { kernel, state, at: Instant(1_800_000_000), made: 0, kept };
        for role in ["appointer", "module-keeper"] {
            let form = [("officer", text(&officer("root"))), ("role", text(role))];
            bench.office("appoint", form).expect("is appointed");
        }
        let folder = folder();
        let module = Module::read(&folder).unwrap_or_else(|mistakes| {
            panic!("{:?}", mistakes.iter().map(|one| one.say(Language::En)).collect::<Vec<_>>())
        });
        let digest = module.digest().to_string();
        let bytes = folder.encode();
        let part = Part {
            name: "module.cbor".into(),
            media_type: MEDIA_TYPE.into(),
            size: bytes.len() as u64,
            digest: Digest::of(&bytes),
        };
        let form = [("digest", text(&digest))];
        let mut document = bench.document("office", "install", "install", None, form, "root");
        document.header.parts = vec![part];
        document.part = Some(bytes);
        bench.decide(document).expect("is installed");
        bench
    }

    fn document<const N: usize>(
        &mut self,
        module: &str,
        kind: &str,
        act: &str,
        about: Option<&str>,
        form: [(&str, FormValue); N],
        by: &str,
    ) -> Document {
        self.made += 1;
        self.at = Instant(self.at.0 + 60);
        let form: BTreeMap<_, _> =
            form.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let filing = Filing {
            home: HOME.parse().expect("a name"),
            act: act.to_owned(),
            about: about.map(str::to_owned),
            seen: None,
            reason: None,
            version: None,
            until: self.at.0 + 86_400,
            behalf: None,
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
            parts: Vec::new(),
            nonce: Digest::of(&self.made.to_be_bytes()),
        };
        let id = Digest::of(&cbor::encode(&header).expect("encodes"));
        let id = DocumentId::from_slice(id.as_bytes()).expect("an id");
        Document { id, header, signers: vec![Signer::named(&officer(by))], part: None }
    }

    fn decide(&mut self, document: Document) -> Result<Applied, Vec<Reason>> {
        let mut input = Input {
            at: self.at,
            lodged: self.at,
            home: HOME.to_owned(),
            salt: Salt::Fresh(Digest::of(&self.made.to_be_bytes())),
            facts: Facts { first: Some(officer("root")), ..Facts::default() },
            document,
        };
        input.facts.form = self.kernel.judge_form(&self.state, &input).expect("reads");
        let made = self.kernel.decide(&self.state, &input).expect("reads");
        let [decision] = made.as_slice() else { panic!("{made:?}") };
        match &decision.record.outcome {
            Outcome::Applied(applied) => {
                self.state.apply(&decision.writes);
                self.kept.push((decision.clone(), input.document));
                Ok(applied.clone())
            }
            Outcome::Refused(reasons) => Err(reasons.clone()),
            other => panic!("{other:?}"),
        }
    }

    fn office<const N: usize>(
        &mut self,
        act: &str,
        form: [(&str, FormValue); N],
    ) -> Result<Applied, Vec<Reason>> {
        let document = self.document("office", act, act, None, form, "root");
        self.decide(document)
    }

    pub(crate) fn appoint(&mut self, who: &str, role: &str, office: &str) {
        self.appointed("appoint", who, role, office).expect("is appointed");
    }

    pub(crate) fn dismiss(&mut self, who: &str, role: &str, office: &str) {
        self.appointed("dismiss", who, role, office).expect("is dismissed");
    }

    fn appointed(
        &mut self,
        act: &str,
        who: &str,
        role: &str,
        office: &str,
    ) -> Result<Applied, Vec<Reason>> {
        let fields =
            [("officer", text(&officer(who))), ("role", text(role)), ("of", text("permits"))];
        match office {
            "" => self.office(act, fields),
            office => {
                let [officer, role, of] = fields;
                self.office(act, [officer, role, of, ("office", text(office))])
            }
        }
    }

    /// Does an act with a thing.
    pub(crate) fn act<const N: usize>(
        &mut self,
        by: &str,
        act: &str,
        about: Option<&str>,
        form: [(&str, FormValue); N],
    ) -> Result<Applied, Vec<Reason>> {
        let name = act.split_once('/').expect("case/act").1;
        let kind = if act.starts_with("note/") { "remark" } else { name };
        let document = self.document("permits", kind, act, about, form, by);
        self.decide(document)
    }

    /// Applies for a permit in a county.
    pub(crate) fn apply(&mut self, by: &str, county: &str) -> Result<String, Vec<Reason>> {
        let form = [
            ("county", text(county)),
            ("subject", text(&format!("of {county}"))),
            ("applicant", text("zhao@people.cn")),
            ("open", FormValue::Bool(true)),
        ];
        Ok(self.act(by, "permit/apply", None, form)?.thing)
    }

    /// The documents that took effect.
    pub(crate) fn filed(&self) -> Vec<Document> {
        self.kept.iter().map(|(_, document)| document.clone()).collect()
    }

    pub(crate) fn thing(&self, case: &str, id: &str) -> Thing {
        Thing::get(&self.state, "permits", case, id).expect("reads").expect("is there")
    }
}

/// The whole name of an officer.
pub(crate) fn officer(name: &str) -> String {
    if name.contains('@') { name.to_owned() } else { format!("{name}@{HOME}") }
}

pub(crate) fn coming(case: &str, id: &str) -> Coming {
    Coming { module: "permits".into(), case: case.into(), thing: id.into() }
}

fn rules(refused: &[Reason]) -> Vec<&str> {
    refused.iter().map(|reason| reason.rule.as_str()).collect()
}

#[test]
fn a_role_of_an_office_is_held_there_and_below_and_nowhere_else() {
    let mut bench = Bench::new();
    bench.appoint("li", "clerk", "xihu");
    bench.appoint("wang", "clerk", "xihu/gulou");
    for (who, county, may) in [
        ("li", "xihu", true),
        ("li", "xihu/gulou", true),
        ("li", "xihuqu", false),
        ("li", "gongshu", false),
        ("li", "", false),
        ("wang", "xihu/gulou", true),
        ("wang", "xihu", false),
        ("wang", "gulou", false),
    ] {
        let opened = bench.apply(who, county);
        match &opened {
            Ok(id) => assert_eq!(bench.thing("permit", id).office, county),
            Err(reasons) => {
                assert_eq!(rules(reasons), ["permits/permit/apply/by"]);
                let said = reasons[0].say_plainly(Language::En);
                assert_eq!(said.contains(&format!("in the office {county}:")), !county.is_empty());
            }
        }
        assert_eq!(opened.is_ok(), may, "{who} {county}");
    }
}

#[test]
fn what_is_done_with_a_thing_needs_the_role_in_its_office() {
    let mut bench = Bench::new();
    bench.appoint("li", "clerk", "xihu");
    bench.appoint("zhang", "chief", "xihu");
    bench.appoint("sun", "chief", "gongshu");
    let id = bench.apply("li", "xihu/gulou").expect("is opened");
    let panel = || [("panel", FormValue::List(vec![text(&officer("chen"))]))];
    let refused =
        bench.act("sun", "permit/draw", Some(&id), panel()).expect_err("of another county");
    assert_eq!(rules(&refused), ["permits/permit/draw/by"]);
    let of = coming("permit", &id);
    let may = |bench: &Bench, act: &str, who: &str| {
        bench.kernel.may(&bench.state, &of, act, &officer(who), bench.at).expect("reads")
    };
    assert!(may(&bench, "draw", "zhang") && !may(&bench, "draw", "sun"));
    bench.act("zhang", "permit/draw", Some(&id), panel()).expect("his own");
    // Conditions see roles as of the thing's office, too.
    bench.appoint("li", "chief", "gongshu");
    bench.act("li", "permit/grant", Some(&id), []).expect("a chief elsewhere is none here");
}

#[test]
fn one_officer_holds_a_role_in_several_offices_and_is_dismissed_from_each() {
    let mut bench = Bench::new();
    bench.appoint("li", "clerk", "xihu");
    bench.appoint("li", "clerk", "gongshu");
    bench.apply("li", "xihu").expect("here");
    bench.apply("li", "gongshu").expect("and there");
    let none = bench.appointed("dismiss", "li", "clerk", "").expect_err("he has none of these");
    assert_eq!(none[0].why, crate::Refusal::NoThing);
    bench.dismiss("li", "clerk", "xihu");
    bench.apply("li", "xihu").expect_err("not any more");
    bench.apply("li", "gongshu").expect("there he still is");
    let listed = appointed(&bench.state, "permits").expect("reads");
    let listed: Vec<_> =
        listed.iter().map(|one| (one.office.as_deref(), one.until.is_some())).collect();
    assert_eq!(listed, [(Some("gongshu"), false), (Some("xihu"), true)]);
    // Who has been dismissed is not made to have been there until now by being dismissed again.
    let ended = |bench: &Bench| {
        appointed(&bench.state, "permits").expect("reads").iter().find_map(|one| one.until)
    };
    let before = ended(&bench);
    bench.dismiss("li", "clerk", "xihu");
    assert_eq!(ended(&bench), before);
}

#[test]
fn a_role_of_an_office_needs_one_and_the_office_itself_has_none() {
    let mut bench = Bench::new();
    let field = |refused: Vec<Reason>| match &refused[0].why {
        crate::Refusal::Field { field } => field.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        field(bench.appointed("appoint", "li", "clerk", "").expect_err("no office")),
        "office"
    );
    for path in ["Xihu", "xihu/", "西湖"] {
        let refused = bench.appointed("appoint", "li", "clerk", path).expect_err(path);
        assert_eq!(field(refused), "office");
    }
    let form =
        [("officer", text(&officer("li"))), ("role", text("appointer")), ("office", text("xihu"))];
    assert_eq!(field(bench.office("appoint", form).expect_err("not the office's own")), "office");
    // What is the agency's may be held in an office, and in the whole.
    bench.appoint("li", "inspector", "");
    bench.appoint("wang", "inspector", "xihu");
}

#[test]
fn what_no_formula_places_belongs_where_its_opener_holds_his_role() {
    let mut bench = Bench::new();
    bench.appoint("li", "clerk", "xihu");
    bench.appoint("wang", "inspector", "");
    bench.appoint("sun", "clerk", "gongshu");
    let note = |bench: &mut Bench, by: &str| bench.act(by, "note/open", None, []);
    let of_li = note(&mut bench, "li").expect("opens").thing;
    let of_wang = note(&mut bench, "wang").expect("opens").thing;
    assert_eq!(bench.thing("note", &of_li).office, "xihu");
    assert_eq!(bench.thing("note", &of_wang).office, "");
    let close = |bench: &mut Bench, by: &str, id: &str| {
        bench
            .act(by, "note/close", Some(id), [])
            .map(|_| ())
            .map_err(|reasons| rules(&reasons).into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    assert_eq!(close(&mut bench, "sun", &of_li), Err(vec!["permits/note/close/by".into()]));
    // What belongs to the whole agency is no county's.
    assert_eq!(close(&mut bench, "li", &of_wang), Err(vec!["permits/note/close/by".into()]));
    // A role excludes where it is held.
    bench.appoint("li", "chief", "xihu");
    assert_eq!(close(&mut bench, "li", &of_li), Err(vec!["permits/note/close/not_by".into()]));
    bench.dismiss("li", "chief", "xihu");
    bench.appoint("li", "chief", "gongshu");
    assert_eq!(close(&mut bench, "li", &of_li), Ok(()));
    // Of two counties nobody can say for which.
    bench.appoint("sun", "clerk", "binjiang");
    let refused = note(&mut bench, "sun").expect_err("which?");
    assert_eq!(rules(&refused), ["permits/note/open/office"]);
}

#[test]
fn an_office_that_cannot_be_known_is_a_fault_of_the_form_where_that_is_why() {
    let mut bench = Bench::new();
    bench.appoint("li", "clerk", "xihu");
    let refused = bench.act("li", "permit/apply", None, []).expect_err("nothing is filled in");
    assert!(rules(&refused).iter().all(|rule| *rule == "permits/permit/apply/form"), "{refused:?}");
    let refused = bench.apply("li", "西湖").expect_err("no path");
    assert_eq!(rules(&refused), ["permits/permit/apply/office"]);
}

#[test]
fn what_a_case_says_of_reading_is_checked_with_file_and_line() {
    for (path, from, to, code, place) in [
        ("module.toml", "scope = \"office\"", "scope = \"county\"", "word", "module.toml"),
        ("cases/permit.toml", "doc.county", "doc.open", "result", "text"),
        ("cases/permit.toml", "doc.county", "filed.apply.county", "kinds", "filed"),
        ("cases/permit.toml", "[\"inspector\"]", "[\"inspectr\"]", "undeclared", "inspector"),
        ("cases/permit.toml", "filed.apply.applicant", "filed.apply.open", "result", "names"),
        ("cases/permit.toml", "state:granted", "state:grant", "undeclared", "granted"),
        ("cases/permit.toml", "state:granted", "due:drawn", "undeclared", "due"),
        ("cases/permit.toml", "state:granted", "granted", "kind", "until"),
        ("cases/permit.toml", "[hide.panel]", "[hide.pannel]", "undeclared", "panel"),
        ("cases/permit.toml", "law = \"37\"", "", "no-law", "hide.panel"),
        (
            "cases/permit.toml",
            "filed.apply.subject",
            "it.panel.size() > 1 ? 'a' : 'b'",
            "hidden-shown",
            "panel",
        ),
        (
            "cases/note.toml",
            "[\"clerk\", \"inspector\"]",
            "[\"boss\"]\n[who]\nboss = \"home\"",
            "no-office",
            "clerk",
        ),
    ] {
        let files = folder();
        let files = files.files().map(|(name, text)| {
            let text = if name == path {
                assert!(text.contains(from), "{path} has no {from:?}");
                text.replacen(from, to, 1)
            } else {
                text.to_owned()
            };
            (name.to_owned(), text)
        });
        let folder = Folder::of(files.collect::<Vec<_>>()).expect("a folder");
        let found = match Module::read_with_warnings(&folder) {
            Ok((_, warnings)) => warnings,
            Err(mistakes) => mistakes,
        };
        let found: Vec<_> = found
            .iter()
            .map(|one| format!("{} {}", one.what.code(), one.say(Language::En)))
            .collect();
        let is = found.iter().any(|one| one.starts_with(code) && one.contains(place));
        assert!(is, "{to:?} is to give {code} with {place:?}: {found:#?}");
    }
}
