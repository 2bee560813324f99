//! Stories of tokens that come again, to one worker or to several, over the in-memory host.

mod support;

// The same stories under Node, with the attribute its runner needs.
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::cell::Cell;
use std::rc::Rc;

use postern::config::Config;
use postern::gate::Gate;
use postern::host::Property;
use postern::host::memory::{MemoryHost, SharedData};
use serde_json::{Value, json};
use support::{at, claims, configuration, events, headers, key_set, request, token};

const SECRET: &[u8] = b"a text that nobody else knows";

/// The workers of one proxy, and the provider of their keys.
struct Proxy {
    shared: SharedData,
    workers: Vec<Rc<Gate>>,
    roots: Vec<MemoryHost>,
    secs: Cell<u64>,
}

impl Proxy {
    fn new(workers: usize, configuration: &Value) -> Self {
        Self::with(&SharedData::default(), SECRET, workers, configuration)
    }

    fn with(shared: &SharedData, vm: &[u8], workers: usize, configuration: &Value) -> Self {
        let mut proxy = Self {
            shared: shared.clone(),
            workers: Vec::new(),
            roots: Vec::new(),
            secs: Cell::new(0),
        };
        for _ in 0..workers {
            let root = MemoryHost::with_shared(at(0), shared);
            let config = Config::parse(configuration.to_string().as_bytes()).unwrap();
            proxy.workers.push(Rc::new(Gate::open(config, vm, &root)));
            proxy.roots.push(root);
        }
        proxy
    }

    /// Answers the calls of the first worker with a key set, and lets everyone take it up.
    fn publish(&self, set: &Value) {
        let body = set.to_string().into_bytes();
        let root = &self.roots[0];
        for _ in 0..2 {
            for (gate, root) in self.workers.iter().zip(&self.roots) {
                root.set_now(at(self.secs.get()));
                gate.tick(root);
            }
            root.set_response(&[(":status", "200")], &body);
            let calls = u32::try_from(root.calls().len()).unwrap();
            self.workers[0].response(root, calls, body.len());
        }
    }

    /// The host after a request to a worker, and its one event.
    fn ask(&self, worker: usize, token: &str) -> (MemoryHost, Value) {
        let mut host = request("/x", Some(token), &[]);
        host.set_now(at(self.secs.get()));
        host.share(&self.shared);
        host.set_property(Property::SourceAddress, b"192.0.2.7:4711");
        let (_, decided) = headers(&self.workers[worker], &host);
        decided.finish(&host);
        let event = events(&host).pop().unwrap();
        (host, event)
    }

    fn reason(&self, worker: usize, token: &str) -> String {
        let (_, event) = self.ask(worker, token);
        event["status_detail"].as_str().unwrap().to_owned()
    }
}

fn configured(keys: Value, more: Value) -> Value {
    let mut whole = configuration(json!([{"name": "all", "match": {"path": "/{rest*}"}}]));
    whole["issuers"][0]["keys"] = keys;
    for (name, value) in more.as_object().unwrap() {
        whole[name] = value.clone();
    }
    whole
}

fn remote() -> Value {
    json!({"remote": {
        "cluster": "idp", "uri": "https://idp.example/jwks", "refresh": "1s", "cooldown": "1s",
    }})
}

fn good() -> String {
    token(&claims(json!({})))
}

fn forged() -> String {
    let good = good();
    let (input, signature) = good.rsplit_once('.').unwrap();
    let flipped: String = signature.chars().rev().collect();
    // The last of 86 characters has four bits that must be zero.
    format!("{input}.{}Q", &flipped[1..])
}

/// An event without what is another with every request.
fn timeless(mut event: Value) -> Value {
    for name in ["time", "start_time", "end_time", "duration"] {
        event.as_object_mut().unwrap().remove(name);
    }
    event["metadata"]["uid"].take();
    event
}

#[test]
fn a_bad_token_that_comes_again_is_answered_audited_and_charged_like_the_first() {
    let pressure = json!({"source": {"pressure": {"rate": "1/1h", "burst": 5}}});
    let proxy = Proxy::new(1, &configured(remote(), pressure));
    proxy.publish(&key_set());
    let (first_host, first) = proxy.ask(0, &forged());
    assert_eq!(first["status_detail"], "signature_invalid");
    assert_eq!(first["unmapped"]["keys"]["version"], 1);
    for _ in 1..5 {
        let (host, event) = proxy.ask(0, &forged());
        assert_eq!(timeless(event), timeless(first.clone()));
        assert_eq!(host.replies(), first_host.replies());
    }
    // The five failures that there were are used up.
    let (_, throttled) = proxy.ask(0, &forged());
    assert_eq!(throttled["status_detail"], "source_throttled");
    assert_eq!(throttled["unmapped"].get("keys"), None);
    assert_eq!(proxy.reason(0, &good()), "source_throttled");
}

#[test]
fn a_refused_token_is_let_in_once_its_keys_are_there() {
    let proxy = Proxy::new(2, &configured(remote(), json!({})));
    let mut other = key_set();
    other["keys"][0]["x"] = json!("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    proxy.publish(&other);
    for _ in 0..3 {
        assert_eq!(proxy.reason(0, &good()), "signature_invalid");
    }
    proxy.secs.set(2);
    proxy.publish(&key_set());
    for worker in 0..2 {
        assert_eq!(proxy.reason(worker, &good()), "allowed");
        assert_eq!(proxy.reason(worker, &forged()), "signature_invalid");
    }
}
