//! The host's log: each event at once, or several together.

use crate::audit::forms::{Form, ocsf};
use crate::audit::{Record, Settings, Sink};
use crate::host::{Host, LogLevel};

/// The memory that is kept for the next batch, in bytes; twice a batch where that is more.
const KEPT: usize = 64 << 10;

/// The events of one worker that are not yet in the host's log.
///
/// They are written when there are as many bytes as the configuration says, with the gate's tick,
/// and when the gate ends.
#[derive(Debug)]
pub struct Log {
    form: Form,
    level: LogLevel,
    batch: usize,
    kept: String,
}

impl Log {
    /// A log in the form of OCSF.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            form: ocsf::write,
            level: settings.level,
            batch: settings.batch,
            kept: String::new(),
        }
    }
}

impl Sink for Log {
    fn add(&mut self, host: &dyn Host, record: &Record<'_>) {
        if !self.kept.is_empty() {
            self.kept.push('\n');
        }
        (self.form)(&mut self.kept, record);
        if self.kept.len() >= self.batch {
            self.flush(host);
        }
    }

    fn gathers(&self) -> bool {
        self.batch > 0
    }

    fn flush(&mut self, host: &dyn Host) {
        if self.kept.is_empty() {
            return;
        }
        host.log(self.level, &self.kept);
        self.kept.clear();
        self.kept.shrink_to(KEPT.max(self.batch.saturating_mul(2)));
    }
}
