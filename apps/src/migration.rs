//! Running things go over to another version of their module, by a signed plan: one row, through which each is read from its next
//! act on. Who signs it has seen each thing that does not map: his list is the one that is worked out, or it is refused.

use std::collections::{BTreeMap, BTreeSet};

use chancery_crypto::{Digest, cbor};
use chancery_protocol::FormValue;
use serde::{Deserialize, Serialize};

use crate::{
    formula::Formula,
    input::Input,
    kernel::Kernel,
    manifest::{Case, Migration, Module},
    office::{self, OFFICE},
    office_tables::TABLE_MEDIA_TYPE,
    office_versions,
    plain::Plain,
    reason::{Reason, Refusal},
    record::Applied,
    state::{Family, Key, Overlay, State, StateError},
    thing::Thing,
    value::Value,
};

/// The most things that are held against a plan in one decision, and the most that it may leave out.
const MOST_THINGS: usize = 100_000;
const MOST_UNMAPPED: usize = 1_000;

/// The most bytes of a plan.
const MOST_BYTES: usize = 1 << 20;

/// How many plans one thing may go through that nobody has touched meanwhile.
const MOST_PLANS: usize = 16;

/// A plan that was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    pub to: Digest,
    pub document: String,
    pub since: i64,
    pub cases: BTreeMap<String, CasePlan>,
}

/// What becomes of the things of a case.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CasePlan {
    /// Each state that goes on, and what it is then.
    pub states: BTreeMap<String, String>,
    pub acts: BTreeMap<String, String>,
    pub dues: BTreeMap<String, String>,
    pub fields: BTreeMap<String, String>,
    pub params: BTreeMap<String, String>,
    pub filed: BTreeMap<String, BTreeMap<String, String>>,
    /// The parameters that nothing else gives.
    pub defaults: BTreeMap<String, Value>,
}

/// What a plan covers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cover {
    /// How many running things go over.
    pub mapped: u64,
    /// How many have ended, which stay what they are.
    pub ended: u64,
    /// Those that do not map, each with why: they end under their old version.
    pub unmapped: Vec<Unmapped>,
}

/// A thing that does not map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unmapped {
    /// The case.
    pub case: String,
    /// The thing.
    pub thing: String,
    /// What has no image: `state.first`, `it.ground`, `filed.draft.column`, `round.sign`.
    pub why: Vec<String>,
}

fn plan_key(module: &str, from: &Digest) -> Key {
    Key::new(Family::Module, module).name("migration").id(&from.to_string())
}

fn unmapped_key(module: &str, from: &Digest, case: &str, id: &str) -> Key {
    let key = Key::new(Family::Module, module).name("unmapped").value(&from.to_string());
    key.id(&format!("{case}/{id}"))
}

/// A thing as it is read: through the plans by which its version went over to others.
pub(crate) fn through(
    state: &dyn State,
    module: &str,
    case: &str,
    id: &str,
    mut thing: Thing,
) -> Result<Thing, StateError> {
    for _ in 0..MOST_PLANS {
        let Some(version) = thing.version else { break };
        let Some(bytes) = state.get(&plan_key(module, &version))? else { break };
        let plan: Plan = cbor::decode_within(&bytes, bytes.len()).map_err(StateError::damaged)?;
        let Some(own) = plan.cases.get(case) else { break };
        // What has ended stays what it is, and so does what was opened under it later.
        if !own.states.contains_key(&thing.state)
            || state.get(&unmapped_key(module, &version, case, id))?.is_some()
        {
            break;
        }
        match own.map(&thing, &plan.to) {
            Ok(mapped) => thing = mapped,
            // It was asked of each before it was signed.
            Err(_) => break,
        }
    }
    Ok(thing)
}

impl CasePlan {
    fn of(plan: &Migration, old: &Case, to: &Module) -> Self {
        let given = plan.cases.get(&old.name).cloned().unwrap_or_default();
        let new = to.cases.get(&old.name);
        let image = |name: &String| {
            let to = given.states.get(name).unwrap_or(name);
            let there = new.and_then(|new| new.state(to)).is_some();
            there.then(|| (name.clone(), to.clone()))
        };
        let running = old.states.iter().filter(|state| !state.end);
        let texts = |all: &BTreeMap<String, crate::manifest::Placed>| {
            let each =
                all.iter().map(|(name, placed)| (name.clone(), placed.formula.text().into()));
            each.collect::<BTreeMap<String, String>>()
        };
        Self {
            states: running.filter_map(|state| image(&state.name)).collect(),
            fields: texts(&given.fields),
            params: texts(&given.params),
            filed: given.filed.iter().map(|(act, all)| (act.clone(), texts(all))).collect(),
            defaults: to.params_of(None),
            acts: given.acts,
            dues: given.dues,
        }
    }

    /// A thing as it is under the plan.
    ///
    /// # Errors
    /// What could not be worked out.
    fn map(&self, thing: &Thing, to: &Digest) -> Result<Thing, Vec<String>> {
        let mut new = thing.clone();
        new.version = Some(*to);
        if let Some(state) = self.states.get(&thing.state) {
            new.state.clone_from(state);
        }
        let states = self.states.iter().filter(|(old, new)| old != new);
        let names: Vec<_> = states.chain(self.acts.iter()).collect();
        for (old, _) in &names {
            new.when.remove(*old);
            new.count.remove(*old);
            new.authors.remove(*old);
            new.documents.remove(*old);
            new.filed.remove(*old);
        }
        for (old, name) in names {
            if let Some(at) = thing.when.get(old) {
                let when = new.when.entry(name.clone()).or_insert(*at);
                *when = (*when).max(*at);
            }
            if let Some(n) = thing.count.get(old) {
                let count = new.count.entry(name.clone()).or_default();
                *count = count.saturating_add(*n);
            }
            if let Some(who) = thing.authors.get(old) {
                new.authors.entry(name.clone()).or_default().extend(who.iter().cloned());
            }
            if let Some(document) = thing.documents.get(old) {
                new.documents.insert(name.clone(), document.clone());
            }
            if let Some(form) = thing.filed.get(old) {
                new.filed.insert(name.clone(), form.clone());
            }
        }
        renamed(&mut new.over, &self.dues);
        renamed(&mut new.extended, &self.dues);
        renamed(&mut new.stood, &self.dues);
        let environment = environment(thing);
        let mut wrong = Vec::new();
        let mut value = |of: String, text: &String| {
            let value = Formula::parse(text).map(|formula| formula.value(&environment));
            match value {
                Ok(value) if value.unkept().is_none() && value != Value::None => Some(value),
                _ => {
                    wrong.push(of);
                    None
                }
            }
        };
        for (name, text) in &self.fields {
            new.set.extend(value(format!("it.{name}"), text).map(|value| (name.clone(), value)));
        }
        for (act, fields) in self.filed.iter().filter(|(act, _)| new.count.contains_key(*act)) {
            for (name, text) in fields {
                let value = value(format!("filed.{act}.{name}"), text);
                let form = new.filed.entry(act.clone()).or_default();
                form.extend(value.map(|value| (name.clone(), value)));
            }
        }
        for (name, text) in &self.params {
            new.params.extend(value(format!("param.{name}"), text).map(|v| (name.clone(), v)));
        }
        for (name, value) in &self.defaults {
            new.params.entry(name.clone()).or_insert_with(|| value.clone());
        }
        if wrong.is_empty() { Ok(new) } else { Err(wrong) }
    }
}

fn renamed<T>(all: &mut BTreeMap<String, T>, names: &BTreeMap<String, String>) {
    let moved: Vec<_> =
        names.iter().filter_map(|(old, new)| Some((new.clone(), all.remove(old)?))).collect();
    all.extend(moved);
}

/// What the formulas of a plan speak of.
fn environment(thing: &Thing) -> Plain {
    let map = Value::Map;
    let each = thing.when.iter();
    let when = each.map(|(name, at)| (name.clone(), Value::Instant(crate::Instant(*at))));
    let filed = thing.filed.iter().map(|(act, form)| (act.clone(), Value::Map(form.clone())));
    let last =
        thing.authors.iter().filter_map(|(act, who)| Some((act.clone(), Value::text(who.last()?))));
    let all =
        thing.authors.iter().map(|(act, who)| (act.clone(), Value::texts(who.iter().cloned())));
    let count = thing.count.iter().map(|(name, n)| (name.clone(), Value::Int((*n).into())));
    let mut it = thing.set.clone();
    it.insert("state".into(), Value::text(&thing.state));
    Plain::of([
        ("it", map(it)),
        ("filed", map(filed.collect())),
        ("when", map(when.collect())),
        ("author", map(last.collect())),
        ("authors", map(all.collect())),
        ("count", map(count.collect())),
        ("param", map(thing.params.clone())),
    ])
}

/// Why a thing does not map; nothing if it does.
fn why_not(
    thing: &Thing,
    old: &Case,
    new: Option<&Case>,
    own: &CasePlan,
    to: &Module,
) -> Vec<String> {
    let Some(new) = new else { return vec![format!("case.{}", old.name)] };
    if !own.states.contains_key(&thing.state) {
        return vec![format!("state.{}", thing.state)];
    }
    let mapped = match own.map(thing, &to.digest()) {
        Ok(mapped) => mapped,
        Err(wrong) => return wrong,
    };
    let mut wrong = Vec::new();
    // Who has voted by one rule is not counted by another.
    let round = |case: &Case, state: &str| {
        let round = case.state(state)?.round.as_ref()?;
        let round = case.round(round)?;
        let text = |placed: &crate::manifest::Placed| placed.formula.text().to_owned();
        Some((
            round.name.clone(),
            round.act.clone(),
            round.listed,
            [text(&round.of), text(&round.done), round.fail.as_ref().map(text).unwrap_or_default()],
        ))
    };
    let (before, after) = (round(old, &thing.state), round(new, &mapped.state));
    if before != after {
        let name = before.or(after).map(|(name, ..)| name).unwrap_or_default();
        wrong.push(format!("round.{name}"));
    }
    // What formulas read of forms from now on and was not kept.
    let done = |act: &str| mapped.count.contains_key(act);
    for (act, field) in new.live.difference(&old.live) {
        let kept = mapped.filed.get(act).is_some_and(|form| form.contains_key(field));
        if done(act) && !kept && !old.live.contains(&(act.clone(), String::new())) {
            wrong.push(format!("filed.{act}.{field}"));
        }
    }
    // What an act sets from now on that was done before.
    let known: BTreeSet<_> = old.fields();
    for act in new.acts.iter().filter(|act| done(&act.name)) {
        let fields = act.set.iter().map(|(name, _)| name);
        for name in fields.filter(|name| !known.contains(name.as_str())) {
            if !mapped.set.contains_key(name) {
                wrong.push(format!("it.{name}"));
            }
        }
    }
    for name in to.params.keys().filter(|name| !mapped.params.contains_key(*name)) {
        wrong.push(format!("param.{name}"));
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

/// Holds a plan against all things of a version. None when there are more than one decision may look at.
fn cover(
    state: &dyn State,
    old: &Module,
    to: &Module,
    plan: &Migration,
) -> Result<Option<(Cover, Plan)>, StateError> {
    let (mut cover, mut seen) = (Cover::default(), 0);
    let mut cases = BTreeMap::new();
    let from = old.digest();
    for case in old.cases.values() {
        let own = CasePlan::of(plan, case, to);
        let (beside, mut after) = (Thing::key(old.name(), &case.name, ""), String::new());
        loop {
            let rows = state.scan(&beside, &after, 1_000)?;
            let Some((last, _)) = rows.last() else { break };
            after.clone_from(&last.id);
            seen += rows.len();
            if seen > MOST_THINGS {
                return Ok(None);
            }
            for (key, bytes) in rows {
                let thing = Thing::decode(&bytes)?;
                let thing = through(state, old.name(), &case.name, &key.id, thing)?;
                if thing.version != Some(from) {
                    continue;
                }
                if case.state(&thing.state).is_none_or(|state| state.end) {
                    cover.ended += 1;
                    continue;
                }
                let why = why_not(&thing, case, to.cases.get(&case.name), &own, to);
                match why.is_empty() {
                    true => cover.mapped += 1,
                    false => {
                        let (case, thing) = (case.name.clone(), key.id);
                        cover.unmapped.push(Unmapped { case, thing, why });
                    }
                }
            }
        }
        cases.insert(case.name.clone(), own);
    }
    let plan = Plan { to: to.digest(), document: String::new(), since: 0, cases };
    Ok(Some((cover, plan)))
}

/// What is wrong with a plan, as a refusal.
fn unsound(mistakes: &[crate::Mistake]) -> Refusal {
    let first =
        mistakes.first().map(|one| format!("{}:{} {}", one.at.file, one.at.line, one.what.code()));
    Refusal::Folder { mistakes: mistakes.len(), first: first.unwrap_or_default() }
}

impl Kernel {
    /// What a plan would cover if it were signed now, for the version of a module that is in force.
    ///
    /// # Errors
    /// [`StateError`]; within, why it would be refused whatever it left out.
    pub fn try_migration(
        &self,
        state: &dyn State,
        module: &str,
        plan: &str,
    ) -> Result<Result<Cover, Refusal>, StateError> {
        Ok(self.held_against(state, module, plan)?.map(|(cover, _, _)| cover))
    }

    fn held_against(
        &self,
        state: &dyn State,
        module: &str,
        plan: &str,
    ) -> Result<Result<(Cover, Plan, Digest), Refusal>, StateError> {
        let plan = match Migration::parse("migration.toml", plan) {
            Ok(plan) => plan,
            Err(mistakes) => return Ok(Err(unsound(&mistakes))),
        };
        let Some((installed, to)) = self.in_force(state, module)? else {
            return Ok(Err(Refusal::NoModule));
        };
        let field = |name: &str| Refusal::Field { field: name.to_owned() };
        let Some(from) = plan.from.filter(|from| *from != installed.digest) else {
            return Ok(Err(field("from")));
        };
        if office_versions::known(state, module, &from)?.is_none() {
            return Ok(Err(field("from")));
        }
        if state.get(&plan_key(module, &from))?.is_some() {
            return Ok(Err(Refusal::MigratedBefore { from: from.to_string() }));
        }
        let old = self.module(state, &from)?;
        let mistakes = plan.mistakes(&to, Some(&old));
        if !mistakes.is_empty() {
            return Ok(Err(unsound(&mistakes)));
        }
        match cover(state, &old, &to, &plan)? {
            Some((cover, plan)) => Ok(Ok((cover, plan, from))),
            None => Ok(Err(Refusal::Cost)),
        }
    }
}

/// How many of a list a refusal names.
const MOST_NAMED: usize = 50;

/// Decides that the things of a version go over to that in force. Whoever may is asked before.
pub(crate) fn file(
    kernel: &Kernel,
    overlay: &mut Overlay<'_>,
    input: &Input,
) -> Result<Result<Applied, Vec<Reason>>, StateError> {
    let refused = |why| {
        let rule = format!("{OFFICE}/migrate");
        Ok(Err(vec![Reason { rule, law: None, why }]))
    };
    let field = |name: &str| refused(Refusal::Field { field: name.to_owned() });
    let form = input.document.form();
    let text = |name: &str| match form.get(name) {
        Some(FormValue::Text(text)) if !text.is_empty() && text.len() <= 200 => Some(text.as_str()),
        _ => None,
    };
    let Some(of) = text("of") else { return field("of") };
    let plan = match (&input.document.part, input.document.header.parts.as_slice()) {
        (Some(bytes), [part])
            if part.media_type == TABLE_MEDIA_TYPE
                && bytes.len() <= MOST_BYTES
                && Digest::of(bytes) == part.digest
                && text("digest") == Some(part.digest.to_string().as_str()) =>
        {
            std::str::from_utf8(bytes).ok()
        }
        _ => None,
    };
    let Some(plan) = plan else { return field("digest") };
    let mut listed = BTreeMap::new();
    match form.get("unmapped") {
        None => {}
        Some(FormValue::List(list)) if list.len() <= MOST_UNMAPPED => {
            for one in list {
                let FormValue::Map(one) = one else { return field("unmapped") };
                let part = |name: &str| match one.get(name) {
                    Some(FormValue::Text(text)) if !text.trim().is_empty() => Some(text.clone()),
                    _ => None,
                };
                // Each with why it is left out.
                let (Some(case), Some(thing), Some(reason)) =
                    (part("case"), part("thing"), part("reason"))
                else {
                    return field("unmapped");
                };
                listed.insert((case, thing), reason);
            }
        }
        Some(_) => return field("unmapped"),
    }
    let (cover, mut row, from) = match kernel.held_against(overlay, of, plan)? {
        Ok(found) => found,
        Err(why) => return refused(why),
    };
    if text("from") != Some(from.to_string().as_str()) {
        return field("from");
    }
    if text("to") != Some(row.to.to_string().as_str()) {
        return refused(Refusal::OtherVersion { holds: row.to.to_string() });
    }
    let found: BTreeMap<_, _> =
        cover.unmapped.iter().map(|one| ((one.case.clone(), one.thing.clone()), one)).collect();
    let left_out = found.iter().filter(|(key, _)| !listed.contains_key(*key));
    let left_out: Vec<_> = left_out
        .map(|((case, thing), one)| format!("{case}/{thing}: {}", one.why.join(", ")))
        .collect();
    let needless = listed.keys().filter(|key| !found.contains_key(*key));
    let needless: Vec<_> = needless.map(|(case, thing)| format!("{case}/{thing}")).collect();
    if !left_out.is_empty() || !needless.is_empty() {
        let count = left_out.len() + needless.len();
        let few = |all: Vec<String>| all.into_iter().take(MOST_NAMED).collect();
        return refused(Refusal::Unmapped {
            count,
            left_out: few(left_out),
            needless: few(needless),
        });
    }
    row.document = input.document.id.to_string();
    row.since = input.lodged.0;
    overlay.put(plan_key(of, &from), cbor::encode(&row).expect("what is not known is not kept"));
    for ((case, thing), reason) in &listed {
        let reason = cbor::encode(reason).expect("a text");
        overlay.put(unmapped_key(of, &from, case, thing), reason);
    }
    // As it came, so that whoever decides again has what was read.
    overlay.put(office::folder(&Digest::of(plan.as_bytes())), plan.as_bytes().to_vec());
    begin(overlay, of, input.lodged.0);
    Ok(Ok(Applied {
        case: "migration".to_owned(),
        thing: format!("{of}/{from}"),
        sequence: 1,
        state: "in-force".to_owned(),
        ..Applied::default()
    }))
}

/// How many things are found again under their new names at a time.
const AT_ONCE: usize = 200;

fn place(at: i64, module: &str, after: &str) -> Key {
    let place = format!("{:020}/{OFFICE}/migration/{module}~{after}", at.max(0));
    crate::case::at_key(&place)
}

/// What things are found by, and when they are looked at next, follows from what they are: that is worked out again a few at a time,
/// and is in no record.
fn begin(overlay: &mut Overlay<'_>, module: &str, at: i64) {
    overlay.put(place(at, module, "/"), cbor::encode(&at).expect("a number"));
}

/// Goes on with that. The name is the module, and how far it has come: the case, and a thing of it.
pub(crate) fn go_on(
    kernel: &Kernel,
    state: &dyn State,
    overlay: &mut Overlay<'_>,
    name: &str,
    home: &str,
) -> Result<(), StateError> {
    let Some((module, after)) = name.split_once('~') else { return Ok(()) };
    let (case, after) = after.split_once('/').unwrap_or((after, ""));
    // It stands where it was put, and at one moment alone.
    let suffix = format!("/{OFFICE}/migration/{name}");
    let rows = state.scan(&crate::case::at_key(""), "", 1_000)?;
    let Some((key, bytes)) = rows.into_iter().find(|(key, _)| key.id.ends_with(&suffix)) else {
        return Ok(());
    };
    let at: i64 = cbor::decode(&bytes).map_err(StateError::damaged)?;
    overlay.delete(key);
    let Some((_, current)) = kernel.in_force(state, module)? else { return Ok(()) };
    let mut names = current.cases.keys().filter(|name| name.as_str() >= case);
    let Some(case) = names.next() else { return Ok(()) };
    let rows = state.scan(&Thing::key(module, case, ""), after, AT_ONCE)?;
    let next = match rows.last() {
        Some((last, _)) => Some(format!("{case}/{}", last.id)),
        None => names.next().map(|case| format!("{case}/")),
    };
    for (key, bytes) in rows {
        let stored = Thing::decode(&bytes)?;
        let thing = through(state, module, case, &key.id, stored.clone())?;
        let Some(version) = thing.version.filter(|_| thing != stored) else { continue };
        let module = kernel.module(state, &version)?;
        let Some(case) = module.cases.get(case) else { continue };
        let calendar = kernel.calendar(state)?;
        let now = crate::Instant(at);
        let deciding = kernel.deciding(&module, case, &calendar, home, &key.id, now, now);
        deciding.find_again(overlay, &stored, &thing)?;
    }
    if let Some(next) = next {
        overlay.put(place(at, module, &next), cbor::encode(&at).expect("a number"));
    }
    Ok(())
}
