//! Check digits of numbers that the law gives out.

/// Whether a text is a citizen's identity number (GB 11643): 17 digits with a date that there is, and a check character by
/// ISO 7064 MOD 11-2.
pub(crate) fn is_identity_number(text: &str) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECKS: &[u8; 11] = b"10X98765432";
    let bytes = text.as_bytes();
    let Some((last, digits)) = bytes.split_last().filter(|(_, digits)| digits.len() == 17) else {
        return false;
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let born = text.get(6..14).unwrap_or_default();
    let (year, rest) = born.split_at_checked(4).unwrap_or_default();
    let (month, day) = rest.split_at_checked(2).unwrap_or_default();
    let sum: u32 =
        digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    let check = CHECKS.get(usize::try_from(sum % 11).unwrap_or_default());
    format!("{year}-{month}-{day}").parse::<crate::civil::Date>().is_ok() && check == Some(last)
}

/// Whether a text is a unified social credit code (GB 32100): 18 characters, the last a check by MOD 31.
pub(crate) fn is_credit_code(text: &str) -> bool {
    const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    const WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
    let value = |byte: &u8| ALPHABET.iter().position(|known| known == byte);
    let Some((last, first)) = text.as_bytes().split_last().filter(|(_, first)| first.len() == 17)
    else {
        return false;
    };
    let values: Option<Vec<_>> = first.iter().map(value).collect();
    let Some(values) = values else { return false };
    let sum: usize = values.iter().zip(WEIGHTS).map(|(value, weight)| value * weight).sum();
    ALPHABET.get((31 - sum % 31) % 31) == Some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_a_wrong_check_digit_are_none() {
        // The examples of the two standards.
        assert!(is_identity_number("11010519491231002X"));
        assert!(is_credit_code("91350100M000100Y43"));
        for bad in ["110105194912310021", "11010519491331002X", "1101051949123100", "", "１１０"]
        {
            assert!(!is_identity_number(bad), "{bad}");
        }
        for bad in ["91350100M000100Y44", "91350100M000100I43", "91350100M000100Y4", ""] {
            assert!(!is_credit_code(bad), "{bad}");
        }
    }
}
