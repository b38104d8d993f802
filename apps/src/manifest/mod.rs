//! A module as its folder describes it.
//!
//! [`Module::read`] gives it, or all mistakes that there are; nothing of a folder with a mistake is ever used.

mod case;
mod changes;
mod check;
mod codes;
mod data;
mod effect;
mod effect_check;
mod extends;
mod form;
mod mechanism;
mod migration;
mod mistake;
mod module;
mod param;
mod reader;
mod reading;
mod reading_check;
mod special;
mod stock;
mod story;
mod table;
mod table_check;
mod toml_tree;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    case::{Act, Case, Due, DueEnd, Ending, Need, Number, Round, Target},
    codes::read_codes,
    data::unknown_law,
    effect::{Effect, Verb},
    form::Form,
    mechanism::{Account, Ask, Booking, Give, Registry},
    migration::Migration,
    reader::{Fields, Placed, is_name},
    reading::Until,
    special::{How, Stale, Within},
};
pub use self::{
    changes::{Change, How, Loosens, Touches},
    check::Authority,
    data::DescribedTable,
    extends::Extends,
    form::FormFault,
    mistake::{Mistake, What},
    module::{Both, Module},
    reader::At,
    stock::StockFault,
};
