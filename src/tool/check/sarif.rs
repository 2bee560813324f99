//! The report as SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/>).

use serde_json::{Map, Value, json};

use super::Report;
use super::finding::Reported;
use super::lint::RULES;

/// One log with one run.
pub fn log(report: &Report) -> String {
    let results: Vec<Value> = report.findings.iter().map(result).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "postern",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [invocation(report)],
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn rules() -> Vec<Value> {
    let rules = RULES.iter().map(|(id, level, about)| {
        json!({
            "id": id,
            "shortDescription": {"text": about},
            "defaultConfiguration": {"level": level.name()},
        })
    });
    rules.collect()
}

fn invocation(report: &Report) -> Value {
    let unusable = report.unusable.iter().map(|(file, why)| {
        json!({
            "level": "error",
            "message": {"text": why},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(file)}}}],
        })
    });
    let unusable: Vec<Value> = unusable.collect();
    json!({
        "executionSuccessful": unusable.is_empty(),
        "toolExecutionNotifications": unusable,
    })
}

fn result(reported: &Reported) -> Value {
    let finding = &reported.finding;
    json!({
        "ruleId": finding.rule,
        "ruleIndex": RULES.iter().position(|(id, ..)| *id == finding.rule),
        "level": finding.severity.name(),
        "message": {"text": reported.sentence()},
        "locations": [location(reported)],
        "properties": {"remedy": finding.remedy},
    })
}

fn location(reported: &Reported) -> Value {
    let mut place = Map::new();
    place.insert(
        "artifactLocation".into(),
        json!({"uri": uri(&reported.file)}),
    );
    let at = reported.position;
    let region = json!({"startLine": at.line, "startColumn": at.column});
    place.insert("region".into(), region);
    let names = [reported.within.as_str(), &reported.finding.place];
    let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    let mut location = Map::new();
    location.insert("physicalLocation".into(), place.into());
    if !names.is_empty() {
        let name = json!([{"fullyQualifiedName": names.join("."), "kind": "property"}]);
        location.insert("logicalLocations".into(), name);
    }
    location.into()
}

/// A file's name as a URI reference (RFC 3986 section 4.2).
fn uri(file: &str) -> String {
    if file == "-" {
        return "stdin".to_owned();
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let scheme = if file.starts_with('/') { "file://" } else { "" };
    let path = file.bytes().map(|byte| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    path.fold(scheme.to_owned(), |uri, part| uri + &part)
}
