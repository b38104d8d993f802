//! What can be wrong with a folder, with its place. The sentences stand in `wording`.

use chancery_protocol::text::TextFault;

use super::reader::At;
use crate::formula::{Fault, KindFault, Type};

/// A mistake in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub at: At,
    /// What.
    pub what: What,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The file is no TOML.
    Toml(String),
    /// The file is no JSON, or no JSON Schema.
    Schema(String),
    /// A key that there is not.
    UnknownKey {
        /// The key.
        key: String,
        /// The nearest that there is.
        nearest: Option<String>,
    },
    /// A key must be there.
    MissingKey {
        /// The key.
        key: String,
    },
    /// A value is of another kind.
    Kind {
        /// The key.
        key: String,
        /// What it is to be.
        wanted: &'static str,
    },
    /// A number with a fraction: it is written as text, so that it is a decimal.
    Float {
        /// The key.
        key: String,
    },
    /// A name that is no name.
    Name(String),
    /// A file whose first key names no kind of thing.
    NoThing,
    /// A name stands for two things.
    Twice(String),
    /// A text is no formula.
    Formula {
        /// The text.
        text: String,
        /// Why.
        fault: Fault,
        /// Where in it.
        byte: usize,
    },
    /// The kinds in a formula do not go together.
    Kinds {
        /// The formula.
        text: String,
        /// Why.
        fault: KindFault,
    },
    /// A formula is of another kind than it has to be.
    Result {
        /// The formula.
        text: String,
        /// What it has to be.
        wanted: &'static str,
        /// What it is.
        found: Type,
    },
    /// A word is none of those that there are.
    Word {
        /// The key.
        key: &'static str,
        /// The word.
        word: String,
        /// The words that there are.
        known: Vec<String>,
    },
    /// A name of something that is not declared.
    Undeclared {
        /// What it would be: a state, an act, a role, a form, a due, a law.
        kind: &'static str,
        /// The name.
        name: String,
        /// The nearest that is.
        nearest: Option<String>,
    },
    /// A state that nothing leads to.
    Unreachable(String),
    /// A state from which no act and no deadline leads on, and which is no end.
    Stuck(String),
    /// An act leaves a state that is an end.
    EndLeft {
        /// The act.
        act: String,
        /// The state.
        state: String,
    },
    /// A case that no act opens.
    NeverOpened,
    /// A rule gives no article.
    NoLaw(String),
    /// A due says neither when it ends nor from when and how long, or both.
    DueTime(String),
    /// A condition that is always the same.
    Constant(String),
    /// A guard on being in time reads when it is decided, not when it was lodged.
    DecidedTime(String),
    /// A text is missing in a language.
    NoText {
        /// Its name.
        name: String,
        /// The language.
        language: &'static str,
    },
    /// A text that nothing names.
    UnusedText(String),
    /// A line of texts that says nothing.
    TextLine,
    /// A role that no act names.
    UnusedRole(String),
    /// Formulas that rest on each other in a circle.
    Circle(Vec<String>),
    /// A list or text without bounds, so that nobody can say what a formula over it costs.
    Unbounded {
        /// The field.
        field: String,
        /// The keyword that bounds it.
        keyword: &'static str,
    },
    /// A number with a fraction in a form.
    FloatField(String),
    /// A pattern of a series of numbers leaves out what distinguishes them.
    NumberPattern(String),
    /// More of something than can be checked.
    TooMany {
        /// Of what.
        what: &'static str,
        /// The most that there may be.
        most: usize,
    },
    /// A name that rests on others that rest on others, deeper than they are worked out.
    Deep(String),
    /// Deadlines that begin each other again at once, without end.
    Endless(Vec<String>),
    /// Deadlines that begin each other again, and of which nobody can say how long that takes.
    PerhapsEndless(Vec<String>),
    /// A name stands in two lists that exclude each other.
    Both {
        /// The name.
        name: String,
        /// The keys of the lists.
        keys: &'static str,
    },
    /// An act that can never be done.
    NeverDone(String),
    /// A condition of a round that no votes fulfil.
    NeverHolds(String),
    /// A list of people in which there is never anybody.
    Nobody(String),
    /// A list is empty where something must be named.
    Empty {
        /// The key.
        key: String,
    },
    /// A formula speaks of what is never there when it is worked out: of a document where there is none.
    NotHere {
        /// The formula.
        text: String,
        /// Of what it speaks.
        name: String,
    },
    /// A text that people read is blank, or has characters that are not seen or change what is.
    Text {
        /// The key; empty of a line.
        key: String,
        /// What is wrong.
        fault: TextFault,
    },
    /// A text is longer than people read.
    TextLength {
        /// The key.
        key: String,
        /// The most characters.
        most: usize,
    },
    /// No date, moment or year.
    NoTime(String),
    /// A moment of a story that is before the one before.
    Backwards(String),
    /// No name of an agency.
    NoAgency(String),
    /// A day stands in the order of another year.
    OtherYear {
        /// The day.
        day: String,
        /// The year of the order.
        year: String,
    },
    /// Something that an act sets, and nothing ever reads, is set by one act and read where it may not be there.
    Unset {
        /// The field.
        field: String,
    },
}

impl What {
    /// Whether it is a warning alone: the folder works.
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::UnusedText(_) | Self::UnusedRole(_) | Self::PerhapsEndless(_))
    }

    /// Its name, by which programs know it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Toml(_) => "no-toml",
            Self::Schema(_) => "no-schema",
            Self::UnknownKey { .. } => "unknown-key",
            Self::MissingKey { .. } => "missing-key",
            Self::Kind { .. } => "kind",
            Self::Float { .. } => "float",
            Self::Name(_) => "name",
            Self::NoThing => "no-thing",
            Self::Twice(_) => "twice",
            Self::Formula { .. } => "formula",
            Self::Kinds { .. } => "kinds",
            Self::Result { .. } => "result",
            Self::Word { .. } => "word",
            Self::Undeclared { .. } => "undeclared",
            Self::Unreachable(_) => "unreachable-state",
            Self::Stuck(_) => "stuck",
            Self::EndLeft { .. } => "end-left",
            Self::NeverOpened => "never-opened",
            Self::NoLaw(_) => "no-law",
            Self::DueTime(_) => "due-time",
            Self::Constant(_) => "constant",
            Self::DecidedTime(_) => "decided-time",
            Self::NoText { .. } => "no-text",
            Self::UnusedText(_) => "unused-text",
            Self::TextLine => "text-line",
            Self::UnusedRole(_) => "unused-role",
            Self::Circle(_) => "circle",
            Self::Unbounded { .. } => "unbounded",
            Self::FloatField(_) => "float-field",
            Self::NumberPattern(_) => "number-pattern",
            Self::TooMany { .. } => "too-many",
            Self::Deep(_) => "deep",
            Self::Endless(_) => "endless",
            Self::PerhapsEndless(_) => "perhaps-endless",
            Self::Both { .. } => "both",
            Self::NeverDone(_) => "never-done",
            Self::NeverHolds(_) => "never-holds",
            Self::Nobody(_) => "nobody",
            Self::Empty { .. } => "empty",
            Self::NotHere { .. } => "not-here",
            Self::Text { .. } => "text",
            Self::TextLength { .. } => "text-length",
            Self::NoTime(_) => "no-time",
            Self::Backwards(_) => "backwards",
            Self::NoAgency(_) => "no-agency",
            Self::OtherYear { .. } => "other-year",
            Self::Unset { .. } => "unset",
        }
    }
}
