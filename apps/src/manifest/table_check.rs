//! Whether the rows of a table leave nothing out and nothing in doubt.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::{
    mistake::What,
    reader::At,
    table::{Placed, shown},
};
use crate::{
    table::{Cell, Column, Cut, DEDUCT, OVER, RATE, Range, Row, Shape, plain},
    value::Value,
};

type Mistaken = Vec<(At, What)>;

/// How many parts of a grid are looked at: beyond that nobody can say that it is whole.
const MOST_PARTS: usize = 20_000;

/// Each key stands once.
pub(super) fn rows(shape: &Shape, rows: &[Placed]) -> Mistaken {
    let (mut found, mut seen) = (Mistaken::new(), BTreeSet::new());
    for (at, row) in rows {
        // Within a column, what is shown alike is the same.
        let key = shape.key.iter().filter_map(|name| Some(row.get(name)?.value()?.to_string()));
        if !seen.insert(key.collect::<Vec<_>>()) {
            found.push((at.clone(), What::Twice(shown(shape, row))));
        }
    }
    found
}

/// The edges rise from zero on, and the amount is the same on both sides of each, unless it may jump. What is deducted follows
/// from that where it is not written.
pub(super) fn bracket(name: &str, shape: &Shape, rows: &mut [Placed]) -> Mistaken {
    let mut found = Mistaken::new();
    let number = |row: &Row, column: &str| row.get(column).and_then(Cell::value).and_then(plain);
    let own = |n: Decimal| match shape.columns.get(DEDUCT) {
        Some(Column::Money) => Value::Money(n),
        _ => Value::Decimal(n),
    };
    let mut before: Option<(Decimal, Decimal, Decimal)> = None;
    for (at, row) in rows {
        let (Some(over), Some(rate)) = (number(row, OVER), number(row, RATE)) else { continue };
        let edge = row.get(OVER).and_then(Cell::value).map(ToString::to_string).unwrap_or_default();
        match before {
            None if !over.is_zero() => {
                let what = What::Gap { table: name.to_owned(), place: format!("{OVER} < {edge}") };
                found.push((at.clone(), what));
            }
            Some((last, ..)) if over == last => found.push((at.clone(), What::Twice(edge.clone()))),
            Some((last, ..)) if over < last => {
                let what = What::Order(edge.clone());
                found.push((at.clone(), what));
            }
            _ => {}
        }
        // At the edge, both rows give the same.
        let (last_rate, last_deduct) = before.map_or_else(Default::default, |(_, r, d)| (r, d));
        let follows = rate
            .checked_sub(last_rate)
            .and_then(|more| more.checked_mul(over)?.checked_add(last_deduct))
            .unwrap_or_default();
        let deduct = match number(row, DEDUCT) {
            Some(written) => {
                if written != follows && !shape.jump {
                    let wanted = own(follows).to_string();
                    let what = What::Jump { table: name.to_owned(), edge, wanted };
                    found.push((at.clone(), what));
                }
                written
            }
            None => {
                let deduct = if shape.jump { Decimal::ZERO } else { follows };
                row.insert(DEDUCT.to_owned(), Cell::Is(own(deduct.normalize())));
                deduct
            }
        };
        before = Some((over, rate, deduct));
    }
    found
}

/// Whatever is asked hits one row: for each of the keys that are no ranges, the ranges cover all, and none twice.
pub(super) fn grid(name: &str, shape: &Shape, rows: &[Placed]) -> Mistaken {
    let plain: Vec<_> = shape.key.iter().filter(|key| !shape.ranges.contains(*key)).collect();
    let ranges: Vec<_> = shape.key.iter().filter(|key| shape.ranges.contains(*key)).collect();
    let together = |a: &Row, b: &Row| {
        plain.iter().all(|key| match (a.get(*key), b.get(*key)) {
            (Some(Cell::Is(a)), Some(Cell::Is(b))) => a.same(b),
            _ => false,
        })
    };
    let mut groups: Vec<Vec<&Placed>> = Vec::new();
    for placed in rows {
        match groups
            .iter_mut()
            .find(|group| group.first().is_some_and(|(_, row)| together(row, &placed.1)))
        {
            Some(group) => group.push(placed),
            None => groups.push(vec![placed]),
        }
    }
    let mut sweep = Sweep { name, ranges, parts: 0, found: Mistaken::new() };
    for group in groups {
        let key = group.first().map(|(_, row)| {
            let each = plain.iter().filter_map(|key| Some(row.get(*key)?.value()?.to_string()));
            each.collect::<Vec<_>>()
        });
        sweep.go(0, &group, &mut key.unwrap_or_default());
    }
    let at = rows.first().map(|(at, _)| at.clone()).unwrap_or_default();
    if sweep.parts > MOST_PARTS {
        sweep.found.push((at, What::TableSize { table: name.to_owned(), most: MOST_PARTS }));
    }
    sweep.found
}

/// Goes through a grid, one range after the other, between the cuts that its rows make.
struct Sweep<'a> {
    name: &'a str,
    ranges: Vec<&'a String>,
    parts: usize,
    found: Mistaken,
}

impl Sweep<'_> {
    fn go(&mut self, depth: usize, rows: &[&Placed], place: &mut Vec<String>) {
        self.parts += 1;
        // One mistake says more than all that follow from it.
        if self.parts > MOST_PARTS || !self.found.is_empty() {
            return;
        }
        let place_of = |place: &[String]| place.join(", ");
        let Some(column) = self.ranges.get(depth).copied() else {
            if let [_, (at, _), ..] = rows {
                let (table, place) = (self.name.to_owned(), place_of(place));
                self.found.push((at.clone(), What::Overlap { table, place }));
            }
            return;
        };
        let ranges = rows.iter().filter_map(|(_, row)| range(row, column));
        let ends = ranges.flat_map(|range| [&range.lower, &range.upper]);
        let mut cuts: Vec<&Cut> = ends.flatten().collect();
        cuts.sort_by(|a, b| a.order(b));
        cuts.dedup_by(|a, b| a.order(b).is_eq());
        let from = std::iter::once(None).chain(cuts.iter().copied().map(Some));
        let to = cuts.iter().copied().map(Some).chain(std::iter::once(None));
        for (from, to) in from.zip(to) {
            let within =
                |(_, row): &&Placed| range(row, column).is_some_and(|range| range.covers(from, to));
            let inside: Vec<_> = rows.iter().copied().filter(within).collect();
            place.push(between(column, from, to));
            match inside.is_empty() {
                true => {
                    let at = rows.first().map(|(at, _)| at.clone()).unwrap_or_default();
                    let (table, place) = (self.name.to_owned(), place_of(place));
                    self.found.push((at, What::Gap { table, place }));
                }
                false => self.go(depth + 1, &inside, place),
            }
            place.pop();
            if !self.found.is_empty() {
                return;
            }
        }
    }
}

fn range<'r>(row: &'r Row, column: &str) -> Option<&'r Range> {
    match row.get(column)? {
        Cell::Within(range) => Some(range),
        Cell::Is(_) => None,
    }
}

/// What lies between two cuts: `20 <= staff < 300`.
fn between(column: &str, from: Option<&Cut>, to: Option<&Cut>) -> String {
    let sign = |or_equal| if or_equal { "<=" } else { "<" };
    let from = from.map(|cut| format!("{} {} ", cut.at, sign(!cut.after))).unwrap_or_default();
    let to = to.map(|cut| format!(" {} {}", sign(cut.after), cut.at)).unwrap_or_default();
    format!("{from}{column}{to}")
}
