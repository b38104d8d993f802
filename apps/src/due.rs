//! When the deadlines of a thing end. They are computed from what they rest on, and kept nowhere: a new order of the calendar moves
//! what runs without a write.

mod pause;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(crate) use self::pause::record;
use crate::{
    calendar::{NoEnd, Step, Still},
    civil::{Date, Instant, Period, Unit, Zone},
    environment::CaseEnvironment,
    formula::Environment as _,
    manifest::{Due, DueEnd, Ending, Placed},
    reason::Refusal,
    thing::Thing,
    value::{Value, Why},
};

/// The end of a deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Its last day.
    pub day: Date,
    /// The first moment at which it is over.
    pub end: Instant,
    /// How it was found; nothing of one that runs by the clock or is named.
    pub steps: Vec<Step>,
}

impl Moment {
    pub(crate) fn value(&self) -> Value {
        let fields = [("day", Value::Date(self.day)), ("end", Value::Instant(self.end))];
        Value::Map(BTreeMap::from(fields.map(|(name, value)| (name.to_owned(), value))))
    }
}

/// What becomes of a deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Course {
    /// It does not run: what it rests on is not there.
    Idle,
    /// It stands still.
    Still,
    /// What it rests on is there, and it has no end: none in the years that there are, or none that can be worked out.
    Endless,
    /// It ends.
    Ends(Moment),
}

/// When a deadline ends. None when it does not.
pub(crate) fn moment(environment: &CaseEnvironment<'_>, due: &Due) -> Option<Moment> {
    match course(environment, due) {
        Course::Ends(moment) => Some(moment),
        _ => None,
    }
}

/// What becomes of a deadline.
pub(crate) fn course(environment: &CaseEnvironment<'_>, due: &Due) -> Course {
    match &due.end {
        DueEnd::At(at) => match at.formula.value(environment) {
            Value::Date(day) => on(environment.zone(), day, Vec::new()),
            Value::Instant(end) => until(environment.zone(), end),
            other => without(&other),
        },
        DueEnd::After { start, length } => {
            after(environment, due, start, length).unwrap_or_else(|course| course)
        }
    }
}

/// What becomes of a deadline that rests on something that is no time: that is not there yet, or it never will be one.
fn without(value: &Value) -> Course {
    match value {
        Value::None
        | Value::Unknown(Why::Missing(_) | Why::Purged(_) | Why::Sealed(_) | Why::NoRow(_)) => {
            Course::Idle
        }
        _ => Course::Endless,
    }
}

fn on(zone: Zone, day: Date, steps: Vec<Step>) -> Course {
    Course::Ends(Moment { day, end: zone.end(day), steps })
}

fn until(zone: Zone, end: Instant) -> Course {
    // What ends at midnight has the day before as its last.
    let last = end.0.checked_sub(1).and_then(|last| zone.day(Instant(last)));
    let ends = |day| Course::Ends(Moment { day, end, steps: Vec::new() });
    last.map_or(Course::Endless, ends)
}

fn after(
    environment: &CaseEnvironment<'_>,
    due: &Due,
    start: &Placed,
    length: &Placed,
) -> Result<Course, Course> {
    let zone = environment.zone();
    let thing = environment.thing.ok_or(Course::Idle)?;
    let mut start = start.formula.value(environment);
    if let Value::Map(_) = start {
        start = start.field("day");
    }
    let begun = match &start {
        Value::Instant(at) => *at,
        Value::Date(day) => zone.begin(*day),
        other => return Err(without(other)),
    };
    let again = due.restart.iter().filter_map(|act| thing.when(act)).max();
    if let Some(again) = again.filter(|again| *again > begun) {
        start = Value::Instant(again);
    }
    let length = match length.formula.value(environment) {
        Value::Period(period) => period,
        Value::Text(text) => text.parse().map_err(|_| Course::Endless)?,
        other => return Err(without(&other)),
    };
    let more = thing.extended.get(&due.name).copied().unwrap_or(0);
    let spans = pause::spans(thing, due);
    if !length.unit.of_days() {
        // Hours from a day have no beginning.
        let Value::Instant(at) = start else { return Err(Course::Endless) };
        let count = length.count.checked_add(more).ok_or(Course::Endless)?;
        let total = Period::new(count, length.unit).and_then(Period::seconds);
        return Ok(until(zone, pause::clock(at, total.ok_or(Course::Endless)?, spans)?));
    }
    let from = match start {
        Value::Instant(at) => zone.day(at).ok_or(Course::Endless)?,
        Value::Date(day) => day,
        other => return Err(without(&other)),
    };
    let days = spans.map(|(from, to)| (zone.date(from), to.map(|to| zone.date(to))));
    match environment.calendar.term(due.rule, from, length, more, &Still::new(days)) {
        Ok(found) => Ok(on(zone, found.last, found.steps)),
        Err(NoEnd::Still) => Err(Course::Still),
        Err(NoEnd::Beyond) => Err(Course::Endless),
    }
}

/// By how much a deadline is extended in all once the act of its `extend` is done, or why it may not be.
///
/// # Errors
/// The refusal: it is over, or does not run, or it is more than is left.
pub(crate) fn extension(environment: &CaseEnvironment<'_>, due: &Due) -> Result<i32, Refusal> {
    let unknown = || Refusal::Unknown { what: format!("due.{}", due.name) };
    let (Some(extend), Some(thing)) = (&due.extend, environment.thing) else {
        return Err(unknown());
    };
    match course(environment, due) {
        Course::Ends(moment) if environment.lodged >= moment.end => {
            let day = moment.day.to_string();
            return Err(Refusal::Window { due: due.name.clone(), day, early: false });
        }
        // A named day has no length to which anything could be added.
        Course::Ends(_) | Course::Still if matches!(due.end, DueEnd::After { .. }) => {}
        _ => return Err(unknown()),
    }
    let whole = |placed: &Placed| match placed.formula.value(environment) {
        Value::Int(count) => Ok(count),
        Value::Unknown(Why::Cost) => Err(Refusal::Cost),
        Value::Unknown(why) => Err(Refusal::Unknown { what: why.to_string() }),
        other => Err(Refusal::Unknown { what: other.kind().to_owned() }),
    };
    let (by, most) = (whole(&extend.by)?, whole(&extend.most)?);
    let already = i128::from(thing.extended.get(&due.name).copied().unwrap_or(0));
    let left = most.saturating_sub(already).max(0);
    if !(1..=left).contains(&by) {
        let left = format!("{left} {}", unit(environment, due));
        return Err(Refusal::Extension { due: due.name.clone(), left });
    }
    already.checked_add(by).and_then(|sum| i32::try_from(sum).ok()).ok_or_else(unknown)
}

/// In what a deadline is counted, as manifests write it.
fn unit(environment: &CaseEnvironment<'_>, due: &Due) -> String {
    let DueEnd::After { length, .. } = &due.end else { return String::new() };
    let period = match length.formula.value(environment) {
        Value::Period(period) => Some(period),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    };
    let unit =
        period.map(|period| if due.rule.working(period) { Unit::WorkingDay } else { period.unit });
    unit.map_or_else(String::new, |unit| unit.name().to_owned())
}

/// Which one of a deadline runs: each act or state that it starts from and each restart begins another. A pause or an extension
/// goes on with the one that there is: what was met stays met, and what has passed has passed.
pub(crate) fn generation(thing: &Thing, due: &Due) -> u32 {
    let (DueEnd::At(start) | DueEnd::After { start, .. }) = &due.end;
    let starts = start.formula.paths().into_iter().filter_map(|path| match path.as_slice() {
        [root, name, ..] if root == "when" || root == "filed" => Some(name.clone()),
        _ => None,
    });
    let names: Vec<_> = starts.chain(due.restart.iter().cloned()).collect();
    names.iter().fold(0u32, |sum, name| sum.saturating_add(thing.counted(name)))
}

/// Whether a deadline starts from an act, or begins again by it.
pub(crate) fn begins_with(due: &Due, act: &str) -> bool {
    let (DueEnd::At(start) | DueEnd::After { start, .. }) = &due.end;
    let starts = start.formula.paths().iter().any(|path| match path.as_slice() {
        [root, name, ..] => (root == "when" || root == "filed") && name == act,
        _ => false,
    });
    starts || due.restart.iter().any(|name| name == act)
}

/// How often a deadline may begin anew.
pub(crate) const MOST_GENERATIONS: u32 = 10_000;

/// Whether something comes of a deadline if it passes now: it runs, was not met, and what follows is possible.
pub(crate) fn lives(environment: &CaseEnvironment<'_>, thing: &Thing, due: &Due) -> bool {
    let ended = environment.case.state(&thing.state).is_none_or(|state| state.end);
    let generation = generation(thing, due);
    // A deadline that begins itself anew each time that it passes ends some time.
    let over = thing.over.get(&due.name) == Some(&generation) || generation > MOST_GENERATIONS;
    let possible = match &due.then {
        None => false,
        Some(Ending::Breach | Ending::State(_)) => true,
        Some(Ending::Act(name)) => environment
            .case
            .act(name)
            .is_some_and(|act| act.from.is_empty() || act.from.contains(&thing.state)),
    };
    !ended && !over && possible
}
