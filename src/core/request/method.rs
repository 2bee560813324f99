//! Request methods.
//!
//! Methods are case-sensitive (RFC 9110 section 9.1), and yet many servers take `delete` for DELETE:
//! a request's method is in upper case or is refused. Of those, the ordinary ones are what a route
//! is for that names none; any other, such as WebDAV's, only finds routes that name it, since what
//! it does is known to whoever serves it alone.

use std::borrow::Cow;
use std::fmt;

use crate::base::WrongText;

/// A request method: upper case, compared exactly (RFC 9110 section 9.1: methods are
/// case-sensitive).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Method(String);

impl Method {
    /// The methods that a route is for that names none: those of RFC 9110 section 9, PATCH
    /// (RFC 5789) and QUERY.
    pub const ORDINARY: &'static [&'static str] = &[
        "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "QUERY",
    ];

    /// Parses a method: 1 to 32 of `A-Z`, `0-9`, `-` and `_`.
    ///
    /// # Errors
    ///
    /// A [`MethodError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, MethodError> {
        Self::check(text).map(|()| Self(text.to_owned()))
    }

    /// Whether that text is a method.
    ///
    /// # Errors
    ///
    /// As for [`Self::parse`].
    pub fn check(text: &str) -> Result<(), MethodError> {
        let fits = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_');
        let is_method = matches!(text.len(), 1..=32) && text.bytes().all(fits);
        is_method.then_some(()).ok_or(MethodError)
    }

    /// Whether routes that name no method are for that one.
    #[must_use]
    pub fn is_ordinary(text: &str) -> bool {
        Self::ORDINARY.contains(&text)
    }

    /// The method as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is no method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodError;

impl fmt::Display for MethodError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is no method")
    }
}

impl WrongText for MethodError {
    fn remedy(&self) -> Cow<'static, str> {
        "a method is in upper case, such as GET".into()
    }
}

impl std::error::Error for MethodError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_upper_case_tokens_only() {
        for good in ["GET", "M-SEARCH", "VERSION-CONTROL"] {
            assert_eq!(Method::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "get", "Get", "GET ", "G/T", "GÉT"] {
            assert_eq!(Method::parse(bad), Err(MethodError), "{bad}");
        }
    }
}
