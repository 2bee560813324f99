//! Counters in the host's shared data, and what is reported of them.
//!
//! What the host makes of compare-and-swap is found out when the gate opens. Where it has no shared
//! data, or none that compares, each worker counts for itself.

use super::metrics::Metrics;
use crate::crypto::keyed::Seed;
use crate::gate::settings::Settings;
use crate::host::{Cas, Host, LogLevel, SharedValue};
use crate::limits::cells::{Cells, OwnCells, Version};
use crate::limits::store::Incidents;
use crate::limits::{Counters, Limiter};

/// The names under which workers find what they share; other plugins may be in the same place.
const PROBE: &str = "postern.limits.1.probe";
const SECRET: &str = "postern.limits.1.secret";
pub(super) const CELL: &str = "postern.limits.1.";

const PER_WORKER: &str = "postern.limits.per_worker";

/// The limits of one worker, and where they are counted.
pub struct Limits {
    limiter: Limiter,
    /// The version that makes a value where there is none; none where nothing is shared.
    absent: Option<Cas>,
    own: OwnCells,
    metrics: Metrics,
}

impl Limits {
    /// Finds out what the host can do, and takes up the secret that its workers share.
    pub fn open(config: &Settings, host: &dyn Host) -> Self {
        let mut metrics = Metrics::default();
        let found = sharing(host);
        let secret = found.and_then(|absent| Some((absent, shared_secret(host, absent)?)));
        let (absent, secret) = match secret {
            Some((absent, secret)) => (Some(absent), secret),
            None => {
                // Without randomness a collision can be aimed at, which makes callers share a
                // counter: never more than the limit.
                let mut own = [0; 16];
                let _ = host.random(&mut own);
                (None, Seed(own))
            }
        };
        let apart = absent.is_none();
        if apart && !config.limits.is_empty() {
            let line =
                "limits: the host has no shared data to count in: each worker counts for itself";
            host.log(LogLevel::Warn, line);
        }
        metrics.set(host, PER_WORKER.to_owned(), u64::from(apart));
        Self {
            limiter: Limiter::new(
                &config.limits,
                config.source.pressure.as_ref(),
                config.counters,
                secret,
            ),
            absent,
            own: OwnCells::default(),
            metrics,
        }
    }

    /// The version that makes a value in shared data, where there is any, and the secret that
    /// workers share.
    pub fn sharing(&self) -> (Option<Cas>, Seed) {
        (self.absent, self.limiter.secret())
    }

    /// Lends the counters out, and reports what happened to them.
    pub fn with<T>(&mut self, host: &dyn Host, work: impl FnOnce(&mut Counters<'_>) -> T) -> T {
        let mut cells = HostCells {
            host,
            prefix: CELL,
            absent: self.absent,
            own: &mut self.own,
        };
        let done = work(&mut Counters {
            limiter: &mut self.limiter,
            cells: &mut cells,
        });
        let failed = self.absent.is_some() && !cells.is_shared();
        let incidents = std::mem::take(&mut self.limiter.incidents);
        if failed || incidents != Incidents::default() {
            self.report(host, failed, incidents);
        }
        done
    }

    /// Counts one more of something that has to do with limits.
    pub fn count(&mut self, host: &dyn Host, what: &str) {
        self.metrics.count(host, format!("postern.limits.{what}"));
    }

    fn report(&mut self, host: &dyn Host, failed: bool, incidents: Incidents) {
        let counts = [
            ("unavailable", u64::from(failed)),
            ("contended", incidents.contended),
            ("evicted", incidents.evictions),
            ("damaged", incidents.damaged),
            ("not_given_back", incidents.lost_refunds),
        ];
        for (what, times) in counts.into_iter().filter(|(_, times)| *times > 0) {
            self.metrics
                .add(host, format!("postern.limits.{what}"), times);
        }
    }
}

/// Numbered values in the host's shared data; in this worker's own once the host refuses.
pub(super) struct HostCells<'a> {
    pub host: &'a dyn Host,
    /// How the names of the values begin.
    pub prefix: &'static str,
    /// The version that makes a value where there is none; none where nothing is shared.
    pub absent: Option<Cas>,
    pub own: &'a mut OwnCells,
}

impl Cells for HostCells<'_> {
    fn read(&mut self, cell: u32) -> (Vec<u8>, Version) {
        if self.absent.is_none() {
            return self.own.read(cell);
        }
        match self.host.shared(Name::new(self.prefix, cell).as_str()) {
            Ok(Some(SharedValue { bytes, cas })) => (bytes, Version::Number(cas.0)),
            Ok(None) => (Vec::new(), Version::Absent),
            Err(_) => {
                self.absent = None;
                self.own.read(cell)
            }
        }
    }

    fn write(&mut self, cell: u32, value: &[u8], version: Version) -> bool {
        let Some(absent) = self.absent else {
            return self.own.write(cell, value, version);
        };
        let cas = match version {
            Version::Absent => absent,
            // Zero would overwrite blindly; no stored value has it but where the numbers wrapped.
            Version::Number(0) | Version::Own(_) => return false,
            Version::Number(number) => Cas(number),
        };
        // What was read is no longer what will be written to: it has to be looked at again.
        self.host
            .set_shared(Name::new(self.prefix, cell).as_str(), value, cas)
            .unwrap_or_else(|_| {
                self.absent = None;
                false
            })
    }

    fn is_shared(&self) -> bool {
        self.absent.is_some()
    }
}

/// The name of a value in shared data: a prefix and the value's number.
pub(super) struct Name {
    text: [u8; Self::BYTES],
    bytes: usize,
}

impl Name {
    const BYTES: usize = 32;
    const DIGITS: u32 = 6;

    /// Of a prefix of at most 26 bytes.
    pub fn new(prefix: &str, cell: u32) -> Self {
        let digits = (0..Self::DIGITS).rev().map(|place| {
            let digit = (cell >> place.saturating_mul(4)) & 15;
            char::from_digit(digit, 16).map_or(b'0', |digit| u8::try_from(digit).unwrap_or(b'0'))
        });
        let mut name = Self {
            text: [0; Self::BYTES],
            bytes: 0,
        };
        for (to, from) in name.text.iter_mut().zip(prefix.bytes().chain(digits)) {
            *to = from;
            name.bytes = name.bytes.saturating_add(1);
        }
        name
    }

    pub fn as_str(&self) -> &str {
        let text = self.text.get(..self.bytes).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

/// The version that makes a value where there is none; none where the host cannot be relied on.
///
/// Hosts on proxy-wasm-cpp-host store under a missing key whatever they are given, so that only a
/// version that no value has makes a value and never overwrites one. Strict hosts compare with zero
/// where there is no value.
fn sharing(host: &dyn Host) -> Option<Cas> {
    let first = host.shared(PROBE).ok()?;
    if first.is_none() && !host.set_shared(PROBE, b"1", Cas::ABSENT).ok()? {
        // Refused, though there was nothing: a strict host, unless another worker was faster.
        host.set_shared(PROBE, b"1", Cas(0)).ok()?;
    }
    host.shared(PROBE).ok()??;
    // Whoever does not compare would let workers overwrite each other.
    if host.set_shared(PROBE, b"1", Cas::ABSENT).ok()? {
        return None;
    }
    // Only a strict host refuses zero on a value that is there.
    let lax = host.set_shared(PROBE, b"1", Cas(0)).ok()?;
    Some(if lax { Cas::ABSENT } else { Cas(0) })
}

/// The secret that all workers key counters with, made by whoever comes first.
fn shared_secret(host: &dyn Host, absent: Cas) -> Option<Seed> {
    let read = || {
        let value = host.shared(SECRET).ok()??;
        Some(Seed(value.bytes.try_into().ok()?))
    };
    read().or_else(|| {
        let mut secret = [0; 16];
        host.random(&mut secret).ok()?;
        host.set_shared(SECRET, &secret, absent).ok()?;
        // Another worker may have been faster.
        read()
    })
}
