//! What pages point at: other pages and their headings, files, and tests by name.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::page::{files, root};

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for (page, text) in pages() {
        for target in links(&text) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let folder = page.parent().unwrap_or(root());
            let file = if file.is_empty() {
                page.clone()
            } else {
                folder.join(file)
            };
            let found = fs::read_to_string(&file)
                .is_ok_and(|text| heading.is_empty() || headings(&text).any(|one| one == heading));
            if !found {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// A claim that names what shows it is worth that much only for as long as it is there.
#[test]
fn every_test_and_file_that_a_page_names_is_there() {
    let tests = tests();
    let mut missing = Vec::new();
    for (page, text) in pages() {
        for name in quoted(&text) {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "_/.-".contains(c);
            if !name.chars().all(is_plain) {
                continue;
            }
            let is_file = ["src/", "tests/", "envoy/", "docs/", "scripts/"];
            let is_test = name.matches('_').count() > 3 && !name.contains(['.', '/']);
            let is_missing = (is_file.iter().any(|folder| name.starts_with(folder))
                && !root().join(name).exists())
                || (is_test && !tests.contains(name));
            if is_missing {
                missing.push(format!("{}: {name}", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The pages below docs and those at the root, with their texts.
fn pages() -> Vec<(PathBuf, String)> {
    let is_page = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "md");
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("pages can be read");
        (file, text)
    };
    let pages = files("docs").into_iter().filter(is_page);
    let at_root = [
        "README.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
    ]
    .map(|name| root().join(name));
    pages.chain(at_root).map(read).collect()
}

/// The targets of links that are not addresses.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://"))
}

/// The names by which a page's headings are linked to, as GitHub makes them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let lines = text.lines().filter(|line| line.starts_with('#'));
    lines.map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || " _-".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

/// What stands between backticks on one line.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The names of all functions in src and tests, those of Python included.
fn tests() -> BTreeSet<String> {
    let files = files("src").into_iter().chain(files("tests"));
    let mut names = BTreeSet::new();
    for text in files.filter_map(|file| fs::read_to_string(file).ok()) {
        for line in text.lines().map(str::trim_start) {
            let rest = line
                .strip_prefix("fn ")
                .or_else(|| line.strip_prefix("def "));
            names.extend(
                rest.and_then(|rest| rest.split('(').next())
                    .map(str::to_owned),
            );
        }
    }
    names
}
