//! Filling pages with pieces, and drawing the lines of tables once it is known what stands on which page.

use std::rc::Rc;

use super::{
    Colour, Item, Qr, Run, Stroke,
    parts::{Piece, Row},
    print::NotPrinted,
};

/// The most pages of a paper.
pub(super) const MOST_PAGES: usize = 2_000;

/// How thick the lines of tables are.
const LINE: i64 = 180;

/// Room for what flows: on the first page, and on the others; the upper edge and how much there is.
#[derive(Clone, Copy)]
pub(super) struct Room {
    pub first: (i64, i64),
    pub others: (i64, i64),
}

impl Room {
    fn on(&self, page: usize) -> (i64, i64) {
        if page == 0 { self.first } else { self.others }
    }
}

/// What flows, page by page, with how far down each page is filled.
pub(super) struct Filled {
    pub pages: Vec<Vec<Item>>,
    /// Where the last page is filled to.
    pub end: i64,
}

/// The head that a page begins with whose first piece goes on with a table.
fn head<'p>(heads: &'p [Vec<Piece>], piece: &Piece) -> &'p [Piece] {
    match &piece.row {
        Some(row) if row.row != 0 || heads.get(row.table).is_none_or(Vec::is_empty) => {
            heads.get(row.table).map_or(&[], Vec::as_slice)
        }
        _ => &[],
    }
}

/// Fills pages.
pub(super) fn fill(
    pieces: &[Piece],
    heads: &[Vec<Piece>],
    room: Room,
) -> Result<Filled, NotPrinted> {
    let mut filled = Filled { pages: vec![Vec::new()], end: room.first.0 };
    let mut begin = 0;
    loop {
        let page = filled.pages.len() - 1;
        // Space at the top of a page separates nothing.
        if page > 0 {
            let blank = pieces.iter().skip(begin).take_while(|piece| piece.blank).count();
            begin += blank;
        }
        let rest = pieces.get(begin..).unwrap_or_default();
        let (top, height) = room.on(page);
        let repeated = rest.first().map_or(&[][..], |piece| head(heads, piece));
        let taken = take(rest, repeated.iter().map(|piece| piece.height).sum(), height);
        let shown: Vec<_> = repeated.iter().chain(rest.iter().take(taken)).collect();
        let items = filled.pages.last_mut();
        let end = set(&shown, top, items.unwrap_or(&mut Vec::new()));
        if end > top + height {
            return Err(NotPrinted::Fit { block: named(&shown) });
        }
        filled.end = end;
        begin += taken;
        if rest.len() <= taken {
            return Ok(filled);
        }
        if filled.pages.len() == MOST_PAGES {
            return Err(NotPrinted::Size);
        }
        filled.pages.push(Vec::new());
    }
}

/// How many pieces go on a page: at least one, if there is one.
fn take(pieces: &[Piece], head: i64, height: i64) -> usize {
    let mut down = head;
    let over = pieces.iter().position(|piece| {
        down += piece.height;
        down > height
    });
    let Some(over) = over else { return pieces.len() };
    // What is not to be parted from what is before it takes that along, unless this would leave nothing here.
    let mut last = over;
    while last > 0 && pieces.get(last).is_some_and(|piece| piece.keep) {
        last -= 1;
    }
    // A page of space alone is no page.
    let only_blank = pieces.iter().take(last).all(|piece| piece.blank);
    if last == 0 || only_blank { over.max(1) } else { last }
}

/// The block of what does not fit.
fn named(pieces: &[&Piece]) -> String {
    let items = pieces.iter().flat_map(|piece| &piece.items);
    let mut names = items.filter_map(|item| match item {
        Item::Run(run) => Some(&run.block),
        Item::Qr(qr) => Some(&qr.block),
        Item::Stroke(_) => None,
    });
    names.next_back().cloned().unwrap_or_default()
}

/// Sets pieces below each other from `top` on. Gives where they end.
pub(super) fn set(pieces: &[&Piece], top: i64, items: &mut Vec<Item>) -> i64 {
    let mut down = top;
    let mut frame = Frame::default();
    for piece in pieces {
        frame.go(piece.row.as_ref(), down, items);
        items.extend(piece.items.iter().map(|item| moved(item, down)));
        down += piece.height;
    }
    frame.go(None, down, items);
    down
}

/// An item so far below where it was.
fn moved(item: &Item, down: i64) -> Item {
    match item {
        Item::Run(run) => Item::Run(Run { y: run.y + down, ..run.clone() }),
        Item::Qr(qr) => Item::Qr(Qr { y: qr.y + down, ..qr.clone() }),
        Item::Stroke(stroke) => {
            let (from, to) = (stroke.from, stroke.to);
            let (from, to) = ((from.0, from.1 + down), (to.0, to.1 + down));
            Item::Stroke(Stroke { from, to, ..stroke.clone() })
        }
    }
}

/// The lines of a table, on one page.
#[derive(Default)]
struct Frame {
    /// The row before, and where the cells that stand as its do begin.
    open: Option<(Row, i64)>,
}

impl Frame {
    /// Goes on to the next piece, at its upper edge.
    fn go(&mut self, next: Option<&Row>, down: i64, items: &mut Vec<Item>) {
        let before = self.open.take();
        let same = |a: &Row, b: &Row| a.table == b.table;
        if let Some((row, begin)) = &before {
            let goes_on = next.is_some_and(|next| same(row, next) && next.edges == row.edges);
            if goes_on {
                self.open = next.cloned().map(|next| (next, *begin));
            } else {
                let each = row.edges.iter().map(|x| stroke((*x, *begin), (*x, down)));
                items.extend(each);
            }
            if !next.is_some_and(|next| same(row, next)) {
                items.extend(across(&row.edges, down));
            }
        }
        let Some(next) = next else { return };
        let begins = before.as_ref().is_none_or(|(row, _)| !same(row, next));
        // Also under a head that is repeated where a row goes on.
        let other = before.as_ref().is_some_and(|(row, _)| row.row != next.row);
        if begins || other || next.first {
            items.extend(across(&next.edges, down));
        }
        if self.open.is_none() {
            self.open = Some((next.clone(), down));
        }
    }
}

fn across(edges: &Rc<[i64]>, down: i64) -> Option<Item> {
    let (first, last) = (edges.first()?, edges.last()?);
    Some(stroke((*first, down), (*last, down)))
}

fn stroke(from: (i64, i64), to: (i64, i64)) -> Item {
    Item::Stroke(Stroke { from, to, thickness: LINE, colour: Colour::Black })
}
