//! What an issuer's tokens must claim (RFC 7519 section 4.1, RFC 8725 section 3, RFC 9068).

use std::time::Duration;

use super::{Claims, ClaimsError, JwsError, NumericDate};
use crate::base::{Excerpt, Now};

/// What the tokens of one issuer must claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectations<'a> {
    /// The exact `iss`.
    pub issuer: &'a str,
    /// Whom the token must be for.
    pub audiences: &'a Audiences,
    /// Which claims must be there.
    pub profile: TokenProfile,
    /// How far clocks may be apart.
    pub clock_skew: Duration,
    /// The most that may be from `iat` to `exp`; none for no cap.
    pub max_lifetime: Option<Duration>,
}

/// Whom a token must be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audiences {
    /// Anyone; `aud` may be absent.
    Any,
    /// One of these, compared exactly, must be in `aud`.
    OneOf(Vec<String>),
}

/// What kind of token an issuer issues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenProfile {
    /// A JWT that is not of another kind by its `typ`.
    #[default]
    Jwt,
    /// A JWT access token of RFC 9068, in full.
    AtJwt,
}

/// Checks the `typ` of a token's header against the profile.
///
/// A type is compared without case and without an `application/` before it (RFC 7515 section
/// 4.1.9). Explicit typing works both ways (RFC 8725 section 3.11): a token that calls itself a
/// DPoP proof, a logout token or a security event is no access token in any profile.
///
/// # Errors
///
/// [`JwsError::TypeMismatch`] with the type.
pub fn check_type(typ: Option<&str>, profile: TokenProfile) -> Result<(), JwsError> {
    let accepted = match (profile, typ.map(media_subtype)) {
        (TokenProfile::Jwt, None) => true,
        (TokenProfile::Jwt, Some(typ)) => is_any_of(typ, &["JWT", "at+jwt"]),
        (TokenProfile::AtJwt, None) => false,
        (TokenProfile::AtJwt, Some(typ)) => is_any_of(typ, &["at+jwt"]),
    };
    if accepted {
        Ok(())
    } else {
        Err(JwsError::TypeMismatch(typ.map(Excerpt::of)))
    }
}

impl Claims {
    /// Checks the claims against what an issuer's tokens must claim, at an instant.
    ///
    /// `exp` must always be there, which RFC 7519 leaves open: a token that never ends could only
    /// be stopped by changing the issuer's keys.
    ///
    /// # Errors
    ///
    /// The first that does not hold of: `iss`, `exp`, `nbf`, `iat`, the lifetime, `aud`, and the
    /// claims that the profile requires.
    pub fn check(&self, expected: &Expectations<'_>, now: Now) -> Result<(), ClaimsError> {
        self.check_issuer(expected.issuer)?;
        let (skew, lifetime) = (expected.clock_skew, expected.max_lifetime);
        self.check_validity(expected.audiences, skew, lifetime, now)?;
        self.check_required(expected.profile)
    }

    /// Checks what does not depend on who issued the token: when, for how long and for whom it is
    /// good.
    ///
    /// # Errors
    ///
    /// The first that does not hold of: `exp`, `nbf`, `iat`, the lifetime, `aud`.
    pub fn check_validity(
        &self,
        audiences: &Audiences,
        skew: Duration,
        max_lifetime: Option<Duration>,
        now: Now,
    ) -> Result<(), ClaimsError> {
        let expires_at = self.expires_at().ok_or(ClaimsError::Missing("exp"))?;
        if expires_at.is_past(now, skew) {
            return Err(ClaimsError::Expired { expires_at, now });
        }
        for (claim, from) in [("nbf", self.not_before()), ("iat", self.issued_at())] {
            check_begun(claim, from, now, skew)?;
        }
        if let Some(max) = max_lifetime {
            self.check_lifetime(expires_at, max)?;
        }
        self.check_audience(audiences)
    }

    fn check_issuer(&self, expected: &str) -> Result<(), ClaimsError> {
        match self.issuer() {
            Some(issuer) if issuer == expected => Ok(()),
            Some(issuer) => Err(ClaimsError::OtherIssuer(Excerpt::of(issuer))),
            None => Err(ClaimsError::Missing("iss")),
        }
    }

    fn check_lifetime(&self, expires_at: NumericDate, max: Duration) -> Result<(), ClaimsError> {
        let issued_at = self.issued_at().ok_or(ClaimsError::Missing("iat"))?;
        if expires_at.is_beyond(issued_at, max) {
            return Err(ClaimsError::LifetimeExceeded {
                issued_at,
                expires_at,
                max,
            });
        }
        Ok(())
    }

    fn check_audience(&self, expected: &Audiences) -> Result<(), ClaimsError> {
        let Audiences::OneOf(names) = expected else {
            return Ok(());
        };
        if !self.raw().contains_key("aud") {
            return Err(ClaimsError::Missing("aud"));
        }
        if self
            .audiences()
            .any(|aud| names.iter().any(|name| name == aud))
        {
            return Ok(());
        }
        Err(ClaimsError::OtherAudience)
    }

    /// RFC 9068 section 2.2; `iss` and `exp` have been seen to.
    fn check_required(&self, profile: TokenProfile) -> Result<(), ClaimsError> {
        let required: &[&'static str] = match profile {
            TokenProfile::Jwt => &[],
            TokenProfile::AtJwt => &["aud", "sub", "client_id", "iat", "jti"],
        };
        required
            .iter()
            .find(|claim| !self.raw().contains_key(**claim))
            .map_or(Ok(()), |claim| Err(ClaimsError::Missing(claim)))
    }
}

fn check_begun(
    claim: &'static str,
    from: Option<NumericDate>,
    now: Now,
    skew: Duration,
) -> Result<(), ClaimsError> {
    match from {
        Some(from) if from.is_ahead(now, skew) => {
            Err(ClaimsError::NotYetValid { claim, from, now })
        }
        _ => Ok(()),
    }
}

fn media_subtype(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
        _ => typ,
    }
}

fn is_any_of(typ: &str, accepted: &[&str]) -> bool {
    accepted.iter().any(|name| name.eq_ignore_ascii_case(typ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Reason;
    use crate::jose::claims::tests::claims_of;
    use serde_json::{Value, json};

    const NOW: Now = Now::from_secs(1_700_000_000);
    const ANY: &Audiences = &Audiences::Any;

    fn expected(audiences: &Audiences) -> Expectations<'_> {
        Expectations {
            issuer: "https://idp.example",
            audiences,
            profile: TokenProfile::Jwt,
            clock_skew: Duration::from_secs(30),
            max_lifetime: None,
        }
    }

    /// Claims that are accepted, with some put in, replaced, or (null) left out.
    fn claims(changes: Value) -> Claims {
        let mut payload = json!({"iss": "https://idp.example", "exp": 1_700_000_300});
        for (name, value) in changes.as_object().unwrap() {
            payload[name] = value.clone();
        }
        let payload = payload.as_object_mut().unwrap();
        payload.retain(|_, value| !value.is_null());
        claims_of(&json!(payload).to_string()).unwrap()
    }

    fn reason(changes: Value, expected: &Expectations<'_>) -> Option<Reason> {
        claims(changes)
            .check(expected, NOW)
            .err()
            .map(|error| error.reason())
    }

    #[test]
    fn the_issuer_is_compared_exactly() {
        let cases = [
            (json!({}), None),
            (json!({"iss": null}), Some(Reason::ClaimMissing)),
            (
                json!({"iss": "https://idp.example/"}),
                Some(Reason::IssuerUnknown),
            ),
            (
                json!({"iss": "https://IDP.example"}),
                Some(Reason::IssuerUnknown),
            ),
            (json!({"iss": ""}), Some(Reason::IssuerUnknown)),
        ];
        for (changes, expected_reason) in cases {
            assert_eq!(reason(changes, &expected(ANY)), expected_reason);
        }
    }

    #[test]
    fn a_token_is_accepted_from_its_beginning_to_its_end_and_the_skew_beyond() {
        use Reason::{ClaimMissing, TokenExpired, TokenNotYetValid};
        let cases = [
            (json!({"exp": null}), Some(ClaimMissing)),
            (json!({"exp": 1_700_000_001}), None),
            (json!({"exp": 1_699_999_971}), None),
            (json!({"exp": 1_699_999_970.000_001}), None),
            (json!({"exp": 1_699_999_970}), Some(TokenExpired)),
            (json!({"exp": 0}), Some(TokenExpired)),
            (json!({"exp": -1}), Some(TokenExpired)),
            (json!({"exp": 253_402_300_799_u64}), None),
            (json!({"nbf": 1_700_000_030}), None),
            (json!({"nbf": 1_700_000_030.001}), Some(TokenNotYetValid)),
            (json!({"nbf": 1_700_000_031}), Some(TokenNotYetValid)),
            (json!({"nbf": -253_402_300_799_i64}), None),
            (json!({"iat": 1_700_000_030}), None),
            (json!({"iat": 1_700_000_031}), Some(TokenNotYetValid)),
            (json!({"iat": 253_402_300_799_u64}), Some(TokenNotYetValid)),
            (json!({"iat": -1}), None),
        ];
        for (changes, expected_reason) in cases {
            assert_eq!(
                reason(changes.clone(), &expected(ANY)),
                expected_reason,
                "{changes}"
            );
        }
    }

    #[test]
    fn errors_of_time_carry_both_instants() {
        let expired = claims(json!({"exp": 1_699_999_000})).check(&expected(ANY), NOW);
        assert_eq!(
            expired.unwrap_err().to_string(),
            "The token expired at 1699999000; it is 1700000000."
        );
        let early = claims(json!({"nbf": 1_700_000_100})).check(&expected(ANY), NOW);
        assert_eq!(
            early.unwrap_err().to_string(),
            "The token is valid from 1700000100 by its `nbf`; it is 1700000000."
        );
    }

    #[test]
    fn a_lifetime_is_capped_from_iat_to_exp() {
        let capped = Expectations {
            max_lifetime: Some(Duration::from_secs(3600)),
            ..expected(ANY)
        };
        let cases = [
            (json!({"iat": null}), Some(Reason::ClaimMissing)),
            (json!({"iat": 1_699_999_900, "exp": 1_700_003_500}), None),
            (
                json!({"iat": 1_699_999_900, "exp": 1_700_003_500.1}),
                Some(Reason::TokenLifetimeExceeded),
            ),
            (
                json!({"iat": -253_402_300_799_i64, "exp": 253_402_300_799_u64}),
                Some(Reason::TokenLifetimeExceeded),
            ),
            // Issued after it ends, within the skew: nothing is exceeded.
            (json!({"iat": 1_700_000_020, "exp": 1_700_000_010}), None),
        ];
        for (changes, expected_reason) in cases {
            assert_eq!(
                reason(changes.clone(), &capped),
                expected_reason,
                "{changes}"
            );
        }
        assert_eq!(reason(json!({"iat": 0}), &expected(ANY)), None);
    }

    #[test]
    fn one_audience_must_be_named_exactly_unless_any_will_do() {
        let one = Audiences::OneOf(vec!["orders".to_owned(), "billing".to_owned()]);
        let cases = [
            (json!({"aud": "orders"}), None),
            (json!({"aud": ["x", "billing"]}), None),
            (json!({"aud": "Orders"}), Some(Reason::AudienceMismatch)),
            (json!({"aud": "orders "}), Some(Reason::AudienceMismatch)),
            (json!({"aud": ["x"]}), Some(Reason::AudienceMismatch)),
            (json!({"aud": []}), Some(Reason::AudienceMismatch)),
            (json!({}), Some(Reason::ClaimMissing)),
        ];
        for (changes, expected_reason) in cases {
            assert_eq!(reason(changes.clone(), &expected(&one)), expected_reason);
            assert_eq!(reason(changes, &expected(ANY)), None);
        }
        let nobody = Audiences::OneOf(Vec::new());
        let refused = reason(json!({"aud": ""}), &expected(&nobody));
        assert_eq!(refused, Some(Reason::AudienceMismatch));
    }

    #[test]
    fn an_access_token_of_rfc_9068_has_every_claim_it_must_have() {
        let access = Expectations {
            profile: TokenProfile::AtJwt,
            ..expected(ANY)
        };
        let whole = json!({
            "aud": "orders",
            "sub": "me",
            "client_id": "batch",
            "iat": 1_699_999_990,
            "jti": "1",
        });
        assert_eq!(reason(whole.clone(), &access), None);
        for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
            let mut lacking = whole.clone();
            lacking[name] = Value::Null;
            let error = claims(lacking).check(&access, NOW).unwrap_err();
            assert_eq!(error, ClaimsError::Missing(name));
        }
    }

    #[test]
    fn types_are_compared_without_case_and_prefix_and_others_are_refused() {
        use TokenProfile::{AtJwt, Jwt};
        const CASES: &[(Option<&str>, bool, bool)] = &[
            (None, true, false),
            (Some("JWT"), true, false),
            (Some("jwt"), true, false),
            (Some("application/jwt"), true, false),
            (Some("at+jwt"), true, true),
            (Some("AT+JWT"), true, true),
            (Some("application/at+jwt"), true, true),
            (Some("Application/At+Jwt"), true, true),
            (Some("application/application/at+jwt"), false, false),
            (Some("text/at+jwt"), false, false),
            (Some("at+jwt; charset=utf-8"), false, false),
            (Some(" at+jwt"), false, false),
            (Some(""), false, false),
            (Some("application/"), false, false),
            (Some("dpop+jwt"), false, false),
            (Some("logout+jwt"), false, false),
            (Some("secevent+jwt"), false, false),
            (Some("JOSE"), false, false),
            (Some("\u{130}WT"), false, false),
        ];
        for (typ, jwt, at_jwt) in CASES {
            for (profile, accepted) in [(Jwt, *jwt), (AtJwt, *at_jwt)] {
                let checked = check_type(*typ, profile);
                assert_eq!(checked.is_ok(), accepted, "{typ:?} {profile:?}");
                if let Err(error) = checked {
                    assert_eq!(error.reason(), Reason::TypeMismatch);
                }
            }
        }
    }

    #[cfg(not(target_family = "wasm"))]
    proptest::proptest! {
        #[test]
        fn no_instants_make_it_panic(
            exp: i64, nbf: f64, iat: i64, now: u64, skew: u64, max: u64,
        ) {
            let payload = json!({"iss": "https://idp.example", "exp": exp, "nbf": nbf, "iat": iat});
            let expected = Expectations {
                clock_skew: Duration::from_secs(skew),
                max_lifetime: Some(Duration::from_nanos(max)),
                ..expected(ANY)
            };
            if let Ok(claims) = claims_of(&payload.to_string()) {
                let _ = claims.check(&expected, Now::from_nanos(now));
            }
        }
    }
}
