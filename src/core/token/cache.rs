//! Verified tokens, so that a known token costs a hash instead of a signature check.
//!
//! An entry is found by a keyed 128-bit hash of the token's bytes; the token itself is not kept.
//! SipHash-2-4 with a secret key is a pseudo-random function, so that a caller who does not know
//! the key can neither forge a hit nor aim for a collision. Bounded in bytes: when full, the least
//! recently used entries make room; nothing is ever refused for lack of it.

use std::hash::{BuildHasherDefault, Hasher};

use lru::LruCache;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::crypto::sha256;
use crate::time::Now;

/// What a worker keeps of an entry besides the value: key, links, table slot, bookkeeping.
const ENTRY_OVERHEAD: usize = 128;

/// A secret that keys hashes, different in every worker's life.
#[derive(Clone, Copy)]
pub struct Seed(pub [u8; 16]);

/// The keyed hash of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// The fingerprint as 16 bytes, little-endian.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// Half of it, where that will do.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "the half that is wanted")]
    pub const fn low(self) -> u64 {
        self.0 as u64
    }
}

impl Seed {
    /// The secret that everyone has who runs in a VM of this configuration: one for each `purpose`,
    /// which none begins another, and `subject`.
    #[must_use]
    pub fn of_vm(purpose: &str, vm_configuration: &[u8], subject: &str) -> Self {
        let length = u64::try_from(vm_configuration.len()).unwrap_or(u64::MAX);
        let parts = [
            purpose.as_bytes(),
            &length.to_le_bytes(),
            vm_configuration,
            subject.as_bytes(),
        ];
        let [key @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = sha256(&parts.concat());
        Self(key)
    }

    /// The fingerprint of a token's bytes.
    #[must_use]
    pub fn fingerprint(&self, token: &[u8]) -> Fingerprint {
        self.fingerprint_of(&[token])
    }

    /// The fingerprint of all parts together, one behind the other.
    #[must_use]
    pub fn fingerprint_of(&self, parts: &[&[u8]]) -> Fingerprint {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        parts.iter().for_each(|part| hasher.write(part));
        Fingerprint(hasher.finish128().as_u128())
    }
}

/// A bounded map from fingerprints to what was verified.
#[derive(Debug)]
pub struct TokenCache<V> {
    entries: LruCache<Fingerprint, Entry<V>, BuildHasherDefault<Folded>>,
    bytes: usize,
    capacity: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    deadline: Now,
}

impl<V: Clone> TokenCache<V> {
    /// An empty cache that will hold at most `capacity` bytes.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: LruCache::unbounded_with_hasher(BuildHasherDefault::default()),
            bytes: 0,
            capacity,
        }
    }

    /// What was verified of this token, unless its time is up; then the entry is dropped.
    pub fn find(&mut self, fingerprint: Fingerprint, now: Now) -> Option<V> {
        let entry = self.entries.get(&fingerprint)?;
        if now < entry.deadline {
            return Some(entry.value.clone());
        }
        self.remove(fingerprint);
        None
    }

    /// Keeps what was verified of a token until `deadline`; `bytes` is the size of the value.
    ///
    /// A value larger than the whole cache is not kept.
    pub fn keep(&mut self, fingerprint: Fingerprint, value: V, bytes: usize, deadline: Now) {
        let bytes = bytes.saturating_add(ENTRY_OVERHEAD);
        if bytes > self.capacity {
            return;
        }
        self.remove(fingerprint);
        self.make_room(bytes);
        self.bytes = self.bytes.saturating_add(bytes);
        self.entries.put(
            fingerprint,
            Entry {
                value,
                bytes,
                deadline,
            },
        );
    }

    /// How many bytes are accounted for.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many tokens are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no token is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn make_room(&mut self, bytes: usize) {
        while self.bytes.saturating_add(bytes) > self.capacity {
            let Some((_, evicted)) = self.entries.pop_lru() else {
                return;
            };
            self.bytes = self.bytes.saturating_sub(evicted.bytes);
        }
    }

    fn remove(&mut self, fingerprint: Fingerprint) {
        if let Some(removed) = self.entries.pop(&fingerprint) {
            self.bytes = self.bytes.saturating_sub(removed.bytes);
        }
    }
}

/// Takes the lower half of a fingerprint as the table's hash: it is already random.
#[derive(Default)]
pub struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut eight = [0; 8];
            eight
                .iter_mut()
                .zip(chunk)
                .for_each(|(to, from)| *to = *from);
            self.0 ^= u64::from_le_bytes(eight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: Seed = Seed([7; 16]);
    const LATER: Now = Now::from_secs(100);

    fn cache(entries: usize) -> TokenCache<usize> {
        TokenCache::new(entries * (ENTRY_OVERHEAD + 72))
    }

    fn keep(cache: &mut TokenCache<usize>, token: usize) {
        cache.keep(SEED.fingerprint(&token.to_le_bytes()), token, 72, LATER);
    }

    fn find(cache: &mut TokenCache<usize>, token: usize, now: Now) -> Option<usize> {
        cache.find(SEED.fingerprint(&token.to_le_bytes()), now)
    }

    #[test]
    fn a_full_cache_evicts_the_least_recently_used_and_never_refuses() {
        let mut cache = cache(3);
        (0..3).for_each(|token| keep(&mut cache, token));
        assert_eq!(find(&mut cache, 0, Now::default()), Some(0));
        keep(&mut cache, 3);
        assert_eq!(find(&mut cache, 1, Now::default()), None);
        assert_eq!(find(&mut cache, 0, Now::default()), Some(0));
        assert_eq!(find(&mut cache, 3, Now::default()), Some(3));
    }

    #[test]
    fn accounted_bytes_never_pass_the_capacity() {
        let mut cache = cache(10);
        for token in 0..1000 {
            keep(&mut cache, token % 37);
            assert!(cache.bytes() <= cache.capacity);
            assert_eq!(cache.bytes(), cache.len() * (ENTRY_OVERHEAD + 72));
        }
        assert_eq!(cache.len(), 10);
    }

    #[test]
    fn an_entry_is_dropped_at_its_deadline_and_not_before() {
        let mut cache = cache(1);
        keep(&mut cache, 1);
        assert_eq!(
            find(&mut cache, 1, Now::from_nanos(LATER.nanos() - 1)),
            Some(1)
        );
        assert_eq!(find(&mut cache, 1, LATER), None);
        assert!(cache.is_empty());
        assert_eq!(cache.bytes(), 0);
    }

    #[test]
    fn a_value_larger_than_the_cache_is_not_kept() {
        let mut cache = cache(1);
        keep(&mut cache, 1);
        cache.keep(SEED.fingerprint(b"large"), 2, usize::MAX, LATER);
        assert_eq!(find(&mut cache, 1, Now::default()), Some(1));
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn another_seed_gives_another_fingerprint() {
        assert_ne!(
            SEED.fingerprint(b"token"),
            Seed([8; 16]).fingerprint(b"token")
        );
    }
}
