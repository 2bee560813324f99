//! Every interleaving of a few workers' calls into shared data, in both of its flavours.
//!
//! A worker is a function of what its calls answered. It is run again from its beginning for each
//! of its calls: those it made before are answered from the record, the next one is made, and the
//! run ends there. So any worker can be stopped between any two calls without threads.

use std::collections::BTreeSet;

use super::limits::BUCKET;
use crate::base::Now;
use crate::limits::bucket::{Bucket, Counter};
use crate::limits::key::Slot;
use crate::limits::meter::Meter;
use crate::limits::store::{Answer, Incidents, Ledger, Order};
use crate::memory::{Flavour, MemoryHost, SharedData};
use crate::shared::{Cells, Lent, Sharing, Version};

const NOW: Now = Now::from_secs(1_772_445_600);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Call {
    Read(Vec<u8>, Version),
    Write(bool),
}

/// Cells whose first calls are answered from a record; one more is made, and no others.
struct Stepped<'a> {
    record: &'a mut Vec<Call>,
    at: usize,
    made: bool,
    overrun: bool,
    cells: Lent<'a>,
}

impl Stepped<'_> {
    fn next(&mut self, make: impl FnOnce(&mut Lent<'_>) -> Call) -> Option<Call> {
        self.at += 1;
        if let Some(call) = self.record.get(self.at - 1) {
            return Some(call.clone());
        }
        if self.made {
            self.overrun = true;
            return None;
        }
        self.made = true;
        self.record.push(make(&mut self.cells));
        self.record.last().cloned()
    }
}

// What is answered beyond the one call that is made is never looked at.
impl Cells for Stepped<'_> {
    fn read(&mut self, cell: u32) -> (Vec<u8>, Version) {
        let call = self.next(|cells| {
            let (value, version) = cells.read(cell);
            Call::Read(value, version)
        });
        match call {
            Some(Call::Read(value, version)) => (value, version),
            Some(Call::Write(_)) => panic!("a worker made another call than before"),
            None => (Vec::new(), Version::Absent),
        }
    }

    fn write(&mut self, cell: u32, value: &[u8], version: Version) -> bool {
        let call = self.next(|cells| Call::Write(cells.write(cell, value, version)));
        match call {
            Some(Call::Write(written)) => written,
            Some(Call::Read(..)) => panic!("a worker made another call than before"),
            None => true,
        }
    }

    fn is_shared(&self) -> bool {
        self.cells.is_shared()
    }
}

#[derive(Clone, Debug)]
struct Worker {
    orders: Vec<Order>,
    record: Vec<Call>,
    admitted: Option<bool>,
}

impl Worker {
    fn new(orders: &[Order]) -> Self {
        Self {
            orders: orders.to_vec(),
            record: Vec::new(),
            admitted: None,
        }
    }

    fn step(&mut self, shared: &SharedData, sharing: Sharing) {
        let host = MemoryHost::with_shared(NOW, shared);
        let mut buckets = sharing.shelf(BUCKET);
        let mut stepped = Stepped {
            record: &mut self.record,
            at: 0,
            made: false,
            overrun: false,
            cells: buckets.lend(&host),
        };
        let mut incidents = Incidents::default();
        let receipts = Ledger {
            cells: &mut stepped,
            incidents: &mut incidents,
            now: NOW,
        }
        .charge(&self.orders);
        if !stepped.overrun {
            assert_eq!(incidents.contended + incidents.lost_refunds, 0, "stuck");
            let fits = receipts
                .iter()
                .all(|receipt| receipt.answer == Answer::Fits);
            self.admitted = Some(fits);
        }
    }
}

struct Model {
    sharing: Sharing,
    seen: BTreeSet<String>,
    ends: usize,
    admitted: BTreeSet<usize>,
}

impl Model {
    fn explore(
        &mut self,
        shared: &SharedData,
        workers: &[Worker],
        check: &dyn Fn(&SharedData, &[Worker]),
    ) {
        if !self.seen.insert(format!("{shared:?} {workers:?}")) {
            return;
        }
        let mut ended = true;
        for (index, worker) in workers.iter().enumerate() {
            if worker.admitted.is_some() {
                continue;
            }
            ended = false;
            let (shared, mut workers) = (shared.fork(), workers.to_vec());
            workers[index].step(&shared, self.sharing);
            assert!(workers[index].record.len() < 40, "a worker is stuck");
            self.explore(&shared, &workers, check);
        }
        if ended {
            self.ends += 1;
            let admitted = workers.iter().filter(|w| w.admitted == Some(true)).count();
            self.admitted.insert(admitted);
            check(shared, workers);
        }
    }
}

/// Runs every interleaving in both flavours; answers how many requests were admitted in each.
fn explore(workers: &[Worker], check: impl Fn(&SharedData, &[Worker])) -> BTreeSet<usize> {
    let outcomes = [Flavour::Envoy, Flavour::Strict].map(|flavour| {
        let shared = SharedData::of(flavour);
        let mut model = Model {
            sharing: Sharing::find(&MemoryHost::with_shared(NOW, &shared)),
            seen: BTreeSet::new(),
            ends: 0,
            admitted: BTreeSet::new(),
        };
        model.explore(&shared, workers, &check);
        assert!(model.ends > 1, "there is more than one interleaving");
        model.admitted
    });
    assert_eq!(outcomes[0], outcomes[1], "both flavours admit the same");
    outcomes[0].clone()
}

fn order(cell: u32, key: u64, quota: u64) -> Order {
    Order {
        slot: Slot {
            cell,
            counter: Counter { limit: 7, key },
        },
        meter: Meter::Quota {
            window: 3600,
            quota,
        },
        cost: 1,
        take: 1,
        observe: false,
        deny_on_contention: true,
    }
}

/// How much of an order's quota is used.
fn used(shared: &SharedData, order: &Order) -> u64 {
    let Some(bytes) = shared.bytes(&format!("{BUCKET}{:06x}", order.slot.cell)) else {
        return 0;
    };
    let bucket = Bucket::decode(bytes).unwrap();
    let position = bucket.position(order.slot.counter);
    let Meter::Quota { quota, .. } = order.meter else {
        panic!("a quota");
    };
    quota - order.meter.standing(position, NOW).remaining
}

fn admitted(workers: &[Worker]) -> u64 {
    workers.iter().filter(|w| w.admitted == Some(true)).count() as u64
}

#[test]
fn workers_that_share_a_counter_from_its_first_touch_never_exceed_it_and_lose_no_count() {
    for workers in 2..=3 {
        for quota in 1..=3 {
            let one = order(5, 1, quota);
            let all = vec![Worker::new(&[one]); workers];
            let outcomes = explore(&all, |shared, workers| {
                assert_eq!(used(shared, &one), admitted(workers));
            });
            let expected = usize::try_from(quota).unwrap().min(workers);
            assert_eq!(
                outcomes,
                BTreeSet::from([expected]),
                "{workers} workers, {quota}"
            );
        }
    }
}

#[test]
fn workers_that_share_a_bucket_but_no_counter_do_not_lose_each_others_counts() {
    let orders = [order(5, 1, 1), order(5, 2, 1), order(5, 3, 1)];
    let all = orders.map(|order| Worker::new(&[order]));
    let outcomes = explore(&all, |shared, _| {
        orders
            .iter()
            .for_each(|order| assert_eq!(used(shared, order), 1));
    });
    assert_eq!(outcomes, BTreeSet::from([3]));
}

#[test]
fn several_limits_are_charged_all_or_none() {
    let (wide, narrow) = (order(1, 1, 2), order(2, 2, 1));
    let all = vec![Worker::new(&[wide, narrow]); 2];
    let outcomes = explore(&all, |shared, workers| {
        assert_eq!(used(shared, &narrow), admitted(workers));
        assert_eq!(
            used(shared, &wide),
            admitted(workers),
            "what was charged is given back"
        );
    });
    assert_eq!(outcomes, BTreeSet::from([1]));
}

#[test]
fn workers_that_charge_in_opposite_order_give_back_and_never_exceed() {
    let (one, other) = (order(1, 1, 1), order(2, 2, 1));
    let all = [Worker::new(&[one, other]), Worker::new(&[other, one])];
    let outcomes = explore(&all, |shared, workers| {
        assert_eq!(used(shared, &one), admitted(workers));
        assert_eq!(used(shared, &other), admitted(workers));
    });
    // Each may stand in the other's way, and both are then refused.
    assert_eq!(outcomes, BTreeSet::from([0, 1]));
}

#[test]
fn two_limits_in_one_bucket_are_charged_all_or_none() {
    let (one, other) = (order(1, 1, 2), order(1, 2, 1));
    let all = vec![Worker::new(&[one, other]); 2];
    explore(&all, |shared, workers| {
        assert_eq!(used(shared, &one), admitted(workers));
        assert_eq!(used(shared, &other), admitted(workers));
    });
}
