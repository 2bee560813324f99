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
    /// When the request came.
    pub now: Now,
}
