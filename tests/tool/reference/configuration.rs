//! The page of configuration fields, from the published JSON Schema.
//!
//! A field's meaning and default are its doc comment, its bounds those of the schema. What a
//! pattern accepts stands here in words: a pattern without words, or words without a pattern, fails.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use postern_core::config::json_schema;
use serde_json::{Map, Value};

const INTRODUCTION: &str = "\
# Configuration reference

Every field there is. This page is made from the JSON Schema ([`envoy/postern.schema.json`](../../envoy/postern.schema.json)), and a test holds it to that (`tests/tool/reference`). Change the doc comments in `src/core/config/wire.rs` and `src/core/config/risk_schema.rs`, not this page.

A place is written as errors write it: `routes[].match.path` is the `path` in the `match` of each entry of `routes`. A field that is not listed is an error, at every level.

The column *Default* says what counts where the field is absent. *required* means that it must be there, *its fields'* that each field in it has a default of its own. A dash means that there is no default: what decides whether the field is needed stands beside it.

A list has at least one entry, unless its type says that it may be empty. No entry stands twice.

| type | is written |
| --- | --- |
| duration | a whole number and a unit: `500ms`, `30s`, `5m`, `12h`, `7d` |
| size | a whole number and a unit, or of bytes: `512B`, `64KiB`, `4MiB`, `8192` |
| rate | units in a duration: `100/1m`, `10000/1d` |
| name | 1 to 64 of `a-z`, `0-9`, `.`, `_` and `-` |
| header | the name of a header in lower case, not `x-postern-*`, at most 128 bytes |
| network | an address and the length of its prefix: `10.0.0.0/8`, `2001:db8::/32` |

Where two fields exclude each other, or one needs another, the meaning says so; the error says it too, with what would be accepted.
";

/// Each pattern, and what it accepts.
const PATTERNS: &[(&str, &str)] = &[
    ("^[a-z0-9._-]{1,64}$", "name"),
    (
        r"^spiffe://[a-z0-9._-]{1,255}(/(\*|[a-zA-Z0-9._-]+))*(/\*\*)?$",
        "SPIFFE ID or pattern",
    ),
    (
        "^(?!x[^a-z0-9]postern[^a-z0-9])[a-z0-9!#$%&'*+.^_`|~-]{1,128}$",
        "header",
    ),
    (
        "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
        "day, as `2027-01-31`",
    ),
    (
        "^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
        "window, as `08:00-18:00`",
    ),
    (
        "^(identity|issuer|client|route|source|source_network|claim:.+|header:(?!x[^a-z0-9]postern[^a-z0-9])[a-z0-9!#$%&'*+.^_`|~-]{1,128})$",
        "key part",
    ),
    ("^[!-~]{1,256}$", "cluster"),
    ("^[A-Z0-9_-]{1,32}$", "method"),
    (
        "^(_method|x-(forwarded-prefix|http-method(-override)?|method-override|original-(method|uri|url)|rewrite-url))$",
        "name",
    ),
    ("^/", "path template, begins with `/`"),
    (
        r"^https?://[\x21\x24-\x2e\x30-\x5b\x5d-\x7e][\x21\x24-\x5b\x5d-\x7e]*$",
        "URL of http or https",
    ),
    (
        r"^[\x20\x21\x23-\x5b\x5d-\x7e]{1,256}$",
        "text of 1 to 256 printable ASCII characters without `\"` and `\\`",
    ),
    (
        r"^[\x21\x23-\x5b\x5d-\x7e]{1,256}$",
        "scope (RFC 6749), at most 256 bytes",
    ),
    (
        "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,32}$",
        "word of at most 32 characters",
    ),
    ("^[a-z0-9._-]{1,255}$", "trust domain"),
];

/// The page.
pub fn page() -> String {
    let schema = json_schema();
    let mut page = Page {
        schema: &schema,
        text: INTRODUCTION.to_owned(),
        patterns: BTreeSet::new(),
    };
    page.write();
    let unused = PATTERNS
        .iter()
        .filter(|(pattern, _)| !page.patterns.contains(pattern));
    let unused: Vec<_> = unused.collect();
    assert!(unused.is_empty(), "words without a pattern: {unused:?}");
    page.text
}

struct Page<'a> {
    schema: &'a Value,
    text: String,
    patterns: BTreeSet<&'static str>,
}

impl Page<'_> {
    fn write(&mut self) {
        let root = self.schema.clone();
        let (mut plain, mut sections) = (Vec::new(), Vec::new());
        for (name, member) in members(&root) {
            let wide = !self.fields_of(&member).is_empty();
            if wide { &mut sections } else { &mut plain }.push((name, member));
        }
        self.heading("The document");
        for (name, member) in plain {
            self.row(&name, &member, is_required(&root, &name), None);
        }
        for (name, member) in sections {
            self.heading(&format!("`{name}`"));
            self.row(&name, &member, is_required(&root, &name), None);
            self.rows_within(&name, &member);
        }
    }

    fn heading(&mut self, title: &str) {
        let head = "| place | type | default | meaning |\n| --- | --- | --- | --- |";
        let _ = writeln!(self.text, "\n## {title}\n\n{head}");
    }

    /// The rows of everything in a field.
    fn rows_within(&mut self, place: &str, member: &Value) {
        let place = match self.is_list(member) {
            true => format!("{place}[]"),
            false => place.to_owned(),
        };
        let defaults = split(description(member)).1;
        for (owner, name, field) in self.fields_of(member) {
            let place = format!("{place}.{name}");
            let default = defaults.and_then(|all| said_for(all, &name));
            self.row(&place, &field, is_required(&owner, &name), default);
            self.rows_within(&place, &field);
        }
    }

    fn row(&mut self, place: &str, member: &Value, required: bool, outer: Option<&str>) {
        let (meaning, default) = split(description(member));
        assert!(!meaning.is_empty(), "{place} says nothing");
        let fields = self.fields_of(member);
        let of_fields = !fields.is_empty() && !fields.iter().any(|(o, n, _)| is_required(o, n));
        let default = match (required, outer.or(default)) {
            (true, _) => "*required*".to_owned(),
            (false, Some(default)) if !of_signals(&fields, default) => default.to_owned(),
            (false, _) if of_fields => "*its fields'*".to_owned(),
            (false, _) => "—".to_owned(),
        };
        let (place, kind) = (format!("`{place}`"), self.kind(member));
        let meaning = format!("{meaning}{}", self.words(member));
        let cells = [place, kind, default, meaning].map(|cell| cell.replace('|', r"\|"));
        let _ = writeln!(self.text, "| {} |", cells.join(" | "));
    }

    /// What a field is, in words: its type and its bounds.
    fn kind(&mut self, member: &Value) -> String {
        if let Some(name) = reference(member) {
            return match name {
                "Duration" | "Size" | "Rate" => name.to_lowercase(),
                "Scalar" => "text, number or boolean".to_owned(),
                _ => {
                    let definition = self.definition(name).clone();
                    self.kind(&definition)
                }
            };
        }
        if let Some(value) = member.get("const") {
            return format!("`{}`", plain(value));
        }
        if let Some(words) = words_of(member) {
            let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            return words.join(", ");
        }
        if member["type"] == "array" {
            return self.list(member);
        }
        if let (Some(forms), None) = (member["anyOf"].as_array(), member.get("type")) {
            let forms: Vec<_> = forms.iter().map(|form| self.kind(form)).collect();
            return forms.join("; or ");
        }
        match member["type"].as_str() {
            Some("object")
                if member
                    .get("additionalProperties")
                    .is_some_and(Value::is_object) =>
            {
                let keys = member.get("propertyNames").map(|keys| self.text_kind(keys));
                format!("map from {} to text", keys.as_deref().unwrap_or("text"))
            }
            Some("object") => "object".to_owned(),
            Some("string") => self.text_kind(member),
            Some("integer") => numbers("whole number", member),
            Some("number") => numbers("number", member),
            Some("boolean") => "`true` or `false`".to_owned(),
            other => panic!("a type without words: {other:?} in {member}"),
        }
    }

    fn list(&mut self, member: &Value) -> String {
        let (item, of) = match member["anyOf"].as_array() {
            // Either group of words.
            Some(groups) => {
                let group = |group: &Value| {
                    let words: Vec<_> = group["items"]["enum"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(plain)
                        .collect();
                    format!("`{}`", words.join("`, `"))
                };
                let groups: Vec<_> = groups.iter().map(group).collect();
                (groups.join("; or of "), "list of ")
            }
            None => (self.kind(&member["items"]), "list of "),
        };
        let most = member["maxItems"].as_u64();
        let count = match (member["minItems"].as_u64().unwrap_or(0), most) {
            (0, None) => ", may be empty".to_owned(),
            (_, None) => String::new(),
            (least, Some(most)) => format!(", {least} to {most} of them"),
        };
        format!("{of}{item}{count}")
    }

    fn text_kind(&mut self, member: &Value) -> String {
        if let Some(pattern) = member["pattern"].as_str() {
            let known = PATTERNS.iter().find(|(known, _)| *known == pattern);
            let (known, words) =
                known.unwrap_or_else(|| panic!("a pattern without words: {pattern}"));
            self.patterns.insert(known);
            return (*words).to_owned();
        }
        match member["maxLength"].as_u64() {
            Some(most) => format!("text of 1 to {most} bytes"),
            None => "text".to_owned(),
        }
    }

    /// What each word means, where it is not plain.
    fn words(&self, member: &Value) -> String {
        let member = reference(member).map_or(member, |name| self.definition(name));
        let explained = words_of(member).into_iter().flatten();
        let explained = explained.filter(|(_, meaning)| !meaning.is_empty());
        explained
            .map(|(word, meaning)| format!(" `{word}`: {meaning}"))
            .collect()
    }

    fn is_list(&self, member: &Value) -> bool {
        let member = reference(member).map_or(member, |name| self.definition(name));
        member["type"] == "array"
    }

    /// The fields of an object, of the entries of a list, or of the form of several that is one;
    /// each with the object that declares it. Of risk elsewhere than at the top, none: the fields
    /// are those of the section.
    fn fields_of(&self, member: &Value) -> Vec<(Value, String, Value)> {
        let at_top = self.schema["properties"]["risk"] == *member;
        if reference(member) == Some("Risk") && !at_top {
            return Vec::new();
        }
        let target = reference(member).map_or(member, |name| self.definition(name));
        if target["type"] == "array" {
            return self.fields_of(&target["items"]);
        }
        if let Some(forms) = target["anyOf"].as_array()
            && target["type"] != "object"
        {
            return forms.iter().flat_map(|form| self.fields_of(form)).collect();
        }
        // A JWK Set and a bundle are another document's business.
        if target["additionalProperties"] != false {
            return Vec::new();
        }
        let own = member["properties"].as_object().cloned();
        let own = own
            .filter(|_| reference(member).is_some())
            .unwrap_or_default();
        let fields = members(target).into_iter();
        fields
            .map(|(name, field)| {
                (
                    target.clone(),
                    name.clone(),
                    narrowed(field, own.get(&name)),
                )
            })
            .collect()
    }

    fn definition(&self, name: &str) -> &Value {
        &self.schema["$defs"][name]
    }
}

/// The fields that an object declares: those first that are required.
fn members(object: &Value) -> Vec<(String, Value)> {
    let fields = object["properties"].as_object().into_iter().flatten();
    let mut fields: Vec<_> = fields.map(|(n, f)| (n.clone(), f.clone())).collect();
    fields.sort_by_key(|(name, _)| (!is_required(object, name), name != "name", name.clone()));
    fields
}

/// A field with the bounds that it has in one place alone.
fn narrowed(field: Value, bounds: Option<&Value>) -> Value {
    let mut field = field;
    let more: Map<_, _> = bounds
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    if let Some(members) = field.as_object_mut() {
        members.extend(more);
    }
    field
}

fn reference(member: &Value) -> Option<&str> {
    member["$ref"].as_str()?.strip_prefix("#/$defs/")
}

fn description(member: &Value) -> &str {
    member["description"].as_str().unwrap_or_default()
}

fn is_required(object: &Value, name: &str) -> bool {
    let required = object["required"].as_array().into_iter().flatten();
    required.clone().any(|required| required == name)
}

/// A meaning, and the default that stands behind it.
fn split(description: &str) -> (&str, Option<&str>) {
    match description.rsplit_once("Default: ") {
        Some((meaning, default)) => (meaning.trim_end(), Some(default.trim_end_matches('.'))),
        None => (description, None),
    }
}

/// What `weight 0.6, start 3` says of one of the two.
fn said_for<'a>(defaults: &'a str, name: &str) -> Option<&'a str> {
    let mut all = defaults.split(", ").filter_map(|one| one.split_once(' '));
    all.find(|(of, _)| *of == name).map(|(_, value)| value)
}

/// Whether a default says no more than those of the fields say themselves.
fn of_signals(fields: &[(Value, String, Value)], default: &str) -> bool {
    fields
        .iter()
        .any(|(_, name, _)| said_for(default, name).is_some())
}

/// The words that a field may be, each with its meaning.
fn words_of(member: &Value) -> Option<Vec<(String, String)>> {
    if let Some(words) = member["enum"].as_array() {
        return Some(
            words
                .iter()
                .map(|word| (plain(word), String::new()))
                .collect(),
        );
    }
    let forms = member["oneOf"].as_array()?;
    let word = |form: &Value| Some((plain(form.get("const")?), description(form).to_owned()));
    forms.iter().map(word).collect()
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn numbers(kind: &str, member: &Value) -> String {
    match (member["minimum"].as_i64(), member["maximum"].as_i64()) {
        (Some(least), Some(most)) => format!("{kind}, {least} to {most}"),
        (Some(least), None) => format!("{kind}, at least {least}"),
        (None, Some(most)) => format!("{kind}, at most {most}"),
        (None, None) => kind.to_owned(),
    }
}
