//! What the command line and the local node say to each other over the Unix socket: the frames of
//! [`chancery_protocol::encode_frame`], and raw data frames, whose length has its top bit set.

use std::{
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use chancery_certs::AgencyName;
use chancery_protocol::{
    DocumentId, EnvelopeId, Growth, Indication, MAX_FRAME, Receipt, Refusal, Urgency, decode_frame,
    encode_frame,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use utoipa::ToSchema;

use crate::{NodeError, api::RefusalSchema, records::DeliveryState};

/// Marks a raw data frame.
pub(crate) const RAW: u32 = 1 << 31;
/// The largest raw data frame.
pub(crate) const MAX_RAW: usize = 1 << 20;

/// Up to so many bytes it is cheaper to copy a piece behind its length than to write twice.
const SMALL: usize = 64 << 10;

/// What a clerk or operator asks the node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocalRequest {
    /// How is the node?
    Status,
    /// Take this signed document; its parts follow as raw frames once the node is ready.
    Submit {
        /// The COSE_Sign structure.
        #[serde(with = "serde_bytes")]
        document: Vec<u8>,
    },
    /// As [`LocalRequest::Submit`], with a number for each recipient's copy: `first` for the first, and so on.
    SubmitCopies {
        /// The COSE_Sign structure.
        #[serde(with = "serde_bytes")]
        document: Vec<u8>,
        /// The first number.
        first: u64,
    },
    /// The newest documents that came in or went out, newest first.
    List {
        /// In, or out.
        incoming: bool,
        /// At most so many.
        limit: u32,
    },
    /// The newest documents in whose header a text stands.
    Search {
        /// The text; upper and lower case are one.
        text: String,
        /// At most so many.
        limit: u32,
    },
    /// Every document that comes in or goes out from now on, and every delivery that ends. It begins with
    /// [`LocalReply::Ready`].
    Watch,
    /// Open a document by the first digits of its id. If its parts are wanted, the evidence follows
    /// file by file up to [`LocalReply::Done`], and then the parts as raw frames up to another.
    Open {
        /// The first digits of a document or envelope id.
        id: String,
        /// Whether the parts are wanted too, which hands the document over.
        parts: bool,
    },
    /// The journey of a document.
    Trace {
        /// The first digits of a document or envelope id.
        id: String,
    },
    /// Use this directory from now on. It follows as raw frames once the node is ready.
    InstallDirectory {
        /// The length of the signed directory.
        size: u64,
    },
    /// The ledger's newest checkpoint and the chain of its seal.
    Checkpoint,
    /// Some entries.
    Entries {
        /// The first.
        from: u64,
        /// At most so many.
        limit: u32,
    },
    /// The receipt of an entry under the newest checkpoint.
    Prove {
        /// The entry.
        index: u64,
    },
    /// The consistency proof from an older size to the newest checkpoint.
    ProveConsistency {
        /// The older size.
        size: u64,
    },
    /// Which envelopes hold a document, so that an order to purge them can be written.
    PlanPurge {
        /// The first digits of a document or envelope id.
        id: String,
    },
    /// Remove content for good, by an officer's signed order.
    Purge {
        /// The order; see [`chancery_protocol::PurgeOrder`].
        #[serde(with = "serde_bytes")]
        order: Vec<u8>,
    },
    /// The whole ledger as a static log, file by file.
    Export,
    /// Make a backup in the node's data folder.
    Backup,
    /// Take up the seal and the node certificate that lie in the files now.
    Reload,
    /// Wait for no peer to say how far the ledger was seen to go.
    GoAlone,
}

/// What the node answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each field is what its request speaks of")]
pub enum LocalReply {
    Status(Box<StatusView>),
    /// The document is in order: send its parts.
    Ready,
    Submitted {
        document: DocumentId,
        envelope: EnvelopeId,
        recipients: Vec<AgencyName>,
        /// The number of each copy that has one.
        #[serde(default)]
        copies: Vec<(AgencyName, u64)>,
    },
    /// One of a list; [`LocalReply::Done`] ends it.
    Document(Box<DocumentView>),
    Opened(Box<OpenedView>),
    Traced(Box<TraceView>),
    DirectoryInstalled {
        version: u64,
        agencies: u32,
    },
    Checkpoint {
        note: String,
        chain: Vec<ByteBuf>,
    },
    /// Some entries, in order, and whether there are more.
    Entries {
        leaves: Vec<ByteBuf>,
        more: bool,
    },
    Proof(Receipt),
    Consistency {
        growth: Growth,
        note: String,
    },
    /// The agency, the document's title, and the envelopes that hold it.
    PurgePlan {
        agency: AgencyName,
        title: String,
        envelopes: Vec<EnvelopeId>,
    },
    /// The order's digest, the ledger entries that record it, and whether the content is off the disk already.
    Purged {
        order: chancery_crypto::Digest,
        entries: Vec<u64>,
        erased: bool,
    },
    File(ExportedFile),
    /// Where it is, how many files and bytes, and up to which entry it goes.
    BackedUp {
        path: std::path::PathBuf,
        files: u64,
        bytes: u64,
        entries: u64,
    },
    /// The end of a sequence.
    Done,
    /// It cannot be done.
    Failed {
        code: String,
        message: String,
        remedy: String,
        /// The document whose refusal stands in the ledger.
        #[serde(default)]
        recorded: Option<DocumentId>,
    },
}

/// How a node is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StatusView {
    #[schema(value_type = String)]
    pub agency: AgencyName,
    pub display: String,
    pub version: String,
    pub listen: String,
    pub entries: u64,
    #[schema(value_type = String)]
    pub root: chancery_crypto::Digest,
    pub pending: u64,
    #[schema(value_type = Vec<String>)]
    pub connected: Vec<AgencyName>,
    #[serde(default)]
    pub directory_version: Option<u64>,
    #[serde(default)]
    pub directory_expires: Option<i64>,
    pub agencies: Vec<AgencyView>,
    /// The witnesses that the directory names for this agency, and what is missing in them.
    #[serde(default)]
    pub named_witnesses: u64,
    /// Whether one of them is independent of it.
    #[serde(default)]
    pub independent_witness: bool,
    pub node_certificate_expires: i64,
    pub seal_certificate_expires: i64,
    /// When the use of the node's encryption key ends, by the directory.
    pub encryption_key_expires: Option<i64>,
    /// How this node's clock does.
    pub clock: ClockView,
    /// Who has cosigned the ledger last.
    pub witnesses: Vec<WitnessView>,
    /// Why nothing is sealed: this is not the newest ledger, or that is not known yet.
    #[serde(default)]
    pub not_sealing: Option<String>,
    /// How the disk does.
    #[serde(default)]
    pub disk: Option<DiskView>,
    /// Peers whose ledgers are proved forked; the proofs are in `data/forks`.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub forked: Vec<AgencyName>,
}

/// How the disk does on which a node's data is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DiskView {
    /// What is free.
    pub free_bytes: u64,
    /// What is to stay free: below that nothing is taken.
    pub keeps_bytes: u64,
    /// Why nothing is taken.
    pub full: Option<String>,
}

/// How a node's clock does.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClockView {
    /// Why nothing is sealed, while the clock is known to be wrong.
    pub wrong: Option<String>,
    /// By how many seconds the ledger's newest entry is later than the clock.
    pub ledger_ahead_seconds: i64,
    /// What the peers' clocks have shown within the last hour.
    pub peers: Vec<PeerClockView>,
}

/// How far this node's clock is ahead of a peer's.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PeerClockView {
    /// The peer.
    #[schema(value_type = String)]
    pub agency: AgencyName,
    /// In seconds; negative when it is behind.
    pub ahead_seconds: i64,
}

/// A witness's newest cosignature of this node's ledger.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WitnessView {
    /// The witness.
    #[schema(value_type = String)]
    pub agency: AgencyName,
    /// How many entries it has cosigned.
    pub size: u64,
    /// When, by its clock.
    pub time: i64,
}

/// An agency in the directory.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AgencyView {
    /// Its name.
    #[schema(value_type = String)]
    pub agency: AgencyName,
    /// Its name for people.
    pub display: String,
}

/// A part of a document.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PartView {
    /// Its file name.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
}

/// A document in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DocumentView {
    #[schema(value_type = String)]
    pub envelope: EnvelopeId,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub document: Option<DocumentId>,
    pub incoming: bool,
    /// When it came to this node, in seconds since 1970 UTC.
    pub arrived: i64,
    pub kind: String,
    #[serde(default)]
    pub number: Option<String>,
    pub title: String,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub from: Option<AgencyName>,
    #[schema(value_type = Vec<String>)]
    pub to: Vec<AgencyName>,
    #[schema(value_type = Vec<String>)]
    pub cc: Vec<AgencyName>,
    /// Its level and secrecy period, as they are written over it.
    #[serde(default)]
    pub classification: Option<String>,
    /// Whether it is too secret for who asks: title, number, parts and signers are left out.
    #[serde(default)]
    pub masked: bool,
    /// `routine`, `urgent` or `flash`.
    #[schema(value_type = String)]
    pub urgency: Urgency,
    /// Until when an answer is wanted, in seconds since 1970 UTC.
    #[serde(default)]
    pub deadline: Option<i64>,
    pub parts: Vec<PartView>,
    pub signers: Vec<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub in_reply_to: Option<DocumentId>,
    /// The node's own verdict on the signatures, in the words of EN 319 102-1.
    pub indication: String,
    pub deliveries: Vec<DeliveryView>,
    /// Of a document that came in: the act that took effect on it.
    #[serde(default)]
    pub act: Option<String>,
    /// Of a document that came in: the number of this copy, if its sender gave it one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<u64>,
    /// Why it cannot be opened.
    #[serde(default)]
    pub error: Option<String>,
}

impl DocumentView {
    /// An envelope in the place of a document that cannot be shown.
    pub(crate) fn unopened(envelope: EnvelopeId, incoming: bool, error: String) -> Self {
        Self {
            envelope,
            document: None,
            incoming,
            arrived: 0,
            kind: String::new(),
            number: None,
            title: String::new(),
            from: None,
            to: Vec::new(),
            cc: Vec::new(),
            classification: None,
            masked: false,
            urgency: Urgency::Routine,
            deadline: None,
            parts: Vec::new(),
            signers: Vec::new(),
            in_reply_to: None,
            indication: "TOTAL-FAILED".into(),
            deliveries: Vec::new(),
            act: None,
            copy: None,
            error: Some(error),
        }
    }
}

/// A document's delivery to one recipient.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DeliveryView {
    #[schema(value_type = String)]
    pub agency: AgencyName,
    /// `pending`, `delivered`, `refused` or `expired`.
    #[schema(value_type = String)]
    pub state: DeliveryState,
    pub since: i64,
    #[serde(default)]
    #[schema(value_type = Option<RefusalSchema>)]
    pub refusal: Option<Refusal>,
}

/// An opened document, before its parts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct OpenedView {
    pub envelope: EnvelopeId,
    pub incoming: bool,
    #[serde(with = "serde_bytes")]
    pub document: Vec<u8>,
    /// The node's own verdict on the signatures.
    pub indication: Indication,
    /// The number of this copy, if its sender gave it one.
    #[serde(default)]
    pub copy: Option<u64>,
}

/// The journey of a document.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TraceView {
    pub document: DocumentView,
    pub steps: Vec<TraceStep>,
}

/// A step of that journey.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TraceStep {
    pub time: i64,
    /// The event, by its name in EN 319 522, or the type of the answering document.
    pub event: String,
    /// Where it happened.
    #[schema(value_type = String)]
    pub agency: AgencyName,
    #[serde(default)]
    pub entry: Option<u64>,
    #[serde(default)]
    pub by: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub indication: Option<Indication>,
    #[serde(default)]
    pub note: Option<String>,
}

/// A file of an exported ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExportedFile {
    /// A relative path.
    pub path: String,
    /// Its bytes.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

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
        let why = format!("a frame claims {length} bytes");
        return Err(chancery_protocol::ProtocolError::Message(why).into());
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
    /// It was sent; its frame.
    Sent(Vec<u8>),
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
    /// [`NodeError::File`] when no node listens there.
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
    /// [`NodeError::File`] when the node is gone.
    pub fn send(&mut self, request: &LocalRequest) -> Result<(), NodeError> {
        let frame = encode_frame(request)?;
        let first = matches!(self.first, First::ToCome);
        match self.stream.get_mut().write_all(&frame) {
            Ok(()) => {}
            Err(error) if first => self.again(&frame, error)?,
            Err(error) => return Err(self.failed()(error)),
        }
        // Whoever has sent more than one request cannot ask it again.
        self.first = if first { First::Sent(frame) } else { First::Over };
        Ok(())
    }

    /// Sends raw data.
    ///
    /// # Errors
    /// [`NodeError::File`] when the node is gone.
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
        while let First::Sent(frame) = std::mem::replace(&mut self.first, First::Over) {
            if let Err(error) = self.stream.fill_buf() {
                self.again(&frame, error)?;
                self.first = First::Sent(frame);
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
    chancery_protocol::ProtocolError::Message("a frame does not belong here".into()).into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

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
    fn a_request_that_may_have_been_done_is_not_asked_again() {
        let (_folder, path) = node(vec![|mut stream| read_request(&mut stream), answer]);
        let mut client = LocalClient::connect(&path).expect("connected");
        let error = client.ask(&LocalRequest::Reload).expect_err("no answer");
        assert!(matches!(error, NodeError::File { .. }), "{error}");
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
