//! The route table: which route a request belongs to, first by specificity, never by order.

use std::fmt;

use super::hosts::{Host, HostPattern};
use super::method::Method;
use super::path::NormalPath;
use super::template::{PathTemplate, SegmentKind};
use super::trie::Trie;

/// What requests a route is for. Host, method and path must all fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteMatch {
    /// The hosts; empty is any.
    pub hosts: Vec<HostPattern>,
    /// The methods; empty is any.
    pub methods: Vec<Method>,
    /// The path.
    pub path: PathTemplate,
}

/// Routes, indexed so that a lookup costs the same for ten and for ten thousand.
#[derive(Debug)]
pub struct RouteTable<R> {
    routes: Vec<(RouteMatch, R)>,
    index: Trie,
    names_hosts: bool,
}

impl<R> RouteTable<R> {
    /// Compiles routes into a table.
    ///
    /// # Errors
    ///
    /// Every [`Overlap`]: two routes, by their places in the list, that are equally specific and
    /// can match the same request.
    pub fn compile(routes: Vec<(RouteMatch, R)>) -> Result<Self, Vec<Overlap>> {
        let mut index = Trie::new();
        let mut overlaps = Vec::new();
        for (second, (matching, _)) in routes.iter().enumerate() {
            let RouteMatch {
                hosts,
                methods,
                path,
            } = matching;
            if let Some(first) = index.insert(path, hosts, methods, second) {
                overlaps.push(Overlap { first, second });
            }
        }
        if overlaps.is_empty() {
            let names_hosts = routes.iter().any(|(route, _)| !route.hosts.is_empty());
            Ok(Self {
                routes,
                index,
                names_hosts,
            })
        } else {
            Err(overlaps)
        }
    }

    /// The most specific route that host, method and path fit.
    ///
    /// An authority that is no host (see [`Host::of_authority`]) has no route where any route names
    /// a host, since another reader may take it for that one. Where the path has parameters (`;`), readers that drop them must come to the same route: otherwise
    /// none is found, since a caller could choose the policy by the reading.
    #[must_use]
    pub fn find(&self, host: &str, method: &str, path: &NormalPath) -> Option<Matched<'_, R>> {
        let authority = host;
        let host = Host::of_authority(authority);
        if host.is_none() && !authority.is_empty() && self.names_hosts {
            return None;
        }
        let index_of = |path: &NormalPath| {
            let path = path.as_str().strip_prefix('/')?;
            self.index.find(path, host.as_ref(), method)
        };
        let index = index_of(path)?;
        if let Some(bare) = path.without_parameters()
            && index_of(&bare) != Some(index)
        {
            return None;
        }
        let (matching, route) = self.routes.get(index)?;
        Some(Matched {
            index,
            route,
            matching,
        })
    }

    /// The routes in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = (&RouteMatch, &R)> {
        self.routes
            .iter()
            .map(|(matching, route)| (matching, route))
    }

    /// The route at that place in the configuration.
    #[must_use]
    pub fn route(&self, index: usize) -> Option<&R> {
        self.routes.get(index).map(|(_, route)| route)
    }

    /// How many routes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there are no routes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }
}

/// A route that a request belongs to.
#[derive(Debug)]
pub struct Matched<'a, R> {
    /// Its place in the configuration.
    pub index: usize,
    /// The route.
    pub route: &'a R,
    /// What requests it is for.
    pub matching: &'a RouteMatch,
}

impl<R> Clone for Matched<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Matched<'_, R> {}

impl<'a, R> Matched<'a, R> {
    /// The names and values of the path's parameters; `path` is the one that was looked up.
    #[must_use]
    pub fn parameters<'p>(&self, path: &'p NormalPath) -> Vec<(&'a str, &'p str)> {
        self.matching.path.capture(path).unwrap_or_default()
    }
}

/// Two routes that are equally specific and can match the same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The place of the first.
    pub first: usize,
    /// The place of the second.
    pub second: usize,
}

/// How specific a matching route is; the greatest wins.
///
/// "A literal beats a parameter, a parameter beats a rest, segment by segment from the left; then
/// more hosts beats any host, then methods beats any method." Of hosts, an exact one beats a
/// wildcard, and of wildcards the longer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Specificity {
    path: Vec<SegmentKind>,
    host: HostKind,
    methods: bool,
}

impl Specificity {
    /// How specific the route is for that request; none where it does not match.
    #[must_use]
    pub fn of(route: &RouteMatch, host: &str, method: &str, path: &NormalPath) -> Option<Self> {
        route.path.capture(path)?;
        let listed = route.methods.iter().any(|m| m.as_str() == method);
        Some(Self {
            path: route.path.kinds().collect(),
            host: HostKind::of(&route.hosts, Host::of_authority(host).as_ref())?,
            methods: (listed || route.methods.is_empty()).then_some(listed)?,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum HostKind {
    Any,
    Below { bytes: usize },
    Exact,
}

impl HostKind {
    fn of(patterns: &[HostPattern], host: Option<&Host>) -> Option<Self> {
        if patterns.is_empty() {
            return Some(Self::Any);
        }
        let host = host?;
        let fitting = patterns.iter().filter(|pattern| pattern.matches(host));
        fitting
            .map(|pattern| match pattern {
                HostPattern::Exact(_) => Self::Exact,
                HostPattern::Below(parent) => Self::Below {
                    bytes: parent.as_str().len(),
                },
            })
            .max()
    }
}

impl fmt::Display for RouteMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, method) in self.methods.iter().enumerate() {
            write!(f, "{}{}", if at > 0 { "," } else { "" }, method.as_str())?;
        }
        f.write_str(if self.methods.is_empty() { "" } else { " " })?;
        for (at, host) in self.hosts.iter().enumerate() {
            write!(f, "{}{host}", if at > 0 { "," } else { "" })?;
        }
        self.path.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(routes: &[(&[&str], &[&str], &str)]) -> Result<RouteTable<()>, Vec<Overlap>> {
        let parse = |(hosts, methods, path): &(&[&str], &[&str], &str)| RouteMatch {
            hosts: hosts
                .iter()
                .map(|h| HostPattern::parse(h).unwrap())
                .collect(),
            methods: methods.iter().map(|m| Method::parse(m).unwrap()).collect(),
            path: PathTemplate::parse(path).unwrap(),
        };
        RouteTable::compile(routes.iter().map(|route| (parse(route), ())).collect())
    }

    fn find(table: &RouteTable<()>, host: &str, method: &str, path: &str) -> Option<usize> {
        let path = NormalPath::parse(path.as_bytes()).unwrap();
        table.find(host, method, &path).map(|matched| matched.index)
    }

    #[test]
    fn a_literal_beats_a_parameter_beats_a_rest_from_the_left() {
        let table = table(&[
            (&[], &[], "/{all*}"),
            (&[], &[], "/v1/{id}"),
            (&[], &[], "/v1/{rest*}"),
            (&[], &[], "/v1/a"),
            (&[], &[], "/{version}/a"),
            (&[], &[], "/v1/a/"),
            (&[], &[], "/v1/{id}/x"),
        ])
        .unwrap();
        for (path, index) in [
            ("/", 0),
            ("/v1", 0),
            ("/v1/", 2),
            ("/v1/a", 3),
            ("/v1/b", 1),
            ("/v2/a", 4),
            ("/v1/a/", 5),
            ("/v1/a/x", 6),
            ("/v1/a/y", 2),
        ] {
            assert_eq!(find(&table, "h", "GET", path), Some(index), "{path}");
        }
        assert_eq!(find(&table, "h", "OPTIONS", "*"), None);
    }

    #[test]
    fn a_less_specific_path_is_found_where_host_or_method_do_not_fit() {
        let table = table(&[
            (&[], &["GET"], "/v1/orders"),
            (&["a.example"], &["PUT"], "/v1/{kind}"),
            (&[], &[], "/{all*}"),
        ])
        .unwrap();
        for (host, method, index) in [
            ("a.example", "GET", 0),
            ("a.example:443", "PUT", 1),
            ("b.example", "PUT", 2),
            ("a.example", "get", 2),
        ] {
            assert_eq!(find(&table, host, method, "/v1/orders"), Some(index));
        }
    }

    #[test]
    fn an_exact_host_beats_a_longer_wildcard_beats_a_shorter_beats_any_and_methods_come_last() {
        let table = table(&[
            (&[], &["GET"], "/"),
            (&["*.example"], &["GET"], "/"),
            (&["*.a.example"], &[], "/"),
            (&["x.a.example"], &[], "/"),
            (&["x.a.example"], &["GET"], "/"),
        ])
        .unwrap();
        for (host, method, index) in [
            ("x.a.example", "GET", Some(4)),
            ("x.a.example", "PUT", Some(3)),
            ("y.a.example", "GET", Some(2)),
            ("b.example", "GET", Some(1)),
            ("b.example", "PUT", None),
            ("example", "GET", Some(0)),
            ("", "GET", Some(0)),
        ] {
            assert_eq!(find(&table, host, method, "/"), index, "{host} {method}");
        }
    }

    #[test]
    fn what_is_no_host_cannot_get_around_the_routes_of_a_host() {
        let open = (&[][..], &[][..], "/{rest*}");
        let table_of = |routes: &[_]| table(routes).unwrap();
        let admin = table_of(&[open, (&["admin.example"], &[], "/{rest*}")]);
        let any = table_of(&[open]);
        for authority in [
            "admin.example:123456",
            "admin.example:http",
            "user@admin.example",
            "admin.example,b.example",
            "admin..example",
        ] {
            assert_eq!(find(&admin, authority, "GET", "/"), None, "{authority}");
            assert_eq!(find(&any, authority, "GET", "/"), Some(0), "{authority}");
        }
    }

    #[test]
    fn a_path_parameter_cannot_choose_the_route() {
        let table = table(&[(&[], &[], "/admin"), (&[], &[], "/{page}")]).unwrap();
        assert_eq!(find(&table, "h", "GET", "/admin"), Some(0));
        assert_eq!(find(&table, "h", "GET", "/admin;x"), None);
        assert_eq!(find(&table, "h", "GET", "/admin%3Bx"), None);
        assert_eq!(find(&table, "h", "GET", "/home;x"), Some(1));
    }

    #[test]
    fn routes_that_are_as_specific_and_can_match_the_same_request_overlap() {
        let first_and_second = vec![Overlap {
            first: 0,
            second: 1,
        }];
        type Row<'a> = (&'a [&'a str], &'a [&'a str], &'a str);
        const OVERLAPS: &[[Row<'_>; 2]] = &[
            [(&[], &[], "/{a}"), (&[], &[], "/{b}")],
            [(&[], &["GET", "PUT"], "/a"), (&[], &["PUT"], "/a")],
            [
                (&["A.example"], &[], "/a"),
                (&["*.b", "a.example"], &[], "/a"),
            ],
            [(&["*.a"], &["GET"], "/{x*}"), (&["*.a"], &["GET"], "/{y*}")],
        ];
        for routes in OVERLAPS {
            assert_eq!(table(routes).unwrap_err(), first_and_second, "{routes:?}");
        }
        const APART: &[[Row<'_>; 2]] = &[
            [(&[], &[], "/a"), (&[], &[], "/a/")],
            [(&[], &[], "/a"), (&[], &["GET"], "/a")],
            [(&["a"], &[], "/a"), (&[], &["GET"], "/a")],
            [(&["a.b"], &[], "/a"), (&["*.b"], &[], "/a")],
            [(&[], &["GET"], "/a"), (&[], &["PUT"], "/a")],
        ];
        assert!(APART.iter().all(|routes| table(routes).is_ok()));
    }

    #[test]
    fn names_the_parameters_of_the_path() {
        let table = table(&[(&[], &[], "/v1/{kind}/{rest*}")]).unwrap();
        let path = NormalPath::parse(b"/v1/orders/4/2").unwrap();
        let matched = table.find("h", "GET", &path).unwrap();
        assert_eq!(
            matched.parameters(&path),
            [("kind", "orders"), ("rest", "4/2")]
        );
    }
}
