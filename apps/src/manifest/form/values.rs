//! The values that a schema itself gives: they must be such as the field takes.

use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::Value as Json;

use super::{
    FormFault, judge, kinds,
    schema::Reading,
    tree::{Member, Node},
};
use crate::{formula::Type, manifest::mistake::What};

/// The keywords that give values.
const GIVE: [&str; 4] = ["enum", "const", "default", "examples"];

/// The most values that one keyword gives.
const MOST_VALUES: usize = 10_000;

/// The most characters of a value that a mistake shows.
const SHOWN: usize = 60;

pub(super) fn check(node: &Node, kind: &Type, reading: &Reading<'_>) {
    let Some(members) = node.members() else { return };
    if !GIVE.iter().any(|keyword| node.get(keyword).is_some()) {
        return;
    }
    // A list of choices is judged without itself, and what is said beside them with all that is said.
    let without = |keywords: &[&str]| {
        let left = members.iter().filter(|one| !keywords.contains(&one.name.as_str()));
        let schema = left.map(|one| (one.name.clone(), one.value.json())).collect();
        // One that cannot be built was told.
        judge::validator(&Json::Object(schema)).ok()
    };
    for member in members {
        match member.name.as_str() {
            "enum" => each(member, without(&["enum", "const"]).as_ref(), kind, reading, true),
            "const" => fits(member, &member.value, without(&["const"]).as_ref(), kind, reading),
            "default" => fits(member, &member.value, without(&[]).as_ref(), kind, reading),
            "examples" => each(member, without(&[]).as_ref(), kind, reading, false),
            _ => {}
        }
    }
}

/// Each value of a list, of which there is one at least.
fn each(
    member: &Member,
    validator: Option<&Validator>,
    kind: &Type,
    reading: &Reading<'_>,
    once: bool,
) {
    let list = member.value.list().unwrap_or_default();
    if list.is_empty() {
        reading.kind(member, "[value, …]");
    }
    if list.len() > MOST_VALUES {
        let key = member.name.clone();
        reading.add(member.line, What::TooMany { key, most: MOST_VALUES });
        return;
    }
    let mut seen = BTreeSet::new();
    for one in list {
        fits(member, one, validator, kind, reading);
        let json = one.json();
        // The same amount may be written in two ways. What is of another kind was told.
        let given = kinds::form_value(&json);
        let value = given.map(|given| kinds::value(&given, kind, "", &mut Vec::new()));
        let known = value.filter(|value| value.unkept().is_none());
        let as_one = known.map_or_else(|| json.to_string(), |value| format!("= {value}"));
        if once && !seen.insert(as_one) {
            let value = short(&json);
            reading.add(one.line, What::Repeated { key: "enum", value });
        }
    }
}

fn fits(
    member: &Member,
    one: &Node,
    validator: Option<&Validator>,
    kind: &Type,
    reading: &Reading<'_>,
) {
    let json = one.json();
    let fault = match kinds::form_value(&json) {
        None => {
            Some(FormFault { at: String::new(), keyword: "type".into(), wanted: kind.to_string() })
        }
        Some(given) => validator
            .and_then(|validator| judge::faults(&given, validator, kind).into_iter().next()),
    };
    if let Some(fault) = fault {
        let (keyword, value) = (member.name.clone(), short(&json));
        reading.add(one.line, What::Unfit { keyword, value, fault });
    }
}

/// A value as a mistake shows it.
pub(super) fn short(json: &Json) -> String {
    cut(json.to_string(), SHOWN)
}

/// A text with no more than so many characters.
pub(super) fn cut(mut text: String, most: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
        text.push('…');
    }
    text
}
