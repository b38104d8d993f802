//! The receiving side: one stream, one envelope. What is for this agency is opened before its receipt is given.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use chancery_certs::{AgencyName, PathReason, Scrutiny, SealError};
use chancery_crypto::{CHUNK_SIZE, ContentKey};
use chancery_protocol::{
    Arrived, Checked, ContentInspection, Entrance, EnvelopeHeader, EnvelopeId, Event, Holding,
    Inbound, InboundAnswer, InboundFact, InboundStep, InspectedContent, Leaf, MessageFault,
    OpenedEnvelope, PeerMessage, ProtocolError, Receipt, Refusal, Rejection, decode_frame,
    encode_frame, merkle,
};
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::{sync::Mutex, task::JoinSet};

use crate::opening::unwrap_opened;
use crate::{
    Bus, NodeError,
    content::{Arriving, Ciphertext, Settled},
    directory::note_uncovered,
    endpoint::write,
    frames::{FrameBudget, FrameKind, read_frame},
    limits, relay, witness,
};
use chancery_ledger::{
    Commit, LedgerError, Outcome, receipt_key, records::EnvelopeRecord, unix_now,
};
use chancery_store::{Blocking, Condition, Feed, Table, blocking, in_place};

/// How long a peer may take to say what it has to say next.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest piece of ciphertext that is taken from a stream at once, in bytes.
const PIECE: usize = 256 * 1024;
/// A content of so many bytes is opened in less time than another thread takes to stand in for this one.
const QUICK: usize = 64 * 1024;
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
            return refuse(bus, peer, Rejection::Unacceptable(error).refusal(), send).await;
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
            let sealed = blocking(move |_| witness::newest_seen(&work, &asking)).await?;
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
            return Err(ProtocolError::from(MessageFault::StreamStart).into());
        }
    };
    drop(body);
    let offered = bus.limits.offer(peer);
    let offered = offered.and_then(|()| bus.refused.take(peer, Instant::now()));
    if let Err(rejection) = offered.and_then(|()| fit_ledger(bus)) {
        // Not one line for each: who offers too much is likely to go on with it.
        tracing::debug!(%peer, reason = %rejection, "offer put off");
        return refuse(bus, peer, rejection.refusal(), send).await;
    }
    // What came along stays in memory until it is committed; without it, little does.
    let _permit = content.is_some().then_some(permit);
    let own = &bus.identity.agency;
    // What is for this very agency need not say so.
    let recipient = recipient.filter(|recipient| recipient != own);
    let message = match admit(bus, peer, &envelope, recipient.as_ref()) {
        Err((whose, rejection)) => {
            tracing::warn!(%peer, code = rejection.code(), reason = %rejection, "offer refused");
            charge(bus, &whose, &rejection);
            return refuse(bus, peer, rejection.refusal(), send).await;
        }
        Ok(opened) => {
            let id = opened.id;
            let mut concluded = bus.concluded.subscribe();
            let offered = Offered { bus, peer, opened, envelope, recipient: recipient.as_ref() };
            let content = content.map(serde_bytes::ByteBuf::into_vec);
            let taken = offered.take(content, send, recv).await?;
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
fn fit_ledger(bus: &Bus) -> Result<(), Rejection> {
    let fits = bus.ledger.continuity().check();
    let fits = fits.and_then(|()| bus.ledger.check_clock_for_others());
    fits.map_err(|error| {
        let error = NodeError::from(error);
        passes(&error).unwrap_or_else(|| Rejection::Ledger(error.to_string()))
    })
}

/// What a peer is told when this node cannot take anything for a reason that is its own, and passes: to come again.
fn passes(error: &NodeError) -> Option<Rejection> {
    match error {
        NodeError::Ledger(LedgerError::Clock { .. }) => Some(Rejection::Clock(error.to_string())),
        NodeError::Store(store) if store.is_passing() => Some(limits::full(error)),
        NodeError::Ledger(LedgerError::Behind(_) | LedgerError::Unheard(_)) => {
            Some(Rejection::Ledger(error.to_string()))
        }
        _ => None,
    }
}

/// Counts what a refusal of something that somebody has sent costs him.
fn charge(bus: &Bus, whose: &AgencyName, rejection: &Rejection) {
    if rejection.is_charged() {
        bus.refused.put(whose, Instant::now());
    }
}

/// Checks seal and policy of an offered envelope. What is refused is its sender's, or the peer's that had no business with
/// it.
fn admit(
    bus: &Bus,
    peer: &AgencyName,
    envelope: &[u8],
    recipient: Option<&AgencyName>,
) -> Result<OpenedEnvelope, (AgencyName, Rejection)> {
    let crls = bus.crls();
    let by = Scrutiny::by(&bus.identity.trust, &crls, unix_now());
    let opened = EnvelopeHeader::open(envelope, &by).map_err(|e| {
        let rejection = match e {
            ProtocolError::Seal(SealError::Path(path)) if path.reason == PathReason::Revoked => {
                Rejection::Revoked(path)
            }
            e => Rejection::Unacceptable(e),
        };
        (peer.clone(), rejection)
    })?;
    note_uncovered(opened.uncovered.as_deref());
    let sender = &opened.header.sender;
    // A relay answers for nobody but itself, and nobody for what others hand over.
    let within = match sender == peer {
        true => Ok(()),
        false => bus.refused.take(sender, Instant::now()),
    };
    let directory = bus.directory().ok();
    let entrance = Entrance {
        own: &bus.identity.agency,
        peer,
        superior: bus.config.relay.as_ref(),
        directory: directory.as_deref().map(|directory| (directory.version, directory.routes())),
        recipient,
        limit: bus.config.limits.envelope_bytes,
        // By then it has been asked for.
        directory_again: bus.config.limits.witness_seconds.saturating_add(1),
    };
    match within.and_then(|()| entrance.check(&opened.header)) {
        Ok(()) => Ok(opened),
        Err(rejection @ Rejection::Stranger { .. }) => Err((peer.clone(), rejection)),
        Err(rejection) => Err((opened.header.sender, rejection)),
    }
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

/// An offer that was let in. What becomes of it is decided in [`Inbound`]; here the facts are found out, and the steps done.
struct Offered<'a> {
    bus: &'a Arc<Bus>,
    peer: &'a AgencyName,
    opened: OpenedEnvelope,
    envelope: Vec<u8>,
    /// For whom it is to be carried on, when it is not for this agency.
    recipient: Option<&'a AgencyName>,
}

/// What the steps done so far leave for later ones.
#[derive(Default)]
struct SoFar<'a> {
    claim: Option<Claim<'a>>,
    /// The record when the envelope was claimed, since when nobody else may add to it.
    there: Option<EnvelopeRecord>,
    /// Bytes that are kept of its sender.
    stored: u64,
    key: Option<ContentKey>,
    room: Option<limits::Arriving>,
    /// What came along.
    inline: Option<Vec<u8>>,
    arriving: Option<Arriving>,
    inspected: Option<InspectedContent>,
    /// The receipt that was given, before or now.
    receipt: Option<Receipt>,
}

impl<'a> Offered<'a> {
    fn transit(&self) -> bool {
        self.recipient.is_some()
    }

    fn leaf(&self) -> Leaf {
        let own = &self.bus.identity.agency;
        Leaf {
            event: match self.transit() {
                true => Event::RelayAcceptance,
                false => Event::ContentConsignment,
            },
            envelope: self.opened.id,
            commitment: self.opened.header.commitment,
            counterpart: self.opened.header.sender.clone(),
            time: unix_now(),
            // What the recipient is told alone is receipted by its commitment.
            evidence: match self.transit() {
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

    /// Takes the envelope, or says that it is here already, or why it is not taken.
    async fn take(
        &self,
        inline: Option<Vec<u8>>,
        send: &mut SendStream,
        recv: &mut RecvStream,
    ) -> Result<PeerMessage, NodeError> {
        let expired = self.opened.header.expires < unix_now();
        let mut inbound = Inbound::new(self.transit(), inline.is_some(), expired);
        let mut so_far = SoFar { inline, ..SoFar::default() };
        let mut step = inbound.begin();
        loop {
            let fact = match step {
                InboundStep::Say(answer) => return self.say(answer, so_far),
                step => self.carry_out(step, &mut so_far, send, recv).await,
            };
            let fact = match fact {
                Ok(fact) => fact,
                // The disk is full, or the clock or the ledger was found wrong, meanwhile.
                Err(error) => match passes(&error) {
                    Some(rejection) => return self.say(InboundAnswer::Refuse(rejection), so_far),
                    None => return Err(error),
                },
            };
            step = inbound.next(fact)?;
        }
    }

    async fn carry_out(
        &self,
        step: InboundStep,
        so_far: &mut SoFar<'a>,
        send: &mut SendStream,
        recv: &mut RecvStream,
    ) -> Result<InboundFact, NodeError> {
        let (id, header, bus) = (self.opened.id, &self.opened.header, self.bus);
        Ok(match step {
            InboundStep::Look => bus.store.briefly(|here| self.look(here, so_far))?,
            InboundStep::Unwrap => match unwrap_opened(bus, &self.opened) {
                Ok(key) => {
                    so_far.key = Some(key);
                    InboundFact::Unwrapped(Ok(()))
                }
                Err(error) => InboundFact::Unwrapped(Err(error)),
            },
            InboundStep::CarryOn => {
                let recipient = self.towards()?;
                let on = |here: &Blocking| relay::carry_on(here, bus, &self.opened, recipient);
                InboundFact::CarriedOn(in_place(on)?)
            }
            InboundStep::MakeRoom => {
                let (sender, size) = (&header.sender, header.size);
                let room = bus.limits.admit(bus, self.peer, sender, so_far.stored, size);
                InboundFact::Room(room.map(|room| so_far.room = Some(room)))
            }
            InboundStep::CheckInline => self.check_inline(so_far).await?,
            InboundStep::Find => {
                let (header, files) = (header.clone(), bus.content.clone());
                let key = so_far.key.clone();
                let begin = self.inspection(key);
                let arriving = blocking(move |_| -> Result<_, NodeError> {
                    // It arrived whole, and the node stopped before it could commit.
                    if files.has_whole(&id)? {
                        return Ok(None);
                    }
                    files.arrive(&id, &header, begin).map(Some)
                });
                match arriving.await? {
                    None => InboundFact::Found(Arrived::Whole),
                    Some(arriving) => {
                        let chunks = arriving.chunks();
                        so_far.arriving = Some(arriving);
                        InboundFact::Found(Arrived::Chunks(chunks))
                    }
                }
            }
            InboundStep::Receive { from } => self.receive(from, so_far, send, recv).await?,
            InboundStep::CheckKept => self.check_kept(so_far).await?,
            InboundStep::Discard => {
                let files = bus.content.clone();
                blocking(move |_| files.remove(&id)).await?;
                InboundFact::Discarded
            }
            InboundStep::Commit => InboundFact::Committed(self.commit(so_far).await?),
            InboundStep::Refill => {
                let (recipient, inline) = (self.towards()?, so_far.inline.take());
                in_place(|here| relay::refill(here, bus, &self.opened, recipient, inline))?;
                bus.limits.carry(&header.sender, self.size());
                InboundFact::Refilled
            }
            InboundStep::Say(_) => return Err(NodeError::damaged("an answer is no step")),
        })
    }

    fn towards(&self) -> Result<&'a AgencyName, NodeError> {
        self.recipient.ok_or_else(|| NodeError::damaged("what is for this agency is carried on"))
    }

    /// What is looked for is looked for under the claim, if it can be had: another stream may have finished just now.
    fn look(&self, here: &Blocking, so_far: &mut SoFar<'a>) -> Result<InboundFact, NodeError> {
        let (bus, id): (&'a Arc<Bus>, _) = (self.bus, self.opened.id);
        so_far.claim = bus.claim(&id).then(|| Claim { bus, id });
        so_far.there = EnvelopeRecord::get(bus.store.on(here), &id)?;
        // A record and its receipt are committed together, so what has no record has no receipt either.
        if so_far.there.is_some() {
            so_far.receipt = bus.ledger.held_receipt(here, &receipt_key(&self.leaf()))?;
        }
        so_far.stored = bus.ledger.view(here).stored_of(&self.opened.header.sender)?;
        let there = so_far.there.as_ref();
        let holding = Holding {
            record: there.is_some(),
            // It may be here for another reason: a relay can be a recipient, too.
            content: there.is_some_and(|record| !record.emptied()),
            receipt: so_far.receipt.is_some(),
        };
        Ok(InboundFact::Looked { claimed: so_far.claim.is_some(), holding })
    }

    /// How to begin looking into the content, if there is a key to it.
    fn inspection(
        &self,
        key: Option<ContentKey>,
    ) -> Option<impl Fn() -> Result<ContentInspection, ProtocolError> + Send + 'static> {
        let (header, own) = (self.opened.header.clone(), self.bus.identity.agency.clone());
        key.map(|key| move || ContentInspection::new(&key, header.clone(), &own))
    }

    /// Takes in what has not arrived yet.
    async fn receive(
        &self,
        from: u64,
        so_far: &mut SoFar<'a>,
        send: &mut SendStream,
        recv: &mut RecvStream,
    ) -> Result<InboundFact, NodeError> {
        let id = self.opened.id;
        let arriving = so_far.arriving.take();
        let arriving = arriving.ok_or_else(|| NodeError::damaged("nothing is arriving"))?;
        if from > 0 {
            tracing::info!(envelope = %id, peer = %self.peer, from, "resuming an envelope");
        }
        let want = PeerMessage::Want { from_chunk: from };
        write(send, &encode_frame(&want)?, self.peer).await?;
        let arriving = receive(arriving, recv, self.peer).await?;
        if !arriving.is_whole() {
            let why = format!("the stream ended after {} chunks", arriving.chunks());
            return Err(NodeError::Network { peer: self.peer.to_string(), why });
        }
        let (header, files) = (self.opened.header.clone(), self.bus.content.clone());
        let settled = blocking(move |_| files.settle(arriving, &id, &header)).await?;
        Ok(InboundFact::Checked(match settled {
            Settled::Whole(inspected) => {
                so_far.inspected = inspected;
                Checked::Sound
            }
            Settled::OtherRoot => Checked::OtherRoot,
            Settled::Wrong(error) => Checked::NotAsSealed(error),
        }))
    }

    /// Opens what is on the disk already.
    async fn check_kept(&self, so_far: &mut SoFar<'a>) -> Result<InboundFact, NodeError> {
        let Some(begin) = self.inspection(so_far.key.take()) else {
            return Ok(InboundFact::Checked(Checked::Sound));
        };
        let kept = so_far.there.as_ref().filter(|record| !record.emptied());
        // Without a record, it is what arrived whole.
        let in_file = kept.is_none_or(|record| record.in_file);
        let (id, bus, size) = (self.opened.id, self.bus.clone(), self.opened.header.size);
        let inspected = blocking(move |here| -> Result<_, NodeError> {
            let mut cipher: Ciphertext = bus.content.read(bus.store.on(here), &id, in_file)?;
            let mut inspection = begin()?;
            for index in 0..size.div_ceil(CHUNK_SIZE as u64) {
                if let Err(error) = inspection.push(&cipher.chunk(index, size)?) {
                    return Ok(Err(error));
                }
            }
            Ok(inspection.finish())
        });
        Ok(InboundFact::Checked(match inspected.await? {
            Ok(inspected) => {
                so_far.inspected = Some(inspected);
                Checked::Sound
            }
            Err(error) => Checked::NotAsSealed(error),
        }))
    }

    /// Compares what came along with the sealed root, and opens it.
    async fn check_inline(&self, so_far: &mut SoFar<'a>) -> Result<InboundFact, NodeError> {
        let (size, root) = (self.opened.header.size, self.opened.header.root);
        let begin = self.inspection(so_far.key.take());
        let content = so_far.inline.take();
        let content = content.ok_or_else(|| NodeError::damaged("nothing came along"))?;
        let look = move || -> Result<_, NodeError> {
            let mut tree = merkle::CompactRange::default();
            content.chunks(CHUNK_SIZE).for_each(|chunk| tree.push(merkle::leaf_hash(chunk)));
            if content.len() as u64 != size || tree.root() != root {
                return Ok((content, Err(Checked::OtherRoot)));
            }
            let Some(begin) = begin else { return Ok((content, Ok(None))) };
            let mut inspection = begin()?;
            let opened = content.chunks(CHUNK_SIZE).try_for_each(|chunk| inspection.push(chunk));
            let inspected = opened.and_then(|()| inspection.finish()).map(Some);
            Ok((content, inspected.map_err(Checked::NotAsSealed)))
        };
        let (content, looked) = match size <= QUICK as u64 {
            true => look(),
            false => blocking(move |_| look()).await,
        }?;
        Ok(InboundFact::Checked(match looked {
            Ok(inspected) => {
                (so_far.inline, so_far.inspected) = (Some(content), inspected);
                Checked::Sound
            }
            Err(checked) => checked,
        }))
    }

    /// Makes envelope, content and ledger entry durable together, and the way on with it. Gives whether it did: not so when
    /// there is an entry.
    async fn commit(&self, so_far: &mut SoFar<'a>) -> Result<bool, NodeError> {
        let (id, there, transit) = (self.opened.id, so_far.there.as_ref(), self.transit());
        let leaf = self.leaf();
        let mut commit = Commit {
            conditions: vec![Condition::absent(Table::Receipts, receipt_key(&leaf))],
            leaves: vec![leaf],
            patient: true,
            ..Commit::default()
        };
        let (sender, size) = (&self.opened.header.sender, self.size());
        let was_carried = there.is_some_and(|there| there.transit);
        if !transit {
            commit.stored.push((sender.clone(), size));
        }
        let inline = so_far.inline.take();
        // What is there stands in the order of what came since then.
        let kept = there.filter(|there| !there.transit).map(|there| there.time);
        let time = kept.unwrap_or_else(|| self.bus.micros());
        if kept.is_none() {
            if let Some(there) = there {
                commit.batch.delete(Table::Journal, there.journal_key(&id));
            }
            let record = EnvelopeRecord {
                sealed: self.envelope.clone(),
                incoming: true,
                time,
                in_file: inline.is_none(),
                own_key: None,
                purged: None,
                transit,
            };
            record.put(&id, &mut commit.batch)?;
        }
        match &so_far.inspected {
            Some(inspected) => {
                self.bus.indexer.arrived(&id, &inspected.document, time, &mut commit.batch);
            }
            None if transit => {}
            // Without that, nothing says that it was opened: it can only be carried on.
            None => return Err(NodeError::damaged(format!("envelope {id} was not opened"))),
        }
        if let Some(recipient) = self.recipient {
            relay::begin(self.bus, &mut commit.batch, &id, recipient)?;
        }
        if let Some(content) = inline {
            commit.batch.put(Table::Content, *id.digest().as_bytes(), content);
        }
        let receipts = match self.bus.ledger.commit(commit).await? {
            Outcome::Committed(receipts) => receipts,
            Outcome::Stale(..) => {
                let key = receipt_key(&self.leaf());
                let held = in_place(|here| self.bus.ledger.held_receipt(here, &key))?;
                so_far.receipt = held;
                return Ok(false);
            }
        };
        self.bus.metrics.received(&self.opened.header);
        match (was_carried, transit) {
            (false, true) if there.is_none() => self.bus.limits.carry(sender, size),
            // It is counted as kept from now on.
            (true, false) => self.bus.limits.carry(sender, -size),
            _ => {}
        }
        let receipt = receipts.into_iter().next();
        let receipt = receipt.ok_or_else(|| NodeError::damaged("a commit gave no receipt"))?;
        match self.recipient {
            None => {
                tracing::info!(envelope = %id, peer = %self.peer, entry = receipt.index, "received");
            }
            Some(recipient) => {
                tracing::info!(envelope = %id, peer = %self.peer, %recipient, "taken for relaying");
                let urgency = self.opened.header.urgency;
                self.bus.outbound.enqueue(id, recipient.clone(), urgency);
            }
        }
        so_far.receipt = Some(receipt);
        Ok(true)
    }

    /// What the peer is told.
    fn say(&self, answer: InboundAnswer, so_far: SoFar<'a>) -> Result<PeerMessage, NodeError> {
        let id = self.opened.id;
        let receipt = || {
            let lost = || NodeError::damaged(format!("envelope {id} has no receipt"));
            so_far.receipt.ok_or_else(lost)
        };
        Ok(match answer {
            InboundAnswer::Have => PeerMessage::Have { receipt: receipt()? },
            InboundAnswer::Evidence => PeerMessage::Evidence { receipt: receipt()? },
            InboundAnswer::Relayed => PeerMessage::Relayed { receipt: receipt()? },
            InboundAnswer::Refuse(rejection) => {
                let sender = &self.opened.header.sender;
                if let Rejection::NotAsSealed(error) = &rejection {
                    tracing::warn!(
                        envelope = %id, peer = %self.peer, %sender, code = rejection.code(),
                        why = chancery_protocol::protocol_code(error), reason = %rejection,
                        "a content is not what its envelope says; it is refused"
                    );
                } else {
                    tracing::info!(
                        envelope = %id, peer = %self.peer, %sender, code = rejection.code(),
                        reason = %rejection, "an offer is not taken"
                    );
                }
                self.bus.metrics.refused(rejection.code());
                charge(self.bus, sender, &rejection);
                PeerMessage::Refuse(rejection.refusal())
            }
        })
    }
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

    use chancery_test_domain::Domain;

    use crate::testing::{bus, name, sealed};

    /// Who is charged with what an offer was refused for.
    fn refused(
        bus: &Bus,
        peer: &str,
        envelope: &[u8],
        recipient: Option<&str>,
    ) -> Option<(String, &'static str)> {
        let recipient = recipient.map(name);
        let admitted = admit(bus, &name(peer), envelope, recipient.as_ref());
        admitted.err().map(|(whose, rejection)| (whose.to_string(), rejection.code()))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_offer_is_let_in_or_charged_to_whose_fault_it_is() {
        let below = Some("r.cn");
        let domain =
            Domain::new(&[("r.cn", None), ("x.r.cn", below), ("a.cn", None), ("b.cn", None)]);
        let bus = bus(&domain, "r.cn");
        let whose = |agency: &str, code: &'static str| Some((agency.to_owned(), code));
        let ours = sealed(&domain, "a.cn", &["r.cn"], |_| {}).bytes;
        assert_eq!(refused(&bus, "a.cn", &ours, None), None);
        assert_eq!(refused(&bus, "b.cn", &ours, None), whose("b.cn", "CHY-5001"));
        let other = sealed(&domain, "a.cn", &["b.cn"], |_| {}).bytes;
        assert_eq!(refused(&bus, "a.cn", &other, None), whose("a.cn", "CHY-5002"));
        assert_eq!(refused(&bus, "a.cn", &other, Some("b.cn")), whose("a.cn", "CHY-5008"));
        let down = sealed(&domain, "a.cn", &["x.r.cn"], |_| {}).bytes;
        assert_eq!(refused(&bus, "a.cn", &down, Some("x.r.cn")), None);
        let limit = bus.config.limits.envelope_bytes;
        let large = sealed(&domain, "a.cn", &["r.cn"], |header| header.size = limit + 1).bytes;
        assert_eq!(refused(&bus, "a.cn", &large, None), whose("a.cn", "CHY-5004"));
        // Whatever is not sealed by whom it names is the fault of whoever hands it over.
        let mut altered = ours.clone();
        let last = altered.len() - 1;
        altered[last] ^= 1;
        assert!(
            matches!(refused(&bus, "a.cn", &altered, None), Some((whose, _)) if whose == "a.cn")
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_had_too_much_refused_is_put_off_also_behind_a_relay() {
        let domain = Domain::new(&[("r.cn", None), ("x.r.cn", Some("r.cn")), ("a.cn", None)]);
        let bus = bus(&domain, "x.r.cn");
        let envelope = sealed(&domain, "a.cn", &["x.r.cn"], |_| {}).bytes;
        assert_eq!(refused(&bus, "r.cn", &envelope, None), None);
        for _ in 0..bus.config.limits.peer_refused {
            charge(&bus, &name("a.cn"), &Rejection::NotFor(name("x.r.cn")));
        }
        assert_eq!(refused(&bus, "r.cn", &envelope, None), Some(("a.cn".to_owned(), "CHY-5031")));
        // What passes, and what nobody can help, is not counted.
        for rejection in [Rejection::Expired, Rejection::NoRoom, Rejection::Arriving] {
            assert!(!rejection.is_charged(), "{rejection}");
        }
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
            assert_eq!(refusal.code(), code);
            assert!(refusal.retry_after().is_some_and(|seconds| seconds > 0), "{refusal:?}");
        }
        assert!(passes(&NodeError::damaged("x")).is_none());
    }
}
