//! What a proxy is told around a configuration, where that undoes it.

use postern_core::config::{Finding, Severity};

use super::Problem;
use super::find::Found;
use super::node::{Member, Node, path_at, path_to};

/// Notes settings around the configurations that let requests by, or change what Postern sees.
pub fn note(document: &Node, found: &[Found<'_>], problems: &mut Vec<Problem>) {
    if found.iter().any(|found| !found.path.is_empty()) {
        walk(document, "", found, problems);
    }
}

/// The connection manager whose filter a configuration is, and the path to it.
pub fn manager<'n>(node: &'n Node, path: &str, configuration: &str) -> Option<(String, &'n Node)> {
    let filters = node.member(&["http_filters", "httpFilters"]);
    let holds = |path: &str| configuration.starts_with(path);
    if filters.is_some_and(|filters| holds(&path_to(path, &filters.name))) {
        return Some((path.to_owned(), node));
    }
    let members = node.members().iter();
    let members = members.map(|member| (path_to(path, &member.name), &member.value));
    let elements = node.elements().iter().enumerate();
    let elements = elements.map(|(index, element)| (path_at(path, index), element));
    members
        .chain(elements)
        .filter(|(path, _)| holds(path))
        .find_map(|(path, node)| manager(node, &path, configuration))
}

fn walk(node: &Node, path: &str, found: &[Found<'_>], problems: &mut Vec<Problem>) {
    for member in node.members() {
        let path = path_to(path, &member.name);
        // The configuration itself is looked at elsewhere.
        if found.iter().any(|found| found.path == path) {
            continue;
        }
        if found.iter().any(|found| is_beside(&path, &found.path)) && opens(member) {
            problems.push(problem(
                "fail-open",
                member,
                &path,
                "lets every request through where the filter does not start",
                "let it fail closed",
            ));
        }
        walk(&member.value, &path, found, problems);
    }
    for (index, element) in node.elements().iter().enumerate() {
        walk(element, &path_at(path, index), found, problems);
    }
    let filters = node.member(&["http_filters", "httpFilters"]);
    let prefix = filters.map(|filters| path_to(path, &filters.name));
    let holds = |prefix: String| found.iter().any(|found| found.path.starts_with(&prefix));
    if let (Some(filters), true) = (filters, prefix.is_some_and(holds)) {
        connection_manager(node, filters, path, problems);
        caches(filters, path, found, problems);
    }
}

/// Whether a member is one of the object that the configuration is a member of, at any depth.
fn is_beside(member: &str, configuration: &str) -> bool {
    let parent = member.rsplit_once('.').map_or("", |(parent, _)| parent);
    configuration
        .strip_prefix(parent)
        .is_some_and(|rest| rest.starts_with('.') || parent.is_empty())
}

/// Whether a filter that does not start lets requests through.
fn opens(member: &Member) -> bool {
    let value = member.value.to_json();
    match member.name.as_str() {
        "failure_policy" | "failurePolicy" => value == "FAIL_OPEN",
        "failStrategy" => value == "FAIL_OPEN",
        "fail_open" | "failOpen" => value == true,
        _ => false,
    }
}

fn connection_manager(node: &Node, filters: &Member, path: &str, problems: &mut Vec<Problem>) {
    let remote = node.member(&["use_remote_address", "useRemoteAddress"]);
    if remote.is_none_or(|remote| remote.value.to_json() != true) {
        let at = remote.unwrap_or(filters);
        let path = path_to(path, "use_remote_address");
        let message = "is not true, so the proxy takes callers' addresses from x-forwarded-for, which they can write";
        problems.push(problem(
            "written-address",
            at,
            &path,
            message,
            "set it to true",
        ));
    }
    let repairs: [(&[&str], &[&str]); 3] = [
        (&["normalize_path", "normalizePath"], &["true"]),
        (&["merge_slashes", "mergeSlashes"], &["true"]),
        (
            &[
                "path_with_escaped_slashes_action",
                "pathWithEscapedSlashesAction",
            ],
            &["\"UNESCAPE_AND_REDIRECT\"", "\"UNESCAPE_AND_FORWARD\""],
        ),
    ];
    for (names, values) in repairs {
        let member = node.member(names);
        let repairs =
            |member: &&Member| values.contains(&member.value.to_json().to_string().as_str());
        if let Some(member) = member.filter(repairs) {
            let path = path_to(path, &member.name);
            let message = "repairs paths before Postern sees them, so what it refuses is let through repaired";
            problems.push(problem(
                "repaired-path",
                member,
                &path,
                message,
                "leave it off",
            ));
        }
    }
}

/// Notes caches beside Postern. Envoy's calls the upstream itself, past every filter behind it.
fn caches(filters: &Member, path: &str, found: &[Found<'_>], problems: &mut Vec<Problem>) {
    let prefix = path_to(path, &filters.name);
    let is_postern = |index: usize| {
        let within = format!("{}.", path_at(&prefix, index));
        found.iter().any(|found| found.path.starts_with(&within))
    };
    let mut before = true;
    for (index, filter) in filters.value.elements().iter().enumerate() {
        before &= !is_postern(index);
        let is_cache = |member: &&Member| {
            let text = member.value.to_json().to_string();
            ["envoy.filters.http.cache", ".http.cache."]
                .iter()
                .any(|part| text.contains(part))
        };
        let Some(member) = filter.members().iter().find(is_cache) else {
            continue;
        };
        let (rule, message, remedy) = if before {
            (
                "bypassing-cache",
                "is a cache before Postern, which calls the upstream past it, so that requests without authorization are let through undecided",
                "put it behind",
            )
        } else {
            (
                "shared-cache",
                "is a cache behind Postern, which does not see whose answers are, and gives them to other callers",
                "set tokens.marker to true",
            )
        };
        let path = path_at(&prefix, index);
        problems.push(problem(rule, member, &path, message, remedy));
    }
}

fn problem(
    rule: &'static str,
    member: &Member,
    path: &str,
    message: &str,
    remedy: &'static str,
) -> Problem {
    Problem {
        at: member.at,
        finding: Finding::new(rule, Severity::Warning, path, message, remedy),
    }
}
