//! What acts do beside moving their own thing: children, records, postings, bookings, notices.
//!
//! All formulas of an act's effects are worked out over what was there before ([`plan`]); then the effects are carried out
//! together. So there is no order among them, and several moves out of one account are judged by their sum.

mod account;
mod ask;
mod booking;
mod credential;
#[cfg(test)]
mod credential_tests;
mod draw;
#[cfg(test)]
mod draw_tests;
mod more;
mod notice;
mod owed;
mod plan;
mod registry;
mod roll;
#[cfg(test)]
mod roll_tests;
mod sealed;
#[cfg(test)]
mod sealed_tests;
mod status_list;
mod survey;
#[cfg(test)]
mod survey_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;

pub(crate) use self::{
    account::balance, booking::free, more::call, owed::first as first_owed, plan::Planned,
    registry::find, roll::show as show_roll,
};
pub use self::{
    ask::{Answer, Look, looks},
    credential::{Issued, Status},
    draw::{DrawResult, Drawn, Replaced, draw_commitment, draw_order, draw_seed},
    notice::{Notice, notices},
    owed::{Owed, refused_members},
    roll::{LeftOut, Member, RollHead},
    sealed::{Deposit, Opening, openings},
    status_list::{NotPlain, Offline, PlainCredential, StatusList},
    survey::token_digest,
};
