//! What came of suites: for people, for programs, for continuous integration.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::coverage::Sides;
use super::play::{Played, PlayedStep};
use crate::explain::write;
use crate::text::{markup, printable};

/// Writes a line a step, and what is not covered.
pub fn text(suites: &[Played], explain: bool) -> String {
    let mut out = String::new();
    for suite in suites {
        let _ = writeln!(out, "{}", printable(&suite.name));
        for (number, step) in (1_usize..).zip(&suite.steps) {
            write_step(&mut out, number, step, explain);
        }
        write_coverage(&mut out, suite);
        let _ = writeln!(out);
    }
    let failed: usize = suites.iter().map(Played::failed).sum();
    let all: usize = suites.iter().map(|suite| suite.steps.len()).sum();
    let passed = all.saturating_sub(failed);
    let _ = writeln!(out, "{passed} passed, {failed} failed");
    out
}

fn write_step(out: &mut String, number: usize, step: &PlayedStep, explain: bool) {
    let mark = if step.differences.is_empty() {
        "ok"
    } else {
        "FAIL"
    };
    let (status, reason, title) = (step.status, &step.reason, printable(&step.title));
    let _ = writeln!(
        out,
        "  {mark:<4} {number:>3}  {status} {reason:<21} {title}"
    );
    if step.differences.is_empty() {
        return;
    }
    for difference in &step.differences {
        let what = printable(&difference.what);
        let _ = writeln!(out, "            {what}");
        let _ = writeln!(out, "              expected  {}", difference.expected);
        let _ = writeln!(out, "              got       {}", difference.got);
    }
    if !step.detail.is_empty() {
        let _ = writeln!(out, "            detail: {}", printable(&step.detail));
    }
    if explain {
        out.push_str(&write::text(&step.account, "            "));
    }
}

fn write_coverage(out: &mut String, suite: &Played) {
    let _ = writeln!(out, "\n  coverage, on both sides");
    for (kind, words, entries) in suite.coverage.kinds() {
        if entries.is_empty() {
            continue;
        }
        let both = entries.iter().filter(|(_, sides)| sides.both()).count();
        let _ = writeln!(out, "    {kind:<11} {both} of {}", entries.len());
        for (name, sides) in entries {
            if let Some(gap) = gap(*sides, words) {
                let _ = writeln!(out, "      {}: {gap}", printable(name));
            }
        }
    }
}

fn gap(sides: Sides, [held, failed]: [&str; 2]) -> Option<String> {
    match (sides.held, sides.failed) {
        (true, true) => None,
        (true, false) => Some(format!("never {failed}")),
        (false, true) => Some(format!("never {held}")),
        (false, false) => Some("never exercised".to_owned()),
    }
}

/// Writes everything as one JSON object.
pub fn json(suites: &[Played], explain: bool) -> String {
    let failed: usize = suites.iter().map(Played::failed).sum();
    let all: usize = suites.iter().map(|suite| suite.steps.len()).sum();
    let document = json!({
        "passed": all.saturating_sub(failed),
        "failed": failed,
        "suites": suites.iter().map(|suite| of_suite(suite, explain)).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn of_suite(suite: &Played, explain: bool) -> Value {
    let steps = suite.steps.iter().map(|step| of_step(step, explain));
    let coverage = suite
        .coverage
        .kinds()
        .into_iter()
        .map(|(kind, words, entries)| {
            let entries = entries.iter().map(|(name, sides)| {
                let [held, failed] = words;
                json!({"name": name, held: sides.held, failed: sides.failed})
            });
            (kind.to_owned(), entries.collect())
        });
    json!({
        "suite": suite.name,
        "steps": steps.collect::<Vec<_>>(),
        "coverage": coverage.collect::<serde_json::Map<String, Value>>(),
    })
}

fn of_step(step: &PlayedStep, explain: bool) -> Value {
    let differences = step.differences.iter().map(|difference| {
        json!({"what": difference.what, "expected": difference.expected, "got": difference.got})
    });
    let mut value = json!({
        "title": step.title,
        "passed": step.differences.is_empty(),
        "status": step.status,
        "grpc": step.grpc,
        "reason": step.reason,
        "detail": step.detail,
        "differences": differences.collect::<Vec<_>>(),
    });
    if explain && let Some(members) = value.as_object_mut() {
        members.insert("explanation".to_owned(), write::json(&step.account));
    }
    value
}

/// Writes JUnit XML.
pub fn junit(suites: &[Played]) -> String {
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for suite in suites {
        let (name, tests, failed) = (markup(&suite.name), suite.steps.len(), suite.failed());
        let _ = writeln!(
            out,
            "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\" errors=\"0\">"
        );
        for step in &suite.steps {
            write_case(&mut out, &name, step);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn write_case(out: &mut String, suite: &str, step: &PlayedStep) {
    let title = markup(&step.title);
    let case = format!("    <testcase classname=\"{suite}\" name=\"{title}\"");
    if step.differences.is_empty() {
        let _ = writeln!(out, "{case}/>");
        return;
    }
    let told = step.differences.iter();
    let told = told.map(|one| format!("{}: expected {}, got {}", one.what, one.expected, one.got));
    let told: Vec<String> = told.collect();
    let (message, detail) = (markup(&told.join("; ")), markup(&step.detail));
    let _ = writeln!(
        out,
        "{case}>\n      <failure message=\"{message}\">{detail}</failure>\n    </testcase>"
    );
}
