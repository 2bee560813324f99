//! The route table's index: a tree of segments, and at each end the hosts and methods.
//!
//! A lookup costs hash lookups for the segments of the path, whatever the number of routes.
//! Backtracking is bounded twice: by the nodes of the tree, and by two branches a segment. Nodes
//! lie side by side and are small, since with many routes a lookup costs what it misses in the
//! processor's cache.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use super::hosts::{Authority, HostPattern};
use super::template::{PathTemplate, Segment};
use crate::base::{Id as _, Listed, RouteId, ids};
use crate::request::Method;

/// Keys come from the configuration, so nobody can choose them to collide: no random seed is
/// needed, and a table is the same on every worker.
type TrieMap<V> = HashMap<Box<str>, V, BuildHasherDefault<DefaultHasher>>;

/// The tree. The first node is the root.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Listed<NodeId, TrieNode>,
    methods: TrieMap<MethodId>,
}

ids! {
    /// A node, by its place among all.
    NodeId;
    /// A method that a route names, by its place among all, so that ends need not hold its name.
    MethodId;
}

/// The first node.
fn root() -> NodeId {
    NodeId::at(0)
}

/// A node of the tree: what may follow, and the routes that end here.
#[derive(Debug, Default)]
struct TrieNode {
    literals: TrieMap<NodeId>,
    parameter: Option<NodeId>,
    ends: Ends,
    rest: Option<Box<Ends>>,
}

/// What a lookup looks for beside the path.
struct Searched<'a> {
    host: Option<&'a Authority>,
    method: Option<MethodId>,
}

/// What a lookup finds.
#[derive(Clone, Copy)]
pub(super) struct Hit {
    /// The route.
    pub route: RouteId,
    /// Whether the route names the host as it came, with its port or without any.
    pub names_port: bool,
}

impl Trie {
    pub(super) fn new() -> Self {
        Self {
            nodes: [TrieNode::default()].into_iter().collect(),
            methods: TrieMap::default(),
        }
    }

    /// Enters a route; the route that is there already where both would match the same request.
    pub(super) fn insert(
        &mut self,
        template: &PathTemplate,
        hosts: &[HostPattern],
        methods: &[Method],
        route: RouteId,
    ) -> Option<RouteId> {
        let methods: Vec<MethodId> = methods.iter().map(|method| self.id_of(method)).collect();
        let at = template
            .segments()
            .iter()
            .fold(root(), |at, segment| self.follow(at, segment));
        let has_rest = matches!(template.segments().last(), Some(Segment::Rest(_)));
        let node = self.nodes.get_mut(at)?;
        let ends = if has_rest {
            node.rest.get_or_insert_default()
        } else {
            &mut node.ends
        };
        ends.insert(hosts, &methods, route)
    }

    /// The most specific route for that path, without its first `/`.
    pub(super) fn find(&self, path: &str, host: Option<&Authority>, method: &str) -> Option<Hit> {
        let method = self.methods.get(method).copied();
        self.find_below(root(), Some(path), &Searched { host, method })
    }

    /// "A literal beats a parameter, a parameter beats a rest, segment by segment from the left."
    /// Where no route at an end fits host and method, the next best is tried.
    ///
    /// `left` is the path still to be read; none at its end.
    fn find_below(&self, at: NodeId, left: Option<&str>, wanted: &Searched<'_>) -> Option<Hit> {
        let node = self.nodes.get(at)?;
        let Some(left) = left else {
            return node.ends.find(wanted);
        };
        let (head, tail) = match left.split_once('/') {
            Some((head, tail)) => (head, Some(tail)),
            None => (left, None),
        };
        let literal = node.literals.get(head).copied();
        let parameter = node.parameter.filter(|_| !head.is_empty());
        literal
            .and_then(|next| self.find_below(next, tail, wanted))
            .or_else(|| self.find_below(parameter?, tail, wanted))
            .or_else(|| node.rest.as_ref()?.find(wanted))
    }

    /// The node below that one, made where there is none; a rest stays where it is.
    fn follow(&mut self, at: NodeId, segment: &Segment) -> NodeId {
        let new = NodeId::at(self.nodes.len());
        let Some(node) = self.nodes.get_mut(at) else {
            return at;
        };
        let next = match segment {
            Segment::Literal(text) => *node.literals.entry(text.as_str().into()).or_insert(new),
            Segment::Parameter(_) => *node.parameter.get_or_insert(new),
            Segment::Rest(_) => return at,
        };
        if next == new {
            self.nodes.push(TrieNode::default());
        }
        next
    }

    /// The id of a method, a new one where no route named it before.
    fn id_of(&mut self, method: &Method) -> MethodId {
        let new = MethodId::at(self.methods.len());
        *self.methods.entry(method.as_str().into()).or_insert(new)
    }
}

/// The routes that end at one place, by host.
#[derive(Debug, Default)]
struct Ends {
    any: Methods,
    named: Option<Box<Named>>,
}

/// The routes that end at one place and name their hosts.
#[derive(Debug, Default)]
struct Named {
    exact: Ports,
    below: Ports,
}

/// The routes of hosts, by the host as it came, and by its name where any port fits.
#[derive(Debug, Default)]
struct Ports {
    one: TrieMap<Methods>,
    any: TrieMap<Methods>,
}

impl Ends {
    fn insert(
        &mut self,
        hosts: &[HostPattern],
        methods: &[MethodId],
        route: RouteId,
    ) -> Option<RouteId> {
        if hosts.is_empty() {
            return self.any.insert(methods, route);
        }
        let named = self.named.get_or_insert_default();
        let taken = hosts.iter().map(|host| {
            let ports = if host.is_below() {
                &mut named.below
            } else {
                &mut named.exact
            };
            let map = if host.any_port() {
                &mut ports.any
            } else {
                &mut ports.one
            };
            let entry = map.entry(host.host().as_str().into());
            entry.or_default().insert(methods, route)
        });
        // Every host is entered, also after one that is taken.
        taken.fold(None, Option::or)
    }

    /// "Then more hosts beats any host, then methods beats any method."
    fn find(&self, wanted: &Searched<'_>) -> Option<Hit> {
        let named = self.named.as_ref();
        let any = || {
            Some(Hit {
                route: self.any.find(wanted.method)?,
                names_port: false,
            })
        };
        named
            .and_then(|named| named.find(wanted.host?, wanted.method))
            .or_else(any)
    }
}

impl Named {
    /// The host itself before what it is below, the nearest first; of each, with the port that came
    /// before with any.
    fn find(&self, host: &Authority, method: Option<MethodId>) -> Option<Hit> {
        let exact = self
            .exact
            .find(host.as_str(), host.name_of_any_port(), method);
        exact.or_else(|| self.find_parent(host, method))
    }

    fn find_parent(&self, host: &Authority, method: Option<MethodId>) -> Option<Hit> {
        if self.below.is_empty() {
            return None;
        }
        host.parents()
            .find_map(|(parent, name)| self.below.find(parent, name, method))
    }
}

impl Ports {
    fn find(&self, as_it_came: &str, name: Option<&str>, method: Option<MethodId>) -> Option<Hit> {
        let found = |map: &TrieMap<Methods>, text: &str, names_port| {
            let route = map.get(text)?.find(method)?;
            Some(Hit { route, names_port })
        };
        found(&self.one, as_it_came, true).or_else(|| found(&self.any, name?, false))
    }

    fn is_empty(&self) -> bool {
        self.one.is_empty() && self.any.is_empty()
    }
}

/// The routes of one place and host, by method: a handful, so a list.
#[derive(Debug, Default)]
struct Methods {
    any: Option<RouteId>,
    listed: Vec<(MethodId, RouteId)>,
}

impl Methods {
    fn insert(&mut self, methods: &[MethodId], route: RouteId) -> Option<RouteId> {
        let mut taken = if methods.is_empty() {
            self.any.replace(route)
        } else {
            None
        };
        for &method in methods {
            taken = taken.or(self.find_listed(method));
            self.listed.push((method, route));
        }
        taken.filter(|&other| other != route)
    }

    fn find(&self, method: Option<MethodId>) -> Option<RouteId> {
        method
            .and_then(|method| self.find_listed(method))
            .or(self.any)
    }

    fn find_listed(&self, method: MethodId) -> Option<RouteId> {
        let mut listed = self.listed.iter();
        listed.find_map(|&(other, route)| (other == method).then_some(route))
    }
}
