//! Credentials: what somebody can show, and what becomes of it.

use std::collections::BTreeSet;

use super::{
    check::wanted,
    effect_check::of_state,
    mistake::What,
    module::Module,
    more::Checked,
    reader::{At, Placed, Table},
    roll::{Not, conditions},
};
use crate::formula::{Formula, Scope, Type};

/// What somebody can show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    pub at: At,
    pub name: String,
    /// The form of what it says.
    pub form: String,
    /// Its last day, of one that has a term.
    pub until: Option<Placed>,
    /// What must hold when it is issued, and when it comes to be valid again.
    pub conditions: Vec<Not>,
    /// Whether another may be issued in its place, by which it ends.
    pub replace: bool,
    pub law: String,
}

/// What may become of one.
pub(crate) const STATES: [&str; 3] = ["valid", "suspended", "revoked"];

impl Credential {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let name = table.must("credential")?;
        // A term counts from the day of issue, to the day that corresponds.
        let until = table.period_or_formula("term").and_then(|term| {
            let text = format!("plus(date(lodged), {})", term.formula.text());
            Some(Placed { formula: Formula::parse(&text).ok()?, at: term.at })
        });
        Some(Self {
            at: table.at(),
            form: table.text("form").unwrap_or_else(|| name.clone()),
            until,
            conditions: conditions(table, "condition"),
            replace: table.bool("replace"),
            law: super::case::law(table),
            name,
        })
    }

    pub(super) fn check(&self, checking: &Checked<'_>, texts: &mut BTreeSet<String>) {
        let module = checking.module;
        texts.insert(format!("credential-{}", self.name));
        checking.law(&self.at, &self.name, &self.law);
        let forms = module.forms.keys().map(String::as_str);
        checking.declared(&self.at, "form", &self.form, forms);
        let it = module.forms.get(&self.form).map_or(Type::Any, |form| form.kind());
        let scope = Says { module, it };
        let check = |placed: &Placed, name, kinds: &[Type]| {
            wanted(placed, &scope, checking.mistakes, name, kinds);
            checking.names(placed);
        };
        if let Some(until) = &self.until {
            check(until, "period", &[Type::Date]);
        }
        for one in &self.conditions {
            texts.insert(format!("condition-{}-{}", self.name, one.name));
            checking.law(&one.at, &one.name, &one.law);
            check(&one.that, "bool", &[Type::Bool]);
            if one.that.formula.is_constant() {
                checking.mistakes.add(&one.that.at, What::Constant(one.name.clone()));
            }
        }
    }
}

/// What the formulas of a credential speak of: what it says, and when.
struct Says<'a> {
    module: &'a Module,
    it: Type,
}

impl Scope for Says<'_> {
    fn root(&self, name: &str) -> Option<Type> {
        match name {
            "it" => Some(self.it.clone()),
            "lodged" => Some(Type::Instant),
            "home" => Some(Type::Text),
            _ => None,
        }
    }
    fn roots(&self) -> Vec<String> {
        ["it", "lodged", "home"].map(str::to_owned).into()
    }
    fn call(&self, name: &str, first: Option<&str>) -> Type {
        of_state(self.module, name, first)
    }
}

/// What `credential('NAME', id)` gives.
pub(super) fn kind(module: &Module, name: Option<&str>) -> Type {
    let form = name.and_then(|name| module.more.credentials.get(name));
    let it = form.and_then(|one| module.forms.get(&one.form)).map_or(Type::Any, |form| form.kind());
    Type::map([
        ("id", Type::Text),
        ("to", Type::Text),
        ("status", Type::Text),
        ("valid", Type::Bool),
        ("until", Type::Date),
        ("since", Type::Instant),
        ("reason", Type::Text),
        ("it", it),
    ])
}
