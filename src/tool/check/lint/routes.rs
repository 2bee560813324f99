//! What routes ask for.

use postern_core::base::ClientId;
use postern_core::gate::Route;
use postern_core::policy::{Allow, Condition};
use postern_core::risk::settings::Deed;

use super::clients::is_whole_domain;
use super::{Found, Policy};

pub(super) fn look(policy: &Policy<'_>, found: &mut Found) {
    for (index, route) in policy.protected() {
        let path = format!("routes[{index}]");
        callers(policy, index, route, &path, found);
        conditions(route, &path, found);
        throttle(policy, route, &path, found);
    }
}

fn callers(policy: &Policy<'_>, index: usize, route: &Route, path: &str, found: &mut Found) {
    let at = format!("{path}.allow");
    if route.allow == Allow::default() {
        let who = if policy.config.settings.callers.clients.unregistered {
            "whoever has a good token or certificate, of any issuer and trust domain, is let in"
        } else {
            "every registered client is let in"
        };
        found.add(
            "any-caller",
            at.as_str(),
            format!("says nothing about who may call: {who}"),
            "name scopes, issuers, clients or workloads",
        );
    }
    let clients = &policy.config.settings.callers.clients;
    let barred = |id: &ClientId| {
        clients.get(*id).is_none_or(|client| {
            client.suspended || client.expires.is_some_and(|day| day < policy.today)
        })
    };
    let named = route.allow.clients.as_ref();
    if named.is_some_and(|named| named.iter().all(barred)) {
        found.add(
            "nobody-allowed",
            format!("{at}.clients"),
            "names only clients that are suspended or expired, so every request is refused",
            "name others, or remove the route",
        );
    }
    for (place, pattern) in policy.workloads(index).enumerate() {
        if is_whole_domain(pattern) {
            found.add(
                "wide-workload",
                format!("{at}.spiffe[{place}]"),
                "lets every workload of the trust domain in",
                "name the workloads",
            );
        }
    }
}

fn conditions(route: &Route, path: &str, found: &mut Found) {
    for (index, condition) in route.when.conditions().iter().enumerate() {
        if matches!(condition, Condition::Header(header) if !header.required) {
            found.add(
                "skippable-condition",
                format!("{path}.when[{index}].required"),
                "is false, so a caller passes by leaving the header out",
                "remove it where the condition is meant to hold",
            );
        }
    }
}

fn throttle(policy: &Policy<'_>, route: &Route, path: &str, found: &mut Found) {
    let Some(risk) = policy.config.settings.risk.as_ref() else {
        return;
    };
    let own = route
        .risk
        .as_ref()
        .map(|risk_of_route| risk.settings.with(risk_of_route));
    let settings = own.as_ref().unwrap_or(&risk.settings);
    let throttles = settings
        .actions()
        .iter()
        .any(|action| matches!(action.deed, Deed::Throttle(_)));
    // Without any limits the core says so.
    if throttles && route.limits.is_empty() && !policy.config.settings.limits.is_empty() {
        found.add(
            "unlimited-throttle",
            format!("{path}.limits"),
            "is not given, so throttling by risk does nothing here",
            "name a limit",
        );
    }
}
