//! What the configuration reference has and this version does not: refused, never ignored.

/// The wire type, the member, and how an error speaks of it. A section that is built loses its
/// line here and gains a field there.
const NOT_BUILT: &[(&str, &str, &str)] = &[("Audit", "http", "audit over HTTP is")];

/// How an error speaks of a member that is not built yet, up to its verb; none for any other.
pub(super) fn not_built(wire_type: &str, member: &str) -> Option<&'static str> {
    let row = NOT_BUILT
        .iter()
        .find(|(of, name, _)| *of == wire_type && *name == member);
    row.map(|(_, _, what)| *what)
}
