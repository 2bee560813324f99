//! What an issuer's tokens must claim (RFC 7519 section 4.1, RFC 8725 section 3, RFC 9068).

use std::time::Duration;

use super::{Claims, ClaimsError, Excerpt, JwsError, NumericDate};
use crate::time::Now;

/// What the tokens of one issuer must claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectations<'a> {
    /// The exact `iss`.
    pub issuer: &'a str,
    /// Whom the token must be for.
    pub audiences: &'a Audiences,
    /// Which claims must be there.
    pub profile: Profile,
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
pub enum Profile {
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
pub fn check_type(typ: Option<&str>, profile: Profile) -> Result<(), JwsError> {
    let accepted = match (profile, typ.map(media_subtype)) {
        (Profile::Jwt, None) => true,
        (Profile::Jwt, Some(typ)) => is_any_of(typ, &["JWT", "at+jwt"]),
        (Profile::AtJwt, None) => false,
        (Profile::AtJwt, Some(typ)) => is_any_of(typ, &["at+jwt"]),
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
        let expires_at = self.expires_at().ok_or(ClaimsError::Missing("exp"))?;
        if expires_at.is_past(now, expected.clock_skew) {
            return Err(ClaimsError::Expired { expires_at, now });
        }
        for (claim, from) in [("nbf", self.not_before()), ("iat", self.issued_at())] {
            check_begun(claim, from, now, expected.clock_skew)?;
        }
        if let Some(max) = expected.max_lifetime {
            self.check_lifetime(expires_at, max)?;
        }
        self.check_audience(expected.audiences)?;
        self.check_required(expected.profile)
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
    fn check_required(&self, profile: Profile) -> Result<(), ClaimsError> {
        let required: &[&'static str] = match profile {
            Profile::Jwt => &[],
            Profile::AtJwt => &["aud", "sub", "client_id", "iat", "jti"],
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
