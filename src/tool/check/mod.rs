//! `postern check`: everything that is wrong with configurations, and what is legal and dangerous.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `finding` | what was found in a file |
//! | `lint` | what is legal and dangerous |
//! | `proxy` | what the proxy around it reads differently |
//! | `form`, `sarif` | how it is told |

mod finding;
mod form;
mod lint;
mod proxy;
mod sarif;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use postern_core::caller::clients::Day;

use crate::document::Document;
use crate::failure::{Failure, note, output};
use crate::moment::Clock;
use finding::Reported;
use lint::RULES;
use postern_core::config::Severity;

/// Checks configurations: errors with their lines, and what is legal and dangerous.
///
/// Runs the very code by which the filter takes or refuses its configuration, and then looks for
/// settings that it takes and that open more than people mean.
#[derive(Args)]
#[command(after_long_help = FORMS)]
pub struct Arguments {
    /// Files, YAML or JSON; - is standard input.
    #[arg(required = true, value_name = "CONFIG")]
    files: Vec<PathBuf>,
    /// How it is told.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Ends with 1 for warnings as well.
    #[arg(long)]
    deny_warnings: bool,
    /// Passes warnings and notes of this rule over; can be given several times.
    #[arg(long, value_name = "RULE", value_parser = rule)]
    allow: Vec<&'static str>,
    #[command(flatten)]
    clock: Clock,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: one line each.
    Text,
    /// For programs.
    Json,
    /// For code scanning: SARIF 2.1.0.
    Sarif,
}

const FORMS: &str = "\
CONFIG is a configuration, or what one is given to a proxy in; every configuration in it is checked,
in all of its YAML documents:

  an Envoy bootstrap, listener or filter: configuration of the wasm filter, as a StringValue with JSON
    in it or as a Struct
  Istio: WasmPlugin (spec.pluginConfig), TrafficExtension, EnvoyFilter
  Envoy Gateway: EnvoyExtensionPolicy (spec.wasm[].config)

Where there are other wasm filters, Postern's are those that have the name in them, or routes.

Lines are those of the file, also where the configuration is JSON in a text of it:

  FILE:LINE:COLUMN: error: PATH: what is wrong; what would be accepted
  FILE:LINE:COLUMN: warning: PATH: what is dangerous; what to do [RULE]
  FILE:LINE:COLUMN: note: PATH: what could be better; what to do [RULE]

The exit status is 0 where nothing is wrong, 1 where there is an error (or a warning, with
--deny-warnings), and 2 where a file cannot be read or has no configuration in it.

Examples: postern check postern.yaml envoy.yaml
          kubectl get wasmplugin postern -o yaml | postern check --deny-warnings -
          postern check --format sarif postern.yaml > postern.sarif";

/// All that a check came to.
struct Report {
    findings: Vec<Reported>,
    /// Files that cannot be used, each with why.
    unusable: Vec<(String, String)>,
    files: usize,
    configurations: usize,
}

/// Checks every file, and tells of all.
///
/// # Errors
///
/// Where the report cannot be written.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut report = Report::of(&arguments.files, Day::of(arguments.clock.now()?));
    report.pass_over(&arguments.allow);
    let text = match arguments.format {
        Format::Text => form::text(&report),
        Format::Json => form::json(&report),
        Format::Sarif => sarif::log(&report),
    };
    output(&text)?;
    for (file, why) in &report.unusable {
        note(format_args!("{file}: {why}"));
    }
    if arguments.format == Format::Text {
        note(form::summary(&report));
    }
    Ok(report.status(arguments.deny_warnings))
}

impl Report {
    fn of(files: &[PathBuf], today: Day) -> Self {
        let mut report = Self {
            findings: Vec::new(),
            unusable: Vec::new(),
            files: files.len(),
            configurations: 0,
        };
        for path in files {
            let name = path.display().to_string();
            match Document::open(path) {
                Ok(document) => report.add(&document, today),
                Err(why) => report.unusable.push((name, why)),
            }
        }
        report
    }

    fn add(&mut self, document: &Document, today: Day) {
        let (findings, configurations) = finding::of_file(document, today);
        let is_wrong = findings
            .iter()
            .any(|reported| reported.finding.severity == Severity::Error);
        if configurations == 0 && !is_wrong {
            let why = "no configuration of Postern is in it; it is a bare configuration, an Envoy bootstrap or a manifest of Istio or Envoy Gateway with one";
            self.unusable.push((document.name.clone(), why.to_owned()));
        }
        self.configurations = self.configurations.saturating_add(configurations);
        self.findings.extend(findings);
    }

    fn pass_over(&mut self, rules: &[&str]) {
        let is_kept = |Reported { finding, .. }: &Reported| {
            finding.severity == Severity::Error || !rules.contains(&finding.rule)
        };
        self.findings.retain(is_kept);
    }

    fn count(&self, level: Severity) -> usize {
        let of_level = |reported: &&Reported| reported.finding.severity == level;
        self.findings.iter().filter(of_level).count()
    }

    fn status(&self, deny_warnings: bool) -> ExitCode {
        let denied = deny_warnings && self.count(Severity::Warning) > 0;
        ExitCode::from(match (self.unusable.is_empty(), denied) {
            (false, _) => 2,
            (true, true) => 1,
            (true, false) => u8::from(self.count(Severity::Error) > 0),
        })
    }
}

fn rule(name: &str) -> Result<&'static str, String> {
    let can_be = |(_, level, _): &&(_, Severity, _)| *level != Severity::Error;
    let rules = || RULES.iter().filter(can_be).map(|(id, ..)| *id);
    rules().find(|id| *id == name).ok_or_else(|| {
        let is_error = RULES.iter().any(|(id, ..)| *id == name);
        let why = if is_error {
            "an error cannot be passed over"
        } else {
            "no rule has this name"
        };
        let rules: Vec<&str> = rules().collect();
        format!("{why}; rules are: {}", rules.join(", "))
    })
}
