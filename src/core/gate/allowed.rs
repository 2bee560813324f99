//! Whether a caller may: registered, bound to what it must be, and allowed on the route.
//!
//! Pure, as [`decide`](super::decide) is, which says in which order this is asked.

use std::borrow::Cow;

use super::decide::Arrival;
use super::decide::Judge;
use crate::caller::certificate::Presented;
use crate::caller::{Caller, Refusal};
use crate::decision::{Denial, Reason};
use crate::gate::settings::{Route, Settings};
use crate::policy::Allow;
use crate::proof::Demand;
use crate::spiffe::Signatory;

/// Checks that the caller is registered, where it must be, and what its registrations ask.
pub(super) fn check_client(
    judge: &Judge<'_>,
    caller: &Caller,
    arrival: &Arrival<'_>,
) -> Result<(), Denial> {
    let clients = &judge.config.callers.clients;
    if caller.registration().is_none() && !clients.unregistered {
        let detail = format!("{} is no registered client", caller.identity());
        return Err(Denial::new(Reason::ClientUnregistered, detail));
    }
    check_registrations(judge, caller, arrival)
}

/// Checks what every registration of a caller asks.
pub(super) fn check_registrations(
    judge: &Judge<'_>,
    caller: &Caller,
    arrival: &Arrival<'_>,
) -> Result<(), Denial> {
    let header = judge.config.audit.purpose_header.as_deref();
    let purpose = header.and_then(|name| arrival.headers.sole(name).one());
    let mut clients = judge.config.callers.clients.each(caller.registrations());
    clients.try_for_each(|client| client.check(arrival.source, purpose, judge.now))
}

/// Checks that a token is bound where the route or its client asks for it; that the binding holds
/// has been seen already.
pub(super) fn check_proof(route: &Route, caller: &Caller, config: &Settings) -> Result<(), Denial> {
    let clients = config.callers.clients.each(caller.registrations());
    let needed = clients.fold(route.proof, |needed, client| needed.max(client.proof));
    if needed == Demand::None || caller.is_certificate_bound() {
        return Ok(());
    }
    Err(Denial::new(
        Reason::ProofMissing,
        "the token must be bound to the certificate of its sender (cnf.x5t#S256), and is not",
    ))
}

// Scopes come before the rest of `allow`, so that a caller who lacks only a scope is told which.
pub(super) fn check_allow(
    allow: &Allow,
    caller: &Caller,
    presented: &Presented,
    config: &Settings,
) -> Result<(), Refusal> {
    allow.scopes.check(caller.scopes()).map_err(|missing| {
        let mut denial = Denial::new(Reason::ScopeMissing, missing.to_string());
        denial.scopes = missing.missing;
        denial
    })?;
    let listed = |issuers: &Vec<usize>| match caller.signatory() {
        Signatory::Issuer(index) => issuers.contains(&index),
        Signatory::TrustDomain(_) => false,
    };
    if !allow.issuers.as_ref().is_none_or(listed) {
        let name = config.callers.name_of(caller.signatory());
        return Err(not_allowed(format!(
            "the route does not allow the issuer \"{name}\""
        )));
    }
    let named = |clients: &Vec<usize>| {
        caller
            .registration()
            .is_some_and(|place| clients.binary_search(&place).is_ok())
    };
    if !allow.clients.as_ref().is_none_or(named) {
        return Err(not_allowed("the route does not allow this client"));
    }
    check_workload(allow, caller, presented)?;
    allow.claims.iter().try_for_each(|condition| {
        condition.check(caller.claims().raw()).map_err(|mismatch| {
            not_allowed(format!("the claim {} {mismatch}", condition.claim.as_str()))
        })
    })
}

/// Checks which workload it is: the one that sent its JWT-SVID, or else the one whose certificate
/// it is. Beside `issuers` the token says something else, and it is the certificate's.
fn check_workload(allow: &Allow, caller: &Caller, presented: &Presented) -> Result<(), Refusal> {
    if allow.same_workload {
        check_same(caller, presented)?;
    }
    let Some(patterns) = &allow.spiffe else {
        return Ok(());
    };
    let workload = match caller.workload() {
        Some(workload) if allow.issuers.is_none() => Some(workload),
        _ => presented.caller()?.and_then(|caller| caller.workload()),
    };
    match workload {
        Some(workload) if patterns.matches(workload) => Ok(()),
        Some(workload) => Err(not_allowed(format!(
            "the route does not allow {}",
            workload.as_str()
        ))),
        None => Err(not_allowed(
            "the route needs the X.509-SVID of a workload, and none was presented",
        )),
    }
}

/// The caller by whose certificate a route is opened beside a token: it must not be one that was
/// shut out by itself.
pub(super) fn beside<'p>(
    allow: &Allow,
    caller: &Caller,
    presented: &'p Presented,
) -> Option<&'p Caller> {
    let by_certificate = allow.same_workload
        || allow.spiffe.is_some() && (allow.issuers.is_some() || caller.workload().is_none());
    let presented = presented.caller().ok().flatten()?;
    by_certificate.then_some(&**presented)
}

fn check_same(caller: &Caller, presented: &Presented) -> Result<(), Refusal> {
    let Some(workload) = caller.workload() else {
        return Err(not_allowed(
            "the route needs a JWT-SVID, and the token is none",
        ));
    };
    match presented.caller()?.and_then(|caller| caller.workload()) {
        Some(sender) if sender == workload => Ok(()),
        Some(_) => Err(not_allowed(
            "the JWT-SVID is of another workload than the one that sent it",
        )),
        None => Err(not_allowed(
            "the route needs the X.509-SVID of the workload that the JWT-SVID names",
        )),
    }
}

fn not_allowed(detail: impl Into<Cow<'static, str>>) -> Refusal {
    Denial::new(Reason::NotAllowed, detail).into()
}
