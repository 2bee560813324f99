//! The token of a step.

use std::fs;

use postern_core::base::{Now, base64url};
use serde_json::{Map, Value, json};

use super::signers::{Signers, beside};
use super::suite::{Forge, Suite, TokenOf};
use crate::certificate::Certificate;
use crate::moment;
use postern_testkit::signing::{Signer, hmac, jws};

/// Makes or reads the token of a step.
///
/// # Errors
///
/// What is wrong with it, and what would be accepted.
pub fn of(
    suite: &Suite,
    signers: &Signers,
    spec: &TokenOf,
    certificate: Option<&Certificate>,
    now: Now,
) -> Result<String, String> {
    match (&spec.file, &spec.literal) {
        (Some(_), Some(_)) => {
            return Err("file and literal are both there; one is needed".to_owned());
        }
        (None, Some(literal)) => return Ok(literal.clone()),
        (Some(file), None) => {
            let file = beside(&suite.file, file);
            let text = fs::read_to_string(&file);
            let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
            return Ok(text.trim().to_owned());
        }
        (None, None) => {}
    }
    let (key, bare) = signer(suite, signers, spec)?;
    let usual = if bare {
        Map::new()
    } else {
        suite.token.claims.clone()
    };
    let mut claims = merged(usual, &spec.claims);
    if spec.bound {
        let certificate = certificate.ok_or("bound is true, and the request has no certificate")?;
        let digest = base64url::encode(&certificate.sha256);
        claims.insert("cnf".to_owned(), json!({"x5t#S256": digest}));
    }
    let claims = moment::dated(&Value::Object(claims), now);
    let mut header = suite.token.header.clone();
    header.insert("alg".to_owned(), key.algorithm.name().into());
    header.insert("kid".to_owned(), key.kid.as_str().into());
    let header = merged(header, &spec.header);
    Ok(forged(spec.forge, key, header, &claims))
}

fn signer<'s>(
    suite: &Suite,
    signers: &'s Signers,
    spec: &TokenOf,
) -> Result<(&'s Signer, bool), String> {
    let only = || {
        (signers.len() == 1)
            .then(|| signers.keys().next())
            .flatten()
    };
    let name = spec.key.as_ref().or(suite.token.key.as_ref()).or_else(only);
    let known = || {
        signers
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let Some(name) = name else {
        return Err(format!("names no key; keys are: {}", known()));
    };
    let Some(key) = signers.get(name) else {
        return Err(format!("no key is named \"{name}\"; keys are: {}", known()));
    };
    Ok((key, suite.keys.get(name).is_some_and(|spec| spec.bare)))
}

fn forged(
    forge: Option<Forge>,
    key: &Signer,
    mut header: Map<String, Value>,
    claims: &Value,
) -> String {
    match forge {
        None => jws::signed(key, &header, claims),
        Some(Forge::None) => {
            header.insert("alg".to_owned(), "none".into());
            header.remove("kid");
            jws::compact(&header, claims, |_| Vec::new())
        }
        Some(Forge::Hs256) => {
            header.insert("alg".to_owned(), "HS256".into());
            jws::compact(&header, claims, |input| hmac(&key.confusable(), input))
        }
        Some(Forge::Truncated) => {
            let token = jws::signed(key, &header, claims);
            let end = token.rfind('.').unwrap_or_default();
            token.get(..end).unwrap_or_default().to_owned()
        }
        Some(Forge::Tampered) => tampered(key, &header, claims),
    }
}

/// The signature of one token beneath the claims of another.
fn tampered(key: &Signer, header: &Map<String, Value>, claims: &Value) -> String {
    let mut raised = claims.clone();
    if let Some(members) = raised.as_object_mut() {
        let scope = members
            .get("scope")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let scope = format!("{scope} raised");
        members.insert("scope".to_owned(), scope.trim().into());
    }
    jws::compact(header, &raised, |_| {
        let token = jws::signed(key, header, claims);
        let signature = token.rsplit('.').next().unwrap_or_default();
        base64url::decode(signature.as_bytes()).unwrap_or_default()
    })
}

/// The members of both, those of `changes` first; null takes one out.
fn merged(mut base: Map<String, Value>, changes: &Map<String, Value>) -> Map<String, Value> {
    for (name, value) in changes {
        base.insert(name.clone(), value.clone());
    }
    base.retain(|_, value| !value.is_null());
    base
}
