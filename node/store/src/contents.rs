//! Where large contents lie once they are whole: in a folder, or in an object store that several machines reach.
//!
//! A content is put there before the commit that speaks of it, and taken away after the commit that says it is gone: a commit never
//! speaks of what is not there. What lies there is ciphertext; whoever reads it checks it against the root that its envelope
//! seals, or opens it chunk by chunk, so nothing rests on the place being honest.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    StoreError,
    files::{is_stray, sync_directory},
};

/// A content that lies somewhere, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// How long it has been there.
    pub age: Duration,
}

/// A place of whole contents. Names are the envelopes' ids in hexadecimal. Every call may wait for a disk or a network.
pub trait Contents: Send + Sync + std::fmt::Debug {
    /// Takes in the bytes of a file that is whole and synced, under a name; when this returns they survive a power cut, and the
    /// file is gone. What was there under that name was the same.
    ///
    /// # Errors
    /// [`StoreError`]; the file is left then, and it can be tried again.
    fn keep(&self, file: &Path, name: &str) -> Result<(), StoreError>;

    /// Whether something is there under a name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn has(&self, name: &str) -> Result<bool, StoreError>;

    /// Opens a content for reading.
    ///
    /// # Errors
    /// [`StoreError`]; see [`StoreError::is_not_found`].
    fn open(&self, name: &str) -> Result<Box<dyn ContentReader>, StoreError>;

    /// Removes a content, if it is there.
    ///
    /// # Errors
    /// [`StoreError`].
    fn remove(&self, name: &str) -> Result<(), StoreError>;

    /// What is there, in the order of the names.
    ///
    /// # Errors
    /// [`StoreError`].
    fn list(&self) -> Result<Vec<Listed>, StoreError>;
}

/// Reads a content.
pub trait ContentReader: Send + std::fmt::Debug {
    /// How many bytes it has.
    fn size(&self) -> u64;

    /// Exactly `len` bytes from one on.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Damaged`] when it is shorter.
    fn read_at(&mut self, at: u64, len: usize) -> Result<Vec<u8>, StoreError>;

    /// Says that the bytes before one are not read again by anybody for a while.
    fn done_before(&mut self, _at: u64) {}
}

/// Contents as the files of a folder.
#[derive(Debug, Clone)]
pub struct FolderContents {
    folder: PathBuf,
}

impl FolderContents {
    /// The contents in a folder, which need not be there before something is kept.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }
}

impl Contents for FolderContents {
    fn keep(&self, file: &Path, name: &str) -> Result<(), StoreError> {
        let to = self.folder.join(name);
        match std::fs::rename(file, &to) {
            Ok(()) => {}
            // The folder that machines share is another file system than the one where things arrive.
            Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => {
                let beside = self.folder.join(format!("{name}.copy"));
                std::fs::copy(file, &beside).map_err(StoreError::file(&beside))?;
                let copied = File::open(&beside).and_then(|copy| copy.sync_all());
                copied.map_err(StoreError::file(&beside))?;
                std::fs::rename(&beside, &to).map_err(StoreError::file(&to))?;
                std::fs::remove_file(file).map_err(StoreError::file(file))?;
            }
            Err(error) => return Err(StoreError::file(file)(error)),
        }
        sync_directory(&self.folder)
    }

    fn has(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.folder.join(name).exists())
    }

    fn open(&self, name: &str) -> Result<Box<dyn ContentReader>, StoreError> {
        let path = self.folder.join(name);
        let file = File::open(&path).map_err(StoreError::file(&path))?;
        let size = file.metadata().map_err(StoreError::file(&path))?.len();
        Ok(Box::new(FileReader { file, path, size, dropped: 0 }))
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.folder.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::file(&path)(error));
            }
            _ => {}
        }
        match self.folder.exists() {
            true => sync_directory(&self.folder),
            false => Ok(()),
        }
    }

    fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let mut all = Vec::new();
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(all),
            entries => entries.map_err(StoreError::file(&self.folder))?,
        };
        for entry in entries {
            let path = entry.map_err(StoreError::file(&self.folder))?.path();
            // What arrives, or is being sealed, has an extension.
            let name = path.file_name().unwrap_or_default();
            if path.extension().is_some() || is_stray(name) {
                continue;
            }
            let name = name.to_string_lossy().into_owned();
            let made =
                path.metadata().and_then(|of| of.modified()).map_err(StoreError::file(&path));
            let age = SystemTime::now().duration_since(made?).unwrap_or_default();
            all.push(Listed { name, age });
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }
}

/// Bytes of a file that have been read and may still be in the page cache, when nobody else is to be sent them.
const BEHIND: u64 = 8 << 20;

#[derive(Debug)]
struct FileReader {
    file: File,
    path: PathBuf,
    size: u64,
    dropped: u64,
}

impl ContentReader for FileReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, at: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let short =
            || StoreError::Damaged(format!("{} is shorter than it was", self.path.display()));
        if at.checked_add(len as u64).is_none_or(|end| end > self.size) {
            return Err(short());
        }
        let mut bytes = Vec::with_capacity(len);
        self.file.seek(SeekFrom::Start(at)).map_err(StoreError::file(&self.path))?;
        let read = (&self.file).take(len as u64).read_to_end(&mut bytes);
        match read.map_err(StoreError::file(&self.path))? == len {
            true => Ok(bytes),
            false => Err(short()),
        }
    }

    fn done_before(&mut self, at: u64) {
        if let Some(bytes) = at.checked_sub(self.dropped).filter(|bytes| *bytes >= BEHIND) {
            crate::files::drop_cached(&self.file, self.dropped, bytes);
            self.dropped = at;
        }
    }
}

/// What every place of contents must do.
///
/// # Panics
/// When it does not.
#[expect(clippy::expect_used, reason = "it is a test, for places that are made elsewhere, too")]
pub fn conformance(place: &dyn Contents, scratch: &Path) {
    let file = |bytes: &[u8]| {
        let path = scratch.join("arrived.part");
        std::fs::write(&path, bytes).expect("a file is written");
        path
    };
    let names = || {
        let all = place.list().expect("it is listed");
        all.into_iter().map(|one| one.name).collect::<Vec<_>>()
    };
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    assert_eq!(names(), Vec::<String>::new());
    assert!(!place.has(&a).expect("it is looked for"));
    assert!(place.open(&a).expect_err("there is none").is_not_found());
    place.remove(&a).expect("what is not there is removed");

    // Larger than what is fetched or sent at once, and of an odd size.
    let large: Vec<u8> =
        (0..40_000_011_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let path = file(&large);
    place.keep(&path, &b).expect("it is kept");
    assert!(!path.exists(), "the file has gone there");
    place.keep(&file(b""), &a).expect("an empty one is kept");
    assert_eq!(names(), [a.clone(), b.clone()]);
    assert!(place.has(&a).expect("it is looked for") && place.has(&b).expect("it is looked for"));
    assert!(
        place.list().expect("it is listed").iter().all(|one| one.age < Duration::from_secs(3600))
    );

    let mut reader = place.open(&b).expect("it opens");
    assert_eq!(reader.size(), large.len() as u64);
    for (at, len) in
        [(0, 65_552), (65_552, 65_552), (39_999_000, 1011), (5, 1), (20_000_000, 9_000_000)]
    {
        let read = reader.read_at(at, len).expect("it is read");
        let from = usize::try_from(at).expect("it fits");
        assert!(large.get(from..from + len) == Some(&read), "{len} bytes at {at}");
        reader.done_before(at);
    }
    assert!(reader.read_at(40_000_000, 12).is_err(), "there is no more");
    assert!(reader.read_at(u64::MAX, 1).is_err());
    assert_eq!(place.open(&a).expect("it opens").size(), 0);

    // The same again, as after a crash between keeping it and the commit that speaks of it.
    place.keep(&file(&large), &b).expect("it is kept again");
    place.remove(&b).expect("it is removed");
    place.remove(&b).expect("and stays so");
    assert_eq!(names(), [a]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_does_what_a_place_of_contents_must() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("content");
        std::fs::create_dir(&place).expect("a folder");
        conformance(&FolderContents::at(place), folder.path());
    }

    #[test]
    fn what_is_not_whole_or_not_ours_is_not_listed() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a.part", "b.tmp", ".DS_Store", "c"] {
            std::fs::write(folder.path().join(name), b"x").expect("a file");
        }
        let place = FolderContents::at(folder.path().to_owned());
        let names: Vec<_> =
            place.list().expect("it is listed").into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["c"]);
    }
}
