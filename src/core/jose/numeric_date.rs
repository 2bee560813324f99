//! Instants as tokens write them (RFC 7519 section 2, `NumericDate`).

use std::{fmt, time::Duration};

use serde_json::{Number, Value};

use crate::base::Now;

/// The end of the year 9999 in seconds, either side of 1970.
///
/// Beyond it stands a mistake: milliseconds for seconds, or a stand-in for "never".
const FURTHEST: u64 = 253_402_300_799;

/// An instant as a token writes it: seconds since the Unix epoch, perhaps with a fraction, perhaps
/// before it; never beyond the year 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumericDate {
    nanos: i128,
}

impl NumericDate {
    /// Reads a JSON number; none where it is something else or beyond the year 9999.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        let nanos = match value {
            Value::Number(number) => nanos_of(number)?,
            _ => return None,
        };
        Some(Self { nanos })
    }

    /// The instant as the rest of Postern has it; before 1970 is 1970.
    #[must_use]
    pub fn instant(self) -> Now {
        Now::from_nanos(u64::try_from(self.nanos.max(0)).unwrap_or(u64::MAX))
    }

    /// Whether `now` is at or after this instant, put off by `skew`.
    pub(super) fn is_past(self, now: Now, skew: Duration) -> bool {
        i128::from(now.nanos()) >= self.nanos.saturating_add(nanos_in(skew))
    }

    /// Whether `now`, put forward by `skew`, is still before this instant.
    pub(super) fn is_ahead(self, now: Now, skew: Duration) -> bool {
        i128::from(now.nanos()).saturating_add(nanos_in(skew)) < self.nanos
    }

    /// Whether this instant is more than `span` after `start`.
    pub(super) fn is_beyond(self, start: Self, span: Duration) -> bool {
        self.nanos.saturating_sub(start.nanos) > nanos_in(span)
    }
}

/// Whole seconds, rounded down.
impl fmt::Display for NumericDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.nanos.div_euclid(NANOS_PER_SECOND))
    }
}

const NANOS_PER_SECOND: i128 = 1_000_000_000;

fn nanos_in(span: Duration) -> i128 {
    i128::try_from(span.as_nanos()).unwrap_or(i128::MAX)
}

fn nanos_of(number: &Number) -> Option<i128> {
    let nanos = match (number.as_i64(), number.as_f64()) {
        (Some(seconds), _) => i128::from(seconds).saturating_mul(NANOS_PER_SECOND),
        (None, Some(seconds)) => nanos_of_fraction(seconds),
        (None, None) => return None,
    };
    let furthest = i128::from(FURTHEST).saturating_mul(NANOS_PER_SECOND);
    (nanos.unsigned_abs() <= furthest.unsigned_abs()).then_some(nanos)
}

/// Conversion from a double saturates, so no number is too large to look at.
#[allow(clippy::cast_possible_truncation)]
fn nanos_of_fraction(seconds: f64) -> i128 {
    let whole = seconds.trunc();
    let rest = (seconds - whole) * 1e9;
    (whole as i128)
        .saturating_mul(NANOS_PER_SECOND)
        .saturating_add(rest as i128)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_read_up_to_the_year_9999_and_nothing_else_is() {
        let cases: &[(Value, Option<i128>)] = &[
            (json!(0), Some(0)),
            (json!(-1), Some(-1_000_000_000)),
            (json!(1_700_000_000), Some(1_700_000_000_000_000_000)),
            (json!(1.5), Some(1_500_000_000)),
            (json!(-0.25), Some(-250_000_000)),
            (json!(1e9), Some(1_000_000_000_000_000_000)),
            (json!(FURTHEST), Some(253_402_300_799_000_000_000)),
            (json!(FURTHEST + 1), None),
            (json!(1_700_000_000_000_u64), None),
            (json!(u64::MAX), None),
            (json!(i64::MAX), None),
            (json!(i64::MIN), None),
            (json!(1e300), None),
            (json!(-1e300), None),
            (json!(f64::MIN_POSITIVE), Some(0)),
            (json!("1700000000"), None),
            (json!(true), None),
            (json!(null), None),
            (json!([1]), None),
        ];
        for (value, nanos) in cases {
            let date = NumericDate::from_json(value);
            assert_eq!(date.map(|date| date.nanos), *nanos, "{value}");
        }
    }

    #[test]
    fn boundaries_are_past_at_the_instant_and_ahead_only_before_it() {
        let date = NumericDate::from_json(&json!(1000)).unwrap();
        let skew = Duration::from_secs(30);
        assert!(!date.is_past(Now::from_nanos(1_029_999_999_999), skew));
        assert!(date.is_past(Now::from_secs(1030), skew));
        assert!(date.is_ahead(Now::from_nanos(969_999_999_999), skew));
        assert!(!date.is_ahead(Now::from_secs(970), skew));
        assert!(!date.is_ahead(Now::from_secs(0), Duration::MAX));
        assert!(!date.is_past(Now::from_nanos(u64::MAX), Duration::MAX));
    }

    #[test]
    fn an_instant_before_1970_is_1970_to_the_rest() {
        let date = NumericDate::from_json(&json!(-1.5)).unwrap();
        assert_eq!(date.instant(), Now::from_secs(0));
        assert_eq!(date.to_string(), "-2");
        let late = NumericDate::from_json(&json!(FURTHEST)).unwrap();
        assert_eq!(late.instant(), Now::from_nanos(u64::MAX));
    }
}
