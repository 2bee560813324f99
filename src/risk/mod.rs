//! Risk: how far a caller is from how it usually behaves, as a score from 0 to 100.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `settings` | the numbers, and what overrides them |
//! | `arithmetic` | logarithms, fading and ramps in whole numbers |
//!
//! Nothing here calls the host or knows a clock.

pub mod arithmetic;
pub mod settings;
