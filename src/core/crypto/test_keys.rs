//! Keys that sign, for tests: one for each algorithm, made anew in each run.

use std::sync::LazyLock;

use jwt_compact::{
    Algorithm as Scheme, AlgorithmSignature,
    alg::{Hs256, Hs256Key, Hs384, Hs384Key, Hs512, Hs512Key, Rsa},
};
use p256::{
    ecdsa::signature::{RandomizedSigner, Signer as _},
    elliptic_curve::rand_core::OsRng,
};
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};

use super::{Algorithm, Curve, VerifyingKey};
use crate::base::base64url;

/// A key that signs with one algorithm.
pub struct Signer {
    pub algorithm: Algorithm,
    key: SigningKey,
}

enum SigningKey {
    Rsa(&'static rsa::RsaPrivateKey),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
    Secret([u8; 64]),
}

// Its modulus leaves room below 2^2048, so that one signature in eight can have it added.
static RSA: LazyLock<rsa::RsaPrivateKey> = LazyLock::new(|| {
    let mut keys = std::iter::repeat_with(|| rsa::RsaPrivateKey::new(&mut OsRng, 2048).unwrap());
    keys.find(|key| key.n().to_bytes_be()[0] < 0xe0).unwrap()
});

static SIGNERS: LazyLock<Vec<Signer>> =
    LazyLock::new(|| Algorithm::ALL.iter().copied().map(Signer::new).collect());

/// One signer for each algorithm, in the order of [`Algorithm::ALL`]; RSA shares one key.
pub fn signers() -> &'static [Signer] {
    &SIGNERS
}

/// The signer of that algorithm.
pub fn signer(algorithm: Algorithm) -> &'static Signer {
    signers()
        .iter()
        .find(|signer| signer.algorithm == algorithm)
        .unwrap()
}

impl Signer {
    /// A key of its own; RSA keys are slow to make and shared.
    pub fn new(algorithm: Algorithm) -> Self {
        use Algorithm as A;
        let key = match algorithm {
            A::Rs256 | A::Rs384 | A::Rs512 | A::Ps256 | A::Ps384 | A::Ps512 => {
                SigningKey::Rsa(&RSA)
            }
            A::Es256 => SigningKey::P256(p256::ecdsa::SigningKey::random(&mut OsRng)),
            A::Es384 => SigningKey::P384(p384::ecdsa::SigningKey::random(&mut OsRng)),
            A::Es512 => SigningKey::P521(p521::ecdsa::SigningKey::random(&mut OsRng)),
            A::EdDsa => SigningKey::Ed25519(ed25519_dalek::SigningKey::from_bytes(&random())),
            A::Hs256 | A::Hs384 | A::Hs512 => SigningKey::Secret(random()),
        };
        Self { algorithm, key }
    }

    /// The signature as a JWS carries it.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            SigningKey::Rsa(key) => {
                let scheme: Rsa = self.algorithm.name().parse().unwrap();
                scheme.sign(key, message).as_bytes().into_owned()
            }
            SigningKey::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            SigningKey::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            SigningKey::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign_with_rng(&mut OsRng, message);
                signature.to_bytes().to_vec()
            }
            SigningKey::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            SigningKey::Secret(secret) => self.mac(secret, message),
        }
    }

    /// The public key, or the secret.
    pub fn verifying_key(&self) -> VerifyingKey {
        match &self.key {
            SigningKey::Rsa(key) => {
                VerifyingKey::rsa(&key.n().to_bytes_be(), &key.e().to_bytes_be(), false)
            }
            SigningKey::Ed25519(key) => VerifyingKey::ed25519(key.verifying_key().as_bytes()),
            SigningKey::Secret(secret) => VerifyingKey::hmac(secret),
            _ => {
                let (curve, x, y) = self.point();
                VerifyingKey::ec(curve, &x, &y)
            }
        }
        .unwrap()
    }

    /// The public key, or the secret, as a JWK without `kid` and `alg`.
    pub fn jwk(&self) -> Value {
        let text = base64url::encode;
        match &self.key {
            SigningKey::Rsa(key) => json!({
                "kty": "RSA",
                "n": text(&key.n().to_bytes_be()),
                "e": text(&key.e().to_bytes_be()),
            }),
            SigningKey::Ed25519(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": text(key.verifying_key().as_bytes())})
            }
            SigningKey::Secret(secret) => json!({"kty": "oct", "k": text(secret)}),
            _ => {
                let (curve, x, y) = self.point();
                json!({"kty": "EC", "crv": curve.name(), "x": text(&x), "y": text(&y)})
            }
        }
    }

    /// A token in compact form, with that header (its `alg` is set here) and payload.
    pub fn token(&self, mut header: Value, payload: &str) -> String {
        header["alg"] = self.algorithm.name().into();
        let input = [header.to_string().as_bytes(), payload.as_bytes()]
            .map(base64url::encode)
            .join(".");
        let signature = base64url::encode(&self.sign(input.as_bytes()));
        format!("{input}.{signature}")
    }

    fn point(&self) -> (Curve, Vec<u8>, Vec<u8>) {
        let (curve, sec1) = match &self.key {
            SigningKey::P256(key) => (
                Curve::P256,
                key.verifying_key()
                    .to_encoded_point(false)
                    .as_bytes()
                    .to_vec(),
            ),
            SigningKey::P384(key) => (
                Curve::P384,
                key.verifying_key()
                    .to_encoded_point(false)
                    .as_bytes()
                    .to_vec(),
            ),
            SigningKey::P521(key) => (
                Curve::P521,
                p521::ecdsa::VerifyingKey::from(key)
                    .to_encoded_point(false)
                    .as_bytes()
                    .to_vec(),
            ),
            _ => unreachable!("not a curve"),
        };
        let (x, y) = sec1[1..].split_at(curve.coordinate_len());
        (curve, x.to_vec(), y.to_vec())
    }

    fn mac(&self, secret: &[u8], message: &[u8]) -> Vec<u8> {
        match self.algorithm {
            Algorithm::Hs256 => Hs256
                .sign(&Hs256Key::new(secret), message)
                .as_bytes()
                .into_owned(),
            Algorithm::Hs384 => Hs384
                .sign(&Hs384Key::new(secret), message)
                .as_bytes()
                .into_owned(),
            _ => Hs512
                .sign(&Hs512Key::new(secret), message)
                .as_bytes()
                .into_owned(),
        }
    }
}

fn random<const N: usize>() -> [u8; N] {
    use p256::elliptic_curve::rand_core::RngCore;
    let mut bytes = [0; N];
    OsRng.fill_bytes(&mut bytes);
    bytes
}
