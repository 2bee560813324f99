//! Risk: how far a caller is from how it usually behaves, as a score from 0 to 100.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `settings` | the numbers, and what overrides them |
//! | `observation` | what is seen of a request |
//! | `profile` | what is known of an identity, and how it learns |
//! | `page` | eight profiles in one value, and which makes way |
//! | `signals` | what a score is made of, one file a signal |
//! | `score` | what the signals come to |
//! | `explain` | what they are, in sentences |
//! | `watch` | what a worker has in view, and how workers share it |
//! | `arithmetic`, `sketch` | logarithms and fading in whole numbers; how many different things |
//!
//! Nothing here calls the host or knows a clock.

pub mod arithmetic;
pub mod explain;
pub mod observation;
pub mod page;
pub mod profile;
pub mod score;
pub mod settings;
pub mod signals;
pub mod sketch;
pub mod watch;

#[cfg(all(test, not(target_family = "wasm")))]
mod properties;
