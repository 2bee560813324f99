//! Stories of tokens that come again, to one worker or to several, over the in-memory host.

// The same stories under Node, with the attribute its runner needs.
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::cell::Cell;
use std::rc::Rc;

use super::FLAVOUR;
use postern_core::config::Config;
use postern_core::gate::Gate;
use postern_core::host::Property;
use postern_testkit::memory::{Call, MemoryHost, SharedData};
use postern_testkit::stories::{
    at, claims, configuration, events, headers, key_set, request, token,
};
use serde_json::{Value, json};

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
        Self::with(&SharedData::of(FLAVOUR), SECRET, workers, configuration)
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
            proxy
                .workers
                .push(Rc::new(Gate::open(config.settings, vm, &root)));
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

    /// How many signatures a worker's answer to a good token took, and how many others' word.
    fn counts(&self, worker: usize, token: &str) -> (i64, i64) {
        let (host, event) = self.ask(worker, token);
        assert_eq!(event["status_detail"], "allowed");
        let count = |name| host.metric(name).unwrap_or_default();
        (
            count("postern.tokens.verified"),
            count("postern.tokens.shared"),
        )
    }

    fn pages(&self) -> Vec<String> {
        let keys = self.shared.keys().into_iter();
        keys.filter(|key| key.starts_with("postern.tokens."))
            .collect()
    }

    fn reason(&self, worker: usize, token: &str) -> String {
        let (_, event) = self.ask(worker, token);
        event["status_detail"].as_str().unwrap().to_owned()
    }
}

fn configured(keys: Value, more: Value) -> Value {
    let mut whole = configuration(json!([{"name": "all", "match": {"path": "/{rest*}"}}]));
    whole["issuers"][0]["keys"] = keys;
    whole["tokens"] = json!({"share": true});
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
fn a_bad_token_that_a_worker_remembers_is_throttled_as_one_that_it_does_not() {
    apart!(COUNTS: a_bad_token_that_a_worker_remembers_is_throttled_as_one_that_it_does_not);
    let pressure = json!({"source": {"pressure": {"rate": "1/1h", "burst": 5}}});
    let proxy = Proxy::new(2, &configured(remote(), pressure));
    proxy.publish(&key_set());
    // The first worker has just seen that the source may fail, and the second lets it fail no more.
    assert_eq!(proxy.reason(0, &forged()), "signature_invalid");
    for _ in 0..4 {
        assert_eq!(proxy.reason(1, &forged()), "signature_invalid");
    }
    let (host, remembered) = proxy.ask(0, &forged());
    let other = token(&claims(json!({"jti": "t-2"}))).replace('.', "..");
    let (other_host, anew) = proxy.ask(1, &other);
    assert_eq!(remembered["status_detail"], "source_throttled");
    assert_eq!(timeless(remembered), timeless(anew));
    assert_eq!(host.replies(), other_host.replies());
}

#[test]
fn a_refused_token_is_let_in_once_its_keys_are_there() {
    apart!(FETCHES: a_refused_token_is_let_in_once_its_keys_are_there);
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

const CHECKED: (i64, i64) = (1, 0);
const TAKEN_OVER: (i64, i64) = (0, 1);
const KNOWN: (i64, i64) = (0, 0);

fn inline() -> Value {
    configured(json!({"inline": key_set()}), json!({}))
}

#[test]
fn a_token_is_verified_by_one_worker_and_taken_over_by_the_others() {
    apart!(VERIFIES: a_token_is_verified_by_one_worker_and_taken_over_by_the_others);
    let proxy = Proxy::new(3, &inline());
    assert_eq!(proxy.counts(2, &good()), CHECKED);
    assert_eq!(proxy.counts(0, &good()), TAKEN_OVER);
    assert_eq!(proxy.counts(1, &good()), TAKEN_OVER);
    for worker in 0..3 {
        assert_eq!(proxy.counts(worker, &good()), KNOWN);
    }
    assert_eq!(proxy.pages().len(), 1);
    for worker in 0..3 {
        assert_eq!(proxy.reason(worker, &forged()), "signature_invalid");
    }
    assert_eq!(proxy.pages().len(), 1, "what does not hold is not told");
}

#[test]
fn tokens_are_shared_where_the_configuration_says_so_and_nowhere_else() {
    apart!(VERIFIES: tokens_are_shared_where_the_configuration_says_so_and_nowhere_else);
    let told = |share: Value| configured(json!({"inline": key_set()}), json!({"tokens": share}));
    let cases = [
        (&b""[..], json!({}), CHECKED),
        (SECRET, json!({}), CHECKED),
        (SECRET, json!({"share": false}), CHECKED),
        (SECRET, json!({"share": true}), TAKEN_OVER),
        (b"", json!({"share": true}), TAKEN_OVER),
    ];
    for (vm, share, expected) in cases {
        let proxy = Proxy::with(&SharedData::of(FLAVOUR), vm, 2, &told(share.clone()));
        assert_eq!(proxy.counts(0, &good()), CHECKED);
        assert_eq!(proxy.counts(1, &good()), expected, "{vm:?} {share}");
        assert_eq!(proxy.pages().is_empty(), expected == CHECKED);
    }
}

#[test]
fn a_host_without_shared_data_or_that_stops_having_it_verifies_in_each_worker() {
    let config = Config::parse(inline().to_string().as_bytes()).unwrap();
    let gate = Rc::new(Gate::open(config.settings, SECRET, &MemoryHost::default()));
    let host = request("/x", Some(&good()), &[]);
    headers(&gate, &host);
    assert_eq!(host.metric("postern.tokens.verified"), Some(1));
    let proxy = Proxy::new(2, &inline());
    assert_eq!(proxy.counts(0, &good()), CHECKED);
    let mut host = request("/x", Some(&good()), &[]);
    host.share(&proxy.shared);
    for call in [Call::Shared, Call::SetShared] {
        host.refuse(call);
    }
    headers(&proxy.workers[1], &host);
    assert_eq!(host.metric("postern.tokens.verified"), Some(1));
}

#[test]
fn a_token_of_a_key_that_was_rotated_away_is_not_taken_over() {
    apart!(FETCHES: a_token_of_a_key_that_was_rotated_away_is_not_taken_over);
    let proxy = Proxy::new(2, &configured(remote(), json!({})));
    proxy.publish(&key_set());
    assert_eq!(proxy.counts(0, &good()), CHECKED);
    proxy.secs.set(2);
    let mut other = key_set();
    other["keys"][0]["x"] = json!("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    proxy.publish(&other);
    for worker in 0..2 {
        assert_eq!(proxy.reason(worker, &good()), "signature_invalid");
    }
}

#[test]
fn what_another_plugin_writes_or_copies_is_never_taken_for_a_verified_token() {
    apart!(LOOKS: what_another_plugin_writes_or_copies_is_never_taken_for_a_verified_token);
    let proxy = Proxy::new(4, &inline());
    assert_eq!(proxy.counts(0, &good()), CHECKED);
    let page = proxy.pages().pop().unwrap();
    let bytes = proxy.shared.bytes(&page).unwrap();
    let proves_nothing = |proxy: &Proxy| {
        for worker in 0..4 {
            assert_eq!(proxy.reason(worker, &forged()), "signature_invalid");
        }
    };
    // Copied under every name that there is: it proves the one token, and that in its place.
    for number in 0..4096 {
        proxy
            .shared
            .overwrite(&format!("postern.tokens.1.{number:06x}"), &bytes);
    }
    proves_nothing(&proxy);
    assert_eq!(proxy.counts(1, &good()), TAKEN_OVER);
    // Made with another secret.
    let theirs = Proxy::with(
        &SharedData::of(FLAVOUR),
        b"a text of their own",
        1,
        &inline(),
    );
    theirs.counts(0, &good());
    let theirs = theirs.shared.bytes(&theirs.pages()[0]).unwrap();
    for value in [&theirs[..], b"", b"nonsense", &[0xff; 112], &[0; 100_000]] {
        for number in 0..4096 {
            proxy
                .shared
                .overwrite(&format!("postern.tokens.1.{number:06x}"), value);
        }
        let fresh = Proxy::with(&proxy.shared, SECRET, 2, &inline());
        proves_nothing(&proxy);
        assert_eq!(fresh.counts(0, &good()), CHECKED, "{} bytes", value.len());
        assert_eq!(fresh.counts(1, &good()), TAKEN_OVER, "it was written over");
    }
}

#[test]
fn an_update_that_leaves_the_keys_keeps_what_was_verified_and_one_that_changes_them_does_not() {
    apart!(FORGETS: an_update_that_leaves_the_keys_keeps_what_was_verified_and_one_that_changes_them_does_not);
    let before = Proxy::new(1, &inline());
    assert_eq!(before.counts(0, &good()), CHECKED);
    let update = |change: &dyn Fn(&mut Value)| {
        let mut whole = inline();
        change(&mut whole);
        Proxy::with(&before.shared, SECRET, 1, &whole).counts(0, &good())
    };
    let issuer = |name: &'static str, value: Value| {
        update(&move |whole| whole["issuers"][0][name] = value.clone())
    };
    assert_eq!(issuer("clock_skew", json!("1s")), TAKEN_OVER);
    assert_eq!(issuer("algorithms", json!(["EdDSA", "RS256"])), CHECKED);
    let mut keys = key_set();
    let again = keys["keys"][0].clone();
    keys["keys"].as_array_mut().unwrap().push(again);
    assert_eq!(issuer("keys", json!({"inline": keys})), CHECKED);
}

#[test]
fn a_worker_that_takes_a_token_over_still_refuses_what_the_first_did_not() {
    apart!(VERIFIES: a_worker_that_takes_a_token_over_still_refuses_what_the_first_did_not);
    let proxy = Proxy::new(2, &inline());
    let short = token(&claims(
        json!({"exp": postern_testkit::stories::START + 10}),
    ));
    assert_eq!(proxy.counts(0, &short), CHECKED);
    proxy.secs.set(100);
    assert_eq!(proxy.reason(1, &short), "token_expired");
    proxy.secs.set(0);
    assert_eq!(
        proxy.counts(1, &short),
        TAKEN_OVER,
        "it counts for as long as the token lives"
    );
}
