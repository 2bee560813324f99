//! Trust domains.

use postern_core::caller::settings::{Domain, JwtSvid};
use postern_core::gate::Route;

use super::issuers::SKEW;
use super::{Found, Policy, keys};

pub(super) fn look(policy: &Policy<'_>, found: &mut Found) {
    for (index, domain) in policy
        .config
        .settings
        .callers
        .trust_domains
        .iter()
        .enumerate()
    {
        let path = format!("trust_domains[{index}]");
        if let Some(svid) = &domain.jwt_svid {
            tokens(svid, &path, found);
            keys::look(policy, &svid.bundle, &path, "jwt_svid.bundle", found);
        }
        forwarded(policy, index, &path, found);
        let is_used = |(at, route): (usize, &Route)| takes(policy, at, route, domain);
        if !policy.protected().any(is_used) {
            found.add(
                "unused-trust-domain",
                path,
                format!(
                    "no route lets workloads of \"{}\" in; name some in allow.spiffe, or remove it",
                    domain.name
                ),
            );
        }
    }
}

fn tokens(svid: &JwtSvid, path: &str, found: &mut Found) {
    if svid.clock_skew > SKEW {
        found.add("wide-clock-skew", format!("{path}.jwt_svid.clock_skew"), "takes tokens for more than two minutes after they expired; 30s do where clocks are kept");
    }
    if svid.forward {
        found.add(
            "forwarded-token",
            format!("{path}.jwt_svid.forward"),
            "hands the credential to the upstream, which can use it as the caller; remove it",
        );
    }
}

fn forwarded(policy: &Policy<'_>, index: usize, path: &str, found: &mut Found) {
    let pointer = format!("/trust_domains/{index}/xfcc");
    let cidrs = format!("{pointer}/trusted_cidrs");
    if policy.at(&cidrs).is_some() {
        found.add("address-trust", format!("{path}.xfcc.trusted_cidrs"), "believes whoever connects from there about who calls; name proxies by certificate, in trusted_peers");
    }
    let elements = policy.at(&format!("{pointer}/elements"));
    if elements.is_some_and(|elements| elements.as_u64() != Some(1)) {
        found.add("several-elements", format!("{path}.xfcc.elements"), "believes what several proxies wrote, as far as nobody can reach a later one around the first; let the last proxy overwrite the header (SANITIZE_SET), and remove this");
    }
}

/// Whether a route lets workloads of that trust domain in, or asks for them.
pub(super) fn takes(policy: &Policy<'_>, at: usize, route: &Route, domain: &Domain) -> bool {
    if route.allow.spiffe.is_none() {
        return route.allow.issuers.is_none();
    }
    let own = |pattern: &str| {
        let rest = pattern.strip_prefix(&domain.id);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    policy.texts(&format!("/routes/{at}/allow/spiffe")).any(own)
}
