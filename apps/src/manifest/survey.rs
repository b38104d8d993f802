//! Surveys: questions to those who are on a closed list, each answered once by a token, and counted.

use std::collections::BTreeSet;

use super::{
    check::wanted,
    effect_check::of_state,
    form::Form,
    mistake::What,
    module::Module,
    more::Checked,
    reader::{At, Placed, Table},
};
use crate::formula::{Scope, Type};

/// Questions to those who are on a closed list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Survey {
    pub at: At,
    pub name: String,
    /// The form of the answers.
    pub form: String,
    /// The roll of those who are asked, of the same thing: its keys are digests of tokens.
    pub invited: String,
    /// How many answers a number must stand for to be shown.
    pub least: u32,
    pub quotas: Vec<Quota>,
    pub law: String,
}

/// How many answers of a kind are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quota {
    pub at: At,
    pub name: String,
    pub that: Placed,
    pub most: u32,
    pub law: String,
}

impl Survey {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let name = table.must("survey")?;
        let invited = table.must("invited").unwrap_or_default();
        let invited = match invited.strip_prefix("roll.") {
            Some(roll) => roll.to_owned(),
            None => {
                if !invited.is_empty() {
                    table.mistake(What::Kind { key: "invited".into(), wanted: "roll.NAME" });
                }
                String::new()
            }
        };
        // Another way of proving that one is asked is another key here, some time.
        if let Some(word) = table.must("token").filter(|word| word != "list") {
            table.mistake(What::Word { key: "token", word, known: vec!["list".into()] });
        }
        if !table.has("least") {
            table.mistake(What::MissingKey { key: "least".into() });
        }
        let quotas = table.tables("quota").into_iter().filter_map(|(name, table)| {
            for key in ["that", "most"] {
                if !table.has(key) {
                    table.mistake(What::MissingKey { key: key.into() });
                }
            }
            let (at, law) = (table.at(), super::case::law(&table));
            let (that, most) = (table.formula("that"), table.count("most"));
            Some(Quota { at, name, that: that?, most: most?, law })
        });
        let quotas = quotas.collect();
        Some(Self {
            at: table.at(),
            form: table.text("form").unwrap_or_else(|| name.clone()),
            invited,
            least: table.count("least").unwrap_or(1),
            quotas,
            law: super::case::law(table),
            name,
        })
    }

    pub(super) fn check(&self, checking: &Checked<'_>, texts: &mut BTreeSet<String>) {
        let module = checking.module;
        texts.insert(format!("survey-{}", self.name));
        checking.law(&self.at, &self.name, &self.law);
        if !self.invited.is_empty() {
            let rolls = module.more.rolls.keys().map(String::as_str);
            checking.declared(&self.at, "roll", &self.invited, rolls);
        }
        let forms = module.forms.keys().map(String::as_str);
        checking.declared(&self.at, "form", &self.form, forms);
        let form = module.forms.get(&self.form);
        if form.is_some_and(|form| tallied(form).next().is_none()) {
            checking.mistakes.add(&self.at, What::NothingToCount(self.form.clone()));
        }
        let doc = form.map_or(Type::Any, Form::kind);
        let scope = Answers { module, doc };
        for quota in &self.quotas {
            texts.insert(format!("quota-{}-{}", self.name, quota.name));
            checking.law(&quota.at, &quota.name, &quota.law);
            wanted(&quota.that, &scope, checking.mistakes, "bool", &[Type::Bool]);
            checking.names(&quota.that);
        }
    }
}

/// The fields that are counted: those of few values that the form names. Free text is in no table.
pub(crate) fn tallied(form: &Form) -> impl Iterator<Item = &str> {
    let counted = |name: &&str| {
        let of = form.fields.iter().find(|field| field.name == **name);
        of.is_some_and(|field| field.kind == Type::Bool) || form.is_closed(name)
    };
    form.fields.iter().map(|field| field.name.as_str()).filter(counted)
}

/// What the formulas of a survey speak of: the answers.
struct Answers<'a> {
    module: &'a Module,
    doc: Type,
}

impl Scope for Answers<'_> {
    fn root(&self, name: &str) -> Option<Type> {
        match name {
            "doc" => Some(self.doc.clone()),
            "lodged" => Some(Type::Instant),
            _ => None,
        }
    }
    fn roots(&self) -> Vec<String> {
        ["doc", "lodged"].map(str::to_owned).into()
    }
    fn call(&self, name: &str, first: Option<&str>) -> Type {
        of_state(self.module, name, first)
    }
}

/// What `tally('NAME')` gives: of each field how often each value was given, as far as that is shown.
pub(super) fn kind(module: &Module, name: Option<&str>) -> Type {
    let survey = name.and_then(|name| module.more.surveys.get(name));
    let form = survey.and_then(|survey| module.forms.get(&survey.form));
    let fields = form.into_iter().flat_map(tallied).map(|name| (name.to_owned(), Type::Any));
    Type::map(fields.chain([("answers".to_owned(), Type::Int), ("hidden".to_owned(), Type::Int)]))
}
