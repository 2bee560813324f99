//! Private JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037).

use postern_core::base::base64url;
use rsa::BigUint;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::{ALGORITHMS, Key, Secret};

pub(super) fn read(jwk: &Value) -> Result<Key, String> {
    let members = jwk
        .as_object()
        .ok_or("is no JSON object; a private JWK is needed")?;
    if members.contains_key("keys") {
        return Err("is a JWK Set; one private JWK is needed".to_owned());
    }
    let kid = text(members, "kid").unwrap_or("dev-1").to_owned();
    let secret = match (text(members, "kty"), text(members, "crv")) {
        (Some("RSA"), _) => rsa(members)?,
        (Some("EC"), Some("P-256")) => {
            let d = bytes(members, "d")?;
            let key = p256::ecdsa::SigningKey::from_slice(&d);
            Secret::P256(key.map_err(|_| "d is no private key of P-256")?)
        }
        (Some("OKP"), Some("Ed25519")) => {
            let d = bytes(members, "d")?;
            let seed: Zeroizing<[u8; 32]> =
                Zeroizing::new(d.as_slice().try_into().map_err(|_| "d has not 32 bytes")?);
            Secret::Ed25519(ed25519_dalek::SigningKey::from_bytes(&seed))
        }
        (Some("oct"), _) => Secret::Hmac(bytes(members, "k")?),
        _ => {
            return Err(format!(
                "its kty and crv are not those of a key for {ALGORITHMS}"
            ));
        }
    };
    let key = Key { kid, secret };
    match text(members, "alg") {
        Some(alg) if alg != key.algorithm().name() => {
            let own = key.algorithm().name();
            Err(format!(
                "its alg is not {own}, which such a key is used with here"
            ))
        }
        _ => Ok(key),
    }
}

pub(super) fn public(key: &Key) -> Value {
    let mut jwk = named(key);
    match &key.secret {
        Secret::Rsa(rsa) => {
            insert(&mut jwk, "kty", "RSA");
            insert(&mut jwk, "n", &number(rsa.n()));
            insert(&mut jwk, "e", &number(rsa.e()));
        }
        Secret::P256(p256) => {
            let point = p256.verifying_key().to_encoded_point(false);
            insert(&mut jwk, "kty", "EC");
            insert(&mut jwk, "crv", "P-256");
            let coordinate =
                |bytes: Option<&p256::FieldBytes>| base64url::encode(bytes.map_or(&[], |own| own));
            insert(&mut jwk, "x", &coordinate(point.x()));
            insert(&mut jwk, "y", &coordinate(point.y()));
        }
        Secret::Ed25519(ed) => {
            insert(&mut jwk, "kty", "OKP");
            insert(&mut jwk, "crv", "Ed25519");
            insert(
                &mut jwk,
                "x",
                &base64url::encode(ed.verifying_key().as_bytes()),
            );
        }
        Secret::Hmac(secret) => {
            insert(&mut jwk, "kty", "oct");
            insert(&mut jwk, "k", &base64url::encode(secret));
        }
    }
    Value::Object(jwk)
}

pub(super) fn private(key: &Key) -> Value {
    let mut jwk = public(key);
    let members = match &key.secret {
        Secret::Rsa(rsa) => rsa_members(rsa),
        Secret::P256(p256) => vec![("d", base64url::encode(&p256.to_bytes()))],
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
    Ok(Secret::Rsa(Box::new(key)))
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

fn named(key: &Key) -> Map<String, Value> {
    let named = json!({"kid": key.kid, "alg": key.algorithm().name(), "use": "sig"});
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
    use postern_core::crypto::{Algorithm, AlgorithmSet, Crypto as _, Pure};
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
            let key = Key::generate(algorithm, "k").unwrap();
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
