//! SPIFFE bundles: the keys of a trust domain (SPIFFE Trust Domain and Bundle section 4).

use std::{fmt, time::Duration};

use serde_json::Value;

use super::{SvidError, TrustDomain, jwt_svid::ALGORITHMS};
use crate::base::Excerpt;
use crate::jose::{
    JwkError, KeyRules, KeySet, KeySetError, KeyUse, SkippedKey,
    json::{self, Bounds, JsonError},
};

/// A bundle, as far as JWT-SVIDs need it.
#[derive(Clone, Debug)]
pub struct Bundle {
    sequence: Option<u64>,
    refresh_hint: Option<Duration>,
    keys: BundleKeys,
    warnings: Vec<SkippedKey>,
    other_keys: OtherKeys,
}

/// The keys for JWT-SVIDs in a bundle.
#[derive(Clone, Debug)]
pub enum BundleKeys {
    /// There are some.
    Usable(KeySet),
    /// There are keys, and none of them is of use for JWT-SVIDs: a domain of X.509-SVIDs alone,
    /// say.
    NoneForJwt,
    /// `keys` is empty: the domain has revoked whatever it ever published (section 4.1.3).
    Revoked,
}

/// How many keys of a bundle are for something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OtherKeys {
    /// Those for X.509-SVIDs.
    pub x509_svid: usize,
    /// Those whose `use` is not known here.
    pub unknown: usize,
}

/// Why a document is no bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BundleError {
    /// It is not strict JSON.
    NotJson(JsonError),
    /// It is no JSON object with an array `keys`, or has too many of them.
    ///
    /// An absent `keys` is malformed and not empty: it must be there (section 4.1.3), and a
    /// document without it may be anything but a word of the domain's that all is revoked.
    Keys(KeySetError),
    /// This member is there, and is no whole number from 0 to 2^64 - 1.
    NotANumber(&'static str),
}

/// The highest `spiffe_sequence` that a domain's bundles had so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Highest {
    /// The number.
    pub sequence: u64,
    /// Whether the domain was revoked with it or since: then only a higher one brings keys back.
    pub revoked: bool,
}

/// Why a bundle does not take the place of the one in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollback {
    /// The `spiffe_sequence` of the bundle in force.
    pub held: u64,
    /// That of the bundle that came; none where it has none.
    pub came: Option<u64>,
}

impl Bundle {
    /// Reads a bundle document.
    ///
    /// Keys for something else are counted; keys for JWT-SVIDs that are broken or unsupported are
    /// passed over with a warning.
    ///
    /// # Errors
    ///
    /// See [`BundleError`]; duplicate members, more than 1 MiB and more than 200 keys are refused.
    pub fn parse(document: &[u8]) -> Result<Self, BundleError> {
        let document = json::parse(document, Bounds::KEY_SET).map_err(BundleError::NotJson)?;
        Self::from_json(&document)
    }

    /// Reads a bundle out of JSON that is already parsed, such as a configuration's.
    ///
    /// # Errors
    ///
    /// As [`Bundle::parse`].
    pub fn from_json(document: &Value) -> Result<Self, BundleError> {
        let (keys, skipped) = keys(document)?;
        let other_keys = OtherKeys::among(&skipped);
        let is_broken = |key: &SkippedKey| !matches!(key.why, JwkError::OtherUse(_));
        Ok(Self {
            sequence: number(document, "spiffe_sequence")?,
            refresh_hint: number(document, "spiffe_refresh_hint")?.map(Duration::from_secs),
            keys,
            warnings: skipped.into_iter().filter(is_broken).collect(),
            other_keys,
        })
    }

    /// The keys for JWT-SVIDs.
    #[must_use]
    pub const fn keys(&self) -> &BundleKeys {
        &self.keys
    }

    /// The keys that verify the JWT-SVIDs of the domain that this is the bundle of.
    ///
    /// # Errors
    ///
    /// [`SvidError::Revoked`] or [`SvidError::NoJwtKeys`]: "workloads MUST treat all SVIDs from
    /// the trust domain as invalid and untrusted" (section 4.1.3).
    pub fn jwt_keys(&self, domain: &TrustDomain) -> Result<&KeySet, SvidError> {
        match &self.keys {
            BundleKeys::Usable(keys) => Ok(keys),
            BundleKeys::NoneForJwt => Err(SvidError::NoJwtKeys(domain.clone())),
            BundleKeys::Revoked => Err(SvidError::Revoked(domain.clone())),
        }
    }

    /// The `spiffe_sequence`, where there is one.
    #[must_use]
    pub const fn sequence(&self) -> Option<u64> {
        self.sequence
    }

    /// The `spiffe_refresh_hint`, where there is one; a caller bounds it.
    #[must_use]
    pub const fn refresh_hint(&self) -> Option<Duration> {
        self.refresh_hint
    }

    /// The keys for JWT-SVIDs, and the keys without a `use`, that are passed over.
    #[must_use]
    pub fn warnings(&self) -> &[SkippedKey] {
        &self.warnings
    }

    /// How many keys are for something else.
    #[must_use]
    pub const fn other_keys(&self) -> OtherKeys {
        self.other_keys
    }

    /// Whether this may be taken after bundles of at most that sequence, and the highest with it.
    ///
    /// A sequence never goes backwards. The same number is taken again, whatever the content, but
    /// where the domain was revoked with it. Once a domain numbers its bundles, one without a number
    /// is taken only if it revokes everything, since then nothing is trusted that was not.
    ///
    /// # Errors
    ///
    /// [`Rollback`] with both numbers.
    pub fn follow(&self, highest: Option<Highest>) -> Result<Option<Highest>, Rollback> {
        let revoked = matches!(self.keys, BundleKeys::Revoked);
        let came = self.sequence;
        let Some(held) = highest else {
            return Ok(came.map(|sequence| Highest { sequence, revoked }));
        };
        let forwards = match came {
            Some(came) if came == held.sequence => revoked || !held.revoked,
            Some(came) => came > held.sequence,
            None => revoked,
        };
        if !forwards {
            let held = held.sequence;
            return Err(Rollback { held, came });
        }
        let sequence = came.unwrap_or(held.sequence);
        Ok(Some(Highest { sequence, revoked }))
    }
}

impl OtherKeys {
    fn among(skipped: &[SkippedKey]) -> Self {
        let x509_svid = Excerpt::of("x509-svid");
        let mut count = Self::default();
        for key in skipped {
            match &key.why {
                JwkError::OtherUse(found) if *found == x509_svid => {
                    count.x509_svid = count.x509_svid.saturating_add(1);
                }
                JwkError::OtherUse(_) => count.unknown = count.unknown.saturating_add(1),
                _ => {}
            }
        }
        count
    }
}

fn keys(document: &Value) -> Result<(BundleKeys, Vec<SkippedKey>), BundleError> {
    let rules = KeyRules {
        algorithms: ALGORITHMS,
        allow_rsa_exponent_3: false,
        allow_large_rsa: false,
        key_use: KeyUse::JwtSvid,
    };
    match KeySet::parse(document, &rules) {
        Ok((keys, skipped)) => Ok((BundleKeys::Usable(keys), skipped)),
        Err(KeySetError::NoUsableKey(skipped)) => Ok((BundleKeys::NoneForJwt, skipped)),
        Err(KeySetError::Empty) => Ok((BundleKeys::Revoked, Vec::new())),
        Err(error) => Err(BundleError::Keys(error)),
    }
}

/// "The resulting type has at least 64 bits of precision" (section 4.1.1); a fraction, a negative
/// number or a string is no such number.
fn number(document: &Value, name: &'static str) -> Result<Option<u64>, BundleError> {
    document
        .get(name)
        .map(|value| value.as_u64().ok_or(BundleError::NotANumber(name)))
        .transpose()
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(error) => error.fmt(f),
            Self::Keys(error) => error.fmt(f),
            Self::NotANumber(name) => write!(f, "`{name}` is no whole number from 0 to 2^64 - 1"),
        }
    }
}

impl fmt::Display for Rollback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.came {
            Some(came) => write!(f, "spiffe_sequence went back from {} to {came}", self.held),
            None => write!(f, "spiffe_sequence was {} and is gone", self.held),
        }
    }
}

impl std::error::Error for BundleError {}
impl std::error::Error for Rollback {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Algorithm;
    use crate::signing::signer;
    use serde_json::json;

    fn key(algorithm: Algorithm, changes: Value) -> Value {
        let mut jwk = signer(algorithm).jwk();
        jwk["use"] = "jwt-svid".into();
        jwk["kid"] = "k".into();
        for (name, value) in changes.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk.as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        jwk
    }

    fn good() -> Value {
        key(Algorithm::Es256, json!({}))
    }

    fn bundle(document: &Value) -> Bundle {
        Bundle::parse(document.to_string().as_bytes()).unwrap()
    }

    fn error(document: &str) -> BundleError {
        Bundle::parse(document.as_bytes()).unwrap_err()
    }

    fn domain() -> TrustDomain {
        TrustDomain::parse("prod.example").unwrap()
    }

    #[test]
    fn keys_of_all_nine_algorithms_are_taken_and_no_others() {
        for algorithm in Algorithm::ALL {
            let taken = !matches!(algorithm, Algorithm::EdDsa) && !algorithm.is_symmetric();
            let bundle =
                bundle(&json!({"keys": [key(*algorithm, json!({"alg": algorithm.name()}))]}));
            let keys = bundle.jwt_keys(&domain());
            assert_eq!(keys.is_ok(), taken, "{algorithm:?}");
            assert_eq!(bundle.warnings().is_empty(), taken);
        }
    }

    #[test]
    fn keys_for_something_else_are_counted_and_broken_ones_are_warned_of() {
        let bundle = bundle(&json!({"keys": [
            good(),
            {"use": "x509-svid", "kty": "EC"},
            key(Algorithm::Es256, json!({"use": "x509-svid", "kid": null})),
            key(Algorithm::Es256, json!({"use": "wit-svid"})),
            key(Algorithm::Es256, json!({"use": "sig"})),
            key(Algorithm::Es256, json!({"use": "JWT-SVID"})),
            key(Algorithm::Es256, json!({"use": null})),
            key(Algorithm::Es256, json!({"kid": null})),
            key(Algorithm::Es256, json!({"kty": "XX"})),
            key(Algorithm::Es256, json!({"x": "AA"})),
            key(Algorithm::EdDsa, json!({})),
            7,
        ]}));
        assert_eq!(bundle.jwt_keys(&domain()).unwrap().len(), 1);
        let expected = OtherKeys {
            x509_svid: 2,
            unknown: 3,
        };
        assert_eq!(bundle.other_keys(), expected);
        let warnings: Vec<usize> = bundle.warnings().iter().map(|key| key.index).collect();
        assert_eq!(warnings, [6, 7, 8, 9, 10, 11]);
        let warning = bundle.warnings()[1].to_string();
        assert_eq!(warning, "keys[7] is not used: it has no `kid`");
    }

    #[test]
    fn an_empty_bundle_revokes_and_one_without_jwt_keys_is_for_other_documents() {
        let revoked = bundle(&json!({"keys": [], "spiffe_sequence": 7}));
        assert!(matches!(revoked.keys(), BundleKeys::Revoked));
        let error = revoked.jwt_keys(&domain()).unwrap_err();
        assert_eq!(error, SvidError::Revoked(domain()));
        let x509 = bundle(&json!({"keys": [{"use": "x509-svid"}]}));
        assert!(matches!(x509.keys(), BundleKeys::NoneForJwt));
        let error = x509.jwt_keys(&domain()).unwrap_err();
        assert_eq!(error, SvidError::NoJwtKeys(domain()));
    }

    #[test]
    fn what_is_no_bundle_is_refused_and_revokes_nothing() {
        for document in ["{}", r#"{"keys":null}"#, r#"{"keys":{}}"#, "[]", "null"] {
            assert_eq!(error(document), BundleError::Keys(KeySetError::NotAKeySet));
        }
        let many = json!({"keys": vec![json!({}); 201]}).to_string();
        assert_eq!(
            error(&many),
            BundleError::Keys(KeySetError::TooManyKeys(201))
        );
        for document in [
            "",
            r#"{"keys":[]"#,
            r#"{"keys":[],"keys":[]}"#,
            r#"{"keys":[{"kid":"a","kid":"a"}]}"#,
            r#"{"keys":[],"spiffe_sequence":1,"spiffe_sequence":2}"#,
        ] {
            assert!(
                matches!(error(document), BundleError::NotJson(_)),
                "{document}"
            );
        }
        for name in ["spiffe_sequence", "spiffe_refresh_hint"] {
            for value in [
                "null",
                "\"1\"",
                "-1",
                "1.5",
                "1e3",
                "18446744073709551616",
                "[1]",
            ] {
                let document = format!(r#"{{"keys":[],"{name}":{value}}}"#);
                assert_eq!(error(&document), BundleError::NotANumber(name), "{value}");
            }
        }
    }

    #[test]
    fn numbers_of_64_bits_are_read_exactly() {
        let bundle =
            bundle(&json!({"keys": [], "spiffe_sequence": u64::MAX, "spiffe_refresh_hint": 0}));
        assert_eq!(bundle.sequence(), Some(u64::MAX));
        assert_eq!(bundle.refresh_hint(), Some(Duration::ZERO));
        let none = self::bundle(&json!({"keys": [], "other": 1}));
        assert_eq!((none.sequence(), none.refresh_hint()), (None, None));
    }

    #[test]
    fn a_sequence_never_goes_backwards() {
        let numbered = |sequence: Option<u64>, keys: Value| {
            let mut document = json!({"keys": keys});
            if let Some(sequence) = sequence {
                document["spiffe_sequence"] = sequence.into();
            }
            bundle(&document)
        };
        let cases = [
            (None, None, true),
            (None, Some(0), true),
            (Some(5), Some(5), true),
            (Some(5), Some(6), true),
            (Some(5), Some(4), false),
            (Some(5), None, false),
            (Some(u64::MAX), Some(0), false),
        ];
        let highest = |sequence, revoked| Some(Highest { sequence, revoked });
        for (held, came, expected) in cases {
            let answer =
                numbered(came, json!([good()])).follow(held.and_then(|held| highest(held, false)));
            assert_eq!(answer.is_ok(), expected, "{held:?} {came:?}");
            if let (Err(rollback), Some(held)) = (answer, held) {
                assert_eq!(rollback, Rollback { held, came });
            }
        }
        let revoking = numbered(None, json!([])).follow(highest(5, false));
        assert_eq!(revoking, Ok(highest(5, true)));
        // What was revoked comes back with a higher number alone.
        for (came, expected) in [(Some(5), false), (None, false), (Some(6), true)] {
            let answer = numbered(came, json!([good()])).follow(highest(5, true));
            assert_eq!(answer.is_ok(), expected, "{came:?}");
        }
        let again = numbered(Some(5), json!([])).follow(highest(5, true));
        assert_eq!(again, Ok(highest(5, true)));
        assert!(
            numbered(Some(4), json!([]))
                .follow(highest(5, false))
                .is_err()
        );
    }
}
