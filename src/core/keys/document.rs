//! What a source of keys says: a JWK Set, or the bundle of a SPIFFE trust domain.

use serde_json::Value;

use super::fetch::FetchError;
use crate::crypto::{AlgorithmSet, sha256};
use crate::jose::{KeyRules, KeySet};
use crate::spiffe::{self, Bundle, Highest, Rollback};

/// How a document is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As the JWK Set of an issuer.
    KeySet(KeyRules),
    /// As the bundle of a trust domain.
    Bundle,
}

/// A document that was read.
#[derive(Clone, Debug)]
pub enum Document {
    /// The keys of an issuer.
    KeySet(KeySet),
    /// The bundle of a trust domain.
    Bundle(Bundle),
}

impl Reading {
    /// Reads a fetched document as strictly as one of the configuration.
    ///
    /// # Errors
    ///
    /// A [`FetchError`]; the document is then refused whole.
    pub fn read(&self, document: &Value) -> Result<Document, FetchError> {
        match self {
            Self::KeySet(rules) => KeySet::parse(document, rules)
                .map(|(keys, _)| Document::KeySet(keys))
                .map_err(FetchError::KeySet),
            Self::Bundle => Bundle::from_json(document)
                .map(Document::Bundle)
                .map_err(FetchError::Bundle),
        }
    }

    /// What tells a document that is read like this from any other, and from itself if it were read in
    /// another way: SHA-256.
    #[must_use]
    pub fn digest(&self, document: &[u8]) -> [u8; 32] {
        let (kind, leniency) = match self {
            Self::KeySet(rules) => (
                0,
                u8::from(rules.allow_rsa_exponent_3) | u8::from(rules.allow_large_rsa) << 1,
            ),
            Self::Bundle => (1, 0),
        };
        let [low, high] = self.algorithms().bits().to_le_bytes();
        let read = [kind, leniency, low, high];
        sha256(&[&read, document].concat())
    }

    /// The algorithms whose keys are taken.
    #[must_use]
    pub const fn algorithms(&self) -> AlgorithmSet {
        match self {
            Self::KeySet(rules) => rules.algorithms,
            Self::Bundle => spiffe::ALGORITHMS,
        }
    }
}

impl Document {
    /// Whether this may be taken after documents of at most that sequence, and the highest with it.
    ///
    /// # Errors
    ///
    /// As [`Bundle::follow`]; a JWK Set has no sequence and always may.
    pub fn follow(&self, highest: Option<Highest>) -> Result<Option<Highest>, Rollback> {
        self.bundle()
            .map_or(Ok(highest), |bundle| bundle.follow(highest))
    }

    /// The bundle, where it is one.
    #[must_use]
    pub const fn bundle(&self) -> Option<&Bundle> {
        match self {
            Self::Bundle(bundle) => Some(bundle),
            Self::KeySet(_) => None,
        }
    }
}
