//! Work that waits, away from the async workers.

use std::{marker::PhantomData, sync::Arc};

use bytes::Bytes;
use tokio::{
    sync::watch,
    task::{JoinError, JoinHandle},
};

use crate::{Store, StoreError};

/// Shows that the thread at hand may wait: for the store, for the ledger's writer, for a lock that others hold while they do. Only
/// what is run by [`blocking`], [`in_place`], [`SharedStore::briefly`] and [`thread`] is lent one, so that nothing that waits can be called on an async
/// worker. It stays on its thread, so that no task can hold it while it waits for something else.
#[derive(Debug)]
pub struct Blocking(PhantomData<*const ()>);

/// A store whose tables are reached only by whoever may wait: what an async task holds. What it gives cannot outlive the
/// [`Blocking`] that it was asked with.
///
/// ```compile_fail
/// # use chancery_store::{SharedStore, Table};
/// async fn look(store: &SharedStore) {
///     let there = store.get(Table::Meta, b"schema");
/// }
/// ```
///
/// ```compile_fail
/// # use chancery_store::{SharedStore, Store, in_place};
/// fn escape(store: &SharedStore) -> &dyn Store {
///     in_place(|here| store.on(here))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct SharedStore(Arc<dyn Store>);

impl SharedStore {
    /// Shuts a store away from async tasks.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(store)
    }

    /// The tables, for whoever may wait.
    pub fn on<'a>(&'a self, _here: &'a Blocking) -> &'a dyn Store {
        &*self.0
    }

    /// Does a few reads on the thread at hand, as [`in_place`] does, without stepping aside for an engine that gives them in
    /// microseconds: that would take longer, and costs two switches of threads. What writes, or reads many, is no business of
    /// this.
    pub fn briefly<T>(&self, work: impl FnOnce(&Blocking) -> T) -> T {
        match self.0.reads_at_once() {
            true => work(&Blocking(PhantomData)),
            false => in_place(work),
        }
    }

    /// A counter that moves after every batch that was written: see [`Store::watch`].
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.watch()
    }

    /// Says why nothing can be written any more: see [`Store::lost`].
    pub fn lost(&self) -> Option<watch::Receiver<Option<String>>> {
        self.0.lost()
    }
}

/// Starts a thread of its own for what waits as long as the process runs.
///
/// # Errors
/// [`StoreError::Broken`] when the system starts none.
pub fn thread(
    name: &str,
    work: impl FnOnce(&Blocking) + Send + 'static,
) -> Result<std::thread::JoinHandle<()>, StoreError> {
    let started = std::thread::Builder::new().name(name.into());
    let started = started.spawn(|| work(&Blocking(PhantomData)));
    started.map_err(|error| StoreError::Broken(error.to_string()))
}

/// Runs what waits away from the async workers.
///
/// # Errors
/// What the work gave; [`StoreError::Broken`] when it ended in a panic.
pub async fn blocking<T: Send + 'static, E: From<StoreError> + Send + 'static>(
    work: impl FnOnce(&Blocking) -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    joined(tokio::task::spawn_blocking(|| work(&Blocking(PhantomData))).await)
}

/// What a thread gave, or that it ended in a panic.
fn joined<T, E: From<StoreError>>(run: Result<Result<T, E>, JoinError>) -> Result<T, E> {
    run.map_err(|error| E::from(StoreError::Broken(error.to_string())))?
}

/// The same on the thread at hand, which stops being an async worker meanwhile: for work on what is borrowed.
pub fn in_place<T>(work: impl FnOnce(&Blocking) -> T) -> T {
    tokio::task::block_in_place(|| work(&Blocking(PhantomData)))
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
pub struct Feed<T, E> {
    taker: Taker<T, E>,
    take: fn(&mut T, &[u8]) -> Result<(), E>,
    gathered: Vec<Bytes>,
    /// What was gathered after these.
    tail: Vec<u8>,
    bytes: usize,
}

enum Taker<T, E> {
    /// Boxed, as it goes from thread to thread.
    Idle(Box<T>),
    Busy(JoinHandle<Result<Box<T>, E>>),
    /// It has failed, or whoever handed over a batch did not wait for the one before.
    Gone,
}

impl<T, E> std::fmt::Debug for Feed<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Feed({} bytes)", self.bytes)
    }
}

impl<T: Send + 'static, E: From<StoreError> + Send + 'static> Feed<T, E> {
    /// Feeds `to` by `take`.
    pub fn new(to: T, take: fn(&mut T, &[u8]) -> Result<(), E>) -> Self {
        let (gathered, tail) = (Vec::new(), Vec::new());
        Self { taker: Taker::Idle(Box::new(to)), take, gathered, tail, bytes: 0 }
    }

    /// Hands over the next bytes.
    ///
    /// # Errors
    /// What taking in earlier bytes gave.
    pub async fn push(&mut self, piece: Bytes) -> Result<(), E> {
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

    async fn hand_over(&mut self) -> Result<(), E> {
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
    async fn taken(&mut self) -> Result<Box<T>, E> {
        match std::mem::replace(&mut self.taker, Taker::Gone) {
            Taker::Idle(to) => Ok(to),
            Taker::Busy(busy) => joined(busy.await),
            Taker::Gone => {
                Err(StoreError::Broken("what took in bytes has failed before".into()).into())
            }
        }
    }

    /// Waits until everything is taken in.
    ///
    /// # Errors
    /// What taking it in gave.
    pub async fn finish(mut self) -> Result<T, E> {
        self.hand_over().await?;
        self.taken().await.map(|to| *to)
    }
}

/// Something that gives bytes away from the async workers, the next while the last are being used. No thread waits for
/// who uses them slowly.
pub struct Source<T, E> {
    next: fn(&mut T) -> Result<Option<Bytes>, E>,
    reading: Option<JoinHandle<Piece<T, E>>>,
}

type Piece<T, E> = Result<Option<(Box<T>, Bytes)>, E>;

impl<T, E> std::fmt::Debug for Source<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source(reading: {})", self.reading.is_some())
    }
}

impl<T: Send + 'static, E: From<StoreError> + Send + 'static> Source<T, E> {
    /// Reads `from` by `next`, until that gives nothing or an error.
    pub fn new(from: T, next: fn(&mut T) -> Result<Option<Bytes>, E>) -> Self {
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
    pub async fn next(&mut self) -> Result<Option<Bytes>, E> {
        let Some(reading) = self.reading.take() else { return Ok(None) };
        let Some((from, bytes)) = joined(reading.await)? else { return Ok(None) };
        self.read(from);
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    enum Full {
        Now,
        Store,
    }

    impl From<StoreError> for Full {
        fn from(_: StoreError) -> Self {
            Self::Store
        }
    }

    #[tokio::test]
    async fn what_is_fed_is_taken_in_order_and_a_failure_is_said() {
        const MOST: usize = 30 * BATCH;
        let take = |to: &mut Vec<u8>, piece: &[u8]| {
            to.extend(piece);
            if to.len() > MOST { Err(Full::Now) } else { Ok(()) }
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
        assert!(matches!(feed.finish().await, Err(Full::Now)));
    }

    #[tokio::test]
    async fn what_is_read_ahead_comes_in_order_and_ends_with_its_error() {
        let next = |left: &mut u8| {
            *left = left.checked_sub(1).ok_or(Full::Now)?;
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
        assert!(matches!(source.next().await, Err(Full::Now)));
        assert!(source.next().await.expect("has ended").is_none());
    }
    #[tokio::test]
    async fn work_that_panics_is_an_error() {
        let work = blocking::<(), Full>(|_| panic!("index 7 is too large"));
        assert!(matches!(work.await, Err(Full::Store)));
    }
}
