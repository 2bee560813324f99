//! JSON without duplicate members, within bounds (RFC 8259, RFC 8725 section 2.4).
//!
//! Two parsers that read different values out of duplicate members are a hole; here they are an
//! error at every level.

use std::{
    cell::RefCell,
    fmt::{self, Write},
};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, error::Category, map::Entry};

use crate::base::Excerpt;

/// How large and how deep a document may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    bytes: usize,
    depth: u8,
}

impl Bounds {
    /// For a token's header and payload: any size, since the token's own is bounded, 32 deep.
    pub const TOKEN: Self = Self::new(usize::MAX, 32);
    /// For a fetched key set: 1 MiB, 16 deep.
    pub const KEY_SET: Self = Self::new(1 << 20, 16);
    /// For a configuration: 64 MiB, 64 deep.
    pub const CONFIGURATION: Self = Self::new(64 << 20, 64);

    /// Bounds of that many bytes, and that many objects and arrays within one another.
    ///
    /// A depth above 120 is 120: the parser's own limit is just beyond.
    #[must_use]
    pub const fn new(bytes: usize, depth: u8) -> Self {
        let depth = if depth > 120 { 120 } else { depth };
        Self { bytes, depth }
    }
}

/// Why a document is not taken. Places are counted from line 1, column 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// It has more than this many bytes.
    TooLarge(usize),
    /// It is not JSON, has something after its end, is not UTF-8, or holds a number that is out
    /// of range.
    Syntax {
        /// The line where reading stopped.
        line: usize,
        /// The column where reading stopped.
        column: usize,
    },
    /// It ends too early.
    Incomplete,
    /// More than this many objects and arrays are within one another.
    TooDeep(u8),
    /// A member is there twice in one object.
    Duplicate {
        /// Where it is, such as `keys[2].kid`; names are cut and escaped.
        path: String,
        /// The line of the second one.
        line: usize,
        /// The column of the second one.
        column: usize,
    },
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(bytes) => write!(f, "more than {bytes} bytes of JSON"),
            Self::Syntax { line, column } => {
                write!(f, "not valid JSON at line {line}, column {column}")
            }
            Self::Incomplete => f.write_str("the JSON ends too early"),
            Self::TooDeep(depth) => write!(f, "the JSON is nested more than {depth} levels deep"),
            Self::Duplicate { path, line, column } => write!(
                f,
                "the member {path} is there twice (line {line}, column {column})"
            ),
        }
    }
}

impl std::error::Error for JsonError {}

/// Parses one JSON document.
///
/// # Errors
///
/// See [`JsonError`]: duplicate members at any level, what is beyond the bounds, data after the
/// end, bytes that are not UTF-8 and numbers beyond those of a double are refused.
pub fn parse(bytes: &[u8], bounds: Bounds) -> Result<Value, JsonError> {
    if bytes.len() > bounds.bytes {
        return Err(JsonError::TooLarge(bounds.bytes));
    }
    let fault = RefCell::new(None);
    let root = Frame {
        fault: &fault,
        deepest: bounds.depth,
        left: bounds.depth,
    };
    let mut input = serde_json::Deserializer::from_slice(bytes);
    let parsed = root
        .deserialize(&mut input)
        .and_then(|value| input.end().map(|()| value));
    parsed.map_err(|error| explain(&error, fault.take()))
}

/// What serde's own error type has no place for.
enum Fault {
    TooDeep(u8),
    /// The steps to a duplicate member, the innermost first.
    Duplicate(Vec<PathStep>),
}

enum PathStep {
    Member(Excerpt),
    Element(usize),
}

fn explain(error: &serde_json::Error, fault: Option<Fault>) -> JsonError {
    let (line, column) = (error.line(), error.column());
    match fault {
        Some(Fault::TooDeep(depth)) => JsonError::TooDeep(depth),
        Some(Fault::Duplicate(steps)) => JsonError::Duplicate {
            path: path_of(&steps),
            line,
            column,
        },
        None if error.classify() == Category::Eof => JsonError::Incomplete,
        None => JsonError::Syntax { line, column },
    }
}

fn path_of(steps: &[PathStep]) -> String {
    let mut path = String::new();
    for step in steps.iter().rev() {
        let dot = if path.is_empty() { "" } else { "." };
        // Writing to a string cannot fail.
        let _ = match step {
            PathStep::Member(name) => write!(path, "{dot}{}", name.escaped()),
            PathStep::Element(index) => write!(path, "[{index}]"),
        };
    }
    path
}

/// One value, `left` levels above the deepest that is allowed.
#[derive(Clone, Copy)]
struct Frame<'f> {
    fault: &'f RefCell<Option<Fault>>,
    deepest: u8,
    left: u8,
}

impl Frame<'_> {
    fn inner<E: Error>(self) -> Result<Self, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Self { left, ..self }),
            None => {
                self.fault.replace(Some(Fault::TooDeep(self.deepest)));
                Err(E::custom("too deep"))
            }
        }
    }

    fn duplicate<E: Error>(self, name: &str) -> E {
        let steps = vec![PathStep::Member(Excerpt::of(name))];
        self.fault.replace(Some(Fault::Duplicate(steps)));
        E::custom("duplicate member")
    }

    /// Notes on the way out where the fault is.
    fn within<E>(self, error: E, step: impl FnOnce() -> PathStep) -> E {
        if let Some(Fault::Duplicate(steps)) = self.fault.borrow_mut().as_mut() {
            steps.push(step());
        }
        error
    }
}

impl<'de> DeserializeSeed<'de> for Frame<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Frame<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut input: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut elements = Vec::new();
        loop {
            let at = || PathStep::Element(elements.len());
            match input.next_element_seed(inner) {
                Ok(Some(value)) => elements.push(value),
                Ok(None) => return Ok(Value::Array(elements)),
                Err(error) => return Err(self.within(error, at)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut input: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut members = Map::new();
        while let Some(name) = input.next_key::<String>()? {
            let place = match members.entry(name) {
                Entry::Vacant(place) => place,
                Entry::Occupied(first) => return Err(self.duplicate(first.key())),
            };
            let value = input.next_value_seed(inner).map_err(|error| {
                self.within(error, || PathStep::Member(Excerpt::of(place.key())))
            })?;
            place.insert(value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse_str(text: &str) -> Result<Value, JsonError> {
        parse(text.as_bytes(), Bounds::TOKEN)
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let text =
            r#" {"a": [null, true, -1, 18446744073709551615, 1.5e3, "\u00e9\ud83d\ude00"]} "#;
        let expected = json!({"a": [null, true, -1, u64::MAX, 1500.0, "\u{e9}\u{1f600}"]});
        assert_eq!(parse_str(text), Ok(expected));
    }

    #[test]
    fn duplicate_members_are_refused_at_every_level_with_their_place() {
        const CASES: &[(&str, &str, usize, usize)] = &[
            (r#"{"a":1,"a":1}"#, "a", 1, 10),
            (r#"{"a":1,"\u0061":2}"#, "a", 1, 15),
            (r#"{"":1,"":2}"#, "", 1, 8),
            (
                "{\"keys\":[{},\n{\"x\":{\"kid\":1,\"kid\":2}}]}",
                "keys[1].x.kid",
                2,
                19,
            ),
            (r#"[[{"a":{},"a":{}}]]"#, "[0][0].a", 1, 13),
        ];
        for (text, path, line, column) in CASES {
            let expected = JsonError::Duplicate {
                path: (*path).to_owned(),
                line: *line,
                column: *column,
            };
            assert_eq!(parse_str(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_name_in_an_error_is_cut_and_escaped() {
        let name = "\\n".repeat(1000);
        let error = parse_str(&format!(r#"{{"{name}":1,"{name}":2}}"#)).unwrap_err();
        let shown = error.to_string();
        assert!(shown.len() < 250 && !shown.contains('\n'), "{shown}");
    }

    #[test]
    fn depth_is_bounded_and_counted_in_objects_and_arrays() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let nested = |depth| format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert!(parse_str(&nested(32)).is_ok());
            assert_eq!(parse_str(&nested(33)), Err(JsonError::TooDeep(32)));
            assert_eq!(parse_str(&nested(100_000)), Err(JsonError::TooDeep(32)));
            let deepest = Bounds::new(usize::MAX, u8::MAX);
            assert!(parse(nested(120).as_bytes(), deepest).is_ok());
            let beyond = parse(nested(100_000).as_bytes(), deepest);
            assert_eq!(beyond, Err(JsonError::TooDeep(120)));
        }
        assert_eq!(parse(b"[]", Bounds::new(9, 0)), Err(JsonError::TooDeep(0)));
        assert_eq!(parse(b"1", Bounds::new(9, 0)), Ok(json!(1)));
    }

    #[test]
    fn size_is_bounded() {
        assert_eq!(parse(b"[1]", Bounds::new(3, 1)), Ok(json!([1])));
        assert_eq!(
            parse(b"[12]", Bounds::new(3, 1)),
            Err(JsonError::TooLarge(3))
        );
    }

    #[test]
    fn numbers_beyond_a_double_are_refused() {
        let digits = "9".repeat(10_000);
        for text in [digits.as_str(), "1e400", "-1e400", &format!("-{digits}")] {
            assert!(matches!(parse_str(text), Err(JsonError::Syntax { .. })));
        }
        assert_eq!(parse_str("-9223372036854775808"), Ok(json!(i64::MIN)));
        assert_eq!(parse_str("1e300"), Ok(json!(1e300)));
        assert_eq!(parse_str(&format!("0.{digits}")), Ok(json!(1.0)));
    }

    #[test]
    fn what_is_not_one_whole_json_document_is_refused() {
        const CASES: &[&[u8]] = &[
            b"{} {}",
            b"{}x",
            b"{},",
            b"\xef\xbb\xbf{}",
            b"\"\xff\"",
            b"{\"\xff\":1}",
            b"\"\xc0\xaf\"",
            b"\"\\ud800\"",
            b"\"\x00\"",
            b"{'a':1}",
            b"{a:1}",
            b"{\"a\":1,}",
            b"[1,]",
            b"NaN",
            b"Infinity",
            b"01",
            b"+1",
            b"1.",
            b".5",
            b"/* */1",
            b"tru",
        ];
        for bytes in CASES {
            let parsed = parse(bytes, Bounds::TOKEN);
            assert!(
                matches!(
                    parsed,
                    Err(JsonError::Syntax { .. } | JsonError::Incomplete)
                ),
                "{bytes:?}: {parsed:?}"
            );
        }
        for bytes in [b"".as_slice(), b" ", b"{", b"[1,", b"\"a", b"{\"a\":"] {
            assert_eq!(parse(bytes, Bounds::TOKEN), Err(JsonError::Incomplete));
        }
    }

    #[cfg(not(target_family = "wasm"))]
    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes, Bounds::TOKEN);
        }

        #[test]
        fn no_text_that_looks_like_json_makes_it_panic(text in r#"[\[\]{}",:0-9eE.+\-truefalsn\\ ]{0,60}"#) {
            let _ = parse(text.as_bytes(), Bounds::TOKEN);
        }

        #[test]
        fn without_duplicates_it_reads_what_serde_json_reads(
            names in proptest::collection::vec("[a-c]", 0..4),
            number: i64,
            text: String,
        ) {
            let members: Vec<String> = names
                .iter()
                .map(|name| format!("{:?}:[{number},{}]", name, Value::String(text.clone())))
                .collect();
            let document = format!("{{{}}}", members.join(","));
            let distinct = names.iter().collect::<std::collections::BTreeSet<_>>();
            let ours = parse(document.as_bytes(), Bounds::TOKEN);
            if distinct.len() == names.len() {
                proptest::prop_assert_eq!(ours.ok(), serde_json::from_str(&document).ok());
            } else {
                let refused = matches!(ours, Err(JsonError::Duplicate { .. }));
                proptest::prop_assert!(refused);
            }
        }
    }
}
