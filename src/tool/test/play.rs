//! A suite, from its first step to its last.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use postern_core::base::Now;
use postern_core::config::Config;
use serde_json::Value;

use super::compare::{self, Difference};
use super::coverage::Coverage;
use super::signers::{self, Signers};
use super::suite::{self, Step, Suite};
use super::{request, token};
use crate::configuration;
use crate::document::Document;
use crate::explain::told::{Account, Told};
use crate::failure::Failure;
use crate::moment;
use crate::trial::{Answer, Asked, Trial};

/// What came of a suite.
pub struct Played {
    pub name: String,
    pub steps: Vec<PlayedStep>,
    pub coverage: Coverage,
}

/// What came of a step.
pub struct PlayedStep {
    pub title: String,
    pub status: u16,
    pub grpc: Option<u8>,
    pub reason: String,
    pub detail: String,
    pub differences: Vec<Difference>,
    pub account: Account,
}

impl Played {
    /// How many steps failed.
    pub fn failed(&self) -> usize {
        let failed = self
            .steps
            .iter()
            .filter(|step| !step.differences.is_empty());
        failed.count()
    }
}

/// Plays a suite, which begins `now` unless it says when.
///
/// # Errors
///
/// What of it cannot be used.
pub fn suite(file: &Path, now: Now) -> Result<Played, Failure> {
    let suite = suite::read(file)?;
    let signers = signers::of(&suite)?;
    let config = configured(&suite, &signers)?;
    let start = suite
        .time
        .as_deref()
        .map_or(Some(now), |text| moment::read(text, now));
    let Some(start) = start else {
        let file = file.display();
        return Err(Failure(format!(
            "{file}: time is no instant; {} is needed",
            moment::ACCEPTED
        )));
    };
    // What is opened and what is looked into are the same text, compiled twice.
    let trial = Trial::new(configured(&suite, &signers)?, start);
    let mut stage = Stage {
        suite: &suite,
        signers: &signers,
        config: &config,
        trial,
        start,
        now: start,
        coverage: Coverage::new(&config),
    };
    let steps = suite.steps.iter().enumerate();
    let steps: Result<Vec<PlayedStep>, Failure> = steps
        .map(|(index, step)| stage.play(index.saturating_add(1), step))
        .collect();
    Ok(Played {
        name: file.display().to_string(),
        steps: steps?,
        coverage: stage.coverage,
    })
}

/// Reads the configuration of a suite, with its signers in it.
fn configured(suite: &Suite, signers: &Signers) -> Result<Config, Failure> {
    let name = suite.file.display();
    let mut config = match &suite.configuration {
        Value::String(file) => {
            let file = signers::beside(&suite.file, Path::new(file));
            read(&file, &signers::placeholders(suite, signers))?
        }
        document @ Value::Object(_) => parsed(document, &format!("{name}: configuration"))?,
        _ => {
            let needed = "the name of a file, or a configuration itself, is needed";
            return Err(Failure(format!("{name}: configuration: {needed}")));
        }
    };
    signers::place(suite, signers, &mut config)?;
    Ok(config)
}

/// Reads a file; a document takes the place of each `${NAME}`.
fn read(file: &Path, documents: &BTreeMap<String, Value>) -> Result<Config, Failure> {
    if documents.is_empty() {
        return configuration::read(file);
    }
    let name = file.display();
    let text = fs::read_to_string(file);
    let text = text.map_err(|error| Failure(format!("{name}: {error}")))?;
    let with = |shown: &dyn Fn(&Value) -> String| {
        documents
            .iter()
            .fold(text.clone(), |text, (placeholder, document)| {
                text.replace(&format!("${{{placeholder}}}"), &shown(document))
            })
    };
    let name = name.to_string();
    let value = |text: String| Document::of(&name, text).value();
    // Errors quote what they are about, which must not be a key.
    let document = value(with(&ToString::to_string)).or_else(|_| value(with(&|_| "{}".to_owned())));
    parsed(&document.map_err(Failure)?, &name)
}

fn parsed(document: &Value, name: &str) -> Result<Config, Failure> {
    Config::parse(document.to_string().as_bytes()).map_err(|errors| {
        let listed = errors.listed().iter();
        let lines: Vec<String> = listed.map(|error| format!("{name}: {error}")).collect();
        Failure(lines.join("\n"))
    })
}

struct Stage<'a> {
    suite: &'a Suite,
    signers: &'a Signers,
    config: &'a Config,
    trial: Trial,
    start: Now,
    now: Now,
    coverage: Coverage,
}

impl Stage<'_> {
    fn play(&mut self, number: usize, step: &Step) -> Result<PlayedStep, Failure> {
        let asked = self.asked(number, step).map_err(|problem| {
            let file = self.suite.file.display();
            Failure(format!("{file}: step {number} ({}): {problem}", step.title))
        })?;
        let mut told = Told::of(&asked);
        let answer = self.trial.ask(&asked, &mut told);
        let account = told.account(&self.config.settings, &asked, &answer);
        self.coverage.note(&account);
        let status = status(&asked, &answer);
        let header = &self.config.settings.callers.tokens.header;
        Ok(PlayedStep {
            title: step.title.clone(),
            status,
            grpc: step.request.grpc.then(|| compare::grpc(&answer)),
            reason: answer.reason().to_owned(),
            detail: answer.detail().to_owned(),
            differences: compare::differences(&step.expect, &answer, status, header),
            account,
        })
    }

    fn asked(&mut self, number: usize, step: &Step) -> Result<Asked, String> {
        if let Some(text) = &step.time {
            let moved = moment::read(text, self.now);
            let needed = moment::ACCEPTED;
            self.now = moved.ok_or_else(|| format!("time is {text}; {needed} is needed"))?;
        }
        let certificate = request::certificate(self.suite, &step.request, self.start)?;
        let token = step.token.as_ref().map(|spec| {
            token::of(
                self.suite,
                self.signers,
                spec,
                certificate.as_ref(),
                self.now,
            )
        });
        let token = token
            .transpose()
            .map_err(|problem| format!("token: {problem}"))?;
        let tokens = &self.config.settings.callers.tokens;
        let asked = request::of(&step.request, tokens, token.as_deref(), number, self.now);
        let asked = asked.map_err(|problem| format!("request: {problem}"))?;
        let asked = Asked {
            certificate,
            status: step.response.status,
            response_bytes: step.response.bytes,
            ..asked
        };
        Ok(asked.routed(self.config))
    }
}

/// What the caller gets: the gate's status, or else the upstream's.
fn status(asked: &Asked, answer: &Answer) -> u16 {
    let reply = answer.reply.as_ref().filter(|_| !answer.passed);
    reply.map_or(asked.status, |reply| reply.status)
}
