//! Draws: members of a roll that are chosen by nobody.

use std::collections::BTreeSet;

use super::{
    case::{Act, Case},
    check::wanted,
    effect::Verb,
    effect_check::{fields_of, of_state},
    mistake::What,
    module::Module,
    more::Checked,
    more_verb::MoreVerb,
    reader::{At, Placed, Table},
};
use crate::formula::{Scope, Type};

/// A draw from a roll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draw {
    pub at: At,
    pub name: String,
    /// The roll, of the same thing.
    pub from: String,
    /// How many are drawn, and how many stand by; of each stratum, where there are such.
    pub n: Placed,
    pub spare: Option<Placed>,
    /// The field by which the roll is parted.
    pub strata: Option<String>,
    /// Who must have committed to a value before the list was frozen.
    pub contributors: Placed,
    /// How many witnesses must have signed the checkpoint that comes into the seed; none, where it takes no checkpoint.
    pub witnesses: u32,
    pub law: String,
}

/// The most witnesses that can be asked for.
const MOST_WITNESSES: u32 = 20;

impl Draw {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let name = table.must("draw")?;
        let from = table.must("from").unwrap_or_default();
        let from = match from.strip_prefix("roll.") {
            Some(roll) => roll.to_owned(),
            None => {
                if !from.is_empty() {
                    table.mistake(What::Kind { key: "from".into(), wanted: "roll.NAME" });
                }
                String::new()
            }
        };
        for key in ["n", "contributors"] {
            if !table.has(key) {
                table.mistake(What::MissingKey { key: key.into() });
            }
        }
        let witnesses = if table.has("witnesses") { table.count("witnesses")? } else { 0 };
        if witnesses > MOST_WITNESSES {
            table.mistake(What::Kind { key: "witnesses".into(), wanted: "1 … 20" });
        }
        let (n, contributors) = (table.formula("n"), table.formula("contributors"));
        Some(Self {
            at: table.at(),
            from,
            spare: table.formula("spare"),
            strata: table.text("strata"),
            witnesses,
            law: super::case::law(table),
            n: n?,
            contributors: contributors?,
            name,
        })
    }

    pub(super) fn check(&self, checking: &Checked<'_>, texts: &mut BTreeSet<String>) {
        let module = checking.module;
        texts.insert(format!("draw-{}", self.name));
        checking.law(&self.at, &self.name, &self.law);
        let rolls = module.more.rolls.keys().map(String::as_str);
        let known = !self.from.is_empty() && checking.declared(&self.at, "roll", &self.from, rolls);
        let roll = module.more.rolls.get(&self.from).filter(|_| known);
        if let (Some(roll), Some(strata)) = (roll, &self.strata) {
            let fields = roll.fields.iter().map(String::as_str);
            checking.declared(&self.at, "field", strata, fields);
        }
        let case = roll.and_then(|roll| module.cases.get(&roll.close.0));
        let own = case.map_or(Type::Any, fields_of);
        let scope = DrawScope { module, own, strata: self.strata.is_some() };
        let check = |placed: &Placed, name, kinds: &[Type]| {
            wanted(placed, &scope, checking.mistakes, name, kinds);
            checking.names(placed);
        };
        for placed in [Some(&self.n), self.spare.as_ref()].into_iter().flatten() {
            check(placed, "int", &[Type::Int]);
        }
        check(&self.contributors, "name, list of names", &[Type::Text, Type::list(Type::Text)]);
        if let Some(case) = case {
            self.apart(checking, case);
        }
    }

    /// The list and what the seed is made of come by different entries: who freezes the one may not bring the other with it.
    fn apart(&self, checking: &Checked<'_>, case: &Case) {
        let Some(roll) = checking.module.more.rolls.get(&self.from) else { return };
        let Some(act) = case.act(&roll.close.1) else { return };
        let of = |act: &Act| {
            let effects = act.effects.iter().filter_map(|effect| match &effect.verb {
                Verb::More(MoreVerb::Commit { draw, .. } | MoreVerb::Reveal { draw, .. })
                | Verb::More(MoreVerb::Draw { draw })
                    if *draw == self.name =>
                {
                    Some(effect.at.clone())
                }
                _ => None,
            });
            effects.collect::<Vec<_>>()
        };
        for at in of(act) {
            checking.mistakes.add(&at, What::OneEntry { draw: self.name.clone() });
        }
    }
}

/// What the formulas of a draw speak of: the thing for which it is held, and the stratum.
struct DrawScope<'a> {
    module: &'a Module,
    own: Type,
    strata: bool,
}

impl Scope for DrawScope<'_> {
    fn root(&self, name: &str) -> Option<Type> {
        match name {
            "own" => Some(self.own.clone()),
            "stratum" if self.strata => Some(Type::Text),
            "lodged" => Some(Type::Instant),
            "home" => Some(Type::Text),
            _ => None,
        }
    }
    fn roots(&self) -> Vec<String> {
        ["own", "stratum", "lodged", "home"].map(str::to_owned).into()
    }
    fn call(&self, name: &str, first: Option<&str>) -> Type {
        of_state(self.module, name, first)
    }
}
