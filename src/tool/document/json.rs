//! JSON with places: of a text that the configuration's own strict parser takes.

use postern_core::config::{Finding, Mistake};
use postern_core::jose::json::{self, Bounds, JsonError};
use serde_json::Value;

use super::Problem;
use super::lines::Lines;
use super::node::{Member, Node, Style, What};

/// Reads a document.
///
/// # Errors
///
/// Where it is not JSON as a configuration must be, with the place in that text.
pub fn document(text: &str) -> Result<Node, Problem> {
    json::parse(text.as_bytes(), Bounds::CONFIGURATION).map_err(|error| refused(&error, text))?;
    let whole = Node {
        at: 0,
        end: text.len(),
        what: What::Scalar(Value::Null),
        doubt: None,
    };
    let mut scanner = Scanner { text, at: 0 };
    Ok(scanner.value().unwrap_or(whole))
}

fn refused(error: &JsonError, text: &str) -> Problem {
    let lines = Lines::of(text);
    let (at, why) = match error {
        JsonError::Duplicate { path, line, column } => {
            // The parser stops behind the name.
            let end = lines.byte(*line, *column);
            let before = text.get(..end).unwrap_or(text).trim_end_matches('"');
            let at = before.rfind('"').unwrap_or(before.len());
            let (path, twice) = (path.replace('"', ""), "is there twice");
            let finding = Finding::error(Mistake::Duplicate, path, twice, "once is needed");
            return Problem { at, finding };
        }
        // The place is told as that of the file.
        JsonError::Syntax { line, column } => {
            (lines.byte(*line, *column), "not valid JSON".to_owned())
        }
        JsonError::Incomplete => (text.trim_end().len(), error.to_string()),
        JsonError::TooLarge(_) | JsonError::TooDeep(_) => (0, error.to_string()),
    };
    let problem = format!("the configuration is not read: {why}");
    Problem::unreadable(at, problem, "one JSON object is needed")
}

/// Walks a text that is known to be good; where it is not after all, the walk ends early.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn value(&mut self) -> Option<Node> {
        self.skip_space();
        let at = self.at;
        let what = match self.peek()? {
            b'{' => What::Map(self.members()?),
            b'[' => What::List(self.elements()?),
            b'"' => What::Text(self.string()?, Style::Double),
            _ => What::Scalar(self.scalar()?),
        };
        let (end, doubt) = (self.at, None);
        Some(Node {
            at,
            end,
            what,
            doubt,
        })
    }

    fn members(&mut self) -> Option<Vec<Member>> {
        let mut members = Vec::new();
        self.pass();
        while self.more(b'}')? {
            let at = self.at;
            let name = self.string()?;
            self.skip_space();
            self.pass();
            let (value, doubt) = (self.value()?, None);
            members.push(Member {
                name,
                at,
                doubt,
                value,
            });
        }
        Some(members)
    }

    fn elements(&mut self) -> Option<Vec<Node>> {
        let mut elements = Vec::new();
        self.pass();
        while self.more(b']')? {
            elements.push(self.value()?);
        }
        Some(elements)
    }

    /// Whether there is another entry before that end; stands at it, or behind the end.
    fn more(&mut self, end: u8) -> Option<bool> {
        self.skip_space();
        if self.peek()? == b',' {
            self.pass();
            self.skip_space();
        }
        let more = self.peek()? != end;
        if !more {
            self.pass();
        }
        Some(more)
    }

    fn string(&mut self) -> Option<String> {
        let rest = self.text.get(self.at..)?;
        let mut escaped = false;
        let end = rest.bytes().skip(1).position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        self.parse(end?.saturating_add(2))
    }

    fn scalar(&mut self) -> Option<Value> {
        let rest = self.text.get(self.at..)?;
        let end = rest.find(|c: char| c.is_ascii_whitespace() || matches!(c, ',' | ']' | '}'));
        self.parse(end.unwrap_or(rest.len()))
    }

    fn parse<T: serde::de::DeserializeOwned>(&mut self, length: usize) -> Option<T> {
        let end = self.at.saturating_add(length);
        let value = serde_json::from_str(self.text.get(self.at..end)?).ok();
        self.at = end;
        value
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    const fn pass(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.pass();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_read_is_what_is_written_and_where_it_is() {
        let value = json!({"a": [1, -2.5e3, "x\\\" ,]}é", {}, []], "b": {"c": null, "d": true}});
        for text in [value.to_string(), format!(" {value:#}\n")] {
            let node = document(&text).unwrap();
            assert_eq!(node.to_json(), value);
            let at = node.find("b.d");
            assert!(text[at..].starts_with("\"d\""), "{text}");
            assert!(text[node.find("a[1]")..].starts_with("-2"), "{text}");
        }
        assert!(document("{\"a\": 1,}").is_err());
        assert!(document("").is_err());
        assert_eq!(document(" 7 ").unwrap().at, 1);
    }
}
