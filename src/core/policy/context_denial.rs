//! Which condition on a request's context does not hold, and why.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::decision::{Denial, Reason};
use crate::request::QueryError;

/// Which condition does not hold, and why. Holds nothing that the caller chose but numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextDenial {
    /// A query parameter that must be there is not.
    QueryMissing {
        /// Its name.
        name: String,
    },
    /// A query parameter cannot be read in one way.
    QueryUnreadable {
        /// Its name.
        name: String,
        /// Why.
        error: QueryError,
    },
    /// A query parameter has another value.
    Query {
        /// Its name.
        name: String,
    },
    /// A header field that must be there is not.
    HeaderMissing {
        /// Its name.
        name: String,
    },
    /// A header field appears several times, under a name that can be taken for it, or is not
    /// UTF-8.
    HeaderUnreadable {
        /// Its name.
        name: String,
    },
    /// A header field has another value.
    Header {
        /// Its name.
        name: String,
    },
    /// The caller's address is not known.
    SourceUnknown,
    /// The caller's address is in none of the networks.
    Source {
        /// The address.
        address: IpAddr,
    },
    /// It is another time of day or day of the week.
    Hours,
    /// The body is too long.
    Body {
        /// How many bytes are declared or were seen.
        bytes: u64,
        /// How many are allowed.
        max: u64,
    },
    /// The token does not say when it was issued.
    TokenAgeUnknown,
    /// The token was issued too long ago.
    TokenAge {
        /// How long ago.
        age: Duration,
        /// How long ago it may have been.
        max: Duration,
    },
}

impl fmt::Display for ContextDenial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueryMissing { name } => write!(f, "the query parameter {name} is missing"),
            Self::QueryUnreadable { name, error } => {
                write!(f, "the query parameter {name} {error}")
            }
            Self::Query { name } => {
                write!(
                    f,
                    "the query parameter {name} does not have an allowed value"
                )
            }
            Self::HeaderMissing { name } => write!(f, "the header {name} is missing"),
            Self::HeaderUnreadable { name } => {
                write!(
                    f,
                    "the header {name} appears several times, under a name that can be taken for it, or is not UTF-8"
                )
            }
            Self::Header { name } => write!(f, "the header {name} does not have an allowed value"),
            Self::SourceUnknown => f.write_str("the source address is not known"),
            Self::Source { address } => write!(f, "the source address {address} is not allowed"),
            Self::Hours => f.write_str("this is outside the allowed hours"),
            Self::Body { bytes, max } => {
                write!(f, "the body has {bytes} bytes or more, over {max}")
            }
            Self::TokenAgeUnknown => f.write_str("the token does not say when it was issued"),
            Self::TokenAge { age, max } => {
                let (age, max) = (age.as_secs(), max.as_secs());
                write!(f, "the token was issued {age} s ago, over {max} s")
            }
        }
    }
}

impl std::error::Error for ContextDenial {}

impl From<ContextDenial> for Denial {
    fn from(denial: ContextDenial) -> Self {
        let reason = match denial {
            ContextDenial::QueryUnreadable { .. } => Reason::QueryAmbiguous,
            _ => Reason::ContextDenied,
        };
        Self::new(reason, denial.to_string())
    }
}
