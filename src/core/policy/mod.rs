//! What a route asks of a request: its path in one reading, the route table, scopes, conditions.
//!
//! Everything here is pure, and everything that can be built is right: a [`NormalPath`], a
//! [`Scope`] or a [`Cidr`] is parsed once and never checked again. What may be touched: how
//! requests are matched and what a condition means. What may not: tokens (`jose`), the wording of
//! the document (`config`), and the order of the checks (`gate`).

mod claim_condition;
mod context_denial;
mod forwarded;
mod hosts;
mod hours;
mod method;
mod path;
#[cfg(all(test, not(target_family = "wasm")))]
mod properties;
mod query;
mod scope;
mod source;
mod table;
mod template;
mod trie;
mod when;

pub use claim_condition::{ClaimCondition, ClaimMismatch, Scalar};
pub use context_denial::ContextDenial;
pub use forwarded::{Forwarded, Trust};
pub use hosts::{Host, HostError, HostPattern};
pub use hours::{Hours, HoursError, Weekday, Weekdays};
pub use method::{Method, MethodError};
pub use path::{NormalPath, PathError, split_target};
pub use query::{QueryError, mentions, parameter};
pub use scope::{MissingScopes, Scope, ScopeError, ScopeRule, ScopeSet};
pub use source::{Cidr, CidrError, CidrSet, masked};
pub use table::{Matched, Overlap, RouteMatch, RouteTable, Specificity, Unmatched};
pub use template::{PathTemplate, Segment, SegmentKind, TemplateError};
pub use when::{Condition, Facts, NumberRange, When};
