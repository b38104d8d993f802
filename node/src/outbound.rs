//! The sending side: one courier per peer, who carries what is pending until evidence, a final
//! refusal or expiry.

use std::{sync::Arc, time::Duration};

use chancery_certs::AgencyName;
use chancery_crypto::{CHUNK_SIZE, Digest, cbor};
use chancery_protocol::{
    EnvelopeHeader, EnvelopeId, Event, Leaf, OutboundAction, PeerMessage, Receipt, Refusal,
    decode_frame, encode_frame, on_reply, retry_delay,
};
use quinn::Connection;
use tokio::{
    io::{AsyncReadExt as _, AsyncSeekExt as _},
    task::JoinSet,
    time::Instant,
};

use crate::{
    Batch, Commit, NodeError,
    content::Ciphertext,
    endpoint,
    files::blocking,
    inbound,
    queue::{Item, Queue},
    records::{
        DeliveryRecord, DeliveryState, EnvelopeRecord, ReceivedEvidence, delivery_key, delivery_of,
    },
    shared::Shared,
    store::Table,
    unix_now, witness,
};

/// How long a peer may take to answer an offer, or to commit what it has received whole.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes read from a file at once.
const READ: usize = 4 * CHUNK_SIZE;

/// Takes up everything that is pending in the store.
pub fn recover(shared: &Shared) -> Result<usize, NodeError> {
    let pending = shared.store.scan(Table::Pending, &[], &[], usize::MAX)?;
    let count = pending.len();
    for (key, _) in pending {
        let (id, agency) = delivery_of(&key)
            .ok_or_else(|| NodeError::Damaged("a pending delivery has a wrong key".into()))?;
        let record = EnvelopeRecord::get(&*shared.store, &id)?
            .ok_or_else(|| NodeError::Damaged(format!("envelope {id} is missing")))?;
        shared.outbound.enqueue(id, agency, record.header()?.1.urgency);
    }
    Ok(count)
}

/// Keeps one courier per peer until the node stops.
pub async fn supervise(shared: Arc<Shared>) {
    let mut couriers = JoinSet::new();
    let mut known = std::collections::HashSet::new();
    let mut stop = shared.stop.subscribe();
    loop {
        for (agency, queue) in shared.outbound.queues() {
            if known.insert(agency.clone()) {
                couriers.spawn(courier(shared.clone(), agency, queue));
            }
        }
        tokio::select! {
            () = shared.outbound.new_peer.notified() => {}
            Some(Err(error)) = couriers.join_next(), if !couriers.is_empty() => {
                tracing::error!(%error, "a courier ended badly");
            }
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    while couriers.join_next().await.is_some() {}
}

/// What became of one attempt.
enum End {
    Concluded,
    Retry { item: Item, after: u64 },
}

async fn courier(shared: Arc<Shared>, peer: AgencyName, queue: Arc<Queue>) {
    let most = shared.config.limits.peer_deliveries;
    let mut stop = shared.stop.subscribe();
    let mut flights: JoinSet<End> = JoinSet::new();
    let mut delayed: Vec<(Instant, Item)> = Vec::new();
    let mut failures = 0;
    let mut pause: Option<Instant> = None;
    loop {
        let now = Instant::now();
        delayed.retain(|(due, item)| {
            let keep = *due > now;
            if !keep {
                queue.push(item.clone());
            }
            keep
        });
        if pause.is_some_and(|until| until <= now) {
            pause = None;
        }
        while pause.is_none()
            && flights.len() < most
            && let Some(item) = queue.pop()
        {
            let connected = tokio::select! {
                connected = connect(&shared, &peer) => connected,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match connected {
                Ok(connection) => {
                    failures = 0;
                    flights.spawn(fly(shared.clone(), peer.clone(), connection, item));
                }
                Err(error) => {
                    failures += 1;
                    let delay = retry_delay(failures, random());
                    tracing::info!(%peer, %error, attempt = failures, delay_ms = delay, "peer not reached");
                    pause = Some(Instant::now() + Duration::from_millis(delay));
                    // Also what cannot be carried expires.
                    match expire(&shared, &peer, &item).await {
                        Ok(true) => {}
                        Ok(false) => queue.push(item),
                        Err(error) => {
                            tracing::error!(%peer, %error, "an expiry could not be recorded");
                            queue.push(item);
                        }
                    }
                }
            }
        }
        let due = delayed.iter().map(|(due, _)| *due).chain(pause).min();
        let room = flights.len() < most && pause.is_none();
        tokio::select! {
            Some(end) = flights.join_next(), if !flights.is_empty() => match end {
                Ok(End::Concluded) => {}
                Ok(End::Retry { item, after }) => {
                    delayed.push((Instant::now() + Duration::from_millis(after), item));
                }
                Err(error) => tracing::error!(%peer, %error, "a delivery's task ended badly"),
            },
            () = queue.more.notified(), if room && queue.is_empty() => {}
            () = tokio::time::sleep_until(due.unwrap_or(now)), if due.is_some() => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    // Unfinished deliveries are pending in the store and go on after the next start.
    flights.shutdown().await;
}

fn random() -> u64 {
    chancery_crypto::random::<8>().map_or(0, u64::from_be_bytes)
}

/// The connection to a peer: the one that is there, or a new one.
async fn connect(shared: &Arc<Shared>, peer: &AgencyName) -> Result<Connection, NodeError> {
    if let Some(connection) = shared.connections.get(peer) {
        return Ok(connection);
    }
    let entry = shared.directory()?.peer(peer)?;
    let connection =
        endpoint::dial(&shared.endpoint, peer, &entry.address, &shared.identity).await?;
    tracing::info!(%peer, address = entry.address, "connected");
    inbound::adopt(shared, peer.clone(), connection.clone());
    Ok(connection)
}

async fn fly(shared: Arc<Shared>, peer: AgencyName, connection: Connection, mut item: Item) -> End {
    item.attempt = item.attempt.saturating_add(1);
    let after = match deliver(&shared, &peer, &connection, &item).await {
        Ok(None) => return End::Concluded,
        Ok(Some(after)) => after,
        Err(error) => {
            let after = retry_delay(item.attempt, random());
            tracing::warn!(
                envelope = %item.envelope, %peer, %error, attempt = item.attempt, retry_ms = after,
                "delivery failed; it goes on"
            );
            after
        }
    };
    // Also what a peer puts off again and again expires.
    match expire(&shared, &peer, &item).await {
        Ok(true) => End::Concluded,
        Ok(false) => End::Retry { item, after },
        Err(error) => {
            tracing::error!(%peer, %error, "an expiry could not be recorded");
            End::Retry { item, after }
        }
    }
}

fn load(shared: &Shared, id: &EnvelopeId) -> Result<(EnvelopeRecord, EnvelopeHeader), NodeError> {
    let record = EnvelopeRecord::get(&*shared.store, id)?
        .ok_or_else(|| NodeError::Damaged(format!("envelope {id} is missing")))?;
    let (_, header) = record.header()?;
    Ok((record, header))
}

/// Concludes a delivery whose time is over.
async fn expire(shared: &Shared, peer: &AgencyName, item: &Item) -> Result<bool, NodeError> {
    let (_, header) = load(shared, &item.envelope)?;
    if unix_now() <= header.expires {
        return Ok(false);
    }
    let conclusion = Conclusion {
        event: Event::RelayFailure,
        state: DeliveryState::Expired,
        refusal: None,
        evidence: None,
    };
    conclude(shared, peer, &item.envelope, &header, conclusion).await?;
    tracing::warn!(envelope = %item.envelope, %peer, "delivery expired");
    Ok(true)
}

/// One attempt. Returns `None` when the delivery is over, or a pause in milliseconds.
async fn deliver(
    shared: &Arc<Shared>,
    peer: &AgencyName,
    connection: &Connection,
    item: &Item,
) -> Result<Option<u64>, NodeError> {
    let id = item.envelope;
    let (record, header) = load(shared, &id)?;
    let mut cipher = shared.content.read(&*shared.store, &id, record.in_file)?;
    let content = match &mut cipher {
        Ciphertext::Inline(bytes) => Some(std::mem::take(bytes).into()),
        Ciphertext::File(..) => None,
    };
    let inline = content.is_some();
    let lost = |e: quinn::ConnectionError| NodeError::Network {
        peer: peer.to_string(),
        why: e.to_string(),
    };
    let (mut send, mut recv) = connection.open_bi().await.map_err(lost)?;
    // A stream that has ended has no priority to set, and the write below says so.
    drop(send.set_priority(header.urgency.priority()));
    let offer = PeerMessage::Offer { envelope: record.sealed, content };
    endpoint::write(&mut send, &encode_frame(&offer)?, peer).await?;
    if inline {
        drop(send.finish());
    }
    let mut sent = inline;
    loop {
        match on_reply(read_reply(&mut recv, peer).await?, sent, header.chunks())? {
            OutboundAction::SendFrom(chunk) => {
                let Ciphertext::File(file, path) = cipher else {
                    return Err(NodeError::Damaged(format!("the content of {id} is no file")));
                };
                tracing::info!(envelope = %id, %peer, from_chunk = chunk, "sending content");
                send_file(&mut send, file, &path, chunk, peer).await?;
                drop(send.finish());
                sent = true;
                // Moved above: a second WANT would be refused by `on_reply`.
                cipher = Ciphertext::Inline(Vec::new());
            }
            OutboundAction::Conclude(receipt) => {
                accept(shared, peer, &id, &header, receipt).await?;
                return Ok(None);
            }
            OutboundAction::RetryAfter(pause) => return Ok(Some(pause)),
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
                    evidence: None,
                };
                conclude(shared, peer, &id, &header, conclusion).await?;
                return Ok(None);
            }
        }
    }
}

async fn read_reply(
    recv: &mut quinn::RecvStream,
    peer: &AgencyName,
) -> Result<PeerMessage, NodeError> {
    let silent = |_| NodeError::Network { peer: peer.to_string(), why: "it fell silent".into() };
    // A receipt is small, and there are no more of these than deliveries under way.
    let read = endpoint::read_frame(recv, peer, None);
    let (body, _) = tokio::time::timeout(PATIENCE, read).await.map_err(silent)??;
    Ok(decode_frame(&body)?)
}

async fn send_file(
    send: &mut quinn::SendStream,
    file: std::fs::File,
    path: &std::path::Path,
    chunk: u64,
    peer: &AgencyName,
) -> Result<(), NodeError> {
    let mut file = tokio::fs::File::from_std(file);
    file.set_max_buf_size(READ);
    let start = chunk.saturating_mul(CHUNK_SIZE as u64);
    file.seek(std::io::SeekFrom::Start(start)).await.map_err(NodeError::file(path))?;
    let mut buffer = vec![0; READ];
    loop {
        let read = file.read(&mut buffer).await.map_err(NodeError::file(path))?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok(());
        };
        endpoint::write(send, bytes, peer).await?;
    }
}

/// Checks a peer's receipt and, if it is for this envelope, concludes the delivery.
async fn accept(
    shared: &Arc<Shared>,
    peer: &AgencyName,
    id: &EnvelopeId,
    header: &EnvelopeHeader,
    receipt: Receipt,
) -> Result<(), NodeError> {
    let entry = shared.directory()?.peer(peer)?;
    let verified = receipt.verify(&entry.log_key)?;
    let leaf = &verified.leaf;
    let fits = leaf.event == Event::ContentConsignment
        && leaf.envelope == *id
        && leaf.commitment == header.commitment
        && leaf.counterpart == shared.identity.agency;
    if !fits {
        let why = "it is for something else".to_owned();
        return Err(chancery_protocol::ProtocolError::Receipt(why).into());
    }
    let mut seen = Batch::default();
    witness::remember(shared, peer, &entry.seal_chain, &verified.checkpoint, &mut seen)?;
    let chain = entry.seal_chain.iter().map(|c| c.der().to_vec().into()).collect();
    let conclusion = Conclusion {
        event: Event::EvidenceReceived,
        state: DeliveryState::Delivered,
        refusal: None,
        evidence: Some((ReceivedEvidence { receipt, chain }, seen)),
    };
    conclude(shared, peer, id, header, conclusion).await?;
    tracing::info!(envelope = %id, %peer, "delivered");
    Ok(())
}

struct Conclusion {
    event: Event,
    state: DeliveryState,
    refusal: Option<Refusal>,
    /// The receipt, and what is to be remembered of the ledger that it comes from.
    evidence: Option<(ReceivedEvidence, Batch)>,
}

/// Records the end of a delivery in the ledger.
async fn conclude(
    shared: &Shared,
    peer: &AgencyName,
    id: &EnvelopeId,
    header: &EnvelopeHeader,
    conclusion: Conclusion,
) -> Result<(), NodeError> {
    let mut commit = Commit::default();
    let mut evidence = None;
    if let Some((received, seen)) = conclusion.evidence {
        let digest = Digest::of(&cbor::encode(&received.receipt)?);
        commit.batch.put(Table::Evidence, *digest.as_bytes(), cbor::encode(&received)?);
        commit.batch.append(seen);
        evidence = Some(digest);
    }
    let now = unix_now();
    let record = DeliveryRecord {
        state: conclusion.state,
        since: now,
        refusal: conclusion.refusal,
        evidence,
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
    shared.ledger.commit(commit).await.map(drop)
}

/// The number of deliveries that are not over.
pub async fn pending(shared: &Arc<Shared>) -> Result<usize, NodeError> {
    let shared = shared.clone();
    blocking(move || Ok(shared.store.scan(Table::Pending, &[], &[], usize::MAX)?.len())).await
}
