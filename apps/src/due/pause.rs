//! When a deadline stands still: noted as the acts are done, and taken together when it is counted.

use super::Course;
use crate::{
    calendar::union,
    civil::Instant,
    manifest::{Case, Due},
    thing::{Span, Thing},
};

/// Notes what an act makes of the pauses of all deadlines. What stands still already is not held again by the same pause, and
/// what does not stand still by it does not go on.
///
/// It is noted whether a deadline runs or not. One that was over before is not moved by it, as counting comes to its end first;
/// one that begins in the meantime stands still from its beginning.
pub(crate) fn record(case: &Case, thing: &mut Thing, act: &str, at: Instant) {
    for due in &case.dues {
        for (place, pause) in (0..).zip(&due.pause) {
            let stood = thing.stood.get_mut(&due.name).into_iter().flatten();
            let mut open = stood.filter(|span| span.pause == place && span.to.is_none());
            match open.next() {
                // One that was lodged before the other act ends nothing.
                Some(span) if pause.to == act && at.0 >= span.from => span.to = Some(at.0),
                None if pause.from == act => {
                    let stood = thing.stood.entry(due.name.clone()).or_default();
                    stood.push(Span { pause: place, from: at.0, to: None });
                }
                _ => {}
            }
        }
    }
}

/// The spans in which a deadline stood still, as they were noted.
pub(super) fn spans<'t>(
    thing: &'t Thing,
    due: &Due,
) -> impl Iterator<Item = (Instant, Option<Instant>)> + use<'t> {
    let stood = thing.stood.get(&due.name).into_iter().flatten();
    stood.map(|span| (Instant(span.from), span.to.map(Instant)))
}

/// When a term by the clock ends: it is moved by the exact seconds for which it stood still. One that counts back, or of
/// nothing, is not.
///
/// # Errors
/// [`Course`], when it stands still or has no end.
pub(super) fn clock(
    start: Instant,
    seconds: i64,
    spans: impl IntoIterator<Item = (Instant, Option<Instant>)>,
) -> Result<Instant, Course> {
    let mut end = start.0.checked_add(seconds).ok_or(Course::Endless)?;
    for (from, to) in union(spans) {
        if seconds <= 0 || from.0 >= end {
            break;
        }
        let to = to.ok_or(Course::Still)?;
        let stood = to.0.saturating_sub(from.max(start).0).max(0);
        end = end.checked_add(stood).ok_or(Course::Endless)?;
    }
    Ok(Instant(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spans() -> impl Strategy<Value = Vec<(Instant, Option<Instant>)>> {
        let closed = (-20i64..150, 0i64..30)
            .prop_map(|(from, seconds)| (Instant(from), Some(Instant(from + seconds))));
        let open = (0i64..400).prop_map(|from| (Instant(from), None));
        (prop::collection::vec(closed, 0..5), prop::option::weighted(0.2, open)).prop_map(
            |(mut all, open)| {
                all.extend(open);
                all
            },
        )
    }

    proptest! {
        #[test]
        fn a_term_by_the_clock_is_moved_by_the_seconds_that_stood_still(
            start in 0i64..50, seconds in 1i64..100, spans in spans(),
        ) {
            let (mut at, mut left, mut held) = (start, seconds, false);
            while left > 0 && !held {
                let in_it = |to: &Option<Instant>| to.is_none_or(|to| at < to.0);
                let mut now = spans.iter().filter(|(from, to)| from.0 <= at && in_it(to)).peekable();
                left -= i64::from(now.peek().is_none());
                held = now.any(|(_, to)| to.is_none());
                at += 1;
            }
            let wanted = if held { Err(Course::Still) } else { Ok(Instant(at)) };
            prop_assert_eq!(clock(Instant(start), seconds, spans), wanted);
        }
    }

    #[test]
    fn what_counts_back_or_beyond_all_numbers_has_no_time_to_lose() {
        let held = [(Instant(-50), None)];
        assert_eq!(clock(Instant(0), -10, held), Ok(Instant(-10)));
        assert_eq!(clock(Instant(0), 0, held), Ok(Instant(0)));
        assert_eq!(clock(Instant(i64::MAX), 1, held), Err(Course::Endless));
    }
}
