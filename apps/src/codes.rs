//! Code lists: what a code stands for, by date.

use std::collections::{BTreeMap, BTreeSet};

use chancery_protocol::FormValue;
use serde_json::Value as Json;

use crate::{
    civil::Date,
    formula::{Environment, Type},
    manifest::{At, Both, FormFault},
    value::{Value, Why},
};

/// A code list, as a file of `codes/` gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Codes {
    pub at: At,
    pub name: String,
    /// What each code stood for, in the order of time.
    pub codes: BTreeMap<String, Vec<Code>>,
}

/// What a code stands for, for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code {
    pub at: At,
    pub names: Both,
    pub parent: Option<String>,
    /// From this day on; nothing if it always did.
    pub from: Option<Date>,
    /// Up to this day, which is its last; nothing if it goes on.
    pub until: Option<Date>,
}

impl Code {
    pub(crate) fn holds(&self, on: Date) -> bool {
        self.from.is_none_or(|from| from <= on) && self.until.is_none_or(|until| on <= until)
    }

    /// Whether there is a day on which it and another hold.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let before = |a: Option<Date>, b: Option<Date>| a.zip(b).is_some_and(|(a, b)| a < b);
        !before(self.until, other.from) && !before(other.until, self.from)
    }
}

impl Codes {
    /// What a code stands for on a day.
    pub(crate) fn on(&self, code: &str, on: Date) -> Option<&Code> {
        self.codes.get(code)?.iter().find(|known| known.holds(on))
    }

    /// As formulas see it: `{ code, name, en, parent }`.
    pub(crate) fn value(&self, code: &str, on: Date) -> Value {
        let Some(found) = self.on(code, on) else {
            return Value::Unknown(Why::NoRow(format!("{}({code}, {on})", self.name)));
        };
        let fields = [("code", code), ("name", &found.names.zh), ("en", &found.names.en)];
        let parent = found.parent.as_deref().map(|parent| ("parent", parent));
        let each = fields.into_iter().chain(parent);
        Value::Map(each.map(|(name, text)| (name.to_owned(), Value::text(text))).collect())
    }

    /// The kind of [`Codes::value`].
    pub(crate) fn kind() -> Type {
        Type::map(["code", "name", "en", "parent"].map(|name| (name, Type::Text)))
    }

    /// The codes that are above a code on a day, nearest first; and whether they lead back to it.
    pub(crate) fn above(&self, code: &str, on: Date) -> (Vec<String>, bool) {
        let (mut way, mut seen) = (Vec::new(), BTreeSet::from([code]));
        let mut next = self.on(code, on).and_then(|found| found.parent.as_deref());
        while let Some(parent) = next {
            way.push(parent.to_owned());
            if !seen.insert(parent) {
                return (way, true);
            }
            next = self.on(parent, on).and_then(|found| found.parent.as_deref());
        }
        (way, false)
    }
}

/// The keyword of a schema by which a text is a code of a list.
pub(crate) const KEYWORD: &str = "x-code";

/// The lists that a schema names, and whether each stands at a text.
pub(crate) fn named(schema: &Json) -> Vec<(String, bool)> {
    let inside = [schema.get("items")].into_iter().flatten();
    let fields = schema.get("properties").and_then(Json::as_object);
    let inside = inside.chain(fields.into_iter().flat_map(|fields| fields.values()));
    let own = schema.get(KEYWORD).map(|list| {
        let text = schema.get("type").and_then(Json::as_str) == Some("string");
        (list.as_str().unwrap_or_default().to_owned(), text)
    });
    own.into_iter().chain(inside.flat_map(named)).collect()
}

/// Codes of a form that their lists did not have on the day on which it was lodged.
pub(crate) fn faults(
    schema: &Json,
    value: &FormValue,
    at: &str,
    environment: &dyn Environment,
) -> Vec<FormFault> {
    let inside = |name: &str, schema: Option<&Json>, value| {
        let schema = schema.unwrap_or(&Json::Null);
        faults(schema, value, &format!("{at}/{name}"), environment)
    };
    match value {
        FormValue::List(list) => {
            let each = list.iter().enumerate();
            each.flat_map(|(n, value)| inside(&n.to_string(), schema.get("items"), value)).collect()
        }
        FormValue::Map(map) => {
            let fields = schema.get("properties");
            let each = map.iter();
            each.flat_map(|(name, value)| {
                inside(name, fields.and_then(|fields| fields.get(name)), value)
            })
            .collect()
        }
        FormValue::Text(code) => {
            let Some(list) = schema.get(KEYWORD).and_then(Json::as_str) else { return Vec::new() };
            let Value::Instant(lodged) = environment.root("lodged") else { return Vec::new() };
            let on = Value::Date(environment.zone().date(lodged));
            match environment.call("code", &[Value::text(list), Value::text(code), on]) {
                Value::Map(_) => Vec::new(),
                _ => vec![FormFault {
                    at: at.to_owned(),
                    keyword: KEYWORD.to_owned(),
                    wanted: list.to_owned(),
                }],
            }
        }
        FormValue::Bool(_) | FormValue::Int(_) => Vec::new(),
    }
}
