//! The examples of the COSE working group: signed messages with the algorithms that are used here.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chancery_crypto::{CoseMessage, MessageSignatureKind as Kind, PublicKey};
use serde_json::Value;

fn folder() -> Option<PathBuf> {
    let given = std::env::var_os("CHANCERY_TESTDATA").map(PathBuf::from);
    let root = given.unwrap_or_else(|| PathBuf::from("../../shared/testdata"));
    let folder = root.join("cose");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there (set CHANCERY_TESTDATA)", folder.display());
    None
}

/// The key of a case, when its curve is one of ours.
fn key(case: &Value) -> Option<PublicKey> {
    let part = |name: &str| {
        let text = |name: &str| case["key"][name].as_str();
        let hex = text(&format!("{name}_hex")).map(|t| hex::decode(t).unwrap());
        hex.or_else(|| text(name).map(|t| URL_SAFE_NO_PAD.decode(t).unwrap()))
    };
    let point = || [vec![4], part("x").unwrap(), part("y").unwrap()].concat();
    match case["key"]["crv"].as_str()? {
        "P-256" => Some(PublicKey::P256(point())),
        "P-384" => Some(PublicKey::P384(point())),
        "Ed25519" => Some(PublicKey::Ed25519(part("x")?)),
        _ => None,
    }
}

fn list(value: &Value) -> Vec<Value> {
    value["signers"].as_array().cloned().unwrap_or_default()
}

/// The keys in the order in which a message's signatures are read, with their kinds.
fn wanted(input: &Value) -> Vec<(Kind, Option<PublicKey>, Vec<u8>)> {
    let aad = |case: &Value| {
        let text = case["external"].as_str().unwrap_or_default();
        hex::decode(text).unwrap()
    };
    let mut out = Vec::new();
    let counters = |target: &Value, out: &mut Vec<_>| {
        for one in list(&target["countersign0"]) {
            out.push((Kind::Countersignature0, key(&one), aad(&one)));
        }
        for one in list(&target["countersign"]) {
            out.push((Kind::Countersignature, key(&one), aad(&one)));
        }
    };
    if input["sign"].is_object() {
        let sign = &input["sign"];
        for one in list(sign) {
            out.push((Kind::Signature, key(&one), aad(&one)));
            counters(&one, &mut out);
        }
        counters(sign, &mut out);
    } else {
        let sign = &input["sign0"];
        out.push((Kind::Signature1, key(sign), aad(sign)));
        counters(sign, &mut out);
    }
    out
}

#[test]
fn the_working_groups_examples_come_out_right() {
    let Some(folder) = folder() else { return };
    let (mut passed, mut failed, mut foreign, mut checked) = (0, 0, 0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let Ok(cases) = std::fs::read_dir(entry.unwrap().path()) else { continue };
        for path in cases.map(|case| case.unwrap().path()) {
            if path.extension().is_none_or(|e| e != "json") {
                continue;
            }
            let Ok(case) = serde_json::from_slice::<Value>(&std::fs::read(&path).unwrap()) else {
                continue;
            };
            let input = &case["input"];
            if !input["sign"].is_object() && !input["sign0"].is_object() {
                continue;
            }
            let name = path.display();
            let bytes = hex::decode(case["output"]["cbor"].as_str().unwrap()).unwrap();
            // One example has a critical parameter, "reserved", that only its application knows.
            let special = path.ends_with("RFC8152/Appendix_C_1_4.json");
            let known: &[&str] = if special { &["reserved"] } else { &[] };
            assert!(!special || CoseMessage::decode(&bytes, &[]).is_err(), "{name}");
            let message = CoseMessage::decode(&bytes, known);
            let wanted = wanted(input);
            if case["fail"] == true {
                // Refused on reading, or no signature of it verifies.
                let verified = message.is_ok_and(|message| {
                    wanted.iter().enumerate().any(|(i, (_, key, aad))| {
                        let key = key.as_ref().unwrap();
                        message.verify(i, key, aad, None).is_ok()
                    })
                });
                assert!(!verified, "{name} must fail");
                failed += 1;
                continue;
            }
            let message = message.unwrap_or_else(|e| panic!("{name}: {e}"));
            let kinds: Vec<_> = message.signatures().iter().map(|s| s.kind).collect();
            let want: Vec<_> = wanted.iter().map(|(kind, ..)| *kind).collect();
            assert_eq!(kinds, want, "{name}");
            let mut any = false;
            for (i, (_, key, aad)) in wanted.iter().enumerate() {
                // Ed448, ES512, RSA and hash-based signatures are not used here.
                let known = message.signatures()[i].algorithm.is_some()
                    || message.signatures()[i].kind == Kind::Countersignature0;
                let Some(key) = key.as_ref().filter(|_| known) else { continue };
                message.verify(i, key, aad, None).unwrap_or_else(|e| panic!("{name} {i}: {e}"));
                let mut other = aad.clone();
                other.push(0);
                assert!(message.verify(i, key, &other, None).is_err(), "{name} {i}");
                any = true;
                checked += 1;
            }
            if any { passed += 1 } else { foreign += 1 }
        }
    }
    eprintln!(
        "COSE: {passed} messages verified ({checked} signatures), {failed} that must fail did, \
         {foreign} by algorithms that are not used here"
    );
    assert!(passed >= 28 && failed >= 11, "{passed} {failed}");
}
