//! Fonts: which file stands for which face, and which font has a character.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use chancery_apps::{Face, Metrics};
use krilla::text::Font;
use skrifa::{
    FontRef, MetadataProvider,
    charmap::{Charmap, MapVariant},
    instance::{LocationRef, Size},
};
use thiserror::Error;

/// A font in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FontFile {
    /// The file.
    pub path: PathBuf,
    /// Which of the fonts in it, by its name (`Noto Serif CJK SC`); the first where nothing is said.
    pub family: Option<String>,
}

/// Why a font cannot be used.
#[derive(Debug, Error)]
pub enum FontError {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// It is no font, or has none of that name.
    #[error("{path} has no font {family:?}")]
    NoFont {
        /// The file.
        path: PathBuf,
        /// The name.
        family: Option<String>,
    },
    /// A face has no font at all.
    #[error("no font is given for {0:?}")]
    NoFace(Face),
}

/// A font that is open.
pub(crate) struct Open {
    data: Arc<dyn AsRef<[u8]> + Send + Sync>,
    index: u32,
    pub(crate) krilla: Font,
    per_em: i64,
}

/// The fonts of all faces, each with those that are asked where one has not the character.
pub struct Fonts {
    open: Vec<Open>,
    faces: BTreeMap<Face, Vec<usize>>,
}

/// What stands for a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// The font.
    pub(crate) font: usize,
    /// The glyph in it.
    pub(crate) glyph: u32,
}

impl Open {
    fn font(&self) -> Option<FontRef<'_>> {
        FontRef::from_index((*self.data).as_ref(), self.index).ok()
    }

    fn glyph(&self, c: char) -> Option<u32> {
        let glyph = self.font()?.charmap().map(c)?.to_u32();
        // The first is what stands for what is not there.
        (glyph != 0).then_some(glyph)
    }

    /// How wide a glyph is, in thousandths of its size.
    pub(crate) fn advance(&self, glyph: u32) -> Option<i64> {
        let font = self.font()?;
        let metrics = font.glyph_metrics(Size::unscaled(), LocationRef::default());
        let wide = metrics.advance_width(skrifa::GlyphId::new(glyph))?;
        // Units of a font are whole.
        let wide = wide.round().clamp(0.0, 65_535.0);
        let wide = wide as i64;
        Some(wide * 1_000 / self.per_em)
    }
}

impl Fonts {
    /// Opens fonts: for each face those that are asked one after the other.
    ///
    /// # Errors
    /// [`FontError`].
    pub fn open(faces: &BTreeMap<Face, Vec<FontFile>>) -> Result<Self, FontError> {
        let mut fonts = Self { open: Vec::new(), faces: BTreeMap::new() };
        // Fonts are large, and one file stands for several faces.
        let mut files: BTreeMap<PathBuf, Arc<Vec<u8>>> = BTreeMap::new();
        let mut known: Vec<(&FontFile, usize)> = Vec::new();
        for (face, list) in faces {
            for file in list {
                let place = match known.iter().find(|(other, _)| *other == file) {
                    Some((_, place)) => *place,
                    None => {
                        let data = match files.get(&file.path) {
                            Some(data) => Arc::clone(data),
                            None => {
                                let read = std::fs::read(&file.path);
                                let path = || file.path.clone();
                                let read =
                                    read.map_err(|error| FontError::File { path: path(), error })?;
                                let read = Arc::new(read);
                                files.insert(path(), Arc::clone(&read));
                                read
                            }
                        };
                        let open = open(data, file).ok_or_else(|| FontError::NoFont {
                            path: file.path.clone(),
                            family: file.family.clone(),
                        })?;
                        fonts.open.push(open);
                        known.push((file, fonts.open.len() - 1));
                        fonts.open.len() - 1
                    }
                };
                fonts.faces.entry(*face).or_default().push(place);
            }
        }
        for (_, face) in Face::ALL {
            if !fonts.faces.contains_key(&face) {
                return Err(FontError::NoFace(face));
            }
        }
        Ok(fonts)
    }

    /// The fonts of Debian's `fonts-noto-cjk`, which have all that faces need but 仿宋 and 楷体 themselves: Noto Serif stands for them.
    pub fn debian() -> BTreeMap<Face, Vec<FontFile>> {
        let font = |file: &str, family: &str| FontFile {
            path: PathBuf::from("/usr/share/fonts/opentype/noto").join(file),
            family: Some(family.to_owned()),
        };
        let serif = font("NotoSerifCJK-Regular.ttc", "Noto Serif CJK SC");
        let sans = font("NotoSansCJK-Regular.ttc", "Noto Sans CJK SC");
        let bold = font("NotoSerifCJK-Bold.ttc", "Noto Serif CJK SC");
        let faces = [
            (Face::Fangsong, vec![serif.clone(), sans.clone()]),
            (Face::Song, vec![bold, serif.clone(), sans.clone()]),
            (Face::Hei, vec![sans.clone(), serif.clone()]),
            (Face::Kai, vec![serif, sans]),
        ];
        faces.into()
    }

    pub(crate) fn get(&self, place: usize) -> Option<&Open> {
        self.open.get(place)
    }

    /// Which font has a character.
    pub(crate) fn find(&self, face: Face, c: char) -> Option<Found> {
        let mut places = self.faces.get(&face)?.iter();
        places.find_map(|place| {
            let glyph = self.open.get(*place)?.glyph(c)?;
            Some(Found { font: *place, glyph })
        })
    }

    /// Which font has a variant of a character: 葛󠄀. The plain one where no font has it, which is said by `false`.
    pub(crate) fn variant(&self, face: Face, c: char, selector: char) -> Option<(Found, bool)> {
        let mut places = self.faces.get(&face)?.iter();
        let found = places.find_map(|place| {
            let font = self.open.get(*place)?;
            let map: Charmap<'_> = font.font()?.charmap();
            let glyph = match map.map_variant(c, selector)? {
                MapVariant::UseDefault => font.glyph(c)?,
                MapVariant::Variant(glyph) => glyph.to_u32(),
            };
            Some(Found { font: *place, glyph })
        });
        found.map(|found| (found, true)).or_else(|| Some((self.find(face, c)?, false)))
    }

    /// What stands in the place of a character that no font has: 〓, as printers have it.
    pub(crate) fn stopgap(&self, face: Face) -> Option<Found> {
        ['〓', '□', '?'].into_iter().find_map(|c| self.find(face, c))
    }
}

fn open(data: Arc<Vec<u8>>, file: &FontFile) -> Option<Open> {
    let count = match skrifa::raw::FileRef::new(&data).ok()? {
        skrifa::raw::FileRef::Font(_) => 1,
        skrifa::raw::FileRef::Collection(all) => all.len(),
    };
    let index = (0..count).find(|index| {
        let Some(family) = &file.family else { return true };
        let Ok(font) = FontRef::from_index(&data, *index) else { return false };
        let names = [
            skrifa::string::StringId::FAMILY_NAME,
            skrifa::string::StringId::TYPOGRAPHIC_FAMILY_NAME,
        ];
        names
            .into_iter()
            .any(|id| font.localized_strings(id).any(|name| name.chars().eq(family.chars())))
    })?;
    let per_em = i64::from(
        FontRef::from_index(&data, index)
            .ok()?
            .metrics(Size::unscaled(), LocationRef::default())
            .units_per_em,
    );
    let shared: Arc<dyn AsRef<[u8]> + Send + Sync> = Arc::new(Shared(data));
    let krilla = Font::new(krilla::Data::from(Arc::clone(&shared)), index)?;
    (per_em > 0).then_some(Open { data: shared, index, krilla, per_em })
}

/// A file that several fonts share.
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Metrics for Fonts {
    fn advance(&self, face: Face, c: char) -> i64 {
        if is_selector(c) {
            return 0;
        }
        let found = self.find(face, c).or_else(|| self.stopgap(face));
        let advance = found.and_then(|found| self.open.get(found.font)?.advance(found.glyph));
        advance.unwrap_or(1_000)
    }
}

/// Whether a character chooses how the one before it looks.
pub(crate) fn is_selector(c: char) -> bool {
    matches!(c, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' | '\u{180B}'..='\u{180D}' | '\u{180F}')
}
