//! `pddflow plugin`: what is there, and how to write another one.

mod build;
mod check;
mod list;
mod new;
pub(crate) mod show;

use crate::exit::Exit;
use crate::output::Output;
use crate::problem::Problem;
use clap::Subcommand;

/// List, write, build and check plugins: matchers and models
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Args),
    Show(show::Args),
    New(new::Args),
    Build(build::Args),
    Check(check::Args),
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        match &self.command {
            Command::List(args) => args.run(output),
            Command::Show(args) => args.run(output),
            Command::New(args) => args.run(output),
            Command::Build(args) => args.run(output),
            Command::Check(args) => args.run(output),
        }
    }
}
