//! Working a computation out: names lazily and once, over what is given and tables by date. What is not given makes what rests on
//! it unknown, by its name, and nothing else.

use std::{cell::RefCell, collections::BTreeMap};

use chancery_protocol::FormValue;

use crate::{
    calendar::{Calendar, Rule},
    civil::{Date, Instant, Zone},
    environment::CaseEnvironment,
    formula::{Environment, Explained, Type},
    kernel::Kernel,
    look_up::Looked,
    manifest::{Case, Computation, value_of},
    state::{State, StateError},
    value::{Value, Why},
};

/// A bracket that was asked: which, as of when, and with what.
pub(crate) type Asked = (String, Date, Value);

/// A step of a computation: a name, and what it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worked {
    /// The name.
    pub name: String,
    /// The formula; none of what was given.
    pub formula: Option<String>,
    /// What it came to.
    pub value: Value,
    /// The article, of a result.
    pub law: Option<String>,
    /// What was looked up for it in tables.
    pub looked: Vec<Looked>,
}

/// How deep names may rest on each other; a folder that was checked has less.
const MOST_OPEN: usize = 200;

/// What came of a computation, step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Computed {
    /// The computation.
    pub computation: String,
    /// For which day.
    pub on: Date,
    /// Its results, by name.
    pub out: BTreeMap<String, Value>,
    /// All that was worked out, in that order: what rests on others stands after them.
    pub steps: Vec<Worked>,
}

/// Why something cannot be computed at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotComputed {
    /// There is no such module in force.
    NoModule,
    /// The module has no such computation.
    NoComputation,
    /// It is given something that it does not take.
    Given {
        /// What.
        name: String,
        /// Of which kind it would be; none where there is no such input.
        wanted: Option<Type>,
    },
}

/// A computation that is being worked out.
struct Working<'a, 'e> {
    outer: &'a CaseEnvironment<'e>,
    computation: &'a Computation,
    on: Date,
    given: &'a BTreeMap<String, Value>,
    open: RefCell<Vec<String>>,
    known: RefCell<BTreeMap<String, Value>>,
    asked: Option<&'a RefCell<Vec<Asked>>>,
    steps: Option<&'a RefCell<Vec<Worked>>>,
}

impl Working<'_, '_> {
    fn once(&self, name: &str) -> Value {
        if let Some(known) = self.known.borrow().get(name) {
            return known.clone();
        }
        {
            let mut open = self.open.borrow_mut();
            // A folder that was checked has neither.
            if open.len() >= MOST_OPEN || open.iter().any(|open| open == name) {
                return Value::Unknown(Why::Cost);
            }
            open.push(name.to_owned());
        }
        let (value, formula) = match self.given.get(name).filter(|value| value.is_some()) {
            Some(value) => (self.taken(name, value), None),
            None => match self.computation.formula(name) {
                Some(placed) => {
                    (placed.formula.value(self), Some(placed.formula.text().to_owned()))
                }
                // It is named by itself, whatever rests on it and through whatever names.
                None => match self.computation.input(name) {
                    Some(_) => (Value::Unknown(Why::Missing(name.to_owned())), None),
                    None => (Value::None, None),
                },
            },
        };
        self.open.borrow_mut().pop();
        self.known.borrow_mut().insert(name.to_owned(), value.clone());
        if let Some(steps) = self.steps
            && value.is_some()
        {
            let out = self.computation.outs.iter().find(|out| out.name == name);
            steps.borrow_mut().push(Worked {
                name: name.to_owned(),
                formula,
                value: value.clone(),
                law: out.map(|out| self.outer.module.cite(&out.law)),
                looked: self.outer.looked(),
            });
        }
        value
    }

    /// What is given, if it is of its kind and within its bound.
    fn taken(&self, name: &str, value: &Value) -> Value {
        let Some(input) = self.computation.input(name) else { return Value::None };
        if !is_of(&input.kind, value) {
            return Value::Unknown(Why::Kinds(format!("{name}: {}", value.kind())));
        }
        let within = match (&input.max, value) {
            (None, _) => true,
            (Some(FormValue::Int(most)), Value::List(list)) => {
                usize::try_from(*most).is_ok_and(|most| list.len() <= most)
            }
            (Some(max), value) => value_of(&input.kind, max)
                .and_then(|max| value.order(&max))
                .is_some_and(std::cmp::Ordering::is_le),
        };
        match within {
            true => value.clone(),
            false => Value::Unknown(Why::NoResult(format!("{name} > max"))),
        }
    }

    fn out(&self) -> BTreeMap<String, Value> {
        let outs = self.computation.outs.iter();
        let each = outs.map(|out| (out.name.clone(), self.once(&out.name)));
        each.filter(|(_, value)| value.is_some()).collect()
    }
}

/// Whether a value is of a kind; what cannot be known is of any.
fn is_of(kind: &Type, value: &Value) -> bool {
    match (kind, value) {
        (_, Value::Unknown(_))
        | (Type::Any, _)
        | (Type::Bool, Value::Bool(_))
        | (Type::Int, Value::Int(_))
        | (Type::Decimal, Value::Int(_) | Value::Decimal(_))
        | (Type::Text, Value::Text(_))
        | (Type::Date, Value::Date(_))
        | (Type::Period, Value::Period(_)) => true,
        (Type::Money, Value::Money(fen)) => fen.is_integer(),
        (Type::List(of), Value::List(list)) => list.iter().all(|value| is_of(of, value)),
        // Of what is in a list, more than is read may be there.
        (Type::Map(fields), Value::Map(map)) => {
            map.iter().all(|(name, value)| fields.get(name).is_none_or(|of| is_of(of, value)))
        }
        _ => false,
    }
}

impl Environment for Working<'_, '_> {
    fn root(&self, name: &str) -> Value {
        match name {
            "on" => Value::Date(self.on),
            name => self.once(name),
        }
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Value {
        if let (Some(asked), "bracket", [Value::Text(table), Value::Date(on), x]) =
            (self.asked, name, arguments)
        {
            asked.borrow_mut().push((table.clone(), *on, x.clone()));
        }
        match name {
            "value" | "row" | "bracket" | "code" | "calc" => self.outer.call(name, arguments),
            // A folder that was checked reads nothing else.
            other => Value::Unknown(Why::Kinds(other.to_owned())),
        }
    }

    fn inside(&self, name: &str, arguments: &[Value]) -> Vec<Explained> {
        self.outer.inside(name, arguments)
    }

    fn looked(&self) -> Vec<Looked> {
        self.outer.looked()
    }

    fn calendar(&self) -> &Calendar {
        self.outer.calendar()
    }

    fn rule(&self) -> Rule {
        self.outer.rule()
    }

    fn zone(&self) -> Zone {
        self.outer.zone()
    }

    fn step(&self) -> bool {
        self.outer.step()
    }

    fn steps(&self, count: u64) -> bool {
        self.outer.steps(count)
    }
}

/// Works a computation out, and notes which brackets it asks.
pub(crate) fn calculate(
    outer: &CaseEnvironment<'_>,
    computation: &Computation,
    on: Date,
    given: &BTreeMap<String, Value>,
    asked: Option<&RefCell<Vec<Asked>>>,
) -> BTreeMap<String, Value> {
    let (open, known) = Default::default();
    Working { outer, computation, on, given, open, known, asked, steps: None }.out()
}

/// As [`calculate`], with each step.
pub(crate) fn explained(
    outer: &CaseEnvironment<'_>,
    computation: &Computation,
    on: Date,
    given: &BTreeMap<String, Value>,
) -> (BTreeMap<String, Value>, Vec<Worked>) {
    let steps = RefCell::default();
    outer.looked();
    let (open, known) = Default::default();
    let working =
        Working { outer, computation, on, given, open, known, asked: None, steps: Some(&steps) };
    let out = working.out();
    (out, steps.into_inner())
}

impl Kernel {
    /// Works a computation of a module out for whoever asks what would be: by the tables that are known now, for a day. Nothing of
    /// anybody is read, and nothing is kept.
    ///
    /// # Errors
    /// [`StateError`]; inside, what cannot be computed.
    pub fn compute(
        &self,
        state: &dyn State,
        module: &str,
        computation: &str,
        on: Date,
        given: &BTreeMap<String, FormValue>,
        at: Instant,
    ) -> Result<Result<Computed, NotComputed>, StateError> {
        let Some((_, module)) = self.in_force(state, module)? else {
            return Ok(Err(NotComputed::NoModule));
        };
        let Some(computation) = module.computations.get(computation) else {
            return Ok(Err(NotComputed::NoComputation));
        };
        let mut values = BTreeMap::new();
        for (name, given) in given {
            let wanted = computation.input(name).map(|input| input.kind.clone());
            match wanted.as_ref().and_then(|kind| value_of(kind, given)) {
                Some(value) => values.insert(name.clone(), value),
                None => return Ok(Err(NotComputed::Given { name: name.clone(), wanted })),
            };
        }
        let case = Case::nothing(computation.at.clone(), &computation.name, module.rule);
        let calendar = self.calendar(state)?;
        let deciding = self.deciding(&module, &case, &calendar, "", "", at, at);
        let environment = deciding.environment(state, None, None, Value::None);
        let (out, steps) = explained(&environment, computation, on, &values);
        environment.check()?;
        Ok(Ok(Computed { computation: computation.name.clone(), on, out, steps }))
    }
}
