//! Durations and sizes as a document writes them.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::mistake::Wrong;
use super::place::Place;
use super::reader::{Wire, read_count, read_notation};

/// A duration: `500ms`, `30s`, `5m`, `12h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

/// A size in bytes: `512B`, `64KiB`, `4MiB`, `1GiB`, or a whole number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

/// Units in a period: `100/1m`; neither is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many units.
    pub count: u64,
    /// In how long.
    pub period: Duration,
}

const SPANS: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
const SIZES: &[(&str, u64)] = &[
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("B", 1),
];

impl Span {
    const EXPECTED: &str = "a duration such as \"500ms\", \"30s\", \"5m\", \"12h\" or \"7d\"";

    fn parse(text: &str) -> Option<Self> {
        let millis = parse(text, SPANS)?;
        Some(Self(Duration::from_millis(millis)))
    }
}

impl Rate {
    const EXPECTED: &str = "a rate such as \"100/1m\" or \"10000/1d\"";

    fn parse(text: &str) -> Option<Self> {
        let (count, period) = text.split_once('/')?;
        let count = parse(count, &[("", 1)])?;
        let Span(period) = Span::parse(period)?;
        (count > 0 && !period.is_zero()).then_some(Self { count, period })
    }
}

impl Size {
    const EXPECTED: &str = "a size such as \"512B\", \"64KiB\", \"4MiB\" or 8192";

    fn parse(text: &str) -> Option<Self> {
        parse(text, SIZES).map(Self)
    }
}

/// A whole number followed by a unit, in the smallest unit.
fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (digits, unit) = units
        .iter()
        .find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit)))?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let count: u64 = plain.then(|| digits.parse().ok())??;
    count.checked_mul(*unit)
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_in(
            f,
            u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX),
            SPANS,
        )
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_in(f, self.0, SIZES)
    }
}

/// Writes a count in the largest unit that divides it.
fn write_in(f: &mut fmt::Formatter<'_>, count: u64, units: &[(&str, u64)]) -> fmt::Result {
    let divides = |unit: u64| unit == 1 || count != 0 && count.is_multiple_of(unit);
    let fitting = units.iter().filter(|(_, unit)| divides(*unit));
    let (name, unit) = fitting.max_by_key(|(_, unit)| *unit).unwrap_or(&("", 1));
    write!(f, "{}{name}", count.checked_div(*unit).unwrap_or(count))
}

impl Wire for Span {
    fn read(value: &Value, _: &Place<'_>) -> Result<Self, Wrong> {
        read_notation(value, Self::EXPECTED, Self::parse)
    }
}

impl Wire for Rate {
    fn read(value: &Value, _: &Place<'_>) -> Result<Self, Wrong> {
        read_notation(value, Self::EXPECTED, Self::parse)
    }
}

impl Wire for Size {
    fn read(value: &Value, _: &Place<'_>) -> Result<Self, Wrong> {
        if value.is_number() {
            return read_count(value, Self::EXPECTED).map(Self);
        }
        read_notation(value, Self::EXPECTED, Self::parse)
    }
}

#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{Rate, Size, Span};

    impl JsonSchema for Rate {
        fn schema_name() -> Cow<'static, str> {
            "Rate".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "Units in a period: a whole number, a slash, and a duration.",
                "type": "string",
                "pattern": "^0*[1-9][0-9]*/0*[1-9][0-9]*(ms|s|m|h|d)$",
                "examples": ["100/1m", "10000/1d"]
            })
        }
    }

    impl JsonSchema for Span {
        fn schema_name() -> Cow<'static, str> {
            "Duration".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "A duration: a whole number of ms, s, m, h or d.",
                "type": "string",
                "pattern": "^[0-9]+(ms|s|m|h|d)$",
                "examples": ["500ms", "30s", "5m", "12h", "7d"]
            })
        }
    }

    impl JsonSchema for Size {
        fn schema_name() -> Cow<'static, str> {
            "Size".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "A size: a whole number of B, KiB, MiB or GiB, or of bytes.",
                "type": ["string", "integer"],
                "pattern": "^[0-9]+(B|KiB|MiB|GiB)$",
                "minimum": 0,
                "examples": ["512B", "64KiB", "4MiB", 8192]
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        for (text, millis) in [
            ("500ms", Some(500)),
            ("30s", Some(30_000)),
            ("5m", Some(300_000)),
            ("12h", Some(43_200_000)),
            ("7d", Some(604_800_000)),
            ("0s", Some(0)),
            ("", None),
            ("s", None),
            ("30", None),
            ("30 s", None),
            ("-1s", None),
            ("+1s", None),
            ("1.5h", None),
            ("1h30m", None),
            ("30S", None),
            ("99999999999999999d", None),
            ("99999999999999999999999s", None),
        ] {
            let span = millis.map(|ms| Span(Duration::from_millis(ms)));
            assert_eq!(Span::parse(text), span, "{text}");
        }
    }

    #[test]
    fn reads_rates() {
        for (text, rate) in [
            ("100/1m", Some((100, 60_000))),
            ("1/500ms", Some((1, 500))),
            ("10000/1d", Some((10_000, 86_400_000))),
            ("0/1m", None),
            ("1/0m", None),
            ("/1m", None),
            ("1/", None),
            ("1", None),
            ("1/m", None),
            ("-1/1m", None),
            ("1/1m/1m", None),
            ("99999999999999999999/1m", None),
        ] {
            let rate = rate.map(|(count, millis)| Rate {
                count,
                period: Duration::from_millis(millis),
            });
            assert_eq!(Rate::parse(text), rate, "{text}");
        }
    }

    #[test]
    fn reads_sizes() {
        for (text, bytes) in [
            ("512B", Some(512)),
            ("64KiB", Some(65_536)),
            ("4MiB", Some(4 << 20)),
            ("1GiB", Some(1 << 30)),
            ("64KB", None),
            ("64K", None),
            ("8192", None),
            ("KiB", None),
            ("-1B", None),
            ("99999999999999999GiB", None),
        ] {
            assert_eq!(Size::parse(text), bytes.map(Size), "{text}");
        }
    }

    #[test]
    fn writes_the_largest_unit_that_divides() {
        assert_eq!(Span(Duration::from_secs(300)).to_string(), "5m");
        assert_eq!(Span(Duration::from_secs(90)).to_string(), "90s");
        assert_eq!(Size(256 << 20).to_string(), "256MiB");
        assert_eq!(Size(1000).to_string(), "1000B");
        assert_eq!(Size(0).to_string(), "0B");
    }
}
