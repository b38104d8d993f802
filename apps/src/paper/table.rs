//! Tables: rows of cells, which go on over pages. A row that fits on a page stands on one.

use std::rc::Rc;

use super::{
    Item,
    lines::Line,
    parts::{Letters, Making, Piece, Row},
    print::NotPrinted,
};
use crate::{
    manifest::{Align, Block, Body},
    value::Value,
};

/// What is left free in a cell: beside its text, and above and below.
const BESIDE: i64 = 1_200;
const ABOVE: i64 = 800;

/// The most rows of a table.
const MOST_ROWS: usize = 20_000;

/// A cell: where it stands, how wide it is, and what is written in it.
struct Set {
    x: i64,
    width: i64,
    lines: Vec<Line>,
    align: Align,
}

impl Set {
    fn new(
        letters: &Letters<'_>,
        (x, width): (i64, i64),
        text: &str,
        align: Align,
    ) -> Result<Self, NotPrinted> {
        let inner = width - 2 * BESIDE;
        if inner < letters.size {
            return Err(NotPrinted::Fit { block: letters.block.to_owned() });
        }
        let lines = letters.lines(text, inner, 0);
        Ok(Self { x: x + BESIDE, width: inner, lines, align })
    }
}

/// A row, line by line.
fn row(
    letters: &Letters<'_>,
    place: (usize, usize),
    cells: Vec<Set>,
    height: i64,
    most: i64,
) -> Vec<Piece> {
    let count = cells.iter().map(|cell| cell.lines.len()).max().unwrap_or(0);
    let ends = cells.last().map(|cell| cell.x + cell.width + BESIDE);
    let edges: Rc<[i64]> = cells.iter().map(|cell| cell.x - BESIDE).chain(ends).collect();
    let mut pieces: Vec<Piece> = (0..count)
        .map(|n| Piece {
            height,
            row: Some(Row {
                table: place.0,
                row: place.1,
                first: n == 0,
                edges: Rc::clone(&edges),
            }),
            ..Piece::default()
        })
        .collect();
    for Set { x, width, lines, align } in cells {
        for (piece, line) in pieces.iter_mut().zip(lines) {
            piece.items.extend(letters.run(line, x, width, height, align));
        }
    }
    // The space above and below belongs to the first and the last line.
    if let Some(first) = pieces.first_mut() {
        first.height += ABOVE;
        for item in &mut first.items {
            if let Item::Run(run) = item {
                run.y += ABOVE;
            }
        }
    }
    if let Some(last) = pieces.last_mut() {
        last.height += ABOVE;
    }
    // What is longer than a page must be parted somewhere.
    if pieces.iter().map(|piece| piece.height).sum::<i64>() <= most {
        pieces.iter_mut().skip(1).for_each(|piece| piece.keep = true);
    }
    pieces
}

/// The pieces of a table or of pairs.
pub(super) fn pieces(
    making: &mut Making<'_>,
    block: &Block,
    letters: Letters<'_>,
    x: i64,
    width: i64,
) -> Result<Vec<Piece>, NotPrinted> {
    let (sheet, language, table) = (making.sheet, making.language, making.heads.len());
    let height = letters.size * 130 / 100;
    let most = sheet.down;
    match &block.body {
        Body::Table { each, columns } => {
            let list = match making.speaker.list(block, each)? {
                list if list.len() <= MOST_ROWS => list,
                _ => return Err(NotPrinted::Size),
            };
            // Columns have what they ask for, and the last what is left.
            let mut edges = vec![x];
            for column in columns {
                let last = edges.last().copied().unwrap_or(x);
                edges.push(last + sheet.columns(column.width));
            }
            if let Some(last) = edges.last_mut() {
                *last = x + width;
            }
            let spans: Vec<_> =
                edges.iter().zip(edges.iter().skip(1)).map(|(a, b)| (*a, b - a)).collect();
            let heads = columns.iter().zip(&spans).map(|(column, span)| {
                let text = making.speaker.say(block, &column.head, language)?;
                Set::new(&letters, *span, &text, Align::Center)
            });
            let mut head =
                row(&letters, (table, 0), heads.collect::<Result<_, _>>()?, height, most);
            // A head without a row below it says nothing.
            head.iter_mut().skip(1).for_each(|piece| piece.keep = true);
            let mut all = head.clone();
            for (n, element) in list.into_iter().enumerate() {
                let speaker = making.speaker.of_row(element);
                let cells = columns.iter().zip(&spans).map(|(column, span)| {
                    let text = speaker.say(block, &column.cell.text, language)?;
                    Set::new(&letters, *span, &text, column.cell.align)
                });
                let cells = cells.collect::<Result<_, _>>()?;
                let mut next = row(&letters, (table, n + 1), cells, height, most);
                if n == 0
                    && let Some(first) = next.first_mut()
                {
                    first.keep = true;
                }
                all.extend(next);
            }
            making.heads.push(head);
            Ok(all)
        }
        Body::Pairs { pairs, label, across } => {
            let across = i64::from(*across);
            let (share, label) = (width / across, sheet.columns(*label));
            let (mut all, mut cells, mut rows) = (Vec::new(), Vec::new(), 0);
            let (mut place, mut left) = (0, pairs.len());
            for pair in pairs {
                left -= 1;
                // One that is wide begins a row of its own, and the last takes what is left of its row.
                if pair.wide && place > 0 {
                    all.extend(row(
                        &letters,
                        (table, rows),
                        std::mem::take(&mut cells),
                        height,
                        most,
                    ));
                    (rows, place) = (rows + 1, 0);
                }
                let begin = x + place * share;
                let whole = pair.wide || left == 0 || place + 1 == across;
                let end = if whole { x + width } else { begin + share };
                let name = making.speaker.say(block, &pair.label, language)?;
                let text = making.speaker.say(block, &pair.text, language)?;
                cells.push(Set::new(&letters, (begin, label), &name, Align::Center)?);
                let span = (begin + label, end - begin - label);
                cells.push(Set::new(&letters, span, &text, block.style.align)?);
                place += 1;
                if whole {
                    all.extend(row(
                        &letters,
                        (table, rows),
                        std::mem::take(&mut cells),
                        height,
                        most,
                    ));
                    (rows, place) = (rows + 1, 0);
                }
            }
            making.heads.push(Vec::new());
            Ok(all)
        }
        _ => Ok(Vec::new()),
    }
}

/// The elements of a list.
pub(super) fn elements(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::List(list) => Some(list),
        _ => None,
    }
}
