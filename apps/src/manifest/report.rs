//! A report: a declared query over what a module keeps, whose figures are stated as of a day and restated when that was corrected.

use super::{
    case::law,
    fault::MechanismFault as Fault,
    mistake::What,
    reader::{At, Placed, Table},
};

/// A report, as a file of `reports/` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub at: At,
    pub name: String,
    pub law: String,
    /// The case or registry whose things or records it counts.
    pub of: String,
    pub which: Option<Placed>,
    pub groups: Vec<(String, Placed)>,
    pub measures: Vec<Measure>,
    /// Below how many a figure would show single ones.
    pub least: Option<u32>,
    /// Whether it counts everything and anybody may read it; else it counts what whoever makes it may read.
    pub public: bool,
    /// The fields that whoever may read a thing is shown of it, from a figure on.
    pub drill: Vec<String>,
    /// The duty that it meets: `case/due`.
    pub due: Option<String>,
}

/// A figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Measure {
    pub at: At,
    pub name: String,
    pub how: Figure,
    pub of: Placed,
}

/// How a figure is made of the things that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Of how many it holds.
    Count,
    /// Of how many of a hundred it holds.
    Share,
    Sum,
    Min,
    Max,
}

impl Figure {
    pub(super) const ALL: [(Self, &'static str); 5] = [
        (Self::Count, "count"),
        (Self::Share, "share"),
        (Self::Sum, "sum"),
        (Self::Min, "min"),
        (Self::Max, "max"),
    ];
}

/// The most groups' names and figures.
const MOST: usize = 20;

impl Report {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let name = table.must("report")?;
        let of = table.must("of");
        let measures = table.tables("measure").into_iter().filter_map(|(name, table)| {
            let made = Figure::ALL.into_iter().filter(|(_, word)| table.has(word));
            let made: Vec<_> = made.collect();
            let [(how, key)] = made.as_slice() else {
                let known = Figure::ALL.map(|(_, word)| word.to_owned()).into();
                let word = made.iter().map(|(_, word)| *word).collect::<Vec<_>>().join(", ");
                table.mistake(What::Word { key: "measure", word, known });
                return None;
            };
            Some(Measure { at: table.at(), name, how: *how, of: table.formula(key)? })
        });
        let measures: Vec<_> = measures.collect();
        if !table.has("measure") {
            table.mistake(What::MissingKey { key: "measure".into() });
        }
        let groups = table.named_formulas("group");
        if measures.len() > MOST || groups.len() > MOST {
            table.mistake(What::Excess { what: "name", most: MOST });
        }
        let (least, public) = (table.count("least"), table.bool("public"));
        // Of one nobody is hidden among others.
        if least == Some(1) {
            table.mistake(What::Kind { key: "least".into(), wanted: "2, 3, 4, …" });
        }
        if public && least.is_none() {
            table.mistake(What::Mechanism(Fault::NoLeast));
        }
        Some(Self {
            at: table.at(),
            name,
            law: law(table),
            of: of?,
            which: table.formula("where"),
            groups,
            measures,
            least,
            public,
            drill: table.names("drill"),
            due: table.text("due"),
        })
    }
}
