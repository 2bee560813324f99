//! What the core warns of itself.

use super::{Found, Policy};

/// A part of the sentence, the rule, and what to do.
const KNOWN: &[(&str, &str, &str)] = &[
    (
        ": observe lets requests",
        "observe-mode",
        "remove it to enforce",
    ),
    (
        ": tokens for every audience",
        "any-audience",
        "name the audiences",
    ),
    (
        ": sources that keep failing",
        "pressure-off",
        "use enforce, or observe",
    ),
    (
        ": every certificate that the proxy lets",
        "always-validated",
        "make sure that it refuses every one that it cannot validate, or use reported",
    ),
    (
        ": an upstream may be told another method",
        "kept-overrides",
        "remove it, or keep by name what the upstream needs and only the proxy sets",
    ),
    (
        ": throttle makes requests",
        "idle-throttle",
        "add limits, or tag instead",
    ),
    (
        ": is never looked at",
        "idle-xfcc",
        "remove it, or set from",
    ),
    (
        ": has no key for JWT-SVIDs",
        "no-keys",
        "add one, or remove jwt_svid",
    ),
    (
        ": has no keys, which revokes",
        "no-keys",
        "add some, unless that is meant",
    ),
    (
        " is not used: ",
        "unused-key",
        "remove it, or replace it by one that can be used",
    ),
];

pub(super) fn look(policy: &Policy<'_>, found: &mut Found) {
    for warning in &policy.config.warnings {
        let known = KNOWN.iter().find(|(part, ..)| warning.contains(part));
        let (rule, remedy) = known.map_or(("worth-a-look", "see whether it is meant"), |known| {
            (known.1, known.2)
        });
        let end = if rule == "unused-key" {
            " is not used"
        } else {
            ": "
        };
        let at = warning.find(end).unwrap_or_default();
        let (path, message) = warning.split_at_checked(at).unwrap_or(("", warning));
        // A key is named beside its place.
        let path = path.split(" (").next().unwrap_or(path);
        let message = message.trim_start_matches([':', ' ']);
        found.add(rule, path, format!("{message}; {remedy}"));
    }
}
