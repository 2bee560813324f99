//! SPIFFE.

mod id;
mod pattern;
mod pattern_set;

pub use id::{SpiffeId, SpiffeIdError, TrustDomain};
pub use pattern::{SpiffePattern, SpiffePatternError};
pub use pattern_set::SpiffePatterns;
