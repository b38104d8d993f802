//! The kernel: a deterministic state machine over verified documents, and the modules that stand on it.
//!
//! A module is a folder of data ([`Module`]); every act is a signed document ([`Input`]); [`Kernel::decide`] gives what it changes
//! and the [`Record`] that is kept of it. Nothing here has a clock, a disk, randomness, a setting, or an order that is not its own.

mod between;
#[cfg(test)]
mod between_tests;
mod calendar;
mod case;
mod checks;
mod civil;
mod codes;
mod due;
mod entitled;
mod environment;
mod exchange;
mod folder;
mod formula;
mod input;
mod jurisdiction;
mod kernel;
mod look_up;
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
mod rules;
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
    between::{Answered, Deferral, MOST_DEFERRED, is_for_modules},
    calendar::{Calendar, Day, Derivation, NoEnd, Rule, Step, Still, Year},
    civil::{Date, Instant, NoTime, Period, Unit, Zone},
    due::Moment,
    exchange::{Exchange, Original, TookEffect, effect_key},
    folder::{Folder, MEDIA_TYPE, NoFolder},
    formula::{
        Environment, Explained, Fault, Formula, KindFault, Mismatch, NoFormula, Scope, Type,
    },
    input::{Document, Input, Signer},
    kernel::{Coming, Deadline, Decision, Head, Kernel, Salt, decisions, head},
    look_up::{Consulted, Looked},
    manifest::{At, Authority, Both, DescribedTable, FormFault, Mistake, Module, What},
    mechanism::{Answer, Look, Notice, Owed, looks, notices, owed},
    office::{
        ACTS as OFFICE_ACTS, APPOINTER, Appointed, Installed, KEEPER, OFFICE, appointed, installed,
    },
    office_tables::{FiledTable, TABLE_MEDIA_TYPE, filed_tables},
    reading::{Hidden, Readable, Reader, Reading, Shown},
    reason::{Reason, Refusal},
    record::{Also, Applied, Facts, MOST_RECORD, Outcome, Record, SEMANTICS, Subject, beginning},
    replay::{Replay, ReplayFault, Replayed},
    scenario::{Broken, Scenario, Told},
    state::{Family, Key, MemoryState, Overlay, Row, State, StateError, Writes},
    thing::{Parent, Span, Thing, Votes},
    types::{AppError, DocumentType, Types, find_type, types},
    value::{Value, Why},
    words::Words,
};
