//! What must hold of computations: they are pure, their amounts are rounded by name, their tests come out, and each edge of a
//! bracket has a test on both sides.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

use rust_decimal::Decimal;

use super::{
    check::wanted,
    computation::{Computation, Test, value_of},
    data,
    fault::MechanismFault as Fault,
    mistake::What,
    module::Module,
    reader::{At, Mistakes, Placed},
};
use crate::{
    calendar::Calendar,
    civil::{Date, Instant},
    environment::CaseEnvironment,
    formula::{KindFault, Scope, Type},
    look_up::Looks,
    manifest::Case,
    mechanism::{Asked, calculate},
    nearest::nearest,
    state::MemoryState,
    table::{Edge, Kind, OVER, Table},
    value::{Value, Why},
};

/// How deep formulas may nest, with all that they rest on.
const MOST_NESTED: usize = 200;

/// How many steps the tests of all computations may take together.
const MOST_TEST_STEPS: u64 = 5_000_000;

/// The functions of state that a computation may call: data by date, and other computations.
const PURE: [&str; 5] = ["value", "row", "bracket", "code", "calc"];

fn add(mistakes: &Mistakes, at: &At, fault: Fault) {
    mistakes.add(at, What::Mechanism(fault));
}

/// Checks all computations, each after those that it calls, and notes what each gives: whatever asks them is checked after that.
pub(super) fn settle(module: &mut Module, mistakes: &Mistakes) {
    let mut depths: BTreeMap<String, usize> = BTreeMap::new();
    let mut steps = 0;
    for name in order(module, mistakes) {
        let shared: &Module = module;
        let found = shared.computations.get(&name).map(|one| {
            let depth = |called: &str| depths.get(called).copied().unwrap_or(0);
            let check = Check { module: shared, computation: one, mistakes, depth: &depth };
            check.run(&mut steps)
        });
        if let (Some((gives, depth)), Some(one)) = (found, module.computations.get_mut(&name)) {
            one.gives = gives;
            depths.insert(name, depth);
        }
    }
}

fn called(computation: &Computation) -> BTreeSet<String> {
    let calls = computation.formulas().flat_map(|placed| placed.formula.calls());
    calls.filter(|(name, _)| name == "calc").filter_map(|(_, first)| first).collect()
}

/// The computations so that each stands after those that it calls. What calls itself in a circle is named, and left out.
fn order(module: &Module, mistakes: &Mistakes) -> Vec<String> {
    let calls: BTreeMap<_, _> =
        module.computations.values().map(|one| (one.name.clone(), called(one))).collect();
    let mut order: Vec<String> = Vec::new();
    let mut done: BTreeSet<String> = BTreeSet::new();
    loop {
        let known = |name: &String| done.contains(name) || !calls.contains_key(name);
        let next = calls.iter().find(|(name, of)| !done.contains(*name) && of.iter().all(known));
        let Some((next, _)) = next else { break };
        order.push(next.clone());
        done.insert(next.clone());
    }
    let left: Vec<_> =
        module.computations.values().filter(|one| !done.contains(&one.name)).collect();
    if let Some(first) = left.first() {
        let way = left.iter().map(|one| one.name.clone()).collect();
        mistakes.add(&first.at, What::Circle(way));
    }
    order
}

struct Check<'a> {
    module: &'a Module,
    computation: &'a Computation,
    mistakes: &'a Mistakes,
    depth: &'a dyn Fn(&str) -> usize,
}

/// The names of a computation, by kinds.
struct Names<'a> {
    module: &'a Module,
    known: &'a BTreeMap<String, Type>,
}

impl Scope for Names<'_> {
    fn root(&self, name: &str) -> Option<Type> {
        match name {
            "on" => Some(Type::Date),
            name => self.known.get(name).cloned(),
        }
    }
    fn roots(&self) -> Vec<String> {
        self.known.keys().cloned().chain(["on".to_owned()]).collect()
    }
    fn call(&self, _: &str, _: Option<&str>) -> Type {
        Type::Any
    }
    fn data(
        &self,
        name: &str,
        first: Option<&str>,
        given: &[Type],
    ) -> Result<Option<Type>, KindFault> {
        data::kind(self.module, name, first, given)
    }
}

impl Check<'_> {
    fn run(&self, steps: &mut u64) -> (Type, usize) {
        let one = self.computation;
        let mut seen = BTreeSet::from(["on"]);
        for name in one.names() {
            if !seen.insert(name) {
                self.mistakes.add(&one.at, What::Twice(name.to_owned()));
                return (Type::Any, 0);
            }
        }
        data::cite(self.module, self.mistakes, &one.at, &one.law);
        for out in &one.outs {
            data::cite(self.module, self.mistakes, &out.at, &out.law);
        }
        for placed in one.formulas() {
            for (function, _) in placed.formula.calls() {
                if !PURE.contains(&function.as_str()) && placed.formula.reads_state_by(&function) {
                    add(self.mistakes, &placed.at, Fault::Impure { function });
                }
            }
        }
        let Some((kinds, depth)) = self.kinds() else { return (Type::Any, 0) };
        let (fen, yuan) = (self.whole(&kinds, false), self.whole(&kinds, true));
        for out in &one.outs {
            let kind = kinds.get(&out.name);
            let unit = out.unit.as_deref();
            let counted = match kind {
                Some(Type::Money) => matches!(unit, Some("fen" | "yuan")),
                Some(Type::Int | Type::Decimal) => unit.is_some(),
                _ => true,
            };
            if !counted {
                add(self.mistakes, &out.at, Fault::NoUnit { out: out.name.clone() });
            }
            let whole = if unit == Some("yuan") { &yuan } else { &fen };
            if kind == Some(&Type::Money) && !whole.contains(out.name.as_str()) {
                add(self.mistakes, &out.at, Fault::Unrounded { out: out.name.clone() });
            }
        }
        let outs = one.outs.iter();
        let gives =
            outs.map(|out| (out.name.clone(), kinds.get(&out.name).cloned().unwrap_or(Type::Any)));
        let gives = Type::map(gives);
        self.tests(&kinds, steps);
        (gives, depth)
    }

    /// The names that stand for amounts of whole fen, or of whole yuan.
    fn whole(&self, kinds: &BTreeMap<String, Type>, yuan: bool) -> BTreeSet<&str> {
        let one = self.computation;
        let mut whole = BTreeSet::new();
        loop {
            let known = whole.len();
            for name in one.names().filter(|name| kinds.get(*name) == Some(&Type::Money)) {
                // What is given is of whole fen; and so must be what stands in for it.
                let input = one.input(name).is_some();
                let is = match one.formula(name) {
                    Some(placed) => {
                        let inner = |name: &str| whole.contains(name);
                        (!input || !yuan) && placed.formula.is_whole(yuan, &inner)
                    }
                    None => input && !yuan,
                };
                if is {
                    whole.insert(name);
                }
            }
            if whole.len() == known {
                return whole;
            }
        }
    }

    /// The kinds of all names, each after those on which it rests, and how deep they nest; nothing where they rest on each other in a circle.
    fn kinds(&self) -> Option<(BTreeMap<String, Type>, usize)> {
        let one = self.computation;
        let mut kinds: BTreeMap<String, Type> = BTreeMap::new();
        let mut deep: BTreeMap<String, usize> = BTreeMap::new();
        let rests = |name: &str| -> BTreeSet<String> {
            let placed = one.formula(name);
            let paths = placed.into_iter().flat_map(|placed| placed.formula.paths());
            let roots = paths.filter_map(|path| path.into_iter().next());
            roots.filter(|root| one.names().any(|name| name == root)).collect()
        };
        loop {
            let next = one.names().find(|name| {
                !kinds.contains_key(*name) && rests(name).iter().all(|on| kinds.contains_key(on))
            });
            let Some(next) = next else { break };
            let below = rests(next).iter().filter_map(|on| deep.get(on)).max().copied();
            let mut depth = below.unwrap_or(0);
            let mut kind = one.input(next).map_or(Type::Any, |input| input.kind.clone());
            if let Some(placed) = one.formula(next) {
                let calls = placed.formula.calls().into_iter();
                let inner = calls.filter(|(name, _)| name == "calc");
                let inner = inner.filter_map(|(_, first)| first).map(|name| (self.depth)(&name));
                depth += placed.formula.depth() + inner.max().unwrap_or(0);
                let scope = Names { module: self.module, known: &kinds };
                kind = match one.input(next) {
                    Some(input) => {
                        let kinds = [input.kind.clone()];
                        wanted(placed, &scope, self.mistakes, "the kind of the input", &kinds);
                        input.kind.clone()
                    }
                    None => wanted(placed, &scope, self.mistakes, "", &[]),
                };
            }
            if depth > MOST_NESTED {
                self.mistakes.add(&one.at, What::Deep(next.to_owned()));
                return None;
            }
            deep.insert(next.to_owned(), depth);
            kinds.insert(next.to_owned(), kind);
        }
        let left: Vec<_> = one.names().filter(|name| !kinds.contains_key(*name)).collect();
        if left.is_empty() {
            return Some((kinds, deep.into_values().max().unwrap_or(0)));
        }
        let left = left.into_iter().map(str::to_owned).collect();
        self.mistakes.add(&one.at, What::Circle(left));
        None
    }

    fn tests(&self, kinds: &BTreeMap<String, Type>, steps: &mut u64) {
        let asked = RefCell::default();
        for test in &self.computation.tests {
            self.test(test, kinds, steps, &asked);
            if *steps > MOST_TEST_STEPS {
                add(self.mistakes, &test.at, Fault::TestCost);
                return;
            }
        }
        self.edges(&asked.into_inner());
    }

    fn declared<'n>(
        &self,
        at: &At,
        kind: &'static str,
        name: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) -> bool {
        let is = known.clone().any(|known| known == name);
        if !is {
            let nearest = nearest(name, known).map(str::to_owned);
            self.mistakes.add(at, What::Undeclared { kind, name: name.to_owned(), nearest });
        }
        is
    }

    fn test(
        &self,
        test: &Test,
        kinds: &BTreeMap<String, Type>,
        steps: &mut u64,
        asked: &RefCell<Vec<Asked>>,
    ) {
        let one = self.computation;
        let inputs = || one.inputs.iter().map(|input| input.name.as_str());
        let outs = || one.outs.iter().map(|out| out.name.as_str());
        let mut given = BTreeMap::new();
        for (name, value, at) in &test.given {
            if !self.declared(at, "input", name, inputs()) {
                return;
            }
            let Some(value) = kinds.get(name).and_then(|kind| value_of(kind, value)) else {
                let wanted = "the kind of the input";
                self.mistakes.add(at, What::Kind { key: name.clone(), wanted });
                return;
            };
            given.insert(name.clone(), value);
        }
        let (case, state) =
            (Case::nothing(one.at.clone(), &one.name, self.module.rule), MemoryState::default());
        let (calendar, looks) = (Calendar::default(), Looks::default());
        let environment = CaseEnvironment {
            module: self.module,
            case: &case,
            state: &state,
            calendar: &calendar,
            home: "",
            thing: None,
            id: "",
            doc: Value::None,
            document: None,
            office: String::new(),
            at: Instant(0),
            lodged: Instant(0),
            counts: BTreeMap::new(),
            parent: None,
            steps: Cell::new(0),
            looks: &looks,
            open: RefCell::default(),
            failed: RefCell::default(),
        };
        let found = calculate(&environment, one, test.on, &given, Some(asked));
        *steps = steps.saturating_add(environment.steps.get());
        let wrong = |at: &At, out: &str, wanted: String, found: &Value| {
            let (test, out, found) = (test.name.clone(), out.to_owned(), found.to_string());
            add(self.mistakes, at, Fault::Test { test, out, wanted, found });
        };
        let none = Value::None;
        for (name, value, at) in &test.wanted {
            if !self.declared(at, "result", name, outs()) {
                continue;
            }
            let is = found.get(name).unwrap_or(&none);
            let Some(value) = kinds.get(name).and_then(|kind| value_of(kind, value)) else {
                let wanted = "the kind of the result";
                self.mistakes.add(at, What::Kind { key: name.clone(), wanted });
                continue;
            };
            if !near(&value, is, test.margin) {
                wrong(at, name, value.to_string(), is);
            }
        }
        for (name, missing, at) in &test.unknown {
            if !self.declared(at, "result", name, outs())
                || !self.declared(at, "input", missing, inputs())
            {
                continue;
            }
            let is = found.get(name).unwrap_or(&none);
            let wanted = Value::Unknown(Why::Missing(missing.clone()));
            if *is != wanted {
                wrong(at, name, wanted.to_string(), is);
            }
        }
    }

    /// Each edge of each bracket that is asked must have been asked on both its sides: at it, and within one (yuan) of it.
    fn edges(&self, asked: &[Asked]) {
        let mut seen = BTreeSet::new();
        for placed in self.computation.formulas() {
            let calls = placed.formula.calls().into_iter();
            for table in calls.filter(|(name, _)| name == "bracket").filter_map(|(_, of)| of) {
                let found = self.module.tables.get(&table);
                let found = found.filter(|table| table.shape.kind == Kind::Bracket);
                if let Some(found) = found.filter(|_| seen.insert(table)) {
                    self.edges_of(placed, found, asked);
                }
            }
        }
    }

    fn edges_of(&self, placed: &Placed, table: &Table, asked: &[Asked]) {
        let in_version = |from: &Date, on: &Date| {
            table.versions.range(..=*on).next_back().is_some_and(|(version, _)| version == from)
        };
        for (from, (_, version)) in &table.versions {
            let asked: Vec<_> = asked
                .iter()
                .filter(|(name, on, _)| *name == table.name && in_version(from, on))
                .map(|(_, _, x)| x)
                .collect();
            // Below the first edge there is nothing that the table says.
            for row in version.rows.iter().skip(1) {
                let Some(edge) = row.get(OVER).and_then(|cell| cell.value()) else { continue };
                let Some((below, above)) = beside(edge) else { continue };
                let sides = match table.shape.edge {
                    Edge::Over => [(edge.clone(), edge.clone()), (edge.clone(), above)],
                    Edge::From => [(below, edge.clone()), (edge.clone(), edge.clone())],
                };
                for (low, high) in sides {
                    // One of two ends is the edge itself, which is of the other side.
                    let of_side = |x: &Value| {
                        let (a, b) = (x.order(&low), x.order(&high));
                        let within = a.is_some_and(|o| o.is_ge()) && b.is_some_and(|o| o.is_le());
                        within && (low.same(&high) || !x.same(edge))
                    };
                    if !asked.iter().any(|x| of_side(x)) {
                        let between = (low.to_string(), high.to_string());
                        let (table, from) = (table.name.clone(), from.to_string());
                        add(
                            self.mistakes,
                            &placed.at,
                            Fault::UntestedEdge { table, from, between },
                        );
                    }
                }
            }
        }
    }
}

/// What lies one beside an edge, on both sides: a yuan, or one.
fn beside(edge: &Value) -> Option<(Value, Value)> {
    let plain = crate::table::plain(edge)?;
    let money = matches!(edge, Value::Money(_));
    let one = if money { Decimal::ONE_HUNDRED } else { Decimal::ONE };
    let make = |n: Decimal| if money { Value::Money(n) } else { Value::Decimal(n) };
    Some((make(plain.checked_sub(one)?), make(plain.checked_add(one)?)))
}

/// Whether a result is what it was to be, within a margin: of an amount, in yuan.
fn near(wanted: &Value, found: &Value, margin: Decimal) -> bool {
    let numbers = match (wanted, found) {
        (Value::Money(a), Value::Money(b)) => {
            margin.checked_mul(Decimal::ONE_HUNDRED).map(|margin| (*a, *b, margin))
        }
        (a, b) => a.number().zip(b.number()).map(|(a, b)| (a, b, margin)),
    };
    match numbers {
        Some((a, b, margin)) => a.checked_sub(b).is_some_and(|off| off.abs() <= margin),
        None => wanted.same(found),
    }
}

/// The kind of what a formula gets that asks a computation: `calc('annual', on, { … })`.
pub(super) fn kind(
    module: &Module,
    first: Option<&str>,
    given: &[Type],
) -> Result<Option<Type>, KindFault> {
    let Some(name) = first else { return Err(KindFault::NotWritten("calc".to_owned())) };
    let Some(computation) = module.computations.get(name) else {
        let nearest = nearest(name, module.computations.keys().map(String::as_str));
        let nearest = nearest.map(str::to_owned);
        return Err(KindFault::NoData { kind: "computation", name: name.to_owned(), nearest });
    };
    let takes = || KindFault::Takes { what: format!("calc('{name}')"), given: given.to_vec() };
    match given {
        [_, on, Type::Any] if on.is(&[Type::Date]) => {}
        [_, on, Type::Map(fields)] if on.is(&[Type::Date]) => {
            for (field, of) in fields {
                let Some(input) = computation.input(field) else {
                    let known = computation.inputs.iter().map(|input| input.name.as_str());
                    let nearest = nearest(field, known).map(str::to_owned);
                    let of = format!("calc('{name}')");
                    return Err(KindFault::Field { of, name: field.clone(), nearest });
                };
                if input.kind.clone().with(of.clone()).is_none() {
                    return Err(takes());
                }
            }
        }
        _ => return Err(takes()),
    }
    Ok(Some(computation.gives.clone()))
}

/// The texts by which people call them.
pub(super) fn texts(module: &Module) -> Vec<String> {
    let mut all = Vec::new();
    for (name, computation) in &module.computations {
        all.push(format!("computation-{name}"));
        all.extend(computation.names().map(|inner| format!("computation-{name}-{inner}")));
    }
    all
}
