//! Where the proxy, by its own routes beside a configuration, reads requests differently.
//!
//! What Envoy does is in the reference of its `VirtualHost`, `RouteMatch` and `RouteAction`: domains
//! are compared with the authority as it came, and prefixes and paths with the path as it came.

use std::collections::BTreeSet;

use postern_core::config::{Config, Finding};
use postern_core::policy::{Authority, HostPattern};

use super::lint::level;
use crate::document::{Manager, Member, Node, Problem};

/// Everything in the proxy's routes that is not read as the configuration reads it.
pub fn warnings(manager: &Manager, config: &Config) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    let named: Vec<&HostPattern> = config
        .settings
        .routes
        .iter()
        .flat_map(|(route, _)| &route.hosts)
        .collect();
    stripped(manager, &named, &mut found);
    let names = ["route_config", "routeConfig"];
    let Some(routes) = manager.node.member(&names) else {
        return found.0;
    };
    let hosts = Place::of(&manager.path, routes).list(&["virtual_hosts", "virtualHosts"]);
    let ports = is_true(
        &routes.value,
        &["ignore_port_in_host_matching", "ignorePortInHostMatching"],
    ) || is_true(&manager.node, STRIP_PORT);
    domains(&hosts, &named, ports, &mut found);
    let parameters: &[&str] = &[
        "ignore_path_parameters_in_path_matching",
        "ignorePathParametersInPathMatching",
    ];
    if is_true(&routes.value, parameters) {
        let place = Place::of(&manager.path, routes).at(parameters);
        found.add(
            "proxy-prefix",
            &place,
            "drops parameters (;) from paths, and Postern does not",
            "leave it off",
        );
    }
    let routes: Vec<Place<'_>> = hosts
        .iter()
        .flat_map(|host| host.list(&["routes"]))
        .collect();
    let clusters: BTreeSet<String> = routes.iter().flat_map(clusters).collect();
    for route in &routes {
        // With one upstream it does not matter which of its routes the proxy finds.
        if clusters.len() > 1 {
            matching(route, &mut found);
            fields(route, config, &mut found);
        }
        rewriting(route, &mut found);
    }
    found.0
}

const STRIP_PORT: &[&str] = &["strip_any_host_port", "stripAnyHostPort"];
const STRIP_OWN_PORT: &[&str] = &["strip_matching_host_port", "stripMatchingHostPort"];
const STRIP_DOT: &[&str] = &["strip_trailing_host_dot", "stripTrailingHostDot"];

struct Found(Vec<Problem>);

impl Found {
    fn add(
        &mut self,
        rule: &'static str,
        place: &Place<'_>,
        problem: impl Into<String>,
        remedy: &'static str,
    ) {
        self.0.push(Problem {
            at: place.at,
            finding: Finding::new(rule, level(rule), &place.path, problem, remedy),
        });
    }
}

/// A value of the document, and where it is.
#[derive(Clone)]
struct Place<'n> {
    node: &'n Node,
    at: usize,
    path: String,
}

impl<'n> Place<'n> {
    fn of(parent: &str, member: &'n Member) -> Self {
        Self {
            node: &member.value,
            at: member.at,
            path: join(parent, &member.name),
        }
    }

    fn get(&self, names: &[&str]) -> Option<Self> {
        let member = self.node.member(names)?;
        Some(Self::of(&self.path, member))
    }

    /// The member, or where it is missing.
    fn at(&self, names: &[&str]) -> Self {
        self.get(names).unwrap_or_else(|| self.clone())
    }

    fn list(&self, names: &[&str]) -> Vec<Self> {
        let Some(list) = self.get(names) else {
            return Vec::new();
        };
        let elements = list.node.elements().iter().enumerate();
        elements
            .map(|(index, node)| Place {
                node,
                at: node.at,
                path: format!("{}[{index}]", list.path),
            })
            .collect()
    }

    fn text(&self, names: &[&str]) -> Option<&'n str> {
        self.node.get(names)?.text()
    }
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        return name.to_owned();
    }
    format!("{parent}.{name}")
}

fn is_true(node: &Node, names: &[&str]) -> bool {
    node.get(names).is_some_and(|value| value.to_json() == true)
}

/// What the proxy takes off hosts before Postern sees them.
fn stripped(manager: &Manager, named: &[&HostPattern], found: &mut Found) {
    let has_port = |pattern: &&&HostPattern| !pattern.host().port().is_empty();
    let has_dot = |pattern: &&&HostPattern| pattern.host().name().ends_with('.');
    let first = |fits: &dyn Fn(&&&HostPattern) -> bool| named.iter().find(|pattern| fits(pattern));
    let all: [(&[&str], _, _); 3] = [
        (STRIP_PORT, first(&has_port), "port"),
        (STRIP_OWN_PORT, first(&has_port), "port"),
        (STRIP_DOT, first(&has_dot), "trailing dot"),
    ];
    for (names, pattern, what) in all {
        let member = manager.node.member(names);
        if let (Some(member), Some(pattern), true) =
            (member, pattern, is_true(&manager.node, names))
        {
            let problem = format!(
                "takes the {what} off hosts before Postern sees them, and {pattern} is named with one"
            );
            let place = Place::of(&manager.path, member);
            found.add("proxy-host", &place, problem, "name it without");
        }
    }
}

fn domains(hosts: &[Place<'_>], named: &[&HostPattern], any_port: bool, found: &mut Found) {
    let listed: Vec<Place<'_>> = hosts
        .iter()
        .flat_map(|host| host.list(&["domains"]))
        .collect();
    let domains: Vec<(&Place<'_>, HostPattern)> = listed
        .iter()
        .filter_map(|place| Some((place, HostPattern::parse(place.node.text()?).ok()?)))
        .collect();
    for (place, domain) in &domains {
        let is_named = named.iter().any(|pattern| meets(pattern, domain));
        let alike = named.iter().find(|pattern| bare(pattern) == bare(domain));
        if let (false, Some(pattern)) = (is_named, alike) {
            let problem = format!(
                "is {domain} to the proxy and {pattern} to Postern, which are different hosts"
            );
            found.add("proxy-host", place, problem, "name them alike");
        }
    }
    let rest = listed.iter().find(|place| place.node.text() == Some("*"));
    let Some(rest) = rest.filter(|_| hosts.len() > 1) else {
        return;
    };
    let mut told = BTreeSet::new();
    for pattern in named {
        let own = |(_, domain): &&(&Place<'_>, HostPattern)| meets(domain, pattern);
        let (problem, remedy) = match domains.iter().find(own) {
            None => (
                format!(
                    "is where the proxy sends requests for {pattern}, which Postern names and no virtual host does"
                ),
                "give it one",
            ),
            Some((_, domain))
                if pattern.any_port() && !any_port && domain.host().port().is_empty() =>
            {
                (
                    format!(
                        "is where the proxy sends requests for {pattern} with a port, since {domain} names none"
                    ),
                    "name the ports that there are in both",
                )
            }
            Some(_) => continue,
        };
        if told.insert(pattern.to_string()) {
            found.add("proxy-host", rest, problem, remedy);
        }
    }
}

/// Whether the first names what the other does, or an example of it.
fn meets(wide: &HostPattern, narrow: &HostPattern) -> bool {
    Authority::of(&narrow.example()).is_some_and(|host| wide.matches(&host))
}

/// A pattern as those read it that know no ports and no trailing dots.
fn bare(pattern: &HostPattern) -> (bool, &str) {
    let name = pattern.host().name();
    (pattern.is_below(), name.strip_suffix('.').unwrap_or(name))
}

/// The clusters that a route of the proxy can send a request to.
fn clusters(route: &Place<'_>) -> Vec<String> {
    let Some(action) = route.get(&["route"]) else {
        return Vec::new();
    };
    let one = action.text(&["cluster"]);
    let weighted = action.get(&["weighted_clusters", "weightedClusters"]);
    let weighted = weighted.map_or_else(Vec::new, |weighted| weighted.list(&["clusters"]));
    let weighted = weighted
        .iter()
        .filter_map(|cluster| cluster.text(&["name"]));
    one.into_iter().chain(weighted).map(str::to_owned).collect()
}

/// How a route of the proxy is found.
fn matching(route: &Place<'_>, found: &mut Found) {
    let Some(wanted) = route.get(&["match"]) else {
        return;
    };
    let cased = wanted.node.get(&["case_sensitive", "caseSensitive"]);
    if cased.is_some_and(|cased| cased.to_json() == false) {
        let place = wanted.at(&["case_sensitive", "caseSensitive"]);
        found.add(
            "proxy-prefix",
            &place,
            "compares paths without case, and Postern does not",
            "leave it out",
        );
    }
    if let Some(place) = wanted.get(&["safe_regex", "safeRegex"]) {
        found.add(
            "proxy-prefix",
            &place,
            "is a regular expression, which no path of the configuration can be compared with",
            "use a path or a prefix",
        );
    }
    if let Some(prefix) = wanted.text(&["prefix"])
        && !prefix.ends_with('/')
    {
        let problem = format!(
            "ends within a segment, so that {prefix}x is the proxy's {prefix} and another path to Postern"
        );
        let remedy = "end it with /, or use path_separated_prefix";
        found.add("proxy-prefix", &wanted.at(&["prefix"]), problem, remedy);
    }
}

/// Fields that Postern sets or removes, after which the proxy looks for the route again.
fn fields(route: &Place<'_>, config: &Config, found: &mut Found) {
    let claims = config
        .settings
        .callers
        .issuers
        .iter()
        .flat_map(|issuer| &issuer.claim_headers);
    let claims: Vec<&str> = claims.map(|claim| claim.header.as_str()).collect();
    let wanted = route.get(&["match"]);
    let fields = wanted.map_or_else(Vec::new, |wanted| wanted.list(&["headers"]));
    for field in fields {
        let name = field
            .text(&["name"])
            .unwrap_or_default()
            .to_ascii_lowercase();
        let is_ours = name.starts_with("x-postern-")
            || name == config.settings.callers.tokens.header
            || name == "x-forwarded-client-cert"
            || claims.contains(&name.as_str());
        if is_ours {
            found.add(
                "proxy-field",
                &field.at(&["name"]),
                "is a field that Postern sets or removes, after which the proxy chooses the route again",
                "match on another",
            );
        }
    }
}

/// What a route of the proxy makes of the path.
fn rewriting(route: &Place<'_>, found: &mut Found) {
    let Some(action) = route.get(&["route"]) else {
        return;
    };
    let others: [&[&str]; 2] = [
        &["regex_rewrite", "regexRewrite"],
        &["path_rewrite_policy", "pathRewritePolicy"],
    ];
    for place in others.iter().filter_map(|names| action.get(names)) {
        found.add(
            "proxy-rewrite",
            &place,
            "gives the upstream a path that Postern did not decide about",
            "rewrite a prefix, or name the route's upstreams",
        );
    }
    let rewrite = ["prefix_rewrite", "prefixRewrite"];
    let wanted = route.get(&["match"]);
    let prefix = wanted.and_then(|wanted| wanted.text(&["prefix"]));
    if let (Some(prefix), Some(to)) = (prefix, action.text(&rewrite))
        && prefix.ends_with('/') != to.ends_with('/')
    {
        let problem =
            format!("turns {prefix}x into {to}x, and only one of them ends a segment there");
        let remedy = "end both with /, or none";
        found.add("proxy-rewrite", &action.at(&rewrite), problem, remedy);
    }
}
