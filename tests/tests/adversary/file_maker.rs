//! Somebody who makes containers, documents and files that look like others'.

use chancery_certs::{
    Credential, TimeStampAuthority, TimeStampRequest, TimeStampToken, sign_cades,
};
use chancery_ledger::unix_now;
use chancery_protocol::SignedDocument;
use chancery_tests::{
    World,
    container::{
        ASIC_E, Item, MANIFEST, SIGNATURE, Tlv, container, credential, in_ber, manifest, stays_der,
        zip,
    },
};
use serde_json::Value;

const OWN: &str = "META-INF/chancery-document.cose";

struct Maker {
    world: World,
}

/// What `verify` says of a file.
struct Verdict {
    code: i32,
    sub: String,
    said: String,
    json: Value,
}

impl Maker {
    fn new() -> Self {
        Self { world: World::new() }
    }

    fn by(&self, name: &str) -> Credential {
        let path = |end: &str| self.world.path(&format!("{name}.{end}"));
        credential(&path("key"), &path("pem"))
    }

    fn tsa(&self) -> Credential {
        let issue =
            "ca issue --ca root --profile timestamp --name tsa.gov.cn --display TSA --out tsa";
        self.world.run(&format!("{issue} --no-passphrase")).ok();
        self.by("tsa/timestamp")
    }

    fn judge(&self, bytes: &[u8]) -> Verdict {
        self.world.write("x.asice", bytes);
        let answer = self.world.run("--json verify x.asice --anchor root/ca.pem");
        assert!(!answer.stderr.contains("panicked"), "{answer:?}");
        let json = answer.json()["documents"][0].clone();
        let sub = json["sub_indication"].as_str().unwrap_or_default().to_owned();
        Verdict { code: answer.code, sub, said: json.to_string(), json }
    }

    /// Neither verified nor taken out; nothing is left beside.
    #[track_caller]
    fn refused(&self, what: &str, bytes: &[u8]) -> Verdict {
        let verdict = self.judge(bytes);
        assert!(matches!(verdict.code, 1 | 5), "{what}: {}", verdict.said);
        let before = self.listing();
        let import = self.world.run("import asic x.asice --anchor root/ca.pem --out taken");
        assert!(import.code != 0 && !import.stderr.contains("panicked"), "{what}: {import:?}");
        assert_eq!(self.listing(), before, "{what}");
        verdict
    }

    #[track_caller]
    fn refused_as(&self, what: &str, sub: &str, bytes: &[u8]) -> Verdict {
        let verdict = self.refused(what, bytes);
        assert_eq!(verdict.sub, sub, "{what}: {}", verdict.said);
        verdict
    }

    /// Verified, and taken out: the files.
    #[track_caller]
    fn passes(&self, what: &str, bytes: &[u8]) -> Vec<String> {
        let verdict = self.judge(bytes);
        assert_eq!(verdict.code, 0, "{what}: {}", verdict.said);
        let import = self.world.run("--json import asic x.asice --anchor root/ca.pem --out taken");
        let json = import.ok().json();
        std::fs::remove_dir_all(self.world.path("taken")).unwrap();
        let files = json["files"].as_array().unwrap().iter();
        files.map(|file| file.as_str().unwrap().to_owned()).collect()
    }

    fn listing(&self) -> Vec<std::ffi::OsString> {
        let entries = std::fs::read_dir(self.world.dir.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }
}

/// A container of files with another manifest than the plain one.
fn with_manifest(files: &[(&str, &[u8])], xml: &str, by: &Credential) -> Vec<u8> {
    let mut items = container(files, by, unix_now());
    let cms = sign_cades(xml.as_bytes(), by, unix_now()).unwrap();
    set(&mut items, MANIFEST, xml.as_bytes());
    set(&mut items, SIGNATURE, &cms);
    zip(&items)
}

fn set(items: &mut [Item], name: &str, bytes: &[u8]) {
    let item = items.iter_mut().find(|item| item.name == name.as_bytes()).unwrap();
    item.bytes = bytes.to_vec();
}

fn of<'a>(items: &'a mut [Item], name: &str) -> &'a mut Item {
    items.iter_mut().find(|item| item.name == name.as_bytes()).unwrap()
}

const TEXT: &[(&str, &[u8])] = &[("a.txt", b"text"), ("dir/b.txt", b"more")];

#[test]
fn a_document_in_a_container_has_its_own_parts_and_signers_and_no_others() {
    let maker = Maker::new();
    let world = &maker.world;
    world.write("x.txt", b"pay 100");
    world.write("y.txt", b"annex");
    let new = "--to b.zj.gov.cn --type 通知 --title t --with-cades --out doc";
    world.clerk("a", &format!("doc sign x.txt y.txt {new}")).ok();
    world.run("export asic doc --out doc.asice").ok();
    let genuine = std::fs::read(world.path("doc.asice")).unwrap();
    assert_eq!(maker.passes("its own", &genuine), ["document.cose", "parts/x.txt", "parts/y.txt"]);

    let cose = std::fs::read(world.path("doc/document.cose")).unwrap();
    let document = SignedDocument::decode(&cose).unwrap();
    let header = document.cose().payload().to_vec();
    let a = maker.by("certs-a/clerk");
    let own_xml = chancery_protocol::Manifest::of_document(&document, 0).unwrap().to_xml();
    maker.tsa();
    let around = |files: &[(&str, &[u8])], by: &Credential, own: bool| {
        let mut all = vec![("document.cbor", &header[..])];
        all.extend(files);
        let mut items = container(&all, by, unix_now());
        if own {
            items.push(Item::new(OWN, &cose));
        }
        items
    };
    let (x, y): (&[u8], &[u8]) = (b"pay 100", b"annex");
    let evil: &[u8] = b"pay 1000000 to c";
    let right = [("parts/x.txt", x), ("parts/y.txt", y)];
    for who in ["certs-b/clerk", "certs-b/seal", "certs-a/node", "certs-b/node", "tsa/timestamp"] {
        let by = maker.by(who);
        let altered = zip(&around(&[("parts/x.txt", evil), right[1]], &by, true));
        maker.refused(&format!("an altered part, signed by {who}"), &altered);
        let honest = zip(&around(&right, &by, true));
        maker.refused(&format!("the right parts, signed by {who}"), &honest);
    }
    // Its own signer, with other files than the document has.
    let altered = around(&[("parts/x.txt", evil), right[1]], &a, true);
    maker.refused_as("altered by the signer", "HASH_FAILURE", &zip(&altered));
    let missing = around(&right[..1], &a, true);
    maker.refused("a part that is missing", &zip(&missing));
    let more = around(&[right[0], right[1], ("parts/z.txt", evil)], &a, true);
    let verdict = maker.refused("a file that the document has not", &zip(&more));
    assert!(verdict.said.contains("is no part of the document"), "{}", verdict.said);
    // The right manifest and signer, and the files changed in the container alone.
    let mut items = around(&right, &a, true);
    set(&mut items, MANIFEST, own_xml.as_bytes());
    let cms = sign_cades(own_xml.as_bytes(), &a, unix_now()).unwrap();
    set(&mut items, SIGNATURE, &cms);
    maker.passes("made again by its signer", &zip(&items));
    set(&mut items, "parts/x.txt", evil);
    maker.refused_as("changed in the container", "HASH_FAILURE", &zip(&items));
    // Of another document.
    world.clerk("a", "doc sign y.txt --to b.zj.gov.cn --type 函 --title u --out other").ok();
    let other = std::fs::read(world.path("other/document.cose")).unwrap();
    let mut items = around(&right, &a, false);
    items.push(Item::new(OWN, &other));
    maker.refused("another document's signatures", &zip(&items));
    // And without: what is missing is said.
    let without = zip(&around(&right, &a, false));
    let verdict = maker.refused_as("without its signatures", "SIGNED_DATA_NOT_FOUND", &without);
    assert!(verdict.said.contains(OWN), "{}", verdict.said);
}

#[test]
fn keys_of_machines_sign_no_documents() {
    let maker = Maker::new();
    maker.tsa();
    maker.passes("an officer", &zip(&container(TEXT, &maker.by("certs-a/clerk"), unix_now())));
    for who in ["certs-a/node", "tsa/timestamp"] {
        let bytes = zip(&container(TEXT, &maker.by(who), unix_now()));
        maker.refused_as(who, "CHAIN_CONSTRAINTS_FAILURE", &bytes);
    }
}

#[test]
fn every_signature_covers_every_file() {
    let maker = Maker::new();
    let (a, b) = (maker.by("certs-a/clerk"), maker.by("certs-b/clerk"));
    let (second, over) = ("META-INF/ASiCManifest002.xml", "META-INF/signature002.p7s");
    let both = |files: &[(&str, &[u8])], of_b: &[(&str, &[u8])]| {
        let mut items = container(files, &a, unix_now());
        let xml = manifest(over, of_b, "");
        items.push(Item::new(second, xml.as_bytes()));
        let cms = sign_cades(xml.as_bytes(), &b, unix_now()).unwrap();
        items.push(Item::new(over, &cms));
        items
    };
    maker.passes("two signers of all", &zip(&both(TEXT, TEXT)));
    let less = zip(&both(TEXT, &TEXT[..1]));
    let verdict = maker.refused_as("the second covers less", "UNSIGNED_CONTENT", &less);
    assert!(verdict.said.contains("does not cover"), "{}", verdict.said);
    let mut items = both(&TEXT[..1], TEXT);
    items.push(Item::new("dir/b.txt", b"more"));
    maker.refused_as("the first covers less", "UNSIGNED_CONTENT", &zip(&items));
    let mut items = container(TEXT, &a, unix_now());
    items.push(Item::new("c.txt", b"unsigned"));
    maker.refused_as("nobody covers it", "UNSIGNED_CONTENT", &zip(&items));
    let mut items = container(TEXT, &a, unix_now());
    items.push(Item::new("META-INF/signature009.p7s", b"rubbish"));
    maker.refused_as("a signature of nothing", "SIG_CONSTRAINTS_FAILURE", &zip(&items));
    let mut items = container(TEXT, &a, unix_now());
    items.push(Item::new(second, manifest(SIGNATURE, TEXT, "").as_bytes()));
    maker.refused_as("one signature over two manifests", "FORMAT_FAILURE", &zip(&items));
}

#[test]
fn names_have_one_reading_wherever_they_stand() {
    let maker = Maker::new();
    let a = maker.by("certs-a/clerk");
    for name in ["通知 (1).pdf", "a+b%.txt", "家👨‍👩‍👧.txt", "-rf", "dir/sub/c:d.txt", "document.cose"]
    {
        assert_eq!(maker.passes(name, &zip(&container(&[(name, b"x")], &a, unix_now()))), [name]);
    }
    for name in [
        "../evil.txt",
        "parts/../../evil.txt",
        "/etc/evil.txt",
        "C:\\evil.txt",
        "C:evil.txt",
        "..\\evil.txt",
        "a\\b",
        "META-INF/../parts/evil.pdf",
        "META-INF/README.exe",
        "META-INF/\u{1b}[2Jx.xml",
        "META-INF/sub/signature9.p7s",
        "meta-inf/x.txt",
        "a\nb.txt",
        "a\0b.txt",
        "e\u{202e}gpj.exe",
        "a\u{200b}.txt",
        "\u{feff}a.txt",
        "./a.txt",
        "a//b.txt",
        ".hidden",
        "a\u{2028}b",
    ] {
        let bytes = zip(&container(&[("ok.txt", b"ok"), (name, b"evil")], &a, unix_now()));
        maker.refused_as(&format!("{name:?}"), "FORMAT_FAILURE", &bytes);
        // The same where nobody has signed it.
        let mut items = container(TEXT, &a, unix_now());
        items.push(Item::new(name, b"evil"));
        maker.refused_as(&format!("{name:?} beside"), "FORMAT_FAILURE", &zip(&items));
    }
    // Bytes that are no UTF-8, and one name in two encodings.
    let mut items = container(TEXT, &a, unix_now());
    items.push(Item { name: b"\xff\xfe.txt".to_vec(), ..Item::new("", b"x") });
    maker.refused_as("no UTF-8", "FORMAT_FAILURE", &zip(&items));
    let mut items = container(TEXT, &a, unix_now());
    let mut beside = vec![1];
    beside.extend(crc32fast_of("a.txt"));
    beside.extend(b"b.txt");
    let mut extra = vec![0x75, 0x70, u8::try_from(beside.len()).unwrap(), 0];
    extra.extend(beside);
    of(&mut items, "a.txt").extra = extra;
    maker.refused_as("another name in Unicode", "FORMAT_FAILURE", &zip(&items));
    // What is refused here is not signed either.
    for name in ["e\u{202e}x.txt", "a\u{200b}b.txt", "a\u{2028}b.txt"] {
        maker.world.write(name, b"x");
        let words = ["doc", "sign", name, "--to", "b.zj.gov.cn", "--type", "函", "--title", "t"];
        let answer = maker.world.clerk_words("a", &[&words[..], &["--out", "d"]].concat());
        answer.refused(2, "CHY-3001");
    }
    maker.world.write("a:b.txt", b"x");
    let new = "--to b.zj.gov.cn --type 函 --title t --with-cades --out d";
    maker.world.clerk("a", &format!("doc sign a:b.txt {new}")).ok();
    maker.world.run("export asic d --out d.asice").ok();
    let own = std::fs::read(maker.world.path("d.asice")).unwrap();
    assert_eq!(maker.passes("a part with a colon", &own), ["document.cose", "parts/a:b.txt"]);
}

fn crc32fast_of(name: &str) -> [u8; 4] {
    // The sum stands in the header of a file with these bytes.
    let made = zip(&[Item::new("x", name.as_bytes())]);
    made[14..18].try_into().unwrap()
}

#[test]
fn a_container_has_one_reading() {
    let maker = Maker::new();
    let a = maker.by("certs-a/clerk");
    let good = || container(TEXT, &a, unix_now());
    let refused = |what: &str, items: &[Item]| {
        maker.refused_as(what, "FORMAT_FAILURE", &zip(items));
    };
    for (first, second) in
        [("a.txt", "a.txt"), ("a.txt", "A.TXT"), ("a.txt", "a.txt."), ("é", "e\u{301}")]
    {
        for order in [[first, second], [second, first]] {
            let mut items = container(&[(first, b"text")], &a, unix_now());
            let place = usize::from(order[0] == second) + 1;
            items.insert(2 - place.min(1), Item::new(second, b"evil"));
            refused(&format!("{first} and {second}"), &items);
        }
    }
    let mut items = good();
    items.push(Item::new(MANIFEST, b"<x/>"));
    refused("two manifests of one name", &items);
    let mut items = good();
    items.push(Item::new("a.txt/c", b"x"));
    refused("a file that is a folder", &items);
    let mut items = good();
    of(&mut items, "a.txt").local_name = Some(b"b.txt".to_vec());
    refused("another name before the data", &items);
    let mut items = good();
    of(&mut items, "a.txt").attributes = 0o120_777 << 16;
    refused("a link", &items);
    let mut items = good();
    of(&mut items, "a.txt").flags |= 1;
    refused("encrypted", &items);
    for size in [3, 5] {
        let mut items = good();
        of(&mut items, "a.txt").size = Some(size);
        of(&mut items, "a.txt").deflated = true;
        refused("another size", &items);
    }
    let mut items = good();
    of(&mut items, "dir/b.txt").before = b"between".to_vec();
    refused("bytes between entries", &items);
    items = good();
    items[0].before = b"#!/bin/sh\nexit\n".to_vec();
    refused("bytes before it", &items);
    let whole = zip(&good());
    maker.refused_as("bytes after it", "FORMAT_FAILURE", &[&whole[..], b"more"].concat());
    maker.refused_as("cut off", "FORMAT_FAILURE", &whole[..whole.len() - 1]);
    // Two directories: the last is of the good files, and the first of others.
    let mut evil = good();
    set(&mut evil, "a.txt", b"evil");
    maker.refused_as("two of them", "FORMAT_FAILURE", &[zip(&evil), whole.clone()].concat());
    // The second entry of the directory is said to be where the first is.
    let mut overlap = whole.clone();
    let directory: Vec<_> =
        (0..overlap.len() - 4).filter(|at| overlap[*at..].starts_with(b"PK\x01\x02")).collect();
    let first: [u8; 4] = overlap[directory[0] + 42..directory[0] + 46].try_into().unwrap();
    overlap[directory[1] + 42..directory[1] + 46].copy_from_slice(&first);
    maker.refused_as("overlapping", "FORMAT_FAILURE", &overlap);
    // Deflated, and in another order: as good as before.
    let mut items = good();
    items.iter_mut().for_each(|item| item.deflated = true);
    items.reverse();
    assert_eq!(maker.passes("as another tool packs it", &zip(&items)), ["a.txt", "dir/b.txt"]);
}

#[test]
fn a_manifest_asks_for_nothing_that_is_passed_over() {
    let maker = Maker::new();
    let a = maker.by("certs-a/clerk");
    let extension = |outer: &str, critical: &str| {
        format!(
            "<a:{outer}><a:Extension Critical=\"{critical}\"><x:p xmlns:x=\"urn:x\">review only</x:p>\
             </a:Extension></a:{outer}>"
        )
    };
    let plain = manifest(SIGNATURE, TEXT, "");
    let whole =
        |critical: &str| manifest(SIGNATURE, TEXT, &extension("ASiCManifestExtensions", critical));
    let one = |critical: &str| {
        let inside = extension("DataObjectReferenceExtensions", critical);
        plain.replacen("</a:DataObjectReference>", &(inside + "</a:DataObjectReference>"), 1)
    };
    for xml in [whole("false"), one("0"), plain.clone()] {
        maker.passes("nothing critical", &with_manifest(TEXT, &xml, &a));
    }
    for xml in [whole("true"), whole("1"), one("true"), one("1")] {
        maker.refused_as(&xml, "NOT_SUPPORTED", &with_manifest(TEXT, &xml, &a));
    }
    let second = "<a:SigReference URI=\"META-INF/other.p7s\"/><a:DataObjectReference ";
    let two = plain.replacen("<a:DataObjectReference ", second, 1);
    maker.refused_as("two signatures", "FORMAT_FAILURE", &with_manifest(TEXT, &two, &a));
    let entity =
        plain.replace("?><a:", "?><!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/hostname\">]><a:");
    maker.refused_as("an entity", "FORMAT_FAILURE", &with_manifest(TEXT, &entity, &a));
    let deep = "<x>".repeat(5000) + &"</x>".repeat(5000);
    let deep = manifest(SIGNATURE, TEXT, &deep);
    maker.refused_as("deep", "FORMAT_FAILURE", &with_manifest(TEXT, &deep, &a));
    let sha1 = plain.replace("xmlenc#sha256", "xmldsig#sha1");
    let verdict = maker.refused_as("SHA-1", "NOT_SUPPORTED", &with_manifest(TEXT, &sha1, &a));
    assert!(verdict.said.contains("#sha1"), "{}", verdict.said);
}

#[test]
fn cms_in_ber_is_read_and_what_is_signed_stays_as_it_is() {
    let maker = Maker::new();
    let a = maker.by("certs-a/clerk");
    let tsa = TimeStampAuthority::new(maker.tsa(), "1.2.3.4").unwrap();
    let mut items = container(TEXT, &a, unix_now());
    let der = of(&mut items, SIGNATURE).bytes.clone();
    let xml = of(&mut items, MANIFEST).bytes.clone();
    let with = |cms: &[u8]| {
        let mut items = items.clone();
        set(&mut items, SIGNATURE, cms);
        zip(&items)
    };
    assert_ne!(in_ber(&der), der);
    maker.passes("in BER", &with(&in_ber(&der)));
    // A time-stamp in BER inside of a signature in DER, and of one in BER.
    let cms = chancery_certs::SignedCms::from_der(&der).unwrap();
    let asked = TimeStampRequest::new(cms.signature_value(0).unwrap()).unwrap();
    let answer = tsa.answer(asked.der(), unix_now()).unwrap();
    let token = asked.accept(&answer.der).unwrap();
    assert_eq!(TimeStampToken::from_der(&in_ber(token.der())).unwrap().der(), token.der());
    let stamped = cms.with_time_stamp(0, token.der()).unwrap();
    let only_token = |path: &[u8]| stays_der(path) || !path.starts_with(&IN_UNSIGNED);
    let (tree, _) = Tlv::read(&stamped);
    for (what, keep) in [
        ("a token in BER", &only_token as &dyn Fn(&[u8]) -> bool),
        ("all in BER", &|path: &[u8]| stays_der(path)),
    ] {
        let cms = ber_where(&tree, keep);
        assert_ne!(cms, stamped);
        let bytes = with(&cms);
        let verdict = maker.judge(&bytes);
        assert_eq!(verdict.code, 0, "{what}: {}", verdict.said);
        assert_eq!(verdict.json["level"], "T", "{what}: {}", verdict.said);
    }
    // Signed attributes in BER; and a certificate.
    for kept in [true, false] {
        let keep = |path: &[u8]| stays_der(path) && path.ends_with(&[0xa0]) == kept;
        maker.refused("what must be DER", &with(&Tlv::read(&der).0.ber(&mut Vec::new(), &keep)));
    }
    maker.refused_as("bytes behind", "FORMAT_FAILURE", &with(&[&der[..], b"\n"].concat()));
    maker.refused_as("nested", "FORMAT_FAILURE", &with(&[0x30, 0x80].repeat(100_000)));

    // A content of its own: the same is shown by whoever opens it, another is another.
    let holding = |content: &[u8]| {
        let mut tree = Tlv::read(&der).0;
        let octets = Tlv { tag: 4, children: Vec::new(), bytes: content.to_vec() };
        let explicit = Tlv { tag: 0xa0, children: vec![octets], bytes: Vec::new() };
        tree.children[1].children[0].children[2].children.push(explicit);
        tree.der()
    };
    maker.passes("its manifest inside", &with(&holding(&xml)));
    maker.passes("its manifest inside, in BER", &with(&in_ber(&holding(&xml))));
    maker.refused_as("something else inside", "HASH_FAILURE", &with(&holding(b"other")));
    maker.refused_as("something else, in BER", "HASH_FAILURE", &with(&in_ber(&holding(b"other"))));
}

/// ContentInfo, `[0]`, SignedData, signers, signer, unsigned attributes.
const IN_UNSIGNED: [u8; 6] = [0x30, 0xa0, 0x30, 0x31, 0x30, 0xa1];

/// As BER but for what `keep` says; what has BER inside has no length itself.
fn ber_where(tree: &Tlv, keep: &dyn Fn(&[u8]) -> bool) -> Vec<u8> {
    let outside = |path: &[u8]| !IN_UNSIGNED.starts_with(path) && keep(path);
    tree.ber(&mut Vec::new(), &outside)
}

#[test]
fn time_stamps_over_a_container_are_judged_as_what_they_are() {
    let maker = Maker::new();
    let a = maker.by("certs-a/clerk");
    let tsa = TimeStampAuthority::new(maker.tsa(), "1.2.3.4").unwrap();
    let stamp = |xml: &str| {
        let asked = TimeStampRequest::new(xml.as_bytes()).unwrap();
        let answer = tsa.answer(asked.der(), unix_now()).unwrap();
        asked.accept(&answer.der).unwrap().der().to_vec()
    };
    let (archive, over) = ("META-INF/ASiCArchiveManifest001.xml", "META-INF/timestamp001.tst");
    let signed = container(TEXT, &a, unix_now());
    let mut listed: Vec<(&str, &[u8])> = TEXT.to_vec();
    listed
        .extend(signed[3..].iter().map(|i| (std::str::from_utf8(&i.name).unwrap(), &i.bytes[..])));
    let xml = manifest(over, &listed, "");
    let stamped = |token: &[u8]| {
        let mut items = signed.clone();
        items.extend([Item::new(archive, xml.as_bytes()), Item::new(over, token)]);
        zip(&items)
    };
    for (what, token) in [("DER", stamp(&xml)), ("BER", in_ber(&stamp(&xml)))] {
        let bytes = stamped(&token);
        maker.passes(what, &bytes);
        let stamps = maker.judge(&bytes).json["signatures"][0]["time_stamps"].clone();
        assert_eq!(stamps[0]["kind"], "container", "{stamps}");
        assert_eq!(stamps[0]["indication"], "TOTAL-PASSED", "{stamps}");
    }
    // One of something else proves nothing, and says nothing against the signature.
    let bytes = stamped(&stamp("something else"));
    maker.passes("of something else", &bytes);
    let stamps = maker.judge(&bytes).json["signatures"][0]["time_stamps"].clone();
    assert_eq!(stamps[0]["sub_indication"], "TIMESTAMP_FAILURE", "{stamps}");
    // A time-stamp alone is nobody's signature.
    let xml = manifest(over, TEXT, "");
    let mut items = vec![Item::new("mimetype", ASIC_E)];
    items.extend(TEXT.iter().map(|(name, bytes)| Item::new(name, bytes)));
    items.push(Item::new(MANIFEST, xml.as_bytes()));
    items.push(Item::new(over, &stamp(&xml)));
    maker.refused_as("a time-stamp alone", "SIG_CONSTRAINTS_FAILURE", &zip(&items));
}

#[test]
fn the_form_of_a_mimetype_is_no_verdict() {
    let maker = Maker::new();
    let items = container(TEXT, &maker.by("certs-a/clerk"), unix_now());
    let with = |stated: &[u8]| {
        let mut items = items.clone();
        set(&mut items, "mimetype", stated);
        zip(&items)
    };
    let upper = ASIC_E.to_ascii_uppercase();
    for end in [&b"\n"[..], b"\r\n", b" "] {
        maker.passes("a line end", &with(&[ASIC_E, end].concat()));
    }
    maker.passes("a BOM", &with(&[b"\xef\xbb\xbf", ASIC_E].concat()));
    maker.passes("upper case", &with(&upper));
    maker.passes("none", &zip(&items[1..]));
    let mut comment = [b"mimetype=", ASIC_E].concat();
    let mut only = zip(&items[1..]);
    let at = only.len() - 2;
    only[at] = u8::try_from(comment.len()).unwrap();
    only.append(&mut comment);
    maker.passes("in the comment", &only);
    assert!(maker.judge(&only).said.contains("in the comment"));
    for other in [&b"application/zip"[..], b"", b"application/vnd.etsi.asic-s+zip"] {
        let verdict = maker.refused_as("another", "NOT_SUPPORTED", &with(other));
        assert_eq!(verdict.code, 5);
    }
}

#[test]
fn what_is_taken_out_is_all_that_was_signed_and_lands_in_a_folder_of_its_own() {
    let maker = Maker::new();
    let a = maker.by("certs-a/clerk");
    let foreign: &[(&str, &[u8])] = &[("b.txt", b"y"), ("document.cbor", b"very important")];
    let bytes = zip(&container(foreign, &a, unix_now()));
    assert_eq!(maker.passes("a foreign document.cbor", &bytes), ["b.txt", "document.cbor"]);
    // Folders that lie beside, and are nobody's business.
    let world = &maker.world;
    std::fs::create_dir_all(world.path(".taken.new/mine")).unwrap();
    world.write(".taken.new/mine/thesis.txt", b"years");
    maker.passes("beside a folder", &bytes);
    assert!(world.path(".taken.new/mine/thesis.txt").exists());
    world.write("x.asice", &bytes);
    world.run("import asic x.asice --anchor root/ca.pem --out taken").ok();
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &world.path("taken").metadata().unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o700);
    assert!(!world.path("taken/META-INF").exists() && !world.path("taken/mine").exists());
    world.run("import asic x.asice --anchor root/ca.pem --out taken").refused(2, "CHY-6015");
}

#[test]
fn a_file_that_is_something_else_is_called_what_it_is() {
    let world = World::new();
    let verify = |name: &str, bytes: &[u8]| {
        world.write(name, bytes);
        let answer = world.run(&format!("--json verify {name} --anchor root/ca.pem"));
        let one = answer.json()["documents"][0].clone();
        (
            answer.code,
            one["sub_indication"].as_str().unwrap().to_owned(),
            one["sentence"].to_string(),
        )
    };
    let (code, sub, said) = verify("x.pdf", b"%PDF-1.7\n%more");
    assert!((code, &*sub) == (5, "NOT_SUPPORTED") && said.contains("a PDF"), "{code} {sub} {said}");
    let (code, sub, said) = verify("x.txt", b"text");
    assert!(
        (code, &*sub) == (1, "FORMAT_FAILURE") && said.contains("no signed document"),
        "{said}"
    );
    // COSE_Sign of nobody.
    world.write("none.cbor", &[0xd8, 0x62, 0x84, 0x40, 0xa0, 0x41, 0x78, 0x80]);
    let answer = world.run("cose verify none.cbor --key certs-a/clerk.pem");
    assert_ne!(answer.code, 0);
    assert!(format!("{}{}", answer.stdout, answer.stderr).contains("no signature"), "{answer:?}");
}
