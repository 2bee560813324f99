//! Keys that sign: made at run time, or read from a private JWK. The command line tool mints with
//! them, and every test.
//!
//! Nothing of the filter can sign. A secret is never shown: `Debug` is not derived, and errors name
//! members, not values.

mod jwk;
pub mod jws;

use std::sync::{Arc, LazyLock};

use ed25519_dalek::Signer as _;
use jwt_compact::alg::{Hs256, Hs256Key, Hs384, Hs384Key, Hs512, Hs512Key, Rsa};
use jwt_compact::{Algorithm as _, AlgorithmSignature as _};
use p256::ecdsa::signature::RandomizedSigner as _;
use p256::elliptic_curve::rand_core::{OsRng, RngCore as _};
use postern_core::crypto::{Algorithm, VerifyingKey};
use rsa::pkcs8::EncodePublicKey as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::Value;
use zeroize::Zeroizing;

/// The algorithms that a key for `postern token` and for suites has.
pub const ALGORITHMS: &str = "ES256, RS256, EdDSA or HS256";

const RSA_BITS: usize = 2048;
const SECRET_BYTES: usize = 32;

/// A key that signs with one algorithm, and its name.
#[derive(Clone)]
pub struct Signer {
    /// The name that tokens and key sets carry.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    secret: Secret,
}

#[derive(Clone)]
enum Secret {
    Rsa(Arc<rsa::RsaPrivateKey>),
    Ec(Ec),
    Ed25519(ed25519_dalek::SigningKey),
    Hmac(Zeroizing<Vec<u8>>),
}

#[derive(Clone)]
enum Ec {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
}

// RSA keys are slow to make, so tests share one. Its modulus leaves room below 2^2048, so that one
// signature in eight can have it added.
static SHARED_RSA: LazyLock<Option<Arc<rsa::RsaPrivateKey>>> = LazyLock::new(|| {
    let mut keys =
        std::iter::repeat_with(|| rsa::RsaPrivateKey::new(&mut OsRng, RSA_BITS).ok()).flatten();
    let fits = |key: &rsa::RsaPrivateKey| key.n().to_bytes_be().first() < Some(&0xe0);
    keys.find(fits).map(Arc::new)
});

static SIGNERS: LazyLock<Vec<Signer>> = LazyLock::new(|| {
    let signers = Algorithm::ALL.iter();
    signers
        .map(|algorithm| Signer::for_tests(*algorithm))
        .collect()
});

/// One signer for each algorithm, in the order of [`Algorithm::ALL`]; RSA shares one key.
#[must_use]
pub fn signers() -> &'static [Signer] {
    &SIGNERS
}

/// The signer of that algorithm.
///
/// # Panics
/// Where the system can make no keys.
#[must_use]
#[allow(clippy::expect_used, reason = "a test without a key cannot go on")]
pub fn signer(algorithm: Algorithm) -> &'static Signer {
    let mut signers = signers().iter();
    signers
        .find(|signer| signer.algorithm == algorithm)
        .expect("every algorithm has a signer")
}

impl Signer {
    /// Makes a key.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate(algorithm: Algorithm, kid: &str) -> Result<Self, String> {
        use Algorithm as A;
        let secret = match algorithm {
            A::Rs256 | A::Rs384 | A::Rs512 | A::Ps256 | A::Ps384 | A::Ps512 => {
                let key = rsa::RsaPrivateKey::new(&mut OsRng, RSA_BITS);
                Secret::Rsa(Arc::new(key.map_err(|error| error.to_string())?))
            }
            A::Es256 => Secret::Ec(Ec::P256(p256::ecdsa::SigningKey::random(&mut OsRng))),
            A::Es384 => Secret::Ec(Ec::P384(p384::ecdsa::SigningKey::random(&mut OsRng))),
            A::Es512 => Secret::Ec(Ec::P521(p521::ecdsa::SigningKey::random(&mut OsRng))),
            A::EdDsa => {
                let mut seed = Zeroizing::new([0; 32]);
                random(&mut *seed)?;
                Secret::Ed25519(ed25519_dalek::SigningKey::from_bytes(&seed))
            }
            // RFC 7518 section 3.2: as long as the hash at least.
            A::Hs256 | A::Hs384 | A::Hs512 => {
                let bytes = if algorithm == A::Hs256 {
                    SECRET_BYTES
                } else {
                    64
                };
                let mut secret = Zeroizing::new(vec![0; bytes]);
                random(&mut secret)?;
                Secret::Hmac(secret)
            }
        };
        Ok(Self {
            kid: kid.to_owned(),
            algorithm,
            secret,
        })
    }

    /// A key of its own; for RSA the one that all tests share.
    ///
    /// # Panics
    /// Where the system can make none.
    #[must_use]
    #[allow(clippy::expect_used, reason = "a test without a key cannot go on")]
    pub fn for_tests(algorithm: Algorithm) -> Self {
        if !algorithm.name().starts_with(['R', 'P']) {
            return Self::generate(algorithm, "").expect("the system has randomness");
        }
        let key = SHARED_RSA.as_ref().expect("the system has randomness");
        Self {
            kid: String::new(),
            algorithm,
            secret: Secret::Rsa(Arc::clone(key)),
        }
    }

    /// The same key for another algorithm, where it is one of its kind.
    #[must_use]
    pub fn with(&self, algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            ..self.clone()
        }
    }

    /// Reads a private JWK.
    ///
    /// # Errors
    /// What is wrong with it, and what is needed.
    pub fn of_jwk(jwk: &Value) -> Result<Self, String> {
        jwk::read(jwk)
    }

    /// The key for whoever verifies, without a name: public, or the secret itself for HMAC.
    #[must_use]
    pub fn jwk(&self) -> Value {
        jwk::bare(self)
    }

    /// The same with `kid`, `alg` and `use`.
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        jwk::public(self)
    }

    /// The whole key.
    #[must_use]
    pub fn private_jwk(&self) -> Value {
        jwk::private(self)
    }

    /// The public key, or the secret, as the filter reads it.
    ///
    /// # Panics
    /// Never for a key that signs.
    #[must_use]
    #[allow(clippy::expect_used, reason = "a key that signs can be verified with")]
    pub fn verifying_key(&self) -> VerifyingKey {
        match &self.secret {
            Secret::Rsa(key) => {
                VerifyingKey::rsa(&key.n().to_bytes_be(), &key.e().to_bytes_be(), false)
            }
            Secret::Ed25519(key) => VerifyingKey::ed25519(key.verifying_key().as_bytes()),
            Secret::Hmac(secret) => VerifyingKey::hmac(secret),
            Secret::Ec(key) => {
                let (curve, x, y) = jwk::point(key);
                VerifyingKey::ec(curve, &x, &y)
            }
        }
        .expect("what signs has a public half")
    }

    /// Whether there is nothing public of it.
    #[must_use]
    pub fn is_shared_secret(&self) -> bool {
        matches!(self.secret, Secret::Hmac(_))
    }

    /// The signature as a JWS carries it (RFC 7518 section 3).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::Rsa(key) => {
                let scheme: Rsa = self
                    .algorithm
                    .name()
                    .parse()
                    .unwrap_or_else(|_| Rsa::rs256());
                scheme.sign(key, message).as_bytes().into_owned()
            }
            Secret::Ec(Ec::P256(key)) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Secret::Ec(Ec::P384(key)) => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Secret::Ec(Ec::P521(key)) => {
                let signature: p521::ecdsa::Signature = key.sign_with_rng(&mut OsRng, message);
                signature.to_bytes().to_vec()
            }
            Secret::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Secret::Hmac(secret) => match self.algorithm {
                Algorithm::Hs384 => Hs384
                    .sign(&Hs384Key::new(secret), message)
                    .as_bytes()
                    .into_owned(),
                Algorithm::Hs512 => Hs512
                    .sign(&Hs512Key::new(secret), message)
                    .as_bytes()
                    .into_owned(),
                _ => hmac(secret, message),
            },
        }
    }

    /// A token in compact form, with that header (its `alg` is set here) and payload.
    #[must_use]
    pub fn token(&self, mut header: Value, payload: &str) -> String {
        if let Some(header) = header.as_object_mut() {
            header.insert("alg".to_owned(), self.algorithm.name().into());
        }
        let header = header.to_string();
        jws::joined(header.as_bytes(), payload.as_bytes(), |input| {
            self.sign(input)
        })
    }

    /// What algorithm confusion takes for the secret of an HMAC (RFC 8725 section 2.1): a public key
    /// as it is handed out; of a key without a public half, its name.
    #[must_use]
    pub fn confusable(&self) -> Vec<u8> {
        match &self.secret {
            Secret::Rsa(key) => {
                let der = key.to_public_key().to_public_key_der();
                der.map_or_else(
                    |_| Vec::new(),
                    |der| pem("PUBLIC KEY", der.as_bytes()).into_bytes(),
                )
            }
            Secret::Ed25519(key) => key.verifying_key().as_bytes().to_vec(),
            Secret::Hmac(_) => self.kid.clone().into_bytes(),
            Secret::Ec(key) => {
                let (_, x, y) = jwk::point(key);
                [&[4], &*x, &*y].concat()
            }
        }
    }
}

/// HMAC-SHA-256 under any secret.
#[must_use]
pub fn hmac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    Hs256
        .sign(&Hs256Key::new(secret), message)
        .as_bytes()
        .into_owned()
}

/// The algorithm of that name, where it is one of [`ALGORITHMS`].
#[must_use]
pub fn algorithm(name: &str) -> Option<Algorithm> {
    let algorithm = Algorithm::from_name(name)?;
    let signs = matches!(
        algorithm,
        Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa | Algorithm::Hs256
    );
    signs.then_some(algorithm)
}

/// DER as PEM (RFC 7468), 64 characters a line.
#[must_use]
pub fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}

fn random(out: &mut [u8]) -> Result<(), String> {
    let filled = OsRng.try_fill_bytes(out);
    filled.map_err(|error| format!("the system has no randomness: {error}"))
}
