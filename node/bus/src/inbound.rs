//! The receiving side: one stream, one envelope. What is for this agency is opened before its receipt is given.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use chancery_certs::{AgencyName, PathReason, Scrutiny, SealError};
use chancery_crypto::{CHUNK_SIZE, ContentKey};
use chancery_protocol::{
    ContentInspection, EnvelopeHeader, EnvelopeId, Event, InboundDecision, InspectedContent, Leaf,
    LocalState, OpenedEnvelope, PeerMessage, ProtocolError, Receipt, Refusal, decide_offer,
    decode_frame, encode_frame, merkle,
};
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::{sync::Mutex, task::JoinSet};

use crate::opening::{index_opened, unwrap_opened};
use crate::{
    Bus, NodeError,
    clock::CLOCK_AGAIN,
    content::{Arriving, Ciphertext, Settled},
    directory::{DirectoryView, note_uncovered},
    endpoint::write,
    frames::{FrameBudget, FrameKind, read_frame},
    limits, relay, witness,
};
use chancery_ledger::{
    Commit, LedgerError, Outcome, receipt_key, records::EnvelopeRecord, unix_now,
};
use chancery_protocol::protocol_code;
use chancery_store::{Condition, Feed, Table, blocking, in_place};

/// How long a peer may take to say what it has to say next.
const PATIENCE: Duration = Duration::from_secs(30);
/// Seconds after which a sender asks again a node that does not relay for it yet.
const RELAY_AGAIN: u32 = 30;
/// Seconds after which a sender asks again a node that does not know yet whether its ledger is the newest, or knows that it is not.
const LEDGER_AGAIN: u32 = 30;
/// The largest piece of ciphertext that is taken from a stream at once, in bytes.
const PIECE: usize = 256 * 1024;
/// A content of so many bytes is opened in less time than another thread takes to stand in for this one.
const QUICK: usize = 64 * 1024;
/// The code of what is offered by somebody who is not on its way, as far as is known.
const STRANGER: &str = "CHY-5001";
/// The code of what has expired.
const EXPIRED: &str = "CHY-5003";
/// The QUIC application error code of a stream that was given up.
const GIVEN_UP: VarInt = VarInt::from_u32(1);

/// Uses a connection for both directions, whoever opened it.
pub(crate) fn adopt(bus: &Arc<Bus>, peer: AgencyName, connection: Connection) {
    bus.connections.put(peer.clone(), connection.clone());
    bus.handshakes().met(&peer, connection.remote_address(), Instant::now());
    // Whoever waits to reach it, or somebody below it, need not wait any longer.
    bus.arrivals.send_modify(|count| *count += 1);
    let mut serving = bus.serving.lock().unwrap_or_else(PoisonError::into_inner);
    while serving.try_join_next().is_some() {}
    serving.spawn(serve(bus.clone(), connection, peer));
}

/// Serves the streams that a peer opens, until the connection ends.
async fn serve(bus: Arc<Bus>, connection: Connection, peer: AgencyName) {
    let mut streams = JoinSet::new();
    let bounds = Bounds { frames: bus.frames.of(&peer), asking: Mutex::default() };
    let bounds = Arc::new(bounds);
    let mut stop = bus.stop.subscribe();
    loop {
        tokio::select! {
            accepted = connection.accept_bi() => match accepted {
                Ok((send, recv)) => {
                    let (bus, peer, bounds) = (bus.clone(), peer.clone(), bounds.clone());
                    let expected = bus.ledger.expect();
                    streams.spawn(async move {
                        let _expected = expected;
                        serve_stream(&bus, &peer, &bounds, send, recv).await;
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
    bus.connections.remove(&peer, &connection);
    // What has arrived whole is still committed and answered; the runtime bounds the wait.
    while streams.join_next().await.is_some() {}
}

/// What one connection may ask for at once.
struct Bounds {
    /// Bytes of frames in memory, of all the peer's connections.
    frames: Arc<FrameBudget>,
    /// Held while a question about the ledger is answered: proofs cost reads and hashes.
    asking: Mutex<()>,
}

async fn serve_stream(
    bus: &Arc<Bus>,
    peer: &AgencyName,
    bounds: &Bounds,
    mut send: SendStream,
    mut recv: RecvStream,
) {
    if let Err(error) = answer(bus, peer, bounds, &mut send, &mut recv).await {
        tracing::warn!(%peer, %error, code = error.code(), "an offer was not completed");
        // Either half may have ended by itself already; then there is nothing to give up.
        drop(send.reset(GIVEN_UP));
        drop(recv.stop(GIVEN_UP));
    }
}

async fn answer(
    bus: &Arc<Bus>,
    peer: &AgencyName,
    bounds: &Bounds,
    send: &mut SendStream,
    recv: &mut RecvStream,
) -> Result<(), NodeError> {
    let silent = |_| NodeError::Network { peer: peer.to_string(), why: "it fell silent".into() };
    let read = read_frame(recv, peer, FrameKind::Opening, &bounds.frames);
    let (body, permit) = tokio::time::timeout(PATIENCE, read).await.map_err(silent)??;
    let message = match decode_frame(&body) {
        // Its node is newer: it is told, and need not wonder.
        Err(error) if error.needs_newer() => {
            let refusal = refusal(protocol_code(&error), error.to_string(), None);
            return refuse(bus, peer, refusal, send).await;
        }
        message => message?,
    };
    let (envelope, content, recipient) = match message {
        PeerMessage::Offer { envelope, content, recipient } => (envelope, content, recipient),
        PeerMessage::AskDirectory { .. } | PeerMessage::AskGrowth { .. } | PeerMessage::AskSeen
            if bus.limits.offer(peer).is_err() =>
        {
            let why = "it asks more often than it may".to_owned();
            return Err(NodeError::Network { peer: peer.to_string(), why });
        }
        PeerMessage::AskDirectory { version, digest } => {
            drop((body, permit));
            let _one = bounds.asking.lock().await;
            let directory = bus.newer_directory(version, digest.as_ref());
            let size = directory.as_ref().map(|directory| directory.len() as u64);
            write(send, &encode_frame(&PeerMessage::Directory { size })?, peer).await?;
            if let Some(directory) = directory {
                let sent = tokio::time::timeout(PATIENCE, write(send, &directory, peer));
                sent.await.map_err(silent)??;
            }
            // Finishing fails only when the peer has gone, and then it will ask again.
            drop(send.finish());
            return Ok(());
        }
        PeerMessage::AskSeen => {
            drop((body, permit));
            let (work, asking) = (bus.clone(), peer.clone());
            let sealed = blocking(move || witness::newest_seen(&work, &asking)).await?;
            write(send, &encode_frame(&PeerMessage::Seen { sealed })?, peer).await?;
            // Finishing fails only when the peer has gone, and then it will ask again.
            drop(send.finish());
            return Ok(());
        }
        PeerMessage::AskGrowth { now, sizes } => {
            drop((body, permit));
            let _one = bounds.asking.lock().await;
            return witness::answer(bus, peer, now, sizes, &bounds.frames, send, recv).await;
        }
        _ => {
            let fault = chancery_protocol::MessageFault::StreamStart;
            return Err(chancery_protocol::ProtocolError::from(fault).into());
        }
    };
    drop(body);
    let offered = bus.limits.offer(peer);
    let offered = offered.and_then(|()| bus.refused.take(peer, Instant::now()));
    if let Err(refusal) = offered.and_then(|()| fit_ledger(bus)) {
        // Not one line for each: who offers too much is likely to go on with it.
        tracing::debug!(%peer, reason = refusal.reason, "offer put off");
        return refuse(bus, peer, refusal, send).await;
    }
    // What came along stays in memory until it is committed; without it, little does.
    let _permit = content.is_some().then_some(permit);
    let own = &bus.identity.agency;
    // What is for this very agency need not say so.
    let recipient = recipient.filter(|recipient| recipient != own);
    let message = match admit(bus, peer, &envelope, recipient.as_ref()) {
        Err((whose, refusal)) => {
            tracing::warn!(%peer, code = refusal.code, reason = refusal.reason, "offer refused");
            charge(bus, &whose, &refusal);
            return refuse(bus, peer, refusal, send).await;
        }
        Ok(opened) => {
            let id = opened.id;
            let sender = opened.header.sender.clone();
            let mut concluded = bus.concluded.subscribe();
            let transit = recipient.is_some();
            let offered = Offered { bus, peer, opened, envelope, transit };
            let content = content.map(serde_bytes::ByteBuf::into_vec);
            let taken = match offered.take(content, recipient.as_ref(), send, recv).await {
                // The disk is full, or the clock or the ledger was found wrong, meanwhile.
                Err(error) => match passes(&error) {
                    Some(refusal) => PeerMessage::Refuse(refusal),
                    None => return Err(error),
                },
                Ok(taken) => taken,
            };
            if let PeerMessage::Refuse(refusal) = &taken {
                charge(bus, &sender, refusal);
            }
            match (taken, &recipient) {
                (PeerMessage::Relayed { receipt }, Some(recipient)) => {
                    write(send, &encode_frame(&PeerMessage::Relayed { receipt })?, peer).await?;
                    match relay::outcome(bus, &id, recipient, &mut concluded).await? {
                        Some(outcome) => outcome,
                        None => {
                            drop(send.finish());
                            return Ok(());
                        }
                    }
                }
                (message, _) => message,
            }
        }
    };
    write(send, &encode_frame(&message)?, peer).await?;
    // Finishing fails only when the peer has gone, and then it will ask again.
    drop(send.finish());
    Ok(())
}

/// Tells a peer that its offer is not taken.
async fn refuse(
    bus: &Bus,
    peer: &AgencyName,
    refusal: Refusal,
    send: &mut SendStream,
) -> Result<(), NodeError> {
    bus.metrics.refused(&refusal.code);
    write(send, &encode_frame(&PeerMessage::Refuse(refusal))?, peer).await?;
    // Finishing fails only when the peer has gone, and then it will ask again.
    drop(send.finish());
    Ok(())
}

/// Nothing is taken while no true receipt can be given for it. It passes.
fn fit_ledger(bus: &Bus) -> Result<(), Refusal> {
    let fits = bus.ledger.continuity().check();
    let fits = fits.and_then(|()| bus.ledger.check_clock_for_others());
    fits.map_err(|error| {
        let error = NodeError::from(error);
        let other = || refusal("CHY-5000", error.to_string(), Some(LEDGER_AGAIN));
        passes(&error).unwrap_or_else(other)
    })
}

/// What a peer is told when this node cannot take anything for a reason that is its own, and passes: to come again.
fn passes(error: &NodeError) -> Option<Refusal> {
    match error {
        NodeError::Ledger(LedgerError::Clock { .. }) => {
            Some(refusal("CHY-5030", error.to_string(), Some(CLOCK_AGAIN)))
        }
        NodeError::Store(store) if store.is_passing() => Some(limits::full(error)),
        NodeError::Ledger(LedgerError::Behind(_) | LedgerError::Unheard(_)) => {
            Some(refusal("CHY-5041", error.to_string(), Some(LEDGER_AGAIN)))
        }
        _ => None,
    }
}

/// Counts what a refusal of something that somebody has sent costs him: a final one, and one for which he is no relay on the
/// way, which cost as much to find out. What has expired on its way is nobody's fault.
fn charge(bus: &Bus, whose: &AgencyName, refusal: &Refusal) {
    if (refusal.retry_after.is_none() || refusal.code == STRANGER) && refusal.code != EXPIRED {
        bus.refused.put(whose, Instant::now());
    }
}

fn refusal(code: &str, reason: impl Into<String>, retry_after: Option<u32>) -> Refusal {
    Refusal { code: code.into(), reason: reason.into(), retry_after }
}

/// Checks seal and policy of an offered envelope. What is refused is its sender's, or the peer's that had no business with
/// it.
fn admit(
    bus: &Bus,
    peer: &AgencyName,
    envelope: &[u8],
    recipient: Option<&AgencyName>,
) -> Result<OpenedEnvelope, (AgencyName, Refusal)> {
    let crls = bus.crls();
    let by = Scrutiny::by(&bus.identity.trust, &crls, unix_now());
    let opened = EnvelopeHeader::open(envelope, &by).map_err(|e| {
        let refusal = match e {
            ProtocolError::Seal(SealError::Path(path)) if path.reason == PathReason::Revoked => {
                refusal("CHY-5007", path.to_string(), None)
            }
            e => refusal(protocol_code(&e), e.to_string(), None),
        };
        (peer.clone(), refusal)
    })?;
    note_uncovered(opened.uncovered.as_deref());
    let sender = &opened.header.sender;
    // A relay answers for nobody but itself, and nobody for what others hand over.
    let within = match sender == peer {
        true => Ok(()),
        false => bus.refused.take(sender, Instant::now()),
    };
    match within.and_then(|()| may_enter(bus, peer, &opened, recipient)) {
        Ok(()) => Ok(opened),
        Err(refusal) if refusal.code == STRANGER => Err((peer.clone(), refusal)),
        Err(refusal) => Err((opened.header.sender, refusal)),
    }
}

/// Checks the policy for an envelope whose seal holds.
fn may_enter(
    bus: &Bus,
    peer: &AgencyName,
    opened: &OpenedEnvelope,
    recipient: Option<&AgencyName>,
) -> Result<(), Refusal> {
    let now = unix_now();
    let identity = &bus.identity;
    let header = &opened.header;
    let own = &identity.agency;
    let directory = bus.directory();
    let relay = bus.config.relay.as_ref();
    // By then it has been asked for.
    let again = bus.config.limits.witness_seconds.saturating_add(1);
    let directory_held = directory.as_deref().ok();
    on_the_way(own, relay, directory_held, peer, &header.sender)
        .map_err(|why| refusal(STRANGER, why, Some(again)))?;
    let to = recipient.unwrap_or(own);
    if !header.is_for(to) {
        let why = format!("it is not for {to}");
        return Err(refusal("CHY-5002", why, None));
    }
    if let Some(recipient) = recipient {
        // A directory that has not come yet may say otherwise: the sender tries again.
        let relays = directory.is_ok_and(|d| d.relays(own, &header.sender, recipient));
        if !relays {
            let why = format!("{own} does not relay from {} to {recipient}", header.sender);
            return Err(refusal("CHY-5008", why, Some(RELAY_AGAIN)));
        }
    }
    if header.expires < now {
        return Err(refusal(EXPIRED, "it has expired", None));
    }
    let limit = bus.config.limits.envelope_bytes;
    if header.size > limit {
        let why = format!("it has {} bytes; the limit here is {limit}", header.size);
        return Err(refusal("CHY-5004", why, None));
    }
    Ok(())
}

/// Whose an envelope is, its seal says; who hands it over must be on the way: its sender, a relay above one of the two, or the
/// superior that this node's own settings name. A directory that is old, has run out or is not there yet may not know the way,
/// so nobody is refused for good by it: the sender tries again, and meanwhile the directory comes from a peer that is connected.
fn on_the_way(
    own: &AgencyName,
    relay: Option<&AgencyName>,
    directory: Option<&DirectoryView>,
    peer: &AgencyName,
    sender: &AgencyName,
) -> Result<(), String> {
    let named = directory.is_some_and(|directory| directory.carries(own, peer, sender));
    if peer == sender || relay == Some(peer) || named {
        return Ok(());
    }
    let held = match directory {
        Some(directory) => format!("by directory {}, which is held here,", directory.version),
        None => "without a valid directory".to_owned(),
    };
    Err(format!("{peer} offers an envelope of {sender}, and {held} it is no relay on the way"))
}

/// Removes an envelope's claim when its stream ends, however it ends.
struct Claim<'a> {
    bus: &'a Bus,
    id: EnvelopeId,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.bus.release(&self.id);
    }
}

struct Offered<'a> {
    bus: &'a Arc<Bus>,
    peer: &'a AgencyName,
    opened: OpenedEnvelope,
    envelope: Vec<u8>,
    /// Whether it is to be carried on, and not for this agency.
    transit: bool,
}

impl Offered<'_> {
    fn leaf(&self) -> Leaf {
        let own = &self.bus.identity.agency;
        Leaf {
            event: match self.transit {
                true => Event::RelayAcceptance,
                false => Event::ContentConsignment,
            },
            envelope: self.opened.id,
            commitment: self.opened.header.commitment,
            counterpart: self.opened.header.sender.clone(),
            time: unix_now(),
            // What the recipient is told alone is receipted by its commitment.
            evidence: match self.transit {
                true => None,
                false => {
                    let part = self.opened.parts.of(&self.opened.header, own);
                    part.map(|part| part.commitment)
                }
            },
        }
    }

    /// Its size as it is counted.
    fn size(&self) -> i64 {
        i64::try_from(self.opened.header.size).unwrap_or(i64::MAX)
    }

    /// The receipt that was given for it before, if any.
    fn held(&self) -> Result<Option<Receipt>, NodeError> {
        Ok(self.bus.ledger.held_receipt(&receipt_key(&self.leaf()))?)
    }

    /// Takes the envelope, or says that it is here already.
    async fn take(
        self,
        inline: Option<Vec<u8>>,
        recipient: Option<&AgencyName>,
        send: &mut SendStream,
        recv: &mut RecvStream,
    ) -> Result<PeerMessage, NodeError> {
        let id = self.opened.id;
        // What is looked for is looked for under the claim, if it can be had: another stream may have finished just now.
        let claim = self.bus.claim(&id).then(|| Claim { bus: self.bus, id });
        // A record and its receipt are committed together, so what has no record has no receipt either.
        let there = EnvelopeRecord::get(&*self.bus.store, &id)?;
        if there.is_some()
            && let Some(answer) = self.answer_held(recipient)?
        {
            return Ok(answer);
        }
        let Some(_claim) = claim else {
            let why = "it is arriving on another stream";
            return Ok(PeerMessage::Refuse(refusal("CHY-5005", why, Some(1))));
        };
        let header = &self.opened.header;
        // What is only carried on cannot be opened here, and its receipt does not say that it was.
        let key = match self.transit {
            true => None,
            false => match unwrap_opened(self.bus, &self.opened) {
                Ok(key) => Some(key),
                Err(error) => return Ok(self.not_as_sealed(&error)),
            },
        };
        // It may be here for another reason: a relay can be a recipient, too.
        if let Some(record) = there.as_ref().filter(|record| !record.emptied()) {
            let in_file = record.in_file;
            return self.take_kept(there, key, in_file, recipient).await;
        }
        let room = self.bus.limits.admit(self.bus, self.peer, &header.sender, header.size);
        let _room = match room {
            Ok(room) => room,
            Err(refusal) => {
                tracing::warn!(
                    peer = %self.peer, code = refusal.code, reason = refusal.reason, "offer put off"
                );
                self.bus.metrics.refused(&refusal.code);
                return Ok(PeerMessage::Refuse(refusal));
            }
        };
        if let Some(content) = inline {
            return self.take_inline(there, key, content, recipient).await;
        }
        if self.bus.content.has_whole(&id) {
            // It arrived whole, and the node stopped before it could commit.
            return self.take_kept(there, key, true, recipient).await;
        }
        let (header, files) = (self.opened.header.clone(), self.bus.content.clone());
        let begin = self.inspection(key);
        let arriving = blocking(move || files.arrive(&id, &header, begin)).await?;
        let state = match arriving.chunks() {
            0 => LocalState::Unknown,
            chunks => LocalState::Partial(chunks),
        };
        let InboundDecision::Receive(want, from) = decide_offer(state, false) else {
            return Err(NodeError::damaged("an offer cannot be decided"));
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
        let files = self.bus.content.clone();
        match blocking(move || files.settle(arriving, &id, &header)).await? {
            Settled::Whole(inspected) => self.commit(there, None, inspected, recipient).await,
            // What was resumed may have been torn here, by a power cut: start afresh before the
            // sender is blamed.
            Settled::OtherRoot => Ok(mismatch((from > 0).then_some(1))),
            Settled::Wrong(error) => Ok(self.not_as_sealed(&error)),
        }
    }

    /// How to begin looking into the content, if there is a key to it.
    fn inspection(
        &self,
        key: Option<ContentKey>,
    ) -> Option<impl Fn() -> Result<ContentInspection, ProtocolError> + Send + 'static> {
        let (header, own) = (self.opened.header.clone(), self.bus.identity.agency.clone());
        key.map(|key| move || ContentInspection::new(&key, header.clone(), &own))
    }

    /// The answer when what was sealed does not open here, or is something else than its envelope says: no receipt may say
    /// that it came. It is for good, as nothing else can be in the same envelope. Every such refusal goes through here.
    fn not_as_sealed(&self, error: &ProtocolError) -> PeerMessage {
        let refusal = refusal("CHY-5040", error.to_string(), None);
        tracing::warn!(
            envelope = %self.opened.id, peer = %self.peer, sender = %self.opened.header.sender,
            code = refusal.code, why = protocol_code(error), reason = refusal.reason,
            "a content is not what its envelope says; it is refused"
        );
        self.bus.metrics.refused(&refusal.code);
        PeerMessage::Refuse(refusal)
    }

    /// Takes what is on the disk already.
    async fn take_kept(
        self,
        there: Option<EnvelopeRecord>,
        key: Option<ContentKey>,
        in_file: bool,
        recipient: Option<&AgencyName>,
    ) -> Result<PeerMessage, NodeError> {
        let Some(begin) = self.inspection(key) else {
            return self.commit(there, None, None, recipient).await;
        };
        let (id, bus, size) = (self.opened.id, self.bus.clone(), self.opened.header.size);
        let inspected = blocking(move || -> Result<_, NodeError> {
            let mut cipher: Ciphertext = bus.content.read(&*bus.store, &id, in_file)?;
            let mut inspection = begin()?;
            for index in 0..size.div_ceil(CHUNK_SIZE as u64) {
                if let Err(error) = inspection.push(&cipher.chunk(index, size)?) {
                    return Ok(Err(error));
                }
            }
            Ok(inspection.finish())
        });
        match inspected.await? {
            Ok(inspected) => self.commit(there, None, Some(inspected), recipient).await,
            Err(error) => {
                if there.is_none() {
                    // Nothing speaks of it.
                    let files = self.bus.content.clone();
                    blocking(move || files.remove(&id)).await?;
                }
                Ok(self.not_as_sealed(&error))
            }
        }
    }

    /// The answer when it is here already, unless its content is needed again to be carried on.
    fn answer_held(
        &self,
        recipient: Option<&AgencyName>,
    ) -> Result<Option<PeerMessage>, NodeError> {
        let Some(receipt) = self.held()? else { return Ok(None) };
        let Some(recipient) = recipient else { return Ok(Some(PeerMessage::Have { receipt })) };
        let carried = in_place(|here| relay::carry_on(here, self.bus, &self.opened, recipient))?;
        Ok(carried.then_some(PeerMessage::Relayed { receipt }))
    }

    async fn take_inline(
        self,
        there: Option<EnvelopeRecord>,
        key: Option<ContentKey>,
        content: Vec<u8>,
        recipient: Option<&AgencyName>,
    ) -> Result<PeerMessage, NodeError> {
        let (size, root) = (self.opened.header.size, self.opened.header.root);
        let begin = self.inspection(key);
        let look = move || -> Result<_, NodeError> {
            let mut tree = merkle::CompactRange::default();
            content.chunks(CHUNK_SIZE).for_each(|chunk| tree.push(merkle::leaf_hash(chunk)));
            if content.len() as u64 != size || tree.root() != root {
                return Ok(None);
            }
            let Some(begin) = begin else { return Ok(Some((content, Ok(None)))) };
            let mut inspection = begin()?;
            let opened = content.chunks(CHUNK_SIZE).try_for_each(|chunk| inspection.push(chunk));
            let inspected = opened.and_then(|()| inspection.finish()).map(Some);
            Ok(Some((content, inspected)))
        };
        let looked = match size <= QUICK as u64 {
            true => look(),
            false => blocking(look).await,
        };
        match looked? {
            None => Ok(mismatch(None)),
            Some((content, Ok(inspected))) => {
                self.commit(there, Some(content), inspected, recipient).await
            }
            Some((_, Err(error))) => Ok(self.not_as_sealed(&error)),
        }
    }

    /// Makes envelope, content and ledger entry durable together, and the way on with it. `there` is what the
    /// store had when the envelope was claimed, since when nobody else may add to it. Without `inspected`, nothing says
    /// that it was opened: it can only be carried on.
    async fn commit(
        self,
        there: Option<EnvelopeRecord>,
        inline: Option<Vec<u8>>,
        inspected: Option<InspectedContent>,
        recipient: Option<&AgencyName>,
    ) -> Result<PeerMessage, NodeError> {
        let id = self.opened.id;
        let leaf = self.leaf();
        let mut commit = Commit {
            conditions: vec![Condition::absent(Table::Receipts, receipt_key(&leaf))],
            leaves: vec![leaf],
            patient: true,
            ..Commit::default()
        };
        if let Some(recipient) = recipient
            && there.is_some()
            && let Some(receipt) = self.held()?
        {
            // Only its content had gone, once it was with everybody else.
            in_place(|here| relay::refill(here, self.bus, &self.opened, recipient, inline))?;
            self.bus.limits.carry(&self.opened.header.sender, self.size());
            return Ok(PeerMessage::Relayed { receipt });
        }
        let (sender, size) = (&self.opened.header.sender, self.size());
        let was_carried = there.as_ref().is_some_and(|there| there.transit);
        if !self.transit {
            commit.stored.push((sender.clone(), size));
        }
        if there.as_ref().is_none_or(|there| there.transit) {
            if let Some(there) = &there {
                commit.batch.delete(Table::Journal, there.journal_key(&id));
            }
            let record = EnvelopeRecord {
                sealed: self.envelope.clone(),
                incoming: true,
                time: self.bus.micros(),
                in_file: inline.is_none(),
                own_key: None,
                purged: None,
                transit: self.transit,
            };
            record.put(&id, &mut commit.batch)?;
        }
        match &inspected {
            Some(inspected) => index_opened(&mut commit.batch, &id, &inspected.document),
            None if self.transit => {}
            None => return Err(NodeError::damaged(format!("envelope {id} was not opened"))),
        }
        if let Some(recipient) = recipient {
            relay::begin(self.bus, &mut commit.batch, &id, recipient)?;
        }
        if let Some(content) = inline {
            commit.batch.put(Table::Content, *id.digest().as_bytes(), content);
        }
        match self.bus.ledger.commit(commit).await? {
            Outcome::Committed(receipts) => {
                self.bus.metrics.received(&self.opened.header);
                match (was_carried, self.transit) {
                    (false, true) if there.is_none() => self.bus.limits.carry(sender, size),
                    // It is counted as kept from now on.
                    (true, false) => self.bus.limits.carry(sender, -size),
                    _ => {}
                }
                let receipt = receipts.into_iter().next();
                let receipt =
                    receipt.ok_or_else(|| NodeError::damaged("a commit gave no receipt"))?;
                let Some(recipient) = recipient else {
                    tracing::info!(envelope = %id, peer = %self.peer, entry = receipt.index, "received");
                    return Ok(PeerMessage::Evidence { receipt });
                };
                tracing::info!(envelope = %id, peer = %self.peer, %recipient, "taken for relaying");
                let urgency = self.opened.header.urgency;
                self.bus.outbound.enqueue(id, recipient.clone(), urgency);
                Ok(PeerMessage::Relayed { receipt })
            }
            Outcome::Stale(..) => match self.answer_held(recipient)? {
                Some(answer) => Ok(answer),
                None => Err(NodeError::damaged(format!("envelope {id} has no receipt"))),
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
    arriving: Arriving,
    recv: &mut RecvStream,
    peer: &AgencyName,
) -> Result<Arriving, NodeError> {
    let failed = |why: String| NodeError::Network { peer: peer.to_string(), why };
    let mut feed = Feed::new(arriving, Arriving::push);
    let network = async {
        loop {
            let piece = tokio::time::timeout(PATIENCE, recv.read_chunk(PIECE, true)).await;
            let piece = piece.map_err(|_| failed("it fell silent".into()))?;
            let Some(piece) = piece.map_err(|e| failed(e.to_string()))? else { return Ok(()) };
            feed.push(piece.bytes).await?;
        }
    }
    .await;
    // Also what came before the network failed is kept, to be resumed.
    let arriving = feed.finish().await;
    network.and(arriving)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AgencyName {
        text.parse().expect("a name")
    }

    #[test]
    fn whoever_is_no_relay_by_what_is_held_here_is_put_off_and_not_refused_for_good() {
        let (own, sender) = (name("tz.zj.cn"), name("hz.zj.cn"));
        let view = crate::directory::tests::view(&[
            ("zj.cn", None),
            ("hz.zj.cn", Some("zj.cn")),
            ("tz.zj.cn", Some("zj.cn")),
        ]);
        // Before the registrar has added the recipient, and its relay.
        let old = crate::directory::tests::view(&[("hz.zj.cn", None)]);
        let way = |relay: Option<&str>, directory, peer: &str| {
            on_the_way(&own, relay.map(name).as_ref(), directory, &name(peer), &sender)
        };
        for directory in [Some(&view), Some(&old), None] {
            way(None, directory, "hz.zj.cn").expect("its sender");
            way(Some("zj.cn"), directory, "zj.cn").expect("its own relay, which its settings name");
            let why = way(None, directory, "evil.cn").expect_err("a stranger");
            assert!(why.contains("evil.cn offers an envelope of hz.zj.cn"), "{why}");
            let why = way(Some("other.cn"), directory, "evil.cn").expect_err("a stranger");
            assert!(why.contains("no relay on the way"), "{why}");
        }
        way(None, Some(&view), "zj.cn").expect("the directory names it");
        let why = way(None, Some(&old), "zj.cn").expect_err("not by this one");
        assert!(why.contains("directory 1"), "{why}");
        assert!(
            way(None, None, "zj.cn").expect_err("unknown").contains("without a valid directory")
        );
    }

    #[test]
    fn what_passes_is_told_to_come_again() {
        let clock =
            LedgerError::Clock { own: "1".into(), others: "2".into(), who: "3".into() }.into();
        for (error, code) in [
            (chancery_store::StoreError::Full("x".into()).into(), "CHY-5012"),
            (LedgerError::Behind("x".into()).into(), "CHY-5041"),
            (LedgerError::Unheard("x".into()).into(), "CHY-5041"),
            (clock, "CHY-5030"),
        ] {
            let refusal = passes(&error).expect("it passes");
            assert_eq!(refusal.code, code);
            assert!(refusal.retry_after.is_some_and(|seconds| seconds > 0), "{refusal:?}");
        }
        assert!(passes(&NodeError::damaged("x")).is_none());
    }
}
