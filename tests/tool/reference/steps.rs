//! The order of the steps, as the pages state it.

use std::fs;

use postern_core::decision::Reason;
use postern_core::gate::steps::STEPS;

use super::page::{Page, root};

fn names() -> Vec<&'static str> {
    STEPS.iter().map(|step| step.name).collect()
}

#[test]
fn the_page_of_steps_has_the_order_of_the_code() {
    let rows = Page::open("steps.md").table("## The order");
    let told: Vec<_> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(told, names());
}

#[test]
fn a_requests_way_has_the_order_of_the_code() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let way = readme.split("## A request's way").nth(1).unwrap();
    let diagram = way.split("```").nth(1).unwrap();
    // What stands in the proxy's column, where a line begins with a name and two spaces.
    let told = diagram.lines().filter_map(|line| {
        let told = line.split('|').nth(2)?.strip_prefix(' ')?;
        let (name, rest) = told.split_once("  ")?;
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
        (is_name && !rest.trim().is_empty()).then_some(name)
    });
    assert_eq!(told.collect::<Vec<_>>(), names());
}

#[test]
fn every_reason_that_the_page_of_steps_names_is_one() {
    let rows = Page::open("steps.md").table("## The order");
    for row in rows {
        let quoted = row[2].split('`').skip(1).step_by(2);
        for code in quoted.filter(|code| code.contains('_')) {
            let is_reason = Reason::ALL.iter().any(|reason| reason.code() == code);
            assert!(is_reason, "{}: {code}", row[0]);
        }
    }
}

#[test]
fn the_page_of_steps_has_every_reason() {
    let page = fs::read_to_string(root().join("docs/reference/steps.md")).unwrap();
    for reason in Reason::ALL {
        let code = reason.code();
        assert!(page.contains(&format!("`{code}`")), "{code}");
    }
}
