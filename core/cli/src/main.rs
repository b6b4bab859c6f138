//! The `pddflow` program: arguments, wiring, exit codes.
//!
//! | module | what |
//! |---|---|
//! | `command` | one file per command: its arguments, its examples, what it does |
//! | `args`, `exit` | arguments that commands share, and the exit codes: what scripts rely on |
//! | `cluster` | runs on a cluster |
//! | `complete` | names of nodes for shells |
//! | `place` | where the store, plugins and data lie |
//! | `opened` | a pipeline file made ready: library, plan, store |
//! | `freshness`, `describe` | states of nodes and contents of artifacts in words |
//! | `past` | past runs: which one is meant, how it is written |
//! | `machine` | memory, and how many nodes run at once |
//! | `problem` | everything that can go wrong, with its exit code |
//! | `output` | the only place that prints |
//! | `reference` | kinds, sources and plugins with their parameters |
//! | `remaining` | the time left of a run |
//! | `results` | artifacts of files written to folders |
//! | `report` | pages about runs |
//! | `shield`, `interrupt` | panics and signals |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic"))]

mod args;
mod cluster;
mod command;
mod complete;
mod describe;
mod device;
mod exit;
mod freshness;
mod interrupt;
mod machine;
mod opened;
mod output;
mod past;
mod place;
mod problem;
mod profile;
mod reference;
mod remaining;
mod report;
mod results;
mod shield;

use clap::{CommandFactory as _, Parser};
use clap_complete::CompleteEnv;
use command::Command;
use exit::EXIT_CODES;
use output::{Output, OutputArgs};
use std::process::ExitCode;

const ABOUT: &str = "Runs dataset-distillation experiments written as YAML pipelines; only what changed runs again.";

const EXAMPLES: &str = "\
Examples:
  pddflow run pipelines/quickstart.yaml              run every stale node
  pddflow run pipelines/quickstart.yaml --set seed=1 override a parameter
  pddflow plan pipelines/quickstart.yaml             show what would run, and why
  pddflow show pipelines/quickstart.yaml table       show the result of a node
  pddflow graph pipelines/quickstart.yaml --format mermaid";

#[derive(Debug, Parser)]
#[command(name = "pddflow", version, about = ABOUT, propagate_version = true, subcommand_required = true)]
#[command(arg_required_else_help = true, disable_help_subcommand = true, max_term_width = 100)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    output: OutputArgs,
}

/// Freed pages go back to the program and not to the system: page faults dominate elementwise tensor work.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    pddflow_nodes::keep_freed_memory();
    #[cfg(unix)]
    interrupt::outlive_file_limits();
    // A shell asks for completions by a variable; this answers and ends, or does nothing.
    CompleteEnv::with_factory(Cli::command).var(complete::VARIABLE).complete();
    // Clap prints usage errors itself, and ends with the exit code that they have here too.
    let cli = Cli::parse();
    let output = Output::new(&cli.output);
    shield::run(&output, || cli.command.run(&output)).into()
}

/// Does what a command line asks for that was typed earlier.
fn again(arguments: Vec<String>) -> Result<exit::Exit, problem::Problem> {
    let cli = Cli::try_parse_from(arguments).map_err(|error| {
        let message = format!("the command line of the run is not understood any more: {}", error.kind());
        problem::Problem::usage("command_line", message).with_help("run the pipeline again with `--on slurm`")
    })?;
    match &cli.command {
        // Once is enough.
        Command::Attach(_) => {
            Err(problem::Problem::usage("command_line", "the command line of the run is none of a run"))
        }
        command => command.run(&Output::new(&cli.output)),
    }
}

/// The program with all its commands.
fn cli() -> clap::Command {
    Cli::command()
}

/// The help of the command that words name, or of the program.
fn command_help(words: &[&str], output: &Output) -> Option<String> {
    let mut cli = cli();
    cli.build();
    let mut command = &mut cli;
    for word in words {
        command = command.find_subcommand_mut(word)?;
    }
    let help = command.render_long_help();
    Some(if output.paint.is_on() { help.ansi().to_string() } else { help.to_string() })
}

/// The names of the commands.
fn commands() -> Vec<String> {
    cli().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
