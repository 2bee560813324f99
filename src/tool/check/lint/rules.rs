//! The rules: their names never change.

use postern_core::config::Severity::{self, Error, Note, Warning};

/// Mistakes that are not listed have this name.
pub const ERROR: &str = "invalid-configuration";

/// Every rule, how bad what it finds is, and what it is about.
pub const RULES: &[(&str, Severity, &str)] = &[
    (
        ERROR,
        Error,
        "More is wrong with a configuration than is listed.",
    ),
    (
        "address-trust",
        Warning,
        "Forwarded certificates are believed by the address of who sends them.",
    ),
    (
        "always-validated",
        Warning,
        "Certificates count as validated whatever the proxy says.",
    ),
    (
        "ambiguous-yaml",
        Warning,
        "A value without quotes is read differently by other readers of YAML.",
    ),
    (
        "any-audience",
        Warning,
        "Tokens for every audience are taken.",
    ),
    (
        "any-caller",
        Warning,
        "A route says nothing about who may call.",
    ),
    (
        "believed-hops",
        Warning,
        "A number of proxies is believed, whoever they are.",
    ),
    (
        "bypassing-cache",
        Warning,
        "A cache before Postern calls the upstream past it.",
    ),
    (
        "caller-chosen-key",
        Warning,
        "A limit is counted by what callers choose.",
    ),
    (
        "client-without-expiry",
        Warning,
        "A client's registration has no end.",
    ),
    (
        "client-without-owner",
        Warning,
        "Nobody answers for a client.",
    ),
    ("conflict", Error, "Two things cannot both be meant."),
    (
        "disclosed-key",
        Error,
        "A private key is in the configuration.",
    ),
    (
        "duplicate",
        Error,
        "Something is there twice that may be there once.",
    ),
    ("empty-list", Error, "A list has no entry and needs one."),
    (
        "expired-client",
        Warning,
        "A client's registration is over.",
    ),
    (
        "fail-open",
        Warning,
        "The proxy lets requests through where the filter does not start.",
    ),
    (
        "forwarded-token",
        Warning,
        "The upstream gets the credential.",
    ),
    (
        "full-detail",
        Warning,
        "Refused callers are told exactly why.",
    ),
    (
        "idle-throttle",
        Warning,
        "Throttling by risk has no limits to work on.",
    ),
    (
        "idle-xfcc",
        Warning,
        "A section says whose forwarded certificates are believed, and none are read.",
    ),
    ("impossible-host", Warning, "No request can have that host."),
    (
        "kept-overrides",
        Warning,
        "The upstream may be told another method or path than was decided about.",
    ),
    (
        "large-rsa",
        Warning,
        "RSA keys may have more than 4096 bits, which are dear to check with.",
    ),
    (
        "long-lifetime",
        Warning,
        "Tokens may live for more than a day.",
    ),
    (
        "long-max-stale",
        Warning,
        "Keys are good for more than a week without a fetch.",
    ),
    (
        "malformed",
        Error,
        "A text is not in the notation that it has to be in.",
    ),
    (
        "misplaced-field",
        Error,
        "A field means nothing where it is, or beside what is there.",
    ),
    (
        "missing-field",
        Error,
        "A field is not given that has to be.",
    ),
    (
        "no-keys",
        Warning,
        "A bundle has no key, so that nobody is let in by it.",
    ),
    ("no-max-lifetime", Warning, "Tokens may live for any time."),
    (
        "no-upstreams",
        Note,
        "A public route beside protected ones does not say which upstreams are its own.",
    ),
    (
        "nobody-allowed",
        Warning,
        "A route lets in only clients that may not call.",
    ),
    (
        "nobody-registered",
        Warning,
        "Only registered clients may call, and there are none.",
    ),
    ("observe-mode", Warning, "What is refused is let through."),
    (
        "open-registration",
        Warning,
        "Callers may call that are not registered, beside some that are.",
    ),
    (
        "out-of-range",
        Error,
        "A number, a duration, a size or a length is not within its bounds.",
    ),
    (
        "overlapping-routes",
        Error,
        "Two routes can match the same requests, and neither is more specific.",
    ),
    ("plain-http-keys", Warning, "Keys are fetched over http."),
    (
        "pressure-off",
        Warning,
        "Sources that keep failing are not held back.",
    ),
    (
        "proxy-field",
        Warning,
        "The proxy's routes look at fields that Postern sets or removes.",
    ),
    (
        "proxy-host",
        Warning,
        "The proxy and the configuration read hosts differently.",
    ),
    (
        "proxy-prefix",
        Warning,
        "The proxy's routes and the configuration read paths differently.",
    ),
    (
        "proxy-rewrite",
        Warning,
        "The proxy sends paths on that read otherwise than those that were decided.",
    ),
    (
        "public-below-protected",
        Warning,
        "A public route opens a subtree of a protected one.",
    ),
    (
        "public-beside-protected",
        Warning,
        "A public route covers a protected one.",
    ),
    (
        "repaired-path",
        Warning,
        "The proxy repairs paths before the filter sees them.",
    ),
    ("reserved-name", Error, "A name is taken already."),
    (
        "rsa-exponent-3",
        Warning,
        "RSA keys may have the exponent 3.",
    ),
    (
        "several-elements",
        Warning,
        "More elements of x-forwarded-client-cert are believed than one proxy's.",
    ),
    (
        "shared-cache",
        Warning,
        "A cache behind Postern does not see whose answers are.",
    ),
    ("shared-limit", Warning, "A limit is shared by all callers."),
    (
        "shared-secret",
        Warning,
        "Whoever can check a token can make one.",
    ),
    (
        "shared-verification",
        Warning,
        "Workers believe what is written of verified tokens where other plugins may write.",
    ),
    (
        "skippable-condition",
        Warning,
        "A condition does not hold for callers that leave the header out.",
    ),
    (
        "unaudited-denials",
        Warning,
        "Some denials are not audited.",
    ),
    (
        "uncounted-contention",
        Warning,
        "Requests are let through uncounted when workers hinder each other.",
    ),
    ("unknown-field", Error, "There is no such field."),
    (
        "unknown-name",
        Error,
        "Nothing has the name that is referred to.",
    ),
    (
        "unknown-word",
        Error,
        "A word is none of those that are accepted.",
    ),
    (
        "unlimited-throttle",
        Warning,
        "Throttling by risk does nothing on a route without limits.",
    ),
    (
        "unmet-need",
        Error,
        "Something needs what is not there elsewhere in the configuration.",
    ),
    (
        "unportable-yaml",
        Error,
        "Not every reader of YAML takes it, or takes it for the same.",
    ),
    ("unreachable-route", Warning, "No request finds a route."),
    (
        "unreadable",
        Error,
        "The file or the configuration cannot be read.",
    ),
    (
        "unseen-audit",
        Warning,
        "Decisions are written at a level that proxies do not write by default.",
    ),
    ("unsupported", Error, "This version does not have it."),
    ("unusable-keys", Error, "Keys cannot be used."),
    ("unused-client", Warning, "No route lets a client in."),
    (
        "unused-issuer",
        Warning,
        "No route takes an issuer's tokens.",
    ),
    ("unused-key", Warning, "A key is passed over."),
    ("unused-limit", Warning, "No route is charged to a limit."),
    (
        "unused-trust-domain",
        Warning,
        "No route lets a trust domain's workloads in.",
    ),
    (
        "walked-around",
        Warning,
        "Other methods of a protected path find a route that asks for less.",
    ),
    (
        "wide-clock-skew",
        Warning,
        "Expired tokens are taken for more than two minutes.",
    ),
    (
        "wide-trust",
        Warning,
        "Proxies are believed in a very wide network.",
    ),
    (
        "wide-workload",
        Warning,
        "Every workload of a trust domain is meant.",
    ),
    (
        "worth-a-look",
        Warning,
        "Anything else that the filter warns of.",
    ),
    (
        "written-address",
        Warning,
        "Callers can write the address they come from.",
    ),
    (
        "wrong-choice",
        Error,
        "None or several are given of fields of which some are needed.",
    ),
    (
        "wrong-type",
        Error,
        "A value is of another type than is needed.",
    ),
    (
        "wrong-wrapper",
        Error,
        "The configuration is in what no proxy hands on.",
    ),
];

/// How bad it is what a rule finds.
pub fn level(rule: &str) -> Severity {
    let found = RULES.iter().find(|(id, ..)| *id == rule);
    found.map_or(Error, |(_, level, _)| *level)
}

#[cfg(test)]
mod tests {
    use postern_core::config::Mistake;

    use super::*;
    use crate::document::{UNPORTABLE_YAML, WRONG_WRAPPER};

    #[test]
    fn rules_are_in_order_and_in_kebab_case() {
        assert!(RULES[1..].is_sorted_by(|a, b| a.0 < b.0));
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(
            RULES
                .iter()
                .all(|(id, _, about)| id.chars().all(fits) && about.ends_with('.'))
        );
    }

    #[test]
    fn errors_are_what_the_core_and_the_documents_refuse() {
        let errors = RULES.iter().filter(|(_, level, _)| *level == Error);
        let mut errors: Vec<&str> = errors.map(|(id, ..)| *id).collect();
        let mistakes = Mistake::ALL.iter().map(|mistake| mistake.name());
        let mut refused: Vec<&str> = mistakes
            .chain([ERROR, UNPORTABLE_YAML, WRONG_WRAPPER])
            .collect();
        errors.sort_unstable();
        refused.sort_unstable();
        assert_eq!(errors, refused);
    }
}
