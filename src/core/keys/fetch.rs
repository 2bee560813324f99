//! What is asked of a provider, and what its answer is worth.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::uri::HttpUri;
use crate::jose::KeySetError;
use crate::jose::json::{self, Bounds};
use crate::spiffe::{BundleError, Rollback};

/// The largest document that is read, in bytes.
pub const DOCUMENT_BYTES: usize = 256 * 1024;

/// Why a fetch brought nothing that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// The proxy did not take the call; in Envoy an unknown cluster looks like this (status 2), and
    /// one without an endpoint (status 10).
    NotDispatched(u32),
    /// No answer in time, or none that is whole; Envoy itself answers with 503 or 504 for most.
    NoAnswer,
    /// The provider answered with another status than 200.
    Status(u16),
    /// The document has more bytes than are read.
    TooLarge(usize),
    /// The document is not JSON without duplicate members.
    NotJson(String),
    /// The document is no usable key set.
    KeySet(KeySetError),
    /// The metadata's `issuer` is not the configured one (RFC 8414 section 3.3).
    OtherIssuer,
    /// The metadata has no usable `jwks_uri`.
    JwksUri(&'static str),
    /// The document is no SPIFFE bundle.
    Bundle(BundleError),
    /// The bundle is older than the one in force.
    Rollback(Rollback),
}

impl FetchError {
    /// The codes, each at the place that [`FetchError::cause`] names, counted from one.
    const CODES: &'static [&'static str] = &[
        "not_dispatched",
        "no_answer",
        "status",
        "too_large",
        "not_json",
        "bad_key_set",
        "other_issuer",
        "bad_jwks_uri",
        "bad_bundle",
        "sequence_rollback",
    ];

    /// The number that stands for the cause in shared data; never zero.
    #[must_use]
    pub const fn cause(&self) -> u64 {
        match self {
            Self::NotDispatched(_) => 1,
            Self::NoAnswer => 2,
            Self::Status(_) => 3,
            Self::TooLarge(_) => 4,
            Self::NotJson(_) => 5,
            Self::KeySet(_) => 6,
            Self::OtherIssuer => 7,
            Self::JwksUri(_) => 8,
            Self::Bundle(_) => 9,
            Self::Rollback(_) => 10,
        }
    }

    /// A short stable word for counters and audit.
    #[must_use]
    pub fn code(&self) -> &'static str {
        Self::code_of(self.cause()).unwrap_or_default()
    }

    /// The word for a number; none for zero and for numbers that stand for nothing.
    #[must_use]
    pub fn code_of(cause: u64) -> Option<&'static str> {
        let place = usize::try_from(cause).ok()?.checked_sub(1)?;
        Self::CODES.get(place).copied()
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDispatched(2) => write!(f, "the proxy does not know the cluster (yet)"),
            Self::NotDispatched(10) => {
                write!(
                    f,
                    "the proxy has nobody to call: no endpoint in the cluster is usable"
                )
            }
            Self::NotDispatched(status) => {
                write!(f, "the proxy did not take the call (status {status})")
            }
            Self::NoAnswer => write!(f, "no answer in time"),
            // A proxy's own words for a provider that it did not reach in time, or at all.
            Self::Status(status @ (503 | 504)) => write!(
                f,
                "status {status} instead of 200: from the provider, or from the proxy for one that did not answer"
            ),
            Self::Status(status) => write!(f, "status {status} instead of 200"),
            Self::TooLarge(bytes) => write!(f, "{bytes} bytes; at most {DOCUMENT_BYTES} are read"),
            Self::NotJson(error) => write!(f, "not acceptable JSON: {error}"),
            Self::KeySet(error) => write!(f, "{error}"),
            Self::OtherIssuer => write!(f, "the metadata names another issuer"),
            Self::JwksUri(why) => write!(f, "jwks_uri {why}"),
            Self::Bundle(error) => write!(f, "not a SPIFFE bundle: {error}"),
            Self::Rollback(error) => error.fmt(f),
        }
    }
}

/// A provider's answer as the host gives it; the body is read only after the other two are fine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// `:status`; none where the connection failed.
    pub status: Option<u16>,
    /// `cache-control`.
    pub cache_control: Option<String>,
    /// How large the body is, and the body where it is not too large.
    pub body: Result<Vec<u8>, usize>,
}

impl Fetched {
    /// The body of a good answer as JSON.
    ///
    /// # Errors
    /// A [`FetchError`] for another status, size or form. A redirect is another status: keys come
    /// from where the configuration says, or not at all.
    pub fn json(&self) -> Result<Value, FetchError> {
        match self.status {
            None => return Err(FetchError::NoAnswer),
            Some(200) => {}
            Some(status) => return Err(FetchError::Status(status)),
        }
        let body = self
            .body
            .as_ref()
            .map_err(|bytes| FetchError::TooLarge(*bytes))?;
        document(body)
    }

    /// For how long the provider says that its answer is fresh (RFC 9111 section 5.2.2).
    #[must_use]
    pub fn max_age(&self) -> Option<Duration> {
        let directives = self.cache_control.as_deref()?.split(',').map(str::trim);
        let mut max_age = None;
        for directive in directives {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" => return Some(Duration::ZERO),
                "max-age" => {
                    max_age = value
                        .trim()
                        .trim_matches('"')
                        .parse()
                        .ok()
                        .map(Duration::from_secs)
                }
                _ => {}
            }
        }
        max_age
    }
}

/// Reads a fetched document as JSON.
///
/// # Errors
/// [`FetchError::NotJson`].
pub fn document(body: &[u8]) -> Result<Value, FetchError> {
    json::parse(body, Bounds::KEY_SET).map_err(|error| FetchError::NotJson(error.to_string()))
}

/// Takes the address of the key set out of an issuer's metadata.
///
/// `allowed` says whether keys may come from that authority; the scheme may not be weaker than the
/// issuer's own.
///
/// # Errors
/// [`FetchError::OtherIssuer`] or [`FetchError::JwksUri`].
pub fn jwks_uri(
    metadata: &Value,
    issuer: &HttpUri,
    allowed: impl Fn(&str) -> bool,
) -> Result<HttpUri, FetchError> {
    // RFC 8414 section 3.3: identical, compared as text; otherwise nothing in it may be used.
    if metadata.get("issuer").and_then(Value::as_str) != Some(issuer.as_str()) {
        return Err(FetchError::OtherIssuer);
    }
    let text = metadata.get("jwks_uri").and_then(Value::as_str);
    let text = text.ok_or(FetchError::JwksUri("is missing from the metadata"))?;
    let uri =
        HttpUri::parse(text).map_err(|_| FetchError::JwksUri("is no https:// or http:// URI"))?;
    if uri.scheme() != issuer.scheme() {
        return Err(FetchError::JwksUri("has another scheme than the issuer"));
    }
    if uri.authority() != issuer.authority() && !allowed(uri.authority()) {
        return Err(FetchError::JwksUri(
            "is at an authority that is not configured",
        ));
    }
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: Option<u16>, body: &[u8]) -> Fetched {
        Fetched {
            status,
            cache_control: None,
            body: Ok(body.to_vec()),
        }
    }

    #[test]
    fn every_answer_but_a_good_document_is_refused_for_what_it_is() {
        let cases = [
            (answer(None, b""), "no_answer"),
            (answer(Some(302), b"{}"), "status"),
            (answer(Some(500), b"{}"), "status"),
            (answer(Some(204), b""), "status"),
            (answer(Some(200), b"<html>"), "not_json"),
            (answer(Some(200), b"{\"keys\": [{"), "not_json"),
            (
                answer(Some(200), b"{\"keys\": [], \"keys\": []}"),
                "not_json",
            ),
            (
                Fetched {
                    body: Err(10_000_000),
                    ..answer(Some(200), b"")
                },
                "too_large",
            ),
        ];
        for (answer, expected) in cases {
            assert_eq!(answer.json().unwrap_err().code(), expected);
        }
    }

    #[test]
    fn the_log_says_what_to_look_at() {
        const CASES: &[(FetchError, &str)] = &[
            (FetchError::NotDispatched(2), "does not know the cluster"),
            (FetchError::NotDispatched(10), "no endpoint"),
            (FetchError::NotDispatched(7), "status 7"),
            (FetchError::Status(404), "status 404 instead of 200"),
            (FetchError::Status(504), "did not answer"),
        ];
        for (error, expected) in CASES {
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn freshness_is_read_from_cache_control() {
        const CASES: &[(&str, Option<u64>)] = &[
            ("public, max-age=300", Some(300)),
            ("Max-Age=\"60\"", Some(60)),
            ("max-age=300, no-store", Some(0)),
            ("no-cache", Some(0)),
            ("max-age=-1", None),
            ("s-maxage=5", None),
            ("", None),
        ];
        for (value, expected) in CASES {
            let answer = Fetched {
                cache_control: Some((*value).to_owned()),
                ..answer(Some(200), b"")
            };
            assert_eq!(
                answer.max_age(),
                expected.map(Duration::from_secs),
                "{value}"
            );
        }
    }

    #[test]
    fn metadata_counts_only_for_the_issuer_it_names_and_keys_only_from_known_authorities() {
        let issuer = HttpUri::parse("https://idp.example").unwrap();
        let cases = [
            (
                json!({"issuer": "https://idp.example", "jwks_uri": "https://idp.example/k"}),
                Ok(()),
            ),
            (
                json!({"issuer": "https://idp.example", "jwks_uri": "https://keys.example/k"}),
                Ok(()),
            ),
            (
                json!({"issuer": "https://idp.example/", "jwks_uri": "https://idp.example/k"}),
                Err("other_issuer"),
            ),
            (
                json!({"jwks_uri": "https://idp.example/k"}),
                Err("other_issuer"),
            ),
            (
                json!({"issuer": "https://idp.example"}),
                Err("bad_jwks_uri"),
            ),
            (
                json!({"issuer": "https://idp.example", "jwks_uri": "http://idp.example/k"}),
                Err("bad_jwks_uri"),
            ),
            (
                json!({"issuer": "https://idp.example", "jwks_uri": "https://evil.example/k"}),
                Err("bad_jwks_uri"),
            ),
            (
                json!({"issuer": "https://idp.example", "jwks_uri": 7}),
                Err("bad_jwks_uri"),
            ),
        ];
        for (metadata, expected) in cases {
            let found = jwks_uri(&metadata, &issuer, |authority| authority == "keys.example");
            assert_eq!(
                found.map(|_| ()).map_err(|error| error.code()),
                expected,
                "{metadata}"
            );
        }
    }
}
