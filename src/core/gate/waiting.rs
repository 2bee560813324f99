//! A request that is held until keys were fetched, or its time is up.

use std::rc::Rc;
use std::time::Duration;

use super::decide::Decision;
use super::refresh::{Hold, Ticket};
use super::steps::{Unwatched, Watch};
use super::summary::Summary;
use super::{Decided, Gate, Next};
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

/// A request that is held until keys were fetched, or its time is up.
///
/// It is counted as waiting for as long as it exists.
pub struct Waiting {
    gate: Rc<Gate>,
    headers: Headers,
    summary: Summary,
    hold: Hold,
    request_bytes: u64,
    has_trailers: bool,
    _ticket: Ticket,
}

impl Waiting {
    pub(super) fn new(
        gate: Rc<Gate>,
        headers: Headers,
        summary: Summary,
        hold: Hold,
        ticket: Ticket,
    ) -> Self {
        Self {
            gate,
            headers,
            summary,
            hold,
            request_bytes: 0,
            has_trailers: false,
            _ticket: ticket,
        }
    }

    /// Whether the request can be decided now: its keys are there, the fetch it waits for has
    /// ended, or its time is up.
    #[must_use]
    pub fn is_ready(&self, now: Now) -> bool {
        // A clock that jumps back must not hold a request for longer than it was told to wait.
        let out_of_time = now >= self.hold.deadline || now < self.summary.time;
        let over = |open: &super::Open| {
            let refresh = open.refresh.try_borrow();
            refresh.is_ok_and(|refresh| refresh.is_over(&self.hold))
        };
        out_of_time || self.gate.open.as_ref().is_none_or(over)
    }

    /// When the request is decided at the latest.
    #[must_use]
    pub fn deadline(&self) -> Now {
        self.hold.deadline
    }

    /// Takes note that the proxy keeps `bytes` of the request's body by now.
    ///
    /// Most proxies read no further than the header fields of a request that is held; those that do
    /// never show again what they read.
    pub fn request_body(&mut self, bytes: u64) {
        self.request_bytes = self.request_bytes.max(bytes);
    }

    /// Takes note that the request's trailers have come.
    pub fn request_trailers(&mut self) {
        self.has_trailers = true;
    }

    /// Decides the request with the keys that there are by now.
    pub fn resume(self, host: &dyn Host) -> (Next, Decided) {
        self.resume_watched(host, &mut Unwatched)
    }

    /// As [`Self::resume`], while somebody looks on.
    pub fn resume_watched<W: Watch>(self, host: &dyn Host, watch: &mut W) -> (Next, Decided) {
        let decision = match &self.gate.open {
            Some(open) => {
                let now = host.now();
                let mut decision = open.decide(host, &self.headers, &self.summary, now, watch);
                open.conclude(host, &self.summary, now, &mut decision);
                decision
            }
            None => Decision::bare(Err(super::opened::unconfigured()), Mode::Enforce),
        };
        let mut decided = Decided::new(self.gate, self.summary, decision);
        let mut next = decided.act(host, &self.headers);
        if next == Next::Continue && self.request_bytes > 0 {
            next = decided.request_body(host, self.request_bytes);
        }
        if next == Next::Continue && self.has_trailers {
            next = decided.request_trailers(host);
        }
        (next, decided)
    }

    /// Writes the event of a request whose caller left.
    pub fn finish(self, host: &dyn Host) {
        Decided::undecided(self.gate, self.summary).finish(host);
    }
}
