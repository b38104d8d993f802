//! Which engine it is.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    Batch, Contents, FolderContents, ObjectSettings, SCHEMA_KEY, Store, StoreError, Table, all,
    check_not_moved, postgres::PostgresStore, rocks::RocksStore, s3::ObjectContents,
};

/// Bytes that are copied in one batch.
const COPIED_AT_ONCE: usize = 4 << 20;

/// An engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Engine {
    /// In files of one machine.
    #[default]
    #[serde(rename = "rocksdb")]
    Embedded,
    /// In a database that several machines reach.
    #[serde(rename = "postgres")]
    Database,
}

/// Where the tables are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// The engine.
    pub engine: Engine,
    /// `postgres://user@host:port/database`; several hosts may be given, and the one that can be written is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A file with the password, for its owner alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Certificates of the authorities that the server's must lead to (PEM): then TLS is used, and the server's name is checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_ca: Option<PathBuf>,
    /// Whether commits need not be replicated synchronously. A failover may then lose what was acknowledged, which is a fork.
    pub unreplicated: bool,
    /// Where large contents are objects, in place of files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<ObjectSettings>,
    /// The folder of large contents, in place of the one beside the tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contents: Option<PathBuf>,
    /// Whether every machine that may write sees that folder.
    pub contents_shared: bool,
}

impl StoreSettings {
    /// Whether the tables are where other machines can take over.
    pub fn is_shared(&self) -> bool {
        self.engine == Engine::Database
    }

    /// Opens the store, in a folder if its engine needs one. One of an older version is opened as it is: the ledger brings it
    /// up. Who has to lead before he may write does not yet: see [`Store::lead`].
    ///
    /// # Errors
    /// [`StoreError::Setting`] when a setting is wrong or missing; as [`open`].
    pub fn open(&self, folder: &Path) -> Result<Arc<dyn Store>, StoreError> {
        let wrong = |what: &str, why: &str| StoreError::Setting {
            what: format!("store.{what}"),
            why: why.to_owned(),
        };
        match self.engine {
            Engine::Embedded if self.url.is_some() => {
                Err(wrong("url", "the embedded engine has none; say engine = \"postgres\""))
            }
            Engine::Embedded => open(folder),
            Engine::Database if self.url.is_none() => Err(wrong("url", "it is missing")),
            // A standby without the contents would lose what was acknowledged.
            Engine::Database if !self.contents_shared && self.objects.is_none() => Err(wrong(
                "contents_shared",
                "large contents are files, and who takes over must have them: name an object store ([store.objects]), or a \
                 folder that every machine sees (contents = \"…\"), and say contents_shared = true",
            )),
            Engine::Database => Ok(Arc::new(PostgresStore::open(self)?)),
        }
    }
}

impl StoreSettings {
    /// Opens where large contents are once they are whole; `beside` is the folder beside the tables, where they arrive.
    ///
    /// # Errors
    /// [`StoreError::Setting`] when a setting is wrong; [`StoreError`].
    pub fn open_contents(&self, beside: &Path) -> Result<Arc<dyn Contents>, StoreError> {
        Ok(match &self.objects {
            Some(_) if self.contents.is_some() => {
                return Err(StoreError::Setting {
                    what: "store.contents".into(),
                    why: "contents are objects already ([store.objects]): name one of the two"
                        .into(),
                });
            }
            Some(objects) => Arc::new(ObjectContents::open(objects)?),
            None => {
                let folder = self.contents.clone().unwrap_or_else(|| beside.to_owned());
                std::fs::create_dir_all(&folder).map_err(StoreError::file(&folder))?;
                Arc::new(FolderContents::at(folder))
            }
        })
    }
}

/// Opens the store in a folder, or makes a new one there, with the engine that keeps its tables in files. One of an older
/// version is opened as it is: the ledger brings it up.
///
/// # Errors
/// [`StoreError::Broken`], also when another process has it open; [`StoreError::Schema`] when it was written by a newer version,
/// which leaves it as it is.
pub fn open(folder: &Path) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(RocksStore::open(folder)?))
}

/// Opens the store in a folder for reading only. Nothing on the disk is changed, so that a copy can be audited as it was found,
/// also on a medium that cannot be written.
///
/// # Errors
/// [`StoreError`], when there is none or it cannot be read.
pub fn open_read_only(folder: &Path) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(RocksStore::open_read_only(folder)?))
}

/// Copies all tables of a store into another, which must have no entries. Gives how many rows were copied.
///
/// # Errors
/// [`StoreError::Setting`] when something is in the other; [`StoreError`].
pub fn copy(
    from: &dyn Store,
    to: &dyn Store,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, StoreError> {
    check_not_moved(from)?;
    let tables = from.snapshot()?;
    for table in Table::ALL {
        let found = to.scan(table, &[], &[], 2)?;
        let other = found.iter().any(|(key, _)| table != Table::Meta || key != SCHEMA_KEY);
        if other {
            let why = format!("there is something in it already (table {})", table.name());
            return Err(StoreError::Setting { what: "the store to copy into".into(), why });
        }
    }
    let mut rows = 0;
    // The newest checkpoint and the schema stand in the first table: it is written last, so that what was not copied whole is
    // no ledger.
    for table in Table::ALL.into_iter().rev() {
        let mut batch = Batch::default();
        for row in all(&*tables, table, &[]) {
            let (key, value) = row?;
            batch.put(table, key, value);
            rows += 1;
            if batch.size() >= COPIED_AT_ONCE {
                to.write(std::mem::take(&mut batch))?;
                progress(rows);
            }
        }
        to.write(batch)?;
        progress(rows);
    }
    Ok(rows)
}
