//! The receiving side: one stream, one envelope.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use chancery_certs::AgencyName;
use chancery_crypto::CHUNK_SIZE;
use chancery_protocol::{
    EnvelopeHeader, EnvelopeId, Event, InboundDecision, Leaf, LocalState, OpenedEnvelope,
    PeerMessage, Receipt, Refusal, decide_offer, decode_frame, encode_frame, merkle,
};
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::{
    sync::{Mutex, Semaphore, mpsc},
    task::JoinSet,
};

use crate::{
    Commit, NodeError, Outcome,
    content::Arriving,
    endpoint::{FRAME_BUDGET, read_frame, write},
    error::protocol_code,
    files::blocking,
    ledger::receipt_key,
    records::EnvelopeRecord,
    shared::Shared,
    store::Table,
    unix_now, witness,
};

/// How long a peer may take to say what it has to say next.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pieces of ciphertext between the network and the disk.
const PIECES: usize = 32;
/// The largest such piece, in bytes.
const PIECE: usize = 256 * 1024;
/// The QUIC application error code of a stream that was given up.
const GIVEN_UP: VarInt = VarInt::from_u32(1);

/// Uses a connection for both directions, whoever opened it.
pub fn adopt(shared: &Arc<Shared>, peer: AgencyName, connection: Connection) {
    shared.connections.put(peer.clone(), connection.clone());
    let mut serving = shared.serving.lock().unwrap_or_else(PoisonError::into_inner);
    while serving.try_join_next().is_some() {}
    serving.spawn(serve(shared.clone(), connection, peer));
}

/// Serves the streams that a peer opens, until the connection ends.
async fn serve(shared: Arc<Shared>, connection: Connection, peer: AgencyName) {
    let mut streams = JoinSet::new();
    let bounds = Bounds { frames: Semaphore::new(FRAME_BUDGET as usize), asking: Mutex::default() };
    let bounds = Arc::new(bounds);
    let mut stop = shared.stop.subscribe();
    loop {
        tokio::select! {
            accepted = connection.accept_bi() => match accepted {
                Ok((send, recv)) => {
                    let (shared, peer, bounds) = (shared.clone(), peer.clone(), bounds.clone());
                    streams.spawn(async move {
                        serve_stream(&shared, &peer, &bounds, send, recv).await;
                    });
                }
                Err(reason) => {
                    tracing::info!(%peer, %reason, "connection ended");
                    break;
                }
            },
            Some(ended) = streams.join_next(), if !streams.is_empty() => {
                if let Err(error) = ended {
                    tracing::error!(%peer, %error, "a stream's task ended badly");
                }
            }
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    shared.connections.remove(&peer, &connection);
    // What has arrived whole is still committed and answered; the runtime bounds the wait.
    while streams.join_next().await.is_some() {}
}

/// What one connection may ask for at once.
struct Bounds {
    /// Bytes of frames in memory.
    frames: Semaphore,
    /// Held while a question about the ledger is answered: proofs cost reads and hashes.
    asking: Mutex<()>,
}

async fn serve_stream(
    shared: &Arc<Shared>,
    peer: &AgencyName,
    bounds: &Bounds,
    mut send: SendStream,
    mut recv: RecvStream,
) {
    if let Err(error) = answer(shared, peer, bounds, &mut send, &mut recv).await {
        tracing::warn!(%peer, %error, code = error.code(), "an offer was not completed");
        // Either half may have ended by itself already; then there is nothing to give up.
        drop(send.reset(GIVEN_UP));
        drop(recv.stop(GIVEN_UP));
    }
}

async fn answer(
    shared: &Arc<Shared>,
    peer: &AgencyName,
    bounds: &Bounds,
    send: &mut SendStream,
    recv: &mut RecvStream,
) -> Result<(), NodeError> {
    let silent = |_| NodeError::Network { peer: peer.to_string(), why: "it fell silent".into() };
    let read = read_frame(recv, peer, Some(&bounds.frames));
    let (body, permit) = tokio::time::timeout(PATIENCE, read).await.map_err(silent)??;
    let (envelope, content) = match decode_frame(&body)? {
        PeerMessage::Offer { envelope, content } => (envelope, content),
        PeerMessage::AskGrowth { sizes } => {
            drop((body, permit));
            let _one = bounds.asking.lock().await;
            return witness::answer(shared, peer, sizes, &bounds.frames, send, recv).await;
        }
        _ => {
            let why = "a stream starts with an offer or a witness's question".to_owned();
            return Err(chancery_protocol::ProtocolError::Message(why).into());
        }
    };
    drop(body);
    // What came along stays in memory until it is committed; without it, little does.
    let _permit = permit.filter(|_| content.is_some());
    let message = match admit(shared, peer, &envelope) {
        Err(refusal) => {
            tracing::warn!(%peer, code = refusal.code, reason = refusal.reason, "offer refused");
            PeerMessage::Refuse(refusal)
        }
        Ok(opened) => {
            let offered = Offered { shared, peer, opened, envelope };
            offered.take(content.map(serde_bytes::ByteBuf::into_vec), send, recv).await?
        }
    };
    write(send, &encode_frame(&message)?, peer).await?;
    // Finishing fails only when the peer has gone, and then it will ask again.
    drop(send.finish());
    Ok(())
}

fn refusal(code: &str, reason: impl Into<String>, retry_after: Option<u32>) -> Refusal {
    Refusal { code: code.into(), reason: reason.into(), retry_after }
}

/// Checks seal and policy of an offered envelope.
fn admit(shared: &Shared, peer: &AgencyName, envelope: &[u8]) -> Result<OpenedEnvelope, Refusal> {
    let now = unix_now();
    let identity = &shared.identity;
    let opened = EnvelopeHeader::open(envelope, &identity.trust, now)
        .map_err(|e| refusal(protocol_code(&e), e.to_string(), None))?;
    let header = &opened.header;
    if header.sender != *peer {
        let why = format!("{peer} offers an envelope of {}", header.sender);
        return Err(refusal("CHY-5001", why, None));
    }
    if !header.is_for(&identity.agency) {
        let why = format!("it is not for {}", identity.agency);
        return Err(refusal("CHY-5002", why, None));
    }
    if header.expires < now {
        return Err(refusal("CHY-5003", "it has expired", None));
    }
    let limit = shared.config.limits.envelope_bytes;
    if header.size > limit {
        let why = format!("it has {} bytes; the limit here is {limit}", header.size);
        return Err(refusal("CHY-5004", why, None));
    }
    Ok(opened)
}

/// Removes an envelope's claim when its stream ends, however it ends.
struct Claim<'a> {
    shared: &'a Shared,
    id: EnvelopeId,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.shared.release(&self.id);
    }
}

struct Offered<'a> {
    shared: &'a Arc<Shared>,
    peer: &'a AgencyName,
    opened: OpenedEnvelope,
    envelope: Vec<u8>,
}

impl Offered<'_> {
    fn leaf(&self) -> Leaf {
        Leaf {
            event: Event::ContentConsignment,
            envelope: self.opened.id,
            commitment: self.opened.header.commitment,
            counterpart: self.opened.header.sender.clone(),
            time: unix_now(),
            evidence: None,
        }
    }

    /// The receipt that was given for it before, if any.
    fn held(&self) -> Result<Option<Receipt>, NodeError> {
        self.shared.ledger.given_for(&receipt_key(&self.leaf()))
    }

    /// Takes the envelope, or says that it is here already.
    async fn take(
        self,
        inline: Option<Vec<u8>>,
        send: &mut SendStream,
        recv: &mut RecvStream,
    ) -> Result<PeerMessage, NodeError> {
        let id = self.opened.id;
        if let Some(receipt) = self.held()? {
            return Ok(PeerMessage::Have { receipt });
        }
        if !self.shared.claim(&id) {
            let why = "it is arriving on another stream";
            return Ok(PeerMessage::Refuse(refusal("CHY-5005", why, Some(1))));
        }
        let _claim = Claim { shared: self.shared, id };
        // Again under the claim: another stream may have finished in between.
        if let Some(receipt) = self.held()? {
            return Ok(PeerMessage::Have { receipt });
        }
        if let Some(content) = inline {
            return self.take_inline(content).await;
        }
        if self.shared.content.has_whole(&id) {
            // It arrived whole, and the node stopped before it could commit.
            return self.commit(None).await;
        }
        let header = self.opened.header.clone();
        let files = self.shared.content.clone();
        let arriving = blocking(move || files.arrive(&id, &header)).await?;
        let state = match arriving.chunks() {
            0 => LocalState::Unknown,
            chunks => LocalState::Partial(chunks),
        };
        let InboundDecision::Receive(want, from) = decide_offer(state, false) else {
            return Err(NodeError::Damaged("an offer cannot be decided".into()));
        };
        if from > 0 {
            tracing::info!(envelope = %id, peer = %self.peer, from, "resuming an envelope");
        }
        write(send, &encode_frame(&want)?, self.peer).await?;
        let arriving = receive(arriving, recv, self.peer).await?;
        if !arriving.is_whole() {
            let why = format!("the stream ended after {} chunks", arriving.chunks());
            return Err(NodeError::Network { peer: self.peer.to_string(), why });
        }
        let header = self.opened.header.clone();
        let files = self.shared.content.clone();
        if !blocking(move || files.settle(arriving, &id, &header)).await? {
            // What was resumed may have been torn here, by a power cut: start afresh before the
            // sender is blamed.
            let torn = from > 0;
            return Ok(mismatch(torn.then_some(1)));
        }
        self.commit(None).await
    }

    async fn take_inline(self, content: Vec<u8>) -> Result<PeerMessage, NodeError> {
        let header = &self.opened.header;
        let mut tree = merkle::CompactRange::default();
        content.chunks(CHUNK_SIZE).for_each(|chunk| tree.push(merkle::leaf_hash(chunk)));
        if content.len() as u64 != header.size || tree.root() != header.root {
            return Ok(mismatch(None));
        }
        self.commit(Some(content)).await
    }

    /// Makes envelope, content and ledger entry durable together.
    async fn commit(self, inline: Option<Vec<u8>>) -> Result<PeerMessage, NodeError> {
        let id = self.opened.id;
        let leaf = self.leaf();
        let record = EnvelopeRecord {
            sealed: self.envelope.clone(),
            incoming: true,
            time: self.shared.micros(),
            in_file: inline.is_none(),
            own_key: None,
            purged: None,
        };
        let mut commit = Commit {
            leaves: vec![leaf],
            absent: Some((Table::Envelopes, id.digest().as_bytes().to_vec())),
            ..Commit::default()
        };
        record.put(&id, &mut commit.batch)?;
        commit.batch.put(Table::Unindexed, *id.digest().as_bytes(), []);
        if let Some(content) = inline {
            commit.batch.put(Table::Content, *id.digest().as_bytes(), content);
        }
        match self.shared.ledger.commit(commit).await? {
            Outcome::Committed(receipts) => {
                let receipt = receipts.into_iter().next();
                let receipt =
                    receipt.ok_or_else(|| NodeError::Damaged("a commit gave no receipt".into()))?;
                tracing::info!(envelope = %id, peer = %self.peer, entry = receipt.index, "received");
                Ok(PeerMessage::Evidence { receipt })
            }
            Outcome::Exists => match self.held()? {
                Some(receipt) => Ok(PeerMessage::Have { receipt }),
                None => Err(NodeError::Damaged(format!("envelope {id} has no receipt"))),
            },
        }
    }
}

fn mismatch(retry_after: Option<u32>) -> PeerMessage {
    let why = "the ciphertext does not have the root that its header seals";
    PeerMessage::Refuse(refusal("CHY-5006", why, retry_after))
}

/// Moves ciphertext from the network to the disk, which has a thread of its own.
async fn receive(
    mut arriving: Arriving,
    recv: &mut RecvStream,
    peer: &AgencyName,
) -> Result<Arriving, NodeError> {
    let failed = |why: String| NodeError::Network { peer: peer.to_string(), why };
    let (pieces, mut taken) = mpsc::channel::<bytes::Bytes>(PIECES);
    let disk = tokio::task::spawn_blocking(move || {
        while let Some(piece) = taken.blocking_recv() {
            arriving.push(&piece)?;
        }
        Ok::<_, NodeError>(arriving)
    });
    let network = async {
        loop {
            let piece = tokio::time::timeout(PATIENCE, recv.read_chunk(PIECE, true)).await;
            let piece = piece.map_err(|_| failed("it fell silent".into()))?;
            let Some(piece) = piece.map_err(|e| failed(e.to_string()))? else { return Ok(()) };
            // The disk has failed when nobody takes pieces; its own error says why.
            if pieces.send(piece.bytes).await.is_err() {
                return Ok(());
            }
        }
    }
    .await;
    drop(pieces);
    let arriving = disk.await.map_err(|e| NodeError::Store(e.to_string()))??;
    network.map(|()| arriving)
}
