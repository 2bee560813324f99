//! Routes that no request finds: a request is made up for each, and the very table of the filter is
//! asked.

use std::net::Ipv4Addr;

use postern_core::base::Id as _;
use postern_core::policy::{Authority, HostPattern, RouteMatch};
use postern_core::request::{Method, NormalPath};

use super::{Found, Policy};

/// No route names a segment like this.
const SEGMENT: &str = "postern-made-this-up";

pub(super) fn look(policy: &Policy<'_>, found: &mut Found) {
    for (index, (route, _)) in policy.config.settings.routes.iter().enumerate() {
        let path = format!("routes[{index}].match");
        for (place, host) in route.hosts.iter().enumerate() {
            if !is_possible(host) {
                found.add(
                    "impossible-host",
                    format!("{path}.hosts[{place}]"),
                    format!("{host} is the host of no request"),
                    "correct it, or remove it",
                );
            }
        }
        if !is_found(policy, index, route) {
            found.add(
                "unreachable-route",
                path,
                "fits no request that would not be refused or find another route",
                "remove the route, or make its path shorter",
            );
        }
    }
}

/// A host that ends in a number is an IPv4 address to whoever sends requests
/// (<https://url.spec.whatwg.org/#host-parsing>), and addresses have nothing below them.
fn is_possible(pattern: &HostPattern) -> bool {
    let (host, is_below) = (pattern.host().name(), pattern.is_below());
    let last = host.rsplit('.').next().unwrap_or_default();
    let numeric = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    if numeric {
        return !is_below && host.parse::<Ipv4Addr>().is_ok();
    }
    !is_below || Authority::of(&pattern.example()).is_some()
}

fn is_found(policy: &Policy<'_>, index: usize, route: &RouteMatch) -> bool {
    let Ok(path) = NormalPath::parse(encoded(&route.path.example(SEGMENT)).as_bytes()) else {
        return false;
    };
    let hosts: Vec<String> = match route.hosts.as_slice() {
        [] => vec![String::new()],
        hosts => hosts.iter().map(HostPattern::example).collect(),
    };
    let methods: Vec<&str> = match route.methods.as_slice() {
        [] => Method::ORDINARY.to_vec(),
        methods => methods.iter().map(|method| method.as_str()).collect(),
    };
    let finds = |host: &str, method: &str| {
        let matched = policy.config.settings.routes.find(host, method, &path);
        matched.is_ok_and(|matched| matched.id.place() == index)
    };
    hosts
        .iter()
        .any(|host| methods.iter().any(|method| finds(host, method)))
}

/// A path as it is sent: what is not ASCII is encoded (RFC 3986 section 2.5).
fn encoded(path: &str) -> String {
    let sent = path.bytes().map(|byte| {
        if byte.is_ascii() {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    sent.collect()
}
