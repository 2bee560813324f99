//! Instants as people and records write them: milliseconds since the Unix epoch.

use postern_core::base::Now;
use postern_core::caller::clients::Day;

/// Below this a number is seconds (until the year 5138), from here on milliseconds (since 1973).
const FIRST_MILLISECONDS: f64 = 1e11;

/// Reads RFC 3339 text; none for what is none, or before 1970.
pub fn of_text(text: &str) -> Option<u64> {
    let day = Day::parse(text.get(..10)?)?.days_from(Day::of(Now::default()))?;
    let rest = text.get(10..)?.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let mut parts = clock.split(':');
    let mut number = |most: u64| two_digits(parts.next()?, most);
    // RFC 3339 section 5.7: a leap second is written as 60.
    let clock = [number(23)?, number(59)?, number(60)?];
    let (millis, zone) = fraction(rest)?;
    let east = minutes_east(zone)?;
    let [hour, minute, second] = clock;
    let hours = day.checked_mul(24)?.checked_add(hour)?;
    let minutes = hours.checked_mul(60)?.checked_add(minute)?;
    let minutes = minutes.checked_add_signed(east.checked_neg()?)?;
    let seconds = minutes.checked_mul(60)?.checked_add(second)?;
    seconds.checked_mul(1000)?.checked_add(millis)
}

/// Takes a number of seconds or of milliseconds, by its size; none before 1970.
pub fn of_number(number: f64) -> Option<u64> {
    let unit = if number < FIRST_MILLISECONDS {
        1000.0
    } else {
        1.0
    };
    let millis = (number * unit).round();
    // A number of JSON is finite; the bound is far beyond what is asked of it later.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the bounds of the match"
    )]
    (0.0..1e16).contains(&millis).then_some(millis as u64)
}

/// Writes an instant as RFC 3339 text, to the second, UTC.
pub fn text(millis: u64) -> String {
    let day = Day::of(Now::from_nanos(millis.saturating_mul(1_000_000)));
    format!("{day}T{}Z", clock(millis))
}

/// The time of the day as `HH:MM:SS`, UTC.
pub fn clock(millis: u64) -> String {
    let of_day = millis / 1000 % 86_400;
    let (hours, minutes, seconds) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}")
}

fn two_digits(text: &str, most: u64) -> Option<u64> {
    let plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| text.parse().ok())??;
    (number <= most).then_some(number)
}

/// The milliseconds, and what is left after them.
fn fraction(rest: &str) -> Option<(u64, &str)> {
    let Some(fraction) = rest.strip_prefix('.') else {
        return Some((0, rest));
    };
    let end = fraction.find(|c: char| !c.is_ascii_digit())?;
    let (digits, zone) = fraction.split_at_checked(end)?;
    let millis: String = digits.chars().chain("000".chars()).take(3).collect();
    (!digits.is_empty()).then_some((millis.parse().ok()?, zone))
}

fn minutes_east(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let minutes = two_digits(hours, 23)?
        .checked_mul(60)?
        .checked_add(two_digits(minutes, 59)?)?;
    i64::try_from(minutes).ok()?.checked_mul(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_is_read() {
        const CASES: &[(&str, Option<u64>)] = &[
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-03-02T10:00:00Z", Some(1_772_445_600_000)),
            ("2026-03-02t10:00:00.5z", Some(1_772_445_600_500)),
            ("2026-03-02 10:00:00.123456789Z", Some(1_772_445_600_123)),
            ("2026-03-02T12:30:00+02:30", Some(1_772_445_600_000)),
            ("2026-03-01T23:00:00-11:00", Some(1_772_445_600_000)),
            ("2016-12-31T23:59:60Z", Some(1_483_228_800_000)),
            ("1970-01-01T00:00:00+00:01", None),
            ("1969-12-31T23:59:59Z", None),
            ("2026-03-02T10:00:00", None),
            ("2026-03-02T10:00:00.Z", None),
            ("2026-03-02T24:00:00Z", None),
            ("2026-02-29T10:00:00Z", None),
            ("2026-03-02T10:00:00+2:00", None),
            ("2026-03-02", None),
            ("2026-03-0é", None),
            ("", None),
        ];
        for (written, expected) in CASES {
            assert_eq!(of_text(written), *expected, "{written}");
        }
    }

    #[test]
    fn a_number_is_seconds_or_milliseconds_by_its_size() {
        assert_eq!(of_number(1_772_445_600.0), Some(1_772_445_600_000));
        assert_eq!(of_number(1_772_445_600.25), Some(1_772_445_600_250));
        assert_eq!(of_number(1_772_445_600_250.0), Some(1_772_445_600_250));
        for absurd in [-1.0, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(of_number(absurd), None, "{absurd}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for millis in [0, 951_782_400_000, 1_772_445_600_000, 4_294_967_295_000] {
            assert_eq!(of_text(&text(millis)), Some(millis));
        }
        assert_eq!(text(1_772_445_600_999), "2026-03-02T10:00:00Z");
    }
}
