//! What a subcommand could not do, and what it says beside its output.

use std::fmt;
use std::io::{self, ErrorKind, Write as _};

/// Why a subcommand ended early: sentences for people, one a line.
#[derive(Debug)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says something on standard error; whoever closed it does not want to know.
pub fn note(what: impl fmt::Display) {
    for line in what.to_string().lines() {
        let _ = writeln!(io::stderr(), "postern: {line}");
    }
}

/// Writes to standard output; a reader that went away has read enough.
pub fn output(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
