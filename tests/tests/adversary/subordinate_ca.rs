//! A CA below the root that certifies beyond its name constraints, in every encoding. It holds its own key and may
//! certify below js.gov.cn; what it wants is to speak as an agency, an officer and the registrar of zj.gov.cn.

use std::sync::Arc;

use chancery_crypto::{
    Algorithm, Commitment, CoseSign, ProtectedAttributes, PublicKey, SigningKey,
};
use chancery_ledger::unix_now;
use chancery_protocol::{PeerMessage, decode_frame, encode_frame};
use chancery_tests::{
    World,
    forge::{
        CERTIFIES, CONTENT_COMMITMENT, DIGITAL_SIGNATURE, Forger, alternative_names, authority,
        common_name, dns, email, extended_key_usage, extension, key_usage, names, oid, pem,
        sequence, tlv, uri, write_key,
    },
    free_address,
};
use quinn::{ClientConfig, Endpoint, crypto::rustls::QuicClientConfig};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

fn world() -> World {
    let world = World::new();
    world
        .run(
            "ca issue --ca root --profile intermediate --display Jiangsu --permit js.gov.cn --path-len 0 \
             --out js --no-passphrase",
        )
        .ok();
    world.write("n.txt", b"text");
    world
}

fn new_key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap()
}

/// Ways to write a stolen name into a certificate, as the subjectAltName extensions that it has. `own` is a name of
/// the same kind that the CA may certify.
fn ways(stolen: &[u8], own: &[u8]) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let (stolen, own) = (stolen.to_vec(), own.to_vec());
    let list = |list: &[&[u8]]| {
        alternative_names(&names(&list.iter().map(|name| name.to_vec()).collect::<Vec<_>>()))
    };
    let raw = |value: &[u8]| alternative_names(value);
    let urn = uri("urn:x");
    let other = tlv(0xa0, &[oid("1.3.6.1.4.1.311.20.2.3"), tlv(0xa0, &tlv(0x0c, b"x"))].concat());
    let large = tlv(
        0xa0,
        &[oid("2.25.340282366920938463463374607431768211455"), tlv(0xa0, &tlv(0x0c, b"x"))]
            .concat(),
    );
    let mut all = vec![
        ("plain", vec![list(&[&stolen])]),
        ("two extensions, a URI first", vec![list(&[&urn]), list(&[&stolen])]),
        ("two extensions, the own name first", vec![list(&[&own]), list(&[&stolen])]),
        ("two extensions, the stolen name first", vec![list(&[&stolen]), list(&[&own])]),
        ("two extensions, an empty one first", vec![list(&[]), list(&[&stolen])]),
        ("bytes behind", vec![raw(&[names(std::slice::from_ref(&stolen)), vec![5, 0]].concat())]),
        ("bytes inside, behind", vec![raw(&tlv(0x30, &[stolen.as_slice(), &[0]].concat()))]),
        ("indefinite length", vec![raw(&[&[0x30, 0x80], stolen.as_slice(), &[0, 0]].concat())]),
        (
            "a length that is not the shortest",
            vec![raw(&[&[0x30, 0x81, stolen.len() as u8], stolen.as_slice()].concat())],
        ),
        ("in pieces", vec![list(&[&tlv(stolen[0] | 0x20, &tlv(0x16, &stolen[2..]))])]),
        ("otherName behind", vec![list(&[&stolen, &other])]),
        ("otherName in front", vec![list(&[&other, &stolen])]),
        ("otherName of a large identifier behind", vec![list(&[&stolen, &large])]),
        ("registeredID behind", vec![list(&[&stolen, &tlv(0x88, &[0x2a, 3, 4])])]),
        ("x400Address behind", vec![list(&[&stolen, &tlv(0xa3, &[5, 0])])]),
        ("ediPartyName behind", vec![list(&[&stolen, &tlv(0xa5, &tlv(0xa1, &tlv(0x0c, b"x")))])]),
        ("a malformed otherName behind", vec![list(&[&stolen, &tlv(0xa0, &[5, 0])])]),
        ("a malformed directoryName behind", vec![list(&[&stolen, &tlv(0xa4, &[5, 0])])]),
        ("an address of three octets behind", vec![list(&[&stolen, &tlv(0x87, b"abc")])]),
        ("an unknown kind of name behind", vec![list(&[&stolen, &tlv(0x89, b"x")])]),
        ("a name that is not ASCII behind", vec![list(&[&stolen, &dns(b"\xff\xfe")])]),
        ("a mailbox that is not ASCII behind", vec![list(&[&stolen, &email(b"\xff\xfe")])]),
        ("a URI that is not ASCII behind", vec![list(&[&stolen, &uri(b"\xff\xfe")])]),
        ("UTF-8 behind", vec![list(&[&stolen, &dns("杭州.zj.gov.cn")])]),
        (
            "critical",
            vec![extension("2.5.29.17", true, &names(&[stolen.clone(), tlv(0x89, b"x")]))],
        ),
        (
            "a flag that is no BOOLEAN of DER",
            vec![sequence(&[
                &oid("2.5.29.17"),
                &[1, 1, 1],
                &tlv(4, &names(std::slice::from_ref(&stolen))),
            ])],
        ),
        (
            "issuerAltName besides",
            vec![
                extension("2.5.29.18", false, &names(std::slice::from_ref(&stolen))),
                list(&[&stolen]),
            ],
        ),
    ];
    let mut upper = stolen.clone();
    upper[2..].make_ascii_uppercase();
    all.push(("in capitals", vec![list(&[&upper])]));
    all.push((
        "a NUL inside",
        vec![list(&[&tlv(stolen[0], &[&stolen[2..], b"\0", &own[2..]].concat())])],
    ));
    all
}

/// A certificate for signing, or for a node.
fn forged(by: &Forger, key: &PublicKey, node: bool, extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut all = match node {
        true => vec![
            key_usage(DIGITAL_SIGNATURE),
            extended_key_usage(false, &["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]),
        ],
        false => vec![key_usage(CONTENT_COMMITMENT)],
    };
    all.push(by.key_identifier());
    all.extend_from_slice(extensions);
    by.certificate(key, &all).sign(&by.key)
}

/// The same content, signed by another key under whatever certificates.
fn signed_again(cose: &[u8], key: &SigningKey, chain: &[&[u8]]) -> Vec<u8> {
    let genuine = CoseSign::decode_within(cose, 64 << 20).unwrap();
    let attributes = ProtectedAttributes {
        x5chain: chain.iter().map(|der| der.to_vec()).collect(),
        signing_time: Some(unix_now()),
        commitment: Some(Commitment::Origin),
    };
    let builder = CoseSign::builder(genuine.content_type(), genuine.payload().to_vec());
    builder.sign(key, attributes).unwrap().encode().unwrap()
}

fn stolen_and_own(officer: bool) -> (Vec<u8>, Vec<u8>) {
    match officer {
        true => (email("clerk@a.zj.gov.cn"), email("clerk@d.js.gov.cn")),
        false => (dns("a.zj.gov.cn"), dns("d.js.gov.cn")),
    }
}

#[test]
fn a_name_outside_the_constraints_is_certified_in_no_encoding() {
    let world = world();
    let by = Forger::of(&world, "js");
    let key = new_key();
    let mut line = 0;
    let mut verify = |der: &[u8], purpose: &str, more: &str| {
        line += 1;
        world.write("x.pem", by.pem(der).as_bytes());
        let answer = world.run(&format!(
            "--json cert verify --anchor root/ca.pem --purpose {purpose} {more} x.pem"
        ));
        assert!(!answer.stderr.contains("panicked"), "{answer:?}");
        answer
    };
    // What the forge makes is believed where the CA may certify it.
    let own = [alternative_names(&names(&[dns("d.js.gov.cn")]))];
    verify(&forged(&by, &key.public_key(), false, &own), "sign", "").ok();
    verify(&forged(&by, &key.public_key(), true, &own), "node", "").ok();
    for officer in [false, true] {
        let (stolen, own) = stolen_and_own(officer);
        for (way, extensions) in ways(&stolen, &own) {
            let purposes: &[(bool, &str)] = match officer {
                true => &[(false, "sign"), (false, "any")],
                false => &[(false, "sign"), (true, "node"), (true, "client"), (true, "any")],
            };
            for (node, purpose) in purposes {
                for more in ["", "--lenient"] {
                    let answer =
                        verify(&forged(&by, &key.public_key(), *node, &extensions), purpose, more);
                    assert_eq!(answer.code, 1, "{way}, {purpose} {more}: {answer:?}");
                }
            }
        }
    }
    assert!(line > 300);
}

#[test]
fn documents_and_directories_in_stolen_names_are_not_believed() {
    let mut world = world();
    let by = Forger::of(&world, "js");
    let (key, above) = (new_key(), by.chain[0].der().to_vec());
    let sign = "doc sign n.txt --to b.zj.gov.cn --type 通知 --title t --out genuine --key certs-a/clerk.key \
                --cert certs-a/clerk.pem";
    world.run(sign).ok();
    world.run("verify genuine --anchor root/ca.pem").ok();
    let genuine = std::fs::read(world.path("genuine/document.cose")).unwrap();
    let directory = std::fs::read(world.path("directory-1.cose")).unwrap();
    world.start("b");
    let show = "directory show --anchor root/ca.pem --registrar registry.zj.gov.cn";
    world.run(&format!("{show} directory-1.cose")).ok();

    for officer in [false, true] {
        let (stolen, own) = stolen_and_own(officer);
        for (way, extensions) in ways(&stolen, &own) {
            let leaf = forged(&by, &key.public_key(), false, &extensions);
            let document = signed_again(&genuine, &key, &[&leaf, &above]);
            std::fs::write(world.path("genuine/document.cose"), document).unwrap();
            for more in ["", "--lenient"] {
                let answer = world.run(&format!("verify genuine --anchor root/ca.pem {more}"));
                assert!(matches!(answer.code, 1 | 5), "{way}: {answer:?}");
                assert!(!answer.stdout.starts_with("TOTAL-PASSED"), "{way}: {answer:?}");
            }
        }
    }
    for (way, extensions) in ways(&dns("registry.zj.gov.cn"), &dns("d.js.gov.cn")) {
        let leaf = forged(&by, &key.public_key(), false, &extensions);
        world.write("stolen.cose", &signed_again(&directory, &key, &[&leaf, &above]));
        for more in ["", "--lenient"] {
            let answer = world.run(&format!("{show} {more} stolen.cose"));
            assert_ne!(answer.code, 0, "{way}: {answer:?}");
        }
        let answer = world.clerk("b", "directory install stolen.cose");
        assert_ne!(answer.code, 0, "{way}: {answer:?}");
        assert!(!answer.stderr.contains("panicked"), "{answer:?}");
    }
    let state = world.clerk("b", "node status").ok();
    assert!(!state.stderr.contains("panicked"), "{state:?}");
}

/// A rustls client that shows whatever it is given.
fn shows(chain: &[&[u8]], key: &SigningKey) -> rustls::ClientConfig {
    #[derive(Debug)]
    struct Trusting(Arc<rustls::crypto::CryptoProvider>);
    impl rustls::client::danger::ServerCertVerifier for Trusting {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &rustls::pki_types::ServerName<'_>,
            _: &[u8],
            _: rustls::pki_types::UnixTime,
        ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
            Ok(rustls::client::danger::ServerCertVerified::assertion())
        }
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
        }
        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
        }
        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
    let own = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.pkcs8_der().unwrap().to_vec()));
    let own = provider.key_provider.load_private_key(own).unwrap();
    let certified = rustls::sign::CertifiedKey::new(chain, own);
    rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting(provider)))
        .with_client_cert_resolver(Arc::new(Shown(Arc::new(certified))))
}

/// Certificates that are shown without being looked at.
#[derive(Debug)]
struct Shown(Arc<rustls::sign::CertifiedKey>);

impl rustls::client::ResolvesClientCert for Shown {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[rustls::SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Whether a node answers a peer that shows these certificates.
async fn answers(address: std::net::SocketAddr, mut tls: rustls::ClientConfig) -> bool {
    tls.alpn_protocols = vec![b"chancery/1".to_vec()];
    let mut endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = QuicClientConfig::try_from(tls).unwrap();
    endpoint.set_default_client_config(ClientConfig::new(Arc::new(config)));
    let asked = async {
        let connection = endpoint.connect(address, "b.zj.gov.cn").ok()?.await.ok()?;
        let (mut send, mut recv) = connection.open_bi().await.ok()?;
        let frame = encode_frame(&PeerMessage::AskDirectory { version: 0, digest: None }).ok()?;
        send.write_all(&frame).await.ok()?;
        send.finish().ok()?;
        let answer = recv.read_to_end(1 << 24).await.ok()?;
        let length = u32::from_be_bytes(answer.get(..4)?.try_into().ok()?) as usize;
        decode_frame::<PeerMessage>(answer.get(4..4 + length)?).ok()
    };
    asked.await.is_some()
}

#[test]
fn a_node_lets_nobody_in_under_a_stolen_name() {
    let mut world = world();
    let by = Forger::of(&world, "js");
    let key = new_key();
    let http = free_address();
    world.set("b", "api.listen", &http.to_string());
    world.set("b", "api.officer_certificates", "true");
    world.set("b", "access.roles.clerk", "['unix:*', '*@b.zj.gov.cn']");
    world.start("b");
    let above = by.chain[0].der().to_vec();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listens = world.listens("b");
    let genuine = |folder: &str, name: &str| {
        let chain = std::fs::read(world.path(&format!("{folder}/{name}.pem"))).unwrap();
        let chain = chancery_certs::decode_pem_chain(&chain).unwrap();
        let key = std::fs::read_to_string(world.path(&format!("{folder}/{name}.key"))).unwrap();
        let der: Vec<_> = chain.iter().take(2).map(|c| c.der().to_vec()).collect();
        (der, SigningKey::from_pem(&key, None).unwrap())
    };
    let (chain, own) = genuine("certs-a", "node");
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    assert!(runtime.block_on(answers(listens, shows(&chain, &own))), "a genuine peer is answered");
    for (way, extensions) in ways(&dns("a.zj.gov.cn"), &dns("d.js.gov.cn")) {
        let leaf = forged(&by, &key.public_key(), true, &extensions);
        let tls = shows(&[&leaf, &above], &key);
        assert!(!runtime.block_on(answers(listens, tls)), "QUIC: {way}");
    }

    let asks = |tls: rustls::ClientConfig| {
        use std::io::{Read as _, Write as _};
        let name = rustls::pki_types::ServerName::try_from("b.zj.gov.cn").unwrap();
        let mut connection = rustls::ClientConnection::new(Arc::new(tls), name).unwrap();
        let mut socket = std::net::TcpStream::connect(http).unwrap();
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        let request = b"GET /v1/inbox HTTP/1.1\r\nHost: b.zj.gov.cn\r\nConnection: close\r\n\r\n";
        let mut answer = Vec::new();
        let _ = stream.write_all(request);
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 200")
    };
    let (chain, own) = genuine("certs-b", "clerk");
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    assert!(asks(shows(&chain, &own)), "a genuine officer is let in");
    for (way, extensions) in ways(&email("clerk@b.zj.gov.cn"), &email("clerk@d.js.gov.cn")) {
        let leaf = forged(&by, &key.public_key(), false, &extensions);
        assert!(!asks(shows(&[&leaf, &above], &key)), "HTTP: {way}");
    }
}

#[test]
fn a_subordinate_ca_makes_no_further_ca_and_no_time_stamping_authority() {
    let world = world();
    let by = Forger::of(&world, "js");
    let (below, key) = (new_key(), new_key());
    let names = alternative_names(&names(&[dns("d.js.gov.cn")]));
    let verify = |chain: &[&[u8]], purpose: &str, more: &str| {
        let text: String = chain.iter().map(|der| pem("CERTIFICATE", der)).collect();
        world.write("x.pem", text.as_bytes());
        world.run(&format!(
            "--json cert verify --anchor root/ca.pem --purpose {purpose} {more} x.pem"
        ))
    };
    let own = by.chain[0].der();
    // Below a path length of zero: no CA, however it says that it is one.
    let twice = extension("2.5.29.19", true, &sequence(&[&[0x01, 0x01, 0xff]]));
    for (way, says) in [
        ("one", vec![authority(None)]),
        ("two basicConstraints", vec![extension("2.5.29.19", true, &[0x30, 0]), twice]),
        (
            "a length with a sign",
            vec![extension("2.5.29.19", true, &[0x30, 6, 1, 1, 0xff, 2, 1, 0xff])],
        ),
        ("none", Vec::new()),
    ] {
        let id = extension("2.5.29.14", false, &tlv(4, b"below"));
        let extensions = [vec![key_usage(CERTIFIES), by.key_identifier(), id], says].concat();
        let mut ca = by.certificate(&below.public_key(), &extensions);
        ca.subject = common_name("Below");
        let ca = ca.sign(&by.key);
        let mut leaf = by.certificate(
            &key.public_key(),
            &[
                key_usage(CONTENT_COMMITMENT),
                extension("2.5.29.35", false, &sequence(&[&tlv(0x80, b"below")])),
                names.clone(),
            ],
        );
        leaf.issuer = common_name("Below");
        let leaf = leaf.sign(&below);
        for more in ["", "--lenient"] {
            let answer = verify(&[&leaf, &ca, own], "sign", more);
            assert_eq!(answer.code, 1, "{way} {more}: {answer:?}");
        }
    }
    // A time-stamping authority below an intermediate whose extended key usage does not allow for it.
    let stamps = extended_key_usage(true, &["1.3.6.1.5.5.7.3.8"]);
    let extensions = [key_usage(DIGITAL_SIGNATURE), stamps, by.key_identifier(), names.clone()];
    let authority = by.certificate(&key.public_key(), &extensions).sign(&by.key);
    for more in ["", "--lenient"] {
        for purpose in ["timestamp", "any"] {
            let answer = verify(&[&authority, own], purpose, more);
            assert_eq!(answer.json()["reason"], "KeyUsage", "{purpose} {more}: {answer:?}");
        }
    }
    write_key(&world.path("t.key"), &key);
    let issue = "ca issue --ca js --profile timestamp --name tsa.js.gov.cn --display T --out t --no-passphrase";
    world.run(issue).refused(2, "CHY-2005");
    // A list of uses is all that a key is for: none of them signs documents.
    for usage in ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.3", "1.2.3.4"] {
        for critical in [true, false] {
            let extensions = [
                key_usage(CONTENT_COMMITMENT),
                extended_key_usage(critical, &[usage]),
                by.key_identifier(),
                names.clone(),
            ];
            let leaf = by.certificate(&key.public_key(), &extensions).sign(&by.key);
            let answer = verify(&[&leaf, own], "sign", "");
            assert_eq!(answer.json()["reason"], "KeyUsage", "{usage}: {answer:?}");
        }
    }
    let extensions = [
        key_usage(CONTENT_COMMITMENT),
        extended_key_usage(true, &["1.3.6.1.5.5.7.3.36"]),
        by.key_identifier(),
        names,
    ];
    let leaf = by.certificate(&key.public_key(), &extensions).sign(&by.key);
    verify(&[&leaf, own], "sign", "").ok();
}
