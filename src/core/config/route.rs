//! Routes: which requests, and what they need.

use std::collections::BTreeMap;

use super::allow;
use super::client;
use super::finding::Finding;
use super::limit;
use super::list::{Empty, elements, note_unique, required, texts};
use super::mistake::Mistake;
use super::model::mode;
use super::names;
use super::place::Place;
use super::risk::{self, Of};
use super::trust_domain::Offer;
use super::when;
use super::wire::{self, Field, List};
use crate::base::{Listed, RouteId};
use crate::caller::clients::Clients;
use crate::gate::Route;
use crate::policy::{HostPattern, Overlap, PathTemplate, RouteMatch, RouteTable};
use crate::request::Method;

/// The names that routes may refer to; none where those they name cannot be read at all.
#[derive(Clone, Copy)]
pub(super) struct RouteNames<'a> {
    pub issuers: Option<&'a [String]>,
    pub trust_domains: Option<&'a [Offer]>,
    pub limits: Option<&'a [String]>,
    pub clients: &'a Clients,
    pub risk: risk::KnownRisk<'a>,
    /// The clusters of routes that name none.
    pub upstreams: &'a [String],
}

/// The clusters of a list; empty is any.
pub(super) fn upstreams(list: &List<String>, place: &Place<'_>) -> Vec<String> {
    texts(list, place, Empty::Refused, names::cluster)
}

/// None only where an error was noted.
pub(super) fn compile_all(
    routes: &List<wire::Route>,
    place: &Place<'_>,
    known: RouteNames<'_>,
    warnings: &mut Vec<Finding>,
) -> Option<RouteTable<Route>> {
    routes.required(place, "a list of routes")?;
    let (mut names, mut compiled, mut places) =
        (BTreeMap::new(), Vec::new(), Listed::<RouteId, _>::default());
    for (index, route) in elements(routes, place, Empty::Refused) {
        let place = place.element(index);
        let Some(route) = route.optional(&place) else {
            continue;
        };
        note_unique(&mut names, &route.name, &place.member("name"));
        if let Some(route) = compile(route, &place, known, warnings) {
            compiled.push(route);
            places.push(index);
        }
    }
    let overlaps = match RouteTable::compile(compiled) {
        Ok(table) => return Some(table),
        Err(overlaps) => overlaps,
    };
    for Overlap { first, second } in overlaps {
        if let (Some(first), Some(second)) = (places.get(first), places.get(second)) {
            let (first, second) = (place.element(*first), place.element(*second));
            second.member("match").error(
                Mistake::OverlappingRoutes,
                format_args!("can match the same requests as {first} and is as specific"),
                "hosts, methods or path must tell them apart",
            );
        }
    }
    None
}

fn compile(
    wire: &wire::Route,
    place: &Place<'_>,
    known: RouteNames<'_>,
    warnings: &mut Vec<Finding>,
) -> Option<(RouteMatch, Route)> {
    check_public(wire, place);
    let name = required(&wire.name, &place.member("name"), "a name", names::name);
    let matching = matching(&wire.matching, &place.member("match"));
    let public = wire
        .public
        .optional(&place.member("public"))
        .copied()
        .unwrap_or_default();
    if !public
        && known.issuers.is_some_and(<[_]>::is_empty)
        && known.trust_domains.is_some_and(<[_]>::is_empty)
    {
        place.error(
            Mistake::UnmetNeed,
            "needs an identity, but no issuer and no trust domain is configured",
            "issuers, trust_domains, or public: true, is needed",
        );
    }
    let own = upstreams(&wire.upstreams, &place.member("upstreams"));
    let route = Route {
        public,
        upstreams: if own.is_empty() {
            known.upstreams.to_vec()
        } else {
            own
        },
        allow: allow::compile(&wire.allow, &place.member("allow"), known),
        when: when::compile(&wire.when, &place.member("when")),
        limits: limit::of_route(&wire.limits, &place.member("limits"), known.limits),
        proof: client::proof(&wire.proof, &place.member("proof")),
        risk: risk::otherwise(
            &wire.risk,
            &place.member("risk"),
            known.risk,
            Of::Route,
            warnings,
        ),
        mode: mode(&wire.mode, &place.member("mode"), warnings),
        name: name?,
    };
    Some((matching?, route))
}

/// The decision about a public route ends before these: they would do nothing.
fn check_public(wire: &wire::Route, place: &Place<'_>) {
    let public = matches!(wire.public, Field::Given(true));
    let idle = [
        ("allow", wire.allow.is_absent()),
        ("when", wire.when.is_absent()),
        ("limits", wire.limits.is_absent()),
        ("proof", wire.proof.is_absent()),
        ("risk", wire.risk.is_absent()),
    ];
    for (name, absent) in idle {
        if public && !absent {
            place.member(name).error(
                Mistake::MisplacedField,
                "is never looked at on a public route",
                "remove it, or public",
            );
        }
    }
}

/// None where anything is wrong: half a match would overlap with others by mistake.
fn matching(wire: &Field<wire::Match>, place: &Place<'_>) -> Option<RouteMatch> {
    let wire = wire.required(place, "an object with path")?;
    let before = place.error_count();
    let hosts = texts(
        &wire.hosts,
        &place.member("hosts"),
        Empty::Refused,
        HostPattern::parse,
    );
    let methods = texts(
        &wire.methods,
        &place.member("methods"),
        Empty::Refused,
        Method::parse,
    );
    let needed = "a path such as /v1/orders/{id}";
    let path = required(
        &wire.path,
        &place.member("path"),
        needed,
        PathTemplate::parse,
    )?;
    let matching = RouteMatch {
        hosts,
        methods,
        path,
    };
    (place.error_count() == before).then_some(matching)
}
