//! Where documents lie: in a folder (`document.cose` beside `parts/`), or attached to their parts in one
//! file.

use std::{
    fs::File,
    io::{BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use chancery_bus::NodeError;
use chancery_crypto::Digest;
use chancery_protocol::{
    CONTENT_MAGIC, ContentFault, ContentOpener, DocumentHeader, ProtocolError, SignedDocument,
    content_head, unsigned_header,
};
use chancery_store::files::{Staged, open_file, open_member, read_file, read_member};

use crate::{draft::each_piece_of, failure::Failure};

/// The name of the signed document in a folder.
pub(crate) const DOCUMENT: &str = "document.cose";
/// The name of a header that nobody has signed yet.
pub(crate) const HEADER: &str = "header.cbor";
/// The folder of the parts.
pub(crate) const PARTS: &str = "parts";

/// Where a document lies.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A `document.cose`, with its folder.
    Folder { cose: PathBuf, folder: PathBuf },
    /// One file with the parts behind the document.
    Attached { file: PathBuf, salt: Digest, parts_at: u64 },
}

/// A document and where it lies.
#[derive(Debug)]
pub(crate) struct Placed {
    pub place: Place,
    pub document: SignedDocument,
}

/// The first bytes of a file.
pub(crate) fn first_bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = open_file(path)?;
    let mut first = Vec::new();
    file.take(8).read_to_end(&mut first).map_err(NodeError::file(path))?;
    Ok(first)
}

/// A draft in a folder: a header that nobody has signed yet.
pub(crate) fn read_draft(folder: &Path) -> Result<Option<DocumentHeader>, Failure> {
    let path = folder.join(HEADER);
    if !folder.is_dir() || folder.join(DOCUMENT).exists() || !path.exists() {
        return Ok(None);
    }
    let header = unsigned_header::decode(&read_member(&path)?);
    Ok(Some(header.map_err(|e| Failure::from(e).at(&path))?))
}

impl Placed {
    /// Reads a signed document. Nothing is verified.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        if path.is_dir() {
            let cose = path.join(DOCUMENT);
            let bytes = read_member(&cose)?;
            return Self::of_folder(cose, path.to_owned(), &bytes);
        }
        if first_bytes(path)? == CONTENT_MAGIC {
            return Self::attached(path);
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        Self::of_folder(path.to_owned(), folder, &read_file(path)?)
    }

    fn of_folder(cose: PathBuf, folder: PathBuf, bytes: &[u8]) -> Result<Self, Failure> {
        let document = SignedDocument::decode(bytes);
        let document = document.map_err(|e| Failure::from(e).at(&cose))?;
        Ok(Self { place: Place::Folder { cose, folder }, document })
    }

    fn attached(path: &Path) -> Result<Self, Failure> {
        let at = |error: ProtocolError| Failure::from(error).at(path);
        let file = open_file(path)?;
        let mut reader = BufReader::new(file);
        let mut opener = ContentOpener::default();
        let mut piece = [0; 4096];
        loop {
            let read = reader.read(&mut piece).map_err(NodeError::file(path))?;
            let bytes = piece.get(..read).unwrap_or_default();
            // What the parts are is not asked here, so one that was altered stops nothing.
            let pushed = opener.push(bytes, |_| Ok::<_, ProtocolError>(()));
            if let (Some(document), Some(salt)) = (opener.document(), opener.salt()) {
                let head = content_head(salt, document).map_err(at)?;
                let parts_at = head.len() as u64;
                let (file, salt) = (path.to_owned(), *salt);
                let document = document.clone();
                return Ok(Self { place: Place::Attached { file, salt, parts_at }, document });
            }
            pushed.map_err(at)?;
            if read == 0 {
                let why = ProtocolError::from(ContentFault::CutInDocument);
                return Err(at(why));
            }
        }
    }

    /// Puts the document, with what was added to it, in the place of what was there: all at once.
    pub(crate) fn replace(&self, document: &SignedDocument) -> Result<(), Failure> {
        match &self.place {
            Place::Folder { cose, .. } => swap(cose, |file| file.write_all(document.bytes())),
            Place::Attached { file, salt, parts_at } => {
                let head = content_head(salt, document)?;
                let mut parts = open_file(file)?;
                swap(file, |out| {
                    out.write_all(&head)?;
                    parts.seek(SeekFrom::Start(*parts_at))?;
                    std::io::copy(&mut parts, out).map(drop)
                })
            }
        }
    }
}

/// Writes a file anew beside its place and then moves it there, so that it is never half there.
fn swap(path: &Path, write: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = path.metadata().map_or(0o644, |m| m.permissions().mode() & 0o777);
    let (staged, mut file) = Staged::replacing(path, mode)?;
    write(&mut file).and_then(|()| file.sync_all()).map_err(NodeError::file(path))?;
    Ok(staged.replace()?)
}

/// Writes a new file beside its place and then moves it there, unless something has come to stand there.
pub(crate) fn write_staged(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<(), Failure>,
) -> Result<(), Failure> {
    Failure::unless_new(path)?;
    let (staged, mut file) = Staged::file(path, 0o644)?;
    write(&mut file)?;
    file.sync_all().map_err(NodeError::file(path))?;
    Ok(staged.finish()?)
}

/// Writes a new file with a document and its parts, which are read from files that somebody named, or from a folder.
pub(crate) fn write_attached(
    out: &Path,
    document: &SignedDocument,
    parts: &[PathBuf],
    named: bool,
    progress: &indicatif::ProgressBar,
) -> Result<(), Failure> {
    let salt = Digest::from_bytes(chancery_crypto::random()?);
    let head = content_head(&salt, document)?;
    write_staged(out, |file| {
        file.write_all(&head).map_err(NodeError::file(out))?;
        for path in parts {
            let part = if named { open_file(path)? } else { open_member(path)? };
            each_piece_of(part, path, |bytes| {
                progress.inc(bytes.len() as u64);
                Ok(file.write_all(bytes).map_err(NodeError::file(out))?)
            })?;
        }
        Ok(())
    })
}
