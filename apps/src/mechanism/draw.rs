//! Draws: contributors commit to values, the list is frozen, the values are revealed, and what is drawn follows from all of it.
//!
//! Whoever knows the seed can change no list, and whoever made the list knew no seed: each committed before it was frozen, and each
//! value stands in an entry after it. One contributor who keeps his value to himself until then is enough against all others.

use std::collections::{BTreeMap, BTreeSet};

use chancery_crypto::{Digest, Hasher, cbor};
use serde::{Deserialize, Serialize};

use super::roll::{Member, RollHead};
use crate::{
    case::{Decided, Deciding},
    environment::CaseEnvironment,
    manifest::{Draw, Placed},
    reason::{Reason, Refusal},
    record::Checkpoint,
    state::{Family, Key, Overlay, State, StateError},
    thing::Thing,
    value::{Value, Why},
};

/// What a contributor gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contribution {
    commitment: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// The decision that brought the newest of both.
    number: u64,
}

/// Somebody who was drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drawn {
    /// The member.
    pub key: String,
    /// Of which stratum; empty where there are none.
    pub stratum: String,
}

/// A member who does not serve, and who came in his place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replaced {
    /// The member.
    pub key: String,
    /// Who came in his place.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What was drawn, with all that it follows from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawResult {
    /// The digest of the list.
    pub list: Digest,
    /// The seed.
    pub seed: Digest,
    /// Contributors and their values, in the order of their names.
    pub revealed: Vec<(String, String)>,
    /// The checkpoint that came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    /// Who is drawn, as it stands now.
    pub chosen: Vec<Drawn>,
    /// Who stands by, the first of each stratum first.
    pub spare: Vec<Drawn>,
    /// Who was replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<Replaced>,
    /// The decision that has drawn.
    pub number: u64,
}

/// The most contributors of a draw.
const MOST_CONTRIBUTORS: usize = 50;

/// The most members that are drawn or stand by.
const MOST_DRAWN: usize = 5_000;

/// The bytes of a contributor's value: less can be tried out, more is nothing more.
const SECRET: std::ops::RangeInclusive<usize> = 32..=200;

fn key(module: &str, draw: &str, thing: &str) -> Key {
    Key::new(Family::Draw, module).name(draw).value(thing)
}

fn contribution(module: &str, draw: &str, thing: &str, who: &str) -> Key {
    key(module, draw, thing).id(&format!("by/{who}"))
}

fn result_key(module: &str, draw: &str, thing: &str) -> Key {
    key(module, draw, thing).id("result")
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, StateError> {
    cbor::decode_within(bytes, bytes.len()).map_err(StateError::damaged)
}

fn hash(label: &[u8], parts: &[&[u8]]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(label);
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finish()
}

/// What a contributor files before the list is frozen: over the draw and his name, so that nobody commits to another's value.
pub fn draw_commitment(module: &str, draw: &str, thing: &str, who: &str, secret: &str) -> Digest {
    let parts = [module, draw, thing, who, secret].map(str::as_bytes);
    hash(b"chancery/1 draw commitment\0", &parts)
}

/// The seed of a draw.
pub fn draw_seed(
    (module, draw, thing): (&str, &str, &str),
    list: &Digest,
    revealed: &[(String, String)],
    checkpoint: Option<&Digest>,
) -> Digest {
    let mut parts = vec![module.as_bytes(), draw.as_bytes(), thing.as_bytes(), list.as_bytes()];
    for (who, secret) in revealed {
        parts.extend([who.as_bytes(), secret.as_bytes()]);
    }
    let none: &[u8] = &[];
    parts.push(checkpoint.map_or(none, |root| root.as_bytes()));
    hash(b"chancery/1 draw seed\0", &parts)
}

/// The members of a list in the order in which a seed draws them: by SHA-256 over the seed and their keys.
pub fn draw_order<'m>(seed: &Digest, keys: impl Iterator<Item = &'m str>) -> Vec<&'m str> {
    let label = b"chancery/1 draw order\0";
    let mut each: Vec<_> =
        keys.map(|key| (hash(label, &[seed.as_bytes(), key.as_bytes()]), key)).collect();
    each.sort_by(|(a, x), (b, y)| (a.as_bytes(), x).cmp(&(b.as_bytes(), y)));
    each.into_iter().map(|(_, key)| key).collect()
}

impl DrawResult {
    /// What was drawn for a thing.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn of(
        state: &dyn State,
        module: &str,
        draw: &str,
        thing: &str,
    ) -> Result<Option<Self>, StateError> {
        state.get(&result_key(module, draw, thing))?.map(|bytes| decode(&bytes)).transpose()
    }
}

fn contributions(
    state: &dyn State,
    module: &str,
    draw: &str,
    thing: &str,
) -> Result<BTreeMap<String, Contribution>, StateError> {
    let rows = state.scan(&key(module, draw, thing), "by/", MOST_CONTRIBUTORS + 1)?;
    let own = rows.into_iter().filter_map(|(key, bytes)| {
        let who = key.id.strip_prefix("by/")?.to_owned();
        Some(decode(&bytes).map(|one| (who, one)))
    });
    own.collect()
}

/// A draw and where it stands.
struct At<'a> {
    deciding: &'a Deciding<'a>,
    draw: &'a Draw,
    rule: &'a str,
    module: &'a str,
    thing: &'a Thing,
    /// The decision that is being made.
    number: u64,
}

impl At<'_> {
    fn refused<T>(&self, why: Refusal) -> Decided<T> {
        Ok(Err(vec![self.reason(why)]))
    }

    fn reason(&self, why: Refusal) -> Reason {
        self.deciding.reason(self.rule, Some(&self.draw.law), why)
    }

    fn names(&self, state: &dyn State) -> Result<Result<BTreeSet<String>, Refusal>, StateError> {
        let mut environment = self.deciding.environment(state, None, None, Value::None);
        environment.counts.insert("own", self.thing.value(self.deciding.id));
        let value = self.draw.contributors.formula.value(&environment);
        environment.check()?;
        let names: BTreeSet<_> = value.names().into_iter().map(str::to_owned).collect();
        Ok(if names.is_empty() || names.len() > MOST_CONTRIBUTORS {
            Err(Refusal::Unknown { what: format!("contributors ({value})") })
        } else {
            Ok(names)
        })
    }

    fn count(
        &self,
        state: &dyn State,
        placed: &Placed,
        stratum: &str,
    ) -> Result<Result<usize, Refusal>, StateError> {
        let mut environment = self.deciding.environment(state, None, None, Value::None);
        environment.counts.insert("own", self.thing.value(self.deciding.id));
        environment.counts.insert("stratum", Value::text(stratum));
        let value = placed.formula.value(&environment);
        environment.check()?;
        Ok(match value {
            Value::Int(n) => match usize::try_from(n) {
                Ok(n) if n <= MOST_DRAWN => Ok(n),
                _ => Err(Refusal::Unknown { what: format!("{n}") }),
            },
            Value::Unknown(Why::Cost) => Err(Refusal::Cost),
            other => Err(Refusal::Unknown { what: other.to_string() }),
        })
    }
}

fn stand<'a>(
    deciding: &'a Deciding<'a>,
    state: &dyn State,
    rule: &'a str,
    draw: &str,
    thing: &'a Thing,
) -> Result<At<'a>, StateError> {
    let gone = || StateError::damaged("a draw that was checked is gone");
    let draw = deciding.module.more.draws.get(draw).ok_or_else(gone)?;
    let (module, number) = (deciding.module.name(), crate::kernel::decisions(state)?);
    Ok(At { deciding, draw, rule, module, thing, number })
}

/// Somebody commits to a value, before the list is frozen.
pub(super) fn commit(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    draw: &str,
    (who, value): (&str, &str),
    thing: &Thing,
) -> Decided<()> {
    let at = stand(deciding, overlay, rule, draw, thing)?;
    let (module, id) = (at.module, deciding.id);
    if RollHead::of(overlay, module, &at.draw.from, id)?.is_some() {
        return at.refused(Refusal::Frozen { list: at.draw.from.clone() });
    }
    let Some(commitment) = Digest::from_hex(value) else {
        return at.refused(Refusal::Field { field: "commit".into() });
    };
    match at.names(overlay)? {
        Err(why) => return at.refused(why),
        Ok(names) if !names.contains(who) => {
            let by = names.into_iter().collect();
            return at.refused(Refusal::NotEntitled { who: who.to_owned(), by, office: None });
        }
        Ok(_) => {}
    }
    let key = contribution(module, draw, id, who);
    if overlay.get(&key)?.is_some() {
        return at.refused(Refusal::NotUnique { value: who.to_owned() });
    }
    let one = Contribution { commitment, secret: None, number: at.number };
    overlay.put(key, cbor::encode(&one).expect("plain"));
    Ok(Ok(()))
}

/// Somebody reveals the value to which he has committed, in an entry after that of the list.
pub(super) fn reveal(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    draw: &str,
    (who, secret): (&str, &str),
    thing: &Thing,
) -> Decided<()> {
    let at = stand(deciding, overlay, rule, draw, thing)?;
    let (module, id) = (at.module, deciding.id);
    match RollHead::of(overlay, module, &at.draw.from, id)? {
        None => return at.refused(Refusal::NotFrozen { list: at.draw.from.clone() }),
        Some(head) if head.number >= at.number => {
            return at.refused(Refusal::OneEntry { draw: draw.to_owned() });
        }
        Some(_) => {}
    }
    let key = contribution(module, draw, id, who);
    let known: Option<Contribution> = overlay.get(&key)?.map(|of| decode(&of)).transpose()?;
    let Some(known) = known else {
        return at.refused(Refusal::NotCommitted { who: who.to_owned() });
    };
    if known.secret.is_some() {
        return at.refused(Refusal::NotUnique { value: who.to_owned() });
    }
    if !SECRET.contains(&secret.len()) {
        return at.refused(Refusal::Field { field: "reveal".into() });
    }
    if draw_commitment(module, draw, id, who, secret) != known.commitment {
        return at.refused(Refusal::OtherValue { who: who.to_owned() });
    }
    let one = Contribution { secret: Some(secret.to_owned()), number: at.number, ..known };
    overlay.put(key, cbor::encode(&one).expect("plain"));
    Ok(Ok(()))
}

/// Draws, once all have revealed.
pub(super) fn draw(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    draw: &str,
    thing: &Thing,
) -> Decided<()> {
    let at = stand(deciding, overlay, rule, draw, thing)?;
    let (module, id) = (at.module, deciding.id);
    let Some(head) = RollHead::of(overlay, module, &at.draw.from, id)? else {
        return at.refused(Refusal::NotFrozen { list: at.draw.from.clone() });
    };
    if head.number >= at.number {
        return at.refused(Refusal::OneEntry { draw: draw.to_owned() });
    }
    if DrawResult::of(overlay, module, draw, id)?.is_some() {
        return at.refused(Refusal::Frozen { list: draw.to_owned() });
    }
    let names = match at.names(overlay)? {
        Ok(names) => names,
        Err(why) => return at.refused(why),
    };
    // Whoever has committed is in it, also when he is not asked any more: nobody is left out once his value is known.
    let given = contributions(overlay, module, draw, id)?;
    let mut revealed = Vec::new();
    for who in names.into_iter().chain(given.keys().cloned()).collect::<BTreeSet<_>>() {
        match given.get(&who).map(|one| one.secret.clone()) {
            Some(Some(secret)) => revealed.push((who, secret)),
            Some(None) => return at.refused(Refusal::NotRevealed { who }),
            None => return at.refused(Refusal::NotCommitted { who }),
        }
    }
    let checkpoint = match at.draw.witnesses {
        0 => None,
        least => match &deciding.checkpoint {
            // It must cover the entry of the list: what was known before that is no chance.
            Some(one) if one.decisions > head.number && one.witnesses.len() >= least as usize => {
                Some(one.clone())
            }
            _ => return at.refused(Refusal::NoCheckpoint { least }),
        },
    };
    let root = checkpoint.as_ref().map(|one| &one.root);
    let seed = draw_seed((module, draw, id), &head.digest, &revealed, root);
    let members = head.members(overlay, module, &at.draw.from, id)?;
    let (chosen, spare) = match select(&at, overlay, &seed, &members)? {
        Ok(drawn) => drawn,
        Err(why) => return at.refused(why),
    };
    let result = DrawResult {
        list: head.digest,
        seed,
        revealed,
        checkpoint,
        chosen,
        spare,
        replaced: Vec::new(),
        number: at.number,
    };
    // Strata are texts of the module's, and may be long.
    let Ok(bytes) = cbor::encode(&result) else { return at.refused(Refusal::Cost) };
    overlay.put(result_key(module, draw, id), bytes);
    Ok(Ok(()))
}

type Selected = (Vec<Drawn>, Vec<Drawn>);

fn select(
    at: &At<'_>,
    state: &dyn State,
    seed: &Digest,
    members: &[Member],
) -> Result<Result<Selected, Refusal>, StateError> {
    let mut strata: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for member in members {
        let stratum = at.draw.strata.as_ref().map(|field| match member.fields.get(field) {
            Some(value) => value.to_string(),
            None => String::new(),
        });
        strata.entry(stratum.unwrap_or_default()).or_default().push(&member.key);
    }
    if strata.is_empty() {
        strata.insert(String::new(), Vec::new());
    }
    let (mut chosen, mut spare) = (Vec::new(), Vec::new());
    for (stratum, keys) in strata {
        let mut counts = [0; 2];
        let placed = [Some(&at.draw.n), at.draw.spare.as_ref()];
        for (count, placed) in counts.iter_mut().zip(placed) {
            if let Some(placed) = placed {
                match at.count(state, placed, &stratum)? {
                    Ok(n) => *count = n,
                    Err(why) => return Ok(Err(why)),
                }
            }
        }
        let [n, by] = counts;
        if keys.len() < n {
            let why = Refusal::TooFew { stratum, have: keys.len() as u64, need: n as u64 };
            return Ok(Err(why));
        }
        let order = draw_order(seed, keys.into_iter());
        let drawn = |key: &&str| Drawn { key: (*key).to_owned(), stratum: stratum.clone() };
        chosen.extend(order.iter().take(n).map(drawn));
        spare.extend(order.iter().skip(n).take(by).map(drawn));
        if chosen.len() + spare.len() > MOST_DRAWN {
            return Ok(Err(Refusal::Cost));
        }
    }
    Ok(Ok((chosen, spare)))
}

/// The next who stands by comes in the place of somebody who does not serve.
pub(super) fn replace(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    draw: &str,
    (who, reason): (&str, &str),
    thing: &Thing,
) -> Decided<()> {
    let at = stand(deciding, overlay, rule, draw, thing)?;
    let (module, id) = (at.module, deciding.id);
    let Some(mut result) = DrawResult::of(overlay, module, draw, id)? else {
        return at.refused(Refusal::NotFrozen { list: draw.to_owned() });
    };
    if reason.trim().is_empty() {
        return at.refused(Refusal::NoReason);
    }
    let Some(place) = result.chosen.iter().position(|one| one.key == who) else {
        return at.refused(Refusal::NotListed { who: who.to_owned() });
    };
    let stratum = result.chosen.get(place).map(|one| one.stratum.clone()).unwrap_or_default();
    let Some(next) = result.spare.iter().position(|one| one.stratum == stratum) else {
        return at.refused(Refusal::TooFew { stratum, have: 0, need: 1 });
    };
    let next = result.spare.remove(next);
    let by = next.key.clone();
    if let Some(one) = result.chosen.get_mut(place) {
        *one = next;
    }
    result.replaced.push(Replaced { key: who.to_owned(), by, reason: reason.to_owned() });
    let Ok(bytes) = cbor::encode(&result) else { return at.refused(Refusal::Cost) };
    overlay.put(result_key(module, draw, id), bytes);
    Ok(Ok(()))
}

/// `drawn('D')`, `drawn('D', thing)`: the keys of who is drawn; none before.
pub(super) fn call(
    environment: &CaseEnvironment<'_>,
    arguments: &[Value],
) -> Result<Option<Value>, StateError> {
    let (draw, thing) = match arguments {
        [Value::Text(draw)] => (draw, environment.id),
        [Value::Text(draw), Value::Text(thing)] => (draw, thing.as_str()),
        _ => return Ok(None),
    };
    let found = DrawResult::of(environment.state, environment.module.name(), draw, thing)?;
    let keys = |found: DrawResult| Value::texts(found.chosen.into_iter().map(|one| one.key));
    Ok(Some(found.map_or(Value::None, keys)))
}
