//! The header of a JSON Web Signature (RFC 7515 section 4).

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
        let parameters = value.as_object().ok_or(JwsError::HeaderNotAnObject)?;
        // RFC 7515 section 4.1.11: what must be understood is not. RFC 7797 section 6: `b64` may
        // not be there without `crit`.
        for name in ["crit", "b64"] {
            if parameters.contains_key(name) {
                return Err(JwsError::Critical(name));
            }
        }
        optional_string(parameters, "cty")?;
        Ok(Self {
            alg: optional_string(parameters, "alg")?.ok_or(JwsError::HeaderParameter("alg"))?,
            kid: optional_string(parameters, "kid")?,
            typ: optional_string(parameters, "typ")?,
        })
    }
}

fn optional_string(
    parameters: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<String>, JwsError> {
    parameters
        .get(name)
        .map(|value| value.as_str().map(str::to_owned))
        .map(|string| string.ok_or(JwsError::HeaderParameter(name)))
        .transpose()
}
