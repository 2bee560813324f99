//! What a route asks of a request: the route table, scopes, conditions.
//!
//! Everything here is pure, and everything that can be built is right: a [`PathTemplate`], a
//! [`ScopeRule`] or a [`HostPattern`] is parsed once and never checked again. What may be touched: how
//! requests are matched and what a condition means. What may not: tokens (`jose`), the wording of
//! the document (`config`), and the order of the checks (`gate`).

mod allow;
mod claim_condition;
mod forwarded;
mod hosts;
#[cfg(all(test, not(target_family = "wasm")))]
mod properties;
mod scope;
mod table;
mod template;
mod trie;
pub mod when;

pub use allow::Allow;
pub use claim_condition::{ClaimCondition, Scalar};
pub use forwarded::{Forwarded, Trust};
pub use hosts::{Authority, AuthorityError, HostPattern};
pub use scope::{MissingScopes, ScopeRule};
pub use table::{Matched, Overlap, RouteMatch, RouteTable, Specificity, Unmatched};
pub use template::{PathTemplate, Segment, SegmentKind, TemplateError};
pub use when::{Condition, Facts, When};
