//! Arithmetic on numbers of 28 digits: exact, or no result. Only division rounds, half to even at the 28th digit.
//!
//! The library rounds sums and products that have more digits than it holds, and does not say so.

use rust_decimal::Decimal;

use super::Operator;

/// How many digits a number has at most, before and after the point, and after it.
const DIGITS: u32 = 28;

/// The least whole number of more digits.
const LIMIT: u128 = 10u128.pow(DIGITS);

/// The result of an operator, if it has one of 28 digits.
pub(super) fn decimals(operator: Operator, a: Decimal, b: Decimal) -> Option<Decimal> {
    match operator {
        Operator::Plus => sum(a, b),
        Operator::Minus => sum(a, -b),
        Operator::Times => product(a, b),
        Operator::Divided => quotient(a, b),
        Operator::Rest => rest(a, b),
        _ => None,
    }
}

/// A number a hundred times smaller, exactly.
pub(super) fn hundredth(n: Decimal) -> Option<Decimal> {
    let (mantissa, scale) = parts(n);
    number(mantissa, scale + 2)
}

/// The digits of a number without zeros at its end, and how many of them stand after the point.
fn parts(n: Decimal) -> (i128, i32) {
    let n = n.normalize();
    (n.mantissa(), n.scale().cast_signed())
}

/// A number of these digits, so many of them after the point. None when they are more than there may be.
fn number(mut mantissa: i128, mut scale: i32) -> Option<Decimal> {
    while scale > 0 && mantissa % 10 == 0 {
        (mantissa, scale) = (mantissa / 10, scale - 1);
    }
    while scale < 0 {
        (mantissa, scale) = (mantissa.checked_mul(10)?, scale + 1);
    }
    if mantissa.unsigned_abs() >= LIMIT {
        return None;
    }
    let scale = u32::try_from(scale).ok().filter(|scale| *scale <= DIGITS)?;
    Decimal::try_from_i128_with_scale(mantissa, scale).ok()
}

/// Digits with so many more after the point. None when that is too much: then no sum with them has 28 digits, as the last digit
/// of what has as many places is no zero.
fn widened(mantissa: i128, places: i32) -> Option<i128> {
    mantissa.checked_mul(10i128.checked_pow(u32::try_from(places).ok()?)?)
}

fn sum(a: Decimal, b: Decimal) -> Option<Decimal> {
    let ((a, of_a), (b, of_b)) = (parts(a), parts(b));
    let scale = of_a.max(of_b);
    number(widened(a, scale - of_a)?.checked_add(widened(b, scale - of_b)?)?, scale)
}

fn product(a: Decimal, b: Decimal) -> Option<Decimal> {
    let ((mut a, of_a), (mut b, of_b)) = (parts(a), parts(b));
    let mut scale = of_a + of_b;
    if a == 0 || b == 0 {
        return Some(Decimal::ZERO);
    }
    // Each two with a five gives a zero at the end, which need not be held; what is left ends in none.
    for (twos, fives) in [(2, 5), (5, 2)] {
        while a % twos == 0 && b % fives == 0 {
            (a, b, scale) = (a / twos, b / fives, scale - 1);
        }
    }
    number(a.checked_mul(b)?, scale)
}

fn quotient(a: Decimal, b: Decimal) -> Option<Decimal> {
    let ((a, of_a), (b, of_b)) = (parts(a), parts(b));
    let below = (a < 0) != (b < 0);
    let (a, b) = (a.unsigned_abs(), b.unsigned_abs());
    let mut scale = of_a - of_b;
    let (mut found, mut left) = (a.checked_div(b)?, a % b);
    let limit = DIGITS.cast_signed();
    while left > 0 && found < LIMIT / 10 && scale < limit {
        found = found * 10 + left * 10 / b;
        (left, scale) = (left * 10 % b, scale + 1);
    }
    // What is not nothing never becomes zero.
    if left > 0 && (scale < 0 || found == 0) {
        return None;
    }
    let up = (left * 2).cmp(&b).then((found % 2).cmp(&0)).is_gt();
    let found = i128::try_from(found + u128::from(up)).ok()?;
    number(if below { -found } else { found }, scale)
}

fn rest(a: Decimal, b: Decimal) -> Option<Decimal> {
    let ((a, of_a), (b, of_b)) = (parts(a), parts(b));
    if b == 0 {
        return None;
    }
    let Some(b) = widened(b, (of_a - of_b).max(0)) else {
        // It is greater than all that has 28 digits.
        return number(a, of_a);
    };
    let mut rest = a % b;
    for _ in of_a..of_b {
        rest = rest.checked_mul(10)? % b;
    }
    number(rest, of_a.max(of_b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn d(text: &str) -> Decimal {
        Decimal::from_str_exact(text).expect("a number")
    }

    fn shown(operator: Operator, a: &str, b: &str) -> Option<String> {
        decimals(operator, d(a), d(b)).map(|n| n.normalize().to_string())
    }

    #[test]
    fn what_does_not_fit_has_no_result_and_is_not_rounded() {
        use Operator::{Divided, Minus, Plus, Rest, Times};
        let nines = "9999999999999999999999999999";
        for (operator, a, b, wanted) in [
            (Plus, "0.1", "0.2", Some("0.3")),
            (Plus, nines, "1", None),
            (Plus, nines, "0.1", None),
            (Minus, nines, "0.0000000000000000000000000001", None),
            (Minus, "1", "0.0000000000000000000000000001", Some("0.9999999999999999999999999999")),
            (Minus, "10000000000000000000000000.01", "0.01", Some("10000000000000000000000000")),
            (Plus, "1000000000000000000000000000", "0.0000000000000000000000000001", None),
            (Times, "1.00000000000001", "1.00000000000001", None),
            (Times, "1.0000000000001", "1.0000000000001", Some("1.00000000000020000000000001")),
            (Times, "33333333333333", "3.00000000000001", Some("99999999999999.33333333333333")),
            (Times, "0.00000000000001", "0.000000000000001", None),
            (Times, "0.0000000000000000000000000001", "0", Some("0")),
            // Digits that are zeros in the end need no place: 2^90 with 5^38, at 28 and 20 places.
            (
                Times,
                "0.1237940039285380274899124224",
                "3637978.80709171295166015625",
                Some("450359.96273704960"),
            ),
            (Divided, "1", "3", Some("0.3333333333333333333333333333")),
            (Divided, "20", "3", Some("6.666666666666666666666666667")),
            (Divided, "7", "1.1", Some("6.363636363636363636363636364")),
            (Divided, "1", "0.0000000000000000000000000001", None),
            (Divided, "0.0000000000000000000000000001", "3", None),
            (Divided, "0.0000000000000000000000000001", "2", None),
            (
                Divided,
                "0.0000000000000000000000000003",
                "2",
                Some("0.0000000000000000000000000002"),
            ),
            (
                Divided,
                "0.0000000000000000000000000005",
                "2",
                Some("0.0000000000000000000000000002"),
            ),
            (Divided, "-1", "8", Some("-0.125")),
            (Divided, "1", "0", None),
            (Rest, "7.5", "2", Some("1.5")),
            (Rest, "-7.5", "2", Some("-1.5")),
            (Rest, nines, "0.0000000000000000000000000007", Some("0.0000000000000000000000000005")),
            (Rest, "1", "0.0000000000000000000000000007", Some("0.0000000000000000000000000004")),
            (Rest, "0.0000000000000000000000000001", nines, Some("0.0000000000000000000000000001")),
        ] {
            let wanted = wanted.map(|text| d(text).normalize().to_string());
            assert_eq!(shown(operator, a, b), wanted, "{a} {} {b}", operator.text());
        }
    }

    fn short() -> impl Strategy<Value = Decimal> {
        (-99_999_999_999_999i64..=99_999_999_999_999, 0u32..=9)
            .prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale))
    }

    fn long() -> impl Strategy<Value = Decimal> {
        let limit = LIMIT.cast_signed();
        (1 - limit..limit, 0u32..=28).prop_map(|(mantissa, scale)| {
            Decimal::try_from_i128_with_scale(mantissa, scale).expect("28 digits")
        })
    }

    proptest! {
        /// Where nothing is lost the library says the same.
        #[test]
        fn short_numbers_come_out_as_by_the_library(a in short(), b in short()) {
            prop_assert_eq!(decimals(Operator::Plus, a, b), a.checked_add(b));
            prop_assert_eq!(decimals(Operator::Minus, a, b), a.checked_sub(b));
            prop_assert_eq!(decimals(Operator::Times, a, b), a.checked_mul(b));
            prop_assert_eq!(decimals(Operator::Rest, a, b), a.checked_rem(b));
        }

        /// What there is of long ones can be undone, which what was rounded cannot.
        #[test]
        fn what_has_a_result_has_the_exact_one(a in long(), b in long()) {
            if let Some(sum) = sum(a, b) {
                prop_assert_eq!(decimals(Operator::Minus, sum, b), Some(a));
            }
            if let Some(product) = product(a, b).filter(|_| !b.is_zero()) {
                prop_assert_eq!(quotient(product, b), Some(a));
            }
            for operator in [Operator::Plus, Operator::Minus, Operator::Times, Operator::Divided, Operator::Rest] {
                let found = decimals(operator, a, b);
                prop_assert!(found.is_none_or(|n| n.mantissa().unsigned_abs() < LIMIT));
            }
        }
    }
}
