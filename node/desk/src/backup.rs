//! Backups: the store at one instant and the contents beside it, with a manifest of digests.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use chancery_bus::{NodeError, note_restored};
use chancery_crypto::{Digest, Hasher};
use chancery_ledger::{records::EnvelopeRecord, stored_tree, unix_now};
use chancery_protocol::{Checkpoint, EnvelopeId, merkle};
use chancery_store::{
    Blocking, Store, StoreError,
    files::{
        Staged, create_private_file, new_folder, open_member, read_file, sync_directory, write_new,
    },
};
use serde::{Deserialize, Serialize};

use crate::Office;

/// The manifest's name in a backup.
const MANIFEST: &str = "manifest.json";

/// The form of backups that is written and read here.
const FORM: u32 = 1;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupManifest {
    /// The form of the backup.
    form: u32,
    /// When it was made, in seconds since 1970 UTC.
    pub made: i64,
    /// The ledger's newest checkpoint in it, a signed note.
    pub checkpoint: String,
    /// Every file.
    files: Vec<BackupFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupFile {
    path: String,
    size: u64,
    sha256: Digest,
}

impl BackupManifest {
    /// The number of files and their bytes.
    pub fn measure(&self) -> (usize, u64) {
        (self.files.len(), self.files.iter().map(|f| f.size).sum())
    }

    /// The number of ledger entries.
    ///
    /// # Errors
    /// [`NodeError::Protocol`] when the note cannot be read.
    pub fn entries(&self) -> Result<u64, NodeError> {
        Ok(Checkpoint::read_unverified(&self.checkpoint)?.size)
    }
}

fn not_whole(why: impl Into<String>) -> NodeError {
    NodeError::Backup(why.into())
}

/// Makes a backup of a running node in its data folder, under `backups/`. The node goes on meanwhile. Files
/// are linked, not copied, wherever they never change, so that it costs little until it is copied elsewhere.
pub fn make(here: &Blocking, office: &Office) -> Result<(PathBuf, BackupManifest), NodeError> {
    let data = &office.config().files.data;
    let backups = data.join("backups");
    std::fs::create_dir_all(&backups).map_err(NodeError::file(&backups))?;
    let made = unix_now();
    let name = chancery_certs::rfc3339(made).replace(':', "");
    let to = backups.join(&name);
    // Half a backup must not be mistaken for a whole one, nor stay in the way.
    let staged = Staged::folder(&to)?;
    let manifest = fill(here, office, staged.path(), made)?;
    staged.finish()?;
    Ok((to, manifest))
}

fn fill(
    here: &Blocking,
    office: &Office,
    partial: &Path,
    made: i64,
) -> Result<BackupManifest, NodeError> {
    // The store first: every content that it speaks of was there before.
    let declined = StoreError::Declined {
        engine: "of the database",
        why: "it is copied with its own tools (docs/operators.md)",
    };
    let engine = office.store(here).maintenance().ok_or(declined)?;
    engine.copy_to(&partial.join("store"))?;
    let copy: Arc<dyn Store> = chancery_store::open_read_only(&partial.join("store"))?;
    let contents = partial.join("content");
    match office.config().store.objects {
        // They are backed up where they are.
        Some(_) => std::fs::create_dir(&contents).map_err(NodeError::file(&contents))?,
        None => link_contents(&*copy, &office.config().contents(), &contents)?,
    }
    let copied = stored_tree(copy)?;
    // Without entries there is only the seal's word that there are none.
    let checkpoint = copied.map_or_else(|| office.ledger().checkpoint().note, |(_, note)| note);
    let mut files = Vec::new();
    for file in files_below(partial)? {
        files.push(describe(partial, &file)?);
    }
    let manifest = BackupManifest { form: FORM, made, checkpoint, files };
    let json = serde_json::to_vec_pretty(&manifest).map_err(NodeError::broken)?;
    write_new(&partial.join(MANIFEST), &json)?;
    sync_directory(partial)?;
    Ok(manifest)
}

/// Links the contents that the copied store speaks of. What is arriving is not acknowledged yet.
fn link_contents(copy: &dyn Store, from: &Path, to: &Path) -> Result<(), NodeError> {
    std::fs::create_dir(to).map_err(NodeError::file(to))?;
    for file in files_below(from)? {
        let name = file.file_name().unwrap_or_default();
        let id = hex::decode(name.to_string_lossy().as_bytes()).unwrap_or_default();
        let id = EnvelopeId::from_slice(&id);
        let record = id.map(|id| EnvelopeRecord::get(copy, &id)).transpose()?.flatten();
        if record.is_some_and(|record| record.in_file && record.purged.is_none()) {
            let link = to.join(name);
            match std::fs::hard_link(&file, &link) {
                // A folder of contents may be another file system.
                Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => {
                    std::fs::copy(&file, &link).map_err(NodeError::file(&link))?;
                    let copied = std::fs::File::open(&link).and_then(|copy| copy.sync_all());
                    copied.map_err(NodeError::file(&link))?;
                }
                linked => linked.map_err(NodeError::file(&link))?,
            }
        }
    }
    Ok(sync_directory(to)?)
}

/// All files below a folder, in the order of their names.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>, NodeError> {
    let mut out = Vec::new();
    let mut entries = std::fs::read_dir(folder)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(NodeError::file(folder))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // A link could lead out of the backup; there are none in one that we made.
        let kind = entry.file_type().map_err(NodeError::file(&path))?;
        if kind.is_dir() {
            out.extend(files_below(&path)?);
        } else if kind.is_file() {
            out.push(path);
        } else {
            return Err(not_whole(format!("{} is no plain file", path.display())));
        }
    }
    Ok(out)
}

fn describe(root: &Path, file: &Path) -> Result<BackupFile, NodeError> {
    let path = file.strip_prefix(root).unwrap_or(file).to_string_lossy().into_owned();
    let mut open = open_member(file)?;
    let (mut hasher, mut size, mut buffer) = (Hasher::new(), 0u64, vec![0; 1 << 20]);
    loop {
        let count = open.read(&mut buffer).map_err(NodeError::file(file))?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        hasher.update(bytes);
        size += bytes.len() as u64;
    }
    Ok(BackupFile { path, size, sha256: hasher.finish() })
}

/// Checks a backup: that it has exactly the files of its manifest, byte by byte.
///
/// # Errors
/// [`NodeError::Backup`], naming the first file that is not as it was.
pub fn check(backup: &Path) -> Result<BackupManifest, NodeError> {
    let manifest: BackupManifest = serde_json::from_slice(&read_file(&backup.join(MANIFEST))?)
        .map_err(|e| not_whole(format!("{MANIFEST} cannot be read: {e}")))?;
    if manifest.form != FORM {
        return Err(not_whole(format!("it has form {}; form {FORM} is known here", manifest.form)));
    }
    let mut there = files_below(backup)?;
    there.retain(|file| *file != backup.join(MANIFEST));
    let mut wanted = manifest.files.iter();
    for file in there {
        let found = describe(backup, &file)?;
        match wanted.next() {
            Some(want) if *want == found => {}
            Some(want) if want.path == found.path => {
                return Err(not_whole(format!("{} was altered", found.path)));
            }
            Some(want) if want.path < found.path => {
                return Err(not_whole(format!("{} is missing", want.path)));
            }
            _ => return Err(not_whole(format!("{} does not belong to it", found.path))),
        }
    }
    match wanted.next() {
        Some(want) => Err(not_whole(format!("{} is missing", want.path))),
        None => Ok(manifest),
    }
}

/// Restores a backup into a data folder that is not there yet, and checks the ledger in it.
///
/// # Errors
/// [`NodeError::Backup`] or [`NodeError::Store`]; nothing is left in place then.
pub fn restore(backup: &Path, into: &Path) -> Result<BackupManifest, NodeError> {
    let manifest = check(backup)?;
    // Half a store must not be mistaken for a whole one.
    let staged = Staged::folder(into)?;
    copy_all(backup, staged.path(), &manifest)?;
    // The node asks its peers what came after it before it seals anything.
    note_restored(staged.path())?;
    staged.finish()?;
    Ok(manifest)
}

fn copy_all(backup: &Path, to: &Path, manifest: &BackupManifest) -> Result<(), NodeError> {
    for folder in [to.join("store"), to.join("content")] {
        new_folder(&folder)?;
    }
    for file in &manifest.files {
        // The path is one that a walk below the backup has found: it leads nowhere else.
        let copy = to.join(&file.path);
        let mut from = open_member(&backup.join(&file.path))?;
        let mut to = create_private_file(&copy)?;
        let written = std::io::copy(&mut from, &mut to).and_then(|_| to.sync_all());
        written.map_err(NodeError::file(&copy))?;
    }
    for folder in [to.join("store"), to.join("content"), to.to_owned()] {
        sync_directory(&folder)?;
    }
    let store = chancery_store::open_read_only(&to.join("store"))?;
    let sealed = Checkpoint::read_unverified(&manifest.checkpoint)?;
    let (root, note) = match stored_tree(store)? {
        Some(tree) => tree,
        None => (merkle::empty_root(), manifest.checkpoint.clone()),
    };
    if root != sealed.root || note != manifest.checkpoint {
        let why = format!("its tree gives the root {root}, sealed was {}", sealed.root);
        return Err(NodeError::damaged(why));
    }
    Ok(())
}
