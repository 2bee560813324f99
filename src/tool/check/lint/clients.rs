//! Governed clients.

use postern_core::base::{ClientId, Id as _, IssuerId};
use postern_core::caller::clients::Client;
use postern_core::gate::Route;
use serde_json::Value;

use super::{Found, Policy, issuers, trust_domains};

pub(super) fn look(policy: &Policy<'_>, found: &mut Found) {
    let clients = &policy.config.settings.callers.clients;
    for (id, client) in clients.all().each() {
        let index = id.place();
        let path = format!("clients[{index}]");
        governed(policy, client, &path, found);
        if !policy
            .protected()
            .any(|(at, route)| lets_in(policy, id, at, route))
        {
            found.add("unused-client", path, format!("no route lets \"{}\" in; name it, or its issuer or trust domain, in an allow, or remove it", client.name));
        }
    }
    let at = "unregistered_clients";
    if clients.unregistered && !clients.all().is_empty() {
        found.add("open-registration", at, "lets callers in that are not among clients, which then only say more about some; use deny");
    } else if !clients.unregistered
        && clients.all().is_empty()
        && policy.protected().next().is_some()
    {
        found.add("nobody-registered", at, "is deny, and nobody is registered, so only public routes are open; add clients, or use allow");
    }
}

fn governed(policy: &Policy<'_>, client: &Client, path: &str, found: &mut Found) {
    if client.owner.is_none() {
        found.add(
            "client-without-owner",
            format!("{path}.owner"),
            "is not given, so nobody answers for the client; name a person or a team",
        );
    }
    match client.expires {
        None => found.add(
            "client-without-expiry",
            format!("{path}.expires"),
            "is not given, so the registration outlives whoever knew of it; give its last day",
        ),
        Some(day) if day < policy.today => found.add(
            "expired-client",
            format!("{path}.expires"),
            "is past, and every request of the client is refused; renew it, or remove the client",
        ),
        Some(_) => {}
    }
    let pattern = policy.at(&format!("{}/match/spiffe", super::keys::pointer(path)));
    if pattern.and_then(Value::as_str).is_some_and(is_whole_domain) {
        found.add(
            "wide-workload",
            format!("{path}.match.spiffe"),
            "makes every workload of the trust domain this client; name the workloads",
        );
    }
}

/// Whether a pattern is every workload of a trust domain.
pub(super) fn is_whole_domain(pattern: &str) -> bool {
    let rest = pattern.strip_prefix("spiffe://");
    rest.and_then(|rest| rest.split_once('/'))
        .is_some_and(|(_, path)| path == "**")
}

/// Whether a client may be let in by that route.
fn lets_in(policy: &Policy<'_>, client: ClientId, at: usize, route: &Route) -> bool {
    let named = route
        .allow
        .clients
        .as_ref()
        .is_none_or(|clients| clients.contains(&client));
    named && takes_credential(policy, client.place(), at, route)
}

fn takes_credential(policy: &Policy<'_>, client: usize, at: usize, route: &Route) -> bool {
    let text = |name: &str| {
        let value = policy.at(&format!("/clients/{client}/match/{name}"));
        value.and_then(Value::as_str)
    };
    let config = policy.config;
    if let Some(name) = text("issuer") {
        let issuer = config
            .settings
            .callers
            .issuers
            .iter()
            .position(|issuer| issuer.name == name);
        return issuer.is_some_and(|place| issuers::takes(route, IssuerId::at(place)));
    }
    let pattern = text("spiffe").unwrap_or_default();
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
