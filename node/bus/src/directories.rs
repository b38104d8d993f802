//! Two directories of one version: the registrar has said two things, and both are kept.

use std::path::Path;

use chancery_crypto::Digest;

use crate::{Bus, NodeError, directory::DirectoryView};
use chancery_store::files::{sync_directory, write_new};

/// Where they are kept, in the node's data folder.
const FOLDER: &str = "directories";
/// The most files that are kept there: one pair says it all, and a registrar must not fill the disk.
const MAX_KEPT: usize = 16;
/// Hexadecimal digits of a digest in a file's name.
const DIGITS: usize = 16;

/// Compares a directory that has come with the one that is held.
///
/// # Errors
/// [`NodeError::TwoDirectories`] when both have one version and say different things: then the one that is held stays in
/// use. When only the new one's word about the one before it is another, it is used: it is newer.
pub(crate) fn compare(
    bus: &Bus,
    held: &DirectoryView,
    new: &DirectoryView,
) -> Result<(), NodeError> {
    if held.version == new.version && held.digest != new.digest {
        report(
            bus,
            held.version,
            [(&held.bytes, held.version, &held.digest), (&new.bytes, new.version, &new.digest)],
        );
        return Err(NodeError::TwoDirectories { version: new.version });
    }
    if let Some(previous) = new.previous()
        && previous.version == held.version
        && previous.digest != held.digest
    {
        report(
            bus,
            held.version,
            [(&held.bytes, held.version, &held.digest), (&new.bytes, new.version, &new.digest)],
        );
    }
    Ok(())
}

type Kept<'a> = (&'a [u8], u64, &'a Digest);

/// Says it, counts it, and keeps both: each is signed by the registrar, so that whoever holds the anchors can see it.
fn report(bus: &Bus, version: u64, both: [Kept<'_>; 2]) {
    bus.metrics.two_directories();
    let folder = bus.config.files.data.join(FOLDER);
    match both.iter().try_for_each(|one| keep(&folder, one)) {
        Ok(()) => tracing::error!(
            version, kept = %folder.display(),
            "the registrar has signed two different directories of one version; both are kept"
        ),
        Err(error) => tracing::error!(
            version, %error,
            "the registrar has signed two different directories of one version, and they were not kept"
        ),
    }
}

fn keep(folder: &Path, (bytes, version, digest): &Kept<'_>) -> Result<(), NodeError> {
    std::fs::create_dir_all(folder).map_err(NodeError::file(folder))?;
    let digits: String = digest.to_string().chars().take(DIGITS).collect();
    let file = folder.join(format!("{version}-{digits}.cose"));
    let kept = std::fs::read_dir(folder).map_err(NodeError::file(folder))?.count();
    if file.exists() || kept >= MAX_KEPT {
        return Ok(());
    }
    write_new(&file, bytes)?;
    Ok(sync_directory(folder)?)
}
