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

/// A number's value, the same however it is written: `1.0`, `1` and `10e-1` are one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// Without zeros at either end; empty if it is zero.
    digits: String,
    /// The power of ten that the digits are multiplied with.
    exponent: i64,
}

/// Most digits that a divisor may have: what a remainder can be computed with.
const MAX_DIVISOR_DIGITS: usize = 18;

impl Decimal {
    /// The value of a number as JSON writes it.
    pub fn of(text: &str) -> Self {
        let number = Number::of(text);
        let Some(magnitude) = number.magnitude() else {
            return Self {
                negative: false,
                digits: String::new(),
                exponent: 0,
            };
        };
        let mut digits: String = number.significant().map(char::from).collect();
        let places = i64::try_from(digits.len()).unwrap_or(MAX_EXPONENT);
        digits.truncate(digits.trim_end_matches('0').len());
        let zeros = places - i64::try_from(digits.len()).unwrap_or(MAX_EXPONENT);
        Self {
            negative: number.negative,
            digits,
            exponent: magnitude - places + zeros,
        }
    }

    /// Whether it is a whole number.
    pub fn is_whole(&self) -> bool {
        self.digits.is_empty() || self.exponent >= 0
    }

    /// Whether other numbers can be divided by it: it is more than zero, and not too long.
    pub fn is_divisor(&self) -> bool {
        !self.negative && (1..=MAX_DIVISOR_DIGITS).contains(&self.digits.len())
    }

    /// Whether it is a whole multiple of a number that [is a divisor](Self::is_divisor).
    pub fn is_multiple_of(&self, divisor: &Self) -> bool {
        if self.digits.is_empty() {
            return true;
        }
        let (Ok(by @ 1..), true) = (divisor.digits.parse::<u128>(), divisor.is_divisor()) else {
            return false;
        };
        // Digits that do not end in zero are no multiple of ten.
        let Ok(zeros) = u64::try_from(self.exponent.saturating_sub(divisor.exponent)) else {
            return false;
        };
        let digits = self
            .digits
            .bytes()
            .map(|digit| u128::from(digit.saturating_sub(b'0')));
        let rest = digits.fold(0, |rest, digit| (rest * 10 + digit) % by);
        (rest * power_of_ten(zeros, by)).is_multiple_of(by)
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}e{}", self.digits, self.exponent)
    }
}

/// The remainder of a power of ten.
fn power_of_ten(mut power: u64, by: u128) -> u128 {
    let (mut result, mut base) = (1 % by, 10 % by);
    while power > 0 {
        if power & 1 == 1 {
            result = result * base % by;
        }
        base = base * base % by;
        power >>= 1;
    }
    result
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
        fn a_value_is_the_same_however_it_is_written(a in -1_000_000i64..1_000_000, zeros in 0usize..4) {
            let plain = Decimal::of(&a.to_string());
            let padded = Decimal::of(&format!("{a}.{:0<zeros$}0", ""));
            let scaled = Decimal::of(&format!("{a}{:0<zeros$}e-{zeros}", ""));
            prop_assert_eq!(&plain, &padded);
            prop_assert_eq!(&plain, &scaled);
            prop_assert!(plain.is_whole());
            prop_assert_eq!(Decimal::of(&format!("{a}e-1")).is_whole(), a % 10 == 0);
        }

        #[test]
        fn multiples_are_told_exactly(a in -100_000i64..100_000, by in 1i64..5_000, scale in -30i32..30, wide in 0i32..20) {
            // Both in the same unit, and then the number as a multiple of ten of it.
            let divisor = Decimal::of(&format!("{by}e{scale}"));
            let number = Decimal::of(&format!("{a}e{scale}"));
            prop_assert_eq!(number.is_multiple_of(&divisor), a % by == 0);
            let product = Decimal::of(&format!("{}e{}", a * by, scale + wide));
            prop_assert!(product.is_multiple_of(&divisor));
        }

        #[test]
        fn no_text_panics(a in "[-+0-9.eE]{0,30}", b in "\\PC{0,10}") {
            let _ = compare(&a, &b);
            let _ = Decimal::of(&a).is_multiple_of(&Decimal::of(&b));
        }
    }

    #[test]
    fn cents_are_multiples_of_a_hundredth() {
        let holds =
            |number: &str, divisor: &str| Decimal::of(number).is_multiple_of(&Decimal::of(divisor));
        assert!(holds("19.99", "0.01") && holds("0.3", "0.1"));
        assert!(!holds("19.995", "0.01") && !holds("1", "0") && !holds("1", "-1"));
        assert!(holds("0", "3") && holds("-9", "3") && holds("12345678901234567890123456789", "1"));
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
