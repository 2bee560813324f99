//! The page of metrics, held to the calls that make them.

use std::collections::BTreeMap;

use postern_core::keys::fetch::FetchError;

use super::page::{Page, names, sources};

/// Where the calls themselves are, which name nothing.
const MAKER: &str = "src/core/gate/metrics.rs";

/// The calls that make a metric, and what they make.
const CALLS: &[(&str, &str)] = &[
    (".count(", "counter"),
    (".add(", "counter"),
    (".set(", "gauge"),
    (".shift(", "gauge"),
];

#[test]
fn every_metric_is_on_its_page_and_no_other() {
    let page = Page::open("metrics.md");
    let mut told = BTreeMap::new();
    for heading in ["## Tokens", "## Limits", "## Risk", "## Keys and bundles"] {
        for row in page.table(heading) {
            told.insert(row[0].trim_matches('`').to_owned(), row[1].clone());
        }
    }
    assert_eq!(told, made());
}

#[test]
fn every_outcome_of_a_fetch_is_on_its_page() {
    let causes = (1..).map_while(FetchError::code_of);
    let codes: Vec<_> = ["ok"].into_iter().chain(causes).collect();
    assert_eq!(
        names(&Page::open("metrics.md").table("## Outcomes of a fetch")),
        codes
    );
}

/// Every metric that the code makes, with its kind; labels stand in its name in capitals.
fn made() -> BTreeMap<String, String> {
    let mut made = BTreeMap::new();
    for (file, text) in sources() {
        if file == MAKER || !file.starts_with("src/core/gate/") {
            continue;
        }
        for (call, kind) in CALLS {
            for name in named(&text, call) {
                assert!(name.starts_with("postern."), "{file}: {name}");
                made.insert(in_capitals(name), (*kind).to_owned());
            }
        }
    }
    made
}

/// The names that calls of that kind are given in the text of a file.
fn named<'a>(text: &'a str, call: &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for rest in text.split(call).skip(1) {
        let rest = rest.trim_start();
        let Some(argument) = ["host, ", "*host, "]
            .iter()
            .find_map(|host| rest.strip_prefix(host))
        else {
            continue;
        };
        let argument = argument.strip_prefix("Metric::of(").unwrap_or(argument);
        let word = argument.split([',', ')']).next().unwrap_or_default();
        match word.strip_prefix('"') {
            Some(literal) => names.push(literal.trim_end_matches('"')),
            None if word == "name" => names.extend(rows(text)),
            None => {
                let member = word.rsplit('.').next().unwrap_or_default();
                names.extend(quoted(text, &format!("const {member}: &str = \"")));
                names.extend(quoted(text, &format!("    {member}: \"")));
            }
        }
    }
    names
}

/// The names in a table of counts, or in the arms of a match.
fn rows(text: &str) -> impl Iterator<Item = &str> {
    let rows = text.split(['(', '>']).map(str::trim_start);
    let names = rows.filter_map(|row| row.strip_prefix('"')?.split('"').next());
    names.filter(|name| name.starts_with("postern."))
}

/// What stands behind each of these up to the next quote.
fn quoted<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    let ends = text.split(start).skip(1);
    ends.filter_map(|rest| rest.split('"').next()).collect()
}

/// `{issuer}` as `ISSUER`.
fn in_capitals(name: &str) -> String {
    let parts = name.split('.').map(|part| {
        let label = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'));
        label.map_or_else(|| part.to_owned(), str::to_uppercase)
    });
    parts.collect::<Vec<_>>().join(".")
}
