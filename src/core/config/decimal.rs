//! Numbers with a fraction, as errors show them.

/// The number without an exponent, in the fewest digits that mean it, as `Display` writes it, without
/// the 14 KB that it takes in the module.
///
/// Where two texts are as short and as near, the last digit may be the other one: of the double
/// 168199229700167.625, `Display` writes 168199229700167.63 and this 168199229700167.62.
pub(super) fn decimal(number: f64) -> String {
    let text = serde_json::to_string(&number).unwrap_or_default();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let shifted = shifted(whole, fraction, exponent.parse().unwrap_or(0));
    format!("{sign}{shifted}")
}

/// The digits with the point moved to the right, or to the left where `by` is negative.
fn shifted(whole: &str, fraction: &str, by: i32) -> String {
    let zeros = "0".repeat(usize::try_from(by.unsigned_abs()).unwrap_or(0));
    let (left, right) = if by < 0 {
        (format!("{zeros}{whole}"), fraction.to_owned())
    } else {
        (whole.to_owned(), format!("{fraction}{zeros}"))
    };
    let digits = format!("{left}{right}");
    let point = i32::try_from(left.len()).unwrap_or(0).saturating_add(by);
    let point = usize::try_from(point).unwrap_or(0);
    let (whole, fraction) = digits.split_at_checked(point).unwrap_or((&digits, ""));
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if fraction.is_empty() {
        return whole.to_owned();
    }
    format!("{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn writes_what_display_writes() {
        for number in [
            0.0,
            -0.0,
            1.0,
            -1.0,
            1.5,
            -0.1,
            100.0,
            1e15,
            1e16,
            1.25e17,
            1e21,
            1e300,
            -2.5e-7,
            1e-5,
            1.234e-5,
            f64::MIN_POSITIVE,
            5e-324,
            f64::MAX,
        ] {
            assert_eq!(decimal(number), number.to_string());
        }
    }

    /// Fails unless the text means exactly the number, in the digits of a decimal, and in as few of
    /// them as there can be.
    fn assert_means(number: f64) {
        let text = decimal(number);
        let bits = text.parse().map(f64::to_bits);
        assert_eq!(bits, Ok(number.to_bits()), "{text}");
        let is_plain = |byte: u8| byte.is_ascii_digit() || byte == b'.' || byte == b'-';
        assert!(text.bytes().all(is_plain), "{text}");
        assert_eq!(text.len(), number.to_string().len(), "{text}");
    }

    #[test]
    fn between_two_texts_that_are_as_short_and_as_near_either_will_do() {
        // One half of the last digit away from both .62 and .63.
        assert_means(168_199_229_700_167.0 + 0.625);
        assert_means(-168_199_229_700_167.0 - 0.625);
    }

    proptest! {
        #[test]
        fn any_number_is_written_so_that_it_means_itself(number in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL) {
            assert_means(number);
        }

        #[test]
        fn a_fraction_is_written_so_that_it_means_itself(number in -10.0..10.0_f64) {
            assert_means(number);
        }
    }
}
