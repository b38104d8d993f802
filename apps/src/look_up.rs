//! Looking up data by date in formulas, and noting what was looked up: a record says by which tables it was decided.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use chancery_crypto::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    civil::Date,
    codes::Codes,
    environment::CaseEnvironment,
    formula::Environment as _,
    office_codes,
    office_tables::{Chosen, Known},
    state::{State, StateError},
    table::{self, Found},
    value::{Value, Why},
};

/// A version of a table by which something was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consulted {
    /// The table.
    pub table: String,
    /// Since when it is so.
    pub from: Date,
    /// The digest of its rows.
    pub digest: Digest,
}

/// A look at a table: which version, and which row was hit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Looked {
    /// The table.
    pub table: String,
    /// Since when it is so.
    pub from: Date,
    /// The row, counted from 1; none of a table that is one value, or where no row was hit.
    pub row: Option<u64>,
    /// The article, as its module cites it.
    pub law: String,
}

/// Code lists by name and the day on which they hold.
type Lists = BTreeMap<(String, Date), Option<Arc<Codes>>>;

/// What was looked up in a decision.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    looked: RefCell<BTreeSet<Looked>>,
    /// Tables do not change while something is decided.
    known: RefCell<BTreeMap<String, Known>>,
    chosen: RefCell<BTreeMap<(String, Date), Digest>>,
    codes: RefCell<Lists>,
}

impl Looks {
    /// The versions that were looked at.
    pub(crate) fn consulted(&self) -> Vec<Consulted> {
        let chosen = self.chosen.borrow();
        let each = chosen.iter().map(|((table, from), digest)| Consulted {
            table: table.clone(),
            from: *from,
            digest: *digest,
        });
        each.collect()
    }

    /// The code list that was filed and holds on a day.
    fn codes(
        &self,
        state: &dyn State,
        module: &str,
        list: &str,
        on: Date,
    ) -> Result<Option<Arc<Codes>>, StateError> {
        if let Some(known) = self.codes.borrow().get(&(list.to_owned(), on)) {
            return Ok(known.clone());
        }
        let found = office_codes::chosen(state, module, list, on)?;
        if let Some((from, digest, _)) = &found {
            self.chosen.borrow_mut().insert((format!("codes/{list}"), *from), *digest);
        }
        let found = found.map(|(_, _, codes)| codes);
        self.codes.borrow_mut().insert((list.to_owned(), on), found.clone());
        Ok(found)
    }

    /// What was looked at since this was asked last.
    pub(crate) fn take(&self) -> Vec<Looked> {
        std::mem::take(&mut *self.looked.borrow_mut()).into_iter().collect()
    }

    fn chosen(
        &self,
        environment: &CaseEnvironment<'_>,
        table: &table::Table,
        on: Date,
    ) -> Result<Option<Chosen>, StateError> {
        let (state, module) = (environment.state, environment.module);
        let mut all = self.known.borrow_mut();
        let known = match all.entry(table.name.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Known::read(state, module, table)?),
        };
        let chosen = known.choose(state, module, table, on)?;
        if let Some(Chosen { from, digest, .. }) = &chosen {
            self.chosen.borrow_mut().insert((table.name.clone(), *from), *digest);
        }
        Ok(chosen)
    }
}

/// Rows that are gone through in one step of the budget.
const ROWS_A_STEP: usize = 10;

impl CaseEnvironment<'_> {
    /// Asks a table or a code list. Nothing if the function is another.
    pub(crate) fn look_up(
        &self,
        function: &str,
        arguments: &[Value],
    ) -> Result<Option<Value>, StateError> {
        match (function, arguments) {
            ("code", [Value::Text(list), Value::Text(code), Value::Date(on)]) => {
                let missing = || Value::Unknown(Why::NoRow(format!("{list}({code})")));
                let Some(own) = self.module.codes.get(list) else { return Ok(Some(missing())) };
                let filed = self.looks.codes(self.state, self.module.name(), list, *on)?;
                Ok(Some(filed.as_deref().unwrap_or(own).value(code, *on)))
            }
            ("value" | "row" | "bracket", [Value::Text(name), Value::Date(on), asked @ ..]) => {
                let missing = || Ok(Some(Value::Unknown(Why::NoRow(format!("{name}({on})")))));
                let Some(table) = self.module.tables.get(name) else { return missing() };
                // It is not in force yet on that day.
                let Some(chosen) = self.looks.chosen(self, table, *on)? else { return missing() };
                for _ in 0..=chosen.version.rows.len() / ROWS_A_STEP {
                    if !self.step() {
                        return Ok(Some(Value::Unknown(Why::Cost)));
                    }
                }
                let Found { value, row } = table::ask(name, &table.shape, &chosen.version, asked);
                self.looks.looked.borrow_mut().insert(Looked {
                    table: name.clone(),
                    from: chosen.from,
                    row,
                    law: self.module.cite(&chosen.version.law),
                });
                Ok(Some(value))
            }
            ("value" | "row" | "bracket" | "code", _) => {
                let kinds: Vec<_> = arguments.iter().map(Value::kind).collect();
                let what = format!("{function}({})", kinds.join(", "));
                Ok(Some(Value::Unknown(Why::Kinds(what))))
            }
            _ => Ok(None),
        }
    }
}
