//! Rolls: the members that a registry or a case has at a moment, frozen by one decision, with the digest of the list.
//!
//! Members stand in rows of twenty-five, in the order of their keys, so that 50,000 of them are one commit.

use std::collections::BTreeMap;

use chancery_crypto::{Digest, Hasher, cbor};
use serde::{Deserialize, Serialize};

use super::{owed, registry};
use crate::{
    case::{Decided, Deciding},
    environment::CaseEnvironment,
    manifest::{Placed, Roll},
    reason::{Reason, Refusal},
    state::{Family, Key, Overlay, State, StateError},
    thing::Thing,
    value::{Value, Why},
};

/// A roll that was frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollHead {
    /// How many members it has.
    pub count: u32,
    /// How many were left out by a `not`.
    pub excluded: u32,
    /// The digest of the list: docs/formats.md says over what.
    pub digest: Digest,
    /// The decision that has frozen it.
    pub number: u64,
    /// When, in seconds since 1970 UTC.
    pub at: i64,
    /// The version of the module by which it was made.
    pub version: Digest,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// By what it is known.
    pub key: String,
    /// What was kept of it.
    pub fields: BTreeMap<String, Value>,
}

/// Somebody who was left out, and by which rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// By what it would be known.
    pub key: String,
    /// The names of the rules.
    pub by: Vec<String>,
}

/// How many members a row has.
const IN_A_ROW: usize = 25;

/// The most members, those who are left out counted.
pub(super) const MOST_MEMBERS: usize = 50_000;

/// The most records or things that are looked at.
const MOST_LOOKED_AT: usize = 100_000;

/// The most steps that all formulas of a roll take together.
const MOST_STEPS_OF_ALL: u64 = 20_000_000;

/// How many rows are read at once.
const PAGE: usize = 1_000;

fn key(module: &str, roll: &str, thing: &str) -> Key {
    Key::new(Family::Roll, module).name(roll).value(thing)
}

fn head_key(module: &str, roll: &str, thing: &str) -> Key {
    key(module, roll, thing).id("head")
}

fn row_key(module: &str, roll: &str, thing: &str, kind: char, row: usize) -> Key {
    key(module, roll, thing).id(&format!("{kind}/{row:06}"))
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, StateError> {
    cbor::decode_within(bytes, bytes.len()).map_err(StateError::damaged)
}

impl RollHead {
    /// The roll that a thing has, if it was frozen.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn of(
        state: &dyn State,
        module: &str,
        roll: &str,
        thing: &str,
    ) -> Result<Option<Self>, StateError> {
        let found = state.get(&head_key(module, roll, thing))?;
        found.map(|bytes| decode(&bytes)).transpose()
    }

    /// All members, in the order of their keys.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn members(
        &self,
        state: &dyn State,
        module: &str,
        roll: &str,
        thing: &str,
    ) -> Result<Vec<Member>, StateError> {
        let rows = (self.count as usize).div_ceil(IN_A_ROW);
        let each = (0..rows).map(|n| row(state, module, roll, thing, n));
        let all: Vec<Vec<Member>> = each.collect::<Result<_, _>>()?;
        Ok(all.into_iter().flatten().collect())
    }

    /// All who were left out, in the order of their keys.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn left_out(
        &self,
        state: &dyn State,
        module: &str,
        roll: &str,
        thing: &str,
    ) -> Result<Vec<LeftOut>, StateError> {
        let rows = (self.excluded as usize).div_ceil(IN_A_ROW);
        let mut all = Vec::new();
        for n in 0..rows {
            let found = state.get(&row_key(module, roll, thing, 'x', n))?;
            let bytes = found.ok_or_else(|| StateError::damaged("a row of a roll is missing"))?;
            all.extend(decode::<Vec<LeftOut>>(&bytes)?);
        }
        Ok(all)
    }
}

fn row(
    state: &dyn State,
    module: &str,
    roll: &str,
    thing: &str,
    n: usize,
) -> Result<Vec<Member>, StateError> {
    let found = state.get(&row_key(module, roll, thing, 'm', n))?;
    decode(&found.ok_or_else(|| StateError::damaged("a row of a roll is missing"))?)
}

/// The member at a place, from 0 on.
pub(super) fn at(
    state: &dyn State,
    module: &str,
    roll: &str,
    thing: &str,
    place: u32,
) -> Result<Option<Member>, StateError> {
    let place = place as usize;
    let members = row(state, module, roll, thing, place / IN_A_ROW)?;
    Ok(members.into_iter().nth(place % IN_A_ROW))
}

/// The member of a key. Members stand in the order of their keys, so few rows are read.
pub(super) fn member(
    state: &dyn State,
    module: &str,
    roll: &str,
    thing: &str,
    of: &str,
) -> Result<Option<Member>, StateError> {
    let Some(head) = RollHead::of(state, module, roll, thing)? else { return Ok(None) };
    let (mut low, mut high) = (0, (head.count as usize).div_ceil(IN_A_ROW));
    while low < high {
        let middle = low + (high - low) / 2;
        let members = row(state, module, roll, thing, middle)?;
        match (members.first(), members.last()) {
            (Some(first), _) if of < first.key.as_str() => high = middle,
            (_, Some(last)) if of > last.key.as_str() => low = middle + 1,
            _ => return Ok(members.into_iter().find(|member| member.key == of)),
        }
    }
    Ok(None)
}

/// The digest of a list: SHA-256 over what it is, how long, and each member's length and bytes.
pub(super) fn digest_of(members: &[Vec<u8>]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(b"chancery/1 roll\0");
    hasher.update(&(members.len() as u64).to_be_bytes());
    for member in members {
        hasher.update(&(member.len() as u64).to_be_bytes());
        hasher.update(member);
    }
    hasher.finish()
}

/// Every id that stands beside a key.
fn ids(
    state: &dyn State,
    beside: &Key,
    most: usize,
    mut take: impl FnMut(Key, Vec<u8>) -> Result<(), StateError>,
) -> Result<usize, StateError> {
    let (mut after, mut count) = (String::new(), 0);
    loop {
        let rows = state.scan(beside, &after, PAGE)?;
        let whole = rows.len() < PAGE;
        count += rows.len();
        for (key, bytes) in rows {
            after.clone_from(&key.id);
            take(key, bytes)?;
        }
        if whole || count > most {
            return Ok(count);
        }
    }
}

/// What may stand on a roll: keys, and what is known of each. None when it is more than is looked at.
fn candidates(
    deciding: &Deciding<'_>,
    state: &dyn State,
    from: &str,
) -> Result<Option<Vec<String>>, StateError> {
    let module = deciding.module.name();
    let (mut found, mut count) = (Vec::new(), 0);
    if deciding.module.registries.contains_key(from) {
        let all = registry::all(module, from);
        count += ids(state, &all, MOST_LOOKED_AT, |_, bytes| {
            found.push(cbor::decode(&bytes).map_err(StateError::damaged)?);
            Ok(())
        })?;
    } else if let Some(case) = deciding.module.cases.get(from) {
        for of in &case.states {
            let index = Key::new(Family::Index, module);
            let index = index.name(&format!("{from}/state")).value(&of.name);
            count += ids(state, &index, MOST_LOOKED_AT, |key, _| {
                found.push(key.id);
                Ok(())
            })?;
            if count > MOST_LOOKED_AT {
                break;
            }
        }
    }
    found.sort();
    Ok((count <= MOST_LOOKED_AT).then_some(found))
}

/// What formulas see of a record or thing; none of a record that is not valid on the day, or is sealed.
fn seen(
    deciding: &Deciding<'_>,
    state: &dyn State,
    from: &str,
    id: &str,
) -> Result<Option<BTreeMap<String, Value>>, StateError> {
    let module = deciding.module.name();
    if let Some(registry) = deciding.module.registries.get(from) {
        let day = deciding.module.zone.date(deciding.lodged);
        let Some(version) = registry::on(state, module, from, id, day)? else { return Ok(None) };
        let environment = registry::over(deciding, state, &version.fields);
        let open = |seal: &Placed| seal.formula.value(&environment) == Value::Bool(false);
        let open = registry.seals.iter().all(|seal| open(&seal.when));
        environment.check()?;
        return Ok(open.then_some(version.fields));
    }
    let thing = Thing::get(state, module, from, id)?;
    Ok(thing.and_then(|thing| match thing.value(id) {
        Value::Map(fields) => Some(fields),
        _ => None,
    }))
}

/// What becomes of somebody who may stand on a roll.
enum Comes {
    On(String),
    Out(LeftOut),
    Off,
}

fn judge(environment: &CaseEnvironment<'_>, roll: &Roll, id: &str) -> Result<Comes, Refusal> {
    let unknown = |placed: &Placed, value: &Value| match value {
        Value::Unknown(Why::Cost) => Refusal::Cost,
        other => Refusal::Unknown { what: format!("{id}: {} ({other})", placed.formula.text()) },
    };
    let holds = |placed: &Placed| match placed.formula.value(environment) {
        Value::Bool(is) => Ok(is),
        other => Err(unknown(placed, &other)),
    };
    if let Some(which) = &roll.which
        && !holds(which)?
    {
        return Ok(Comes::Off);
    }
    let key = match &roll.key {
        None => id.to_owned(),
        Some(placed) => match placed.formula.value(environment) {
            Value::Text(key) if !key.is_empty() && key.len() <= 500 => key,
            other => return Err(unknown(placed, &other)),
        },
    };
    let mut by = Vec::new();
    for not in &roll.nots {
        if holds(&not.that)? {
            by.push(not.name.clone());
        }
    }
    Ok(if by.is_empty() { Comes::On(key) } else { Comes::Out(LeftOut { key, by }) })
}

/// Freezes a roll for a thing.
pub(super) fn freeze(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    roll: &str,
    thing: &Thing,
) -> Decided<()> {
    let (module, id) = (deciding.module.name(), deciding.id);
    let gone = || StateError::damaged("a roll that was checked is gone");
    let roll = deciding.module.more.rolls.get(roll).ok_or_else(gone)?;
    let refused = |why| Ok(Err(vec![deciding.reason(rule, Some(&roll.law), why)]));
    if RollHead::of(overlay, module, &roll.name, id)?.is_some() {
        return refused(Refusal::Frozen { list: roll.name.clone() });
    }
    let Some(found) = candidates(deciding, overlay, &roll.from)? else {
        return refused(Refusal::Cost);
    };
    let (mut members, mut out) = (BTreeMap::new(), BTreeMap::new());
    let (mut reasons, mut steps): (Vec<Reason>, u64) = (Vec::new(), 0);
    for one in found {
        let Some(fields) = seen(deciding, overlay, &roll.from, &one)? else { continue };
        let comes = {
            let mut environment = deciding.environment(overlay, Some(thing), None, Value::None);
            environment.counts.insert("it", Value::Map(fields.clone()));
            environment.counts.insert("own", thing.value(id));
            let comes = judge(&environment, roll, &one);
            environment.check()?;
            steps = steps.saturating_add(environment.steps.get());
            comes
        };
        if steps > MOST_STEPS_OF_ALL || members.len() + out.len() > MOST_MEMBERS {
            return refused(Refusal::Cost);
        }
        let twice = |key: &String| members.contains_key(key) || out.contains_key(key);
        match comes {
            Ok(Comes::Off) => {}
            Ok(Comes::On(key)) if !twice(&key) => {
                let kept = fields.into_iter().filter(|(name, _)| roll.fields.contains(name));
                members.insert(key.clone(), Member { key, fields: kept.collect() });
            }
            Ok(Comes::Out(left)) if !twice(&left.key) => {
                out.insert(left.key.clone(), left);
            }
            Ok(Comes::On(key)) | Ok(Comes::Out(LeftOut { key, .. })) => {
                reasons.push(deciding.reason(
                    rule,
                    Some(&roll.law),
                    Refusal::NotUnique { value: key },
                ));
            }
            Err(why) => reasons.push(deciding.reason(rule, Some(&roll.law), why)),
        }
        // Whoever has so much to mend need not be told all of it.
        if reasons.len() >= 10 {
            break;
        }
    }
    if !reasons.is_empty() {
        return Ok(Err(reasons));
    }
    let (members, out): (Vec<_>, Vec<_>) =
        (members.into_values().collect(), out.into_values().collect());
    let each: Result<Vec<_>, _> = members.iter().map(cbor::encode).collect();
    let Ok(each) = each else { return refused(Refusal::Cost) };
    let head = RollHead {
        count: u32::try_from(members.len()).unwrap_or(u32::MAX),
        excluded: u32::try_from(out.len()).unwrap_or(u32::MAX),
        digest: digest_of(&each),
        number: crate::kernel::decisions(overlay)?,
        at: deciding.lodged.0,
        version: deciding.module.digest(),
    };
    for (n, row) in members.chunks(IN_A_ROW).enumerate() {
        let Ok(bytes) = cbor::encode(row) else { return refused(Refusal::Cost) };
        overlay.put(row_key(module, &roll.name, id, 'm', n), bytes);
    }
    for (n, row) in out.chunks(IN_A_ROW).enumerate() {
        let Ok(bytes) = cbor::encode(row) else { return refused(Refusal::Cost) };
        overlay.put(row_key(module, &roll.name, id, 'x', n), bytes);
    }
    overlay.put(head_key(module, &roll.name, id), cbor::encode(&head).expect("plain"));
    Ok(Ok(()))
}

/// A member as formulas have it.
pub(super) fn value(member: Member) -> Value {
    let mut fields = member.fields;
    fields.insert("key".into(), Value::Text(member.key));
    Value::Map(fields)
}

/// `roll('R')` of this thing, `roll('R', thing)` of another; `member('R', key)`, `member('R', thing, key)`.
pub(super) fn call(
    environment: &CaseEnvironment<'_>,
    name: &str,
    arguments: &[Value],
) -> Result<Option<Value>, StateError> {
    let (state, module) = (environment.state, environment.module.name());
    Ok(Some(match (name, arguments) {
        ("roll", [Value::Text(roll)]) => head_value(state, module, roll, environment.id)?,
        ("roll", [Value::Text(roll), Value::Text(thing)]) => {
            head_value(state, module, roll, thing)?
        }
        ("member", [Value::Text(roll), Value::Text(of)]) => {
            member(state, module, roll, environment.id, of)?.map_or(Value::None, value)
        }
        ("member", [Value::Text(roll), Value::Text(thing), Value::Text(of)]) => {
            member(state, module, roll, thing, of)?.map_or(Value::None, value)
        }
        _ => return Ok(None),
    }))
}

/// A part of a roll as stories ask for it.
pub(crate) fn show(
    state: &dyn State,
    module: &str,
    roll: &str,
    thing: &str,
    what: &str,
    key: &str,
) -> Result<String, StateError> {
    if what == "member" {
        let found = member(state, module, roll, thing, key)?;
        return Ok(found.map_or_else(|| "nobody".into(), |one| Value::Map(one.fields).to_string()));
    }
    Ok(head_value(state, module, roll, thing)?.field(what).to_string())
}

fn head_value(
    state: &dyn State,
    module: &str,
    roll: &str,
    thing: &str,
) -> Result<Value, StateError> {
    let Some(head) = RollHead::of(state, module, roll, thing)? else { return Ok(Value::None) };
    let (left, refused) = owed::over(state, module, roll, thing)?;
    let fields = [
        ("count", Value::Int(head.count.into())),
        ("excluded", Value::Int(head.excluded.into())),
        ("digest", Value::Text(head.digest.to_string())),
        ("at", Value::Instant(crate::civil::Instant(head.at))),
        ("left", Value::Int(left.into())),
        ("refused", Value::Int(refused.into())),
    ];
    Ok(Value::Map(fields.map(|(name, value)| (name.to_owned(), value)).into()))
}
