//! The one door of everything here that speaks HTTP: the interface, the monitor, the time-stamping authority. Nobody who
//! comes through it need be known, so who says nothing, reads nothing or comes in numbers keeps nobody else out.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use chancery_bus::{
    accept::{Accepting, open_files},
    places::{Guest, Room, Share, Shares, neighbourhood},
};
use chancery_desk::access::Caller;
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::HttpService,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Sleep, sleep},
};

/// Connections on which nothing of somebody known is under way, and those of one neighbourhood. A reverse proxy is one for
/// all its clients.
const WAITING: usize = 512;

const WAITING_SHARE: usize = 256;

/// Requests of callers that are being answered, and those of one caller.
const WORKING: usize = 512;

const WORKING_SHARE: usize = 128;

/// Streams of events, and those of one caller. They count as requests, too.
const STREAMS: usize = 256;

const STREAMS_SHARE: usize = 32;

/// How long a TLS handshake, or the head of a request, may take.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take to read so much of what it is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

const WRITE_LEAST: usize = 16 << 10;

/// The most of a head that is read, in bytes.
const HEAD_MOST: usize = 64 << 10;

/// Who stands at the door, and has a place there.
pub(crate) type Visitor = Guest<IpAddr>;

/// Accepts connections until `stop`, and has each served. What is under way then is cut off: a request that was answered is
/// durable, one that was not is made again.
pub(crate) async fn receive<F: Future<Output = ()> + Send + 'static>(
    listener: &TcpListener,
    what: &'static str,
    stop: impl Future<Output = ()>,
    mut serve: impl FnMut(Unread<TcpStream>, SocketAddr, Arc<Visitor>) -> F,
) {
    // Of the files that may be open, an eighth.
    let most = WAITING.min(open_files() / 8);
    let room = Room::new(most, WAITING_SHARE.min(most / 2));
    let mut accepting = Accepting::new(what);
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            // Those who have given way must have gone before more come: else they would be as many as come.
            (stream, address) = accepting.next(|| listener.accept(), || room.make_room()),
                if connections.len() < most + most / 4 + WORKING =>
            {
                let visitor = Arc::new(room.enter(neighbourhood(address.ip())));
                let stream = Unread::new(stream, WRITE_TIMEOUT);
                let served = serve(stream, address, visitor.clone());
                connections.spawn(async move {
                    tokio::select! {
                        () = served => {}
                        () = visitor.gives_way() => tracing::debug!(%address, "it gave way to others"),
                    }
                });
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            () = &mut stop => break,
        }
    }
    connections.shutdown().await;
}

/// Answers the requests that come by a connection.
pub(crate) async fn converse<I, S>(stream: I, service: S)
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
    S: HttpService<Incoming>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::ResBody: 'static,
    <S::ResBody as Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_MOST)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// What callers of the interface have under way.
#[derive(Debug)]
pub(crate) struct Callers {
    working: Shares<Caller>,
    streams: Shares<Caller>,
}

impl Default for Callers {
    fn default() -> Self {
        // Of the files that may be open, an eighth, too.
        let most = WORKING.min(open_files() / 8);
        Self {
            working: Shares::new(most, WORKING_SHARE.min(most / 2)),
            streams: Shares::new(STREAMS.min(most / 2), STREAMS_SHARE.min(most / 4)),
        }
    }
}

impl Callers {
    /// A caller's request is to be answered: whoever brought it need not give way until that is done. None when the caller
    /// has as many under way as it may.
    pub(crate) fn work(&self, caller: &Caller, visitor: &Arc<Visitor>) -> Option<Work> {
        let share = self.working.take(caller)?;
        visitor.goes_in().then(|| Work { _share: share, visitor: visitor.clone() })
    }

    /// A caller's stream of events begins.
    pub(crate) fn stream(&self, caller: &Caller) -> Option<Share<Caller>> {
        self.streams.take(caller)
    }
}

/// Marks the answer to somebody who is known. Others are told to go after each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known;

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Work {
    _share: Share<Caller>,
    visitor: Arc<Visitor>,
}

impl Drop for Work {
    fn drop(&mut self) {
        self.visitor.comes_back();
    }
}

/// A connection whose other end must read what it is sent: when it takes less than [`WRITE_LEAST`] in a time although there
/// is more, the connection fails.
#[derive(Debug)]
pub(crate) struct Unread<S> {
    stream: S,
    within: Duration,
    /// Runs while the other end is behind.
    late: Option<Pin<Box<Sleep>>>,
    read: usize,
}

impl<S> Unread<S> {
    fn new(stream: S, within: Duration) -> Self {
        Self { stream, within, late: None, read: 0 }
    }

    /// It is behind.
    fn behind<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let (read, within) = (&mut self.read, self.within);
        let late = self.late.get_or_insert_with(|| {
            *read = 0;
            Box::pin(sleep(within))
        });
        ready!(late.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "it does not read its answer")))
    }

    fn wrote(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => return self.behind(context),
            Poll::Ready(Ok(some)) => {
                self.read = self.read.saturating_add(some);
                // All that there was, or enough of it.
                if some >= wanted || self.read >= WRITE_LEAST {
                    self.late = None;
                }
            }
            Poll::Ready(Err(_)) => {}
        }
        written
    }

    fn done(
        &mut self,
        context: &mut Context<'_>,
        done: Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        match done {
            Poll::Pending => self.behind(context),
            done => done,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unread<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Unread<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let own = self.get_mut();
        let written = Pin::new(&mut own.stream).poll_write(context, bytes);
        own.wrote(context, written, bytes.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let own = self.get_mut();
        let written = Pin::new(&mut own.stream).poll_write_vectored(context, bytes);
        own.wrote(context, written, bytes.iter().map(|piece| piece.len()).sum())
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let own = self.get_mut();
        let flushed = Pin::new(&mut own.stream).poll_flush(context);
        own.done(context, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let own = self.get_mut();
        let shut = Pin::new(&mut own.stream).poll_shutdown(context);
        own.done(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
        time::Instant,
    };

    use super::*;

    /// Longer than any test takes: here time passes only when it is told to.
    const WITHIN: Duration = Duration::from_secs(86_400);
    /// What is written at a time, and fits between the two ends.
    const PIECE: usize = 1024;

    fn both() -> (Unread<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(PIECE);
        (Unread::new(ours, WITHIN), theirs)
    }

    /// Writes what can be written now. There is always more.
    async fn write(ours: &mut Unread<DuplexStream>) -> Poll<io::Result<usize>> {
        // Else the runtime itself has whoever does much wait.
        tokio::task::yield_now().await;
        poll_fn(|context| Poll::Ready(Pin::new(&mut *ours).poll_write(context, &[7; 2 * PIECE])))
            .await
    }

    async fn read(theirs: &mut DuplexStream, much: usize) {
        theirs.read_exact(&mut vec![0; much]).await.expect("it was written");
    }

    /// Until when the other end has time, if it is behind.
    fn late(ours: &Unread<DuplexStream>) -> Option<Instant> {
        ours.late.as_ref().map(|late| late.deadline())
    }

    /// Its time is over.
    async fn is_cut_off(mut ours: Unread<DuplexStream>) {
        ours.late.as_mut().expect("it is behind").as_mut().reset(Instant::now());
        let cut = ours.write(&[7; PIECE]).await.expect_err("it is cut off");
        assert_eq!(cut.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn who_does_not_read_is_cut_off_and_who_reads_slowly_is_not() {
        let (mut ours, mut theirs) = both();
        assert!(matches!(write(&mut ours).await, Poll::Ready(Ok(PIECE))));
        assert!(late(&ours).is_none(), "nobody has had to wait");
        let start = Instant::now();
        assert!(write(&mut ours).await.is_pending());
        let until = late(&ours).expect("it is behind");
        assert!(until >= start + WITHIN, "it has its time");
        // Whoever reads little, however often, wins no time by it.
        for _ in 0..50 {
            read(&mut theirs, 1).await;
            assert!(matches!(write(&mut ours).await, Poll::Ready(Ok(1))));
            assert!(write(&mut ours).await.is_pending());
            assert_eq!(late(&ours), Some(until));
        }
        is_cut_off(ours).await;

        // Whoever reads enough in its time has another, again and again.
        let (mut ours, mut theirs) = both();
        assert!(matches!(write(&mut ours).await, Poll::Ready(Ok(PIECE))));
        for _ in 0..3 {
            assert!(write(&mut ours).await.is_pending());
            for left in (0..WRITE_LEAST / PIECE).rev() {
                assert!(late(&ours).is_some(), "it is behind");
                read(&mut theirs, PIECE).await;
                assert!(matches!(write(&mut ours).await, Poll::Ready(Ok(PIECE))));
                assert_eq!(late(&ours).is_none(), left == 0, "{left} are left");
            }
        }
        // What it has read then does not count for what it must read now.
        assert!(write(&mut ours).await.is_pending());
        read(&mut theirs, PIECE).await;
        assert!(matches!(write(&mut ours).await, Poll::Ready(Ok(PIECE))));
        is_cut_off(ours).await;
    }

    #[tokio::test]
    async fn a_pause_in_what_is_said_is_nobodys_lateness() {
        let (mut ours, mut theirs) = both();
        for _ in 0..2 {
            // More than fits, so that the other end is behind for a moment.
            let (sent, ()) =
                tokio::join!(ours.write_all(&[7; 2 * PIECE]), read(&mut theirs, 2 * PIECE));
            sent.expect("it reads");
            assert!(late(&ours).is_none(), "however long the pause");
        }
        // Nor is one in which all was taken that there was.
        ours.write_all(&[7; PIECE]).await.expect("it fits");
        assert!(write(&mut ours).await.is_pending() && late(&ours).is_some());
        read(&mut theirs, PIECE).await;
        ours.write_all(&[7; 1]).await.expect("it reads");
        assert!(late(&ours).is_none());
    }
}
