//! The bundles of trust domains over the in-memory host: fetched, followed, held and revoked.

// The same stories under Node, with the attribute its runner needs.
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use super::FLAVOUR;
use postern_core::gate::{Opened, Stage, Waiting};
use postern_core::host::{HttpCall, LogLevel};
use postern_testkit::memory::{Flavour, MemoryHost};
use serde_json::{Value, json};

use postern_testkit::spiffe::*;
use postern_testkit::stories::{START, at, settled};
use postern_testkit::workers::{Worker, Workers};

/// A proxy with workers that share data, and the one bundle endpoint they have.
struct Proxy(Workers);

impl Deref for Proxy {
    type Target = Workers;

    fn deref(&self) -> &Workers {
        &self.0
    }
}

impl DerefMut for Proxy {
    fn deref_mut(&mut self) -> &mut Workers {
        &mut self.0
    }
}

type Fields = &'static [(&'static str, &'static str)];

const GOOD: Fields = &[(":status", "200")];
const DOWN: Fields = &[(":status", "503")];

/// `prod.example` with a bundle endpoint.
fn fetched(more: Value) -> Value {
    let remote = json!({"cluster": "spire", "uri": "https://spire.example/bundle"});
    let mut domain = prod(json!({}));
    domain["jwt_svid"]["bundle"] = json!({"remote": merged(remote, more)});
    configured(json!([domain]), plain())
}

/// A bundle document of that `spiffe_sequence`.
fn numbered(sequence: u64, keys: &[Key]) -> Vec<u8> {
    let document = merged(bundle(keys), json!({"spiffe_sequence": sequence}));
    document.to_string().into_bytes()
}

/// A JWT-SVID of `JOBS` that outlives every story.
fn long(key: Key) -> Sender {
    nobody().with(key.svid(json!({}), json!({"exp": START + 1_000_000})))
}

impl Proxy {
    fn new(workers: usize, configuration: &Value) -> Self {
        let mut proxy = Self(Workers::new(at(0), FLAVOUR));
        for _ in 0..workers {
            proxy.start(configuration);
        }
        proxy
    }

    /// A proxy whose workers have this bundle.
    fn with_bundle(workers: usize, configuration: &Value, bundle: &[u8]) -> Self {
        let mut proxy = Self::new(workers, configuration);
        proxy.pass(200);
        proxy.answer(GOOD, bundle);
        proxy.pass(200);
        proxy
    }

    fn start(&mut self, configuration: &Value) {
        self.0.start(b"", configuration);
    }

    fn answer(&mut self, fields: Fields, body: &[u8]) {
        for worker in &mut self.workers {
            worker.answer(fields, body);
        }
    }

    /// Lets `secs` pass while the endpoint answers every call with this.
    fn pass_answered(&mut self, secs: u64, fields: Fields, body: &[u8]) {
        for _ in 0..secs * 5 {
            self.pass(200);
            self.answer(fields, body);
        }
    }

    /// Lets time pass until the endpoint is asked again, and answers with this; every worker then
    /// has time to take it up.
    fn refresh(&mut self, fields: Fields, body: &[u8]) {
        let calls = self.calls().len();
        while self.calls().len() == calls {
            self.pass(200);
            assert!(self.now < at(100_000), "nobody asks");
        }
        self.answer(fields, body);
        self.pass(200);
    }

    /// Lets another plugin overwrite what the workers share.
    fn lose_shared_data(&self) {
        for key in self.shared.keys() {
            self.shared.overwrite(&key, b"");
        }
    }

    /// Every call that reached the endpoint.
    fn calls(&self) -> Vec<HttpCall> {
        let calls = self.workers.iter().map(|worker| worker.root.calls());
        calls.flatten().collect()
    }

    fn request(&self, sender: &Sender) -> MemoryHost {
        self.joined(sender.request("/open"))
    }

    fn stage(&self, worker: usize, host: &MemoryHost) -> Stage {
        Opened::new(Rc::clone(&self.workers[worker].gate)).headers(host)
    }

    /// What the upstream gets of `x-forwarded-client-cert` on a public route.
    fn left(&self, worker: usize, sender: &Sender) -> Vec<String> {
        let host = self.joined(sender.request("/public"));
        Answer::of(&self.workers[worker].gate, host).seen(XFCC)
    }

    /// A request that is decided at once.
    fn ask(&self, worker: usize, sender: &Sender) -> Answer {
        let host = self.request(sender);
        match self.stage(worker, &host) {
            Stage::Decided(next, decided) => Answer::end(next, *decided, host),
            Stage::Waiting(_) => panic!("held"),
        }
    }

    /// A request that is held.
    fn hold(&self, worker: usize, sender: &Sender) -> (Waiting, MemoryHost) {
        let host = self.request(sender);
        match self.stage(worker, &host) {
            Stage::Waiting(waiting) => (*waiting, host),
            Stage::Decided(..) => panic!("decided: {:?}", host.replies()),
        }
    }

    /// The end of a request that was held.
    fn resume(&self, (waiting, host): (Waiting, MemoryHost)) -> Answer {
        assert!(waiting.is_ready(self.now));
        host.set_now(self.now);
        let (next, decided) = settled(waiting.resume(&host));
        Answer::end(next, decided, host)
    }

    /// What the workers counted under a name of the domain's bundle.
    fn metric(&self, name: &str) -> i64 {
        let name = format!("postern.bundles.prod.example.{name}");
        let workers = self.workers.iter();
        workers.filter_map(|worker| worker.root.metric(&name)).sum()
    }

    fn logged(&self) -> Vec<(LogLevel, String)> {
        let logged = self.workers.iter().map(|worker| worker.root.logged());
        logged.flatten().collect()
    }

    fn assert_everywhere(&self, sender: &Sender, expected: Result<&str, &str>, keys: &Value) {
        for worker in 0..self.workers.len() {
            let answer = self.ask(worker, sender);
            assert_eq!(answer.outcome(), expected, "{worker}");
            let found = answer.unmapped("keys");
            for (name, expected) in keys.as_object().unwrap() {
                assert_eq!(&found[name], expected, "{worker}");
            }
        }
    }
}

#[test]
fn one_worker_fetches_the_bundle_and_all_have_it() {
    apart!(FETCHES: one_worker_fetches_the_bundle_and_all_have_it);
    let mut proxy = Proxy::new(3, &fetched(json!({})));
    proxy.pass(1000);
    proxy.answer(GOOD, &numbered(1, &[P1]));
    proxy.pass(200);
    let [call] = &proxy.calls()[..] else {
        panic!("{:?}", proxy.calls());
    };
    assert_eq!(
        [&*call.cluster, &call.scheme, &call.authority, &call.path],
        ["spire", "https", "spire.example", "/bundle"]
    );
    proxy.assert_everywhere(
        &long(P1),
        Ok(JOBS),
        &json!({"version": 1, "age_seconds": 0}),
    );
    assert_eq!(proxy.metric("fetches.ok"), 1);
    assert_eq!(proxy.metric("version"), 3, "1 a worker");
    let line = "keys of \"spiffe://prod.example\": version 1 is in force";
    assert_eq!(proxy.logged(), [(LogLevel::Info, line.to_owned())]);
}

#[test]
fn an_svid_is_held_until_the_first_bundle_and_nothing_else_is() {
    let mut proxy = Proxy::new(2, &fetched(json!({})));
    let held = [(0, long(P1)), (1, long(P1)), (0, of(JOBS)), (1, of(JOBS))]
        .map(|(worker, sender)| proxy.hold(worker, &sender));
    proxy.assert_everywhere(&nobody().with(corp()), Ok(CORP), &json!({}));
    proxy.pass(200);
    assert!(held.iter().all(|(waiting, _)| !waiting.is_ready(proxy.now)));
    proxy.answer(GOOD, &numbered(1, &[P1]));
    proxy.pass(200);
    for held in held {
        assert_eq!(proxy.resume(held).outcome(), Ok(JOBS));
    }
}

#[test]
fn an_svid_that_waited_in_vain_gets_503() {
    let mut proxy = Proxy::new(1, &fetched(json!({"wait": "1s"})));
    let held = proxy.hold(0, &long(P1));
    let by_certificate = proxy.hold(0, &of(JOBS));
    proxy.pass_answered(1, DOWN, b"");
    let answer = proxy.resume(by_certificate);
    assert_eq!(answer.outcome(), Err("keys_unavailable"));
    let answer = proxy.resume(held);
    assert_eq!(answer.outcome(), Err("keys_unavailable"));
    assert_eq!(answer.host.replies()[0].status, 503);
    assert_eq!(
        answer.unmapped("keys"),
        &json!({"version": 0, "age_seconds": 0, "failure": "status"})
    );
}

/// Who forwards a certificate, of which or of whom the bundle of `prod.example` must be known, and
/// whose request that is; and the same proxy alone.
fn proxied(more: &Value) -> [(Value, Sender, Result<&'static str, &'static str>); 3] {
    let mut by_address = fetched(more.clone());
    let prod = &mut by_address["trust_domains"][0];
    prod["x509_svid"] = json!({"from": "either"});
    prod["xfcc"] = by_network();
    // The proxy is of the domain, and its caller is not.
    let mut between = fetched(more.clone());
    let theirs = other(json!({"x509_svid": {"from": "xfcc"}, "xfcc": by_name()}));
    let domains = between["trust_domains"].as_array_mut().unwrap();
    domains.push(theirs);
    let forwarded = of(INGRESS).forwarding(element(ELSEWHERE));
    [
        (by_address, nobody().forwarding(element(JOBS)), Ok(JOBS)),
        (between.clone(), forwarded, Ok(ELSEWHERE)),
        (between, of(INGRESS), Err("credential_missing")),
    ]
}

#[test]
fn what_a_proxy_forwards_is_held_for_the_first_bundle_too() {
    for (configuration, sender, expected) in proxied(&json!({})) {
        let mut proxy = Proxy::new(2, &configuration);
        let held = [0, 1].map(|worker| proxy.hold(worker, &sender));
        assert_eq!(proxy.left(0, &sender), [""; 0]);
        proxy.pass(200);
        assert!(held.iter().all(|(waiting, _)| !waiting.is_ready(proxy.now)));
        proxy.answer(GOOD, &numbered(1, &[P1]));
        proxy.pass(200);
        for held in held {
            let answer = proxy.resume(held);
            assert_eq!(answer.outcome(), expected);
            assert_eq!(answer.seen(XFCC).is_empty(), expected.is_err());
        }
    }
    for (configuration, sender, _) in proxied(&json!({"wait": "1s"})) {
        let mut proxy = Proxy::new(1, &configuration);
        let held = proxy.hold(0, &sender);
        proxy.pass_answered(1, DOWN, b"");
        let answer = proxy.resume(held);
        assert_eq!(answer.outcome(), Err("keys_unavailable"));
        assert_eq!(answer.host.replies()[0].status, 503);
        assert_eq!(proxy.left(0, &sender), [""; 0]);
    }
}

#[test]
fn what_a_proxy_forwards_is_believed_until_max_stale_and_not_once_it_is_revoked() {
    let periods = json!({"refresh": "60s", "max_stale": "120s"});
    for (configuration, sender, expected) in proxied(&periods) {
        let mut proxy = Proxy::with_bundle(2, &configuration, &numbered(1, &[P1]));
        let comes_to = |proxy: &Proxy, expected: Result<&str, &str>| {
            proxy.assert_everywhere(&sender, expected, &json!({}));
            let kept = sender.fields.iter().filter(|_| expected.is_ok());
            let kept: Vec<String> = kept.map(|(_, value)| value.clone()).collect();
            assert_eq!(proxy.left(0, &sender), kept);
        };
        proxy.pass_answered(118, DOWN, b"");
        comes_to(&proxy, expected);
        proxy.pass_answered(4, DOWN, b"");
        comes_to(&proxy, Err("keys_unavailable"));
        proxy.pass_answered(61, GOOD, &numbered(1, &[P1]));
        comes_to(&proxy, expected);
        proxy.refresh(GOOD, &numbered(2, &[]));
        comes_to(&proxy, Err("svid_invalid"));
    }
}

#[test]
fn a_bundle_does_not_give_way_to_an_older_one() {
    apart!(FETCHES: a_bundle_does_not_give_way_to_an_older_one);
    let configuration = fetched(json!({"refresh": "60s"}));
    let older = numbered(4, &[P2]);
    let unnumbered = bundle(&[P2]).to_string().into_bytes();
    for (document, why) in [
        (older, "spiffe_sequence went back from 5 to 4"),
        (unnumbered, "spiffe_sequence was 5 and is gone"),
    ] {
        let mut proxy = Proxy::with_bundle(2, &configuration, &numbered(5, &[P1]));
        proxy.refresh(GOOD, &document);
        let keys = json!({"version": 1, "failure": "sequence_rollback"});
        proxy.assert_everywhere(&long(P1), Ok(JOBS), &keys);
        assert_eq!(proxy.metric("fetches.sequence_rollback"), 1);
        assert_eq!(proxy.metric("fetches.ok"), 1);
        let line = format!("keys of \"spiffe://prod.example\" were not fetched: {why}");
        assert_eq!(proxy.logged().pop(), Some((LogLevel::Warn, line)));
        // The same number is taken again, and the next.
        for (sequence, key, withdrawn) in [(5, P2, P1), (6, P1, P2)] {
            proxy.refresh(GOOD, &numbered(sequence, &[key]));
            proxy.assert_everywhere(&long(key), Ok(JOBS), &json!({"failure": null}));
            proxy.pass(30_000);
            let held = proxy.hold(0, &long(withdrawn));
            proxy.refresh(GOOD, &numbered(sequence, &[key]));
            assert_eq!(proxy.resume(held).outcome(), Err("key_unknown"));
        }
    }
}

#[test]
fn an_endpoint_that_has_only_older_bundles_is_as_good_as_none() {
    let configuration = fetched(json!({"refresh": "60s", "max_stale": "120s"}));
    let mut proxy = Proxy::with_bundle(2, &configuration, &numbered(5, &[P1]));
    let older = numbered(4, &[P1, P2]);
    proxy.pass_answered(118, GOOD, &older);
    proxy.assert_everywhere(&long(P1), Ok(JOBS), &json!({"version": 1}));
    proxy.pass_answered(4, GOOD, &older);
    proxy.assert_everywhere(&long(P1), Err("keys_unavailable"), &json!({"version": 1}));
    proxy.pass_answered(61, GOOD, &numbered(5, &[P1]));
    proxy.assert_everywhere(&long(P1), Ok(JOBS), &json!({"failure": null}));
}

/// Two listeners that fetch at times of their own and share what is published, both of which have
/// asked.
fn asked_by_two() -> Proxy {
    let mut proxy = Proxy::new(1, &fetched(json!({"refresh": "600s"})));
    proxy.start(&fetched(json!({"refresh": "60s"})));
    proxy.pass(200);
    assert!(proxy.workers.iter().all(Worker::has_called));
    proxy
}

#[test]
fn what_was_published_is_not_rolled_back_by_a_worker_that_has_not_seen_it() {
    apart!(FETCHES: what_was_published_is_not_rolled_back_by_a_worker_that_has_not_seen_it);
    let mut proxy = asked_by_two();
    proxy.workers[0].answer(GOOD, &numbered(5, &[P1]));
    proxy.workers[1].answer(GOOD, &numbered(4, &[P2]));
    assert_eq!(proxy.metric("fetches.ok"), 1);
    assert_eq!(proxy.metric("fetches.sequence_rollback"), 1);
    let why =
        "keys of \"spiffe://prod.example\" were not fetched: spiffe_sequence went back from 5 to 4";
    assert_eq!(
        proxy.workers[1].root.logged(),
        [(LogLevel::Warn, why.to_owned())]
    );
    let sees = |proxy: &Proxy, worker| {
        let answer = proxy.ask(worker, &long(P1));
        assert_eq!(answer.outcome(), Ok(JOBS), "{worker}");
        assert_eq!(answer.unmapped("keys")["version"], 1, "{worker}");
    };
    sees(&proxy, 0);
    proxy.start(&fetched(json!({"refresh": "600s"})));
    proxy.start(&fetched(json!({"refresh": "60s"})));
    proxy.pass(200);
    for worker in [0, 2, 3] {
        sees(&proxy, worker);
    }
    proxy.pass_answered(10, GOOD, &numbered(5, &[P1]));
    (0..4).for_each(|worker| sees(&proxy, worker));
}

#[test]
fn a_worker_whose_own_fetches_fail_takes_up_what_another_published() {
    apart!(FETCHES: a_worker_whose_own_fetches_fail_takes_up_what_another_published);
    let older = numbered(4, &[P2]);
    for (fields, body) in [(GOOD, &older[..]), (DOWN, b"")] {
        let mut proxy = asked_by_two();
        proxy.workers[0].answer(GOOD, &numbered(5, &[P1]));
        proxy.pass_answered(60, fields, body);
        proxy.assert_everywhere(&long(P1), Ok(JOBS), &json!({"version": 1}));
    }
}

#[test]
fn what_a_worker_has_is_not_rolled_back_though_shared_data_was_lost() {
    let configuration = fetched(json!({"refresh": "60s"}));
    let older = numbered(4, &[P2]);
    let mut proxy = Proxy::with_bundle(1, &configuration, &numbered(5, &[P1]));
    proxy.lose_shared_data();
    proxy.refresh(GOOD, &older);
    let keys = json!({"version": 1, "failure": "sequence_rollback"});
    proxy.assert_everywhere(&long(P1), Ok(JOBS), &keys);
    // A new worker knows no better, and has what it fetched to itself.
    proxy.lose_shared_data();
    proxy.start(&configuration);
    proxy.workers.swap(0, 1);
    for _ in 0..3 {
        proxy.refresh(GOOD, &older);
    }
    assert_eq!(proxy.ask(0, &long(P2)).outcome(), Ok(JOBS));
    assert_eq!(proxy.ask(1, &long(P1)).outcome(), Ok(JOBS));
    proxy.refresh(GOOD, &numbered(6, &[P2]));
    proxy.assert_everywhere(&long(P2), Ok(JOBS), &json!({"failure": null}));
}

#[test]
fn a_bundles_number_outlives_a_configuration_update() {
    apart!(FORGETS: a_bundles_number_outlives_a_configuration_update);
    let configuration = fetched(json!({"refresh": "60s"}));
    let mut proxy = Proxy::with_bundle(1, &configuration, &numbered(5, &[P1]));
    proxy.start(&configuration);
    proxy.workers.remove(0);
    assert_eq!(proxy.ask(0, &long(P1)).outcome(), Ok(JOBS));
    proxy.refresh(GOOD, &numbered(4, &[P2]));
    let keys = json!({"version": 1, "failure": "sequence_rollback"});
    proxy.assert_everywhere(&long(P1), Ok(JOBS), &keys);
    assert_eq!(proxy.metric("fetches.sequence_rollback"), 1);
    proxy.refresh(GOOD, &numbered(6, &[P2]));
    proxy.assert_everywhere(&long(P2), Ok(JOBS), &json!({"version": 2}));
}

#[test]
fn an_empty_bundle_revokes_on_every_worker_what_was_remembered() {
    for (sequence, revoked) in [
        ("numbered", numbered(2, &[])),
        ("unnumbered", br#"{"keys": []}"#.to_vec()),
    ] {
        let configuration = fetched(json!({"refresh": "60s"}));
        let mut proxy = Proxy::with_bundle(3, &configuration, &numbered(1, &[P1]));
        for _ in 0..2 {
            for sender in [long(P1), of(JOBS)] {
                proxy.assert_everywhere(&sender, Ok(JOBS), &json!({}));
            }
        }
        proxy.refresh(GOOD, &revoked);
        for sender in [long(P1), of(JOBS), of(API)] {
            proxy.assert_everywhere(&sender, Err("svid_invalid"), &json!({}));
            let answer = proxy.ask(0, &sender);
            assert_eq!(
                answer.message(),
                "The trust domain prod.example has revoked all its keys.",
                "{sequence}"
            );
        }
        let line = "keys of \"spiffe://prod.example\": version 2 is in force, which revokes the whole trust domain";
        assert_eq!(
            proxy.logged().pop(),
            Some((LogLevel::Info, line.to_owned()))
        );
        proxy.refresh(GOOD, &numbered(3, &[P2]));
        for sender in [long(P2), of(JOBS)] {
            proxy.assert_everywhere(&sender, Ok(JOBS), &json!({}));
        }
    }
}

#[test]
fn a_revocation_without_a_number_brings_no_older_bundle_back() {
    let configuration = fetched(json!({"refresh": "60s"}));
    let mut proxy = Proxy::with_bundle(2, &configuration, &numbered(5, &[P2]));
    proxy.refresh(GOOD, br#"{"keys": []}"#);
    proxy.assert_everywhere(&long(P2), Err("svid_invalid"), &json!({"version": 2}));
    proxy.refresh(GOOD, &numbered(4, &[P1]));
    proxy.assert_everywhere(&long(P1), Err("svid_invalid"), &json!({"version": 2}));
    proxy.assert_everywhere(&of(JOBS), Err("svid_invalid"), &json!({}));
    proxy.refresh(GOOD, &numbered(6, &[P1]));
    proxy.assert_everywhere(&long(P1), Ok(JOBS), &json!({"version": 3}));
}

#[test]
fn a_revocation_outlives_a_configuration_update() {
    apart!(FORGETS: a_revocation_outlives_a_configuration_update);
    let configuration = fetched(json!({"refresh": "60s"}));
    for sender in [long(P1), of(JOBS)] {
        let mut proxy = Proxy::with_bundle(1, &configuration, &numbered(1, &[]));
        proxy.start(&configuration);
        // Before the new worker's first tick, and behind it.
        for _ in 0..2 {
            proxy.assert_everywhere(&sender, Err("svid_invalid"), &json!({}));
            proxy.pass(200);
        }
    }
}

#[test]
fn an_empty_bundle_that_is_older_revokes_nothing() {
    apart!(FETCHES: an_empty_bundle_that_is_older_revokes_nothing);
    let configuration = fetched(json!({"refresh": "60s"}));
    let mut proxy = Proxy::with_bundle(2, &configuration, &numbered(5, &[P1]));
    proxy.refresh(GOOD, &numbered(4, &[]));
    for sender in [long(P1), of(JOBS)] {
        proxy.assert_everywhere(&sender, Ok(JOBS), &json!({}));
    }
    assert_eq!(proxy.metric("fetches.sequence_rollback"), 1);
}

#[test]
fn nobody_of_a_revoked_domain_comes_back_though_nothing_else_is_heard() {
    let configuration = fetched(json!({"refresh": "60s", "max_stale": "120s"}));
    let mut proxy = Proxy::with_bundle(2, &configuration, &numbered(1, &[]));
    proxy.assert_everywhere(&of(JOBS), Err("svid_invalid"), &json!({}));
    proxy.pass_answered(200, DOWN, b"");
    for sender in [long(P1), of(JOBS)] {
        proxy.assert_everywhere(&sender, Err("keys_unavailable"), &json!({}));
    }
}

#[test]
fn what_was_revoked_comes_back_with_a_higher_number_alone() {
    apart!(FORGETS: what_was_revoked_comes_back_with_a_higher_number_alone);
    let configuration = fetched(json!({"refresh": "60s"}));
    let mut proxy = Proxy::with_bundle(2, &configuration, &numbered(5, &[]));
    for _ in 0..2 {
        // On the workers that saw it, and on one that was not there.
        for keys in [&[P1][..], &[]] {
            proxy.refresh(GOOD, &numbered(5, keys));
            for sender in [long(P1), of(JOBS)] {
                proxy.assert_everywhere(&sender, Err("svid_invalid"), &json!({}));
            }
        }
        proxy.start(&configuration);
    }
    proxy.refresh(GOOD, &numbered(6, &[P1]));
    for sender in [long(P1), of(JOBS)] {
        proxy.assert_everywhere(&sender, Ok(JOBS), &json!({}));
    }
}

#[test]
fn what_was_revoked_is_not_brought_back_by_a_worker_that_has_not_seen_it() {
    apart!(FETCHES: what_was_revoked_is_not_brought_back_by_a_worker_that_has_not_seen_it);
    let mut proxy = asked_by_two();
    proxy.workers[0].answer(GOOD, &numbered(5, &[]));
    proxy.workers[1].answer(GOOD, &numbered(5, &[P1]));
    assert_eq!(proxy.metric("fetches.ok"), 1);
    assert_eq!(proxy.metric("fetches.sequence_rollback"), 1);
    proxy.start(&fetched(json!({"refresh": "600s"})));
    proxy.pass(200);
    proxy.assert_everywhere(&long(P1), Err("svid_invalid"), &json!({"version": 1}));
    proxy.assert_everywhere(&of(JOBS), Err("svid_invalid"), &json!({}));
}

#[test]
fn a_revocations_number_outlives_a_configuration_update() {
    apart!(FORGETS: a_revocations_number_outlives_a_configuration_update);
    let configuration = fetched(json!({"refresh": "60s"}));
    let mut proxy = Proxy::with_bundle(2, &configuration, &numbered(5, &[]));
    // The same word again is no step back.
    proxy.refresh(GOOD, &numbered(5, &[]));
    assert_eq!(proxy.metric("fetches.ok"), 2);
    assert_eq!(proxy.metric("fetches.sequence_rollback"), 0);
    proxy.assert_everywhere(&long(P1), Err("svid_invalid"), &json!({"failure": null}));
    for _ in 0..2 {
        // None of those that saw it is left.
        proxy.start(&configuration);
        proxy.start(&configuration);
        proxy.workers.drain(..2);
        proxy.refresh(GOOD, &numbered(5, &[P1]));
        assert_eq!(proxy.metric("fetches.sequence_rollback"), 1);
        for sender in [long(P1), of(JOBS)] {
            proxy.assert_everywhere(&sender, Err("svid_invalid"), &json!({}));
        }
    }
    proxy.refresh(GOOD, &numbered(6, &[P1]));
    for sender in [long(P1), of(JOBS)] {
        proxy.assert_everywhere(&sender, Ok(JOBS), &json!({}));
    }
}

#[test]
fn a_bundles_hint_shortens_the_refresh_down_to_the_cooldown_and_never_lengthens_it() {
    const FRESH: Fields = &[(":status", "200"), ("cache-control", "max-age=60")];
    const FRESHER: Fields = &[(":status", "200"), ("cache-control", "max-age=300")];
    // In 601 s: the first fetch, and one a period of which up to a tenth is cut off.
    let cases = [
        (GOOD, Value::Null, 2..=2),
        (GOOD, json!(60), 11..=12),
        (GOOD, json!(1), 21..=23),
        (GOOD, json!(0), 21..=23),
        (GOOD, json!(100_000), 2..=2),
        (GOOD, json!(u64::MAX), 2..=2),
        (FRESHER, json!(60), 11..=12),
        (FRESH, json!(300), 11..=12),
    ];
    for (fields, hint, expected) in cases {
        let document = merged(bundle(&[P1]), json!({"spiffe_refresh_hint": hint}));
        let mut proxy = Proxy::new(1, &fetched(json!({})));
        proxy.pass_answered(601, fields, document.to_string().as_bytes());
        let calls = proxy.calls().len();
        assert!(expected.contains(&calls), "{hint}: {calls}");
        assert_eq!(proxy.ask(0, &long(P1)).outcome(), Ok(JOBS));
    }
}

#[test]
fn the_last_good_bundle_outlives_every_failure_until_max_stale() {
    let good = numbered(1, &[P1]);
    let failures: [(Fields, &[u8], &str); 9] = [
        (&[], b"", "no_answer"),
        (DOWN, b"", "status"),
        (GOOD, b"<html>", "not_json"),
        (GOOD, &good[..40], "not_json"),
        (GOOD, b"{}", "bad_bundle"),
        (GOOD, b"[]", "bad_bundle"),
        (GOOD, b"{\"keys\": {}}", "bad_bundle"),
        (
            GOOD,
            b"{\"keys\": [], \"spiffe_sequence\": \"2\"}",
            "bad_bundle",
        ),
        (
            GOOD,
            b"{\"keys\": [], \"spiffe_refresh_hint\": -1}",
            "bad_bundle",
        ),
    ];
    for (fields, body, code) in failures {
        let configuration = fetched(json!({"refresh": "60s", "max_stale": "120s"}));
        let mut proxy = Proxy::with_bundle(2, &configuration, &good);
        proxy.pass_answered(118, fields, body);
        let keys = json!({"version": 1, "failure": code});
        proxy.assert_everywhere(&long(P1), Ok(JOBS), &keys);
        // No word of the domain's revokes anything.
        proxy.assert_everywhere(&of(JOBS), Ok(JOBS), &json!({}));
        let fetches = proxy.metric(&format!("fetches.{code}"));
        let most = if FLAVOUR == Flavour::None { 24 } else { 12 };
        assert!((3..most).contains(&fetches), "{code}: {fetches}");
        proxy.pass_answered(4, fields, body);
        proxy.assert_everywhere(&long(P1), Err("keys_unavailable"), &keys);
        let answer = proxy.ask(0, &long(P1));
        assert_eq!(answer.host.replies()[0].status, 503);
        proxy.assert_everywhere(&of(JOBS), Err("keys_unavailable"), &json!({}));
        proxy.pass_answered(61, GOOD, &good);
        proxy.assert_everywhere(&long(P1), Ok(JOBS), &json!({"failure": null}));
    }
}

#[test]
fn an_unknown_key_causes_one_early_fetch_a_cooldown() {
    apart!(FETCHES: an_unknown_key_causes_one_early_fetch_a_cooldown);
    let mut proxy = Proxy::with_bundle(2, &fetched(json!({})), &numbered(1, &[P1]));
    let held = proxy.hold(1, &long(P2));
    proxy.refresh(GOOD, &numbered(2, &[P1, P2]));
    let answer = proxy.resume(held);
    assert_eq!(answer.outcome(), Ok(JOBS));
    assert_eq!(answer.unmapped("keys")["version"], 2);
    assert_eq!(proxy.calls().len(), 2);
    let forged = long(P2.named("p9"));
    for _ in 0..10 {
        proxy.assert_everywhere(&forged, Err("key_unknown"), &json!({}));
        proxy.pass(2000);
    }
    assert_eq!(proxy.calls().len(), 2);
    proxy.pass(10_000);
    let held = proxy.hold(0, &forged);
    proxy.refresh(GOOD, &numbered(2, &[P1, P2]));
    assert_eq!(proxy.resume(held).outcome(), Err("key_unknown"));
    assert_eq!(proxy.calls().len(), 3);
}

#[test]
fn a_remembered_jwt_svid_of_a_withdrawn_key_does_not_pass_after_a_refresh() {
    apart!(FETCHES: a_remembered_jwt_svid_of_a_withdrawn_key_does_not_pass_after_a_refresh);
    let configuration = fetched(json!({"refresh": "60s"}));
    let mut proxy = Proxy::with_bundle(2, &configuration, &numbered(1, &[P1]));
    proxy.assert_everywhere(&long(P1), Ok(JOBS), &json!({"version": 1}));
    let rotated = numbered(2, &[P2]);
    proxy.refresh(GOOD, &rotated);
    proxy.assert_everywhere(&long(P2), Ok(JOBS), &json!({"version": 2}));
    let held = proxy.hold(0, &long(P1));
    proxy.refresh(GOOD, &rotated);
    assert_eq!(proxy.resume(held).outcome(), Err("key_unknown"));
    proxy.assert_everywhere(&long(P1), Err("key_unknown"), &json!({"version": 2}));
}
