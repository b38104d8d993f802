//! Two versions of a text, part by part.

use std::collections::BTreeMap;

use super::Part;

/// What became of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    Added(Part),
    /// It is not there any more.
    Repealed(Part),
    /// Its words are others.
    Changed {
        /// As it was.
        before: Part,
        /// As it is.
        after: Part,
    },
    /// Its words stand under another address now.
    Moved {
        /// Where they were.
        from: String,
        /// As it is.
        after: Part,
    },
}

impl Change {
    /// Where it is, or was.
    pub fn address(&self) -> &str {
        match self {
            Self::Added(part) | Self::Repealed(part) => &part.address,
            Self::Changed { after, .. } | Self::Moved { after, .. } => &after.address,
        }
    }
}

/// What differs between two versions, in the order of the newer; what was repealed follows. Parts that are the same are left out.
pub fn compare(before: &[Part], after: &[Part]) -> Vec<Change> {
    let known: BTreeMap<&str, &Part> =
        before.iter().map(|part| (part.address.as_str(), part)).collect();
    let there: BTreeMap<&str, &Part> =
        after.iter().map(|part| (part.address.as_str(), part)).collect();
    // Words that are only at another place now: of those that are gone from theirs. Short ones stand anywhere.
    let gone = before.iter().filter(|part| {
        let now = there.get(part.address.as_str());
        now.is_none_or(|now| now.text != part.text) && part.text.chars().count() >= LEAST_MOVED
    });
    let mut moved: BTreeMap<&str, Vec<&Part>> = BTreeMap::new();
    for part in gone {
        moved.entry(&part.text).or_default().push(part);
    }
    let mut from = std::collections::BTreeSet::new();
    let mut changes = Vec::new();
    for part in after {
        let old = known.get(part.address.as_str()).copied();
        if old.is_some_and(|old| old.text == part.text) {
            continue;
        }
        let source = moved
            .get_mut(part.text.as_str())
            .and_then(|parts| (!parts.is_empty()).then(|| parts.remove(0)));
        changes.push(match (source, old) {
            (Some(source), _) => {
                from.insert(source.address.as_str());
                Change::Moved { from: source.address.clone(), after: part.clone() }
            }
            (None, Some(old)) => Change::Changed { before: old.clone(), after: part.clone() },
            (None, None) => Change::Added(part.clone()),
        });
    }
    let repealed = before.iter().filter(|part| {
        !there.contains_key(part.address.as_str()) && !from.contains(part.address.as_str())
    });
    changes.extend(repealed.cloned().map(Change::Repealed));
    changes
}

/// The fewest characters by which a part is known again at another place.
const LEAST_MOVED: usize = 8;
