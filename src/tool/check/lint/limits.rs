//! Limits.

use postern_core::base::Id as _;
use postern_core::limits::Limit;
use postern_core::limits::key::KeyPart;

use super::{Found, Policy};

pub(super) fn look(policy: &Policy<'_>, found: &mut Found) {
    for (id, limit) in policy.config.settings.limits.each() {
        let path = format!("limits[{}]", id.place());
        counted(limit, &path, found);
        if !policy
            .protected()
            .any(|(_, route)| route.limits.contains(&id))
        {
            found.add(
                "unused-limit",
                path,
                format!("no route is charged to \"{}\"", limit.name),
                "name it in a route's limits, or remove it",
            );
        }
    }
}

fn counted(limit: &Limit, path: &str, found: &mut Found) {
    for (place, part) in limit.key.iter().enumerate() {
        if matches!(part, KeyPart::Header(_)) {
            found.add(
                "caller-chosen-key",
                format!("{path}.key[{place}]"),
                "is a header, so a caller that changes it counts anew",
                "count by identity or client",
            );
        }
    }
    if limit
        .key
        .iter()
        .all(|part| matches!(part, KeyPart::Route | KeyPart::Issuer))
    {
        found.add(
            "shared-limit",
            format!("{path}.key"),
            "tells no callers apart, so one can use up what is for all",
            "count by identity or client as well",
        );
    }
    if !limit.deny_on_contention {
        found.add(
            "uncounted-contention",
            format!("{path}.on_contention"),
            "is allow, so a flood passes uncounted just when it is one",
            "use deny",
        );
    }
}
