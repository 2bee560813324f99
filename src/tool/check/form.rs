//! The report as text and as JSON.

use serde_json::{Value, json};

use super::Report;
use super::finding::Finding;
use crate::text::printable;
use postern_core::config::Severity;

/// One line each.
pub fn text(report: &Report) -> String {
    report
        .findings
        .iter()
        .map(|finding| line(finding) + "\n")
        .collect()
}

fn line(finding: &Finding) -> String {
    let place = finding
        .position
        .map_or_else(String::new, |at| format!(":{}:{}", at.line, at.column));
    let colon = if finding.path.is_empty() { "" } else { ": " };
    let rule = match finding.level {
        Severity::Error => String::new(),
        Severity::Warning | Severity::Note => format!(" [{}]", finding.rule),
    };
    printable(&format!(
        "{}{place}: {}: {}{colon}{}{rule}",
        finding.file,
        finding.level.name(),
        finding.path,
        finding.message
    ))
}

/// How much was found, in a sentence.
pub fn summary(report: &Report) -> String {
    let counted = |count: usize, what: &str| {
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {what}{plural}")
    };
    format!(
        "{} in {}: {}, {}",
        counted(report.configurations, "configuration"),
        counted(report.files, "file"),
        counted(report.count(Severity::Error), "error"),
        counted(report.count(Severity::Warning), "warning"),
    )
}

/// One object.
pub fn json(report: &Report) -> String {
    let findings: Vec<Value> = report.findings.iter().map(object).collect();
    let unusable = report.unusable.iter();
    let unusable: Vec<Value> = unusable
        .map(|(file, why)| json!({"file": file, "message": why}))
        .collect();
    let report = json!({
        "files": report.files,
        "configurations": report.configurations,
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "findings": findings,
        "unusable": unusable,
    });
    format!("{report:#}\n")
}

fn object(finding: &Finding) -> Value {
    json!({
        "file": finding.file,
        "line": finding.position.map(|at| at.line),
        "column": finding.position.map(|at| at.column),
        "level": finding.level.name(),
        "rule": finding.rule,
        "within": finding.within,
        "path": finding.path,
        "message": finding.message,
    })
}
