//! What lifecycle tests share: a signer, a configuration, and a request's whole life.

use crate::memory::MemoryHost;
use crate::signing::jws;
use ed25519_dalek::{Signer as _, SigningKey};
use postern_core::base::Now;
use postern_core::base::base64url::encode;
use postern_core::config::Config;
use postern_core::gate::{Decided, Gate, Next, Opened, Stage};
use serde_json::{Value, json};
use std::rc::Rc;

/// When the stories play: 2026-03-02, a Monday, 10:00 UTC.
pub const START: u64 = 1_772_445_600;

/// The instant `secs` after the start.
pub fn at(secs: u64) -> Now {
    Now::from_secs(START + secs)
}

pub fn signer() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// A JWK Set with the signer's public key, named `k1`.
pub fn key_set() -> Value {
    let x = encode(signer().verifying_key().as_bytes());
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "use": "sig", "alg": "EdDSA", "x": x}]})
}

/// Good claims, with `changes` over them; null takes a claim out.
pub fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": "https://idp.example", "aud": "orders", "sub": "batch-7", "client_id": "billing-batch",
        "iat": START, "exp": START + 300, "jti": "t-1", "scope": "orders.read orders.list",
    });
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

/// A token with these claims, signed with the signer's key.
pub fn token(claims: &Value) -> String {
    signed(&json!({"alg": "EdDSA", "kid": "k1", "typ": "JWT"}), claims)
}

pub fn signed(header: &Value, claims: &Value) -> String {
    let (header, claims) = (header.to_string(), claims.to_string());
    let sign = |input: &[u8]| signer().sign(input).to_bytes().to_vec();
    jws::joined(header.as_bytes(), claims.as_bytes(), sign)
}

/// A configuration with one issuer and these routes.
pub fn configuration(routes: Value) -> Value {
    json!({
        "version": 1,
        "issuers": [{
            "name": "corp", "issuer": "https://idp.example", "audiences": ["orders"],
            "keys": {"inline": key_set()},
            "claim_headers": {"x-tenant": "tenant.name"},
        }],
        "routes": routes,
        "responses": {"realm": "orders", "detail": "full"},
    })
}

pub fn gate(configuration: &Value) -> Rc<Gate> {
    let config = Config::parse(configuration.to_string().as_bytes()).unwrap();
    Rc::new(Gate::open(config.settings, b"", &MemoryHost::default()))
}

/// A request to `GET path` with a bearer token, if any, and `more` fields.
pub fn request(path: &str, token: Option<&str>, more: &[(&str, &str)]) -> MemoryHost {
    let host = MemoryHost::with_request(
        at(0),
        &[
            (":method", "GET"),
            (":path", path),
            (":authority", "api.example"),
            ("x-request-id", "r-1"),
        ],
    );
    if let Some(token) = token {
        host.push_request_header(b"authorization", format!("Bearer {token}").as_bytes());
    }
    for (name, value) in more {
        host.push_request_header(name.as_bytes(), value.as_bytes());
    }
    host
}

/// The request's header phase.
pub fn headers(gate: &Rc<Gate>, host: &MemoryHost) -> (Next, Decided) {
    settled(Opened::new(Rc::clone(gate)).headers(host))
}

/// A request that is decided.
pub fn settled(stage: Stage) -> (Next, Decided) {
    match stage {
        Stage::Decided(next, decided) => (next, *decided),
        Stage::Waiting(_) => panic!("the request is held"),
    }
}

/// The request's whole life: whether it went on, and the events it left.
pub fn live(gate: &Rc<Gate>, host: &MemoryHost) -> (Next, Vec<Value>) {
    let (next, decided) = headers(gate, host);
    decided.finish(host);
    (next, events(host))
}

pub fn events(host: &MemoryHost) -> Vec<Value> {
    host.logged()
        .iter()
        // Warnings are for people.
        .filter(|(_, line)| line.starts_with('{'))
        .map(|(_, line)| serde_json::from_str(line).unwrap())
        .collect()
}

/// The request's whole life, as the reason of its one event.
pub fn reason(gate: &Rc<Gate>, host: &MemoryHost) -> String {
    let (_, events) = live(gate, host);
    assert_eq!(events.len(), 1);
    events[0]["status_detail"].as_str().unwrap().to_owned()
}

/// The upstream's value of a field, if it is there once.
pub fn upstream<'a>(headers: &'a postern_core::request::Headers, name: &'a str) -> Option<&'a str> {
    headers
        .only(name)
        .map(|value| std::str::from_utf8(value).unwrap())
}
