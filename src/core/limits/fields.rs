//! The `RateLimit` and `RateLimit-Policy` fields of draft-ietf-httpapi-ratelimit-headers.

use std::fmt::Write as _;
use std::time::Duration;

use super::Limit;
use super::meter::{Meter, Standing};
use crate::base::Now;
use crate::decision::{RateFields, whole_seconds};

impl RateFields {
    /// The fields of one limit that has nothing left for that long.
    #[must_use]
    pub fn used_up(limit: &Limit, wait: Duration) -> Self {
        let mut fields = Self::default();
        let standing = Standing {
            remaining: 0,
            full_at: Now::default().after(wait),
        };
        fields.add(limit, standing, Now::default());
        fields
    }

    /// Adds a limit of that name; names have nothing that would need an escape.
    pub fn add(&mut self, limit: &Limit, standing: Standing, now: Now) {
        for text in [&mut self.policy, &mut self.state] {
            if !text.is_empty() {
                text.push_str(", ");
            }
        }
        let (quota, window) = policy(limit);
        let reset = whole_seconds(standing.full_at.since(now));
        // Writing into memory has no way to fail.
        let _ = write!(self.policy, "\"{}\";q={quota};w={window}", limit.name);
        let remaining = standing.remaining;
        let _ = write!(self.state, "\"{}\";r={remaining};t={reset}", limit.name);
    }
}

/// Units in a window of whole seconds; a shorter period counts as often as it fits into one.
fn policy(limit: &Limit) -> (u64, u64) {
    match limit.meter {
        Meter::Quota { window, quota } => (quota, window),
        Meter::Rate { .. } if limit.period >= Duration::from_secs(1) => {
            (limit.count, whole_seconds(limit.period))
        }
        Meter::Rate { interval, .. } => (
            1_000_000_000_u64.checked_div(interval).unwrap_or_default(),
            1,
        ),
    }
}
