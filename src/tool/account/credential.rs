//! From the header field, or the certificate, to a caller.

use std::rc::Rc;

use postern_core::caller::certificate::Presented;
use postern_core::caller::identity::Proven;
use postern_core::caller::{Caller, Known, Memory, credential};
use postern_core::config::Config;
use postern_core::crypto::Work;
use postern_core::decision::Reason;
use postern_core::gate::Route;
use postern_core::jose::{Audiences, NumericDate, UnverifiedJws};
use postern_core::keys::{Document, KeySource};
use postern_core::spiffe::{self, Signatory};
use serde_json::{Map, Value};

use super::{Findings, Inquiry, denial};
use crate::instant;
use crate::moment;
use crate::text::{printable, shortened};
use postern_testkit::signing::jws;

const STEP: &str = "credential";

/// The longest value of a claim that is shown.
const SHOWN: usize = 80;

/// Finds the caller, and says what was seen.
pub fn find(
    inquiry: &Inquiry<'_>,
    route: &Route,
    presented: &Presented,
    query: Option<&str>,
    findings: &mut Findings,
) -> Option<Rc<Caller>> {
    findings.ask(STEP);
    let tokens = &inquiry.config.settings.callers.tokens;
    match credential::token(inquiry.headers, query, tokens) {
        Ok(token) => by_token(inquiry, token, findings),
        Err(none)
            if !route.allow.needs_token()
                && !credential::is_sent(inquiry.headers, query, tokens) =>
        {
            match presented.caller() {
                Ok(Some(caller)) => {
                    let id = printable(caller.identity());
                    findings.say(STEP, format!("no token, and the certificate of {id}"));
                    Some(Rc::clone(caller))
                }
                Ok(None) => {
                    findings.say(STEP, none.detail.clone());
                    findings.fail(STEP, none);
                    None
                }
                Err(refusal) => {
                    let denial = denial(refusal);
                    findings.say(STEP, denial.detail.clone());
                    findings.fail(STEP, denial);
                    None
                }
            }
        }
        Err(denial) => {
            findings.say(STEP, denial.detail.clone());
            findings.fail(STEP, denial);
            None
        }
    }
}

fn by_token(inquiry: &Inquiry<'_>, token: &[u8], findings: &mut Findings) -> Option<Rc<Caller>> {
    let tokens = &inquiry.config.settings.callers.tokens;
    if inquiry.asked.given_claims {
        findings.say(STEP, "no token, and no signature: the claims were given");
    } else {
        let (header, bytes) = (&tokens.header, token.len());
        let scheme = &tokens.scheme;
        findings.say(STEP, format!("{scheme} token of {bytes} bytes in {header}"));
        if let Ok(jws) = UnverifiedJws::parse(token, tokens.max_bytes) {
            envelope(inquiry.config, &jws, findings);
        }
    }
    let judged = inquiry.judge.authenticate(
        &mut Memory::own(&mut Known::default()),
        token,
        &mut None,
        &mut Work::within(tokens.budget),
        || Ok(()),
    );
    match judged {
        Ok(caller) => {
            verified(inquiry, &caller, findings);
            Some(caller)
        }
        Err(refusal) => {
            let denial = denial(refusal);
            let parts = std::str::from_utf8(token).ok().and_then(jws::parts);
            if let Some(parts) = parts {
                let believed = is_after_signature(denial.reason);
                let word = if believed {
                    "it claims"
                } else {
                    "it claims, and nothing of it is verified"
                };
                findings.say(STEP, format!("{word}: {}", claims(&parts.claims, inquiry)));
            }
            findings.say(STEP, denial.detail.clone());
            findings.fail(STEP, denial);
            None
        }
    }
}

const fn is_after_signature(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::TypeMismatch
            | Reason::TokenExpired
            | Reason::TokenNotYetValid
            | Reason::TokenLifetimeExceeded
            | Reason::AudienceMismatch
            | Reason::ClaimMissing
            | Reason::SvidInvalid
    )
}

/// What the header says, and whose keys are asked.
fn envelope(config: &Config, jws: &UnverifiedJws, findings: &mut Findings) {
    let named = |value: Option<&str>| value.map_or("none".to_owned(), shown);
    let algorithm = shown(jws.algorithm_name());
    let (kid, typ) = (named(jws.kid()), named(jws.typ()));
    findings.say(
        STEP,
        format!("header: alg {algorithm}, kid {kid}, typ {typ}"),
    );
    let issuer = |iss: &str| Some(config.settings.callers.issuer_of(iss)?.0);
    let domain =
        |name: &spiffe::TrustDomain| Some(config.settings.callers.trust_domain_of(name)?.0);
    let Ok(signatory) = spiffe::signatory(jws, issuer, domain) else {
        return;
    };
    let (kind, keys) = match signatory {
        Signatory::Issuer(place) => (
            "issuer",
            config
                .settings
                .callers
                .issuers
                .get(place)
                .map(|issuer| &issuer.keys),
        ),
        Signatory::TrustDomain(place) => {
            let domain = config.settings.callers.trust_domains.get(place);
            let svid = domain.and_then(|domain| domain.jwt_svid.as_ref());
            ("trust domain", svid.map(|svid| &svid.bundle))
        }
    };
    let name = config.settings.callers.name_of(signatory);
    let keys = keys.map_or(String::new(), |keys| held(keys, jws.kid()));
    findings.say(STEP, format!("{kind} \"{name}\"{keys}"));
    if let Signatory::Issuer(place) = signatory
        && let Some(issuer) = config.settings.callers.issuers.get(place)
    {
        let names: Vec<&str> = issuer.algorithms.iter().map(|one| one.name()).collect();
        findings.say(STEP, format!("algorithms it may use: {}", names.join(", ")));
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

fn verified(inquiry: &Inquiry<'_>, caller: &Caller, findings: &mut Findings) {
    if !inquiry.asked.given_claims {
        findings.say(STEP, "the signature holds");
    }
    findings.say(
        STEP,
        format!("it claims: {}", claims(caller.claims().raw(), inquiry)),
    );
    let audiences = match caller.signatory() {
        Signatory::Issuer(place) => inquiry
            .config
            .settings
            .callers
            .issuers
            .get(place)
            .map(|own| &own.audiences),
        Signatory::TrustDomain(place) => {
            let domain = inquiry.config.settings.callers.trust_domains.get(place);
            let svid = domain.and_then(|domain| domain.jwt_svid.as_ref());
            svid.map(|svid| &svid.audiences)
        }
    };
    if let Some(Audiences::OneOf(names)) = audiences {
        findings.say(
            STEP,
            format!("aud must name one of: {}", printable(&names.join(", "))),
        );
    }
    let proven = match caller.proven() {
        Proven::Jwt => "a token",
        Proven::JwtSvid => "a JWT-SVID",
        Proven::X509Svid => "a certificate",
        Proven::Xfcc => "a forwarded certificate",
    };
    let client = caller
        .client()
        .map(|client| format!(", client {}", printable(client)));
    let client = client.unwrap_or_default();
    findings.say(
        STEP,
        format!(
            "caller {}{client}, by {proven}",
            printable(caller.identity())
        ),
    );
}

/// The claims that decide, with times as people read them.
fn claims(claims: &Map<String, Value>, inquiry: &Inquiry<'_>) -> String {
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
                let distance = moment::distance(at, inquiry.now());
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
