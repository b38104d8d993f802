//! Signing, verifying, encrypting: `cargo bench -p chancery-protocol`. `chancery bench crypto` says the same in
//! one line each, beside ring's raw rate.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::{collections::BTreeMap, hint::black_box};

use chancery_certs::{Credential, Issuer, Profile, Purpose, Scrutiny, Subject, TrustStore};
use chancery_crypto::{Algorithm, Commitment, Digest, Kem, KemPrivateKey, SigningKey};
use chancery_protocol::{
    DocumentHeader, ENCRYPTED_FILE_CHUNK_PLAINTEXT, FileSealer, Part, SignedDocument, Urgency,
    sign_document, verify_document,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const NOW: i64 = 1_790_000_000;

fn header() -> DocumentHeader {
    let text = vec![0x5a; 10_000];
    DocumentHeader {
        kind: "通知".into(),
        number: None,
        title: "Benchmark".into(),
        from: "a.gov.cn".parse().unwrap(),
        to: vec!["b.gov.cn".parse().unwrap()],
        cc: Vec::new(),
        classification: None,
        secrecy_period: None,
        urgency: Urgency::Routine,
        created: NOW,
        deadline: None,
        in_reply_to: None,
        module: "official-documents".into(),
        fields: BTreeMap::new(),
        crit: Vec::new(),
        filing: None,
        form: Default::default(),
        parts: vec![Part {
            name: "text".into(),
            media_type: "text/plain".into(),
            size: 10_000,
            digest: Digest::of(&text),
        }],
        nonce: Digest::of(b"nonce"),
    }
}

fn signatures(c: &mut Criterion) {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let name = algorithm.name();
        let root = Issuer::new_root("Root", &[], algorithm, NOW).unwrap();
        let key = SigningKey::generate(algorithm).unwrap();
        let subject = Subject::agency(Profile::Seal, "a.gov.cn".parse().unwrap(), "A");
        let seal = root.issue(&subject, &key.public_key(), NOW).unwrap();
        let trust = TrustStore::new([root.certificate().clone()]).unwrap();
        let credential = Credential::new(key, vec![seal.clone()]).unwrap();
        let header = header();
        let sign = || sign_document(&header, &credential, Commitment::Origin, NOW).unwrap();
        let bytes = sign().bytes().to_vec();
        let raw = credential.key().sign(&bytes).unwrap();
        let public = credential.key().public_key();
        let mut group = c.benchmark_group(name);
        group.bench_function("raw verify", |b| {
            b.iter(|| public.verify(algorithm, black_box(&bytes), &raw).unwrap());
        });
        group.bench_function("sign a document", |b| b.iter(sign));
        group.bench_function("verify a document, warm chain", |b| {
            b.iter(|| {
                let document = SignedDocument::decode(black_box(&bytes)).unwrap();
                verify_document(&document, &trust, NOW)
            });
        });
        group.bench_function("validate a path anew", |b| {
            b.iter(|| {
                let trust = TrustStore::new([root.certificate().clone()]).unwrap();
                Scrutiny::without_lists(&trust, NOW)
                    .check(black_box(&seal), &[], Purpose::Sign)
                    .unwrap()
            });
        });
        group.finish();
    }
}

fn encryption(c: &mut Criterion) {
    let key = KemPrivateKey::generate(Kem::XWing).public_key();
    let to = [("a.gov.cn".parse().unwrap(), key)];
    let mut group = c.benchmark_group("encrypt");
    group.throughput(Throughput::Bytes(64 * ENCRYPTED_FILE_CHUNK_PLAINTEXT as u64));
    group.bench_function("4 MiB to one recipient", |b| {
        b.iter(|| {
            let size = 64 * ENCRYPTED_FILE_CHUNK_PLAINTEXT;
            let (mut sealer, mut out) = FileSealer::new(&to, size as u64).unwrap();
            for index in 0..64 {
                let mut chunk = vec![0x5a; ENCRYPTED_FILE_CHUNK_PLAINTEXT];
                sealer.seal(&mut chunk, index == 63, &mut out).unwrap();
                out.clear();
            }
        });
    });
    group.finish();
}

criterion_group!(benches, signatures, encryption);
criterion_main!(benches);
