//! What acts leave for those after them: where a thing goes on after a return, to whom a duty was handed, since when it stands still.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What acts left of a thing for those after them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turns {
    /// The act that was done last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Last>,
    /// Where it goes on once it leaves the state to which it was returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Back>,
    /// Who has handed his duty in this state to whom.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub handed: BTreeMap<String, String>,
    /// Since when it stands still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Suspended>,
    /// Its numbers that were annulled. They are given to nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub annulled: Vec<Annulled>,
}

impl Turns {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The act that was done last, and from which state; an empty one when it opened the thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Last {
    /// The act.
    pub act: String,
    /// The state.
    pub from: String,
}

/// A return after which a thing goes on at whoever returned it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Back {
    /// The state to which it was returned.
    pub at: String,
    /// The state of the returner.
    pub resume: String,
}

/// A standing still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspended {
    /// Since when, in seconds since 1970 UTC.
    pub since: i64,
    /// Until when; none: until it is resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

impl Suspended {
    /// Whether it stands still at a moment.
    pub(crate) fn holds(&self, at: i64) -> bool {
        self.until.is_none_or(|until| at < until)
    }
}

/// A number that was annulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Annulled {
    /// Its series.
    pub series: String,
    /// The number.
    pub number: String,
    /// When, in seconds since 1970 UTC.
    pub at: i64,
}

/// A vote that does not count any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Void {
    /// Whose.
    pub who: String,
    /// What was said: yes, no or abstain.
    pub said: String,
    /// For which text; empty where the round was bound to none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}
