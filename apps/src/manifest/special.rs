//! What an act is beyond moving its thing from state to state: a return, a recall, a handing over, a standing still. Stock acts are
//! written in these keys, and any act may have them.

use super::{
    mistake::What,
    reader::{Placed, Table},
};

/// The keys of an act that change how its thing goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Special {
    /// Whether `[stock]` stands for it.
    pub stock: bool,
    /// It returns the thing: `'same'` where the thing goes on at the returner, `'again'` where it goes the whole way again.
    pub again: Option<Placed>,
    /// It takes back this act, as long as that is the last.
    pub undoes: Option<String>,
    /// It hands its signer's duty here to somebody else.
    pub hand: Option<Hand>,
    /// The thing stands still until this date or moment; until it is resumed, where that gives nothing.
    pub suspend: Option<Placed>,
    /// The thing goes on.
    pub resume: bool,
    /// It leads on from an end.
    pub reopen: bool,
    /// The series whose numbers it annuls.
    pub annul: Vec<String>,
    /// It changes who is asked in a round.
    pub change: Option<Change>,
    /// Who must have signed the very same document, besides whoever does the act: names of `who`, or the agency's seal.
    pub sign: Vec<String>,
    /// What becomes of it when it was made for an older state of the thing.
    pub stale: Stale,
}

/// A handing over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hand {
    /// To whom.
    pub to: Placed,
    pub within: Within,
}

/// How far somebody may be to whom a duty or a vote goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Within {
    /// He holds a role of the module where the thing belongs.
    #[default]
    Office,
    /// He is of the same agency.
    Agency,
}

/// A change of who is asked in a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub round: String,
    pub how: Recast,
}

/// What is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recast {
    /// These are asked besides, after the others.
    Add(Placed),
    /// These are not asked any more.
    Drop(Placed),
    /// In place of its signer, this one is.
    Pass(Placed, Within),
}

impl Recast {
    pub(crate) fn formula(&self) -> &Placed {
        match self {
            Self::Add(placed) | Self::Drop(placed) | Self::Pass(placed, _) => placed,
        }
    }
}

/// What becomes of an act whose signer saw an older state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Stale {
    /// It is judged by the state as it is: all that it needs is looked at anew.
    Accept,
    /// It is refused, if it says what its signer saw.
    #[default]
    Refuse,
}

/// The words of `within`.
pub(super) fn within(table: &Table<'_>) -> Within {
    match table.text("within").as_deref() {
        None | Some("office") => Within::Office,
        Some("agency") => Within::Agency,
        Some(other) => {
            let known = ["office", "agency"].map(str::to_owned).into();
            table.mistake(What::Word { key: "within", word: other.to_owned(), known });
            Within::Office
        }
    }
}

impl Special {
    pub(super) fn read(table: &Table<'_>) -> Self {
        let hand = table.table("hand").and_then(|table| {
            let within = within(&table);
            Some(Hand { to: must(&table, "to")?, within })
        });
        let change = table.table("change").and_then(|table| {
            let round = table.must("round");
            let (add, drop, pass) =
                (table.formula("add"), table.formula("drop"), table.formula("pass"));
            let within = within(&table);
            let how = match (add, drop, pass) {
                (Some(add), None, None) => Recast::Add(add),
                (None, Some(drop), None) => Recast::Drop(drop),
                (None, None, Some(pass)) => Recast::Pass(pass, within),
                _ => {
                    let wanted = "add, drop, pass";
                    table.mistake(What::Kind { key: "change".into(), wanted });
                    return None;
                }
            };
            Some(Change { round: round?, how })
        });
        let stale = match table.text("stale").as_deref() {
            None | Some("refuse") => Stale::Refuse,
            Some("accept") => Stale::Accept,
            Some(other) => {
                let known = ["accept", "refuse"].map(str::to_owned).into();
                table.mistake(What::Word { key: "stale", word: other.to_owned(), known });
                Stale::Refuse
            }
        };
        Self {
            stock: false,
            again: table.formula("again"),
            undoes: table.text("undoes"),
            hand,
            suspend: table.formula("suspend"),
            resume: table.bool("resume"),
            reopen: table.bool("reopen"),
            annul: table.names("annul"),
            change,
            sign: table.names("sign"),
            stale,
        }
    }

    pub(super) fn formulas(&self) -> impl Iterator<Item = &Placed> {
        let hand = self.hand.as_ref().map(|hand| &hand.to);
        let change = self.change.as_ref().map(|change| change.how.formula());
        self.again.iter().chain(hand).chain(&self.suspend).chain(change)
    }
}

fn must(table: &Table<'_>, key: &'static str) -> Option<Placed> {
    if !table.has(key) {
        table.mistake(What::MissingKey { key: key.into() });
    }
    table.formula(key)
}
