//! Who may read what modules keep: one predicate, by which everything that shows something of a thing chooses, and then masks.

mod paper;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chancery_protocol::FormValue;

use crate::{
    calendar::Calendar,
    civil::Instant,
    due,
    entitled::names_one,
    environment::CaseEnvironment,
    formula::Environment as _,
    input::{Document, Signer},
    jurisdiction::Held,
    kernel::{Coming, Kernel},
    mandates::{self, REGISTRAR},
    manifest::{Case, Module, Until},
    migration::Cover,
    office::{self, APPOINTER, Appointed, KEEPER, OFFICE},
    reason::Refusal,
    state::{State, StateError},
    thing::Thing,
    value::Value,
};

/// Who reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reader {
    /// Somebody who reads everything: whoever lets him in says so.
    Full,
    /// An officer or a party, by name.
    Named(String),
    /// Anybody.
    Public,
}

/// Whether a thing may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readable {
    /// It is not there for whoever asks.
    No,
    /// It may be read, but for what is hidden.
    Yes(Hidden),
}

/// What of a thing is hidden from a reader.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hidden {
    /// Fields that were set, and names of `who`.
    pub fields: BTreeSet<String>,
    /// People whose names are not shown.
    pub people: BTreeSet<String>,
    /// Acts whose documents are not shown.
    pub acts: BTreeSet<String>,
    /// Deadlines that would show what is hidden.
    pub dues: BTreeSet<String>,
}

/// A thing as a reader sees it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The version of the module by which it goes.
    pub module: Arc<Module>,
    /// It, without what is hidden.
    pub thing: Thing,
    /// What is hidden.
    pub hidden: Hidden,
}

/// What a reader may see at a moment. Where he holds which role is looked up once.
pub struct Reading<'a> {
    kernel: &'a Kernel,
    state: &'a dyn State,
    who: &'a Reader,
    home: &'a str,
    at: Instant,
    calendar: Arc<Calendar>,
    held: RefCell<BTreeMap<(String, String), Held>>,
    /// By case, as whom whoever reads is there: himself, and those for whom he acts.
    selves: RefCell<BTreeMap<String, Vec<Signer>>>,
}

impl Kernel {
    /// What somebody may see at a moment of what the modules of an agency keep.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn reading<'a>(
        &'a self,
        state: &'a dyn State,
        who: &'a Reader,
        home: &'a str,
        at: Instant,
    ) -> Result<Reading<'a>, StateError> {
        let calendar = self.calendar(state)?;
        let (held, selves) = Default::default();
        Ok(Reading { kernel: self, state, who, home, at, calendar, held, selves })
    }
}

impl Reading<'_> {
    /// Whether a thing may be read. What is not there may not.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn readable(&self, coming: &Coming) -> Result<Readable, StateError> {
        match self.kernel.thing(self.state, coming)? {
            None => Ok(Readable::No),
            Some((module, thing)) => self.judge(&module, coming, &thing),
        }
    }

    /// A thing as it may be read. Nothing of it is given where it may not.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn thing(&self, coming: &Coming) -> Result<Option<Shown>, StateError> {
        let Some((module, thing)) = self.kernel.thing(self.state, coming)? else {
            return Ok(None);
        };
        Ok(match self.judge(&module, coming, &thing)? {
            Readable::No => None,
            Readable::Yes(hidden) => Some(Shown { thing: hidden.mask(thing), module, hidden }),
        })
    }

    /// Whether a document that was filed with a module here may be read: by whoever signed it, whoever reads its thing, unless
    /// it says what is hidden, and, as an appointment, by whoever sees that.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn document(&self, document: &Document) -> Result<bool, StateError> {
        let name = match self.who {
            Reader::Full => return Ok(true),
            Reader::Named(name) => name.as_str(),
            Reader::Public => "",
        };
        if !name.is_empty() && document.signers.iter().any(|signer| signer.name == name) {
            return Ok(true);
        }
        let Some(filing) = document.filing() else { return Ok(false) };
        let module = document.header.module.as_str();
        if module == OFFICE {
            if mandates::ACTS.contains(&filing.act.as_str()) {
                return Ok(mandates::concerns(document, name) || self.records_parties()?);
            }
            let text = |field| match document.header.form.get(field) {
                Some(FormValue::Text(text)) => text.as_str(),
                _ => "",
            };
            return match filing.act.as_str() {
                "appoint" | "dismiss" => {
                    let of = if text("of").is_empty() { OFFICE } else { text("of") };
                    self.sees(of, text("officer"), text("office"))
                }
                // Which modules and calendars are in force is for everybody.
                _ => Ok(true),
            };
        }
        let Some((case, act)) = filing.act.split_once('/') else { return Ok(false) };
        let thing = filing.about.clone().unwrap_or_else(|| document.id.to_string());
        let coming = Coming { module: module.to_owned(), case: case.to_owned(), thing };
        Ok(match self.readable(&coming)? {
            Readable::No => false,
            Readable::Yes(hidden) => {
                let by_hidden =
                    document.signers.iter().any(|signer| hidden.people.contains(&signer.name));
                !hidden.acts.contains(act) && !by_hidden
            }
        })
    }

    /// The appointments of a module that may be seen: one's own, and those in offices in which one holds a role of it, or over
    /// which. Who appoints and who installs see all.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn appointed(&self, module: &str) -> Result<Vec<Appointed>, StateError> {
        let mut seen = Vec::new();
        for one in office::appointed(self.state, module)? {
            if self.sees(module, &one.officer, one.office.as_deref().unwrap_or_default())? {
                seen.push(one);
            }
        }
        Ok(seen)
    }

    /// What a plan would do with the running matters of a module, for whoever could sign it. None for anybody else.
    ///
    /// # Errors
    /// [`StateError`]; within, why the plan would be refused whatever it left out.
    pub fn try_migration(
        &self,
        module: &str,
        plan: &str,
    ) -> Result<Option<Result<Cover, Refusal>>, StateError> {
        if !self.whole() && !self.held(OFFICE, KEEPER)?.whole {
            return Ok(None);
        }
        self.kernel.try_migration(self.state, module, plan).map(Some)
    }

    /// Whether the whole of what a module keeps is open to whoever reads: numbers over all of it are his to see.
    pub fn whole(&self) -> bool {
        *self.who == Reader::Full
    }

    fn sees(&self, module: &str, officer: &str, office: &str) -> Result<bool, StateError> {
        let name = match self.who {
            Reader::Full => return Ok(true),
            Reader::Public => return Ok(false),
            Reader::Named(name) => name,
        };
        if officer == name {
            return Ok(true);
        }
        for role in [APPOINTER, KEEPER] {
            if self.held(OFFICE, role)?.whole {
                return Ok(true);
            }
        }
        let Some((_, described)) = self.kernel.in_force(self.state, module)? else {
            return Ok(false);
        };
        for role in described.roles.keys() {
            let held = self.held(module, role)?.of(described.is_of_an_office(role));
            if held.covers(office) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where whoever reads was appointed to a role.
    fn held(&self, module: &str, role: &str) -> Result<Held, StateError> {
        let Reader::Named(name) = self.who else { return Ok(Held::default()) };
        let key = (module.to_owned(), role.to_owned());
        if let Some(held) = self.held.borrow().get(&key) {
            return Ok(held.clone());
        }
        let held = office::holds(self.state, module, role, name, self.at)?;
        self.held.borrow_mut().insert(key, held.clone());
        Ok(held)
    }

    fn judge(
        &self,
        module: &Module,
        coming: &Coming,
        thing: &Thing,
    ) -> Result<Readable, StateError> {
        let Some(case) = module.cases.get(&coming.case) else { return Ok(Readable::No) };
        if *self.who == Reader::Full {
            return Ok(Readable::Yes(Hidden::default()));
        }
        let (calendar, id, at) = (&self.calendar, &coming.thing, self.at);
        let deciding = self.kernel.deciding(module, case, calendar, self.home, id, at, at);
        let environment = deciding.looking(self.state, thing);
        let readable = self.is_reader(&environment, case.read_by())?
            || self.is_named(&environment)?
            || is_public(&environment);
        environment.check()?;
        if !readable {
            return Ok(Readable::No);
        }
        // With steps of its own: what was chosen by is not what is hidden.
        let environment = deciding.looking(self.state, thing);
        let hidden = self.hidden(&environment)?;
        environment.check()?;
        Ok(Readable::Yes(hidden))
    }

    /// Whether whoever reads is one of some roles where the thing belongs, or one of some names of `who`.
    fn is_reader<'n>(
        &self,
        environment: &CaseEnvironment<'_>,
        names: impl Iterator<Item = &'n str>,
    ) -> Result<bool, StateError> {
        if !matches!(self.who, Reader::Named(_)) {
            return Ok(false);
        }
        let (module, selves) = (environment.module, self.selves(environment)?);
        for name in names.collect::<BTreeSet<_>>() {
            // What parties are lets them file, and see nothing of each other.
            if module.is_of_parties(name) {
                continue;
            }
            let is = match module.roles.contains_key(name) {
                true => {
                    let held = self.held(module.name(), name)?.of(module.is_of_an_office(name));
                    held.covers(&environment.office)
                }
                false => selves.iter().any(|one| names_one(&environment.root(name), one)),
            };
            if is {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a thing names whoever reads, as it is now: as one of `who`, its subject, or one who is asked in a round. Having
    /// done something with it is not enough: that may have been by a role that was taken away.
    fn is_named(&self, environment: &CaseEnvironment<'_>) -> Result<bool, StateError> {
        let selves = self.selves(environment)?;
        Ok(selves.iter().any(|one| is_named(environment, one)))
    }

    /// As whom whoever reads is to be found in a case.
    fn selves(&self, environment: &CaseEnvironment<'_>) -> Result<Vec<Signer>, StateError> {
        let Reader::Named(name) = self.who else { return Ok(Vec::new()) };
        let case = format!("{}/{}", environment.module.name(), environment.case.name);
        if let Some(known) = self.selves.borrow().get(&case) {
            return Ok(known.clone());
        }
        let others = mandates::represented(self.state, name, &case, self.at)?;
        let others = others.iter().map(|party| Signer::party(party));
        let all: Vec<_> = std::iter::once(Signer::named(name)).chain(others).collect();
        self.selves.borrow_mut().insert(case, all.clone());
        Ok(all)
    }

    /// Whether whoever reads records guardians here, or appoints who does.
    fn records_parties(&self) -> Result<bool, StateError> {
        Ok(self.held(OFFICE, REGISTRAR)?.whole || self.held(OFFICE, APPOINTER)?.whole)
    }

    /// What is hidden of a thing that may be read.
    fn hidden(&self, environment: &CaseEnvironment<'_>) -> Result<Hidden, StateError> {
        let (case, mut hidden) = (environment.case, Hidden::default());
        for hide in &case.reading.hides {
            let over = match &hide.until {
                Until::State(state) => {
                    environment.thing.is_some_and(|thing| thing.when(state).is_some())
                }
                Until::Due(name) => {
                    let due = case.due(name).and_then(|due| due::moment(environment, due));
                    due.is_some_and(|moment| moment.end <= self.at)
                }
            };
            if over {
                continue;
            }
            // Those see it who have to do with it: by whose acts it is there, and whom it names.
            let acts: Vec<_> = case.comes_of(&hide.name).collect();
            let own = acts.iter().flat_map(|act| &act.by).map(String::as_str);
            let named = case.who.iter().filter(|(name, _)| *name == hide.name);
            let mut values: Vec<_> = named.map(|(name, _)| environment.root(name)).collect();
            values.extend(environment.thing.and_then(|thing| thing.set.get(&hide.name)).cloned());
            let is_named = match self.who {
                Reader::Named(_) => {
                    let selves = self.selves(environment)?;
                    selves.iter().any(|one| values.iter().any(|value| names_one(value, one)))
                }
                Reader::Full | Reader::Public => false,
            };
            if is_named || self.is_reader(environment, own)? {
                continue;
            }
            hidden.fields.insert(hide.name.clone());
            hidden.acts.extend(acts.iter().map(|act| act.name.clone()));
            // Names of people are hidden wherever they stand.
            let people = values.iter().flat_map(Value::names).filter(|name| name.contains('@'));
            hidden.people.extend(people.map(str::to_owned));
            hidden.dues.extend(shown_by_dues(case, &hide.name));
        }
        Ok(hidden)
    }
}

/// The deadlines from which something hidden could be read.
fn shown_by_dues<'c>(case: &'c Case, hidden: &'c str) -> impl Iterator<Item = String> + 'c {
    let dues = case
        .dues
        .iter()
        .filter(move |due| due.formulas().iter().any(|placed| case.shows(&placed.formula, hidden)));
    dues.map(|due| due.name.clone())
}

/// Whether a thing names somebody as it is now.
fn is_named(environment: &CaseEnvironment<'_>, signer: &Signer) -> bool {
    let Some(thing) = environment.thing else { return false };
    if !thing.people.iter().any(|known| *known == signer.name || *known == signer.agency) {
        return false;
    }
    let case = environment.case;
    let subject = case.reading.subject.as_ref();
    subject.is_some_and(|placed| names_one(&placed.formula.value(environment), signer))
        || case.who.iter().any(|(name, _)| names_one(&environment.root(name), signer))
        || thing
            .rounds
            .values()
            .any(|votes| names_one(&Value::texts(votes.of.iter().cloned()), signer))
}

fn is_public(environment: &CaseEnvironment<'_>) -> bool {
    let public = environment.case.public.as_ref();
    public.is_some_and(|placed| placed.formula.value(environment) == Value::Bool(true))
}

impl Hidden {
    /// Whether nothing is hidden.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A thing without what is hidden of it.
    fn mask(&self, mut thing: Thing) -> Thing {
        if self.is_empty() {
            return thing;
        }
        let shown = |who: &String| !self.people.contains(who);
        thing.set.retain(|name, value| !self.fields.contains(name) && !self.names(value));
        thing.people.retain(shown);
        for authors in thing.authors.values_mut() {
            authors.retain(shown);
        }
        for votes in thing.rounds.values_mut() {
            votes.of.retain(shown);
            votes.said.retain(|who, _| shown(who));
            votes.texts.retain(|who, _| shown(who));
            votes.void.retain(|void| shown(&void.who));
            votes.passed.retain(|(from, to)| shown(from) && shown(to));
        }
        thing.turns.handed.retain(|from, to| shown(from) && shown(to));
        thing.documents.retain(|act, _| !self.acts.contains(act));
        for act in &self.acts {
            thing.filed.remove(act);
        }
        thing.hands.retain(|act, hand| !self.acts.contains(act) && shown(&hand.by));
        for form in thing.filed.values_mut() {
            form.retain(|_, value| !self.names(value));
        }
        thing.held.clear();
        thing
    }

    /// Whether somebody is named whose name is not shown.
    fn names(&self, value: &Value) -> bool {
        match value {
            Value::Text(text) => self.people.contains(text),
            Value::List(list) => list.iter().any(|value| self.names(value)),
            Value::Map(map) => map.values().any(|value| self.names(value)),
            _ => false,
        }
    }
}
