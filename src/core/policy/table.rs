//! The route table: which route a request belongs to, first by specificity, never by order.

use std::fmt;

use super::hosts::{Authority, HostPattern};
use super::template::{PathTemplate, SegmentKind};
use super::trie::Trie;
use crate::base::{Listed, RouteId};
use crate::request::{Method, NormalPath};

/// What requests a route is for. Host, method and path must all fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteMatch {
    /// The hosts; empty is any.
    pub hosts: Vec<HostPattern>,
    /// The methods; empty is every ordinary one ([`Method::ORDINARY`]).
    pub methods: Vec<Method>,
    /// The path.
    pub path: PathTemplate,
}

/// Routes, indexed so that a lookup costs the same for ten and for ten thousand.
#[derive(Debug)]
pub struct RouteTable<R> {
    routes: Listed<RouteId, (RouteMatch, R)>,
    index: Trie,
    names_hosts: bool,
}

impl<R> RouteTable<R> {
    /// Compiles routes into a table.
    ///
    /// # Errors
    ///
    /// Every [`Overlap`]: two routes that are equally specific and
    /// can match the same request.
    ///
    /// ```
    /// use postern_core::base::{Id as _, RouteId};
    /// use postern_core::policy::{PathTemplate, RouteMatch, RouteTable};
    /// use postern_core::request::NormalPath;
    ///
    /// let to = |path| RouteMatch {
    ///     hosts: vec![],
    ///     methods: vec![],
    ///     path: PathTemplate::parse(path).unwrap(),
    /// };
    /// let routes = vec![(to("/{rest*}"), "all"), (to("/v1/{id}"), "one")];
    /// let table = RouteTable::compile(routes).unwrap();
    /// let path = NormalPath::parse(b"/v1/7").unwrap();
    /// assert_eq!(table.find("api.example", "GET", &path).unwrap().route, &"one");
    ///
    /// let overlaps = RouteTable::compile(vec![(to("/{a}"), ()), (to("/{b}"), ())]).unwrap_err();
    /// assert_eq!((overlaps[0].first, overlaps[0].second), (RouteId::at(0), RouteId::at(1)));
    /// ```
    pub fn compile(routes: Vec<(RouteMatch, R)>) -> Result<Self, Vec<Overlap>> {
        let routes: Listed<RouteId, _> = routes.into_iter().collect();
        let mut index = Trie::new();
        let mut overlaps = Vec::new();
        for (second, (matching, _)) in routes.each() {
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
    /// Other readers of the request, that do not decode its path, or drop parameters (`;`) from it,
    /// or the port or a trailing dot from its host, must come to the same route: a caller could
    /// choose the policy by the reading otherwise. Where the route names the port that came, the
    /// port is no matter of reading.
    ///
    /// # Errors
    ///
    /// No route, or not for every reader. An authority that is no host (see [`Authority::of`])
    /// has none where any route names a host, since another reader may take it for that one.
    pub fn find(
        &self,
        authority: &str,
        method: &str,
        path: &NormalPath,
    ) -> Result<Matched<'_, R>, Unmatched> {
        let host = Authority::of(authority);
        if host.is_none() && !authority.is_empty() && self.names_hosts {
            return Err(Unmatched::Unknown);
        }
        let find = |host: Option<&Authority>, path: &str| {
            let path = path.strip_prefix('/')?;
            self.index.find(path, host, method)
        };
        let found = find(host.as_ref(), path.as_str());
        let index = found.map(|found| found.route);
        let is_same_on = |host: Option<&Authority>, path: &str| {
            let other = find(host, path);
            other.map(|found| found.route) == index
        };
        if !path
            .without_parameters()
            .all(|path| is_same_on(host.as_ref(), &path))
        {
            return Err(Unmatched::Path);
        }
        let found = found.ok_or(Unmatched::Unknown)?;
        let (matching, route) = self.routes.get(found.route).ok_or(Unmatched::Unknown)?;
        // The proxy has come to this route too: none that is less specific decides in its place.
        if matching.methods.is_empty() && !Method::is_ordinary(method) {
            return Err(Unmatched::Unknown);
        }
        // With literals met as sent it is the most specific of those that match the path as sent:
        // whatever matches that matches the decoded path too.
        if !matching.path.is_met_as_sent(path) {
            return Err(Unmatched::Path);
        }
        if let Some(host) = host.filter(|_| self.names_hosts && !found.names_port)
            && !host.readings().iter().all(|host| {
                let mut paths = path.without_parameters();
                is_same_on(Some(host), path.as_str())
                    && paths.all(|path| is_same_on(Some(host), &path))
            })
        {
            return Err(Unmatched::Host);
        }
        Ok(Matched {
            id: found.route,
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

    /// The same, by their ids.
    #[must_use]
    pub fn all(&self) -> &Listed<RouteId, (RouteMatch, R)> {
        &self.routes
    }

    /// The route with that id.
    #[must_use]
    pub fn route(&self, id: RouteId) -> Option<&R> {
        self.routes.get(id).map(|(_, route)| route)
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

/// Why a request has no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// None matches.
    Unknown,
    /// The path as it was sent, decoded, or without parameters, leads elsewhere.
    Path,
    /// The host without its port or trailing dot leads elsewhere.
    Host,
}

/// A route that a request belongs to.
#[derive(Debug)]
pub struct Matched<'a, R> {
    /// Which it is.
    pub id: RouteId,
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
    /// The first.
    pub first: RouteId,
    /// The second.
    pub second: RouteId,
}

/// How specific a matching route is; the greatest wins.
///
/// "A literal beats a parameter, a parameter beats a rest, segment by segment from the left; then
/// more hosts beats any host, then methods beats any method." Of hosts, an exact one beats a
/// wildcard, and of wildcards the longer; of the same, the port that came (or none) beats any port.
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
            host: HostKind::of(&route.hosts, Authority::of(host).as_ref())?,
            methods: (listed || route.methods.is_empty()).then_some(listed)?,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum HostKind {
    Any,
    Below { bytes: usize, names_port: bool },
    Exact { names_port: bool },
}

impl HostKind {
    fn of(patterns: &[HostPattern], host: Option<&Authority>) -> Option<Self> {
        if patterns.is_empty() {
            return Some(Self::Any);
        }
        let host = host?;
        let fitting = patterns.iter().filter(|pattern| pattern.matches(host));
        let kind = |pattern: &HostPattern| {
            let names_port = !pattern.any_port();
            if pattern.is_below() {
                let bytes = pattern.host().name().len();
                return Self::Below { bytes, names_port };
            }
            Self::Exact { names_port }
        };
        fitting.map(kind).max()
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
    use crate::base::Id as _;

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
        let found = table.find(host, method, &path);
        found.map(|matched| matched.id.place()).ok()
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
            ("a.example", "PUT", 1),
            ("b.example", "PUT", 2),
            ("a.example", "POST", 2),
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

    fn why(table: &RouteTable<()>, host: &str, method: &str, path: &str) -> Option<Unmatched> {
        let path = NormalPath::parse(path.as_bytes()).unwrap();
        table.find(host, method, &path).err()
    }

    #[test]
    fn a_host_is_another_with_a_port_or_a_dot() {
        let table = table(&[
            (&["static.example"], &[], "/{rest*}"),
            (&["api.example:*"], &[], "/{rest*}"),
            (&["api.example:8443"], &[], "/{rest*}"),
            (&["*.shop.example:*"], &[], "/{rest*}"),
            (&["*.shop.example:8443"], &[], "/{rest*}"),
        ])
        .unwrap();
        for (host, index) in [
            ("static.example", Some(0)),
            ("Static.Example", Some(0)),
            ("static.example:8443", None),
            ("static.example:80", None),
            ("static.example:", None),
            ("static.example.", None),
            ("api.example", Some(1)),
            ("api.example:80", Some(1)),
            ("api.example:8443", Some(2)),
            ("api.example:", None),
            ("api.example.:8443", None),
            ("a.shop.example", Some(3)),
            ("a.shop.example:8443", Some(4)),
            ("a.shop.example:", None),
        ] {
            assert_eq!(find(&table, host, "GET", "/"), index, "{host}");
        }
    }

    #[test]
    fn a_port_or_a_dot_cannot_choose_the_route() {
        let table = table(&[
            (&[], &[], "/{rest*}"),
            (&["admin.example"], &[], "/{rest*}"),
            (&["*.shop.example:*"], &[], "/{rest*}"),
            (&["pay.shop.example"], &["GET"], "/{rest*}"),
            (&["port.example:80"], &[], "/{rest*}"),
            (&["[::1]"], &[], "/{rest*}"),
        ])
        .unwrap();
        for host in [
            "admin.example:80",
            "admin.example:",
            "admin.example.",
            "admin.example.:80",
            "pay.shop.example:80",
            "port.example:080",
            "port.example.:80",
            "[0::1]",
        ] {
            assert_eq!(
                why(&table, host, "GET", "/"),
                Some(Unmatched::Host),
                "{host}"
            );
        }
        for (host, index) in [
            ("other.example:80", 0),
            ("other.example.", 0),
            ("a.shop.example:80", 2),
            ("pay.shop.example", 3),
            ("port.example:80", 4),
            ("port.example", 0),
        ] {
            assert_eq!(find(&table, host, "GET", "/"), Some(index), "{host}");
        }
        assert_eq!(find(&table, "pay.shop.example:80", "PUT", "/"), Some(2));
    }

    #[test]
    fn a_path_parameter_cannot_choose_the_route() {
        let table = table(&[(&[], &[], "/admin"), (&[], &[], "/{page}")]).unwrap();
        assert_eq!(find(&table, "h", "GET", "/admin"), Some(0));
        for path in ["/admin;x", "/admin%3Bx", "/admin%3bx;y"] {
            assert_eq!(
                why(&table, "h", "GET", path),
                Some(Unmatched::Path),
                "{path}"
            );
        }
        assert_eq!(find(&table, "h", "GET", "/home;x"), Some(1));
    }

    #[test]
    fn a_spelling_of_the_path_cannot_choose_the_route() {
        let table = table(&[
            (&[], &[], "/public/{rest*}"),
            (&[], &[], "/caf%C3%A9/{id}"),
            (&[], &["GET"], "/v1/{id}"),
            (&[], &["GET"], "/v1/admin"),
            (&[], &["PUT"], "/only"),
        ])
        .unwrap();
        for path in ["/%70ublic/x", "/caf%c3%a9/1", "/v1/%61dmin", "/%761/x"] {
            assert_eq!(
                why(&table, "h", "GET", path),
                Some(Unmatched::Path),
                "{path}"
            );
        }
        for (path, index) in [
            ("/public/%70ublic", 0),
            ("/caf%C3%A9/%61", 1),
            ("/v1/%62", 2),
            ("/v1/admi%6e%6E", 2),
        ] {
            assert_eq!(find(&table, "h", "GET", path), Some(index), "{path}");
        }
        assert_eq!(why(&table, "h", "PUT", "/%6Fnly"), Some(Unmatched::Path));
        assert_eq!(why(&table, "h", "GET", "/%6Fnly"), Some(Unmatched::Unknown));
    }

    #[test]
    fn a_method_that_is_not_ordinary_only_finds_routes_that_name_it() {
        let table = table(&[(&[], &[], "/{rest*}"), (&[], &["PROPFIND"], "/dav/{rest*}")]).unwrap();
        for method in Method::ORDINARY {
            assert_eq!(find(&table, "h", method, "/dav/x"), Some(0), "{method}");
        }
        assert_eq!(find(&table, "h", "PROPFIND", "/dav/x"), Some(1));
        for method in ["PROPFIND", "MKCOL", "get", "MADE-UP", ""] {
            assert_eq!(find(&table, "h", method, "/x"), None, "{method}");
        }
    }

    #[test]
    fn a_method_that_a_route_does_not_name_finds_no_other_route_behind_it() {
        let table = table(&[(&[], &["PURGE"], "/{rest*}"), (&[], &[], "/v1/{id}")]).unwrap();
        assert_eq!(find(&table, "h", "PURGE", "/x"), Some(0));
        assert_eq!(find(&table, "h", "PURGE", "/v1/7"), None);
    }

    #[test]
    fn routes_that_are_as_specific_and_can_match_the_same_request_overlap() {
        let first_and_second = vec![Overlap {
            first: RouteId::at(0),
            second: RouteId::at(1),
        }];
        type Ranked<'a> = (&'a [&'a str], &'a [&'a str], &'a str);
        const OVERLAPS: &[[Ranked<'_>; 2]] = &[
            [(&[], &[], "/{a}"), (&[], &[], "/{b}")],
            [(&[], &["GET", "PUT"], "/a"), (&[], &["PUT"], "/a")],
            [
                (&["A.example"], &[], "/a"),
                (&["*.b", "a.example"], &[], "/a"),
            ],
            [(&["*.a"], &["GET"], "/{x*}"), (&["*.a"], &["GET"], "/{y*}")],
            [(&["a:*"], &[], "/a"), (&["b", "A:*"], &[], "/a")],
        ];
        for routes in OVERLAPS {
            assert_eq!(table(routes).unwrap_err(), first_and_second, "{routes:?}");
        }
        const APART: &[[Ranked<'_>; 2]] = &[
            [(&[], &[], "/a"), (&[], &[], "/a/")],
            [(&[], &[], "/a"), (&[], &["GET"], "/a")],
            [(&["a"], &[], "/a"), (&[], &["GET"], "/a")],
            [(&["a.b"], &[], "/a"), (&["*.b"], &[], "/a")],
            [(&["a.b"], &[], "/a"), (&["a.b:80"], &[], "/a")],
            [(&["a.b:*"], &[], "/a"), (&["a.b"], &[], "/a")],
            [(&["*.b:*"], &[], "/a"), (&["*.b:80"], &[], "/a")],
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
