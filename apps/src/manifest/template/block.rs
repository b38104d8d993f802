//! The blocks of a template: what each is, how it looks, and where it stands.

use toml::de::DeValue;

use super::{MM, Said, Sheet};
use crate::{
    manifest::{
        mistake::What,
        reader::{At, Placed, Table},
    },
    paper::{Colour, Face},
};

/// A block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub at: At,
    pub name: String,
    /// When it is printed; always, where nothing is said.
    pub when: Option<Placed>,
    pub place: Place,
    pub body: Body,
    pub style: Style,
}

/// What is printed in a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// Paragraphs.
    Text(Said),
    /// A line across; its thickness.
    Stroke(i64),
    /// A row for each element of a list, under a head that stands on each page.
    Table { each: Placed, columns: Vec<Column> },
    /// What something is called, and what it is, so many of them beside each other.
    Pairs { pairs: Vec<Pair>, label: u32, across: u32 },
    /// Nothing but the place of a seal, over the last line of a text.
    Seal { over: String, side: i64 },
    /// A code that machines read.
    Qr { of: Placed, side: i64 },
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub head: Said,
    pub cell: Cell,
    /// In characters of the grid.
    pub width: u32,
}

/// What stands in a cell; `x` is the element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    pub text: Said,
    pub align: Align,
}

/// What something is called, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub name: String,
    pub label: Said,
    pub text: Said,
    /// Whether it has a row of its own.
    pub wide: bool,
}

/// Where a block stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// After the block before it, so many lines below, and perhaps never at the top of a page without it.
    Flow { before: u32, keep: bool },
    /// At the foot of the last page.
    Foot,
    /// At a place of the grid.
    Fixed(Fixed),
}

/// A place of the grid, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fixed {
    /// On each page, and not on the first alone.
    pub each: bool,
    pub line: u32,
    pub column: u32,
    pub lines: u32,
    pub columns: u32,
}

impl Fixed {
    /// The last line of it.
    pub(crate) fn last(&self) -> u32 {
        self.line + self.lines - 1
    }

    /// Whether it shares a place with another. All of them stand on the first page.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let meets = |a: u32, long: u32, b: u32, wide: u32| a < b + wide && b < a + long;
        meets(self.line, self.lines, other.line, other.lines)
            && meets(self.column, self.columns, other.column, other.columns)
    }
}

/// How letters look and where lines begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Style {
    pub face: Face,
    /// Their size; none where the sheet says it.
    pub size: Option<i64>,
    pub colour: Colour,
    pub align: Align,
    /// In characters: before the first line of a paragraph, before and after every line.
    pub indent: u32,
    pub left: u32,
    pub right: u32,
    /// Lines stand as close as their letters allow, and not on the grid.
    pub close: bool,
}

/// Where lines stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Center,
    Right,
    /// From edge to edge, but for the last line.
    Justify,
}

/// What says what a block is.
const BODIES: [&str; 6] = ["text", "stroke", "each", "pair", "seal", "qr"];

impl Block {
    pub(super) fn read(name: String, table: &Table<'_>, sheet: &Sheet) -> Option<Self> {
        let style = Style::read(table, sheet);
        let place = Place::read(table, sheet);
        let when = table.formula("if");
        let given: Vec<_> = BODIES.into_iter().filter(|body| table.has(body)).collect();
        let body = match given.as_slice() {
            [] => {
                table.mistake(What::MissingKey { key: BODIES.join(" | ") });
                return None;
            }
            [one] => *one,
            [one, other, ..] => {
                let (this, with) = ((*one).to_owned(), (*other).to_owned());
                table.mistake(What::Clash { this, with });
                return None;
            }
        };
        let wide = match &place {
            Place::Fixed(fixed) => fixed.columns,
            _ => sheet.characters,
        };
        let body = match body {
            "text" => Body::Text(Said::read(table, "text", &format!("block.{name}.text"))?),
            "stroke" => {
                // Hundredths of a millimetre.
                Body::Stroke(within(table, "stroke", 1, 500)? * 10)
            }
            "each" => {
                let each = table.formula("each");
                let columns = columns(table, &name, wide)?;
                Body::Table { each: each?, columns }
            }
            "pair" => pairs(table, &name, wide)?,
            "seal" => {
                let over = table.text("seal")?;
                Body::Seal { over, side: side(table, sheet, &place, 42)? }
            }
            _ => {
                let of = table.formula("qr");
                Body::Qr { of: of?, side: side(table, sheet, &place, 25)? }
            }
        };
        let kept = matches!(place, Place::Fixed(_));
        if kept && matches!(body, Body::Table { .. } | Body::Pairs { .. } | Body::Seal { .. }) {
            table.mistake(What::Clash { this: "at".into(), with: given.concat() });
        }
        Some(Self { at: table.at(), name, when, place, body, style })
    }

    /// All formulas of a block, outside of the rows of its table.
    pub(crate) fn formulas(&self) -> Vec<&Placed> {
        let mut all: Vec<_> = self.when.iter().collect();
        match &self.body {
            Body::Text(said) => all.extend(said.formulas()),
            Body::Table { each, columns } => {
                all.push(each);
                all.extend(columns.iter().flat_map(|column| column.head.formulas()));
            }
            Body::Pairs { pairs, .. } => {
                let each =
                    pairs.iter().flat_map(|pair| pair.label.formulas().chain(pair.text.formulas()));
                all.extend(each);
            }
            Body::Qr { of, .. } => all.push(of),
            Body::Stroke(_) | Body::Seal { .. } => {}
        }
        all
    }

    /// The formulas in the rows of its table, which speak of `x` too.
    pub(crate) fn in_rows(&self) -> Vec<&Placed> {
        match &self.body {
            Body::Table { columns, .. } => {
                columns.iter().flat_map(|column| column.cell.text.formulas()).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// A whole number in bounds; nothing where it is missing.
fn within(table: &Table<'_>, key: &'static str, least: i64, most: i64) -> Option<i64> {
    let given = table.int(key)?;
    if (least..=most).contains(&given) {
        return Some(given);
    }
    table.mistake_at(&table.at_key(key), What::Outside { what: key.to_owned(), most });
    None
}

fn count(table: &Table<'_>, key: &'static str, otherwise: u32, most: u32) -> u32 {
    if !table.has(key) {
        return otherwise;
    }
    let given = within(table, key, 0, most.into());
    given.and_then(|given| u32::try_from(given).ok()).unwrap_or(otherwise)
}

/// The side of a square that is to stand on the sheet, in millimetres.
fn side(table: &Table<'_>, sheet: &Sheet, place: &Place, otherwise: i64) -> Option<i64> {
    let (across, down) = match place {
        Place::Fixed(fixed) => {
            (sheet.columns(fixed.columns), sheet.line() * i64::from(fixed.lines))
        }
        _ => (sheet.across, sheet.down),
    };
    let most = across.min(down) / MM;
    if !table.has("side") && most < otherwise {
        table.mistake(What::Outside { what: "side".into(), most });
        return None;
    }
    let side = if table.has("side") { within(table, "side", 5, most)? } else { otherwise };
    Some(side * MM)
}

fn columns(table: &Table<'_>, block: &str, wide: u32) -> Option<Vec<Column>> {
    let mut sum = 0;
    let each: Vec<_> = table
        .tables("column")
        .into_iter()
        .map(|(name, column)| {
            let named = |key: &str| format!("block.{block}.column.{name}.{key}");
            for key in ["head", "text", "width"] {
                if !column.has(key) {
                    column.mistake(What::MissingKey { key: key.to_owned() });
                }
            }
            let width = count(&column, "width", 0, wide);
            sum += width;
            if column.has("width") && (width == 0 || sum > wide) {
                column.mistake(What::Outside { what: named("width"), most: wide.into() });
            }
            let align = Align::read(&column, Align::Left);
            let head = Said::read(&column, "head", &named("head"));
            let text = Said::read(&column, "text", &named("text"));
            Some(Column { head: head?, cell: Cell { text: text?, align }, width })
        })
        .collect();
    if each.is_empty() {
        table.mistake(What::MissingKey { key: "column".into() });
        return None;
    }
    each.into_iter().collect()
}

fn pairs(table: &Table<'_>, block: &str, wide: u32) -> Option<Body> {
    let across = count(table, "across", 1, 4);
    let label = count(table, "label", 6.min(wide / 2), wide);
    if across == 0 || label == 0 || (label + 1) * across > wide {
        let most = (wide / across.max(1)).saturating_sub(1);
        table.mistake(What::Outside { what: "label".into(), most: most.into() });
        return None;
    }
    let each: Vec<_> = table
        .tables("pair")
        .into_iter()
        .map(|(name, pair)| {
            let named = |key: &str| format!("block.{block}.pair.{name}.{key}");
            for key in ["label", "text"] {
                if !pair.has(key) {
                    pair.mistake(What::MissingKey { key: key.to_owned() });
                }
            }
            let wide = pair.bool("wide");
            let label = Said::read(&pair, "label", &named("label"));
            let text = Said::read(&pair, "text", &named("text"));
            Some(Pair { label: label?, text: text?, wide, name })
        })
        .collect();
    if each.is_empty() {
        table.mistake(What::Empty { key: "pair".into() });
        return None;
    }
    let pairs = each.into_iter().collect::<Option<_>>()?;
    Some(Body::Pairs { pairs, label, across })
}

impl Place {
    fn read(table: &Table<'_>, sheet: &Sheet) -> Self {
        let foot = table.bool("foot");
        let flow =
            Self::Flow { before: count(table, "before", 0, sheet.lines), keep: table.bool("keep") };
        let Some(at) = table.table("at") else {
            if foot {
                for key in ["before", "keep"].into_iter().filter(|key| table.has(key)) {
                    table.mistake(What::Clash { this: "foot".into(), with: key.to_owned() });
                }
            }
            return if foot { Self::Foot } else { flow };
        };
        for key in ["foot", "before", "keep"].into_iter().filter(|key| table.has(key)) {
            table.mistake(What::Clash { this: "at".into(), with: key.to_owned() });
        }
        let each = match at.text("page").as_deref() {
            None | Some("first") => false,
            Some("each") => true,
            Some(word) => {
                let known = ["first", "each"].map(str::to_owned).into();
                at.mistake(What::Word { key: "page", word: word.to_owned(), known });
                false
            }
        };
        if !at.has("line") {
            at.mistake(What::MissingKey { key: "line".into() });
        }
        // What reaches beyond the sheet is said with how much there is of it.
        let span = |first: &'static str, long: &'static str, of: u32, otherwise: Option<u32>| {
            let begin = count(&at, first, 1, of).max(1);
            let left = of - begin + 1;
            (begin, count(&at, long, otherwise.unwrap_or(left), left).max(1))
        };
        let (line, lines) = span("line", "lines", sheet.lines, Some(1));
        let (column, columns) = span("column", "columns", sheet.characters, None);
        Self::Fixed(Fixed { each, line, column, lines, columns })
    }
}

impl Align {
    fn read(table: &Table<'_>, otherwise: Self) -> Self {
        let words = [
            ("left", Self::Left),
            ("center", Self::Center),
            ("right", Self::Right),
            ("justify", Self::Justify),
        ];
        word(table, "align", &words).unwrap_or(otherwise)
    }
}

impl Style {
    fn read(table: &Table<'_>, sheet: &Sheet) -> Self {
        let style = Self {
            face: word(table, "font", &Face::ALL).unwrap_or(Face::Fangsong),
            size: points(table, "size"),
            colour: word(table, "color", &Colour::ALL).unwrap_or(Colour::Black),
            align: Align::read(table, Align::Left),
            indent: count(table, "indent", 0, sheet.characters),
            left: count(table, "left", 0, sheet.characters),
            right: count(table, "right", 0, sheet.characters),
            close: table.bool("close"),
        };
        let most = sheet.characters - 1;
        if style.indent + style.left + style.right > most {
            table.mistake(What::Outside { what: "indent, left, right".into(), most: most.into() });
            return Self { indent: 0, left: 0, right: 0, ..style };
        }
        style
    }
}

/// One of some words.
fn word<T: Copy>(table: &Table<'_>, key: &'static str, words: &[(&str, T)]) -> Option<T> {
    let word = table.text(key)?;
    let found = words.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
    if found.is_none() {
        let known = words.iter().map(|(name, _)| (*name).to_owned()).collect();
        table.mistake_at(&table.at_key(key), What::Word { key, word, known });
    }
    found
}

/// A size of letters in points, 5 to 120, also `"10.5"`; as a length.
pub(super) fn points(table: &Table<'_>, key: &'static str) -> Option<i64> {
    let given = match table.value(key)?.get_ref() {
        DeValue::String(text) => {
            table.raw(key);
            let (whole, tenth) = text.split_once('.').unwrap_or((text, "0"));
            let digit = tenth.len() == 1 && whole.len() <= 3;
            let both = || Some(whole.parse::<u32>().ok()? * 10 + tenth.parse::<u32>().ok()?);
            digit.then(both).flatten().map(i64::from)
        }
        _ => table.int(key).and_then(|whole| whole.checked_mul(10)),
    };
    let size = given.filter(|tenths| (50..=1200).contains(tenths));
    if size.is_none() {
        let wanted = "5, 6, …, 120, \"10.5\"";
        table.mistake_at(&table.at_key(key), What::Kind { key: key.to_owned(), wanted });
    }
    // A point is 127/360 of a millimetre.
    size.map(|tenths| tenths * MM * 127 / 3_600)
}
