//! Where the credential is in a request: in exactly one place, sent exactly once.

use crate::config::Tokens;
use crate::decision::{Denial, Reason};
use crate::policy::mentions;
use crate::request::Headers;

/// The token of the request's only credential.
///
/// # Errors
/// `credential_missing` where none of the configured scheme was sent; `credential_ambiguous` where
/// several were, or one in several ways (RFC 6750 section 2); `credential_malformed` where the
/// scheme stands alone.
pub fn token<'a>(
    headers: &'a Headers,
    query: Option<&str>,
    tokens: &'a Tokens,
) -> Result<&'a [u8], Denial> {
    let value = only_value(headers, tokens)?;
    let in_query = mentions(query, "access_token");
    match value.map(|value| after_scheme(value, &tokens.scheme)) {
        None | Some(Err(OtherScheme)) => Err(missing(in_query)),
        Some(Ok(_)) if in_query => Err(ambiguous(
            "a token in the query beside the one in the header field",
        )),
        Some(Ok([])) => Err(Denial::new(
            Reason::CredentialMalformed,
            "the scheme stands without a token",
        )),
        Some(Ok(token)) => Ok(token),
    }
}

/// Whether a request carries anything that could be meant as a token, in whatever way.
#[must_use]
pub fn is_sent(headers: &Headers, query: Option<&str>, tokens: &Tokens) -> bool {
    let schemes = [tokens.scheme.as_str(), "Bearer", "DPoP"];
    let is_token = |value: &[u8]| {
        let mut parts = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        parts.any(|part| {
            schemes
                .iter()
                .any(|scheme| after_scheme(part, scheme).is_ok())
        })
    };
    let own = tokens.header != "authorization" && headers.all(&tokens.header).next().is_some();
    own || headers.all("authorization").any(is_token) || mentions(query, "access_token")
}

/// Whether a field carries a credential of the configured kind, sound or not, alone or among those
/// that a proxy merged into one field.
#[must_use]
pub fn is_credential(name: &[u8], value: &[u8], tokens: &Tokens) -> bool {
    let is_one = |part: &[u8]| after_scheme(part.trim_ascii(), &tokens.scheme).is_ok();
    // The whole value says what its first part does, without a search for the comma.
    name.eq_ignore_ascii_case(tokens.header.as_bytes())
        && (is_one(value) || value.split(|byte| *byte == b',').any(is_one))
}

struct OtherScheme;

fn only_value<'a>(headers: &'a Headers, tokens: &'a Tokens) -> Result<Option<&'a [u8]>, Denial> {
    let mut values = headers.all(&tokens.header);
    let value = values.next();
    if values.next().is_some() {
        return Err(ambiguous("two header fields with a credential"));
    }
    // Proxies merge repeated fields with a comma, which no token holds.
    if value.is_some_and(|value| value.contains(&b',')) {
        return Err(ambiguous(
            "a comma in the credential: several fields were merged",
        ));
    }
    let elsewhere = tokens.header != "authorization"
        && headers
            .all("authorization")
            .any(|value| after_scheme(value, &tokens.scheme).is_ok());
    if elsewhere && value.is_some() {
        return Err(ambiguous(
            "a credential in authorization beside the configured field",
        ));
    }
    Ok(value)
}

// RFC 9110 section 11.4: the scheme is compared without case, one or more spaces follow it.
fn after_scheme<'a>(value: &'a [u8], scheme: &str) -> Result<&'a [u8], OtherScheme> {
    let (start, rest) = value.split_at_checked(scheme.len()).ok_or(OtherScheme)?;
    if !start.eq_ignore_ascii_case(scheme.as_bytes()) {
        return Err(OtherScheme);
    }
    match rest.first() {
        None | Some(b' ') => Ok(rest.trim_ascii_start()),
        Some(_) => Err(OtherScheme),
    }
}

fn missing(in_query: bool) -> Denial {
    let detail = if in_query {
        "a token in the query is not taken"
    } else {
        "no credential of the configured scheme"
    };
    Denial::new(Reason::CredentialMissing, detail)
}

fn ambiguous(detail: &'static str) -> Denial {
    Denial::new(Reason::CredentialAmbiguous, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(header: &str) -> Tokens {
        Tokens {
            header: header.to_owned(),
            scheme: "Bearer".to_owned(),
            max_bytes: 8192,
            budget: std::time::Duration::from_millis(2),
            cache_bytes: 65536,
            share: false,
        }
    }

    fn reason(fields: &[(&str, &str)], query: Option<&str>) -> Result<String, Reason> {
        let headers = Headers::new(fields.iter().copied());
        token(&headers, query, &tokens("authorization"))
            .map(|token| String::from_utf8_lossy(token).into_owned())
            .map_err(|denial| denial.reason)
    }

    #[test]
    fn takes_the_token_behind_the_scheme_in_any_case() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c"] {
            assert_eq!(
                reason(&[("authorization", value)], None),
                Ok("a.b.c".to_owned())
            );
        }
    }

    #[test]
    fn nothing_sent_and_another_scheme_are_a_missing_credential() {
        assert_eq!(reason(&[], None), Err(Reason::CredentialMissing));
        for value in ["Basic eDp5", "Bearerx a", "", "Bear", "a.b.c"] {
            assert_eq!(
                reason(&[("authorization", value)], None),
                Err(Reason::CredentialMissing),
                "{value}"
            );
        }
    }

    #[test]
    fn refuses_two_credentials_and_two_ways_of_sending_one() {
        let one = ("authorization", "Bearer a.b.c");
        assert_eq!(reason(&[one, one], None), Err(Reason::CredentialAmbiguous));
        assert_eq!(
            reason(&[("authorization", "Basic x, Bearer a.b.c")], None),
            Err(Reason::CredentialAmbiguous)
        );
        for query in [
            "access_token=x",
            "a=1&access_token",
            "access%5Ftoken=x",
            "x&access_token=&y",
        ] {
            assert_eq!(
                reason(&[one], Some(query)),
                Err(Reason::CredentialAmbiguous),
                "{query}"
            );
        }
        assert_eq!(
            reason(&[one], Some("access_tokens=x")),
            Ok("a.b.c".to_owned())
        );
    }

    #[test]
    fn a_token_in_the_query_alone_is_not_taken() {
        assert_eq!(
            reason(&[], Some("access_token=a.b.c")),
            Err(Reason::CredentialMissing)
        );
    }

    #[test]
    fn a_credential_is_recognised_in_a_merged_field_too() {
        const CASES: &[(&str, bool)] = &[
            ("Bearer a.b.c", true),
            ("Basic eDp5, bearer a.b.c", true),
            ("Bearer", true),
            ("Basic eDp5", false),
            ("Digest a=\"Bearer\", b=c", false),
        ];
        for (value, expected) in CASES {
            let tokens = tokens("authorization");
            let found = is_credential(b"Authorization", value.as_bytes(), &tokens);
            assert_eq!(found, *expected, "{value}");
        }
    }

    #[test]
    fn whatever_could_be_meant_as_a_token_is_one_that_was_sent() {
        let sent = |header: &str, fields: &[(&str, &str)], query| {
            is_sent(
                &Headers::new(fields.iter().copied()),
                query,
                &tokens(header),
            )
        };
        let own = "authorization";
        for value in ["Bearer a", "bearer", "DPoP a.b.c", "Basic x, Bearer y"] {
            assert!(sent(own, &[(own, value)], None), "{value}");
        }
        assert!(sent(own, &[], Some("a=1&access%5Ftoken=x")));
        assert!(sent("x-token", &[("x-token", "")], None));
        assert!(sent("x-token", &[(own, "Bearer a")], None));
        assert!(!sent(own, &[(own, "Basic eDp5")], Some("a=1")));
        assert!(!sent("x-token", &[(own, "Basic eDp5")], None));
    }

    #[test]
    fn a_scheme_without_a_token_is_malformed() {
        for value in ["Bearer", "Bearer "] {
            assert_eq!(
                reason(&[("authorization", value)], None),
                Err(Reason::CredentialMalformed)
            );
        }
    }

    #[test]
    fn a_bearer_token_in_authorization_beside_another_configured_field_is_ambiguous() {
        let fields = [
            ("x-token", "Bearer a.b.c"),
            ("authorization", "Bearer d.e.f"),
        ];
        let headers = Headers::new(fields);
        let denial = token(&headers, None, &tokens("x-token")).unwrap_err();
        assert_eq!(denial.reason, Reason::CredentialAmbiguous);
        let beside_basic =
            Headers::new([("x-token", "Bearer a.b.c"), ("authorization", "Basic eDp5")]);
        assert_eq!(
            token(&beside_basic, None, &tokens("x-token")).unwrap(),
            b"a.b.c"
        );
    }
}
