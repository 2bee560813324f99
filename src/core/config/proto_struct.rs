//! A document as Envoy hands a `google.protobuf.Struct`: in protobuf's own wire format.
//!
//! `Struct {map<string, Value> fields = 1}`, `Value {oneof: null 1, number 2 (double), string 3,
//! bool 4, Struct 5, ListValue 6}`, `ListValue {repeated Value values = 1}`
//! (<https://protobuf.dev/reference/protobuf/google.protobuf/#struct>). A map cannot hold a name
//! twice, so a repeated one is no document of Envoy's.

use serde_json::{Map, Number, Value};

/// Deeper nesting is refused.
const DEPTH: usize = 64;

const VARINT: u64 = 0;
const DOUBLE: u64 = 1;
const BYTES: u64 = 2;

/// Reads a `Struct`; none where the bytes are not one.
pub(super) fn read(bytes: &[u8]) -> Option<Value> {
    structure(bytes, DEPTH)
}

fn structure(mut bytes: &[u8], depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let mut members = Map::new();
    while !bytes.is_empty() {
        let entry = expect(&mut bytes, 1, BYTES)?;
        let (name, value) = member(entry, depth)?;
        if members.insert(name, value).is_some() {
            return None;
        }
    }
    Some(Value::Object(members))
}

/// One entry of a map: the key is field 1, the value field 2; an absent key is the empty one.
fn member(mut entry: &[u8], depth: usize) -> Option<(String, Value)> {
    let (mut name, mut found) = (String::new(), Value::Null);
    while !entry.is_empty() {
        match tag(&mut entry)? {
            (1, BYTES) => name = text(length_delimited(&mut entry)?)?,
            (2, BYTES) => found = value(length_delimited(&mut entry)?, depth)?,
            _ => return None,
        }
    }
    Some((name, found))
}

fn value(mut bytes: &[u8], depth: usize) -> Option<Value> {
    let mut found = Value::Null;
    while !bytes.is_empty() {
        found = match tag(&mut bytes)? {
            (1, VARINT) => varint(&mut bytes).map(|_| Value::Null)?,
            (2, DOUBLE) => number(&mut bytes)?,
            (3, BYTES) => Value::String(text(length_delimited(&mut bytes)?)?),
            (4, VARINT) => Value::Bool(varint(&mut bytes)? != 0),
            (5, BYTES) => structure(length_delimited(&mut bytes)?, depth)?,
            (6, BYTES) => list(length_delimited(&mut bytes)?, depth)?,
            _ => return None,
        };
    }
    Some(found)
}

fn list(mut bytes: &[u8], depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let mut values = Vec::new();
    while !bytes.is_empty() {
        values.push(value(expect(&mut bytes, 1, BYTES)?, depth)?);
    }
    Some(Value::Array(values))
}

// Every number of a Struct is a double; a whole one is what the operator wrote.
fn number(bytes: &mut &[u8]) -> Option<Value> {
    let (eight, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    let number = f64::from_le_bytes(*eight);
    let is_whole = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 53 bits")]
    let whole = is_whole.then_some(number as i64);
    whole
        .map(Number::from)
        .or_else(|| Number::from_f64(number))
        .map(Value::Number)
}

fn expect<'a>(bytes: &mut &'a [u8], field: u64, kind: u64) -> Option<&'a [u8]> {
    if tag(bytes)? == (field, kind) {
        length_delimited(bytes)
    } else {
        None
    }
}

fn tag(bytes: &mut &[u8]) -> Option<(u64, u64)> {
    let tag = varint(bytes)?;
    Some((tag >> 3, tag & 7))
}

fn length_delimited<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn delimited(field: u8, bytes: &[u8]) -> Vec<u8> {
        let mut length = bytes.len();
        let mut out = vec![field << 3 | 2];
        while length >= 0x80 {
            out.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        out.push(u8::try_from(length).unwrap());
        out.extend(bytes);
        out
    }

    fn written(value: &Value) -> Vec<u8> {
        match value {
            Value::Null => vec![1 << 3, 0],
            Value::Bool(truth) => vec![4 << 3, u8::from(*truth)],
            Value::Number(number) => {
                [&[2 << 3 | 1][..], &number.as_f64().unwrap().to_le_bytes()].concat()
            }
            Value::String(text) => delimited(3, text.as_bytes()),
            Value::Object(_) => delimited(5, &structure_of(value)),
            Value::Array(values) => {
                let values: Vec<u8> = values
                    .iter()
                    .flat_map(|v| delimited(1, &written(v)))
                    .collect();
                delimited(6, &values)
            }
        }
    }

    fn structure_of(value: &Value) -> Vec<u8> {
        let entry = |(name, value): (&String, &Value)| {
            delimited(
                1,
                &[delimited(1, name.as_bytes()), delimited(2, &written(value))].concat(),
            )
        };
        value.as_object().unwrap().iter().flat_map(entry).collect()
    }

    #[test]
    fn reads_every_kind_of_value() {
        let document = json!({
            "version": 1, "share": 0.5, "on": true, "none": null, "large": 1e300,
            "list": ["a", {"b": [], "c": {}}], "text": "x".repeat(1000),
        });
        assert_eq!(read(&structure_of(&document)), Some(document));
    }

    #[test]
    fn refuses_truncations_repeated_names_and_depth() {
        let whole = structure_of(&json!({"a": {"b": [1, "x"]}}));
        for end in 1..whole.len() {
            assert_eq!(read(&whole[..end]), None, "cut at {end}");
        }
        assert_eq!(read(&[whole.clone(), whole].concat()), None);
        let mut deep = json!(1);
        for _ in 0..DEPTH {
            deep = json!([deep]);
        }
        assert_eq!(read(&structure_of(&json!({"a": deep}))), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
