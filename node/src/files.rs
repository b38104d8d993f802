//! Files that must not be half-written, overwritten by mistake, or readable by others.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::NodeError;

/// The largest file that is read whole: keys, certificates, directories.
const MAX_FILE: u64 = 64 << 20;

/// Reads a small file whole.
///
/// # Errors
/// [`NodeError::File`], also when it is larger than 64 MiB.
pub fn read_file(path: &Path) -> Result<Vec<u8>, NodeError> {
    let size = std::fs::metadata(path).map_err(NodeError::file(path))?.len();
    if size > MAX_FILE {
        let error = std::io::Error::other(format!("{size} bytes are too large for such a file"));
        return Err(NodeError::file(path)(error));
    }
    std::fs::read(path).map_err(NodeError::file(path))
}

/// Writes a file that must not exist yet, with mode 0644.
///
/// # Errors
/// [`NodeError::File`]; an existing file stays as it is.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), NodeError> {
    create(path, bytes, 0o644)
}

/// Writes a private file that must not exist yet, with mode 0600.
///
/// # Errors
/// [`NodeError::File`]; an existing file stays as it is.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), NodeError> {
    create(path, bytes, 0o600)
}

fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), NodeError> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(NodeError::file(parent))?;
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = file.map_err(NodeError::file(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(NodeError::file(path))
}

/// Makes a folder that only its owner may enter.
///
/// # Errors
/// [`NodeError::File`].
pub(crate) fn create_private(path: &Path) -> Result<(), NodeError> {
    std::fs::create_dir_all(path).map_err(NodeError::file(path))?;
    let owner = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(path, owner).map_err(NodeError::file(path))
}

/// Refuses a private file that others may read.
pub(crate) fn check_private(path: &Path) -> Result<(), NodeError> {
    let mode = std::fs::metadata(path).map_err(NodeError::file(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(NodeError::KeyExposed { path: path.to_owned(), mode: mode & 0o777 });
    }
    Ok(())
}

/// Makes a rename in a directory survive a power cut.
///
/// # Errors
/// [`NodeError::File`].
pub fn sync_directory(path: &Path) -> Result<(), NodeError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(NodeError::file(path))
}

/// Runs what waits for the disk away from the async workers.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| NodeError::Store(e.to_string()))?
}

/// Bytes that a [`Feed`] hands over when the last ones are taken in. A thousand slow streams hold so much each.
const LEAST: usize = 128 * 1024;
/// Bytes that it gathers until they are.
const BATCH: usize = 512 * 1024;
/// Pieces from this size on are kept as they are. Smaller ones are gathered by copying: a few bytes of a datagram keep all of
/// it in memory, and what came with it.
const WHOLE: usize = 64 * 1024;

/// Something that takes in bytes away from the async workers, while the next bytes are being read. No thread waits for
/// bytes that come slowly: there are some hundred of these threads, and a peer may have more streams.
pub(crate) struct Feed<T> {
    taker: Taker<T>,
    take: fn(&mut T, &[u8]) -> Result<(), NodeError>,
    gathered: Vec<Bytes>,
    /// What was gathered after these.
    tail: Vec<u8>,
    bytes: usize,
}

enum Taker<T> {
    /// Boxed, as it goes from thread to thread.
    Idle(Box<T>),
    Busy(JoinHandle<Result<Box<T>, NodeError>>),
    /// It has failed, or whoever handed over a batch did not wait for the one before.
    Gone,
}

impl<T: Send + 'static> Feed<T> {
    /// Feeds `to` by `take`.
    pub(crate) fn new(to: T, take: fn(&mut T, &[u8]) -> Result<(), NodeError>) -> Self {
        let (gathered, tail) = (Vec::new(), Vec::new());
        Self { taker: Taker::Idle(Box::new(to)), take, gathered, tail, bytes: 0 }
    }

    /// Hands over the next bytes.
    ///
    /// # Errors
    /// What taking in earlier bytes gave.
    pub(crate) async fn push(&mut self, piece: Bytes) -> Result<(), NodeError> {
        self.bytes += piece.len();
        if piece.len() < WHOLE {
            self.tail.extend_from_slice(&piece);
        } else {
            self.end_tail();
            self.gathered.push(piece);
        }
        if self.bytes >= BATCH || self.bytes >= LEAST && self.is_idle() {
            self.hand_over().await?;
        }
        Ok(())
    }

    fn end_tail(&mut self) {
        if !self.tail.is_empty() {
            let tail = std::mem::replace(&mut self.tail, Vec::with_capacity(LEAST));
            self.gathered.push(tail.into());
        }
    }

    fn is_idle(&self) -> bool {
        match &self.taker {
            Taker::Busy(busy) => busy.is_finished(),
            Taker::Idle(_) | Taker::Gone => true,
        }
    }

    async fn hand_over(&mut self) -> Result<(), NodeError> {
        let mut to = self.taken().await?;
        self.end_tail();
        let (batch, take) = (std::mem::take(&mut self.gathered), self.take);
        self.bytes = 0;
        self.taker = Taker::Busy(tokio::task::spawn_blocking(move || {
            batch.iter().try_for_each(|piece| take(&mut to, piece))?;
            Ok(to)
        }));
        Ok(())
    }

    /// Waits for the last batch.
    async fn taken(&mut self) -> Result<Box<T>, NodeError> {
        match std::mem::replace(&mut self.taker, Taker::Gone) {
            Taker::Idle(to) => Ok(to),
            Taker::Busy(busy) => busy.await.map_err(|e| NodeError::Store(e.to_string()))?,
            Taker::Gone => Err(NodeError::Store("what took in bytes has failed before".into())),
        }
    }

    /// Waits until everything is taken in.
    ///
    /// # Errors
    /// What taking it in gave.
    pub(crate) async fn finish(mut self) -> Result<T, NodeError> {
        self.hand_over().await?;
        self.taken().await.map(|to| *to)
    }
}

/// Something that gives bytes away from the async workers, the next while the last are being used. No thread waits for
/// who uses them slowly.
pub(crate) struct Source<T> {
    next: fn(&mut T) -> Result<Option<Bytes>, NodeError>,
    reading: Option<JoinHandle<Read<T>>>,
}

type Read<T> = Result<Option<(Box<T>, Bytes)>, NodeError>;

impl<T: Send + 'static> Source<T> {
    /// Reads `from` by `next`, until that gives nothing or an error.
    pub(crate) fn new(from: T, next: fn(&mut T) -> Result<Option<Bytes>, NodeError>) -> Self {
        let mut source = Self { next, reading: None };
        source.read(Box::new(from));
        source
    }

    fn read(&mut self, mut from: Box<T>) {
        let next = self.next;
        let read = move || Ok(next(&mut from)?.map(|bytes| (from, bytes)));
        self.reading = Some(tokio::task::spawn_blocking(read));
    }

    /// The next bytes; nothing at the end.
    ///
    /// # Errors
    /// What reading gave; after that, nothing comes.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, NodeError> {
        let Some(reading) = self.reading.take() else { return Ok(None) };
        let read = reading.await.map_err(|e| NodeError::Store(e.to_string()))??;
        let Some((from, bytes)) = read else { return Ok(None) };
        self.read(from);
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_stays_and_private_files_are_for_their_owner() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let (public, private) = (dir.path().join("a/b/public"), dir.path().join("private"));
        write_new(&public, b"first").expect("writes, with the folders above");
        write_private(&private, b"secret").expect("writes");
        for again in [write_new(&public, b"second"), write_private(&public, b"second")] {
            assert_eq!(again.expect_err("it is there").code(), "CHY-4001");
        }
        assert_eq!(read_file(&public).expect("reads"), b"first");
        let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&private), 0o600);
        check_private(&private).expect("nobody else can read it");
        assert_eq!(check_private(&public).expect_err("others can").code(), "CHY-4003");
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let path = dir.path().join("large");
        File::create_new(&path).and_then(|f| f.set_len(MAX_FILE + 1)).expect("a sparse file");
        assert_eq!(read_file(&path).expect_err("too large").code(), "CHY-4001");
    }

    #[tokio::test]
    async fn what_is_fed_is_taken_in_order_and_a_failure_is_said() {
        const MOST: usize = 30 * BATCH;
        let take = |to: &mut Vec<u8>, piece: &[u8]| {
            to.extend(piece);
            if to.len() > MOST { Err(NodeError::Stopping) } else { Ok(()) }
        };
        let mut feed = Feed::new(Vec::new(), take);
        // Small ones, which are gathered, and large ones.
        let size = |byte: u8| if byte.is_multiple_of(3) { BATCH / 3 } else { 5000 };
        let pieces = || (0..200u8).map(|byte| Bytes::from(vec![byte; size(byte)]));
        for piece in pieces() {
            feed.push(piece).await.expect("takes");
        }
        let taken = feed.finish().await.expect("takes");
        assert!(taken == pieces().collect::<Vec<_>>().concat());

        // A few bytes do not keep the datagram that they came in.
        let datagram = Bytes::from(vec![7; 1400]);
        let mut feed = Feed::new(Vec::new(), take);
        feed.push(datagram.slice(..10)).await.expect("is gathered");
        assert!(datagram.is_unique());
        assert_eq!(feed.finish().await.expect("takes"), [7; 10]);

        // It is said by the batch after the one that failed, or in the end.
        let mut feed = Feed::new(taken, take);
        feed.push(Bytes::from(vec![0; MOST])).await.expect("is handed over");
        feed.push(Bytes::from_static(&[0])).await.expect("is gathered");
        assert!(matches!(feed.finish().await, Err(NodeError::Stopping)));
    }

    #[tokio::test]
    async fn what_is_read_ahead_comes_in_order_and_ends_with_its_error() {
        let next = |left: &mut u8| {
            *left = left.checked_sub(1).ok_or(NodeError::Stopping)?;
            Ok((*left != 50).then(|| Bytes::from(vec![*left])))
        };
        let mut source = Source::new(100, next);
        for want in (51..100).rev() {
            assert_eq!(source.next().await.expect("reads").expect("more")[..], [want]);
        }
        assert!(source.next().await.expect("reads").is_none());
        assert!(source.next().await.expect("has ended").is_none());

        let mut source = Source::new(1, next);
        assert_eq!(source.next().await.expect("reads").expect("more")[..], [0]);
        assert!(matches!(source.next().await, Err(NodeError::Stopping)));
        assert!(source.next().await.expect("has ended").is_none());
    }
}
