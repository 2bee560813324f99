//! What the upstream is told: what a caller forged is taken out, what Postern knows is put in.

use smallvec::SmallVec;

use crate::caller::certificate::{FORWARDED, Forwarding};
use crate::caller::identity::{Proven, claim_text};
use crate::caller::settings::{Issuer, Tokens};
use crate::caller::{Caller, credential};
use crate::decision::{Denial, Mode, Reason};
use crate::gate::caches::MARKER;
use crate::gate::decide::Decision;
use crate::gate::fields::is_reserved;
use crate::gate::settings::Settings;
use crate::host::{Host, HostError};
use crate::request::Headers;
use crate::spiffe::Signatory;

/// Rewrites the request of a decision that lets it through; says whether it goes on without the
/// credential that tells caches whose the answer is.
///
/// Forged fields go first, on every route. Where the decision is only observed the credential
/// stays, since an upstream may still rely on it.
///
/// # Errors
/// `host_unavailable` where the host refuses a call: the upstream could then trust a forged field.
pub fn prepare(
    host: &dyn Host,
    headers: &Headers,
    config: &Settings,
    decision: &Decision,
) -> Result<bool, Denial> {
    // Whom the gate would have refused is not introduced: the upstream could take it for consent.
    let caller = decision
        .caller
        .as_deref()
        .filter(|_| decision.verdict.is_ok());
    let rewritten = strip(host, headers, config, decision)
        .and_then(|()| forward_certificate(host, headers, &decision.forwarding))
        .and_then(|()| caller.map_or(Ok(()), |caller| introduce(host, config, caller)))
        .and_then(|()| caller.map_or(Ok(()), |_| warn(host, decision)))
        .and_then(|()| {
            let hidden =
                Credential::of(config, decision).is_hidden(headers, &config.callers.tokens);
            if hidden && config.callers.tokens.marker {
                host.set_request_header(credential::AUTHORIZATION, MARKER)?;
            }
            Ok(hidden)
        });
    rewritten
        .map_err(|error| host_unavailable("the host did not let a request field be changed", error))
}

/// Takes forged fields and credentials out of the request's trailers, where nobody verifies any.
///
/// # Errors
/// `host_unavailable` where the host refuses a call.
pub fn strip_trailers(host: &dyn Host, config: &Settings) -> Result<(), Denial> {
    let goes = |name: &[u8], _: &[u8]| {
        is_reserved(name, config)
            || credential::is_field(name, &config.callers.tokens)
            || config.upstream.removes(name)
    };
    let stripped = host.request_trailers().and_then(|trailers| {
        names(&trailers, goes)
            .into_iter()
            .try_for_each(|name| host.remove_request_trailer(name))
    });
    stripped.map_err(|error| {
        host_unavailable("the host did not let a request trailer be changed", error)
    })
}

/// A denial for a host that refused a call the decision depends on.
#[must_use]
pub fn host_unavailable(what: &str, error: HostError) -> Denial {
    Denial::new(
        Reason::HostUnavailable,
        format!("{what} (status {})", error.0),
    )
}

fn strip(
    host: &dyn Host,
    headers: &Headers,
    config: &Settings,
    decision: &Decision,
) -> Result<(), HostError> {
    // Where certificates are taken, `forward_certificate` says whether the field stays.
    let kept = match decision.forwarding {
        Forwarding::Untouched => "",
        Forwarding::Removed | Forwarding::Only(_) => FORWARDED,
    };
    let credential = Credential::of(config, decision);
    let goes = |name: &[u8], value: &[u8]| {
        if is_reserved(name, config) {
            return !name.eq_ignore_ascii_case(kept.as_bytes());
        }
        credential.goes(name, value, &config.callers.tokens) || config.upstream.removes(name)
    };
    names(headers, goes)
        .into_iter()
        .try_for_each(|name| host.remove_request_header(name))
}

/// As many as most requests have to have taken out, without an allocation; or more, with one.
type Names<'a> = SmallVec<[&'a [u8]; 4]>;

/// The names, once each, of the fields that go.
fn names(headers: &Headers, goes: impl Fn(&[u8], &[u8]) -> bool) -> Names<'_> {
    let mut names = Names::new();
    for (name, value) in headers.iter() {
        // Where it is not yet is where it goes; sorting them all at once is 10 KB of the module.
        if !name.starts_with(b":")
            && goes(name, value)
            && let Err(at) = names.binary_search(&name)
        {
            names.insert(at, name);
        }
    }
    names
}

/// What becomes of what the caller sent in the fields of credentials.
#[derive(Clone, Copy)]
enum Credential {
    /// It stays, whatever it is.
    Stays,
    /// Of a request that anybody may send, what is no token stays.
    TokensGo,
    /// What was verified stays, and nothing else.
    VerifiedStays,
    /// All of it goes.
    Goes,
}

impl Credential {
    fn of(config: &Settings, decision: &Decision) -> Self {
        match &decision.caller {
            _ if decision.mode == Mode::Observe => Self::Stays,
            // A public route.
            None if decision.passes_on => Self::VerifiedStays,
            None => Self::TokensGo,
            Some(caller) => match caller.proven() {
                Proven::Jwt | Proven::JwtSvid if config.callers.forwards(caller.signatory()) => {
                    Self::VerifiedStays
                }
                _ => Self::Goes,
            },
        }
    }

    /// Whether caches behind the gate, or before it, cannot see that a credential was sent: a certificate
    /// and a field that is not `authorization` are none to them (RFC 9111 section 3.5).
    fn is_hidden(self, headers: &Headers, tokens: &Tokens) -> bool {
        match self {
            Self::Stays => false,
            Self::TokensGo => headers
                .iter()
                .any(|(name, value)| self.goes(name, value, tokens)),
            Self::VerifiedStays => tokens.header != credential::AUTHORIZATION,
            Self::Goes => true,
        }
    }

    fn goes(self, name: &[u8], value: &[u8], tokens: &Tokens) -> bool {
        credential::is_field(name, tokens)
            && match self {
                Self::Stays => false,
                Self::TokensGo => credential::is_meant(value, tokens),
                Self::VerifiedStays => !name.eq_ignore_ascii_case(tokens.header.as_bytes()),
                Self::Goes => true,
            }
    }
}

fn forward_certificate(
    host: &dyn Host,
    headers: &Headers,
    forwarding: &Forwarding,
) -> Result<(), HostError> {
    let mut fields = headers.all(FORWARDED);
    match (fields.next(), forwarding) {
        (None, _) | (_, Forwarding::Untouched) => Ok(()),
        (Some(_), Forwarding::Removed) => host.remove_request_header(FORWARDED.as_bytes()),
        (Some(only), Forwarding::Only(element))
            if only == element.as_bytes() && fields.next().is_none() =>
        {
            Ok(())
        }
        (Some(_), Forwarding::Only(element)) => host.set_request_header(FORWARDED, element),
    }
}

fn introduce(host: &dyn Host, config: &Settings, caller: &Caller) -> Result<(), HostError> {
    host.set_request_header("x-postern-identity", caller.identity())?;
    if let Some(client) = caller.client() {
        host.set_request_header("x-postern-client", client)?;
    }
    host.set_request_header("x-postern-scopes", caller.scope_line())?;
    let issuer = match caller.signatory() {
        Signatory::Issuer(index) => config.callers.issuers.get(index),
        Signatory::TrustDomain(_) => None,
    };
    issuer.map_or(Ok(()), |issuer| hand_over_claims(host, issuer, caller))
}

/// Tells the upstream of a score about which anything is done.
fn warn(host: &dyn Host, decision: &Decision) -> Result<(), HostError> {
    match &decision.risk {
        Some(risk) if risk.reaction.tagged => {
            host.set_request_header("x-postern-risk", &risk.score.to_string())
        }
        _ => Ok(()),
    }
}

fn hand_over_claims(host: &dyn Host, issuer: &Issuer, caller: &Caller) -> Result<(), HostError> {
    issuer.claim_headers.iter().try_for_each(|claim| {
        match claim
            .claim
            .lookup(caller.claims().raw())
            .and_then(claim_text)
        {
            Some(text) => host.set_request_header(&claim.header, &text),
            None => Ok(()),
        }
    })
}
