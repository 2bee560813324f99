//! The decision: a pure function of configuration, request, memory and instant.
//!
//! The order is fixed (path, route, source pressure, credential, signature, claims, proof, scopes,
//! allow, when, limits) and the first failure decides.

use std::net::IpAddr;
use std::rc::Rc;

use crate::config::{Allow, Config, Route};
use crate::decision::{Denial, Mode, Reason};
use crate::limits::pressure::Look;
use crate::limits::{Charged, Counters, RouteLimits, Subject};
use crate::policy::{Facts, NormalPath, split_target};
use crate::proof::{self, Connection};
use crate::request::{Headers, RequestView};
use crate::time::Now;
use crate::token::{Caller, Judge, Known, Refusal, Wanted, credential};

/// A request as it arrived.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    /// All header fields, pseudo-headers included.
    pub headers: &'a Headers,
    /// The caller's address; none where the host does not say.
    pub source: Option<IpAddr>,
    /// What can be asked about the connection.
    pub connection: &'a dyn Connection,
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
    /// The index of the issuer whose keys judged the token.
    pub issuer: Option<usize>,
    /// The caller, once its credential was verified.
    pub caller: Option<Rc<Caller>>,
    /// Keys that could change the verdict, if they were fetched.
    pub wanted: Option<Wanted>,
    /// What was charged.
    pub charged: Charged,
    /// Whether the source would have been turned away, if that were enforced.
    pub pressed: bool,
}

impl Decision {
    /// A decision about a request of which nothing was learned.
    #[must_use]
    pub fn bare(verdict: Result<(), Denial>, mode: Mode) -> Self {
        Self {
            verdict,
            mode,
            route: None,
            issuer: None,
            caller: None,
            wanted: None,
            charged: Charged::default(),
            pressed: false,
        }
    }
}

/// Decides a request: `Decision = f(&Config, request, &mut State, Now)`.
///
/// The configuration, the keys in force and the instant are in `judge`; the state is the memory of
/// tokens, and the counters.
pub fn decide(
    judge: &Judge<'_>,
    known: &mut Known,
    counters: &mut Counters<'_>,
    arrival: &Arrival<'_>,
) -> Decision {
    let mut decision = Decision::bare(Ok(()), judge.config.mode);
    decision.verdict = match steps(judge, known, counters, arrival, &mut decision) {
        Ok(()) => Ok(()),
        Err(Refusal::Denied(denial)) => Err(denial),
        Err(Refusal::Keys(wanted, denial)) => {
            decision.wanted = Some(wanted);
            Err(denial)
        }
    };
    decision
}

fn steps(
    judge: &Judge<'_>,
    known: &mut Known,
    counters: &mut Counters<'_>,
    arrival: &Arrival<'_>,
    decision: &mut Decision,
) -> Result<(), Refusal> {
    let config = judge.config;
    let target = Target::of(arrival.headers)?;
    let matched = config
        .routes
        .find(target.authority, target.method, &target.path);
    let Some(matched) = matched else {
        let detail = "no route matches the host, method and path";
        return Err(Denial::new(Reason::RouteUnknown, detail).into());
    };
    let route = matched.route;
    decision.route = Some(matched.index);
    decision.mode = config.mode_of(route);
    if route.public {
        return Ok(());
    }
    let mut gauge = Gauge {
        judge,
        counters: &mut *counters,
        source: arrival.source,
        pressed: &mut decision.pressed,
    };
    gauge.check(Look::Glance)?;
    let query = target.query()?;
    let token = credential::token(arrival.headers, query, &config.tokens)?;
    let before_signature = || gauge.check(Look::Exact);
    let caller = judge.authenticate(known, token, &mut decision.issuer, before_signature)?;
    decision.caller = Some(Rc::clone(&caller));
    proof::check(caller.claims().raw(), arrival.connection)?;
    check_allow(&route.allow, &caller, config)?;
    let view = target.view(query, arrival);
    check_when(route, &view, &caller, judge.now)?;
    if route.limits.is_empty() {
        return Ok(());
    }
    let subject = Subject {
        caller: &caller,
        issuer: issuer_name(config, &caller),
        route: &route.name,
        view: &view,
    };
    let charged = &mut decision.charged;
    let limits = RouteLimits {
        all: &config.limits,
        places: &route.limits,
    };
    Ok(counters.charge(limits, &subject, judge.now, charged)?)
}

/// Charges a refusal to the source it came from, if it is one that could be repeated to guess or to
/// wear the gate out; a source that has no failures left is told that instead.
///
/// Whoever sends no credential is told to send one, and is not charged for it.
pub fn charge_failure(
    config: &Config,
    counters: &mut Counters<'_>,
    source: Option<IpAddr>,
    now: Now,
    decision: &mut Decision,
) {
    let (Some(pressure), Some(source), Err(denial)) =
        (&config.source.pressure, source, &decision.verdict)
    else {
        return;
    };
    let failed = denial.reason.status() == 401 || denial.reason == Reason::CredentialAmbiguous;
    if !failed || denial.reason == Reason::CredentialMissing {
        return;
    }
    let Some(until) = counters.failed(pressure, source, now) else {
        return;
    };
    decision.pressed = true;
    if pressure.mode == Mode::Enforce {
        decision.verdict = Err(throttled(until, now));
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
    fn check(&mut self, look: Look) -> Result<(), Denial> {
        // Where a host does not say where a request came from, all would share one counter.
        let (Some(pressure), Some(source)) = (&self.judge.config.source.pressure, self.source)
        else {
            return Ok(());
        };
        let now = self.judge.now;
        let Some(until) = self.counters.throttled(pressure, source, look, now) else {
            return Ok(());
        };
        *self.pressed = true;
        match pressure.mode {
            Mode::Enforce => Err(throttled(until, now)),
            Mode::Observe => Ok(()),
        }
    }
}

fn throttled(until: Now, now: Now) -> Denial {
    let wait = until.since(now);
    let detail = "too many requests from this address failed to authenticate";
    Denial::new(Reason::SourceThrottled, detail).after(wait)
}

fn issuer_name<'a>(config: &'a Config, caller: &Caller) -> &'a str {
    let issuer = config.issuers.get(caller.issuer());
    issuer.map_or("", |issuer| &issuer.name)
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
        let name = issuer_name(config, caller);
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
