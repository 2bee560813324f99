//! What one worker remembers of tokens, with signature checks counted.

use std::cell::Cell;

use serde_json::{Value, json};

use super::*;
use crate::crypto::test_keys::{Signer, signer};
use crate::crypto::{Algorithm, Pure, VerifyingKey};
use crate::jose::{KeyRules, KeyUse};
use crate::keys::ring::Version;

const START: u64 = 1_772_445_600;

/// Checks signatures, and counts how often.
#[derive(Default)]
struct Counted(Cell<u32>);

impl Crypto for Counted {
    fn verify(&self, key: &VerifyingKey, algorithm: Algorithm, message: &[u8], sig: &[u8]) -> bool {
        self.0.set(self.0.get() + 1);
        Pure.verify(key, algorithm, message, sig)
    }
}

/// A worker whose keys are in its configuration, or were fetched.
struct Worker {
    config: Config,
    ring: Ring,
    known: Known,
    crypto: Counted,
    secs: u64,
}

/// What was said of a token.
#[derive(Debug, PartialEq)]
struct Said {
    verdict: Result<String, Refusal>,
    judged_by: Option<usize>,
    checks: u32,
}

fn named(signer: &Signer, kid: &str) -> Value {
    let mut jwk = signer.jwk();
    jwk["kid"] = kid.into();
    jwk
}

impl Worker {
    fn new(keys: Value) -> Self {
        let configuration = json!({
            "version": 1,
            "issuers": [
                {"name": "other", "issuer": "https://other.example", "audiences": ["orders"],
                 "keys": {"inline": {"keys": [signer(Algorithm::Es256).jwk()]}}},
                {"name": "corp", "issuer": "https://idp.example", "audiences": ["orders"],
                 "max_lifetime": "2h", "clock_skew": "0s", "keys": keys},
            ],
            "routes": [{"name": "all", "match": {"path": "/{rest*}"}}],
        });
        Self {
            config: Config::parse(configuration.to_string().as_bytes()).unwrap(),
            ring: Ring::new(2),
            known: Known::new(Seed([7; 16]), 1 << 20),
            crypto: Counted::default(),
            secs: START,
        }
    }

    fn inline() -> Self {
        Self::new(json!({"inline": {"keys": [named(signer(Algorithm::EdDsa), "k1")]}}))
    }

    fn remote() -> Self {
        let mut worker =
            Self::new(json!({"remote": {"cluster": "idp", "uri": "https://idp.example/jwks"}}));
        worker.put("k1");
        worker
    }

    /// Puts a fetched set in force, of a key by that name.
    fn put(&mut self, kid: &str) {
        let document = json!({"keys": [named(signer(Algorithm::EdDsa), kid)]});
        let rules = KeyRules {
            algorithms: AlgorithmSet::asymmetric(),
            allow_rsa_exponent_3: false,
            key_use: KeyUse::Signature,
        };
        let version = Version {
            number: 1,
            fetched_at: Now::from_secs(self.secs),
            fingerprint: Seed([0; 16]).fingerprint(kid.as_bytes()),
            highest: None,
            document: Document::KeySet(KeySet::parse(&document, &rules).unwrap().0),
        };
        self.ring.put(1, version);
    }

    fn ask(&mut self, token: &str) -> Said {
        let before = self.crypto.0.get();
        let judge = Judge {
            config: &self.config,
            ring: &self.ring,
            crypto: &self.crypto,
            now: Now::from_secs(self.secs),
        };
        let mut judged_by = None;
        let verdict =
            judge.authenticate(&mut self.known, token.as_bytes(), &mut judged_by, || Ok(()));
        Said {
            verdict: verdict.map(|caller| caller.identity().to_owned()),
            judged_by,
            checks: self.crypto.0.get() - before,
        }
    }
}

fn token(changes: Value) -> String {
    let mut claims = json!({
        "iss": "https://idp.example", "aud": "orders", "sub": "batch-7",
        "iat": START, "exp": START + 3600,
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    signer(Algorithm::EdDsa).token(json!({"kid": "k1"}), &claims.to_string())
}

/// The token with another last byte of its signature.
fn forged(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = crate::jose::base64url::decode(signature.as_bytes()).unwrap();
    bytes[40] ^= 1;
    format!("{input}.{}", crate::jose::base64url::encode(&bytes))
}

fn reason(said: &Said) -> Reason {
    match &said.verdict {
        Err(Refusal::Denied(denial) | Refusal::Keys(_, denial)) => denial.reason,
        Ok(identity) => panic!("{identity} is let in"),
    }
}

/// Bad tokens of every kind that is remembered, each with its reason.
fn bad_tokens() -> Vec<(String, Reason)> {
    let by =
        |header: Value, claims: Value| signer(Algorithm::EdDsa).token(header, &claims.to_string());
    vec![
        ("a.b".to_owned(), Reason::CredentialMalformed),
        (
            token(json!({"iss": "https://who.example"})),
            Reason::IssuerUnknown,
        ),
        (
            token(json!({"iss": "", "sub": "spiffe://who.example/x"})),
            Reason::TrustDomainUnknown,
        ),
        (
            token(json!({"iss": "", "sub": "spiffe://WHO/x"})),
            Reason::SvidInvalid,
        ),
        (
            signer(Algorithm::Hs256)
                .token(json!({"kid": "k1"}), r#"{"iss":"https://idp.example"}"#),
            Reason::AlgorithmNotAllowed,
        ),
        (forged(&token(json!({}))), Reason::SignatureInvalid),
        (
            by(
                json!({"kid": "k1", "typ": "dpop+jwt"}),
                json!({"iss": "https://idp.example"}),
            ),
            Reason::TypeMismatch,
        ),
        (
            token(json!({"iat": START - 9000, "exp": START - 1})),
            Reason::TokenExpired,
        ),
        (
            token(json!({"exp": START + 9000})),
            Reason::TokenLifetimeExceeded,
        ),
        (token(json!({"aud": "else"})), Reason::AudienceMismatch),
        (token(json!({"sub": 7})), Reason::ClaimMissing),
    ]
}

#[test]
fn a_bad_token_of_every_lasting_kind_is_refused_again_in_the_same_words_without_a_signature_check()
{
    for start in [Worker::inline, Worker::remote] {
        let mut worker = start();
        for (token, expected) in bad_tokens() {
            let first = worker.ask(&token);
            assert_eq!(reason(&first), expected);
            let again = worker.ask(&token);
            assert_eq!(again, Said { checks: 0, ..first }, "{expected:?}");
        }
        let Some(Memory { refused, .. }) = &worker.known.0 else {
            panic!("nothing is remembered")
        };
        assert_eq!(refused.0.len(), bad_tokens().len());
    }
}

#[test]
fn what_time_or_a_fetch_can_make_good_is_not_remembered() {
    let mut worker = Worker::remote();
    let early = token(json!({"nbf": START + 10}));
    assert_eq!(reason(&worker.ask(&early)), Reason::TokenNotYetValid);
    assert_eq!(worker.ask(&early).checks, 1);
    worker.secs += 10;
    assert!(worker.ask(&early).verdict.is_ok());
    worker.put("k2");
    let asked = worker.ask(&token(json!({})));
    assert!(matches!(asked.verdict, Err(Refusal::Keys(..))), "{asked:?}");
    let asked = worker.ask(&token(json!({})));
    assert!(matches!(asked.verdict, Err(Refusal::Keys(..))), "{asked:?}");
    worker.secs += 90_000;
    let mut tokens = bad_tokens().into_iter();
    let (forged, _) = tokens
        .find(|(_, reason)| *reason == Reason::SignatureInvalid)
        .unwrap();
    assert_eq!(reason(&worker.ask(&forged)), Reason::KeysUnavailable);
    worker.put("k1");
    assert_eq!(reason(&worker.ask(&forged)), Reason::SignatureInvalid);
}

#[test]
fn a_refusal_ends_with_the_keys_it_was_judged_by() {
    let mut worker = Worker::remote();
    let bad = forged(&token(json!({})));
    worker.ask(&bad);
    assert_eq!(worker.ask(&bad).checks, 0);
    worker.put("k1");
    assert_eq!(worker.ask(&bad).checks, 1);
    assert_eq!(worker.ask(&bad).checks, 0);
    worker.secs += 86_401;
    assert_eq!(reason(&worker.ask(&bad)), Reason::KeysUnavailable);
}

#[test]
fn a_refusal_holds_for_a_minute_and_not_before_it_was_made() {
    let mut worker = Worker::inline();
    let bad = forged(&token(json!({})));
    worker.ask(&bad);
    worker.secs += 59;
    assert_eq!(worker.ask(&bad).checks, 0);
    worker.secs += 1;
    assert_eq!(worker.ask(&bad).checks, 1);
    worker.secs -= 1;
    assert_eq!(worker.ask(&bad).checks, 1);
}

#[test]
fn an_expired_token_is_told_the_time_of_each_refusal() {
    let mut worker = Worker::inline();
    let late = token(json!({"iat": START - 100, "exp": START - 1}));
    let detail = |said: Said| match said.verdict {
        Err(Refusal::Denied(denial)) => denial.detail.into_owned(),
        other => panic!("{other:?}"),
    };
    for secs in [START, START + 7] {
        worker.secs = secs;
        let expected = format!("The token expired at {}; it is {secs}.", START - 1);
        assert_eq!(detail(worker.ask(&late)), expected);
    }
    worker.secs = START - 2;
    assert!(worker.ask(&late).verdict.is_ok(), "the clock was set back");
}

#[test]
fn a_refusal_for_its_audience_ends_when_the_token_does() {
    let mut worker = Worker::inline();
    let other = token(json!({"aud": "else", "exp": START + 5}));
    assert_eq!(reason(&worker.ask(&other)), Reason::AudienceMismatch);
    worker.secs += 5;
    assert_eq!(reason(&worker.ask(&other)), Reason::TokenExpired);
}

#[test]
fn bad_tokens_drive_no_good_one_out_and_take_no_more_than_their_bytes() {
    let mut worker = Worker::inline();
    let good = token(json!({}));
    assert_eq!(worker.ask(&good).checks, 1);
    for number in 0..20_000 {
        worker.ask(&format!("bad.{number}"));
    }
    assert_eq!(worker.ask(&good).checks, 0);
    let Some(Memory { refused, .. }) = &worker.known.0 else {
        panic!("nothing is remembered")
    };
    assert!(
        (1000..20_000).contains(&refused.0.len()),
        "{}",
        refused.0.len()
    );
    assert!(refused.0.bytes() <= REFUSED_BYTES);
}

#[test]
fn a_token_that_is_too_long_is_refused_by_its_length_alone() {
    let mut worker = Worker::inline();
    let said = worker.ask(&"x".repeat(8193));
    assert_eq!(reason(&said), Reason::CredentialMalformed);
    let Some(Memory { refused, .. }) = &worker.known.0 else {
        panic!("nothing is remembered")
    };
    assert_eq!(refused.0.len(), 0);
}

#[test]
fn a_token_with_another_signature_is_the_same_token() {
    assert_eq!(mark(b"head.claims.one"), mark(b"head.claims.other"));
    assert_ne!(mark(b"head.claims.one"), mark(b"head.others.one"));
    assert_ne!(mark(b"head.claims.one"), mark(b"heads.claims.one"));
}
