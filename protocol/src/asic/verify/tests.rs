//! What a verdict on a container costs.

use std::io::{Cursor, SeekFrom};

use chancery_certs::{Credential, sign_cades};

use super::*;
use crate::{
    asic::{asic_manifest_name, asic_signature_name, manifest::ManifestObject, zip::tests::zip},
    document::tests::{NOW, World, world},
};

/// Counts what is read.
struct Counting(Cursor<Vec<u8>>, u64);

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1 += read as u64;
        Ok(read)
    }
}

impl Seek for Counting {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

/// A container with one file that is listed many times.
fn listed(file: &[u8], times: usize, by: &Credential, right: bool) -> Vec<u8> {
    let algorithm = HashAlgorithm::Sha256;
    let object = ManifestObject {
        name: EntryName::new("x").expect("a name"),
        media_type: String::new(),
        algorithm,
        digest: algorithm.digest(file),
    };
    let signature = EntryName::new(&asic_signature_name(0)).expect("a name");
    let xml = Manifest { signature, objects: vec![object; times] }.to_xml();
    let signed = if right { xml.as_bytes() } else { b"something else" };
    let cms = sign_cades(signed, by, NOW).expect("signs");
    zip(&[
        ("mimetype", ASIC_E.as_bytes(), false),
        ("x", file, file.len() > 1 << 20),
        (&asic_manifest_name(0), xml.as_bytes(), true),
        (&asic_signature_name(0), &cms, false),
    ])
}

fn judge(world: &World, bytes: Vec<u8>) -> (Result<VerifiedContainer, ProtocolError>, u64) {
    let mut archive = Archive::read(Counting(Cursor::new(bytes), 0)).expect("reads");
    let verified = verify_container(&mut archive, &Validation::new(&world.trust, NOW));
    (verified, archive.into_inner().1)
}

#[test]
fn a_container_is_unpacked_once_and_only_under_a_signature() {
    let world = world();
    let bomb = vec![0; 8 << 20];
    let bytes = listed(&bomb, 2000, &world.officer, true);
    let size = bytes.len() as u64;
    let (verified, read) = judge(&world, bytes);
    let report = verified.expect("reads").report;
    assert_eq!(report.indication, Indication::TotalPassed, "{report:#?}");
    assert!(read < 10 * size, "{read} bytes read of {size}");
    // Under a signature that is wrong nothing is unpacked: here it is stored, and larger than all the rest.
    let stored = vec![7; 1 << 20];
    let (verified, read) = judge(&world, listed(&stored, 1, &world.officer, false));
    let report = verified.expect("reads").report;
    assert_eq!(report.sub_indication, Some(SubIndication::SigCryptoFailure));
    assert!(read < 1 << 19, "{read} bytes read");
}

#[test]
fn references_and_manifests_have_an_end() {
    let world = world();
    let bytes = listed(b"file", 4097, &world.officer, true);
    assert!(matches!(judge(&world, bytes).0, Err(ProtocolError::Container(_))));
    let mut items = vec![("mimetype".to_owned(), ASIC_E.as_bytes().to_vec())];
    let algorithm = HashAlgorithm::Sha256;
    for index in 0..65 {
        let signature = EntryName::new(&asic_signature_name(index)).expect("a name");
        let object = ManifestObject {
            name: EntryName::new("mimetype").expect("a name"),
            media_type: String::new(),
            algorithm,
            digest: algorithm.digest(ASIC_E.as_bytes()),
        };
        let xml = Manifest { signature, objects: vec![object] }.to_xml();
        items.push((asic_manifest_name(index), xml.into_bytes()));
    }
    let listed: Vec<_> = items.iter().map(|(n, b)| (&n[..], &b[..], false)).collect();
    assert!(matches!(judge(&world, zip(&listed)).0, Err(ProtocolError::Container(_))));
}
