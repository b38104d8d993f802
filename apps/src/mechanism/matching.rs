//! Matching the children of a thing: by conditions and scores that are declared, explained for each, and once for all by ledger order.

use std::collections::{BTreeMap, BTreeSet};

use chancery_crypto::{Digest, cbor};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::stable::{Left, Rank, Wants, stable};
use crate::{
    case::{Decided, Deciding},
    environment::CaseEnvironment,
    kernel::decisions,
    manifest::{Matching, Placed},
    reason::Refusal,
    state::{Family, Key, Overlay, State, StateError},
    thing::Thing,
    value::{Value, Why},
};

/// One that was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Who, by its thing and its name.
    pub left: (String, String),
    /// Where.
    pub right: (String, String),
    /// What each score came to; all conditions held.
    pub scores: BTreeMap<String, Value>,
}

/// One that was not placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unplaced {
    /// Who, by its thing and its name.
    pub left: (String, String),
    /// Why not, and with how many: `must/NAME` did not hold, or could not be judged (`unknown/NAME`), others go before (`full`).
    pub why: BTreeMap<String, u64>,
}

/// A matching of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matched {
    /// Which round, from 1 on.
    pub round: u32,
    /// By which version of the module.
    pub version: Digest,
    /// Over how many decisions of the ledger.
    pub decisions: u64,
    /// When, in seconds since 1970 UTC.
    pub at: i64,
    /// Who was placed where, by names.
    pub pairs: Vec<Pair>,
    /// Who was not.
    pub unplaced: Vec<Unplaced>,
}

/// The most of each side, rounds, and steps of one matching.
const MOST_SIDE: usize = 1_000;
const MOST_ROUNDS: usize = 100;
const MOST_STEPS: u64 = 5_000_000;

fn key(module: &str, matching: &str, pool: &str) -> Key {
    Key::new(Family::Matching, module).name(matching).value(pool)
}

/// The matchings of a pool, oldest first: for whoever may read the pool.
///
/// # Errors
/// [`StateError`].
pub fn matches(
    state: &dyn State,
    module: &str,
    matching: &str,
    pool: &str,
) -> Result<Vec<Matched>, StateError> {
    let rows = state.scan(&key(module, matching, pool), "", MOST_ROUNDS)?;
    let decode = |bytes: &[u8]| cbor::decode_within(bytes, bytes.len());
    rows.into_iter().map(|(_, bytes)| decode(&bytes).map_err(StateError::damaged)).collect()
}

/// Where somebody was placed, by the name of that; none where he was not.
pub(crate) fn placed(
    state: &dyn State,
    module: &str,
    matching: &str,
    (pool, left): (&str, &str),
) -> Result<Value, StateError> {
    let all = matches(state, module, matching, pool)?;
    let mut pairs = all.into_iter().flat_map(|matched| matched.pairs);
    Ok(pairs.find(|pair| pair.left.0 == left).map_or(Value::None, |pair| Value::Text(pair.right.1)))
}

/// Where somebody was placed, or why not, as stories name it: `match/NAME/LEFT`, `match/NAME/LEFT/why`.
pub(super) fn shown(
    state: &dyn State,
    module: &str,
    pool: &str,
    path: &[&str],
) -> Result<Option<String>, StateError> {
    let [matching, left, rest @ ..] = path else { return Ok(None) };
    let all = matches(state, module, matching, pool)?;
    let pair = all.iter().flat_map(|one| &one.pairs).find(|pair| pair.left.1 == *left);
    Ok(match (rest, pair) {
        ([], Some(pair)) => Some(pair.right.1.clone()),
        ([score], Some(pair)) => pair.scores.get(*score).map(ToString::to_string),
        (["why"], None) => {
            let last = all.last();
            let one = last.and_then(|one| one.unplaced.iter().find(|one| one.left.1 == *left));
            one.map(|one| {
                let each = one.why.iter().map(|(why, count)| format!("{why} {count}"));
                each.collect::<Vec<_>>().join(", ")
            })
        }
        _ => None,
    })
}

/// The two sides, with what is worked out of each.
struct Pool<'a, 'd> {
    deciding: &'a Deciding<'d>,
    state: &'a dyn State,
    matching: &'a Matching,
    steps: u64,
}

impl Pool<'_, '_> {
    fn environment(&self, left: Option<&Value>, right: Option<&Value>) -> CaseEnvironment<'_> {
        let mut environment = self.deciding.environment(self.state, None, None, Value::None);
        let given = |side: Option<&Value>| side.cloned().unwrap_or(Value::None);
        environment.counts.insert("left", given(left));
        environment.counts.insert("right", given(right));
        environment
    }

    fn value(
        &mut self,
        placed: &Placed,
        left: Option<&Value>,
        right: Option<&Value>,
    ) -> Result<Value, StateError> {
        let environment = self.environment(left, right);
        let value = placed.formula.value(&environment);
        environment.check()?;
        let steps = environment.steps.get();
        drop(environment);
        self.steps = self.steps.saturating_add(steps).saturating_add(1);
        Ok(value)
    }

    /// The children of one side, by name; each may be so called once.
    fn side(
        &mut self,
        case: &str,
        name: &Placed,
        left: bool,
    ) -> Result<Result<BTreeMap<String, Value>, Refusal>, StateError> {
        let module = self.deciding.module.name();
        let index = Key::new(Family::Index, module).name(&format!("{case}/parent"));
        let rows = self.state.scan(&index.value(self.deciding.id), "", MOST_SIDE + 1)?;
        if rows.len() > MOST_SIDE {
            return Ok(Err(Refusal::Cost));
        }
        let mut found = BTreeMap::new();
        for (key, _) in rows {
            let Some(thing) = Thing::get(self.state, module, case, &key.id)? else { continue };
            let value = thing.value(&key.id);
            let sides = if left { (Some(&value), None) } else { (None, Some(&value)) };
            let name = match self.value(name, sides.0, sides.1)? {
                Value::Unknown(why) => return Ok(Err(Refusal::Unknown { what: why.to_string() })),
                Value::None => {
                    let what = Why::Missing(name.formula.text().to_owned()).to_string();
                    return Ok(Err(Refusal::Unknown { what }));
                }
                name => name.to_string(),
            };
            if found.insert(name.clone(), value).is_some() {
                return Ok(Err(Refusal::NotUnique { value: name }));
            }
        }
        Ok(Ok(found))
    }

    /// How a pair stands, or why it cannot be.
    fn rank(&mut self, left: &Value, right: &Value) -> Result<Result<Ranked, String>, StateError> {
        let matching = self.matching;
        for must in &matching.musts {
            match self.value(&must.is, Some(left), Some(right))? {
                Value::Bool(true) => {}
                Value::Bool(false) => return Ok(Err(format!("must/{}", must.name))),
                _ => return Ok(Err(format!("unknown/{}", must.name))),
            }
        }
        let (mut sum, mut scores) = (Decimal::ZERO, BTreeMap::new());
        for score in &matching.scores {
            let value = self.value(&score.is, Some(left), Some(right))?;
            let added = value.number().and_then(|number| sum.checked_add(number));
            let Some(added) = added else { return Ok(Err(format!("unknown/{}", score.name))) };
            sum = added;
            scores.insert(score.name.clone(), value);
        }
        let tie = self.value(&matching.tie, Some(left), Some(right))?;
        Ok(match tie {
            Value::None | Value::Unknown(_) => Err("unknown/tie".to_owned()),
            tie => Ok((Rank { score: sum, tie }, scores)),
        })
    }
}

/// How a pair stands, and what each score came to.
type Ranked = (Rank, BTreeMap<String, Value>);

/// Matches a pool.
pub(super) fn run(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    matching: &str,
) -> Decided<()> {
    let module = deciding.module.name();
    let gone = || StateError::damaged("a matching that was checked is gone");
    let matching = deciding.module.matchings.get(matching).ok_or_else(gone)?;
    let refused = |why| Ok(Err(vec![deciding.reason(rule, Some(&matching.law), why)]));
    let before = matches(overlay, module, &matching.name, deciding.id)?;
    if before.len() >= MOST_ROUNDS || before.len() >= matching.rounds as usize {
        return refused(Refusal::AtMost { times: matching.rounds });
    }
    let made = match pool(deciding, &*overlay, matching, &before)? {
        Ok((pairs, unplaced)) => Matched {
            round: u32::try_from(before.len()).unwrap_or(u32::MAX).saturating_add(1),
            version: deciding.module.digest(),
            decisions: decisions(overlay)?,
            at: deciding.at.0,
            pairs,
            unplaced,
        },
        Err(why) => return refused(why),
    };
    let key = key(module, &matching.name, deciding.id).id(&format!("{:04}", made.round));
    overlay.put(key, cbor::encode(&made).expect("what is not known is not kept"));
    Ok(Ok(()))
}

type Placing = (Vec<Pair>, Vec<Unplaced>);

fn pool(
    deciding: &Deciding<'_>,
    state: &dyn State,
    matching: &Matching,
    before: &[Matched],
) -> Result<Result<Placing, Refusal>, StateError> {
    let mut pool = Pool { deciding, state, matching, steps: 0 };
    let mut lefts = match pool.side(&matching.left, &matching.left_name, true)? {
        Ok(lefts) => lefts,
        Err(why) => return Ok(Err(why)),
    };
    let rights = match pool.side(&matching.right, &matching.right_name, false)? {
        Ok(rights) => rights,
        Err(why) => return Ok(Err(why)),
    };
    // Whoever was placed stays, and takes up his place.
    let stays: BTreeSet<&str> =
        before.iter().flat_map(|one| &one.pairs).map(|pair| pair.left.0.as_str()).collect();
    let id = |value: &Value| value.field("id").to_string();
    lefts.retain(|_, value| !stays.contains(id(value).as_str()));
    let mut capacity = BTreeMap::new();
    for (name, right) in &rights {
        let seats = match &matching.capacity {
            None => 1,
            Some(placed) => match pool.value(placed, None, Some(right))? {
                Value::Int(n) if n >= 0 => usize::try_from(n).unwrap_or(usize::MAX),
                other => return Ok(Err(Refusal::Unknown { what: format!("{name}: {other}") })),
            },
        };
        let pairs = before.iter().flat_map(|one| &one.pairs);
        let taken = pairs.filter(|pair| pair.right.0 == id(right)).count();
        capacity.insert(name.clone(), seats.saturating_sub(taken));
    }
    let (mut all, mut ranked) = (Left::new(), BTreeMap::new());
    let mut why: BTreeMap<&String, BTreeMap<String, u64>> = BTreeMap::new();
    for (name, left) in &lefts {
        let wishes = match &matching.prefer {
            None => None,
            Some(placed) => match pool.value(placed, Some(left), None)? {
                Value::None => Some(Vec::new()),
                Value::List(list) => Some(list.iter().map(ToString::to_string).collect()),
                other => return Ok(Err(Refusal::Unknown { what: format!("{name}: {other}") })),
            },
        };
        let mut wants = Wants { pairs: BTreeMap::new(), wishes };
        let mut against: BTreeMap<String, u64> = BTreeMap::new();
        for (of, right) in &rights {
            if wants.wishes.as_ref().is_some_and(|wishes| !wishes.contains(of)) {
                continue;
            }
            match pool.rank(left, right)? {
                Ok((rank, scores)) => {
                    wants.pairs.insert(of.clone(), rank);
                    ranked.insert((name.clone(), of.clone()), scores);
                    *against.entry("full".to_owned()).or_default() += 1;
                }
                Err(because) => *against.entry(because).or_default() += 1,
            }
            if pool.steps > MOST_STEPS {
                return Ok(Err(Refusal::Cost));
            }
        }
        all.insert(name.clone(), wants);
        why.insert(name, against);
    }
    let placed = stable(&all, &capacity);
    let (mut pairs, mut unplaced) = (Vec::new(), Vec::new());
    for (name, left) in &lefts {
        let who = (id(left), name.clone());
        match placed.get(name).and_then(|of| Some((of, rights.get(of)?))) {
            Some((of, right)) => pairs.push(Pair {
                left: who,
                right: (id(right), of.clone()),
                scores: ranked.remove(&(name.clone(), of.clone())).unwrap_or_default(),
            }),
            None => {
                unplaced.push(Unplaced { left: who, why: why.remove(name).unwrap_or_default() });
            }
        }
    }
    Ok(Ok((pairs, unplaced)))
}
