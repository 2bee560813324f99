//! Governed clients.

use postern_core::base::{Id as _, IssuerId};
use postern_core::caller::clients::Client;
use postern_core::config::wire::ClientMatch;
use postern_core::gate::Route;

use super::{Found, Policy, elements, issuers, trust_domains};

pub(super) fn look(policy: &Policy<'_>, found: &mut Found) {
    let clients = &policy.config.settings.callers.clients;
    let matches = elements(&policy.written.clients).filter_map(|client| client.matching.given());
    for ((id, client), matching) in clients.all().each().zip(matches) {
        let index = id.place();
        let path = format!("clients[{index}]");
        governed(policy, client, matching, &path, found);
        let is_named = |route: &Route| {
            let named = route.allow.clients.as_ref();
            named.is_none_or(|clients| clients.contains(&id))
        };
        if !policy
            .protected()
            .any(|(at, route)| is_named(route) && takes_credential(policy, matching, at, route))
        {
            found.add(
                "unused-client",
                path,
                format!("no route lets \"{}\" in", client.name),
                "name it, or its issuer or trust domain, in an allow, or remove it",
            );
        }
    }
    let at = "unregistered_clients";
    if clients.unregistered && !clients.all().is_empty() {
        found.add(
            "open-registration",
            at,
            "lets callers in that are not among clients, which then only say more about some",
            "use deny",
        );
    } else if !clients.unregistered
        && clients.all().is_empty()
        && policy.protected().next().is_some()
    {
        found.add(
            "nobody-registered",
            at,
            "is deny, and nobody is registered, so only public routes are open",
            "add clients, or use allow",
        );
    }
}

fn governed(
    policy: &Policy<'_>,
    client: &Client,
    matching: &ClientMatch,
    path: &str,
    found: &mut Found,
) {
    if client.owner.is_none() {
        found.add(
            "client-without-owner",
            format!("{path}.owner"),
            "is not given, so nobody answers for the client",
            "name a person or a team",
        );
    }
    match client.expires {
        None => found.add(
            "client-without-expiry",
            format!("{path}.expires"),
            "is not given, so the registration outlives whoever knew of it",
            "give its last day",
        ),
        Some(day) if day < policy.today => found.add(
            "expired-client",
            format!("{path}.expires"),
            "is past, and every request of the client is refused",
            "renew it, or remove the client",
        ),
        Some(_) => {}
    }
    let pattern = matching.spiffe.given();
    if pattern.is_some_and(|pattern| is_whole_domain(pattern)) {
        found.add(
            "wide-workload",
            format!("{path}.match.spiffe"),
            "makes every workload of the trust domain this client",
            "name the workloads",
        );
    }
}

/// Whether a pattern is every workload of a trust domain.
pub(super) fn is_whole_domain(pattern: &str) -> bool {
    let rest = pattern.strip_prefix("spiffe://");
    rest.and_then(|rest| rest.split_once('/'))
        .is_some_and(|(_, path)| path == "**")
}

/// Whether a route takes what a client calls with.
fn takes_credential(policy: &Policy<'_>, matching: &ClientMatch, at: usize, route: &Route) -> bool {
    let config = policy.config;
    if let Some(name) = matching.issuer.given() {
        let issuer = config
            .settings
            .callers
            .issuers
            .iter()
            .position(|issuer| issuer.name == *name);
        return issuer.is_some_and(|place| issuers::takes(route, IssuerId::at(place)));
    }
    let pattern = matching.spiffe.given().map_or("", String::as_str);
    let own = config
        .settings
        .callers
        .trust_domains
        .iter()
        .filter(|domain| {
            let rest = pattern.strip_prefix(&domain.id);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
    own.into_iter()
        .any(|domain| trust_domains::takes(policy, at, route, domain))
}
