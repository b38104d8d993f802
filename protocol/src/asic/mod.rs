//! ASiC-E containers with CAdES signatures (ETSI EN 319 162-1): their ZIP, names, manifests, and the verdict on them.
//! Whatever reads a container goes through here, so that what is verified, shown and taken out is one and the same.

mod manifest;
mod name;
mod verify;
mod zip;

pub use manifest::{
    ASIC_E, ASIC_HEADER, MAX_MANIFEST, Manifest, ManifestObject, asic_manifest_name,
    asic_signature_name,
};
pub use name::EntryName;
pub use verify::{ASIC_DOCUMENT, VerifiedContainer, verify_container};
pub use zip::{Archive, Entry};

use crate::ProtocolError;

/// What is not as it should be.
fn refuse(what: impl std::fmt::Display) -> ProtocolError {
    ProtocolError::Container(what.to_string())
}

/// What may be right, and is not read here.
fn unsupported(what: impl std::fmt::Display) -> ProtocolError {
    ProtocolError::Unsupported(what.to_string())
}
