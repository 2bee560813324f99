//! Literals that other methods walk around: `GET /v1/admin` needs a scope, and `POST /v1/admin` is
//! `/v1/{id}`'s, which does not.

use std::collections::BTreeSet;

use postern_core::base::Id as _;
use postern_core::gate::Route;
use postern_core::policy::{HostPattern, RouteMatch};
use postern_core::proof::Demand;
use postern_core::request::{Method, NormalPath};

use super::{Found, Policy};

/// No route names a segment like this.
const SEGMENT: &str = "postern-made-this-up";

pub(super) fn look(policy: &Policy<'_>, found: &mut Found) {
    let routes = &policy.config.settings.routes;
    let named = routes.iter().flat_map(|(matching, _)| &matching.methods);
    let mut methods: BTreeSet<&str> = named.map(Method::as_str).collect();
    methods.extend(Method::ORDINARY);
    for (index, (matching, route)) in routes.iter().enumerate() {
        if route.public || matching.methods.is_empty() {
            continue;
        }
        let around = around(policy, (matching, route), &methods);
        let Some((at, _)) = around.first() else {
            continue;
        };
        let by: Vec<&str> = around
            .iter()
            .filter_map(|(other, method)| (other == at).then_some(*method))
            .collect();
        let Some((other, weaker)) = routes.iter().nth(*at) else {
            continue;
        };
        found.add(
            "walked-around",
            format!("routes[{index}].match.methods"),
            format!(
                "leaves {} of {} to routes[{at}] \"{}\" ({}), which asks for less",
                by.join(", "),
                matching.path,
                weaker.name,
                other.path,
            ),
            "name those methods too, or none",
        );
    }
}

/// The other routes that ask for less and that the same path has by other methods.
fn around<'m>(
    policy: &Policy<'_>,
    (matching, route): (&RouteMatch, &Route),
    methods: &BTreeSet<&'m str>,
) -> Vec<(usize, &'m str)> {
    let sent = matching.path.example(SEGMENT);
    let Ok(path) = NormalPath::parse(sent.as_bytes()) else {
        return Vec::new();
    };
    let host = matching.hosts.first().map(HostPattern::example);
    let host = host.unwrap_or_default();
    let listed = |method: &str| matching.methods.iter().any(|own| own.as_str() == method);
    let others = methods.iter().filter(|method| !listed(method));
    let found = others.filter_map(|method| {
        let found = policy
            .config
            .settings
            .routes
            .find(&host, method, &path)
            .ok()?;
        let is_told = found.route.public && found.matching.methods.is_empty();
        let is_other = found.matching.path != matching.path;
        (is_other && !is_told && asks_more(route, found.route))
            .then_some((found.id.place(), *method))
    });
    found.collect()
}

/// Whether a route asks for anything that another does not.
fn asks_more(strict: &Route, other: &Route) -> bool {
    if other.public {
        return true;
    }
    let (own, theirs) = (&strict.allow, &other.allow);
    let lacks = |scope| !theirs.scopes.all.contains(scope);
    own.scopes.all.iter().any(lacks)
        || (!own.scopes.any.is_empty() && own.scopes.any != theirs.scopes.any)
        || own
            .scopes
            .none
            .iter()
            .any(|scope| !theirs.scopes.none.contains(scope))
        || own
            .claims
            .iter()
            .any(|claim| !theirs.claims.contains(claim))
        || (own.clients.is_some() && own.clients != theirs.clients)
        || (own.spiffe.is_some() && own.spiffe != theirs.spiffe)
        || (own.issuers.is_some() && own.issuers != theirs.issuers)
        || (own.same_workload && !theirs.same_workload)
        || (strict.proof != Demand::None && strict.proof != other.proof)
}
