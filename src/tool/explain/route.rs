//! The path in its one reading, which route it belongs to, and why that one.

use postern_core::gate::Route;
use postern_core::gate::steps::{Request, Seen, Verdict};
use postern_core::policy::{Authority, Matched, RouteMatch, RouteTable, SegmentKind, Specificity};
use postern_core::request::{Method, NormalPath};

use crate::text::printable;

/// Of routes that also match, and of those that nearly do, so many are told of.
const SHOWN: usize = 3;

/// Which path it is.
pub fn path(seen: &Seen<'_, '_>, says: &mut Vec<String>) {
    says.push(match &seen.case.path {
        Some(path) => format!("{} in its one reading", printable(path.as_str())),
        None => printable(&String::from_utf8_lossy(seen.request.path)),
    });
}

/// Which method it is, where it is not one.
pub fn method(seen: &Seen<'_, '_>, says: &mut Vec<String>) {
    if *seen.verdict != Verdict::Passed {
        says.push(format!("it is {}", printable(seen.request.method)));
    }
}

/// Which route it is, and which others it could be.
pub fn route(seen: &Seen<'_, '_>, says: &mut Vec<String>) {
    let Some(path) = &seen.case.path else {
        return;
    };
    let routes = &seen.judge.config.routes;
    match seen.case.matched {
        Some(found) => {
            says.push(of(&found, path));
            others(routes, seen.request, path, &found, says);
        }
        None => nearest(routes, seen.request, path, says),
    }
}

fn of(found: &Matched<'_, Route>, path: &NormalPath) -> String {
    let captured = found.parameters(path);
    let captured = captured
        .iter()
        .map(|(name, value)| format!("{name} = {}", printable(value)));
    let captured: Vec<String> = captured.collect();
    let captured = if captured.is_empty() {
        String::new()
    } else {
        format!(", where {}", captured.join(", "))
    };
    format!("{}: {}{captured}", quoted(found.route), found.matching)
}

fn others(
    routes: &RouteTable<Route>,
    request: &Request<'_>,
    path: &NormalPath,
    found: &Matched<'_, Route>,
    says: &mut Vec<String>,
) {
    let (host, method) = (request.authority, request.method);
    let others = routes.all().each().filter(|(id, (matching, _))| {
        *id != found.id && Specificity::of(matching, host, method, path).is_some()
    });
    let others: Vec<_> = others.collect();
    for (_, (matching, route)) in others.iter().take(SHOWN) {
        let why = less_specific(matching, found.matching);
        says.push(format!("{} matches too ({matching}): {why}", quoted(route)));
    }
    let more = others.len().saturating_sub(SHOWN);
    if more > 0 {
        says.push(format!("{more} more match too, and are less specific"));
    }
}

/// Why a route that matches as well is not the one.
fn less_specific(other: &RouteMatch, found: &RouteMatch) -> String {
    let kinds = other.path.kinds().zip(found.path.kinds()).enumerate();
    for (index, (theirs, ours)) in kinds {
        if theirs != ours {
            let (theirs, ours) = (kind(theirs), kind(ours));
            let segment = index.saturating_add(1);
            return format!("segment {segment} is {theirs} there, and {ours} is more specific");
        }
    }
    if other.hosts.is_empty() && !found.hosts.is_empty() {
        return "it is for any host, and a named one is more specific".to_owned();
    }
    if other.methods.is_empty()
        && !found.methods.is_empty()
        && other.hosts.is_empty() == found.hosts.is_empty()
    {
        return "it is for any method, and a named one is more specific".to_owned();
    }
    "its host is named less exactly".to_owned()
}

const fn kind(kind: SegmentKind) -> &'static str {
    match kind {
        SegmentKind::Literal => "a literal",
        SegmentKind::Parameter => "a parameter",
        SegmentKind::Rest => "a rest",
    }
}

/// Says which routes nearly match, and what differs.
fn nearest(
    routes: &RouteTable<Route>,
    request: &Request<'_>,
    path: &NormalPath,
    says: &mut Vec<String>,
) {
    let (authority, method) = (request.authority, request.method);
    if Authority::of(authority).is_none() && !authority.is_empty() {
        says.push(format!("{} is no host name", printable(authority)));
    }
    let routes = routes.iter();
    let mut routes: Vec<_> = routes
        .map(|(matching, route)| {
            (
                Distance::of(matching, authority, method, path),
                matching,
                route,
            )
        })
        .collect();
    routes.sort_by_key(|(distance, ..)| {
        (distance.count(), usize::MAX.saturating_sub(distance.common))
    });
    for (distance, matching, route) in routes.iter().take(SHOWN) {
        let differs = distance.differs(matching).join(", ");
        says.push(format!(
            "nearest: {} ({matching}): {differs}",
            quoted(route)
        ));
    }
}

/// How far a route is from a request.
struct Distance {
    path: bool,
    host: bool,
    method: bool,
    /// How many segments are the same from the left.
    common: usize,
}

impl Distance {
    fn of(route: &RouteMatch, authority: &str, method: &str, path: &NormalPath) -> Self {
        let host = Authority::of(authority);
        let fits = |host: &Authority| route.hosts.iter().any(|pattern| pattern.matches(host));
        let listed = route.methods.iter().any(|own| own.as_str() == method);
        let fits_method = listed || (route.methods.is_empty() && Method::is_ordinary(method));
        Self {
            path: route.path.capture(path).is_none(),
            host: !route.hosts.is_empty() && !host.as_ref().is_some_and(fits),
            method: !fits_method,
            common: common(route, path),
        }
    }

    /// A path that differs is further away than all the rest.
    fn count(&self) -> u8 {
        u8::from(self.path)
            .saturating_mul(4)
            .saturating_add(u8::from(self.host))
            .saturating_add(u8::from(self.method))
    }

    fn differs(&self, route: &RouteMatch) -> Vec<String> {
        let mut differs = Vec::new();
        if self.path {
            differs.push(format!("the path is not {}", route.path));
        }
        if self.host {
            let hosts: Vec<String> = route.hosts.iter().map(ToString::to_string).collect();
            differs.push(format!("the host is not {}", hosts.join(" or ")));
        }
        if self.method {
            let methods: Vec<&str> = route.methods.iter().map(|own| own.as_str()).collect();
            differs.push(if methods.is_empty() {
                "the method is not an ordinary one, and has to be named".to_owned()
            } else {
                format!("the method is not {}", methods.join(" or "))
            });
        }
        differs
    }
}

fn common(route: &RouteMatch, path: &NormalPath) -> usize {
    use postern_core::policy::Segment;
    let pairs = route.path.segments().iter().zip(path.segments());
    let same = pairs.take_while(|(own, sent)| match own {
        Segment::Literal(text) => text == sent,
        Segment::Parameter(_) | Segment::Rest(_) => true,
    });
    same.count()
}

/// The name of a route, quoted.
fn quoted(route: &Route) -> String {
    format!("\"{}\"", route.name)
}
