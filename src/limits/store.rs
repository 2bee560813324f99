//! Charges against counters that several workers change at once: all or none, never over.
//!
//! Each bucket is changed in a loop over compare-and-swap, which is bounded: what is answered when
//! it gives up is for the limit to say. Of several charges each is looked at before any is made,
//! so that a request that will be refused changes nothing; where another worker takes the last
//! unit in between, what was charged already is given back.

use super::bucket::Bucket;
use super::cells::{Cells, Unavailable, Version};
use super::key::Place;
use super::meter::{Charge, Meter, Position, Standing};
use crate::time::Now;

/// How often a change is tried that others keep overtaking.
pub const TRIES: usize = 24;

/// What to charge, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The counter.
    pub place: Place,
    /// How it counts.
    pub meter: Meter,
    /// How many units have to be there.
    pub cost: u64,
    /// Whether they are taken now, or only have to be there.
    pub take: bool,
    /// Whether a refusal only counts.
    pub observe: bool,
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
    /// The bucket could not be read or written.
    Unavailable,
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
struct Page {
    bucket: Bucket,
    version: Version,
    now: Now,
    /// Whether the clock was set back since the bucket was written.
    set_back: bool,
}

impl Ledger<'_> {
    /// Charges all orders, or none if one that is not only observed does not fit.
    ///
    /// `gives_up` says whether an order that is [`Answer::Contended`] or [`Answer::Unavailable`]
    /// refuses the request.
    pub fn charge(
        &mut self,
        orders: &[Order],
        gives_up: &dyn Fn(usize, Answer) -> bool,
    ) -> Vec<Receipt> {
        let mut pages = Vec::with_capacity(orders.len());
        let mut receipts = Vec::with_capacity(orders.len());
        for order in orders {
            let page = self.open(order.place.cell);
            receipts.push(look(order, &page).0);
            pages.push(page);
        }
        let refuses = |(index, (order, receipt)): (usize, (&Order, &Receipt))| {
            !order.observe && is_refusal(index, receipt.answer, gives_up)
        };
        if orders.iter().zip(&receipts).enumerate().any(refuses) {
            for (order, page) in orders.iter().zip(&pages) {
                self.note_set_back(order.place.cell, page);
            }
            return receipts;
        }
        for (index, (order, page)) in orders.iter().zip(&mut pages).enumerate() {
            let Some(receipt) = receipts.get_mut(index) else {
                continue;
            };
            self.commit(order, page, receipt);
            if refuses((index, (order, receipt))) {
                self.give_back(orders, &mut receipts);
                return receipts;
            }
        }
        receipts
    }

    /// Takes units whether they are there or not; answers whether that could be done.
    pub fn settle(&mut self, place: Place, meter: Meter, cost: u64) -> Answer {
        self.change(place, |bucket, now| {
            let position = meter.take(bucket.position(place.counter), cost, now);
            Some(bucket.set(place.counter, position, now))
        })
    }

    /// What the counter says, and whether the units are there.
    pub fn look(&mut self, order: &Order) -> Receipt {
        let page = self.open(order.place.cell);
        self.note_set_back(order.place.cell, &page);
        look(order, &page).0
    }

    fn open(&mut self, cell: u32) -> Result<Page, Unavailable> {
        let (bytes, version) = self.cells.read(cell)?;
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
        Ok(Page {
            bucket,
            version,
            now,
            set_back: now < seen,
        })
    }

    // Time begins to run again for a bucket only when it was written after the clock was set back.
    // Whoever overtakes this has done the same.
    fn note_set_back(&mut self, cell: u32, page: &Result<Page, Unavailable>) {
        if let Ok(page) = page
            && page.set_back
        {
            let _ = self.cells.write(cell, page.bucket.encode(), page.version);
        }
    }

    fn commit(
        &mut self,
        order: &Order,
        page: &mut Result<Page, Unavailable>,
        receipt: &mut Receipt,
    ) {
        if !order.take || receipt.answer != Answer::Fits {
            return;
        }
        for _ in 0..TRIES {
            let (looked, planned) = look(order, page);
            *receipt = looked;
            let (Ok(open), Some(position)) = (&mut *page, planned) else {
                return;
            };
            let evicted = open.bucket.set(order.place.counter, position, open.now);
            match self
                .cells
                .write(order.place.cell, open.bucket.encode(), open.version)
            {
                Ok(true) => {
                    receipt.standing = order.meter.standing(position, open.now);
                    receipt.charged = Some(position);
                    return self.evicted(evicted);
                }
                Ok(false) => *page = self.open(order.place.cell),
                Err(error) => *page = Err(error),
            }
        }
        receipt.answer = self.contended();
    }

    fn give_back(&mut self, orders: &[Order], receipts: &mut [Receipt]) {
        for (order, receipt) in orders.iter().zip(receipts) {
            let Some(charged) = receipt.charged.take() else {
                continue;
            };
            let counter = order.place.counter;
            let answer = self.change(order.place, |bucket, now| {
                let refund = |position| order.meter.refund(position, order.cost, charged, now);
                bucket.change(counter, refund).then_some(false)
            });
            let lost = u64::from(answer != Answer::Fits);
            self.incidents.lost_refunds = self.incidents.lost_refunds.saturating_add(lost);
        }
    }

    /// Puts a change behind compare-and-swap; the change answers whether a live counter made way,
    /// or nothing where there is nothing to change.
    fn change(
        &mut self,
        place: Place,
        change: impl Fn(&mut Bucket, Now) -> Option<bool>,
    ) -> Answer {
        for _ in 0..TRIES {
            let Ok(Page {
                mut bucket,
                version,
                now,
                ..
            }) = self.open(place.cell)
            else {
                return Answer::Unavailable;
            };
            let Some(evicted) = change(&mut bucket, now) else {
                return Answer::Fits;
            };
            match self.cells.write(place.cell, bucket.encode(), version) {
                Ok(true) => {
                    self.evicted(evicted);
                    return Answer::Fits;
                }
                Ok(false) => {}
                Err(Unavailable) => return Answer::Unavailable,
            }
        }
        self.contended()
    }

    fn contended(&mut self) -> Answer {
        self.incidents.contended = self.incidents.contended.saturating_add(1);
        Answer::Contended
    }

    fn evicted(&mut self, evicted: bool) {
        self.incidents.evictions = self.incidents.evictions.saturating_add(u64::from(evicted));
    }
}

fn is_refusal(index: usize, answer: Answer, gives_up: &dyn Fn(usize, Answer) -> bool) -> bool {
    match answer {
        Answer::Fits => false,
        Answer::Later(_) | Answer::Never => true,
        Answer::Contended | Answer::Unavailable => gives_up(index, answer),
    }
}

/// What an order comes to on a page, and where its counter would come to.
fn look(order: &Order, page: &Result<Page, Unavailable>) -> (Receipt, Option<Position>) {
    let Ok(page) = page else {
        let standing = Standing {
            remaining: 0,
            full_at: Now::default(),
        };
        return (Receipt::new(Answer::Unavailable, standing), None);
    };
    let position = page.bucket.position(order.place.counter);
    let standing = order.meter.standing(position, page.now);
    let (answer, planned) = match order.meter.charge(position, order.cost, page.now) {
        Charge::Fits(next) => (Answer::Fits, Some(next)),
        Charge::Later(at) => (Answer::Later(at), None),
        Charge::Never => (Answer::Never, None),
    };
    (Receipt::new(answer, standing), planned)
}

impl Receipt {
    const fn new(answer: Answer, standing: Standing) -> Self {
        Self {
            answer,
            standing,
            charged: None,
        }
    }
}
