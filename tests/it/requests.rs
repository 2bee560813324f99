//! The whole life of requests, from first header to audit event, over the in-memory host.

// The same stories under Node, with the attribute its runner needs.
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use postern_core::gate::{Gate, Next, Opened};
use postern_core::host::Property;
use postern_testkit::memory::{Call, MemoryHost};
use postern_testkit::stories::*;
use serde_json::{Value, json};
use std::rc::Rc;

fn orders() -> Value {
    json!([
        {"name": "read-orders", "match": {"methods": ["GET"], "path": "/v1/orders/{id}"},
         "allow": {"scopes": {"all": ["orders.read"]}}},
        {"name": "write-orders", "match": {"methods": ["POST"], "path": "/v1/orders"},
         "allow": {"scopes": {"all": ["orders.write"]}}, "when": [{"body_bytes_max": 10}]},
        {"name": "tried", "match": {"path": "/v1/tried"}, "mode": "observe",
         "allow": {"scopes": {"all": ["orders.write"]}}},
        {"name": "gold", "match": {"path": "/v1/gold"},
         "allow": {"claims": [{"claim": "tenant.tier", "in": ["gold"]}]}},
        {"name": "fresh", "match": {"path": "/v1/fresh"}, "when": [{"token_age_max": "60s"}]},
        {"name": "health", "match": {"path": "/healthz"}, "public": true},
    ])
}

fn orders_gate() -> Rc<Gate> {
    gate(&configuration(orders()))
}

#[test]
fn a_good_request_reaches_the_upstream_with_its_identity_and_leaves_one_event() {
    let host = request(
        "/v1/orders/7?q=1",
        Some(&token(&claims(json!({"tenant": {"name": "acme"}})))),
        &[],
    );
    host.set_property(Property::SourceAddress, b"10.0.0.7:4711");
    host.set_property(Property::ResponseCode, &200_i64.to_le_bytes());
    let (next, events) = live(&orders_gate(), &host);
    assert_eq!(next, Next::Continue);
    assert!(host.replies().is_empty());
    let headers = host.upstream_headers();
    assert_eq!(
        upstream(&headers, "x-postern-identity"),
        Some("corp/batch-7")
    );
    assert_eq!(
        upstream(&headers, "x-postern-client"),
        Some("corp/billing-batch")
    );
    assert_eq!(
        upstream(&headers, "x-postern-scopes"),
        Some("orders.list orders.read")
    );
    assert_eq!(upstream(&headers, "x-tenant"), Some("acme"));
    assert_eq!(upstream(&headers, "authorization"), None);
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(event["status_detail"], "allowed");
    assert_eq!(event["unmapped"]["route"], "read-orders");
    assert_eq!(event["actor"]["user"]["uid"], "corp/batch-7");
    assert_eq!(
        event["src_endpoint"],
        json!({"ip": "10.0.0.7", "port": 4711})
    );
    assert_eq!(event["http_response"]["code"], 200);
    assert_eq!(event["http_request"]["url"]["path"], "/v1/orders/7");
}

#[test]
fn the_first_failure_in_the_order_of_the_reference_decides() {
    let gate = orders_gate();
    let good = token(&claims(json!({})));
    let expired = token(&claims(json!({"exp": START - 31})));
    let other = token(&claims(
        json!({"aud": "billing", "exp": START - 31, "scope": ""}),
    ));
    let cases = [
        ("/v1/orders/..", Some(good.as_str()), "path_ambiguous"),
        ("/v1/unknown", Some(&good), "route_unknown"),
        ("/v1/orders/7", None, "credential_missing"),
        (
            "/v1/orders/7?access_token=x",
            Some(&good),
            "credential_ambiguous",
        ),
        ("/v1/orders/7", Some("not-a-token"), "credential_malformed"),
        ("/v1/orders/7", Some(&expired), "token_expired"),
        ("/v1/gold", Some(&good), "not_allowed"),
        ("/healthz", None, "allowed"),
        ("/healthz", Some("not-a-token"), "allowed"),
    ];
    for (path, token, expected) in cases {
        assert_eq!(
            reason(&gate, &request(path, token, &[])),
            expected,
            "{path}"
        );
    }
    let refused = reason(&gate, &request("/v1/orders/7", Some(&other), &[]));
    assert!(
        ["token_expired", "audience_mismatch"].contains(&refused.as_str()),
        "{refused}"
    );
}

#[test]
fn a_name_that_a_header_field_would_change_on_its_way_is_refused() {
    let gate = orders_gate();
    for changes in [
        json!({"sub": "batch-7 "}),
        json!({"sub": " batch-7"}),
        json!({"sub": ""}),
        json!({"client_id": "billing-batch "}),
    ] {
        let token = token(&claims(changes.clone()));
        let host = request("/v1/orders/7", Some(&token), &[]);
        assert_eq!(reason(&gate, &host), "claim_missing", "{changes}");
    }
}

#[test]
fn an_authority_that_cannot_be_read_does_not_get_around_the_routes_of_a_host() {
    let gate = gate(&configuration(json!([
        {"name": "admin", "match": {"hosts": ["admin.example"], "path": "/{rest*}"}},
        {"name": "open", "match": {"path": "/{rest*}"}, "public": true},
    ])));
    for authorities in [&[&b"admin.example\xff"[..]][..], &[b"admin.example", b"x"]] {
        let host = MemoryHost::with_request(at(0), &[(":method", "GET"), (":path", "/")]);
        for authority in authorities {
            host.push_request_header(b":authority", authority);
        }
        assert_eq!(reason(&gate, &host), "route_unknown", "{authorities:?}");
    }
    let host = MemoryHost::with_request(at(0), &[(":method", "GET"), (":path", "/")]);
    assert_eq!(reason(&gate, &host), "allowed");
}

#[test]
fn fields_that_only_postern_sets_never_come_from_a_caller() {
    let forged = [
        ("x-postern-identity", "corp/admin"),
        ("X-Postern-Scopes", "all"),
        ("x_postern_identity", "corp/admin"),
        ("x-postern-anything", "1"),
        ("x-tenant", "other"),
        ("x_tenant", "other"),
        ("x-kept", "1"),
    ];
    let gate = orders_gate();
    for (path, token) in [
        ("/healthz", None),
        ("/v1/tried", None),
        ("/v1/orders/7", Some(token(&claims(json!({}))))),
    ] {
        let host = request(path, token.as_deref(), &forged);
        assert_eq!(live(&gate, &host).0, Next::Continue, "{path}");
        let headers = host.upstream_headers();
        for name in [
            "x-postern-anything",
            "x-tenant",
            "x_tenant",
            "x_postern_identity",
        ] {
            assert_eq!(headers.all(name).count(), 0, "{path} {name}");
        }
        let identity = token.is_some().then_some("corp/batch-7");
        assert_eq!(upstream(&headers, "x-postern-identity"), identity, "{path}");
        assert_eq!(upstream(&headers, "x-kept"), Some("1"));
    }
}

#[test]
fn trailers_are_stripped_as_header_fields_are() {
    let host = request("/healthz", None, &[]);
    host.set_request_trailers(&[("x-postern-identity", "corp/admin"), ("grpc-x", "1")]);
    let (_, mut decided) = headers(&orders_gate(), &host);
    assert_eq!(decided.request_trailers(&host), Next::Continue);
    assert_eq!(host.upstream_trailers().iter().count(), 1);
}

#[test]
fn a_refusal_that_is_only_observed_lets_the_request_through_with_its_credential() {
    let token = token(&claims(json!({})));
    let host = request("/v1/tried", Some(&token), &[]);
    let (next, events) = live(&orders_gate(), &host);
    assert_eq!(next, Next::Continue);
    assert!(host.replies().is_empty());
    assert_eq!(events[0]["status_detail"], "scope_missing");
    assert_eq!(events[0]["unmapped"]["mode"], "observe");
    assert_eq!(
        upstream(&host.upstream_headers(), "x-postern-identity"),
        None
    );
    assert_eq!(
        upstream(&host.upstream_headers(), "authorization"),
        Some(format!("Bearer {token}").as_str())
    );
}

#[test]
fn a_document_in_observe_mode_lets_everything_through_but_a_route_may_enforce() {
    let mut configuration = configuration(json!([
        {"name": "open", "match": {"path": "/open"}},
        {"name": "shut", "match": {"path": "/shut"}, "mode": "enforce"},
    ]));
    configuration["mode"] = json!("observe");
    let gate = gate(&configuration);
    for (path, expected) in [
        ("/open", Next::Continue),
        ("/..", Next::Continue),
        ("/unknown", Next::Continue),
        ("/shut", Next::Stop),
    ] {
        assert_eq!(live(&gate, &request(path, None, &[])).0, expected, "{path}");
    }
}

#[test]
fn a_credential_is_hidden_from_the_upstream_unless_its_issuer_forwards_it() {
    let token = token(&claims(json!({})));
    let sent = Some(format!("Bearer {token}"));
    for (forward, path, expected) in [
        (false, "/v1/orders/7", None),
        (true, "/v1/orders/7", sent.as_deref()),
        (false, "/healthz", None),
        (true, "/healthz", sent.as_deref()),
    ] {
        let mut configuration = configuration(orders());
        configuration["issuers"][0]["forward"] = json!(forward);
        let host = request(path, Some(&token), &[]);
        assert_eq!(live(&gate(&configuration), &host).0, Next::Continue);
        assert_eq!(
            upstream(&host.upstream_headers(), "authorization"),
            expected,
            "{forward} {path}"
        );
    }
    let basic = MemoryHost::with_request(
        at(0),
        &[
            (":method", "GET"),
            (":path", "/healthz"),
            ("authorization", "Basic eDp5"),
        ],
    );
    live(&orders_gate(), &basic);
    assert_eq!(
        upstream(&basic.upstream_headers(), "authorization"),
        Some("Basic eDp5"),
        "another scheme is not ours"
    );
}

#[test]
fn a_remembered_token_expires_to_the_second_and_its_skew() {
    let gate = orders_gate();
    let token = token(&claims(json!({})));
    for (secs, expected) in [
        (0, "allowed"),
        (1, "allowed"),
        (329, "allowed"),
        (330, "token_expired"),
        (331, "token_expired"),
    ] {
        let host = request("/v1/orders/7", Some(&token), &[]);
        host.set_now(at(secs));
        assert_eq!(reason(&gate, &host), expected, "{secs}");
    }
}

#[test]
fn a_remembered_token_is_not_valid_before_its_time_when_the_clock_jumps_back() {
    let gate = orders_gate();
    let token = token(&claims(json!({"nbf": START})));
    assert_eq!(
        reason(&gate, &request("/v1/orders/7", Some(&token), &[])),
        "allowed"
    );
    let host = request("/v1/orders/7", Some(&token), &[]);
    host.set_now(postern_core::base::Now::from_secs(START - 31));
    assert_eq!(reason(&gate, &host), "token_not_yet_valid");
}

#[test]
fn a_remembered_token_does_not_outlive_its_configuration() {
    let token = token(&claims(json!({})));
    assert_eq!(
        reason(&orders_gate(), &request("/v1/orders/7", Some(&token), &[])),
        "allowed"
    );
    let mut other = configuration(orders());
    other["issuers"][0]["issuer"] = json!("https://other.example");
    assert_eq!(
        reason(&gate(&other), &request("/v1/orders/7", Some(&token), &[])),
        "issuer_unknown"
    );
}

#[test]
fn one_character_of_a_remembered_token_makes_it_another_token() {
    let gate = orders_gate();
    let token = token(&claims(json!({})));
    assert_eq!(
        reason(&gate, &request("/v1/orders/7", Some(&token), &[])),
        "allowed"
    );
    for index in [3, token.len() / 2, token.len() - 5] {
        let mut changed = token.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert_ne!(
            reason(&gate, &request("/v1/orders/7", Some(&changed), &[])),
            "allowed",
            "{index}"
        );
    }
}

#[test]
fn a_host_without_randomness_verifies_every_token_anew() {
    let bare = MemoryHost::default();
    bare.refuse(Call::Random);
    let config =
        postern_core::config::Config::parse(configuration(orders()).to_string().as_bytes())
            .unwrap();
    let gate = Rc::new(Gate::open(config.settings, b"", &bare));
    let token = token(&claims(json!({})));
    for _ in 0..2 {
        assert_eq!(
            reason(&gate, &request("/v1/orders/7", Some(&token), &[])),
            "allowed"
        );
    }
}

#[test]
fn a_certificate_bound_token_is_refused_beside_another_certificate_on_every_route() {
    let bound = token(&claims(
        json!({"cnf": {"x5t#S256": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}}),
    ));
    let gate = orders_gate();
    for (digest, expected) in [
        (Some("07"), "allowed"),
        (Some("08"), "proof_invalid"),
        (None, "proof_missing"),
    ] {
        let host = request("/v1/orders/7", Some(&bound), &[]);
        if let Some(digest) = digest {
            host.set_property(
                Property::PeerCertificateDigest,
                digest.repeat(32).as_bytes(),
            );
        }
        assert_eq!(reason(&gate, &host), expected);
    }
}

#[test]
fn a_body_is_cut_off_where_it_grows_past_its_bound() {
    let token = token(&claims(json!({"scope": "orders.write"})));
    let host = MemoryHost::with_request(
        at(0),
        &[
            (":method", "POST"),
            (":path", "/v1/orders"),
            (":authority", "api.example"),
            ("authorization", &format!("Bearer {token}")),
        ],
    );
    let (next, mut decided) = headers(&orders_gate(), &host);
    assert_eq!(next, Next::Continue);
    assert_eq!(decided.request_body(&host, 10), Next::Continue);
    assert_eq!(decided.request_body(&host, 1), Next::Stop);
    assert_eq!(decided.request_body(&host, 1), Next::Stop);
    assert_eq!(host.replies().len(), 1);
    decided.finish(&host);
    assert_eq!(events(&host)[0]["status_detail"], "context_denied");
}

#[test]
fn a_declared_body_over_its_bound_is_refused_before_it_is_sent() {
    let token = token(&claims(json!({"scope": "orders.write"})));
    let host = MemoryHost::with_request(
        at(0),
        &[
            (":method", "POST"),
            (":path", "/v1/orders"),
            ("content-length", "11"),
            ("authorization", &format!("Bearer {token}")),
        ],
    );
    assert_eq!(reason(&orders_gate(), &host), "context_denied");
}

#[test]
fn conditions_see_the_tokens_age() {
    let gate = orders_gate();
    let token = token(&claims(json!({})));
    for (secs, expected) in [(60, "allowed"), (61, "context_denied")] {
        let host = request("/v1/fresh", Some(&token), &[]);
        host.set_now(at(secs));
        assert_eq!(reason(&gate, &host), expected, "{secs}");
    }
}

#[test]
fn an_unconfigured_gate_refuses_everything_and_says_so() {
    let gate = Rc::new(Gate::closed());
    for path in ["/healthz", "/v1/orders/7"] {
        let host = request(path, Some(&token(&claims(json!({})))), &[]);
        let (next, events) = live(&gate, &host);
        assert_eq!(next, Next::Stop);
        assert_eq!(host.replies()[0].status, 503);
        assert_eq!(events[0]["status_detail"], "config_invalid");
    }
}

#[test]
fn a_host_that_refuses_a_call_the_decision_needs_gets_no_request_through() {
    let token = token(&claims(json!({})));
    for call in [
        Call::RequestHeaders,
        Call::SetRequestHeader,
        Call::RemoveRequestHeader,
    ] {
        let host = request(
            "/v1/orders/7",
            Some(&token),
            &[("x-postern-identity", "corp/admin")],
        );
        host.refuse(call);
        let (next, events) = live(&orders_gate(), &host);
        assert_eq!(next, Next::Stop, "{call:?}");
        assert_eq!(events[0]["status_detail"], "host_unavailable", "{call:?}");
    }
    let host = request("/v1/tried", None, &[("x-postern-identity", "corp/admin")]);
    host.refuse(Call::RemoveRequestHeader);
    assert_eq!(
        live(&orders_gate(), &host).0,
        Next::Stop,
        "observe mode passes no forged field either"
    );
    let host = request("/v1/unknown", None, &[]);
    host.refuse(Call::SendReply);
    assert_eq!(
        live(&orders_gate(), &host).0,
        Next::Stop,
        "a refusal holds without a reply"
    );
    let host = request("/healthz", None, &[]);
    host.refuse(Call::RequestTrailers);
    let (_, mut decided) = headers(&orders_gate(), &host);
    assert_eq!(decided.request_trailers(&host), Next::Stop);
}

#[test]
fn a_request_that_ends_before_its_fields_leaves_one_event() {
    let host = request("/v1/orders/7", None, &[]);
    Opened::new(orders_gate()).finish(&host);
    let events = events(&host);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["status_detail"], "undecided");
    assert_eq!(events[0]["action_id"], 0);
}

#[test]
fn events_are_written_in_the_configured_share() {
    let mut configuration = configuration(orders());
    configuration["audit"] = json!({"log": {"decisions": {"allowed": 0.25, "denied": 1.0}}});
    let gate = gate(&configuration);
    let count = |path: &str| {
        (0..1000)
            .map(|_| live(&gate, &request(path, None, &[])).1.len())
            .sum::<usize>()
    };
    let allowed = count("/healthz");
    assert!(
        (150..350).contains(&allowed),
        "{allowed} of 1000 at a share of a quarter"
    );
    assert_eq!(count("/v1/orders/7"), 1000);
    configuration["audit"] = json!({"log": {"decisions": "denied"}});
    let quiet = postern_testkit::stories::gate(&configuration);
    assert!(live(&quiet, &request("/healthz", None, &[])).1.is_empty());
}

#[test]
fn values_that_are_not_utf8_end_in_a_decision() {
    let gate = orders_gate();
    let bytes: &[u8] = &[0xff, 0xfe, 0x80];
    for name in [
        &b"authorization"[..],
        b":authority",
        b"user-agent",
        b"x-request-id",
        b"x-postern-identity",
        b"x",
    ] {
        let host = request("/v1/orders/7", None, &[]);
        host.push_request_header(name, bytes);
        let (next, events) = live(&gate, &host);
        assert_eq!((next, events.len()), (Next::Stop, 1), "{name:?}");
    }
    let host = MemoryHost::with_request(at(0), &[(":method", "GET")]);
    host.push_request_header(b":path", b"/v1/\xff");
    assert_eq!(reason(&gate, &host), "path_ambiguous");
}

#[test]
fn no_event_and_no_reply_holds_any_part_of_a_token() {
    let gate = orders_gate();
    let good = token(&claims(json!({})));
    let tampered = format!("{}x", &good[..good.len() - 1]);
    let unknown = signed(&json!({"alg": "EdDSA", "kid": "other"}), &claims(json!({})));
    for token in [
        good,
        tampered,
        unknown,
        "a.b.c".to_owned(),
        "secret".repeat(2000),
    ] {
        for path in ["/v1/orders/7", "/v1/gold", "/..", "/healthz"] {
            let host = request(path, Some(&token), &[]);
            live(&gate, &host);
            let said = format!("{:?} {:?}", host.logged(), host.replies());
            for part in token.split('.').filter(|part| part.len() > 3) {
                assert!(
                    !said.contains(&part[part.len() - 4..]) || part.len() < 8,
                    "{path} {said}"
                );
                assert!(!said.contains(part), "{path} {said}");
            }
        }
    }
}

fn gathering(batch: &str) -> Rc<Gate> {
    let mut config = configuration(orders());
    config["audit"] = json!({"log": {"batch": batch}});
    gate(&config)
}

/// Each line of the host's log, and of those each that holds several events.
fn lines(host: &MemoryHost) -> Vec<Vec<Value>> {
    fn events(line: &str) -> Vec<Value> {
        let events = line.lines().map(serde_json::from_str);
        events.collect::<Result<_, _>>().unwrap()
    }
    host.logged().iter().map(|(_, line)| events(line)).collect()
}

#[test]
fn gathered_events_are_written_together_in_their_order_when_the_gate_ticks() {
    let gate = gathering("1MiB");
    assert!(gate.needs_ticks());
    let mut hosts = Vec::new();
    for path in ["/healthz", "/v1/orders/1", "/healthz"] {
        let host = request(path, None, &[]);
        host.set_property(Property::SourceAddress, b"10.0.0.7:4711");
        headers(&gate, &host).1.finish(&host);
        assert!(host.logged().is_empty(), "{path}");
        hosts.push(host);
    }
    let worker = MemoryHost::default();
    gate.tick(&worker);
    let lines = lines(&worker);
    assert_eq!(lines.len(), 1);
    let reasons: Vec<_> = lines[0]
        .iter()
        .map(|event| &event["status_detail"])
        .collect();
    assert_eq!(reasons, ["allowed", "credential_missing", "allowed"]);
    gate.tick(&worker);
    assert_eq!(worker.logged().len(), 1, "nothing is written twice");
}

#[test]
fn gathered_events_are_written_as_soon_as_there_are_enough() {
    let gate = gathering("1KiB");
    let mut written = 0;
    for number in 0..10 {
        let host = request("/healthz", None, &[]);
        headers(&gate, &host).1.finish(&host);
        let lines = lines(&host);
        written += lines.iter().map(Vec::len).sum::<usize>();
        assert!(number + 1 - written < 2, "an event is some 700 bytes long");
    }
    assert!(written >= 9);
}

#[test]
fn a_gate_that_ends_leaves_no_event_behind() {
    let gate = gathering("1MiB");
    let host = request("/healthz", None, &[]);
    headers(&gate, &host).1.finish(&host);
    gate.flush(&host);
    assert_eq!(lines(&host).len(), 1);
}

#[test]
fn events_are_written_one_by_one_where_nothing_is_said() {
    let gate = orders_gate();
    assert!(!gate.needs_ticks());
    let host = request("/healthz", None, &[]);
    headers(&gate, &host).1.finish(&host);
    assert_eq!(lines(&host).len(), 1);
}
