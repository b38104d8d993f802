//! Acts between agencies. A matter has one home, whose ledger decides it: what comes from elsewhere is a request, and its answer tells
//! the sender what was decided. What cannot be decided yet waits, by an entry that says until when.

use chancery_crypto::{Digest, cbor};
use chancery_protocol::{Act, DocumentHeader, OUTCOME};
use serde::{Deserialize, Serialize};

use crate::{
    case::Deciding,
    input::{Document, Input},
    kernel::{Decision, Kernel, decided},
    manifest::Ending,
    mechanism::{OwedDocument, Sent, owed_key, sent_key},
    office::{self, OFFICE},
    reason::{Reason, Refusal},
    record::{Applied, Outcome, Subject},
    state::{Family, Key, Overlay, State, StateError, Writes},
    thing::Thing,
};

/// For how long a request waits for what it needs to be decided, in seconds from its arrival: a week.
pub const MOST_DEFERRED: i64 = 7 * 86_400;

/// The types of answers that a node gives by itself are no requests: nothing ever answers them.
fn is_answer(header: &DocumentHeader) -> bool {
    Act::of(&header.kind) == Some(Act::Decision)
}

/// Whether a document that has come from another agency is one that modules may have to decide: a request to a ledger that is not its
/// sender's, or the answer to one.
pub fn is_for_modules(header: &DocumentHeader) -> bool {
    match &header.filing {
        Some(filing) => filing.home != header.from,
        None => is_answer(header) && header.in_reply_to.is_some(),
    }
}

/// What an answer says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answered {
    /// It took effect.
    Applied,
    /// It was refused, and changed nothing.
    Refused,
}

impl Answered {
    /// As it stands in the field [`OUTCOME`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
        }
    }

    fn of(header: &DocumentHeader) -> Option<Self> {
        let said = header.fields.get(OUTCOME)?;
        [Self::Applied, Self::Refused].into_iter().find(|one| one.name() == said)
    }
}

/// Since when a document waits, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deferral {
    /// What it waits for.
    pub why: Reason,
    /// Until when: it is refused then. In seconds since 1970 UTC.
    pub until: i64,
}

/// The key of a document that waits to be decided.
fn waiting(document: &Document) -> Key {
    Key::new(Family::Document, "").name("waits").id(&document.id.to_string())
}

/// The key of a document at which the program failed.
fn quarantined(document: &Document) -> Key {
    Key::new(Family::Document, "").name("quarantine").id(&document.id.to_string())
}

impl Document {
    /// Whether another agency has sent it to the one that decides it. What a party files with it has nobody sent.
    pub(crate) fn is_from_elsewhere(&self) -> bool {
        let by_party = self.header.is_internal() && self.hand().is_party();
        self.filing().is_some_and(|filing| filing.home != self.header.from && !by_party)
    }

    /// Whether the seal of its agency is on it.
    fn is_sealed(&self) -> bool {
        self.signers.iter().any(|signer| signer.name == self.header.from.as_str())
    }

    /// Whether nobody but the seal of its agency has signed it.
    pub(crate) fn is_of_the_seal(&self) -> bool {
        self.is_sealed()
            && self.signers.iter().all(|signer| signer.name == self.header.from.as_str())
    }
}

/// What a document that is no act here does all the same.
pub(crate) enum Between {
    /// It discharges what was owed.
    Discharges(Digest, Box<OwedDocument>),
    /// It answers what was sent.
    Answers(Box<Sent>, Answered),
}

impl Kernel {
    /// What a document is that another ledger decides, or that answers: none of what nothing here waits for.
    pub(crate) fn between(
        &self,
        state: &dyn State,
        input: &Input,
    ) -> Result<Option<Between>, StateError> {
        let header = &input.document.header;
        match &header.filing {
            Some(filing) if header.from.as_str() == input.home && filing.home != header.from => {
                let Some(bytes) = state.get(&owed_key(&header.nonce))? else { return Ok(None) };
                let owed: OwedDocument = decode(&bytes)?;
                let same = owed.to == filing.home
                    && owed.act == filing.act
                    && owed.about == filing.about
                    && owed.module == header.module
                    && owed.form == header.kind
                    && owed.with == header.form
                    && header.to == [owed.to.clone()]
                    && input.document.is_of_the_seal();
                Ok(same.then(|| Between::Discharges(header.nonce, Box::new(owed))))
            }
            None if is_answer(header) && header.from.as_str() != input.home => {
                let (Some(to), Some(said)) = (header.in_reply_to, Answered::of(header)) else {
                    return Ok(None);
                };
                let Some(bytes) = state.get(&sent_key(&to))? else { return Ok(None) };
                let sent: Sent = decode(&bytes)?;
                // Nobody else answers for its recipient, and none of its clerks.
                let his = sent.to == header.from
                    && sent.module == header.module
                    && input.document.is_of_the_seal();
                Ok(his.then(|| Between::Answers(Box::new(sent), said)))
            }
            _ => Ok(None),
        }
    }

    /// Whether a document answers something of which nothing here waits to be told.
    pub(crate) fn is_idle_answer(
        &self,
        state: &dyn State,
        input: &Input,
    ) -> Result<bool, StateError> {
        Ok(is_answer(&input.document.header) && self.between(state, input)?.is_none())
    }

    /// Carries out what a document does that is no act here.
    pub(crate) fn settle_between(
        &self,
        overlay: &mut Overlay<'_>,
        input: &Input,
        between: Between,
    ) -> Result<(Applied, Digest), StateError> {
        match between {
            Between::Discharges(name, owed) => {
                let OwedDocument { module, version, case, thing, rule, refused, to, .. } = *owed;
                overlay.delete(owed_key(&name));
                let applied = self.there(overlay, (&module, &case, &thing))?;
                let sent = Sent { module, version, case, thing, rule, refused, to };
                let bytes = cbor::encode(&sent).expect("plain");
                overlay.put(sent_key(&input.document.id), bytes);
                Ok((applied, version))
            }
            Between::Answers(sent, said) => {
                let Sent { module, version, case, thing, rule, refused, .. } = *sent;
                if let Some(to) = &input.document.header.in_reply_to {
                    overlay.delete(sent_key(to));
                }
                let at = (module.as_str(), case.as_str(), thing.as_str());
                if said == Answered::Applied {
                    return Ok((self.there(overlay, at)?, version));
                }
                let gone = || StateError::damaged(format!("{case} {thing} is gone"));
                let found = Thing::get(overlay, &module, &case, &thing)?.ok_or_else(gone)?;
                let by = found.version.unwrap_or(version);
                let read = self.module(overlay, &by)?;
                let of = read.cases.get(&case).ok_or_else(gone)?;
                let calendar = self.calendar(overlay)?;
                let (home, at) = (&input.home, input.at);
                let deciding = self.deciding(&read, of, &calendar, home, &thing, at, input.lodged);
                let applied = deciding.was_refused(overlay, found, &rule, refused)?;
                Ok((applied, by))
            }
        }
    }

    /// A thing that something was about, which it has not moved.
    fn there(
        &self,
        state: &dyn State,
        (module, case, id): (&str, &str, &str),
    ) -> Result<Applied, StateError> {
        let thing = Thing::get(state, module, case, id)?;
        let thing = thing.ok_or_else(|| StateError::damaged(format!("{case} {id} is gone")))?;
        Ok(Applied {
            case: case.to_owned(),
            thing: id.to_owned(),
            sequence: thing.sequence,
            state: thing.state,
            ..Applied::default()
        })
    }

    /// Whether a request from elsewhere has to wait: what it needs to be decided is not here yet. Gives the entry of that, once for each
    /// thing that it waits for.
    pub(crate) fn wait(
        &self,
        state: &dyn State,
        input: &Input,
    ) -> Result<Option<Vec<Decision>>, StateError> {
        let document = &input.document;
        let name = &document.header.module;
        let here = document.filing().is_some_and(|filing| filing.home.as_str() == input.home);
        let until = input.lodged.0.saturating_add(MOST_DEFERRED);
        if !here || !document.is_from_elsewhere() || input.at.0 >= until {
            return Ok(None);
        }
        if state.get(&decided(document))?.is_some() {
            return Ok(None);
        }
        let why = match &input.facts.open {
            Some(what) => Refusal::Unverified { what: what.clone() },
            None if name != OFFICE && office::installed(state, name)?.is_none() => {
                Refusal::NoModule
            }
            None => return Ok(None),
        };
        let why = Reason { rule: name.clone(), law: None, why };
        let deferral = Deferral { why, until };
        let bytes = cbor::encode(&deferral).expect("plain");
        let key = waiting(document);
        if state.get(&key)?.as_ref() == Some(&bytes) {
            return Ok(Some(Vec::new()));
        }
        let writes = Writes::from([(key, Some(bytes))]);
        let subject = Subject::Document(document.id);
        let outcome = Outcome::Deferred(deferral);
        let by = crate::kernel::By::of(input, Vec::new());
        Ok(Some(vec![self.record(state, name, None, subject, outcome, writes, &by)?]))
    }

    /// Has a document that waited wait no more.
    pub(crate) fn wait_no_more(
        state: &dyn State,
        document: &Document,
        writes: &mut Writes,
    ) -> Result<(), StateError> {
        let key = waiting(document);
        if state.get(&key)?.is_some() {
            writes.insert(key, None);
        }
        Ok(())
    }

    /// Whether a document waits to be decided.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn waits(&self, state: &dyn State, document: &Document) -> Result<bool, StateError> {
        Ok(state.get(&waiting(document))?.is_some())
    }

    /// Records that a program failed at a document, so that nobody decides it again by the same program, and what comes after it goes on.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn quarantine(
        &self,
        state: &dyn State,
        input: &Input,
        program: &str,
    ) -> Result<Decision, StateError> {
        let document = &input.document;
        let mut writes = Writes::from([(quarantined(document), Some(Vec::new()))]);
        writes.insert(decided(document), Some(Vec::new()));
        Self::wait_no_more(state, document, &mut writes)?;
        let outcome = Outcome::Quarantined { program: program.to_owned() };
        let subject = Subject::Document(document.id);
        let by = crate::kernel::By::of(input, Vec::new());
        self.record(state, &document.header.module, None, subject, outcome, writes, &by)
    }

    /// Why a request from elsewhere is none here, whatever it asks for; none when it is one.
    pub(crate) fn no_request(input: &Input) -> Option<Refusal> {
        let document = &input.document;
        if !document.is_from_elsewhere() {
            return None;
        }
        if let Some(what) = &input.facts.open {
            return Some(Refusal::Unverified { what: what.clone() });
        }
        // Whose roles and offices these are, is this agency's own business.
        if document.header.module == OFFICE {
            return Some(Refusal::Side { received: false });
        }
        (!document.is_sealed())
            .then(|| Refusal::Unsealed { agency: document.header.from.to_string() })
    }
}

impl Deciding<'_> {
    /// What comes of a refusal of what a thing has sent: the act that it names for that, or a mark where there is none, or it cannot be.
    fn was_refused(
        &self,
        overlay: &mut Overlay<'_>,
        mut thing: Thing,
        rule: &str,
        act: Option<String>,
    ) -> Result<Applied, StateError> {
        let before = thing.clone();
        let possible = act.filter(|act| {
            let act = self.case.act(act);
            act.is_some_and(|act| act.from.is_empty() || act.from.contains(&thing.state))
        });
        if let Some(act) = possible {
            let mut inner = Overlay::new(overlay);
            let mut also = Vec::new();
            let ending = Ending::Act(act.clone());
            if let Ok(applied) = self.passed(&mut inner, &mut thing, &ending, &act, &mut also)? {
                let writes = inner.into_writes();
                overlay.extend(writes);
                return Ok(Applied { also, ..applied });
            }
            thing = before;
        }
        thing.flags.push(format!("refused/{rule}"));
        self.keep(overlay, &mut thing, Vec::new())
    }
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, StateError> {
    cbor::decode_within(bytes, bytes.len()).map_err(StateError::damaged)
}
