//! Proof of possession: a token bound to a key is good only beside that key.
//!
//! A bound token is checked wherever it turns up, asked for or not: without its proof it is a
//! stolen token. A method has its member of `cnf`, its check and its denials in a file of its own;
//! a new one is a file and a row in `methods!`, and what its check is held against in [`Shown`].

mod method;
mod mtls;

use method::ProofMethod;
pub use method::Shown;
use serde_json::{Map, Value};

use crate::decision::{Denial, Reason};

macro_rules! methods {
    ($($(#[$doc:meta])* $demand:ident = $file:ident;)+) => {
        /// What a token must be bound to, the weakest first: of two demands the stronger counts.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Demand {
            /// Nothing.
            #[default]
            None,
            $($(#[$doc])* $demand,)+
        }

        impl Demand {
            const fn method(self) -> Option<&'static ProofMethod> {
                match self {
                    Self::None => None,
                    $(Self::$demand => Some(&$file::METHOD),)+
                }
            }
        }

        const METHODS: &[ProofMethod] = &[$($file::METHOD),+];
    };
}

methods! {
    /// The certificate that its sender presents (RFC 8705).
    Mtls = mtls;
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

/// Checks the token's confirmation claim, where it has one (RFC 7800 section 3.1): every member of
/// it must be shown to hold.
///
/// # Errors
/// What the method of a member says, or that it is one that cannot be checked here.
pub fn check(claims: &Map<String, Value>, shown: &Shown<'_>) -> Result<(), Denial> {
    let Some(confirmation) = claims.get("cnf") else {
        return Ok(());
    };
    let Some(members) = confirmation
        .as_object()
        .filter(|members| !members.is_empty())
    else {
        return Err(method::invalid(
            "the token's cnf is not an object with a member",
        ));
    };
    members.iter().try_for_each(|(member, value)| {
        let method = METHODS.iter().find(|method| method.member == member);
        method.map_or_else(|| Err(unchecked(member)), |own| (own.check)(value, shown))
    })
}

fn unchecked(member: &str) -> Denial {
    match member {
        "jkt" => Denial::new(
            Reason::ProofMissing,
            "the token is bound to a DPoP key, and this gate takes no DPoP proofs",
        ),
        _ => method::invalid("the token is bound in a way that cannot be checked here"),
    }
}

/// Checks that a token is bound in the way that is asked for; whether that holds is for [`check`].
///
/// # Errors
/// `proof_missing` where it is not.
pub fn check_bound(
    confirmation: Option<&Map<String, Value>>,
    demand: Demand,
) -> Result<(), Denial> {
    let is_bound = |method: &ProofMethod| {
        confirmation.is_some_and(|members| members.contains_key(method.member))
    };
    match demand.method() {
        Some(method) if !is_bound(method) => Err(Denial::new(Reason::ProofMissing, method.unbound)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::digest_from_hex;

    fn checked(claims: &Value, peer: Option<[u8; 32]>) -> Result<(), Reason> {
        let certificate = &|| peer;
        check(claims.as_object().unwrap(), &Shown { certificate }).map_err(|denial| denial.reason)
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
