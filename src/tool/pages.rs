//! `postern schema`, `postern completion` and `postern man`: what the tool knows of itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man as Page;
use postern_core::config::json_schema;

use crate::failure::{Failure, output};

/// Prints the JSON Schema of a configuration (draft 2020-12), for editors and pipelines.
#[derive(Args)]
pub struct Schema {}

/// Prints what completes this tool's commands in a shell.
#[derive(Args)]
#[command(after_help = "Example: postern completion bash > /etc/bash_completion.d/postern")]
pub struct Completion {
    /// The shell.
    shell: Shell,
}

/// Prints the manual page, or writes one for each subcommand into a directory.
#[derive(Args)]
#[command(after_help = "Example: postern man --dir /usr/local/share/man/man1")]
pub struct Man {
    /// Writes postern.1 and one page for each subcommand into this directory, which is made.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints the schema.
///
/// # Errors
///
/// Where it cannot be written.
pub fn schema() -> Result<(), Failure> {
    output(&format!("{:#}\n", json_schema()))
}

/// Prints the completions of a shell.
///
/// # Errors
///
/// Where they cannot be written.
pub fn completion(arguments: &Completion, mut command: Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "postern", &mut script);
    output(&String::from_utf8_lossy(&script))
}

/// Prints the manual page, or writes all of them.
///
/// # Errors
///
/// Where they cannot be written.
pub fn man(arguments: &Man, mut command: Command) -> Result<(), Failure> {
    command.build();
    match &arguments.dir {
        None => output(&String::from_utf8_lossy(&page(&command)?)),
        Some(dir) => write_all(dir, &command),
    }
}

fn write_all(dir: &Path, command: &Command) -> Result<(), Failure> {
    fs::create_dir_all(dir).map_err(|error| failed(dir, &error))?;
    write(dir, command)?;
    let shown = command
        .get_subcommands()
        .filter(|command| command.get_name() != "help");
    shown
        .into_iter()
        .try_for_each(|command| write(dir, command))
}

fn write(dir: &Path, command: &Command) -> Result<(), Failure> {
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    let path = dir.join(format!("{name}.1"));
    fs::write(&path, page(command)?).map_err(|error| failed(&path, &error))
}

fn page(command: &Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    let rendered = Page::new(command.clone()).render(&mut page);
    rendered.map_err(|error| Failure(error.to_string()))?;
    Ok(page)
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure(format!("{}: {error}", path.display()))
}
