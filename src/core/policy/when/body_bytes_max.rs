//! `body_bytes_max`: the body is not too long.

use std::fmt;

use super::kind::{ConditionKind, Facts, denied};
use crate::decision::Denial;

/// How many bytes the body may have. A body whose length is not declared is counted as it streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyBytesMax(pub u64);

impl ConditionKind for BodyBytesMax {
    fn check(&self, facts: &Facts<'_>) -> Result<(), Denial> {
        let Self(max) = self;
        match facts.request.body_bytes {
            Some(bytes) if bytes > *max => Err(denied(format!(
                "the body has {bytes} bytes or more, over {max}"
            ))),
            _ => Ok(()),
        }
    }

    fn body_bytes_max(&self) -> Option<u64> {
        Some(self.0)
    }
}

impl fmt::Display for BodyBytesMax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "body_bytes_max {}", self.0)
    }
}
