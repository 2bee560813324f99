//! Private JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037).

use std::sync::Arc;

use postern_core::base::base64url;
use postern_core::crypto::{Algorithm, Curve};
use rsa::BigUint;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::{ALGORITHMS, Ec, Secret, Signer};

pub(super) fn read(jwk: &Value) -> Result<Signer, String> {
    let members = jwk
        .as_object()
        .ok_or("is no JSON object; a private JWK is needed")?;
    if members.contains_key("keys") {
        return Err("is a JWK Set; one private JWK is needed".to_owned());
    }
    let kid = text(members, "kid").unwrap_or("dev-1").to_owned();
    let (algorithm, secret) = match (text(members, "kty"), text(members, "crv")) {
        (Some("RSA"), _) => (Algorithm::Rs256, rsa(members)?),
        (Some("EC"), Some("P-256")) => {
            let d = bytes(members, "d")?;
            let key = p256::ecdsa::SigningKey::from_slice(&d);
            let key = key.map_err(|_| "d is no private key of P-256")?;
            (Algorithm::Es256, Secret::Ec(Ec::P256(key)))
        }
        (Some("OKP"), Some("Ed25519")) => {
            let d = bytes(members, "d")?;
            let seed: Zeroizing<[u8; 32]> =
                Zeroizing::new(d.as_slice().try_into().map_err(|_| "d has not 32 bytes")?);
            let key = ed25519_dalek::SigningKey::from_bytes(&seed);
            (Algorithm::EdDsa, Secret::Ed25519(key))
        }
        (Some("oct"), _) => (Algorithm::Hs256, Secret::Hmac(bytes(members, "k")?)),
        _ => {
            return Err(format!(
                "its kty and crv are not those of a key for {ALGORITHMS}"
            ));
        }
    };
    let key = Signer {
        kid,
        algorithm,
        secret,
    };
    match text(members, "alg") {
        Some(alg) if alg != key.algorithm.name() => {
            let own = key.algorithm.name();
            Err(format!(
                "its alg is not {own}, which such a key is used with here"
            ))
        }
        _ => Ok(key),
    }
}

/// The members that a key set needs, without a name.
pub(super) fn bare(key: &Signer) -> Value {
    let mut jwk = Map::new();
    let mut member = |name: &str, value: &str| insert(&mut jwk, name, value);
    match &key.secret {
        Secret::Rsa(rsa) => {
            member("kty", "RSA");
            member("n", &number(rsa.n()));
            member("e", &number(rsa.e()));
        }
        Secret::Ec(key) => {
            let (curve, x, y) = point(key);
            member("kty", "EC");
            member("crv", curve.name());
            member("x", &base64url::encode(&x));
            member("y", &base64url::encode(&y));
        }
        Secret::Ed25519(ed) => {
            member("kty", "OKP");
            member("crv", "Ed25519");
            member("x", &base64url::encode(ed.verifying_key().as_bytes()));
        }
        Secret::Hmac(secret) => {
            member("kty", "oct");
            member("k", &base64url::encode(secret));
        }
    }
    Value::Object(jwk)
}

pub(super) fn public(key: &Signer) -> Value {
    let mut jwk = named(key);
    if let Value::Object(members) = bare(key) {
        jwk.extend(members);
    }
    Value::Object(jwk)
}

/// The curve and the coordinates of the public half.
pub(super) fn point(key: &Ec) -> (Curve, Vec<u8>, Vec<u8>) {
    let (curve, point) = match key {
        Ec::P256(key) => {
            let point = key.verifying_key().to_encoded_point(false);
            (Curve::P256, point.as_bytes().to_vec())
        }
        Ec::P384(key) => {
            let point = key.verifying_key().to_encoded_point(false);
            (Curve::P384, point.as_bytes().to_vec())
        }
        Ec::P521(key) => {
            let point = p521::ecdsa::VerifyingKey::from(key).to_encoded_point(false);
            (Curve::P521, point.as_bytes().to_vec())
        }
    };
    // SEC 1 section 2.3.3: a byte that says it is uncompressed, then both.
    let coordinates = point.get(1..).unwrap_or_default();
    let halves = coordinates.split_at_checked(curve.coordinate_len());
    let (x, y) = halves.unwrap_or_default();
    (curve, x.to_vec(), y.to_vec())
}

pub(super) fn private(key: &Signer) -> Value {
    let mut jwk = public(key);
    let members = match &key.secret {
        Secret::Rsa(rsa) => rsa_members(rsa),
        Secret::Ec(Ec::P256(p256)) => vec![("d", base64url::encode(&p256.to_bytes()))],
        Secret::Ec(Ec::P384(p384)) => vec![("d", base64url::encode(&p384.to_bytes()))],
        Secret::Ec(Ec::P521(p521)) => vec![("d", base64url::encode(&p521.to_bytes()))],
        Secret::Ed25519(ed) => vec![("d", base64url::encode(ed.as_bytes()))],
        Secret::Hmac(_) => Vec::new(),
    };
    if let Some(jwk) = jwk.as_object_mut() {
        for (name, value) in members {
            insert(jwk, name, &value);
        }
    }
    jwk
}

fn rsa(members: &Map<String, Value>) -> Result<Secret, String> {
    let number = |name: &str| Ok::<_, String>(BigUint::from_bytes_be(&bytes(members, name)?));
    let primes = vec![number("p")?, number("q")?];
    let key = rsa::RsaPrivateKey::from_components(number("n")?, number("e")?, number("d")?, primes);
    let key = key.map_err(|error| format!("is no RSA key: {error}"))?;
    Ok(Secret::Rsa(Arc::new(key)))
}

// RFC 7518 section 6.3.2: with p, all the others are there too.
fn rsa_members(key: &rsa::RsaPrivateKey) -> Vec<(&'static str, String)> {
    let mut members = vec![("d", number(key.d()))];
    let primes = key.primes().iter();
    members.extend(["p", "q"].into_iter().zip(primes.map(number)));
    members.extend(key.dp().map(|dp| ("dp", number(dp))));
    members.extend(key.dq().map(|dq| ("dq", number(dq))));
    members.extend(key.crt_coefficient().map(|qi| ("qi", number(&qi))));
    members
}

fn named(key: &Signer) -> Map<String, Value> {
    let named = json!({"kid": key.kid, "alg": key.algorithm.name(), "use": "sig"});
    named.as_object().cloned().unwrap_or_default()
}

fn insert(jwk: &mut Map<String, Value>, name: &str, value: &str) {
    jwk.insert(name.to_owned(), value.into());
}

fn number(number: &BigUint) -> String {
    base64url::encode(&number.to_bytes_be())
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name)?.as_str()
}

fn bytes(members: &Map<String, Value>, name: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let decoded = text(members, name).and_then(|text| base64url::decode(text.as_bytes()));
    let decoded = decoded
        .filter(|bytes| !bytes.is_empty())
        .map(Zeroizing::new);
    decoded.ok_or_else(|| format!("has no {name} in base64url, which the private key needs"))
}

#[cfg(test)]
mod tests {
    use postern_core::crypto::{AlgorithmSet, Crypto as _, Pure};
    use postern_core::jose::{KeyRules, KeySet, KeyUse};

    use super::*;

    #[test]
    fn what_a_written_key_signs_holds_under_its_public_half() {
        for algorithm in [
            Algorithm::Es256,
            Algorithm::EdDsa,
            Algorithm::Rs256,
            Algorithm::Hs256,
        ] {
            let key = Signer::generate(algorithm, "k").unwrap();
            let again = read(&private(&key)).map_err(|error| format!("{algorithm:?}: {error}"));
            let signature = again.unwrap().sign(b"message");
            let rules = KeyRules {
                algorithms: AlgorithmSet::EMPTY.with(algorithm),
                allow_rsa_exponent_3: false,
                allow_large_rsa: false,
                key_use: KeyUse::Signature,
            };
            let (set, _) = KeySet::parse(&json!({"keys": [public(&key)]}), &rules).unwrap();
            let verifying = set.iter().next().unwrap().verifying_key();
            assert!(Pure.verify(verifying, algorithm, b"message", &signature));
            assert!(!Pure.verify(verifying, algorithm, b"other", &signature));
        }
    }

    #[test]
    fn what_is_no_private_key_is_refused_without_showing_it() {
        let cases = [
            (json!([]), "no JSON object"),
            (json!({"keys": []}), "JWK Set"),
            (
                json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
                "has no d",
            ),
            (
                json!({"kty": "EC", "crv": "P-256", "d": "c2VzYW1l"}),
                "d is no private key",
            ),
            (
                json!({"kty": "OKP", "crv": "Ed25519", "d": "c2VzYW1l"}),
                "32 bytes",
            ),
            (
                json!({"kty": "EC", "crv": "P-384", "d": "c2VzYW1l"}),
                "kty and crv",
            ),
            (
                json!({"kty": "oct", "k": "c2VzYW1l", "alg": "HS512"}),
                "alg is not HS256",
            ),
        ];
        for (jwk, expected) in cases {
            let Err(error) = read(&jwk) else {
                panic!("{jwk}")
            };
            assert!(
                error.contains(expected) && !error.contains("c2VzYW1l"),
                "{error}"
            );
        }
    }
}
