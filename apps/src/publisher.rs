//! Publishers: who stands behind a module, a table, a code list or an order of the calendar, and how high. Who appoints says it once
//! of each; whoever files something of a publisher names him.

use chancery_certs::AgencyName;
use chancery_crypto::cbor;
use chancery_protocol::FormValue;
use serde::{Deserialize, Serialize};

use crate::{
    input::Input,
    office::{OFFICE, applied, text},
    reason::{Reason, Refusal},
    record::Applied,
    state::{Family, Key, Overlay, State, StateError},
};

/// The highest rank.
const MOST_RANK: i64 = 99;

/// A publisher. Nobody in particular is the agency itself, at the lowest rank.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Publisher {
    pub name: String,
    pub rank: u8,
    /// The module of which it speaks; of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

fn key(name: &str) -> Key {
    Key::new(Family::Appointment, OFFICE).name("publisher").value(name)
}

/// Decides that an agency is a publisher of a rank. Whoever may is asked before.
pub(crate) fn name(
    overlay: &mut Overlay<'_>,
    input: &Input,
) -> Result<Result<Applied, Vec<Reason>>, StateError> {
    let field = |name: &str| {
        let why = Refusal::Field { field: name.to_owned() };
        Ok(Err(vec![Reason { rule: format!("{OFFICE}/publisher"), law: None, why }]))
    };
    let name = text(input, "agency").filter(|name| name.parse::<AgencyName>().is_ok());
    let Some(name) = name else { return field("agency") };
    let rank = match input.document.form().get("rank") {
        Some(FormValue::Int(rank @ 1..=MOST_RANK)) => u8::try_from(*rank).unwrap_or(1),
        _ => return field("rank"),
    };
    let of = text(input, "of").map(str::to_owned);
    let kept = Publisher { name: name.to_owned(), rank, of };
    overlay.put(key(name), cbor::encode(&kept).expect("plain"));
    Ok(Ok(applied("publisher", name.to_owned(), "named")))
}

/// The publisher that a document names, for something of a module; or whom what it brings along names itself.
pub(crate) fn of(
    state: &dyn State,
    input: &Input,
    module: &str,
    own: Option<&str>,
) -> Result<Result<Publisher, Refusal>, StateError> {
    let field = |field: &str| Ok(Err(Refusal::Field { field: field.to_owned() }));
    let given = input.document.form().get("rank");
    let named = text(input, "publisher");
    if own.is_some() && named.is_some() && named != own {
        return field("publisher");
    }
    let Some(name) = named.or(own) else {
        // Nobody stands higher by saying so.
        return match given {
            None | Some(FormValue::Int(0)) => Ok(Ok(Publisher::default())),
            Some(_) => field("rank"),
        };
    };
    let Some(bytes) = state.get(&key(name))? else {
        return Ok(Err(Refusal::NoPublisher { name: name.to_owned(), of: module.to_owned() }));
    };
    let found: Publisher = cbor::decode(&bytes).map_err(StateError::damaged)?;
    if found.of.as_ref().is_some_and(|of| of != module) {
        return Ok(Err(Refusal::NoPublisher { name: name.to_owned(), of: module.to_owned() }));
    }
    match given {
        Some(FormValue::Int(rank)) if *rank != i64::from(found.rank) => field("rank"),
        None | Some(FormValue::Int(_)) => Ok(Ok(found)),
        Some(_) => field("rank"),
    }
}
