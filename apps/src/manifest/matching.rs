//! A matching: children of a thing on two sides, what must hold of a pair, how it scores, and what no formula may read.

use super::{
    case::law,
    mistake::What,
    reader::{At, Placed, Table},
};

/// A matching, as a file of `matchings/` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Matching {
    pub at: At,
    pub name: String,
    pub law: String,
    /// The case of those who are to be placed, and of what they are placed in.
    pub left: String,
    pub right: String,
    /// By what each is called.
    pub left_name: Placed,
    pub right_name: Placed,
    pub musts: Vec<Rule>,
    pub scores: Vec<Rule>,
    /// What those of the left want, in their order, by the names of the right; else what scores most.
    pub prefer: Option<Placed>,
    /// What decides between those that score the same: the lower goes first.
    pub tie: Placed,
    /// How many of the left one of the right takes: one, where nothing is said.
    pub capacity: Option<Placed>,
    /// How often one pool is matched: each time those who are left, with what is free.
    pub rounds: u32,
    /// What no formula may read, however far away.
    pub forbid: Vec<String>,
}

/// A condition or a score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub at: At,
    pub name: String,
    pub is: Placed,
    pub law: String,
}

impl Matching {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let name = table.must("matching")?;
        let must = |table: &Table<'_>, key: &'static str| {
            if !table.has(key) {
                table.mistake(What::MissingKey { key: key.into() });
            }
            table.formula(key)
        };
        let rules = |key: &'static str, is: &'static str| {
            let each = table.tables(key).into_iter().filter_map(|(name, table)| {
                let (at, law) = (table.at(), law(&table));
                Some(Rule { at, name, is: must(&table, is)?, law })
            });
            each.collect::<Vec<_>>()
        };
        let (musts, scores) = (rules("must", "that"), rules("score", "is"));
        let prefer = table.formula("prefer");
        if scores.is_empty() && prefer.is_none() {
            table.mistake(What::MissingKey { key: "score".into() });
        }
        let names = table.table("known_by");
        if names.is_none() && !table.has("known_by") {
            table.mistake(What::MissingKey { key: "known_by".into() });
        }
        let names = names.map(|names| (must(&names, "left"), must(&names, "right")));
        let (left, right, tie) = (table.must("left"), table.must("right"), must(table, "tie"));
        let (law, capacity) = (law(table), table.formula("capacity"));
        let (rounds, forbid) = (table.count("rounds").unwrap_or(1), table.names("forbid"));
        let (left_name, right_name) = names?;
        Some(Self {
            at: table.at(),
            name,
            law,
            left: left?,
            right: right?,
            left_name: left_name?,
            right_name: right_name?,
            musts,
            scores,
            prefer,
            tie: tie?,
            capacity,
            rounds,
            forbid,
        })
    }

    pub(crate) fn formulas(&self) -> impl Iterator<Item = &Placed> {
        let rules = self.musts.iter().chain(&self.scores).map(|rule| &rule.is);
        let own = [&self.left_name, &self.right_name, &self.tie].into_iter();
        rules.chain(own).chain(&self.prefer).chain(&self.capacity)
    }
}
