//! What a request waits for that lacks keys.

use crate::base::Now;
use crate::caller::Wanted;

/// What a request waits for, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    pub(super) wanted: Wanted,
    /// How many fetches had ended when it began to wait.
    pub(super) attempts: u64,
    /// When the request is decided at the latest.
    pub deadline: Now,
}
