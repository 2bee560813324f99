//! A thousand requests of every kind against one wide policy, and what became of each, byte for
//! byte: a change that is to leave behaviour as it is leaves these lines as they are.
//!
//! `tests/data/recorded.txt` has a digest a request. With `RECORD_TO=FILE` the whole record is
//! written, to be compared with that of another commit; with `UPDATE_RECORDED=1` the digests are.

use std::fmt::Write as _;
use std::rc::Rc;

use postern_core::config::Config;
use postern_core::gate::{Gate, Next};
use postern_core::host::Property;
use postern_core::request::Headers;
use postern_testkit::memory::{MemoryHost, SharedData};
use postern_testkit::spiffe::{
    API, INGRESS, JOBS, XFCC, behind, by_name, digest, element, merged, show, svid,
};
use postern_testkit::stories::{at, claims, configuration, headers, signed};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const REQUESTS: usize = 1000;

fn policy() -> Value {
    let routes = json!([
        {"name": "read", "match": {"hosts": ["api.example"], "methods": ["GET", "HEAD"], "path": "/v1/orders/{id}"},
         "allow": {"issuers": ["corp"], "scopes": {"all": ["orders.read"], "none": ["readonly"]}}, "limits": ["per-client", "daily"]},
        {"name": "write", "match": {"methods": ["POST"], "path": "/v1/orders"},
         "allow": {"scopes": {"any": ["orders.write", "orders.admin"]}, "claims": [{"claim": "tenant.tier", "in": ["gold", 1]}]},
         "when": [{"header": "x-request-purpose", "in": ["invoicing"]}, {"body_bytes_max": "1KiB"}, {"token_age_max": "5m"}]},
        {"name": "search", "match": {"path": "/v1/search"},
         "when": [{"query": "limit", "max": 100, "required": false}, {"query": "view", "in": ["short"]}], "limits": ["searches"]},
        {"name": "inside", "match": {"hosts": ["*.inside.example:*"], "path": "/{rest*}"}, "when": [{"source": ["10.0.0.0/8"]}]},
        {"name": "night", "match": {"path": "/v1/night"}, "when": [{"hours": "22:00-06:00"}]},
        {"name": "observed", "match": {"path": "/v1/observed/{rest*}"}, "mode": "observe", "allow": {"scopes": {"all": ["nobody.has"]}}},
        {"name": "jobs", "match": {"path": "/jobs/{rest*}"}, "allow": {"spiffe": ["spiffe://prod.example/ns/jobs/**"]}},
        {"name": "both", "match": {"path": "/both"}, "allow": {"issuers": ["corp"], "spiffe": ["spiffe://prod.example/ns/web/sa/*"]}},
        {"name": "grpc", "match": {"methods": ["POST"], "path": "/postern.demo.Orders/Get"}, "allow": {"scopes": {"all": ["orders.read"]}}},
        {"name": "health", "match": {"path": "/healthz"}, "public": true},
    ]);
    let changes = json!({
        "trust_domains": [behind("either", by_name())],
        "clients": [
            {"name": "billing", "match": {"issuer": "corp", "client": "billing-batch"}, "owner": "pay@corp.example",
             "purpose": "invoicing", "expires": "2027-01-31"},
            {"name": "near", "match": {"issuer": "corp", "client": "near"}, "owner": "a@corp.example", "sources": ["10.0.0.0/8"]},
            {"name": "gone", "match": {"issuer": "corp", "client": "gone"}, "owner": "a@corp.example", "expires": "2026-01-31"},
            {"name": "jobs", "match": {"spiffe": "spiffe://prod.example/ns/**"}, "owner": "b@corp.example"},
        ],
        "unregistered_clients": "deny",
        "limits": [
            {"name": "per-client", "key": ["client", "route"], "rate": "10/1m", "burst": 6},
            {"name": "daily", "key": ["client"], "quota": "200/1d"},
            {"name": "searches", "key": ["source"], "rate": "3/1s"},
        ],
        "source": {"pressure": {"rate": "60/1m", "burst": 20}},
        "risk": {"half_life": "30s", "learn_every": "1s", "warm_up": 5},
        "responses": {"realm": "orders", "detail": "full", "rate_fields": true},
    });
    merged(configuration(routes), changes)
}

/// xorshift64*: the same numbers everywhere and for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap() % sides
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.roll(of.len())]
    }
}

fn credential(dice: &mut Dice, secs: u64) -> Option<String> {
    let now = postern_testkit::stories::START + secs;
    let fresh = json!({"iat": now - 10, "exp": now + 290, "jti": format!("t-{}", secs / 20)});
    let good = |changes: Value| claims(merged(fresh.clone(), changes));
    let header = json!({"alg": "EdDSA", "kid": "k1", "typ": "JWT"});
    let bearer = |token: String| Some(format!("Bearer {token}"));
    let token = |changes: Value| bearer(signed(&header, &good(changes)));
    match dice.roll(24) {
        0..8 => token(json!({})),
        8 => token(
            json!({"scope": "orders.read orders.write", "tenant": {"tier": "gold", "name": "acme"}}),
        ),
        9 => token(json!({"scope": "orders.write", "tenant": {"tier": 1}})),
        10 => token(json!({"client_id": "near", "sub": "near-1"})),
        11 => token(json!({"client_id": "gone"})),
        12 => token(json!({"client_id": "stranger"})),
        13 => token(json!({"exp": now - 31})),
        14 => token(json!({"aud": "other"})),
        15 => token(json!({"iss": "https://evil.example"})),
        16 => token(json!({"sub": "", "scope": 7})),
        17 => bearer(signed(&json!({"alg": "none"}), &good(json!({})))),
        18 => bearer(signed(
            &json!({"alg": "EdDSA", "kid": "k2"}),
            &good(json!({})),
        )),
        19 => bearer(format!("{}x", signed(&header, &good(json!({}))))),
        20 => bearer(svid(dice.one(&[JOBS, API]))),
        21 => Some(
            dice.one(&["Basic eDp5", "Bearer", "bearer a.b.c", "Bearer a b"])
                .to_owned(),
        ),
        _ => None,
    }
}

fn sent(dice: &mut Dice, secs: u64) -> MemoryHost {
    let host = match dice.roll(12) {
        0 => "api.example:8443",
        1 => "a.inside.example:80",
        2 => "api.example.",
        3 => "API.example",
        _ => "api.example",
    };
    let method = match dice.roll(12) {
        0 => "get",
        1 => "DELETE",
        2 => "HEAD",
        3..5 => "POST",
        _ => "GET",
    };
    let path = dice.one(&[
        "/v1/orders/7",
        "/v1/orders/7",
        "/v1/orders/7",
        "/v1/orders/7",
        "/v1/orders/8?x=1",
        "/v1/search?view=short",
        "/v1/orders/%37",
        "/v1/%6frders/7",
        "/v1/orders/a;b",
        "/v1/orders",
        "/v1/orders",
        "/v1/search?view=short",
        "/v1/search?view=short&limit=101",
        "/v1/search?view=short&view=long",
        "/v1/search",
        "/v1/night",
        "/v1/observed/1",
        "/jobs/1",
        "/both",
        "/postern.demo.Orders/Get",
        "/healthz",
        "/healthz/",
        "/nowhere",
        "/v1/../healthz",
        "//healthz",
    ]);
    let made = MemoryHost::with_request(
        at(secs),
        &[
            (":method", method),
            (":path", path),
            (":authority", host),
            (":scheme", "https"),
        ],
    );
    made.push_request_header(b"x-request-id", format!("r-{secs}").as_bytes());
    if let Some(credential) = credential(dice, secs) {
        made.push_request_header(b"authorization", credential.as_bytes());
    }
    let more: &[(&str, &str)] = match dice.roll(14) {
        0..3 => &[("x-request-purpose", "invoicing"), ("content-length", "10")],
        3 => &[
            ("x-request-purpose", "invoicing"),
            ("content-length", "2000"),
        ],
        4 => &[
            ("x-postern-identity", "admin"),
            ("X_Postern_Client", "admin"),
        ],
        5 => &[
            ("x-http-method-override", "DELETE"),
            ("x-original-url", "/admin"),
        ],
        6 => &[("connection", "x-tenant, close"), ("x-tenant", "forged")],
        7 => &[("content-type", "application/grpc"), ("te", "trailers")],
        8 => &[("authorization", "Bearer second.token.here")],
        9 => &[
            ("x_request_purpose", "invoicing"),
            ("x-request-purpose", "invoicing"),
        ],
        _ => &[],
    };
    for (name, value) in more {
        made.push_request_header(name.as_bytes(), value.as_bytes());
    }
    match dice.roll(8) {
        0 => made.push_request_header(XFCC.as_bytes(), element(JOBS).as_bytes()),
        1 => {
            let pem = postern_testkit::certificate::workload(dice.one(&[JOBS, API, INGRESS]));
            show(&made, &digest(&pem), Some(&pem), Some(&[1]));
            if dice.roll(2) == 0 {
                made.push_request_header(XFCC.as_bytes(), element(API).as_bytes());
            }
        }
        _ => {}
    }
    let source = dice.one(&[
        "10.0.0.7:4711",
        "10.0.0.7:4711",
        "192.0.2.7:1",
        "[2001:db8::1]:9",
        "203.0.113.5:1",
    ]);
    made.set_property(Property::SourceAddress, source.as_bytes());
    let status: u64 = [200, 200, 200, 404, 500][dice.roll(5)];
    made.set_property(Property::ResponseCode, &status.to_le_bytes());
    made
}

fn fields(headers: &Headers) -> Vec<[String; 2]> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    headers
        .iter()
        .map(|(name, value)| [text(name), text(value)])
        .collect()
}

/// A request's whole life, as text: the answer, what the upstream and the caller got, what was logged.
fn lived(gate: &Rc<Gate>, host: &MemoryHost, dice: &mut Dice) -> String {
    let (next, mut decided) = headers(gate, host);
    let body = [0, 10, 2000][dice.roll(3)];
    let mut nexts = vec![next];
    if next == Next::Continue {
        nexts.push(decided.request_body(host, body));
        host.push_response_header(b":status", b"200");
        host.push_response_header(b"set-cookie", b"a=b");
        decided.response_headers(host);
        decided.response_body(100 * body);
    }
    decided.finish(host);
    let replies = host.replies();
    let upstream = fields(&host.upstream_headers());
    let answered = fields(&host.response_headers());
    format!(
        "{nexts:?}\n{replies:?}\n{upstream:?}\n{answered:?}\n{:?}\n",
        host.logged()
    )
}

fn record() -> Vec<String> {
    let configuration = policy().to_string();
    let shared = SharedData::default();
    let host = MemoryHost::with_shared(at(0), &shared);
    let open = |_| {
        let config = Config::parse(configuration.as_bytes()).unwrap();
        Rc::new(Gate::open(config.settings, b"", &host))
    };
    let workers: Vec<Rc<Gate>> = (0..2).map(open).collect();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut secs = 0;
    let mut lives = Vec::new();
    for number in 0..REQUESTS {
        secs += [0, 0, 0, 1, 2][dice.roll(5)];
        let mut host = sent(&mut dice, secs);
        host.share(&shared);
        lives.push(lived(&workers[number % 2], &host, &mut dice));
        if number % 10 == 9 {
            let mut host = MemoryHost::with_shared(at(secs), &shared);
            host.share(&shared);
            workers.iter().for_each(|gate| gate.tick(&host));
        }
    }
    lives
}

fn reason(life: &str) -> &str {
    let (_, rest) = life.split_once(r#"\"status_detail\":\""#).unwrap();
    rest.split_once('\\').unwrap().0
}

#[test]
fn what_becomes_of_a_request_is_what_it_was() {
    let lives = record();
    if let Some(file) = std::env::var_os("RECORD_TO") {
        std::fs::write(file, lives.join("\n")).unwrap();
    }
    let mut told = String::new();
    for life in &lives {
        let sum = Sha256::digest(life.as_bytes());
        writeln!(
            told,
            "{} {}",
            postern_testkit::spiffe::hex(&sum[..8]),
            reason(life)
        )
        .unwrap();
    }
    let file = postern_testkit::root().join("tests/data/recorded.txt");
    if std::env::var_os("UPDATE_RECORDED").is_some() {
        std::fs::write(&file, &told).unwrap();
    }
    let expected = std::fs::read_to_string(file).unwrap();
    for (number, (told, expected)) in told.lines().zip(expected.lines()).enumerate() {
        assert_eq!(told, expected, "request {number}: {}", lives[number]);
    }
    assert_eq!(told.lines().count(), expected.lines().count());
}
