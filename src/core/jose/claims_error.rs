//! Why a verified token's claims are not accepted.

use std::{fmt, time::Duration};

use super::{NumericDate, json::JsonError};
use crate::base::{Excerpt, Now};
use crate::decision::Reason;

/// Why a verified token's claims are not accepted.
///
/// What the token says is held cut and escaped. Instants are shown in seconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimsError {
    /// The payload is not strict JSON.
    NotJson(JsonError),
    /// The payload is no JSON object.
    NotAnObject,
    /// A claim that must be there is not.
    Missing(&'static str),
    /// A claim is not of its registered type.
    WrongType(&'static str),
    /// A date is before 1970 by or after the year 9999: a mistake for milliseconds, or for "never".
    DateOutOfRange(&'static str),
    /// A claim holds control characters, which could break a header field or a log line.
    ControlCharacters(&'static str),
    /// `iss` is another issuer than the one whose keys verified the token.
    OtherIssuer(Excerpt),
    /// `exp` is past.
    Expired {
        /// The token's `exp`.
        expires_at: NumericDate,
        /// When it was looked at.
        now: Now,
    },
    /// `nbf` or `iat` is ahead.
    NotYetValid {
        /// The claim: `nbf` or `iat`.
        claim: &'static str,
        /// Its instant.
        from: NumericDate,
        /// When it was looked at.
        now: Now,
    },
    /// From `iat` to `exp` is more than the issuer may grant.
    LifetimeExceeded {
        /// The token's `iat`.
        issued_at: NumericDate,
        /// The token's `exp`.
        expires_at: NumericDate,
        /// The most that may be between them.
        max: Duration,
    },
    /// `aud` names none of the audiences.
    OtherAudience,
}

impl ClaimsError {
    /// The stable reason of a denial for this.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::NotJson(_)
            | Self::NotAnObject
            | Self::DateOutOfRange(_)
            | Self::ControlCharacters(_) => Reason::CredentialMalformed,
            Self::Missing(_) | Self::WrongType(_) => Reason::ClaimMissing,
            Self::OtherIssuer(_) => Reason::IssuerUnknown,
            Self::Expired { .. } => Reason::TokenExpired,
            Self::NotYetValid { .. } => Reason::TokenNotYetValid,
            Self::LifetimeExceeded { .. } => Reason::TokenLifetimeExceeded,
            Self::OtherAudience => Reason::AudienceMismatch,
        }
    }
}

impl fmt::Display for ClaimsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(error) => write!(f, "The token's payload: {error}."),
            Self::NotAnObject => f.write_str("The token's payload is no JSON object."),
            Self::Missing(claim) => write!(f, "The token has no `{claim}`."),
            Self::WrongType(claim) => write!(f, "The token's `{claim}` is of another type."),
            Self::DateOutOfRange(claim) => {
                write!(f, "The token's `{claim}` is no date up to the year 9999.")
            }
            Self::ControlCharacters(claim) => {
                write!(f, "The token's `{claim}` holds control characters.")
            }
            Self::OtherIssuer(issuer) => {
                write!(
                    f,
                    "The token is from {issuer}, not from the issuer expected."
                )
            }
            Self::Expired { expires_at, now } => {
                write!(
                    f,
                    "The token expired at {expires_at}; it is {}.",
                    now.secs()
                )
            }
            Self::NotYetValid { claim, from, now } => write!(
                f,
                "The token is valid from {from} by its `{claim}`; it is {}.",
                now.secs()
            ),
            Self::LifetimeExceeded {
                issued_at,
                expires_at,
                max,
            } => write!(
                f,
                "The token lives from {issued_at} to {expires_at}; {} seconds are allowed.",
                max.as_secs()
            ),
            Self::OtherAudience => f.write_str("The token is for none of the audiences here."),
        }
    }
}

impl std::error::Error for ClaimsError {}
