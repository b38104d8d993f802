//! Effects of an act on other things than its own: `then.NAME = { … }`. What an effect does is named by its first verb.

use super::{
    mistake::What,
    more_verb::{self, MoreVerb},
    reader::{At, Fields, Placed, Table},
    run::{RUNS, Run},
};

/// An effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effect {
    pub at: At,
    pub name: String,
    /// Only if this holds.
    pub condition: Option<Placed>,
    /// Once for each element of this list, which is `x`.
    pub each: Option<Placed>,
    /// Once for each member of this roll, which is `x`: each in a decision of its own, after that of the act.
    pub for_each: Option<String>,
    pub verb: Verb,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Opens a child thing by its case's one inner act that opens.
    Open { case: String, with: Option<Fields> },
    /// Runs an inner act of other things of this module.
    Tell { case: String, act: String, on: Placed, with: Option<Fields>, skip: bool },
    /// Writes a record of a registry; a new version of it, when it is there.
    Record { registry: String, with: Fields, revise: bool },
    /// Moves a quantity from one place of an account to another.
    Move {
        account: String,
        of: Vec<(String, Placed)>,
        from: String,
        to: String,
        amount: Placed,
        value_date: Option<Placed>,
    },
    /// Takes a slot of something that only so many can have at once.
    Book {
        booking: String,
        of: Placed,
        from: Placed,
        to: Placed,
        units: Option<Placed>,
        firm: bool,
    },
    /// Makes what this thing holds firm, or gives it back.
    Booked { booking: String, keep: bool },
    /// Owes a document to other agencies, which the seal makes.
    Send {
        form: String,
        to: Placed,
        /// The thing there.
        on: Option<Placed>,
        title: Option<Placed>,
        with: Option<Fields>,
        /// The inner act of this thing that follows from a refusal.
        refused: Option<String>,
    },
    /// Tells people.
    Notify { names: Placed, say: String },
    /// Writes to a mechanism with rows of its own.
    More(MoreVerb),
    /// Has a mechanism work.
    Run(Run),
    /// Has an event of a work be read by everybody.
    Publish {
        publication: String,
        event: String,
        work: Placed,
        form: Option<Fields>,
        parts: Option<Placed>,
        from: Option<Placed>,
        reason: Option<Placed>,
    },
}

/// The verbs, for a hint.
const VERBS: [&str; 13] = [
    "open", "tell", "record", "revise", "move", "book", "send", "notify", "publish", RUNS[0],
    RUNS[1], RUNS[2], RUNS[3],
];

impl Effect {
    pub(super) fn read(name: String, table: &Table<'_>) -> Option<Self> {
        let condition = table.formula("if");
        let each = table.formula("each");
        let for_each = table.text("for_each").map(|of| match of.strip_prefix("roll.") {
            Some(roll) => roll.to_owned(),
            None => {
                table.mistake(What::Kind { key: "for_each".into(), wanted: "roll.NAME" });
                String::new()
            }
        });
        let all = || VERBS.into_iter().chain(more_verb::VERBS);
        let verbs: Vec<_> = all().filter(|verb| table.has(verb)).collect();
        let verb = match verbs.as_slice() {
            ["open"] => {
                Verb::Open { case: table.must("open")?, with: table.fields_or_formula("with") }
            }
            ["tell"] => {
                let target = table.must("tell")?;
                let Some((case, act)) = target.split_once('/') else {
                    table.mistake(What::Kind { key: "tell".into(), wanted: "case/act" });
                    return None;
                };
                let skip = match table.text("else").as_deref() {
                    None | Some("refuse") => false,
                    Some("skip") => true,
                    Some(other) => {
                        let known = ["refuse", "skip"].map(str::to_owned).into();
                        let word = other.to_owned();
                        table.mistake(What::Word { key: "else", word, known });
                        false
                    }
                };
                let (case, act) = (case.to_owned(), act.to_owned());
                let with = table.fields_or_formula("with");
                Verb::Tell { case, act, on: must(table, "on")?, with, skip }
            }
            [verb @ ("record" | "revise")] => {
                let revise = *verb == "revise";
                let registry = table.must(if revise { "revise" } else { "record" })?;
                if !table.has("with") {
                    table.mistake(What::MissingKey { key: "with".into() });
                }
                Verb::Record { registry, with: table.fields_or_formula("with")?, revise }
            }
            ["move"] => Verb::Move {
                account: table.must("move")?,
                of: table.named_formulas("of"),
                from: table.must("from")?,
                to: table.must("to")?,
                amount: must(table, "amount")?,
                value_date: table.formula("value_date"),
            },
            ["book"] => {
                let booking = table.must("book")?;
                let (keep, free) = (table.bool("keep"), table.bool("free"));
                match (keep, free) {
                    (false, false) => Verb::Book {
                        booking,
                        of: must(table, "of")?,
                        from: must(table, "from")?,
                        to: must(table, "to")?,
                        units: table.formula("units"),
                        firm: table.bool("firm"),
                    },
                    (true, true) => {
                        let wanted = "keep, free";
                        table.mistake(What::Kind { key: "book".into(), wanted });
                        return None;
                    }
                    _ => Verb::Booked { booking, keep },
                }
            }
            ["publish"] => Verb::Publish {
                publication: table.must("publish")?,
                event: table.must("as")?,
                work: must(table, "work")?,
                form: table.fields_or_formula("form"),
                parts: table.formula("parts"),
                from: table.formula("from"),
                reason: table.formula("reason"),
            },
            ["send"] => Verb::Send {
                form: table.must("send")?,
                to: must(table, "to")?,
                on: table.formula("on"),
                title: table.formula("title"),
                with: table.fields_or_formula("with"),
                refused: table.text("refused"),
            },
            ["notify"] => Verb::Notify { names: must(table, "notify")?, say: table.must("say")? },
            [verb] if RUNS.contains(verb) => Verb::Run(Run::read(verb, table)?),
            [verb] => Verb::More(MoreVerb::read(verb, table)?),
            _ => {
                let known = all().map(str::to_owned).collect();
                let word = verbs.join(", ");
                table.mistake(What::Word { key: "then", word, known });
                return None;
            }
        };
        Some(Self { at: table.at(), name, condition, each, for_each, verb })
    }

    pub(crate) fn formulas(&self) -> Vec<&Placed> {
        let own: Vec<&Placed> = match &self.verb {
            Verb::Open { with: fields, .. } => with_of(fields),
            Verb::Tell { on, with: fields, .. } => {
                std::iter::once(on).chain(with_of(fields)).collect()
            }
            Verb::Record { with, .. } => with.formulas(),
            Verb::Move { of, amount, value_date, .. } => {
                let of = of.iter().map(|(_, placed)| placed);
                of.chain([amount]).chain(value_date).collect()
            }
            Verb::Book { of, from, to, units, .. } => {
                [of, from, to].into_iter().chain(units).collect()
            }
            Verb::Booked { .. } => Vec::new(),
            Verb::Send { to, on, title, with: fields, .. } => {
                std::iter::once(to).chain(on).chain(title).chain(with_of(fields)).collect()
            }
            Verb::Notify { names, .. } => vec![names],
            Verb::More(more) => more.formulas(),
            Verb::Run(run) => run.formulas(),
            Verb::Publish { work, form, parts, from, reason, .. } => {
                let others = [parts, from, reason].into_iter().flatten();
                std::iter::once(work).chain(with_of(form)).chain(others).collect()
            }
        };
        self.condition.iter().chain(&self.each).chain(own).collect()
    }
}

fn with_of(with: &Option<Fields>) -> Vec<&Placed> {
    with.iter().flat_map(Fields::formulas).collect()
}

fn must(table: &Table<'_>, key: &'static str) -> Option<Placed> {
    if !table.has(key) {
        table.mistake(What::MissingKey { key: key.into() });
    }
    table.formula(key)
}
