//! Who may call.

use super::{ClaimCondition, ScopeRule};
use crate::base::{ClientId, IssuerId};
use crate::spiffe::SpiffePatterns;

/// Who may call; everything must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Allow {
    /// The issuers whose tokens are taken; none for any.
    pub issuers: Option<Vec<IssuerId>>,
    /// The workloads that may call; none for any. Beside `issuers` it is the X.509-SVID that must
    /// be one of them.
    pub spiffe: Option<SpiffePatterns>,
    /// The registered clients that may call, in the order of their ids; none for any.
    pub clients: Option<Vec<ClientId>>,
    /// Whether a JWT-SVID is needed, with the X.509-SVID of the same workload beside it.
    pub same_workload: bool,
    /// The scopes that are needed.
    pub scopes: ScopeRule,
    /// What claims must be.
    pub claims: Vec<ClaimCondition>,
}

impl Allow {
    /// Whether a route asks for what only a token can have.
    #[must_use]
    pub fn needs_token(&self) -> bool {
        let scopes = !self.scopes.all.is_empty() || !self.scopes.any.is_empty();
        scopes || !self.claims.is_empty() || self.issuers.is_some() || self.same_workload
    }
}
