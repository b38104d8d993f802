//! A store in memory, for tests and for what is worked out and thrown away. It can be told to fail.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::watch;

use crate::{Batch, Change, Entry, Maintenance, Read, Store, StoreError, Table};

type Tables = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
    full: AtomicBool,
    broken: AtomicBool,
    changed: watch::Sender<u64>,
}

impl MemoryStore {
    /// From now on there is no room for any write, or there is again.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// From now on every write fails for good.
    pub fn break_down(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Every change is whole, so it is sound even after a panic elsewhere.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read for Tables {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(BTreeMap::get(self, &(table, key.to_vec())).cloned())
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let own = self
            .range((table, from.to_vec())..)
            .take_while(|((other, key), _)| *other == table && key.starts_with(prefix));
        Ok(own.take(limit).map(|((_, key), value)| (key.clone(), value.clone())).collect())
    }

    fn scan_back(
        &self,
        table: Table,
        prefix: &[u8],
        before: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let own = self
            .range((table, prefix.to_vec())..)
            .take_while(|((other, key), _)| *other == table && key.starts_with(prefix))
            .filter(|((_, key), _)| before.is_none_or(|before| key.as_slice() < before));
        let all = own.map(|((_, key), value)| (key.clone(), value.clone()));
        let mut all: Vec<_> = all.collect();
        all.reverse();
        all.truncate(limit);
        Ok(all)
    }
}

impl Read for MemoryStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Read::get(&*self.tables(), table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.tables().scan(table, from, prefix, limit)
    }

    fn scan_back(
        &self,
        table: Table,
        prefix: &[u8],
        before: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.tables().scan_back(table, prefix, before, limit)
    }
}

impl Store for MemoryStore {
    fn snapshot(&self) -> Result<Box<dyn Read>, StoreError> {
        Ok(Box::new(self.tables().clone()))
    }

    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        if self.full.load(Ordering::Relaxed) {
            return Err(StoreError::Full("it was told so".into()));
        }
        if self.broken.load(Ordering::Relaxed) {
            return Err(StoreError::Broken("it was told so".into()));
        }
        let mut tables = self.tables();
        batch.check(&*tables)?;
        for Change { table, key, value } in batch.changes {
            match value {
                Some(value) => drop(tables.insert((table, key), value)),
                None => drop(tables.remove(&(table, key))),
            }
        }
        self.changed.send_modify(|count| *count += 1);
        Ok(())
    }

    fn reads_at_once(&self) -> bool {
        true
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn maintenance(&self) -> Option<&dyn Maintenance> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn it_does_what_every_engine_does() {
        crate::conformance::run(&mut || Arc::new(MemoryStore::default()));
    }

    #[test]
    fn it_fails_when_it_is_told_to() {
        let store = MemoryStore::default();
        let write = || {
            let mut batch = Batch::default();
            batch.put(Table::Meta, *b"k", *b"v");
            store.write(batch)
        };
        store.set_full(true);
        assert!(write().expect_err("there is no room").is_passing());
        assert!(store.get(Table::Meta, b"k").expect("reads").is_none());
        store.set_full(false);
        write().expect("there is room again");
        store.break_down();
        assert!(matches!(write(), Err(StoreError::Broken(_))));
    }
}
