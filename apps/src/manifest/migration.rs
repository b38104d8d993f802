//! A plan by which running things of one version of a module go over to another: a file of `migrations/`, or the part of the
//! document that orders it.

use std::collections::{BTreeMap, BTreeSet};

use chancery_crypto::Digest;

use super::{
    mistake::{Mistake, What},
    module::Module,
    reader::{At, File, Mistakes, Placed, Table, lines},
};
use crate::nearest::nearest;

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Migration {
    pub at: At,
    pub name: String,
    /// The version that it leads away from.
    pub from: Option<Digest>,
    pub law: String,
    pub cases: BTreeMap<String, CaseMap>,
}

/// What becomes of the things of a case. What is not named keeps its name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct CaseMap {
    pub at: At,
    pub states: BTreeMap<String, String>,
    pub acts: BTreeMap<String, String>,
    pub dues: BTreeMap<String, String>,
    /// What things have from now on, worked out of what they had.
    pub fields: BTreeMap<String, Placed>,
    pub params: BTreeMap<String, Placed>,
    /// What is kept of forms from now on, by act.
    pub filed: BTreeMap<String, BTreeMap<String, Placed>>,
}

/// What the formulas of a plan may speak of.
const ROOTS: [&str; 7] = ["it", "filed", "when", "author", "authors", "count", "param"];

impl Migration {
    /// Reads a plan that stands for itself.
    ///
    /// # Errors
    /// All mistakes that there are.
    pub(crate) fn parse(path: &str, text: &str) -> Result<Self, Vec<Mistake>> {
        let mistakes = Mistakes::default();
        let mut found = None;
        let lines = lines(text);
        let file = File { path, text, lines: &lines, mistakes: &mistakes };
        file.read(|table| found = Self::read(&table));
        let mistakes = mistakes.into_vec();
        match found {
            Some(plan) if mistakes.is_empty() => Ok(plan),
            _ => Err(mistakes),
        }
    }

    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let name = table.must("migration");
        let given = table.must("from").unwrap_or_default();
        let from = Digest::from_hex(&given);
        if from.is_none() {
            table.mistake(What::Kind { key: "from".into(), wanted: "digest" });
        }
        let law = super::case::law(table);
        let mut cases = BTreeMap::new();
        for (case, one) in table.tables("case") {
            let plain = |key| one.texts(key).into_iter().collect();
            let formulas = |key| one.named_formulas(key).into_iter().collect();
            let mut map = CaseMap {
                at: one.at(),
                states: plain("state"),
                acts: plain("act"),
                dues: plain("due"),
                fields: formulas("field"),
                params: formulas("param"),
                filed: BTreeMap::new(),
            };
            if let Some(filed) = one.table("filed") {
                for entry in filed.entries() {
                    let Some(act) = filed.inside(&entry) else {
                        let wanted = "{ field = formula }";
                        filed.mistake_at(&entry.at, What::Kind { key: entry.name.clone(), wanted });
                        continue;
                    };
                    map.filed.insert(entry.name.clone(), act.each_formula().into_iter().collect());
                }
            }
            let placed = map.fields.values().chain(map.params.values());
            for placed in placed.chain(map.filed.values().flat_map(BTreeMap::values)) {
                for path in placed.formula.paths() {
                    let Some(root) = path.first() else { continue };
                    if !ROOTS.contains(&root.as_str()) {
                        let text = placed.formula.text().to_owned();
                        one.mistake_at(&placed.at, What::NotHere { text, name: root.clone() });
                    }
                }
                if placed.formula.reads_state() && !placed.formula.calls().is_empty() {
                    let called = placed.formula.calls();
                    let reads = |name: &str| {
                        matches!(
                            name,
                            "find"
                                | "find_on"
                                | "things"
                                | "balance"
                                | "free"
                                | "has_role"
                                | "value"
                                | "row"
                                | "bracket"
                                | "code"
                        )
                    };
                    for (name, _) in called.into_iter().filter(|(name, _)| reads(name)) {
                        let text = placed.formula.text().to_owned();
                        one.mistake_at(&placed.at, What::NotHere { text, name });
                    }
                }
            }
            cases.insert(case, map);
        }
        Some(Self { at: table.at(), name: name?, from, law, cases })
    }

    /// What is wrong with it for whoever goes over to a module; and, where that is known, comes from another.
    pub(crate) fn mistakes(&self, to: &Module, from: Option<&Module>) -> Vec<Mistake> {
        let mistakes = Mistakes::default();
        let names = |set: BTreeSet<&str>| set.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let unknown = |at: &At, kind: &'static str, name: &str, known: &[String]| {
            if known.iter().all(|known| known != name) {
                let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
                mistakes.add(at, What::Undeclared { kind, name: name.to_owned(), nearest });
            }
        };
        for (name, map) in &self.cases {
            let known: Vec<_> = to.cases.keys().cloned().collect();
            unknown(&map.at, "case", name, &known);
            let Some(case) = to.cases.get(name) else { continue };
            let states: Vec<_> = case.states.iter().map(|state| state.name.clone()).collect();
            let acts: Vec<_> = case.acts.iter().map(|act| act.name.clone()).collect();
            let dues: Vec<_> = case.dues.iter().map(|due| due.name.clone()).collect();
            for (kind, all, known) in [
                ("state", &map.states, &states),
                ("act", &map.acts, &acts),
                ("due", &map.dues, &dues),
            ] {
                all.values().for_each(|name| unknown(&map.at, kind, name, known));
            }
            let fields = names(case.fields());
            map.fields.iter().for_each(|(name, p)| unknown(&p.at, "field", name, &fields));
            let params: Vec<_> = to.params.keys().cloned().collect();
            map.params.iter().for_each(|(name, p)| unknown(&p.at, "param", name, &params));
            map.filed.keys().for_each(|name| unknown(&map.at, "act", name, &acts));
            let Some(old) = from.and_then(|from| from.cases.get(name)) else { continue };
            let states: Vec<_> = old.states.iter().map(|state| state.name.clone()).collect();
            let acts: Vec<_> = old.acts.iter().map(|act| act.name.clone()).collect();
            let dues: Vec<_> = old.dues.iter().map(|due| due.name.clone()).collect();
            for (kind, all, known) in [
                ("state", &map.states, &states),
                ("act", &map.acts, &acts),
                ("due", &map.dues, &dues),
            ] {
                all.keys().for_each(|name| unknown(&map.at, kind, name, known));
            }
        }
        mistakes.into_vec()
    }
}
