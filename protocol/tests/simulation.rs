//! Delivery over a simulated network, by the very decisions that nodes make (courier, replies, routes, entrance, inbound):
//! messages are lost, doubled, delayed and reordered, networks are cut, disks fill, nodes restart between any two steps and
//! their clocks differ. Nothing is lost, nothing is doubled, and what a sender holds evidence of is there.
//!
//! That it would find a fault is shown by faults that are planted in what the nodes carry out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use chancery_certs::AgencyName;
use chancery_crypto::{Digest, Kem, WrappedKey};
use chancery_protocol::{
    Arrived, AttemptEnd, Checked, ContentFault, Courier, Entrance, EnvelopeHeader, EnvelopeId,
    Flight, Holding, Inbound, InboundAnswer, InboundFact, InboundStep, OutboundAction, PeerMessage,
    ProtocolError, Receipt, Recipient, Refusal, Rejection, Routes, Urgency, on_reply,
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestError, TestRunner},
};

/// Nodes by number: 0 and 1 send to each other and to the others; whatever is for 3 and 4 goes through 2, which relays.
const NAMES: [&str; NODES] = ["a.cn", "b.cn", "r.cn", "x.r.cn", "y.r.cn"];
const NODES: usize = 5;
const RELAY: usize = 2;
/// The first of the two behind it.
const BEHIND: usize = 3;
/// Milliseconds that a sender waits for an answer, and a receiver for the next chunk.
const PATIENCE: u64 = 60_000;
const SILENCE: u64 = 30_000;
/// Bytes of a chunk.
const CHUNK: u64 = chancery_crypto::CHUNK_SIZE as u64;

fn name(node: usize) -> AgencyName {
    NAMES[node].parse().unwrap()
}

fn routes() -> Routes {
    (0..NODES).map(|node| (name(node), (node >= BEHIND).then(|| name(RELAY)))).collect()
}

/// A fault that is planted in what nodes carry out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Planted {
    Nothing,
    /// Two streams may take the same envelope at once.
    NoClaims,
    /// It is forgotten what receipts were given for.
    NoReceipts,
    /// A receipt leaves before the commit.
    NoCommit,
    /// A relay says that it carries on what it has no content of any more.
    EmptyRelay,
    /// What does not open is taken all the same.
    TakesAll,
    /// What was torn by a power cut is its sender's fault.
    BlamesSender,
    /// A relay never records the way on of what it takes in.
    NoWayOn,
}

/// What a network does, of a thousand messages.
#[derive(Debug, Clone, Copy)]
struct Faults {
    lost: u64,
    doubled: u64,
    jitter: u64,
    /// Of a thousand steps, those before which a node ends, and those at which there is no room.
    crashes: u64,
    full: u64,
}

/// What is wrong with an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// Its keys do not open.
    Keys,
    /// Its content is not what it says.
    Content,
}

#[derive(Debug, Clone)]
struct Envelope {
    id: EnvelopeId,
    sender: usize,
    to: Vec<usize>,
    chunks: u64,
    inline: bool,
    /// In milliseconds.
    expires: u64,
    flaw: Flaw,
}

impl Envelope {
    fn header(&self) -> EnvelopeHeader {
        let key = WrappedKey { ct: Vec::new(), enc: Vec::new(), kem: Kem::X25519 };
        let recipient = |to: &usize| Recipient { key: key.clone(), agency: name(*to) };
        EnvelopeHeader {
            root: Digest::of(b""),
            size: self.chunks * CHUNK,
            sender: name(self.sender),
            created: 0,
            expires: self.expires as i64,
            urgency: Urgency::Routine,
            commitment: Digest::of(b""),
            recipients: self.to.iter().map(recipient).collect(),
        }
    }
}

#[derive(Debug, Clone)]
enum Message {
    Offer { stream: u64, envelope: Envelope, to: usize },
    Chunk { stream: u64, number: u64 },
    Reply { stream: u64, said: PeerMessage },
}

#[derive(Debug, Clone)]
enum Event {
    Arrives { from: usize, at: usize, message: Message },
    Wake { node: usize },
    SenderGivesUp { node: usize, stream: u64 },
    ReceiverGivesUp { node: usize, stream: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Delivered,
    Expired,
    Refused,
}

/// What survives a restart: each change of it is one durable batch.
#[derive(Default)]
struct Durable {
    /// Envelopes that are sent from here, own ones and those that are carried on.
    envelopes: BTreeMap<EnvelopeId, Envelope>,
    pending: BTreeSet<(EnvelopeId, usize)>,
    outcomes: BTreeMap<(EnvelopeId, usize), Outcome>,
    /// Evidence of recipients, as it was received.
    evidence: BTreeMap<(EnvelopeId, usize), Receipt>,
    /// What came in, and whether it is only carried on.
    records: BTreeMap<EnvelopeId, bool>,
    /// What of it is here with its content.
    contents: BTreeSet<EnvelopeId>,
    /// Receipts given: of a relay's acceptance (true), or of consignment.
    given: BTreeMap<(EnvelopeId, bool), Receipt>,
    /// Chunks that have arrived, and whether a power cut has torn them.
    arrived: BTreeMap<EnvelopeId, (u64, bool)>,
    entries: u64,
}

struct Sending {
    flight: Flight,
    to: usize,
    hop: usize,
    sent: bool,
}

/// An offer that is being looked at, or whose chunks are arriving.
struct Receiving {
    inbound: Inbound,
    envelope: Envelope,
    from: usize,
    to: usize,
    claimed: bool,
    next: u64,
}

/// What a restart forgets.
#[derive(Default)]
struct Volatile {
    couriers: BTreeMap<usize, Courier>,
    sending: BTreeMap<u64, Sending>,
    receiving: BTreeMap<u64, Receiving>,
    claimed: BTreeSet<EnvelopeId>,
    /// When its couriers are looked at next.
    wake: Option<u64>,
    /// Streams on which a sender waits for the recipient's word through the relay.
    waiting: BTreeMap<(EnvelopeId, usize), Vec<(usize, u64)>>,
}

#[derive(Default)]
struct Node {
    durable: Durable,
    volatile: Volatile,
    skew: i64,
    /// How often an envelope was committed as its recipient.
    commits: BTreeMap<EnvelopeId, u32>,
}

impl Node {
    /// The receipt of the entry that would be made next.
    fn receipt(&self, at: usize, id: EnvelopeId, transit: bool) -> Receipt {
        Receipt {
            leaf: [&[at as u8, transit.into()], id.digest().as_bytes().as_slice()].concat(),
            index: self.durable.entries,
            proof: Vec::new(),
            checkpoint: String::new(),
            cose: None,
        }
    }
}

fn wrong() -> ProtocolError {
    ContentFault::Cut.into()
}

struct World {
    nodes: Vec<Node>,
    now: u64,
    events: BinaryHeap<std::cmp::Reverse<(u64, u64)>>,
    bodies: BTreeMap<u64, Event>,
    order: u64,
    streams: u64,
    random: u64,
    faults: Faults,
    cut: BTreeSet<(usize, usize)>,
    routes: Routes,
    planted: Planted,
}

impl World {
    fn new(seed: u64, faults: Faults, skews: &[i64], planted: Planted) -> Self {
        let nodes = (0..NODES).map(|n| Node { skew: skews[n], ..Node::default() }).collect();
        Self {
            nodes,
            now: 1_000_000_000,
            events: BinaryHeap::new(),
            bodies: BTreeMap::new(),
            order: 0,
            streams: 0,
            random: seed,
            faults,
            cut: BTreeSet::new(),
            routes: routes(),
            planted,
        }
    }

    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.random;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// A node's own clock.
    fn clock(&self, node: usize) -> u64 {
        self.now.saturating_add_signed(self.nodes[node].skew)
    }

    fn at(&mut self, after: u64, event: Event) {
        self.order += 1;
        self.events.push(std::cmp::Reverse((self.now + after, self.order)));
        self.bodies.insert(self.order, event);
    }

    fn wake_in(&mut self, node: usize, after: u64) {
        let time = self.now + after;
        let wake = &mut self.nodes[node].volatile.wake;
        if wake.is_none_or(|known| known > time) {
            *wake = Some(time);
            self.at(after, Event::Wake { node });
        }
    }

    fn is_cut(&self, a: usize, b: usize) -> bool {
        self.cut.contains(&(a.min(b), a.max(b)))
    }

    fn send(&mut self, from: usize, at: usize, message: Message) {
        let faults = self.faults;
        if self.is_cut(from, at) || self.random() % 1000 < faults.lost {
            return;
        }
        let copies = if self.random() % 1000 < faults.doubled { 2 } else { 1 };
        for _ in 0..copies {
            let delay = 1 + self.random() % (faults.jitter + 1);
            self.at(delay, Event::Arrives { from, at, message: message.clone() });
        }
    }

    /// A clerk's document, durable before he is told so.
    fn submit(&mut self, envelope: Envelope, most: usize) {
        let from = envelope.sender;
        let node = &mut self.nodes[from];
        let (id, to) = (envelope.id, envelope.to.clone());
        node.durable.envelopes.insert(id, envelope);
        for to in to {
            node.durable.pending.insert((id, to));
            let courier = node.volatile.couriers.entry(to);
            courier.or_insert_with(|| Courier::new(most)).add(id, Urgency::Routine);
        }
        self.wake_in(from, 0);
    }

    /// Of a thousand.
    fn happens(&mut self, of: u64) -> bool {
        self.random() % 1000 < of
    }

    /// Everything that is not durable is gone; what is pending is taken up again.
    fn restart(&mut self, node: usize) {
        let tears = self.random().is_multiple_of(4);
        let own = &mut self.nodes[node];
        own.volatile = Volatile::default();
        for (_, torn) in own.durable.arrived.values_mut() {
            *torn |= tears;
        }
        for (id, to) in own.durable.pending.clone() {
            let courier = own.volatile.couriers.entry(to).or_insert_with(|| Courier::new(4));
            courier.add(id, Urgency::Routine);
        }
        self.wake_in(node, 1);
    }

    fn next_hop(&self, own: usize, to: usize) -> usize {
        let hop = self.routes.next_hop(&name(own), &name(to));
        NAMES.iter().position(|name| *name == hop.as_str()).unwrap()
    }

    fn wake(&mut self, node: usize) {
        let recipients: Vec<_> = self.nodes[node].volatile.couriers.keys().copied().collect();
        for to in recipients {
            let hop = self.next_hop(node, to);
            loop {
                let (now, random, cut) = (self.now, self.random(), self.is_cut(node, hop));
                let own = &mut self.nodes[node];
                let Some(courier) = own.volatile.couriers.get_mut(&to) else { break };
                let Some(flight) = courier.next(now) else { break };
                if self.expire(node, flight.envelope, to) {
                    self.nodes[node].volatile.couriers.get_mut(&to).unwrap().dropped();
                    continue;
                }
                let own = &mut self.nodes[node];
                let courier = own.volatile.couriers.get_mut(&to).unwrap();
                if cut {
                    courier.unreached(flight, now, random);
                    continue;
                }
                courier.reached();
                let id = flight.envelope;
                let carried = own.durable.records.get(&id) == Some(&true);
                assert!(!carried || own.durable.contents.contains(&id), "nothing to carry on");
                let envelope = own.durable.envelopes[&id].clone();
                self.streams += 1;
                let stream = self.streams;
                let sent = envelope.inline;
                own.volatile.sending.insert(stream, Sending { flight, to, hop, sent });
                self.send(node, hop, Message::Offer { stream, envelope, to });
                self.at(PATIENCE, Event::SenderGivesUp { node, stream });
            }
            let due = self.nodes[node].volatile.couriers.get(&to).and_then(Courier::due);
            if let Some(due) = due {
                self.wake_in(node, due.saturating_sub(self.now).max(1));
            }
        }
    }

    fn expire(&mut self, node: usize, id: EnvelopeId, to: usize) -> bool {
        let clock = self.clock(node);
        let durable = &mut self.nodes[node].durable;
        if clock <= durable.envelopes[&id].expires || !durable.pending.contains(&(id, to)) {
            return false;
        }
        self.conclude(node, id, to, Outcome::Expired, None);
        true
    }

    fn conclude(
        &mut self,
        node: usize,
        id: EnvelopeId,
        to: usize,
        outcome: Outcome,
        receipt: Option<Receipt>,
    ) {
        let own = &mut self.nodes[node];
        own.durable.pending.remove(&(id, to));
        let waits = own.durable.pending.iter().any(|(pending, _)| *pending == id);
        if own.durable.records.get(&id) == Some(&true) && !waits {
            // Only carried on, and with everybody that it was carried to.
            own.durable.contents.remove(&id);
            own.durable.arrived.remove(&id);
        }
        let before = own.durable.outcomes.insert((id, to), outcome);
        assert!(before.is_none_or(|b| b == outcome), "{before:?} became {outcome:?}");
        if let Some(receipt) = receipt.clone() {
            let before = own.durable.evidence.insert((id, to), receipt.clone());
            assert!(before.is_none_or(|b| b == receipt), "two receipts for one envelope");
        }
        // Who waits for it on a stream hears it.
        for (sender, stream) in own.volatile.waiting.remove(&(id, to)).unwrap_or_default() {
            let said = match (outcome, receipt.clone()) {
                (Outcome::Delivered, Some(receipt)) => PeerMessage::Have { receipt },
                _ => PeerMessage::Refuse(refusal(None)),
            };
            self.send(node, sender, Message::Reply { stream, said });
        }
    }

    /// An attempt has ended in the sender's eyes.
    fn ended(&mut self, node: usize, stream: u64, end: AttemptEnd) {
        let Some(sending) = self.nodes[node].volatile.sending.remove(&stream) else { return };
        let (id, to) = (sending.flight.envelope, sending.to);
        let over = end == AttemptEnd::Concluded || self.expire(node, id, to);
        let end = if over { AttemptEnd::Concluded } else { end };
        let (now, random) = (self.now, self.random());
        let courier = self.nodes[node].volatile.couriers.get_mut(&to).unwrap();
        courier.ended(sending.flight, end, now, random);
        self.wake_in(node, 0);
    }

    fn arrives(&mut self, from: usize, at: usize, message: Message) {
        match message {
            Message::Offer { stream, envelope, to } => self.offered(from, at, stream, envelope, to),
            Message::Chunk { stream, number } => self.chunk(at, stream, number),
            Message::Reply { stream, said } => self.replied(at, stream, said),
        }
    }

    fn offered(&mut self, from: usize, at: usize, stream: u64, envelope: Envelope, to: usize) {
        if self.nodes[at].volatile.receiving.contains_key(&stream) {
            // A stream has one beginning.
            return;
        }
        let (own, peer, recipient) = (name(at), name(from), name(to));
        let entrance = Entrance {
            own: &own,
            peer: &peer,
            superior: None,
            directory: Some((1, &self.routes)),
            recipient: (to != at).then_some(&recipient),
            limit: u64::MAX,
            directory_again: 1,
        };
        if let Err(rejection) = entrance.check(&envelope.header()) {
            let said = PeerMessage::Refuse(rejection.refusal());
            return self.send(at, from, Message::Reply { stream, said });
        }
        let expired = envelope.expires < self.clock(at);
        let inbound = Inbound::new(to != at, envelope.inline, expired);
        let step = inbound.begin();
        let receiving = Receiving { inbound, envelope, from, to, claimed: false, next: 0 };
        self.carry_out(at, stream, receiving, step);
    }

    /// Carries out what is decided on an offer, until it waits for chunks or is over.
    fn carry_out(&mut self, at: usize, stream: u64, mut receiving: Receiving, first: InboundStep) {
        let mut step = first;
        loop {
            if self.happens(self.faults.crashes) {
                return self.restart(at);
            }
            let (id, to, transit) = (receiving.envelope.id, receiving.to, receiving.to != at);
            let full = self.happens(self.faults.full);
            let planted = self.planted;
            let own = &mut self.nodes[at];
            let durable = &mut own.durable;
            let fact = match step {
                InboundStep::Look => {
                    receiving.claimed = own.volatile.claimed.insert(id);
                    let record = durable.records.get(&id);
                    let holding = Holding {
                        record: record.is_some(),
                        // What is only carried on may go at any time.
                        content: record.is_some_and(|transit| !transit),
                        receipt: durable.given.contains_key(&(id, transit))
                            && planted != Planted::NoReceipts,
                    };
                    let claimed = receiving.claimed || planted == Planted::NoClaims;
                    InboundFact::Looked { claimed, holding }
                }
                InboundStep::Unwrap => InboundFact::Unwrapped(match receiving.envelope.flaw {
                    Flaw::Keys if planted != Planted::TakesAll => Err(wrong()),
                    _ => Ok(()),
                }),
                InboundStep::CarryOn => {
                    let begun = durable.pending.contains(&(id, to))
                        || durable.outcomes.contains_key(&(id, to));
                    let here = durable.contents.contains(&id) || planted == Planted::EmptyRelay;
                    if !begun && here {
                        self.way_on(at, &receiving.envelope, to);
                    }
                    InboundFact::CarriedOn(begun || here)
                }
                InboundStep::MakeRoom if full => InboundFact::Room(Err(Rejection::NoRoom)),
                InboundStep::MakeRoom => InboundFact::Room(Ok(())),
                InboundStep::Find => {
                    let (chunks, _) = durable.arrived.get(&id).copied().unwrap_or_default();
                    InboundFact::Found(match chunks == receiving.envelope.chunks {
                        true => Arrived::Whole,
                        false => Arrived::Chunks(chunks),
                    })
                }
                InboundStep::Receive { from } => {
                    receiving.next = from;
                    let (peer, said) = (receiving.from, PeerMessage::Want { from_chunk: from });
                    own.volatile.receiving.insert(stream, receiving);
                    self.send(at, peer, Message::Reply { stream, said });
                    self.at(SILENCE, Event::ReceiverGivesUp { node: at, stream });
                    return;
                }
                InboundStep::CheckInline | InboundStep::CheckKept => {
                    InboundFact::Checked(self.check(at, &receiving, false))
                }
                InboundStep::Discard => {
                    durable.arrived.remove(&id);
                    InboundFact::Discarded
                }
                InboundStep::Commit => InboundFact::Committed(self.commit(at, &receiving)),
                InboundStep::Refill => {
                    durable.contents.insert(id);
                    durable.arrived.remove(&id);
                    self.way_on(at, &receiving.envelope, to);
                    InboundFact::Refilled
                }
                InboundStep::Say(answer) => return self.say(at, stream, &receiving, answer),
            };
            step = receiving.inbound.next(fact).expect("the fact fits");
        }
    }

    /// What a ciphertext is. One that came in chunks has its root unless part of it was torn.
    fn check(&mut self, at: usize, receiving: &Receiving, came: bool) -> Checked {
        let id = receiving.envelope.id;
        let durable = &mut self.nodes[at].durable;
        let torn = durable.arrived.get(&id).is_some_and(|(_, torn)| *torn);
        if came && torn {
            durable.arrived.remove(&id);
            return match self.planted {
                Planted::BlamesSender => Checked::NotAsSealed(wrong()),
                _ => Checked::OtherRoot,
            };
        }
        match receiving.envelope.flaw {
            // A relay cannot open it.
            Flaw::None => Checked::Sound,
            _ if receiving.to != at || self.planted == Planted::TakesAll => Checked::Sound,
            _ => Checked::NotAsSealed(wrong()),
        }
    }

    fn chunk(&mut self, at: usize, stream: u64, number: u64) {
        let own = &mut self.nodes[at];
        let Some(receiving) = own.volatile.receiving.get_mut(&stream) else { return };
        if number < receiving.next {
            return;
        }
        let id = receiving.envelope.id;
        if number > receiving.next {
            // A stream is in order or it is broken.
            let receiving = own.volatile.receiving.remove(&stream).unwrap();
            return self.release(at, &receiving);
        }
        receiving.next += 1;
        let arrived = own.durable.arrived.entry(id).or_default();
        arrived.0 = receiving.next;
        if receiving.next == receiving.envelope.chunks {
            let mut receiving = own.volatile.receiving.remove(&stream).unwrap();
            let checked = self.check(at, &receiving, true);
            let step = receiving.inbound.next(InboundFact::Checked(checked)).expect("it fits");
            self.carry_out(at, stream, receiving, step);
        }
    }

    fn release(&mut self, at: usize, receiving: &Receiving) {
        if receiving.claimed {
            self.nodes[at].volatile.claimed.remove(&receiving.envelope.id);
        }
    }

    /// Notes a delivery to one more recipient, in the batch that is being written.
    fn way_on(&mut self, at: usize, envelope: &Envelope, to: usize) {
        if self.planted == Planted::NoWayOn {
            return;
        }
        let own = &mut self.nodes[at];
        own.durable.envelopes.insert(envelope.id, envelope.clone());
        own.durable.pending.insert((envelope.id, to));
        let courier = own.volatile.couriers.entry(to).or_insert_with(|| Courier::new(4));
        courier.add(envelope.id, Urgency::Routine);
        self.wake_in(at, 0);
    }

    /// One durable batch: envelope, entry, receipt, and the way on.
    fn commit(&mut self, at: usize, receiving: &Receiving) -> bool {
        let (envelope, to, transit) = (&receiving.envelope, receiving.to, receiving.to != at);
        let id = envelope.id;
        if self.planted == Planted::NoCommit {
            return true;
        }
        let own = &mut self.nodes[at];
        if own.durable.given.contains_key(&(id, transit)) && self.planted == Planted::Nothing {
            return false;
        }
        let receipt = own.receipt(at, id, transit);
        own.durable.entries += 1;
        own.durable.given.insert((id, transit), receipt);
        let record = own.durable.records.entry(id).or_insert(transit);
        *record &= transit;
        own.durable.contents.insert(id);
        own.durable.arrived.remove(&id);
        match transit {
            true => self.way_on(at, envelope, to),
            false => *own.commits.entry(id).or_default() += 1,
        }
        true
    }

    fn say(&mut self, at: usize, stream: u64, receiving: &Receiving, answer: InboundAnswer) {
        self.release(at, receiving);
        let (from, to, id) = (receiving.from, receiving.to, receiving.envelope.id);
        let own = &self.nodes[at];
        let given = || {
            let given = own.durable.given.get(&(id, to != at)).cloned();
            given.unwrap_or_else(|| own.receipt(at, id, to != at))
        };
        let said = match answer {
            InboundAnswer::Have => PeerMessage::Have { receipt: given() },
            InboundAnswer::Evidence => PeerMessage::Evidence { receipt: given() },
            InboundAnswer::Relayed => PeerMessage::Relayed { receipt: given() },
            InboundAnswer::Refuse(rejection) => PeerMessage::Refuse(rejection.refusal()),
        };
        let relayed = matches!(said, PeerMessage::Relayed { .. });
        self.send(at, from, Message::Reply { stream, said });
        if relayed {
            self.relayed(from, at, stream, id, to);
        }
    }

    /// What a relay says next: what became of it, now or once that is known.
    fn relayed(&mut self, from: usize, at: usize, stream: u64, id: EnvelopeId, to: usize) {
        let own = &mut self.nodes[at];
        let evidence = own.durable.evidence.get(&(id, to)).cloned();
        match (own.durable.outcomes.get(&(id, to)).copied(), evidence) {
            (Some(Outcome::Delivered), Some(receipt)) => {
                let said = PeerMessage::Have { receipt };
                self.send(at, from, Message::Reply { stream, said });
            }
            (Some(_), _) => {
                let said = PeerMessage::Refuse(refusal(None));
                self.send(at, from, Message::Reply { stream, said });
            }
            (None, _) => {
                own.volatile.waiting.entry((id, to)).or_default().push((from, stream));
            }
        }
    }

    fn replied(&mut self, at: usize, stream: u64, said: PeerMessage) {
        let own = &mut self.nodes[at];
        let Some(sending) = own.volatile.sending.get_mut(&stream) else { return };
        let (id, to, hop) = (sending.flight.envelope, sending.to, sending.hop);
        let chunks = own.durable.envelopes[&id].chunks;
        match on_reply(said, sending.sent, chunks) {
            Ok(OutboundAction::SendFrom(from)) => {
                sending.sent = true;
                for number in from..chunks {
                    self.send(at, hop, Message::Chunk { stream, number });
                }
            }
            // It goes on to wait: the next word is the recipient's.
            Ok(OutboundAction::Relayed(_)) => sending.sent = true,
            Ok(OutboundAction::Conclude(receipt)) => {
                // As a node checks it: by the recipient, for this very envelope.
                let whole = [&[to as u8, 0], id.digest().as_bytes().as_slice()].concat();
                assert_eq!(receipt.leaf, whole, "evidence of something else");
                if own.durable.pending.contains(&(id, to)) {
                    self.conclude(at, id, to, Outcome::Delivered, Some(receipt));
                }
                self.ended(at, stream, AttemptEnd::Concluded);
            }
            Ok(OutboundAction::RetryAfter(pause)) => {
                self.ended(at, stream, AttemptEnd::PutOff(pause));
            }
            Ok(OutboundAction::GiveUp(_)) => {
                if own.durable.pending.contains(&(id, to)) {
                    self.conclude(at, id, to, Outcome::Refused, None);
                }
                self.ended(at, stream, AttemptEnd::Concluded);
            }
            // A stale or doubled word: the stream is broken.
            Err(_) => self.ended(at, stream, AttemptEnd::Failed),
        }
    }

    fn step(&mut self) -> bool {
        let Some(std::cmp::Reverse((time, order))) = self.events.pop() else { return false };
        self.now = time;
        match self.bodies.remove(&order).unwrap() {
            Event::Arrives { from, at, message } => {
                // A connection that was cut while it was on the way.
                if !self.is_cut(from, at) {
                    self.arrives(from, at, message);
                }
            }
            Event::Wake { node } => {
                // One that was superseded by an earlier one has nothing to do.
                if self.nodes[node].volatile.wake == Some(time) {
                    self.nodes[node].volatile.wake = None;
                    self.wake(node);
                }
            }
            Event::SenderGivesUp { node, stream } => self.ended(node, stream, AttemptEnd::Failed),
            Event::ReceiverGivesUp { node, stream } => {
                if let Some(receiving) = self.nodes[node].volatile.receiving.remove(&stream) {
                    self.release(node, &receiving);
                }
            }
        }
        true
    }

    fn run_until(&mut self, time: u64) {
        while self.events.peek().is_some_and(|e| e.0.0 <= time) {
            self.step();
        }
        self.now = self.now.max(time);
    }
}

fn refusal(retry_after: Option<u32>) -> Refusal {
    Refusal { code: "CHY-5000".into(), reason: String::new(), retry_after }
}

#[derive(Debug, Clone)]
enum Act {
    Restart(usize),
    Cut(usize, usize),
    Heal,
    Network(Faults),
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let faults = (0u64..400, 0u64..200, 0u64..3000, 0u64..20, 0u64..100);
    let act = prop_oneof![
        (0..NODES).prop_map(Act::Restart),
        (0..NODES, 0..NODES).prop_map(|(a, b)| Act::Cut(a, b)),
        Just(Act::Heal),
        faults.prop_map(|(lost, doubled, jitter, crashes, full)| {
            Act::Network(Faults { lost, doubled, jitter, crashes, full })
        }),
        (1u64..200_000).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 0..25)
}

/// A document before it has a number: from whom, to whom, of how many chunks, inline or not, how long it lives, and its flaw.
type Draft = (usize, usize, u64, bool, u64, u8);

fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let draft = (0usize..2, 0usize..7, 1u64..12, any::<bool>(), 0u64..20, 0u8..20);
    prop::collection::vec(draft, 1..25)
}

/// Lets a world run, and looks whether every document has come to the end that it should.
fn run(
    planted: Planted,
    (seed, acts, drafts, skews): (u64, Vec<Act>, Vec<Draft>, Vec<i64>),
) -> Result<(), TestCaseError> {
    let calm = Faults { lost: 0, doubled: 0, jitter: 5, crashes: 0, full: 0 };
    let faults = Faults { lost: 20, doubled: 20, jitter: 50, crashes: 2, full: 10 };
    let mut world = World::new(seed, faults, &skews, planted);
    let mut sent = Vec::new();
    let mut drafts = drafts.into_iter().enumerate();
    let mut submit = |world: &mut World, count: usize| {
        for (n, (sender, to, chunks, inline, life, flaw)) in drafts.by_ref().take(count) {
            let (other, behind) = (1 - sender, BEHIND);
            let to = match to {
                0 => vec![other],
                1 => vec![RELAY],
                2 => vec![behind],
                3 => vec![behind, behind + 1],
                4 => vec![RELAY, behind],
                5 => vec![other, RELAY, behind, behind + 1],
                _ => vec![behind + 1],
            };
            let id = EnvelopeId::from_slice(&[n as u8 + 1; 32]).unwrap();
            // Some live for seconds only, by clocks that differ; most for longer than anything takes here.
            let life = if life < 3 { 20_000 } else { 1 << 40 };
            let expires = world.clock(sender) + life;
            let flaw = [Flaw::Keys, Flaw::Content].get(usize::from(flaw)).copied();
            let flaw = flaw.unwrap_or(Flaw::None);
            let envelope = Envelope { id, sender, to, chunks, inline, expires, flaw };
            world.submit(envelope.clone(), 4);
            sent.push((envelope, life));
        }
    };
    submit(&mut world, 5);
    for act in acts {
        match act {
            Act::Restart(node) => world.restart(node),
            Act::Cut(a, b) if a != b => drop(world.cut.insert((a.min(b), a.max(b)))),
            Act::Cut(..) => {}
            Act::Heal => world.cut.clear(),
            Act::Network(faults) => world.faults = faults,
            Act::Wait(time) => {
                let until = world.now + time;
                world.run_until(until);
            }
        }
        submit(&mut world, 2);
    }
    submit(&mut world, usize::MAX);
    // In the end everything works: whatever lives comes to its end.
    world.cut.clear();
    world.faults = calm;
    let mut steps = 0;
    while world.nodes.iter().any(|node| !node.durable.pending.is_empty()) {
        prop_assert!(world.step(), "nothing happens any more, and something is pending");
        steps += 1;
        prop_assert!(steps < 2_000_000, "it goes round for ever");
    }
    for (envelope, life) in sent {
        let Envelope { id, sender, flaw, .. } = envelope;
        for to in envelope.to {
            let outcome = world.nodes[sender].durable.outcomes.get(&(id, to)).copied();
            let commits = world.nodes[to].commits.get(&id).copied().unwrap_or_default();
            prop_assert!(commits <= 1, "doubled");
            match outcome {
                Some(Outcome::Delivered) => {
                    prop_assert_eq!(commits, 1, "evidence of what is not there");
                    prop_assert_eq!(flaw, Flaw::None, "evidence of what nobody could read");
                    let evidence = &world.nodes[sender].durable.evidence[&(id, to)];
                    prop_assert_eq!(evidence, &world.nodes[to].durable.given[&(id, false)]);
                }
                Some(Outcome::Refused) if flaw != Flaw::None => prop_assert_eq!(commits, 0),
                Some(_) => prop_assert_eq!(life, 20_000, "lost: {:?}", outcome),
                None => prop_assert!(false, "it has no end"),
            }
        }
    }
    Ok(())
}

fn worlds() -> impl Strategy<Value = (u64, Vec<Act>, Vec<Draft>, Vec<i64>)> {
    let skews = prop::collection::vec(-100_000i64..100_000, NODES);
    (any::<u64>(), acts(), drafts(), skews)
}

#[test]
fn whatever_the_network_does_nothing_is_lost_and_nothing_is_doubled() {
    let mut runner = TestRunner::new(Config { cases: 400, ..Config::default() });
    runner.run(&worlds(), |world| run(Planted::Nothing, world)).unwrap();
}

#[test]
fn a_fault_that_is_planted_is_found() {
    for planted in [
        Planted::NoClaims,
        Planted::NoReceipts,
        Planted::NoCommit,
        Planted::EmptyRelay,
        Planted::TakesAll,
        Planted::BlamesSender,
        Planted::NoWayOn,
    ] {
        let config = Config { failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
        let mut runner = TestRunner::new(Config { cases: 1000, ..config });
        let found = runner.run(&worlds(), |world| run(planted, world));
        assert!(matches!(found, Err(TestError::Fail(..))), "{planted:?} was not found: {found:?}");
    }
}
