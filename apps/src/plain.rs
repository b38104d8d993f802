//! An environment of a few given roots and nothing else: what else a formula speaks of is unknown.

use std::{cell::Cell, collections::BTreeMap};

use crate::{
    calendar::{Calendar, Rule},
    civil::Zone,
    formula::{Environment, MOST_STEPS},
    value::{Value, Why},
};

/// Roots by name.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    roots: BTreeMap<String, Value>,
    calendar: Calendar,
    steps: Cell<u64>,
}

impl Plain {
    pub(crate) fn of<const N: usize>(roots: [(&str, Value); N]) -> Self {
        let roots = roots.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { roots, ..Self::default() }
    }
}

impl Environment for Plain {
    fn root(&self, name: &str) -> Value {
        let missing = || Value::Unknown(Why::Missing(name.to_owned()));
        self.roots.get(name).cloned().unwrap_or_else(missing)
    }

    fn call(&self, name: &str, _: &[Value]) -> Value {
        Value::Unknown(Why::NoRow(name.to_owned()))
    }

    fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    fn rule(&self) -> Rule {
        Rule::Civil
    }

    fn zone(&self) -> Zone {
        Zone::CHINA
    }

    fn step(&self) -> bool {
        self.steps.set(self.steps.get() + 1);
        self.steps.get() <= MOST_STEPS
    }
}
