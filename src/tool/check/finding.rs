//! What was found, and where.

use postern_core::caller::clients::Day;
use postern_core::config::Config;

use super::lint::{self, ERROR, NOTES};
use super::proxy;
use crate::document::{Configuration, Document, Position, Problem};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The filter refuses the configuration.
    Error,
    /// It is legal, and dangerous.
    Warning,
    /// It could be better.
    Note,
}

impl Level {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug)]
pub struct Finding {
    pub level: Level,
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
        let problems = of_configuration(configuration, today).into_iter();
        findings.extend(problems.map(|problem| finding(document, &configuration.within, problem)));
        let around = around(configuration).into_iter();
        findings.extend(around.map(|problem| finding(document, "", problem)));
    }
    findings.sort_by_key(|finding| finding.position);
    let count = contents.configurations.len();
    (findings, count)
}

fn finding(document: &Document, within: &str, problem: Problem) -> Finding {
    Finding {
        level: problem.rule.map_or(Level::Error, level),
        rule: problem.rule.unwrap_or(ERROR),
        file: document.name.clone(),
        position: problem.at.map(|at| document.position(at)),
        within: within.to_owned(),
        path: problem.path,
        message: problem.message,
    }
}

/// The level of what a rule finds.
pub fn level(rule: &str) -> Level {
    match rule {
        ERROR => Level::Error,
        _ if NOTES.contains(&rule) => Level::Note,
        _ => Level::Warning,
    }
}

fn of_configuration(configuration: &Configuration, today: Day) -> Vec<Problem> {
    let errors = match Config::parse(&configuration.bytes()) {
        Ok(config) => return warnings(configuration, &config, today),
        Err(errors) => errors,
    };
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

/// What the proxy does differently around a configuration that is sound.
fn around(configuration: &Configuration) -> Vec<Problem> {
    let config = Config::parse(&configuration.bytes());
    match (&configuration.manager, config) {
        (Some(manager), Ok(config)) => proxy::warnings(manager, &config),
        _ => Vec::new(),
    }
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
