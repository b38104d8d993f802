//! A module as its folder describes it.
//!
//! [`Module::read`] gives it, or all mistakes that there are; nothing of a folder with a mistake is ever used.

mod case;
mod check;
mod form;
mod mistake;
mod module;
mod reader;
mod reading;
mod reading_check;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    case::{Act, Case, Due, DueEnd, Ending, Number, Round, Target},
    form::Form,
    reader::{Placed, is_name},
    reading::Until,
};
pub use self::{
    check::Authority,
    form::FormFault,
    mistake::{Mistake, What},
    module::{Both, Module},
    reader::At,
};
