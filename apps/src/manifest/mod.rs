//! A module as its folder describes it.
//!
//! [`Module::read`] gives it, or all mistakes that there are; nothing of a folder with a mistake is ever used.

mod case;
mod check;
mod codes;
mod credential;
mod data;
mod draw;
mod effect;
mod effect_check;
mod form;
mod mechanism;
mod mistake;
mod module;
mod more;
mod more_verb;
mod reader;
mod reading;
mod reading_check;
mod roll;
mod sealed;
mod story;
mod survey;
mod table;
mod table_check;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    case::{Act, Case, Due, DueEnd, Ending, Need, Number, Round, Target},
    credential::Credential,
    data::unknown_law,
    draw::Draw,
    effect::{Effect, Verb},
    form::Form,
    mechanism::{Account, Ask, Booking, Give, Registry},
    more_verb::MoreVerb,
    reader::{Fields, Placed, is_name},
    reading::Until,
    roll::Roll,
    sealed::{Sealed, Shows},
    survey::{Survey, tallied},
};
pub use self::{
    check::Authority,
    data::DescribedTable,
    form::FormFault,
    mistake::{Mistake, What},
    module::{Both, Module},
    reader::At,
};
