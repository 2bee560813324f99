//! `postern`, the command line tool: what the filter does, without a proxy.
//!
//! Each subcommand is a module with its `Arguments` and a `run`, which writes what was asked for to
//! standard output and what is worth knowing to standard error. The exit status is 0, 2 for input
//! that cannot be used, and 1 where a check found something.

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

mod check;
mod configuration;
mod document;
mod failure;
mod instant;
mod pages;
mod replay;
mod text;

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
    Replay(replay::Arguments),
    Schema(pages::Schema),
    Completion(pages::Completion),
    Man(pages::Man),
}

fn main() -> ExitCode {
    let done = match Line::parse().command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Schema(_) => pages::schema().map(|()| ExitCode::SUCCESS),
        Command::Completion(arguments) => {
            pages::completion(&arguments, Line::command()).map(|()| ExitCode::SUCCESS)
        }
        Command::Man(arguments) => {
            pages::man(&arguments, Line::command()).map(|()| ExitCode::SUCCESS)
        }
    };
    match done {
        Ok(status) => status,
        Err(failure) => {
            failure::note(&failure);
            ExitCode::from(2)
        }
    }
}
