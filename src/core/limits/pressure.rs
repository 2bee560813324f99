//! Sources that keep failing to authenticate are turned away before any signature is checked.
//!
//! A failure is charged to the caller's address (of IPv6: to its /64) like to any limit, across
//! workers. So that requests of the well-behaved need not ask for it every time, a worker remembers
//! for [`FRESH`] that an address was not throttled; before a signature is checked it asks anew.
//!
//! A failure is charged the price of its signatures, in units of one ordinary check, and one unit at
//! least. Whoever has one unit left is let in, and what it then costs beyond that is owed: the work
//! was done, and so has to be earned before the next.
//!
//! Where a request comes from nowhere that is known (a listener on a pipe has no addresses), all
//! such requests share one budget. So that whoever uses it up does not shut the others out, those
//! whose tokens are known go on, and of the rest each worker still checks [`TRICKLE`] a second.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;

use super::key::Slot;
use super::meter::Meter;
use super::store::{Answer, Order};
use super::{Cost, Counters, Limit};
use crate::base::Now;
use crate::base::network::subscriber;
use crate::crypto::keyed::PartHasher;
use crate::crypto::{Work, price::ORDINARY};
use crate::decision::Mode;

/// For how long a worker takes an address to be as it was when it last looked.
pub const FRESH: Duration = Duration::from_millis(100);

/// How audit and `RateLimit` fields refer to it: where it stands in the configuration.
pub const NAME: &str = "source.pressure";

/// How many addresses a worker remembers; the least recently seen make room.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// How many signatures of requests without an address a worker checks in a second once their budget
/// is used up.
pub const TRICKLE: u32 = 10;

/// Whom a failure is charged to; none where no address is known.
type Whom = Option<[u8; 16]>;

/// What a worker remembers of addresses.
pub struct PressureMemory {
    seen: LruCache<Whom, SeenSource>,
    /// The second that it last let some of a used up budget through in, and how many.
    trickled: (u64, u32),
}

#[derive(Clone, Copy)]
struct SeenSource {
    at: Now,
    throttled_until: Option<Now>,
}

impl Default for PressureMemory {
    fn default() -> Self {
        Self {
            seen: LruCache::new(REMEMBERED),
            trickled: (0, 0),
        }
    }
}

impl PressureMemory {
    fn trickles(&mut self, now: Now) -> bool {
        let (second, checked) = &mut self.trickled;
        let this = now.secs();
        if *second != this {
            (*second, *checked) = (this, 0);
        }
        let trickles = *checked < TRICKLE;
        *checked = checked.saturating_add(1);
        trickles
    }
}

/// How much a decision needs to know of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// What was true a moment ago will do.
    Glance,
    /// As it is now: a signature is about to be checked.
    Exact,
}

impl Counters<'_> {
    /// When the source is let in again; none where it is not throttled.
    pub fn throttled(
        &mut self,
        pressure: &Limit,
        source: Option<IpAddr>,
        look: Look,
        now: Now,
    ) -> Option<Now> {
        if source.is_some() {
            return self.used_up(pressure, source, look, now);
        }
        // Whose token is known is nobody who guesses.
        if look == Look::Glance {
            return None;
        }
        let until = self.used_up(pressure, source, look, now)?;
        (!self.limiter.memory.trickles(now)).then_some(until)
    }

    fn used_up(
        &mut self,
        pressure: &Limit,
        source: Option<IpAddr>,
        look: Look,
        now: Now,
    ) -> Option<Now> {
        let who = source.map(subscriber);
        if let Some(seen) = self.limiter.memory.seen.get(&who)
            // A clock that was set back says nothing of what was seen.
            && seen.at <= now
        {
            if seen.throttled_until.is_some_and(|until| until > now) {
                return seen.throttled_until;
            }
            if look == Look::Glance && now.since(seen.at) < FRESH {
                return None;
            }
        }
        let order = self.failure(pressure, who);
        let receipt = self.ledger(now).look(&order);
        self.remember(who, receipt.answer, now)
    }

    /// Charges a failure that took so much work; answers when the source is let in again if it had
    /// none left.
    pub fn failed(
        &mut self,
        pressure: &Limit,
        source: Option<IpAddr>,
        work: Work,
        now: Now,
    ) -> Option<Now> {
        let who = source.map(subscriber);
        let order = Order {
            take: units(work),
            ..self.failure(pressure, who)
        };
        let receipts = self.ledger(now).charge(&[order]);
        let receipt = receipts.first()?;
        if receipt.answer == Answer::Fits && receipt.standing.remaining == 0 {
            // The next one has to look.
            self.limiter.memory.seen.pop(&who);
            return None;
        }
        self.remember(who, receipt.answer, now)
    }

    fn remember(&mut self, who: Whom, answer: Answer, now: Now) -> Option<Now> {
        let throttled_until = match answer {
            Answer::Later(until) => Some(until),
            // What cannot be known does not shut anyone out.
            _ => None,
        };
        let seen = SeenSource {
            at: now,
            throttled_until,
        };
        self.limiter.memory.seen.put(who, seen);
        throttled_until
    }

    fn failure(&self, pressure: &Limit, who: Whom) -> Order {
        let tag = self.limiter.pressure_tag;
        let mut hasher = PartHasher::new(&self.limiter.secret, tag);
        hasher.part(who.as_ref().map(<[u8; 16]>::as_slice));
        Order {
            slot: Slot::of(tag, &hasher, self.limiter.cells),
            meter: pressure.meter,
            cost: 1,
            take: 1,
            observe: false,
            deny_on_contention: pressure.deny_on_contention,
        }
    }
}

/// How many units a failure is charged that took so much work.
fn units(work: Work) -> u64 {
    let (work, one) = (work.spent().as_nanos(), ORDINARY.as_nanos());
    u64::try_from(work.div_ceil(one)).unwrap_or(u64::MAX).max(1)
}

/// The limit that failures are charged to, at that rate.
#[must_use]
pub fn limit(meter: Meter, count: u64, period: Duration, mode: Mode) -> Limit {
    Limit {
        name: NAME.to_owned(),
        key: Vec::new(),
        meter,
        count,
        period,
        cost: Cost::Units(1),
        deny_on_contention: false,
        deny_on_failure: false,
        mode,
    }
}
