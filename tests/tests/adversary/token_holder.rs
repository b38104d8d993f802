//! Somebody with a valid token: in no role, in a narrow one, or not cleared. What he may not see is not there for him, by
//! whichever door and however he asks.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::SocketAddr,
    time::Instant,
};

use chancery_tests::{World, free_address};
use serde_json::Value;
use ureq::Agent;

use crate::meanwhile::{Doors, all_goes_on, little_memory, worst};

struct Holder {
    agent: Agent,
    base: String,
    token: String,
}

impl Holder {
    /// The status, the `Link` header and the body of an answer.
    fn get(&self, path: &str) -> (u16, Option<String>, String) {
        let encoded = path.bytes().map(|b| match b {
            b if b.is_ascii() => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        });
        let request = self.agent.get(self.base.clone() + &encoded.collect::<String>());
        let request = request.header("Authorization", format!("Bearer {}", self.token));
        let mut answer = request.call().unwrap();
        let link = answer.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        let body = answer.body_mut().read_to_vec().unwrap();
        (answer.status().as_u16(), link, String::from_utf8_lossy(&body).into_owned())
    }

    #[track_caller]
    fn json(&self, path: &str) -> Value {
        let (status, _, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }
}

/// Makes tokens for an agency's interface.
fn holders(world: &mut World, agency: &str, names: &[&str]) -> Vec<Holder> {
    let address: SocketAddr = free_address();
    let mut tokens = Vec::new();
    let made = names.iter().map(|name| {
        let made = world.run(&format!("--json node token {name}")).ok().json();
        tokens.push(format!("{{ name = '{name}', digest = {} }}", made["digest"]));
        let agent = Agent::config_builder().http_status_as_error(false).build().into();
        let token = made["token"].as_str().unwrap().to_owned();
        Holder { agent, base: format!("http://{address}"), token }
    });
    let made = made.collect();
    world.set(agency, "api.listen", &address.to_string());
    world.set(agency, "api.plain", "true");
    world.set(agency, "api.tokens", &format!("[{}]", tokens.join(", ")));
    made
}

/// Two agencies; `a` has sent `b` an ordinary notice, a letter and a secret.
fn world(names: &[&str], more: &[(&str, &str)]) -> (World, Vec<Holder>, [String; 3]) {
    let mut world = World::new();
    world.write("n.txt", b"text");
    world.write("plan.txt", b"text");
    world.set("a", "access.roles.cleared", "['clerk@a.zj.gov.cn']");
    let holders = holders(&mut world, "b", names);
    for (setting, value) in more {
        world.set("b", setting, value);
    }
    world.start("a");
    world.start("b");
    let plain = world.send("a", "b", "n.txt", "名称２０２６", &["--wait", "20"]);
    let letter = world.clerk_words(
        "a",
        &[
            "--json",
            "send",
            "n.txt",
            "--to",
            "b.zj.gov.cn",
            "--type",
            "函",
            "--title",
            "l",
            "--wait",
            "20",
        ],
    );
    let letter = letter.ok().stdout.lines().next().unwrap().to_owned();
    let letter: Value = serde_json::from_str(&letter).unwrap();
    let letter = letter["document"].as_str().unwrap().to_owned();
    let secret = world.send(
        "a",
        "b",
        "plan.txt",
        "凤凰计划",
        &["--classification", "机密★10年", "--number", "浙密1号", "--wait", "20"],
    );
    (world, holders, [plain, letter, secret])
}

#[test]
fn a_token_in_no_role_learns_nothing() {
    let (world, holders, ids) = world(&["nobody"], &[]);
    let nobody = &holders[0];
    let known = &ids[0];
    let unknown = "0123456789abcdef".repeat(4);
    for path in ["/v1/inbox?limit=1", "/v1/outbox", "/v1/search?text=a", "/v1/events", "/v1/status"]
    {
        let (status, link, body) = nobody.get(path);
        assert_eq!((status, link), (403, None), "{path}: {body}");
        assert!(body.contains("CHY-4018"), "{body}");
    }
    for end in ["", "/document", "/parts/n.txt", "/trace", "/evidence", "/evidence/x"] {
        let ask = |id: &str| {
            let (status, link, body) = nobody.get(&format!("/v1/documents/{id}{end}"));
            (status, link, body.replace(id, "ID"))
        };
        let answers = [known.as_str(), &known[..8], &unknown, "ffff"].map(ask);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{end}: {answers:?}");
        assert!(!answers[0].2.contains("b.zj"), "{answers:?}");
        assert_eq!(answers[0].0, 403);
    }
    let before = format!("/v1/inbox?before={unknown}");
    assert_eq!(nobody.get(&before).0, 403);
    drop(world);
}

/// The data of the events from the first entry on, until the newest document has been told of.
fn events(holder: &Holder, newest: &str) -> Vec<Value> {
    let stream = holder.agent.get(format!("{}/v1/events?from=0", holder.base));
    let stream = stream.header("Authorization", format!("Bearer {}", holder.token)).call().unwrap();
    let lines = BufReader::new(stream.into_body().into_reader()).lines();
    let mut all = Vec::new();
    for line in lines.map(Result::unwrap) {
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let data: Value = serde_json::from_str(data).unwrap();
        let over = data["document"] == newest;
        all.push(data);
        if over {
            break;
        }
    }
    all
}

#[test]
fn events_name_nothing_of_documents_that_a_token_may_not_see() {
    let rules = "\n@id(\"letters\") permit (principal == User::\"token:one\", action in \
                 [Action::\"list\", Action::\"read\"], resource) when { resource.kind == \"函\" };\n\
                 @id(\"watchers\") permit (principal == User::\"token:one\", action == \
                 Action::\"watch\", resource);\n";
    let (mut world, holders, [plain, letter, secret]) = world(&["one", "watchman"], &[]);
    let all = world.run("node policies").ok().stdout;
    world.write("b/own.cedar", format!("{all}{rules}").as_bytes());
    world.stop("b");
    world.set("b", "access.policies", "own.cedar");
    world.set("b", "access.roles.auditor", "['token:watchman']");
    world.start("b");
    // The last that comes is one that it may see, so that all others have been passed by.
    let words =
        ["--json", "send", "n.txt", "--to", "b.zj.gov.cn", "--type", "函", "--title", "end"];
    let sent = world.clerk_words("a", &[&words[..], &["--wait", "20"]].concat()).ok().stdout;
    let sent: Value = serde_json::from_str(sent.lines().next().unwrap()).unwrap();
    let last = sent["document"].as_str().unwrap();
    let told = events(&holders[0], last);
    let documents: Vec<_> = told.iter().map(|one| one["document"].as_str().unwrap()).collect();
    assert!(documents.iter().all(|one| [&*letter, last].contains(one)), "{told:#?}");
    assert!(documents.contains(&&*letter));
    let text = serde_json::to_string(&told).unwrap();
    for other in world.list("b", "inbox") {
        let hidden = [&*plain, &*secret].contains(&other["document"].as_str().unwrap());
        let envelope = other["envelope"].as_str().unwrap();
        assert_eq!(!hidden, text.contains(envelope), "{other}");
    }
}

#[test]
fn a_token_for_one_kind_of_document_does_not_learn_that_there_are_others() {
    let rules = "\n@id(\"letters\") permit (principal == User::\"token:one\", action in \
                 [Action::\"list\", Action::\"read\", Action::\"trace\"], resource) when { resource.kind == \"函\" };\n";
    let (mut world, holders, [plain, letter, _]) = world(&["one"], &[]);
    let all = world.run("node policies").ok().stdout;
    world.write("b/own.cedar", format!("{all}{rules}").as_bytes());
    world.stop("b");
    world.set("b", "access.policies", "own.cedar");
    world.start("b");
    let one = &holders[0];
    let (status, link, body) = one.get("/v1/inbox?limit=1");
    let list: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, link, list.as_array().unwrap().len()), (200, None, 1), "{body}");
    assert_eq!(list[0]["document"], letter.as_str());
    let unknown = "0123456789abcdef".repeat(4);
    for end in ["", "/document", "/parts/n.txt", "/trace", "/evidence"] {
        let ask = |id: &str| {
            let (status, _, body) = one.get(&format!("/v1/documents/{id}{end}"));
            (status, body.replace(id, "ID"))
        };
        assert_eq!(ask(&plain), ask(&unknown), "{end}");
        assert_eq!(ask(&plain).0, 404);
    }
    assert_eq!(one.json("/v1/search?text=n.txt").as_array().unwrap().len(), 1);
    let envelope =
        world.list("b", "inbox").into_iter().find(|view| view["document"] == plain.as_str());
    let envelope = envelope.unwrap()["envelope"].as_str().unwrap().to_owned();
    for before in [&envelope, &unknown] {
        assert_eq!(one.get(&format!("/v1/inbox?before={before}")).0, 404);
    }
    assert_eq!(one.get(&format!("/v1/documents/{letter}/document")).0, 200);
}

#[test]
fn who_is_not_cleared_sees_that_there_is_a_secret_and_nothing_of_it() {
    let roles = [
        ("access.roles.clerk", "['unix:*', '*@b.zj.gov.cn', 'token:erp', 'token:chief']"),
        ("access.roles.cleared", "['token:chief']"),
    ];
    let (mut world, holders, [plain, _, secret]) = world(&["erp", "chief"], &roles);
    let [erp, chief] = &holders[..] else { panic!("two tokens") };
    let hidden = ["凤凰", "浙密", "plan.txt", "10年"];
    let shows_nothing = |text: &str, by: &str| {
        for word in hidden {
            assert!(!text.contains(word), "{by} shows {word}: {text}");
        }
    };
    for path in [
        "/v1/inbox",
        &format!("/v1/documents/{secret}"),
        &format!("/v1/documents/{secret}/trace"),
        "/v1/search?text=通知",
    ] {
        let (status, _, body) = erp.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        shows_nothing(&body, path);
        assert!(body.contains("机密"), "{path}: {body}");
        assert!(chief.get(path).2.contains("凤凰计划"), "{path}");
    }
    assert_eq!(erp.json("/v1/search?text=凤凰").as_array().unwrap().len(), 0);
    assert_eq!(erp.json("/v1/search?text=plan").as_array().unwrap().len(), 0);
    assert_eq!(chief.json("/v1/search?text=凤凰").as_array().unwrap().len(), 1);
    // However it is written: full-width digits, a blank between.
    assert_eq!(erp.json("/v1/search?text=名%20称2026").as_array().unwrap().len(), 1);
    for end in ["/document", "/parts/plan.txt"] {
        let (status, _, body) = erp.get(&format!("/v1/documents/{secret}{end}"));
        assert_eq!(status, 403, "{end}: {body}");
        shows_nothing(&body, end);
        assert_eq!(chief.get(&format!("/v1/documents/{secret}{end}")).0, 200);
    }
    assert_eq!(chief.json(&format!("/v1/documents/{secret}"))["classification"], "机密★10年");

    // By the socket it is the same, also for what asks for no parts.
    for line in ["inbox", "--json inbox", "search 通知", &format!("trace {secret}")] {
        shows_nothing(&world.clerk("b", line).ok().stdout, line);
    }
    for line in [
        format!("open {secret} --out x"),
        format!("receive {secret}"),
        format!("forward {secret} --to a.zj.gov.cn"),
    ] {
        let refused = world.clerk("b", &line);
        refused.refused(4, "CHY-4018");
        shows_nothing(&refused.stderr, &line);
    }
    world.clerk("b", &format!("open {plain} --out y")).ok();
    assert!(world.run("node check --config a/node.toml").ok().stdout.contains("unix:*"));

    // Whose account it is, is said once: the officer's clearance is then that of the account.
    world.stop("b");
    world.set("b", "access.roles.cleared", "['clerk@b.zj.gov.cn']");
    world.set("b", "access.users.root", "clerk@b.zj.gov.cn");
    world.start("b");
    world.clerk("b", &format!("receive {secret}")).ok();
    world.clerk("b", &format!("open {secret} --out z")).ok();
    // The receipt repeats the title, and is as secret as what it is about.
    world.wait("the receipt comes", 20, |world| !world.list("a", "inbox").is_empty());
    let receipt = world.list("a", "inbox").remove(0);
    assert_eq!(receipt["masked"], true, "{receipt}");
    shows_nothing(&receipt.to_string(), "the sender's inbox");
}

#[test]
fn a_token_that_takes_all_the_streams_it_can_keeps_nobody_out_nor_itself() {
    let mut world = World::new();
    let (doors, tokens) = Doors::of(&mut world, "b", &["erp", "spy"]);
    world.start("a");
    world.start("b");
    let spy = &tokens[0];
    let ask = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {spy}\r\n\r\n")
    };
    let connect = |first: &str| {
        let mut stream = std::net::TcpStream::connect(doors.interface).unwrap();
        stream.write_all(first.as_bytes()).unwrap();
        stream
    };
    let mut streams: Vec<_> = (0..1030).map(|_| connect(&ask("/v1/events"))).collect();
    // Bodies that never come hold a request of their caller's, and of nobody else's.
    let body = ask("/v1/documents").replace("GET", "POST").replace(
        "\r\n\r\n",
        "\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n\r\n",
    );
    streams.extend((0..300).map(|_| connect(&body)));
    all_goes_on(&world, Instant::now() + worst(), &|| doors.look_up());
    let mut counted = BTreeMap::new();
    for stream in &mut streams {
        stream.set_nonblocking(true).unwrap();
        let mut status = [0; 12];
        let read = stream.read(&mut status).unwrap_or(0);
        *counted.entry(String::from_utf8_lossy(&status[..read]).into_owned()).or_insert(0) += 1;
    }
    assert_eq!(counted["HTTP/1.1 200"], 32, "{counted:?}");
    assert!(counted["HTTP/1.1 429"] > 300, "{counted:?}");
    drop(streams);
    let status = connect(&ask("/v1/status").replace("Host", "Connection: close\r\nHost"));
    let mut answer = String::new();
    std::io::BufReader::new(status).read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    little_memory(&world, "b");
}
