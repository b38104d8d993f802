//! The node's side of the Unix socket.

use std::sync::Arc;

use chancery_crypto::cbor;
use chancery_protocol::{
    ContentOpener, DocumentId, Event, Leaf, Opening, decode_frame, encode_frame,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    sync::mpsc,
    task::JoinSet,
};

use crate::{
    LedgerFiles, NodeError, backup,
    documents::{self, Submission},
    files::blocking,
    heads::OpenedHead,
    local::{
        DeliveryView, DocumentView, ExportedFile, Frame, LocalReply, LocalRequest, OpenedView, RAW,
        StatusView, TraceStep, TraceView, read_length, unexpected,
    },
    outbound, purge,
    records::{DeliveryRecord, DeliveryState, delivery_of},
    requests,
    shared::Shared,
    store::Table,
};

/// Characters of a title in a step of a trace.
const NOTE: usize = 120;
/// Frames between the disk and the socket.
const AHEAD: usize = 8;

/// Serves clerks and operators until the node stops.
pub async fn serve(shared: Arc<Shared>, listener: UnixListener) {
    let mut clients = JoinSet::new();
    let mut stop = shared.stop.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    clients.spawn(serve_client(shared.clone(), stream));
                }
                Err(error) => {
                    tracing::error!(%error, "the local socket failed");
                    return;
                }
            },
            Some(_) = clients.join_next(), if !clients.is_empty() => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    // Clients that only sit there are not waited for; what they were promised is durable.
    clients.shutdown().await;
}

async fn serve_client(shared: Arc<Shared>, stream: UnixStream) {
    let mut client = Client { stream };
    loop {
        let Ok(frame) = client.read().await else { return };
        let Frame::Message(body) = frame else { return };
        let served = match decode_frame::<LocalRequest>(&body) {
            Ok(request) => answer(&shared, &mut client, request).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = served {
            let failed = LocalReply::Failed {
                code: error.code().to_owned(),
                message: error.to_string(),
                remedy: error.remedy().to_owned(),
            };
            // After a failed exchange, raw data of it may still be on the way: start afresh.
            drop(client.send(&failed).await);
            return;
        }
    }
}

struct Client {
    stream: UnixStream,
}

impl Client {
    async fn read(&mut self) -> Result<Frame, NodeError> {
        let gone = |e| NodeError::file("local socket")(e);
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).await.map_err(gone)?;
        let (length, raw) = read_length(length)?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.map_err(gone)?;
        Ok(if raw { Frame::Raw(body) } else { Frame::Message(body) })
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), NodeError> {
        self.stream.write_all(bytes).await.map_err(NodeError::file("local socket"))
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
    shared: &Arc<Shared>,
    client: &mut Client,
    request: LocalRequest,
) -> Result<(), NodeError> {
    let reply = match request {
        LocalRequest::Status => LocalReply::Status(Box::new(status(shared).await?)),
        LocalRequest::Submit { document } => return submit(shared, client, document).await,
        LocalRequest::List { incoming, limit } => {
            let shared = shared.clone();
            // One by one: a frame is bounded, a list is not.
            for view in blocking(move || list(&shared, incoming, limit)).await? {
                client.send(&LocalReply::Document(Box::new(view))).await?;
            }
            LocalReply::Done
        }
        LocalRequest::Open { id, parts } => return open(shared, client, id, parts).await,
        LocalRequest::Trace { id } => {
            let shared = shared.clone();
            LocalReply::Traced(Box::new(blocking(move || trace(&shared, &id)).await?))
        }
        LocalRequest::InstallDirectory { directory } => {
            let shared = shared.clone();
            let view = blocking(move || shared.install_directory(&directory)).await?;
            LocalReply::DirectoryInstalled {
                version: view.version,
                agencies: u32::try_from(view.peers().count()).unwrap_or(u32::MAX),
            }
        }
        LocalRequest::Checkpoint
        | LocalRequest::Entries { .. }
        | LocalRequest::Prove { .. }
        | LocalRequest::ProveConsistency { .. } => {
            let shared = shared.clone();
            let seal = shared.identity.seal.clone();
            blocking(move || requests::answer(&shared.ledger, seal.chain(), &request)).await?
        }
        LocalRequest::PlanPurge { id } => {
            let shared = shared.clone();
            blocking(move || purge::plan(&shared, &id)).await?
        }
        LocalRequest::Purge { order } => purge::carry_out(shared, order).await?,
        LocalRequest::Export => return export(shared, client).await,
        LocalRequest::Backup => {
            let shared = shared.clone();
            let (path, manifest) = blocking(move || backup::make(&shared)).await?;
            let ((files, bytes), entries) = (manifest.measure(), manifest.entries()?);
            tracing::info!(path = %path.display(), files, bytes, entries, "backup made");
            LocalReply::BackedUp { path, files: files as u64, bytes, entries }
        }
    };
    client.send(&reply).await
}

async fn status(shared: &Arc<Shared>) -> Result<StatusView, NodeError> {
    let identity = &shared.identity;
    let checkpoint = shared.ledger.checkpoint().checkpoint;
    let directory = shared.directory().ok();
    let peers = directory.iter().flat_map(|d| d.peers());
    let own = directory.as_ref().and_then(|d| d.peer(&identity.agency).ok());
    let expires =
        |chain: &[chancery_certs::Certificate]| chain.first().map_or(0, |c| c.not_after());
    Ok(StatusView {
        agency: identity.agency.clone(),
        display: shared.config.display.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        listen: shared.config.listen.to_string(),
        entries: checkpoint.size,
        root: checkpoint.root,
        pending: outbound::pending(shared).await? as u64,
        connected: shared.connections.peers(),
        directory_version: directory.as_ref().map(|d| d.version),
        directory_expires: directory.as_ref().map(|d| d.expires),
        agencies: peers.map(|(name, peer)| (name.clone(), peer.display.clone())).collect(),
        node_certificate_expires: expires(&identity.node_chain),
        seal_certificate_expires: expires(identity.seal.chain()),
        encryption_key_expires: own.map(|peer| peer.encryption_expires),
    })
}

/// Takes a document in. Sealing is work for the processor and the disk, so it runs where it may
/// block.
async fn submit(
    shared: &Arc<Shared>,
    client: &mut Client,
    document: Vec<u8>,
) -> Result<(), NodeError> {
    let mut submission = tokio::task::block_in_place(|| Submission::begin(shared, &document))?;
    let mut left = submission.parts_size();
    client.send(&LocalReply::Ready).await?;
    while left > 0 {
        let Frame::Raw(bytes) = client.read().await? else { return Err(unexpected()) };
        left = left.checked_sub(bytes.len() as u64).ok_or_else(unexpected)?;
        tokio::task::block_in_place(|| submission.push(&bytes))?;
    }
    let sealed = tokio::task::block_in_place(|| submission.seal(shared))?;
    let accepted = sealed.commit(shared).await?;
    tracing::info!(
        envelope = %accepted.envelope, recipients = accepted.recipients.len(), "accepted"
    );
    let reply = LocalReply::Submitted {
        document: accepted.document,
        envelope: accepted.envelope,
        recipients: accepted.recipients,
    };
    client.send(&reply).await
}

fn list(shared: &Shared, incoming: bool, limit: u32) -> Result<Vec<DocumentView>, NodeError> {
    let newest = documents::newest(shared, incoming, limit as usize)?;
    newest
        .into_iter()
        .map(|(envelope, head)| match head {
            Ok(head) => view(shared, &head),
            Err(error) => Ok(DocumentView {
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
                urgency: chancery_protocol::Urgency::Routine,
                parts: Vec::new(),
                signers: Vec::new(),
                in_reply_to: None,
                indication: "TOTAL-FAILED".into(),
                deliveries: Vec::new(),
                error: Some(format!("{}: {error}", error.code())),
            }),
        })
        .collect()
}

fn view(shared: &Shared, head: &OpenedHead) -> Result<DocumentView, NodeError> {
    let header = head.document.header();
    let signers = head.report.signatures.iter().filter_map(|s| s.signer.as_ref());
    Ok(DocumentView {
        envelope: head.envelope,
        document: Some(head.document.id()),
        incoming: head.incoming,
        arrived: head.arrived,
        kind: header.kind.clone(),
        number: header.number.clone(),
        title: header.title.clone(),
        from: Some(header.from.clone()),
        to: header.to.clone(),
        cc: header.cc.clone(),
        urgency: header.urgency,
        parts: header.parts.iter().map(|p| (p.name.clone(), p.size)).collect(),
        signers: signers.map(ToString::to_string).collect(),
        in_reply_to: header.in_reply_to,
        indication: head.report.indication.name().to_owned(),
        deliveries: deliveries(shared, head)?,
        error: None,
    })
}

fn deliveries(shared: &Shared, head: &OpenedHead) -> Result<Vec<DeliveryView>, NodeError> {
    let prefix = head.envelope.digest().as_bytes();
    let mut out = Vec::new();
    for (key, bytes) in shared.store.scan(Table::Deliveries, prefix, prefix, usize::MAX)? {
        let record: DeliveryRecord = cbor::decode(&bytes)?;
        if let Some((_, agency)) = delivery_of(&key) {
            let DeliveryRecord { state, since, refusal, .. } = record;
            out.push(DeliveryView { agency, state, since, refusal });
        }
    }
    Ok(out)
}

/// Opens a document for a clerk. With its parts, the handover is recorded first.
async fn open(
    shared: &Arc<Shared>,
    client: &mut Client,
    id: String,
    parts: bool,
) -> Result<(), NodeError> {
    let find = shared.clone();
    let head = blocking(move || documents::find(&find, &id)).await?;
    if parts && head.incoming {
        documents::hand_over(shared, &head).await?;
    }
    let (mut document, mut files) = (head.document.bytes().to_vec(), Vec::new());
    if parts {
        let gather = (shared.clone(), head.clone());
        (document, files) = blocking(move || proven(&gather.0, &gather.1)).await?;
    }
    let view = OpenedView {
        envelope: head.envelope,
        incoming: head.incoming,
        document,
        indication: head.report.indication,
    };
    client.send(&LocalReply::Opened(Box::new(view))).await?;
    if parts {
        for file in files {
            client.send(&LocalReply::File(file)).await?;
        }
        client.send(&LocalReply::Done).await?;
        send_parts(shared, client, head).await?;
    }
    client.send(&LocalReply::Done).await
}

/// The document with the receipts of ledgers in it (RFC 9942), and all evidence as files beside it.
fn proven(shared: &Shared, head: &OpenedHead) -> Result<(Vec<u8>, Vec<ExportedFile>), NodeError> {
    let (mut receipts, mut files) = (Vec::new(), Vec::new());
    for evidence in documents::evidence(shared, head)? {
        let event = Leaf::decode(&evidence.receipt.leaf)?.event;
        let own = evidence.agency == shared.identity.agency;
        let mut path = evidence.file_name(event);
        if own && event != Event::ContentConsignment {
            // One per recipient: told apart by the entry's number.
            path = path.replace(".evidence", &format!(".{}.evidence", evidence.receipt.index));
        }
        files.push(ExportedFile { path, bytes: evidence.encode()? });
        // Ledgers of the first version gave no COSE signatures.
        if evidence.receipt.cose.is_some() && event != Event::EvidenceReceived {
            receipts.push(evidence.to_cose()?);
        }
    }
    let document = head.document.clone().with_receipts(receipts)?;
    Ok((document.bytes().to_vec(), files))
}

async fn send_parts(
    shared: &Arc<Shared>,
    client: &mut Client,
    head: Arc<OpenedHead>,
) -> Result<(), NodeError> {
    let (pieces, mut taken) = mpsc::channel::<Vec<u8>>(AHEAD);
    let shared = shared.clone();
    let reader = tokio::task::spawn_blocking(move || {
        let id = &head.envelope;
        let record = crate::records::EnvelopeRecord::get(&*shared.store, id)?
            .ok_or_else(|| NodeError::NotFound(id.to_string()))?;
        let mut plain = documents::read_plain(&shared, id, &record)?;
        let mut opener = ContentOpener::default();
        while let Some(bytes) = plain.next()? {
            opener.push(&bytes, |event| match event {
                // The clerk has gone when nobody takes pieces.
                Opening::Part { bytes, .. } => {
                    pieces.blocking_send(bytes.to_vec()).map_err(|_| NodeError::Stopping)
                }
                _ => Ok(()),
            })?;
        }
        opener.finish().map(drop).map_err(NodeError::from)
    });
    while let Some(piece) = taken.recv().await {
        client.send_raw(&piece).await?;
    }
    reader.await.map_err(|e| NodeError::Store(e.to_string()))?
}

fn trace(shared: &Shared, id: &str) -> Result<TraceView, NodeError> {
    let head = documents::find(shared, id)?;
    let mut steps = vec![TraceStep {
        time: head.document.header().created,
        event: "Created".into(),
        agency: head.document.header().from.clone(),
        entry: None,
        by: head.report.signatures.first().and_then(|s| s.signer.as_ref()).map(ToString::to_string),
        indication: Some(head.report.indication),
        note: None,
    }];
    for evidence in documents::evidence(shared, &head)? {
        let leaf = Leaf::decode(&evidence.receipt.leaf)?;
        if leaf.event == Event::EvidenceReceived {
            // It only says that the step which stands beside it is known here.
            continue;
        }
        steps.push(TraceStep {
            time: leaf.time,
            event: leaf.event.name().to_owned(),
            agency: evidence.agency.clone(),
            entry: Some(evidence.receipt.index),
            by: None,
            indication: None,
            note: (leaf.counterpart != evidence.agency).then(|| leaf.counterpart.to_string()),
        });
    }
    for delivery in deliveries(shared, &head)? {
        if delivery.state == DeliveryState::Pending {
            steps.push(TraceStep {
                time: delivery.since,
                event: "Pending".into(),
                agency: delivery.agency,
                entry: None,
                by: None,
                indication: None,
                note: Some("delivery goes on".into()),
            });
        }
    }
    answers(shared, &head.document.id(), &mut steps)?;
    steps.sort_by_key(|step| step.time);
    Ok(TraceView { document: view(shared, &head)?, steps })
}

/// The signed acts and answers that refer to a document, from either side.
fn answers(
    shared: &Shared,
    document: &DocumentId,
    steps: &mut Vec<TraceStep>,
) -> Result<(), NodeError> {
    for head in documents::answers(shared, document)? {
        let header = head.document.header();
        let signature = head.report.signatures.first();
        steps.push(TraceStep {
            time: signature.and_then(|s| s.signing_time).unwrap_or(header.created),
            event: header.kind.clone(),
            agency: header.from.clone(),
            entry: None,
            by: signature.and_then(|s| s.signer.as_ref()).map(ToString::to_string),
            indication: Some(head.report.indication),
            note: Some(header.title.chars().take(NOTE).collect()),
        });
    }
    Ok(())
}

/// Sends the ledger as the files of a static log (C2SP tlog-tiles), as it is at one instant, with what an
/// auditor needs beside them: the seals' chains, the history of checkpoints, cosignatures, all received
/// evidence, and proofs that other ledgers were forked.
async fn export(shared: &Arc<Shared>, client: &mut Client) -> Result<(), NodeError> {
    let (files, mut taken) = mpsc::channel::<ExportedFile>(AHEAD);
    let shared = shared.clone();
    let reader = tokio::task::spawn_blocking(move || {
        let send = |path: String, bytes: Vec<u8>| {
            files.blocking_send(ExportedFile { path, bytes }).map_err(|_| NodeError::Stopping)
        };
        let signed = shared.ledger.checkpoint();
        // Taken after the checkpoint: it holds all of that, and perhaps more.
        let tables = shared.store.snapshot();
        LedgerFiles::new(&*tables, signed, shared.identity.seal.chain()).for_each(&send)
    });
    while let Some(file) = taken.recv().await {
        client.send(&LocalReply::File(file)).await?;
    }
    reader.await.map_err(|e| NodeError::Store(e.to_string()))??;
    client.send(&LocalReply::Done).await
}
