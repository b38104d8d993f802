//! `chancery bench crypto`: signatures, paths, verdicts and encryption, beside ring's raw rate in the same
//! run.

use std::{collections::BTreeMap, hint::black_box, process::ExitCode, time::Instant};

use chancery_certs::{
    AgencyName, Credential, Issuer, Profile, Purpose, Scrutiny, Subject, TimeStampAuthority,
    TimeStampRequest, TrustStore,
};
use chancery_crypto::{
    Algorithm, Commitment, ContentKey, Digest, HashAlgorithm, Kem, KemPrivateKey, PublicKey,
    SignatureAt, SigningKey, UnsignedElement, XWingBy, unwrap_key,
};
use chancery_ledger::unix_now;
use chancery_protocol::{
    DocumentHeader, ENCRYPTED_FILE_CHUNK_PLAINTEXT, FileOpener, FileSealer, Indication, Part,
    SignedDocument, Urgency, sign_document, verify_document,
};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde_json::{Value, json};

use crate::{failure::Failure, output::Output};

/// The size of a document's text, in bytes.
const TEXT: usize = 10_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  chancery bench crypto --documents 10000 --mib 1024")]
pub(crate) struct Crypto {
    /// Documents of 10 KB to verify
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    documents: usize,
    /// MiB to encrypt and decrypt in memory
    #[arg(long, value_name = "N", default_value_t = 1024)]
    mib: usize,
}

/// Microseconds that one round takes: the best of five runs, each of which lasts for some time.
fn micros(mut work: impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let (start, mut rounds) = (Instant::now(), 0u32);
        while rounds < 3 || start.elapsed().as_millis() < 100 {
            work()?;
            rounds += 1;
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds));
    }
    Ok(best)
}

struct World {
    trust: TrustStore,
    root: Issuer,
    province: Vec<chancery_certs::Certificate>,
    officer: Credential,
    now: i64,
}

fn world() -> Result<World, Failure> {
    let now = unix_now();
    let domain: AgencyName = "gov.cn".parse()?;
    let root = Issuer::new_root("Root", std::slice::from_ref(&domain), Algorithm::Es256, now)?;
    let key = SigningKey::generate(Algorithm::Es256)?;
    let subject = Subject::authority("Province", &[domain], Some(0));
    let made = root.issue(&subject, &key.public_key(), now)?;
    let province = Issuer::new(key, vec![made, root.certificate().clone()])?;
    let key = SigningKey::generate(Algorithm::Es256)?;
    let subject = Subject::officer("li@a.gov.cn".parse()?, "Li");
    let made = province.issue(&subject, &key.public_key(), now)?;
    let chain: Vec<_> = province.chain().cloned().collect();
    let officer = Credential::new(key, std::iter::once(made).chain(chain.clone()).collect())?;
    let trust = TrustStore::new([root.certificate().clone()])?;
    Ok(World { trust, root, province: chain, officer, now })
}

fn header(text: &[u8], now: i64) -> Result<DocumentHeader, Failure> {
    let agency: AgencyName = "a.gov.cn".parse()?;
    Ok(DocumentHeader {
        kind: "通知".into(),
        number: None,
        title: "Benchmark".into(),
        from: agency.clone(),
        to: vec![agency],
        cc: Vec::new(),
        classification: None,
        secrecy_period: None,
        urgency: Urgency::Routine,
        created: now,
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
            size: text.len() as u64,
            digest: Digest::of(text),
        }],
        nonce: Digest::from_bytes(chancery_crypto::random()?),
    })
}

/// Reads and verifies a document with its text, as `chancery verify` does.
fn verify(bytes: &[u8], text: &[u8], world: &World) -> Result<(), Failure> {
    let document = SignedDocument::decode(bytes)?;
    let mut report = verify_document(&document, &world.trust, world.now);
    if let Some(part) = document.header().parts.first() {
        report.check_part(part, Some(Digest::of(text)));
    }
    if report.indication == Indication::TotalPassed { Ok(()) } else { Err(Failure::unexpected()) }
}

impl Crypto {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let world = world()?;
        let sections = [
            ("keys", keys()?),
            ("encapsulation", encapsulation()?),
            ("documents", self.documents(&world)?),
            ("time-stamps", stamps(&world)?),
            ("encryption", self.encryption()?),
        ];
        if output.json {
            let all: serde_json::Map<_, _> =
                sections.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            output.print_json(&Value::Object(all));
        } else {
            sections.iter().for_each(|(name, value)| crate::bench::print(name, value));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn documents(&self, world: &World) -> Result<Value, Failure> {
        let text = vec![0x5a; TEXT];
        let made = |_| {
            let header = header(&text, world.now)?;
            let signed = sign_document(&header, &world.officer, Commitment::Approval, world.now)?;
            Ok::<_, Failure>(signed.bytes().to_vec())
        };
        let documents = (0..self.documents.max(1)).map(made).collect::<Result<Vec<_>, _>>()?;
        let one = documents.first().ok_or_else(Failure::unexpected)?;
        // What no verifier can do without: one signature check, and the digests of text and header.
        let document = SignedDocument::decode(one)?;
        let key = world.officer.key().public_key();
        let payload = document.cose().payload().to_vec();
        let signature = document.cose().signature_value(SignatureAt::Signature(0))?;
        // The check of a wrong value costs the same as that of a right one.
        let raw = micros(|| {
            black_box(key.verify(Algorithm::Es256, &payload, &signature).is_err());
            black_box((Digest::of(&text), Digest::of(&payload)));
            Ok(())
        })?;
        let warm = micros(|| verify(one, &text, world))?;
        let leaf = world.officer.chain().first().ok_or_else(Failure::unexpected)?;
        let path = micros(|| {
            let trust = TrustStore::new([world.root.certificate().clone()])?;
            let valid = Scrutiny::without_lists(&trust, world.now).check(
                leaf,
                &world.province,
                Purpose::Sign,
            );
            valid.map(drop).map_err(|_| Failure::unexpected())
        })?;
        let start = Instant::now();
        for bytes in &documents {
            verify(bytes, &text, world)?;
        }
        let all = start.elapsed().as_secs_f64();
        let sign = micros(|| {
            let header = header(&text, world.now)?;
            let made = sign_document(&header, &world.officer, Commitment::Approval, world.now)?;
            black_box(made);
            Ok(())
        })?;
        Ok(json!({
            "sign one of 10 KB, us": sign,
            "raw signature check and hashing, us": raw,
            "verify one of 10 KB, warm chain, us": warm,
            "verify / raw": warm / raw,
            "validate a path of 3 anew, us": path,
            "verified one after the other": documents.len(),
            "documents a second, one core": documents.len() as f64 / all,
        }))
    }

    fn encryption(&self) -> Result<Value, Failure> {
        let key = KemPrivateKey::generate(Kem::XWing);
        let agency: AgencyName = "a.gov.cn".parse()?;
        let recipients = [(agency, key.public_key())];
        let chunks = (self.mib.max(1) << 20) / ENCRYPTED_FILE_CHUNK_PLAINTEXT;
        let size = (chunks * ENCRYPTED_FILE_CHUNK_PLAINTEXT) as u64;
        let mib = size as f64 / f64::from(1 << 20);
        let plain = vec![0x5a; ENCRYPTED_FILE_CHUNK_PLAINTEXT];

        let bad = |_| Failure::unexpected();
        let raw = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(bad)?);
        let mut chunk = plain.clone();
        let start = Instant::now();
        for index in 0..chunks as u64 {
            let mut nonce = [0; 12];
            nonce.iter_mut().zip(index.to_be_bytes()).for_each(|(to, from)| *to = from);
            let nonce = Nonce::assume_unique_for_key(nonce);
            let tag = raw.seal_in_place_separate_tag(nonce, Aad::empty(), &mut chunk);
            black_box(tag.map_err(bad)?.as_ref());
        }
        let raw = mib / start.elapsed().as_secs_f64();

        let start = Instant::now();
        let (mut sealer, head) = FileSealer::new(&recipients, size)?;
        let (mut chunk, mut out) = (Vec::new(), Vec::new());
        for index in 0..chunks {
            chunk.clear();
            chunk.extend_from_slice(&plain);
            out.clear();
            sealer.seal(&mut chunk, index + 1 == chunks, &mut out)?;
            black_box(&out);
        }
        let encrypt = mib / start.elapsed().as_secs_f64();
        // The last chunk sealed is kept to be opened in its place, the rest is opened as it is made.
        let (mut sealer, head_again) = FileSealer::new(&recipients, size)?;
        let body = (chunks * (out.len())) as u64;
        let mut opener = FileOpener::new(&head_again, head_again.len() as u64 + body, &key)?;
        let mut spent = 0.0;
        for index in 0..chunks {
            chunk.clear();
            chunk.extend_from_slice(&plain);
            out.clear();
            sealer.seal(&mut chunk, index + 1 == chunks, &mut out)?;
            let start = Instant::now();
            opener.open(&mut out)?;
            spent += start.elapsed().as_secs_f64();
        }
        black_box(head);
        Ok(json!({
            "MiB": mib,
            "ring AES-256-GCM alone, MiB/s": raw,
            "encrypt to X-Wing in memory, MiB/s": encrypt,
            "encrypt / ring": encrypt / raw,
            "decrypt in memory, MiB/s": mib / spent,
        }))
    }
}

fn keys() -> Result<Value, Failure> {
    let mut out = serde_json::Map::new();
    let message = [0x5a; 256];
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
        let key = SigningKey::generate(algorithm)?;
        let public: PublicKey = key.public_key();
        let signature = key.sign(&message)?;
        let sign = micros(|| {
            black_box(key.sign(&message)?);
            Ok(())
        })?;
        let check = micros(|| Ok(public.verify(algorithm, &message, &signature)?))?;
        out.insert(format!("{} sign, us", algorithm.name()), json!(sign));
        out.insert(format!("{} verify, us", algorithm.name()), json!(check));
    }
    let block = vec![0x5a; 1 << 20];
    let hash = micros(|| {
        black_box(HashAlgorithm::Sha256.digest(&block));
        Ok(())
    })?;
    out.insert("SHA-256, MiB/s".into(), json!(1e6 / hash));
    Ok(Value::Object(out))
}

/// Key encapsulation by the library that this processor runs it with, and by the one that it is held to, in one run.
fn encapsulation() -> Result<Value, Failure> {
    let mut out = serde_json::Map::new();
    let seed = chancery_crypto::random::<32>()?;
    let content = ContentKey::generate()?;
    out.insert("X-Wing is by".into(), json!(XWingBy::here().name()));
    for by in [XWingBy::Graviola, XWingBy::Reference] {
        let read = || KemPrivateKey::from_bytes_by(Kem::XWing, &seed, by);
        // Not on every processor.
        let Ok(key) = read() else { continue };
        let recipient = key.public_key().prepare_by(by)?;
        let wrapped = recipient.wrap(&content, b"bench")?;
        let name = by.name();
        let wrap = micros(|| {
            black_box(recipient.wrap(&content, b"bench")?);
            Ok(())
        })?;
        let unwrap = micros(|| {
            black_box(unwrap_key(&key, &wrapped, b"bench")?);
            Ok(())
        })?;
        let reading = micros(|| {
            black_box(read()?);
            Ok(())
        })?;
        out.insert(format!("X-Wing wrap, {name}, us"), json!(wrap));
        out.insert(format!("X-Wing unwrap, {name}, us"), json!(unwrap));
        out.insert(format!("X-Wing key read, {name}, us"), json!(reading));
    }
    Ok(Value::Object(out))
}

fn stamps(world: &World) -> Result<Value, Failure> {
    let subject = Subject::agency(Profile::Timestamp, "tsa.gov.cn".parse()?, "TSA");
    let key = SigningKey::generate(Algorithm::Es256)?;
    let made = world.root.issue(&subject, &key.public_key(), world.now)?;
    let credential = Credential::new(key, vec![made])?;
    let tsa = TimeStampAuthority::new(credential, "1.2.3.4")?;
    let request = TimeStampRequest::new(b"data")?;
    let answer = micros(|| {
        black_box(tsa.answer(request.der(), world.now)?);
        Ok(())
    })?;
    let text = vec![0x5a; TEXT];
    let header = header(&text, world.now)?;
    let document = sign_document(&header, &world.officer, Commitment::Approval, world.now)?;
    let at = SignatureAt::Signature(0);
    let request = TimeStampRequest::new(&document.cose().signature_value(at)?)?;
    let token = request.accept(&tsa.answer(request.der(), world.now)?.der)?;
    let element = UnsignedElement::SignatureTimeStamp(vec![token.der().to_vec()]);
    let document = document.add_unsigned(at, &element)?;
    let bytes = document.bytes().to_vec();
    let check = micros(|| verify(&bytes, &text, world))?;
    Ok(json!({
        "give a time-stamp, us": answer,
        "verify a document at level T, warm chains, us": check,
    }))
}
