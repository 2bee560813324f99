//! What a kind of condition has to say, and what it is judged by.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::base::Now;
use crate::decision::{Denial, Reason};
use crate::request::RequestView;

/// What conditions are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The request.
    pub request: RequestView<'a>,
    /// The instant of the decision.
    pub now: Now,
    /// How long ago the token was issued; none where it does not say.
    pub token_age: Option<Duration>,
}

/// All that is particular to a kind; its text is what it asks, as people are told.
pub(super) trait ConditionKind: fmt::Display {
    /// Checks it; what cannot be judged does not hold. The denial holds nothing that the caller chose
    /// but numbers.
    fn check(&self, facts: &Facts<'_>) -> Result<(), Denial>;

    /// The header field that it is judged by, in lower case.
    fn header(&self) -> Option<&str> {
        None
    }

    /// The most bytes that a body may have, for watching it as it streams.
    fn body_bytes_max(&self) -> Option<u64> {
        None
    }
}

pub(super) fn denied(detail: impl Into<Cow<'static, str>>) -> Denial {
    Denial::new(Reason::ContextDenied, detail)
}

#[cfg(test)]
impl<'a> Facts<'a> {
    /// Of a request of which no more is known.
    pub(super) const fn of(query: Option<&'a str>, headers: &'a crate::request::Headers) -> Self {
        Self {
            request: RequestView {
                method: "GET",
                authority: "api.example",
                query,
                headers,
                source: None,
                body_bytes: None,
            },
            now: Now::from_secs(0),
            token_age: None,
        }
    }
}
