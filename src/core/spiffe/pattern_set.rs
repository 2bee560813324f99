//! Many patterns of SPIFFE IDs, looked up at once: a tree of segments below each trust domain.
//!
//! It is built as the route table's tree is, and is another one since an end here holds one value,
//! where an end there holds hosts and methods.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, DefaultHasher},
};

use super::{SpiffeId, SpiffePattern, TrustDomain, pattern::PatternSegment};

/// Keys come from the configuration, so nobody can choose them to collide: no random seed is
/// needed, and a table is the same on every worker.
type PatternMap<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// Many patterns, each with what it stands for: nothing where only a match is wanted.
///
/// A lookup takes one hash lookup for the trust domain and one for each segment, whatever the
/// number of patterns. Where stars make paths branch it is bounded by two branches a segment, by
/// 32 segments, and by looking at no node of the tree twice.
#[derive(Clone, Debug, PartialEq)]
pub struct SpiffePatterns<T = ()> {
    domains: PatternMap<TrustDomain, usize>,
    nodes: Vec<PatternNode<T>>,
}

#[derive(Clone, Debug, PartialEq)]
struct PatternNode<T> {
    literals: PatternMap<Box<str>, usize>,
    any: Option<usize>,
    end: Option<T>,
    rest: Option<T>,
}

impl<T> SpiffePatterns<T> {
    /// Enters a pattern.
    ///
    /// # Errors
    ///
    /// Gives the value back, and changes nothing, where the very same pattern is there already.
    pub fn insert(&mut self, pattern: &SpiffePattern, value: T) -> Result<(), T> {
        let at = self.domain(pattern.trust_domain());
        let at = pattern
            .segments
            .iter()
            .fold(at, |at, segment| self.follow(at, segment));
        let Some(node) = self.nodes.get_mut(at) else {
            return Err(value);
        };
        let place = if pattern.rest {
            &mut node.rest
        } else {
            &mut node.end
        };
        if place.is_some() {
            return Err(value);
        }
        *place = Some(value);
        Ok(())
    }

    /// What the most specific pattern that matches stands for: a name beats `*`, and `*` beats
    /// `**`, segment by segment from the left.
    #[must_use]
    pub fn find(&self, id: &SpiffeId) -> Option<&T> {
        self.find_counting(id, &mut 0)
    }

    /// Whether any pattern matches.
    #[must_use]
    pub fn matches(&self, id: &SpiffeId) -> bool {
        self.find(id).is_some()
    }

    /// Whether there is no pattern.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Looks an ID up, and counts how many nodes that took.
    fn find_counting(&self, id: &SpiffeId, looked_at: &mut usize) -> Option<&T> {
        let root = *self.domains.get(id.trust_domain())?;
        self.find_below(root, id.path().strip_prefix('/'), looked_at)
    }

    /// `left` is the path still to be read; none at its end.
    fn find_below(&self, at: usize, left: Option<&str>, looked_at: &mut usize) -> Option<&T> {
        *looked_at = looked_at.saturating_add(1);
        let node = self.nodes.get(at)?;
        let Some(left) = left else {
            return node.end.as_ref();
        };
        let (head, tail) = match left.split_once('/') {
            Some((head, tail)) => (head, Some(tail)),
            None => (left, None),
        };
        let branches = [node.literals.get(head).copied(), node.any];
        let mut branches = branches.into_iter().flatten();
        branches
            .find_map(|next| self.find_below(next, tail, looked_at))
            .or(node.rest.as_ref())
    }

    fn domain(&mut self, domain: &TrustDomain) -> usize {
        if let Some(root) = self.domains.get(domain) {
            return *root;
        }
        let root = self.nodes.len();
        self.domains.insert(domain.clone(), root);
        self.nodes.push(PatternNode::default());
        root
    }

    /// The node below that one, made where there is none.
    fn follow(&mut self, at: usize, segment: &PatternSegment) -> usize {
        let new = self.nodes.len();
        let Some(node) = self.nodes.get_mut(at) else {
            return at;
        };
        let next = match segment {
            PatternSegment::Literal(name) => *node.literals.entry(name.clone()).or_insert(new),
            PatternSegment::Any => *node.any.get_or_insert(new),
        };
        if next == new {
            self.nodes.push(PatternNode::default());
        }
        next
    }
}

impl<'p> FromIterator<&'p SpiffePattern> for SpiffePatterns {
    fn from_iter<I: IntoIterator<Item = &'p SpiffePattern>>(patterns: I) -> Self {
        let mut all = Self::default();
        for pattern in patterns {
            // One that is there already matches no more for being there twice.
            let _ = all.insert(pattern, ());
        }
        all
    }
}

impl<T> Default for SpiffePatterns<T> {
    fn default() -> Self {
        Self {
            domains: PatternMap::default(),
            nodes: Vec::new(),
        }
    }
}

impl<T> Default for PatternNode<T> {
    fn default() -> Self {
        Self {
            literals: PatternMap::default(),
            any: None,
            end: None,
            rest: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> SpiffePattern {
        SpiffePattern::parse(text).unwrap()
    }

    fn id(text: &str) -> SpiffeId {
        SpiffeId::parse(text).unwrap()
    }

    #[test]
    fn the_most_specific_pattern_is_found_segment_by_segment_from_the_left() {
        let mut patterns = SpiffePatterns::default();
        for text in [
            "spiffe://a/**",
            "spiffe://a/*/x",
            "spiffe://a/ns/**",
            "spiffe://a/ns/*/y",
            "spiffe://a/ns/z/y",
            "spiffe://b/ns/z/y",
        ] {
            assert_eq!(patterns.insert(&pattern(text), text), Ok(()));
            assert_eq!(patterns.insert(&pattern(text), "again"), Err("again"));
        }
        const CASES: &[(&str, Option<&str>)] = &[
            ("spiffe://a/ns/z/y", Some("spiffe://a/ns/z/y")),
            ("spiffe://a/ns/q/y", Some("spiffe://a/ns/*/y")),
            ("spiffe://a/ns/z/z", Some("spiffe://a/ns/**")),
            ("spiffe://a/ns/x", Some("spiffe://a/ns/**")),
            ("spiffe://a/q/x", Some("spiffe://a/*/x")),
            ("spiffe://a/ns", Some("spiffe://a/**")),
            ("spiffe://b/ns/z/y", Some("spiffe://b/ns/z/y")),
            ("spiffe://b/ns/q/y", None),
            ("spiffe://c/ns/z/y", None),
            ("spiffe://a", None),
        ];
        for (text, expected) in CASES {
            assert_eq!(patterns.find(&id(text)).copied(), *expected, "{text}");
        }
    }

    #[test]
    fn a_lookup_takes_as_many_steps_among_ten_patterns_as_among_fifty_thousand() {
        let steps = |count: usize| {
            let mut patterns = SpiffePatterns::default();
            for index in 0..count {
                let text = format!("spiffe://a/ns/n{index}/sa/s{index}");
                patterns.insert(&pattern(&text), index).unwrap();
            }
            patterns
                .insert(&pattern("spiffe://a/ns/*/sa/x"), 0)
                .unwrap();
            let mut looked_at = [0; 3];
            let ids = [
                "spiffe://a/ns/n7/sa/s7",
                "spiffe://a/ns/n7/sa/x",
                "spiffe://a/ns/q/sa/q",
            ];
            for (text, looked_at) in ids.iter().zip(&mut looked_at) {
                patterns.find_counting(&id(text), looked_at);
            }
            looked_at
        };
        assert_eq!(steps(10), [5, 7, 4]);
        assert_eq!(steps(10), steps(50_000));
    }

    #[test]
    fn a_long_id_among_patterns_of_stars_looks_at_no_node_twice() {
        let texts = (0..1024_u32).map(|bits| {
            let star = |bit: u32| if bits >> bit & 1 == 1 { "/*" } else { "/a" };
            format!("spiffe://a{}/end", (0..10).map(star).collect::<String>())
        });
        let all: Vec<SpiffePattern> = texts.map(|text| pattern(&text)).collect();
        let patterns = SpiffePatterns::from_iter(&all);
        let mut looked_at = 0;
        let long = id(&format!("spiffe://a{}", "/a".repeat(1000)));
        assert_eq!(patterns.find_counting(&long, &mut looked_at), None);
        assert!(looked_at < patterns.nodes.len(), "{looked_at}");
    }

    #[cfg(not(target_family = "wasm"))]
    mod properties {
        use super::*;
        use proptest::prelude::*;

        /// Compares segment lists, one pattern after the other.
        fn naive(pattern: &str, id: &str) -> bool {
            fn matches(pattern: &[&str], id: &[&str]) -> bool {
                match (pattern, id) {
                    ([], []) => true,
                    (["**"], [_, ..]) => true,
                    (["*", pattern @ ..], [_, id @ ..]) => matches(pattern, id),
                    ([name, pattern @ ..], [other, id @ ..]) => {
                        name == other && matches(pattern, id)
                    }
                    _ => false,
                }
            }
            let pattern: Vec<&str> = pattern.split('/').collect();
            let id: Vec<&str> = id.split('/').collect();
            matches(&pattern, &id)
        }

        /// How specific a pattern is: names before stars before the rest, from the left.
        fn rank(pattern: &str) -> Vec<u8> {
            let kind = |segment: &str| match segment {
                "**" => 2,
                "*" => 1,
                _ => 0,
            };
            pattern.split('/').map(kind).collect()
        }

        fn any_text(segment: &'static str, end: &'static str) -> impl Strategy<Value = String> {
            ("spiffe://[ab]", prop::collection::vec(segment, 0..5), end)
                .prop_map(|(domain, segments, end)| format!("{domain}{}{end}", segments.concat()))
        }

        proptest! {
            #[test]
            fn patterns_find_what_comparing_one_by_one_finds(
                texts in prop::collection::vec(any_text("/([ab]|\\*)", "(/\\*\\*)?"), 0..12),
                ids in prop::collection::vec(any_text("/[abc]", ""), 1..12),
            ) {
                let mut patterns = SpiffePatterns::default();
                for text in &texts {
                    let _ = patterns.insert(&pattern(text), text.clone());
                }
                for text in &ids {
                    let matching: Vec<&String> =
                        texts.iter().filter(|pattern| naive(pattern, text)).collect();
                    let one_by_one: Vec<&String> =
                        texts.iter().filter(|other| pattern(other).matches(&id(text))).collect();
                    prop_assert_eq!(&one_by_one, &matching);
                    let best = matching.into_iter().min_by_key(|pattern| rank(pattern));
                    prop_assert_eq!(patterns.find(&id(text)), best);
                }
            }

            #[test]
            fn what_is_parsed_is_shown_as_it_was_written(text in "spiffe://[a*]/[ab*./]{0,8}") {
                if let Ok(pattern) = SpiffePattern::parse(&text) {
                    prop_assert_eq!(pattern.to_string(), text);
                }
            }
        }
    }
}
