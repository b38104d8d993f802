//! The kernel: a deterministic state machine over verified documents, and the modules that stand on it.
//!
//! A module is a folder of data ([`Module`]); every act is a signed document ([`Input`]); [`Kernel::decide`] gives what it changes
//! and the [`Record`] that is kept of it. Nothing here has a clock, a disk, randomness, a setting, or an order that is not its own.

mod calendar;
mod case;
mod checks;
mod civil;
mod codes;
mod due;
mod entitled;
mod environment;
mod folder;
mod formula;
mod input;
mod jurisdiction;
mod kernel;
mod look_up;
mod mandates;
#[cfg(test)]
mod mandates_tests;
mod manifest;
mod mechanism;
mod nearest;
mod office;
#[cfg(test)]
mod office_order_tests;
mod office_tables;
#[cfg(test)]
mod office_tables_tests;
#[cfg(test)]
mod office_tests;
mod reading;
#[cfg(test)]
mod reading_tests;
mod reason;
mod record;
mod replay;
mod scenario;
mod state;
mod table;
#[cfg(test)]
mod table_random_tests;
#[cfg(test)]
mod table_tests;
mod thing;
mod types;
mod value;
mod wording;
mod words;

pub use self::{
    calendar::{Calendar, Day, Derivation, NoEnd, Rule, Step, Still, Year},
    civil::{Date, Instant, NoTime, Period, Unit, Zone},
    due::Moment,
    folder::{Folder, MEDIA_TYPE, NoFolder},
    formula::{
        Environment, Explained, Fault, Formula, KindFault, Mismatch, NoFormula, Scope, Type,
    },
    input::{Document, Input, Signer},
    kernel::{Coming, Deadline, Decision, Head, Kernel, Salt, decisions, head},
    look_up::{Consulted, Looked},
    mandates::{ACTS as MANDATE_ACTS, COUNTER, Mandate, REGISTRAR, mandates},
    manifest::{At, Authority, Both, DescribedTable, FormFault, Mistake, Module, What},
    mechanism::{Answer, Look, Notice, looks, notices},
    office::{
        ACTS as OFFICE_ACTS, APPOINTER, Appointed, Installed, KEEPER, OFFICE, appointed, installed,
    },
    office_tables::{FiledTable, TABLE_MEDIA_TYPE, filed_tables},
    reading::{Hidden, Readable, Reader, Reading, Shown},
    reason::{Reason, Refusal},
    record::{
        Acted, Also, Applied, Facts, MOST_RECORD, Outcome, Record, SEMANTICS, Subject, beginning,
    },
    replay::{Replay, ReplayFault, Replayed},
    scenario::{Broken, Scenario, Told},
    state::{Family, Key, MemoryState, Overlay, Row, State, StateError, Writes},
    thing::{ByHand, Parent, Span, Thing, Votes},
    types::{AppError, DocumentType, Types, find_type, types},
    value::{Value, Why},
    words::Words,
};
