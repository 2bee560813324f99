//! Where an issuer's keys come from.

use serde_json::Value;

use super::place::Place;
use super::wire::{self, Field};
use crate::crypto::{Algorithm, AlgorithmSet};
use crate::jose::{JwkError, KeyRules, KeySet, KeySetError, KeyUse, SkippedKey};

/// None only where an error was noted.
pub(super) fn compile(
    keys: Field<wire::Keys>,
    place: &Place<'_>,
    algorithms: AlgorithmSet,
    warnings: &mut Vec<String>,
) -> Option<KeySet> {
    let keys = keys.required(place, "an object with inline")?;
    let exponent_3 = keys
        .allow_rsa_exponent_3
        .optional(&place.member("allow_rsa_exponent_3"));
    let place = place.member("inline");
    let document = keys.inline.required(&place, "a JWK Set")?;
    // A set of algorithms with an error in it says nothing about the keys.
    let rules = KeyRules {
        algorithms: if algorithms.is_empty() {
            AlgorithmSet::asymmetric()
        } else {
            algorithms
        },
        allow_rsa_exponent_3: exponent_3.unwrap_or_default(),
        key_use: KeyUse::Signature,
    };
    key_set(&document, &rules, &place, warnings)
}

fn key_set(
    document: &Value,
    rules: &KeyRules,
    place: &Place<'_>,
    warnings: &mut Vec<String>,
) -> Option<KeySet> {
    match KeySet::parse(document, rules) {
        Ok((keys, skipped)) => {
            for key in skipped {
                if !note_private(&key, place) {
                    warnings.push(format!("{place}.{key}"));
                }
            }
            Some(keys)
        }
        Err(error) => {
            if let KeySetError::NoUsableKey(skipped) = &error
                && skipped
                    .iter()
                    .filter(|key| note_private(key, place))
                    .count()
                    > 0
            {
                return None;
            }
            let names: Vec<&str> = rules.algorithms.iter().map(Algorithm::name).collect();
            let names = names.join(", ");
            place.error(format_args!(
                "is not taken: {error}; a JWK Set with a key for {names} is needed"
            ));
            None
        }
    }
}

/// Says so where the key is a private one: "configuration never holds a private key".
fn note_private(key: &SkippedKey, place: &Place<'_>) -> bool {
    let is_private = key.why == JwkError::Private;
    if is_private {
        let keys = place.member("keys");
        keys.element(key.index).error("holds a private key; put the public key here, and replace the private one, which is disclosed now");
    }
    is_private
}
