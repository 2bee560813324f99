//! Keys that stay fresh: one worker fetches for the process, the others take up what it published.
//!
//! Calls belong to the root context, so that everything here happens on its tick or when a response
//! comes; a request only asks.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `source` | one source: asked for, fetched, published, taken up |
//! | `records` | what workers share of a source, behind compare-and-swap |
//! | `hold` | what a request waits for |
//! | `owner_metrics` | what operators see of a source |

mod hold;
mod owner_metrics;
mod records;
mod source;

use std::time::Duration;

use super::chance::Chance;
use super::metrics::Metrics;
use super::waiters::{Ticket, Waiter, Waiters};
use crate::base::KeyOwnerId;
use crate::caller::Wanted;
use crate::calls::Pending;
use crate::gate::settings::Settings;
use crate::host::Host;
use crate::keys::KeySource;
use crate::keys::fetch::{DOCUMENT_BYTES, Fetched};
use crate::keys::ring::Ring;
use crate::keys::schedule::Want;
use crate::shared::Sharing;

pub use hold::Hold;
use records::Records;
use source::Fetcher;

/// How often the root context looks at what has changed.
pub const TICK: Duration = Duration::from_millis(200);

/// What a request that lacks keys is to do.
pub enum Advice {
    /// Wait.
    Wait(Hold, Ticket),
    /// Be decided again: newer keys were there all along.
    Again,
    /// Be decided without.
    No,
}

/// The documents of one worker and what is done to keep them fresh.
pub struct Refresh {
    ring: Ring,
    sources: Vec<Fetcher>,
    waiters: Waiters,
    /// How many of them the gauge has.
    shown: usize,
    metrics: Metrics,
}

/// Who asked for the answer of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Keys: the fetcher of that owner's.
    Keys(KeyOwnerId),
}

/// What a source works with.
struct Tools<'a> {
    ring: &'a mut Ring,
    metrics: &'a mut Metrics,
    calls: &'a mut Pending<Asker>,
    chance: &'a Chance,
    host: &'a dyn Host,
}

impl Refresh {
    pub fn new(config: &Settings, vm_configuration: &[u8], sharing: Sharing) -> Self {
        let owners = || config.callers.key_owners();
        let mut sources = Vec::new();
        for (id, owner) in owners() {
            if let Some(KeySource::Remote(remote)) = owner.keys() {
                let records = Records::new(remote, vm_configuration, sharing);
                sources.push(Fetcher::new(id, &owner, remote, records));
            }
        }
        Self {
            ring: Ring::new(owners().count()),
            sources,
            waiters: Waiters::default(),
            shown: 0,
            metrics: Metrics::default(),
        }
    }

    /// Takes up whatever was published before this worker was there.
    pub fn take_up(&mut self, host: &dyn Host) {
        for source in &mut self.sources {
            source.take_up(&mut self.ring, host);
        }
    }

    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    pub fn has_sources(&self) -> bool {
        !self.sources.is_empty()
    }

    /// What a request is to do that lacks these keys.
    pub fn ask(&mut self, wanted: Wanted, waiter: Waiter, host: &dyn Host) -> Advice {
        let is_wanted = |source: &&mut Fetcher| source.owner() == wanted.owner;
        let Some(source) = self.sources.iter_mut().find(is_wanted) else {
            return Advice::No;
        };
        if source.take_up(&mut self.ring, host) {
            return Advice::Again;
        }
        let hold = source.ask(wanted, host);
        let held = hold.and_then(|hold| Some((hold, self.waiters.admit(waiter)?)));
        held.map_or(Advice::No, |(hold, ticket)| Advice::Wait(hold, ticket))
    }

    /// Whether what a request waits for has happened.
    pub fn is_over(&self, hold: &Hold) -> bool {
        let owner = hold.wanted.owner;
        match hold.wanted.want {
            Want::First | Want::Due => self.ring.version(owner).is_some(),
            Want::UnknownKey => {
                let mut sources = self.sources.iter();
                let source = sources.find(|source| source.owner() == owner);
                source.is_none_or(|source| source.attempts() != hold.attempts)
            }
        }
    }

    /// Takes up what was published, and fetches what is due.
    pub fn tick(&mut self, calls: &mut Pending<Asker>, chance: &Chance, host: &dyn Host) {
        for source in &mut self.sources {
            source.tick(&mut Tools {
                ring: &mut self.ring,
                metrics: &mut self.metrics,
                calls,
                chance,
                host,
            });
        }
        self.show_waiters(host);
    }

    /// Takes the answer that a source asked for.
    pub fn response(
        &mut self,
        owner: KeyOwnerId,
        body_bytes: usize,
        calls: &mut Pending<Asker>,
        chance: &Chance,
        host: &dyn Host,
    ) {
        let mut sources = self.sources.iter_mut();
        let Some(source) = sources.find(|source| source.owner() == owner) else {
            return;
        };
        let mut tools = Tools {
            ring: &mut self.ring,
            metrics: &mut self.metrics,
            calls,
            chance,
            host,
        };
        source.response(&answer(host, body_bytes), &mut tools);
    }

    /// Moves the gauge that all workers share by what has changed here since it was last shown.
    fn show_waiters(&mut self, host: &dyn Host) {
        let signed = |count| i64::try_from(count).unwrap_or(i64::MAX);
        let count = self.waiters.count().unwrap_or(self.shown);
        let by = signed(count).saturating_sub(signed(self.shown));
        if by != 0 {
            self.metrics.shift(host, "postern.keys.waiting", by);
            self.shown = count;
        }
    }
}

fn answer(host: &dyn Host, body_bytes: usize) -> Fetched {
    let headers = host.call_headers();
    let text = |name| {
        headers
            .only(name)
            .and_then(|value| std::str::from_utf8(value).ok())
    };
    let body = if body_bytes > DOCUMENT_BYTES {
        Err(body_bytes)
    } else {
        Ok(host.call_body(body_bytes))
    };
    Fetched {
        status: text(":status").and_then(|status| status.parse().ok()),
        cache_control: text("cache-control").map(str::to_owned),
        body,
    }
}
