//! A document that is a text within another: where each byte of the text is written in the file.

use super::Problem;
use super::json;
use super::node::{Node, Style, What};

/// Reads the JSON that a text holds; the places are those of the file.
///
/// # Errors
///
/// Where it is not JSON as a configuration must be.
pub fn document(file: &str, text: &str, style: Style, node: &Node) -> Result<Node, Problem> {
    let source = file.get(node.at..node.end).unwrap_or_default();
    let places = places(source, style, text);
    let place = |at: usize| {
        let within = places.get(at).or(places.last()).copied();
        node.at.saturating_add(within.unwrap_or_default())
    };
    match json::document(text) {
        Ok(mut inner) => {
            moved(&mut inner, &place);
            Ok(inner)
        }
        Err(problem) => Err(Problem {
            at: place(problem.at),
            ..problem
        }),
    }
}

fn moved(node: &mut Node, place: &impl Fn(usize) -> usize) {
    (node.at, node.end) = (place(node.at), place(node.end));
    match &mut node.what {
        What::List(elements) => elements.iter_mut().for_each(|node| moved(node, place)),
        What::Map(members) => {
            for member in members {
                member.at = place(member.at);
                moved(&mut member.value, place);
            }
        }
        What::Scalar(_) | What::Text(..) => {}
    }
}

/// For each byte of the text the byte of its notation. White space is folded and indented, so only
/// what is none is followed, character by character.
fn places(source: &str, style: Style, text: &str) -> Vec<usize> {
    let mut written = Written {
        source,
        style,
        at: begin(source, style),
    };
    let mut places = Vec::with_capacity(text.len());
    for c in text.chars() {
        let at = if c.is_whitespace() {
            written.at
        } else {
            written.next()
        };
        places.extend(std::iter::repeat_n(at, c.len_utf8()));
    }
    places
}

fn begin(source: &str, style: Style) -> usize {
    match style {
        Style::Plain => 0,
        Style::Single | Style::Double => 1,
        // The line of the block's indicator, where that is part of the notation.
        Style::Block if source.starts_with(['|', '>']) => {
            source.find('\n').map_or(0, |at| at.saturating_add(1))
        }
        Style::Block => 0,
    }
}

struct Written<'a> {
    source: &'a str,
    style: Style,
    at: usize,
}

impl Written<'_> {
    /// Where the next character is that is no white space; goes behind it.
    fn next(&mut self) -> usize {
        loop {
            let at = self.at;
            let mut rest = self.source.get(at..).unwrap_or_default().chars();
            let Some(c) = rest.next() else {
                return at;
            };
            self.at = at.saturating_add(c.len_utf8());
            let is_space = match (self.style, c) {
                (Style::Double, '\\') => self.escape(),
                (Style::Single, '\'') => {
                    self.at = self.at.saturating_add(1);
                    false
                }
                _ => c.is_whitespace(),
            };
            if !is_space {
                return at;
            }
        }
    }

    /// Goes behind an escape, whose backslash is passed; whether it stands for white space.
    fn escape(&mut self) -> bool {
        let rest = self.source.get(self.at..).unwrap_or_default();
        let Some(c) = rest.chars().next() else {
            return false;
        };
        let digits: usize = match c {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let code = rest.get(1..digits.saturating_add(1)).unwrap_or_default();
        let code = u32::from_str_radix(code, 16).unwrap_or_default();
        self.at = self.at.saturating_add(c.len_utf8()).saturating_add(digits);
        if (0xd800..0xdc00).contains(&code) {
            // The other half of the pair.
            self.at = self.at.saturating_add(6);
        }
        let coded = char::from_u32(code).is_some_and(char::is_whitespace);
        c.is_whitespace()
            || matches!(c, 'n' | 't' | 'r' | 'v' | 'f' | 'N' | '_' | 'L' | 'P')
            || (digits > 0 && coded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the last character of the text is written.
    fn last(source: &str, style: Style, text: &str) -> usize {
        places(source, style, text).last().copied().unwrap()
    }

    #[test]
    fn every_notation_is_followed() {
        assert_eq!(
            last("|\n    {\n      \"a\": x", Style::Block, "{\n  \"a\": x"),
            19
        );
        assert_eq!(last(">-\n  {\n  x", Style::Block, "{ x"), 9);
        assert_eq!(last("'it''s x'", Style::Single, "it's x"), 7);
        assert_eq!(
            last(
                r#""{\"a\":\n \u00e9\ud83d\ude00x""#,
                Style::Double,
                "{\"a\":\n é😀x"
            ),
            29
        );
        assert_eq!(last("a\n  b", Style::Plain, "a b"), 4);
        assert_eq!(last("", Style::Plain, "abc"), 0);
    }
}
