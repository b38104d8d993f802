//! What is printed: a sheet, and blocks on its grid. Nothing in it is markup, so nothing in a value can be.

mod block;
mod said;

#[cfg(test)]
mod tests;

use self::block::points;
pub(crate) use self::{
    block::{Align, Block, Body, Fixed, Place, Style},
    said::{Part, Said},
};
use super::{
    mistake::What,
    reader::{At, Table},
};

/// The most blocks of a template.
const MOST_BLOCKS: usize = 200;

/// A thousandth of a millimetre; lengths are in these.
pub(crate) const MM: i64 = 1_000;

/// A template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pub at: At,
    pub name: String,
    /// The case of whose things, or the registry of whose records, it prints.
    pub of: String,
    /// What the paper is called.
    pub title: Said,
    pub sheet: Sheet,
    pub blocks: Vec<Block>,
}

/// A sheet of paper. Lengths are thousandths of a millimetre.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sheet {
    pub width: i64,
    pub height: i64,
    /// Where what is printed begins.
    pub top: i64,
    pub left: i64,
    /// How large that is.
    pub across: i64,
    pub down: i64,
    /// Its grid.
    pub lines: u32,
    pub characters: u32,
    /// The size of letters where nothing is said, which fills the grid.
    pub size: i64,
    pub numbers: Numbers,
}

/// Where a page says which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    None,
    /// Odd ones on the right, even ones on the left.
    Outer,
    Center,
}

/// What the number of a page needs below the text: it stands 7 mm below, in letters of 14 points.
const NUMBERS_BELOW: i64 = 14 * MM;

impl Sheet {
    /// GB/T 9704-2012 where nothing is said: A4, 22 lines of 28 characters in 156 mm by 225 mm; 37 mm above and 28 mm on the left.
    fn read(template: &Table<'_>) -> Self {
        let table = template.table("sheet");
        let table = table.as_ref();
        if let Some(table) = table
            && let Some(paper) = table.text("paper")
            && paper != "A4"
        {
            table.mistake(What::Word { key: "paper", word: paper, known: vec!["A4".into()] });
        }
        let lies = table.is_some_and(|table| table.bool("landscape"));
        let (width, height) = if lies { (297, 210) } else { (210, 297) };
        let usual = if lies { (28, 37, 225, 156, 15, 40) } else { (37, 28, 156, 225, 22, 28) };
        let whole = |key: &'static str, usual: i64, least: i64, most: i64| {
            let Some(table) = table else { return usual };
            match table.int(key) {
                Some(given) if (least..=most).contains(&given) => given,
                Some(_) => {
                    table.mistake_at(
                        &table.at_key(key),
                        What::Outside { what: format!("sheet.{key}"), most },
                    );
                    usual
                }
                None => usual,
            }
        };
        let (top, left) =
            (whole("top", usual.0, 0, height - 10), whole("left", usual.1, 0, width - 10));
        let across = whole("width", usual.2.min(width - left), 10, width - left);
        let down = whole("height", usual.3.min(height - top), 10, height - top);
        let lines = whole("lines", usual.4, 1, 100);
        let characters = whole("characters", usual.5, 1, 100);
        let size = table.and_then(|table| points(table, "size")).unwrap_or(16 * 1_000 * 127 / 360);
        let numbers = match table.and_then(|table| Some((table, table.text("numbers")?))) {
            None => Numbers::None,
            Some((table, word)) => match word.as_str() {
                "none" => Numbers::None,
                "outer" => Numbers::Outer,
                "center" => Numbers::Center,
                _ => {
                    let known = ["none", "outer", "center"].map(str::to_owned).into();
                    table.mistake(What::Word { key: "numbers", word, known });
                    Numbers::None
                }
            },
        };
        let below = (height - top - down) * MM;
        if numbers != Numbers::None && below < NUMBERS_BELOW {
            let most = (height * MM - NUMBERS_BELOW) / MM - top;
            let at = table.map_or_else(|| template.at(), Table::at);
            template.mistake_at(&at, What::Outside { what: "sheet.numbers".into(), most });
        }
        Self {
            width: width * MM,
            height: height * MM,
            top: top * MM,
            left: left * MM,
            across: across * MM,
            down: down * MM,
            lines: u32::try_from(lines).unwrap_or(1),
            characters: u32::try_from(characters).unwrap_or(1),
            size,
            numbers,
        }
    }

    /// How high a line of the grid is.
    pub(crate) fn line(&self) -> i64 {
        self.down / i64::from(self.lines)
    }

    /// How wide so many characters of the grid are.
    pub(crate) fn columns(&self, count: u32) -> i64 {
        self.across * i64::from(count) / i64::from(self.characters)
    }

    /// By how much letters of a size stand apart more than they are wide, so that those of the sheet's size fill the grid.
    pub(crate) fn spacing(&self, size: i64) -> i64 {
        let grid = self.columns(1);
        // A grid that is far from the letters is one for placing blocks, and not for writing in.
        match (grid - self.size).abs() * 10 <= self.size {
            true => (grid - self.size) * size / self.size,
            false => 0,
        }
    }
}

impl Template {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let name = table.must("template")?;
        let of = table.must("of").unwrap_or_default();
        if !table.has("title") {
            table.mistake(What::MissingKey { key: "title".into() });
        }
        let title = Said::read(table, "title", "title");
        let sheet = Sheet::read(table);
        let blocks = table.tables("block");
        if blocks.len() > MOST_BLOCKS {
            table.mistake(What::Excess { what: "block", most: MOST_BLOCKS });
        }
        if blocks.is_empty() {
            table.mistake(What::MissingKey { key: "block".into() });
        }
        let blocks: Vec<_> = blocks
            .into_iter()
            .take(MOST_BLOCKS)
            .filter_map(|(name, block)| Block::read(name, &block, &sheet))
            .collect();
        let template = Self { at: table.at(), name, of, title: title?, sheet, blocks };
        template.places(table);
        Some(template)
    }

    /// Nothing stands over another, what flows has room, and a seal is set over something that is there.
    fn places(&self, table: &Table<'_>) {
        let fixed = || {
            self.blocks.iter().filter_map(|block| match &block.place {
                Place::Fixed(fixed) => Some((block, fixed)),
                _ => None,
            })
        };
        for (n, (block, one)) in fixed().enumerate() {
            if let Some((other, _)) = fixed().take(n).find(|(_, other)| one.covers(other)) {
                let what = What::Covers { block: block.name.clone(), other: other.name.clone() };
                table.mistake_at(&block.at, what);
            }
        }
        let mut flowing = self.blocks.iter().filter(|block| match block.place {
            Place::Flow { .. } | Place::Foot => !matches!(block.body, Body::Seal { .. }),
            Place::Fixed(_) => false,
        });
        if let Some(block) = flowing.next()
            && fixed().any(|(_, fixed)| fixed.last() >= self.sheet.lines)
        {
            table.mistake_at(&block.at, What::NoRoom(block.name.clone()));
        }
        for block in &self.blocks {
            if let Body::Seal { over, .. } = &block.body {
                let texts = self.blocks.iter().filter(|other| matches!(other.body, Body::Text(_)));
                let known: Vec<_> = texts.map(|other| other.name.as_str()).collect();
                if !known.contains(&over.as_str()) {
                    let nearest = crate::nearest::nearest(over, known).map(str::to_owned);
                    let (kind, name) = ("text block", over.clone());
                    table.mistake_at(&block.at, What::Undeclared { kind, name, nearest });
                }
            }
        }
    }
}
