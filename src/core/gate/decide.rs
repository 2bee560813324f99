//! The decision: a pure function of configuration, request, memory and instant.
//!
//! The order is fixed (path, method, route, upstream, source pressure, credential, signature, claims, client, proof,
//! scopes, allow, when, risk, limits) and the first failure decides.
//!
//! # Whose request it is
//!
//! Where a token was sent, the token's: limits, headers and audit see its identity, and a certificate
//! beside it is named in audit alone. Where none was sent, the X.509-SVID's, unless the route asks
//! for what only a token can have.

use std::net::IpAddr;
use std::rc::Rc;

use super::allowed::{beside, check_allow, check_client, check_proof, check_registrations};
use super::assessed::{self, Visit, assess};
use super::upstream;
use crate::base::Excerpt;
use crate::base::Now;
use crate::caller::certificate::{Forwarding, Presented, Surroundings};
use crate::caller::identity::Proven;
use crate::caller::{self, Caller, Memory, Refusal, Wanted, credential};
use crate::crypto::Work;
use crate::decision::{Denial, Mode, Reason};
use crate::gate::settings::{METHOD_PARAMETER, Route, Settings};
use crate::limits::pressure::Look;
use crate::limits::{Charged, Counters, RouteLimits, Subject};
use crate::policy::{Facts, Unmatched};
use crate::proof::{self, Connection};
use crate::request::{Headers, RequestView};
use crate::request::{Method, NormalPath, mentions, split_target};
use crate::risk::watch::{Assessment, Desk};

/// What requests are judged by.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    /// What the gate runs on.
    pub config: &'a Settings,
    /// What tokens and certificates are judged by.
    pub callers: caller::Judge<'a>,
    /// When the request came.
    pub now: Now,
}

/// A request as it arrived.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    /// All header fields, pseudo-headers included.
    pub headers: &'a Headers,
    /// The caller's address; none where the host does not say.
    pub source: Option<IpAddr>,
    /// The address that the connection comes from: the caller's, or a proxy's.
    pub peer: Option<IpAddr>,
    /// What can be asked about the connection.
    pub connection: &'a dyn Connection,
    /// Says which of its clusters the proxy has chosen; none where it has chosen none.
    pub upstream: &'a dyn Fn() -> Option<Vec<u8>>,
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
    /// The slot of the keys that judged the token.
    pub judged_by: Option<usize>,
    /// What its signature cost, and might have.
    pub work: Work,
    /// The caller, once its credential was verified.
    pub caller: Option<Rc<Caller>>,
    /// Whose X.509-SVID came beside the caller's token.
    pub beside: Option<Rc<Caller>>,
    /// The trusted proxy that forwarded the caller's certificate.
    pub forwarded_by: Option<String>,
    /// What becomes of `x-forwarded-client-cert`.
    pub forwarding: Forwarding,
    /// Keys that could change the verdict, if they were fetched.
    pub wanted: Option<Wanted>,
    /// How unusual the request is for its caller; none where that is not asked.
    pub risk: Option<Assessment>,
    /// What was charged.
    pub charged: Charged,
    /// Whether the source would have been turned away, if that were enforced.
    pub pressed: bool,
    /// Whether a token that was sent to a public route goes on.
    pub passes_on: bool,
}

impl Decision {
    /// A decision about a request of which nothing was learned.
    #[must_use]
    pub fn bare(verdict: Result<(), Denial>, mode: Mode) -> Self {
        Self {
            verdict,
            mode,
            route: None,
            judged_by: None,
            work: Work::default(),
            caller: None,
            beside: None,
            forwarded_by: None,
            forwarding: Forwarding::default(),
            wanted: None,
            risk: None,
            charged: Charged::default(),
            pressed: false,
            passes_on: false,
        }
    }
}

/// Decides a request: `Decision = f(&Settings, request, &mut State, Now)`.
///
/// The configuration, the keys in force and the instant are in `judge`; the state is the memory of
/// tokens, the counters, and what is known of callers where risk is asked.
pub fn decide(
    judge: &Judge<'_>,
    memory: &mut Memory<'_>,
    counters: &mut Counters<'_>,
    desk: Option<&mut Desk<'_>>,
    arrival: &Arrival<'_>,
) -> Decision {
    let mut decision = Decision::bare(Ok(()), judge.config.mode);
    decision.work = Work::within(judge.config.callers.tokens.budget);
    let around = Surroundings {
        headers: arrival.headers,
        peer: arrival.peer,
        connection: arrival.connection,
    };
    let presented = Presented::of(&judge.callers, memory.known, around);
    let state = State {
        memory,
        counters,
        desk,
    };
    decision.verdict = match steps(judge, state, arrival, &presented, &mut decision) {
        Ok(()) => Ok(()),
        Err(Refusal::Denied(denial)) => Err(denial),
        Err(Refusal::Keys(wanted, denial)) => {
            decision.wanted = Some(wanted);
            Err(denial)
        }
    };
    let by_token = |caller: &Rc<Caller>| matches!(caller.proven(), Proven::Jwt | Proven::JwtSvid);
    if decision.caller.as_ref().is_some_and(by_token) {
        decision.beside = presented.caller().ok().flatten().map(Rc::clone);
    }
    decision.forwarding = presented.forwarding;
    decision.forwarded_by = presented.forwarded_by;
    decision
}

/// What requests change.
struct State<'a, 'm, 'c, 'd> {
    memory: &'a mut Memory<'m>,
    counters: &'a mut Counters<'c>,
    desk: Option<&'a mut Desk<'d>>,
}

fn steps(
    judge: &Judge<'_>,
    state: State<'_, '_, '_, '_>,
    arrival: &Arrival<'_>,
    presented: &Presented,
    decision: &mut Decision,
) -> Result<(), Refusal> {
    let config = judge.config;
    let target = Target::of(arrival.headers)?;
    let matched = config
        .routes
        .find(target.authority, target.method, &target.path)
        .map_err(unmatched)?;
    let route = matched.route;
    decision.route = Some(matched.index);
    decision.mode = config.mode_of(route);
    check_connection(arrival.headers, config)?;
    check_upstream(route, arrival.upstream)?;
    let mut gauge = Gauge {
        judge,
        counters: &mut *state.counters,
        source: arrival.source,
        pressed: &mut decision.pressed,
    };
    if route.public {
        decision.passes_on = passes_on(state.memory, arrival, &mut decision.work, &mut gauge);
        return Ok(());
    }
    gauge.check(Look::Glance)?;
    let query = target.query()?;
    check_method(target.method, query, config)?;
    let caller = match credential::token(arrival.headers, query, &config.callers.tokens) {
        Ok(token) => {
            let before_signature = || gauge.check(Look::Exact);
            judge.callers.authenticate(
                state.memory,
                token,
                &mut decision.judged_by,
                &mut decision.work,
                before_signature,
            )?
        }
        Err(none)
            if !route.allow.needs_token()
                && !credential::is_sent(arrival.headers, query, &config.callers.tokens) =>
        {
            Rc::clone(presented.caller()?.ok_or(none)?)
        }
        Err(denial) => return Err(denial.into()),
    };
    decision.caller = Some(Rc::clone(&caller));
    let view = target.view(query, arrival);
    let proven = prove(judge, route, &caller, presented, arrival);
    // Whoever does not prove a token its own is not its caller, whatever else it is refused for:
    // what a thief does must not count against the owner.
    let is_caller = proven.is_ok();
    let permitted = permit(judge, route, &caller, presented, arrival, &view, proven);
    // A request that keys are wanted for is decided again.
    if let Some(desk) = state.desk
        && is_caller
        && !matches!(permitted, Err(Refusal::Keys(..)))
    {
        let visit = Visit {
            config,
            caller: &caller,
            matched,
            path: &target.path,
            arrival,
            refused: permitted.is_err(),
            now: judge.now,
        };
        decision.risk = Some(assess(desk, &visit));
    }
    permitted?;
    decision.risk.as_ref().map_or(Ok(()), assessed::check)?;
    if route.limits.is_empty() {
        return Ok(());
    }
    let subject = Subject {
        caller: &caller,
        issuer: config.callers.name_of(caller.signatory()),
        route: &route.name,
        view: &view,
    };
    let charged = &mut decision.charged;
    let limits = RouteLimits {
        all: &config.limits,
        places: &route.limits,
        factor: decision
            .risk
            .as_ref()
            .map_or(1, |risk| risk.reaction.factor),
    };
    Ok(state
        .counters
        .charge(limits, &subject, judge.now, charged)?)
}

/// Checks that the proxy, which reads the request too, has come to an upstream of the route.
///
/// # Errors
/// It has chosen another, or none.
pub fn check_upstream(route: &Route, chosen: impl Fn() -> Option<Vec<u8>>) -> Result<(), Denial> {
    if route.upstreams.is_empty() {
        return Ok(());
    }
    let chosen = chosen().unwrap_or_default();
    if route.upstreams.iter().any(|name| name.as_bytes() == chosen) {
        return Ok(());
    }
    let detail = if chosen.is_empty() {
        "the proxy has chosen no upstream".to_owned()
    } else {
        let chosen = String::from_utf8_lossy(&chosen);
        format!("the proxy has chosen {}", Excerpt::of(&chosen))
    };
    Err(Denial::new(Reason::UpstreamMismatch, detail))
}

/// Whether the token that was sent to a public route goes on.
///
/// A signature is checked for it at most, and one that does not hold counts against its source.
fn passes_on(
    memory: &mut Memory<'_>,
    arrival: &Arrival<'_>,
    work: &mut Work,
    gauge: &mut Gauge<'_, '_>,
) -> bool {
    let judge = gauge.judge;
    let config = judge.config;
    if !config.callers.forwards_any() {
        return false;
    }
    let Ok(token) = credential::token(arrival.headers, None, &config.callers.tokens) else {
        return false;
    };
    match judge
        .callers
        .passes_on(memory, token, work, || gauge.check(Look::Exact))
    {
        Ok(passes) => passes,
        Err(denial) => {
            if denial.reason.status() == 401 {
                gauge.failed(*work);
            }
            false
        }
    }
}

/// Checks that no field is named in `Connection` that the upstream is told in, or that decides: who
/// honours it takes the field out of the message (RFC 9110 section 7.6.1).
///
/// # Errors
/// `connection_ambiguous`.
pub fn check_connection(headers: &Headers, config: &Settings) -> Result<(), Denial> {
    // Whatever is no token (RFC 9110 section 5.6.2) ends one.
    let ends = |byte: &u8| !byte.is_ascii_alphanumeric() && !b"!#$%&'*+-.^_`|~".contains(byte);
    let options = headers
        .all("connection")
        .flat_map(|value| value.split(ends));
    if upstream::needs_one(options, config) {
        let detail = "Connection names a field that Postern sets or decides by";
        return Err(Denial::new(Reason::ConnectionAmbiguous, detail));
    }
    Ok(())
}

/// Checks that the query does not tell some upstreams another method.
///
/// # Errors
/// `method_ambiguous`.
pub fn check_method(method: &str, query: Option<&str>, config: &Settings) -> Result<(), Denial> {
    let is_safe = matches!(method, "GET" | "HEAD");
    if is_safe || config.upstream.keeps(METHOD_PARAMETER) || !mentions(query, METHOD_PARAMETER) {
        return Ok(());
    }
    let detail = "the query parameter _method, by which some upstreams take another method";
    Err(Denial::new(Reason::MethodAmbiguous, detail))
}

/// Checks that whoever sends a bound token proves it its own.
fn prove(
    judge: &Judge<'_>,
    route: &Route,
    caller: &Caller,
    presented: &Presented,
    arrival: &Arrival<'_>,
) -> Result<(), Denial> {
    proof::check(caller.claims().raw(), || {
        presented.sha256(arrival.connection)
    })?;
    check_proof(route, caller, judge.config)
}

/// Checks whether a known caller may; `proven` counts behind what its client says.
fn permit(
    judge: &Judge<'_>,
    route: &Route,
    caller: &Caller,
    presented: &Presented,
    arrival: &Arrival<'_>,
    view: &RequestView<'_>,
    proven: Result<(), Denial>,
) -> Result<(), Refusal> {
    check_client(judge, caller, arrival)?;
    proven?;
    check_allow(&route.allow, caller, presented, judge.config)?;
    if let Some(workload) = beside(&route.allow, caller, presented) {
        check_registrations(judge, workload, arrival)?;
    }
    Ok(check_when(route, view, caller, judge.now)?)
}

/// Charges a refusal to the source it came from, if it is one that could be repeated to guess or to
/// wear the gate out; a source that has no failures left is told that instead. Requests of which no
/// source is known are charged as one.
///
/// What is charged is the price of the signatures that were checked for it, and one failure at least.
/// Whoever sends no credential is told to send one, and is not charged for it.
pub fn charge_failure(
    config: &Settings,
    counters: &mut Counters<'_>,
    source: Option<IpAddr>,
    now: Now,
    decision: &mut Decision,
) {
    let (Some(pressure), Err(denial)) = (&config.source.pressure, &decision.verdict) else {
        return;
    };
    let failed = denial.reason.status() == 401 || denial.reason == Reason::CredentialAmbiguous;
    if !failed || denial.reason == Reason::CredentialMissing {
        return;
    }
    let Some(until) = counters.failed(pressure, source, decision.work, now) else {
        return;
    };
    decision.pressed = true;
    if pressure.mode == Mode::Enforce {
        decision.verdict = Err(throttled(source, until, now));
        // As where the source is turned away before its token is looked at.
        decision.judged_by = None;
    }
}

/// Source pressure, looked at twice at most.
struct Gauge<'a, 'b> {
    judge: &'a Judge<'a>,
    counters: &'a mut Counters<'b>,
    source: Option<IpAddr>,
    pressed: &'a mut bool,
}

impl Gauge<'_, '_> {
    fn failed(&mut self, work: Work) {
        if let Some(pressure) = &self.judge.config.source.pressure {
            let (source, now) = (self.source, self.judge.now);
            self.counters.failed(pressure, source, work, now);
        }
    }

    fn check(&mut self, look: Look) -> Result<(), Denial> {
        let Some(pressure) = &self.judge.config.source.pressure else {
            return Ok(());
        };
        let now = self.judge.now;
        let throttled_until = self.counters.throttled(pressure, self.source, look, now);
        let Some(until) = throttled_until else {
            return Ok(());
        };
        *self.pressed = true;
        match pressure.mode {
            Mode::Enforce => Err(throttled(self.source, until, now)),
            Mode::Observe => Ok(()),
        }
    }
}

fn throttled(source: Option<IpAddr>, until: Now, now: Now) -> Denial {
    let wait = until.since(now);
    let detail = match source {
        Some(_) => "too many requests from this address failed to authenticate",
        None => "too many requests of which no address is known failed to authenticate",
    };
    Denial::new(Reason::SourceThrottled, detail).after(wait)
}

/// The denial of a request that has no route.
#[must_use]
pub fn unmatched(why: Unmatched) -> Denial {
    let (reason, detail) = match why {
        Unmatched::Unknown => (
            Reason::RouteUnknown,
            "no route matches the host, method and path",
        ),
        Unmatched::Path => (
            Reason::PathAmbiguous,
            "the path leads to another route, or to none, where it is not decoded, or without its parameters",
        ),
        Unmatched::Host => (
            Reason::RouteUnknown,
            "the host leads to another route without its port or trailing dot",
        ),
    };
    Denial::new(reason, detail)
}

/// The parts of a request that choose its route.
struct Target<'a> {
    method: &'a str,
    authority: &'a str,
    path: NormalPath,
    raw_query: Option<&'a [u8]>,
}

impl<'a> Target<'a> {
    fn of(headers: &'a Headers) -> Result<Self, Denial> {
        let (path, raw_query) = split_target(headers.only(":path").unwrap_or_default());
        let path = NormalPath::parse(path)
            .map_err(|error| Denial::new(Reason::PathAmbiguous, error.to_string()))?;
        let method = text(headers.only(":method"));
        Method::check(method)
            .map_err(|error| Denial::new(Reason::MethodAmbiguous, error.to_string()))?;
        let authority = authority(headers);
        Ok(Self {
            method,
            authority,
            path,
            raw_query,
        })
    }

    fn query(&self) -> Result<Option<&'a str>, Denial> {
        let query = self.raw_query.map(std::str::from_utf8).transpose();
        query.map_err(|_| Denial::new(Reason::PathAmbiguous, "the query is not UTF-8"))
    }

    fn view(&self, query: Option<&'a str>, arrival: &Arrival<'a>) -> RequestView<'a> {
        RequestView {
            method: self.method,
            authority: self.authority,
            query,
            headers: arrival.headers,
            source: arrival.source,
            body_bytes: declared_body(arrival.headers),
        }
    }
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
    Ok(route.when.check(&facts)?)
}

// Several, or one that is not UTF-8, are no host, which is not the same as none.
fn authority(headers: &Headers) -> &str {
    const UNREADABLE: &str = "\u{fffd}";
    let mut values = headers.all(":authority");
    match (values.next(), values.next()) {
        (None, _) => "",
        (Some(only), None) => std::str::from_utf8(only).unwrap_or(UNREADABLE),
        (Some(_), Some(_)) => UNREADABLE,
    }
}

fn text(value: Option<&[u8]>) -> &str {
    value
        .and_then(|value| std::str::from_utf8(value).ok())
        .unwrap_or_default()
}

fn declared_body(headers: &Headers) -> Option<u64> {
    text(headers.only("content-length")).parse().ok()
}
