//! What can be wrong with a folder, with its place. The sentences stand in `wording`.

use super::{fault::MechanismFault, form::FormFault, reader::At, stock::StockFault};
use chancery_protocol::text::TextFault;

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
    /// A key that what it stands beside does not take.
    Needless {
        /// The key.
        key: String,
        /// Beside what.
        of: String,
    },
    /// What is personal would be read by everybody.
    Personal {
        /// The publication.
        publication: String,
        /// The field.
        field: String,
    },
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
    /// A place that holds something and of which no limit speaks.
    NoLimit {
        /// The account.
        account: String,
        /// The place.
        place: String,
    },
    /// A condition by which records are looked for names neither the key nor an index.
    NoIndex {
        /// The condition.
        text: String,
    },
    /// A word that is no keyword of forms.
    Keyword {
        /// The word.
        keyword: String,
        /// The nearest that there is.
        nearest: Option<String>,
    },
    /// A keyword of forms that does not stand there.
    KeywordPlace {
        /// The keyword.
        keyword: String,
        /// Where it stands: `form`, `field`, `nested`, `items`.
        place: &'static str,
    },
    /// Two things in a form of which one says what the other cannot take.
    Clash {
        /// The one, as it is written.
        this: String,
        /// The other.
        with: String,
    },
    /// A key of a form stands twice, so that one would be dropped.
    KeyTwice(String),
    /// A value stands twice in a list.
    Repeated {
        /// The key of the list.
        key: &'static str,
        /// The value.
        value: String,
    },
    /// There is more of something in a form than anybody can mean.
    TooMany {
        /// The key of it.
        key: String,
        /// The most that there may be.
        most: usize,
    },
    /// Two names that differ in so little that people take one for the other.
    Alike {
        /// The name.
        name: String,
        /// The other.
        other: String,
    },
    /// A bound in a form is no whole number, or is out of reason.
    Bound {
        /// The keyword.
        keyword: &'static str,
        /// What stands there.
        given: String,
        /// The least that it can be.
        least: i64,
        /// The most.
        most: i64,
    },
    /// Two bounds that leave nothing.
    Bounds {
        /// The one.
        low: &'static str,
        /// The other.
        high: &'static str,
    },
    /// A value that a form gives does not fit its own field.
    Unfit {
        /// The keyword that gives it.
        keyword: String,
        /// The value.
        value: String,
        /// Why.
        fault: FormFault,
    },
    /// A rule of a field that is the same whatever is filled in.
    FieldConstant {
        /// The field.
        field: String,
        /// `x-visible` or `x-required`.
        keyword: &'static str,
    },
    /// A rule of a field that reads the field itself.
    FieldItself {
        /// The field.
        field: String,
        /// `x-visible` or `x-required`.
        keyword: &'static str,
    },
    /// A field that must always be there, and may not always.
    FieldAlways(String),
    /// A text for people has a character that cannot be seen, or makes it look like another.
    Hidden(char),
    /// Dates or edges that do not rise.
    Order(String),
    /// Something lies in no row of a table.
    Gap {
        /// The table.
        table: String,
        /// What.
        place: String,
    },
    /// Something lies in two rows of a table.
    Overlap {
        /// The table.
        table: String,
        /// What.
        place: String,
    },
    /// At an edge of a bracket, the rows before and after it give different amounts.
    Jump {
        /// The table.
        table: String,
        /// The edge.
        edge: String,
        /// What is to be deducted, so that they do not.
        wanted: String,
    },
    /// A table, or a part of it, is too large.
    TableSize {
        /// Which.
        table: String,
        /// The most that there may be.
        most: usize,
    },
    /// A line of a code list is no CSV, or has another number of cells than the header.
    Csv,
    /// More of something than can be checked.
    Excess {
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
    /// A deadline at a moment is held, restarted or extended, which moves only what is counted from a start.
    Fixed {
        /// The deadline.
        due: String,
        /// `restart`, `pause` or `extend`.
        key: &'static str,
    },
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
    /// The act that freezes a draw's list brings what the draw is made of, too.
    OneEntry {
        /// The draw.
        draw: String,
    },
    /// A form of answers has no field that could be counted.
    NothingToCount(String),
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
    /// A title shows what is hidden.
    HiddenShown(String),
    /// Something is wrong with a stock act.
    Stock(StockFault),
    /// A paper shows what another case hides.
    PaperShows(String),
    /// A brace in what a template says has no other.
    Brace(String),
    /// Something of a template is larger than there is room, or lies outside of the sheet.
    Outside {
        /// What.
        what: String,
        /// The most that there is room for.
        most: i64,
    },
    /// A block of a template stands over another.
    Covers {
        /// The block.
        block: String,
        /// The other.
        other: String,
    },
    /// A block of a template flows where what is fixed has left nothing.
    NoRoom(String),
    /// A role is held in offices, and nothing of the case belongs to one.
    NoOffice(String),
    /// An act of another agency is to be done by a role, which is held here alone.
    RoleElsewhere(String),
    /// What is sent, no act of the module takes in.
    NotReceived(String),
    /// What is sent is not among what the seal may say alone.
    NotSent(String),
    /// Something that an act sets, and nothing ever reads, is set by one act and read where it may not be there.
    Unset {
        /// The field.
        field: String,
    },
    /// The folder that it extends is not at hand.
    NoParent {
        /// The module.
        name: String,
    },
    /// The folder at hand is not the one that it extends.
    OtherParent {
        /// The module.
        name: String,
        /// The digest of the folder at hand.
        found: String,
    },
    /// The text of law of what is extended is given anew.
    ParentLaw,
    /// A parameter is outside its bounds.
    ParamRange {
        /// The parameter.
        name: String,
        /// What is given.
        value: String,
    },
    /// A parameter has no default, and nothing gives it a value.
    NoParam {
        /// The parameter.
        name: String,
    },
    /// Something may be opened under no variant.
    VariantGap {
        /// What is filled in.
        place: String,
    },
    /// Something may be opened under two variants.
    VariantOverlap {
        /// The one.
        this: String,
        /// The other.
        with: String,
        /// What is filled in.
        place: String,
    },
    /// Under a variant, things of a case are never opened or never come to an end.
    VariantNever {
        /// The case.
        case: String,
    },
    /// Something is taken away that is not there.
    NothingOff {
        /// What.
        name: String,
    },
    /// Something is wrong with a mechanism that stands beside cases.
    Mechanism(MechanismFault),
}

impl What {
    /// Whether it is a warning alone: the folder works.
    pub fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::UnusedText(_)
                | Self::UnusedRole(_)
                | Self::PerhapsEndless(_)
                | Self::VariantGap { .. }
                | Self::VariantOverlap { .. }
        )
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
            Self::Personal { .. } => "personal",
            Self::Needless { .. } => "needless",
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
            Self::NoLimit { .. } => "no-limit",
            Self::NoIndex { .. } => "no-index",
            Self::Keyword { .. } => "keyword",
            Self::KeywordPlace { .. } => "keyword-place",
            Self::Clash { .. } => "clash",
            Self::KeyTwice(_) => "key-twice",
            Self::Repeated { .. } => "repeated",
            Self::TooMany { .. } => "too-many",
            Self::Alike { .. } => "alike",
            Self::Bound { .. } => "bound",
            Self::Bounds { .. } => "bounds",
            Self::Unfit { .. } => "unfit",
            Self::FieldConstant { .. } => "field-constant",
            Self::FieldItself { .. } => "field-itself",
            Self::FieldAlways(_) => "field-always",
            Self::Hidden(_) => "hidden",
            Self::Order(_) => "order",
            Self::Gap { .. } => "gap",
            Self::Overlap { .. } => "overlap",
            Self::Jump { .. } => "jump",
            Self::TableSize { .. } => "table-size",
            Self::Csv => "no-csv",
            Self::Excess { .. } => "excess",
            Self::Deep(_) => "deep",
            Self::Endless(_) => "endless",
            Self::PerhapsEndless(_) => "perhaps-endless",
            Self::Fixed { .. } => "fixed",
            Self::Both { .. } => "both",
            Self::NeverDone(_) => "never-done",
            Self::NeverHolds(_) => "never-holds",
            Self::Nobody(_) => "nobody",
            Self::Empty { .. } => "empty",
            Self::NotHere { .. } => "not-here",
            Self::Text { .. } => "text",
            Self::TextLength { .. } => "text-length",
            Self::OneEntry { .. } => "one-entry",
            Self::NothingToCount(_) => "nothing-to-count",
            Self::NoTime(_) => "no-time",
            Self::Backwards(_) => "backwards",
            Self::NoAgency(_) => "no-agency",
            Self::OtherYear { .. } => "other-year",
            Self::HiddenShown(_) => "hidden-shown",
            Self::Stock(fault) => fault.code(),
            Self::PaperShows(_) => "paper-shows",
            Self::Brace(_) => "brace",
            Self::Outside { .. } => "outside",
            Self::Covers { .. } => "covers",
            Self::NoRoom(_) => "no-room",
            Self::NoOffice(_) => "no-office",
            Self::RoleElsewhere(_) => "role-elsewhere",
            Self::NotReceived(_) => "not-received",
            Self::NotSent(_) => "not-sent",
            Self::Unset { .. } => "unset",
            Self::NoParent { .. } => "no-parent",
            Self::OtherParent { .. } => "other-parent",
            Self::ParentLaw => "parent-law",
            Self::ParamRange { .. } => "param-range",
            Self::NoParam { .. } => "no-param",
            Self::VariantGap { .. } => "variant-gap",
            Self::VariantOverlap { .. } => "variant-overlap",
            Self::VariantNever { .. } => "variant-never",
            Self::NothingOff { .. } => "nothing-off",
            Self::Mechanism(fault) => fault.code(),
        }
    }
}
