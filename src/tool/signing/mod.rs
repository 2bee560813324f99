//! Keys that sign, for tests and development: made at run time, or read from a private JWK.
//!
//! Nothing of the filter can sign; this is the tool's alone. A secret is never shown: `Debug` is not
//! derived, and errors name members, not values.

mod jwk;
pub mod jws;

use ed25519_dalek::Signer as _;
use jwt_compact::alg::{Hs256, Hs256Key, Rsa};
use jwt_compact::{Algorithm as _, AlgorithmSignature as _};
use p256::elliptic_curve::rand_core::{OsRng, RngCore as _};
use postern_core::crypto::Algorithm;
use rsa::pkcs8::EncodePublicKey as _;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The algorithms that can be signed with.
pub const ALGORITHMS: &str = "ES256, RS256, EdDSA or HS256";

const RSA_BITS: usize = 2048;
const SECRET_BYTES: usize = 32;

/// A key that signs with one algorithm, and its name.
pub struct Key {
    /// The name that tokens and key sets carry.
    pub kid: String,
    secret: Secret,
}

enum Secret {
    Rsa(Box<rsa::RsaPrivateKey>),
    P256(p256::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
    Hmac(Zeroizing<Vec<u8>>),
}

impl Key {
    /// Makes a key.
    pub fn generate(algorithm: Algorithm, kid: &str) -> Result<Self, Failure> {
        let secret = match algorithm {
            Algorithm::Rs256 => {
                let key = rsa::RsaPrivateKey::new(&mut OsRng, RSA_BITS);
                Secret::Rsa(Box::new(key.map_err(|error| Failure(error.to_string()))?))
            }
            Algorithm::Es256 => Secret::P256(p256::ecdsa::SigningKey::random(&mut OsRng)),
            Algorithm::EdDsa => {
                let mut seed = Zeroizing::new([0; 32]);
                random(&mut *seed)?;
                Secret::Ed25519(ed25519_dalek::SigningKey::from_bytes(&seed))
            }
            Algorithm::Hs256 => {
                let mut secret = Zeroizing::new(vec![0; SECRET_BYTES]);
                random(&mut secret)?;
                Secret::Hmac(secret)
            }
            other => {
                let name = other.name();
                return Err(Failure(format!(
                    "{name} is not signed with; {ALGORITHMS} is"
                )));
            }
        };
        let kid = kid.to_owned();
        Ok(Self { kid, secret })
    }

    /// Reads a private JWK.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what is needed.
    pub fn of_jwk(jwk: &Value) -> Result<Self, String> {
        jwk::read(jwk)
    }

    /// The key for whoever verifies: public, or the secret itself for HMAC.
    pub fn public_jwk(&self) -> Value {
        jwk::public(self)
    }

    /// The whole key.
    pub fn private_jwk(&self) -> Value {
        jwk::private(self)
    }

    /// Whether there is nothing public of it.
    pub fn is_shared_secret(&self) -> bool {
        matches!(self.secret, Secret::Hmac(_))
    }

    /// The one algorithm that it signs with.
    pub const fn algorithm(&self) -> Algorithm {
        match self.secret {
            Secret::Rsa(_) => Algorithm::Rs256,
            Secret::P256(_) => Algorithm::Es256,
            Secret::Ed25519(_) => Algorithm::EdDsa,
            Secret::Hmac(_) => Algorithm::Hs256,
        }
    }

    /// The signature as a JWS carries it (RFC 7518 section 3).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::Rsa(key) => Rsa::rs256().sign(key, message).as_bytes().into_owned(),
            Secret::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Secret::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Secret::Hmac(secret) => hmac(secret, message),
        }
    }

    /// What algorithm confusion takes for the secret of an HMAC (RFC 8725 section 2.1): a public key
    /// as it is handed out; of a key without a public half, its name.
    pub fn confusable(&self) -> Vec<u8> {
        match &self.secret {
            Secret::Rsa(key) => {
                let der = key.to_public_key().to_public_key_der();
                der.map_or_else(
                    |_| Vec::new(),
                    |der| pem("PUBLIC KEY", der.as_bytes()).into_bytes(),
                )
            }
            Secret::P256(key) => key
                .verifying_key()
                .to_encoded_point(false)
                .as_bytes()
                .to_vec(),
            Secret::Ed25519(key) => key.verifying_key().as_bytes().to_vec(),
            Secret::Hmac(_) => self.kid.clone().into_bytes(),
        }
    }
}

/// HMAC-SHA-256 under any secret.
pub fn hmac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    Hs256
        .sign(&Hs256Key::new(secret), message)
        .as_bytes()
        .into_owned()
}

/// The algorithm of that name, where it can be signed with.
pub fn algorithm(name: &str) -> Option<Algorithm> {
    let algorithm = Algorithm::from_name(name)?;
    let signs = matches!(
        algorithm,
        Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa | Algorithm::Hs256
    );
    signs.then_some(algorithm)
}

/// DER as PEM (RFC 7468), 64 characters a line.
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

fn random(out: &mut [u8]) -> Result<(), Failure> {
    let filled = OsRng.try_fill_bytes(out);
    filled.map_err(|error| Failure(format!("the system has no randomness: {error}")))
}
