//! SPIFFE.

mod bundle;
mod id;
mod jwt_svid;
mod pattern;
mod pattern_set;
mod svid_error;
mod x509_svid;
mod xfcc;
mod xfcc_error;

pub use bundle::{Bundle, BundleError, BundleKeys, OtherKeys, Rollback};
pub use id::{SpiffeId, SpiffeIdError, TrustDomain};
pub use jwt_svid::{
    ALGORITHMS, Signatory, SvidExpectations, Unattributed, check_svid, check_svid_type, signatory,
    unverified_trust_domain,
};
pub use pattern::{SpiffePattern, SpiffePatternError};
pub use pattern_set::SpiffePatterns;
pub use svid_error::SvidError;
pub use x509_svid::x509_svid;
pub use xfcc::{Element, Which, Xfcc, svid_of};
pub use xfcc_error::XfccError;
