//! What requests are judged by.

use crate::base::Now;
use crate::caller;
use crate::gate::settings::Settings;

/// What requests are judged by.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    /// What the gate runs on.
    pub config: &'a Settings,
    /// What tokens and certificates are judged by.
    pub callers: caller::TokenJudge<'a>,
}

impl Judge<'_> {
    /// When the request came.
    #[must_use]
    pub fn now(&self) -> Now {
        self.callers.now
    }
}
