//! How what modules keep lies in the store: rows sealed each for its place and for the decision that wrote it, so that none can be
//! read, moved, or put back as it was before.

use chancery_apps::{Family, Key, Row, State, StateError, Writes};
use chancery_bus::{EncryptionKeys, NodeError};
use chancery_crypto::IndexKey;
use chancery_store::{Batch, Blocking, Read, Table};

use crate::Office;

/// Where the key of indexes stands, sealed, in [`Table::Meta`].
const INDEX_KEY: &[u8] = b"module index key";

/// Between the fields of a key; none of them has it.
const BETWEEN: u8 = 0;

/// The state of modules in a store.
pub(crate) struct StoredState<'a> {
    store: &'a dyn Read,
    keys: Keys<'a>,
}

/// What seals rows and blinds values.
#[derive(Clone, Copy)]
pub(crate) struct Keys<'a> {
    pub encryption: &'a EncryptionKeys,
    pub index: &'a IndexKey,
}

/// The key of indexes: made when it is needed first, and kept as long as the rows.
pub(crate) fn index_key(here: &Blocking, office: &Office) -> Result<IndexKey, NodeError> {
    let encryption = office.identity();
    let encryption = encryption.encryption();
    let store = office.store(here);
    let read = |sealed: Vec<u8>| {
        let bytes = encryption.open_row(&sealed, INDEX_KEY)?;
        let bytes: [u8; IndexKey::LEN] = bytes
            .try_into()
            .map_err(|_| NodeError::damaged("the key of indexes has another length"))?;
        Ok::<_, NodeError>(IndexKey::new(&bytes))
    };
    if let Some(sealed) = store.get(Table::Meta, INDEX_KEY)? {
        return read(sealed);
    }
    let bytes = chancery_crypto::random::<{ IndexKey::LEN }>()?;
    let mut batch = Batch::default();
    batch.require(Table::Meta, INDEX_KEY, None);
    batch.put(Table::Meta, INDEX_KEY, encryption.storage.seal_row(&bytes, INDEX_KEY)?);
    match store.write(batch) {
        Ok(()) => Ok(IndexKey::new(&bytes)),
        // Somebody else has made one meanwhile: that is it.
        Err(chancery_store::StoreError::Conflict { .. }) => {
            match store.get(Table::Meta, INDEX_KEY)? {
                Some(sealed) => read(sealed),
                None => Err(NodeError::damaged("the key of indexes is gone")),
            }
        }
        Err(error) => Err(error.into()),
    }
}

impl<'a> StoredState<'a> {
    pub(crate) fn new(store: &'a dyn Read, keys: Keys<'a>) -> Self {
        Self { store, keys }
    }
}

/// The bytes of a key up to its id.
fn prefix(keys: Keys<'_>, key: &Key) -> Vec<u8> {
    let mut bytes = vec![key.family.letter()];
    let value = match key.family.secret() && !key.value.is_empty() {
        true => {
            let whole = [key.module.as_str(), &key.name, &key.value].join("\u{0}");
            keys.index.blind(whole.as_bytes()).to_string()
        }
        false => key.value.clone(),
    };
    for field in [&key.module, &key.name, &value] {
        bytes.extend(field.as_bytes());
        bytes.push(BETWEEN);
    }
    bytes
}

fn place(keys: Keys<'_>, key: &Key) -> Vec<u8> {
    let mut bytes = prefix(keys, key);
    bytes.extend(key.id.as_bytes());
    bytes
}

/// To what a row is sealed: its place, and the decision that wrote it.
fn context(place: &[u8], decision: [u8; 8]) -> Vec<u8> {
    [b"row\0", decision.as_slice(), place].concat()
}

/// Puts rows as a decision writes them.
pub(crate) fn put(
    keys: Keys<'_>,
    writes: &Writes,
    decision: u64,
    batch: &mut Batch,
) -> Result<(), NodeError> {
    let decision = decision.to_be_bytes();
    for (key, value) in writes {
        if [&key.module, &key.name, &key.value, &key.id].iter().any(|field| field.contains('\u{0}'))
        {
            return Err(NodeError::Request("a value has a character that none may have".into()));
        }
        let place = place(keys, key);
        match value {
            None => batch.delete(Table::State, place),
            Some(value) => {
                let mut row = decision.to_vec();
                // What follows from other rows has nothing to hide beyond its place.
                if !(value.is_empty() && key.family.derived()) {
                    row.extend(
                        keys.encryption.storage.seal_row(value, &context(&place, decision))?,
                    );
                }
                batch.put(Table::State, place, row);
            }
        }
    }
    Ok(())
}

/// A row as it is kept, opened.
fn open(keys: Keys<'_>, family: Family, place: &[u8], row: &[u8]) -> Result<Vec<u8>, StateError> {
    let damaged = || StateError::damaged("a row of a module is not what was written there");
    let (decision, sealed) = row.split_first_chunk::<8>().ok_or_else(damaged)?;
    if sealed.is_empty() && family.derived() {
        return Ok(Vec::new());
    }
    keys.encryption.open_row(sealed, &context(place, *decision)).map_err(|_| damaged())
}

fn failed(error: chancery_store::StoreError) -> StateError {
    StateError(Box::new(error))
}

/// What became of reading state, for whoever asked the desk.
pub(crate) fn error_of(error: StateError) -> NodeError {
    match error.0.downcast::<chancery_store::StoreError>() {
        Ok(store) => NodeError::Store(*store),
        Err(other) => NodeError::damaged(other.to_string()),
    }
}

impl State for StoredState<'_> {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StateError> {
        let place = place(self.keys, key);
        let row = self.store.get(Table::State, &place).map_err(failed)?;
        row.map(|row| open(self.keys, key.family, &place, &row)).transpose()
    }

    fn scan(&self, beside: &Key, after: &str, most: usize) -> Result<Vec<Row>, StateError> {
        let prefix = prefix(self.keys, beside);
        let mut from = prefix.clone();
        from.extend(after.as_bytes());
        if !after.is_empty() {
            // The row after which it goes on is no part of it.
            from.push(BETWEEN);
        }
        let page = self.store.scan(Table::State, &from, &prefix, most).map_err(failed)?;
        let mut rows = Vec::new();
        for (place, row) in page {
            let id = place.get(prefix.len()..).and_then(|id| std::str::from_utf8(id).ok());
            let id =
                id.ok_or_else(|| StateError::damaged("a row of a module has a key that none has"))?;
            let value = open(self.keys, beside.family, &place, &row)?;
            rows.push((beside.clone().id(id), value));
        }
        Ok(rows)
    }
}
