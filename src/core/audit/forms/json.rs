//! JSON, member by member, behind what is there already: no tree of it is built, and nothing is
//! allocated where there is room.
//!
//! Names are written as they are: they are literals ([`member!`]) without anything to escape.

use std::fmt::Write as _;

use crate::base::printable::is_printable;

/// A member's name with the comma before it, which the first of an object goes without.
macro_rules! member {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

pub(super) use member;

/// Begins a member, whose value has to follow.
pub fn name(out: &mut String, name: &'static str) {
    let name = if is_first(out) {
        name.get(1..)
    } else {
        Some(name)
    };
    out.push_str(name.unwrap_or_default());
}

/// An object whose members are written by `members`.
pub fn object(out: &mut String, called: &'static str, members: impl FnOnce(&mut String)) {
    name(out, called);
    out.push('{');
    members(out);
    out.push('}');
}

/// An array whose elements are written by `elements`.
pub fn array(out: &mut String, called: &'static str, elements: impl FnOnce(&mut String)) {
    name(out, called);
    out.push('[');
    elements(out);
    out.push(']');
}

/// A text that is an element of an array.
pub fn element(out: &mut String, value: &str) {
    if !is_first(out) {
        out.push(',');
    }
    quoted(out, value);
}

pub fn text(out: &mut String, called: &'static str, value: &str) {
    name(out, called);
    quoted(out, value);
}

pub fn some_text(out: &mut String, called: &'static str, value: Option<&str>) {
    if let Some(value) = value {
        text(out, called, value);
    }
}

pub fn number(out: &mut String, called: &'static str, value: u64) {
    name(out, called);
    digits(out, value);
}

pub fn some_number(out: &mut String, called: &'static str, value: Option<u64>) {
    if let Some(value) = value {
        number(out, called, value);
    }
}

pub fn digits(out: &mut String, value: u64) {
    out.push_str(itoa::Buffer::new().format(value));
}

fn quoted(out: &mut String, value: &str) {
    if is_plain(value.as_bytes()) {
        out.push('"');
        out.push_str(value);
        out.push('"');
    } else {
        out.push('"');
        value.chars().for_each(|character| escaped(out, character));
        out.push('"');
    }
}

// Beside what has to be, whatever is not printable: some readers end a line at U+0085, U+2028 and
// U+2029, and whoever looks at one should see what is there.
fn escaped(out: &mut String, character: char) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ if is_printable(character) => out.push(character),
        // RFC 8259 section 7: beyond the basic plane, both halves of the pair of UTF-16.
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing into memory has no way to fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

// RFC 8259 section 7: the quote, the backslash and everything below the space must be escaped; DEL
// and what is not ASCII may have to be. Eight bytes at once: a byte that is zero, or less than a number up to 128,
// borrows from its highest bit (Warren: Hacker's Delight, section 6-1).
fn is_plain(bytes: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
    const SLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);
    const SPACES: u64 = u64::from_ne_bytes([b' '; 8]);
    const DELETES: u64 = u64::from_ne_bytes([0x7f; 8]);
    let has_zero = |eight: u64| eight.wrapping_sub(ONES) & !eight & HIGHS;
    let (eights, rest) = bytes.as_chunks::<8>();
    let plain_eight = |eight: &[u8; 8]| {
        let eight = u64::from_ne_bytes(*eight);
        let below_space = eight.wrapping_sub(SPACES) & !eight & HIGHS;
        let marks = has_zero(eight ^ QUOTES) | has_zero(eight ^ SLASHES);
        below_space | marks | has_zero(eight ^ DELETES) | (eight & HIGHS) == 0
    };
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'"' && *byte != b'\\';
    eights.iter().all(plain_eight) && rest.iter().all(plain)
}

// A value is never empty and never ends in an opening bracket: a string ends in its quote.
fn is_first(out: &str) -> bool {
    matches!(out.as_bytes().last(), Some(b'{' | b'['))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn read_back(value: &str) -> Value {
        let mut line = "{".to_owned();
        text(&mut line, member!("a"), "first");
        text(&mut line, member!("b"), value);
        line.push('}');
        serde_json::from_str::<Value>(&line).unwrap()["b"].take()
    }

    #[test]
    fn every_byte_at_every_place_is_read_back() {
        for byte in 0..=0x7f_u8 {
            for place in 0..19 {
                let mut bytes = [b'a'; 19];
                bytes[place] = byte;
                let value = std::str::from_utf8(&bytes).unwrap();
                assert_eq!(read_back(value), value);
            }
        }
        let value = "/\u{e9}\u{2028}\u{80}\u{ff}\u{10ffff}";
        assert_eq!(read_back(value), value);
    }

    #[test]
    fn no_reader_ends_a_line_or_turns_it_round_within_a_text() {
        for hidden in [
            '\0',
            '\u{b}',
            '\u{1c}',
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{2028}',
            '\u{2029}',
            '\u{202e}',
            '\u{200b}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            for value in [
                format!("{hidden}"),
                format!("seven..{hidden}, é, eight more"),
            ] {
                let mut line = "{".to_owned();
                text(&mut line, member!("a"), &value);
                line.push('}');
                assert!(line.chars().all(is_printable), "{line:?}");
                let read = serde_json::from_str::<Value>(&line).unwrap();
                assert_eq!(read["a"], *value);
            }
        }
    }

    #[test]
    fn values_that_end_like_a_bracket_have_their_commas() {
        for value in ["{", "[", "", "\\", "\""] {
            let mut line = "{".to_owned();
            array(&mut line, member!("a"), |out| {
                element(out, value);
                element(out, value);
            });
            object(&mut line, member!("b"), |out| number(out, member!("c"), 7));
            line.push('}');
            let expected = serde_json::json!({"a": [value, value], "b": {"c": 7}});
            assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
        }
    }
}
