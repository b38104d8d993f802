//! Networks that behave badly: they lose, double, delay and reorder packets, or let nothing through.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use crate::{Hosts, World};

/// What it does to packets, in each direction.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Of a thousand packets so many are lost.
    pub loss: u64,
    /// Of a thousand packets so many come twice.
    pub double: u64,
    /// All of them take so many milliseconds.
    pub delay: u64,
    /// Each of them up to so many more, so that they overtake one another.
    pub jitter: u64,
}

/// A packet on its way. The one that is due first is the greatest.
struct Packet {
    due: Reverse<(Instant, u64)>,
    socket: Arc<UdpSocket>,
    to: SocketAddr,
    bytes: Vec<u8>,
}

impl PartialEq for Packet {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}
impl Eq for Packet {}
impl PartialOrd for Packet {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Packet {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

/// A UDP relay in front of one address. It ends with the process.
pub struct BadNetwork {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    faults: Mutex<Faults>,
    cut: AtomicBool,
    random: AtomicU64,
    order: AtomicU64,
    lost: AtomicU64,
}

impl Shared {
    /// The next of a sequence of numbers that look random and are the same each time (splitmix64).
    fn random(&self) -> u64 {
        let mut x = self.random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// The times at which a packet goes on: none when it is lost.
    fn fates(&self) -> Vec<Instant> {
        let faults = *self.faults.lock().expect("no panic holds it");
        if self.cut.load(Ordering::Relaxed) || self.random() % 1000 < faults.loss {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return Vec::new();
        }
        let copies = if self.random() % 1000 < faults.double { 2 } else { 1 };
        (0..copies)
            .map(|_| {
                let more = self.random() % (faults.jitter + 1);
                Instant::now() + Duration::from_millis(faults.delay + more)
            })
            .collect()
    }

    fn send(
        &self,
        on: &mpsc::Sender<Packet>,
        socket: &Arc<UdpSocket>,
        to: SocketAddr,
        bytes: &[u8],
    ) {
        for due in self.fates() {
            let order = self.order.fetch_add(1, Ordering::Relaxed);
            let due = Reverse((due, order));
            let packet = Packet { due, socket: socket.clone(), to, bytes: bytes.to_vec() };
            // The thread that sends it ends with the process.
            drop(on.send(packet));
        }
    }
}

impl BadNetwork {
    /// In front of `target`, on loopback.
    pub fn before(target: SocketAddr, faults: Faults, seed: u64) -> Self {
        let front = Arc::new(UdpSocket::bind("127.0.0.1:0").expect("a port"));
        let address = front.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            faults: Mutex::new(faults),
            cut: AtomicBool::new(false),
            random: AtomicU64::new(seed),
            order: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        });
        let (on, packets) = mpsc::channel();
        std::thread::spawn(move || carry(&packets));
        let own = shared.clone();
        std::thread::spawn(move || {
            let mut backs: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
            let mut buffer = vec![0; 65_536];
            while let Ok((read, from)) = front.recv_from(&mut buffer) {
                let back = backs.entry(from).or_insert_with(|| {
                    let back = Arc::new(UdpSocket::bind("127.0.0.1:0").expect("a port"));
                    let (back_, front, on, own) =
                        (back.clone(), front.clone(), on.clone(), own.clone());
                    std::thread::spawn(move || {
                        let mut buffer = vec![0; 65_536];
                        loop {
                            // A target that is down answers with an error now and then.
                            if let Ok((read, _)) = back_.recv_from(&mut buffer) {
                                own.send(&on, &front, from, &buffer[..read]);
                            }
                        }
                    });
                    back
                });
                own.send(&on, back, target, &buffer[..read]);
            }
        });
        Self { address, shared }
    }

    /// Behaves otherwise from now on.
    pub fn set(&self, faults: Faults) {
        *self.shared.faults.lock().expect("no panic holds it") = faults;
    }

    /// Lets nothing through, or everything again.
    pub fn cut(&self, cut: bool) {
        self.shared.cut.store(cut, Ordering::Relaxed);
    }

    /// How many packets were lost.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }
}

/// Sends packets when they are due.
fn carry(packets: &mpsc::Receiver<Packet>) {
    let mut waiting: BinaryHeap<Packet> = BinaryHeap::new();
    loop {
        let now = Instant::now();
        while waiting.peek().is_some_and(|packet| packet.due.0.0 <= now) {
            if let Some(packet) = waiting.pop() {
                // What cannot be sent is lost, as in any network.
                drop(packet.socket.send_to(&packet.bytes, packet.to));
            }
        }
        let pause =
            waiting.peek().map_or(Duration::from_secs(1), |p| p.due.0.0.duration_since(now));
        match packets.recv_timeout(pause) {
            Ok(packet) => waiting.push(packet),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// The bad cables of some agencies: netem between hosts of their own where the kernel has it, else relays on loopback.
pub enum Cables {
    /// Network namespaces with netem.
    Hosts(Hosts),
    /// UDP relays.
    Relays(Vec<BadNetwork>),
}

impl Cables {
    /// Puts one in front of each agency's node. The directory must be published afterwards.
    pub fn before(world: &mut World, agencies: &[&str], faults: Faults) -> Self {
        if let Some(hosts) = Hosts::new(agencies.len())
            && (0..agencies.len()).all(|n| hosts.set(n, faults))
        {
            for (n, agency) in agencies.iter().enumerate() {
                world.advertise(agency, &format!("{}:7400", hosts.address(n)));
                world.set(agency, "listen", "0.0.0.0:7400");
                world.on_host(agency, &hosts.names[n]);
            }
            eprintln!("bad networks by netem");
            return Self::Hosts(hosts);
        }
        eprintln!("bad networks by relays: this kernel has no netem");
        let relay = |(seed, agency): (usize, &&str)| {
            let relay = BadNetwork::before(world.listens(agency), faults, seed as u64 + 7);
            world.advertise(agency, &relay.address.to_string());
            relay
        };
        Self::Relays(agencies.iter().enumerate().map(relay).collect())
    }

    /// Has a cable behave otherwise from now on.
    pub fn set(&self, n: usize, faults: Faults) {
        match self {
            Self::Hosts(hosts) => assert!(hosts.set(n, faults), "tc"),
            Self::Relays(relays) => {
                relays[n].set(faults);
                relays[n].cut(false);
            }
        }
    }

    /// Has a cable let nothing through, until it is set.
    pub fn cut(&self, n: usize) {
        match self {
            Self::Hosts(hosts) => assert!(hosts.cut(n), "tc"),
            Self::Relays(relays) => relays[n].cut(true),
        }
    }

    /// Packets that a cable has lost, since it was last set.
    pub fn lost(&self, n: usize) -> u64 {
        match self {
            Self::Hosts(hosts) => hosts.lost(n),
            Self::Relays(relays) => relays[n].lost(),
        }
    }
}
