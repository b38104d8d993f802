//! Why something is refused: values, of which `wording` makes sentences.

use serde::{Deserialize, Serialize};

use chancery_protocol::Hand;

use crate::manifest::FormFault;
pub use crate::mechanism::MechanismRefusal;

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
    /// Nobody may act so for a party in this act.
    NoProxy {
        /// As what.
        how: Hand,
    },
    /// Whoever has signed may not act for the party.
    NoMandate {
        /// Who has signed.
        who: String,
        /// For whom.
        party: String,
        /// As what.
        how: Hand,
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
    /// The list is frozen: it was made once, and stays as it is.
    Frozen {
        /// Which list.
        list: String,
    },
    /// The list is not frozen yet.
    NotFrozen {
        /// Which list.
        list: String,
    },
    /// There is no such credential.
    NoCredential {
        /// Its id.
        id: String,
    },
    /// A credential does not go from what it is to that.
    Status {
        /// What it is: `valid`, `suspended` or `revoked`.
        is: String,
        /// What it was to be.
        now: String,
    },
    /// Somebody has committed to no value, and the list is frozen.
    NotCommitted {
        /// Who.
        who: String,
    },
    /// Somebody has not revealed his value.
    NotRevealed {
        /// Who.
        who: String,
    },
    /// The value is not that to which somebody has committed.
    OtherValue {
        /// Who.
        who: String,
    },
    /// The list and what is drawn by would come by one entry.
    OneEntry {
        /// The draw.
        draw: String,
    },
    /// No checkpoint after the list has been signed by so many witnesses.
    NoCheckpoint {
        /// How many it takes.
        least: u32,
    },
    /// There are fewer than are to be drawn.
    TooFew {
        /// Of which stratum; empty where there are none.
        stratum: String,
        /// How many there are.
        have: u64,
        /// How many it takes.
        need: u64,
    },
    /// Somebody is not on the list.
    NotListed {
        /// Who.
        who: String,
    },
    /// The token is none of those that were given out.
    NoToken,
    /// The token has answered.
    UsedToken,
    /// There is no envelope of somebody.
    NoEnvelope {
        /// Whose it would be.
        who: String,
    },
    /// An envelope or a share of it is not as it must be.
    Envelope {
        /// Why.
        why: crate::envelope::EnvelopeFault,
    },
    /// Too few holders have given their shares.
    Shares {
        /// How many have.
        have: u32,
        /// How many it takes.
        need: u32,
    },
    /// A quota is full.
    Quota {
        /// The name of its text.
        say: String,
        /// How many it takes.
        most: u32,
    },
    /// There is no such work.
    NoWork {
        /// Which.
        work: String,
    },
    /// No version of the work has such a part.
    NoPart {
        /// Its address.
        address: String,
    },
    /// An event of a work does not follow those before it.
    Event {
        /// The event: publication and word.
        event: String,
        /// The day of it.
        day: String,
        /// What the work is then; none where it is not published.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<Box<str>>,
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
    /// The thing stands still.
    Suspended {
        /// Since when, in seconds since 1970 UTC.
        since: i64,
        /// Until when; none: until it is resumed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<i64>,
    },
    /// The thing does not stand still.
    NotSuspended,
    /// It takes back an act after which something else was done.
    NotLast {
        /// The act.
        act: String,
        /// What was done last.
        last: String,
    },
    /// A duty or a vote may not go to this one: he is the same, no officer, of elsewhere, or holds no role here.
    NotWithin {
        /// Who.
        who: String,
    },
    /// It would stand still until a moment that has passed.
    Past {
        /// The moment, in seconds since 1970 UTC.
        until: i64,
    },
    /// The round does not run.
    NoRound {
        /// Which.
        round: String,
    },
    /// Somebody is asked already.
    Asked {
        /// Who.
        who: String,
    },
    /// Nobody would be asked any more.
    LastAsked,
    /// A vote is for another text than the thing has now.
    OtherText,
    /// Somebody has not signed the document who must have.
    NotSigned {
        /// Who.
        who: String,
        /// As what.
        as_what: String,
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
    /// No variant of the module is about what is opened, or more than one.
    Variant {
        /// Those that are.
        matching: Vec<String>,
    },
    /// What a module extends is not installed here.
    NoParent {
        /// The module.
        name: String,
    },
    /// Nobody has named such a publisher, for this module.
    NoPublisher {
        /// The publisher.
        name: String,
        /// The module.
        of: String,
    },
    /// Somebody who stands higher has said otherwise.
    LowerRank {
        /// Who.
        publisher: String,
        /// His rank.
        rank: u8,
    },
    /// One of that date and rank was filed before, or stands in the module.
    FiledTwice {
        /// The table or code list.
        what: String,
        /// From when on.
        from: String,
        /// The rank.
        rank: u8,
    },
    /// The version was led over to another before.
    MigratedBefore {
        /// The version.
        from: String,
    },
    /// The things that a plan leaves out are not those that do not map.
    Unmapped {
        /// How many are left out, or named needlessly.
        count: usize,
        /// Things that do not map and are not named, each with why; not all of many.
        left_out: Vec<String>,
        /// Things that are named and map, or are not there.
        needless: Vec<String>,
    },
    /// The text for a field is not what it has to be.
    Field {
        /// The field.
        field: String,
    },
    /// A mechanism refuses it.
    Mechanism(MechanismRefusal),
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
            | Self::NoCredential { .. }
            | Self::NoEnvelope { .. }
            | Self::NoWork { .. }
            | Self::NoPart { .. }
            | Self::OfTheNode
            | Self::NamesNothing { .. }
            | Self::NotHere { .. }
            | Self::NotSentTo { .. }
            | Self::GoesElsewhere { .. }
            | Self::Unverified { .. }
            | Self::Side { .. }
            | Self::About => "CHY-7100",
            Self::Mechanism(why) => why.code(),
            Self::Need { .. } | Self::Variant { .. } => "CHY-7101",
            Self::WrongState { .. }
            | Self::AtMost { .. }
            | Self::Suspended { .. }
            | Self::NotSuspended
            | Self::NotLast { .. }
            | Self::NoRound { .. }
            | Self::Frozen { .. }
            | Self::Status { .. }
            | Self::OneEntry { .. }
            | Self::NotCommitted { .. }
            | Self::NotRevealed { .. }
            | Self::NoCheckpoint { .. }
            | Self::Shares { .. }
            | Self::NotFrozen { .. }
            | Self::Event { .. }
            | Self::TookEffect { .. } => "CHY-7102",
            Self::NotEntitled { .. }
            | Self::Excluded { .. }
            | Self::NoProxy { .. }
            | Self::NoMandate { .. }
            | Self::NoVote { .. }
            | Self::NotWithin { .. }
            | Self::Asked { .. }
            | Self::LastAsked
            | Self::NotSigned { .. }
            | Self::NotListed { .. }
            | Self::NoToken
            | Self::Unsealed { .. }
            | Self::SealAlone { .. } => "CHY-7103",
            Self::OtherText => "CHY-7108",
            Self::Window { .. } => "CHY-7104",
            Self::Form(_)
            | Self::NoReason
            | Self::Past { .. }
            | Self::Field { .. }
            | Self::NoRecipient { .. }
            | Self::Slot { .. }
            | Self::OtherValue { .. }
            | Self::Envelope { .. }
            | Self::Purpose { .. } => "CHY-7105",
            Self::Limit { .. }
            | Self::Extension { .. }
            | Self::Quota { .. }
            | Self::TooFew { .. } => "CHY-7106",
            Self::NotUnique { .. } | Self::UsedToken => "CHY-7107",
            Self::Moved { .. } => "CHY-7108",
            Self::Unknown { .. } | Self::Cost | Self::Failed => "CHY-7110",
            Self::Taken { .. } => "CHY-7112",
            Self::Folder { .. }
            | Self::OtherFolder
            | Self::OtherTable { .. }
            | Self::NoParent { .. }
            | Self::NoPublisher { .. }
            | Self::LowerRank { .. }
            | Self::FiledTwice { .. }
            | Self::MigratedBefore { .. }
            | Self::Unmapped { .. } => "CHY-7111",
        }
    }
}
