//! Where keys come from.

use std::time::Duration;

use postern_core::keys::KeySource;
use serde_json::Value;

use super::{Found, Policy};

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Looks at the keys that are the member of that name.
pub(super) fn look(
    policy: &Policy<'_>,
    keys: &KeySource,
    path: &str,
    name: &str,
    found: &mut Found,
) {
    let path = format!("{path}.{name}");
    let written = policy.at(&pointer(&path)).unwrap_or(&Value::Null);
    if let KeySource::Remote(remote) = keys {
        let kind = if written.get("remote").is_some() {
            "remote"
        } else {
            "discovery"
        };
        if remote.max_stale > WEEK {
            let path = format!("{path}.{kind}.max_stale");
            found.add("long-max-stale", path, "keeps keys for more than a week that may have been withdrawn; give less, such as 24h");
        }
    }
    let uri = written.pointer("/remote/uri").and_then(Value::as_str);
    if uri.is_some_and(|uri| uri.starts_with("http://")) {
        let path = format!("{path}.remote.uri");
        found.add("plain-http-keys", path, "is http, so whoever is on the way can give out keys; use https, and a cluster with TLS");
    }
    if written.get("allow_rsa_exponent_3") == Some(&Value::Bool(true)) {
        let path = format!("{path}.allow_rsa_exponent_3");
        found.add("rsa-exponent-3", path, "takes keys whose signatures careless libraries were forged for; ask the issuer for keys with 65537");
    }
}

/// A path of members and elements as a JSON pointer.
pub(super) fn pointer(path: &str) -> String {
    let path = path.replace(['.', '['], "/").replace(']', "");
    format!("/{path}")
}
