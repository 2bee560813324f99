//! Governed clients over the in-memory host: who is registered, until when, from where and for what.

// The same stories under Node, with the attribute its runner needs.
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use postern_core::config::Config;
use postern_core::gate::Gate;
use postern_core::host::{LogLevel, Property};
use postern_testkit::memory::{MemoryHost, SharedData};
use postern_testkit::stories::*;
use serde_json::{Value, json};
use std::rc::Rc;
use std::time::Duration;

const DAY: u64 = 86_400;

/// The day on which the stories play is 2026-03-02; they begin at 10:00.
const UNTIL_MIDNIGHT: u64 = 14 * 3600;

fn registered(changes: Value) -> Value {
    let mut client = json!({
        "name": "billing", "match": {"issuer": "corp", "client": "billing-batch"},
        "owner": "payments@corp.example", "purpose": "nightly invoicing",
    });
    for (name, value) in changes.as_object().unwrap() {
        client[name] = value.clone();
    }
    client
}

fn configured(clients: Value) -> Value {
    let mut configuration = configuration(json!([
        {"name": "any", "match": {"path": "/any"}},
        {"name": "billing-only", "match": {"path": "/billing"}, "allow": {"clients": ["billing"]}},
        {"name": "bound", "match": {"path": "/bound"}, "proof": "mtls"},
        {"name": "counted", "match": {"path": "/counted"}, "limits": ["per-client"]},
        {"name": "tried", "match": {"path": "/tried"}, "mode": "observe"},
    ]));
    configuration["limits"] = json!([{"name": "per-client", "key": ["client"], "rate": "2/1h"}]);
    configuration["audit"] = json!({"purpose_header": "x-purpose"});
    configuration["clients"] = clients;
    configuration
}

fn governed(changes: Value) -> Rc<Gate> {
    gate(&configured(json!([registered(changes)])))
}

fn ask(path: &str, changes: Value) -> MemoryHost {
    let long = json!({"exp": START + 400 * DAY});
    let mut all = claims(long);
    for (name, value) in changes.as_object().unwrap() {
        all[name] = value.clone();
    }
    request(path, Some(&token(&all)), &[])
}

#[test]
fn a_registered_client_is_named_as_it_is_registered_and_audit_says_whose_it_is() {
    let gate = governed(json!({"expires": "2026-03-12"}));
    let host = ask("/any", json!({}));
    let (_, events) = live(&gate, &host);
    let headers = host.upstream_headers();
    assert_eq!(upstream(&headers, "x-postern-client"), Some("billing"));
    let identity = upstream(&headers, "x-postern-identity");
    assert_eq!(identity, Some("corp/batch-7"));
    assert_eq!(events[0]["unmapped"]["client"], "billing");
    assert_eq!(
        events[0]["unmapped"]["registration"],
        json!({"owner": "payments@corp.example", "purpose": "nightly invoicing", "days_left": 10})
    );
}

#[test]
fn whoever_is_not_registered_is_refused_behind_the_token_and_before_everything_else() {
    let gate = governed(json!({}));
    let stranger = json!({"client_id": "other"});
    assert_eq!(
        reason(&gate, &ask("/any", stranger.clone())),
        "client_unregistered"
    );
    let expired = json!({"client_id": "other", "exp": START - 60});
    assert_eq!(reason(&gate, &ask("/any", expired)), "token_expired");
    assert_eq!(
        reason(&gate, &ask("/bound", stranger.clone())),
        "client_unregistered"
    );
    let host = ask("/tried", stranger);
    let (_, events) = live(&gate, &host);
    assert_eq!(events[0]["status_detail"], "client_unregistered");
    assert_eq!(
        upstream(&host.upstream_headers(), "x-postern-identity"),
        None
    );
}

#[test]
fn a_registration_is_good_to_the_last_second_of_its_last_day() {
    let gate = governed(json!({"expires": "2026-03-02"}));
    for (second, expected) in [
        (0, "allowed"),
        (UNTIL_MIDNIGHT - 1, "allowed"),
        (UNTIL_MIDNIGHT, "client_expired"),
        (DAY * 300, "client_expired"),
    ] {
        let host = ask("/any", json!({}));
        host.set_now(at(second));
        let events = live(&gate, &host).1;
        let event = events.last().unwrap();
        assert_eq!(event["status_detail"], expected, "{second}");
    }
}

#[test]
fn the_order_of_the_clients_checks_is_fixed() {
    let everything = json!({
        "state": "suspended", "expires": "2026-03-01", "sources": ["192.0.2.0/24"], "purposes": ["a"],
        "proof": "mtls",
    });
    let steps = [
        (json!({}), "client_suspended"),
        (json!({"state": "active"}), "client_expired"),
        (json!({"expires": "2026-09-01"}), "source_not_allowed"),
        (json!({"sources": ["10.0.0.0/8"]}), "context_denied"),
        (json!({"purposes": ["b"]}), "proof_missing"),
        (json!({"proof": "none"}), "allowed"),
    ];
    let mut client = everything;
    for (change, expected) in steps {
        for (name, value) in change.as_object().unwrap() {
            client[name] = value.clone();
        }
        let host = ask("/any", json!({}));
        host.push_request_header(b"x-purpose", b"b");
        host.set_property(Property::SourceAddress, b"10.0.0.7:4711");
        assert_eq!(reason(&governed(client.clone()), &host), expected);
    }
}

#[test]
fn a_purpose_that_cannot_be_read_in_one_way_is_none() {
    let gate = governed(json!({"purposes": ["invoicing"]}));
    let cases: [(&[&[u8]], &str); 5] = [
        (&[b"invoicing"], "allowed"),
        (&[], "context_denied"),
        (&[b"invoicing", b"invoicing"], "context_denied"),
        (&[b"invoicing, other"], "context_denied"),
        (&[b"\xff"], "context_denied"),
    ];
    for (values, expected) in cases {
        let host = ask("/any", json!({}));
        for value in values {
            host.push_request_header(b"x-purpose", value);
        }
        assert_eq!(reason(&gate, &host), expected, "{values:?}");
    }
}

#[test]
fn routes_and_limits_know_a_client_by_its_registration() {
    let by_subject =
        registered(json!({"name": "robot", "match": {"issuer": "corp", "subject": "r"}}));
    let gate = gate(&configured(json!([registered(json!({})), by_subject])));
    assert_eq!(reason(&gate, &ask("/billing", json!({}))), "allowed");
    let robot = |client: &str| json!({"sub": "r", "client_id": client});
    assert_eq!(
        reason(&gate, &ask("/billing", robot("billing-batch"))),
        "not_allowed"
    );
    for (client, expected) in [("a", "allowed"), ("b", "allowed"), ("c", "rate_limited")] {
        assert_eq!(reason(&gate, &ask("/counted", robot(client))), expected);
    }
    assert_eq!(reason(&gate, &ask("/counted", json!({}))), "allowed");
}

#[test]
fn an_unregistered_caller_never_goes_by_a_registered_ones_name() {
    let mut configuration = configured(json!([registered(json!({"name": "boss"}))]));
    configuration["routes"][1]["allow"]["clients"] = json!(["boss"]);
    configuration["unregistered_clients"] = json!("allow");
    let gate = gate(&configuration);
    for (client, named) in [
        ("boss", "corp/boss"),
        ("Boss", "corp/Boss"),
        ("a,boss", "corp/a%2Cboss"),
        ("boss\u{200b}", "corp/boss%E2%80%8B"),
    ] {
        let host = ask("/any", json!({"client_id": client}));
        let (_, events) = live(&gate, &host);
        assert_eq!(events[0]["status_detail"], "allowed");
        assert_eq!(
            upstream(&host.upstream_headers(), "x-postern-client"),
            Some(named)
        );
        assert_eq!(events[0]["unmapped"]["client"], named);
        assert!(events[0]["unmapped"]["registration"].is_null());
    }
    let pretender = ask("/billing", json!({"client_id": "boss"}));
    assert_eq!(reason(&gate, &pretender), "not_allowed");
}

#[test]
fn what_is_registered_of_the_client_holds_for_subjects_of_their_own() {
    let robot = registered(json!({"name": "robot", "match": {"issuer": "corp", "subject": "r"}}));
    let cases = [
        (json!({}), "allowed"),
        (json!({"state": "suspended"}), "client_suspended"),
        (json!({"expires": "2026-03-01"}), "client_expired"),
        (json!({"sources": ["192.0.2.0/24"]}), "source_not_allowed"),
        (json!({"proof": "mtls"}), "proof_missing"),
    ];
    for (change, expected) in cases {
        let gate = gate(&configured(json!([registered(change), robot])));
        let host = ask("/any", json!({"sub": "r"}));
        let (_, events) = live(&gate, &host);
        assert_eq!(events[0]["status_detail"], expected);
        assert_eq!(events[0]["unmapped"]["client"], "robot");
        let alone = ask("/any", json!({"sub": "r", "client_id": "unregistered"}));
        assert_eq!(reason(&gate, &alone), "allowed");
    }
}

#[test]
fn a_certificate_that_opens_a_route_beside_a_token_is_held_against_its_own_registration() {
    let workload = "spiffe://prod.example/ns/pay/sa/x";
    let pay = |state: &str| json!({"name": "pay", "match": {"spiffe": workload}, "state": state});
    for (state, expected) in [("active", "allowed"), ("suspended", "client_suspended")] {
        let mut configuration = configured(json!([registered(json!({})), pay(state)]));
        configuration["trust_domains"] =
            json!([{"name": "prod.example", "x509_svid": {"from": "tls"}}]);
        configuration["routes"] = json!([
            {"name": "both", "match": {"path": "/both"}, "allow": {"issuers": ["corp"], "spiffe": [workload]}},
            {"name": "either", "match": {"path": "/either"}, "allow": {"spiffe": [workload]}},
            {"name": "token", "match": {"path": "/token"}},
        ]);
        let gate = gate(&configuration);
        for (path, expected) in [
            ("/both", expected),
            ("/either", expected),
            ("/token", "allowed"),
        ] {
            let host = ask(path, json!({}));
            host.set_property(Property::PeerCertificateDigest, "07".repeat(32).as_bytes());
            host.set_property(
                Property::PeerCertificate,
                &postern_testkit::certificate::workload(workload),
            );
            host.set_property(Property::PeerCertificateValid, &[1]);
            assert_eq!(reason(&gate, &host), expected, "{path}");
        }
    }
}

/// The warnings that requests leave on workers that share data.
fn warnings(days: impl IntoIterator<Item = u64>, expires: &str, shared: bool) -> Vec<String> {
    let configuration = configured(json!([registered(json!({"expires": expires}))]));
    let data = SharedData::default();
    let gates: Vec<Rc<Gate>> = (0..3)
        .map(|_| {
            let config = Config::parse(configuration.to_string().as_bytes()).unwrap();
            let root = if shared {
                MemoryHost::with_shared(at(0), &data)
            } else {
                MemoryHost::default()
            };
            Rc::new(Gate::open(config.settings, b"", &root))
        })
        .collect();
    let mut found = Vec::new();
    for day in days {
        for _ in 0..2 {
            for gate in &gates {
                let mut host = ask("/any", json!({}));
                host.set_property(Property::SourceAddress, b"10.0.0.7:4711");
                if shared {
                    host.share(&data);
                }
                host.set_now(at(0).after(Duration::from_secs(day * DAY)));
                let (_, decided) = headers(gate, &host);
                decided.finish(&host);
                let lines = host.logged().into_iter();
                let warned = lines.filter(|(level, _)| *level == LogLevel::Warn);
                found.extend(warned.map(|(_, line)| line));
            }
        }
    }
    found
}

#[test]
fn an_end_within_thirty_days_is_warned_of_once_a_day_whichever_worker_comes_first() {
    let found = warnings([0, 1, 2], "2026-04-02", true);
    let line = |days: u64| {
        format!(
            "clients: the registration of \"billing\" (owner payments@corp.example) ends in {days} days, with 2026-04-02"
        )
    };
    assert_eq!(found, [line(30), line(29)]);
    assert_eq!(warnings([0], "2026-03-02", true).len(), 1);
    // Over, or far away.
    for expires in ["2026-03-01", "2026-04-02", "2027-03-02"] {
        assert_eq!(warnings([0], expires, true), Vec::<String>::new());
    }
    // Where nothing is shared each worker speaks for itself.
    assert_eq!(warnings([0, 0], "2026-03-10", false).len(), 3);
}

#[test]
fn a_client_bound_to_certificates_is_let_in_by_a_token_that_names_the_one_presented() {
    let gate = governed(json!({"proof": "mtls"}));
    let bound = json!({"cnf": {"x5t#S256": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}});
    let present = |host: MemoryHost, byte: &str| {
        host.set_property(Property::PeerCertificateDigest, byte.repeat(32).as_bytes());
        host
    };
    for path in ["/any", "/bound"] {
        assert_eq!(
            reason(&gate, &present(ask(path, json!({})), "07")),
            "proof_missing"
        );
        let good = present(ask(path, bound.clone()), "07");
        assert_eq!(reason(&gate, &good), "allowed");
        let other = present(ask(path, bound.clone()), "08");
        assert_eq!(reason(&gate, &other), "proof_invalid");
        assert_eq!(reason(&gate, &ask(path, bound.clone())), "proof_missing");
    }
    // A binding of another kind is none to a certificate.
    let key = json!({"cnf": {"jkt": "x"}});
    assert_eq!(
        reason(&gate, &present(ask("/any", key), "07")),
        "proof_missing"
    );
}
