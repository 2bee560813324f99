//! The core against what others have collected and built; what it is meant to judge otherwise is
//! declared, and every other surprise is a failure.

mod cookbook;
mod spiffe;
mod svids;
mod vectors;
mod wycheproof_jose;
mod wycheproof_primitives;
