//! Tables by random ones: what is found whole is whole, and no text makes it panic.

use proptest::prelude::*;
use rust_decimal::Decimal;

use crate::{
    Value,
    table::{Table, ask as ask_table},
    table_tests::{AREA, IIT, folder, mistakes},
};

/// A range of a grid as TOML, and whether a number is in it.
type Span = (Option<(bool, i64)>, Option<(bool, i64)>);

fn written((lower, upper): &Span) -> String {
    let lower = lower.map(|(over, n)| format!("{} = {n}", if over { "over" } else { "from" }));
    let upper = upper.map(|(to, n)| format!("{} = {n}", if to { "to" } else { "under" }));
    format!("{{ {} }}", lower.into_iter().chain(upper).collect::<Vec<_>>().join(", "))
}

fn within((lower, upper): &Span, n: i64) -> bool {
    lower.is_none_or(|(over, least)| if over { n > least } else { n >= least })
        && upper.is_none_or(|(to, most)| if to { n <= most } else { n < most })
}

/// The plane, cut again and again; in one of two cases with an end of one part moved.
fn parts() -> impl Strategy<Value = Vec<(Span, Span)>> {
    let cut = (any::<prop::sample::Index>(), any::<bool>(), any::<bool>(), 0i64..4);
    let cuts = prop::collection::vec(cut, 0..6);
    let moved = prop::option::of((any::<prop::sample::Index>(), 0usize..4, any::<bool>(), 0i64..4));
    (cuts, moved).prop_map(|(cuts, moved)| {
        let mut all: Vec<(Span, Span)> = vec![((None, None), (None, None))];
        for (which, first, after, at) in cuts {
            let part = all.remove(which.index(all.len()));
            let (mut low, mut high) = (part, part);
            let (below, above) =
                if first { (&mut low.0, &mut high.0) } else { (&mut low.1, &mut high.1) };
            (below.1, above.0) = (Some((after, at)), Some((after, at)));
            // Where it would be cut outside of it, it stays.
            let there_is = |span: &Span| (-9..9).any(|n| within(span, n));
            match there_is(below) && there_is(above) {
                true => all.extend([low, high]),
                false => all.push(part),
            }
        }
        if let Some((which, end, after, at)) = moved {
            let place = which.index(all.len());
            let (a, b) = &mut all[place];
            *[&mut a.0, &mut a.1, &mut b.0, &mut b.1][end] = Some((after, at));
        }
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// A grid is taken when each point hits one row, and only then; and what is found is that row.
    #[test]
    fn a_grid_is_whole_when_each_point_hits_one_row(rows in parts()) {
        let each = rows.iter().enumerate().map(|(n, (a, b))| {
            format!("{{ a = {}, b = {}, n = {n} }},", written(a), written(b))
        });
        let text = format!(
            "table = \"t\"\nkind = \"grid\"\nlaw = \"1\"\nkey = [\"a\", \"b\"]\nranges = [\"a\", \"b\"]\n\
             columns = {{ a = \"int\", b = \"int\", n = \"int\" }}\n[from.2020-01-01]\nrows = [{}]\n",
            each.collect::<Vec<_>>().join("\n")
        );
        let points = || (-1..6).flat_map(|a| (-1..6).map(move |b| (a, b)));
        let hits = |a, b| rows.iter().enumerate().filter(move |(_, (x, y))| within(x, a) && within(y, b));
        let read = Table::read("t.toml", &text);
        let whole = points().all(|(a, b)| hits(a, b).count() == 1);
        // A row that nothing can hit is a mistake by itself.
        let empty = rows.iter().any(|(x, y)| (-9..9).all(|n| !within(x, n)) || (-9..9).all(|n| !within(y, n)));
        prop_assert_eq!(read.is_ok(), whole && !empty, "{} {:?}", text, read.map(|_| ()));
        if let Ok(table) = Table::read("t.toml", &text) {
            let (_, version) = table.versions.first_key_value().expect("one").1;
            for (a, b) in points() {
                let found = ask_table("t", &table.shape, version, &[Value::Int(a.into()), Value::Int(b.into())]);
                let wanted = hits(a, b).next().map(|(place, _)| place as u64 + 1);
                prop_assert_eq!(found.row, wanted, "{} {}", a, b);
            }
        }
    }

    /// The amount of a bracket is the sum of its parts, each at its own rate; and never less for more.
    #[test]
    fn the_amount_of_a_bracket_is_the_sum_of_its_parts(fen in 0i64..200_000_000, edge in any::<bool>()) {
        let text = IIT.replace("law     =", if edge { "edge = \"from\"\nlaw =" } else { "law =" });
        let table = Table::read("t.toml", &text).expect("a table");
        let (_, version) = table.versions.first_key_value().expect("one").1;
        let amount = |fen: i64| {
            let x = Value::Money(Decimal::from(fen));
            ask_table("t", &table.shape, version, &[x]).value.field("amount")
        };
        let parts = [(0, 3), (36_000, 10), (144_000, 20), (300_000, 25), (420_000, 30), (660_000, 35), (960_000, 45)];
        let ends = parts.iter().skip(1).map(|(over, _)| over * 100).chain([i64::MAX]);
        let sum: i64 = parts.iter().zip(ends).map(|((over, rate), end)| (fen.min(end) - over * 100).max(0) * rate).sum();
        prop_assert_eq!(amount(fen), Value::Money(Decimal::new(sum, 2)));
        prop_assert_eq!(amount(fen + 1).order(&amount(fen)), Some(std::cmp::Ordering::Greater));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}", cut in 0usize..900) {
        let half = IIT.chars().take(cut).collect::<String>() + &text;
        drop((Table::read("t.toml", &text), Table::read("t.toml", &half)));
        drop(mistakes(&folder("codes/area.csv", AREA, &text)));
        let half = AREA.chars().take(cut).collect::<String>() + &text;
        drop(mistakes(&folder("codes/area.csv", AREA, &half)));
    }
}
