//! The signers of a suite: made for the run, or read; and put where the configuration needs them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;

use postern_core::config::Config;
use postern_core::crypto::AlgorithmSet;
use postern_core::jose::{KeyRules, KeySet, KeyUse};
use postern_core::keys::{Document, KeySource, Reading};
use postern_core::spiffe::Bundle;
use serde_json::{Value, json};

use super::suite::{KeyOf, Suite};
use crate::failure::Failure;
use postern_testkit::signing::{self, ALGORITHMS, Signer};

/// The signers by name.
pub type Signers = BTreeMap<String, Signer>;

/// Makes or reads every signer, at once: an RSA key takes its time.
pub fn of(suite: &Suite) -> Result<Signers, Failure> {
    thread::scope(|scope| {
        let making: Vec<_> = suite
            .keys
            .iter()
            .map(|(name, spec)| (name, scope.spawn(|| signer(suite, name, spec))))
            .collect();
        let made = making.into_iter().map(|(name, key)| match key.join() {
            Ok(key) => Ok((name.clone(), key?)),
            Err(_) => Err(Failure(format!("keys.{name}: could not be made"))),
        });
        made.collect()
    })
}

fn signer(suite: &Suite, name: &str, spec: &KeyOf) -> Result<Signer, Failure> {
    let place = format!("{}: keys.{name}", suite.file.display());
    let mut key = match (&spec.file, &spec.alg) {
        (Some(file), None) => read(&beside(&suite.file, file))?,
        (None, Some(alg)) => {
            let algorithm = signing::algorithm(alg);
            let algorithm = algorithm
                .ok_or_else(|| Failure(format!("{place}.alg is {alg}; {ALGORITHMS} is needed")))?;
            Signer::generate(algorithm, &format!("{name}-1")).map_err(Failure)?
        }
        _ => {
            let needed = "alg, for a key of the run, or file, for a private JWK, is needed";
            return Err(Failure(format!("{place}: {needed}, and not both")));
        }
    };
    if let Some(kid) = &spec.kid {
        key.kid.clone_from(kid);
    }
    Ok(key)
}

/// Reads a private JWK from a file.
pub fn read(file: &Path) -> Result<Signer, Failure> {
    let name = file.display();
    let bytes = fs::read(file).map_err(|error| Failure(format!("{name}: {error}")))?;
    // What the parser says may quote what it read.
    let jwk: Value = serde_json::from_slice(&bytes)
        .map_err(|_| Failure(format!("{name}: is no JSON; a private JWK is needed")))?;
    Signer::of_jwk(&jwk).map_err(|problem| Failure(format!("{name}: {problem}")))
}

/// A file that is named relative to another.
pub fn beside(file: &Path, named: &Path) -> std::path::PathBuf {
    file.parent().unwrap_or(Path::new("")).join(named)
}

/// The documents of the signers that take the place of `${NAME}` in the configuration's text.
pub fn placeholders(suite: &Suite, signers: &Signers) -> BTreeMap<String, Value> {
    let mut documents: BTreeMap<String, Value> = BTreeMap::new();
    for (name, spec) in &suite.keys {
        let Some(key) = signers.get(name) else {
            continue;
        };
        let placed = [
            (&spec.jwks, key.public_jwk()),
            (&spec.bundle, svid_jwk(key)),
        ];
        for (placeholder, jwk) in placed {
            let Some(placeholder) = placeholder else {
                continue;
            };
            let document = documents.entry(placeholder.clone());
            let document = document.or_insert_with(|| json!({"keys": []}));
            if let Some(keys) = document.get_mut("keys").and_then(Value::as_array_mut) {
                keys.push(jwk);
            }
        }
    }
    documents
}

/// Puts signers in the place of the keys of their issuers and trust domains.
pub fn place(suite: &Suite, signers: &Signers, config: &mut Config) -> Result<(), Failure> {
    let (mut issuers, mut domains) = (BTreeMap::new(), BTreeMap::new());
    for (name, spec) in &suite.keys {
        let Some(key) = signers.get(name) else {
            continue;
        };
        if let Some(issuer) = &spec.issuer {
            let keys: &mut Vec<Value> = issuers.entry(issuer.as_str()).or_default();
            keys.push(key.public_jwk());
        }
        if let Some(domain) = &spec.trust_domain {
            let keys: &mut Vec<Value> = domains.entry(domain.as_str()).or_default();
            keys.push(svid_jwk(key));
        }
    }
    let file = suite.file.display();
    let failed = |problem: String| Failure(format!("{file}: {problem}"));
    for (issuer, keys) in issuers {
        give_issuer(config, issuer, keys).map_err(failed)?;
    }
    for (domain, keys) in domains {
        give_domain(config, domain, keys).map_err(failed)?;
    }
    Ok(())
}

/// Gives an issuer these keys and no others.
pub fn give_issuer(config: &mut Config, name: &str, keys: Vec<Value>) -> Result<(), String> {
    let known: Vec<String> = config
        .settings
        .callers
        .issuers
        .iter()
        .map(|own| own.name.clone())
        .collect();
    let mut issuers = config.settings.callers.issuers.iter_mut();
    let Some(issuer) = issuers.find(|own| own.name == name) else {
        let known = known.join(", ");
        return Err(format!(
            "no issuer is named \"{name}\"; issuers are: {known}"
        ));
    };
    let rules = KeyRules {
        algorithms: issuer.algorithms,
        allow_rsa_exponent_3: false,
        allow_large_rsa: false,
        key_use: KeyUse::Signature,
    };
    let document = json!({"keys": keys});
    let (keys, _) = KeySet::parse(&document, &rules)
        .map_err(|error| format!("the keys for issuer \"{name}\": {error}"))?;
    let keys = Document::KeySet(keys);
    issuer.keys = KeySource::inline(keys, &Reading::KeySet(rules), &document);
    Ok(())
}

/// Gives a trust domain these keys for JWT-SVIDs and no others.
pub fn give_domain(config: &mut Config, name: &str, keys: Vec<Value>) -> Result<(), String> {
    let mut domains = config.settings.callers.trust_domains.iter_mut();
    let domain = domains.find(|own| own.name.as_str() == name);
    let Some(svid) = domain.and_then(|domain| domain.jwt_svid.as_mut()) else {
        return Err(format!(
            "no trust domain \"{name}\" with jwt_svid is configured"
        ));
    };
    let document = json!({"keys": keys});
    let bundle = Bundle::from_json(&document)
        .map_err(|error| format!("the keys for trust domain \"{name}\": {error}"))?;
    svid.bundle = KeySource::inline(Document::Bundle(bundle), &Reading::Bundle, &document);
    Ok(())
}

/// The key as a bundle has it (SPIFFE Trust Domain and Bundle section 4.2).
pub fn svid_jwk(key: &Signer) -> Value {
    let mut jwk = key.public_jwk();
    if let Some(members) = jwk.as_object_mut() {
        members.insert("use".to_owned(), "jwt-svid".into());
        members.remove("alg");
    }
    jwk
}

/// Lets an issuer have only tokens of one algorithm.
pub fn only(algorithm: postern_core::crypto::Algorithm) -> AlgorithmSet {
    AlgorithmSet::EMPTY.with(algorithm)
}
