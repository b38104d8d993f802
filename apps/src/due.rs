//! When the deadlines of a thing end. They are computed from what they rest on, and kept nowhere: a new order of the calendar moves
//! what runs without a write.

use std::collections::BTreeMap;

use crate::{
    calendar::{Derivation, Step},
    civil::{Date, Instant, Period, Unit},
    environment::CaseEnvironment,
    formula::Environment as _,
    manifest::{Due, DueEnd, Ending},
    thing::Thing,
    value::Value,
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

/// When a deadline ends. None when it does not run: what it rests on is not there, or it stands still.
pub(crate) fn moment(environment: &CaseEnvironment<'_>, due: &Due) -> Option<Moment> {
    let zone = environment.zone();
    let named = |value: Value| match value {
        Value::Date(day) => Some(Moment { day, end: zone.end(day), steps: Vec::new() }),
        Value::Instant(end) => {
            // What ends at midnight has the day before as its last.
            let last = zone.date(Instant(end.0 - 1));
            Some(Moment { day: last, end, steps: Vec::new() })
        }
        _ => None,
    };
    let (start, length) = match &due.end {
        DueEnd::At(at) => return named(at.formula.value(environment)),
        DueEnd::After { start, length } => (start, length),
    };
    let thing = environment.thing?;
    let mut start = start.formula.value(environment);
    if let Value::Map(_) = start {
        start = start.field("day");
    }
    let begun = match &start {
        Value::Instant(at) => *at,
        Value::Date(day) => zone.begin(*day),
        _ => return None,
    };
    let again = due.restart.iter().filter_map(|act| thing.when(act)).max();
    if let Some(again) = again.filter(|again| *again > begun) {
        start = Value::Instant(again);
    }
    let length = match length.formula.value(environment) {
        Value::Period(period) => period,
        Value::Text(text) => text.parse().ok()?,
        _ => return None,
    };
    let extended = thing.extended.get(&due.name).copied().unwrap_or(0);
    if let Some(seconds) = length.seconds() {
        let Value::Instant(at) = start else { return None };
        return named(Value::Instant(Instant(at.0.checked_add(seconds)?)));
    }
    let from = match start {
        Value::Instant(at) => zone.date(at),
        Value::Date(day) => day,
        _ => return None,
    };
    let pauses = pauses(thing, due, environment)?;
    let found = count(environment, due, from, length, extended, &pauses)?;
    Some(Moment { day: found.last, end: zone.end(found.last), steps: found.steps })
}

/// The days that do not count: from the day after the one act up to that of the other. None while it stands still.
fn pauses(
    thing: &Thing,
    due: &Due,
    environment: &CaseEnvironment<'_>,
) -> Option<Vec<(Date, Date)>> {
    let zone = environment.zone();
    let mut found = Vec::new();
    for pause in &due.pause {
        let Some(from) = thing.when(&pause.from) else { continue };
        match thing.when(&pause.to).filter(|to| *to >= from) {
            Some(to) => found.push((zone.date(from), zone.date(to))),
            None => return None,
        }
    }
    Some(found)
}

fn count(
    environment: &CaseEnvironment<'_>,
    due: &Due,
    from: Date,
    length: Period,
    extended: i32,
    pauses: &[(Date, Date)],
) -> Option<Derivation> {
    let calendar = environment.calendar;
    let more = Period::new(length.count.checked_add(extended)?, length.unit);
    let length = if extended != 0 && matches!(length.unit, Unit::Day | Unit::WorkingDay) {
        more?
    } else {
        length
    };
    let mut found = calendar.due(due.rule, from, length)?;
    let (mut steps, mut moved) = (Vec::new(), 0);
    for (begin, end) in pauses {
        // Only days within the term stand still.
        if *begin < found.last && *end > *begin && *end > from {
            moved += (*begin).max(from).days_to(*end);
            steps.push(Step::Pause(*begin, *end));
        }
    }
    if moved > 0 {
        let whole = match length.unit {
            Unit::Day | Unit::WorkingDay => {
                // Working days that stood still are counted again as such.
                let working = found.steps.iter().any(|step| matches!(step, Step::Skip(..)))
                    || length.unit == Unit::WorkingDay;
                let days = match working {
                    true => pauses
                        .iter()
                        .filter_map(|(a, b)| calendar.working_days(a.next()?, *b))
                        .sum(),
                    false => moved,
                };
                calendar.due(
                    due.rule,
                    from,
                    Period::new(length.count.checked_add(days)?, length.unit)?,
                )?
            }
            _ => {
                let plain = crate::calendar::plus(from, length)?;
                calendar.due(due.rule, plain, Period::new(moved, Unit::Day)?)?
            }
        };
        found = whole;
    }
    if extended != 0 {
        found.steps.insert(1, Step::Extend(Period::new(extended, Unit::Day)?));
    }
    found.steps.splice(1..1, steps);
    Some(found)
}

/// Which one of a deadline runs: each act or state that it starts from, each restart, pause and extension begins another.
pub(crate) fn generation(thing: &Thing, due: &Due) -> u32 {
    let formulas = match &due.end {
        DueEnd::At(at) => [Some(at), None],
        DueEnd::After { start, .. } => [Some(start), None],
    };
    let starts = formulas.into_iter().flatten().flat_map(|placed| placed.formula.paths());
    let starts = starts.filter_map(|path| match path.as_slice() {
        [root, name, ..] if root == "when" || root == "filed" => Some(name.clone()),
        _ => None,
    });
    let names: Vec<_> = starts
        .chain(due.restart.iter().cloned())
        .chain(due.pause.iter().map(|pause| pause.to.clone()))
        .chain(due.extend.iter().map(|extend| extend.act.clone()))
        .collect();
    names.iter().fold(0u32, |sum, name| sum.saturating_add(thing.counted(name)))
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
