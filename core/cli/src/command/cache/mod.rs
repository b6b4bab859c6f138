//! `pddflow cache`: the store.

mod transfer;

mod dir;
pub(crate) mod gc;
mod ls;
mod pull;
mod push;
mod rm;
mod show;
mod verify;

use crate::exit::Exit;
use crate::output::Output;
use crate::problem::Problem;
use clap::Subcommand;

const EXAMPLES: &str = "\
Examples:
  pddflow cache ls
  pddflow cache show b3:0f3a
  pddflow cache verify
  pddflow cache rm 'eval[*]'
  pddflow cache gc --max-size 20GiB --dry-run
  pddflow cache push s3://bucket/results
  pddflow cache pull s3://bucket/results pipelines/quickstart.yaml";

/// Manage the store: list, verify, clean up, copy to and from a remote
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        self.command.run(output)
    }
}

commands! {
    Ls: ls,
    Show: show,
    Dir: dir,
    Verify: verify,
    Gc: gc,
    Rm: rm,
    Push: push,
    Pull: pull,
}
