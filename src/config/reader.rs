//! Reads wire types out of a parsed document, and says what a person can act on where it cannot.

use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, Visitor,
};
use serde_json::{Map, Number, Value};

use super::nearest::nearest;
use super::not_built::not_built;
use super::place::Place;
use crate::jose::Excerpt;

/// Reads a wire type; members that it does not have are noted as errors and passed over.
pub(super) fn read<T: DeserializeOwned>(value: &Value, place: &Place<'_>) -> Result<T, WireError> {
    T::deserialize(Reader { value, place })
}

/// What is wrong with one value.
#[derive(Debug)]
pub(super) struct WireError(String);

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WireError {}

impl Error for WireError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        // The value itself is not shown: it may be a secret.
        let found = match found {
            Unexpected::Bool(_) => "a boolean",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
            Unexpected::Float(_) => "a number with a fraction",
            Unexpected::Str(_) => "a text",
            Unexpected::Unit => "null",
            Unexpected::Seq => "an array",
            _ => "an object",
        };
        Self(format!("is {found}; {} is needed", plain(expected)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match found {
            Unexpected::Signed(_) => Self(format!("is negative; {} is needed", plain(expected))),
            found => Self::invalid_type(found, expected),
        }
    }

    fn unknown_variant(word: &str, words: &'static [&'static str]) -> Self {
        let (word, words) = (Excerpt::of(word), words.join(", "));
        Self(format!("is {word}; accepted are: {words}"))
    }
}

/// Serde's words for what it expects, as the people who write configurations say it.
fn plain(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "a string" => "a text",
        "u64" | "i64" => "a whole number",
        "f64" => "a number",
        "a sequence" => "an array",
        "a map" => "an object",
        _ => return text,
    }
    .to_owned()
}

/// A value and its place.
#[derive(Clone, Copy)]
struct Reader<'a> {
    value: &'a Value,
    place: &'a Place<'a>,
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = WireError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Number(number) => visit_number(number, visitor),
            Value::String(text) => visitor.visit_str(text),
            Value::Array(elements) => visitor.visit_seq(Elements {
                elements: elements.iter().enumerate(),
                place: self.place,
            }),
            Value::Object(members) => visitor.visit_map(Members::new(members, self.place, None)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, WireError> {
        let Value::Object(members) = self.value else {
            return Err(self.not_an_object(fields));
        };
        let unknown = members.keys().filter(|key| !fields.contains(&key.as_str()));
        for key in unknown {
            note_unknown(&self.place.member(key), name, key, fields);
        }
        visitor.visit_map(Members::new(members, self.place, Some(fields)))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, WireError> {
        match self.value {
            Value::String(word) => visitor.visit_enum(word.as_str().into_deserializer()),
            other => {
                let expected = format!("one of {}", words.join(", "));
                Err(WireError::invalid_type(
                    unexpected(other),
                    &expected.as_str(),
                ))
            }
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

impl Reader<'_> {
    fn not_an_object(self, fields: &[&str]) -> WireError {
        let expected = format!("an object with {}", fields.join(", "));
        WireError::invalid_type(unexpected(self.value), &expected.as_str())
    }
}

fn unexpected(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(flag) => Unexpected::Bool(*flag),
        Value::Number(number) => match whole(number) {
            Some(_) => Unexpected::Unsigned(0),
            None => Unexpected::Float(0.0),
        },
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}

/// Hosts hand numbers as doubles, so 1.0 is 1.
fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, WireError> {
    match (whole(number), number.as_f64()) {
        (Some(number), _) => match u64::try_from(number) {
            Ok(number) => visitor.visit_u64(number),
            Err(_) => visitor.visit_i64(number),
        },
        (None, Some(number)) => visitor.visit_f64(number),
        (None, None) => visitor.visit_f64(f64::NAN),
    }
}

/// The number where it is whole and a double holds it exactly.
fn whole(number: &Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        #[allow(clippy::cast_possible_truncation, reason = "whole and within 53 bits")]
        (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i64)
    })
}

fn note_unknown(place: &Place<'_>, name: &str, key: &str, fields: &[&str]) {
    if let Some(what) = not_built(name, key) {
        place.error(format_args!(
            "{what} not built into this version of Postern yet; remove it"
        ));
        return;
    }
    let fields_are = fields.join(", ");
    match nearest(key, fields) {
        Some(field) => place.error(format_args!(
            "is not a field; did you mean \"{field}\"? fields are: {fields_are}"
        )),
        None => place.error(format_args!("is not a field; fields are: {fields_are}")),
    }
}

struct Elements<'a> {
    elements: std::iter::Enumerate<std::slice::Iter<'a, Value>>,
    place: &'a Place<'a>,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = WireError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, WireError> {
        let next = self.elements.next().map(|(index, value)| {
            let place = &self.place.element(index);
            seed.deserialize(Reader { value, place })
        });
        next.transpose()
    }
}

struct Members<'a> {
    members: serde_json::map::Iter<'a>,
    known: Option<&'a [&'a str]>,
    place: &'a Place<'a>,
    value: Option<(&'a str, &'a Value)>,
}

impl<'a> Members<'a> {
    fn new(
        members: &'a Map<String, Value>,
        place: &'a Place<'a>,
        known: Option<&'a [&'a str]>,
    ) -> Self {
        Self {
            members: members.iter(),
            known,
            place,
            value: None,
        }
    }
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = WireError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, WireError> {
        let known = self.known;
        let wanted = |key: &str| known.is_none_or(|known| known.contains(&key));
        let Some((key, value)) = self.members.find(|(key, _)| wanted(key)) else {
            return Ok(None);
        };
        self.value = Some((key, value));
        seed.deserialize(key.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, WireError> {
        let (key, value) = self.value.take().unwrap_or(("", &Value::Null));
        let place = &self.place.member(key);
        seed.deserialize(Reader { value, place })
    }
}
