//! The one configuration of a file, compiled.

use std::path::Path;

use postern_core::config::{Config, Severity};

use crate::document::{Configuration, Document};
use crate::failure::Failure;

/// Reads and compiles the configuration in a file, be it bare or in what it is given to a proxy in.
///
/// # Errors
///
/// Everything that is wrong with it, one line each, with the file's name, the path and the line.
pub fn read(file: &Path) -> Result<Config, Failure> {
    let name = file.display();
    let document = Document::open(file).map_err(|error| Failure(format!("{name}: {error}")))?;
    let mut contents = document.contents();
    let wrong = contents
        .problems
        .iter()
        .filter(|problem| problem.finding.severity == Severity::Error);
    let wrong: Vec<String> = wrong.map(|problem| document.told(problem)).collect();
    if !wrong.is_empty() {
        return Err(Failure(wrong.join("\n")));
    }
    let count = contents.configurations.len();
    match contents.configurations.pop() {
        Some(configuration) if count == 1 => compiled(&document, &configuration),
        _ => Err(Failure(format!(
            "{name}: holds {count} configurations of Postern; a file with one is needed"
        ))),
    }
}

fn compiled(document: &Document, configuration: &Configuration) -> Result<Config, Failure> {
    Config::parse(&configuration.bytes()).map_err(|errors| {
        let listed = errors.listed().iter();
        let listed = listed.map(|error| configuration.problem(error.clone()));
        let mut lines: Vec<String> = listed.map(|problem| document.told(&problem)).collect();
        if errors.more() > 0 {
            lines.push(format!("{}: and {} more", document.name, errors.more()));
        }
        Failure(lines.join("\n"))
    })
}
