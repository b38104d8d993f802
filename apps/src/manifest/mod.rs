//! A module as its folder describes it.
//!
//! [`Module::read`] gives it, or all mistakes that there are; nothing of a folder with a mistake is ever used.

mod case;
mod changes;
mod check;
mod codes;
mod computation;
mod computation_check;
mod credential;
mod data;
mod draw;
mod effect;
mod effect_check;
mod exam;
mod exam_check;
mod extends;
mod fault;
mod form;
mod inspection;
mod inspection_check;
mod matching;
mod matching_check;
mod mechanism;
mod migration;
mod mistake;
mod module;
mod more;
mod more_verb;
mod param;
mod publication;
mod publication_check;
mod reader;
mod reading;
mod reading_check;
mod report;
mod report_check;
mod roll;
mod run;
mod run_check;
mod sealed;
mod side;
mod special;
mod stock;
mod story;
mod survey;
mod table;
mod table_check;
mod template;
mod toml_tree;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    case::{Act, Case, Due, DueEnd, Ending, Need, Number, Round, Target},
    codes::read_codes,
    computation::{Computation, value_of},
    credential::Credential,
    data::unknown_law,
    draw::Draw,
    effect::{Effect, Verb},
    exam::Exam,
    form::Form,
    inspection::Inspection,
    matching::Matching,
    mechanism::{Account, Ask, Booking, Give, Registry},
    migration::Migration,
    more_verb::MoreVerb,
    publication::{Cutting, Publication},
    reader::{Fields, Placed, is_name},
    reading::Until,
    report::{Figure, Measure, Report},
    roll::Roll,
    run::{OfExam, OfInspection, Run},
    sealed::{Sealed, Shows},
    side::Side,
    special::{Recast, Stale, Within},
    survey::{Survey, tallied},
    template::{Align, Block, Body, Fixed, Numbers, Part, Place, Said, Sheet, Style, Template},
};
pub use self::{
    changes::{Change, How, Loosens, Touches},
    check::Authority,
    data::DescribedTable,
    extends::Extends,
    fault::MechanismFault,
    form::FormFault,
    mistake::{Mistake, What},
    module::{Both, Module},
    publication::EventKind,
    reader::At,
    stock::StockFault,
};
