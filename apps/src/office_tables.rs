//! Tables as signed documents: an officer files a version of a module's table from a date on, and whatever is decided from then on
//! goes by it. Nothing that was decided changes.

use std::{collections::BTreeMap, sync::Arc};

use chancery_crypto::{Digest, cbor};
use chancery_protocol::FormValue;
use serde::{Deserialize, Serialize};

use crate::{
    civil::Date,
    input::Input,
    manifest::{Module, unknown_law},
    office::{self, OFFICE},
    office_versions::whole_folder,
    publisher,
    reason::{Reason, Refusal},
    record::Applied,
    state::{Family, Key, Overlay, State, StateError},
    table::{Table, Version},
};

/// The media type of a table, as the part of the document that files it.
pub const TABLE_MEDIA_TYPE: &str = "application/toml";

/// The most bytes of a table's file.
const MOST_BYTES: usize = 1 << 20;

/// The most versions of one table that are filed: which there are stands in one row.
const MOST_FILED: usize = 2_000;

/// A version of a table that was filed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FiledTable {
    /// Since when it is so.
    pub from: Date,
    /// The rank of its publisher: what stands higher holds.
    pub rank: u8,
    /// Its publisher, if it is not the agency itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// When it was lodged, in seconds since 1970 UTC.
    pub known: i64,
    /// By which document.
    pub document: String,
    /// By whom.
    pub by: String,
    /// The digest of its rows.
    pub digest: Digest,
    /// The digest of its columns: a module whose table has others does not see it.
    pub shape: Digest,
}

/// The version of a table that holds for a day.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub from: Date,
    pub digest: Digest,
    pub version: Arc<Version>,
}

/// What is known of a table: its module's own versions, and those that were filed.
#[derive(Debug)]
pub(crate) struct Known {
    filed: Vec<FiledTable>,
    /// Since when the module's own are known.
    own: i64,
    /// What was read of those that were filed.
    read: BTreeMap<Digest, Arc<Version>>,
}

fn listed(module: &str, table: &str) -> Key {
    Key::new(Family::Table, module).name(table).value("filed")
}

fn rows(module: &str, table: &str, digest: &Digest) -> Key {
    Key::new(Family::Table, module).name(table).value("rows").id(&digest.to_string())
}

fn since(module: &str, digest: &Digest) -> Key {
    Key::new(Family::Table, module).value("installed").id(&digest.to_string())
}

/// The versions of a table that were filed, in the order in which they were.
///
/// # Errors
/// [`StateError`].
pub fn filed_tables(
    state: &dyn State,
    module: &str,
    table: &str,
) -> Result<Vec<FiledTable>, StateError> {
    match state.get(&listed(module, table))? {
        None => Ok(Vec::new()),
        Some(bytes) => cbor::decode_within(&bytes, bytes.len()).map_err(StateError::damaged),
    }
}

/// Notes when a module's own tables became known: they are chosen among those that are filed.
pub(crate) fn installed(overlay: &mut Overlay<'_>, module: &Module, lodged: i64) {
    if !module.tables.is_empty() {
        let known = cbor::encode(&lodged).expect("a number");
        overlay.put(since(module.name(), &module.digest()), known);
    }
}

/// What a module's own tables say otherwise than what was filed for the same day at the same rank.
pub(crate) fn twice(state: &dyn State, module: &Module) -> Result<Option<Refusal>, StateError> {
    for table in module.tables.values() {
        let filed = filed_tables(state, module.name(), &table.name)?;
        let other = filed.iter().find(|one| {
            let own = table.versions.get(&one.from);
            one.rank == 0 && own.is_some_and(|(digest, _)| *digest != one.digest)
        });
        if let Some(FiledTable { from, rank, .. }) = other {
            let (what, from) = (table.name.clone(), from.to_string());
            return Ok(Some(Refusal::FiledTwice { what, from, rank: *rank }));
        }
    }
    Ok(None)
}

impl Known {
    /// What state knows of a table of a module.
    pub(crate) fn read(
        state: &dyn State,
        module: &Module,
        table: &Table,
    ) -> Result<Self, StateError> {
        let shape = table.shape.digest();
        let mut filed = filed_tables(state, module.name(), &table.name)?;
        filed.retain(|one| one.shape == shape);
        let own = match filed.is_empty() {
            true => None,
            false => state.get(&since(module.name(), &module.digest()))?,
        };
        let own = match own {
            Some(bytes) => cbor::decode(&bytes).map_err(StateError::damaged)?,
            None => i64::MIN,
        };
        Ok(Self { filed, own, read: BTreeMap::new() })
    }

    /// The version that holds for a day: of those that are in force then and known now, that of the highest rank, of these the
    /// one that came into force last, of these the one that became known last. A module's own are of rank 0.
    pub(crate) fn choose(
        &mut self,
        state: &dyn State,
        module: &Module,
        table: &Table,
        on: Date,
    ) -> Result<Option<Chosen>, StateError> {
        let filed = self.filed.iter().filter(|one| one.from <= on);
        // Of two that became known in one second, the one that was decided later.
        // Where the table lets those who stand lower have their own, what came into force last goes first.
        let order = |rank: u8, from: Date, known: i64| match table.lower {
            true => (0, from, rank, known),
            false => (rank, from, 0, known),
        };
        let best = filed.max_by_key(|one| order(one.rank, one.from, one.known));
        let own = table.versions.range(..=on).next_back();
        let best = best.filter(|best| {
            own.is_none_or(|(from, _)| {
                order(best.rank, best.from, best.known) >= order(0, *from, self.own)
            })
        });
        let Some(FiledTable { from, digest, .. }) = best else {
            return Ok(own.map(|(from, (digest, version))| Chosen {
                from: *from,
                digest: *digest,
                version: version.clone(),
            }));
        };
        let version = match self.read.get(digest) {
            Some(version) => version.clone(),
            None => {
                let bytes = state.get(&rows(module.name(), &table.name, digest))?;
                let gone = || StateError::damaged("a table that was filed is gone");
                let bytes = bytes.ok_or_else(gone)?;
                let version: Version =
                    cbor::decode_within(&bytes, bytes.len()).map_err(StateError::damaged)?;
                let version = Arc::new(version);
                self.read.insert(*digest, version.clone());
                version
            }
        };
        Ok(Some(Chosen { from: *from, digest: *digest, version }))
    }
}

/// Decides that a table is filed. Whoever may is asked before.
pub(crate) fn file(
    overlay: &mut Overlay<'_>,
    input: &Input,
) -> Result<Result<Applied, Vec<Reason>>, StateError> {
    let refused = |why| {
        let rule = format!("{OFFICE}/table");
        Ok(Err(vec![Reason { rule, law: None, why }]))
    };
    let field = |name: &str| refused(Refusal::Field { field: name.to_owned() });
    let form = input.document.form();
    let text = |name: &str| match form.get(name) {
        Some(FormValue::Text(text)) if !text.is_empty() && text.len() <= 200 => Some(text.as_str()),
        _ => None,
    };
    let Some(of) = text("of") else { return field("of") };
    let Some(name) = text("table") else { return field("table") };
    let Some(digest) = text("digest") else { return field("digest") };
    let publisher = match publisher::of(overlay, input, of, None)? {
        Ok(publisher) => publisher,
        Err(why) => return refused(why),
    };
    let rank = publisher.rank;
    let bytes = match (&input.document.part, input.document.header.parts.as_slice()) {
        (Some(bytes), [part])
            if part.media_type == TABLE_MEDIA_TYPE
                && bytes.len() <= MOST_BYTES
                && Digest::of(bytes) == part.digest
                && part.digest.to_string() == digest =>
        {
            bytes
        }
        _ => return refused(Refusal::OtherTable { table: name.to_owned() }),
    };
    let Some(installed) = office::installed(overlay, of)? else {
        return refused(Refusal::NoModule);
    };
    let module = read(overlay, &installed.digest)?;
    let Some(own) = module.tables.get(name) else { return field("table") };
    let read =
        std::str::from_utf8(bytes).ok().map(|text| Table::read(&format!("{name}.toml"), text));
    let table = match read {
        Some(Ok(table)) => table,
        Some(Err(mistakes)) => {
            let first = mistakes.first().map(|mistake| {
                format!("{}:{} {}", mistake.at.file, mistake.at.line, mistake.what.code())
            });
            let (mistakes, first) = (mistakes.len(), first.unwrap_or_default());
            return refused(Refusal::Folder { mistakes, first });
        }
        None => return refused(Refusal::OtherTable { table: name.to_owned() }),
    };
    if table.name != own.name || table.shape != own.shape {
        return refused(Refusal::OtherTable { table: name.to_owned() });
    }
    let mut laws = table.versions.values().map(|(_, version)| version.law.as_str());
    if laws.any(|law| unknown_law(&module, law).is_some()) {
        return field("law");
    }
    let mut filed = filed_tables(overlay, of, name)?;
    if filed.len() + table.versions.len() > MOST_FILED {
        return field("table");
    }
    // Of one date and rank there is one, or nobody knows which.
    let same = |from: &Date| {
        let before = filed.iter().any(|one| (one.from, one.rank) == (*from, rank));
        before || (rank == 0 && own.versions.contains_key(from))
    };
    if let Some(from) = table.versions.keys().find(|from| same(from)) {
        let (what, from) = (name.to_owned(), from.to_string());
        return refused(Refusal::FiledTwice { what, from, rank });
    }
    let named = Some(publisher.name).filter(|name| !name.is_empty());
    let (shape, document) = (table.shape.digest(), input.document.id.to_string());
    let by = input.document.signer().name;
    for (from, (digest, version)) in &table.versions {
        let (from, digest, known) = (*from, *digest, input.lodged.0);
        let (document, by) = (document.clone(), by.clone());
        let publisher = named.clone();
        filed.push(FiledTable { from, rank, publisher, known, document, by, digest, shape });
        overlay.put(rows(of, name, &digest), version.encode());
    }
    overlay.put(listed(of, name), cbor::encode(&filed).expect("plain"));
    // As it came, so that whoever decides again has what was read.
    overlay.put(office::folder(&Digest::of(bytes)), bytes.clone());
    Ok(Ok(Applied {
        case: "table".to_owned(),
        thing: format!("{of}/{name}"),
        sequence: u64::try_from(filed.len()).unwrap_or(u64::MAX),
        state: "in-force".to_owned(),
        ..Applied::default()
    }))
}

fn read(state: &dyn State, digest: &Digest) -> Result<Module, StateError> {
    let missing = || StateError::damaged(format!("the module {digest} is missing"));
    let folder = whole_folder(state, digest)?.ok_or_else(missing)?;
    Module::read(&folder).map_err(|_| StateError::damaged(format!("the module {digest}")))
}
