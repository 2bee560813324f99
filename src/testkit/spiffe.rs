//! What stories of SPIFFE identities share: keys, domains, and who sends a request.

use std::rc::Rc;

use crate::memory::MemoryHost;
use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};
use postern_core::base::base64url::encode;
use postern_core::gate::{Decided, Gate, Next};
use postern_core::host::Property;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::certificate::workload;
use crate::signing::jws;
use crate::stories::{START, claims, configuration, events, gate, headers, request, token};

pub const JOBS: &str = "spiffe://prod.example/ns/jobs/sa/batch";
pub const API: &str = "spiffe://prod.example/ns/web/sa/api";
pub const INGRESS: &str = "spiffe://prod.example/ingress";
pub const ELSEWHERE: &str = "spiffe://other.example/ns/jobs/sa/batch";

/// The field in which proxies forward certificates.
pub const XFCC: &str = "x-forwarded-client-cert";

/// Whom the tokens of the issuer are about.
pub const CORP: &str = "corp/batch-7";

/// A key of a trust domain: its name in the bundle, and what its secret is made of.
#[derive(Clone, Copy)]
pub struct Key(pub &'static str, pub u8);

pub const P1: Key = Key("p1", 1);
pub const P2: Key = Key("p2", 2);
pub const O1: Key = Key("o1", 3);

impl Key {
    pub fn named(self, kid: &'static str) -> Self {
        Self(kid, self.1)
    }

    pub fn secret(self) -> SigningKey {
        SigningKey::from_slice(&[self.1; 32]).unwrap()
    }

    pub fn jwk(self) -> Value {
        let point = self.secret().verifying_key().to_encoded_point(false);
        let (x, y) = point.as_bytes()[1..].split_at(32);
        json!({
            "kty": "EC", "crv": "P-256", "kid": self.0, "use": "jwt-svid", "x": encode(x), "y": encode(y),
        })
    }

    /// The JWT-SVID of `JOBS`, with changes of its header and its claims.
    pub fn svid(self, header: Value, claims: Value) -> String {
        let header = merged(json!({"alg": "ES256", "kid": self.0, "typ": "JWT"}), header);
        let good = json!({"sub": JOBS, "aud": ["orders"], "iat": START, "exp": START + 300});
        let (header, claims) = (header.to_string(), merged(good, claims).to_string());
        jws::joined(header.as_bytes(), claims.as_bytes(), |input| {
            let signature: Signature = self.secret().sign(input);
            signature.to_bytes().to_vec()
        })
    }
}

/// An object with members put in or replaced; null takes one out.
pub fn merged(mut object: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    object
}

/// The JWT-SVID of a workload of `prod.example`.
pub fn svid(id: &str) -> String {
    P1.svid(json!({}), json!({"sub": id}))
}

/// The token of an issuer, which is no SVID.
pub fn corp() -> String {
    token(&claims(json!({})))
}

pub fn bundle(keys: &[Key]) -> Value {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    json!({"keys": keys})
}

/// A trust domain whose SVIDs of both kinds are taken.
pub fn domain(name: &str, key: Key, changes: Value) -> Value {
    let jwt_svid = json!({"audiences": ["orders"], "bundle": {"inline": bundle(&[key])}});
    let domain = json!({"name": name, "jwt_svid": jwt_svid, "x509_svid": {"from": "tls"}});
    merged(domain, changes)
}

pub fn prod(changes: Value) -> Value {
    domain("prod.example", P1, changes)
}

pub fn other(changes: Value) -> Value {
    domain("other.example", O1, changes)
}

/// A domain that reads what proxies forward: its ingress's, unless `xfcc` says otherwise.
pub fn behind(from: &str, xfcc: Value) -> Value {
    prod(json!({"x509_svid": {"from": from}, "xfcc": xfcc}))
}

pub fn by_name() -> Value {
    json!({"trusted_peers": [INGRESS]})
}

pub fn by_network() -> Value {
    json!({"trusted_cidrs": ["10.0.0.0/8"]})
}

/// Routes that ask for nobody in particular.
pub fn plain() -> Value {
    json!([
        {"name": "open", "match": {"path": "/open"}},
        {"name": "public", "match": {"path": "/public"}, "public": true},
        {"name": "corp", "match": {"path": "/corp"}, "allow": {"issuers": ["corp"]}},
        {"name": "observed", "match": {"path": "/observed"}, "mode": "observe",
         "allow": {"issuers": ["corp"]}},
    ])
}

pub fn configured(domains: Value, routes: Value) -> Value {
    merged(configuration(routes), json!({"trust_domains": domains}))
}

pub fn gated(domains: Value) -> Rc<Gate> {
    gate(&configured(domains, plain()))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What tells certificates apart.
pub fn digest(pem: &[u8]) -> [u8; 32] {
    Sha256::digest(pem).into()
}

/// What a proxy writes of its caller, as Envoy does.
pub fn element(id: &str) -> String {
    format!(
        "By={INGRESS};Hash={};Subject=\"O=Prod,CN=x;y\";URI={id}",
        hex(&digest(&workload(id)))
    )
}

/// Lets a connection have a certificate, as far as its proxy says so.
pub fn show(host: &MemoryHost, digest: &[u8; 32], pem: Option<&[u8]>, valid: Option<&[u8]>) {
    host.set_property(Property::PeerCertificateDigest, hex(digest).as_bytes());
    if let Some(pem) = pem {
        host.set_property(Property::PeerCertificate, pem);
    }
    if let Some(valid) = valid {
        host.set_property(Property::PeerCertificateValid, valid);
    }
}

/// Who sends a request: over which connection, and with what.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    pub address: Option<&'static str>,
    pub certificate: Option<Vec<u8>>,
    pub unvalidated: bool,
    pub token: Option<String>,
    pub fields: Vec<(String, String)>,
}

/// Someone without a certificate.
pub fn nobody() -> Sender {
    Sender {
        address: Some("10.0.0.7:4711"),
        ..Sender::default()
    }
}

/// Someone with a good certificate of a workload.
pub fn of(id: &str) -> Sender {
    nobody().with_certificate(workload(id))
}

impl Sender {
    pub fn with_certificate(self, pem: Vec<u8>) -> Self {
        let certificate = Some(pem);
        Self {
            certificate,
            ..self
        }
    }

    pub fn unvalidated(self) -> Self {
        Self {
            unvalidated: true,
            ..self
        }
    }

    pub fn from(self, address: &'static str) -> Self {
        let address = Some(address);
        Self { address, ..self }
    }

    pub fn with(self, token: impl Into<String>) -> Self {
        let token = Some(token.into());
        Self { token, ..self }
    }

    pub fn field(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// With `x-forwarded-client-cert`.
    pub fn forwarding(self, value: impl Into<String>) -> Self {
        self.field(XFCC, value)
    }

    pub fn request(&self, path: &str) -> MemoryHost {
        let fields = self.fields.iter();
        let fields: Vec<_> = fields.map(|(name, value)| (&**name, &**value)).collect();
        let host = request(path, self.token.as_deref(), &fields);
        if let Some(address) = self.address {
            host.set_property(Property::SourceAddress, address.as_bytes());
        }
        if let Some(pem) = &self.certificate {
            let valid = [u8::from(!self.unvalidated)];
            show(&host, &digest(pem), Some(pem), Some(&valid));
        }
        host
    }

    pub fn ask(&self, gate: &Rc<Gate>, path: &str) -> Answer {
        Answer::of(gate, self.request(path))
    }

    /// What the upstream gets of `x-forwarded-client-cert` where whoever calls is let in, and where
    /// whoever calls is not, but that is only observed.
    pub fn left(&self, gate: &Rc<Gate>) -> Vec<String> {
        let [public, observed] = ["/public", "/observed"].map(|path| {
            let answer = self.ask(gate, path);
            assert_eq!(answer.next, Next::Continue, "{path} {self:?}");
            answer.seen(XFCC)
        });
        assert_eq!(public, observed, "{self:?}");
        public
    }
}

/// What became of a request.
pub struct Answer {
    pub next: Next,
    pub event: Value,
    pub host: MemoryHost,
}

impl Answer {
    pub fn of(gate: &Rc<Gate>, host: MemoryHost) -> Self {
        let (next, decided) = headers(gate, &host);
        Self::end(next, decided, host)
    }

    pub fn end(next: Next, decided: Decided, host: MemoryHost) -> Self {
        decided.finish(&host);
        let mut events = events(&host);
        assert_eq!(events.len(), 1);
        let event = events.remove(0);
        Self { next, event, host }
    }

    pub fn reason(&self) -> &str {
        self.event["status_detail"].as_str().unwrap()
    }

    pub fn message(&self) -> &str {
        self.event["message"].as_str().unwrap()
    }

    pub fn unmapped(&self, name: &str) -> &Value {
        &self.event["unmapped"][name]
    }

    /// The values of a field that the upstream gets.
    pub fn seen(&self, name: &str) -> Vec<String> {
        let headers = self.host.upstream_headers();
        let text = |value| std::str::from_utf8(value).unwrap().to_owned();
        headers.all(name).map(text).collect()
    }

    /// Whose request went on, in which the upstream and audit agree; or why it did not.
    pub fn outcome(&self) -> Result<&str, &str> {
        let identity = self.seen("x-postern-identity");
        let uid = self.event["actor"]["user"]["uid"].as_str();
        match self.reason() {
            "allowed" => {
                assert_eq!(self.next, Next::Continue);
                assert_eq!(identity, [uid.unwrap()]);
                Ok(uid.unwrap())
            }
            reason => {
                assert_eq!(identity, [""; 0]);
                Err(reason)
            }
        }
    }
}
