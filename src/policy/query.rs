//! One query parameter, where every reader would find the same one.

use std::fmt;

use super::path::percent_byte;

/// The value of the parameter of that name, decoded (`application/x-www-form-urlencoded`: `+` is a
/// space, `%xx` a byte); none where it is absent.
///
/// # Errors
///
/// A [`QueryError`] where two readers could find different values.
pub fn parameter(query: Option<&str>, name: &str) -> Result<Option<String>, QueryError> {
    let mut found = None;
    for pair in query.unwrap_or_default().split('&') {
        // Some readers take `;` for a separator as well (HTML 4.01 appendix B.2.2).
        if pair.split(';').skip(1).any(|part| names(part, name)) {
            return Err(QueryError::Ambiguous);
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decode(key)?;
        if !key.eq_ignore_ascii_case(name) {
            continue;
        }
        // Some readers take the first, some the last, and some compare names without case.
        if found.is_some() || key != name {
            return Err(QueryError::Ambiguous);
        }
        found = Some(decode(value)?);
    }
    Ok(found)
}

/// Whether any reader could find a parameter of that name, whatever else the query holds.
#[must_use]
pub fn mentions(query: Option<&str>, name: &str) -> bool {
    query
        .unwrap_or_default()
        .split(['&', ';'])
        .any(|pair| names(pair, name))
}

/// Why a parameter cannot be read in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// It appears twice, in another case, or behind a `;`.
    Ambiguous,
    /// A name, or the value, is not percent-encoded UTF-8.
    Undecodable,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ambiguous => "can be read in more than one way",
            Self::Undecodable => "cannot be decoded",
        })
    }
}

impl std::error::Error for QueryError {}

fn names(pair: &str, name: &str) -> bool {
    let key = pair.split('=').next().unwrap_or_default();
    decode(key).is_ok_and(|key| key.eq_ignore_ascii_case(name))
}

fn decode(text: &str) -> Result<String, QueryError> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => percent_byte(bytes.next(), bytes.next()).ok_or(QueryError::Undecodable)?,
            byte => byte,
        });
    }
    String::from_utf8(decoded).map_err(|_| QueryError::Undecodable)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Found = Result<Option<&'static str>, QueryError>;

    const CASES: &[(Option<&str>, Found)] = &[
        (None, Ok(None)),
        (Some(""), Ok(None)),
        (Some("a=1"), Ok(None)),
        (Some("limit=5"), Ok(Some("5"))),
        (Some("limit"), Ok(Some(""))),
        (Some("limit="), Ok(Some(""))),
        (Some("a=1&limit=5&b=2"), Ok(Some("5"))),
        (Some("limit=a+b%20c"), Ok(Some("a b c"))),
        (Some("%6cimit=5"), Ok(Some("5"))),
        (Some("limit=a=b"), Ok(Some("a=b"))),
        (Some("limit=5;a=1"), Ok(Some("5;a=1"))),
        (Some("limit=5&limit=6"), Err(QueryError::Ambiguous)),
        (Some("limit=5&limit=5"), Err(QueryError::Ambiguous)),
        (Some("limit=5&%6cimit=6"), Err(QueryError::Ambiguous)),
        (Some("LIMIT=5"), Err(QueryError::Ambiguous)),
        (Some("a=1;limit=5"), Err(QueryError::Ambiguous)),
        (Some("limit=%zz"), Err(QueryError::Undecodable)),
        (Some("limit=%ff"), Err(QueryError::Undecodable)),
        (Some("limit%=5"), Err(QueryError::Undecodable)),
        (Some("a=%zz&limit=5"), Ok(Some("5"))),
    ];

    #[test]
    fn finds_the_value_that_every_reader_would_find() {
        for (query, expected) in CASES {
            let found = parameter(*query, "limit");
            assert_eq!(found, expected.map(|v| v.map(str::to_owned)), "{query:?}");
        }
    }
}
