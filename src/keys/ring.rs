//! The key sets that one worker verifies with.

use super::source::{KeySource, Remote};
use crate::jose::KeySet;
use crate::time::Now;
use crate::token::cache::Fingerprint;

/// A key set in force: which version, and when it was last confirmed.
#[derive(Clone, Debug)]
pub struct Version {
    /// Grows with each set that differs from the one before; zero for keys of the configuration.
    pub number: u64,
    /// When it was last fetched.
    pub fetched_at: Now,
    /// Tells its document from others.
    pub document: Fingerprint,
    /// The keys.
    pub keys: KeySet,
}

/// What can be said of an issuer's keys now.
#[derive(Debug)]
pub enum Held<'a> {
    /// These are in force, and this tells them from any others that this worker has had.
    Keys(&'a KeySet, u64),
    /// None have been had yet.
    Never,
    /// Those that were had are too old to be believed.
    Stale,
}

/// What audit says of the keys that a decision was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// The version of the set.
    pub version: u64,
    /// Seconds since it was last fetched.
    pub age: u64,
    /// Why the last fetch brought nothing, if it did.
    pub failure: Option<&'static str>,
}

/// The fetched key sets of one worker, by the issuer's place in the configuration.
#[derive(Debug, Default)]
pub struct Ring {
    slots: Vec<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    version: Option<Version>,
    /// Grows with every set that this worker puts in force: versions are told by others.
    epoch: u64,
    failure: Option<&'static str>,
}

impl Ring {
    /// A ring for this many issuers, without any keys.
    #[must_use]
    pub fn new(issuers: usize) -> Self {
        Self {
            slots: (0..issuers).map(|_| Slot::default()).collect(),
        }
    }

    /// The keys of an issuer.
    #[must_use]
    pub fn held<'a>(&'a self, issuer: usize, source: &'a KeySource, now: Now) -> Held<'a> {
        let remote = match source {
            KeySource::Inline(keys) => return Held::Keys(keys, 0),
            KeySource::Remote(remote) => remote,
        };
        match self.version(issuer) {
            None => Held::Never,
            Some(version) if is_stale(version, remote, now) => Held::Stale,
            Some(version) => Held::Keys(&version.keys, self.epoch(issuer)),
        }
    }

    /// The set that was last had for an issuer, however old.
    #[must_use]
    pub fn version(&self, issuer: usize) -> Option<&Version> {
        self.slots.get(issuer)?.version.as_ref()
    }

    /// Puts a set in force.
    pub fn put(&mut self, issuer: usize, version: Version) {
        if let Some(slot) = self.slots.get_mut(issuer) {
            slot.epoch = slot.epoch.saturating_add(1);
            slot.version = Some(version);
            slot.failure = None;
        }
    }

    /// Takes note that the set in force was fetched again unchanged.
    pub fn confirm(&mut self, issuer: usize, fetched_at: Now) {
        if let Some(slot) = self.slots.get_mut(issuer) {
            slot.failure = None;
            if let Some(version) = &mut slot.version {
                version.fetched_at = fetched_at;
            }
        }
    }

    /// Takes note of why the last fetch brought nothing.
    pub fn note_failure(&mut self, issuer: usize, code: &'static str) {
        if let Some(slot) = self.slots.get_mut(issuer) {
            slot.failure = Some(code);
        }
    }

    /// What audit says of an issuer's keys; none where no set was ever had and no fetch failed.
    #[must_use]
    pub fn freshness(&self, issuer: usize, now: Now) -> Option<Freshness> {
        let slot = self.slots.get(issuer)?;
        match (&slot.version, slot.failure) {
            (None, None) => None,
            (None, failure) => Some(Freshness {
                version: 0,
                age: 0,
                failure,
            }),
            (Some(version), failure) => {
                let age = now.since(version.fetched_at).as_secs();
                Some(Freshness {
                    version: version.number,
                    age,
                    failure,
                })
            }
        }
    }

    fn epoch(&self, issuer: usize) -> u64 {
        self.slots.get(issuer).map_or(0, |slot| slot.epoch)
    }
}

fn is_stale(version: &Version, remote: &Remote, now: Now) -> bool {
    now.since(version.fetched_at) > remote.max_stale
}
