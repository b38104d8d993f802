//! A module as its folder describes it.
//!
//! [`Module::read`] gives it, or all mistakes that there are; nothing of a folder with a mistake is ever used.

mod case;
mod check;
mod codes;
mod data;
mod effect;
mod effect_check;
mod form;
mod mechanism;
mod mistake;
mod module;
mod reader;
mod reading;
mod reading_check;
mod side;
mod story;
mod table;
mod table_check;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    case::{Act, Case, Due, DueEnd, Ending, Need, Number, Round, Target},
    data::unknown_law,
    effect::{Effect, Verb},
    form::Form,
    mechanism::{Account, Ask, Booking, Give, Registry},
    reader::{Fields, Placed, is_name},
    reading::Until,
    side::Side,
};
pub use self::{
    check::Authority,
    data::DescribedTable,
    form::FormFault,
    mistake::{Mistake, What},
    module::{Both, Module},
    reader::At,
};
