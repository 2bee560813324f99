//! Whether a caller may: registered, bound to what it must be, and allowed on the route.

use std::borrow::Cow;
use std::fmt;

use super::case::{Case, Checked, Learned, Verdict};
use super::request::Request;
use crate::base::{ClientId, IssuerId};
use crate::caller::certificate::Presented;
use crate::caller::{Caller, Refusal};
use crate::decision::{Denial, Reason};
use crate::gate::judge::Judge;
use crate::gate::settings::{Route, Settings};
use crate::policy::{Allow, ClaimCondition, Facts};
use crate::proof;
use crate::proof::Shown;
use crate::spiffe::{Signatory, SpiffePatterns};

/// The caller is registered, where it must be, and calls as its registrations ask.
pub(super) fn client<'a>(judge: &Judge<'a>, request: &Request<'a>, case: &Case<'a>) -> Checked<'a> {
    let (caller, clients) = (case.caller()?, &judge.config.callers.clients);
    if caller.registration().is_none() && !clients.unregistered {
        let detail = format!("{} is no registered client", caller.identity());
        return Err(Denial::new(Reason::ClientUnregistered, detail).into());
    }
    check_registrations(judge, request, caller)?;
    Ok(Learned::Nothing)
}

fn check_registrations(
    judge: &Judge<'_>,
    request: &Request<'_>,
    caller: &Caller,
) -> Result<(), Denial> {
    let header = judge.config.audit.purpose_header.as_deref();
    let purpose = header.and_then(|name| request.headers.sole(name).one());
    let mut clients = judge.config.callers.clients.each(caller.registrations());
    clients.try_for_each(|client| client.check(request.source, purpose, judge.now()))
}

/// Whoever sends a bound token proves it its own, and it is bound where that is asked for.
pub(super) fn proof<'a>(judge: &Judge<'a>, request: &Request<'a>, case: &Case<'a>) -> Checked<'a> {
    let (caller, presented) = (case.caller()?, &case.presented);
    let certificate = &|| presented.sha256(request.connection);
    proof::check(caller.claims().raw(), &Shown { certificate })?;
    check_bound(case.route()?, caller, judge.config)?;
    Ok(Learned::Proven)
}

/// Checks that a token is bound where the route or its client asks for it; that the binding holds
/// has been seen already. A certificate is its sender's own (RFC 8705 section 3).
fn check_bound(route: &Route, caller: &Caller, config: &Settings) -> Result<(), Denial> {
    let clients = config.callers.clients.each(caller.registrations());
    let needed = clients.fold(route.proof, |needed, client| needed.max(client.proof));
    if caller.is_certificate() {
        return Ok(());
    }
    proof::check_bound(caller.claims().confirmation(), needed)
}

/// The token has the scopes that the route asks for; before the rest of `allow`, so that a caller who
/// lacks only a scope is told which.
pub(super) fn scopes<'a>(case: &Case<'a>) -> Checked<'a> {
    let (caller, rule) = (case.caller()?, &case.route()?.allow.scopes);
    if rule.all.is_empty() && rule.any.is_empty() && rule.none.is_empty() {
        return Err(Verdict::NotAsked);
    }
    rule.check(caller.scopes()).map_err(|missing| {
        let mut denial = Denial::new(Reason::ScopeMissing, missing.to_string());
        denial.scopes = missing.missing;
        denial
    })?;
    Ok(Learned::Nothing)
}

/// Every condition of the route's `allow` holds.
pub(super) fn allow<'a>(judge: &Judge<'a>, request: &Request<'a>, case: &Case<'a>) -> Checked<'a> {
    let (caller, allow) = (case.caller()?, &case.route()?.allow);
    if conditions(allow).next().is_none() {
        return Err(Verdict::NotAsked);
    }
    let presented = &case.presented;
    for condition in conditions(allow) {
        condition.check(judge, caller, presented)?;
    }
    // The one by whose certificate the route is opened must not be one that was shut out by itself.
    if let Some(workload) = beside(allow, caller, presented) {
        check_registrations(judge, request, workload)?;
    }
    Ok(Learned::Nothing)
}

/// The caller by whose certificate a route is opened beside a token.
fn beside<'p>(allow: &Allow, caller: &Caller, presented: &'p Presented) -> Option<&'p Caller> {
    let by_certificate = allow.same_workload
        || allow.spiffe.is_some() && (allow.issuers.is_some() || caller.workload().is_none());
    let presented = presented.caller().ok().flatten()?;
    by_certificate.then_some(&**presented)
}

/// One condition of `allow` beside scopes; its text is its place in the configuration.
#[derive(Clone, Copy)]
pub enum AllowCondition<'a> {
    /// The token is of one of these issuers.
    Issuers(&'a [IssuerId]),
    /// The caller is one of these clients, which are in order.
    Clients(&'a [ClientId]),
    /// The JWT-SVID is of the workload that sent it.
    SameWorkload,
    /// It is one of these workloads: the one that sent its JWT-SVID, or else the one whose
    /// certificate it is. Beside `issuers` the token says something else, and it is the certificate's.
    Spiffe {
        /// Which workloads.
        patterns: &'a SpiffePatterns,
        /// Whether a JWT-SVID names it.
        by_token: bool,
    },
    /// A claim, with its place in the list.
    Claim(usize, &'a ClaimCondition),
}

/// The conditions of `allow` beside scopes, in their order.
pub fn conditions(allow: &Allow) -> impl Iterator<Item = AllowCondition<'_>> {
    let issuers = allow.issuers.as_deref().map(AllowCondition::Issuers);
    let clients = allow.clients.as_deref().map(AllowCondition::Clients);
    let same = allow.same_workload.then_some(AllowCondition::SameWorkload);
    let spiffe = allow
        .spiffe
        .as_ref()
        .map(|patterns| AllowCondition::Spiffe {
            patterns,
            by_token: allow.issuers.is_none(),
        });
    let claims = allow.claims.iter().enumerate();
    let claims = claims.map(|(place, claim)| AllowCondition::Claim(place, claim));
    let parts = [issuers, clients, same, spiffe];
    parts.into_iter().flatten().chain(claims)
}

impl AllowCondition<'_> {
    /// Checks a caller, beside whose token that certificate may have come.
    ///
    /// # Errors
    /// `not_allowed`, or why the certificate is not believed.
    pub fn check(
        &self,
        judge: &Judge<'_>,
        caller: &Caller,
        presented: &Presented,
    ) -> Result<(), Refusal> {
        match self {
            Self::Issuers(issuers) => check_issuer(issuers, caller, judge.config),
            Self::Clients(clients) => check_listed(clients, caller),
            Self::SameWorkload => check_same(caller, presented),
            Self::Spiffe { patterns, by_token } => {
                check_workload(patterns, *by_token, caller, presented)
            }
            Self::Claim(_, condition) => Ok(condition.check(caller.claims().raw())?),
        }
    }
}

impl fmt::Display for AllowCondition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuers(_) => f.write_str("allow.issuers"),
            Self::Clients(_) => f.write_str("allow.clients"),
            Self::SameWorkload => f.write_str("allow.same_workload"),
            Self::Spiffe { .. } => f.write_str("allow.spiffe"),
            Self::Claim(place, condition) => write!(f, "allow.claims[{place}] {condition}"),
        }
    }
}

fn check_issuer(issuers: &[IssuerId], caller: &Caller, config: &Settings) -> Result<(), Refusal> {
    match caller.signatory() {
        Signatory::Issuer(place) if issuers.contains(&place) => Ok(()),
        signatory => Err(not_allowed(format!(
            "the route does not allow the issuer \"{}\"",
            config.callers.name_of(signatory)
        ))),
    }
}

fn check_listed(clients: &[ClientId], caller: &Caller) -> Result<(), Refusal> {
    let place = caller.registration();
    if place.is_some_and(|place| clients.binary_search(&place).is_ok()) {
        Ok(())
    } else {
        Err(not_allowed("the route does not allow this client"))
    }
}

fn check_workload(
    patterns: &SpiffePatterns,
    by_token: bool,
    caller: &Caller,
    presented: &Presented,
) -> Result<(), Refusal> {
    let workload = match caller.workload() {
        Some(workload) if by_token => Some(workload),
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

/// Every condition of the route's `when` holds.
pub(super) fn when<'a>(judge: &Judge<'a>, request: &Request<'a>, case: &Case<'a>) -> Checked<'a> {
    let route = case.route()?;
    if route.when.conditions().is_empty() {
        return Err(Verdict::NotAsked);
    }
    let facts = facts(judge, request, case)?;
    route.when.check(&facts)?;
    Ok(Learned::Nothing)
}

/// What the conditions of `when` are about.
///
/// # Errors
/// The caller or the query is not known.
pub fn facts<'a>(
    judge: &Judge<'a>,
    request: &Request<'a>,
    case: &Case<'a>,
) -> Result<Facts<'a>, Verdict> {
    let issued = case.caller()?.claims().issued_at();
    Ok(Facts {
        request: request.view(case.query()?),
        now: judge.now(),
        token_age: issued.map(|iat| judge.now().since(iat.instant())),
    })
}
