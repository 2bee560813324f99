//! One JSON Web Key (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).

use std::fmt;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Excerpt, base64url};
use crate::crypto::{Algorithm, AlgorithmSet, Curve, KeyError, PublicNumbers, VerifyingKey};

/// How many bytes a `kid` has at most.
const MAX_KID_BYTES: usize = 512;

/// What a key must be to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRules {
    /// The algorithms that keys may be used with: all asymmetric, or all symmetric.
    pub algorithms: AlgorithmSet,
    /// Whether an RSA exponent of 3 is taken.
    pub allow_rsa_exponent_3: bool,
    /// What a key must be for.
    pub key_use: KeyUse,
}

/// What a key must be for, by its `use`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// `use` is `sig` or absent.
    Signature,
    /// `use` is `jwt-svid` and `kid` is there (SPIFFE Trust Domain and Bundle section 4.2).
    JwtSvid,
}

/// A key of a set: what it may verify, and its name.
#[derive(Clone, Debug)]
pub struct Key {
    kid: Option<String>,
    algorithms: AlgorithmSet,
    key: VerifyingKey,
}

impl Key {
    /// Reads one JSON Web Key.
    ///
    /// # Errors
    ///
    /// See [`JwkError`]; members that are not known are passed over (RFC 7517 section 4).
    pub fn parse(jwk: &Value, rules: &KeyRules) -> Result<Self, JwkError> {
        let members = jwk.as_object().ok_or(JwkError::NotAnObject)?;
        let kid = kid(members)?;
        check_use(members, rules.key_use, kid.is_some())?;
        check_operations(members)?;
        let key = verifying_key(members, rules)?;
        Ok(Self {
            kid,
            algorithms: algorithms(members, &key, rules)?,
            key,
        })
    }

    /// The key's name, where it has one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The algorithms that the key's type, its `alg` and the rules all allow; never empty.
    #[must_use]
    pub const fn algorithms(&self) -> AlgorithmSet {
        self.algorithms
    }

    /// The key itself.
    #[must_use]
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The SHA-256 thumbprint of a public key (RFC 7638 section 3); none where it is a secret,
    /// since a hash of a secret is not fit to be shown.
    #[must_use]
    pub fn thumbprint(&self) -> Option<[u8; 32]> {
        let text = base64url::encode;
        let canonical = match self.key.public_numbers()? {
            PublicNumbers::Rsa { modulus, exponent } => format!(
                r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
                text(exponent),
                text(modulus)
            ),
            PublicNumbers::Ec { curve, x, y } => format!(
                r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#,
                curve.name(),
                text(x),
                text(y)
            ),
            PublicNumbers::Ed25519 { x } => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x))
            }
        };
        Some(Sha256::digest(canonical).into())
    }
}

/// Why a key is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwkError {
    /// It is no JSON object.
    NotAnObject,
    /// A member that must be there is not.
    Missing(&'static str),
    /// A member is not what it must be.
    Malformed(&'static str),
    /// The `kid` is longer than 512 bytes.
    KidTooLong,
    /// It holds a private key, which was disclosed to whoever can read the set.
    Private,
    /// `use` says it is for something else.
    OtherUse(Excerpt),
    /// `key_ops` does not hold `verify`, or contradicts `use`.
    OtherOperations,
    /// `kty`, or `crv`, is not one that is supported.
    Unsupported(Excerpt),
    /// `alg` is not one of the algorithms that are supported, or not one for this type of key.
    AlgorithmUnsuited(Excerpt),
    /// No algorithm that the key may be used with is allowed here.
    AlgorithmNotAllowed,
    /// The key itself is not sound.
    Unsound(KeyError),
}

impl fmt::Display for JwkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("it is no JSON object"),
            Self::Missing(member) => write!(f, "it has no `{member}`"),
            Self::Malformed(member) => write!(f, "its `{member}` is malformed"),
            Self::KidTooLong => write!(f, "its `kid` has more than {MAX_KID_BYTES} bytes"),
            Self::Private => f.write_str(
                "it holds a private key: only the public one belongs here, and this one was disclosed",
            ),
            Self::OtherUse(found) => write!(f, "its `use` is {found}"),
            Self::OtherOperations => {
                f.write_str("its `key_ops` lacks \"verify\" or contradicts `use`")
            }
            Self::Unsupported(found) => write!(f, "keys of type {found} are not supported"),
            Self::AlgorithmUnsuited(found) => {
                write!(f, "its `alg` {found} is not supported for this type of key")
            }
            Self::AlgorithmNotAllowed => {
                f.write_str("no algorithm it may be used with is allowed here")
            }
            Self::Unsound(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for JwkError {}

/// Whether the value is a JSON object whose `kty` is that of a secret.
pub(super) fn is_secret(jwk: &Value) -> bool {
    jwk.get("kty").and_then(Value::as_str) == Some("oct")
}

type Members = Map<String, Value>;

fn kid(members: &Members) -> Result<Option<String>, JwkError> {
    let kid = optional_string(members, "kid")?;
    match kid {
        Some(kid) if kid.len() > MAX_KID_BYTES => Err(JwkError::KidTooLong),
        kid => Ok(kid.map(str::to_owned)),
    }
}

fn check_use(members: &Members, wanted: KeyUse, has_kid: bool) -> Result<(), JwkError> {
    match (wanted, optional_string(members, "use")?) {
        (KeyUse::Signature, None | Some("sig")) => Ok(()),
        (KeyUse::JwtSvid, Some("jwt-svid")) if has_kid => Ok(()),
        (KeyUse::JwtSvid, Some("jwt-svid")) => Err(JwkError::Missing("kid")),
        (KeyUse::JwtSvid, None) => Err(JwkError::Missing("use")),
        (_, Some(other)) => Err(JwkError::OtherUse(Excerpt::of(other))),
    }
}

/// RFC 7517 section 4.3: values are distinct, and consistent with `use` where both are there.
fn check_operations(members: &Members) -> Result<(), JwkError> {
    let Some(value) = members.get("key_ops") else {
        return Ok(());
    };
    let malformed = JwkError::Malformed("key_ops");
    let operations = value.as_array().ok_or(malformed.clone())?;
    let mut seen = Vec::new();
    for operation in operations {
        let operation = operation.as_str().ok_or(malformed.clone())?;
        if seen.contains(&operation) {
            return Err(malformed);
        }
        seen.push(operation);
    }
    let of_signatures = |operation: &&str| matches!(*operation, "sign" | "verify");
    let consistent = !members.contains_key("use") || seen.iter().all(of_signatures);
    if seen.contains(&"verify") && consistent {
        Ok(())
    } else {
        Err(JwkError::OtherOperations)
    }
}

fn verifying_key(members: &Members, rules: &KeyRules) -> Result<VerifyingKey, JwkError> {
    let kty = string(members, "kty")?;
    // The type first: what is secret in one may be public in another.
    let private: &[&str] = match kty {
        "RSA" => &["d", "p", "q", "dp", "dq", "qi", "oth"],
        "EC" | "OKP" => &["d"],
        _ => &[],
    };
    if private.iter().any(|member| members.contains_key(*member)) {
        return Err(JwkError::Private);
    }
    let key = match kty {
        "RSA" => rsa(members, rules.allow_rsa_exponent_3)?,
        "EC" => ec(members)?,
        "OKP" => okp(members)?,
        "oct" => oct(members, rules)?,
        other => return Err(JwkError::Unsupported(Excerpt::of(other))),
    };
    key.map_err(JwkError::Unsound)
}

type Sound = Result<VerifyingKey, KeyError>;

fn rsa(members: &Members, allow_exponent_3: bool) -> Result<Sound, JwkError> {
    let (modulus, exponent) = (bytes(members, "n")?, bytes(members, "e")?);
    Ok(VerifyingKey::rsa(&modulus, &exponent, allow_exponent_3))
}

fn ec(members: &Members) -> Result<Sound, JwkError> {
    let crv = string(members, "crv")?;
    let curve = Curve::from_name(crv).ok_or(JwkError::Unsupported(Excerpt::of(crv)))?;
    let (x, y) = (bytes(members, "x")?, bytes(members, "y")?);
    Ok(VerifyingKey::ec(curve, &x, &y))
}

fn okp(members: &Members) -> Result<Sound, JwkError> {
    match string(members, "crv")? {
        "Ed25519" => Ok(VerifyingKey::ed25519(&bytes(members, "x")?)),
        other => Err(JwkError::Unsupported(Excerpt::of(other))),
    }
}

/// A secret is looked at only where secrets are wanted: anyone who can read the set can sign.
fn oct(members: &Members, rules: &KeyRules) -> Result<Sound, JwkError> {
    if rules
        .algorithms
        .intersection(AlgorithmSet::symmetric())
        .is_empty()
    {
        return Err(JwkError::AlgorithmNotAllowed);
    }
    Ok(VerifyingKey::hmac(&bytes(members, "k")?))
}

/// The `alg` binds the key to one algorithm (RFC 8725 section 3.1).
fn algorithms(
    members: &Members,
    key: &VerifyingKey,
    rules: &KeyRules,
) -> Result<AlgorithmSet, JwkError> {
    let suited = match optional_string(members, "alg")? {
        None => key.algorithms(),
        Some(name) => Algorithm::from_name(name)
            .filter(|algorithm| key.fits(*algorithm))
            .map(|algorithm| AlgorithmSet::from_iter([algorithm]))
            .ok_or_else(|| JwkError::AlgorithmUnsuited(Excerpt::of(name)))?,
    };
    let allowed = suited.intersection(rules.algorithms);
    if allowed.is_empty() {
        return Err(JwkError::AlgorithmNotAllowed);
    }
    Ok(allowed)
}

fn optional_string<'m>(
    members: &'m Members,
    name: &'static str,
) -> Result<Option<&'m str>, JwkError> {
    members
        .get(name)
        .map(|value| value.as_str().ok_or(JwkError::Malformed(name)))
        .transpose()
}

fn string<'m>(members: &'m Members, name: &'static str) -> Result<&'m str, JwkError> {
    optional_string(members, name)?.ok_or(JwkError::Missing(name))
}

/// Wiped when dropped, since `k` is a secret.
fn bytes(members: &Members, name: &'static str) -> Result<Zeroizing<Vec<u8>>, JwkError> {
    base64url::decode(string(members, name)?.as_bytes())
        .map(Zeroizing::new)
        .ok_or(JwkError::Malformed(name))
}
