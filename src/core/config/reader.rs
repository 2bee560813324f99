//! Reads wire types out of a parsed document, and says what a person can act on where it cannot.
//!
//! Whatever differs from type to type is a table; the code that walks a document is there once.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use super::field::Field;
use super::mistake::{Mistake, Wrong};
use super::nearest::nearest;
use super::not_built::not_built;
use super::place::Place;
use crate::base::Excerpt;

/// What a document can hold.
pub(super) trait Wire: Sized {
    /// Reads a value; members that it does not have are noted as errors and passed over.
    fn read(value: &Value, place: &Place<'_>) -> Result<Self, Wrong>;
}

/// A wire type of named members, as `object!` declares it.
pub(super) trait Object {
    /// The type's name.
    fn name(&self) -> &'static str;

    /// The names of its members, in the order of the declaration.
    fn members(&self) -> &'static [&'static str];

    /// The member at that place in the declaration.
    fn member(&mut self, index: usize) -> Option<&mut dyn Member>;
}

/// A member of an object, whatever it holds.
pub(super) trait Member {
    /// Reads it, or keeps what is wrong with it.
    fn fill(&mut self, value: &Value, place: &Place<'_>);
}

impl<T: Wire> Member for Field<T> {
    fn fill(&mut self, value: &Value, place: &Place<'_>) {
        *self = read_field(value, place);
    }
}

/// Reads a value, or keeps what is wrong with it.
pub(super) fn read_field<T: Wire>(value: &Value, place: &Place<'_>) -> Field<T> {
    match T::read(value, place) {
        Ok(value) => Field::Given(value),
        Err(wrong) => Field::Wrong(wrong),
    }
}

/// A value of another type than is needed; it is not shown itself, since it may be a secret.
fn wrong_type(value: &Value, needed: &str) -> Wrong {
    let found = match value {
        Value::Null => "is null",
        Value::Bool(_) => "is a boolean",
        Value::Number(number) if whole(number).is_some() => "is a whole number",
        Value::Number(_) => "is a number with a fraction",
        Value::String(_) => "is a text",
        Value::Array(_) => "is an array",
        Value::Object(_) => "is an object",
    };
    Wrong::new(Mistake::WrongType, found, format!("{needed} is needed"))
}

/// Reads the members that an object has.
pub(super) fn read_object(
    object: &mut dyn Object,
    value: &Value,
    place: &Place<'_>,
) -> Result<(), Wrong> {
    let (name, names) = (object.name(), object.members());
    let Value::Object(members) = value else {
        let needed = format!("an object with {}", names.join(", "));
        return Err(wrong_type(value, &needed));
    };
    for key in members.keys().filter(|key| !names.contains(&key.as_str())) {
        note_unknown(&place.member(key), name, key, names);
    }
    for (key, value) in members {
        let index = names.iter().position(|name| name == key);
        if let Some(member) = index.and_then(|index| object.member(index)) {
            member.fill(value, &place.member(key));
        }
    }
    Ok(())
}

fn note_unknown(place: &Place<'_>, name: &str, key: &str, fields: &[&str]) {
    if let Some(what) = not_built(name, key) {
        place.error(
            Mistake::Unsupported,
            format_args!("{what} not built into this version of Postern yet"),
            "remove it",
        );
        return;
    }
    let fields_are = fields.join(", ");
    match nearest(key, fields) {
        Some(field) => place.error(
            Mistake::UnknownField,
            "is not a field",
            format_args!("did you mean \"{field}\"? fields are: {fields_are}"),
        ),
        None => place.error(
            Mistake::UnknownField,
            "is not a field",
            format_args!("fields are: {fields_are}"),
        ),
    }
}

/// Reads one of several words, each with what it stands for.
pub(super) fn read_word<T: Copy>(value: &Value, words: &[(&'static str, T)]) -> Result<T, Wrong> {
    let given = value.as_str();
    let meant = words.iter().find(|(word, _)| given == Some(word));
    meant.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        no_word(value, &words.join(", "))
    })
}

fn no_word(value: &Value, words: &str) -> Wrong {
    match value {
        Value::String(text) => {
            let text = Excerpt::of(text);
            Wrong::new(
                Mistake::UnknownWord,
                format!("is {text}"),
                format!("accepted are: {words}"),
            )
        }
        other => wrong_type(other, &format!("one of {words}")),
    }
}

/// Reads a text in a notation of its own.
pub(super) fn read_notation<T>(
    value: &Value,
    needed: &str,
    parse: fn(&str) -> Option<T>,
) -> Result<T, Wrong> {
    let Value::String(text) = value else {
        return Err(wrong_type(value, needed));
    };
    parse(text).ok_or_else(|| {
        let text = Excerpt::of(text);
        Wrong::new(
            Mistake::Malformed,
            format!("is {text}"),
            format!("{needed} is needed"),
        )
    })
}

/// Reads a whole number that is not negative.
pub(super) fn read_count(value: &Value, needed: &str) -> Result<u64, Wrong> {
    let number = read_whole(value, needed)?;
    u64::try_from(number).map_err(|_| {
        Wrong::new(
            Mistake::OutOfRange,
            "is negative",
            format!("{needed} is needed"),
        )
    })
}

fn read_whole(value: &Value, needed: &str) -> Result<i64, Wrong> {
    let number = value.as_number().and_then(whole);
    number.ok_or_else(|| wrong_type(value, needed))
}

/// The number where it is whole and a double holds it exactly.
///
/// Hosts hand numbers as doubles, so 1.0 is 1.
fn whole(number: &Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        #[allow(clippy::cast_possible_truncation, reason = "whole and within 53 bits")]
        (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i64)
    })
}

impl Wire for bool {
    fn read(value: &Value, _: &Place<'_>) -> Result<Self, Wrong> {
        let flag = value.as_bool();
        flag.ok_or_else(|| wrong_type(value, "a boolean"))
    }
}

impl Wire for u64 {
    fn read(value: &Value, _: &Place<'_>) -> Result<Self, Wrong> {
        read_count(value, "a whole number")
    }
}

impl Wire for i64 {
    fn read(value: &Value, _: &Place<'_>) -> Result<Self, Wrong> {
        read_whole(value, "a whole number")
    }
}

impl Wire for f64 {
    fn read(value: &Value, _: &Place<'_>) -> Result<Self, Wrong> {
        let number = value.as_f64();
        number.ok_or_else(|| wrong_type(value, "a number"))
    }
}

impl Wire for String {
    fn read(value: &Value, _: &Place<'_>) -> Result<Self, Wrong> {
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| wrong_type(value, "a text"))
    }
}

impl Wire for Value {
    fn read(value: &Value, _: &Place<'_>) -> Result<Self, Wrong> {
        let mut value = value.clone();
        make_whole(&mut value);
        Ok(value)
    }
}

/// Takes the fraction from whole numbers, which may be written with one of zero.
fn make_whole(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let whole = whole(number).map(Value::from);
            *value = whole.unwrap_or_else(|| Value::from(number.as_f64()));
        }
        Value::Array(elements) => elements.iter_mut().for_each(make_whole),
        Value::Object(members) => members.values_mut().for_each(make_whole),
        _ => {}
    }
}

impl<T: Wire> Wire for Vec<Field<T>> {
    fn read(value: &Value, place: &Place<'_>) -> Result<Self, Wrong> {
        let Value::Array(elements) = value else {
            return Err(wrong_type(value, "an array"));
        };
        let elements = elements.iter().enumerate();
        let read = elements.map(|(index, value)| read_field(value, &place.element(index)));
        Ok(read.collect())
    }
}

impl<T: Wire> Wire for BTreeMap<String, Field<T>> {
    fn read(value: &Value, place: &Place<'_>) -> Result<Self, Wrong> {
        let Value::Object(members) = value else {
            return Err(wrong_type(value, "an object"));
        };
        let mut read = Self::new();
        for (name, value) in members {
            read.insert(name.clone(), read_field(value, &place.member(name)));
        }
        Ok(read)
    }
}
