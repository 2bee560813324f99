//! The header of a JSON Web Signature (RFC 7515 section 4).

use std::mem;

use serde_json::{Map, Value};

use super::{
    JwsError,
    json::{self, Bounds},
};

/// The header parameters that are looked at. A token's own `jwk`, `jku`, `x5u` and `x5c` are not:
/// a caller does not choose the key (RFC 8725 section 3.10).
#[derive(Clone)]
pub struct Header {
    pub alg: String,
    pub kid: Option<String>,
    pub typ: Option<String>,
}

impl Header {
    /// Reads a decoded header.
    pub fn parse(bytes: &[u8]) -> Result<Self, JwsError> {
        let value = json::parse(bytes, Bounds::TOKEN).map_err(JwsError::HeaderNotJson)?;
        let Value::Object(mut parameters) = value else {
            return Err(JwsError::HeaderNotAnObject);
        };
        // RFC 7515 section 4.1.11: what must be understood is not. RFC 7797 section 6: `b64` may
        // not be there without `crit`.
        for name in ["crit", "b64"] {
            if parameters.contains_key(name) {
                return Err(JwsError::Critical(name));
            }
        }
        take_string(&mut parameters, "cty")?;
        Ok(Self {
            alg: take_string(&mut parameters, "alg")?.ok_or(JwsError::HeaderParameter("alg"))?,
            kid: take_string(&mut parameters, "kid")?,
            typ: take_string(&mut parameters, "typ")?,
        })
    }
}

fn take_string(
    parameters: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<String>, JwsError> {
    match parameters.get_mut(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(mem::take(text))),
        Some(_) => Err(JwsError::HeaderParameter(name)),
    }
}
