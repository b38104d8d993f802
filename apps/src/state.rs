//! State as the kernel sees it: rows under plain keys in one order. How they are kept, sealed and indexed is the business of
//! whoever implements [`State`], and in no digest.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// The folders of modules, and which is in force.
    Module,
    /// The orders of the calendar.
    Calendar,
    /// Versions of tables that were filed, and when those of modules became known.
    Table,
    /// Who was appointed to what.
    Appointment,
    /// Things: cases.
    Thing,
    /// Votes in rounds.
    Vote,
    /// What may stand once.
    Unique,
    /// Series of numbers.
    Number,
    /// Records of registries, by version.
    Record,
    /// Who has looked at whose records, and what was answered.
    Look,
    /// What there is at the places of accounts.
    Balance,
    /// What was moved in accounts.
    Posting,
    /// What is booked.
    Booking,
    /// Rolls that were frozen, and what is owed to their members.
    Roll,
    /// Credentials that were issued, and the lists of what is valid.
    Credential,
    /// Draws: commitments, values, and what was drawn.
    Draw,
    /// Surveys: tokens that were used, and what was counted.
    Survey,
    /// Sealed envelopes, shares of them, and what became of each.
    Sealed,
    /// What people were told.
    Notice,
    /// What reports have stated.
    Report,
    /// Who was matched with whom.
    Matching,
    /// Papers, what was handed in, and grades.
    Exam,
    /// What was drawn to be inspected, and noted.
    Inspection,
    /// What is published.
    Publication,
    /// Which act took effect on a document that was exchanged.
    Effect,
    /// Documents that are owed to other agencies, and what became of those that were sent.
    Owed,
    /// Documents that were decided.
    Document,
    /// The digest chain of each module, and the number of decisions.
    Chain,
    /// Derived: things by their state and by who has to do with them.
    Index,
    /// Derived: things by when something of them is due.
    Due,
}

impl Family {
    /// Whether its rows follow from the others, and are in no digest.
    pub fn derived(self) -> bool {
        matches!(self, Self::Index | Self::Due)
    }

    /// Whether its value stands for somebody or something that a disk's holder is not to read.
    pub fn secret(self) -> bool {
        matches!(
            self,
            Self::Unique
                | Self::Index
                | Self::Appointment
                | Self::Number
                | Self::Record
                | Self::Look
                | Self::Balance
                | Self::Posting
                | Self::Booking
                | Self::Credential
                | Self::Notice
                | Self::Report
                | Self::Matching
                | Self::Exam
                | Self::Inspection
                | Self::Publication
        )
    }

    /// Its letter in keys.
    pub fn letter(self) -> u8 {
        match self {
            Self::Module => b'q',
            Self::Calendar => b'k',
            Self::Table => b'y',
            Self::Appointment => b'a',
            Self::Thing => b't',
            Self::Vote => b'r',
            Self::Unique => b'u',
            Self::Number => b'n',
            Self::Record => b'g',
            Self::Look => b'l',
            Self::Balance => b'b',
            Self::Posting => b'p',
            Self::Booking => b'o',
            Self::Roll => b'm',
            Self::Credential => b'v',
            Self::Draw => b'h',
            Self::Survey => b's',
            Self::Sealed => b'e',
            Self::Notice => b'w',
            Self::Report => b'R',
            Self::Matching => b'M',
            Self::Exam => b'E',
            Self::Inspection => b'I',
            Self::Publication => b'P',
            Self::Effect => b'i',
            Self::Owed => b'j',
            Self::Document => b'f',
            Self::Chain => b'c',
            Self::Index => b'x',
            Self::Due => b'd',
        }
    }
}

/// The key of a row. Rows of one family, module, name and value stand beside each other, by id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// What it is about.
    pub family: Family,
    /// Whose it is.
    pub module: String,
    /// Of which case, series, role, index.
    pub name: String,
    /// Under which value.
    pub value: String,
    /// Which one.
    pub id: String,
}

impl Key {
    /// A key of a family and module, and nothing else yet.
    pub fn new(family: Family, module: &str) -> Self {
        let (name, value, id) = Default::default();
        Self { family, module: module.to_owned(), name, value, id }
    }

    /// With a name.
    pub fn name(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// With a value.
    pub fn value(self, value: &str) -> Self {
        Self { value: value.to_owned(), ..self }
    }

    /// With an id.
    pub fn id(self, id: &str) -> Self {
        Self { id: id.to_owned(), ..self }
    }

    /// Whether another stands beside it.
    pub fn beside(&self, other: &Self) -> bool {
        (self.family, &self.module, &self.name, &self.value)
            == (other.family, &other.module, &other.name, &other.value)
    }
}

/// State could not be read. What it was stays inside, for whoever knows more about it.
pub struct StateError(pub Box<dyn std::error::Error + Send + Sync>);

impl StateError {
    /// What is kept is not what was written.
    pub fn damaged(what: impl fmt::Display) -> Self {
        Self(what.to_string().into())
    }
}

impl fmt::Debug for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateError({})", self.0)
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for StateError {}

/// A row.
pub type Row = (Key, Vec<u8>);

/// Rows that can be read.
pub trait State {
    /// A row.
    ///
    /// # Errors
    /// [`StateError`].
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StateError>;

    /// Rows beside a key whose id is greater than another, by id; at most so many.
    ///
    /// # Errors
    /// [`StateError`].
    fn scan(&self, beside: &Key, after: &str, most: usize) -> Result<Vec<Row>, StateError>;
}

/// A change of a row: what it is from now on, or nothing.
pub type Writes = BTreeMap<Key, Option<Vec<u8>>>;

/// State in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryState(BTreeMap<Key, Vec<u8>>);

impl MemoryState {
    /// Has changes take effect.
    pub fn apply(&mut self, writes: &Writes) {
        for (key, value) in writes {
            match value {
                Some(value) => self.0.insert(key.clone(), value.clone()),
                None => self.0.remove(key),
            };
        }
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = (&Key, &[u8])> {
        self.0.iter().map(|(key, value)| (key, value.as_slice()))
    }
}

impl State for MemoryState {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(&self, beside: &Key, after: &str, most: usize) -> Result<Vec<Row>, StateError> {
        let from = beside.clone().id(after);
        let after =
            self.0.range(from.clone()..).filter(|(key, _)| **key != from || after.is_empty());
        let rows = after.take_while(|(key, _)| key.beside(beside)).take(most);
        Ok(rows.map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

/// State with changes that are not written yet.
pub struct Overlay<'a> {
    below: &'a dyn State,
    writes: Writes,
}

impl<'a> Overlay<'a> {
    /// Nothing is changed yet.
    pub fn new(below: &'a dyn State) -> Self {
        Self { below, writes: Writes::new() }
    }

    /// Changes a row.
    pub fn put(&mut self, key: Key, value: Vec<u8>) {
        self.writes.insert(key, Some(value));
    }

    /// Removes a row.
    pub fn delete(&mut self, key: Key) {
        self.writes.insert(key, None);
    }

    /// Adds changes.
    pub fn extend(&mut self, writes: Writes) {
        self.writes.extend(writes);
    }

    /// How many rows are changed, those that follow from others not counted.
    pub(crate) fn written(&self) -> usize {
        self.writes.keys().filter(|key| !key.family.derived()).count()
    }

    /// The changes.
    pub fn into_writes(self) -> Writes {
        self.writes
    }
}

impl fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Overlay({} writes)", self.writes.len())
    }
}

impl State for Overlay<'_> {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StateError> {
        match self.writes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.below.get(key),
        }
    }

    fn scan(&self, beside: &Key, after: &str, most: usize) -> Result<Vec<Row>, StateError> {
        let changed = self.writes.range(beside.clone().id(after)..);
        let changed: Vec<_> = changed
            .take_while(|(key, _)| key.beside(beside))
            .filter(|(key, _)| after.is_empty() || key.id.as_str() > after)
            .collect();
        // As many as there are changes may fall out of what lies below.
        let rows = self.below.scan(beside, after, most.saturating_add(changed.len()))?;
        let last = rows.last().map(|(key, _)| key.id.clone());
        let whole = rows.len() < most.saturating_add(changed.len());
        let mut merged: BTreeMap<Key, Vec<u8>> = rows.into_iter().collect();
        for (key, value) in changed {
            match value {
                // Beyond what was read, there may be rows before it.
                Some(_) if !whole && last.as_ref().is_some_and(|last| key.id > *last) => {}
                Some(value) => drop(merged.insert(key.clone(), value.clone())),
                None => drop(merged.remove(key)),
            }
        }
        Ok(merged.into_iter().take(most).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_two_families_stand_under_one_letter() {
        use Family as F;
        let all = [
            F::Module,
            F::Calendar,
            F::Table,
            F::Appointment,
            F::Thing,
            F::Vote,
            F::Unique,
            F::Number,
            F::Record,
            F::Look,
            F::Balance,
            F::Posting,
            F::Booking,
            F::Roll,
            F::Credential,
            F::Draw,
            F::Survey,
            F::Sealed,
            F::Notice,
            F::Report,
            F::Matching,
            F::Exam,
            F::Inspection,
            F::Publication,
            F::Effect,
            F::Owed,
            F::Document,
            F::Chain,
            F::Index,
            F::Due,
        ];
        // Whoever adds one is told here, and adds it above.
        let known = |family: Family| match family {
            F::Module
            | F::Calendar
            | F::Table
            | F::Appointment
            | F::Thing
            | F::Vote
            | F::Unique
            | F::Number
            | F::Record
            | F::Look
            | F::Balance
            | F::Posting
            | F::Booking
            | F::Roll
            | F::Credential
            | F::Draw
            | F::Survey
            | F::Sealed
            | F::Notice
            | F::Report
            | F::Matching
            | F::Exam
            | F::Inspection
            | F::Publication
            | F::Effect
            | F::Owed
            | F::Document
            | F::Chain
            | F::Index
            | F::Due => (),
        };
        let letters: std::collections::BTreeSet<_> = all.iter().map(|one| one.letter()).collect();
        all.into_iter().for_each(known);
        assert_eq!(letters.len(), all.len());
    }

    fn key(value: u8, id: u8) -> Key {
        Key::new(Family::Index, "m").name("n").value(&value.to_string()).id(&format!("{id:03}"))
    }

    proptest! {
        /// What an overlay shows is what there would be if its changes were written.
        #[test]
        fn an_overlay_shows_what_will_be(
            rows in prop::collection::btree_map((0u8..3, 0u8..20), any::<u8>(), 0..30),
            changes in prop::collection::btree_map((0u8..3, 0u8..20), any::<Option<u8>>(), 0..15),
            after in 0u8..20, most in 0usize..12,
        ) {
            let mut below = MemoryState::default();
            below.apply(&rows.iter().map(|((v, id), x)| (key(*v, *id), Some(vec![*x]))).collect());
            let writes: Writes =
                changes.iter().map(|((v, id), x)| (key(*v, *id), x.map(|x| vec![x]))).collect();
            let mut written = below.clone();
            written.apply(&writes);
            let mut overlay = Overlay::new(&below);
            overlay.extend(writes);
            for value in 0..3 {
                let beside = key(value, 0);
                for after in ["".to_owned(), format!("{after:03}")] {
                    let shown = overlay.scan(&beside, &after, most).expect("reads");
                    prop_assert_eq!(shown, written.scan(&beside, &after, most).expect("reads"));
                }
                for id in 0..20 {
                    let one = key(value, id);
                    prop_assert_eq!(overlay.get(&one).expect("reads"), written.get(&one).expect("reads"));
                }
            }
        }
    }
}
