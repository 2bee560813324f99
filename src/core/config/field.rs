//! A member of a wire type: it keeps its own error, so that the rest of the document is read on.

use super::mistake::{Mistake, Wrong};
use super::place::Place;

/// A member of a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Field<T> {
    /// The document does not have it.
    #[default]
    Absent,
    /// It is there and cannot be read; what is wrong with it.
    Wrong(Wrong),
    /// It is there.
    Given(T),
}

impl<T> Field<T> {
    /// Whether the document does not have it.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The value where it could be read.
    #[must_use]
    pub const fn given(&self) -> Option<&T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Wrong(_) => None,
        }
    }

    /// The value where it could be read; says what is wrong where it could not.
    pub(super) fn optional(&self, place: &Place<'_>) -> Option<&T> {
        match self {
            Self::Absent => None,
            Self::Given(value) => Some(value),
            Self::Wrong(wrong) => {
                place.wrong(wrong);
                None
            }
        }
    }

    /// As [`Self::optional`], and says what is needed where it is absent.
    pub(super) fn required(&self, place: &Place<'_>, needed: &str) -> Option<&T> {
        if self.is_absent() {
            place.error(
                Mistake::MissingField,
                "is missing",
                format_args!("{needed} is needed"),
            );
        }
        self.optional(place)
    }
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Field<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}
