//! `postern replay`: recorded traffic through the core of the risk score, at the recorded times.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `lines` | lines of any input, within bounds |
//! | `scalar`, `event` | from a line to a recorded request |
//! | `traffic` | all of them, as the core sees them |
//! | `history` | an identity's requests through the core |
//! | `totals`, `curve` | what became of them; the score over time |
//! | `report` | what is told of whom |
//! | `table`, `json`, `plot` | its forms |

mod curve;
mod event;
mod history;
mod json;
mod lines;
mod plot;
mod report;
mod scalar;
mod table;
mod totals;
mod traffic;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use postern_core::config::Config;

use crate::configuration;
use crate::failure::{Failure, note, output};
use report::{Report, Wanted};
use traffic::Traffic;

/// Shows what the risk score would have done about recorded traffic.
///
/// Runs the very code of the filter over recorded requests at the times they came, and tells of
/// every identity what would have been tagged, throttled and denied, and why. A request counts once,
/// for the most that is done about it; one that was refused for what it asked is scored, and nothing
/// more. Actions are taken as enforced, whatever the mode: a request that is denied has no outcome.
#[derive(Args)]
#[command(after_long_help = FORMS, verbatim_doc_comment)]
pub struct Arguments {
    /// The configuration, YAML or JSON; without a section risk, its defaults are used.
    config: PathBuf,
    /// The recorded requests, one JSON object a line; - is standard input.
    events: PathBuf,
    /// Shows this identity only.
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,
    /// Shows so many identities, those with the highest scores.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    top: u32,
    /// How the report is written.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Draws the scores over time, into a file that ends in .svg or .html.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, in 120 columns.
    Table,
    /// For programs.
    Json,
}

const FORMS: &str = "\
The lines of EVENTS are either of:

  Postern's own audit events, as they are logged. What a log writes before the first brace of a line
  is passed over, so Envoy's log can be given as it is. Log all decisions (audit.log), not a share
  of them: what is not in the log is not seen here.

  Objects with these members; others are ignored:
    time      when it came: RFC 3339 text, or a number since the epoch: below 100000000000 it is
              seconds (with a fraction, if need be), from there on milliseconds
    identity  whose it is, as in audit: issuer name, slash, subject; or a SPIFFE ID
    method, path, host
              what was asked, by which the route and its parameters are found; host may be left out
              where no route names one
    route     the name of its route, where method, path and host find none
    source    optional: the caller's address, with or without a port
    client    optional: the name of the client it came by, for what that says otherwise of risk
    token     optional: any text that tells tokens apart, such as jti or a hash; never a token
    status, bytes
              optional: how the upstream answered, and the bytes of the body
    duration  optional: milliseconds from when it came to when it ended; 0 if left out
    reason    optional: the reason for which Postern refused it, such as scope_missing

Lines that are neither are counted and passed over; so are requests without an identity, which are
not judged. Wrong lines are counted, and the first are shown on standard error. Lines are sorted by
time where they are not in order. All requests are held in memory, some 150 bytes each, and every
identity is known, where the filter keeps those that risk.slots has room for.

The exit status is 2 where a configuration or argument is not valid, a file cannot be read, or
nothing can be replayed; else 0.

Example: postern replay postern.yaml envoy.log --plot scores.svg
";

/// Replays, and reports.
///
/// # Errors
///
/// What of the input cannot be used.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let paint = arguments.plot.as_deref().map(plot_form).transpose()?;
    let config = configuration::read(&arguments.config)?;
    let risk = config.settings.risk.clone().unwrap_or_else(|| {
        note("the configuration has no section risk; its defaults are used");
        postern_core::risk::settings::Scoring::default()
    });
    let traffic = read(&config, &arguments.events)?;
    let wanted = Wanted {
        identity: arguments.identity.as_deref(),
        top: usize::try_from(arguments.top).unwrap_or(usize::MAX),
    };
    let report = Report::new(&config, &risk.settings, &traffic, wanted)?;
    output(&match arguments.format {
        Format::Table => table::write(&report),
        Format::Json => json::write(&report),
    })?;
    if let (Some(paint), Some(file)) = (paint, &arguments.plot) {
        let written = fs::write(file, paint(&report));
        written.map_err(|error| Failure(format!("{}: {error}", file.display())))?;
    }
    Ok(())
}

type Paint = fn(&Report<'_>) -> String;

fn plot_form(file: &Path) -> Result<Paint, Failure> {
    match file.extension().and_then(|end| end.to_str()) {
        Some("svg") => Ok(plot::svg),
        Some("html") => Ok(plot::html),
        _ => Err(Failure(format!(
            "--plot {}: a file that ends in .svg or .html is needed",
            file.display()
        ))),
    }
}

fn read<'c>(config: &'c Config, file: &Path) -> Result<Traffic<'c>, Failure> {
    let name = file.display();
    let failed = |error: io::Error| Failure(format!("{name}: {error}"));
    let input: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(file).map_err(failed)?;
        Box::new(BufReader::with_capacity(1 << 16, file))
    };
    let mut traffic = Traffic::new(config);
    lines::each(input, |number, line| traffic.take(number, &line)).map_err(failed)?;
    for (number, problem) in &traffic.wrong {
        note(format!("{name} line {number}: {problem}"));
    }
    let shown = u64::try_from(traffic.wrong.len()).unwrap_or(u64::MAX);
    let more = traffic.counts.wrong.saturating_sub(shown);
    if more > 0 {
        note(format!("{name}: {more} more lines are wrong"));
    }
    let disordered = traffic.counts.out_of_order;
    if disordered > 0 {
        note(format!(
            "{name}: {disordered} of the requests came before the one on the line before; all were \
             sorted by time"
        ));
    }
    traffic.sort();
    if traffic.requests.is_empty() {
        return Err(Failure(format!(
            "{name}: nothing can be replayed: {}; audit events of Postern or the objects that \
             postern replay --help tells of are needed, one a line",
            table::lines(&traffic.counts)
        )));
    }
    Ok(traffic)
}
