//! Stories of risk: how callers are scored by what they do, and what is done about it, over the
//! in-memory host.

mod support;

// The same stories under Node, with the attribute its runner needs.
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::rc::Rc;
use std::time::Duration;

use postern::config::Config;
use postern::gate::{Gate, Next, Opened, Stage};
use postern::host::Property;
use postern::host::memory::{Call, MemoryHost, SharedData};
use postern::time::Now;
use serde_json::{Value, json};
use support::{at, claims, configuration, events, headers, key_set, request, signed, upstream};

/// How the names of pages begin.
const PAGE: &str = "postern.risk.1.";

/// The workers of one proxy.
struct Proxy {
    shared: Option<SharedData>,
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
        Self::within(Some(SharedData::default()), workers, configuration)
    }

    fn within(shared: Option<SharedData>, workers: usize, configuration: &Value) -> Self {
        let mut host = MemoryHost::default();
        if let Some(shared) = &shared {
            host.share(shared);
        }
        let open = |_| {
            let config = Config::parse(configuration.to_string().as_bytes()).unwrap();
            Rc::new(Gate::open(config, b"", &host))
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
        if let Some(shared) = &self.shared {
            host.share(shared);
        }
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
        if let Some(shared) = &self.shared {
            host.share(shared);
        }
        self.workers[worker].tick(&host);
        host
    }

    fn pages(&self) -> Vec<Vec<u8>> {
        let shared = self.shared.as_ref().unwrap();
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
    whole["limits"] = json!([{"name": "per-client", "key": ["client"], "rate": "6/1m", "burst": 3}]);
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
    let risk = with(only("denials", range), json!({"actions": actions, "learn_every": "5m"}));
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
    let mut configuration = judged(with(only("denials", json!({})), json!({"learn_every": "5m"})));
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
    assert_eq!((answer.reason(), answer.next), ("risk_denied", Next::Continue));
    assert_eq!(answer.event["unmapped"]["mode"], "observe");
    assert!(answer.score().unwrap() >= 85 && !answer.details().is_empty());
    assert_eq!(answer.host.replies().len(), 0);
    assert_eq!(proxy.ask(&get("/a"), 0).reason(), "risk_denied");
}

fn slowed(limit: Value) -> Proxy {
    let range = json!({"start": 0, "full": 1, "at_least": 1});
    let actions = json!([{"at": 1, "do": "throttle", "factor": 4}]);
    let risk = with(only("denials", range), json!({"actions": actions, "learn_every": "5m"}));
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
