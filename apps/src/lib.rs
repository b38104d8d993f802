//! The kernel: a deterministic state machine over verified documents, and the modules that stand on it.
//!
//! A module is a folder of data ([`Module`]); every act is a signed document ([`Input`]); [`Kernel::decide`] gives what it changes
//! and the [`Record`] that is kept of it. Nothing here has a clock, a disk, randomness, a setting, or an order that is not its own.

mod calendar;
mod case;
mod checks;
mod civil;
mod due;
mod entitled;
mod environment;
mod folder;
mod formula;
mod input;
mod jurisdiction;
mod kernel;
mod manifest;
mod nearest;
mod office;
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
mod thing;
mod types;
mod value;
mod wording;
mod words;

pub use self::{
    calendar::{Calendar, Day, Derivation, Rule, Step, Year},
    civil::{Date, Instant, NoTime, Period, Unit, Zone},
    due::Moment,
    folder::{Folder, MEDIA_TYPE, NoFolder},
    formula::{
        Environment, Explained, Fault, Formula, KindFault, Mismatch, NoFormula, Scope, Type,
    },
    input::{Document, Input, Signer},
    kernel::{Coming, Deadline, Decision, Head, Kernel, Salt, decisions, head},
    manifest::{At, Authority, Both, FormFault, Mistake, Module, What},
    office::{
        ACTS as OFFICE_ACTS, APPOINTER, Appointed, Installed, KEEPER, OFFICE, appointed, installed,
    },
    reading::{Hidden, Readable, Reader, Reading, Shown},
    reason::{Reason, Refusal},
    record::{Applied, Facts, MOST_RECORD, Outcome, Record, SEMANTICS, Subject, beginning},
    replay::{Replay, ReplayFault, Replayed},
    scenario::{Broken, Scenario, Told},
    state::{Family, Key, MemoryState, Overlay, Row, State, StateError, Writes},
    thing::{Thing, Votes},
    types::{AppError, DocumentType, Types, find_type, types},
    value::{Value, Why},
    words::Words,
};
