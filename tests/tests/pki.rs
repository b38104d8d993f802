//! Keys, requests, revocation: with OpenSSL on the other side.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use chancery_tests::{World, tool};

fn openssl(world: &World, line: &str) -> Option<(i32, String)> {
    tool(world, "openssl", line)
}

fn reason(world: &World, line: &str) -> (i32, String) {
    let answer = world.run(&format!("--json cert verify --anchor root/ca.pem {line}"));
    (answer.code, answer.json()["reason"].as_str().unwrap_or("valid").to_owned())
}

#[test]
fn a_certificate_is_requested_issued_and_revoked_and_openssl_agrees() {
    let world = World::new();
    world.run("key new --out li.key --no-passphrase").ok();
    world.run("key new --out li.key --no-passphrase").refused(2, "CHY-6015");
    let request = "cert request --key li.key --name li@a.zj.gov.cn --display Li --out li.csr";
    world.run(request).ok();
    world.run("ca sign-request --ca zj --profile officer --out li.pem li.csr").ok();
    // The same request under another agency's name, which the CA may not certify.
    let outside =
        "ca sign-request --ca zj --profile officer --name li@a.sh.gov.cn --out x.pem li.csr";
    world.run(outside).refused(2, "CHY-2005");
    world
        .run("ca sign-request --ca zj --profile officer --out x.pem li.key")
        .refused(2, "CHY-2002");
    world.run("ca crl --ca zj --out zj-1.crl").ok();
    world.run("ca crl --ca root --out root.crl").ok();

    let crls = "--crl zj-1.crl --crl root.crl";
    assert_eq!(reason(&world, &format!("{crls} --purpose sign li.pem")), (0, "valid".into()));
    // Every certificate below the anchor needs one, and it must be current.
    assert_eq!(reason(&world, "--crl zj-1.crl li.pem"), (1, "RevocationUnknown".into()));
    let later = chancery_certs::rfc3339(chancery_ledger::unix_now() + 8 * 86_400);
    let late = reason(&world, &format!("{crls} --at {later} li.pem"));
    assert_eq!(late, (1, "RevocationUnknown".into()));

    world.run("ca revoke --ca zj --reason key-compromise li.pem").ok();
    world.run("ca revoke --ca zj li.pem").refused(2, "CHY-6023");
    world.run("ca revoke --ca root li.pem").refused(2, "CHY-6022");
    world.run("ca crl --ca zj --out zj-2.crl").ok();
    assert_eq!(reason(&world, "--crl zj-2.crl --crl root.crl li.pem"), (1, "Revoked".into()));
    // An older list that is still current hides nothing, in whatever order they are given.
    for both in ["--crl zj-1.crl --crl zj-2.crl", "--crl zj-2.crl --crl zj-1.crl"] {
        let line = format!("{both} --crl root.crl li.pem");
        assert_eq!(reason(&world, &line), (1, "Revoked".into()), "{both}");
    }
    // Others of the same CA are not touched.
    assert_eq!(
        reason(&world, "--crl zj-2.crl --crl root.crl certs-a/clerk.pem"),
        (0, "valid".into())
    );
    // A CRL by another CA of the same name says nothing.
    world.run("ca init --dir evil --display Zhejiang --no-passphrase").ok();
    world.run("ca crl --ca evil --out evil.crl").ok();
    assert_eq!(
        reason(&world, "--crl evil.crl --crl root.crl li.pem"),
        (1, "RevocationUnknown".into())
    );

    let Some((code, said)) = openssl(&world, "req -in li.csr -verify -noout") else { return };
    assert_eq!(code, 0, "{said}");
    let verify = |crl: &str| {
        let (from, to) = (world.path(crl), world.path("all.crl"));
        let both = [std::fs::read(from).unwrap(), std::fs::read(world.path("root.crl")).unwrap()];
        std::fs::write(to, both.concat()).unwrap();
        let line = "verify -crl_check_all -CAfile root/ca.pem -untrusted zj/ca.pem -CRLfile all.crl li.pem";
        openssl(&world, line).unwrap()
    };
    let (code, said) = verify("zj-1.crl");
    assert_eq!(code, 0, "{said}");
    let (code, said) = verify("zj-2.crl");
    assert!(code != 0 && said.contains("certificate revoked"), "{said}");
}

#[test]
fn what_openssl_makes_is_taken_or_refused_with_the_reason() {
    let world = World::new();
    let make =
        |line: &str| openssl(&world, line).inspect(|(code, said)| assert_eq!(*code, 0, "{said}"));
    let ec = "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ec.key -subj /CN=Wang \
              -addext subjectAltName=email:wang@a.zj.gov.cn -out ec.csr";
    if make(ec).is_none() {
        return;
    }
    world.run("ca sign-request --ca zj --profile officer --out wang.pem ec.csr").ok();
    assert_eq!(reason(&world, "--name email:wang@a.zj.gov.cn wang.pem"), (0, "valid".into()));
    assert_eq!(reason(&world, "--name email:li@a.zj.gov.cn wang.pem"), (1, "NameMismatch".into()));
    make("req -new -newkey rsa:2048 -nodes -keyout rsa.key -subj /CN=Weak -out rsa.csr").unwrap();
    let weak = "ca sign-request --ca zj --profile officer --name w@a.zj.gov.cn --out w.pem rsa.csr";
    world.run(weak).refused(2, "CHY-2004");

    // A TLS server under somebody else's RSA root.
    make(
        "req -x509 -newkey rsa:3072 -nodes -keyout r.key -subj /CN=R -days 30 -out r.pem -addext \
          keyUsage=critical,keyCertSign,cRLSign",
    )
    .unwrap();
    world.write(
        "ext",
        b"subjectAltName=DNS:*.example.cn,IP:10.0.0.1\nextendedKeyUsage=serverAuth\n\
          keyUsage=digitalSignature\nbasicConstraints=critical,CA:false\nauthorityKeyIdentifier=keyid\n",
    );
    make("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout s.key -subj /CN=*.example.cn -out s.csr").unwrap();
    make("x509 -req -in s.csr -CA r.pem -CAkey r.key -CAcreateserial -days 20 -extfile ext -out s.pem").unwrap();
    let server = |name: &str| {
        let line =
            format!("--json cert verify --anchor r.pem --purpose server --name {name} s.pem");
        world.run(&line).code
    };
    // A common name that is none of its names is refused and, where that is let pass, counts for nothing.
    let other = "req -new -key s.key -subj /CN=www.other.cn -out o.csr";
    make(other).unwrap();
    make("x509 -req -in o.csr -CA r.pem -CAkey r.key -days 20 -extfile ext -out o.pem").unwrap();
    let named = |more: &str, name: &str| {
        let line = format!(
            "--json cert verify --anchor r.pem --purpose server {more} --name {name} o.pem"
        );
        world.run(&line).json()["reason"].as_str().unwrap_or("valid").to_owned()
    };
    assert_eq!(named("", "dns:www.example.cn"), "Profile");
    assert_eq!(named("--lenient", "dns:www.example.cn"), "valid");
    assert_eq!(named("--lenient", "dns:www.other.cn"), "NameMismatch");
    assert_eq!(server("dns:www.example.cn"), 0);
    assert_eq!(server("ip:10.0.0.1"), 0);
    // One label only, not the bare domain, not the common name.
    for name in ["dns:a.b.example.cn", "dns:example.cn", "dns:www.other.cn", "ip:10.0.0.2"] {
        assert_eq!(server(name), 1, "{name}");
    }
    assert_eq!(world.run("cert verify --anchor r.pem --purpose client s.pem").code, 1);
    assert_eq!(world.run("cert verify --anchor r.pem --purpose sign s.pem").code, 1);
    assert_eq!(world.run("cert verify --anchor r.pem --name nonsense s.pem").code, 2);
}

#[test]
fn weak_keys_are_refused_with_the_reason_and_strong_ones_of_others_certified() {
    let world = World::new();
    let request = |name: &str, key: &str| {
        let line = format!(
            "req -new -newkey {key} -nodes -keyout {name}.key -out {name}.csr -subj /CN={name} -addext \
             subjectAltName=email:{name}@a.zj.gov.cn"
        );
        openssl(&world, &line).is_some_and(|(code, _)| code == 0)
    };
    let sign = |name: &str| {
        world.run(&format!("ca sign-request --ca zj --profile officer --out {name}.pem {name}.csr"))
    };
    for (name, key, why) in [
        ("rsa1", "rsa:1024", "weak"),
        ("rsa2", "rsa:2048", "2048 bits is too weak; at least 3072"),
        ("p192", "ec -pkeyopt ec_paramgen_curve:prime192v1", "too weak or not known"),
        ("p521", "ec -pkeyopt ec_paramgen_curve:P-521", "too weak or not known"),
    ] {
        if !request(name, key) {
            return;
        }
        let answer = sign(name);
        assert!(answer.code == 2 && answer.stderr.contains(why), "{name}: {answer:?}");
        assert!(!world.path(&format!("{name}.pem")).exists());
    }
    for (name, key) in
        [("rsa3", "rsa:3072"), ("p384", "ec -pkeyopt ec_paramgen_curve:P-384"), ("ed", "ed25519")]
    {
        assert!(request(name, key));
        sign(name).ok();
        let line = format!("verify -CAfile root/ca.pem -untrusted zj/ca.pem {name}.pem");
        assert_eq!(openssl(&world, &line).unwrap().0, 0, "{name}");
        assert_eq!(reason(&world, &format!("{name}.pem")), (0, "valid".into()), "{name}");
    }
}

#[test]
fn chains_of_others_verify_also_with_rsa_pss() {
    let world = World::new();
    let pss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -sha256";
    let root = format!(
        "req -x509 -newkey rsa:3072 -nodes -keyout o.key -out o.pem -subj /CN=O -days 9 {pss}"
    );
    if openssl(&world, &root).is_none_or(|(code, _)| code != 0) {
        return;
    }
    let leaf = "req -newkey rsa:2048 -nodes -keyout l.key -out l.csr -subj /CN=L";
    openssl(&world, leaf).unwrap();
    let sign = format!("x509 -req -in l.csr -CA o.pem -CAkey o.key -out l.pem -days 5 {pss}");
    assert_eq!(openssl(&world, &sign).unwrap().0, 0);
    // OpenSSL gives neither the extensions that RFC 5280 §4 wants.
    let verify = "--json cert verify --lenient --anchor o.pem l.pem";
    assert_eq!(world.run(verify).code, 0);
    for salt in ["0", "20", "48", "max"] {
        let odd = sign.replace("saltlen:32", &format!("saltlen:{salt}"));
        assert_eq!(openssl(&world, &odd).unwrap().0, 0);
        assert_eq!(world.run(verify).code, 0, "{salt}");
        // And what is changed in it does not verify.
        let mut der = pem_contents(&std::fs::read_to_string(world.path("l.pem")).unwrap());
        *der.last_mut().unwrap() ^= 1;
        world.write("changed.der", &der);
        let changed = world.run("--json cert verify --lenient --anchor o.pem changed.der");
        assert_eq!(changed.json()["reason"], "BadSignature", "{salt}");
    }
    let mask = format!("{sign} -sigopt rsa_mgf1_md:sha1");
    assert_eq!(openssl(&world, &mask).unwrap().0, 0);
    let answer = world.run(verify);
    assert_eq!(answer.json()["reason"], "UnsupportedAlgorithm");
    assert!(answer.stdout.contains("1.2.840.113549.1.1.10"), "{answer:?}");
}

fn pem_contents(text: &str) -> Vec<u8> {
    chancery_certs::certificate_blocks(text.as_bytes()).unwrap().remove(0)
}

#[test]
fn what_is_not_supported_is_called_that_with_its_identifier() {
    let world = World::bare();
    for (name, key, hash, identifier) in [
        ("SM2", "-algorithm SM2", "-sm3", "1.2.156.10197.1.501"),
        (
            "brainpool",
            "-algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1",
            "-sha256",
            "1.3.36.3.3.2.8.1.1.7",
        ),
        ("P-521", "-algorithm EC -pkeyopt ec_paramgen_curve:P-521", "-sha256", "1.3.132.0.35"),
        ("Ed448", "-algorithm ED448", "", "1.3.101.113"),
        ("RSA-1024", "-algorithm RSA -pkeyopt rsa_keygen_bits:1024", "-sha256", "1024 bits"),
        ("SHA-1", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048", "-sha1", "1.2.840.113549.1.1.5"),
    ] {
        let made = |line: &str| openssl(&world, line).is_some_and(|(code, _)| code == 0);
        world.write(
            "e",
            b"keyUsage=critical,nonRepudiation\nsubjectAltName=email:li@hz.zj.gov.cn\n",
        );
        let all = made(&format!("genpkey {key} -out r.key"))
            && made(&format!("req -x509 -new -key r.key {hash} -subj /CN=Root -days 9 -out r.pem"))
            && made(&format!("req -new -key r.key {hash} -subj /CN=Li -out l.csr"))
            && made(&format!(
                "x509 -req -in l.csr -CA r.pem -CAkey r.key {hash} -days 3 -extfile e -set_serial 7 -out l.pem"
            ));
        if !all {
            eprintln!("skipped: openssl does not make {name}");
            continue;
        }
        for more in ["", "--lenient"] {
            let answer = world.run(&format!("--json cert verify {more} --anchor r.pem l.pem"));
            let said = answer.json();
            assert_eq!(said["reason"], "UnsupportedAlgorithm", "{name}: {answer:?}");
            for sentence in ["sentence", "sentence_zh"] {
                let sentence = said[sentence].as_str().unwrap();
                assert!(sentence.contains(identifier) || name == "RSA-1024", "{name}: {sentence}");
                assert!(!sentence.contains("was not signed by"), "{name}: {sentence}");
            }
        }
    }
}
