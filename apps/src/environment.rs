//! What the formulas of a case speak of.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use crate::{
    calendar::{Calendar, Rule},
    civil::{Instant, Zone},
    due,
    formula::{Environment, MOST_STEPS},
    input::Document,
    jurisdiction::Held,
    manifest::{Case, Module},
    office,
    state::{State, StateError},
    thing::Thing,
    value::{Value, Why},
};

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
    /// The counts of a round.
    pub counts: BTreeMap<&'static str, Value>,
    pub steps: Cell<u64>,
    /// Names that are being worked out: one that rests on itself is unknown.
    pub open: RefCell<Vec<String>>,
    /// What went wrong in reading state, which a formula cannot say.
    pub failed: RefCell<Option<StateError>>,
}

impl CaseEnvironment<'_> {
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
        if self.open.borrow().iter().any(|open| open == name) {
            return Some(Value::Unknown(Why::NoResult(name.to_owned())));
        }
        self.open.borrow_mut().push(name.to_owned());
        let value = placed.formula.value(self);
        self.open.borrow_mut().pop();
        Some(value)
    }

    fn me(&self) -> Value {
        let Some(signer) = self.document.map(Document::signer) else { return Value::None };
        let fields = [("name", signer.name), ("agency", signer.agency)];
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

    fn state_call(&self, name: &str, arguments: &[Value]) -> Result<Value, StateError> {
        match (name, arguments) {
            ("has_role", [me, Value::Text(role)]) => {
                let who = me.field("name");
                let who = who.as_text().or_else(|| me.as_text()).unwrap_or_default();
                self.holds(role, who).map(|held| Value::Bool(held.covers(&self.office)))
            }
            _ => Ok(Value::Unknown(Why::NoRow(name.to_owned()))),
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
            name => self.named(name).unwrap_or(Value::None),
        }
    }

    fn field(&self, root: &str, name: &str) -> Value {
        match root {
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
            "due" => {
                if self.open.borrow().iter().any(|open| open == name) {
                    return Value::Unknown(Why::NoResult(name.to_owned()));
                }
                self.open.borrow_mut().push(name.to_owned());
                let found = self.case.due(name).and_then(|due| due::moment(self, due));
                self.open.borrow_mut().pop();
                found.map_or(Value::None, |moment| moment.value())
            }
            _ => self.root(root).field(name),
        }
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Value {
        self.state_call(name, arguments).unwrap_or_else(|error| {
            self.failed.borrow_mut().get_or_insert(error);
            Value::Unknown(Why::NoRow(name.to_owned()))
        })
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
        let steps = self.steps.get() + 1;
        self.steps.set(steps);
        steps <= MOST_STEPS
    }
}
