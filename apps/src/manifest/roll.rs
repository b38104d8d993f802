//! Rolls: who or what fulfils a condition at a moment, frozen by one decision.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    check::wanted,
    effect_check::{fields_of, of_state},
    mechanism::Registry,
    mistake::What,
    module::Module,
    more::Checked,
    reader::{At, Placed, Table},
};
use crate::formula::{Scope, Type};

/// A list that an act freezes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Roll {
    pub at: At,
    pub name: String,
    /// The registry or the case whose records or things may stand on it.
    pub from: String,
    /// By what a member is known; by the record's key or the thing's id, where nothing is said.
    pub key: Option<Placed>,
    /// Which of them do; all, where nothing is said.
    pub which: Option<Placed>,
    /// Who is left out all the same, and by which article.
    pub nots: Vec<Not>,
    /// What is kept of each.
    pub fields: Vec<String>,
    /// The act that freezes it, for its own thing.
    pub close: (String, String),
    pub law: String,
}

/// A reason for which somebody is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Not {
    pub at: At,
    pub name: String,
    pub that: Placed,
    pub law: String,
}

/// The conditions of a table of tables, each with its article.
pub(super) fn conditions(table: &Table<'_>, key: &'static str) -> Vec<Not> {
    let each = table.tables(key).into_iter().filter_map(|(name, table)| {
        if !table.has("that") {
            table.mistake(What::MissingKey { key: "that".into() });
        }
        let law = super::case::law(&table);
        Some(Not { at: table.at(), name, that: table.formula("that")?, law })
    });
    each.collect()
}

impl Roll {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let name = table.must("roll")?;
        let from = table.must("from").unwrap_or_default();
        let close = table.must("close").unwrap_or_default();
        let close = match close.split_once('/') {
            Some((case, act)) => (case.to_owned(), act.to_owned()),
            None => {
                if !close.is_empty() {
                    table.mistake(What::Kind { key: "close".into(), wanted: "case/act" });
                }
                (String::new(), String::new())
            }
        };
        Some(Self {
            at: table.at(),
            from,
            key: table.formula("key"),
            which: table.formula("where"),
            nots: conditions(table, "not"),
            fields: table.names("fields"),
            close,
            law: super::case::law(table),
            name,
        })
    }

    /// What formulas see of a member.
    pub(super) fn kind(&self, module: &Module) -> Type {
        let known = candidate(module, &self.from);
        let of = |name: &String| match &known {
            Type::Map(known) => known.get(name).cloned().unwrap_or(Type::Any),
            _ => Type::Any,
        };
        let fields = self.fields.iter().map(|name| (name.clone(), of(name)));
        Type::map(fields.chain([("key".to_owned(), Type::Text)]))
    }

    pub(super) fn check(&self, checking: &Checked<'_>, texts: &mut BTreeSet<String>) {
        let module = checking.module;
        texts.insert(format!("roll-{}", self.name));
        checking.law(&self.at, &self.name, &self.law);
        let sources = module.registries.keys().chain(module.cases.keys());
        checking.declared(&self.at, "registry or case", &self.from, sources.map(String::as_str));
        let (case, act) = (&self.close.0, &self.close.1);
        let cases = module.cases.keys().map(String::as_str);
        if !case.is_empty() && checking.declared(&self.at, "case", case, cases) {
            let acts = module.cases.get(case).map(|case| case.acts.as_slice()).unwrap_or_default();
            let acts = acts.iter().map(|act| act.name.as_str());
            checking.declared(&self.at, "act", act, acts);
        }
        let it = candidate(module, &self.from);
        if let Type::Map(known) = &it {
            for field in &self.fields {
                let known = known.keys().map(String::as_str);
                checking.declared(&self.at, "field", field, known);
            }
        }
        let own = module.cases.get(case).map_or(Type::Any, fields_of);
        let scope = RollScope { module, it, own };
        let check = |placed: &Placed, name, kinds: &[Type]| {
            wanted(placed, &scope, checking.mistakes, name, kinds);
            checking.names(placed);
        };
        if let Some(key) = &self.key {
            check(key, "text", &[Type::Text]);
        }
        if let Some(which) = &self.which {
            check(which, "bool", &[Type::Bool]);
            if which.formula.is_constant() {
                checking.mistakes.add(&which.at, What::Constant("where".into()));
            }
        }
        for not in &self.nots {
            texts.insert(format!("not-{}-{}", self.name, not.name));
            checking.law(&not.at, &not.name, &not.law);
            check(&not.that, "bool", &[Type::Bool]);
        }
    }
}

/// What formulas see of a record or a thing.
fn candidate(module: &Module, from: &str) -> Type {
    let record = |registry: &Registry| module.forms.get(&registry.form).map(|form| form.kind());
    let record = module.registries.get(from).and_then(record);
    record.or_else(|| module.cases.get(from).map(fields_of)).unwrap_or(Type::Any)
}

/// What the formulas of a roll speak of: a record or thing that may stand on it, and the thing for which it is made.
struct RollScope<'a> {
    module: &'a Module,
    it: Type,
    own: Type,
}

impl Scope for RollScope<'_> {
    fn root(&self, name: &str) -> Option<Type> {
        match name {
            "it" => Some(self.it.clone()),
            "own" => Some(self.own.clone()),
            "lodged" => Some(Type::Instant),
            "home" => Some(Type::Text),
            _ => None,
        }
    }
    fn roots(&self) -> Vec<String> {
        ["it", "own", "lodged", "home"].map(str::to_owned).into()
    }
    fn call(&self, name: &str, first: Option<&str>) -> Type {
        of_state(self.module, name, first)
    }
}

/// What `roll('NAME')` gives.
pub(super) fn head() -> Type {
    Type::Map(BTreeMap::from(
        [
            ("count", Type::Int),
            ("excluded", Type::Int),
            ("digest", Type::Text),
            ("at", Type::Instant),
            ("left", Type::Int),
            ("refused", Type::Int),
        ]
        .map(|(name, kind)| (name.to_owned(), kind)),
    ))
}
