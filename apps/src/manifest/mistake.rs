//! What can be wrong with a folder, with its place. The sentences stand in `wording`.

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
    /// A title shows what is hidden.
    HiddenShown(String),
    /// A role is held in offices, and nothing of the case belongs to one.
    NoOffice(String),
    /// Something that an act sets, and nothing ever reads, is set by one act and read where it may not be there.
    Unset {
        /// The field.
        field: String,
    },
}

impl What {
    /// Whether it is a warning alone: the folder works.
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::UnusedText(_) | Self::UnusedRole(_))
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
            Self::HiddenShown(_) => "hidden-shown",
            Self::NoOffice(_) => "no-office",
            Self::Unset { .. } => "unset",
        }
    }
}
