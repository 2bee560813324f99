//! The forms that records are written in.

mod json;
pub mod ocsf;

use super::Record;

/// Appends a record in some form, without a line break.
pub type Form = fn(&mut String, &Record<'_>);
