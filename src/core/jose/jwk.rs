//! One JSON Web Key (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{
    JwkError,
    jwk_error::{MAX_KID_BYTES, MAX_RSA_BITS},
};
use crate::base::{Excerpt, base64url};
use crate::crypto::{
    Algorithm, AlgorithmSet, Curve, KeyError, PublicNumbers, VerifyingKey, sha256,
};

/// What a key must be to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRules {
    /// The algorithms that keys may be used with: all asymmetric, or all symmetric.
    pub algorithms: AlgorithmSet,
    /// Whether an RSA exponent of 3 is taken.
    pub allow_rsa_exponent_3: bool,
    /// Whether an RSA key may have more than 4096 bits.
    pub allow_large_rsa: bool,
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
        Some(sha256(canonical.as_bytes()))
    }
}

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

/// A member that says something: libraries write what a key does not have as null or as an empty list.
fn said<'m>(members: &'m Members, name: &str) -> Option<&'m Value> {
    let says_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::Array(elements) => elements.is_empty(),
        _ => false,
    };
    members.get(name).filter(|value| !says_nothing(value))
}

/// RFC 7517 section 4.3: values are distinct, and consistent with `use` where both are there.
fn check_operations(members: &Members) -> Result<(), JwkError> {
    let Some(value) = said(members, "key_ops") else {
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
    let consistent = said(members, "use").is_none() || seen.iter().all(of_signatures);
    if seen.contains(&"verify") && consistent {
        Ok(())
    } else {
        Err(JwkError::OtherOperations)
    }
}

fn verifying_key(members: &Members, rules: &KeyRules) -> Result<VerifyingKey, JwkError> {
    let kty = string(members, "kty")?;
    // The type first: what is secret in one may be public in another.
    let private: &[&'static str] = match kty {
        "RSA" => &["d", "p", "q", "dp", "dq", "qi", "oth"],
        "EC" | "OKP" => &["d"],
        _ => &[],
    };
    for member in private {
        match said(members, member) {
            None => {}
            Some(Value::String(text)) if text.is_empty() => {}
            Some(Value::String(_) | Value::Array(_)) => return Err(JwkError::Private),
            Some(_) => return Err(JwkError::Malformed(member)),
        }
    }
    let key = match kty {
        "RSA" => rsa(members, rules.allow_rsa_exponent_3)?,
        "EC" => ec(members)?,
        "OKP" => okp(members)?,
        "oct" => oct(members, rules)?,
        other => return Err(JwkError::Unsupported(Excerpt::of(other))),
    };
    let key = key.map_err(JwkError::Unsound)?;
    let bits = key.rsa_bits().filter(|bits| *bits > MAX_RSA_BITS);
    match bits {
        Some(bits) if !rules.allow_large_rsa => Err(JwkError::LargeRsa(bits)),
        _ => Ok(key),
    }
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
    said(members, name)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::{signer, signers};
    use serde_json::json;

    const PUBLIC: fn() -> KeyRules = || KeyRules {
        algorithms: AlgorithmSet::asymmetric(),
        allow_rsa_exponent_3: false,
        allow_large_rsa: false,
        key_use: KeyUse::Signature,
    };
    const SECRET: fn() -> KeyRules = || KeyRules {
        algorithms: AlgorithmSet::symmetric(),
        ..PUBLIC()
    };

    fn rules_for(algorithm: Algorithm) -> KeyRules {
        if algorithm.is_symmetric() {
            SECRET()
        } else {
            PUBLIC()
        }
    }

    /// The JWK of a signer, with members put in or replaced.
    fn jwk(algorithm: Algorithm, changes: Value) -> Value {
        let mut jwk = signer(algorithm).jwk();
        for (name, value) in changes.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk
    }

    fn error(jwk: &Value, rules: &KeyRules) -> JwkError {
        Key::parse(jwk, rules).expect_err("the key is not to be used")
    }

    #[test]
    fn every_type_of_key_is_read_and_bound_to_its_algorithm() {
        for signer in signers() {
            let rules = rules_for(signer.algorithm);
            let free = Key::parse(&signer.jwk(), &rules).unwrap();
            assert!(free.algorithms().contains(signer.algorithm));
            assert_eq!(free.kid(), None);

            let members = json!({
                "alg": signer.algorithm.name(),
                "kid": "one",
                "use": "sig",
                "key_ops": ["verify"],
                "x5t": "passed over",
            });
            let bound = Key::parse(&jwk(signer.algorithm, members), &rules).unwrap();
            assert_eq!(
                bound.algorithms(),
                AlgorithmSet::from_iter([signer.algorithm])
            );
            assert_eq!(bound.kid(), Some("one"));
            let same = signer.verifying_key();
            assert_eq!(
                bound.verifying_key().public_numbers(),
                same.public_numbers()
            );
        }
    }

    #[test]
    fn a_key_is_narrowed_to_the_algorithms_that_the_rules_allow() {
        let rules = KeyRules {
            algorithms: AlgorithmSet::from_iter([Algorithm::Ps256, Algorithm::Es256]),
            ..PUBLIC()
        };
        let key = Key::parse(&signer(Algorithm::Rs256).jwk(), &rules).unwrap();
        assert_eq!(
            key.algorithms(),
            AlgorithmSet::from_iter([Algorithm::Ps256])
        );
        let named = jwk(Algorithm::Rs256, json!({"alg": "RS256"}));
        assert_eq!(error(&named, &rules), JwkError::AlgorithmNotAllowed);
        let none_fits = signer(Algorithm::EdDsa).jwk();
        assert_eq!(error(&none_fits, &rules), JwkError::AlgorithmNotAllowed);
    }

    #[test]
    fn a_secret_is_read_only_where_secrets_are_wanted_and_a_public_key_only_where_not() {
        let secret = signer(Algorithm::Hs256).jwk();
        assert_eq!(error(&secret, &PUBLIC()), JwkError::AlgorithmNotAllowed);
        for algorithm in AlgorithmSet::asymmetric().iter() {
            let public = signer(algorithm).jwk();
            assert_eq!(error(&public, &SECRET()), JwkError::AlgorithmNotAllowed);
        }
        let short = json!({"kty": "oct", "k": base64url::encode(&[7; 31])});
        assert_eq!(
            error(&short, &SECRET()),
            JwkError::Unsound(KeyError::SecretTooShort(31))
        );
        let short_for_512 = json!({"kty": "oct", "alg": "HS512", "k": base64url::encode(&[7; 63])});
        let unsuited = JwkError::AlgorithmUnsuited(Excerpt::of("HS512"));
        assert_eq!(error(&short_for_512, &SECRET()), unsuited);
    }

    #[test]
    fn private_keys_are_refused_and_what_holds_nothing_is_not_private() {
        const CASES: &[(Algorithm, &[&str])] = &[
            (Algorithm::Rs256, &["d", "p", "q", "dp", "dq", "qi", "oth"]),
            (Algorithm::Es256, &["d"]),
            (Algorithm::EdDsa, &["d"]),
        ];
        for (algorithm, members) in CASES {
            for member in *members {
                let with = |value: Value| {
                    let mut jwk = signer(*algorithm).jwk();
                    jwk[*member] = value;
                    Key::parse(&jwk, &PUBLIC()).err()
                };
                for value in [
                    json!("AQAB"),
                    json!("?"),
                    json!([{"r": "AQAB"}]),
                    json!([null]),
                ] {
                    assert_eq!(
                        with(value.clone()),
                        Some(JwkError::Private),
                        "{member} {value}"
                    );
                }
                for value in [json!(null), json!([]), json!("")] {
                    assert_eq!(with(value.clone()), None, "{member} {value}");
                }
                for value in [json!(1), json!({}), json!(false)] {
                    let malformed = Some(JwkError::Malformed(member));
                    assert_eq!(with(value.clone()), malformed, "{member} {value}");
                }
            }
        }
    }

    #[test]
    fn keys_for_something_else_are_refused() {
        let other_use = |name: &str| JwkError::OtherUse(Excerpt::of(name));
        let operations = || JwkError::OtherOperations;
        let cases = [
            (json!({"use": "enc"}), other_use("enc")),
            (json!({"use": "SIG"}), other_use("SIG")),
            (json!({"use": "jwt-svid"}), other_use("jwt-svid")),
            (json!({"use": 1}), JwkError::Malformed("use")),
            (json!({"use": ""}), other_use("")),
            (json!({"use": ["sig"]}), JwkError::Malformed("use")),
            (json!({"key_ops": {}}), JwkError::Malformed("key_ops")),
            (json!({"key_ops": [null]}), JwkError::Malformed("key_ops")),
            (json!({"key_ops": ["sign"]}), operations()),
            (json!({"key_ops": ["encrypt"]}), operations()),
            (
                json!({"use": "sig", "key_ops": ["verify", "encrypt"]}),
                operations(),
            ),
            (
                json!({"key_ops": ["verify", "verify"]}),
                JwkError::Malformed("key_ops"),
            ),
            (json!({"key_ops": "verify"}), JwkError::Malformed("key_ops")),
            (json!({"key_ops": [1]}), JwkError::Malformed("key_ops")),
        ];
        for (changes, expected) in cases {
            assert_eq!(error(&jwk(Algorithm::Es256, changes), &PUBLIC()), expected);
        }
        for changes in [
            json!({"key_ops": ["verify", "encrypt"]}),
            json!({"use": "sig", "key_ops": ["sign", "verify"]}),
            json!({"use": null}),
            json!({"use": [], "key_ops": []}),
            json!({"use": null, "key_ops": ["verify", "encrypt"]}),
            json!({"use": "sig", "key_ops": null, "x5c": [], "x5t": null}),
            json!({"kid": null, "alg": null, "x5u": null}),
            // As .NET writes every member that it knows.
            json!({
                "use": "sig", "key_ops": [], "oth": [], "x5c": [], "k": null, "d": null, "p": null,
                "q": null, "dp": null, "dq": null, "qi": null, "n": null, "e": null, "x5t#S256": null,
            }),
        ] {
            assert!(Key::parse(&jwk(Algorithm::Es256, changes), &PUBLIC()).is_ok());
        }
    }

    #[test]
    fn keys_of_jwt_svids_name_their_use_and_themselves() {
        let rules = KeyRules {
            key_use: KeyUse::JwtSvid,
            ..PUBLIC()
        };
        let cases = [
            (json!({"use": "jwt-svid", "kid": "a"}), None),
            (json!({"use": "jwt-svid"}), Some(JwkError::Missing("kid"))),
            (json!({"kid": "a"}), Some(JwkError::Missing("use"))),
            (
                json!({"use": "sig", "kid": "a"}),
                Some(JwkError::OtherUse(Excerpt::of("sig"))),
            ),
        ];
        for (changes, expected) in cases {
            let parsed = Key::parse(&jwk(Algorithm::Es256, changes), &rules);
            assert_eq!(parsed.err(), expected);
        }
    }

    #[test]
    fn broken_keys_are_refused_for_what_is_broken() {
        let unsupported = |name: &str| JwkError::Unsupported(Excerpt::of(name));
        let unsuited = |name: &str| JwkError::AlgorithmUnsuited(Excerpt::of(name));
        let ec = |changes| jwk(Algorithm::Es256, changes);
        let rsa = |changes| jwk(Algorithm::Rs256, changes);
        let okp = |changes| jwk(Algorithm::EdDsa, changes);
        let cases = [
            (json!([]), JwkError::NotAnObject),
            (json!({}), JwkError::Missing("kty")),
            (json!({"kty": 1}), JwkError::Malformed("kty")),
            (json!({"kty": "ec"}), unsupported("ec")),
            (ec(json!({"kid": 7})), JwkError::Malformed("kid")),
            (ec(json!({"kid": "k".repeat(513)})), JwkError::KidTooLong),
            (ec(json!({"alg": "ES384"})), unsuited("ES384")),
            (ec(json!({"alg": "RS256"})), unsuited("RS256")),
            (ec(json!({"alg": "none"})), unsuited("none")),
            (ec(json!({"alg": "ECDH-ES"})), unsuited("ECDH-ES")),
            (ec(json!({"alg": 1})), JwkError::Malformed("alg")),
            (ec(json!({"crv": "secp256k1"})), unsupported("secp256k1")),
            (
                ec(json!({"crv": "P-384"})),
                JwkError::Unsound(KeyError::CoordinateLength(Curve::P384)),
            ),
            (
                ec(json!({"x": "AQ"})),
                JwkError::Unsound(KeyError::CoordinateLength(Curve::P256)),
            ),
            (ec(json!({"x": "A"})), JwkError::Malformed("x")),
            (ec(json!({"y": "AQ=="})), JwkError::Malformed("y")),
            (ec(json!({"y": null})), JwkError::Missing("y")),
            (ec(json!({"y": []})), JwkError::Missing("y")),
            (ec(json!({"kid": {}})), JwkError::Malformed("kid")),
            (
                rsa(json!({"e": "Aw"})),
                JwkError::Unsound(KeyError::RsaExponent),
            ),
            (
                rsa(json!({"n": "AQAB"})),
                JwkError::Unsound(KeyError::RsaModulusBits(17)),
            ),
            (okp(json!({"crv": "Ed448"})), unsupported("Ed448")),
            (okp(json!({"crv": "X25519"})), unsupported("X25519")),
            (
                okp(json!({"x": "AQ"})),
                JwkError::Unsound(KeyError::Ed25519Length),
            ),
        ];
        for (jwk, expected) in cases {
            assert_eq!(error(&jwk, &PUBLIC()), expected, "{jwk}");
        }
        for (algorithm, member) in [
            (Algorithm::Es256, "x"),
            (Algorithm::Es256, "crv"),
            (Algorithm::Rs256, "n"),
            (Algorithm::Rs256, "e"),
            (Algorithm::EdDsa, "x"),
        ] {
            let mut jwk = signer(algorithm).jwk();
            jwk.as_object_mut().unwrap().remove(member);
            assert_eq!(error(&jwk, &PUBLIC()), JwkError::Missing(member));
        }
    }

    #[test]
    fn an_exponent_of_3_is_taken_only_where_it_is_allowed() {
        let jwk = jwk(Algorithm::Rs256, json!({"e": "Aw"}));
        let allowing = KeyRules {
            allow_rsa_exponent_3: true,
            ..PUBLIC()
        };
        assert!(Key::parse(&jwk, &allowing).is_ok());
    }

    #[test]
    fn an_rsa_key_above_4096_bits_is_taken_only_where_it_is_allowed() {
        let of = |bits: usize| {
            let modulus = vec![0xa7; bits / 8];
            jwk(Algorithm::Rs256, json!({"n": base64url::encode(&modulus)}))
        };
        let allowing = KeyRules {
            allow_large_rsa: true,
            ..PUBLIC()
        };
        for (bits, is_large) in [(2048, false), (4096, false), (4104, true), (8192, true)] {
            assert!(Key::parse(&of(bits), &allowing).is_ok(), "{bits}");
            let refused = Key::parse(&of(bits), &PUBLIC()).err();
            assert_eq!(refused, is_large.then_some(JwkError::LargeRsa(bits)));
        }
    }

    #[test]
    fn thumbprints_are_those_of_the_rfcs() {
        // RFC 7638 section 3.1 and RFC 8037 appendix A.3.
        let cases = [
            (
                json!({
                    "kty": "RSA",
                    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
                    "e": "AQAB",
                    "alg": "RS256",
                    "kid": "2011-04-29",
                }),
                "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            ),
            (
                json!({
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                }),
                "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            ),
        ];
        for (jwk, expected) in cases {
            let thumbprint = Key::parse(&jwk, &PUBLIC()).unwrap().thumbprint().unwrap();
            assert_eq!(base64url::encode(&thumbprint), expected);
        }
        let ec = signer(Algorithm::Es256).jwk();
        let canonical = format!(
            r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#,
            ec["x"], ec["y"]
        );
        let expected = sha256(canonical.as_bytes());
        assert_eq!(
            Key::parse(&ec, &PUBLIC()).unwrap().thumbprint(),
            Some(expected)
        );
        let secret = Key::parse(&signer(Algorithm::Hs256).jwk(), &SECRET()).unwrap();
        assert_eq!(secret.thumbprint(), None);
    }

    #[test]
    fn debug_output_never_shows_a_secret() {
        let secret = json!({"kty": "oct", "k": base64url::encode(&[0x5a; 64]), "kid": "one"});
        let shown = format!("{:?}", Key::parse(&secret, &SECRET()).unwrap());
        assert!(
            !shown.contains("90") && !shown.contains("Wlpa") && !shown.contains("5a5a"),
            "{shown}"
        );
    }
}
