//! Deciding again what was decided: whoever holds the records and the documents comes to the same state, or is told where not.

use chancery_crypto::Digest;

use crate::{
    civil::Instant,
    input::{Document, Input},
    kernel::{Coming, Head, Kernel, Salt, decisions, head},
    record::{Outcome, Record, SEMANTICS, Subject},
    state::{Key, MemoryState, State, StateError},
};

/// A replay that goes on.
#[derive(Debug, Default)]
pub struct Replay {
    kernel: Kernel,
    state: MemoryState,
    home: String,
}

/// What a step of a replay came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The module.
    pub module: String,
    /// Its state from now on.
    pub head: Head,
    /// Whether it took effect.
    pub applied: bool,
}

/// Where a replay comes to something else than was recorded.
#[derive(Debug)]
pub enum ReplayFault {
    /// The bytes are no record.
    Unread(String),
    /// Another decision was to come next: one is missing, stands twice, or two are swapped.
    Order {
        /// The number that was to come.
        wanted: u64,
        /// The number that came.
        found: u64,
    },
    /// It was decided by a meaning that is not known here.
    Semantics {
        /// Which.
        found: u32,
    },
    /// The document that was decided upon is not here, or is another.
    Document,
    /// Deciding again gives another record: these parts of it differ.
    Other {
        /// The parts.
        parts: Vec<&'static str>,
        /// What comes out now.
        now: Box<Record>,
    },
    /// State cannot be read.
    State(StateError),
}

impl From<StateError> for ReplayFault {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

impl Replay {
    /// A replay of the decisions of an agency's ledger, from their beginning.
    pub fn of(home: &str) -> Self {
        Self { home: home.to_owned(), ..Self::default() }
    }

    /// As [`Replay::of`], from a state that is given.
    pub fn from(home: &str, state: MemoryState) -> Self {
        Self { home: home.to_owned(), state, ..Self::default() }
    }

    /// The state as it is now.
    pub fn state(&self) -> &MemoryState {
        &self.state
    }

    /// The heads of all modules that have seen decisions.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn heads(&self) -> Result<Vec<(String, Head)>, StateError> {
        let all = self.state.rows().filter(|(key, _)| is_head(key));
        all.map(|(key, _)| Ok((key.module.clone(), head(&self.state, &key.module)?))).collect()
    }

    /// Decides again. The document is that which the record names, verified by whoever calls.
    ///
    /// # Errors
    /// [`ReplayFault`]: nothing after it can be replayed.
    pub fn step(
        &mut self,
        record: &[u8],
        salt: &Digest,
        document: Option<Document>,
    ) -> Result<Replayed, ReplayFault> {
        let bytes = record;
        let record = Record::decode(bytes).map_err(|e| ReplayFault::Unread(e.to_string()))?;
        let wanted = decisions(&self.state)?;
        if record.number != wanted {
            return Err(ReplayFault::Order { wanted, found: record.number });
        }
        if record.semantics != SEMANTICS {
            return Err(ReplayFault::Semantics { found: record.semantics });
        }
        let salt = Salt::Own(*salt);
        let decision = match &record.subject {
            Subject::Document(id) => {
                let document = document.filter(|document| document.id == *id);
                let input = Input {
                    at: Instant(record.at),
                    lodged: Instant(record.lodged),
                    home: self.home.clone(),
                    salt,
                    facts: record.facts.clone(),
                    document: document.ok_or(ReplayFault::Document)?,
                };
                match &record.outcome {
                    // What a program failed at is not tried again: that it failed is what was recorded.
                    Outcome::Quarantined { program } => {
                        Some(self.kernel.quarantine(&self.state, &input, program)?)
                    }
                    _ => self.kernel.decide(&self.state, &input)?.into_iter().next(),
                }
            }
            Subject::Owed { case, thing, .. } => {
                let coming = Coming {
                    module: record.module.clone(),
                    case: case.clone(),
                    thing: thing.clone(),
                };
                self.kernel.owed_once(&self.state, &coming, &self.home, Instant(record.at), salt)?
            }
            Subject::Elapsed { case, thing, .. } => {
                let coming = Coming {
                    module: record.module.clone(),
                    case: case.clone(),
                    thing: thing.clone(),
                };
                let (at, lodged) = (Instant(record.at), Instant(record.lodged));
                self.kernel.passed(&self.state, &coming, &self.home, at, lodged, salt)?
            }
        };
        let Some(decision) = decision else {
            return Err(ReplayFault::Other { parts: vec!["subject"], now: Box::new(record) });
        };
        if decision.record.encode() != bytes {
            let parts = differing(&record, &decision.record);
            return Err(ReplayFault::Other { parts, now: Box::new(decision.record) });
        }
        self.state.apply(&decision.writes);
        Ok(Replayed {
            head: head(&self.state, &record.module)?,
            module: record.module,
            applied: matches!(record.outcome, Outcome::Applied(_)),
        })
    }
}

fn is_head(key: &Key) -> bool {
    key.family == crate::state::Family::Chain && key.name == "head"
}

fn differing(was: &Record, now: &Record) -> Vec<&'static str> {
    let parts = [
        ("module", was.module != now.module),
        ("version", was.version != now.version),
        ("subject", was.subject != now.subject),
        ("outcome", was.outcome != now.outcome),
        ("facts", was.facts != now.facts),
        ("tables", was.tables != now.tables),
        ("time", (was.at, was.lodged) != (now.at, now.lodged)),
        ("before", was.before != now.before),
        ("writes", was.writes != now.writes),
    ];
    parts.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

/// State that is read only, for whoever looks at a replay.
impl State for Replay {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StateError> {
        self.state.get(key)
    }

    fn scan(
        &self,
        beside: &Key,
        after: &str,
        most: usize,
    ) -> Result<Vec<crate::state::Row>, StateError> {
        self.state.scan(beside, after, most)
    }
}
