//! A module as its folder describes it.
//!
//! [`Module::read`] gives it, or all mistakes that there are; nothing of a folder with a mistake is ever used.

mod case;
mod check;
mod codes;
mod computation;
mod computation_check;
mod data;
mod effect;
mod effect_check;
mod exam;
mod exam_check;
mod fault;
mod form;
mod inspection;
mod inspection_check;
mod matching;
mod matching_check;
mod mechanism;
mod mistake;
mod module;
mod reader;
mod reading;
mod reading_check;
mod report;
mod report_check;
mod run;
mod run_check;
mod story;
mod table;
mod table_check;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    case::{Act, Case, Due, DueEnd, Ending, Need, Number, Round, Target},
    computation::{Computation, value_of},
    data::unknown_law,
    effect::{Effect, Verb},
    exam::Exam,
    form::Form,
    inspection::Inspection,
    matching::Matching,
    mechanism::{Account, Ask, Booking, Give, Registry},
    reader::{Fields, Placed, is_name},
    reading::Until,
    report::{How, Measure, Report},
    run::{OfExam, OfInspection, Run},
};
pub use self::{
    check::Authority,
    data::DescribedTable,
    fault::MechanismFault,
    form::FormFault,
    mistake::{Mistake, What},
    module::{Both, Module},
    reader::At,
};
