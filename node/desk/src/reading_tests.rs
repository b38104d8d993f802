use std::{collections::BTreeMap, sync::Arc};

use chancery_apps::{Applied, Folder, MEDIA_TYPE, Module};
use chancery_bus::TokenSettings;
use chancery_certs::Credential;
use chancery_crypto::Digest;
use chancery_protocol::{DocumentHeader, Filing, Form, FormValue, Part};
use chancery_store::in_place;
use chancery_test_domain::{Domain, now};

use super::*;
use crate::{
    finding,
    matters::{self, MatterView, Question},
    testing::{hand_in, header, office, signed},
};

const A: &str = "a.gov.cn";

fn text(text: &str) -> FormValue {
    FormValue::Text(text.into())
}

fn filed(module: &str, kind: &str, act: &str, about: Option<&str>, form: Form) -> DocumentHeader {
    let filing = Filing {
        home: A.parse().expect("a name"),
        act: act.into(),
        about: about.map(str::to_owned),
        seen: None,
        reason: None,
        version: None,
        until: now() + 3600,
        behalf: None,
    };
    let mut header = DocumentHeader {
        to: Vec::new(),
        module: module.into(),
        kind: kind.into(),
        title: "许可一件".into(),
        filing: Some(filing),
        form,
        fields: BTreeMap::new(),
        ..header(A, "b.gov.cn", kind)
    };
    header.crit = header.critical();
    header
}

/// A module whose matters belong to counties.
fn folder() -> Folder {
    let case = r#"
case = "permit"
office = "doc.county"
[state]
applied = {}
granted = { end = true }
[act.apply]
to = "applied"
by = "clerk"
set = { bidder = "doc.bidder" }
[act.grant]
from = "applied"
to = "granted"
by = "clerk"
[due.deciding]
start = "when.apply"
in = "20 d"
owes = "chief"
law = "42"
[hide.bidder]
until = "state:granted"
law = "22"
"#;
    let field = r#"{ "type": "string", "maxLength": 40 }"#;
    let apply = format!(
        r#"{{ "type": "object", "additionalProperties": false, "required": ["county", "bidder"],
            "properties": {{ "county": {field}, "bidder": {field} }} }}"#
    );
    let grant = r#"{ "type": "object", "additionalProperties": false, "properties": {} }"#;
    let names = "role-clerk role-chief case-permit state-permit-applied state-permit-granted \
                 act-permit-apply act-permit-grant due-permit-deciding form-apply form-apply-county \
                 form-apply-bidder form-grant";
    let words: String = names.split_whitespace().map(|name| format!("{name} = x\n")).collect();
    let module = "module = \"permits\"\nversion = \"1\"\nlaw = \"法\"\n\
                  names = { \"zh-CN\" = \"x\", en = \"x\" }\n\
                  [role.clerk]\nscope = \"office\"\n[role.chief]\nscope = \"office\"\n";
    let files = [
        ("module.toml", module),
        ("cases/permit.toml", case),
        ("forms/apply.json", &apply),
        ("forms/grant.json", grant),
        ("texts/zh-CN.ftl", &words),
        ("texts/en.ftl", &words),
    ];
    Folder::of(files).expect("a folder")
}

/// An agency with two counties.
struct Counties {
    desk: Arc<Office>,
    li: Credential,
}

async fn hand(
    desk: &Office,
    by: &Credential,
    header: &DocumentHeader,
    part: &[u8],
) -> Result<Applied, NodeError> {
    let taken = hand_in(desk, by, &signed(header, by), part).await;
    Ok(taken.map_err(|refused| refused.error)?.accepted.applied.expect("it was decided"))
}

fn form(fields: &[(&str, &str)]) -> Form {
    fields.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect()
}

impl Counties {
    async fn new(domain: &Domain) -> Self {
        let desk = office(domain, A, |config| {
            config.access.appointer = Some("li@a.gov.cn".into());
            let clerks = ["*@a.gov.cn", "unix:bo", "unix:guest", "token:bo", "token:site"];
            let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            config.access.roles = BTreeMap::from([
                ("clerk".to_owned(), names(&clerks)),
                ("operator".to_owned(), names(&["unix:node", "unix:bo"])),
                ("auditor".to_owned(), names(&["token:audit"])),
            ]);
            let bo = || "bo@a.gov.cn".parse().expect("a name");
            config.access.users = BTreeMap::from([("bo".to_owned(), bo())]);
            let token = |name: &str, officer| TokenSettings {
                name: name.to_owned(),
                digest: Digest::of(name.as_bytes()),
                officer,
            };
            config.api.tokens =
                vec![token("bo", Some(bo())), token("site", None), token("audit", None)];
        });
        let li = domain.officer("li@a.gov.cn");
        let counties = Self { desk, li };
        counties.appoint("li", "appointer", "office", "").await;
        counties.appoint("li", "module-keeper", "office", "").await;
        let bytes = folder().encode();
        let digest = Module::read(&folder()).expect("a module").digest().to_string();
        let mut install = filed("office", "install", "install", None, form(&[("digest", &digest)]));
        install.parts = vec![Part {
            name: "module.cbor".into(),
            media_type: MEDIA_TYPE.into(),
            size: bytes.len() as u64,
            digest: Digest::of(&bytes),
        }];
        hand(&counties.desk, &counties.li, &install, &bytes).await.expect("is installed");
        counties.appoint("an", "clerk", "permits", "xihu").await;
        counties.appoint("xu", "chief", "permits", "xihu").await;
        counties.appoint("bo", "clerk", "permits", "gongshu").await;
        counties
    }

    async fn office_act(&self, act: &str, who: &str, role: &str, of: &str, office: &str) {
        let who = format!("{who}@{A}");
        let mut fields = vec![("officer", who.as_str()), ("role", role), ("of", of)];
        if !office.is_empty() {
            fields.push(("office", office));
        }
        let header = filed("office", act, act, None, form(&fields));
        hand(&self.desk, &self.li, &header, &[]).await.expect("is appointed or dismissed");
    }

    async fn appoint(&self, who: &str, role: &str, of: &str, office: &str) {
        self.office_act("appoint", who, role, of, office).await;
    }

    async fn apply(&self, by: &Credential, county: &str) -> String {
        let fields = form(&[("county", county), ("bidder", "西泠有限公司")]);
        let header = filed("permits", "apply", "permit/apply", None, fields);
        hand(&self.desk, by, &header, &[]).await.expect("is opened").thing
    }

    fn list(&self, caller: &Caller, question: Question) -> Result<Vec<MatterView>, NodeError> {
        let question = Question { limit: 100, ..question };
        in_place(|here| matters::matters(here, &self.desk, caller, &question))
    }

    /// What somebody finds of a matter, door by door.
    fn found(&self, caller: &Caller, id: &str) -> BTreeMap<&'static str, bool> {
        let tasks = || Question { tasks: true, ..Question::default() };
        let lists = [
            ("list", Question::default()),
            (
                "list of a module",
                Question { module: Some("permits".into()), ..Question::default() },
            ),
            ("list of a state", Question { state: Some("applied".into()), ..Question::default() }),
            ("tasks", tasks()),
            ("tasks of another", Question { of: Some("an@a.gov.cn".into()), ..tasks() }),
        ];
        let has = |views: Vec<MatterView>| views.iter().any(|view| view.id == id);
        let mut found: BTreeMap<_, _> =
            lists.map(|(door, question)| (door, self.list(caller, question).is_ok_and(has))).into();
        let desk = &self.desk;
        in_place(|here| {
            let mut door = |name, is| {
                found.insert(name, is);
            };
            door("get", matters::matter(here, desk, caller, id).is_ok());
            door("get by digits", matters::matter(here, desk, caller, &id[..12]).is_ok());
            // The matter is called by the document that opened it.
            let views = |list: Vec<crate::views::DocumentView>| {
                list.iter().any(|view| view.document.is_some_and(|own| own.to_string() == id))
            };
            let page = finding::list(here, desk, caller, false, None, 100);
            door("outbox", page.is_ok_and(|page| views(page.documents)));
            door("search", finding::search(here, desk, caller, "许可一件", 100).is_ok_and(views));
            for (name, action) in [("see", Action::LIST), ("read", Action::READ)] {
                door(name, finding::find(here, desk, caller, id, action).is_ok());
            }
            door("trace", finding::trace(here, desk, caller, id).is_ok());
            door("plan a purge", crate::purge::plan(here, desk, caller, id).is_ok());
        });
        found
    }
}

fn exported(counties: &Counties, caller: &Caller) -> Result<usize, NodeError> {
    let files = std::cell::Cell::new(0);
    let give = |_| {
        files.set(files.get() + 1);
        Ok(())
    };
    in_place(|here| matters::export(here, &counties.desk, caller, &give))?;
    Ok(files.get())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_of_the_county_beside_finds_nothing_at_any_door() {
    let domain = Domain::new(&[(A, None), ("b.gov.cn", None)]);
    let counties = Counties::new(&domain).await;
    let (an, bo) = (domain.officer("an@a.gov.cn"), domain.officer("bo@a.gov.cn"));
    let of_an = counties.apply(&an, "xihu").await;
    let of_bo = counties.apply(&bo, "gongshu").await;
    let all = |found: BTreeMap<&'static str, bool>, is: bool, who: &Caller| {
        for (door, found) in found {
            if door != "tasks of another" {
                assert_eq!(found, is, "{who}: {door}");
            }
        }
    };
    // As himself, as the user of the machine that he is, and by the token that is his.
    for who in [Caller::signer("bo@a.gov.cn"), Caller("unix:bo".into()), Caller::token("bo")] {
        all(counties.found(&who, &of_an), false, &who);
        assert!(!counties.found(&who, &of_an)["tasks of another"], "{who}");
        all(counties.found(&who, &of_bo), true, &who);
        assert_eq!(counties.list(&who, Question::default()).expect("lists").len(), 1);
        exported(&counties, &who).expect_err("not all of it is his");
        let views = in_place(|here| matters::modules(here, &counties.desk, &who)).expect("lists");
        assert!(views.iter().all(|view| view.decisions.is_none() && view.state.is_none()));
        let named = in_place(|here| matters::appointed(here, &counties.desk, &who, "permits"));
        let named: Vec<_> = named.expect("lists").into_iter().map(|one| one.officer).collect();
        assert_eq!(named, ["bo@a.gov.cn"]);
        // What there is not for him, and what there is not, are told alike.
        let get = |id: &str| in_place(|here| matters::matter(here, &counties.desk, &who, id));
        let none = "0".repeat(64);
        let (hidden, none) = (get(&of_an).expect_err("his"), get(&none).expect_err("none"));
        assert_eq!(hidden.code(), none.code());
        assert_eq!(
            hidden.to_string().replace(&of_an, ""),
            none.to_string().replace(&"0".repeat(64), "")
        );
    }
    // His own county's chief, and whoever is let read all.
    let xu = Caller::signer("xu@a.gov.cn");
    let found = counties.found(&xu, &of_an);
    assert!(found["list"] && found["get"] && found["tasks"] && found["tasks of another"]);
    all(counties.found(&xu, &of_bo), false, &xu);
    for who in [Caller("unix:node".into()), Caller::token("audit")] {
        assert_eq!(counties.list(&who, Question::default()).expect("lists").len(), 2, "{who}");
        assert!(exported(&counties, &who).expect("all of it") > 1, "{who}");
    }
    // Nobody knows which officer these are: they read what is for all.
    for who in [Caller("unix:guest".into()), Caller::token("site")] {
        for id in [&of_an, &of_bo] {
            all(counties.found(&who, id), false, &who);
        }
    }
    // And whoever may read nothing is told so.
    let who = Caller::token("other");
    let refused = counties.list(&who, Question::default()).expect_err("not permitted");
    assert_eq!(refused.code(), "CHY-4018");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_dismissed_finds_nothing_afterwards() {
    let domain = Domain::new(&[(A, None), ("b.gov.cn", None)]);
    let counties = Counties::new(&domain).await;
    let an = domain.officer("an@a.gov.cn");
    let id = counties.apply(&an, "xihu").await;
    let caller = Caller::signer("an@a.gov.cn");
    assert_eq!(counties.list(&caller, Question::default()).expect("lists").len(), 1);
    counties.office_act("dismiss", "an", "clerk", "permits", "xihu").await;
    assert!(counties.list(&caller, Question::default()).expect("lists").is_empty());
    let found = counties.found(&caller, &id);
    assert!(!found["get"] && !found["tasks"], "{found:?}");
    // What he has signed himself he has anyway.
    assert!(found["read"], "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_by_acting_that_there_is_what_he_may_not_read() {
    let domain = Domain::new(&[(A, None), ("b.gov.cn", None)]);
    let counties = Counties::new(&domain).await;
    let (an, bo) = (domain.officer("an@a.gov.cn"), domain.officer("bo@a.gov.cn"));
    let id = counties.apply(&an, "xihu").await;
    let grant = |id: &str| filed("permits", "grant", "permit/grant", Some(id), Form::new());
    let mut said = Vec::new();
    for id in [id.as_str(), &"0".repeat(64)] {
        for seen in [None, Some(7)] {
            let mut header = grant(id);
            header.filing.as_mut().expect("it is filed").seen = seen;
            let refused = hand(&counties.desk, &bo, &header, &[]).await.expect_err("not his");
            said.push((refused.code(), refused.to_string()));
        }
    }
    assert!(said.windows(2).all(|two| two[0] == two[1]), "{said:?}");
    hand(&counties.desk, &an, &grant(&id), &[]).await.expect("his own");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_is_left_out_of_what_is_shown() {
    let domain = Domain::new(&[(A, None), ("b.gov.cn", None)]);
    let counties = Counties::new(&domain).await;
    let an = domain.officer("an@a.gov.cn");
    let id = counties.apply(&an, "xihu").await;
    let view = |who: &str| {
        let all = counties.list(&Caller::signer(format!("{who}@{A}")), Question::default());
        all.expect("lists").remove(0)
    };
    assert!(view("an").set.contains_key("bidder"), "by whose acts it is there");
    let masked = view("xu");
    assert!(!format!("{masked:?}").contains("西泠") && !masked.set.contains_key("bidder"));
    assert!(masked.done.iter().all(|done| done.document.is_none()));
    let read = |who: &str| {
        let caller = Caller::signer(format!("{who}@{A}"));
        in_place(|here| finding::find(here, &counties.desk, &caller, &id, Action::READ)).is_ok()
    };
    assert!(read("an") && !read("xu"), "its document says it");
    let grant = filed("permits", "grant", "permit/grant", Some(&id), Form::new());
    hand(&counties.desk, &an, &grant, &[]).await.expect("is granted");
    assert!(view("xu").set.contains_key("bidder") && read("xu"));
}
