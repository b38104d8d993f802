//! What modules keep is read by whom it concerns: an officer of the county beside tries every door, by command and by HTTP.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::net::SocketAddr;

use chancery_tests::{Answer, World, free_address};
use serde_json::Value;
use ureq::Agent;

const MODULE: &str = r#"
module  = "permits"
version = "1"
names   = { "zh-CN" = "许可", en = "Permits" }
law     = "行政许可法"
[role.clerk]
scope = "office"
"#;

const CASE: &str = r#"
case   = "permit"
title  = "filed.apply.subject"
office = "doc.county"
[state]
applied = {}
granted = { end = true }
[act.apply]
to = "applied"
by = ["clerk"]
[act.grant]
from = ["applied"]
to   = "granted"
by   = ["clerk"]
"#;

const APPLY: &str = r#"{ "type": "object", "additionalProperties": false, "required": ["county", "subject"],
  "properties": { "county": { "type": "string", "maxLength": 40 }, "subject": { "type": "string", "maxLength": 40 } } }"#;

const GRANT: &str = r#"{ "type": "object", "additionalProperties": false, "properties": {} }"#;

const TEXTS: &str = "role-clerk = x\ncase-permit = x\nstate-permit-applied = x\nstate-permit-granted = x\n\
    act-permit-apply = 许可申请\nact-permit-grant = x\nform-apply = x\nform-apply-county = x\nform-apply-subject = x\n\
    form-grant = x\n";

/// The user that runs the tests, who is the nodes' own.
fn own_user() -> String {
    let user = std::process::Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(user.stdout).unwrap().trim().to_owned()
}

/// A node at which two counties work: `an` in xihu, `bo` in gongshu.
struct Counties {
    world: World,
    at: SocketAddr,
    tokens: Vec<String>,
}

impl Counties {
    fn new() -> Self {
        let mut world = World::new();
        let at = free_address();
        let mut tokens = Vec::new();
        let settings = [("bo", Some("bo@a.zj.gov.cn")), ("site", None), ("audit", None)].map(
            |(name, officer)| {
                let made = world.run(&format!("--json node token {name}")).ok().json();
                tokens.push(made["token"].as_str().unwrap().to_owned());
                let officer =
                    officer.map(|name| format!(", officer = '{name}'")).unwrap_or_default();
                format!("{{ name = '{name}', digest = {}{officer} }}", made["digest"])
            },
        );
        world.set("a", "api.listen", &at.to_string());
        world.set("a", "api.plain", "true");
        world.set("a", "api.tokens", &format!("[{}]", settings.join(", ")));
        let clerks = "['unix:*', '*@a.zj.gov.cn', 'token:bo', 'token:site']";
        world.set("a", "access.roles.clerk", clerks);
        world.set("a", "access.roles.auditor", "['token:audit']");
        world.set("a", "access.appointer", "clerk@a.zj.gov.cn");
        for officer in ["an", "bo"] {
            world.issue("officer", &format!("{officer}@a.zj.gov.cn"), "certs-a", "p256");
        }
        for (path, text) in [
            ("module.toml", MODULE),
            ("cases/permit.toml", CASE),
            ("forms/apply.json", APPLY),
            ("forms/grant.json", GRANT),
            ("texts/zh-CN.ftl", TEXTS),
            ("texts/en.ftl", TEXTS),
        ] {
            let path = world.path(&format!("permits/{path}"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        world.start("a");
        for role in ["appointer", "module-keeper"] {
            world.clerk("a", &format!("module appoint clerk@a.zj.gov.cn --role {role}")).ok();
        }
        world.clerk("a", "module install permits").ok();
        // A role of an office is held in one.
        let whole = "module appoint an@a.zj.gov.cn --role clerk --of permits";
        world.clerk("a", whole).refused(4, "CHY-7105");
        for (who, office) in [("an", "xihu"), ("bo", "gongshu")] {
            world.clerk("a", &format!("module appoint {who}@a.zj.gov.cn --role clerk --of permits --office {office}")).ok();
        }
        Self { world, at, tokens }
    }

    fn by(&self, officer: &str, line: &str) -> Answer {
        let (key, cert) = (format!("certs-a/{officer}.key"), format!("certs-a/{officer}.pem"));
        self.world.clerk("a", &format!("{line} --key {key} --cert {cert}"))
    }

    fn apply(&self, officer: &str, county: &str) -> String {
        let line = format!(
            "--json app do permits permit/apply --set county={county} --set subject=许可-{county}"
        );
        self.by(officer, &line).ok().json()["matter"].as_str().unwrap().to_owned()
    }

    /// Asks by HTTP: the status and what is said.
    fn get(&self, token: usize, path: &str) -> (u16, String) {
        let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
        let request = agent.get(format!("http://{}{path}", self.at));
        let token = format!("Bearer {}", self.tokens[token]);
        let mut response = request.header("Authorization", token).call().unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }
}

#[test]
fn an_officer_of_the_county_beside_finds_nothing_by_http_and_by_command() {
    let mut counties = Counties::new();
    let refused =
        counties.by("bo", "app do permits permit/apply --set county=xihu --set subject=x");
    refused.refused(4, "CHY-7103");
    assert!(refused.stderr.contains("xihu"), "{refused:?}");
    let (of_an, of_bo) = (counties.apply("an", "xihu"), counties.apply("bo", "gongshu"));
    let paths = [
        "/v1/apps/permits/matters".to_owned(),
        "/v1/apps/permits/matters?tasks=true".to_owned(),
        "/v1/apps/permits/matters?state=applied".to_owned(),
        "/v1/apps/permits/matters?of=an@a.zj.gov.cn".to_owned(),
        "/v1/apps/permits/matters?of=bo@a.zj.gov.cn".to_owned(),
        "/v1/outbox".to_owned(),
        "/v1/outbox?limit=1".to_owned(),
        "/v1/search?text=%E8%AE%B8%E5%8F%AF".to_owned(),
        "/v1/apps".to_owned(),
    ];
    let traces = |text: &str, id: &str, county: &str| text.contains(id) || text.contains(county);
    for path in &paths {
        let (status, text) = counties.get(0, path);
        assert!(!traces(&text, &of_an, "xihu"), "{path}: {status} {text}");
    }
    let (_, text) = counties.get(0, &paths[0]);
    let listed: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(listed.len(), 1, "{text}");
    assert_eq!(listed[0]["id"], *of_bo);
    for path in ["/v1/matters/", "/v1/documents/"] {
        let (mine, _) = counties.get(0, &format!("{path}{of_bo}"));
        let (theirs, hidden) = counties.get(0, &format!("{path}{of_an}"));
        let (none, missing) = counties.get(0, &format!("{path}{}", "0".repeat(64)));
        assert_eq!((mine, theirs, none), (200, 404, 404), "{path} {hidden}");
        let code = |text: &str| serde_json::from_str::<Value>(text).unwrap()["code"].clone();
        assert_eq!(code(&hidden), code(&missing));
    }
    // The website reads what is for all, which is nothing; the auditor all of it, also how much there is.
    let count = |token: usize| {
        serde_json::from_str::<Vec<Value>>(&counties.get(token, &paths[0]).1).unwrap().len()
    };
    assert_eq!((count(1), count(2)), (0, 2));
    assert!(!counties.get(0, "/v1/apps").1.contains("decisions"));
    assert!(counties.get(2, "/v1/apps").1.contains("decisions"));
    // The node's own user, who is nobody in particular, sees to it all; from now on he is bo.
    let listed = |counties: &Counties, line: &str| {
        counties.world.clerk("a", line).ok().json().as_array().unwrap().len()
    };
    assert_eq!(listed(&counties, "--json app list permits"), 2);
    counties.world.stop("a");
    counties.world.set("a", &format!("access.users.{}", own_user()), "bo@a.zj.gov.cn");
    counties.world.start("a");
    assert_eq!(listed(&counties, "--json app list permits"), 1);
    assert_eq!(listed(&counties, "--json tasks --of an@a.zj.gov.cn"), 0);
    assert_eq!(listed(&counties, "--json module roles --of permits"), 1);
    counties.world.clerk("a", &format!("app show {of_an}")).refused(1, "CHY-4011");
    counties.world.clerk("a", &format!("app show {of_bo}")).ok();
    counties.world.clerk("a", &format!("trace {of_an}")).refused(1, "CHY-4011");
    for line in ["--json outbox --limit 100", "--json search 许可"] {
        let found = counties.world.clerk("a", line).ok();
        assert!(!traces(&found.stdout, &of_an, "xihu"), "{line}: {found:?}");
        assert!(found.stdout.contains(&of_bo), "{line}: {found:?}");
    }
    let exported = counties.world.clerk("a", "module export --out decisions");
    assert!(exported.code != 0 && exported.stderr.contains("CHY-4018"), "{exported:?}");
    assert!(!counties.world.path("decisions").exists());
    // By another's matter he learns nothing, and with his own he goes on.
    counties.by("bo", &format!("app do permits grant --on {of_an}")).refused(1, "CHY-4011");
    counties.by("bo", &format!("app do permits grant --on {of_bo}")).ok();
    // Whoever is dismissed finds nothing afterwards.
    counties
        .world
        .clerk("a", "module dismiss bo@a.zj.gov.cn --role clerk --of permits --office gongshu")
        .ok();
    assert_eq!(listed(&counties, "--json app list permits"), 0);
    counties.world.clerk("a", &format!("app show {of_bo}")).refused(1, "CHY-4011");
    assert_eq!(counties.get(0, &format!("/v1/matters/{of_bo}")).0, 404);
}
