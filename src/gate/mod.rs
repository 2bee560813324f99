//! One request from first header to last byte, as a state machine over [`Host`].
//!
//! [`Opened`] becomes [`Decided`] when the header fields are in, and ends with one audit event.
//! Each step consumes the state it leaves, so that a finished request cannot be decided again.
//! Everything that touches the host during a request is here; what is decided is in [`mod@decide`].

pub mod decide;
mod summary;
pub mod upstream;

use std::cell::RefCell;
use std::rc::Rc;

use crate::audit::{Outcome, Record, Who, ocsf};
use crate::config::Config;
use crate::crypto::{Hosted, KnownAnswers};
use crate::decision::{Denial, Mode, Reason};
use crate::host::{Host, Property};
use crate::proof::{Connection, digest_from_hex};
use crate::reply::{Asked, Reply, ReplyOptions};
use crate::request::Headers;
use crate::token::Known;
use crate::token::cache::Seed;

use decide::{Arrival, Decision, decide};
use summary::Summary;

/// What the proxy does with the request after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Let it go on.
    Continue,
    /// Hold it: it was answered, or must not go on.
    Stop,
}

/// A configured gate, shared by the requests of one worker.
pub struct Gate {
    /// None: not configured, and every request is refused with `config_invalid`.
    open: Option<Open>,
}

struct Open {
    config: Config,
    crypto: KnownAnswers,
    known: RefCell<Known>,
    sampler: RefCell<u64>,
}

impl Gate {
    /// A gate without a valid configuration: it refuses every request.
    #[must_use]
    pub fn closed() -> Self {
        Self { open: None }
    }

    /// A gate that decides by `config`, with what the host can do found out now.
    pub fn open(config: Config, host: &dyn Host) -> Self {
        let crypto = KnownAnswers::probe(&|argument| {
            host.call_foreign_function("verify_signature", argument)
        });
        let (known, sample) = seeded(&config, host);
        let open = Open {
            config,
            crypto,
            known: RefCell::new(known),
            sampler: RefCell::new(sample),
        };
        Self { open: Some(open) }
    }
}

// Without randomness nothing is keyed: no token is remembered, and sampling follows the clock.
fn seeded(config: &Config, host: &dyn Host) -> (Known, u64) {
    let mut seed = [0; 16];
    let mut sample = [0; 8];
    match host
        .random(&mut seed)
        .and_then(|()| host.random(&mut sample))
    {
        Ok(()) => (
            Known::new(Seed(seed), config.tokens.cache_bytes),
            u64::from_le_bytes(sample),
        ),
        Err(_) => (Known::default(), host.now().nanos()),
    }
}

/// A request whose header fields have not been seen.
pub struct Opened {
    gate: Rc<Gate>,
}

impl Opened {
    /// A request that has just begun.
    #[must_use]
    pub fn new(gate: Rc<Gate>) -> Self {
        Self { gate }
    }

    /// Decides the request now that its header fields are in.
    pub fn headers(self, host: &dyn Host) -> (Next, Decided) {
        let now = host.now();
        let (headers, read) = match host.request_headers() {
            Ok(headers) => (headers, Ok(())),
            Err(error) => (
                Headers::default(),
                Err(upstream::host_unavailable(
                    "the host did not give the request's fields",
                    error,
                )),
            ),
        };
        let source = host.property(Property::SourceAddress);
        let purpose = self
            .gate
            .open
            .as_ref()
            .and_then(|open| open.config.audit.purpose_header.as_deref());
        let summary = Summary::new(&headers, source.as_deref(), purpose, now);
        let decision = match (read, &self.gate.open) {
            (Err(denial), _) => refused(denial),
            (Ok(()), None) => refused(Denial::new(
                Reason::ConfigInvalid,
                "there is no valid configuration",
            )),
            (Ok(()), Some(open)) => open.decide(host, &headers, &summary),
        };
        let mut decided = Decided::new(self.gate, summary, decision);
        let next = decided.act(host, &headers);
        (next, decided)
    }

    /// Writes the event of a request that ended before its header fields were seen.
    pub fn finish(self, host: &dyn Host) {
        let headers = host.request_headers().unwrap_or_default();
        let source = host.property(Property::SourceAddress);
        let summary = Summary::new(&headers, source.as_deref(), None, host.now());
        let decision = Decision {
            verdict: Ok(()),
            mode: Mode::Enforce,
            route: None,
            caller: None,
        };
        let decided = Decided {
            undecided: true,
            ..Decided::new(self.gate, summary, decision)
        };
        decided.finish(host);
    }
}

fn refused(denial: Denial) -> Decision {
    Decision {
        verdict: Err(denial),
        mode: Mode::Enforce,
        route: None,
        caller: None,
    }
}

impl Open {
    fn decide(&self, host: &dyn Host, headers: &Headers, summary: &Summary) -> Decision {
        let call = |argument: &[u8]| host.call_foreign_function("verify_signature", argument);
        let crypto = Hosted::new(&call, self.crypto);
        let arrival = Arrival {
            headers,
            source: summary.source.map(|source| source.ip()),
            connection: &Peer(host),
            now: summary.time,
        };
        match self.known.try_borrow_mut() {
            Ok(mut known) => decide(&self.config, &mut known, &crypto, &arrival),
            // A host that calls back into a decision under way gets one without memory.
            Err(_) => decide(&self.config, &mut Known::default(), &crypto, &arrival),
        }
    }
}

struct Peer<'a>(&'a dyn Host);

impl Connection for Peer<'_> {
    fn peer_certificate_sha256(&self) -> Option<[u8; 32]> {
        self.0
            .property(Property::PeerCertificateDigest)
            .and_then(|hex| digest_from_hex(&hex))
    }
}

/// A request that was let through or answered, until it ends.
pub struct Decided {
    gate: Rc<Gate>,
    summary: Summary,
    decision: Decision,
    undecided: bool,
    body_limit: Option<u64>,
    request_bytes: u64,
    response_bytes: u64,
}

impl Decided {
    fn new(gate: Rc<Gate>, summary: Summary, decision: Decision) -> Self {
        let route = decision
            .route
            .and_then(|index| gate.open.as_ref()?.config.routes.route(index));
        let body_limit = route.and_then(|route| route.when.body_bytes_max());
        Self {
            gate,
            summary,
            decision,
            undecided: false,
            body_limit,
            request_bytes: 0,
            response_bytes: 0,
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

    /// Takes note of `bytes` more of the response's body.
    pub fn response_body(&mut self, bytes: u64) {
        self.response_bytes = self.response_bytes.saturating_add(bytes);
    }

    /// Writes the request's event.
    pub fn finish(self, host: &dyn Host) {
        let Some(open) = &self.gate.open else {
            // Whoever runs an unconfigured gate still sees each refusal.
            return host.log(crate::host::LogLevel::Warn, &ocsf::line(&self.record(host)));
        };
        let share = if self.decision.verdict.is_ok() {
            open.config.audit.allowed
        } else {
            open.config.audit.denied
        };
        if sampled(&open.sampler, share) {
            host.log(open.config.audit.level, &ocsf::line(&self.record(host)));
        }
    }

    fn is_stopped(&self) -> bool {
        self.decision.verdict.is_err() && self.decision.mode == Mode::Enforce
    }

    fn act(&mut self, host: &dyn Host, headers: &Headers) -> Next {
        if self.is_stopped() {
            return self.reply(host);
        }
        let Some(open) = &self.gate.open else {
            return Next::Stop;
        };
        match upstream::prepare(host, headers, &open.config, &self.decision) {
            Ok(()) => Next::Continue,
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
        let asked = Asked {
            id: self.summary.request_id.as_deref(),
            grpc: self.summary.grpc,
        };
        let reply = Reply::new(denial, &self.options(), asked);
        // A host that refuses the reply still holds the request.
        let _ = host.send_reply(&reply);
        Next::Stop
    }

    fn options(&self) -> ReplyOptions<'_> {
        match &self.gate.open {
            Some(Open { config, .. }) => ReplyOptions {
                scheme: &config.tokens.scheme,
                realm: config.responses.realm.as_deref(),
                resource_metadata: config.responses.resource_metadata.as_deref(),
                detail: config.responses.detail,
            },
            None => ReplyOptions {
                scheme: "Bearer",
                realm: None,
                resource_metadata: None,
                detail: Default::default(),
            },
        }
    }

    fn record(&self, host: &dyn Host) -> Record<'_> {
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
            purpose: summary.purpose.as_deref(),
            source: summary.source,
            method: &summary.method,
            host: &summary.host,
            path: &summary.path,
            user_agent: summary.user_agent.as_deref(),
            request_id: summary.request_id.as_deref(),
            status: response_code(host),
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
        }
    }

    fn outcome(&self) -> Outcome {
        match &self.decision.verdict {
            Ok(()) if self.undecided => Outcome::Undecided,
            Ok(()) => Outcome::Allowed,
            Err(denial) => Outcome::Denied(denial.reason),
        }
    }

    fn who<'a>(&'a self, config: &'a Config) -> Option<Who<'a>> {
        let caller = self.decision.caller.as_deref()?;
        Some(Who {
            identity: caller.identity(),
            issuer: config
                .issuers
                .get(caller.issuer())
                .map_or("", |issuer| &issuer.name),
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

/// Whether this event is one of the share that is written.
fn sampled(sampler: &RefCell<u64>, share: f64) -> bool {
    if share >= 1.0 {
        return true;
    }
    let Ok(mut state) = sampler.try_borrow_mut() else {
        return true;
    };
    // Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014): SplitMix64.
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    // 53 bits, the precision of a double.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    let unit = (mixed >> 11) as f64 / 9_007_199_254_740_992.0;
    unit < share
}
