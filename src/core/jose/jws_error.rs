//! Why a token is no token, or its signature is not believed.

use std::fmt;

use super::json::JsonError;
use crate::base::Excerpt;
use crate::decision::Reason;

/// A part of a token in compact form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first segment.
    Header,
    /// The second segment.
    Payload,
    /// The third segment.
    Signature,
}

/// Why a token is no token, or its signature is not believed.
///
/// What a caller chose is held cut and escaped; no token, key or signature is ever in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwsError {
    /// It has more than this many bytes.
    TooLarge(usize),
    /// It has not three segments.
    NotCompact,
    /// It has five segments: a JWE, whose content only its addressee can read.
    Encrypted,
    /// A segment is not strict base64url.
    NotBase64url(Part),
    /// The header is not strict JSON.
    HeaderNotJson(JsonError),
    /// The header is no JSON object.
    HeaderNotAnObject,
    /// A header parameter must be there, or is not what it must be.
    HeaderParameter(&'static str),
    /// The header demands an extension (`crit` or `b64`); none is understood.
    Critical(&'static str),
    /// The `alg` is unknown, or not one that the issuer's tokens may have.
    AlgorithmNotAllowed(Excerpt),
    /// The key that the token names may not be used with its `alg`.
    KeyUnsuited(Excerpt),
    /// No key has the token's `kid`.
    KidUnknown(Excerpt),
    /// The token names no key, and none fits its `alg`.
    NoKeyFits,
    /// The signature does not hold under any key that fits.
    SignatureInvalid,
    /// More keys fit than may be tried, and it does not hold under those that were.
    KeyAmbiguous,
    /// The `typ` is not one that the profile takes; none stands for an absent one.
    TypeMismatch(Option<Excerpt>),
}

impl JwsError {
    /// The stable reason of a denial for this.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::TooLarge(_)
            | Self::NotCompact
            | Self::Encrypted
            | Self::NotBase64url(_)
            | Self::HeaderNotJson(_)
            | Self::HeaderNotAnObject
            | Self::HeaderParameter(_)
            | Self::Critical(_) => Reason::CredentialMalformed,
            Self::AlgorithmNotAllowed(_) | Self::KeyUnsuited(_) => Reason::AlgorithmNotAllowed,
            Self::KidUnknown(_) | Self::NoKeyFits => Reason::KeyUnknown,
            Self::SignatureInvalid => Reason::SignatureInvalid,
            Self::KeyAmbiguous => Reason::KeyAmbiguous,
            Self::TypeMismatch(_) => Reason::TypeMismatch,
        }
    }
}

impl fmt::Display for JwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(bytes) => write!(f, "The token has more than {bytes} bytes."),
            Self::NotCompact => f.write_str("The token is not a JWS in compact form."),
            Self::Encrypted => f.write_str("The token is encrypted (a JWE); a JWS is needed."),
            Self::NotBase64url(part) => {
                write!(f, "The token's {part} is not unpadded base64url.")
            }
            Self::HeaderNotJson(error) => write!(f, "The token's header: {error}."),
            Self::HeaderNotAnObject => f.write_str("The token's header is no JSON object."),
            Self::HeaderParameter(name) => {
                write!(f, "The token's header has no `{name}` that is a string.")
            }
            Self::Critical(name) => write!(
                f,
                "The token's header demands an extension by `{name}`; none is understood."
            ),
            Self::AlgorithmNotAllowed(alg) => {
                write!(f, "The token's algorithm {alg} is not allowed.")
            }
            Self::KeyUnsuited(alg) => write!(
                f,
                "The key that the token names may not be used with its algorithm {alg}."
            ),
            Self::KidUnknown(kid) => write!(f, "The issuer has no key {kid}."),
            Self::NoKeyFits => {
                f.write_str("The token names no key, and the issuer has none for its algorithm.")
            }
            Self::SignatureInvalid => f.write_str("The token's signature does not hold."),
            Self::KeyAmbiguous => f.write_str(
                "More keys fit the token than may be tried; it has to name its own (`kid`).",
            ),
            Self::TypeMismatch(Some(typ)) => write!(f, "The token's type {typ} is not accepted."),
            Self::TypeMismatch(None) => f.write_str("The token has no type, and must have one."),
        }
    }
}

impl std::error::Error for JwsError {}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}
