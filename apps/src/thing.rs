//! A thing: a row of state that acts move.

use std::collections::BTreeMap;

use chancery_crypto::{Digest, cbor};
use chancery_protocol::Hand;
use serde::{Deserialize, Serialize};

use crate::{
    civil::Instant,
    migration,
    state::{Family, Key, State, StateError},
    turns::{Turns, Void},
    value::Value,
};

/// A thing of a case.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thing {
    /// The version of its module: it keeps that to its end.
    pub version: Option<Digest>,
    /// The variant of its module under which it was opened.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// The parameters of its module, as they were when it was opened.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Value>,
    /// Its state.
    pub state: String,
    /// How many decisions it has seen.
    pub sequence: u64,
    /// How it is called.
    pub title: String,
    /// The office of the agency to which it belongs, by its path; empty: the whole agency.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub office: String,
    /// What acts have set.
    pub set: BTreeMap<String, Value>,
    /// Of the newest document of each act, the fields that formulas read later.
    pub filed: BTreeMap<String, BTreeMap<String, Value>>,
    /// When each act was done last, and each state was entered last, in seconds since 1970 UTC.
    pub when: BTreeMap<String, i64>,
    /// How often each act was done, and each state was entered.
    pub count: BTreeMap<String, u32>,
    /// Who did each act, in order.
    pub authors: BTreeMap<String, Vec<String>>,
    /// The newest document of each act.
    pub documents: BTreeMap<String, String>,
    /// By whose hand the newest document of an act was signed, where he acted for its author.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hands: BTreeMap<String, ByHand>,
    /// Who has to do with it.
    pub people: Vec<String>,
    /// Rounds that were begun.
    pub rounds: BTreeMap<String, Votes>,
    /// The generation of each deadline that is over: it was met, or it has passed.
    pub over: BTreeMap<String, u32>,
    /// By how much each deadline was extended, in its own unit.
    pub extended: BTreeMap<String, i32>,
    /// When each deadline stood still.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stood: BTreeMap<String, Vec<Span>>,
    /// Rules that did not hold and only mark it, and duties that were not met in time.
    pub flags: Vec<String>,
    /// Values that it holds alone as long as it is open.
    pub held: Vec<Key>,
    /// The thing whose child it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// Which of the children that one act opened, from 0 on.
    #[serde(default, skip_serializing_if = "first")]
    pub place: u32,
    /// By what else it is found: names of indexes, and values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<(String, String)>,
    /// What acts left for those after them.
    #[serde(default, skip_serializing_if = "Turns::is_empty")]
    pub turns: Turns,
    /// What it has booked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub booked: Vec<Key>,
}

/// Whether it is the first, of which nothing is written.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives it so")]
fn first(place: &u32) -> bool {
    *place == 0
}

/// By whose hand something was done for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByHand {
    /// Who has signed.
    pub by: String,
    /// As what.
    #[serde(rename = "as")]
    pub how: Hand,
}

/// The thing whose child another is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parent {
    /// The case.
    pub case: String,
    /// The thing.
    pub thing: String,
}

/// A span in which a deadline stood still, or stands still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// By which pause of the deadline, from 0 on.
    pub pause: u32,
    /// Since when, in seconds since 1970 UTC.
    pub from: i64,
    /// Until when; none as long as it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
}

/// The votes of a round.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Votes {
    /// Who is asked, in order.
    pub of: Vec<String>,
    /// What was said: yes, no or abstain.
    pub said: BTreeMap<String, String>,
    /// The text for which each was given, where the round is bound to one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub texts: BTreeMap<String, String>,
    /// Votes that do not count any more: their text was changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub void: Vec<Void>,
    /// Who was asked in place of whom.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<(String, String)>,
    /// Whether the thing was returned since: what was said of the same text counts when it comes here again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

impl Thing {
    pub(crate) fn key(module: &str, case: &str, id: &str) -> Key {
        Key::new(Family::Thing, module).name(case).id(id)
    }

    /// Reads a thing, through the plans by which its version went over to another.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn get(
        state: &dyn State,
        module: &str,
        case: &str,
        id: &str,
    ) -> Result<Option<Self>, StateError> {
        let stored = Self::stored(state, module, case, id)?;
        stored.map(|thing| migration::through(state, module, case, id, thing)).transpose()
    }

    /// Reads a thing as it was written last.
    pub(crate) fn stored(
        state: &dyn State,
        module: &str,
        case: &str,
        id: &str,
    ) -> Result<Option<Self>, StateError> {
        state.get(&Self::key(module, case, id))?.map(|bytes| Self::decode(&bytes)).transpose()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        cbor::decode_within(bytes, bytes.len()).map_err(StateError::damaged)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("what is not known is not kept")
    }

    /// What others see of it: what was set, and what it is.
    pub(crate) fn value(&self, id: &str) -> Value {
        let mut fields = self.set.clone();
        for (name, text) in [("id", id), ("state", &self.state), ("title", &self.title)] {
            fields.insert(name.to_owned(), Value::text(text));
        }
        Value::Map(fields)
    }

    /// When something was done or a state was entered last.
    pub fn when(&self, name: &str) -> Option<Instant> {
        self.when.get(name).map(|at| Instant(*at))
    }

    pub(crate) fn counted(&self, name: &str) -> u32 {
        self.count.get(name).copied().unwrap_or(0)
    }

    pub(crate) fn did(&mut self, name: &str, at: Instant) {
        self.when.insert(name.to_owned(), at.0);
        let count = self.count.entry(name.to_owned()).or_default();
        *count = count.saturating_add(1);
    }
}
