//! The node's side of the Unix socket.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use chancery_bus::{
    NodeError,
    accept::{Accepting, open_files},
    places::{Guest, Room},
};
use chancery_certs::MAX_DIRECTORY;
use chancery_desk::{
    Accepted, Handed, Office, Parts, Refused, Taking,
    access::{Action, Caller, Object},
    asking::{LocalReply, LocalRequest},
    backup, finding,
    heads::OpenedHead,
    matters,
    opening::PartsReader,
    purge, requests, told,
    views::{ExportedFile, OpenedView},
};
use chancery_ledger::{LedgerError, LedgerFiles};
use chancery_protocol::{DocumentId, Event, Language, decode_frame, encode_frame};
use chancery_store::{Source, blocking};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
    time::timeout,
};

use crate::{
    local::{Frame, RAW, read_length, unexpected},
    paper,
};

/// Documents of a list that are opened at once.
const PAGE: usize = 128;

/// In pieces of so many bytes goes what is printed.
const PIECE: usize = 256 << 10;

/// What is printed, as a file.
const PAPER: &str = "paper.pdf";

/// Frames between the disk and the socket.
const AHEAD: usize = 8;

/// Connections of users of this machine, of which one user has half at most.
const CLIENTS: usize = 2048;

/// How long a frame may take to come once it has begun. A program writes one at once.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of the frames of one user that may be in memory at once: of requests, and of what follows them. Small ones are not
/// counted: a question waits for nothing.
const USER_FRAMES: usize = 32 << 20;

const SMALL_FRAME: usize = 16 << 10;

/// What the frames of one user may take of memory.
struct UserBudget {
    requests: Arc<Semaphore>,
    raw: Arc<Semaphore>,
}

/// The budgets of all who are connected.
#[derive(Default)]
struct UserBudgets(Mutex<HashMap<u32, Weak<UserBudget>>>);

impl UserBudgets {
    fn of(&self, user: u32) -> Arc<UserBudget> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(budget) = all.get(&user).and_then(Weak::upgrade) {
            return budget;
        }
        all.retain(|_, budget| budget.strong_count() > 0);
        let semaphore = || Arc::new(Semaphore::new(USER_FRAMES));
        let budget = Arc::new(UserBudget { requests: semaphore(), raw: semaphore() });
        all.insert(user, Arc::downgrade(&budget));
        budget
    }
}

/// Serves clerks and operators until the node stops. However many connections a user has, others get theirs, and a new one of
/// his own has the quietest of them give way.
pub(crate) async fn serve(office: Arc<Office>, listener: UnixListener) {
    // Of the files that may be open, a quarter.
    let most = CLIENTS.min(open_files() / 4);
    let (room, budgets) = (Room::new(most, most / 2), UserBudgets::default());
    let mut accepting = Accepting::new("the local socket");
    let mut clients = JoinSet::new();
    let mut stop = office.stop_signal();
    loop {
        tokio::select! {
            // Those who have given way must have gone before more come: else they would be as many as come.
            (stream, _) = accepting.next(|| listener.accept(), || room.make_room()),
                if clients.len() < most + most / 4 =>
            {
                let user = match stream.peer_cred() {
                    Ok(credentials) => credentials.uid(),
                    Err(error) => {
                        tracing::warn!(%error, "it is not known who uses the local socket");
                        continue;
                    }
                };
                let (guest, budget) = (room.enter(user), budgets.of(user));
                clients.spawn(serve_client(office.clone(), stream, user, guest, budget));
            }
            Some(_) = clients.join_next(), if !clients.is_empty() => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    // Clients that only sit there are not waited for; what they were promised is durable.
    clients.shutdown().await;
}

async fn serve_client(
    office: Arc<Office>,
    stream: UnixStream,
    user: u32,
    guest: Guest<u32>,
    budget: Arc<UserBudget>,
) {
    let (stream, caller) = (BufReader::new(stream), Caller::unix(user));
    let mut client = Client { stream, caller, guest, budget, held: Held::default() };
    loop {
        let Ok(Frame::Message(body)) = client.request().await else { return };
        let served = match decode_frame::<LocalRequest>(&body) {
            Ok(request) => answer(&office, &mut client, request).await,
            Err(error) => Err(NodeError::from(error).into()),
        };
        if let Err(Failed { error, recorded }) = served {
            let failed = LocalReply::Failed {
                recorded,
                code: error.code().to_owned(),
                message: error.to_string(),
                remedy: error.remedy().to_owned(),
                message_zh: Some(error.say(Language::Zh)),
            };
            // After a failed exchange, raw data of it may still be on the way: start afresh.
            drop(client.send(&failed).await);
            return;
        }
    }
}

/// A request that could not be carried out.
struct Failed {
    error: NodeError,
    /// The document whose refusal is in the ledger.
    recorded: Option<DocumentId>,
}

impl From<NodeError> for Failed {
    fn from(error: NodeError) -> Self {
        Self { error, recorded: None }
    }
}

struct Client {
    /// Frames are small and come two or three at a time: they are read together.
    stream: BufReader<UnixStream>,
    caller: Caller,
    guest: Guest<u32>,
    budget: Arc<UserBudget>,
    held: Held,
}

fn gave_way() -> std::io::Error {
    std::io::Error::other("it was quiet, and gave way to others")
}

/// What of its user's budget a client's frames take: a request until it is answered, what follows until more of it is waited
/// for.
#[derive(Default)]
struct Held {
    request: Option<OwnedSemaphorePermit>,
    raw: Option<OwnedSemaphorePermit>,
}

impl Client {
    /// The next request. What the last one took is given back before it is waited for: whoever only sits there takes nothing.
    async fn request(&mut self) -> Result<Frame, NodeError> {
        self.held.request = None;
        self.read().await
    }

    async fn read(&mut self) -> Result<Frame, NodeError> {
        let gone = |e| NodeError::file("local socket")(e);
        self.held.raw = None;
        let mut length = [0; 4];
        // Here it may have to give way: what it has asked for is done, whatever becomes of it.
        tokio::select! {
            read = self.stream.read_exact(&mut length) => read.map_err(gone)?,
            () = self.guest.gives_way() => return Err(gone(gave_way())),
        };
        let (length, raw) = read_length(length)?;
        self.guest.moved();
        let (budget, held) = match raw {
            true => (&self.budget.raw, &mut self.held.raw),
            false => (&self.budget.requests, &mut self.held.request),
        };
        *held = None;
        let body = async {
            if length > SMALL_FRAME {
                let most = u32::try_from(length).unwrap_or(u32::MAX);
                // It is never closed.
                *held = budget.clone().acquire_many_owned(most).await.ok();
            }
            let mut body = vec![0; length];
            self.stream.read_exact(&mut body).await.map(|_| body)
        };
        let body = tokio::select! {
            body = timeout(BODY_TIMEOUT, body) => body.unwrap_or_else(|late| Err(late.into())),
            () = self.guest.gives_way() => Err(gave_way()),
        };
        let body = body.map_err(gone)?;
        self.guest.moved();
        Ok(if raw { Frame::Raw(body) } else { Frame::Message(body) })
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), NodeError> {
        let written = tokio::select! {
            // An answer that there is room for is given, also by who has to give way: what was asked for is done.
            biased;
            written = self.stream.write_all(bytes) => written,
            () = self.guest.gives_way() => Err(gave_way()),
        };
        written.map_err(NodeError::file("local socket"))?;
        self.guest.moved();
        Ok(())
    }

    async fn send(&mut self, reply: &LocalReply) -> Result<(), NodeError> {
        self.write(&encode_frame(reply)?).await
    }

    async fn send_raw(&mut self, bytes: &[u8]) -> Result<(), NodeError> {
        // Pieces are chunks of a content, far below the limit of a raw frame.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX) | RAW;
        self.write(&length.to_be_bytes()).await?;
        self.write(bytes).await
    }
}

async fn answer(
    office: &Arc<Office>,
    client: &mut Client,
    request: LocalRequest,
) -> Result<(), Failed> {
    let reply = match request {
        LocalRequest::Status => {
            let status = finding::status(office, &client.caller).await?;
            LocalReply::Status(Box::new(status))
        }
        LocalRequest::Submit { document } => {
            return submit(office, client, &document, None).await;
        }
        LocalRequest::SubmitCopies { document, first } => {
            return submit(office, client, &document, Some(first)).await;
        }
        LocalRequest::List { incoming, limit } => {
            return Ok(list(office, client, incoming, limit).await?);
        }
        LocalRequest::Search { text, limit } => {
            let (office, caller) = (office.clone(), client.caller.clone());
            for view in
                blocking(move |here| finding::search(here, &office, &caller, &text, limit)).await?
            {
                client.send(&LocalReply::Document(Box::new(view))).await?;
            }
            LocalReply::Done
        }
        LocalRequest::Watch => return Ok(watch(office, client).await?),
        LocalRequest::Open { id, parts } => return Ok(open(office, client, id, parts).await?),
        LocalRequest::Trace { id } => {
            let (office, caller) = (office.clone(), client.caller.clone());
            LocalReply::Traced(Box::new(
                blocking(move |here| finding::trace(here, &office, &caller, &id)).await?,
            ))
        }
        LocalRequest::InstallDirectory { size } => {
            office.permit(&client.caller, Action::OPERATE, Object::Node)?;
            let directory = read_directory(client, size).await?;
            let office = office.clone();
            let view = blocking(move |here| office.install_directory(here, &directory)).await?;
            LocalReply::DirectoryInstalled {
                version: view.version,
                agencies: u32::try_from(view.peers().count()).unwrap_or(u32::MAX),
            }
        }
        LocalRequest::Checkpoint
        | LocalRequest::Entries { .. }
        | LocalRequest::Prove { .. }
        | LocalRequest::ProveConsistency { .. } => {
            let (office, caller) = (office.clone(), client.caller.clone());
            office.permit(&caller, Action::AUDIT, Object::Node)?;
            let seal = office.identity().seal();
            blocking(move |here| {
                requests::answer(office.ledger().view(here), seal.chain(), &request)
            })
            .await?
        }
        LocalRequest::PlanPurge { id } => {
            let (office, caller) = (office.clone(), client.caller.clone());
            office.permit(&caller, Action::PURGE, Object::Node)?;
            blocking(move |here| purge::plan(here, &office, &caller, &id)).await?
        }
        LocalRequest::Purge { order } => {
            office.permit(&client.caller, Action::PURGE, Object::Node)?;
            purge::carry_out(office, order).await?
        }
        LocalRequest::Modules => {
            let (office, caller) = (office.clone(), client.caller.clone());
            LocalReply::Modules(
                blocking(move |here| matters::modules(here, &office, &caller)).await?,
            )
        }
        LocalRequest::Module { name } => {
            let (office, caller) = (office.clone(), client.caller.clone());
            let folder =
                blocking(move |here| matters::folder(here, &office, &caller, &name)).await?;
            LocalReply::Module(folder.into())
        }
        LocalRequest::Waiting => {
            let (office, caller) = (office.clone(), client.caller.clone());
            let found = blocking(move |here| matters::waiting(here, &office, &caller));
            LocalReply::Waiting(found.await?)
        }
        LocalRequest::TryMigration { module, plan } => {
            let (office, caller) = (office.clone(), client.caller.clone());
            let found = blocking(move |here| {
                matters::try_migration(here, &office, &caller, &module, &plan)
            });
            LocalReply::Cover(found.await?)
        }
        LocalRequest::Appointed { module } => {
            let (office, caller) = (office.clone(), client.caller.clone());
            let found =
                blocking(move |here| matters::appointed(here, &office, &caller, &module)).await?;
            LocalReply::Appointed(found)
        }
        LocalRequest::Matter { id } => {
            let (office, caller) = (office.clone(), client.caller.clone());
            let found = blocking(move |here| matters::matter(here, &office, &caller, &id)).await?;
            LocalReply::Matter(Box::new(found))
        }
        LocalRequest::Print { id, template, chinese } => {
            let (office, caller) = (office.clone(), client.caller.clone());
            let language = if chinese { Language::Zh } else { Language::En };
            let printed = blocking(move |here| {
                paper::print(here, &office, &caller, (&id, &template), language)
            });
            let (bytes, warnings) = printed.await?;
            client.send(&LocalReply::Paper { warnings }).await?;
            for piece in bytes.chunks(PIECE) {
                let (path, bytes) = (PAPER.to_owned(), piece.to_vec());
                client.send(&LocalReply::File(ExportedFile { path, bytes })).await?;
            }
            LocalReply::Done
        }
        LocalRequest::Matters(question) => {
            let (office, caller) = (office.clone(), client.caller.clone());
            let found =
                blocking(move |here| matters::matters(here, &office, &caller, &question)).await?;
            for view in found {
                client.send(&LocalReply::Matter(Box::new(view))).await?;
            }
            LocalReply::Done
        }
        LocalRequest::Answer { module, document } => {
            let (office, caller) = (office.clone(), client.caller.clone());
            let found =
                blocking(move |here| told::answer(here, &office, &caller, &module, &document));
            LocalReply::Answer(Box::new(found.await?))
        }
        LocalRequest::Looks { of } => {
            let (office, caller) = (office.clone(), client.caller.clone());
            LocalReply::Looks(blocking(move |here| told::looks(here, &office, &caller, of)).await?)
        }
        LocalRequest::Notices { of } => {
            let (office, caller) = (office.clone(), client.caller.clone());
            let found = blocking(move |here| told::notices(here, &office, &caller, of));
            LocalReply::Notices(found.await?)
        }
        LocalRequest::ExportDecisions => return Ok(export_decisions(office, client).await?),
        LocalRequest::Export => return Ok(export(office, client).await?),
        LocalRequest::Backup => {
            let (office, caller) = (office.clone(), client.caller.clone());
            office.permit(&caller, Action::OPERATE, Object::Node)?;
            let (path, manifest) = blocking(move |here| backup::make(here, &office)).await?;
            let ((files, bytes), entries) = (manifest.measure(), manifest.entries()?);
            tracing::info!(path = %path.display(), files, bytes, entries, "backup made");
            LocalReply::BackedUp { path, files: files as u64, bytes, entries }
        }
        LocalRequest::Reload => {
            office.permit(&client.caller, Action::OPERATE, Object::Node)?;
            let work = office.clone();
            blocking(move |here| work.reload(here)).await?;
            LocalReply::Done
        }
        LocalRequest::GoAlone => {
            office.permit(&client.caller, Action::OPERATE, Object::Node)?;
            let continuity = office.ledger().continuity();
            // What is proved no operator can set aside.
            if let Err(error @ LedgerError::Behind(_)) = continuity.check() {
                return Err(NodeError::from(error).into());
            }
            continuity.go_alone();
            LocalReply::Done
        }
    };
    Ok(client.send(&reply).await?)
}

/// Reads a directory that follows.
async fn read_directory(client: &mut Client, size: u64) -> Result<Vec<u8>, NodeError> {
    let size = usize::try_from(size).ok().filter(|size| *size <= MAX_DIRECTORY);
    let size = size.ok_or_else(|| {
        let fault = chancery_protocol::MessageFault::DirectoryLength { most: MAX_DIRECTORY };
        chancery_protocol::ProtocolError::from(fault)
    })?;
    client.send(&LocalReply::Ready).await?;
    let mut directory = Vec::new();
    while directory.len() < size {
        let Frame::Raw(bytes) = client.read().await? else { return Err(unexpected()) };
        directory.extend_from_slice(&bytes);
    }
    Ok(directory)
}

/// Lists documents, some at a time: neither a frame nor this node's memory holds a list of any length.
async fn list(
    office: &Arc<Office>,
    client: &mut Client,
    incoming: bool,
    limit: u32,
) -> Result<(), NodeError> {
    office.could(&client.caller, Action::LIST)?;
    let work = office.clone();
    let newest = blocking(move |here| {
        chancery_desk::lookup::newest(here, &work, incoming, None, limit as usize)
    })
    .await?;
    for page in newest.chunks(PAGE) {
        let (work, caller, page) = (office.clone(), client.caller.clone(), page.to_vec());
        for view in
            blocking(move |here| finding::views(here, &work, &caller, incoming, &page)).await?
        {
            client.send(&LocalReply::Document(Box::new(view))).await?;
        }
    }
    client.send(&LocalReply::Done).await
}

/// The parts of a document that a client of the socket sends.
struct SocketParts<'a>(&'a mut Client);

impl Parts for SocketParts<'_> {
    fn at_hand(&self) -> bool {
        true
    }

    async fn give(&mut self, to: &mut Taking) -> Result<(), NodeError> {
        self.0.send(&LocalReply::Ready).await?;
        while to.missing() > 0 {
            match self.0.read().await? {
                Frame::Raw(bytes) if bytes.len() as u64 <= to.missing() => {
                    to.push(bytes.into()).await?;
                }
                _ => return Err(unexpected()),
            }
        }
        Ok(())
    }
}

/// Takes a document in.
async fn submit(
    office: &Arc<Office>,
    client: &mut Client,
    document: &[u8],
    copies: Option<u64>,
) -> Result<(), Failed> {
    let caller = client.caller.clone();
    let handed = Handed { caller: &caller, document, copies, request: None };
    let taken = chancery_desk::submit(office, handed, &mut SocketParts(client)).await;
    let Accepted { document, envelope, recipients, copies, applied } = match taken {
        Ok(taken) => taken.accepted,
        Err(Refused { error, recorded }) => return Err(Failed { error, recorded }),
    };
    let applied = applied.map(Box::new);
    let submitted = LocalReply::Submitted { document, envelope, recipients, copies, applied };
    Ok(client.send(&submitted).await?)
}

/// Tells a clerk of every document that comes in or goes out from now on, and of every delivery that ends,
/// until the clerk hangs up: in the order in which it is committed, whatever the clock says.
async fn watch(office: &Arc<Office>, client: &mut Client) -> Result<(), NodeError> {
    office.permit(&client.caller, Action::WATCH, Object::Node)?;
    let mut grown = office.ledger().grown();
    let mut stop = office.stop_signal();
    let mut next = *grown.borrow_and_update();
    // A document to many has an entry for each, one after the other.
    let mut sent = None;
    client.send(&LocalReply::Ready).await?;
    loop {
        let work = office.clone();
        let entries = blocking(move |here| work.ledger().view(here).feed(next, AHEAD)).await?;
        let more = !entries.is_empty();
        for (index, leaf) in entries {
            next = index.saturating_add(1);
            let again = sent.replace((leaf.event, leaf.envelope)) == sent;
            if is_news(leaf.event) && !(again && leaf.event == Event::SubmissionAcceptance) {
                tell(office, client, leaf.envelope).await?;
            }
        }
        if more {
            continue;
        }
        tokio::select! {
            changed = grown.changed() => if changed.is_err() { break },
            // A clerk who goes has nothing more to say.
            gone = client.read() => return gone.map(drop),
            () = async { drop(stop.wait_for(|stop| *stop).await) } => break,
        }
    }
    client.send(&LocalReply::Done).await
}

/// Whether an event is one of which a clerk is told: a document comes in or goes out, or a delivery ends.
fn is_news(event: Event) -> bool {
    match event {
        Event::ContentConsignment
        | Event::SubmissionAcceptance
        | Event::EvidenceReceived
        | Event::RelayRejection
        | Event::RelayFailure => true,
        Event::SubmissionRejection
        | Event::ContentHandover
        | Event::RelayAcceptance
        | Event::RelayEvidenceReceived
        | Event::WithdrawalAcceptance
        | Event::WithdrawalRejection
        | Event::ContentPurged
        | Event::Decided
        | Event::Unknown(_) => false,
    }
}

async fn tell(
    office: &Arc<Office>,
    client: &mut Client,
    id: chancery_protocol::EnvelopeId,
) -> Result<(), NodeError> {
    let (work, caller) = (office.clone(), client.caller.clone());
    // What cannot be opened is in the inbox, with its error.
    let told = blocking(move |here| {
        let head = chancery_desk::opening::open_head(here, &work, &id)?;
        if !finding::is_there(here, &work, &caller, &head) {
            return Err(NodeError::NotFound(id.to_string()));
        }
        finding::view(here, &work, &caller, &head)
    });
    match told.await {
        Ok(view) => client.send(&LocalReply::Document(Box::new(view))).await,
        Err(_) => Ok(()),
    }
}

/// Opens a document for a clerk. With its parts, the handover is recorded first.
async fn open(
    office: &Arc<Office>,
    client: &mut Client,
    id: String,
    parts: bool,
) -> Result<(), NodeError> {
    let (work, caller) = (office.clone(), client.caller.clone());
    let head = blocking(move |here| finding::find(here, &work, &caller, &id, Action::LIST)).await?;
    // The header goes out whole, also without the parts.
    finding::must_see(office, &client.caller, &head)?;
    if parts {
        finding::hand_over(office, &client.caller, &head).await?;
    }
    let (mut document, mut files) = (head.document.bytes().to_vec(), Vec::new());
    if parts {
        let gather = (office.clone(), head.clone());
        (document, files) =
            blocking(move |here| finding::proven(here, &gather.0, &gather.1)).await?;
    }
    let view = OpenedView {
        envelope: head.envelope,
        incoming: head.incoming,
        document,
        indication: head.report.indication,
        copy: head.copy,
    };
    client.send(&LocalReply::Opened(Box::new(view))).await?;
    if parts {
        for file in files {
            client.send(&LocalReply::File(file)).await?;
        }
        client.send(&LocalReply::Done).await?;
        send_parts(office, client, head).await?;
    }
    client.send(&LocalReply::Done).await
}

async fn send_parts(
    office: &Arc<Office>,
    client: &mut Client,
    head: Arc<OpenedHead>,
) -> Result<(), NodeError> {
    let work = office.clone();
    let parts = blocking(move |here| PartsReader::new(here, &work, &head, None)).await?;
    let mut parts = Source::new(parts, PartsReader::next_bytes);
    while let Some(piece) = parts.next().await? {
        client.send_raw(&piece).await?;
    }
    Ok(())
}

/// Gives out what an auditor decides again.
async fn export_decisions(office: &Arc<Office>, client: &mut Client) -> Result<(), NodeError> {
    let caller = client.caller.clone();
    let (files, mut taken) = mpsc::channel::<ExportedFile>(AHEAD);
    let office = office.clone();
    let reader = blocking(move |here| {
        let give =
            |file: ExportedFile| files.blocking_send(file).map_err(|_| NodeError::stopping());
        matters::export(here, &office, &caller, &give)
    });
    let told = async move {
        while let Some(file) = taken.recv().await {
            client.send(&LocalReply::File(file)).await?;
        }
        Ok::<_, NodeError>(client)
    };
    let (read, told) = tokio::join!(reader, told);
    let client = told?;
    read?;
    client.send(&LocalReply::Done).await
}

/// Sends the ledger as the files of a static log (C2SP tlog-tiles), as it is at one instant, with what an
/// auditor needs beside them: the seals' chains, the history of checkpoints, cosignatures, all received
/// evidence, and proofs that other ledgers were forked.
async fn export(office: &Arc<Office>, client: &mut Client) -> Result<(), NodeError> {
    office.permit(&client.caller, Action::AUDIT, Object::Node)?;
    let (files, mut taken) = mpsc::channel::<ExportedFile>(AHEAD);
    let office = office.clone();
    let reader = blocking(move |here| -> Result<(), NodeError> {
        let send = |path: String, bytes: Vec<u8>| {
            files.blocking_send(ExportedFile { path, bytes }).map_err(|_| NodeError::stopping())
        };
        let signed = office.ledger().checkpoint();
        // Taken after the checkpoint: it holds all of that, and perhaps more.
        let tables = office.store(here).snapshot()?;
        LedgerFiles::new(&*tables, signed, office.identity().seal().chain()).for_each(&send)
    });
    // It ends with what it holds: who goes away stops the reading, too.
    let told = async move {
        while let Some(file) = taken.recv().await {
            client.send(&LocalReply::File(file)).await?;
        }
        Ok::<_, NodeError>(client)
    };
    let (read, told) = tokio::join!(reader, told);
    let client = told?;
    read?;
    client.send(&LocalReply::Done).await
}

#[cfg(test)]
mod tests {
    use chancery_protocol::MAX_FRAME;

    use super::*;

    fn client(stream: UnixStream, room: &Room<u32>, budget: &Arc<UserBudget>) -> Client {
        Client {
            stream: BufReader::new(stream),
            caller: Caller::unix(7),
            guest: room.enter(7),
            budget: budget.clone(),
            held: Held::default(),
        }
    }

    /// The frames of a request, or of what follows one, as long as they may be.
    fn frame(size: usize, raw: u32) -> Vec<u8> {
        let length = u32::try_from(size).expect("fits") | raw;
        [&length.to_be_bytes()[..], &vec![7; size]].concat()
    }

    #[tokio::test]
    async fn who_has_asked_much_and_only_sits_there_takes_nothing_of_the_users_budget() {
        let (room, budgets) = (Room::new(64, 64), UserBudgets::default());
        let budget = budgets.of(7);
        let mut others = Vec::new();
        let mut idle = JoinSet::new();
        // As many as fill it.
        for _ in 0..USER_FRAMES / MAX_FRAME {
            let (ours, mut theirs) = UnixStream::pair().expect("a pair");
            let mut one = client(ours, &room, &budget);
            let (request, content) = (frame(MAX_FRAME, 0), frame(crate::local::MAX_RAW, RAW));
            let all = [request, content].concat();
            let (sent, read) = tokio::join!(theirs.write_all(&all), async {
                let request = one.request().await.is_ok();
                assert!(one.held.request.is_some(), "what is being answered is in memory");
                request && one.read().await.is_ok()
            });
            assert!(sent.is_ok() && read);
            others.push(theirs);
            // It is answered, and the next request is waited for.
            idle.spawn(async move { one.request().await.is_ok() });
        }
        let all = || [&budget.requests, &budget.raw].map(|part| part.available_permits());
        let given_back = async {
            while all() != [USER_FRAMES; 2] {
                tokio::task::yield_now().await;
            }
        };
        assert!(timeout(BODY_TIMEOUT, given_back).await.is_ok(), "{:?} are left", all());
    }
}
