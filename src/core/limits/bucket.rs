//! Sixteen counters packed into one value of shared data, changed in place.
//!
//! ```text
//! offset  bytes
//! 0       1      the form: 1
//! 1       1      n, how many entries follow (at most 16)
//! 2       1      m, how many floors follow them (at most 9)
//! 3       8      the latest instant seen, nanoseconds
//! 11      20 n   entries: limit (4), key (8), position (8)
//! ...     12 m   floors: limit (4), position (8)
//! ```
//!
//! Integers are little-endian. When all sixteen are live and a key comes that has none, the limit
//! that holds the most of them gives up the one that stands for the least use, and its position
//! becomes that limit's *floor* in this bucket: the least that every key of the limit without an
//! entry is taken to have used. A key that comes (back) begins at the floor. So no counter ever
//! says less than what its key used, and nobody exceeds a limit through eviction; what it costs is
//! that a key without an entry may be taken to have used more than it did. This is the
//! Space-Saving algorithm (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and
//! Top-k Elements in Data Streams, ICDT 2005) with positions for counts: as there, the floor is at
//! most the use of the whole bucket divided by the entries the limit holds.

use super::meter::Position;
use crate::base::Now;

/// How many counters a bucket holds.
pub const ENTRIES: usize = 16;

/// How many limits have a floor of their own in a bucket; the others share one.
const FLOORS: usize = 8;
/// The limit whose name the shared floor has. It says that all is used up until then: a position of
/// one limit says nothing of how much of another's quota is.
const ANY: u32 = 0;

const FORM: u8 = 1;
const SEEN: usize = 3;
const HEADER: usize = 11;
const KEY: usize = 12;
const ENTRY: usize = 20;
const FLOOR: usize = 12;

/// A clock that is this much behind what the bucket has seen was set back; less is only the
/// difference between workers.
const SLACK: u64 = 2_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// Which counter: of what limit, and for which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// The limit's tag, never zero.
    pub limit: u32,
    /// The keyed hash of the key.
    pub key: u64,
}

impl Counter {
    fn packed(self) -> [u8; KEY] {
        let mut packed = [0; KEY];
        let bytes = self
            .limit
            .to_le_bytes()
            .into_iter()
            .chain(self.key.to_le_bytes());
        packed
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = from);
        packed
    }
}

/// A bucket as it is stored; most changes are made in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    bytes: Vec<u8>,
}

/// A bucket whose counters come and go.
#[derive(Clone, Debug)]
struct Unpacked {
    seen: [u8; 8],
    entries: Vec<(Counter, Position)>,
    floors: Vec<(u32, Position)>,
}

impl Bucket {
    /// A bucket without counters.
    #[must_use]
    pub fn empty() -> Self {
        let mut bytes = vec![0; HEADER];
        if let Some(form) = bytes.first_mut() {
            *form = FORM;
        }
        Self { bytes }
    }

    /// Reads a stored bucket; none where the bytes are not one.
    #[must_use]
    pub fn decode(bytes: Vec<u8>) -> Option<Self> {
        let bucket = Self { bytes };
        let (form, entries, floors) = bucket.counts()?;
        let entries_bytes = entries.saturating_mul(ENTRY);
        let floors_bytes = floors.saturating_mul(FLOOR);
        let size = HEADER
            .saturating_add(entries_bytes)
            .saturating_add(floors_bytes);
        let fits = form == FORM && entries <= ENTRIES && bucket.bytes.len() == size;
        let fits = fits && (floors <= FLOORS || bucket.unpack().floors_of_their_own() <= FLOORS);
        (fits && floors <= FLOORS.saturating_add(1)).then_some(bucket)
    }

    /// The bytes to store.
    #[must_use]
    pub fn encode(&self) -> &[u8] {
        &self.bytes
    }

    /// The latest instant seen.
    #[must_use]
    pub fn seen(&self) -> Now {
        let seen = self.bytes.get(SEEN..).and_then(<[u8]>::first_chunk::<8>);
        Now::from_nanos(seen.map_or(0, |seen| u64::from_le_bytes(*seen)))
    }

    /// The instant at which the bucket is judged: never before one that it has seen.
    ///
    /// Where the clock was set back, every position goes back with it, so that nobody has to wait
    /// for the clock to catch up and nobody is given what the jump would be worth.
    pub fn advance(&mut self, now: Now) -> Now {
        let seen = self.seen().nanos();
        let set_back = now.nanos().saturating_add(SLACK) < seen;
        if set_back {
            self.repack(|unpacked| unpacked.set_back(seen.saturating_sub(now.nanos())));
        }
        let latest = if set_back {
            now.nanos()
        } else {
            seen.max(now.nanos())
        };
        if let Some(seen) = self
            .bytes
            .get_mut(SEEN..)
            .and_then(<[u8]>::first_chunk_mut::<8>)
        {
            *seen = latest.to_le_bytes();
        }
        Now::from_nanos(latest)
    }

    /// The position of a counter: its own, or the floor where it has no entry.
    #[must_use]
    pub fn position(&self, counter: Counter) -> Position {
        let sought = counter.packed();
        let mut entries = self
            .bytes
            .get(HEADER..)
            .unwrap_or_default()
            .chunks_exact(ENTRY);
        let own = entries
            .by_ref()
            .take(self.entry_count())
            .find_map(|packed| packed.strip_prefix(&sought));
        match own.and_then(<[u8]>::first_chunk::<8>) {
            Some(position) => Position(u64::from_le_bytes(*position)),
            None => self.unpack().floor(counter.limit),
        }
    }

    /// Sets the position of a counter; answers whether a live one had to make way.
    pub fn set(&mut self, counter: Counter, position: Position, now: Now) -> bool {
        if self.change(counter, |_| position) {
            return false;
        }
        self.repack(|unpacked| unpacked.insert(counter, position, now))
    }

    /// Changes the position of a counter, if it has an entry; answers whether it has.
    pub fn change(&mut self, counter: Counter, change: impl FnOnce(Position) -> Position) -> bool {
        let (sought, count) = (counter.packed(), self.entry_count());
        let packed = self.bytes.get_mut(HEADER..).unwrap_or_default();
        for packed in packed.chunks_exact_mut(ENTRY).take(count) {
            let Some((key, position)) = packed.split_first_chunk_mut::<KEY>() else {
                continue;
            };
            if *key == sought
                && let Some(position) = position.first_chunk_mut::<8>()
            {
                *position = change(Position(u64::from_le_bytes(*position)))
                    .0
                    .to_le_bytes();
                return true;
            }
        }
        false
    }

    fn counts(&self) -> Option<(u8, usize, usize)> {
        let [form, entries, floors] = self.bytes.first_chunk::<3>()?;
        Some((*form, usize::from(*entries), usize::from(*floors)))
    }

    fn entry_count(&self) -> usize {
        self.counts().map_or(0, |(_, entries, _)| entries)
    }

    fn repack<T>(&mut self, change: impl FnOnce(&mut Unpacked) -> T) -> T {
        let mut unpacked = self.unpack();
        let answer = change(&mut unpacked);
        self.bytes = unpacked.pack();
        answer
    }

    fn unpack(&self) -> Unpacked {
        let entries = self.entry_count().saturating_mul(ENTRY);
        let rest = self.bytes.get(HEADER..).unwrap_or_default();
        let (entries, floors) = rest.split_at_checked(entries).unwrap_or_default();
        Unpacked {
            seen: self.seen().nanos().to_le_bytes(),
            entries: entries.chunks_exact(ENTRY).filter_map(entry).collect(),
            floors: floors.chunks_exact(FLOOR).filter_map(floor).collect(),
        }
    }
}

impl Unpacked {
    fn pack(&self) -> Vec<u8> {
        let entries = self.entries.len().saturating_mul(ENTRY);
        let floors = self.floors.len().saturating_mul(FLOOR);
        let mut bytes = Vec::with_capacity(HEADER.saturating_add(entries).saturating_add(floors));
        let count = |length: usize| u8::try_from(length).unwrap_or(u8::MAX);
        bytes.extend([FORM, count(self.entries.len()), count(self.floors.len())]);
        bytes.extend(self.seen);
        for (counter, position) in &self.entries {
            bytes.extend(counter.packed());
            bytes.extend(position.0.to_le_bytes());
        }
        for (limit, position) in &self.floors {
            bytes.extend(limit.to_le_bytes());
            bytes.extend(position.0.to_le_bytes());
        }
        bytes
    }

    /// Makes an entry; answers whether a live one had to make way.
    fn insert(&mut self, counter: Counter, position: Position, now: Now) -> bool {
        self.floors.retain(|(_, floor)| floor.is_live(now));
        if let Some(free) = self.entries.iter_mut().find(|(_, held)| !held.is_live(now)) {
            *free = (counter, position);
            return false;
        }
        let full = self.entries.len() >= ENTRIES;
        if full {
            self.evict();
        }
        self.entries.push((counter, position));
        full
    }

    fn floor(&self, limit: u32) -> Position {
        let floors = self.floors.iter();
        let of_limit = floors.filter(|(of, _)| *of == limit || *of == ANY);
        of_limit
            .map(|(_, position)| *position)
            .max()
            .unwrap_or_default()
    }

    fn floors_of_their_own(&self) -> usize {
        self.floors.iter().filter(|(of, _)| *of != ANY).count()
    }

    fn evict(&mut self) {
        let held = |limit: u32| {
            self.entries
                .iter()
                .filter(|(c, _)| c.limit == limit)
                .count()
        };
        let entries = self.entries.iter().enumerate();
        let victim = entries.max_by_key(|(_, (counter, position))| {
            (
                held(counter.limit),
                counter.limit,
                std::cmp::Reverse(*position),
            )
        });
        let Some(victim) = victim.map(|(index, _)| index) else {
            return;
        };
        let (counter, position) = self.entries.swap_remove(victim);
        self.raise_floor(counter.limit, position);
    }

    fn raise_floor(&mut self, limit: u32, position: Position) {
        let known = self.floors.iter().any(|(of, _)| *of == limit);
        let limit = if known || self.floors_of_their_own() < FLOORS {
            limit
        } else {
            ANY
        };
        let position = if limit == ANY {
            position.used_up()
        } else {
            position
        };
        match self.floors.iter_mut().find(|(of, _)| *of == limit) {
            Some((_, floor)) => *floor = position.max(*floor),
            None => self.floors.push((limit, position)),
        }
    }

    // By whole seconds, and rather too little: the count of a quota is in the nanoseconds.
    fn set_back(&mut self, nanos: u64) {
        let by = nanos.saturating_sub(nanos.checked_rem(SECOND).unwrap_or_default());
        let back = |position: &mut Position| position.0 = position.0.saturating_sub(by);
        self.entries
            .iter_mut()
            .for_each(|(_, position)| back(position));
        self.floors
            .iter_mut()
            .for_each(|(_, position)| back(position));
    }
}

fn entry(bytes: &[u8]) -> Option<(Counter, Position)> {
    let (limit, rest) = bytes.split_first_chunk::<4>()?;
    let (key, position) = rest.split_first_chunk::<8>()?;
    let counter = Counter {
        limit: u32::from_le_bytes(*limit),
        key: u64::from_le_bytes(*key),
    };
    Some((
        counter,
        Position(u64::from_le_bytes(position.try_into().ok()?)),
    ))
}

fn floor(bytes: &[u8]) -> Option<(u32, Position)> {
    let (limit, position) = bytes.split_first_chunk::<4>()?;
    let position = u64::from_le_bytes(position.try_into().ok()?);
    Some((u32::from_le_bytes(*limit), Position(position)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Now = Now::from_secs(1_772_445_600);

    fn counter(limit: u32, key: u64) -> Counter {
        Counter { limit, key }
    }

    fn ahead(nanos: u64) -> Position {
        Position(START.nanos() + nanos)
    }

    fn full() -> Bucket {
        let mut bucket = Bucket::empty();
        bucket.advance(START);
        for key in 0..16 {
            assert!(!bucket.set(counter(1, key), ahead(100 + key), START));
        }
        bucket
    }

    #[test]
    fn a_bucket_is_read_back_as_it_was_written() {
        let mut bucket = full();
        assert!(bucket.set(counter(2, 99), ahead(7), START));
        assert_eq!(
            Bucket::decode(bucket.encode().to_vec()),
            Some(bucket.clone())
        );
        assert_eq!(bucket.encode().len(), HEADER + 16 * ENTRY + FLOOR);
    }

    #[test]
    fn what_is_no_bucket_is_not_read() {
        let bytes = full().bytes;
        for end in 0..bytes.len() {
            assert_eq!(Bucket::decode(bytes[..end].to_vec()), None, "{end}");
        }
        assert_eq!(Bucket::decode([&bytes[..], &[0]].concat()), None);
        for (place, value) in [(0, 2), (1, 17), (1, 255), (2, 10), (2, 1)] {
            let mut bytes = bytes.clone();
            bytes[place] = value;
            assert_eq!(Bucket::decode(bytes), None, "{place} {value}");
        }
    }

    #[test]
    fn the_one_with_the_least_use_makes_way_and_its_use_is_remembered() {
        let mut bucket = full();
        assert_eq!(bucket.position(counter(1, 99)), Position(0));
        assert!(bucket.set(counter(1, 99), ahead(500), START));
        assert_eq!(bucket.position(counter(1, 0)), ahead(100));
        assert_eq!(
            bucket.position(counter(1, 77)),
            ahead(100),
            "whoever has no entry"
        );
        assert_eq!(
            bucket.position(counter(2, 77)),
            Position(0),
            "of that limit alone"
        );
        assert_eq!(bucket.position(counter(1, 1)), ahead(101));
    }

    #[test]
    fn a_limit_gives_up_its_own_before_it_takes_from_one_that_holds_less() {
        let mut bucket = full();
        for key in 0..8 {
            assert!(bucket.set(counter(2, key), ahead(1), START));
        }
        assert!(bucket.set(counter(2, 8), ahead(1), START));
        let of = |limit| {
            bucket
                .unpack()
                .entries
                .iter()
                .filter(|(c, _)| c.limit == limit)
                .count()
        };
        assert_eq!((of(1), of(2)), (8, 8));
    }

    #[test]
    fn entries_and_floors_that_have_run_out_are_free() {
        let mut bucket = full();
        bucket.set(counter(1, 99), ahead(500), START);
        let now = bucket.advance(Now::from_nanos(START.nanos() + 101));
        assert!(!bucket.set(counter(1, 98), ahead(900), now));
        assert!(bucket.unpack().floors.is_empty());
        assert_eq!(bucket.unpack().entries.len(), 16);
    }

    #[test]
    fn limits_beyond_the_eighth_share_a_floor() {
        let mut bucket = full();
        for limit in 1..=12 {
            for key in 0..32 {
                bucket.set(counter(limit, 1000 + key), ahead(1000), START);
            }
        }
        assert!(bucket.unpack().floors.len() <= FLOORS + 1);
        assert!(Bucket::decode(bucket.encode().to_vec()).is_some());
        let lost = bucket.position(counter(12, 5));
        assert!(lost >= ahead(1000), "{lost:?}");
    }

    #[test]
    fn a_quota_is_not_had_again_by_way_of_the_floor_that_other_limits_share() {
        use super::super::meter::{Charge, Meter};
        let mut bucket = Bucket::empty();
        bucket.advance(START);
        // Eight limits have floors of their own; then the quota of the ninth is used up.
        for limit in 1..=8 {
            for key in 0..17 {
                bucket.set(counter(limit, key), ahead(1000 * SECOND), START);
            }
        }
        for key in 0..64 {
            bucket.set(counter(9, key), ahead(60 * SECOND + 3), START);
        }
        // A tenth, whose window ends later, is hardly used.
        for key in 0..64 {
            bucket.set(counter(10, key), ahead(2000 * SECOND + 1), START);
        }
        let quota = Meter::Quota {
            window: 60,
            quota: 3,
        };
        for key in 0..64 {
            let charge = quota.charge(bucket.position(counter(9, key)), 1, START);
            assert!(matches!(charge, Charge::Later(_)), "{key}: {charge:?}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_takes_the_positions_with_it() {
        let mut bucket = full();
        let earlier = Now::from_nanos(START.nanos() - 86_400 * SECOND);
        assert_eq!(bucket.advance(earlier), earlier);
        assert_eq!(
            bucket.position(counter(1, 3)),
            Position(earlier.nanos() + 103)
        );
        let mut bucket = full();
        let a_little = Now::from_nanos(START.nanos() - SECOND);
        assert_eq!(bucket.advance(a_little), START, "the latest instant counts");
    }
}
