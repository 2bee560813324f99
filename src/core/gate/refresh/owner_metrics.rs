//! What operators see of one source of keys.

use super::super::metrics::Metrics;
use crate::caller::settings::KeyOwner;
use crate::host::{Host, Metric};
use crate::keys::ring::Freshness;

/// What the metrics of a source are called.
struct MetricNames {
    /// The label that tells sources apart.
    owner: &'static str,
    fetches: &'static str,
    version: &'static str,
    age_seconds: &'static str,
}

const OF_ISSUER: MetricNames = MetricNames {
    owner: "issuer",
    fetches: "postern.keys.{issuer}.fetches.{outcome}",
    version: "postern.keys.{issuer}.version",
    age_seconds: "postern.keys.{issuer}.age_seconds",
};

const OF_DOMAIN: MetricNames = MetricNames {
    owner: "domain",
    fetches: "postern.bundles.{domain}.fetches.{outcome}",
    version: "postern.bundles.{domain}.version",
    age_seconds: "postern.bundles.{domain}.age_seconds",
};

/// The metrics of a source.
pub struct OwnerMetrics {
    names: &'static MetricNames,
    owner: String,
}

impl OwnerMetrics {
    /// Those of whose keys it has.
    pub fn of(owner: &KeyOwner<'_>) -> Self {
        let (names, owner) = match owner {
            KeyOwner::Issuer(issuer) => (&OF_ISSUER, issuer.name.clone()),
            KeyOwner::TrustDomain(domain) => (&OF_DOMAIN, domain.name.as_str().to_owned()),
        };
        Self { names, owner }
    }

    /// A fetch has ended so.
    pub fn fetched(&self, metrics: &mut Metrics, host: &dyn Host, outcome: &str) {
        let labels = [self.label(), ("outcome", outcome)];
        metrics.count(host, Metric::of(self.names.fetches, &labels));
    }

    /// These keys are in force.
    pub fn in_force(&self, metrics: &mut Metrics, host: &dyn Host, keys: Freshness) {
        let (names, labels) = (self.names, &[self.label()]);
        metrics.set(host, Metric::of(names.version, labels), keys.version);
        metrics.set(host, Metric::of(names.age_seconds, labels), keys.age);
    }

    fn label(&self) -> (&'static str, &str) {
        (self.names.owner, &self.owner)
    }
}
