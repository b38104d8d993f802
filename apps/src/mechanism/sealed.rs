//! Sealed envelopes: deposited before a moment, opened after it by the shares of k holders, and each accounted for.
//!
//! The kernel holds no key. A share is a signed act of its holder, and is checked against what the envelope says of it; with k of
//! them the envelope opens in the kernel, so that whoever decides again opens it, too.

use std::collections::{BTreeMap, BTreeSet};

use chancery_crypto::{Digest, cbor};
use serde::{Deserialize, Serialize};

use super::status_list::unhex;
use crate::{
    case::{Decided, Deciding},
    civil::Instant,
    envelope::{
        Envelope, EnvelopeFault, MOST_ENVELOPE, MOST_HOLDERS, MOST_SEALED, envelope_context,
    },
    environment::CaseEnvironment,
    manifest::{Sealed, Shows},
    reason::{Reason, Refusal},
    state::{Family, Key, Overlay, State, StateError},
    thing::Thing,
    value::{Value, Why},
};

/// An envelope that was deposited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deposit {
    /// The digest of its bytes.
    pub digest: Digest,
    /// When, in seconds since 1970 UTC.
    pub at: i64,
    /// The decision.
    pub number: u64,
    /// Who holds keys to it.
    pub holders: Vec<String>,
    /// How many of them open it.
    pub k: u32,
}

/// What became of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Opening {
    /// It was opened.
    Opened {
        /// What was in it.
        content: String,
    },
    /// It did not open, and never will.
    Failed {
        /// Why.
        why: EnvelopeFault,
    },
    /// It was left closed: fewer shares than it takes.
    NotOpened {
        /// How many there were.
        shares: u32,
        /// How many it takes.
        k: u32,
    },
}

/// The most envelopes of a matter.
const MOST_DEPOSITS: usize = 300;

fn key(module: &str, sealed: &str, thing: &str) -> Key {
    Key::new(Family::Sealed, module).name(sealed).value(thing)
}

fn part(base: &Key, kind: &str, who: &str) -> Key {
    base.clone().id(&format!("{kind}/{who}"))
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, StateError> {
    cbor::decode_within(bytes, bytes.len()).map_err(StateError::damaged)
}

/// Where the bytes of an envelope stand: apart, since they are long and lists of envelopes are read without them.
fn body(base: &Key, who: &str) -> Key {
    base.clone().name(&format!("{}/body", base.name)).id(who)
}

/// The rows of a kind, by whose they are.
fn all<T: serde::de::DeserializeOwned>(
    state: &dyn State,
    base: &Key,
    kind: &str,
) -> Result<BTreeMap<String, T>, StateError> {
    let prefix = format!("{kind}/");
    let rows = state.scan(base, &prefix, MOST_DEPOSITS + 1)?;
    let own = rows.into_iter().filter_map(|(key, bytes)| {
        let who = key.id.strip_prefix(&prefix)?.to_owned();
        Some(decode(&bytes).map(|one| (who, one)))
    });
    own.collect()
}

/// Envelopes and where they stand.
struct At<'a> {
    deciding: &'a Deciding<'a>,
    sealed: &'a Sealed,
    rule: &'a str,
    base: Key,
    /// Who holds keys.
    holders: Vec<String>,
    before: Instant,
}

impl At<'_> {
    fn refused<T>(&self, why: Refusal) -> Decided<T> {
        Ok(Err(vec![reason(self.deciding, self.sealed, self.rule, why)]))
    }

    fn context(&self, sender: &str) -> Digest {
        let module = self.deciding.module.name();
        envelope_context(module, &self.sealed.name, self.deciding.id, sender)
    }

    /// Why it is too early or too late, if it is.
    fn time(&self, early: bool) -> Option<Refusal> {
        let over = self.deciding.lodged >= self.before;
        let day = self.deciding.module.zone.show(self.before);
        let due = self.sealed.name.clone();
        (over != early).then_some(Refusal::Window { due, day, early })
    }

    fn opened(&self, state: &dyn State) -> Result<bool, StateError> {
        Ok(state.get(&self.base.clone().id("opened"))?.is_some())
    }
}

fn reason(deciding: &Deciding<'_>, sealed: &Sealed, rule: &str, why: Refusal) -> Reason {
    deciding.reason(rule, Some(&sealed.law), why)
}

fn stand<'a>(
    deciding: &'a Deciding<'a>,
    state: &dyn State,
    rule: &'a str,
    sealed: &str,
    thing: &Thing,
) -> Decided<At<'a>> {
    let gone = || StateError::damaged("envelopes that were checked are gone");
    let sealed = deciding.module.more.sealed.get(sealed).ok_or_else(gone)?;
    let (holders, before) = {
        let mut environment = deciding.environment(state, None, None, Value::None);
        environment.counts.insert("own", thing.value(deciding.id));
        let found =
            (sealed.holders.formula.value(&environment), sealed.before.formula.value(&environment));
        environment.check()?;
        found
    };
    let names: BTreeSet<_> = holders.names().into_iter().map(str::to_owned).collect();
    let unknown =
        |what: String| Ok(Err(vec![reason(deciding, sealed, rule, Refusal::Unknown { what })]));
    if names.len() > MOST_HOLDERS || names.len() <= sealed.k as usize {
        return unknown(format!("holders ({holders})"));
    }
    let Value::Instant(before) = before else { return unknown(format!("before ({before})")) };
    let base = key(deciding.module.name(), &sealed.name, deciding.id);
    Ok(Ok(At { deciding, sealed, rule, base, holders: names.into_iter().collect(), before }))
}

/// Deposits an envelope.
pub(super) fn deposit(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    sealed: &str,
    (sender, envelope): (&str, &str),
    thing: &Thing,
) -> Decided<()> {
    let at = match stand(deciding, overlay, rule, sealed, thing)? {
        Ok(at) => at,
        Err(reasons) => return Ok(Err(reasons)),
    };
    if let Some(why) = at.time(false) {
        return at.refused(why);
    }
    let field = || Refusal::Field { field: "envelope".into() };
    if envelope.len() > MOST_ENVELOPE * 2 {
        return at.refused(field());
    }
    let Some(bytes) = unhex(envelope) else { return at.refused(field()) };
    if let Err(why) = Envelope::decode(&bytes, &at.holders, at.sealed.k) {
        return at.refused(Refusal::Envelope { why });
    }
    let (own, long) = (part(&at.base, "deposit", sender), body(&at.base, sender));
    if overlay.get(&own)?.is_some() && !at.sealed.replace {
        return at.refused(Refusal::NotUnique { value: sender.to_owned() });
    }
    if all::<Deposit>(overlay, &at.base, "deposit")?.len() >= MOST_DEPOSITS {
        return at.refused(Refusal::Cost);
    }
    let one = Deposit {
        digest: Digest::of(&bytes),
        at: deciding.lodged.0,
        number: crate::kernel::decisions(overlay)?,
        holders: at.holders.clone(),
        k: at.sealed.k,
    };
    overlay.put(own, cbor::encode(&one).expect("plain"));
    overlay.put(long, bytes);
    Ok(Ok(()))
}

/// Takes an envelope back.
pub(super) fn take_back(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    sealed: &str,
    sender: &str,
    thing: &Thing,
) -> Decided<()> {
    let at = match stand(deciding, overlay, rule, sealed, thing)? {
        Ok(at) => at,
        Err(reasons) => return Ok(Err(reasons)),
    };
    if let Some(why) = at.time(false) {
        return at.refused(why);
    }
    let own = part(&at.base, "deposit", sender);
    if overlay.get(&own)?.is_none() {
        return at.refused(Refusal::NoEnvelope { who: sender.to_owned() });
    }
    overlay.delete(own);
    overlay.delete(body(&at.base, sender));
    Ok(Ok(()))
}

/// A holder gives his share of an envelope.
pub(super) fn share(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    sealed: &str,
    (holder, sender, value): (&str, &str, &str),
    thing: &Thing,
) -> Decided<()> {
    let at = match stand(deciding, overlay, rule, sealed, thing)? {
        Ok(at) => at,
        Err(reasons) => return Ok(Err(reasons)),
    };
    if let Some(why) = at.time(true) {
        return at.refused(why);
    }
    if at.opened(overlay)? {
        return at.refused(Refusal::Frozen { list: at.sealed.name.clone() });
    }
    let found = overlay.get(&part(&at.base, "deposit", sender))?;
    let bytes = overlay.get(&body(&at.base, sender))?;
    let (Some(found), Some(bytes)) = (found, bytes) else {
        return at.refused(Refusal::NoEnvelope { who: sender.to_owned() });
    };
    let known: Deposit = decode(&found)?;
    if !known.holders.iter().any(|name| name == holder) {
        let (who, by) = (holder.to_owned(), known.holders);
        return at.refused(Refusal::NotEntitled { who, by, office: None });
    }
    let envelope =
        Envelope::decode(&bytes, &known.holders, known.k).map_err(StateError::damaged)?;
    let share = Digest::from_hex(value);
    let Some(share) = share.filter(|of| envelope.fits(holder, of, &at.context(sender))) else {
        return at.refused(Refusal::Envelope { why: EnvelopeFault::Share });
    };
    let own = part(&at.base, "share", &format!("{sender}/{holder}"));
    overlay.put(own, cbor::encode(&share).expect("a digest"));
    Ok(Ok(()))
}

/// Opens all envelopes that k holders have given their shares of, and says of each of the others why it is not open.
pub(super) fn unseal(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    sealed: &str,
    thing: &Thing,
) -> Decided<()> {
    let at = match stand(deciding, overlay, rule, sealed, thing)? {
        Ok(at) => at,
        Err(reasons) => return Ok(Err(reasons)),
    };
    if let Some(why) = at.time(true) {
        return at.refused(why);
    }
    if at.opened(overlay)? {
        return at.refused(Refusal::Frozen { list: at.sealed.name.clone() });
    }
    let deposits: BTreeMap<String, Deposit> = all(overlay, &at.base, "deposit")?;
    let (have, need) = (deposits.len() as u64, u64::from(at.sealed.least));
    if have < need {
        return at.refused(Refusal::TooFew { stratum: at.sealed.name.clone(), have, need });
    }
    let (mut most, mut k) = (0, 0);
    let mut results = Vec::new();
    for (sender, deposit) in deposits {
        let gone = || StateError::damaged("an envelope is gone");
        let bytes = overlay.get(&body(&at.base, &sender))?.ok_or_else(gone)?;
        let mut shares = BTreeMap::new();
        for holder in &deposit.holders {
            let own = part(&at.base, "share", &format!("{sender}/{holder}"));
            if let Some(bytes) = overlay.get(&own)? {
                shares.insert(holder.clone(), decode::<Digest>(&bytes)?);
            }
        }
        let count = u32::try_from(shares.len()).unwrap_or(u32::MAX);
        (most, k) = (most.max(count), deposit.k);
        let opened = Envelope::decode(&bytes, &deposit.holders, deposit.k)
            .and_then(|envelope| envelope.open(&shares, &at.context(&sender)));
        let opening = match opened {
            Err(EnvelopeFault::TooFew) => Opening::NotOpened { shares: count, k: deposit.k },
            Err(why) => Opening::Failed { why },
            Ok(content) if content.len() > MOST_SEALED => {
                Opening::Failed { why: EnvelopeFault::Sealed }
            }
            Ok(content) => match String::from_utf8(content) {
                Ok(content) => Opening::Opened { content },
                Err(_) => Opening::Failed { why: EnvelopeFault::Unread },
            },
        };
        results.push((sender, opening));
    }
    // With too few shares for any of them nothing is said to be opened: it is tried again with more.
    if results.iter().all(|(_, opening)| matches!(opening, Opening::NotOpened { .. })) && most < k {
        return at.refused(Refusal::Shares { have: most, need: k });
    }
    for (sender, opening) in results {
        let own = part(&at.base, "opening", &sender);
        overlay.put(own, cbor::encode(&opening).expect("plain"));
    }
    overlay.put(at.base.clone().id("opened"), cbor::encode(&deciding.lodged.0).expect("a number"));
    Ok(Ok(()))
}

/// What became of the envelopes of a matter, by who has deposited them. None as long as they are closed.
///
/// # Errors
/// [`StateError`].
pub fn openings(
    state: &dyn State,
    module: &str,
    sealed: &str,
    thing: &str,
) -> Result<Option<BTreeMap<String, Opening>>, StateError> {
    let base = key(module, sealed, thing);
    if state.get(&base.clone().id("opened"))?.is_none() {
        return Ok(None);
    }
    all(state, &base, "opening").map(Some)
}

/// `envelopes('S')`: how many there are, as far as that is shown, and what became of them; `envelope('S', sender)`: what was in one.
/// What is not opened yet is not known, and no condition can rest on it.
pub(super) fn call(
    environment: &CaseEnvironment<'_>,
    name: &str,
    arguments: &[Value],
) -> Result<Option<Value>, StateError> {
    let Some(Value::Text(sealed)) = arguments.first() else { return Ok(None) };
    let Some(sealed) = environment.module.more.sealed.get(sealed) else { return Ok(None) };
    let (state, module) = (environment.state, environment.module.name());
    let found = openings(state, module, &sealed.name, environment.id)?;
    let closed = || Value::Unknown(Why::Sealed(sealed.name.clone()));
    if name == "envelope" {
        let Some(Value::Text(sender)) = arguments.get(1) else { return Ok(None) };
        let Some(found) = found else { return Ok(Some(closed())) };
        let fields = match found.get(sender) {
            None => return Ok(Some(Value::None)),
            Some(Opening::Opened { content }) => {
                vec![("outcome", Value::text("opened")), ("content", Value::text(content))]
            }
            Some(Opening::Failed { why }) => {
                vec![("outcome", Value::text("failed")), ("reason", Value::text(why.to_string()))]
            }
            Some(Opening::NotOpened { shares, k }) => {
                let reason = Value::Text(format!("{shares}/{k}"));
                vec![("outcome", Value::text("not-opened")), ("reason", reason)]
            }
        };
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
        return Ok(Some(Value::Map(fields.collect())));
    }
    let deposits: BTreeMap<String, Deposit> =
        all(state, &key(module, &sealed.name, environment.id), "deposit")?;
    let counted = |is: fn(&Opening) -> bool| match &found {
        None => closed(),
        Some(found) => Value::Int(found.values().filter(|one| is(one)).count() as i128),
    };
    let (number, names) = match (&found, sealed.shown) {
        (Some(_), _) | (None, Shows::Names) => (true, true),
        (None, Shows::Number) => (true, false),
        (None, Shows::Nothing) => (false, false),
    };
    let count = Value::Int(deposits.len() as i128);
    let fields = [
        ("count", if number { count } else { closed() }),
        ("names", if names { Value::texts(deposits.into_keys()) } else { closed() }),
        ("opened", counted(|one| matches!(one, Opening::Opened { .. }))),
        ("failed", counted(|one| matches!(one, Opening::Failed { .. }))),
        ("not_opened", counted(|one| matches!(one, Opening::NotOpened { .. }))),
    ];
    Ok(Some(Value::Map(fields.map(|(name, value)| (name.to_owned(), value)).into())))
}
