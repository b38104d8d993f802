//! The rules on which fields are there: they read other fields, and come to an end.

use std::collections::{BTreeMap, BTreeSet};

use super::{Field, schema::Reading};
use crate::manifest::{mistake::What, reader::Placed};

/// What is wrong with the rules of a form's fields. The kinds in them are found where all formulas of a module are.
pub(super) fn check(fields: &[Field], reading: &Reading<'_>) {
    for field in fields {
        for (keyword, rule) in [("x-visible", &field.visible), ("x-required", &field.needed)] {
            let Some(placed) = rule else { continue };
            let (field, paths) = (field.name.clone(), placed.formula.paths());
            // The calendar alone is nothing that was filled in.
            if paths.is_empty() {
                reading.add(placed.at.line, What::FieldConstant { field, keyword });
            } else if reads(placed).is_none_or(|read| read.contains(&field)) {
                reading.add(placed.at.line, What::FieldItself { field, keyword });
            }
        }
    }
    if let Some((way, line)) = circle(fields) {
        reading.add(line, What::Circle(way));
    }
}

/// The fields that a rule reads. None where it reads the whole form, and so its own field.
fn reads(placed: &Placed) -> Option<BTreeSet<String>> {
    let paths = placed.formula.paths();
    let of_doc = paths.iter().filter(|path| path.first().is_some_and(|root| root == "doc"));
    of_doc.map(|path| path.get(1).cloned()).collect()
}

/// Fields each of which is there only if the next may be, back to the first; and the line of the first.
fn circle(fields: &[Field]) -> Option<(Vec<String>, usize)> {
    let mut rests: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for field in fields {
        let mut read = field.visible.as_ref().and_then(reads).unwrap_or_default();
        // What reads itself was told.
        read.remove(&field.name);
        rests.insert(&field.name, read);
    }
    // Whatever rests on nothing that is left is in no circle.
    loop {
        let left: BTreeSet<String> = rests.keys().map(|name| (*name).to_owned()).collect();
        rests.retain(|_, read| read.iter().any(|name| left.contains(name)));
        if rests.len() == left.len() {
            break;
        }
    }
    // From what is left one always comes to what is left, so that the way comes back to itself.
    let mut way: Vec<&str> = Vec::new();
    let mut next = *rests.keys().next()?;
    while !way.contains(&next) {
        way.push(next);
        let read = rests.get(next)?;
        next = rests.keys().find(|name| read.contains(**name)).copied()?;
    }
    let way: Vec<_> = way.into_iter().skip_while(|name| *name != next).collect();
    let first = fields.iter().find(|field| way.contains(&field.name.as_str()))?;
    let line = first.visible.as_ref()?.at.line;
    Some((way.into_iter().map(str::to_owned).collect(), line))
}
