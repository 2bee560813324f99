//! The decision: a pure function of configuration, request, memory and instant.
//!
//! The order is fixed (path, route, credential, signature, claims, proof, scopes, allow, when) and
//! the first failure decides.

use std::rc::Rc;

use crate::config::{Allow, Config, Route};
use crate::crypto::Crypto;
use crate::decision::{Denial, Mode, Reason};
use crate::policy::{Facts, NormalPath, split_target};
use crate::proof::{self, Connection};
use crate::request::{Headers, RequestView};
use crate::time::Now;
use crate::token::{Caller, Known, authenticate, credential};

/// A request as it arrived.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    /// All header fields, pseudo-headers included.
    pub headers: &'a Headers,
    /// The caller's address; none where the host does not say.
    pub source: Option<std::net::IpAddr>,
    /// What can be asked about the connection.
    pub connection: &'a dyn Connection,
    /// When the request came.
    pub now: Now,
}

/// What was decided, and what was learned on the way.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Allow, or deny for a reason.
    pub verdict: Result<(), Denial>,
    /// Whether a denial is enforced.
    pub mode: Mode,
    /// The index of the matched route.
    pub route: Option<usize>,
    /// The caller, once its credential was verified.
    pub caller: Option<Rc<Caller>>,
}

/// Decides a request: `Decision = f(&Config, request, &mut State, Now)`.
pub fn decide(
    config: &Config,
    known: &mut Known,
    crypto: &dyn Crypto,
    arrival: &Arrival<'_>,
) -> Decision {
    let mut decision = Decision {
        verdict: Ok(()),
        mode: config.mode,
        route: None,
        caller: None,
    };
    decision.verdict = steps(config, known, crypto, arrival, &mut decision);
    decision
}

fn steps(
    config: &Config,
    known: &mut Known,
    crypto: &dyn Crypto,
    arrival: &Arrival<'_>,
    decision: &mut Decision,
) -> Result<(), Denial> {
    let target = arrival.headers.only(":path").unwrap_or_default();
    let (raw_path, query) = split_target(target);
    let path = NormalPath::parse(raw_path)
        .map_err(|error| Denial::new(Reason::PathAmbiguous, error.to_string()))?;
    let method = text(arrival.headers.only(":method"));
    let authority = text(arrival.headers.only(":authority"));
    let Some(matched) = config.routes.find(authority, method, &path) else {
        return Err(Denial::new(
            Reason::RouteUnknown,
            "no route matches the host, method and path",
        ));
    };
    let route = matched.route;
    decision.route = Some(matched.index);
    decision.mode = route.mode.unwrap_or(config.mode);
    if route.public {
        return Ok(());
    }
    let query = query.map(|query| std::str::from_utf8(query)).transpose();
    let query = query.map_err(|_| Denial::new(Reason::PathAmbiguous, "the query is not UTF-8"))?;
    let token = credential::token(arrival.headers, query, &config.tokens)?;
    let caller = authenticate(config, known, crypto, token, arrival.now)?;
    decision.caller = Some(Rc::clone(&caller));
    proof::check(caller.claims().raw(), arrival.connection)?;
    check_allow(&route.allow, &caller, config)?;
    let view = RequestView {
        method,
        authority,
        query,
        headers: arrival.headers,
        source: arrival.source,
        body_bytes: declared_body(arrival.headers),
    };
    check_when(route, &view, &caller, arrival.now)
}

// Scopes come before the rest of `allow`, so that a caller who lacks only a scope is told which.
fn check_allow(allow: &Allow, caller: &Caller, config: &Config) -> Result<(), Denial> {
    allow.scopes.check(caller.scopes()).map_err(|missing| {
        let mut denial = Denial::new(Reason::ScopeMissing, missing.to_string());
        denial.scopes = missing.missing;
        denial
    })?;
    if allow
        .issuers
        .as_ref()
        .is_some_and(|issuers| !issuers.contains(&caller.issuer()))
    {
        let name = config
            .issuers
            .get(caller.issuer())
            .map_or("", |issuer| &issuer.name);
        return Err(Denial::new(
            Reason::NotAllowed,
            format!("the route does not allow the issuer \"{name}\""),
        ));
    }
    allow.claims.iter().try_for_each(|condition| {
        condition.check(caller.claims().raw()).map_err(|mismatch| {
            Denial::new(
                Reason::NotAllowed,
                format!("the claim {} {mismatch}", condition.claim.as_str()),
            )
        })
    })
}

fn check_when(
    route: &Route,
    view: &RequestView<'_>,
    caller: &Caller,
    now: Now,
) -> Result<(), Denial> {
    let token_age = caller
        .claims()
        .issued_at()
        .map(|iat| now.since(iat.instant()));
    let facts = Facts {
        request: *view,
        now,
        token_age,
    };
    route
        .when
        .check(&facts)
        .map_err(|refusal| Denial::new(Reason::ContextDenied, refusal.to_string()))
}

fn text(value: Option<&[u8]>) -> &str {
    value
        .and_then(|value| std::str::from_utf8(value).ok())
        .unwrap_or_default()
}

fn declared_body(headers: &Headers) -> Option<u64> {
    text(headers.only("content-length")).parse().ok()
}
