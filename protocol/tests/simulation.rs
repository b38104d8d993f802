//! Delivery over a simulated network, by the very decisions that nodes make: messages are lost, doubled, delayed and
//! reordered, networks are cut, nodes restart and their clocks differ. Nothing is lost, nothing is doubled, and what a
//! sender holds evidence of is there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use chancery_protocol::{
    AttemptEnd, Courier, EnvelopeId, Flight, InboundDecision, LocalState, OutboundAction,
    PeerMessage, Receipt, Refusal, Urgency, decide_offer, on_reply,
};
use proptest::prelude::*;

/// Nodes by number: 0 and 1 send to each other and to 3; whatever is for 3 goes through 2, which relays.
const NODES: usize = 4;
const RELAY: usize = 2;
const BEHIND: usize = 3;
/// Milliseconds that a sender waits for an answer, and a receiver for the next chunk.
const PATIENCE: u64 = 60_000;
const SILENCE: u64 = 30_000;

/// What a network does, of a thousand messages.
#[derive(Debug, Clone, Copy)]
struct Faults {
    lost: u64,
    doubled: u64,
    jitter: u64,
}

#[derive(Debug, Clone)]
struct Envelope {
    id: EnvelopeId,
    chunks: u64,
    inline: bool,
    expires: u64,
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
    envelopes: BTreeMap<EnvelopeId, Envelope>,
    pending: BTreeSet<(EnvelopeId, usize)>,
    outcomes: BTreeMap<(EnvelopeId, usize), Outcome>,
    /// Evidence of recipients, as it was received.
    evidence: BTreeMap<(EnvelopeId, usize), Receipt>,
    /// Receipts given: of consignment, or of the relay's acceptance.
    given: BTreeMap<EnvelopeId, Receipt>,
    partial: BTreeMap<EnvelopeId, u64>,
    entries: u64,
}

struct Sending {
    flight: Flight,
    to: usize,
    hop: usize,
    sent: bool,
}

struct Receiving {
    envelope: Envelope,
    from: usize,
    to: usize,
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
}

impl World {
    fn new(seed: u64, faults: Faults, skews: &[i64]) -> Self {
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
    fn submit(&mut self, from: usize, to: usize, envelope: Envelope, most: usize) {
        let node = &mut self.nodes[from];
        node.durable.pending.insert((envelope.id, to));
        let id = envelope.id;
        node.durable.envelopes.insert(id, envelope);
        let courier = node.volatile.couriers.entry(to);
        courier.or_insert_with(|| Courier::new(most)).add(id, Urgency::Routine);
        self.wake_in(from, 0);
    }

    /// Everything that is not durable is gone; what is pending is taken up again.
    fn restart(&mut self, node: usize) {
        let own = &mut self.nodes[node];
        own.volatile = Volatile::default();
        for (id, to) in own.durable.pending.clone() {
            let courier = own.volatile.couriers.entry(to).or_insert_with(|| Courier::new(4));
            courier.add(id, Urgency::Routine);
        }
        self.wake_in(node, 1);
    }

    fn next_hop(own: usize, to: usize) -> usize {
        if to == BEHIND && own != RELAY || own == BEHIND { RELAY } else { to }
    }

    fn wake(&mut self, node: usize) {
        let recipients: Vec<_> = self.nodes[node].volatile.couriers.keys().copied().collect();
        for to in recipients {
            let hop = Self::next_hop(node, to);
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
                let envelope = own.durable.envelopes[&flight.envelope].clone();
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
        let clock = self.clock(at);
        let own = &mut self.nodes[at];
        let id = envelope.id;
        let held = own.durable.given.get(&id).cloned();
        if held.is_none() && clock > envelope.expires {
            let said = PeerMessage::Refuse(refusal(None));
            return self.send(at, from, Message::Reply { stream, said });
        }
        if held.is_some() && to != at {
            return self.relayed(from, at, stream, id, to);
        }
        if held.is_none() && own.volatile.claimed.contains(&id) {
            let said = PeerMessage::Refuse(refusal(Some(1)));
            return self.send(at, from, Message::Reply { stream, said });
        }
        let partial = own.durable.partial.get(&id).copied().unwrap_or_default();
        let state = match (held, partial) {
            (Some(receipt), _) => LocalState::Held(receipt),
            (None, 0) => LocalState::Unknown,
            (None, chunks) => LocalState::Partial(chunks),
        };
        match decide_offer(state, envelope.inline) {
            InboundDecision::Answer(said) => self.send(at, from, Message::Reply { stream, said }),
            InboundDecision::Take => self.commit(from, at, stream, &envelope, to),
            InboundDecision::Receive(said, next) => {
                let own = &mut self.nodes[at].volatile;
                own.claimed.insert(id);
                own.receiving.insert(stream, Receiving { envelope, from, to, next });
                self.send(at, from, Message::Reply { stream, said });
                self.at(SILENCE, Event::ReceiverGivesUp { node: at, stream });
            }
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
            own.volatile.receiving.remove(&stream);
            own.volatile.claimed.remove(&id);
            return;
        }
        receiving.next += 1;
        own.durable.partial.insert(id, receiving.next);
        if receiving.next == receiving.envelope.chunks {
            let receiving = own.volatile.receiving.remove(&stream).unwrap();
            own.volatile.claimed.remove(&id);
            self.commit(receiving.from, at, stream, &receiving.envelope, receiving.to);
        }
    }

    /// One durable batch: envelope, entry, receipt.
    fn commit(&mut self, from: usize, at: usize, stream: u64, envelope: &Envelope, to: usize) {
        let own = &mut self.nodes[at];
        let id = envelope.id;
        assert!(!own.durable.given.contains_key(&id), "committed twice");
        let receipt = Receipt {
            leaf: [&[at as u8], id.digest().as_bytes().as_slice()].concat(),
            index: own.durable.entries,
            proof: Vec::new(),
            checkpoint: String::new(),
            cose: None,
        };
        own.durable.entries += 1;
        own.durable.given.insert(id, receipt.clone());
        own.durable.partial.remove(&id);
        if to == at {
            *own.commits.entry(id).or_default() += 1;
            let said = PeerMessage::Evidence { receipt };
            return self.send(at, from, Message::Reply { stream, said });
        }
        own.durable.envelopes.insert(id, envelope.clone());
        own.durable.pending.insert((id, to));
        let courier = own.volatile.couriers.entry(to).or_insert_with(|| Courier::new(4));
        courier.add(id, Urgency::Routine);
        self.relayed(from, at, stream, id, to);
        self.wake_in(at, 0);
    }

    /// What a relay answers: that it has it, and what became of it if that is known.
    fn relayed(&mut self, from: usize, at: usize, stream: u64, id: EnvelopeId, to: usize) {
        let own = &mut self.nodes[at];
        let receipt = own.durable.given[&id].clone();
        let outcome = own.durable.outcomes.get(&(id, to)).copied();
        let evidence = own.durable.evidence.get(&(id, to)).cloned();
        match (outcome, evidence) {
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
                let said = PeerMessage::Relayed { receipt };
                self.send(at, from, Message::Reply { stream, said });
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
                let whole = [&[to as u8], id.digest().as_bytes().as_slice()].concat();
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
                let own = &mut self.nodes[node].volatile;
                if let Some(receiving) = own.receiving.remove(&stream) {
                    own.claimed.remove(&receiving.envelope.id);
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
    let act = prop_oneof![
        (0..NODES).prop_map(Act::Restart),
        (0..NODES, 0..NODES).prop_map(|(a, b)| Act::Cut(a, b)),
        Just(Act::Heal),
        (0u64..400, 0u64..200, 0u64..3000)
            .prop_map(|(lost, doubled, jitter)| Act::Network(Faults { lost, doubled, jitter })),
        (1u64..200_000).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 0..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_the_network_does_nothing_is_lost_and_nothing_is_doubled(
        seed: u64,
        acts in acts(),
        documents in prop::collection::vec((0usize..2, 0usize..3, 1u64..12, any::<bool>(), 0u64..20), 1..25),
        skews in prop::collection::vec(-100_000i64..100_000, NODES),
    ) {
        let mut world = World::new(seed, Faults { lost: 20, doubled: 20, jitter: 50 }, &skews);
        let mut sent = Vec::new();
        let mut documents = documents.into_iter().enumerate();
        let mut submit = |world: &mut World, count: usize| {
            for (n, (from, to, chunks, inline, life)) in documents.by_ref().take(count) {
                // The third choice is the one behind the relay.
                let to = [1 - from, RELAY, BEHIND][to];
                let id = EnvelopeId::from_slice(&[n as u8 + 1; 32]).unwrap();
                // Some live for seconds only, by clocks that differ; most for longer than anything takes here.
                let life = if life < 3 { 20_000 } else { 1 << 40 };
                let envelope = Envelope { id, chunks, inline, expires: world.clock(from) + life };
                world.submit(from, to, envelope, 4);
                sent.push((from, to, id, life));
            }
        };
        submit(&mut world, 5);
        for act in acts {
            match act {
                Act::Restart(node) => world.restart(node),
                Act::Cut(a, b) if a != b => { world.cut.insert((a.min(b), a.max(b))); }
                Act::Cut(..) => {}
                Act::Heal => world.cut.clear(),
                Act::Network(faults) => world.faults = faults,
                Act::Wait(time) => { let until = world.now + time; world.run_until(until); }
            }
            submit(&mut world, 2);
        }
        submit(&mut world, usize::MAX);
        // In the end the network works: everything that lives comes to its end.
        world.cut.clear();
        world.faults = Faults { lost: 0, doubled: 0, jitter: 5 };
        let mut steps = 0;
        while world.nodes.iter().any(|node| !node.durable.pending.is_empty()) {
            prop_assert!(world.step(), "nothing happens any more, and something is pending");
            steps += 1;
            prop_assert!(steps < 2_000_000, "it goes round for ever");
        }
        for (from, to, id, life) in sent {
            let outcome = world.nodes[from].durable.outcomes.get(&(id, to)).copied();
            let commits = world.nodes[to].commits.get(&id).copied().unwrap_or_default();
            prop_assert!(commits <= 1, "doubled");
            match outcome {
                Some(Outcome::Delivered) => {
                    prop_assert_eq!(commits, 1, "evidence of what is not there");
                    let evidence = &world.nodes[from].durable.evidence[&(id, to)];
                    prop_assert_eq!(evidence, &world.nodes[to].durable.given[&id]);
                }
                Some(_) => prop_assert_eq!(life, 20_000, "lost: {:?}", outcome),
                None => prop_assert!(false, "it has no end"),
            }
        }
    }
}
