//! SPIFFE: who a workload is, and what proves it.
//!
//! Everything here is pure. A [`SpiffeId`], a [`TrustDomain`] or a [`SpiffePattern`] is parsed once
//! and never checked again. What may be touched: how the SPIFFE standards are read. What may not:
//! how signatures and dates are checked (`jose`), where bundles come from (`keys`), and what is
//! believed of a connection (`gate`).
//!
//! | file | what is in it |
//! | --- | --- |
//! | `id` | SPIFFE IDs and trust domains, strict |
//! | `pattern`, `pattern_set` | `*` and `**`, one by one and many at once |
//! | `bundle` | a trust domain's keys, their sequence and refresh hint |
//! | `jwt_svid` | whose a token is, and what a JWT-SVID must claim |
//! | `x509_svid` | what a certificate must name |
//! | `xfcc`, `xfcc_error` | certificates as proxies forward them |
//! | `svid_error` | why an identity document is not believed |
//!
//! # Whose token it is
//!
//! A token whose `iss` is exactly that of a configured issuer is that issuer's, whatever its `sub`;
//! any other whose `sub` is a SPIFFE ID is a JWT-SVID of that ID's trust domain, whatever its
//! `iss`; any other is nobody's ([`signatory`]). Each is verified by its own keys alone, so an
//! issuer cannot speak for a workload: what an issuer's token has in `sub` is no SPIFFE ID to the
//! gate, however it looks. An authority that puts the `iss` of a configured issuer into its
//! JWT-SVIDs makes them that issuer's tokens.
//!
//! # Reasons
//!
//! | what is wrong | reason | from |
//! | --- | --- | --- |
//! | `sub` begins with `spiffe:` and is no SPIFFE ID | `svid_invalid` | [`signatory`], [`check_svid`] |
//! | trust domain not configured | `trust_domain_unknown` | [`signatory`] |
//! | neither a configured `iss` nor a SPIFFE ID as `sub` | `issuer_unknown` | [`signatory`] |
//! | bundle revoked (`keys` empty), or without keys for JWT-SVIDs | `svid_invalid` | [`Bundle::jwt_keys`] |
//! | bundle never had, or too old | `keys_unavailable` | the caller |
//! | `alg` not one of the nine, or not the key's | `algorithm_not_allowed` | [`UnverifiedJws::verify`] |
//! | `kid` not in the bundle, or its key not for JWT-SVIDs | `key_unknown` | [`UnverifiedJws::verify`] |
//! | signature | `signature_invalid` | [`UnverifiedJws::verify`] |
//! | `typ` neither absent, `JWT` nor `JOSE` | `type_mismatch` | [`check_svid_type`] |
//! | `exp`, `aud` or `sub` missing or of another type | `claim_missing` | [`check_svid`] |
//! | `exp` past; `nbf` or `iat` ahead | `token_expired`, `token_not_yet_valid` | [`check_svid`] |
//! | `aud` names none of the audiences | `audience_mismatch` | [`check_svid`] |
//! | `sub` of another trust domain than the one verified with | `svid_invalid` | [`check_svid`] |
//! | certificate without URI SAN, with several, with no SPIFFE ID, or without a path | `svid_invalid` | [`x509_svid`], [`svid_of`] |
//! | certificate that cannot be read, was not validated, is out of its time, or may sign others | `svid_invalid` | [`svid_of_pem`], and the caller |
//! | certificate of a trust domain that is not configured | `trust_domain_unknown` | [`SvidError::TrustDomainUnknown`], by the caller |
//! | `x-forwarded-client-cert` malformed, or with more elements or fewer than configured | `svid_invalid` | [`Xfcc::parse`], [`Xfcc::caller`] |
//!
//! [`UnverifiedJws::verify`]: crate::jose::UnverifiedJws::verify

mod bundle;
mod id;
mod jwt_svid;
mod pattern;
mod pattern_set;
mod svid_error;
mod x509_svid;
mod xfcc;
mod xfcc_error;

pub use bundle::{Bundle, BundleError, BundleKeys, Highest, OtherKeys, Rollback};
pub use id::{SpiffeId, SpiffeIdError, TrustDomain};
pub use jwt_svid::{
    ALGORITHMS, Signatory, SvidExpectations, Unattributed, check_svid, check_svid_type, signatory,
    unverified_trust_domain,
};
pub use pattern::{SpiffePattern, SpiffePatternError};
pub use pattern_set::SpiffePatterns;
pub use svid_error::SvidError;
pub use x509_svid::{DatedSvid, svid_of_pem, x509_svid};
pub use xfcc::{Chain, Element, Which, Xfcc, svid_of};
pub use xfcc_error::XfccError;
