//! What one worker remembers of tokens, with signature checks counted.

use std::cell::Cell;

use serde_json::{Value, json};

use super::settings::Settings;
use super::shared::ShareKey;
use super::*;
use crate::base::Id as _;
use crate::config::Config;
use crate::crypto::{Algorithm, Pure, VerifyingKey};
use crate::jose::{KeyRules, KeyUse};
use crate::keys::Reading;
use crate::keys::ring::Edition;
use crate::shared::{Cells as _, OwnCells};
use crate::signing::{Signer, signer};

const START: u64 = 1_772_445_600;
const SECRET: &[u8] = b"a text that nobody else knows";

/// Checks signatures, and counts how often.
#[derive(Default)]
struct Counted(Cell<u32>);

impl Crypto for Counted {
    fn verify(&self, key: &VerifyingKey, algorithm: Algorithm, message: &[u8], sig: &[u8]) -> bool {
        self.0.set(self.0.get() + 1);
        Pure.verify(key, algorithm, message, sig)
    }

    fn price(&self, key: &VerifyingKey, algorithm: Algorithm) -> Price {
        Pure.price(key, algorithm)
    }
}

/// A worker whose keys are in its configuration, or were fetched.
struct Worker {
    settings: Settings,
    ring: Ring,
    known: Known,
    crypto: Counted,
    secs: u64,
}

/// What was said of a token.
#[derive(Debug, PartialEq)]
struct Said {
    verdict: Result<String, Refusal>,
    judged_by: Option<KeyOwnerId>,
    checks: u32,
}

fn named(signer: &Signer, kid: &str) -> Value {
    let mut jwk = signer.jwk();
    jwk["kid"] = kid.into();
    jwk
}

impl Worker {
    fn new(keys: Value) -> Self {
        Self::configured(keys, json!({}))
    }

    fn configured(keys: Value, of_issuer: Value) -> Self {
        let mut configuration = json!({
            "version": 1,
            "issuers": [
                {"name": "other", "issuer": "https://other.example", "audiences": ["orders"],
                 "keys": {"inline": {"keys": [signer(Algorithm::Es256).jwk()]}}},
                {"name": "corp", "issuer": "https://idp.example", "audiences": ["orders"],
                 "max_lifetime": "2h", "clock_skew": "0s", "keys": keys},
            ],
            "routes": [{"name": "all", "match": {"path": "/{rest*}"}}],
        });
        for (name, value) in of_issuer.as_object().unwrap() {
            configuration["issuers"][1][name] = value.clone();
        }
        Self {
            settings: Config::parse(configuration.to_string().as_bytes())
                .unwrap()
                .settings
                .callers,
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
            allow_large_rsa: false,
            key_use: KeyUse::Signature,
        };
        let version = Edition {
            number: 1,
            fetched_at: Now::from_secs(self.secs),
            digest: Reading::KeySet(rules).digest(kid.as_bytes()),
            highest: None,
            document: Document::KeySet(KeySet::parse(&document, &rules).unwrap().0),
        };
        self.ring.put(KeyOwnerId::at(1), version);
    }

    fn ask(&mut self, token: &str) -> Said {
        self.ask_with(None, token)
    }

    /// As a worker that finds here what others have verified.
    fn ask_in(&mut self, pages: &mut OwnCells, token: &str) -> Said {
        self.ask_with(Some((SECRET, pages)), token)
    }

    fn ask_with(&mut self, pages: Option<(&[u8], &mut OwnCells)>, token: &str) -> Said {
        let before = self.crypto.0.get();
        let judge = TokenJudge {
            settings: &self.settings,
            ring: &self.ring,
            crypto: &self.crypto,
            now: Now::from_secs(self.secs),
        };
        let mut judged_by = None;
        let shared = pages.map(|(secret, pages)| Shared {
            key: ShareKey::new(secret),
            pages,
        });
        let mut memory = Memory {
            known: &mut self.known,
            shared,
        };
        let work = Work::within(self.settings.tokens.budget);
        let verdict = authenticate(&judge, &mut memory, token.as_bytes(), &mut judged_by, work);
        Said {
            verdict: verdict.map(|caller| caller.identity().to_owned()),
            judged_by,
            checks: self.crypto.0.get() - before,
        }
    }
}

/// As the gate does, whose steps these are.
fn authenticate(
    judge: &TokenJudge<'_>,
    memory: &mut Memory<'_>,
    token: &[u8],
    judged_by: &mut Option<KeyOwnerId>,
    work: Work,
) -> Result<Rc<Caller>, Refusal> {
    match judge.recall(memory.known, token)? {
        Recalled::Good(recognised) => {
            *judged_by = Some(recognised.owner());
            Ok(judge.accept_again(&recognised)?)
        }
        Recalled::Bad(denial, owner) => {
            *judged_by = owner;
            Err(denial.into())
        }
        Recalled::Nothing(fingerprint) => {
            let attempt = judge.verify(memory, token, fingerprint, work);
            *judged_by = attempt.owner;
            judge.accept(memory, token, attempt.sealed?)
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
    let mut bytes = crate::base::base64url::decode(signature.as_bytes()).unwrap();
    bytes[40] ^= 1;
    format!("{input}.{}", crate::base::base64url::encode(&bytes))
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
        let Some(Kept { refused, .. }) = &worker.known.kept else {
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
    let Some(Kept { refused, .. }) = &worker.known.kept else {
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
    let Some(Kept { refused, .. }) = &worker.known.kept else {
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

fn set(kid: &str) -> Value {
    json!({"inline": {"keys": [named(signer(Algorithm::EdDsa), kid)]}})
}

/// Pages on which one worker told that it verified `token`.
fn told(token: &str) -> OwnCells {
    let mut pages = OwnCells::default();
    assert_eq!(Worker::inline().ask_in(&mut pages, token).checks, 1);
    pages
}

/// The only page that is written, and where.
fn only_page(pages: &mut OwnCells) -> (u32, Vec<u8>) {
    let mut written = (0..shared::PAGES).filter_map(|page| {
        let (bytes, _) = pages.read(page);
        (!bytes.is_empty()).then_some((page, bytes))
    });
    let only = written.next().unwrap();
    assert_eq!(written.next(), None);
    only
}

#[test]
fn what_one_worker_verified_others_take_over_and_check_all_the_same() {
    let good = token(json!({}));
    let mut pages = told(&good);
    let mut other = Worker::inline();
    let said = other.ask_in(&mut pages, &good);
    assert_eq!(said.verdict.unwrap(), "corp/batch-7");
    assert_eq!((said.judged_by, said.checks), (Some(KeyOwnerId::at(1)), 0));
    assert_eq!(
        other.known.tally,
        Tally {
            tried: 0,
            verified: 0,
            shared: 1
        }
    );
    assert_eq!(other.ask_in(&mut pages, &good).checks, 0);
    assert_eq!(
        other.known.tally,
        Tally {
            tried: 0,
            verified: 0,
            shared: 1
        },
        "it is known now"
    );
    // Another word in the configuration than the one that told.
    let stricter = json!({"audiences": ["else"]});
    let mut stricter = Worker::configured(set("k1"), stricter);
    let said = stricter.ask_in(&mut pages, &good);
    assert_eq!((reason(&said), said.checks), (Reason::AudienceMismatch, 0));
    let mut typed = Worker::configured(set("k1"), json!({"profile": "at+jwt"}));
    let said = typed.ask_in(&mut pages, &good);
    assert_eq!((reason(&said), said.checks), (Reason::TypeMismatch, 0));
}

#[test]
fn a_token_is_verified_anew_under_anything_else_than_it_was_verified_under() {
    let good = token(json!({}));
    let others = [
        ("another document", set("k1"), json!({})),
        ("another name", set("k1"), json!({"name": "shop"})),
        (
            "other algorithms",
            set("k1"),
            json!({"algorithms": ["EdDSA", "ES256"]}),
        ),
    ];
    for (what, mut keys, of_issuer) in others {
        if what == "another document" {
            keys["inline"]["keys"][0]["use"] = json!("sig");
        }
        let mut pages = told(&good);
        let mut worker = Worker::configured(keys, of_issuer);
        let said = worker.ask_in(&mut pages, &good);
        assert!(said.verdict.is_ok(), "{what}: {said:?}");
        assert_eq!(said.checks, 1, "{what}");
    }
    let mut pages = told(&good);
    let mut exponent = set("k1");
    exponent["allow_rsa_exponent_3"] = json!(true);
    assert_eq!(Worker::new(exponent).ask_in(&mut pages, &good).checks, 1);
    let mut pages = told(&good);
    let secret = Some((&b"a text that nobody else knew"[..], &mut pages));
    assert_eq!(Worker::inline().ask_with(secret, &good).checks, 1);
}

#[test]
fn a_token_of_withdrawn_keys_is_not_taken_over() {
    let mut pages = OwnCells::default();
    let good = token(json!({}));
    let (mut one, mut other) = (Worker::remote(), Worker::remote());
    assert_eq!(one.ask_in(&mut pages, &good).checks, 1);
    other.put("k2");
    let said = other.ask_in(&mut pages, &good);
    assert!(matches!(said.verdict, Err(Refusal::Keys(..))), "{said:?}");
    // The key is there again, in a document that was the one before.
    other.put("k1");
    assert_eq!(other.ask_in(&mut pages, &good).checks, 0);
}

#[test]
fn another_token_is_never_taken_for_one_that_was_verified() {
    let good = token(json!({}));
    let mut pages = told(&good);
    let mut worker = Worker::inline();
    for bad in [
        forged(&good),
        token(json!({"sub": "batch-8"})),
        good[1..].to_owned(),
    ] {
        worker.ask_in(&mut pages, &bad);
    }
    let said = worker.ask_in(&mut pages, &forged(&good));
    assert_eq!(reason(&said), Reason::SignatureInvalid);
    assert_eq!(
        worker.known.tally,
        Tally {
            // The forged one was checked, and does not count as verified.
            tried: 2,
            verified: 1,
            shared: 0
        }
    );
}

#[test]
fn every_changed_bit_and_every_truncation_of_a_page_makes_the_signature_be_checked() {
    let good = token(json!({}));
    let (place, page) = only_page(&mut told(&good));
    let flips = (0..page.len() * 8).map(|bit| {
        let mut changed = page.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        changed
    });
    let cuts = (0..page.len()).map(|length| page[..length].to_vec());
    let more = [[&page[..], &[0]].concat(), page.repeat(2), page.repeat(40)];
    for changed in flips.chain(cuts).chain(more) {
        let mut pages = OwnCells::default();
        let (_, version) = pages.read(place);
        pages.write(place, &changed, version);
        assert_eq!(Worker::inline().ask_in(&mut pages, &good).checks, 1);
        // And what was no page is one again.
        assert_eq!(Worker::inline().ask_in(&mut pages, &good).checks, 0);
    }
}

#[test]
fn a_page_that_is_copied_elsewhere_proves_nothing() {
    let good = token(json!({}));
    let (place, page) = only_page(&mut told(&good));
    let mut pages = OwnCells::default();
    for elsewhere in (0..shared::PAGES).filter(|other| *other != place) {
        let (_, version) = pages.read(elsewhere);
        pages.write(elsewhere, &page, version);
    }
    for number in 0..20 {
        let another = token(json!({"jti": number.to_string()}));
        let said = Worker::inline().ask_in(&mut pages, &another);
        assert_eq!(said.checks, 1);
    }
    assert_eq!(Worker::inline().ask_in(&mut pages, &good).checks, 1);
}

#[test]
fn a_proof_is_of_one_name_one_document_and_one_set_of_algorithms() {
    let mut pages = OwnCells::default();
    let mut shared = Shared {
        key: ShareKey::new(SECRET),
        pages: &mut pages,
    };
    let now = Now::from_secs(START);
    let (keys, algorithms) = ([1; 32], AlgorithmSet::asymmetric());
    let told = Under {
        name: "corp",
        keys: &keys,
        algorithms,
    };
    let sought = shared.look(&told, b"token", now);
    shared.tell(sought, Now::MAX);
    assert!(shared.look(&told, b"token", now).verified);
    let others = [
        (
            Under {
                name: "shop",
                ..told
            },
            &b"token"[..],
        ),
        (Under { name: "", ..told }, b"token"),
        (
            Under {
                keys: &[2; 32],
                ..told
            },
            b"token",
        ),
        (
            Under {
                algorithms: spiffe::ALGORITHMS,
                ..told
            },
            b"token",
        ),
        (told, b"tokem"),
        (told, b"token "),
        (told, b""),
    ];
    for (under, token) in others {
        // Wherever it is looked for.
        let page = |place: u32, pages: &mut OwnCells| pages.read(place).0;
        let mut everywhere = OwnCells::default();
        let written = (0..shared::PAGES).map(|place| page(place, &mut pages));
        let written = written.filter(|bytes| !bytes.is_empty()).last().unwrap();
        for place in 0..shared::PAGES {
            let (_, version) = everywhere.read(place);
            everywhere.write(place, &written, version);
        }
        let mut shared = Shared {
            key: ShareKey::new(SECRET),
            pages: &mut everywhere,
        };
        assert!(shared.look(&told, b"token", now).verified);
        assert!(!shared.look(&under, token, now).verified, "{}", under.name);
    }
}

#[test]
fn what_is_told_ends_with_its_token() {
    let (good, more) = (
        token(json!({"exp": START + 5})),
        json!({"clock_skew": "1m"}),
    );
    let mut pages = told(&good);
    // It takes the token for longer than the one that told.
    let mut lenient = Worker::configured(set("k1"), more);
    lenient.secs += 5;
    let said = lenient.ask_in(&mut pages, &good);
    assert!(said.verdict.is_ok());
    assert_eq!(said.checks, 1);
}

#[test]
fn pages_are_as_many_and_as_large_as_they_are_whatever_is_told() {
    let mut pages = OwnCells::default();
    let tag = |number: u32| format!("header.{number}.signature");
    let under = Under {
        name: "corp",
        keys: &[0; 32],
        algorithms: AlgorithmSet::asymmetric(),
    };
    let now = Now::from_secs(START);
    let mut shared = Shared {
        key: ShareKey::new(SECRET),
        pages: &mut pages,
    };
    for number in 0..40_000 {
        let sought = shared.look(&under, tag(number).as_bytes(), now);
        let until = Now::from_secs(START + 1 + u64::from(number));
        shared.tell(sought, until);
    }
    // The last to end are kept, and the first to end have made way.
    let found = |shared: &mut Shared<'_>, numbers: std::ops::Range<u32>| {
        let verified = |number: &u32| shared.look(&under, tag(*number).as_bytes(), now).verified;
        numbers.filter(verified).count()
    };
    assert!(found(&mut shared, 39_000..40_000) > 990);
    assert!(found(&mut shared, 0..1000) < 100);
    // Those that have ended make way first.
    let later = Now::from_secs(START + 100_000);
    let sought = shared.look(&under, b"new", later);
    assert!(!sought.verified);
    shared.tell(sought, later.after(Duration::from_secs(1)));
    assert!(shared.look(&under, b"new", later).verified);
    let sizes: Vec<_> = (0..shared::PAGES)
        .map(|page| pages.read(page).0.len())
        .collect();
    assert!(sizes.iter().all(|size| *size == 4 * 24 + 16));
}

#[test]
fn a_token_of_a_shared_secret_or_of_no_key_is_not_looked_for() {
    let mut pages = OwnCells::default();
    let secret = signer(Algorithm::Hs256);
    let keys = json!({"inline": {"keys": [named(secret, "k1")]}});
    let mut worker = Worker::configured(keys, json!({"algorithms": ["HS256"]}));
    let claims = json!({
        "iss": "https://idp.example", "aud": "orders", "sub": "x", "iat": START, "exp": START + 9,
    });
    let good = secret.token(json!({"kid": "k1"}), &claims.to_string());
    assert!(worker.ask_in(&mut pages, &good).verdict.is_ok());
    let unknown = signer(Algorithm::EdDsa).token(json!({"kid": "k9"}), &claims.to_string());
    let mut other = Worker::inline();
    assert_eq!(
        reason(&other.ask_in(&mut pages, &unknown)),
        Reason::KeyUnknown
    );
    assert_eq!(
        reason(&other.ask_in(&mut pages, &forged(&token(json!({}))))),
        Reason::SignatureInvalid
    );
    assert_eq!(
        reason(&other.ask_in(&mut pages, &token(json!({"aud": "x"})))),
        Reason::AudienceMismatch
    );
    assert!(
        (0..shared::PAGES).all(|page| pages.read(page).0.is_empty()),
        "nothing is told"
    );
}

/// A set of that many RSA keys, all alike and without a name.
fn nameless_rsa(bits: usize, count: usize) -> Value {
    let modulus = crate::base::base64url::encode(&vec![0xa7; bits / 8]);
    json!({"inline": {"keys": vec![json!({"kty": "RSA", "n": modulus, "e": "AQAB"}); count]}})
}

/// A token of PS256 that names no key, with a signature of full size that nobody made.
fn nameless_ps256(bits: usize, id: &str) -> String {
    let text = |value: Value| crate::base::base64url::encode(value.to_string().as_bytes());
    let header = text(json!({"alg": "PS256"}));
    let payload = text(json!({"iss": "https://idp.example", "jti": id}));
    let signature = crate::base::base64url::encode(&vec![0x5a; bits / 8]);
    format!("{header}.{payload}.{signature}")
}

#[test]
fn a_token_that_names_no_key_is_tried_with_as_many_as_its_budget_has_room_for() {
    let large = json!({"lenient": ["large_rsa"]});
    // Bits, keys, what the issuer is granted, how many are tried, and what is said.
    let cases = [
        (2048, 1, &json!({}), 1, Reason::SignatureInvalid),
        (2048, 8, &json!({}), 2, Reason::KeyAmbiguous),
        (4096, 8, &json!({}), 1, Reason::KeyAmbiguous),
        (8192, 8, &large, 1, Reason::KeyAmbiguous),
        (8192, 1, &large, 1, Reason::SignatureInvalid),
    ];
    for (bits, count, of_issuer, checks, expected) in cases {
        let mut worker = Worker::configured(nameless_rsa(bits, count), of_issuer.clone());
        let token = nameless_ps256(bits, "t-1");
        let said = worker.ask(&token);
        assert_eq!((reason(&said), said.checks), (expected, checks), "{bits}");
        assert_eq!(worker.known.tally.tried, u64::from(checks));
        let again = worker.ask(&token);
        assert_eq!((reason(&again), again.checks), (expected, 0), "{bits}");
    }
}

#[test]
fn a_larger_budget_has_room_for_more_keys() {
    let mut worker = Worker::new(nameless_rsa(4096, 2));
    worker.settings.tokens.budget = Duration::from_millis(6);
    let said = worker.ask(&nameless_ps256(4096, "t-1"));
    assert_eq!((reason(&said), said.checks), (Reason::SignatureInvalid, 2));
}
