//! The NIST Public Key Interoperability Test Suite: path validation with CRLs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

use std::path::PathBuf;

use chancery_certs::{
    Certificate, Crl, KnownCrl, Purpose, RevocationCheck, TrustStore, decode_crls, decode_pem_chain,
};
use serde_json::Value;

/// 2026-01-01: within the validity of all certificates of the suite that are to be valid.
const AT: i64 = 1_767_225_600;

fn folder() -> Option<PathBuf> {
    let root = std::env::var_os("CHANCERY_TESTDATA").map_or_else(
        || {
            PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo test"))
                .join("../../shared/testdata")
        },
        PathBuf::from,
    );
    Some(root.join("pkits")).filter(|folder| folder.join("cases.json").exists())
}

#[test]
fn no_false_accept_and_nearly_all_right() {
    let Some(folder) = folder() else {
        eprintln!("skipped: the PKITS data is not here (CHANCERY_TESTDATA)");
        return;
    };
    let read = |name: &Value| std::fs::read(folder.join(name.as_str().unwrap())).unwrap();
    let cases: Value = serde_json::from_slice(&read(&"cases.json".into())).unwrap();
    let anchor = decode_pem_chain(&read(&cases["anchor"])).unwrap();
    // Its certificates are older than RFC 5280 and break §4 on purpose: path validation is what it tests.
    let trust = TrustStore::new(anchor).unwrap().lenient();
    let list = |case: &Value, key: &str| case[key].as_array().unwrap().clone();
    let (mut right, mut false_accepts, mut false_refusals) = (0, Vec::new(), Vec::new());
    for case in cases["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap().to_owned();
        let verdict = (|| {
            let certificate = |name: &Value| Certificate::from_der(&read(name));
            let leaf = certificate(&case["leaf"]).map_err(|e| e.to_string())?;
            let above = list(case, "intermediates");
            let above: Vec<_> = above.iter().filter_map(|n| certificate(n).ok()).collect();
            let crls = list(case, "crls");
            let crls: Vec<Crl> =
                crls.iter().filter_map(|n| decode_crls(&read(n)).ok()).flatten().collect();
            let known: Vec<_> = crls.iter().map(|crl| KnownCrl { crl, since: AT }).collect();
            let check = RevocationCheck::Current(&known);
            trust
                .validate_by(&leaf, &above, &check, AT, Purpose::Any)
                .map(drop)
                .map_err(|e| e.to_string())
        })();
        match (case["expected"] == "valid", verdict) {
            (true, Ok(())) | (false, Err(_)) => right += 1,
            (true, Err(why)) => false_refusals.push(format!("{id}: {why}")),
            (false, Ok(())) => false_accepts.push(id),
        }
    }
    eprintln!("PKITS: {right} right; refused although valid: {false_refusals:#?}");
    assert!(false_accepts.is_empty(), "accepted although not valid: {false_accepts:#?}");
    assert!(right >= 170, "{right} right");
}
