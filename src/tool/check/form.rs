//! The report as text and as JSON.

use serde_json::{Value, json};

use super::Report;
use super::finding::Reported;
use crate::document::Position;
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

fn line(reported: &Reported) -> String {
    let Position { line, column } = reported.position;
    let rule = match reported.finding.severity {
        Severity::Error => String::new(),
        Severity::Warning | Severity::Note => format!(" [{}]", reported.finding.rule),
    };
    printable(&format!(
        "{}:{line}:{column}: {}: {}{rule}",
        reported.file,
        reported.finding.severity.name(),
        reported.sentence(),
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

fn object(reported: &Reported) -> Value {
    let finding = &reported.finding;
    json!({
        "file": reported.file,
        "line": reported.position.line,
        "column": reported.position.column,
        "level": finding.severity.name(),
        "rule": finding.rule,
        "within": reported.within,
        "path": finding.place,
        "message": reported.message(),
        "remedy": finding.remedy,
    })
}
