//! Stories of risk: how callers are scored by what they do, and what is done about it, over the
//! in-memory host.

// The same stories under Node, with the attribute its runner needs.
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::rc::Rc;
use std::time::Duration;

use super::FLAVOUR;
use postern_core::base::Now;
use postern_core::config::Config;
use postern_core::gate::{Gate, Next, Opened, Stage};
use postern_core::host::Property;
use postern_core::risk::profile::Profile;
use postern_core::risk::settings::{Number, Override, Settings};
use postern_testkit::memory::{Call, Flavour, MemoryHost, SharedData};
use postern_testkit::stories::{
    at, claims, configuration, events, headers, key_set, request, settled, signed, upstream,
};
use serde_json::{Value, json};

/// How the names of pages begin.
const PAGE: &str = "postern.risk.1.";

/// The workers of one proxy.
struct Proxy {
    shared: SharedData,
    workers: Vec<Rc<Gate>>,
}

/// A request, and how the upstream answers it.
#[derive(Clone)]
struct Ask {
    path: String,
    claims: Value,
    header: Value,
    network: u8,
    status: u16,
    bytes: u64,
    more: Vec<(&'static str, String)>,
    certificate: Option<&'static str>,
    refuses: Vec<Call>,
}

fn get(path: &str) -> Ask {
    Ask {
        path: path.to_owned(),
        claims: claims(json!({"iat": null, "exp": 99_999_999_999_u64})),
        header: json!({"alg": "EdDSA", "kid": "k1"}),
        network: 7,
        status: 200,
        bytes: 0,
        more: Vec::new(),
        certificate: None,
        refuses: Vec::new(),
    }
}

impl Ask {
    fn by(mut self, changes: Value) -> Self {
        over(&mut self.claims, changes);
        self
    }

    fn from(mut self, network: u8) -> Self {
        self.network = network;
        self
    }

    fn answered(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    fn with_field(mut self, name: &'static str, value: &str) -> Self {
        self.more.push((name, value.to_owned()));
        self
    }

    /// On a connection with the certificate whose digest is that byte again and again.
    fn with_certificate(mut self, byte: &'static str) -> Self {
        self.certificate = Some(byte);
        self
    }

    fn refusing(mut self, call: Call) -> Self {
        self.refuses.push(call);
        self
    }

    fn host(&self) -> MemoryHost {
        let token = (self.claims != Value::Null).then(|| signed(&self.header, &self.claims));
        let more: Vec<(&str, &str)> = self.more.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let host = request(&self.path, token.as_deref(), &more);
        let source = format!("192.0.{}.7:4711", self.network);
        host.set_property(Property::SourceAddress, source.as_bytes());
        let status = u64::from(self.status).to_le_bytes();
        host.set_property(Property::ResponseCode, &status);
        if let Some(byte) = self.certificate {
            let digest = byte.repeat(32);
            host.set_property(Property::PeerCertificateDigest, digest.as_bytes());
        }
        self.refuses.iter().for_each(|call| host.refuse(*call));
        host
    }
}

fn over(document: &mut Value, changes: Value) {
    if let Value::Object(changes) = changes {
        for (name, value) in changes {
            document[name] = value;
        }
    }
}

impl Proxy {
    fn new(workers: usize, configuration: &Value) -> Self {
        Self::within(SharedData::of(FLAVOUR), workers, configuration)
    }

    fn within(shared: SharedData, workers: usize, configuration: &Value) -> Self {
        let mut host = MemoryHost::default();
        host.share(&shared);
        let open = |_| {
            let config = Config::parse(configuration.to_string().as_bytes()).unwrap();
            Rc::new(Gate::open(config.settings, b"", &host))
        };
        Self {
            workers: (0..workers).map(open).collect(),
            shared,
        }
    }

    /// The same proxy after its configuration was updated.
    fn updated(&self, configuration: &Value) -> Self {
        Self::within(self.shared.clone(), self.workers.len(), configuration)
    }

    fn host(&self, ask: &Ask, now: Now) -> MemoryHost {
        let mut host = ask.host();
        host.set_now(now);
        host.share(&self.shared);
        host
    }

    /// A request's whole life.
    fn send(&self, worker: usize, ask: &Ask, now: Now) -> Answer {
        let host = self.host(ask, now);
        let (next, mut decided) = headers(&self.workers[worker], &host);
        decided.response_body(ask.bytes);
        decided.finish(&host);
        let event = events(&host).pop().unwrap();
        Answer { next, event, host }
    }

    fn ask(&self, ask: &Ask, secs: u64) -> Answer {
        self.send(0, ask, at(secs))
    }

    fn many(&self, times: usize, ask: &Ask, secs: u64) {
        (0..times).for_each(|_| drop(self.ask(ask, secs)));
    }

    /// Makes an identity known that has done nothing but this.
    fn warm(&self, ask: &Ask) {
        for secs in 0..=WARM {
            self.ask(ask, secs);
        }
    }

    fn tick(&self, worker: usize, now: Now) -> MemoryHost {
        let mut host = MemoryHost::default();
        host.set_now(now);
        host.share(&self.shared);
        self.workers[worker].tick(&host);
        host
    }

    fn pages(&self) -> Vec<Vec<u8>> {
        let shared = &self.shared;
        let keys = shared.keys().into_iter();
        keys.filter(|key| key.starts_with(PAGE))
            .map(|key| shared.bytes(&key).unwrap())
            .collect()
    }

    /// How many requests of each identity the pages know of.
    fn requests(&self) -> Vec<u32> {
        let pages = self.pages();
        let entries = pages.iter().flat_map(|page| page[1..].chunks_exact(256));
        entries
            .map(|entry| u32::from_le_bytes(entry[12..16].try_into().unwrap()))
            .collect()
    }
}

/// In how many seconds an identity is known, where a second teaches.
const WARM: u64 = 3;

struct Answer {
    next: Next,
    event: Value,
    host: MemoryHost,
}

impl Answer {
    fn reason(&self) -> &str {
        self.event["status_detail"].as_str().unwrap()
    }

    fn score(&self) -> Option<u64> {
        self.event.get("risk_score").and_then(Value::as_u64)
    }

    fn details(&self) -> &str {
        self.event["risk_details"].as_str().unwrap_or_default()
    }

    /// What the upstream is told of the score.
    fn told(&self) -> Option<String> {
        let headers = self.host.upstream_headers();
        upstream(&headers, "x-postern-risk").map(str::to_owned)
    }
}

fn judged(risk: Value) -> Value {
    let mut whole = configuration(json!([
        {"name": "items", "match": {"path": "/v1/items/{id}"}},
        {"name": "files", "match": {"path": "/files/{rest*}"}},
        {"name": "a", "match": {"path": "/a"}},
        {"name": "b", "match": {"path": "/b"}},
        {"name": "admin", "match": {"path": "/admin"}, "allow": {"scopes": {"all": ["admin"]}}},
        {"name": "others", "match": {"path": "/others"}, "allow": {"claims": [{"claim": "tier", "in": ["gold"]}]}},
        {"name": "when", "match": {"path": "/when"}, "when": [{"header": "x-why", "in": ["y"]}]},
        {"name": "short", "match": {"path": "/short"}, "when": [{"body_bytes_max": 10}]},
        {"name": "limited", "match": {"path": "/limited"}, "limits": ["per-client"]},
        {"name": "tried", "match": {"path": "/tried"}, "mode": "observe"},
        {"name": "free", "match": {"path": "/free"}, "public": true},
    ]));
    whole["limits"] =
        json!([{"name": "per-client", "key": ["client"], "rate": "6/1m", "burst": 3}]);
    if risk != Value::Null {
        whole["risk"] = risk;
    }
    whole
}

const SIGNALS: [&str; 10] = [
    "spread",
    "rate_shift",
    "volume_shift",
    "failures",
    "denials",
    "new_source",
    "source_fanout",
    "token_fanout",
    "new_route",
    "odd_hour",
];

/// Learns in seconds, and weighs one signal alone.
fn only(signal: &str, more: Value) -> Value {
    let mut signals = json!({});
    for other in SIGNALS {
        signals[other] = json!({"weight": u8::from(other == signal)});
    }
    over(&mut signals[signal], more);
    json!({"warm_up": 1, "learn_every": "1s", "signals": signals})
}

fn with(mut risk: Value, changes: Value) -> Value {
    over(&mut risk, changes);
    risk
}

/// A proxy on which only refusals weigh, and whoever is always refused scores 100.
fn strict(workers: usize, more: Value) -> Proxy {
    Proxy::new(workers, &strict_configuration(more))
}

fn strict_configuration(more: Value) -> Value {
    let risk = with(only("denials", json!({})), json!({"learn_every": "5m"}));
    judged(with(risk, more))
}

// Where it is asked for

#[test]
fn nobody_is_scored_where_nothing_is_said_of_risk() {
    let proxy = Proxy::new(1, &judged(Value::Null));
    assert!(!proxy.workers[0].needs_ticks());
    for number in 0..50 {
        let answer = proxy.ask(&get("/admin").with_field("x-postern-risk", "0"), number);
        assert_eq!((answer.reason(), answer.score()), ("scope_missing", None));
    }
    let answer = proxy.ask(&get("/a"), 50);
    assert_eq!((answer.reason(), answer.score()), ("allowed", None));
    assert_eq!((answer.told(), answer.details()), (None, ""));
    assert_eq!(proxy.pages().len(), 0);
}

#[test]
fn an_empty_section_scores_every_request_of_a_known_caller() {
    let proxy = Proxy::new(1, &judged(json!({})));
    assert!(proxy.workers[0].needs_ticks());
    for (path, reason) in [("/a", "allowed"), ("/admin", "scope_missing")] {
        let answer = proxy.ask(&get(path), 0);
        assert_eq!((answer.reason(), answer.score()), (reason, Some(0)));
        assert_eq!((answer.told(), answer.details()), (None, ""));
    }
    assert_eq!(proxy.ask(&get("/free"), 0).score(), None, "a public route");
}

#[test]
fn the_risk_that_a_caller_says_it_is_never_reaches_the_upstream() {
    for risk in [Value::Null, json!({})] {
        let proxy = Proxy::new(1, &judged(risk));
        for path in ["/a", "/free", "/tried"] {
            for name in ["x-postern-risk", "X-Postern-Risk", "x_postern_risk"] {
                let answer = proxy.ask(&get(path).with_field(name, "7"), 0);
                assert_eq!(answer.next, Next::Continue);
                let headers = answer.host.upstream_headers();
                assert_eq!(headers.all(name).count(), 0, "{path} {name}");
            }
        }
    }
}

// The order

#[test]
fn whoever_is_refused_for_something_else_is_told_that_and_it_counts() {
    let cases = [
        ("/admin", "scope_missing"),
        ("/others", "not_allowed"),
        ("/when", "context_denied"),
    ];
    for (path, expected) in cases {
        let proxy = strict(1, json!({}));
        for _ in 0..30 {
            assert_eq!(proxy.ask(&get(path), 0).reason(), expected);
        }
        let refused = proxy.ask(&get(path), 0);
        assert_eq!((refused.reason(), refused.score()), (expected, Some(100)));
        assert!(refused.details().starts_with("denials 1.00: "));
        assert_eq!(refused.told(), None);
        assert_eq!(proxy.ask(&get("/a"), 0).reason(), "risk_denied");
    }
}

#[test]
fn a_client_that_is_refused_as_such_is_told_that_and_it_counts() {
    let mut configuration = judged(only("denials", json!({})));
    configuration["clients"] = json!([{
        "name": "batch", "match": {"issuer": "corp", "client": "billing-batch"},
        "sources": ["192.0.7.0/24"],
    }]);
    let proxy = Proxy::new(1, &configuration);
    for _ in 0..30 {
        let answer = proxy.ask(&get("/a").from(8), 0);
        assert_eq!(answer.reason(), "source_not_allowed");
    }
    assert_eq!(proxy.ask(&get("/a"), 0).reason(), "risk_denied");
    let stranger = get("/a").by(json!({"client_id": "other", "sub": "other"}));
    for _ in 0..30 {
        assert_eq!(proxy.ask(&stranger, 0).reason(), "client_unregistered");
    }
    assert_eq!(proxy.ask(&stranger, 0).score(), Some(100));
}

#[test]
fn whoever_is_held_back_is_charged_for_nothing() {
    let proxy = strict(1, json!({}));
    proxy.many(30, &get("/admin"), 0);
    for _ in 0..30 {
        let answer = proxy.ask(&get("/limited"), 0);
        assert_eq!(answer.reason(), "risk_denied");
        assert_eq!(answer.event["unmapped"].get("limit"), None);
    }
    // Whoever else is of that client has its limit all to itself.
    let colleague = get("/limited").by(json!({"sub": "batch-8"}));
    for expected in ["allowed", "allowed", "allowed", "rate_limited"] {
        assert_eq!(proxy.ask(&colleague, 0).reason(), expected);
    }
}

#[test]
fn requests_that_are_not_authenticated_leave_nothing() {
    let proxy = Proxy::new(1, &judged(json!({})));
    let mut unsigned = get("/a");
    unsigned.claims = Value::Null;
    let cases = [
        unsigned.clone(),
        get("/a").by(json!({"exp": 1})),
        get("/a").by(json!({"aud": "other"})),
        get("/a").by(json!({"iss": "https://other.example"})),
        unsigned.with_field("authorization", "Bearer nonsense"),
        get("/nowhere"),
        get("/free"),
    ];
    for ask in &cases {
        let answer = proxy.ask(ask, 0);
        assert_eq!(answer.score(), None, "{}", answer.reason());
    }
    proxy.tick(0, at(10));
    assert_eq!(proxy.pages().len(), 0);
}

#[test]
fn a_thief_without_the_key_that_a_token_is_bound_to_does_its_owner_no_harm() {
    let bound = json!({"cnf": {"x5t#S256": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}});
    let mut configuration = judged(json!({"warm_up": 1, "learn_every": "1s"}));
    configuration["clients"] = json!([{
        "name": "batch", "match": {"issuer": "corp", "client": "billing-batch"},
        "sources": ["192.0.7.0/24", "192.0.8.0/24"],
    }]);
    let proxy = Proxy::new(1, &configuration);
    let owner = get("/a").by(bound.clone()).with_certificate("07");
    proxy.warm(&owner);
    for (network, expected) in [(8, "proof_missing"), (9, "source_not_allowed")] {
        let thief = get("/a").by(bound.clone()).from(network);
        for _ in 0..50 {
            let answer = proxy.ask(&thief, WARM + 1);
            assert_eq!((answer.reason(), answer.score()), (expected, None));
        }
        let other = thief.clone().with_certificate("08");
        proxy.many(50, &other, WARM + 1);
    }
    let answer = proxy.ask(&owner, WARM + 2);
    assert_eq!((answer.reason(), answer.score()), ("allowed", Some(0)));
}

#[test]
fn a_token_without_the_binding_that_its_client_needs_does_the_client_no_harm() {
    let mut configuration = judged(only("denials", json!({})));
    configuration["clients"] = json!([{
        "name": "batch", "match": {"issuer": "corp", "client": "billing-batch"}, "proof": "mtls",
    }]);
    let proxy = Proxy::new(1, &configuration);
    for _ in 0..50 {
        let answer = proxy.ask(&get("/a"), 0);
        assert_eq!((answer.reason(), answer.score()), ("proof_missing", None));
    }
    let bound = json!({"cnf": {"x5t#S256": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}});
    let owner = get("/a").by(bound).with_certificate("07");
    let answer = proxy.ask(&owner, 1);
    assert_eq!((answer.reason(), answer.score()), ("allowed", Some(0)));
}

// What is done

/// A score that grows with the share of refusals.
fn graded(actions: Value) -> Proxy {
    let range = json!({"start": 0, "full": 1, "at_least": 1});
    let risk = with(
        only("denials", range),
        json!({"actions": actions, "learn_every": "5m"}),
    );
    Proxy::new(1, &judged(risk))
}

/// Makes the next allowed request score about that much, out of a hundred that there were.
fn worth(proxy: &Proxy, score: usize) {
    proxy.many(99 - score, &get("/a"), 0);
    proxy.many(score, &get("/admin"), 0);
}

#[test]
fn the_upstream_is_told_from_the_first_action_on() {
    let actions = json!([{"at": 40, "do": "tag"}]);
    for (refused, told) in [(38, false), (39, false), (41, true), (60, true), (98, true)] {
        let proxy = graded(actions.clone());
        worth(&proxy, refused);
        let answer = proxy.ask(&get("/a"), 0);
        assert_eq!(answer.reason(), "allowed");
        let score = answer.score().unwrap();
        assert_eq!(score >= 40, told, "{score}");
        assert_eq!(answer.told(), told.then(|| score.to_string()));
        assert_eq!(!answer.details().is_empty(), told, "{}", answer.details());
    }
}

#[test]
fn whoever_is_denied_learns_nothing_of_the_score_where_details_stay_inside() {
    let mut configuration = judged(with(
        only("denials", json!({})),
        json!({"learn_every": "5m"}),
    ));
    configuration["responses"]["detail"] = json!("reason");
    let proxy = Proxy::new(1, &configuration);
    proxy.many(30, &get("/admin"), 0);
    let answer = proxy.ask(&get("/a"), 0);
    assert_eq!((answer.reason(), answer.next), ("risk_denied", Next::Stop));
    assert!(answer.details().starts_with("denials 1.00: "));
    let reply = answer.host.replies().pop().unwrap();
    assert_eq!(reply.status, 403);
    let text = format!("{:?} {}", reply.fields, reply.body);
    for inside in ["100", "97", "denials", "x-postern-risk"] {
        assert!(!text.contains(inside), "{text}");
    }
    assert_eq!(answer.told(), None);
}

#[test]
fn where_there_are_no_actions_nothing_is_ever_done() {
    let proxy = graded(json!([]));
    proxy.many(100, &get("/admin"), 0);
    for _ in 0..3 {
        let answer = proxy.ask(&get("/limited"), 0);
        assert_eq!(answer.reason(), "allowed");
        assert!(answer.score().unwrap() > 90);
        assert_eq!((answer.told(), answer.details()), (None, ""));
    }
}

#[test]
fn a_route_that_is_observed_lets_through_whoever_would_be_denied_and_says_so() {
    let proxy = strict(1, json!({}));
    proxy.many(30, &get("/admin"), 0);
    let answer = proxy.ask(&get("/tried"), 0);
    assert_eq!(
        (answer.reason(), answer.next),
        ("risk_denied", Next::Continue)
    );
    assert_eq!(answer.event["unmapped"]["mode"], "observe");
    assert!(answer.score().unwrap() >= 85 && !answer.details().is_empty());
    assert_eq!(answer.host.replies().len(), 0);
    assert_eq!(proxy.ask(&get("/a"), 0).reason(), "risk_denied");
}

fn slowed(limit: Value) -> Proxy {
    let range = json!({"start": 0, "full": 1, "at_least": 1});
    let actions = json!([{"at": 1, "do": "throttle", "factor": 4}]);
    let risk = with(
        only("denials", range),
        json!({"actions": actions, "learn_every": "5m"}),
    );
    let mut configuration = judged(risk);
    over(&mut configuration["limits"][0], limit);
    if configuration["limits"][0].get("quota").is_some() {
        let limit = configuration["limits"][0].as_object_mut().unwrap();
        limit.remove("rate");
        limit.remove("burst");
    }
    Proxy::new(1, &configuration)
}

/// How many of ten requests are let through, for a caller that is slowed down and one that is not.
fn let_through(limit: &Value, path: &str, bytes: u64) -> [usize; 2] {
    [true, false].map(|slow| {
        let proxy = slowed(limit.clone());
        if slow {
            proxy.many(50, &get("/admin"), 0);
        }
        let ask = get(path).with_bytes(bytes);
        let answers = (0..10).map(|_| proxy.ask(&ask, 0));
        answers
            .filter(|answer| answer.reason() == "allowed")
            .count()
    })
}

#[test]
fn whoever_is_slowed_down_pays_its_limits_several_times() {
    let cases = [
        (json!({"rate": "8/1m", "burst": 8}), "/limited", 0, [2, 8]),
        (json!({"rate": "6/1m", "burst": 3}), "/limited", 0, [1, 3]),
        (json!({"quota": "8/1h"}), "/limited", 0, [2, 8]),
        (json!({"quota": "2/1h"}), "/limited", 0, [1, 2]),
        (json!({"quota": "8/1h", "cost": 2}), "/limited", 0, [1, 4]),
        (
            json!({"quota": "8/1h", "cost": {"query": "n", "per": 10}}),
            "/limited?n=20",
            0,
            [1, 4],
        ),
        (
            json!({"quota": "8/1h", "cost": {"response_bytes": "1KiB"}}),
            "/limited",
            1024,
            [2, 8],
        ),
    ];
    for (limit, path, bytes, expected) in cases {
        assert_eq!(let_through(&limit, path, bytes), expected, "{limit}");
    }
}

#[test]
fn whoever_is_slowed_down_still_gets_through_when_the_limit_is_whole_again() {
    let proxy = slowed(json!({"rate": "6/1m", "burst": 3}));
    proxy.many(50, &get("/admin"), 0);
    assert_eq!(proxy.ask(&get("/limited"), 0).reason(), "allowed");
    assert_eq!(proxy.ask(&get("/limited"), 29).reason(), "rate_limited");
    let answer = proxy.ask(&get("/limited"), 30);
    assert_eq!(answer.reason(), "allowed");
    assert!(answer.told().is_some());
}

#[test]
fn what_is_done_is_counted() {
    let actions = json!([
        {"at": 30, "do": "tag"}, {"at": 60, "do": "throttle"}, {"at": 85, "do": "deny"},
    ]);
    for (refused, metric) in [(10, ""), (45, "tagged"), (70, "throttled"), (97, "denied")] {
        let proxy = graded(actions.clone());
        worth(&proxy, refused);
        let answer = proxy.ask(&get("/a"), 0);
        for name in ["tagged", "throttled", "denied"] {
            let counted = answer.host.metric(&format!("postern.risk.{name}"));
            let expected = (name == metric).then_some(1);
            assert_eq!(counted, expected, "{refused} {name}");
        }
    }
}

#[test]
fn what_is_refused_for_something_else_is_not_counted_as_held_back() {
    apart!(FORGETS: what_is_refused_for_something_else_is_not_counted_as_held_back);
    let proxy = strict(1, json!({}));
    proxy.many(30, &get("/admin"), 0);
    proxy.tick(0, at(1));
    // A new gate makes its metrics anew, of which a host in memory knows only its own request's.
    let proxy = proxy.updated(&strict_configuration(json!({})));
    let answer = proxy.ask(&get("/admin"), 1);
    assert_eq!(answer.reason(), "scope_missing");
    assert!(answer.score().unwrap() >= 85);
    for name in ["tagged", "throttled", "denied"] {
        assert_eq!(answer.host.metric(&format!("postern.risk.{name}")), None);
    }
}

// The signals

/// What the request scores that comes last, where that signal alone weighs.
fn scored(signal: &str, more: Value, story: impl Fn(&Proxy) -> Answer) -> u64 {
    let risk = with(
        only(signal, more),
        json!({"actions": [{"at": 1, "do": "tag"}]}),
    );
    let proxy = Proxy::new(1, &judged(risk));
    let answer = story(&proxy);
    assert_eq!(answer.reason(), "allowed", "{signal}");
    let score = answer.score().unwrap();
    let expected = format!("{signal} ");
    let named = answer.details().starts_with(&expected);
    assert_eq!(score > 0, named, "{signal}: {}", answer.details());
    score
}

#[test]
fn whoever_uses_many_different_resources_is_seen_however_new_it_is() {
    for (prefix, segments) in [("/v1/items/", 1), ("/files/", 1), ("/files/", 3)] {
        let spread = |many: u32| {
            let more = json!({"distinct": 40});
            scored("spread", more, |proxy| {
                let path = |number: u32| {
                    let segment = format!("x{number}");
                    format!("{prefix}{}", vec![segment; segments].join("/"))
                };
                (0..many).for_each(|number| drop(proxy.ask(&get(&path(number)), 0)));
                proxy.ask(&get(&path(0)), 0)
            })
        };
        assert_eq!(spread(5), 0);
        assert!((30..70).contains(&spread(40)), "{}", spread(40));
        assert!(spread(250) == 100, "{}", spread(250));
    }
}

#[test]
fn a_new_identity_that_touches_hundreds_of_resources_is_tagged_by_what_is_the_default() {
    let proxy = Proxy::new(1, &judged(json!({})));
    let item = |number: u32| get(&format!("/v1/items/{number}"));
    for number in 0..700 {
        proxy.ask(&item(number), 0);
    }
    let answer = proxy.ask(&item(0), 0);
    assert!(
        answer.score().unwrap() >= 30,
        "{answer:?}",
        answer = answer.event
    );
    assert!(answer.told().is_some());
    assert!(
        answer.details().starts_with("spread 0."),
        "{}",
        answer.details()
    );
}

#[test]
fn the_same_resource_again_and_again_is_one() {
    let score = scored("spread", json!({"distinct": 40}), |proxy| {
        proxy.many(500, &get("/v1/items/7"), 0);
        proxy.ask(&get("/v1/items/7"), 0)
    });
    assert_eq!(score, 0);
}

#[test]
fn requests_that_fail_upstream_are_seen() {
    let failed = |status: u16, times: usize| {
        scored("failures", json!({}), |proxy| {
            proxy.many(times, &get("/a").answered(status), 0);
            proxy.ask(&get("/a"), 0)
        })
    };
    assert_eq!(failed(404, 19), 0, "too few to say");
    assert_eq!(failed(404, 20), 100);
    assert_eq!(failed(401, 30), 100);
    assert_eq!(failed(200, 30), 0);
    let own = failed(503, 30);
    assert!((5..20).contains(&own), "the upstream's own fault: {own}");
    assert_eq!(failed(0, 30), 0, "nobody answered");
}

#[test]
fn a_request_that_is_held_back_says_nothing_of_how_requests_end() {
    let mut risk = only("denials", json!({}));
    risk["signals"]["failures"] = json!({"weight": 0.5});
    let proxy = Proxy::new(1, &judged(with(risk, json!({"learn_every": "5m"}))));
    proxy.many(30, &get("/admin").answered(403), 0);
    for secs in 1..50 {
        let answer = proxy.ask(&get("/a").answered(403), secs);
        assert_eq!(answer.reason(), "risk_denied");
        assert!(
            !answer.details().contains("failures"),
            "{}",
            answer.details()
        );
    }
}

#[test]
fn a_body_that_grows_too_long_does_not_hide_how_the_request_ended() {
    for signal in ["volume_shift", "failures"] {
        let score = scored(signal, json!({}), |proxy| {
            proxy.warm(&get("/a").with_bytes(100));
            for _ in 0..30 {
                let ask = get("/short").answered(404);
                let host = proxy.host(&ask, at(WARM + 1));
                let (next, mut decided) = headers(&proxy.workers[0], &host);
                assert_eq!(next, Next::Continue);
                decided.response_body(100_000_000);
                assert_eq!(decided.request_body(&host, 11), Next::Stop);
                decided.finish(&host);
            }
            proxy.ask(&get("/a"), WARM + 1)
        });
        assert!(score > 80, "{signal}: {score}");
    }
}

#[test]
fn a_network_a_route_and_an_hour_that_are_new_are_seen_once_the_identity_is_known() {
    let network = |known: u64, network: u8| {
        scored("new_source", json!({}), |proxy| {
            (0..=known).for_each(|secs| drop(proxy.ask(&get("/a"), secs)));
            proxy.ask(&get("/a").from(network), known + 1)
        })
    };
    assert_eq!(
        [network(WARM, 7), network(WARM, 8)],
        [0, 50],
        "the second of two"
    );
    assert_eq!(network(0, 8), 0, "nothing is new to whom nothing is old");
    let route = |path: &str| {
        scored("new_route", json!({}), |proxy| {
            proxy.warm(&get("/a"));
            proxy.ask(&get(path), WARM + 1)
        })
    };
    assert_eq!([route("/a"), route("/b")], [0, 50]);
    let hour = |hour: u64| {
        scored("odd_hour", json!({}), |proxy| {
            proxy.warm(&get("/a"));
            (1..6).for_each(|day| drop(proxy.ask(&get("/a"), day * 86_400)));
            proxy.ask(&get("/a"), 6 * 86_400 + hour * 3600)
        })
    };
    assert_eq!([hour(0), hour(1), hour(12)], [0, 0, 100]);
}

#[test]
fn a_token_that_is_used_from_two_networks_at_once_is_seen() {
    let fanout = |secs: u64, token: &str| {
        scored("token_fanout", json!({}), |proxy| {
            // A moment has sixteen seconds, and the stories begin with one.
            proxy.warm(&get("/a"));
            proxy.ask(&get("/a").from(8).by(json!({"jti": token})), secs);
            proxy.ask(&get("/a"), secs)
        })
    };
    assert_eq!(fanout(4, "t-1"), 100);
    assert_eq!(fanout(15, "t-1"), 100);
    assert_eq!(fanout(4, "t-2"), 0, "another token");
    assert_eq!(fanout(16, "t-1"), 100, "both in one moment again");
    let moved = scored("token_fanout", json!({}), |proxy| {
        proxy.warm(&get("/a"));
        proxy.ask(&get("/a").from(8), 100)
    });
    assert_eq!(moved, 63, "five eighths");
    let young = scored("token_fanout", json!({}), |proxy| {
        proxy.ask(&get("/a"), 0);
        proxy.ask(&get("/a").from(8), 0);
        proxy.ask(&get("/a"), 1)
    });
    assert_eq!(young, 0, "it is not known yet what is usual for it");
}

#[test]
fn a_token_sent_in_other_words_is_the_same_token() {
    let score = scored("token_fanout", json!({}), |proxy| {
        proxy.warm(&get("/a"));
        let mut other = get("/a").from(8);
        let token = signed(&other.header, &other.claims);
        other.claims = Value::Null;
        let field = format!("bearer  {token}");
        let other = other.with_field("authorization", &field);
        assert_eq!(proxy.ask(&other, 4).reason(), "allowed");
        proxy.ask(&get("/a"), 4)
    });
    assert_eq!(score, 100);
}

#[test]
fn far_more_bytes_and_requests_and_networks_than_ever_are_seen() {
    let volume = |bytes: u64| {
        scored("volume_shift", json!({}), |proxy| {
            proxy.warm(&get("/a").with_bytes(2_000_000));
            proxy.ask(&get("/a").with_bytes(bytes), WARM + 1);
            proxy.ask(&get("/a"), WARM + 1)
        })
    };
    assert_eq!([volume(2_000_000), volume(500_000_000)], [0, 100]);
    let rate = |times: usize| {
        scored("rate_shift", json!({}), |proxy| {
            proxy.warm(&get("/a"));
            proxy.many(times, &get("/a"), WARM + 1);
            proxy.ask(&get("/a"), WARM + 1)
        })
    };
    assert_eq!([rate(20), rate(150)], [0, 100]);
    let networks = |many: u8| {
        scored("source_fanout", json!({}), |proxy| {
            proxy.warm(&get("/a"));
            (0..many).for_each(|number| drop(proxy.ask(&get("/a").from(number), WARM + 1)));
            proxy.ask(&get("/a"), WARM + 1)
        })
    };
    assert_eq!([networks(5), networks(100)], [0, 100]);
}

// Time

#[test]
fn a_score_fades_by_the_half_life_and_then_its_caller_is_let_in_again() {
    for (half_life, seconds) in [("10m", 600), ("1m", 60), ("6h", 21_600)] {
        let risk = json!({"half_life": half_life, "actions": [{"at": 10, "do": "deny"}]});
        let proxy = Proxy::new(1, &judged(with(only("denials", json!({})), risk)));
        proxy.many(30, &get("/admin"), 0);
        // 100 is below 9.5 after 3.396 half-lives, but for what rounding takes.
        let ago = |share: u64| seconds * share / 1000;
        assert_eq!(proxy.ask(&get("/a"), 1).reason(), "risk_denied");
        assert_eq!(proxy.ask(&get("/a"), ago(3320)).reason(), "risk_denied");
        let answer = proxy.ask(&get("/a"), ago(3430));
        assert_eq!((answer.reason(), answer.score()), ("allowed", Some(9)));
        let answer = proxy.ask(&get("/a"), ago(9000));
        assert_eq!((answer.reason(), answer.score()), ("allowed", Some(0)));
    }
}

#[test]
fn a_clock_that_is_set_back_is_held_against_nobody() {
    let proxy = Proxy::new(2, &judged(json!({"warm_up": 1, "learn_every": "1s"})));
    let later = 10 * 3600;
    for secs in 0..=WARM {
        proxy.ask(&get("/a").with_bytes(1000), later + secs);
    }
    for worker in [0, 1, 0] {
        for secs in [0, 1, 2] {
            let ask = get("/a").with_bytes(1000);
            let answer = proxy.send(worker, &ask, at(later - 3600 + secs));
            assert_eq!((answer.reason(), answer.score()), ("allowed", Some(0)));
        }
    }
    // As if nothing had been: it is judged again.
    proxy.many(200, &get("/a"), later);
    assert!(proxy.ask(&get("/a"), later).score().unwrap() >= 60);
}

#[test]
fn a_clock_that_is_set_back_does_not_lift_a_denial() {
    let proxy = strict(1, json!({}));
    proxy.many(30, &get("/admin"), 7200);
    assert_eq!(proxy.ask(&get("/a"), 7201).reason(), "risk_denied");
    proxy.tick(0, at(7202));
    assert_eq!(proxy.ask(&get("/a"), 3600).reason(), "risk_denied");
    assert_eq!(proxy.ask(&get("/a"), 3601).reason(), "risk_denied");
    assert_eq!(proxy.ask(&get("/a"), 3600 + 6000).reason(), "allowed");
}

#[test]
fn a_clock_that_jumps_a_year_ahead_and_back_again_breaks_nothing() {
    const YEAR: u64 = 365 * 86_400;
    let proxy = Proxy::new(2, &judged(json!({"warm_up": 1, "learn_every": "1s"})));
    proxy.warm(&get("/a"));
    for secs in [YEAR, YEAR + 1, 10, 11, 2 * YEAR, 12, 13] {
        for worker in [0, 1] {
            let answer = proxy.send(worker, &get("/a"), at(secs));
            assert_eq!((answer.reason(), answer.score()), ("allowed", Some(0)));
        }
    }
    for now in [Now::default(), Now::MAX, at(20)] {
        proxy.send(0, &get("/a"), now);
        proxy.tick(0, now);
    }
    proxy.many(200, &get("/a"), 30);
    proxy.many(200, &get("/a"), 31);
}

// Several workers

fn millis(millis: u64) -> Now {
    at(0).after(Duration::from_millis(millis))
}

#[test]
fn what_one_worker_saw_the_others_know_when_the_interval_is_over() {
    apart!(LEARNS: what_one_worker_saw_the_others_know_when_the_interval_is_over);
    for by_tick in [true, false] {
        let proxy = strict(2, json!({}));
        proxy.send(1, &get("/a"), millis(0));
        for _ in 0..30 {
            proxy.send(0, &get("/admin"), millis(10));
        }
        assert_eq!(proxy.send(1, &get("/a"), millis(199)).reason(), "allowed");
        if by_tick {
            proxy.tick(0, millis(210));
        } else {
            // Of another caller: whoever comes by takes along what is due.
            let other = get("/a").by(json!({"sub": "other"}));
            proxy.send(0, &other, millis(210));
        }
        let answer = proxy.send(1, &get("/a"), millis(410));
        assert_eq!(answer.reason(), "risk_denied", "{by_tick}");
    }
}

#[test]
fn what_workers_saw_adds_up_exactly() {
    apart!(LOOKS: what_workers_saw_adds_up_exactly);
    let proxy = strict(3, json!({}));
    for round in 0..100 {
        for worker in 0..3 {
            proxy.send(worker, &get("/admin"), millis(round * 7));
        }
    }
    (0..3).for_each(|worker| drop(proxy.tick(worker, millis(2000))));
    assert_eq!(proxy.requests(), [300]);
    // None of them has anything left to tell.
    (0..3).for_each(|worker| drop(proxy.tick(worker, millis(4000))));
    assert_eq!(proxy.requests(), [300]);
}

#[test]
fn it_takes_what_both_workers_saw_to_be_enough() {
    apart!(LEARNS: it_takes_what_both_workers_saw_to_be_enough);
    for (of_each, denied) in [(9, false), (10, true)] {
        let enough = json!({"signals": only("denials", json!({"at_least": 20}))["signals"]});
        let proxy = strict(2, enough);
        for worker in [0, 1] {
            (0..of_each).for_each(|_| drop(proxy.send(worker, &get("/admin"), millis(10))));
        }
        proxy.tick(0, millis(300));
        proxy.tick(1, millis(300));
        let answer = proxy.send(0, &get("/a"), millis(600));
        assert_eq!(answer.reason() == "risk_denied", denied, "{of_each}");
    }
}

#[test]
fn a_worker_with_an_old_view_undoes_nothing() {
    apart!(LOOKS: a_worker_with_an_old_view_undoes_nothing);
    let proxy = strict(2, json!({}));
    proxy.send(1, &get("/a"), millis(0));
    for round in 1..20 {
        for _ in 0..5 {
            proxy.send(0, &get("/admin"), millis(round * 300));
        }
        proxy.tick(0, millis(round * 300 + 250));
    }
    // The other one has seen one request, long ago.
    proxy.tick(1, millis(6000));
    assert_eq!(proxy.requests(), [96]);
    assert_eq!(
        proxy.send(1, &get("/a"), millis(6000)).reason(),
        "risk_denied"
    );
}

#[test]
fn whichever_worker_sees_what_first_in_a_second_the_score_is_the_same() {
    let asks = [
        (0, get("/admin")),
        (1, get("/a").from(8)),
        (0, get("/v1/items/7").answered(404)),
        (1, get("/b").with_bytes(5_000_000)),
        (0, get("/a").from(9).by(json!({"jti": "t-2"}))),
        (1, get("/admin").from(9)),
    ];
    let story = |order: &[usize]| {
        let risk = json!({"warm_up": 1, "learn_every": "1s"});
        let proxy = Proxy::new(2, &judged(risk));
        proxy.warm(&get("/a"));
        for round in 0..5 {
            for place in order {
                let (worker, ask) = &asks[*place];
                proxy.send(*worker, ask, millis(10_000 + round));
            }
        }
        let workers = if order[0] == 0 { [0, 1] } else { [1, 0] };
        for worker in workers {
            proxy.tick(worker, millis(10_300));
        }
        (
            proxy.pages(),
            proxy.send(0, &get("/a"), millis(10_600)).score(),
        )
    };
    let expected = story(&[0, 1, 2, 3, 4, 5]);
    assert!(expected.1.unwrap() > 0);
    assert_eq!(story(&[5, 4, 3, 2, 1, 0]), expected);
    assert_eq!(story(&[3, 5, 1, 0, 2, 4]), expected);
}

// What is kept

#[test]
fn scores_survive_an_update_of_the_configuration() {
    apart!(FORGETS: scores_survive_an_update_of_the_configuration);
    let proxy = strict(2, json!({}));
    proxy.many(30, &get("/admin"), 0);
    proxy.tick(0, at(1));
    let before = proxy.ask(&get("/a"), 1).score();
    let after = proxy.updated(&strict_configuration(json!({"actions": []})));
    let answer = after.send(1, &get("/a"), at(1));
    assert_eq!((answer.reason(), answer.score()), ("allowed", before));
    let mut lighter = only("denials", json!({"weight": 0.5}))["signals"].clone();
    over(&mut lighter, json!({"spread": {"weight": 1}}));
    let lighter = proxy.updated(&strict_configuration(json!({"signals": lighter})));
    let answer = lighter.ask(&get("/a"), 1);
    assert_eq!(answer.score(), before.map(|score| score.div_ceil(2)));
    let without = proxy.updated(&judged(Value::Null));
    assert_eq!(without.ask(&get("/a"), 2).score(), None);
    let again = proxy.updated(&strict_configuration(json!({})));
    assert_eq!(again.ask(&get("/a"), 3).reason(), "risk_denied");
}

/// Workloads behind a proxy, of which there can be very many.
fn meshed(slots: usize, risk: Value) -> Value {
    let mut whole = judged(with(risk, json!({"slots": slots})));
    whole["trust_domains"] = json!([{
        "name": "mesh.example", "x509_svid": {"from": "xfcc"},
        "xfcc": {"trusted_cidrs": ["192.0.7.0/24"]},
    }]);
    whole
}

fn workload(path: &str, number: usize) -> Ask {
    let mut ask = get(path);
    ask.claims = Value::Null;
    let field = format!(
        "By=spiffe://mesh.example/ingress;Hash={number:064x};URI=spiffe://mesh.example/w/{number}"
    );
    ask.with_field("x-forwarded-client-cert", &field)
}

#[test]
fn ten_thousand_identities_fit_a_small_store() {
    apart!(LOOKS: ten_thousand_identities_fit_a_small_store);
    let proxy = Proxy::new(2, &meshed(64, json!({})));
    let before = proxy.shared.keys().len();
    assert!(before > 0, "there is something to look at");
    for number in 0..10_000 {
        let now = millis(u64::try_from(number).unwrap());
        let answer = proxy.send(number % 2, &workload("/a", number), now);
        assert_eq!(answer.reason(), "allowed");
    }
    let pages = proxy.pages();
    assert_eq!(pages.len(), 8);
    assert!(pages.iter().all(|page| page.len() == 1 + 8 * 256));
    assert_eq!(proxy.shared.keys().len(), before + 8);
}

#[test]
fn a_flood_of_new_identities_drives_out_nobody_who_is_held_back() {
    apart!(LEARNS: a_flood_of_new_identities_drives_out_nobody_who_is_held_back);
    let risk = with(only("denials", json!({})), json!({"half_life": "7d"}));
    for actions in [
        json!([{"at": 60, "do": "deny"}]),
        // Where only some route does anything about it.
        json!([]),
    ] {
        let mut configuration = meshed(8, with(risk.clone(), json!({"actions": actions})));
        configuration["routes"][3]["risk"] = json!({"actions": [{"at": 60, "do": "deny"}]});
        let proxy = Proxy::new(2, &configuration);
        (0..30).for_each(|_| drop(proxy.ask(&workload("/when", 0), 0)));
        assert_eq!(proxy.ask(&workload("/b", 0), 1).reason(), "risk_denied");
        for number in 1..3000 {
            proxy.send(
                number % 2,
                &workload("/a", number),
                at(2 + number as u64 / 100),
            );
        }
        let answer = proxy.send(1, &workload("/b", 0), at(60));
        assert_eq!(answer.reason(), "risk_denied", "{actions}");
    }
}

#[test]
fn without_shared_data_each_worker_judges_for_itself() {
    let proxy = Proxy::within(
        SharedData::of(Flavour::None),
        2,
        &strict_configuration(json!({})),
    );
    proxy.many(30, &get("/admin"), 0);
    proxy.tick(0, at(1));
    assert_eq!(proxy.send(0, &get("/a"), at(1)).reason(), "risk_denied");
    assert_eq!(proxy.send(1, &get("/a"), at(1)).reason(), "allowed");
    for secs in 2..100 {
        proxy.send(1, &get("/a"), at(secs));
        proxy.tick(1, at(secs));
    }
    assert_eq!(proxy.send(0, &get("/a"), at(100)).reason(), "risk_denied");
}

#[test]
fn a_host_that_stops_sharing_for_a_while_breaks_nothing() {
    for call in [Call::Shared, Call::SetShared] {
        let proxy = strict(1, json!({}));
        for secs in 0..30 {
            proxy.ask(&get("/admin").refusing(call), secs / 10);
        }
        let answer = proxy.ask(&get("/a").refusing(call), 3);
        assert_eq!(answer.reason(), "risk_denied", "{call:?}");
        proxy.many(30, &get("/a"), 4);
        proxy.tick(0, at(5));
    }
}

#[test]
fn what_another_plugin_wrote_over_a_page_is_begun_anew_and_counted() {
    apart!(LOOKS: what_another_plugin_wrote_over_a_page_is_begun_anew_and_counted);
    let random: Vec<u8> = (0..2049_u32).map(|byte| (byte * 167 % 251) as u8).collect();
    let values: [&[u8]; 6] = [
        b"x",
        b"nonsense",
        &random,
        &random[..300],
        &[1; 100],
        &[0; 2049],
    ];
    for value in values {
        let proxy = strict(1, json!({"slots": 8}));
        proxy.ask(&get("/a"), 0);
        proxy.tick(0, at(1));
        let page = format!("{PAGE}000000");
        let shared = &proxy.shared;
        assert!(shared.bytes(&page).is_some());
        shared.overwrite(&page, value);
        let answer = proxy.ask(&get("/a"), 2);
        assert_eq!(answer.reason(), "allowed");
        assert_eq!(answer.host.metric("postern.risk.damaged"), Some(1));
        proxy.tick(0, at(3));
        assert_eq!(proxy.requests(), [2], "what is in view is written again");
        proxy.many(30, &get("/admin"), 4);
        assert_eq!(proxy.ask(&get("/a"), 4).reason(), "risk_denied");
    }
}

#[test]
fn garbage_that_looks_like_a_page_shuts_nobody_out_of_it() {
    apart!(LOOKS: garbage_that_looks_like_a_page_shuts_nobody_out_of_it);
    for byte in [255, 1, 127] {
        let proxy = strict(2, json!({"slots": 8}));
        let garbage = [&[1][..], &[byte; 2048]].concat();
        let page = format!("{PAGE}000000");
        proxy.shared.overwrite(&page, &garbage);
        proxy.many(30, &get("/admin"), 0);
        proxy.tick(0, at(1));
        let answer = proxy.send(1, &get("/a"), at(1));
        assert_eq!(answer.reason(), "risk_denied", "{byte}");
    }
}

// Otherwise

fn client(name: &str, id: &str, risk: Value) -> Value {
    json!({"name": name, "match": {"issuer": "corp", "client": id}, "risk": risk})
}

#[test]
fn what_a_client_says_counts_more_than_what_a_route_says_and_both_more_than_the_rest() {
    let weight = |weight: f64| json!({"signals": {"denials": {"weight": weight}}});
    let score = |of_client: Value, of_route: Value| {
        let mut configuration = strict_configuration(json!({"actions": []}));
        configuration["routes"][2]["risk"] = of_route;
        configuration["clients"] = json!([client("batch", "billing-batch", of_client)]);
        let proxy = Proxy::new(1, &configuration);
        proxy.many(99, &get("/admin"), 0);
        proxy.ask(&get("/a"), 0).score().unwrap()
    };
    assert_eq!(score(json!({}), json!({})), 100);
    assert_eq!(score(json!({}), weight(0.5)), 50);
    assert_eq!(score(weight(0.25), json!({})), 25);
    assert_eq!(score(weight(0.25), weight(0.5)), 25);
    assert_eq!(score(weight(0.5), weight(0.25)), 50);
}

#[test]
fn actions_are_those_of_the_client_then_of_the_route_then_of_all() {
    let deny = json!({"actions": [{"at": 1, "do": "deny"}]});
    let nothing = json!({"actions": []});
    let cases = [
        (json!({}), json!({}), "risk_denied"),
        (json!({}), nothing.clone(), "allowed"),
        (nothing.clone(), json!({}), "allowed"),
        (nothing.clone(), deny.clone(), "allowed"),
        (deny.clone(), nothing.clone(), "risk_denied"),
    ];
    for (of_client, of_route, expected) in cases {
        let mut configuration = strict_configuration(json!({}));
        configuration["routes"][2]["risk"] = of_route.clone();
        configuration["clients"] = json!([client("batch", "billing-batch", of_client.clone())]);
        let proxy = Proxy::new(1, &configuration);
        proxy.many(30, &get("/admin"), 0);
        let answer = proxy.ask(&get("/a"), 0);
        assert_eq!(answer.reason(), expected, "{of_client} {of_route}");
    }
}

#[test]
fn what_one_client_says_is_nothing_to_another_even_of_the_same_identity() {
    let mut configuration = strict_configuration(json!({}));
    configuration["clients"] = json!([
        client("trusted", "trusted", json!({"actions": []})),
        client("other", "other", json!({})),
    ]);
    for first in ["trusted", "other"] {
        let proxy = Proxy::new(1, &configuration);
        let by = |client: &str| json!({"client_id": client, "sub": "alice"});
        proxy.many(30, &get("/admin").by(by(first)), 0);
        for _ in 0..3 {
            let trusted = proxy.ask(&get("/a").by(by("trusted")), 0);
            assert_eq!(trusted.reason(), "allowed", "{first}");
            let other = proxy.ask(&get("/a").by(by("other")), 0);
            assert_eq!(other.reason(), "risk_denied", "{first}");
        }
        // Nor to another identity.
        let stranger = get("/admin").by(json!({"client_id": "other", "sub": "bob"}));
        proxy.many(30, &stranger, 0);
        let stranger = get("/a").by(json!({"client_id": "other", "sub": "bob"}));
        assert_eq!(proxy.ask(&stranger, 0).reason(), "risk_denied");
    }
}

// Requests that are held

#[test]
fn a_request_that_waits_for_keys_is_counted_once() {
    apart!(LOOKS: a_request_that_waits_for_keys_is_counted_once);
    let mut configuration = judged(json!({}));
    configuration["issuers"][0]["keys"] =
        json!({"remote": {"cluster": "idp", "uri": "https://idp.example/jwks"}});
    let proxy = Proxy::new(1, &configuration);
    let gate = &proxy.workers[0];
    let root = proxy.tick(0, at(0));
    let host = proxy.host(&get("/a"), at(0));
    let Stage::Waiting(waiting) = Opened::new(Rc::clone(gate)).headers(&host) else {
        panic!("it is not held");
    };
    let document = key_set().to_string().into_bytes();
    // Whoever asked first, on a tick or for the request.
    let asked = if root.calls().is_empty() {
        &host
    } else {
        &root
    };
    assert_eq!(asked.calls().len(), 1);
    asked.set_response(&[(":status", "200")], &document);
    gate.response(asked, 1, document.len());
    let (next, decided) = settled(waiting.resume(&host));
    assert_eq!(next, Next::Continue);
    decided.finish(&host);
    assert_eq!(events(&host)[0]["risk_score"], 0);
    proxy.tick(0, at(1));
    assert_eq!(proxy.requests(), [1]);
}

#[test]
fn a_score_fades_by_the_half_life_however_often_its_caller_calls() {
    const HALF_LIFE: u32 = 86_400;
    let mut told = Override::default();
    told.set(Number::HalfLife, HALF_LIFE);
    let settings = Settings::default().with(&told);
    let start = u32::try_from(at(0).secs()).unwrap();
    let mut profile = Profile {
        seen: start,
        held: [65_535; 10],
        ..Profile::default()
    };
    for second in 1..=HALF_LIFE / 2 {
        profile.advance(start + second, &settings);
    }
    let [held, ..] = profile.held;
    assert!((46_000..46_700).contains(&held), "{held}");
}

#[test]
fn an_own_most_halves_in_the_baseline_however_often_its_caller_calls() {
    const YEAR: u32 = 365;
    let mut told = Override::default();
    told.set(Number::Baseline, YEAR * 86_400);
    let settings = Settings::default().with(&told);
    let start = u32::try_from(at(0).secs()).unwrap();
    let mut profile = Profile {
        seen: start,
        ..Profile::default()
    };
    profile.rate[0].own = 4096;
    for day in 1..=YEAR {
        profile.advance(start + day * 86_400, &settings);
    }
    let own = profile.rate[0].own;
    assert!((3830..3850).contains(&own), "{own}");
}
