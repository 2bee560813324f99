//! `postern test`: suites of requests through the filter's own gate.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `suite` | a suite as it is written |
//! | `signers`, `token` | keys made for the run, and the tokens they sign |
//! | `request` | the request of a step |
//! | `play` | a suite from its first step to its last |
//! | `compare` | where an outcome is not what is expected |
//! | `coverage` | what no step has exercised |
//! | `report` | the forms of what came of it |
//! | `watch` | again whenever a file changes |

mod compare;
mod coverage;
mod play;
mod report;
pub mod request;
pub mod signers;
mod suite;
mod token;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::failure::{Failure, note, output};
use crate::moment::Clock;
use play::Played;

/// Runs policy tests: requests with what is expected of them, decided by the code of the filter.
#[derive(Args)]
#[command(after_long_help = FORMS)]
pub struct Arguments {
    /// The suites, YAML; see below.
    #[arg(required = true, value_name = "SUITE")]
    suites: Vec<PathBuf>,
    /// How the report is written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Tells of each step that fails how it was decided; in JSON, of every step.
    #[arg(long)]
    explain: bool,
    /// Runs again whenever a suite or a file that it names changes, until Ctrl-C.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    clock: Clock,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: a line a step.
    Text,
    /// For programs.
    Json,
    /// For continuous integration: JUnit XML.
    Junit,
}

const FORMS: &str = "\
A suite:

  configuration: postern.yaml         a file beside the suite, or the configuration itself
  keys:                               who signs; made anew for each run, and never stored
    corp: {alg: ES256, issuer: corp}  its public half takes the place of that issuer's keys
  token:                              what tokens have in common
    claims: {iss: \"https://idp.example\", aud: orders, sub: batch, iat: now, exp: now+5m}
  steps:
    - title: A reader without the scope
      request: {path: /v1/orders/42}
      token: {claims: {scope: invoices.read}}
      expect: {status: 403, reason: scope_missing, route: read-orders}

  request   path, and method (GET), host (api.example), headers, body or body_bytes, grpc (true),
            source (an address), certificate (a PEM file, or a SPIFFE ID to make one up for)
  token     left out: none is sent. key, header, claims (null takes one out), bound (true: to the
            certificate), forge (none, hs256, tampered, truncated); or file
  time      of a step: now+5m moves the clock, 2026-03-02T10:00:00Z sets it
  response  what the upstream answers: status (200), bytes
  expect    reason, and status, decision, route, mode, grpc, scope, detail (a part of it), identity,
            client, limit, upstream (header fields as it sees them; null: not there)

  keys      alg (ES256, RS256, EdDSA, HS256) or file (a private JWK), kid; issuer, trust_domain, or
            jwks, bundle (names of placeholders ${...} in the configuration); bare (true: its tokens
            have only the claims of their step)

Limits, clients and risk are kept from step to step of a suite. Keys that a configuration fetches are
not fetched here: put a key in their place. docs/cli-test.md has more.

The exit status is 0 where every step passed, 1 where one failed, and 2 where a suite cannot be used.";

/// Runs the suites, and reports.
///
/// # Errors
///
/// What of the input cannot be used.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.watch {
        return watch::forever(&arguments.suites, || once(arguments).map(|_| ()));
    }
    once(arguments)
}

fn once(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let now = arguments.clock.now()?;
    let suites: Vec<Result<Played, Failure>> = arguments
        .suites
        .iter()
        .map(|file| play::suite(file, now))
        .collect();
    let (mut played, mut unusable) = (Vec::new(), false);
    for suite in suites {
        match suite {
            Ok(suite) => played.push(suite),
            Err(failure) => {
                note(failure);
                unusable = true;
            }
        }
    }
    if !played.is_empty() {
        output(&match arguments.format {
            Format::Text => report::text(&played, arguments.explain),
            Format::Json => report::json(&played, arguments.explain),
            Format::Junit => report::junit(&played),
        })?;
    }
    let failed = played.iter().any(|suite| suite.failed() > 0);
    Ok(match (unusable, failed) {
        (true, _) => ExitCode::from(2),
        (false, true) => ExitCode::from(1),
        (false, false) => ExitCode::SUCCESS,
    })
}
