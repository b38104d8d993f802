//! How places are shared out among those who come, so that nobody who takes many keeps others out.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// The whole of what one subscriber of the network can take addresses from: an address, or a /64 of IPv6.
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address => address,
    }
}

/// So many places, each held by somebody of a group. Whoever comes always gets one. When there is none, the place that has
/// been quiet longest gives way: one of the group's own when it has its share already, else one of the group that has most.
#[derive(Debug)]
pub struct Places<K> {
    most: usize,
    /// The places of each group. They are numbered in order: the lowest has been quiet longest.
    groups: HashMap<K, BTreeSet<u64>>,
    held: usize,
    next: u64,
}

impl<K: Hash + Eq + Clone> Places<K> {
    /// So many in all.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), groups: HashMap::new(), held: 0, next: 0 }
    }

    /// How many are held.
    pub fn held(&self) -> usize {
        self.held
    }

    /// How many are held by a group.
    pub fn held_by(&self, group: &K) -> usize {
        self.groups.get(group).map_or(0, BTreeSet::len)
    }

    /// Gives a place to one of a group that may have so many, and says whose which one gives way for it.
    pub fn enter(&mut self, group: K, share: usize) -> (u64, Option<(K, u64)>) {
        let gives_way = if self.held_by(&group) >= share.max(1) {
            self.quietest_of(&group)
        } else if self.held >= self.most {
            self.quietest(Some(&group))
        } else {
            None
        };
        let number = self.next;
        self.next += 1;
        self.held += 1;
        self.groups.entry(group).or_default().insert(number);
        (number, gives_way)
    }

    /// Somebody goes. Whoever had to give way holds no place any more.
    pub fn leave(&mut self, group: &K, place: u64) -> bool {
        let Some(own) = self.groups.get_mut(group) else { return false };
        let held = own.remove(&place);
        if own.is_empty() {
            self.groups.remove(group);
        }
        self.held -= usize::from(held);
        held
    }

    /// Somebody is not quiet. Gives the new number of the place.
    pub fn moved(&mut self, group: &K, place: u64) -> Option<u64> {
        let number = self.next;
        let own = self.groups.get_mut(group)?;
        if !own.remove(&place) {
            return None;
        }
        own.insert(number);
        self.next += 1;
        Some(number)
    }

    /// Takes a place away from the group that has most, for somebody of a group, or for nobody.
    pub fn quietest(&mut self, newcomer: Option<&K>) -> Option<(K, u64)> {
        let most = self.groups.iter().max_by_key(|(group, own)| {
            let after = own.len() + usize::from(Some(*group) == newcomer);
            (after, std::cmp::Reverse(own.first().copied()))
        });
        let group = most.map(|(group, _)| group.clone())?;
        self.quietest_of(&group)
    }

    fn quietest_of(&mut self, group: &K) -> Option<(K, u64)> {
        let place = *self.groups.get(group)?.first()?;
        self.leave(group, place).then(|| (group.clone(), place))
    }
}

/// So many of something for each of a group, and so many in all; whoever wants more is refused.
#[derive(Debug)]
pub struct Shares<K> {
    most: usize,
    share: usize,
    taken: Arc<Mutex<HashMap<K, usize>>>,
}

/// One of a share; it is given back when this is dropped.
#[derive(Debug)]
pub struct Share<K: Hash + Eq> {
    taken: Arc<Mutex<HashMap<K, usize>>>,
    whose: K,
}

impl<K: Hash + Eq> Drop for Share<K> {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        if let Some(own) = taken.get_mut(&self.whose) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.remove(&self.whose);
            }
        }
    }
}

impl<K: Hash + Eq + Clone> Shares<K> {
    /// So many in all, and so many for one.
    pub fn new(most: usize, share: usize) -> Self {
        Self { most: most.max(1), share: share.max(1), taken: Arc::default() }
    }

    /// One more, unless that is too many.
    pub fn take(&self, whose: &K) -> Option<Share<K>> {
        let mut taken = lock(&self.taken);
        let all: usize = taken.values().sum();
        let own = taken.get(whose).copied().unwrap_or_default();
        if own >= self.share || all >= self.most {
            return None;
        }
        taken.insert(whose.clone(), own + 1);
        Some(Share { taken: self.taken.clone(), whose: whose.clone() })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is whole, so it is sound even after a panic elsewhere.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How somebody is told to give way, once and for all.
#[derive(Debug, Default)]
struct Told {
    is: AtomicBool,
    now: Notify,
}

/// Places, and who is told to give way.
#[derive(Debug)]
pub struct Room<K>(Arc<Mutex<Guests<K>>>);

#[derive(Debug)]
struct Guests<K> {
    places: Places<K>,
    share: usize,
    told: HashMap<u64, Arc<Told>>,
}

impl<K: Hash + Eq + Clone> Guests<K> {
    fn enter(&mut self, group: K, told: Arc<Told>) -> u64 {
        let (place, gives_way) = self.places.enter(group, self.share);
        self.tell(gives_way);
        self.told.insert(place, told);
        place
    }

    fn tell(&mut self, gives_way: Option<(K, u64)>) {
        if let Some(told) = gives_way.and_then(|(_, place)| self.told.remove(&place)) {
            told.is.store(true, Ordering::Relaxed);
            told.now.notify_one();
        }
    }
}

impl<K: Hash + Eq + Clone> Room<K> {
    /// So many places in all, and so many for one group.
    pub fn new(most: usize, share: usize) -> Self {
        let places = Places::new(most);
        Self(Arc::new(Mutex::new(Guests { places, share, told: HashMap::new() })))
    }

    /// Gives a place, for which another may have to give way.
    pub fn enter(&self, group: K) -> Guest<K> {
        let told = Arc::<Told>::default();
        let place = lock(&self.0).enter(group.clone(), told.clone());
        Guest { room: self.0.clone(), group, place: AtomicU64::new(place), told }
    }

    /// Has somebody give way: there is no room for more, for whatever reason. False when nobody is there.
    pub fn make_room(&self) -> bool {
        let mut guests = lock(&self.0);
        let gives_way = guests.places.quietest(None);
        let anybody = gives_way.is_some();
        guests.tell(gives_way);
        anybody
    }
}

/// Who has a place in a room, until this is dropped.
#[derive(Debug)]
pub struct Guest<K: Hash + Eq + Clone> {
    room: Arc<Mutex<Guests<K>>>,
    group: K,
    place: AtomicU64,
    told: Arc<Told>,
}

/// The number of no place.
const NONE: u64 = u64::MAX;

impl<K: Hash + Eq + Clone> Guest<K> {
    /// Waits until it has to give way.
    pub async fn gives_way(&self) {
        if !self.told.is.load(Ordering::Relaxed) {
            self.told.now.notified().await;
        }
    }

    /// It is not quiet.
    pub fn moved(&self) {
        let mut guests = lock(&self.room);
        let place = self.place.load(Ordering::Relaxed);
        if let Some(new) = guests.places.moved(&self.group, place) {
            if let Some(told) = guests.told.remove(&place) {
                guests.told.insert(new, told);
            }
            self.place.store(new, Ordering::Relaxed);
        }
    }

    /// Goes where nobody has to give way, such as to do what it came for. False when it has been told to go.
    pub fn goes_in(&self) -> bool {
        let mut guests = lock(&self.room);
        let place = self.place.swap(NONE, Ordering::Relaxed);
        guests.told.remove(&place);
        guests.places.leave(&self.group, place)
    }

    /// Comes back from there.
    pub fn comes_back(&self) {
        let mut guests = lock(&self.room);
        let place = guests.enter(self.group.clone(), self.told.clone());
        self.place.store(place, Ordering::Relaxed);
    }
}

impl<K: Hash + Eq + Clone> Drop for Guest<K> {
    fn drop(&mut self) {
        self.goes_in();
    }
}

/// What happens again and again is said at once, and then once in a while, with how often it was.
#[derive(Debug)]
pub struct Seldom {
    every: Duration,
    said: Option<Instant>,
    unsaid: u64,
}

impl Seldom {
    /// At most so often.
    pub fn new(every: Duration) -> Self {
        Self { every, said: None, unsaid: 0 }
    }

    /// It has happened. Says whether that is to be said, and how often it was not since it was said last.
    pub fn happened(&mut self, now: Instant) -> Option<u64> {
        let quiet = |said: Instant| now.saturating_duration_since(said) < self.every;
        if self.said.is_some_and(quiet) {
            self.unsaid += 1;
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whoever_comes_gets_a_place_and_who_has_most_gives_way() {
        let mut places = Places::new(4);
        let enter = |places: &mut Places<_>, who: &'static str| {
            let (place, gives_way) = places.enter(who, 3);
            (place, gives_way.map(|(_, place)| place))
        };
        for n in 0..3 {
            assert_eq!(enter(&mut places, "many"), (n, None));
        }
        assert_eq!(enter(&mut places, "many"), (3, Some(0)), "it has its share");
        assert_eq!(enter(&mut places, "one"), (4, None));
        assert_eq!(enter(&mut places, "two"), (5, Some(1)), "all are taken, and it has most");
        assert_eq!((places.held(), places.held_by(&"many"), places.held_by(&"one")), (4, 2, 1));
        // One who is not quiet goes last; who has given way holds nothing.
        assert_eq!(places.moved(&"many", 2), Some(6));
        assert_eq!(places.moved(&"many", 2), None);
        assert!(!places.leave(&"many", 0) && places.leave(&"one", 4));
        assert_eq!(
            (enter(&mut places, "one"), enter(&mut places, "three")),
            ((7, None), (8, Some(3)))
        );
        // Among those who have the same, the one who has been quiet longest.
        assert_eq!(enter(&mut places, "four"), (9, Some(5)));
        assert_eq!(places.quietest(None), Some(("many", 6)));
    }

    proptest! {
        #[test]
        fn nobody_who_takes_many_keeps_others_out(
            comings in proptest::collection::vec((0..6u8, any::<bool>()), 0..200),
            most in 1..20usize,
            share in 1..20usize,
        ) {
            let mut places = Places::new(most);
            let mut here: HashMap<u64, u8> = HashMap::new();
            for (who, goes) in comings {
                let own = here.iter().find(|(_, group)| **group == who).map(|(place, _)| *place);
                if let Some(place) = own.filter(|_| goes) {
                    prop_assert!(places.leave(&who, place));
                    here.remove(&place);
                    continue;
                }
                let before = places.held_by(&who);
                let (place, gives_way) = places.enter(who, share);
                let lost = gives_way.map(|(_, place)| here.remove(&place).expect("it was here"));
                here.insert(place, who);
                if let Some(lost) = lost.filter(|lost| *lost != who) {
                    let others = places.held_by(&lost) + 1;
                    prop_assert!(others > before, "one of {others} gave way for more than {before}");
                }
                prop_assert_eq!(places.held(), here.len());
                prop_assert!(here.len() <= most && places.held_by(&who) <= share);
                prop_assert!(places.held_by(&who) >= before.max(1), "whoever comes gets a place");
            }
        }
    }

    #[test]
    fn a_share_is_refused_to_who_has_it_and_to_nobody_else_and_comes_back() {
        let shares = Shares::new(3, 2);
        let (first, second) = (shares.take(&"a"), shares.take(&"a"));
        assert!(first.is_some() && second.is_some() && shares.take(&"a").is_none());
        let other = shares.take(&"b");
        assert!(other.is_some() && shares.take(&"c").is_none(), "three in all");
        drop(first);
        assert!(shares.take(&"a").is_some() && shares.take(&"c").is_some());
    }

    #[tokio::test]
    async fn who_has_to_give_way_is_told_and_who_is_inside_has_not() {
        let room = Room::new(2, 2);
        let (first, second) = (room.enter(1), room.enter(2));
        assert!(first.goes_in(), "it was not told to go");
        let third = room.enter(1);
        let fourth = room.enter(2);
        second.gives_way().await;
        second.gives_way().await;
        assert!(!second.goes_in(), "it has no place to go in from");
        first.comes_back();
        third.gives_way().await;
        fourth.moved();
        assert!(room.make_room());
        first.gives_way().await;
        drop((first, second, third));
        assert_eq!(lock(&room.0).told.len(), 1, "nothing is kept of those who have gone");
        drop(fourth);
        let guests = lock(&room.0);
        assert_eq!((guests.told.len(), guests.places.held()), (0, 0));
    }

    #[test]
    fn what_goes_on_is_said_once_in_a_while() {
        let (start, mut seldom) = (Instant::now(), Seldom::new(Duration::from_secs(10)));
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(seldom.happened(at(0)), Some(0));
        for second in 1..10 {
            assert_eq!(seldom.happened(at(second)), None);
        }
        assert_eq!(seldom.happened(at(10)), Some(9));
        assert_eq!(seldom.happened(at(30)), Some(0));
    }

    #[test]
    fn neighbours_are_an_address_or_a_network_of_64_bits() {
        let of = |address: &str| neighbourhood(address.parse().expect("an address")).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
