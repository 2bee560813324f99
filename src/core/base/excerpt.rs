//! A caller's text, made safe to show.

use std::fmt;

/// How many characters are shown.
const SHOWN: usize = 64;

/// The beginning of a text that a caller chose, escaped so that it can neither break a line nor
/// pretend to be something else in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Excerpt(String);

impl Excerpt {
    /// Takes the first 64 characters; what is not printable ASCII, and quotes, are escaped.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut shown: String = text
            .chars()
            .take(SHOWN)
            .flat_map(char::escape_default)
            .collect();
        if text.chars().nth(SHOWN).is_some() {
            shown.push_str("...");
        }
        Self(shown)
    }

    /// The text as it is shown, without the quotes around it.
    #[must_use]
    pub fn escaped(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_cut_and_escaped() {
        let long = "x".repeat(65);
        let cases: &[(&str, &str)] = &[
            ("key-1", r#""key-1""#),
            ("a\nb\r\0", r#""a\nb\r\u{0}""#),
            (r#"say "hi""#, r#""say \"hi\"""#),
            ("\u{202e}\u{e9}", r#""\u{202e}\u{e9}""#),
            (&long[..64], &format!("\"{}\"", &long[..64])),
            (&long, &format!("\"{}...\"", &long[..64])),
        ];
        for (text, expected) in cases {
            assert_eq!(Excerpt::of(text).to_string(), *expected);
        }
    }
}
