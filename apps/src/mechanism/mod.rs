//! What acts do beside moving their own thing: children, records, postings, bookings, notices.
//!
//! All formulas of an act's effects are worked out over what was there before ([`plan`]); then the effects are carried out
//! together. So there is no order among them, and several moves out of one account are judged by their sum.

mod account;
mod ask;
mod booking;
mod notice;
mod plan;
mod registry;
mod send;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    account::balance,
    booking::free,
    plan::Planned,
    registry::find,
    send::{Sent, owed_key, sent_key},
};
pub use self::{
    ask::{Answer, Look, looks},
    notice::{Notice, notices},
    send::{Owed, owed},
};
