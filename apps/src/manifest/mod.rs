//! A module as its folder describes it.
//!
//! [`Module::read`] gives it, or all mistakes that there are; nothing of a folder with a mistake is ever used.

mod case;
mod check;
mod codes;
mod data;
mod form;
mod mistake;
mod module;
mod reader;
mod table;
mod table_check;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    case::{Act, Case, Due, DueEnd, Ending, Number, Round, Target},
    data::unknown_law,
    form::Form,
    reader::Placed,
};
pub use self::{
    check::Authority,
    data::DescribedTable,
    form::FormFault,
    mistake::{Mistake, What},
    module::{Both, Module},
    reader::At,
};
