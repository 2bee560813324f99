//! What the gate, the proxy and the upstream each read in a request: where they could come to
//! different routes, nobody is let through.

use std::rc::Rc;

use postern_core::gate::{Gate, Next};
use postern_core::host::Property;
use postern_testkit::memory::MemoryHost;
use serde_json::{Value, json};

use postern_testkit::stories::{at, claims, configuration, gate, live, reason, request, token};

fn target(method: &str, authority: &str, path: &str) -> MemoryHost {
    MemoryHost::with_request(
        at(0),
        &[
            (":method", method),
            (":path", path),
            (":authority", authority),
        ],
    )
}

/// A static site and an API: what is public of the one must not open the other.
fn site() -> Rc<Gate> {
    gate(&configuration(json!([
        {"name": "static", "match": {"hosts": ["static.example"], "path": "/{rest*}"}, "public": true},
        {"name": "api", "match": {"hosts": ["api.example"], "path": "/{rest*}"}},
    ])))
}

#[test]
fn a_host_with_a_port_or_a_dot_is_not_the_public_host() {
    for authority in [
        "static.example:8443",
        "static.example.",
        "static.example:",
        "STATIC.example:80",
    ] {
        let host = target("GET", authority, "/v1/orders/7");
        assert_eq!(reason(&site(), &host), "route_unknown", "{authority}");
    }
    let host = target("GET", "STATIC.example", "/v1/orders/7");
    assert_eq!(reason(&site(), &host), "allowed");
}

#[test]
fn a_host_with_a_port_or_a_dot_does_not_fall_from_its_route_to_a_public_one() {
    let gate = gate(&configuration(json!([
        {"name": "admin", "match": {"hosts": ["admin.example"], "path": "/{rest*}"}},
        {"name": "open", "match": {"path": "/{rest*}"}, "public": true},
    ])));
    for authority in [
        "admin.example:80",
        "admin.example:",
        "admin.example.",
        "ADMIN.example.:1",
    ] {
        let host = target("GET", authority, "/");
        assert_eq!(reason(&gate, &host), "route_unknown", "{authority}");
    }
    for authority in ["other.example", "other.example:80", "other.example."] {
        assert_eq!(
            reason(&gate, &target("GET", authority, "/")),
            "allowed",
            "{authority}"
        );
    }
}

#[test]
fn a_path_that_only_some_decode_is_refused() {
    let gate = gate(&configuration(json!([
        {"name": "public", "match": {"path": "/public/{rest*}"}, "public": true},
        {"name": "rest", "match": {"path": "/{rest*}"}},
    ])));
    for path in [
        "/%70ublic/v1/orders/7",
        "/publi%63/v1",
        "/%70ublic/%61",
        "/public;x/v1",
    ] {
        let host = target("GET", "api.example", path);
        assert_eq!(reason(&gate, &host), "path_ambiguous", "{path}");
    }
    let host = target("GET", "api.example", "/public/%70ublic");
    assert_eq!(reason(&gate, &host), "allowed");
}

#[test]
fn a_method_in_another_case_is_refused_and_an_extension_has_to_be_named() {
    let gate = gate(&configuration(json!([
        {"name": "delete", "match": {"methods": ["DELETE"], "path": "/v1/x/{id}"},
         "allow": {"scopes": {"all": ["admin"]}}},
        {"name": "read", "match": {"path": "/v1/x/{id}"}, "public": true},
        {"name": "dav", "match": {"methods": ["PROPFIND"], "path": "/dav/{rest*}"}, "public": true},
    ])));
    let ask = |method, path| reason(&gate, &target(method, "api.example", path));
    for method in ["delete", "Delete", "DELETe", "get", "", "G ET", "GÉT"] {
        assert_eq!(ask(method, "/v1/x/7"), "method_ambiguous", "{method}");
    }
    assert_eq!(ask("DELETE", "/v1/x/7"), "credential_missing");
    assert_eq!(ask("PURGE", "/v1/x/7"), "route_unknown");
    assert_eq!(ask("PROPFIND", "/v1/x/7"), "route_unknown");
    assert_eq!(ask("PROPFIND", "/dav/7"), "allowed");
    for method in [
        "GET", "HEAD", "POST", "PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT", "QUERY",
    ] {
        assert_eq!(ask(method, "/v1/x/7"), "allowed", "{method}");
    }
    let grpc = target("post", "api.example", "/v1/x/7");
    grpc.push_request_header(b"content-type", b"application/grpc");
    live(&gate, &grpc);
    let reply = grpc.replies().pop().unwrap();
    assert_eq!(reply.grpc.map(|grpc| grpc as u32), Some(3));
}

fn with_upstreams(mode: &str) -> Value {
    let mut document = configuration(json!([
        {"name": "open", "match": {"path": "/open"}, "public": true, "upstreams": ["static", "cdn"]},
        {"name": "orders", "match": {"path": "/v1/{rest*}"}},
        {"name": "looked-at", "match": {"path": "/looked-at"}, "public": true, "mode": "observe"},
    ]));
    document["defaults"] = json!({"upstreams": ["api"]});
    document["mode"] = json!(mode);
    document
}

#[test]
fn the_proxy_has_to_have_chosen_an_upstream_of_the_route() {
    let gate = gate(&with_upstreams("enforce"));
    let token = token(&claims(json!({})));
    let ask = |path: &str, chosen: Option<&[u8]>| {
        let host = request(path, Some(&token), &[]);
        if let Some(chosen) = chosen {
            host.set_property(Property::UpstreamCluster, chosen);
        }
        reason(&gate, &host)
    };
    assert_eq!(ask("/open", Some(b"static")), "allowed");
    assert_eq!(ask("/open", Some(b"cdn")), "allowed");
    assert_eq!(ask("/v1/orders", Some(b"api")), "allowed");
    for chosen in [
        None,
        Some(&b""[..]),
        Some(b"api"),
        Some(b"Static"),
        Some(b"static\0"),
    ] {
        assert_eq!(ask("/open", chosen), "upstream_mismatch", "{chosen:?}");
    }
    for chosen in [None, Some(&b"static"[..]), Some(b"\xff")] {
        assert_eq!(ask("/v1/orders", chosen), "upstream_mismatch", "{chosen:?}");
    }
    // A request without a credential is not told more by it than by the lack of one.
    let host = request("/v1/orders", None, &[]);
    host.set_property(Property::UpstreamCluster, b"static");
    assert_eq!(reason(&gate, &host), "upstream_mismatch");
}

#[test]
fn another_upstream_is_only_told_of_where_refusals_are_observed() {
    for (mode, path) in [("observe", "/open"), ("enforce", "/looked-at")] {
        let host = request(path, None, &[]);
        let (next, events) = live(&gate(&with_upstreams(mode)), &host);
        assert_eq!(next, Next::Continue, "{path}");
        assert_eq!(events[0]["status_detail"], "upstream_mismatch", "{path}");
        assert_eq!(events[0]["unmapped"]["mode"], "observe", "{path}");
    }
}
