//! What the upstream is told: what a caller forged is taken out, what Postern knows is put in.

use crate::config::{Config, Issuer, TrustDomain};
use crate::decision::{Denial, Mode, Reason};
use crate::gate::decide::Decision;
use crate::host::{Host, HostError};
use crate::request::Headers;
use crate::spiffe::Signatory;
use crate::token::caller::claim_text;
use crate::token::certificate::{FORWARDED, Forwarding};
use crate::token::{Caller, credential};

/// The prefix of the fields that only Postern may set.
const OWN: &[u8] = b"x-postern-";

/// Rewrites the request of a decision that lets it through.
///
/// Forged fields go first, on every route. Where the decision is only observed the credential
/// stays, since an upstream may still rely on it.
///
/// # Errors
/// `host_unavailable` where the host refuses a call: the upstream could then trust a forged field.
pub fn prepare(
    host: &dyn Host,
    headers: &Headers,
    config: &Config,
    decision: &Decision,
) -> Result<(), Denial> {
    // Whom the gate would have refused is not introduced: the upstream could take it for consent.
    let caller = decision
        .caller
        .as_deref()
        .filter(|_| decision.verdict.is_ok());
    let rewritten = strip(host, headers, config, &decision.forwarding)
        .and_then(|()| forward_certificate(host, headers, &decision.forwarding))
        .and_then(|()| hide_credential(host, headers, config, decision))
        .and_then(|()| caller.map_or(Ok(()), |caller| introduce(host, config, caller)))
        .and_then(|()| caller.map_or(Ok(()), |_| warn(host, decision)));
    rewritten
        .map_err(|error| host_unavailable("the host did not let a request field be changed", error))
}

/// Takes forged fields out of the request's trailers.
///
/// # Errors
/// `host_unavailable` where the host refuses a call.
pub fn strip_trailers(host: &dyn Host, config: &Config) -> Result<(), Denial> {
    let stripped = host.request_trailers().and_then(|trailers| {
        forged(&trailers, config, b"")
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
    config: &Config,
    forwarding: &Forwarding,
) -> Result<(), HostError> {
    // Where certificates are taken, `forward_certificate` says whether the field stays.
    let kept = match forwarding {
        Forwarding::Untouched => "",
        Forwarding::Removed | Forwarding::Only(_) => FORWARDED,
    };
    forged(headers, config, kept.as_bytes())
        .into_iter()
        .try_for_each(|name| host.remove_request_header(name))
}

/// The names, once each, of the fields but for `kept` that callers may not set.
fn forged<'a>(headers: &'a Headers, config: &Config, kept: &[u8]) -> Vec<&'a [u8]> {
    let mut names: Vec<&[u8]> = Vec::new();
    for (name, _) in headers.iter() {
        // Where it is not yet is where it goes; sorting them all at once is 10 KB of the module.
        if !name.eq_ignore_ascii_case(kept)
            && is_reserved(name, config)
            && let Err(at) = names.binary_search(&name)
        {
            names.insert(at, name);
        }
    }
    names
}

fn is_reserved(name: &[u8], config: &Config) -> bool {
    let prefixed = name
        .get(..OWN.len())
        .is_some_and(|start| same_field(start, OWN));
    prefixed
        || same_field(name, FORWARDED.as_bytes()) && config.takes_certificates()
        || config
            .issuers
            .iter()
            .flat_map(|issuer| &issuer.claim_headers)
            .any(|claim| same_field(name, claim.header.as_bytes()))
}

// RFC 3875 section 4.1.18: gateways to CGI and its heirs turn `-` into `_`, so that a caller's
// `x_postern_identity` would reach the program under the same name as Postern's own field.
fn same_field(name: &[u8], own: &[u8]) -> bool {
    let folded = |byte: &u8| {
        if *byte == b'_' {
            b'-'
        } else {
            byte.to_ascii_lowercase()
        }
    };
    name.len() == own.len() && name.iter().map(folded).eq(own.iter().map(folded))
}

fn hide_credential(
    host: &dyn Host,
    headers: &Headers,
    config: &Config,
    decision: &Decision,
) -> Result<(), HostError> {
    let tokens = &config.tokens;
    let sent = headers
        .iter()
        .any(|(name, value)| credential::is_credential(name, value, tokens));
    if sent && decision.mode == Mode::Enforce && !forwards(config, decision) {
        return host.remove_request_header(tokens.header.as_bytes());
    }
    Ok(())
}

// Where nobody was verified (a public route) no issuer speaks for the token, so that it is passed
// on only where some issuer wants its tokens passed on.
fn forwards(config: &Config, decision: &Decision) -> bool {
    let of_issuer = |issuer: &Issuer| issuer.forward;
    let of_domain =
        |domain: &TrustDomain| domain.jwt_svid.as_ref().is_some_and(|svid| svid.forward);
    match &decision.caller {
        Some(caller) => match caller.signatory() {
            Signatory::Issuer(index) => config.issuers.get(index).is_some_and(of_issuer),
            Signatory::TrustDomain(index) => config.trust_domains.get(index).is_some_and(of_domain),
        },
        None => config.issuers.iter().any(of_issuer) || config.trust_domains.iter().any(of_domain),
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

fn introduce(host: &dyn Host, config: &Config, caller: &Caller) -> Result<(), HostError> {
    host.set_request_header("x-postern-identity", caller.identity())?;
    if let Some(client) = caller.client() {
        host.set_request_header("x-postern-client", client)?;
    }
    host.set_request_header("x-postern-scopes", caller.scope_line())?;
    let issuer = match caller.signatory() {
        Signatory::Issuer(index) => config.issuers.get(index),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_names_are_the_same_where_a_gateway_would_make_them_so() {
        for name in [
            "x-postern-identity",
            "X-Postern-Identity",
            "x_postern_identity",
            "x-postern_identity",
        ] {
            assert!(same_field(name.as_bytes(), b"x-postern-identity"), "{name}");
        }
        for name in [
            "x-postern-identit",
            "x-postern-identity2",
            "x.postern.identity",
        ] {
            assert!(
                !same_field(name.as_bytes(), b"x-postern-identity"),
                "{name}"
            );
        }
    }
}
