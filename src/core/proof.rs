//! Proof of possession: a token bound to a key is good only beside that key.
//!
//! A bound token is checked wherever it turns up, asked for or not: without its proof it is a
//! stolen token.

use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use crate::base::base64url;
use crate::decision::{Denial, Reason};

/// What a token must be bound to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Demand {
    /// Nothing.
    #[default]
    None,
    /// The certificate that its sender presents (RFC 8705).
    Mtls,
}

/// What the gate may ask about the connection while it decides.
pub trait Connection {
    /// SHA-256 of the peer's certificate; none where it presented none.
    fn peer_certificate_sha256(&self) -> Option<[u8; 32]>;

    /// The peer's certificate, as PEM; none where it presented none, or the host does not give it.
    fn peer_certificate(&self) -> Option<Vec<u8>>;

    /// Whether the proxy validated the peer's certificate when this connection was made.
    fn peer_certificate_validated(&self) -> bool;
}

/// Checks the token's confirmation claim, where it has one (RFC 7800 section 3.1).
///
/// `presented` gives the SHA-256 of the certificate that the caller presented, if any.
///
/// # Errors
/// `proof_missing` where the connection has no certificate, `proof_invalid` where it has another,
/// or where the token is bound in a way that cannot be checked here.
pub fn check(
    claims: &Map<String, Value>,
    presented: impl Fn() -> Option<[u8; 32]>,
) -> Result<(), Denial> {
    let Some(confirmation) = claims.get("cnf") else {
        return Ok(());
    };
    let Some(members) = confirmation
        .as_object()
        .filter(|members| !members.is_empty())
    else {
        return Err(invalid("the token's cnf is not an object with a member"));
    };
    members
        .iter()
        .try_for_each(|(method, value)| match method.as_str() {
            "x5t#S256" => certificate(value, presented()),
            "jkt" => Err(Denial::new(
                Reason::ProofMissing,
                "the token is bound to a DPoP key, and this gate takes no DPoP proofs",
            )),
            _ => Err(invalid(
                "the token is bound in a way that cannot be checked here",
            )),
        })
}

// RFC 8705 section 3.1: base64url of the SHA-256 of the certificate's DER.
fn certificate(value: &Value, presented: Option<[u8; 32]>) -> Result<(), Denial> {
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

fn invalid(detail: &'static str) -> Denial {
    Denial::new(Reason::ProofInvalid, detail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::digest_from_hex;

    fn checked(claims: &Value, peer: Option<[u8; 32]>) -> Result<(), Reason> {
        check(claims.as_object().unwrap(), || peer).map_err(|denial| denial.reason)
    }

    #[test]
    fn a_certificate_bound_token_is_good_only_beside_its_certificate() {
        let bound = json!({"cnf": {"x5t#S256": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}});
        assert_eq!(checked(&bound, Some([7; 32])), Ok(()));
        assert_eq!(checked(&bound, Some([8; 32])), Err(Reason::ProofInvalid));
        assert_eq!(checked(&bound, None), Err(Reason::ProofMissing));
    }

    #[test]
    fn an_unbound_token_needs_no_proof() {
        assert_eq!(checked(&json!({"sub": "a"}), None), Ok(()));
    }

    #[test]
    fn a_binding_that_cannot_be_checked_is_refused() {
        let bindings = [
            json!({}),
            json!(null),
            json!("x"),
            json!({"jwk": {}}),
            json!({"kid": "a"}),
            json!({"x5t#S256": "AAAA"}),
            json!({"x5t#S256": 7}),
            json!({"x5t#S256": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc", "jwk": {}}),
        ];
        for binding in bindings {
            let claims = json!({"cnf": binding});
            assert_eq!(
                checked(&claims, Some([7; 32])),
                Err(Reason::ProofInvalid),
                "{claims}"
            );
        }
        assert_eq!(
            checked(&json!({"cnf": {"jkt": "x"}}), None),
            Err(Reason::ProofMissing)
        );
    }

    #[test]
    fn digests_are_read_from_hex_of_exactly_their_length() {
        assert_eq!(digest_from_hex("0f".repeat(32).as_bytes()), Some([15; 32]));
        assert_eq!(digest_from_hex("0F".repeat(32).as_bytes()), Some([15; 32]));
        for bad in [
            "",
            "0",
            "0g",
            &"0f".repeat(31),
            &"0f".repeat(33),
            &"é".repeat(32),
        ] {
            assert_eq!(digest_from_hex(bad.as_bytes()), None, "{bad}");
        }
    }
}
