//! Charges against counters that several workers change at once: all or none, never over.
//!
//! Each bucket is changed in a loop over compare-and-swap, which is bounded: what is answered when
//! it gives up is for the limit to say. Of several charges each is looked at before any is made,
//! so that a request that will be refused changes nothing; where another worker takes the last
//! unit in between, what was charged already is given back.

use super::Few;
use super::bucket::Bucket;
use super::key::Slot;
use super::meter::{Charge, Meter, Position, Standing};
use crate::base::Now;
use crate::shared::{Cells, Version};

/// How often a change is tried that others keep overtaking.
pub const TRIES: usize = 24;

/// What to charge, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The counter.
    pub slot: Slot,
    /// How it counts.
    pub meter: Meter,
    /// How many units have to be there.
    pub cost: u64,
    /// How many are taken now: none, as many, or more, which have to be earned before there are any
    /// again.
    pub take: u64,
    /// Whether a refusal only counts.
    pub observe: bool,
    /// Whether the request is refused where others kept changing the bucket.
    pub deny_on_contention: bool,
}

/// What came of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The units are there, and taken where that was asked.
    Fits,
    /// They are there from that instant on.
    Later(Now),
    /// The limit never holds as many.
    Never,
    /// Others kept changing the bucket.
    Contended,
}

/// An order, its answer, and what the counter says with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What came of it.
    pub answer: Answer,
    /// What the counter says.
    pub standing: Standing,
    /// Where the counter came to, if units were taken.
    charged: Option<Position>,
}

/// What happened on the way that is worth counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incidents {
    /// Live counters that made way for others.
    pub evictions: u64,
    /// Values that were no buckets, and were begun anew.
    pub damaged: u64,
    /// Changes that others kept overtaking.
    pub contended: u64,
    /// Charges that could not be given back.
    pub lost_refunds: u64,
}

/// The counters, for one request.
pub struct Ledger<'a> {
    /// Where they are.
    pub cells: &'a mut dyn Cells,
    /// What happened.
    pub incidents: &'a mut Incidents,
    /// When.
    pub now: Now,
}

/// A bucket that was read, with what has to be named to change it.
struct Loaded {
    bucket: Bucket,
    version: Version,
    now: Now,
    /// Whether the clock was set back since the bucket was written.
    set_back: bool,
}

/// What an order comes to, and where its counter would come to.
struct Survey {
    receipt: Receipt,
    planned: Option<Position>,
}

impl Ledger<'_> {
    /// Charges all orders, or none if one that is not only observed does not fit.
    pub fn charge(&mut self, orders: &[Order]) -> Few<Receipt> {
        let looks: Few<(Loaded, Survey)> = orders
            .iter()
            .map(|order| {
                let page = self.open(order.slot.cell);
                let look = look(order, &page);
                (page, look)
            })
            .collect();
        let first_look = orders.iter().zip(&looks);
        let mut refused = first_look
            .clone()
            .any(|(order, (_, look))| look.receipt.refuses(order));
        if refused {
            for (order, (page, _)) in first_look {
                self.note_set_back(order.slot.cell, page);
            }
        }
        let mut receipts = Few::with_capacity(orders.len());
        for (order, (page, look)) in orders.iter().zip(looks) {
            if refused {
                receipts.push(look.receipt);
                continue;
            }
            let receipt = self.commit(order, page, look);
            refused = receipt.refuses(order);
            receipts.push(receipt);
        }
        if refused {
            self.give_back(orders, &mut receipts);
        }
        receipts
    }

    /// Takes units whether they are there or not.
    pub fn settle(&mut self, slot: Slot, meter: Meter, cost: u64) {
        self.change(slot, |bucket, now| {
            let position = meter.take(bucket.position(slot.counter), cost, now);
            Some(bucket.set(slot.counter, position, now))
        });
    }

    /// What the counter says, and whether the units are there.
    pub fn look(&mut self, order: &Order) -> Receipt {
        let page = self.open(order.slot.cell);
        self.note_set_back(order.slot.cell, &page);
        look(order, &page).receipt
    }

    fn open(&mut self, cell: u32) -> Loaded {
        let (bytes, version) = self.cells.read(cell);
        let bucket = if bytes.is_empty() {
            None
        } else {
            let bucket = Bucket::decode(bytes);
            let damaged = u64::from(bucket.is_none());
            self.incidents.damaged = self.incidents.damaged.saturating_add(damaged);
            bucket
        };
        let mut bucket = bucket.unwrap_or_else(Bucket::empty);
        let seen = bucket.seen();
        let now = bucket.advance(self.now);
        Loaded {
            bucket,
            version,
            now,
            set_back: now < seen,
        }
    }

    // Time begins to run again for a bucket only when it was written after the clock was set back.
    // Whoever overtakes this has done the same.
    fn note_set_back(&mut self, cell: u32, page: &Loaded) {
        if page.set_back {
            self.cells.write(cell, page.bucket.encode(), page.version);
        }
    }

    fn commit(&mut self, order: &Order, mut page: Loaded, mut look: Survey) -> Receipt {
        if order.take == 0 {
            return look.receipt;
        }
        let (cell, counter) = (order.slot.cell, order.slot.counter);
        for _ in 0..TRIES {
            let Some(position) = look.planned else {
                return look.receipt;
            };
            let evicted = page.bucket.set(counter, position, page.now);
            if self.cells.write(cell, page.bucket.encode(), page.version) {
                self.evicted(evicted);
                return Receipt {
                    answer: Answer::Fits,
                    standing: order.meter.standing(position, page.now),
                    charged: Some(position),
                };
            }
            page = self.open(cell);
            look = self::look(order, &page);
        }
        self.contended();
        Receipt {
            answer: Answer::Contended,
            ..look.receipt
        }
    }

    fn give_back(&mut self, orders: &[Order], receipts: &mut [Receipt]) {
        for (order, receipt) in orders.iter().zip(receipts) {
            let Some(charged) = receipt.charged.take() else {
                continue;
            };
            let counter = order.slot.counter;
            let given = self.change(order.slot, |bucket, now| {
                let refund = |position| order.meter.refund(position, order.take, charged, now);
                bucket.change(counter, refund).then_some(false)
            });
            let lost = u64::from(!given);
            self.incidents.lost_refunds = self.incidents.lost_refunds.saturating_add(lost);
        }
    }

    /// Puts a change behind compare-and-swap; answers whether that could be done. The change answers
    /// whether a live counter made way, or nothing where there is nothing to change.
    fn change(&mut self, slot: Slot, change: impl Fn(&mut Bucket, Now) -> Option<bool>) -> bool {
        for _ in 0..TRIES {
            let mut page = self.open(slot.cell);
            let Some(evicted) = change(&mut page.bucket, page.now) else {
                return true;
            };
            if self
                .cells
                .write(slot.cell, page.bucket.encode(), page.version)
            {
                self.evicted(evicted);
                return true;
            }
        }
        self.contended();
        false
    }

    fn contended(&mut self) {
        self.incidents.contended = self.incidents.contended.saturating_add(1);
    }

    fn evicted(&mut self, evicted: bool) {
        self.incidents.evictions = self.incidents.evictions.saturating_add(u64::from(evicted));
    }
}

/// What an order comes to on a page.
fn look(order: &Order, page: &Loaded) -> Survey {
    let position = page.bucket.position(order.slot.counter);
    let (answer, planned) = match order.meter.charge(position, order.cost, page.now) {
        Charge::Fits(next) if order.take == order.cost => (Answer::Fits, Some(next)),
        Charge::Fits(_) => {
            let next = order.meter.take(position, order.take, page.now);
            (Answer::Fits, Some(next))
        }
        Charge::Later(at) => (Answer::Later(at), None),
        Charge::Never => (Answer::Never, None),
    };
    let receipt = Receipt {
        answer,
        standing: order.meter.standing(position, page.now),
        charged: None,
    };
    Survey { receipt, planned }
}

impl Receipt {
    fn refuses(&self, order: &Order) -> bool {
        let refuses = match self.answer {
            Answer::Fits => false,
            Answer::Later(_) | Answer::Never => true,
            Answer::Contended => order.deny_on_contention,
        };
        refuses && !order.observe
    }
}
