//! The order in which a sender tries what is pending for one recipient: urgent first, a bounded number at once, each
//! again after a pause that grows, none while the recipient cannot be reached.
//!
//! Time comes in as milliseconds of a clock that does not go back; randomness comes in as numbers.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use crate::{EnvelopeId, Urgency, retry_delay};

/// One delivery on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flight {
    /// The envelope.
    pub envelope: EnvelopeId,
    urgency: Urgency,
    order: u64,
    /// How often it was tried, with this time.
    pub attempt: u32,
}

impl Flight {
    fn key(&self) -> (i32, Reverse<u64>) {
        (self.urgency.priority(), Reverse(self.order))
    }
}

impl Ord for Flight {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Flight {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptEnd {
    /// Evidence, a final refusal or expiry: it is over.
    Concluded,
    /// The peer put it off for so many milliseconds.
    PutOff(u64),
    /// It failed on the way.
    Failed,
}

/// What is pending for one recipient.
#[derive(Debug)]
pub struct Courier {
    ready: BinaryHeap<Flight>,
    /// Waiting until a time, told apart by their order.
    delayed: BTreeMap<(u64, u64), Flight>,
    under_way: usize,
    most: usize,
    order: u64,
    failures: u32,
    paused_until: Option<u64>,
}

impl Courier {
    /// At most `most` deliveries are under way at once.
    pub fn new(most: usize) -> Self {
        Self {
            ready: BinaryHeap::new(),
            delayed: BTreeMap::new(),
            under_way: 0,
            most: most.max(1),
            order: 0,
            failures: 0,
            paused_until: None,
        }
    }

    /// Takes a delivery on.
    pub fn add(&mut self, envelope: EnvelopeId, urgency: Urgency) {
        self.order += 1;
        self.ready.push(Flight { envelope, urgency, order: self.order, attempt: 0 });
    }

    /// The delivery to try now, if there is one. Every flight that it gives is answered by [`Courier::ended`] or
    /// [`Courier::unreached`].
    pub fn next(&mut self, now: u64) -> Option<Flight> {
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
        }
        while let Some(entry) = self.delayed.first_entry()
            && entry.key().0 <= now
        {
            let flight = entry.remove();
            self.ready.push(flight);
        }
        let urgent = self.ready.peek()?.urgency != Urgency::Routine;
        // Urgent ones have some places of their own: they need not wait until a large one has ended.
        let most = if urgent { self.most + self.most / 4 + 1 } else { self.most };
        if self.paused_until.is_some() || self.under_way >= most {
            return None;
        }
        let mut flight = self.ready.pop()?;
        flight.attempt = flight.attempt.saturating_add(1);
        self.under_way += 1;
        Some(flight)
    }

    /// When [`Courier::next`] will have something that it does not have now, unless an event comes before.
    pub fn due(&self) -> Option<u64> {
        let delayed = self.delayed.first_key_value().map(|((due, _), _)| *due);
        let delayed = delayed.filter(|_| self.under_way < self.most && self.paused_until.is_none());
        delayed.into_iter().chain(self.paused_until).min()
    }

    /// The recipient was reached: failures before do not count any more.
    pub fn reached(&mut self) {
        self.failures = 0;
    }

    /// The recipient could not be reached: nothing is tried for a while. Gives that pause in milliseconds.
    pub fn unreached(&mut self, flight: Flight, now: u64, random: u64) -> u64 {
        self.under_way = self.under_way.saturating_sub(1);
        self.failures = self.failures.saturating_add(1);
        let pause = retry_delay(self.failures, random);
        self.paused_until = Some(now.saturating_add(pause));
        self.ready.push(Flight { attempt: flight.attempt.saturating_sub(1), ..flight });
        pause
    }

    /// The recipient, or whoever is on the way to it, has just connected.
    pub fn arrived(&mut self) {
        self.paused_until = None;
    }

    /// A delivery that could not be tried is over all the same.
    pub fn dropped(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// An attempt has ended. Gives the pause before the next one in milliseconds, if there is one.
    pub fn ended(&mut self, flight: Flight, end: AttemptEnd, now: u64, random: u64) -> Option<u64> {
        self.under_way = self.under_way.saturating_sub(1);
        let pause = match end {
            AttemptEnd::Concluded => return None,
            AttemptEnd::PutOff(pause) => pause,
            AttemptEnd::Failed => retry_delay(flight.attempt, random),
        };
        self.delayed.insert((now.saturating_add(pause), flight.order), flight);
        Some(pause)
    }

    /// Whether it has anything to carry.
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.delayed.is_empty() && self.under_way == 0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn id(n: u8) -> EnvelopeId {
        EnvelopeId::from_slice(&[n; 32]).expect("32 bytes")
    }

    #[test]
    fn urgent_goes_first_and_else_the_oldest() {
        let mut courier = Courier::new(10);
        for (n, urgency) in
            [Urgency::Routine, Urgency::Flash, Urgency::Routine, Urgency::Urgent].iter().enumerate()
        {
            courier.add(id(n as u8), *urgency);
        }
        let order: Vec<_> = std::iter::from_fn(|| courier.next(0)).map(|f| f.envelope).collect();
        assert_eq!(order, [id(1), id(3), id(0), id(2)]);
    }

    #[test]
    fn urgent_ones_find_a_place_when_all_are_taken() {
        let mut courier = Courier::new(4);
        for n in 0..10 {
            courier.add(id(n), Urgency::Routine);
        }
        assert_eq!(std::iter::from_fn(|| courier.next(0)).count(), 4);
        courier.add(id(99), Urgency::Flash);
        assert_eq!(courier.next(0).map(|f| f.envelope), Some(id(99)));
        assert_eq!(courier.next(0), None, "nobody else gets such a place");
    }

    #[test]
    fn what_was_put_off_comes_back_in_time_and_an_arrival_ends_a_pause() {
        let mut courier = Courier::new(1);
        courier.add(id(1), Urgency::Routine);
        let flight = courier.next(0).expect("ready");
        assert_eq!(courier.next(0), None, "one at once");
        assert_eq!(courier.ended(flight, AttemptEnd::PutOff(5000), 0, 0), Some(5000));
        assert_eq!((courier.due(), courier.next(4999)), (Some(5000), None));
        let flight = courier.next(5000).expect("due");
        assert_eq!(flight.attempt, 2);
        let pause = courier.unreached(flight, 5000, u64::MAX);
        assert_eq!(courier.next(5000 + pause - 1), None);
        courier.arrived();
        let flight = courier.next(5001).expect("it has connected");
        assert_eq!(flight.attempt, 2, "an attempt that was not made does not count");
        courier.ended(flight, AttemptEnd::Concluded, 5002, 0);
        assert!(courier.is_idle());
    }

    proptest! {
        #[test]
        fn whatever_happens_each_delivery_is_tried_until_it_is_over_and_never_twice_at_once(
            most in 1usize..8, count in 1u8..40, events in prop::collection::vec(0u8..8, 0..400)
        ) {
            let mut courier = Courier::new(most);
            for n in 0..count { courier.add(id(n), Urgency::Routine); }
            let (mut now, mut flying, mut over) = (0, Vec::new(), HashSet::new());
            for event in events.into_iter().chain(std::iter::repeat_n(8, 400)) {
                while let Some(flight) = courier.next(now) {
                    prop_assert!(flying.iter().all(|f: &Flight| f.envelope != flight.envelope));
                    prop_assert!(!over.contains(&flight.envelope), "over is over");
                    flying.push(flight);
                }
                prop_assert!(flying.len() <= most);
                let flight = (!flying.is_empty()).then(|| flying.swap_remove(0));
                match (event, flight) {
                    (0, Some(flight)) => drop(courier.ended(flight, AttemptEnd::Failed, now, now)),
                    (1, Some(flight)) => drop(courier.ended(flight, AttemptEnd::PutOff(70), now, 0)),
                    (2, Some(flight)) => drop(courier.unreached(flight, now, now)),
                    (3, flight) => { courier.arrived(); flying.extend(flight); }
                    (4, flight) => { now += 999; flying.extend(flight); }
                    (_, Some(flight)) => {
                        over.insert(flight.envelope);
                        courier.ended(flight, AttemptEnd::Concluded, now, 0);
                    }
                    // Nothing flies: there is a time at which something will, or nothing is left.
                    (_, None) => match courier.due() {
                        Some(due) => now = now.max(due),
                        None => prop_assert!(courier.is_idle()),
                    },
                }
            }
            prop_assert_eq!(over.len(), usize::from(count));
            prop_assert!(courier.is_idle());
        }
    }
}
