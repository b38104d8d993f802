//! Paper as a file: what `chancery-apps` has placed on pages, written as PDF/A-2u with the fonts that a system has.
//!
//! [`Fonts::open`] takes the fonts; [`print()`] prints a thing by a template of its module; [`pdf`] writes any [`Paper`]. Nothing here
//! decides where something stands, and the same paper, fonts and date give the same bytes.
//!
//! [`Paper`]: chancery_apps::Paper

mod code;
mod fonts;
mod pdf;
mod wording;

#[cfg(test)]
mod tests;

use chancery_apps::{Coming, Instant, NotPrinted, Reading, StateError};
use chancery_crypto::Language;
use thiserror::Error;

pub use self::{
    fonts::{FontError, FontFile, Fonts},
    pdf::{NoPdf, Printed, Warning, pdf},
};

/// Why there is no file.
#[derive(Debug, Error)]
pub enum NoPrint {
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The template and the thing give no paper.
    #[error("{0:?}")]
    Paper(NotPrinted),
    /// The paper gives no file.
    #[error(transparent)]
    Pdf(#[from] NoPdf),
}

/// Prints a thing as somebody may read it, by a template of its module; `at` is when.
///
/// # Errors
/// [`NoPrint`].
pub fn print(
    reading: &Reading<'_>,
    thing: &Coming,
    template: &str,
    language: Language,
    fonts: &Fonts,
    at: Instant,
) -> Result<Printed, NoPrint> {
    let paper = reading.paper(thing, template, language, fonts)?.map_err(NoPrint::Paper)?;
    Ok(pdf(&paper, fonts, at)?)
}
