//! The two libraries held to each other, to the draft's vectors and to Project Wycheproof.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

use std::{convert::Infallible, path::PathBuf};

use hpke::rand_core::{TryCryptoRng, TryRng};
use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::*;
use crate::{ContentKey, Kem as Mechanism, KemPrivateKey, XWingBy, random, unwrap_key};

type Slow = Reference;
type Fast = XWing;

/// Gives what it was given.
struct Given<'a>(&'a [u8]);

impl TryRng for Given<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut word = [0; 4];
        self.try_fill_bytes(&mut word).map(|()| u32::from_le_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word).map(|()| u64::from_le_bytes(word))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let (now, later) = self.0.split_at(out.len());
        out.copy_from_slice(now);
        self.0 = later;
        Ok(())
    }
}

impl TryCryptoRng for Given<'_> {}

fn private<K: Kem>(seed: &[u8]) -> K::PrivateKey {
    K::PrivateKey::from_bytes(seed).unwrap()
}

fn public<K: Kem>(seed: &[u8]) -> Vec<u8> {
    K::sk_to_pk(&private::<K>(seed)).to_bytes().to_vec()
}

/// The secret and the ciphertext for a public key; `None` when it is none.
fn encap<K: Kem>(public: &[u8], randomness: &[u8; 64]) -> Option<(Vec<u8>, Vec<u8>)> {
    let public = K::PublicKey::from_bytes(public).ok()?;
    let (secret, encapped) = K::encap_with_rng(&public, None, &mut Given(randomness)).unwrap();
    Some((secret.0.to_vec(), encapped.to_bytes().to_vec()))
}

fn decap<K: Kem>(private: &K::PrivateKey, ciphertext: &[u8]) -> Option<Vec<u8>> {
    let encapped = K::EncappedKey::from_bytes(ciphertext).ok()?;
    Some(K::decap(private, None, &encapped).unwrap().0.to_vec())
}

/// Whether there is anything to compare on this processor.
fn both() -> bool {
    if !supported() {
        eprintln!("skipped: this processor has not what graviola needs");
    }
    supported()
}

/// Points of small order (RFC 7748 §6.1 sends to a list of them), their forms beyond the modulus, and all of those with the
/// bit that X25519 masks.
fn small_order() -> Vec<[u8; 32]> {
    let hex = |text| <[u8; 32]>::try_from(hex::decode::<&str>(text).unwrap()).unwrap();
    let mut points = vec![
        hex("0000000000000000000000000000000000000000000000000000000000000000"),
        hex("0100000000000000000000000000000000000000000000000000000000000000"),
        hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
        hex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        hex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ];
    for index in 0..points.len() {
        let mut masked = points[index];
        masked[31] |= 0x80;
        points.push(masked);
    }
    points
}

#[test]
fn the_vectors_of_the_draft_come_out() {
    if !both() {
        return;
    }
    // Seed of the key, randomness, secret, SHA-256 of public key and of ciphertext (draft-connolly-cfrg-xwing-kem, appendix C).
    let vectors = [
        [
            "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
            "3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2\
             35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2",
            "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384",
            "2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb",
            "17cd532d657e44c897ca6583e548a5424fc70bf54f99515a4d2bcf99e3469f33",
        ],
        [
            "badfd6dfaac359a5efbb7bcc4b59d538df9a04302e10c8bc1cbf1a0b3a5120ea",
            "17cda7cfad765f5623474d368ccca8af0007cd9f5e4c849f167a580b14aabdef\
             aee7eef47cb0fca9767be1fda69419dfb927e9df07348b196691abaeb580b32d",
            "f2e86241c64d60f6649fbc6c5b7d17180b780a3f34355e64a85749949c45f150",
            "c42ba5f8430d7d2c83739338203819f090e8303ce9c8b02107c272bfa5376916",
            "1661ea86d608a1924ba30840cb0a65f13ae051e3aec9cf0f064efc0bc92f2154",
        ],
        [
            "ef58538b8d23f87732ea63b02b4fa0f4873360e2841928cd60dd4cee8cc0d4c9",
            "22a96188d032675c8ac850933c7aff1533b94c834adbb69c6115bad4692d8619\
             f90b0cdf8a7b9c264029ac185b70b83f2801f2f4b3f70c593ea3aeeb613a7f1b",
            "953f7f4e8c5b5049bdc771d1dffada0dd961477d1a2ae0988baa7ea6898d893f",
            "6b080d6b84f095342092fa7a22423e58bd681397ad0ef00eac92bd254db4fa95",
            "d3ca5578500344b5896cffc4fd740c9311946b82951df155e6fd86a7966b43c6",
        ],
    ];
    for vector in vectors {
        let [seed, randomness, secret, key, ciphertext] =
            vector.map(|hex| hex::decode(hex).unwrap());
        let made = public::<Fast>(&seed);
        assert_eq!(digest(&SHA256, &made).as_ref(), key);
        let (shared, sent) = encap::<Fast>(&made, &randomness.try_into().unwrap()).unwrap();
        assert_eq!(shared, secret);
        assert_eq!(digest(&SHA256, &sent).as_ref(), ciphertext);
        assert_eq!(decap::<Fast>(&private::<Fast>(&seed), &sent), Some(secret));
    }
}

#[test]
fn both_libraries_make_the_same_keys_ciphertexts_and_secrets() {
    if !both() {
        return;
    }
    for _ in 0..1_000 {
        let (seed, randomness) = (random::<32>().unwrap(), random::<64>().unwrap());
        let key = public::<Slow>(&seed);
        assert_eq!(public::<Fast>(&seed), key, "seed {}", hex::encode(seed));
        let made = encap::<Slow>(&key, &randomness).unwrap();
        let context =
            || format!("seed {}, randomness {}", hex::encode(seed), hex::encode(randomness));
        assert_eq!(encap::<Fast>(&key, &randomness).unwrap(), made, "{}", context());
        let (secret, ciphertext) = made;
        assert_eq!(
            decap::<Fast>(&private::<Fast>(&seed), &ciphertext),
            Some(secret),
            "{}",
            context()
        );
        let read = private::<Fast>(&seed).to_bytes();
        assert_eq!(read.as_slice(), seed);
        // The way of RFC 9180 §7.1.3 from other bytes to a key.
        let (derived, public) = Fast::derive_keypair(&seed);
        let (slow, slow_public) = Slow::derive_keypair(&seed);
        assert_eq!(derived.to_bytes(), slow.to_bytes());
        assert_eq!(public.to_bytes(), slow_public.to_bytes());
    }
}

#[test]
fn a_damaged_ciphertext_gives_the_same_secret_by_both_and_another_than_the_whole_one() {
    if !both() {
        return;
    }
    for _ in 0..60 {
        let seed = random::<32>().unwrap();
        let (fast, slow) = (private::<Fast>(&seed), private::<Slow>(&seed));
        let (secret, whole) = encap::<Slow>(&public::<Slow>(&seed), &random().unwrap()).unwrap();
        let mut damaged = Vec::new();
        for _ in 0..40 {
            let [low, high, bit] = random().unwrap();
            let mut flipped = whole.clone();
            let at = usize::from(u16::from_le_bytes([low, high])) % flipped.len();
            flipped[at] ^= 1 << (bit % 8);
            damaged.push(flipped);
        }
        // Either half from another ciphertext, of noise, of zeros, of ones.
        let (_, other) = encap::<Slow>(&public::<Slow>(&seed), &random().unwrap()).unwrap();
        damaged.push([&whole[..CIPHERTEXT], &other[CIPHERTEXT..]].concat());
        damaged.push([&other[..CIPHERTEXT], &whole[CIPHERTEXT..]].concat());
        damaged.push([random::<CIPHERTEXT>().unwrap().as_slice(), &whole[CIPHERTEXT..]].concat());
        damaged.push(random::<{ CIPHERTEXT + 32 }>().unwrap().to_vec());
        damaged.extend([0, 0xff].map(|byte| vec![byte; CIPHERTEXT + 32]));
        let half = |point: [u8; 32]| [&whole[..CIPHERTEXT], &point].concat();
        damaged.extend(small_order().into_iter().map(half));
        for ciphertext in damaged {
            let context = || format!("seed {}: {}", hex::encode(seed), hex::encode(&ciphertext));
            let by_slow = decap::<Slow>(&slow, &ciphertext).unwrap();
            assert_eq!(decap::<Fast>(&fast, &ciphertext).unwrap(), by_slow, "{}", context());
            assert_ne!(by_slow, secret, "{}", context());
        }
        for wrong in [&whole[1..], &[], &[whole.as_slice(), &[0]].concat()] {
            assert_eq!(decap::<Fast>(&fast, wrong), None);
            assert_eq!(decap::<Slow>(&slow, wrong), None);
        }
    }
}

#[test]
fn both_libraries_take_and_refuse_the_same_public_keys() {
    if !both() {
        return;
    }
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..100 {
        let whole = public::<Slow>(&random::<32>().unwrap());
        let mut keys: Vec<Vec<u8>> = Vec::new();
        for _ in 0..10 {
            let [low, high, bit] = random().unwrap();
            let mut flipped = whole.clone();
            let at = usize::from(u16::from_le_bytes([low, high])) % flipped.len();
            flipped[at] ^= 1 << (bit % 8);
            keys.push(flipped);
        }
        // Coefficients about the modulus 3329, first and second of a pair.
        for value in [3328u16, 3329, 3330, 4095] {
            let mut key = whole.clone();
            key[3] = value.to_le_bytes()[0];
            key[4] = (key[4] & 0xf0) | value.to_le_bytes()[1];
            keys.push(key.clone());
            key[4] = (key[4] & 0x0f) | (value.to_le_bytes()[0] << 4);
            key[5] = (value >> 4).to_le_bytes()[0];
            keys.push(key);
        }
        for point in small_order() {
            keys.push([&whole[..ENCAP_KEY], &point].concat());
        }
        keys.extend([whole[1..].to_vec(), [whole.as_slice(), &[0]].concat(), Vec::new()]);
        keys.extend([0, 0xff].map(|byte| vec![byte; whole.len()]));
        for key in keys {
            let randomness = random().unwrap();
            let by_slow = encap::<Slow>(&key, &randomness);
            assert_eq!(encap::<Fast>(&key, &randomness), by_slow, "{}", hex::encode(&key));
            if by_slow.is_some() { taken += 1 } else { refused += 1 }
        }
    }
    assert!(taken > 1_000 && refused > 500, "{taken} taken, {refused} refused");
}

#[test]
fn what_one_library_wraps_the_other_unwraps_and_damage_shows_in_both() {
    if !both() {
        return;
    }
    let ways = [XWingBy::Graviola, XWingBy::Reference];
    for _ in 0..100 {
        let seed = random::<32>().unwrap();
        let read = |by| KemPrivateKey::from_bytes_by(Mechanism::XWing, &seed, by).unwrap();
        let content = ContentKey::generate().unwrap();
        assert_eq!(read(ways[0]).public_key(), read(ways[1]).public_key());
        for (from, to) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let recipient = read(ways[to]).public_key().prepare_by(ways[from]).unwrap();
            let mut wrapped = recipient.wrap(&content, b"info").unwrap();
            let opened = unwrap_key(&read(ways[to]), &wrapped, b"info").unwrap();
            assert_eq!(opened.expose(), content.expose());
            let [low, high, bit] = random().unwrap();
            let at = usize::from(u16::from_le_bytes([low, high])) % wrapped.enc.len();
            wrapped.enc[at] ^= 1 << (bit % 8);
            for by in ways {
                assert!(unwrap_key(&read(by), &wrapped, b"info").is_err());
            }
        }
    }
}

fn suite(name: &str) -> Option<Vec<Value>> {
    let given = std::env::var_os("CHANCERY_TESTDATA").map(PathBuf::from);
    let root = given.unwrap_or_else(|| PathBuf::from("../../shared/testdata"));
    let path = root.join("wycheproof").join(name);
    let Ok(text) = std::fs::read(&path) else {
        eprintln!("skipped: {} is not there (set CHANCERY_TESTDATA)", path.display());
        return None;
    };
    let suite: Value = serde_json::from_slice(&text).unwrap();
    let groups = suite["testGroups"].as_array().unwrap();
    Some(groups.iter().flat_map(|group| group["tests"].as_array().unwrap().clone()).collect())
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap_or_default()).unwrap()
}

#[test]
fn wycheproof_ml_kem_768() {
    let (true, Some(cases)) = (both(), suite("mlkem_768_test.json")) else { return };
    let mut right = 0;
    for case in &cases {
        let id = &case["tcId"];
        let (seed, ciphertext) = (bytes(&case["seed"]), bytes(&case["c"]));
        let half: [u8; 32] = random().unwrap();
        let of = [ciphertext.as_slice(), half.as_slice()].concat();
        let (Ok(seed), Ok(encapped)) = (seed.try_into(), EncappedKey::from_bytes(&of)) else {
            assert_eq!(case["result"], "invalid", "{id}");
            right += 1;
            continue;
        };
        let key = PrivateKey::of_halves(Zeroizing::new([0; 32]), &seed, &half);
        assert_eq!(key.0.public.ml_kem.as_bytes().to_vec(), bytes(&case["ek"]), "{id}");
        let secret = key.0.ml_kem.decaps_internal(&encapped.ml_kem);
        let same = secret.as_ref().to_vec() == bytes(&case["K"]);
        assert_eq!(same, case["result"] == "valid", "{id}");
        right += 1;
    }
    eprintln!("mlkem_768_test.json: {right} right");
    assert!(right > 150);
}

#[test]
fn wycheproof_x25519() {
    let (true, Some(cases)) = (both(), suite("x25519_test.json")) else { return };
    for case in &cases {
        // X-Wing takes a zero secret, as many of the cases that are called acceptable have it.
        let private = Scalar::try_from_slice(&bytes(&case["private"])).unwrap();
        let agreed = agree(&private, &bytes(&case["public"]).try_into().unwrap());
        assert_eq!(agreed.to_vec(), bytes(&case["shared"]), "{}", case["tcId"]);
    }
    eprintln!("x25519_test.json: {} right", cases.len());
    assert!(cases.len() > 500);
}
