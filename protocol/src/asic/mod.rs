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

use crate::{ContainerFault, EntryFault, ProtocolError};

/// What is wrong with an entry of this name.
fn entry_fault(name: &str, fault: EntryFault) -> ProtocolError {
    ContainerFault::Entry { name: name.to_owned(), fault }.into()
}
