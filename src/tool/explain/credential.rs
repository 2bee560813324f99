//! From the header field, or the certificate, to a caller.

use postern_core::base::Now;
use postern_core::caller::Caller;
use postern_core::caller::identity::Proven;
use postern_core::gate::Settings;
use postern_core::gate::steps::{Seen, Verdict};
use postern_core::jose::{Audiences, NumericDate, UnverifiedJws};
use postern_core::keys::{Document, KeySource};
use postern_core::spiffe::{self, Signatory};
use serde_json::{Map, Value};

use crate::instant;
use crate::moment;
use crate::text::{printable, shortened};
use postern_testkit::signing::jws;

/// The longest value of a claim that is shown.
const SHOWN: usize = 80;

/// Where the credential is; given claims have none.
pub fn credential(seen: &Seen<'_, '_>, given_claims: bool, says: &mut Vec<String>) {
    let tokens = &seen.judge.config.callers.tokens;
    match (seen.case.token, &seen.case.caller) {
        (Some(_), _) if given_claims => {
            says.push("no token, and no signature: the claims were given".to_owned());
        }
        (Some(token), _) => {
            let (scheme, header, bytes) = (&tokens.scheme, &tokens.header, token.len());
            says.push(format!("{scheme} token of {bytes} bytes in {header}"));
        }
        (None, Some(caller)) => {
            let id = printable(caller.identity());
            says.push(format!("no token, and the certificate of {id}"));
        }
        (None, None) => {}
    }
}

/// Whether the token was met before.
pub fn known(seen: &Seen<'_, '_>, says: &mut Vec<String>) {
    if seen.case.recognised.is_some() {
        says.push("its signature held before, under the keys that are in force".to_owned());
    }
}

/// What the token's header says, whose keys are asked, and whether they hold.
pub fn signature(seen: &Seen<'_, '_>, says: &mut Vec<String>) {
    let config = seen.judge.config;
    let Some(token) = seen.case.token else {
        return;
    };
    if let Ok(jws) = UnverifiedJws::parse(token, config.callers.tokens.max_bytes) {
        envelope(config, &jws, says);
    }
    if *seen.verdict == Verdict::Passed {
        says.push("the signature holds".to_owned());
    }
}

/// What the token claims, as far as it can be read, and whose it is.
pub fn claims(seen: &Seen<'_, '_>, says: &mut Vec<String>) {
    let now = seen.judge.now();
    if let Some(caller) = &seen.case.caller {
        says.push(format!("it claims: {}", listed(caller.claims().raw(), now)));
        accepted(seen.judge.config, caller, says);
        return;
    }
    let token = seen
        .case
        .token
        .and_then(|token| std::str::from_utf8(token).ok());
    let Some(parts) = token.and_then(jws::parts) else {
        return;
    };
    let word = match seen.verdict {
        Verdict::Refused(_) => "it claims",
        _ => "it claims, and nothing of it is verified",
    };
    says.push(format!("{word}: {}", listed(&parts.claims, now)));
}

fn accepted(config: &Settings, caller: &Caller, says: &mut Vec<String>) {
    let audiences = match caller.signatory() {
        Signatory::Issuer(place) => config.callers.issuers.get(place).map(|own| &own.audiences),
        Signatory::TrustDomain(place) => {
            let domain = config.callers.trust_domains.get(place);
            let svid = domain.and_then(|domain| domain.jwt_svid.as_ref());
            svid.map(|svid| &svid.audiences)
        }
    };
    if let Some(Audiences::OneOf(names)) = audiences {
        let names = printable(&names.join(", "));
        says.push(format!("aud must name one of: {names}"));
    }
    let proven = match caller.proven() {
        Proven::Jwt => "a token",
        Proven::JwtSvid => "a JWT-SVID",
        Proven::X509Svid => "a certificate",
        Proven::Xfcc => "a forwarded certificate",
    };
    let client = caller.client();
    let client = client.map(|client| format!(", client {}", printable(client)));
    let (identity, client) = (printable(caller.identity()), client.unwrap_or_default());
    says.push(format!("caller {identity}{client}, by {proven}"));
}

/// What the header says, and whose keys are asked.
fn envelope(config: &Settings, jws: &UnverifiedJws, says: &mut Vec<String>) {
    let named = |value: Option<&str>| value.map_or("none".to_owned(), shown);
    let algorithm = shown(jws.algorithm_name());
    let (kid, typ) = (named(jws.kid()), named(jws.typ()));
    says.push(format!("header: alg {algorithm}, kid {kid}, typ {typ}"));
    let issuer = |iss: &str| Some(config.callers.issuer_of(iss)?.0);
    let domain = |name: &spiffe::TrustDomain| Some(config.callers.trust_domain_of(name)?.0);
    let Ok(signatory) = spiffe::signatory(jws, issuer, domain) else {
        return;
    };
    let (kind, keys) = match signatory {
        Signatory::Issuer(place) => (
            "issuer",
            config.callers.issuers.get(place).map(|issuer| &issuer.keys),
        ),
        Signatory::TrustDomain(place) => {
            let domain = config.callers.trust_domains.get(place);
            let svid = domain.and_then(|domain| domain.jwt_svid.as_ref());
            ("trust domain", svid.map(|svid| &svid.bundle))
        }
    };
    let name = config.callers.name_of(signatory);
    let keys = keys.map_or(String::new(), |keys| held(keys, jws.kid()));
    says.push(format!("{kind} \"{name}\"{keys}"));
    if let Signatory::Issuer(place) = signatory
        && let Some(issuer) = config.callers.issuers.get(place)
    {
        let names: Vec<&str> = issuer.algorithms.iter().map(|one| one.name()).collect();
        says.push(format!("algorithms it may use: {}", names.join(", ")));
    }
}

fn held(keys: &KeySource, kid: Option<&str>) -> String {
    match keys {
        KeySource::Inline(Document::KeySet(set), _) => {
            let found = kid.is_some() && set.iter().any(|key| key.kid() == kid);
            let word = match (kid, found) {
                (None, _) => "and the token names none",
                (Some(_), true) => "one of that kid",
                (Some(_), false) => "none of that kid",
            };
            let keys = if set.len() == 1 { "key" } else { "keys" };
            format!(", {} {keys}, {word}", set.len())
        }
        KeySource::Inline(Document::Bundle(_), _) => ", keys of its bundle".to_owned(),
        KeySource::Remote(remote) => {
            format!(
                ", keys that the proxy fetches from cluster {}",
                printable(&remote.cluster)
            )
        }
    }
}

/// The claims that decide, with times as people read them.
fn listed(claims: &Map<String, Value>, now: Now) -> String {
    const TOLD: [&str; 10] = [
        "iss",
        "sub",
        "aud",
        "client_id",
        "azp",
        "scope",
        "scp",
        "iat",
        "nbf",
        "exp",
    ];
    let told = TOLD.iter().filter_map(|name| {
        let value = claims.get(*name)?;
        let date = matches!(*name, "iat" | "nbf" | "exp").then(|| NumericDate::from_json(value));
        let value = match date.flatten() {
            Some(date) => {
                let at = date.instant();
                let distance = moment::distance(at, now);
                format!("{} ({distance})", instant::text(at.millis()))
            }
            None => text(value),
        };
        Some(format!("{name} {value}"))
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() {
        "nothing that decides".to_owned()
    } else {
        told.join(", ")
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => shown(text),
        other => shown(&other.to_string()),
    }
}

fn shown(text: &str) -> String {
    shortened(&printable(text), SHOWN)
}
