//! A JSON Web Key Set (RFC 7517 section 5).

use std::fmt;

use serde_json::Value;

use super::{JwkError, Key, KeyRules, jwk};
use crate::base::Excerpt;

/// How many keys a set has at most.
const MAX_KEYS: usize = 200;

/// How many keys an error speaks of one by one.
const SHOWN_KEYS: usize = 5;

/// The keys of one issuer that can be used; there is at least one.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    /// Reads a JWK Set, passing over keys that are broken, unsupported or for something else.
    ///
    /// Several keys may share a `kid`. Returns the keys that can be used, and why the others
    /// can't.
    ///
    /// # Errors
    ///
    /// It must be an object whose `keys` is an array of at most 200, one of which can be used;
    /// where secrets are wanted there must be nothing but secrets, since then publishing the set
    /// as usual would give them away.
    pub fn parse(
        document: &Value,
        rules: &KeyRules,
    ) -> Result<(Self, Vec<SkippedKey>), KeySetError> {
        let members = elements(document)?;
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for (index, jwk) in members.iter().enumerate() {
            match Key::parse(jwk, rules) {
                Ok(key) => keys.push(key),
                Err(why) => skipped.push(SkippedKey::new(index, jwk, why)),
            }
        }
        if keys.iter().any(|key| key.verifying_key().is_secret())
            && !members.iter().all(jwk::is_secret)
        {
            return Err(KeySetError::Mixed);
        }
        match (keys.is_empty(), members.is_empty()) {
            (_, true) => Err(KeySetError::Empty),
            (true, false) => Err(KeySetError::NoUsableKey(skipped)),
            (false, false) => Ok((Self { keys }, skipped)),
        }
    }

    /// Every key, in the order of the set.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }

    /// How many keys there are; never zero.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> usize {
        self.keys.len()
    }
}

/// A key of a set that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its place in `keys`, from zero.
    pub index: usize,
    /// Its name, where it has one.
    pub kid: Option<Excerpt>,
    /// Why it is not used.
    pub why: JwkError,
}

impl SkippedKey {
    fn new(index: usize, jwk: &Value, why: JwkError) -> Self {
        let kid = jwk.get("kid").and_then(Value::as_str).map(Excerpt::of);
        Self { index, kid, why }
    }
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keys[{}]", self.index)?;
        if let Some(kid) = &self.kid {
            write!(f, " (kid {kid})")?;
        }
        write!(f, " is not used: {}", self.why)
    }
}

/// Why a set of keys is not used at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySetError {
    /// It is no object with an array `keys`.
    NotAKeySet,
    /// It has more than 200 keys.
    TooManyKeys(usize),
    /// `keys` is an empty array.
    Empty,
    /// None of its keys can be used.
    NoUsableKey(Vec<SkippedKey>),
    /// Secrets stand beside other keys (RFC 8725 section 3.2).
    Mixed,
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAKeySet => f.write_str("not a JWK Set: an object with an array `keys`"),
            Self::TooManyKeys(count) => write!(f, "{count} keys; at most {MAX_KEYS} are taken"),
            Self::Empty => f.write_str("there are no keys in the set"),
            Self::NoUsableKey(skipped) => {
                f.write_str("no key of the set can be used")?;
                let mut shown = skipped.iter().take(SHOWN_KEYS);
                shown.try_for_each(|key| write!(f, "; {key}"))?;
                match skipped.len().saturating_sub(SHOWN_KEYS) {
                    0 => Ok(()),
                    more => write!(f, "; and {more} more"),
                }
            }
            Self::Mixed => f.write_str("secrets and other keys may not be in one set"),
        }
    }
}

impl std::error::Error for KeySetError {}

fn elements(document: &Value) -> Result<&[Value], KeySetError> {
    let keys = document
        .as_object()
        .and_then(|members| members.get("keys"))
        .and_then(Value::as_array)
        .ok_or(KeySetError::NotAKeySet)?;
    if keys.len() > MAX_KEYS {
        return Err(KeySetError::TooManyKeys(keys.len()));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Algorithm, AlgorithmSet};
    use crate::jose::KeyUse;
    use crate::signing::signer;
    use serde_json::json;

    fn rules(algorithms: AlgorithmSet) -> KeyRules {
        KeyRules {
            algorithms,
            allow_rsa_exponent_3: false,
            allow_large_rsa: false,
            key_use: KeyUse::Signature,
        }
    }

    fn parse_public(document: &Value) -> Result<(KeySet, Vec<SkippedKey>), KeySetError> {
        KeySet::parse(document, &rules(AlgorithmSet::asymmetric()))
    }

    fn error(document: &Value) -> KeySetError {
        parse_public(document).expect_err("the set is not to be used")
    }

    fn named(algorithm: Algorithm, kid: &str) -> Value {
        let mut jwk = signer(algorithm).jwk();
        jwk["kid"] = kid.into();
        jwk
    }

    #[test]
    fn keys_that_cannot_be_used_are_passed_over_and_reported() {
        let set = json!({
            "keys": [
                named(Algorithm::Es256, "a"),
                {"kty": "EC", "crv": "P-256", "kid": "evil\n"},
                7,
                named(Algorithm::Hs256, "secret"),
                named(Algorithm::EdDsa, "a"),
            ],
            "unknown": "passed over",
        });
        let (keys, skipped) = parse_public(&set).unwrap();
        let kids: Vec<_> = keys.iter().map(Key::kid).collect();
        assert_eq!(kids, [Some("a"), Some("a")]);
        assert_eq!(keys.len(), 2);
        let reports: Vec<_> = skipped.iter().map(ToString::to_string).collect();
        assert_eq!(
            reports,
            [
                r#"keys[1] (kid "evil\n") is not used: it has no `x`"#,
                "keys[2] is not used: it is no JSON object",
                r#"keys[3] (kid "secret") is not used: no algorithm it may be used with is allowed here"#,
            ]
        );
    }

    #[test]
    fn a_set_without_a_key_to_use_is_an_error_that_says_why() {
        assert_eq!(error(&json!({"keys": []})), KeySetError::Empty);
        let error = error(&json!({"keys": [{"kty": "EC"}]}));
        assert!(matches!(&error, KeySetError::NoUsableKey(skipped) if skipped.len() == 1));
        assert_eq!(
            error.to_string(),
            "no key of the set can be used; keys[0] is not used: it has no `crv`"
        );
        let many = self::error(&json!({"keys": vec![json!({}); 7]})).to_string();
        assert!(
            many.ends_with("keys[4] is not used: it has no `kty`; and 2 more"),
            "{many}"
        );
    }

    #[test]
    fn what_is_no_set_of_keys_is_refused() {
        for document in [
            json!([]),
            json!({}),
            json!({"keys": {}}),
            json!({"keys": null}),
            json!(1),
        ] {
            assert_eq!(error(&document), KeySetError::NotAKeySet);
        }
    }

    #[test]
    fn at_most_two_hundred_keys_are_taken() {
        let key = signer(Algorithm::EdDsa).jwk();
        let set = |count: usize| json!({"keys": vec![key.clone(); count]});
        assert_eq!(parse_public(&set(200)).unwrap().0.len(), 200);
        assert_eq!(error(&set(201)), KeySetError::TooManyKeys(201));
    }

    #[test]
    fn secrets_and_other_keys_are_never_in_one_set() {
        let secret = rules(AlgorithmSet::symmetric());
        let alone = json!({"keys": [signer(Algorithm::Hs256).jwk()]});
        assert!(KeySet::parse(&alone, &secret).is_ok());
        let mixed =
            json!({"keys": [signer(Algorithm::Hs256).jwk(), signer(Algorithm::Es256).jwk()]});
        let error = KeySet::parse(&mixed, &secret).expect_err("mixed");
        assert_eq!(error, KeySetError::Mixed);
    }

    #[cfg(not(target_family = "wasm"))]
    proptest::proptest! {
        #[test]
        fn no_document_makes_it_panic(document in document()) {
            for algorithms in [AlgorithmSet::asymmetric(), AlgorithmSet::symmetric()] {
                let _ = KeySet::parse(&document, &rules(algorithms));
            }
        }
    }

    /// Sets whose keys have the right members and values that are wrong in every way.
    #[cfg(not(target_family = "wasm"))]
    fn document() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let value = prop_oneof![
            Just(json!(null)),
            Just(json!(1)),
            "(RSA|EC|OKP|oct|P-256|P-384|P-521|Ed25519|sig|AQAB|RS256|ES256)".prop_map(Value::from),
            "[A-Za-z0-9_-]{0,400}".prop_map(Value::from),
            proptest::collection::vec(any::<u8>(), 0..300)
                .prop_map(|bytes| crate::base::base64url::encode(&bytes).into()),
        ];
        let name = "(kty|crv|x|y|n|e|k|d|kid|use|alg|key_ops)";
        let key = proptest::collection::btree_map(name, value, 0..10)
            .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>());
        proptest::collection::vec(key, 0..5).prop_map(|keys| json!({"keys": keys}))
    }
}
