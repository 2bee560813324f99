//! Where third-party vectors are found, and how a suite compares its verdicts with theirs.

#![allow(dead_code, reason = "each suite uses its part")]

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::PathBuf,
};

use postern_core::crypto::{AlgorithmSet, Pure, Work};
use postern_core::jose::{
    JwsError, KeyRules, KeySet, KeySetError, KeyUse, UnverifiedJws, VerifiedJws,
    json::{self, Bounds},
};
use serde_json::{Value, json};

/// What a suite or Postern says of one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    Reject,
}

/// A case on which Postern and a suite differ, and why that is right.
pub struct Exception {
    pub id: &'static str,
    pub expected: Verdict,
    pub actual: Verdict,
    pub reason: &'static str,
}

/// A case that a suite refuses and Postern accepts.
pub const fn accepted(id: &'static str, reason: &'static str) -> Exception {
    let (expected, actual) = (Verdict::Reject, Verdict::Accept);
    Exception {
        id,
        expected,
        actual,
        reason,
    }
}

/// A case that a suite accepts and Postern refuses.
pub const fn rejected(id: &'static str, reason: &'static str) -> Exception {
    let (expected, actual) = (Verdict::Accept, Verdict::Reject);
    Exception {
        id,
        expected,
        actual,
        reason,
    }
}

/// Reads a vector file; none where there are no vectors on this machine.
///
/// They are not part of this repository: they are looked for in `$POSTERN_VECTORS`, then beside
/// the checkout. With `REQUIRE_VECTORS=1` it is a failure not to find them.
pub fn read(file: &str) -> Option<Value> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors");
    let folder = std::env::var_os("POSTERN_VECTORS").map_or(PathBuf::from(beside), PathBuf::from);
    if !folder.is_dir() {
        let required = std::env::var_os("REQUIRE_VECTORS").is_some_and(|value| value == "1");
        assert!(
            !required,
            "REQUIRE_VECTORS=1, but there is no folder {}",
            folder.display()
        );
        // Written past the test harness, which keeps what a passing test prints to itself.
        let _ = writeln!(
            io::stderr(),
            "\n{file} is passed over: there are no vectors in {}",
            folder.display()
        );
        return None;
    }
    let bytes = fs::read(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    Some(
        json::parse(&bytes, Bounds::CONFIGURATION)
            .unwrap_or_else(|error| panic!("{file}: {error}")),
    )
}

/// Compares verdicts: fails on a divergence that is not declared, on a declared one that no
/// longer happens, and on one that is declared otherwise than it happens.
pub fn compare(
    verdicts: impl IntoIterator<Item = (String, Verdict, Verdict)>,
    exceptions: &[Exception],
) {
    let mut open: BTreeMap<&str, &Exception> = exceptions
        .iter()
        .map(|exception| (exception.id, exception))
        .collect();
    assert_eq!(
        open.len(),
        exceptions.len(),
        "an exception is declared twice"
    );
    let mut surprises = Vec::new();
    let mut cases = 0_u32;
    for (id, expected, actual) in verdicts {
        cases += 1;
        let declared = open.remove(id.as_str());
        let foreseen = declared.map(|exception| (exception.expected, exception.actual));
        match foreseen {
            Some(verdicts) if verdicts == (expected, actual) && expected != actual => {}
            None if expected == actual => {}
            _ => surprises.push(format!(
                "{id}: expected {expected:?}, actual {actual:?}, declared {foreseen:?}"
            )),
        }
    }
    surprises.extend(
        open.keys()
            .map(|id| format!("{id}: declared, and not in the suite")),
    );
    assert!(cases > 0, "the suite has no cases");
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

/// The rules of an issuer whose keys are like these: all symmetric where there is a secret, all
/// asymmetric elsewhere.
pub fn rules_for(keys: &Value) -> KeyRules {
    let secret = elements(keys).iter().any(|key| key["kty"] == "oct");
    KeyRules {
        algorithms: if secret {
            AlgorithmSet::symmetric()
        } else {
            AlgorithmSet::asymmetric()
        },
        allow_rsa_exponent_3: false,
        allow_large_rsa: true,
        key_use: KeyUse::Signature,
    }
}

/// A JWK Set of a key or of a JWK Set.
pub fn key_set(keys: &Value) -> Result<KeySet, KeySetError> {
    let set = json!({"keys": elements(keys)});
    KeySet::parse(&set, &rules_for(keys)).map(|(keys, _)| keys)
}

/// Verifies a token with a key or a JWK Set, as Postern would with an issuer that has them.
pub fn verify(token: &str, keys: &Value) -> Result<VerifiedJws, String> {
    let allowed = rules_for(keys).algorithms;
    let keys = key_set(keys).map_err(|error| error.to_string())?;
    verify_with(token, &keys, allowed).map_err(|error| error.to_string())
}

pub fn verify_with(
    token: &str,
    keys: &KeySet,
    allowed: AlgorithmSet,
) -> Result<VerifiedJws, JwsError> {
    UnverifiedJws::parse(token.as_bytes(), 1 << 20)?.verify(
        keys,
        allowed,
        &Pure,
        &mut Work::ample(),
    )
}

fn elements(keys: &Value) -> Vec<Value> {
    match keys.get("keys").and_then(Value::as_array) {
        Some(keys) => keys.clone(),
        None => vec![keys.clone()],
    }
}
