//! What a block gives: pieces that are not broken, one below the other, which pages are then filled with.

use std::rc::Rc;

use chancery_crypto::Language;

use super::{
    Colour, Face, Item, Metrics, Qr, Run, Stroke,
    lines::{Line, lines},
    print::{NotPrinted, Speaker},
    table,
};
use crate::manifest::{Align, Block, Body, Place, Said, Sheet, Style};

/// Something that stands on one page as a whole; its items are placed from its own upper edge and the sheet's left edge on.
#[derive(Debug, Clone, Default)]
pub(super) struct Piece {
    pub height: i64,
    pub items: Vec<Item>,
    /// Whether it stands on no page without the one before it.
    pub keep: bool,
    /// Space alone, which is left out at the top of a page.
    pub blank: bool,
    /// The row of a table to which it belongs.
    pub row: Option<Row>,
}

/// A piece of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The table, by its block.
    pub table: usize,
    pub row: usize,
    /// Whether the row begins with it.
    pub first: bool,
    /// Where its cells meet.
    pub edges: Rc<[i64]>,
}

/// Letters of one kind on a sheet.
#[derive(Clone, Copy)]
pub(super) struct Letters<'a> {
    pub metrics: &'a dyn Metrics,
    pub block: &'a str,
    pub face: Face,
    pub size: i64,
    pub spacing: i64,
    pub colour: Colour,
}

impl<'a> Letters<'a> {
    pub(super) fn of(sheet: &Sheet, block: &'a Block, metrics: &'a dyn Metrics) -> Self {
        let Style { face, size, colour, .. } = block.style;
        let size = size.unwrap_or(sheet.size);
        Self { metrics, block: &block.name, face, size, spacing: sheet.spacing(size), colour }
    }

    pub(super) fn advance(&self, c: char) -> i64 {
        // Fonts are what others say they are: none has a character that is wider than four or narrower than nothing.
        let width = self.metrics.advance(self.face, c).clamp(0, 4_000) * self.size / 1_000;
        if width == 0 { 0 } else { (width + self.spacing).max(1) }
    }

    pub(super) fn lines(&self, text: &str, width: i64, indent: i64) -> Vec<Line> {
        lines(text, width, indent, &|c| self.advance(c))
    }

    /// A line from `x` on, in a piece that is so high.
    pub(super) fn run(
        &self,
        line: Line,
        x: i64,
        width: i64,
        height: i64,
        align: Align,
    ) -> Option<Item> {
        if line.text.is_empty() {
            return None;
        }
        let left = (width - line.width).max(0);
        let gaps = i64::try_from(line.text.chars().count()).unwrap_or(1) - 1;
        let x = match align {
            Align::Left | Align::Justify => x,
            Align::Center => x + left / 2,
            Align::Right => x + left,
        };
        let wider = match align {
            // A line that is nearly full is set from edge to edge; one that is not is short for a reason.
            Align::Justify if !line.last && gaps > 0 && left < 3 * self.size => left / gaps,
            _ => 0,
        };
        // The letters of Chinese fonts reach 88 hundredths of their size above the line.
        let y = (height - self.size) / 2 + self.size * 88 / 100;
        Some(Item::Run(Run {
            block: self.block.to_owned(),
            text: line.text,
            face: self.face,
            size: self.size,
            x,
            y,
            spacing: self.spacing + wider,
            colour: self.colour,
        }))
    }
}

/// How high lines are: as many lines of the grid as the letters need, or as close as they can be read.
pub(super) fn pitch(sheet: &Sheet, size: i64, close: bool) -> i64 {
    let needed = size * 115 / 100;
    if close {
        return size * 140 / 100;
    }
    let line = sheet.line();
    line * (needed + line - 1).div_euclid(line.max(1)).max(1)
}

/// The pieces of a block that stands at `x`, so wide.
pub(super) struct Making<'a> {
    pub sheet: &'a Sheet,
    pub metrics: &'a dyn Metrics,
    pub language: Language,
    pub speaker: &'a Speaker<'a>,
    /// The head of each table, which stands on every page on which that goes on.
    pub heads: Vec<Vec<Piece>>,
}

impl Making<'_> {
    pub(super) fn pieces(
        &mut self,
        block: &Block,
        x: i64,
        width: i64,
    ) -> Result<Vec<Piece>, NotPrinted> {
        if matches!(block.body, Body::Seal { .. }) {
            return Ok(Vec::new());
        }
        let sheet = self.sheet;
        let letters = Letters::of(sheet, block, self.metrics);
        let style = &block.style;
        let x = x + sheet.columns(style.left);
        let width = width - sheet.columns(style.left) - sheet.columns(style.right);
        if width < letters.size {
            return Err(NotPrinted::Fit { block: block.name.clone() });
        }
        let (mut pieces, keep) =
            (Vec::new(), matches!(block.place, Place::Flow { keep: true, .. }));
        if let Place::Flow { before, .. } = block.place
            && before > 0
        {
            let height = sheet.line() * i64::from(before);
            pieces.push(Piece { height, blank: true, ..Piece::default() });
        }
        match &block.body {
            Body::Text(said) => pieces.extend(self.text(block, said, letters, x, width)?),
            Body::Stroke(thickness) => {
                let height = (*thickness).max(sheet.line() / 4);
                let y = height / 2;
                let (from, to) = ((x, y), (x + width, y));
                let stroke = Stroke { from, to, thickness: *thickness, colour: style.colour };
                let items = vec![Item::Stroke(stroke)];
                pieces.push(Piece { height, items, ..Piece::default() });
            }
            Body::Qr { of, side } => {
                let text = self.speaker.value(block, of, self.language)?;
                let left = width - side;
                let x = match style.align {
                    Align::Left | Align::Justify => x,
                    Align::Center => x + left / 2,
                    Align::Right => x + left,
                };
                let qr = Qr { block: block.name.clone(), text, x, y: 0, side: *side };
                pieces.push(Piece { height: *side, items: vec![Item::Qr(qr)], ..Piece::default() });
            }
            Body::Table { .. } | Body::Pairs { .. } => {
                pieces.extend(table::pieces(self, block, letters, x, width)?);
            }
            Body::Seal { .. } => {}
        }
        if keep && let Some(first) = pieces.first_mut() {
            first.keep = true;
            // The space before it is no reason to part it from what it belongs to.
            if first.blank
                && let Some(second) = pieces.get_mut(1)
            {
                second.keep = true;
            }
        }
        Ok(pieces)
    }

    fn text(
        &self,
        block: &Block,
        said: &Said,
        letters: Letters<'_>,
        x: i64,
        width: i64,
    ) -> Result<Vec<Piece>, NotPrinted> {
        let text = self.speaker.say(block, said, self.language)?;
        let style = &block.style;
        let height = pitch(self.sheet, letters.size, style.close);
        // An indent counts letters of the block.
        let indent = i64::from(style.indent) * (letters.size + letters.spacing);
        if width - indent < letters.size {
            return Err(NotPrinted::Fit { block: block.name.clone() });
        }
        let mut first = true;
        let each = letters.lines(&text, width, indent).into_iter().map(|line| {
            let before = if first { indent } else { 0 };
            first = line.last;
            let run = letters.run(line, x + before, width - before, height, style.align);
            Piece { height, items: run.into_iter().collect(), ..Piece::default() }
        });
        Ok(each.collect())
    }
}
