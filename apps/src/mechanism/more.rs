//! What effects and formulas do with the mechanisms that have rows of their own.

use std::collections::BTreeMap;

use super::{
    credential::{self, Issue, Status},
    draw, owed, plan, roll, sealed, survey,
};
use crate::{
    case::{Decided, Deciding},
    environment::CaseEnvironment,
    manifest::{Act, Effect, MoreVerb, Placed},
    reason::Refusal,
    state::{Overlay, StateError},
    thing::Thing,
    value::Value,
};

/// What one of them is to do.
#[derive(Debug, Clone)]
pub(crate) enum MoreDeed {
    /// Freezes a roll.
    Freeze {
        roll: String,
    },
    /// Owes an effect to each member of a roll.
    Owe {
        roll: String,
        act: String,
        effect: String,
    },
    /// Issues a credential.
    Issue(Box<Issue>),
    /// Says what becomes of one.
    Status {
        credential: String,
        of: String,
        now: Status,
        reason: Option<String>,
    },
    /// Parts of a draw.
    Commit {
        draw: String,
        by: String,
        value: String,
    },
    Reveal {
        draw: String,
        by: String,
        value: String,
    },
    Draw {
        draw: String,
    },
    Replace {
        draw: String,
        of: String,
        reason: String,
    },
    /// Takes an answer to a survey.
    Answer {
        survey: String,
        token: String,
        given: BTreeMap<String, Value>,
    },
    /// Parts of sealed envelopes.
    Deposit {
        sealed: String,
        by: String,
        envelope: String,
    },
    TakeBack {
        sealed: String,
        by: String,
    },
    Share {
        sealed: String,
        by: String,
        of: String,
        value: String,
    },
    Unseal {
        sealed: String,
    },
}

/// What the formulas of a verb come to.
pub(super) fn deed(
    environment: &CaseEnvironment<'_>,
    verb: &MoreVerb,
) -> Result<MoreDeed, Refusal> {
    let text = |placed: &Placed| match plan::known(placed, environment)? {
        Value::Text(text) => Ok(text),
        other => Err(plan::unknown(&other)),
    };
    let maybe = |placed: &Option<Placed>| placed.as_ref().map(text).transpose();
    Ok(match verb {
        MoreVerb::Issue { credential, id, to, with, replaces } => {
            MoreDeed::Issue(Box::new(Issue {
                credential: credential.clone(),
                id: text(id)?,
                to: text(to)?,
                fields: plan::map(with, environment)?,
                replaces: maybe(replaces)?,
            }))
        }
        MoreVerb::Status { credential, of, now, reason } => MoreDeed::Status {
            credential: credential.clone(),
            of: text(of)?,
            now: Status::named(now).ok_or_else(|| Refusal::Unknown { what: now.clone() })?,
            reason: maybe(reason)?,
        },
        MoreVerb::Commit { draw, by, value } => {
            MoreDeed::Commit { draw: draw.clone(), by: text(by)?, value: text(value)? }
        }
        MoreVerb::Reveal { draw, by, value } => {
            MoreDeed::Reveal { draw: draw.clone(), by: text(by)?, value: text(value)? }
        }
        MoreVerb::Deposit { sealed, by, envelope } => {
            MoreDeed::Deposit { sealed: sealed.clone(), by: text(by)?, envelope: text(envelope)? }
        }
        MoreVerb::TakeBack { sealed, by } => {
            MoreDeed::TakeBack { sealed: sealed.clone(), by: text(by)? }
        }
        MoreVerb::Share { sealed, by, of, value } => MoreDeed::Share {
            sealed: sealed.clone(),
            by: text(by)?,
            of: text(of)?,
            value: text(value)?,
        },
        MoreVerb::Unseal { sealed } => MoreDeed::Unseal { sealed: sealed.clone() },
        MoreVerb::Draw { draw } => MoreDeed::Draw { draw: draw.clone() },
        MoreVerb::Replace { draw, of, reason } => {
            MoreDeed::Replace { draw: draw.clone(), of: text(of)?, reason: text(reason)? }
        }
        MoreVerb::Answer { survey, token, with } => MoreDeed::Answer {
            survey: survey.clone(),
            token: text(token)?,
            given: plan::map(with, environment)?,
        },
    })
}

/// The rolls that an act freezes.
pub(super) fn frozen(deciding: &Deciding<'_>, act: &Act) -> Vec<(String, MoreDeed)> {
    let own = (&deciding.case.name, &act.name);
    let rolls = deciding.module.more.rolls.values();
    let rolls = rolls.filter(|roll| (&roll.close.0, &roll.close.1) == own);
    let each = rolls.map(|roll| {
        let rule = format!("{}/roll-{}", act.name, roll.name);
        (rule, MoreDeed::Freeze { roll: roll.name.clone() })
    });
    each.collect()
}

/// What an effect owes to each member of a roll, if it does.
pub(super) fn owes(act: &Act, effect: &Effect) -> Option<MoreDeed> {
    let (roll, act, effect) = (effect.for_each.clone()?, act.name.clone(), effect.name.clone());
    Some(MoreDeed::Owe { roll, act, effect })
}

/// Carries one out.
pub(super) fn carry_out(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    deed: MoreDeed,
    thing: &mut Thing,
) -> Decided<()> {
    match deed {
        MoreDeed::Freeze { roll } => roll::freeze(deciding, overlay, rule, &roll, thing),
        MoreDeed::Owe { roll, act, effect } => {
            owed::owe(deciding, overlay, rule, (&roll, &act, &effect), thing)
        }
        MoreDeed::Issue(wanted) => credential::issue(deciding, overlay, rule, *wanted),
        MoreDeed::Status { credential, of, now, reason } => {
            credential::status(deciding, overlay, rule, (&credential, &of), now, reason)
        }
        MoreDeed::Commit { draw, by, value } => {
            draw::commit(deciding, overlay, rule, &draw, (&by, &value), thing)
        }
        MoreDeed::Reveal { draw, by, value } => {
            draw::reveal(deciding, overlay, rule, &draw, (&by, &value), thing)
        }
        MoreDeed::Deposit { sealed, by, envelope } => {
            sealed::deposit(deciding, overlay, rule, &sealed, (&by, &envelope), thing)
        }
        MoreDeed::TakeBack { sealed, by } => {
            sealed::take_back(deciding, overlay, rule, &sealed, &by, thing)
        }
        MoreDeed::Share { sealed, by, of, value } => {
            sealed::share(deciding, overlay, rule, &sealed, (&by, &of, &value), thing)
        }
        MoreDeed::Unseal { sealed } => sealed::unseal(deciding, overlay, rule, &sealed, thing),
        MoreDeed::Draw { draw } => draw::draw(deciding, overlay, rule, &draw, thing),
        MoreDeed::Replace { draw, of, reason } => {
            draw::replace(deciding, overlay, rule, &draw, (&of, &reason), thing)
        }
        MoreDeed::Answer { survey, token, given } => {
            survey::answer(deciding, overlay, rule, &survey, (&token, given))
        }
    }
}

/// The value of a function of these; none of one that is not.
pub(crate) fn call(
    environment: &CaseEnvironment<'_>,
    name: &str,
    arguments: &[Value],
) -> Result<Option<Value>, StateError> {
    match name {
        "roll" | "member" => roll::call(environment, name, arguments),
        "credential" => credential::call(environment, arguments),
        "drawn" => draw::call(environment, arguments),
        "tally" => survey::call(environment, arguments),
        "envelopes" | "envelope" => sealed::call(environment, name, arguments),
        _ => Ok(None),
    }
}
