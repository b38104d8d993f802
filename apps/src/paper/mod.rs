//! Paper: what a template and the values of a thing give, as text that is placed on pages. Nothing here knows a font but how wide
//! its characters are, and nothing is drawn; whoever writes PDF draws what stands here and decides nothing.

mod lines;
mod pages;
mod parts;
mod print;
mod record;
mod table;
mod values;

#[cfg(test)]
mod tests;

use chancery_crypto::Language;

pub use self::print::NotPrinted;
pub(crate) use self::print::print;

/// Pages with what stands on them, in the order in which it is read. Lengths are thousandths of a millimetre, from the upper left
/// corner on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// What it is called.
    pub title: String,
    /// In which language it is.
    pub language: Language,
    /// How wide each page is.
    pub width: i64,
    /// How high.
    pub height: i64,
    /// The pages.
    pub pages: Vec<Vec<Item>>,
    /// Where seals are to be set: the places are left, and nothing is drawn there.
    pub seals: Vec<SealPlace>,
}

/// Something that stands on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Text on a line.
    Run(Run),
    /// A line.
    Stroke(Stroke),
    /// A code that machines read.
    Qr(Qr),
}

/// Text on a line, of one face and size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The block of the template from which it comes.
    pub block: String,
    /// What is written.
    pub text: String,
    /// In which face.
    pub face: Face,
    /// How large.
    pub size: i64,
    /// Where it begins.
    pub x: i64,
    /// The line on which the letters stand.
    pub y: i64,
    /// How much wider each character stands than it is, or narrower.
    pub spacing: i64,
    /// Its colour.
    pub colour: Colour,
}

/// A line from one place to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stroke {
    /// Where it begins.
    pub from: (i64, i64),
    /// Where it ends.
    pub to: (i64, i64),
    /// How thick it is.
    pub thickness: i64,
    /// Its colour.
    pub colour: Colour,
}

/// A square that machines read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qr {
    /// The block of the template from which it comes.
    pub block: String,
    /// What it says.
    pub text: String,
    /// Its upper left corner.
    pub x: i64,
    /// Its upper left corner.
    pub y: i64,
    /// How wide and high it is.
    pub side: i64,
}

/// Where a seal is to be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealPlace {
    /// The block of the template that asks for it.
    pub block: String,
    /// The page, from 0 on.
    pub page: usize,
    /// The upper left corner.
    pub x: i64,
    /// The upper left corner.
    pub y: i64,
    /// How wide and high it is.
    pub side: i64,
}

/// A kind of letters. Which fonts these are is for whoever prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Face {
    /// 仿宋: the body.
    Fangsong,
    /// 小标宋: titles and red heads.
    Song,
    /// 黑体: headings of the first order.
    Hei,
    /// 楷体: headings of the second order.
    Kai,
}

impl Face {
    /// All of them, by the names that templates use.
    pub const ALL: [(&'static str, Self); 4] = [
        ("fangsong", Self::Fangsong),
        ("song", Self::Song),
        ("hei", Self::Hei),
        ("kai", Self::Kai),
    ];
}

/// A colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Black.
    Black,
    /// The red of heads and lines.
    Red,
}

impl Colour {
    /// All of them, by the names that templates use.
    pub const ALL: [(&'static str, Self); 2] = [("black", Self::Black), ("red", Self::Red)];
}

/// How wide characters are.
pub trait Metrics {
    /// The width of a character in thousandths of the size of its letters: 1,000 for a Chinese one.
    fn advance(&self, face: Face, c: char) -> i64;
}

impl Paper {
    /// All that is written on it, a run a line: for whoever compares.
    pub fn text(&self) -> String {
        let items = self.pages.iter().flatten();
        let runs = items.filter_map(|item| match item {
            Item::Run(run) => Some(run.text.as_str()),
            Item::Stroke(_) | Item::Qr(_) => None,
        });
        runs.collect::<Vec<_>>().join("\n")
    }
}
