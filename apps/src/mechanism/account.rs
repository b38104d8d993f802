//! Accounts: quantities with a unit at places, by dimensions. What leaves one place comes to another; limits are judged over
//! the sum of all moves of an act. A correction is a move of its own: nothing that was posted is changed.

use std::{cell::Cell, collections::BTreeMap};

use chancery_crypto::cbor;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    calendar::{Calendar, Rule},
    case::{Decided, Deciding, cbor_text},
    civil::Zone,
    formula::{Environment, MOST_STEPS},
    manifest::Account,
    reason::Refusal,
    state::{Family, Key, Overlay, State, StateError},
    value::{Value, Why},
};

/// A move of a quantity.
#[derive(Debug, Clone)]
pub(crate) struct Move {
    pub account: String,
    pub dims: BTreeMap<String, String>,
    pub from: String,
    pub to: String,
    pub amount: i128,
    pub value_date: Option<Value>,
}

/// A posting, as it stands at both places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Posting {
    /// What was added; below zero where it was taken.
    amount: String,
    /// The other place.
    other: String,
    /// The thing whose act it was.
    case: String,
    thing: String,
    rule: String,
    /// The day for which it counts, where that is another than that on which it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value_date: Option<Value>,
    /// When it was made, in seconds since 1970 UTC.
    at: i64,
}

fn key(family: Family, module: &str, account: &str, place: &str, dims: &str) -> Key {
    Key::new(family, module).name(&format!("{account}/{place}")).value(dims)
}

fn dimensions(account: &Account, dims: &BTreeMap<String, String>) -> String {
    let each = account.dims.iter().map(|dim| dims.get(dim).cloned().unwrap_or_default());
    cbor_text(&each.collect::<Vec<_>>())
}

fn read(state: &dyn State, key: &Key) -> Result<i128, StateError> {
    match state.get(key)? {
        None => Ok(0),
        Some(bytes) => {
            let text: String = cbor::decode(&bytes).map_err(StateError::damaged)?;
            text.parse().map_err(StateError::damaged)
        }
    }
}

/// The balance of a place, in the account's unit.
pub(crate) fn balance(
    state: &dyn State,
    module: &str,
    account: &Account,
    place: &str,
    dims: &[Value],
) -> Result<Value, StateError> {
    let dims: Vec<_> = dims.iter().map(ToString::to_string).collect();
    let key = key(Family::Balance, module, &account.name, place, &cbor_text(&dims));
    Ok(quantity(account, read(state, &key)?))
}

/// A quantity as formulas have it: of fen an amount, of all else a whole number.
fn quantity(account: &Account, of: i128) -> Value {
    match (account.unit.as_str(), Decimal::try_from_i128_with_scale(of, 0)) {
        ("fen", Ok(fen)) => Value::Money(fen),
        ("fen", Err(_)) => Value::Unknown(Why::NoResult("fen".into())),
        _ => Value::Int(of),
    }
}

/// Posts the moves of an act, if all limits hold after them.
pub(super) fn post(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    moves: Vec<(String, Move)>,
) -> Decided<()> {
    let module = deciding.module.name();
    let mut touched: BTreeMap<(String, String), String> = BTreeMap::new();
    let gone = || StateError::damaged("an account that was checked is gone");
    for (place, (rule, one)) in moves.iter().enumerate() {
        let account = deciding.module.accounts.get(&one.account).ok_or_else(gone)?;
        let dims = dimensions(account, &one.dims);
        if one.amount == 0 {
            continue;
        }
        touched.entry((one.account.clone(), dims.clone())).or_insert_with(|| rule.clone());
        for (at, other, amount) in
            [(&one.from, &one.to, -one.amount), (&one.to, &one.from, one.amount)]
        {
            let balance = key(Family::Balance, module, &one.account, at, &dims);
            let Some(sum) = read(overlay, &balance)?.checked_add(amount) else {
                let what = format!("{}/{at}", one.account);
                return Ok(Err(vec![deciding.reason(rule, None, Refusal::Unknown { what })]));
            };
            overlay.put(balance, cbor::encode(&sum.to_string()).expect("a text"));
            let posting = Posting {
                amount: amount.to_string(),
                other: other.clone(),
                case: deciding.case.name.clone(),
                thing: deciding.id.to_owned(),
                rule: rule.clone(),
                value_date: one.value_date.clone(),
                at: deciding.at.0,
            };
            let number = crate::kernel::decisions(overlay)?;
            let row = key(Family::Posting, module, &one.account, at, &dims);
            let mut posted = row.clone().id(&format!("{number:020}/{}/{place:04}", deciding.id));
            // A matter that is told something twice in one decision posts twice.
            let mut again = 0;
            while overlay.get(&posted)?.is_some() {
                again += 1;
                let id = format!("{number:020}/{}/{place:04}/{again:04}", deciding.id);
                posted = row.clone().id(&id);
            }
            overlay.put(posted, cbor::encode(&posting).expect("plain"));
        }
    }
    let mut refused = Vec::new();
    for ((account, dims), rule) in touched {
        let account = deciding.module.accounts.get(&account).ok_or_else(gone)?;
        let mut balances = BTreeMap::new();
        for (place, _) in &account.places {
            let key = key(Family::Balance, module, &account.name, place, &dims);
            balances.insert(place.clone(), quantity(account, read(overlay, &key)?));
        }
        let environment = Balances { balances: &balances, deciding, steps: Cell::new(0) };
        for limit in &account.limits {
            let held = limit.that.formula.value(&environment);
            if held == Value::Bool(true) {
                continue;
            }
            let shown = balances.iter().map(|(place, of)| format!("{place} {of}"));
            let left = format!("{dims}: {}", shown.collect::<Vec<_>>().join(", "));
            let own = format!("limit-{}-{}", account.name, limit.name);
            let say = limit.say.clone().unwrap_or(own);
            let why = match held {
                Value::Bool(_) => Refusal::Limit { say, left },
                other => Refusal::Unknown { what: other.to_string() },
            };
            let mut reason = deciding.reason(&rule, Some(&limit.law), why);
            reason.rule = format!("{module}/{}/{}", account.name, limit.name);
            refused.push(reason);
        }
    }
    Ok(if refused.is_empty() { Ok(()) } else { Err(refused) })
}

/// The places of an account, by name.
struct Balances<'a> {
    balances: &'a BTreeMap<String, Value>,
    deciding: &'a Deciding<'a>,
    steps: Cell<u64>,
}

impl Environment for Balances<'_> {
    fn root(&self, name: &str) -> Value {
        self.balances.get(name).cloned().unwrap_or(Value::None)
    }
    fn call(&self, name: &str, _: &[Value]) -> Value {
        Value::Unknown(Why::NoRow(name.to_owned()))
    }
    fn calendar(&self) -> &Calendar {
        self.deciding.calendar
    }
    fn rule(&self) -> Rule {
        self.deciding.case.rule
    }
    fn zone(&self) -> Zone {
        self.deciding.module.zone
    }
    fn step(&self) -> bool {
        self.steps.set(self.steps.get() + 1);
        self.steps.get() <= MOST_STEPS
    }
}
