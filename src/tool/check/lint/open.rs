//! Public routes over, beside and below protected ones.

use postern_core::gate::Route;
use postern_core::policy::{HostPattern, RouteMatch, Segment};

use super::{Found, Policy};

pub(super) fn look(policy: &Policy<'_>, found: &mut Found) {
    let routes: Vec<(&RouteMatch, &Route)> = policy.config.settings.routes.iter().collect();
    for (index, (open, route)) in routes.iter().enumerate() {
        if !route.public {
            continue;
        }
        if route.upstreams.is_empty() && routes.iter().any(|(_, other)| !other.public) {
            found.add("no-upstreams", format!("routes[{index}].public"), "stands beside routes that need a credential", "name the proxy's clusters that are public in upstreams, so that no other is reached by it");
        }
        let meets = |(_, (other, route)): &(usize, &(&RouteMatch, &Route))| {
            !route.public && hosts_meet(open, other) && methods_meet(open, other)
        };
        let protected = || routes.iter().enumerate().filter(meets);
        let covered = protected().find(|(_, (other, _))| covers(open, other));
        if let Some((at, (other, route))) = covered {
            found.add("public-beside-protected", format!("routes[{index}].public"), format!("opens {} and so all that routes[{at}] \"{}\" ({}) does not match, such as other methods and deeper paths",
                open.path, route.name, other.path,
            ), "name the paths that are public");
        }
        let above = protected()
            .find(|(_, (other, _))| has_rest(open) && covers(other, open) && !covers(open, other));
        if let Some((at, (other, route))) = above {
            found.add(
                "public-below-protected",
                format!("routes[{index}].public"),
                format!(
                    "opens all of {} within routes[{at}] \"{}\" ({}), which needs a credential",
                    open.path, route.name, other.path,
                ),
                "name the paths that are public",
            );
        }
    }
}

fn has_rest(route: &RouteMatch) -> bool {
    matches!(route.path.segments().last(), Some(Segment::Rest(_)))
}

/// Whether every path of the other is one of the first.
fn covers(wide: &RouteMatch, narrow: &RouteMatch) -> bool {
    let mut narrow = narrow.path.segments().iter();
    for segment in wide.path.segments() {
        match (segment, narrow.next()) {
            (Segment::Rest(_), Some(_)) => return true,
            (Segment::Parameter(_), Some(Segment::Parameter(_))) => {}
            (Segment::Parameter(_), Some(Segment::Literal(text))) if !text.is_empty() => {}
            (Segment::Literal(text), Some(Segment::Literal(other))) if text == other => {}
            _ => return false,
        }
    }
    narrow.next().is_none()
}

fn methods_meet(a: &RouteMatch, b: &RouteMatch) -> bool {
    a.methods.is_empty()
        || b.methods.is_empty()
        || a.methods.iter().any(|method| b.methods.contains(method))
}

fn hosts_meet(a: &RouteMatch, b: &RouteMatch) -> bool {
    let meet = |one: &HostPattern| b.hosts.iter().any(|other| patterns_meet(one, other));
    a.hosts.is_empty() || b.hosts.is_empty() || a.hosts.iter().any(meet)
}

fn patterns_meet(a: &HostPattern, b: &HostPattern) -> bool {
    let names = |wide: &HostPattern, narrow: &HostPattern| {
        let below = narrow.host().name().strip_suffix(wide.host().name());
        wide.is_below() && below.is_some_and(|below| below.ends_with('.'))
    };
    let same = a.is_below() == b.is_below() && a.host().name() == b.host().name();
    let ports = match (a.any_port(), b.any_port()) {
        (true, true) => true,
        (false, false) => a.host().port() == b.host().port(),
        (true, false) => b.host().port() != ":",
        (false, true) => a.host().port() != ":",
    };
    ports && (same || names(a, b) || names(b, a))
}
