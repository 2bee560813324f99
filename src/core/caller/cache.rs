//! Verified tokens, so that a known token costs a hash instead of a signature check.
//!
//! An entry is found by a keyed 128-bit hash of the token's bytes; the token itself is not kept.
//! SipHash-2-4 with a secret key is a pseudo-random function, so that a caller who does not know
//! the key can neither forge a hit nor aim for a collision. Bounded in bytes: when full, the least
//! recently used entries make room; nothing is ever refused for lack of it.

use std::hash::BuildHasherDefault;

use lru::LruCache;

use crate::base::Now;
use crate::crypto::keyed::{Fingerprint, Folded};

/// What a worker keeps of an entry besides the value: key, links, table slot, bookkeeping.
const ENTRY_OVERHEAD: usize = 128;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keyed::Seed;

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
