//! Printing: a template, values and a language give a paper, or why there is none.

use std::cell::Cell;

use chancery_crypto::Language;
use chancery_protocol::text::{TextFault, check_lines};

use super::{
    Colour, Face, Item, Metrics, Paper, Run, SealPlace,
    pages::{Room, fill, set},
    parts::{Making, Piece, pitch},
    table, values,
};
use crate::{
    calendar::{Calendar, Rule},
    civil::Zone,
    formula::Environment,
    look_up::Looked,
    manifest::{Block, Body, Fixed, Numbers, Part, Place, Placed, Said, Sheet, Template},
    value::{Value, Why},
};

/// The most characters of a paper.
const MOST_CHARACTERS: usize = 2_000_000;

/// Why something is not printed. Nothing is left out, cut off or made up instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotPrinted {
    /// There is no such template for this.
    Template {
        /// The name.
        name: String,
        /// The nearest that there is.
        nearest: Option<String>,
    },
    /// There is no such thing for whoever asks.
    Thing,
    /// A value is not there, or cannot be known.
    Value {
        /// The block of the template.
        block: String,
        /// The formula.
        formula: String,
        /// Why not.
        why: Why,
    },
    /// A value rests on what is hidden from whoever asks.
    Hidden {
        /// The block of the template.
        block: String,
        /// The formula.
        formula: String,
        /// What is hidden.
        name: String,
    },
    /// A value has a character that cannot be seen, or changes how others look.
    Character {
        /// The block of the template.
        block: String,
        /// The formula.
        formula: String,
        /// The character.
        character: char,
    },
    /// Something does not fit where it is to stand.
    Fit {
        /// The block of the template.
        block: String,
    },
    /// It would have more pages, rows or characters than anybody prints.
    Size,
}

/// Has templates speak: what they say with the values of a thing.
pub(super) struct Speaker<'a> {
    environment: &'a dyn Environment,
    characters: &'a Cell<usize>,
    /// What is hidden that a formula may show.
    hides: &'a dyn Fn(&Placed) -> Option<String>,
}

impl<'a> Speaker<'a> {
    /// The same in a row of a table.
    pub(super) fn of_row(&self, element: Value) -> RowSpeaker<'a> {
        let Self { environment, characters, hides } = *self;
        RowSpeaker { row: WithElement { environment, element }, characters, hides }
    }

    pub(super) fn say(
        &self,
        block: &Block,
        said: &Said,
        language: Language,
    ) -> Result<String, NotPrinted> {
        self.said(&block.name, said, language)
    }

    fn said(&self, block: &str, said: &Said, language: Language) -> Result<String, NotPrinted> {
        let mut text = String::new();
        for part in said.parts(language) {
            match part {
                Part::Words(words) => text.push_str(words),
                Part::Value(placed) => text.push_str(&self.text(block, placed, language)?),
            }
        }
        let characters = self.characters.get().saturating_add(text.chars().count());
        self.characters.set(characters);
        if characters > MOST_CHARACTERS { Err(NotPrinted::Size) } else { Ok(text) }
    }

    pub(super) fn value(
        &self,
        block: &Block,
        placed: &Placed,
        language: Language,
    ) -> Result<String, NotPrinted> {
        self.text(&block.name, placed, language)
    }

    fn text(&self, block: &str, placed: &Placed, language: Language) -> Result<String, NotPrinted> {
        let value = self.worked_out(block, placed)?;
        let (block, formula) = (block.to_owned(), placed.formula.text().to_owned());
        match values::said(&value, language, self.environment.zone()) {
            Ok(text) => match check_lines(&text) {
                Ok(()) | Err(TextFault::Blank) => Ok(text),
                Err(TextFault::Hidden(character)) => {
                    Err(NotPrinted::Character { block, formula, character })
                }
            },
            Err(why) => Err(NotPrinted::Value { block, formula, why }),
        }
    }

    fn worked_out(&self, block: &str, placed: &Placed) -> Result<Value, NotPrinted> {
        if let Some(name) = (self.hides)(placed) {
            let (block, formula) = (block.to_owned(), placed.formula.text().to_owned());
            return Err(NotPrinted::Hidden { block, formula, name });
        }
        Ok(placed.formula.value(self.environment))
    }

    /// The elements of a table.
    pub(super) fn list(&self, block: &Block, placed: &Placed) -> Result<Vec<Value>, NotPrinted> {
        let value = self.worked_out(&block.name, placed)?;
        let why = match &value {
            Value::None => Why::Missing(String::new()),
            Value::Unknown(why) => why.clone(),
            other => Why::Kinds(other.kind().to_owned()),
        };
        let (block, formula) = (block.name.clone(), placed.formula.text().to_owned());
        table::elements(value).ok_or(NotPrinted::Value { block, formula, why })
    }

    /// Whether a block is printed.
    fn holds(&self, block: &Block) -> Result<bool, NotPrinted> {
        let Some(placed) = &block.when else { return Ok(true) };
        let why = match self.worked_out(&block.name, placed)? {
            Value::Bool(yes) => return Ok(yes),
            Value::Unknown(why) => why,
            other => Why::Kinds(other.kind().to_owned()),
        };
        let (block, formula) = (block.name.clone(), placed.formula.text().to_owned());
        Err(NotPrinted::Value { block, formula, why })
    }
}

/// A [`Speaker`] in a row.
pub(super) struct RowSpeaker<'a> {
    row: WithElement<'a>,
    characters: &'a Cell<usize>,
    hides: &'a dyn Fn(&Placed) -> Option<String>,
}

impl RowSpeaker<'_> {
    pub(super) fn say(
        &self,
        block: &Block,
        said: &Said,
        language: Language,
    ) -> Result<String, NotPrinted> {
        let Self { row, characters, hides } = self;
        Speaker { environment: row, characters, hides }.say(block, said, language)
    }
}

/// What formulas speak of where `x` is an element of a list.
struct WithElement<'a> {
    environment: &'a dyn Environment,
    element: Value,
}

impl Environment for WithElement<'_> {
    fn root(&self, name: &str) -> Value {
        if name == "x" { self.element.clone() } else { self.environment.root(name) }
    }
    fn field(&self, root: &str, name: &str) -> Value {
        if root == "x" { self.element.field(name) } else { self.environment.field(root, name) }
    }
    fn call(&self, name: &str, arguments: &[Value]) -> Value {
        self.environment.call(name, arguments)
    }
    fn looked(&self) -> Vec<Looked> {
        self.environment.looked()
    }
    fn calendar(&self) -> &Calendar {
        self.environment.calendar()
    }
    fn rule(&self) -> Rule {
        self.environment.rule()
    }
    fn zone(&self) -> Zone {
        self.environment.zone()
    }
    fn step(&self) -> bool {
        self.environment.step()
    }
    fn steps(&self, count: u64) -> bool {
        self.environment.steps(count)
    }
}

/// Prints. `hides` says what is hidden that a formula may show; such a formula is not worked out.
pub(crate) fn print(
    template: &Template,
    environment: &dyn Environment,
    hides: &dyn Fn(&Placed) -> Option<String>,
    language: Language,
    metrics: &dyn Metrics,
) -> Result<Paper, NotPrinted> {
    let characters = Cell::new(0);
    let speaker = Speaker { environment, characters: &characters, hides };
    let sheet = &template.sheet;
    let title = speaker.said("title", &template.title, language)?;
    let mut shown = Vec::new();
    for block in &template.blocks {
        if speaker.holds(block)? {
            shown.push(block);
        }
    }
    let mut making = Making { sheet, metrics, language, speaker: &speaker, heads: Vec::new() };
    let (mut flow, mut foot, mut fixed) = (Vec::new(), Vec::new(), Vec::new());
    for block in &shown {
        match &block.place {
            Place::Fixed(place) => fixed.push(set_fixed(&mut making, block, place)?),
            Place::Flow { .. } => flow.extend(making.pieces(block, sheet.left, sheet.across)?),
            Place::Foot => foot.extend(making.pieces(block, sheet.left, sheet.across)?),
        }
    }
    let below = |each_alone: bool| {
        let places = fixed.iter().filter(|(each, ..)| *each || !each_alone);
        let lines = places.map(|(_, last, _)| *last).max().unwrap_or(0);
        // With nothing that flows, what is fixed may take all.
        let taken = sheet.line() * i64::from(lines);
        (sheet.top + taken, sheet.down - taken)
    };
    let room = Room { first: below(false), others: below(true) };
    let mut filled = fill(&flow, &making.heads, room)?;
    let foot: Vec<&Piece> = foot.iter().collect();
    if !foot.is_empty() {
        let height: i64 = foot.iter().map(|piece| piece.height).sum();
        let bottom = sheet.top + sheet.down;
        if filled.end + height > bottom && !(filled.pages.len() == 1 && flow.is_empty()) {
            filled.pages.push(Vec::new());
        }
        let top = if filled.pages.len() == 1 { room.first.0 } else { room.others.0 };
        if bottom - height < top {
            let block = shown.iter().find(|block| block.place == Place::Foot);
            return Err(NotPrinted::Fit {
                block: block.map_or_else(String::new, |b| b.name.clone()),
            });
        }
        if let Some(last) = filled.pages.last_mut() {
            set(&foot, bottom - height, last);
        }
    }
    let mut pages = Vec::new();
    for (number, items) in filled.pages.into_iter().enumerate() {
        let here = fixed.iter().filter(|(each, ..)| *each || number == 0);
        let mut page: Vec<_> = here.flat_map(|(_, _, items)| items.clone()).collect();
        page.extend(items);
        page.extend(page_number(sheet, metrics, number + 1));
        pages.push(page);
    }
    let mut paper = Paper {
        title,
        language,
        width: sheet.width,
        height: sheet.height,
        pages,
        seals: Vec::new(),
    };
    for block in shown {
        if let Body::Seal { over, side } = &block.body {
            let place = seal(&paper, sheet, metrics, over, *side);
            paper.seals.extend(place.map(|(page, x, y)| SealPlace {
                block: block.name.clone(),
                page,
                x,
                y,
                side: *side,
            }));
        }
    }
    Ok(paper)
}

/// What stands at a place of the grid, with whether it is on each page and the last line of it.
fn set_fixed(
    making: &mut Making<'_>,
    block: &Block,
    place: &Fixed,
) -> Result<(bool, u32, Vec<Item>), NotPrinted> {
    let sheet = making.sheet;
    let x = sheet.left + sheet.columns(place.column - 1);
    let pieces = making.pieces(block, x, sheet.columns(place.columns))?;
    let top = sheet.top + sheet.line() * i64::from(place.line - 1);
    let mut items = Vec::new();
    let end = set(&pieces.iter().collect::<Vec<_>>(), top, &mut items);
    if end > top + sheet.line() * i64::from(place.lines) {
        return Err(NotPrinted::Fit { block: block.name.clone() });
    }
    Ok((place.each, place.last(), items))
}

/// The number of a page, 7 mm below what is printed: `— 1 —`.
fn page_number(sheet: &Sheet, metrics: &dyn Metrics, number: usize) -> Option<Item> {
    let size = 14 * 1_000 * 127 / 360;
    let text = format!("— {number} —");
    let face = Face::Song;
    let width: i64 =
        text.chars().map(|c| metrics.advance(face, c).clamp(0, 4_000) * size / 1_000).sum();
    let x = match sheet.numbers {
        Numbers::None => return None,
        Numbers::Center => sheet.left + (sheet.across - width) / 2,
        // A character is left free on the outer side.
        Numbers::Outer if number % 2 == 1 => sheet.left + sheet.across - width - size,
        Numbers::Outer => sheet.left + size,
    };
    let y = sheet.top + sheet.down + 7_000 + size / 2;
    Some(Item::Run(Run {
        block: "page".into(),
        text,
        face,
        size,
        x,
        y,
        spacing: 0,
        colour: Colour::Black,
    }))
}

/// Where a seal goes: over the last line of a text and the one before it, within the sheet. Nothing where the text is not printed.
fn seal(
    paper: &Paper,
    sheet: &Sheet,
    metrics: &dyn Metrics,
    over: &str,
    side: i64,
) -> Option<(usize, i64, i64)> {
    let runs = paper.pages.iter().enumerate().flat_map(|(page, items)| {
        items.iter().filter_map(move |item| match item {
            Item::Run(run) if run.block == over => Some((page, run)),
            _ => None,
        })
    });
    let (page, run) = runs.last()?;
    let advance = |c| metrics.advance(run.face, c).clamp(0, 4_000) * run.size / 1_000 + run.spacing;
    let width: i64 = run.text.chars().map(advance).sum();
    let middle = run.y - run.size * 88 / 100 + run.size / 2 - pitch(sheet, run.size, false) / 2;
    let x = (run.x + width / 2 - side / 2).clamp(0, (paper.width - side).max(0));
    let y = (middle - side / 2).clamp(0, (paper.height - side).max(0));
    Some((page, x, y))
}
