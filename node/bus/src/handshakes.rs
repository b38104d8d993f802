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
/// a signature. All neighbourhoods of strangers share what one may begin, so that a half of what all may is there for who
/// comes newly.
const STRANGERS_RATE: u32 = 512;
const RATE: u32 = 256;
const EXACT_RATE: u32 = 16;
/// By everybody whose address may be another's.
const UNSHOWN_RATE: u32 = 64;
const SECOND: Duration = Duration::from_secs(1);
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
    begun: Begun,
}

/// What was begun in a second.
#[derive(Debug, Default)]
struct Begun {
    since: Option<Instant>,
    /// By those whose address is their own. It has no more than were begun: it does not grow with who comes.
    shown: HashMap<Origin, u32>,
    by_strangers: u32,
    /// From how many neighbourhoods of strangers, and in the second before.
    strange: u32,
    strange_before: u32,
    /// By those whose address may be another's.
    unshown: u32,
}

impl Begun {
    fn turn(&mut self, now: Instant) {
        let passed = self.since.map(|since| now.saturating_duration_since(since));
        if passed.is_none_or(|passed| passed >= SECOND) {
            let next = passed.is_some_and(|passed| passed < 2 * SECOND);
            let strange_before = if next { self.strange } else { 0 };
            *self = Self { since: Some(now), strange_before, ..Self::default() };
        }
    }

    /// Counts one whose address may be another's; false when that is too many. Whose address it is cannot pay for it.
    fn unshown(&mut self, now: Instant) -> bool {
        self.turn(now);
        let goes = self.unshown < UNSHOWN_RATE;
        self.unshown += u32::from(goes);
        goes
    }

    /// Counts one whose address is its own; false when that is too many.
    fn shown(&mut self, origin: Origin, now: Instant) -> bool {
        self.turn(now);
        let begun = self.shown.get(&origin).copied().unwrap_or_default();
        let newly = u32::from(begun == 0);
        let most = match origin {
            Origin::Exact(_) => EXACT_RATE,
            Origin::Near(_) => RATE,
            // Those of the second before count, so that who comes first in a second does not take what is others'.
            Origin::Stranger(_) => {
                (RATE / (self.strange + newly).max(self.strange_before).max(1)).max(1)
            }
        };
        let full = !origin.is_known() && self.by_strangers >= STRANGERS_RATE;
        if begun >= most || full {
            return false;
        }
        self.shown.insert(origin, begun + 1);
        if !origin.is_known() {
            self.by_strangers += 1;
            self.strange += newly;
        }
        true
    }
}

impl Default for Handshakes {
    fn default() -> Self {
        Self {
            known: Places::new(KNOWN),
            strangers: Places::new(STRANGERS),
            named: HashSet::new(),
            named_near: HashSet::new(),
            met: HashMap::new(),
            begun: Begun::default(),
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
        if validated {
            if !self.begun.shown(origin, now) {
                return Verdict::Ignore;
            }
        } else if busy || places.held_by(&origin) >= share / 4 || !self.begun.unshown(now) {
            return Verdict::Retry;
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
            assert!(all.begun.shown.len() <= (STRANGERS_RATE + RATE) as usize);
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
        for n in 2..100 {
            begun(&mut all, &format!("192.0.2.{n}:9"), now);
        }
        assert_eq!(all.begun.by_strangers, STRANGERS_RATE, "strangers have had theirs");
        assert_eq!(begun(&mut all, "192.0.2.200:9", now), 0);
        assert_eq!(begun(&mut all, "198.51.100.1:7400", now), EXACT_RATE as usize);
        assert_eq!(begun(&mut all, "198.51.100.1:1", now), RATE as usize);
        assert_eq!(begun(&mut all, "192.0.2.200:9", now + secs(2)), RATE as usize);
    }

    #[test]
    fn whoever_begins_with_addresses_of_others_takes_nothing_from_them() {
        let (mut all, now) = (Handshakes::default(), Instant::now());
        all.name([address("198.51.100.1:7400")]);
        // A peer, one behind the same firewall, and a stranger; and from as many addresses as there are.
        let own = ["198.51.100.1:7400", "198.51.100.1:50000", "192.0.2.1:9"];
        let mut gone = 0;
        for n in 0..2000_u32 {
            let many = format!("10.0.{}.{}:9", n >> 8, n & 255);
            for from in own.into_iter().chain([many.as_str()]) {
                match all.begins(address(from), false, now) {
                    // It fails at once, and holds no place.
                    Verdict::Goes { place, gives_way: None, .. } => {
                        gone += 1;
                        all.ends(&place);
                    }
                    verdict => assert_eq!(verdict, Verdict::Retry),
                }
            }
        }
        assert_eq!(gone, UNSHOWN_RATE, "each costs a signature");
        for from in own.into_iter().chain(["192.0.2.7:9"]) {
            assert_eq!(all.begins(address(from), false, now), Verdict::Retry);
        }
        for (from, most) in own.into_iter().zip([EXACT_RATE, RATE, RATE]) {
            for n in 0..most {
                assert!(begins(&mut all, from, now).is_some(), "{from} is let in, for the {n}th");
            }
        }
        let next = all.begins(address(own[0]), false, now + SECOND);
        assert!(!matches!(next, Verdict::Ignore), "a second is a second");
    }

    #[test]
    fn strangers_who_begin_all_they_can_leave_half_to_who_comes_newly() {
        for attackers in [2, 3, 10, 100, 250_u32] {
            let (mut all, mut now) = (Handshakes::default(), Instant::now());
            let mut begun = HashMap::<u32, u32>::new();
            for second in 0..4 {
                begun.clear();
                for n in (0..RATE).flat_map(|_| 0..attackers) {
                    let from = format!("10.0.{}.{}:9", n >> 8, n & 255);
                    if let Some(place) = begins(&mut all, &from, now) {
                        all.ends(&place);
                        *begun.entry(n).or_default() += 1;
                    }
                }
                // In the first second they may have come before it was known how many they are.
                if second > 0 || attackers == 2 {
                    let newly = (0..attackers.min(100)).filter(|n| {
                        let from = format!("192.0.2.{n}:9");
                        begins(&mut all, &from, now).inspect(|place| all.ends(place)).is_some()
                    });
                    assert_eq!(newly.count(), attackers.min(100) as usize, "of {attackers}");
                }
                assert!(all.begun.by_strangers <= STRANGERS_RATE);
                now += SECOND;
            }
            let shares = (begun.values().min(), begun.values().max());
            assert_eq!(begun.len(), attackers as usize);
            assert_eq!(shares.0, shares.1, "all of them have the same");
        }
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
