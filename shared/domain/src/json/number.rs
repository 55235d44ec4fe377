//! Numbers by their value, whatever their length: no rounding, no range.

use std::cmp::Ordering;

/// A number as JSON writes it, taken apart.
#[derive(Debug, Clone, Copy)]
struct Number<'t> {
    negative: bool,
    whole: &'t str,
    fraction: &'t str,
    exponent: i64,
}

/// Exponents beyond this are cut to it: no two numbers that anybody writes are told apart by more.
const MAX_EXPONENT: i64 = 1_000_000_000_000;

impl<'t> Number<'t> {
    fn of(text: &'t str) -> Self {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        Self {
            negative,
            whole,
            fraction,
            exponent: exponent_of(exponent),
        }
    }

    /// Its digits from the first that is not zero.
    fn significant(self) -> impl Iterator<Item = u8> {
        let digits = self.whole.bytes().chain(self.fraction.bytes());
        digits.skip_while(|digit| *digit == b'0')
    }

    /// The place of its first digit that is not zero: 1 for 5, 2 for 50, 0 for 0.5. `None` if it is
    /// zero.
    fn magnitude(self) -> Option<i64> {
        let place = |nth: usize| i64::try_from(nth).unwrap_or(MAX_EXPONENT);
        let digits = self.whole.bytes().chain(self.fraction.bytes());
        let zeros = digits.take_while(|digit| *digit == b'0').count();
        (zeros < self.whole.len() + self.fraction.len())
            .then(|| self.exponent + place(self.whole.len()) - place(zeros))
    }
}

fn exponent_of(text: &str) -> i64 {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let size = digits.bytes().fold(0i64, |size, digit| {
        let digit = i64::from(digit.saturating_sub(b'0'));
        (size * 10 + digit).min(MAX_EXPONENT)
    });
    if negative { -size } else { size }
}

/// Compares two numbers as JSON writes them: `1.0` is `1`, `3.0e2` is `300`.
pub fn compare(one: &str, other: &str) -> Ordering {
    let (one, other) = (Number::of(one), Number::of(other));
    let (a, b) = match (one.magnitude(), other.magnitude()) {
        (None, None) => return Ordering::Equal,
        (None, Some(_)) => return sign(other).reverse(),
        (Some(_), None) => return sign(one),
        (Some(a), Some(b)) => (a, b),
    };
    if one.negative != other.negative {
        return sign(one);
    }
    let size = a.cmp(&b).then_with(|| compare_digits(one, other));
    if one.negative { size.reverse() } else { size }
}

fn sign(number: Number<'_>) -> Ordering {
    if number.negative {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

fn compare_digits(one: Number<'_>, other: Number<'_>) -> Ordering {
    let (mut one, mut other) = (one.significant(), other.significant());
    loop {
        let (a, b) = match (one.next(), other.next()) {
            (None, None) => return Ordering::Equal,
            (a, b) => (a.unwrap_or(b'0'), b.unwrap_or(b'0')),
        };
        if a != b {
            return a.cmp(&b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_compare_as_their_values(a in -1_000_000i64..1_000_000, b in -1_000_000i64..1_000_000, shift in 0u32..4) {
            // The same values, one written as an integer and one with a point or an exponent.
            let scale = 10i64.pow(shift);
            let with_point = format!("{}{}.{:0w$}0", if b < 0 { "-" } else { "" }, b.abs() / scale, b.abs() % scale, w = shift as usize);
            let with_exponent = format!("{b}E-{shift}");
            let expected = (i128::from(a) * i128::from(scale)).cmp(&i128::from(b));
            prop_assert_eq!(compare(&a.to_string(), &with_point), expected, "{} {}", a, with_point);
            prop_assert_eq!(compare(&a.to_string(), &with_exponent), expected, "{} {}", a, with_exponent);
            prop_assert_eq!(compare(&with_exponent, &a.to_string()), expected.reverse());
        }

        #[test]
        fn no_text_panics(a in "[-+0-9.eE]{0,30}", b in "\\PC{0,10}") {
            let _ = compare(&a, &b);
        }
    }

    #[test]
    fn no_number_is_too_long_or_too_large_to_compare() {
        assert_eq!(
            compare("12345678901234567890123", "12345678901234567890124"),
            Ordering::Less
        );
        assert_eq!(compare("1e999", "1E+0999"), Ordering::Equal);
        assert_eq!(
            compare("1e99999999999999999999", "-1e99999999999999999999"),
            Ordering::Greater
        );
        assert_eq!(compare("-0", "0.000e9"), Ordering::Equal);
        assert_eq!(compare("0.1", "0.10000000000000000001"), Ordering::Less);
    }
}
