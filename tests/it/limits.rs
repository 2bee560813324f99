//! Stories of limits and of sources that keep failing, over the in-memory host.

// The same stories under Node, with the attribute its runner needs.
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::rc::Rc;
use std::time::Duration;

use super::FLAVOUR;
use postern_core::base::Now;
use postern_core::base::base64url::encode;
use postern_core::config::Config;
use postern_core::decision::Reply;
use postern_core::gate::{Gate, Next};
use postern_core::host::{Exchange as _, LogLevel, Property};
use postern_testkit::memory::{Call, MemoryHost, SharedData};
use postern_testkit::stories::{
    at, claims, configuration, events, headers, request, signed, token,
};
use serde_json::{Value, json};

/// The workers of one proxy, all of one configuration.
struct Proxy {
    shared: SharedData,
    workers: Vec<Rc<Gate>>,
}

impl Proxy {
    fn new(shared: &SharedData, workers: usize, configuration: &Value) -> Self {
        let config = || Config::parse(configuration.to_string().as_bytes()).unwrap();
        let host = MemoryHost::with_shared(at(0), shared);
        let open = |_| Rc::new(Gate::open(config().settings, b"", &host));
        Self {
            shared: shared.clone(),
            workers: (0..workers).map(open).collect(),
        }
    }

    fn ask(&self, worker: usize, mut host: MemoryHost, now: Now) -> Answer {
        host.set_now(now);
        host.share(&self.shared);
        if host.property(Property::SourceAddress).is_none() {
            host.set_property(Property::SourceAddress, b"192.0.2.7:4711");
        }
        let (next, mut decided) = headers(&self.workers[worker], &host);
        decided.response_headers(&host);
        decided.response_body(100_000);
        decided.finish(&host);
        let event = events(&host).pop().unwrap();
        Answer { next, event, host }
    }

    fn get(&self, worker: usize, path: &str, secs: u64) -> Answer {
        let good = token(&claims(json!({})));
        self.ask(worker, request(path, Some(&good), &[]), at(secs))
    }
}

struct Answer {
    next: Next,
    event: Value,
    host: MemoryHost,
}

impl Answer {
    fn reason(&self) -> &str {
        self.event["status_detail"].as_str().unwrap()
    }

    fn reply(&self) -> Reply {
        self.host.replies().pop().unwrap()
    }

    fn field(&self, name: &str) -> Option<String> {
        let reply = self.reply();
        let field = reply.fields.iter().find(|(field, _)| *field == name);
        field.map(|(_, value)| value.clone())
    }
}

fn limited(limits: Value, of_route: Value) -> Value {
    let mut whole = configuration(json!([
        {"name": "orders", "match": {"path": "/v1/orders/{id}"}, "limits": of_route},
        {"name": "other", "match": {"path": "/v1/other"}, "limits": of_route},
        {"name": "free", "match": {"path": "/free"}, "public": true},
    ]));
    whole["limits"] = limits;
    whole
}

fn per_client(more: Value) -> Value {
    let mut limit = json!({"name": "per-client", "key": ["client"], "rate": "6/1m", "burst": 3});
    for (name, value) in more.as_object().unwrap() {
        limit[name] = value.clone();
    }
    limited(json!([limit]), json!(["per-client"]))
}

#[test]
fn workers_share_a_limit() {
    apart!(COUNTS: workers_share_a_limit);
    let proxy = Proxy::new(&SharedData::of(FLAVOUR), 3, &per_client(json!({})));
    for worker in 0..3 {
        assert_eq!(proxy.get(worker, "/v1/orders/1", 0).reason(), "allowed");
    }
    for worker in 0..3 {
        assert_eq!(
            proxy.get(worker, "/v1/orders/1", 0).reason(),
            "rate_limited"
        );
    }
}

#[test]
fn a_throttled_client_is_let_back_in_exactly_when_retry_after_says() {
    apart!(COUNTS: a_throttled_client_is_let_back_in_exactly_when_retry_after_says);
    let proxy = Proxy::new(&SharedData::of(FLAVOUR), 2, &per_client(json!({})));
    for _ in 0..3 {
        assert_eq!(proxy.get(0, "/v1/orders/1", 0).next, Next::Continue);
    }
    let refused = proxy.get(1, "/v1/orders/1", 0);
    assert_eq!(refused.next, Next::Stop);
    assert_eq!(refused.field("retry-after").unwrap(), "10");
    let body: Value = serde_json::from_str(&refused.reply().body).unwrap();
    assert_eq!(body["retry_after_ms"], 10_000);
    assert_eq!(
        refused.field("ratelimit-policy").unwrap(),
        r#""per-client";q=6;w=60"#
    );
    assert_eq!(
        refused.field("ratelimit").unwrap(),
        r#""per-client";r=0;t=30"#
    );
    assert_eq!(refused.event["unmapped"]["limit"], "per-client");
    let good = token(&claims(json!({})));
    let almost = Now::from_nanos(at(10).nanos() - 1_000_000);
    let again = proxy.ask(0, request("/v1/orders/1", Some(&good), &[]), almost);
    assert_eq!(again.reason(), "rate_limited");
    assert_eq!(again.field("retry-after").unwrap(), "1");
    assert_eq!(proxy.get(0, "/v1/orders/1", 10).reason(), "allowed");
}

#[test]
fn allowed_responses_carry_the_fields_where_that_is_configured() {
    for wanted in [true, false] {
        let mut configuration = per_client(json!({}));
        configuration["responses"]["rate_fields"] = json!(wanted);
        let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &configuration);
        let fields = proxy.get(0, "/v1/orders/1", 0).host.response_headers();
        let expected = wanted.then_some(&br#""per-client";r=2;t=10"#[..]);
        assert_eq!(fields.only("ratelimit"), expected);
    }
}

#[test]
fn a_quota_begins_anew_with_its_window() {
    let limits = json!([{"name": "hourly", "key": ["client"], "quota": "2/1h"}]);
    let proxy = Proxy::new(
        &SharedData::of(FLAVOUR),
        1,
        &limited(limits, json!(["hourly"])),
    );
    let reasons = |secs| proxy.get(0, "/v1/orders/1", secs).reason().to_owned();
    assert_eq!([reasons(0), reasons(1)], ["allowed", "allowed"]);
    let refused = proxy.get(0, "/v1/orders/1", 2);
    assert_eq!(refused.reason(), "quota_exceeded");
    // The stories begin on the hour; the token is good for five minutes only.
    assert_eq!(refused.field("retry-after").unwrap(), "3598");
}

#[test]
fn limits_count_by_what_they_are_told_to() {
    type Case<'a> = (Value, Value, &'a [(&'a str, &'a str)], bool);
    let cases: &[Case<'_>] = &[
        (json!(["identity"]), json!({"sub": "other"}), &[], true),
        (json!(["client"]), json!({"client_id": "other"}), &[], true),
        (json!(["client"]), json!({"sub": "other"}), &[], false),
        (
            json!(["issuer"]),
            json!({"sub": "other", "client_id": "other"}),
            &[],
            false,
        ),
        (
            json!(["claim:tenant.name"]),
            json!({"tenant": {"name": "b"}}),
            &[],
            true,
        ),
        (
            json!(["claim:tenant.name"]),
            json!({"tenant": {"tier": "b"}}),
            &[],
            false,
        ),
        (
            json!(["header:x-team"]),
            json!({}),
            &[("x-team", "b")],
            true,
        ),
        (
            json!(["header:x-other"]),
            json!({}),
            &[("x-team", "b")],
            false,
        ),
    ];
    for (key, changes, fields, apart) in cases {
        let configuration = per_client(json!({"key": key, "burst": 1}));
        let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &configuration);
        assert_eq!(proxy.get(0, "/v1/orders/1", 0).reason(), "allowed");
        let other = token(&claims(changes.clone()));
        let answer = proxy.ask(0, request("/v1/orders/1", Some(&other), fields), at(0));
        assert_eq!(answer.reason() == "allowed", *apart, "{key} {changes}");
    }
}

#[test]
fn limits_count_by_route_and_by_where_a_request_comes_from() {
    for (key, path, source, apart) in [
        ("route", "/v1/other", "192.0.2.7:1", true),
        ("client", "/v1/other", "192.0.2.7:1", false),
        ("source", "/v1/orders/1", "192.0.2.8:1", true),
        ("source", "/v1/orders/1", "192.0.2.7:1", false),
        ("source_network", "/v1/orders/1", "192.0.2.8:1", false),
        ("source_network", "/v1/orders/1", "192.0.3.7:1", true),
    ] {
        let configuration = per_client(json!({"key": [key], "burst": 1}));
        let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &configuration);
        assert_eq!(proxy.get(0, "/v1/orders/1", 0).reason(), "allowed");
        let good = token(&claims(json!({})));
        let host = request(path, Some(&good), &[]);
        host.set_property(Property::SourceAddress, source.as_bytes());
        let answer = proxy.ask(0, host, at(0));
        assert_eq!(answer.reason() == "allowed", apart, "{key} {path} {source}");
    }
}

#[test]
fn a_request_costs_what_its_query_asks_for() {
    let configuration = per_client(json!({"cost": {"query": "limit", "per": 50}}));
    let cases = [
        ("/v1/orders/1?limit=150", "allowed"),
        ("/v1/orders/1?limit=151", "rate_limited"),
        ("/v1/orders/1?limit=99999999999999999999", "rate_limited"),
        ("/v1/orders/1?limit=0", "allowed"),
        ("/v1/orders/1", "allowed"),
        ("/v1/orders/1?limit=ten", "context_denied"),
        ("/v1/orders/1?limit=-1", "context_denied"),
        ("/v1/orders/1?limit=", "context_denied"),
        ("/v1/orders/1?limit=1&limit=2", "query_ambiguous"),
    ];
    for (path, expected) in cases {
        let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &configuration);
        let answer = proxy.get(0, path, 0);
        assert_eq!(answer.reason(), expected, "{path}");
        if path.ends_with("151") {
            assert_eq!(answer.field("retry-after"), None, "it never fits");
        }
    }
    let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &configuration);
    assert_eq!(
        proxy.get(0, "/v1/orders/1?limit=101", 0).reason(),
        "allowed"
    );
    assert_eq!(proxy.get(0, "/v1/orders/1", 0).reason(), "rate_limited");
}

#[test]
fn response_bytes_are_charged_when_they_are_known() {
    let configuration = per_client(json!({"cost": {"response_bytes": "64KiB"}}));
    let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &configuration);
    // Each response has 100,000 bytes: two units. The second goes one into debt.
    for _ in 0..2 {
        assert_eq!(proxy.get(0, "/v1/orders/1", 0).reason(), "allowed");
    }
    let refused = proxy.get(0, "/v1/orders/1", 0);
    assert_eq!(refused.reason(), "rate_limited");
    assert_eq!(refused.field("retry-after").unwrap(), "20");
    assert_eq!(proxy.get(0, "/v1/orders/1", 19).reason(), "rate_limited");
    assert_eq!(proxy.get(0, "/v1/orders/1", 20).reason(), "allowed");
}

#[test]
fn several_limits_are_charged_all_or_none() {
    let limits = json!([
        {"name": "wide", "key": ["client"], "rate": "100/1h"},
        {"name": "narrow", "key": ["client"], "rate": "1/1m"},
    ]);
    let configuration = limited(limits, json!(["wide", "narrow"]));
    let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &configuration);
    assert_eq!(proxy.get(0, "/v1/orders/1", 0).reason(), "allowed");
    for _ in 0..200 {
        assert_eq!(proxy.get(0, "/v1/orders/1", 0).reason(), "rate_limited");
    }
    let refused = proxy.get(0, "/v1/orders/1", 0);
    let state = refused.field("ratelimit").unwrap();
    assert!(state.starts_with(r#""wide";r=99;"#), "{state}");
    assert_eq!(refused.event["unmapped"]["limit"], "narrow");
}

#[test]
fn a_limit_that_is_observed_refuses_nobody_and_says_so() {
    let configuration = per_client(json!({"mode": "observe"}));
    let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &configuration);
    for number in 0..6 {
        let answer = proxy.get(0, "/v1/orders/1", 0);
        assert_eq!(answer.reason(), "allowed");
        let observed = &answer.event["unmapped"]["limits_observed"];
        let expected = if number < 3 {
            Value::Null
        } else {
            json!(["per-client"])
        };
        assert_eq!(*observed, expected);
    }
}

#[test]
fn a_limit_that_is_observed_refuses_nobody_for_a_cost_that_cannot_be_read() {
    let cost = json!({"query": "limit", "per": 50});
    let configuration = per_client(json!({"mode": "observe", "cost": cost}));
    let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &configuration);
    let answer = proxy.get(0, "/v1/orders/1?limit=many", 0);
    assert_eq!(answer.reason(), "allowed");
    let observed = &answer.event["unmapped"]["limits_observed"];
    assert_eq!(*observed, json!(["per-client"]));
}

#[test]
fn a_body_that_grows_too_long_does_not_make_the_response_free() {
    let mut configuration = per_client(json!({"cost": {"response_bytes": "64KiB"}}));
    configuration["routes"][0]["when"] = json!([{"body_bytes_max": 10}]);
    let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &configuration);
    let good = token(&claims(json!({})));
    for expected in [Next::Continue, Next::Continue, Next::Stop] {
        let mut host = request("/v1/orders/1", Some(&good), &[]);
        host.share(&proxy.shared);
        let (next, mut decided) = headers(&proxy.workers[0], &host);
        assert_eq!(next, expected);
        decided.response_body(100_000);
        let _ = decided.request_body(&host, 11);
        decided.finish(&host);
    }
}

#[test]
fn a_request_that_fails_a_check_before_is_not_charged() {
    let mut configuration = per_client(json!({"burst": 1}));
    configuration["routes"][0]["allow"] = json!({"scopes": {"all": ["orders.read"]}});
    let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &configuration);
    let poor = token(&claims(json!({"scope": "other"})));
    for _ in 0..5 {
        let answer = proxy.ask(0, request("/v1/orders/1", Some(&poor), &[]), at(0));
        assert_eq!(answer.reason(), "scope_missing");
    }
    assert_eq!(proxy.get(0, "/v1/orders/1", 0).reason(), "allowed");
}

#[test]
fn counts_survive_an_update_that_does_not_change_the_limit_and_a_new_worker() {
    apart!(FORGETS: counts_survive_an_update_that_does_not_change_the_limit_and_a_new_worker);
    let shared = SharedData::of(FLAVOUR);
    let before = Proxy::new(&shared, 1, &per_client(json!({})));
    for _ in 0..3 {
        before.get(0, "/v1/orders/1", 0);
    }
    let mut changed = per_client(json!({"mode": "enforce"}));
    changed["responses"]["detail"] = json!("reason");
    let after = Proxy::new(&shared, 2, &changed);
    assert_eq!(after.get(1, "/v1/orders/1", 0).reason(), "rate_limited");
    let other = Proxy::new(&shared, 1, &per_client(json!({"burst": 4})));
    assert_eq!(
        other.get(0, "/v1/orders/1", 0).reason(),
        "allowed",
        "another limit"
    );
}

#[test]
fn keys_of_shared_data_do_not_grow_with_callers() {
    let mut configuration = per_client(json!({}));
    configuration["counters"] = json!({"slots": 64});
    let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &configuration);
    for number in 0..500 {
        let caller = token(&claims(json!({"client_id": format!("client-{number}")})));
        proxy.ask(0, request("/v1/orders/1", Some(&caller), &[]), at(0));
    }
    // Four buckets, the probe and the secret.
    assert!(proxy.shared.keys().len() <= 6, "{:?}", proxy.shared.keys());
}

#[test]
fn without_shared_data_each_worker_counts_for_itself_and_says_so() {
    let config = Config::parse(per_client(json!({})).to_string().as_bytes()).unwrap();
    let host = MemoryHost::default();
    let _ = Gate::open(config.settings, b"", &host);
    let lines = host.logged();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].0 == LogLevel::Warn && lines[0].1.contains("each worker counts for itself"));
    assert_eq!(host.metric("postern.limits.per_worker"), Some(1));
    let gate = postern_testkit::stories::gate(&per_client(json!({})));
    let good = token(&claims(json!({})));
    for expected in ["allowed", "allowed", "allowed", "rate_limited"] {
        let host = request("/v1/orders/1", Some(&good), &[]);
        assert_eq!(postern_testkit::stories::reason(&gate, &host), expected);
    }
    let strict = postern_testkit::stories::gate(&per_client(json!({"on_failure": "deny"})));
    let host = request("/v1/orders/1", Some(&good), &[]);
    assert_eq!(
        postern_testkit::stories::reason(&strict, &host),
        "limits_unavailable"
    );
}

#[test]
fn a_host_that_stops_sharing_is_counted_without() {
    apart!(COUNTS: a_host_that_stops_sharing_is_counted_without);
    for call in [Call::Shared, Call::SetShared] {
        for (on_failure, expected) in [("per_worker", "allowed"), ("deny", "limits_unavailable")] {
            let configuration = per_client(json!({"on_failure": on_failure}));
            let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &configuration);
            let good = token(&claims(json!({})));
            let ask = || {
                let host = request("/v1/orders/1", Some(&good), &[]);
                host.refuse(call);
                proxy.ask(0, host, at(0))
            };
            let first = ask();
            assert_eq!(first.reason(), expected, "{call:?}");
            assert_eq!(first.host.metric("postern.limits.unavailable"), Some(1));
            (0..2).for_each(|_| assert_eq!(ask().reason(), expected));
            assert_ne!(ask().reason(), "allowed");
        }
    }
}

#[test]
fn a_limit_that_cannot_be_counted_for_all_workers_charges_no_other() {
    let limits = json!([
        {"name": "shared", "key": ["client"], "quota": "1/1d"},
        {"name": "strict", "key": ["client"], "quota": "9/1d", "on_failure": "deny"},
    ]);
    let mut configuration = limited(limits, json!(["shared", "strict"]));
    configuration["routes"][1]["limits"] = json!(["shared"]);
    let gate = postern_testkit::stories::gate(&configuration);
    let good = token(&claims(json!({})));
    let ask = |path| postern_testkit::stories::reason(&gate, &request(path, Some(&good), &[]));
    assert_eq!(ask("/v1/orders/1"), "limits_unavailable");
    assert_eq!(ask("/v1/other"), "allowed", "nothing was charged");
}

#[test]
fn what_another_plugin_wrote_over_a_bucket_is_begun_anew_and_counted() {
    apart!(LOOKS: what_another_plugin_wrote_over_a_bucket_is_begun_anew_and_counted);
    let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &per_client(json!({})));
    proxy.get(0, "/v1/orders/1", 0);
    for key in proxy.shared.keys() {
        if !key.ends_with("secret") {
            proxy.shared.overwrite(&key, b"nonsense");
        }
    }
    let answer = proxy.get(0, "/v1/orders/1", 0);
    assert_eq!(answer.reason(), "allowed");
    assert_eq!(answer.host.metric("postern.limits.damaged"), Some(1));
}

fn forged() -> String {
    let good = token(&claims(json!({})));
    let (input, _) = good.rsplit_once('.').unwrap();
    format!("{input}.{}", "A".repeat(86))
}

fn pressed(source: Value) -> Value {
    let mut configuration = limited(
        json!([{"name": "l", "key": ["client"], "rate": "1000/1s"}]),
        json!(["l"]),
    );
    configuration["source"] = source;
    configuration
}

fn five() -> Value {
    json!({"pressure": {"rate": "6/1m", "burst": 5}})
}

#[test]
fn a_source_that_keeps_failing_is_turned_away_on_every_worker_before_any_signature() {
    apart!(COUNTS: a_source_that_keeps_failing_is_turned_away_on_every_worker_before_any_signature);
    let proxy = Proxy::new(&SharedData::of(FLAVOUR), 3, &pressed(five()));
    let bad = |worker: usize, secs| {
        proxy.ask(
            worker,
            request("/v1/orders/1", Some(&forged()), &[]),
            at(secs),
        )
    };
    for number in 0..5 {
        assert_eq!(bad(number % 3, 0).reason(), "signature_invalid");
    }
    for worker in 0..3 {
        let refused = bad(worker, 0);
        assert_eq!(refused.reason(), "source_throttled");
        assert_eq!(refused.field("retry-after").unwrap(), "10");
        assert_eq!(
            refused.field("ratelimit").unwrap(),
            r#""source.pressure";r=0;t=10"#
        );
        // A good token would have to be verified first.
        assert_eq!(
            proxy.get(worker, "/v1/orders/1", 0).reason(),
            "source_throttled"
        );
        assert_eq!(
            proxy.get(worker, "/free", 0).reason(),
            "allowed",
            "a public route"
        );
    }
    assert_eq!(bad(1, 9).reason(), "source_throttled");
    assert_eq!(bad(2, 10).reason(), "signature_invalid");
    assert_eq!(bad(0, 10).reason(), "source_throttled");
    assert_eq!(proxy.get(0, "/v1/orders/1", 60).reason(), "allowed");
}

#[test]
fn a_failure_is_charged_what_its_signature_costs() {
    apart!(COUNTS: a_failure_is_charged_what_its_signature_costs);
    // One check with 8192 bits in the module is worth twelve ordinary ones, two with 2048 bits two,
    // and what costs no signature at all is one failure as before.
    for (bits, keys, worth) in [(8192, 1, 12), (2048, 2, 2), (0, 1, 1)] {
        let mut configuration = pressed(json!({"pressure": {"rate": "60/1m", "burst": 24}}));
        let modulus = encode(&vec![0xa7; bits.max(2048) / 8]);
        let key = json!({"kty": "RSA", "n": modulus, "e": "AQAB"});
        configuration["issuers"][0]["keys"] = json!({"inline": {"keys": vec![key; keys]}});
        configuration["issuers"][0]["lenient"] = json!(["large_rsa"]);
        let proxy = Proxy::new(&SharedData::of(FLAVOUR), 2, &configuration);
        let forged = |number: u64| {
            let header = encode(json!({"alg": "PS256"}).to_string().as_bytes());
            let payload = encode(claims(json!({"jti": number})).to_string().as_bytes());
            let signature = if bits > 0 {
                encode(&vec![0x5a; bits / 8])
            } else {
                "~".to_owned()
            };
            format!("{header}.{payload}.{signature}")
        };
        let bad = |number: u64, secs| {
            let worker = usize::try_from(number % 2).unwrap();
            let host = request("/v1/orders/1", Some(&forged(number)), &[]);
            proxy.ask(worker, host, at(secs)).reason().to_owned()
        };
        let expected = if bits > 0 {
            "signature_invalid"
        } else {
            "credential_malformed"
        };
        for number in 0..24 / worth {
            assert_eq!(bad(number, 0), expected, "{bits}: {number}");
        }
        assert_eq!(bad(100, 0), "source_throttled", "{bits}");
        // A unit is earned in a second. Whoever has one is let in, and owes the rest of the price.
        assert_eq!(bad(101, 1), expected, "{bits}");
        for secs in 1..=worth {
            assert_eq!(bad(200 + secs, secs), "source_throttled", "{bits}: {secs}");
        }
        assert_eq!(bad(300, 1 + worth), expected, "{bits}");
    }
}

#[test]
fn another_address_is_not_turned_away() {
    let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &pressed(five()));
    let ask = |source: &str| {
        let host = request("/v1/orders/1", Some("nonsense"), &[]);
        host.set_property(Property::SourceAddress, source.as_bytes());
        proxy.ask(0, host, at(0)).reason().to_owned()
    };
    for _ in 0..5 {
        assert_eq!(ask("[2001:db8::1]:1"), "credential_malformed");
    }
    assert_eq!(
        ask("[2001:db8::ffff]:1"),
        "source_throttled",
        "the same /64"
    );
    assert_eq!(ask("[2001:db8:0:1::1]:1"), "credential_malformed");
    assert_eq!(ask("192.0.2.7:1"), "credential_malformed");
}

#[test]
fn whoever_sends_no_credential_or_may_not_do_something_is_not_charged_for_it() {
    let mut configuration = pressed(five());
    configuration["routes"][0]["allow"] = json!({"scopes": {"all": ["nobody.has"]}});
    let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &configuration);
    for _ in 0..20 {
        let answer = proxy.ask(0, request("/v1/orders/1", None, &[]), at(0));
        assert_eq!(answer.reason(), "credential_missing");
        assert_eq!(proxy.get(0, "/v1/orders/1", 0).reason(), "scope_missing");
    }
}

#[test]
fn a_forged_forwarding_field_gains_nothing() {
    for trust in [
        json!({"trusted_hops": 1}),
        json!({"trusted_cidrs": ["192.0.2.0/24"]}),
        json!({}),
    ] {
        let mut source = five();
        for (name, value) in trust.as_object().unwrap() {
            source[name] = value.clone();
        }
        let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &pressed(source));
        let ask = |number: u32, caller: &str| {
            let field = format!("198.51.100.{number}, {caller}, 192.0.2.7");
            let host = request(
                "/v1/orders/1",
                Some("nonsense"),
                &[("x-forwarded-for", &field)],
            );
            proxy.ask(0, host, at(0))
        };
        for number in 0..5 {
            assert_eq!(ask(number, "203.0.113.1").reason(), "credential_malformed");
        }
        let refused = ask(6, "203.0.113.1");
        assert_eq!(refused.reason(), "source_throttled", "{trust}");
        let trusted = trust != json!({});
        let source = refused.event["src_endpoint"]["ip"].as_str().unwrap();
        assert_eq!(source, if trusted { "203.0.113.1" } else { "192.0.2.7" });
        assert_eq!(refused.event["src_endpoint"].get("port").is_none(), trusted);
        let other = ask(7, "203.0.113.2");
        let expected = if trusted {
            "credential_malformed"
        } else {
            "source_throttled"
        };
        assert_eq!(other.reason(), expected, "{trust}");
    }
}

#[test]
fn pressure_that_is_observed_or_off_turns_nobody_away() {
    for (mode, noted) in [("observe", true), ("off", false)] {
        let source = json!({"pressure": {"rate": "6/1m", "burst": 1, "mode": mode}});
        let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &pressed(source));
        for _ in 0..3 {
            let answer = proxy.ask(0, request("/v1/orders/1", Some("nonsense"), &[]), at(0));
            assert_eq!(answer.reason(), "credential_malformed");
        }
        let answer = proxy.get(0, "/v1/orders/1", 0);
        assert_eq!(answer.reason(), "allowed");
        let observed = answer.event["unmapped"].get("limits_observed");
        assert_eq!(
            observed == Some(&json!(["source.pressure"])),
            noted,
            "{mode}"
        );
    }
}

#[test]
fn requests_without_an_address_share_a_budget_that_shuts_nobody_out() {
    let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &pressed(five()));
    let ask = |token: &str, secs| {
        let host = request("/v1/orders/1", Some(token), &[]);
        host.set_property(Property::SourceAddress, b"/run/gate.sock");
        proxy.ask(0, host, at(secs))
    };
    let reason = |token: &str, secs| ask(token, secs).reason().to_owned();
    let good = |number: u32| token(&claims(json!({"jti": format!("good-{number}")})));
    let known = good(0);
    assert_eq!(reason(&known, 0), "allowed");
    for _ in 0..5 {
        assert_eq!(reason(&forged(), 0), "signature_invalid");
    }
    // Ten more are checked in this second, of whichever kind.
    for number in 1..=6 {
        assert_eq!(reason(&good(number), 0), "allowed");
    }
    // A refusal that is remembered takes none.
    assert_eq!(reason(&forged(), 0), "source_throttled");
    for number in 0..4 {
        let other = token(&claims(json!({"jti": format!("bad-{number}")})));
        let (input, _) = other.rsplit_once('.').unwrap();
        let other = format!("{input}.{}", "A".repeat(86));
        assert_eq!(reason(&other, 0), "source_throttled");
    }
    let refused = ask(&good(7), 0);
    assert_eq!(refused.reason(), "source_throttled");
    let why = refused.event["message"].as_str().unwrap();
    assert!(why.contains("no address is known"), "{why}");
    // What is known needs no check, and another second has its own.
    assert_eq!(reason(&known, 0), "allowed");
    assert_eq!(reason(&good(7), 1), "allowed");
    // Whoever has an address has another budget.
    assert_eq!(proxy.get(0, "/v1/orders/1", 1).reason(), "allowed");
    let bad = proxy.ask(0, request("/v1/orders/1", Some(&forged()), &[]), at(1));
    assert_eq!(bad.reason(), "signature_invalid");
}

#[test]
fn that_requests_have_no_address_is_said_once() {
    for (source, times) in [(five(), 1), (json!({"pressure": {"mode": "off"}}), 0)] {
        let gate = postern_testkit::stories::gate(&pressed(source));
        let mut said = 0;
        for address in [&b"192.0.2.7:1"[..], b"/run/gate.sock", b"/run/gate.sock"] {
            let host = request("/v1/orders/1", None, &[]);
            host.set_property(Property::SourceAddress, address);
            let (_, decided) = headers(&gate, &host);
            decided.finish(&host);
            let lines = host.logged();
            let about = |line: &&(_, String)| line.1.contains("does not say where");
            said += lines.iter().filter(about).count();
            assert!(said == 0 || address.starts_with(b"/"));
        }
        assert_eq!(said, times);
    }
}

#[test]
fn a_clock_that_is_set_back_shuts_nobody_out() {
    let proxy = Proxy::new(&SharedData::of(FLAVOUR), 1, &per_client(json!({})));
    let ask = |now: Now| {
        let good = signed(
            &json!({"alg": "EdDSA", "kid": "k1"}),
            &claims(json!({"iat": null, "exp": 99_999_999_999_u64})),
        );
        proxy
            .ask(0, request("/v1/orders/1", Some(&good), &[]), now)
            .reason()
            .to_owned()
    };
    for _ in 0..3 {
        assert_eq!(ask(at(100_000)), "allowed");
    }
    assert_eq!(ask(at(100_000)), "rate_limited");
    assert_eq!(ask(at(0)), "rate_limited", "the jump is worth nothing");
    let later =
        Now::from_nanos(at(0).nanos() + u64::try_from(Duration::from_secs(10).as_nanos()).unwrap());
    assert_eq!(ask(later), "allowed");
    assert_eq!(ask(later), "rate_limited");
}
