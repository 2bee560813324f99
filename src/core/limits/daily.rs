//! What is said once a day, whichever worker comes first.

use super::Counters;
use super::key::Slot;
use super::meter::Meter;
use super::store::{Answer, Order};
use crate::base::Now;
use crate::crypto::keyed::PartHasher;

const A_DAY: Meter = Meter::Quota {
    window: 86_400,
    quota: 1,
};

impl Counters<'_> {
    /// Whether this is the first time today (UTC) that anyone asks of `what` and `whom`; where that
    /// cannot be known, it is.
    pub fn first_today(&mut self, what: &str, whom: [&str; 2], now: Now) -> bool {
        let secret = self.limiter.secret;
        let tag = secret.tag(what);
        let mut hasher = PartHasher::new(&secret, tag);
        whom.iter()
            .for_each(|part| hasher.part(Some(part.as_bytes())));
        let order = Order {
            slot: Slot::of(tag, &hasher, self.limiter.cells),
            meter: A_DAY,
            cost: 1,
            take: 1,
            observe: false,
            deny_on_contention: false,
        };
        let receipts = self.ledger(now).charge(&[order]);
        let answer = receipts.first().map(|receipt| receipt.answer);
        !matches!(answer, Some(Answer::Later(_) | Answer::Never))
    }
}
