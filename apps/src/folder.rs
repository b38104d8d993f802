//! A module's folder as one thing: its files by name, in one form, so that the same folder has the same digest everywhere.

use std::collections::BTreeMap;

use chancery_crypto::{Digest, cbor};
use thiserror::Error;

/// The most files of a folder, and the most bytes of all of them.
const MOST_FILES: usize = 1_000;
const MOST_BYTES: usize = 4 << 20;

/// The media type of a folder, as a part of the document that installs it.
pub const MEDIA_TYPE: &str = "application/vnd.chancery.module+cbor";

/// The most folders that one extends, one above the other.
pub(crate) const MOST_ABOVE: usize = 4;

/// The files of a module, by their paths: `module.toml`, `cases/leave.toml`; and the folder that it extends, where that is at hand.
/// Its digest is that of its own files: they name the folder above by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folder {
    files: BTreeMap<String, String>,
    above: Option<Box<Folder>>,
}

/// Why something is no module's folder.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoFolder {
    /// The path leads elsewhere, or is of no kind that a module has.
    #[error("{0:?}")]
    Path(String),
    /// There are too many files, or bytes.
    #[error("too large")]
    Size,
    /// The bytes are no folder's.
    #[error("{0}")]
    Bytes(String),
}

/// What files of a module end in.
const ENDINGS: [&str; 7] = ["toml", "json", "ftl", "csv", "cedar", "md", "txt"];

impl Folder {
    /// Adds a file.
    ///
    /// # Errors
    /// [`NoFolder`], naming the path.
    pub fn add(&mut self, path: &str, text: String) -> Result<(), NoFolder> {
        let plain = |part: &str| {
            let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            !part.is_empty() && !part.starts_with('.') && part.bytes().all(known)
        };
        let ends = path.rsplit_once('.').is_some_and(|(_, end)| ENDINGS.contains(&end));
        let parts = path.split('/').count();
        if !ends || parts > 3 || path.len() > 200 || !path.split('/').all(plain) {
            return Err(NoFolder::Path(path.to_owned()));
        }
        let bytes: usize = self.files.values().map(String::len).sum();
        if self.files.len() == MOST_FILES || bytes + text.len() > MOST_BYTES {
            return Err(NoFolder::Size);
        }
        self.files.insert(path.to_owned(), text);
        Ok(())
    }

    /// A folder of these files.
    ///
    /// # Errors
    /// As [`Folder::add`].
    pub fn of<P: AsRef<str>, T: Into<String>>(
        files: impl IntoIterator<Item = (P, T)>,
    ) -> Result<Self, NoFolder> {
        let mut folder = Self::default();
        for (path, text) in files {
            folder.add(path.as_ref(), text.into())?;
        }
        Ok(folder)
    }

    /// How many bytes it still takes, so that nobody reads more for it.
    pub fn room(&self) -> usize {
        MOST_BYTES.saturating_sub(self.files.values().map(String::len).sum())
    }

    /// Its files.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// A file.
    pub fn file(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Its one form: deterministic CBOR, a map from paths to texts.
    pub fn encode(&self) -> Vec<u8> {
        // A map of texts always has a form.
        cbor::encode(&self.files).expect("texts are plain")
    }

    /// Its form with the folders that it extends: a list of maps, its own first. One that extends none is as [`Folder::encode`].
    pub fn encode_whole(&self) -> Vec<u8> {
        if self.above.is_none() {
            return self.encode();
        }
        let mut all = vec![&self.files];
        let mut next = self.above.as_deref();
        while let Some(folder) = next {
            all.push(&folder.files);
            next = folder.above.as_deref();
        }
        cbor::encode_within(&all, usize::MAX).expect("texts are plain")
    }

    /// Reads what [`Folder::encode`] or [`Folder::encode_whole`] gave.
    ///
    /// # Errors
    /// [`NoFolder`].
    pub fn decode(bytes: &[u8]) -> Result<Self, NoFolder> {
        // A list, by its first byte.
        let whole = bytes.first().is_some_and(|first| first >> 5 == 4);
        let most = if whole { 1 + MOST_ABOVE } else { 1 };
        if bytes.len() > most * (MOST_BYTES + MOST_FILES * 256) {
            return Err(NoFolder::Size);
        }
        let bad = |e: chancery_crypto::CborError| NoFolder::Bytes(e.to_string());
        let all: Vec<BTreeMap<String, String>> = match whole {
            true => cbor::decode_within(bytes, bytes.len()).map_err(bad)?,
            false => vec![cbor::decode_within(bytes, bytes.len()).map_err(bad)?],
        };
        if all.is_empty() || all.len() > most {
            return Err(NoFolder::Size);
        }
        let mut above = None;
        for files in all.into_iter().rev() {
            let mut folder = Self::of(files)?;
            folder.above = above.map(Box::new);
            above = Some(folder);
        }
        above.ok_or(NoFolder::Size)
    }

    /// The same folder over the one that it extends.
    #[must_use]
    pub fn over(self, above: Folder) -> Self {
        Self { above: Some(Box::new(above)), ..self }
    }

    /// The folder that it extends, where that is at hand.
    pub fn above(&self) -> Option<&Folder> {
        self.above.as_deref()
    }

    /// What it is known by.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.encode())
    }
}

#[cfg(test)]
impl Folder {
    /// A module of this crate, whole.
    pub(crate) fn of_this_crate(name: &str) -> Self {
        fn below(root: &std::path::Path, at: &std::path::Path, into: &mut Folder) {
            for file in std::fs::read_dir(at).expect("a folder").flatten() {
                let path = file.path();
                if path.is_dir() {
                    below(root, &path, into);
                    continue;
                }
                let own = path.strip_prefix(root).expect("below it");
                let text = std::fs::read_to_string(&path).expect("text");
                into.add(own.to_str().expect("text"), text).expect("a file");
            }
        }
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("modules").join(name);
        let mut folder = Self::default();
        below(&root, &root, &mut folder);
        folder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_have_the_same_digest_and_others_are_refused() {
        let one = Folder::of([("module.toml", "a"), ("cases/x.toml", "b")]).expect("a folder");
        let other = Folder::of([("cases/x.toml", "b"), ("module.toml", "a")]).expect("a folder");
        assert_eq!(one.digest(), other.digest());
        assert_eq!(Folder::decode(&one.encode()).expect("reads"), one);
        for bad in
            ["../x.toml", "/x.toml", "a/b/c/d.toml", "x.sh", ".x.toml", "a//b.toml", "x", "ä.toml"]
        {
            assert_eq!(Folder::of([(bad, "")]), Err(NoFolder::Path(bad.into())), "{bad}");
        }
        assert_eq!(Folder::of([("a.txt", "x".repeat(MOST_BYTES + 1))]), Err(NoFolder::Size));
        assert!(matches!(Folder::decode(b"\xa1"), Err(NoFolder::Bytes(_))));
    }

    #[test]
    fn a_folder_has_its_own_digest_whatever_it_is_laid_over() {
        let above = Folder::of([("module.toml", "a")]).expect("a folder");
        let own = Folder::of([("module.toml", "b")]).expect("a folder");
        let whole = own.clone().over(above.clone());
        assert_eq!(whole.digest(), own.digest());
        assert_eq!(whole.encode(), own.encode());
        let read = Folder::decode(&whole.encode_whole()).expect("reads");
        assert_eq!((&read, read.above()), (&whole, Some(&above)));
        assert_eq!(own.encode_whole(), own.encode());
        // A list of none, and of more than one may have above it.
        let many = (0..=MOST_ABOVE).fold(own, |all, _| above.clone().over(all));
        for bytes in [vec![0x80], many.encode_whole()] {
            assert_eq!(Folder::decode(&bytes), Err(NoFolder::Size));
        }
    }
}
