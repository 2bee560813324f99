//! Requests that wait for keys: counted, bounded, and shown.

use std::cell::Cell;
use std::rc::Rc;

use super::super::metrics::Metrics;
use crate::host::Host;
use crate::time::Now;
use crate::token::Wanted;

/// The most requests of one worker that wait at once; one more is decided without waiting.
const WAITERS: u32 = 1024;

/// What a request waits for, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    pub(super) wanted: Wanted,
    /// How many fetches had ended when it began to wait.
    pub(super) attempts: u64,
    /// When the request is decided at the latest.
    pub deadline: Now,
}

/// A request's place among those that wait, for as long as it exists.
pub struct Ticket(Rc<Cell<u32>>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// How many requests of this worker wait.
#[derive(Default)]
pub struct Waiters {
    count: Rc<Cell<u32>>,
    shown: u32,
}

impl Waiters {
    /// A place for one more; none where there are too many.
    pub fn admit(&self) -> Option<Ticket> {
        let count = self.count.get();
        if count >= WAITERS {
            return None;
        }
        self.count.set(count.saturating_add(1));
        Some(Ticket(Rc::clone(&self.count)))
    }

    /// Moves the gauge that all workers share by what has changed here since it was last shown.
    pub fn show(&mut self, metrics: &mut Metrics, host: &dyn Host) {
        let by = i64::from(self.count.get()).saturating_sub(i64::from(self.shown));
        if by != 0 {
            metrics.shift(host, "postern.keys.waiting".to_owned(), by);
            self.shown = self.count.get();
        }
    }
}
