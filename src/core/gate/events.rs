//! Events on their way into the host's log: each at once, or several together.

use crate::audit::Settings;
use crate::audit::{Record, ocsf};
use crate::host::Host;

/// The memory that is kept for the next batch, in bytes; twice a batch where that is more.
const KEPT: usize = 64 << 10;

/// The events of one worker that are not yet in the host's log.
///
/// They are written when there are as many bytes as the configuration says, with the gate's tick,
/// and when the gate ends.
#[derive(Debug, Default)]
pub struct Events(String);

impl Events {
    /// Adds an event, and writes what there is if it is enough.
    pub fn add(&mut self, host: &dyn Host, audit: &Settings, record: &Record<'_>) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        ocsf::write(&mut self.0, record);
        if self.0.len() >= audit.batch {
            self.flush(host, audit);
        }
    }

    /// Writes what there is.
    pub fn flush(&mut self, host: &dyn Host, audit: &Settings) {
        if self.0.is_empty() {
            return;
        }
        host.log(audit.level, &self.0);
        self.0.clear();
        self.0.shrink_to(KEPT.max(audit.batch.saturating_mul(2)));
    }
}
