//! What a scalar of YAML is that has no quotes: the core schema of YAML 1.2 (section 10.3.2), and
//! where readers of YAML 1.1 see something else.

use serde_json::{Number, Value};

use super::node::Doubt;

/// The value of a plain scalar; none for a text.
pub fn value(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Some(Value::Null),
        "true" | "True" | "TRUE" => Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => Some(Value::Bool(false)),
        _ => number(text).map(Value::Number),
    }
}

/// What is in doubt about a plain scalar.
pub fn doubt(text: &str) -> Option<Doubt> {
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(bare, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(Doubt::Number);
    }
    let lower = text.to_ascii_lowercase();
    if matches!(lower.as_str(), "yes" | "no" | "on" | "off" | "y" | "n") {
        return Some(Doubt::Ambiguous("a boolean"));
    }
    if is_date(text) {
        return Some(Doubt::Ambiguous("a date"));
    }
    is_other_number(bare).then_some(Doubt::Ambiguous("a number"))
}

fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    let fits = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    if !bare.starts_with(|c: char| c.is_ascii_digit() || c == '.') || !bare.bytes().all(fits) {
        return None;
    }
    let plain = text.strip_prefix('+').unwrap_or(text);
    let whole = plain.parse::<i64>().map(Number::from);
    whole
        .or_else(|_| plain.parse::<u64>().map(Number::from))
        .ok()
        .or_else(|| Number::from_f64(plain.parse().ok()?))
}

/// `2027-01-31`, with or without a time (<https://yaml.org/type/timestamp.html>).
fn is_date(text: &str) -> bool {
    let day = text.get(..10).unwrap_or_default().bytes().enumerate();
    let is_day = text.len() >= 10
        && day.into_iter().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    is_day && matches!(text.as_bytes().get(10), None | Some(b'T' | b't' | b' '))
}

/// `0755`, `1_000`, `0b11`, `08:30` (<https://yaml.org/type/int.html>).
fn is_other_number(bare: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let octal = bare.len() > 1 && bare.starts_with('0') && digits(bare);
    let binary = bare.strip_prefix("0b").is_some_and(digits);
    let grouped = bare.contains('_') && digits(&bare.replace('_', ""));
    octal || binary || grouped || (bare.contains(':') && bare.split(':').all(digits))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_scalar_is_what_the_core_schema_says() {
        for (text, expected) in [
            ("~", json!(null)),
            ("", json!(null)),
            ("true", json!(true)),
            ("12", json!(12)),
            ("-1", json!(-1)),
            ("+3", json!(3)),
            ("0x1f", json!(31)),
            ("0o17", json!(15)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            ("18446744073709551615", json!(u64::MAX)),
        ] {
            assert_eq!(value(text), Some(expected), "{text}");
        }
        for text in [
            "yes",
            "1.2.3",
            "10.0.0.0/8",
            "30s",
            "1/1m",
            "-",
            ".",
            "e5",
            ".inf",
            "1e999",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn what_another_reader_takes_for_something_else_is_in_doubt() {
        for text in [
            "no",
            "On",
            "y",
            "2027-01-31",
            "2027-01-31T00:00:00Z",
            "0755",
            "1_000",
            "08:30",
        ] {
            assert!(matches!(doubt(text), Some(Doubt::Ambiguous(_))), "{text}");
        }
        assert_eq!(doubt("-.inf"), Some(Doubt::Number));
        for text in ["orders", "2027-01", "0", "10", "1.5", "10:a", "é027-01-31"] {
            assert_eq!(doubt(text), None, "{text}");
        }
    }
}
