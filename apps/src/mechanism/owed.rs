//! What is owed to the members of a roll: one effect each, in a decision of its own. The row says how far it is, and is written with
//! what was done, so that whoever goes on after a fault does nothing twice and leaves nothing out.

use std::collections::BTreeMap;

use chancery_crypto::{Digest, cbor};
use serde::{Deserialize, Serialize};

use super::{
    plan::Planned,
    roll::{self, RollHead},
};
use crate::{
    case::{Decided, Deciding},
    reason::Refusal,
    record::Applied,
    state::{Family, Key, Overlay, State, StateError},
    thing::Thing,
    value::Value,
};

/// An effect that is owed to each member of a roll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owed {
    /// The roll.
    pub roll: String,
    /// The act and its effect.
    pub act: String,
    /// The effect.
    pub effect: String,
    /// Since when, in seconds since 1970 UTC: what is done counts from then, however late that is.
    pub at: i64,
    /// The member whose turn it is, from 0 on.
    pub next: u32,
    /// How many there are.
    pub total: u32,
    /// Of how many it was refused.
    pub refused: u32,
    /// The digest of the list.
    pub digest: Digest,
}

/// The most effects that one thing owes at once.
const MOST_OWED: usize = 20;

/// How many that are done are counted.
const MOST_DONE: usize = 1_000;

fn running(module: &str, thing: &str) -> Key {
    Key::new(Family::Roll, module).name("/owed").value(thing)
}

fn done(module: &str, roll: &str, thing: &str) -> Key {
    Key::new(Family::Roll, module).name(&format!("{roll}/done")).value(thing)
}

fn refused_key(module: &str, roll: &str, thing: &str) -> Key {
    Key::new(Family::Roll, module).name(&format!("{roll}/refused")).value(thing)
}

fn decode(bytes: &[u8]) -> Result<Owed, StateError> {
    cbor::decode_within(bytes, bytes.len()).map_err(StateError::damaged)
}

/// What a thing owes first, with its row.
pub(crate) fn first(
    state: &dyn State,
    module: &str,
    thing: &str,
) -> Result<Option<(Key, Owed)>, StateError> {
    let rows = state.scan(&running(module, thing), "", 1)?;
    rows.into_iter().next().map(|(key, bytes)| Ok((key, decode(&bytes)?))).transpose()
}

/// To how many members of a roll something is still owed, and of how many it was refused.
pub(super) fn over(
    state: &dyn State,
    module: &str,
    roll: &str,
    thing: &str,
) -> Result<(u32, u32), StateError> {
    let (mut left, mut refused) = (0u32, 0u32);
    let running = state.scan(&running(module, thing), "", MOST_OWED)?;
    let done = state.scan(&done(module, roll, thing), "", MOST_DONE)?;
    for (_, bytes) in running.into_iter().chain(done) {
        let owed = decode(&bytes)?;
        if owed.roll == roll {
            left = left.saturating_add(owed.total - owed.next.min(owed.total));
            refused = refused.saturating_add(owed.refused);
        }
    }
    Ok((left, refused))
}

/// The keys of members of whom something was refused, oldest first.
///
/// # Errors
/// [`StateError`].
pub fn refused_members(
    state: &dyn State,
    module: &str,
    roll: &str,
    thing: &str,
    after: &str,
    most: usize,
) -> Result<Vec<(String, String)>, StateError> {
    let rows = state.scan(&refused_key(module, roll, thing), after, most)?;
    let each = rows
        .into_iter()
        .map(|(key, bytes)| Ok((key.id, cbor::decode(&bytes).map_err(StateError::damaged)?)));
    each.collect()
}

/// Notes that an effect is owed to each member of a roll.
pub(super) fn owe(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    (of, act, effect): (&str, &str, &str),
    thing: &Thing,
) -> Decided<()> {
    let (module, id) = (deciding.module.name(), deciding.id);
    let refused = |why| Ok(Err(vec![deciding.reason(rule, None, why)]));
    let Some(head) = RollHead::of(overlay, module, of, id)? else {
        return refused(Refusal::NotFrozen { list: of.to_owned() });
    };
    if overlay.scan(&running(module, id), "", MOST_OWED)?.len() >= MOST_OWED {
        return refused(Refusal::Cost);
    }
    if head.count == 0 {
        return Ok(Ok(()));
    }
    let owed = Owed {
        roll: of.to_owned(),
        act: act.to_owned(),
        effect: effect.to_owned(),
        at: deciding.lodged.0,
        next: 0,
        total: head.count,
        refused: 0,
        digest: head.digest,
    };
    let place = format!("{:020}/{act}/{effect}", thing.sequence);
    overlay.put(running(module, id).id(&place), cbor::encode(&owed).expect("plain"));
    deciding.schedule(overlay, thing)?;
    Ok(Ok(()))
}

impl Deciding<'_> {
    /// Does for one member what is owed to it. What is refused is written nowhere but among what was refused.
    pub(crate) fn owed(
        &self,
        overlay: &mut Overlay<'_>,
        mut thing: Thing,
        (key, owed): (Key, &Owed),
    ) -> Decided<Applied> {
        let (module, rule) = (self.module.name(), format!("{}/{}", owed.act, owed.effect));
        let gone = || StateError::damaged("a member of a roll is gone");
        let member = roll::at(overlay, module, &owed.roll, self.id, owed.next)?;
        let member = member.ok_or_else(gone)?;
        let who = member.key.clone();
        let outcome = {
            let mut inner = Overlay::new(overlay);
            let outcome =
                self.for_member(&mut inner, &mut thing, owed, &rule, roll::value(member))?;
            let outcome = match outcome {
                Ok(_) if inner.written() > crate::kernel::MOST_WRITES => {
                    Err(vec![self.reason(&rule, None, Refusal::Cost)])
                }
                outcome => outcome,
            };
            let writes = inner.into_writes();
            outcome.map(|applied| (applied, writes))
        };
        let mut next = owed.clone();
        next.next = owed.next.saturating_add(1);
        let outcome = match outcome {
            Ok((applied, writes)) => {
                overlay.extend(writes);
                Ok(applied)
            }
            Err(reasons) => {
                next.refused = owed.refused.saturating_add(1);
                let place = format!("{}/{:06}", key.id, owed.next);
                let refused = refused_key(module, &owed.roll, self.id).id(&place);
                overlay.put(refused, cbor::encode(&who).expect("a text"));
                Err(reasons)
            }
        };
        let bytes = cbor::encode(&next).expect("plain");
        if next.next >= next.total {
            overlay.put(done(module, &owed.roll, self.id).id(&key.id), bytes);
            overlay.delete(key);
        } else {
            overlay.put(key, bytes);
        }
        let now = Thing::get(overlay, module, &self.case.name, self.id)?.unwrap_or(thing);
        self.schedule(overlay, &now)?;
        Ok(outcome)
    }

    fn for_member(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        owed: &Owed,
        rule: &str,
        member: Value,
    ) -> Decided<Applied> {
        let gone = || StateError::damaged("an effect that was checked is gone");
        let act = self.case.act(&owed.act).ok_or_else(gone)?;
        let effect = act.effects.iter().find(|effect| effect.name == owed.effect);
        let effect = effect.ok_or_else(gone)?;
        let deed = {
            let mut environment = self.looking(overlay, thing);
            environment.counts = BTreeMap::from([("x", member)]);
            let deed = self.deed(&environment, effect);
            environment.check()?;
            deed
        };
        let planned = match deed {
            Err(why) => return Ok(Err(vec![self.reason(rule, None, why)])),
            Ok(None) => Vec::new(),
            Ok(Some(deed)) => {
                vec![Planned { rule: rule.to_owned(), place: owed.next as usize, deed }]
            }
        };
        let mut also = Vec::new();
        let followed = self.carry_out(overlay, thing, None, planned, &mut also, 0)?;
        Ok(followed.map(|()| Applied {
            case: self.case.name.clone(),
            thing: self.id.to_owned(),
            sequence: thing.sequence,
            state: thing.state.clone(),
            also,
            ..Applied::default()
        }))
    }
}
