//! What the configuration says of where keys come from.

use std::time::Duration;

use serde_json::Value;

use super::schedule::Periods;
use super::uri::HttpUri;
use super::{Document, Reading};

/// Where the keys of an issuer or of a trust domain come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// The configuration itself, and the [digest](Reading::digest) of what it says.
    Inline(Document, [u8; 32]),
    /// A provider, through a cluster of the proxy.
    Remote(Remote),
}

impl KeySource {
    /// What the configuration says itself: a document, read from `json` in that way.
    #[must_use]
    pub fn inline(document: Document, reading: &Reading, json: &Value) -> Self {
        // Writing to memory does not fail.
        let digest = reading.digest(&serde_json::to_vec(json).unwrap_or_default());
        Self::Inline(document, digest)
    }
}

/// A provider of keys.
#[derive(Clone, Debug)]
pub struct Remote {
    /// What is fetched.
    pub location: Location,
    /// The proxy's cluster that it is fetched from.
    pub cluster: String,
    /// Other authorities that metadata may send to, each with its cluster.
    pub authorities: Vec<(String, String)>,
    /// When it is fetched.
    pub periods: Periods,
    /// For how long keys are good that could not be fetched anew.
    pub max_stale: Duration,
    /// For how long a request waits for the first keys.
    pub wait: Duration,
    /// How the document is read.
    pub reading: Reading,
}

/// What is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A JWK Set or a bundle.
    Document(HttpUri),
    /// The metadata of this issuer, and then the set it names.
    Metadata(HttpUri),
}

impl Remote {
    /// A text that two sources share only where they fetch the same from the same place.
    #[must_use]
    pub fn descriptor(&self) -> String {
        let (kind, uri) = match &self.location {
            Location::Metadata(uri) => ("metadata", uri),
            Location::Document(uri) => match self.reading {
                Reading::KeySet(_) => ("key set", uri),
                Reading::Bundle => ("bundle", uri),
            },
        };
        let mut text = format!("{kind}\n{}\n{}", uri.as_str(), self.cluster);
        for (authority, cluster) in &self.authorities {
            text.extend(["\n", authority, "\n", cluster]);
        }
        text
    }

    /// A text that two sources share only where they also fetch at the same times, and take the same
    /// keys: what is too old or of no use to one is then so to the other.
    #[must_use]
    pub fn schedule_descriptor(&self) -> String {
        let Periods {
            timeout,
            refresh,
            cooldown,
        } = self.periods;
        let mut text = self.descriptor();
        for period in [timeout, refresh, cooldown] {
            text.extend(["\n", &period.as_millis().to_string()]);
        }
        for algorithm in self.reading.algorithms().iter() {
            text.extend(["\n", algorithm.name()]);
        }
        if let Reading::KeySet(rules) = self.reading {
            if rules.allow_rsa_exponent_3 {
                text.push_str("\nexponent 3");
            }
            if rules.allow_large_rsa {
                text.push_str("\nlarge RSA");
            }
        }
        text
    }

    /// The cluster for an authority that keys may come from; none for any other.
    #[must_use]
    pub fn cluster_of(&self, authority: &str) -> Option<&str> {
        let (Location::Document(uri) | Location::Metadata(uri)) = &self.location;
        if uri.authority() == authority {
            return Some(&self.cluster);
        }
        let listed = self
            .authorities
            .iter()
            .find(|(listed, _)| listed == authority);
        listed.map(|(_, cluster)| cluster.as_str())
    }
}
