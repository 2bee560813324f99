//! Compact JWS (RFC 7515): put together, and taken apart without trusting it.

use postern_core::base::base64url;
use serde_json::{Map, Value};

use super::Signer;

/// The header and claims of a token that nobody has verified.
pub struct Parts {
    /// The header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
}

/// Signs claims.
#[must_use]
pub fn signed(key: &Signer, header: &Map<String, Value>, claims: &Value) -> String {
    compact(header, claims, |input| key.sign(input))
}

/// Puts a token together, with any signature.
#[must_use]
pub fn compact(
    header: &Map<String, Value>,
    claims: &Value,
    sign: impl Fn(&[u8]) -> Vec<u8>,
) -> String {
    let header = serde_json::to_vec(header).unwrap_or_default();
    joined(&header, claims.to_string().as_bytes(), sign)
}

/// Puts a token together of any bytes, with any signature (RFC 7515 section 7.1).
#[must_use]
pub fn joined(header: &[u8], payload: &[u8], sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let input = [header, payload].map(base64url::encode).join(".");
    let signature = base64url::encode(&sign(input.as_bytes()));
    format!("{input}.{signature}")
}

/// Takes a token apart; none where header and payload are not JSON objects in base64url.
#[must_use]
pub fn parts(token: &str) -> Option<Parts> {
    let mut segments = token.split('.');
    let mut part = || {
        let json = base64url::decode(segments.next()?.as_bytes())?;
        match serde_json::from_slice(&json).ok()? {
            Value::Object(members) => Some(members),
            _ => None,
        }
    };
    Some(Parts {
        header: part()?,
        claims: part()?,
    })
}
