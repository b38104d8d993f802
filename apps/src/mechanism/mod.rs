//! What acts do beside moving their own thing: children, records, postings, bookings, notices.
//!
//! All formulas of an act's effects are worked out over what was there before ([`plan`]); then the effects are carried out
//! together. So there is no order among them, and several moves out of one account are judged by their sum.

mod account;
mod ask;
mod booking;
mod computation;
#[cfg(test)]
mod computation_tests;
mod credential;
#[cfg(test)]
mod credential_tests;
mod draw;
#[cfg(test)]
mod draw_tests;
mod exam;
mod exam_seen;
#[cfg(test)]
mod exam_tests;
mod inspection;
#[cfg(test)]
mod inspection_tests;
mod matching;
#[cfg(test)]
mod matching_tests;
mod more;
mod notice;
mod owed;
mod plan;
mod publication;
mod refusal;
mod registry;
mod report;
#[cfg(test)]
mod report_tests;
mod roll;
#[cfg(test)]
mod roll_tests;
mod run;
mod sealed;
#[cfg(test)]
mod sealed_tests;
#[cfg(test)]
mod seat_tests;
mod send;
mod stable;
mod status_list;
mod suppress;
mod survey;
#[cfg(test)]
mod survey_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;

pub(crate) use self::{
    account::balance,
    booking::free,
    computation::{Asked, calculate, explained},
    exam_seen::{graded, paper},
    inspection::{assigned, checks},
    matching::placed,
    more::call,
    owed::first as first_owed,
    plan::Planned,
    publication::{cited, find as find_work},
    registry::find,
    roll::show as show_roll,
    run::shown,
    send::{Sent, owed_key, sent_key},
};
pub use self::{
    ask::{Answer, Look, looks},
    computation::{Computed, NotComputed, Worked},
    credential::{Issued, Status as CredentialStatus},
    draw::{DrawResult, Drawn, Replaced, draw_commitment, draw_order, draw_seed},
    exam::{Grade, Paper, PaperSeen, Regraded, Script},
    inspection::{Noted, conflicts, noted},
    matching::{Matched, Pair, Unplaced, matches},
    notice::{Notice, notices},
    owed::{Owed, refused_members},
    publication::{
        Attached, Copy, Event, Found, Opened, Published, SearchEntry, Spell, Status, WorkView,
        copy, feed,
    },
    refusal::MechanismRefusal,
    report::{Drilled, Line, Restated, Sheet, statements},
    roll::{LeftOut, Member, RollHead},
    sealed::{Deposit, Opening, openings},
    send::{Owed as OwedDocument, owed as owed_documents},
    status_list::{NotPlain, Offline, PlainCredential, StatusList},
    survey::token_digest,
};
