//! Where keys come from.

use std::time::Duration;

use postern_core::keys::{KeySource, Location};

use super::Found;

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Looks at the keys that are said at a path.
pub(super) fn look(keys: &KeySource, path: &str, found: &mut Found) {
    let KeySource::Remote(remote) = keys else {
        return;
    };
    let kind = match &remote.location {
        Location::Document(_) => "remote",
        Location::Metadata(_) => "discovery",
    };
    if remote.max_stale > WEEK {
        found.add(
            "long-max-stale",
            format!("{path}.{kind}.max_stale"),
            "keeps keys for more than a week that may have been withdrawn",
            "give less, such as 24h",
        );
    }
    if let Location::Document(uri) = &remote.location
        && uri.scheme() == "http"
    {
        found.add(
            "plain-http-keys",
            format!("{path}.remote.uri"),
            "is http, so whoever is on the way can give out keys",
            "use https, and a cluster with TLS",
        );
    }
}

/// Whether keys are found by an issuer's metadata that is fetched over http.
pub(super) fn are_discovered_over_http(keys: &KeySource) -> bool {
    let KeySource::Remote(remote) = keys else {
        return false;
    };
    matches!(&remote.location, Location::Metadata(issuer) if issuer.scheme() == "http")
}
