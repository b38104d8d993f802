//! Credentials: what was issued to whom, what became of it, and the list of what is valid, which anybody reads without the node.

use std::collections::BTreeMap;

use chancery_crypto::{Digest, cbor};
use serde::{Deserialize, Serialize};

use super::status_list;
use crate::{
    case::{Decided, Deciding},
    civil::Date,
    environment::CaseEnvironment,
    formula::Environment as _,
    manifest::Credential,
    reason::{Reason, Refusal},
    state::{Family, Key, Overlay, State, StateError},
    value::{Value, Why},
};

/// What becomes of a credential. What is revoked stays so: another is issued in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It holds, within its term.
    Valid,
    /// It does not hold until it is made valid again.
    Suspended,
    /// It does not hold any more.
    Revoked,
}

impl Status {
    /// Its word in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Valid, Self::Suspended, Self::Revoked].into_iter().find(|one| one.name() == name)
    }
}

/// A credential that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issued {
    /// Its place in the status list, from 0 on.
    pub number: u64,
    /// To whom.
    pub to: String,
    /// What it says.
    pub fields: BTreeMap<String, Value>,
    /// When it was issued, in seconds since 1970 UTC.
    pub issued: i64,
    /// Its last day, of one that has a term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// What became of it.
    pub status: Status,
    /// Since when.
    pub since: i64,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The thing whose act has issued it.
    pub thing: String,
    /// In whose place it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// The version of the module by which it was issued.
    pub version: Digest,
}

/// One that is to be issued.
#[derive(Debug, Clone)]
pub(crate) struct Issue {
    pub credential: String,
    pub id: String,
    pub to: String,
    pub fields: BTreeMap<String, Value>,
    pub replaces: Option<String>,
}

/// The most credentials of a kind: the list of them is read by whoever checks one.
const MOST_ISSUED: u64 = 8_000_000;

fn key(module: &str, credential: &str) -> Key {
    Key::new(Family::Credential, module).name(credential)
}

fn row(module: &str, credential: &str, id: &str) -> Key {
    key(module, credential).value(id).id("credential")
}

impl Issued {
    /// A credential by its id.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn of(
        state: &dyn State,
        module: &str,
        credential: &str,
        id: &str,
    ) -> Result<Option<Self>, StateError> {
        let found = state.get(&row(module, credential, id))?;
        let decode = |bytes: Vec<u8>| cbor::decode_within(&bytes, bytes.len());
        found.map(|bytes| decode(bytes).map_err(StateError::damaged)).transpose()
    }
}

/// How many were issued of a kind.
pub(super) fn count(state: &dyn State, module: &str, credential: &str) -> Result<u64, StateError> {
    match state.get(&key(module, credential).id("count"))? {
        Some(bytes) => cbor::decode(&bytes).map_err(StateError::damaged),
        None => Ok(0),
    }
}

/// What must hold of a credential that is to be valid, over what it says.
fn conditions(
    deciding: &Deciding<'_>,
    state: &dyn State,
    rule: &str,
    credential: &Credential,
    fields: &BTreeMap<String, Value>,
) -> Result<(Vec<Reason>, Option<Date>), StateError> {
    let mut environment = deciding.environment(state, None, None, Value::None);
    environment.counts.insert("it", Value::Map(fields.clone()));
    let mut refused = Vec::new();
    for one in &credential.conditions {
        let why = match one.that.formula.value(&environment) {
            Value::Bool(true) => continue,
            Value::Bool(false) => {
                Refusal::Need { say: format!("condition-{}-{}", credential.name, one.name) }
            }
            Value::Unknown(Why::Cost) => Refusal::Cost,
            other => Refusal::Unknown { what: other.to_string() },
        };
        let mut reason = deciding.reason(rule, Some(&one.law), why);
        reason.rule = format!("{}/{}/{}", deciding.module.name(), credential.name, one.name);
        refused.push(reason);
    }
    let until = match credential.until.as_ref().map(|until| until.formula.value(&environment)) {
        None => None,
        Some(Value::Date(day)) => Some(day),
        Some(other) => {
            let why = Refusal::Unknown { what: format!("term: {other}") };
            refused.push(deciding.reason(rule, Some(&credential.law), why));
            None
        }
    };
    environment.check()?;
    Ok((refused, until))
}

/// Issues a credential.
pub(super) fn issue(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    wanted: Issue,
) -> Decided<()> {
    let module = deciding.module.name();
    let gone = || StateError::damaged("a credential that was checked is gone");
    let credential = deciding.module.more.credentials.get(&wanted.credential).ok_or_else(gone)?;
    let form = deciding.module.forms.get(&credential.form).ok_or_else(gone)?;
    let (name, law) = (&credential.name, Some(credential.law.as_str()));
    let refused = |why| Ok(Err(vec![deciding.reason(rule, law, why)]));
    if wanted.id.is_empty() || wanted.id.len() > 200 {
        return refused(Refusal::Unknown { what: "id".into() });
    }
    if Issued::of(overlay, module, name, &wanted.id)?.is_some() {
        return refused(Refusal::NotUnique { value: wanted.id });
    }
    let known = |field: &String| form.fields.iter().any(|one| one.name == *field);
    if let Some(field) = wanted.fields.keys().find(|field| !known(field)) {
        return refused(Refusal::Field { field: field.clone() });
    }
    let missing = |name: &String| !wanted.fields.contains_key(name);
    if let Some(field) = form.fields.iter().find(|one| one.required && missing(&one.name)) {
        let what = Why::Missing(field.name.clone()).to_string();
        return refused(Refusal::Unknown { what });
    }
    let (reasons, until) = conditions(deciding, overlay, rule, credential, &wanted.fields)?;
    if !reasons.is_empty() {
        return Ok(Err(reasons));
    }
    if let Some(old) = &wanted.replaces {
        let reason = format!("replaced: {}", wanted.id);
        let ended = status(deciding, overlay, rule, (name, old), Status::Revoked, Some(reason))?;
        if ended.is_err() {
            return Ok(ended);
        }
    }
    let number = count(overlay, module, name)?;
    if number >= MOST_ISSUED {
        return refused(Refusal::Cost);
    }
    let issued = Issued {
        number,
        to: wanted.to,
        fields: wanted.fields,
        issued: deciding.lodged.0,
        until,
        status: Status::Valid,
        since: deciding.lodged.0,
        reason: None,
        thing: deciding.id.to_owned(),
        replaces: wanted.replaces,
        version: deciding.module.digest(),
    };
    let Ok(bytes) = cbor::encode(&issued) else { return refused(Refusal::Cost) };
    overlay.put(row(module, name, &wanted.id), bytes);
    overlay.put(key(module, name).id("count"), cbor::encode(&(number + 1)).expect("a number"));
    status_list::set(overlay, module, name, number, Status::Valid)?;
    Ok(Ok(()))
}

/// Says what becomes of a credential.
pub(super) fn status(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    (name, id): (&str, &str),
    now: Status,
    reason: Option<String>,
) -> Decided<()> {
    let module = deciding.module.name();
    let gone = || StateError::damaged("a credential that was checked is gone");
    let credential = deciding.module.more.credentials.get(name).ok_or_else(gone)?;
    let refused = |why| Ok(Err(vec![deciding.reason(rule, Some(&credential.law), why)]));
    let Some(mut issued) = Issued::of(overlay, module, name, id)? else {
        return refused(Refusal::NoCredential { id: id.to_owned() });
    };
    let goes = match (issued.status, now) {
        (Status::Revoked, _) => false,
        (is, now) => is != now,
    };
    if !goes {
        let (is, now) = (issued.status.name().to_owned(), now.name().to_owned());
        return refused(Refusal::Status { is, now });
    }
    if reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) && now != Status::Valid {
        return refused(Refusal::NoReason);
    }
    if now == Status::Valid {
        let (reasons, _) = conditions(deciding, overlay, rule, credential, &issued.fields)?;
        if !reasons.is_empty() {
            return Ok(Err(reasons));
        }
    }
    issued.status = now;
    issued.since = deciding.lodged.0;
    issued.reason = reason;
    let Ok(bytes) = cbor::encode(&issued) else { return refused(Refusal::Cost) };
    overlay.put(row(module, name, id), bytes);
    status_list::set(overlay, module, name, issued.number, now)?;
    Ok(Ok(()))
}

/// `credential('NAME', id)`: what it says and what became of it, as of when the act was lodged; none when there is none.
pub(super) fn call(
    environment: &CaseEnvironment<'_>,
    arguments: &[Value],
) -> Result<Option<Value>, StateError> {
    let [Value::Text(name), Value::Text(id)] = arguments else { return Ok(None) };
    let found = Issued::of(environment.state, environment.module.name(), name, id)?;
    let Some(found) = found else { return Ok(Some(Value::None)) };
    let today = environment.zone().date(environment.lodged);
    let valid = found.status == Status::Valid && found.until.is_none_or(|until| today <= until);
    let mut fields = BTreeMap::from(
        [
            ("id", Value::text(id)),
            ("to", Value::Text(found.to)),
            ("status", Value::text(found.status.name())),
            ("valid", Value::Bool(valid)),
            ("since", Value::Instant(crate::civil::Instant(found.since))),
            ("it", Value::Map(found.fields)),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    fields.extend(found.until.map(|until| ("until".to_owned(), Value::Date(until))));
    fields.extend(found.reason.map(|reason| ("reason".to_owned(), Value::Text(reason))));
    Ok(Some(Value::Map(fields)))
}
