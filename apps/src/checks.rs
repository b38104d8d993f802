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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_a_wrong_check_digit_are_none() {
        // The example of the standard.
        assert!(is_identity_number("11010519491231002X"));
        for bad in ["110105194912310021", "11010519491331002X", "1101051949123100", "", "１１０"]
        {
            assert!(!is_identity_number(bad), "{bad}");
        }
    }
}
