//! A member of an event, of whatever type it is: reading it never fails, asking for it may.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A member of an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scalar<'a> {
    /// Not there, or null.
    #[default]
    None,
    Text(Cow<'a, str>),
    Whole(u64),
    /// A number that is negative or has a fraction.
    Number(f64),
    /// What no member is.
    Other(&'static str),
}

impl<'a> Scalar<'a> {
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// The text; none where there is none, or an empty one.
    pub fn text(self, name: &str) -> Result<Option<Cow<'a, str>>, String> {
        match self {
            Self::None => Ok(None),
            Self::Text(text) => Ok(Some(text).filter(|text| !text.is_empty())),
            other => Err(format!("{name} is {other}; a text is needed")),
        }
    }

    /// The whole number, up to `most`.
    pub fn whole(self, name: &str, most: u64) -> Result<Option<u64>, String> {
        match self {
            Self::None => Ok(None),
            Self::Whole(number) if number <= most => Ok(Some(number)),
            other => Err(format!(
                "{name} is {other}; a whole number from 0 to {most} is needed"
            )),
        }
    }
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("not there"),
            Self::Text(text) => {
                let text = crate::text::printable(text);
                write!(f, "\"{}\"", crate::text::shortened(&text, 60))
            }
            Self::Whole(number) => number.fmt(f),
            Self::Number(number) => write!(f, "{number:?}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::None)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other(if truth { "true" } else { "false" }))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Whole(number))
    }

    #[allow(clippy::cast_precision_loss, reason = "it is only told of")]
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar<'de>, E> {
        Ok(u64::try_from(number).map_or(Scalar::Number(number as f64), Scalar::Whole))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Scalar<'de>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other("an object"))
    }
}
