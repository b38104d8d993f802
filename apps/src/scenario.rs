//! Acceptance stories: who files what when, and what must come of it. They run in the kernel alone, with a clock of their own, and
//! each is replayed at its end.

use std::collections::BTreeMap;

use chancery_certs::{AgencyName, PartyName};
use chancery_crypto::{Digest, Language, cbor};
use chancery_protocol::{Behalf, DocumentHeader, DocumentId, Filing, FormValue, Hand, Urgency};
use serde::Deserialize;

use crate::{
    calendar::Year,
    civil::{Date, Instant},
    due,
    folder::Folder,
    input::{Document, Input, Signer},
    jurisdiction::is_path,
    kernel::{Coming, Decision, Kernel, Salt},
    mandates,
    manifest::{Due, Module, Side},
    mechanism::{self, Answer, Published, looks, notices, owed_documents},
    office::{self, Installed},
    record::{Facts, Outcome, Subject},
    replay::Replay,
    scenario_published::Seen,
    state::{Family, Key, MemoryState, State, StateError, Writes},
    thing::Thing,
    value::Value,
};

/// A story, as a file of `scenarios/` tells it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its number.
    pub scenario: String,
    /// What it shows.
    pub title: String,
    /// The text that it shows.
    #[serde(default)]
    pub law: String,
    /// The agency whose ledger decides.
    pub home: String,
    /// When it begins.
    start: String,
    /// Officers, by the names by which steps call them.
    #[serde(default)]
    officer: BTreeMap<String, Officer>,
    /// Enterprises and citizens, likewise.
    #[serde(default)]
    party: BTreeMap<String, Party>,
    /// Orders of the calendar, by year.
    #[serde(default)]
    calendar: BTreeMap<String, Order>,
    step: Vec<Step>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Officer {
    #[serde(default)]
    agency: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    /// The office in which he holds them; none: the whole agency.
    #[serde(default)]
    office: Option<String>,
    /// Whether he files for those who stand at a counter.
    #[serde(default)]
    counter: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Party {
    /// Of an enterprise: its unified social credit code.
    #[serde(default)]
    code: Option<String>,
    /// Those for whom it acts by a power, and what for.
    #[serde(default)]
    agent_of: BTreeMap<String, Vec<String>>,
    /// Those whose guardian it is.
    #[serde(default)]
    guardian_of: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    source: String,
    off: Vec<String>,
    work: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at: String,
    #[serde(default)]
    by: Option<String>,
    #[serde(default)]
    act: Option<String>,
    /// For whom, and as what.
    #[serde(default, rename = "for")]
    party: Option<String>,
    #[serde(default)]
    how: Option<Hand>,
    #[serde(default)]
    on: Option<String>,
    /// Who has signed the same document besides: officers, or `agency`, the seal.
    #[serde(default)]
    sign: Vec<String>,
    #[serde(default, rename = "as")]
    label: Option<String>,
    #[serde(default)]
    form: toml::Table,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    seen: Option<u64>,
    #[serde(default)]
    expect: Option<Expect>,
    #[serde(default)]
    refused: Option<Refused>,
    /// What a registry answers.
    #[serde(default)]
    answer: Option<Answered>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    #[serde(default)]
    yes: Option<bool>,
    #[serde(default)]
    count: Option<u64>,
    #[serde(default)]
    more: bool,
    #[serde(default)]
    records: Vec<BTreeMap<String, String>>,
    /// Who is noted to have been looked at.
    #[serde(default)]
    looked_at: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    due: BTreeMap<String, String>,
    #[serde(default)]
    set: BTreeMap<String, String>,
    #[serde(default)]
    number: Option<String>,
    #[serde(default)]
    flags: Option<Vec<String>>,
    #[serde(default)]
    title: Option<String>,
    /// Balances: `account/place/dimension/…`.
    #[serde(default)]
    balance: BTreeMap<String, String>,
    /// The newest notice of somebody.
    #[serde(default)]
    told: BTreeMap<String, String>,
    /// How many children there are, by case.
    #[serde(default)]
    kids: BTreeMap<String, usize>,
    /// What of its rolls there is: `ROLL/count`, `ROLL/excluded`, `ROLL/left`, `ROLL/refused`, `ROLL/digest`, `ROLL/member/KEY`.
    #[serde(default)]
    roll: BTreeMap<String, String>,
    /// What mechanisms keep: `report/NAME/DAY/EDITION/GROUP/FIGURE`.
    #[serde(default)]
    shows: BTreeMap<String, String>,
    /// What everybody reads, by publication.
    #[serde(default)]
    published: BTreeMap<String, Seen>,
    /// What it owes to other agencies: `form agency`.
    #[serde(default)]
    owed: Option<Vec<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    rule: String,
    #[serde(default)]
    law: Option<String>,
    #[serde(default)]
    says: Option<String>,
}

/// What a story told of a module: which acts were done, and which rules were shown to refuse.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// How many decisions there were.
    pub decisions: usize,
    /// Acts that took effect.
    pub acts: Vec<String>,
    /// Rules that refused.
    pub refused: Vec<String>,
    /// Deadlines that have passed.
    pub passed: Vec<String>,
}

/// How often each deadline of a thing may pass at one moment of a story.
const MOST_AT_ONCE: usize = 10;

/// Where a story came out otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The step, from 1 on; 0 of the whole.
    pub step: usize,
    /// What was to be, and what was.
    pub why: String,
}

impl Broken {
    fn new(step: usize, why: impl Into<String>) -> Self {
        Self { step, why: why.into() }
    }
}

impl Scenario {
    /// Reads a story.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The same story, told of a module that extends the one of which it was told: its rules are called by that.
    #[must_use]
    pub fn of_child(mut self, parent: &str, child: &str) -> Self {
        for refused in self.step.iter_mut().filter_map(|step| step.refused.as_mut()) {
            if let Some(rest) = refused.rule.strip_prefix(parent).filter(|r| r.starts_with('/')) {
                refused.rule = format!("{child}{rest}");
            } else if refused.rule == parent {
                child.clone_into(&mut refused.rule);
            }
        }
        self
    }

    /// Runs it over a module.
    ///
    /// # Errors
    /// [`Broken`], at the first step that comes out otherwise.
    pub fn run(&self, module: &Module, folder: &[u8]) -> Result<Told, Broken> {
        Run::new(self, module, folder)?.run().map(|(told, _)| told)
    }

    /// As [`Scenario::run`], with the state that there is at its end.
    ///
    /// # Errors
    /// As [`Scenario::run`].
    pub fn run_to(&self, module: &Module, folder: &[u8]) -> Result<(Told, MemoryState), Broken> {
        Run::new(self, module, folder)?.run()
    }

    /// The state at its end.
    #[cfg(test)]
    pub(crate) fn end(&self, module: &Module, folder: &[u8]) -> Result<MemoryState, Broken> {
        let mut run = Run::new(self, module, folder)?;
        for (number, step) in (1..).zip(&self.step) {
            run.step(number, step)?;
        }
        Ok(run.state)
    }
}

struct Run<'a> {
    scenario: &'a Scenario,
    module: &'a Module,
    kernel: Kernel,
    first: MemoryState,
    state: MemoryState,
    now: Instant,
    labels: BTreeMap<String, (String, String)>,
    made: Vec<(Decision, Option<Document>)>,
    told: Told,
}

impl<'a> Run<'a> {
    fn new(scenario: &'a Scenario, module: &'a Module, folder: &[u8]) -> Result<Self, Broken> {
        let instant = |text: &str| {
            text.parse::<Instant>().map_err(|_| Broken::new(0, format!("start: {text}")))
        };
        let now = instant(&scenario.start)?;
        let mut writes = Writes::new();
        let installed = Installed {
            digest: module.digest(),
            version: module.version().to_owned(),
            since: now.0,
            by: String::new(),
            document: String::new(),
            second: None,
        };
        let plain = |value: &Installed| cbor::encode(value).expect("plain");
        // Each folder that it extends stands beside it, as where it is installed.
        let whole = Folder::decode(folder).map_err(|error| Broken::new(0, error.to_string()))?;
        let mut next = Some(&whole);
        while let Some(folder) = next {
            writes.insert(office::folder(&folder.digest()), Some(folder.encode()));
            next = folder.above();
        }
        writes.insert(office::in_force(module.name()), Some(plain(&installed)));
        for (year, order) in &scenario.calendar {
            let days = |days: &[String]| {
                let each = days.iter().map(|day| day.parse::<Date>());
                each.collect::<Result<_, _>>().map_err(|e| Broken::new(0, format!("calendar: {e}")))
            };
            let order = Year {
                source: order.source.clone(),
                off: days(&order.off)?,
                work: days(&order.work)?,
            };
            let key = Key::new(Family::Calendar, "").id(year);
            writes.insert(key, Some(cbor::encode(&order).expect("plain")));
        }
        if !scenario.calendar.is_empty() {
            let digest = Digest::of(scenario.scenario.as_bytes());
            let known = cbor::encode(&digest).expect("plain");
            writes.insert(office::calendar_key(), Some(known));
        }
        for (name, officer) in &scenario.officer {
            let mail = scenario.officer_name(name);
            for role in &officer.roles {
                if !module.roles.contains_key(role) {
                    return Err(Broken::new(0, format!("officer.{name}: no role {role:?}")));
                }
                let held =
                    office::Appointment { from: now.0, until: None, document: String::new() };
                let office = officer.office.as_deref();
                if office.is_some_and(|path| !is_path(path)) {
                    return Err(Broken::new(0, format!("officer.{name}: office {office:?}")));
                }
                let key = office::appointment(module.name(), role, &mail, office);
                writes.insert(key, Some(cbor::encode(&held).expect("plain")));
            }
        }
        scenario.mandates(now, &mut writes).map_err(|why| Broken::new(0, why))?;
        let mut state = MemoryState::default();
        state.apply(&writes);
        let (kernel, labels, made, told) = Default::default();
        Ok(Self { scenario, module, kernel, first: state.clone(), state, now, labels, made, told })
    }

    fn run(mut self) -> Result<(Told, MemoryState), Broken> {
        for (number, step) in (1..).zip(&self.scenario.step) {
            self.step(number, step)?;
        }
        self.replay()?;
        self.told.decisions = self.made.len();
        Ok((self.told, self.state))
    }

    fn step(&mut self, number: usize, step: &Step) -> Result<(), Broken> {
        let broken = |why: String| Broken::new(number, why);
        let at = step.at.parse::<Instant>().map_err(|_| broken(format!("at: {}", step.at)))?;
        if at < self.now {
            return Err(broken(format!("at: {} is before the step before", step.at)));
        }
        self.now = at;
        self.pass(number)?;
        if let (Some(act), Some(by)) = (&step.act, &step.by) {
            self.file(number, step, act, by)?;
        } else if step.act.is_some() || step.by.is_some() {
            return Err(broken("act and by stand together".into()));
        }
        match (&step.expect, step.label.as_ref().or(step.on.as_ref())) {
            (Some(expect), Some(label)) => self.expect(number, expect, label),
            (Some(_), None) => Err(broken("expect: of what? (on, as)".into())),
            (None, _) => Ok(()),
        }
    }

    /// Has all that is due come to pass, in the order of time. A deadline that begins itself again without time passing, or more
    /// often than one may, is no term: the kernel stops it some time, and a story says so.
    fn pass(&mut self, step: usize) -> Result<(), Broken> {
        let failed = |error: StateError| Broken::new(step, error.to_string());
        // Of each thing how far time has come, and how much has passed since without time passing.
        let mut passed: BTreeMap<(String, String), (i64, usize)> = BTreeMap::new();
        loop {
            let coming = self.kernel.coming(&self.state, self.now, "", 1).map_err(failed)?;
            let Some(coming) = coming.0.into_iter().next() else { return Ok(()) };
            let dues = self.module.cases.get(&coming.case).map_or(0, |case| case.dues.len());
            let salt = Salt::Fresh(Digest::of(format!("pass {step} {coming:?}").as_bytes()));
            let due = self.kernel.due(&self.state, &coming, self.now, &self.scenario.home, salt);
            let (decisions, writes) = due.map_err(failed)?;
            self.state.apply(&writes);
            for decision in decisions {
                if let Subject::Elapsed { due, .. } = &decision.record.subject {
                    let at = decision.record.lodged;
                    let key = (coming.case.clone(), coming.thing.clone());
                    let known = passed.entry(key).or_insert((at, 0));
                    *known = if at > known.0 { (at, 1) } else { (known.0, known.1 + 1) };
                    if known.1 > MOST_AT_ONCE * (1 + dues) {
                        let why = format!("due.{due} begins again and passes at once, without end");
                        return Err(Broken::new(step, why));
                    }
                }
                self.keep(decision, None);
            }
            self.capped(step, &coming)?;
        }
    }

    /// Says when a deadline has begun so often that it does not pass any more.
    fn capped(&self, step: usize, coming: &Coming) -> Result<(), Broken> {
        let thing = Thing::get(&self.state, self.module.name(), &coming.case, &coming.thing);
        let thing = thing.map_err(|error| Broken::new(step, error.to_string()))?;
        let case = self.module.cases.get(&coming.case);
        let (Some(thing), Some(case)) = (thing, case) else { return Ok(()) };
        let over = |due: &&Due| due::generation(&thing, due) > due::MOST_GENERATIONS;
        match case.dues.iter().find(over) {
            None => Ok(()),
            Some(due) => {
                let (name, most) = (&due.name, due::MOST_GENERATIONS);
                let why = format!("due.{name} has begun more than {most} times and passes no more");
                Err(Broken::new(step, why))
            }
        }
    }

    fn keep(&mut self, decision: Decision, document: Option<&Document>) {
        self.state.apply(&decision.writes);
        if let Subject::Elapsed { case, due, .. } = &decision.record.subject {
            self.told.passed.push(format!("{case}/{due}"));
        }
        let document = matches!(decision.record.subject, Subject::Document(_)).then_some(document);
        self.made.push((decision, document.flatten().cloned()));
    }

    fn file(&mut self, number: usize, step: &Step, act: &str, by: &str) -> Result<(), Broken> {
        let broken = |why: String| Broken::new(number, why);
        let failed = |error: StateError| Broken::new(number, error.to_string());
        let document = self.document(number, step, act, by)?;
        let mut input = Input {
            at: self.now,
            lodged: self.now,
            home: self.scenario.home.clone(),
            salt: Salt::Fresh(Digest::of(format!("salt {number}").as_bytes())),
            facts: Facts::default(),
            document,
        };
        input.facts.form = self.kernel.judge_form(&self.state, &input).map_err(failed)?;
        let decisions = self.kernel.decide(&self.state, &input).map_err(failed)?;
        let outcome = decisions.last().map(|decision| decision.record.outcome.clone());
        match (&step.refused, outcome) {
            (None, Some(Outcome::Applied(applied))) => {
                self.told.acts.push(format!("{}/{act}", applied.case));
                if let Some(label) = &step.label {
                    self.labels
                        .insert(label.clone(), (applied.case.clone(), applied.thing.clone()));
                }
                for decision in decisions {
                    self.keep(decision, Some(&input.document));
                }
                if let Some(wanted) = &step.answer {
                    let id = input.document.id.to_string();
                    if let Some(why) = self.answered(wanted, &id).map_err(failed)? {
                        return Err(broken(why));
                    }
                }
                Ok(())
            }
            (None, Some(Outcome::Refused(reasons))) => {
                let each = reasons.iter().map(|reason| reason.say(self.module, Language::En));
                Err(broken(format!("it was refused: {}", each.collect::<Vec<_>>().join("; "))))
            }
            (_, Some(Outcome::Deferred(_) | Outcome::Quarantined { .. })) => {
                Err(broken("it was not decided".into()))
            }
            // A refusal changes nothing: neither here, where its document is not even kept.
            (Some(wanted), Some(Outcome::Refused(reasons))) => {
                self.told.refused.extend(reasons.iter().map(|reason| reason.rule.clone()));
                let says = |reason: &crate::Reason| {
                    let text = reason.say(self.module, Language::Zh);
                    wanted.says.as_ref().is_none_or(|says| text.contains(says.as_str()))
                        && wanted.law.as_ref().is_none_or(|law| reason.law.as_ref() == Some(law))
                };
                let by_rule = reasons.iter().find(|reason| reason.rule == wanted.rule);
                match by_rule {
                    Some(reason) if says(reason) => Ok(()),
                    _ => {
                        let each = reasons.iter().map(|reason| {
                            let law = reason.law.as_deref().unwrap_or("-");
                            format!(
                                "{} ({law}): {}",
                                reason.rule,
                                reason.say(self.module, Language::Zh)
                            )
                        });
                        Err(broken(format!(
                            "it was refused otherwise: {}",
                            each.collect::<Vec<_>>().join("; ")
                        )))
                    }
                }
            }
            (Some(wanted), Some(Outcome::Applied(_))) => {
                Err(broken(format!("it was taken, and was to be refused by {}", wanted.rule)))
            }
            (_, None) => Err(broken("nothing was decided".into())),
        }
    }

    fn document(
        &self,
        number: usize,
        step: &Step,
        act: &str,
        by: &str,
    ) -> Result<Document, Broken> {
        let broken = |why: String| Broken::new(number, why);
        let signer =
            self.scenario.signer(by).ok_or_else(|| broken(format!("by: nobody {by:?}")))?;
        let behalf = match (&step.party, step.how) {
            (None, None) => None,
            (Some(party), Some(how)) => {
                let name = self.scenario.party_name(party);
                let name = name.and_then(|name| name.parse().ok());
                let party = name.ok_or_else(|| broken(format!("for: no party {party:?}")))?;
                Some(Behalf { party, how })
            }
            _ => return Err(broken("for and how stand together".into())),
        };
        let about = match &step.on {
            None => None,
            Some(label) => {
                let found = self.label(label).map_err(|error| broken(error.to_string()))?;
                Some(found.ok_or_else(|| broken(format!("on: no {label:?}")))?)
            }
        };
        let cases = self.module.cases.values();
        let case = about.as_ref().map(|(case, _)| case.as_str());
        let case = act.split_once('/').map(|(case, _)| case).or(case);
        let name = act.split_once('/').map_or(act, |(_, act)| act);
        let mut cases = cases.filter(|known| case.is_none_or(|case| case == known.name));
        let found = cases.find_map(|case| Some((case.name.clone(), case.act(name)?.form.clone()?)));
        let question = || {
            let registry = self.module.registries.get(case?)?;
            Some((registry.name.clone(), registry.ask(name)?.form.clone()))
        };
        let found = found.or_else(question);
        let (case, kind) = found.ok_or_else(|| broken(format!("act: no {act:?}")))?;
        let mut form = BTreeMap::new();
        for (field, value) in &step.form {
            let value = value_of(value).ok_or_else(|| broken(format!("form.{field}")))?;
            form.insert(field.clone(), value);
        }
        let parsed =
            |name: &str| name.parse::<AgencyName>().map_err(|_| broken(format!("agency: {name}")));
        let home = parsed(&self.scenario.home)?;
        let own = signer.agency.clone();
        let of = self.module.cases.get(&case).and_then(|case| case.act(name));
        // What another agency sends goes under its seal; what is sent names somebody to whom.
        let side = of.map(|act| act.side).unwrap_or_default();
        let from = if side == Side::Received { parsed(&own)? } else { home.clone() };
        let to = if side == Side::Filed { Vec::new() } else { vec![home.clone()] };
        let mut signers = vec![signer];
        if side == Side::Received {
            signers.push(Signer { name: own.clone(), agency: own.clone() });
        }
        let filing = Filing {
            home,
            act: format!("{case}/{name}"),
            about: about.map(|(_, id)| id),
            seen: step.seen,
            reason: step.reason.clone(),
            version: None,
            until: self.now.0 + 86_400,
            behalf,
        };
        let header = DocumentHeader {
            kind,
            number: None,
            title: step.title.clone().unwrap_or_else(|| name.to_owned()),
            from,
            to,
            cc: Vec::new(),
            classification: None,
            secrecy_period: None,
            urgency: Urgency::Routine,
            created: self.now.0,
            deadline: None,
            in_reply_to: None,
            module: self.module.name().to_owned(),
            fields: BTreeMap::new(),
            crit: Vec::new(),
            filing: Some(filing),
            form,
            parts: Vec::new(),
            nonce: Digest::of(format!("{} {number}", self.scenario.scenario).as_bytes()),
        };
        let id = cbor::encode(&header).map_err(|e| broken(e.to_string()))?;
        let id = DocumentId::from_slice(Digest::of(&id).as_bytes())
            .ok_or_else(|| broken("id".into()))?;
        for other in &step.sign {
            signers.push(match other.as_str() {
                "agency" => Signer { name: own.clone(), agency: own.clone() },
                other => self
                    .scenario
                    .signer(other)
                    .ok_or_else(|| broken(format!("sign: nobody {other:?}")))?,
            });
        }
        Ok(Document { id, header, signers, part: None })
    }

    fn expect(&self, number: usize, expect: &Expect, label: &str) -> Result<(), Broken> {
        let broken = |why: String| Err(Broken::new(number, why));
        let failed = |error: StateError| Broken::new(number, error.to_string());
        let Some((case, id)) = self.label(label).map_err(failed)? else {
            return broken(format!("no {label:?}"));
        };
        let (case, id) = (&case, &id);
        let thing = Thing::get(&self.state, self.module.name(), case, id).map_err(failed)?;
        let Some(thing) = thing else { return broken(format!("{label} is not there")) };
        if let Some(state) = &expect.state
            && *state != thing.state
        {
            return broken(format!("state: {} and not {state}", thing.state));
        }
        if let Some(title) = &expect.title
            && *title != thing.title
        {
            return broken(format!("title: {} and not {title}", thing.title));
        }
        let numbers: Vec<_> = thing.set.values().map(ToString::to_string).collect();
        if let Some(wanted) = &expect.number
            && !numbers.contains(wanted)
        {
            return broken(format!("number: {} and not {wanted}", numbers.join(", ")));
        }
        for (field, wanted) in &expect.set {
            let found = thing.set.get(field).map(ToString::to_string).unwrap_or_default();
            if found != *wanted {
                return broken(format!("set.{field}: {found} and not {wanted}"));
            }
        }
        if let Some(wanted) = &expect.flags
            && *wanted != thing.flags
        {
            return broken(format!("flags: {:?} and not {wanted:?}", thing.flags));
        }
        let coming =
            Coming { module: self.module.name().to_owned(), case: case.clone(), thing: id.clone() };
        if let Some(why) = self.expect_others(expect, id).map_err(failed)? {
            return broken(why);
        }
        let dues = self.kernel.deadlines(&self.state, &coming, &self.scenario.home, self.now);
        let dues = dues.map_err(failed)?;
        for (name, wanted) in &expect.due {
            let found = dues.iter().find(|due| due.name == *name);
            let day = found.map(|due| due.moment.day.to_string());
            let end = found.map(|due| self.module.zone.show(due.moment.end));
            if ![&day, &end].into_iter().flatten().any(|found| found == wanted) {
                let day = day.unwrap_or_else(|| "does not run".into());
                return broken(format!("due.{name}: {day} and not {wanted}"));
            }
        }
        Ok(())
    }

    /// The thing of a label: of a child its parent's, its case and its place.
    fn label(&self, label: &str) -> Result<Option<(String, String)>, StateError> {
        let parts: Vec<_> = label.split('/').collect();
        let [parent, kid, place] = parts.as_slice() else {
            return Ok(self.labels.get(label).cloned());
        };
        let Some((_, id)) = self.labels.get(*parent) else { return Ok(None) };
        let Ok(place) = place.parse::<usize>() else { return Ok(None) };
        let mut kids = self.kids(kid, id)?;
        kids.sort_by_key(|(_, opened, _)| *opened);
        Ok(kids.into_iter().nth(place).map(|(id, ..)| ((*kid).to_owned(), id)))
    }

    /// The children of a thing, with when each was opened; those of one moment in the order of what they were given.
    fn kids(&self, case: &str, parent: &str) -> Result<Vec<(String, i64, Thing)>, StateError> {
        let key = Key::new(Family::Index, self.module.name());
        let rows =
            self.state.scan(&key.name(&format!("{case}/parent")).value(parent), "", 1_000)?;
        let mut found = Vec::new();
        for (key, _) in rows {
            if let Some(thing) = Thing::get(&self.state, self.module.name(), case, &key.id)? {
                let opened = thing.when.values().min().copied().unwrap_or(0);
                found.push((key.id, opened, thing));
            }
        }
        found.sort_by_key(|(_, opened, thing)| (*opened, thing.place));
        Ok(found)
    }

    /// What accounts hold, people were told, and children there are.
    fn expect_others(&self, expect: &Expect, id: &str) -> Result<Option<String>, StateError> {
        for (name, wanted) in &expect.balance {
            let mut parts = name.split('/');
            let (account, place) =
                (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let Some(account) = self.module.accounts.get(account) else {
                return Ok(Some(format!("balance.{name}: no such account")));
            };
            let dims: Vec<_> = parts.map(Value::text).collect();
            let module = self.module.name();
            let found = mechanism::balance(&self.state, module, account, place, &dims)?;
            if found.to_string() != *wanted {
                return Ok(Some(format!("balance.{name}: {found} and not {wanted}")));
            }
        }
        for (who, wanted) in &expect.told {
            let all = notices(&self.state, self.module.name(), who, Instant(0), 10_000)?;
            let found = all.last().map_or("nothing", |notice| notice.say.as_str());
            if found != wanted {
                return Ok(Some(format!("told.{who}: {found} and not {wanted}")));
            }
        }
        for (name, wanted) in &expect.roll {
            let (module, mut parts) = (self.module.name(), name.splitn(3, '/'));
            let mut part = || parts.next().unwrap_or_default();
            let (roll, what, key) = (part(), part(), part());
            let found = mechanism::show_roll(&self.state, module, roll, id, what, key)?;
            if found != *wanted {
                return Ok(Some(format!("roll.{name}: {found} and not {wanted}")));
            }
        }
        for (path, wanted) in &expect.shows {
            let found = mechanism::shown(&self.state, self.module, (id, self.now), path)?;
            let found = found.unwrap_or_else(|| "nothing".to_owned());
            if found != *wanted {
                return Ok(Some(format!("shows.{path}: {found} and not {wanted}")));
            }
        }
        for (publication, seen) in &expect.published {
            let published = Published::new(&self.state, self.module, self.now);
            if let Some(why) = seen.differs(&published, publication, id)? {
                return Ok(Some(format!("published.{publication}: {why}")));
            }
        }
        if let Some(wanted) = &expect.owed {
            let all = owed_documents(&self.state, "", 10_000)?.into_iter().map(|(_, owed)| owed);
            let own = all.filter(|owed| owed.thing == id);
            let found: Vec<_> = own.map(|owed| format!("{} {}", owed.form, owed.to)).collect();
            if found != *wanted {
                return Ok(Some(format!("owed: {found:?} and not {wanted:?}")));
            }
        }
        for (case, wanted) in &expect.kids {
            let found = self.kids(case, id)?.len();
            if found != *wanted {
                return Ok(Some(format!("kids.{case}: {found} and not {wanted}")));
            }
        }
        Ok(None)
    }

    /// What a registry has answered to a question.
    fn answered(&self, wanted: &Answered, document: &str) -> Result<Option<String>, StateError> {
        let Some(found) = Answer::of(&self.state, self.module.name(), document)? else {
            return Ok(Some("answer: there is none".into()));
        };
        let shown = |record: &BTreeMap<String, Value>| -> BTreeMap<String, String> {
            record.iter().map(|(name, value)| (name.clone(), value.to_string())).collect()
        };
        let records: Vec<_> = found.records.iter().map(shown).collect();
        let Answer { yes, count, more, .. } = found;
        if (wanted.yes, wanted.count, wanted.more) != (yes, count, more)
            || records != wanted.records
        {
            let is = format!("yes {yes:?}, count {count:?}, more {more}, records {records:?}");
            return Ok(Some(format!("answer: {is}")));
        }
        for subject in &wanted.looked_at {
            let all = looks(&self.state, self.module.name(), subject, "", 10_000)?;
            if all.iter().all(|look| look.document != document) {
                return Ok(Some(format!("looked_at: {subject} is not told of it")));
            }
        }
        Ok(None)
    }

    /// All of it decided again comes to the same.
    fn replay(&self) -> Result<(), Broken> {
        let mut replay = Replay::from(&self.scenario.home, self.first.clone());
        for (decision, document) in &self.made {
            let step = replay.step(&decision.record.encode(), &decision.salt, document.clone());
            step.map_err(|fault| Broken::new(0, format!("replay: {fault:?}")))?;
        }
        let kept = |state: &MemoryState| {
            let rows = state.rows().filter(|(key, _)| !key.family.derived());
            rows.map(|(key, value)| (key.clone(), value.to_vec())).collect::<Vec<_>>()
        };
        match kept(replay.state()) == kept(&self.state) {
            true => Ok(()),
            false => Err(Broken::new(0, "replay: the state is another")),
        }
    }
}

impl Scenario {
    /// Somebody as a step calls him.
    fn signer(&self, name: &str) -> Option<Signer> {
        match self.officer.contains_key(name) {
            true => Some(Signer::named(&self.officer_name(name))),
            false => self.party_name(name).map(|name| Signer::party(&name)),
        }
    }

    /// The name of a party: an enterprise's by its code, a citizen's by a pseudonym that is made of what steps call him.
    fn party_name(&self, name: &str) -> Option<String> {
        let local = match &self.party.get(name)?.code {
            Some(code) => code.to_lowercase(),
            None => {
                let own = Digest::of(name.as_bytes()).to_string();
                format!("p-{}", own.get(..20).unwrap_or_default())
            }
        };
        Some(format!("{local}@party.{}", self.home))
    }

    /// What stands in the office when the story begins: who acts for whom, and who helps at the counter.
    fn mandates(&self, now: Instant, writes: &mut Writes) -> Result<(), String> {
        for (name, _) in self.officer.iter().filter(|(_, officer)| officer.counter) {
            let held = office::Appointment { from: now.0, until: None, document: String::new() };
            let mail = self.officer_name(name);
            let key = office::appointment(office::OFFICE, mandates::COUNTER, &mail, None);
            writes.insert(key, Some(cbor::encode(&held).expect("plain")));
        }
        for (name, party) in &self.party {
            let full = |name: &str| {
                let found = self.party_name(name).and_then(|name| name.parse::<PartyName>().ok());
                found.map(String::from).ok_or_else(|| format!("party.{name}: no such party"))
            };
            let agents = party.agent_of.iter().map(|(of, scope)| (of, Hand::Agent, scope.clone()));
            let guards = party.guardian_of.iter().map(|of| (of, Hand::Guardian, Vec::new()));
            let by = full(name)?;
            for (of, how, scope) in agents.chain(guards) {
                let (party, document) = (full(of)?, format!("{name}/{of}/{}", how.name()));
                let (by, basis, until, from) = (by.clone(), None, None, now.0);
                let kept =
                    mandates::Mandate { how, party, by, scope, basis, from, until, document };
                writes.extend(mandates::rows(&kept));
            }
        }
        Ok(())
    }

    fn officer_name(&self, name: &str) -> String {
        let agency = self.officer.get(name).and_then(|officer| officer.agency.as_ref());
        format!("{name}@{}", agency.unwrap_or(&self.home))
    }
}

/// A value of a story as a value of a form.
fn value_of(value: &toml::Value) -> Option<FormValue> {
    Some(match value {
        toml::Value::String(text) => FormValue::Text(text.clone()),
        toml::Value::Integer(n) => FormValue::Int(*n),
        toml::Value::Boolean(yes) => FormValue::Bool(*yes),
        toml::Value::Float(_) => return None,
        toml::Value::Datetime(at) => FormValue::Text(at.to_string()),
        toml::Value::Array(list) => {
            FormValue::List(list.iter().map(value_of).collect::<Option<_>>()?)
        }
        toml::Value::Table(table) => {
            let each = table.iter().map(|(name, value)| Some((name.clone(), value_of(value)?)));
            FormValue::Map(each.collect::<Option<_>>()?)
        }
    })
}
