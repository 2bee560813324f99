//! A request that was let through or answered, until it ends and leaves its event.

use std::rc::Rc;

use super::decide::Decision;
use super::steps::subject;
use super::summary::Summary;
use super::{Gate, Next, Open, caches, upstream};
use crate::audit::Sink as _;
use crate::audit::forms::ocsf;
use crate::audit::{self, Beside, LimitNames, Record, Registration, RiskNote, Who};
use crate::base::LimitId;
use crate::caller::certificate::Forwarding;
use crate::decision::{Asked, Denial, Detail, Mode, RateFields, Reason, Reply, ReplyOptions};
use crate::gate::settings::Settings;
use crate::host::{Host, LogLevel, Property};
use crate::keys::ring::Freshness;
use crate::limits::pressure;
use crate::request::Headers;
use crate::risk::observation::{Answered, Ending};

/// A request that was let through or answered, until it ends.
pub struct Decided {
    gate: Rc<Gate>,
    summary: Summary,
    decision: Decision,
    undecided: bool,
    body_limit: Option<u64>,
    /// Whether it went on when its header fields were in.
    let_through: bool,
    /// Whether it did so without the credential that tells caches whose the answer is.
    hidden: bool,
    keys: Option<Freshness>,
    request_bytes: u64,
    response_bytes: u64,
    /// Of those, how many came before the request was refused, if it was.
    served_bytes: u64,
}

impl Decided {
    pub(super) fn new(gate: Rc<Gate>, summary: Summary, decision: Decision) -> Self {
        let route = decision
            .route
            .and_then(|index| gate.open.as_ref()?.config.routes.route(index));
        let body_limit = route.and_then(|route| route.when.body_bytes_max());
        let keys = decision.judged_by.and_then(|owner| {
            let refresh = gate.open.as_ref()?.refresh.try_borrow().ok()?;
            refresh.ring().freshness(owner, summary.time)
        });
        Self {
            gate,
            summary,
            decision,
            undecided: false,
            body_limit,
            let_through: false,
            hidden: false,
            keys,
            request_bytes: 0,
            response_bytes: 0,
            served_bytes: 0,
        }
    }

    /// A request that ended before it could be decided.
    pub(super) fn undecided(gate: Rc<Gate>, summary: Summary) -> Self {
        let decision = Decision::bare(Ok(()), Mode::Enforce);
        Self {
            undecided: true,
            ..Self::new(gate, summary, decision)
        }
    }

    /// Takes note of `bytes` more of the request's body.
    pub fn request_body(&mut self, host: &dyn Host, bytes: u64) -> Next {
        if self.is_stopped() {
            return Next::Stop;
        }
        self.request_bytes = self.request_bytes.saturating_add(bytes);
        match self.body_limit {
            Some(limit) if self.decision.verdict.is_ok() && self.request_bytes > limit => {
                let detail = format!("when.body_bytes_max: more than {limit} bytes of body");
                self.decision.verdict = Err(Denial::new(Reason::ContextDenied, detail));
                self.reply(host)
            }
            _ => Next::Continue,
        }
    }

    /// Takes forged fields out of the request's trailers.
    pub fn request_trailers(&mut self, host: &dyn Host) -> Next {
        if self.is_stopped() {
            return Next::Stop;
        }
        let Some(open) = &self.gate.open else {
            return Next::Stop;
        };
        match upstream::strip_trailers(host, &open.config) {
            Ok(()) => Next::Continue,
            Err(denial) => self.refuse(host, denial),
        }
    }

    /// Tells caches whose a response is that the caller is let have, and the caller what its limits say.
    pub fn response_headers(&self, host: &dyn Host) {
        let Some(open) = &self.gate.open else {
            return;
        };
        if self.is_stopped() {
            return;
        }
        if self.hidden {
            caches::keep_apart(host, open.config.callers.tokens.marker);
        }
        if !open.config.responses.rate_fields {
            return;
        }
        if let Some(rate) = self.rate_fields(host) {
            // What cannot be told changes no decision.
            let _ = host.add_response_header("ratelimit-policy", &rate.policy);
            let _ = host.add_response_header("ratelimit", &rate.state);
        }
    }

    /// Takes note of `bytes` more of the response's body.
    pub fn response_body(&mut self, bytes: u64) {
        self.response_bytes = self.response_bytes.saturating_add(bytes);
        if !self.is_stopped() {
            self.served_bytes = self.served_bytes.saturating_add(bytes);
        }
    }

    /// Charges what the response cost, takes note of it, and writes the request's event.
    pub fn finish(self, host: &dyn Host) {
        self.settle(host);
        let status = response_code(host);
        self.take_note(host, status);
        let Some(open) = &self.gate.open else {
            // Whoever runs an unconfigured gate still sees each refusal.
            return host.log(LogLevel::Warn, &ocsf::line(&self.record(host, status)));
        };
        let share = if self.decision.verdict.is_ok() {
            open.config.audit.allowed
        } else {
            open.config.audit.denied
        };
        if open.chance.falls_within(share) {
            let record = self.record(host, status);
            match open.sinks.try_borrow_mut() {
                Ok(mut sinks) => sinks.add(host, &record),
                // A host that calls back while it is logged to.
                Err(_) => host.log(open.config.audit.level, &ocsf::line(&record)),
            }
        }
    }

    fn settle(&self, host: &dyn Host) {
        let charged = &self.decision.charged;
        if let (Some(open), false) = (&self.gate.open, charged.owed.is_empty())
            && let Ok(mut limits) = open.limits.try_borrow_mut()
        {
            let (now, bytes) = (host.now(), self.served_bytes);
            limits.with(host, |counters| {
                counters.settle(&open.config.limits, charged, bytes, now);
            });
        }
    }

    /// How a request that was let through ended is part of how its caller behaves, whatever became
    /// of it: a body that grows too long must not hide what was served before.
    fn take_note(&self, host: &dyn Host, status: Option<u16>) {
        if let (Some(open), Some(caller)) = (&self.gate.open, &self.decision.caller)
            && let (Some(risk), Some(assessment)) = (&open.risk, &self.decision.risk)
            && self.let_through
            && let Ok(mut risk) = risk.try_borrow_mut()
        {
            let subject = subject(&open.config, caller, assessment.place);
            let outcome = Ending {
                answer: Answered::of_status(status.unwrap_or_default()),
                bytes: self.served_bytes,
            };
            let now = host.now();
            risk.with(host, &open.config, |desk| desk.end(subject, outcome, now));
        }
    }

    fn rate_fields(&self, host: &dyn Host) -> Option<RateFields> {
        let config = &self.gate.open.as_ref()?.config;
        match &self.decision.verdict {
            Err(denial) if denial.reason == Reason::SourceThrottled => {
                let pressure = config.source.pressure.as_ref()?;
                Some(RateFields::used_up(pressure, denial.retry_after?))
            }
            _ => self.decision.charged.fields(&config.limits, host.now()),
        }
    }

    fn is_stopped(&self) -> bool {
        self.decision.verdict.is_err() && self.decision.mode == Mode::Enforce
    }

    pub(super) fn act(&mut self, host: &dyn Host, headers: &Headers) -> Next {
        if self.is_stopped() {
            return self.reply(host);
        }
        let Some(open) = &self.gate.open else {
            return Next::Stop;
        };
        let prepared = upstream::prepare(host, headers, &open.config, &self.decision);
        // It may be long, and was only for this.
        self.decision.forwarding = Forwarding::default();
        self.let_through = prepared.is_ok();
        match prepared {
            Ok(hidden) => {
                self.hidden = hidden;
                Next::Continue
            }
            Err(denial) => self.refuse(host, denial),
        }
    }

    // Whatever the mode: a request whose forged fields may still be there does not go on.
    fn refuse(&mut self, host: &dyn Host, denial: Denial) -> Next {
        self.decision.verdict = Err(denial);
        self.decision.mode = Mode::Enforce;
        self.reply(host)
    }

    fn reply(&self, host: &dyn Host) -> Next {
        let Err(denial) = &self.decision.verdict else {
            return Next::Continue;
        };
        if self.decision.mode == Mode::Observe {
            return Next::Continue;
        }
        let limited = denial.reason.status() == 429;
        let rate = limited.then(|| self.rate_fields(host)).flatten();
        let asked = Asked {
            id: self.summary.request_id(),
            grpc: self.summary.grpc,
            rate: rate.as_ref(),
        };
        let reply = Reply::new(denial, &self.options(), asked);
        // A host that refuses the reply still holds the request.
        let _ = host.send_reply(&reply);
        Next::Stop
    }

    fn options(&self) -> ReplyOptions<'_> {
        match &self.gate.open {
            Some(Open { config, .. }) => ReplyOptions {
                scheme: &config.callers.tokens.scheme,
                realm: config.responses.realm.as_deref(),
                resource_metadata: config.responses.resource_metadata.as_deref(),
                detail: config.responses.detail,
            },
            None => ReplyOptions {
                scheme: "Bearer",
                realm: None,
                resource_metadata: None,
                detail: Detail::default(),
            },
        }
    }

    fn record(&self, host: &dyn Host, status: Option<u16>) -> Record<'_> {
        let summary = &self.summary;
        let config = self.gate.open.as_ref().map(|open| &open.config);
        let route = self
            .decision
            .route
            .and_then(|index| config?.routes.route(index));
        Record {
            time: summary.time,
            end: host.now(),
            outcome: self.outcome(),
            detail: self
                .decision
                .verdict
                .as_ref()
                .map_or_else(|denial| &*denial.detail, |()| ""),
            mode: self.decision.mode,
            route: route.map(|route| route.name.as_str()),
            who: config.and_then(|config| self.who(config)),
            registration: config.and_then(|config| self.registration(config)),
            beside: self.decision.beside.as_deref().map(|caller| Beside {
                identity: caller.identity(),
                proven: caller.proven().as_str(),
            }),
            forwarded_by: self.decision.forwarded_by.as_deref(),
            purpose: summary.purpose(),
            keys: self.keys,
            risk: self.decision.risk.as_ref().map(|risk| RiskNote {
                score: risk.score,
                details: &risk.details,
            }),
            limits: self.limit_names(config),
            source: summary.source,
            method: summary.method(),
            host: summary.host(),
            path: summary.path(),
            path_bytes: summary.path_bytes,
            user_agent: summary.user_agent(),
            request_id: summary.request_id(),
            status,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
        }
    }

    fn limit_names<'a>(&self, config: Option<&'a Settings>) -> LimitNames<'a> {
        let name = |id: LimitId| Some(config?.limits.get(id)?.name.as_str());
        let charged = &self.decision.charged;
        let observed = charged.observed.iter().filter_map(|id| name(*id));
        let pressed = self.decision.pressed && self.decision.verdict.is_ok();
        LimitNames {
            refused_by: charged.refused_by.and_then(name),
            observed: observed.chain(pressed.then_some(pressure::NAME)).collect(),
        }
    }

    fn outcome(&self) -> audit::Outcome {
        match &self.decision.verdict {
            Ok(()) if self.undecided => audit::Outcome::Undecided,
            Ok(()) => audit::Outcome::Allowed,
            Err(denial) => audit::Outcome::Denied(denial.reason),
        }
    }

    fn registration<'a>(&self, config: &'a Settings) -> Option<Registration<'a>> {
        let place = self.decision.caller.as_deref()?.registration()?;
        let client = config.callers.clients.get(place)?;
        Some(Registration {
            owner: client.owner.as_deref(),
            purpose: client.purpose.as_deref(),
            days_left: client.days_left(self.summary.time),
        })
    }

    fn who<'a>(&'a self, config: &'a Settings) -> Option<Who<'a>> {
        let caller = self.decision.caller.as_deref()?;
        Some(Who {
            identity: caller.identity(),
            issuer: config.callers.name_of(caller.signatory()),
            proven: caller.proven().as_str(),
            client: caller.client(),
            token: caller.claims().token_id(),
            scopes: caller.scope_line(),
        })
    }
}

// The host gives 8 bytes little-endian, and 0 where the stream ended before a status.
fn response_code(host: &dyn Host) -> Option<u16> {
    let bytes: [u8; 8] = host.property(Property::ResponseCode)?.try_into().ok()?;
    u16::try_from(i64::from_le_bytes(bytes))
        .ok()
        .filter(|code| *code != 0)
}
