//! A value, and where it is written.

use std::fmt::Write as _;

use postern_core::base::Excerpt;
use serde_json::{Map, Value};

/// A value of a document. Places are bytes of the file.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it begins.
    pub at: usize,
    /// Where it ends; for a text, what is between the two is its notation.
    pub end: usize,
    /// What it is.
    pub what: What,
    /// What other readers may make of it.
    pub doubt: Option<Doubt>,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum What {
    /// No list and no map.
    Scalar(Value),
    /// A text, and how it is written.
    Text(String, Style),
    /// A list.
    List(Vec<Node>),
    /// A map; a name may be there twice.
    Map(Vec<Member>),
}

/// A member of a map.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Where the name begins.
    pub at: usize,
    /// What is wrong with the name.
    pub doubt: Option<Doubt>,
    /// Its value.
    pub value: Node,
}

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In `'`.
    Single,
    /// In `"`, of YAML or JSON.
    Double,
    /// As a block, after `|` or `>`.
    Block,
}

/// What is not read by every reader in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Some readers take the text for something else.
    Ambiguous(&'static str),
    /// `<<`, which some readers merge and others take for a name.
    Merge,
    /// A name that is a list or a map.
    Name,
    /// A number that JSON does not have.
    Number,
    /// A tag of its own.
    Tag(String),
}

impl Node {
    /// The members of a map; none where it is none.
    pub fn members(&self) -> &[Member] {
        match &self.what {
            What::Map(members) => members,
            _ => &[],
        }
    }

    /// The elements of a list; none where it is none.
    pub fn elements(&self) -> &[Self] {
        match &self.what {
            What::List(elements) => elements,
            _ => &[],
        }
    }

    /// The member that has one of these names.
    pub fn member(&self, names: &[&str]) -> Option<&Member> {
        let mut members = self.members().iter();
        members.find(|member| names.contains(&member.name.as_str()))
    }

    /// The value of the member that has one of these names.
    pub fn get(&self, names: &[&str]) -> Option<&Self> {
        self.member(names).map(|member| &member.value)
    }

    /// The text, where it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.what {
            What::Text(text, _) => Some(text),
            _ => None,
        }
    }

    /// Whether it is null.
    pub const fn is_null(&self) -> bool {
        matches!(self.what, What::Scalar(Value::Null))
    }

    /// The value as JSON; of a name that is there twice the first.
    pub fn to_json(&self) -> Value {
        match &self.what {
            What::Scalar(value) => value.clone(),
            What::Text(text, _) => Value::String(text.clone()),
            What::List(elements) => elements.iter().map(Self::to_json).collect(),
            What::Map(members) => {
                let mut map = Map::new();
                for member in members {
                    map.entry(member.name.clone())
                        .or_insert_with(|| member.value.to_json());
                }
                Value::Object(map)
            }
        }
    }

    /// Where a path leads, or as far as it leads: of a member the name, of an element the value.
    pub fn find(&self, path: &str) -> usize {
        let (mut node, mut at, mut left) = (self, self.at, path);
        while !left.is_empty() {
            let Some((place, next, rest)) = node.step(left) else {
                break;
            };
            (at, node, left) = (place, next, rest);
        }
        at
    }

    fn step<'n, 'p>(&'n self, path: &'p str) -> Option<(usize, &'n Self, &'p str)> {
        let path = path.strip_prefix('.').unwrap_or(path);
        let ends = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[']);
        if let What::List(elements) = &self.what {
            let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
            let element = elements.get(index.parse::<usize>().ok()?)?;
            return Some((element.at, element, rest));
        }
        self.members().iter().find_map(|member| {
            let rest = path.strip_prefix(name_in_path(&member.name).as_str())?;
            ends(rest).then_some((member.at, &member.value, rest))
        })
    }
}

/// A path with the step to a member, as the errors of a configuration write it.
pub fn path_to(parent: &str, name: &str) -> String {
    let name = name_in_path(name);
    let dot = if parent.is_empty() || name.starts_with('[') {
        ""
    } else {
        "."
    };
    format!("{parent}{dot}{name}")
}

/// A path with the step to an element.
pub fn path_at(parent: &str, index: usize) -> String {
    let mut path = parent.to_owned();
    // Writing to a string cannot fail.
    let _ = write!(path, "[{index}]");
    path
}

fn name_in_path(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if matches!(name.len(), 1..=64) && name.bytes().all(plain) {
        name.to_owned()
    } else {
        format!("[{}]", Excerpt::of(name))
    }
}
