//! Where in the claims a value is.

use std::fmt;

use serde_json::{Map, Value};

/// How many names a path has at most, and how long it is.
const MAX_SEGMENTS: usize = 8;
const MAX_BYTES: usize = 512;

/// The place of a claim: a name, or names with dots between them from the outermost object in.
///
/// A claim whose whole name equals the path comes first, since names may be URIs with dots in
/// them (RFC 7519 section 4.2): `https://example.com/tier`, `tenant.tier`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimPath(String);

/// Why a text is no claim path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimPathError {
    /// There is nothing in it, or nothing before, after or between dots.
    Empty,
    /// It has more than eight names.
    TooManySegments,
    /// It has more than 512 bytes.
    TooLong,
}

impl fmt::Display for ClaimPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a claim is a name, or names with dots between them"),
            Self::TooManySegments => write!(f, "a claim has at most {MAX_SEGMENTS} names"),
            Self::TooLong => write!(f, "a claim has at most {MAX_BYTES} bytes"),
        }
    }
}

impl std::error::Error for ClaimPathError {}

impl ClaimPath {
    /// Takes one to eight names with dots between them.
    ///
    /// # Errors
    ///
    /// See [`ClaimPathError`].
    pub fn parse(text: &str) -> Result<Self, ClaimPathError> {
        if text.len() > MAX_BYTES {
            return Err(ClaimPathError::TooLong);
        }
        if text.split('.').any(str::is_empty) {
            return Err(ClaimPathError::Empty);
        }
        if text.split('.').count() > MAX_SEGMENTS {
            return Err(ClaimPathError::TooManySegments);
        }
        Ok(Self(text.to_owned()))
    }

    /// The path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value there; none where the claims have none.
    #[must_use]
    pub fn lookup<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c Value> {
        if let Some(value) = claims.get(&self.0) {
            return Some(value);
        }
        let mut names = self.0.split('.');
        let outermost = claims.get(names.next()?)?;
        names.try_fold(outermost, |value, name| value.as_object()?.get(name))
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_to_eight_names_make_a_path() {
        let long = "a".repeat(513);
        let cases: &[(&str, Result<(), ClaimPathError>)] = &[
            ("scope", Ok(())),
            ("tenant.tier", Ok(())),
            ("https://example.com/tier", Ok(())),
            ("a.b.c.d.e.f.g.h", Ok(())),
            ("a.b.c.d.e.f.g.h.i", Err(ClaimPathError::TooManySegments)),
            ("", Err(ClaimPathError::Empty)),
            (".", Err(ClaimPathError::Empty)),
            (".a", Err(ClaimPathError::Empty)),
            ("a.", Err(ClaimPathError::Empty)),
            ("a..b", Err(ClaimPathError::Empty)),
            (&long, Err(ClaimPathError::TooLong)),
        ];
        for (text, expected) in cases {
            assert_eq!(ClaimPath::parse(text).map(|_| ()), *expected, "{text}");
        }
    }

    #[test]
    fn a_whole_name_comes_before_a_nested_one() {
        let claims = json!({
            "tenant": {"tier": "inner", "region": {"name": "eu"}},
            "tenant.tier": "whole",
            "https://example.com/tier": "uri",
            "list": [{"a": 1}],
        });
        let cases: &[(&str, Option<Value>)] = &[
            ("tenant.tier", Some(json!("whole"))),
            ("tenant.region.name", Some(json!("eu"))),
            ("https://example.com/tier", Some(json!("uri"))),
            ("tenant", claims.get("tenant").cloned()),
            ("tenant.none", None),
            ("tenant.region.name.more", None),
            ("list.0", None),
            ("none", None),
        ];
        for (path, expected) in cases {
            let path = ClaimPath::parse(path).unwrap();
            let found = path.lookup(claims.as_object().unwrap());
            assert_eq!(found, expected.as_ref(), "{path}");
        }
    }
}
