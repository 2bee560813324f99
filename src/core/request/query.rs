//! One query parameter, where every reader would find the same one.

use std::fmt;

use super::path::percent_byte;
use crate::base::fold;

/// The value of the parameter of that name, decoded (`application/x-www-form-urlencoded`: `+` is a
/// space, `%xx` a byte); none where it is absent.
///
/// It must be alone in its kind (case and punctuation aside).
///
/// # Errors
///
/// A [`QueryError`] where two readers could find different values.
///
/// ```
/// use postern_core::request::{QueryError, parameter};
///
/// let query = Some("tenant=north+sea&page=2");
/// assert_eq!(parameter(query, "tenant"), Ok(Some("north sea".to_owned())));
/// assert_eq!(parameter(query, "sort"), Ok(None));
/// assert_eq!(parameter(Some("page=1&page=2"), "page"), Err(QueryError::Ambiguous));
/// ```
pub fn parameter(query: Option<&str>, name: &str) -> Result<Option<String>, QueryError> {
    let mut found = None;
    for pair in query.unwrap_or_default().split('&') {
        // Some readers take `;` for a separator as well (HTML 4.01 appendix B.2.2).
        if pair.split(';').skip(1).any(|part| could_name(part, name)) {
            return Err(QueryError::Ambiguous);
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decode(key)?;
        if !is_of_kind(key.as_bytes(), name) {
            continue;
        }
        // Some readers take the first, some the last, and some take other names for the same.
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
        .any(|pair| could_name(pair, name))
}

/// Why a parameter cannot be read in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// It appears twice, under a name that can be taken for it, or behind a `;`.
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

fn could_name(pair: &str, name: &str) -> bool {
    let key = pair.split('=').next().unwrap_or_default();
    // Whoever cannot decode a `%` may keep it, drop it, or end there.
    let decoded = decode_bytes(key, Some(0)).unwrap_or_default();
    is_of_kind(&decoded, name)
}

/// Whether a reader could take a decoded name for the other.
///
/// PHP makes `_` of what a variable's name cannot have, drops spaces before it and what follows a NUL,
/// and like Rack and qs (Express) reads `limit[]` and `limit[0]` as entries of `limit`;
/// `URLSearchParams` drops a `?` at the front.
fn is_of_kind(key: &[u8], name: &str) -> bool {
    let is_skipped = |byte: &u8| *byte <= b' ' || *byte == b'?';
    let skipped = key.iter().take_while(|byte| is_skipped(byte)).count();
    let key = key.get(skipped..).unwrap_or_default();
    let name = name.trim_start_matches(|c| c <= ' ' || c == '?');
    let name = name.trim_end_matches(['[', ']']).as_bytes();
    let rest = key.get(name.len()..).unwrap_or_default();
    fold::begins_alike(key, name)
        && matches!(
            rest.trim_ascii_start().first(),
            None | Some(b'[' | b']' | 0)
        )
}

fn decode(text: &str) -> Result<String, QueryError> {
    let decoded = decode_bytes(text, None).ok_or(QueryError::Undecodable)?;
    String::from_utf8(decoded).map_err(|_| QueryError::Undecodable)
}

/// The bytes; none where a `%` without two digits has no `stray` byte to stand for it.
fn decode_bytes(text: &str, stray: Option<u8>) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digits = rest.clone();
                match percent_byte(digits.next(), digits.next()) {
                    Some(byte) => {
                        rest = digits;
                        byte
                    }
                    None => stray?,
                }
            }
            byte => byte,
        });
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Occurrences = Result<Option<&'static str>, QueryError>;

    const CASES: &[(Option<&str>, Occurrences)] = &[
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
        (
            Some("limits=5&_limit=6&limit+x=7&limit_=8&xlimit=9"),
            Ok(None),
        ),
        (Some("+limit=5"), Err(QueryError::Ambiguous)),
        (Some("%20limit=5"), Err(QueryError::Ambiguous)),
        (Some("%09limit=5&limit=6"), Err(QueryError::Ambiguous)),
        (Some("limit+=5"), Err(QueryError::Ambiguous)),
        (Some("?limit=5"), Err(QueryError::Ambiguous)),
        (Some("limit[]=5"), Err(QueryError::Ambiguous)),
        (Some("limit[0]=5"), Err(QueryError::Ambiguous)),
        (Some("limit[0][x]=5"), Err(QueryError::Ambiguous)),
        (Some("limit%5B%5D=5"), Err(QueryError::Ambiguous)),
        (Some("limit=5&limit[=6"), Err(QueryError::Ambiguous)),
        (Some("limit%00=5"), Err(QueryError::Ambiguous)),
        (Some("limit%00x=5"), Err(QueryError::Ambiguous)),
        (Some("%00limit=5"), Err(QueryError::Ambiguous)),
        (Some("limit%u0=5"), Err(QueryError::Undecodable)),
    ];

    #[test]
    fn a_name_that_readers_make_the_same_is_the_same() {
        for other in [
            "page.size",
            "page%20size",
            "page+size",
            "page[size",
            "page%5Bsize",
            "page-size",
            "Page_Size",
            "page~size",
            "page%00size",
            "page_size[]",
            "page_size[a][b]",
            "+page_size",
            "%0apage_size",
            "page_size%00x",
            "page_size%00",
            "page_size]",
            "page[size]",
            "a=1;page.size",
        ] {
            for query in [
                format!("{other}=5000"),
                format!("{other}=5000&page_size=5"),
                format!("page_size=5&{other}=5000"),
            ] {
                let found = parameter(Some(&query), "page_size");
                assert_eq!(found, Err(QueryError::Ambiguous), "{query}");
                assert!(mentions(Some(&query), "page_size"), "{query}");
            }
        }
        for apart in [
            "page",
            "page_sizes",
            "my_page_size",
            "page[number]",
            "pagesize",
        ] {
            let query = format!("{apart}=5000&page_size=5");
            let found = parameter(Some(&query), "page_size");
            assert_eq!(found, Ok(Some("5".to_owned())), "{query}");
        }
    }

    #[test]
    fn a_name_with_brackets_of_its_own_is_found_under_it_alone() {
        let found = |query| parameter(Some(query), "page[size]");
        assert_eq!(found("page[size]=5"), Ok(Some("5".to_owned())));
        assert_eq!(
            found("page%5Bsize%5D=5&page[number]=2"),
            Ok(Some("5".to_owned()))
        );
        for query in [
            "page_size=5",
            "page[size=5",
            "page[size][]=5",
            "page[size]=5&page.size=6",
        ] {
            assert_eq!(found(query), Err(QueryError::Ambiguous), "{query}");
        }
    }

    #[test]
    fn a_name_that_cannot_be_decoded_may_be_meant() {
        for query in [
            "access_token%=x",
            "access%token=x",
            "access%5ftoken[]=x",
            "a;access.token",
        ] {
            assert!(mentions(Some(query), "access_token"), "{query}");
        }
        for query in [
            "access_tokens=x",
            "access=token",
            "token=x",
            "a=access_token",
        ] {
            assert!(!mentions(Some(query), "access_token"), "{query}");
        }
    }

    #[test]
    fn finds_the_value_that_every_reader_would_find() {
        for (query, expected) in CASES {
            let found = parameter(*query, "limit");
            assert_eq!(found, expected.map(|v| v.map(str::to_owned)), "{query:?}");
        }
    }
}
