//! How works lie in state: a row for each with what has happened to it, one for each edition of a version; and, as what follows
//! from them, where they are found by their titles and in the order of time.

use chancery_crypto::{Digest, cbor};
use serde::{Deserialize, Serialize};

use super::{Attached, Event};
use crate::{
    state::{Family, Key, State, StateError},
    statute::{Citation, Part},
};

/// A work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Work {
    /// Its name.
    pub work: String,
    /// How many versions it has.
    pub versions: u32,
    /// What has happened to it, in the order in which it was decided.
    pub events: Vec<Event>,
    /// The works whose place it takes when it comes into force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supersede: Vec<String>,
}

/// An edition of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    pub title: String,
    pub digest: Digest,
    pub parts: Vec<Part>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attached: Vec<Attached>,
    /// The version of the module by which it was read.
    pub schema: Digest,
}

/// Names stand in the clear in keys where they are no values: what is under embargo would be told by its name.
fn digest(work: &str) -> String {
    Digest::of(work.as_bytes()).to_string()
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, StateError> {
    cbor::decode_within(bytes, bytes.len()).map_err(StateError::damaged)
}

impl Work {
    pub(super) fn new(work: &str) -> Self {
        Self { work: work.to_owned(), versions: 0, events: Vec::new(), supersede: Vec::new() }
    }

    /// Beside which works lie, in the order of the digests of their names.
    pub(super) fn beside(module: &str, publication: &str) -> Key {
        Key::new(Family::Publication, module).name(publication)
    }

    pub(super) fn key(module: &str, publication: &str, work: &str) -> Key {
        Self::beside(module, publication).id(&digest(work))
    }

    pub(super) fn get(
        state: &dyn State,
        module: &str,
        publication: &str,
        work: &str,
    ) -> Result<Option<Self>, StateError> {
        let row = state.get(&Self::key(module, publication, work))?;
        row.map(|bytes| decode(&bytes)).transpose()
    }

    /// A work by the digest of its name, as indexes have it.
    pub(super) fn by_digest(
        state: &dyn State,
        module: &str,
        publication: &str,
        id: &str,
    ) -> Result<Option<Self>, StateError> {
        let row = state.get(&Self::beside(module, publication).id(id))?;
        row.map(|bytes| decode(&bytes)).transpose()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        decode(bytes)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("a work is plain")
    }

    /// Since when it is seen.
    pub(super) fn shown(&self) -> Option<i64> {
        self.events.iter().map(|event| event.shown).min()
    }

    /// The number of its next event.
    pub(super) fn next(&self) -> u32 {
        u32::try_from(self.events.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// The newest edition of a version.
    pub(super) fn edition(&self, version: u32) -> u32 {
        self.edition_at(version, i64::MAX)
    }

    /// The newest edition of a version that is seen at a moment.
    pub(super) fn edition_at(&self, version: u32, seen: i64) -> u32 {
        let own = self.events.iter().filter(|e| e.version == Some(version) && e.shown <= seen);
        own.map(|event| event.edition).max().unwrap_or(0)
    }
}

impl Text {
    pub(super) fn key(
        module: &str,
        publication: &str,
        work: &str,
        version: u32,
        edition: u32,
    ) -> Key {
        let key = Key::new(Family::Publication, module).name(&format!("{publication}/text"));
        key.value(work).id(&format!("{version:08}.{edition:04}"))
    }

    pub(super) fn get(
        state: &dyn State,
        module: &str,
        publication: &str,
        work: &str,
        version: u32,
        edition: u32,
    ) -> Result<Option<Self>, StateError> {
        let row = state.get(&Self::key(module, publication, work, version, edition))?;
        row.map(|bytes| decode(&bytes)).transpose()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("a text is plain")
    }
}

/// Beside which works of a title lie.
pub(super) fn of_title(module: &str, publication: &str, title: &str) -> Key {
    let key = Key::new(Family::Index, module).name(&format!("{publication}/title"));
    key.value(&Citation::plain_title(title))
}

pub(super) fn by_title(module: &str, publication: &str, title: &str, work: &str) -> Key {
    of_title(module, publication, title).id(&digest(work))
}

/// Beside which events lie, the newest first.
pub(super) fn in_time(module: &str, publication: &str) -> Key {
    Key::new(Family::Index, module).name(&format!("{publication}/new"))
}

/// After which id the events lie that are seen at a moment.
pub(super) fn seen_from(seen: i64) -> String {
    let back = i64::MAX - seen.max(0);
    format!("{back:020}")
}

pub(super) fn by_time(module: &str, publication: &str, work: &str, event: &Event) -> Key {
    let back = seen_from(event.shown);
    // Of one moment the later number is newer.
    let number = u32::MAX - event.number;
    in_time(module, publication).id(&format!("{back}/{number:010}/{}", digest(work)))
}
