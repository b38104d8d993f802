//! Containers of others: EU DSS's and Norway's own test files. Their roots are not ours, so none passes; each is read as far
//! as that, or refused for what it is.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

use std::path::PathBuf;

use chancery_tests::World;

/// The file, its sub-indication, and what the verdict says of it.
const EXPECTED: &[(&str, &str, &str)] = &[
    (
        "ASICE-CAdES-BpLTA-2-BpLTA-DSS5.4.asice",
        "NO_CERTIFICATE_CHAIN_FOUND",
        "CIUDADANO FICTICIO ACTIVO",
    ),
    ("ASiC-E-CAdES-BpLTA.sce", "NO_CERTIFICATE_CHAIN_FOUND", "CIUDADANO FICTICIO ACTIVO"),
    ("asic_xades_er.sce", "NOT_SUPPORTED", "XAdES signatures"),
    ("asice-cades-lta-atst-v3.sce", "NO_CERTIFICATE_CHAIN_FOUND", "Aleksandr Beliakov"),
    (
        "asice-level-lta-with-custom-manifest-namespace.sce",
        "NO_CERTIFICATE_CHAIN_FOUND",
        "good-user",
    ),
    ("brokenReference.asice", "HASH_FAILURE", "was changed"),
    ("brokenReferenceAndAlteredManifest.asice", "FORMAT_FAILURE", "no XML"),
    ("cades-duplicate-orphan-revocation.asice", "NO_CERTIFICATE_CHAIN_FOUND", "Jakub Lejtnar"),
    ("cades-ers.sce", "NO_CERTIFICATE_CHAIN_FOUND", "good-user"),
    ("cades-invalid-digest-algo.asics", "NOT_SUPPORTED", "asic-s+zip"),
    ("cades-lt-two-sigs.sce", "NO_CERTIFICATE_CHAIN_FOUND", "Aleksandr Beliakov"),
    (
        "cades-lt-with-er-chain-renewed-copied-tst.sce",
        "NO_CERTIFICATE_CHAIN_FOUND",
        "Aleksandr Beliakov",
    ),
    (
        "cades-lt-with-er-chain-renewed-missed-ref.sce",
        "NO_CERTIFICATE_CHAIN_FOUND",
        "Aleksandr Beliakov",
    ),
    (
        "cades-lt-with-er-multi-files-different-algo.sce",
        "NO_CERTIFICATE_CHAIN_FOUND",
        "Aleksandr Beliakov",
    ),
    ("cades-lt-with-er-no-sig.sce", "NO_CERTIFICATE_CHAIN_FOUND", "Aleksandr Beliakov"),
    (
        "cades-lt-with-er-unsigned-manifest-entries.sce",
        "NO_CERTIFICATE_CHAIN_FOUND",
        "Aleksandr Beliakov",
    ),
    ("cades-lt-with-two-ers-multi-files.sce", "NO_CERTIFICATE_CHAIN_FOUND", "Aleksandr Beliakov"),
    (
        "cades-lt-with-two-ers-sequence-multi-files.sce",
        "NO_CERTIFICATE_CHAIN_FOUND",
        "Aleksandr Beliakov",
    ),
    ("cades-lta-alternative-naming.sce", "NO_CERTIFICATE_CHAIN_FOUND", "good-user"),
    ("cades-lta.sce", "NO_CERTIFICATE_CHAIN_FOUND", "Aleksandr Beliakov"),
    ("difi-asic-cades-test-invalid-metadata-file.asice", "FORMAT_FAILURE", "signature.malformed"),
    ("difi-asic-cades-test-invalid-signature.asice", "NOT_SUPPORTED", "2918/v1.2.1#"),
    ("difi-asic-cades-test-invalid-sigreference.asice", "NOT_SUPPORTED", "2918/v1.2.1#"),
    ("difi-asic-cades-test-valid.asice", "NOT_SUPPORTED", "2918/v1.2.1#"),
    ("difi-asic-general-test-invalid-mime.asice", "NOT_SUPPORTED", "asic-s+zip"),
    ("difi-asic-xades-external-digidoc4j.asice", "NOT_SUPPORTED", "XAdES signatures"),
    ("difi-asic-xades-external-sdp.asice", "NOT_SUPPORTED", "XAdES signatures"),
    ("dss1421-archive-not-cover.asice", "NO_CERTIFICATE_CHAIN_FOUND", "does not list"),
    ("dss1421-broken.asice", "NO_CERTIFICATE_CHAIN_FOUND", "is of another state of"),
    ("dss1421.asice", "NO_CERTIFICATE_CHAIN_FOUND", "CIUDADANO FICTICIO ACTIVO"),
    ("dss1984.asice", "NO_CERTIFICATE_CHAIN_FOUND", "CIUDADANO FICTICIO ACTIVO"),
    ("dss1984.asics", "NOT_SUPPORTED", "asic-s+zip"),
    (
        "emptyCertStore.asice",
        "NO_SIGNING_CERTIFICATE_FOUND",
        "certificate that its signature binds is not there",
    ),
    ("er-asn1-full-renewal-with-invalid-manifest.asice", "NOT_SUPPORTED", "an evidence record"),
    ("er-asn1-full-renewal-with-manifest.asics", "NOT_SUPPORTED", "an evidence record"),
    ("er-asn1-full-renewal.asice", "NOT_SUPPORTED", "an evidence record"),
    ("er-asn1-full-renewal.asics", "NOT_SUPPORTED", "an evidence record"),
    ("er-asn1-multi-files.asice", "NOT_SUPPORTED", "an evidence record"),
    ("er-asn1-no-hashtree-full-renewal.sce", "NOT_SUPPORTED", "an evidence record"),
    ("er-asn1-no-hashtree-no-manifest.sce", "NOT_SUPPORTED", "an evidence record"),
    ("er-asn1-no-hashtree-wrong-digest-algo.sce", "NOT_SUPPORTED", "an evidence record"),
    ("er-asn1-no-hashtree-wrong-digest.sce", "NOT_SUPPORTED", "an evidence record"),
    ("er-asn1-no-hashtree-wrong-manifest-file.sce", "NOT_SUPPORTED", "an evidence record"),
    ("er-asn1-one-file.asice", "NOT_SUPPORTED", "an evidence record"),
    ("er-asn1-tst-renewal-no-manifest.asice", "NOT_SUPPORTED", "an evidence record"),
    ("er-asn1-tst-renewal.asice", "NOT_SUPPORTED", "an evidence record"),
    ("er-asn1-tst-renewal.asics", "NOT_SUPPORTED", "an evidence record"),
    ("er-multi-file-data-not-found.asice", "NOT_SUPPORTED", "an evidence record"),
    ("er-multi-files-separate.asics", "NOT_SUPPORTED", "asic-s+zip"),
    ("er-multi-files.asice", "NOT_SUPPORTED", "an evidence record"),
    ("er-no-hashtree-xml-manifest-canonicalized.sce", "NOT_SUPPORTED", "an evidence record"),
    ("er-no-hashtree-xml-manifest-wrong-sig-ref.sce", "NOT_SUPPORTED", "an evidence record"),
    ("er-no-hashtree-xml.sce", "NOT_SUPPORTED", "an evidence record"),
    ("er-one-file.asics", "NOT_SUPPORTED", "asic-s+zip"),
    ("malformed-container.asics", "FORMAT_FAILURE", "no ASiC container"),
    ("multifiles-ok.asice", "NO_CERTIFICATE_CHAIN_FOUND", "good-user"),
    ("no-signature-container.sce", "FORMAT_FAILURE", "it holds no signature"),
    ("no-signature.asics", "NOT_SUPPORTED", "asic-s+zip"),
    ("onefile-ok.asice", "NO_CERTIFICATE_CHAIN_FOUND", "good-user"),
    ("removed-doc.asice", "NO_CERTIFICATE_CHAIN_FOUND", "is not there"),
    ("removed-doc.asics", "NOT_SUPPORTED", "asic-s+zip"),
    ("removedReference.asice", "NO_CERTIFICATE_CHAIN_FOUND", "is not there"),
    ("tst-with-asn1-er.sce", "SIG_CONSTRAINTS_FAILURE", "nobody has signed it"),
    ("tst-with-two-diff-ers.sce", "SIG_CONSTRAINTS_FAILURE", "nobody has signed it"),
    ("tstNoMimeType.asice", "SIG_CONSTRAINTS_FAILURE", "nobody has signed it"),
    ("tstWithEmptyCertSource.asice", "SIG_CONSTRAINTS_FAILURE", "nobody has signed it"),
    ("twoSignaturesOneTimeOneSigner.asice", "SIG_CRYPTO_FAILURE", "no signature is right"),
];

fn folder() -> Option<PathBuf> {
    let own = std::env::var_os("CHANCERY_TESTDATA").map(PathBuf::from);
    let folder = own.unwrap_or_else(|| chancery_tests::package().join("../../shared/testdata"));
    let folder = folder.join("asic");
    if !folder.is_dir() {
        eprintln!(
            "skipped: {} is not there (CHANCERY_TESTDATA names another folder)",
            folder.display()
        );
        return None;
    }
    Some(folder)
}

#[test]
fn containers_of_others_are_read_or_refused_for_a_true_reason() {
    let Some(folder) = folder() else { return };
    let world = World::new();
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some((_, sub, why)) = EXPECTED.iter().find(|(file, ..)| *file == name) else {
            panic!("nobody has said what to expect of {name}");
        };
        let answer = world.run(&format!("--json verify --anchor root/ca.pem {}", path.display()));
        let one = answer.json()["documents"][0].clone();
        let found = one["sub_indication"].as_str().unwrap_or("TOTAL-PASSED");
        assert_eq!(found, *sub, "{name}: {one:#}");
        assert!(one.to_string().contains(why), "{name}: not {why:?}: {one:#}");
        // Nothing is called certainly not valid but what is.
        let failed = matches!(*sub, "FORMAT_FAILURE" | "HASH_FAILURE" | "SIG_CRYPTO_FAILURE");
        assert_eq!(answer.code, if failed { 1 } else { 5 }, "{name}");
        let import =
            world.run(&format!("import asic {} --anchor root/ca.pem --out out", path.display()));
        assert!(import.code != 0 && !world.path("out").exists(), "{name}: {import:?}");
        seen += 1;
    }
    assert_eq!(seen, EXPECTED.len());
}
