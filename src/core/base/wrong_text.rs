//! Why texts are not taken.

use std::borrow::Cow;
use std::fmt;

/// Why a text is not taken: what is displayed goes on from the text and says what is wrong with it.
pub trait WrongText: fmt::Display {
    /// What would be accepted.
    fn remedy(&self) -> Cow<'static, str>;
}
