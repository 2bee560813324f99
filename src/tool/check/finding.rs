//! What was found, and where.

use postern_core::caller::clients::Day;
use postern_core::config::{Config, ConfigErrors, Severity};

use super::lint::{self, ERROR, NOTES};
use super::proxy;
use crate::document::{Configuration, Document, Position, Problem};

/// One thing that was found.
#[derive(Clone, Debug)]
pub struct Finding {
    pub level: Severity,
    pub rule: &'static str,
    pub file: String,
    pub position: Option<Position>,
    /// The path to the configuration in its document.
    pub within: String,
    /// The path in the configuration.
    pub path: String,
    pub message: String,
}

/// What was found in a file, by place, and how many configurations are in it.
pub fn of_file(document: &Document, today: Day) -> (Vec<Finding>, usize) {
    let contents = document.contents();
    let problems = contents.problems.into_iter();
    let mut findings: Vec<Finding> = problems
        .map(|problem| finding(document, "", problem))
        .collect();
    for configuration in &contents.configurations {
        let (problems, around) = match Config::parse(&configuration.bytes()) {
            Ok(config) => {
                let manager = configuration.manager.as_ref();
                // What the proxy does differently around a configuration that is sound.
                let around = manager.map(|manager| proxy::warnings(manager, &config));
                (warnings(configuration, &config, today), around)
            }
            Err(errors) => (refused(configuration, &errors), None),
        };
        let problems = problems.into_iter();
        findings.extend(problems.map(|problem| finding(document, &configuration.within, problem)));
        let around = around.into_iter().flatten();
        findings.extend(around.map(|problem| finding(document, "", problem)));
    }
    findings.sort_by_key(|finding| finding.position);
    let count = contents.configurations.len();
    (findings, count)
}

fn finding(document: &Document, within: &str, problem: Problem) -> Finding {
    Finding {
        level: problem.rule.map_or(Severity::Error, level),
        rule: problem.rule.unwrap_or(ERROR),
        file: document.name.clone(),
        position: problem.at.map(|at| document.position(at)),
        within: within.to_owned(),
        path: problem.path,
        message: problem.message,
    }
}

/// The level of what a rule finds.
pub fn level(rule: &str) -> Severity {
    match rule {
        ERROR => Severity::Error,
        _ if NOTES.contains(&rule) => Severity::Note,
        _ => Severity::Warning,
    }
}

fn refused(configuration: &Configuration, errors: &ConfigErrors) -> Vec<Problem> {
    let listed = errors.listed().iter();
    let mut problems: Vec<Problem> = listed
        .map(|error| problem(configuration, None, &error.path, error.problem.clone()))
        .collect();
    if errors.more() > 0 {
        let message = format!("and {} more; correct these first", errors.more());
        problems.push(problem(configuration, None, "", message));
    }
    problems
}

fn warnings(configuration: &Configuration, config: &Config, today: Day) -> Vec<Problem> {
    let warnings = lint::warnings(config, &configuration.value, today).into_iter();
    warnings
        .map(|warning| {
            problem(
                configuration,
                Some(warning.rule),
                &warning.path,
                warning.message,
            )
        })
        .collect()
}

fn problem(
    configuration: &Configuration,
    rule: Option<&'static str>,
    path: &str,
    message: String,
) -> Problem {
    Problem {
        rule,
        at: Some(configuration.find(path)),
        path: path.to_owned(),
        message,
    }
}
