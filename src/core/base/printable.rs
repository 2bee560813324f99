//! Text of others that people and programs read: what they could not see, or would take for the end
//! of a line, is escaped.

use std::fmt::Write as _;

/// Whether a character is seen as it is: none that controls, ends lines, turns the direction, or has
/// no width (Unicode 17.0: categories Cc, Zl, Zp and most of Cf, `Default_Ignorable_Code_Point`),
/// no space but the one of ASCII, and none that is private.
#[must_use]
pub fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    let is_hidden = matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{fdd0}'..='\u{fdef}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{ffff}'
            | '\u{13430}'..='\u{1345f}'
            | '\u{1bca0}'..='\u{1bcaf}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..
    );
    !is_hidden && !character.is_control() && !character.is_whitespace()
}

/// Whether text is printable ASCII throughout, as nearly all of it is.
#[must_use]
pub fn is_printable_ascii(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Appends a name that others chose, in visible ASCII and spaces: no two names become the same, and
/// none looks like another one, reads differently by charset (RFC 9110 section 5.5), or holds a
/// comma, at which readers cut fields that may be lists.
pub fn append_name(out: &mut String, name: &str) {
    append_where(out, name.as_bytes(), |character| {
        matches!(character, ' '..='~') && !matches!(character, '%' | ',')
    });
}

/// Appends a text; every byte of what is not UTF-8 or not printable becomes `%` and two digits.
pub fn append(out: &mut String, text: &[u8]) {
    append_where(out, text, is_printable);
}

/// Appends a text; every byte of what is not UTF-8 or not to stay becomes `%` and two digits.
pub fn append_where(out: &mut String, text: &[u8], stays: impl Fn(char) -> bool) {
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            if stays(character) {
                out.push(character);
            } else {
                percent(out, character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        percent(out, chunk.invalid());
    }
}

fn percent(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing into memory has no way to fail.
        let _ = write!(out, "%{byte:02X}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &[u8]) -> String {
        let mut out = String::new();
        append(&mut out, text);
        out
    }

    #[test]
    fn what_nobody_sees_or_ends_a_line_is_escaped() {
        for (text, expected) in [
            ("/a b~\"%41", "/a b~\"%41"),
            ("é日本🙂", "é日本🙂"),
            ("a\tb\r\n\0\u{7f}", "a%09b%0D%0A%00%7F"),
            ("\u{85}\u{9b}\u{a0}\u{ad}", "%C2%85%C2%9B%C2%A0%C2%AD"),
            ("\u{200b}\u{200d}\u{202e}", "%E2%80%8B%E2%80%8D%E2%80%AE"),
            ("\u{2028}\u{2029}\u{2066}", "%E2%80%A8%E2%80%A9%E2%81%A6"),
            ("\u{feff}\u{3000}\u{fe0f}", "%EF%BB%BF%E3%80%80%EF%B8%8F"),
            ("\u{e0041}\u{10ffff}", "%F3%A0%81%81%F4%8F%BF%BF"),
        ] {
            assert_eq!(shown(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(shown(b"a\xff\xe2\x82"), "a%FF%E2%82");
    }

    #[test]
    fn ascii_is_printable_in_both_views() {
        for byte in 0..=0xff_u8 {
            let printable = byte.is_ascii() && is_printable(char::from(byte));
            assert_eq!(is_printable_ascii(&[byte]), printable, "{byte}");
        }
    }
}
