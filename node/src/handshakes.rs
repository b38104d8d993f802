//! Whose handshake goes on. One that is begun and never ended costs its maker a packet, so places for them are shared out
//! among addresses, and some are kept for who is known.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use chancery_certs::AgencyName;

use crate::places::{Places, neighbourhood};

/// Handshakes of strangers that may be under way at once, and of one neighbourhood.
const STRANGERS: usize = 192;
const SHARE: usize = 32;
/// Handshakes from known addresses, which strangers cannot take; those from one of them exactly, as of a node that calls
/// from where it listens.
const KNOWN: usize = 256;
const EXACT_SHARE: usize = 4;
/// Handshakes that may be begun in a second: by all strangers, from one neighbourhood, from one exact address. Each costs
/// a signature.
const STRANGERS_RATE: u32 = 512;
const RATE: u32 = 256;
const EXACT_RATE: u32 = 16;
/// How long a handshake may take, of a stranger and of who is known: networks lose packets.
const PATIENCE: Duration = Duration::from_secs(3);
const KNOWN_PATIENCE: Duration = Duration::from_secs(10);
/// For how long an address is known from which a certified peer has come, and how many of one peer.
const MET_FOR: Duration = Duration::from_secs(86_400);
const MET_OF_ONE: usize = 4;

/// Where a handshake comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Origin {
    /// An address that the directory names, or from which a certified peer has come lately.
    Exact(SocketAddr),
    /// The neighbourhood of one. Peers behind a firewall call from any port of it.
    Near(IpAddr),
    /// Anywhere else.
    Stranger(IpAddr),
}

impl Origin {
    fn is_known(self) -> bool {
        !matches!(self, Self::Stranger(_))
    }
}

/// A place for a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    origin: Origin,
    number: u64,
}

/// What becomes of a handshake that begins.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Goes {
        /// Its place.
        place: Place,
        /// How long it may take.
        patience: Duration,
        /// The place of the handshake that ends for it.
        gives_way: Option<Place>,
    },
    /// It must first show that its address is its own (RFC 9000 §8.1.2).
    Retry,
    /// Nothing. Whoever means it tries again by itself.
    Ignore,
}

/// The handshakes that are under way, and who is known.
#[derive(Debug)]
pub struct Handshakes {
    known: Places<Origin>,
    strangers: Places<Origin>,
    /// The addresses that the directory names, and their neighbourhoods.
    named: HashSet<SocketAddr>,
    named_near: HashSet<IpAddr>,
    /// From where certified peers have come.
    met: HashMap<IpAddr, HashMap<SocketAddr, (AgencyName, Instant)>>,
    /// The second that is counted, and how many were begun in it.
    second: Option<Instant>,
    begun: HashMap<Origin, u32>,
    begun_by_strangers: u32,
}

impl Default for Handshakes {
    fn default() -> Self {
        Self {
            known: Places::new(KNOWN),
            strangers: Places::new(STRANGERS),
            named: HashSet::new(),
            named_near: HashSet::new(),
            met: HashMap::new(),
            second: None,
            begun: HashMap::new(),
            begun_by_strangers: 0,
        }
    }
}

impl Handshakes {
    /// The directory names these addresses, and no others.
    pub fn name(&mut self, addresses: impl IntoIterator<Item = SocketAddr>) {
        self.named = addresses.into_iter().map(canonical).collect();
        self.named_near = self.named.iter().map(|named| neighbourhood(named.ip())).collect();
    }

    /// A peer has come from an address, with a certificate that is valid.
    pub fn met(&mut self, peer: &AgencyName, from: SocketAddr, now: Instant) {
        let from = canonical(from);
        self.met.retain(|_, all| {
            all.retain(|_, (_, at)| now.saturating_duration_since(*at) < MET_FOR);
            !all.is_empty()
        });
        self.met.entry(neighbourhood(from.ip())).or_default().insert(from, (peer.clone(), now));
        let own = self.met.values().flatten().filter(|(_, (whose, _))| whose == peer);
        let mut own: Vec<_> = own.map(|(address, (_, at))| (*at, *address)).collect();
        own.sort_unstable();
        // One that wanders must not become everybody's neighbour.
        for (_, oldest) in own.iter().rev().skip(MET_OF_ONE) {
            let near = neighbourhood(oldest.ip());
            if let Some(all) = self.met.get_mut(&near) {
                all.remove(oldest);
                if all.is_empty() {
                    self.met.remove(&near);
                }
            }
        }
    }

    fn origin(&self, from: SocketAddr, now: Instant) -> Origin {
        let near = neighbourhood(from.ip());
        let lately = |at: &Instant| now.saturating_duration_since(*at) < MET_FOR;
        let met = self.met.get(&near);
        let here = met.and_then(|all| all.get(&from)).is_some_and(|(_, at)| lately(at));
        if here || self.named.contains(&from) {
            return Origin::Exact(from);
        }
        if self.named_near.contains(&near)
            || met.is_some_and(|all| all.values().any(|(_, at)| lately(at)))
        {
            return Origin::Near(near);
        }
        Origin::Stranger(near)
    }

    /// Counts one that begins; false when that is too many for this second.
    fn count(&mut self, origin: Origin, now: Instant) -> bool {
        let second = Duration::from_secs(1);
        if self.second.is_none_or(|began| now.saturating_duration_since(began) >= second) {
            self.second = Some(now);
            // It has no more than were begun: it does not grow with who comes.
            self.begun.clear();
            self.begun_by_strangers = 0;
        }
        let most = match origin {
            Origin::Exact(_) => EXACT_RATE,
            Origin::Near(_) | Origin::Stranger(_) => RATE,
        };
        let begun = self.begun.get(&origin).copied().unwrap_or_default();
        let full = !origin.is_known() && self.begun_by_strangers >= STRANGERS_RATE;
        if begun >= most || full {
            return false;
        }
        self.begun.insert(origin, begun + 1);
        self.begun_by_strangers += u32::from(!origin.is_known());
        true
    }

    /// A handshake begins. `validated` says whether the address is known to be its maker's.
    pub fn begins(&mut self, from: SocketAddr, validated: bool, now: Instant) -> Verdict {
        let from = canonical(from);
        let origin = self.origin(from, now);
        let (places, share) = match origin {
            Origin::Exact(_) => (&self.known, EXACT_SHARE),
            Origin::Near(_) => (&self.known, SHARE),
            Origin::Stranger(_) => (&self.strangers, SHARE),
        };
        // Somebody else's address must not take its places, nor have its handshakes give way. The first few of each go without
        // that round trip.
        let busy = self.known.held() + self.strangers.held() >= STRANGERS / 4;
        if !validated && (busy || places.held_by(&origin) >= share / 4) {
            return Verdict::Retry;
        }
        if !self.count(origin, now) {
            return Verdict::Ignore;
        }
        let (places, patience) = match origin.is_known() {
            true => (&mut self.known, KNOWN_PATIENCE),
            false => (&mut self.strangers, PATIENCE),
        };
        let (number, gives_way) = places.enter(origin, share);
        let gives_way = gives_way.map(|(origin, number)| Place { origin, number });
        Verdict::Goes { place: Place { origin, number }, patience, gives_way }
    }

    /// A handshake has ended, however it did.
    pub fn ends(&mut self, place: &Place) {
        let places = match place.origin.is_known() {
            true => &mut self.known,
            false => &mut self.strangers,
        };
        places.leave(&place.origin, place.number);
    }
}

/// As the directory writes an address, also where the socket takes both versions of IP.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn peer(name: &str) -> AgencyName {
        name.parse().expect("a name")
    }

    /// Somebody's handshake, whose address is known to be its own.
    fn begins(all: &mut Handshakes, from: &str, now: Instant) -> Option<Place> {
        match all.begins(address(from), true, now) {
            Verdict::Goes { place, .. } => Some(place),
            Verdict::Retry => panic!("{from} has shown its address"),
            Verdict::Ignore => None,
        }
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_few_go_at_once_and_more_must_show_that_their_address_is_theirs() {
        let (mut all, now) = (Handshakes::default(), Instant::now());
        let from = address("192.0.2.1:1");
        for _ in 0..SHARE / 4 {
            let Verdict::Goes { patience, gives_way, .. } = all.begins(from, false, now) else {
                panic!("it is quiet")
            };
            assert_eq!((patience, gives_way), (PATIENCE, None));
        }
        assert_eq!(all.begins(from, false, now), Verdict::Retry);
        assert!(matches!(all.begins(from, true, now), Verdict::Goes { .. }));
        // Others are not concerned, until many are at it: then whoever it is.
        assert!(matches!(all.begins(address("192.0.2.2:1"), false, now), Verdict::Goes { .. }));
        all.name([address("192.0.2.9:7400")]);
        for n in 3..60 {
            begins(&mut all, &format!("192.0.2.{n}:1"), now);
        }
        assert_eq!(all.begins(address("192.0.2.200:1"), false, now), Verdict::Retry);
        assert_eq!(all.begins(address("192.0.2.9:7400"), false, now), Verdict::Retry);
        assert_eq!(
            all.begins(address("192.0.2.9:7400"), true, now).patience(),
            Some(KNOWN_PATIENCE)
        );
    }

    impl Verdict {
        fn patience(&self) -> Option<Duration> {
            match self {
                Self::Goes { patience, .. } => Some(*patience),
                _ => None,
            }
        }
    }

    #[test]
    fn strangers_who_never_end_keep_neither_known_nor_others_nor_their_neighbours_out() {
        let (mut all, mut now) = (Handshakes::default(), Instant::now());
        all.name([address("198.51.100.1:7400"), address("203.0.113.5:7400")]);
        // From one address, and from as many as there are; none of them ever ends.
        for n in 0..5000_u32 {
            now += Duration::from_millis(4);
            let many = format!("10.{}.{}.{}:9", n >> 16, (n >> 8) & 255, n & 255);
            begins(&mut all, &many, now);
            begins(&mut all, "203.0.113.5:9", now);
            begins(&mut all, "192.0.2.1:9", now);
            assert!(all.strangers.held() <= STRANGERS && all.known.held() <= SHARE + EXACT_SHARE);
            assert!(all.begun.len() <= (STRANGERS_RATE + RATE) as usize);
        }
        now += secs(1);
        // Who is named, who is behind the same address, an agency from elsewhere, and a neighbour of the attacker's.
        for from in ["198.51.100.1:7400", "198.51.100.1:50000", "203.0.113.5:7400", "192.0.2.77:1"]
        {
            let place = begins(&mut all, from, now);
            all.ends(&place.expect("it goes on"));
        }
        let neighbour = begins(&mut all, "192.0.2.1:10", now).expect("it goes on");
        assert!(all.strangers.leave(&neighbour.origin, neighbour.number), "it has a place");
    }

    #[test]
    fn no_more_are_begun_in_a_second_than_this_machine_can_sign_for() {
        let (mut all, now) = (Handshakes::default(), Instant::now());
        let begun = |all: &mut Handshakes, from: &str, now| {
            (0..2000).filter(|_| begins(all, from, now).is_some()).count()
        };
        all.name([address("198.51.100.1:7400")]);
        assert_eq!(begun(&mut all, "192.0.2.1:9", now), RATE as usize);
        assert_eq!(begun(&mut all, "192.0.2.2:9", now), RATE as usize);
        assert_eq!(begun(&mut all, "192.0.2.3:9", now), 0, "strangers have had theirs");
        assert_eq!(begun(&mut all, "198.51.100.1:7400", now), EXACT_RATE as usize);
        assert_eq!(begun(&mut all, "198.51.100.1:1", now), RATE as usize);
        assert_eq!(begun(&mut all, "192.0.2.3:9", now + secs(1)), RATE as usize);
    }

    #[test]
    fn known_is_from_where_certified_peers_have_come_lately() {
        let (mut all, now) = (Handshakes::default(), Instant::now());
        let known = |all: &Handshakes, from: &str, now| all.origin(address(from), now).is_known();
        assert!(!known(&all, "[2001:db8::1]:7400", now));
        all.met(&peer("a.gov.cn"), address("[2001:db8::1]:7400"), now);
        assert!(known(&all, "[2001:db8::1]:7400", now) && known(&all, "[2001:db8::2]:1", now));
        assert!(!known(&all, "[2001:db8:0:1::1]:7400", now));
        assert!(!known(&all, "[2001:db8::1]:7400", now + MET_FOR));
        // One that comes from everywhere is known where it came from last, and others stay known.
        all.met(&peer("b.gov.cn"), address("192.0.2.200:1"), now);
        for n in 0..100 {
            let from = address(&format!("192.0.2.{n}:7400"));
            all.met(&peer("a.gov.cn"), from, now + secs(n + 1));
        }
        let later = now + secs(101);
        assert_eq!(all.met.len(), MET_OF_ONE + 1);
        assert!(known(&all, "192.0.2.99:7400", later) && !known(&all, "192.0.2.95:7400", later));
        assert!(known(&all, "192.0.2.200:1", later));
        // A socket of both versions says it so.
        assert!(known(&all, "[::ffff:192.0.2.99]:7400", later));
        all.met(&peer("b.gov.cn"), address("192.0.2.201:1"), now + MET_FOR + secs(200));
        assert_eq!(all.met.len(), 1, "what is long ago is forgotten");
    }
}
