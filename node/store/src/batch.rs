//! What is written together.

use crate::{Read, StoreError, Table};

/// A change of one key: its value from now on, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The table.
    pub table: Table,
    /// The key.
    pub key: Vec<u8>,
    /// Its value; none: the key is removed.
    pub value: Option<Vec<u8>>,
}

/// What a key must be before anything is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The table.
    pub table: Table,
    /// The key.
    pub key: Vec<u8>,
    /// What it must have; none: it must be absent.
    pub want: Option<Vec<u8>>,
}

impl Condition {
    /// That a key is absent.
    pub fn absent(table: Table, key: impl Into<Vec<u8>>) -> Self {
        Self { table, key: key.into(), want: None }
    }
}

/// Changes that become visible, and durable, all or none, and only if what they rest on still holds. Of several changes of one
/// key the last counts.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) changes: Vec<Change>,
    pub(crate) conditions: Vec<Condition>,
}

impl Batch {
    /// Sets a key.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.changes.push(Change { table, key: key.into(), value: Some(value.into()) });
    }

    /// Removes a key.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.changes.push(Change { table, key: key.into(), value: None });
    }

    /// Asks that a key has this value, or is absent, before any of the batch is written.
    pub fn require(&mut self, table: Table, key: impl Into<Vec<u8>>, want: Option<Vec<u8>>) {
        self.conditions.push(Condition { table, key: key.into(), want });
    }

    /// Takes over another batch's changes and conditions.
    pub fn append(&mut self, mut other: Self) {
        self.changes.append(&mut other.changes);
        self.conditions.append(&mut other.conditions);
    }

    /// What is changed, in order.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Takes out what it asks for.
    pub fn take_conditions(&mut self) -> Vec<Condition> {
        std::mem::take(&mut self.conditions)
    }

    /// The bytes of all keys and values.
    pub fn size(&self) -> usize {
        let size = |c: &Change| c.key.len() + c.value.as_ref().map_or(0, Vec::len);
        self.changes.iter().map(size).sum()
    }

    /// Checks the conditions against a state that cannot change meanwhile.
    pub(crate) fn check(&self, state: &(impl Read + ?Sized)) -> Result<(), StoreError> {
        for Condition { table, key, want } in &self.conditions {
            if state.get(*table, key)? != *want {
                return Err(StoreError::Conflict { table: *table, key: key.clone() });
            }
        }
        Ok(())
    }
}
