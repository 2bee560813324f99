//! The rules: their names never change.

/// What is wrong with a configuration has this name.
pub const ERROR: &str = "invalid-configuration";

/// What could be better, and is not dangerous by itself.
pub const NOTES: &[&str] = &["no-upstreams"];

/// Every rule, and what it is about.
pub const RULES: &[(&str, &str)] = &[
    (ERROR, "The configuration is refused by the filter."),
    (
        "address-trust",
        "Forwarded certificates are believed by the address of who sends them.",
    ),
    (
        "always-validated",
        "Certificates count as validated whatever the proxy says.",
    ),
    (
        "ambiguous-yaml",
        "A value without quotes is read differently by other readers of YAML.",
    ),
    ("any-audience", "Tokens for every audience are taken."),
    ("any-caller", "A route says nothing about who may call."),
    (
        "believed-hops",
        "A number of proxies is believed, whoever they are.",
    ),
    (
        "bypassing-cache",
        "A cache before Postern calls the upstream past it.",
    ),
    (
        "caller-chosen-key",
        "A limit is counted by what callers choose.",
    ),
    (
        "client-without-expiry",
        "A client's registration has no end.",
    ),
    ("client-without-owner", "Nobody answers for a client."),
    ("expired-client", "A client's registration is over."),
    (
        "fail-open",
        "The proxy lets requests through where the filter does not start.",
    ),
    ("forwarded-token", "The upstream gets the credential."),
    ("full-detail", "Refused callers are told exactly why."),
    (
        "idle-throttle",
        "Throttling by risk has no limits to work on.",
    ),
    (
        "idle-xfcc",
        "A section says whose forwarded certificates are believed, and none are read.",
    ),
    ("impossible-host", "No request can have that host."),
    (
        "kept-overrides",
        "The upstream may be told another method or path than was decided about.",
    ),
    (
        "large-rsa",
        "RSA keys may have more than 4096 bits, which are dear to check with.",
    ),
    ("long-lifetime", "Tokens may live for more than a day."),
    (
        "long-max-stale",
        "Keys are good for more than a week without a fetch.",
    ),
    (
        "no-keys",
        "A bundle has no key, so that nobody is let in by it.",
    ),
    ("no-max-lifetime", "Tokens may live for any time."),
    (
        "no-upstreams",
        "A public route beside protected ones does not say which upstreams are its own.",
    ),
    (
        "nobody-allowed",
        "A route lets in only clients that may not call.",
    ),
    (
        "nobody-registered",
        "Only registered clients may call, and there are none.",
    ),
    ("observe-mode", "What is refused is let through."),
    (
        "open-registration",
        "Callers may call that are not registered, beside some that are.",
    ),
    ("plain-http-keys", "Keys are fetched over http."),
    (
        "pressure-off",
        "Sources that keep failing are not held back.",
    ),
    (
        "proxy-field",
        "The proxy's routes look at fields that Postern sets or removes.",
    ),
    (
        "proxy-host",
        "The proxy and the configuration read hosts differently.",
    ),
    (
        "proxy-prefix",
        "The proxy's routes and the configuration read paths differently.",
    ),
    (
        "proxy-rewrite",
        "The proxy sends paths on that read otherwise than those that were decided.",
    ),
    (
        "public-below-protected",
        "A public route opens a subtree of a protected one.",
    ),
    (
        "public-beside-protected",
        "A public route covers a protected one.",
    ),
    (
        "repaired-path",
        "The proxy repairs paths before the filter sees them.",
    ),
    ("rsa-exponent-3", "RSA keys may have the exponent 3."),
    (
        "several-elements",
        "More elements of x-forwarded-client-cert are believed than one proxy's.",
    ),
    (
        "shared-cache",
        "A cache behind Postern does not see whose answers are.",
    ),
    ("shared-limit", "A limit is shared by all callers."),
    ("shared-secret", "Whoever can check a token can make one."),
    (
        "shared-verification",
        "Workers believe what is written of verified tokens where other plugins may write.",
    ),
    (
        "skippable-condition",
        "A condition does not hold for callers that leave the header out.",
    ),
    ("unaudited-denials", "Some denials are not audited."),
    (
        "uncounted-contention",
        "Requests are let through uncounted when workers hinder each other.",
    ),
    (
        "unlimited-throttle",
        "Throttling by risk does nothing on a route without limits.",
    ),
    ("unreachable-route", "No request finds a route."),
    (
        "unseen-audit",
        "Decisions are written at a level that proxies do not write by default.",
    ),
    ("unused-client", "No route lets a client in."),
    ("unused-issuer", "No route takes an issuer's tokens."),
    ("unused-key", "A key is passed over."),
    ("unused-limit", "No route is charged to a limit."),
    (
        "unused-trust-domain",
        "No route lets a trust domain's workloads in.",
    ),
    (
        "walked-around",
        "Other methods of a protected path find a route that asks for less.",
    ),
    (
        "wide-clock-skew",
        "Expired tokens are taken for more than two minutes.",
    ),
    ("wide-trust", "Proxies are believed in a very wide network."),
    (
        "wide-workload",
        "Every workload of a trust domain is meant.",
    ),
    ("worth-a-look", "Anything else that the filter warns of."),
    (
        "written-address",
        "Callers can write the address they come from.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_in_order_and_in_kebab_case() {
        assert!(RULES[1..].is_sorted_by(|a, b| a.0 < b.0));
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(
            RULES
                .iter()
                .all(|(id, about)| id.chars().all(fits) && about.ends_with('.'))
        );
    }
}
