//! Bookings: something of which so many units can be had at once. The order of the ledger decides, so that nothing is booked twice;
//! whoever comes too late is told which slots are free next.

use chancery_crypto::cbor;
use serde::{Deserialize, Serialize};

use crate::{
    case::{Decided, Deciding},
    civil::Instant,
    environment::CaseEnvironment,
    manifest::Booking,
    reason::Refusal,
    state::{Family, Key, Overlay, State, StateError},
    thing::Thing,
    value::Value,
};

/// A slot that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub booking: String,
    pub resource: String,
    pub from: Instant,
    pub to: Instant,
    pub units: u32,
    pub firm: bool,
}

/// A slot that is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Taken {
    from: i64,
    to: i64,
    units: u32,
    /// Whether it is more than held.
    firm: bool,
    case: String,
    thing: String,
}

/// The longest that something is booked, in seconds: what began before that cannot be in the way.
const LONGEST: i64 = 366 * 86_400;

/// The most bookings of one resource that are looked at.
const MOST_TAKEN: usize = 10_000;

/// How many slots are tried for the next that is free.
const MOST_TRIED: i64 = 1_000;

fn key(module: &str, booking: &str, resource: &str) -> Key {
    Key::new(Family::Booking, module).name(booking).value(resource)
}

/// What is taken of a resource that may last beyond a moment. None when that is more than can be looked at.
fn taken(
    state: &dyn State,
    module: &str,
    booking: &str,
    resource: &str,
    from: Instant,
) -> Result<Option<Vec<Taken>>, StateError> {
    let after = format!("{:020}", (from.0 - LONGEST).max(0));
    let rows = state.scan(&key(module, booking, resource), &after, MOST_TAKEN)?;
    if rows.len() == MOST_TAKEN {
        return Ok(None);
    }
    let each = rows.into_iter().map(|(_, bytes)| cbor::decode(&bytes));
    each.collect::<Result<_, _>>().map(Some).map_err(StateError::damaged)
}

/// The most units that are taken at any moment between two.
fn most_at_once(taken: &[Taken], from: i64, to: i64) -> u64 {
    let within = taken.iter().filter(|one| one.from < to && from < one.to);
    // What ends at a moment is free again for what begins at it.
    let edges = within.flat_map(|one| {
        let units = i64::from(one.units);
        [(one.from.max(from), units), (one.to, -units)]
    });
    let mut edges: Vec<_> = edges.collect();
    edges.sort_unstable();
    let (mut now, mut most) = (0i64, 0i64);
    for (_, units) in edges {
        now = now.saturating_add(units);
        most = most.max(now);
    }
    most.unsigned_abs()
}

fn capacity(booking: &Booking, resource: &str, environment: CaseEnvironment<'_>) -> Option<u64> {
    let mut environment = environment;
    environment.counts.insert("resource", Value::text(resource));
    match booking.units.formula.value(&environment) {
        Value::Int(n) => u64::try_from(n).ok(),
        _ => None,
    }
}

pub(super) fn book(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    wanted: &Wanted,
    thing: &mut Thing,
) -> Decided<()> {
    let module = deciding.module.name();
    let gone = || StateError::damaged("a booking that was checked is gone");
    let booking = deciding.module.bookings.get(&wanted.booking).ok_or_else(gone)?;
    let refused = |why| Ok(Err(vec![deciding.reason(rule, Some(&booking.law), why)]));
    let slot = booking.slot.seconds().unwrap_or(60).max(1);
    let zone = deciding.module.zone;
    let offset = zone.begin(zone.date(wanted.from)).0;
    let on_slot = |at: Instant| (at.0 - offset).rem_euclid(slot) == 0;
    let length = wanted.to.0 - wanted.from.0;
    if length <= 0 || length > LONGEST || !on_slot(wanted.from) || !on_slot(wanted.to) {
        let what = format!("{} - {}", zone.show(wanted.from), zone.show(wanted.to));
        return refused(Refusal::Slot { what, slot: booking.slot.to_string() });
    }
    let units = {
        let environment = deciding.looking(overlay, thing);
        capacity(booking, &wanted.resource, environment)
    };
    let Some(units) = units else {
        return refused(Refusal::Unknown { what: wanted.resource.clone() });
    };
    let Some(all) = taken(overlay, module, &booking.name, &wanted.resource, wanted.from)? else {
        return refused(Refusal::Cost);
    };
    let fits = |from: i64, to: i64| most_at_once(&all, from, to) + u64::from(wanted.units) <= units;
    if !fits(wanted.from.0, wanted.to.0) {
        let starts = (1..=MOST_TRIED).map(|n| wanted.from.0 + n * slot);
        let free = starts.filter(|from| fits(*from, from + length)).take(booking.offer);
        let next = free.map(|from| zone.show(Instant(from))).collect();
        return refused(Refusal::Taken { resource: wanted.resource.clone(), next });
    }
    let one = Taken {
        from: wanted.from.0,
        to: wanted.to.0,
        units: wanted.units,
        firm: wanted.firm,
        case: deciding.case.name.clone(),
        thing: deciding.id.to_owned(),
    };
    let id = format!("{:020}/{}/{}", wanted.from.0.max(0), deciding.id, thing.booked.len());
    let key = key(module, &booking.name, &wanted.resource).id(&id);
    thing.booked.push(key.clone());
    overlay.put(key, cbor::encode(&one).expect("plain"));
    Ok(Ok(()))
}

/// Makes what a thing holds of a booking firm, or gives it back.
pub(super) fn settle(
    overlay: &mut Overlay<'_>,
    booking: &str,
    keep: bool,
    thing: &mut Thing,
) -> Result<(), StateError> {
    let own = thing.booked.iter().filter(|key| key.name == booking);
    for key in own {
        match (keep, overlay.get(key)?) {
            (false, _) => overlay.delete(key.clone()),
            (true, Some(bytes)) => {
                let taken: Taken = cbor::decode(&bytes).map_err(StateError::damaged)?;
                let firm = Taken { firm: true, ..taken };
                overlay.put(key.clone(), cbor::encode(&firm).expect("plain"));
            }
            (true, None) => {}
        }
    }
    if !keep {
        thing.booked.retain(|key| key.name != booking);
    }
    Ok(())
}

/// How many units are free of a resource between two moments.
pub(crate) fn free(
    environment: CaseEnvironment<'_>,
    booking: &Booking,
    resource: &str,
    from: Instant,
    to: Instant,
) -> Result<Value, StateError> {
    let (state, module) = (environment.state, environment.module.name());
    let all = taken(state, module, &booking.name, resource, from)?;
    let units = capacity(booking, resource, environment);
    Ok(match (all, units) {
        (Some(all), Some(units)) => {
            Value::Int(units.saturating_sub(most_at_once(&all, from.0, to.0)).into())
        }
        _ => Value::Unknown(crate::value::Why::NoRow(resource.to_owned())),
    })
}
