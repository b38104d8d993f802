//! Ciphertext at rest: small ones in the store, large ones as files that are synced before the
//! batch that speaks of them is written.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
};

use chancery_crypto::{CHUNK_SIZE, ContentKey, StreamOpener};
use chancery_protocol::{
    ContentInspection, EnvelopeHeader, EnvelopeId, InspectedContent, ProtocolError, merkle,
};

use crate::NodeError;
use chancery_store::{
    ContentReader, Contents, FolderContents, Listed, Store, Table, files::drop_cached,
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

/// Large ciphertexts: `<id>.part` arriving and `.tmp` being sealed in a directory of this machine, and where they go once they are
/// whole, which may be the same directory.
#[derive(Debug, Clone)]
pub struct ContentFiles {
    dir: PathBuf,
    place: Arc<dyn Contents>,
}

impl ContentFiles {
    /// Opens the directory. What was being sealed when the node stopped was never acknowledged and
    /// is removed; what was arriving stays, to be resumed.
    pub fn open(dir: PathBuf, place: Arc<dyn Contents>) -> Result<Self, NodeError> {
        std::fs::create_dir_all(&dir).map_err(NodeError::file(&dir))?;
        for entry in std::fs::read_dir(&dir).map_err(NodeError::file(&dir))? {
            let path = entry.map_err(NodeError::file(&dir))?.path();
            if path.extension().is_some_and(|e| e == "tmp") {
                tracing::info!(file = %path.display(), "removing an unfinished submission");
                std::fs::remove_file(&path).map_err(NodeError::file(&path))?;
            }
        }
        Ok(Self { dir, place })
    }

    /// The directory as it is, for reading only.
    pub fn at(dir: PathBuf) -> Self {
        let place = Arc::new(FolderContents::at(dir.clone()));
        Self { dir, place }
    }

    /// The names of all whole ciphertexts, and how long each has been there.
    pub fn whole(&self) -> Result<Vec<Listed>, NodeError> {
        Ok(self.place.list()?)
    }

    /// Removes a ciphertext that is no row of a table, if it is there. Copies elsewhere, backups among them, stay.
    pub fn remove(&self, id: &EnvelopeId) -> Result<(), NodeError> {
        let part = self.part(id);
        match std::fs::remove_file(&part) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(NodeError::file(&part)(error));
            }
            _ => {}
        }
        Ok(self.place.remove(&id.to_string())?)
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

    /// Whether a whole ciphertext is there, other than in a table.
    pub fn has_whole(&self, id: &EnvelopeId) -> Result<bool, NodeError> {
        Ok(self.place.has(&id.to_string())?)
    }

    /// Gives a spooled file its final name.
    pub fn keep(&self, spooled: Spooled, id: &EnvelopeId) -> Result<Option<Vec<u8>>, NodeError> {
        match spooled {
            Spooled::Inline(bytes) => Ok(Some(bytes)),
            Spooled::File(path) => {
                self.place.keep(&path, &id.to_string())?;
                Ok(None)
            }
        }
    }

    /// Opens or resumes an arriving ciphertext. With an inspection, it is opened as it comes; without one, it is for others.
    pub fn arrive(
        &self,
        id: &EnvelopeId,
        header: &EnvelopeHeader,
        inspection: Option<impl Fn() -> Result<ContentInspection, ProtocolError>>,
    ) -> Result<Arriving, NodeError> {
        let path = self.part(id);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path);
        let mut file = file.map_err(NodeError::file(&path))?;
        let length = file.metadata().map_err(NodeError::file(&path))?.len();
        let mut whole = length.min(header.size) / CHUNK_SIZE as u64;
        // Read back what is there: a crash may have left a torn chunk, or one never synced. What came was opened when it
        // came, so a chunk that does not open now is one that this disk lost: all before it is kept, and the sender is not
        // blamed.
        let mut chunk = vec![0; CHUNK_SIZE];
        let (tree, opening) = loop {
            file.seek(SeekFrom::Start(0)).map_err(NodeError::file(&path))?;
            let mut tree = merkle::CompactRange::default();
            let mut opening = inspection.as_ref().map(|begin| begin()).transpose()?;
            let mut torn = None;
            for index in 0..whole {
                file.read_exact(&mut chunk).map_err(NodeError::file(&path))?;
                if opening.as_mut().is_some_and(|opening| opening.push(&chunk).is_err()) {
                    torn = Some(index);
                    break;
                }
                tree.push(merkle::leaf_hash(&chunk));
            }
            match torn {
                Some(index) => whole = index,
                None => break (tree, opening),
            }
        };
        let at = whole * CHUNK_SIZE as u64;
        file.set_len(at).map_err(NodeError::file(&path))?;
        file.seek(SeekFrom::Start(at)).map_err(NodeError::file(&path))?;
        let file = GrowingFile::new(file, at);
        let (size, pending) = (header.size, Vec::new());
        Ok(Arriving { file, path, tree, size, pending, opening, wrong: None, skipped: 0 })
    }

    /// Checks a whole arrived ciphertext against its root, and that all of it was opened, syncs it and gives it its final
    /// name. One that does not match is removed.
    pub fn settle(
        &self,
        mut arriving: Arriving,
        id: &EnvelopeId,
        header: &EnvelopeHeader,
    ) -> Result<Settled, NodeError> {
        let remove = |path: &Path| std::fs::remove_file(path).map_err(NodeError::file(path));
        // What is not what was sealed says nothing of what was.
        if arriving.tree.root() != header.root || arriving.taken() != header.size {
            remove(&arriving.path)?;
            return Ok(Settled::OtherRoot);
        }
        if let Some(wrong) = arriving.wrong {
            remove(&arriving.path)?;
            return Ok(Settled::Wrong(wrong));
        }
        let inspected = match arriving.opening.take().map(ContentInspection::finish).transpose() {
            Ok(inspected) => inspected,
            Err(wrong) => {
                remove(&arriving.path)?;
                return Ok(Settled::Wrong(wrong));
            }
        };
        arriving.file.finish().map_err(NodeError::file(&arriving.path))?;
        self.place.keep(&arriving.path, &id.to_string())?;
        Ok(Settled::Whole(inspected))
    }

    /// Opens a ciphertext at rest for reading.
    pub fn read(
        &self,
        store: &dyn Store,
        id: &EnvelopeId,
        in_file: bool,
    ) -> Result<Ciphertext, NodeError> {
        if in_file {
            return Ok(Ciphertext::Kept(self.place.open(&id.to_string())?));
        }
        let bytes = store.get(Table::Content, id.digest().as_bytes())?;
        let missing = || NodeError::damaged(format!("the content of {id} is missing"));
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

/// What became of a ciphertext that arrived.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one lives for a moment, and most are whole")]
pub enum Settled {
    /// It is here; opened, if it was.
    Whole(Option<InspectedContent>),
    /// It does not have the root that its header seals.
    OtherRoot,
    /// It is as sealed, and does not open, or holds something else than its envelope says.
    Wrong(ProtocolError),
}

/// Ciphertext on its way in.
#[derive(Debug)]
pub struct Arriving {
    file: GrowingFile,
    path: PathBuf,
    tree: merkle::CompactRange,
    size: u64,
    pending: Vec<u8>,
    /// What opens it as it comes, if it is for this agency.
    opening: Option<ContentInspection>,
    /// What is wrong with it, as soon as that is known. The rest is let pass: who sends hears the answer only when all is
    /// sent.
    wrong: Option<ProtocolError>,
    /// Bytes that were let pass.
    skipped: u64,
}

impl Arriving {
    /// The number of whole chunks that are here.
    pub fn chunks(&self) -> u64 {
        self.tree.size()
    }

    /// Whether all bytes are here, or were let pass.
    pub fn is_whole(&self) -> bool {
        self.file.at + self.skipped == self.size
    }

    /// Writes a whole chunk, when it opens.
    fn write(&mut self, chunk: &[u8]) -> Result<(), NodeError> {
        if self.wrong.is_none()
            && let Some(Err(wrong)) = self.opening.as_mut().map(|opening| opening.push(chunk))
        {
            (self.wrong, self.opening) = (Some(wrong), None);
            // Nothing of it is kept, and none of it is gone on with.
            self.file.file.set_len(0).map_err(NodeError::file(&self.path))?;
        }
        self.tree.push(merkle::leaf_hash(chunk));
        if self.wrong.is_some() {
            self.skipped += chunk.len() as u64;
            return Ok(());
        }
        self.file.write(chunk).map_err(NodeError::file(&self.path))
    }

    /// Bytes that were taken, without those of a chunk that is not whole.
    fn taken(&self) -> u64 {
        self.file.at + self.skipped
    }

    /// Takes the next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), NodeError> {
        if self.size.saturating_sub(self.taken()) < (self.pending.len() + bytes.len()) as u64 {
            let fault = chancery_protocol::EnvelopeFault::Overrun;
            return Err(chancery_protocol::ProtocolError::from(fault).into());
        }
        while !bytes.is_empty() {
            let left = self.size - self.taken();
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
    /// From where large ones are.
    Kept(Box<dyn ContentReader>),
}

impl Ciphertext {
    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Kept(reader) => reader.size(),
        }
    }

    /// The chunk `index` of a ciphertext of `size` bytes.
    pub fn chunk(&mut self, index: u64, size: u64) -> Result<Vec<u8>, NodeError> {
        let short = || NodeError::damaged("a content is shorter than its header says");
        let start = index.checked_mul(CHUNK_SIZE as u64).ok_or_else(short)?;
        let len = size.checked_sub(start).ok_or_else(short)?.min(CHUNK_SIZE as u64);
        let len = usize::try_from(len).map_err(|_| short())?;
        match self {
            Self::Inline(bytes) => {
                let start = usize::try_from(start).map_err(|_| short())?;
                let chunk = bytes.get(start..).and_then(|rest| rest.get(..len));
                chunk.map(<[u8]>::to_vec).ok_or_else(short)
            }
            Self::Kept(reader) => Ok(reader.read_at(start, len)?),
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
    pub fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, NodeError> {
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
    use chancery_certs::{AgencyName, Credential, Issuer, Profile, Subject};
    use chancery_crypto::{Commitment, ContentKey, Digest, SigningKey, StreamSealer};
    use chancery_protocol::{ContentSealer, DocumentHeader, Part, Urgency, sign_document};
    use proptest::prelude::*;

    use super::*;
    use chancery_store::MemoryStore;

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

    /// Contents that arrive and stay in one folder.
    fn open(folder: &Path) -> Result<ContentFiles, NodeError> {
        ContentFiles::open(folder.to_owned(), Arc::new(FolderContents::at(folder.to_owned())))
    }

    /// What nobody here can open.
    fn carried() -> Option<fn() -> Result<ContentInspection, ProtocolError>> {
        None
    }

    /// A document with a part, sealed, and what opens it.
    fn document(part: &[u8]) -> (Vec<u8>, EnvelopeHeader, ContentKey) {
        let now = chancery_ledger::unix_now();
        let algorithm = chancery_crypto::Algorithm::Es256;
        let domain = "gov.cn".parse().expect("a name");
        let root = Issuer::new_root("Root", &[domain], algorithm, now).expect("a root");
        let agency: AgencyName = "a.gov.cn".parse().expect("a name");
        let key = SigningKey::generate(algorithm).expect("random bytes");
        let subject = Subject::agency(Profile::Seal, agency.clone(), "A");
        let cert = root.issue(&subject, &key.public_key(), now).expect("issues");
        let seal = Credential::new(key, vec![cert, root.certificate().clone()]).expect("fits");
        let inner = DocumentHeader {
            kind: "通知".into(),
            number: None,
            title: "large".into(),
            from: agency.clone(),
            to: vec!["b.gov.cn".parse().expect("a name")],
            cc: Vec::new(),
            classification: None,
            secrecy_period: None,
            urgency: Urgency::Routine,
            created: now,
            deadline: None,
            in_reply_to: None,
            module: "official-documents".into(),
            fields: std::collections::BTreeMap::new(),
            crit: Vec::new(),
            filing: None,
            form: Default::default(),
            parts: vec![Part {
                name: "p".into(),
                media_type: "text/plain".into(),
                size: part.len() as u64,
                digest: Digest::of(part),
            }],
            nonce: Digest::of(b"nonce"),
        };
        let signed = sign_document(&inner, &seal, Commitment::Origin, now).expect("signs");
        let (key, salt) = (ContentKey::generate().expect("random bytes"), Digest::of(b"salt"));
        let mut cipher = Vec::new();
        let mut sealer = ContentSealer::new(&key, &salt, &signed, &mut cipher).expect("fits");
        sealer.push(part, &mut cipher).expect("as signed");
        let content = sealer.finish(&mut cipher).expect("whole");
        let header = EnvelopeHeader {
            root: content.root,
            size: content.size,
            sender: agency,
            created: now,
            expires: now + 60,
            urgency: Urgency::Routine,
            commitment: chancery_protocol::commit_to_document(&salt, &signed.id()),
            recipients: Vec::new(),
        };
        (cipher, header, key)
    }

    fn begin(
        key: &ContentKey,
        header: &EnvelopeHeader,
    ) -> Option<impl Fn() -> Result<ContentInspection, ProtocolError>> {
        let own = "b.gov.cn".parse().expect("a name");
        Some(move || ContentInspection::new(key, header.clone(), &own))
    }

    #[test]
    fn a_content_for_this_agency_is_opened_as_it_comes_and_one_that_does_not_open_leaves_nothing() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let files = open(dir.path()).expect("opens");
        let (cipher, header, key) = document(&[7; 300_000]);
        let id = header.id().expect("plain");
        let arrive = || files.arrive(&id, &header, begin(&key, &header)).expect("opens");
        // Broken off after two and a half chunks; then one of those is torn on the disk.
        arrive().push(&cipher[..5 * CHUNK_SIZE / 2]).expect("takes");
        assert_eq!(arrive().chunks(), 2);
        let part = files.part(&id);
        let mut kept = std::fs::read(&part).expect("it is there");
        kept[CHUNK_SIZE + 9] ^= 1;
        std::fs::write(&part, kept).expect("writes");
        let mut arriving = arrive();
        assert_eq!(arriving.chunks(), 1, "what the disk lost is asked for again");
        arriving.push(&cipher[CHUNK_SIZE..]).expect("takes");
        let settled = files.settle(arriving, &id, &header).expect("settles");
        assert!(matches!(settled, Settled::Whole(Some(_))), "{settled:?}");
        files.remove(&id).expect("removes");

        // A root over ciphertext that does not open is as easily sealed as any other.
        let mut bad = cipher.clone();
        bad[CHUNK_SIZE * 2 + 5] ^= 1;
        let mut tree = merkle::CompactRange::default();
        bad.chunks(CHUNK_SIZE).for_each(|chunk| tree.push(merkle::leaf_hash(chunk)));
        let header = EnvelopeHeader { root: tree.root(), ..header };
        let id = header.id().expect("plain");
        let mut arriving = files.arrive(&id, &header, begin(&key, &header)).expect("opens");
        for piece in bad.chunks(50_000) {
            arriving.push(piece).expect("the rest is let pass");
        }
        assert!(arriving.is_whole());
        assert!(arriving.push(b"x").is_err(), "one byte more than the header says");
        assert_eq!(std::fs::metadata(files.part(&id)).expect("there").len(), 0, "none is kept");
        let settled = files.settle(arriving, &id, &header).expect("settles");
        let Settled::Wrong(ProtocolError::Crypto(error)) = settled else { panic!("{settled:?}") };
        assert_eq!(chancery_protocol::crypto_code(&error), "CHY-1011");
        assert_eq!(std::fs::read_dir(dir.path()).expect("reads").count(), 0);
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
        while let Some(piece) = reader.next_chunk().expect("opens") {
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
            let files = open(&dir.path().join("content")).expect("opens");
            let key = ContentKey::generate().expect("random bytes");
            let plain: Vec<u8> = (0u32..).map(|n| n.to_le_bytes()[0]).take(size).collect();
            let (cipher, header) = sealed(&plain, &key);
            let id = header.id().expect("plain");
            let mut arriving = files.arrive(&id, &header, carried()).expect("opens");
            let mut at = 0;
            for (piece, broken) in pieces.iter().cycle().zip(breaks.iter().cycle().take(40).chain([&false].into_iter().cycle())) {
                let end = (at + piece).min(cipher.len());
                arriving.push(&cipher[at..end]).expect("takes");
                at = end;
                if arriving.is_whole() { break }
                if *broken {
                    drop(arriving);
                    arriving = files.arrive(&id, &header, carried()).expect("opens again");
                    at = usize::try_from(arriving.chunks()).expect("small") * CHUNK_SIZE;
                }
            }
            let settled = files.settle(arriving, &id, &header).expect("settles");
            prop_assert!(matches!(settled, Settled::Whole(None)), "{:?}", settled);
            prop_assert!(files.has_whole(&id).expect("it is looked for"));
            prop_assert_eq!(plain_of(&files, &id, &header, &key), plain);
        }
    }

    #[test]
    fn what_does_not_have_the_root_is_removed_and_more_than_the_size_is_refused() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let files = open(dir.path()).expect("opens");
        let key = ContentKey::generate().expect("random bytes");
        let (mut cipher, header) = sealed(&[7; 200_000], &key);
        let id = header.id().expect("plain");
        let mut arriving = files.arrive(&id, &header, carried()).expect("opens");
        let mut more = cipher.clone();
        more.push(0);
        assert!(arriving.push(&more).is_err(), "one byte more than the header says");
        drop(arriving);

        cipher[100_000] ^= 1;
        let mut arriving = files.arrive(&id, &header, carried()).expect("opens");
        let at = usize::try_from(arriving.chunks()).expect("small") * CHUNK_SIZE;
        arriving.push(&cipher[at..]).expect("takes");
        let settled = files.settle(arriving, &id, &header).expect("answers");
        assert!(matches!(settled, Settled::OtherRoot), "{settled:?}");
        assert!(!files.has_whole(&id).expect("it is looked for"));
        assert_eq!(
            files.arrive(&id, &header, carried()).expect("opens").chunks(),
            0,
            "it starts afresh"
        );
    }

    #[test]
    fn an_unfinished_submission_leaves_nothing_and_a_finished_one_is_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::TempDir::new().expect("a folder");
        let files = open(dir.path()).expect("opens");
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
        open(dir.path()).expect("opens");
        assert_eq!(count(), 0);

        let mut spool = files.spool(10).expect("random bytes");
        spool.write(&mut vec![4; 20]).expect("a file");
        let id = EnvelopeId::from_slice(&[5; 32]).expect("32 bytes");
        assert_eq!(files.keep(spool.finish().expect("syncs"), &id).expect("renames"), None);
        let mode =
            std::fs::metadata(dir.path().join(id.to_string())).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
