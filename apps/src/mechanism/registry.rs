//! Registries: records under a key, each with the days on which it is valid and the time since when it was known. Nothing is
//! changed: a revision is another version.

use std::collections::BTreeMap;

use chancery_crypto::{Digest, cbor};
use serde::{Deserialize, Serialize};

use crate::{
    case::{Decided, Deciding, cbor_text},
    civil::Date,
    environment::CaseEnvironment,
    input::Document,
    manifest::{Placed, Registry},
    reason::{Reason, Refusal},
    state::{Family, Key, Overlay, State, StateError},
    thing::Thing,
    value::{Value, Why},
};

/// A version of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Version {
    pub fields: BTreeMap<String, Value>,
    /// The days on which it is valid, from the one up to before the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    /// Since when it is known, in seconds since 1970 UTC.
    pub at: i64,
    /// The thing whose act wrote it, and the document of that.
    pub thing: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// The schema by which it was judged: the digest of the module.
    pub version: Digest,
}

impl Version {
    fn valid_on(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day < to)
    }
}

/// The most versions of a record.
const MOST_VERSIONS: usize = 1_000;

fn key(module: &str, registry: &str, record: &str) -> Key {
    Key::new(Family::Record, module).name(registry).value(record)
}

/// All versions of a record, oldest first.
fn versions(
    state: &dyn State,
    module: &str,
    registry: &str,
    record: &str,
) -> Result<Vec<Version>, StateError> {
    let rows = state.scan(&key(module, registry, record), "", MOST_VERSIONS)?;
    let decode = |bytes: &[u8]| cbor::decode_within(bytes, bytes.len());
    rows.into_iter().map(|(_, bytes)| decode(&bytes).map_err(StateError::damaged)).collect()
}

/// The newest version of a record that is valid on a day.
pub(super) fn on(
    state: &dyn State,
    module: &str,
    registry: &str,
    record: &str,
    day: Date,
) -> Result<Option<Version>, StateError> {
    let all = versions(state, module, registry, record)?;
    Ok(all.into_iter().rev().find(|version| version.valid_on(day)))
}

/// A record as formulas have it: none when there is none that is valid on the day.
pub(crate) fn find(
    state: &dyn State,
    module: &str,
    registry: &Registry,
    of: &[Value],
    day: Date,
) -> Result<Value, StateError> {
    let parts: Vec<_> = of.iter().map(ToString::to_string).collect();
    let found = on(state, module, &registry.name, &cbor_text(&parts), day)?;
    Ok(found.map_or(Value::None, |version| Value::Map(version.fields)))
}

/// Under which rows a value leads to records: to a record's key by its digest, since keys stand in the clear where values do not.
pub(super) fn index(module: &str, registry: &str, name: &str, value: &str) -> Key {
    Key::new(Family::Index, module).name(&format!("{registry}/{name}")).value(value)
}

/// Under which rows all records of a registry stand.
pub(super) fn all(module: &str, registry: &str) -> Key {
    index(module, registry, ALL, "")
}

/// What stands in a record.
pub(super) type Fields = BTreeMap<String, Value>;

/// All records of a registry as they are valid on a day, by their keys; nothing where there are more than so many.
pub(super) fn all_on(
    state: &dyn State,
    module: &str,
    registry: &str,
    day: Date,
    most: usize,
) -> Result<Option<BTreeMap<String, Fields>>, StateError> {
    let rows = state.scan(&all(module, registry), "", most + 1)?;
    if rows.len() > most {
        return Ok(None);
    }
    let mut found = BTreeMap::new();
    for (_, bytes) in rows {
        let record: String = cbor::decode(&bytes).map_err(StateError::damaged)?;
        let version = on(state, module, registry, &record, day)?;
        found.extend(version.map(|version| (record, version.fields)));
    }
    Ok(Some(found))
}

/// The index under which all records of a registry stand; no name is so.
const ALL: &str = "*";

fn digest_of(record: &str) -> String {
    Digest::of(record.as_bytes()).to_string()
}

/// Where a record stands under its indexes, and what it holds alone.
struct Places {
    indexed: Vec<Key>,
    unique: Vec<(Key, String, String, String)>,
    same: Vec<(Key, String, String, bool)>,
}

impl Places {
    fn of(
        deciding: &Deciding<'_>,
        state: &dyn State,
        registry: &Registry,
        record: &str,
        fields: &BTreeMap<String, Value>,
    ) -> Result<Self, StateError> {
        let module = deciding.module.name();
        let environment = over(deciding, state, fields);
        let text = |placed: &Placed| match placed.formula.value(&environment) {
            Value::None | Value::Unknown(_) => None,
            value => Some(value.to_string()),
        };
        let together = |of: &[Placed]| {
            let each: Option<Vec<_>> = of.iter().map(text).collect();
            each.map(|each| cbor_text(&each))
        };
        let indexed = registry.indexes.iter().filter_map(|(name, placed)| {
            Some(index(module, &registry.name, name, &text(placed)?).id(&digest_of(record)))
        });
        let all = all(module, &registry.name).id(&digest_of(record));
        let indexed: Vec<_> = indexed.chain([all]).collect();
        let unique = registry.uniques.iter().filter_map(|unique| {
            let value = together(&unique.of)?;
            let name = format!("{}/{}", registry.name, unique.name);
            let key = Key::new(Family::Unique, module).name(&name).value(&value);
            Some((key, unique.name.clone(), unique.law.clone(), value))
        });
        let unique = unique.collect();
        let same = registry.duplicates.iter().filter_map(|one| {
            let name = format!("same-{}", one.name);
            let key = index(module, &registry.name, &name, &together(&one.same)?);
            Some((key, one.name.clone(), one.law.clone(), one.flag))
        });
        let same = same.collect();
        environment.check()?;
        Ok(Self { indexed, unique, same })
    }
}

/// The environment of a record's formulas.
pub(super) fn over<'e>(
    deciding: &'e Deciding<'_>,
    state: &'e dyn State,
    fields: &BTreeMap<String, Value>,
) -> CaseEnvironment<'e> {
    let mut environment = deciding.environment(state, None, None, Value::None);
    environment.counts.insert("it", Value::Map(fields.clone()));
    environment
}

/// Writes a record, or another version of it.
#[expect(clippy::too_many_arguments, reason = "they are what a record is made of")]
pub(super) fn write(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    registry: &str,
    with: BTreeMap<String, Value>,
    revise: bool,
    document: Option<&Document>,
    thing: &mut Thing,
) -> Decided<()> {
    let module = deciding.module.name();
    let gone = || StateError::damaged("a registry that was checked is gone");
    let registry = deciding.module.registries.get(registry).ok_or_else(gone)?;
    let form = deciding.module.forms.get(&registry.form).ok_or_else(gone)?;
    let refused = |why| Ok(Err(vec![deciding.reason(rule, None, why)]));
    let missing = |what: String| Refusal::Unknown { what: Why::Missing(what).to_string() };
    let record = {
        let environment = over(deciding, overlay, &with);
        let mut parts = Vec::new();
        for placed in &registry.key {
            match placed.formula.value(&environment) {
                Value::None | Value::Unknown(_) => {
                    return refused(missing(placed.formula.text().to_owned()));
                }
                value => parts.push(value.to_string()),
            }
        }
        environment.check()?;
        cbor_text(&parts)
    };
    let known = versions(overlay, module, &registry.name, &record)?;
    if known.len() == MOST_VERSIONS {
        return refused(Refusal::Cost);
    }
    let fields = match (known.last(), revise) {
        (None, false) => with,
        (Some(last), true) => {
            let mut fields = last.fields.clone();
            fields.extend(with);
            fields
        }
        (Some(_), false) => return refused(Refusal::NotUnique { value: record }),
        (None, true) => return refused(Refusal::NoRecord { registry: registry.name.clone() }),
    };
    let known_field = |name: &String| form.fields.iter().any(|field| field.name == *name);
    if let Some(name) = fields.keys().find(|name| !known_field(name)) {
        return refused(Refusal::Field { field: name.clone() });
    }
    if let Some(field) = form.fields.iter().find(|f| f.required && !fields.contains_key(&f.name)) {
        return refused(missing(field.name.clone()));
    }
    let (from, to) = {
        let environment = over(deciding, overlay, &fields);
        let day = |placed: &Option<Placed>| match placed
            .as_ref()
            .map(|p| p.formula.value(&environment))
        {
            None | Some(Value::None) => Ok(None),
            Some(Value::Date(day)) => Ok(Some(day)),
            Some(other) => Err(Refusal::Unknown { what: other.to_string() }),
        };
        let edges = day(&registry.from).and_then(|from| Ok((from, day(&registry.to)?)));
        environment.check()?;
        match edges {
            Ok(edges) => edges,
            Err(why) => return refused(why),
        }
    };
    let places = Places::of(deciding, overlay, registry, &record, &fields)?;
    if let Some(last) = known.last() {
        let before = Places::of(deciding, overlay, registry, &record, &last.fields)?;
        for key in before.indexed {
            overlay.delete(key);
        }
        for (key, ..) in before.unique {
            overlay.delete(key);
        }
        for (key, ..) in before.same {
            overlay.delete(key.id(&digest_of(&record)));
        }
    }
    let refused = enter(deciding, overlay, rule, registry, &record, places, thing)?;
    if !refused.is_empty() {
        return Ok(Err(refused));
    }
    let version = Version {
        fields,
        from,
        to,
        at: deciding.at.0,
        thing: deciding.id.to_owned(),
        document: document.map(|document| document.id.to_string()),
        version: deciding.module.digest(),
    };
    let key = key(module, &registry.name, &record).id(&format!("{:08}", known.len()));
    overlay.put(key, cbor::encode(&version).expect("what is not known is not kept"));
    Ok(Ok(()))
}

/// Enters a record under its indexes, unless another stands where it may not stand twice.
fn enter(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    registry: &Registry,
    record: &str,
    places: Places,
    thing: &mut Thing,
) -> Result<Vec<Reason>, StateError> {
    let text = |record: &str| cbor::encode(&record).expect("a text");
    let mut refused = Vec::new();
    let name = |rule: &str| format!("{}/{}/{rule}", deciding.module.name(), registry.name);
    for (key, unique, law, value) in places.unique {
        match overlay.get(&key)? {
            Some(_) => {
                let mut reason = deciding.reason(rule, Some(&law), Refusal::NotUnique { value });
                reason.rule = name(&unique);
                refused.push(reason);
            }
            None => overlay.put(key, text(record)),
        }
    }
    for (key, same, law, flag) in places.same {
        let others = overlay.scan(&key, "", 1)?;
        if let Some((_, bytes)) = others.first() {
            let other: String = cbor::decode(bytes).map_err(StateError::damaged)?;
            if flag {
                thing.flags.push(format!("{}/{same}: {other}", registry.name));
            } else {
                let why = Refusal::NotUnique { value: other };
                let mut reason = deciding.reason(rule, Some(&law), why);
                reason.rule = name(&same);
                refused.push(reason);
            }
        }
        overlay.put(key.id(&digest_of(record)), text(record));
    }
    for key in places.indexed {
        overlay.put(key, text(record));
    }
    Ok(refused)
}
