//! What may stand in one line that people read: titles, numbers, names. Whoever reads it must see all of it, and in
//! the order in which it stands.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{
        BidiControl, DefaultIgnorableCodePoint, Emoji, GeneralCategory, NoncharacterCodePoint,
        PrependedConcatenationMark, Script, WhiteSpace,
    },
};

/// Why a text is no line for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFault {
    /// Nothing of it can be seen.
    Blank,
    /// A character in it cannot be seen, or makes the line look like another.
    Hidden(char),
}

/// Braille without a dot: a symbol by its category, and blank.
const BLANK_BRAILLE: char = '\u{2800}';

/// Writing systems in which joiners decide how letters look.
fn joins(script: Script) -> bool {
    [
        Script::Arabic,
        Script::Syriac,
        Script::Mongolian,
        Script::Nko,
        Script::Devanagari,
        Script::Bengali,
        Script::Gurmukhi,
        Script::Gujarati,
        Script::Oriya,
        Script::Tamil,
        Script::Telugu,
        Script::Kannada,
        Script::Malayalam,
        Script::Sinhala,
        Script::Khmer,
        Script::Myanmar,
        Script::Tibetan,
        Script::PhagsPa,
    ]
    .contains(&script)
}

/// A character of a text, with those beside it.
#[derive(Clone, Copy)]
struct Placed {
    c: char,
    earlier: Option<char>,
    before: Option<char>,
    next: Option<char>,
}

fn placed(text: &str) -> impl Iterator<Item = Placed> {
    let (mut earlier, mut before, mut rest) = (None, None, text.chars().peekable());
    std::iter::from_fn(move || {
        let c = rest.next()?;
        let one = Placed { c, earlier, before, next: rest.peek().copied() };
        (earlier, before) = (before, Some(c));
        Some(one)
    })
}

fn is_picture(c: char) -> bool {
    !c.is_ascii() && CodePointSetData::new::<Emoji>().contains(c)
}

/// Whether a joiner makes one picture of two: 👨‍👩‍👧. The first may have its selector behind it.
fn joins_pictures(one: Placed) -> bool {
    let first = if one.before == Some('\u{FE0F}') { one.earlier } else { one.before };
    one.c == '\u{200D}' && first.is_some_and(is_picture) && one.next.is_some_and(is_picture)
}

/// Whether a character that is not seen by itself belongs to those beside it: joiners where a script or a picture needs
/// them, the variation selectors of ideographs (names are told apart by them), of Mongolian letters and of pictographs.
fn belongs(one: Placed) -> bool {
    let Placed { c, before: Some(before), .. } = one else { return false };
    if joins_pictures(one) {
        return true;
    }
    // One follows a character that is seen, not another of its kind.
    if CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(before) {
        return false;
    }
    let script = CodePointMapData::<Script>::new().get(before);
    match c {
        '\u{200C}' | '\u{200D}' => {
            // A letter must be there to be joined, or an Arabic vowel over it.
            joins(script) || matches!(before, '\u{64B}'..='\u{655}' | '\u{670}')
        }
        '\u{180B}'..='\u{180F}' => matches!(script, Script::Mongolian | Script::PhagsPa),
        '\u{E0100}'..='\u{E01EF}' => script == Script::Han,
        '\u{FE00}'..='\u{FE0F}' => {
            script == Script::Han
                || matches!(script, Script::Myanmar | Script::PhagsPa)
                || matches!(c, '\u{FE0E}' | '\u{FE0F}') && is_picture(before)
        }
        _ => false,
    }
}

/// Whether a character would not be seen, or would steer what is: controls, formats, line and paragraph separators,
/// private and surrogate code points, and all that is drawn as nothing.
fn is_hidden(one: Placed) -> bool {
    let c = one.c;
    if matches!(c, ' '..='~') {
        return false;
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    let steers = match category {
        GeneralCategory::Control
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator
        | GeneralCategory::PrivateUse
        | GeneralCategory::Surrogate => true,
        // Of the formats only the Arabic and like signs that stand over digits are drawn.
        GeneralCategory::Format => {
            !CodePointSetData::new::<PrependedConcatenationMark>().contains(c)
        }
        _ => false,
    };
    let unseen = steers
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || CodePointSetData::new::<BidiControl>().contains(c)
        || CodePointSetData::new::<NoncharacterCodePoint>().contains(c);
    unseen && !belongs(one)
}

fn is_blank(c: char) -> bool {
    CodePointSetData::new::<WhiteSpace>().contains(c) || c == BLANK_BRAILLE
}

/// The first character of a text that would not be seen in it. Lines may be ended where a text has several.
fn hidden(text: &str, lines: bool) -> Option<char> {
    let ends = |c: char| lines && matches!(c, '\n' | '\t');
    placed(text).find(|one| !ends(one.c) && is_hidden(*one)).map(|one| one.c)
}

/// Checks a text that is to be shown to people on one line.
///
/// # Errors
/// [`TextFault`]: it is blank, or a character in it would not be seen.
pub fn check_line(text: &str) -> Result<(), TextFault> {
    if let Some(c) = hidden(text, false) {
        return Err(TextFault::Hidden(c));
    }
    if text.chars().all(is_blank) { Err(TextFault::Blank) } else { Ok(()) }
}

/// Checks a text of any number of lines, which may be empty.
///
/// # Errors
/// [`TextFault::Hidden`] when a character in it would not be seen.
pub fn check_lines(text: &str) -> Result<(), TextFault> {
    hidden(text, true).map_or(Ok(()), |c| Err(TextFault::Hidden(c)))
}

/// A text from outside as it can be shown on one line: what would not be seen, or would steer the terminal, stands there
/// by its number. What follows it is read as it is.
pub fn show_line(text: &str) -> Cow<'_, str> {
    show(text, false)
}

/// As [`show_line`], of several lines.
pub fn show_lines(text: &str) -> Cow<'_, str> {
    show(text, true)
}

/// A JSON text with the same value, in which everything that would not be seen stands by its number.
pub fn show_json(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) || hidden(text, true).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for one in placed(text) {
        let c = one.c;
        // Outside of strings JSON has no such characters.
        if !matches!(c, '\n' | '\t') && is_hidden(one) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn show(text: &str, lines: bool) -> Cow<'_, str> {
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) || hidden(text, lines).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for one in placed(text) {
        let c = one.c;
        let ends = lines && matches!(c, '\n' | '\t');
        if !ends && is_hidden(one) {
            out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// A text as it is compared, where the same is written in several ways: compatibility forms are one (NFKC), and blanks
/// and what is not seen is left out.
pub fn fold(text: &str) -> String {
    let ignored = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let category = CodePointMapData::<GeneralCategory>::new();
    let seen = |c: &char| {
        let format = matches!(category.get(*c), GeneralCategory::Control | GeneralCategory::Format);
        !is_blank(*c) && !format && !ignored.contains(*c)
    };
    let normal = ComposingNormalizerBorrowed::new_nfkc();
    // What stands between two characters may keep them apart, and some forms have blanks in them.
    let text: String = text.chars().filter(seen).collect();
    let lower: String = normal.normalize(&text).chars().flat_map(char::to_lowercase).collect();
    normal.normalize(&lower).chars().filter(seen).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_write_may_stand_in_a_line() {
        for text in [
            "关于做好2026年换届工作的通知",
            "浙司〔2026〕12号",
            "附件 1：名单（修订稿）.xlsx",
            // A rare name, a compatibility ideograph's variant, and one told apart by a selector.
            "𬱖𠮷",
            "芦\u{E0100}田",
            "﨑\u{FE00}",
            "a – “b” … №7 ✓",
            "　全角　空格",
            // Persian and Uyghur; Hindi; Mongolian with its selectors and vowel separator.
            "می\u{200C}خواهم",
            "क\u{094D}\u{200D}ष",
            "ᠮᠣᠩᠭᠣᠯ\u{180B}ᠠ\u{180E}ᠠ",
            "བོད་ཡིག",
            "⚠\u{FE0F}",
            "家👨\u{200D}👩\u{200D}👧",
            "🏳\u{FE0F}\u{200D}🌈",
            "e\u{301}",
        ] {
            assert_eq!(check_line(text), Ok(()), "{text}");
            assert_eq!(show_line(text), text);
        }
    }

    #[test]
    fn what_is_not_seen_or_steers_may_not_and_is_shown_by_its_number() {
        for c in [
            '\0',
            '\t',
            '\n',
            '\r',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{17b4}',
            '\u{180b}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{206a}',
            '\u{3164}',
            '\u{e000}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{ffff}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e0100}',
            '\u{f0000}',
            '\u{10ffff}',
        ] {
            let text = format!("a{c}b");
            assert_eq!(check_line(&text), Err(TextFault::Hidden(c)), "{c:?}");
            assert_eq!(show_line(&text), format!("a\\u{{{:x}}}b", u32::from(c)));
        }
        // A joiner between ideographs or at the start joins nothing.
        for text in [
            "通\u{200d}知",
            "\u{200d}",
            "\u{e0100}",
            "2026\u{fe0f}",
            "芦\u{e0100}\u{e0100}",
            "ᠠ\u{180b}\u{180b}",
            "⚠\u{fe0f}\u{200d}",
            "👨\u{200d}通",
            "通\u{fe0f}\u{200d}👧",
            "2\u{200d}👧",
            "e\u{301}\u{200d}",
        ] {
            assert!(matches!(check_line(text), Err(TextFault::Hidden(_))), "{text:?}");
        }
        for blank in ["", " ", "　", "\u{a0}\u{2003}", "\u{2800}"] {
            assert_eq!(check_line(blank), Err(TextFault::Blank), "{blank:?}");
        }
        assert_eq!(check_lines("一\n\t二"), Ok(()));
        assert_eq!(check_lines("一\r\n"), Err(TextFault::Hidden('\r')));
        assert_eq!(show_lines("一\n\u{1b}[2J"), "一\n\\u{1b}[2J");
        assert_eq!(show_json("\"a\u{202e}\u{e0001}\""), "\"a\\u202e\\udb40\\udc01\"");
    }

    #[test]
    fn what_is_written_in_several_ways_is_one() {
        assert_eq!(fold("２０２６"), fold("2026"));
        assert_eq!(fold("名　称"), fold("名称"));
        assert_eq!(fold("A\u{200b}b C"), "abc");
        assert_ne!(fold("通知"), fold("通告"));
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_shown_and_what_is_right_stays(text in any::<String>()) {
            let shown = show_line(&text);
            prop_assert!(hidden(&shown, false).is_none(), "{:?}", shown);
            prop_assert_eq!(show_line(&shown), shown.clone());
            if check_line(&text).is_ok() {
                prop_assert_eq!(&*shown, &text);
            }
            prop_assert!(!shown.chars().any(char::is_control));
            prop_assert!(hidden(&show_json(&text), true).is_none());
            let lines = show_lines(&text);
            prop_assert!(!lines.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')));
        }

        #[test]
        fn controls_and_directions_are_refused_wherever_they_stand(
            start in any::<String>(), end in any::<String>(),
            c in prop::sample::select(vec!['\u{1b}', '\u{202e}', '\u{200b}', '\u{200f}', '\u{2028}', '\u{e0020}', '\u{9b}']),
        ) {
            let text = format!("{start}{c}{end}");
            prop_assert!(check_line(&text).is_err());
            prop_assert!(!show_line(&text).contains(c));
        }

        #[test]
        fn blanks_and_what_is_not_seen_are_folded_away(text in any::<String>()) {
            prop_assert!(!fold(&text).chars().any(|c| is_blank(c) || c.is_control()));
            let put: String = text.chars().flat_map(|c| [c, '\u{200b}', '　']).collect();
            if text.is_ascii() {
                prop_assert_eq!(fold(&put), fold(&text));
            }
        }
    }
}
