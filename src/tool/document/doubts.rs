//! What is not read by every reader of YAML in the same way.

use std::collections::HashMap;

use postern_core::base::Excerpt;
use postern_core::config::{Finding, Mistake, Severity};

use super::node::{Doubt, Node, path_at, path_to};
use super::{Document, Problem, UNPORTABLE_YAML};

/// Notes names that are there twice, anywhere, and doubts within the configurations that begin at
/// `roots`.
pub fn note(document: &Node, roots: &[usize], file: &Document, problems: &mut Vec<Problem>) {
    let walk = Walk { roots, file };
    walk.node(document, "", false, problems);
}

struct Walk<'a> {
    roots: &'a [usize],
    file: &'a Document,
}

impl Walk<'_> {
    fn node(&self, node: &Node, path: &str, within: bool, problems: &mut Vec<Problem>) {
        let begins = !within && self.roots.contains(&node.at);
        let (path, within) = if begins { ("", true) } else { (path, within) };
        let doubt = node.doubt.as_ref().filter(|_| within);
        problems.extend(doubt.map(|doubt| problem(doubt, node.at, path)));
        let mut seen = HashMap::new();
        for member in node.members() {
            let path = path_to(path, &member.name);
            match seen.get(&member.name) {
                Some(first) => problems.push(self.repeated(*first, member.at, &path)),
                None => drop(seen.insert(&member.name, member.at)),
            }
            let doubt = member.doubt.as_ref().filter(|_| within);
            problems.extend(doubt.map(|doubt| problem(doubt, member.at, &path)));
            self.node(&member.value, &path, within, problems);
        }
        for (index, element) in node.elements().iter().enumerate() {
            self.node(element, &path_at(path, index), within, problems);
        }
    }

    fn repeated(&self, first: usize, at: usize, path: &str) -> Problem {
        let line = self.file.position(first).line;
        let problem = format!("is there twice, first in line {line}");
        let finding = Finding::error(Mistake::Duplicate, path, problem, "once is needed");
        Problem { at, finding }
    }
}

fn problem(doubt: &Doubt, at: usize, path: &str) -> Problem {
    let error = |problem: &str, remedy: &'static str| {
        Finding::new(UNPORTABLE_YAML, Severity::Error, path, problem, remedy)
    };
    let finding = match doubt {
        Doubt::Ambiguous(what) => Finding::new(
            "ambiguous-yaml",
            Severity::Warning,
            path,
            format!("is written without quotes, and other readers of YAML take it for {what}"),
            "quote it, or write true or false, or a plain number",
        ),
        Doubt::Merge => error(
            "is merged by some readers of YAML and refused by others",
            "write the members out",
        ),
        Doubt::Name => error("is a name that is a list or a map", "a text is needed"),
        Doubt::Number => error("is a number that JSON does not have", "another is needed"),
        Doubt::Tag(tag) => {
            let tag = Excerpt::of(tag);
            let problem = format!("has the tag {tag}, which only some readers know");
            error(&problem, "write the value without it")
        }
    };
    Problem { at, finding }
}
