//! `postern`, the command line tool: what the filter does, without a proxy.
//!
//! Each subcommand is a module with its `Arguments` and a `run`, which writes what was asked for to
//! standard output and what is worth knowing to standard error. The exit status is 0, 2 for input
//! that cannot be used, and 1 where a check found something or a test failed.

#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::arithmetic_side_effects
    )
)]

mod certificate;
mod check;
mod configuration;
mod document;
mod explain;
mod failure;
mod instant;
mod moment;
mod pages;
mod replay;
mod test;
mod text;
mod token;
mod trial;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Works with Postern's configurations and records, without a proxy.
#[derive(Parser)]
#[command(name = "postern", version)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Arguments),
    Explain(explain::Arguments),
    Replay(replay::Arguments),
    Test(test::Arguments),
    Token(token::Arguments),
    Schema(pages::Schema),
    Completion(pages::Completion),
    Man(pages::Man),
}

fn main() -> ExitCode {
    let done = |()| ExitCode::SUCCESS;
    let ended = match Line::parse().command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments).map(done),
        Command::Replay(arguments) => replay::run(&arguments).map(done),
        Command::Test(arguments) => test::run(&arguments),
        Command::Token(arguments) => token::run(&arguments).map(done),
        Command::Schema(_) => pages::schema().map(done),
        Command::Completion(arguments) => pages::completion(&arguments, Line::command()).map(done),
        Command::Man(arguments) => pages::man(&arguments, Line::command()).map(done),
    };
    match ended {
        Ok(status) => status,
        Err(failure) => {
            failure::note(&failure);
            ExitCode::from(2)
        }
    }
}
