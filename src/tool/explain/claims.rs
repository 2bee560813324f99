//! Claims without a token: taken as verified, by a key that is made for this one decision.

use std::fs;
use std::path::Path;

use postern_core::base::Now;
use postern_core::caller::settings::Issuer;
use postern_core::config::Config;
use postern_core::crypto::Algorithm;
use postern_core::jose::{Audiences, TokenProfile};
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::moment;
use crate::test::signers::{give_domain, give_issuer, only, svid_jwk};
use postern_testkit::signing::{Signer, jws};

const LOUD: &str = "NOT VERIFIED: the claims are taken as if a token of the issuer had them; \
                    no signature was checked";

/// A token made of claims, and what has to be said of it.
pub struct StandIn {
    pub text: String,
    pub told: Vec<String>,
}

/// Reads claims: an object, or a file with one.
pub fn read(text: &str) -> Result<Map<String, Value>, Failure> {
    let needed = "a JSON object of claims, or a file with one, is needed";
    let failed = |what: String| Failure(format!("--claims: {what}; {needed}"));
    let json = if text.trim_start().starts_with('{') {
        text.to_owned()
    } else {
        fs::read_to_string(Path::new(text)).map_err(|error| failed(format!("{text}: {error}")))?
    };
    match serde_json::from_str(&json) {
        Ok(Value::Object(claims)) => Ok(claims),
        Ok(_) => Err(failed("is no object".to_owned())),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Makes a token of claims, and has the configurations take it.
pub fn stand_in(text: &str, configs: &mut [&mut Config], now: Now) -> Result<StandIn, Failure> {
    let mut claims = read(text)?;
    let key = Signer::generate(Algorithm::Es256, "claims").map_err(Failure)?;
    let subject = claims
        .get("sub")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let workload = subject
        .strip_prefix("spiffe://")
        .filter(|_| !claims.contains_key("iss"));
    let (mut filled, mut typ) = (Vec::new(), "JWT");
    for config in configs.iter_mut() {
        match workload.and_then(|rest| rest.split('/').next()) {
            Some(domain) => {
                filled.extend(fill_svid(config, domain, &mut claims, now));
                // Of a domain that is not configured there is nothing to have take it.
                let _ = give_domain(config, domain, vec![svid_jwk(&key)]);
            }
            None => {
                filled.extend(fill(config, &mut claims, now));
                typ = taken(config, &claims, &key)?;
            }
        }
    }
    claims.retain(|_, value| !value.is_null());
    let claims = moment::dated(&Value::Object(claims), now);
    let header = json!({"alg": "ES256", "kid": "claims", "typ": typ});
    let header = header.as_object().cloned().unwrap_or_default();
    let text = jws::signed(&key, &header, &claims);
    let mut told = vec![LOUD.to_owned()];
    if !filled.is_empty() {
        told.push(format!("filled in: {}", filled.join(", ")));
    }
    Ok(StandIn { text, told })
}

/// Has the issuer that the claims name take what the key signs; the type that it asks for.
fn taken(
    config: &mut Config,
    claims: &Map<String, Value>,
    key: &Signer,
) -> Result<&'static str, Failure> {
    let iss = claims.get("iss").and_then(Value::as_str);
    let issuer = config
        .settings
        .callers
        .issuers
        .iter_mut()
        .find(|issuer| Some(issuer.issuer.as_str()) == iss);
    let Some(issuer) = issuer else {
        return Ok("JWT");
    };
    issuer.algorithms = only(Algorithm::Es256);
    let typ = match issuer.profile {
        TokenProfile::AtJwt => "at+jwt",
        TokenProfile::Jwt => "JWT",
    };
    let name = issuer.name.clone();
    give_issuer(config, &name, vec![key.public_jwk()]).map_err(Failure)?;
    Ok(typ)
}

fn fill(config: &Config, claims: &mut Map<String, Value>, now: Now) -> Vec<String> {
    let mut filled = Vec::new();
    if let [issuer] = &*config.settings.callers.issuers {
        put(claims, "iss", json!(issuer.issuer), &mut filled);
    }
    let iss = claims.get("iss").and_then(Value::as_str);
    let issuer: Option<&Issuer> = iss
        .and_then(|iss| config.settings.callers.issuer_of(iss))
        .map(|(_, issuer)| issuer);
    if let Some(Audiences::OneOf(names)) = issuer.map(|issuer| &issuer.audiences) {
        put(claims, "aud", json!(names.first()), &mut filled);
    }
    put(claims, "iat", json!(now.secs()), &mut filled);
    put(
        claims,
        "exp",
        json!(now.secs().saturating_add(300)),
        &mut filled,
    );
    filled
}

fn fill_svid(
    config: &Config,
    name: &str,
    claims: &mut Map<String, Value>,
    now: Now,
) -> Vec<String> {
    let mut filled = Vec::new();
    let mut domains = config.settings.callers.trust_domains.iter();
    let domain = domains.find(|domain| domain.name.as_str() == name);
    let svid = domain.and_then(|domain| domain.jwt_svid.as_ref());
    if let Some(Audiences::OneOf(names)) = svid.map(|svid| &svid.audiences) {
        put(claims, "aud", json!([names.first()]), &mut filled);
    }
    put(
        claims,
        "exp",
        json!(now.secs().saturating_add(300)),
        &mut filled,
    );
    filled
}

fn put(claims: &mut Map<String, Value>, name: &str, value: Value, filled: &mut Vec<String>) {
    if !claims.contains_key(name) {
        filled.push(format!("{name} {value}"));
        claims.insert(name.to_owned(), value);
    }
}
