//! What would have to be otherwise for a request to come past the step that refused it.

use postern_core::decision::Reason;
use postern_core::gate::Settings;

use crate::trial::Answer;

/// One sentence, for whoever has to change something.
pub fn of(reason: Reason, answer: &Answer, config: &Settings) -> String {
    let detail = answer.detail();
    match reason {
        Reason::PathAmbiguous => "send a path that has one reading: no encoded slashes, no dot segments, and nothing encoded that a route spells out".into(),
        Reason::MethodAmbiguous => format!("send the request with the method that is meant, in upper case: {detail}"),
        Reason::QueryAmbiguous => format!("send the parameter once, under its own name: {detail}"),
        Reason::ConnectionAmbiguous => "name no such field in Connection".into(),
        Reason::UpstreamMismatch => "have the proxy send the route's requests to one of its upstreams, or name that one".into(),
        Reason::RouteUnknown => "add a route, or ask for what one of the nearest is for".into(),
        Reason::CredentialMissing => {
            format!("send a token in {} with the scheme {}", config.callers.tokens.header, config.callers.tokens.scheme)
        }
        Reason::CredentialAmbiguous => "send one credential, in one way".into(),
        Reason::CredentialMalformed => "send a compact JWS of three parts, unaltered".into(),
        Reason::IssuerUnknown => {
            let known: Vec<&str> = config.callers.issuers.iter().map(|issuer| issuer.issuer.as_str()).collect();
            format!("use a token whose iss is configured: {}", known.join(", "))
        }
        Reason::TrustDomainUnknown => "use an SVID of a trust domain that is configured, or add that one".into(),
        Reason::AlgorithmNotAllowed => "sign with an algorithm that the issuer's configuration allows".into(),
        Reason::KeyUnknown => "publish the key of that kid in the issuer's key set, or sign with one that is there".into(),
        Reason::SignatureInvalid => "have the issuer sign the token, and leave it unaltered".into(),
        Reason::KeyAmbiguous => "have the issuer name the key in its tokens (kid), or publish fewer; tokens.budget says what may be tried".into(),
        Reason::TypeMismatch => "use a token of the type that the issuer's profile takes".into(),
        Reason::TokenExpired => "get a new token".into(),
        Reason::TokenNotYetValid => "wait, or set the clocks right: the token begins in the future".into(),
        Reason::TokenLifetimeExceeded => "have the issuer grant shorter tokens, or raise max_lifetime".into(),
        Reason::AudienceMismatch => "have the token issued for one of the configured audiences".into(),
        Reason::ClaimMissing => format!("have the issuer put in what is missing: {detail}"),
        Reason::KeysUnavailable => "the keys are fetched by the proxy, and not here: give a token's claims with \
             --claims, or in a suite put a key in their place (keys: {name: {alg: ES256, issuer: NAME}})".into(),
        Reason::SvidInvalid => format!("use an SVID as the standard has it: {detail}"),
        Reason::ProofMissing | Reason::ProofInvalid => "send the token over a connection with the certificate it is bound to".into(),
        Reason::ClientUnregistered => "register the client in clients, or allow those that are not".into(),
        Reason::ClientSuspended => "set the client's state to active".into(),
        Reason::ClientExpired => "renew the client's registration (expires)".into(),
        Reason::SourceNotAllowed => "call from one of the client's sources, or add this address".into(),
        Reason::ScopeMissing => format!("have the token granted what it lacks: {detail}"),
        Reason::NotAllowed => format!("make the condition of allow hold: {detail}"),
        Reason::ContextDenied => format!("make the condition hold: {detail}"),
        Reason::RiskDenied => "wait for the score to fall, or look at what it is made of".into(),
        Reason::RateLimited | Reason::QuotaExceeded | Reason::SourceThrottled => {
            let wait = answer.field("retry-after");
            wait.map_or("wait".to_owned(), |wait| format!("wait for {wait} s"))
        }
        Reason::LimitsUnavailable | Reason::HostUnavailable => "see to the proxy".into(),
        Reason::ConfigInvalid => "make the configuration valid".into(),
    }
}
