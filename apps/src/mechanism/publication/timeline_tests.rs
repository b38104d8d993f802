use proptest::prelude::*;

use super::timeline::{Event, Status, Timeline};
use crate::manifest::EventKind;

fn event() -> impl Strategy<Value = (EventKind, i32, Option<i32>, Vec<String>)> {
    let kind = prop::sample::select(vec![
        EventKind::Publish,
        EventKind::Amend,
        EventKind::Correct,
        EventKind::Commence,
        EventKind::Suspend,
        EventKind::Resume,
        EventKind::Repeal,
        EventKind::Withdraw,
    ]);
    let parts = prop::collection::vec(prop::sample::select(vec!["1", "1.1", "2"]), 0..2);
    (kind, 0i32..12, prop::option::of(0i32..12), parts).prop_map(|(kind, on, from, parts)| {
        (kind, on, from, parts.into_iter().map(str::to_owned).collect())
    })
}

proptest! {
    /// Events of which each was taken only when all follow each other: on every day a work, its versions and parts are something,
    /// or it was not published; what was withdrawn stays so; and the order in which they were decided does not matter but for
    /// events of one kind on one day.
    #[test]
    fn whatever_was_taken_follows(wanted in prop::collection::vec(event(), 1..14)) {
        let day = |n: i32| crate::civil::Date::new(2026, 1, 1).and_then(|d| d.plus_days(n)).expect("a day");
        let mut events: Vec<Event> = Vec::new();
        let mut versions = 0;
        for (kind, on, from, parts) in wanted {
            let brings = matches!(kind, EventKind::Publish | EventKind::Amend);
            let event = Event {
                number: events.len() as u32 + 1,
                event: kind.name().into(),
                kind,
                rank: kind as u32,
                on: day(on),
                from: brings.then_some(from).flatten().map(|from| day(from.max(on))),
                version: brings.then_some(versions + 1),
                edition: 0,
                parts: if kind.of_parts() { parts } else { Vec::new() },
                reason: None,
                by: None,
                shown: 0,
                at: 0,
                thing: String::new(),
                document: None,
            };
            events.push(event);
            match Timeline::all(&events).check() {
                Ok(()) => versions += u32::from(brings),
                Err(_) => drop(events.pop()),
            }
        }
        let timeline = Timeline::all(&events);
        let mut gone = false;
        for n in -1..14 {
            let whole = timeline.whole(day(n));
            prop_assert_eq!(whole.is_some(), timeline.version(day(n)).is_some());
            if gone {
                prop_assert_eq!(whole, Some(Status::Withdrawn));
            }
            gone = whole == Some(Status::Withdrawn);
            for address in ["1", "1.1", "1.1.1", "2", "3"] {
                let part = timeline.of_part(address, day(n));
                // Nothing of a work is better off than the whole.
                prop_assert!(part >= whole, "{:?} {:?}", part, whole);
            }
            let current = (1..=versions).filter(|v| {
                let status = timeline.of_version(*v, day(n));
                status.is_some() && !matches!(status, Some(Status::Amended | Status::NotYet))
            });
            prop_assert!(gone || current.count() <= 1);
        }
        let mut shuffled: Vec<Event> = events.clone();
        shuffled.reverse();
        let other = Timeline::all(&shuffled);
        for n in -1..14 {
            prop_assert_eq!(timeline.whole(day(n)), other.whole(day(n)));
            prop_assert_eq!(timeline.version(day(n)), other.version(day(n)));
        }
    }
}
