//! What a method of proof has to say, and what it is held against.

use serde_json::Value;

use crate::decision::{Denial, Reason};

/// What whoever sent a token has shown beside it, each asked for only where a token is bound to it.
pub struct Shown<'a> {
    /// SHA-256 of the certificate that it presented; none where it presented none.
    pub certificate: &'a dyn Fn() -> Option<[u8; 32]>,
}

/// All that is particular to a method.
pub(super) struct ProofMethod {
    /// The member of `cnf` that binds a token by it.
    pub(super) member: &'static str,
    /// Checks the value of that member.
    pub(super) check: fn(&Value, &Shown<'_>) -> Result<(), Denial>,
    /// What is said where a token must be bound by it and is not.
    pub(super) unbound: &'static str,
}

pub(super) fn invalid(detail: &'static str) -> Denial {
    Denial::new(Reason::ProofInvalid, detail)
}
