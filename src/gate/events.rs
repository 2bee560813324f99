//! Events on their way into the host's log: each at once, or several together.

use crate::audit::{Record, ocsf};
use crate::config::Audit;
use crate::host::{Host, LogLevel};

/// The memory that is kept for the next batch, in bytes; twice a batch where that is more.
const KEPT: usize = 64 << 10;

/// The events of one worker that are not yet in the host's log.
///
/// They are written when there are as many bytes as the configuration says, with the gate's tick,
/// and when the gate ends.
#[derive(Debug)]
pub struct Events {
    level: LogLevel,
    /// From how many bytes on what was gathered is written; zero where nothing is gathered.
    batch: usize,
    lines: String,
}

impl Events {
    pub fn new(audit: &Audit) -> Self {
        Self {
            level: audit.level,
            batch: audit.batch,
            lines: String::new(),
        }
    }

    /// Whether events are gathered, and so have to be flushed now and then.
    pub fn gathers(&self) -> bool {
        self.batch > 0
    }

    /// Adds an event, and writes what there is if it is enough.
    pub fn add(&mut self, host: &dyn Host, record: &Record<'_>) {
        if !self.lines.is_empty() {
            self.lines.push('\n');
        }
        ocsf::write(&mut self.lines, record);
        if self.lines.len() >= self.batch {
            self.flush(host);
        }
    }

    /// Writes what there is.
    pub fn flush(&mut self, host: &dyn Host) {
        if self.lines.is_empty() {
            return;
        }
        host.log(self.level, &self.lines);
        self.lines.clear();
        self.lines.shrink_to(KEPT.max(self.batch.saturating_mul(2)));
    }
}
