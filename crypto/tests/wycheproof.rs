//! Project Wycheproof: edge cases of the algorithms that are used here, through our own functions.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

use std::path::PathBuf;

use chancery_crypto::{Algorithm, HashAlgorithm, PublicKey, SignatureScheme};
use serde_json::Value;

fn suite(name: &str) -> Option<Value> {
    let given = std::env::var_os("CHANCERY_TESTDATA").map(PathBuf::from);
    let root = given.unwrap_or_else(|| PathBuf::from("../../shared/testdata"));
    let folder = root.join("wycheproof");
    let path = folder.join(name);
    if !path.exists() {
        eprintln!("skipped: {} is not there (set CHANCERY_TESTDATA)", path.display());
        return None;
    }
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

/// Runs every case; what is invalid must be refused, what is valid accepted.
fn run(name: &str, check: impl Fn(&Value, &Value) -> bool) {
    let Some(suite) = suite(name) else { return };
    let (mut right, mut wrong) = (0, Vec::new());
    for group in suite["testGroups"].as_array().unwrap() {
        for case in group["tests"].as_array().unwrap() {
            let accepted = check(group, case);
            match case["result"].as_str().unwrap() {
                "valid" if accepted => right += 1,
                "invalid" if !accepted => right += 1,
                "acceptable" => right += 1,
                result => wrong.push(format!("{} {result}: {}", case["tcId"], case["comment"])),
            }
        }
    }
    eprintln!("{name}: {right} right");
    assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    assert!(right > 0);
}

fn point(group: &Value) -> Vec<u8> {
    let key = if group["publicKey"].is_object() { &group["publicKey"] } else { &group["key"] };
    bytes(&key["uncompressed"])
}

#[test]
fn ecdsa_in_the_form_of_x509() {
    let der = |key: PublicKey, scheme, case: &Value| {
        key.verify_der(scheme, &bytes(&case["msg"]), &bytes(&case["sig"])).is_ok()
    };
    run("ecdsa_secp256r1_sha256_test.json", |group, case| {
        der(PublicKey::P256(point(group)), SignatureScheme::EcdsaSha256, case)
    });
    run("ecdsa_secp384r1_sha384_test.json", |group, case| {
        der(PublicKey::P384(point(group)), SignatureScheme::EcdsaSha384, case)
    });
}

#[test]
fn ed25519() {
    run("ed25519_test.json", |group, case| {
        let key = if group["publicKey"].is_object() { &group["publicKey"] } else { &group["key"] };
        let key = PublicKey::Ed25519(bytes(&key["pk"]));
        key.verify(Algorithm::EdDsa, &bytes(&case["msg"]), &bytes(&case["sig"])).is_ok()
    });
}

#[test]
fn rsa_pss() {
    run("rsa_pss_2048_sha256_mgf1_32_test.json", |group, case| {
        let key = if group["publicKey"].is_object() { &group["publicKey"] } else { &group["key"] };
        let der = |bytes: Vec<u8>| {
            // An INTEGER: minimal, and positive.
            let mut digits: Vec<u8> = bytes.into_iter().skip_while(|b| *b == 0).collect();
            if digits.first().is_none_or(|first| first & 0x80 != 0) {
                digits.insert(0, 0);
            }
            [vec![2], length(digits.len()), digits].concat()
        };
        let both = [der(bytes(&key["modulus"])), der(bytes(&key["publicExponent"]))].concat();
        let key = PublicKey::Rsa([vec![0x30], length(both.len()), both].concat());
        let (message, signature) = (bytes(&case["msg"]), bytes(&case["sig"]));
        let holds = key.verify_der(SignatureScheme::RsaPssSha256, &message, &signature).is_ok();
        // The verifier for salts of other lengths says the same of this one.
        let scheme = SignatureScheme::RsaPss { hash: HashAlgorithm::Sha256, salt: 32 };
        assert_eq!(key.verify_der(scheme, &message, &signature).is_ok(), holds, "{case}");
        let scheme = SignatureScheme::RsaPss { hash: HashAlgorithm::Sha256, salt: 31 };
        let short = key.verify_der(scheme, &message, &signature).is_ok();
        assert_eq!(short, case["comment"] == "s_len changed to 31", "{case}");
        holds
    });
}

fn length(n: usize) -> Vec<u8> {
    if n < 128 { vec![n as u8] } else { vec![0x82, (n >> 8) as u8, n as u8] }
}
