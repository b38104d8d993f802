//! The decider: verified documents into the kernel, one after the other, and what it gives into the ledger: the arrival and each
//! decision are entries of one commit.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};

use chancery_apps::{
    Applied, Coming, Decision, Facts, Head, Input, Instant, Kernel, Key, Module, Outcome, Overlay,
    Reason, Record, Refusal, Salt, State, StateError, Subject, Thing, Writes, decisions, head,
};
use chancery_bus::{EncryptionKeys, NodeError};
use chancery_crypto::{Digest, IndexKey, Language, cbor};
use chancery_ledger::{Commit, Outcome as Committed, clock::Moment, unix_now};
use chancery_protocol::{CLOCK_TOLERANCE, EnvelopeId, Event, Leaf};
use chancery_store::{Batch, Blocking, Table};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{
    Office, agencies, reading,
    rows::{self, Keys, StoredState, error_of},
};

/// What decides, one document after the other, in the order in which they come. While a batch is being committed the next one
/// gathers: its documents are decided one on top of the other, and written as one commit.
#[derive(Debug, Default)]
pub(crate) struct Decider {
    kernel: Kernel,
    /// A document of this title makes the program fail.
    #[cfg(test)]
    pub(crate) failing: Mutex<Option<String>>,
    index: OnceLock<IndexKey>,
    waiting: Mutex<Vec<Waiting>>,
    deciding: Mutex<()>,
}

/// A document that waits for its decision.
#[derive(Debug)]
struct Waiting {
    document: chancery_apps::Document,
    lists: Digest,
    envelope: EnvelopeId,
    commit: Commit,
    answer: mpsc::SyncSender<Result<(Committed, Applied), NodeError>>,
}

/// How many documents are decided in one commit: the bytes of a group of the ledger are bounded.
const MOST_TOGETHER: usize = 256;

/// The bytes of documents that are decided in one commit.
const MOST_BYTES: usize = 4 << 20;

/// A record as it is kept, sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptDecision {
    /// The record's bytes.
    pub record: ByteBuf,
    /// Under which it is committed to.
    pub salt: Digest,
    /// The envelope of the document that was decided upon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<EnvelopeId>,
}

/// How many things are looked at together that may have something due.
const AT_ONCE: usize = 64;

fn context(number: u64) -> Vec<u8> {
    [b"decision\0".as_slice(), &number.to_be_bytes()].concat()
}

/// What modules keep, as they see it, for whoever may wait.
pub(crate) struct Looking<'a> {
    office: &'a Office,
    here: &'a Blocking,
    encryption: Arc<EncryptionKeys>,
}

impl Looking<'_> {
    fn keys(&self) -> Result<Keys<'_>, NodeError> {
        Ok(Keys {
            encryption: &self.encryption,
            index: self.office.decider.index(self.here, self.office)?,
        })
    }

    /// Looks with what there is.
    pub(crate) fn with<T>(
        &self,
        look: impl FnOnce(&Kernel, &dyn State) -> Result<T, StateError>,
    ) -> Result<T, NodeError> {
        let state = StoredState::new(self.office.store(self.here), self.keys()?);
        look(&self.office.decider.kernel, &state).map_err(error_of)
    }
}

impl Decider {
    fn index(&self, here: &Blocking, office: &Office) -> Result<&IndexKey, NodeError> {
        if let Some(key) = self.index.get() {
            return Ok(key);
        }
        let key = rows::index_key(here, office)?;
        Ok(self.index.get_or_init(|| key))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is guarded is whole, whatever became of whoever held it: decisions are made whole or not at all.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at what modules keep.
pub(crate) fn looking<'a>(here: &'a Blocking, office: &'a Office) -> Looking<'a> {
    Looking { office, here, encryption: office.identity().encryption() }
}

/// The time by which is decided: it never goes back behind the ledger's newest entry.
pub(crate) fn now(office: &Office) -> Instant {
    Instant(unix_now().max(office.ledger().newest_time().unwrap_or(i64::MIN)))
}

/// Decides a document that is filed here, and commits it with its arrival. What is refused changes nothing.
///
/// Whoever comes while others are being decided waits, and is decided with all who wait: by the first of them who gets to it.
pub(crate) fn file(
    here: &Blocking,
    office: &Office,
    document: chancery_apps::Document,
    lists: Digest,
    envelope: EnvelopeId,
    commit: Commit,
) -> Result<(Committed, Applied), NodeError> {
    let (answer, answered) = mpsc::sync_channel(1);
    let decider = &office.decider;
    lock(&decider.waiting).push(Waiting { document, lists, envelope, commit, answer });
    loop {
        match answered.try_recv() {
            Ok(answer) => return answer,
            // Whoever decided it has ended in the middle of it: nothing of it is known to be written.
            Err(mpsc::TryRecvError::Disconnected) => return Err(NodeError::stopping()),
            Err(mpsc::TryRecvError::Empty) => {}
        }
        let _deciding = lock(&decider.deciding);
        // What came before is decided before.
        if let Err(error) = agencies::settle(here, office) {
            tracing::error!(%error, "requests that came before could not be decided");
        }
        let mut waiting = lock(&decider.waiting);
        let mut bytes = 0;
        let fits = waiting.iter().take(MOST_TOGETHER).take_while(|one| {
            bytes += one.commit.batch.size();
            bytes <= MOST_BYTES
        });
        // One alone is decided whatever its size.
        let together = fits.count().max(1).min(waiting.len());
        let batch: Vec<_> = waiting.drain(..together).collect();
        drop(waiting);
        if !batch.is_empty() {
            decide(here, office, batch);
        }
    }
}

/// Decides documents one on top of the other, and answers all.
fn decide(here: &Blocking, office: &Office, batch: Vec<Waiting>) {
    let alone = batch.len() == 1;
    match decide_together(here, office, batch) {
        Ok(()) => {}
        // One of them cannot be written with the others: each by itself shows which.
        Err(again) if !alone => {
            again.into_iter().for_each(|one| drop(decide_together(here, office, vec![one])));
        }
        Err(_) => {}
    }
}

/// Decides a batch as one commit. Gives back those whose commit was not written for a reason that may be another's.
fn decide_together(
    here: &Blocking,
    office: &Office,
    batch: Vec<Waiting>,
) -> Result<(), Vec<Waiting>> {
    let look = looking(here, office);
    let mut taken = Vec::new();
    let decided = look.with(|kernel, state| {
        let mut overlay = Overlay::new(state);
        for one in batch {
            match decide_one(kernel, &overlay, office, &one) {
                Ok((made, applied)) => {
                    made.iter().for_each(|decision| overlay.extend(decision.writes.clone()));
                    taken.push((one, made, applied));
                }
                // Whoever has gone does not hear it.
                Err(error) => drop(one.answer.send(Err(error))),
            }
        }
        Ok(())
    });
    if let Err(error) = decided {
        // Without what keeps rows readable nothing is decided.
        let why = error.to_string();
        taken.into_iter().for_each(|(one, ..): (Waiting, Vec<Decision>, Applied)| {
            drop(one.answer.send(Err(NodeError::damaged(why.clone()))));
        });
        return Ok(());
    }
    if taken.is_empty() {
        return Ok(());
    }
    let alone = taken.len() == 1;
    let mut whole = Commit::default();
    let mut unwritten = None;
    for (one, decisions, _) in &mut taken {
        if alone {
            whole = std::mem::take(&mut one.commit);
        } else {
            // It is kept, should the whole not be written.
            whole.leaves.extend(one.commit.leaves.iter().cloned());
            whole.conditions.extend(one.commit.conditions.iter().cloned());
            whole.stored.extend(one.commit.stored.iter().cloned());
            for change in one.commit.batch.changes() {
                match &change.value {
                    Some(value) => whole.batch.put(change.table, change.key.clone(), value.clone()),
                    None => whole.batch.delete(change.table, change.key.clone()),
                }
            }
        }
        if let Err(error) = put(office, &look, decisions, Some(one.envelope), &mut whole) {
            unwritten = Some(error);
            break;
        }
    }
    if let Some(error) = unwritten {
        if !alone {
            return Err(taken.into_iter().map(|(one, ..)| one).collect());
        }
        let mut error = Some(error);
        taken.into_iter().for_each(|(one, ..)| {
            drop(one.answer.send(Err(error.take().unwrap_or_else(NodeError::stopping))));
        });
        return Ok(());
    }
    let committed = office.ledger().commit_blocking(here, whole);
    match committed {
        Ok(Committed::Committed(receipts)) => {
            for (one, _, applied) in taken {
                drop(one.answer.send(Ok((Committed::Committed(receipts.clone()), applied))));
            }
            Ok(())
        }
        Ok(Committed::Stale(..)) | Err(_) if !alone => {
            Err(taken.into_iter().map(|(one, ..)| one).collect())
        }
        Ok(stale) => {
            for (one, _, applied) in taken {
                drop(one.answer.send(Ok((stale.clone(), applied))));
            }
            Ok(())
        }
        Err(error) => {
            let mut error = Some(error);
            for (one, ..) in taken {
                let why = error.take().map_or_else(NodeError::stopping, NodeError::from);
                drop(one.answer.send(Err(why)));
            }
            Ok(())
        }
    }
}

/// Decides one document over what those before it in its batch will have written.
fn decide_one(
    kernel: &Kernel,
    state: &dyn State,
    office: &Office,
    one: &Waiting,
) -> Result<(Vec<Decision>, Applied), NodeError> {
    let at = now(office);
    let first = office.config().access.appointer.clone();
    let mut input = Input {
        at,
        lodged: at,
        home: office.identity().agency.to_string(),
        salt: Salt::Fresh(Digest::from_bytes(chancery_crypto::random()?)),
        facts: Facts { lists: Some(one.lists), first, ..Facts::default() },
        document: one.document.clone(),
    };
    let decided = guarded(office, &mut input, |input| {
        input.facts.form = kernel.judge_form(state, input)?;
        kernel.decide(state, input)
    });
    let made = match decided {
        Ok(made) => made.map_err(error_of)?,
        Err(why) => {
            tracing::error!(document = %input.document.id, %why, "the program failed at a document; it is refused");
            return Err(failed(&input));
        }
    };
    match made.last().map(|decision| &decision.record.outcome) {
        Some(Outcome::Applied(applied)) => {
            let applied = applied.clone();
            Ok((made, applied))
        }
        Some(Outcome::Refused(reasons)) => Err(declined(kernel, state, &input, reasons)),
        // What is filed here is decided at once.
        Some(Outcome::Deferred(_) | Outcome::Quarantined { .. }) => Err(failed(&input)),
        None => Err(NodeError::damaged("nothing was decided")),
    }
}

/// This program, as entries name it that say at what it failed.
pub(crate) const PROGRAM: &str = concat!("chancery ", env!("CARGO_PKG_VERSION"));

/// Runs what decides, with nobody else deciding meanwhile.
pub(crate) fn alone<T>(office: &Office, run: impl FnOnce() -> T) -> T {
    let _deciding = lock(&office.decider.deciding);
    run()
}

/// Decides an input, so that a program that fails at it fails at nothing else: nothing that it works on outlives it. Gives what the
/// program said when it failed.
pub(crate) fn guarded<T>(
    office: &Office,
    input: &mut Input,
    decide: impl FnOnce(&mut Input) -> T,
) -> Result<T, String> {
    #[cfg(not(test))]
    let _ = office;
    let run = AssertUnwindSafe(|| {
        #[cfg(test)]
        {
            let failing = lock(&office.decider.failing).clone();
            assert!(failing.as_ref() != Some(&input.document.header.title), "it was to fail");
        }
        decide(input)
    });
    std::panic::catch_unwind(run).map_err(|thrown| {
        let text = thrown.downcast_ref::<String>().cloned();
        let text = text.or_else(|| thrown.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        text.unwrap_or_default()
    })
}

/// The refusal of a document at which the program failed.
fn failed(input: &Input) -> NodeError {
    let rule = input.document.header.module.clone();
    let reason = Reason { rule: rule.clone(), law: None, why: Refusal::Failed };
    NodeError::Declined {
        code: reason.why.code(),
        en: reason.say_plainly(Language::En),
        zh: reason.say_plainly(Language::Zh),
        rules: rule,
    }
}

/// Puts decisions into a commit: rows, records, entries.
pub(crate) fn put(
    office: &Office,
    look: &Looking<'_>,
    made: &[Decision],
    envelope: Option<EnvelopeId>,
    commit: &mut Commit,
) -> Result<(), NodeError> {
    let keys = look.keys()?;
    for decision in made {
        let record = &decision.record;
        let bytes = record.encode();
        let commitment = Record::commitment(&bytes, &decision.salt);
        let envelope = match record.subject {
            Subject::Document(_) => envelope,
            Subject::Elapsed { .. } | Subject::Owed { .. } => None,
        };
        let kept = KeptDecision { record: ByteBuf::from(bytes), salt: decision.salt, envelope };
        let sealed =
            keys.encryption.storage.seal_row(&cbor::encode(&kept)?, &context(record.number))?;
        let key = record.number.to_be_bytes();
        // Decisions are counted without gaps: two that were made over one state are never both written.
        commit.absent(Table::Decisions, key);
        commit.batch.put(Table::Decisions, key, sealed);
        rows::put(keys, &decision.writes, record.number, &mut commit.batch)?;
        let none = || EnvelopeId::from_slice(commitment.as_bytes());
        let about = envelope.or_else(none);
        commit.leaves.push(Leaf {
            event: Event::Decided,
            envelope: about.ok_or_else(|| NodeError::damaged("a commitment is no digest"))?,
            commitment,
            counterpart: office.identity().agency.clone(),
            time: unix_now(),
            evidence: None,
        });
    }
    Ok(())
}

/// What is said of a refusal: every reason, in both languages, with the module's own words.
fn declined(kernel: &Kernel, state: &dyn State, input: &Input, reasons: &[Reason]) -> NodeError {
    // Whoever may not read a matter does not learn by trying what he would not be shown.
    let unseen = reading::is_unseen(kernel, state, input, reasons).unwrap_or(true);
    let nothing =
        [Reason { rule: input.document.header.module.clone(), law: None, why: Refusal::NoThing }];
    let reasons: &[Reason] = if unseen { &nothing } else { reasons };
    let module = module_of(kernel, state, input).ok().flatten();
    let steps = kernel.explain(state, input).unwrap_or_default();
    // What a condition that does not hold has read.
    let read = |reason: &Reason| {
        let need = reason.rule.rsplit('/').next().unwrap_or_default();
        let found = steps.iter().find(|(name, _)| name == need && reason.why.code() == "CHY-7101");
        let read = found.map(|(_, explained)| explained.read()).unwrap_or_default();
        if read.is_empty() { String::new() } else { format!(" [{}]", read.join(", ")) }
    };
    let said = |language: Language, between: &str| {
        let each = reasons.iter().map(|reason| {
            let said = match &module {
                Some(module) => reason.say(module, language),
                None => reason.say_plainly(language),
            };
            said + &read(reason)
        });
        each.collect::<Vec<_>>().join(between)
    };
    NodeError::Declined {
        code: reasons.first().map_or("CHY-7100", |reason| reason.why.code()),
        en: said(Language::En, "; "),
        zh: said(Language::Zh, "；"),
        rules: reasons.iter().map(|reason| reason.rule.as_str()).collect::<Vec<_>>().join(" "),
    }
}

/// The version of the module by which a document is judged.
fn module_of(
    kernel: &Kernel,
    state: &dyn State,
    input: &Input,
) -> Result<Option<Arc<Module>>, StateError> {
    let name = &input.document.header.module;
    let filing = input.document.filing();
    let thing = match filing.and_then(|f| Some((f.act.split_once('/')?.0, f.about.as_ref()?))) {
        Some((case, id)) => Thing::get(state, name, case, id)?,
        None => None,
    };
    match thing.and_then(|thing| thing.version) {
        Some(version) => kernel.module(state, &version).map(Some),
        None => Ok(kernel.in_force(state, name)?.map(|(_, module)| module)),
    }
}

/// How many others must say that a moment has come before a deadline passes by it, where there are so many: one clock that is
/// wrong, be it this one, elapses nothing.
const SOURCES: usize = 2;

/// How many others' clocks a deadline needs: of a domain of three agencies or more two, else as many as there are.
fn sources(office: &Office) -> usize {
    match office.bus().directory() {
        Ok(directory) => {
            let own = &office.identity().agency;
            directory.peers().filter(|(name, _)| *name != own).take(SOURCES).count()
        }
        // It has none yet and knows nobody; or one that has run out, and then there are others.
        Err(_) if office.bus().directory_version() == 0 => 0,
        Err(_) => SOURCES,
    }
}

/// The moment by which deadlines pass: what others confirm of what this clock says. None while too few of them were heard.
fn confirmed(office: &Office) -> Option<Instant> {
    office.ledger().clocks().confirmed(Moment::now(), sources(office)).map(Instant)
}

/// Whether deadlines stand still that have passed by this clock, and why.
///
/// # Errors
/// [`NodeError`]: state cannot be read.
pub(crate) fn standing(here: &Blocking, office: &Office) -> Result<Option<Standing>, NodeError> {
    let by = confirmed(office);
    if by.is_some_and(|by| now(office).0 - by.0 <= CLOCK_TOLERANCE) {
        return Ok(None);
    }
    let look = looking(here, office);
    let (coming, _) = look.with(|kernel, state| kernel.coming(state, now(office), "", 1))?;
    let heard = office.clock_differences(Moment::now()).len();
    Ok(coming.first().map(|_| Standing { heard, needed: sources(office) }))
}

/// Why deadlines stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// How many others' clocks were heard within the last hour.
    pub heard: usize,
    /// How many are needed.
    pub needed: usize,
}

/// Has all that has come due by now come to pass, as far as others' clocks confirm that it is now. Returns how many deadlines
/// have passed.
pub(crate) fn pass(here: &Blocking, office: &Office) -> Result<usize, NodeError> {
    let (mut passed, mut after) = (0, String::new());
    // While the clock is known to be wrong, no deadline passes.
    office.ledger().check_clock()?;
    let Some(by) = confirmed(office) else { return Ok(0) };
    loop {
        let look = looking(here, office);
        let (coming, next) =
            look.with(|kernel, state| kernel.coming(state, by, &after, AT_ONCE))?;
        for one in &coming {
            match pass_one(here, office, one, by) {
                Ok(one) => passed += one,
                Err(error) if error.is_passing() => return Err(error),
                // What is wrong with one thing keeps no other waiting.
                Err(error) => {
                    let Coming { module, case, thing } = one;
                    tracing::error!(%error, %module, %case, %thing, "its deadlines cannot be looked at");
                }
            }
        }
        match next {
            Some(next) if !office.is_stopping() => after = next,
            _ => return Ok(passed),
        }
    }
}

fn pass_one(
    here: &Blocking,
    office: &Office,
    coming: &Coming,
    at: Instant,
) -> Result<usize, NodeError> {
    let _deciding = lock(&office.decider.deciding);
    let home = office.identity().agency.to_string();
    // What came in time is decided, or is known to wait, before anything passes.
    agencies::settle(here, office)?;
    let look = looking(here, office);
    let salt = Salt::Fresh(Digest::from_bytes(chancery_crypto::random()?));
    let (made, moved) = look.with(|kernel, state| kernel.due(state, coming, at, &home, salt))?;
    if made.is_empty() {
        return follow(here, office, &look, &moved).map(|()| 0);
    }
    let mut commit = Commit::default();
    put(office, &look, &made, None, &mut commit)?;
    match office.ledger().commit_blocking(here, commit)? {
        Committed::Committed(_) => {
            for decision in &made {
                if let Subject::Elapsed { case, due, .. } = &decision.record.subject {
                    tracing::info!(module = %decision.record.module, %case, %due, "a deadline has passed");
                }
            }
            Ok(made.len())
        }
        // Another process decides now; it will find what is due.
        Committed::Stale(..) => Ok(0),
    }
}

/// Writes rows that follow from others, and are in no digest and no entry.
fn follow(
    here: &Blocking,
    office: &Office,
    look: &Looking<'_>,
    writes: &Writes,
) -> Result<(), NodeError> {
    if writes.is_empty() {
        return Ok(());
    }
    let mut batch = Batch::default();
    let number = look.with(|_, state| decisions(state))?;
    rows::put(look.keys()?, writes, number, &mut batch)?;
    Ok(office.store(here).write(batch)?)
}

/// A record as it is kept.
pub(crate) fn kept(
    here: &Blocking,
    office: &Office,
    number: u64,
) -> Result<Option<KeptDecision>, NodeError> {
    let Some(sealed) = office.store(here).get(Table::Decisions, &number.to_be_bytes())? else {
        return Ok(None);
    };
    let encryption = office.identity().encryption();
    let bytes = encryption.open_row(&sealed, &context(number))?;
    Ok(Some(cbor::decode_within(&bytes, bytes.len())?))
}

/// The heads of the chains of all modules in force, and of the office.
pub(crate) fn heads(look: &Looking<'_>) -> Result<Vec<(String, Head)>, NodeError> {
    look.with(|kernel, state| {
        let names = kernel.modules(state)?.into_iter().map(|(_, module)| module.name().to_owned());
        let names = names.chain([chancery_apps::OFFICE.to_owned()]).collect::<Vec<_>>();
        names.into_iter().map(|name| Ok((name.clone(), head(state, &name)?))).collect()
    })
}

/// Rows beside each other, all of them up to so many.
pub(crate) fn beside(state: &dyn State, key: &Key, most: usize) -> Result<Vec<Key>, StateError> {
    let mut found: Vec<Key> = Vec::new();
    while found.len() < most {
        let after = found.last().map(|key| key.id.clone()).unwrap_or_default();
        let page = state.scan(key, &after, 1000.min(most - found.len()))?;
        if page.is_empty() {
            break;
        }
        found.extend(page.into_iter().map(|(key, _)| key));
    }
    Ok(found)
}

#[cfg(test)]
#[path = "decider_tests.rs"]
mod tests;
