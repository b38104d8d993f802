//! ASiC-E containers with CAdES signatures (ETSI EN 319 162-1): made of our documents, and verified and taken apart whoever
//! made them.

mod export;
mod import;

use std::{fs::File, path::Path};

use chancery_protocol::{Archive, ProtocolError, Validation, VerificationReport, verify_container};
use chancery_store::files::open_file;

pub(crate) use export::Export;
pub(crate) use import::Import;

use crate::{failure::Failure, place::first_bytes};

/// Whether a file is a ZIP container.
pub(crate) fn is_container(path: &Path) -> Result<bool, Failure> {
    let first = first_bytes(path)?;
    // A file header or, in an empty one, the end.
    Ok(first.starts_with(b"PK\x03\x04") || first.starts_with(b"PK\x05\x06"))
}

fn open(path: &Path) -> Result<Result<Archive<File>, ProtocolError>, Failure> {
    Ok(Archive::read(open_file(path)?))
}

/// Verifies a container: its CAdES signatures, the digests in their manifests, and our own document if there is one.
pub(crate) fn verify(
    path: &Path,
    by: &Validation<'_>,
) -> Result<Result<VerificationReport, ProtocolError>, Failure> {
    let verified = open(path)?.and_then(|mut archive| verify_container(&mut archive, by));
    Ok(verified.map(|verified| verified.report))
}
