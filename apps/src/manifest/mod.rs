//! A module as its folder describes it.
//!
//! [`Module::read`] gives it, or all mistakes that there are; nothing of a folder with a mistake is ever used.

mod case;
mod changes;
mod check;
mod codes;
mod credential;
mod data;
mod draw;
mod effect;
mod effect_check;
mod extends;
mod form;
mod mechanism;
mod migration;
mod mistake;
mod module;
mod more;
mod more_verb;
mod param;
mod reader;
mod reading;
mod reading_check;
mod roll;
mod sealed;
mod special;
mod stock;
mod story;
mod survey;
mod table;
mod table_check;
mod toml_tree;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    case::{Act, Case, Due, DueEnd, Ending, Need, Number, Round, Target},
    codes::read_codes,
    credential::Credential,
    data::unknown_law,
    draw::Draw,
    effect::{Effect, Verb},
    form::Form,
    mechanism::{Account, Ask, Booking, Give, Registry},
    migration::Migration,
    more_verb::MoreVerb,
    reader::{Fields, Placed, is_name},
    reading::Until,
    roll::Roll,
    sealed::{Sealed, Shows},
    special::{How, Stale, Within},
    survey::{Survey, tallied},
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
