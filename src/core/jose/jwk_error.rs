//! Why a key of a set is not used.

use std::fmt;

use crate::base::Excerpt;
use crate::crypto::KeyError;

/// How many bytes a `kid` has at most.
pub(super) const MAX_KID_BYTES: usize = 512;

/// How many bits the modulus of an RSA key has where nothing else is said. To check a signature with
/// 8192 bits in the module takes eleven times as long as any ordinary one.
pub(super) const MAX_RSA_BITS: usize = 4096;

/// Why a key is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwkError {
    /// It is no JSON object.
    NotAnObject,
    /// A member that must be there is not.
    Missing(&'static str),
    /// A member is not what it must be.
    Malformed(&'static str),
    /// The `kid` is longer than 512 bytes.
    KidTooLong,
    /// It holds a private key, which was disclosed to whoever can read the set.
    Private,
    /// `use` says it is for something else.
    OtherUse(Excerpt),
    /// `key_ops` does not hold `verify`, or contradicts `use`.
    OtherOperations,
    /// `kty`, or `crv`, is not one that is supported.
    Unsupported(Excerpt),
    /// `alg` is not one of the algorithms that are supported, or not one for this type of key.
    AlgorithmUnsuited(Excerpt),
    /// No algorithm that the key may be used with is allowed here.
    AlgorithmNotAllowed,
    /// It is an RSA key of that many bits, which is too dear to check signatures with unasked.
    LargeRsa(usize),
    /// The key itself is not sound.
    Unsound(KeyError),
}

impl fmt::Display for JwkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("it is no JSON object"),
            Self::Missing(member) => write!(f, "it has no `{member}`"),
            Self::Malformed(member) => write!(f, "its `{member}` is malformed"),
            Self::KidTooLong => write!(f, "its `kid` has more than {MAX_KID_BYTES} bytes"),
            Self::Private => f.write_str(
                "it holds a private key: only the public one belongs here, and this one was disclosed",
            ),
            Self::OtherUse(found) => write!(f, "its `use` is {found}"),
            Self::OtherOperations => {
                f.write_str("its `key_ops` lacks \"verify\" or contradicts `use`")
            }
            Self::Unsupported(found) => write!(f, "keys of type {found} are not supported"),
            Self::AlgorithmUnsuited(found) => {
                write!(f, "its `alg` {found} is not supported for this type of key")
            }
            Self::AlgorithmNotAllowed => {
                f.write_str("no algorithm it may be used with is allowed here")
            }
            Self::LargeRsa(bits) => write!(
                f,
                "it is an RSA key of {bits} bits; more than {MAX_RSA_BITS} are taken only of an issuer with `lenient: [large_rsa]`"
            ),
            Self::Unsound(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for JwkError {}
