//! Signature checks behind one trait: in the proxy where it is known to work, in the module
//! elsewhere. Nothing here reads tokens or claims; it sees keys, messages and signatures.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `algorithm` | the JWS algorithms, and sets of them |
//! | `verifying_key` | a public key or shared secret that was found sound |
//! | `rsa_key`, `ec_key` | what makes an RSA or elliptic curve key sound |
//! | `der` | the few DER values the proxy asks for |
//! | `pure` | the checks in the module itself |
//! | `carried` | algorithms that `jwt-compact` lacks, carried by its trait |
//! | `strict_ed25519` | the one reading of an Ed25519 signature |
//! | `host` | the checks in the proxy's own BoringSSL |
//! | `known_answers` | which of the proxy's checks may be believed |
//! | `price` | what a check costs, and how much of that a request may have |

mod algorithm;
mod carried;
mod der;
mod ec_key;
mod host;
pub mod keyed;
mod known_answers;
pub mod price;
mod pure;
mod rsa_key;
mod strict_ed25519;
#[cfg(test)]
mod test_proxy;
mod verifying_key;

pub use algorithm::{Algorithm, AlgorithmSet};
pub use ec_key::Curve;
pub use host::{ForeignCall, Hosted};
pub use known_answers::KnownAnswers;
pub use price::{Price, Work};
pub use pure::Pure;
pub use verifying_key::{KeyError, PublicNumbers, VerifyingKey};

/// SHA-256: one hash for the whole module, which is smaller for it.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(bytes).into()
}

/// Checks signatures.
pub trait Crypto {
    /// Whether `signature` over `message` holds under `key` with `algorithm`.
    ///
    /// The signature is as a JWS carries it (RFC 7518 section 3): ECDSA as `r || s`, RSA as long
    /// as the modulus. A key that cannot be used with the algorithm is a signature that does not
    /// hold.
    fn verify(
        &self,
        key: &VerifyingKey,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool;

    /// What [`Self::verify`] costs with that key and algorithm.
    fn price(&self, key: &VerifyingKey, algorithm: Algorithm) -> Price;
}
