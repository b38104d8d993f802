//! What a decision owes to other agencies: documents that the seal makes of what was decided, one for each recipient. What is owed is a
//! row until the document is an entry of the ledger; then it stands as sent until its recipient has answered.

use std::collections::BTreeMap;

use chancery_certs::AgencyName;
use chancery_crypto::{Digest, cbor};
use chancery_protocol::{DocumentHeader, DocumentId, Filing, Form, FormValue, MAX_FORM, Urgency};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    case::Deciding,
    input::Document,
    reason::Refusal,
    state::{Family, Key, Overlay, State, StateError},
    thing::Thing,
    value::Value,
};

/// A document that is owed to another agency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owed {
    /// The module of which it is.
    pub module: String,
    /// The version of the module by which it came to be owed.
    pub version: Digest,
    /// The case of the thing that owes it.
    pub case: String,
    /// The thing.
    pub thing: String,
    /// `act/effect`.
    pub rule: String,
    /// The inner act that the thing does when it is refused; none: it is marked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// To whom.
    pub to: AgencyName,
    /// Its form: the document's type.
    pub form: String,
    /// The act that it is there: `case/act`.
    pub act: String,
    /// The thing there; none of an act that opens one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What it is called.
    pub title: String,
    /// What is filled in.
    pub with: Form,
    /// The document whose decision it follows, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<DocumentId>,
}

/// For how long what is owed may be lodged where it goes, in seconds from when it is sealed: a week.
const MOST_LODGED: i64 = 7 * 86_400;

impl Owed {
    /// The header of the document that discharges it, for its agency's seal. `name` is that under which it is owed.
    pub fn header(&self, name: &Digest, from: &AgencyName, now: i64) -> DocumentHeader {
        let filing = Filing {
            behalf: None,
            home: self.to.clone(),
            act: self.act.clone(),
            about: self.about.clone(),
            seen: None,
            reason: None,
            version: None,
            until: now.saturating_add(MOST_LODGED),
        };
        let mut header = DocumentHeader {
            kind: self.form.clone(),
            number: None,
            title: self.title.clone(),
            from: from.clone(),
            to: vec![self.to.clone()],
            cc: Vec::new(),
            classification: None,
            secrecy_period: None,
            urgency: Urgency::Routine,
            created: now,
            deadline: None,
            in_reply_to: self.after,
            module: self.module.clone(),
            fields: BTreeMap::new(),
            crit: Vec::new(),
            filing: Some(filing),
            form: self.with.clone(),
            parts: Vec::new(),
            nonce: *name,
        };
        header.crit = header.critical();
        header
    }
}

/// A document that was owed and is an entry, until its recipient has answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sent {
    pub module: String,
    pub version: Digest,
    pub case: String,
    pub thing: String,
    pub rule: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    pub to: AgencyName,
}

/// What an effect owes, as it was planned.
#[derive(Debug, Clone)]
pub(crate) struct Sending {
    pub form: String,
    pub act: String,
    pub refused: Option<String>,
    pub to: Vec<AgencyName>,
    pub about: Option<String>,
    pub title: Option<String>,
    pub with: Form,
}

/// The key of what is owed. Its name is the nonce of the document that discharges it.
pub(crate) fn owed_key(name: &Digest) -> Key {
    Key::new(Family::Owed, "").name("owed").id(&name.to_string())
}

/// The key of a document that was sent, and waits for its answer.
pub(crate) fn sent_key(document: &DocumentId) -> Key {
    Key::new(Family::Owed, "").name("sent").id(&document.to_string())
}

/// Documents that are owed, in the order in which they came to be, from a name on; each with its name.
///
/// # Errors
/// [`StateError`].
pub fn owed(
    state: &dyn State,
    after: &str,
    most: usize,
) -> Result<Vec<(Digest, Owed)>, StateError> {
    let rows = state.scan(&Key::new(Family::Owed, "").name("owed"), after, most)?;
    let each = rows.into_iter().map(|(key, bytes)| {
        let name = key.id.parse::<DocumentId>().map_err(StateError::damaged)?;
        Ok((*name.digest(), cbor::decode_within(&bytes, bytes.len()).map_err(StateError::damaged)?))
    });
    each.collect()
}

/// A value as a form has it. None of what no form can hold.
pub(crate) fn form_value(value: &Value) -> Option<FormValue> {
    Some(match value {
        Value::Bool(yes) => FormValue::Bool(*yes),
        Value::Int(n) => FormValue::Int(i64::try_from(*n).ok()?),
        Value::Money(fen) => {
            let yuan = fen.is_integer().then(|| fen.checked_div(Decimal::ONE_HUNDRED))??;
            FormValue::Text(format!("{yuan:.2}"))
        }
        Value::Text(_)
        | Value::Decimal(_)
        | Value::Date(_)
        | Value::Instant(_)
        | Value::Period(_) => FormValue::Text(value.to_string()),
        Value::List(list) => FormValue::List(list.iter().map(form_value).collect::<Option<_>>()?),
        Value::Map(map) => {
            let there = map.iter().filter(|(_, value)| value.is_some());
            let each = there.map(|(name, value)| Some((name.clone(), form_value(value)?)));
            FormValue::Map(each.collect::<Option<_>>()?)
        }
        Value::None | Value::Unknown(_) => return None,
    })
}

/// A form of values.
pub(super) fn form(values: &BTreeMap<String, Value>) -> Result<Form, Refusal> {
    let mut form = Form::new();
    for (name, value) in values.iter().filter(|(_, value)| value.is_some()) {
        let filled = form_value(value);
        let filled = filled.ok_or_else(|| Refusal::Unknown { what: format!("{name}: {value}") })?;
        form.insert(name.clone(), filled);
    }
    match cbor::encode(&form) {
        Ok(bytes) if bytes.len() <= MAX_FORM => Ok(form),
        _ => Err(Refusal::Cost),
    }
}

/// The agencies to which something goes: each once, and none of them this one.
pub(super) fn recipients(names: &Value, home: &str) -> Result<Vec<AgencyName>, Refusal> {
    let mut found = Vec::new();
    for name in names.names() {
        // A name of somebody is one of his agency.
        let agency = name.split_once('@').map_or(name, |(_, agency)| agency);
        let agency = agency.parse::<AgencyName>();
        let agency = agency.map_err(|_| Refusal::NoRecipient { who: name.to_owned() })?;
        if agency.as_str() == home {
            return Err(Refusal::NoRecipient { who: name.to_owned() });
        }
        if !found.contains(&agency) {
            found.push(agency);
        }
    }
    match found.is_empty() {
        true => Err(Refusal::NoRecipient { who: String::new() }),
        false => Ok(found),
    }
}

/// Notes what is owed.
pub(super) fn owe(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    (rule, place): (&str, usize),
    sending: &Sending,
    document: Option<&Document>,
    thing: &Thing,
) -> Result<(), StateError> {
    for (nth, to) in sending.to.iter().enumerate() {
        let places = [place as u64, nth as u64];
        let seed = (deciding.module.name(), deciding.id, thing.sequence, rule);
        let name = name(crate::kernel::decisions(overlay)?, seed, places, to);
        let owed = Owed {
            module: deciding.module.name().to_owned(),
            version: deciding.module.digest(),
            case: deciding.case.name.clone(),
            thing: deciding.id.to_owned(),
            rule: rule.to_owned(),
            refused: sending.refused.clone(),
            to: to.clone(),
            form: sending.form.clone(),
            act: sending.act.clone(),
            about: sending.about.clone(),
            title: sending.title.clone().unwrap_or_else(|| thing.title.clone()),
            with: sending.with.clone(),
            after: document.map(|document| document.id),
        };
        overlay.put(owed_key(&name), cbor::encode(&owed).expect("plain"));
    }
    Ok(())
}

/// The name of what is owed: nobody chooses it, and it stands in the order of decisions.
fn name(
    number: u64,
    (module, thing, sequence, rule): (&str, &str, u64, &str),
    places: [u64; 2],
    to: &AgencyName,
) -> Digest {
    let mut hasher = chancery_crypto::Hasher::new();
    hasher.update(b"chancery/1 owed\0");
    for part in [module, thing, rule, to.as_str()] {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    [number, sequence].into_iter().chain(places).for_each(|n| hasher.update(&n.to_be_bytes()));
    let mut bytes = *hasher.finish().as_bytes();
    for (byte, own) in bytes.iter_mut().zip(number.to_be_bytes()) {
        *byte = own;
    }
    Digest::from_bytes(bytes)
}
