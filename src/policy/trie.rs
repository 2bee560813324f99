//! The route table's index: a tree of segments, and at each end the hosts and methods.
//!
//! A lookup costs hash lookups for the segments of the path, whatever the number of routes.
//! Backtracking is bounded twice: by the nodes of the tree, and by two branches a segment.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use super::hosts::{Host, HostPattern};
use super::method::Method;
use super::template::{PathTemplate, Segment};

/// Keys come from the configuration, so nobody can choose them to collide: no random seed is
/// needed, and a table is the same on every worker.
type Map<V> = HashMap<Box<str>, V, BuildHasherDefault<DefaultHasher>>;

/// A node of the tree: what may follow, and the routes that end here.
#[derive(Debug, Default)]
pub(super) struct Node {
    literals: Map<Node>,
    parameter: Option<Box<Node>>,
    rest: Ends,
    ends: Ends,
}

impl Node {
    /// Where routes with the template's shape end; two templates of one shape share it.
    pub(super) fn ends_of(&mut self, template: &PathTemplate) -> &mut Ends {
        let mut node = self;
        for segment in template.segments() {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.as_str().into()).or_default(),
                Segment::Parameter(_) => node.parameter.get_or_insert_default(),
                Segment::Rest(_) => return &mut node.rest,
            };
        }
        &mut node.ends
    }

    /// The most specific route: "A literal beats a parameter, a parameter beats a rest, segment by
    /// segment from the left". Where none at an end fits host and method, the next best is tried.
    ///
    /// `left` is the path still to be read; none at its end.
    pub(super) fn find(&self, left: Option<&str>, wanted: &Wanted<'_>) -> Option<usize> {
        let Some(left) = left else {
            return self.ends.find(wanted);
        };
        let (head, tail) = match left.split_once('/') {
            Some((head, tail)) => (head, Some(tail)),
            None => (left, None),
        };
        let literal = self.literals.get(head);
        let parameter = self.parameter.as_deref().filter(|_| !head.is_empty());
        literal
            .and_then(|node| node.find(tail, wanted))
            .or_else(|| parameter.and_then(|node| node.find(tail, wanted)))
            .or_else(|| self.rest.find(wanted))
    }
}

/// What a lookup looks for beside the path.
pub(super) struct Wanted<'a> {
    pub(super) host: Option<&'a Host>,
    pub(super) method: &'a str,
}

/// The routes that end at one place, by host.
#[derive(Debug, Default)]
pub(super) struct Ends {
    exact: Map<Methods>,
    below: Map<Methods>,
    any: Methods,
}

impl Ends {
    /// Enters a route; the route that is there already where both would match the same request.
    pub(super) fn insert(
        &mut self,
        hosts: &[HostPattern],
        methods: &[Method],
        route: usize,
    ) -> Option<usize> {
        if hosts.is_empty() {
            return self.any.insert(methods, route);
        }
        let taken = hosts.iter().map(|host| {
            let entry = match host {
                HostPattern::Exact(host) => self.exact.entry(host.as_str().into()),
                HostPattern::Below(parent) => self.below.entry(parent.as_str().into()),
            };
            entry.or_default().insert(methods, route)
        });
        // Every host is entered, so that each overlap is found.
        taken.fold(None, Option::or)
    }

    /// "Then more hosts beats any host, then methods beats any method."
    fn find(&self, wanted: &Wanted<'_>) -> Option<usize> {
        let host = wanted.host;
        let exact = host.and_then(|host| self.exact.get(host.as_str())?.find(wanted.method));
        exact
            .or_else(|| self.find_below(host?, wanted.method))
            .or_else(|| self.any.find(wanted.method))
    }

    fn find_below(&self, host: &Host, method: &str) -> Option<usize> {
        if self.below.is_empty() {
            return None;
        }
        host.parents()
            .find_map(|parent| self.below.get(parent)?.find(method))
    }
}

/// The routes of one place and host, by method.
#[derive(Debug, Default)]
struct Methods {
    listed: Map<usize>,
    any: Option<usize>,
}

impl Methods {
    fn insert(&mut self, methods: &[Method], route: usize) -> Option<usize> {
        let mut taken = None;
        if methods.is_empty() {
            taken = self.any.replace(route);
        }
        for method in methods {
            taken = taken.or(self.listed.insert(method.as_str().into(), route));
        }
        taken.filter(|&other| other != route)
    }

    fn find(&self, method: &str) -> Option<usize> {
        self.listed.get(method).copied().or(self.any)
    }
}
