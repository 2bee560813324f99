//! What is known of tokens: by this worker, and in the host's shared data by all of them.

use super::metrics::Metrics;
use crate::caller::shared::{ShareKey, Shared};
use crate::caller::{Known, Memory, Tally};
use crate::gate::settings::Settings;
use crate::host::Host;
use crate::shared::Sharing;

/// How the names of pages begin; other plugins may be in the same place.
const PAGE: &str = "postern.tokens.1.";

const TRIED: &str = "postern.tokens.tried";
const VERIFIED: &str = "postern.tokens.verified";
const SHARED: &str = "postern.tokens.shared";

/// The tokens that one worker knows, and where it finds those that others do.
pub struct TokenMemory {
    known: Known,
    /// What is shared, and the key of all pages.
    sharing: Option<(Sharing, ShareKey)>,
    metrics: Metrics,
}

impl TokenMemory {
    /// The tokens of a worker, shared where there is shared data and the configuration says so.
    pub fn new(config: &Settings, known: Known, sharing: Sharing, vm_configuration: &[u8]) -> Self {
        let shares = sharing.has_shelves() && config.callers.tokens.share;
        Self {
            known,
            sharing: shares.then(|| (sharing, ShareKey::new(vm_configuration))),
            metrics: Metrics::default(),
        }
    }

    /// Lends the tokens out, and counts the signatures that were checked or taken over.
    pub fn with<T>(&mut self, host: &dyn Host, work: impl FnOnce(&mut Memory<'_>) -> T) -> T {
        // A host that refuses shared data half-way is as good as one that has none.
        let mut shelf = self
            .sharing
            .map(|(sharing, key)| (sharing.shelf(PAGE), key));
        let mut pages = shelf.as_mut().map(|(shelf, key)| (shelf.lend(host), *key));
        let shared = pages
            .as_mut()
            .map(|(pages, key)| Shared { key: *key, pages });
        let done = work(&mut Memory {
            known: &mut self.known,
            shared,
        });
        let tally = std::mem::take(&mut self.known.tally);
        if tally != Tally::default() {
            self.report(host, tally);
        }
        done
    }

    fn report(&mut self, host: &dyn Host, tally: Tally) {
        if tally.tried > 0 {
            self.metrics.add(host, TRIED, tally.tried);
        }
        if tally.verified > 0 {
            self.metrics.add(host, VERIFIED, tally.verified);
        }
        if tally.shared > 0 {
            self.metrics.add(host, SHARED, tally.shared);
        }
    }
}
