//! The office: who is appointed to what, which modules and calendars are in force. A module like others, in Rust: every setting that
//! a decision reads is a signed document in the ledger.

use chancery_crypto::{Digest, cbor};
use chancery_protocol::FormValue;
use serde::{Deserialize, Serialize};

use crate::{
    calendar::{Calendar, Year},
    civil::{Date, Instant},
    input::Input,
    jurisdiction::{Held, is_path},
    kernel::Kernel,
    mandates::{self, COUNTER, REGISTRAR},
    manifest::Module,
    migration, office_codes, office_tables, office_versions,
    publisher::{self, Publisher},
    reason::{Reason, Refusal},
    record::Applied,
    state::{Family, Key, Overlay, State, StateError},
};

/// Its name.
pub const OFFICE: &str = "office";

/// The role that appoints.
pub const APPOINTER: &str = "appointer";

/// The role that installs modules and calendars.
pub const KEEPER: &str = "module-keeper";

/// The acts of the office.
pub const ACTS: [&str; 13] = [
    "appoint",
    "dismiss",
    "install",
    "confirm",
    "migrate",
    "calendar",
    "table",
    "codes",
    "publisher",
    "empower",
    "revoke",
    "guardian",
    "end-guardian",
];

/// An appointment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Appointment {
    /// Since when, in seconds since 1970 UTC.
    pub from: i64,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// By which document.
    pub document: String,
}

/// An appointment, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Appointed {
    /// The role.
    pub role: String,
    /// The officer.
    pub officer: String,
    /// In which office, by its path; none: in the whole agency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub office: Option<String>,
    /// Since when, in seconds since 1970 UTC.
    pub from: i64,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// By which document.
    pub document: String,
}

/// The most appointments of a module: they stand in one row.
const MOST_APPOINTED: usize = 2_000;

fn appointed_key(module: &str) -> Key {
    Key::new(Family::Appointment, module).name("listed")
}

/// All appointments to roles of a module, those that have ended included, by role, officer and office.
///
/// # Errors
/// [`StateError`].
pub fn appointed(state: &dyn State, module: &str) -> Result<Vec<Appointed>, StateError> {
    match state.get(&appointed_key(module))? {
        None => Ok(Vec::new()),
        Some(bytes) => cbor::decode_within(&bytes, bytes.len()).map_err(StateError::damaged),
    }
}

/// A module that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Installed {
    /// The digest of its folder.
    pub digest: Digest,
    /// Its version, as its makers call it.
    pub version: String,
    /// Since when, in seconds since 1970 UTC.
    pub since: i64,
    /// By whom.
    pub by: String,
    /// By which document.
    pub document: String,
    /// The second officer, where one was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<String>,
}

/// The key of an appointment: those of one officer to one role stand beside each other, by their offices.
pub(crate) fn appointment(module: &str, role: &str, officer: &str, office: Option<&str>) -> Key {
    let key = Key::new(Family::Appointment, module).name(role).value(officer);
    key.id(office.unwrap_or_default())
}

/// Where somebody holds a role of a module at a moment.
pub(crate) fn holds(
    state: &dyn State,
    module: &str,
    role: &str,
    officer: &str,
    at: Instant,
) -> Result<Held, StateError> {
    let mut held = Held::default();
    // Nobody of that name was ever appointed to anything, and what else stands under it is no appointment.
    if officer.is_empty() {
        return Ok(held);
    }
    let beside = appointment(module, role, officer, None);
    for (key, bytes) in state.scan(&beside, "", MOST_APPOINTED)? {
        let one: Appointment = cbor::decode(&bytes).map_err(StateError::damaged)?;
        if one.from <= at.0 && one.until.is_none_or(|until| at.0 < until) {
            match key.id.is_empty() {
                true => held.whole = true,
                false => held.offices.push(key.id),
            }
        }
    }
    Ok(held)
}

/// The key under which the version in force stands.
pub(crate) fn in_force(module: &str) -> Key {
    Key::new(Family::Module, module).name("in-force")
}

/// The key of a folder.
pub(crate) fn folder(digest: &Digest) -> Key {
    Key::new(Family::Module, "").name("folder").id(&digest.to_string())
}

/// The names of all modules that are in force stand beside each other.
pub(crate) fn listed() -> Key {
    Key::new(Family::Module, "").name("listed")
}

/// The module that is in force under a name.
///
/// # Errors
/// [`StateError`].
pub fn installed(state: &dyn State, module: &str) -> Result<Option<Installed>, StateError> {
    let found = state.get(&in_force(module))?;
    found.map(|bytes| cbor::decode(&bytes).map_err(StateError::damaged)).transpose()
}

/// What the calendar in force is known by; none when no order was recorded.
pub(crate) fn calendar_digest(state: &dyn State) -> Result<Option<Digest>, StateError> {
    let found = state.get(&calendar_key())?;
    found.map(|bytes| cbor::decode(&bytes).map_err(StateError::damaged)).transpose()
}

pub(crate) fn calendar_key() -> Key {
    Key::new(Family::Calendar, "").name("in-force")
}

/// The calendar in force.
pub(crate) fn calendar(state: &dyn State) -> Result<Calendar, StateError> {
    let mut calendar = Calendar::default();
    for (key, bytes) in state.scan(&Key::new(Family::Calendar, ""), "", 400)? {
        let year = key.id.parse().map_err(StateError::damaged)?;
        let order: Year = cbor::decode(&bytes).map_err(StateError::damaged)?;
        calendar.set(year, order);
    }
    Ok(calendar)
}

pub(crate) fn reason(rule: &str, why: Refusal) -> Reason {
    Reason { rule: format!("{OFFICE}/{rule}"), law: None, why }
}

/// Decides an act of the office. The module is the one in force of which an appointment speaks, if there is one.
pub(crate) fn decide(
    kernel: &Kernel,
    overlay: &mut Overlay<'_>,
    input: &Input,
    act: &str,
    module: Option<&Module>,
) -> Result<Result<Applied, Vec<Reason>>, StateError> {
    let refused = |why| Ok(Err(vec![reason(act, why)]));
    if !ACTS.contains(&act) {
        return refused(Refusal::NoAct);
    }
    if input.document.header.kind != act {
        return refused(Refusal::OtherType { wanted: act.to_owned() });
    }
    // What the office is told, everybody tells it himself.
    if let Some(behalf) = input.document.filing().and_then(|filing| filing.behalf.as_ref()) {
        return refused(Refusal::NoProxy { how: behalf.how });
    }
    if mandates::ACTS.contains(&act) {
        return mandates::decide(overlay, input, act);
    }
    let signer = input.document.signer();
    let role = match act {
        "appoint" | "dismiss" | "publisher" => APPOINTER,
        _ => KEEPER,
    };
    let first =
        act == "appoint" && input.facts.first.as_ref() == Some(&signer.name) && unfounded(overlay)?;
    // Who appoints and installs does so for the whole agency.
    if !first && !holds(overlay, OFFICE, role, &signer.name, input.lodged)?.whole {
        let why =
            Refusal::NotEntitled { who: signer.name, by: vec![role.to_owned()], office: None };
        return refused(why);
    }
    match act {
        "appoint" | "dismiss" => appoint(overlay, input, act, module),
        "install" => office_versions::install(overlay, input),
        "confirm" => office_versions::confirm(overlay, input),
        "migrate" => migration::file(kernel, overlay, input),
        "table" => office_tables::file(overlay, input),
        "codes" => office_codes::file(kernel, overlay, input),
        "publisher" => publisher::name(overlay, input),
        _ => order(overlay, input),
    }
}

/// Whether nobody was ever appointed here to appoint others: then whom the node's settings name does it, once.
fn unfounded(state: &dyn State) -> Result<bool, StateError> {
    Ok(state.get(&founded())?.is_none())
}

fn founded() -> Key {
    Key::new(Family::Appointment, OFFICE).name("founded")
}

pub(crate) fn text<'a>(input: &'a Input, field: &str) -> Option<&'a str> {
    match input.document.form().get(field) {
        Some(FormValue::Text(text)) if !text.trim().is_empty() && text.len() <= 400 => Some(text),
        _ => None,
    }
}

fn missing(act: &str, field: &str) -> Result<Result<Applied, Vec<Reason>>, StateError> {
    Ok(Err(vec![reason(act, Refusal::Field { field: field.to_owned() })]))
}

pub(crate) fn applied(kind: &str, thing: String, state: &str) -> Applied {
    Applied {
        case: kind.to_owned(),
        thing,
        sequence: 1,
        state: state.to_owned(),
        ..Applied::default()
    }
}

fn appoint(
    overlay: &mut Overlay<'_>,
    input: &Input,
    act: &str,
    described: Option<&Module>,
) -> Result<Result<Applied, Vec<Reason>>, StateError> {
    let Some(officer) = text(input, "officer").filter(|name| name.contains('@')) else {
        return missing(act, "officer");
    };
    let Some(role) = text(input, "role") else { return missing(act, "role") };
    let module = text(input, "of").unwrap_or(OFFICE);
    if module == OFFICE && !matches!(role, APPOINTER | KEEPER | REGISTRAR | COUNTER) {
        return missing(act, "role");
    }
    // Parties hold their roles by what they are, and no office of an agency's.
    let of_parties = described.is_some_and(|module| module.party_roles.contains_key(role));
    if of_parties || officer.parse::<chancery_certs::PartyName>().is_ok() {
        return missing(act, if of_parties { "role" } else { "officer" });
    }
    let until = match input.document.form().get("until") {
        None => None,
        Some(FormValue::Text(day)) => match day.parse::<Date>() {
            Ok(day) => Some(crate::civil::Zone::CHINA.end(day).0),
            Err(_) => return missing(act, "until"),
        },
        Some(_) => return missing(act, "until"),
    };
    let office = match input.document.form().get("office") {
        None => None,
        // The roles of the office itself are held in the whole agency.
        Some(FormValue::Text(path)) if is_path(path) && module != OFFICE => Some(path.as_str()),
        Some(_) => return missing(act, "office"),
    };
    let by_office = described.is_some_and(|module| module.is_of_an_office(role));
    if act == "appoint" && by_office && office.is_none() {
        return missing(act, "office");
    }
    let key = appointment(module, role, officer, office);
    let document = input.document.id.to_string();
    let kept = match act {
        "appoint" => Appointment { from: input.lodged.0, until, document },
        _ => {
            let Some(bytes) = overlay.get(&key)? else {
                return Ok(Err(vec![reason(act, Refusal::NoThing)]));
            };
            let held: Appointment = cbor::decode(&bytes).map_err(StateError::damaged)?;
            // What has ended before does not last until now by that.
            let until = held.until.map_or(input.lodged.0, |until| until.min(input.lodged.0));
            Appointment { until: Some(until), document, ..held }
        }
    };
    let mut all = appointed(overlay, module)?;
    let own = (role, officer, office);
    all.retain(|one| (one.role.as_str(), one.officer.as_str(), one.office.as_deref()) != own);
    if all.len() == MOST_APPOINTED {
        return missing(act, "of");
    }
    all.push(Appointed {
        role: role.to_owned(),
        officer: officer.to_owned(),
        office: office.map(str::to_owned),
        from: kept.from,
        until: kept.until,
        document: kept.document.clone(),
    });
    all.sort_by(|a, b| (&a.role, &a.officer, &a.office).cmp(&(&b.role, &b.officer, &b.office)));
    overlay.put(appointed_key(module), cbor::encode(&all).expect("plain"));
    overlay.put(key, cbor::encode(&kept).expect("plain"));
    overlay.put(founded(), Vec::new());
    let state = if act == "appoint" { "appointed" } else { "dismissed" };
    let place = office.map(|office| format!("/{office}")).unwrap_or_default();
    Ok(Ok(applied("appointment", format!("{module}/{role}/{officer}{place}"), state)))
}

/// The order of a year.
fn order(
    overlay: &mut Overlay<'_>,
    input: &Input,
) -> Result<Result<Applied, Vec<Reason>>, StateError> {
    let year = match input.document.form().get("year") {
        Some(FormValue::Int(year)) if (1900..=9000).contains(year) => *year,
        _ => return missing("calendar", "year"),
    };
    let Some(source) = text(input, "source") else { return missing("calendar", "source") };
    let mut order = Year { source: source.to_owned(), ..Year::default() };
    for (field, days) in [("off", &mut order.off), ("work", &mut order.work)] {
        let Some(FormValue::List(list)) = input.document.form().get(field) else {
            return missing("calendar", field);
        };
        for day in list {
            let FormValue::Text(day) = day else { return missing("calendar", field) };
            match day.parse::<Date>() {
                Ok(day) if i64::from(day.year()) == year => days.insert(day),
                _ => return missing("calendar", field),
            };
        }
    }
    // A day is off, or people work on it.
    if !order.off.is_disjoint(&order.work) {
        return missing("calendar", "work");
    }
    let of = match publisher::of(overlay, input, OFFICE, None)? {
        Ok(of) => of,
        Err(why) => return Ok(Err(vec![reason("calendar", why)])),
    };
    // An order of somebody who stands lower changes none of whoever stands higher; a later one of the same replaces it.
    let ranked = Key::new(Family::Calendar, "").name("ranked").id(&year.to_string());
    if let Some(bytes) = overlay.get(&ranked)? {
        let held: Publisher = cbor::decode(&bytes).map_err(StateError::damaged)?;
        if held.rank > of.rank {
            let why = Refusal::LowerRank { publisher: held.name, rank: held.rank };
            return Ok(Err(vec![reason("calendar", why)]));
        }
    }
    if of != Publisher::default() {
        overlay.put(ranked, cbor::encode(&of).expect("plain"));
    }
    let key = Key::new(Family::Calendar, "").id(&year.to_string());
    overlay.put(key, cbor::encode(&order).expect("plain"));
    // All orders together, by which whoever has read them knows that they are the same.
    let all = overlay.scan(&Key::new(Family::Calendar, ""), "", 400)?;
    let all: Vec<_> = all.iter().map(|(key, bytes)| (&key.id, Digest::of(bytes))).collect();
    let digest = Digest::of(&cbor::encode(&all).expect("plain"));
    overlay.put(calendar_key(), cbor::encode(&digest).expect("plain"));
    Ok(Ok(applied("calendar", year.to_string(), "in-force")))
}
