//! Where documents lie: in a folder (`document.cose` beside `parts/`), or attached to their parts in one
//! file.

use std::{
    fs::{File, OpenOptions},
    io::{BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use chancery_crypto::Digest;
use chancery_node::{NodeError, read_file, sync_directory};
use chancery_protocol::{
    CONTENT_MAGIC, ContentOpener, DocumentHeader, ProtocolError, SignedDocument, content_head,
    unsigned_header,
};

use crate::{draft::each_piece, failure::Failure};

/// The name of the signed document in a folder.
pub const DOCUMENT: &str = "document.cose";
/// The name of a header that nobody has signed yet.
pub const HEADER: &str = "header.cbor";
/// The folder of the parts.
pub const PARTS: &str = "parts";

/// Where a document lies.
#[derive(Debug, Clone)]
pub enum Place {
    /// A `document.cose`, with its folder.
    Folder { cose: PathBuf, folder: PathBuf },
    /// One file with the parts behind the document.
    Attached { file: PathBuf, salt: Digest, parts_at: u64 },
}

/// A document and where it lies.
#[derive(Debug)]
pub struct Placed {
    pub place: Place,
    pub document: SignedDocument,
}

/// The first bytes of a file.
pub fn first_bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = File::open(path).map_err(NodeError::file(path))?;
    let mut first = Vec::new();
    file.take(8).read_to_end(&mut first).map_err(NodeError::file(path))?;
    Ok(first)
}

/// A draft in a folder: a header that nobody has signed yet.
pub fn read_draft(folder: &Path) -> Result<Option<DocumentHeader>, Failure> {
    let path = folder.join(HEADER);
    if !folder.is_dir() || folder.join(DOCUMENT).exists() || !path.exists() {
        return Ok(None);
    }
    let header = unsigned_header::decode(&read_file(&path)?);
    Ok(Some(header.map_err(|e| Failure::from(e).at(&path))?))
}

impl Placed {
    /// Reads a signed document. Nothing is verified.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        if path.is_dir() {
            let cose = path.join(DOCUMENT);
            return Self::of_folder(cose, path.to_owned());
        }
        if first_bytes(path)? == CONTENT_MAGIC {
            return Self::attached(path);
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        Self::of_folder(path.to_owned(), folder.unwrap_or(Path::new(".")).to_owned())
    }

    fn of_folder(cose: PathBuf, folder: PathBuf) -> Result<Self, Failure> {
        let document = SignedDocument::decode(&read_file(&cose)?);
        let document = document.map_err(|e| Failure::from(e).at(&cose))?;
        Ok(Self { place: Place::Folder { cose, folder }, document })
    }

    fn attached(path: &Path) -> Result<Self, Failure> {
        let at = |error: ProtocolError| Failure::from(error).at(path);
        let file = File::open(path).map_err(NodeError::file(path))?;
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
                let why = ProtocolError::Content("it is cut off before the document ends".into());
                return Err(at(why));
            }
        }
    }

    /// Puts the document, with what was added to it, in the place of what was there: all at once.
    pub fn replace(&self, document: &SignedDocument) -> Result<(), Failure> {
        match &self.place {
            Place::Folder { cose, .. } => swap(cose, |file| file.write_all(document.bytes())),
            Place::Attached { file, salt, parts_at } => {
                let head = content_head(salt, document)?;
                let mut parts = File::open(file).map_err(NodeError::file(file))?;
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
pub fn swap(
    path: &Path,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    let new = path.with_file_name(name);
    let mode = path.metadata().map_or(0o644, |m| {
        use std::os::unix::fs::PermissionsExt as _;
        m.permissions().mode() & 0o777
    });
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new);
    let mut file = file.map_err(NodeError::file(&new))?;
    let written = write(&mut file).and_then(|()| file.sync_all());
    let moved = written.and_then(|()| std::fs::rename(&new, path));
    if let Err(error) = moved {
        // What could not be finished is of no use to anybody.
        drop(std::fs::remove_file(&new));
        return Err(NodeError::file(path)(error).into());
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    Ok(sync_directory(folder.unwrap_or(Path::new(".")))?)
}

/// Writes a new file with a document and its parts, which are read from files.
pub fn write_attached(
    out: &Path,
    document: &SignedDocument,
    parts: &[PathBuf],
    progress: &indicatif::ProgressBar,
) -> Result<(), Failure> {
    if out.exists() {
        return Err(Failure::exists(out));
    }
    let salt = Digest::from_bytes(chancery_crypto::random()?);
    let head = content_head(&salt, document)?;
    let mut failed = None;
    let written = swap(out, |file| {
        file.write_all(&head)?;
        for path in parts {
            let copied = each_piece(path, |bytes| {
                progress.inc(bytes.len() as u64);
                Ok(file.write_all(bytes).map_err(NodeError::file(out))?)
            });
            if let Err(failure) = copied {
                failed = Some(failure);
                return Err(std::io::Error::other("a part could not be copied"));
            }
        }
        Ok(())
    });
    match failed {
        Some(failure) => Err(failure),
        None => written,
    }
}
