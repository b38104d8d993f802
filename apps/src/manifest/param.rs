//! Parameters of a module, and variants that give them other values: fixed for a thing when it opens.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::{
    case::{Act, Case, Target},
    mistake::What,
    module::Module,
    reader::{At, Mistakes, Placed, Table, is_name},
    table,
};
use crate::{
    formula::{Scope, Type},
    nearest::nearest,
    plain::Plain,
    table::Column,
    value::Value,
};

/// `[param.P]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Param {
    pub at: At,
    pub kind: Column,
    pub default: Option<Value>,
    pub min: Option<Value>,
    pub max: Option<Value>,
    pub law: String,
}

/// A file of `variants/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variant {
    pub at: At,
    pub name: String,
    /// The case whose openings it is about; of all that documents open.
    pub of: Option<String>,
    pub when: Placed,
    pub law: String,
    pub params: BTreeMap<String, Value>,
}

/// The most variants of a module, and the most parameters.
const MOST: usize = 100;

/// How many fillings of a form are tried in looking for two variants that both match.
const MOST_FILLINGS: usize = 20_000;

pub(super) fn params(table: &Table<'_>) -> BTreeMap<String, Param> {
    let mut all = BTreeMap::new();
    for (name, one) in table.tables("param") {
        let known = Column::ALL.map(|(_, name)| name.to_owned());
        let given = one.must("type").unwrap_or_default();
        let law = super::case::law(&one);
        let Some(kind) = Column::named(&given) else {
            one.mistake(What::Word { key: "type", word: given, known: known.into() });
            for key in ["default", "min", "max"] {
                one.has(key);
            }
            continue;
        };
        let mut values = BTreeMap::new();
        for entry in one.entries() {
            let Some(key) = ["default", "min", "max"].into_iter().find(|key| *key == entry.name)
            else {
                if !matches!(entry.name.as_str(), "type" | "law") {
                    let known = ["type", "default", "min", "max", "law"];
                    let nearest = nearest(&entry.name, known).map(str::to_owned);
                    one.mistake_at(
                        &entry.at,
                        What::UnknownKey { key: entry.name.clone(), nearest },
                    );
                }
                continue;
            };
            match table::value(entry.value, kind) {
                Some(value) => drop(values.insert(key, value)),
                None => {
                    one.mistake_at(&entry.at, What::Kind { key: key.into(), wanted: kind.name() });
                }
            }
        }
        let mut take = |key| values.remove(key);
        let param = Param {
            at: one.at(),
            kind,
            default: take("default"),
            min: take("min"),
            max: take("max"),
            law,
        };
        if let Some(value) = param.default.as_ref().filter(|value| !param.holds(value)) {
            let (name, value) = (name.clone(), value.to_string());
            one.mistake(What::ParamRange { name, value });
        }
        all.insert(name, param);
    }
    all
}

impl Param {
    /// Whether a value is within its bounds.
    fn holds(&self, value: &Value) -> bool {
        let order = |a: &Value, b: &Value| match (a, b) {
            (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
            (Value::Decimal(a), Value::Decimal(b)) | (Value::Money(a), Value::Money(b)) => {
                Some(a.cmp(b))
            }
            (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
            _ => None,
        };
        let least = self.min.as_ref().and_then(|min| order(value, min));
        let most = self.max.as_ref().and_then(|max| order(value, max));
        least.is_none_or(std::cmp::Ordering::is_ge) && most.is_none_or(std::cmp::Ordering::is_le)
    }
}

impl Variant {
    pub(super) fn read(table: &Table<'_>, params: &BTreeMap<String, Param>) -> Option<Self> {
        let name = table.must("variant");
        if !table.has("when") {
            table.mistake(What::MissingKey { key: "when".into() });
        }
        let (of, when, law) = (table.text("of"), table.formula("when"), super::case::law(table));
        let mut given = BTreeMap::new();
        for entry in table.table("param").iter().flat_map(Table::entries) {
            let Some(param) = params.get(&entry.name) else {
                let nearest = nearest(&entry.name, params.keys().map(String::as_str));
                let (name, nearest) = (entry.name.clone(), nearest.map(str::to_owned));
                table.mistake_at(&entry.at, What::Undeclared { kind: "param", name, nearest });
                continue;
            };
            match table::value(entry.value, param.kind) {
                Some(value) if param.holds(&value) => drop(given.insert(entry.name, value)),
                Some(value) => {
                    let (name, value) = (entry.name.clone(), value.to_string());
                    table.mistake_at(&entry.at, What::ParamRange { name, value });
                }
                None => {
                    let (key, wanted) = (entry.name.clone(), param.kind.name());
                    table.mistake_at(&entry.at, What::Kind { key, wanted });
                }
            }
        }
        let name = name?;
        if !is_name(&name) {
            table.mistake(What::Name(name.clone()));
        }
        Some(Self { at: table.at(), name, of, when: when?, law, params: given })
    }

    fn is_of(&self, case: &str) -> bool {
        self.of.as_ref().is_none_or(|of| of == case)
    }
}

impl Module {
    /// The kinds of its parameters, as formulas see them.
    pub(crate) fn param_kinds(&self) -> Type {
        Type::map(self.params.iter().map(|(name, param)| (name.clone(), param.kind.kind())))
    }

    /// The variants of which one is that of a thing of a case.
    pub(crate) fn variants_of(&self, case: &str) -> impl Iterator<Item = &Variant> {
        self.variants.iter().filter(move |variant| variant.is_of(case))
    }

    /// The values of the parameters under a variant, or where there is none.
    pub(crate) fn params_of(&self, variant: Option<&Variant>) -> BTreeMap<String, Value> {
        let each = self.params.iter().filter_map(|(name, param)| {
            let own = variant.and_then(|variant| variant.params.get(name));
            Some((name.clone(), own.or(param.default.as_ref())?.clone()))
        });
        each.collect()
    }
}

/// What must hold of parameters and variants together with the rest.
pub(super) fn check(module: &Module, mistakes: &Mistakes, texts: &mut BTreeSet<String>) {
    let top = At { file: "module.toml".into(), line: 1 };
    for (what, count) in [("param", module.params.len()), ("variant", module.variants.len())] {
        if count > MOST {
            mistakes.add(&top, What::Excess { what, most: MOST });
            return;
        }
    }
    for name in module.params.keys() {
        texts.insert(format!("param-{name}"));
    }
    let opened = |case: &Case| case.acts.iter().any(|act| act.opens && !act.inner());
    for variant in &module.variants {
        texts.insert(format!("variant-{}", variant.name));
        for (name, param) in &module.params {
            if param.default.is_none() && !variant.params.contains_key(name) {
                mistakes.add(&variant.at, What::NoParam { name: name.clone() });
            }
        }
        if let Some(of) = &variant.of
            && !module.cases.get(of).is_some_and(opened)
        {
            let nearest = nearest(of, module.cases.keys().map(String::as_str));
            let (name, nearest) = (of.clone(), nearest.map(str::to_owned));
            mistakes.add(&variant.at, What::Undeclared { kind: "case", name, nearest });
        }
    }
    for case in module.cases.values() {
        let variants: Vec<_> = module.variants_of(&case.name).collect();
        for (name, param) in &module.params {
            if param.default.is_none() && variants.is_empty() {
                mistakes.add(&param.at, What::NoParam { name: name.clone() });
            }
        }
        for act in case.acts.iter().filter(|act| act.opens && !act.inner()) {
            let form = act.form.as_ref().and_then(|form| module.forms.get(form));
            let Some(form) = form else { continue };
            for variant in &variants {
                let scope = super::check::FormScope(form, module);
                super::check::wanted(
                    &variant.when,
                    &scope as &dyn Scope,
                    mistakes,
                    "bool",
                    &[Type::Bool],
                );
            }
            overlaps(&variants, form.schema(), mistakes);
        }
        for variant in &variants {
            reach(module, case, variant, mistakes);
        }
    }
}

/// What a field may hold, where that can be counted.
fn values(schema: &Json, field: &str) -> Option<Vec<Option<Value>>> {
    let property = schema.get("properties")?.get(field)?;
    let mut all: Vec<_> = match (property.get("enum"), property.get("type")?.as_str()?) {
        (Some(list), _) => {
            let each = list.as_array()?.iter().map(|value| match value {
                Json::String(text) => Some(Some(Value::text(text))),
                Json::Number(n) => n.as_i64().map(|n| Some(Value::Int(n.into()))),
                Json::Bool(yes) => Some(Some(Value::Bool(*yes))),
                _ => None,
            });
            each.collect::<Option<_>>()?
        }
        (None, "boolean") => [true, false].map(|yes| Some(Value::Bool(yes))).into(),
        _ => return None,
    };
    let required = schema.get("required").and_then(Json::as_array);
    let required =
        required.is_some_and(|list| list.iter().any(|name| name.as_str() == Some(field)));
    if !required {
        all.push(None);
    }
    Some(all)
}

/// Tries all fillings of the fields that the variants ask, where those can be counted: two that match, or none.
fn overlaps(variants: &[&Variant], schema: &Json, mistakes: &Mistakes) {
    let mut fields: BTreeMap<String, Vec<Option<Value>>> = BTreeMap::new();
    for path in variants.iter().flat_map(|variant| variant.when.formula.paths()) {
        let [root, field] = path.as_slice() else { return };
        let Some(all) = values(schema, field).filter(|_| root == "doc") else { return };
        fields.insert(field.clone(), all);
    }
    let count = fields.values().try_fold(1usize, |n, all| n.checked_mul(all.len()));
    let Some(count) = count.filter(|count| *count <= MOST_FILLINGS) else { return };
    let mut said = BTreeSet::new();
    for number in 0..count {
        let (mut rest, mut doc) = (number, BTreeMap::new());
        for (name, all) in &fields {
            if let Some(Some(value)) = all.get(rest % all.len()) {
                doc.insert(name.clone(), value.clone());
            }
            rest /= all.len();
        }
        let shown = doc.iter().map(|(name, value)| format!("{name} = {value}"));
        let shown = shown.collect::<Vec<_>>().join(", ");
        let environment = Plain::of([("doc", Value::Map(doc))]);
        let match_of =
            |variant: &&&Variant| variant.when.formula.value(&environment) == Value::Bool(true);
        let matching: Vec<_> = variants.iter().filter(match_of).collect();
        match matching.as_slice() {
            [_] => {}
            [] => {
                let Some(first) = variants.first() else { return };
                if said.insert(String::new()) {
                    mistakes.add(&first.at, What::VariantGap { place: shown });
                }
            }
            [one, other, ..] => {
                if said.insert(format!("{}/{}", one.name, other.name)) {
                    let (this, with) = (one.name.clone(), other.name.clone());
                    mistakes.add(&other.at, What::VariantOverlap { this, with, place: shown });
                }
            }
        }
    }
}

/// Whether things of a case come to an end under a variant, with its parameters as constants.
fn reach(module: &Module, case: &Case, variant: &Variant, mistakes: &Mistakes) {
    let params = Value::Map(module.params_of(Some(variant)));
    let environment = Plain::of([("param", params)]);
    let never = |act: &Act| {
        let mut needs = act.needs.iter().filter(|need| !need.flag);
        needs.any(|need| need.that.formula.value(&environment) == Value::Bool(false))
    };
    let targets = |act: &Act| match &act.to {
        Target::Formula(placed) => match placed.formula.value(&environment) {
            Value::Text(state) => vec![state],
            _ => act.to.states(),
        },
        target => target.states(),
    };
    let mut found: BTreeSet<String> = BTreeSet::new();
    let possible: Vec<_> = case.acts.iter().filter(|act| !never(act)).collect();
    for act in possible.iter().filter(|act| act.opens) {
        found.extend(targets(act));
    }
    if found.is_empty() {
        mistakes.add(&variant.at, What::VariantNever { case: case.name.clone() });
        return;
    }
    loop {
        let before = found.len();
        for act in &possible {
            if act.from.is_empty() || act.from.iter().any(|from| found.contains(from)) {
                found.extend(targets(act));
            }
        }
        // What deadlines and rounds lead to is possible whatever the parameters say.
        let endings = case.dues.iter().filter_map(|due| due.then.as_ref());
        let rounds = case.rounds.iter().flat_map(|round| round.agreed.iter().chain(&round.failed));
        for ending in endings.chain(rounds) {
            if let super::case::Ending::State(state) = ending {
                found.insert(state.clone());
            }
        }
        if found.len() == before {
            break;
        }
    }
    let ends = case.states.iter().filter(|state| state.end);
    let mut ends = ends.map(|state| &state.name).peekable();
    if ends.peek().is_some() && !ends.any(|end| found.contains(end)) {
        mistakes.add(&variant.at, What::VariantNever { case: case.name.clone() });
    }
}
