//! Who sends a request, as its verified token or its certificate says.

use std::time::Duration;

use serde_json::Value;

use super::settings::Issuer;
use crate::base::printable::{self, is_printable};
use crate::base::{ClientId, DomainId, IssuerId, Now};
use crate::caller::clients::{Clients, Registrations};
use crate::decision::{Denial, Reason};
use crate::jose::{ClaimPath, Claims, ScopeSet};
use crate::spiffe::{Signatory, SpiffeId};

/// What the identity of a token without a subject begins with, behind its issuer.
const OF_CLIENT: &str = "client:";

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
    signatory: Signatory<IssuerId, DomainId>,
    proven: Proven,
    workload: Option<SpiffeId>,
    registrations: Registrations,
    identity: String,
    client: Option<String>,
    /// The client as the token names it, until it is looked up.
    issued_to: Option<String>,
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
    /// a subject, `client:` and the client, which no subject's begins with: a client could
    /// otherwise be registered under somebody's subject (RFC 9700 section 4.15).
    ///
    /// # Errors
    /// `claim_missing` where the token names neither subject nor client, or its scopes or client
    /// are of another form than text.
    pub fn new(
        id: IssuerId,
        issuer: &Issuer,
        claims: Claims,
        key_epoch: u64,
    ) -> Result<Self, Denial> {
        let client = client(issuer, &claims)?;
        let scopes = scopes(issuer, &claims)?;
        let identity = match (claims.subject(), &client) {
            (Some(subject), _) if !is_field_text(subject) => {
                let detail = "the subject is empty or has white space around it";
                return Err(Denial::new(Reason::ClaimMissing, detail));
            }
            (Some(subject), _) => identity_of_subject(&issuer.name, subject),
            (None, Some(client)) => identity_of_client(&issuer.name, client),
            (None, None) => {
                let detail = "the token names neither a subject nor a client";
                return Err(Denial::new(Reason::ClaimMissing, detail));
            }
        };
        let qualified = client
            .as_deref()
            .map(|client| qualified(&issuer.name, client));
        let scope_line = scopes.to_string();
        let expires = claims
            .expires_at()
            .map_or(Now::default(), |exp| exp.instant());
        let deadline = expires.after(issuer.clock_skew);
        Ok(Self {
            signatory: Signatory::Issuer(id),
            proven: Proven::Jwt,
            workload: None,
            registrations: Registrations::default(),
            identity,
            client: qualified,
            issued_to: client,
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
        domain: DomainId,
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
    pub fn of_x509_svid(domain: DomainId, id: SpiffeId, proven: Proven) -> Self {
        Self {
            signatory: Signatory::TrustDomain(domain),
            proven,
            identity: id.as_str().to_owned(),
            workload: Some(id),
            registrations: Registrations::default(),
            client: None,
            issued_to: None,
            scopes: ScopeSet::default(),
            scope_line: String::new(),
            claims: Claims::default(),
            deadline: Now::MAX,
            key_epoch: 0,
            token_mark: None,
        }
    }

    /// Looks the caller up among the governed clients: where it is one of them, that is its client.
    #[must_use]
    pub fn registered(mut self, clients: &Clients) -> Self {
        let issued_to = self.issued_to.take();
        self.registrations = match (self.signatory, &self.workload) {
            (Signatory::Issuer(issuer), _) => {
                clients.find(issuer, self.claims.subject(), issued_to.as_deref())
            }
            (Signatory::TrustDomain(_), Some(workload)) => clients.find_workload(workload),
            (Signatory::TrustDomain(_), None) => Registrations::default(),
        };
        let registration = self.registrations.own.and_then(|place| clients.get(place));
        if let Some(client) = registration {
            self.client = Some(client.name.clone());
        }
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

    /// The governed client that this is.
    #[must_use]
    pub fn registration(&self) -> Option<ClientId> {
        self.registrations.own
    }

    /// Everything that it is registered as.
    #[must_use]
    pub fn registrations(&self) -> Registrations {
        self.registrations
    }

    /// Whether what proves it is a certificate, and no token.
    #[must_use]
    pub const fn is_certificate(&self) -> bool {
        matches!(self.proven, Proven::X509Svid | Proven::Xfcc)
    }

    /// Whose word it is.
    #[must_use]
    pub fn signatory(&self) -> Signatory<IssuerId, DomainId> {
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

    /// The name that limits, headers and audit share: issuer name, slash, and the subject, or
    /// `client:` and the client, as [`printable::append_name`] has it; or a SPIFFE ID.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The name of the governed client that it is, in which there is no slash; or else the issuer's
    /// name, a slash, and the client that the token was issued to.
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

/// A claim as the text of a header field: printable text without white space around it, a number, a truth value, or a list of such, space-separated and without space in them; none
/// for anything else.
#[must_use]
pub fn claim_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            (is_field_text(text) && text.chars().all(is_printable)).then(|| text.clone())
        }
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

/// The client of an issuer; no registered name has a slash.
fn qualified(issuer: &str, client: &str) -> String {
    let mut name = format!("{issuer}/");
    printable::append_name(&mut name, client);
    name
}

fn identity_of_client(issuer: &str, client: &str) -> String {
    let mut identity = format!("{issuer}/{OF_CLIENT}");
    printable::append_name(&mut identity, client);
    identity
}

/// No issuer's name has a slash, and no subject begins as clients do: its colon is then escaped,
/// whatever its case, since readers may make no difference.
fn identity_of_subject(issuer: &str, subject: &str) -> String {
    let mut identity = format!("{issuer}/");
    let (kind, rest) = subject.split_once(':').unwrap_or(("", subject));
    if kind.eq_ignore_ascii_case("client") {
        identity.push_str(kind);
        identity.push_str("%3A");
        printable::append_name(&mut identity, rest);
    } else {
        printable::append_name(&mut identity, subject);
    }
    identity
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
            (json!("gold\u{200b}"), None),
            (json!("\u{202e}gold"), None),
            (json!("a\u{2028}b"), None),
            (json!("Zoë"), Some("Zoë")),
            (json!("Domain Admins"), Some("Domain Admins")),
            (json!(["Domain Admins"]), None),
            (json!(["guests admins", "users"]), None),
        ];
        for (value, expected) in cases {
            assert_eq!(claim_text(&value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn subjects_and_clients_have_names_of_their_own() {
        for (subject, identity) in [
            ("robot-7", "corp/robot-7"),
            ("auth0|123", "corp/auth0|123"),
            (
                "system:serviceaccount:ns:sa",
                "corp/system:serviceaccount:ns:sa",
            ),
            (
                "repo:o/r:ref:refs/heads/main",
                "corp/repo:o/r:ref:refs/heads/main",
            ),
            ("a.b+c@corp.example", "corp/a.b+c@corp.example"),
            ("CN=Jane Doe,O=b", "corp/CN=Jane Doe%2CO=b"),
            ("100%", "corp/100%25"),
            ("Zo\u{eb}", "corp/Zo%C3%AB"),
            ("adm\u{456}n", "corp/adm%D1%96n"),
            (
                "a\u{200b}\u{202e}\u{2028}",
                "corp/a%E2%80%8B%E2%80%AE%E2%80%A8",
            ),
            ("client", "corp/client"),
            ("clients:x", "corp/clients:x"),
            ("client:x", "corp/client%3Ax"),
            ("CLIENT:x:y", "corp/CLIENT%3Ax:y"),
            ("client%3Ax", "corp/client%253Ax"),
        ] {
            assert_eq!(identity_of_subject("corp", subject), identity);
        }
        assert_eq!(identity_of_client("corp", "x,y"), "corp/client:x%2Cy");
        assert_eq!(qualified("corp", "x,y"), "corp/x%2Cy");
    }

    #[cfg(not(target_family = "wasm"))]
    proptest::proptest! {
        #[test]
        fn no_two_callers_have_one_identity(
            one in proptest::arbitrary::any::<(bool, bool)>(),
            other in proptest::arbitrary::any::<(bool, bool)>(),
            names in proptest::array::uniform2("(client:|CLIENT:|client%3A)?[a:%,/é\u{200b}\u{202e}3A]{0,4}"),
        ) {
            let identity = |(is_client, is_corp): (bool, bool), name: &str| {
                let issuer = if is_corp { "corp" } else { "corp.b" };
                if is_client { identity_of_client(issuer, name) } else { identity_of_subject(issuer, name) }
            };
            let (first, second) = (identity(one, &names[0]), identity(other, &names[1]));
            let same = one == other && names[0] == names[1];
            proptest::prop_assert_eq!(first == second, same, "{} {}", first, second);
            // Nor one that differs in nothing but case, where the kinds differ.
            let fold = |identity: &str| identity.to_ascii_lowercase();
            proptest::prop_assert!(one.0 == other.0 || fold(&first) != fold(&second));
            proptest::prop_assert!(crate::base::printable::is_printable_ascii(first.as_bytes()));
            proptest::prop_assert!(!first.contains(','));
        }
    }
}
