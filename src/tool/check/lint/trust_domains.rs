//! Trust domains.

use postern_core::caller::settings::{Domain, JwtSvid};
use postern_core::config::wire;
use postern_core::gate::Route;

use super::issuers::SKEW;
use super::{Found, Policy, elements, keys};

pub(super) fn look(policy: &Policy<'_>, found: &mut Found) {
    let domains = policy.config.settings.callers.trust_domains.iter();
    let domains = domains.zip(elements(&policy.written.trust_domains));
    for (index, (domain, written)) in domains.enumerate() {
        let path = format!("trust_domains[{index}]");
        if let Some(svid) = &domain.jwt_svid {
            tokens(svid, &path, found);
            keys::look(&svid.bundle, &format!("{path}.jwt_svid.bundle"), found);
        }
        if let Some(xfcc) = written.xfcc.given() {
            forwarded(xfcc, &format!("{path}.xfcc"), found);
        }
        let is_used = |(at, route): (usize, &Route)| takes(policy, at, route, domain);
        if !policy.protected().any(is_used) {
            found.add(
                "unused-trust-domain",
                path,
                format!("no route lets workloads of \"{}\" in", domain.name),
                "name some in allow.spiffe, or remove it",
            );
        }
    }
}

fn tokens(svid: &JwtSvid, path: &str, found: &mut Found) {
    if svid.clock_skew > SKEW {
        found.add(
            "wide-clock-skew",
            format!("{path}.jwt_svid.clock_skew"),
            "takes tokens for more than two minutes after they expired",
            "30s do where clocks are kept",
        );
    }
    if svid.forward {
        found.add(
            "forwarded-token",
            format!("{path}.jwt_svid.forward"),
            "hands the credential to the upstream, which can use it as the caller",
            "remove it",
        );
    }
}

fn forwarded(xfcc: &wire::Xfcc, path: &str, found: &mut Found) {
    if !xfcc.trusted_cidrs.is_absent() {
        found.add(
            "address-trust",
            format!("{path}.trusted_cidrs"),
            "believes whoever connects from there about who calls",
            "name proxies by certificate, in trusted_peers",
        );
    }
    if xfcc.elements.given().is_some_and(|elements| *elements != 1) {
        found.add("several-elements", format!("{path}.elements"), "believes what several proxies wrote, as far as nobody can reach a later one around the first", "let the last proxy overwrite the header (SANITIZE_SET), and remove this");
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
    policy.workloads(at).any(|pattern| own(pattern))
}
