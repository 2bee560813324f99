//! Whatever is sent, in whatever order the proxy calls: a decision, one event, and no panic.

use postern_core::gate::{Gate, Next, Opened, Stage};
use postern_core::host::Property;
use postern_testkit::memory::MemoryHost;
use postern_testkit::stories::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::rc::Rc;

fn everything() -> Value {
    let mut configuration = configuration(json!([
        {"name": "a", "match": {"hosts": ["*.example"], "methods": ["GET"], "path": "/v1/{id}"},
         "allow": {"scopes": {"all": ["orders.read"]}, "claims": [{"claim": "a.b", "in": [1, "x"]}]},
         "when": [{"query": "limit", "max": 10, "required": false}, {"header": "x", "in": ["y"], "required": false},
                  {"source": ["10.0.0.0/8"]}, {"hours": "08:00-18:00"}, {"body_bytes_max": "10B"}, {"token_age_max": "5m"}]},
        {"name": "b", "match": {"path": "/v1/{rest*}"}, "mode": "observe"},
        {"name": "c", "match": {"path": "/p"}, "public": true},
    ]));
    configuration["audit"] = json!({"purpose_header": "x-purpose"});
    configuration
}

fn names() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::sample::select(vec![
            ":path",
            ":method",
            ":authority",
            "authorization",
            "content-length",
            "content-type",
            "x",
            "x-purpose",
            "x-request-id",
            "user-agent",
            "x-postern-identity",
            "x_postern_x",
            "x-tenant",
        ])
        .prop_map(|name| name.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..20),
    ]
}

fn values() -> impl Strategy<Value = Vec<u8>> {
    let known = vec![
        "/v1/7".to_owned(),
        "/v1/7?limit=11".to_owned(),
        "/p".to_owned(),
        "/v1/a/b".to_owned(),
        "GET".to_owned(),
        "api.example:1".to_owned(),
        "application/grpc".to_owned(),
        "18446744073709551616".to_owned(),
        format!("Bearer {}", token(&claims(json!({"a": {"b": 1}})))),
        format!(
            "Bearer {}",
            token(&claims(json!({"nbf": i64::MIN, "exp": 1e300})))
        ),
        "Bearer a.b.c".to_owned(),
    ];
    prop_oneof![
        proptest::sample::select(known).prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..60),
        "[ -~]{0,40}".prop_map(String::into_bytes),
    ]
}

/// What a proxy may call after the header fields, in any order.
#[derive(Clone, Debug)]
enum Callback {
    RequestBody(u64),
    RequestTrailers,
    ResponseBody(u64),
}

fn callbacks() -> impl Strategy<Value = Vec<Callback>> {
    let callback = prop_oneof![
        any::<u64>().prop_map(Callback::RequestBody),
        Just(Callback::RequestTrailers),
        any::<u64>().prop_map(Callback::ResponseBody),
    ];
    proptest::collection::vec(callback, 0..8)
}

fn gates() -> Vec<Rc<Gate>> {
    vec![gate(&everything()), Rc::new(Gate::closed())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn every_request_ends_with_one_event_and_nothing_forged(
        fields in proptest::collection::vec((names(), values()), 0..12),
        source in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..30)),
        code in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..10)),
        secs in any::<u64>(),
        callbacks in callbacks(),
    ) {
        for gate in gates() {
            let host = MemoryHost::default();
            host.set_now(postern_core::base::Now::from_secs(secs));
            for (name, value) in &fields {
                host.push_request_header(name, value);
            }
            host.set_request_trailers(&[("x-postern-identity", "forged")]);
            source.iter().for_each(|value| host.set_property(Property::SourceAddress, value));
            code.iter().for_each(|value| host.set_property(Property::ResponseCode, value));
            let Stage::Decided(mut next, mut decided) = Opened::new(gate).headers(&host) else {
                panic!("nothing is fetched here");
            };
            let passed = next == Next::Continue;
            for callback in &callbacks {
                match callback {
                    Callback::RequestBody(bytes) => next = decided.request_body(&host, *bytes),
                    Callback::RequestTrailers => next = decided.request_trailers(&host),
                    Callback::ResponseBody(bytes) => decided.response_body(*bytes),
                }
                prop_assert!(passed || next == Next::Stop, "what was stopped never goes on");
            }
            decided.finish(&host);
            let events = events(&host);
            prop_assert_eq!(events.len(), 1);
            prop_assert!(host.replies().len() <= 1);
            if passed {
                for (name, value) in host.upstream_headers().iter() {
                    let name = String::from_utf8_lossy(name).to_ascii_lowercase().replace('_', "-");
                    let own = name.starts_with("x-postern-") || name == "x-tenant";
                    let ours = value.starts_with(b"corp/") || value == b"billing-batch"
                        || value == b"orders.list orders.read";
                    prop_assert!(!own || ours, "{name}: {value:?}");
                }
            } else {
                prop_assert_eq!(host.replies().len(), 1);
                prop_assert_ne!(&events[0]["status_detail"], "allowed");
            }
        }
    }
}
