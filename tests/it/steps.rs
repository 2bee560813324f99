//! The order of the steps, and whoever looks on while they are made.

// The same stories under Node, with the attribute its runner needs.
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::rc::Rc;

use postern_core::gate::steps::{STEPS, Seen, Verdict, Watch};
use postern_core::gate::{Gate, Opened, Stage};
use postern_testkit::memory::MemoryHost;
use postern_testkit::stories::*;
use serde_json::{Value, json};

/// Remembers each step: its name, whether it decided, and how it went.
#[derive(Default)]
struct Noted(Vec<(&'static str, bool, Verdict)>);

impl Watch for Noted {
    fn begin(&mut self) {
        self.0.clear();
    }

    fn saw(&mut self, seen: &Seen<'_, '_>) {
        self.0.push((seen.step, seen.decides, seen.verdict.clone()));
    }
}

fn watched(gate: &Rc<Gate>, host: &MemoryHost) -> (Noted, Vec<Value>) {
    let mut noted = Noted::default();
    match Opened::new(Rc::clone(gate)).headers_watched(host, &mut noted) {
        Stage::Decided(_, decided) => decided.finish(host),
        Stage::Waiting(_) => panic!("the request is held"),
    }
    (noted, events(host))
}

fn counted() -> Rc<Gate> {
    let mut configuration = configuration(json!([
        {"name": "orders", "match": {"methods": ["GET"], "path": "/v1/orders/{id}"}, "limits": ["few"],
         "allow": {"scopes": {"all": ["orders.read"]}},
         "when": [{"query": "page", "min": 1, "max": 9}]},
        {"name": "health", "match": {"path": "/healthz"}, "public": true},
    ]));
    configuration["limits"] = json!([{"name": "few", "key": ["client"], "quota": "2/1h"}]);
    configuration["risk"] = json!({});
    configuration["source"] = json!({"pressure": {"rate": "60/1m", "burst": 4}});
    gate(&configuration)
}

/// Paths and tokens, some of which are refused at every kind of step.
fn sent() -> Vec<(&'static str, Option<String>)> {
    let good = token(&claims(json!({})));
    let forged = format!("{}AAAA", &good[..good.len() - 4]);
    vec![
        ("/v1/orders/7?page=1", Some(good.clone())),
        ("/v1/orders/%2e", Some(good.clone())),
        ("/v2", Some(good.clone())),
        ("/healthz", Some(good.clone())),
        ("/v1/orders/7?page=%ff", Some(good.clone())),
        ("/v1/orders/7?page=1", None),
        ("/v1/orders/7?page=1", Some(forged.clone())),
        ("/v1/orders/7?page=1", Some(forged)),
        (
            "/v1/orders/7?page=1",
            Some(token(&claims(json!({"exp": START - 31})))),
        ),
        (
            "/v1/orders/7?page=1",
            Some(token(&claims(json!({"scope": "x"})))),
        ),
        ("/v1/orders/7?page=10", Some(good.clone())),
        ("/v1/orders/8?page=1", Some(good.clone())),
        ("/v1/orders/7?page=2", Some(good.clone())),
        ("/v1/orders/7?page=1", Some("a.b.c".to_owned())),
        ("/v1/orders/7?page=1", Some("a.b".to_owned())),
        ("/v1/orders/7?page=1", Some(good)),
    ]
}

#[test]
fn whoever_looks_on_changes_nothing() {
    let (alone, seen) = (counted(), counted());
    let mut reasons = Vec::new();
    for (path, token) in sent() {
        let [one, other] = [(); 2].map(|()| request(path, token.as_deref(), &[]));
        let (_, expected) = live(&alone, &one);
        let (_, events) = watched(&seen, &other);
        assert_eq!(events, expected, "{path}");
        assert_eq!(other.upstream_headers(), one.upstream_headers(), "{path}");
        for metric in ["postern.tokens.tried", "postern.tokens.verified"] {
            assert_eq!(other.metric(metric), one.metric(metric), "{path}: {metric}");
        }
        reasons.extend(
            events
                .iter()
                .map(|event| event["status_detail"].as_str().unwrap().to_owned()),
        );
    }
    for reason in ["quota_exceeded", "signature_invalid", "source_throttled"] {
        assert!(reasons.iter().any(|one| one == reason), "{reasons:?}");
    }
}

#[test]
fn every_step_is_shown_in_the_order_and_the_first_refusal_is_the_last_that_decides() {
    let gate = counted();
    for (path, token) in sent() {
        let (noted, events) = watched(&gate, &request(path, token.as_deref(), &[]));
        let names: Vec<_> = noted.0.iter().map(|(name, ..)| *name).collect();
        let order: Vec<_> = STEPS.iter().map(|step| step.name).collect();
        assert_eq!(names, order, "{path}");
        let decided: Vec<_> = noted
            .0
            .iter()
            .take_while(|(_, decides, _)| *decides)
            .collect();
        assert!(
            noted
                .0
                .iter()
                .skip(decided.len())
                .all(|(_, decides, _)| !decides),
            "{path}"
        );
        let (last, before) = decided.split_last().unwrap();
        let goes_on = |verdict: &Verdict| matches!(verdict, Verdict::Passed | Verdict::NotAsked);
        assert!(
            before.iter().all(|(.., verdict)| goes_on(verdict)),
            "{path}"
        );
        let detail = &events[0]["status_detail"];
        match &last.2 {
            Verdict::Refused(refusal) if *detail != "source_throttled" => {
                assert_eq!(*detail, refusal.denial().reason.code(), "{path}");
            }
            Verdict::Refused(_) => {}
            Verdict::Passed | Verdict::NotAsked | Verdict::Ended => {
                assert_eq!(*detail, "allowed", "{path}");
            }
            Verdict::NotJudged(needed) => panic!("{path}: {} lacks {needed}", last.0),
            Verdict::NeedsBody(_) => panic!("{path}: {} asks for the body", last.0),
        }
    }
}
