//! What people do with documents: receive, return, withdraw, answer, forward, search, watch.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::process::{Command, Stdio};

use chancery_crypto::Commitment;
use chancery_desk::asking::{LocalReply, LocalRequest};
use chancery_doors::LocalClient;
use chancery_ledger::unix_now;
use chancery_protocol::{DocumentHeader, DocumentId, sign_document};
use chancery_tests::{
    World, binary,
    peer::{document, officer_of},
};
use serde_json::Value;

fn two() -> World {
    let mut world = World::new();
    world.write("n.txt", b"the text");
    world.start("a");
    world.start("b");
    world
}

/// The events of a document's journey, as an agency's node knows it.
fn events(world: &World, agency: &str, id: &str) -> Vec<String> {
    let trace = world.clerk(agency, &format!("--json trace {id}")).ok().json();
    let steps = trace["steps"].as_array().unwrap().iter();
    steps.map(|step| step["event"].as_str().unwrap().to_owned()).collect()
}

fn act_of(world: &World, agency: &str, id: &str) -> Value {
    let list = world.list(agency, "inbox");
    list.iter().find(|v| v["document"] == id).unwrap()["act"].clone()
}

fn answers(world: &World, agency: &str, kind: &str) -> Vec<Value> {
    world.list(agency, "inbox").into_iter().filter(|v| v["kind"] == kind).collect()
}

#[test]
fn a_document_is_received_or_returned_once_and_the_sender_knows() {
    let mut world = two();
    let id = world.send("a", "b", "n.txt", "to receive", &["--wait", "20"]);
    world.clerk("b", &format!("receive {id}")).ok();
    assert_eq!(act_of(&world, "b", &id), "签收");
    let again = world.clerk("b", &format!("receive {id}"));
    again.refused(2, "CHY-4010");
    assert!(again.stderr.contains("签收 took effect"), "{again:?}");
    world.clerk("b", &format!("return {id} --reason late")).refused(2, "CHY-4010");

    let other = world.send("a", "b", "n.txt", "to return", &["--wait", "20"]);
    world.clerk_words("b", &["return", &other, "--reason", " "]).refused(2, "CHY-4010");
    world.clerk_words("b", &["return", &other, "--reason", "a page is missing"]).ok();
    world.clerk("b", &format!("receive {other}")).refused(2, "CHY-4010");
    world.wait("both acts at the sender", 20, |w| w.list("a", "inbox").len() == 2);
    assert!(events(&world, "a", &id).contains(&"签收".to_owned()));
    assert!(events(&world, "a", &other).contains(&"退回".to_owned()));
    // The same as a page: every step with its evidence, and nothing of it can be markup.
    world.clerk_words("a", &["trace", &other, "--html", "journey.html", "--lang", "zh"]).ok();
    let page = std::fs::read_to_string(world.path("journey.html")).unwrap();
    for text in ["受理发送", "送达入库", "退回", "clerk@b.zj.gov.cn", "证据：其账本第"]
    {
        assert!(page.contains(text), "{text}: {page}");
    }
    let odd = world.send("a", "b", "n.txt", "<script>alert(1)</script>", &["--wait", "20"]);
    world.clerk_words("a", &["trace", &odd, "--html", "odd.html"]).ok();
    assert!(!std::fs::read_to_string(world.path("odd.html")).unwrap().contains("<script>"));
    let out = answers(&world, "a", "退回")[0]["document"].as_str().unwrap().to_owned();
    world.clerk("a", &format!("open {out} --out returned")).ok();
    world.run("verify returned --anchor root/ca.pem").ok();
    // What went out cannot be received, what came in cannot be withdrawn.
    world.clerk("a", &format!("receive {id}")).refused(2, "CHY-6009");
    world.clerk_words("b", &["withdraw", &id, "--reason", "x"]).refused(2, "CHY-6009");
    // It holds over a restart.
    world.kill("b");
    world.start("b");
    world.clerk("b", &format!("receive {id}")).refused(2, "CHY-4010");
}

#[test]
fn a_withdrawal_takes_effect_before_the_document_is_received_and_is_refused_after() {
    let mut world = two();
    let early = world.send("a", "b", "n.txt", "withdrawn in time", &["--wait", "20"]);
    let late = world.send("a", "b", "n.txt", "withdrawn too late", &["--wait", "20"]);
    world.clerk("b", &format!("receive {late}")).ok();
    for id in [&early, &late] {
        world.clerk_words("a", &["withdraw", id, "--reason", "wrong number"]).ok();
    }
    world.wait("two answers", 20, |w| answers(w, "a", "撤回答复").len() == 2);
    world.clerk("b", &format!("open {early} --out x")).refused(4, "CHY-4020");
    world.clerk("b", &format!("receive {early}")).refused(4, "CHY-4020");
    world.clerk_words("b", &["return", &early, "--reason", "x"]).refused(4, "CHY-4020");
    assert_eq!(act_of(&world, "b", &early), "撤回");
    assert_eq!(act_of(&world, "b", &late), "签收");
    world.clerk("b", &format!("open {late} --out kept")).ok();

    // The answers are the agency's word, sealed; its ledger says the same.
    let titles: Vec<_> =
        answers(&world, "a", "撤回答复").iter().map(|v| v["title"].to_string()).collect();
    assert!(titles.iter().any(|t| t.contains("已撤回")), "{titles:?}");
    assert!(titles.iter().any(|t| t.contains("撤回被拒")), "{titles:?}");
    let shown = world.clerk("b", "ledger show").ok().stdout;
    for event in ["WithdrawalAcceptance", "WithdrawalRejection"] {
        assert_eq!(shown.matches(event).count(), 1, "{shown}");
    }
    let answer = answers(&world, "a", "撤回答复")[0]["document"].as_str().unwrap().to_owned();
    world.clerk("a", &format!("open {answer} --out answer")).ok();
    world.run("verify answer --anchor root/ca.pem").ok();

    // Before it has even arrived.
    world.stop("b");
    let unseen = world.send("a", "b", "n.txt", "never seen", &[]);
    world.clerk_words("a", &["withdraw", &unseen, "--reason", "wrong"]).ok();
    world.start("b");
    world.wait("the answer", 30, |w| answers(w, "a", "撤回答复").len() == 3);
    world.clerk("b", &format!("receive {unseen}")).refused(4, "CHY-4020");
    for agency in ["a", "b"] {
        world.export(agency, &format!("out-{agency}"));
    }
    world.run("audit out-a out-b --anchor root/ca.pem").ok();
    world.stop("b");
    world.run("audit b/data --anchor root/ca.pem").ok();
}

/// What the node of an agency answers to a document without parts of its clerk.
fn submit(world: &World, agency: &str, header: &DocumentHeader) -> LocalReply {
    let officer = officer_of(world, agency);
    let signed = sign_document(header, &officer, Commitment::Approval, unix_now()).unwrap();
    let mut clerk = LocalClient::connect(&world.path(&format!("{agency}/node.sock"))).unwrap();
    clerk.send(&LocalRequest::Submit { document: signed.bytes().to_vec() }).unwrap();
    match clerk.reply().unwrap() {
        LocalReply::Ready => clerk.reply().unwrap(),
        other => other,
    }
}

#[test]
fn an_act_of_another_module_is_an_ordinary_document_of_that_module() {
    let mut world = two();
    let on = |id: &str| DocumentId::from_slice(&hex::decode(id).unwrap());
    let of = |from: &str, to: &str, kind: &str, module: &str, original: Option<&str>| {
        let mut header = document(from, to, kind, &[]);
        (header.kind, header.module) = (kind.into(), module.into());
        header.in_reply_to = original.and_then(on);
        header.fields.insert("reason".into(), "x".into());
        header
    };
    let taken = |agency: &str, header: &DocumentHeader| {
        let answer = submit(&world, agency, header);
        assert!(matches!(answer, LocalReply::Submitted { .. }), "{answer:?}");
    };
    let refused =
        |agency: &str, header: &DocumentHeader, want: &str| match submit(&world, agency, header) {
            LocalReply::Failed { code, .. } => assert_eq!(code, want),
            other => panic!("{other:?}"),
        };
    let id = world.send("a", "b", "n.txt", "ours", &["--wait", "20"]);
    // A parcel is received, returned, and taken back: none of it is about our document, and no rule of ours refuses it.
    for kind in ["签收", "退回", "撤回答复"] {
        taken("b", &of("b", "a", kind, "logistics", None));
        taken("b", &of("b", "a", kind, "logistics", Some(&id)));
    }
    taken("a", &of("a", "b", "撤回", "logistics", Some(&id)));
    let came = |w: &World, kind: &str| {
        let inbox = w.list("b", "inbox");
        inbox.iter().any(|one| one["kind"] == kind)
    };
    world.wait("it came", 20, |w| came(w, "撤回"));
    // What answers nothing is still refused as an act of our own module.
    refused("b", &of("b", "a", "签收", "official-documents", None), "CHY-4010");
    refused("b", &of("b", "a", "撤回答复", "official-documents", Some(&id)), "CHY-4010");
    assert_eq!(act_of(&world, "b", &id), Value::Null, "nothing took effect");
    world.clerk("b", &format!("receive {id}")).ok();
    assert_eq!(act_of(&world, "b", &id), "签收");
    // In its own module an act takes effect, there and nowhere else.
    taken("a", &of("a", "b", "提单", "logistics", None));
    world.wait("the parcel", 20, |w| came(w, "提单"));
    let inbox = world.list("b", "inbox");
    let parcel = inbox.iter().find(|one| one["kind"] == "提单").unwrap();
    let parcel = parcel["document"].as_str().unwrap().to_owned();
    taken("b", &of("b", "a", "签收", "official-documents", Some(&parcel)));
    assert_eq!(act_of(&world, "b", &parcel), Value::Null);
    taken("b", &of("b", "a", "签收", "logistics", Some(&parcel)));
    assert_eq!(act_of(&world, "b", &parcel), "签收");
    refused("b", &of("b", "a", "退回", "logistics", Some(&parcel)), "CHY-4010");
    let shown = world.clerk("b", "ledger show --limit 1000").ok().stdout;
    assert!(!shown.contains("Withdrawal"), "{shown}");
    world.stop("a");
}

#[test]
fn answers_and_forwarded_documents_carry_what_they_are_about() {
    let mut world = two();
    world.add_agency("c", "p256");
    world.publish(2, &["a", "b", "c"]);
    world.start("c");
    for agency in ["a", "b"] {
        world.clerk(agency, "directory install directory-2.cose").ok();
    }
    world.write("answer.txt", b"the answer");
    let id = world.send("a", "b", "n.txt", "问题", &["--wait", "20"]);
    world.clerk_words("b", &["reply", &id, "answer.txt", "--wait", "20"]).ok();
    let reply = &answers(&world, "a", "函")[0];
    assert_eq!(reply["in_reply_to"], id.as_str());
    assert!(reply["title"].as_str().unwrap().ends_with("问题"), "{reply}");
    assert!(events(&world, "a", &id).contains(&"函".to_owned()));

    let words = ["forward", &id, "answer.txt", "--to", "c.zj.gov.cn", "--wait", "20"];
    world.clerk_words("b", &words).ok();
    let came = world.list("c", "inbox")[0]["document"].as_str().unwrap().to_owned();
    world.clerk("c", &format!("open {came} --out forwarded")).ok();
    world.run("verify forwarded --anchor root/ca.pem").ok();
    // The original verifies at the third agency, which its sender never wrote to.
    let parts = world.path("forwarded/parts");
    std::fs::create_dir_all(world.path("inner/parts")).unwrap();
    std::fs::copy(parts.join("original.cose"), world.path("inner/document.cose")).unwrap();
    std::fs::copy(parts.join("n.txt"), world.path("inner/parts/n.txt")).unwrap();
    let inner = world.run("--json verify inner --anchor root/ca.pem").ok().json();
    assert_eq!(inner["documents"][0]["document"], id.as_str());
    let receipts = inner["documents"][0]["evidence"].as_array().unwrap();
    assert!(!receipts.is_empty(), "the original carries b's receipt: {inner}");
    // Bent, the receipt in it proves nothing. Nobody has signed that it is there, so it harms nothing either.
    let bytes = std::fs::read(world.path("inner/document.cose")).unwrap();
    let place = bytes.windows(14).position(|w| w == b"chancery-entry").unwrap();
    chancery_tests::flip(&world.path("inner/document.cose"), place as u64 + 60);
    let bent = world.run("--json verify inner --anchor root/ca.pem").ok().json();
    let told = bent["documents"][0]["evidence"].as_array().unwrap();
    let fails = |one: &serde_json::Value| one["indication"] != "TOTAL-PASSED";
    assert_eq!(told.iter().filter(|one| fails(one)).count(), 1, "{bent}");
    // Nothing of it stays behind in the temporary folder.
    let left = std::fs::read_dir(std::env::temp_dir()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name().to_string_lossy().into_owned();
        name.starts_with("chancery-") && name.len() == 41
    });
    assert_eq!(left.count(), 0);
}

#[test]
fn documents_are_found_by_what_stands_over_them_and_watched_as_they_come() {
    let mut world = two();
    let watch = Command::new(binary())
        .current_dir(world.dir.path())
        .args(["--json", "watch", "--count", "2", "--socket", "b/node.sock"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It must be watching before anything comes.
    std::thread::sleep(std::time::Duration::from_millis(500));
    world.send("a", "b", "n.txt", "关于做好换届工作的通知", &["--wait", "20"]);
    world.send("a", "b", "n.txt", "Budget 2027", &["--number", "浙司〔2026〕12号", "--wait", "20"]);
    let output = watch.wait_with_output().unwrap();
    assert!(output.status.success());
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["title"], "Budget 2027", "{lines:?}");

    let found = |text: &str| {
        let answer = world.clerk_words("b", &["--json", "search", text]);
        (answer.code, answer.json().as_array().unwrap().len())
    };
    assert_eq!(found("换届"), (0, 1));
    assert_eq!(found("budget"), (0, 1), "upper and lower case are one");
    assert_eq!(found("〔2026〕12号"), (0, 1));
    assert_eq!(found("a.zj.gov.cn"), (0, 2));
    assert_eq!(found("n.txt"), (0, 2));
    assert_eq!(found("nowhere"), (1, 0));
    world.stop("a");
}
