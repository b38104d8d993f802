//! The kernel: a deterministic state machine over verified documents.
//!
//! [`Kernel::decide`] takes state, an input and nothing else, and gives what is to be written and recorded. Whoever holds the same
//! documents, facts and salts in the same order comes to the same records.

mod owed;

use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

use chancery_crypto::{Digest, Hasher, cbor};
use chancery_protocol::{FormValue, Hand};
use serde::{Deserialize, Serialize};

use crate::{
    between::Between,
    calendar::Calendar,
    case::Deciding,
    civil::Instant,
    due,
    formula::Explained,
    input::{Document, Input},
    look_up::Consulted,
    mandates,
    manifest::{Act, Case, FormFault, Module, Side},
    migration,
    office::{self, Installed, OFFICE},
    office_versions::{self, whole_folder},
    reason::{Reason, Refusal},
    record::{Applied, Facts, Outcome, Record, SEMANTICS, Subject, beginning, commit_to_writes},
    rules::{OfCase, OfOffice, Rules as _},
    state::{Family, Key, Overlay, State, StateError, Writes},
    thing::{Parent, Thing},
};

/// The kernel. It holds nothing but what it has read before, by digest.
#[derive(Debug, Default)]
pub struct Kernel {
    read: Mutex<BTreeMap<Digest, Arc<Module>>>,
    calendar: Mutex<Option<(Digest, Arc<Calendar>)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What was read stays what it is, whatever became of whoever read it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The random bytes under which what is written is committed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Salt {
    /// Fresh ones, from which each decision has its own.
    Fresh(Digest),
    /// Those of one decision, as they were.
    Own(Digest),
}

impl Salt {
    fn of(self, number: u64) -> Digest {
        match self {
            Self::Own(salt) => salt,
            Self::Fresh(base) => {
                let mut hasher = Hasher::new();
                hasher.update(b"chancery/1 salt\0");
                hasher.update(base.as_bytes());
                hasher.update(&number.to_be_bytes());
                hasher.finish()
            }
        }
    }
}

/// A decision that was made and is not written yet.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Its random bytes, which are kept beside the record.
    pub salt: Digest,
    /// What is kept of it.
    pub record: Record,
    /// What it writes.
    pub writes: Writes,
}

/// How many modules are kept read.
const MOST_READ: usize = 256;

/// The most rows that one decision writes: it is one commit. Larger work is many decisions.
pub(crate) const MOST_WRITES: usize = 5_000;

/// How many deadlines of one thing may pass before one document is decided.
const MOST_ELAPSED: usize = 100;

/// The head of a module's digest chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// How many decisions the module has seen.
    pub decisions: u64,
    /// The digest of its state.
    pub digest: Digest,
}

/// The number of the next decision.
fn counter() -> Key {
    Key::new(Family::Chain, "").name("next")
}

fn head_key(module: &str) -> Key {
    Key::new(Family::Chain, module).name("head")
}

/// The head of a module's chain.
///
/// # Errors
/// [`StateError`].
pub fn head(state: &dyn State, module: &str) -> Result<Head, StateError> {
    match state.get(&head_key(module))? {
        Some(bytes) => cbor::decode(&bytes).map_err(StateError::damaged),
        None => Ok(Head { decisions: 0, digest: beginning() }),
    }
}

/// How many decisions there are.
///
/// # Errors
/// [`StateError`].
pub fn decisions(state: &dyn State) -> Result<u64, StateError> {
    match state.get(&counter())? {
        Some(bytes) => cbor::decode(&bytes).map_err(StateError::damaged),
        None => Ok(0),
    }
}

pub(crate) fn decided(document: &Document) -> Key {
    Key::new(Family::Document, "").id(&document.id.to_string())
}

/// How a deadline of a thing is found by the sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coming {
    /// The module.
    pub module: String,
    /// The case.
    pub case: String,
    /// The thing.
    pub thing: String,
}

impl Kernel {
    /// A module by its digest.
    ///
    /// # Errors
    /// [`StateError`], also when it is not here.
    pub fn module(&self, state: &dyn State, digest: &Digest) -> Result<Arc<Module>, StateError> {
        let known = lock(&self.read).get(digest).cloned();
        if let Some(module) = known {
            return Ok(module);
        }
        let missing = || StateError::damaged(format!("the module {digest} is missing"));
        let folder = whole_folder(state, digest)?.ok_or_else(missing)?;
        let module = Module::read(&folder);
        let module =
            Arc::new(module.map_err(|_| StateError::damaged(format!("the module {digest}")))?);
        let mut read = lock(&self.read);
        if read.len() >= MOST_READ {
            read.clear();
        }
        read.insert(*digest, module.clone());
        Ok(module)
    }

    /// The module in force under a name.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn in_force(
        &self,
        state: &dyn State,
        name: &str,
    ) -> Result<Option<(Installed, Arc<Module>)>, StateError> {
        let Some(installed) = office::installed(state, name)? else { return Ok(None) };
        let module = self.module(state, &installed.digest)?;
        Ok(Some((installed, module)))
    }

    /// All modules in force.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn modules(&self, state: &dyn State) -> Result<Vec<(Installed, Arc<Module>)>, StateError> {
        let names = state.scan(&office::listed(), "", 10_000)?;
        let each =
            names.into_iter().filter_map(|(key, _)| self.in_force(state, &key.id).transpose());
        each.collect()
    }

    /// Decides a document. First among what it gives are the deadlines of its thing that had passed when it was lodged.
    ///
    /// # Errors
    /// [`StateError`] when state cannot be read; nothing was decided then.
    pub fn decide(&self, state: &dyn State, input: &Input) -> Result<Vec<Decision>, StateError> {
        let mut all = Vec::new();
        if let Some(waits) = self.wait(state, input)? {
            return Ok(waits);
        }
        // An answer to what nothing here waits for: to what an officer has sent, or answered before.
        if input.document.filing().is_none() && self.is_idle_answer(state, input)? {
            return Ok(all);
        }
        let mut overlay = Overlay::new(state);
        self.effective(&mut overlay, input, &mut all)?;
        let found = self.route(&overlay, input)?;
        if let Ok(Routed::Case { module, case, thing: Some((id, _)), .. }) = &found {
            let coming = Coming { module: module.clone(), case: case.clone(), thing: id.clone() };
            self.pass(&mut overlay, &coming, input, &mut all)?;
        }
        // What has passed may have moved the thing.
        let found = if all.is_empty() { found } else { self.route(&overlay, input)? };
        let mut inner = Overlay::new(&overlay);
        let (outcome, version, tables) = match found {
            Err(reason) => (Err(vec![reason]), None, Vec::new()),
            Ok(routed) => self.judge(&mut inner, input, routed)?,
        };
        let outcome = match outcome {
            Ok(_) if inner.written() > MOST_WRITES => {
                let rule = input.document.header.module.clone();
                Err(vec![Reason { rule, law: None, why: Refusal::Cost }])
            }
            outcome => outcome,
        };
        let module = input.document.header.module.clone();
        // A document is decided once, whatever came of it; what was refused has written nothing else.
        let mut writes = if outcome.is_ok() { inner.into_writes() } else { Writes::new() };
        let repeated = matches!(&outcome, Err(reasons) if reasons.iter().any(|r| r.why == Refusal::DecidedBefore));
        // What comes a second time from elsewhere was answered, and says nothing new.
        if repeated && input.document.header.from.as_str() != input.home {
            return Ok(all);
        }
        if !repeated {
            writes.insert(decided(&input.document), Some(Vec::new()));
            Self::wait_no_more(&overlay, &input.document, &mut writes)?;
        }
        let outcome = match outcome {
            Ok(applied) => Outcome::Applied(applied),
            Err(reasons) => Outcome::Refused(reasons),
        };
        let subject = Subject::Document(input.document.id);
        let by = By::of(input, tables);
        all.push(self.record(&overlay, &module, version, subject, outcome, writes, &by)?);
        Ok(all)
    }

    /// Things of which something may have come due, in the order of time, from a place on; and the place to go on from.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn coming(
        &self,
        state: &dyn State,
        at: Instant,
        after: &str,
        most: usize,
    ) -> Result<(Vec<Coming>, Option<String>), StateError> {
        let end = format!("{:020}", at.0.max(0).saturating_add(1));
        let rows = state.scan(&crate::case::at_key(""), after, most)?;
        let mut last = None;
        let mut found = Vec::new();
        for (key, _) in rows {
            if key.id >= end {
                return Ok((found, None));
            }
            let mut parts = key.id.splitn(4, '/').skip(1).map(str::to_owned);
            if let (Some(module), Some(case), Some(thing)) =
                (parts.next(), parts.next(), parts.next())
            {
                found.push(Coming { module, case, thing });
            }
            last = Some(key.id);
        }
        Ok((found, last))
    }

    /// Decides which deadlines of a thing have passed by a moment, and where none has, what it owes to members of a roll. None when
    /// there is neither, which may be found only now: a new order
    /// of the calendar has moved them.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn due(
        &self,
        state: &dyn State,
        coming: &Coming,
        at: Instant,
        home: &str,
        salt: Salt,
    ) -> Result<(Vec<Decision>, Writes), StateError> {
        let mut overlay = Overlay::new(state);
        let mut all = Vec::new();
        let by = By { at, lodged: at, salt, facts: Facts::default(), tables: Vec::new() };
        if coming.module == OFFICE && coming.case == "migration" {
            let mut moved = Overlay::new(state);
            migration::go_on(self, state, &mut moved, &coming.thing, home)?;
            return Ok((all, moved.into_writes()));
        }
        self.pass_by(&mut overlay, coming, home, &by, MOST_ELAPSED, &mut all)?;
        if all.is_empty() {
            self.owed(&mut overlay, coming, home, &by, owed::MOST_AT_ONCE, &mut all)?;
        }
        if !all.is_empty() {
            return Ok((all, Writes::new()));
        }
        // Its place in the order of time was another, or there is none.
        let mut moved = Overlay::new(state);
        if let Some((module, thing)) = self.thing(state, coming)?
            && let Some(case) = module.cases.get(&coming.case)
        {
            let calendar = self.calendar(state)?;
            let deciding = self.deciding(&module, case, &calendar, home, &coming.thing, at, at);
            deciding.schedule(&mut moved, &thing)?;
        }
        Ok((all, moved.into_writes()))
    }

    /// The first of the deadlines of a thing that had passed at a moment, decided.
    pub(crate) fn passed(
        &self,
        state: &dyn State,
        coming: &Coming,
        home: &str,
        at: Instant,
        lodged: Instant,
        salt: Salt,
    ) -> Result<Option<Decision>, StateError> {
        let mut all = Vec::new();
        let by = By { at, lodged, salt, facts: Facts::default(), tables: Vec::new() };
        self.pass_by(&mut Overlay::new(state), coming, home, &by, 1, &mut all)?;
        Ok(all.into_iter().next())
    }

    pub(crate) fn thing(
        &self,
        state: &dyn State,
        coming: &Coming,
    ) -> Result<Option<(Arc<Module>, Thing)>, StateError> {
        let Some(thing) = Thing::get(state, &coming.module, &coming.case, &coming.thing)? else {
            return Ok(None);
        };
        let Some(version) = thing.version else { return Ok(None) };
        let module = self.module(state, &version)?;
        Ok(module.cases.contains_key(&coming.case).then_some((module, thing)))
    }

    #[expect(clippy::too_many_arguments, reason = "they are what a decision stands in")]
    pub(crate) fn deciding<'a>(
        &'a self,
        module: &'a Module,
        case: &'a Case,
        calendar: &'a Calendar,
        home: &'a str,
        id: &'a str,
        at: Instant,
        lodged: Instant,
    ) -> Deciding<'a> {
        let looks = Rc::default();
        let checkpoint = None;
        Deciding { kernel: self, module, case, calendar, home, id, at, lodged, looks, checkpoint }
    }

    /// The calendar in force.
    pub(crate) fn calendar(&self, state: &dyn State) -> Result<Arc<Calendar>, StateError> {
        let Some(digest) = office::calendar_digest(state)? else { return Ok(Arc::default()) };
        let known = lock(&self.calendar).clone();
        if let Some((_, calendar)) = known.filter(|(known, _)| *known == digest) {
            return Ok(calendar);
        }
        let calendar = Arc::new(office::calendar(state)?);
        *lock(&self.calendar) = Some((digest, calendar.clone()));
        Ok(calendar)
    }

    fn pass(
        &self,
        overlay: &mut Overlay<'_>,
        coming: &Coming,
        input: &Input,
        all: &mut Vec<Decision>,
    ) -> Result<(), StateError> {
        let by = By {
            at: input.at,
            lodged: input.lodged,
            salt: input.salt,
            facts: Facts::default(),
            tables: Vec::new(),
        };
        self.pass_by(overlay, coming, &input.home, &by, MOST_ELAPSED, all)
    }

    /// Has the deadlines of a thing pass that are over at a moment, one after the other: each may begin others.
    fn pass_by(
        &self,
        overlay: &mut Overlay<'_>,
        coming: &Coming,
        home: &str,
        by: &By,
        most: usize,
        all: &mut Vec<Decision>,
    ) -> Result<(), StateError> {
        if coming.module == OFFICE {
            return self.take_effect(overlay, &coming.thing, by, all);
        }
        let calendar = self.calendar(overlay)?;
        for _ in 0..most {
            let Some((module, thing)) = self.thing(overlay, coming)? else { return Ok(()) };
            let Some(case) = module.cases.get(&coming.case) else { return Ok(()) };
            let look =
                self.deciding(&module, case, &calendar, home, &coming.thing, by.at, by.lodged);
            let next = {
                let environment = look.looking(overlay, &thing);
                let next = look.next_due(&environment, &thing);
                environment.check()?;
                next.filter(|(end, _)| *end <= by.lodged).map(|(end, due)| (end, due.clone()))
            };
            let Some((end, due)) = next else { return Ok(()) };
            // What follows from it counts from when it passed, however late that is found.
            let at = self.deciding(&module, case, &calendar, home, &coming.thing, by.at, end);
            // It rests on the tables by which it ended, of which whoever decides again knows no more than that.
            {
                let environment = at.looking(overlay, &thing);
                due::moment(&environment, &due);
                environment.check()?;
            }
            let generation = due::generation(&thing, &due);
            let mut inner = Overlay::new(overlay);
            let outcome = match at.elapse(&mut inner, thing, &due)? {
                Ok(applied) => Outcome::Applied(applied),
                Err(reasons) => Outcome::Refused(reasons),
            };
            let writes = inner.into_writes();
            let subject = Subject::Elapsed {
                case: coming.case.clone(),
                thing: coming.thing.clone(),
                due: due.name.clone(),
                generation,
            };
            let by = By { lodged: end, tables: at.looks.consulted(), ..by.clone() };
            let version = Some(module.digest());
            let decision =
                self.record(overlay, &coming.module, version, subject, outcome, writes, &by)?;
            overlay.extend(decision.writes.clone());
            all.push(decision);
        }
        Ok(())
    }

    /// Has versions take effect whose time has come, of the module that a document is about.
    fn effective(
        &self,
        overlay: &mut Overlay<'_>,
        input: &Input,
        all: &mut Vec<Decision>,
    ) -> Result<(), StateError> {
        let name = input.document.header.module.clone();
        let of = match input.document.form().get("of") {
            Some(FormValue::Text(of)) if name == OFFICE => of.clone(),
            _ => name,
        };
        let coming =
            Coming { module: OFFICE.into(), case: office_versions::CASE.into(), thing: of };
        self.pass(overlay, &coming, input, all)
    }

    /// Has a version take effect, as a deadline of the office that has passed.
    fn take_effect(
        &self,
        overlay: &mut Overlay<'_>,
        name: &str,
        by: &By,
        all: &mut Vec<Decision>,
    ) -> Result<(), StateError> {
        let Some((version, generation)) = office_versions::due(overlay, name, by.lodged)? else {
            return Ok(());
        };
        let module = self.module(overlay, &version.digest)?;
        let mut inner = Overlay::new(overlay);
        let applied = office_versions::take_effect(&mut inner, &module, &version)?;
        let writes = inner.into_writes();
        let subject = Subject::Elapsed {
            case: office_versions::CASE.to_owned(),
            thing: name.to_owned(),
            due: office_versions::DUE.to_owned(),
            generation,
        };
        let by = By { lodged: Instant(version.since), ..by.clone() };
        let outcome = Outcome::Applied(applied);
        let decision = self.record(overlay, OFFICE, None, subject, outcome, writes, &by)?;
        overlay.extend(decision.writes.clone());
        all.push(decision);
        Ok(())
    }

    /// The record of a decision, with the chain that it goes on.
    #[expect(clippy::too_many_arguments, reason = "they are what a record is made of")]
    pub(crate) fn record(
        &self,
        state: &dyn State,
        module: &str,
        version: Option<Digest>,
        subject: Subject,
        outcome: Outcome,
        mut writes: Writes,
        by: &By,
    ) -> Result<Decision, StateError> {
        let number = decisions(state)?;
        let salt = by.salt.of(number);
        let before = head(state, module)?;
        let record = Record {
            number,
            semantics: SEMANTICS,
            at: by.at.0,
            lodged: by.lodged.0,
            module: module.to_owned(),
            version,
            subject,
            outcome,
            facts: by.facts.clone(),
            tables: by.tables.clone(),
            writes: commit_to_writes(&writes, &salt),
            before: before.digest,
        };
        let after = Head { decisions: before.decisions + 1, digest: record.after() };
        writes.insert(head_key(module), Some(cbor::encode(&after).expect("plain")));
        writes.insert(counter(), Some(cbor::encode(&(number + 1)).expect("a number")));
        Ok(Decision { salt, record, writes })
    }

    /// Finds where a document belongs.
    fn route(
        &self,
        state: &dyn State,
        input: &Input,
    ) -> Result<Result<Routed, Reason>, StateError> {
        let document = &input.document;
        let name = &document.header.module;
        let refused = |why| Ok(Err(Reason { rule: name.clone(), law: None, why }));
        if let Some(between) = self.between(state, input)? {
            return match state.get(&decided(document))? {
                Some(_) => refused(Refusal::DecidedBefore),
                None => Ok(Ok(Routed::Between(between))),
            };
        }
        let Some(filing) = document.filing() else { return refused(Refusal::NotFiled) };
        if filing.home.as_str() != input.home {
            return refused(Refusal::OtherHome { home: filing.home.to_string() });
        }
        if document.header.level() != chancery_protocol::SecrecyLevel::default() {
            return refused(Refusal::Classified);
        }
        if state.get(&decided(document))?.is_some() {
            return refused(Refusal::DecidedBefore);
        }
        if input.lodged.0 >= filing.until {
            return refused(Refusal::TooOld { until: filing.until });
        }
        if let Some(why) = Self::no_request(input) {
            return refused(why);
        }
        if name == OFFICE {
            return Ok(Ok(Routed::Office(filing.act.clone())));
        }
        let Some((installed, module)) = self.in_force(state, name)? else {
            return refused(Refusal::NoModule);
        };
        let Some((case, act)) = filing.act.split_once('/') else { return refused(Refusal::NoAct) };
        if let Some(registry) = module.registries.get(case) {
            let (asked, version) = (registry.ask(act), module.digest());
            let Some(ask) = asked else { return refused(Refusal::NoAct) };
            if document.is_from_elsewhere() {
                return refused(Refusal::Side { received: false });
            }
            if filing.about.is_some() {
                return refused(Refusal::About);
            }
            if filing.version.is_some_and(|given| given != version) {
                return refused(Refusal::OtherVersion { holds: version.to_string() });
            }
            if ask.form != document.header.kind {
                return refused(Refusal::OtherType { wanted: ask.form.clone() });
            }
            let (registry, ask) = (registry.name.clone(), ask.name.clone());
            return Ok(Ok(Routed::Ask { version, registry, ask }));
        }
        // An act that opens a child names the thing whose child that will be.
        let above = module.cases.get(case).and_then(|case| case.parent.clone());
        let mut parent = None;
        let thing = match &filing.about {
            None => None,
            Some(id) => match (Thing::get(state, name, case, id)?, above) {
                (Some(thing), _) => Some((id.clone(), Box::new(thing))),
                (None, Some(above)) if Thing::get(state, name, &above, id)?.is_some() => {
                    parent = Some(Parent { case: above, thing: id.clone() });
                    None
                }
                _ => return refused(Refusal::NoThing),
            },
        };
        // A thing keeps the version under which it was opened.
        let module = match thing.as_ref().and_then(|(_, thing)| thing.version) {
            Some(version) if version != installed.digest => self.module(state, &version)?,
            _ => module,
        };
        if filing.version.is_some_and(|version| version != module.digest()) {
            return refused(Refusal::OtherVersion { holds: module.digest().to_string() });
        }
        let Some((case, act)) =
            module.cases.get(case).and_then(|case| Some((case, case.act(act)?)))
        else {
            return refused(Refusal::NoAct);
        };
        let Some(form) = act.form.as_ref() else { return refused(Refusal::NoAct) };
        if *form != document.header.kind {
            return refused(Refusal::OtherType { wanted: form.clone() });
        }
        let received = act.side == Side::Received;
        if received != document.is_from_elsewhere() {
            return refused(Refusal::Side { received });
        }
        if act.side == Side::Sent && document.header.to.is_empty() {
            return refused(Refusal::NoRecipient { who: String::new() });
        }
        // What nobody but a seal has signed is only what a seal may say.
        if received && document.is_of_the_seal() && !module.sent.contains(form) {
            return refused(Refusal::SealAlone { form: form.clone() });
        }
        if let (Some(seen), Some((_, thing))) = (filing.seen, &thing)
            && seen != thing.sequence
            && !Deciding::takes_stale(act)
        {
            return refused(Refusal::Moved { seen, is: thing.sequence });
        }
        match (&thing, act.opens) {
            (None, false) => return refused(Refusal::About),
            (Some(_), true) if act.from.is_empty() => return refused(Refusal::About),
            (None, true) if case.parent.is_some() != parent.is_some() => {
                return refused(Refusal::About);
            }
            _ => {}
        }
        let (case, act) = (case.name.clone(), act.name.clone());
        let (module, version) = (name.clone(), module.digest());
        Ok(Ok(Routed::Case { module, version, case, act, thing, parent }))
    }

    fn judge(
        &self,
        overlay: &mut Overlay<'_>,
        input: &Input,
        routed: Routed,
    ) -> Result<Judged, StateError> {
        let (version, case, act, thing, parent) = match routed {
            Routed::Office(act) => {
                let of = match input.document.form().get("of") {
                    Some(FormValue::Text(of)) => self.in_force(overlay, of)?,
                    _ => None,
                };
                let module = of.as_ref().map(|(_, module)| module.as_ref());
                let rules = OfOffice { kernel: self, act: &act, module };
                return Ok((rules.decide(overlay, input)?, None, Vec::new()));
            }
            Routed::Between(between) => {
                let (applied, version) = self.settle_between(overlay, input, between)?;
                return Ok((Ok(applied), Some(version), Vec::new()));
            }
            Routed::Ask { version, registry, ask } => {
                return self.answer(overlay, input, version, &registry, &ask);
            }
            Routed::Case { version, case, act, thing, parent, .. } => {
                (version, case, act, thing, parent)
            }
        };
        let module = self.module(overlay, &version)?;
        let gone = || StateError::damaged("a module that was found is gone");
        let case = module.cases.get(&case).ok_or_else(gone)?;
        let act = case.act(&act).ok_or_else(gone)?;
        let form = act.form.as_ref().and_then(|form| module.forms.get(form)).ok_or_else(gone)?;
        // What is opened is called by the document that opens it.
        let (id, thing) = match thing {
            Some((id, thing)) => (id, Some(*thing)),
            None => (input.document.id.to_string(), None),
        };
        let calendar = self.calendar(overlay)?;
        let deciding =
            self.deciding(&module, case, &calendar, &input.home, &id, input.at, input.lodged);
        let deciding = Deciding { checkpoint: input.facts.checkpoint.clone(), ..deciding };
        let outcome = match mandates::acted(overlay, input, &act.proxy)? {
            Ok(behalf) => {
                let rules = OfCase { deciding: &deciding, act, form, thing, parent };
                let outcome = rules.decide(overlay, input)?;
                outcome.map(|applied| Applied { behalf, ..applied })
            }
            Err(why) => {
                let law = act.law.as_deref();
                Err(vec![deciding.reason(&format!("{}/proxy", act.name), law, why)])
            }
        };
        Ok((outcome, Some(version), deciding.looks.consulted()))
    }

    /// Decides a question to a registry.
    fn answer(
        &self,
        overlay: &mut Overlay<'_>,
        input: &Input,
        version: Digest,
        registry: &str,
        ask: &str,
    ) -> Result<Judged, StateError> {
        let module = self.module(overlay, &version)?;
        let gone = || StateError::damaged("a registry that was found is gone");
        let registry = module.registries.get(registry).ok_or_else(gone)?;
        let ask = registry.ask(ask).ok_or_else(gone)?;
        let form = module.forms.get(&ask.form).ok_or_else(gone)?;
        let calendar = self.calendar(overlay)?;
        let id = input.document.id.to_string();
        let (home, at, lodged) = (&input.home, input.at, input.lodged);
        let deciding = self.deciding(&module, &registry.case, &calendar, home, &id, at, lodged);
        let outcome = match mandates::acted(overlay, input, &Hand::ALL)? {
            Ok(behalf) => {
                let outcome = deciding.ask(overlay, input, registry, ask, form)?;
                outcome.map(|applied| Applied { behalf, ..applied })
            }
            Err(why) => {
                let law = Some(ask.law.as_str());
                Err(vec![deciding.reason(&format!("{}/proxy", ask.name), law, why)])
            }
        };
        Ok((outcome, Some(version), deciding.looks.consulted()))
    }

    /// What is wrong with the form of a document, by the schema of its type: a fact, for whoever has it decided.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn judge_form(
        &self,
        state: &dyn State,
        input: &Input,
    ) -> Result<Vec<FormFault>, StateError> {
        // By the version that will be in force when it is decided.
        let mut ahead = Overlay::new(state);
        self.effective(&mut ahead, input, &mut Vec::new())?;
        let state = &ahead;
        let (version, case, act, thing, parent) = match self.route(state, input)? {
            Ok(Routed::Case { version, case, act, thing, parent, .. }) => {
                (version, case, act, thing, parent)
            }
            Ok(Routed::Ask { version, registry, ask }) => {
                return self.judge_question(state, input, &version, &registry, &ask);
            }
            _ => return Ok(Vec::new()),
        };
        let module = self.module(state, &version)?;
        let found = module.cases.get(&case).and_then(|case| Some((case, case.act(&act)?)));
        let form = found.and_then(|(_, act)| module.forms.get(act.form.as_ref()?));
        let (Some((case, _)), Some(form)) = (found, form) else { return Ok(Vec::new()) };
        let calendar = self.calendar(state)?;
        let id = input.document.id.to_string();
        let deciding =
            self.deciding(&module, case, &calendar, &input.home, &id, input.at, input.lodged);
        let nothing = Thing::default();
        let thing = thing.map(|(_, thing)| *thing);
        let mut environment = deciding.looking(state, thing.as_ref().unwrap_or(&nothing));
        environment.doc = form.values(input.document.form());
        environment.document = Some(&input.document);
        environment.parent = parent;
        Ok(form.judge(input.document.form(), &environment))
    }

    fn judge_question(
        &self,
        state: &dyn State,
        input: &Input,
        version: &Digest,
        registry: &str,
        ask: &str,
    ) -> Result<Vec<FormFault>, StateError> {
        let module = self.module(state, version)?;
        let registry = module.registries.get(registry);
        let found = registry
            .and_then(|registry| Some((registry, module.forms.get(&registry.ask(ask)?.form)?)));
        let Some((registry, form)) = found else { return Ok(Vec::new()) };
        let calendar = self.calendar(state)?;
        let id = input.document.id.to_string();
        let (home, at, lodged) = (&input.home, input.at, input.lodged);
        let deciding = self.deciding(&module, &registry.case, &calendar, home, &id, at, lodged);
        let document = Some(&input.document);
        let doc = form.values(input.document.form());
        let environment = deciding.environment(state, None, document, doc);
        Ok(form.judge(input.document.form(), &environment))
    }

    /// How the conditions of an act came out for a document: each step of each condition.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn explain(
        &self,
        state: &dyn State,
        input: &Input,
    ) -> Result<Vec<(String, Explained)>, StateError> {
        let Ok(Routed::Case { version, case, act, thing, parent, .. }) =
            self.route(state, input)?
        else {
            return Ok(Vec::new());
        };
        let module = self.module(state, &version)?;
        let found: Option<(&Case, &Act)> =
            module.cases.get(&case).and_then(|case| Some((case, case.act(&act)?)));
        let form = found.and_then(|(_, act)| module.forms.get(act.form.as_ref()?));
        let (Some((case, act)), Some(form)) = (found, form) else { return Ok(Vec::new()) };
        let calendar = self.calendar(state)?;
        let id = thing.as_ref().map_or_else(|| input.document.id.to_string(), |(id, _)| id.clone());
        let deciding =
            self.deciding(&module, case, &calendar, &input.home, &id, input.at, input.lodged);
        let nothing = Thing::default();
        let thing = thing.map(|(_, thing)| *thing);
        let mut environment = deciding.looking(state, thing.as_ref().unwrap_or(&nothing));
        environment.doc = form.values(input.document.form());
        environment.document = Some(&input.document);
        environment.parent = parent;
        let each = act.needs.iter();
        Ok(each.map(|need| (need.name.clone(), need.that.formula.explain(&environment))).collect())
    }

    /// Whether somebody could do an act on a thing now, as far as that goes by who he is.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn may(
        &self,
        state: &dyn State,
        coming: &Coming,
        act: &str,
        who: &str,
        at: Instant,
    ) -> Result<bool, StateError> {
        let Some((module, thing)) = self.thing(state, coming)? else { return Ok(false) };
        let Some(case) = module.cases.get(&coming.case) else { return Ok(false) };
        let Some(act) = case.act(act) else { return Ok(false) };
        let calendar = self.calendar(state)?;
        let deciding = self.deciding(&module, case, &calendar, "", &coming.thing, at, at);
        deciding.may(state, act, &thing, who)
    }

    /// The deadlines of a thing: which there are, when each ends and how that was found, and whether it is over.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn deadlines(
        &self,
        state: &dyn State,
        coming: &Coming,
        home: &str,
        at: Instant,
    ) -> Result<Vec<Deadline>, StateError> {
        let Some((module, thing)) = self.thing(state, coming)? else { return Ok(Vec::new()) };
        let Some(case) = module.cases.get(&coming.case) else { return Ok(Vec::new()) };
        let calendar = self.calendar(state)?;
        let deciding = self.deciding(&module, case, &calendar, home, &coming.thing, at, at);
        let environment = deciding.looking(state, &thing);
        let each = case.dues.iter().filter_map(|due| {
            let moment = due::moment(&environment, due)?;
            let over = thing.over.get(&due.name) == Some(&due::generation(&thing, due));
            let (name, law) = (due.name.clone(), module.cite(&due.law));
            Some(Deadline { name, law, owes: due.owes.clone(), moment, met: over })
        });
        let found = each.collect();
        environment.check()?;
        Ok(found)
    }
}

/// A deadline of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadline {
    /// Its name.
    pub name: String,
    /// The article.
    pub law: String,
    /// Whose duty it is.
    pub owes: Option<String>,
    /// When it ends.
    pub moment: due::Moment,
    /// Whether it is over: it was met, or has passed.
    pub met: bool,
}

/// What stands around a decision and is in its record.
#[derive(Debug, Clone)]
pub(crate) struct By {
    at: Instant,
    lodged: Instant,
    salt: Salt,
    facts: Facts,
    tables: Vec<Consulted>,
}

impl By {
    pub(crate) fn of(input: &Input, tables: Vec<Consulted>) -> Self {
        let Input { at, lodged, salt, .. } = *input;
        Self { at, lodged, salt, facts: input.facts.clone(), tables }
    }
}

/// What came of a document, by which version of the module, and by which tables.
type Judged = (Result<Applied, Vec<Reason>>, Option<Digest>, Vec<Consulted>);

/// Where a document belongs.
enum Routed {
    Office(String),
    /// No act here: it discharges what was owed, or answers what was sent.
    Between(Between),
    Case {
        module: String,
        version: Digest,
        case: String,
        act: String,
        thing: Option<(String, Box<Thing>)>,
        /// The thing whose child is opened.
        parent: Option<Parent>,
    },
    /// A question to a registry.
    Ask {
        version: Digest,
        registry: String,
        ask: String,
    },
}
