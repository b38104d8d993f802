use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a node reads and writes in more than one version: each format by its name, from the lowest version to the highest.
/// A node announces them in its card; what is not named is of the first version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Formats(BTreeMap<String, (u64, u64)>);

/// The formats that have versions, and the highest of each that this program knows. docs/formats.md says what each is.
const OWN: [(&str, u64); 6] = [
    ("card", 2),
    ("directory", 2),
    (Formats::ENVELOPE, 2),
    ("growth", 2),
    ("leaf", 2),
    ("receipt", 2),
];

impl Formats {
    /// Envelopes: from version 2 on with a sealed part for each recipient.
    pub const ENVELOPE: &str = "envelope";

    /// Those of this program.
    pub fn own() -> Self {
        Self(OWN.iter().map(|(name, most)| ((*name).to_owned(), (1, *most))).collect())
    }

    /// Whether a version of a format is read.
    pub fn reads(&self, format: &str, version: u64) -> bool {
        let (least, most) = self.0.get(format).copied().unwrap_or((1, 1));
        (least..=most).contains(&version)
    }

    /// All that are named, with their lowest and highest versions.
    pub fn iter(&self) -> impl Iterator<Item = (&str, (u64, u64))> {
        self.0.iter().map(|(name, range)| (name.as_str(), *range))
    }
}

#[cfg(test)]
mod tests {
    use chancery_crypto::cbor;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_announced_is_of_the_first_version() {
        let (own, old) = (Formats::own(), Formats::default());
        assert!(own.reads(Formats::ENVELOPE, 1) && own.reads(Formats::ENVELOPE, 2));
        assert!(!own.reads(Formats::ENVELOPE, 3) && !own.reads(Formats::ENVELOPE, 0));
        assert!(old.reads(Formats::ENVELOPE, 1) && !old.reads(Formats::ENVELOPE, 2));
        assert!(own.iter().all(|(_, (least, most))| least == 1 && most > 1));
    }

    proptest! {
        #[test]
        fn formats_come_back_as_they_were_written(
            map in prop::collection::btree_map("[a-z]{1,9}", any::<(u64, u64)>(), 0..9)
        ) {
            let formats = Formats(map);
            let bytes = cbor::encode(&formats).expect("plain");
            prop_assert_eq!(cbor::decode::<Formats>(&bytes).expect("reads"), formats);
        }
    }
}
