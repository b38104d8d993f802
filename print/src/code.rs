//! Codes that machines read, as squares of a grid.

use krilla::geom::{Path, PathBuilder, Rect};
use qrcodegen::{QrCode, QrCodeEcc};

/// What stays free around a code, in squares: a reader needs four.
const FREE: i32 = 4;

/// A code as a path within a square that begins at `x` and `y` and is `side` wide. Nothing of what is too long for one.
pub(crate) fn path(text: &str, (x, y): (f32, f32), side: f32) -> Option<Path> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let wide = u16::try_from(code.size() + 2 * FREE).ok()?;
    let square = side / f32::from(wide);
    let place = |n: i32| u16::try_from(n + FREE).ok().map(|n| f32::from(n) * square);
    let mut path = PathBuilder::new();
    for row in 0..code.size() {
        let mut column = 0;
        while column < code.size() {
            let begin = column;
            while column < code.size() && code.get_module(column, row) {
                column += 1;
            }
            // Squares beside each other are one, so that no reader sees a seam between them.
            if column > begin {
                let (left, right) = (x + place(begin)?, x + place(column)?);
                let (top, bottom) = (y + place(row)?, y + place(row + 1)?);
                path.push_rect(Rect::from_ltrb(left, top, right, bottom)?);
            }
            column += 1;
        }
    }
    path.finish()
}
