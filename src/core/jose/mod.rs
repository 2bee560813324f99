//! Tokens and keys as JOSE has them: strict, each its own phase with its own error type.
//!
//! A token is an [`UnverifiedJws`] until its signature holds and a [`VerifiedJws`] after; claims
//! are read only out of the latter. Nothing here knows routes, clients, the proxy or the time.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`json`] | JSON without duplicate members, within bounds |
//! | `jwk`, `jwk_error`, `key_set` | JSON Web Keys and sets of them (RFC 7517) |
//! | `jws`, `jws_header`, `jws_error` | JSON Web Signatures in compact form (RFC 7515) |
//! | `claims`, `claims_error` | the claims of a verified token (RFC 7519) |
//! | `expectations` | what an issuer's tokens must claim (RFC 7519, RFC 9068) |
//! | `numeric_date` | instants as tokens write them |
//! | `scope` | scopes (RFC 6749 section 3.3) |
//! | `claim_path` | where in the claims a value is |

mod claim_path;
mod claims;
mod claims_error;
mod expectations;
pub mod json;
mod jwk;
mod jwk_error;
mod jws;
mod jws_error;
mod jws_header;
mod key_set;
mod numeric_date;
mod scope;

pub use claim_path::{ClaimPath, ClaimPathError};
pub use claims::Claims;
pub use claims_error::ClaimsError;
pub use expectations::{Audiences, Expectations, TokenProfile, check_type};
pub use jwk::{Key, KeyRules, KeyUse};
pub use jwk_error::JwkError;
pub use jws::{UnverifiedJws, VerifiedJws};
pub use jws_error::{JwsError, Part};
pub use key_set::{KeySet, KeySetError, SkippedKey};
pub use numeric_date::NumericDate;
pub use scope::{MAX_SCOPES, Scope, ScopeError, ScopeSet};
