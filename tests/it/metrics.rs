//! What operators see of fetches, at hosts whose metrics have labels and at those without.

// The same stories under Node, with the attribute its runner needs.
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use postern_core::host::{HttpCall, MetricKind, Telemetry as _};
use postern_testkit::memory::MemoryHost;
use postern_testkit::stories::*;
use serde_json::{Value, json};

/// Three fetches on one tick: of two issuers, of which one fails, and of a trust domain, which fails.
fn fetched(root: MemoryHost) -> MemoryHost {
    let mut configuration = configuration(json!([{"name": "all", "match": {"path": "/{rest*}"}}]));
    let remote = |host: &str| {
        let uri = format!("https://{host}/keys");
        json!({"remote": {"cluster": host, "uri": uri}})
    };
    let issuers = configuration["issuers"].as_array_mut().unwrap();
    issuers[0]["keys"] = remote("corp.example");
    let mut other: Value = issuers[0].clone();
    other["name"] = json!("partner");
    other["issuer"] = json!("https://partner.example");
    other["keys"] = remote("partner.example");
    issuers.push(other);
    configuration["trust_domains"] = json!([{
        "name": "prod.example",
        "jwt_svid": {"audiences": ["orders"], "bundle": remote("prod.example")},
    }]);
    let gate = gate(&configuration);
    gate.tick(&root);
    let calls = root.calls();
    assert_eq!(calls.len(), 3);
    let document = key_set().to_string().into_bytes();
    for (call, number) in calls.iter().zip(1..) {
        let HttpCall { cluster, .. } = call;
        let status = if cluster == "corp.example" {
            "200"
        } else {
            "500"
        };
        root.set_response(&[(":status", status)], &document);
        gate.response(&root, number, document.len());
    }
    gate.tick(&root);
    root
}

#[test]
fn a_host_without_labels_has_them_in_the_names() {
    let root = fetched(MemoryHost::with_request(at(0), &[]));
    for (name, value) in [
        ("postern.keys.corp.fetches.ok", Some(1)),
        ("postern.keys.corp.version", Some(1)),
        ("postern.keys.corp.age_seconds", Some(0)),
        ("postern.keys.partner.fetches.status", Some(1)),
        ("postern.keys.partner.fetches.ok", None),
        ("postern.bundles.prod.example.fetches.status", Some(1)),
        ("postern.keys.fetches", None),
    ] {
        assert_eq!(root.metric(name), value, "{name}");
    }
}

#[test]
fn a_host_with_labels_keeps_them_apart() {
    let root = fetched(MemoryHost::with_request(at(0), &[]).labelled());
    for (name, value) in [
        (
            r#"postern.keys.fetches{issuer="corp",outcome="ok"}"#,
            Some(1),
        ),
        (r#"postern.keys.version{issuer="corp"}"#, Some(1)),
        (r#"postern.keys.age_seconds{issuer="corp"}"#, Some(0)),
        (
            r#"postern.keys.fetches{issuer="partner",outcome="status"}"#,
            Some(1),
        ),
        (
            r#"postern.bundles.fetches{domain="prod.example",outcome="status"}"#,
            Some(1),
        ),
        ("postern.keys.corp.fetches.ok", None),
    ] {
        assert_eq!(root.metric(name), value, "{name}");
    }
    // What needs none has none.
    let plain = root.define_labelled(MetricKind::Gauge, &"postern.keys.waiting".into());
    root.record_metric(plain.unwrap(), 7);
    assert_eq!(root.metric("postern.keys.waiting"), Some(7));
}
