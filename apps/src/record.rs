//! What is kept of a decision, and the chain that binds each to those before it.

use chancery_crypto::{Digest, Hasher, cbor};
use chancery_protocol::{DocumentId, Hand};
use serde::{Deserialize, Serialize};

use crate::{
    between::Deferral, look_up::Consulted, manifest::FormFault, reason::Reason, state::Writes,
};

/// The meaning of what is the kernel's own: formulas, calendars, mechanisms. It changes by an entry; old ones are kept.
pub const SEMANTICS: u32 = 1;

/// What was decided upon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Subject {
    /// A document.
    Document(DocumentId),
    /// A deadline that has passed.
    Elapsed {
        /// The case.
        case: String,
        /// The thing.
        thing: String,
        /// The deadline.
        due: String,
        /// Which one of it: what it starts from and what restarts it begin another.
        generation: u32,
    },
    /// What an act owes to a member of a roll.
    Owed {
        /// The case.
        case: String,
        /// The thing.
        thing: String,
        /// The act and its effect: `act/effect`.
        rule: String,
        /// Which member, from 0 on, in the order of the roll.
        member: u32,
    },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outcome {
    /// It took effect.
    Applied(Applied),
    /// It was refused, and changed nothing.
    Refused(Vec<Reason>),
    /// It waits for what it needs to be decided, and loses no time by that.
    Deferred(Deferral),
    /// The program failed at it. It changed nothing, and is decided by no such program.
    Quarantined {
        /// Which program, and its version.
        program: String,
    },
}

/// What took effect.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Applied {
    /// The case, or the kind of thing.
    pub case: String,
    /// The thing.
    pub thing: String,
    /// How many decisions it has seen, this one included.
    pub sequence: u64,
    /// Its state from now on.
    pub state: String,
    /// Numbers that were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<String>,
    /// Rules that did not hold, and only mark it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// For whom it was done, where that is another than has signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behalf: Option<Acted>,
    /// Other things that were moved with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Also>,
}

/// That somebody has acted for a party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acted {
    /// The party.
    pub party: String,
    /// Who has signed.
    pub by: String,
    /// As what.
    #[serde(rename = "as")]
    pub how: Hand,
    /// The document of the office by which he may; none of an officer who helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mandate: Option<String>,
}

/// Another thing that was opened or moved by an effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Also {
    /// The case.
    pub case: String,
    /// The thing.
    pub thing: String,
    /// How many decisions it has seen, this one included.
    pub sequence: u64,
    /// Its state from now on.
    pub state: String,
}

/// Outcomes of what is not the kernel's own. They are part of the input: whoever decides again takes them from here, and may
/// judge them again besides.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Whether the verdict on the document was TOTAL-PASSED: nothing else is ever decided upon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists: Option<Digest>,
    /// Why it was not known yet whether the document holds, if so: it was only decided that it waits, or that it waited in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<String>,
    /// What a JSON Schema found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub form: Vec<FormFault>,
    /// Whom the node's settings name as the first to appoint anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// The first checkpoint of the ledger that witnesses have signed since it was asked for: what a draw may take into its seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
}

/// A checkpoint of the ledger, as whoever has it decided has found and verified it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// How many decisions its tree holds.
    pub decisions: u64,
    /// The size of its tree.
    pub size: u64,
    /// Its root.
    pub root: Digest,
    /// The witnesses who have signed it, in the order of their names, each once.
    pub witnesses: Vec<String>,
}

/// The record of a decision. It is kept sealed; the ledger holds a salted commitment to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its number: decisions of a ledger are counted from 0.
    pub number: u64,
    /// The meaning by which it was decided.
    pub semantics: u32,
    /// When it was decided, in seconds since 1970 UTC: the time of its entry at the earliest.
    pub at: i64,
    /// When it was lodged, which is what being in time goes by.
    pub lodged: i64,
    /// The module.
    pub module: String,
    /// The digest of the module's folder, if it is made of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Digest>,
    /// Upon what.
    pub subject: Subject,
    /// What came of it.
    pub outcome: Outcome,
    /// What others than the kernel had found.
    pub facts: Facts,
    /// The versions of tables that were consulted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<Consulted>,
    /// The commitment to what was written.
    pub writes: Digest,
    /// The digest of the module's state before.
    pub before: Digest,
}

impl Record {
    /// Its bytes: deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("a record is plain")
    }

    /// Reads what [`Record::encode`] gave.
    ///
    /// # Errors
    /// [`chancery_crypto::CborError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, chancery_crypto::CborError> {
        cbor::decode_within(bytes, MOST_RECORD)
    }

    /// The digest of the module's state after it.
    pub fn after(&self) -> Digest {
        let mut hasher = Hasher::new();
        hasher.update(b"chancery/1 module state\0");
        hasher.update(self.before.as_bytes());
        hasher.update(Digest::of(&self.encode()).as_bytes());
        hasher.finish()
    }

    /// What the ledger holds of it.
    pub fn commitment(bytes: &[u8], salt: &Digest) -> Digest {
        let mut hasher = Hasher::new();
        hasher.update(b"chancery/1 decision\0");
        hasher.update(salt.as_bytes());
        hasher.update(bytes);
        hasher.finish()
    }
}

/// The most bytes of a record.
pub const MOST_RECORD: usize = 1 << 20;

/// The state of a module that was never written to.
pub fn beginning() -> Digest {
    Digest::of(b"chancery/1 module state")
}

/// The commitment to what a decision writes: over a commitment for each row, salted each for itself, so that one can be opened
/// without the others. Rows that follow from others are not in it.
pub(crate) fn commit_to_writes(writes: &Writes, salt: &Digest) -> Digest {
    let mut all = Hasher::new();
    all.update(b"chancery/1 writes\0");
    let kept = writes.iter().filter(|(key, _)| !key.family.derived());
    for (number, (key, value)) in (0u64..).zip(kept) {
        let mut own = Hasher::new();
        own.update(salt.as_bytes());
        own.update(&number.to_be_bytes());
        let own = own.finish();
        let mut one = Hasher::new();
        one.update(own.as_bytes());
        let value = value.as_ref().map(|bytes| Digest::of(bytes));
        one.update(&cbor::encode(&(key, value)).expect("a key is plain"));
        all.update(one.finish().as_bytes());
    }
    all.finish()
}
