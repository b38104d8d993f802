//! Surveys: each token of a closed list answers once, and its answer is counted. The row of a token says that it was used and not
//! what for, and the counts do not say whose they are.
//!
//! Whoever has the ledger and its key sees which document brought which token and which answer: the one is not hidden from the other
//! here, and a survey that needs that is not for this mechanism yet.

use std::collections::BTreeMap;

use chancery_crypto::{Digest, Hasher, cbor};
use serde::{Deserialize, Serialize};

use super::roll::{self, RollHead};
use crate::{
    case::{Decided, Deciding},
    environment::CaseEnvironment,
    manifest::{Survey, tallied},
    reason::{Reason, Refusal},
    state::{Family, Key, Overlay, State, StateError},
    value::{Value, Why},
};

/// What was counted of a survey.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tally {
    /// How many have answered.
    answers: u64,
    /// Of each field, how often each value was given.
    fields: BTreeMap<String, BTreeMap<String, u64>>,
    /// Of each quota, how many count against it.
    quotas: BTreeMap<String, u64>,
}

/// Numbers of a survey as anybody may see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// How many have answered.
    pub answers: u64,
    /// Of each field, how often each value was given, as far as it is shown.
    pub fields: BTreeMap<String, BTreeMap<String, u64>>,
    /// How many numbers are not shown.
    pub hidden: u64,
}

/// The most bytes of a token.
const MOST_TOKEN: usize = 200;

fn key(module: &str, survey: &str, thing: &str) -> Key {
    Key::new(Family::Survey, module).name(survey).value(thing)
}

/// By what a token is known on the list of those who are asked: who keeps the list cannot answer for anybody.
pub fn token_digest(module: &str, survey: &str, token: &str) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(b"chancery/1 survey token\0");
    for part in [module, survey, token] {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finish()
}

fn tally(state: &dyn State, key: &Key) -> Result<Tally, StateError> {
    match state.get(key)? {
        Some(bytes) => cbor::decode_within(&bytes, bytes.len()).map_err(StateError::damaged),
        None => Ok(Tally::default()),
    }
}

/// Takes an answer.
pub(super) fn answer(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    survey: &str,
    (token, given): (&str, BTreeMap<String, Value>),
) -> Decided<()> {
    let (module, id) = (deciding.module.name(), deciding.id);
    let gone = || StateError::damaged("a survey that was checked is gone");
    let survey = deciding.module.more.surveys.get(survey).ok_or_else(gone)?;
    let form = deciding.module.forms.get(&survey.form).ok_or_else(gone)?;
    let refused = |why| Ok(Err(vec![deciding.reason(rule, Some(&survey.law), why)]));
    if RollHead::of(overlay, module, &survey.invited, id)?.is_none() {
        return refused(Refusal::NotFrozen { list: survey.invited.clone() });
    }
    if token.is_empty() || token.len() > MOST_TOKEN {
        return refused(Refusal::Field { field: "token".into() });
    }
    // Of a token that is on no list nothing is said but that: who tries some learns nothing of any other.
    let digest = token_digest(module, &survey.name, token).to_string();
    if roll::member(overlay, module, &survey.invited, id, &digest)?.is_none() {
        return refused(Refusal::NoToken);
    }
    let used = key(module, &survey.name, id).id(&format!("used/{digest}"));
    if overlay.get(&used)?.is_some() {
        return refused(Refusal::UsedToken);
    }
    if let Some(field) = given.keys().find(|name| form.fields.iter().all(|of| of.name != **name)) {
        return refused(Refusal::Field { field: field.clone() });
    }
    if let Some(field) = form.fields.iter().find(|of| of.required && !given.contains_key(&of.name))
    {
        let what = Why::Missing(field.name.clone()).to_string();
        return refused(Refusal::Unknown { what });
    }
    let count = key(module, &survey.name, id).id("tally");
    let mut tally = tally(overlay, &count)?;
    let (reasons, quotas) = quotas(deciding, overlay, survey, &given, &tally)?;
    if !reasons.is_empty() {
        return Ok(Err(reasons));
    }
    for name in quotas {
        *tally.quotas.entry(name).or_default() += 1;
    }
    for name in tallied(form) {
        if let Some(value) = given.get(name) {
            let cells = tally.fields.entry(name.to_owned()).or_default();
            *cells.entry(value.to_string()).or_default() += 1;
        }
    }
    tally.answers += 1;
    overlay.put(used, Vec::new());
    overlay.put(count, cbor::encode(&tally).expect("numbers"));
    Ok(Ok(()))
}

/// The quotas against which an answer counts, and why it is not taken any more.
fn quotas(
    deciding: &Deciding<'_>,
    state: &dyn State,
    survey: &Survey,
    given: &BTreeMap<String, Value>,
    tally: &Tally,
) -> Result<(Vec<Reason>, Vec<String>), StateError> {
    let (mut reasons, mut counts) = (Vec::new(), Vec::new());
    let environment = deciding.environment(state, None, None, Value::Map(given.clone()));
    for quota in &survey.quotas {
        let rule = format!("{}/{}/{}", deciding.module.name(), survey.name, quota.name);
        let why = match quota.that.formula.value(&environment) {
            Value::Bool(false) => continue,
            Value::Bool(true) => {
                let taken = tally.quotas.get(&quota.name).copied().unwrap_or(0);
                if taken < u64::from(quota.most) {
                    counts.push(quota.name.clone());
                    continue;
                }
                Refusal::Quota {
                    say: format!("quota-{}-{}", survey.name, quota.name),
                    most: quota.most,
                }
            }
            Value::Unknown(Why::Cost) => Refusal::Cost,
            other => Refusal::Unknown { what: other.to_string() },
        };
        let mut reason = deciding.reason(&quota.name, Some(&quota.law), why);
        reason.rule = rule;
        reasons.push(reason);
    }
    environment.check()?;
    Ok((reasons, counts))
}

/// What is shown of the numbers of a field, and how many are not: each that stands for fewer than `least`, and where that leaves one
/// alone, or few together, the next as well, since whoever knows the sum would know it.
fn shown(cells: &BTreeMap<String, u64>, least: u64) -> (BTreeMap<String, u64>, u64) {
    let mut by_size: Vec<_> = cells.iter().collect();
    by_size.sort_by_key(|(value, count)| (**count, (*value).clone()));
    let (mut hidden, mut sum) = (0, 0);
    for (_, count) in &by_size {
        let small = **count < least;
        let gives_away = hidden > 0 && (hidden < 2 || sum < least);
        if !small && !gives_away {
            break;
        }
        hidden += 1;
        sum += **count;
    }
    let left = by_size.into_iter().skip(hidden).map(|(value, count)| (value.clone(), *count));
    (left.collect(), hidden as u64)
}

impl Shown {
    /// The numbers of a survey of a thing, as far as they are shown.
    ///
    /// # Errors
    /// [`StateError`].
    pub(crate) fn of(
        state: &dyn State,
        module: &str,
        survey: &Survey,
        thing: &str,
    ) -> Result<Self, StateError> {
        let tally = tally(state, &key(module, &survey.name, thing).id("tally"))?;
        let (mut fields, mut hidden) = (BTreeMap::new(), 0);
        for (name, cells) in tally.fields {
            let (left, out) = shown(&cells, u64::from(survey.least));
            hidden += out;
            fields.insert(name, left);
        }
        Ok(Self { answers: tally.answers, fields, hidden })
    }
}

/// `tally('Y')`, `tally('Y', thing)`.
pub(super) fn call(
    environment: &CaseEnvironment<'_>,
    arguments: &[Value],
) -> Result<Option<Value>, StateError> {
    let (survey, thing) = match arguments {
        [Value::Text(survey)] => (survey, environment.id),
        [Value::Text(survey), Value::Text(thing)] => (survey, thing.as_str()),
        _ => return Ok(None),
    };
    let Some(survey) = environment.module.more.surveys.get(survey) else { return Ok(None) };
    let shown = Shown::of(environment.state, environment.module.name(), survey, thing)?;
    let cells = |cells: BTreeMap<String, u64>| {
        Value::Map(cells.into_iter().map(|(name, n)| (name, Value::Int(n.into()))).collect())
    };
    let mut all: BTreeMap<_, _> =
        shown.fields.into_iter().map(|(name, of)| (name, cells(of))).collect();
    all.insert("answers".into(), Value::Int(shown.answers.into()));
    all.insert("hidden".into(), Value::Int(shown.hidden.into()));
    Ok(Some(Value::Map(all)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whoever has the sum and what is shown comes to no number that stands for fewer than the least.
        #[test]
        fn small_numbers_are_not_shown_and_do_not_follow(
            cells in prop::collection::btree_map("[a-e]{1,2}", 0u64..12, 0..8), least in 1u64..8,
        ) {
            let (left, hidden) = shown(&cells, least);
            prop_assert!(left.values().all(|count| *count >= least));
            prop_assert_eq!(left.len() as u64 + hidden, cells.len() as u64);
            let total: u64 = cells.values().sum();
            let rest = total - left.values().sum::<u64>();
            if hidden > 0 && !left.is_empty() {
                prop_assert!(hidden >= 2 && rest >= least);
            }
            if cells.values().all(|count| *count >= least) {
                prop_assert_eq!(left, cells);
            }
        }
    }
}
