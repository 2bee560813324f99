//! Issuers.

use std::time::Duration;

use postern_core::base::{Id as _, IssuerId};
use postern_core::caller::settings::Issuer;
use postern_core::crypto::AlgorithmSet;

use super::{Found, Policy, elements, keys};

const DAY: Duration = Duration::from_secs(86_400);
/// More than this is not the clocks of machines that keep time.
pub(super) const SKEW: Duration = Duration::from_secs(120);

pub(super) fn look(policy: &Policy<'_>, found: &mut Found) {
    let issuers = policy.config.settings.callers.issuers.iter();
    let issuers = issuers.zip(elements(&policy.written.issuers));
    for (index, (issuer, written)) in issuers.enumerate() {
        let path = format!("issuers[{index}]");
        tokens(issuer, &path, found);
        keys::look(&issuer.keys, &format!("{path}.keys"), found);
        let exponent_3 = written.keys.given();
        let exponent_3 = exponent_3.and_then(|keys| keys.allow_rsa_exponent_3.given());
        if exponent_3 == Some(&true) {
            found.add(
                "rsa-exponent-3",
                format!("{path}.keys.allow_rsa_exponent_3"),
                "takes keys whose signatures careless libraries were forged for",
                "ask the issuer for keys with 65537",
            );
        }
        if !written.lenient.is_absent() {
            found.add("large-rsa", format!("{path}.lenient"), "takes RSA keys of more than 4096 bits, with which whoever sends a bad token takes 11 ms of CPU time", "ask the issuer for smaller ones, or for ES256");
        }
        if keys::are_discovered_over_http(&issuer.keys) {
            found.add(
                "plain-http-keys",
                format!("{path}.issuer"),
                "is http, so whoever is on the way can give out keys",
                "use https",
            );
        }
        if !policy
            .protected()
            .any(|(_, route)| takes(route, IssuerId::at(index)))
        {
            found.add(
                "unused-issuer",
                path,
                format!("no route takes tokens of \"{}\"", issuer.name),
                "name it in allow.issuers, or remove it",
            );
        }
    }
}

/// Whether a route takes tokens of that issuer.
pub(super) fn takes(route: &postern_core::gate::Route, issuer: IssuerId) -> bool {
    let allow = &route.allow;
    match &allow.issuers {
        Some(issuers) => issuers.contains(&issuer),
        None => allow.spiffe.is_none() && !allow.same_workload,
    }
}

fn tokens(issuer: &Issuer, path: &str, found: &mut Found) {
    let at = |member: &str| format!("{path}.{member}");
    match issuer.max_lifetime {
        None => found.add(
            "no-max-lifetime",
            at("max_lifetime"),
            "is not given, so a token is good for as long as it says",
            "give one, such as 1h",
        ),
        Some(most) if most > DAY => found.add(
            "long-lifetime",
            at("max_lifetime"),
            "is more than a day, for which a stolen token is good",
            "give less, such as 1h",
        ),
        Some(_) => {}
    }
    if !issuer
        .algorithms
        .intersection(AlgorithmSet::symmetric())
        .is_empty()
    {
        found.add("shared-secret", at("algorithms"), "has HS algorithms: whoever has the secret to check tokens, this configuration included, can make them", "use public keys");
    }
    if issuer.clock_skew > SKEW {
        found.add(
            "wide-clock-skew",
            at("clock_skew"),
            "takes tokens for more than two minutes after they expired",
            "30s do where clocks are kept",
        );
    }
    if issuer.forward {
        found.add(
            "forwarded-token",
            at("forward"),
            "hands the credential to the upstream, which can use it as the caller",
            "use claim_headers and remove it",
        );
    }
}
