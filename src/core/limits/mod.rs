//! Limits: how much a caller may, counted exactly across workers and bounded in memory.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `meter` | the generic cell rate algorithm and quotas, as pure functions |
//! | `bucket` | sixteen counters in one value, and what happens when it is full |
//! | `store` | charges behind compare-and-swap, all or none |
//! | `key` | what a limit counts by, hashed with a secret |
//! | `daily` | what is said once a day |
//! | `pressure` | sources that keep failing |
//! | `fields` | `RateLimit` fields |
//!
//! Nothing here calls the host: whoever does hands in [`Cells`].

pub mod bucket;
mod daily;
pub mod fields;
pub mod key;
pub mod meter;
pub mod pressure;
#[cfg(all(test, not(target_family = "wasm")))]
mod properties;
pub mod store;

use std::net::IpAddr;
use std::time::Duration;

use smallvec::SmallVec;

use crate::base::network::{address, network};
use crate::base::{LimitId, Listed, Now};
use crate::caller::Caller;
use crate::crypto::keyed::{PartHasher, Seed};
use crate::decision::{Denial, Mode, RateFields, Reason, whole_millis};
use crate::request::{RequestView, parameter};
use crate::shared::Cells;

use bucket::ENTRIES;
use key::{KeyPart, Slot};
use meter::{Meter, Standing};
use pressure::PressureMemory;
use store::{Answer, Incidents, Ledger, Order, Receipt};

/// As many as most routes have limits, without an allocation; or more, with one.
pub type Few<T> = SmallVec<[T; 2]>;

/// Where limits are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// How many counters are kept at once.
    pub slots: usize,
}

impl Default for Slots {
    fn default() -> Self {
        Self { slots: 65_536 }
    }
}

/// A limit, as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// How routes and audit refer to it; unique.
    pub name: String,
    /// What it counts by.
    pub key: Vec<KeyPart>,
    /// How it counts.
    pub meter: Meter,
    /// The rate's or quota's count.
    pub count: u64,
    /// The rate's or quota's period.
    pub period: Duration,
    /// What a request costs.
    pub cost: Cost,
    /// Whether a request is refused that others' changes keep from being counted.
    pub deny_on_contention: bool,
    /// Whether a request is refused that cannot be counted for all workers.
    pub deny_on_failure: bool,
    /// Whether its refusals are enforced.
    pub mode: Mode,
}

impl Limit {
    /// What the limit is: a counter belongs to it for as long as this does not change.
    #[must_use]
    pub fn definition(&self) -> String {
        let (kind, one, other) = match self.meter {
            Meter::Rate { interval, burst } => ("rate", interval, burst),
            Meter::Quota { window, quota } => ("quota", window, quota),
        };
        // Nothing in a name or a key part is a line break.
        let mut definition = format!("{}\n{kind}\n{one}\n{other}", self.name);
        for part in &self.key {
            definition.push('\n');
            let (kind, name) = part.as_text();
            definition.push_str(kind);
            definition.push_str(name);
        }
        definition
    }
}

/// What a request costs a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cost {
    /// That many units.
    Units(u64),
    /// A unit for each begun `per` of a query parameter; one where it is absent.
    Query {
        /// The parameter.
        name: String,
        /// How much a unit is worth.
        per: u64,
    },
    /// A unit for each begun so many bytes of the response, once they are known.
    ResponseBytes(u64),
}

/// The limits of a route.
#[derive(Clone, Copy)]
pub struct RouteLimits<'a> {
    /// All limits there are.
    pub all: &'a Listed<LimitId, Limit>,
    /// Those of the route.
    pub own: &'a [LimitId],
    /// How many times its cost a request is charged.
    pub factor: u32,
}

impl<'a> RouteLimits<'a> {
    fn iter(self) -> impl Iterator<Item = (LimitId, &'a Limit)> {
        let own = self.own.iter();
        own.filter_map(move |id| Some((*id, self.all.get(*id)?)))
    }
}

/// What the limits count by, of one request.
#[derive(Clone, Copy)]
pub struct CountedBy<'a> {
    /// The caller.
    pub caller: &'a Caller,
    /// The name of its issuer.
    pub issuer: &'a str,
    /// The name of the route.
    pub route: &'a str,
    /// The request.
    pub view: &'a RequestView<'a>,
}

/// What was charged for a request.
#[derive(Clone, Debug, Default)]
pub struct Charged {
    /// Each limit, and what it says now.
    pub standings: Few<(LimitId, Standing)>,
    /// How many times its cost the request is charged; zero for once.
    pub factor: u32,
    /// The limits that are charged when the response's bytes are known.
    pub owed: Vec<(LimitId, Slot)>,
    /// The limits that would have refused the request, and are only observed.
    pub observed: Vec<LimitId>,
    /// The limit that refused it.
    pub refused_by: Option<LimitId>,
}

impl Charged {
    /// The `RateLimit` fields; none where no limit was looked at.
    #[must_use]
    pub fn fields(&self, limits: &Listed<LimitId, Limit>, now: Now) -> Option<RateFields> {
        let mut fields = RateFields::default();
        for (id, standing) in &self.standings {
            fields.add(limits.get(*id)?, *standing, now);
        }
        (!self.standings.is_empty()).then_some(fields)
    }
}

/// The limits of one worker: what is needed to find a counter.
pub struct Limiter {
    secret: Seed,
    cells: u32,
    tags: Listed<LimitId, u32>,
    pressure_tag: u32,
    memory: PressureMemory,
    /// What happened since it was last reported.
    pub incidents: Incidents,
}

/// The counters of all limits, for one request.
pub struct Counters<'a> {
    /// What finds them.
    pub limiter: &'a mut Limiter,
    /// Where they are.
    pub cells: &'a mut dyn Cells,
}

impl Limiter {
    /// Limits and what failures are charged to, keyed with `secret`, which every worker has to share.
    #[must_use]
    pub fn new(
        limits: &Listed<LimitId, Limit>,
        pressure: Option<&Limit>,
        counters: Slots,
        secret: Seed,
    ) -> Self {
        let cells = counters.slots.div_ceil(ENTRIES);
        Self {
            secret,
            cells: u32::try_from(cells).unwrap_or(u32::MAX).max(1),
            tags: limits
                .iter()
                .map(|limit| secret.tag(&limit.definition()))
                .collect(),
            pressure_tag: secret.tag(&pressure.map(Limit::definition).unwrap_or_default()),
            memory: PressureMemory::default(),
            incidents: Incidents::default(),
        }
    }

    fn slot(&self, id: LimitId, limit: &Limit, subject: &CountedBy<'_>) -> Slot {
        let tag = self.tags.get(id).copied().unwrap_or(1);
        let mut hasher = PartHasher::new(&self.secret, tag);
        for part in &limit.key {
            add(&mut hasher, part, subject);
        }
        Slot::of(tag, &hasher, self.cells)
    }
}

impl Counters<'_> {
    /// Charges the limits of a route, all or none; answers what was charged, and whether all of them let
    /// the request in.
    ///
    /// # Errors
    /// `rate_limited` or `quota_exceeded` with the time after which the same request would be let
    /// in; `limits_unavailable` where a limit insists on counting for all workers;
    /// `context_denied` where a cost is no number, `query_ambiguous` where it can be read in two ways.
    pub fn charge(
        &mut self,
        limits: RouteLimits<'_>,
        subject: &CountedBy<'_>,
        now: Now,
    ) -> (Charged, Result<(), Denial>) {
        let mut charged = Charged::default();
        let verdict = self.charge_all(limits, subject, now, &mut charged);
        (charged, verdict)
    }

    fn charge_all(
        &mut self,
        limits: RouteLimits<'_>,
        subject: &CountedBy<'_>,
        now: Now,
        charged: &mut Charged,
    ) -> Result<(), Denial> {
        self.insist_on_sharing(limits, charged)?;
        charged.factor = limits.factor;
        let (mut chosen, mut orders) = (Few::new(), Few::new());
        for (id, limit) in limits.iter() {
            match self.order(id, limit, subject, limits.factor) {
                Ok(order) => {
                    chosen.push((id, limit));
                    orders.push(order);
                }
                // What is only observed refuses nobody, readable or not.
                Err(_) if limit.mode == Mode::Observe => charged.observed.push(id),
                Err(denial) => return Err(denial),
            }
        }
        let receipts = self.ledger(now).charge(&orders);
        // The host may have stopped sharing meanwhile.
        self.insist_on_sharing(limits, charged)?;
        let mut refusal = None;
        for ((id, limit), (order, receipt)) in chosen.iter().zip(orders.iter().zip(&receipts)) {
            charged.standings.push((*id, receipt.standing));
            if order.take == 0 && receipt.answer == Answer::Fits {
                charged.owed.push((*id, order.slot));
            }
            let Some(denial) = refusal_of(limit, receipt, now) else {
                continue;
            };
            if limit.mode == Mode::Observe {
                charged.observed.push(*id);
            } else {
                charged.refused_by.get_or_insert(*id);
                refusal = Some(worse(refusal, denial));
            }
        }
        refusal.map_or(Ok(()), |denial| {
            charged.owed.clear();
            Err(denial)
        })
    }

    fn insist_on_sharing(
        &self,
        limits: RouteLimits<'_>,
        charged: &mut Charged,
    ) -> Result<(), Denial> {
        if self.cells.is_shared() {
            return Ok(());
        }
        let insists = |limit: &Limit| limit.deny_on_failure && limit.mode == Mode::Enforce;
        let Some((id, limit)) = limits.iter().find(|(_, limit)| insists(limit)) else {
            return Ok(());
        };
        charged.refused_by = Some(id);
        let name = &limit.name;
        let detail = format!("the limit \"{name}\" cannot be counted for all workers");
        Err(Denial::new(Reason::LimitsUnavailable, detail))
    }

    /// Charges what was owed for a response of so many bytes.
    pub fn settle(
        &mut self,
        limits: &Listed<LimitId, Limit>,
        charged: &Charged,
        bytes: u64,
        now: Now,
    ) {
        for (id, slot) in &charged.owed {
            let Some(limit) = limits.get(*id) else {
                continue;
            };
            if let Cost::ResponseBytes(unit) = limit.cost {
                let cost = bytes.div_ceil(unit.max(1));
                let cost = times(cost, charged.factor, limit.meter);
                if cost > 0 {
                    self.ledger(now).settle(*slot, limit.meter, cost);
                }
            }
        }
    }

    fn order(
        &self,
        id: LimitId,
        limit: &Limit,
        subject: &CountedBy<'_>,
        factor: u32,
    ) -> Result<Order, Denial> {
        let cost = times(cost(limit, subject.view)?, factor, limit.meter);
        let is_owed = matches!(limit.cost, Cost::ResponseBytes(_));
        Ok(Order {
            slot: self.limiter.slot(id, limit, subject),
            meter: limit.meter,
            cost,
            take: if is_owed { 0 } else { cost },
            observe: limit.mode == Mode::Observe,
            deny_on_contention: limit.deny_on_contention,
        })
    }

    fn ledger(&mut self, now: Now) -> Ledger<'_> {
        Ledger {
            cells: &mut *self.cells,
            incidents: &mut self.limiter.incidents,
            now,
        }
    }
}

/// A cost that many times, and no more for it than the limit ever holds: a caller that is slowed
/// down is not locked out.
fn times(cost: u64, factor: u32, meter: Meter) -> u64 {
    let many = cost.saturating_mul(u64::from(factor.max(1)));
    many.min(meter.most().max(cost))
}

fn cost(limit: &Limit, view: &RequestView<'_>) -> Result<u64, Denial> {
    let (name, per) = match &limit.cost {
        Cost::Units(units) => return Ok(*units),
        Cost::ResponseBytes(_) => return Ok(1),
        Cost::Query { name, per } => (name, *per),
    };
    let unreadable = |reason: Reason, problem: &dyn std::fmt::Display| {
        let limit = &limit.name;
        Denial::new(
            reason,
            format!("limits.{limit}.cost: the query parameter \"{name}\" {problem}"),
        )
    };
    let value = parameter(view.query, name);
    let value = value.map_err(|error| unreadable(Reason::QueryAmbiguous, &error))?;
    let Some(value) = value else {
        return Ok(1);
    };
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        let problem = "is not one whole number";
        return Err(unreadable(Reason::ContextDenied, &problem));
    }
    // More than fits is more than any limit holds.
    let value: u64 = value.parse().unwrap_or(u64::MAX);
    Ok(value.div_ceil(per.max(1)).max(1))
}

fn add(hasher: &mut PartHasher, part: &KeyPart, subject: &CountedBy<'_>) {
    let source = subject.view.source;
    let bytes = |of: fn(IpAddr) -> [u8; 16]| source.map(of);
    match part {
        KeyPart::Identity => hasher.part(Some(subject.caller.identity().as_bytes())),
        KeyPart::Issuer => hasher.part(Some(subject.issuer.as_bytes())),
        KeyPart::Client => {
            // A registered client is one, whoever signs its tokens.
            let issuer = subject.issuer.as_bytes();
            hasher.part(subject.caller.registration().is_none().then_some(issuer));
            hasher.part(subject.caller.client().map(str::as_bytes));
        }
        KeyPart::Route => hasher.part(Some(subject.route.as_bytes())),
        KeyPart::Source => hasher.part(bytes(address).as_ref().map(<[u8; 16]>::as_slice)),
        KeyPart::SourceNetwork => hasher.part(bytes(network).as_ref().map(<[u8; 16]>::as_slice)),
        KeyPart::Claim(claim) => {
            let value = claim.lookup(subject.caller.claims().raw());
            // As `Display` writes it, by the code that writes events.
            let text = value.and_then(|value| serde_json::to_string(value).ok());
            hasher.part(text.as_deref().map(str::as_bytes));
        }
        // Of several none is what every reader takes for it.
        KeyPart::Header(name) => hasher.part(subject.view.headers.sole(name).one()),
    }
}

fn refusal_of(limit: &Limit, receipt: &Receipt, now: Now) -> Option<Denial> {
    let name = &limit.name;
    let (reason, used) = match limit.meter {
        Meter::Rate { .. } => (Reason::RateLimited, "rate"),
        Meter::Quota { .. } => (Reason::QuotaExceeded, "quota"),
    };
    match receipt.answer {
        Answer::Fits => None,
        Answer::Later(at) => {
            let wait = at.since(now);
            let millis = whole_millis(wait);
            let detail = format!("the {used} \"{name}\" is used up for {millis} ms");
            Some(Denial::new(reason, detail).after(wait))
        }
        Answer::Never => {
            let detail = format!("the request costs more than the {used} \"{name}\" ever holds");
            Some(Denial::new(reason, detail))
        }
        Answer::Contended if limit.deny_on_contention => {
            let detail = format!("too many workers count for the {used} \"{name}\" at once");
            Some(Denial::new(reason, detail).after(Duration::from_secs(1)))
        }
        Answer::Contended => None,
    }
}

/// Of two refusals the first, with the longer wait; none where one of them never ends.
fn worse(first: Option<Denial>, second: Denial) -> Denial {
    let Some(mut first) = first else {
        return second;
    };
    first.retry_after = match (first.retry_after, second.retry_after) {
        (Some(one), Some(other)) => Some(one.max(other)),
        _ => None,
    };
    first
}
