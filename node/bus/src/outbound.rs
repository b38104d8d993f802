//! The sending side: one courier per peer, who carries what is pending until evidence, a final
//! refusal or expiry.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use chancery_certs::{AgencyName, rfc3339};
use chancery_crypto::{CHUNK_SIZE, Digest, cbor};
use chancery_protocol::{
    AttemptEnd, Awaited, Courier, EnvelopeHeader, EnvelopeId, Event, Evidence, Flight, Leaf,
    OutboundAction, PeerMessage, ProtocolError, Receipt, RecipientParts, Refusal, decode_frame,
    encode_frame, on_reply, retry_delay,
};
use quinn::Connection;
use tokio::{task::JoinSet, time::Instant};

use crate::{
    Bus, NodeError,
    content::Ciphertext,
    endpoint,
    frames::{FrameKind, read_frame},
    inbound,
    queue::Queue,
    relay, witness,
};
use chancery_ledger::{
    Commit,
    clock::Moment,
    receipt_key,
    records::{
        DeliveryRecord, DeliveryState, EnvelopeRecord, ReceivedEvidence, delivery_key, delivery_of,
    },
    unix_now,
};
use chancery_protocol::protocol_code;
use chancery_store::{
    Batch, Blocking, Condition, ContentReader, Source, Table, blocking, in_place,
};

/// How long a peer may take to answer an offer, or to commit what it has received whole.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at whether the superior is connected.
const SUPERIOR_PAUSE: Duration = Duration::from_secs(1);
/// Bytes read from a file at once.
const READ: usize = 4 * CHUNK_SIZE;

/// Pending deliveries whose envelopes are read together: one question for engines that are asked over a network.
const TAKEN_AT_ONCE: usize = 256;

/// Takes up everything that is pending in the store.
pub(crate) fn recover(here: &Blocking, bus: &Bus) -> Result<usize, NodeError> {
    let store = bus.store.on(here);
    let (mut count, mut from, mut carried) = (0, Vec::new(), HashSet::new());
    loop {
        let pending = store.scan(Table::Pending, &from, &[], TAKEN_AT_ONCE)?;
        let ids = pending.iter().map(|(key, _)| {
            let wrong = || NodeError::damaged("a pending delivery has a wrong key");
            delivery_of(key).ok_or_else(wrong)
        });
        let deliveries = ids.collect::<Result<Vec<_>, _>>()?;
        let ids: Vec<_> = deliveries.iter().map(|(id, _)| *id).collect();
        for ((id, agency), record) in deliveries.into_iter().zip(EnvelopeRecord::all(store, &ids)?)
        {
            let missing = || NodeError::damaged(format!("envelope {id} is missing"));
            let record = record.ok_or_else(missing)?;
            let (_, header) = record.header()?;
            if record.transit && carried.insert(id) {
                let size = i64::try_from(header.size).unwrap_or(i64::MAX);
                bus.limits.carry(&header.sender, size);
            }
            bus.outbound.enqueue(id, agency, header.urgency);
            count += 1;
        }
        match pending.last().filter(|_| pending.len() == TAKEN_AT_ONCE) {
            Some((last, _)) => from = [last.as_slice(), &[0]].concat(),
            None => return Ok(count),
        }
    }
}

/// Keeps one courier per peer until the node stops.
pub(crate) async fn supervise(bus: Arc<Bus>) {
    let mut couriers = JoinSet::new();
    let mut known = std::collections::HashSet::new();
    let mut stop = bus.stop.subscribe();
    // What is delivered is sealed. An old ledger would deliver again what was delivered long ago.
    tokio::select! {
        () = bus.ledger.continuity().opened() => {}
        _ = stop.wait_for(|stop| *stop) => return,
    }
    loop {
        for (agency, queue) in bus.outbound.queues() {
            if known.insert(agency.clone()) {
                couriers.spawn(courier(bus.clone(), agency, queue));
            }
        }
        tokio::select! {
            () = bus.outbound.new_peer.notified() => {}
            Some(Err(error)) = couriers.join_next(), if !couriers.is_empty() => {
                tracing::error!(%error, "a courier ended badly");
            }
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    while couriers.join_next().await.is_some() {}
}

async fn courier(bus: Arc<Bus>, peer: AgencyName, queue: Arc<Queue>) {
    let start = Instant::now();
    let clock = || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut courier = Courier::new(bus.config.limits.peer_deliveries);
    let mut stop = bus.stop.subscribe();
    let mut flights: JoinSet<(Flight, AttemptEnd)> = JoinSet::new();
    let mut flying: HashMap<tokio::task::Id, Flight> = HashMap::new();
    let mut arrivals = bus.arrivals.subscribe();
    'carrying: loop {
        for (envelope, urgency) in queue.take() {
            courier.add(envelope, urgency);
        }
        while let Some(flight) = courier.next(clock()) {
            // A ledger that is found to be an old one later delivers nothing any more, either.
            tokio::select! {
                () = bus.ledger.continuity().opened() => {}
                _ = stop.wait_for(|stop| *stop) => break 'carrying,
            }
            let connected = tokio::select! {
                connected = connect(&bus, &peer) => connected,
                _ = stop.wait_for(|stop| *stop) => break 'carrying,
            };
            match connected {
                Ok((hop, connection)) => {
                    courier.reached();
                    let way = Way { recipient: peer.clone(), hop, connection };
                    let task = flights.spawn(fly(bus.clone(), way, flight.clone()));
                    flying.insert(task.id(), flight);
                }
                // Also what cannot be carried expires.
                Err(error) if has_expired(&bus, &peer, &flight).await => {
                    tracing::info!(%peer, %error, "peer not reached");
                    courier.dropped();
                }
                Err(error) => {
                    let pause = courier.unreached(flight, clock(), random());
                    tracing::info!(%peer, %error, pause_ms = pause, "peer not reached");
                }
            }
        }
        let due = courier.due().map(|due| start + Duration::from_millis(due));
        tokio::select! {
            Some(ended) = flights.join_next_with_id(), if !flights.is_empty() => {
                let (flight, end) = match ended {
                    Ok((id, (flight, end))) => {
                        flying.remove(&id);
                        (flight, end)
                    }
                    Err(error) => {
                        tracing::error!(%peer, %error, "a delivery's task ended badly; it is tried again");
                        let Some(flight) = flying.remove(&error.id()) else { continue };
                        bus.fresh.forget(&flight.envelope);
                        (flight, AttemptEnd::Failed)
                    }
                };
                let envelope = flight.envelope;
                if let Some(pause_ms) = courier.ended(flight, end, clock(), random()) {
                    tracing::debug!(%envelope, %peer, pause_ms, "it is tried again");
                }
            }
            () = queue.more.notified() => {}
            () = tokio::time::sleep_until(due.unwrap_or(start)), if due.is_some() => {}
            // It may be the very one that could not be reached.
            Ok(()) = arrivals.changed() => courier.arrived(),
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    // Unfinished deliveries are pending in the store and go on after the next start.
    flights.shutdown().await;
}

fn random() -> u64 {
    chancery_crypto::random::<8>().map_or(0, u64::from_be_bytes)
}

/// Who is handed an envelope, for whom, and over which connection.
struct Way {
    recipient: AgencyName,
    hop: AgencyName,
    connection: Connection,
}

/// The connection towards a recipient, and whose it is: the one that is there, or a new one.
async fn connect(
    bus: &Arc<Bus>,
    recipient: &AgencyName,
) -> Result<(AgencyName, Connection), NodeError> {
    // Without a directory, what is connected is still known.
    let hop = match bus.directory() {
        Ok(directory) => directory.routes().next_hop(&bus.identity.agency, recipient),
        Err(_) => recipient.clone(),
    };
    if let Some(connection) = bus.connections.get(&hop) {
        return Ok((hop, connection));
    }
    let entry = bus.directory()?.peer(&hop)?;
    let connection = endpoint::dial(bus, &hop, &entry.address).await?;
    tracing::info!(peer = %hop, address = entry.address, "connected");
    inbound::adopt(bus, hop.clone(), connection.clone());
    Ok((hop, connection))
}

/// The connection to a peer itself, and not to a relay on the way.
pub(crate) async fn connect_to(bus: &Arc<Bus>, peer: &AgencyName) -> Result<Connection, NodeError> {
    if let Some(connection) = bus.connections.get(peer) {
        return Ok(connection);
    }
    match connect(bus, peer).await? {
        (hop, connection) if hop == *peer => Ok(connection),
        (hop, _) => {
            let why = format!("it is behind {hop}, and has not connected");
            Err(NodeError::Network { peer: peer.to_string(), why })
        }
    }
}

/// Keeps a connection to the superior that relays for this agency: behind a firewall, it is the only way
/// in.
pub(crate) async fn keep_superior(bus: Arc<Bus>) {
    let mut stop = bus.stop.subscribe();
    let mut failures = 0;
    loop {
        let own = &bus.identity.agency;
        let entry = bus.directory().and_then(|directory| directory.peer(own));
        // A directory that came before this agency did does not say so yet; its own settings do.
        let superior = entry.ok().and_then(|entry| entry.via.clone());
        let superior = superior.or_else(|| bus.config.relay.clone());
        let mut pause = SUPERIOR_PAUSE;
        if let Some(superior) = superior.filter(|s| bus.connections.get(s).is_none()) {
            match connect(&bus, &superior).await {
                Ok(_) => failures = 0,
                Err(error) => {
                    failures += 1;
                    pause = Duration::from_millis(retry_delay(failures, random()));
                    tracing::info!(%superior, %error, "superior not reached");
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// One attempt at a delivery.
async fn fly(bus: Arc<Bus>, way: Way, flight: Flight) -> (Flight, AttemptEnd) {
    let peer = &way.recipient;
    let end = match deliver(&bus, &way, &flight).await {
        Ok(AttemptEnd::Concluded) => return (flight, AttemptEnd::Concluded),
        Ok(end) => end,
        Err(error) => {
            let Flight { envelope, attempt, .. } = &flight;
            tracing::warn!(
                %envelope, %peer, hop = %way.hop, %error, attempt, "delivery failed; it goes on"
            );
            AttemptEnd::Failed
        }
    };
    bus.fresh.forget(&flight.envelope);
    // Also what a peer puts off again and again expires.
    match has_expired(&bus, peer, &flight).await {
        true => (flight, AttemptEnd::Concluded),
        false => (flight, end),
    }
}

/// Whether a delivery's time is over. If it is, that is recorded.
async fn has_expired(bus: &Arc<Bus>, peer: &AgencyName, flight: &Flight) -> bool {
    match expire(bus, peer, &flight.envelope).await {
        Ok(expired) => expired,
        Err(error) => {
            tracing::error!(%peer, %error, "an expiry could not be recorded");
            false
        }
    }
}

/// An envelope on its way.
struct Parcel {
    id: EnvelopeId,
    header: EnvelopeHeader,
    /// What it tells each recipient alone.
    parts: RecipientParts,
    /// Whether it is only carried on from somebody else.
    transit: bool,
}

fn load(
    here: &Blocking,
    bus: &Bus,
    id: &EnvelopeId,
) -> Result<(EnvelopeRecord, Parcel), NodeError> {
    let record = EnvelopeRecord::get(bus.store.on(here), id)?
        .ok_or_else(|| NodeError::damaged(format!("envelope {id} is missing")))?;
    let (_, header, parts) = EnvelopeHeader::reopen_whole(&record.sealed)?;
    let parcel = Parcel { id: *id, header, parts, transit: record.transit };
    Ok((record, parcel))
}

/// Concludes a delivery whose time is over.
async fn expire(bus: &Arc<Bus>, peer: &AgencyName, id: &EnvelopeId) -> Result<bool, NodeError> {
    let loaded = bus.store.briefly(|here| -> Result<_, NodeError> {
        let relayed = DeliveryRecord::get(bus.store.on(here), id, peer)?.and_then(|d| d.relayed);
        Ok((load(here, bus, id)?.1, relayed))
    });
    let (parcel, relayed) = loaded?;
    if unix_now() <= parcel.header.expires {
        return Ok(false);
    }
    let conclusion = Conclusion {
        event: Event::RelayFailure,
        state: DeliveryState::Expired,
        refusal: None,
        relayed,
        evidence: None,
    };
    conclude(bus, peer, &parcel, conclusion).await?;
    tracing::warn!(envelope = %id, %peer, "delivery expired");
    Ok(true)
}

/// Hands an envelope over, as far as the peer has it.
async fn deliver(bus: &Arc<Bus>, way: &Way, flight: &Flight) -> Result<AttemptEnd, NodeError> {
    let (id, peer, recipient) = (flight.envelope, &way.hop, &way.recipient);
    let Some(Load { sealed, parcel, mut relayed_before, mut cipher }) = fresh(bus, &id)
        .map_or_else(
            || in_place(|here| read_load(here, bus, &id, recipient)),
            |load| Ok(Some(load)),
        )?
    else {
        return Ok(AttemptEnd::Concluded);
    };
    let header = &parcel.header;
    let content = match &mut cipher {
        // A relay that has it already need not be sent it again.
        Ciphertext::Inline(bytes) if relayed_before.is_none() => Some(std::mem::take(bytes).into()),
        _ => None,
    };
    let inline = content.is_some();
    let lost = |e: quinn::ConnectionError| NodeError::Network {
        peer: peer.to_string(),
        why: e.to_string(),
    };
    let (mut send, mut recv) = way.connection.open_bi().await.map_err(lost)?;
    // A stream that has ended has no priority to set, and the write below says so.
    drop(send.set_priority(header.urgency.priority()));
    let via = (peer != recipient).then(|| recipient.clone());
    let offer = PeerMessage::Offer { envelope: sealed, content, recipient: via };
    endpoint::write(&mut send, &encode_frame(&offer)?, peer).await?;
    if inline {
        drop(send.finish());
    }
    let mut sent = inline;
    let mut relayed = false;
    // What is taken from now on becomes an entry behind these.
    let entries = witness::seen_size(bus, peer)?;
    loop {
        let reply = match read_reply(bus, &mut recv, peer).await {
            Ok(reply) => reply,
            // The relay has it, and the recipient has not yet.
            Err(_) if relayed => return Ok(AttemptEnd::Failed),
            Err(error) => return Err(error),
        };
        if let PeerMessage::Evidence { receipt } = &reply
            && peer == recipient
            && let Ok(leaf) = Leaf::decode(&receipt.leaf)
        {
            // It was given just now.
            bus.clocks.heard_about(peer, leaf.time, Moment::now());
        }
        match on_reply(reply, sent, header.chunks())? {
            OutboundAction::SendFrom(chunk) => {
                tracing::info!(envelope = %id, %peer, from_chunk = chunk, "sending content");
                match cipher {
                    Ciphertext::Kept(reader) => {
                        let once = header.recipients.len() == 1;
                        send_kept(&mut send, reader, chunk, once, peer).await?;
                    }
                    Ciphertext::Inline(bytes) => {
                        let start = chunk.saturating_mul(CHUNK_SIZE as u64);
                        let start = usize::try_from(start).unwrap_or(usize::MAX);
                        let rest = bytes.get(start..).unwrap_or_default();
                        endpoint::write(&mut send, rest, peer).await?;
                    }
                }
                drop(send.finish());
                sent = true;
                // Moved above: a second WANT would be refused by `on_reply`.
                cipher = Ciphertext::Inline(Vec::new());
            }
            OutboundAction::Relayed(receipt) => {
                if !relayed && relayed_before.is_none() {
                    if entries.is_some_and(|entries| receipt.index < entries) {
                        // It may have taken it before.
                        witness::confirm(bus, peer, &way.connection).await?;
                    }
                    relayed_before = accept_relay(bus, way, &parcel, receipt).await?;
                }
                (relayed, sent) = (true, true);
            }
            OutboundAction::Conclude(receipt) => {
                accept(bus, way, &parcel, relayed_before, receipt).await?;
                return Ok(AttemptEnd::Concluded);
            }
            OutboundAction::RetryAfter(pause) => return Ok(AttemptEnd::PutOff(pause)),
            OutboundAction::GiveUp(refusal) => {
                let refusal = refusal.bounded();
                tracing::warn!(
                    envelope = %id, %peer, code = refusal.code, reason = refusal.reason,
                    "the peer refuses the envelope"
                );
                let conclusion = Conclusion {
                    event: Event::RelayRejection,
                    state: DeliveryState::Refused,
                    refusal: Some(refusal),
                    relayed: relayed_before,
                    evidence: None,
                };
                conclude(bus, recipient, &parcel, conclusion).await?;
                return Ok(AttemptEnd::Concluded);
            }
        }
    }
}

/// What is to be handed over.
struct Load {
    sealed: Vec<u8>,
    parcel: Parcel,
    /// The digest of a relay's receipt, if one has it already.
    relayed_before: Option<Digest>,
    cipher: Ciphertext,
}

/// What was accepted a moment ago, and of which no delivery has failed.
fn fresh(bus: &Bus, id: &EnvelopeId) -> Option<Load> {
    let fresh = bus.fresh.get(id)?;
    Some(Load {
        sealed: fresh.sealed.clone(),
        parcel: Parcel {
            id: *id,
            header: fresh.header.clone(),
            parts: fresh.parts.clone(),
            transit: false,
        },
        relayed_before: None,
        cipher: Ciphertext::Inline(fresh.content.clone()),
    })
}

/// Reads what is to be handed over; nothing when the delivery is over.
fn read_load(
    here: &Blocking,
    bus: &Bus,
    id: &EnvelopeId,
    recipient: &AgencyName,
) -> Result<Option<Load>, NodeError> {
    let (record, parcel) = load(here, bus, id)?;
    let delivery = DeliveryRecord::get(bus.store.on(here), id, recipient)?;
    let Some(delivery) = delivery.filter(|d| d.state == DeliveryState::Pending) else {
        return Ok(None);
    };
    let cipher = bus.content.read(bus.store.on(here), id, record.in_file)?;
    let (sealed, relayed_before) = (record.sealed, delivery.relayed);
    Ok(Some(Load { sealed, parcel, relayed_before, cipher }))
}

/// Checks a relay's receipt and keeps it. The delivery goes on until the recipient's own is here. Gives the receipt's
/// digest, unless another of this relay was kept before.
async fn accept_relay(
    bus: &Arc<Bus>,
    way: &Way,
    parcel: &Parcel,
    receipt: Receipt,
) -> Result<Option<Digest>, NodeError> {
    let Parcel { id, header, .. } = parcel;
    let (received, seen) = check(bus, &way.hop, parcel, receipt, Event::RelayAcceptance, Ok(()))?;
    let digest = Digest::of(&cbor::encode(&received.receipt)?);
    let now = unix_now();
    let leaf = Leaf {
        event: Event::RelayEvidenceReceived,
        envelope: *id,
        commitment: header.commitment,
        counterpart: way.hop.clone(),
        time: now,
        evidence: Some(digest),
    };
    let mut commit = Commit {
        // One relay may carry it to several recipients: its receipt is recorded once.
        conditions: vec![Condition::absent(Table::Receipts, receipt_key(&leaf))],
        leaves: vec![leaf],
        batch: seen,
        ..Commit::default()
    };
    commit.batch.put(Table::Evidence, *digest.as_bytes(), cbor::encode(&received)?);
    bus.ledger.commit(commit).await?;
    let noted = in_place(|here| -> Result<bool, NodeError> {
        let store = bus.store.on(here);
        if store.get(Table::Evidence, digest.as_bytes())?.is_none() {
            // Another receipt of this relay was recorded before; one is enough.
            return Ok(false);
        }
        let begun = DeliveryRecord::get(store, id, &way.recipient)?;
        let mut record = DeliveryRecord::pending(now, begun.and_then(|begun| begun.seen));
        record.relayed = Some(digest);
        let mut batch = Batch::default();
        batch.put(Table::Deliveries, delivery_key(id, &way.recipient), cbor::encode(&record)?);
        store.write(batch)?;
        Ok(true)
    });
    if !noted? {
        return Ok(None);
    }
    tracing::info!(envelope = %id, recipient = %way.recipient, relay = %way.hop, "relayed");
    Ok(Some(digest))
}

async fn read_reply(
    bus: &Bus,
    recv: &mut quinn::RecvStream,
    peer: &AgencyName,
) -> Result<PeerMessage, NodeError> {
    let silent = |_| NodeError::Network { peer: peer.to_string(), why: "it fell silent".into() };
    let budget = bus.frames.of(peer);
    let read = read_frame(recv, peer, FrameKind::Reply, &budget);
    let (body, _permit) = tokio::time::timeout(PATIENCE, read).await.map_err(silent)??;
    Ok(decode_frame(&body)?)
}

/// Sends a large content from a chunk on. What is read goes to the connection as it is.
async fn send_kept(
    send: &mut quinn::SendStream,
    reader: Box<dyn ContentReader>,
    chunk: u64,
    once: bool,
    peer: &AgencyName,
) -> Result<(), NodeError> {
    let at = chunk.saturating_mul(CHUNK_SIZE as u64);
    let mut pieces = Source::new(Pieces { reader, at, once }, Pieces::next);
    while let Some(piece) = pieces.next().await? {
        endpoint::write_piece(send, piece, peer).await?;
    }
    Ok(())
}

/// A content that is read piece by piece.
struct Pieces {
    reader: Box<dyn ContentReader>,
    at: u64,
    /// Nobody else is to be sent it, so that it need not stay in memory.
    once: bool,
}

impl Pieces {
    fn next(&mut self) -> Result<Option<Bytes>, NodeError> {
        let left = self.reader.size().saturating_sub(self.at);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(READ);
        let piece = self.reader.read_at(self.at, len)?;
        self.at += piece.len() as u64;
        if self.once {
            self.reader.done_before(self.at);
        }
        Ok((!piece.is_empty()).then(|| piece.into()))
    }
}

/// Checks a receipt: that it is of this envelope and event, given to its sender, under the seal that the
/// directory names, and that an auditor will find all of it in order. Gives it as it is kept, with what is to be remembered
/// of the ledger that it comes from. What is not in order puts the delivery off, and does not end it.
fn check(
    bus: &Bus,
    agency: &AgencyName,
    parcel: &Parcel,
    receipt: Receipt,
    event: Event,
    fit: Result<(), NodeError>,
) -> Result<(ReceivedEvidence, Batch), NodeError> {
    let entry = bus.directory()?.peer(agency)?;
    let chain = entry.seal_chain.iter().map(|c| c.der().to_vec().into()).collect();
    let evidence = Evidence { agency: agency.clone(), receipt, chain, salt: None };
    let header = &parcel.header;
    let (envelope, commitment) = (parcel.id, header.commitment);
    let told = parcel.parts.of(header, agency).filter(|_| event == Event::ContentConsignment);
    let (sender, part) = (&header.sender, told.map(|told| told.commitment));
    let awaited = Awaited { agency, event, envelope, commitment, sender, part };
    let judged = bus.opened.judge(bus, &evidence, &entry).and_then(|verified| {
        awaited.check(agency, &verified.leaf)?;
        Ok(verified)
    });
    let verified = match judged {
        Ok(verified) => verified,
        Err(error) => {
            bus.metrics.receipt_not_taken(protocol_code(&error));
            tracing::error!(
                envelope = %parcel.id, peer = %agency, %error, code = protocol_code(&error),
                "the peer's receipt is not taken; the delivery is put off"
            );
            // It is the peer's clock that is wrong, or ours: the same receipt is taken when the time has come.
            if matches!(error, ProtocolError::Time(_)) {
                bus.metrics.unfit("receipt");
                let time = Leaf::decode(&evidence.receipt.leaf)?.time;
                let (theirs, own) = (rfc3339(time), rfc3339(unix_now()));
                return Err(NodeError::PeerClock { peer: agency.clone(), theirs, own });
            }
            return Err(error.into());
        }
    };
    // It came, whatever the clocks say; one of them was wrong, and a delivery is not lost by that.
    if let Err(error) = awaited.check_time(&verified.leaf, header.created) {
        tracing::error!(envelope = %parcel.id, peer = %agency, %error, "a receipt is dated too early");
    }
    let mut seen = Batch::default();
    let chain = &entry.seal_chain;
    let kept = witness::remember(bus, agency, chain, &verified.checkpoint, fit, &mut seen);
    if let Err(error @ NodeError::RolledBack { .. }) = &kept {
        bus.metrics.receipt_not_taken(error.code());
        bus.metrics.rolled_back();
        tracing::error!(
            envelope = %parcel.id, peer = %agency, %error, code = error.code(),
            "the peer's receipt is not taken; the delivery is put off"
        );
    }
    kept?;
    let Evidence { receipt, chain, .. } = evidence;
    Ok((ReceivedEvidence { receipt, chain }, seen))
}

/// What a receipt says of the ledger that it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Its entry came after all that was seen of the ledger before.
    Behind,
    /// It cannot have: the ledger was rolled back, or begun anew, and what it attests may be gone tomorrow.
    Before(u64),
    /// It may have, by another way than this node's: the ledger is asked how it has grown.
    Unclear,
}

/// Whether a receipt's entry can be where it says, when the recipient's ledger was seen to have `seen` entries as the delivery
/// began. An envelope of this agency did not exist before that; what is only carried on may have come there by another way.
fn place(entry: u64, seen: Option<u64>, transit: bool) -> Place {
    match seen.filter(|seen| entry < *seen) {
        None => Place::Behind,
        Some(_) if transit => Place::Unclear,
        Some(seen) => Place::Before(seen),
    }
}

/// Whether a receipt is one to be taken, by where its entry is: not of a ledger that was rolled back. Then the delivery goes on,
/// until the ledger is back or it expires. The receipt itself is not verified yet.
async fn check_place(
    bus: &Arc<Bus>,
    way: &Way,
    parcel: &Parcel,
    receipt: &Receipt,
) -> Result<Result<(), NodeError>, NodeError> {
    let recipient = &way.recipient;
    if witness::seen_size(bus, recipient)?.is_none_or(|seen| receipt.index >= seen) {
        return Ok(Ok(()));
    }
    let begun =
        bus.store.briefly(|here| DeliveryRecord::get(bus.store.on(here), &parcel.id, recipient))?;
    match place(receipt.index, begun.and_then(|begun| begun.seen), parcel.transit) {
        Place::Behind => {}
        Place::Unclear if way.hop == *recipient => {
            witness::confirm(bus, recipient, &way.connection).await?;
        }
        // Its sender knows when it was made, and whoever is next to the recipient can ask it.
        Place::Unclear => {}
        Place::Before(sealed) => {
            let (peer, entry) = (recipient.clone(), receipt.index);
            return Ok(Err(NodeError::RolledBack { peer, entry, sealed }));
        }
    }
    Ok(Ok(()))
}

/// Checks the recipient's receipt and, if it is for this envelope, concludes the delivery.
async fn accept(
    bus: &Arc<Bus>,
    way: &Way,
    parcel: &Parcel,
    relayed: Option<Digest>,
    receipt: Receipt,
) -> Result<(), NodeError> {
    let recipient = &way.recipient;
    let fit = check_place(bus, way, parcel, &receipt).await?;
    let conclusion = Conclusion {
        event: Event::EvidenceReceived,
        state: DeliveryState::Delivered,
        refusal: None,
        relayed,
        evidence: Some(check(bus, recipient, parcel, receipt, Event::ContentConsignment, fit)?),
    };
    conclude(bus, recipient, parcel, conclusion).await?;
    tracing::info!(envelope = %parcel.id, peer = %recipient, "delivered");
    Ok(())
}

struct Conclusion {
    event: Event,
    state: DeliveryState,
    refusal: Option<Refusal>,
    /// The digest of the relay's receipt, if it went through one.
    relayed: Option<Digest>,
    /// The receipt, and what is to be remembered of the ledger that it comes from.
    evidence: Option<(ReceivedEvidence, Batch)>,
}

/// Records the end of a delivery in the ledger.
async fn conclude(
    bus: &Arc<Bus>,
    peer: &AgencyName,
    parcel: &Parcel,
    conclusion: Conclusion,
) -> Result<(), NodeError> {
    let Parcel { id, header, transit, .. } = parcel;
    let mut commit = Commit { patient: true, ..Commit::default() };
    let mut evidence = None;
    if let Some((received, seen)) = conclusion.evidence {
        let digest = Digest::of(&cbor::encode(&received.receipt)?);
        commit.batch.put(Table::Evidence, *digest.as_bytes(), cbor::encode(&received)?);
        commit.batch.append(seen);
        evidence = Some(digest);
    }
    let now = unix_now();
    let record = DeliveryRecord {
        seen: None,
        state: conclusion.state,
        since: now,
        refusal: conclusion.refusal,
        evidence,
        relayed: conclusion.relayed,
    };
    let key = delivery_key(id, peer);
    commit.batch.put(Table::Deliveries, key.clone(), cbor::encode(&record)?);
    commit.batch.delete(Table::Pending, key);
    commit.leaves.push(Leaf {
        event: conclusion.event,
        envelope: *id,
        commitment: header.commitment,
        counterpart: peer.clone(),
        time: now,
        evidence,
    });
    bus.ledger.commit(commit).await?;
    let (state, after) = match conclusion.state {
        DeliveryState::Delivered => {
            let after = u64::try_from(now.saturating_sub(header.created)).unwrap_or_default();
            ("delivered", Some(Duration::from_secs(after)))
        }
        DeliveryState::Refused => ("refused", None),
        DeliveryState::Expired => ("expired", None),
        DeliveryState::Pending => ("pending", None),
    };
    bus.metrics.ended(state, after);
    bus.outbound.over();
    bus.fresh.over(id);
    // Nobody may be waiting for it.
    drop(bus.concluded.send((*id, peer.clone())));
    if !transit {
        return Ok(());
    }
    let (work, id) = (bus.clone(), *id);
    blocking(move |here| relay::drop_carried(here, &work, &id)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_of_an_entry_behind_what_was_seen_before_its_envelope_was_made() {
        for transit in [false, true] {
            assert_eq!(place(0, None, transit), Place::Behind, "nothing was seen");
            assert_eq!(place(1077, Some(1077), transit), Place::Behind, "the very next entry");
            assert_eq!(place(5000, Some(1077), transit), Place::Behind);
        }
        for entry in [0, 1, 1076] {
            assert_eq!(place(entry, Some(1077), false), Place::Before(1077));
            assert_eq!(
                place(entry, Some(1077), true),
                Place::Unclear,
                "another may have brought it"
            );
        }
    }
}
