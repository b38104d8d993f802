//! Lines: where a text may be broken. Chinese goes on at any character, but no line begins with what closes or ends with what
//! opens (避头尾); words and numbers of other scripts are kept whole where they fit.

/// A line of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub text: String,
    /// How wide it is, with what letters stand apart.
    pub width: i64,
    /// Whether the paragraph ends with it.
    pub last: bool,
}

/// What a line does not begin with.
const CLOSING: &str = "，。、；：？！）》〉」』】〕］｝〗〙〛’”…—～·％‰℃°′″,.;:?!)]}%¢々〻ー゛゜";

/// What a line does not end with.
const OPENING: &str = "（《〈「『【〔［｛〖〘〚‘“￥＄£([{$¥№#@";

/// What holds letters and digits of one word together.
const INSIDE: &str = "-_./:@&+=%~'#?,";

/// What is never parted from the character before it.
fn is_mark(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36F}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5BD}' | '\u{610}'..='\u{61A}'
        | '\u{64B}'..='\u{65F}' | '\u{180B}'..='\u{180F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}'
        | '\u{200C}'..='\u{200D}' | '\u{20D0}'..='\u{20FF}' | '\u{302A}'..='\u{302F}' | '\u{3099}'..='\u{309A}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FE20}'..='\u{FE2F}' | '\u{1F3FB}'..='\u{1F3FF}' | '\u{E0100}'..='\u{E01EF}')
}

/// Whether a character stands alone: a line may end before and behind it.
fn is_wide(c: char) -> bool {
    matches!(c, '\u{2E80}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}' | '\u{F900}'..='\u{FAFF}' | '\u{FE30}'..='\u{FE6F}'
        | '\u{FF00}'..='\u{FFEF}' | '\u{20000}'..='\u{3FFFF}')
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() && !is_wide(c)
}

/// Whether a line may end between two characters.
fn parts(before: char, after: char) -> bool {
    if is_mark(after) || before == '\u{200D}' || after == ' ' {
        return false;
    }
    if CLOSING.contains(after) || OPENING.contains(before) {
        return false;
    }
    if before == ' ' {
        return true;
    }
    // …… and —— are one.
    let word = |c| is_of_a_word(c) || INSIDE.contains(c);
    !(word(before) && word(after))
}

/// Breaks a text into lines. The first of each paragraph is so much shorter.
pub(super) fn lines(
    text: &str,
    width: i64,
    indent: i64,
    advance: &dyn Fn(char) -> i64,
) -> Vec<Line> {
    let mut found = Vec::new();
    for paragraph in text.split('\n') {
        // A tab is a space among others.
        let all: Vec<char> = paragraph.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
        let mut rest = all.as_slice();
        let mut room = width - indent;
        loop {
            let (taken, over) =
                rest.split_at_checked(one(rest, room, advance)).unwrap_or((rest, &[]));
            // Spaces at an end are not seen, and would move what is set to the right.
            let end = taken.iter().rposition(|c| *c != ' ').map_or(0, |last| last + 1);
            let shown = taken.get(..end).unwrap_or_default();
            let begin = over.iter().position(|c| *c != ' ').unwrap_or(over.len());
            rest = over.get(begin..).unwrap_or_default();
            found.push(Line {
                text: shown.iter().collect(),
                width: shown.iter().map(|c| advance(*c)).sum(),
                last: rest.is_empty(),
            });
            if rest.is_empty() {
                break;
            }
            room = width;
        }
    }
    found
}

/// How many characters stand on the next line: at least one, if there is one.
fn one(all: &[char], room: i64, advance: &dyn Fn(char) -> i64) -> usize {
    let (mut wide, mut good, mut begin, mut before) = (0, 0, 0, None::<char>);
    for (place, c) in all.iter().enumerate() {
        if let Some(before) = before
            && parts(before, *c)
        {
            good = place;
        }
        // Marks go with the character before them.
        if !is_mark(*c) {
            begin = place;
        }
        wide += advance(*c);
        // A space at the end of a line may hang over it. What has no good place is broken anywhere.
        if wide > room && *c != ' ' && begin > 0 {
            return if good > 0 { good } else { begin };
        }
        before = Some(*c);
    }
    all.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Chinese is as wide as high, all else half.
    fn advance(c: char) -> i64 {
        match c {
            c if is_mark(c) => 0,
            c if is_wide(c) => 2,
            _ => 1,
        }
    }

    fn broken(text: &str, width: i64) -> Vec<String> {
        lines(text, width, 0, &advance).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn no_line_begins_with_what_closes_or_ends_with_what_opens() {
        assert_eq!(broken("一二三四，五六", 8), ["一二三", "四，五六"]);
        assert_eq!(broken("一二三（四五）", 8), ["一二三", "（四五）"]);
        assert_eq!(broken("一二三《四》。五", 10), ["一二三", "《四》。五"]);
        assert_eq!(broken("一二三四……五", 8), ["一二三", "四……五"]);
    }

    #[test]
    fn words_and_numbers_are_kept_whole_and_what_is_too_long_is_broken_all_the_same() {
        assert_eq!(broken("编号 AB-2026/0042 已发", 14), ["编号", "AB-2026/0042", "已发"]);
        assert_eq!(broken("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(broken("x12345678901234567890", 8), ["x1234567", "89012345", "67890"]);
        assert_eq!(broken("。。。。。", 4), ["。。", "。。", "。"]);
        // A variation selector stays with its character, and so does an accent.
        assert_eq!(broken("一二葛\u{E0100}三", 6), ["一二葛\u{E0100}", "三"]);
        // Also where it stands behind a space, which may hang over a line by itself alone.
        assert_eq!(broken("一 二 \u{301}三", 5), ["一", "二 \u{301}三"]);
        assert_eq!(broken("", 8), [""]);
        assert_eq!(broken("一\n\n二", 8), ["一", "", "二"]);
    }

    proptest! {
        #[test]
        fn every_character_stands_once_in_its_order_and_no_line_is_too_wide(
            text in "[一二三，。（）《》a-z0-9 \u{301}.-]{0,80}", width in 2_i64..40, indent in 0_i64..8,
        ) {
            let indent = indent.min(width - 2);
            let found = lines(&text, width, indent, &advance);
            let bare = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            let all: String = found.iter().map(|line| bare(&line.text)).collect();
            prop_assert_eq!(all, bare(&text));
            for (place, line) in found.iter().enumerate() {
                let room = if place == 0 { width - indent } else { width };
                prop_assert!(line.width <= room, "{:?} in {}", line, room);
            }
        }
    }
}
