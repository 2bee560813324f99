//! A route's conditions on the request's context: a row for each kind, in a file of its own.
//!
//! A kind has all that is particular to it: its check, how it fails in words, and what it asks, as
//! people are told. A new one is a file and a row in `kinds!`.

mod body_bytes_max;
mod header;
mod hours;
mod kind;
mod query;
mod source;
mod token_age_max;

use std::fmt;

pub use body_bytes_max::BodyBytesMax;
pub use header::HeaderCondition;
pub use hours::{Hours, HoursError, Weekday, Weekdays};
use kind::ConditionKind;
pub use kind::Facts;
pub use query::{NumberRange, QueryCondition, QueryValues};
pub use source::SourceCondition;
pub use token_age_max::TokenAgeMax;

use crate::decision::Denial;

/// The conditions of a route, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When(Vec<Condition>);

impl When {
    /// Makes the conditions of a route.
    #[must_use]
    pub const fn new(conditions: Vec<Condition>) -> Self {
        Self(conditions)
    }

    /// Checks every condition; the first that does not hold decides.
    ///
    /// # Errors
    ///
    /// The [`Denial`] of that condition.
    pub fn check(&self, facts: &Facts<'_>) -> Result<(), Denial> {
        self.0
            .iter()
            .try_for_each(|condition| condition.check(facts))
    }

    /// The most bytes that a body may have, for watching it as it streams; none without a bound.
    #[must_use]
    pub fn body_bytes_max(&self) -> Option<u64> {
        self.0.iter().filter_map(Condition::body_bytes_max).min()
    }

    /// The conditions in the order given.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        &self.0
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $type:ident;)+) => {
        /// One condition; its text is what it asks.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Condition {
            $($(#[$doc])* $kind($type),)+
        }

        impl Condition {
            /// Checks the condition.
            ///
            /// # Errors
            ///
            /// A [`Denial`] where it does not hold, which is also where it cannot be judged: an
            /// address that is not known, a field that appears twice, a token that does not say its
            /// age.
            pub fn check(&self, facts: &Facts<'_>) -> Result<(), Denial> {
                match self { $(Self::$kind(condition) => condition.check(facts),)+ }
            }

            /// The header field that it is judged by, in lower case; none where it is by no field.
            #[must_use]
            pub fn header(&self) -> Option<&str> {
                match self { $(Self::$kind(condition) => condition.header(),)+ }
            }

            /// The most bytes that a body may have; none where it is about something else.
            #[must_use]
            pub fn body_bytes_max(&self) -> Option<u64> {
                match self { $(Self::$kind(condition) => condition.body_bytes_max(),)+ }
            }
        }

        impl fmt::Display for Condition {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Self::$kind(condition) => fmt::Display::fmt(condition, f),)+ }
            }
        }
    };
}

kinds! {
    /// A query parameter has an allowed value.
    Query = QueryCondition;
    /// A header field has an allowed value.
    Header = HeaderCondition;
    /// The caller's address is in one of the networks.
    Source = SourceCondition;
    /// The time of day and the day of the week.
    Hours = Hours;
    /// The body has at most so many bytes.
    BodyBytesMax = BodyBytesMax;
    /// The token was issued at most so long ago.
    TokenAgeMax = TokenAgeMax;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Reason;
    use crate::request::Headers;

    #[test]
    fn the_smallest_bound_on_the_body_is_the_one_to_watch() {
        let when = When::new(vec![
            Condition::BodyBytesMax(BodyBytesMax(20)),
            Condition::Hours(Hours::parse("00:00-24:00", Weekdays::ALL).unwrap()),
            Condition::BodyBytesMax(BodyBytesMax(10)),
        ]);
        assert_eq!(when.body_bytes_max(), Some(10));
        let headers = Headers::default();
        let mut facts = Facts::of(None, &headers);
        assert_eq!(when.check(&facts), Ok(()));
        facts.request.body_bytes = Some(11);
        assert_eq!(
            when.check(&facts),
            Err(Denial::new(
                Reason::ContextDenied,
                "the body has 11 bytes or more, over 10"
            ))
        );
    }
}
