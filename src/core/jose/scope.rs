//! Scopes (RFC 6749 section 3.3): exact, case-sensitive tokens.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

/// The most scopes of one token.
pub const MAX_SCOPES: usize = 512;
/// The longest scope in bytes.
const MAX_SCOPE_BYTES: usize = 256;

/// One scope: 1 to 256 bytes of `%x21 / %x23-5B / %x5D-7E`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(String);

impl Scope {
    /// What a scope looks like, in words.
    pub const FORM: &'static str =
        "a scope is 1 to 256 printable ASCII characters without space, \" and \\";

    /// Parses one scope.
    ///
    /// # Errors
    ///
    /// [`ScopeError::Malformed`] where the text is no `scope-token`.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let fits = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if matches!(text.len(), 1..=MAX_SCOPE_BYTES) && text.bytes().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err(ScopeError::Malformed)
    }

    /// The scope as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The scopes of a token, at most 512.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(BTreeSet<Scope>);

impl ScopeSet {
    /// Parses scopes with one space between two; the empty text is no scopes.
    ///
    /// # Errors
    ///
    /// A [`ScopeError`] where a scope is malformed (two spaces included) or there are too many.
    ///
    /// ```
    /// use postern_core::jose::{Scope, ScopeSet};
    ///
    /// let scopes = ScopeSet::parse_list("orders.read orders.list").unwrap();
    /// assert!(scopes.contains(&Scope::parse("orders.read").unwrap()));
    /// assert!(ScopeSet::parse_list("orders.read  orders.list").is_err(), "two spaces");
    /// ```
    pub fn parse_list(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        Self::collect(text.split(' '))
    }

    /// Reads a claim: a text as for [`Self::parse_list`], or an array of scopes (`scp`).
    ///
    /// # Errors
    ///
    /// A [`ScopeError`] where the claim is neither, a scope is malformed or there are too many.
    pub fn from_claim(claim: &Value) -> Result<Self, ScopeError> {
        match claim {
            Value::String(text) => Self::parse_list(text),
            Value::Array(items) => {
                let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
                Self::collect(texts.ok_or(ScopeError::WrongType)?.into_iter())
            }
            _ => Err(ScopeError::WrongType),
        }
    }

    /// Whether that scope is in the set.
    #[must_use]
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.contains(scope)
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// How many scopes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no scopes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn collect<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self, ScopeError> {
        let mut set = BTreeSet::new();
        for (count, text) in texts.enumerate() {
            if count >= MAX_SCOPES {
                return Err(ScopeError::TooMany);
            }
            set.insert(Scope::parse(text)?);
        }
        Ok(Self(set))
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.0.iter().enumerate() {
            write!(f, "{}{}", if at > 0 { " " } else { "" }, scope.as_str())?;
        }
        Ok(())
    }
}

/// Why a text or claim holds no scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeError {
    /// A scope is empty, over 256 bytes or holds a byte that scopes cannot.
    Malformed,
    /// There are more than 512 scopes.
    TooMany,
    /// The claim is neither a text nor an array of texts.
    WrongType,
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(f, "is no scope; {}", Scope::FORM),
            Self::TooMany => f.write_str("has more than 512 scopes"),
            Self::WrongType => f.write_str("is neither a text nor an array of texts"),
        }
    }
}

impl std::error::Error for ScopeError {}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_the_scopes_of_a_text_and_of_an_array() {
        let set = ScopeSet::parse_list("b a a").unwrap();
        assert_eq!(set.to_string(), "a b");
        assert_eq!(ScopeSet::from_claim(&json!("b a")), Ok(set.clone()));
        assert_eq!(ScopeSet::from_claim(&json!(["a", "b"])), Ok(set));
        assert_eq!(ScopeSet::parse_list("").unwrap().len(), 0);
    }

    #[test]
    fn refuses_malformed_scopes() {
        for text in [" ", "a  b", " a", "a ", "a\tb", "a\"b", "a\\b", "é", "a\0"] {
            assert_eq!(
                ScopeSet::parse_list(text),
                Err(ScopeError::Malformed),
                "{text:?}"
            );
        }
        for claim in [json!(1), json!(null), json!({}), json!(["a", 1])] {
            assert_eq!(ScopeSet::from_claim(&claim), Err(ScopeError::WrongType));
        }
        let claim = json!(["a b"]);
        assert_eq!(ScopeSet::from_claim(&claim), Err(ScopeError::Malformed));
        let many = vec!["a"; 513].join(" ");
        assert_eq!(ScopeSet::parse_list(&many), Err(ScopeError::TooMany));
    }
}
