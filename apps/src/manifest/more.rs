//! Mechanisms with rows of their own that acts of cases write by effects: each has a file of its own here, and one in `mechanism`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    credential::{self, Credential},
    draw::Draw,
    effect_check::Checking,
    mistake::What,
    module::Module,
    reader::{At, Mistakes, Placed, Table},
    roll::{self, Roll},
    sealed::{self, Sealed},
    survey::{self, Survey},
};
use crate::formula::Type;

/// All of them that a module has.
#[derive(Debug, Clone, Default)]
pub(crate) struct More {
    pub rolls: BTreeMap<String, Roll>,
    pub credentials: BTreeMap<String, Credential>,
    pub draws: BTreeMap<String, Draw>,
    pub surveys: BTreeMap<String, Survey>,
    pub sealed: BTreeMap<String, Sealed>,
}

/// The folders in which they stand.
pub(super) const FOLDERS: [&str; 5] = ["rolls", "credentials", "draws", "surveys", "envelopes"];

impl More {
    /// Takes one from its file; its name, if it has one.
    pub(super) fn take(&mut self, folder: &str, table: &Table<'_>) -> Option<String> {
        let name;
        match folder {
            "rolls" => {
                let one = Roll::read(table)?;
                name = one.name.clone();
                self.rolls.insert(name.clone(), one);
            }
            "credentials" => {
                let one = Credential::read(table)?;
                name = one.name.clone();
                self.credentials.insert(name.clone(), one);
            }
            "draws" => {
                let one = Draw::read(table)?;
                name = one.name.clone();
                self.draws.insert(name.clone(), one);
            }
            "surveys" => {
                let one = Survey::read(table)?;
                name = one.name.clone();
                self.surveys.insert(name.clone(), one);
            }
            "envelopes" => {
                let one = Sealed::read(table)?;
                name = one.name.clone();
                self.sealed.insert(name.clone(), one);
            }
            _ => return None,
        }
        Some(name)
    }

    /// Takes those of another.
    pub(super) fn extend(&mut self, other: Self) {
        let Self { rolls, credentials, draws, surveys, sealed } = other;
        self.rolls.extend(rolls);
        self.credentials.extend(credentials);
        self.draws.extend(draws);
        self.surveys.extend(surveys);
        self.sealed.extend(sealed);
    }

    /// Whether there is one of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.rolls.contains_key(name)
            || self.credentials.contains_key(name)
            || self.draws.contains_key(name)
            || self.surveys.contains_key(name)
            || self.sealed.contains_key(name)
    }

    /// The names that the first argument of a function may have; none of a function that is not of these.
    pub(super) fn known(&self, function: &str) -> Option<Vec<&String>> {
        match function {
            "roll" | "member" => Some(self.rolls.keys().collect()),
            "credential" => Some(self.credentials.keys().collect()),
            "drawn" => Some(self.draws.keys().collect()),
            "tally" => Some(self.surveys.keys().collect()),
            "envelopes" | "envelope" => Some(self.sealed.keys().collect()),
            _ => None,
        }
    }
}

/// What a function of these gives.
pub(super) fn kind(module: &Module, name: &str, first: Option<&str>) -> Option<Type> {
    match name {
        "roll" => Some(roll::head()),
        "member" => Some(module.more.rolls.get(first?)?.kind(module)),
        "credential" => Some(credential::kind(module, first)),
        "drawn" => Some(Type::list(Type::Text)),
        "tally" => Some(survey::kind(module, first)),
        "envelopes" => Some(sealed::all()),
        "envelope" => Some(sealed::one()),
        _ => None,
    }
}

/// What they are checked with.
pub(super) struct Checked<'a> {
    pub module: &'a Module,
    pub mistakes: &'a Mistakes,
}

impl Checked<'_> {
    pub(super) fn declared<'n>(
        &self,
        at: &At,
        kind: &'static str,
        name: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) -> bool {
        Checking { module: self.module, mistakes: self.mistakes }.declared(at, kind, name, known)
    }

    pub(super) fn names(&self, placed: &Placed) {
        Checking { module: self.module, mistakes: self.mistakes }.names(placed);
    }

    pub(super) fn law(&self, at: &At, rule: &str, law: &str) {
        if law.is_empty() {
            self.mistakes.add(at, What::NoLaw(rule.to_owned()));
        }
    }
}

/// Each of them for itself.
pub(super) fn check(module: &Module, mistakes: &Mistakes, texts: &mut BTreeSet<String>) {
    let checking = Checked { module, mistakes };
    for roll in module.more.rolls.values() {
        roll.check(&checking, texts);
    }
    for credential in module.more.credentials.values() {
        credential.check(&checking, texts);
    }
    for draw in module.more.draws.values() {
        draw.check(&checking, texts);
    }
    for survey in module.more.surveys.values() {
        survey.check(&checking, texts);
    }
    for sealed in module.more.sealed.values() {
        sealed.check(&checking, texts);
    }
}

/// The rules by which any act may be refused for them: `mechanism/rule`.
pub(super) fn own_rules(module: &Module) -> Vec<String> {
    let credentials = module.more.credentials.values().flat_map(|credential| {
        let each = credential.conditions.iter();
        each.map(|one| format!("{}/{}", credential.name, one.name))
    });
    let surveys =
        module.more.surveys.values().flat_map(|survey| {
            survey.quotas.iter().map(|one| format!("{}/{}", survey.name, one.name))
        });
    credentials.chain(surveys).collect()
}

/// The rules by which an act of a case may be refused for them: `act/…`.
pub(super) fn rules(module: &Module, case: &str) -> Vec<String> {
    let rolls = module.more.rolls.values().filter(|roll| roll.close.0 == case);
    rolls.map(|roll| format!("{}/roll-{}", roll.close.1, roll.name)).collect()
}
