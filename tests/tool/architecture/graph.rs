//! What needs what, and what needs each other.

use std::collections::BTreeSet;

/// From, and to.
pub type Edges = BTreeSet<(String, String)>;

/// The groups in which each needs each other, by whatever way, in order.
pub fn knots(edges: &Edges) -> Vec<Vec<String>> {
    let names: BTreeSet<&String> = edges.iter().flat_map(|(from, to)| [from, to]).collect();
    let mut found: Vec<Vec<String>> = Vec::new();
    for name in names {
        if found.iter().any(|knot| knot.contains(name)) {
            continue;
        }
        let reached = reached(edges, name);
        let knot = reached
            .iter()
            .filter(|other| self::reached(edges, other).contains(name));
        let mut knot: Vec<String> = knot.map(|other| (*other).clone()).collect();
        if knot.contains(name) {
            knot.sort();
            found.push(knot);
        }
    }
    found
}

fn reached<'a>(edges: &'a Edges, from: &str) -> BTreeSet<&'a String> {
    let mut found = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        for (_, to) in edges.iter().filter(|(start, _)| start == name) {
            if found.insert(to) {
                open.push(to);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_knot_is_what_leads_back() {
        let edges = [("a", "b"), ("b", "c"), ("c", "b"), ("d", "d"), ("c", "e")];
        let edges = edges
            .map(|(from, to)| (from.to_owned(), to.to_owned()))
            .into();
        assert_eq!(knots(&edges), [vec!["b", "c"], vec!["d"]]);
    }
}
