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
mod notice;
mod plan;
mod refusal;
mod registry;
mod report;
#[cfg(test)]
mod report_tests;
mod run;
#[cfg(test)]
mod seat_tests;
mod stable;
mod suppress;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    account::balance,
    booking::free,
    computation::{Asked, calculate, explained},
    exam_seen::{graded, paper},
    inspection::{checks, drawn},
    matching::placed,
    plan::Planned,
    registry::find,
    run::shown,
};
pub use self::{
    ask::{Answer, Look, looks},
    computation::{Computed, NotComputed, Worked},
    exam::{Grade, Paper, PaperSeen, Regraded, Script},
    inspection::{Noted, conflicts, noted},
    matching::{Matched, Pair, Unplaced, matches},
    notice::{Notice, notices},
    refusal::MechanismRefusal,
    report::{Change, Drilled, Line, Sheet, statements},
};
