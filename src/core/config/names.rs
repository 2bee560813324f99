//! Names, header names, claims, and texts that go into quoted header values.

use super::mistake::{Mistake, Wrong};
use crate::base::fold;
use crate::jose::ClaimPath;

/// A name: how routes, limits and audit refer to something.
pub(super) fn name(text: &str) -> Result<String, Wrong> {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    if matches!(text.len(), 1..=64) && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    Err(Wrong::malformed(
        "is no name",
        "a name is 1 to 64 of a-z, 0-9, \".\", \"_\" and \"-\"",
    ))
}

/// Fields that say where a message ends, where it goes, or that belong to one connection only
/// (RFC 9110 sections 7.2, 7.6.1 and 8.6): no claim and no credential is put there.
const RESERVED: &[&str] = &[
    "authority",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A header that may be read: a field name (RFC 9110 section 5.1) in lower case, none of Postern's
/// own.
pub(super) fn header(text: &str) -> Result<String, Wrong> {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~');
    if !matches!(text.len(), 1..=128) || !text.bytes().all(fits) {
        return Err(Wrong::malformed(
            "is no header",
            "a header is named in lower case, such as x-client-id",
        ));
    }
    if fold::begins_alike(text.as_bytes(), b"x-postern-") {
        return Err(Wrong::new(
            Mistake::ReservedName,
            "is one of Postern's own headers",
            "another is needed",
        ));
    }
    Ok(text.to_owned())
}

/// Fields that hold credentials (RFC 9110 section 11, RFC 6265 section 5.4).
const SECRET: &[&str] = &["authorization", "cookie", "proxy-authorization"];

/// Whether some reader could take a header for one of these.
fn is_among(header: &str, names: &[&str]) -> bool {
    let mut names = names.iter();
    names.any(|name| fold::same_kind(header.as_bytes(), name.as_bytes()))
}

/// A header that a credential may come in.
pub(super) fn token_header(text: &str) -> Result<String, Wrong> {
    let header = header(text)?;
    if is_among(&header, RESERVED) || header == "cookie" {
        return Err(Wrong::new(
            Mistake::ReservedName,
            "has a meaning of its own in HTTP",
            "another header is needed",
        ));
    }
    Ok(header)
}

/// A header that a claim may be written to, where credentials come in the header `credential`.
pub(super) fn claim_header(text: &str, credential: &str) -> Result<String, Wrong> {
    let header = public_header(text, credential)?;
    if is_among(&header, RESERVED) {
        return Err(Wrong::new(
            Mistake::ReservedName,
            "has a meaning of its own in HTTP",
            "another header is needed",
        ));
    }
    Ok(header)
}

/// The name of one of the proxy's clusters.
pub(super) fn cluster(text: &str) -> Result<String, Wrong> {
    if matches!(text.len(), 1..=256) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err(Wrong::malformed(
        "is no cluster",
        "a cluster is named by 1 to 256 printable ASCII characters without space",
    ))
}

/// A header that may be shown: none that holds credentials.
pub(super) fn public_header(text: &str, credential: &str) -> Result<String, Wrong> {
    let header = header(text)?;
    if is_among(&header, SECRET) || is_among(&header, &[credential]) {
        return Err(Wrong::new(
            Mistake::ReservedName,
            "is a header that credentials come in",
            "another is needed",
        ));
    }
    Ok(header)
}

/// An authentication scheme: a token (RFC 9110 section 11.1).
pub(super) fn scheme(text: &str) -> Result<String, Wrong> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if matches!(text.len(), 1..=32) && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    Err(Wrong::malformed(
        "is no scheme",
        "a scheme is one word, such as Bearer",
    ))
}

/// A text that can stand in a quoted string of a header without escapes.
pub(super) fn quotable(text: &str) -> Result<String, Wrong> {
    let fits = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if matches!(text.len(), 1..=256) && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    Err(Wrong::malformed(
        "cannot be quoted",
        "1 to 256 printable ASCII characters without \" and \\ are needed",
    ))
}

/// An absolute URL that can stand in a quoted string.
pub(super) fn url(text: &str) -> Result<String, Wrong> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let is_url =
        |rest: &str| !rest.is_empty() && !rest.starts_with('/') && !text.contains([' ', '#']);
    match quotable(text) {
        Ok(url) if rest.is_some_and(is_url) && text.len() <= 256 => Ok(url),
        _ => Err(Wrong::malformed(
            "is no URL",
            "it is such as https://api.example/.well-known/oauth-protected-resource",
        )),
    }
}

/// A text that tokens carry: an `iss`, an audience.
pub(super) fn identifier(text: &str) -> Result<String, Wrong> {
    if matches!(text.len(), 1..=2048) && !text.contains(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(Wrong::malformed(
        "cannot be in a token",
        "1 to 2048 bytes without control characters are needed",
    ))
}

/// A text for people and for audit.
pub(super) fn note(text: &str) -> Result<String, Wrong> {
    if matches!(text.len(), 1..=256) && !text.contains(char::is_control) && text.trim() == text {
        return Ok(text.to_owned());
    }
    Err(Wrong::malformed(
        "is no note",
        "1 to 256 bytes without control characters and without white space around are needed",
    ))
}

/// A claim's place, with an error that goes on from the text.
pub(super) fn claim_path(text: &str) -> Result<ClaimPath, Wrong> {
    let parsed = ClaimPath::parse(text);
    parsed.map_err(|error| Wrong::new(Mistake::Malformed, "names no claim", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_named_in_lower_case() {
        for good in ["authorization", "x-client-id", "a"] {
            assert!(token_header(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "X-Client-Id",
            ":path",
            "a b",
            "a:",
            "é",
            "x-postern-identity",
            "x_postern_identity",
            "x.postern.identity",
        ] {
            assert!(header(bad).is_err(), "{bad}");
        }
        for reserved in RESERVED {
            assert!(header(reserved).is_ok() && token_header(reserved).is_err());
            assert!(claim_header(reserved, "authorization").is_err());
        }
    }

    #[test]
    fn a_header_that_holds_credentials_is_not_written_and_not_shown() {
        for secret in [
            "authorization",
            "cookie",
            "proxy_authorization",
            "x-token",
            "x.token",
        ] {
            assert!(claim_header(secret, "x-token").is_err(), "{secret}");
            assert!(public_header(secret, "x-token").is_err(), "{secret}");
        }
        assert!(claim_header("x-tenant", "x-token").is_ok());
        assert!(public_header("x-purpose", "x-token").is_ok());
    }

    #[test]
    fn a_quotable_text_needs_no_escape() {
        assert!(quotable("orders (eu)").is_ok());
        for bad in ["", "a\"b", "a\\b", "a\nb", "é"] {
            assert!(quotable(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_url_is_absolute() {
        assert!(url("https://api.example/x").is_ok());
        for bad in [
            "",
            "https://",
            "https:///x",
            "api.example",
            "ftp://a",
            "https://a b",
            "https://a#b",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
