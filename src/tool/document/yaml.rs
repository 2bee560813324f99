//! YAML with places, within bounds.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};
use serde_json::Value;

use super::Problem;
use super::node::{Doubt, Member, Node, Style, What};
use super::scalar;

/// How many values aliases may stand for.
const MAX_COPIES: usize = 200_000;

/// Reads every document of a text.
///
/// # Errors
///
/// Where it is no YAML.
pub fn documents(text: &str) -> Result<Vec<Node>, Problem> {
    let mut reader = Reader::default();
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|error| refused(&error, text))?;
        reader.take(event, span)?;
    }
    Ok(reader.done)
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    done: Vec<Node>,
    anchors: HashMap<usize, (Node, usize)>,
    copies: usize,
}

/// A list or map whose end is not read yet.
struct Open {
    node: Node,
    anchor: usize,
    size: usize,
    name: Option<Name>,
}

struct Name {
    text: String,
    at: usize,
    doubt: Option<Doubt>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let (at, end) = bytes_of(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let node = scalar_of(&text, style, tag.as_deref(), at, end);
                self.add(node, anchor, 1);
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.open(What::List(Vec::new()), at, anchor, tag.as_deref());
            }
            Event::MappingStart(_, anchor, tag) => {
                self.open(What::Map(Vec::new()), at, anchor, tag.as_deref());
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open {
                    mut node,
                    anchor,
                    size,
                    ..
                }) = self.open.pop()
                {
                    node.end = end;
                    self.add(node, anchor, size);
                }
            }
            Event::Alias(anchor) => self.copy(anchor, at)?,
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, what: What, at: usize, anchor: usize, tag: Option<&Tag>) {
        let doubt = tag.filter(|tag| tag.is_custom()).map(tag_doubt);
        let node = Node {
            at,
            end: at,
            what,
            doubt,
        };
        self.open.push(Open {
            node,
            anchor,
            size: 1,
            name: None,
        });
    }

    /// Puts a value where it belongs: into what is open, as a name or a value, or at the top.
    fn add(&mut self, node: Node, anchor: usize, size: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            self.done.push(node);
            return;
        };
        open.size = open.size.saturating_add(size);
        match (&mut open.node.what, open.name.take()) {
            (What::List(elements), _) => elements.push(node),
            (What::Map(members), Some(Name { text, at, doubt })) => members.push(Member {
                name: text,
                at,
                doubt,
                value: node,
            }),
            (_, None) => open.name = Some(name_of(node)),
            (_, Some(_)) => {}
        }
    }

    fn copy(&mut self, anchor: usize, at: usize) -> Result<(), Problem> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            return Err(Problem::unreadable(
                at,
                "the alias stands for a value that it is in itself",
                "write the value out",
            ));
        };
        self.copies = self.copies.saturating_add(*size);
        if self.copies > MAX_COPIES {
            return Err(Problem::unreadable(
                at,
                format!("the aliases stand for more than {MAX_COPIES} values"),
                "write out what is meant",
            ));
        }
        let (node, size) = (node.clone(), *size);
        self.add(node, 0, size);
        Ok(())
    }
}

fn bytes_of(span: Span) -> (usize, usize) {
    let at = span.start.byte_offset().unwrap_or_default();
    (at, span.end.byte_offset().unwrap_or(at))
}

fn scalar_of(text: &str, style: ScalarStyle, tag: Option<&Tag>, at: usize, end: usize) -> Node {
    let plain = style == ScalarStyle::Plain;
    let core = tag.and_then(Tag::core_suffix);
    let value = match core {
        Some("str") => None,
        _ if plain => scalar::value(text),
        Some("int" | "float" | "bool" | "null") => scalar::value(text),
        _ => None,
    };
    let doubt = match (tag, &value) {
        (Some(tag), _) if !matches!(core, Some("str" | "int" | "float" | "bool" | "null")) => {
            Some(tag_doubt(tag))
        }
        (None, _) if plain => scalar::doubt(text),
        _ => None,
    };
    let style = match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::Single,
        ScalarStyle::DoubleQuoted => Style::Double,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    };
    let what = value.map_or_else(|| What::Text(text.to_owned(), style), What::Scalar);
    Node {
        at,
        end,
        what,
        doubt,
    }
}

fn tag_doubt(tag: &Tag) -> Doubt {
    Doubt::Tag(tag.original())
}

fn name_of(node: Node) -> Name {
    let at = node.at;
    let (text, doubt) = match node.what {
        What::Text(text, Style::Plain) if text == "<<" => (text, Some(Doubt::Merge)),
        What::Text(text, _) => (text, None),
        What::Scalar(Value::Null) => ("null".to_owned(), None),
        What::Scalar(value) => (value.to_string(), None),
        What::List(_) | What::Map(_) => (String::new(), Some(Doubt::Name)),
    };
    Name { text, at, doubt }
}

fn refused(error: &ScanError, text: &str) -> Problem {
    let at = error.marker().byte_offset().unwrap_or_default();
    let line_begins = text.get(..at).and_then(|before| before.rfind('\n'));
    let line = text.get(line_begins.map_or(0, |at| at.saturating_add(1))..);
    let indent = line.map(|line| {
        let content = line.trim_start_matches([' ', '\t']);
        line.get(..line.len().saturating_sub(content.len()))
    });
    let remedy = if indent.flatten().is_some_and(|indent| indent.contains('\t')) {
        "indent with spaces, no tabs"
    } else {
        "YAML or JSON is needed"
    };
    let problem = format!("the YAML is not read: {}", error.info());
    Problem::unreadable(at, problem, remedy)
}
