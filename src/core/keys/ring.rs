//! The documents that one worker verifies with.

use super::Document;
use super::source::{KeySource, Remote};
use crate::base::Now;
use crate::spiffe::Highest;

/// A document in force: which version, and when it was last confirmed.
#[derive(Clone, Debug)]
pub struct Edition {
    /// Grows with each document that differs from the one before.
    pub number: u64,
    /// When it was last fetched.
    pub fetched_at: Now,
    /// Tells it from others: [`Reading::digest`](super::Reading::digest).
    pub digest: [u8; 32],
    /// The highest `spiffe_sequence` so far.
    pub highest: Option<Highest>,
    /// What it says.
    pub document: Document,
}

/// What can be said of a source's document now.
#[derive(Debug)]
pub enum Held<'a> {
    /// This is in force.
    Document(InForce<'a>),
    /// None has been had yet.
    Never,
    /// The one that was had is too old to be believed.
    Stale,
}

/// A document in force, and what tells it from others.
#[derive(Clone, Copy, Debug)]
pub struct InForce<'a> {
    /// What it says.
    pub document: &'a Document,
    /// Tells it from any other that this worker has had.
    pub epoch: u64,
    /// Tells it from any other that any worker has had.
    pub digest: &'a [u8; 32],
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

/// The fetched documents of one worker, by slot.
#[derive(Debug, Default)]
pub struct Ring {
    slots: Vec<RingSlot>,
}

#[derive(Debug, Default)]
struct RingSlot {
    version: Option<Edition>,
    /// Grows with every document that this worker puts in force: versions are told by others.
    epoch: u64,
    failure: Option<&'static str>,
}

impl Ring {
    /// A ring of this many slots, without any documents.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        Self {
            slots: (0..slots).map(|_| RingSlot::default()).collect(),
        }
    }

    /// What is in force for a slot whose keys come from `source`.
    #[must_use]
    pub fn held<'a>(&'a self, slot: usize, source: &'a KeySource, now: Now) -> Held<'a> {
        let remote = match source {
            KeySource::Inline(document, digest) => {
                return Held::Document(InForce {
                    document,
                    epoch: 0,
                    digest,
                });
            }
            KeySource::Remote(remote) => remote,
        };
        match self.version(slot) {
            None => Held::Never,
            Some(version) if is_stale(version, remote, now) => Held::Stale,
            Some(version) => Held::Document(InForce {
                document: &version.document,
                epoch: self.epoch(slot),
                digest: &version.digest,
            }),
        }
    }

    /// What was last had for a slot, however old.
    #[must_use]
    pub fn version(&self, slot: usize) -> Option<&Edition> {
        self.slots.get(slot)?.version.as_ref()
    }

    /// Puts a document in force.
    pub fn put(&mut self, slot: usize, version: Edition) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.epoch = slot.epoch.saturating_add(1);
            slot.version = Some(version);
            slot.failure = None;
        }
    }

    /// Takes note that the document in force was fetched again unchanged.
    pub fn confirm(&mut self, slot: usize, fetched_at: Now) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.failure = None;
            if let Some(version) = &mut slot.version {
                version.fetched_at = fetched_at;
            }
        }
    }

    /// Takes note of why the last fetch brought nothing.
    pub fn note_failure(&mut self, slot: usize, code: &'static str) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.failure = Some(code);
        }
    }

    /// What audit says of a slot; none where nothing was ever had and no fetch failed.
    #[must_use]
    pub fn freshness(&self, slot: usize, now: Now) -> Option<Freshness> {
        let slot = self.slots.get(slot)?;
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

    fn epoch(&self, slot: usize) -> u64 {
        self.slots.get(slot).map_or(0, |slot| slot.epoch)
    }
}

fn is_stale(version: &Edition, remote: &Remote, now: Now) -> bool {
    now.since(version.fetched_at) > remote.max_stale
}
