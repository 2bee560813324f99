//! JWT-SVIDs: what they must be beside a JWS that verifies (JWT-SVID sections 2 and 3).

use std::{fmt, time::Duration};

use super::{SpiffeId, SpiffeIdError, SvidError, TrustDomain};
use crate::base::{Excerpt, Now};
use crate::crypto::{Algorithm, AlgorithmSet};
use crate::decision::Reason;
use crate::jose::{Audiences, Claims, ClaimsError, JwsError, UnverifiedJws};

/// The algorithms that a JWT-SVID may be signed with (section 2.1): no `EdDSA`, and no secrets.
pub const ALGORITHMS: AlgorithmSet = AlgorithmSet::EMPTY
    .with(Algorithm::Rs256)
    .with(Algorithm::Rs384)
    .with(Algorithm::Rs512)
    .with(Algorithm::Ps256)
    .with(Algorithm::Ps384)
    .with(Algorithm::Ps512)
    .with(Algorithm::Es256)
    .with(Algorithm::Es384)
    .with(Algorithm::Es512);

/// Whose keys a token is to be verified with: an issuer's, or a trust domain's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signatory<I, D> {
    /// A configured issuer. The token is no SVID, whatever its `sub` looks like.
    Issuer(I),
    /// A configured trust domain. The token is a JWT-SVID, or nothing.
    TrustDomain(D),
}

/// Why a token is of nobody that is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unattributed {
    /// It names no issuer, and its `sub` is no SPIFFE ID.
    NoIssuer,
    /// No configured issuer has its `iss`, and its `sub` is no SPIFFE ID.
    IssuerUnknown,
    /// Its `sub` begins as a SPIFFE ID does, and is none.
    Subject(SpiffeIdError),
    /// Its `sub` is of a trust domain that is not configured.
    TrustDomainUnknown(TrustDomain),
}

/// What the JWT-SVIDs of one trust domain must claim.
#[derive(Clone, Copy, Debug)]
pub struct SvidExpectations<'a> {
    /// The trust domain whose keys verified the token.
    pub trust_domain: &'a TrustDomain,
    /// Whom the token must be for; `aud` must be there even where anyone will do.
    pub audiences: &'a Audiences,
    /// How far clocks may be apart.
    pub clock_skew: Duration,
}

/// Says whose keys a token is to be verified with.
///
/// A token whose `iss` is exactly that of a configured issuer is that issuer's. Any other whose
/// `sub` is a SPIFFE ID is a JWT-SVID of that ID's trust domain, whatever its `iss`. So an issuer
/// cannot speak for a workload, nor a trust domain for an issuer: each is verified by its own keys
/// alone. Nothing that is read here is believed.
///
/// # Errors
///
/// [`Unattributed`], where neither `issuer` nor `trust_domain` knows the name.
pub fn signatory<I, D>(
    token: &UnverifiedJws,
    issuer: impl FnOnce(&str) -> Option<I>,
    trust_domain: impl FnOnce(&TrustDomain) -> Option<D>,
) -> Result<Signatory<I, D>, Unattributed> {
    let iss = token.issuer_unchecked();
    if let Some(issuer) = iss.and_then(issuer) {
        return Ok(Signatory::Issuer(issuer));
    }
    match unverified_trust_domain(token) {
        Some(Ok(domain)) => trust_domain(&domain)
            .map(Signatory::TrustDomain)
            .ok_or(Unattributed::TrustDomainUnknown(domain)),
        Some(Err(error)) => Err(Unattributed::Subject(error)),
        None if iss.is_some() => Err(Unattributed::IssuerUnknown),
        None => Err(Unattributed::NoIssuer),
    }
}

/// The trust domain of a `sub` that nobody has verified: good for choosing the bundle to verify
/// with, and for nothing else. None where the `sub` does not even begin as a SPIFFE ID does.
#[must_use]
pub fn unverified_trust_domain(
    token: &UnverifiedJws,
) -> Option<Result<TrustDomain, SpiffeIdError>> {
    let subject = token.subject_unchecked()?;
    let (scheme, _) = subject.split_once(':')?;
    let is_spiffe = scheme.eq_ignore_ascii_case("spiffe");
    is_spiffe.then(|| SpiffeId::parse(subject).map(|id| id.trust_domain().clone()))
}

/// Checks the `typ` of a JWT-SVID's header, which is compared exactly (section 2.3).
///
/// # Errors
///
/// [`JwsError::TypeMismatch`] for all but an absent one, `JWT` and `JOSE`.
pub fn check_svid_type(typ: Option<&str>) -> Result<(), JwsError> {
    match typ {
        None | Some("JWT" | "JOSE") => Ok(()),
        Some(other) => Err(JwsError::TypeMismatch(Some(Excerpt::of(other)))),
    }
}

/// Checks the claims of a token that a trust domain's keys have verified, and says whose it is.
///
/// `iss` need not be there and is not compared. A `sub` without a path is the trust domain itself,
/// which this standard, unlike that of X.509-SVIDs, does not rule out.
///
/// # Errors
///
/// The first that does not hold of: `exp`, `nbf`, `iat`, `aud`, `sub`.
pub fn check_svid(
    claims: &Claims,
    expected: &SvidExpectations<'_>,
    now: Now,
) -> Result<SpiffeId, SvidError> {
    claims.check_validity(expected.audiences, expected.clock_skew, None, now)?;
    if claims.audiences().next().is_none() {
        return Err(ClaimsError::Missing("aud").into());
    }
    let subject = claims.subject().ok_or(ClaimsError::Missing("sub"))?;
    let id = SpiffeId::parse(subject).map_err(SvidError::Subject)?;
    if id.trust_domain() != expected.trust_domain {
        return Err(SvidError::OtherTrustDomain {
            verified: expected.trust_domain.clone(),
            claimed: id.trust_domain().clone(),
        });
    }
    Ok(id)
}

impl Unattributed {
    /// The stable reason of a denial for this.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::NoIssuer | Self::IssuerUnknown => Reason::IssuerUnknown,
            Self::Subject(_) => Reason::SvidInvalid,
            Self::TrustDomainUnknown(_) => Reason::TrustDomainUnknown,
        }
    }
}

impl fmt::Display for Unattributed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoIssuer => f.write_str("the token names no issuer (iss)"),
            Self::IssuerUnknown => f.write_str("no configured issuer has the token's iss"),
            Self::Subject(error) => write!(f, "the token's `sub` {error}"),
            Self::TrustDomainUnknown(domain) => {
                write!(f, "the trust domain {domain} is not configured")
            }
        }
    }
}

impl std::error::Error for Unattributed {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Pure, Work};
    use crate::jose::{JwsError, VerifiedJws};
    use crate::signing::{Signer, signer};
    use crate::spiffe::Bundle;
    use serde_json::{Value, json};

    const NOW: Now = Now::from_secs(1_700_000_000);
    const SUBJECT: &str = "spiffe://prod.example/ns/a/sa/b";

    fn domain() -> TrustDomain {
        TrustDomain::parse("prod.example").unwrap()
    }

    fn payload(changes: Value) -> String {
        let mut payload = json!({"sub": SUBJECT, "aud": ["orders"], "exp": 1_700_000_300});
        for (name, value) in changes.as_object().unwrap() {
            payload[name] = value.clone();
        }
        payload
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        payload.to_string()
    }

    fn unverified(signer: &Signer, payload: &str) -> UnverifiedJws {
        let token = signer.token(json!({"kid": "k"}), payload);
        UnverifiedJws::parse(token.as_bytes(), 8192).unwrap()
    }

    fn verified(signer: &Signer, payload: &str) -> Result<VerifiedJws, JwsError> {
        let mut jwk = signer.jwk();
        jwk["use"] = "jwt-svid".into();
        jwk["kid"] = "k".into();
        let other = crate::signing::signer(Algorithm::Es256).jwk();
        let document = json!({"keys": [jwk, {
            "use": "jwt-svid", "kid": "other", "kty": "EC", "crv": "P-256", "x": other["x"], "y": other["y"],
        }]});
        let bundle = Bundle::from_json(&document).unwrap();
        let keys = bundle.jwt_keys(&domain()).unwrap();
        unverified(signer, payload).verify(keys, ALGORITHMS, &Pure, &mut Work::ample())
    }

    fn checked(changes: Value, audiences: &Audiences) -> Result<SpiffeId, SvidError> {
        let jws = verified(signer(Algorithm::Es384), &payload(changes)).unwrap();
        let expected = SvidExpectations {
            trust_domain: &domain(),
            audiences,
            clock_skew: Duration::ZERO,
        };
        check_svid(&Claims::from_verified(jws).unwrap(), &expected, NOW)
    }

    #[test]
    fn all_nine_algorithms_are_taken_and_no_others() {
        for algorithm in Algorithm::ALL {
            let taken = !algorithm.is_symmetric() && *algorithm != Algorithm::EdDsa;
            assert_eq!(ALGORITHMS.contains(*algorithm), taken);
            let verified = verified(signer(*algorithm), &payload(json!({})));
            match verified {
                Ok(jws) => assert!(taken && jws.algorithm() == *algorithm),
                Err(error) => {
                    assert!(!taken);
                    assert_eq!(error.reason(), Reason::AlgorithmNotAllowed);
                }
            }
        }
    }

    #[test]
    fn types_are_compared_exactly() {
        for typ in [None, Some("JWT"), Some("JOSE")] {
            assert_eq!(check_svid_type(typ), Ok(()));
        }
        for typ in [
            "",
            "jwt",
            "Jose",
            "at+jwt",
            "application/jwt",
            "JWT ",
            "dpop+jwt",
        ] {
            let error = check_svid_type(Some(typ)).unwrap_err();
            assert_eq!(error.reason(), Reason::TypeMismatch, "{typ}");
        }
    }

    #[test]
    fn a_good_svid_says_whose_it_is_and_needs_no_issuer() {
        let orders = Audiences::OneOf(vec!["orders".to_owned()]);
        for changes in [
            json!({}),
            json!({"aud": "orders"}),
            json!({"aud": ["a", "orders"]}),
            json!({"iss": "https://anyone.example"}),
            json!({"nbf": 1_700_000_000, "iat": 1_700_000_000, "jti": "1"}),
        ] {
            assert_eq!(checked(changes, &orders).unwrap().as_str(), SUBJECT);
        }
        let itself = checked(json!({"sub": "spiffe://prod.example"}), &orders);
        assert_eq!(itself.unwrap().path(), "");
    }

    #[test]
    fn each_check_has_its_reason() {
        let orders = Audiences::OneOf(vec!["orders".to_owned()]);
        let cases = [
            (json!({"exp": null}), &orders, Reason::ClaimMissing),
            (json!({"exp": 1_700_000_000}), &orders, Reason::TokenExpired),
            (
                json!({"nbf": 1_700_000_001}),
                &orders,
                Reason::TokenNotYetValid,
            ),
            (
                json!({"iat": 1_700_000_001}),
                &orders,
                Reason::TokenNotYetValid,
            ),
            (json!({"aud": null}), &orders, Reason::ClaimMissing),
            (json!({"aud": null}), &Audiences::Any, Reason::ClaimMissing),
            (json!({"aud": []}), &Audiences::Any, Reason::ClaimMissing),
            (json!({"aud": []}), &orders, Reason::AudienceMismatch),
            (json!({"aud": "Orders"}), &orders, Reason::AudienceMismatch),
            (json!({"sub": null}), &orders, Reason::ClaimMissing),
            (json!({"sub": "batch"}), &orders, Reason::SvidInvalid),
            (
                json!({"sub": "spiffe://prod.example/a/"}),
                &orders,
                Reason::SvidInvalid,
            ),
            (
                json!({"sub": "spiffe://other.example/a"}),
                &orders,
                Reason::SvidInvalid,
            ),
            (
                json!({"sub": "spiffe://prod.example.evil/a"}),
                &orders,
                Reason::SvidInvalid,
            ),
        ];
        for (changes, audiences, expected) in cases {
            let error = checked(changes.clone(), audiences).unwrap_err();
            assert_eq!(error.reason(), expected, "{changes}: {error}");
        }
    }

    #[test]
    fn a_token_is_of_the_issuer_it_names_or_else_of_the_trust_domain_of_its_subject() {
        use Signatory::{Issuer, TrustDomain as Domain};
        use Unattributed as U;
        let other = TrustDomain::parse("other.example").unwrap();
        const CORP: &str = "https://idp.example";
        let cases = [
            (json!({"iss": CORP, "sub": "me"}), Ok(Issuer(1))),
            (json!({"iss": CORP}), Ok(Issuer(1))),
            (json!({"iss": CORP, "sub": "spiffe://A"}), Ok(Issuer(1))),
            (json!({"iss": "https://idp.example/"}), Ok(Domain(2))),
            (json!({"iss": 1}), Ok(Domain(2))),
            (json!({}), Ok(Domain(2))),
            (
                json!({"sub": "spiffe://other.example/a"}),
                Err(U::TrustDomainUnknown(other.clone())),
            ),
            (
                json!({"iss": "x", "sub": "spiffe://other.example"}),
                Err(U::TrustDomainUnknown(other)),
            ),
            (
                json!({"sub": "spiffe://prod.example/"}),
                Err(U::Subject(SpiffeIdError::TrailingSlash)),
            ),
            (
                json!({"sub": "SPIFFE://prod.example/a"}),
                Err(U::Subject(SpiffeIdError::Scheme)),
            ),
            (json!({"iss": "x", "sub": "me"}), Err(U::IssuerUnknown)),
            (json!({"iss": "x", "sub": 7}), Err(U::IssuerUnknown)),
            (json!({"sub": "me"}), Err(U::NoIssuer)),
            (json!({"sub": null}), Err(U::NoIssuer)),
        ];
        for (changes, expected) in cases {
            let token = unverified(signer(Algorithm::Es256), &payload(changes.clone()));
            let found = signatory(
                &token,
                |iss| (iss == CORP).then_some(1),
                |found| (*found == domain()).then_some(2),
            );
            assert_eq!(found, expected, "{changes}");
        }
        let twice = r#"{"sub":"spiffe://prod.example/a","sub":"spiffe://prod.example/b"}"#;
        let token = unverified(signer(Algorithm::Es256), twice);
        let found = signatory(&token, |_| None::<()>, |_| Some(()));
        assert_eq!(found, Err(U::NoIssuer));
    }
}
