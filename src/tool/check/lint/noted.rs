//! What the core warns of itself.

use super::{Found, Policy};

pub(super) fn look(policy: &Policy<'_>, found: &mut Found) {
    for warning in &policy.config.warnings {
        let (problem, remedy) = (&warning.problem, warning.remedy);
        let message = format!("{problem}; {remedy}");
        found.add(warning.rule, warning.place.as_str(), message);
    }
}
