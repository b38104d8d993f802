//! The HTTP interface, as an agency's own systems use it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use chancery_crypto::Commitment;
use chancery_ledger::unix_now;
use chancery_protocol::{DocumentHeader, DocumentId, sign_document};
use chancery_tests::{
    World, free_address, noise,
    peer::{document, officer_of},
    tool,
};
use serde_json::Value;
use ureq::{
    Agent,
    http::Response,
    tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig},
};

/// A system that comes in by HTTP.
struct System {
    base: String,
    token: Option<String>,
    agent: Agent,
}

fn agent(tls: TlsConfig) -> Agent {
    Agent::config_builder().http_status_as_error(false).tls_config(tls).build().into()
}

impl System {
    fn plain(address: SocketAddr, token: Option<&str>) -> Self {
        let token = token.map(str::to_owned);
        let agent = agent(TlsConfig::default());
        Self { base: format!("http://{address}"), token, agent }
    }

    fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response<ureq::Body> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.call().unwrap()
    }

    fn get(&self, path: &str) -> Response<ureq::Body> {
        self.get_with(path, &[])
    }

    #[track_caller]
    fn json(&self, path: &str) -> Value {
        let mut response = self.get(path);
        assert_eq!(response.status(), 200, "{path}: {:?}", response.body_mut().read_to_string());
        serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap()
    }

    #[track_caller]
    fn refused(&self, path: &str, status: u16, code: &str) -> Value {
        problem(self.get(path), status, code)
    }

    /// Submits a signed document in a folder, with a key.
    fn submit(&self, folder: &Path, key: Option<&str>) -> Response<ureq::Body> {
        let mut body = Vec::new();
        let mut field = |name: &str, bytes: &[u8]| {
            let head = format!(
                "--limit\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        };
        field("document", &std::fs::read(folder.join("document.cose")).unwrap());
        let mut parts: Vec<_> = std::fs::read_dir(folder.join("parts")).unwrap().collect();
        parts.sort_by_key(|part| part.as_ref().unwrap().file_name());
        for part in parts {
            field("part", &std::fs::read(part.unwrap().path()).unwrap());
        }
        body.extend_from_slice(b"--limit--\r\n");
        let mut request = self.agent.post(format!("{}/v1/documents", self.base));
        request = request.header("Content-Type", "multipart/form-data; boundary=limit");
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        request.send(&body).unwrap()
    }
}

#[track_caller]
fn problem(mut response: Response<ureq::Body>, status: u16, code: &str) -> Value {
    let text = response.body_mut().read_to_string().unwrap();
    assert_eq!(response.status(), status, "{text}");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["code"], code, "{text}");
    assert_eq!(problem["status"], status);
    for member in ["type", "title", "detail", "remedy"] {
        assert!(!problem[member].as_str().unwrap().is_empty(), "{text}");
    }
    problem
}

#[track_caller]
fn body(mut response: Response<ureq::Body>) -> Vec<u8> {
    assert!(response.status().is_success(), "{response:?}");
    let mut out = Vec::new();
    response.body_mut().as_reader().read_to_end(&mut out).unwrap();
    out
}

/// Opens a node's interface: `erp` is a clerk, `watchman` an auditor, `nobody` in no role.
fn open(world: &mut World, agency: &str, plain: bool) -> (SocketAddr, [String; 3]) {
    let address = free_address();
    let mut tokens = Vec::new();
    let names = ["erp", "watchman", "nobody"];
    let settings = names.map(|name| {
        let made = world.run(&format!("--json node token {name}")).ok().json();
        tokens.push(made["token"].as_str().unwrap().to_owned());
        format!("{{ name = '{name}', digest = {} }}", made["digest"])
    });
    world.set(agency, "api.listen", &address.to_string());
    world.set(agency, "api.plain", if plain { "true" } else { "false" });
    world.set(agency, "api.tokens", &format!("[{}]", settings.join(", ")));
    let clerks = format!("['unix:*', '*@{agency}.zj.gov.cn', 'token:erp']");
    world.set(agency, "access.roles.clerk", &clerks);
    world.set(agency, "access.roles.auditor", "['token:watchman']");
    (address, tokens.try_into().unwrap())
}

/// Signs a document of `a` to `b`, in a folder.
fn signed(world: &World, files: &str, title: &str, out: &str) {
    world
        .run(&format!(
            "doc sign {files} --to b.zj.gov.cn --type 通知 --title {title} --out {out} --key \
             certs-a/clerk.key --cert certs-a/clerk.pem"
        ))
        .ok();
}

#[test]
fn systems_send_and_fetch_what_their_roles_permit_and_a_request_is_done_once() {
    let mut world = World::new();
    let (at_a, [erp, watchman, nobody]) = open(&mut world, "a", true);
    let (at_b, [erp_b, watchman_b, _]) = open(&mut world, "b", true);
    world.start("a");
    world.start("b");
    let large = noise(5_000_000, 9);
    world.write("a.txt", b"the text");
    world.write("b.bin", &large);
    signed(&world, "a.txt b.bin", "first", "first");
    signed(&world, "a.txt", "second", "second");
    let system = System::plain(at_a, Some(&erp));

    let sent = system.submit(&world.path("first"), Some("key-1"));
    assert_eq!(sent.status(), 201);
    let place = sent.headers()["location"].to_str().unwrap().to_owned();
    let sent: Value = serde_json::from_slice(&body(sent)).unwrap();
    let id = sent["document"].as_str().unwrap().to_owned();
    assert_eq!(place, format!("/v1/documents/{id}"));
    let again = system.submit(&world.path("first"), Some("key-1"));
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    let again: Value = serde_json::from_slice(&body(again)).unwrap();
    assert_eq!(again, sent, "it was done once");
    problem(system.submit(&world.path("second"), Some("key-1")), 422, "CHY-4021");
    world.kill("a");
    world.start("a");
    let again: Value =
        serde_json::from_slice(&body(system.submit(&world.path("first"), Some("key-1")))).unwrap();
    assert_eq!(again, sent, "a restart forgets nothing");
    assert_eq!(system.json("/v1/outbox").as_array().unwrap().len(), 1);

    // The other agency's system sees it, fetches it, and verifies it offline.
    let other = System::plain(at_b, Some(&erp_b));
    world.wait("it arrives", 20, |_| other.json("/v1/inbox").as_array().unwrap().len() == 1);
    let shown = other.json(&format!("/v1/documents/{}", &id[..12]));
    assert_eq!(shown["title"], "first");
    assert_eq!(other.json("/v1/search?text=FIR")[0]["document"], id.as_str());
    let part = other.get(&format!("/v1/documents/{id}/parts/b.bin"));
    assert_eq!(part.headers()["content-length"], "5000000");
    let disposition = part.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert_eq!(disposition, "attachment; filename*=UTF-8''b.bin");
    assert_eq!(body(part), large);
    std::fs::create_dir_all(world.path("fetched/parts")).unwrap();
    std::fs::create_dir_all(world.path("fetched/evidence")).unwrap();
    let cose = body(other.get(&format!("/v1/documents/{id}/document")));
    world.write("fetched/document.cose", &cose);
    world.write("fetched/parts/b.bin", &large);
    let text = body(other.get(&format!("/v1/documents/{id}/parts/a.txt")));
    world.write("fetched/parts/a.txt", &text);
    let evidence = other.json(&format!("/v1/documents/{id}/evidence"));
    for item in evidence.as_array().unwrap() {
        let file = item["file"].as_str().unwrap();
        let bytes = body(other.get(&format!("/v1/documents/{id}/evidence/{file}")));
        world.write(&format!("fetched/evidence/{file}"), &bytes);
    }
    assert!(!evidence.as_array().unwrap().is_empty());
    world.run("verify fetched --anchor root/ca.pem").ok();
    let trace = other.json(&format!("/v1/documents/{id}/trace"));
    let events: Vec<_> =
        trace["steps"].as_array().unwrap().iter().map(|s| s["event"].as_str().unwrap()).collect();
    assert!(events.contains(&"ContentHandover"), "fetching is recorded: {events:?}");

    // What the roles do not permit names its rule; who is not known is told how to come in.
    let auditor = System::plain(at_b, Some(&watchman_b));
    assert!(auditor.json("/v1/ledger/checkpoint")["size"].as_u64().unwrap() > 0);
    let why = auditor.refused(&format!("/v1/documents/{id}/parts/a.txt"), 403, "CHY-4018");
    assert!(why["detail"].as_str().unwrap().contains("token:watchman (roles: auditor)"), "{why}");
    let nobody = System::plain(at_a, Some(&nobody));
    for path in ["/v1/status", "/v1/ledger/checkpoint", "/v1/events"] {
        nobody.refused(path, 403, "CHY-4018");
    }
    for path in ["/v1/inbox", "/v1/outbox", "/v1/search?text=a"] {
        nobody.refused(path, 403, "CHY-4018");
    }
    for token in [None, Some("guess"), Some("")] {
        let stranger = System::plain(at_a, token);
        let refused = stranger.get("/v1/inbox");
        assert_eq!(refused.headers()["www-authenticate"], "Bearer realm=\"chancery\"");
        problem(refused, 401, "CHY-4023");
    }
    drop(watchman);

    // Mistakes.
    system.refused("/v1/documents/ffff", 404, "CHY-4011");
    system.refused("/v1/documents/zz", 404, "CHY-4011");
    system.refused("/v1/inbox?limit=0", 400, "CHY-4022");
    system.refused("/v1/inbox?limit=x", 400, "CHY-4022");
    system.refused("/v1/inbox?colour=red", 400, "CHY-4022");
    system.refused("/v1/nothing", 404, "CHY-4022");
    system.refused(&format!("/v1/documents/{id}/parts/none"), 404, "CHY-4011");
    let long = "k".repeat(300);
    problem(system.submit(&world.path("second"), Some(&long)), 400, "CHY-4022");
    // A part that is not what was signed, one too short, one too many: nothing is taken in.
    std::fs::write(world.path("second/parts/a.txt"), b"the TEXT").unwrap();
    problem(system.submit(&world.path("second"), None), 400, "CHY-3003");
    std::fs::write(world.path("second/parts/a.txt"), b"the").unwrap();
    problem(system.submit(&world.path("second"), None), 400, "CHY-4022");
    std::fs::write(world.path("second/parts/a.txt"), b"the text and more").unwrap();
    problem(system.submit(&world.path("second"), None), 400, "CHY-4022");
    assert_eq!(system.json("/v1/outbox").as_array().unwrap().len(), 1);
}

#[test]
fn a_refused_submission_is_recorded_once_and_its_trace_says_why() {
    let mut world = World::new();
    let (address, [erp, watchman, nobody]) = open(&mut world, "a", true);
    world.start("a");
    world.write("n.txt", b"text");
    let sign = |to: &str, from: &str, out: &str| {
        let words = format!(
            "doc sign n.txt --to {to}.zj.gov.cn --type 通知 --title {out} --out {out} --key \
             certs-{from}/clerk.key --cert certs-{from}/clerk.pem"
        );
        world.run(&words).ok();
        let shown = world.run(&format!("--json doc show {out}")).ok().json();
        shown["document"].as_str().unwrap().to_owned()
    };
    let system = System::plain(address, Some(&erp));
    let refused = || -> Vec<Value> {
        let page = system.json("/v1/ledger/entries?limit=1000");
        let entries = page["entries"].as_array().unwrap().iter();
        entries.filter(|entry| entry["event"] == "SubmissionRejection").cloned().collect()
    };
    let id = sign("nowhere", "a", "stray");
    for _ in 0..3 {
        problem(system.submit(&world.path("stray"), Some("key")), 422, "CHY-4008");
    }
    assert_eq!(refused().len(), 1, "the same refusal is one entry");
    assert_eq!(refused()[0]["counterpart"], "a.zj.gov.cn");
    let trace = system.json(&format!("/v1/documents/{id}/trace"));
    assert_eq!(trace["document"]["document"], id.as_str());
    let steps = trace["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert_eq!(steps[0]["event"], "SubmissionRejection");
    assert_eq!(steps[0]["note"], "CHY-4008");
    assert_eq!(steps[0]["entry"], refused()[0]["entry"]);
    // It is for those who may read the ledger, and no other document is found by it.
    System::plain(address, Some(&watchman)).json(&format!("/v1/documents/{id}/trace"));
    let nobody = System::plain(address, Some(&nobody));
    nobody.refused(&format!("/v1/documents/{id}/trace"), 403, "CHY-4018");
    system.refused(&format!("/v1/documents/{id}"), 404, "CHY-4011");

    // What no officer of this agency signed is no submission; what is damaged is none either.
    sign("a", "b", "theirs");
    problem(system.submit(&world.path("theirs"), None), 422, "CHY-4010");
    sign("b", "a", "damaged");
    std::fs::write(world.path("damaged/parts/n.txt"), b"TEXT").unwrap();
    problem(system.submit(&world.path("damaged"), None), 400, "CHY-3003");
    assert_eq!(refused().len(), 1);

    // Accepted later, its journey has both.
    world.add_agency("nowhere", "p256");
    world.publish(2, &["a", "b", "nowhere"]);
    world.clerk("a", "directory install directory-2.cose").ok();
    assert_eq!(system.submit(&world.path("stray"), Some("key")).status(), 201);
    let trace = system.json(&format!("/v1/documents/{id}/trace"));
    let events: Vec<_> = trace["steps"].as_array().unwrap().iter().map(|s| &s["event"]).collect();
    assert!(events.contains(&&Value::from("SubmissionRejection")), "{events:?}");
    assert!(events.contains(&&Value::from("SubmissionAcceptance")), "{events:?}");
    world.export("a", "out");
    world.run("audit out --anchor root/ca.pem").ok();
}

#[test]
fn a_long_list_is_read_page_by_page_while_it_grows() {
    let mut world = World::new();
    let (address, [erp, ..]) = open(&mut world, "a", true);
    world.start("a");
    world.write("n.txt", b"text");
    let mut sent: Vec<_> =
        (0..7).map(|n| world.send("a", "b", "n.txt", &n.to_string(), &[])).collect();
    sent.reverse();
    let system = System::plain(address, Some(&erp));
    let (mut path, mut seen) = ("/v1/outbox?limit=3".to_owned(), Vec::new());
    loop {
        let mut page = system.get(&path);
        let documents: Vec<Value> =
            serde_json::from_str(&page.body_mut().read_to_string().unwrap()).unwrap();
        seen.extend(documents.iter().map(|d| d["document"].as_str().unwrap().to_owned()));
        // What comes meanwhile moves nothing.
        world.send("a", "b", "n.txt", "later", &[]);
        let Some(link) = page.headers().get("link") else { break };
        let link = link.to_str().unwrap();
        let next = link.strip_prefix('<').unwrap().split_once('>').unwrap();
        assert_eq!(next.1, "; rel=\"next\"");
        path = next.0.to_owned();
    }
    assert_eq!(seen, sent);
    // An envelope that is not in the list is no place to go on from.
    let envelope = "0".repeat(64);
    system.refused(&format!("/v1/outbox?before={envelope}"), 404, "CHY-4011");
    let own = system.json("/v1/outbox?limit=1")[0]["envelope"].as_str().unwrap().to_owned();
    system.refused(&format!("/v1/inbox?before={own}"), 404, "CHY-4011");
    system.refused("/v1/outbox?before=x", 400, "CHY-4022");
}

/// A document of an officer of an agency without parts, as it is submitted, in a folder of its own.
fn folder(world: &World, name: &str, from: &str, header: &DocumentHeader) -> PathBuf {
    let officer = officer_of(world, from);
    let document = sign_document(header, &officer, Commitment::Approval, unix_now()).unwrap();
    let folder = world.path(name);
    std::fs::create_dir_all(folder.join("parts")).unwrap();
    std::fs::write(folder.join("document.cose"), document.bytes()).unwrap();
    folder
}

#[test]
fn of_what_comes_at_once_under_one_key_one_thing_is_done_and_the_same_is_answered_the_same() {
    let mut world = World::new();
    let (address, [erp, ..]) = open(&mut world, "b", true);
    world.write("n.txt", b"text");
    world.start("a");
    world.start("b");
    let receipt = || {
        let id = world.send("a", "b", "n.txt", "to receive", &["--wait", "20"]);
        let on = DocumentId::from_slice(&hex::decode(id).unwrap());
        let header = document("b", "a", "签收", &[]);
        DocumentHeader { kind: "签收".into(), in_reply_to: on, ..header }
    };
    let plain = || document("b", "a", "plain", &[]);
    let system = || System::plain(address, Some(&erp));
    let at_once = |key: &str, folders: &[PathBuf]| -> Vec<(u16, Value)> {
        let gate = std::sync::Barrier::new(folders.len());
        std::thread::scope(|scope| {
            let all: Vec<_> = folders
                .iter()
                .map(|folder| {
                    let (system, gate) = (system(), &gate);
                    scope.spawn(move || {
                        gate.wait();
                        let mut answer = system.submit(folder, Some(key));
                        let text = answer.body_mut().read_to_string().unwrap();
                        (answer.status().as_u16(), serde_json::from_str(&text).unwrap())
                    })
                })
                .collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        })
    };
    let outbox = || system().json("/v1/outbox?limit=1000").as_array().unwrap().len();
    let mut expected = 0;
    for n in 0..8 {
        for (kind, first, second) in [
            ("two acts", receipt(), receipt()),
            ("an act and another document", receipt(), plain()),
            ("two documents", plain(), plain()),
        ] {
            let folders = [(1, first), (2, second)].map(|(place, header)| {
                folder(&world, &format!("{n}-{place}-{kind}"), "b", &header)
            });
            let key = format!("{kind} {n}");
            let answers = at_once(&key, &folders);
            expected += 1;
            assert_eq!(outbox(), expected, "{kind}: {answers:?}");
            let mut states: Vec<_> = answers.iter().map(|(status, _)| *status).collect();
            states.sort_unstable();
            assert_eq!(states, [201, 422], "{kind}: {answers:?}");
            let refused = answers.iter().find(|(status, _)| *status == 422).unwrap();
            assert_eq!(refused.1["code"], "CHY-4021", "{kind}");
            // What was done is told again, and what was not stays refused.
            for (folder, (status, said)) in folders.iter().zip(&answers) {
                let mut again = system().submit(folder, Some(&key));
                let text = again.body_mut().read_to_string().unwrap();
                let again_said: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(again.status().as_u16(), *status);
                assert_eq!(again_said["envelope"], said["envelope"]);
            }
        }
        for (kind, header) in [("the same act", receipt()), ("the same document", plain())] {
            let one = folder(&world, &format!("{n}-{kind}"), "b", &header);
            let answers = at_once(&format!("{kind} {n}"), &[one.clone(), one.clone(), one]);
            expected += 1;
            assert_eq!(outbox(), expected, "{kind}: {answers:?}");
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
            assert_eq!(answers[0].0, 201, "{answers:?}");
        }
    }
}

/// Reads so many events of a stream: the id, name and data of each.
fn events(response: Response<ureq::Body>, count: usize) -> Vec<(u64, String, Value)> {
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let reader = BufReader::new(response.into_body().into_reader());
    let (mut out, mut id, mut name) = (Vec::new(), 0, String::new());
    for line in reader.lines() {
        let line = line.unwrap();
        match line.split_once(": ") {
            Some(("id", value)) => id = value.parse().unwrap(),
            Some(("event", value)) => name = value.to_owned(),
            Some(("data", value)) => {
                out.push((id, name.clone(), serde_json::from_str(value).unwrap()));
            }
            _ => {}
        }
        if out.len() == count {
            break;
        }
    }
    out
}

#[test]
fn events_resume_where_they_were_left_and_none_is_missed_or_told_twice() {
    let mut world = World::new();
    let (address, [erp, ..]) = open(&mut world, "b", true);
    world.write("n.txt", b"text");
    world.start("a");
    world.start("b");
    let system = System::plain(address, Some(&erp));
    let id = world.send("a", "b", "n.txt", "one", &["--wait", "20"]);
    let first = events(system.get("/v1/events?from=0"), 1);
    assert_eq!(first[0].1, "ContentConsignment");
    assert_eq!(first[0].2["document"], id.as_str());
    assert_eq!(first[0].2["counterpart"], "a.zj.gov.cn");
    for n in 0..5 {
        world.send("a", "b", "n.txt", &format!("more {n}"), &["--wait", "20"]);
    }
    world.kill("b");
    world.start("b");
    let last = first[0].0.to_string();
    let rest = events(system.get_with("/v1/events", &[("Last-Event-ID", &last)]), 5);
    let ids: Vec<_> = rest.iter().map(|event| event.0).collect();
    assert_eq!(ids, (first[0].0 + 1..=first[0].0 + 5).collect::<Vec<_>>());
    // Whoever names no place hears what happens from now on.
    let live = system.get("/v1/events");
    let id = world.send("a", "b", "n.txt", "live", &[]);
    assert_eq!(events(live, 1)[0].2["document"], id.as_str());
    let bad = system.get_with("/v1/events", &[("Last-Event-ID", "yesterday")]);
    problem(bad, 400, "CHY-4022");
}

fn certs(world: &World, file: &str) -> Vec<Certificate<'static>> {
    let pem = std::fs::read(world.path(file)).unwrap();
    ureq::tls::parse_pem(&pem)
        .filter_map(|item| match item.unwrap() {
            ureq::tls::PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect()
}

#[test]
fn officers_come_in_over_tls_with_their_certificates() {
    let mut world = World::new();
    let (address, [erp, ..]) = open(&mut world, "b", false);
    world.set("b", "api.officer_certificates", "true");
    world.write("n.txt", b"text");
    world.start("a");
    world.start("b");
    world.send("a", "b", "n.txt", "one", &["--wait", "20"]);
    let with = |identity: Option<(&str, &str)>, root: &str| {
        let mut tls =
            TlsConfig::builder().root_certs(RootCerts::new_with_certs(&certs(&world, root)));
        if let Some((cert, key)) = identity {
            let key = PrivateKey::from_pem(&std::fs::read(world.path(key)).unwrap()).unwrap();
            let chain = certs(&world, cert);
            tls = tls.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
        }
        // The name is that of the agency; the address is this machine's.
        let config = Agent::config_builder().http_status_as_error(false).tls_config(tls.build());
        let resolver = Loopback(address);
        let agent = Agent::with_parts(
            config.build(),
            ureq::unversioned::transport::DefaultConnector::default(),
            resolver,
        );
        let base = format!("https://b.zj.gov.cn:{}", address.port());
        System { base, token: None, agent }
    };
    let officer = with(Some(("certs-b/clerk.pem", "certs-b/clerk.key")), "root/ca.pem");
    assert_eq!(officer.json("/v1/inbox").as_array().unwrap().len(), 1);
    // An officer of another agency is known, and in no role.
    let foreign = with(Some(("certs-a/clerk.pem", "certs-a/clerk.key")), "root/ca.pem");
    let why = foreign.refused("/v1/status", 403, "CHY-4018");
    assert!(why["detail"].as_str().unwrap().contains("clerk@a.zj.gov.cn"), "{why}");
    with(None, "root/ca.pem").refused("/v1/inbox", 401, "CHY-4023");
    let mut token = with(None, "root/ca.pem");
    token.token = Some(erp);
    assert_eq!(token.json("/v1/inbox").as_array().unwrap().len(), 1);
    // An agency's certificate is no officer's; one of another root is nobody's; and the node shows its own.
    world.run("ca init --dir evil --display Evil --no-passphrase").ok();
    world
        .run(
            "ca issue --ca evil --profile officer --name clerk@b.zj.gov.cn --display x --out evil-b \
             --no-passphrase",
        )
        .ok();
    for (system, what) in [
        (with(Some(("certs-a/seal.pem", "certs-a/seal.key")), "root/ca.pem"), "a seal"),
        (with(Some(("evil-b/clerk.pem", "evil-b/clerk.key")), "root/ca.pem"), "another root"),
        (with(None, "evil/ca.pem"), "an impostor in the node's place"),
    ] {
        let answer = system.agent.get(format!("{}/v1/inbox", system.base)).call();
        assert!(answer.is_err(), "{what}: {answer:?}");
    }
}

#[derive(Debug)]
struct Loopback(SocketAddr);

impl ureq::unversioned::resolver::Resolver for Loopback {
    fn resolve(
        &self,
        _: &ureq::http::Uri,
        _: &ureq::config::Config,
        _: ureq::unversioned::transport::NextTimeout,
    ) -> Result<ureq::unversioned::resolver::ResolvedSocketAddrs, ureq::Error> {
        let mut found = self.empty();
        found.push(self.0);
        Ok(found)
    }
}

#[test]
fn the_interface_is_as_its_openapi_document_says_by_schemathesis() {
    let mut world = World::new();
    let (address, [erp, ..]) = open(&mut world, "b", true);
    world.write("n.txt", b"text");
    world.start("a");
    world.start("b");
    world.send("a", "b", "n.txt", "one", &["--wait", "20"]);
    let system = System::plain(address, Some(&erp));
    let described = body(system.get("/v1/openapi.json"));
    let printed = world.run("node openapi").ok().stdout;
    assert_eq!(
        serde_json::from_slice::<Value>(&described).unwrap(),
        serde_json::from_str::<Value>(&printed).unwrap()
    );
    let Some((0, _)) = tool(&world, "python3", "-m venv venv") else { return };
    let program =
        |name: &str| world.path(&format!("venv/bin/{name}")).to_string_lossy().into_owned();
    let pip = "install -q --disable-pip-version-check schemathesis==4.32.5";
    let installed = tool(&world, &program("pip"), pip);
    if installed.as_ref().is_none_or(|(code, _)| *code != 0) {
        eprintln!("skipped: schemathesis cannot be installed here: {installed:?}");
        return;
    }
    // Without the stream that does not end by itself, and without asking that what is well-formed be accepted: no
    // generator makes signatures. The requests are bounded in number and come one by one.
    let line = format!(
        "run http://{address}/v1/openapi.json --exclude-path /v1/events --max-examples 25 --seed 7 \
         --phases examples,coverage,fuzzing --workers 1 --request-timeout 20 --exclude-checks \
         positive_data_acceptance --generation-deterministic --no-color"
    );
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let header = format!("Authorization: Bearer {erp}");
    words.extend(["--header", &header]);
    let output = std::process::Command::new(program("schemathesis"))
        .current_dir(world.dir.path())
        .args(&words)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", world.log("b"));
    assert!(!world.log("b").contains("panicked"), "{}", world.log("b"));
}
