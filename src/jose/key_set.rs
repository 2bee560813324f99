//! A JSON Web Key Set (RFC 7517 section 5).

use std::fmt;

use serde_json::Value;

use super::{
    Excerpt, Key, KeyRules,
    jwk::{self, JwkError},
};

/// How many keys a set has at most.
const MAX_KEYS: usize = 200;

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
                skipped.iter().try_for_each(|key| write!(f, "; {key}"))
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
