//! Request methods.

use std::fmt;

/// A request method: upper case, compared exactly (RFC 9110 section 9.1: methods are
/// case-sensitive).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Method(String);

impl Method {
    /// Parses a method: 1 to 32 of `A-Z`, `0-9`, `-` and `_`.
    ///
    /// # Errors
    ///
    /// A [`MethodError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, MethodError> {
        let fits = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_');
        if matches!(text.len(), 1..=32) && text.bytes().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err(MethodError)
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
        f.write_str("is no method; a method is in upper case, such as GET")
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
