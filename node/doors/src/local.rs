//! What the command line and the local node say to each other over the Unix socket: the frames of
//! [`chancery_protocol::encode_frame`], and raw data frames, whose length has its top bit set.

use std::{
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use chancery_bus::NodeError;
use chancery_desk::asking::{LocalReply, LocalRequest};
use chancery_protocol::{MAX_FRAME, decode_frame, encode_frame};

/// Marks a raw data frame.
pub(crate) const RAW: u32 = 1 << 31;

/// The largest raw data frame.
pub(crate) const MAX_RAW: usize = 1 << 20;

/// Up to so many bytes it is cheaper to copy a piece behind its length than to write twice.
const SMALL: usize = 64 << 10;

/// A frame, as it was read.
#[derive(Debug)]
pub(crate) enum Frame {
    Message(Vec<u8>),
    Raw(Vec<u8>),
}

/// Reads a length: how many bytes follow, and whether they are raw data.
pub(crate) fn read_length(bytes: [u8; 4]) -> Result<(usize, bool), NodeError> {
    let length = u32::from_be_bytes(bytes);
    let (raw, length) = (length & RAW != 0, (length & !RAW) as usize);
    if length > if raw { MAX_RAW } else { MAX_FRAME } {
        let fault = chancery_protocol::MessageFault::FrameClaim { bytes: length };
        return Err(chancery_protocol::ProtocolError::from(fault).into());
    }
    Ok((length, raw))
}

/// A connection to the local node, blocking, for the command line.
#[derive(Debug)]
pub struct LocalClient {
    stream: BufReader<UnixStream>,
    path: std::path::PathBuf,
    /// The request that opens the connection, until the node has answered it.
    first: First,
    /// How often it may be asked again.
    tries: usize,
}

/// Where the first request of a connection is. A node that has no room for all who come has the one go that has been quiet
/// longest, and that may be one whose request it has not read yet: such a request is asked again.
#[derive(Debug)]
enum First {
    /// It is to come.
    ToCome,
    /// It was sent; its frame, and whether it only looks.
    Sent(Vec<u8>, bool),
    /// It was answered, or more was sent.
    Over,
}

/// How often a request is asked that a node had no room for, and how long is waited in between: a second in all.
const TRIES: usize = 50;

const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Whether the node went before it had read all that was sent: Unix sockets say so. What it has not read it has not done.
fn unread(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

impl LocalClient {
    /// Connects to the node behind a Unix socket.
    ///
    /// # Errors
    /// [`NodeError::Store`] when no node listens there.
    pub fn connect(path: &Path) -> Result<Self, NodeError> {
        let stream = UnixStream::connect(path).map_err(NodeError::file(path))?;
        let stream = BufReader::new(stream);
        Ok(Self { stream, path: path.to_owned(), first: First::ToCome, tries: TRIES })
    }

    /// Connects anew and asks again, after the node went without having read the first request.
    fn again(&mut self, frame: &[u8], mut error: std::io::Error) -> Result<(), NodeError> {
        while unread(&error) && self.tries > 0 {
            self.tries -= 1;
            std::thread::sleep(BETWEEN_TRIES);
            let stream = UnixStream::connect(&self.path).map_err(self.failed())?;
            self.stream = BufReader::new(stream);
            match self.stream.get_mut().write_all(frame) {
                Ok(()) => return Ok(()),
                Err(again) => error = again,
            }
        }
        Err(self.failed()(error))
    }

    fn failed(&self) -> impl FnOnce(std::io::Error) -> NodeError + use<> {
        NodeError::file(self.path.clone())
    }

    /// Sends a request.
    ///
    /// # Errors
    /// [`NodeError::Store`] when the node is gone.
    pub fn send(&mut self, request: &LocalRequest) -> Result<(), NodeError> {
        let frame = encode_frame(request)?;
        let first = matches!(self.first, First::ToCome);
        match self.stream.get_mut().write_all(&frame) {
            Ok(()) => {}
            Err(error) if first => self.again(&frame, error)?,
            Err(error) => return Err(self.failed()(error)),
        }
        // Whoever has sent more than one request cannot ask it again.
        self.first = match first {
            true => First::Sent(frame, request.only_looks()),
            false => First::Over,
        };
        Ok(())
    }

    /// Sends raw data.
    ///
    /// # Errors
    /// [`NodeError::Store`] when the node is gone.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<(), NodeError> {
        self.first = First::Over;
        for piece in bytes.chunks(MAX_RAW) {
            // A piece has at most MAX_RAW bytes, which fit.
            let length = u32::try_from(piece.len()).unwrap_or(u32::MAX) | RAW;
            let failed = self.failed();
            let stream = self.stream.get_mut();
            let sent = match piece.len() <= SMALL {
                true => stream.write_all(&[&length.to_be_bytes(), piece].concat()),
                false => {
                    let sent = stream.write_all(&length.to_be_bytes());
                    sent.and_then(|()| stream.write_all(piece))
                }
            };
            sent.map_err(failed)?;
        }
        Ok(())
    }

    fn read(&mut self) -> Result<Frame, NodeError> {
        while let First::Sent(frame, looks) = std::mem::replace(&mut self.first, First::Over) {
            let gone = match self.stream.fill_buf() {
                // It has read it and went: who only looked can look again.
                Ok([]) if looks && self.tries > 0 => Some(ErrorKind::ConnectionReset.into()),
                Ok(_) => None,
                Err(error) => Some(error),
            };
            if let Some(error) = gone {
                self.again(&frame, error)?;
                self.first = First::Sent(frame, looks);
            }
        }
        let mut length = [0; 4];
        let failed = self.failed();
        self.stream.read_exact(&mut length).map_err(failed)?;
        let (length, raw) = read_length(length)?;
        let mut body = vec![0; length];
        let failed = self.failed();
        self.stream.read_exact(&mut body).map_err(failed)?;
        Ok(if raw { Frame::Raw(body) } else { Frame::Message(body) })
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// [`NodeError`] when the node is gone or says what does not belong here.
    pub fn reply(&mut self) -> Result<LocalReply, NodeError> {
        match self.read()? {
            Frame::Message(body) => Ok(decode_frame(&body)?),
            Frame::Raw(_) => Err(unexpected()),
        }
    }

    /// Reads raw data, or the answer that ends it.
    ///
    /// # Errors
    /// As [`LocalClient::reply`].
    pub fn raw_or_reply(&mut self) -> Result<Result<Vec<u8>, LocalReply>, NodeError> {
        match self.read()? {
            Frame::Message(body) => Ok(Err(decode_frame(&body)?)),
            Frame::Raw(bytes) => Ok(Ok(bytes)),
        }
    }

    /// Sends a request and reads its one answer.
    ///
    /// # Errors
    /// As [`LocalClient::reply`].
    pub fn ask(&mut self, request: &LocalRequest) -> Result<LocalReply, NodeError> {
        self.send(request)?;
        self.reply()
    }
}

pub(crate) fn unexpected() -> NodeError {
    chancery_protocol::ProtocolError::from(chancery_protocol::MessageFault::NotHere).into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use chancery_store::StoreError;

    use super::*;

    /// A node that does so with each who comes, one after the other.
    fn node(each: Vec<fn(UnixStream)>) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("node.sock");
        let socket = UnixListener::bind(&path).expect("a socket");
        std::thread::spawn(move || {
            for does in each {
                does(socket.accept().expect("a client").0);
            }
        });
        (folder, path)
    }

    fn read_request(stream: &mut UnixStream) {
        let mut length = [0; 4];
        stream.read_exact(&mut length).expect("a length");
        let (length, _) = read_length(length).expect("a length");
        stream.read_exact(&mut vec![0; length]).expect("a request");
    }

    fn answer(mut stream: UnixStream) {
        for _ in 0..2 {
            read_request(&mut stream);
            stream.write_all(&encode_frame(&LocalReply::Done).expect("a frame")).expect("sent");
        }
    }

    /// Goes once the request has come, without reading it.
    fn leave_unread(stream: UnixStream) {
        stream.set_nonblocking(false).expect("blocking");
        let mut first = [0];
        let mut stream = stream;
        stream.read_exact(&mut first).expect("a byte");
    }

    #[test]
    fn a_request_that_the_node_did_not_read_is_asked_again() {
        let (_folder, path) = node(vec![drop, leave_unread, drop, leave_unread, answer]);
        let mut client = LocalClient::connect(&path).expect("connected");
        std::thread::sleep(BETWEEN_TRIES);
        for _ in 0..2 {
            let reply = client.ask(&LocalRequest::Status).expect("an answer");
            assert!(matches!(reply, LocalReply::Done));
        }
    }

    #[test]
    fn a_look_that_was_read_and_not_answered_is_asked_again() {
        let read = |mut stream: UnixStream| read_request(&mut stream);
        let (_folder, path) = node(vec![read, read, answer]);
        let mut client = LocalClient::connect(&path).expect("connected");
        let reply = client.ask(&LocalRequest::Status).expect("an answer");
        assert!(matches!(reply, LocalReply::Done));
    }

    #[test]
    fn a_request_that_may_have_been_done_is_not_asked_again() {
        let (_folder, path) = node(vec![|mut stream| read_request(&mut stream), answer]);
        let mut client = LocalClient::connect(&path).expect("connected");
        let error = client.ask(&LocalRequest::Reload).expect_err("no answer");
        assert!(matches!(error, NodeError::Store(StoreError::File { .. })), "{error}");
        let (_folder, path) = node(vec![
            |mut stream| {
                read_request(&mut stream);
                stream.write_all(&encode_frame(&LocalReply::Done).expect("a frame")).expect("sent");
                leave_unread(stream);
            },
            answer,
        ]);
        let mut client = LocalClient::connect(&path).expect("connected");
        client.ask(&LocalRequest::Status).expect("the first is answered");
        client.ask(&LocalRequest::Status).expect_err("nor is what comes later");
    }

    #[test]
    fn a_node_that_never_has_room_is_not_asked_for_ever() {
        let (_folder, path) = node(vec![drop as fn(UnixStream); TRIES + 2]);
        let mut client = LocalClient::connect(&path).expect("connected");
        client.ask(&LocalRequest::Status).expect_err("it never answers");
        assert_eq!(client.tries, 0);
    }
}
