//! Keys that are fetched: workers, providers and clocks over the in-memory host.

// The same stories under Node, with the attribute its runner needs.
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::FLAVOUR;
use postern_core::base::Now;
use postern_core::gate::{Next, Opened, Stage, Waiting};
use postern_core::host::{HttpCall, Property};
use postern_testkit::memory::{Call, Flavour, MemoryHost};
use postern_testkit::stories::*;
use postern_testkit::workers::{Worker, Workers};
use serde_json::{Value, json};
use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// A proxy with workers that share data, and the one provider they have.
struct Proxy {
    proxy: Workers,
    /// Every call that reached the provider.
    fetched: Vec<HttpCall>,
    /// How many requests there were.
    asked: Cell<u16>,
}

impl Deref for Proxy {
    type Target = Workers;

    fn deref(&self) -> &Workers {
        &self.proxy
    }
}

impl DerefMut for Proxy {
    fn deref_mut(&mut self) -> &mut Workers {
        &mut self.proxy
    }
}

type Fields = &'static [(&'static str, &'static str)];

/// How many of so many workers fetch what they share.
fn fetching(workers: usize) -> usize {
    if FLAVOUR == Flavour::None { workers } else { 1 }
}

const GOOD: Fields = &[(":status", "200")];

fn remote(more: Value) -> Value {
    let mut remote = json!({"cluster": "idp", "uri": "https://idp.example/jwks"});
    for (name, value) in more.as_object().unwrap() {
        remote[name] = value.clone();
    }
    remote
}

fn configured(keys: Value) -> Value {
    let mut configuration = configuration(json!([{"name": "all", "match": {"path": "/{rest*}"}}]));
    configuration["issuers"][0]["keys"] = keys;
    configuration
}

impl Proxy {
    fn new(workers: usize, configuration: &Value) -> Self {
        let mut proxy = Self {
            proxy: Workers::new(at(0), FLAVOUR),
            fetched: Vec::new(),
            asked: Cell::new(0),
        };
        for _ in 0..workers {
            proxy.start(configuration);
        }
        proxy
    }

    fn start(&mut self, configuration: &Value) {
        self.proxy.start(b"", configuration);
    }

    /// Answers every call that is open with what `provider` says, until none is.
    fn answer(
        &mut self,
        provider: impl Fn(&HttpCall) -> (Vec<(&'static str, &'static str)>, Vec<u8>),
    ) {
        self.proxy.answer(|call| {
            self.fetched.push(call.clone());
            provider(call)
        });
    }

    fn answer_with(&mut self, fields: Fields, body: &[u8]) {
        self.answer(|_| (fields.to_vec(), body.to_vec()));
    }

    /// Answers the open call of one worker.
    fn answer_worker(&mut self, worker: usize, body: &[u8]) {
        self.workers[worker].answer_one(GOOD, body);
    }

    fn request(&self, token: &str) -> MemoryHost {
        let host = self.joined(request("/x", Some(token), &[]));
        // Of an address of its own, so that no failures add up.
        let number = self.asked.get();
        self.asked.set(number + 1);
        let [high, low] = number.to_be_bytes();
        let source = format!("10.0.{high}.{low}:4711");
        host.set_property(Property::SourceAddress, source.as_bytes());
        host
    }

    fn stage(&self, worker: usize, host: &MemoryHost) -> Stage {
        Opened::new(Rc::clone(&self.workers[worker].gate)).headers(host)
    }

    fn hold(&self, worker: usize, host: &MemoryHost) -> Waiting {
        match self.stage(worker, host) {
            Stage::Waiting(waiting) => *waiting,
            Stage::Decided(..) => panic!("decided: {:?}", host.replies()),
        }
    }

    /// The reason of a request that is decided at once.
    fn reason(&self, worker: usize, token: &str) -> String {
        let host = self.request(token);
        match self.stage(worker, &host) {
            Stage::Decided(_, decided) => decided.finish(&host),
            Stage::Waiting(_) => panic!("held"),
        }
        events(&host)[0]["status_detail"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// What audit says of the keys of a request that is decided at once.
    fn keys(&self, worker: usize, token: &str) -> Value {
        let host = self.request(token);
        match self.stage(worker, &host) {
            Stage::Decided(_, decided) => decided.finish(&host),
            Stage::Waiting(_) => panic!("held"),
        }
        events(&host)[0]["unmapped"]["keys"].clone()
    }
}

fn document() -> Vec<u8> {
    key_set().to_string().into_bytes()
}

/// The same key under another name.
fn renamed(kid: &str) -> Vec<u8> {
    let mut set = key_set();
    set["keys"][0]["kid"] = json!(kid);
    set.to_string().into_bytes()
}

fn good() -> String {
    token(&claims(json!({"exp": START + 1_000_000})))
}

fn with_kid(kid: &str) -> String {
    signed(
        &json!({"alg": "EdDSA", "kid": kid}),
        &claims(json!({"exp": START + 1_000_000})),
    )
}

#[test]
fn one_worker_of_four_fetches_and_all_have_the_keys_within_a_tick() {
    apart!(FETCHES: one_worker_of_four_fetches_and_all_have_the_keys_within_a_tick);
    let mut proxy = Proxy::new(4, &configured(json!({"remote": remote(json!({}))})));
    proxy.pass(1000);
    proxy.answer_with(GOOD, &document());
    assert_eq!(proxy.fetched.len(), 1);
    assert_eq!(proxy.fetched[0].cluster, "idp");
    assert_eq!(
        (
            proxy.fetched[0].authority.as_str(),
            proxy.fetched[0].path.as_str()
        ),
        ("idp.example", "/jwks")
    );
    proxy.pass(200);
    for worker in 0..4 {
        assert_eq!(proxy.reason(worker, &good()), "allowed", "{worker}");
    }
    assert_eq!(
        proxy.keys(2, &good()),
        json!({"version": 1, "age_seconds": 0})
    );
}

#[test]
fn a_set_is_fetched_again_before_it_is_older_than_its_period() {
    let mut proxy = Proxy::new(
        3,
        &configured(json!({"remote": remote(json!({"refresh": "60s"}))})),
    );
    for _ in 0..6000 {
        proxy.pass(200);
        proxy.answer_with(GOOD, &document());
    }
    // 1200 s: 20 periods, each shortened by up to a tenth.
    let each = proxy.fetched.len() / fetching(3);
    assert!((20..=23).contains(&each), "{}", proxy.fetched.len());
    assert_eq!(
        proxy.keys(0, &good())["version"],
        1,
        "the same document is the same version"
    );
}

#[test]
fn requests_wait_for_the_first_keys_and_then_go_on() {
    let mut proxy = Proxy::new(2, &configured(json!({"remote": remote(json!({}))})));
    let (first, second) = (proxy.request(&good()), proxy.request(&good()));
    let waiting = [proxy.hold(0, &first), proxy.hold(1, &second)];
    assert!(waiting.iter().all(|waiting| !waiting.is_ready(proxy.now)));
    proxy.pass(200);
    proxy.answer_with(GOOD, &document());
    proxy.pass(200);
    for (waiting, host) in waiting.into_iter().zip([&first, &second]) {
        assert!(waiting.is_ready(proxy.now));
        let (next, decided) = settled(waiting.resume(host));
        assert_eq!(next, Next::Continue);
        decided.finish(host);
        assert_eq!(events(host)[0]["status_detail"], "allowed");
    }
}

#[test]
fn requests_that_waited_in_vain_get_503_at_their_deadline() {
    let mut proxy = Proxy::new(
        1,
        &configured(json!({"remote": remote(json!({"wait": "1s"}))})),
    );
    let host = proxy.request(&good());
    let waiting = proxy.hold(0, &host);
    proxy.pass(800);
    assert!(!waiting.is_ready(proxy.now));
    proxy.pass(200);
    assert!(waiting.is_ready(proxy.now));
    let (next, decided) = settled(waiting.resume(&host));
    decided.finish(&host);
    assert_eq!(next, Next::Stop);
    assert_eq!(host.replies()[0].status, 503);
    assert_eq!(events(&host)[0]["status_detail"], "keys_unavailable");
}

#[test]
fn a_clock_that_jumps_back_releases_those_that_wait() {
    let proxy = Proxy::new(1, &configured(json!({"remote": remote(json!({}))})));
    let host = proxy.request(&good());
    let waiting = proxy.hold(0, &host);
    assert!(waiting.is_ready(Now::from_secs(1)));
}

#[test]
fn a_caller_that_leaves_while_it_waits_leaves_one_event_and_its_place() {
    let mut proxy = Proxy::new(1, &configured(json!({"remote": remote(json!({}))})));
    let from = |source: &str| {
        let host = proxy.request(&good());
        host.set_property(Property::SourceAddress, format!("{source}:1").as_bytes());
        host
    };
    let sources = ["192.0.2.1", "192.0.2.2"];
    let hosts: Vec<_> = (0..1024).map(|at| from(sources[at / 512])).collect();
    let waiting: Vec<_> = hosts.iter().map(|host| proxy.hold(0, host)).collect();
    for (source, why) in [("192.0.2.1", "of a source"), ("192.0.2.3", "of all")] {
        let stage = proxy.stage(0, &from(source));
        assert!(matches!(stage, Stage::Decided(Next::Stop, _)), "{why}");
    }
    proxy.pass(200);
    assert_eq!(
        proxy.workers[0].root.metric("postern.keys.waiting"),
        Some(1024)
    );
    for (waiting, host) in waiting.into_iter().zip(&hosts) {
        waiting.finish(host);
        assert_eq!(events(host).len(), 1);
        assert_eq!(events(host)[0]["status_detail"], "undecided");
    }
    proxy.pass(200);
    assert_eq!(
        proxy.workers[0].root.metric("postern.keys.waiting"),
        Some(0)
    );
    proxy.hold(0, &proxy.request(&good()));
}

/// Whoever has guessed too often is not waited for, though it is only watched.
#[test]
fn an_unknown_key_of_a_source_under_pressure_does_not_wait() {
    let mut configuration = configured(json!({"remote": remote(json!({"cooldown": "1s"}))}));
    configuration["source"] = json!({"pressure": {"rate": "2/1h", "burst": 2, "mode": "observe"}});
    let mut proxy = Proxy::new(1, &configuration);
    proxy.pass(200);
    proxy.answer_with(GOOD, &document());
    proxy.pass(10_000);
    let send = |token: &str| {
        let host = proxy.request(token);
        host.set_property(Property::SourceAddress, b"192.0.2.1:1");
        proxy.stage(0, &host)
    };
    assert!(matches!(send(&with_kid("k2")), Stage::Waiting(_)));
    for _ in 0..4 {
        assert!(matches!(send("no.token"), Stage::Decided(..)));
    }
    assert!(matches!(send(&with_kid("k2")), Stage::Decided(..)));
}

#[test]
fn body_and_trailers_that_come_while_a_request_is_held_are_seen_to_when_it_goes_on() {
    let mut configuration = configured(json!({"remote": remote(json!({}))}));
    configuration["routes"][0]["when"] = json!([{"body_bytes_max": "1KiB"}]);
    for (bytes, expected) in [(1024, Next::Continue), (1025, Next::Stop)] {
        let mut proxy = Proxy::new(1, &configuration);
        let host = proxy.request(&good());
        host.set_request_trailers(&[("x-postern-identity", "corp/ceo"), ("x-sum", "1")]);
        let mut waiting = proxy.hold(0, &host);
        // A proxy that keeps the body says how much of it there is by now.
        for bytes in [300, 900, bytes] {
            waiting.request_body(bytes, false);
        }
        waiting.request_trailers();
        proxy.pass(200);
        proxy.answer_with(GOOD, &document());
        let (next, decided) = settled(waiting.resume(&host));
        decided.finish(&host);
        assert_eq!(next, expected, "{bytes}");
        assert_eq!(events(&host)[0]["http_request"]["body_length"], bytes);
        if next == Next::Continue {
            assert!(
                host.upstream_trailers()
                    .only("x-postern-identity")
                    .is_none()
            );
            assert!(host.upstream_trailers().only("x-sum").is_some());
        }
    }
}

#[test]
fn what_is_only_observed_is_not_held_up() {
    let mut configuration = configured(json!({"remote": remote(json!({}))}));
    configuration["mode"] = json!("observe");
    let proxy = Proxy::new(1, &configuration);
    assert_eq!(proxy.reason(0, &good()), "keys_unavailable");
}

#[test]
fn an_unknown_key_is_fetched_once_a_cooldown_and_its_request_is_decided_with_it() {
    apart!(FETCHES: an_unknown_key_is_fetched_once_a_cooldown_and_its_request_is_decided_with_it);
    let mut proxy = Proxy::new(2, &configured(json!({"remote": remote(json!({}))})));
    proxy.pass(200);
    proxy.answer_with(GOOD, &document());
    proxy.pass(200);
    let host = proxy.request(&with_kid("k2"));
    let waiting = proxy.hold(1, &host);
    proxy.pass(200);
    proxy.answer_with(GOOD, &renamed("k2"));
    proxy.pass(200);
    assert!(waiting.is_ready(proxy.now));
    let (_, decided) = settled(waiting.resume(&host));
    decided.finish(&host);
    assert_eq!(events(&host)[0]["status_detail"], "allowed");
    assert_eq!(events(&host)[0]["unmapped"]["keys"]["version"], 2);
    assert_eq!(proxy.fetched.len(), 2);
    // Forged names cost the provider nothing until the cooldown is over.
    for index in 0..500 {
        assert_eq!(
            proxy.reason(index % 2, &with_kid(&format!("forged-{index}"))),
            "key_unknown"
        );
        proxy.pass(200 * u64::from(index % 10 == 0));
    }
    proxy.answer_with(GOOD, &renamed("k2"));
    assert_eq!(proxy.fetched.len(), 2);
    proxy.pass(30_000);
    let host = proxy.request(&with_kid("forged"));
    let waiting = proxy.hold(0, &host);
    proxy.pass(200);
    proxy.answer_with(GOOD, &renamed("k2"));
    assert!(waiting.is_ready(proxy.now));
    settled(waiting.resume(&host)).1.finish(&host);
    assert_eq!(events(&host)[0]["status_detail"], "key_unknown");
    assert_eq!(proxy.fetched.len(), 3);
}

#[test]
fn a_remembered_token_of_a_withdrawn_key_does_not_pass_after_a_refresh() {
    let mut proxy = Proxy::new(
        2,
        &configured(json!({"remote": remote(json!({"refresh": "60s"}))})),
    );
    proxy.pass(200);
    proxy.answer_with(GOOD, &document());
    proxy.pass(200);
    for worker in 0..2 {
        assert_eq!(proxy.reason(worker, &good()), "allowed");
    }
    proxy.pass(60_000);
    proxy.answer_with(GOOD, &renamed("k2"));
    proxy.pass(31_000);
    for worker in 0..2 {
        let host = proxy.request(&good());
        match proxy.stage(worker, &host) {
            Stage::Decided(_, decided) => {
                decided.finish(&host);
                assert_eq!(events(&host)[0]["status_detail"], "key_unknown");
            }
            Stage::Waiting(waiting) => {
                proxy.pass(200);
                proxy.answer_with(GOOD, &renamed("k2"));
                proxy.pass(200);
                settled(waiting.resume(&host)).1.finish(&host);
                assert_eq!(events(&host)[0]["status_detail"], "key_unknown");
            }
        }
    }
}

#[test]
fn the_last_good_keys_outlive_every_kind_of_failure_until_max_stale() {
    let failures: [(Fields, Vec<u8>, &str); 8] = [
        (&[], vec![], "no_answer"),
        (&[(":status", "500")], vec![], "status"),
        (&[(":status", "302")], vec![], "status"),
        (GOOD, b"<html>".to_vec(), "not_json"),
        (GOOD, document()[..40].to_vec(), "not_json"),
        (GOOD, b"{\"keys\":[]}".to_vec(), "bad_key_set"),
        (GOOD, vec![b' '; 300_000], "too_large"),
        (GOOD, b"[]".to_vec(), "bad_key_set"),
    ];
    for (fields, body, code) in failures {
        let keys = remote(json!({"refresh": "60s", "max_stale": "120s"}));
        let mut proxy = Proxy::new(2, &configured(json!({"remote": keys})));
        proxy.pass(200);
        proxy.answer_with(GOOD, &document());
        proxy.pass(60_000);
        for _ in 0..58 {
            proxy.answer_with(fields, &body);
            proxy.pass(1000);
        }
        for worker in 0..2 {
            assert_eq!(proxy.reason(worker, &good()), "allowed", "{code}");
            assert_eq!(proxy.keys(worker, &good())["failure"], code);
        }
        proxy.pass(5000);
        proxy.answer_with(fields, &body);
        assert_eq!(proxy.reason(0, &good()), "keys_unavailable", "{code}");
        assert!(
            proxy.fetched.len() < 12 * fetching(2),
            "{code}: {} fetches",
            proxy.fetched.len()
        );
        proxy.pass(61_000);
        proxy.answer_with(GOOD, &document());
        proxy.pass(200);
        assert_eq!(
            proxy.reason(1, &good()),
            "allowed",
            "{code}: it recovers by itself"
        );
    }
}

#[test]
fn a_cluster_that_becomes_known_late_is_fetched_from_then() {
    let mut proxy = Proxy::new(2, &configured(json!({"remote": remote(json!({}))})));
    proxy
        .workers
        .iter()
        .for_each(|worker| worker.root.refuse(Call::Dispatch));
    proxy.pass(5000);
    assert_eq!(proxy.fetched.len(), 0);
    proxy
        .workers
        .iter()
        .for_each(|worker| worker.root.permit(Call::Dispatch));
    for _ in 0..50 {
        proxy.pass(200);
        proxy.answer_with(GOOD, &document());
    }
    assert_eq!(proxy.reason(0, &good()), "allowed");
    assert_eq!(proxy.fetched.len(), fetching(2));
}

#[test]
fn a_worker_that_is_lost_while_it_fetches_is_replaced_when_its_lease_runs_out() {
    let mut proxy = Proxy::new(2, &configured(json!({"remote": remote(json!({}))})));
    proxy.pass(200);
    let fetching = proxy
        .workers
        .iter()
        .position(|worker| !worker.root.calls().is_empty())
        .unwrap();
    proxy.workers.remove(fetching);
    proxy.pass(4000);
    proxy.answer_with(GOOD, &document());
    assert_eq!(proxy.reason(0, &good()), "allowed");
}

#[test]
fn an_answer_that_comes_after_the_lease_was_taken_over_brings_no_older_keys_back() {
    apart!(FETCHES: an_answer_that_comes_after_the_lease_was_taken_over_brings_no_older_keys_back);
    let mut proxy = Proxy::new(2, &configured(json!({"remote": remote(json!({}))})));
    proxy.pass(200);
    let asked = |proxy: &Proxy, worker: usize| !proxy.workers[worker].root.calls().is_empty();
    let slow = (0..2).find(|worker| asked(&proxy, *worker)).unwrap();
    let quick = 1 - slow;
    proxy.pass(3200);
    assert!(asked(&proxy, quick), "the lease ran out");
    proxy.answer_worker(quick, &renamed("k2"));
    proxy.answer_worker(slow, &document());
    proxy.pass(200);
    for worker in 0..2 {
        assert_eq!(proxy.reason(worker, &with_kid("k2")), "allowed", "{worker}");
        assert_eq!(proxy.keys(worker, &with_kid("k2"))["version"], 1);
    }
}

#[test]
fn keys_are_taken_up_by_all_workers_after_a_clock_jumped_back() {
    let mut proxy = Proxy::new(2, &configured(json!({"remote": remote(json!({}))})));
    proxy.now = at(100_000);
    proxy.pass(200);
    proxy.answer_with(GOOD, &document());
    proxy.pass(200);
    proxy.now = at(1000);
    proxy.pass(200);
    proxy.answer_with(GOOD, &renamed("k2"));
    proxy.pass(200);
    for worker in 0..2 {
        assert_eq!(proxy.reason(worker, &with_kid("k2")), "allowed", "{worker}");
        assert_eq!(proxy.keys(worker, &with_kid("k2"))["age_seconds"], 0);
    }
    // Confirmed at an earlier instant than before: it is that instant that ages.
    proxy.now = at(500);
    proxy.pass(200);
    proxy.answer_with(GOOD, &renamed("k2"));
    proxy.now = at(550);
    proxy.pass(200);
    for worker in 0..2 {
        assert_eq!(proxy.keys(worker, &with_kid("k2"))["age_seconds"], 50);
    }
}

#[test]
fn plugins_of_other_vm_configurations_have_schedules_of_their_own() {
    apart!(FETCHES: plugins_of_other_vm_configurations_have_schedules_of_their_own);
    let keys = remote(json!({"refresh": "60s", "max_stale": "120s"}));
    let configuration = configured(json!({"remote": keys}));
    let mut proxy = Proxy::new(2, &configuration);
    for _ in 0..2 {
        proxy.proxy.start(b"another", &configuration);
    }
    proxy.pass(200);
    proxy.answer_with(GOOD, &document());
    proxy.pass(200);
    assert_eq!(proxy.fetched.len(), 2, "one a plugin");
    for _ in 0..300 {
        proxy.pass(200);
        proxy.answer_with(GOOD, &renamed("k2"));
    }
    proxy.pass(200);
    assert_eq!(proxy.fetched.len(), 4, "one a plugin and period");
    for worker in 0..4 {
        assert_eq!(proxy.reason(worker, &with_kid("k2")), "allowed", "{worker}");
    }
}

#[test]
fn an_issuer_that_can_use_no_key_of_a_set_does_not_hurry_another_that_can() {
    let mut configuration = configured(json!({"remote": remote(json!({}))}));
    let mut other = configuration["issuers"][0].clone();
    other["name"] = json!("other");
    other["issuer"] = json!("https://other.example");
    other["algorithms"] = json!(["RS256"]);
    configuration["issuers"].as_array_mut().unwrap().push(other);
    let mut proxy = Proxy::new(2, &configuration);
    for _ in 0..300 {
        proxy.pass(200);
        proxy.answer_with(GOOD, &document());
    }
    assert_eq!(proxy.reason(0, &good()), "allowed");
    // One that is good for ten minutes, and the other's, ever further apart.
    let most = 12 * fetching(2);
    assert!(
        proxy.fetched.len() < most,
        "{} fetches",
        proxy.fetched.len()
    );
}

#[test]
fn discovery_asks_the_issuer_and_follows_it_only_where_the_configuration_allows() {
    let metadata = |issuer: &str, jwks: &str| {
        json!({"issuer": issuer, "jwks_uri": jwks})
            .to_string()
            .into_bytes()
    };
    let here = "https://idp.example";
    let cases = [
        (metadata(here, "https://idp.example/keys"), Some("idp")),
        (metadata(here, "https://keys.example/keys"), Some("keys")),
        (
            metadata("https://other.example", "https://idp.example/keys"),
            None,
        ),
        (metadata(here, "https://evil.example/keys"), None),
        (metadata(here, "http://idp.example/keys"), None),
        (b"{}".to_vec(), None),
    ];
    for (metadata, cluster) in cases {
        let keys = json!({"cluster": "idp", "authorities": {"keys.example": "keys"}});
        let mut proxy = Proxy::new(2, &configured(json!({"discovery": keys})));
        proxy.pass(200);
        proxy.answer(|call| match call.path.as_str() {
            "/.well-known/openid-configuration" => (GOOD.to_vec(), metadata.clone()),
            "/keys" => (GOOD.to_vec(), document()),
            other => panic!("{other}"),
        });
        let expected = if cluster.is_some() { 2 } else { 1 };
        assert_eq!(proxy.fetched.len(), expected * fetching(2));
        if let Some(cluster) = cluster {
            assert_eq!(proxy.fetched[1].cluster, cluster);
            assert_eq!(proxy.reason(0, &good()), "allowed");
        }
    }
}

#[test]
fn an_authorization_server_without_openid_is_found_by_rfc_8414() {
    let mut proxy = Proxy::new(1, &configured(json!({"discovery": {"cluster": "idp"}})));
    proxy.pass(200);
    proxy.answer(|call| match call.path.as_str() {
        "/.well-known/openid-configuration" => (vec![(":status", "404")], vec![]),
        "/.well-known/oauth-authorization-server" => {
            let uris =
                json!({"issuer": "https://idp.example", "jwks_uri": "https://idp.example/keys"});
            (GOOD.to_vec(), uris.to_string().into_bytes())
        }
        _ => (GOOD.to_vec(), document()),
    });
    assert_eq!(proxy.fetched.len(), 3);
    assert_eq!(proxy.reason(0, &good()), "allowed");
}

#[test]
fn what_another_plugin_writes_is_never_taken_for_keys() {
    apart!(LOOKS: what_another_plugin_writes_is_never_taken_for_keys);
    let mut proxy = Proxy::new(2, &configured(json!({"remote": remote(json!({}))})));
    proxy.pass(200);
    for key in proxy.shared.keys() {
        proxy.shared.overwrite(&key, b"garbage");
    }
    proxy.pass(200);
    proxy.answer_with(GOOD, &document());
    proxy.pass(200);
    let set = proxy
        .shared
        .keys()
        .into_iter()
        .find(|key| key.ends_with(".set"))
        .unwrap();
    proxy.shared.overwrite(&set, &renamed("forged"));
    proxy.start(&configured(json!({"remote": remote(json!({}))})));
    proxy.pass(200);
    let host = proxy.request(&with_kid("forged"));
    assert!(
        matches!(proxy.stage(2, &host), Stage::Waiting(_)),
        "a new worker has no keys yet"
    );
    proxy.answer_with(GOOD, &document());
    proxy.pass(400);
    assert_eq!(proxy.reason(2, &good()), "allowed");
}

#[test]
fn a_rotation_reaches_every_worker_though_the_clock_jumped_back() {
    let mut proxy = Proxy::new(3, &configured(json!({"remote": remote(json!({}))})));
    proxy.pass(200);
    proxy.answer_with(GOOD, &document());
    proxy.pass(200);
    proxy.now = Now::from_secs(START - 7200);
    proxy.pass(200);
    proxy.answer_with(GOOD, &renamed("k2"));
    proxy.pass(200);
    let long = json!({"exp": START + 1_000_000, "iat": START - 7200});
    let token = signed(&json!({"alg": "EdDSA", "kid": "k2"}), &claims(long));
    for worker in 0..3 {
        assert_eq!(proxy.reason(worker, &token), "allowed", "{worker}");
    }
}

#[test]
fn a_token_of_withdrawn_keys_stays_out_though_versions_begin_anew() {
    apart!(LOOKS: a_token_of_withdrawn_keys_stays_out_though_versions_begin_anew);
    let configuration = configured(json!({"remote": remote(json!({"refresh": "60s"}))}));
    let mut proxy = Proxy::new(2, &configuration);
    proxy.pass(200);
    proxy.answer_with(GOOD, &document());
    proxy.pass(200);
    assert_eq!(proxy.reason(0, &good()), "allowed");
    // Another plugin wipes what is shared, so that the next set is version 1 or 2 again.
    for round in 0..2 {
        for key in proxy.shared.keys() {
            proxy.shared.overwrite(&key, b"");
        }
        proxy.start(&configuration);
        proxy.pass(200);
        proxy.answer_with(GOOD, &renamed(&format!("new-{round}")));
        proxy.pass(400);
        proxy.answer_with(GOOD, &renamed(&format!("new-{round}")));
        proxy.pass(200);
    }
    let host = proxy.request(&good());
    match proxy.stage(0, &host) {
        Stage::Decided(next, _) => assert_eq!(next, Next::Stop),
        Stage::Waiting(_) => {}
    }
}

#[test]
fn the_answer_of_a_worker_that_lost_its_lease_is_dropped() {
    apart!(FETCHES: the_answer_of_a_worker_that_lost_its_lease_is_dropped);
    let mut proxy = Proxy::new(2, &configured(json!({"remote": remote(json!({}))})));
    proxy.pass(200);
    let is_fetching = |worker: &Worker| !worker.root.calls().is_empty();
    let slow = proxy.workers.iter().position(is_fetching).unwrap();
    let other = 1 - slow;
    proxy.pass(3000);
    let calls = proxy.workers[other].root.calls().len();
    assert_eq!(calls, 1, "the lease was taken over");
    for (worker, document) in [(other, renamed("new")), (slow, document())] {
        proxy.answer_worker(worker, &document);
    }
    proxy.pass(200);
    for worker in 0..2 {
        assert_eq!(
            proxy.reason(worker, &with_kid("new")),
            "allowed",
            "{worker}"
        );
    }
}

#[test]
fn a_configuration_update_finds_the_keys_that_were_there() {
    apart!(FORGETS: a_configuration_update_finds_the_keys_that_were_there);
    let configuration = configured(json!({"remote": remote(json!({}))}));
    let mut proxy = Proxy::new(1, &configuration);
    proxy.pass(200);
    proxy.answer_with(GOOD, &document());
    let before = proxy.shared.keys();
    proxy.start(&configuration);
    assert_eq!(proxy.reason(1, &good()), "allowed");
    proxy.pass(1000);
    assert_eq!(proxy.workers[1].root.calls().len(), 0);
    assert_eq!(proxy.shared.keys(), before, "no key is added by an update");
}

#[test]
fn listeners_that_refresh_at_different_times_share_keys_and_keep_their_own_times() {
    apart!(FETCHES: listeners_that_refresh_at_different_times_share_keys_and_keep_their_own_times);
    let refreshed =
        |period: &str| configured(json!({"remote": remote(json!({"refresh": period}))}));
    let mut proxy = Proxy::new(0, &json!({}));
    proxy.start(&refreshed("600s"));
    proxy.pass(200);
    proxy.answer_with(GOOD, &document());
    proxy.start(&refreshed("60s"));
    assert_eq!(proxy.reason(1, &good()), "allowed");
    assert_eq!(proxy.fetched.len(), 1);
    for _ in 0..300 {
        proxy.pass(1000);
        proxy.answer_with(GOOD, &document());
        let age = proxy.keys(1, &good())["age_seconds"].as_u64().unwrap();
        assert!(age <= 60, "{age}");
    }
    assert!(proxy.fetched.len() <= 8, "{}", proxy.fetched.len());
}

#[test]
fn an_update_that_changes_the_period_fetches_at_once() {
    apart!(FORGETS: an_update_that_changes_the_period_fetches_at_once);
    let refreshed =
        |period: &str| configured(json!({"remote": remote(json!({"refresh": period}))}));
    let mut proxy = Proxy::new(0, &json!({}));
    proxy.start(&refreshed("600s"));
    proxy.pass(200);
    proxy.answer_with(GOOD, &document());
    proxy.start(&refreshed("600s"));
    proxy.pass(200);
    proxy.answer_with(GOOD, &document());
    assert_eq!(proxy.fetched.len(), 1);
    proxy.start(&refreshed("599s"));
    assert_eq!(proxy.reason(2, &good()), "allowed");
    proxy.pass(200);
    proxy.answer_with(GOOD, &document());
    assert_eq!(proxy.fetched.len(), 2);
}

#[test]
fn vms_of_different_configurations_keep_keys_of_their_own_fresh() {
    let configuration = configured(json!({"remote": remote(json!({"refresh": "60s"}))}));
    let mut proxy = Proxy::new(0, &json!({}));
    proxy.proxy.start(b"one", &configuration);
    proxy.proxy.start(b"other", &configuration);
    for _ in 0..300 {
        proxy.pass(1000);
        proxy.answer_with(GOOD, &document());
        for worker in 0..2 {
            let age = proxy.keys(worker, &good())["age_seconds"].as_u64().unwrap();
            assert!(age <= 61, "worker {worker}: {age}");
        }
    }
    assert!(
        (10..=14).contains(&proxy.fetched.len()),
        "{}",
        proxy.fetched.len()
    );
}

#[test]
fn a_set_that_one_listener_cannot_use_is_not_fetched_again_and_again() {
    let usable = configured(json!({"remote": remote(json!({}))}));
    let mut unusable = usable.clone();
    unusable["issuers"][0]["algorithms"] = json!(["RS256"]);
    let mut proxy = Proxy::new(1, &usable);
    proxy.start(&unusable);
    for _ in 0..600 {
        proxy.pass(200);
        proxy.answer_with(GOOD, &document());
    }
    assert_eq!(proxy.reason(0, &good()), "allowed");
    assert!(proxy.fetched.len() < 14, "{}", proxy.fetched.len());
}

#[test]
fn a_host_without_shared_data_fetches_in_each_worker() {
    let mut proxy = Proxy::new(0, &json!({}));
    for _ in 0..2 {
        let configuration = configured(json!({"remote": remote(json!({}))}));
        let root = MemoryHost::default();
        root.set_now(proxy.now);
        proxy.workers.push(Worker::start(root, b"", &configuration));
    }
    proxy.pass(200);
    proxy.answer_with(GOOD, &document());
    assert_eq!(proxy.fetched.len(), 2);
    assert_eq!(proxy.reason(0, &good()), "allowed");
    assert_eq!(proxy.reason(1, &good()), "allowed");
}

#[test]
fn workers_of_a_host_without_randomness_share_keys() {
    let mut proxy = Proxy::new(0, &json!({}));
    for _ in 0..2 {
        let configuration = configured(json!({"remote": remote(json!({}))}));
        let root = MemoryHost::with_shared(proxy.now, &proxy.shared);
        root.refuse(Call::Random);
        proxy.workers.push(Worker::start(root, b"", &configuration));
    }
    proxy.pass(200);
    proxy.answer_with(GOOD, &document());
    proxy.pass(200);
    assert_eq!(proxy.fetched.len(), fetching(2));
    for worker in 0..2 {
        assert_eq!(proxy.reason(worker, &good()), "allowed", "{worker}");
    }
}

#[test]
fn fetches_are_counted_by_result() {
    let mut proxy = Proxy::new(1, &configured(json!({"remote": remote(json!({}))})));
    proxy.pass(200);
    proxy.answer_with(&[(":status", "503")], b"");
    proxy.pass(1000);
    proxy.answer_with(GOOD, &document());
    proxy.pass(200);
    let metric = |name: &str| proxy.workers[0].root.metric(name);
    assert_eq!(metric("postern.keys.corp.fetches.status"), Some(1));
    assert_eq!(metric("postern.keys.corp.fetches.ok"), Some(1));
    assert_eq!(metric("postern.keys.corp.version"), Some(1));
}
