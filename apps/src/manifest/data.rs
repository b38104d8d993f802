//! What must hold of a module's tables and code lists, and how formulas may ask them.

use chancery_crypto::Digest;

use super::{
    computation_check,
    mistake::What,
    module::Module,
    reader::{At, Mistakes},
};
use crate::{
    civil::Date,
    codes::{Codes, KEYWORD},
    formula::{KindFault, Type},
    nearest::nearest,
    table::{Kind, OVER, Table, bracket_asked},
};

/// The most cells of all tables together.
const MOST_CELLS: usize = 500_000;

/// What reading each of them by itself has not found.
pub(super) fn check(module: &Module, mistakes: &Mistakes) {
    for (form, field, list, text) in module.forms.iter().flat_map(|(name, form)| {
        let lists = form.code_lists();
        lists.flat_map(move |(field, lists)| {
            lists.into_iter().map(move |(list, text)| (name, field, list, text))
        })
    }) {
        let at = At { file: format!("forms/{form}.json"), line: 1 };
        if !text {
            mistakes.add(&at, What::Schema(format!("{field}: {KEYWORD}, \"type\": \"string\"")));
        } else if !module.codes.contains_key(&list) {
            let nearest = nearest(&list, module.codes.keys().map(String::as_str));
            let nearest = nearest.map(str::to_owned);
            mistakes.add(&at, What::Undeclared { kind: "code list", name: list, nearest });
        }
    }
    let mut cells = 0;
    for table in module.tables.values() {
        let versions = table.versions.values().map(|(_, version)| version);
        for law in versions.clone().map(|version| version.law.as_str()).chain([table.law.as_str()])
        {
            cite(module, mistakes, &table.at, law);
        }
        let rows: usize = versions.map(|version| version.rows.len()).sum();
        cells += rows * table.shape.columns.len();
        if cells > MOST_CELLS {
            let what = What::TableSize { table: table.name.clone(), most: MOST_CELLS };
            mistakes.add(&table.at, what);
            return;
        }
    }
}

/// The name of another text than the module's own, of which an article is, where the module does not know it.
pub(crate) fn unknown_law<'l>(module: &Module, law: &'l str) -> Option<&'l str> {
    let (alias, _) = law.split_once(' ')?;
    let named = alias.is_ascii() && alias.starts_with(|c: char| c.is_ascii_alphabetic());
    (named && !module.laws.contains_key(alias)).then_some(alias)
}

pub(super) fn cite(module: &Module, mistakes: &Mistakes, at: &At, law: &str) {
    if let Some(alias) = unknown_law(module, law) {
        let nearest = nearest(alias, module.laws.keys().map(String::as_str)).map(str::to_owned);
        mistakes.add(at, What::Undeclared { kind: "law", name: alias.to_owned(), nearest });
    }
}

/// A table as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedTable {
    /// Its name.
    pub name: String,
    /// How it is asked: value, rows, bracket, grid.
    pub kind: &'static str,
    /// The article, as it is cited.
    pub law: String,
    /// Its columns, in their order: name, kind, and what they count if that is said.
    pub columns: Vec<(String, &'static str, Option<String>)>,
    /// Since when each of the module's own versions is so, its digest, and how many rows it has.
    pub versions: Vec<(Date, Digest, usize)>,
}

impl Module {
    /// Its tables, as its folder has them.
    pub fn tables(&self) -> Vec<DescribedTable> {
        let each = self.tables.values().map(|table| {
            let columns = table.columns.iter().filter_map(|name| {
                let kind = table.shape.columns.get(name)?.name();
                Some((name.clone(), kind, table.units.get(name).cloned()))
            });
            let versions = table.versions.iter();
            DescribedTable {
                name: table.name.clone(),
                kind: table.shape.kind.name(),
                law: self.cite(&table.law),
                columns: columns.collect(),
                versions: versions
                    .map(|(from, (digest, version))| (*from, *digest, version.rows.len()))
                    .collect(),
            }
        });
        each.collect()
    }
}

/// The texts by which people call them.
pub(super) fn texts(module: &Module) -> Vec<String> {
    let mut all: Vec<_> = module.codes.keys().map(|name| format!("codes-{name}")).collect();
    for (name, table) in &module.tables {
        all.push(format!("table-{name}"));
        // What stands in the one column, the table's own name says.
        let columns = table.columns.iter().filter(|_| table.shape.kind != Kind::Value);
        all.extend(columns.map(|column| format!("table-{name}-{column}")));
    }
    all
}

/// The kind of what a formula gets that asks a table or a code list; nothing of another function.
pub(super) fn kind(
    module: &Module,
    function: &str,
    first: Option<&str>,
    given: &[Type],
) -> Result<Option<Type>, KindFault> {
    if function == "calc" {
        return computation_check::kind(module, first, given);
    }
    if !matches!(function, "value" | "row" | "bracket" | "code") {
        return Ok(None);
    }
    let Some(name) = first else { return Err(KindFault::NotWritten(function.to_owned())) };
    let missing = |kind, known: Vec<&String>| {
        let nearest = nearest(name, known.into_iter().map(String::as_str)).map(str::to_owned);
        Err(KindFault::NoData { kind, name: name.to_owned(), nearest })
    };
    if function == "code" {
        if !module.codes.contains_key(name) {
            return missing("code list", module.codes.keys().collect());
        }
        return match given {
            [_, code, on] if code.is(&[Type::Text]) && on.is(&[Type::Date]) => {
                Ok(Some(Codes::kind()))
            }
            _ => Err(KindFault::Takes { what: function.to_owned(), given: given.to_vec() }),
        };
    }
    if module.unread.contains(name) {
        return Ok(Some(Type::Any));
    }
    let Some(table) = module.tables.get(name) else {
        return missing("table", module.tables.keys().collect());
    };
    let wanted = asked(table);
    let fits = |(given, (_, kinds)): (&Type, &(String, Vec<Type>))| given.is(kinds);
    let same = function == table.shape.kind.function() && given.len() == wanted.len() + 1;
    if !same || !given.iter().skip(1).zip(&wanted).all(fits) {
        return Err(KindFault::AskedBy { table: name.to_owned(), by: by(table, &wanted) });
    }
    Ok(Some(match table.shape.kind {
        Kind::Value => {
            table.shape.columns.values().next().map_or(Type::Any, |column| column.kind())
        }
        _ => table.shape.row_kind(),
    }))
}

/// With what a table is asked besides its name.
fn asked(table: &Table) -> Vec<(String, Vec<Type>)> {
    let on = ("on".to_owned(), vec![Type::Date]);
    let over = table.shape.columns.get(OVER).filter(|_| table.shape.kind == Kind::Bracket);
    let x = over.map(|over| ("x".to_owned(), bracket_asked(over).asked()));
    let keys = table
        .shape
        .key
        .iter()
        .filter_map(|key| Some((key.clone(), table.shape.columns.get(key)?.asked())));
    std::iter::once(on).chain(keys).chain(x).collect()
}

/// As formulas write it: `row('additional', on: date, kind: text)`.
fn by(table: &Table, wanted: &[(String, Vec<Type>)]) -> String {
    let each = wanted.iter().map(|(name, kinds)| {
        let kind = kinds.first().map(ToString::to_string).unwrap_or_default();
        format!(", {name}: {kind}")
    });
    format!("{}('{}'{})", table.shape.kind.function(), table.name, each.collect::<String>())
}
