//! Paper as PDF/A-2u (ISO 19005-2): fonts embedded as far as they are used, every glyph with the characters that it stands for.

use chancery_apps::{Colour, Face, Instant, Item, Paper, Qr, Run, Stroke, Zone};
use krilla::{
    Document, SerializeSettings,
    color::{luma, rgb},
    configure::{Archival, ConfigurationBuilder},
    geom::{PathBuilder, Point},
    metadata::{DateTime, Metadata},
    num::NormalizedF32,
    page::PageSettings,
    paint::{self, Fill, FillRule},
    surface::Surface,
    text::{GlyphId, KrillaGlyph},
};
use thiserror::Error;

use crate::{
    code,
    fonts::{Fonts, Found, is_selector},
};

/// A file, and what somebody must look at before it is given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// The PDF.
    pub bytes: Vec<u8>,
    /// Characters that are not printed as they should be, in their order; each character of a block once a page.
    pub warnings: Vec<Warning>,
}

/// A character for which no font has a glyph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The character.
    pub character: char,
    /// What chooses how it looks, where it is only that which no font has: the character is printed in its usual form.
    pub selector: Option<char>,
    /// The page, from 1 on.
    pub page: usize,
    /// The block of the template.
    pub block: String,
    /// The line in which it stands.
    pub line: String,
    /// The face that was asked.
    pub face: Face,
}

/// Why there is no PDF.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoPdf {
    /// A code for machines has more to say than one holds: 2,331 bytes.
    #[error("a code in the block {block:?} is too long")]
    Code {
        /// The block of the template.
        block: String,
    },
    /// A face has no font, not even one to say that a character is missing.
    #[error("no font has any sign for {0:?}")]
    NoFont(Face),
    /// The standard forbids something of it, as a font that may not be embedded.
    #[error("no PDF/A: {0}")]
    Refused(String),
}

/// Thousandths of a millimetre in points, the units of PDF.
fn points(length: i64) -> f32 {
    length as f32 * 72.0 / 25_400.0
}

/// Writes a paper. `at` is when it was made, which stands in the file: nothing else is of this moment or this machine.
///
/// # Errors
/// [`NoPdf`].
pub fn pdf(paper: &Paper, fonts: &Fonts, at: Instant) -> Result<Printed, NoPdf> {
    let refused = |what: &dyn std::fmt::Debug| NoPdf::Refused(format!("{what:?}"));
    let builder = ConfigurationBuilder::new().with_archival_validator(Archival::A2_U);
    let configuration = builder.finish().map_err(|error| refused(&error))?;
    let mut document =
        Document::new_with(SerializeSettings { configuration, ..SerializeSettings::default() });
    let language = paper.language.pick("en", "zh-CN").to_owned();
    let metadata = Metadata::new()
        .title(paper.title.clone())
        .language(language)
        .producer("Chancery".into())
        .creation_date(date(at));
    document.set_metadata(metadata);
    let mut warnings: Vec<Warning> = Vec::new();
    for (number, items) in (1..).zip(&paper.pages) {
        let size = PageSettings::from_wh(points(paper.width), points(paper.height));
        let size = size.ok_or_else(|| refused(&"the page has no size"))?;
        let mut page = document.start_page_with(size);
        let mut surface = page.surface();
        for item in items {
            match item {
                Item::Run(run) => {
                    for warning in draw(&mut surface, run, fonts, number)? {
                        let known = warnings.iter().rev().take_while(|one| one.page == number);
                        let mut known = known.filter(|one| one.block == warning.block);
                        if !known.any(|one| {
                            (one.character, one.selector) == (warning.character, warning.selector)
                        }) {
                            warnings.push(warning);
                        }
                    }
                }
                Item::Stroke(stroke) => draw_stroke(&mut surface, stroke),
                Item::Qr(qr) => draw_code(&mut surface, qr)?,
            }
        }
        surface.finish();
        page.finish();
    }
    let bytes = document.finish().map_err(|error| refused(&error))?;
    Ok(Printed { bytes, warnings })
}

/// A moment as PDF has it, in UTC.
fn date(at: Instant) -> DateTime {
    let (year, month, day) = Zone::UTC.date(at).parts();
    let second = at.0.rem_euclid(86_400);
    let small = |n: i64| u8::try_from(n).unwrap_or_default();
    DateTime::new(u16::try_from(year).unwrap_or_default())
        .month(small(month.into()))
        .day(small(day.into()))
        .hour(small(second / 3_600))
        .minute(small(second / 60 % 60))
        .second(small(second % 60))
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}

fn colour(colour: Colour) -> paint::Paint {
    match colour {
        Colour::Black => luma::Color::black().into(),
        Colour::Red => rgb::Color::new(220, 0, 0).into(),
    }
}

fn fill(of: Colour) -> Fill {
    Fill { paint: colour(of), opacity: NormalizedF32::ONE, rule: FillRule::NonZero }
}

/// A glyph and the characters that it stands for.
struct Sign {
    found: Found,
    text: String,
    /// In thousandths of a millimetre.
    wide: i64,
}

/// The signs of a run, and what is not as it should be.
fn signs(run: &Run, fonts: &Fonts, page: usize) -> Result<(Vec<Sign>, Vec<Warning>), NoPdf> {
    let (mut signs, mut warnings) = (Vec::<Sign>::new(), Vec::new());
    let mut warn = |character, selector| {
        warnings.push(Warning {
            character,
            selector,
            page,
            block: run.block.clone(),
            line: run.text.clone(),
            face: run.face,
        });
    };
    let mut rest = run.text.chars().peekable();
    while let Some(c) = rest.next() {
        let selector = rest.next_if(|next| is_selector(*next));
        let plain = || fonts.find(run.face, c).map(|found| (found, true));
        let found = match selector {
            Some(selector) => fonts.variant(run.face, c, selector),
            None => plain(),
        };
        let found = match found {
            Some((found, as_chosen)) => {
                // A picture without colours is no other picture.
                if !as_chosen && !matches!(selector, Some('\u{FE0E}' | '\u{FE0F}')) {
                    warn(c, selector);
                }
                found
            }
            None => {
                warn(c, None);
                fonts.stopgap(run.face).ok_or(NoPdf::NoFont(run.face))?
            }
        };
        // As wide as the layout was told.
        let wide = chancery_apps::Metrics::advance(fonts, run.face, c).clamp(0, 4_000);
        let wide = wide * run.size / 1_000;
        let wide = if wide == 0 { 0 } else { wide + run.spacing };
        let text = std::iter::once(c).chain(selector).collect();
        signs.push(Sign { found, text, wide });
    }
    Ok((signs, warnings))
}

fn draw(
    surface: &mut Surface<'_>,
    run: &Run,
    fonts: &Fonts,
    page: usize,
) -> Result<Vec<Warning>, NoPdf> {
    let (signs, warnings) = signs(run, fonts, page)?;
    surface.set_fill(Some(fill(run.colour)));
    let size = points(run.size);
    let mut x = run.x;
    for same in signs.chunk_by(|a, b| a.found.font == b.found.font) {
        let Some(font) = same.first().and_then(|sign| fonts.get(sign.found.font)) else { continue };
        let (mut text, mut glyphs, mut wide) = (String::new(), Vec::new(), 0);
        for sign in same {
            let begin = text.len();
            text.push_str(&sign.text);
            glyphs.push(KrillaGlyph {
                glyph_id: GlyphId::new(sign.found.glyph),
                text_range: begin..text.len(),
                x_advance: sign.wide as f32 / run.size as f32,
                x_offset: 0.0,
                y_offset: 0.0,
                y_advance: 0.0,
                location: None,
            });
            wide += sign.wide;
        }
        let at = Point::from_xy(points(x), points(run.y));
        surface.draw_glyphs(at, &glyphs, font.krilla.clone(), &text, size, false);
        x += wide;
    }
    Ok(warnings)
}

fn draw_stroke(surface: &mut Surface<'_>, stroke: &Stroke) {
    let mut path = PathBuilder::new();
    path.move_to(points(stroke.from.0), points(stroke.from.1));
    path.line_to(points(stroke.to.0), points(stroke.to.1));
    let Some(path) = path.finish() else { return };
    surface.set_fill(None);
    surface.set_stroke(Some(paint::Stroke {
        paint: colour(stroke.colour),
        width: points(stroke.thickness),
        ..paint::Stroke::default()
    }));
    surface.draw_path(&path);
    surface.set_stroke(None);
}

fn draw_code(surface: &mut Surface<'_>, qr: &Qr) -> Result<(), NoPdf> {
    let place = (points(qr.x), points(qr.y));
    let path = code::path(&qr.text, place, points(qr.side));
    let path = path.ok_or_else(|| NoPdf::Code { block: qr.block.clone() })?;
    surface.set_fill(Some(fill(Colour::Black)));
    surface.draw_path(&path);
    Ok(())
}
