//! Why an `x-forwarded-client-cert` field is not read.

use std::fmt;

use super::xfcc::{MAX_BYTES, MAX_ELEMENTS, MAX_PAIRS};
use crate::decision::Reason;

/// Why an `x-forwarded-client-cert` field is not read. Places are counted in bytes from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XfccError {
    /// It has this many bytes; 32 KiB are the most.
    TooLarge(usize),
    /// It has more than 16 elements.
    TooManyElements,
    /// An element has more than 256 pairs; the one too many begins here.
    TooManyPairs(usize),
    /// It is not UTF-8, or holds a control character.
    NotText(usize),
    /// An element, or a pair within one, is empty, or has no key.
    Empty(usize),
    /// A key is not made of letters, digits, dashes and underscores, or no `=` follows it.
    Key(usize),
    /// The quote that begins here has no end.
    Unterminated(usize),
    /// There is a character here that needs a quote, in a value that has none.
    Bare(usize),
    /// The value of this key is not quoted, as it always is, and begins here.
    Unquoted(&'static str, usize),
    /// After the end of a quoted value there is something else here than `;` and `,`.
    AfterQuote(usize),
    /// The value of this key may be there once in an element, and the second one begins here.
    Twice(&'static str, usize),
    /// The pair of this key, which begins here, stands behind one that it stands before.
    Order(&'static str, usize),
    /// The key that begins here is none of those that Envoy writes.
    Unknown(usize),
    /// The element that begins here has no hash.
    NoHash(usize),
    /// It has another number of elements than is configured.
    Elements {
        /// How many it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// Of several elements one is neither about the caller nor about a proxy that is named.
    Stranger,
    /// The hash whose pair begins here is not 64 hexadecimal digits.
    Hash(usize),
}

impl XfccError {
    /// The stable reason of a denial for this.
    #[must_use]
    pub const fn reason(self) -> Reason {
        Reason::SvidInvalid
    }
}

impl fmt::Display for XfccError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("x-forwarded-client-cert ")?;
        match self {
            Self::TooLarge(bytes) => write!(f, "has {bytes} bytes; at most {MAX_BYTES} are read"),
            Self::TooManyElements => write!(f, "has more than {MAX_ELEMENTS} elements"),
            Self::TooManyPairs(at) => {
                write!(
                    f,
                    "has more than {MAX_PAIRS} pairs in one element, at byte {at}"
                )
            }
            Self::NotText(at) => write!(f, "is not text at byte {at}"),
            Self::Empty(at) => write!(f, "has nothing where a pair must be, at byte {at}"),
            Self::Key(at) => write!(f, "has no key and = at byte {at}"),
            Self::Unterminated(at) => write!(f, "has a quote without an end at byte {at}"),
            Self::Bare(at) => write!(
                f,
                "has a character at byte {at} that is read only within quotes"
            ),
            Self::Unquoted(key, at) => write!(f, "has a {key} without quotes at byte {at}"),
            Self::AfterQuote(at) => write!(f, "has no ; or , after a quote at byte {at}"),
            Self::Twice(key, at) => write!(f, "has {key} twice in one element, at byte {at}"),
            Self::Order(key, at) => write!(
                f,
                "has {key} at byte {at} behind what it stands before; the order is By, Hash, Cert, Chain, Subject, URI, DNS"
            ),
            Self::Unknown(at) => write!(
                f,
                "has an unknown key at byte {at}; By, Hash, Cert, Chain, Subject, URI and DNS are read"
            ),
            Self::NoHash(at) => write!(f, "has an element without Hash at byte {at}"),
            Self::Elements { found, expected } => write!(
                f,
                "has {found} elements where xfcc.elements is {expected}"
            ),
            Self::Stranger => f.write_str(
                "has an element that is neither its caller's nor that of a proxy in xfcc.trusted_peers",
            ),
            Self::Hash(at) => write!(f, "has a Hash that is no SHA-256 digest at byte {at}"),
        }
    }
}

impl std::error::Error for XfccError {}
