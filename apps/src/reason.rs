//! Why something is refused: values, of which `wording` makes sentences.

use serde::{Deserialize, Serialize};

use crate::manifest::FormFault;

/// A refusal: by which rule, of which text, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// The rule: `module/case/act/need`.
    pub rule: String,
    /// The article that it rests on, as the module cites it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub law: Option<String>,
    /// Why.
    pub why: Refusal,
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Refusal {
    /// It says nothing of a module: it is an ordinary document.
    NotFiled,
    /// It is for another agency's ledger.
    OtherHome {
        /// Whose.
        home: String,
    },
    /// It is classified: nothing that modules keep is shown by clearance yet.
    Classified,
    /// It was decided upon before.
    DecidedBefore,
    /// It was to be lodged until a time that has passed.
    TooOld {
        /// Until when, in seconds since 1970 UTC.
        until: i64,
    },
    /// There is no such module here.
    NoModule,
    /// It is made by another version of the module than that in force, or than its thing's.
    OtherVersion {
        /// The version's digest that holds.
        holds: String,
    },
    /// The module has no such act, or it is none that a document makes.
    NoAct,
    /// The type is not that of the act.
    OtherType {
        /// What the act's type is.
        wanted: String,
    },
    /// There is no such thing here.
    NoThing,
    /// The act opens a thing, and names one; or names none, and opens none.
    About,
    /// The thing has changed since its signer saw it.
    Moved {
        /// What was seen.
        seen: u64,
        /// What there is.
        is: u64,
    },
    /// Its signer may not do this.
    NotEntitled {
        /// Who.
        who: String,
        /// Who may.
        by: Vec<String>,
        /// The office of the thing: a role entitles only where it is held there, or over it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        office: Option<Box<str>>,
    },
    /// Its signer is one of those who may not.
    Excluded {
        /// Who.
        who: String,
        /// As what.
        not_by: String,
    },
    /// The thing is in a state from which the act is not possible.
    WrongState {
        /// The state.
        state: String,
        /// Since when, in seconds since 1970 UTC.
        since: i64,
        /// From where it is possible.
        from: Vec<String>,
    },
    /// It was done as often as may be.
    AtMost {
        /// How often.
        times: u32,
    },
    /// It is too early or too late.
    Window {
        /// The deadline that is the edge.
        due: String,
        /// Its last day.
        day: String,
        /// Whether it is too early; else it is too late.
        early: bool,
    },
    /// A deadline is extended by nothing, or by more than is left.
    Extension {
        /// The deadline.
        due: String,
        /// How much is left, in its unit: `3 wd`.
        left: String,
    },
    /// The form is not filled in as it must be.
    Form(FormFault),
    /// A reason must be given.
    NoReason,
    /// What must hold does not.
    Need {
        /// The name of its text.
        say: String,
    },
    /// It cannot be said whether it holds.
    Unknown {
        /// What is missing.
        what: String,
    },
    /// Something of this value is there already.
    NotUnique {
        /// The value.
        value: String,
    },
    /// The registry has no such record.
    NoRecord {
        /// Which registry.
        registry: String,
    },
    /// A limit of an account does not hold after it.
    Limit {
        /// The name of its text.
        say: String,
        /// Of which line, and what there would be at each place.
        left: String,
    },
    /// It is booked already.
    Taken {
        /// What.
        resource: String,
        /// The next slots that are free.
        next: Vec<String>,
    },
    /// The times are no slots.
    Slot {
        /// What was asked for.
        what: String,
        /// The length of a slot.
        slot: String,
    },
    /// A question names no purpose for which it may be put.
    Purpose {
        /// The purposes that there are.
        known: String,
    },
    /// A vote of somebody who is not asked, or has voted.
    NoVote {
        /// Who.
        who: String,
    },
    /// A folder has mistakes.
    Folder {
        /// How many.
        mistakes: usize,
        /// The first.
        first: String,
    },
    /// The folder that came along is not the one that is named.
    OtherFolder,
    /// The table that came along is not the one that is named, or not as its module has it.
    OtherTable {
        /// The table.
        table: String,
    },
    /// The text for a field is not what it has to be.
    Field {
        /// The field.
        field: String,
    },
    /// The program failed at it: whoever made it has to mend it.
    Failed,
    /// It is not known yet whether the document holds.
    Unverified {
        /// What is open.
        what: String,
    },
    /// The act is made by documents that come from another agency, or by none that do.
    Side {
        /// Whether it is made by those that come from another agency.
        received: bool,
    },
    /// A node makes it by itself, and nobody else.
    OfTheNode,
    /// An act on a document names none.
    NamesNothing {
        /// The act.
        kind: String,
    },
    /// The document on which somebody acts is not here, or went the other way.
    NotHere {
        /// Which.
        document: String,
    },
    /// What is withdrawn was not sent there.
    NotSentTo {
        /// Where.
        agency: String,
    },
    /// The act does not go to whoever sent the document.
    GoesElsewhere {
        /// To whom it is to go.
        to: String,
    },
    /// Another act took effect first.
    TookEffect {
        /// Which.
        kind: String,
        /// When, in seconds since 1970 UTC.
        time: i64,
    },
    /// It is not taken, and no more is told.
    NotAccepted {
        /// The code of the kind of reason.
        code: String,
    },
    /// It goes to nobody to whom it could go.
    NoRecipient {
        /// Who is named; nobody when empty.
        who: String,
    },
    /// A document of another agency does not have its seal.
    Unsealed {
        /// The agency.
        agency: String,
    },
    /// Nobody but a seal has signed it, and the module does not say that a seal may say that alone.
    SealAlone {
        /// The form.
        form: String,
    },
    /// The kernel could not decide it: it would cost more steps than may be.
    Cost,
}

impl Reason {
    /// What the sender of a request is told of it. What an agency keeps shows in its refusals: of what does not rest on the request alone
    /// no more than the kind is said.
    pub fn for_sender(&self) -> Self {
        let own = matches!(
            self.why,
            Refusal::OtherHome { .. }
                | Refusal::Classified
                | Refusal::DecidedBefore
                | Refusal::TooOld { .. }
                | Refusal::NoModule
                | Refusal::NoAct
                | Refusal::OtherType { .. }
                | Refusal::NoThing
                | Refusal::About
                | Refusal::Form(_)
                | Refusal::NoReason
                | Refusal::Unverified { .. }
                | Refusal::Side { .. }
                | Refusal::Unsealed { .. }
                | Refusal::SealAlone { .. }
                | Refusal::Failed
        );
        let said = || Self { rule: self.rule.clone(), law: None, why: self.why.clone() };
        let kind = || Self {
            rule: String::new(),
            law: None,
            why: Refusal::NotAccepted { code: self.why.code().to_owned() },
        };
        if own { said() } else { kind() }
    }
}

impl Refusal {
    /// The code that programs go by.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAccepted { code } => {
                let known =
                    ["CHY-7101", "CHY-7102", "CHY-7103", "CHY-7104", "CHY-7105", "CHY-7106"];
                let known =
                    known.into_iter().chain(["CHY-7107", "CHY-7108", "CHY-7110", "CHY-7112"]);
                known.into_iter().find(|known| known == code).unwrap_or("CHY-7100")
            }
            Self::NotFiled
            | Self::OtherHome { .. }
            | Self::Classified
            | Self::DecidedBefore
            | Self::TooOld { .. }
            | Self::NoModule
            | Self::OtherVersion { .. }
            | Self::NoAct
            | Self::OtherType { .. }
            | Self::NoThing
            | Self::NoRecord { .. }
            | Self::OfTheNode
            | Self::NamesNothing { .. }
            | Self::NotHere { .. }
            | Self::NotSentTo { .. }
            | Self::GoesElsewhere { .. }
            | Self::Unverified { .. }
            | Self::Side { .. }
            | Self::About => "CHY-7100",
            Self::Need { .. } => "CHY-7101",
            Self::WrongState { .. } | Self::AtMost { .. } | Self::TookEffect { .. } => "CHY-7102",
            Self::NotEntitled { .. }
            | Self::Excluded { .. }
            | Self::NoVote { .. }
            | Self::Unsealed { .. }
            | Self::SealAlone { .. } => "CHY-7103",
            Self::Window { .. } => "CHY-7104",
            Self::Form(_)
            | Self::NoReason
            | Self::Field { .. }
            | Self::NoRecipient { .. }
            | Self::Slot { .. }
            | Self::Purpose { .. } => "CHY-7105",
            Self::Limit { .. } | Self::Extension { .. } => "CHY-7106",
            Self::NotUnique { .. } => "CHY-7107",
            Self::Moved { .. } => "CHY-7108",
            Self::Unknown { .. } | Self::Cost | Self::Failed => "CHY-7110",
            Self::Taken { .. } => "CHY-7112",
            Self::Folder { .. } | Self::OtherFolder | Self::OtherTable { .. } => "CHY-7111",
        }
    }
}
