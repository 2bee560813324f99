//! What is counted, through the host's metrics.

use std::collections::BTreeMap;

use crate::host::{Host, MetricKind};

/// The metrics that were made so far, by name.
///
/// Names are made of issuers' names and codes, never of what a caller sent, so that there are only
/// so many.
#[derive(Default)]
pub struct Metrics(BTreeMap<String, Option<u32>>);

impl Metrics {
    /// Counts one more.
    pub fn count(&mut self, host: &dyn Host, name: String) {
        self.add(host, name, 1);
    }

    /// Counts so many more.
    pub fn add(&mut self, host: &dyn Host, name: String, more: u64) {
        if let Some(metric) = self.metric(host, MetricKind::Counter, name) {
            host.increment_metric(metric, i64::try_from(more).unwrap_or(i64::MAX));
        }
    }

    /// Sets a gauge.
    pub fn set(&mut self, host: &dyn Host, name: String, value: u64) {
        if let Some(metric) = self.metric(host, MetricKind::Gauge, name) {
            host.record_metric(metric, value);
        }
    }

    /// Moves a gauge that all workers share.
    pub fn shift(&mut self, host: &dyn Host, name: String, by: i64) {
        if let Some(metric) = self.metric(host, MetricKind::Gauge, name) {
            host.increment_metric(metric, by);
        }
    }

    fn metric(&mut self, host: &dyn Host, kind: MetricKind, name: String) -> Option<u32> {
        if let Some(metric) = self.0.get(&name) {
            return *metric;
        }
        let metric = host.define_metric(kind, &name);
        self.0.insert(name, metric);
        metric
    }
}
