//! Why an identity document is not believed.

use std::fmt;

use super::{SpiffeIdError, TrustDomain};
use crate::decision::Reason;
use crate::jose::ClaimsError;

/// Why an SVID is not believed.
///
/// What a caller chose is held parsed, or cut and escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SvidError {
    /// Its trust domain is not configured.
    TrustDomainUnknown(TrustDomain),
    /// The trust domain has revoked all its keys.
    Revoked(TrustDomain),
    /// The trust domain's bundle has no key for JWT-SVIDs.
    NoJwtKeys(TrustDomain),
    /// The claims are not what a JWT-SVID must claim.
    Claims(ClaimsError),
    /// The `sub` is no SPIFFE ID.
    Subject(SpiffeIdError),
    /// The `sub` is of another trust domain than the one whose keys verified the token.
    OtherTrustDomain {
        /// The trust domain whose keys verified the token.
        verified: TrustDomain,
        /// The trust domain of the `sub`.
        claimed: TrustDomain,
    },
    /// The certificate cannot be read, or the host does not give it.
    Unreadable,
    /// The proxy does not say that it validated the certificate.
    NotValidated,
    /// The certificate is not good yet, or no longer.
    OutOfTime,
    /// The certificate may sign others, so that it is no leaf.
    NotALeaf,
    /// The certificate has no URI SAN.
    NoUri,
    /// The certificate has this many URI SANs.
    SeveralUris(usize),
    /// The URI SAN is no SPIFFE ID.
    Uri(SpiffeIdError),
    /// The URI SAN is the trust domain itself, which is no workload.
    NoPath(TrustDomain),
}

impl SvidError {
    /// The stable reason of a denial for this.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::TrustDomainUnknown(_) => Reason::TrustDomainUnknown,
            Self::Claims(error) => error.reason(),
            Self::Revoked(_)
            | Self::NoJwtKeys(_)
            | Self::Subject(_)
            | Self::OtherTrustDomain { .. }
            | Self::Unreadable
            | Self::NotValidated
            | Self::OutOfTime
            | Self::NotALeaf
            | Self::NoUri
            | Self::SeveralUris(_)
            | Self::Uri(_)
            | Self::NoPath(_) => Reason::SvidInvalid,
        }
    }
}

impl From<ClaimsError> for SvidError {
    fn from(error: ClaimsError) -> Self {
        Self::Claims(error)
    }
}

impl fmt::Display for SvidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrustDomainUnknown(domain) => {
                write!(f, "The trust domain {domain} is not configured.")
            }
            Self::Revoked(domain) => {
                write!(f, "The trust domain {domain} has revoked all its keys.")
            }
            Self::NoJwtKeys(domain) => write!(
                f,
                "The bundle of the trust domain {domain} has no key for JWT-SVIDs."
            ),
            Self::Claims(error) => error.fmt(f),
            Self::Subject(error) => write!(f, "The token's `sub` {error}."),
            Self::OtherTrustDomain { verified, claimed } => write!(
                f,
                "The token's `sub` is of the trust domain {claimed}, and its key of {verified}."
            ),
            Self::Unreadable => {
                f.write_str("The certificate cannot be read, or the proxy does not give it.")
            }
            Self::NotValidated => f.write_str(
                "The proxy does not say that it validated the certificate (Envoy does not on a resumed TLS session).",
            ),
            Self::OutOfTime => f.write_str("The certificate is not good yet, or has expired."),
            Self::NotALeaf => f.write_str("The certificate is for signing others."),
            Self::NoUri => f.write_str("The certificate has no URI SAN."),
            Self::SeveralUris(count) => write!(
                f,
                "The certificate has {count} URI SANs; an X.509-SVID has exactly one."
            ),
            Self::Uri(error) => write!(f, "The certificate's URI SAN {error}."),
            Self::NoPath(domain) => write!(
                f,
                "The certificate is for the trust domain {domain} itself and for no workload."
            ),
        }
    }
}

impl std::error::Error for SvidError {}
