//! The `pddflow` program: arguments, wiring, exit codes.
//!
//! | module | what |
//! |---|---|
//! | `args`, `store_args`, `exit` | the command line and the exit codes: what scripts rely on |
//! | `command` | one file per command |
//! | `complete` | names of nodes for shells |
//! | `place` | where the store, plugins and data lie |
//! | `opened` | a pipeline file made ready: library, plan, store |
//! | `past` | which past run is meant |
//! | `problem` | everything that can go wrong, with its exit code |
//! | `output` | the only place that prints |
//! | `results` | artifacts of files written to folders |
//! | `shield`, `interrupt` | panics and signals |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic"))]

mod args;
mod command;
mod complete;
mod exit;
mod interrupt;
mod opened;
mod output;
mod past;
mod place;
mod problem;
mod profile;
mod results;
mod shield;
mod store_args;

use clap::{CommandFactory as _, Parser as _};
use clap_complete::CompleteEnv;
use output::Output;
use std::process::ExitCode;

/// Freed pages go back to the program and not to the system: page faults dominate elementwise tensor work.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    pddflow_nodes::keep_freed_memory();
    // A shell asks for completions by a variable; this answers and ends, or does nothing.
    CompleteEnv::with_factory(args::Cli::command).var(complete::VARIABLE).complete();
    // Clap prints usage errors itself, and ends with the exit code that they have here too.
    let cli = args::Cli::parse();
    let output = Output::new(&cli.output);
    shield::run(&output, || command::perform(&cli.command, &output)).into()
}
