//! Printing what a registry has answered: a record, as far as the question gives it. Whoever has the answer was entitled to ask, and
//! that he looked is in the ledger.

use std::{cell::Cell, collections::BTreeMap};

use chancery_crypto::Language;

use super::{Metrics, NotPrinted, Paper, print};
use crate::{
    calendar::{Calendar, Rule},
    civil::Zone,
    formula::{Environment, MOST_STEPS},
    manifest::Module,
    nearest::nearest,
    value::{Value, Why},
};

/// What a template of a registry speaks of.
struct RecordEnvironment<'a> {
    record: &'a BTreeMap<String, Value>,
    module: &'a Module,
    calendar: Calendar,
    steps: Cell<u64>,
}

impl Environment for RecordEnvironment<'_> {
    fn root(&self, name: &str) -> Value {
        if name == "it" { Value::Map(self.record.clone()) } else { Value::None }
    }

    fn field(&self, root: &str, name: &str) -> Value {
        match root {
            "it" => self.record.get(name).cloned().unwrap_or(Value::None),
            root => self.root(root).field(name),
        }
    }

    fn call(&self, name: &str, _: &[Value]) -> Value {
        Value::Unknown(Why::NoRow(name.to_owned()))
    }

    fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    fn rule(&self) -> Rule {
        self.module.rule
    }

    fn zone(&self) -> Zone {
        self.module.zone
    }

    fn step(&self) -> bool {
        self.steps(1)
    }

    fn steps(&self, count: u64) -> bool {
        let steps = self.steps.get().saturating_add(count);
        self.steps.set(steps);
        steps <= MOST_STEPS
    }
}

impl Module {
    /// A record on paper, as an answer of its registry gives it: what the question has not given is not printed, and a template that
    /// wants it says so.
    ///
    /// # Errors
    /// [`NotPrinted`].
    pub fn paper_of_record(
        &self,
        registry: &str,
        record: &BTreeMap<String, Value>,
        template: &str,
        language: Language,
        metrics: &dyn Metrics,
    ) -> Result<Paper, NotPrinted> {
        let found = self.template(registry, template)?;
        let environment = RecordEnvironment {
            record,
            module: self,
            calendar: Calendar::default(),
            steps: Cell::new(0),
        };
        print(found, &environment, &|_| None, language, metrics)
    }

    /// What can be printed: the template, and the case or registry of which it is.
    pub fn templates(&self) -> impl Iterator<Item = (&str, &str)> {
        self.templates.values().map(|one| (one.name.as_str(), one.of.as_str()))
    }

    /// A template of a case or registry.
    pub(crate) fn template(
        &self,
        of: &str,
        name: &str,
    ) -> Result<&crate::manifest::Template, NotPrinted> {
        self.templates.get(name).filter(|one| one.of == of).ok_or_else(|| {
            let known = self.templates.values().filter(|one| one.of == of);
            let nearest = nearest(name, known.map(|one| one.name.as_str())).map(str::to_owned);
            NotPrinted::Template { name: name.to_owned(), nearest }
        })
    }
}
