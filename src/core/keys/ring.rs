//! The documents that one worker verifies with.

use super::Document;
use super::source::{KeySource, Remote};
use crate::base::{KeyOwnerId, Listed, Now};
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

/// The fetched documents of one worker, by whose they are.
#[derive(Debug, Default)]
pub struct Ring {
    owners: Listed<KeyOwnerId, Fetches>,
}

/// What fetching one owner's documents has come to.
#[derive(Debug, Default)]
struct Fetches {
    version: Option<Edition>,
    /// Grows with every document that this worker puts in force: versions are told by others.
    epoch: u64,
    failure: Option<&'static str>,
}

impl Ring {
    /// A ring for so many owners, without any documents.
    #[must_use]
    pub fn new(owners: usize) -> Self {
        Self {
            owners: (0..owners).map(|_| Fetches::default()).collect(),
        }
    }

    /// What is in force for an owner whose keys come from `source`.
    #[must_use]
    pub fn held<'a>(&'a self, owner: KeyOwnerId, source: &'a KeySource, now: Now) -> Held<'a> {
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
        match self.version(owner) {
            None => Held::Never,
            Some(version) if is_stale(version, remote, now) => Held::Stale,
            Some(version) => Held::Document(InForce {
                document: &version.document,
                epoch: self.epoch(owner),
                digest: &version.digest,
            }),
        }
    }

    /// What was last had for an owner, however old.
    #[must_use]
    pub fn version(&self, owner: KeyOwnerId) -> Option<&Edition> {
        self.owners.get(owner)?.version.as_ref()
    }

    /// Puts a document in force.
    pub fn put(&mut self, owner: KeyOwnerId, version: Edition) {
        if let Some(fetches) = self.owners.get_mut(owner) {
            fetches.epoch = fetches.epoch.saturating_add(1);
            fetches.version = Some(version);
            fetches.failure = None;
        }
    }

    /// Takes note that the document in force was fetched again unchanged.
    pub fn confirm(&mut self, owner: KeyOwnerId, fetched_at: Now) {
        if let Some(fetches) = self.owners.get_mut(owner) {
            fetches.failure = None;
            if let Some(version) = &mut fetches.version {
                version.fetched_at = fetched_at;
            }
        }
    }

    /// Takes note of why the last fetch brought nothing.
    pub fn note_failure(&mut self, owner: KeyOwnerId, code: &'static str) {
        if let Some(fetches) = self.owners.get_mut(owner) {
            fetches.failure = Some(code);
        }
    }

    /// What audit says of an owner's keys; none where nothing was ever had and no fetch failed.
    #[must_use]
    pub fn freshness(&self, owner: KeyOwnerId, now: Now) -> Option<Freshness> {
        let fetches = self.owners.get(owner)?;
        match (&fetches.version, fetches.failure) {
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

    fn epoch(&self, owner: KeyOwnerId) -> u64 {
        self.owners.get(owner).map_or(0, |fetches| fetches.epoch)
    }
}

fn is_stale(version: &Edition, remote: &Remote, now: Now) -> bool {
    now.since(version.fetched_at) > remote.max_stale
}
