//! What was found, and where.

use postern::clients::Day;
use postern::config::Config;

use super::lint::{self, ERROR};
use crate::document::{Configuration, Document, Position, Problem};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The filter refuses the configuration.
    Error,
    /// It is legal, and dangerous.
    Warning,
}

impl Level {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
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
    }
    findings.sort_by_key(|finding| finding.position);
    let count = contents.configurations.len();
    (findings, count)
}

fn finding(document: &Document, within: &str, problem: Problem) -> Finding {
    Finding {
        level: problem.rule.map_or(Level::Error, |_| Level::Warning),
        rule: problem.rule.unwrap_or(ERROR),
        file: document.name.clone(),
        position: problem.at.map(|at| document.position(at)),
        within: within.to_owned(),
        path: problem.path,
        message: problem.message,
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
