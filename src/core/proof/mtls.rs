//! `cnf.x5t#S256`: the token is its sender's who presents that certificate.

use serde_json::Value;
use subtle::ConstantTimeEq;

use super::method::{ProofMethod, Shown, invalid};
use crate::base::base64url;
use crate::decision::{Denial, Reason};

pub(super) const METHOD: ProofMethod = ProofMethod {
    member: "x5t#S256",
    check,
    unbound: "the token must be bound to the certificate of its sender (cnf.x5t#S256), and is not",
};

// RFC 8705 section 3.1: base64url of the SHA-256 of the certificate's DER.
fn check(value: &Value, shown: &Shown<'_>) -> Result<(), Denial> {
    let presented = (shown.certificate)();
    let bound = value
        .as_str()
        .and_then(|text| base64url::decode(text.as_bytes()));
    let Some(bound) = bound.filter(|digest| digest.len() == 32) else {
        return Err(invalid("the token's x5t#S256 is not a SHA-256 digest"));
    };
    match presented {
        None => Err(Denial::new(
            Reason::ProofMissing,
            "the token is bound to a certificate, and none was presented",
        )),
        Some(presented) if bool::from(presented.ct_eq(&bound)) => Ok(()),
        Some(_) => Err(invalid("the token is bound to another certificate")),
    }
}
