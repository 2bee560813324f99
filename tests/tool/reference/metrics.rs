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

/// Every metric that the code makes, with its kind; `ISSUER`, `DOMAIN` and `OUTCOME` stand for names.
fn made() -> BTreeMap<String, String> {
    let mut made = BTreeMap::new();
    for (file, text) in sources() {
        if file == MAKER || !file.starts_with("src/core/gate/") {
            continue;
        }
        for (call, kind) in CALLS {
            for name in named(&text, call) {
                for name in spelled_out(&file, &text, &name) {
                    made.insert(name, (*kind).to_owned());
                }
            }
        }
    }
    made
}

/// The names that calls of that kind are given as they stand in the text.
fn named(text: &str, call: &str) -> Vec<String> {
    let mut names = Vec::new();
    for rest in text.split(call).skip(1) {
        let arguments: String = rest.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some(name) = ["host, ", "*host, "]
            .iter()
            .find_map(|host| arguments.strip_prefix(host))
        else {
            continue;
        };
        let name = name.split([',', ')']).next().unwrap_or_default();
        let literal = name.split('"').nth(1);
        match (literal, name.strip_suffix(".to_owned(")) {
            (Some(literal), _) if name.starts_with("name(") => {
                names.push(format!("{{}}.{literal}"))
            }
            (Some(literal), _) => names.push(literal.to_owned()),
            (None, Some(constant)) => names.push(constant_of(text, constant)),
            // The reaction, which `=>` puts in words.
            (None, None) => {}
        }
    }
    names
}

fn constant_of(text: &str, name: &str) -> String {
    let value = text.split(&format!("const {name}: &str = \"")).nth(1);
    let value = value.and_then(|rest| rest.split('"').next());
    value.expect("the constant is in the file").to_owned()
}

/// A name with its holes filled.
fn spelled_out(file: &str, text: &str, name: &str) -> Vec<String> {
    if let Some(start) = name.strip_suffix("{what}") {
        return words(text).map(|word| format!("{start}{word}")).collect();
    }
    // A word for the limits, from another file.
    if !name.contains('.') {
        return vec![format!("postern.limits.{name}")];
    }
    let Some(rest) = name.strip_prefix("{}.") else {
        return vec![name.to_owned()];
    };
    assert_eq!(file, "src/core/gate/refresh/source.rs");
    let rest = match rest {
        "fetches.ok" | "fetches.{}" => "fetches.OUTCOME",
        rest => rest,
    };
    owners()
        .iter()
        .map(|owner| format!("{owner}.{rest}"))
        .collect()
}

/// What the names of an issuer's metrics and of a trust domain's begin with.
fn owners() -> Vec<String> {
    let sources = sources();
    let file = sources
        .iter()
        .find(|(file, _)| file == "src/core/caller/settings.rs");
    let (_, text) = file.expect("owners of keys have a file");
    let patterns = text.split("format!(\"postern.").skip(1);
    let patterns = patterns
        .filter_map(|rest| rest.split_once(".{}\""))
        .map(|(kind, rest)| {
            let owner = if rest.starts_with(", issuer.") {
                "ISSUER"
            } else {
                "DOMAIN"
            };
            format!("postern.{kind}.{owner}")
        });
    patterns.collect()
}

/// What a report calls the things that it counts: the first of each pair, and what `=>` ends in.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter_map(|line| {
        let rest = line.strip_prefix("(\"").or_else(|| {
            let (_, rest) = line.split_once("=> \"")?;
            Some(rest)
        })?;
        let word = rest.split('"').next()?;
        word.bytes()
            .all(|b| b.is_ascii_lowercase() || b == b'_')
            .then_some(word)
    })
}
