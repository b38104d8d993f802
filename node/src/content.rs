//! Ciphertext at rest: small ones in the store, large ones as files that are synced before the
//! batch that speaks of them is written.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    thread::JoinHandle,
};

use chancery_crypto::{CHUNK_SIZE, ContentKey, StreamOpener};
use chancery_protocol::{EnvelopeHeader, EnvelopeId, merkle};

use crate::{
    NodeError,
    files::sync_directory,
    store::{Store, Table},
};

/// Bytes of a large ciphertext after which the disk is waited for; as many again may gather meanwhile.
const UNSYNCED: u64 = 32 << 20;

/// A large ciphertext that is being written. It is synced as it grows, and does not stay in the page cache: the sync at its
/// end would otherwise hold up every other commit of the node, and its pages push out what is needed.
#[derive(Debug)]
struct GrowingFile {
    file: File,
    at: u64,
    synced: u64,
    /// Syncs what was written before, while more is being written. An error is told once, to whoever asks first, so each
    /// of these is waited for.
    syncing: Option<JoinHandle<std::io::Result<()>>>,
}

impl GrowingFile {
    /// A file that is written from `at` on.
    fn new(file: File, at: u64) -> Self {
        Self { file, at, synced: at, syncing: None }
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes)?;
        self.at += bytes.len() as u64;
        if self.at - self.synced >= UNSYNCED {
            self.synced()?;
            let (file, from, bytes) = (self.file.try_clone()?, self.synced, self.at - self.synced);
            let sync = move || {
                file.sync_data()?;
                drop_cached(&file, from, bytes);
                Ok(())
            };
            self.syncing = Some(std::thread::Builder::new().name("sync".into()).spawn(sync)?);
            self.synced = self.at;
        }
        Ok(())
    }

    /// Waits until what is being synced is synced.
    fn synced(&mut self) -> std::io::Result<()> {
        let Some(syncing) = self.syncing.take() else { return Ok(()) };
        syncing.join().unwrap_or_else(|_| Err(std::io::Error::other("a sync ended in a panic")))
    }

    fn finish(&mut self) -> std::io::Result<()> {
        self.synced()?;
        self.file.sync_all()
    }
}

/// Says that a part of a file is not needed in memory any more. Where that cannot be said, it stays: nothing depends on it.
pub fn drop_cached(file: impl std::os::fd::AsFd, from: u64, bytes: u64) {
    if let Some(bytes) = std::num::NonZeroU64::new(bytes) {
        rustix::fs::fadvise(file, from, Some(bytes), rustix::fs::Advice::DontNeed).ok();
    }
}

/// The directory of large ciphertexts: `<id>` whole, `<id>.part` arriving, `.tmp` being sealed.
#[derive(Debug, Clone)]
pub struct ContentFiles {
    dir: PathBuf,
}

impl ContentFiles {
    /// Opens the directory. What was being sealed when the node stopped was never acknowledged and
    /// is removed; what was arriving stays, to be resumed.
    pub fn open(dir: PathBuf) -> Result<Self, NodeError> {
        std::fs::create_dir_all(&dir).map_err(NodeError::file(&dir))?;
        for entry in std::fs::read_dir(&dir).map_err(NodeError::file(&dir))? {
            let path = entry.map_err(NodeError::file(&dir))?.path();
            if path.extension().is_some_and(|e| e == "tmp") {
                tracing::info!(file = %path.display(), "removing an unfinished submission");
                std::fs::remove_file(&path).map_err(NodeError::file(&path))?;
            }
        }
        Ok(Self { dir })
    }

    /// The directory as it is, for reading only.
    pub fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The names of all whole ciphertexts; none without a directory.
    pub fn whole_names(&self) -> Result<Vec<String>, NodeError> {
        let mut names = Vec::new();
        if !self.dir.exists() {
            return Ok(names);
        }
        for entry in std::fs::read_dir(&self.dir).map_err(NodeError::file(&self.dir))? {
            let path = entry.map_err(NodeError::file(&self.dir))?.path();
            if path.extension().is_none() {
                names.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Removes a ciphertext that is a file, if it is there. Copies elsewhere, backups among them, stay.
    pub fn remove(&self, id: &EnvelopeId) -> Result<(), NodeError> {
        for path in [self.whole(id), self.part(id)] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(NodeError::file(&path)(error));
                }
                _ => {}
            }
        }
        sync_directory(&self.dir)
    }

    fn whole(&self, id: &EnvelopeId) -> PathBuf {
        self.dir.join(id.to_string())
    }

    fn part(&self, id: &EnvelopeId) -> PathBuf {
        self.dir.join(format!("{id}.part"))
    }

    /// A place for ciphertext of which it is not known yet how large it gets.
    pub fn spool(&self, inline: u64) -> Result<Spool, NodeError> {
        let name = hex::encode(chancery_crypto::random::<16>()?);
        let path = self.dir.join(format!("{name}.tmp"));
        let inline = usize::try_from(inline).unwrap_or(usize::MAX);
        Ok(Spool { inline, memory: Vec::new(), file: None, path, done: false })
    }

    /// Whether a whole ciphertext is there as a file.
    pub fn has_whole(&self, id: &EnvelopeId) -> bool {
        self.whole(id).exists()
    }

    /// Gives a spooled file its final name.
    pub fn keep(&self, spooled: Spooled, id: &EnvelopeId) -> Result<Option<Vec<u8>>, NodeError> {
        match spooled {
            Spooled::Inline(bytes) => Ok(Some(bytes)),
            Spooled::File(path) => {
                let to = self.whole(id);
                std::fs::rename(&path, &to).map_err(NodeError::file(&path))?;
                sync_directory(&self.dir)?;
                Ok(None)
            }
        }
    }

    /// Opens or resumes an arriving ciphertext.
    pub fn arrive(&self, id: &EnvelopeId, header: &EnvelopeHeader) -> Result<Arriving, NodeError> {
        let path = self.part(id);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path);
        let mut file = file.map_err(NodeError::file(&path))?;
        let length = file.metadata().map_err(NodeError::file(&path))?.len();
        let whole = length.min(header.size) / CHUNK_SIZE as u64;
        // Read back what is there: a crash may have left a torn chunk, or one never synced.
        let mut tree = merkle::CompactRange::default();
        let mut chunk = vec![0; CHUNK_SIZE];
        for _ in 0..whole {
            file.read_exact(&mut chunk).map_err(NodeError::file(&path))?;
            tree.push(merkle::leaf_hash(&chunk));
        }
        let at = whole * CHUNK_SIZE as u64;
        file.set_len(at).map_err(NodeError::file(&path))?;
        file.seek(SeekFrom::Start(at)).map_err(NodeError::file(&path))?;
        let file = GrowingFile::new(file, at);
        Ok(Arriving { file, path, tree, size: header.size, pending: Vec::new() })
    }

    /// Checks a whole arrived ciphertext against its root, syncs it and gives it its final name.
    /// One that does not match is removed.
    pub fn settle(
        &self,
        mut arriving: Arriving,
        id: &EnvelopeId,
        header: &EnvelopeHeader,
    ) -> Result<bool, NodeError> {
        if arriving.tree.root() != header.root || arriving.file.at != header.size {
            std::fs::remove_file(&arriving.path).map_err(NodeError::file(&arriving.path))?;
            return Ok(false);
        }
        arriving.file.finish().map_err(NodeError::file(&arriving.path))?;
        let to = self.whole(id);
        std::fs::rename(&arriving.path, &to).map_err(NodeError::file(&arriving.path))?;
        sync_directory(&self.dir)?;
        Ok(true)
    }

    /// Opens a ciphertext at rest for reading.
    pub fn read(
        &self,
        store: &dyn Store,
        id: &EnvelopeId,
        in_file: bool,
    ) -> Result<Ciphertext, NodeError> {
        if in_file {
            let path = self.whole(id);
            let file = File::open(&path).map_err(NodeError::file(&path))?;
            return Ok(Ciphertext::File(file, path));
        }
        let bytes = store.get(Table::Content, id.digest().as_bytes())?;
        let missing = || NodeError::Damaged(format!("the content of {id} is missing"));
        Ok(Ciphertext::Inline(bytes.ok_or_else(missing)?))
    }
}

/// Ciphertext being sealed: in memory while small, in a file beyond. Dropped unfinished, it leaves
/// nothing behind.
#[derive(Debug)]
pub struct Spool {
    inline: usize,
    memory: Vec<u8>,
    file: Option<GrowingFile>,
    path: PathBuf,
    done: bool,
}

/// Ciphertext that was sealed whole.
#[derive(Debug)]
pub enum Spooled {
    /// Small: its bytes.
    Inline(Vec<u8>),
    /// Large: a synced file.
    File(PathBuf),
}

impl Spool {
    /// Takes the bytes out of `bytes`.
    pub fn write(&mut self, bytes: &mut Vec<u8>) -> Result<(), NodeError> {
        if self.file.is_none() && self.memory.len() + bytes.len() > self.inline {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path);
            let mut file = GrowingFile::new(file.map_err(NodeError::file(&self.path))?, 0);
            file.write(&self.memory).map_err(NodeError::file(&self.path))?;
            self.memory = Vec::new();
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write(bytes).map_err(NodeError::file(&self.path))?,
            None => self.memory.extend_from_slice(bytes),
        }
        bytes.clear();
        Ok(())
    }

    /// Syncs what is in a file.
    pub fn finish(mut self) -> Result<Spooled, NodeError> {
        self.done = true;
        match self.file.take() {
            Some(mut file) => {
                file.finish().map_err(NodeError::file(&self.path))?;
                Ok(Spooled::File(self.path.clone()))
            }
            None => Ok(Spooled::Inline(std::mem::take(&mut self.memory))),
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if !self.done && self.file.is_some() {
            remove_quietly(&self.path);
        }
    }
}

fn remove_quietly(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(file = %path.display(), %error, "a file could not be removed");
    }
}

/// Ciphertext on its way in.
#[derive(Debug)]
pub struct Arriving {
    file: GrowingFile,
    path: PathBuf,
    tree: merkle::CompactRange,
    size: u64,
    pending: Vec<u8>,
}

impl Arriving {
    /// The number of whole chunks that are here.
    pub fn chunks(&self) -> u64 {
        self.tree.size()
    }

    /// Whether all bytes are here.
    pub fn is_whole(&self) -> bool {
        self.file.at == self.size
    }

    /// Writes a whole chunk.
    fn write(&mut self, chunk: &[u8]) -> Result<(), NodeError> {
        self.file.write(chunk).map_err(NodeError::file(&self.path))?;
        self.tree.push(merkle::leaf_hash(chunk));
        Ok(())
    }

    /// Takes the next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), NodeError> {
        if self.size.saturating_sub(self.file.at) < (self.pending.len() + bytes.len()) as u64 {
            let why = "more ciphertext comes than its header says";
            return Err(chancery_protocol::ProtocolError::Envelope(why.into()).into());
        }
        while !bytes.is_empty() {
            let left = self.size - self.file.at;
            let want = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_SIZE);
            let (now, later) = bytes.split_at((want - self.pending.len()).min(bytes.len()));
            bytes = later;
            if now.len() == want {
                self.write(now)?;
                continue;
            }
            self.pending.extend_from_slice(now);
            if self.pending.len() == want {
                let mut pending = std::mem::take(&mut self.pending);
                self.write(&pending)?;
                pending.clear();
                self.pending = pending;
            }
        }
        Ok(())
    }
}

/// A ciphertext at rest.
#[derive(Debug)]
pub enum Ciphertext {
    /// From the store.
    Inline(Vec<u8>),
    /// A file.
    File(File, PathBuf),
}

impl Ciphertext {
    /// Its bytes.
    pub fn len(&self) -> Result<u64, NodeError> {
        match self {
            Self::Inline(bytes) => Ok(bytes.len() as u64),
            Self::File(file, path) => {
                Ok(file.metadata().map_err(NodeError::file(path.clone()))?.len())
            }
        }
    }

    /// The chunk `index` of a ciphertext of `size` bytes.
    pub fn chunk(&mut self, index: u64, size: u64) -> Result<Vec<u8>, NodeError> {
        let short = || NodeError::Damaged("a content is shorter than its header says".into());
        let start = index.checked_mul(CHUNK_SIZE as u64).ok_or_else(short)?;
        let len = size.checked_sub(start).ok_or_else(short)?.min(CHUNK_SIZE as u64);
        let len = usize::try_from(len).map_err(|_| short())?;
        match self {
            Self::Inline(bytes) => {
                let start = usize::try_from(start).map_err(|_| short())?;
                let chunk = bytes.get(start..).and_then(|rest| rest.get(..len));
                chunk.map(<[u8]>::to_vec).ok_or_else(short)
            }
            Self::File(file, path) => {
                let mut chunk = vec![0; len];
                file.seek(SeekFrom::Start(start))
                    .and_then(|_| file.read_exact(&mut chunk))
                    .map_err(NodeError::file(path.clone()))?;
                Ok(chunk)
            }
        }
    }
}

/// Reads the plaintext of a ciphertext at rest, chunk by chunk.
#[derive(Debug)]
pub struct PlainReader {
    cipher: Ciphertext,
    opener: StreamOpener,
    size: u64,
    next: u64,
}

impl PlainReader {
    /// A reader at the first chunk.
    pub fn new(key: &ContentKey, cipher: Ciphertext, size: u64) -> Result<Self, NodeError> {
        Ok(Self { cipher, opener: StreamOpener::new(key, size)?, size, next: 0 })
    }

    /// The next chunk's plaintext, or `None` after the last.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, NodeError> {
        if self.next >= self.opener.chunks() {
            return Ok(None);
        }
        let mut chunk = self.cipher.chunk(self.next, self.size)?;
        self.opener.open(self.next, &mut chunk)?;
        self.next += 1;
        Ok(Some(chunk))
    }
}

#[cfg(test)]
mod tests {
    use chancery_crypto::{ContentKey, Digest, StreamSealer};
    use chancery_protocol::Urgency;
    use proptest::prelude::*;

    use super::*;
    use crate::store::memory::MemoryStore;

    fn sealed(plain: &[u8], key: &ContentKey) -> (Vec<u8>, EnvelopeHeader) {
        let mut sealer = StreamSealer::new(key);
        let (mut cipher, mut tree) = (Vec::new(), merkle::CompactRange::default());
        let mut pieces = plain.chunks(chancery_crypto::CHUNK_PLAINTEXT).peekable();
        while let Some(piece) = pieces.next() {
            let mut chunk = piece.to_vec();
            sealer.seal(&mut chunk, pieces.peek().is_none()).expect("seals");
            tree.push(merkle::leaf_hash(&chunk));
            cipher.extend(chunk);
        }
        let header = EnvelopeHeader {
            sender: "a.gov.cn".parse().expect("a name"),
            recipients: Vec::new(),
            size: cipher.len() as u64,
            root: tree.root(),
            commitment: Digest::of(b""),
            urgency: Urgency::Routine,
            created: 0,
            expires: 0,
        };
        (cipher, header)
    }

    fn plain_of(
        files: &ContentFiles,
        id: &EnvelopeId,
        header: &EnvelopeHeader,
        key: &ContentKey,
    ) -> Vec<u8> {
        let cipher = files.read(&MemoryStore::default(), id, true).expect("a file");
        let mut reader = PlainReader::new(key, cipher, header.size).expect("a size");
        let mut plain = Vec::new();
        while let Some(piece) = reader.next().expect("opens") {
            plain.extend(piece);
        }
        plain
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// However a transfer is cut into pieces and broken off, it resumes at a whole chunk and
        /// ends with the same bytes.
        #[test]
        fn a_transfer_that_is_broken_off_resumes(
            size in 1usize..300_000,
            pieces in prop::collection::vec(1usize..90_000, 1..12),
            breaks in prop::collection::vec(any::<bool>(), 12),
        ) {
            let dir = tempfile::TempDir::new().expect("a folder");
            let files = ContentFiles::open(dir.path().join("content")).expect("opens");
            let key = ContentKey::generate().expect("random bytes");
            let plain: Vec<u8> = (0u32..).map(|n| n.to_le_bytes()[0]).take(size).collect();
            let (cipher, header) = sealed(&plain, &key);
            let id = header.id().expect("plain");
            let mut arriving = files.arrive(&id, &header).expect("opens");
            let mut at = 0;
            for (piece, broken) in pieces.iter().cycle().zip(breaks.iter().cycle().take(40).chain([&false].into_iter().cycle())) {
                let end = (at + piece).min(cipher.len());
                arriving.push(&cipher[at..end]).expect("takes");
                at = end;
                if arriving.is_whole() { break }
                if *broken {
                    drop(arriving);
                    arriving = files.arrive(&id, &header).expect("opens again");
                    at = usize::try_from(arriving.chunks()).expect("small") * CHUNK_SIZE;
                }
            }
            prop_assert!(files.settle(arriving, &id, &header).expect("settles"));
            prop_assert!(files.has_whole(&id));
            prop_assert_eq!(plain_of(&files, &id, &header, &key), plain);
        }
    }

    #[test]
    fn what_does_not_have_the_root_is_removed_and_more_than_the_size_is_refused() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let files = ContentFiles::open(dir.path().to_owned()).expect("opens");
        let key = ContentKey::generate().expect("random bytes");
        let (mut cipher, header) = sealed(&[7; 200_000], &key);
        let id = header.id().expect("plain");
        let mut arriving = files.arrive(&id, &header).expect("opens");
        let mut more = cipher.clone();
        more.push(0);
        assert!(arriving.push(&more).is_err(), "one byte more than the header says");
        drop(arriving);

        cipher[100_000] ^= 1;
        let mut arriving = files.arrive(&id, &header).expect("opens");
        let at = usize::try_from(arriving.chunks()).expect("small") * CHUNK_SIZE;
        arriving.push(&cipher[at..]).expect("takes");
        assert!(!files.settle(arriving, &id, &header).expect("answers"), "another root");
        assert!(!files.has_whole(&id));
        assert_eq!(files.arrive(&id, &header).expect("opens").chunks(), 0, "it starts afresh");
    }

    #[test]
    fn an_unfinished_submission_leaves_nothing_and_a_finished_one_is_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::TempDir::new().expect("a folder");
        let files = ContentFiles::open(dir.path().to_owned()).expect("opens");
        let count = || std::fs::read_dir(dir.path()).expect("reads").count();
        let mut spool = files.spool(10).expect("random bytes");
        spool.write(&mut vec![1; 8]).expect("memory");
        assert_eq!(count(), 0, "small ones stay in memory");
        spool.write(&mut vec![2; 8]).expect("a file");
        assert_eq!(count(), 1);
        drop(spool);
        assert_eq!(count(), 0);

        let mut spool = files.spool(10).expect("random bytes");
        spool.write(&mut vec![3; 20]).expect("a file");
        // A node that dies here: the next one tidies up.
        std::mem::forget(spool);
        ContentFiles::open(dir.path().to_owned()).expect("opens");
        assert_eq!(count(), 0);

        let mut spool = files.spool(10).expect("random bytes");
        spool.write(&mut vec![4; 20]).expect("a file");
        let id = EnvelopeId::from_slice(&[5; 32]).expect("32 bytes");
        assert_eq!(files.keep(spool.finish().expect("syncs"), &id).expect("renames"), None);
        let mode = std::fs::metadata(files.whole(&id)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
