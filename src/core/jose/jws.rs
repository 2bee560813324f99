//! JSON Web Signatures in compact form (RFC 7515): read, then verified, and only then believed.

use std::fmt;

use serde_json::Value;

use super::{
    JwsError, Key, KeySet, Part,
    json::{self, Bounds, JsonError},
    jws_header::Header,
};
use crate::base::{Excerpt, base64url};
use crate::crypto::{Algorithm, AlgorithmSet, Crypto, Price, Work, price::Checker};

/// How many keys are tried at most for one token.
const MAX_TRIES: u64 = 8;

/// How many keys are tried in the module for a token that names none: the old one and the new one.
const MAX_NAMELESS: u64 = 2;

/// A token that was taken apart, and of which nothing is known to be true.
pub struct UnverifiedJws {
    header: Header,
    /// The first two segments with the dot between them: what the signature is over.
    signing_input: Vec<u8>,
    signature: Vec<u8>,
    payload: Payload,
}

/// A token whose signature holds under a key of the set it was verified with.
#[derive(Clone)]
pub struct VerifiedJws {
    header: Header,
    algorithm: Algorithm,
    payload: Payload,
}

#[derive(Clone)]
struct Payload {
    bytes: Vec<u8>,
    json: Result<Value, JsonError>,
}

impl UnverifiedJws {
    /// Takes a token apart.
    ///
    /// # Errors
    ///
    /// It must have at most `max_bytes`, and three segments of strict base64url; its header must
    /// be a JSON object without duplicate members, with an `alg`, without `crit` or `b64`.
    pub fn parse(token: &[u8], max_bytes: usize) -> Result<Self, JwsError> {
        Self::check_length(token, max_bytes)?;
        let [header, payload, signature] = segments(token)?;
        // The token is longer than its signature and the dot before it.
        let input_len = token
            .len()
            .saturating_sub(signature.len())
            .saturating_sub(1);
        let header = Header::parse(&decode(header, Part::Header)?)?;
        let bytes = decode(payload, Part::Payload)?;
        Ok(Self {
            header,
            signing_input: token.get(..input_len).unwrap_or_default().to_vec(),
            signature: decode(signature, Part::Signature)?,
            payload: Payload {
                json: json::parse(&bytes, Bounds::TOKEN),
                bytes,
            },
        })
    }

    /// Checks that a token is short enough to be read.
    ///
    /// # Errors
    ///
    /// [`JwsError::TooLarge`].
    pub fn check_length(token: &[u8], max_bytes: usize) -> Result<(), JwsError> {
        if token.len() > max_bytes {
            return Err(JwsError::TooLarge(max_bytes));
        }
        Ok(())
    }

    /// The `alg` that the token claims, to be shown at most.
    #[must_use]
    pub fn algorithm_name(&self) -> &str {
        &self.header.alg
    }

    /// The name of the key that the token claims to be signed with.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The `typ` that the token claims.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// The `iss` of a payload that nobody has verified: good for choosing the keys to verify with,
    /// and for nothing else.
    #[must_use]
    pub fn issuer_unchecked(&self) -> Option<&str> {
        self.claim_unchecked("iss")
    }

    /// The `sub` of a payload that nobody has verified: good for choosing the SPIFFE trust domain
    /// whose keys to verify with, and for nothing else.
    #[must_use]
    pub fn subject_unchecked(&self) -> Option<&str> {
        self.claim_unchecked("sub")
    }

    /// Verifies the signature with a key of the set.
    ///
    /// The algorithm comes from the key and from `allowed`; the token's `alg` is only compared
    /// (RFC 8725 section 3.1). A token that names a key is tried with the keys of that name, one
    /// that names none with those that fit: eight at most, two where they are tried in the module and
    /// the token names none, and beyond the first as many as `work` has room for.
    ///
    /// # Errors
    ///
    /// [`JwsError::AlgorithmNotAllowed`], [`JwsError::KeyUnsuited`], [`JwsError::KidUnknown`],
    /// [`JwsError::NoKeyFits`], [`JwsError::SignatureInvalid`], or [`JwsError::KeyAmbiguous`] where
    /// there are keys left that may not be tried.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use postern_core::base::Now;
    /// use postern_core::crypto::{AlgorithmSet, Pure, Work};
    /// use postern_core::jose::{
    ///     Audiences, Claims, ClaimsError, Expectations, KeyRules, KeySet, KeyUse, TokenProfile,
    ///     UnverifiedJws,
    /// };
    ///
    /// let rules = KeyRules {
    ///     algorithms: AlgorithmSet::asymmetric(),
    ///     allow_rsa_exponent_3: false,
    ///     allow_large_rsa: false,
    ///     key_use: KeyUse::Signature,
    /// };
    /// let published = serde_json::json!({"keys": [{
    ///     "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    /// }]});
    /// let (keys, skipped) = KeySet::parse(&published, &rules).unwrap();
    /// assert!(skipped.is_empty());
    ///
    /// let token = b"eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoib3JkZXJz\
    ///     Iiwic3ViIjoiYmF0Y2gtNyIsImV4cCI6MTc3MjQ0NTkwMH0.HJuKB0eeU5vNeZroJFOs0ibA7vFQmXaO-Nibd1c\
    ///     nCEK3Sz_uhi1HTaI_bPy7vz8qum8DWH2Ss5qzu8l-Szz2Bg";
    /// let unverified = UnverifiedJws::parse(token, 8192).unwrap();
    /// let verified = unverified
    ///     .verify(&keys, rules.algorithms, &Pure, &mut Work::default())
    ///     .unwrap();
    /// let claims = Claims::from_verified(verified).unwrap();
    /// assert_eq!(claims.subject(), Some("batch-7"));
    ///
    /// let expected = Expectations {
    ///     issuer: "https://idp.example",
    ///     audiences: &Audiences::OneOf(vec!["orders".to_owned()]),
    ///     profile: TokenProfile::Jwt,
    ///     clock_skew: Duration::ZERO,
    ///     max_lifetime: None,
    /// };
    /// assert_eq!(claims.check(&expected, Now::from_secs(1_772_445_899)), Ok(()));
    /// let late = claims.check(&expected, Now::from_secs(1_772_445_900));
    /// assert!(matches!(late, Err(ClaimsError::Expired { .. })));
    /// ```
    pub fn verify(
        self,
        keys: &KeySet,
        allowed: AlgorithmSet,
        crypto: &dyn Crypto,
        work: &mut Work,
    ) -> Result<VerifiedJws, JwsError> {
        let algorithm = Algorithm::from_name(&self.header.alg)
            .filter(|algorithm| allowed.contains(*algorithm))
            .ok_or_else(|| JwsError::AlgorithmNotAllowed(Excerpt::of(&self.header.alg)))?;
        self.try_keys(keys, algorithm, crypto, work)?;
        Ok(VerifiedJws {
            header: self.header,
            algorithm,
            payload: self.payload,
        })
    }

    fn try_keys(
        &self,
        keys: &KeySet,
        algorithm: Algorithm,
        crypto: &dyn Crypto,
        work: &mut Work,
    ) -> Result<(), JwsError> {
        let mut tried = 0_u64;
        for key in self.fitting(keys, algorithm) {
            let price = crypto.price(key.verifying_key(), algorithm);
            if tried >= self.most_tries(price) || !work.take(price) {
                return Err(JwsError::KeyAmbiguous);
            }
            tried = tried.saturating_add(1);
            if self.holds(key, algorithm, crypto) {
                return Ok(());
            }
        }
        Err(self.refusal(keys, algorithm))
    }

    fn most_tries(&self, price: Price) -> u64 {
        match (price.place, self.kid()) {
            (Checker::Module, None) => MAX_NAMELESS,
            _ => MAX_TRIES,
        }
    }

    /// Whether [`Self::verify`] would check the signature with a public key of the set.
    #[must_use]
    pub fn has_public_key(&self, keys: &KeySet, allowed: AlgorithmSet) -> bool {
        Algorithm::from_name(&self.header.alg)
            .filter(|algorithm| allowed.contains(*algorithm) && !algorithm.is_symmetric())
            .is_some_and(|algorithm| self.fitting(keys, algorithm).next().is_some())
    }

    fn named<'k>(&self, keys: &'k KeySet) -> impl Iterator<Item = &'k Key> {
        let kid = self.kid();
        keys.iter()
            .filter(move |key| kid.is_none() || key.kid() == kid)
    }

    fn fitting<'k>(&self, keys: &'k KeySet, algorithm: Algorithm) -> impl Iterator<Item = &'k Key> {
        self.named(keys)
            .filter(move |key| key.algorithms().contains(algorithm))
    }

    /// Why no key of the set holds.
    fn refusal(&self, keys: &KeySet, algorithm: Algorithm) -> JwsError {
        if self.fitting(keys, algorithm).next().is_some() {
            return JwsError::SignatureInvalid;
        }
        match self.kid() {
            Some(kid) if self.named(keys).next().is_none() => {
                JwsError::KidUnknown(Excerpt::of(kid))
            }
            Some(_) => JwsError::KeyUnsuited(Excerpt::of(algorithm.name())),
            None => JwsError::NoKeyFits,
        }
    }

    fn holds(&self, key: &Key, algorithm: Algorithm, crypto: &dyn Crypto) -> bool {
        crypto.verify(
            key.verifying_key(),
            algorithm,
            &self.signing_input,
            &self.signature,
        )
    }

    fn claim_unchecked(&self, name: &str) -> Option<&str> {
        self.payload.json.as_ref().ok()?.get(name)?.as_str()
    }
}

impl VerifiedJws {
    /// The algorithm that the signature was verified with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name of the key that the token was signed with, where it names one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The `typ`, where there is one.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// What was signed; it need not be JSON.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload.bytes
    }

    pub(super) fn into_json(self) -> Result<Value, JsonError> {
        self.payload.json
    }
}

/// Shows no part of the token that a caller could have chosen freely, nor the signature.
impl fmt::Debug for UnverifiedJws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnverifiedJws({})", Excerpt::of(&self.header.alg))
    }
}

impl fmt::Debug for VerifiedJws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifiedJws({})", self.algorithm.name())
    }
}

/// RFC 7515 section 7.1; a JWE has five segments (RFC 7516 section 9).
fn segments(token: &[u8]) -> Result<[&[u8]; 3], JwsError> {
    let mut segments = token.splitn(6, |byte| *byte == b'.');
    let mut next = || segments.next();
    match (next(), next(), next(), next(), next(), next()) {
        (Some(header), Some(payload), Some(signature), None, ..) => {
            Ok([header, payload, signature])
        }
        (_, _, _, _, Some(_), None) => Err(JwsError::Encrypted),
        _ => Err(JwsError::NotCompact),
    }
}

fn decode(segment: &[u8], part: Part) -> Result<Vec<u8>, JwsError> {
    base64url::decode(segment).ok_or(JwsError::NotBase64url(part))
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use super::*;
    use crate::crypto::{Pure, VerifyingKey};
    use crate::decision::Reason;
    use crate::jose::{KeyRules, KeyUse};
    use crate::signing::{Signer, signer, signers};
    use serde_json::json;

    const MAX: usize = 8192;

    fn keys(jwks: &[Value], algorithms: AlgorithmSet) -> KeySet {
        let rules = KeyRules {
            algorithms,
            allow_rsa_exponent_3: false,
            allow_large_rsa: false,
            key_use: KeyUse::Signature,
        };
        KeySet::parse(&json!({"keys": jwks}), &rules).unwrap().0
    }

    fn all_like(algorithm: Algorithm) -> AlgorithmSet {
        if algorithm.is_symmetric() {
            AlgorithmSet::symmetric()
        } else {
            AlgorithmSet::asymmetric()
        }
    }

    fn named(signer: &Signer, kid: &str) -> Value {
        let mut jwk = signer.jwk();
        jwk["kid"] = kid.into();
        jwk
    }

    fn verify(token: &str, keys: &KeySet) -> Result<VerifiedJws, JwsError> {
        let like = keys.iter().next().unwrap().verifying_key().is_secret();
        let allowed = if like {
            AlgorithmSet::symmetric()
        } else {
            AlgorithmSet::asymmetric()
        };
        UnverifiedJws::parse(token.as_bytes(), MAX)?.verify(
            keys,
            allowed,
            &Pure,
            &mut Work::ample(),
        )
    }

    /// A token with that header, and nothing that could be a signature.
    fn unsigned(header: &str) -> String {
        format!(
            "{}.{}.",
            base64url::encode(header.as_bytes()),
            base64url::encode(b"{}")
        )
    }

    fn parse_error(token: &[u8]) -> JwsError {
        UnverifiedJws::parse(token, MAX).expect_err("the token is malformed")
    }

    #[test]
    fn a_token_of_every_algorithm_verifies_with_its_key() {
        for signer in signers() {
            let keys = keys(&[named(signer, "one")], all_like(signer.algorithm));
            let token = signer.token(json!({"kid": "one", "typ": "at+jwt"}), r#"{"iss":"me"}"#);
            let jws = UnverifiedJws::parse(token.as_bytes(), MAX).unwrap();
            assert_eq!(jws.algorithm_name(), signer.algorithm.name());
            assert_eq!((jws.kid(), jws.typ()), (Some("one"), Some("at+jwt")));
            assert_eq!(jws.issuer_unchecked(), Some("me"));
            assert_eq!(jws.subject_unchecked(), None);
            let verified = jws
                .verify(&keys, all_like(signer.algorithm), &Pure, &mut Work::ample())
                .unwrap();
            assert_eq!(verified.algorithm(), signer.algorithm);
            assert_eq!(
                (verified.kid(), verified.typ()),
                (Some("one"), Some("at+jwt"))
            );
            assert_eq!(verified.payload(), br#"{"iss":"me"}"#);
        }
    }

    #[test]
    fn a_payload_need_not_be_json_to_be_verified() {
        let signer = signer(Algorithm::EdDsa);
        let keys = keys(&[signer.jwk()], AlgorithmSet::asymmetric());
        let token = signer.token(json!({}), "foo");
        let jws = UnverifiedJws::parse(token.as_bytes(), MAX).unwrap();
        assert_eq!(jws.issuer_unchecked(), None);
        assert_eq!(verify(&token, &keys).unwrap().payload(), b"foo");
    }

    #[test]
    fn what_is_not_three_segments_of_base64url_is_malformed() {
        use Part::{Header, Payload, Signature};
        let cases: &[(&str, JwsError)] = &[
            ("", JwsError::NotCompact),
            ("e30", JwsError::NotCompact),
            ("e30.e30", JwsError::NotCompact),
            ("e30.e30.e30.e30", JwsError::NotCompact),
            ("e30.e30.e30.e30.e30", JwsError::Encrypted),
            ("e30.e30.e30.e30.e30.e30", JwsError::NotCompact),
            ("e30.e30.e30.e30.e30.e30.e30", JwsError::NotCompact),
            (r#"{"payload":"","signatures":[]}"#, JwsError::NotCompact),
            ("e3 .e30.e30", JwsError::NotBase64url(Header)),
            ("e30=.e30.e30", JwsError::NotBase64url(Header)),
            (
                " eyJhbGciOiJFUzI1NiJ9.e30.e30",
                JwsError::NotBase64url(Header),
            ),
            (
                "eyJhbGciOiJFUzI1NiJ9.e3.e30",
                JwsError::NotBase64url(Payload),
            ),
            (
                "eyJhbGciOiJFUzI1NiJ9.e30.e3+",
                JwsError::NotBase64url(Signature),
            ),
            (
                "eyJhbGciOiJFUzI1NiJ9.e30.e30\n",
                JwsError::NotBase64url(Signature),
            ),
        ];
        for (token, expected) in cases {
            let error = parse_error(token.as_bytes());
            assert_eq!(error, *expected, "{token}");
            assert_eq!(error.reason(), Reason::CredentialMalformed);
        }
        assert_eq!(
            parse_error(b"\xff.\xff.\xff"),
            JwsError::NotBase64url(Header)
        );
    }

    #[test]
    fn a_token_is_bounded_in_bytes() {
        let token = unsigned(r#"{"alg":"ES256"}"#);
        assert!(UnverifiedJws::parse(token.as_bytes(), token.len()).is_ok());
        let error = UnverifiedJws::parse(token.as_bytes(), token.len() - 1).unwrap_err();
        assert_eq!(error, JwsError::TooLarge(token.len() - 1));
        assert_eq!(error.reason(), Reason::CredentialMalformed);
    }

    #[test]
    fn a_header_that_is_not_understood_whole_is_refused() {
        let deep = format!(
            r#"{{"alg":"ES256","x":{}{}}}"#,
            "[".repeat(2000),
            "]".repeat(2000)
        );
        let cases: &[(&str, JwsError)] = &[
            ("", JwsError::HeaderNotJson(JsonError::Incomplete)),
            ("[]", JwsError::HeaderNotAnObject),
            ("{}", JwsError::HeaderParameter("alg")),
            (r#"{"alg":null}"#, JwsError::HeaderParameter("alg")),
            (r#"{"alg":["ES256"]}"#, JwsError::HeaderParameter("alg")),
            (
                r#"{"alg":"ES256","kid":1}"#,
                JwsError::HeaderParameter("kid"),
            ),
            (
                r#"{"alg":"ES256","typ":{}}"#,
                JwsError::HeaderParameter("typ"),
            ),
            (
                r#"{"alg":"ES256","cty":false}"#,
                JwsError::HeaderParameter("cty"),
            ),
            (
                r#"{"alg":"ES256","crit":["exp"]}"#,
                JwsError::Critical("crit"),
            ),
            (r#"{"alg":"ES256","crit":[]}"#, JwsError::Critical("crit")),
            (r#"{"alg":"ES256","crit":null}"#, JwsError::Critical("crit")),
            (r#"{"alg":"ES256","b64":false}"#, JwsError::Critical("b64")),
            (&deep, JwsError::HeaderNotJson(JsonError::TooDeep(32))),
        ];
        for (header, expected) in cases {
            let error = parse_error(unsigned(header).as_bytes());
            assert_eq!(error, *expected);
            assert_eq!(error.reason(), Reason::CredentialMalformed);
        }
        for header in [
            r#"{"alg":"none","alg":"ES256"}"#,
            r#"{"alg":"ES256","x":{"a":1,"a":1}}"#,
        ] {
            let error = parse_error(unsigned(header).as_bytes());
            assert!(matches!(
                error,
                JwsError::HeaderNotJson(JsonError::Duplicate { .. })
            ));
        }
    }

    #[test]
    fn algorithms_that_are_unknown_or_not_allowed_are_refused_before_any_key_is_tried() {
        let keys = keys(
            &[signer(Algorithm::Es256).jwk()],
            AlgorithmSet::asymmetric(),
        );
        for alg in [
            "none", "None", "NONE", "", "es256", "ES256 ", "HS256", "RS1", "ES256K",
        ] {
            let token = unsigned(&json!({"alg": alg}).to_string());
            let error = verify(&token, &keys).unwrap_err();
            assert_eq!(error, JwsError::AlgorithmNotAllowed(Excerpt::of(alg)));
            assert_eq!(error.reason(), Reason::AlgorithmNotAllowed);
        }
        let token = signer(Algorithm::Es256).token(json!({}), "{}");
        let jws = UnverifiedJws::parse(token.as_bytes(), MAX).unwrap();
        let error = jws.verify(
            &keys,
            AlgorithmSet::from_iter([Algorithm::Rs256]),
            &Pure,
            &mut Work::ample(),
        );
        assert_eq!(error.unwrap_err().reason(), Reason::AlgorithmNotAllowed);
    }

    #[test]
    fn rejects_hs256_token_signed_with_the_rsa_public_key() {
        use jwt_compact::{Algorithm as _, AlgorithmSignature, alg};
        let rsa = signer(Algorithm::Rs256);
        let keys = keys(&[named(rsa, "one")], AlgorithmSet::asymmetric());
        let input = [r#"{"alg":"HS256","kid":"one"}"#, "{}"]
            .map(|text| base64url::encode(text.as_bytes()))
            .join(".");
        let modulus = base64url::decode(rsa.jwk()["n"].as_str().unwrap().as_bytes()).unwrap();
        let secret = alg::Hs256Key::new(modulus);
        let mac = alg::Hs256.sign(&secret, input.as_bytes());
        let token = format!("{input}.{}", base64url::encode(&mac.as_bytes()));
        for allowed in [
            AlgorithmSet::asymmetric(),
            Algorithm::ALL.iter().copied().collect(),
        ] {
            let jws = UnverifiedJws::parse(token.as_bytes(), MAX).unwrap();
            let error = jws
                .verify(&keys, allowed, &Pure, &mut Work::ample())
                .unwrap_err();
            assert_eq!(error.reason(), Reason::AlgorithmNotAllowed);
        }
    }

    #[test]
    fn a_token_that_names_a_key_is_verified_with_that_key_alone() {
        let (one, two) = (
            Signer::for_tests(Algorithm::Es256),
            Signer::for_tests(Algorithm::Es256),
        );
        let keys = keys(
            &[named(&one, "1"), named(&two, "2")],
            AlgorithmSet::asymmetric(),
        );
        let cases = [
            (one.token(json!({"kid": "1"}), "{}"), None),
            (two.token(json!({"kid": "2"}), "{}"), None),
            (two.token(json!({}), "{}"), None),
            (
                one.token(json!({"kid": "2"}), "{}"),
                Some(JwsError::SignatureInvalid),
            ),
            (
                one.token(json!({"kid": "3"}), "{}"),
                Some(JwsError::KidUnknown(Excerpt::of("3"))),
            ),
            (
                one.token(json!({"kid": ""}), "{}"),
                Some(JwsError::KidUnknown(Excerpt::of(""))),
            ),
        ];
        for (token, expected) in cases {
            assert_eq!(verify(&token, &keys).err(), expected);
        }
    }

    #[test]
    fn a_named_key_that_does_not_fit_is_told_from_no_key() {
        let (ec, ed) = (signer(Algorithm::Es256), signer(Algorithm::EdDsa));
        let keys = keys(&[named(ec, "ec")], AlgorithmSet::asymmetric());
        let unsuited = verify(&ed.token(json!({"kid": "ec"}), "{}"), &keys).unwrap_err();
        assert_eq!(unsuited, JwsError::KeyUnsuited(Excerpt::of("EdDSA")));
        assert_eq!(unsuited.reason(), Reason::AlgorithmNotAllowed);
        let none = verify(&ed.token(json!({}), "{}"), &keys).unwrap_err();
        assert_eq!(none, JwsError::NoKeyFits);
        assert_eq!(none.reason(), Reason::KeyUnknown);
        let unknown = verify(&ec.token(json!({"kid": "x"}), "{}"), &keys).unwrap_err();
        assert_eq!(unknown.reason(), Reason::KeyUnknown);
    }

    #[test]
    fn a_key_bound_to_one_algorithm_verifies_no_other() {
        let mut jwk = signer(Algorithm::Rs256).jwk();
        jwk["alg"] = "RS256".into();
        let keys = keys(&[jwk], AlgorithmSet::asymmetric());
        assert!(verify(&signer(Algorithm::Rs256).token(json!({}), "{}"), &keys).is_ok());
        let error = verify(&signer(Algorithm::Ps256).token(json!({}), "{}"), &keys).unwrap_err();
        assert_eq!(error, JwsError::NoKeyFits);
    }

    /// A crypto whose checks have one price, and none of whose signatures hold.
    struct Dear {
        price: Price,
        checks: Cell<u64>,
    }

    impl Crypto for Dear {
        fn verify(&self, _: &VerifyingKey, _: Algorithm, _: &[u8], _: &[u8]) -> bool {
            self.checks.set(self.checks.get() + 1);
            false
        }

        fn price(&self, _: &VerifyingKey, _: Algorithm) -> Price {
            self.price
        }
    }

    /// How many of so many keys are tried at that price for a token that may cost 2 ms, and what is
    /// said in the end.
    fn tried(keys: usize, header: Value, micros: u64, place: Checker) -> (u64, JwsError) {
        let signer = signer(Algorithm::EdDsa);
        let set = self::keys(
            &vec![named(signer, "same"); keys],
            AlgorithmSet::asymmetric(),
        );
        let price = Price {
            time: Duration::from_micros(micros),
            place,
        };
        let dear = Dear {
            price,
            checks: Cell::new(0),
        };
        let mut work = Work::within(Duration::from_millis(2));
        let token = signer.token(header, "{}");
        let jws = UnverifiedJws::parse(token.as_bytes(), MAX).unwrap();
        let error = jws.verify(&set, AlgorithmSet::asymmetric(), &dear, &mut work);
        assert_eq!(work.checks(), dear.checks.get());
        assert_eq!(
            work.spent(),
            price.time * u32::try_from(work.checks()).unwrap()
        );
        (work.checks(), error.unwrap_err())
    }

    #[test]
    fn keys_are_tried_as_far_as_number_place_and_price_allow() {
        use Checker::{Module, Proxy};
        let (named, nameless) = (json!({"kid": "same"}), json!({}));
        let (ambiguous, invalid) = (JwsError::KeyAmbiguous, JwsError::SignatureInvalid);
        // Keys, the token's header, the price of each, where, how many are tried, and what is said.
        let cases = [
            (1, &named, 11_200, Module, 1, &invalid),
            (1, &nameless, 11_200, Module, 1, &invalid),
            (2, &named, 11_200, Module, 1, &ambiguous),
            (2, &nameless, 11_200, Module, 1, &ambiguous),
            (2, &nameless, 1_000, Module, 2, &invalid),
            (2, &nameless, 1_001, Module, 1, &ambiguous),
            (3, &nameless, 10, Module, 2, &ambiguous),
            (3, &named, 10, Module, 3, &invalid),
            (3, &named, 1_000, Module, 2, &ambiguous),
            (8, &nameless, 60, Proxy, 8, &invalid),
            (8, &named, 60, Proxy, 8, &invalid),
            (9, &nameless, 60, Proxy, 8, &ambiguous),
            (9, &named, 60, Proxy, 8, &ambiguous),
            (200, &nameless, 1_250, Proxy, 1, &ambiguous),
        ];
        for (keys, header, micros, place, checks, error) in cases {
            let found = tried(keys, header.clone(), micros, place);
            assert_eq!(
                found,
                (checks, error.clone()),
                "{keys} {header} {micros} {place:?}"
            );
        }
        assert_eq!(JwsError::KeyAmbiguous.reason(), Reason::KeyAmbiguous);
    }

    #[test]
    fn a_token_without_a_kid_holds_under_the_old_key_and_the_new_one_and_no_third() {
        let signers: Vec<_> = (0..9)
            .map(|_| Signer::for_tests(Algorithm::EdDsa))
            .collect();
        let jwks: Vec<_> = signers.iter().map(|signer| named(signer, "same")).collect();
        let keys = keys(&jwks, AlgorithmSet::asymmetric());
        for (header, most) in [(json!({}), 2), (json!({"kid": "same"}), 8)] {
            for (number, signer) in signers.iter().enumerate() {
                let verified = verify(&signer.token(header.clone(), "{}"), &keys);
                let expected = (number >= most).then_some(JwsError::KeyAmbiguous);
                assert_eq!(verified.err(), expected, "{number} {header}");
            }
        }
    }

    #[test]
    fn a_key_that_the_token_brings_along_is_not_used() {
        let (theirs, ours) = (
            Signer::for_tests(Algorithm::Es256),
            Signer::for_tests(Algorithm::Es256),
        );
        let keys = keys(&[ours.jwk()], AlgorithmSet::asymmetric());
        let header = json!({
            "jwk": theirs.jwk(),
            "jku": "https://attacker.example/keys",
            "x5u": "https://attacker.example/certificate",
            "x5c": ["MIIB"],
        });
        let error = verify(&theirs.token(header.clone(), "{}"), &keys).unwrap_err();
        assert_eq!(error, JwsError::SignatureInvalid);
        assert!(verify(&ours.token(header, "{}"), &keys).is_ok());
    }

    #[test]
    fn what_is_shown_of_a_hostile_token_is_cut_and_escaped() {
        let keys = keys(
            &[signer(Algorithm::Es256).jwk()],
            AlgorithmSet::asymmetric(),
        );
        let evil = format!("\r\nInjected: \u{1b}[31m{}", "x".repeat(5000));
        for token in [
            signer(Algorithm::Es256).token(json!({"kid": evil}), "{}"),
            unsigned(&json!({"alg": evil}).to_string()),
        ] {
            let jws = UnverifiedJws::parse(token.as_bytes(), 100_000).unwrap();
            let debug = format!("{jws:?}");
            let error = jws
                .verify(&keys, AlgorithmSet::asymmetric(), &Pure, &mut Work::ample())
                .unwrap_err();
            for shown in [error.to_string(), format!("{error:?}"), debug] {
                assert!(
                    shown.len() < 300 && !shown.contains(char::is_control),
                    "{shown}"
                );
            }
        }
    }

    #[cfg(not(target_family = "wasm"))]
    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(token: Vec<u8>, max: u16) {
            let _ = UnverifiedJws::parse(&token, max.into());
        }

        #[test]
        fn no_header_and_payload_make_it_panic(header in r#"[\[\]{}",:a-z0-9 ]{0,40}"#, payload: Vec<u8>) {
            let header = base64url::encode(header.as_bytes());
            let token = format!("{header}.{}.", base64url::encode(&payload));
            let _ = UnverifiedJws::parse(token.as_bytes(), MAX);
        }

        #[test]
        fn a_token_with_any_byte_changed_put_in_or_left_out_never_verifies(
            which in 0..Algorithm::ALL.len(),
            place: proptest::sample::Index,
            byte: u8,
            change in 0..3,
        ) {
            let signer = &signers()[which];
            let keys = keys(&[signer.jwk()], all_like(signer.algorithm));
            let token = signer.token(json!({"kid2": "x"}), r#"{"iss":"me","exp":1700000000}"#);
            let mut changed = token.clone().into_bytes();
            let at = place.index(changed.len());
            match change {
                0 => changed[at] = byte,
                1 => changed.insert(at, byte),
                _ => drop(changed.remove(at)),
            }
            if changed != token.as_bytes() {
                let verified = UnverifiedJws::parse(&changed, MAX)
                    .and_then(|jws| jws.verify(&keys, all_like(signer.algorithm), &Pure, &mut Work::ample()));
                proptest::prop_assert!(verified.is_err());
            }
        }
    }
}
