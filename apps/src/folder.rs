//! A module's folder as one thing: its files by name, in one form, so that the same folder has the same digest everywhere.

use std::collections::BTreeMap;

use chancery_crypto::{Digest, cbor};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most files of a folder, and the most bytes of all of them.
const MOST_FILES: usize = 1_000;
const MOST_BYTES: usize = 4 << 20;

/// The media type of a folder, as a part of the document that installs it.
pub const MEDIA_TYPE: &str = "application/vnd.chancery.module+cbor";

/// The files of a module, by their paths: `module.toml`, `cases/leave.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Folder(BTreeMap<String, String>);

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
        let bytes: usize = self.0.values().map(String::len).sum();
        if self.0.len() == MOST_FILES || bytes + text.len() > MOST_BYTES {
            return Err(NoFolder::Size);
        }
        self.0.insert(path.to_owned(), text);
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
        MOST_BYTES.saturating_sub(self.0.values().map(String::len).sum())
    }

    /// Its files.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// A file.
    pub fn file(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// Its one form: deterministic CBOR, a map from paths to texts.
    pub fn encode(&self) -> Vec<u8> {
        // A map of texts always has a form.
        cbor::encode(&self.0).expect("texts are plain")
    }

    /// Reads what [`Folder::encode`] gave.
    ///
    /// # Errors
    /// [`NoFolder`].
    pub fn decode(bytes: &[u8]) -> Result<Self, NoFolder> {
        if bytes.len() > MOST_BYTES + MOST_FILES * 256 {
            return Err(NoFolder::Size);
        }
        let files: BTreeMap<String, String> =
            cbor::decode_within(bytes, bytes.len()).map_err(|e| NoFolder::Bytes(e.to_string()))?;
        Self::of(files)
    }

    /// What it is known by.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.encode())
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
}
