//! Counters in the host's shared data, and what is reported of them.

use super::metrics::Metrics;
use crate::gate::settings::Settings;
use crate::host::{Host, LogLevel};
use crate::limits::store::Incidents;
use crate::limits::{Counters, Limiter};
use crate::shared::{Cells as _, Sharing, Shelf};

/// How the names of buckets begin; other plugins may be in the same place.
pub(super) const BUCKET: &str = "postern.limits.1.";

const PER_WORKER: &str = "postern.limits.per_worker";

/// The limits of one worker, and where they are counted.
pub struct Limits {
    limiter: Limiter,
    buckets: Shelf,
    metrics: Metrics,
}

impl Limits {
    /// The limits of a configuration, counted in what is shared.
    pub fn open(config: &Settings, sharing: Sharing, host: &dyn Host) -> Self {
        let mut metrics = Metrics::default();
        let buckets = sharing.shelf(BUCKET);
        let apart = !buckets.is_shared();
        if apart && !config.limits.is_empty() {
            let line =
                "limits: the host has no shared data to count in: each worker counts for itself";
            host.log(LogLevel::Warn, line);
        }
        metrics.set(host, PER_WORKER, u64::from(apart));
        Self {
            limiter: Limiter::new(
                &config.limits,
                config.source.pressure.as_ref(),
                config.counters,
                sharing.secret(),
            ),
            buckets,
            metrics,
        }
    }

    /// Lends the counters out, and reports what happened to them.
    pub fn with<T>(&mut self, host: &dyn Host, work: impl FnOnce(&mut Counters<'_>) -> T) -> T {
        let was_shared = self.buckets.is_shared();
        let mut cells = self.buckets.lend(host);
        let done = work(&mut Counters {
            limiter: &mut self.limiter,
            cells: &mut cells,
        });
        let failed = was_shared && !cells.is_shared();
        let incidents = std::mem::take(&mut self.limiter.incidents);
        if failed || incidents != Incidents::default() {
            self.report(host, failed, incidents);
        }
        done
    }

    /// Counts one more of something that has to do with limits, by the name of its metric.
    pub fn count(&mut self, host: &dyn Host, name: &'static str) {
        self.metrics.count(host, name);
    }

    fn report(&mut self, host: &dyn Host, failed: bool, incidents: Incidents) {
        let counts = [
            ("postern.limits.unavailable", u64::from(failed)),
            ("postern.limits.contended", incidents.contended),
            ("postern.limits.evicted", incidents.evictions),
            ("postern.limits.damaged", incidents.damaged),
            ("postern.limits.not_given_back", incidents.lost_refunds),
        ];
        for (name, times) in counts.into_iter().filter(|(_, times)| *times > 0) {
            self.metrics.add(host, name, times);
        }
    }
}
