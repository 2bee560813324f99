//! Where the credential is in a request: in exactly one place, sent exactly once.

use super::settings::Tokens;
use crate::base::fold;
use crate::decision::{Denial, Reason};
use crate::request::{Headers, Sole, mentions};

/// Where credentials come for most readers, whatever else is configured.
pub const AUTHORIZATION: &str = "authorization";

/// The token of the request's only credential.
///
/// # Errors
/// `credential_missing` where none was sent; `credential_ambiguous` where several were, or one in
/// several ways (RFC 6750 section 2); `credential_malformed` where the scheme stands alone, or what was
/// evidently meant as a token has another form.
pub fn token<'a>(
    headers: &'a Headers,
    query: Option<&str>,
    tokens: &'a Tokens,
) -> Result<&'a [u8], Denial> {
    let value = only_value(headers, tokens)?;
    let in_query = mentions(query, "access_token");
    match value.map(|value| after_scheme(value, &tokens.scheme)) {
        Some(Err(OtherScheme)) if value.is_some_and(|value| is_meant(value, tokens)) => {
            Err(Denial::new(
                Reason::CredentialMalformed,
                "a token in another form than the scheme, a space and the token",
            ))
        }
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
    let own = tokens.header != AUTHORIZATION && headers.sole(&tokens.header) != Sole::Absent;
    own || headers
        .all(AUTHORIZATION)
        .any(|value| is_meant(value, tokens))
        || mentions(query, "access_token")
}

/// Whether a field is one that credentials come in, under that name or one that can be taken for it.
#[must_use]
pub fn is_field(name: &[u8], tokens: &Tokens) -> bool {
    fold::same_kind(name, tokens.header.as_bytes()) || is_authorization(name)
}

/// Whether a field is `authorization`.
#[must_use]
pub fn is_authorization(name: &[u8]) -> bool {
    fold::same_kind(name, AUTHORIZATION.as_bytes())
}

/// Whether a value is evidently meant as a token, in whatever form: one of its words is a scheme of
/// tokens, or has the form of a JWS.
#[must_use]
pub fn is_meant(value: &[u8], tokens: &Tokens) -> bool {
    // Those of RFC 6750 section 2.1 and RFC 9449 section 7.1, and those that frameworks use.
    let schemes = [tokens.scheme.as_str(), "Bearer", "DPoP", "JWT"];
    let is_scheme = |word: &[u8]| {
        let mut schemes = schemes.iter();
        schemes.any(|scheme| word.eq_ignore_ascii_case(scheme.as_bytes()))
    };
    // What scheme names and tokens are made of (RFC 9110 sections 5.6.2 and 11.2).
    let ends = |byte: &u8| !byte.is_ascii_alphanumeric() && !b"!#$%&'*+-.^_`|~".contains(byte);
    let mut words = value.split(ends);
    words.any(|word| is_scheme(word) || is_compact(word))
}

/// Whether a word has the form of a compact JWS: three parts of base64url.
fn is_compact(word: &[u8]) -> bool {
    let is_part = |part: &[u8]| {
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !part.is_empty() && part.iter().all(fits)
    };
    let mut parts = word.split(|byte| *byte == b'.');
    let three = [parts.next(), parts.next(), parts.next()];
    parts.next().is_none() && three.into_iter().all(|part| part.is_some_and(is_part))
}

struct OtherScheme;

fn only_value<'a>(headers: &'a Headers, tokens: &'a Tokens) -> Result<Option<&'a [u8]>, Denial> {
    let value = match headers.sole(&tokens.header) {
        Sole::Absent => None,
        Sole::One(value) => Some(value),
        Sole::Ambiguous => {
            return Err(ambiguous(
                "two header fields with a credential, or one that can be taken for it",
            ));
        }
    };
    // Proxies merge repeated fields with a comma, which no token holds.
    if value.is_some_and(|value| value.contains(&b',')) {
        return Err(ambiguous(
            "a comma in the credential: several fields were merged",
        ));
    }
    let elsewhere = tokens.header != AUTHORIZATION
        && headers
            .all(AUTHORIZATION)
            .any(|value| is_meant(value, tokens));
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
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    match rest.get(spaces..).unwrap_or_default() {
        token if token.is_empty() || spaces > 0 => Ok(token),
        _ => Err(OtherScheme),
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
            marker: false,
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
        for value in ["Basic eDp5", "Bearerx a", "", "Bear", "a.b", "a.b.c.d"] {
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
    fn a_token_is_recognised_in_whatever_form_it_was_meant() {
        const CASES: &[(&str, bool)] = &[
            ("Bearer a.b.c", true),
            ("Basic eDp5, bearer a.b.c", true),
            ("Bearer", true),
            ("Bearer\ta.b.c", true),
            ("Bearer: a.b.c", true),
            ("Bearer=opaque", true),
            ("JWT token", true),
            ("dpop x", true),
            ("a.b.c", true),
            (" a.b.c ", true),
            ("Token a.b.c", true),
            ("Basic x; Bearer token", true),
            ("Basic eDp5", false),
            ("Basic eDp5, Digest x", false),
            ("Bearerx a", false),
            ("Negotiate YII/ab+c==", false),
            ("a.b", false),
            ("a..c", false),
            ("a.b.c.d", false),
            ("", false),
        ];
        for (value, meant) in CASES {
            let tokens = tokens("authorization");
            assert_eq!(is_meant(value.as_bytes(), &tokens), *meant, "{value}");
        }
    }

    #[test]
    fn a_token_in_another_form_is_malformed_and_one_under_another_name_ambiguous() {
        for value in [
            "Bearer\ta.b.c",
            "Bearer: a.b.c",
            "a.b.c",
            "JWT token",
            "Basic x; Bearer token",
        ] {
            let refused = Err(Reason::CredentialMalformed);
            assert_eq!(
                reason(&[("authorization", value)], None),
                refused,
                "{value}"
            );
        }
        for fields in [
            &[("x_token", "Bearer a.b.c")][..],
            &[("x-token", "Bearer a.b.c"), ("x.token", "Bearer a.b.c")],
        ] {
            let headers = Headers::new(fields.iter().copied());
            let denial = token(&headers, None, &tokens("x-token")).unwrap_err();
            assert_eq!(denial.reason, Reason::CredentialAmbiguous, "{fields:?}");
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
        assert!(sent("x-token", &[("x_token", "")], None));
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
