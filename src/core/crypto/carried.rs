//! Algorithms that `jwt-compact` lacks or checks less strictly, carried by its `Algorithm` trait.
//!
//! They verify only: the signing key has no values, so a signature can't even be asked for.

use std::{borrow::Cow, convert::Infallible, num::NonZeroUsize};

use jwt_compact::{Algorithm, AlgorithmSignature};
use p256::ecdsa::signature::Verifier;

use super::strict_ed25519;

/// ECDSA on P-384 with SHA-384 (RFC 7518 section 3.4).
pub struct Es384;

/// ECDSA on P-521 with SHA-512 (RFC 7518 section 3.4).
pub struct Es512;

/// EdDSA on Ed25519 (RFC 8037 section 3.1), checked strictly.
///
/// `jwt-compact` calls dalek's `verify`, which takes an `R` or a key of small order. No such key
/// is ever built here, and such an `R` forges nothing; but strict verification is what leaves each
/// signature one reading, and it doesn't lean on how the key was built. It costs a comparison.
pub struct StrictEd25519;

macro_rules! carry {
    ($algorithm:ty, $name:literal, $signature:ident($inner:ty), $length:literal, $key:ty, $holds:expr) => {
        /// The signature as `r || s`.
        pub struct $signature($inner);

        impl AlgorithmSignature for $signature {
            const LENGTH: Option<NonZeroUsize> = NonZeroUsize::new($length);

            fn try_from_slice(bytes: &[u8]) -> anyhow::Result<Self> {
                <$inner>::from_slice(bytes)
                    .map(Self)
                    .map_err(anyhow::Error::msg)
            }

            fn as_bytes(&self) -> Cow<'_, [u8]> {
                Cow::Owned(self.0.to_bytes().to_vec())
            }
        }

        impl Algorithm for $algorithm {
            type SigningKey = Infallible;
            type VerifyingKey = $key;
            type Signature = $signature;

            fn name(&self) -> Cow<'static, str> {
                Cow::Borrowed($name)
            }

            fn sign(&self, key: &Infallible, _message: &[u8]) -> $signature {
                match *key {}
            }

            fn verify_signature(&self, signature: &$signature, key: &$key, message: &[u8]) -> bool {
                $holds(key, message, &signature.0)
            }
        }
    };
}

fn verifies<S>(key: &impl Verifier<S>, message: &[u8], signature: &S) -> bool {
    key.verify(message, signature).is_ok()
}

carry!(
    Es384,
    "ES384",
    P384Signature(p384::ecdsa::Signature),
    96,
    p384::ecdsa::VerifyingKey,
    verifies
);
carry!(
    Es512,
    "ES512",
    P521Signature(p521::ecdsa::Signature),
    132,
    p521::ecdsa::VerifyingKey,
    verifies
);
carry!(
    StrictEd25519,
    "EdDSA",
    Ed25519Signature(ed25519_dalek::Signature),
    64,
    ed25519_dalek::VerifyingKey,
    strict_ed25519::holds
);
