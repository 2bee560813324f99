//! `postern`, the command line tool: what the filter does, without a proxy.
//!
//! Each subcommand is a module with its `Arguments` and a `run`, which writes what was asked for to
//! standard output and what is worth knowing to standard error. The exit status is 0, or 2 for
//! input that cannot be used.

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

mod configuration;
mod failure;
mod instant;
mod replay;
mod text;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Works with Postern's configurations and records, without a proxy.
#[derive(Parser)]
#[command(name = "postern", version)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Replay(replay::Arguments),
}

fn main() -> ExitCode {
    let done = match Line::parse().command {
        Command::Replay(arguments) => replay::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure::note(&failure);
            ExitCode::from(2)
        }
    }
}
