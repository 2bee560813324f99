//! Who sends a request, as its verified token or its certificate says.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::clients::{Clients, Registrations};
use crate::config::Issuer;
use crate::decision::{Denial, Reason};
use crate::jose::{ClaimPath, Claims};
use crate::policy::ScopeSet;
use crate::spiffe::{Signatory, SpiffeId};
use crate::time::Now;

/// How an identity was proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proven {
    /// By a token of an issuer.
    Jwt,
    /// By a JWT-SVID.
    JwtSvid,
    /// By the certificate of the connection.
    X509Svid,
    /// By the certificate of a connection to a trusted proxy, which forwarded it.
    Xfcc,
}

impl Proven {
    /// The word that audit uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::JwtSvid => "jwt_svid",
            Self::X509Svid => "x509_svid",
            Self::Xfcc => "x509_svid_xfcc",
        }
    }
}

/// What a verified token or certificate says of its caller, resolved once and then shared.
#[derive(Debug)]
pub struct Caller {
    signatory: Signatory<usize, usize>,
    proven: Proven,
    workload: Option<SpiffeId>,
    registrations: Registrations,
    identity: String,
    client: Option<String>,
    scopes: ScopeSet,
    scope_line: String,
    claims: Claims,
    deadline: Now,
    key_epoch: u64,
    token_mark: Option<u64>,
}

impl Caller {
    /// Resolves identity, client and scopes of claims verified with those keys of an issuer.
    ///
    /// The identity is the issuer's configured name, a slash, and the subject; for a token without
    /// a subject, the client.
    ///
    /// # Errors
    /// `claim_missing` where the token names neither subject nor client, or its scopes or client
    /// are of another form than text.
    pub fn new(
        index: usize,
        issuer: &Issuer,
        claims: Claims,
        key_epoch: u64,
    ) -> Result<Self, Denial> {
        let client = client(issuer, &claims)?;
        let scopes = scopes(issuer, &claims)?;
        let Some(subject) = claims.subject().or(client.as_deref()) else {
            return Err(Denial::new(
                Reason::ClaimMissing,
                "the token names neither a subject nor a client",
            ));
        };
        if !is_field_text(subject) {
            return Err(Denial::new(
                Reason::ClaimMissing,
                "the subject is empty or has white space around it",
            ));
        }
        let identity = format!("{}/{subject}", issuer.name);
        let scope_line = scopes.to_string();
        let expires = claims
            .expires_at()
            .map_or(Now::default(), |exp| exp.instant());
        let deadline = expires.after(issuer.clock_skew);
        Ok(Self {
            signatory: Signatory::Issuer(index),
            proven: Proven::Jwt,
            workload: None,
            registrations: Registrations::default(),
            identity,
            client,
            scopes,
            scope_line,
            claims,
            deadline,
            key_epoch,
            token_mark: None,
        })
    }

    /// The workload of a trust domain, by a JWT-SVID verified with those keys. Its identity is its
    /// SPIFFE ID; it has neither client nor scopes.
    #[must_use]
    pub fn of_jwt_svid(
        domain: usize,
        id: SpiffeId,
        claims: Claims,
        clock_skew: Duration,
        key_epoch: u64,
    ) -> Self {
        let expires = claims
            .expires_at()
            .map_or(Now::default(), |exp| exp.instant());
        Self {
            claims,
            deadline: expires.after(clock_skew),
            key_epoch,
            ..Self::of_x509_svid(domain, id, Proven::JwtSvid)
        }
    }

    /// The workload of a trust domain, by its certificate. Its identity is its SPIFFE ID; it has
    /// neither client nor scopes nor claims.
    #[must_use]
    pub fn of_x509_svid(domain: usize, id: SpiffeId, proven: Proven) -> Self {
        Self {
            signatory: Signatory::TrustDomain(domain),
            proven,
            identity: id.as_str().to_owned(),
            workload: Some(id),
            registrations: Registrations::default(),
            client: None,
            scopes: ScopeSet::default(),
            scope_line: String::new(),
            claims: Claims::default(),
            deadline: Now::MAX,
            key_epoch: 0,
            token_mark: None,
        }
    }

    /// Looks the caller up among the governed clients: where it is one of them, that is its client.
    /// One that is none, and whose token names a client as a registered one is named, has none.
    #[must_use]
    pub fn registered(mut self, clients: &Clients) -> Self {
        self.registrations = match (self.signatory, &self.workload) {
            (Signatory::Issuer(issuer), _) => {
                clients.find(issuer, self.claims.subject(), self.client.as_deref())
            }
            (Signatory::TrustDomain(_), Some(workload)) => clients.find_workload(workload),
            (Signatory::TrustDomain(_), None) => Registrations::default(),
        };
        let registration = self.registrations.own.and_then(|place| clients.get(place));
        self.client = match registration {
            Some(client) => Some(client.name.clone()),
            // Names are in lower case, and an upstream may make no difference.
            None => self
                .client
                .filter(|name| clients.place_of(&name.to_ascii_lowercase()).is_none()),
        };
        self
    }

    /// The same caller, with what tells its token apart from others.
    #[must_use]
    pub fn by_token(self, mark: u64) -> Self {
        Self {
            token_mark: Some(mark),
            ..self
        }
    }

    /// What tells its token apart from others; none where a certificate proves it, or nobody asks.
    #[must_use]
    pub fn token_mark(&self) -> Option<u64> {
        self.token_mark
    }

    /// The place of the governed client that this is.
    #[must_use]
    pub fn registration(&self) -> Option<usize> {
        self.registrations.own
    }

    /// Everything that it is registered as.
    #[must_use]
    pub fn registrations(&self) -> Registrations {
        self.registrations
    }

    /// Whether what proves it is bound to the certificate of whoever sends it: it is one, or a token
    /// that names one (RFC 8705 section 3).
    #[must_use]
    pub fn is_certificate_bound(&self) -> bool {
        let names_one = |confirmation: &Map<String, Value>| confirmation.contains_key("x5t#S256");
        match self.proven {
            Proven::X509Svid | Proven::Xfcc => true,
            Proven::Jwt | Proven::JwtSvid => self.claims.confirmation().is_some_and(names_one),
        }
    }

    /// Whose word it is, by its place in the configuration.
    #[must_use]
    pub fn signatory(&self) -> Signatory<usize, usize> {
        self.signatory
    }

    /// How it was proven.
    #[must_use]
    pub fn proven(&self) -> Proven {
        self.proven
    }

    /// The workload; none where an issuer speaks, whatever its subject looks like.
    #[must_use]
    pub fn workload(&self) -> Option<&SpiffeId> {
        self.workload.as_ref()
    }

    /// The name that limits, headers and audit share: issuer name, slash, subject; or a SPIFFE ID.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The governed client that it is, or else the client the token was issued to.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// The granted scopes.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The granted scopes, space-separated.
    #[must_use]
    pub fn scope_line(&self) -> &str {
        &self.scope_line
    }

    /// The verified claims.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The instant from which the token is expired.
    #[must_use]
    pub fn deadline(&self) -> Now {
        self.deadline
    }

    /// Which key set the token was verified with, as [`Ring::held`](crate::keys::ring::Ring::held)
    /// tells them apart.
    #[must_use]
    pub fn key_epoch(&self) -> u64 {
        self.key_epoch
    }

    /// How many bytes this takes, roughly and not too little.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let text = [
            &self.identity,
            &self.scope_line,
            // As long as a SPIFFE ID beside it.
            self.client.as_ref().unwrap_or(&self.identity),
        ];
        let claims: usize = self
            .claims
            .raw()
            .iter()
            .map(|(name, value)| member_bytes(name, value))
            .sum();
        // The scopes and the registered claims stand beside the raw ones.
        let texts: usize = text.iter().map(|text| text.len()).sum();
        size_of::<Self>()
            .saturating_add(texts.saturating_mul(3))
            .saturating_add(claims.saturating_mul(2))
    }
}

/// A claim as the text of a header field: text without control characters or white space around
/// it, a number, a truth value, or a list of such, space-separated and without space in them; none
/// for anything else.
#[must_use]
pub fn claim_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => is_field_text(text).then(|| text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Array(values) => {
            let texts: Option<Vec<_>> = values
                .iter()
                .filter(|value| !value.is_array())
                .map(|value| claim_text(value).filter(|text| !text.contains(' ')))
                .collect();
            texts
                .filter(|texts| texts.len() == values.len() && !texts.is_empty())
                .map(|texts| texts.join(" "))
        }
        Value::Null | Value::Object(_) => None,
    }
}

// RFC 9110 section 5.5: a recipient takes white space around a value away, so that `admin ` would
// arrive as `admin`.
fn is_field_text(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && !text.contains(|c: char| c.is_control())
}

fn client(issuer: &Issuer, claims: &Claims) -> Result<Option<String>, Denial> {
    match first(&issuer.client_claims, claims) {
        None => Ok(None),
        Some(Value::String(text)) if is_field_text(text) => Ok(Some(text.clone())),
        Some(_) => Err(Denial::new(
            Reason::ClaimMissing,
            "the client claim is not a printable text",
        )),
    }
}

fn scopes(issuer: &Issuer, claims: &Claims) -> Result<ScopeSet, Denial> {
    let Some(value) = first(&issuer.scope_claims, claims) else {
        return Ok(ScopeSet::default());
    };
    ScopeSet::from_claim(value)
        .map_err(|error| Denial::new(Reason::ClaimMissing, format!("the scope claim: {error}")))
}

fn first<'a>(paths: &[ClaimPath], claims: &'a Claims) -> Option<&'a Value> {
    paths.iter().find_map(|path| path.lookup(claims.raw()))
}

// A table node of serde_json's map holds eleven members of this size, half full at worst.
fn member_bytes(name: &str, value: &Value) -> usize {
    96_usize
        .saturating_add(name.len())
        .saturating_add(value_bytes(value))
}

fn value_bytes(value: &Value) -> usize {
    let inner = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(value_bytes).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| member_bytes(name, value))
            .sum(),
    };
    size_of::<Value>().saturating_add(inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_becomes_a_field_only_where_it_has_one_reading() {
        let cases = [
            (json!("gold"), Some("gold")),
            (json!("a\r\nx-postern-identity: b"), None),
            (json!(""), None),
            (json!(7), Some("7")),
            (json!(true), Some("true")),
            (json!(["a", 1]), Some("a 1")),
            (json!(["a", ["b"]]), None),
            (json!([]), None),
            (json!({"a": 1}), None),
            (json!(null), None),
            // White space around a value is no part of it (RFC 9110 section 5.5).
            (json!(" gold"), None),
            (json!("gold "), None),
            (json!("Domain Admins"), Some("Domain Admins")),
            (json!(["Domain Admins"]), None),
            (json!(["guests admins", "users"]), None),
        ];
        for (value, expected) in cases {
            assert_eq!(claim_text(&value).as_deref(), expected, "{value}");
        }
    }
}
