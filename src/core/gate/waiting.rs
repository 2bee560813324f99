//! A request that is held until keys were fetched or its body has come, or its time is up.

use std::rc::Rc;
use std::time::Duration;

use super::decide::Decision;
use super::refresh::Hold;
use super::steps::{KeptBody, Unread, Unwatched, Watch};
use super::summary::Summary;
use super::waiters::Ticket;
use super::{Decided, Gate, Next, Open, Stage};
use crate::base::Now;
use crate::decision::Mode;
use crate::host::Host;
use crate::request::Headers;

/// The most held requests that are let go on, or answered, until the next tick.
///
/// A proxy carries out what a call of the module asks for at the end of that call, each reply or
/// continuation from within the one before: they nest, and V8's stack ends at about 300.
pub const RELEASES: usize = 16;

/// How soon the next tick is wanted while more requests could be let go on.
pub const HURRY: Duration = Duration::from_millis(1);

/// How long a body may take that a step needs.
pub const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// A request that is held until keys were fetched or its body has come, or its time is up.
///
/// It is counted as waiting for as long as it exists. Whoever holds it sees to it that nothing of it
/// goes on, and that the proxy keeps what comes of its body: [`Exchange::request_body`] is asked for
/// it. A proxy that reads no further than the header fields of a request that is held (Envoy, unless
/// the plugin's `allow_on_headers_stop_iteration` is set) lets it run out of time, and it is refused.
///
/// [`Exchange::request_body`]: crate::host::Exchange::request_body
pub struct Waiting {
    gate: Rc<Gate>,
    headers: Headers,
    summary: Summary,
    arrived: Arrived,
    awaited: Awaited,
    /// None once it waits no longer.
    ticket: Option<Ticket>,
}

/// What a request waits for.
#[derive(Clone, Copy)]
pub enum Awaited {
    /// Keys.
    Keys(Hold),
    /// So many bytes of its body and one more, or all of it if it has fewer.
    Body { most: usize, deadline: Now },
}

/// What has come of a request behind its header fields.
#[derive(Clone, Copy, Default)]
pub struct Arrived {
    bytes: u64,
    has_trailers: bool,
    /// Whether all of it is there.
    ended: bool,
}

impl Arrived {
    /// Nothing; whether there is nothing to come.
    pub fn headers(ended: bool) -> Self {
        Self {
            ended,
            ..Self::default()
        }
    }

    /// What the proxy keeps of the body, where these are its first bytes, and all that were asked for.
    pub fn kept(self, bytes: &[u8]) -> KeptBody<'_> {
        let is_all = u64::try_from(bytes.len()).is_ok_and(|size| size == self.bytes);
        match bytes {
            _ if self.ended && is_all => KeptBody::Whole(bytes),
            [] => KeptBody::Unread,
            _ => KeptBody::Start(bytes),
        }
    }

    /// Whether so many bytes and one more are there, or all of fewer.
    fn has(self, most: usize) -> bool {
        self.ended || u64::try_from(most).is_ok_and(|most| self.bytes > most)
    }
}

impl Waiting {
    pub(super) fn new(
        gate: Rc<Gate>,
        headers: Headers,
        summary: Summary,
        arrived: Arrived,
        awaited: Awaited,
        ticket: Ticket,
    ) -> Self {
        Self {
            gate,
            headers,
            summary,
            arrived,
            awaited,
            ticket: Some(ticket),
        }
    }

    /// Holds the request, unless what it waits for of its body is there already.
    pub(super) fn hold<W: Watch>(self, host: &dyn Host, watch: &mut W) -> Stage {
        if self.has_body() {
            self.resume_watched(host, watch)
        } else {
            Stage::Waiting(Box::new(self))
        }
    }

    /// Whether the request can be decided now: what it waits for is there, or the fetch of it has
    /// ended, or its time is up.
    #[must_use]
    pub fn is_ready(&self, now: Now) -> bool {
        // A clock that jumps back must not hold a request for longer than it was told to wait.
        let out_of_time = now >= self.deadline() || now < self.summary.time;
        let over = |open: &Open| match &self.awaited {
            Awaited::Keys(hold) => {
                let refresh = open.refresh.try_borrow();
                refresh.is_ok_and(|refresh| refresh.is_over(hold))
            }
            Awaited::Body { most, .. } => self.arrived.has(*most),
        };
        out_of_time || self.gate.open.as_ref().is_none_or(over)
    }

    /// When the request is decided at the latest.
    #[must_use]
    pub fn deadline(&self) -> Now {
        match &self.awaited {
            Awaited::Keys(hold) => hold.deadline,
            Awaited::Body { deadline, .. } => *deadline,
        }
    }

    /// Takes note that the proxy keeps `bytes` of the request's body by now, and whether that is all;
    /// answers whether the request waited for that.
    ///
    /// Most proxies read no further than the header fields of a request that is held; those that do
    /// never show again what they read.
    pub fn request_body(&mut self, bytes: u64, ended: bool) -> bool {
        self.arrived.bytes = self.arrived.bytes.max(bytes);
        self.arrived.ended |= ended;
        self.has_body()
    }

    /// Takes note that the request's trailers have come; answers whether the request waited for the
    /// end of its body.
    pub fn request_trailers(&mut self) -> bool {
        self.arrived.has_trailers = true;
        self.arrived.ended = true;
        self.has_body()
    }

    /// Decides the request with what there is by now, or holds it on, for its body.
    pub fn resume(self, host: &dyn Host) -> Stage {
        self.resume_watched(host, &mut Unwatched)
    }

    /// As [`Self::resume`], while somebody looks on.
    pub fn resume_watched<W: Watch>(mut self, host: &dyn Host, watch: &mut W) -> Stage {
        let gate = Rc::clone(&self.gate);
        let Some(open) = &gate.open else {
            let denial = super::opened::unconfigured();
            return self.decided(host, Decision::bare(Err(denial), Mode::Enforce));
        };
        let (now, bytes) = (host.now(), self.body(host));
        let kept = self.arrived.kept(&bytes);
        let mut decision = open.decide(host, &self.headers, &self.summary, kept, now, watch);
        // Nobody stands in its own way to the place where it waits on.
        self.ticket = None;
        if self.may_wait_for(decision.unread)
            && let Some((awaited, ticket)) =
                open.ask_body(&decision, &self.headers, &self.summary, now, host)
        {
            let waiting = Self {
                awaited,
                ticket: Some(ticket),
                ..self
            };
            return waiting.hold(host, watch);
        }
        open.conclude(host, &self.summary, now, &mut decision);
        self.decided(host, decision)
    }

    /// Writes the event of a request whose caller left.
    pub fn finish(self, host: &dyn Host) {
        Decided::undecided(self.gate, self.summary).finish(host);
    }

    fn has_body(&self) -> bool {
        matches!(self.awaited, Awaited::Body { most, .. } if self.arrived.has(most))
    }

    /// Nobody waits twice for the same.
    fn may_wait_for(&self, unread: Option<Unread>) -> bool {
        match (&self.awaited, unread) {
            (Awaited::Body { most, .. }, Some(Unread(more))) => more > *most,
            (Awaited::Keys(_), _) | (_, None) => true,
        }
    }

    /// As much of the body as was waited for; nothing where it is not there, or the host does not
    /// give it.
    fn body(&self, host: &dyn Host) -> Vec<u8> {
        match self.awaited {
            Awaited::Body { most, .. } if self.has_body() && self.arrived.bytes > 0 => {
                let bytes = host.request_body(most.saturating_add(1));
                bytes.unwrap_or_default()
            }
            Awaited::Body { .. } | Awaited::Keys(_) => Vec::new(),
        }
    }

    fn decided(self, host: &dyn Host, decision: Decision) -> Stage {
        let mut decided = Decided::new(self.gate, self.summary, decision);
        let mut next = decided.act(host, &self.headers);
        if next == Next::Continue && self.arrived.bytes > 0 {
            next = decided.request_body(host, self.arrived.bytes);
        }
        if next == Next::Continue && self.arrived.has_trailers {
            next = decided.request_trailers(host);
        }
        Stage::Decided(next, Box::new(decided))
    }
}
