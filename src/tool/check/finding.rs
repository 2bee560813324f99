//! What was found in a file, and where.

use postern_core::caller::clients::Day;
use postern_core::config::{Config, ConfigErrors, Finding, Severity};

use super::lint::{self, ERROR};
use super::proxy;
use crate::document::{Document, Position, Problem};

/// A finding, and where in which file it is.
#[derive(Clone, Debug)]
pub struct Reported {
    /// It; its place is the path in the configuration.
    pub finding: Finding,
    pub file: String,
    pub position: Position,
    /// The path to the configuration in its document.
    pub within: String,
}

impl Reported {
    /// What is wrong, and after a semicolon what to do about it.
    pub fn message(&self) -> String {
        let Finding {
            problem, remedy, ..
        } = &self.finding;
        format!("{problem}; {remedy}")
    }

    /// The message after the place.
    pub fn sentence(&self) -> String {
        let (place, message) = (&self.finding.place, self.message());
        let colon = if place.is_empty() { "" } else { ": " };
        format!("{place}{colon}{message}")
    }
}

/// What was found in a file, by place, and how many configurations are in it.
pub fn of_file(document: &Document, today: Day) -> (Vec<Reported>, usize) {
    let contents = document.contents();
    let report = |within: &str, problem: Problem| Reported {
        finding: problem.finding,
        file: document.name.clone(),
        position: document.position(problem.at),
        within: within.to_owned(),
    };
    let problems = contents.problems.into_iter();
    let mut reported: Vec<Reported> = problems.map(|problem| report("", problem)).collect();
    for configuration in &contents.configurations {
        let (findings, around) = match Config::parse_written(&configuration.bytes()) {
            Ok((config, written)) => {
                let manager = configuration.manager.as_ref();
                // What the proxy does differently around a configuration that is sound.
                let around = manager.map(|manager| proxy::warnings(manager, &config));
                (lint::findings(&config, &written, today), around)
            }
            Err(errors) => (refused(&errors), None),
        };
        let problems = findings.into_iter();
        let problems = problems.map(|finding| configuration.problem(finding));
        reported.extend(problems.map(|problem| report(&configuration.within, problem)));
        let around = around.into_iter().flatten();
        reported.extend(around.map(|problem| report("", problem)));
    }
    reported.sort_by_key(|reported| reported.position);
    let count = contents.configurations.len();
    (reported, count)
}

fn refused(errors: &ConfigErrors) -> Vec<Finding> {
    let mut findings = errors.listed().to_vec();
    if errors.more() > 0 {
        let more = format!("and {} more", errors.more());
        let remedy = "correct these first";
        findings.push(Finding::new(ERROR, Severity::Error, "", more, remedy));
    }
    findings
}
