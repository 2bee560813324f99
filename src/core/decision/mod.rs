//! What a decision is: allow, or deny for one stable reason.
//!
//! The reasons are the contract of the configuration reference: a code never changes its meaning.
//! The enum is exhaustive on purpose, so that a new reason breaks every match that must know it.

mod rate_fields;
mod reply;

use std::borrow::Cow;
use std::time::Duration;

pub use rate_fields::{RateFields, whole_millis, whole_seconds};
pub use reply::{Asked, Detail, GrpcStatus, Reply, ReplyOptions, Responses, is_grpc};

/// Whether a refusal is enforced, or only counted and audited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// A refused request is answered by Postern and never reaches the upstream.
    #[default]
    Enforce,
    /// A refused request is let through; the decision is audited.
    Observe,
}

impl Mode {
    /// The word used in the configuration and in audit events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
}

/// How far a refused request came; the steps of `gate::steps` in three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// It is not certain what it asks, or whose it is.
    Caller,
    /// Its caller is known, and may not: what risk counts as a refusal.
    Permission,
    /// Its caller may, and was refused for how much it does, or since something failed later.
    Permitted,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal, $title:literal;)+) => {
        /// Why a request is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$doc])* $name,)+
        }

        impl Reason {
            /// Every reason, in the order of the configuration reference.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable code that callers and audit see.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The HTTP status of the reply.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }

            /// One short sentence for people, the same for every occurrence (RFC 9457 section 3.1.3).
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
        }
    };
}

reasons! {
    /// The path could be read differently by another reader.
    PathAmbiguous = "path_ambiguous", 400, "The path can be read in more than one way.";
    /// The method is not in upper case, or none, or another reader could take another one.
    MethodAmbiguous = "method_ambiguous", 400, "The method can be read in more than one way.";
    /// A parameter that decides could be read differently by another reader.
    QueryAmbiguous = "query_ambiguous", 400, "The query can be read in more than one way.";
    /// `Connection` names a field that decides, or that the upstream is told in.
    ConnectionAmbiguous = "connection_ambiguous", 400, "Connection names a field that must arrive.";
    /// No configured route matches.
    RouteUnknown = "route_unknown", 403, "No route matches this request.";
    /// The proxy has chosen an upstream that the route does not name.
    UpstreamMismatch = "upstream_mismatch", 403, "The upstream is not the route's.";
    /// No credential was sent.
    CredentialMissing = "credential_missing", 401, "A credential is needed.";
    /// Two credentials, or two ways of sending one.
    CredentialAmbiguous = "credential_ambiguous", 400, "More than one credential was sent.";
    /// Not a compact JWS within the bounds.
    CredentialMalformed = "credential_malformed", 401, "The credential is malformed.";
    /// No configured issuer has the token's `iss`.
    IssuerUnknown = "issuer_unknown", 401, "The token's issuer is not known.";
    /// The token's `alg` is not one the issuer's keys may be used with.
    AlgorithmNotAllowed = "algorithm_not_allowed", 401, "The token's algorithm is not allowed.";
    /// No key of the issuer fits the token.
    KeyUnknown = "key_unknown", 401, "The token's key is not known.";
    /// The signature does not hold.
    SignatureInvalid = "signature_invalid", 401, "The token's signature is not valid.";
    /// Several keys fit the token, and it does not hold under those that may be tried.
    KeyAmbiguous = "key_ambiguous", 401, "Several keys could have signed the token and it names none (kid).";
    /// The token's `typ` is not one this issuer's profile takes.
    TypeMismatch = "type_mismatch", 401, "The token's type is not accepted.";
    /// `exp` is past.
    TokenExpired = "token_expired", 401, "The token has expired.";
    /// `nbf` or `iat` is ahead.
    TokenNotYetValid = "token_not_yet_valid", 401, "The token is not valid yet.";
    /// `exp - iat` is more than the issuer may grant.
    TokenLifetimeExceeded = "token_lifetime_exceeded", 401, "The token's lifetime is too long.";
    /// `aud` names none of the configured audiences.
    AudienceMismatch = "audience_mismatch", 401, "The token is for another audience.";
    /// A claim that must be there is not, or is of another type.
    ClaimMissing = "claim_missing", 401, "The token lacks a claim it must have.";
    /// No key set could be had yet.
    KeysUnavailable = "keys_unavailable", 503, "The issuer's keys are not available.";
    /// Not a valid SPIFFE verifiable identity document.
    SvidInvalid = "svid_invalid", 401, "The SPIFFE identity document is not valid.";
    /// The SPIFFE trust domain is not configured.
    TrustDomainUnknown = "trust_domain_unknown", 401, "The SPIFFE trust domain is not known.";
    /// The token is bound to a proof, and none was given.
    ProofMissing = "proof_missing", 401, "A proof of possession is needed.";
    /// The proof of possession does not hold.
    ProofInvalid = "proof_invalid", 401, "The proof of possession is not valid.";
    /// The caller is no registered client.
    ClientUnregistered = "client_unregistered", 403, "The client is not registered.";
    /// The client is suspended.
    ClientSuspended = "client_suspended", 403, "The client is suspended.";
    /// The client's registration has ended.
    ClientExpired = "client_expired", 403, "The client's registration has ended.";
    /// The client may not call from this address.
    SourceNotAllowed = "source_not_allowed", 403, "The client may not call from this address.";
    /// A scope is missing, or one that must not be there is.
    ScopeMissing = "scope_missing", 403, "The token's scope is not sufficient.";
    /// The route's `allow` does not name the caller.
    NotAllowed = "not_allowed", 403, "The caller is not allowed here.";
    /// A condition of the route's `when` does not hold.
    ContextDenied = "context_denied", 403, "The request's context is not allowed here.";
    /// The risk score is too high.
    RiskDenied = "risk_denied", 403, "The request was refused as abnormal.";
    /// A rate limit is used up.
    RateLimited = "rate_limited", 429, "The rate limit is used up.";
    /// A quota is used up.
    QuotaExceeded = "quota_exceeded", 429, "The quota is used up.";
    /// Too many failed authentications from this source.
    SourceThrottled = "source_throttled", 429, "Too many failed attempts from this address.";
    /// The limits could not be read.
    LimitsUnavailable = "limits_unavailable", 503, "The limits are not available.";
    /// The host refused a call that the decision depends on.
    HostUnavailable = "host_unavailable", 503, "The proxy refused a call the gate depends on.";
    /// The configuration is not valid.
    ConfigInvalid = "config_invalid", 503, "The gate is not configured.";
}

impl Reason {
    /// The step that refuses for it.
    #[must_use]
    pub const fn step(self) -> Reached {
        match self {
            Self::PathAmbiguous
            | Self::MethodAmbiguous
            | Self::QueryAmbiguous
            | Self::ConnectionAmbiguous
            | Self::RouteUnknown
            | Self::UpstreamMismatch
            | Self::CredentialMissing
            | Self::CredentialAmbiguous
            | Self::CredentialMalformed
            | Self::IssuerUnknown
            | Self::AlgorithmNotAllowed
            | Self::KeyUnknown
            | Self::SignatureInvalid
            | Self::KeyAmbiguous
            | Self::TypeMismatch
            | Self::TokenExpired
            | Self::TokenNotYetValid
            | Self::TokenLifetimeExceeded
            | Self::AudienceMismatch
            | Self::ClaimMissing
            | Self::KeysUnavailable
            | Self::SvidInvalid
            | Self::TrustDomainUnknown
            | Self::SourceThrottled
            | Self::ConfigInvalid => Reached::Caller,
            Self::ProofMissing
            | Self::ProofInvalid
            | Self::ClientUnregistered
            | Self::ClientSuspended
            | Self::ClientExpired
            | Self::SourceNotAllowed
            | Self::ScopeMissing
            | Self::NotAllowed
            | Self::ContextDenied => Reached::Permission,
            Self::RiskDenied
            | Self::RateLimited
            | Self::QuotaExceeded
            | Self::LimitsUnavailable
            | Self::HostUnavailable => Reached::Permitted,
        }
    }

    /// Whether a token that was refused for this will be again, by the same keys and configuration.
    #[must_use]
    pub const fn lasts(self) -> bool {
        match self {
            // What the token says, and whether its signature holds. (A proxy that does not answer is no
            // refusal: then the module checks the signature itself.)
            Self::CredentialMalformed
            | Self::IssuerUnknown
            | Self::TrustDomainUnknown
            | Self::AlgorithmNotAllowed
            | Self::KeyUnknown
            | Self::SignatureInvalid
            | Self::KeyAmbiguous
            | Self::TypeMismatch
            | Self::TokenExpired
            | Self::TokenLifetimeExceeded
            | Self::AudienceMismatch
            | Self::ClaimMissing
            | Self::SvidInvalid => true,
            // Time makes it good.
            Self::TokenNotYetValid => false,
            // What was not there may be a moment later.
            Self::KeysUnavailable
            | Self::LimitsUnavailable
            | Self::HostUnavailable
            | Self::ConfigInvalid => false,
            // Said of a request, not of its token.
            Self::PathAmbiguous
            | Self::MethodAmbiguous
            | Self::QueryAmbiguous
            | Self::ConnectionAmbiguous
            | Self::RouteUnknown
            | Self::UpstreamMismatch
            | Self::CredentialMissing
            | Self::CredentialAmbiguous
            | Self::ProofMissing
            | Self::ProofInvalid
            | Self::ClientUnregistered
            | Self::ClientSuspended
            | Self::ClientExpired
            | Self::SourceNotAllowed
            | Self::ScopeMissing
            | Self::NotAllowed
            | Self::ContextDenied
            | Self::RiskDenied
            | Self::RateLimited
            | Self::QuotaExceeded
            | Self::SourceThrottled => false,
        }
    }
}

/// A refusal: the stable reason, and what audit (and a caller, where configured) may know more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The stable reason.
    pub reason: Reason,
    /// What happened in this occurrence. Never holds a token, a signature or a secret.
    pub detail: Cow<'static, str>,
    /// The scopes that would have been needed, for `scope_missing`; empty otherwise.
    pub scopes: Vec<String>,
    /// For how long the same request would be refused for the same reason; none where that is not
    /// known, or for ever.
    pub retry_after: Option<Duration>,
}

impl Denial {
    /// Makes a refusal with a sentence about this occurrence.
    pub fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            scopes: Vec::new(),
            retry_after: None,
        }
    }

    /// The same refusal, which ends after that time.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_known_caller_may_not_is_refused_by_permission() {
        let at = |step: Reached| {
            let reasons = Reason::ALL
                .iter()
                .filter(move |reason| reason.step() == step);
            reasons.map(|reason| reason.code()).collect::<Vec<_>>()
        };
        assert_eq!(
            at(Reached::Permission),
            [
                "proof_missing",
                "proof_invalid",
                "client_unregistered",
                "client_suspended",
                "client_expired",
                "source_not_allowed",
                "scope_missing",
                "not_allowed",
                "context_denied",
            ]
        );
        assert_eq!(
            at(Reached::Permitted),
            [
                "risk_denied",
                "rate_limited",
                "quota_exceeded",
                "limits_unavailable",
                "host_unavailable",
            ]
        );
        let unauthorised = Reason::ALL.iter().filter(|reason| reason.status() == 401);
        let mut known = unauthorised.filter(|reason| reason.step() != Reached::Caller);
        assert!(known.all(|reason| reason.code().starts_with("proof_")));
    }

    #[test]
    fn codes_are_unique_and_statuses_are_those_of_the_reference() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
        assert!(
            Reason::ALL
                .iter()
                .all(|reason| matches!(reason.status(), 400 | 401 | 403 | 429 | 503))
        );
    }
}
