//! Certificates as RFC 5280 §4 and the profiles of TLS servers want them, and as they do not: what `cert verify`
//! says of each, strictly and leniently.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use chancery_crypto::{Algorithm, SigningKey};
use chancery_tests::{
    World,
    forge::{
        CERTIFIES, DIGITAL_SIGNATURE, ForgedCertificate, algorithm, alternative_names, authority,
        common_name, dns, email, extended_key_usage, extension, key_usage, names, oid, pem,
        sequence, time, tlv, uri,
    },
};

const SERVER: &str = "1.3.6.1.5.5.7.3.1";
const CLIENT: &str = "1.3.6.1.5.5.7.3.2";
const AKI: &str = "2.5.29.35";
const SKI: &str = "2.5.29.14";
const SAN: &str = "2.5.29.17";
const NAME_CONSTRAINTS: &str = "2.5.29.30";

/// A root, an intermediate if there is one, and a leaf, each before it is signed.
struct Chain {
    root: ForgedCertificate,
    middle: Option<ForgedCertificate>,
    leaf: ForgedCertificate,
    keys: [SigningKey; 3],
}

fn has(encoded: &[u8], id: &str) -> bool {
    encoded.windows(oid(id).len()).any(|window| window == oid(id))
}

/// Puts an extension in place of the one of its kind, or takes that away.
fn replace(certificate: &mut ForgedCertificate, id: &str, by: Option<Vec<u8>>) {
    certificate.extensions.retain(|e| !has(e, id));
    certificate.extensions.extend(by);
}

fn add(certificate: &mut ForgedCertificate, extension: Vec<u8>) {
    certificate.extensions.push(extension);
}

fn key_id(id: &str, name: &str) -> Vec<u8> {
    let value = match id {
        SKI => tlv(4, name.as_bytes()),
        _ => sequence(&[&tlv(0x80, name.as_bytes())]),
    };
    extension(id, false, &value)
}

impl Chain {
    fn new(middle: bool) -> Self {
        let keys = [(); 3].map(|()| SigningKey::generate(Algorithm::Es256).unwrap());
        let now = chancery_ledger::unix_now();
        let make =
            |name: &str, by: &str, key: &SigningKey, extensions: Vec<Vec<u8>>| ForgedCertificate {
                version: tlv(0xa0, &tlv(2, &[2])),
                serial: tlv(2, &[0x40, 1, 2, 3, 4, 5, 6, 7, 8]),
                algorithm: algorithm(&keys[0]),
                issuer: common_name(by),
                validity: sequence(&[&time(now - 3600), &time(now + 30 * 86_400)]),
                subject: common_name(name),
                key: key.public_key().spki_der().unwrap(),
                extensions,
            };
        let ca = |name: &str, by: Option<&str>| {
            let own = [authority(None), key_usage(CERTIFIES), key_id(SKI, name)];
            own.into_iter().chain(by.map(|by| key_id(AKI, by))).collect::<Vec<_>>()
        };
        let above = if middle { "Middle" } else { "Root" };
        let leaf = vec![
            key_usage(DIGITAL_SIGNATURE),
            extended_key_usage(false, &[SERVER]),
            key_id(AKI, above),
            alternative_names(&names(&[dns("example.com")])),
        ];
        Self {
            root: make("Root", "Root", &keys[0], ca("Root", None)),
            middle: middle.then(|| make("Middle", "Root", &keys[1], ca("Middle", Some("Root")))),
            leaf: make("example.com", above, &keys[2], leaf),
            keys,
        }
    }

    /// The reason that is given, or "valid".
    fn verdict(&self, world: &World, more: &str) -> String {
        let by = if self.middle.is_some() { &self.keys[1] } else { &self.keys[0] };
        let mut chain = pem("CERTIFICATE", &self.leaf.sign(by));
        if let Some(middle) = &self.middle {
            chain += &pem("CERTIFICATE", &middle.sign(&self.keys[0]));
        }
        world.write("root.pem", pem("CERTIFICATE", &self.root.sign(&self.keys[0])).as_bytes());
        world.write("chain.pem", chain.as_bytes());
        let answer = world.run(&format!("--json cert verify --anchor root.pem {more} chain.pem"));
        assert!(!answer.stderr.contains("panicked"), "{answer:?}");
        if answer.stdout.is_empty() {
            // An anchor that cannot be read is a mistake of whoever gave it.
            assert!(answer.code == 2 && answer.stderr.contains("CHY-2002"), "{answer:?}");
            return "Malformed".into();
        }
        let said = answer.json();
        assert_eq!(said["valid"] == true, answer.code == 0, "{answer:?}");
        assert_eq!(said["lenient"], more.contains("--lenient"), "{answer:?}");
        said["reason"].as_str().unwrap_or("valid").to_owned()
    }
}

const AS_SERVER: &str = "--purpose server --name dns:example.com";

/// One case: what is done to a chain, how it is asked, and the answer, strictly and leniently.
type Case = (&'static str, bool, fn(&mut Chain), &'static str, &'static str, &'static str);

fn check(cases: &[Case]) {
    let world = World::bare();
    let mut wrong = Vec::new();
    for (what, middle, change, how, strict, lenient) in cases {
        let mut chain = Chain::new(*middle);
        change(&mut chain);
        for (more, want) in [("", strict), ("--lenient", lenient)] {
            let said = chain.verdict(&world, &format!("{how} {more}"));
            if said != **want {
                wrong.push(format!("{what} ({how} {more}): {said}, not {want}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn constraints(permitted: &[Vec<u8>], excluded: &[Vec<u8>], critical: bool) -> Vec<u8> {
    let tree = |tag: u8, list: &[Vec<u8>]| match list {
        [] => Vec::new(),
        some => tlv(tag, &some.iter().map(|base| sequence(&[base])).collect::<Vec<_>>().concat()),
    };
    let value = sequence(&[&tree(0xa0, permitted), &tree(0xa1, excluded)]);
    extension(NAME_CONSTRAINTS, critical, &value)
}

fn middle(chain: &mut Chain) -> &mut ForgedCertificate {
    chain.middle.as_mut().unwrap()
}

fn san(list: &[Vec<u8>]) -> Option<Vec<u8>> {
    Some(alternative_names(&names(list)))
}

fn directory(name: &str) -> Vec<u8> {
    tlv(0xa4, &common_name(name))
}

#[test]
fn every_field_and_extension_is_held_to_rfc_5280() {
    check(&[
        ("as it should be", false, |_| {}, AS_SERVER, "valid", "valid"),
        ("with an intermediate", true, |_| {}, AS_SERVER, "valid", "valid"),
        (
            "v1",
            false,
            |c| {
                c.leaf.version.clear();
                c.leaf.extensions.clear();
            },
            "",
            "Profile",
            "valid",
        ),
        ("v1 with extensions", false, |c| c.leaf.version.clear(), "", "Malformed", "Malformed"),
        ("serial zero", false, |c| c.leaf.serial = tlv(2, &[0]), "", "Profile", "valid"),
        ("serial negative", false, |c| c.leaf.serial = tlv(2, &[0x80, 1]), "", "Profile", "valid"),
        (
            "serial of 20 octets",
            false,
            |c| c.leaf.serial = tlv(2, &[0x7f; 20]),
            "",
            "valid",
            "valid",
        ),
        (
            "serial of 21 octets",
            false,
            |c| c.leaf.serial = tlv(2, &[0x7f; 21]),
            "",
            "Profile",
            "valid",
        ),
        ("serial padded", false, |c| c.leaf.serial = tlv(2, &[0, 1]), "", "Malformed", "Malformed"),
        (
            "no issuer",
            false,
            |c| {
                c.leaf.issuer = vec![0x30, 0];
                c.root.subject = vec![0x30, 0];
                c.root.issuer = vec![0x30, 0];
            },
            "",
            "Profile",
            "valid",
        ),
        (
            "a CA without subject",
            true,
            |c| {
                middle(c).subject = vec![0x30, 0];
                c.leaf.issuer = vec![0x30, 0];
            },
            "",
            "Profile",
            "valid",
        ),
        (
            "parameters of ECDSA",
            false,
            |c| c.leaf.algorithm = sequence(&[&oid("1.2.840.10045.4.3.2"), &[5, 0]]),
            "",
            "Profile",
            "valid",
        ),
        (
            "UTCTime is GeneralizedTime",
            false,
            |c| {
                let now = chancery_ledger::unix_now();
                let late = time(now + 30 * 86_400);
                c.leaf.validity =
                    sequence(&[&time(now - 3600), &tlv(0x18, &[&b"20"[..], &late[2..]].concat())]);
            },
            "",
            "Profile",
            "valid",
        ),
        (
            "a flag that is spelled out",
            false,
            |c| {
                add(&mut c.leaf, sequence(&[&oid("1.2.3.4"), &[1, 1, 0], &tlv(4, b"x")]));
            },
            "",
            "Profile",
            "valid",
        ),
        (
            "an extension twice",
            false,
            |c| {
                let own = c.leaf.extensions[0].clone();
                add(&mut c.leaf, own);
            },
            "",
            "Malformed",
            "Malformed",
        ),
        (
            "an unknown extension twice",
            false,
            |c| {
                for _ in 0..2 {
                    add(&mut c.leaf, extension("1.2.3.4", false, b""));
                }
            },
            "",
            "Malformed",
            "Malformed",
        ),
        (
            "a large identifier",
            false,
            |c| {
                add(
                    &mut c.leaf,
                    extension("2.25.340282366920938463463374607431768211455", false, b"x"),
                )
            },
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "2.999",
            false,
            |c| add(&mut c.leaf, extension("2.999.4294967296.1", false, b"x")),
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "a large policy",
            false,
            |c| {
                add(
                    &mut c.leaf,
                    extension(
                        "2.5.29.32",
                        false,
                        &sequence(&[&sequence(&[&oid("2.48.99999999999.1")])]),
                    ),
                )
            },
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "a policy twice",
            false,
            |c| {
                add(
                    &mut c.leaf,
                    extension(
                        "2.5.29.32",
                        false,
                        &[sequence(&[&sequence(&[&oid("1.2.3")]), &sequence(&[&oid("1.2.3")])])]
                            .concat(),
                    ),
                )
            },
            "",
            "Profile",
            "valid",
        ),
        (
            "unknown and critical",
            false,
            |c| add(&mut c.leaf, extension("1.2.3.4", true, b"x")),
            "",
            "CriticalExtension",
            "CriticalExtension",
        ),
        (
            "the same in an intermediate",
            true,
            |c| add(middle(c), extension("1.2.3.4", true, b"x")),
            "",
            "CriticalExtension",
            "CriticalExtension",
        ),
        (
            "the same in the root",
            false,
            |c| add(&mut c.root, extension("1.2.3.4", true, b"x")),
            "",
            "CriticalExtension",
            "CriticalExtension",
        ),
        // §4.2.1.1 and §4.2.1.2.
        ("leaf without AKI", false, |c| replace(&mut c.leaf, AKI, None), "", "Profile", "valid"),
        (
            "intermediate without AKI",
            true,
            |c| replace(middle(c), AKI, None),
            "",
            "Profile",
            "valid",
        ),
        (
            "root with its AKI",
            false,
            |c| add(&mut c.root, key_id(AKI, "Root")),
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "root with another's AKI",
            false,
            |c| add(&mut c.root, key_id(AKI, "Else")),
            "",
            "Profile",
            "valid",
        ),
        (
            "AKI critical",
            false,
            |c| add(&mut c.root, extension(AKI, true, &sequence(&[&tlv(0x80, b"Root")]))),
            "",
            "Profile",
            "valid",
        ),
        (
            "AKI without key",
            false,
            |c| replace(&mut c.leaf, AKI, Some(extension(AKI, false, &sequence(&[])))),
            "",
            "Profile",
            "valid",
        ),
        (
            "AKI with half a name",
            false,
            |c| {
                replace(
                    &mut c.leaf,
                    AKI,
                    Some(extension(
                        AKI,
                        false,
                        &sequence(&[&tlv(0x80, b"Root"), &tlv(0x82, &[1])]),
                    )),
                )
            },
            "",
            "Profile",
            "valid",
        ),
        (
            "root's AKI with a name, for a server",
            false,
            |c| {
                add(
                    &mut c.root,
                    extension(
                        AKI,
                        false,
                        &sequence(&[
                            &tlv(0x80, b"Root"),
                            &tlv(0xa1, &directory("x")),
                            &tlv(0x82, &[1]),
                        ]),
                    ),
                )
            },
            AS_SERVER,
            "Profile",
            "valid",
        ),
        ("CA without SKI", true, |c| replace(middle(c), SKI, None), "", "Profile", "valid"),
        ("root without SKI", false, |c| replace(&mut c.root, SKI, None), "", "Profile", "valid"),
        (
            "SKI critical",
            false,
            |c| replace(&mut c.root, SKI, Some(extension(SKI, true, &tlv(4, b"Root")))),
            "",
            "Profile",
            "valid",
        ),
        // §4.2.1.3 and §4.2.1.9.
        (
            "no keyUsage in the leaf",
            false,
            |c| replace(&mut c.leaf, "2.5.29.15", None),
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "no keyUsage in a CA",
            true,
            |c| replace(middle(c), "2.5.29.15", None),
            "",
            "Profile",
            "valid",
        ),
        (
            "keyUsage without a bit",
            false,
            |c| replace(&mut c.leaf, "2.5.29.15", Some(extension("2.5.29.15", true, &[3, 1, 0]))),
            "",
            "Profile",
            "valid",
        ),
        (
            "keyUsage with bits of zero behind",
            false,
            |c| {
                replace(
                    &mut c.leaf,
                    "2.5.29.15",
                    Some(extension("2.5.29.15", true, &[3, 3, 7, 0x80, 0])),
                )
            },
            "",
            "Malformed",
            "Malformed",
        ),
        (
            "keyCertSign and no CA",
            false,
            |c| replace(&mut c.leaf, "2.5.29.15", Some(key_usage(0x84))),
            "",
            "Profile",
            "valid",
        ),
        (
            "an issuer without keyCertSign",
            true,
            |c| replace(middle(c), "2.5.29.15", Some(key_usage(DIGITAL_SIGNATURE))),
            "",
            "KeyUsage",
            "KeyUsage",
        ),
        (
            "a root without keyCertSign",
            false,
            |c| replace(&mut c.root, "2.5.29.15", Some(key_usage(DIGITAL_SIGNATURE))),
            "",
            "Profile",
            "valid",
        ),
        (
            "an issuer that is no CA",
            true,
            |c| replace(middle(c), "2.5.29.19", Some(extension("2.5.29.19", true, &[0x30, 0]))),
            "",
            "NotAnAuthority",
            "NotAnAuthority",
        ),
        (
            "an issuer without basicConstraints",
            true,
            |c| replace(middle(c), "2.5.29.19", None),
            "",
            "NotAnAuthority",
            "NotAnAuthority",
        ),
        (
            "a root without basicConstraints",
            false,
            |c| replace(&mut c.root, "2.5.29.19", None),
            "",
            "Profile",
            "valid",
        ),
        (
            "basicConstraints not critical",
            false,
            |c| {
                replace(
                    &mut c.root,
                    "2.5.29.19",
                    Some(extension("2.5.29.19", false, &sequence(&[&[1, 1, 0xff]]))),
                )
            },
            "",
            "Profile",
            "valid",
        ),
        (
            "a path length in an end entity",
            false,
            |c| add(&mut c.leaf, extension("2.5.29.19", true, &sequence(&[&[2, 1, 0]]))),
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "cA FALSE spelled out",
            false,
            |c| add(&mut c.leaf, extension("2.5.29.19", true, &sequence(&[&[1, 1, 0]]))),
            "",
            "Profile",
            "valid",
        ),
        (
            "a CA as end entity",
            false,
            |c| {
                c.leaf.extensions = vec![
                    authority(Some(0)),
                    key_usage(CERTIFIES),
                    key_id(SKI, "x"),
                    key_id(AKI, "Root"),
                ];
            },
            "",
            "valid",
            "valid",
        ),
        (
            "the same as a server",
            false,
            |c| {
                add(&mut c.leaf, authority(None));
                add(&mut c.leaf, key_id(SKI, "x"));
            },
            AS_SERVER,
            "KeyUsage",
            "KeyUsage",
        ),
        (
            "a CA below a path length of zero, as end entity",
            true,
            |c| {
                replace(middle(c), "2.5.29.19", Some(authority(Some(0))));
                c.leaf.extensions = vec![
                    authority(Some(0)),
                    key_usage(CERTIFIES),
                    key_id(SKI, "x"),
                    key_id(AKI, "Middle"),
                ];
            },
            "",
            "valid",
            "valid",
        ),
        // Self-issued: not counted against the path length, and another key than the root's.
        (
            "a self-issued intermediate",
            true,
            |c| {
                replace(&mut c.root, "2.5.29.19", Some(authority(Some(0))));
                middle(c).subject = common_name("Root");
                c.leaf.issuer = common_name("Root");
            },
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "one that is not",
            true,
            |c| replace(&mut c.root, "2.5.29.19", Some(authority(Some(0)))),
            "",
            "NotAnAuthority",
            "NotAnAuthority",
        ),
        // Elsewhere in §4.2.
        (
            "authorityInfoAccess",
            false,
            |c| {
                add(
                    &mut c.leaf,
                    extension(
                        "1.3.6.1.5.5.7.1.1",
                        false,
                        &sequence(&[&sequence(&[&oid("1.3.6.1.5.5.7.48.2"), &dns("example.com")])]),
                    ),
                )
            },
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "the same critical",
            false,
            |c| {
                add(
                    &mut c.leaf,
                    extension(
                        "1.3.6.1.5.5.7.1.1",
                        true,
                        &sequence(&[&sequence(&[&oid("1.3.6.1.5.5.7.48.2"), &dns("example.com")])]),
                    ),
                )
            },
            "",
            "Profile",
            "valid",
        ),
        (
            "the same malformed",
            false,
            |c| add(&mut c.leaf, extension("1.3.6.1.5.5.7.1.1", false, b"malformed")),
            "",
            "Malformed",
            "Malformed",
        ),
        (
            "policyConstraints not critical",
            true,
            |c| add(middle(c), extension("2.5.29.36", false, &sequence(&[&tlv(0x80, &[3])]))),
            "",
            "Profile",
            "valid",
        ),
        (
            "policyConstraints empty",
            true,
            |c| add(middle(c), extension("2.5.29.36", true, &sequence(&[]))),
            "",
            "Profile",
            "valid",
        ),
        (
            "policyConstraints in an end entity",
            false,
            |c| add(&mut c.leaf, extension("2.5.29.36", true, &sequence(&[&tlv(0x80, &[3])]))),
            "",
            "Profile",
            "valid",
        ),
        (
            "a policy demanded and none there",
            true,
            |c| add(middle(c), extension("2.5.29.36", true, &sequence(&[&tlv(0x80, &[0])]))),
            "",
            "Policy",
            "Policy",
        ),
        (
            "inhibitAnyPolicy not critical",
            true,
            |c| add(middle(c), extension("2.5.29.54", false, &[2, 1, 0])),
            "",
            "Profile",
            "valid",
        ),
        (
            "a point that names no place",
            false,
            |c| {
                add(
                    &mut c.leaf,
                    extension(
                        "2.5.29.31",
                        false,
                        &sequence(&[&sequence(&[&tlv(0x81, &[6, 0x40])])]),
                    ),
                )
            },
            "",
            "Profile",
            "valid",
        ),
        (
            "a point by name",
            false,
            |c| {
                add(
                    &mut c.leaf,
                    extension(
                        "2.5.29.31",
                        false,
                        &sequence(&[&sequence(&[&tlv(0xa0, &tlv(0xa0, &uri("http://x.cn/crl")))])]),
                    ),
                )
            },
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "a point relative to its issuer",
            false,
            |c| {
                add(
                    &mut c.leaf,
                    extension(
                        "2.5.29.31",
                        false,
                        &sequence(&[&sequence(&[&tlv(
                            0xa0,
                            &tlv(0xa1, &sequence(&[&oid("2.5.4.3"), &tlv(12, b"x")])),
                        )])]),
                    ),
                )
            },
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "BMPString",
            false,
            |c| {
                c.leaf.subject = sequence(&[&tlv(
                    0x31,
                    &sequence(&[&oid("2.5.4.3"), &tlv(0x1e, &[0x67, 0x4e])]),
                )])
            },
            "",
            "valid",
            "valid",
        ),
        (
            "no UTF-8 in UTF8String",
            false,
            |c| {
                c.leaf.subject =
                    sequence(&[&tlv(0x31, &sequence(&[&oid("2.5.4.3"), &tlv(12, &[0xc0, 0xee])]))])
            },
            "",
            "Profile",
            "valid",
        ),
    ]);
}

#[test]
fn names_and_their_constraints_are_judged_in_every_kind() {
    check(&[
        ("no SAN, and a subject", false, |c| replace(&mut c.leaf, SAN, None), "", "valid", "valid"),
        (
            "no SAN, no subject",
            false,
            |c| {
                replace(&mut c.leaf, SAN, None);
                c.leaf.subject = vec![0x30, 0];
            },
            "",
            "Profile",
            "valid",
        ),
        (
            "critical with a subject",
            false,
            |c| {
                replace(&mut c.leaf, SAN, Some(extension(SAN, true, &names(&[dns("example.com")]))))
            },
            "",
            "Profile",
            "valid",
        ),
        (
            "critical without",
            false,
            |c| {
                c.leaf.subject = vec![0x30, 0];
                replace(
                    &mut c.leaf,
                    SAN,
                    Some(extension(SAN, true, &names(&[dns("example.com")]))),
                );
            },
            AS_SERVER,
            "valid",
            "valid",
        ),
        ("neither", false, |c| c.leaf.subject = vec![0x30, 0], "", "Profile", "valid"),
        ("empty", false, |c| replace(&mut c.leaf, SAN, san(&[])), "", "Profile", "valid"),
        (
            "no DER",
            false,
            |c| replace(&mut c.leaf, SAN, Some(alternative_names(b"example.com"))),
            "",
            "Malformed",
            "Malformed",
        ),
        (
            "an underscore",
            false,
            |c| replace(&mut c.leaf, SAN, san(&[dns("example.com"), dns("a_b.example.com")])),
            AS_SERVER,
            "Profile",
            "valid",
        ),
        (
            "a dot in front",
            false,
            |c| replace(&mut c.leaf, SAN, san(&[dns("example.com"), dns(".example.com")])),
            "",
            "Profile",
            "valid",
        ),
        (
            "UTF-8",
            false,
            |c| replace(&mut c.leaf, SAN, san(&[dns("example.com"), dns("😜.example.com")])),
            "",
            "Malformed",
            "Malformed",
        ),
        (
            "two @",
            false,
            |c| replace(&mut c.leaf, SAN, san(&[email("a@b@example.com")])),
            "",
            "Profile",
            "valid",
        ),
        (
            "an address with a mask",
            false,
            |c| replace(&mut c.leaf, SAN, san(&[tlv(0x87, &[192, 0, 2, 0, 255, 255, 255, 0])])),
            "",
            "Profile",
            "valid",
        ),
        (
            "a URI that is relative",
            false,
            |c| replace(&mut c.leaf, SAN, san(&[uri("/x")])),
            "",
            "Profile",
            "valid",
        ),
        (
            "otherName, unconstrained",
            false,
            |c| {
                replace(
                    &mut c.leaf,
                    SAN,
                    san(&[
                        dns("example.com"),
                        tlv(0xa0, &[oid("1.2.3"), tlv(0xa0, &[5, 0])].concat()),
                    ]),
                )
            },
            AS_SERVER,
            "valid",
            "valid",
        ),
        // Constraints themselves.
        (
            "not critical",
            true,
            |c| add(middle(c), constraints(&[dns("example.com")], &[], false)),
            "",
            "Profile",
            "valid",
        ),
        (
            "in an end entity",
            false,
            |c| add(&mut c.leaf, constraints(&[dns("example.com")], &[], true)),
            "",
            "Profile",
            "valid",
        ),
        ("null", true, |c| add(middle(c), constraints(&[], &[], true)), "", "Profile", "valid"),
        (
            "empty",
            true,
            |c| {
                add(
                    middle(c),
                    extension(
                        NAME_CONSTRAINTS,
                        true,
                        &sequence(&[&tlv(0xa0, &[]), &tlv(0xa1, &[])]),
                    ),
                )
            },
            "",
            // An intermediate that cannot be read is passed over.
            "UnknownAuthority",
            "UnknownAuthority",
        ),
        (
            "with a minimum",
            true,
            |c| {
                add(
                    middle(c),
                    extension(
                        NAME_CONSTRAINTS,
                        true,
                        &sequence(&[&tlv(
                            0xa0,
                            &sequence(&[&dns("example.com"), &tlv(0x80, &[1])]),
                        )]),
                    ),
                )
            },
            "",
            // An intermediate that cannot be read is passed over.
            "UnknownAuthority",
            "UnknownAuthority",
        ),
        (
            "a wildcard in them",
            true,
            |c| add(middle(c), constraints(&[dns("*.example.com")], &[], true)),
            "",
            "NameConstraints",
            "NameConstraints",
        ),
        (
            "a dot in front of them",
            true,
            |c| {
                add(middle(c), constraints(&[dns(".example.com")], &[], true));
                replace(&mut c.leaf, SAN, san(&[dns("a.example.com")]));
            },
            "",
            "Profile",
            "valid",
        ),
        (
            "an address without mask",
            true,
            |c| {
                add(middle(c), constraints(&[tlv(0x87, &[127, 0, 0, 1])], &[], true));
                replace(&mut c.leaf, SAN, san(&[tlv(0x87, &[127, 0, 0, 1])]));
            },
            "",
            "NameConstraints",
            "NameConstraints",
        ),
        (
            "a mailbox with two @",
            true,
            |c| {
                add(middle(c), constraints(&[email("a@b@example.com")], &[], true));
                replace(&mut c.leaf, SAN, san(&[email("a@example.com")]));
            },
            "",
            "NameConstraints",
            "NameConstraints",
        ),
        // What they allow.
        (
            "inside",
            true,
            |c| add(middle(c), constraints(&[dns("example.com")], &[], true)),
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "inside, in the root",
            false,
            |c| add(&mut c.root, constraints(&[dns("example.com")], &[], true)),
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "outside",
            true,
            |c| add(middle(c), constraints(&[dns("example.org")], &[], true)),
            "",
            "NameConstraints",
            "NameConstraints",
        ),
        (
            "outside the root's",
            false,
            |c| add(&mut c.root, constraints(&[dns("example.org")], &[], true)),
            "",
            "NameConstraints",
            "NameConstraints",
        ),
        (
            "excluded",
            true,
            |c| add(middle(c), constraints(&[dns("com")], &[dns("example.com")], true)),
            "",
            "NameConstraints",
            "NameConstraints",
        ),
        (
            "a wildcard that touches what is excluded",
            true,
            |c| {
                add(middle(c), constraints(&[], &[dns("bar.example.com")], true));
                replace(&mut c.leaf, SAN, san(&[dns("*.example.com")]));
            },
            "",
            "NameConstraints",
            "NameConstraints",
        ),
        (
            "a wildcard above what is permitted",
            true,
            |c| {
                add(middle(c), constraints(&[dns("foo.example.com")], &[], true));
                replace(&mut c.leaf, SAN, san(&[dns("*.example.com")]));
            },
            "",
            "NameConstraints",
            "NameConstraints",
        ),
        (
            "another kind",
            true,
            |c| add(middle(c), constraints(&[tlv(0x87, &[10, 0, 0, 0, 255, 0, 0, 0])], &[], true)),
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "an address inside",
            true,
            |c| {
                add(middle(c), constraints(&[tlv(0x87, &[10, 0, 0, 0, 255, 0, 0, 0])], &[], true));
                replace(&mut c.leaf, SAN, san(&[tlv(0x87, &[10, 1, 2, 3])]));
                c.leaf.subject = common_name("10.1.2.3");
            },
            "--purpose server --name ip:10.1.2.3",
            "valid",
            "valid",
        ),
        (
            "an address outside",
            true,
            |c| {
                add(middle(c), constraints(&[tlv(0x87, &[10, 0, 0, 0, 255, 0, 0, 0])], &[], true));
                replace(&mut c.leaf, SAN, san(&[tlv(0x87, &[11, 1, 2, 3])]));
            },
            "",
            "NameConstraints",
            "NameConstraints",
        ),
        (
            "a mailbox",
            true,
            |c| {
                add(middle(c), constraints(&[email("foo@example.com")], &[], true));
                replace(&mut c.leaf, SAN, san(&[email("foo@example.com")]));
                replace(&mut c.leaf, "2.5.29.37", Some(extended_key_usage(false, &[CLIENT])));
            },
            "--purpose client --name email:foo@example.com",
            "valid",
            "valid",
        ),
        (
            "a host of mailboxes",
            true,
            |c| {
                add(middle(c), constraints(&[email("example.com")], &[], true));
                replace(&mut c.leaf, SAN, san(&[email("foo@example.com")]));
                replace(&mut c.leaf, "2.5.29.37", Some(extended_key_usage(false, &[CLIENT])));
            },
            "--purpose client",
            "valid",
            "valid",
        ),
        (
            "a mailbox outside",
            true,
            |c| {
                add(middle(c), constraints(&[email("example.org")], &[], true));
                replace(&mut c.leaf, SAN, san(&[email("foo@example.com")]));
            },
            "",
            "NameConstraints",
            "NameConstraints",
        ),
        (
            "a mailbox in the subject",
            true,
            |c| {
                add(middle(c), constraints(&[email("example.org")], &[], true));
                c.leaf.subject = sequence(&[&tlv(
                    0x31,
                    &sequence(&[&oid("1.2.840.113549.1.9.1"), &tlv(0x16, b"foo@example.com")]),
                )]);
            },
            "",
            "NameConstraints",
            "NameConstraints",
        ),
        (
            "a directory name",
            true,
            |c| {
                add(middle(c), constraints(&[directory("EXAMPLE.com ")], &[], true));
                replace(&mut c.leaf, SAN, san(&[dns("example.com"), directory("example.com")]));
            },
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "a subject outside",
            true,
            |c| {
                add(middle(c), constraints(&[directory("x")], &[], true));
                replace(&mut c.leaf, SAN, san(&[directory("x")]));
            },
            "",
            "NameConstraints",
            "NameConstraints",
        ),
        (
            "a directory name outside",
            true,
            |c| {
                add(middle(c), constraints(&[directory("example.com")], &[], true));
                replace(&mut c.leaf, SAN, san(&[directory("x")]));
            },
            "",
            "NameConstraints",
            "NameConstraints",
        ),
        (
            "otherName, constrained",
            true,
            |c| {
                let other = tlv(0xa0, &[oid("1.2.3"), tlv(0xa0, &[5, 0])].concat());
                add(
                    middle(c),
                    constraints(&[dns("example.com")], std::slice::from_ref(&other), true),
                );
                replace(&mut c.leaf, SAN, san(&[dns("example.com"), other]));
            },
            "",
            "NameConstraints",
            "NameConstraints",
        ),
        (
            "otherName constrained and not there",
            true,
            |c| {
                let other = tlv(0xa0, &[oid("1.2.3"), tlv(0xa0, &[5, 0])].concat());
                add(middle(c), constraints(&[dns("example.com")], &[other], true));
            },
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "a self-issued intermediate is exempt",
            true,
            |c| {
                add(&mut c.root, constraints(&[dns("example.com")], &[], true));
                middle(c).subject = common_name("Root");
                c.leaf.issuer = common_name("Root");
                add(middle(c), san(&[dns("example.org")]).unwrap());
            },
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "another intermediate is not",
            true,
            |c| {
                add(&mut c.root, constraints(&[dns("example.com")], &[], true));
                add(middle(c), san(&[dns("example.org")]).unwrap());
            },
            "",
            "NameConstraints",
            "NameConstraints",
        ),
    ]);
}

#[test]
fn servers_are_held_to_rfc_9525_and_the_baseline_requirements() {
    fn usage(chain: &mut Chain, critical: bool, list: &[&str]) {
        replace(&mut chain.leaf, "2.5.29.37", Some(extended_key_usage(critical, list)));
    }
    check(&[
        (
            "no extKeyUsage",
            false,
            |c| replace(&mut c.leaf, "2.5.29.37", None),
            AS_SERVER,
            "Profile",
            "valid",
        ),
        (
            "no extKeyUsage, a client",
            false,
            |c| replace(&mut c.leaf, "2.5.29.37", None),
            "--purpose client",
            "valid",
            "valid",
        ),
        (
            "no extKeyUsage, any",
            false,
            |c| replace(&mut c.leaf, "2.5.29.37", None),
            "",
            "valid",
            "valid",
        ),
        (
            "any besides",
            false,
            |c| usage(c, false, &[SERVER, "2.5.29.37.0"]),
            AS_SERVER,
            "Profile",
            "valid",
        ),
        (
            "client besides",
            false,
            |c| usage(c, false, &[SERVER, CLIENT]),
            AS_SERVER,
            "valid",
            "valid",
        ),
        ("client alone", false, |c| usage(c, false, &[CLIENT]), AS_SERVER, "KeyUsage", "KeyUsage"),
        ("server alone, a client", false, |_| {}, "--purpose client", "KeyUsage", "KeyUsage"),
        ("critical", false, |c| usage(c, true, &[SERVER]), AS_SERVER, "Profile", "valid"),
        (
            "code besides",
            false,
            |c| usage(c, false, &[SERVER, "1.3.6.1.5.5.7.3.3"]),
            AS_SERVER,
            "Profile",
            "valid",
        ),
        (
            "mail besides",
            false,
            |c| usage(c, false, &[SERVER, "1.3.6.1.5.5.7.3.4"]),
            AS_SERVER,
            "Profile",
            "valid",
        ),
        (
            "time besides",
            false,
            |c| usage(c, false, &[SERVER, "1.3.6.1.5.5.7.3.8"]),
            AS_SERVER,
            "Profile",
            "valid",
        ),
        (
            "in the root",
            false,
            |c| add(&mut c.root, extended_key_usage(false, &[SERVER])),
            AS_SERVER,
            "Profile",
            "valid",
        ),
        (
            "in an intermediate",
            true,
            |c| add(middle(c), extended_key_usage(false, &[SERVER])),
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "another in an intermediate",
            true,
            |c| add(middle(c), extended_key_usage(false, &[CLIENT])),
            AS_SERVER,
            "KeyUsage",
            "KeyUsage",
        ),
        (
            "another in an intermediate, any",
            true,
            |c| add(middle(c), extended_key_usage(false, &[CLIENT])),
            "",
            "KeyUsage",
            "KeyUsage",
        ),
        (
            "no SAN",
            false,
            |c| replace(&mut c.leaf, SAN, None),
            AS_SERVER,
            "Profile",
            "NameMismatch",
        ),
        (
            "no common name",
            false,
            |c| {
                c.leaf.subject =
                    sequence(&[&tlv(0x31, &sequence(&[&oid("2.5.4.10"), &tlv(12, b"x")]))])
            },
            AS_SERVER,
            "valid",
            "valid",
        ),
        (
            "another common name",
            false,
            |c| c.leaf.subject = common_name("else.example.com"),
            AS_SERVER,
            "Profile",
            "valid",
        ),
        (
            "a common name in capitals",
            false,
            |c| c.leaf.subject = common_name("Example.COM"),
            AS_SERVER,
            "Profile",
            "valid",
        ),
        (
            "an address in another form",
            false,
            |c| {
                c.leaf.subject = common_name("0xC0A80101");
                replace(&mut c.leaf, SAN, san(&[tlv(0x87, &[192, 168, 1, 1])]));
            },
            "--purpose server --name ip:192.168.1.1",
            "Profile",
            "valid",
        ),
        (
            "an address with zeros in front",
            false,
            |c| {
                c.leaf.subject = common_name("192.168.001.001");
                replace(&mut c.leaf, SAN, san(&[tlv(0x87, &[192, 168, 1, 1])]));
            },
            "--purpose server",
            "Profile",
            "valid",
        ),
        (
            "a long IPv6 address",
            false,
            |c| {
                c.leaf.subject = common_name("2001:db8:0:0:0:0:0:1");
                replace(
                    &mut c.leaf,
                    SAN,
                    san(&[tlv(0x87, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])]),
                );
            },
            "--purpose server",
            "Profile",
            "valid",
        ),
        (
            "a short one",
            false,
            |c| {
                c.leaf.subject = common_name("2001:db8::1");
                replace(
                    &mut c.leaf,
                    SAN,
                    san(&[tlv(0x87, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])]),
                );
            },
            "--purpose server --name ip:2001:db8::1",
            "valid",
            "valid",
        ),
        (
            "Unicode for punycode",
            false,
            |c| {
                c.leaf.subject = common_name("杭州.cn");
                replace(&mut c.leaf, SAN, san(&[dns("xn--fjqz24b.cn")]));
            },
            "--purpose server",
            "Profile",
            "valid",
        ),
        (
            "a wildcard",
            false,
            |c| {
                c.leaf.subject = common_name("*.example.com");
                replace(&mut c.leaf, SAN, san(&[dns("*.example.com")]));
            },
            "--purpose server --name dns:foo.example.com",
            "valid",
            "valid",
        ),
        (
            "a wildcard for two labels",
            false,
            |c| {
                c.leaf.subject = common_name("*.example.com");
                replace(&mut c.leaf, SAN, san(&[dns("*.example.com")]));
            },
            "--purpose server --name dns:a.b.example.com",
            "NameMismatch",
            "NameMismatch",
        ),
        (
            "a wildcard inside a label",
            false,
            |c| {
                c.leaf.subject = common_name("ba*.example.com");
                replace(&mut c.leaf, SAN, san(&[dns("ba*.example.com")]));
            },
            "--purpose server --name dns:baz.example.com",
            "Profile",
            "NameMismatch",
        ),
        (
            "a wildcard further behind",
            false,
            |c| {
                c.leaf.subject = common_name("foo.*.example.com");
                replace(&mut c.leaf, SAN, san(&[dns("foo.*.example.com")]));
            },
            "--purpose server --name dns:foo.bar.example.com",
            "Profile",
            "NameMismatch",
        ),
        (
            "a wildcard over .com",
            false,
            |c| {
                c.leaf.subject = common_name("*.com");
                replace(&mut c.leaf, SAN, san(&[dns("*.com")]));
            },
            "--purpose server --name dns:example.com",
            "Profile",
            "NameMismatch",
        ),
        (
            "a wildcard over gov.cn",
            false,
            |c| {
                c.leaf.subject = common_name("*.gov.cn");
                replace(&mut c.leaf, SAN, san(&[dns("*.gov.cn")]));
            },
            "--purpose server --name dns:a.gov.cn",
            "Profile",
            "valid",
        ),
    ]);
}
