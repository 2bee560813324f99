//! One request from first header to last byte, as a state machine over [`Host`].
//!
//! [`Opened`] becomes [`Decided`] when the header fields are in, by way of [`Waiting`] where keys
//! have to be fetched first or a step asks for the body, and ends with one audit event. Each of them
//! consumes the state it leaves, so that a finished request cannot be decided again. Everything that touches the host is here, but
//! for its shared data, which is lent by [`crate::shared`]; what is decided is in [`mod@decide`], by
//! the [`steps`].

mod caches;
mod chance;
pub mod decide;
mod decided;
mod expiry;
mod fields;
pub mod judge;
mod limits;
#[cfg(all(test, not(target_family = "wasm")))]
mod limits_model;
mod metrics;
mod opened;
mod refresh;
mod risk;
mod settings;
pub mod steps;
mod summary;
mod tokens;
pub mod upstream;
mod waiters;
mod waiting;

use std::cell::{Cell, RefCell};

use crate::audit::Sink as _;
use crate::audit::sinks::Sinks;
use crate::caller::Known;
use crate::calls::Pending;
use crate::crypto::KnownAnswers;
use crate::crypto::keyed::Seed;
use crate::host::Host;
use crate::shared::Sharing;

use chance::Chance;
pub use decided::Decided;
use limits::Limits;
pub use opened::Opened;
pub use refresh::TICK;
use refresh::{Asker, Refresh};
use risk::Risk;
pub use settings::{METHOD_PARAMETER, OVERRIDES, Route, Settings, Source, Upstream};
use steps::{STEPS, Step};
use tokens::TokenMemory;
use waiters::Waiters;
pub use waiting::{HURRY, RELEASES, Waiting};

/// What the proxy does with the request after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Let it go on.
    Continue,
    /// Hold it: it was answered, or must not go on.
    Stop,
}

/// Where a request is once its header fields are in.
pub enum Stage {
    /// It was decided.
    Decided(Next, Box<Decided>),
    /// It is held until keys were fetched or its body has come, or its time is up.
    Waiting(Box<Waiting>),
}

/// A configured gate, shared by the requests of one worker.
pub struct Gate {
    /// None: not configured, and every request is refused with `config_invalid`.
    open: Option<Open>,
}

struct Open {
    config: Settings,
    crypto: KnownAnswers,
    tokens: RefCell<TokenMemory>,
    calls: RefCell<Pending<Asker>>,
    refresh: RefCell<Refresh>,
    limits: RefCell<Limits>,
    risk: Option<RefCell<Risk>>,
    looked: RefCell<expiry::Looked>,
    sinks: RefCell<Sinks>,
    chance: Chance,
    /// What is asked of requests, in this order.
    steps: &'static [Step],
    /// The requests that are held for their bodies.
    bodies: Waiters,
    /// Whether it was said that the proxy does not say where requests come from.
    told_of_no_source: Cell<bool>,
}

impl Gate {
    /// A gate without a valid configuration: it refuses every request.
    #[must_use]
    pub fn closed() -> Self {
        Self { open: None }
    }

    /// A gate that decides by `config`, with what the host can do found out now.
    ///
    /// `vm_configuration` is what all workers of one VM are given; it keys what they tell each other.
    pub fn open(config: Settings, vm_configuration: &[u8], host: &dyn Host) -> Self {
        Self::with_steps(config, vm_configuration, host, STEPS)
    }

    /// As [`Self::open`], with other steps than [`STEPS`].
    pub fn with_steps(
        config: Settings,
        vm_configuration: &[u8],
        host: &dyn Host,
        steps: &'static [Step],
    ) -> Self {
        let crypto = KnownAnswers::probe(&|argument| {
            host.call_foreign_function("verify_signature", argument)
        });
        let (known, chance) = seeded(&config, host);
        let sharing = Sharing::find(host);
        let mut refresh = Refresh::new(&config, vm_configuration, sharing);
        refresh.take_up(host);
        let refresh = RefCell::new(refresh);
        let limits = Limits::open(&config, sharing, host);
        let risk = Risk::open(&config, sharing).map(RefCell::new);
        let tokens = TokenMemory::new(&config, known, sharing, vm_configuration);
        let sinks = Sinks::open(&config.audit);
        Self {
            open: Some(Open {
                config,
                crypto,
                tokens: RefCell::new(tokens),
                calls: RefCell::default(),
                refresh,
                limits: RefCell::new(limits),
                risk,
                looked: RefCell::default(),
                sinks: RefCell::new(sinks),
                chance,
                steps,
                bodies: Waiters::default(),
                told_of_no_source: Cell::default(),
            }),
        }
    }

    /// Whether the gate wants [`Gate::tick`] to be called every [`TICK`].
    #[must_use]
    pub fn needs_ticks(&self) -> bool {
        let has_sources =
            |open: &Open| matches!(open.refresh.try_borrow(), Ok(refresh) if refresh.has_sources());
        let gathers = |open: &Open| matches!(open.sinks.try_borrow(), Ok(sinks) if sinks.gathers());
        // Whoever is held goes on with a tick, should the body not come.
        let reads_bodies = |open: &Open| open.steps.iter().any(|step| step.reads_body);
        let needs = |open: &Open| {
            open.risk.is_some() || has_sources(open) || gathers(open) || reads_bodies(open)
        };
        self.open.as_ref().is_some_and(needs)
    }

    /// Takes up what other workers published, fetches what is due, and tells them what is due.
    pub fn tick(&self, host: &dyn Host) {
        if let Some(open) = &self.open
            && let Ok(mut refresh) = open.refresh.try_borrow_mut()
            && let Ok(mut calls) = open.calls.try_borrow_mut()
        {
            refresh.tick(&mut calls, &open.chance, host);
        }
        if let Some(open) = &self.open
            && let Some(risk) = &open.risk
            && let Ok(mut risk) = risk.try_borrow_mut()
        {
            risk.tick(host, &open.config);
        }
        self.flush(host);
    }

    /// Writes the events that were gathered; for each tick, and when the gate ends.
    pub fn flush(&self, host: &dyn Host) {
        if let Some(open) = &self.open
            && let Ok(mut sinks) = open.sinks.try_borrow_mut()
        {
            sinks.flush(host);
        }
    }

    /// Takes the response to the call of that number to whoever asked; others' are left alone.
    pub fn response(&self, host: &dyn Host, call: u32, body_bytes: usize) {
        if let Some(open) = &self.open
            && let Ok(mut calls) = open.calls.try_borrow_mut()
            && let Ok(mut refresh) = open.refresh.try_borrow_mut()
            && let Some(asker) = calls.answered(call)
        {
            match asker {
                Asker::Keys(source) => {
                    refresh.response(source, body_bytes, &mut calls, &open.chance, host);
                }
            }
        }
    }
}

// Without randomness nothing is keyed: no token is remembered, and chance follows the clock.
fn seeded(config: &Settings, host: &dyn Host) -> (Known, Chance) {
    let mut seed = [0; 16];
    let mut chance = [0; 8];
    match host
        .random(&mut seed)
        .and_then(|()| host.random(&mut chance))
    {
        Ok(()) => {
            let known = Known::new(Seed(seed), config.callers.tokens.cache_bytes);
            (known, Chance::new(u64::from_le_bytes(chance)))
        }
        Err(_) => (Known::default(), Chance::new(host.now().nanos())),
    }
}
