//! The kernel: a deterministic state machine over verified documents, and the modules that stand on it.
//!
//! A module is a folder of data ([`Module`]); every act is a signed document ([`Input`]); [`Kernel::decide`] gives what it changes
//! and the [`Record`] that is kept of it. Nothing here has a clock, a disk, randomness, a setting, or an order that is not its own.
//! ([`Envelope::seal`] alone takes fresh keys: it is for whoever deposits one, and no part of deciding.)

mod acts;
#[cfg(test)]
mod acts_tests;
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
mod envelope;
mod environment;
mod exchange;
#[cfg(test)]
mod extends_tests;
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
mod migration;
#[cfg(test)]
mod migration_tests;
mod nearest;
mod office;
mod office_codes;
#[cfg(test)]
mod office_order_tests;
mod office_tables;
#[cfg(test)]
mod office_tables_tests;
#[cfg(test)]
mod office_tests;
mod office_versions;
mod paper;
#[cfg(test)]
mod param_tests;
mod plain;
mod publisher;
mod reading;
#[cfg(test)]
mod reading_tests;
mod reason;
mod record;
mod replay;
mod rounds;
mod rules;
mod scenario;
mod scenario_published;
mod state;
mod statute;
mod stories;
mod table;
#[cfg(test)]
mod table_random_tests;
#[cfg(test)]
mod table_tests;
mod thing;
mod turns;
mod types;
mod value;
#[cfg(test)]
mod versions_tests;
mod wording;
mod words;

pub use self::{
    between::{Answered, Deferral, MOST_DEFERRED, is_for_modules},
    calendar::{Calendar, Day, Derivation, NoEnd, Rule, Step, Still, Year},
    civil::{Date, Instant, NoTime, Period, Unit, Zone},
    due::Moment,
    envelope::{
        Envelope, EnvelopeFault, MOST_ENVELOPE, MOST_HOLDERS, MOST_SEALED, envelope_context,
    },
    exchange::{Exchange, Original, TookEffect, effect_key},
    folder::{Folder, MEDIA_TYPE, NoFolder},
    formula::{
        Environment, Explained, Fault, Formula, KindFault, Mismatch, NoFormula, Scope, Type,
    },
    input::{Document, Input, Signer},
    kernel::{Coming, Deadline, Decision, Head, Kernel, Salt, decisions, head},
    look_up::{Consulted, Looked},
    mandates::{ACTS as MANDATE_ACTS, COUNTER, Mandate, REGISTRAR, mandates},
    manifest::{
        At, Authority, Both, Change, DescribedTable, EventKind, Extends, FormFault, How, Loosens,
        MechanismFault, Mistake, Module, StockFault, Touches, What,
    },
    mechanism::{
        Answer, Attached, Computed, Copy, CredentialStatus, Deposit, DrawResult, Drawn, Drilled,
        Event, Found, Grade, Issued, LeftOut, Line, Look, Matched, Member, NotComputed, NotPlain,
        Noted, Notice, Offline, Opened, Opening, Owed, OwedDocument, Pair, Paper as ExamPaper,
        PaperSeen, PlainCredential, Published, Regraded, Replaced, Restated, RollHead, Script,
        SearchEntry, Sheet, Spell, Status, StatusList, Unplaced, WorkView, Worked, conflicts, copy,
        draw_commitment, draw_order, draw_seed, feed, looks, matches, noted, notices, openings,
        owed_documents, refused_members, statements, token_digest,
    },
    migration::{Cover, Unmapped},
    office::{
        ACTS as OFFICE_ACTS, APPOINTER, Appointed, Installed, KEEPER, OFFICE, appointed, installed,
    },
    office_codes::{CODES_MEDIA_TYPE, FiledCodes, filed_codes},
    office_tables::{FiledTable, TABLE_MEDIA_TYPE, filed_tables},
    office_versions::{Proposed, coming, known, proposed, waiting, whole_folder},
    paper::{Colour, Face, Item, Metrics, NotPrinted, Paper, Qr, Run, SealPlace, Stroke},
    reading::{Hidden, Readable, Reader, Reading, Shown},
    reason::{MechanismRefusal, Reason, Refusal},
    record::{
        Acted, Also, Applied, Checkpoint, Facts, MOST_RECORD, Outcome, Record, SEMANTICS, Subject,
        beginning,
    },
    replay::{Replay, ReplayFault, Replayed},
    scenario::{Broken, Scenario, Told},
    state::{Family, Key, MemoryState, Overlay, Row, State, StateError, Writes},
    statute::{
        Address, Change as PartChange, Citation, Cut, Level, MOST_PARTS, MOST_TEXT, Part, Stray,
        compare, cut, is_within, paragraphs,
    },
    stories::{Tale, tell},
    thing::{ByHand, Parent, Span, Thing, Votes},
    turns::{Annulled, Back, Last, Suspended, Turns, Void},
    types::{AppError, DocumentType, Types, find_type, types},
    value::{Value, Why},
    words::Words,
};
