//! What the formulas of a case speak of.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use crate::{
    calendar::{Calendar, Rule},
    civil::{Date, Instant, Zone},
    due,
    formula::{Environment, Explained, MOST_STEPS},
    input::{Document, Signer},
    jurisdiction::Held,
    look_up::{Looked, Looks},
    manifest::{Case, Module},
    mechanism, office,
    state::{Family, Key, State, StateError},
    thing::{Parent, Thing, Votes},
    value::{Value, Why},
};

/// How deep names and deadlines may rest on each other.
pub(crate) const MOST_DEEP: usize = 64;

/// A case at a moment, with the act that is being judged, if there is one.
pub(crate) struct CaseEnvironment<'a> {
    pub module: &'a Module,
    pub case: &'a Case,
    pub state: &'a dyn State,
    pub calendar: &'a Calendar,
    pub home: &'a str,
    /// The thing as it is before the act; none while it is being opened.
    pub thing: Option<&'a Thing>,
    pub id: &'a str,
    /// The form that is judged, or none.
    pub doc: Value,
    pub document: Option<&'a Document>,
    /// The office to which the thing belongs, or will; empty: the whole agency.
    pub office: String,
    pub at: Instant,
    pub lodged: Instant,
    /// What else names stand for here: counts of a round, the element of a list, a record.
    pub counts: BTreeMap<&'static str, Value>,
    /// The thing whose child is being opened.
    pub parent: Option<Parent>,
    pub steps: Cell<u64>,
    /// What of tables was looked up.
    pub looks: &'a Looks,
    /// Names and deadlines that are being worked out, and those that are.
    pub open: RefCell<Working>,
    /// What went wrong in reading state, which a formula cannot say.
    pub failed: RefCell<Option<StateError>>,
}

/// The most things that a formula looks at.
const MOST_THINGS: usize = 1_000;

/// What is being worked out, and what came of what was: the same name has the same value as long as the thing is the same, and a
/// changed thing has an environment of its own.
#[derive(Debug, Default)]
pub(crate) struct Working {
    open: Vec<String>,
    known: BTreeMap<String, Value>,
}

impl<'a> CaseEnvironment<'a> {
    /// The same once more, with all that is to be worked out anew.
    pub(crate) fn again(&self) -> CaseEnvironment<'a> {
        CaseEnvironment {
            doc: self.doc.clone(),
            office: self.office.clone(),
            counts: self.counts.clone(),
            parent: self.parent.clone(),
            steps: Cell::new(0),
            open: RefCell::default(),
            failed: RefCell::default(),
            ..*self
        }
    }

    /// What is read of state; that it cannot be read is said to whoever decides.
    fn read(&self, read: impl FnOnce() -> Result<Value, StateError>) -> Value {
        read().unwrap_or_else(|error| {
            self.failed.borrow_mut().get_or_insert(error);
            Value::Unknown(Why::NoRow(String::new()))
        })
    }

    /// The things of a case that stand under a value of an index.
    fn things(&self, case: &str, index: &str, value: &str) -> Result<Value, StateError> {
        let key = Key::new(Family::Index, self.module.name());
        let key = key.name(&format!("{case}/{index}")).value(value);
        let rows = self.state.scan(&key, "", MOST_THINGS)?;
        if rows.len() == MOST_THINGS {
            return Ok(Value::Unknown(Why::Cost));
        }
        let mut found = Vec::new();
        for (key, _) in rows {
            let thing = Thing::get(self.state, self.module.name(), case, &key.id)?;
            found.extend(thing.map(|thing| thing.value(&key.id)));
        }
        Ok(Value::List(found))
    }

    fn has_index(&self, case: &str, index: &str) -> bool {
        let case = self.module.cases.get(case);
        matches!(index, "state" | "who") && case.is_some()
            || case.is_some_and(|case| case.indexes.iter().any(|(name, _)| name == index))
    }

    fn kids(&self, case: &str) -> Result<Value, StateError> {
        self.things(case, "parent", self.id)
    }

    /// A field of the thing whose child this one is.
    fn above(&self, name: &str) -> Result<Value, StateError> {
        let parent = self.thing.and_then(|thing| thing.parent.as_ref()).or(self.parent.as_ref());
        let Some(parent) = parent else { return Ok(Value::None) };
        let thing = Thing::get(self.state, self.module.name(), &parent.case, &parent.thing)?;
        Ok(thing.map_or(Value::None, |thing| thing.value(&parent.thing).field(name)))
    }

    fn find(&self, name: &str, of: &[Value], day: Date) -> Result<Value, StateError> {
        let module = self.module.name();
        if let Some(registry) = self.module.registries.get(name) {
            if registry.key.len() != of.len() {
                return Ok(Value::Unknown(Why::NoRow(name.to_owned())));
            }
            return mechanism::find(self.state, module, registry, of, day);
        }
        if let Some(publication) = self.module.publications.get(name) {
            let when = (self.lodged, day);
            return mechanism::find_work(self.state, self.module, publication, of, when);
        }
        match (self.module.cases.contains_key(name), of) {
            (true, [Value::Text(id)]) => {
                let thing = Thing::get(self.state, module, name, id)?;
                Ok(thing.map_or(Value::None, |thing| thing.value(id)))
            }
            _ => Ok(Value::Unknown(Why::NoRow(name.to_owned()))),
        }
    }

    /// Works something out once. What rests on itself is unknown, and so is what rests on too much: a folder that was checked
    /// has neither.
    fn once(&self, key: &str, find: impl FnOnce() -> Value) -> Value {
        {
            let mut working = self.open.borrow_mut();
            if let Some(known) = working.known.get(key) {
                return known.clone();
            }
            if working.open.iter().any(|open| open == key) {
                return Value::Unknown(Why::NoResult(key.to_owned()));
            }
            if working.open.len() >= MOST_DEEP {
                return Value::Unknown(Why::Cost);
            }
            working.open.push(key.to_owned());
        }
        let value = find();
        let mut working = self.open.borrow_mut();
        working.open.pop();
        working.known.insert(key.to_owned(), value.clone());
        value
    }

    /// Has state have been read, or says why not.
    pub(crate) fn check(&self) -> Result<(), StateError> {
        match self.failed.borrow_mut().take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn named(&self, name: &str) -> Option<Value> {
        let mut all = self.case.who.iter().chain(&self.case.lets);
        let (_, placed) = all.find(|(known, _)| known == name)?;
        Some(self.once(name, || placed.formula.value(self)))
    }

    fn me(&self) -> Value {
        let Some(document) = self.document else { return Value::None };
        let (signer, hand) = (document.signer(), document.hand());
        let behalf = document.filing().and_then(|filing| filing.behalf.as_ref());
        let how = behalf.map_or("", |behalf| behalf.how.name()).to_owned();
        let fields =
            [("name", signer.name), ("agency", signer.agency), ("by", hand.name), ("how", how)];
        Value::Map(fields.map(|(name, text)| (name.to_owned(), Value::Text(text))).into())
    }

    fn head(&self) -> Value {
        let Some(document) = self.document else { return Value::None };
        let header = &document.header;
        let mut fields = BTreeMap::new();
        let mut put = |name: &str, value| drop(fields.insert(name.to_owned(), value));
        put("title", Value::text(&header.title));
        put("urgency", Value::text(header.urgency.name()));
        put("to", Value::texts(header.to.iter().map(ToString::to_string)));
        put("cc", Value::texts(header.cc.iter().map(ToString::to_string)));
        if let Some(number) = &header.number {
            put("number", Value::text(number));
        }
        if let Some(class) = &header.classification {
            put("class", Value::text(class));
        }
        let parts = header.parts.iter().map(|part| {
            let fields = [("name", part.name.clone()), ("digest", part.digest.to_string())];
            Value::Map(fields.map(|(name, text)| (name.to_owned(), Value::Text(text))).into())
        });
        put("parts", Value::List(parts.collect()));
        Value::Map(fields)
    }

    fn of_thing<T>(
        &self,
        map: impl FnOnce(&Thing) -> Option<T>,
        value: impl FnOnce(T) -> Value,
    ) -> Value {
        self.thing.and_then(map).map_or(Value::None, value)
    }

    /// Where somebody was appointed to a role, as of when the act was lodged.
    pub(crate) fn held(&self, role: &str, who: &str) -> Result<Held, StateError> {
        office::holds(self.state, self.module.name(), role, who, self.lodged)
    }

    /// Where somebody holds a role as it is to be held: one of an office is held in no whole agency.
    pub(crate) fn holds(&self, role: &str, who: &str) -> Result<Held, StateError> {
        Ok(self.held(role, who)?.of(self.module.is_of_an_office(role)))
    }

    /// Those who are asked in the round that runs, and have not answered.
    fn asked(&self, thing: &Thing) -> Vec<String> {
        let round = self.case.state(&thing.state).and_then(|state| state.round.as_ref());
        let votes = round.and_then(|round| thing.rounds.get(round));
        votes.into_iter().flat_map(Votes::open).cloned().collect()
    }

    /// Those by name for whom a thing waits: people of its acts here, who is asked, and to whom a duty was handed.
    fn duty(&self, thing: &Thing) -> Vec<String> {
        let mut all = self.asked(thing);
        let here = self.case.acts.iter().filter(|act| !act.inner() && !act.special.stock);
        let here = here.filter(|act| act.from.contains(&thing.state)).flat_map(|act| &act.by);
        for name in here.filter(|name| *name != "duty") {
            let named = self.named(name).unwrap_or(Value::None);
            all.extend(named.names().into_iter().map(str::to_owned));
        }
        let handed = &thing.turns.handed;
        all.extend(handed.values().cloned());
        all.retain(|who| !who.is_empty() && !handed.contains_key(who));
        all.sort();
        all.dedup();
        all
    }

    fn state_call(&self, name: &str, arguments: &[Value]) -> Result<Value, StateError> {
        match (name, arguments) {
            ("has_role", [me, Value::Text(role)]) if self.module.is_of_parties(role) => {
                let text = |field: &str| me.field(field).as_text().map(str::to_owned);
                let who = Signer {
                    name: text("name").unwrap_or_default(),
                    // Only of whoever has signed it is known whether he is a party.
                    agency: text("agency").unwrap_or_else(|| "?".to_owned()),
                };
                Ok(Value::Bool(self.module.has_party(role, &who)))
            }
            ("has_role", [me, Value::Text(role)]) => {
                let who = me.field("name");
                let who = who.as_text().or_else(|| me.as_text()).unwrap_or_default();
                self.holds(role, who).map(|held| Value::Bool(held.covers(&self.office)))
            }
            ("find", [Value::Text(of), rest @ ..]) => {
                self.find(of, rest, self.module.zone.date(self.lodged))
            }
            ("find_on", [Value::Text(of), Value::Date(day), rest @ ..]) => {
                self.find(of, rest, *day)
            }
            ("cited", [Value::Text(of), Value::Date(day), Value::Text(text)]) => {
                mechanism::cited(self.state, self.module, of, text, (self.lodged, *day))
            }
            // An index that there is not would find nothing, and nothing is what many conditions wait for.
            ("things", [Value::Text(case), Value::Text(index), _])
                if !self.has_index(case, index) =>
            {
                Ok(Value::Unknown(Why::NoRow(format!("{case}/{index}"))))
            }
            ("things", [Value::Text(case), Value::Text(index), value]) => match index.as_str() {
                "state" | "who" => self.things(case, index, &value.to_string()),
                index => self.things(case, &format!("by-{index}"), &value.to_string()),
            },
            ("balance", [Value::Text(account), Value::Text(place), dims @ ..]) => {
                match self.module.accounts.get(account) {
                    Some(account)
                        if account.place(place).is_none() || account.dims.len() != dims.len() =>
                    {
                        Ok(Value::Unknown(Why::NoRow(format!("{}/{place}", account.name))))
                    }
                    Some(account) => {
                        let module = self.module.name();
                        mechanism::balance(self.state, module, account, place, dims)
                    }
                    None => Ok(Value::Unknown(Why::NoRow(account.clone()))),
                }
            }
            ("free", [Value::Text(of), resource, Value::Instant(from), Value::Instant(to)]) => {
                match self.module.bookings.get(of) {
                    Some(booking) => {
                        let resource = resource.to_string();
                        mechanism::free(self.again(), booking, &resource, *from, *to)
                    }
                    None => Ok(Value::Unknown(Why::NoRow(of.clone()))),
                }
            }
            ("paper" | "checks" | "assigned", [Value::Text(of), Value::Text(thing)]) => {
                let (state, module) = (self.state, self.module.name());
                let (exam, inspection) =
                    (self.module.exams.get(of), self.module.inspections.get(of));
                match (name, exam, inspection) {
                    ("paper", Some(exam), _) => {
                        mechanism::paper(state, module, exam, thing, self.lodged)
                    }
                    ("checks", _, Some(one)) => mechanism::checks(state, module, one, thing),
                    ("assigned", _, Some(one)) => mechanism::assigned(state, module, one, thing),
                    _ => Ok(Value::Unknown(Why::NoRow(of.clone()))),
                }
            }
            ("graded", [Value::Text(of), Value::Text(sitting), Value::Text(script)]) => {
                let (state, module) = (self.state, self.module.name());
                match self.module.exams.get(of) {
                    Some(exam) => mechanism::graded(state, module, exam, (sitting, script)),
                    None => Ok(Value::Unknown(Why::NoRow(of.clone()))),
                }
            }
            ("matched", [Value::Text(of), Value::Text(pool), Value::Text(left)]) => {
                let (state, module) = (self.state, self.module.name());
                mechanism::placed(state, module, of, (pool.as_str(), left.as_str()))
            }
            ("calc", [Value::Text(of), Value::Date(on), Value::Map(given)]) => {
                let found = self.module.computations.get(of);
                Ok(match found {
                    Some(one) => Value::Map(mechanism::calculate(self, one, *on, given, None)),
                    None => Value::Unknown(Why::NoRow(of.clone())),
                })
            }
            _ => {
                let found = match mechanism::call(self, name, arguments)? {
                    None => self.look_up(name, arguments)?,
                    found => found,
                };
                Ok(found.unwrap_or_else(|| Value::Unknown(Why::NoRow(name.to_owned()))))
            }
        }
    }
}

impl Environment for CaseEnvironment<'_> {
    fn root(&self, name: &str) -> Value {
        if let Some(value) = self.counts.get(name) {
            return value.clone();
        }
        let thing = |map: &dyn Fn(&Thing) -> Value| self.thing.map_or(Value::None, map);
        match name {
            "doc" => self.doc.clone(),
            "head" => self.head(),
            "me" => self.me(),
            "at" => Value::Instant(self.at),
            "lodged" => Value::Instant(self.lodged),
            "home" => Value::text(self.home),
            "param" => thing(&|thing| Value::Map(thing.params.clone())),
            "it" => {
                let mut set = self.thing.map(|thing| thing.set.clone()).unwrap_or_default();
                set.insert("id".into(), Value::text(self.id));
                if let Some(thing) = self.thing {
                    set.insert("state".into(), Value::text(&thing.state));
                }
                Value::Map(set)
            }
            "filed" => thing(&|thing| {
                let each = thing.filed.iter();
                Value::Map(
                    each.map(|(act, form)| (act.clone(), Value::Map(form.clone()))).collect(),
                )
            }),
            "when" => thing(&|thing| {
                let each = thing.when.iter();
                Value::Map(
                    each.map(|(name, at)| (name.clone(), Value::Instant(Instant(*at)))).collect(),
                )
            }),
            "count" => thing(&|thing| {
                let each = thing.count.iter();
                Value::Map(each.map(|(name, n)| (name.clone(), Value::Int((*n).into()))).collect())
            }),
            "author" | "authors" => thing(&|thing| {
                let each = thing.authors.iter().filter_map(|(act, who)| {
                    let value = match name {
                        "author" => Value::text(who.last()?),
                        _ => Value::texts(who.iter().cloned()),
                    };
                    Some((act.clone(), value))
                });
                Value::Map(each.collect())
            }),
            "last" => thing(&|thing| {
                let last = thing.turns.last.as_ref();
                last.map_or(Value::None, |last| {
                    let fields = [("act", &last.act), ("from", &last.from)];
                    let fields = fields.map(|(name, text)| (name.to_owned(), Value::text(text)));
                    Value::Map(fields.into())
                })
            }),
            "asked" => thing(&|thing| Value::texts(self.asked(thing))),
            "duty" => thing(&|thing| self.once("duty", || Value::texts(self.duty(thing)))),
            name => self.named(name).unwrap_or(Value::None),
        }
    }

    fn field(&self, root: &str, name: &str) -> Value {
        if let Some(value) = self.counts.get(root) {
            return value.field(name);
        }
        match root {
            "kids" => self.read(|| self.kids(name)),
            "parent" => self.read(|| self.above(name)),
            "filed" => self.of_thing(|thing| thing.filed.get(name).cloned(), Value::Map),
            "when" => self.of_thing(|thing| thing.when(name), Value::Instant),
            "author" => {
                self.of_thing(|thing| thing.authors.get(name)?.last().cloned(), Value::Text)
            }
            "authors" => self.of_thing(|thing| thing.authors.get(name).cloned(), Value::texts),
            "count" => Value::Int(self.thing.map_or(0, |thing| thing.counted(name)).into()),
            "it" if !matches!(name, "id" | "state") => {
                self.of_thing(|thing| thing.set.get(name).cloned(), |value| value)
            }
            "doc" => self.doc.field(name),
            "param" => self.of_thing(|thing| thing.params.get(name).cloned(), |value| value),
            "due" => self.once(&format!("due.{name}"), || {
                let found = self.case.due(name).and_then(|due| due::moment(self, due));
                found.map_or(Value::None, |moment| moment.value())
            }),
            _ => self.root(root).field(name),
        }
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Value {
        self.read(|| self.state_call(name, arguments))
    }

    fn inside(&self, name: &str, arguments: &[Value]) -> Vec<Explained> {
        let ("calc", [Value::Text(of), Value::Date(on), Value::Map(given)]) = (name, arguments)
        else {
            return Vec::new();
        };
        let Some(one) = self.module.computations.get(of) else { return Vec::new() };
        let (_, steps) = mechanism::explained(self, one, *on, given);
        let each = steps.into_iter().map(|step| Explained {
            text: format!("{of}.{}", step.name),
            value: step.value,
            steps: Vec::new(),
            looked: step.looked,
        });
        each.collect()
    }

    fn looked(&self) -> Vec<Looked> {
        self.looks.take()
    }

    fn calendar(&self) -> &Calendar {
        self.calendar
    }

    fn rule(&self) -> Rule {
        self.case.rule
    }

    fn zone(&self) -> Zone {
        self.module.zone
    }

    fn step(&self) -> bool {
        self.steps(1)
    }

    fn steps(&self, count: u64) -> bool {
        let steps = self.steps.get().saturating_add(count);
        self.steps.set(steps);
        steps <= MOST_STEPS
    }
}
