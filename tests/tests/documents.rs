//! Documents without a node: drafts, signatures, levels, containers, and what third-party tools say.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use std::path::Path;

use chancery_certs::{RevocationCheck, TimeStampToken, TrustStore, decode_pem_chain, rfc3339};
use chancery_ledger::unix_now;
use chancery_tests::{Answer, World, copy_dir, flip, noise, tool};
use serde_json::Value;

const NEW: &str = "--to b.zj.gov.cn --type 通知 --title 标题";

fn sign(world: &World, files: &str, more: &str) -> Answer {
    world.clerk("a", &format!("doc sign {files} {NEW} {more}"))
}

/// The verdict on a document: exit code, indication, sub-indication, level.
fn verdict(world: &World, line: &str) -> (i32, String, String, String) {
    let answer = world.run(&format!("--json verify --anchor root/ca.pem {line}"));
    let json = answer.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = &json["documents"][0];
    (answer.code, text(&one["indication"]), text(&one["sub_indication"]), text(&one["level"]))
}

fn passed(level: &str) -> (i32, String, String, String) {
    (0, "TOTAL-PASSED".into(), String::new(), level.into())
}

fn later(days: i64) -> String {
    rfc3339(unix_now() + days * 86_400)
}

fn crls(world: &World, name: &str) -> String {
    world.run(&format!("ca crl --ca root --out root-{name}.crl")).ok();
    world.run(&format!("ca crl --ca zj --out zj-{name}.crl")).ok();
    format!("--crl root-{name}.crl --crl zj-{name}.crl")
}

#[test]
fn a_draft_is_signed_by_several_countersigned_and_shown() {
    let world = World::new();
    world.write("a.txt", b"text");
    world.write("empty.txt", b"");
    let new = format!("--json doc new a.txt empty.txt --from a.zj.gov.cn {NEW} --out draft");
    let id = world.run(&new).ok().json()["document"].as_str().unwrap().to_owned();
    let shown = world.run("--json doc show draft").ok().json();
    assert_eq!(shown["draft"], true);
    // Nobody signs for parts that are others than when the draft was made.
    let original = std::fs::read(world.path("draft/parts/a.txt")).unwrap();
    flip(&world.path("draft/parts/a.txt"), 0);
    world.clerk("a", "doc sign draft").refused(2, "CHY-3003");
    std::fs::write(world.path("draft/parts/a.txt"), original).unwrap();

    let signed = world.clerk("a", "--json doc sign draft").ok().json();
    assert_eq!(signed["document"], id.as_str());
    let seal = "--key certs-a/seal.key --cert certs-a/seal.pem --commitment origin";
    world.run(&format!("doc sign draft {seal}")).ok();
    world.clerk("b", "doc countersign draft --signature 1").ok();
    world.clerk("b", "doc countersign draft --signature 3").refused(2, "CHY-6029");
    let shown = world.run("--json doc show draft").ok().json();
    assert_eq!(shown["signatures"].as_array().unwrap().len(), 2);
    let counter = &shown["signatures"][0]["countersignatures"][0];
    assert_eq!(counter["signer"], "clerk@b.zj.gov.cn");
    assert_eq!(verdict(&world, "draft"), passed("B"));
    // Files need the words of a document, and a place.
    world.clerk("a", "doc sign a.txt --out x").refused(2, "CHY-6031");
    world.clerk("a", &format!("doc sign a.txt {NEW}")).refused(2, "CHY-6027");
}

#[test]
fn one_file_holds_a_document_and_its_parts_and_gives_them_back_whole() {
    let world = World::new();
    let noise = noise(300_000, 7);
    world.write("a.bin", &noise);
    world.write("empty.txt", b"");
    world.write("b.txt", b"text");
    sign(&world, "a.bin empty.txt b.txt", "--attached --out doc.chy").ok();
    world.clerk("b", "doc countersign doc.chy").ok();
    assert_eq!(verdict(&world, "doc.chy"), passed("B"));
    world.run("doc extract doc.chy --out out").ok();
    assert_eq!(std::fs::read(world.path("out/parts/a.bin")).unwrap(), noise);
    assert_eq!(std::fs::read(world.path("out/parts/empty.txt")).unwrap(), b"");
    assert_eq!(verdict(&world, "out"), passed("B"));
    world.run("doc extract doc.chy --out out").refused(2, "CHY-6015");

    let whole = std::fs::read(world.path("doc.chy")).unwrap();
    let damaged = |name: &str, bytes: &[u8], want: (i32, &str)| {
        world.write(name, bytes);
        let (code, _, sub, _) = verdict(&world, name);
        assert_eq!((code, sub.as_str()), want, "{name}");
        assert_ne!(world.run(&format!("doc extract {name} --out no")).code, 0, "{name}");
        let left = std::fs::read_dir(world.dir.path()).unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name().into_string().unwrap();
            name == "no" || name.starts_with(".no")
        });
        assert_eq!(left.count(), 0, "{name} left something behind");
    };
    damaged("cut.chy", &whole[..whole.len() - 2], (5, "SIGNED_DATA_NOT_FOUND"));
    damaged("long.chy", &[&whole[..], b"x"].concat(), (5, "UNSIGNED_CONTENT"));
    let mut altered = whole.clone();
    let at = whole.len() - 100_000;
    altered[at] ^= 1;
    damaged("altered.chy", &altered, (1, "HASH_FAILURE"));
}

#[test]
fn levels_from_b_to_lta_and_what_they_are_good_for() {
    let world = World::new();
    let tsa = world.tsa();
    world.write("a.txt", b"text");
    let lists = crls(&world, "1");
    for name in ["plain", "t", "lt", "lta", "late"] {
        sign(&world, "a.txt", &format!("--out {name}")).ok();
    }
    let url = tsa.url.clone();
    world.run(&format!("doc timestamp t --tsa {url}")).ok();
    world.run(&format!("doc timestamp lt --tsa {url} {lists}")).ok();
    world.run(&format!("doc timestamp lta --tsa {url} {lists} --level lta")).ok();
    for (name, level) in [("plain", "B"), ("t", "T"), ("lt", "LT"), ("lta", "LTA")] {
        assert_eq!(verdict(&world, name), passed(level), "{name}");
    }
    // Long after the lists have run out, with nothing but what is inside.
    let year = format!("--at {}", later(365));
    assert_eq!(verdict(&world, &format!("lt {year}")), passed("LT"));
    assert_eq!(verdict(&world, &format!("lta {year}")), passed("LTA"));
    // And after the clerk's certificate has ended (two years).
    let years = format!("--at {}", later(3 * 365));
    assert_eq!(verdict(&world, &format!("t {years}")), passed("T"));
    assert_eq!(verdict(&world, &format!("lt {years}")), passed("LT"));
    assert_eq!(verdict(&world, &format!("plain {years}")).2, "OUT_OF_BOUNDS_NO_POE");

    // Revoked now: what was time-stamped before still passes, what was not does not.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    world.run("ca revoke --ca zj --reason key-compromise certs-a/clerk.pem").ok();
    let newer = crls(&world, "2");
    assert_eq!(verdict(&world, &format!("t {newer}")), passed("T"));
    assert_eq!(verdict(&world, &format!("lt {newer}")), passed("LT"));
    assert_eq!(verdict(&world, &format!("plain {newer}")).2, "REVOKED_NO_POE");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    world.run(&format!("doc timestamp late --tsa {url}")).ok();
    assert_eq!(verdict(&world, &format!("late {newer}")).2, "REVOKED_NO_POE");
    // Whoever insists on revocation gets no pass without it.
    assert_eq!(verdict(&world, "plain --require-revocation").2, "TRY_LATER");
    // A dead authority changes nothing.
    drop(tsa);
    world.run(&format!("doc timestamp plain --tsa {url}")).refused(3, "CHY-6024");
    world.run("doc timestamp plain").refused(2, "CHY-6025");
    world.run(&format!("doc timestamp plain --tsa {url} --level lt")).refused(2, "CHY-6026");
    assert_eq!(verdict(&world, "plain"), passed("B"));
    let log = std::fs::read_to_string(world.path("tsa/issued.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 5, "{log}");
}

#[test]
fn openssl_takes_our_time_stamps_and_we_take_its() {
    let world = World::new();
    let tsa = world.tsa();
    world.write("a.txt", b"text");
    let Some((0, _)) = tool(&world, "openssl", "ts -query -data a.txt -sha384 -cert -out a.tsq")
    else {
        return;
    };
    let header = "Content-Type:application/timestamp-query";
    let line = format!("-s -H {header} --data-binary @a.tsq -o a.tsr {}", tsa.url);
    let Some((0, _)) = tool(&world, "curl", &line) else { return };
    let verify = |data: &str| {
        tool(&world, "openssl", &format!("ts -verify -data {data} -in a.tsr -CAfile root/ca.pem"))
    };
    let (code, text) = verify("a.txt").unwrap();
    assert!(code == 0 && text.contains("Verification: OK"), "{text}");
    world.write("b.txt", b"other");
    assert_ne!(verify("b.txt").unwrap().0, 0);
    // OpenSSL as the authority, with the same key, in both forms of binding its certificate.
    let trust = decode_pem_chain(&std::fs::read(world.path("root/ca.pem")).unwrap()).unwrap();
    let trust = TrustStore::new(trust).unwrap();
    for alg in ["sha1", "sha256"] {
        let conf = format!(
            "[tsa]\ndefault_tsa = t\n[t]\nserial = serial\ncrypto_device = builtin\nsigner_digest = \
             sha256\ndefault_policy = 1.2.3.4\ndigests = sha256, sha384\naccuracy = secs:1\n\
             ess_cert_id_alg = {alg}\n"
        );
        world.write("ts.conf", conf.as_bytes());
        let line = "ts -reply -config ts.conf -section t -queryfile a.tsq -signer tsa/timestamp.pem -inkey \
                    tsa/timestamp.key -token_out -out its.der";
        let (code, text) = tool(&world, "openssl", line).unwrap();
        assert_eq!(code, 0, "{text}");
        let token = std::fs::read(world.path("its.der")).unwrap();
        let token = TimeStampToken::from_der(&token).unwrap();
        assert!(token.covers(b"text") && !token.covers(b"other"));
        let at = unix_now() + 5;
        let verified = token.verify(&trust, &[], &RevocationCheck::None, at);
        assert_eq!(verified.unwrap().authority, "TSA", "{alg}");
    }
    // What is no request is refused in the standard's own words, or by HTTP.
    world.write("bad.tsq", &[0x30, 0x03, 1, 2, 3]);
    let line = format!("-s -H {header} --data-binary @bad.tsq -o bad.tsr {}", tsa.url);
    tool(&world, "curl", &line).unwrap();
    let (_, text) = tool(&world, "openssl", "ts -reply -in bad.tsr -text").unwrap();
    assert!(text.contains("Rejected"), "{text}");
    let code = |line: &str| {
        let line = format!("-s -o /dev/null -w %{{http_code}} {line} {}", tsa.url);
        tool(&world, "curl", &line).unwrap().1
    };
    assert_eq!(code(""), "405");
    assert_eq!(code("--data-binary @a.tsq"), "415");
    world.write("large", &noise(100_000, 1));
    assert_eq!(code(&format!("-H {header} --data-binary @large")), "413");
}

#[test]
fn a_container_goes_out_with_cades_and_openssl_and_we_verify_it() {
    let world = World::new();
    let tsa = world.tsa();
    world.write("通知 (1).txt", b"text");
    world.write("b.bin", &noise(100_000, 3));
    let url = format!("--tsa {}", tsa.url);
    let to = "b.zj.gov.cn";
    let words = ["doc", "sign", "通知 (1).txt", "b.bin", "--to", to, "--type", "通知"];
    let rest = ["--title", "标题", "--with-cades", "--tsa", &tsa.url, "--out", "doc"];
    world.clerk_words("a", &[&words[..], &rest[..]].concat()).ok();
    let seal = "--key certs-a/seal.key --cert certs-a/seal.pem --commitment origin --with-cades";
    world.run(&format!("doc sign doc {seal} {url}")).ok();
    world.clerk("b", "doc countersign doc").ok();
    world.run("export asic doc --out doc.asice").ok();
    world.run("export asic doc --out doc.asice").refused(2, "CHY-6015");
    // The countersigner made no time-stamp; nobody has signed that it stands there, so it takes nothing away.
    assert_eq!(verdict(&world, "doc.asice"), passed("T"));
    world.run("import asic doc.asice --anchor root/ca.pem --out back").ok();
    assert_eq!(verdict(&world, "back"), passed("T"));
    let text = std::fs::read(world.path("back/parts/通知 (1).txt")).unwrap();
    assert_eq!(text, b"text");
    sign(&world, "b.bin", "--out plain").ok();
    world.run("export asic plain --out plain.asice").refused(2, "CHY-6032");

    // A byte of a part, and a byte of a signature, inside the container (its entries are stored).
    let whole = std::fs::read(world.path("doc.asice")).unwrap();
    assert!(whole[30..].starts_with(b"mimetypeapplication/vnd.etsi.asic-e+zip"));
    let find = |what: &[u8]| whole.windows(what.len()).position(|w| w == what).unwrap();
    for (at, name) in [(find(b"text"), "part"), (find(b"<ds:DigestValue>") + 20, "manifest")] {
        let mut bad = whole.clone();
        bad[at] ^= 1;
        world.write("bad.asice", &bad);
        let (code, indication, sub, _) = verdict(&world, "bad.asice");
        assert_ne!(code, 0, "{name}: {indication} {sub}");
        let import = world.run("import asic bad.asice --anchor root/ca.pem --out bad");
        assert_ne!(import.code, 0);
        assert!(!world.path("bad").exists());
    }

    let Some((0, _)) = tool(&world, "unzip", "-q doc.asice -d x") else { return };
    for n in ["001", "002"] {
        let line = format!(
            "cms -verify -binary -inform DER -in x/META-INF/signature{n}.p7s -content \
             x/META-INF/ASiCManifest{n}.xml -CAfile root/ca.pem -purpose any -out out-{n}"
        );
        let Some((code, text)) = tool(&world, "openssl", &line) else { return };
        assert!(code == 0 && text.contains("CMS Verification successful"), "{text}");
    }
}

/// An ASiC-E container as OpenSSL and zip make it: another's key and certificate, RSA.
#[test]
fn a_container_made_with_openssl_is_verified_and_taken_out() {
    let world = World::new();
    let openssl = |line: &str| tool(&world, "openssl", line);
    let made = openssl(
        "req -x509 -newkey rsa:3072 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=Other",
    );
    let Some((0, _)) = made else { return };
    openssl("req -newkey rsa:3072 -nodes -keyout s.key -out s.csr -subj /CN=Signer").unwrap();
    world.write("ext", b"keyUsage=critical,digitalSignature,nonRepudiation\n");
    openssl("x509 -req -in s.csr -CA ca.pem -CAkey ca.key -out s.pem -days 20 -extfile ext")
        .unwrap();
    std::fs::create_dir_all(world.path("c/META-INF")).unwrap();
    world.write("c/mimetype", b"application/vnd.etsi.asic-e+zip");
    world.write("c/contract.txt", b"a contract");
    let digest = openssl("dgst -sha512 -binary -out d c/contract.txt").unwrap();
    assert_eq!(digest.0, 0);
    let base64 = openssl("base64 -A -in d").unwrap().1;
    let manifest = format!(
        "<?xml version=\"1.0\"?><ASiCManifest xmlns=\"http://uri.etsi.org/02918/v1.2.1#\" \
         xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><SigReference \
         URI=\"META-INF/signature.p7s\"/><DataObjectReference URI=\"contract.txt\"><ds:DigestMethod \
         Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha512\"/><ds:DigestValue>{base64}\
         </ds:DigestValue></DataObjectReference></ASiCManifest>"
    );
    world.write("c/META-INF/ASiCManifest.xml", manifest.as_bytes());
    let zip = |name: &str| {
        let line =
            format!("cd c && zip -q -X ../{name} mimetype && zip -q -X -r ../{name} . -x mimetype");
        let status = std::process::Command::new("sh")
            .args(["-c", &line])
            .current_dir(world.dir.path())
            .status()
            .unwrap();
        if !status.success() {
            eprintln!("skipped: zip is not installed");
        }
        status.success()
    };
    let cms = "cms -sign -binary -in c/META-INF/ASiCManifest.xml -outform DER -signer s.pem -inkey s.key \
               -md sha256 -out c/META-INF/signature.p7s";
    openssl(&format!("{cms} -cades")).unwrap();
    if !zip("good.asice") {
        return;
    }
    let verify = |name: &str, anchor: &str| {
        // What OpenSSL makes of itself is not as RFC 5280 §4 wants it.
        let answer = world.run(&format!("--json verify --lenient --anchor {anchor} {name}"));
        let json = answer.json();
        assert_eq!(json["lenient"], true);
        let sub = json["documents"][0]["sub_indication"].as_str().unwrap_or_default();
        (answer.code, sub.to_owned())
    };
    assert_eq!(verify("good.asice", "ca.pem"), (0, String::new()));
    assert_eq!(verify("good.asice", "root/ca.pem"), (5, "NO_CERTIFICATE_CHAIN_FOUND".into()));
    let strictly = world.run("--json verify --anchor ca.pem good.asice");
    assert_eq!(strictly.json()["documents"][0]["sub_indication"], "CHAIN_CONSTRAINTS_FAILURE");
    let taken =
        world.run("--json import asic good.asice --lenient --anchor ca.pem --out taken").ok();
    assert_eq!(taken.json()["lenient"], true);
    assert_eq!(std::fs::read(world.path("taken/contract.txt")).unwrap(), b"a contract");
    // A file that nobody signed, one that was changed, and one that is gone.
    world.write("c/more.txt", b"more");
    zip("more.asice");
    assert_eq!(verify("more.asice", "ca.pem"), (5, "UNSIGNED_CONTENT".into()));
    std::fs::remove_file(world.path("c/more.txt")).unwrap();
    world.write("c/contract.txt", b"b contract");
    zip("changed.asice");
    assert_eq!(verify("changed.asice", "ca.pem"), (1, "HASH_FAILURE".into()));
    std::fs::remove_file(world.path("c/contract.txt")).unwrap();
    zip("gone.asice");
    assert_eq!(verify("gone.asice", "ca.pem"), (5, "SIGNED_DATA_NOT_FOUND".into()));
    // A signature that does not bind its certificate is no CAdES signature.
    world.write("c/contract.txt", b"a contract");
    openssl(cms).unwrap();
    zip("unbound.asice");
    assert_eq!(verify("unbound.asice", "ca.pem"), (5, "SIG_CONSTRAINTS_FAILURE".into()));
    // A name that leads out of the folder.
    let evil = manifest.replace("URI=\"contract.txt\"", "URI=\"../contract.txt\"");
    world.write("c/META-INF/ASiCManifest.xml", evil.as_bytes());
    openssl(&format!("{cms} -cades")).unwrap();
    zip("evil.asice");
    let import = world.run("import asic evil.asice --lenient --anchor ca.pem --out evil");
    assert_ne!(import.code, 0);
    assert!(!world.path("evil").exists());
}

#[test]
fn a_python_cose_library_verifies_our_signatures() {
    let world = World::new();
    world.write("a.txt", b"text");
    sign(&world, "a.txt", "--out doc").ok();
    world
        .run("doc sign doc --key certs-a/seal.key --cert certs-a/seal.pem --commitment origin")
        .ok();
    let Some((0, _)) = tool(&world, "python3", "-m venv venv") else { return };
    let program =
        |name: &str| world.path(&format!("venv/bin/{name}")).to_string_lossy().into_owned();
    let pip = "install -q --disable-pip-version-check pycose==1.1.0 cbor2==5.6.5";
    let installed = tool(&world, &program("pip"), pip);
    if installed.as_ref().is_none_or(|(code, _)| *code != 0) {
        eprintln!("skipped: pycose cannot be installed here: {installed:?}");
        return;
    }
    let script = chancery_tests::package().join("third-party/cose.py");
    let line = format!("{} doc/document.cose", script.display());
    let (code, text) = tool(&world, &program("python"), &line).unwrap();
    assert!(code == 0 && text.contains("2 signatures verified"), "{text}");
    flip(&world.path("doc/document.cose"), 60);
    let (code, text) = tool(&world, &program("python"), &line).unwrap();
    assert_ne!(code, 0, "{text}");
}

#[test]
fn a_report_stands_by_itself_and_says_it_in_both_languages() {
    let world = World::new();
    world.write("a.txt", b"text");
    let words = ["doc", "sign", "a.txt", "--to", "b.zj.gov.cn", "--type", "通知"];
    let title = ["--title", "<b>标题</b>\"", "--out", "doc"];
    world.clerk_words("a", &[&words[..], &title[..]].concat()).ok();
    copy_dir(&world.path("doc"), &world.path("bad"));
    flip(&world.path("bad/parts/a.txt"), 0);
    let en = world.run("verify doc bad --anchor root/ca.pem --report html");
    assert_eq!(en.code, 1);
    let zh = world.run("--lang zh verify doc bad --anchor root/ca.pem --report html").stdout;
    assert!(en.stdout.contains("part &quot;a.txt&quot; was changed"), "{}", en.stdout);
    assert!(zh.contains("附件“a.txt”被改动") && zh.contains("lang=\"zh-CN\""), "{zh}");
    for page in [&en.stdout, &zh] {
        assert!(page.contains("&lt;b&gt;标题&lt;/b&gt;&quot;") && !page.contains("<b>"));
        for outside in ["http://", "https://", "src=", "<script", "<link"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
    let text = world.run("--lang zh verify bad --anchor root/ca.pem").stdout;
    assert!(text.contains("的签名有效") && text.contains("被改动"), "{text}");
}

#[test]
fn each_damage_to_an_encrypted_file_has_its_own_error_and_leaves_nothing() {
    let world = World::new();
    for (name, kem) in [("one", "x-wing"), ("two", "x25519"), ("other", "x-wing")] {
        world.run(&format!("key encryption --kem {kem} --out {name}.key")).ok();
        let seal = "--key certs-a/seal.key --cert certs-a/seal.pem";
        let line = format!("key statement --encryption-key {name}.key {seal} --out {name}.st");
        world.run(&line).ok();
    }
    let plain = noise(4 * 65_536 + 77, 5);
    world.write("plain", &plain);
    let encrypt = |out: &str| {
        let to = "--to one.st --to two.st --anchor root/ca.pem";
        world.run(&format!("encrypt {to} --out {out} plain"))
    };
    encrypt("file").ok();
    encrypt("file").refused(2, "CHY-6015");
    encrypt("another").ok();
    for name in ["one", "two"] {
        world.run(&format!("decrypt --key {name}.key --out {name}.out file")).ok();
        assert_eq!(std::fs::read(world.path(&format!("{name}.out"))).unwrap(), plain);
    }
    let (file, another) =
        (std::fs::read(world.path("file")).unwrap(), std::fs::read(world.path("another")).unwrap());
    assert_eq!(file.len(), another.len());
    let body = file.len() - (4 * (8 + 65_552) + 8 + 77 + 16);
    let chunk = |n: usize| body + n * (8 + 65_552)..body + (n + 1) * (8 + 65_552);
    let swap = |bytes: &[u8], left: usize, right: usize| {
        let mut out = bytes.to_vec();
        out[chunk(left)].copy_from_slice(&bytes[chunk(right)]);
        out[chunk(right)].copy_from_slice(&bytes[chunk(left)]);
        out
    };
    let replaced = |range: std::ops::Range<usize>| {
        let mut out = file.clone();
        out[range.clone()].copy_from_slice(&another[range]);
        out
    };
    let flipped = |at: usize| {
        let mut out = file.clone();
        out[at] ^= 1;
        out
    };
    let cases = [
        ("truncated", file[..file.len() - 1].to_vec(), "CHY-3011"),
        ("a chunk short", file[..chunk(3).start].to_vec(), "CHY-3011"),
        ("in the header", file[..40].to_vec(), "CHY-3011"),
        ("longer", [&file[..], &[0]].concat(), "CHY-3012"),
        ("reordered", swap(&file, 0, 2), "CHY-3013"),
        ("spliced", replaced(chunk(1)), "CHY-3014"),
        ("spliced body", replaced(body..file.len()), "CHY-3014"),
        ("flipped", flipped(chunk(2).start + 1000), "CHY-3015"),
        ("flipped in the last", flipped(file.len() - 1), "CHY-3015"),
        ("another's key", flipped(body - 40), "CHY-3017"),
        ("header's tag", flipped(body - 1), "CHY-3017"),
        ("no such file", b"something else".to_vec(), "CHY-3010"),
    ];
    for (what, bytes, code) in cases {
        world.write("bad", &bytes);
        let answer = world.run("decrypt --key one.key --out no bad");
        assert!(answer.stderr.contains(code), "{what}: {answer:?}");
        assert_eq!(answer.code, 2, "{what}");
    }
    world.run("decrypt --key other.key --out no file").refused(2, "CHY-3016");
    // A header for other recipients, or of another size, does not open.
    for at in 20..body {
        world.write("bad", &flipped(at));
        if at % 37 == 0 {
            assert_ne!(world.run("decrypt --key one.key --out no bad").code, 0, "byte {at}");
        }
    }
    let left = std::fs::read_dir(world.dir.path()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name().into_string().unwrap();
        name == "no" || (name.starts_with('.') && name.ends_with(".new"))
    });
    assert_eq!(left.count(), 0);
    // A statement by a seal under no anchor of ours, or no statement, is no recipient.
    world.run("ca init --dir other --display Other --no-passphrase").ok();
    world.run("encrypt --to one.st --anchor other/ca.pem --out x plain").refused(2, "CHY-2010");
    world.run("encrypt --to plain --anchor root/ca.pem --out x plain").refused(2, "CHY-1009");
}

#[test]
fn keys_go_into_pkcs12_files_and_come_back_and_openssl_reads_them() {
    let world = World::new();
    world.write("a.txt", b"text");
    world.write("pw", b"secret words\n");
    let key = "--key certs-a/clerk.key --cert certs-a/clerk.pem";
    world.run(&format!("key export {key} --out a.p12 --new-passphrase-file pw")).ok();
    let open = "--passphrase-file pw";
    let import = format!("key import a.p12 {open} --out i.key --cert-out i.pem --no-passphrase");
    world.run(&import).ok();
    assert_eq!(
        std::fs::read(world.path("i.pem")).unwrap(),
        std::fs::read(world.path("certs-a/clerk.pem")).unwrap()
    );
    world.run(&format!("doc sign a.txt {NEW} --key a.p12 {open} --out doc")).ok();
    assert_eq!(verdict(&world, "doc"), passed("B"));
    world.write("wrong", b"other words\n");
    let wrong = "key import a.p12 --passphrase-file wrong --out x --cert-out y --no-passphrase";
    world.run(wrong).refused(2, "CHY-1004");
    let line = "pkcs12 -in a.p12 -passin file:pw -nodes -info -noout";
    let Some((code, text)) = tool(&world, "openssl", line) else { return };
    assert!(code == 0 && text.contains("AES-256-CBC"), "{text}");
    let line =
        "pkcs12 -export -inkey certs-b/clerk.key -in certs-b/clerk.pem -passout file:pw -out b.p12";
    assert_eq!(tool(&world, "openssl", line).unwrap().0, 0);
    world.run(&format!("doc sign a.txt {NEW} --key b.p12 {open} --out from-b")).ok();
    assert_eq!(verdict(&world, "from-b"), passed("B"));
}

#[test]
fn keys_as_other_tools_write_them_are_read_or_refused_for_the_true_reason() {
    let world = World::new();
    world.write("a.txt", b"text");
    world.write("pw", b"secret words\n");
    world.write("beyond", "secret 😀\n".as_bytes());
    let sign = |key: &str, out: &str| {
        let cert = "--cert certs-a/clerk.pem";
        world.run(&format!("doc sign a.txt {NEW} --key {key} {cert} --out {out}"))
    };
    let another = sign("certs-b/clerk.key", "x");
    another.refused(2, "CHY-6011");
    assert!(another.stderr.contains("do not belong together"), "{another:?}");
    let export = "key export --key certs-a/clerk.key --cert certs-a/clerk.pem --out x.p12";
    let refused = world.run(&format!("{export} --new-passphrase-file beyond"));
    refused.refused(2, "CHY-1002");
    assert!(refused.stderr.contains("'😀'") && refused.stderr.contains("U+FFFF"), "{refused:?}");

    let key = "-in certs-a/clerk.key";
    for (n, line) in [
        format!("pkey {key} -outform DER -out 0"),
        format!("ec {key} -out 1"),
        format!("ec {key} -no_public -out 2"),
        format!("ec {key} -no_public -outform DER -out 3"),
        format!("pkcs8 -topk8 {key} -outform DER -passout file:pw -out 4"),
    ]
    .iter()
    .enumerate()
    {
        let Some((code, text)) = tool(&world, "openssl", line) else { return };
        assert_eq!(code, 0, "{text}");
        let out = format!("doc-{n}");
        match n {
            4 => {
                sign("4", "x").refused(2, "CHY-1003");
                sign("4 --passphrase-file beyond", "x").refused(2, "CHY-1004");
                sign("4 --passphrase-file pw", &out).ok();
            }
            _ => drop(sign(&n.to_string(), &out).ok()),
        }
        assert_eq!(verdict(&world, &out), passed("B"), "{line}");
    }
    // A CA's key just as well, without its public half.
    let line = "ec -in zj/ca.key -no_public -out zj/without.key";
    assert_eq!(tool(&world, "openssl", line).unwrap().0, 0);
    std::fs::rename(world.path("zj/without.key"), world.path("zj/ca.key")).unwrap();
    world.issue("seal", "c.zj.gov.cn", "certs-c", "p256");

    let line = "pkcs12 -export -inkey certs-a/clerk.key -in certs-a/clerk.pem -passout file:pw \
                -keypbe NONE -certpbe NONE -out plain.p12";
    assert_eq!(tool(&world, "openssl", line).unwrap().0, 0);
    let plain = sign("plain.p12 --passphrase-file pw", "x");
    plain.refused(2, "CHY-1002");
    assert!(plain.stderr.contains("holds no encrypted key"), "{plain:?}");
    sign("plain.p12 --passphrase-file beyond", "x").refused(2, "CHY-1002");
}

#[test]
fn a_key_in_a_token_signs_requests_and_documents() {
    let module = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let Some(module) = module else {
        eprintln!("skipped: SoftHSM is not installed (apt-get install softhsm2 opensc)");
        return;
    };
    let mut world = World::new();
    let conf = format!("directories.tokendir = {}\n", world.path("tokens").display());
    std::fs::create_dir(world.path("tokens")).unwrap();
    let conf = world.write("softhsm.conf", conf.as_bytes());
    let env = [("SOFTHSM2_CONF", conf.to_str().unwrap().to_owned())];
    world.env = env.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    world.write("a.txt", b"text");
    world.write("pin", b"1234\n");
    world.write("wrong", b"4321\n");
    let run = |program: &str, line: &str| {
        let output = std::process::Command::new(program)
            .args(line.split_whitespace())
            .envs(env.iter().map(|(name, value)| (name, value)))
            .output();
        output.is_ok_and(|output| output.status.success())
    };
    let init = "--init-token --free --label chan --pin 1234 --so-pin 5678";
    assert!(run("softhsm2-util", init), "the token cannot be made");
    for (n, kind) in [(1, "EC:prime256v1"), (2, "EC:secp384r1"), (3, "EC:edwards25519")] {
        let login = format!("--module {module} --login --pin 1234");
        let make = format!("{login} --keypairgen --key-type {kind} --label k{n} --id 0{n}");
        if !run("pkcs11-tool", &make) {
            eprintln!("skipped: pkcs11-tool (opensc) makes no {kind} key");
            continue;
        }
        let key = format!("--key pkcs11:token=chan;object=k{n}?module-path={module}");
        let open = "--passphrase-file pin";
        let who = format!("--name k{n}@a.zj.gov.cn --display k{n}");
        world.run(&format!("cert request {key} {open} {who} --out {n}.csr")).ok();
        world.run(&format!("ca sign-request --ca zj --profile officer --out {n}.pem {n}.csr")).ok();
        let sign = format!("doc sign a.txt {NEW} {key} --cert {n}.pem");
        world.run(&format!("{sign} {open} --out d{n} --with-cades")).ok();
        assert_eq!(verdict(&world, &format!("d{n}")), passed("B"));
        world.run(&format!("{sign} --passphrase-file wrong --out x")).refused(3, "CHY-6036");
        // The key does not come out.
        let export = format!("key export {key} {open} --cert {n}.pem --out {n}.p12");
        world.run(&format!("{export} --new-passphrase-file pin")).refused(2, "CHY-1002");
    }
    let none = format!("--key pkcs11:token=chan;object=none?module-path={module}");
    let line = format!("doc sign a.txt {NEW} {none} --cert certs-a/clerk.pem --out x");
    world.run(&format!("{line} --passphrase-file pin")).refused(3, "CHY-6036");
}

#[test]
fn cose_messages_of_others_are_verified_under_a_key() {
    let world = World::new();
    world.write("a.txt", b"text");
    sign(&world, "a.txt", "--out doc").ok();
    let verify = |key: &str| {
        let line = format!("--json cose verify doc/document.cose --key {key}");
        let answer = world.run(&line);
        (answer.code, answer.json()["valid"].as_bool().unwrap())
    };
    assert_eq!(verify("certs-a/clerk.pem"), (0, true));
    assert_eq!(verify("certs-a/seal.pem"), (1, false));
    world.run("cose verify a.txt --key certs-a/clerk.pem").refused(2, "CHY-1008");
}

/// Checks a value by a schema that uses no more of JSON Schema than ours does.
fn conforms(value: &Value, schema: &Value, root: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/$defs/").unwrap();
        return conforms(value, &root["$defs"][name], root, at);
    }
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{at}: {value}");
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    match &schema["type"] {
        Value::String(want) => assert_eq!(want, kind, "{at}"),
        Value::Array(list) => assert!(list.iter().any(|want| want == kind), "{at}: {kind}"),
        _ => {}
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        conforms(item, &schema["items"], root, &format!("{at}[{index}]"));
    }
    if let (Some(object), Some(properties)) = (value.as_object(), schema["properties"].as_object())
    {
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(object.contains_key(name.as_str().unwrap()), "{at} lacks {name}");
        }
        for (name, value) in object {
            let property = properties.get(name);
            let property = property.unwrap_or_else(|| panic!("{at}.{name} is not in the schema"));
            conforms(value, property, root, &format!("{at}.{name}"));
        }
    }
}

#[test]
fn what_verify_prints_is_what_its_schema_says() {
    let world = World::new();
    let tsa = world.tsa();
    let lists = crls(&world, "1");
    world.write("a.txt", b"text");
    world.write("nothing", b"nothing");
    sign(&world, "a.txt", "--out doc").ok();
    world.clerk("b", "doc countersign doc").ok();
    world.run(&format!("doc timestamp doc --tsa {} {lists} --level lta", tsa.url)).ok();
    copy_dir(&world.path("doc"), &world.path("bad"));
    flip(&world.path("bad/parts/a.txt"), 0);
    let schema =
        std::fs::read(chancery_tests::package().join("../docs/verify.schema.json")).unwrap();
    let schema: Value = serde_json::from_slice(&schema).unwrap();
    let answer = world.run("--json verify doc bad nothing --anchor root/ca.pem");
    assert_eq!(answer.code, 1);
    let json = answer.json();
    assert_eq!(json["documents"].as_array().unwrap().len(), 3);
    conforms(&json, &schema, &schema, "result");
}
