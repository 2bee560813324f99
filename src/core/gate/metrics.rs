//! What is counted, through the host's metrics.

use std::collections::BTreeMap;

use crate::host::{Host, Metric, MetricKind};

/// The metrics that were made so far, by name and the values of their labels.
#[derive(Default)]
pub struct Metrics(BTreeMap<(&'static str, Vec<String>), Option<u32>>);

impl Metrics {
    /// Counts one more.
    pub fn count<'a>(&mut self, host: &dyn Host, metric: impl Into<Metric<'a>>) {
        self.add(host, metric, 1);
    }

    /// Counts so many more.
    pub fn add<'a>(&mut self, host: &dyn Host, metric: impl Into<Metric<'a>>, more: u64) {
        if let Some(metric) = self.metric(host, MetricKind::Counter, metric.into()) {
            host.increment_metric(metric, i64::try_from(more).unwrap_or(i64::MAX));
        }
    }

    /// Sets a gauge.
    pub fn set<'a>(&mut self, host: &dyn Host, metric: impl Into<Metric<'a>>, value: u64) {
        if let Some(metric) = self.metric(host, MetricKind::Gauge, metric.into()) {
            host.record_metric(metric, value);
        }
    }

    /// Moves a gauge that all workers share.
    pub fn shift<'a>(&mut self, host: &dyn Host, metric: impl Into<Metric<'a>>, by: i64) {
        if let Some(metric) = self.metric(host, MetricKind::Gauge, metric.into()) {
            host.increment_metric(metric, by);
        }
    }

    fn metric(&mut self, host: &dyn Host, kind: MetricKind, metric: Metric<'_>) -> Option<u32> {
        let values = metric.labels.iter().map(|(_, value)| (*value).to_owned());
        let made = self.0.entry((metric.name, values.collect()));
        *made.or_insert_with(|| host.define_labelled(kind, &metric))
    }
}
