//! JSON Web Signatures in compact form (RFC 7515): read, then verified, and only then believed.

use std::fmt;

use serde_json::{Map, Value};

use super::{
    Excerpt, JwsError, Key, KeySet, Part, base64url,
    json::{self, Bounds, JsonError},
};
use crate::crypto::{Algorithm, AlgorithmSet, Crypto};

/// How many keys are tried at most for one token.
const MAX_TRIES: usize = 8;

/// A token that was taken apart, and of which nothing is known to be true.
pub struct UnverifiedJws {
    header: Header,
    /// The first two segments with the dot between them: what the signature is over.
    signing_input: Vec<u8>,
    signature: Vec<u8>,
    payload: Payload,
}

/// A token whose signature holds under a key of the set it was verified with.
#[derive(Clone)]
pub struct VerifiedJws {
    header: Header,
    algorithm: Algorithm,
    payload: Payload,
}

/// The header parameters that are looked at. A token's own `jwk`, `jku`, `x5u` and `x5c` are not:
/// a caller does not choose the key (RFC 8725 section 3.10).
#[derive(Clone)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
}

#[derive(Clone)]
struct Payload {
    bytes: Vec<u8>,
    json: Result<Value, JsonError>,
}

impl UnverifiedJws {
    /// Takes a token apart.
    ///
    /// # Errors
    ///
    /// It must have at most `max_bytes`, and three segments of strict base64url; its header must
    /// be a JSON object without duplicate members, with an `alg`, without `crit` or `b64`.
    pub fn parse(token: &[u8], max_bytes: usize) -> Result<Self, JwsError> {
        if token.len() > max_bytes {
            return Err(JwsError::TooLarge(max_bytes));
        }
        let [header, payload, signature] = segments(token)?;
        // The token is longer than its signature and the dot before it.
        let input_len = token
            .len()
            .saturating_sub(signature.len())
            .saturating_sub(1);
        let bytes = decode(payload, Part::Payload)?;
        Ok(Self {
            header: Header::parse(&decode(header, Part::Header)?)?,
            signing_input: token.get(..input_len).unwrap_or_default().to_vec(),
            signature: decode(signature, Part::Signature)?,
            payload: Payload {
                json: json::parse(&bytes, Bounds::TOKEN),
                bytes,
            },
        })
    }

    /// The `alg` that the token claims, to be shown at most.
    #[must_use]
    pub fn algorithm_name(&self) -> &str {
        &self.header.alg
    }

    /// The name of the key that the token claims to be signed with.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The `typ` that the token claims.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// The `iss` of a payload that nobody has verified: good for choosing the keys to verify with,
    /// and for nothing else.
    #[must_use]
    pub fn issuer_unchecked(&self) -> Option<&str> {
        self.claim_unchecked("iss")
    }

    /// The `sub` of a payload that nobody has verified: good for choosing the SPIFFE trust domain
    /// whose keys to verify with, and for nothing else.
    #[must_use]
    pub fn subject_unchecked(&self) -> Option<&str> {
        self.claim_unchecked("sub")
    }

    /// Verifies the signature with a key of the set.
    ///
    /// The algorithm comes from the key and from `allowed`; the token's `alg` is only compared
    /// (RFC 8725 section 3.1). A token that names a key is tried with the keys of that name, one
    /// that names none with those that fit; eight at most.
    ///
    /// # Errors
    ///
    /// [`JwsError::AlgorithmNotAllowed`], [`JwsError::KeyUnsuited`], [`JwsError::KidUnknown`],
    /// [`JwsError::NoKeyFits`] or [`JwsError::SignatureInvalid`].
    pub fn verify(
        self,
        keys: &KeySet,
        allowed: AlgorithmSet,
        crypto: &dyn Crypto,
    ) -> Result<VerifiedJws, JwsError> {
        let algorithm = Algorithm::from_name(&self.header.alg)
            .filter(|algorithm| allowed.contains(*algorithm))
            .ok_or_else(|| JwsError::AlgorithmNotAllowed(Excerpt::of(&self.header.alg)))?;
        let holds = self
            .candidates(keys, algorithm)?
            .into_iter()
            .take(MAX_TRIES)
            .any(|key| self.holds(key, algorithm, crypto));
        if !holds {
            return Err(JwsError::SignatureInvalid);
        }
        Ok(VerifiedJws {
            header: self.header,
            algorithm,
            payload: self.payload,
        })
    }

    fn candidates<'k>(
        &self,
        keys: &'k KeySet,
        algorithm: Algorithm,
    ) -> Result<Vec<&'k Key>, JwsError> {
        let named: Vec<&Key> = match self.kid() {
            Some(kid) => keys.iter().filter(|key| key.kid() == Some(kid)).collect(),
            None => keys.iter().collect(),
        };
        let fitting: Vec<&Key> = named
            .iter()
            .copied()
            .filter(|key| key.algorithms().contains(algorithm))
            .collect();
        match (self.kid(), named.is_empty(), fitting.is_empty()) {
            (_, _, false) => Ok(fitting),
            (Some(kid), true, _) => Err(JwsError::KidUnknown(Excerpt::of(kid))),
            (Some(_), false, _) => Err(JwsError::KeyUnsuited(Excerpt::of(algorithm.name()))),
            (None, ..) => Err(JwsError::NoKeyFits),
        }
    }

    fn holds(&self, key: &Key, algorithm: Algorithm, crypto: &dyn Crypto) -> bool {
        crypto.verify(
            key.verifying_key(),
            algorithm,
            &self.signing_input,
            &self.signature,
        )
    }

    fn claim_unchecked(&self, name: &str) -> Option<&str> {
        self.payload.json.as_ref().ok()?.get(name)?.as_str()
    }
}

impl VerifiedJws {
    /// The algorithm that the signature was verified with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name of the key that the token was signed with, where it names one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The `typ`, where there is one.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// What was signed; it need not be JSON.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload.bytes
    }

    pub(super) fn into_json(self) -> Result<Value, JsonError> {
        self.payload.json
    }
}

/// Shows no part of the token that a caller could have chosen freely, nor the signature.
impl fmt::Debug for UnverifiedJws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnverifiedJws({})", Excerpt::of(&self.header.alg))
    }
}

impl fmt::Debug for VerifiedJws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifiedJws({})", self.algorithm.name())
    }
}

/// RFC 7515 section 7.1; a JWE has five segments (RFC 7516 section 9).
fn segments(token: &[u8]) -> Result<[&[u8]; 3], JwsError> {
    let mut segments = token.splitn(6, |byte| *byte == b'.');
    let mut next = || segments.next();
    match (next(), next(), next(), next(), next(), next()) {
        (Some(header), Some(payload), Some(signature), None, ..) => {
            Ok([header, payload, signature])
        }
        (_, _, _, _, Some(_), None) => Err(JwsError::Encrypted),
        _ => Err(JwsError::NotCompact),
    }
}

fn decode(segment: &[u8], part: Part) -> Result<Vec<u8>, JwsError> {
    base64url::decode(segment).ok_or(JwsError::NotBase64url(part))
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, JwsError> {
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
