//! What callers are told from: issuers, trust domains, registered clients, and how a credential is
//! sent.

use std::fmt;
use std::time::Duration;

use super::clients::Clients;
use crate::base::{CidrSet, DomainId, Id as _, IssuerId, KeyOwnerId, Listed};
use crate::crypto::AlgorithmSet;
use crate::jose::{Audiences, ClaimPath, TokenProfile};
use crate::keys::KeySource;
use crate::spiffe::{self, Chain, Signatory, SpiffePatterns};

/// What callers are told from.
#[derive(Debug)]
pub struct Settings {
    /// Who signs JWTs, in the order of the document.
    pub issuers: Listed<IssuerId, Issuer>,
    /// The SPIFFE trust domains whose workloads may call, in the order of the document.
    pub trust_domains: Listed<DomainId, Domain>,
    /// How many elements `x-forwarded-client-cert` has, and which of them is the caller's.
    pub xfcc: Chain,
    /// The governed clients.
    pub clients: Clients,
    /// How a credential is sent.
    pub tokens: Tokens,
    /// Whether it is remembered of a caller which of its tokens came: risk asks.
    pub marks_tokens: bool,
}

impl Settings {
    /// The issuer with exactly that `iss`.
    #[must_use]
    pub fn issuer_of(&self, iss: &str) -> Option<(IssuerId, &Issuer)> {
        let mut issuers = self.issuers.each();
        issuers.find(|(_, issuer)| issuer.issuer == iss)
    }

    /// The trust domain of that name.
    #[must_use]
    pub fn trust_domain_of(&self, name: &spiffe::TrustDomain) -> Option<(DomainId, &Domain)> {
        let mut domains = self.trust_domains.each();
        domains.find(|(_, domain)| domain.name == *name)
    }

    /// The name by which limits and audit know an issuer or a trust domain.
    #[must_use]
    pub fn name_of(&self, signatory: Signatory<IssuerId, DomainId>) -> &str {
        match signatory {
            Signatory::Issuer(id) => self.issuers.get(id).map(|issuer| &issuer.name),
            Signatory::TrustDomain(id) => self.trust_domains.get(id).map(|domain| &domain.id),
        }
        .map_or("", String::as_str)
    }

    /// Whether the upstream gets the tokens of an issuer or a trust domain as they were sent.
    #[must_use]
    pub fn forwards(&self, signatory: Signatory<IssuerId, DomainId>) -> bool {
        match signatory {
            Signatory::Issuer(id) => self.issuers.get(id).map(|issuer| issuer.forward),
            Signatory::TrustDomain(id) => self
                .trust_domains
                .get(id)
                .and_then(|domain| Some(domain.jwt_svid.as_ref()?.forward)),
        }
        .unwrap_or_default()
    }

    /// Whether the upstream gets anybody's tokens.
    #[must_use]
    pub fn forwards_any(&self) -> bool {
        let issuers = self.issuers.each().map(|(id, _)| Signatory::Issuer(id));
        let domains = self.trust_domains.each();
        let domains = domains.map(|(id, _)| Signatory::TrustDomain(id));
        issuers
            .chain(domains)
            .any(|signatory| self.forwards(signatory))
    }

    /// The owner of an issuer's or a trust domain's keys.
    #[must_use]
    pub fn key_owner(&self, signatory: Signatory<IssuerId, DomainId>) -> KeyOwnerId {
        KeyOwnerId::at(match signatory {
            Signatory::Issuer(id) => id.place(),
            Signatory::TrustDomain(id) => self.issuers.len().saturating_add(id.place()),
        })
    }

    /// Everybody whose keys tokens are held against.
    pub fn key_owners(&self) -> impl Iterator<Item = (KeyOwnerId, KeyOwner<'_>)> {
        let issuers = self.issuers.iter().map(KeyOwner::Issuer);
        let domains = self.trust_domains.iter().map(KeyOwner::TrustDomain);
        let owners = issuers.chain(domains).enumerate();
        owners.map(|(place, owner)| (KeyOwnerId::at(place), owner))
    }

    /// Whether a certificate can be an identity here.
    #[must_use]
    pub fn takes_certificates(&self) -> bool {
        self.trust_domains
            .iter()
            .any(|domain| domain.x509_svid.is_some())
    }
}

/// An issuer of JWTs, and what its tokens must be.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// How routes and audit refer to it; unique.
    pub name: String,
    /// The exact `iss` of its tokens; unique.
    pub issuer: String,
    /// Whom its tokens must be for.
    pub audiences: Audiences,
    /// Its keys, and no other issuer's.
    pub keys: KeySource,
    /// The algorithms that are accepted: all asymmetric, or all symmetric.
    pub algorithms: AlgorithmSet,
    /// What kind of token it issues.
    pub profile: TokenProfile,
    /// How far clocks may be apart, at most five minutes.
    pub clock_skew: Duration,
    /// The most from `iat` to `exp`; none for no cap.
    pub max_lifetime: Option<Duration>,
    /// Where the scopes are read; the first that is there counts.
    pub scope_claims: Vec<ClaimPath>,
    /// Where the client's name is read; the first that is there counts.
    pub client_claims: Vec<ClaimPath>,
    /// Whether the upstream gets the credential as it was sent.
    pub forward: bool,
    /// Claims that the upstream gets.
    pub claim_headers: Vec<ClaimHeader>,
}

/// A claim that the upstream gets in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimHeader {
    /// The header, in lower case.
    pub header: String,
    /// The claim.
    pub claim: ClaimPath,
}

/// A trust domain whose workloads may call.
#[derive(Clone, Debug)]
pub struct Domain {
    /// Its name; unique.
    pub name: spiffe::TrustDomain,
    /// Its own SPIFFE ID, which is how limits and audit name it as an issuer: no issuer can have
    /// such a name.
    pub id: String,
    /// How its JWT-SVIDs are verified; none where they are not taken.
    pub jwt_svid: Option<JwtSvid>,
    /// Where its X.509-SVIDs are seen; none where they are not taken.
    pub x509_svid: Option<X509Svid>,
}

impl Domain {
    /// Its X.509-SVIDs, where the certificates of connections count as such.
    #[must_use]
    pub fn of_connections(&self) -> Option<&X509Svid> {
        self.x509_svid.as_ref().filter(|svid| svid.tls)
    }

    /// Whose `x-forwarded-client-cert` counts; none where nobody's does.
    #[must_use]
    pub fn proxies(&self) -> Option<&TrustedProxies> {
        self.x509_svid.as_ref()?.xfcc.as_ref()
    }
}

/// How the JWT-SVIDs of a trust domain are verified.
#[derive(Clone, Debug)]
pub struct JwtSvid {
    /// Whom they must be for.
    pub audiences: Audiences,
    /// The domain's bundle, and no other's.
    pub bundle: KeySource,
    /// How far clocks may be apart, at most five minutes.
    pub clock_skew: Duration,
    /// Whether the upstream gets the credential as it was sent.
    pub forward: bool,
}

/// Where the X.509-SVIDs of a trust domain are seen.
#[derive(Clone, Debug)]
pub struct X509Svid {
    /// Whether the certificate of the connection counts.
    pub tls: bool,
    /// Whose `x-forwarded-client-cert` counts; none where nobody's does.
    pub xfcc: Option<TrustedProxies>,
    /// Whether the proxy lets no certificate through that it did not validate, so that its word on
    /// each connection is not needed.
    pub always_validated: bool,
}

/// Whose `x-forwarded-client-cert` is believed.
#[derive(Clone, Debug)]
pub struct TrustedProxies {
    /// The SPIFFE IDs of proxies, as the certificates of their connections say.
    pub peers: SpiffePatterns,
    /// The networks of proxies.
    pub networks: CidrSet,
}

/// Whose keys tokens are held against.
#[derive(Clone, Copy)]
pub enum KeyOwner<'a> {
    /// An issuer's.
    Issuer(&'a Issuer),
    /// A trust domain's.
    TrustDomain(&'a Domain),
}

impl<'a> KeyOwner<'a> {
    /// Where they come from; none where none are needed.
    #[must_use]
    pub fn keys(self) -> Option<&'a KeySource> {
        match self {
            Self::Issuer(issuer) => Some(&issuer.keys),
            Self::TrustDomain(domain) => domain.jwt_svid.as_ref().map(|svid| &svid.bundle),
        }
    }
}

impl fmt::Display for KeyOwner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Issuer(issuer) => &issuer.name,
            Self::TrustDomain(domain) => &domain.id,
        };
        write!(f, "keys of \"{name}\"")
    }
}

/// How a credential is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// The header, in lower case.
    pub header: String,
    /// The scheme before the token, compared without case.
    pub scheme: String,
    /// The longest token in bytes.
    pub max_bytes: usize,
    /// How much CPU time the signatures of a request may take beyond the first.
    pub budget: Duration,
    /// How many bytes a worker keeps of verified tokens.
    pub cache_bytes: usize,
    /// Whether workers take over what others have verified.
    pub share: bool,
    /// Whether the upstream gets a field in place of a credential that was taken away, so that caches
    /// on the way see that there was one.
    pub marker: bool,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            header: "authorization".to_owned(),
            scheme: "Bearer".to_owned(),
            max_bytes: 8192,
            budget: Duration::from_millis(2),
            cache_bytes: 4 << 20,
            share: false,
            marker: false,
        }
    }
}
