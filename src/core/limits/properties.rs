//! Limits against random requests, costs and clocks.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::bucket::{Bucket, Counter};
use super::key::Slot;
use super::meter::{Meter, Position};
use super::store::{Answer, Incidents, Ledger, Order};
use crate::base::Now;
use crate::crypto::keyed::{PartHasher, Seed};
use crate::shared::OwnCells;

const START: u64 = 1_772_445_600_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// What may be between two requests.
#[derive(Clone, Copy, Debug)]
enum Clock {
    Still,
    On(u64),
    Back(u64),
}

fn clock() -> impl Strategy<Value = Clock> {
    prop_oneof![
        4 => Just(Clock::Still),
        4 => (1..2 * SECOND).prop_map(Clock::On),
        1 => (1..3 * SECOND).prop_map(Clock::Back),
        1 => (SECOND..100_000 * SECOND).prop_map(Clock::Back),
        1 => (SECOND..100 * SECOND).prop_map(Clock::On),
    ]
}

fn order(key: u64, limit: u32, meter: Meter, cost: u64) -> Order {
    Order {
        slot: Slot {
            cell: 0,
            counter: Counter { limit, key },
        },
        meter,
        cost,
        take: cost,
        observe: false,
        deny_on_contention: true,
    }
}

fn charge(cells: &mut OwnCells, order: Order, now: u64) -> bool {
    let mut incidents = Incidents::default();
    let mut ledger = Ledger {
        cells,
        incidents: &mut incidents,
        now: Now::from_nanos(now),
    };
    let receipts = ledger.charge(&[order]);
    receipts[0].answer == Answer::Fits
}

/// No stretch of what was let in holds more than the burst and what was earned in it.
fn never_over(admitted: &[(u64, u64)], interval: u64, burst: u64) -> bool {
    admitted.iter().enumerate().all(|(first, (begin, _))| {
        let mut units = 0;
        admitted[first..].iter().all(|(end, cost)| {
            units += cost;
            units * interval <= burst * interval + (end - begin)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Forty keys in one bucket of sixteen, so that counters make way for each other all the time.
    #[test]
    fn a_rate_is_never_exceeded_whatever_the_clock_and_the_bucket_do(
        requests in prop::collection::vec((0_u64..40, 1_u64..4, clock()), 1..400),
        interval in SECOND / 100..SECOND,
        burst in 3_u64..10,
    ) {
        let meter = Meter::Rate { interval, burst };
        let (mut cells, mut now, mut earned) = (OwnCells::default(), START, 0);
        let mut admitted: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
        for (key, cost, clock) in requests {
            match clock {
                Clock::Still => {}
                Clock::On(nanos) => { now += nanos; earned += nanos; }
                Clock::Back(nanos) => now -= nanos,
            }
            // Another limit competes for the same places.
            charge(&mut cells, order(key / 4, 9, Meter::Quota { window: 60, quota: 1000 }, 1), now);
            if charge(&mut cells, order(key, 7, meter, cost), now) {
                admitted.entry(key).or_default().push((earned, cost));
            }
        }
        for (key, admitted) in admitted {
            prop_assert!(never_over(&admitted, interval, burst), "{key}: {admitted:?}");
        }
    }

    #[test]
    fn a_lone_key_gets_all_that_its_rate_grants(
        steps in prop::collection::vec(0_u64..2 * SECOND, 1..200),
        interval in SECOND / 100..SECOND,
        burst in 1_u64..10,
    ) {
        let meter = Meter::Rate { interval, burst };
        let (mut cells, mut now) = (OwnCells::default(), START);
        let mut level = burst * interval;
        for step in steps {
            now += step;
            level = (level + step).min(burst * interval);
            let fits = level >= interval;
            prop_assert_eq!(charge(&mut cells, order(1, 7, meter, 1), now), fits);
            level -= if fits { interval } else { 0 };
        }
    }

    #[test]
    fn nobody_waits_longer_than_the_burst_however_far_the_clock_is_set_back(
        back in 0_u64..2 * START / 3,
        interval in 1_000_u64..SECOND,
        burst in 1_u64..10,
    ) {
        let meter = Meter::Rate { interval, burst };
        let mut cells = OwnCells::default();
        while charge(&mut cells, order(1, 7, meter, 1), START) {}
        charge(&mut cells, order(1, 7, meter, 1), START - back);
        // Up to two seconds may be the difference between workers, and up to one is lost by rounding.
        let later = START - back + interval * burst + 3 * SECOND;
        prop_assert!(charge(&mut cells, order(1, 7, meter, burst), later));
    }

    /// As source pressure does: whoever has a unit is let in, and owes what it cost beyond that.
    #[test]
    fn what_is_owed_is_earned_before_the_next_is_let_in(
        steps in prop::collection::vec((0_u64..3 * SECOND, 1_u64..12), 1..200),
        interval in SECOND / 100..SECOND,
        burst in 1_u64..10,
    ) {
        let meter = Meter::Rate { interval, burst };
        let (mut cells, mut now) = (OwnCells::default(), START);
        let mut level = i64::try_from(burst * interval).unwrap();
        let (most, one) = (level, i64::try_from(interval).unwrap());
        let (mut taken, mut largest) = (0, 0);
        for (step, price) in steps {
            now += step;
            level = (level + i64::try_from(step).unwrap()).min(most);
            let order = Order { take: price, ..order(1, 7, meter, 1) };
            let fits = level >= one;
            prop_assert_eq!(charge(&mut cells, order, now), fits);
            if fits {
                level -= one * i64::try_from(price).unwrap();
                (taken, largest) = (taken + price, largest.max(price));
            }
            // Never more than the limit grants, but for what the last one owes.
            prop_assert!(taken * interval < (burst + largest) * interval + (now - START));
        }
    }

    #[test]
    fn a_quota_is_never_exceeded_in_its_window(
        requests in prop::collection::vec((0_u64..40, 1_u64..4, 0_u64..SECOND), 1..400),
        window in 1_u64..20,
        quota in 3_u64..10,
    ) {
        let meter = Meter::Quota { window, quota };
        let (mut cells, mut now) = (OwnCells::default(), START);
        let mut used: BTreeMap<(u64, u64), u64> = BTreeMap::new();
        for (key, cost, step) in requests {
            now += step;
            if charge(&mut cells, order(key, 7, meter, cost), now) {
                let used = used.entry((key, now / SECOND / window)).or_default();
                *used += cost;
                prop_assert!(*used <= quota);
            }
        }
    }

    #[test]
    fn no_bytes_and_no_numbers_bring_a_bucket_down(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        header in (0_u8..18, 0_u8..11),
        (now, cost, position) in (any::<u64>(), any::<u64>(), any::<u64>()),
        (interval, burst) in (any::<u64>(), any::<u64>()),
    ) {
        let size = 8 + usize::from(header.0) * 20 + usize::from(header.1) * 12;
        let mut whole = vec![1, header.0, header.1];
        whole.extend(bytes.iter().cycle().take(size).chain(std::iter::repeat_n(&7, size)).take(size));
        for bytes in [&bytes, &whole] {
            let Some(mut bucket) = Bucket::decode(bytes.clone()) else { continue };
            let at = bucket.advance(Now::from_nanos(now));
            for key in 0..20 {
                let counter = Counter { limit: 3, key };
                bucket.set(counter, Position(position), at);
                let _ = bucket.position(counter);
            }
            prop_assert!(Bucket::decode(bucket.encode().to_vec()).is_some());
        }
        let at = Now::from_nanos(now);
        for meter in [Meter::Rate { interval, burst }, Meter::Quota { window: interval, quota: burst }] {
            let _ = meter.charge(Position(position), cost, at);
            let taken = meter.take(Position(position), cost, at);
            let _ = meter.refund(taken, cost, Position(position), at);
            let _ = meter.standing(taken, at);
        }
    }
}

const CELLS: u32 = 4096;

fn slot(secret: Seed, caller: u32) -> Slot {
    let mut hasher = PartHasher::new(&secret, 7);
    hasher.part(Some(&caller.to_le_bytes()));
    Slot::of(7, &hasher, CELLS)
}

/// How many of the callers come to the victim's bucket, and whether the victim lost its counter.
fn attacked(secret: Seed, victim: u32, callers: &[u32]) -> (usize, bool) {
    let meter = Meter::Rate {
        interval: SECOND,
        burst: 100,
    };
    let (mut cells, mut incidents) = (OwnCells::default(), Incidents::default());
    let mut ledger = Ledger {
        cells: &mut cells,
        incidents: &mut incidents,
        now: Now::from_nanos(START),
    };
    let order = |caller| Order {
        slot: slot(secret, caller),
        ..order(0, 7, meter, 1)
    };
    ledger.charge(&[order(victim)]);
    for caller in callers {
        for _ in 0..100 {
            ledger.charge(&[order(*caller)]);
        }
    }
    let remaining = ledger.look(&order(victim)).standing.remaining;
    let cell = slot(secret, victim).cell;
    let there = callers
        .iter()
        .filter(|caller| slot(secret, **caller).cell == cell);
    (there.count(), remaining < 99)
}

#[test]
fn collisions_that_are_aimed_by_a_known_hash_miss_by_the_secret_one() {
    let (known, secret, victim) = (Seed([0; 16]), Seed([0x5a; 16]), 0);
    let aimed: Vec<u32> = (1..)
        .filter(|caller| slot(known, *caller).cell == slot(known, victim).cell)
        .take(100)
        .collect();
    assert_eq!(
        attacked(known, victim, &aimed),
        (100, true),
        "the attack is one"
    );
    let (there, harmed) = attacked(secret, victim, &aimed);
    assert!(
        there < 5 && !harmed,
        "{there} of 100 come to the victim's bucket"
    );
}

#[test]
fn two_limits_in_one_bucket_of_a_worker_alone_lose_no_count() {
    let meter = Meter::Quota {
        window: 60,
        quota: 2,
    };
    let (mut cells, mut incidents) = (OwnCells::default(), Incidents::default());
    let orders = [order(1, 7, meter, 1), order(1, 8, meter, 1)];
    let admitted = (0..5).filter(|_| {
        let mut ledger = Ledger {
            cells: &mut cells,
            incidents: &mut incidents,
            now: Now::from_nanos(START),
        };
        let receipts = ledger.charge(&orders);
        receipts.iter().all(|r| r.answer == Answer::Fits)
    });
    assert_eq!(admitted.count(), 2);
    for one in orders {
        assert!(!charge(&mut cells, one, START), "{one:?}");
    }
}
