//! Numbers as Chinese texts of law write them: 一百二十三, 二〇二六, and plain digits.

/// The greatest number that is read.
pub(super) const GREATEST: u32 = 9_999;

const DIGITS: [char; 10] = ['零', '一', '二', '三', '四', '五', '六', '七', '八', '九'];

fn digit(c: char) -> Option<u32> {
    match c {
        '〇' | '○' => Some(0),
        '两' => Some(2),
        '0'..='9' => c.to_digit(10),
        '０'..='９' => u32::from(c).checked_sub(u32::from('０')),
        c => DIGITS.iter().position(|known| *known == c).and_then(|n| u32::try_from(n).ok()),
    }
}

/// The power of ten that a character stands for.
fn power(c: char) -> Option<u32> {
    match c {
        '十' => Some(10),
        '百' => Some(100),
        '千' => Some(1_000),
        _ => None,
    }
}

/// Whether a character is of a number.
pub(super) fn is_of_number(c: char) -> bool {
    digit(c).is_some() || power(c).is_some()
}

/// The most characters of a number.
const LONGEST: usize = 12;

/// The number that a text is as a whole; none of what is none, or is beyond [`GREATEST`].
pub(super) fn number(text: &str) -> Option<u32> {
    if text.is_empty() || text.chars().nth(LONGEST).is_some() {
        return None;
    }
    let found = match text.chars().any(|c| power(c).is_some()) {
        // Digit after digit: 二〇二六, 15.
        false => text.chars().try_fold(0u32, |n, c| n.checked_mul(10)?.checked_add(digit(c)?)),
        true => by_powers(text),
    };
    found.filter(|n| *n <= GREATEST)
}

fn by_powers(text: &str) -> Option<u32> {
    let (mut sum, mut above, mut held): (u32, u32, Option<u32>) = (0, 10_000, None);
    for c in text.chars() {
        if let Some(power) = power(c) {
            // 十五 is ten and five; 百 alone is nothing, and powers fall.
            let times = match held.take() {
                Some(0) => return None,
                Some(times) => times,
                None if power == 10 && sum == 0 => 1,
                None => return None,
            };
            if power >= above {
                return None;
            }
            above = power;
            sum = sum.checked_add(times.checked_mul(power)?)?;
        } else {
            // A nothing stands where a power is left out: 一百零五.
            match (digit(c)?, held) {
                (n, None | Some(0)) => held = Some(n),
                _ => return None,
            }
        }
    }
    sum.checked_add(held.unwrap_or(0))
}

/// A number as a text of law writes it, up to [`GREATEST`]; what is beyond is written with digits.
#[cfg(test)]
pub(super) fn written(n: u32) -> String {
    if n > GREATEST {
        return n.to_string();
    }
    let digit = |n: u32| DIGITS.get(n as usize).copied().unwrap_or('零');
    let (mut text, mut gap) = (String::new(), false);
    for (power, name) in [(1_000, Some('千')), (100, Some('百')), (10, Some('十')), (1, None)] {
        let here = n / power % 10;
        if here == 0 {
            gap = !text.is_empty();
            continue;
        }
        if std::mem::take(&mut gap) {
            text.push('零');
        }
        // 十五 and not 一十五, where nothing stands before it.
        if !(here == 1 && power == 10 && text.is_empty()) {
            text.push(digit(here));
        }
        text.extend(name);
    }
    if text.is_empty() { "零".into() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written_in_laws() {
        let known = [
            ("一", 1),
            ("十", 10),
            ("十五", 15),
            ("二十", 20),
            ("一百零五", 105),
            ("一百一十", 110),
            ("二百零五", 205),
            ("一千二百六十", 1260),
            ("一千零一", 1001),
            ("二〇二六", 2026),
            ("15", 15),
            ("１５", 15),
        ];
        for (text, n) in known {
            assert_eq!(number(text), Some(n), "{text}");
        }
        for no in ["", "百", "十十", "一二十", "百一", "条", "十百", "一万", "零十", "99999"]
        {
            assert_eq!(number(no), None, "{no}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(n in 0..=GREATEST) {
            prop_assert_eq!(number(&written(n)), Some(n));
        }

        #[test]
        fn anything_is_a_number_or_not(text in ".{0,20}") {
            prop_assert!(number(&text).is_none_or(|n| n <= GREATEST));
        }
    }
}
