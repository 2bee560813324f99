//! What is asked for: path, method, route, and whether everybody on the way reads the same.

use super::case::{Case, Checked, Learned, Verdict};
use super::request::Request;
use crate::base::{Excerpt, WrongText};
use crate::decision::{Denial, Reason};
use crate::gate::fields::needs_one;
use crate::gate::judge::Judge;
use crate::gate::settings::METHOD_PARAMETER;
use crate::policy::Unmatched;
use crate::request::{Method, NormalPath, mentions};

/// The path has one reading.
pub(super) fn path<'a>(request: &Request<'a>) -> Checked<'a> {
    let path = NormalPath::parse(request.path)
        .map_err(|error| Denial::new(Reason::PathAmbiguous, error.to_string()))?;
    Ok(Learned::Path(path))
}

/// The method has one reading.
pub(super) fn method<'a>(request: &Request<'a>) -> Checked<'a> {
    Method::check(request.method).map_err(|error| {
        let detail = format!("{error}; {}", error.remedy());
        Denial::new(Reason::MethodAmbiguous, detail)
    })?;
    Ok(Learned::Nothing)
}

/// A route matches, and whoever reads the request otherwise comes to the same.
pub(super) fn route<'a>(judge: &Judge<'a>, request: &Request<'a>, case: &Case<'a>) -> Checked<'a> {
    let routes = &judge.config.routes;
    let found = routes.find(request.authority, request.method, case.path()?);
    Ok(Learned::Route(found.map_err(unmatched)?))
}

fn unmatched(why: Unmatched) -> Denial {
    let (reason, detail) = match why {
        Unmatched::Unknown => (
            Reason::RouteUnknown,
            "no route matches the host, method and path",
        ),
        Unmatched::Path => (
            Reason::PathAmbiguous,
            "the path leads to another route, or to none, where it is not decoded, or without its parameters",
        ),
        Unmatched::Host => (
            Reason::RouteUnknown,
            "the host leads to another route without its port or trailing dot",
        ),
    };
    Denial::new(reason, detail)
}

/// No field is named in `Connection` that the upstream is told in, or that decides: who honours it
/// takes the field out of the message (RFC 9110 section 7.6.1).
pub(super) fn connection<'a>(judge: &Judge<'a>, request: &Request<'a>) -> Checked<'a> {
    // Whatever is no token (RFC 9110 section 5.6.2) ends one.
    let ends = |byte: &u8| !byte.is_ascii_alphanumeric() && !b"!#$%&'*+-.^_`|~".contains(byte);
    let options = request
        .headers
        .all("connection")
        .flat_map(|value| value.split(ends));
    if needs_one(options, judge.config) {
        let detail = "Connection names a field that Postern sets or decides by";
        return Err(Denial::new(Reason::ConnectionAmbiguous, detail).into());
    }
    Ok(Learned::Nothing)
}

/// The proxy, which reads the request too, has come to an upstream of the route.
pub(super) fn upstream<'a>(request: &Request<'a>, case: &Case<'a>) -> Checked<'a> {
    let route = case.route()?;
    if route.upstreams.is_empty() {
        return Err(Verdict::NotAsked);
    }
    let chosen = (request.upstream)().unwrap_or_default();
    if route.upstreams.iter().any(|name| name.as_bytes() == chosen) {
        return Ok(Learned::Nothing);
    }
    let detail = if chosen.is_empty() {
        "the proxy has chosen no upstream".to_owned()
    } else {
        let chosen = String::from_utf8_lossy(&chosen);
        format!("the proxy has chosen {}", Excerpt::of(&chosen))
    };
    Err(Denial::new(Reason::UpstreamMismatch, detail).into())
}

/// The query is text, and tells no upstream another method.
pub(super) fn query<'a>(judge: &Judge<'a>, request: &Request<'a>) -> Checked<'a> {
    let query = request.query.map(std::str::from_utf8).transpose();
    let query = query.map_err(|_| Denial::new(Reason::PathAmbiguous, "the query is not UTF-8"))?;
    let is_safe = matches!(request.method, "GET" | "HEAD");
    let kept = judge.config.upstream.keeps(METHOD_PARAMETER);
    if !is_safe && !kept && mentions(query, METHOD_PARAMETER) {
        let detail = "the query parameter _method, by which some upstreams take another method";
        return Err(Denial::new(Reason::MethodAmbiguous, detail).into());
    }
    Ok(Learned::Query(query))
}
