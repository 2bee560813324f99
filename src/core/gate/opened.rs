//! A request whose header fields have not been seen, and its decision.

use std::cell::RefCell;
use std::rc::Rc;

use super::decide::{Decision, charge_failure, decide};
use super::judge::Judge;
use super::refresh::Advice;
use super::steps::{KeptBody, Request, State, Unread, Unwatched, Watch};
use super::summary::Summary;
use super::waiters::{Ticket, Waiter};
use super::waiting::{Arrived, Awaited, BODY_PATIENCE, Waiting};
use super::{Decided, Gate, Open, Stage, upstream};
use crate::base::{Now, digest_from_hex};
use crate::caller;
use crate::crypto::Hosted;
use crate::decision::{Denial, Mode, Reason};
use crate::host::{Host, LogLevel, Property};
use crate::keys::ring::Ring;
use crate::keys::schedule::Want;
use crate::proof::Connection;
use crate::request::Headers;

/// A request whose header fields have not been seen.
pub struct Opened {
    gate: Rc<Gate>,
    /// Whether nothing follows the header fields.
    ends: bool,
}

impl Opened {
    /// A request that has just begun.
    #[must_use]
    pub fn new(gate: Rc<Gate>) -> Self {
        Self { gate, ends: false }
    }

    /// Takes note that nothing follows the header fields, before they are looked at.
    #[must_use]
    pub fn without_body(self) -> Self {
        Self { ends: true, ..self }
    }

    /// Decides the request now that its header fields are in, or holds it until it can be decided.
    pub fn headers(self, host: &dyn Host) -> Stage {
        self.headers_watched(host, &mut Unwatched)
    }

    /// As [`Self::headers`], while somebody looks on.
    pub fn headers_watched<W: Watch>(self, host: &dyn Host, watch: &mut W) -> Stage {
        let headers = match host.request_headers() {
            Ok(headers) => headers,
            Err(error) => {
                let what = "the host did not give the request's fields";
                let denial = upstream::host_unavailable(what, error);
                return self.refuse(host, &Headers::default(), denial);
            }
        };
        let gate = Rc::clone(&self.gate);
        let Some(open) = &gate.open else {
            return self.refuse(host, &headers, unconfigured());
        };
        let summary = self.summary(&headers, host);
        let (time, arrived) = (summary.time, Arrived::headers(self.ends));
        let kept = arrived.kept(&[]);
        let mut decision = open.decide(host, &headers, &summary, kept, time, watch);
        for _ in 0..2 {
            match open.ask(&decision, &headers, &summary, host) {
                // What is only observed is not held up.
                Advice::Wait(hold, ticket) if decision.mode == Mode::Enforce => {
                    let awaited = Awaited::Keys(hold);
                    let waiting =
                        Waiting::new(self.gate, headers, summary, arrived, awaited, ticket);
                    return Stage::Waiting(Box::new(waiting));
                }
                Advice::Again => {
                    decision = open.decide(host, &headers, &summary, kept, time, watch)
                }
                Advice::Wait(..) | Advice::No => break,
            }
        }
        if let Some((awaited, ticket)) = open.ask_body(&decision, &headers, &summary, time, host) {
            let waiting = Waiting::new(self.gate, headers, summary, arrived, awaited, ticket);
            return waiting.hold(host, watch);
        }
        open.conclude(host, &summary, time, &mut decision);
        decided(self.gate, host, &headers, summary, decision)
    }

    /// Writes the event of a request that ended before its header fields were seen.
    pub fn finish(self, host: &dyn Host) {
        let headers = host.request_headers().unwrap_or_default();
        let summary = self.summary(&headers, host);
        Decided::undecided(self.gate, summary).finish(host);
    }

    fn refuse(self, host: &dyn Host, headers: &Headers, denial: Denial) -> Stage {
        let summary = self.summary(headers, host);
        let decision = Decision::bare(Err(denial), Mode::Enforce);
        decided(self.gate, host, headers, summary, decision)
    }

    fn summary(&self, headers: &Headers, host: &dyn Host) -> Summary {
        let config = self.gate.open.as_ref().map(|open| &open.config);
        let purpose = config.and_then(|config| config.audit.purpose_header.as_deref());
        let source = host.property(Property::SourceAddress);
        let mut summary = Summary::new(headers, source.as_deref(), purpose, host.now());
        if let Some(forwarded) = config.and_then(|config| config.source.forwarded.as_ref()) {
            summary.look_behind(forwarded, headers);
        }
        summary
    }
}

/// What is said once of a proxy that does not say where requests come from.
const NO_SOURCE: &str = "source.pressure: the proxy does not say where a request comes from, as on a listener on a pipe: all such requests share one budget of failures, and when it is used up each worker checks 10 new tokens a second";

/// The denial of a gate that has no valid configuration.
pub fn unconfigured() -> Denial {
    Denial::new(Reason::ConfigInvalid, "there is no valid configuration")
}

fn decided(
    gate: Rc<Gate>,
    host: &dyn Host,
    headers: &Headers,
    summary: Summary,
    decision: Decision,
) -> Stage {
    let mut decided = Decided::new(gate, summary, decision);
    let next = decided.act(host, headers);
    Stage::Decided(next, Box::new(decided))
}

impl Open {
    pub(super) fn decide<W: Watch>(
        &self,
        host: &dyn Host,
        headers: &Headers,
        summary: &Summary,
        kept: KeptBody<'_>,
        now: Now,
        watch: &mut W,
    ) -> Decision {
        let call = |argument: &[u8]| host.call_foreign_function("verify_signature", argument);
        let crypto = Hosted::new(&call, self.crypto);
        let source = summary.source.map(|source| source.ip());
        let upstream = || host.property(Property::UpstreamCluster);
        let connection = ConnectionOf(host);
        let request = Request {
            kept,
            ..Request::read(headers, source, summary.peer, &connection, &upstream)
        };
        let steps = self.steps;
        // A host that calls back into a refresh under way gets a decision without fetched keys, which
        // are then unavailable.
        let refresh = self.refresh.try_borrow();
        let no_keys = Ring::default();
        let judge = Judge {
            config: &self.config,
            callers: caller::TokenJudge {
                settings: &self.config.callers,
                ring: refresh.as_ref().map_or(&no_keys, |refresh| refresh.ring()),
                crypto: &crypto,
                now,
            },
        };
        // A host that calls back into a decision under way gets none: nothing would be counted.
        let (limits, tokens) = (self.limits.try_borrow_mut(), self.tokens.try_borrow_mut());
        let (Ok(mut limits), Ok(mut tokens)) = (limits, tokens) else {
            let denial = Denial::new(Reason::HostUnavailable, "the host called back too early");
            return Decision::bare(Err(denial), Mode::Enforce);
        };
        tokens.with(host, |memory| {
            limits.with(host, |counters| {
                let risk = self.risk.as_ref().map(RefCell::try_borrow_mut);
                let Some(Ok(mut risk)) = risk else {
                    let mut state = State::of(memory, counters, None);
                    return decide(steps, &judge, &request, &mut state, watch);
                };
                let decision = risk.with(host, &self.config, |desk| {
                    let mut state = State::of(memory, counters, Some(desk));
                    decide(steps, &judge, &request, &mut state, watch)
                });
                decision.unwrap_or_else(|| Decision::bare(Err(unconfigured()), Mode::Enforce))
            })
        })
    }

    /// Charges a decision that stands to the source it is about, if it is a failure.
    pub(super) fn conclude(
        &self,
        host: &dyn Host,
        summary: &Summary,
        now: Now,
        decision: &mut Decision,
    ) {
        self.warn_of_expiry(host, decision, now);
        if let (Some(risk), Some(assessment)) = (&self.risk, &decision.risk)
            && assessment.reaction.tagged
            && let Ok(mut risk) = risk.try_borrow_mut()
        {
            risk.count(host, assessment.reaction);
        }
        let source = summary.source.map(|source| source.ip());
        if self.config.source.pressure.is_none() {
            return;
        }
        let route = decision
            .route
            .and_then(|index| self.config.routes.route(index));
        let is_protected = route.is_some_and(|route| !route.public);
        if source.is_none() && is_protected && !self.told_of_no_source.replace(true) {
            host.log(LogLevel::Warn, NO_SOURCE);
        }
        if decision.verdict.is_ok() {
            return;
        }
        if let Ok(mut limits) = self.limits.try_borrow_mut() {
            limits.with(host, |counters| {
                charge_failure(&self.config, counters, source, now, decision);
            });
            if decision.pressed {
                limits.count(host, "postern.limits.source_throttled");
            }
        }
    }

    fn ask(
        &self,
        decision: &Decision,
        headers: &Headers,
        summary: &Summary,
        host: &dyn Host,
    ) -> Advice {
        let (Some(wanted), Ok(mut refresh)) = (decision.wanted, self.refresh.try_borrow_mut())
        else {
            return Advice::No;
        };
        // Keys that nobody has are what whoever guesses asks for.
        if decision.pressed && wanted.want == Want::UnknownKey {
            return Advice::No;
        }
        refresh.ask(wanted, waiter(headers, summary, host), host)
    }

    /// What a request waits for of which a step needs the body, and its place; none where it does not
    /// wait: too many do, or it is only observed, and what is only observed is not held up.
    pub(super) fn ask_body(
        &self,
        decision: &Decision,
        headers: &Headers,
        summary: &Summary,
        now: Now,
        host: &dyn Host,
    ) -> Option<(Awaited, Ticket)> {
        let Unread(most) = decision.unread?;
        if decision.mode == Mode::Observe {
            return None;
        }
        let ticket = self.bodies.admit(waiter(headers, summary, host))?;
        let deadline = now.after(BODY_PATIENCE);
        Some((Awaited::Body { most, deadline }, ticket))
    }
}

/// Who waits; the body is kept by the proxy, by its own limits.
fn waiter(headers: &Headers, summary: &Summary, host: &dyn Host) -> Waiter {
    Waiter {
        source: summary.source.map(|source| source.ip()),
        connection: connection_id(host),
        bytes: headers.as_abi().len(),
    }
}

fn connection_id(host: &dyn Host) -> Option<u64> {
    let bytes = host.property(Property::ConnectionId)?;
    bytes.try_into().ok().map(u64::from_le_bytes)
}

struct ConnectionOf<'a>(&'a dyn Host);

impl Connection for ConnectionOf<'_> {
    fn peer_certificate_sha256(&self) -> Option<[u8; 32]> {
        let hex = self.0.property(Property::PeerCertificateDigest)?;
        digest_from_hex(&hex)
    }

    fn peer_certificate(&self) -> Option<Vec<u8>> {
        self.0.property(Property::PeerCertificate)
    }

    // A host that writes it as text does not say what Envoy's byte says.
    fn peer_certificate_validated(&self) -> bool {
        self.0
            .property(Property::PeerCertificateValid)
            .is_some_and(|valid| valid == [1])
    }
}
