//! What acts do beside moving their own thing: children, records, postings, bookings, notices.
//!
//! All formulas of an act's effects are worked out over what was there before ([`plan`]); then the effects are carried out
//! together. So there is no order among them, and several moves out of one account are judged by their sum.

mod account;
mod ask;
mod booking;
mod notice;
mod plan;
mod publication;
mod registry;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    account::balance,
    booking::free,
    plan::Planned,
    publication::{cited, find as find_work},
    registry::find,
};
pub use self::{
    ask::{Answer, Look, looks},
    notice::{Notice, notices},
    publication::{
        Attached, Copy, Event, Found, Opened, Published, SearchEntry, Spell, Status, WorkView,
        copy, feed,
    },
};
