//! Inspections: objects and inspectors drawn together, notes of several laptops merged without loss, conflicts kept with both sides
//! until somebody decides, and orders that follow from what was found.

use std::collections::{BTreeMap, BTreeSet};

use chancery_crypto::{Digest, Hasher, cbor};
use serde::{Deserialize, Serialize};

use super::registry;
use crate::{
    case::{Decided, Deciding},
    civil::Instant,
    input::Document,
    kernel::head,
    manifest::{Inspection, Module},
    reason::{MechanismRefusal as Mine, Refusal},
    state::{Family, Key, Overlay, State, StateError},
    value::{Value, Why},
};

/// What is done with an inspection, with the values that it has.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    Draw,
    Note { device: String, seen: u32, entries: Vec<Entry> },
    Settle { item: String, value: Value },
    Close,
}

/// An entry of a laptop: what was found, and when, by its own clock.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub item: String,
    pub value: Value,
    pub at: Instant,
}

/// An object that was drawn, and who goes there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Drawn {
    object: String,
    inspectors: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Draw {
    seed: Digest,
    drawn: Vec<Drawn>,
}

/// What somebody has noted of an item. Nothing that was noted is ever removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noted {
    /// What.
    pub value: Value,
    /// On which laptop; nothing where somebody decided between others.
    pub device: String,
    /// By whom, and by which document.
    pub by: String,
    /// The document.
    pub document: String,
    /// When, by the laptop's clock, in seconds since 1970 UTC.
    pub at: i64,
    /// The list with which it came, counted from 1, and its place there.
    pub list: u32,
    /// Its place in the list.
    pub place: u32,
    /// How many lists had come when its laptop was last at the ledger: it knows those, and is newer.
    pub seen: u32,
}

impl Noted {
    /// Whether whoever noted this knew of the other.
    fn after(&self, other: &Self) -> bool {
        let own = self.device == other.device && !self.device.is_empty();
        other.list <= self.seen || (own && (other.list, other.place) < (self.list, self.place))
    }
}

/// Those that nobody who noted something later knew of.
fn newest(all: &[Noted]) -> Vec<&Noted> {
    all.iter().filter(|one| !all.iter().any(|other| other.after(one))).collect()
}

/// What holds of an item: one value, or several of which nobody has decided.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Holds {
    Nothing,
    One(Value),
    Conflict(Vec<Noted>),
}

fn holds(all: &[Noted]) -> Holds {
    let newest = newest(all);
    let Some(first) = newest.first() else { return Holds::Nothing };
    match newest.iter().all(|one| one.value.same(&first.value)) {
        true => Holds::One(first.value.clone()),
        false => Holds::Conflict(newest.into_iter().cloned().collect()),
    }
}

/// The most records of a registry, notes of an item, entries of a list, and steps of the formulas over objects.
const MOST_RECORDS: usize = 10_000;
const MOST_STEPS: u64 = 5_000_000;
const MOST_NOTED: usize = 1_000;
const MOST_ENTRIES: usize = 1_000;

fn family(module: &str, inspection: &str, value: &str) -> Key {
    Key::new(Family::Inspection, module).name(inspection).value(value)
}

fn read<T: serde::de::DeserializeOwned>(
    state: &dyn State,
    key: &Key,
) -> Result<Option<T>, StateError> {
    let found = state.get(key)?;
    let decode = |bytes: Vec<u8>| cbor::decode_within(&bytes, bytes.len());
    found.map(|bytes| decode(bytes).map_err(StateError::damaged)).transpose()
}

fn put<T: Serialize>(overlay: &mut Overlay<'_>, key: Key, value: &T) {
    overlay.put(key, cbor::encode(value).expect("what is not known is not kept"));
}

fn noted_key(module: &str, inspection: &str, visit: &str) -> Key {
    family(module, inspection, &format!("noted/{visit}"))
}

/// All that was noted of an item in a visit, in the order in which it came: for whoever may read the visit.
///
/// # Errors
/// [`StateError`].
pub fn noted(
    state: &dyn State,
    module: &str,
    inspection: &str,
    visit: &str,
    item: &str,
) -> Result<Vec<Noted>, StateError> {
    Ok(read(state, &noted_key(module, inspection, visit).id(item))?.unwrap_or_default())
}

/// What formulas are told of a visit: of each item what holds; of one on which two differ that it cannot be known.
pub(crate) fn checks(
    state: &dyn State,
    module: &str,
    inspection: &Inspection,
    visit: &str,
) -> Result<Value, StateError> {
    let mut found = BTreeMap::new();
    for check in &inspection.checklist {
        let all = noted(state, module, &inspection.name, visit, &check.name)?;
        let value = match holds(&all) {
            Holds::Nothing => continue,
            Holds::One(value) => value,
            Holds::Conflict(_) => Value::Unknown(Why::NoResult(check.name.clone())),
        };
        found.insert(check.name.clone(), value);
    }
    Ok(Value::Map(found))
}

/// What formulas are told of a plan: the objects that were drawn, each with who goes there.
pub(crate) fn assigned(
    state: &dyn State,
    module: &str,
    inspection: &Inspection,
    plan: &str,
) -> Result<Value, StateError> {
    let found: Option<Draw> = read(state, &family(module, &inspection.name, "drawn").id(plan))?;
    let each = found.into_iter().flat_map(|draw| draw.drawn).map(|one| {
        let inspectors = Value::texts(one.inspectors);
        let fields = [("object", Value::Text(one.object)), ("inspectors", inspectors)];
        Value::Map(fields.map(|(name, value)| (name.to_owned(), value)).into())
    });
    Ok(Value::List(each.collect()))
}

/// As stories name it: `inspection/NAME/ITEM` of a visit, both sides of a conflict with their laptops; `inspection/NAME/ITEM/all`, how
/// much was noted.
pub(super) fn shown(
    state: &dyn State,
    module: &Module,
    visit: &str,
    path: &[&str],
) -> Result<Option<String>, StateError> {
    let [inspection, item, rest @ ..] = path else { return Ok(None) };
    let all = noted(state, module.name(), inspection, visit, item)?;
    if *rest == ["all"] {
        return Ok(Some(all.len().to_string()));
    }
    Ok(match holds(&all) {
        Holds::Nothing => None,
        Holds::One(value) => Some(value.to_string()),
        Holds::Conflict(sides) => {
            let mut each: Vec<_> =
                sides.iter().map(|one| format!("{} ({})", one.value, one.device)).collect();
            each.sort();
            Some(each.join(" | "))
        }
    })
}

struct Working<'a, 'd> {
    deciding: &'a Deciding<'d>,
    inspection: &'a Inspection,
}

impl Working<'_, '_> {
    fn module(&self) -> &str {
        self.deciding.module.name()
    }

    /// The records of a registry, by an order that the ledger's own past gives; nothing where there are too many.
    fn order(
        &self,
        state: &dyn State,
        of: &str,
        seed: &Digest,
    ) -> Result<Option<Vec<(String, registry::Fields)>>, StateError> {
        let day = self.deciding.module.zone.date(self.deciding.lodged);
        let all = registry::all_on(state, self.module(), of, day, MOST_RECORDS)?;
        let place = |record: &str| {
            let mut hasher = Hasher::new();
            hasher.update(b"chancery/1 inspection\0");
            hasher.update(seed.as_bytes());
            for text in [of, record] {
                hasher.update(&(text.len() as u64).to_be_bytes());
                hasher.update(text.as_bytes());
            }
            hasher.finish()
        };
        Ok(all.map(|all| {
            let placed = all.into_iter().map(|(record, fields)| (place(&record), (record, fields)));
            placed.collect::<BTreeMap<_, _>>().into_values().collect()
        }))
    }

    /// Draws objects, and to each who goes there: whoever has gone goes again only when all have.
    fn draw(&self, overlay: &mut Overlay<'_>) -> Result<Result<(), Refusal>, StateError> {
        let (one, plan) = (self.inspection, self.deciding.id);
        let key = family(self.module(), &one.name, "drawn").id(plan);
        if overlay.get(&key)?.is_some() {
            return Ok(Err(Refusal::AtMost { times: 1 }));
        }
        let mut hasher = Hasher::new();
        hasher.update(head(overlay, self.module())?.digest.as_bytes());
        hasher.update(plan.as_bytes());
        let seed = hasher.finish();
        let mut objects = Vec::new();
        let all = self.order(overlay, &one.object, &seed)?;
        let inspectors = self.order(overlay, &one.inspectors, &seed)?;
        let (Some(all), Some(inspectors)) = (all, inspectors) else {
            return Ok(Err(Refusal::Cost));
        };
        let mut steps = 0u64;
        for (record, fields) in all {
            let mut environment = self.deciding.environment(overlay, None, None, Value::None);
            environment.counts.insert("object", Value::Map(fields));
            let fits = one.which.formula.value(&environment);
            environment.check()?;
            steps = steps.saturating_add(environment.steps.get());
            if steps > MOST_STEPS {
                return Ok(Err(Refusal::Cost));
            }
            match fits {
                Value::Bool(true) => objects.push(record),
                Value::Bool(false) => {}
                other => return Ok(Err(Refusal::Unknown { what: format!("{record}: {other}") })),
            }
        }
        let few = |of: &String, wanted: u32, there: usize| {
            let (of, wanted, there) = (of.clone(), wanted.into(), there as u64);
            Ok(Err(Refusal::Mechanism(Mine::TooFew { of, wanted, there })))
        };
        if objects.len() < one.n as usize {
            return few(&one.object, one.n, objects.len());
        }
        if inspectors.len() < one.each as usize {
            return few(&one.inspectors, one.each, inspectors.len());
        }
        let mut turn = inspectors.iter().map(|(record, _)| record.clone()).cycle();
        objects.truncate(one.n as usize);
        let drawn = objects.into_iter().map(|object| Drawn {
            object,
            inspectors: turn.by_ref().take(one.each as usize).collect(),
        });
        put(overlay, key, &Draw { seed, drawn: drawn.collect() });
        Ok(Ok(()))
    }

    fn closed(&self) -> Key {
        family(self.module(), &self.inspection.name, "closed").id(self.deciding.id)
    }

    fn lists(&self) -> Key {
        family(self.module(), &self.inspection.name, "lists").id(self.deciding.id)
    }

    /// Merges the list of a laptop into what others have noted.
    fn note(
        &self,
        overlay: &mut Overlay<'_>,
        (device, seen): (&str, u32),
        entries: Vec<Entry>,
        document: &Document,
    ) -> Result<Result<(), Refusal>, StateError> {
        let field = |field: &str| Ok(Err(Refusal::Field { field: field.to_owned() }));
        if overlay.get(&self.closed())?.is_some() {
            return Ok(Err(Refusal::Mechanism(Mine::Closed)));
        }
        let before: u32 = read(&*overlay, &self.lists())?.unwrap_or(0);
        // Nobody has seen what has not come.
        if seen > before {
            return field("seen");
        }
        if entries.is_empty() || entries.len() > MOST_ENTRIES {
            return field("entries");
        }
        let (days, lodged) = (self.inspection.days, self.deciding.lodged.0);
        let list = before.saturating_add(1);
        let mut all: BTreeMap<String, Vec<Noted>> = BTreeMap::new();
        for (place, Entry { item, value, at }) in (0u32..).zip(entries) {
            let check = self.inspection.checklist.iter().find(|check| check.name == item);
            if !check.is_some_and(|check| is_of(&check.kind, &value)) {
                return field(&item);
            }
            if at.0 > lodged || at.0 < lodged.saturating_sub(i64::from(days) * 86_400) {
                return Ok(Err(Refusal::Mechanism(Mine::Offline { item, days })));
            }
            let (id, inspection) = (self.deciding.id, &self.inspection.name);
            let known = match all.remove(&item) {
                Some(known) => known,
                None => noted(&*overlay, self.module(), inspection, id, &item)?,
            };
            if known.len() >= MOST_NOTED {
                return Ok(Err(Refusal::Cost));
            }
            let one = Noted {
                value,
                device: device.to_owned(),
                by: document.signer().name,
                document: document.id.to_string(),
                at: at.0,
                list,
                place,
                seen,
            };
            all.insert(item, known.into_iter().chain([one]).collect());
        }
        let key = noted_key(self.module(), &self.inspection.name, self.deciding.id);
        for (item, known) in all {
            put(overlay, key.clone().id(&item), &known);
        }
        put(overlay, self.lists(), &list);
        Ok(Ok(()))
    }

    /// Somebody decides what holds of an item: he has seen all that has come.
    fn settle(
        &self,
        overlay: &mut Overlay<'_>,
        item: String,
        value: Value,
        document: &Document,
    ) -> Result<Result<(), Refusal>, StateError> {
        let seen: u32 = read(&*overlay, &self.lists())?.unwrap_or(0);
        let entries = vec![Entry { item, value, at: self.deciding.lodged }];
        self.note(overlay, ("", seen), entries, document)
    }

    /// What must be ordered, once all was looked at and nothing is in dispute.
    fn close(
        &self,
        overlay: &mut Overlay<'_>,
    ) -> Result<Result<Vec<(String, Value)>, Refusal>, StateError> {
        let (one, id) = (self.inspection, self.deciding.id);
        if overlay.get(&self.closed())?.is_some() {
            return Ok(Err(Refusal::Mechanism(Mine::Closed)));
        }
        let (mut open, mut missing) = (Vec::new(), Vec::new());
        for check in &one.checklist {
            match holds(&noted(overlay, self.module(), &one.name, id, &check.name)?) {
                Holds::Nothing => missing.push(check.name.as_str()),
                Holds::Conflict(_) => open.push(check.name.as_str()),
                Holds::One(_) => {}
            }
        }
        if !open.is_empty() {
            return Ok(Err(Refusal::Mechanism(Mine::Conflict { items: open.join(", ") })));
        }
        if !missing.is_empty() {
            return Ok(Err(Refusal::Mechanism(Mine::NotLooked { items: missing.join(", ") })));
        }
        let checks = checks(overlay, self.module(), one, id)?;
        let mut orders = Vec::new();
        for finding in &one.findings {
            let mut environment = self.deciding.environment(overlay, None, None, Value::None);
            environment.counts.insert("checks", checks.clone());
            let found = finding.when.formula.value(&environment);
            environment.check()?;
            match found {
                Value::Bool(true) => {
                    let law = self.deciding.module.cite(&finding.law);
                    let with = [("finding", Value::text(&finding.name)), ("law", Value::Text(law))];
                    let with = with.map(|(name, value)| (name.to_owned(), value)).into();
                    orders.push((finding.order.clone(), Value::Map(with)));
                }
                Value::Bool(false) => {}
                other => {
                    let what = format!("{}: {other}", finding.name);
                    return Ok(Err(Refusal::Unknown { what }));
                }
            }
        }
        put(overlay, self.closed(), &self.deciding.at.0);
        Ok(Ok(orders))
    }
}

fn is_of(kind: &crate::Type, value: &Value) -> bool {
    use crate::Type;
    matches!(
        (kind, value),
        (Type::Bool, Value::Bool(_))
            | (Type::Int, Value::Int(_))
            | (Type::Text, Value::Text(_))
            | (Type::Date, Value::Date(_))
    )
}

/// Does it; what is given are the cases of the orders that follow, each with what it is opened with.
pub(super) fn run(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    (inspection, deed): (&str, Deed),
    document: Option<&Document>,
) -> Decided<Vec<(String, Value)>> {
    let gone = || StateError::damaged("an inspection that was checked is gone");
    let inspection = deciding.module.inspections.get(inspection).ok_or_else(gone)?;
    let working = Working { deciding, inspection };
    let nobody = || Err(Refusal::Unknown { what: "me".into() });
    let done = match (deed, document) {
        (Deed::Draw, _) => working.draw(overlay)?.map(|()| Vec::new()),
        (Deed::Close, _) => working.close(overlay)?,
        (Deed::Note { device, seen, entries }, Some(document)) => {
            working.note(overlay, (&device, seen), entries, document)?.map(|()| Vec::new())
        }
        (Deed::Settle { item, value }, Some(document)) => {
            working.settle(overlay, item, value, document)?.map(|()| Vec::new())
        }
        (_, None) => nobody(),
    };
    Ok(done.map_err(|why| vec![deciding.reason(rule, Some(&inspection.law), why)]))
}

/// The items of a checklist on which two differ, for whoever is to decide.
///
/// # Errors
/// [`StateError`].
pub fn conflicts(
    state: &dyn State,
    module: &Module,
    inspection: &str,
    visit: &str,
) -> Result<BTreeMap<String, Vec<Noted>>, StateError> {
    let mut found = BTreeMap::new();
    let checks = module.inspections.get(inspection).into_iter().flat_map(|one| &one.checklist);
    let names: BTreeSet<_> = checks.map(|check| check.name.clone()).collect();
    for item in names {
        let all = noted(state, module.name(), inspection, visit, &item)?;
        if let Holds::Conflict(sides) = holds(&all) {
            found.insert(item, sides);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(value: u8, device: &str, list: u32, place: u32, seen: u32) -> Noted {
        let (by, document) = (String::new(), String::new());
        Noted {
            value: Value::Int(value.into()),
            device: device.into(),
            by,
            document,
            at: 0,
            list,
            place,
            seen,
        }
    }

    proptest! {
        /// Two laptops that knew nothing of each other come to the same, whichever is merged first, and nothing is lost.
        #[test]
        fn the_order_of_merging_says_nothing(
            a in prop::collection::vec(0u8..3, 1..4), b in prop::collection::vec(0u8..3, 1..4), before in prop::option::of(0u8..3),
        ) {
            let base: Vec<_> = before.map(|value| one(value, "c", 1, 0, 0)).into_iter().collect();
            let seen = base.len() as u32;
            let list = |of: &[u8], device: &str, list: u32| {
                (0u32..).zip(of).map(|(place, value)| one(*value, device, list, place, seen)).collect::<Vec<_>>()
            };
            let merge = |x: Vec<Noted>, y: Vec<Noted>| [base.clone(), x, y].concat();
            let one_way = merge(list(&a, "a", seen + 1), list(&b, "b", seen + 2));
            let other_way = merge(list(&b, "b", seen + 1), list(&a, "a", seen + 2));
            prop_assert_eq!(one_way.len(), base.len() + a.len() + b.len());
            let said = |all: &[Noted]| {
                let mut said: Vec<_> = newest(all).iter().map(|n| (n.device.clone(), n.value.to_string())).collect();
                said.sort();
                said
            };
            prop_assert_eq!(said(&one_way), said(&other_way));
            // What each said last stands, and differs or not.
            let (last_a, last_b) = (a[a.len() - 1], b[b.len() - 1]);
            prop_assert_eq!(matches!(holds(&one_way), Holds::One(_)), last_a == last_b);
            // Whoever has seen both decides.
            let decided = [one_way, vec![one(9, "", seen + 3, 0, seen + 2)]].concat();
            prop_assert_eq!(holds(&decided), Holds::One(Value::Int(9)));
        }
    }
}
